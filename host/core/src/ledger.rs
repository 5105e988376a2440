//! The money, in double entry: every entry sums to zero, so nothing appears or vanishes.
//!
//! | account          | meaning                                             | sign    |
//! |------------------|-----------------------------------------------------|---------|
//! | `Capital`        | what the run started with                           | ≤ 0     |
//! | `Cash`           | free to commit                                      | ≥ 0     |
//! | `Reserved`       | set aside for orders in flight                      | ≥ 0     |
//! | `Locked`         | positions at cost, without fees                     | ≥ 0     |
//! | `Fees`           | fees paid                                           | ≥ 0     |
//! | `Realised`       | gains of sales and settlements before fees, negated | any     |
//!
//! Conservation: `cash + reserved + locked + fees − realised gain = starting capital`. It is checked
//! after every entry over running totals ([`Ledger::totals`]), so that an entry costs the same however
//! many markets are open, and from time to time over all accounts ([`Ledger::audit`]).
//! It owns balances only: positions live in [`crate::position`], and nothing here knows a price.

use crate::ids::{MarketId, StrategyId, Venue};
use crate::units::Usd;
use std::collections::BTreeMap;

/// Where money of a strategy is tied up. The order of fields makes a strategy's holdings adjacent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holding {
    /// Whose.
    pub strategy: StrategyId,
    /// On which venue.
    pub venue: Venue,
    /// In which market.
    pub market: MarketId,
}

/// One account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// What the run started with, negated.
    Capital,
    /// Free money.
    Cash,
    /// Set aside for orders in flight.
    Reserved(Holding),
    /// Positions at cost.
    Locked(Holding),
    /// Fees a strategy paid.
    Fees(StrategyId),
    /// Gross gains of a strategy, negated.
    Realised(StrategyId),
}

/// Why an entry was not booked. Any of these means that a computation before it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The postings do not sum to zero.
    #[error("ledger entry {entry} does not balance: its postings sum to {sum} micro-dollars")]
    Unbalanced {
        /// Which entry.
        entry: &'static str,
        /// Its sum.
        sum: i128,
    },
    /// A sum does not fit.
    #[error("ledger entry {entry} overflows account {account:?}")]
    Overflow {
        /// Which entry.
        entry: &'static str,
        /// Which account.
        account: Account,
    },
    /// An account that can not be negative would be.
    #[error("ledger entry {entry} would leave account {account:?} at {balance} USD")]
    Overdrawn {
        /// Which entry.
        entry: &'static str,
        /// Which account.
        account: Account,
        /// What would be left.
        balance: Usd,
    },
    /// The accounts no longer sum to zero.
    #[error(
        "conservation is broken after ledger entry {entry}: accounts sum to {sum} micro-dollars, not zero"
    )]
    NotConserved {
        /// Which entry.
        entry: &'static str,
        /// The sum of all accounts.
        sum: i128,
    },
}

/// Sums over the accounts of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// What the run started with, negated.
    pub capital: i128,
    /// Free.
    pub cash: i128,
    /// Set aside for orders.
    pub reserved: i128,
    /// Positions at cost.
    pub locked: i128,
    /// Fees paid.
    pub fees: i128,
    /// Gains before fees, negated.
    pub realised: i128,
}

impl Totals {
    fn add(&mut self, account: Account, usd: Usd) {
        let total = match account {
            Account::Capital => &mut self.capital,
            Account::Cash => &mut self.cash,
            Account::Reserved(_) => &mut self.reserved,
            Account::Locked(_) => &mut self.locked,
            Account::Fees(_) => &mut self.fees,
            Account::Realised(_) => &mut self.realised,
        };
        *total += i128::from(usd.0);
    }

    /// Everything together: zero, always.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.capital + self.cash + self.reserved + self.locked + self.fees + self.realised
    }
}

/// All balances. Accounts of holdings vanish when they are empty, so memory follows what is open.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    balances: BTreeMap<Account, Usd>,
    totals: Totals,
    /// Reserved and locked together, by whose, where and in what; none that is empty.
    by_strategy: BTreeMap<StrategyId, Usd>,
    by_market: BTreeMap<MarketId, Usd>,
    by_venue: BTreeMap<Venue, Usd>,
    entries: u64,
}

impl Ledger {
    /// The run's starting money arrives.
    pub fn open(&mut self, capital: Usd) -> Result<(), LedgerError> {
        let out = negated("open", Account::Capital, capital)?;
        self.post("open", &[(Account::Cash, capital), out])
    }

    /// Money is set aside for an order.
    pub fn reserve(&mut self, holding: Holding, amount: Usd) -> Result<(), LedgerError> {
        let out = negated("reserve", Account::Cash, amount)?;
        self.post("reserve", &[out, (Account::Reserved(holding), amount)])
    }

    /// What was set aside is free again.
    pub fn release(&mut self, holding: Holding, amount: Usd) -> Result<(), LedgerError> {
        let out = negated("release", Account::Reserved(holding), amount)?;
        self.post("release", &[out, (Account::Cash, amount)])
    }

    /// Shares were bought for `cost` and `fee` out of `reserved`; the rest of it is free again.
    pub fn buy(
        &mut self,
        holding: Holding,
        reserved: Usd,
        cost: Usd,
        fee: Usd,
    ) -> Result<(), LedgerError> {
        let back = reserved
            .checked_sub(cost)
            .and_then(|r| r.checked_sub(fee))
            .ok_or(LedgerError::Overflow {
                entry: "buy",
                account: Account::Cash,
            })?;
        let out = negated("buy", Account::Reserved(holding), reserved)?;
        self.post(
            "buy",
            &[
                out,
                (Account::Locked(holding), cost),
                (Account::Fees(holding.strategy), fee),
                (Account::Cash, back),
            ],
        )
    }

    /// Shares that had cost `cost` brought `proceeds`, less `fee`: a sale, or (without fee) a settlement.
    pub fn dispose(
        &mut self,
        holding: Holding,
        cost: Usd,
        proceeds: Usd,
        fee: Usd,
    ) -> Result<(), LedgerError> {
        let overflow = |account| LedgerError::Overflow {
            entry: "dispose",
            account,
        };
        let cash = proceeds
            .checked_sub(fee)
            .ok_or_else(|| overflow(Account::Cash))?;
        let loss = cost
            .checked_sub(proceeds)
            .ok_or_else(|| overflow(Account::Realised(holding.strategy)))?;
        let out = negated("dispose", Account::Locked(holding), cost)?;
        self.post(
            "dispose",
            &[
                out,
                (Account::Cash, cash),
                (Account::Fees(holding.strategy), fee),
                (Account::Realised(holding.strategy), loss),
            ],
        )
    }

    /// Books an entry whole or not at all.
    fn post(
        &mut self,
        entry: &'static str,
        postings: &[(Account, Usd)],
    ) -> Result<(), LedgerError> {
        let sum: i128 = postings.iter().map(|(_, usd)| i128::from(usd.0)).sum();
        if sum != 0 {
            return Err(LedgerError::Unbalanced { entry, sum });
        }
        // Accounts of one entry are distinct by construction, so each can be judged alone.
        for (account, usd) in postings {
            let balance =
                self.balance(*account)
                    .checked_add(*usd)
                    .ok_or(LedgerError::Overflow {
                        entry,
                        account: *account,
                    })?;
            let may_be_negative = matches!(account, Account::Capital | Account::Realised(_));
            if balance < Usd::ZERO && !may_be_negative {
                return Err(LedgerError::Overdrawn {
                    entry,
                    account: *account,
                    balance,
                });
            }
        }
        for (account, usd) in postings {
            add(&mut self.balances, *account, *usd);
            self.totals.add(*account, *usd);
            if let Some(holding) = holding_of(account) {
                add(&mut self.by_strategy, holding.strategy, *usd);
                add(&mut self.by_market, holding.market, *usd);
                add(&mut self.by_venue, holding.venue, *usd);
            }
        }
        self.entries = self.entries.saturating_add(1);
        let sum = self.totals.sum();
        if sum != 0 {
            return Err(LedgerError::NotConserved { entry, sum });
        }
        Ok(())
    }

    /// Counts every account anew and compares with the running totals; the difference, in words.
    pub fn audit(&self) -> Result<(), String> {
        let mut counted = Totals::default();
        for (account, usd) in &self.balances {
            counted.add(*account, *usd);
        }
        if counted != self.totals {
            return Err(format!(
                "the accounts sum to {counted:?}, but the running totals say {:?}",
                self.totals
            ));
        }
        Ok(())
    }

    /// The sums over the accounts of each kind, as kept.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What an account holds; nothing when it was never used.
    #[must_use]
    pub fn balance(&self, account: Account) -> Usd {
        self.balances.get(&account).copied().unwrap_or(Usd::ZERO)
    }

    /// Free money.
    #[must_use]
    pub fn cash(&self) -> Usd {
        self.balance(Account::Cash)
    }

    /// What the run started with.
    #[must_use]
    pub fn capital(&self) -> Usd {
        Usd(self.balance(Account::Capital).0.saturating_neg())
    }

    /// Entries booked so far.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Set aside for orders in flight, in all.
    #[must_use]
    pub fn reserved(&self) -> Usd {
        usd(self.totals.reserved)
    }

    /// Positions at cost, in all.
    #[must_use]
    pub fn locked(&self) -> Usd {
        usd(self.totals.locked)
    }

    /// Fees paid, in all.
    #[must_use]
    pub fn fees(&self) -> Usd {
        usd(self.totals.fees)
    }

    /// Gains of sales and settlements before fees, in all.
    #[must_use]
    pub fn realised(&self) -> Usd {
        usd(-self.totals.realised)
    }

    /// What a strategy has tied up: reserved and locked.
    #[must_use]
    pub fn committed_by(&self, strategy: StrategyId) -> Usd {
        self.by_strategy.get(&strategy).copied().unwrap_or_default()
    }

    /// What is tied up in a market, by all strategies.
    #[must_use]
    pub fn committed_in(&self, market: MarketId) -> Usd {
        self.by_market.get(&market).copied().unwrap_or_default()
    }

    /// Every market in which something is tied up, and how much.
    pub fn committed_by_market(&self) -> impl Iterator<Item = (MarketId, Usd)> + '_ {
        self.by_market.iter().map(|(market, usd)| (*market, *usd))
    }

    /// What is tied up on a venue, by all strategies.
    #[must_use]
    pub fn committed_on(&self, venue: Venue) -> Usd {
        self.by_venue.get(&venue).copied().unwrap_or_default()
    }

    /// A strategy's gains after all its fees.
    #[must_use]
    pub fn net_of(&self, strategy: StrategyId) -> Usd {
        let lost = self.balance(Account::Realised(strategy));
        let fees = self.balance(Account::Fees(strategy));
        Usd(lost.0.saturating_neg().saturating_sub(fees.0))
    }

    /// Makes money out of nothing, so that tests see it noticed.
    #[cfg(test)]
    pub(crate) fn conjure(&mut self, account: Account, usd: Usd) {
        add(&mut self.balances, account, usd);
        self.totals.add(account, usd);
    }

    /// Books money on an account that no total hears of.
    #[cfg(test)]
    pub(crate) fn misfile(&mut self, account: Account, usd: Usd) {
        add(&mut self.balances, account, usd);
    }
}

/// Adds to a balance; one that is empty vanishes.
fn add<K: Ord>(balances: &mut BTreeMap<K, Usd>, key: K, usd: Usd) {
    let balance = balances.get(&key).map_or(0, |balance| balance.0);
    match balance.saturating_add(usd.0) {
        0 => _ = balances.remove(&key),
        sum => _ = balances.insert(key, Usd(sum)),
    }
}

/// A sum as money. Sums are bounded by the capital that conservation ties them to, so they fit.
fn usd(sum: i128) -> Usd {
    Usd(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}

fn holding_of(account: &Account) -> Option<&Holding> {
    match account {
        Account::Reserved(holding) | Account::Locked(holding) => Some(holding),
        _ => None,
    }
}

fn negated(
    entry: &'static str,
    account: Account,
    amount: Usd,
) -> Result<(Account, Usd), LedgerError> {
    Usd::ZERO
        .checked_sub(amount)
        .map(|usd| (account, usd))
        .ok_or(LedgerError::Overflow { entry, account })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDING: Holding = Holding {
        strategy: StrategyId(0),
        venue: Venue::Polymarket,
        market: MarketId(3),
    };

    #[test]
    fn a_bought_and_sold_position_leaves_only_gain_and_fees() {
        let mut ledger = Ledger::default();
        ledger.open(Usd(1_000)).unwrap();
        ledger.reserve(HOLDING, Usd(600)).unwrap();
        assert_eq!((ledger.cash(), ledger.reserved()), (Usd(400), Usd(600)));
        ledger.buy(HOLDING, Usd(600), Usd(500), Usd(10)).unwrap();
        assert_eq!((ledger.cash(), ledger.locked()), (Usd(490), Usd(500)));
        assert_eq!(ledger.committed_in(MarketId(3)), Usd(500));
        ledger.dispose(HOLDING, Usd(500), Usd(700), Usd(7)).unwrap();
        assert_eq!((ledger.cash(), ledger.locked()), (Usd(1_183), Usd(0)));
        assert_eq!((ledger.realised(), ledger.fees()), (Usd(200), Usd(17)));
        assert_eq!(ledger.net_of(StrategyId(0)), Usd(183));
    }

    #[test]
    fn what_is_not_there_can_not_be_spent() {
        let mut ledger = Ledger::default();
        ledger.open(Usd(1_000)).unwrap();
        let before = ledger.clone();
        assert!(matches!(
            ledger.reserve(HOLDING, Usd(1_001)),
            Err(LedgerError::Overdrawn { .. })
        ));
        assert!(matches!(
            ledger.dispose(HOLDING, Usd(1), Usd(5), Usd(0)),
            Err(LedgerError::Overdrawn { .. })
        ));
        assert!(matches!(
            ledger.post("test", &[(Account::Cash, Usd(1))]),
            Err(LedgerError::Unbalanced { sum: 1, .. })
        ));
        assert_eq!(ledger.balances, before.balances);
    }
}
