//! The agent that looks after the pilot itself: samples, judges, raises alerts.
//!
//! ```text
//! feeds, relay, bus, journal, /proc, disk ─► Vitals ─► judge ─► problems ─► alerts when they last or end
//!                                              └─► watch ─► the engine's pictures, digest
//! ```
//!
//! Owns no fact and decides nothing about trading. Once a second on a task of its own; looking at disks
//! happens on a thread that may wait.

/// Problems that last become alerts, once; their ends too.
mod episodes;
/// What is wrong, and what to do.
mod judge;
/// What the system says of this process and its disk.
mod process;
mod progress;

pub use progress::Progress;

use crate::agent::{AgentContext, AgentError};
use crate::alerts::AlertBoard;
use crate::alerts::dead_man::DeadManRow;
use crate::alerts::target::TargetRow;
use crate::bus::BusHandle;
use crate::clock::Clock;
use crate::orchestrator::HealthBoard;
use crate::snapshot::{
    DatabaseRow, Instant as Wall, JournalRow, ProcessRow, ProgramRow, RedisRow, Vitals, VitalsWatch,
};
use crate::store::{RelayHandle, redact};
use episodes::Episodes;
use process::Disk;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A sample is taken this often.
const EVERY: Duration = Duration::from_secs(1);
/// Disks and `/proc` are looked at every so many samples.
const DISK_EVERY: u32 = 5;
/// The journal's rate is that of this time.
const RATE_OVER: Duration = Duration::from_secs(300);
/// Before so much of it has passed no rate is told.
const RATE_MIN: Duration = Duration::from_secs(30);

/// How notifications go; asked for when a sample is taken.
pub type Outward = Arc<dyn Fn() -> (Vec<TargetRow>, Option<DeadManRow>) + Send + Sync>;

/// What the engine's thread and the agent share: cheap, never waited for.
#[derive(Debug, Clone)]
pub struct Gauges {
    /// Where alerts are raised.
    pub alerts: AlertBoard,
    /// How often the engine's loop turned.
    pub progress: Progress,
    sample: Arc<watch::Sender<Option<Arc<Vitals>>>>,
}

impl Default for Gauges {
    fn default() -> Self {
        Self {
            alerts: AlertBoard::default(),
            progress: Progress::default(),
            sample: Arc::new(watch::channel(None).0),
        }
    }
}

impl Gauges {
    /// The latest sample.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Vitals>> {
        self.sample.borrow().clone()
    }

    /// To look at the latest sample from elsewhere.
    #[must_use]
    pub fn watch(&self) -> VitalsWatch {
        self.sample.subscribe()
    }
}

/// What is looked at.
#[derive(Clone)]
pub struct Sources {
    /// Agents and feeds.
    pub board: HealthBoard,
    /// The way to the database.
    pub relay: RelayHandle,
    /// Its address.
    pub database_url: String,
    /// The bus, when there is one.
    pub bus: Option<BusHandle>,
    /// The run's folder.
    pub run: PathBuf,
    /// The configuration file, when there is one.
    pub config_file: Option<PathBuf>,
    /// Notifications.
    pub outward: Option<Outward>,
}

/// The agent.
#[derive(Clone)]
pub struct Sampler {
    sources: Sources,
    gauges: Gauges,
}

/// What is remembered between samples.
struct Memory {
    disk: Disk,
    /// The journal's sizes over [`RATE_OVER`].
    sizes: VecDeque<(Instant, u64)>,
    /// Rows written, and when that changed.
    rows: (u64, Option<Instant>),
    /// Turns of the engine, and when that changed.
    turns: (u64, Option<Instant>),
    episodes: Episodes,
}

impl Sampler {
    /// Of those sources, into those gauges.
    #[must_use]
    pub fn new(sources: Sources, gauges: Gauges) -> Self {
        Self { sources, gauges }
    }

    /// Samples until told to stop.
    pub async fn run(self, ctx: AgentContext) -> Result<(), AgentError> {
        let mut memory = Memory {
            disk: Disk::default(),
            sizes: VecDeque::new(),
            rows: (0, None),
            turns: (self.gauges.progress.turns(), None),
            episodes: Episodes::default(),
        };
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut sample: u32 = 0;
        loop {
            tokio::select! {
                biased;
                () = ctx.stopped() => return Ok(()),
                _ = ticks.tick() => {}
            }
            if sample.is_multiple_of(DISK_EVERY) {
                memory.disk = self.look_at_disk().await?;
                memory
                    .sizes
                    .push_back((Instant::now(), memory.disk.journal_bytes));
                while memory
                    .sizes
                    .front()
                    .is_some_and(|(at, _)| at.elapsed() > RATE_OVER)
                {
                    memory.sizes.pop_front();
                }
            }
            sample = sample.wrapping_add(1);
            let vitals = self.sample(&mut memory);
            self.gauges.sample.send_replace(Some(Arc::new(vitals)));
            ctx.beat();
            if !ctx.is_ready() {
                ctx.ready();
            }
        }
    }

    async fn look_at_disk(&self) -> Result<Disk, AgentError> {
        let (run, url) = (self.sources.run.clone(), self.sources.database_url.clone());
        let look = tokio::task::spawn_blocking(move || Disk::look(&run, &url));
        look.await.map_err(|e| AgentError::Failed(e.to_string()))
    }

    fn sample(&self, memory: &mut Memory) -> Vitals {
        let sources = &self.sources;
        let health = sources.board.report();
        let now = Instant::now();
        let turns = self.gauges.progress.turns();
        if turns != memory.turns.0 {
            memory.turns = (turns, Some(now));
        }
        let (targets, dead_man) = sources
            .outward
            .as_ref()
            .map_or_else(Default::default, |ask| ask());
        let mut vitals = Vitals {
            as_of: Wall(Clock::utc().now()),
            problems: Vec::new(),
            feeds: sources.board.feeds().report(),
            database: self.database(memory, now),
            redis: sources.bus.as_ref().map(redis),
            journal: self.journal(memory, now),
            clocks: sources.board.feeds().skews(),
            process: ProcessRow {
                uptime_secs: health.uptime_secs,
                engine_turn_secs: memory
                    .turns
                    .1
                    .map(|at| now.duration_since(at).as_secs_f64()),
                ..memory.disk.process.clone()
            },
            program: ProgramRow {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                contract: crate::plugin::CONTRACT.to_owned(),
                config_file: sources
                    .config_file
                    .as_ref()
                    .map(|path| path.display().to_string()),
            },
            targets,
            dead_man,
            alerts: Vec::new(),
        };
        vitals.problems = judge::problems(&health, &vitals);
        for notice in memory.episodes.note(&vitals.problems, &health, now) {
            self.gauges.alerts.raise(notice);
        }
        vitals.alerts = self.gauges.alerts.recent();
        vitals
    }

    fn database(&self, memory: &mut Memory, now: Instant) -> DatabaseRow {
        let (relay, url) = (self.sources.relay.status(), &self.sources.database_url);
        let rows = relay.inserted.saturating_add(relay.updated);
        if rows != memory.rows.0 {
            memory.rows = (rows, Some(now));
        }
        DatabaseRow {
            kind: url
                .split(':')
                .next()
                .unwrap_or_default()
                .replace("postgresql", "postgres"),
            at: redact(url),
            backlog: self.sources.relay.backlog() as u64,
            inserted: relay.inserted,
            updated: relay.updated,
            written_secs: memory.rows.1.map(|at| now.duration_since(at).as_secs()),
            failing_secs: relay.failing_since.map(|at| at.elapsed().as_secs()),
            failures: relay.failures,
            last_error: relay.last_error,
            fatal: relay.fatal,
            file_bytes: memory.disk.database_bytes,
        }
    }

    fn journal(&self, memory: &Memory, now: Instant) -> JournalRow {
        let disk = &memory.disk;
        let rate = memory
            .sizes
            .front()
            .zip(memory.sizes.back())
            .and_then(|(old, new)| {
                let span = new.0.duration_since(old.0);
                let grown = new.1.saturating_sub(old.1) as f64;
                (span >= RATE_MIN).then(|| grown / span.as_secs_f64())
            });
        let days = rate.filter(|rate| *rate > 0.0).zip(disk.free_bytes);
        JournalRow {
            folder: self.sources.run.display().to_string(),
            bytes: disk.journal_bytes,
            segments: disk.segments,
            records: self.gauges.progress.records(),
            bytes_per_sec: rate,
            flushed_secs: self
                .gauges
                .progress
                .flushed()
                .map(|at| now.saturating_duration_since(at).as_secs_f64()),
            free_bytes: disk.free_bytes,
            days_left: days.map(|(rate, free)| free as f64 / rate / 86_400.0),
        }
    }
}

fn redis(bus: &BusHandle) -> RedisRow {
    let status = bus.status();
    RedisRow {
        connected: status.connected,
        published: status.published,
        dropped: status.dropped,
        waiting: status.waiting as u64,
        commands: status.commands,
        refused: status.refused,
        last_error: status.last_error,
    }
}
