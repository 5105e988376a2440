//! One run in progress: the engine, its journal, and the effects that wait for the disk.
//!
//! The only way to step a live engine: [`Session::record`] stamps, appends, steps, in that order.

use crate::digest::EffectDigest;
use crate::journal::{JournalError, JournalWriter};
use pm_arb_core::effect::Effect;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{Seq, StrategyId, Timestamp};
use pm_arb_core::strategy::StrategyFault;

/// Why a run can not go on. Any of these ends the pilot: better stopped than wrong.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The journal can not be written.
    #[error("the journal can not be written; trading stopped before anything unrecorded was concluded")]
    Journal(#[from] JournalError),
    /// The books of account do not balance, or worse.
    #[error("an invariant broke at record {seq}: {what}; trading stopped. Keep the run's folder and report it")]
    Invariant {
        /// The record.
        seq: Seq,
        /// What.
        what: String,
    },
    /// An effect can not be encoded.
    #[error("an effect can not be encoded for the digest")]
    Digest(#[from] postcard::Error),
}

/// A run in progress.
pub struct Session {
    /// Its state.
    pub engine: Engine,
    journal: JournalWriter,
    digest: EffectDigest,
    last_at: Timestamp,
    last_seq: Seq,
    wake_at: Option<Timestamp>,
    waiting: Vec<(Seq, Effect)>,
    failed: Vec<(StrategyId, StrategyFault)>,
    effects: Vec<Effect>,
    unflushed: bool,
}

impl Session {
    /// Continues after the record `last_seq` of `last_at`, with the state that it left.
    #[must_use]
    pub fn new(
        engine: Engine,
        journal: JournalWriter,
        digest: EffectDigest,
        last_seq: Seq,
        last_at: Timestamp,
        wake_at: Option<Timestamp>,
    ) -> Self {
        Self {
            engine,
            journal,
            digest,
            last_at,
            last_seq,
            wake_at,
            waiting: Vec::new(),
            failed: Vec::new(),
            effects: Vec::new(),
            unflushed: false,
        }
    }

    /// Stamps the event (time never goes back), appends it and steps the engine with it.
    pub fn record(&mut self, at: Timestamp, event: Event) -> Result<Seq, SessionError> {
        let at = at.max(self.last_at);
        let seq = self.journal.append(at, &event)?;
        self.unflushed = true;
        self.last_at = at;
        self.last_seq = seq;
        if self.wake_at.is_some_and(|wake| wake <= at) {
            self.wake_at = None;
        }
        self.effects.clear();
        self.engine.step(&Record { seq, at, event }, &mut self.effects);
        self.digest.update(seq, &self.effects)?;
        for effect in self.effects.drain(..) {
            match effect {
                Effect::WakeAt(wake) => self.wake_at = Some(self.wake_at.map_or(wake, |now| now.min(wake))),
                Effect::StrategyFailed { strategy, fault } => self.failed.push((strategy, fault)),
                Effect::Abort(what) => return Err(SessionError::Invariant { seq, what }),
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
        std::mem::take(&mut self.failed)
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

    /// Digest of all effects so far.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.hex()
    }
}
