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
use crate::replay::SEED;
use crate::stage::Stage;
use crate::stream::Stream;
use crate::{Settings, guest, native};
use pm_arb_core::event::Record;
use std::path::Path;
use std::time::Instant;

/// Swaps of one pass.
const SWAPS: u32 = 1_000;
/// After so many the memory is looked at first.
const EARLY: u32 = 10;
/// Events between two.
const BETWEEN: usize = 500;

/// Pauses and warm events of one pass, in nanoseconds.
struct Pass {
    pauses: Vec<f64>,
    warm: Vec<f64>,
    /// Resident KiB after [`EARLY`] swaps and after all.
    early: f64,
    late: f64,
}

/// Room for so many figures that is resident before anything is measured.
fn touched(count: usize) -> Vec<f64> {
    let mut room = vec![f64::NAN; count];
    room.clear();
    room
}

fn pass(dir: &Path, records: &[Record], archived: bool) -> Outcome<Pass> {
    let bytes = guest::bytes()?;
    let mut stage = Stage::new(dir)?;
    let mut pass = Pass {
        pauses: touched(SWAPS as usize),
        warm: touched(records.len()),
        early: 0.0,
        late: 0.0,
    };
    let mut swaps = 0;
    for (n, record) in records.iter().enumerate() {
        let due = n >= native::PREAMBLE && (n - native::PREAMBLE).is_multiple_of(BETWEEN);
        let event = record.event.clone();
        if due && swaps <= SWAPS {
            let input = stage.prepare(guest::variant(&bytes, swaps), &[], archived)?;
            stage.commit()?;
            let start = Instant::now();
            let restored = stage.load(input)?;
            stage.record(record.at, event)?;
            let pause = start.elapsed().as_nanos() as f64;
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
        let start = Instant::now();
        stage.record(record.at, event)?;
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
    let mut kept = pass(&folder.path().join("kept"), &records, true)?;
    let mut late = pass(&folder.path().join("late"), &records, false)?;
    let within = |value: f64, most, unit| Goal::Within {
        value: value / 1e6,
        most,
        unit,
    };
    let pauses = |pass: &mut Pass| {
        let mut at = |q| quantile(&mut pass.pauses, q);
        (at(0.5), at(0.99), at(1.0))
    };
    let words = |(p50, p99, max)| format!("{} / {} / {}", nanos(p50), nanos(p99), nanos(max));
    let (of_kept, of_late) = (pauses(&mut kept), pauses(&mut late));
    let event = nanos(quantile(&mut kept.warm, 0.5));
    notes.push(format!(
        "swap: {SWAPS} swaps a pass, one every {BETWEEN} events; wall time; every one carried its state over, no event lost (each is stepped in turn)"
    ));
    Ok(vec![
        Row::figure(
            "pause of the events at a hot swap, p50 / p99 / max",
            words(of_kept),
            &format!("an event: {event}"),
            within(of_kept.1, 1.0, "ms p99"),
        ),
        Row::figure(
            "the longest of these pauses",
            nanos(of_kept.2),
            "-",
            within(of_kept.2, 5.0, "ms"),
        ),
        Row {
            what: "resident memory after 1,000 swaps beside after 10".to_owned(),
            ours: format!("{:.1} MiB", kept.late / 1024.0),
            theirs: format!("{:.1} MiB", kept.early / 1024.0),
            best: kept.late / kept.early,
            median: kept.late / kept.early,
            goal: Goal::AtMost(1.05),
        },
        Row::figure(
            "the same pause with its bytes archived on the engine's thread",
            words(of_late),
            "-",
            Goal::None,
        ),
    ])
}
