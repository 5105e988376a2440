//! The last calls that an instance was told, so that a successor can be rehearsed on them.
//!
//! Owns a ring of at most [`CALLS_MAX`] calls: about 80 bytes each, and an opportunity with at most eight
//! legs where one was told, so less than a megabyte when full and nothing before the first call. Market
//! listings are not kept: who rehearses is told the open markets first.

use super::told::Told;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::strategy::StrategyEvent;

/// Calls that are kept; the oldest goes first.
pub const CALLS_MAX: usize = 1_024;

/// See the top of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    calls: Vec<(Timestamp, Told)>,
    /// Where the next one goes once it is full.
    next: usize,
}

impl Tape {
    pub(super) fn push_event(&mut self, now: Timestamp, event: &StrategyEvent<'_>) {
        if !matches!(event, StrategyEvent::MarketListed(_)) {
            self.push(now, Told::of(event));
        }
    }

    pub(super) fn push(&mut self, now: Timestamp, told: Told) {
        if self.calls.len() < CALLS_MAX {
            self.calls.push((now, told));
        } else if let Some(place) = self.calls.get_mut(self.next) {
            *place = (now, told);
            self.next = (self.next + 1) % CALLS_MAX;
        }
    }

    /// Oldest first.
    pub(super) fn calls(&self) -> impl Iterator<Item = &(Timestamp, Told)> {
        let (newer, older) = self.calls.split_at(self.next.min(self.calls.len()));
        older.iter().chain(newer)
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_calls_are_kept_in_order() {
        let mut tape = Tape::default();
        let told = |n: u64| Timestamp(n);
        for n in 0..CALLS_MAX as u64 + 10 {
            tape.push(told(n), Told::Timer);
        }
        let times: Vec<u64> = tape.calls().map(|(at, _)| at.0).collect();
        assert_eq!(times.len(), CALLS_MAX);
        assert!(times.is_sorted() && times[0] == 10, "{:?}", &times[..2]);
        assert!(size_of::<(Timestamp, Told)>() <= 96);
    }
}
