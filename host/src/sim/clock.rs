//! World time against the wall: one second of the wall is `speed` seconds of the world.
//!
//! Owns: the anchor between the two. Never: moves the world; that is the hub's driver.

use std::time::{Duration, Instant};

/// The two clocks, tied together at an anchor.
#[derive(Debug)]
pub struct WorldClock {
    wall: Instant,
    world_ns: u64,
    speed: f64,
}

impl WorldClock {
    /// World time `world_ns` is now.
    pub fn starting_at(world_ns: u64, speed: f64) -> Self {
        Self {
            wall: Instant::now(),
            world_ns,
            speed,
        }
    }

    /// World time now.
    pub fn now_ns(&self) -> u64 {
        self.world_ns + (self.wall.elapsed().as_nanos() as f64 * self.speed) as u64
    }

    /// How long the wall has to wait for a world time.
    pub fn wait_for(&self, world_ns: u64) -> Duration {
        Duration::from_nanos((world_ns.saturating_sub(self.now_ns()) as f64 / self.speed) as u64)
    }

    /// The world could not keep up: it is `world_ns` now, and goes on from there.
    pub fn slip_to(&mut self, world_ns: u64) {
        *self = Self::starting_at(world_ns, self.speed);
    }
}
