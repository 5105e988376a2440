//! The scanner's way through a frame: level changes and books in the form the venue usually sends.
//!
//! Whatever surprises it is left, from that object on, to the thorough way; both give the same
//! events for the same text.

use super::super::hash::BookText;
use super::super::scan;
use super::{Book, Decoder, FrameCounts};
use crate::catalog::Catalog;
use pm_arb_core::event::{Event, LevelChange};
use pm_arb_core::ids::Timestamp;

impl Decoder {
    /// The scanner's way. On a surprise, how many objects of the frame are already done.
    pub(super) fn fast(
        &mut self,
        text: &str,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), usize> {
        let mut scanner = scan::Scanner::new(text);
        let list = scanner.take(b'[');
        let mut done = 0;
        loop {
            let before = (out.len(), *counts);
            if self.fast_object(&mut scanner, ids, out, counts).is_none() {
                out.truncate(before.0);
                *counts = before.1;
                return Err(done);
            }
            done += 1;
            if !(list && scanner.take(b',')) {
                break;
            }
        }
        let closed = !list || scanner.take(b']');
        if closed && scanner.is_done() {
            Ok(())
        } else {
            Err(done)
        }
    }

    fn fast_object(
        &mut self,
        scanner: &mut scan::Scanner<'_>,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Option<()> {
        let start = out.len();
        let head = scanner.object(|change| match self.tokens.instrument(change.asset, ids) {
            Some(instrument) => {
                counts.levels += 1;
                out.push(Event::Level(LevelChange {
                    instrument,
                    side: change.side,
                    more: true,
                    price: change.price,
                    qty: change.qty,
                    venue_time: Timestamp(0),
                }));
            }
            None => counts.untracked += 1,
        })?;
        match head.event_type? {
            "price_change" if head.changes => {
                let stamp = scan::stamp(head.timestamp?)?;
                for event in out.get_mut(start..)? {
                    if let Event::Level(level) = event {
                        level.venue_time = stamp;
                    }
                }
                Some(())
            }
            "book" if !head.changes => {
                let (bids, asks) = (head.bids?, head.asks?);
                let sorted = bids.levels.is_sorted_by(|a, b| a.0 < b.0)
                    && asks.levels.is_sorted_by(|a, b| a.0 > b.0);
                if !(sorted && bids.canonical && asks.canonical) {
                    return None;
                }
                let book = Book {
                    text: BookText {
                        market: head.market?,
                        asset_id: head.asset_id?,
                        timestamp: head.timestamp?,
                        hash: head.hash.unwrap_or_default(),
                        bids: bids.json,
                        asks: asks.json,
                        tick_size: head.tick_size,
                        last_trade_price: head.last_trade_price,
                    },
                    hashed: head.hash.is_some(),
                    venue_time: scan::stamp(head.timestamp?)?,
                    bids: bids.levels,
                    asks: asks.levels,
                };
                self.book(book, ids, out, counts);
                Some(())
            }
            _ => None,
        }
    }
}
