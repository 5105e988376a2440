//! Trading on real recordings: fills, settlement by the recorded winner, and the same again.
#![allow(clippy::unwrap_used)]

use crate::support::{json, recordings, run, stdout, strategies};
use pm_arb::journal::JournalReader;
use pm_arb::plugin::{Limits, LoaderInput, PluginHost, Preparer, Sources, Tracker};
use pm_arb::replay::{self, Cast};
use pm_arb_core::effect::{Effect, TradeRecord, TradeStatus, TradeUpdate};
use pm_arb_core::event::Event;
use pm_arb_core::ids::MarketId;
use pm_arb_core::units::{Price, Usd};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every recording that can be imported: its format, and where it is. Of the largest ones, which hold
/// the same kind of market again and again, some files.
pub const RECORDINGS: [(&str, &[&str]); 10] = [
    (
        "polymarket-book",
        &["polymarket/ws_book_btc5m_20260416/btc-updown-5m-1776329100.jsonl.gz"],
    ),
    ("polymarket-market", &["polymarket/ws_raw_btc5m_20260421"]),
    ("l2-snapshots", &["polymarket/l2_btc15m_20260928"]),
    ("chainlink-markets", &["aligned/btc5m_20260724_chainlink"]),
    (
        "binance-stream",
        &["binance/ws_raw_spot", "binance/ws_raw_usdm"],
    ),
    ("aligned-ladder", &["aligned/btc5m_202607_binance_ladder"]),
    ("top-of-book", &["polymarket/top_btc15m_1hz"]),
    (
        "kalshi-frames",
        &[
            "kalshi/ws_gold15m_202608/KXGOLD15M-26AUG101930-30__2026-08-10.ndjson.gz",
            "kalshi/ws_gold15m_202608/MARKETS.csv",
            "kalshi/ws_gold15m_202608/metadata",
        ],
    ),
    ("chainlink-text", &["aligned/btc5m_202607_1hz_text"]),
    ("polymarket-events", &["polymarket/ws_events_mlb_2025"]),
];

/// Imports a recording into a folder of its own.
pub fn imported(format: &str, files: &[PathBuf]) -> (tempfile::TempDir, PathBuf) {
    imported_by(format, files, "schema = 1\n")
}

/// The same, with rules of the test's own for what a recording leaves open.
pub fn imported_by(format: &str, files: &[PathBuf], rules: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let own = dir.path().join("rules.toml");
    std::fs::write(&own, rules).unwrap();
    let own = own.to_str().unwrap();
    let mut args = vec!["import", "--from", format, "--rules", own];
    args.extend(["--out", out.to_str().unwrap()]);
    args.extend(files.iter().map(|file| file.to_str().unwrap()));
    stdout(&run(&args));
    (dir, out)
}

/// What a process of its own says of trading a run with these strategies.
fn replayed(out: &Path, strategies: &Path) -> serde_json::Value {
    json(&run(&[
        "replay",
        out.to_str().unwrap(),
        "--strategies",
        strategies.to_str().unwrap(),
        "--json",
    ]))
}

/// Trades with fills and what became of them, in this process.
fn trades(out: &Path, strategy: &Path) -> (Vec<TradeRecord>, Vec<TradeUpdate>, String) {
    let host = PluginHost::new(Limits::default()).unwrap();
    let sources = Sources::parse(&[strategy.to_str().unwrap()]).unwrap();
    let preparer = Preparer::new(host.clone(), BTreeMap::new());
    let inputs = Tracker::new(sources, preparer).scan();
    let cast = inputs.into_iter().map(|input| match input {
        LoaderInput::Ready(candidate) => *candidate,
        other => panic!("{other:?}"),
    });
    let (mut filled, mut updates) = (Vec::new(), Vec::new());
    let mut each = |_, effect: &Effect| match effect {
        Effect::RecordTrade(trade) if trade.qty.0 > 0 => filled.push(trade.as_ref().clone()),
        Effect::UpdateTrade(update) => updates.push(update.clone()),
        _ => {}
    };
    let cast = Cast::Given(cast.collect());
    let (state, _) = replay::replay(out, host, None, cast, &mut each).unwrap();
    (filled, updates, state.digest.hex(&state.engine))
}

/// What the recording says each market paid.
fn payouts(out: &Path) -> BTreeMap<MarketId, Vec<Price>> {
    let mut journal = JournalReader::open(out).unwrap();
    let mut paid = BTreeMap::new();
    while let Some(record) = journal.next().unwrap() {
        if let Event::Resolved(resolution) = &record.event {
            paid.insert(resolution.market, resolution.payouts.clone());
        }
    }
    paid
}

#[test]
fn the_ladder_is_traded_and_settled_by_its_winners() {
    let Some(data) = recordings("the_ladder_is_traded_and_settled_by_its_winners") else {
        return;
    };
    let files = data.join("aligned/btc5m_202607_binance_ladder/ladder.jsonl.gz");
    let (_dir, out) = imported("aligned-ladder", &[files]);
    let sniper = strategies().join("oracle-sniper.wasm");
    let (first, second) = (replayed(&out, &sniper), replayed(&out, &sniper));
    assert_eq!(first, second, "two processes, one run");

    let (filled, updates, digest) = trades(&out, &sniper);
    assert_eq!(first["digest"], digest.as_str(), "a third one, in here");
    assert!(!filled.is_empty(), "{first}");
    assert_eq!(first["fills"], filled.len());
    let paid = payouts(&out);
    let mut listed = BTreeMap::new();
    let mut journal = JournalReader::open(&out).unwrap();
    while let Some(record) = journal.next().unwrap() {
        if let Event::MarketListed(spec) = &record.event {
            listed.insert(spec.id, spec.as_ref().clone());
        }
    }
    let (mut pnl, mut cost, mut fees, mut won) = (0, 0, 0, 0);
    for trade in &filled {
        let end = updates.iter().rfind(|u| u.id == trade.id).unwrap();
        assert_eq!(end.status, TradeStatus::Resolved, "{trade:?}");
        let outcomes = &listed[&trade.market].outcomes;
        let held = outcomes
            .iter()
            .position(|o| o.instrument == trade.instrument);
        let payout = paid[&trade.market][held.unwrap()];
        assert_eq!(end.exit_price, payout, "{trade:?} {end:?}");
        pnl += end.realized_pnl.0;
        cost += trade.cost.0;
        fees += trade.fees.0;
        won += usize::from(payout == Price::DOLLAR);
    }
    assert_eq!(first["settled"], filled.len());
    println!(
        "ladder: {} fills in {} markets, {won} won, cost {}, fees {}, pnl {}",
        filled.len(),
        filled
            .iter()
            .map(|t| t.market)
            .collect::<BTreeSet<_>>()
            .len(),
        Usd(cost),
        Usd(fees),
        Usd(pnl),
    );
}

/// Whether these have a fill depends on what they recorded: it is said, not demanded.
#[test]
fn every_recording_can_be_traded() {
    let Some(data) = recordings("every_recording_can_be_traded") else {
        return;
    };
    for (format, names) in RECORDINGS {
        let files: Vec<_> = names.iter().map(|name| data.join(name)).collect();
        let (_dir, out) = imported(format, &files);
        let said = replayed(&out, &strategies());
        let count = |key: &str| said[key].as_u64().unwrap();
        assert!(count("events") > 0 && count("settled") <= count("fills"));
        println!(
            "{format}: {} events, {} intents, {} denied, {} fills, {} settled",
            count("events"),
            count("intents"),
            count("denied"),
            count("fills"),
            count("settled")
        );
    }
}
