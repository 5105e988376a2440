//! How long a recording tells nothing of a market or a feed it tells of before and after.

use pm_arb_core::event::Event;
use pm_arb_core::ids::{Nanos, Timestamp};

/// A silence longer than this is told.
const LONG: Nanos = Nanos(60_000_000_000);

/// Counts silences. What is silent is named by number.
#[derive(Debug, Default)]
pub(super) struct Silences {
    instruments: Vec<Option<Timestamp>>,
    oracles: Vec<Option<Timestamp>>,
    books: (u64, Nanos),
    feeds: (u64, Nanos),
}

impl Silences {
    /// An event of that time.
    pub fn hear(&mut self, at: Timestamp, event: &Event) {
        let (last, number, sum) = match event {
            Event::Snapshot(book) => {
                let number = book.instrument.index();
                (&mut self.instruments, number, &mut self.books)
            }
            Event::Level(level) => {
                let number = level.instrument.index();
                (&mut self.instruments, number, &mut self.books)
            }
            Event::OracleTick(tick) => (&mut self.oracles, tick.oracle.index(), &mut self.feeds),
            _ => return,
        };
        if last.len() <= number {
            last.resize(number + 1, None);
        }
        let Some(last) = last.get_mut(number) else {
            return;
        };
        let silent = last.map_or(Nanos(0), |last| at.since(last));
        *last = Some(at);
        if silent > LONG {
            sum.0 += 1;
            sum.1 = sum.1.max(silent);
        }
    }

    /// What to say of them.
    pub fn notes(&self) -> Vec<String> {
        [("books", self.books), ("price feeds", self.feeds)]
            .into_iter()
            .filter(|(_, (count, _))| *count > 0)
            .map(|(what, (count, longest))| {
                let secs = longest.0 / 1_000_000_000;
                format!(
                    "{what} fall silent for more than a minute {count} times, the longest for \
                     {secs} seconds: what was known then is stale by its age"
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_arb_core::event::OracleTick;
    use pm_arb_core::ids::OracleId;
    use pm_arb_core::units::SpotPrice;

    #[test]
    fn only_silences_within_one_feed_count() {
        let mut silences = Silences::default();
        for (oracle, secs) in [(0, 100), (0, 160), (1, 300), (0, 221), (0, 608)] {
            let at = Timestamp::from_secs(secs);
            let tick = OracleTick {
                oracle: OracleId(oracle),
                price: SpotPrice(1),
                source_time: at,
            };
            silences.hear(at, &Event::OracleTick(tick));
        }
        let notes = silences.notes();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].contains("2 times, the longest for 387 seconds"),
            "{notes:?}"
        );
    }
}
