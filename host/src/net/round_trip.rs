//! How long the way to a venue takes, told to the engine now and then.
//!
//! One meter a venue, shared by its connections. What is told is the *whole* round trip, although an
//! order travels one way: the answer of a market data connection says nothing of the queue an order
//! would wait in, and too long is the safe side. The engine's thread adds its own turn.

use pm_arb_core::event::Event;
use pm_arb_core::ids::{Nanos, Venue};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often connections ask.
pub const ASK_EVERY: Duration = Duration::from_secs(10);
/// How soon a new connection asks first: when its first books are through, so that they are not
/// measured too.
pub const ASK_FIRST: Duration = Duration::from_secs(2);
/// Least time between two things told of one venue. Of several connections the slowest since the last
/// time is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    /// The longest since then.
    longest: Duration,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct RoundTrips {
    venue: Venue,
    state: Arc<Mutex<State>>,
}

impl RoundTrips {
    /// Of one venue.
    #[must_use]
    pub fn new(venue: Venue) -> Self {
        Self {
            venue,
            state: Arc::default(),
        }
    }

    /// An answer took so long. What to tell the engine, when it is time.
    #[must_use]
    pub fn took(&self, round_trip: Duration) -> Option<Event> {
        self.took_at(round_trip, Instant::now())
    }

    fn took_at(&self, round_trip: Duration, now: Instant) -> Option<Event> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.longest = state.longest.max(round_trip);
        let since = |told| now.saturating_duration_since(told) < TELL_EVERY;
        if state.told.is_some_and(since) {
            return None;
        }
        state.told = Some(now);
        let own = std::mem::take(&mut state.longest);
        Some(Event::Latency {
            venue: self.venue,
            own: Nanos(u64::try_from(own.as_nanos()).unwrap_or(u64::MAX)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_slowest_connection_is_told_now_and_then() {
        let meter = RoundTrips::new(Venue::Kalshi);
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut told = Vec::new();
        for (at, took) in [(0, 30), (1_000, 90), (4_999, 20), (5_000, 40), (12_000, 10)] {
            let event = meter.clone().took_at(ms(took), start + ms(at));
            told.extend(event.map(|event| match event {
                Event::Latency { venue, own } => (at, venue, own.ms()),
                other => panic!("{other:?}"),
            }));
        }
        let kalshi = Venue::Kalshi;
        assert_eq!(
            told,
            [(0, kalshi, 30), (5_000, kalshi, 90), (12_000, kalshi, 10)]
        );
    }
}
