//! What is known of the open markets: grids, fees, ends, and which outcomes belong together.
//!
//! Needs the topic `markets`. The host lists the open ones again after every load, so none of it is part
//! of a snapshot.

use crate::keep::common_multiple;
use crate::money::{fee_of_share, tick_down, to_lot};
use crate::{Event, FeeSchedule, Market, Timestamp};
use std::collections::BTreeMap;

/// Markets known at once; one more is not learnt, and so not traded.
pub const MARKETS_MAX: usize = 8_192;

/// What an order in a market must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its number.
    pub market: u32,
    /// Grid of its prices.
    pub tick: i64,
    /// Grid of its sizes.
    pub lot: i64,
    /// Its smallest order.
    pub min_qty: i64,
    /// What a taker pays.
    pub fee: FeeSchedule,
    /// What an order that rested pays.
    pub maker_fee: FeeSchedule,
    /// When it ends.
    pub closes_at: Timestamp,
    /// The feed that decides it.
    pub oracle: Option<u32>,
    /// Its outcomes' instruments; the first is YES.
    pub outcomes: Vec<u32>,
}

impl Terms {
    /// What a share taken at that price costs with its fee; `None` when the fee is not known.
    #[must_use]
    pub fn taken_at(&self, price: i64) -> Option<i64> {
        price.checked_add(fee(&self.fee, price)?)
    }

    /// What a share costs that a resting order buys at that price.
    #[must_use]
    pub fn made_at(&self, price: i64) -> Option<i64> {
        price.checked_add(fee(&self.maker_fee, price)?)
    }

    /// What a share brings that is sold to a bid at that price, less its fee.
    #[must_use]
    pub fn sold_at(&self, price: i64) -> Option<i64> {
        price.checked_sub(fee(&self.fee, price)?)
    }

    /// The most shares, no more than `qty`, that it takes in one order.
    #[must_use]
    pub fn fit(&self, qty: i64) -> Option<i64> {
        let qty = to_lot(qty, self.lot);
        (qty > 0 && qty >= self.min_qty).then_some(qty)
    }

    /// The limit of a sale that takes bids down to `slack` below `bid`: on the grid, and above zero.
    #[must_use]
    pub fn sale_limit(&self, bid: i64, slack: i64) -> i64 {
        tick_down(bid.saturating_sub(slack), self.tick).max(self.tick)
    }

    /// Seconds until the end, in millionths; zero afterwards.
    #[must_use]
    pub fn seconds_left(&self, now: Timestamp) -> i64 {
        i64::try_from(self.closes_at.saturating_sub(now) / 1_000).unwrap_or(i64::MAX)
    }
}

/// What a share at that price bears; `None` for a schedule that only the host knows.
fn fee(schedule: &FeeSchedule, price: i64) -> Option<i64> {
    match schedule {
        FeeSchedule::Free => Some(0),
        FeeSchedule::Quadratic(rate) => fee_of_share(*rate, price),
        FeeSchedule::Other => None,
    }
}

/// The open markets.
#[derive(Debug, Default)]
pub struct Markets {
    by_id: BTreeMap<u32, Terms>,
    of: BTreeMap<u32, u32>,
}

impl Markets {
    /// Learns from an event.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::MarketListed(market) => self.list(market),
            Event::MarketClosed(market) => {
                let closed = self.by_id.remove(market);
                for instrument in closed.into_iter().flat_map(|terms| terms.outcomes) {
                    self.of.remove(&instrument);
                }
            }
            _ => {}
        }
    }

    fn list(&mut self, market: &Market) {
        if self.by_id.len() >= MARKETS_MAX && !self.by_id.contains_key(&market.id) {
            return;
        }
        let outcomes: Vec<u32> = market.outcomes.iter().map(|o| o.instrument).collect();
        for instrument in &outcomes {
            self.of.insert(*instrument, market.id);
        }
        let terms = Terms {
            market: market.id,
            tick: market.tick,
            lot: market.lot,
            min_qty: market.min_qty,
            fee: market.fee,
            maker_fee: market.maker_fee,
            closes_at: market.closes_at,
            oracle: market.oracle,
            outcomes,
        };
        self.by_id.insert(market.id, terms);
    }

    /// An open market.
    #[must_use]
    pub fn get(&self, market: u32) -> Option<&Terms> {
        self.by_id.get(&market)
    }

    /// The most shares, no more than `qty`, that every one of these takes; `None` when one takes none of
    /// that or is not open.
    #[must_use]
    pub fn fit(&self, instruments: &[u32], qty: i64) -> Option<i64> {
        let (mut lot, mut min) = (1, 1);
        for instrument in instruments {
            let terms = self.of(*instrument)?;
            lot = common_multiple(lot, terms.lot.max(1))?;
            min = min.max(terms.min_qty);
        }
        let qty = to_lot(qty, lot);
        (qty >= min).then_some(qty)
    }

    /// The open market of an instrument.
    #[must_use]
    pub fn of(&self, instrument: u32) -> Option<&Terms> {
        self.by_id.get(self.of.get(&instrument)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::ONE;
    use crate::testing::market;

    #[test]
    fn terms_are_known_while_the_market_is_open() {
        let mut markets = Markets::default();
        let mut listed = market(3);
        listed.fee = FeeSchedule::Quadratic(70_000);
        markets.hear(&Event::MarketListed(listed));
        let terms = markets.of(7).expect("the second outcome of market 3");
        assert_eq!((terms.market, terms.outcomes.as_slice()), (3, &[6, 7][..]));
        assert_eq!(terms.taken_at(500_000), Some(517_500));
        assert_eq!(terms.made_at(500_000), Some(500_000));
        assert_eq!(terms.sold_at(500_000), Some(482_500));
        assert_eq!(terms.fit(7_654_321), Some(7_650_000));
        assert_eq!(terms.fit(4_999_999), None, "below the minimum");
        assert_eq!(markets.fit(&[6, 7], 7_654_321), Some(7_650_000));
        assert_eq!(
            markets.fit(&[6, 8], 7_654_321),
            None,
            "market 4 is not listed"
        );
        assert_eq!(terms.sale_limit(485_000, 10_000), 470_000);
        assert_eq!(terms.sale_limit(10_000, 50_000), 10_000);
        assert_eq!(
            terms.seconds_left(terms.closes_at - 1_500_000_000),
            3 * ONE / 2
        );
        markets.hear(&Event::MarketClosed(3));
        assert!(markets.of(7).is_none() && markets.get(3).is_none());
    }

    #[test]
    fn a_fee_that_is_not_known_is_no_fee_of_zero() {
        let mut markets = Markets::default();
        let mut listed = market(0);
        listed.fee = FeeSchedule::Other;
        markets.hear(&Event::MarketListed(listed));
        assert_eq!(markets.of(0).and_then(|t| t.taken_at(500_000)), None);
    }
}
