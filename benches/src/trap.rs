//! Rows `trap`: from a strategy's trap until there is one again that is told what happens.
//!
//! The strategy traps at its [`CALLS`]th quote. Timed is the event that it traps at, what the loader then
//! does, and the events until somebody in its place was called, the run's own time (a millisecond an
//! event) included. *In its watch* the generation before
//! stands by and takes over; *later* the same bytes start again.

use crate::measure::{Goal, Outcome, Row, nanos, quantile};
use crate::replay::SEED;
use crate::stage::Stage;
use crate::stream::Stream;
use crate::{Settings, guest, native};
use pm_arb::plugin::sources::Params;
use pm_arb_core::event::Record;
use std::path::Path;
use std::time::{Duration, Instant};

const SAMPLES: u32 = 100;
/// Calls that go well, and the one that does not.
const CALLS: u32 = 200;
/// What is reached in the end (reliability.md, S11).
const MOST_MS: f64 = 50.0;

/// One strategy traps once; how long that lasts.
fn sample(dir: &Path, records: &[Record], watched: bool) -> Outcome<Duration> {
    let bytes = guest::bytes()?;
    let mut stage = Stage::new(dir)?;
    let mut records = records.iter();
    for record in records.by_ref().take(native::PREAMBLE + 1) {
        stage.record(record.at, record.event.clone())?;
    }
    let traps: Params = vec![("trap".to_owned(), CALLS.to_string())];
    if watched {
        let before = stage.prepare(guest::variant(&bytes, 0), &[], true)?;
        stage.load(before)?;
    }
    let input = stage.prepare(guest::variant(&bytes, 1), &traps, true)?;
    stage.load(input)?;
    let running = |stage: &Stage| {
        let slot = stage.loader.slots().next();
        slot.map(|slot| (slot.generation, slot.usage.costs().calls))
            .ok_or("the strategy is gone")
    };
    let (traps, _) = running(&stage)?;
    let mut struck = None;
    for record in records {
        let start = Instant::now();
        let before = running(&stage)?;
        stage.record(record.at, record.event.clone())?;
        let after = running(&stage)?;
        match struck {
            None if stage.loader.slots().any(|slot| slot.fault.is_some()) || after.0 != traps => {
                struck = Some((start, record.at));
            }
            // Time that the run waits passes here only from event to event: it counts too.
            Some((since, at)) if after.0 == before.0 && after.0 != traps && after.1 > before.1 => {
                let waited = Duration::from_nanos(record.at.since(at).0);
                return Ok(since.elapsed() + waited);
            }
            _ => {}
        }
    }
    Err("nobody traded again".into())
}

/// Measures.
pub fn measure(_: &Settings, _: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let stream = Stream::generate(SEED, 20_000);
    let records = native::records(&stream);
    let mut rows = Vec::new();
    for (what, watched) in [
        ("from a trap in the watch to trading again", true),
        ("from a later trap to trading again", false),
    ] {
        let mut times = Vec::new();
        for _ in 0..SAMPLES {
            let folder = tempfile::tempdir()?;
            let took = sample(&folder.path().join("run"), &records, watched)?;
            times.push(took.as_nanos() as f64);
        }
        let mut at = |q| quantile(&mut times, q);
        let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
        rows.push(Row::figure(
            &format!("{what}, p50 / p99 / max"),
            format!("{} / {} / {}", nanos(p50), nanos(p99), nanos(max)),
            "-",
            Goal::Within {
                value: max / 1e6,
                most: MOST_MS,
                unit: "ms",
            },
        ));
    }
    Ok(rows)
}
