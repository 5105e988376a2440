//! Waiting between attempts: exponential, with full jitter, so that many clients cut at the same
//! moment do not come back at the same moment. A connection that lived long enough earns a fresh start.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The first ceiling.
const FIRST: Duration = Duration::from_millis(500);
/// The last ceiling.
const LAST: Duration = Duration::from_secs(30);
/// A connection that lived this long was a success.
const LIVED: Duration = Duration::from_secs(60);

/// The ceiling of the next wait.
#[derive(Debug)]
pub struct Backoff {
    ceiling: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { ceiling: FIRST }
    }
}

impl Backoff {
    /// How long to wait after a connection that lived for `lived` (zero when it never came about).
    pub fn after(&mut self, lived: Duration) -> Duration {
        if lived >= LIVED {
            self.ceiling = FIRST;
        }
        let wait = jitter(self.ceiling);
        self.ceiling = (self.ceiling * 2).min(LAST);
        wait
    }
}

/// A random part of `ceiling`.
#[must_use]
pub fn jitter(ceiling: Duration) -> Duration {
    // The standard library seeds every RandomState anew: chance enough for a waiting time.
    let chance = RandomState::new().build_hasher().finish() % 1_000_000;
    let nanos = ceiling.as_nanos() * u128::from(chance) / 1_000_000;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_anew_only_after_a_success() {
        let mut backoff = Backoff::default();
        for ceiling in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            assert_eq!(backoff.ceiling, Duration::from_millis(ceiling));
            assert!(backoff.after(Duration::from_secs(59)) < Duration::from_millis(ceiling));
        }
        assert!(backoff.after(LIVED) < FIRST);
        assert_eq!(backoff.ceiling, FIRST * 2);
    }
}
