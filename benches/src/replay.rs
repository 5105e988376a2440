//! Row `replay`: the stream through the whole engine, beside hftbacktest, barter and a bare loop.
//!
//! Ours is `Engine::step` over records in memory (and, on a line of its own, over a journal on disk):
//! market data, scanner, strategy, risk guardian, allocator, paper executor with 50 ms latency, ledger
//! and every effect built. The strategy trades natively. Every contestant applies every update.

use crate::measure::{Case, Goal, Outcome, Row, interleave};
use crate::native::{self, NAME, OnceASecond, PREAMBLE};
use crate::stream::Stream;
use crate::{Settings, bare, barter, hft};
use pm_arb::digest::EffectDigest;
use pm_arb::journal::{JournalReader, JournalWriter, RunMeta};
use pm_arb_core::effect::Effect;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::Record;
use pm_arb_core::ids::{StrategyId, Timestamp};
use pm_arb_core::strategy::Strategy;
use std::path::Path;

/// Seed of the measured stream.
pub const SEED: u64 = 20_261_122;

/// A strategy that enters before the book: instance and name.
pub type Entrant = (Box<dyn Strategy>, String);

/// An engine in which these strategies run and the preamble has happened.
pub fn engine(
    records: &[Record],
    entrants: Vec<Entrant>,
    each: &mut dyn FnMut(&Record, &[Effect]),
) -> Engine {
    let mut engine = Engine::new();
    let mut effects = Vec::new();
    let mut step = |engine: &mut Engine, record: &Record| {
        engine.step(record, &mut effects);
        each(record, &effects);
        effects.clear();
    };
    for record in records.iter().take(PREAMBLE) {
        step(&mut engine, record);
    }
    for (id, (strategy, name)) in (0..).zip(entrants) {
        engine.install(StrategyId(id), strategy);
        step(
            &mut engine,
            &native::loaded(id, native::manifest(&name), [7; 32]),
        );
    }
    engine
}

/// Steps the engine through the rest.
pub fn run(engine: &mut Engine, records: &[Record]) {
    let mut effects = Vec::new();
    for record in records.iter().skip(PREAMBLE) {
        engine.step(record, &mut effects);
        effects.clear();
    }
}

/// The same, told ahead: strategies that can hear several quotes in one call. An error when a quote did not
/// come as it was foretold.
pub fn run_ahead(engine: &mut Engine, records: &[Record]) -> Outcome<()> {
    let mut effects = Vec::new();
    for n in PREAMBLE..records.len() {
        engine.look_ahead(&records[n..]);
        engine.step(&records[n], &mut effects);
        effects.clear();
    }
    if engine.foretold_wrong() {
        return Err("a quote did not come as it was foretold".into());
    }
    Ok(())
}

/// The digest of all effects of a whole run, told ahead or one by one, and its result in words.
pub fn digest(
    records: &[Record],
    entrants: Vec<Entrant>,
    ahead: bool,
) -> Outcome<(String, String)> {
    let mut digest = EffectDigest::default();
    let mut failed = None;
    let mut each = |record: &Record, effects: &[Effect]| {
        if let Err(error) = digest.update(record.seq, effects) {
            failed = Some(error);
        }
    };
    let mut engine = engine(records, entrants, &mut each);
    let mut effects = Vec::new();
    for (n, record) in records.iter().enumerate().skip(PREAMBLE) {
        if ahead {
            engine.look_ahead(&records[n..]);
        }
        engine.step(record, &mut effects);
        each(record, &effects);
        effects.clear();
    }
    if engine.foretold_wrong() {
        return Err("a quote did not come as it was foretold".into());
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    let status = engine.status();
    let summary = engine.summary();
    let words = format!(
        "{} calls, {} intents, {} denied, {} filled, halted: {:?}",
        status.strategies.iter().map(|s| s.calls).sum::<u64>(),
        status.counts.intents,
        status.counts.denied,
        summary.total_trades,
        engine.is_halted()
    );
    Ok((digest.hex(&engine), words))
}

fn native() -> Vec<Entrant> {
    vec![(Box::new(OnceASecond::default()), NAME.to_owned())]
}

/// Writes the records as a run.
pub fn journal(dir: &Path, records: &[Record]) -> Outcome<()> {
    let now = Timestamp(crate::stream::START);
    let meta = RunMeta::new(RunMeta::fresh_id(now, dir), "bench", now);
    let mut writer = JournalWriter::create(dir, &meta)?;
    for record in records {
        writer.append(record.at, &record.event)?;
    }
    writer.commit()?;
    Ok(())
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let stream = Stream::generate(SEED, settings.updates);
    let count = settings.updates as f64;
    let census = stream.census();
    let share = |n: u64| n as f64 / count * 100.0;
    notes.push(format!(
        "stream: {count} updates, {:.1} % removals, {:.1} % move a best price, {:.1} % change a best price or its size, {:.0} levels a side, narrowest spread {} ticks",
        share(census.removals), share(census.moves), share(census.tops), census.levels, census.spread_min
    ));
    let records = native::records(&stream);
    notes.push(format!(
        "replay, ours: {}",
        digest(&records, native(), false)?.1
    ));
    let run_dir = tempfile::tempdir()?;
    let dir = run_dir.path().join("run");
    journal(&dir, &records)?;
    let hft_data = hft::data(&stream);
    let done = hft::run(hft::hash_map(&hft_data)?)?;
    notes.push(format!("replay, hftbacktest: {done:?}"));
    let barter = barter::Prepared::new(&stream)?;
    notes.push(format!("replay, barter: {}", barter.describe()?));

    let mut cases = [
        Case::new("ours", |watch| {
            let mut engine = engine(&records, native(), &mut |_, _| {});
            watch.time(|| run(&mut engine, &records));
            Ok(())
        }),
        Case::new("ours from a journal", |watch| {
            let mut engine = engine(&records, native(), &mut |_, _| {});
            watch.time(|| replay_journal(&mut engine, &dir))
        }),
        Case::new("hftbacktest, HashMap", |watch| {
            let backtest = hft::hash_map(&hft_data)?;
            watch.time(|| hft::run(backtest)).map(drop)
        }),
        Case::new("hftbacktest, ROIVector", |watch| {
            let backtest = hft::roi_vector(&hft_data)?;
            watch.time(|| hft::run(backtest)).map(drop)
        }),
        Case::new("barter", |watch| barter.run(watch)),
        Case::new("bare loop", |watch| {
            std::hint::black_box(watch.time(|| bare::replay(&stream)));
            Ok(())
        }),
    ];
    let times = interleave(settings.rounds, &mut cases)?;
    let [ours, read, hash_map, roi, barter, bare] = times.as_slice() else {
        return Err("a case is missing".into());
    };
    let row = |what, ours, theirs, goal| Row::faster(what, (ours, theirs), count, goal);
    Ok(vec![
        row(
            "replay, an event: engine beside hftbacktest 0.9.4 HashMap",
            ours,
            hash_map,
            Goal::AtLeast(1.0),
        ),
        row(
            "the same beside hftbacktest 0.9.4 ROIVector",
            ours,
            roi,
            Goal::None,
        ),
        row(
            "the same beside barter 0.14 backtest()",
            ours,
            barter,
            Goal::AtLeast(5.0),
        ),
        Row::longer(
            "the same beside a bare loop (times as long)",
            (ours, bare),
            count,
            Goal::None,
        ),
        row(
            "replay from a journal on disk beside hftbacktest HashMap",
            read,
            hash_map,
            Goal::AtLeast(1.0),
        ),
        row(
            "the same beside barter 0.14 backtest()",
            read,
            barter,
            Goal::AtLeast(5.0),
        ),
        Row::longer(
            "journal on disk beside records in memory (times as long)",
            (read, ours),
            count,
            Goal::None,
        ),
    ])
}

fn replay_journal(engine: &mut Engine, dir: &Path) -> Outcome<()> {
    let mut journal = JournalReader::open(dir)?;
    let mut effects = Vec::new();
    let mut n = 0;
    while let Some(record) = journal.next()? {
        n += 1;
        if n > PREAMBLE {
            engine.step(record, &mut effects);
            effects.clear();
        }
    }
    Ok(())
}
