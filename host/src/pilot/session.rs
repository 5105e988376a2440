//! One run in progress: the engine, its journal, and the effects that wait for the disk.
//!
//! The only way to step a live engine: [`Session::record`] stamps, appends, steps, in that order. What the
//! clock ended on the way is recorded next, before anything else, and is durable with its cause.

use crate::calibrate::Observer;
use crate::digest::EffectDigest;
use crate::journal::{JournalError, JournalWriter, archive};
use crate::plugin::{Loader, LoaderError, LoaderPort, PortError};
use crate::replay::Replayed;
use pm_arb_core::effect::Effect;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{Seq, StrategyId, Timestamp};
use pm_arb_core::strategy::StrategyFault;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Why a run can not go on. Any of these ends the pilot: better stopped than wrong.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The journal can not be written.
    #[error(
        "the journal can not be written; trading stopped before anything unrecorded was concluded"
    )]
    Journal(#[from] JournalError),
    /// The books of account do not balance, or worse; at which record, and how.
    #[error("an invariant broke at {0}; trading stopped. Keep the run's folder and report it")]
    Invariant(String),
    /// An effect can not be encoded.
    #[error("an effect can not be encoded for the digest")]
    Digest(#[from] postcard::Error),
}

/// A run in progress.
pub struct Session {
    /// Its state.
    pub engine: Engine,
    dir: PathBuf,
    journal: JournalWriter,
    digest: EffectDigest,
    observer: Observer,
    last_at: Timestamp,
    last_seq: Seq,
    wake_at: Option<Timestamp>,
    waiting: Vec<(Seq, Effect)>,
    failed: Vec<(StrategyId, StrategyFault)>,
    /// What stood by for some strategy failed, and the loader has not been told.
    standby_failed: bool,
    /// Calls that the clock ended, not recorded yet: whose, and which.
    stopped: VecDeque<(StrategyId, u64)>,
    effects: Vec<Effect>,
    unflushed: bool,
}

impl Session {
    /// Continues in `dir` where a replay of its journal ended.
    #[must_use]
    pub fn new(dir: PathBuf, journal: JournalWriter, replayed: Replayed) -> Self {
        Self {
            engine: replayed.engine,
            dir,
            journal,
            digest: replayed.digest,
            observer: replayed.observer,
            last_at: replayed.last_at,
            last_seq: replayed.last_seq,
            wake_at: replayed.wake_at,
            waiting: Vec::new(),
            failed: Vec::new(),
            standby_failed: false,
            stopped: VecDeque::new(),
            effects: Vec::new(),
            unflushed: false,
        }
    }

    /// Stamps the event (time never goes back), appends it and steps the engine with it.
    pub fn record(&mut self, at: Timestamp, event: Event) -> Result<Seq, SessionError> {
        let seq = self.step(at, event)?;
        // Each is of an instance that is dead now: there are no more of them than strategies.
        while let Some((id, call)) = self.stopped.pop_front() {
            let kind = StrategyChangeKind::Stopped { call };
            self.step(at, Event::Strategy(Box::new(StrategyChange { id, kind })))?;
        }
        Ok(seq)
    }

    fn step(&mut self, at: Timestamp, event: Event) -> Result<Seq, SessionError> {
        let at = at.max(self.last_at);
        let seq = self.journal.append(at, &event)?;
        self.unflushed = true;
        self.last_at = at;
        self.last_seq = seq;
        if self.wake_at.is_some_and(|wake| wake <= at) {
            self.wake_at = None;
        }
        self.effects.clear();
        let record = Record { seq, at, event };
        self.observer.before(&record, &self.engine);
        let before = self.engine.standbys_failed();
        self.engine.step(&record, &mut self.effects);
        self.standby_failed |= self.engine.standbys_failed() != before;
        self.observer.after(&self.engine);
        self.digest.update(seq, &self.effects)?;
        for effect in self.effects.drain(..) {
            match effect {
                Effect::WakeAt(wake) => {
                    self.wake_at = Some(self.wake_at.map_or(wake, |now| now.min(wake)))
                }
                Effect::StrategyFailed { strategy, fault } => {
                    if fault == StrategyFault::TooSlow {
                        let call = self.engine.strategy_mut(strategy).map(|s| s.calls());
                        self.stopped
                            .extend(call.filter(|n| *n > 0).map(|n| (strategy, n)));
                    }
                    self.failed.push((strategy, fault));
                }
                Effect::Abort(what) => return Err(SessionError::Invariant(what)),
                other => self.waiting.push((seq, other)),
            }
        }
        Ok(seq)
    }

    /// Makes everything recorded durable and hands out the effects that waited for it.
    pub fn commit(&mut self) -> Result<std::vec::Drain<'_, (Seq, Effect)>, SessionError> {
        if self.unflushed {
            self.journal.commit()?;
            self.unflushed = false;
        }
        Ok(self.waiting.drain(..))
    }

    /// Whether effects wait for the disk.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Strategies that failed since this was asked last.
    pub fn take_failed(&mut self) -> Vec<(StrategyId, StrategyFault)> {
        self.standby_failed = false;
        std::mem::take(&mut self.failed)
    }

    /// Whether a strategy, or what stood by for one, failed since [`take_failed`](Self::take_failed).
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.standby_failed || !self.failed.is_empty()
    }

    /// When the engine wants to be woken.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.wake_at
    }

    /// The last record's stamp.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// The last record.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// What watches the fair values of the run, from its first record on.
    #[must_use]
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Digest of all effects so far.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.hex(&self.engine)
    }
}

/// Tells the loader which strategies failed since it was told last. One that failed while it was watched is
/// replaced at once, and a watch whose standby failed is over: between the record of it and the next.
pub fn attend(
    session: &mut Session,
    loader: &mut Loader,
    at: Timestamp,
) -> Result<(), LoaderError> {
    for (strategy, fault) in session.take_failed() {
        loader.failed(strategy, &fault, session.last_at());
    }
    loader.judge(at, &mut LoaderView { session, at })
}

/// The session as the strategies' loader sees it, at one moment.
pub struct LoaderView<'a> {
    /// The run.
    pub session: &'a mut Session,
    /// Stamp of what the loader records.
    pub at: Timestamp,
}

impl LoaderPort for LoaderView<'_> {
    fn engine(&self) -> &Engine {
        &self.session.engine
    }

    fn engine_mut(&mut self) -> &mut Engine {
        &mut self.session.engine
    }

    fn archive(&mut self, digest: &[u8; 32], bytes: &[u8]) -> Result<(), PortError> {
        // Whoever prepared it has kept it already: three flushes of the disk that no event waits for.
        if !archive::has_strategy(&self.session.dir, digest) {
            archive::save_strategy(&self.session.dir, bytes)?;
        }
        Ok(())
    }

    fn retrieve(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, PortError> {
        Ok(archive::load_strategy(&self.session.dir, digest)?)
    }

    fn now(&self) -> Timestamp {
        self.at.max(self.session.last_at)
    }

    fn record(&mut self, event: Event) -> Result<(), PortError> {
        self.session.record(self.at, event)?;
        Ok(())
    }
}
