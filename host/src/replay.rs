//! Steps a recorded run through the engine again: recovery, backtest and check are this one path.
//!
//! Either with the run's own strategies, reproduced with all their swaps from the archived bytes, or
//! with others in their place. Owns no policy and writes nothing.

use crate::calibrate::Observer;
use crate::catalog::Catalog;
use crate::digest::EffectDigest;
use crate::journal::{JournalError, JournalReader, Upcoming, archive};
use crate::meter::Meter;
use crate::plugin::PortError;
use crate::plugin::{Candidate, Loader, LoaderError, LoaderInput, LoaderPort, Outcome, PluginHost};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::{Effect, Message, TradeStatus};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{Seq, StrategyId, Timestamp};
use pm_arb_core::strategy::StrategyFault;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The run can not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A strategy of it can not be loaded.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// A strategy that was to trade instead does not load.
    #[error("{path}: {why}")]
    Refused {
        /// Its file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// An effect can not be encoded.
    #[error("an effect can not be encoded for the digest")]
    Digest(#[from] postcard::Error),
    /// Strategies were told ahead what then did not happen: do it again without.
    #[error(
        "the replay foretold quotes that did not come; it is to be done again without looking ahead"
    )]
    Foretold,
    /// The state is wrong; at which record, and how.
    #[error("an invariant broke at {0}; keep the run's folder and report it")]
    Invariant(String),
}

/// Who decides during a replay.
pub enum Cast {
    /// The run's own strategies, with every swap, fault and restart that its journal tells of.
    Own,
    /// These instead, from the first record on.
    Given(Vec<Candidate>),
}

/// What a replay counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records of the journal that were stepped.
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
            Effect::UpdateTrade(update) if update.status == TradeStatus::Resolved => {
                self.settled += 1
            }
            _ => {}
        }
    }
}

/// A replay's result: the state, and what it is known by.
#[derive(Default)]
pub struct Replayed {
    /// After the last record.
    pub engine: Engine,
    /// Numbers of markets, instruments and oracles.
    pub catalog: Catalog,
    /// The settings now in force; `None` when the journal is empty.
    pub config: Option<EngineConfig>,
    /// Of all effects.
    pub digest: EffectDigest,
    /// What watched its fair values.
    pub observer: Observer,
    /// What was counted.
    pub counts: Counts,
    /// The last record.
    pub last_seq: Seq,
    /// Its stamp.
    pub last_at: Timestamp,
    /// When the engine wants to be woken.
    pub wake_at: Option<Timestamp>,
}

/// Replays the run in `dir`, with other settings when they are given; every effect is also shown to
/// `each`. Returns the state and the strategies that run in it.
pub fn replay(
    dir: &Path,
    host: PluginHost,
    config: Option<&EngineConfig>,
    cast: Cast,
    each: &mut dyn FnMut(Seq, &Effect),
) -> Result<(Replayed, Loader), ReplayError> {
    replay_metered(dir, host, config, cast, each, &Meter::default())
}

/// The same, moving a meter by the bytes of the journal.
pub fn replay_metered(
    dir: &Path,
    host: PluginHost,
    config: Option<&EngineConfig>,
    cast: Cast,
    each: &mut dyn FnMut(Seq, &Effect),
    meter: &Meter,
) -> Result<(Replayed, Loader), ReplayError> {
    run(dir, host, config, cast, each, meter, Ahead::Never)
}

/// A recorded run with other strategies in the place of its own.
pub struct Backtest<'a> {
    /// The run.
    pub dir: &'a Path,
    /// Makes the instances.
    pub host: &'a PluginHost,
    /// Other settings than the run's.
    pub config: Option<&'a EngineConfig>,
    /// Moved by the bytes of the journal.
    pub meter: &'a Meter,
}

impl Backtest<'_> {
    /// Plays it. Strategies that can are told several quotes in one call; should a quote not come as it was
    /// foretold, everything is played again, one by one, into a new `S`.
    pub fn play<S: Default>(
        &self,
        cast: Vec<Candidate>,
        each: &mut dyn FnMut(&mut S, Seq, &Effect),
    ) -> Result<(S, Replayed), ReplayError> {
        let mut attempt = |cast, ahead| {
            let mut shown = S::default();
            let mut each = |seq, effect: &Effect| each(&mut shown, seq, effect);
            let (dir, host, cast) = (self.dir, self.host.clone(), Cast::Given(cast));
            let done = run(dir, host, self.config, cast, &mut each, self.meter, ahead);
            done.map(|(replayed, _)| (shown, replayed))
        };
        let again: Result<Vec<_>, _> = cast.iter().map(|c| c.again(self.host)).collect();
        let again = again.map_err(|error| ReplayError::Refused {
            path: self.dir.to_owned(),
            why: error.story(),
        })?;
        match attempt(cast, Ahead::Quotes) {
            Err(ReplayError::Foretold) => attempt(again, Ahead::Never),
            done => done,
        }
    }
}

/// Whether strategies are told ahead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ahead {
    Never,
    Quotes,
}

fn run(
    dir: &Path,
    host: PluginHost,
    config: Option<&EngineConfig>,
    cast: Cast,
    each: &mut dyn FnMut(Seq, &Effect),
    meter: &Meter,
    ahead: Ahead,
) -> Result<(Replayed, Loader), ReplayError> {
    let mut journal = Upcoming::new(JournalReader::open(dir)?.metered(meter));
    let mut loader = Loader::new(host);
    let mut stage = Stage {
        dir,
        each,
        state: Replayed::default(),
        effects: Vec::new(),
        failed: Vec::new(),
    };
    let (own, mut entering) = match cast {
        Cast::Own => (true, Vec::new()),
        Cast::Given(candidates) => (false, candidates),
    };
    loop {
        let _ = journal.records()?;
        let stops: Vec<_> = journal.stops().collect();
        let records = journal.records()?;
        let Some(record) = records.first() else {
            break;
        };
        if ahead == Ahead::Quotes {
            stage.state.engine.look_ahead(records);
        }
        if own && !matches!(record.event, Event::Strategy(_)) {
            loader.passed(&mut Slots(&mut stage));
        }
        match (&record.event, config) {
            (Event::Strategy(change), _) if own => {
                loader.replay(record.at, change, &mut Slots(&mut stage))?;
                stage.stop(&stops);
                stage.step(record)?;
            }
            (Event::Strategy(_), _) => {
                journal.advance();
                continue;
            }
            (Event::Configured(_), Some(config)) => {
                let event = Event::Configured(Box::new(config.clone()));
                stage.step(&Record { event, ..*record })?;
            }
            _ => {
                if own {
                    stage.stop(&stops);
                }
                stage.step(record)?;
            }
        }
        stage.state.counts.events += 1;
        stage.state.catalog.learn(&record.event);
        if !own && stage.state.config.is_some() {
            for candidate in entering.drain(..) {
                let input = LoaderInput::Ready(Box::new(candidate));
                if let Outcome::Refused { path, why } =
                    loader.handle(input, &mut Slots(&mut stage))?
                {
                    return Err(ReplayError::Refused { path, why });
                }
            }
        }
        let at = stage.state.last_at;
        for (strategy, fault) in std::mem::take(&mut stage.failed) {
            loader.failed(strategy, &fault, at);
        }
        if !own && loader.next_due().is_some_and(|due| due <= at) {
            loader.tick(at, &mut Slots(&mut stage))?;
        }
        journal.advance();
    }
    loader.passed(&mut Slots(&mut stage));
    if stage.state.engine.foretold_wrong() {
        return Err(ReplayError::Foretold);
    }
    Ok((stage.state, loader))
}

/// What a replay steps with.
struct Stage<'a> {
    dir: &'a Path,
    each: &'a mut dyn FnMut(Seq, &Effect),
    state: Replayed,
    effects: Vec<Effect>,
    failed: Vec<(StrategyId, StrategyFault)>,
}

impl Stage<'_> {
    fn step(&mut self, record: &Record) -> Result<(), ReplayError> {
        let state = &mut self.state;
        self.effects.clear();
        state.observer.before(record, &state.engine);
        state.engine.step(record, &mut self.effects);
        state.observer.after(&state.engine);
        state.digest.update(record.seq, &self.effects)?;
        state.last_seq = record.seq;
        state.last_at = record.at;
        if state.wake_at.is_some_and(|wake| wake <= record.at) {
            state.wake_at = None;
        }
        if let Event::Configured(config) = &record.event {
            state.config = Some(config.as_ref().clone());
        }
        for effect in &self.effects {
            match effect {
                Effect::WakeAt(wake) => {
                    state.wake_at = Some(state.wake_at.map_or(*wake, |now| now.min(*wake)));
                }
                Effect::Abort(what) => {
                    return Err(ReplayError::Invariant(what.clone()));
                }
                Effect::StrategyFailed { strategy, fault } => {
                    self.failed.push((*strategy, fault.clone()))
                }
                _ => {}
            }
            state.counts.add(effect);
            (self.each)(record.seq, effect);
        }
        Ok(())
    }

    /// The clock ended these calls when the next record was stepped.
    fn stop(&mut self, stops: &[(StrategyId, u64)]) {
        for (strategy, call) in stops {
            if let Some(strategy) = self.state.engine.strategy_mut(*strategy) {
                strategy.stop_at(*call);
            }
        }
    }

    fn retrieve(&self, digest: &[u8; 32]) -> Result<Vec<u8>, PortError> {
        Ok(archive::load_strategy(self.dir, digest)?)
    }
}

/// The engine's slots, for the loader. One that repeats what the journal tells records nothing; what
/// one that decides records is stepped in the place of the last record.
struct Slots<'a, 'b>(&'a mut Stage<'b>);

impl LoaderPort for Slots<'_, '_> {
    fn engine(&self) -> &Engine {
        &self.0.state.engine
    }

    fn engine_mut(&mut self) -> &mut Engine {
        &mut self.0.state.engine
    }

    fn archive(&mut self, _: &[u8; 32], _: &[u8]) -> Result<(), PortError> {
        Ok(())
    }

    fn retrieve(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, PortError> {
        self.0.retrieve(digest)
    }

    fn now(&self) -> Timestamp {
        self.0.state.last_at
    }

    fn record(&mut self, event: Event) -> Result<(), PortError> {
        let record = Record {
            seq: self.0.state.last_seq,
            at: self.0.state.last_at,
            event,
        };
        Ok(self.0.step(&record)?)
    }
}
