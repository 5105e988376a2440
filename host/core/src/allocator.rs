//! Shares capital among strategies and sets it aside for orders.
//!
//! Every active strategy starts with an equal share of equity. After `trades_min` settled trades its
//! own return moves its weight: one percent gained on what it invested adds two percent of weight,
//! one percent lost takes as much, between a quarter and four times the start. Shares are weights
//! over their sum, clamped to `share_min..=share_max`; they may sum to less than one (the rest stays
//! cash) or to more (cash then bounds them: nothing is ever lent).
//!
//! A [`Reservation`] is pending while it exists and ends in exactly one way, because ending it
//! consumes it: posted (the leg bought) or voided (it did not). All integer arithmetic.

use crate::config::Allocation;
use crate::ids::StrategyId;
use crate::ledger::{Holding, Ledger, LedgerError};
use crate::units::{Bps, Rounding, Usd, div_round};
use std::collections::BTreeMap;

/// Weight of a strategy without a result.
const WEIGHT_START: i64 = 10_000;
/// Least weight, whatever was lost.
const WEIGHT_MIN: i64 = 2_500;
/// Largest weight, whatever was gained.
const WEIGHT_MAX: i64 = 40_000;
/// Weight gained for each basis point of return on invested money.
const WEIGHT_PER_BPS: i64 = 2;

/// Money set aside for one leg in flight.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a reservation ends by being posted or voided"]
pub struct Reservation {
    holding: Holding,
    amount: Usd,
}

impl Reservation {
    /// Sets `amount` aside.
    pub fn pending(
        ledger: &mut Ledger,
        holding: Holding,
        amount: Usd,
    ) -> Result<Self, LedgerError> {
        ledger.reserve(holding, amount)?;
        Ok(Self { holding, amount })
    }

    /// The leg bought for `cost` and `fee`; the rest is free again.
    pub fn posted(self, ledger: &mut Ledger, cost: Usd, fee: Usd) -> Result<(), LedgerError> {
        ledger.buy(self.holding, self.amount, cost, fee)
    }

    /// A part of the leg was bought for `cost` and `fee`; at most `keep` stays set aside for the rest.
    pub fn posted_in_part(
        &mut self,
        ledger: &mut Ledger,
        cost: Usd,
        fee: Usd,
        keep: Usd,
    ) -> Result<(), LedgerError> {
        let paid = Usd(cost.0.saturating_add(fee.0));
        let kept = Usd(self.amount.0.saturating_sub(paid.0)).min(keep);
        let spent = Usd(self.amount.0.saturating_sub(kept.0));
        ledger.buy(self.holding, spent, cost, fee)?;
        self.amount = kept;
        Ok(())
    }

    /// What is set aside.
    #[must_use]
    pub fn amount(&self) -> Usd {
        self.amount
    }

    /// The leg bought nothing; all is free again.
    pub fn voided(self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        ledger.release(self.holding, self.amount)
    }
}

/// What a strategy achieved with what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackRecord {
    /// Whether it shares in the capital now.
    pub active: bool,
    /// Rows closed or settled.
    pub settled: u32,
    /// What those had cost, without fees.
    pub invested: Usd,
    /// What they gained after fees.
    pub gained: Usd,
}

/// Decides each strategy's share.
#[derive(Debug, Clone, Default)]
pub struct CapitalAllocator {
    records: BTreeMap<StrategyId, TrackRecord>,
}

impl CapitalAllocator {
    /// A strategy takes part, or no longer does. Its record stays.
    pub fn set_active(&mut self, strategy: StrategyId, active: bool) {
        self.records.entry(strategy).or_default().active = active;
    }

    /// A row of a strategy ended.
    pub fn settled(&mut self, strategy: StrategyId, invested: Usd, gained: Usd) {
        let record = self.records.entry(strategy).or_default();
        record.settled = record.settled.saturating_add(1);
        record.invested = Usd(record.invested.0.saturating_add(invested.0));
        record.gained = Usd(record.gained.0.saturating_add(gained.0));
    }

    /// A strategy's record.
    #[must_use]
    pub fn record(&self, strategy: StrategyId) -> TrackRecord {
        self.records.get(&strategy).copied().unwrap_or_default()
    }

    /// A strategy's share of equity; nothing for one that takes no part.
    #[must_use]
    pub fn share(&self, strategy: StrategyId, rules: &Allocation) -> Bps {
        let record = self.record(strategy);
        if !record.active {
            return Bps(0);
        }
        let sum: i64 = self
            .records
            .values()
            .filter(|r| r.active)
            .map(|r| weight(r, rules))
            .sum();
        let share = div_round(
            i128::from(weight(&record, rules)) * 10_000,
            i128::from(sum),
            Rounding::Down,
        );
        let share = share.and_then(|s| i32::try_from(s).ok()).unwrap_or(0);
        // Not `clamp`: a configuration with min > max must not panic; the upper bound then wins.
        Bps(share.max(rules.share_min.0).min(rules.share_max.0))
    }

    /// What a strategy may have tied up at this equity; `None` when it does not fit.
    #[must_use]
    pub fn capital(&self, strategy: StrategyId, equity: Usd, rules: &Allocation) -> Option<Usd> {
        equity
            .max(Usd::ZERO)
            .share(self.share(strategy, rules), Rounding::Down)
    }

    /// What a strategy may still tie up: its capital less what is tied up, and never more than the cash.
    #[must_use]
    pub fn free(
        &self,
        strategy: StrategyId,
        equity: Usd,
        ledger: &Ledger,
        rules: &Allocation,
    ) -> Option<Usd> {
        let free = self
            .capital(strategy, equity, rules)?
            .checked_sub(ledger.committed_by(strategy))?;
        Some(free.min(ledger.cash()).max(Usd::ZERO))
    }
}

fn weight(record: &TrackRecord, rules: &Allocation) -> i64 {
    if record.settled < rules.trades_min || record.invested <= Usd::ZERO {
        return WEIGHT_START;
    }
    let return_bps = div_round(
        i128::from(record.gained.0) * 10_000,
        i128::from(record.invested.0),
        Rounding::Down,
    )
    .and_then(|bps| i64::try_from(bps).ok())
    .unwrap_or(0);
    return_bps
        .saturating_mul(WEIGHT_PER_BPS)
        .saturating_add(WEIGHT_START)
        .clamp(WEIGHT_MIN, WEIGHT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Allocation = Allocation {
        share_min: Bps(500),
        share_max: Bps(5_000),
        trades_min: 10,
    };

    fn with_results(results: &[(u32, i64)]) -> CapitalAllocator {
        let mut allocator = CapitalAllocator::default();
        for (n, (trades, gained)) in results.iter().enumerate() {
            let id = StrategyId(u32::try_from(n).unwrap());
            allocator.set_active(id, true);
            for _ in 0..*trades {
                allocator.settled(id, Usd(1_000_000), Usd(*gained));
            }
        }
        allocator
    }

    fn shares(results: &[(u32, i64)]) -> Vec<i32> {
        let allocator = with_results(results);
        (0..results.len())
            .map(|n| {
                allocator
                    .share(StrategyId(u32::try_from(n).unwrap()), &RULES)
                    .0
            })
            .collect()
    }

    #[test]
    fn shares_start_equal_and_follow_results() {
        type Case = (&'static [(u32, i64)], &'static [i32]);
        let cases: [Case; 6] = [
            // Alone: the largest share, not everything.
            (&[(0, 0)], &[5_000]),
            (&[(0, 0), (0, 0), (0, 0), (0, 0)], &[2_500; 4]),
            // Nine trades are no evidence, ten are: 10 % gained against nothing known.
            (&[(9, 100_000), (0, 0)], &[5_000, 5_000]),
            (&[(10, 100_000), (0, 0), (0, 0)], &[3_750, 3_125, 3_125]),
            // Losing half weighs a quarter, and never below the least share.
            (&[(10, -500_000), (0, 0), (0, 0)], &[1_111, 4_444, 4_444]),
            (
                &[(10, -900_000), (50, 900_000), (50, 900_000)],
                &[500, 4_786, 4_786],
            ),
        ];
        for (results, expected) in cases {
            assert_eq!(shares(results), expected, "{results:?}");
        }
    }

    #[test]
    fn one_that_left_gets_nothing_and_frees_its_share() {
        let mut allocator = with_results(&[(0, 0), (0, 0), (0, 0)]);
        allocator.set_active(StrategyId(1), false);
        assert_eq!(allocator.share(StrategyId(1), &RULES), Bps(0));
        assert_eq!(allocator.share(StrategyId(0), &RULES), Bps(5_000));
    }

    #[test]
    fn free_capital_is_the_share_less_what_is_tied_up_and_at_most_the_cash() {
        let allocator = with_results(&[(0, 0)]);
        let holding = Holding {
            strategy: StrategyId(0),
            venue: crate::ids::Venue::Kalshi,
            market: crate::ids::MarketId(0),
        };
        let mut ledger = Ledger::default();
        ledger.open(Usd(1_000)).unwrap();
        let free = |ledger: &Ledger, equity| allocator.free(StrategyId(0), equity, ledger, &RULES);
        assert_eq!(free(&ledger, Usd(1_000)), Some(Usd(500)));
        let reservation = Reservation::pending(&mut ledger, holding, Usd(300)).unwrap();
        assert_eq!(free(&ledger, Usd(1_000)), Some(Usd(200)));
        assert_eq!(free(&ledger, Usd(100_000)), Some(Usd(700)), "cash bounds");
        assert_eq!(free(&ledger, Usd(-5)), Some(Usd(0)));
        reservation.voided(&mut ledger).unwrap();
        assert_eq!(free(&ledger, Usd(1_000)), Some(Usd(500)));
    }
}
