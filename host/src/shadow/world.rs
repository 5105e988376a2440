//! An engine and its strategies, led by the records of a journal that somebody else writes.
//!
//! Owns nothing outside of memory: what its strategies wish ends here.

use super::follower::ShadowError;
use crate::journal::archive;
use crate::plugin::sources::Params;
use crate::plugin::{Loader, LoaderPort, PluginHost, PortError};
use pm_arb_core::effect::Effect;
use pm_arb_core::engine::{Engine, StrategyStatus};
use pm_arb_core::event::{Event, Record, StrategyChange};
use pm_arb_core::ids::{StrategyId, Timestamp};
use pm_arb_core::strategy::StrategyFault;
use std::path::{Path, PathBuf};

/// Bytes by their SHA-256, and the settings they were handed.
pub type Bytes = ([u8; 32], Params);

/// See the top of the file.
pub struct World {
    stage: Stage,
    loader: Loader,
    /// What the last record led to.
    pub effects: Vec<Effect>,
}

struct Stage {
    engine: Engine,
    dir: PathBuf,
    at: Timestamp,
}

impl World {
    /// To which nothing has happened.
    pub fn new(dir: &Path, host: PluginHost) -> Self {
        Self {
            stage: Stage {
                engine: Engine::new(),
                dir: dir.to_owned(),
                at: Timestamp(0),
            },
            loader: Loader::new(host),
            effects: Vec::new(),
        }
    }

    /// Steps with a record; what it says of strategies is done first.
    pub fn take(&mut self, record: &Record) -> Result<(), ShadowError> {
        match &record.event {
            Event::Strategy(change) => self.change(record.at, change)?,
            _ => self.loader.passed(&mut self.stage),
        }
        self.step(record)
    }

    fn change(&mut self, at: Timestamp, change: &StrategyChange) -> Result<(), ShadowError> {
        self.stage.at = at;
        Ok(self.loader.replay(at, change, &mut self.stage)?)
    }

    fn step(&mut self, record: &Record) -> Result<(), ShadowError> {
        self.effects.clear();
        self.stage.at = record.at;
        self.stage.engine.step(record, &mut self.effects);
        let broken = self.effects.iter().find_map(|effect| match effect {
            Effect::Abort(what) => Some(what.clone()),
            _ => None,
        });
        broken.map_or(Ok(()), |what| Err(ShadowError::Invariant(what)))
    }

    /// Ends that call of a strategy where the clock ended it in the run.
    pub fn stop_at(&mut self, id: StrategyId, call: u64) {
        if let Some(strategy) = self.stage.engine.strategy_mut(id) {
            strategy.stop_at(call);
        }
    }

    /// Strategies that failed at the last record.
    pub fn failed(&self) -> impl Iterator<Item = (StrategyId, &StrategyFault)> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::StrategyFailed { strategy, fault } => Some((*strategy, fault)),
            _ => None,
        })
    }

    /// Why nothing trades in it.
    pub fn is_halted(&self) -> Option<&str> {
        self.stage.engine.is_halted()
    }

    /// How a strategy is doing.
    pub fn status(&self, id: StrategyId) -> Option<StrategyStatus> {
        let all = self.stage.engine.status().strategies;
        all.into_iter().find(|status| status.id == id)
    }

    /// Fuel of a call of the running generation: on average, and most.
    pub fn fuel(&self, id: StrategyId) -> (u64, u64) {
        let slot = self.loader.slots().find(|slot| slot.id == id);
        slot.map_or((0, 0), |slot| {
            let costs = slot.usage.costs();
            (costs.fuel_mean, costs.fuel_max)
        })
    }

    /// What runs of a strategy: its bytes and settings.
    pub fn bytes(&self, id: StrategyId) -> Option<Bytes> {
        let slot = self.loader.slots().find(|slot| slot.id == id)?;
        Some((slot.digest, slot.params().clone()))
    }

    /// A strategy's name and the number of its running generation.
    pub fn generation(&self, id: StrategyId) -> Option<(String, u32)> {
        let slot = self.loader.slots().find(|slot| slot.id == id)?;
        Some((slot.manifest.name.clone(), slot.generation))
    }
}

impl LoaderPort for Stage {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    fn archive(&mut self, _: &[u8; 32], _: &[u8]) -> Result<(), PortError> {
        Ok(())
    }

    fn retrieve(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, PortError> {
        Ok(archive::load_strategy(&self.dir, digest)?)
    }

    fn now(&self) -> Timestamp {
        self.at
    }

    /// Never called: a loader that repeats what a journal tells records nothing.
    fn record(&mut self, event: Event) -> Result<(), PortError> {
        Err(format!("a shadow wanted to record a {}", event.kind()).into())
    }
}
