//! Importing: the real recordings with their real counts, and lines no recording should have.
#![allow(clippy::unwrap_used)]

use pm_arb::import::{self, Format, ImportError, ImportReport, ImportRequest};
use pm_arb::journal::JournalReader;
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{Seq, Timestamp};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a journal holds, by kind, with the laws every journal obeys checked on the way.
fn census(run: &Path) -> BTreeMap<&'static str, u64> {
    let mut reader = JournalReader::open(run).unwrap();
    let mut counts = BTreeMap::new();
    let mut last = (Seq(0), Timestamp(0));
    let (mut markets, mut instruments, mut oracles) = (0, 0, 0);
    while let Some(record) = reader.next().unwrap() {
        assert_eq!(record.seq.0, last.0.0 + 1);
        assert!(record.at >= last.1, "time went back at {}", record.seq);
        last = (record.seq, record.at);
        if record.seq == Seq(1) {
            assert!(matches!(record.event, Event::Configured(_)));
        }
        let kind = match &record.event {
            Event::Configured(_) => "configured",
            Event::MarketListed(spec) => {
                assert_eq!(spec.id.0, markets, "numbers have no holes");
                markets += 1;
                instruments += spec.outcomes.len() as u32;
                if let Some(oracle) = spec.settlement.oracle() {
                    assert!(oracle.0 < oracles, "its oracle is listed");
                }
                "listed"
            }
            Event::OracleListed(spec) => {
                assert_eq!(spec.id.0, oracles);
                oracles += 1;
                "oracle listed"
            }
            Event::Level(l) => {
                assert!(l.instrument.0 < instruments, "its market is listed");
                "level"
            }
            Event::Snapshot(s) => {
                assert!(s.instrument.0 < instruments, "its market is listed");
                "snapshot"
            }
            Event::Print(_) => "print",
            Event::TickSize { .. } => "tick size",
            Event::Gap { .. } => "gap",
            Event::OracleTick(t) => {
                assert!(t.oracle.0 < oracles, "its feed is listed");
                "tick"
            }
            Event::Resolved(_) => "resolved",
            Event::Refused { .. } => "refused",
            other => panic!("unexpected {other:?}"),
        };
        *counts.entry(kind).or_default() += 1;
    }
    assert!(reader.torn_tail().is_none());
    counts
}

fn records(run: &Path) -> Vec<Record> {
    let mut reader = JournalReader::open(run).unwrap();
    let mut all = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        all.push(record.clone());
    }
    all
}

fn request(from: Format, out: &Path, files: &[PathBuf]) -> ImportRequest {
    ImportRequest {
        from,
        out: out.to_owned(),
        files: files.to_vec(),
    }
}

/// The recording, or a line that says why its test is skipped.
fn recording(test: &str, name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PM_ARB_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIP {test}: {} is not there", path.display());
    None
}

/// Imports twice, checks that both runs are the same bytes, and counts.
fn import_recording(
    from: Format,
    files: &[PathBuf],
) -> (tempfile::TempDir, ImportReport, BTreeMap<&'static str, u64>) {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let report = import::run(&request(from, &a, files)).unwrap();
    import::run(&request(from, &b, files)).unwrap();
    for file in ["run.json", "journal-000001.pma"] {
        assert!(fs::read(a.join(file)).unwrap() == fs::read(b.join(file)).unwrap());
    }
    let names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
    let counts = census(&a);
    assert_eq!(counts.values().sum::<u64>(), report.events);
    (dir, report, counts)
}

#[test]
fn explore() {
    for (f, p) in [
        (Format::PolymarketMarket, "polymarket/ws_raw_btc5m_20260421"),
        (Format::L2Snapshots, "polymarket/l2_btc15m_20260928"),
        (Format::ChainlinkMarkets, "aligned/btc5m_20260724_chainlink"),
        (Format::BinanceStream, "binance/ws_raw_spot"),
        (Format::BinanceStream, "binance/ws_raw_usdm"),
        (Format::BinanceStream, "binance/cryptofeed"),
        (Format::AlignedLadder, "aligned/btc5m_202607_binance_ladder"),
        (Format::PolymarketBook, "polymarket/ws_book_btc5m_20260416"),
    ] {
        let t = std::time::Instant::now();
        let (_d, mut r, c) = import_recording(f, &[recording("x", p).unwrap()]);
        r.refused.truncate(4);
        println!("{f} {p} {:?}\n{r:?}\n{c:?}", t.elapsed());
        for r in r.refused {
            println!("   {r}");
        }
    }
}
