//! What is held: one position for each filled leg, sold first in, first out.
//!
//! Owns the open rows, their cost and what they are worth. It books no money (the ledger does, in the
//! same step) and decides nothing.
//!
//! Worth is marked at the lower of cost and bid, row by row, and kept as a sum: only the rows of
//! instruments whose bid may have changed since the last look are marked again. That gives, to the
//! micro-dollar, what marking every row at every look gives; the tests compare the two.

use crate::effect::{TradeStatus, TradeUpdate};
use crate::ids::{InstrumentId, MarketId, StrategyId, Timestamp, TradeId};
use crate::ledger::Holding;
use crate::units::{Price, Qty, Rounding, Usd, div_round};
use std::collections::{BTreeMap, BTreeSet};

/// A filled leg that is still held, wholly or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Whose, and where.
    pub holding: Holding,
    /// What.
    pub instrument: InstrumentId,
    /// Shares still held.
    pub remaining: Qty,
    /// What they cost, without fees.
    pub cost: Usd,
    /// Fees of the row so far, of buying and selling.
    pub fees: Usd,
    /// Shares sold or paid out.
    pub exited: Qty,
    /// What those brought, before fees.
    pub proceeds: Usd,
    /// Their prices times their sizes, exactly: in 1e-12 dollars.
    pub exit_weight: i128,
    /// What those had cost.
    pub exited_cost: Usd,
}

impl Position {
    /// Realised so far: gains on what is gone, less every fee of the row.
    #[must_use]
    pub fn realized_pnl(&self) -> Usd {
        Usd(self
            .proceeds
            .0
            .saturating_sub(self.exited_cost.0)
            .saturating_sub(self.fees.0))
    }

    /// Size-weighted price of what is gone, rounded down; zero before anything is.
    fn exit_price(&self) -> Price {
        div_round(self.exit_weight, i128::from(self.exited.0), Rounding::Down)
            .and_then(|price| i64::try_from(price).ok())
            .map_or(Price::ZERO, Price)
    }

    /// The row's new state after an exit.
    fn update(&self, id: TradeId, at: Timestamp, end: TradeStatus, evidence: &str) -> TradeUpdate {
        let status = if self.remaining > Qty::ZERO {
            TradeStatus::Open
        } else {
            end
        };
        TradeUpdate {
            id,
            at,
            status,
            remaining_qty: self.remaining,
            exit_price: self.exit_price(),
            realized_pnl: self.realized_pnl(),
            fees: self.fees,
            evidence: evidence.to_owned(),
        }
    }
}

/// One row's part of an exit: what the ledger books and the store updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Whose money.
    pub holding: Holding,
    /// What was held.
    pub instrument: InstrumentId,
    /// What the shares that went had cost.
    pub cost: Usd,
    /// What they brought.
    pub proceeds: Usd,
    /// The fee on it.
    pub fee: Usd,
    /// What everything that left the row so far had cost.
    pub invested: Usd,
    /// The row's new state.
    pub update: TradeUpdate,
}

/// What a sale brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale {
    /// How much was sold.
    pub qty: Qty,
    /// Size-weighted price.
    pub price: Price,
    /// What it brought, before the fee.
    pub proceeds: Usd,
    /// The fee.
    pub fee: Usd,
}

/// All shares of one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub instrument: InstrumentId,
    /// How many.
    pub qty: Qty,
    /// What they cost, without fees.
    pub cost: Usd,
    /// The lower of cost and bid, row by row.
    pub worth: Usd,
}

/// What marking needs of a row, beside those of its instrument, so that a look at many is quick.
#[derive(Debug, Clone, Copy)]
struct Lot {
    id: TradeId,
    strategy: StrategyId,
    remaining: Qty,
    cost: Usd,
    /// The bid when it was last marked; zero when there was none, `None` before the first time.
    mark: Option<Price>,
    /// At that bid; see [`Lot::marked`].
    worth: Usd,
}

impl Lot {
    fn new(id: TradeId, position: &Position, mark: Option<Price>) -> Self {
        Self {
            id,
            strategy: position.holding.strategy,
            remaining: position.remaining,
            cost: position.cost,
            mark,
            worth: position.cost,
        }
        .marked(mark)
    }

    /// At this bid it is worth the lower of cost and what the bid would bring; cost before any bid was
    /// seen.
    fn marked(self, mark: Option<Price>) -> Self {
        let value = mark.and_then(|price| price.times(self.remaining, Rounding::Down));
        let worth = value.map_or(self.cost, |value| value.min(self.cost));
        Self {
            mark,
            worth,
            ..self
        }
    }
}

/// Every open row, in order of its id.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    open: BTreeMap<TradeId, Position>,
    /// The rows of each instrument in which anything is held, in order of their ids.
    by_instrument: BTreeMap<InstrumentId, Vec<Lot>>,
    /// The rows of each market in which anything is held.
    by_market: BTreeMap<MarketId, BTreeSet<TradeId>>,
    /// Instruments whose rows must be marked again at the next look.
    unmarked: BTreeSet<InstrumentId>,
    /// Sums over all rows. Costs and worths are never negative and bounded by the capital, so the sums
    /// fit; they are wider so that a wrong one shows instead of wrapping.
    cost: i128,
    worth: i128,
}

impl Positions {
    /// A leg was bought.
    pub fn open(&mut self, id: TradeId, position: Position) {
        self.unmarked.insert(position.instrument);
        self.put(id, position);
    }

    /// Puts a row in the place of the one before, and into every index and sum. A row keeps its mark.
    fn put(&mut self, id: TradeId, position: Position) {
        let mark = self.take(id);
        let lot = Lot::new(id, &position, mark);
        self.cost += i128::from(lot.cost.0);
        self.worth += i128::from(lot.worth.0);
        let lots = self.by_instrument.entry(position.instrument).or_default();
        let (Ok(at) | Err(at)) = lots.binary_search_by_key(&id, |lot| lot.id);
        lots.insert(at, lot);
        let rows = self.by_market.entry(position.holding.market).or_default();
        rows.insert(id);
        self.open.insert(id, position);
    }

    /// Takes a row out of everything and tells its mark.
    fn take(&mut self, id: TradeId) -> Option<Price> {
        let position = self.open.remove(&id)?;
        if let Some(rows) = self.by_market.get_mut(&position.holding.market) {
            rows.remove(&id);
            if rows.is_empty() {
                self.by_market.remove(&position.holding.market);
            }
        }
        let lots = self.by_instrument.get_mut(&position.instrument)?;
        let at = lots.binary_search_by_key(&id, |lot| lot.id).ok()?;
        let lot = lots.remove(at);
        if lots.is_empty() {
            self.by_instrument.remove(&position.instrument);
        }
        self.cost -= i128::from(lot.cost.0);
        self.worth -= i128::from(lot.worth.0);
        lot.mark
    }

    /// A row that is still open.
    #[must_use]
    pub fn get(&self, id: TradeId) -> Option<&Position> {
        self.open.get(&id)
    }

    /// How many rows are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Shares of an instrument that a strategy holds.
    #[must_use]
    pub fn held(&self, strategy: StrategyId, instrument: InstrumentId) -> Qty {
        let held = self
            .lots(strategy, instrument)
            .fold(0_i64, |sum, lot| sum.saturating_add(lot.remaining.0));
        Qty(held)
    }

    /// Whether anybody holds anything of a market.
    #[must_use]
    pub fn any_in(&self, market: MarketId) -> bool {
        self.by_market.contains_key(&market)
    }

    /// Cost of everything held. Equals the ledger's locked money at all times.
    #[must_use]
    pub fn cost(&self) -> Usd {
        usd(self.cost)
    }

    /// The rows of a strategy in one instrument, oldest first.
    #[must_use]
    pub fn rows_of(&self, strategy: StrategyId, instrument: InstrumentId) -> Vec<TradeId> {
        self.lots(strategy, instrument).map(|lot| lot.id).collect()
    }

    fn lots(&self, strategy: StrategyId, instrument: InstrumentId) -> impl Iterator<Item = &Lot> {
        let lots = self.by_instrument.get(&instrument).into_iter().flatten();
        lots.filter(move |lot| lot.strategy == strategy)
    }

    /// Shares that were sold leave `rows`, in the order given; each row bears
    /// its share of proceeds and fee, and the last one what rounding left over. `None` when the rows hold less
    /// than was sold or a product does not fit: then nothing has changed.
    #[must_use]
    pub fn sell(
        &mut self,
        rows: &[TradeId],
        sale: Sale,
        at: Timestamp,
        evidence: &str,
    ) -> Option<Vec<Exit>> {
        let mut parts = Vec::with_capacity(rows.len());
        let mut left = sale.qty;
        for id in rows {
            let position = self.open.get(id)?;
            let part = left.min(position.remaining);
            if part > Qty::ZERO {
                parts.push((*id, part));
                left = left.checked_sub(part)?;
            }
        }
        if left != Qty::ZERO || sale.qty <= Qty::ZERO {
            return None;
        }
        let (mut proceeds_left, mut fee_left) = (sale.proceeds, sale.fee);
        let mut changed = Vec::with_capacity(parts.len());
        let last = parts.len().checked_sub(1)?;
        for (n, (id, part)) in parts.iter().enumerate() {
            let position = self.open.get(id)?;
            let (proceeds, fee) = if n == last {
                (proceeds_left, fee_left)
            } else {
                (
                    part_of(sale.proceeds, *part, sale.qty)?,
                    part_of(sale.fee, *part, sale.qty)?,
                )
            };
            proceeds_left = proceeds_left.checked_sub(proceeds)?;
            fee_left = fee_left.checked_sub(fee)?;
            let part = Sale {
                qty: *part,
                price: sale.price,
                proceeds,
                fee,
            };
            changed.push((*id, exited(position, part)?));
        }
        Some(self.apply(changed, at, TradeStatus::Closed, evidence))
    }

    /// Every row of a market is paid `payout` of its instrument a share. `None` when a payout is
    /// missing or a product does not fit: then nothing has changed.
    #[must_use]
    pub fn settle(
        &mut self,
        market: MarketId,
        payout: impl Fn(InstrumentId) -> Option<Price>,
        at: Timestamp,
        evidence: &str,
    ) -> Option<Vec<Exit>> {
        let mut changed = Vec::new();
        for id in self.by_market.get(&market).into_iter().flatten() {
            let position = self.open.get(id)?;
            let price = payout(position.instrument)?;
            let part = Sale {
                qty: position.remaining,
                price,
                proceeds: price.times(position.remaining, Rounding::Down)?,
                fee: Usd::ZERO,
            };
            changed.push((*id, exited(position, part)?));
        }
        Some(self.apply(changed, at, TradeStatus::Resolved, evidence))
    }

    fn apply(
        &mut self,
        changed: Vec<(TradeId, Change)>,
        at: Timestamp,
        end: TradeStatus,
        evidence: &str,
    ) -> Vec<Exit> {
        let mut exits = Vec::with_capacity(changed.len());
        for (id, change) in changed {
            let position = change.position;
            exits.push(Exit {
                holding: position.holding,
                instrument: position.instrument,
                cost: change.cost,
                proceeds: change.sale.proceeds,
                fee: change.sale.fee,
                invested: position.exited_cost,
                update: position.update(id, at, end, evidence),
            });
            if position.remaining > Qty::ZERO {
                self.put(id, position);
            } else {
                self.take(id);
            }
        }
        exits
    }

    /// Something about an instrument's book or market changed: its rows are marked at the next look.
    pub fn touch(&mut self, instrument: InstrumentId) {
        // Nearly every instrument is held by nobody.
        if self.by_instrument.contains_key(&instrument) {
            self.unmarked.insert(instrument);
        }
    }

    /// Takes note of the bids now. `bid` answers with the best bid of a live book (zero when it has
    /// none) or `None` when there is no live book; then the last bid seen stands. It is asked only for
    /// instruments that were touched since the last time.
    pub fn mark(&mut self, bid: impl Fn(InstrumentId) -> Option<Price>) {
        while let Some(instrument) = self.unmarked.pop_first() {
            let mark = bid(instrument);
            let lots = self.by_instrument.get_mut(&instrument);
            let (Some(_), Some(lots)) = (mark, lots) else {
                continue;
            };
            let mut change = 0;
            for lot in lots.iter_mut().filter(|lot| lot.mark != mark) {
                let marked = lot.marked(mark);
                change += i128::from(marked.worth.0) - i128::from(lot.worth.0);
                *lot = marked;
            }
            self.worth += change;
        }
    }

    /// What everything held is worth, row by row at the lower of cost and marked bid; at cost before
    /// any bid was seen.
    #[must_use]
    pub fn worth(&self) -> Usd {
        usd(self.worth)
    }

    /// What [`Self::worth`] would say after [`Self::mark`] with these bids. Changes nothing.
    #[must_use]
    pub fn worth_at(&self, bid: impl Fn(InstrumentId) -> Option<Price>) -> Usd {
        let change: i128 = self
            .unmarked
            .iter()
            .filter_map(|instrument| Some((self.by_instrument.get(instrument)?, bid(*instrument)?)))
            .flat_map(|(lots, price)| lots.iter().map(move |lot| (lot, price)))
            .map(|(lot, price)| {
                i128::from(lot.marked(Some(price)).worth.0) - i128::from(lot.worth.0)
            })
            .sum();
        usd(self.worth.saturating_add(change))
    }

    /// What is held of every instrument, as it was last marked.
    pub fn held_by_instrument(&self) -> impl Iterator<Item = Held> {
        self.by_instrument.iter().map(|(instrument, lots)| {
            let mut held = Held {
                instrument: *instrument,
                qty: Qty::ZERO,
                cost: Usd::ZERO,
                worth: Usd::ZERO,
            };
            for lot in lots {
                held.qty = Qty(held.qty.0.saturating_add(lot.remaining.0));
                held.cost = Usd(held.cost.0.saturating_add(lot.cost.0));
                held.worth = Usd(held.worth.0.saturating_add(lot.worth.0));
            }
            held
        })
    }

    /// A row that is not marked at the bid although its instrument was looked at since it changed.
    #[must_use]
    pub fn mismarked(&self, bid: impl Fn(InstrumentId) -> Option<Price>) -> Option<TradeId> {
        let looked_at = self.by_instrument.iter();
        let looked_at = looked_at.filter(|(instrument, _)| !self.unmarked.contains(instrument));
        looked_at
            .filter_map(|(instrument, lots)| Some((bid(*instrument)?, lots)))
            .find_map(|(price, lots)| lots.iter().find(|lot| lot.mark != Some(price)))
            .map(|lot| lot.id)
    }

    /// Cost and worth counted anew, row by row; they must equal [`Self::cost`] and [`Self::worth`].
    #[must_use]
    pub fn recount(&self) -> (Usd, Usd) {
        let lots = self.by_instrument.values().flatten();
        let worth = lots
            .filter_map(|lot| Some((lot, self.open.get(&lot.id)?)))
            .map(|(lot, row)| i128::from(Lot::new(lot.id, row, lot.mark).worth.0));
        let cost = self.open.values().map(|row| i128::from(row.cost.0));
        (usd(cost.sum()), usd(worth.sum()))
    }
}

/// A sum as money; one that does not fit is cut to the largest there is.
fn usd(sum: i128) -> Usd {
    Usd(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}

/// A position after an exit, with the exit and what the shares that went had cost.
struct Change {
    position: Position,
    sale: Sale,
    cost: Usd,
}

fn exited(position: &Position, sale: Sale) -> Option<Change> {
    let cost = if sale.qty == position.remaining {
        position.cost
    } else {
        part_of(position.cost, sale.qty, position.remaining)?
    };
    let weight = i128::from(sale.price.0).checked_mul(i128::from(sale.qty.0))?;
    let mut position = position.clone();
    position.remaining = position.remaining.checked_sub(sale.qty)?;
    position.cost = position.cost.checked_sub(cost)?;
    position.fees = position.fees.checked_add(sale.fee)?;
    position.exited = position.exited.checked_add(sale.qty)?;
    position.proceeds = position.proceeds.checked_add(sale.proceeds)?;
    position.exit_weight = position.exit_weight.checked_add(weight)?;
    position.exited_cost = position.exited_cost.checked_add(cost)?;
    Some(Change {
        position,
        sale,
        cost,
    })
}

/// `amount × part / whole`, rounded down.
fn part_of(amount: Usd, part: Qty, whole: Qty) -> Option<Usd> {
    let n = i128::from(amount.0).checked_mul(i128::from(part.0))?;
    i64::try_from(div_round(n, i128::from(whole.0), Rounding::Down)?)
        .ok()
        .map(Usd)
}
