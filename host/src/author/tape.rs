//! A recorded run told to a strategy that somebody listens in on.
//!
//! Steps the journal through an engine of its own, as a backtest does, with one strategy in the place of the
//! run's own. It writes nothing, and asks nothing of the loader: what fails is not started again.

use crate::journal::JournalReader;
use crate::meter::Meter;
use crate::replay::ReplayError;
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::Effect;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::StrategyId;
use pm_arb_core::strategy::{Manifest, Strategy};
use std::path::Path;

/// Who is told.
pub struct Listener {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Of its bytes.
    pub digest: [u8; 32],
    /// What it was started with.
    pub params: Vec<(String, String)>,
    /// The instance, or whoever listens in on it.
    pub strategy: Box<dyn Strategy>,
}

/// Plays the run in `dir` until its end, until the strategy fails, or until `enough` says so. Answers how many
/// records were stepped.
pub fn play(
    dir: &Path,
    config: Option<&EngineConfig>,
    listener: Listener,
    enough: &dyn Fn() -> bool,
    meter: &Meter,
) -> Result<u64, ReplayError> {
    let mut journal = JournalReader::open(dir)?.metered(meter);
    let mut engine = Engine::new();
    let mut effects = Vec::new();
    let mut entering = Some(listener);
    let mut records = 0;
    while let Some(record) = journal.next()? {
        effects.clear();
        match (&record.event, config) {
            (Event::Strategy(_), _) => continue,
            (Event::Configured(_), Some(config)) => {
                let event = Event::Configured(Box::new(config.clone()));
                engine.step(&Record { event, ..*record }, &mut effects);
            }
            _ => engine.step(record, &mut effects),
        }
        records += 1;
        if matches!(record.event, Event::Configured(_))
            && let Some(listener) = entering.take()
        {
            engine.install(StrategyId(0), listener.strategy);
            let kind = StrategyChangeKind::Loaded {
                manifest: listener.manifest,
                digest: listener.digest,
                generation: 1,
                params: listener.params,
                restored: false,
            };
            let change = StrategyChange {
                id: StrategyId(0),
                kind,
            };
            let loaded = Record {
                event: Event::Strategy(Box::new(change)),
                ..*record
            };
            engine.step(&loaded, &mut effects);
        }
        for effect in &effects {
            match effect {
                Effect::Abort(what) => return Err(ReplayError::Invariant(what.clone())),
                Effect::StrategyFailed { .. } => return Ok(records),
                _ => {}
            }
        }
        if enough() {
            break;
        }
    }
    Ok(records)
}
