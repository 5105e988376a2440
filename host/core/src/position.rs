//! What is held: one position for each filled leg, sold first in, first out.
//!
//! Owns the open rows and their cost. It books no money (the ledger does, in the same step) and
//! decides nothing. Equity is marked here, at the lower of cost and bid.

use crate::effect::{TradeStatus, TradeUpdate};
use crate::ids::{InstrumentId, MarketId, StrategyId, Timestamp, TradeId};
use crate::ledger::Holding;
use crate::units::{Price, Qty, Rounding, Usd, div_round};
use std::collections::BTreeMap;

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
    /// The bid when positions were last marked; zero when there was none, `None` before the first time.
    pub mark: Option<Price>,
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

/// Every open row, in order of its id.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    open: BTreeMap<TradeId, Position>,
}

impl Positions {
    /// A leg was bought.
    pub fn open(&mut self, id: TradeId, position: Position) {
        self.open.insert(id, position);
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
            .open
            .values()
            .filter(|p| p.holding.strategy == strategy && p.instrument == instrument)
            .fold(0_i64, |sum, p| sum.saturating_add(p.remaining.0));
        Qty(held)
    }

    /// Whether anybody holds anything of a market.
    #[must_use]
    pub fn any_in(&self, market: MarketId) -> bool {
        self.open.values().any(|p| p.holding.market == market)
    }

    /// Cost of everything held. Equals the ledger's locked money at all times.
    #[must_use]
    pub fn cost(&self) -> Usd {
        Usd(self
            .open
            .values()
            .fold(0_i64, |sum, p| sum.saturating_add(p.cost.0)))
    }

    /// The rows of a strategy in one instrument, oldest first.
    #[must_use]
    pub fn rows_of(&self, strategy: StrategyId, instrument: InstrumentId) -> Vec<TradeId> {
        self.open
            .iter()
            .filter(|(_, p)| p.holding.strategy == strategy && p.instrument == instrument)
            .map(|(id, _)| *id)
            .collect()
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
        for (id, position) in &self.open {
            if position.holding.market == market {
                let price = payout(position.instrument)?;
                let part = Sale {
                    qty: position.remaining,
                    price,
                    proceeds: price.times(position.remaining, Rounding::Down)?,
                    fee: Usd::ZERO,
                };
                changed.push((*id, exited(position, part)?));
            }
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
                self.open.insert(id, position);
            } else {
                self.open.remove(&id);
            }
        }
        exits
    }

    /// Takes note of the bids now. `bid` answers with the best bid of a live book (zero when it has
    /// none) or `None` when there is no live book; then the last bid seen stands.
    pub fn mark(&mut self, bid: impl Fn(InstrumentId) -> Option<Price>) {
        for position in self.open.values_mut() {
            if let Some(price) = bid(position.instrument) {
                position.mark = Some(price);
            }
        }
    }

    /// What everything held is worth, row by row at the lower of cost and marked bid; at cost before
    /// any bid was seen.
    #[must_use]
    pub fn worth(&self) -> Usd {
        let worth = self.open.values().fold(0_i64, |sum, position| {
            let value = position
                .mark
                .and_then(|price| price.times(position.remaining, Rounding::Down))
                .map_or(position.cost, |value| value.min(position.cost));
            sum.saturating_add(value.0)
        });
        Usd(worth)
    }
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
