//! Row `growth`: what 10, 100, 1,000 and 10,000 markets cost at the same number of events.
//!
//! Every market has the kind of book the stream of `replay` has, with a seed of its own; each update
//! is the next one of a market drawn at random, so that memory is visited as it would be live. One
//! strategy hears every quote and buys once a second of the stream wherever the next quote is. Three
//! things are told apart: an event while so many markets are open; the life of a market (listed, its
//! first book, its outcome) beside so many others; and the peak memory of a process that replays it
//! all from a journal. An exponent is the slope of the least-squares line through the logarithms: 0
//! means that the number of markets makes no difference, 1 that twice the markets cost twice as much.

use crate::measure::{Case, Goal, Outcome, Row, Times, interleave, nanos};
use crate::native::{self, NAME, OnceASecond};
use crate::replay::{self, Entrant, SEED};
use crate::stream::{Random, Stream, Update};
use crate::{Settings, memory};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record, Resolution};
use pm_arb_core::ids::{InstrumentId, MarketId, Seq};
use pm_arb_core::units::Price;
use std::path::Path;
use std::process::Command;

const MARKETS: [usize; 4] = [10, 100, 1_000, 10_000];
/// The name of this program's own task of writing a journal with many markets.
const WRITE: &str = "--write-growth";
/// The largest exponent of time that is taken for none: what memory caches explain.
const FLAT: f64 = 0.15;

/// Settings, markets, books, updates, outcomes; and how many records come before the updates.
fn records(markets: usize, updates: usize) -> Outcome<(Vec<Record>, usize)> {
    let mut random = Random(SEED);
    let order: Vec<usize> = (0..updates)
        .map(|_| random.below(markets as u64) as usize)
        .collect();
    let mut counts = vec![0_usize; markets];
    for market in &order {
        if let Some(count) = counts.get_mut(*market) {
            *count += 1;
        }
    }
    let streams: Vec<Stream> = (0_u64..)
        .zip(&counts)
        .map(|(n, count)| Stream::generate(SEED + n, *count))
        .collect();
    let number = |n: usize| u32::try_from(n);
    let mut events = vec![(0, Event::Configured(Box::new(native::settings())))];
    for n in 0..markets {
        events.push((0, Event::MarketListed(Box::new(native::market(number(n)?)))));
    }
    for (n, stream) in streams.iter().enumerate() {
        let book = native::book(InstrumentId(2 * number(n)?), stream);
        events.push((0, Event::Snapshot(Box::new(book))));
    }
    let before = events.len();
    let mut next: Vec<std::slice::Iter<'_, Update>> =
        streams.iter().map(|stream| stream.updates.iter()).collect();
    for (n, market) in order.iter().enumerate() {
        let update = next.get_mut(*market).and_then(Iterator::next);
        let update = update.ok_or("a market has fewer updates than were drawn")?;
        let instrument = InstrumentId(2 * number(*market)?);
        let level = native::level(instrument, update, native::at(n + 1));
        events.push((n + 1, Event::Level(level)));
    }
    for n in 0..markets {
        let resolution = Resolution {
            market: MarketId(number(n)?),
            payouts: vec![Price::DOLLAR, Price::ZERO],
            evidence: "measured".to_owned(),
        };
        events.push((updates + 1, Event::Resolved(Box::new(resolution))));
    }
    let numbered = (1..).map(Seq).zip(events);
    let records = numbered.map(|(seq, (moment, event))| Record {
        seq,
        at: native::at(moment),
        event,
    });
    Ok((records.collect(), before))
}

fn entrants() -> Vec<Entrant> {
    vec![(Box::new(OnceASecond::default()), NAME.to_owned())]
}

fn step(engine: &mut Engine, records: &[Record]) {
    let mut effects = Vec::new();
    for record in records {
        engine.step(record, &mut effects);
        effects.clear();
    }
}

/// The updates of one number of markets, and their life without updates.
struct Size {
    markets: usize,
    records: Vec<Record>,
    before: usize,
    life: Vec<Record>,
}

impl Size {
    fn new(markets: usize, updates: usize) -> Outcome<Self> {
        let (all, before) = records(markets, updates)?;
        let (life, _) = records(markets, 0)?;
        Ok(Self {
            markets,
            records: all,
            before,
            life,
        })
    }

    /// An engine in which all markets are open, and the updates.
    fn opened(&self) -> (Engine, &[Record]) {
        let mut engine = replay::engine(&self.records, entrants(), &mut |_, _| {});
        let end = self.records.len() - self.markets;
        let opening = self.records.get(native::PREAMBLE..self.before);
        step(&mut engine, opening.unwrap_or_default());
        let updates = self.records.get(self.before..end).unwrap_or_default();
        (engine, updates)
    }
}

/// Does what `--write-growth MARKETS UPDATES DIR` says; `None` for other arguments.
pub fn task(args: &[String]) -> Option<Outcome<()>> {
    match args {
        [task, markets, updates, dir] if task == WRITE => {
            Some(write(markets, updates, Path::new(dir)))
        }
        _ => None,
    }
}

fn write(markets: &str, updates: &str, dir: &Path) -> Outcome<()> {
    let (records, _) = records(markets.parse()?, updates.parse()?)?;
    replay::journal(dir, &records)
}

/// Peak memory of a process that replays so many markets, in KiB.
fn peak(folder: &Path, markets: usize, updates: usize) -> Outcome<f64> {
    let dir = folder.join(markets.to_string());
    let wrote = Command::new(std::env::current_exe()?)
        .args([WRITE, &markets.to_string(), &updates.to_string()])
        .arg(&dir)
        .status()?;
    if !wrote.success() {
        return Err("the journal could not be written".into());
    }
    let peak = memory::peak_of(&dir)?;
    std::fs::remove_dir_all(&dir)?;
    Ok(peak)
}

/// The slope of the line through the logarithms of `(x, y)`.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| logs.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let over: f64 = logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let under: f64 = logs.iter().map(|p| (p.0 - x) * (p.0 - x)).sum();
    over / under
}

/// `at 10: …; at 100: …`
fn each(points: &[(f64, f64)], show: impl Fn(f64) -> String) -> String {
    let one = |(markets, value): &(f64, f64)| format!("{markets}: {}", show(*value));
    points.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A line about how something grows: of the best rounds, and of the medians.
fn grows(what: &str, counts: &[f64; 4], times: &[Times]) -> Row {
    let line = |seconds: fn(&Times) -> f64| -> Vec<(f64, f64)> {
        let markets = MARKETS.map(|m| m as f64);
        let cases = markets.into_iter().zip(counts).zip(times);
        cases
            .map(|((m, count), t)| (m, seconds(t) * 1e9 / count))
            .collect()
    };
    let (best, median) = (line(Times::best), line(Times::median));
    let slope = exponent(&best);
    Row {
        what: format!("{what}, by markets; the ratio is the exponent"),
        ours: each(&best, nanos),
        theirs: "-".to_owned(),
        best: slope,
        median: exponent(&median),
        goal: Goal::AtMost(FLAT),
    }
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let updates = settings.updates / 2;
    let sizes = MARKETS
        .into_iter()
        .map(|markets| Size::new(markets, updates))
        .collect::<Outcome<Vec<_>>>()?;
    let largest = MARKETS.into_iter().max().unwrap_or(1);
    let mut cases: Vec<Case<'_>> = Vec::new();
    for size in &sizes {
        cases.push(Case::new("events", |watch| {
            let (mut engine, updates) = size.opened();
            watch.time(|| step(&mut engine, updates));
            Ok(())
        }));
    }
    for size in &sizes {
        cases.push(Case::new("lives", |watch| {
            // As many markets in all, however many live at a time.
            for _ in 0..largest / size.markets {
                let mut engine = replay::engine(&size.life, entrants(), &mut |_, _| {});
                let rest = size.life.get(native::PREAMBLE..).unwrap_or_default();
                watch.time(|| step(&mut engine, rest));
            }
            Ok(())
        }));
    }
    let times = interleave(settings.rounds, &mut cases)?;
    let (events, lives) = times.split_at(MARKETS.len());
    let mut rows = vec![
        grows("an event", &[updates as f64; 4], events),
        grows(
            "the life of a market without updates",
            &[largest as f64; 4],
            lives,
        ),
    ];

    let folder = tempfile::tempdir()?;
    let updates = settings.updates / 4;
    let one = peak(folder.path(), 1, updates)?;
    let mut peaks = Vec::new();
    for markets in MARKETS {
        peaks.push((markets as f64, peak(folder.path(), markets, updates)?));
    }
    let mib = |kib: f64| format!("{:.1} MiB", kib / 1024.0);
    let above: Vec<(f64, f64)> = peaks
        .iter()
        .filter(|(markets, _)| *markets >= 1_000.0)
        .map(|(markets, kib)| (*markets, kib - one))
        .collect();
    let slope = exponent(&above);
    rows.push(Row {
        what: "peak memory of a replay, by markets; the ratio is the exponent from 1,000 to 10,000 of what lies above one market".to_owned(),
        ours: each(&peaks, mib),
        theirs: mib(one),
        best: slope,
        median: slope,
        goal: Goal::AtMost(1.05),
    });
    let a_market = above
        .last()
        .map_or(f64::NAN, |(markets, kib)| kib / markets);
    rows.push(Row::figure(
        "memory of a market with its two instruments and a book of 164 levels",
        format!("{a_market:.1} KiB"),
        "-",
        Goal::None,
    ));
    notes.push(format!(
        "growth: {} updates in all at every number of markets for time, {updates} for memory; all exponents of peak memory from 10 on: {:.2}",
        settings.updates / 2,
        exponent(&peaks)
    ));
    Ok(rows)
}
