//! The seeded world behind the simulated venues: one price path, its tape, its markets.
//!
//! Owns: world time in fixed steps, the order of events, and the settlement history from the
//! world's origin. Same seed, same origin and same lag: the same events, one by one, however the
//! wall clock ran and whenever it was joined.
//! Never: opens a socket, reads a clock.

use std::collections::{BTreeMap, VecDeque};

use super::book::{Outcome, Side};
use super::market::{MarketSim, StepContext};
use super::path::{PricePath, STEP_NS, STEPS_PER_SECOND};
use super::rng::Rng;
use super::spec::{LISTED_AHEAD_S, MarketKey, Payoff, RANGE_WINDOW_S, WINDOW_S};
use super::tape::{Tape, TapeEvent, Ticker, Trade};

/// The path starts this long before the origin, so that candles have a past.
pub const PREROLL_S: u64 = 3_600;
/// The oldest origin a world is rebuilt from.
pub const AGE_S_MAX: u64 = 60 * 86_400;
/// The longest lag makers may have.
pub const MAKER_LAG_MS_MAX: u64 = 30_000;
/// Markets alive at an instant were all listed within this time before it.
const LIFE_S_MAX: u64 = RANGE_WINDOW_S + LISTED_AHEAD_S;
/// Prices kept for the lagging makers: more than the longest lag times the largest factor.
const PRICES_KEPT: usize = 100 * STEPS_PER_SECOND as usize;
/// A resolved market stays on the venue's order book service this long.
const DELISTED_AFTER_NS: u64 = 5_000_000_000;
/// Share of seconds in which the settlement feed's relay drops its tick. The seconds that decide
/// a market are always relayed here; a test that wants one missing silences the feed.
const RELAY_LOSS: f64 = 0.04;

/// Something that happened, at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    /// World time, unix ns.
    pub at_ns: u64,
    /// What happened.
    pub event: WorldEvent,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorldEvent {
    /// Binance's best quote.
    Ticker(Ticker),
    /// A trade on Binance.
    Trade(Trade),
    /// The settlement source's value (1e-8 USD) at a second, as its relay hands it on.
    Settlement {
        /// The second it is the value of.
        second: u64,
        /// The value.
        value_e8: i64,
    },
    /// A market was listed.
    Listed(MarketKey),
    /// Its window started.
    Opened(MarketKey),
    /// Its window ended.
    Closed(MarketKey),
    /// Its book was emptied by the venue.
    Cleared(MarketKey),
    /// A level changed to an absolute size.
    Level {
        /// The market.
        key: MarketKey,
        /// Side of the Yes book.
        side: Side,
        /// Price of Yes.
        price: u16,
        /// New size, zero when gone.
        size: i64,
    },
    /// A taker traded against the best level.
    Fill {
        /// The market.
        key: MarketKey,
        /// The side of the Yes book that was resting.
        resting: Side,
        /// Price of Yes.
        price: u16,
        /// Traded size.
        size: i64,
        /// What is left at the level.
        left: i64,
        /// Number of the fill in this market.
        id: u64,
    },
    /// The venue prints that fill.
    Print {
        /// The market.
        key: MarketKey,
        /// The side of the Yes book that was resting.
        resting: Side,
        /// Price of Yes.
        price: u16,
        /// Traded size.
        size: i64,
        /// Number of the fill in this market.
        id: u64,
    },
    /// The tick changed.
    TickSize {
        /// The market.
        key: MarketKey,
        /// Before.
        old: u16,
        /// From now on.
        new: u16,
    },
    /// The venue announced the outcome.
    Resolved(MarketKey, Outcome),
    /// The order book service forgot the market.
    Delisted(MarketKey),
}

/// Why there is no such world.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorldError {
    /// The origin must lie on a window boundary.
    #[error(
        "the world's origin {origin_s} s is not a multiple of {WINDOW_S} s: choose an aligned one"
    )]
    Misaligned {
        /// The origin given.
        origin_s: u64,
    },
    /// Too much history to rebuild, or a future origin.
    #[error(
        "cannot join a world of origin {origin_s} s at {now_s} s: `now` must be 0 to {AGE_S_MAX} s after the origin; start a new world (`pm-arb pilot --new-run`)"
    )]
    OutOfReach {
        /// The origin given.
        origin_s: u64,
        /// The instant asked for.
        now_s: u64,
    },
    /// The lag is beyond what makers remember.
    #[error("makers cannot lag {lag_ms} ms: at most {MAKER_LAG_MS_MAX} ms")]
    LagTooLong {
        /// The lag given.
        lag_ms: u64,
    },
}

/// The world, at one instant.
#[derive(Debug, Clone)]
pub struct World {
    seed: u64,
    origin_s: u64,
    maker_lag_ms: u64,
    now_ns: u64,
    path: PricePath,
    tape: Tape,
    prices: VecDeque<f64>,
    /// Settlement values at origin, origin + 300 s, …
    boundaries: Vec<i64>,
    relayed: VecDeque<Stamped>,
    markets: BTreeMap<MarketKey, MarketSim>,
}

impl World {
    /// The world at its origin (unix seconds, a multiple of 300).
    pub fn new(seed: u64, origin_s: u64, maker_lag_ms: u64) -> Result<Self, WorldError> {
        if !origin_s.is_multiple_of(WINDOW_S) || origin_s <= PREROLL_S {
            return Err(WorldError::Misaligned { origin_s });
        }
        if maker_lag_ms > MAKER_LAG_MS_MAX {
            return Err(WorldError::LagTooLong {
                lag_ms: maker_lag_ms,
            });
        }
        let mut world = Self {
            seed,
            origin_s,
            maker_lag_ms,
            now_ns: (origin_s - PREROLL_S) * 1_000_000_000,
            path: PricePath::new(seed),
            tape: Tape::new(seed),
            prices: VecDeque::with_capacity(PRICES_KEPT + 1),
            boundaries: Vec::new(),
            relayed: VecDeque::new(),
            markets: BTreeMap::new(),
        };
        while world.now_ns < origin_s * 1_000_000_000 {
            world.walk(&mut Vec::new());
        }
        world.boundary(&mut Vec::new());
        Ok(world)
    }

    /// The world at a later instant (rounded down to a step), as if it had been watched all along.
    /// Only the path is replayed in full: a market's life depends on nothing before its listing.
    pub fn joined_at(
        seed: u64,
        origin_s: u64,
        maker_lag_ms: u64,
        now_ns: u64,
    ) -> Result<Self, WorldError> {
        let now_s = now_ns / 1_000_000_000;
        if now_s < origin_s || now_s - origin_s > AGE_S_MAX {
            return Err(WorldError::OutOfReach { origin_s, now_s });
        }
        let mut world = Self::new(seed, origin_s, maker_lag_ms)?;
        let warm_ns = now_s.saturating_sub(LIFE_S_MAX) / WINDOW_S * WINDOW_S * 1_000_000_000;
        let mut scratch = Vec::new();
        if warm_ns > world.now_ns {
            world.markets.clear();
            while world.now_ns < warm_ns {
                world.walk(&mut scratch);
                if world.now_ns.is_multiple_of(WINDOW_S * 1_000_000_000) {
                    world.boundaries.push(value_e8(&world.path));
                }
                scratch.clear();
            }
            world.list(&mut scratch);
        }
        while world.now_ns + STEP_NS <= now_ns {
            scratch.clear();
            world.step(&mut scratch);
        }
        Ok(world)
    }

    /// Moves on by one step and appends its events in order of time.
    pub fn step(&mut self, out: &mut Vec<Stamped>) {
        let first = out.len();
        self.walk(out);
        while self
            .relayed
            .front()
            .is_some_and(|tick| tick.at_ns <= self.now_ns)
        {
            out.extend(self.relayed.pop_front());
        }
        if self.now_ns.is_multiple_of(WINDOW_S * 1_000_000_000) {
            self.boundary(out);
        }
        self.resolve(out);
        let ctx = StepContext {
            now_ns: self.now_ns,
            prices: &self.prices,
            sigma: self.path.believed_sigma(),
            maker_lag_ms: self.maker_lag_ms,
        };
        for market in self.markets.values_mut() {
            market.step(&ctx, out);
        }
        if let Some(step) = out.get_mut(first..) {
            step.sort_by_key(|stamped| stamped.at_ns);
        }
    }

    /// Path, tape and settlement source: what every market looks at.
    fn walk(&mut self, out: &mut Vec<Stamped>) {
        self.path.step();
        self.now_ns += STEP_NS;
        self.prices.push_front(self.path.price());
        self.prices.truncate(PRICES_KEPT);
        self.tape.step(self.now_ns, &self.path, |at_ns, event| {
            let event = match event {
                TapeEvent::Ticker(ticker) => WorldEvent::Ticker(ticker),
                TapeEvent::Trade(trade) => WorldEvent::Trade(trade),
            };
            out.push(Stamped { at_ns, event });
        });
        if self.now_ns.is_multiple_of(1_000_000_000) {
            let second = self.now_ns / 1_000_000_000;
            let mut chance = Rng::named(self.seed, &[0x7265_6c61, second]);
            if second.is_multiple_of(WINDOW_S) || !chance.chance(RELAY_LOSS) {
                let at_ns = self.now_ns + (1_050 + u64::from(chance.below(400))) * 1_000_000;
                let event = WorldEvent::Settlement {
                    second,
                    value_e8: value_e8(&self.path),
                };
                self.relayed.push_back(Stamped { at_ns, event });
            }
            // Joining late skips the ticks nobody was there to hear.
            while self.relayed.len() > 4 {
                self.relayed.pop_front();
            }
        }
    }

    /// A window boundary: the settlement source's value here ends some markets and starts others.
    fn boundary(&mut self, out: &mut Vec<Stamped>) {
        let value = value_e8(&self.path);
        let at_ns = self.now_ns;
        self.boundaries.push(value);
        for (key, market) in &mut self.markets {
            if key.close_s() * 1_000_000_000 == at_ns {
                out.push(Stamped {
                    at_ns,
                    event: WorldEvent::Closed(*key),
                });
                market.close(value, at_ns, out);
            }
        }
        self.list(out);
        for (key, market) in &mut self.markets {
            if key.start_s() * 1_000_000_000 == at_ns {
                market.open(value);
                out.push(Stamped {
                    at_ns,
                    event: WorldEvent::Opened(*key),
                });
            }
        }
    }

    fn list(&mut self, out: &mut Vec<Stamped>) {
        for key in MarketKey::listed_at(self.now_ns / 1_000_000_000, self.origin_s) {
            let mut market = MarketSim::listed(key, self.seed, self.origin_s);
            if let Some(value) = self.settlement_at(key.start_s()) {
                market.open(value);
            }
            self.markets.insert(key, market);
            out.push(Stamped {
                at_ns: self.now_ns,
                event: WorldEvent::Listed(key),
            });
        }
    }

    fn resolve(&mut self, out: &mut Vec<Stamped>) {
        let due = |at: u64| at > self.now_ns - STEP_NS && at <= self.now_ns;
        let mut gone = Vec::new();
        for key in self.markets.keys() {
            let at_ns = key.resolves_ns(self.seed);
            if due(at_ns)
                && let Some(winner) = self.winner(*key)
            {
                out.push(Stamped {
                    at_ns,
                    event: WorldEvent::Resolved(*key, winner),
                });
            }
            let at_ns = at_ns + DELISTED_AFTER_NS;
            if due(at_ns) {
                gone.push(*key);
                out.push(Stamped {
                    at_ns,
                    event: WorldEvent::Delisted(*key),
                });
            }
        }
        for key in gone {
            self.markets.remove(&key);
        }
    }

    /// World time reached.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The origin, unix seconds.
    pub fn origin_s(&self) -> u64 {
        self.origin_s
    }

    /// Live markets, from listing to a little after resolution.
    pub fn markets(&self) -> impl Iterator<Item = (MarketKey, &MarketSim)> {
        self.markets.iter().map(|(key, market)| (*key, market))
    }

    /// The Binance tape.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// Volatility per square root of a second, as the makers believe it to be now.
    pub fn believed_sigma(&self) -> f64 {
        self.path.believed_sigma()
    }

    /// BTC/USD now, as the settlement source sees it, in 1e-8 USD.
    pub fn price_e8(&self) -> i64 {
        value_e8(&self.path)
    }

    /// The settlement source's value at a window boundary since the origin, once it has passed.
    pub fn settlement_at(&self, second: u64) -> Option<i64> {
        let since = second.checked_sub(self.origin_s)?;
        let index = usize::try_from(since / WINDOW_S).ok()?;
        (since.is_multiple_of(WINDOW_S)).then(|| self.boundaries.get(index).copied())?
    }

    /// How a market pays, once its window has started.
    pub fn payoff(&self, key: MarketKey) -> Option<Payoff> {
        self.settlement_at(key.start_s())
            .map(|value| Payoff::of(key, value))
    }

    /// Who wins, once the window has ended (before the venue says so).
    pub fn winner(&self, key: MarketKey) -> Option<Outcome> {
        Some(self.payoff(key)?.winner(self.settlement_at(key.close_s())?))
    }

    /// Whether a market has been listed by now, live or past.
    pub fn has_listed(&self, key: MarketKey) -> bool {
        key.start_s() >= self.origin_s && key.listed_s(self.origin_s) * 1_000_000_000 <= self.now_ns
    }
}

fn value_e8(path: &PricePath) -> i64 {
    libm::round(path.price() * 1e8) as i64
}
