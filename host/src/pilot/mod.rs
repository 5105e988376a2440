//! The running pilot: puts the parts together, in order, and takes them apart again.
//!
//! ```text
//! lock ─► run (new, or continued from its journal) ─► database ─► engine's thread ─► strategies ─► feeds
//! stop:   feeds ─► engine drains ─► journal and database flushed ─► summary
//! ```

mod agents;
pub mod counts;
/// One pilot a folder; which run it continues.
pub mod data_dir;
mod feeds;
pub(crate) mod operator;
mod outlets;
mod recovery;
mod runner;
mod session;
mod stop;
mod systemd;

pub use data_dir::DataDirError;
pub use feeds::is_feed;
pub use outlets::by_reason;
pub use runner::RunnerError;
pub use session::{LoaderView, Session, SessionError, attend};

use crate::alerts::notifier::Notifier;
use crate::alerts::target::Pace;
use crate::calibrate::Calibrated;
use crate::catalog::SharedCatalog;
use crate::cli::{Feed, Speed};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::input::{self, Input};
use crate::journal::{JournalError, RunMeta, SimMeta};
use crate::orchestrator::{HealthBoard, Orchestrator};
use crate::plugin::{
    Limits, LoaderError, PluginError, PluginHost, Preparer, Settings, SourceError, Sources,
    Tracker, apart,
};
use crate::replay::ReplayError;
use crate::shadow::Keeper;
use crate::snapshot::Watcher;
use crate::store::{self, RelayError, RelayHandle, Store, StoreError};
use crate::terminal::Live;
use crate::vitals::{Gauges, Outward, Sampler, Sources as VitalSources};
use crate::web::{Door, DoorError};
use agents::{
    control_spec, dashboard_spec, keep_in, notifier_spec, relay_spec, shadow_spec, start_bus,
    vitals_spec, watcher_spec,
};
use data_dir::DataDir;
use feeds::FeedError;
use operator::Operator;
use outlets::Outlets;
use pm_arb_core::ids::{Seq, Venue};
use pm_arb_core::reason::Reason;
use pm_arb_core::report::Summary;
use pm_arb_core::rulebook::Rulebook;
use runner::{Runner, TimeSource, Turns};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use stop::{Orders, Stopped, wait};
use tokio::sync::watch;

/// How long the start waits for one agent before it goes on with the next.
const READY_PATIENCE: Duration = Duration::from_secs(10);
/// How long the database may take for what it was not yet given, at the end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files, folders, globs.
    pub strategies: Vec<String>,
    /// Market data.
    pub feed: Feed,
    /// Stop by itself after this long.
    pub duration: Option<Duration>,
    /// World or recording seconds a second.
    pub speed: Option<Speed>,
    /// Of the simulated world.
    pub seed: Option<u64>,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The database.
    pub database_url: String,
    /// The bus.
    pub redis_url: Option<String>,
    /// Settings.
    pub config: Config,
    /// Rules of venues, for what markets do not say themselves.
    pub rules: Arc<Rulebook>,
    /// Begin a new run.
    pub new_run: bool,
    /// Where the dashboard listens, or `off`; `None`: as configured.
    pub dashboard: Option<String>,
}

/// Why the pilot did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[allow(
    missing_docs,
    reason = "each variant is the error of the part it names"
)]
pub enum PilotError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Options(String),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Dashboard(#[from] DoorError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Plugin(#[from] PluginError),
    #[error(transparent)]
    Sources(#[from] SourceError),
    #[error("{path}: {why}")]
    StrategyRefused { path: PathBuf, why: String },
    #[error(transparent)]
    Loader(#[from] LoaderError),
    #[error("the run can not be continued from its journal")]
    Recovery(#[from] ReplayError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("trades can not be stored")]
    Relay(#[source] RelayError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("the engine stopped")]
    Engine(#[from] RunnerError),
    #[error("{0} failed for good; the pilot does not trade without it")]
    AgentLost(String),
    #[error("cannot {what}")]
    System {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

/// How it ended.
pub struct Ended {
    /// The run's folder.
    pub run: PathBuf,
    /// Its last record.
    pub last: Seq,
    /// Digest of its effects.
    pub digest: String,
    /// What it came to so far.
    pub summary: Summary,
    /// Inputs that could not be used, by reason.
    pub refused_inputs: Vec<(Reason, u64)>,
    /// Its fair values against outcomes, from the first record on.
    pub calibrated: Calibrated,
}

/// Runs a pilot until it is stopped.
pub fn run(options: &Options, runtime: &tokio::runtime::Runtime) -> Result<Ended, PilotError> {
    let shadow_policy = options.config.shadow_policy()?;
    let engine_config = match options.feed {
        Feed::Live => options.config.live_engine()?,
        Feed::Sim | Feed::Recorded(_) => options.config.engine()?,
    };
    let swap = options.config.swap()?;
    let settings = Settings::of(&options.config);
    let sources = Sources::parse(&options.strategies)?;
    sources.check()?;
    let gauges = Gauges::default();
    // Before anything runs: a secret that is missing is a wrong configuration.
    let notifier = Notifier::new(
        &options.config.alerts,
        Pace::default(),
        &gauges.alerts,
        gauges.progress.clone(),
        &options.database_url,
        gauges.watch(),
    )?;
    let host = PluginHost::live(Limits::default(), apart::ourselves())?
        .granting(options.config.grants.grants()?);
    let data = DataDir::open(&options.data_dir)?;
    let door = Door::open(
        &options.config.dashboard,
        options.dashboard.as_deref(),
        data.path(),
    )?;
    let choice = choose_run(options, &data)?;
    let preparer = Preparer::new(host.clone(), options.config.all_strategy_params())
        .keeping(keep_in(choice.dir.clone()));

    let store = runtime.block_on(open_store(options, &choice.meta))?;
    let persisted = runtime
        .block_on(store.persisted_seq(choice.meta.run_id))?
        .unwrap_or_default();
    let board = HealthBoard::default();
    let mut agents = Orchestrator::new(board.clone());
    let (relay_handle, relay) = store::relay(store.clone(), choice.meta.run_id, persisted);
    runtime.block_on(agents.start(relay_spec(relay), READY_PATIENCE));

    let (journal, mut replayed, mut loader) =
        recovery::resume(&choice, host.clone(), &relay_handle, persisted)?;
    host.go_live()?;
    loader.govern(swap);
    let shadows = loader.shadows().clone();
    shadows.set_on_new_bytes(shadow_policy.on_new_bytes);
    let clock = feeds::clock(options, replayed.last_at)?;
    let catalog = SharedCatalog::new(std::mem::take(&mut replayed.catalog));
    let in_force = replayed.config.take();
    let mut session = Session::new(choice.dir.clone(), journal, replayed);
    let mut tracker = Tracker::new(sources.clone(), preparer.clone());
    recovery::enter(
        &mut session,
        &mut loader,
        &mut tracker,
        engine_config,
        in_force.as_ref(),
        data.path(),
        &clock,
    )?;
    tracing::info!(
        run = %choice.dir.display(), feed = %choice.meta.source, database = %store::redact(&options.database_url),
        "{}", if choice.is_new { "new run" } else { "continuing a run" },
    );

    let (input, inbox) = input::channel();
    let bus = runtime.block_on(start_bus(options, choice.meta.run_id, &mut agents, &input));
    let context = feeds::Context {
        options,
        meta: &choice.meta,
        clock,
        catalog,
        input: input.clone(),
        unresolved_polymarket: recovery::unresolved(&session, Venue::Polymarket),
        unresolved_kalshi: recovery::unresolved(&session, Venue::Kalshi),
    };
    let time = if matches!(options.feed, Feed::Recorded(_)) {
        TimeSource::Recording
    } else {
        TimeSource::Clock
    };
    let (watcher, latest) =
        Watcher::new(choice.meta.run_id.to_string(), choice.meta.source.clone());
    runtime.spawn(systemd::tell(latest.clone()));
    let sampler = Sampler::new(
        VitalSources {
            board: board.clone(),
            relay: relay_handle.clone(),
            database_url: options.database_url.clone(),
            bus: bus.clone(),
            run: choice.dir.clone(),
            config_file: options.config.file.clone(),
            outward: notifier
                .clone()
                .map(|notifier| -> Outward { Arc::new(move || notifier.rows()) }),
        },
        gauges.clone(),
    );
    let outlets = Outlets::new(
        relay_handle.clone(),
        bus,
        board.clone(),
        watcher.with(gauges),
    );
    let runner = Runner {
        session,
        loader,
        outlets,
        clock,
        time,
        turns: Turns::default(),
    };
    let live = Live::start(latest.clone(), door.as_ref().map(Door::url)).map_err(|source| {
        PilotError::System {
            what: "start the terminal's thread",
            source,
        }
    })?;
    let (engine, engine_ended) = spawn_engine(runner, inbox, runtime.handle().clone())?;

    let operator = Operator {
        run: choice.dir.clone(),
        preparer: preparer.clone(),
        input: input.clone(),
        shadows: shadows.clone(),
    };
    let keeper = Keeper {
        shadows,
        policy: shadow_policy,
        run: choice.dir.clone(),
        // What it repeats was ended by the clock already, or was not.
        host: host.timeless()?,
        operator: operator.clone(),
        latest: latest.clone(),
    };
    let stopped = runtime.block_on(async {
        let mut orders = Orders::new(options.duration)?;
        let starting = async {
            agents
                .start(
                    control_spec(data.path(), &board, &operator, &latest),
                    READY_PATIENCE,
                )
                .await;
            if let Some(door) = door {
                tracing::info!("dashboard: {}", door.url());
                let url = door.url();
                agents
                    .start(dashboard_spec(door, options, &latest), READY_PATIENCE)
                    .await;
                board.detail("dashboard", url);
            }
            // Nothing waits for these.
            agents.start(shadow_spec(keeper), Duration::ZERO).await;
            agents.start(vitals_spec(sampler), Duration::ZERO).await;
            if let Some(notifier) = notifier {
                agents.start(notifier_spec(notifier), Duration::ZERO).await;
            }
            agents
                .start(
                    watcher_spec(tracker, sources, preparer, settings, &input),
                    READY_PATIENCE,
                )
                .await;
            feeds::start(context, &mut agents).await
        };
        let started = tokio::select! {
            biased;
            why = orders.wait() => Err(why),
            feeds = starting => Ok(feeds),
        };
        let (why, feeds) = match started {
            Err(why) => (Ok(why), None),
            Ok(Err(error)) => (Err(error), None),
            Ok(Ok(feeds)) => {
                let why = wait(&mut orders, &agents, engine_ended, feeds.ended()).await;
                (Ok(why), Some(feeds))
            }
        };
        if let Ok(why) = &why {
            tracing::info!("stopping: {why}");
        }
        drop(live);
        agents.stop(feeds::is_feed).await;
        if let Some(feeds) = feeds {
            feeds.stop().await;
        }
        // The queue drains: the engine is alive, or the channel is closed.
        let _ = input.send(Input::Stop).await;
        why
    });
    let session = engine
        .join()
        .map_err(|_| PilotError::AgentLost("the engine's thread".into()))?;
    let last = session.as_ref().map_or(Seq(0), Session::last_seq);
    runtime.block_on(shut_down(agents, &relay_handle, last, store));
    let session = session?;
    match stopped? {
        Stopped::AgentLost(name) => Err(PilotError::AgentLost(name)),
        _ => Ok(Ended {
            run: choice.dir,
            last,
            digest: session.digest(),
            summary: session.engine.summary(),
            refused_inputs: session.engine.status().refused_inputs,
            calibrated: session.observer().clone().result(),
        }),
    }
}

/// The run to work on.
pub(crate) struct RunChoice {
    pub dir: PathBuf,
    pub meta: RunMeta,
    pub is_new: bool,
}

fn choose_run(options: &Options, data: &DataDir) -> Result<RunChoice, PilotError> {
    let wall = Clock::utc().now();
    let continued = match &options.feed {
        _ if options.new_run => None,
        Feed::Live => data.newest_run(|meta| meta.source == "live")?,
        Feed::Sim => data.newest_run(|meta| {
            meta.sim
                .as_ref()
                .is_some_and(|sim| options.seed.is_none_or(|seed| seed == sim.seed))
        })?,
        // A recording is traded from its beginning.
        Feed::Recorded(_) => None,
    };
    if let Some((dir, meta)) = continued {
        return Ok(RunChoice {
            dir,
            meta,
            is_new: false,
        });
    }
    let (dir, id) = data.new_run(wall);
    let (source, at, sim) = match &options.feed {
        Feed::Live => ("live".to_owned(), wall, None),
        Feed::Sim => {
            let speed = feeds::sim_speed(options)?;
            let origin = feeds::sim_origin(wall);
            (
                "sim".to_owned(),
                origin,
                Some(SimMeta {
                    seed: options.seed.unwrap_or(1),
                    origin_ns: origin.0,
                    speed,
                }),
            )
        }
        Feed::Recorded(path) => {
            let meta = RunMeta::read(path)?;
            (format!("recorded:{}", meta.run_id), wall, None)
        }
    };
    let mut meta = RunMeta::new(id, &source, at);
    meta.sim = sim;
    Ok(RunChoice {
        dir,
        meta,
        is_new: true,
    })
}

async fn open_store(options: &Options, meta: &RunMeta) -> Result<Store, PilotError> {
    let store = Store::open(&options.database_url).await?;
    store
        .ensure_run(&recovery::run_info(meta, &options.config))
        .await?;
    Ok(store)
}

type EngineThread = std::thread::JoinHandle<Result<Session, RunnerError>>;

fn spawn_engine(
    runner: Runner,
    inbox: input::InputReceiver,
    runtime: tokio::runtime::Handle,
) -> Result<(EngineThread, watch::Receiver<bool>), PilotError> {
    // Dropped, and so seen, however the thread ends.
    let (alive, ended) = watch::channel(false);
    let thread = std::thread::Builder::new()
        .name("engine".into())
        .spawn(move || {
            let _alive = alive;
            runner.run(inbox, &runtime)
        })
        .map_err(|source| PilotError::System {
            what: "start the engine's thread",
            source,
        })?;
    Ok((thread, ended))
}

async fn shut_down(mut agents: Orchestrator, relay: &RelayHandle, last: Seq, store: Store) {
    match tokio::time::timeout(FLUSH_PATIENCE, relay.flushed(last)).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::error!("{why}"),
        Err(_) => tracing::warn!(
            "{} rows wait for the database; the next start sends them again",
            relay.backlog()
        ),
    }
    agents.stop(|_| true).await;
    store.close().await;
}
