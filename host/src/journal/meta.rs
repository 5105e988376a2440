//! `run.json`: what a run is, written once when it begins and never changed.

use super::{FORMAT, JournalError, io_error, sync_dir};
use pm_arb_core::ids::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use uuid::Uuid;

/// Its name within the run's directory.
pub const RUN_FILE: &str = "run.json";
/// Longest `run.json` that is read.
const MAX_RUN_FILE: u64 = 1 << 20;

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunMeta {
    /// Version of the journal's format.
    pub format: u32,
    /// Names the run everywhere: rows, channels, segments.
    pub run_id: Uuid,
    /// "live", "sim", "import:FORMAT".
    pub source: String,
    /// When the run begins, RFC 3339: by the run's clock, for an import the first record's time.
    pub created: String,
    /// The program that began it.
    pub host_version: String,
    /// The simulated world, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sim: Option<SimMeta>,
    /// Anything a reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What must be known to continue a simulated world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimMeta {
    /// Seed of the world.
    pub seed: u64,
    /// World time at its start, nanoseconds since the epoch.
    pub origin_ns: u64,
    /// World seconds a wall second.
    pub speed: f64,
}

impl RunMeta {
    /// A run of this program that begins at `now`.
    #[must_use]
    pub fn new(run_id: Uuid, source: &str, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            run_id,
            source: source.to_owned(),
            created: rfc3339(now),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            sim: None,
            note: None,
        }
    }

    /// A fresh id for a run: the instant, this process and the run's directory, hashed.
    #[must_use]
    pub fn fresh_id(now: Timestamp, dir: &Path) -> Uuid {
        let mut name = now.0.to_le_bytes().to_vec();
        name.extend_from_slice(&std::process::id().to_le_bytes());
        name.extend_from_slice(dir.as_os_str().as_encoded_bytes());
        Uuid::new_v5(&Uuid::NAMESPACE_OID, &name)
    }

    /// Reads the one of a run.
    pub fn read(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(RUN_FILE);
        let size = match fs::metadata(&path) {
            Ok(meta) => meta.len(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(JournalError::NotARun { dir: dir.into() });
            }
            Err(e) => return Err(io_error("read", &path, e)),
        };
        if size > MAX_RUN_FILE {
            let why = format!("it has {size} bytes, at most {MAX_RUN_FILE} are read");
            return Err(JournalError::Meta { path, why });
        }
        let text = fs::read(&path).map_err(|e| io_error("read", &path, e))?;
        let meta: Self = serde_json::from_slice(&text).map_err(|e| JournalError::Meta {
            path: path.clone(),
            why: e.to_string(),
        })?;
        if meta.format != FORMAT {
            return Err(JournalError::Version {
                path,
                found: meta.format,
            });
        }
        Ok(meta)
    }

    /// Writes it durably: the file is there whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<(), JournalError> {
        let path = dir.join(RUN_FILE);
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| JournalError::Meta {
            path: path.clone(),
            why: e.to_string(),
        })?;
        text.push(b'\n');
        let temp = dir.join("run.json.tmp");
        let mut file = File::create(&temp).map_err(|e| io_error("create", &temp, e))?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(|e| io_error("write", &temp, e))?;
        fs::rename(&temp, &path).map_err(|e| io_error("rename", &temp, e))?;
        sync_dir(dir)
    }
}

fn rfc3339(at: Timestamp) -> String {
    // Years beyond jiff's range can not come from a clock; they stay readable as nanoseconds.
    jiff::Timestamp::from_nanosecond(i128::from(at.0))
        .map_or_else(|_| format!("{} ns", at.0), |t| t.to_string())
}
