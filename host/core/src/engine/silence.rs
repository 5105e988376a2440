//! Silences: stretches of a minute and more in which a source of facts said nothing.
//!
//! Counts them, so that a report can tell that a recording has holes. Decides nothing: what a silence
//! makes too old to trade on, the ages of books and oracle values say themselves.

use crate::event::Event;
use crate::ids::{Nanos, OracleId, Timestamp};
use std::collections::BTreeMap;

/// The shortest silence that is counted.
pub const SILENCE_MIN: Nanos = Nanos::from_ms(60_000);

/// Which stream was silent: `None` for books and prints of all markets together.
type Stream = Option<OracleId>;

/// By stream, when it was last heard and how often it was silent. Bounded by the oracles listed.
#[derive(Debug, Default)]
pub(super) struct Silences {
    streams: BTreeMap<Stream, (Timestamp, u64)>,
    /// The last word of the books, apart, because nearly every record is one.
    books: Option<Timestamp>,
}

impl Silences {
    /// One record came.
    pub fn hear(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Snapshot(_) | Event::Level(_) | Event::Print(_) => {
                let before = self.books.replace(at);
                if before.is_some_and(|before| is_silence(before, at)) {
                    let (_, count) = self.streams.entry(None).or_insert((at, 0));
                    *count = count.saturating_add(1);
                }
            }
            Event::OracleTick(tick) => {
                let (last, count) = self.streams.entry(Some(tick.oracle)).or_insert((at, 0));
                if is_silence(*last, at) {
                    *count = count.saturating_add(1);
                }
                *last = at;
            }
            _ => {}
        }
    }

    /// Streams that were silent, and how often.
    pub fn counts(&self) -> impl Iterator<Item = (Stream, u64)> {
        let counts = self.streams.iter().map(|(s, (_, n))| (*s, *n));
        counts.filter(|(_, n)| *n > 0)
    }
}

fn is_silence(before: Timestamp, at: Timestamp) -> bool {
    at.0.saturating_sub(before.0) >= SILENCE_MIN.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OracleTick;
    use crate::units::SpotPrice;

    fn tick(oracle: u32) -> Event {
        Event::OracleTick(OracleTick {
            oracle: OracleId(oracle),
            price: SpotPrice(1),
            source_time: Timestamp(0),
        })
    }

    #[test]
    fn a_minute_without_a_word_is_a_silence_of_that_stream_alone() {
        let mut silences = Silences::default();
        for (secs, event) in [
            (10, tick(0)),
            (10, tick(1)),
            (69, tick(0)),  // 59 s: none
            (129, tick(0)), // 60 s: one
            (400, Event::Tick),
            (430, tick(1)), // 420 s are one silence
        ] {
            silences.hear(Timestamp::from_secs(secs), &event);
        }
        let counts: Vec<_> = silences.counts().collect();
        assert_eq!(counts, [(Some(OracleId(0)), 1), (Some(OracleId(1)), 1)]);
    }
}
