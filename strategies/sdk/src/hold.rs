//! A position that is to be sold again: since when it is held, and how often that failed.

use crate::Timestamp;
use crate::state;

/// Sales that may fail before a position is kept until it settles.
pub const TRIES_MAX: u32 = 10;
/// Between two of them: two seconds.
pub const RETRY: u64 = 2_000_000_000;

/// See the top of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// Nothing is tried before.
    pub next_try: Timestamp,
    /// What failed so far.
    pub tries: u32,
}

impl Hold {
    /// From now on, acted on at once.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            next_try: now,
            tries: 0,
        }
    }

    /// After a try that failed, wholly or in part; `None` when there have been enough.
    #[must_use]
    pub fn failed(self, now: Timestamp) -> Option<Self> {
        let tries = self.tries.saturating_add(1);
        (tries < TRIES_MAX).then_some(Self {
            tries,
            next_try: now.saturating_add(RETRY),
            ..self
        })
    }

    /// Its words in a snapshot, read by [`Self::read`].
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} {} {}", self.since, self.next_try, self.tries)
    }

    /// Reads the three words.
    pub fn read(words: &[&str]) -> Result<Self, String> {
        let [since, next_try, tries] = words else {
            return Err(state::unknown(words));
        };
        Ok(Self {
            since: state::number(since)?,
            next_try: state::number(next_try)?,
            tries: state::number(tries)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_spaced_and_counted() {
        let mut hold = Hold::new(7);
        for tries in 1..TRIES_MAX {
            hold = hold.failed(100).expect("not yet enough");
            assert_eq!(
                (hold.tries, hold.next_try, hold.since),
                (tries, 100 + RETRY, 7)
            );
        }
        assert_eq!(hold.failed(100), None);
        assert_eq!(
            Hold::read(&hold.words().split(' ').collect::<Vec<_>>()),
            Ok(hold)
        );
        assert!(Hold::read(&["1"]).is_err());
    }
}
