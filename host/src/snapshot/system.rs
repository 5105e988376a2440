//! Agents, feeds, database, bus, journal, clock, process, alerts: how the pilot itself is.
//!
//! What takes a disk, a kernel or a sort to find out is sampled by the agent `vitals` (`vitals/`) and
//! handed over; the engine's thread adds what it alone knows and waits for nothing.

use crate::alerts::dead_man::DeadManRow;
use crate::alerts::target::TargetRow;
use crate::alerts::{Level, Notice};
use crate::feed_board::{FeedRow, SkewRow};
use crate::orchestrator::{HealthBoard, health::Health};
use crate::snapshot::Instant;
use pm_arb_core::engine::EngineStatus;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::watch;
use utoipa::ToSchema;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct System {
    /// Every agent.
    pub health: Health,
    /// Inputs that could not be used since the run began, by reason.
    pub refused_inputs: Vec<RefusedInputs>,
    /// Everything that is sampled; `None` before the first sample.
    #[serde(with = "shared")]
    #[schema(value_type = Option<Vitals>)]
    pub vitals: Option<Arc<Vitals>>,
}

/// The latest sample.
pub type VitalsWatch = watch::Receiver<Option<Arc<Vitals>>>;

impl System {
    /// As of now.
    #[must_use]
    pub fn of(board: &HealthBoard, status: &EngineStatus, vitals: Option<Arc<Vitals>>) -> Self {
        let refused = status.refused_inputs.iter();
        Self {
            health: board.report(),
            refused_inputs: refused
                .map(|(reason, count)| RefusedInputs {
                    reason: reason.code().to_owned(),
                    count: *count,
                })
                .collect(),
            vitals,
        }
    }

    /// What is wrong, the worst first; empty also before the first sample.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        self.vitals.as_ref().map_or(&[], |vitals| &vitals.problems)
    }
}

/// Inputs refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedInputs {
    /// Its code.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// Something that is wrong now, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Urgency.
    pub level: Level,
    /// Stable short code, that of its alert.
    pub code: String,
    /// Which of several; empty when there is only one.
    pub about: String,
    /// What is wrong, in words.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// What is sampled once a second. Ages count from `as_of`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Vitals {
    /// When, by the wall clock.
    pub as_of: Instant,
    /// What is wrong, the worst first.
    pub problems: Vec<Problem>,
    /// Every stream of market data.
    pub feeds: Vec<FeedRow>,
    /// Where trades are stored.
    pub database: DatabaseRow,
    /// Where messages are published; `None` when Redis is not configured.
    pub redis: Option<RedisRow>,
    /// The run on disk.
    pub journal: JournalRow,
    /// Our clock against those of venues; empty while nobody was asked.
    pub clocks: Vec<SkewRow>,
    /// This process.
    pub process: ProcessRow,
    /// Which program, with which settings.
    pub program: ProgramRow,
    /// Where alerts go; empty when none are configured.
    pub targets: Vec<TargetRow>,
    /// The dead man's switch, when configured.
    pub dead_man: Option<DeadManRow>,
    /// The last alerts, newest first.
    pub alerts: Vec<Notice>,
}

/// Where trades are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DatabaseRow {
    /// `sqlite` or `postgres`.
    pub kind: String,
    /// Where, without its password.
    pub at: String,
    /// Changes that wait.
    pub backlog: u64,
    /// Rows written by this process.
    pub inserted: u64,
    /// Rows changed by this process.
    pub updated: u64,
    /// Seconds since something was written; `None` before the first time.
    pub written_secs: Option<u64>,
    /// Seconds for which nothing could be written; `None` while it works.
    pub failing_secs: Option<u64>,
    /// Attempts that failed.
    pub failures: u64,
    /// The last failure; kept after recovery.
    pub last_error: Option<String>,
    /// Why nothing will be written any more.
    pub fatal: Option<String>,
    /// Bytes of the SQLite file with its log; `None` for Postgres.
    pub file_bytes: Option<u64>,
}

/// Where messages are published.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RedisRow {
    /// Whether it is there.
    pub connected: bool,
    /// Messages published.
    pub published: u64,
    /// Messages given up because too many waited.
    pub dropped: u64,
    /// Messages that wait.
    pub waiting: u64,
    /// Commands taken from it.
    pub commands: u64,
    /// Messages on the command channel that were none.
    pub refused: u64,
    /// The last failure; kept after recovery.
    pub last_error: Option<String>,
}

/// The run on disk.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct JournalRow {
    /// Its folder.
    pub folder: String,
    /// Bytes of its segments.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Records, those of earlier starts included; as of the last flush.
    pub records: u64,
    /// Bytes a second over the last minutes; `None` until they have passed.
    pub bytes_per_sec: Option<f64>,
    /// Seconds since the last flush; `None` before the first.
    pub flushed_secs: Option<f64>,
    /// Bytes free on its disk; `None` when the disk does not say.
    pub free_bytes: Option<u64>,
    /// Days until the disk is full at that rate; `None` while the rate is not known.
    pub days_left: Option<f64>,
}

/// This process.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProcessRow {
    /// Its number.
    pub pid: u32,
    /// Seconds since the pilot started.
    pub uptime_secs: f64,
    /// Seconds since the engine's loop turned last; `None` before the first turn.
    pub engine_turn_secs: Option<f64>,
    /// Resident memory; `None` when the system does not say.
    pub resident_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open files and sockets.
    pub open_files: Option<u64>,
    /// As many may be open.
    pub open_files_max: Option<u64>,
}

/// Which program, with which settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProgramRow {
    /// Its version.
    pub version: String,
    /// Version of the contract with strategies.
    pub contract: String,
    /// The configuration file; `None` for the defaults.
    pub config_file: Option<String>,
}

mod shared {
    use super::Vitals;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub fn serialize<S: Serializer>(
        vitals: &Option<Arc<Vitals>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        vitals.as_deref().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Arc<Vitals>>, D::Error> {
        Ok(Option::<Vitals>::deserialize(from)?.map(Arc::new))
    }
}
