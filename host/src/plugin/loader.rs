//! Which strategies run: loads, swaps, restarts and quarantines them, between two events.
//!
//! ```text
//! Ready ─► archive bytes ─► old.snapshot ─► new.restore ─► install ─► record Loaded
//!                                   └─ refused: record Refused, the old one goes on
//! fault ─► restart after a while, without state ─► third fault in ten minutes: record Quarantined
//! operator ─► record Operator ─► the same as above
//! ```
//!
//! Runs on the engine's thread and does nothing slow there. Owns the identity of strategies (by
//! name) and their generations; everything it decides is recorded, and [`Loader::replay`] does it
//! again from the record. It reads no file, and no clock but a stopwatch for its own pauses, which
//! decides nothing.
//!
//! What operators said holds over restarts, because it is in the journal: a pinned strategy stays with
//! its bytes, a quarantined one stays stopped, and after `swap` or `rollback` the bytes that its file
//! held then are not loaded again; other bytes in the file are.

mod again;
mod faults;
mod granted;
mod orders;
mod shadow;
mod slot;
mod state;
mod watched;

pub use orders::{Done, Order, OrderError, Recipe, What};
pub use slot::{CHANGES_MAX, Change, ChangeKind, EARLIER_MAX, Past, Slot, Status};
pub use watched::Watch;

use super::engine::{Compiled, PluginHost};
use super::instance::ComponentStrategy;
use super::limits::Limits;
use super::policy::SwapPolicy;
use super::port::{LoaderError, LoaderInput, LoaderPort, Outcome, PortError};
use super::prepare::Candidate;
use super::sources::Params;
use super::usage::Usage;
use crate::shadow::Shadows;
use pm_arb_core::capabilities::Capabilities;
use pm_arb_core::event::{Event, OperatorAction, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{Nanos, StrategyId, Timestamp};
use pm_arb_core::strategy::Strategy;
use state::component;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;
use watched::Before;

/// Faults within [`STRIKE_WINDOW`] that end a strategy until new bytes come.
pub const STRIKES: usize = 3;
/// See [`STRIKES`].
pub const STRIKE_WINDOW: Nanos = Nanos(600 * 1_000_000_000);
/// A strategy that failed is started again after this long, and after its second strike.
pub const RESTART_AFTER: [Nanos; STRIKES - 1] = [Nanos(0), Nanos::from_ms(10_000)];
/// News that are kept to be shown; the oldest goes first.
pub const NEWS_MAX: usize = 16;
/// Why one is taken out.
const NO_FILE: &str = "no file that this start names holds it";
/// Instances waiting to be dropped; beyond it they are dropped where they are.
const REAPER_QUEUE: usize = 64;

/// Something worth saying at once to whoever looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Counts the news of this process, from 1.
    pub number: u64,
    /// When, in the run's time.
    pub at: Timestamp,
    /// Whether it went as somebody wished.
    pub good: bool,
    /// In a line.
    pub text: String,
}

/// Why a generation takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// Its file says so.
    File,
    /// The configuration has other settings for the bytes that run.
    Settings,
    /// An operator's word, with their note.
    Swapped(String),
    /// An operator's word, with their note.
    RolledBack(String),
    /// It ran in the shadow and is better, by an operator's word or the test's.
    Promoted(String),
    /// The same bytes start once more, because of that.
    Restarted(String),
}

/// See the top of the file.
pub struct Loader {
    host: PluginHost,
    policy: SwapPolicy,
    /// In a replay: what the last load replaced, while it is not known whether that is watched.
    replaced: Option<(StrategyId, Before)>,
    slots: BTreeMap<String, Slot>,
    reaper: Option<SyncSender<Box<dyn Strategy>>>,
    news: VecDeque<News>,
    told: u64,
    /// What each may, as last recorded: it holds from its next load on.
    granted: BTreeMap<StrategyId, Capabilities>,
    shadows: Shadows,
}

impl Loader {
    /// Nothing runs.
    #[must_use]
    pub fn new(host: PluginHost) -> Self {
        Self {
            host,
            policy: SwapPolicy::unwatched(),
            replaced: None,
            slots: BTreeMap::new(),
            reaper: reaper(),
            news: VecDeque::new(),
            told: 0,
            granted: BTreeMap::new(),
            shadows: Shadows::default(),
        }
    }

    /// From here on, what takes over must do as that says.
    pub fn govern(&mut self, policy: SwapPolicy) {
        self.policy = policy;
    }

    /// What takes over must do so.
    #[must_use]
    pub fn policy(&self) -> &SwapPolicy {
        &self.policy
    }

    /// The strategies of the run, by name.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// What happened lately, oldest first.
    pub fn news(&self) -> impl Iterator<Item = &News> {
        self.news.iter()
    }

    /// The limits that every strategy runs under.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.host.limits()
    }

    /// Applies one input between two events.
    pub fn handle(
        &mut self,
        input: LoaderInput,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        match input {
            LoaderInput::Ready(candidate) => self.follow(*candidate, port),
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
            slot.waiting = None;
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
        let strategy = known.as_deref();
        tracing::error!(strategy, file = %path.display(), "strategy refused: {why}");
        let at = port.now();
        // The journal knows strategies, not files: a file that never was one leaves no record.
        let running = match known.and_then(|name| self.slots.get_mut(&name)) {
            Some(slot) => {
                let digest = digest.unwrap_or_default();
                let change = Change {
                    at,
                    kind: ChangeKind::Refused { digest },
                    why: why.clone(),
                };
                slot.note(change);
                slot.ordered = None;
                let why = why.clone();
                record(
                    port,
                    &slot.manifest.name,
                    slot.id,
                    StrategyChangeKind::Refused { digest, why },
                )?;
                let (name, generation) = (&slot.manifest.name, slot.generation);
                format!("; {name} (gen {generation}) goes on")
            }
            None => String::new(),
        };
        let file = path.file_name().unwrap_or(path.as_os_str());
        let text = format!("{} refused: {why}{running}", file.display());
        self.tell(at, false, text);
        Ok(Outcome::Refused { path, why })
    }

    /// Does what a file says, unless an operator said otherwise.
    fn follow(
        &mut self,
        candidate: Candidate,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        let name = candidate.compiled.described.manifest.name.clone();
        let digest = candidate.compiled.digest;
        let for_shadow = self.is_for_shadow(&name, &candidate);
        let Some(slot) = self.slots.get_mut(&name) else {
            return self.take_over(candidate, Why::File, false, port);
        };
        if let Some(other) = slot.path.as_ref().filter(|p| **p != candidate.path) {
            let why = format!(
                "{} is the strategy {name} already; two files can not be one. Rename one of them \
                 in its source, or remove the other file",
                other.display()
            );
            return self.refuse(Some(name), candidate.path, Some(digest), why, port);
        }
        let runs = slot.digest == digest
            && slot.params == candidate.params
            && slot.may == *candidate.strategy.may();
        let gone = slot.status == Status::Unloaded;
        if slot.held.is_some() && gone {
            slot.status = Status::Quarantined;
        }
        if runs && (!gone || slot.held.is_some()) {
            slot.path = Some(candidate.path);
            slot.waiting = None;
            return Ok(Outcome::Unchanged { name });
        }
        let same = slot.digest == digest && slot.params == candidate.params;
        let chosen = slot
            .file
            .as_ref()
            .is_some_and(|(d, p)| *d == digest && *p == candidate.params && !same);
        let fell = slot
            .fallen
            .as_ref()
            .is_some_and(|(d, p)| *d == digest && *p == candidate.params);
        let why = match slot.deaf() {
            Some(why) => why,
            None if fell => "these bytes were rolled back by themselves",
            None if chosen => "an operator chose other bytes",
            None if slot.digest == digest && !gone => {
                return self.take_over(candidate, Why::Settings, false, port);
            }
            None if for_shadow => return self.follow_in_shadow(name, candidate, port),
            None => return self.take_over(candidate, Why::File, false, port),
        };
        let path = candidate.path.clone();
        tracing::warn!(strategy = name, file = %path.display(), "its file is not followed: {why}");
        slot.path = Some(path);
        if slot.deaf().is_some() && !chosen && !runs {
            slot.waiting = Some(Box::new(candidate));
        }
        if gone && slot.held.is_none() {
            // The bytes it was left with run again.
            return self.revive(&name, port);
        }
        Ok(Outcome::NotFollowed { name, why })
    }

    /// Runs a slot's own bytes again at a start.
    fn revive(&mut self, name: &str, port: &mut dyn LoaderPort) -> Result<Outcome, LoaderError> {
        let Some(slot) = self.slots.get(name) else {
            return Ok(Outcome::Ignored);
        };
        let why = Why::Restarted("its file is there again".to_owned());
        match self.again(slot, why, port.now()) {
            Ok((new, strategy)) => self.install(new, strategy, port),
            Err(error) => {
                let (path, digest) = (slot.path.clone().unwrap_or_default(), slot.digest);
                let known = Some(name.to_owned());
                self.refuse(known, path, Some(digest), error.story(), port)
            }
        }
    }

    /// Puts a candidate in the place of what runs, with its state unless `fresh`.
    fn take_over(
        &mut self,
        candidate: Candidate,
        why: Why,
        fresh: bool,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        let name = candidate.compiled.described.manifest.name.clone();
        let digest = candidate.compiled.digest;
        // Those of what runs are there, and new settings bring none.
        if !candidate.bytes.is_empty() {
            port.archive(&digest, &candidate.bytes)
                .map_err(|source| port_error(&name, "keeping its bytes", source))?;
        }
        // Before the state is carried over: a record may wake the one that runs.
        self.grant(&name, candidate.strategy.may(), port)?;
        let spoken = match &why {
            Why::Swapped(note) => Some((OperatorAction::Swap { digest }, note)),
            Why::RolledBack(note) => Some((OperatorAction::RollBack { digest }, note)),
            Why::Promoted(note) => Some((OperatorAction::Promote { digest }, note)),
            Why::File | Why::Settings | Why::Restarted(_) => None,
        };
        if let Some((action, note)) = spoken {
            self.command(&name, action, note, port)?;
        }
        let began = Instant::now();
        let mut strategy = candidate.strategy;
        let mut asked = None;
        let carried = self.carry_over(&candidate.compiled, &mut strategy, fresh, &mut asked, port);
        self.was_asked(&name, asked, &carried, port)?;
        let restored = match carried {
            Ok(restored) => restored,
            Err(error) => {
                let path = candidate.path;
                return self.refuse(Some(name), path, Some(digest), error.story(), port);
            }
        };
        let (file, renamed) = match &why {
            Why::File | Why::Settings => {
                let renamed = self.at_path(&candidate.path).filter(|old| *old != name);
                (Some(candidate.path), renamed)
            }
            _ => (None, None),
        };
        let new = Successor {
            compiled: candidate.compiled,
            params: candidate.params,
            path: file,
            restored,
            why,
            at: port.now(),
            began: Some(began),
            usage: strategy.usage(),
            may: strategy.may().clone(),
        };
        let outcome = self.install(new, strategy, port)?;
        if let Some(old) = renamed {
            self.unload(&old, port)?;
        }
        Ok(outcome)
    }

    fn install(
        &mut self,
        new: Successor,
        mut strategy: ComponentStrategy,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        let manifest = new.compiled.described.manifest.clone();
        let name = manifest.name.clone();
        self.grant(&name, &new.may, port)?;
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
        self.commit(&name, "something else takes over", port)?;
        let (restored, began, at) = (new.restored, new.began, new.at);
        let watched = self.is_to_be_watched(&new);
        if self.policy.rehearse {
            strategy.keep_tape();
        }
        let before = self.occupy(id, generation, new, port);
        let replaced = port.engine_mut().install(id, Box::new(strategy));
        let before = before.filter(|_| watched && replaced.is_some());
        match replaced {
            Some(old) if before.is_some() => port.engine_mut().stand_by(id, old),
            old => self.drop_elsewhere(old),
        }
        record(port, &name, id, kind)?;
        if let Some(before) = before {
            self.watch(&name, before, port)?;
        }
        tracing::info!(
            strategy = name,
            version = manifest.version,
            generation,
            restored,
            "loaded"
        );
        let pause = began.map(|began| began.elapsed());
        if let Some(slot) = self.slots.get_mut(&name) {
            slot.paused(pause);
            let text = slot.introduced(restored, pause);
            let refused = slot.not_granted();
            self.tell(at, true, text);
            self.tell_refused(&name, &refused, at);
        }
        Ok(Outcome::Loaded {
            name,
            generation,
            restored,
        })
    }

    /// The slot's entry for a generation that runs from now on. Returns the one that ran.
    fn occupy(
        &mut self,
        id: StrategyId,
        generation: u32,
        new: Successor,
        port: &dyn LoaderPort,
    ) -> Option<Before> {
        match self.slots.get_mut(&new.compiled.described.manifest.name) {
            Some(slot) => {
                let now = port.engine().standing(id);
                let before = (slot.status == Status::Running).then(|| Before::of(slot, now));
                slot.succeed(generation, new);
                slot.since = now;
                before
            }
            None => {
                let name = new.compiled.described.manifest.name.clone();
                self.slots.insert(name, Slot::first(id, generation, new));
                None
            }
        }
    }

    fn next_id(&self) -> StrategyId {
        let last = self.slots.values().map(|slot| slot.id.0).max();
        StrategyId(last.map_or(0, |id| id.saturating_add(1)))
    }

    fn unload(&mut self, name: &str, port: &mut dyn LoaderPort) -> Result<(), LoaderError> {
        self.commit(name, NO_FILE, port)?;
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(());
        };
        slot.status = Status::Unloaded;
        slot.path = None;
        slot.waiting = None;
        slot.note(Change {
            at: port.now(),
            kind: ChangeKind::Unloaded,
            why: NO_FILE.to_owned(),
        });
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
        left.iter().try_for_each(|name| self.unload(name, port))?;
        // Those that the journal brought back are live from here on.
        for slot in self.slots.values().filter(|_| self.policy.rehearse) {
            if let Some(own) = port.engine_mut().strategy_mut(slot.id).and_then(component) {
                own.keep_tape();
            }
        }
        self.apply_grants(port)
    }

    fn tell(&mut self, at: Timestamp, good: bool, text: String) {
        self.told = self.told.saturating_add(1);
        if self.news.len() >= NEWS_MAX {
            self.news.pop_front();
        }
        self.news.push_back(News {
            number: self.told,
            at,
            good,
            text,
        });
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
    /// The file that says so.
    path: Option<PathBuf>,
    restored: bool,
    why: Why,
    at: Timestamp,
    /// Since when no event could be told.
    began: Option<Instant>,
    usage: Arc<Usage>,
    may: Capabilities,
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
