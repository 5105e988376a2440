//! `pm-arb strategy watch`: a build on every save, and what the running pilot made of it.
//!
//! ```text
//! save ─► quiet for a moment ─► other contents? ─► build ─► NAME.wasm, and a copy for the pilot ─► its word
//! ```
//!
//! Owns the look at the sources. One build at a time, of what was there when it began; what was saved
//! meanwhile is built next, so that the newest is the last. A build that fails changes nothing.

use super::build::{self, BuildError, Built};
use super::project::{self, Project, ProjectError};
use super::tool::{Bounds, Loud, Stop};
use crate::control::{self, ControlError, Request};
use crate::plugin::watch::is_change;
use crate::snapshot::{Strategies, StrategyRow};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A burst of changes has ended when nothing happened for this long …
const QUIET: Duration = Duration::from_millis(150);
/// … or has gone on for this long.
const BURST_MAX: Duration = Duration::from_secs(2);
/// A look at the sources at least this often, for file systems that do not notify.
const POLL: Duration = Duration::from_secs(2);
/// How often it is asked whether something happened, or the pilot has decided.
const LOOK: Duration = Duration::from_millis(20);
/// The pilot is asked this often …
const ASK: Duration = Duration::from_millis(100);
/// … and for so long: it compiles what it is to run.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The project can not be looked at.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The copies have no place to go.
    #[error("--into {}: it is no folder. Name the one that the pilot runs", path.display())]
    Into {
        /// What was named.
        path: PathBuf,
    },
}

/// What became of one save.
#[derive(Debug)]
pub enum News {
    /// A component is in its places.
    Written {
        /// The component.
        built: Box<Built>,
        /// Where the pilot finds it; the project itself without such a folder.
        into: PathBuf,
        /// From the last save to then; none for the build at the start.
        after: Option<Duration>,
    },
    /// Nothing was written.
    Failed(BuildError),
    /// The copy could not be written.
    NotCopied(componentize::Fault),
    /// The sources could not be looked at.
    Unreadable(ProjectError),
    /// A pilot runs, and this is what it made of the component.
    Pilot(Verdict),
}

/// What a pilot made of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Live {
        /// Which load of the strategy it is.
        generation: u32,
        /// How long no event could be told, in microseconds.
        pause_us: Option<u64>,
        /// Whether the state of the one before was kept.
        state_kept: bool,
    },
    /// The same bytes ran already.
    Same,
    /// It does not.
    Refused {
        /// Why.
        why: String,
    },
    /// Its strategy does not follow its file.
    Waits {
        /// Why.
        why: String,
    },
    /// It has said nothing of it in time: it may run another folder.
    Silent,
}

/// How to watch.
#[derive(Debug)]
pub struct Options {
    /// Copies go there.
    pub into: Option<PathBuf>,
    /// Time for a build.
    pub limit: Duration,
    /// Where a pilot keeps things.
    pub data_dir: PathBuf,
    /// Shows what tools say.
    pub loud: Option<Loud>,
}

/// Builds now and on every save, until it is stopped.
pub fn watch(
    project: &Project,
    options: &Options,
    stop: &Stop,
    tell: &mut dyn FnMut(News),
) -> Result<(), WatchError> {
    let into = match &options.into {
        None => project.dir.clone(),
        Some(path) => match fs::canonicalize(path) {
            Ok(folder) if folder.is_dir() => folder,
            _ => return Err(WatchError::Into { path: path.clone() }),
        },
    };
    let mut changes = Changes::new();
    let mut sources = project.sources()?;
    let (mut built, mut saved) = (None, None);
    while !stop.is_stopped() {
        changes.follow(&sources.folders);
        if built != Some(sources.digest) {
            built = Some(sources.digest);
            one(project, options, &into, saved, &changes, stop, tell);
        }
        saved = changes.wait(stop);
        match project.sources() {
            Ok(seen) => sources = seen,
            Err(error) => tell(News::Unreadable(error)),
        }
    }
    Ok(())
}

/// One build, from the sources to the pilot's word.
fn one(
    project: &Project,
    options: &Options,
    into: &Path,
    saved: Option<Instant>,
    changes: &Changes,
    stop: &Stop,
    tell: &mut dyn FnMut(News),
) {
    let bounds = Bounds::new(options.limit, stop.clone(), options.loud);
    let built = match build::build(project, &bounds) {
        Ok(built) => built,
        Err(error) if error.is_stopped() => return,
        Err(error) => return tell(News::Failed(error)),
    };
    let name = format!("{}.wasm", built.name());
    let before = row(&options.data_dir, built.name()).ok().flatten();
    if into != project.dir
        && let Err(error) = componentize::write_whole(&into.join(&name), &built.bytes)
    {
        return tell(News::NotCopied(error));
    }
    let (name, digest) = (built.name().to_owned(), built.digest());
    tell(News::Written {
        built: Box::new(built),
        into: into.to_owned(),
        after: saved.map(|saved| saved.elapsed()),
    });
    let verdict = judged(&options.data_dir, &name, &digest, before, || {
        stop.is_stopped() || changes.are_there()
    });
    if let Some(verdict) = verdict {
        tell(News::Pilot(verdict));
    }
}

/// What the pilot of that folder makes of those bytes; nothing where none runs, or when `enough`.
fn judged(
    data_dir: &Path,
    name: &str,
    digest: &str,
    before: Option<StrategyRow>,
    enough: impl Fn() -> bool,
) -> Option<Verdict> {
    let began = Instant::now();
    let known = before.as_ref();
    if known.is_some_and(|row| row.digest == digest) {
        return Some(Verdict::Same);
    }
    while !enough() {
        let row = match row(data_dir, name) {
            Ok(row) => row,
            Err(ControlError::NotRunning(_)) => return None,
            // It may be starting, or busy: it is asked again.
            Err(_) => None,
        };
        if let Some(verdict) = row.as_ref().and_then(|row| verdict(row, digest)) {
            return Some(verdict);
        }
        if began.elapsed() >= PATIENCE {
            return Some(Verdict::Silent);
        }
        thread::sleep(ASK);
    }
    None
}

/// What the row of a strategy says of those bytes.
fn verdict(row: &StrategyRow, digest: &str) -> Option<Verdict> {
    let about = row.changes.iter().rev();
    let last = about
        .clone()
        .find(|change| change.digest.as_deref() == Some(digest));
    if row.digest == digest {
        return Some(Verdict::Live {
            generation: row.generation,
            pause_us: last.and_then(|change| change.pause_us),
            state_kept: last.and_then(|change| change.state_kept) == Some(true),
        });
    }
    if let Some(refused) = last.filter(|change| change.what == "refused") {
        return Some(Verdict::Refused {
            why: refused.why.clone(),
        });
    }
    let why = row.pinned.as_ref().filter(|_| row.awaited)?;
    Some(Verdict::Waits {
        why: format!("it is pinned: {why}"),
    })
}

fn row(data_dir: &Path, name: &str) -> Result<Option<StrategyRow>, ControlError> {
    let mut answer = control::ask(data_dir, &Request::Snapshot)?;
    let found = answer["snapshot"]["strategies"].take();
    // A pilot of another version may show itself otherwise: then it says nothing that is understood.
    let found: Strategies = serde_json::from_value(found).unwrap_or_default();
    Ok(found.strategies.into_iter().find(|row| row.name == name))
}

/// When something was last saved, as the system tells.
struct Changes {
    last: Arc<Mutex<Option<Instant>>>,
    watcher: Option<RecommendedWatcher>,
    followed: BTreeSet<PathBuf>,
}

impl Changes {
    fn new() -> Self {
        let last = Arc::new(Mutex::new(None));
        let told = Arc::clone(&last);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let saved = |event: &notify::Event| {
                is_change(event.kind) && event.paths.iter().any(|path| project::is_written(path))
            };
            if event.is_ok_and(|event| saved(&event)) {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no file notifications here: the sources are looked at every 2 s");
        }
        Self {
            last,
            watcher: watcher.ok(),
            followed: BTreeSet::new(),
        }
    }

    /// Follows these folders from now on, those of before that are left too.
    fn follow(&mut self, folders: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        self.followed.retain(|folder| folder.is_dir());
        for folder in folders {
            if self.followed.contains(folder) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.followed.insert(folder.clone());
                }
                Err(error) => {
                    tracing::debug!(%error, folder = %folder.display(), "looked at every 2 s");
                }
            }
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something was saved that nobody has waited for yet.
    fn are_there(&self) -> bool {
        self.last().is_some()
    }

    /// Returns when something was saved and then nothing more for a while, with the time of the last save;
    /// or when a look is due, or it is stopped.
    fn wait(&self, stop: &Stop) -> Option<Instant> {
        let began = Instant::now();
        let mut first = None;
        while !stop.is_stopped() {
            match *self.last() {
                None if began.elapsed() >= POLL => return None,
                None => {}
                Some(last) => {
                    let first: Instant = *first.get_or_insert(last);
                    if last.elapsed() >= QUIET || first.elapsed() >= BURST_MAX {
                        break;
                    }
                }
            }
            thread::sleep(LOOK);
        }
        self.last().take()
    }
}
