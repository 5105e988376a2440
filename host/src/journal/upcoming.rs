//! The records of a run with a view of those to come, for whoever replays it.
//!
//! Owns a bounded row of records, refilled when one of it is left. An error of the reader comes in its
//! place: after the records before it. What the clock ended while a record was stepped is recorded just
//! after it; all of that is always within view.

use super::{JournalError, JournalReader};
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{Seq, StrategyId, Timestamp};

/// Records that are held at once.
const HELD: usize = 1_024;
/// So many more when they say what the clock ended: more strategies than a run has.
const STOPS: usize = 256;

/// See the top of the file.
pub struct Upcoming {
    reader: JournalReader,
    held: Vec<Record>,
    /// How many of `held` are records now, and how many of these are past.
    full: usize,
    past: usize,
    ended: bool,
    error: Option<JournalError>,
}

impl Upcoming {
    /// From where the reader stands.
    #[must_use]
    pub fn new(reader: JournalReader) -> Self {
        Self {
            reader,
            held: Vec::new(),
            full: 0,
            past: 0,
            ended: false,
            error: None,
        }
    }

    /// The next records, the very next one first; empty at the end of the run. Call
    /// [`advance`](Self::advance) when it was used.
    pub fn records(&mut self) -> Result<&[Record], JournalError> {
        let more = !self.ended && self.error.is_none();
        if more && self.past.saturating_add(1) >= self.full {
            self.refill();
        }
        if self.past == self.full
            && let Some(error) = self.error.take()
        {
            return Err(error);
        }
        Ok(self.held.get(self.past..self.full).unwrap_or_default())
    }

    /// The very next record is past.
    pub fn advance(&mut self) {
        self.past = self.full.min(self.past.saturating_add(1));
    }

    /// The calls that the clock ended while the very next record was stepped: whose, and which.
    pub fn stops(&self) -> impl Iterator<Item = (StrategyId, u64)> {
        let after = self.past.saturating_add(1)..self.full;
        let after = self.held.get(after).unwrap_or_default();
        after.iter().map_while(|record| record.event.stopped())
    }

    fn refill(&mut self) {
        // The record that is left stays in front of those that follow it.
        let left = self.full.saturating_sub(self.past);
        if left > 0 {
            self.held.swap(0, self.past);
        }
        (self.full, self.past) = (left, 0);
        while self.error.is_none() {
            let last = self.full.checked_sub(1).and_then(|at| self.held.get(at));
            let stopping = last.is_some_and(|record| record.event.stopped().is_some());
            if self.full >= HELD + STOPS || (self.full >= HELD && !stopping) {
                return;
            }
            if self.held.len() == self.full {
                self.held.push(Record {
                    seq: Seq(0),
                    at: Timestamp(0),
                    event: Event::Tick,
                });
            }
            let Some(place) = self.held.get_mut(self.full) else {
                return;
            };
            match self.reader.next_into(place) {
                Ok(true) => self.full += 1,
                Ok(false) => {
                    self.ended = true;
                    return;
                }
                Err(error) => self.error = Some(error),
            }
        }
    }
}
