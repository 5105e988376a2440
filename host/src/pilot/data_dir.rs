//! The data folder: one pilot at a time, and which run it continues.
//!
//! ```text
//! DATA/pilot.lock                  held while a pilot runs
//! DATA/runs/<UTC time>-<id>/       one folder a run, named so that they sort by age
//! ```

use crate::journal::{JournalError, RUN_FILE, RunMeta};
use pm_arb_core::ids::Timestamp;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Why the folder can not be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The disk refused.
    #[error("cannot {what} {path}; choose another folder with --data-dir or make it writable")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another pilot is at work.
    #[error(
        "another pilot holds {0}; stop it, or give this one a folder of its own with --data-dir"
    )]
    Held(PathBuf),
    /// A run can not be read.
    #[error(transparent)]
    Run(#[from] JournalError),
}

/// The folder, locked.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the folder when needed and locks it.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| DataDirError::Io { what, path, source }
        };
        let runs = path.join("runs");
        std::fs::create_dir_all(&runs).map_err(failed("create", &runs))?;
        let lock_path = path.join("pilot.lock");
        let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::Held(lock_path)),
            Err(TryLockError::Error(source)) => Err(failed("lock", &lock_path)(source)),
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest run that `wanted` accepts, with what it is.
    pub fn newest_run(
        &self,
        wanted: impl Fn(&RunMeta) -> bool,
    ) -> Result<Option<(PathBuf, RunMeta)>, DataDirError> {
        let runs = self.path.join("runs");
        let failed = |source| DataDirError::Io {
            what: "list",
            path: runs.clone(),
            source,
        };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&runs).map_err(failed)? {
            names.push(entry.map_err(failed)?.path());
        }
        names.sort();
        for path in names
            .into_iter()
            .rev()
            .filter(|path| path.join(RUN_FILE).is_file())
        {
            let meta = RunMeta::read(&path)?;
            if wanted(&meta) {
                return Ok(Some((path, meta)));
            }
        }
        Ok(None)
    }

    /// Where a new run of that moment goes; nothing is created.
    #[must_use]
    pub fn new_run(&self, wall_now: Timestamp) -> (PathBuf, uuid::Uuid) {
        let runs = self.path.join("runs");
        let id = RunMeta::fresh_id(wall_now, &runs);
        let stamp = jiff::Timestamp::from_nanosecond(i128::from(wall_now.0)).map_or_else(
            |_| wall_now.0.to_string(),
            |t| t.strftime("%Y%m%dT%H%M%SZ").to_string(),
        );
        let short: String = id.simple().to_string().chars().take(8).collect();
        (runs.join(format!("{stamp}-{short}")), id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pilot_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path()).unwrap();
        assert!(matches!(
            DataDir::open(dir.path()),
            Err(DataDirError::Held(_))
        ));
        drop(first);
        assert!(DataDir::open(dir.path()).is_ok());
    }
}
