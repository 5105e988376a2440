//! The life of strategies once more, from the records of a journal.

use super::super::engine::Compiled;
use super::super::error::PluginError;
use super::super::port::{LoaderError, LoaderPort};
use super::super::sources::Params;
use super::slot::{Change, ChangeKind, Status};
use super::watched::Watch;
use super::{Loader, Successor, Why, port_error};
use crate::shadow::Begin;
use pm_arb_core::event::{OperatorAction, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{StrategyId, Timestamp};

impl Loader {
    /// Does again what the journal says was done, before the engine is stepped with that record.
    pub fn replay(
        &mut self,
        at: Timestamp,
        change: &StrategyChange,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        if change.kind == StrategyChangeKind::Watched {
            if let Some((id, before)) = self.replaced.take()
                && let Some(slot) = self.slots.values_mut().find(|slot| slot.id == id)
            {
                slot.watch = Some(Watch::new(at, before));
            }
            return Ok(());
        }
        // What the clock ended in a load stands between that and the word that it is watched.
        if !matches!(change.kind, StrategyChangeKind::Stopped { .. }) {
            self.passed(port);
        }
        match &change.kind {
            StrategyChangeKind::Loaded {
                manifest,
                digest,
                generation,
                params,
                restored,
            } => {
                let name = &manifest.name;
                let again = |source| LoaderError::Replay {
                    name: name.clone(),
                    source,
                };
                let compiled = self.compiled(name, digest, port)?;
                let mut strategy = self
                    .host
                    .instantiate_within(&compiled, params, &self.granted(change.id))
                    .map_err(again)?;
                if *restored && let Some(old) = port.engine_mut().strategy_mut(change.id) {
                    let failed = |fault| PluginError::Failed {
                        call: "snapshot",
                        fault,
                    };
                    let state = old.snapshot().map_err(failed);
                    state
                        .and_then(|state| strategy.restore(&state))
                        .map_err(again)?;
                }
                let new = Successor {
                    why: self.why(name, digest, params),
                    compiled,
                    params: params.clone(),
                    path: None,
                    restored: *restored,
                    at,
                    began: None,
                    usage: strategy.usage(),
                    may: strategy.may().clone(),
                };
                let let_go = port.engine_mut().let_go(change.id);
                self.drop_elsewhere(let_go);
                let before = self.occupy(change.id, *generation, new, port);
                let replaced = port.engine_mut().install(change.id, Box::new(strategy));
                match (before, replaced) {
                    // Were it watched, it hears of this record already.
                    (Some(before), Some(old)) => {
                        port.engine_mut().stand_by(change.id, old);
                        self.replaced = Some((change.id, before));
                    }
                    (_, old) => self.drop_elsewhere(old),
                }
            }
            StrategyChangeKind::Reverted {
                generation, why, ..
            } => self.revert_again(change.id, *generation, why, at, port)?,
            StrategyChangeKind::Committed => {
                let let_go = port.engine_mut().let_go(change.id);
                self.drop_elsewhere(let_go);
                if let Some(slot) = self.slots.values_mut().find(|s| s.id == change.id) {
                    slot.watch = None;
                    let generation = slot.generation;
                    slot.note(Change {
                        at,
                        kind: ChangeKind::Committed { generation },
                        why: "its watch ended".to_owned(),
                    });
                }
            }
            // The answer went to nobody; asking may have changed it all the same.
            StrategyChangeKind::Asked => {
                if let Some(strategy) = port.engine_mut().strategy_mut(change.id) {
                    let _ = strategy.snapshot();
                }
            }
            StrategyChangeKind::Quarantined { fault } => {
                let why = format!("it {fault}");
                self.mark(change.id, Status::Quarantined);
                self.note(change.id, at, ChangeKind::Quarantined, why);
            }
            StrategyChangeKind::Unloaded => {
                self.mark(change.id, Status::Unloaded);
                self.note(
                    change.id,
                    at,
                    ChangeKind::Unloaded,
                    super::NO_FILE.to_owned(),
                );
            }
            StrategyChangeKind::Refused { digest, why } => {
                let kind = ChangeKind::Refused { digest: *digest };
                self.note(change.id, at, kind, why.clone());
                if let Some(slot) = self.slots.values_mut().find(|s| s.id == change.id) {
                    slot.ordered = None;
                }
            }
            StrategyChangeKind::Operator { action, note } => {
                if matches!(action, OperatorAction::Promote { .. }) {
                    self.promoted(change.id, note);
                }
                if let Some(slot) = self.slots.values_mut().find(|s| s.id == change.id) {
                    slot.obey(*action, note, at);
                }
            }
            StrategyChangeKind::Granted(may) => {
                self.granted.insert(change.id, (**may).clone());
            }
            // The call for its state, which nobody makes again; others are ended where they are made.
            StrategyChangeKind::Stopped { call: 0 } => {
                if let Some(strategy) = port.engine_mut().strategy_mut(change.id) {
                    strategy.stop_at(0);
                }
            }
            StrategyChangeKind::Stopped { .. } | StrategyChangeKind::Watched => {}
            StrategyChangeKind::Shadowed {
                digest,
                begins,
                params,
                fresh,
                why,
            } => {
                let candidate = Begin {
                    digest: *digest,
                    params: params.clone(),
                    fresh: *fresh,
                };
                self.shadowed(change.id, *begins, &candidate, why, at);
            }
        }
        Ok(())
    }

    /// What the last load replaced is not watched, else the record of it would have followed at once.
    pub fn passed(&mut self, port: &mut dyn LoaderPort) {
        if let Some((id, _)) = self.replaced.take() {
            let let_go = port.engine_mut().let_go(id);
            self.drop_elsewhere(let_go);
        }
    }

    /// What led to a recorded load: the operator's word just before it, or what its bytes say.
    fn why(&self, name: &str, digest: &[u8; 32], params: &Params) -> Why {
        let Some(slot) = self.slots.get(name) else {
            return Why::File;
        };
        match &slot.ordered {
            Some((OperatorAction::Swap { digest: d }, note)) if d == digest => {
                Why::Swapped(note.clone())
            }
            Some((OperatorAction::RollBack { digest: d }, note)) if d == digest => {
                Why::RolledBack(note.clone())
            }
            Some((OperatorAction::Promote { digest: d }, note)) if d == digest => {
                Why::Promoted(note.clone())
            }
            _ if slot.digest != *digest => Why::File,
            _ if slot.params != *params => Why::Settings,
            _ if slot.status == Status::Unloaded => Why::File,
            _ => slot.why_again(),
        }
    }

    fn mark(&mut self, id: StrategyId, status: Status) {
        if let Some(slot) = self.slots.values_mut().find(|slot| slot.id == id) {
            slot.status = status;
        }
    }

    fn note(&mut self, id: StrategyId, at: Timestamp, kind: ChangeKind, why: String) {
        if let Some(slot) = self.slots.values_mut().find(|slot| slot.id == id) {
            slot.note(Change { at, kind, why });
        }
    }

    /// The component of a recorded load: the running one when it is the same, or from the archive.
    fn compiled(
        &self,
        name: &str,
        digest: &[u8; 32],
        port: &mut dyn LoaderPort,
    ) -> Result<Compiled, LoaderError> {
        if let Some(slot) = self.slots.values().find(|slot| slot.digest == *digest) {
            return Ok(slot.compiled.clone());
        }
        let bytes = port
            .retrieve(digest)
            .map_err(|source| port_error(name, "finding its bytes in the run's archive", source))?;
        self.host
            .compile(&bytes)
            .map_err(|source| LoaderError::Replay {
                name: name.to_owned(),
                source,
            })
    }
}
