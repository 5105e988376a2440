//! Row `memory`: what stays resident.
//!
//! The pilot: `target/release/pm-arb pilot --feed sim` (or `PM_ARB_BIN`) with one strategy for
//! [`PILOT_SECONDS`], then `Rss` of `/proc/PID/smaps_rollup`. A further strategy: [`INSTANCES`]
//! instances in this process, each called once, over the resident memory before. A replay: this
//! program again, once to write a journal and once to replay it, with 1 and 4 million updates; `VmHWM`
//! of the replaying process.

use crate::measure::{Goal, Outcome, Row};
use crate::native::{self, NAME};
use crate::replay::{self, SEED};
use crate::stream::Stream;
use crate::{Settings, guest};
use pm_arb_core::ids::{InstrumentId, Timestamp};
use pm_arb_core::strategy::{Output, Quote, Strategy};
use pm_arb_core::units::{Price, Qty};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PILOT_SECONDS: u64 = 15;
const INSTANCES: usize = 100;
const MILLION: usize = 1_000_000;

/// The name of this program's own task of writing a journal.
pub const WRITE: &str = "--write-journal";
/// The name of its task of replaying one.
pub const REPLAY: &str = "--replay-journal";

/// A value of a file of `/proc`, in KiB.
pub fn kib(file: &str, key: &str) -> Outcome<f64> {
    let text = std::fs::read_to_string(file)?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let value = value.and_then(|value| value.trim().strip_suffix("kB"));
    Ok(value
        .ok_or_else(|| format!("{file} has no {key}"))?
        .trim()
        .parse()?)
}

/// Does what `--write-journal COUNT DIR` and `--replay-journal DIR` say; `None` for other arguments.
pub fn task(args: &[String]) -> Option<Outcome<()>> {
    match args {
        [task, count, dir] if task == WRITE => Some(write(count, Path::new(dir))),
        [task, dir] if task == REPLAY => Some(peak(Path::new(dir))),
        _ => None,
    }
}

fn write(count: &str, dir: &Path) -> Outcome<()> {
    let stream = Stream::generate(SEED, count.parse()?);
    replay::journal(dir, &native::records(&stream))
}

fn peak(dir: &Path) -> Outcome<()> {
    let mut engine = pm_arb_core::engine::Engine::new();
    engine.install(
        pm_arb_core::ids::StrategyId(0),
        Box::new(native::OnceASecond::default()),
    );
    let mut journal = pm_arb::journal::JournalReader::open(dir)?;
    let mut effects = Vec::new();
    let mut steps = 0_usize;
    while let Some(record) = journal.next()? {
        engine.step(record, &mut effects);
        effects.clear();
        steps += 1;
        if steps == native::PREAMBLE {
            engine.step(
                &native::loaded(0, native::manifest(NAME), [7; 32]),
                &mut effects,
            );
        }
    }
    println!("{}", kib("/proc/self/status", "VmHWM")?);
    Ok(())
}

fn replay_peak(folder: &Path, updates: usize) -> Outcome<f64> {
    let dir = folder.join(updates.to_string());
    let this = std::env::current_exe()?;
    let wrote = Command::new(&this)
        .arg(WRITE)
        .arg(updates.to_string())
        .arg(&dir)
        .status()?;
    if !wrote.success() {
        return Err("the journal could not be written".into());
    }
    peak_of(&dir)
}

/// Peak memory of a process that replays this journal, in KiB.
pub fn peak_of(dir: &Path) -> Outcome<f64> {
    let this = std::env::current_exe()?;
    let replayed = Command::new(this).arg(REPLAY).arg(dir).output()?;
    Ok(String::from_utf8(replayed.stdout)?.trim().parse()?)
}

fn instances() -> Outcome<f64> {
    const ROLLUP: &str = "/proc/self/smaps_rollup";
    let host = guest::host()?;
    let compiled = host.compile(&guest::bytes()?)?;
    let quote = Quote {
        instrument: InstrumentId(0),
        bid: Some((Price(480_000), Qty(1_000_000))),
        ask: Some((Price(490_000), Qty(1_000_000))),
    };
    let one = || -> Outcome<_> {
        let mut strategy = host.instantiate(&compiled, &[])?;
        strategy.on_quote(
            Timestamp(crate::stream::START),
            &quote,
            &mut Output::default(),
        )?;
        Ok(strategy)
    };
    let warm = one()?;
    let before = kib(ROLLUP, "Rss")?;
    let strategies = (0..INSTANCES).map(|_| one()).collect::<Outcome<Vec<_>>>()?;
    let after = kib(ROLLUP, "Rss")?;
    drop((warm, strategies));
    Ok((after - before) / INSTANCES as f64)
}

/// A pilot that stops when its measurement ends, however it ends.
pub struct Pilot(Child);

impl Pilot {
    /// Whether it still runs.
    pub fn alive(&mut self) -> Outcome<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the pilot ended by itself: {status}").into()),
        }
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        // A failure here means that it ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program that is measured as a user has it: `PM_ARB_BIN`, or what `make build` leaves.
pub fn pilot_program() -> PathBuf {
    let built = || {
        PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../target/release/pm-arb"
        ))
    };
    std::env::var_os("PM_ARB_BIN").map_or_else(built, PathBuf::from)
}

/// A pilot on the simulator with that strategy.
pub fn pilot_with(strategy: &Path, data: &Path) -> Outcome<Pilot> {
    let binary = pilot_program();
    let child = Command::new(&binary)
        .arg("pilot")
        .args(["--feed", "sim", "--dashboard", "off", "--strategies"])
        .arg(strategy)
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}; `make build` makes it", binary.display()))?;
    Ok(Pilot(child))
}

fn pilot() -> Outcome<f64> {
    let folder = tempfile::tempdir()?;
    let guest = folder.path().join("once-a-second.wasm");
    std::fs::write(&guest, guest::bytes()?)?;
    let mut pilot = pilot_with(&guest, &folder.path().join("data"))?;
    std::thread::sleep(Duration::from_secs(PILOT_SECONDS));
    pilot.alive()?;
    kib(&format!("/proc/{}/smaps_rollup", pilot.0.id()), "Rss")
}

/// Measures.
pub fn measure(_: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let within = |value, most, unit| Goal::Within { value, most, unit };
    let mut rows = Vec::new();
    match pilot() {
        Ok(kib) => {
            let mib = kib / 1024.0;
            let what = "resident memory of a pilot with one strategy on the simulator";
            rows.push(Row::figure(
                what,
                format!("{mib:.1} MiB"),
                "-",
                within(mib, 150.0, "MiB"),
            ));
        }
        Err(error) => notes.push(format!("memory: no pilot: {error}")),
    }
    let each = instances()? / 1024.0;
    let what = "each further Rust strategy, called once";
    rows.push(Row::figure(
        what,
        format!("{each:.3} MiB"),
        "-",
        within(each, 1.0, "MiB"),
    ));
    let folder = tempfile::tempdir()?;
    let short = replay_peak(folder.path(), MILLION)?;
    let long = replay_peak(folder.path(), 4 * MILLION)?;
    rows.push(Row {
        what: "peak memory of a replay of 4 million updates beside 1 million".to_owned(),
        ours: format!("{:.1} MiB", long / 1024.0),
        theirs: format!("{:.1} MiB", short / 1024.0),
        best: long / short,
        median: long / short,
        goal: Goal::AtMost(1.05),
    });
    Ok(rows)
}
