//! What most strategies keep between events: trading grids, exposure, opportunities already taken.
//!
//! Each is bounded, and each that must survive a swap writes itself into a snapshot.

use crate::state::{self, Writer};
use crate::{Event, EventId, Opportunity, Qty, Rounding, Usd};
use std::collections::{BTreeMap, BTreeSet};

/// Opportunities remembered as taken; the oldest is forgotten first.
pub const TAKEN_MAX: usize = 4_096;

/// Lot and smallest order of the open markets. Needs the topic `markets`; the host lists the open
/// ones again after every load, so it is no part of a snapshot.
#[derive(Debug, Default)]
pub struct Grids(BTreeMap<u32, (i64, i64)>);

impl Grids {
    /// Learns from an event.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::MarketListed(market) => {
                self.0.insert(market.id, (market.lot, market.min_qty));
            }
            Event::MarketClosed(market) => {
                self.0.remove(market);
            }
            _ => {}
        }
    }

    /// The same as [`fit`](Self::fit), with its unit.
    #[must_use]
    pub fn size(&self, opportunity: &Opportunity, qty: Qty) -> Option<Qty> {
        self.fit(opportunity, qty.0).map(Qty)
    }

    /// The most shares, no more than `qty`, that every leg's market takes; `None` when one takes
    /// none of that or is not known to be open.
    #[must_use]
    pub fn fit(&self, opportunity: &Opportunity, qty: i64) -> Option<i64> {
        let (mut lot, mut min) = (1, 1);
        for leg in &opportunity.legs {
            let (leg_lot, leg_min) = *self.0.get(&leg.market)?;
            lot = common_multiple(lot, leg_lot.max(1))?;
            min = min.max(leg_min);
        }
        let qty = crate::money::to_lot(qty, lot);
        (qty >= min).then_some(qty)
    }
}

/// What a basket of outcomes that surely pay together costs with its fees, and what it pays: whole
/// dollars whatever happens, one, or for NO of n exclusive markets n − 1. `None` for a single leg and
/// for a basket that costs nothing.
#[must_use]
pub fn cost_and_payoff(seen: &Opportunity) -> Option<(i64, i64)> {
    use crate::money::ONE;
    let cost = seen.legs.iter().try_fold(0_i64, |sum, leg| {
        sum.checked_add(leg.price)?.checked_add(leg.fee)
    })?;
    let pays = cost.checked_add(seen.edge)? / ONE * ONE;
    let most = i64::try_from(seen.legs.len().checked_sub(1)?)
        .ok()?
        .checked_mul(ONE)?;
    let pays = pays.min(most);
    (cost > 0 && pays > 0).then_some((cost, pays))
}

/// The least size that is a whole number of both lots.
#[must_use]
pub fn common_multiple(a: i64, b: i64) -> Option<i64> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).checked_mul(b)
}

/// Opportunities already acted on: one entry each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken(BTreeSet<(u64, u16)>);

impl Taken {
    /// Whether it was acted on.
    #[must_use]
    pub fn contains(&self, id: EventId) -> bool {
        self.0.contains(&(id.seq, id.n))
    }

    /// Remembers it.
    pub fn insert(&mut self, id: EventId) {
        self.0.insert((id.seq, id.n));
        while self.0.len() > TAKEN_MAX {
            self.0.pop_first();
        }
    }

    /// Writes `taken SEQ N` lines.
    pub fn write(&self, out: &mut Writer) {
        for (seq, n) in &self.0 {
            out.line(format_args!("taken {seq} {n}"));
        }
    }

    /// Reads the words after `taken`.
    pub fn read(&mut self, seq: &str, n: &str) -> Result<(), String> {
        let (seq, n) = (state::number(seq)?, state::number(n)?);
        self.insert(EventId { seq, n });
        Ok(())
    }
}

/// What the positions of each instrument cost, until they are sold or settled.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exposure(BTreeMap<u32, Position>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Position {
    qty: i64,
    cost: i64,
}

impl Exposure {
    /// Learns from our fills and settlements.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Filled(fill) => {
                let held = self.0.entry(fill.instrument).or_default();
                let paid = fill.price().times(fill.qty(), Rounding::Up);
                let paid = paid.and_then(|cost| cost.checked_add(fill.fee()));
                let Usd(paid) = paid.unwrap_or(Usd(i64::MAX));
                if fill.bought {
                    held.qty = held.qty.saturating_add(fill.qty);
                    held.cost = held.cost.saturating_add(paid);
                } else if fill.qty >= held.qty {
                    self.0.remove(&fill.instrument);
                } else {
                    let left = i128::from(held.qty - fill.qty);
                    // Fits: it is less than the cost it is a share of.
                    held.cost = (i128::from(held.cost) * left / i128::from(held.qty)) as i64;
                    held.qty -= fill.qty;
                }
            }
            Event::Settled(settlement) => {
                self.0.remove(&settlement.instrument);
            }
            _ => {}
        }
    }

    /// Cost of what is held of an instrument, fees included.
    #[must_use]
    pub fn cost(&self, instrument: u32) -> i64 {
        self.0.get(&instrument).map_or(0, |held| held.cost)
    }

    /// Shares held of an instrument.
    #[must_use]
    pub fn qty(&self, instrument: u32) -> i64 {
        self.0.get(&instrument).map_or(0, |held| held.qty)
    }

    /// What a share of it cost on average, fees included, rounded up; `None` when nothing is held.
    #[must_use]
    pub fn cost_of_share(&self, instrument: u32) -> Option<i64> {
        let held = self.0.get(&instrument)?;
        crate::money::over_up(held.cost, held.qty)
    }

    /// Cost of everything held.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0
            .values()
            .fold(0, |sum, held| sum.saturating_add(held.cost))
    }

    /// What is held, by instrument.
    pub fn instruments(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.keys().copied()
    }

    /// Writes `held INSTRUMENT QTY COST` lines.
    pub fn write(&self, out: &mut Writer) {
        for (instrument, Position { qty, cost }) in &self.0 {
            out.line(format_args!("held {instrument} {qty} {cost}"));
        }
    }

    /// Reads the words after `held`.
    pub fn read(&mut self, instrument: &str, qty: &str, cost: &str) -> Result<(), String> {
        let held = Position {
            qty: state::number(qty)?,
            cost: state::number(cost)?,
        };
        self.0.insert(state::number(instrument)?, held);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{fill, listed, opportunity};
    use crate::{OpportunityKind, Settlement};

    #[test]
    fn sizes_fit_every_leg_or_none() {
        let mut grids = Grids::default();
        let two = opportunity(
            1,
            OpportunityKind::CrossPlatform,
            &[(400_000, None), (500_000, None)],
        );
        assert_eq!(grids.fit(&two, 9_000_000), None, "no market is known");
        grids.hear(&Event::MarketListed(listed(0, 10_000, 5_000_000)));
        grids.hear(&Event::MarketListed(listed(1, 1_000_000, 1_000_000)));
        assert_eq!(grids.fit(&two, 9_990_000), Some(9_000_000));
        assert_eq!(grids.fit(&two, 4_990_000), None, "below the larger minimum");
        grids.hear(&Event::MarketClosed(1));
        assert_eq!(grids.fit(&two, 9_990_000), None, "closed");
    }

    #[test]
    fn exposure_follows_fills_and_settlements() {
        let mut exposure = Exposure::default();
        exposure.hear(&Event::Filled(fill(7, true, 10_000_000, 400_000, 50_000)));
        assert_eq!(exposure.cost(7), 4_050_000);
        assert_eq!((exposure.qty(7), exposure.total()), (10_000_000, 4_050_000));
        assert_eq!(exposure.cost_of_share(7), Some(405_000));
        exposure.hear(&Event::Filled(fill(7, false, 5_000_000, 600_000, 0)));
        assert_eq!(exposure.cost(7), 2_025_000);
        exposure.hear(&Event::Settled(Settlement {
            market: 3,
            instrument: 7,
            payout: 1_000_000,
            pnl: 1,
        }));
        assert_eq!(exposure.cost(7), 0);
    }

    #[test]
    fn what_was_taken_is_bounded_and_forgets_the_oldest() {
        let mut taken = Taken::default();
        for seq in 0..=TAKEN_MAX as u64 {
            taken.insert(EventId { seq, n: 0 });
        }
        assert!(!taken.contains(EventId { seq: 0, n: 0 }));
        assert!(taken.contains(EventId {
            seq: TAKEN_MAX as u64,
            n: 0
        }));
    }
}
