//! Waits between attempts: doubling up to a limit, with jitter so that clients that were cut at the
//! same moment do not come back at the same moment. Owns no attempt and no clock.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Ceiling of a connection's first wait.
const CONNECTION_FIRST: Duration = Duration::from_millis(500);
/// Ceiling of all its later ones.
const CONNECTION_MAX: Duration = Duration::from_secs(30);
/// A connection that lived this long was a success: the next wait is a first one.
const CONNECTION_LIVED: Duration = Duration::from_secs(60);

/// The waits of one series of attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    ceiling: Duration,
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// The first wait is at most `first`, no wait is more than `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self {
            ceiling: first,
            first,
            max,
        }
    }

    /// The waits between connections to a venue or an oracle.
    #[must_use]
    pub fn of_connections() -> Self {
        Self::new(CONNECTION_FIRST, CONNECTION_MAX)
    }

    /// How long to wait now: anything from a tenth of the ceiling up to it. The ceiling then doubles.
    pub fn next_wait(&mut self) -> Duration {
        let floor = self.ceiling / 10;
        let wait = floor + jitter(self.ceiling - floor);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        wait
    }

    /// How long to wait after a connection that lived for `lived` (zero when it never came about).
    pub fn after(&mut self, lived: Duration) -> Duration {
        if lived >= CONNECTION_LIVED {
            self.reset();
        }
        self.next_wait()
    }

    /// Begins again.
    pub fn reset(&mut self) {
        self.ceiling = self.first;
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
    fn waits_grow_to_the_limit_and_start_again() {
        let (first, max) = (Duration::from_millis(100), Duration::from_millis(400));
        let mut backoff = Backoff::new(first, max);
        for ceiling in [100, 200, 400, 400, 400] {
            let wait = backoff.next_wait().as_millis();
            assert!(
                (ceiling / 10..=ceiling).contains(&wait),
                "{wait} of {ceiling}"
            );
        }
        backoff.reset();
        assert!(backoff.next_wait() <= first);
    }

    #[test]
    fn connections_start_anew_only_after_a_success() {
        let mut backoff = Backoff::of_connections();
        for ceiling in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            assert_eq!(backoff.ceiling, Duration::from_millis(ceiling));
            assert!(backoff.after(Duration::from_secs(59)) <= Duration::from_millis(ceiling));
        }
        assert!(backoff.after(CONNECTION_LIVED) <= CONNECTION_FIRST);
        assert_eq!(backoff.ceiling, CONNECTION_FIRST * 2);
    }
}
