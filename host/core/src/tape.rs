//! Whether somebody really traded where we say we did.
//!
//! A fill on paper is *confirmed* when a real trade of its market printed, within one second before or
//! after it, at a price between the best and the worst level that it walked. The two outcomes of a
//! market trade in one book: a print of one at `p` is a print of the other at `1 − p`. A resting order
//! of ours is also confirmed by a print beyond its price: whoever traded there would have met us first.
//! No print in that time is *not seen*; a market of which no print ever came has *no tape*.
//!
//! Time is the records' time, of fills as of prints, so a replay says the same. Owns the prices of the
//! last second's prints and the fills whose second is not over. It moves nothing and blocks nothing.

use crate::effect::{Corroboration, Tape, TradeRecord};
use crate::event::Print;
use crate::ids::{InstrumentId, Nanos, Timestamp, TradeId};
use crate::market::MarketSpec;
use crate::units::Price;
use std::collections::BTreeMap;

/// How far a print may lie from the fill it confirms; exactly so far still counts.
pub const TAPE_WINDOW: Nanos = Nanos::from_ms(1_000);
/// Most distinct prices remembered of one market's last second; beyond it the oldest is forgotten.
pub const TAPE_PRICES_MAX: usize = 1_024;
/// Most fills whose second is not over. One more is not watched: its row never says what the tape
/// says, which is what the row says of every fill that is not known.
pub const TAPE_FILLS_MAX: usize = 4_096;

/// The prints of the last second, and the fills that wait for theirs.
#[derive(Debug, Clone, Default)]
pub struct TapeReader {
    /// By first outcome, for every market of which a print came: its prices and when each was last
    /// printed, in that order.
    printed: BTreeMap<InstrumentId, Vec<(Price, Timestamp)>>,
    /// In order of their deadlines.
    waiting: BTreeMap<(Timestamp, TradeId), Watched>,
}

/// Where a print confirms a fill, as prices of the market's first outcome.
#[derive(Debug, Clone, Copy)]
struct Watched {
    first: InstrumentId,
    low: Price,
    high: Price,
}

impl Watched {
    fn holds(&self, price: Price) -> bool {
        self.low <= price && price <= self.high
    }
}

impl TapeReader {
    /// A trade printed at `at`; appends what it confirms.
    pub fn printed(
        &mut self,
        print: &Print,
        spec: &MarketSpec,
        at: Timestamp,
        confirmed: &mut Vec<Corroboration>,
    ) {
        let (first, price) = as_first(spec, print.instrument, print.price);
        let prices = self.printed.entry(first).or_default();
        prices.retain(|(p, last)| *p != price && at.since(*last) <= TAPE_WINDOW);
        if prices.len() >= TAPE_PRICES_MAX {
            // The oldest stands first: prices are appended when they print.
            prices.remove(0);
        }
        prices.push((price, at));
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.retain(|(deadline, trade), fill| {
            let hit = fill.first == first && fill.holds(price) && at <= *deadline;
            if hit {
                confirmed.push(Corroboration {
                    trade: *trade,
                    tape: Tape::Confirmed,
                    at,
                });
            }
            !hit
        });
    }

    /// A row was filled. Answers at once when the second before it has the print; otherwise waits.
    pub fn filled(&mut self, row: &TradeRecord, spec: &MarketSpec) -> Option<Corroboration> {
        let walked = row.levels.iter().map(|level| level.price);
        let low = walked.clone().min().unwrap_or(row.price);
        let high = walked.max().unwrap_or(row.price);
        let (low, high) = match (row.maker, row.buy) {
            (false, _) => (low, high),
            (true, true) => (Price::ZERO, high),
            (true, false) => (low, Price::DOLLAR),
        };
        let (first, low) = as_first(spec, row.instrument, low);
        let (_, high) = as_first(spec, row.instrument, high);
        let fill = Watched {
            first,
            low: low.min(high),
            high: low.max(high),
        };
        let seen = self.printed.get(&first).is_some_and(|prices| {
            let near = |at: Timestamp| at.since(row.at).max(row.at.since(at)) <= TAPE_WINDOW;
            let mut recent = prices.iter().filter(|(_, at)| near(*at));
            recent.any(|(price, _)| fill.holds(*price))
        });
        if seen {
            return Some(Corroboration {
                trade: row.id,
                tape: Tape::Confirmed,
                at: row.at,
            });
        }
        if self.waiting.len() < TAPE_FILLS_MAX {
            let deadline = row.at.plus(TAPE_WINDOW);
            self.waiting.insert((deadline, row.id), fill);
        }
        None
    }

    /// From when on [`Self::decide`] has something to say.
    #[must_use]
    pub fn next_due(&self) -> Timestamp {
        let first = self.waiting.first_key_value();
        first.map_or(Timestamp(u64::MAX), |((deadline, _), _)| {
            deadline.plus(Nanos(1))
        })
    }

    /// A fill whose second was over before `now` and that no print confirmed, one a call.
    pub fn decide(&mut self, now: Timestamp) -> Option<Corroboration> {
        if self.next_due() > now {
            return None;
        }
        let ((deadline, trade), fill) = self.waiting.pop_first()?;
        let tape = if self.printed.contains_key(&fill.first) {
            Tape::NotSeen
        } else {
            Tape::NoTape
        };
        Some(Corroboration {
            trade,
            tape,
            at: deadline,
        })
    }

    /// A market is over.
    pub fn forget(&mut self, spec: &MarketSpec) {
        for outcome in &spec.outcomes {
            self.printed.remove(&outcome.instrument);
        }
    }
}

/// The same trade as one of the market's first outcome. Only two outcomes mirror each other.
fn as_first(spec: &MarketSpec, instrument: InstrumentId, price: Price) -> (InstrumentId, Price) {
    match (spec.outcome(instrument), spec.complement_of(instrument)) {
        (Some((1, _)), Some(first)) => (first, price.complement()),
        _ => (instrument, price),
    }
}

#[cfg(test)]
mod tests;
