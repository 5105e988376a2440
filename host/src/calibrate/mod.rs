//! How good the fair values of a run were, asked of its own outcomes.
//!
//! At fixed times before each market's close the scanner is asked what it says with what was *received*
//! by then; when the market is settled the answers are scored ([`Observer`]). The running pilot does so
//! with every record it steps, and its recovery with every record it replays; here a recorded run is
//! stepped through the engine without strategies, and the same observer watches.
//!
//! Owns the decision points and the scores. It writes nothing, and no number here touches money.

mod observer;
mod render;
mod score;

pub use observer::Observer;
pub use render::{json, text};
pub use score::{BINS, Bin, Pair, PerMarket, Scores, Table, Versus};

use crate::journal::{JournalError, JournalReader};
use crate::meter::Meter;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::Event;
use pm_arb_core::reason::Reason;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Seconds before the close at which the scanner is asked.
pub const DECISION_SECS: [u64; 8] = [240, 180, 120, 60, 30, 15, 10, 5];

/// Why a run can not be calibrated on.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// It can not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The engine refused to go on.
    #[error("{}: an invariant broke at record {seq}: {what}", run.display())]
    Invariant {
        /// Which run.
        run: PathBuf,
        /// The record.
        seq: u64,
        /// What.
        what: String,
    },
    /// There is nothing to compare.
    #[error(
        "{}: no forecast could be compared with an outcome ({}); calibrate on a run whose markets have \
         an oracle that ticks before their close, and an outcome, as `import --from chainlink-markets` makes",
        run.display(), counts
    )]
    Nothing {
        /// Which run.
        run: PathBuf,
        /// What was there.
        counts: String,
    },
}

/// What a run's markets were worth by several predictors, and what became of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibrated {
    /// Markets of which at least one forecast was scored.
    pub markets: u64,
    /// Markets with forecasts that were not settled with one winner within the run.
    pub without_outcome: u64,
    /// Markets that were not asked about because too many others were.
    pub not_asked: u64,
    /// Decision points at which nothing could be said, by reason.
    pub no_estimate: BTreeMap<Reason, u64>,
    /// All forecasts.
    pub scores: Scores,
}

impl Calibrated {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.markets += other.markets;
        self.without_outcome += other.without_outcome;
        self.not_asked += other.not_asked;
        for (reason, count) in &other.no_estimate {
            *self.no_estimate.entry(*reason).or_default() += count;
        }
        self.scores.add(&other.scores);
    }
}

/// Steps through the run in `dir` and scores it.
pub fn calibrate(dir: &Path) -> Result<Calibrated, CalibrateError> {
    calibrate_metered(dir, &Meter::default())
}

/// The same, moving a meter by the bytes of the journal.
pub fn calibrate_metered(dir: &Path, meter: &Meter) -> Result<Calibrated, CalibrateError> {
    let mut journal = JournalReader::open(dir)?.metered(meter);
    let mut engine = Engine::new();
    let mut observer = Observer::default();
    let mut effects = Vec::new();
    while let Some(record) = journal.next()? {
        observer.before(record, &engine);
        // Nobody trades here.
        if matches!(record.event, Event::Strategy(_)) {
            continue;
        }
        effects.clear();
        engine.step(record, &mut effects);
        if let Some(what) = effects.iter().find_map(aborted) {
            return Err(CalibrateError::Invariant {
                run: dir.to_owned(),
                seq: record.seq.0,
                what: what.to_owned(),
            });
        }
        observer.after(&engine);
    }
    let result = observer.result();
    if result.markets == 0 {
        return Err(CalibrateError::Nothing {
            run: dir.to_owned(),
            counts: render::nothing(&result),
        });
    }
    Ok(result)
}

fn aborted(effect: &pm_arb_core::effect::Effect) -> Option<&str> {
    match effect {
        pm_arb_core::effect::Effect::Abort(what) => Some(what),
        _ => None,
    }
}
