//! What lies in the data folder: room, runs, the lock, what a dead process left behind.

use super::{Finding, Repair, Verdict, aside, bad, ok, quoted};
use crate::causes::chain;
use crate::control::{self, ControlError, Request};
use crate::journal::{self, JournalReader, RUN_FILE};
use crate::meter::{Counts, Meter};
use crate::terminal::Progress;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Less free space than this is worth a warning: about a week of busy journals.
const FREE_BYTES_WARN: u64 = 2 << 30;

pub(super) fn data_folder(dir: &Path) -> Finding {
    const WHAT: &str = "data folder";
    let shown = dir.display();
    match fs::metadata(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let found = format!("{shown} does not exist yet; the pilot creates it");
            return bad(
                Verdict::Warn,
                WHAT,
                found,
                format!("mkdir -p {}", quoted(dir)),
            )
            .mended_by(Repair::Create(dir.to_owned()));
        }
        Ok(meta) if !meta.is_dir() => {
            let found = format!("{shown} is no folder");
            let advice = format!("{} && mkdir -p {}", aside(dir), quoted(dir));
            return bad(Verdict::Fail, WHAT, found, advice);
        }
        _ => {}
    }
    let runs = dir.join("runs");
    if runs.exists() && !runs.is_dir() {
        let found = format!("{} is no folder", runs.display());
        return bad(Verdict::Fail, WHAT, found, aside(&runs));
    }
    let probe = dir.join(".doctor");
    let tried = fs::write(&probe, b"probe")
        .and_then(|()| File::open(&probe)?.sync_all())
        .and_then(|()| fs::remove_file(&probe));
    if let Err(e) = tried {
        let advice = format!("chmod u+rwx {}", quoted(dir));
        return bad(Verdict::Fail, WHAT, format!("{shown}: {e}"), advice);
    }
    match free(dir) {
        Some(bytes) if bytes < FREE_BYTES_WARN => bad(
            Verdict::Warn,
            WHAT,
            format!(
                "{shown}: writable, {} MiB free; a pilot that can not write its journal stops",
                bytes >> 20
            ),
            format!("du -sh {}/*", quoted(&runs)),
        ),
        Some(bytes) => ok(WHAT, format!("{shown}: writable, {} GiB free", bytes >> 30)),
        None => ok(WHAT, format!("{shown}: writable")),
    }
}

/// The standard library does not tell free space; df does, on every system this runs on.
fn free(dir: &Path) -> Option<u64> {
    let out = Command::new("df").args(["-Pk", "--"]).arg(dir).output();
    let text = String::from_utf8(out.ok()?.stdout).ok()?;
    let field = text.lines().nth(1)?.split_whitespace().nth(3)?;
    field.parse::<u64>().ok()?.checked_mul(1024)
}

/// What holds the folder.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Whether anything does.
    pub held: bool,
    /// Where the pilot that does shows its pages.
    pub dashboard: Option<String>,
}

/// What holds the folder, and whether that is well.
pub(super) fn pilot(dir: &Path) -> (Held, Finding) {
    const WHAT: &str = "pilot";
    let path = dir.join("pilot.lock");
    let held = File::open(&path).is_ok_and(|lock| {
        // Ours, if we got it, is gone with the file.
        matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
    });
    let socket = control::socket_path(dir);
    if held {
        let mut dashboard = None;
        let finding = match control::ask(dir, &Request::Health) {
            Ok(answer) => {
                let agents = answer["health"]["agents"].as_array();
                let agents = agents.into_iter().flatten();
                dashboard = agents
                    .filter(|agent| agent["name"] == "dashboard")
                    .find_map(|agent| agent["detail"].as_str())
                    .map(str::to_owned);
                let up = answer["health"]["uptime_secs"].as_f64();
                let up = up.unwrap_or_default();
                ok(WHAT, format!("one runs here, for {up:.0} s"))
            }
            Err(e) => {
                let advice = holder(&path).map_or_else(
                    || format!("fuser {}", quoted(&path)),
                    |pid| format!("kill {pid}"),
                );
                let found = match e {
                    ControlError::NotRunning(_) => {
                        "something holds the lock and listens to nobody".to_owned()
                    }
                    other => chain(&other),
                };
                bad(Verdict::Fail, WHAT, found, advice)
            }
        };
        let held = true;
        return (Held { held, dashboard }, finding);
    }
    if socket.symlink_metadata().is_ok() {
        let found = "none runs here; a dead one left its socket";
        let finding = bad(
            Verdict::Warn,
            WHAT,
            found,
            format!("rm {}", quoted(&socket)),
        );
        return (
            Held::default(),
            finding.mended_by(Repair::Remove(vec![socket])),
        );
    }
    (Held::default(), ok(WHAT, "none runs here"))
}

/// Which process holds a lock, as Linux tells it: `1: FLOCK ADVISORY WRITE 4242 08:01:131 0 EOF`.
fn holder(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let same = fields.get(5)?.rsplit(':').next()? == inode;
        same.then(|| fields.get(4)?.parse().ok()).flatten()
    })
}

/// The newest run is readable to its end.
pub(super) fn journal(dir: &Path) -> Finding {
    const WHAT: &str = "newest run";
    let Some(run) = runs(dir)
        .into_iter()
        .rfind(|run| run.join(RUN_FILE).exists())
    else {
        return ok(WHAT, "none yet");
    };
    let meter = Meter::of(Counts::Bytes);
    meter.expect(journal::size(&run));
    let progress = Progress::of("newest run", &meter);
    let read = JournalReader::open(&run).and_then(|journal| {
        let mut journal = journal.metered(&meter);
        let mut records = 0_u64;
        while journal.next()?.is_some() {
            records += 1;
        }
        Ok((records, journal.torn_tail().map(ToString::to_string)))
    });
    drop(progress);
    let name = run
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    match read {
        Ok((records, None)) => ok(
            WHAT,
            format!("{name}: {records} records, readable to the end"),
        ),
        Ok((records, Some(torn))) => ok(
            WHAT,
            format!("{name}: {records} records; {torn}: the pilot cuts them off"),
        ),
        Err(e) => {
            // Out of the folder of runs: there it would still be the newest.
            let to = dir.join(format!("{name}.damaged"));
            let advice = format!("mv {} {}", quoted(&run), quoted(&to));
            bad(Verdict::Fail, WHAT, chain(&e), advice)
        }
    }
}

fn runs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("runs"));
    let mut all: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .collect();
    all.sort();
    all
}

/// What writers leave that died between writing and naming: nobody reads it.
pub(super) fn leftovers(dir: &Path, pilot_runs: bool) -> Option<Finding> {
    if pilot_runs {
        // It may be writing them now.
        return None;
    }
    let mut left = Vec::new();
    for run in runs(dir) {
        let name = run
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let importer = name
            .starts_with('.')
            .then(|| name.rsplit_once(".importing-"))
            .flatten();
        match importer {
            Some((_, pid)) if !Path::new("/proc").join(pid).exists() => left.push(run.clone()),
            Some(_) => {}
            None => {
                let half = run.join("run.json.tmp");
                left.extend(half.exists().then_some(half));
                let kept = fs::read_dir(run.join("strategies"));
                let kept = kept.into_iter().flatten().flatten().map(|e| e.path());
                left.extend(kept.filter(|path| path.extension().is_some_and(|e| e == "tmp")));
            }
        }
    }
    if left.is_empty() {
        return None;
    }
    let paths: Vec<String> = left.iter().map(|path| quoted(path)).collect();
    let found = format!(
        "{} half-written files or folders of dead processes",
        left.len()
    );
    let advice = format!("rm -r {}", paths.join(" "));
    Some(bad(Verdict::Warn, "leftovers", found, advice).mended_by(Repair::Remove(left)))
}
