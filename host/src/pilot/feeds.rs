//! Market data for a run: the live venues, the simulated ones, or a recording.
//!
//! Owns the choice and the order in which feeds start. Simulated venues run in this process and are
//! reached through their sockets, by the same clients as the live ones.

use super::{Options, PilotError};
use crate::agent::{AgentContext, AgentError};
use crate::catalog::SharedCatalog;
use crate::cli::{Feed, Speed};
use crate::clock::Clock;
use crate::input::{Input, InputSender};
use crate::journal::{JournalError, JournalReader, RunMeta};
use crate::oracle::{binance, chainlink};
use crate::orchestrator::{AgentFuture, AgentSpec, Criticality, Orchestrator};
use crate::sim::{SimConfig, SimError, SimHandle, SimServer};
use crate::venue::{kalshi, polymarket};
use pm_arb_core::event::{Event, GapScope};
use pm_arb_core::ids::{Timestamp, Venue};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A simulated world begins at a multiple of this.
const SIM_ORIGIN_SECS: u64 = 900;
/// The fastest simulated world that sockets and clients keep up with comfortably.
pub const SIM_SPEED_MAX: f64 = 200.0;
/// A recording that says nothing for so long, by the wall, has a hole (or is played slowly).
const RECORDED_SILENCE: Duration = Duration::from_secs(30);
/// How long the start waits for one feed; the others start meanwhile.
const READY_PATIENCE: Duration = Duration::from_secs(3);

/// Why market data did not start.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The simulated venues.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The recording.
    #[error(transparent)]
    Recording(#[from] JournalError),
    /// The recording is empty.
    #[error("{0} holds no record; import something into it first")]
    Empty(PathBuf),
}

/// World seconds a second of a new simulated world.
pub fn sim_speed(options: &Options) -> Result<f64, PilotError> {
    match options.speed {
        None => Ok(options.config.sim.speed),
        Some(Speed::Times(speed)) if speed <= SIM_SPEED_MAX => Ok(speed),
        Some(_) => Err(PilotError::Options(format!(
            "simulated venues speak through sockets: give --speed a number up to {SIM_SPEED_MAX}; `max` is for recordings"
        ))),
    }
}

/// When a simulated world that is opened now began.
pub fn sim_origin(now: Timestamp) -> Timestamp {
    Timestamp::from_secs(now.secs() / SIM_ORIGIN_SECS * SIM_ORIGIN_SECS)
}

/// The run's clock, for a run whose last record is of `last_at`. A simulated world sleeps while no
/// pilot runs; a recording's clock stands still at its first record, because its records tell the time.
pub fn clock(options: &Options, last_at: Timestamp) -> Result<Clock, PilotError> {
    let utc = Clock::utc();
    Ok(match &options.feed {
        Feed::Live => {
            if options
                .speed
                .is_some_and(|speed| speed != Speed::Times(1.0))
            {
                return Err(PilotError::Options(
                    "live markets run at their own speed; leave --speed out".into(),
                ));
            }
            utc
        }
        Feed::Sim => Clock::at(
            if last_at.0 == 0 { utc.now() } else { last_at },
            sim_speed(options)?,
        ),
        Feed::Recorded(path) => {
            let mut journal = JournalReader::open(path).map_err(FeedError::from)?;
            let first = journal.next().map_err(FeedError::from)?;
            Clock::standing(first.ok_or_else(|| FeedError::Empty(path.clone()))?.at)
        }
    })
}

/// What feeds are given.
pub struct Context<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// The run.
    pub meta: &'a RunMeta,
    /// Its clock.
    pub clock: Clock,
    /// Its numbers.
    pub catalog: SharedCatalog,
    /// Where facts go.
    pub input: InputSender,
    /// Polymarket's markets without an outcome.
    pub unresolved_polymarket: Vec<String>,
    /// Kalshi's.
    pub unresolved_kalshi: Vec<String>,
}

/// Running feeds.
pub struct Feeds {
    sim: Option<SimHandle>,
    recording_over: Option<watch::Receiver<bool>>,
}

impl Feeds {
    /// Resolves when a recording is over; never for others.
    pub fn ended(&self) -> impl Future<Output = ()> + use<> {
        let over = self.recording_over.clone();
        async move {
            match over {
                // An error means that the recording's agent is gone, which is an end as well.
                Some(mut over) => _ = over.wait_for(|over| *over).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Stops what is no agent.
    pub async fn stop(self) {
        if let Some(sim) = self.sim {
            sim.stop().await;
        }
    }
}

/// Whether an agent brings market data (they are stopped first).
pub fn is_feed(name: &str) -> bool {
    ["venue-watcher", "oracle", "recording", "strategy-watcher"]
        .iter()
        .any(|kind| name.starts_with(kind))
}

/// Starts the feeds of the run.
pub async fn start(context: Context<'_>, agents: &mut Orchestrator) -> Result<Feeds, PilotError> {
    let mut config = context.options.config.feeds.clone();
    config
        .polymarket
        .unresolved
        .extend(context.unresolved_polymarket.iter().cloned());
    config
        .kalshi
        .unresolved
        .extend(context.unresolved_kalshi.iter().cloned());
    let mut feeds = Feeds {
        sim: None,
        recording_over: None,
    };
    let with_kalshi = match &context.options.feed {
        Feed::Recorded(path) => {
            feeds.recording_over = Some(play(path, &context, agents).await);
            return Ok(feeds);
        }
        // Kalshi lets nobody in without a key.
        Feed::Live => config.kalshi.key.is_some(),
        Feed::Sim => {
            let sim = start_sim(&context).await.map_err(FeedError::from)?;
            let at = sim.endpoints().clone();
            tracing::info!(polymarket = %at.polymarket_ws, control = %at.control, "simulated venues");
            config.polymarket.ws_url = at.polymarket_ws;
            config.polymarket.gamma_url = at.gamma;
            config.polymarket.series = vec!["btc-updown-5m".into(), "btc-range-15m".into()];
            config.binance.ws_url = at.binance_ws;
            config.binance.rest_url = at.binance_rest;
            config.chainlink.ws_url = at.rtds;
            config.kalshi.ws_url = at.kalshi_ws;
            config.kalshi.rest_url = at.kalshi_rest;
            config.kalshi.series = vec!["KXBTC5M".into()];
            feeds.sim = Some(sim);
            true
        }
    };
    let parts = (context.catalog, context.clock, context.input);
    let (cfg, p) = (config.binance, parts.clone());
    let oracle_spec = agent("oracle-binance", no_gap(), move |ctx| {
        let (catalog, clock, input) = p.clone();
        Box::pin(binance::run(ctx, cfg.clone(), catalog, clock, input))
    });
    agents.start(oracle_spec, READY_PATIENCE).await;
    let (cfg, p) = (config.chainlink, parts.clone());
    let chainlink_spec = agent("oracle-chainlink", no_gap(), move |ctx| {
        let (catalog, clock, input) = p.clone();
        Box::pin(chainlink::run(ctx, cfg.clone(), catalog, clock, input))
    });
    agents.start(chainlink_spec, READY_PATIENCE).await;
    let (cfg, p) = (config.polymarket, parts.clone());
    let book = Arc::clone(&context.options.rules);
    let polymarket_spec = agent(
        "venue-watcher-polymarket",
        gap(Venue::Polymarket, &parts),
        move |ctx| {
            let (catalog, clock, input) = p.clone();
            let rules = Arc::clone(&book);
            Box::pin(polymarket::run(
                ctx,
                cfg.clone(),
                catalog,
                clock,
                input,
                rules,
            ))
        },
    );
    agents.start(polymarket_spec, READY_PATIENCE).await;
    if with_kalshi {
        let (cfg, p) = (config.kalshi, parts.clone());
        let book = Arc::clone(&context.options.rules);
        let kalshi_spec = agent(
            "venue-watcher-kalshi",
            gap(Venue::Kalshi, &parts),
            move |ctx| {
                let (catalog, clock, input) = p.clone();
                let rules = Arc::clone(&book);
                Box::pin(kalshi::run(ctx, cfg.clone(), catalog, clock, input, rules))
            },
        );
        agents.start(kalshi_spec, READY_PATIENCE).await;
    }
    Ok(feeds)
}

type Parts = (SharedCatalog, Clock, InputSender);
type OnDown = Arc<dyn Fn() + Send + Sync>;

fn agent(
    name: &str,
    on_down: OnDown,
    start: impl Fn(AgentContext) -> AgentFuture + Send + Sync + 'static,
) -> AgentSpec {
    AgentSpec {
        name: name.into(),
        criticality: Criticality::Feed,
        start: Arc::new(start),
        on_down,
    }
}

/// Oracles go stale by themselves.
fn no_gap() -> OnDown {
    Arc::new(|| {})
}

/// A venue watcher that is gone leaves books nobody keeps true.
fn gap(venue: Venue, parts: &Parts) -> OnDown {
    let (_, clock, input) = parts.clone();
    Arc::new(move || {
        let event = Event::Gap {
            scope: GapScope::Venue(venue),
            cause: "its watcher failed".into(),
        };
        let (received, input) = (clock.now(), input.clone());
        tokio::spawn(async move {
            // Without an engine there is nothing to warn.
            let _ = input
                .send(Input::Feed {
                    received,
                    events: vec![event],
                })
                .await;
        });
    })
}

async fn start_sim(context: &Context<'_>) -> Result<SimHandle, SimError> {
    let now = context.clock.now();
    let sim = context.meta.sim.as_ref();
    SimServer::start(SimConfig {
        seed: sim.map_or(1, |sim| sim.seed),
        origin_unix_ns: sim.map_or(sim_origin(now).0, |sim| sim.origin_ns),
        start_at_unix_ns: now.0,
        speed: context.clock.speed(),
        maker_lag_ms: context.options.config.sim.maker_lag_ms,
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    })
    .await
}

/// Plays a recording into the engine, by its own time.
async fn play(
    path: &Path,
    context: &Context<'_>,
    agents: &mut Orchestrator,
) -> watch::Receiver<bool> {
    let (done, over) = watch::channel(false);
    let (path, input) = (path.to_owned(), context.input.clone());
    let speed = match context.options.speed {
        None => Some(1.0),
        Some(Speed::Times(speed)) => Some(speed),
        Some(Speed::Max) => None,
    };
    let spec = agent("recording", no_gap(), move |ctx| {
        let (path, input, done) = (path.clone(), input.clone(), done.clone());
        Box::pin(async move {
            let stop = ctx.clone();
            let played = tokio::task::spawn_blocking(move || play_all(&path, speed, &input, &ctx));
            let played = played.await.map_err(|e| AgentError::Fatal(e.to_string()))?;
            done.send_replace(true);
            // What failed once fails again: the file is the same.
            played.map_err(|e| AgentError::Fatal(e.to_string()))?;
            stop.stopped().await;
            Ok(())
        })
    });
    agents.start(spec, READY_PATIENCE).await;
    over
}

fn play_all(
    path: &Path,
    speed: Option<f64>,
    input: &InputSender,
    ctx: &AgentContext,
) -> Result<(), JournalError> {
    let mut journal = JournalReader::open(path)?;
    let mut pace: Option<Clock> = None;
    let stream = ctx.feeds().stream("recording", RECORDED_SILENCE);
    stream.carries(path.display().to_string(), false);
    stream.connected();
    ctx.ready();
    while let Some(record) = journal.next()? {
        ctx.beat();
        // The recorded run's own settings, strategies and operators are not its market data.
        if matches!(
            record.event,
            Event::Configured(_) | Event::Strategy(_) | Event::Command(_) | Event::Tick
        ) {
            continue;
        }
        if let Some(speed) = speed {
            let clock = pace.get_or_insert_with(|| Clock::at(record.at, speed));
            // In short steps, so that a stop is heard and progress is shown within a long silence.
            while clock.until(record.at) > Duration::ZERO && !ctx.is_stopping() {
                ctx.beat();
                std::thread::sleep(clock.until(record.at).min(Duration::from_millis(200)));
            }
        }
        stream.message(0);
        let events = vec![record.event.clone()];
        // As the recording has it: the lag is that of its day.
        stream.told(&events, record.at, 1.0);
        let message = Input::Feed {
            received: record.at,
            events,
        };
        if ctx.is_stopping() || input.blocking_send(message).is_err() {
            break;
        }
    }
    stream.ended();
    Ok(())
}
