//! World time against the wall: one second of the wall is `speed` seconds of the world.
//!
//! Owns: the anchor between the two. World time never runs backwards, not even when the world
//! could not keep up: it then stands still until the world is there.
//! Never: moves the world; that is the hub's driver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A clock of the simulated world, cheap to copy and to read.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<Mutex<Anchor>>);

#[derive(Debug)]
struct Anchor {
    wall: Instant,
    world_ns: u64,
    latest_ns: u64,
    speed: f64,
}

impl SimClock {
    /// World time `world_ns` is at `wall`.
    pub fn starting_at(world_ns: u64, wall: Instant, speed: f64) -> Self {
        Self(Arc::new(Mutex::new(Anchor {
            wall,
            world_ns,
            latest_ns: world_ns,
            speed,
        })))
    }

    /// World time now, unix ns.
    pub fn now_ns(&self) -> u64 {
        let mut anchor = self.lock();
        let since = (anchor.wall.elapsed().as_nanos() as f64 * anchor.speed) as u64;
        anchor.latest_ns = anchor.latest_ns.max(anchor.world_ns + since);
        anchor.latest_ns
    }

    /// How long the wall has to wait for a world time.
    pub fn wait_for(&self, world_ns: u64) -> Duration {
        let ahead_ns = world_ns.saturating_sub(self.now_ns());
        Duration::from_nanos((ahead_ns as f64 / self.lock().speed) as u64)
    }

    /// The world could not keep up: it is at `world_ns`, and goes on from there.
    pub(super) fn slip_to(&self, world_ns: u64) {
        let mut anchor = self.lock();
        (anchor.wall, anchor.world_ns) = (Instant::now(), world_ns);
    }

    fn lock(&self) -> MutexGuard<'_, Anchor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_stops_the_clock_and_never_turns_it_back() {
        let clock = SimClock::starting_at(1_000_000_000_000, Instant::now(), 1_000.0);
        while clock.now_ns() < 1_002_000_000_000 {
            std::thread::yield_now();
        }
        let before = clock.now_ns();
        clock.slip_to(1_000_000_000_000);
        let after = clock.now_ns();
        assert!(after >= before);
        assert!(clock.wait_for(after + 10_000_000_000) > Duration::ZERO);
    }
}
