//! What the system says of this process and its disk. What it does not say is unknown, never zero.

use crate::snapshot::ProcessRow;
use std::path::Path;

/// Segments looked at; more are not counted (a journal has an upper limit of its own).
const FILES_MAX: usize = 100_000;

/// One look.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub journal_bytes: u64,
    pub segments: u64,
    pub free_bytes: Option<u64>,
    /// Of SQLite: the file and its log.
    pub database_bytes: Option<u64>,
    pub process: ProcessRow,
}

impl Disk {
    /// May wait for the disk.
    pub(super) fn look(run: &Path, database_url: &str) -> Self {
        let mut disk = Self {
            free_bytes: free(run),
            database_bytes: sqlite_bytes(database_url),
            process: process(),
            ..Self::default()
        };
        let files = std::fs::read_dir(run).into_iter().flatten().flatten();
        for file in files.take(FILES_MAX) {
            let path = file.path();
            let is_segment = path
                .extension()
                .is_some_and(|e| e == crate::journal::SEGMENT_EXTENSION);
            if let (true, Ok(meta)) = (is_segment, file.metadata()) {
                disk.segments += 1;
                disk.journal_bytes = disk.journal_bytes.saturating_add(meta.len());
            }
        }
        disk
    }
}

fn free(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn sqlite_bytes(url: &str) -> Option<u64> {
    let path = url.strip_prefix("sqlite://")?.split('?').next()?;
    let size = |path: &str| std::fs::metadata(path).map(|m| m.len()).ok();
    let log = size(&format!("{path}-wal")).unwrap_or(0);
    Some(size(path)?.saturating_add(log))
}

fn process() -> ProcessRow {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let number = |text: &str, key: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    ProcessRow {
        pid: std::process::id(),
        resident_bytes: number(&status, "VmRSS:").map(|kb| kb.saturating_mul(1_024)),
        threads: number(&status, "Threads:"),
        open_files: std::fs::read_dir("/proc/self/fd")
            .ok()
            .map(|files| files.count() as u64),
        open_files_max: number(&limits, "Max open files"),
        ..ProcessRow::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_what_is_there_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let segment = dir
            .path()
            .join(format!("00001.{}", crate::journal::SEGMENT_EXTENSION));
        std::fs::write(&segment, [0; 300]).unwrap();
        std::fs::write(dir.path().join("run.json"), "{}").unwrap();
        let database = dir.path().join("db.sqlite");
        std::fs::write(&database, [0; 40]).unwrap();
        let disk = Disk::look(dir.path(), &format!("sqlite://{}", database.display()));
        assert_eq!(
            (disk.journal_bytes, disk.segments, disk.database_bytes),
            (300, 1, Some(40))
        );
        assert!(disk.free_bytes.is_some());
        let process = &disk.process;
        assert!(process.resident_bytes.unwrap() > 1 << 20, "{process:?}");
        assert!(process.threads.unwrap() >= 1 && process.open_files.unwrap() >= 3);
        assert_eq!(
            Disk::look(dir.path(), "postgres://h/db").database_bytes,
            None
        );
    }
}
