//! Notices strategy files that appear, change or go away, and prepares what is new.
//!
//! Owns the look at the files and the memory of what was seen. It changes nothing that runs: it
//! sends [`LoaderInput`]s, and the loader on the engine's thread decides.

use super::engine::{PluginHost, digest};
use super::port::LoaderInput;
use super::prepare::{self, Preparer, ReadError, Stamp};
use super::rehearse::{self, Contender, Incumbent};
use super::settings::Settings;
use super::sources::{Params, Sources};
use crate::agent::{AgentContext, AgentError};
use crate::causes::chain;
use crate::input::{Input, InputSender};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// A look at all files at least this often, for file systems that do not notify.
const POLL: Duration = Duration::from_secs(2);
/// A burst of changes has ended when nothing happened for this long …
const QUIET: Duration = Duration::from_millis(200);
/// … or has gone on for this long.
const BURST_MAX: Duration = Duration::from_secs(2);

/// What is known of one file.
#[derive(Debug, Default)]
struct Seen {
    stamp: Option<Stamp>,
    digest: Option<[u8; 32]>,
    /// Told once, not at every look.
    trouble: Option<String>,
}

/// Remembers what was seen, so that only what is new is prepared.
pub struct Tracker {
    sources: Sources,
    preparer: Preparer,
    seen: BTreeMap<PathBuf, Seen>,
    settings: Option<Settings>,
    /// Strategies with other settings than those they were started with, until they are known to run.
    unsettled: BTreeSet<String>,
}

impl Tracker {
    /// Nothing seen yet: the first [`scan`](Self::scan) prepares every file.
    #[must_use]
    pub fn new(sources: Sources, preparer: Preparer) -> Self {
        Self {
            sources,
            preparer,
            seen: BTreeMap::new(),
            settings: None,
            unsettled: BTreeSet::new(),
        }
    }

    /// Looks at the configuration as well, for new settings of strategies.
    #[must_use]
    pub fn following(self, settings: Option<Settings>) -> Self {
        Self { settings, ..self }
    }

    /// Takes note of strategies that have other settings since the last look; new files are prepared with
    /// them.
    fn reconfigure(&mut self) {
        let Some(settings) = &mut self.settings else {
            return;
        };
        let file = settings.file().display().to_string();
        match settings.look() {
            None => {}
            Some(Err(why)) => tracing::error!("the settings stay as they are: {why}"),
            Some(Ok(changed)) => {
                for section in changed.sections {
                    tracing::warn!("{file}: [{section}] changed; restart the pilot to apply it");
                }
                self.preparer.configure(changed.params);
                self.unsettled.extend(changed.strategies);
            }
        }
    }

    /// What runs under that name, with the settings it is to have now, if those are others.
    fn resettled(&self, name: &str, incumbent: &Incumbent) -> Option<LoaderInput> {
        let Some(path) = incumbent.path.clone() else {
            tracing::warn!(
                strategy = name,
                "its file is gone: new settings hold when it is there again"
            );
            return None;
        };
        let given = self.sources.files().remove(&path).unwrap_or_default();
        let params = self.preparer.params(name, &given);
        if params == incumbent.params {
            return None;
        }
        let compiled = incumbent.compiled.clone();
        let digest = compiled.digest;
        Some(match self.preparer.prepare_again(&path, compiled, params) {
            Ok(candidate) => LoaderInput::Ready(Box::new(candidate)),
            Err(error) => LoaderInput::Refused {
                path,
                digest: Some(digest),
                why: error.story(),
            },
        })
    }

    /// Looks at every file. Reads and compiles what changed: takes milliseconds for each.
    #[must_use]
    pub fn scan(&mut self) -> Vec<LoaderInput> {
        let files = self.sources.files();
        let mut news = Vec::new();
        self.seen.retain(|path, _| {
            let there = files.contains_key(path);
            if !there {
                news.push(LoaderInput::Gone { path: path.clone() });
            }
            there
        });
        for (path, params) in &files {
            let seen = self.seen.entry(path.clone()).or_default();
            news.extend(look(&self.preparer, seen, path, params));
        }
        news
    }
}

/// What is new about one file.
fn look(preparer: &Preparer, seen: &mut Seen, path: &Path, params: &Params) -> Option<LoaderInput> {
    let unread = |seen: &mut Seen, error: ReadError| match error {
        // Gone: the next look does not list it. Unsteady: the next look finds it at rest.
        ReadError::Gone | ReadError::Unsteady => None,
        error => {
            let why = chain(&error);
            let told = seen.trouble.as_ref() == Some(&why);
            seen.trouble = Some(why.clone());
            (!told).then(|| LoaderInput::Refused {
                path: path.to_owned(),
                digest: None,
                why,
            })
        }
    };
    match prepare::stamp(path) {
        Ok(stamp) if seen.stamp == Some(stamp) => return None,
        Ok(_) => {}
        Err(error) => return unread(seen, error),
    }
    let (stamp, bytes) = match prepare::read(path, preparer.host().file_bytes_max()) {
        Ok(read) => read,
        Err(error) => return unread(seen, error),
    };
    let digest = digest(&bytes);
    seen.stamp = stamp.settled();
    seen.trouble = None;
    if seen.digest.replace(digest) == Some(digest) {
        return None;
    }
    Some(match preparer.prepare(path, bytes, params) {
        Ok(candidate) => LoaderInput::Ready(Box::new(candidate)),
        Err(error) => LoaderInput::Refused {
            path: path.to_owned(),
            digest: Some(digest),
            why: error.story(),
        },
    })
}

/// The agent: looks when something happened, and every two seconds. The tracker has usually made its
/// first scan already, when the pilot started.
pub async fn run(
    ctx: AgentContext,
    mut tracker: Tracker,
    input: InputSender,
) -> Result<(), AgentError> {
    // One place is enough: a nudge says only "look again".
    let (nudge, mut nudged) = mpsc::channel(1);
    let mut folders = tracker.sources.folders();
    let settings = tracker.settings.as_ref();
    folders.extend(settings.and_then(|s| s.file().parent().map(Path::to_owned)));
    let _watcher = watch(&folders, nudge);
    ctx.ready();
    loop {
        tokio::select! {
            biased;
            () = ctx.stopped() => return Ok(()),
            // The sender may be gone when the system has no notifications: then the poll is all.
            _ = timeout(POLL, until_quiet(&mut nudged)) => {}
        }
        let (returned, news) = tokio::task::spawn_blocking(move || {
            tracker.reconfigure();
            let news = tracker.scan();
            (tracker, news)
        })
        .await
        .map_err(|error| {
            AgentError::Failed(format!("looking at strategy files failed: {error}"))
        })?;
        tracker = returned;
        for event in news {
            let event = rehearse(event, tracker.preparer.host(), &input).await;
            if input.send(Input::Strategies(event)).await.is_err() {
                return Ok(());
            }
        }
        for name in tracker.unsettled.clone() {
            // One that does not run now is asked for again at the next look.
            let Some(incumbent) = rehearse::incumbent(&name, None, &input).await else {
                continue;
            };
            tracker.unsettled.remove(&name);
            let (returned, event) = tokio::task::spawn_blocking(move || {
                let event = tracker.resettled(&name, &incumbent);
                (tracker, event)
            })
            .await
            .map_err(|error| AgentError::Failed(format!("new settings: {error}")))?;
            tracker = returned;
            let Some(event) = event else { continue };
            let mut event = rehearse(event, tracker.preparer.host(), &input).await;
            if let LoaderInput::Refused { why, .. } = &mut event {
                *why = format!("its new settings: {why}");
            }
            if input.send(Input::Strategies(event)).await.is_err() {
                return Ok(());
            }
        }
        ctx.beat();
    }
}

/// What is ready is rehearsed against what runs.
async fn rehearse(event: LoaderInput, host: &PluginHost, input: &InputSender) -> LoaderInput {
    let LoaderInput::Ready(candidate) = event else {
        return event;
    };
    match rehearse::rehearsed(candidate, Contender::File, host, input, false).await {
        Ok(candidate) => LoaderInput::Ready(candidate),
        Err(unready) => LoaderInput::Refused {
            path: unready.path,
            digest: Some(unready.digest),
            why: unready.why,
        },
    }
}

/// Returns when something happened and then nothing more for a while.
async fn until_quiet(nudged: &mut mpsc::Receiver<()>) {
    if nudged.recv().await.is_none() {
        return std::future::pending().await;
    }
    let end = Instant::now() + BURST_MAX;
    while let Ok(Ok(Some(()))) = timeout_at(end, timeout(QUIET, nudged.recv())).await {}
}

/// Watches folders; what can not be watched is left to the poll.
fn watch(folders: &[PathBuf], nudge: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| is_change(event.kind)) {
            // Full: a look is due anyway.
            let _ = nudge.try_send(());
        }
    });
    let mut watcher = match watcher {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "no file notifications here: strategy files are looked at every 2 s");
            return None;
        }
    };
    for folder in folders {
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            tracing::warn!(%error, folder = %folder.display(), "not notified of changes; looking every 2 s");
        }
    }
    Some(watcher)
}

/// Reading a file is an event too; reacting to that would never end.
pub(crate) fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
