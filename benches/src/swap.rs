//! Row `swap`: how long a hot swap keeps the engine's thread from the next event.
//!
//! A session as the pilot has it (journal, engine, digest, archive of strategies) takes the stream,
//! event by event. Every [`BETWEEN`] events a strategy that was compiled, probed and archived
//! beforehand, as the pilot's watcher does, takes over through the loader: state carried over,
//! installed, recorded. Each has other bytes, so that each is a real swap. The pause is the wall time
//! of `Loader::handle` and of the event after it. A second pass shows what it would be if the bytes
//! were archived (three flushes of the disk) on the engine's thread, which the pilot does only when the
//! watcher could not.

use crate::measure::{Goal, Outcome, Row, nanos, quantile};
use crate::memory::kib;
use crate::native;
use crate::replay::SEED;
use crate::stream::Stream;
use crate::{Settings, guest};
use pm_arb::digest::EffectDigest;
use pm_arb::journal::{JournalWriter, RunMeta, archive};
use pm_arb::plugin::{
    Candidate, Loader, LoaderInput, LoaderPort, Outcome as Swap, PortError, Preparer,
};
use pm_arb_core::engine::{Engine, Standing};
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{StrategyId, Timestamp};
use pm_arb_core::strategy::Strategy;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Swaps of one pass.
const SWAPS: u32 = 1_000;
/// After so many the memory is looked at first.
const EARLY: u32 = 10;
/// Events between two.
const BETWEEN: usize = 500;

/// What the pilot's session does with a fact.
struct Session {
    dir: PathBuf,
    journal: JournalWriter,
    engine: Engine,
    digest: EffectDigest,
    at: Timestamp,
}

impl Session {
    fn new(dir: PathBuf) -> Outcome<Self> {
        let now = Timestamp(crate::stream::START);
        let meta = RunMeta::new(RunMeta::fresh_id(now, &dir), "bench", now);
        Ok(Self {
            journal: JournalWriter::create(&dir, &meta)?,
            dir,
            engine: Engine::new(),
            digest: EffectDigest::default(),
            at: now,
        })
    }

    fn step(&mut self, at: Timestamp, event: Event) -> Result<(), PortError> {
        let seq = self.journal.append(at, &event)?;
        self.at = at;
        let mut effects = Vec::new();
        self.engine.step(&Record { seq, at, event }, &mut effects);
        Ok(self.digest.update(seq, &effects)?)
    }
}

impl LoaderPort for Session {
    fn strategy_mut(&mut self, id: StrategyId) -> Option<&mut (dyn Strategy + 'static)> {
        self.engine.strategy_mut(id)
    }

    fn install(&mut self, id: StrategyId, new: Box<dyn Strategy>) -> Option<Box<dyn Strategy>> {
        self.engine.install(id, new)
    }

    fn stand_by(&mut self, id: StrategyId, before: Box<dyn Strategy>) {
        self.engine.stand_by(id, before);
    }

    fn has_standby(&self, id: StrategyId) -> bool {
        self.engine.has_standby(id)
    }

    fn revert(&mut self, id: StrategyId) -> Option<Box<dyn Strategy>> {
        self.engine.revert(id)
    }

    fn let_go(&mut self, id: StrategyId) -> Option<Box<dyn Strategy>> {
        self.engine.let_go(id)
    }

    fn standing(&self, id: StrategyId) -> Standing {
        self.engine.standing(id)
    }

    fn archive(&mut self, digest: &[u8; 32], bytes: &[u8]) -> Result<(), PortError> {
        if !archive::has_strategy(&self.dir, digest) {
            archive::save_strategy(&self.dir, bytes)?;
        }
        Ok(())
    }

    fn retrieve(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, PortError> {
        Ok(archive::load_strategy(&self.dir, digest)?)
    }

    fn now(&self) -> Timestamp {
        self.at
    }

    fn record(&mut self, event: Event) -> Result<(), PortError> {
        self.step(self.at, event)
    }
}

/// Pauses and warm events of one pass, in nanoseconds.
struct Pass {
    pauses: Vec<f64>,
    warm: Vec<f64>,
    /// Resident KiB after [`EARLY`] swaps and after all.
    early: f64,
    late: f64,
}

fn pass(dir: &Path, records: &[Record], archived: bool) -> Outcome<Pass> {
    let host = guest::host()?;
    let preparer = Preparer::new(host.clone(), BTreeMap::new());
    let bytes = guest::bytes()?;
    let mut loader = Loader::new(host);
    let mut session = Session::new(dir.to_owned())?;
    let mut pass = Pass {
        pauses: Vec::new(),
        warm: Vec::new(),
        early: 0.0,
        late: 0.0,
    };
    let mut swaps = 0;
    for (n, record) in records.iter().enumerate() {
        let due = n >= native::PREAMBLE && (n - native::PREAMBLE).is_multiple_of(BETWEEN);
        if due && swaps <= SWAPS {
            let variant = guest::variant(&bytes, swaps);
            let path = Path::new("once-a-second.wasm");
            let candidate: Candidate = preparer.prepare(path, variant, &Vec::new())?;
            if archived {
                archive::save_strategy(dir, &candidate.bytes)?;
            }
            let input = LoaderInput::Ready(Box::new(candidate));
            let start = Instant::now();
            let swap = loader.handle(input, &mut session)?;
            session
                .step(record.at, record.event.clone())
                .map_err(|error| error.to_string())?;
            let pause = start.elapsed().as_nanos() as f64;
            let Swap::Loaded { restored, .. } = swap else {
                return Err(format!("a swap did not happen: {swap:?}").into());
            };
            // The first one has no predecessor.
            if swaps > 0 {
                if !restored {
                    return Err("a swap lost the strategy's state".into());
                }
                pass.pauses.push(pause);
            }
            if swaps == EARLY {
                pass.early = kib("/proc/self/smaps_rollup", "Rss")?;
            }
            swaps += 1;
            continue;
        }
        let event = record.event.clone();
        let start = Instant::now();
        session
            .step(record.at, event)
            .map_err(|error| error.to_string())?;
        pass.warm.push(start.elapsed().as_nanos() as f64);
    }
    pass.late = kib("/proc/self/smaps_rollup", "Rss")?;
    Ok(pass)
}

/// Measures.
pub fn measure(_: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let stream = Stream::generate(SEED, BETWEEN * (SWAPS as usize + 2));
    let records = native::records(&stream);
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    let within = Goal::AtMost(1.0);
    for (name, archived, what, goal) in [
        (
            "kept",
            true,
            "pause of the events at a hot swap, p50 / p99 / max",
            within,
        ),
        (
            "late",
            false,
            "the same with its bytes archived on the engine's thread",
            Goal::None,
        ),
    ] {
        let mut pass = pass(&folder.path().join(name), &records, archived)?;
        let mut at = |q| quantile(&mut pass.pauses, q);
        let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
        rows.push(Row::figure(
            what,
            format!("{} / {} / {}", nanos(p50), nanos(p99), nanos(max)),
            &format!("an event: {}", nanos(quantile(&mut pass.warm, 0.5))),
            match goal {
                Goal::AtMost(most) => Goal::Within {
                    value: p99 / 1e6,
                    most,
                    unit: "ms p99",
                },
                other => other,
            },
        ));
        if archived {
            rows.push(Row::figure(
                "the longest of these pauses",
                nanos(max),
                "-",
                Goal::Within {
                    value: max / 1e6,
                    most: 5.0,
                    unit: "ms",
                },
            ));
            rows.push(Row {
                what: "resident memory after 1,000 swaps beside after 10".to_owned(),
                ours: format!("{:.1} MiB", pass.late / 1024.0),
                theirs: format!("{:.1} MiB", pass.early / 1024.0),
                best: pass.late / pass.early,
                median: pass.late / pass.early,
                goal: Goal::AtMost(1.05),
            });
        }
    }
    notes.push(format!(
        "swap: {SWAPS} swaps a pass, one every {BETWEEN} events; wall time; every one carried its state over, no event lost (each is stepped in turn)"
    ));
    Ok(rows)
}
