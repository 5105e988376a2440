//! From a strategy file to an instance that is ready to trade. Everything slow happens here.
//!
//! Owns reading (once, bounded, regular files only), compiling, initialising and probing. Runs
//! anywhere but on the engine's thread.

use super::canned;
use super::engine::{Compiled, PluginHost};
use super::error::PluginError;
use super::instance::ComponentStrategy;
use super::sources::Params;
use pm_arb_core::strategy::{Strategy, StrategyFault};
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A strategy that is ready: the loader only has to hand it its predecessor's state.
#[derive(Debug)]
pub struct Candidate {
    /// The file it comes from.
    pub path: PathBuf,
    /// That file's bytes, for the archive; none when it is what runs with other settings.
    pub bytes: Vec<u8>,
    /// Checked and compiled.
    pub compiled: Compiled,
    /// The settings it was initialised with.
    pub params: Params,
    /// Ready.
    pub strategy: ComponentStrategy,
}

impl Candidate {
    /// The same once more, with an instance of its own.
    pub fn again(&self, host: &PluginHost) -> Result<Self, PluginError> {
        Ok(Self {
            path: self.path.clone(),
            bytes: self.bytes.clone(),
            compiled: self.compiled.clone(),
            params: self.params.clone(),
            strategy: host.instantiate(&self.compiled, &self.params)?,
        })
    }
}

/// Why a file could not be read as one whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not there.
    #[error("the file is gone")]
    Gone,
    /// It is a folder, a pipe, a device.
    #[error("it is no regular file")]
    NotRegular,
    /// The system says no.
    #[error("it can not be read")]
    Io(#[source] std::io::Error),
    /// Too large.
    #[error("{0}")]
    TooLarge(PluginError),
    /// Somebody is writing it at this moment.
    #[error("it changed while it was read")]
    Unsteady,
}

/// What tells two states of a file apart without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    len: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// File systems stamp by a clock that stands still for up to ten milliseconds.
const CLOCK_STEP: Duration = Duration::from_millis(100);

impl Stamp {
    /// To be remembered, if a further change of the file would show in it; else the file is to be read again
    /// at the next look.
    pub(super) fn settled(self) -> Option<Self> {
        let (secs, nanos) = self.changed;
        let since = Duration::new(secs.try_into().ok()?, nanos.try_into().ok()?);
        let age = SystemTime::now().duration_since(UNIX_EPOCH + since).ok()?;
        (age > CLOCK_STEP).then_some(self)
    }
}

impl From<&Metadata> for Stamp {
    fn from(meta: &Metadata) -> Self {
        Self {
            len: meta.len(),
            inode: meta.ino(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

fn io(error: std::io::Error) -> ReadError {
    if error.kind() == std::io::ErrorKind::NotFound {
        ReadError::Gone
    } else {
        ReadError::Io(error)
    }
}

/// The state of a file, if it is a regular one.
pub(super) fn stamp(path: &Path) -> Result<Stamp, ReadError> {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let meta = std::fs::metadata(path).map_err(io)?;
    if !meta.is_file() {
        return Err(ReadError::NotRegular);
    }
    Ok(Stamp::from(&meta))
}

/// All bytes of a file, if it stays the same while it is read.
pub(crate) fn read(path: &Path, max: usize) -> Result<(Stamp, Vec<u8>), ReadError> {
    let before = stamp(path)?;
    if before.len > max as u64 {
        let bytes = before.len;
        return Err(ReadError::TooLarge(PluginError::TooLarge { bytes, max }));
    }
    let mut file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.by_ref()
        .take(max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    let after = file.metadata().map_err(io)?;
    if Stamp::from(&after) != before || bytes.len() as u64 != before.len {
        return Err(ReadError::Unsteady);
    }
    Ok((before, bytes))
}

/// Prepares strategies with the settings of a run.
#[derive(Clone)]
pub struct Preparer {
    host: PluginHost,
    /// Settings by strategy name, as the configuration gives them now. One for all clones.
    configured: Arc<RwLock<BTreeMap<String, Params>>>,
    keep: Option<Keep>,
}

/// Keeps the bytes of a strategy that is ready, away from the engine's thread.
pub type Keep = Arc<dyn Fn(&[u8]) + Send + Sync>;

impl Preparer {
    /// With the configuration's settings by strategy name; those of the command line win.
    #[must_use]
    pub fn new(host: PluginHost, configured: BTreeMap<String, Params>) -> Self {
        Self {
            host,
            configured: Arc::new(RwLock::new(configured)),
            keep: None,
        }
    }

    /// Has `keep` called with the bytes of every strategy that is ready. What it can not keep, the
    /// loader's port keeps or refuses.
    #[must_use]
    pub fn keeping(self, keep: Keep) -> Self {
        Self {
            keep: Some(keep),
            ..self
        }
    }

    /// The host that compiles.
    #[must_use]
    pub fn host(&self) -> &PluginHost {
        &self.host
    }

    /// Compiles, initialises and probes.
    pub fn prepare(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        given: &Params,
    ) -> Result<Candidate, PluginError> {
        let compiled = self.host.compile(&bytes)?;
        let params = self.params(&compiled.described.manifest.name, given);
        self.finish(path, bytes, compiled, params)
    }

    /// The configuration has other settings now.
    pub fn configure(&self, configured: BTreeMap<String, Params>) {
        *self
            .configured
            .write()
            .unwrap_or_else(PoisonError::into_inner) = configured;
    }

    /// The settings of a strategy: the configuration's, and those given with its file on top.
    #[must_use]
    pub fn params(&self, name: &str, given: &Params) -> Params {
        let configured = self
            .configured
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut params: BTreeMap<String, String> = BTreeMap::new();
        params.extend(configured.get(name).into_iter().flatten().cloned());
        params.extend(given.iter().cloned());
        params.into_iter().collect()
    }

    /// The bytes that run, with other settings.
    pub fn prepare_again(
        &self,
        path: &Path,
        compiled: Compiled,
        params: Params,
    ) -> Result<Candidate, PluginError> {
        self.finish(path, Vec::new(), compiled, params)
    }

    /// The same with these settings, whatever the configuration says.
    pub fn prepare_with(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        params: Params,
    ) -> Result<Candidate, PluginError> {
        let compiled = self.host.compile(&bytes)?;
        self.finish(path, bytes, compiled, params)
    }

    fn finish(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        compiled: Compiled,
        params: Params,
    ) -> Result<Candidate, PluginError> {
        self.probe(&compiled, &params)?;
        let strategy = self.host.instantiate(&compiled, &params)?;
        if let Some(keep) = &self.keep
            && !bytes.is_empty()
        {
            keep(&bytes);
        }
        Ok(Candidate {
            path: path.to_owned(),
            bytes,
            compiled,
            params,
            strategy,
        })
    }

    /// Calls everything once on an instance that is then thrown away: the one that trades must be
    /// in the same state as when a replay makes it.
    fn probe(&self, compiled: &Compiled, params: &Params) -> Result<(), PluginError> {
        let failed = |call| move |fault: StrategyFault| PluginError::Failed { call, fault };
        let mut instance = self.host.instantiate(compiled, params)?;
        canned::play(&mut instance).map_err(|(call, fault)| PluginError::Failed { call, fault })?;
        let state = instance.snapshot().map_err(failed("snapshot"))?;
        self.host.instantiate(compiled, params)?.restore(&state)
    }
}
