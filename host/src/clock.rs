//! The pilot's clock: the only place of the shell that asks what time it is.
//!
//! Live, it is UTC. With the simulated venues it is the world's time, which may run faster. It never
//! goes back: it is anchored once and advanced by the monotonic clock.

use pm_arb_core::ids::Timestamp;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time of a run.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    anchor: Timestamp,
    started: Instant,
    speed: f64,
}

impl Clock {
    /// UTC, from the system's clock.
    #[must_use]
    pub fn utc() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::at(
            Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)),
            1.0,
        )
    }

    /// A world that is at `anchor` now and lives `speed` seconds a second.
    #[must_use]
    pub fn at(anchor: Timestamp, speed: f64) -> Self {
        Self {
            anchor,
            started: Instant::now(),
            speed,
        }
    }

    /// A clock that stands at `at`: for recordings, whose records tell the time.
    #[must_use]
    pub fn standing(at: Timestamp) -> Self {
        Self::at(at, 0.0)
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let elapsed = self.started.elapsed().as_secs_f64() * self.speed;
        Timestamp(self.anchor.0.saturating_add((elapsed * 1e9) as u64))
    }

    /// How long to wait, by the wall, until `at`.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> Duration {
        let nanos = at.since(self.now()).0 as f64 / self.speed;
        Duration::from_nanos(nanos as u64)
    }

    /// World seconds a wall second.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }
}
