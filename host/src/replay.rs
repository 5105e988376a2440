//! Steps a recorded run through the engine again: recovery, backtest and check are this one path.
//!
//! Either with the run's own strategies, reproduced with all their swaps from the archived bytes, or
//! with others in their place. Owns no policy and writes nothing.

use crate::digest::EffectDigest;
use crate::journal::{JournalError, JournalReader};
use crate::plugin::PluginError;
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::{Effect, Message, TradeStatus};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record, StrategyChange};
use pm_arb_core::ids::{Seq, Timestamp};
use serde::Serialize;
use std::path::Path;

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The run can not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A strategy of it can not be loaded.
    #[error("a strategy of the run can not be loaded again")]
    Strategy(#[from] PluginError),
    /// An effect can not be encoded.
    #[error("an effect can not be encoded for the digest")]
    Digest(#[from] postcard::Error),
    /// The state is wrong.
    #[error("an invariant broke at record {seq}: {what}")]
    Invariant {
        /// The record.
        seq: Seq,
        /// What.
        what: String,
    },
}

/// Who decides during a replay.
pub trait Cast {
    /// The first configuration was stepped: strategies that do not come from the journal enter now.
    fn enter(&mut self, engine: &mut Engine, at: Timestamp) -> Result<Vec<StrategyChange>, PluginError>;

    /// The journal says that a strategy changed. False when that record is not to be stepped.
    fn change(&mut self, engine: &mut Engine, change: &StrategyChange) -> Result<bool, PluginError>;
}

/// What a replay counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records stepped.
    pub events: u64,
    /// Wishes of strategies.
    pub intents: u64,
    /// Of these, denied by risk.
    pub denied: u64,
    /// Legs filled, wholly or in part.
    pub fills: u64,
    /// Rows settled by their market's outcome.
    pub settled: u64,
}

impl Counts {
    fn add(&mut self, effect: &Effect) {
        match effect {
            Effect::Publish(message) => match message.as_ref() {
                Message::Request(_) => self.intents += 1,
                Message::Decision(decision) if decision.verdict.is_err() => self.denied += 1,
                _ => {}
            },
            Effect::RecordTrade(trade) if trade.qty.0 > 0 => self.fills += 1,
            Effect::UpdateTrade(update) if update.status == TradeStatus::Resolved => self.settled += 1,
            _ => {}
        }
    }
}

/// A replay's result: the state, and what it is known by.
#[derive(Default)]
pub struct Replayed {
    /// After the last record.
    pub engine: Engine,
    /// Of all effects.
    pub digest: EffectDigest,
    /// What was counted.
    pub counts: Counts,
    /// The last record.
    pub last_seq: Seq,
    /// Its stamp.
    pub last_at: Timestamp,
    /// When the engine wants to be woken.
    pub wake_at: Option<Timestamp>,
}

/// Replays the run in `dir`; every effect is also given to `each`.
pub fn replay(
    dir: &Path,
    config: Option<&EngineConfig>,
    cast: &mut dyn Cast,
    mut each: impl FnMut(Seq, &Effect),
) -> Result<Replayed, ReplayError> {
    let mut journal = JournalReader::open(dir)?;
    let mut state = Replayed::default();
    let mut effects = Vec::new();
    let mut configured = false;
    while let Some(record) = journal.next()? {
        let mut replaced = None;
        match &record.event {
            Event::Strategy(change) if !cast.change(&mut state.engine, change)? => continue,
            Event::Configured(_) => {
                if let Some(config) = config {
                    replaced = Some(Record { event: Event::Configured(Box::new(config.clone())), ..*record });
                }
            }
            _ => {}
        }
        let record = replaced.as_ref().unwrap_or(record);
        state.step(record, &mut effects, &mut each)?;
        if !configured && matches!(record.event, Event::Configured(_)) {
            configured = true;
            let (seq, at) = (record.seq, record.at);
            for change in cast.enter(&mut state.engine, at)? {
                let event = Event::Strategy(Box::new(change));
                state.step(&Record { seq, at, event }, &mut effects, &mut each)?;
            }
        }
    }
    Ok(state)
}

impl Replayed {
    fn step(
        &mut self,
        record: &Record,
        effects: &mut Vec<Effect>,
        each: &mut impl FnMut(Seq, &Effect),
    ) -> Result<(), ReplayError> {
        effects.clear();
        self.engine.step(record, effects);
        self.digest.update(record.seq, effects)?;
        self.counts.events += 1;
        self.last_seq = record.seq;
        self.last_at = record.at;
        if self.wake_at.is_some_and(|wake| wake <= record.at) {
            self.wake_at = None;
        }
        for effect in effects.iter() {
            match effect {
                Effect::WakeAt(wake) => self.wake_at = Some(self.wake_at.map_or(*wake, |now| now.min(*wake))),
                Effect::Abort(what) => {
                    return Err(ReplayError::Invariant { seq: record.seq, what: what.clone() });
                }
                _ => {}
            }
            self.counts.add(effect);
            each(record.seq, effect);
        }
        Ok(())
    }
}
