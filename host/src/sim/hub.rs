//! The meeting point of world and sockets: delivers each event when its time has come.
//!
//! Owns: the world, its clock, the books as the venues have shown them so far, and the clients.
//! Snapshots are taken from the same books the deltas are applied to, under one lock, so that a
//! client always sees a snapshot and then exactly the deltas after it.
//! Never: waits or touches a socket; a lock is held for one turn at most.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::book::{CENT, Outcome, Side, TwinBook};
use super::client::Clients;
use super::clock::SimClock;
use super::misbehave::{self, SimVenue};
use super::path::STEP_NS;
use super::spec::{MarketKey, WINDOW_S};
use super::tape::Ticker;
use super::world::{Stamped, World, WorldEvent};
use super::{binance, kalshi, polymarket, rtds};

/// World steps played in one turn; when that is not enough to keep up, the clock slips.
const STEPS_PER_TURN_MAX: usize = 200;
/// The driver never sleeps longer than this, so that faults and clients are looked after.
const NAP_MAX: Duration = Duration::from_millis(20);
/// Nor shorter, when there is nothing to deliver.
const NAP_MIN: Duration = Duration::from_millis(1);

/// Where a market stands, as the venue has shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Listed, the window has not started.
    Listed,
    /// The window runs.
    Open,
    /// The window is over, the outcome not announced.
    Closed,
    /// Announced.
    Resolved(Outcome),
}

/// One live market as the venue has shown it so far.
#[derive(Debug)]
pub struct View {
    /// Which market.
    pub key: MarketKey,
    /// Its book.
    pub book: TwinBook,
    /// Its tick.
    pub tick: u16,
    /// Where it stands.
    pub phase: Phase,
    /// Price of the last trade, as printed.
    pub last_trade: Option<u16>,
    /// When the book last changed, epoch ms.
    pub changed_ms: u64,
    /// Traded size.
    pub volume: i64,
    /// Condition id (Polymarket) or market id (Kalshi).
    pub id: String,
    /// Token ids, in the order of [`Outcome::BOTH`]; empty on Kalshi.
    pub tokens: [String; 2],
    /// Slug or ticker.
    pub name: String,
}

impl View {
    fn new(key: MarketKey, world: &World, phase: Phase) -> Self {
        let market = world
            .markets()
            .find(|(other, _)| *other == key)
            .map(|(_, market)| market);
        let seed = world.seed();
        let kalshi = key.is_kalshi();
        Self {
            key,
            book: market.map(|m| m.book().clone()).unwrap_or_default(),
            tick: market.map_or(CENT, |m| m.tick()),
            phase,
            last_trade: None,
            changed_ms: world.now_ns() / 1_000_000,
            volume: 0,
            id: if kalshi {
                key.uuid(seed, "market")
            } else {
                key.hex_id(seed, "condition")
            },
            tokens: if kalshi {
                Default::default()
            } else {
                Outcome::BOTH.map(|outcome| key.token_id(seed, outcome))
            },
            name: key.name(),
        }
    }
}

/// Something that is not heard for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// One market.
    Market(MarketKey),
    /// The Binance symbol.
    Binance,
    /// The price relay.
    Rtds,
}

/// World, books and clients.
#[derive(Debug)]
pub struct Hub {
    /// The world, up to a step ahead of what has been delivered.
    pub world: World,
    /// Every client.
    pub clients: Clients,
    /// Live markets as shown.
    pub views: BTreeMap<MarketKey, View>,
    /// World time up to which everything has been delivered.
    pub delivered_ns: u64,
    /// Binance's best quote as shown.
    pub ticker: Option<Ticker>,
    /// Time of the last candle push, epoch ms.
    pub candles_pushed_ms: u64,
    /// The last relayed settlement values: (second, 1e-8 USD).
    pub settlement: Option<(u64, i64)>,
    /// Who is silent, and until when.
    pub silences: Vec<(Silence, Instant)>,
    /// Crossing orders to take back: (world time, market, price).
    pub crossings: Vec<(u64, MarketKey, u16)>,
    /// How often the world could not keep up with the wall.
    pub slips: u64,
    queue: VecDeque<Stamped>,
    clock: SimClock,
    scratch: Vec<Stamped>,
}

impl Hub {
    /// Joins a world whose present instant it was at `wall`.
    pub fn new(world: World, wall: Instant, speed: f64) -> Self {
        let now_ns = world.now_ns();
        let now_s = now_ns / 1_000_000_000;
        let views = world.markets().map(|(key, _)| {
            let phase = match world.winner(key) {
                Some(winner) if key.resolves_ns(world.seed()) <= now_ns => Phase::Resolved(winner),
                _ if now_s >= key.close_s() => Phase::Closed,
                _ if now_s >= key.start_s() => Phase::Open,
                _ => Phase::Listed,
            };
            (key, View::new(key, &world, phase))
        });
        Self {
            views: views.collect(),
            clients: Clients::default(),
            delivered_ns: now_ns,
            ticker: world.tape().ticker(),
            candles_pushed_ms: now_ns / 1_000_000,
            settlement: None,
            silences: Vec::new(),
            crossings: Vec::new(),
            slips: 0,
            queue: VecDeque::new(),
            clock: SimClock::starting_at(now_ns, wall, speed),
            scratch: Vec::new(),
            world,
        }
    }

    /// The clock of this world.
    pub fn clock(&self) -> SimClock {
        self.clock.clone()
    }

    /// Delivered world time, epoch ms.
    pub fn now_ms(&self) -> u64 {
        self.delivered_ns / 1_000_000
    }

    /// Delivers what is due and returns how long the driver may sleep.
    pub fn turn(&mut self) -> Duration {
        let now_ns = self.clock.now_ns();
        let mut steps = 0;
        loop {
            while let Some(stamped) = self.queue.pop_front_if(|stamped| stamped.at_ns <= now_ns) {
                self.deliver(stamped);
            }
            let ahead = self.world.now_ns() >= now_ns + STEP_NS;
            if ahead || steps >= STEPS_PER_TURN_MAX {
                break;
            }
            steps += 1;
            self.world.step(&mut self.scratch);
            self.queue.extend(self.scratch.drain(..));
        }
        if self.world.now_ns() < now_ns {
            self.slips += 1;
            self.clock.slip_to(self.world.now_ns());
            self.delivered_ns = self.delivered_ns.max(self.world.now_ns());
            return Duration::ZERO;
        }
        self.delivered_ns = self.delivered_ns.max(now_ns);
        let now = Instant::now();
        self.silences.retain(|(_, until)| *until > now);
        misbehave::uncross(self);
        self.clients.sweep();
        let next_ns = self
            .queue
            .front()
            .map_or(self.world.now_ns(), |stamped| stamped.at_ns);
        self.clock.wait_for(next_ns).clamp(NAP_MIN, NAP_MAX)
    }

    fn deliver(&mut self, stamped: Stamped) {
        let Stamped { at_ns, event } = stamped;
        self.delivered_ns = self.delivered_ns.max(at_ns);
        match event {
            WorldEvent::Ticker(ticker) => {
                self.ticker = Some(ticker);
                binance::ticker(self, &ticker);
                binance::candles(self);
            }
            WorldEvent::Trade(trade) => {
                binance::trade(self, &trade);
                rtds::binance_trade(self, &trade);
            }
            WorldEvent::Settlement { second, value_e8 } => {
                self.settlement = Some((second, value_e8));
                rtds::settlement(self, second, value_e8);
            }
            WorldEvent::Listed(key) => {
                let mut view = View::new(key, &self.world, Phase::Listed);
                // The world may be a step ahead: the book starts as it was at the listing.
                view.book =
                    super::market::MarketSim::listed(key, self.world.seed(), self.world.origin_s())
                        .book()
                        .clone();
                view.changed_ms = at_ns / 1_000_000;
                self.views.insert(key, view);
                if key.is_kalshi() {
                    kalshi::lifecycle(self, key, "created");
                } else {
                    polymarket::listed(self, key);
                }
            }
            WorldEvent::Opened(key) => {
                self.enter(key, Phase::Open);
                kalshi::lifecycle(self, key, "activated");
            }
            WorldEvent::Closed(key) => {
                self.enter(key, Phase::Closed);
                kalshi::lifecycle(self, key, "deactivated");
            }
            WorldEvent::Cleared(key) => {
                if let Some(view) = self.views.get_mut(&key) {
                    view.book.clear();
                    view.changed_ms = at_ns / 1_000_000;
                }
                kalshi::snapshot_all(self, key);
            }
            WorldEvent::Level {
                key,
                side,
                price,
                size,
            } => self.set_level(key, side, price, size),
            WorldEvent::Fill {
                key,
                resting,
                price,
                size,
                left,
                id,
            } => {
                if let Some(view) = self.views.get_mut(&key) {
                    view.volume += size;
                    view.last_trade = Some(polymarket::printed(resting, price, id).1);
                }
                self.set_level(key, resting, price, left);
                if key.is_kalshi() {
                    kalshi::trade(self, key, resting, price, size, id);
                } else {
                    polymarket::books_after_trade(self, key);
                }
            }
            WorldEvent::Print {
                key,
                resting,
                price,
                size,
                id,
            } => {
                polymarket::print(self, key, resting, price, size, id);
            }
            WorldEvent::TickSize { key, old, new } => {
                let changed = self
                    .views
                    .get_mut(&key)
                    .is_some_and(|view| std::mem::replace(&mut view.tick, new) != new);
                if changed {
                    polymarket::tick_changed(self, key, old);
                }
            }
            WorldEvent::Resolved(key, winner) => {
                self.enter(key, Phase::Resolved(winner));
                if key.is_kalshi() {
                    kalshi::lifecycle(self, key, "determined");
                } else {
                    polymarket::resolved(self, key, winner);
                }
            }
            WorldEvent::Delisted(key) => {
                kalshi::delisted(self, key);
                polymarket::delisted(self, key);
                self.views.remove(&key);
            }
        }
    }

    fn enter(&mut self, key: MarketKey, phase: Phase) {
        if let Some(view) = self.views.get_mut(&key) {
            view.phase = phase;
        }
    }

    /// Sets a level of a market to an absolute size and tells everybody.
    pub fn set_level(&mut self, key: MarketKey, side: Side, price: u16, size: i64) {
        let now_ms = self.now_ms();
        let Some(view) = self.views.get_mut(&key) else {
            return;
        };
        let before =
            [Side::Bid, Side::Ask].map(|side| view.book.best(side).map(|(price, _)| price));
        let change = view.book.set(side, price, size);
        if change == 0 {
            return;
        }
        view.changed_ms = now_ms;
        let after = [Side::Bid, Side::Ask].map(|side| view.book.best(side).map(|(price, _)| price));
        if key.is_kalshi() {
            kalshi::delta(self, key, side, price, change, before != after);
        } else {
            polymarket::level_changed(self, key, side, price, size, before != after);
        }
    }

    /// Whether nothing may be heard of something now.
    pub fn is_silent(&self, silence: Silence) -> bool {
        self.silences.iter().any(|(other, _)| *other == silence)
    }

    /// A live market by any of its names; without a name, the venue's current five-minute market.
    pub fn find_market(&self, venue: SimVenue, name: Option<&str>) -> Option<MarketKey> {
        let kalshi = match venue {
            SimVenue::Polymarket => false,
            SimVenue::Kalshi => true,
            SimVenue::Binance | SimVenue::Rtds => return None,
        };
        let Some(name) = name else {
            let start_s = self.delivered_ns / 1_000_000_000 / WINDOW_S * WINDOW_S;
            let key = if kalshi {
                MarketKey::Kalshi { start_s }
            } else {
                MarketKey::UpDown { start_s }
            };
            return self.views.contains_key(&key).then_some(key);
        };
        let found = self.views.values().find(|view| {
            view.key.is_kalshi() == kalshi
                && (view.name == name || view.id == name || view.tokens.iter().any(|t| t == name))
        });
        found.map(|view| view.key)
    }

    /// A live Polymarket token.
    pub fn find_token(&self, token: &str) -> Option<(MarketKey, Outcome)> {
        self.views
            .values()
            .filter(|view| !view.key.is_kalshi())
            .find_map(|view| {
                let outcome = Outcome::BOTH
                    .into_iter()
                    .find(|outcome| view.tokens[outcome.index()] == token)?;
                Some((view.key, outcome))
            })
    }
}

/// The hub behind its lock.
#[derive(Debug)]
pub struct Shared(Mutex<Hub>);

impl Shared {
    /// Behind a lock.
    pub fn new(hub: Hub) -> Self {
        Self(Mutex::new(hub))
    }

    /// The hub. A panic elsewhere leaves a hub that is still whole event by event, so a poisoned
    /// lock is taken all the same.
    pub fn lock(&self) -> MutexGuard<'_, Hub> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
