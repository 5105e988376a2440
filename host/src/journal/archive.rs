//! The strategies of a run, kept beside its journal so that a replay has the very bytes.
//!
//! A file is named by the SHA-256 of its contents and written once.

use super::{JournalError, io_error, sync_dir};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Largest component that is kept.
pub const MAX_STRATEGY_BYTES: u64 = 64 << 20;

/// Keeps the bytes of a strategy in the run and returns their digest. Keeping them twice is free.
pub fn save_strategy(run: &Path, bytes: &[u8]) -> Result<[u8; 32], JournalError> {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let path = strategy_path(run, &digest);
    if bytes.len() as u64 > MAX_STRATEGY_BYTES {
        return Err(JournalError::StrategyTooLarge {
            path,
            bytes: bytes.len() as u64,
        });
    }
    if path.exists() && load_strategy(run, &digest).is_ok() {
        return Ok(digest);
    }
    let dir = run.join("strategies");
    fs::create_dir_all(&dir).map_err(|e| io_error("create", &dir, e))?;
    let temp = path.with_extension("tmp");
    let mut file = File::create(&temp).map_err(|e| io_error("create", &temp, e))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| io_error("write", &temp, e))?;
    fs::rename(&temp, &path).map_err(|e| io_error("rename", &temp, e))?;
    sync_dir(&dir)?;
    sync_dir(run)?;
    Ok(digest)
}

/// Whether the run has the strategy with that digest. A file is there whole or not at all.
#[must_use]
pub fn has_strategy(run: &Path, digest: &[u8; 32]) -> bool {
    strategy_path(run, digest).exists()
}

/// The bytes with that digest, verified.
pub fn load_strategy(run: &Path, digest: &[u8; 32]) -> Result<Vec<u8>, JournalError> {
    let path = strategy_path(run, digest);
    let size = fs::metadata(&path)
        .map_err(|e| io_error("read", &path, e))?
        .len();
    if size > MAX_STRATEGY_BYTES {
        return Err(JournalError::StrategyTooLarge { path, bytes: size });
    }
    let bytes = fs::read(&path).map_err(|e| io_error("read", &path, e))?;
    let found: [u8; 32] = Sha256::digest(&bytes).into();
    if found != *digest {
        return Err(JournalError::StrategyDamaged { path });
    }
    Ok(bytes)
}

fn strategy_path(run: &Path, digest: &[u8; 32]) -> PathBuf {
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    run.join("strategies").join(format!("{hex}.wasm"))
}
