//! How good the fair values of a run were, asked of its own outcomes.
//!
//! A run is stepped through the engine without strategies. At fixed times before each market's close
//! the scanner is asked what it would have said with what had been *received* by then: the record that
//! is stepped next bears a later time. When the market is settled the answers are scored. It is the
//! scanner's own estimate and the engine's own settlement that are used, not copies of them; only the
//! limit on an oracle's age is lifted, because the model counts that age as time to go.
//!
//! Owns the decision points and the scores. It writes nothing, and no number here touches money.

mod render;
mod score;

pub use render::{json, text};
pub use score::{Bin, Pair, Scores, Table};

use crate::journal::{JournalError, JournalReader};
use crate::meter::Meter;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::Event;
use pm_arb_core::ids::{MarketId, Nanos, Timestamp};
use pm_arb_core::market::{MarketSpec, SettlementRule};
use pm_arb_core::reason::Reason;
use pm_arb_core::scanner::{Estimate, ScanLimits};
use pm_arb_core::units::Price;
use std::collections::{BTreeMap, BTreeSet};
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
    let mut desk = Desk::default();
    let mut effects = Vec::new();
    while let Some(record) = journal.next()? {
        desk.decide_before(record.at);
        match &record.event {
            // Nobody trades here.
            Event::Strategy(_) => continue,
            Event::Configured(config) => {
                desk.limits = Some(ScanLimits {
                    oracle_age_max: Nanos(u64::MAX),
                    ..ScanLimits::from(&config.risk)
                });
            }
            Event::MarketListed(spec) => desk.list(spec),
            _ => {}
        }
        effects.clear();
        desk.engine.step(record, &mut effects);
        if let Some(what) = effects.iter().find_map(aborted) {
            return Err(CalibrateError::Invariant {
                run: dir.to_owned(),
                seq: record.seq.0,
                what: what.to_owned(),
            });
        }
        // Outcomes are booked by these alone.
        if matches!(
            record.event,
            Event::Resolved(_) | Event::OracleTick(_) | Event::Candle(_) | Event::MarketListed(_)
        ) {
            desk.score_settled();
        }
    }
    let result = desk.finish();
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

/// The engine, what it is still to be asked, and what it answered.
#[derive(Default)]
struct Desk {
    engine: Engine,
    limits: Option<ScanLimits>,
    /// When to ask about which market, and how many seconds before its close that is.
    due: BTreeSet<(Timestamp, MarketId, u64)>,
    /// Answers about markets that are not settled yet.
    waiting: BTreeMap<MarketId, Vec<(u64, Estimate)>>,
    result: Calibrated,
}

impl Desk {
    /// Plans the questions about a market. One that is listed again is asked at its new times.
    fn list(&mut self, spec: &MarketSpec) {
        if spec.settlement == SettlementRule::VenueOnly || spec.outcomes.len() != 2 {
            return;
        }
        let again = self.engine.market_data().market(spec.id).is_some();
        if again {
            self.due.retain(|(_, market, _)| *market != spec.id);
        }
        for secs in DECISION_SECS {
            let at = spec.closes_at.0.checked_sub(secs * 1_000_000_000);
            if let Some(at) = at.map(Timestamp).filter(|at| *at >= spec.opens_at) {
                self.due.insert((at, spec.id, secs));
            }
        }
    }

    /// Asks what is due strictly before `next`, the time of the record that is not stepped yet.
    fn decide_before(&mut self, next: Timestamp) {
        while let Some(&(at, market, secs)) = self.due.first() {
            if at >= next {
                return;
            }
            self.due.pop_first();
            let Some(limits) = self.limits else { continue };
            let data = self.engine.market_data();
            match self.engine.scanner().estimate(data, market, at, limits) {
                Ok(estimate) => self
                    .waiting
                    .entry(market)
                    .or_default()
                    .push((secs, estimate)),
                Err(reason) => *self.result.no_estimate.entry(reason).or_default() += 1,
            }
        }
    }

    fn score_settled(&mut self) {
        let engine = &self.engine;
        let settled = self.waiting.keys().copied();
        let settled: Vec<_> = settled
            .filter_map(|market| Some((market, engine.outcome(market)?.payouts.clone())))
            .collect();
        for (market, payouts) in settled {
            let forecasts = self.waiting.remove(&market).unwrap_or_default();
            let up = match payouts.as_slice() {
                [Price::DOLLAR, Price::ZERO] => true,
                [Price::ZERO, Price::DOLLAR] => false,
                _ => {
                    self.result.without_outcome += 1;
                    continue;
                }
            };
            self.result.markets += 1;
            for (secs, estimate) in &forecasts {
                self.result.scores.take(*secs, estimate, up);
            }
        }
    }

    fn finish(mut self) -> Calibrated {
        self.result.without_outcome += self.waiting.len() as u64;
        self.result
    }
}
