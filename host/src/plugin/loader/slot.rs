//! One strategy of the run as the loader keeps it, and what became of it so far.
//!
//! Owns the bounded memory of earlier generations and of changes. It decides nothing.

use super::super::engine::Compiled;
use super::super::limits::Limits;
use super::super::prepare::Candidate;
use super::super::rehearse::Contender;
use super::super::sources::Params;
use super::super::usage::Usage;
use super::watched::{Before, Watch};
use super::{Successor, Why};
use pm_arb_core::capabilities::Capabilities;
use pm_arb_core::engine::Standing;
use pm_arb_core::event::OperatorAction;
use pm_arb_core::ids::{StrategyId, Timestamp};
use pm_arb_core::strategy::{Manifest, StrategyFault};
use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Generations that a rollback can still go to; the oldest is forgotten first.
pub const EARLIER_MAX: usize = 16;
/// Changes of a strategy that are kept to be shown; the oldest goes first.
pub const CHANGES_MAX: usize = 16;

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
    /// It failed too often and waits for new bytes, or an operator stopped it and it waits for them.
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
    /// Why changes of its file are not followed, in an operator's words.
    pub pinned: Option<String>,
    /// Why an operator stopped it, in their words.
    pub held: Option<String>,
    /// How it failed last.
    pub fault: Option<StrategyFault>,
    /// What the running generation used.
    pub usage: Arc<Usage>,
    /// What the running generation may.
    pub may: Capabilities,
    pub(super) params: Params,
    /// Its file; none when only the journal knows it, or the file is gone.
    pub(super) path: Option<PathBuf>,
    pub(super) compiled: Compiled,
    pub(super) strikes: VecDeque<Timestamp>,
    /// What was loaded from its file last. When an operator chose other bytes since, the file telling the
    /// same again (at every start) is no news.
    pub(super) file: Option<([u8; 32], Params)>,
    /// What its file holds, while that is not followed.
    pub(super) waiting: Option<Box<Candidate>>,
    /// What ran before and was not quarantined, newest last.
    pub(super) earlier: VecDeque<Past>,
    pub(super) changes: VecDeque<Change>,
    /// The watch over the running generation, while it lasts.
    pub watch: Option<Watch>,
    /// What the strategy had come to when the running generation took over.
    pub(super) since: Standing,
    /// What was rolled back by itself last: not loaded again from its file.
    pub(super) fallen: Option<([u8; 32], Params)>,
    /// The operator's word whose load has not been recorded yet.
    pub(super) ordered: Option<(OperatorAction, String)>,
}

/// A generation that a rollback can go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// Its own version.
    pub version: String,
    /// Which load it was.
    pub generation: u32,
    pub(super) params: Params,
}

/// Something that became of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When, in the run's time.
    pub at: Timestamp,
    /// What.
    pub kind: ChangeKind,
    /// Why, in words.
    pub why: String,
}

/// See [`Change`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// A generation took over.
    Loaded {
        /// The one before: its number and the digest of its bytes.
        from: Option<(u32, [u8; 32])>,
        /// Which load it is.
        generation: u32,
        /// SHA-256 of its bytes.
        digest: [u8; 32],
        /// Its own version.
        version: String,
        /// Whether it took over the state of the one before.
        restored: bool,
        /// How long no event could be told; unknown for what the journal tells of.
        pause: Option<Duration>,
    },
    /// A generation was watched, and the one before let go.
    Committed {
        /// Which.
        generation: u32,
    },
    /// The generation before took over again.
    Reverted {
        /// The one that was watched: its number and the digest of its bytes.
        from: (u32, [u8; 32]),
        /// Which load it is now.
        generation: u32,
        /// SHA-256 of its bytes.
        digest: [u8; 32],
        /// Its own version.
        version: String,
    },
    /// Bytes were not accepted.
    Refused {
        /// Their SHA-256; zeros when they could not be read.
        digest: [u8; 32],
    },
    /// It failed too often.
    Quarantined,
    /// An operator spoke.
    Operator(OperatorAction),
    /// It was taken out.
    Unloaded,
    /// A candidate runs beside it, or does no more.
    Shadowed {
        /// Whether it begins.
        begins: bool,
        /// SHA-256 of its bytes.
        digest: [u8; 32],
    },
}

impl Slot {
    pub(super) fn first(id: StrategyId, generation: u32, new: Successor) -> Self {
        let mut changes = VecDeque::new();
        changes.push_back(new.change(None, generation));
        Self {
            id,
            digest: new.compiled.digest,
            generation,
            status: Status::Running,
            pinned: None,
            held: None,
            fault: None,
            usage: new.usage,
            may: new.may,
            file: Some((new.compiled.digest, new.params.clone())),
            params: new.params,
            path: new.path,
            manifest: new.compiled.described.manifest.clone(),
            compiled: new.compiled,
            strikes: VecDeque::new(),
            waiting: None,
            earlier: VecDeque::new(),
            changes,
            watch: None,
            since: Standing::default(),
            fallen: None,
            ordered: None,
        }
    }

    /// A generation runs from now on. New bytes or settings start with a clean record.
    pub(super) fn succeed(&mut self, generation: u32, new: Successor) {
        let same = self.digest == new.compiled.digest && self.params == new.params;
        self.note(new.change(Some((self.generation, self.digest)), generation));
        match new.why {
            Why::RolledBack(_) => _ = self.earlier.pop_back(),
            _ if !same && self.is_good() => self.remember(),
            _ => {}
        }
        match (&new.why, &mut self.file) {
            (Why::File, file) if !same => {
                *file = Some((new.compiled.digest, new.params.clone()));
            }
            // The file's bytes are to be run with them as well.
            (Why::Settings, Some((_, params))) => *params = new.params.clone(),
            _ => {}
        }
        self.watch = None;
        if !matches!(new.why, Why::Restarted(_)) {
            self.fallen = None;
        }
        if self.digest != new.compiled.digest {
            self.strikes.clear();
            self.fault = None;
        }
        self.waiting = None;
        self.ordered = None;
        new.usage.follows(&self.usage);
        self.usage = new.usage;
        self.may = new.may;
        self.digest = new.compiled.digest;
        self.generation = generation;
        self.status = Status::Running;
        self.params = new.params;
        if new.path.is_some() {
            self.path = new.path;
        }
        self.manifest = new.compiled.described.manifest.clone();
        self.compiled = new.compiled;
    }

    /// The generation before runs again, as the next one.
    pub(super) fn put_back(
        &mut self,
        generation: u32,
        before: Before,
        why: &str,
        at: Timestamp,
        standing: Standing,
    ) {
        let manifest = before.compiled.described.manifest.clone();
        self.note(Change {
            at,
            kind: ChangeKind::Reverted {
                from: (self.generation, self.digest),
                generation,
                digest: before.compiled.digest,
                version: manifest.version.clone(),
            },
            why: why.to_owned(),
        });
        let bad = (
            self.digest,
            std::mem::replace(&mut self.params, before.params),
        );
        self.may = before.may;
        // What an operator left is known by what its file held.
        self.fallen = self.ordered.is_none().then_some(bad);
        if self
            .earlier()
            .is_some_and(|past| past.generation == before.generation)
        {
            self.earlier.pop_back();
        }
        before.usage.follows(&self.usage);
        self.usage = before.usage;
        self.strikes = before.strikes;
        self.fault = before.fault;
        self.digest = before.compiled.digest;
        self.manifest = manifest;
        self.compiled = before.compiled;
        self.generation = generation;
        self.status = Status::Running;
        self.since = standing;
        self.watch = None;
        self.ordered = None;
    }

    /// Whether it is fit to be gone back to.
    fn is_good(&self) -> bool {
        !matches!(self.status, Status::Quarantined | Status::Condemned(_)) || self.held.is_some()
    }

    fn remember(&mut self) {
        if self.earlier.len() >= EARLIER_MAX {
            self.earlier.pop_front();
        }
        self.earlier.push_back(Past {
            digest: self.digest,
            version: self.manifest.version.clone(),
            generation: self.generation,
            params: self.params.clone(),
        });
    }

    /// How long the load just noted took.
    pub(super) fn paused(&mut self, took: Option<Duration>) {
        if let Some(Change {
            kind: ChangeKind::Loaded { pause, .. },
            ..
        }) = self.changes.back_mut()
        {
            *pause = took;
        }
    }

    /// The generation that runs now, in a line.
    pub(super) fn introduced(&self, restored: bool, pause: Option<Duration>) -> String {
        let pause = pause.map_or(String::new(), |pause| {
            format!(" pause {:.1} ms;", pause.as_secs_f64() * 1e3)
        });
        let state = if restored {
            "state kept"
        } else {
            "fresh state"
        };
        let back = self.earlier().map_or(String::new(), |past| {
            format!("; {} (gen {}) one step back", past.version, past.generation)
        });
        let (name, version) = (&self.manifest.name, &self.manifest.version);
        let (generation, digest) = (self.generation, Short(&self.digest));
        format!("{name} {version} (gen {generation}, {digest}) live;{pause} {state}{back}")
    }

    pub(super) fn note(&mut self, change: Change) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    /// Does to the slot what an operator says; what is loaded because of it comes after this.
    pub(super) fn obey(&mut self, action: OperatorAction, note: &str, at: Timestamp) {
        match action {
            OperatorAction::Swap { .. }
            | OperatorAction::RollBack { .. }
            | OperatorAction::Promote { .. } => {
                // The load that follows tells of it.
                self.ordered = Some((action, note.to_owned()));
                return;
            }
            OperatorAction::Pin => self.pinned = Some(note.to_owned()),
            OperatorAction::Unpin => self.pinned = None,
            OperatorAction::Quarantine => {
                self.held = Some(note.to_owned());
                self.status = Status::Quarantined;
            }
            OperatorAction::Release => {
                self.held = None;
                self.fault = None;
                self.strikes.clear();
                // Should the run end before the load that follows: it is started then.
                self.status = Status::Restarting { at };
            }
        }
        self.note(Change {
            at,
            kind: ChangeKind::Operator(action),
            why: note.to_owned(),
        });
    }

    /// Why the same bytes start once more.
    pub(super) fn why_again(&self) -> Why {
        Why::Restarted(match &self.fault {
            Some(fault) => format!("it {fault}"),
            None => "it was released".to_owned(),
        })
    }

    /// Why changes of its file are not followed now, when they are not.
    pub(super) fn deaf(&self) -> Option<&'static str> {
        match (&self.held, &self.pinned) {
            (Some(_), _) => Some("quarantined by an operator"),
            (None, Some(_)) => Some("pinned"),
            (None, None) => None,
        }
    }

    /// Whether that runs here already, or is its file's and was left for something else: by an operator's
    /// choice, or rolled back.
    pub(super) fn is_done_with(&self, contender: &Contender) -> bool {
        let is = |known: &Option<([u8; 32], Params)>, digest: &[u8; 32], params: &Params| {
            known
                .as_ref()
                .is_some_and(|(d, p)| d == digest && p == params)
        };
        let (Contender::File(digest, params) | Contender::Ordered(digest, params)) = contender;
        if (&self.digest, &self.params) == (digest, params) {
            return true;
        }
        matches!(contender, Contender::File(..))
            && (is(&self.fallen, digest, params) || is(&self.file, digest, params))
    }

    /// Failures that count toward its quarantine.
    #[must_use]
    pub fn strikes(&self) -> usize {
        self.strikes.len()
    }

    /// What it was told to be; its settings in order.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The interfaces it imports; all of them are granted.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.compiled.imports
    }

    /// The limits of a component of its size, before any grant.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.compiled.limits
    }

    /// What it asks for.
    #[must_use]
    pub fn asks(&self) -> &Capabilities {
        &self.compiled.described.asks
    }

    /// What it asks for by name or number and may not, in words.
    #[must_use]
    pub fn not_granted(&self) -> Vec<String> {
        self.asks().beyond(&self.may)
    }

    /// Where a rollback goes.
    #[must_use]
    pub fn earlier(&self) -> Option<&Past> {
        self.earlier.back()
    }

    /// What became of it, oldest first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }

    /// Its file, while there is one.
    #[must_use]
    pub fn path(&self) -> Option<&std::path::Path> {
        self.path.as_deref()
    }

    /// Whether its file holds other bytes, which wait until it is followed again.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.waiting.is_some()
    }
}

impl Successor {
    fn change(&self, from: Option<(u32, [u8; 32])>, generation: u32) -> Change {
        let why = match &self.why {
            Why::File if from.is_none() => "its file was named".to_owned(),
            Why::File => "its file changed".to_owned(),
            Why::Settings => "its settings changed".to_owned(),
            Why::Swapped(note) => format!("operator: swap ({note})"),
            Why::RolledBack(note) => format!("operator: rollback ({note})"),
            Why::Promoted(note) => format!("promoted from its shadow ({note})"),
            Why::Restarted(why) => format!("started again: {why}"),
        };
        Change {
            at: self.at,
            kind: ChangeKind::Loaded {
                from,
                generation,
                digest: self.compiled.digest,
                version: self.compiled.described.manifest.version.clone(),
                restored: self.restored,
                pause: None,
            },
            why,
        }
    }
}

/// The first bytes of a digest, as people compare them.
pub(super) struct Short<'a>(pub(super) &'a [u8; 32]);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "{a:02x}{b:02x}…")
    }
}
