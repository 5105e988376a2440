//! Row `refuse`: how long a file that is no strategy waits for its refusal.
//!
//! As a pilot that trades finds out: read, checked, compiled in a process of its own where it comes so far.
//! The files are the measured component, broken in the ways below; one broken bit may well leave a strategy,
//! which is no refusal and not counted.

use crate::measure::{Goal, Outcome, Row, nanos, quantile};
use crate::memory::pilot_program;
use crate::replay::SEED;
use crate::stream::Random;
use crate::{Settings, guest};
use pm_arb::plugin::{Limits, LoaderInput, PluginHost, Preparer, Sources, Tracker};
use std::collections::BTreeMap;
use std::time::Instant;

/// Cut off after every so many bytes.
const CUT: usize = 4 << 10;
/// Copies with one broken bit.
const FLIPS: u64 = 200;
/// Bytes of a file that is far too large: sparse.
const HUGE: u64 = 100 << 20;
const VERSION: &[u8] = b"pm-arb:strategy/host@0.3.0";
const OTHER_VERSION: &[u8] = b"pm-arb:strategy/host@0.9.0";
const MOST_MS: f64 = 100.0;

fn broken(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("an empty file", Vec::new()),
        ("a text", b"not a strategy".to_vec()),
        ("a core module", b"\0asm\x01\0\0\0".to_vec()),
    ];
    let mut other = bytes.to_vec();
    while let Some(at) = other.windows(VERSION.len()).position(|w| w == VERSION) {
        if let Some(part) = other.get_mut(at..at + OTHER_VERSION.len()) {
            part.copy_from_slice(OTHER_VERSION);
        }
    }
    all.push(("another version", other));
    for len in (CUT..bytes.len()).step_by(CUT) {
        all.push(("a cut file", bytes.iter().take(len).copied().collect()));
    }
    let mut random = Random(SEED);
    for _ in 0..FLIPS {
        let mut flipped = bytes.to_vec();
        let at = random.below(flipped.len() as u64) as usize;
        if let Some(byte) = flipped.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
        all.push(("a broken bit", flipped));
    }
    all
}

/// Measures.
pub fn measure(_: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let host = PluginHost::live(Limits::default(), Some(pilot_program()))?;
    host.go_live()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("a.wasm");
    let sources = Sources::parse(&[&file.to_string_lossy()])?;
    let mut tracker = Tracker::new(sources, Preparer::new(host, BTreeMap::new()));
    let (mut waits, mut slowest, mut taken) = (Vec::new(), (0.0, ""), 0);
    let mut look = |what: &'static str| {
        let began = Instant::now();
        let news = tracker.scan();
        let took = began.elapsed().as_nanos() as f64;
        match news.as_slice() {
            [LoaderInput::Refused { .. }] => {
                waits.push(took);
                if took > slowest.0 {
                    slowest = (took, what);
                }
            }
            _ => taken += 1,
        }
    };
    for (what, bytes) in broken(&guest::bytes()?) {
        std::fs::write(&file, bytes)?;
        look(what);
    }
    std::fs::File::create(&file)?.set_len(HUGE)?;
    look("100 MiB");
    let count = waits.len();
    notes.push(format!(
        "refuse: {count} files, the slowest {}; {taken} with a broken bit are strategies all the same",
        slowest.1
    ));
    let mut at = |q| quantile(&mut waits, q);
    let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
    Ok(vec![Row::figure(
        "a file that is no strategy until it is refused, p50 / p99 / max",
        format!("{} / {} / {}", nanos(p50), nanos(p99), nanos(max)),
        "-",
        Goal::Within {
            value: max / 1e6,
            most: MOST_MS,
            unit: "ms",
        },
    )])
}
