//! The records of a run with a view of those to come, for whoever replays it.
//!
//! Owns a bounded row of records, refilled when it is used up. An error of the reader comes in its place:
//! after the records before it.

use super::{JournalError, JournalReader};
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{Seq, Timestamp};

/// Records that are held at once.
const HELD: usize = 1_024;

/// See the top of the file.
pub struct Upcoming {
    reader: JournalReader,
    held: Vec<Record>,
    /// How many of `held` are records now, and how many of these are past.
    full: usize,
    past: usize,
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
            error: None,
        }
    }

    /// The next records, the very next one first; empty at the end of the run. Call
    /// [`advance`](Self::advance) when it was used.
    pub fn records(&mut self) -> Result<&[Record], JournalError> {
        if self.past == self.full {
            self.refill();
            if self.full == 0
                && let Some(error) = self.error.take()
            {
                return Err(error);
            }
        }
        Ok(self.held.get(self.past..self.full).unwrap_or_default())
    }

    /// The very next record is past.
    pub fn advance(&mut self) {
        self.past = self.full.min(self.past.saturating_add(1));
    }

    fn refill(&mut self) {
        (self.full, self.past) = (0, 0);
        while self.full < HELD && self.error.is_none() {
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
                Ok(false) => return,
                Err(error) => self.error = Some(error),
            }
        }
    }
}
