//! Simulated venues: the real venues' wire protocols over loopback, driven by a seeded world.
//!
//! ```text
//! seed ─► path ─► tape ───────────────┐
//!            └──► markets (spec, market, book) ─► world ─► hub ─► polymarket · polymarket_rest · gamma · rtds
//!                                                  100 ms  │  ├─► kalshi · kalshi_rest
//!                                  wall clock ─► clock ────┘  └─► binance
//!                                  faults ─► misbehave ─► client queues ─► socket
//! ```
//!
//! Owns: the server's start and stop, its addresses, and its control. All times on the wire are
//! world times; heartbeats and time limits of a connection run on the wall clock.
//! Never: listens beyond the address it was given, or shares code with the clients it is there to
//! test: a mistake made on both sides would test as right.
//!
//! Where it is simpler than the venues: one asset; API keys are not asked for; every trade is
//! printed at the resting order's price; the seconds that decide a market are always relayed.

pub mod book;
pub mod market;
pub mod misbehave;
pub mod path;
pub mod rng;
pub mod spec;
pub mod tape;
pub mod world;

mod binance;
mod client;
mod clock;
mod gamma;
mod hub;
mod kalshi;
mod kalshi_rest;
mod polymarket;
mod polymarket_rest;
mod rtds;
mod socket;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::clock::SimClock;
use self::hub::{Hub, Shared};
pub use self::misbehave::{Fault, FaultKind, SimVenue};
use self::world::{World, WorldError};

/// How far makers look behind the oracle when nothing else is said: 1.5 to 2.5 s.
pub const MAKER_LAG_MS: u64 = 2_000;
/// The fastest world: an hour in a second.
pub const SPEED_MAX: f64 = 3_600.0;
/// Largest request body.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What kind of world to serve, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct SimConfig {
    /// Names the world.
    pub seed: u64,
    /// World time at which the world began: a multiple of 300 s, in unix ns.
    pub origin_unix_ns: u64,
    /// World time now. A restart gives the same seed and origin and a later instant.
    pub start_at_unix_ns: u64,
    /// World seconds a wall second.
    pub speed: f64,
    /// How far makers look behind the oracle, on average.
    pub maker_lag_ms: u64,
    /// Where to listen; port 0 finds a free one.
    pub bind: SocketAddr,
}

impl SimConfig {
    /// A world of this seed that began at the last boundary before `now` and runs at wall speed,
    /// on a free loopback port.
    pub fn starting_now(seed: u64, now_unix_ns: u64) -> Self {
        const BOUNDARY_NS: u64 = spec::RANGE_WINDOW_S * 1_000_000_000;
        Self {
            seed,
            origin_unix_ns: now_unix_ns / BOUNDARY_NS * BOUNDARY_NS,
            start_at_unix_ns: now_unix_ns,
            speed: 1.0,
            maker_lag_ms: MAKER_LAG_MS,
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

/// Why the simulated venues did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The speed is no usable number.
    #[error("a simulated world cannot run at speed {speed}: choose one above 0, up to {SPEED_MAX}")]
    Speed {
        /// The speed given.
        speed: f64,
    },
    /// There is no such world.
    #[error("the simulated world cannot be built")]
    World(#[source] WorldError),
    /// The address cannot be listened on.
    #[error("the simulated venues cannot listen on {address}: free it or choose port 0")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The rebuilding task died.
    #[error("the simulated world could not be rebuilt up to now")]
    Rebuild(#[source] tokio::task::JoinError),
}

/// Where each service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Polymarket's market channel.
    pub polymarket_ws: String,
    /// Polymarket's Gamma service (append `/events`, `/markets`).
    pub gamma: String,
    /// Polymarket's order book service (append `/book`, `/books`).
    pub clob: String,
    /// Polymarket's price relay.
    pub rtds: String,
    /// Binance's streams: the base (append `/stream?streams=…` or `/ws/…`).
    pub binance_ws: String,
    /// Binance's REST base (append `/api/v3/…`).
    pub binance_rest: String,
    /// Kalshi's REST base, which includes `/trade-api/v2`.
    pub kalshi_rest: String,
    /// Kalshi's WebSocket.
    pub kalshi_ws: String,
    /// `GET` tells the state, `POST` of a [`Fault`] arms it:
    /// `curl --json '{"venue":"kalshi","kind":"reorder","count":2}' $CONTROL`.
    pub control: String,
}

impl Endpoints {
    fn at(address: SocketAddr) -> Self {
        Self {
            polymarket_ws: format!("ws://{address}/polymarket/ws/market"),
            gamma: format!("http://{address}/polymarket/gamma"),
            clob: format!("http://{address}/polymarket/clob"),
            rtds: format!("ws://{address}/polymarket/rtds"),
            binance_ws: format!("ws://{address}/binance"),
            binance_rest: format!("http://{address}/binance"),
            kalshi_rest: format!("http://{address}/kalshi/trade-api/v2"),
            kalshi_ws: format!("ws://{address}/kalshi/trade-api/ws/v2"),
            control: format!("http://{address}/control"),
        }
    }
}

/// The simulated venues, before they run.
#[derive(Debug)]
pub struct SimServer;

impl SimServer {
    /// Builds the world up to its present and starts serving it.
    pub async fn start(config: SimConfig) -> Result<SimHandle, SimError> {
        let SimConfig {
            seed,
            origin_unix_ns,
            start_at_unix_ns,
            speed,
            maker_lag_ms,
            bind,
        } = config;
        if !(speed > 0.0 && speed <= SPEED_MAX) {
            return Err(SimError::Speed { speed });
        }
        // Whoever starts it reads the same clock: building the world must not put it behind.
        let wall = Instant::now();
        // A week of history takes a second or two: not on a thread that others wait for.
        let origin_s = origin_unix_ns / 1_000_000_000;
        let built = tokio::task::spawn_blocking(move || {
            World::joined_at(seed, origin_s, maker_lag_ms, start_at_unix_ns)
        });
        let world = built
            .await
            .map_err(SimError::Rebuild)?
            .map_err(SimError::World)?;

        let listener = TcpListener::bind(bind)
            .await
            .map_err(|source| SimError::Listen {
                address: bind,
                source,
            })?;
        let address = listener.local_addr().map_err(|source| SimError::Listen {
            address: bind,
            source,
        })?;
        let hub = Hub::new(world, wall, speed);
        let clock = hub.clock();
        let shared = Arc::new(Shared::new(hub));
        let app = router(Arc::clone(&shared));
        // A venue's frames are small and urgent: none waits for the acknowledgement of the last.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a simulated connection keeps its send delay");
            }
        });
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the simulated venues stopped listening");
            }
        });
        let driven = Arc::clone(&shared);
        let driver = tokio::spawn(async move {
            loop {
                let nap = driven.lock().turn();
                if nap.is_zero() {
                    tokio::task::yield_now().await;
                } else {
                    tokio::time::sleep(nap).await;
                }
            }
        });
        Ok(SimHandle {
            endpoints: Endpoints::at(address),
            clock,
            shared,
            server,
            driver,
        })
    }
}

/// The running simulated venues; dropping it stops them.
#[derive(Debug)]
pub struct SimHandle {
    endpoints: Endpoints,
    clock: SimClock,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    driver: JoinHandle<()>,
}

impl SimHandle {
    /// Where each service is.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The world's clock, for whoever stamps what these venues send.
    pub fn clock(&self) -> SimClock {
        self.clock.clone()
    }

    /// World time now.
    pub fn world_now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Arms a fault; returns how many connections or instruments it struck.
    pub fn misbehave(&self, fault: Fault) -> usize {
        misbehave::arm(&mut self.shared.lock(), &fault)
    }

    /// Whether it still serves: false only after a defect of its own ended a task.
    pub fn is_running(&self) -> bool {
        !self.server.is_finished() && !self.driver.is_finished()
    }

    /// Stops: no new connections, the open ones are cut.
    pub async fn stop(mut self) {
        self.end();
        // Both were told to end; how they did does not matter any more.
        let _ = (&mut self.server).await;
        let _ = (&mut self.driver).await;
    }

    fn end(&self) {
        self.server.abort();
        self.driver.abort();
        let mut hub = self.shared.lock();
        hub.clients.iter_mut().for_each(client::Client::cut);
        hub.clients.sweep();
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        self.end();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .merge(socket::routes())
        .nest("/polymarket/gamma", polymarket_rest::gamma_routes())
        .nest("/polymarket/clob", polymarket_rest::clob_routes())
        .nest("/binance/api/v3", binance::routes())
        .nest("/kalshi/trade-api/v2", kalshi_rest::routes())
        .route("/control", get(state).post(control))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

async fn control(State(shared): State<Arc<Shared>>, Json(fault): Json<Fault>) -> Json<Value> {
    Json(json!({"struck": misbehave::arm(&mut shared.lock(), &fault)}))
}

async fn state(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let hub = shared.lock();
    let clients: serde_json::Map<String, Value> = SimVenue::ALL
        .iter()
        .filter_map(|venue| {
            Some((
                serde_json::to_value(venue).ok()?.as_str()?.to_owned(),
                json!(hub.clients.count(*venue)),
            ))
        })
        .collect();
    Json(json!({
        "seed": hub.world.seed(),
        "origin_s": hub.world.origin_s(),
        "world_now_ms": hub.now_ms(),
        "volatility_per_sqrt_second": hub.world.believed_sigma(),
        "settlement": hub.settlement.map(|(second, value_e8)| json!({"second": second, "value_e8": value_e8})),
        "clients": clients,
        "cut_total": hub.clients.cut_total,
        "slips": hub.slips,
    }))
}
