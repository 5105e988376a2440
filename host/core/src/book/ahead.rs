//! The top of a book as it will be, if nothing but these levels comes.
//!
//! Owns a thin layer of changes above a book that it never touches. What it foretells is compared with
//! what happens by whoever acts on it ([`engine::ahead`](crate::engine)): being wrong costs time, not truth.

use super::{Ladder, Level, OrderBook, priced};
use crate::event::{BookSide, LevelChange};
use crate::ids::{InstrumentId, Timestamp};
use crate::strategy::Quote;

/// See the top of the file.
#[derive(Debug, Default)]
pub(crate) struct BookAhead {
    /// Bids, then asks.
    sides: [SideAhead; 2],
    venue_time: Timestamp,
}

/// Changed levels in the order they come; the last of a price counts.
#[derive(Debug, Default)]
struct SideAhead {
    best: Option<Level>,
    changed: Vec<Level>,
}

impl SideAhead {
    /// Sets a level's absolute size; says whether the best price or its size is another one.
    fn set(&mut self, below: &Ladder, key: u32, qty: i64) -> bool {
        let best = self.best;
        let at_best = best.is_none_or(|best| key >= best.key);
        let gone = at_best && best.is_none_or(|best| key > best.key);
        if at_best && qty == 0 && gone {
            return false;
        }
        if best.is_some_and(|best| best.key == key && best.qty == qty) {
            return false;
        }
        self.changed.push(Level { key, qty });
        if !at_best {
            return false;
        }
        self.best = if qty == 0 {
            self.next(below, key)
        } else {
            Some(Level { key, qty })
        };
        true
    }

    /// The best level below that price.
    fn next(&self, below: &Ladder, key: u32) -> Option<Level> {
        let mut best: Option<Level> = None;
        for (n, level) in self.changed.iter().enumerate() {
            let later = self.changed.iter().skip(n + 1);
            let better = best.is_none_or(|best| level.key > best.key);
            if level.key < key
                && level.qty > 0
                && better
                && !later.clone().any(|l| l.key == level.key)
            {
                best = Some(*level);
            }
        }
        let untouched = |level: &&Level| {
            level.key < key && !self.changed.iter().any(|changed| changed.key == level.key)
        };
        let kept = below.0.iter().rev().find(untouched).copied();
        match (best, kept) {
            (Some(a), Some(b)) if b.key > a.key => Some(b),
            (None, kept) => kept,
            (best, _) => best,
        }
    }
}

impl BookAhead {
    /// Starts from a book as it stands.
    pub(crate) fn begin(&mut self, book: &OrderBook) {
        for (side, ladder) in self.sides.iter_mut().zip(&book.sides) {
            side.best = ladder.best();
            side.changed.clear();
        }
        self.venue_time = book.venue_time;
    }

    /// Lets one level change; says whether the best price or its size is another one.
    pub(crate) fn apply(&mut self, book: &OrderBook, level: &LevelChange) -> bool {
        if !book.is_live() || level.venue_time < self.venue_time {
            return false;
        }
        let Ok(key) = book.read_level(level.side, level.price, level.qty) else {
            return false;
        };
        self.venue_time = level.venue_time;
        let [bids, asks] = &mut self.sides;
        let side = match level.side {
            BookSide::Bid => bids,
            BookSide::Ask => asks,
        };
        side.set(book.ladder(level.side), key, level.qty.0)
    }

    /// The top, as strategies are told it.
    pub(crate) fn quote(&self, instrument: InstrumentId) -> Quote {
        let [bids, asks] = &self.sides;
        Quote {
            instrument,
            bid: bids.best.map(|level| priced(BookSide::Bid, level)),
            ask: asks.best.map(|level| priced(BookSide::Ask, level)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BookSnapshot;
    use crate::units::{Price, Qty};

    /// The same levels on the book and ahead of it: tops and the word "changed" agree at every step.
    #[test]
    fn what_is_foretold_is_what_the_book_will_be() {
        let mut seed = 7_u64;
        let mut draw = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let instrument = InstrumentId(3);
        for round in 0..200 {
            let mut book = OrderBook::new(Price(10_000));
            let levels = |from: i64| {
                (0..4)
                    .map(|n| (Price((from + n) * 10_000), Qty(5)))
                    .collect()
            };
            let snapshot = BookSnapshot {
                instrument,
                bids: levels(40),
                asks: levels(50),
                venue_time: Timestamp(1),
                more: false,
            };
            book.apply_snapshot(&snapshot, Timestamp(1)).unwrap();
            let changes: Vec<LevelChange> = (0..64)
                .map(|_| LevelChange {
                    instrument,
                    side: if draw(2) == 0 {
                        BookSide::Bid
                    } else {
                        BookSide::Ask
                    },
                    more: false,
                    // Off the grid, out of range and out of order now and then.
                    price: Price((38 + draw(18) as i64) * 10_000 + i64::from(draw(40) == 0)),
                    qty: Qty(draw(4) as i64 - i64::from(draw(50) == 0)),
                    venue_time: Timestamp(1 + u64::from(draw(30) != 0)),
                })
                .collect();
            let mut ahead = BookAhead::default();
            ahead.begin(&book);
            let foretold: Vec<_> = changes
                .iter()
                .map(|level| (ahead.apply(&book, level), ahead.quote(instrument)))
                .collect();
            for (level, (changed, quote)) in changes.iter().zip(foretold) {
                let became = book.apply_level(level, Timestamp(2));
                assert_eq!(
                    changed,
                    became.is_ok_and(|c| c.best_changed),
                    "{round}: {level:?}"
                );
                assert_eq!(quote, book.quote(instrument), "{round}: {level:?}");
            }
        }
    }
}
