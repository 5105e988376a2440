//! Frames of the market channel, turned into events.
//!
//! ```text
//! frame ─► fast (the scanner) ─► events
//!             └─ a surprise ─► thorough (serde_json) ─► events
//! ```
//!
//! Pure: text in, events out, shared by the live watcher and the importers of recordings. Owns what
//! must be remembered between frames: which token is which instrument, the grid last told, trades
//! seen, and the facts the book hash needs. It holds no book. A frame is one atomic message: every
//! level and snapshot but the last carries `more`. A value that is none of the documented ones is
//! refused, and the book it belonged to is declared interrupted: it can no longer be known.

/// The scanner's way.
mod fast;
/// The way through `serde_json`.
mod thorough;
/// Which token is which instrument.
mod tokens;

use super::hash::{BookText, Verdict, Verifier};
use crate::catalog::Catalog;
use pm_arb_core::event::{BookSnapshot, Event, GapScope};
use pm_arb_core::ids::{InstrumentId, Timestamp, Venue};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Price, Qty};
use std::collections::VecDeque;
use tokens::Tokens;

/// Trades remembered to recognise one that is sent again.
const TRADES_KEPT: usize = 512;
/// Books awaiting a resubscription; more are not listed one by one.
const UNTRUSTED_MAX: usize = 4_096;

/// Why a frame could not be read at all. Nothing of it was used.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Not JSON.
    #[error("the frame is not JSON; the books of its connection can no longer be trusted")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but neither an event nor a list of events.
    #[error("the frame is neither an event nor a list of events, but {found}")]
    NotEvents {
        /// What it is.
        found: &'static str,
    },
}

/// What one frame held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Whole books.
    pub snapshots: u32,
    /// Level changes.
    pub levels: u32,
    /// Trades.
    pub prints: u32,
    /// Trades already seen; each is an [`Event::Refused`] as `DUPLICATE_PRINT`.
    pub repeated: u32,
    /// New grids.
    pub tick_sizes: u32,
    /// Outcomes.
    pub resolutions: u32,
    /// Entries for tokens and markets nobody tracks.
    pub untracked: u32,
    /// Known events that carry nothing we need (`best_bid_ask`, `new_market`).
    pub ignored: u32,
    /// Events of an unknown type.
    pub unknown: u32,
    /// Values that were refused.
    pub refused: u32,
    /// Books whose hash was verified.
    pub verified: u32,
    /// Books whose hash was wrong.
    pub hash_wrong: u32,
    /// The answer to our `PING`.
    pub pongs: u32,
}

/// Reads frames of the market channel.
#[derive(Debug, Default)]
pub struct Decoder {
    tokens: Tokens,
    verifier: Verifier,
    trades: VecDeque<u64>,
    untrusted: Vec<InstrumentId>,
}

/// A `book` frame, whichever way it was read.
struct Book<'a> {
    text: BookText<'a>,
    hashed: bool,
    venue_time: Timestamp,
    bids: Vec<(Price, Qty)>,
    asks: Vec<(Price, Qty)>,
}

impl Decoder {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces a market, so that its books are verified by their hash and its grid is known.
    pub fn track(&mut self, spec: &MarketSpec, neg_risk: bool) {
        self.verifier.track(spec, neg_risk);
        let Some(tick) = spec.tick else {
            return;
        };
        for outcome in &spec.outcomes {
            self.tokens
                .note_tick(&outcome.native_id, outcome.instrument, tick);
        }
    }

    /// Forgets a market that is over.
    pub fn forget(&mut self, spec: &MarketSpec) {
        self.verifier.forget(&spec.native_id);
        for outcome in &spec.outcomes {
            self.tokens.forget(&outcome.native_id);
        }
    }

    /// The instruments whose books became unusable since the last call and need a new snapshot.
    pub fn take_untrusted(&mut self) -> Vec<InstrumentId> {
        std::mem::take(&mut self.untrusted)
    }

    /// Appends what `text` says to `out`. On an error nothing was appended.
    pub fn frame(
        &mut self,
        text: &str,
        ids: &Catalog,
        out: &mut Vec<Event>,
    ) -> Result<FrameCounts, FrameError> {
        let mut counts = FrameCounts::default();
        let start = out.len();
        match text.trim_ascii() {
            "" => return Ok(counts),
            "PONG" => {
                counts.pongs = 1;
                return Ok(counts);
            }
            _ => {}
        }
        let read = match self.fast(text, ids, out, &mut counts) {
            Ok(()) => Ok(()),
            Err(done) => self.thorough(text, done, ids, out, &mut counts),
        };
        self.finish(read, start, out)?;
        Ok(counts)
    }

    /// As [`Decoder::frame`], without the scanner: what the scanner is compared with.
    #[cfg(test)]
    pub(super) fn frame_thorough(
        &mut self,
        text: &str,
        ids: &Catalog,
        out: &mut Vec<Event>,
    ) -> Result<FrameCounts, FrameError> {
        let mut counts = FrameCounts::default();
        let start = out.len();
        let read = self.thorough(text, 0, ids, out, &mut counts);
        self.finish(read, start, out)?;
        Ok(counts)
    }

    fn finish(
        &mut self,
        read: Result<(), FrameError>,
        start: usize,
        out: &mut Vec<Event>,
    ) -> Result<(), FrameError> {
        if let Err(error) = read {
            out.truncate(start);
            // A grid told in this frame was not told after all.
            self.tokens.clear();
            return Err(error);
        }
        seal(out.get_mut(start..).unwrap_or_default());
        Ok(())
    }

    fn book(
        &mut self,
        mut book: Book<'_>,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) {
        let Some(instrument) = self.tokens.instrument(book.text.asset_id, ids) else {
            counts.untracked += 1;
            return;
        };
        if let Some(told) = book.text.tick_size {
            match Price::parse(told) {
                Ok(tick) if tick.is_tradable() => {
                    self.tell_tick(book.text.asset_id, instrument, tick, out, counts);
                }
                _ => {
                    refuse(Reason::MalformedFrame, out, counts);
                    self.distrust(instrument, "the grid of this book was unusable", out);
                    return;
                }
            }
        }
        if book.hashed {
            match self.verifier.verify(&book.text) {
                Verdict::Intact => counts.verified += 1,
                Verdict::Unknown => {}
                Verdict::Wrong => {
                    counts.hash_wrong += 1;
                    refuse(Reason::MalformedFrame, out, counts);
                    self.distrust(instrument, "the hash of this book is wrong", out);
                    return;
                }
            }
        }
        counts.snapshots += 1;
        // An empty level is no level.
        book.bids.retain(|(_, qty)| *qty > Qty::ZERO);
        book.asks.retain(|(_, qty)| *qty > Qty::ZERO);
        out.push(Event::Snapshot(Box::new(BookSnapshot {
            instrument,
            more: true,
            venue_time: book.venue_time,
            bids: book.bids,
            asks: book.asks,
        })));
    }

    /// Announces a grid that the engine was not told before. Its book is void until a snapshot.
    fn tell_tick(
        &mut self,
        token: &str,
        instrument: InstrumentId,
        tick: Price,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) {
        if self.tokens.note_tick(token, instrument, tick) {
            counts.tick_sizes += 1;
            out.push(Event::TickSize { instrument, tick });
        }
    }

    fn distrust(&mut self, instrument: InstrumentId, cause: &str, out: &mut Vec<Event>) {
        self.note_untrusted(instrument);
        out.push(Event::Gap {
            scope: GapScope::Instrument(instrument),
            cause: cause.to_owned(),
        });
    }

    fn note_untrusted(&mut self, instrument: InstrumentId) {
        if self.untrusted.len() < UNTRUSTED_MAX {
            self.untrusted.push(instrument);
        }
    }
}

/// Marks the last level or snapshot of the frame as the end of its message.
fn seal(events: &mut [Event]) {
    for event in events.iter_mut().rev() {
        let more = match event {
            Event::Level(level) => &mut level.more,
            Event::Snapshot(book) => &mut book.more,
            _ => continue,
        };
        *more = false;
        return;
    }
}

fn refuse(reason: Reason, out: &mut Vec<Event>, counts: &mut FrameCounts) {
    counts.refused += 1;
    out.push(Event::Refused {
        venue: Some(Venue::Polymarket),
        reason,
    });
}
