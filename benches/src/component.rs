//! Rows `component`: the replay again, the same strategy as a WebAssembly component.
//!
//! It is called for every quote (a best price or its size changed: about 28.5 % of the updates), under
//! the limits of fuel, memory and output that every strategy of the pilot has. Three components are
//! three instances that all hear every quote. The digest of all effects of a run must be the same
//! with native code and with the component; both are printed.

use crate::measure::{Case, Goal, Outcome, Row, interleave};
use crate::native::{self, NAME, OnceASecond};
use crate::replay::{self, Entrant, SEED};
use crate::stream::Stream;
use crate::{Settings, guest};

fn natives(count: usize) -> Vec<Entrant> {
    let entrant = |n| -> Entrant { (Box::new(OnceASecond::default()), name(n)) };
    (0..count).map(entrant).collect()
}

fn name(n: usize) -> String {
    format!("{NAME}-{n}")
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let stream = Stream::generate(SEED, settings.updates);
    let count = settings.updates as f64;
    let records = native::records(&stream);
    let host = guest::host()?;
    let compiled = host.compile(&guest::bytes()?)?;
    let components = |count: usize| -> Outcome<Vec<Entrant>> {
        let entrant =
            |n| -> Outcome<Entrant> { Ok((Box::new(host.instantiate(&compiled, &[])?), name(n))) };
        (0..count).map(entrant).collect()
    };
    let as_native = replay::digest(&records, natives(1), false)?;
    let as_component = replay::digest(&records, components(1)?, false)?;
    let in_batches = replay::digest(&records, components(1)?, true)?;
    notes.push(format!(
        "component: digests of all effects are {}: native {}, component {}, in batches {} ({})",
        if as_native == as_component && as_native == in_batches {
            "equal"
        } else {
            "DIFFERENT"
        },
        short(&as_native.0),
        short(&as_component.0),
        short(&in_batches.0),
        as_component.1
    ));

    let mut cases = [
        Case::new("native", |watch| {
            let mut engine = replay::engine(&records, natives(1), &mut |_, _| {});
            watch.time(|| replay::run(&mut engine, &records));
            Ok(())
        }),
        Case::new("component", |watch| {
            let mut engine = replay::engine(&records, components(1)?, &mut |_, _| {});
            watch.time(|| replay::run(&mut engine, &records));
            Ok(())
        }),
        Case::new("component in batches", |watch| {
            let mut engine = replay::engine(&records, components(1)?, &mut |_, _| {});
            watch.time(|| replay::run_ahead(&mut engine, &records))?;
            Ok(())
        }),
        Case::new("three native", |watch| {
            let mut engine = replay::engine(&records, natives(3), &mut |_, _| {});
            watch.time(|| replay::run(&mut engine, &records));
            Ok(())
        }),
        Case::new("three components", |watch| {
            let mut engine = replay::engine(&records, components(3)?, &mut |_, _| {});
            watch.time(|| replay::run(&mut engine, &records));
            Ok(())
        }),
    ];
    let times = interleave(settings.rounds, &mut cases)?;
    let [native, one, batches, three_native, three] = times.as_slice() else {
        return Err("a case is missing".into());
    };
    let row = |what, ours, theirs, goal| Row::longer(what, (ours, theirs), count, goal);
    Ok(vec![
        row(
            "replay, an event: strategy as a component beside native (times as long)",
            one,
            native,
            Goal::AtMost(2.2),
        ),
        row(
            "the same in exact batches of up to 64 quotes beside native (times as long)",
            batches,
            native,
            Goal::AtMost(1.6),
        ),
        row(
            "three components beside three native (times as long)",
            three,
            three_native,
            Goal::None,
        ),
    ])
}

fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}
