//! Importing: the real recordings with their real counts. Lines no recording should have: `bad_input`.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod level_rows;

use crate::support::rules;
use pm_arb::import::{self, Format, ImportReport, ImportRequest};
use pm_arb::journal::JournalReader;
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{Nanos, OracleId, Seq, Timestamp};
use pm_arb_core::market::{FeeSchedule, SettlementRule};
use pm_arb_core::market_data::{MarketData, Touched};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::Qty;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::slice::from_ref;

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
            Event::Candle(candle) => {
                assert!(candle.oracle.0 < oracles, "its oracle is listed");
                "candle"
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
        rules: rules(),
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

fn counts(expected: &[(&'static str, u64)]) -> BTreeMap<&'static str, u64> {
    expected.iter().copied().collect()
}

fn gz_lines(path: &Path) -> Vec<String> {
    let file = fs::File::open(path).unwrap();
    BufReader::new(flate2::read::MultiGzDecoder::new(file))
        .lines()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn raw_market_channel_frames_become_a_journal() {
    let test = "raw_market_channel_frames_become_a_journal";
    let Some(path) = recording(test, "polymarket/ws_raw_btc5m_20260421") else {
        return;
    };
    let (dir, report, found) = import_recording(Format::PolymarketMarket, &[path]);
    // 5,185 price changes of two entries, 144 books, 71 trades; 144 best_bid_ask carry nothing new.
    let expected = [
        ("configured", 1),
        ("oracle listed", 1),
        ("listed", 2),
        ("level", 10_370),
        ("snapshot", 144),
        ("print", 71),
    ];
    assert_eq!(found, counts(&expected));
    assert_eq!((report.unused, report.refused_count), (144, 0));
    let markets: Vec<_> = records(&dir.path().join("a"))
        .into_iter()
        .filter_map(|r| match r.event {
            Event::MarketListed(spec) => Some(spec),
            _ => None,
        })
        .collect();
    let up = &markets[0].outcomes[0];
    assert_eq!(markets[0].slug, "btc-updown-5m-1776808200");
    assert_eq!(up.name, "Up");
    assert!(
        up.native_id
            .starts_with("45936375922793925919605092352922707796")
    );
    assert_eq!(markets[0].closes_at, Timestamp::from_secs(1_776_808_500));
    assert_eq!(markets[0].min_qty, Some(Qty(5_000_000)));
}

#[test]
fn raw_books_prove_the_finer_grid_that_nobody_announced() {
    let test = "raw_books_prove_the_finer_grid_that_nobody_announced";
    let folder = "polymarket/ws_book_btc5m_20260416";
    let Some(folder) = recording(test, folder) else {
        return;
    };
    // In the last 39 frames of this market the grid is 0.001, which only their hashes tell.
    let file = folder.join("btc-updown-5m-1776329100.jsonl.gz");
    let (dir, report, found) = import_recording(Format::PolymarketBook, &[file]);
    let expected = [
        ("configured", 1),
        ("listed", 1),
        ("snapshot", 1_974),
        ("tick size", 2),
    ];
    assert_eq!(found, counts(&expected));
    assert_eq!(report.refused_count, 0, "{:?}", report.refused.first());
    let all = records(&dir.path().join("a"));
    let Event::MarketListed(spec) = &all[1].event else {
        panic!("{:?}", all[1]);
    };
    // Nothing says which token this is, so nothing is claimed.
    assert_eq!(spec.settlement, SettlementRule::VenueOnly);
    assert_eq!(spec.outcomes[0].name, "first token");
    assert_eq!(
        spec.outcomes[1].native_id,
        format!("{}:other", spec.native_id)
    );
    let at = all
        .iter()
        .position(|r| matches!(r.event, Event::TickSize { .. }));
    let at = at.unwrap();
    assert_eq!(at, 2 + 1_935, "before the 1,936th frame");
    assert_eq!(all[at].at.0 / 1_000_000_000, 1_776_329_382);
}

#[test]
fn l2_snapshots_keep_every_level() {
    let test = "l2_snapshots_keep_every_level";
    let Some(path) = recording(test, "polymarket/l2_btc15m_20260928") else {
        return;
    };
    let (dir, report, found) = import_recording(Format::L2Snapshots, from_ref(&path));
    let expected = [
        ("configured", 1),
        ("oracle listed", 1),
        ("listed", 12),
        ("snapshot", 25_353),
        // Nine markets reach prices between the cents; both of their books change their grid.
        ("tick size", 18),
        ("resolved", 12),
    ];
    assert_eq!(found, counts(&expected));
    assert_eq!(report.refused_count, 0);

    // The same, read by another route: one market, in file order, through floats and back.
    let file = path.join("btc-updown-15m-1790586000.jsonl.gz");
    let dir_of_one = tempfile::tempdir().unwrap();
    let run = dir_of_one.path().join("run");
    import::run(&request(Format::L2Snapshots, &run, from_ref(&file))).unwrap();
    let mut books = records(&run).into_iter().filter_map(|r| match r.event {
        Event::Snapshot(book) => Some((r.at, book)),
        _ => None,
    });
    let micro = |v: &serde_json::Value| (v.as_f64().unwrap() * 1e6).round() as i64;
    for line in gz_lines(&file) {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let (at, book) = books.next().unwrap();
        assert_eq!(at.0, line["ts"].as_u64().unwrap() * 1_000_000);
        assert_eq!(book.instrument.0, u32::from(line["side"] == "DOWN"));
        for (side, px, sz) in [
            (&book.bids, "bid_px", "bid_sz"),
            (&book.asks, "ask_px", "ask_sz"),
        ] {
            let (px, sz) = (line[px].as_array().unwrap(), line[sz].as_array().unwrap());
            assert_eq!(side.len(), px.len());
            for ((price, qty), (p, s)) in side.iter().zip(px.iter().zip(sz)) {
                assert_eq!(price.0, micro(p));
                // Float noise is cut, not rounded.
                assert!((micro(s) - 1..=micro(s)).contains(&qty.0), "{qty} for {s}");
            }
        }
    }
    assert!(books.next().is_none());

    let all = records(&dir.path().join("a"));
    let paid: Vec<_> = all
        .iter()
        .filter_map(|r| match &r.event {
            Event::Resolved(resolution) => Some(resolution.payouts[0].0),
            _ => None,
        })
        .collect();
    assert_eq!(paid.len(), 12);
    assert!(paid.contains(&0) && paid.contains(&1_000_000));
}

#[test]
fn chainlink_ticks_are_exact_and_outcomes_come_when_they_were_known() {
    let test = "chainlink_ticks_are_exact_and_outcomes_come_when_they_were_known";
    let Some(path) = recording(test, "aligned/btc5m_20260724_chainlink") else {
        return;
    };
    let (dir, report, found) = import_recording(Format::ChainlinkMarkets, from_ref(&path));
    let expected = [
        ("configured", 1),
        ("oracle listed", 1),
        ("listed", 193),
        ("tick", 51_802),
        ("resolved", 193),
    ];
    assert_eq!(found, counts(&expected));
    assert_eq!(report.refused_count, 0);
    assert_eq!(report.left_out, [path.join("manifest.json")]);

    let all = records(&dir.path().join("a"));
    let mut ticks: Vec<_> = gz_lines(&path.join("chainlink_btcusd_h00-16.csv.gz"))
        .iter()
        .skip(1)
        .map(|line| {
            let fields: Vec<i128> = line.split(',').map(|f| f.parse().unwrap_or(0)).collect();
            (fields[4], fields[0], fields[2])
        })
        .collect();
    ticks.sort_by_key(|(recv, ..)| *recv);
    let ms = 1_000_000;
    let found: Vec<_> = all
        .iter()
        .filter_map(|r| match &r.event {
            Event::OracleTick(t) => {
                let (at, source) = (i128::from(r.at.0), i128::from(t.source_time.0));
                Some((at / ms, source / ms, t.price.0))
            }
            _ => None,
        })
        .collect();
    assert!(found == ticks);

    // The first market: closed at midnight, decided 16 s later, strike kept as evidence only.
    let Event::Resolved(first) = &all
        .iter()
        .find(|r| matches!(r.event, Event::Resolved(_)))
        .unwrap()
        .event
    else {
        unreachable!();
    };
    assert_eq!(first.payouts[0].0, 1_000_000);
    assert_eq!(
        first.evidence,
        "gamma outcomePrices at closedTime; recorded strike 65026.457815"
    );
    for record in &all {
        if let Event::MarketListed(spec) = &record.event {
            assert_eq!(record.at, spec.opens_at);
            assert!(matches!(
                spec.settlement,
                SettlementRule::UpDown { strike: None, .. }
            ));
            assert_eq!(spec.fee, FeeSchedule::polymarket(70_000));
        }
    }
}

#[test]
fn binance_trades_become_oracle_values() {
    let test = "binance_trades_become_oracle_values";
    let Some(path) = recording(test, "binance/ws_raw_spot") else {
        return;
    };
    let (dir, report, found) = import_recording(Format::BinanceStream, from_ref(&path));
    let expected = [("configured", 1), ("oracle listed", 1), ("tick", 9_757)];
    assert_eq!(found, counts(&expected));
    // 3,451 depth updates and one REST answer.
    assert_eq!((report.unused, report.refused_count), (3_452, 0));

    let between = |line: &str, from: &str, to: &str| {
        let start = line.find(from).unwrap() + from.len();
        let length = line[start..].find(to).unwrap();
        line[start..start + length].to_owned()
    };
    let trades: Vec<_> = gz_lines(&path.join("btcusdt_20240808.gz"))
        .iter()
        .filter(|l| l.contains("@trade"))
        .map(|l| {
            (
                between(l, "", " "),
                between(l, "\"p\":\"", "\""),
                between(l, "\"T\":", ","),
            )
        })
        .collect();
    let all = records(&dir.path().join("a"));
    let ticks: Vec<_> = all
        .iter()
        .filter_map(|r| match &r.event {
            Event::OracleTick(t) => Some((r.at.0.to_string(), t)),
            _ => None,
        })
        .collect();
    assert_eq!(ticks.len(), trades.len());
    for ((at, tick), (recv, price, traded)) in ticks.iter().zip(&trades) {
        assert_eq!(at, recv);
        let eighths: i128 = price.replace('.', "").parse().unwrap();
        assert_eq!(tick.price.0, eighths * 10_i128.pow(10));
        assert_eq!(tick.source_time.0.to_string(), format!("{traded}000000"));
    }
    assert!(all.iter().any(|r| matches!(&r.event,
        Event::OracleListed(o) if o.source == "binance" && o.symbol == "btcusdt")));
}

#[test]
fn futures_and_cryptofeed_lines_are_streams_too() {
    let test = "futures_and_cryptofeed_lines_are_streams_too";
    let Some(usdm) = recording(test, "binance/ws_raw_usdm") else {
        return;
    };
    let (_dir, report, found) = import_recording(Format::BinanceStream, &[usdm]);
    assert_eq!(found["tick"], 21_313);
    assert_eq!(report.refused_count, 0);
    let Some(feed) = recording(test, "binance/cryptofeed") else {
        return;
    };
    let (dir, report, found) = import_recording(Format::BinanceStream, &[feed]);
    // 2 spot and 91 futures trades, and one symbol that has only a book ticker.
    assert_eq!(found["tick"], 94);
    assert_eq!(report.refused_count, 0);
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    let sources: Vec<_> = records(&dir.path().join("a"))
        .into_iter()
        .filter_map(|r| match r.event {
            Event::OracleListed(o) => Some(format!("{} {}", o.source, o.symbol)),
            _ => None,
        })
        .collect();
    // The four that were final, of the futures file; its lines before them say which market it is.
    assert_eq!(found["candle"], 4);
    let all = records(&dir.path().join("a"));
    let feed = |id: OracleId| {
        all.iter().find_map(|r| match &r.event {
            Event::OracleListed(o) if o.id == id => Some(format!("{} {}", o.source, o.symbol)),
            _ => None,
        })
    };
    let candles: Vec<_> = all
        .iter()
        .filter_map(|r| match &r.event {
            Event::Candle(c) => Some((feed(c.oracle).unwrap(), c)),
            _ => None,
        })
        .collect();
    let (name, first) = &candles[0];
    assert_eq!(name, "binance-usdm sushiusdt");
    assert!(first.spans(Timestamp::from_secs(1_626_992_700), 60));
    let prices = (first.open.to_string(), first.close.to_string());
    assert_eq!(prices, ("7.608".to_owned(), "7.617".to_owned()));
    assert!(sources.contains(&"binance-usdm sushiusdt".to_owned()));
    assert!(sources.contains(&"binance nknusdt".to_owned()));
}

#[test]
fn a_ladder_shows_only_proven_sizes() {
    let test = "a_ladder_shows_only_proven_sizes";
    let Some(path) = recording(test, "aligned/btc5m_202607_binance_ladder") else {
        return;
    };
    let file = path.join("ladder.jsonl.gz");
    let (dir, report, found) = import_recording(Format::AlignedLadder, from_ref(&file));
    assert_eq!(found["listed"], 135);
    assert_eq!(found["resolved"], 135);
    // 944 samples and 135 opening prices.
    assert_eq!(found["tick"], 944 + 135);
    assert_eq!(report.refused_count, 0);

    let all = records(&dir.path().join("a"));
    let mut books = 0;
    for record in &all {
        if let Event::Snapshot(book) = &record.event {
            books += 1;
            for (_, qty) in book.bids.iter().chain(&book.asks) {
                assert!([5_000_000, 20_000_000, 50_000_000].contains(&qty.0));
            }
        }
    }
    // Two tops a sample, less those whose best ask or bid has no proven size.
    let mut proven = 0;
    for line in gz_lines(&file) {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        for sample in line["samples"].as_array().unwrap() {
            for (own, other) in [("up", "down"), ("down", "up")] {
                let (own, other) = (&sample[own], &sample[other]);
                let shown = |top: &serde_json::Value| top["vwap5"] == top["ask"];
                let ask = own["ask"].is_null() || shown(own);
                let mirrored = match (own["bid"].as_f64(), other["ask"].as_f64()) {
                    (None, _) => true,
                    (Some(b), Some(a)) => (1.0 - a - b).abs() < 1e-9 && shown(other),
                    (Some(_), None) => false,
                };
                proven += u32::from(ask && mirrored);
            }
        }
    }
    assert_eq!(books, proven);

    // The whole folder: its other files hold windows (used) and middle prices (refused by name).
    let (_dir, report, found) = import_recording(Format::AlignedLadder, &[path]);
    assert_eq!(found["listed"], 135 + 13);
    assert_eq!(report.refused_count, 466);
    let first = &report.refused[0];
    assert!(first.file.ends_with("windows_hist.jsonl.gz"));
    assert_eq!(first.line, 1);
}

#[test]
fn tops_polled_one_by_one_are_messages_of_their_own() {
    let test = "tops_polled_one_by_one_are_messages_of_their_own";
    let Some(path) = recording(test, "polymarket/top_btc15m_1hz") else {
        return;
    };
    let (dir, report, found) = import_recording(Format::TopOfBook, &[path]);
    // 28,494 rows of two polls; prices beyond 96 c show that the grid became finer in some markets.
    let fixed = [
        ("configured", 1),
        ("oracle listed", 1),
        ("listed", 32),
        ("snapshot", 2 * 28_494),
    ];
    for (kind, n) in fixed {
        assert_eq!(found[kind], n, "{kind}");
    }
    assert_eq!((report.lines, report.refused_count), (28_495, 0));
    assert!(
        report.notes[0].contains("BTC and UTC"),
        "{:?}",
        report.notes
    );
    let mut books = 0;
    for record in records(&dir.path().join("a")) {
        match record.event {
            Event::MarketListed(spec) => {
                // The day's rules: no fee, half a second for takers, the closing second decides.
                assert_eq!(spec.fee, FeeSchedule::Free);
                assert_eq!(spec.taker_delay, Some(Nanos::from_ms(500)));
                assert!(matches!(spec.settlement, SettlementRule::UpDown { .. }));
                assert_eq!(spec.closes_at.since(spec.opens_at), Nanos::from_ms(900_000));
            }
            Event::Snapshot(book) => {
                books += 1;
                assert!(!book.more, "no two polls are one message");
                assert!(book.bids.len() <= 1 && book.asks.len() <= 1);
                assert_eq!(book.venue_time, record.at);
            }
            _ => {}
        }
    }
    assert_eq!(books, 2 * 28_494);
}

/// The core's market data takes every record of every import; what it refuses is what the recording
/// itself lacks (two level changes before the first book of their tokens).
#[test]
fn the_core_accepts_what_is_imported() {
    let test = "the_core_accepts_what_is_imported";
    for (format, name, without_book) in [
        (
            Format::PolymarketMarket,
            "polymarket/ws_raw_btc5m_20260421",
            2,
        ),
        (
            Format::PolymarketBook,
            "polymarket/ws_book_btc5m_20260416/btc-updown-5m-1776329100.jsonl.gz",
            0,
        ),
        (Format::L2Snapshots, "polymarket/l2_btc15m_20260928", 0),
        (
            Format::ChainlinkMarkets,
            "aligned/btc5m_20260724_chainlink",
            0,
        ),
        (Format::BinanceStream, "binance/ws_raw_spot", 0),
        (
            Format::AlignedLadder,
            "aligned/btc5m_202607_binance_ladder/ladder.jsonl.gz",
            0,
        ),
        (Format::TopOfBook, "polymarket/top_btc15m_1hz", 0),
    ] {
        let Some(path) = recording(test, name) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        import::run(&request(format, &run, &[path])).unwrap();
        let (mut data, mut touched) = (MarketData::default(), Touched::default());
        let mut refused = 0;
        for record in records(&run) {
            if let Err(reason) = data.apply(&record, &mut touched) {
                assert_eq!(reason, Reason::NoBook, "{record:?}");
                refused += 1;
            }
        }
        assert_eq!(refused, without_book, "{name}");
    }
}
