//! Where an order of ours stands in the queue of its level, and which trades of others reach it.
//!
//! The venue knows nothing of our orders, so a place is an estimate from what it shows: the shares in
//! front of us when we come to rest, eaten by the trades printed since. Wherever the feed leaves a
//! choice, the one that fills us later is taken; docs/honest-paper.md, "Resting orders", lists them.
//!
//! It owns one order's place and the gate that prints pass. It moves no money and sees no orders.

use crate::event::{BookSide, Print};
use crate::ids::{MarketId, Nanos, Timestamp};
use crate::market::MarketSpec;
use crate::reason::Reason;
use crate::units::{Price, Qty};
use std::collections::BTreeMap;

/// A trade shrinks its level and is printed, in either order, within this time: a shrinking that was
/// followed by no print within it was a cancellation.
pub const PRINT_LAG_MAX: Nanos = Nanos::from_ms(1_000);
/// A print stamped this much before the newest one of its market comes too late to be believed.
pub const PRINT_DISORDER_MAX: Nanos = Nanos::from_ms(1_000);
/// Shrinkings of one level that wait for their prints; one more is counted with the newest.
const SHRINKINGS_MAX: usize = 64;

/// A trade as an instrument sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Whose orders were hit: those who sell when the taker bought.
    pub hit: BookSide,
    /// The venue's stamp.
    pub venue_time: Timestamp,
}

impl Trade {
    /// As the printed instrument sees it.
    #[must_use]
    pub fn of(print: &Print) -> Self {
        Self {
            price: print.price,
            qty: print.qty,
            hit: if print.taker_bought {
                BookSide::Ask
            } else {
                BookSide::Bid
            },
            venue_time: print.venue_time,
        }
    }

    /// The same trade as the other outcome sees it: two outcomes show one book.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self {
            price: self.price.complement(),
            hit: match self.hit {
                BookSide::Bid => BookSide::Ask,
                BookSide::Ask => BookSide::Bid,
            },
            ..self
        }
    }
}

/// Where one order stands.
#[derive(Debug, Clone)]
pub struct Place {
    side: BookSide,
    limit: Price,
    /// Shares shown at our price when we came, not yet gone; `None` while the book is unknown.
    ahead: Option<Qty>,
    /// What shrinkings of the level took from `ahead` and no print has explained yet, oldest first.
    shrunk: Vec<(Timestamp, Qty)>,
    /// The venue's stamp of the book we came to rest on: trades up to it were before us.
    since: Timestamp,
}

impl Place {
    /// At the back of the level as it is shown now.
    #[must_use]
    pub fn behind(side: BookSide, limit: Price, shown: Qty, since: Timestamp) -> Self {
        Self {
            side,
            limit,
            ahead: Some(shown),
            shrunk: Vec::new(),
            since,
        }
    }

    /// Shares in front of us; `None` while the book is unknown.
    #[must_use]
    pub fn ahead(&self) -> Option<Qty> {
        self.ahead
    }

    /// Which side of the book it is on, and at which price.
    #[must_use]
    pub fn level(&self) -> (BookSide, Price) {
        (self.side, self.limit)
    }

    /// Our level shows that much. No more than what is shown can be in front of us; what comes on top
    /// comes behind us. A place that was lost is at the back of what is shown.
    pub fn shown(&mut self, qty: Qty, at: Timestamp) {
        let Some(ahead) = self.ahead else {
            self.ahead = Some(qty);
            return;
        };
        if qty >= ahead {
            return;
        }
        let gone = Qty(ahead.0.saturating_sub(qty.0));
        self.ahead = Some(qty);
        if self.shrunk.len() < SHRINKINGS_MAX {
            self.shrunk.push((at, gone));
        } else if let Some(newest) = self.shrunk.last_mut() {
            *newest = (at, Qty(newest.1.0.saturating_add(gone.0)));
        }
    }

    /// The book is no longer known, and with it our place.
    pub fn lost(&mut self) {
        self.ahead = None;
        self.shrunk.clear();
    }

    /// How much of a trade got as far as us. A trade at our price first explains what has already
    /// left the level, then eats what stands in front; one at a worse price passed our level, so we
    /// had the first right to all of it.
    pub fn reached(&mut self, trade: &Trade, at: Timestamp) -> Qty {
        if trade.hit != self.side || trade.venue_time <= self.since {
            return Qty::ZERO;
        }
        let through = match self.side {
            BookSide::Bid => trade.price < self.limit,
            BookSide::Ask => trade.price > self.limit,
        };
        if through {
            return trade.qty;
        }
        if trade.price != self.limit {
            return Qty::ZERO;
        }
        let Some(ahead) = self.ahead else {
            return Qty::ZERO;
        };
        let left = self.explain(trade.qty, at);
        let eaten = left.min(ahead);
        self.ahead = Some(Qty(ahead.0.saturating_sub(eaten.0)));
        Qty(left.0.saturating_sub(eaten.0))
    }

    /// Sets a trade off against shrinkings that it may have caused; what is left of it.
    fn explain(&mut self, traded: Qty, at: Timestamp) -> Qty {
        self.shrunk
            .retain(|(seen, _)| at.since(*seen) <= PRINT_LAG_MAX);
        let mut left = traded;
        for (_, gone) in &mut self.shrunk {
            let part = left.min(*gone);
            *gone = Qty(gone.0.saturating_sub(part.0));
            left = Qty(left.0.saturating_sub(part.0));
        }
        self.shrunk.retain(|(_, gone)| *gone > Qty::ZERO);
        left
    }
}

/// Lets each trade pass once, and none that comes too late.
#[derive(Debug, Clone, Default)]
pub struct PrintGate {
    /// The last print of each market as its first outcome sees it, and the newest stamp.
    last: BTreeMap<MarketId, (Trade, Timestamp)>,
}

impl PrintGate {
    /// The print as a trade of its instrument, or why it feeds no queue. Two prints in a row of one
    /// stamp, price, size and side are taken for one trade: real twins are rare, resent ones are not.
    pub fn admit(&mut self, print: &Print, spec: &MarketSpec) -> Result<Trade, Reason> {
        if !print.price.is_tradable() || print.qty <= Qty::ZERO {
            return Err(Reason::MalformedFrame);
        }
        let trade = Trade::of(print);
        let first = spec.outcomes.first().map(|outcome| outcome.instrument);
        let key = if spec.outcomes.len() == 2 && first != Some(print.instrument) {
            trade.mirrored()
        } else {
            trade
        };
        let Some((last, newest)) = self.last.get_mut(&spec.id) else {
            self.last.insert(spec.id, (key, key.venue_time));
            return Ok(trade);
        };
        if *last == key {
            return Err(Reason::DuplicatePrint);
        }
        if newest.since(trade.venue_time) > PRINT_DISORDER_MAX {
            return Err(Reason::LatePrint);
        }
        *last = key;
        *newest = (*newest).max(trade.venue_time);
        Ok(trade)
    }

    /// A market is over.
    pub fn forget(&mut self, market: MarketId) {
        self.last.remove(&market);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(ahead: i64) -> Place {
        Place::behind(BookSide::Bid, Price(480_000), Qty(ahead), Timestamp(0))
    }

    fn sold(price: i64, qty: i64) -> Trade {
        Trade {
            price: Price(price),
            qty: Qty(qty),
            hit: BookSide::Bid,
            venue_time: Timestamp(1),
        }
    }

    #[test]
    fn trades_eat_the_queue_and_then_reach_us() {
        let mut place = place(100);
        for (trade, reached, ahead) in [
            (sold(480_000, 60), 0, 40),
            (sold(490_000, 500), 0, 40),
            (sold(480_000, 55), 15, 0),
            (sold(480_000, 7), 7, 0),
            (sold(470_000, 9), 9, 0),
        ] {
            assert_eq!(place.reached(&trade, Timestamp(1)), Qty(reached));
            assert_eq!(place.ahead(), Some(Qty(ahead)));
        }
        let bought = Trade {
            hit: BookSide::Ask,
            ..sold(480_000, 50)
        };
        assert_eq!(place.reached(&bought, Timestamp(1)), Qty(0));
    }

    #[test]
    fn a_trade_seen_in_the_book_before_its_print_counts_once() {
        // 100 in front and nobody behind: a trade of 30 shrinks the level, then prints.
        let mut place = place(100);
        place.shown(Qty(70), Timestamp::from_ms(10));
        assert_eq!(
            place.reached(&sold(480_000, 30), Timestamp::from_ms(14)),
            Qty(0)
        );
        assert_eq!(place.ahead(), Some(Qty(70)));
        // The other way round it comes to the same.
        assert_eq!(
            place.reached(&sold(480_000, 30), Timestamp::from_ms(20)),
            Qty(0)
        );
        place.shown(Qty(40), Timestamp::from_ms(24));
        assert_eq!(place.ahead(), Some(Qty(40)));
        // 10 joined behind us; a trade of all 50 is 10 for us.
        place.shown(Qty(50), Timestamp::from_ms(30));
        place.shown(Qty(0), Timestamp::from_ms(40));
        assert_eq!(
            place.reached(&sold(480_000, 50), Timestamp::from_ms(44)),
            Qty(10)
        );
    }

    #[test]
    fn a_shrinking_without_a_print_was_a_cancellation_in_front_only_where_it_must_be() {
        let mut place = place(100);
        place.shown(Qty(250), Timestamp::from_ms(1));
        place.shown(Qty(120), Timestamp::from_ms(2));
        assert_eq!(place.ahead(), Some(Qty(100)), "they left behind us");
        place.shown(Qty(20), Timestamp::from_ms(3));
        assert_eq!(place.ahead(), Some(Qty(20)));
        // Long after: the trade of 25 is another one.
        assert_eq!(
            place.reached(&sold(480_000, 25), Timestamp::from_ms(1_500)),
            Qty(5)
        );
    }

    #[test]
    fn a_lost_place_is_the_last_one_and_the_past_is_not_ours() {
        let mut place = place(100);
        place.lost();
        assert_eq!(place.reached(&sold(480_000, 500), Timestamp(5)), Qty(0));
        assert_eq!(place.reached(&sold(470_000, 5), Timestamp(5)), Qty(5));
        place.shown(Qty(30), Timestamp(6));
        assert_eq!(place.ahead(), Some(Qty(30)));

        let mut place = Place::behind(BookSide::Ask, Price(520_000), Qty(0), Timestamp(7));
        let trade = |venue_time| Trade {
            price: Price(520_000),
            qty: Qty(4),
            hit: BookSide::Ask,
            venue_time: Timestamp(venue_time),
        };
        assert_eq!(place.reached(&trade(7), Timestamp(9)), Qty(0));
        assert_eq!(place.reached(&trade(8), Timestamp(9)), Qty(4));
    }
}
