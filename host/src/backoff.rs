//! Waits between attempts: doubling up to a limit, with full jitter so that nobody knocks in step.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

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

    /// How long to wait now: anything from a tenth of the ceiling up to it. The ceiling then doubles.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = u64::try_from(self.ceiling.as_millis()).unwrap_or(u64::MAX);
        let floor = ceiling / 10;
        let wait = floor + random() % (ceiling - floor).max(1);
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        Duration::from_millis(wait)
    }

    /// Begins again.
    pub fn reset(&mut self) {
        self.ceiling = self.first;
    }
}

/// Jitter needs no better source than the standard library's hash keys.
fn random() -> u64 {
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
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
}
