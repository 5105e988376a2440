//! Which strategies run: loads, swaps, restarts and quarantines them, between two events.
//!
//! ```text
//! Ready ─► archive bytes ─► old.snapshot ─► new.restore ─► install ─► record Loaded
//!                                   └─ refused: record Refused, the old one goes on
//! fault ─► restart after a while, without state ─► third fault in ten minutes: record Quarantined
//! ```
//!
//! Runs on the engine's thread and does nothing slow there. Owns the identity of strategies (by
//! name) and their generations; everything it decides is recorded, and [`Loader::replay`] does it
//! again from the record. It reads no file and no clock.

use super::engine::{Compiled, PluginHost};
use super::error::PluginError;
use super::instance::ComponentStrategy;
use super::port::{LoaderError, LoaderInput, LoaderPort, Outcome, PortError};
use super::prepare::Candidate;
use super::sources::Params;
use pm_arb_core::event::{Event, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{Nanos, StrategyId, Timestamp};
use pm_arb_core::strategy::{Manifest, Strategy, StrategyFault};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Faults within [`STRIKE_WINDOW`] that end a strategy until new bytes come.
pub const STRIKES: usize = 3;
/// See [`STRIKES`].
pub const STRIKE_WINDOW: Nanos = Nanos(600 * 1_000_000_000);
/// A strategy that failed is started again after this long, and after its second strike.
pub const RESTART_AFTER: [Nanos; STRIKES - 1] = [Nanos::from_ms(1_000), Nanos::from_ms(10_000)];
/// Instances waiting to be dropped; beyond it they are dropped where they are.
const REAPER_QUEUE: usize = 64;

/// Where a strategy is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It trades.
    Running,
    /// It failed and is started again then.
    Restarting {
        /// When.
        at: Timestamp,
    },
    /// It failed too often; recorded at the next turn.
    Condemned(StrategyFault),
    /// It failed too often and waits for new bytes.
    Quarantined,
    /// It was taken out.
    Unloaded,
}

/// One strategy of the run.
#[derive(Debug)]
pub struct Slot {
    /// Its identity.
    pub id: StrategyId,
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// Which load of it runs.
    pub generation: u32,
    /// Where it is in its life.
    pub status: Status,
    params: Params,
    /// Its file; none when only the journal knows it, or the file is gone.
    path: Option<PathBuf>,
    compiled: Compiled,
    strikes: VecDeque<Timestamp>,
}

/// See the top of the file.
pub struct Loader {
    host: PluginHost,
    slots: BTreeMap<String, Slot>,
    reaper: Option<SyncSender<Box<dyn Strategy>>>,
}

impl Loader {
    /// Nothing runs.
    #[must_use]
    pub fn new(host: PluginHost) -> Self {
        Self {
            host,
            slots: BTreeMap::new(),
            reaper: reaper(),
        }
    }

    /// The strategies of the run, by name.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// Applies one input between two events.
    pub fn handle(
        &mut self,
        input: LoaderInput,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        match input {
            LoaderInput::Ready(candidate) => self.take_over(*candidate, port),
            LoaderInput::Refused { path, digest, why } => {
                let known = self.at_path(&path);
                self.refuse(known, path, digest, why, port)
            }
            LoaderInput::Gone { path } => Ok(self.orphan(&path)),
        }
    }

    fn at_path(&self, path: &Path) -> Option<String> {
        let found = self
            .slots
            .iter()
            .find(|(_, slot)| slot.path.as_deref() == Some(path));
        found.map(|(name, _)| name.clone())
    }

    fn orphan(&mut self, path: &Path) -> Outcome {
        let Some(name) = self.at_path(path) else {
            return Outcome::Ignored;
        };
        if let Some(slot) = self.slots.get_mut(&name) {
            slot.path = None;
        }
        tracing::warn!(strategy = name, file = %path.display(), "its file is gone; it runs on");
        Outcome::Orphaned { name }
    }

    fn refuse(
        &mut self,
        known: Option<String>,
        path: PathBuf,
        digest: Option<[u8; 32]>,
        why: String,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        tracing::error!(file = %path.display(), "strategy refused: {why}");
        // The journal knows strategies, not files: a file that never was one leaves no record.
        if let Some((name, slot)) = known.and_then(|n| self.slots.get_key_value(&n)) {
            let kind = StrategyChangeKind::Refused {
                digest: digest.unwrap_or_default(),
                why: why.clone(),
            };
            record(port, name, slot.id, kind)?;
        }
        Ok(Outcome::Refused { path, why })
    }

    fn take_over(
        &mut self,
        candidate: Candidate,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        let name = candidate.compiled.manifest.name.clone();
        let digest = candidate.compiled.digest;
        if let Some(slot) = self.slots.get_mut(&name) {
            if let Some(other) = slot.path.as_ref().filter(|p| **p != candidate.path) {
                let why = format!(
                    "{} is the strategy {name} already; two files can not be one. Rename one of them \
                     in its source, or remove the other file",
                    other.display()
                );
                return self.refuse(Some(name), candidate.path, Some(digest), why, port);
            }
            let same = slot.digest == digest && slot.params == candidate.params;
            if same && slot.status != Status::Unloaded {
                slot.path = Some(candidate.path);
                return Ok(Outcome::Unchanged { name });
            }
        }
        port.archive(&digest, &candidate.bytes)
            .map_err(|source| port_error(&name, "keeping its bytes", source))?;
        let mut strategy = candidate.strategy;
        let restored = match self.carry_over(&name, &mut strategy, port) {
            Ok(restored) => restored,
            Err(error) => {
                return self.refuse(
                    Some(name),
                    candidate.path,
                    Some(digest),
                    error.story(),
                    port,
                );
            }
        };
        let renamed = self.at_path(&candidate.path).filter(|old| *old != name);
        let outcome = self.install(
            Successor {
                compiled: candidate.compiled,
                params: candidate.params,
                path: Some(candidate.path),
                restored,
            },
            strategy,
            port,
        )?;
        if let Some(old) = renamed {
            self.unload(&old, port)?;
        }
        Ok(outcome)
    }

    /// Hands the state of the running version over. An error means: keep the running version.
    fn carry_over(
        &mut self,
        name: &str,
        new: &mut ComponentStrategy,
        port: &mut dyn LoaderPort,
    ) -> Result<bool, PluginError> {
        let Some(slot) = self.slots.get(name).filter(|s| s.status == Status::Running) else {
            return Ok(false);
        };
        let Some(old) = port.strategy_mut(slot.id) else {
            return Ok(false);
        };
        match old.snapshot() {
            Ok(state) => new.restore(&state).map(|()| true),
            Err(fault) => {
                // Asking killed it, so there is nothing to keep.
                tracing::warn!(strategy = name, "no state to hand over: it {fault}");
                Ok(false)
            }
        }
    }

    fn install(
        &mut self,
        new: Successor,
        strategy: ComponentStrategy,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        let manifest = new.compiled.manifest.clone();
        let name = manifest.name.clone();
        let before = self.slots.get(&name);
        let id = before.map_or_else(|| self.next_id(), |slot| slot.id);
        let generation = before.map_or(1, |slot| slot.generation.saturating_add(1));
        let kind = StrategyChangeKind::Loaded {
            manifest: manifest.clone(),
            digest: new.compiled.digest,
            generation,
            params: new.params.clone(),
            restored: new.restored,
        };
        let restored = new.restored;
        self.occupy(id, generation, new);
        self.drop_elsewhere(port.install(id, Box::new(strategy)));
        record(port, &name, id, kind)?;
        tracing::info!(
            strategy = name,
            version = manifest.version,
            generation,
            restored,
            "loaded"
        );
        Ok(Outcome::Loaded {
            name,
            generation,
            restored,
        })
    }

    /// The slot's entry for a generation that runs from now on. New bytes start with a clean record.
    fn occupy(&mut self, id: StrategyId, generation: u32, new: Successor) {
        let manifest = new.compiled.manifest.clone();
        let strikes = match self.slots.remove(&manifest.name) {
            Some(old) if old.digest == new.compiled.digest => old.strikes,
            _ => VecDeque::new(),
        };
        let slot = Slot {
            id,
            digest: new.compiled.digest,
            generation,
            status: Status::Running,
            params: new.params,
            path: new.path,
            compiled: new.compiled,
            strikes,
            manifest: manifest.clone(),
        };
        self.slots.insert(manifest.name, slot);
    }

    fn next_id(&self) -> StrategyId {
        let last = self.slots.values().map(|slot| slot.id.0).max();
        StrategyId(last.map_or(0, |id| id.saturating_add(1)))
    }

    fn unload(&mut self, name: &str, port: &mut dyn LoaderPort) -> Result<(), LoaderError> {
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(());
        };
        slot.status = Status::Unloaded;
        slot.path = None;
        tracing::info!(strategy = name, "unloaded");
        record(port, name, slot.id, StrategyChangeKind::Unloaded)
    }

    /// Ends a start: what only the journal knows, and no file of this start names, is taken out.
    pub fn settle(&mut self, port: &mut dyn LoaderPort) -> Result<(), LoaderError> {
        let left: Vec<String> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.path.is_none() && slot.status != Status::Unloaded)
            .map(|(name, _)| name.clone())
            .collect();
        left.iter().try_for_each(|name| self.unload(name, port))
    }

    /// The engine says that a strategy failed. Only noted here; [`tick`](Self::tick) acts on it.
    /// Called in replays too, so that a recovered run knows its strikes.
    pub fn failed(&mut self, id: StrategyId, fault: &StrategyFault, at: Timestamp) {
        let Some((name, slot)) = self.slots.iter_mut().find(|(_, slot)| slot.id == id) else {
            return;
        };
        tracing::error!(
            strategy = name,
            generation = slot.generation,
            "failed: it {fault}"
        );
        slot.strikes.push_back(at);
        while slot
            .strikes
            .front()
            .is_some_and(|first| at.since(*first) > STRIKE_WINDOW)
        {
            slot.strikes.pop_front();
        }
        slot.status = match RESTART_AFTER.get(slot.strikes.len().saturating_sub(1)) {
            Some(pause) => Status::Restarting {
                at: at.plus(*pause),
            },
            None => Status::Condemned(fault.clone()),
        };
    }

    /// When [`tick`](Self::tick) has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.slots
            .values()
            .filter_map(|slot| match slot.status {
                Status::Restarting { at } => Some(at),
                Status::Condemned(_) => Some(Timestamp(0)),
                _ => None,
            })
            .min()
    }

    /// Restarts what is due and quarantines what failed too often.
    pub fn tick(&mut self, now: Timestamp, port: &mut dyn LoaderPort) -> Result<(), LoaderError> {
        let due: Vec<String> = self
            .slots
            .iter()
            .filter(|(_, slot)| match slot.status {
                Status::Restarting { at } => at <= now,
                Status::Condemned(_) => true,
                _ => false,
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.restart_or_quarantine(&name, port)?;
        }
        Ok(())
    }

    fn restart_or_quarantine(
        &mut self,
        name: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(());
        };
        let fault = match &slot.status {
            Status::Condemned(fault) => fault.clone(),
            _ => match self.host.instantiate(&slot.compiled, &slot.params) {
                Ok(strategy) => {
                    let again = Successor {
                        compiled: slot.compiled.clone(),
                        params: slot.params.clone(),
                        path: slot.path.clone(),
                        restored: false,
                    };
                    return self.install(again, strategy, port).map(|_| ());
                }
                Err(PluginError::Failed { fault, .. }) => fault,
                Err(error) => StrategyFault::Protocol(error.story()),
            },
        };
        slot.status = Status::Quarantined;
        tracing::error!(
            strategy = name,
            "quarantined until its file changes: it {fault}"
        );
        record(
            port,
            name,
            slot.id,
            StrategyChangeKind::Quarantined { fault },
        )
    }

    /// Does again what the journal says was done, before the engine is stepped with that record.
    pub fn replay(
        &mut self,
        change: &StrategyChange,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
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
                let mut strategy = self.host.instantiate(&compiled, params).map_err(again)?;
                if *restored {
                    self.carry_over(name, &mut strategy, port).map_err(again)?;
                }
                let new = Successor {
                    compiled,
                    params: params.clone(),
                    path: None,
                    restored: *restored,
                };
                self.occupy(change.id, *generation, new);
                self.drop_elsewhere(port.install(change.id, Box::new(strategy)));
            }
            StrategyChangeKind::Quarantined { .. } => self.mark(change.id, Status::Quarantined),
            StrategyChangeKind::Unloaded => self.mark(change.id, Status::Unloaded),
            StrategyChangeKind::Refused { .. } => {}
        }
        Ok(())
    }

    fn mark(&mut self, id: StrategyId, status: Status) {
        if let Some(slot) = self.slots.values_mut().find(|slot| slot.id == id) {
            slot.status = status;
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

    /// Unmapping an instance's memory takes longer than an event may wait.
    fn drop_elsewhere(&self, old: Option<Box<dyn Strategy>>) {
        if let (Some(old), Some(reaper)) = (old, &self.reaper) {
            // Full or gone: it comes back in the error and is dropped here.
            let _ = reaper.try_send(old);
        }
    }
}

/// What enters a slot.
struct Successor {
    compiled: Compiled,
    params: Params,
    path: Option<PathBuf>,
    restored: bool,
}

fn record(
    port: &mut dyn LoaderPort,
    name: &str,
    id: StrategyId,
    kind: StrategyChangeKind,
) -> Result<(), LoaderError> {
    port.record(Event::Strategy(Box::new(StrategyChange { id, kind })))
        .map_err(|source| port_error(name, "recording the change in the journal", source))
}

fn port_error(name: &str, doing: &'static str, source: PortError) -> LoaderError {
    LoaderError::Port {
        name: name.to_owned(),
        doing,
        source,
    }
}

/// The thread on which replaced instances are dropped; it ends with the loader. Without a thread
/// they are dropped in place.
fn reaper() -> Option<SyncSender<Box<dyn Strategy>>> {
    let (sender, dead) = sync_channel(REAPER_QUEUE);
    std::thread::Builder::new()
        .name("strategy-reaper".to_owned())
        .spawn(move || dead.into_iter().for_each(drop))
        .ok()
        .map(|_| sender)
}
