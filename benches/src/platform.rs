//! Rows `platform`: what hosting a strategy costs besides calling it.
//!
//! *Prepare* is what the watcher does with new bytes (check, compile, probe, initialise), beside
//! wasmtime's bare compile and instantiate of the same bytes. *Instances*: [`INSTANCES`] live ones in a
//! process of their own; what the host keeps for them lies in its heap, the rest are pages of their own
//! memory. *Hung*: one that loops for ever in a call, until the host has ended it: so long does a neighbour
//! wait. *Save to live*: a pilot on the simulator, whose strategy's file is replaced, until it says that the
//! new bytes run (the watcher waits for quiet first).

use crate::guest;
use crate::measure::{Case, Goal, Outcome, Row, Times, interleave, nanos, quantile};
use crate::memory::{kib, pilot_with};
use crate::{Settings, stream};
use pm_arb::control::{self, Request};
use pm_arb::plugin::Preparer;
use pm_arb_core::ids::{InstrumentId, Timestamp};
use pm_arb_core::strategy::{Output, Quote, Strategy};
use pm_arb_core::units::{Price, Qty};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

/// Preparations of one round.
const PREPARED: u32 = 10;
const INSTANTIATED: u32 = 500;
const INSTANCES: usize = 1_000;
const HUNG: usize = 100;
/// Files saved for a running pilot.
const SAVES: u32 = 20;
/// Longer than this a save does not take.
const PATIENCE: Duration = Duration::from_secs(20);
const ROLLUP: &str = "/proc/self/smaps_rollup";

const QUOTE: Quote = Quote {
    instrument: InstrumentId(1),
    bid: Some((Price(480_000), Qty(1_000_000))),
    ask: Some((Price(490_000), Qty(1_000_000))),
};

fn prepare(settings: &Settings, rows: &mut Vec<Row>) -> Outcome<()> {
    let bytes = guest::bytes()?;
    let host = guest::host()?;
    let preparer = Preparer::new(host.clone(), BTreeMap::new());
    let mut config = Config::new();
    config.concurrency_support(false).consume_fuel(true);
    let engine = Engine::new(&config)?;
    let compiled = host.compile(&bytes)?;
    let component = Component::new(&engine, &bytes)?;
    let mut linker: Linker<()> = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&component)?;
    let pre = linker.instantiate_pre(&component)?;
    let mut cases = [
        Case::new("ours", |watch| {
            watch.time(|| {
                for n in 0..PREPARED {
                    let variant = guest::variant(&bytes, n);
                    preparer.prepare(Path::new("x.wasm"), variant, &Vec::new())?;
                }
                Ok(())
            })
        }),
        Case::new("bare", |watch| {
            watch.time(|| {
                for n in 0..PREPARED {
                    let component = Component::new(&engine, guest::variant(&bytes, n))?;
                    let mut store = Store::new(&engine, ());
                    store.set_fuel(u64::MAX)?;
                    linker.instantiate(&mut store, &component)?;
                }
                Ok(())
            })
        }),
        Case::new("instance", |watch| {
            watch.time(|| {
                for _ in 0..INSTANTIATED {
                    host.instantiate(&compiled, &[])?;
                }
                Ok(())
            })
        }),
        Case::new("bare instance", |watch| {
            watch.time(|| {
                for _ in 0..INSTANTIATED {
                    let mut store = Store::new(&engine, ());
                    store.set_fuel(u64::MAX)?;
                    pre.instantiate(&mut store)?;
                }
                Ok(())
            })
        }),
    ];
    let times = interleave(settings.rounds, &mut cases)?;
    let [ours, bare, instance, bare_instance] = times.as_slice() else {
        return Err("a case is missing".into());
    };
    let row = |what, pair: (&Times, &Times), count, goal| Row::longer(what, pair, count, goal);
    rows.push(row(
        "a strategy made ready (checked, compiled, probed, initialised) beside wasmtime's bare compile and instantiate (times as long)",
        (ours, bare),
        f64::from(PREPARED),
        Goal::AtMost(1.3),
    ));
    rows.push(row(
        "an instance with its limits, initialised, beside wasmtime's bare instantiate (times as long)",
        (instance, bare_instance),
        f64::from(INSTANTIATED),
        Goal::None,
    ));
    Ok(())
}

/// The name of this program's own task of making instances.
const INSTANCES_TASK: &str = "--instances";

/// Does what `--instances` says; `None` for other arguments.
pub fn task(args: &[String]) -> Option<Outcome<()>> {
    match args {
        [task] if task == INSTANCES_TASK => Some(count_instances()),
        _ => None,
    }
}

/// Prints KiB of one instance: of the host's heap, resident when idle, resident after a call. Of the second
/// [`INSTANCES`] of a process that did nothing else: what is free in its heap is used up by the first.
fn count_instances() -> Outcome<()> {
    let host = guest::host()?;
    let compiled = host.compile(&guest::bytes()?)?;
    let mut live = Vec::with_capacity(2 * INSTANCES);
    let more = |live: &mut Vec<_>| -> Outcome<()> {
        for _ in 0..INSTANCES {
            live.push(host.instantiate(&compiled, &[])?);
        }
        Ok(())
    };
    more(&mut live)?;
    let (before, heap_before) = (kib(ROLLUP, "Rss")?, heap()?);
    more(&mut live)?;
    let (idle, heap_idle) = (kib(ROLLUP, "Rss")?, heap()?);
    for strategy in live.iter_mut().skip(INSTANCES) {
        strategy.on_quote(Timestamp(stream::START), &QUOTE, &mut Output::default())?;
    }
    let used = kib(ROLLUP, "Rss")?;
    let each = |kib: f64| kib / INSTANCES as f64;
    println!(
        "{} {} {}",
        each(heap_idle - heap_before),
        each(idle - before),
        each(used - before)
    );
    Ok(())
}

fn instances(rows: &mut Vec<Row>) -> Outcome<()> {
    let answer = Command::new(std::env::current_exe()?)
        .arg(INSTANCES_TASK)
        .output()?;
    let text = String::from_utf8(answer.stdout)?;
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [kept, idle, used] = figures.as_slice() else {
        return Err(String::from_utf8_lossy(&answer.stderr).into());
    };
    let pages = format!("pages of its own: {:.1} KiB", idle - kept);
    for (what, each, most) in [
        (
            "what the host keeps for an instance of which no page was touched, of 1,000",
            kept,
            16.0,
        ),
        ("resident memory of an initialised instance", idle, 40.0),
        ("the same after a call", used, 40.0),
    ] {
        let goal = Goal::Within {
            value: *each,
            most,
            unit: "KiB",
        };
        rows.push(Row::figure(what, format!("{each:.1} KiB"), &pages, goal));
    }
    Ok(())
}

/// Resident KiB of the heap that the host allocates from.
fn heap() -> Outcome<f64> {
    let maps = std::fs::read_to_string("/proc/self/smaps")?;
    let mut lines = maps.lines().skip_while(|line| !line.ends_with("[heap]"));
    let rss = lines.find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"));
    Ok(rss.ok_or("no heap in /proc/self/smaps")?.trim().parse()?)
}

fn hung(rows: &mut Vec<Row>) -> Outcome<()> {
    let host = guest::live_host()?;
    let compiled = host.compile(&guest::bytes()?)?;
    let hang = [("hang".to_owned(), "1".to_owned())];
    let mut waits = Vec::with_capacity(HUNG);
    for _ in 0..HUNG {
        let mut strategy = host.instantiate(&compiled, &hang)?;
        let began = Instant::now();
        let ended = strategy.on_quote(Timestamp(stream::START), &QUOTE, &mut Output::default());
        waits.push(began.elapsed().as_nanos() as f64);
        if ended.is_ok() {
            return Err("what hangs came back".into());
        }
    }
    let mut at = |q| nanos(quantile(&mut waits, q));
    rows.push(Row::figure(
        "a neighbour's wait for a strategy that loops for ever, p50 / p99 / max",
        format!("{} / {} / {}", at(0.5), at(0.99), at(1.0)),
        "-",
        Goal::None,
    ));
    Ok(())
}

fn save_to_live(rows: &mut Vec<Row>) -> Outcome<()> {
    let bytes = guest::bytes()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("once-a-second.wasm");
    std::fs::write(&file, guest::variant(&bytes, u32::MAX))?;
    let data = folder.path().join("data");
    let mut pilot = pilot_with(&file, &data)?;
    let generation = || -> Option<u64> {
        let answer = control::ask(&data, &Request::Snapshot).ok()?;
        answer["snapshot"]["strategies"]["strategies"][0]["generation"].as_u64()
    };
    let until = |wanted: u64| -> Outcome<Duration> {
        let began = Instant::now();
        while generation() < Some(wanted) {
            if began.elapsed() > PATIENCE {
                return Err(format!("generation {wanted} did not run after {PATIENCE:?}").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(began.elapsed())
    };
    until(1)?;
    let mut took = Vec::new();
    for n in 0..SAVES {
        let new = folder.path().join(".new");
        std::fs::write(&new, guest::variant(&bytes, n))?;
        std::fs::rename(&new, &file)?;
        took.push(until(u64::from(n) + 2)?.as_nanos() as f64);
    }
    pilot.alive()?;
    let mut at = |q| nanos(quantile(&mut took, q));
    rows.push(Row::figure(
        "from a saved file to live in a pilot, p50 / max",
        format!("{} / {}", at(0.5), at(1.0)),
        "200 ms of it are the wait for quiet",
        Goal::None,
    ));
    Ok(())
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    prepare(settings, &mut rows)?;
    instances(&mut rows)?;
    hung(&mut rows)?;
    if let Err(error) = save_to_live(&mut rows) {
        notes.push(format!("platform: no pilot: {error}"));
    }
    Ok(rows)
}
