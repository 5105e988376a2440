//! The top of a book as it will be, if nothing but these levels comes.
//!
//! Owns a copy of the best levels of a book that it never touches. What it foretells is compared with
//! what happens by whoever acts on it ([`engine::ahead`](crate::engine)): being wrong costs time, not truth.

use super::{Ladder, OrderBook, priced, read_level};
use crate::event::{BookSide, LevelChange};
use crate::ids::{InstrumentId, Timestamp};
use crate::strategy::Quote;

/// Best levels of a side that are copied. When all of them are gone nothing more can be foretold.
const DEPTH: usize = 16;

/// See the top of the file.
#[derive(Debug, Default)]
pub(crate) struct BookAhead {
    /// Bids, then asks.
    sides: [SideAhead; 2],
    tick: u32,
    is_live: bool,
    venue_time: Timestamp,
}

/// The levels of one side from `floor` on. Of those below it nothing is known.
#[derive(Debug, Default)]
struct SideAhead {
    known: Ladder,
    floor: u32,
}

impl SideAhead {
    fn begin(&mut self, whole: &Ladder) {
        let (below, top) = whole.0.split_at(whole.0.len().saturating_sub(DEPTH));
        self.known.0.clear();
        self.known.0.extend_from_slice(top);
        self.floor = match (below, top) {
            ([_, ..], [lowest, ..]) => lowest.key,
            _ => 0,
        };
    }

    /// Sets a level's absolute size; says whether the best price or its size is another one, if it can.
    fn set(&mut self, key: u32, qty: i64) -> Option<bool> {
        if key < self.floor {
            return Some(false);
        }
        let change = self.known.set(key, qty).unwrap_or_default();
        (self.floor == 0 || !self.known.0.is_empty()).then_some(change.best_changed)
    }
}

impl BookAhead {
    /// Starts from a book as it stands.
    pub(crate) fn begin(&mut self, book: &OrderBook) {
        for (side, ladder) in self.sides.iter_mut().zip(&book.sides) {
            side.begin(ladder);
        }
        self.tick = book.tick;
        self.is_live = book.is_live();
        self.venue_time = book.venue_time;
    }

    /// Lets one level change; says whether the best price or its size is another one. `None` when the best
    /// lies deeper than is known here: the row that is foretold ends before that level.
    pub(crate) fn apply(&mut self, level: &LevelChange) -> Option<bool> {
        if !self.is_live || level.venue_time < self.venue_time {
            return Some(false);
        }
        let Ok(key) = read_level(self.tick, level.side, level.price, level.qty) else {
            return Some(false);
        };
        self.venue_time = level.venue_time;
        let [bids, asks] = &mut self.sides;
        let side = match level.side {
            BookSide::Bid => bids,
            BookSide::Ask => asks,
        };
        side.set(key, level.qty.0)
    }

    /// The top, as strategies are told it.
    pub(crate) fn quote(&self, instrument: InstrumentId) -> Quote {
        let [bids, asks] = &self.sides;
        let best = |side, of: &SideAhead| of.known.best().map(|level| priced(side, level));
        Quote {
            instrument,
            bid: best(BookSide::Bid, bids),
            ask: best(BookSide::Ask, asks),
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
        let mut ended = 0;
        for round in 0..200 {
            // In some rounds most changes are removals, so that a side is used up.
            let (sizes, count) = if round % 4 == 1 { (1, 600) } else { (4, 64) };
            let mut book = OrderBook::new(Price(10_000));
            // Shallow books, and some deeper than what is copied.
            let deep = if round % 2 == 0 { 4 } else { 24 };
            let levels = |from: i64| {
                (0..deep)
                    .map(|n| (Price((from + n) * 10_000), Qty(5)))
                    .collect()
            };
            let snapshot = BookSnapshot {
                instrument,
                bids: levels(44 - deep),
                asks: levels(50),
                venue_time: Timestamp(1),
                more: false,
            };
            book.apply_snapshot(&snapshot, Timestamp(1)).unwrap();
            let changes: Vec<LevelChange> = (0..count)
                .map(|_| LevelChange {
                    instrument,
                    side: if draw(2) == 0 {
                        BookSide::Bid
                    } else {
                        BookSide::Ask
                    },
                    more: false,
                    // Off the grid, out of range and out of order now and then.
                    price: Price((28 + draw(38) as i64) * 10_000 + i64::from(draw(40) == 0)),
                    qty: Qty(draw(sizes) as i64 - i64::from(draw(50) == 0)),
                    venue_time: Timestamp(1 + u64::from(draw(30) != 0)),
                })
                .collect();
            let mut ahead = BookAhead::default();
            ahead.begin(&book);
            let foretold: Vec<_> = changes
                .iter()
                .map_while(|level| Some((ahead.apply(level)?, ahead.quote(instrument))))
                .collect();
            ended += usize::from(foretold.len() < changes.len());
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
        assert!(
            (1..100).contains(&ended),
            "{ended} rows end where nothing is known"
        );
    }
}
