//! What one strategy earns on a recorded run, as `pm-arb report` tells it.
//!
//! The run is replayed with this strategy in the place of its own; the effects go into a database that
//! lasts as long as the command, and the report is made of its rows, as every report is. Nothing is
//! written into the run. The same file, settings and run give the same answer to the last byte.

use crate::calibrate::Calibrated;
use crate::journal::RunMeta;
use crate::meter::Meter;
use crate::pilot::counts;
use crate::plugin::loader::Status;
use crate::plugin::usage::{Costs, LogLine};
use crate::plugin::{Candidate, Limits, PluginHost};
use crate::replay::{Cast, Counts, ReplayError, replay_metered};
use crate::report::{self, Period, Report};
use crate::store::analysis::Filter;
use crate::store::{RunInfo, Store, StoreError, StoreOp};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::Effect;
use pm_arb_core::ids::{Seq, Timestamp};
use std::path::Path;
use tokio::runtime::Runtime;

/// Effects of one transaction.
const GROUP: usize = 500;
/// Faults that are told; more are counted.
pub const FAULTS_TOLD: usize = 8;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The run can not be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// There is no room for the rows.
    #[error("no folder for the rows can be made in {}; set TMPDIR to one with room", std::env::temp_dir().display())]
    Folder(#[source] std::io::Error),
    /// The rows can not be kept or read.
    #[error("the rows of the report can not be kept")]
    Store(#[from] StoreError),
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Backtest {
    /// Which run.
    pub run: RunMeta,
    /// What was counted.
    pub counts: Counts,
    /// Known by: of all effects and of the books and oracles at the end.
    pub digest: String,
    /// Its trades.
    pub report: Report,
    /// How good the host's fair values were on these markets; `None` where no market has an outcome.
    pub fair_values: Option<Calibrated>,
    /// What its calls cost.
    pub costs: Costs,
    /// Under these limits.
    pub limits: Limits,
    /// The last lines it wrote.
    pub lines: Vec<LogLine>,
    /// How often it failed, and how, the first [`FAULTS_TOLD`] of them.
    pub faults: (u64, Vec<String>),
    /// Whether it was stopped for good.
    pub quarantined: bool,
}

/// Rows on their way into the database.
struct Rows<'a> {
    runtime: &'a Runtime,
    store: &'a Store,
    run: RunInfo,
    waiting: Vec<StoreOp>,
    through: Seq,
    failed: Option<StoreError>,
}

impl Rows<'_> {
    fn take(&mut self, seq: Seq, op: StoreOp) {
        self.through = seq;
        self.waiting.push(op);
        if self.waiting.len() >= GROUP {
            self.write();
        }
    }

    fn write(&mut self) {
        let ops = std::mem::take(&mut self.waiting);
        if self.failed.is_some() || ops.is_empty() {
            return;
        }
        let write = self.store.apply(self.run.run_id, self.through, &ops);
        self.failed = self.runtime.block_on(write).err();
    }
}

/// Replays the run in `dir` with that strategy alone, with other settings of the engine when given.
pub fn backtest(
    dir: &Path,
    host: PluginHost,
    config: Option<&EngineConfig>,
    candidate: Candidate,
    (runtime, meter): (&Runtime, &Meter),
) -> Result<Backtest, BacktestError> {
    let run = RunMeta::read(dir).map_err(ReplayError::from)?;
    let limits = candidate.compiled.limits;
    let folder = tempfile::tempdir().map_err(BacktestError::Folder)?;
    let url = format!("sqlite://{}", folder.path().join("rows.sqlite").display());
    let store = runtime.block_on(Store::open(&url))?;
    let info = RunInfo {
        run_id: run.run_id,
        source: run.source.clone(),
        created: Timestamp(0),
        host_version: run.host_version.clone(),
        config: String::new(),
    };
    runtime.block_on(store.ensure_run(&info))?;
    let mut rows = Rows {
        runtime,
        store: &store,
        run: info,
        waiting: Vec::new(),
        through: Seq(0),
        failed: None,
    };
    let mut faults = (0, Vec::new());
    let mut each = |seq, effect: &Effect| {
        if let Effect::StrategyFailed { fault, .. } = effect {
            faults.0 += 1;
            if faults.1.len() < FAULTS_TOLD {
                faults.1.push(format!("record {}: it {fault}", seq));
            }
        }
        if let Some(op) = StoreOp::of(seq, effect) {
            rows.take(seq, op);
        }
    };
    let cast = Cast::Given(vec![candidate]);
    let (mut replayed, loader) = replay_metered(dir, host, config, cast, &mut each, meter)?;
    rows.take(
        replayed.last_seq,
        counts::of(&replayed.engine, replayed.last_seq),
    );
    rows.write();
    if let Some(error) = rows.failed {
        return Err(error.into());
    }
    let filter = Filter {
        since: Timestamp(0),
        run_id: Some(run.run_id),
        strategy: None,
    };
    // The time of the run and not of the machine: the same answer every time.
    let period = Period::since(Timestamp(0), replayed.last_at);
    let report = runtime.block_on(report::gather(&store, filter, period, None))?;
    runtime.block_on(store.close());
    let fair_values = std::mem::take(&mut replayed.observer).result();
    let slot = loader.slots().next();
    Ok(Backtest {
        counts: replayed.counts.clone(),
        digest: replayed.digest.hex(&replayed.engine),
        report,
        fair_values: (fair_values.markets > 0).then_some(fair_values),
        costs: slot.map(|slot| slot.usage.costs()).unwrap_or_default(),
        limits,
        lines: slot.map(|slot| slot.usage.lines()).unwrap_or_default(),
        quarantined: slot.is_some_and(|slot| slot.status == Status::Quarantined),
        faults,
        run,
    })
}
