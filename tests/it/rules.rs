//! Rules of venues from the outside: what is in force on a day, files of a user's own, and recordings
//! that get the rules of their day.
#![allow(clippy::unwrap_used)]

use crate::support::{json, recordings, rules, run, stdout, strategies};
use axum::routing::get;
use axum::{Json, Router};
use pm_arb::agent::AgentContext;
use pm_arb::catalog::SharedCatalog;
use pm_arb::clock::Clock;
use pm_arb::input::{self, Input};
use pm_arb::journal::JournalReader;
use pm_arb::venue::polymarket::{self, PolymarketConfig};
use pm_arb_core::event::Event;
use pm_arb_core::ids::Nanos;
use pm_arb_core::market::{FeeSchedule, MarketSpec, SettlementRule};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Price, Qty};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// A snapshot of one second, for any market.
const BOOK: &str =
    r#"{"ts":MS,"side":"UP","bid_px":[0.49],"bid_sz":[50.0],"ask_px":[0.5],"ask_sz":[50.0]}"#;

/// What an import of one book of that window lists, with these files of rules.
fn listed(window: &str, start_secs: u64, rules: &[&Path]) -> MarketSpec {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(format!("{window}-{start_secs}.jsonl"));
    fs::write(&file, BOOK.replace("MS", &format!("{start_secs}500"))).unwrap();
    let out = dir.path().join("run");
    let mut args = vec![
        "import",
        "--from",
        "l2-snapshots",
        "--out",
        out.to_str().unwrap(),
    ];
    for path in rules {
        args.extend(["--rules", path.to_str().unwrap()]);
    }
    args.push(file.to_str().unwrap());
    stdout(&run(&args));
    specs(&out).remove(0)
}

fn specs(run: &Path) -> Vec<MarketSpec> {
    let mut journal = JournalReader::open(run).unwrap();
    let mut all = Vec::new();
    while let Some(record) = journal.next().unwrap() {
        if let Event::MarketListed(spec) = &record.event {
            all.push(spec.as_ref().clone());
        }
    }
    all
}

/// Inputs that a run says were refused.
fn refusals(run: &Path) -> Vec<Reason> {
    let mut journal = JournalReader::open(run).unwrap();
    let mut all = Vec::new();
    while let Some(record) = journal.next().unwrap() {
        if let Event::Refused { reason, .. } = record.event {
            all.push(reason);
        }
    }
    all
}

#[test]
fn recordings_get_the_rules_of_their_day() {
    let five = Some(Qty(5_000_000));
    for (window, start, fee, rule, delay_ms, mean) in [
        (
            "btc-updown-15m",
            1_766_707_200,
            FeeSchedule::Free, // 2025-12-26
            "rulebook: polymarket crypto taker fee from 1970-01-01",
            500,
            0,
        ),
        (
            "btc-updown-5m",
            1_776_808_200,
            FeeSchedule::polymarket(72_000), // 2026-04-21
            "rulebook: polymarket crypto taker fee from 2026-04-01",
            0,
            0,
        ),
        (
            "btc-updown-5m",
            1_784_851_200,
            FeeSchedule::polymarket(70_000), // 2026-07-24
            "rulebook: polymarket crypto taker fee from 2026-05-11",
            250,
            0,
        ),
        (
            "btc-updown-15m",
            1_790_586_000,
            FeeSchedule::polymarket(70_000), // 2026-09-28
            "rulebook: polymarket crypto taker fee from 2026-05-11",
            250,
            60,
        ),
        (
            "btc-updown-5m",
            1_777_291_200,
            FeeSchedule::Unknown, // 2026-04-27
            "rulebook: polymarket crypto taker fee unknown from 2026-04-27",
            0,
            0,
        ),
    ] {
        let spec = listed(window, start, &[]);
        assert_eq!((spec.fee, &*spec.fee_rule), (fee, rule), "{start}");
        assert_eq!(spec.maker_fee, FeeSchedule::Free);
        assert_eq!(spec.taker_delay, Some(Nanos::from_ms(delay_ms)), "{start}");
        assert_eq!((spec.tick, spec.min_qty), (Some(Price(10_000)), five));
        let found = match spec.settlement {
            SettlementRule::UpDownTwap { lookback_secs, .. } => lookback_secs,
            SettlementRule::UpDown { .. } => 0,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, mean, "{start}");
    }
    // Long before any row about sizes: unknown, and no default.
    let spec = listed("btc-updown-15m", 1_735_689_600, &[]);
    assert_eq!((spec.tick, spec.min_qty), (None, None));
}

fn written(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn fee_row(from: &str, rate: &str) -> String {
    format!(
        "schema = 1\n[[taker_fee]]\nvenue = \"polymarket\"\nfamily = \"crypto\"\nfrom = {from}\n\
         formula = \"quadratic\"\nrate = \"{rate}\"\ndecimals = 5\nrounding = \"down\"\n\
         source = \"a letter from the venue\"\n"
    )
}

#[test]
fn a_file_of_ones_own_changes_an_import_and_the_later_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let first = written(dir.path(), "first.toml", &fee_row("2026-04-27", "0.071"));
    let second = written(dir.path(), "second.toml", &fee_row("2026-04-27", "0.0715"));
    let day = 1_777_291_200; // 2026-04-27
    let fee = |files: &[&Path]| {
        let spec = listed("btc-updown-5m", day, files);
        (spec.fee, spec.fee_rule)
    };
    let (fee_1, rule) = fee(&[&first]);
    assert_eq!(fee_1, FeeSchedule::polymarket(71_000));
    assert!(
        rule.contains("first.toml: polymarket crypto taker fee from 2026-04-27"),
        "{rule}"
    );
    assert_eq!(fee(&[&first, &second]).0, FeeSchedule::polymarket(71_500));
    assert_eq!(fee(&[&second, &first]).0, FeeSchedule::polymarket(71_000));
    assert_eq!(fee(&[]).0, FeeSchedule::Unknown);

    // With other rules it is another run; with the same ones the same.
    let recording = written(
        dir.path(),
        "btc-updown-5m-1777291200.jsonl",
        &BOOK.replace("MS", "1777291200500"),
    );
    let id = |name: &str, rules: &[&str]| {
        let out = dir.path().join(name);
        let import = [
            "import",
            "--from",
            "l2-snapshots",
            "--out",
            out.to_str().unwrap(),
        ];
        let recording = [recording.to_str().unwrap()];
        stdout(&run(&[&import[..], rules, &recording[..]].concat()));
        fs::read_to_string(out.join("run.json")).unwrap()
    };
    let own = ["--rules", first.to_str().unwrap()];
    assert_ne!(id("a", &[]), id("b", &own));
    assert_eq!(id("c", &own), id("d", &own));

    // The same by the settings, and in the table of that day.
    let config = written(
        dir.path(),
        "pm-arb.toml",
        &format!("[rules]\nfiles = [{:?}]\n", first.to_str().unwrap()),
    );
    let at = ["rules", "--at", "2026-04-28", "--venue", "polymarket"];
    let args = [&at[..], &["--config", config.to_str().unwrap(), "--json"]].concat();
    let answer = json(&run(&args));
    let row = |answer: &serde_json::Value| {
        let rows = answer["rules"].as_array().unwrap().clone();
        let fees =
            |r: &serde_json::Value| r["rule"] == "taker fee" && r["subject"] == "polymarket crypto";
        rows.into_iter().find(fees).unwrap()
    };
    assert_eq!(answer["at"], "2026-04-28");
    assert_eq!(row(&answer)["from"], "2026-04-27");
    assert_eq!(row(&answer)["source"], "a letter from the venue");
    assert_eq!(row(&answer)["file"].as_str(), first.to_str());
    let plain = json(&run(&[&at[..], &["--json"]].concat()));
    assert!(row(&plain)["says"].is_null() && row(&plain)["file"].is_null());
    let rows = plain["rules"].as_array().unwrap();
    assert!(
        rows.iter()
            .all(|r| r["subject"].as_str().unwrap().starts_with("polymarket"))
    );
    let table = stdout(&run(&at));
    assert!(
        table.contains("rules in force on 2026-04-28") && table.contains("unknown"),
        "{table}"
    );
}

#[test]
fn files_that_are_no_rules_are_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    let bad = written(
        dir.path(),
        "bad.toml",
        &fee_row("2026-04-27", "0.071").replace("rounding", "ronding"),
    );
    let recording = written(dir.path(), "btc-updown-5m-1777291200.jsonl", BOOK);
    let out = dir.path().join("run");
    let (bad, out) = (bad.to_str().unwrap(), out.to_str().unwrap());
    let config = written(
        dir.path(),
        "pm-arb.toml",
        &format!("[rules]\nfiles = [{bad:?}]\n"),
    );
    let config = config.to_str().unwrap();
    let data = dir.path().join("data");
    let wasm = strategies().join("oracle-sniper.wasm");
    for args in [
        vec!["rules", "--rules", bad],
        vec!["rules", "--config", config],
        vec![
            "import",
            "--from",
            "l2-snapshots",
            "--out",
            out,
            "--rules",
            bad,
            recording.to_str().unwrap(),
        ],
        vec![
            "pilot",
            "--strategies",
            wasm.to_str().unwrap(),
            "--for",
            "1s",
            "--rules",
            bad,
            "--data-dir",
            data.to_str().unwrap(),
        ],
    ] {
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{args:?}\n{said}");
        assert!(said.contains("bad.toml:2: [[taker_fee]] row 1"), "{said}");
        assert!(said.contains("unknown field `ronding`"), "{said}");
    }
    let output = run(&["rules", "--rules", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(78));
    let output = run(&["rules", "--at", "yesterday"]);
    assert_eq!(output.status.code(), Some(2));
}

/// From the rule file to the refused order: nothing is assumed where the file says that nobody knows.
#[test]
fn an_unknown_delay_refuses_every_order_of_a_recording() {
    let test = "an_unknown_delay_refuses_every_order_of_a_recording";
    let Some(data) = recordings(test) else {
        return;
    };
    let files = data.join("aligned/btc5m_202607_binance_ladder");
    let dir = tempfile::tempdir().unwrap();
    let unknown = |table: &str| {
        let text = format!(
            "schema = 1\n[[{table}]]\nvenue = \"polymarket\"\nfamily = \"crypto\"\n\
             from = 2026-07-01\nunknown = true\nsource = \"a test\"\n"
        );
        written(dir.path(), &format!("{table}.toml"), &text)
    };
    let traded = |name: &str, rules: Option<PathBuf>| {
        let out = dir.path().join(name);
        let mut args = vec![
            "import",
            "--from",
            "aligned-ladder",
            "--out",
            out.to_str().unwrap(),
        ];
        if let Some(rules) = &rules {
            args.extend(["--rules", rules.to_str().unwrap()]);
        }
        args.push(files.to_str().unwrap());
        stdout(&run(&args));
        let wasm = strategies();
        let replay = [
            "replay",
            out.to_str().unwrap(),
            "--strategies",
            wasm.to_str().unwrap(),
            "--json",
        ];
        let said = json(&run(&replay));
        ["intents", "denied", "fills"].map(|key| said[key].as_u64().unwrap())
    };
    let [intents, denied, fills] = traded("known", None);
    assert!(fills > 0 && denied < intents);
    for table in ["taker_delay", "minimum", "tick"] {
        let [intents, denied, fills] = traded(table, Some(unknown(table)));
        assert!(intents > 0, "{table}");
        assert_eq!((denied, fills), (intents, 0), "{table}");
    }
}

/// A market object whose fields agree, or not.
fn object(tick: f64) -> serde_json::Value {
    serde_json::json!({
        "slug": "will-it", "conditionId": "0x1", "outcomes": "[\"Yes\", \"No\"]",
        "clobTokenIds": "[\"1\", \"2\"]", "orderPriceMinTickSize": tick, "orderMinSize": 5,
        "endDate": "2027-12-01T00:00:00Z", "feesEnabled": false, "active": true, "closed": false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradictory_market_is_counted_once_and_listed_when_it_is_right() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let events = get(move || {
        // A tick of three cents, three times; then the venue has mended it.
        let n = count.fetch_add(1, Ordering::SeqCst);
        let market = object(if n < 3 { 0.03 } else { 0.01 });
        async move { Json(serde_json::json!([{"slug": "ev", "markets": [market]}])) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let _ = axum::serve(listener, Router::new().route("/events", events)).await;
    });
    let (stop, stopping) = watch::channel(false);
    let (sender, mut inbox) = input::channel();
    let cfg = PolymarketConfig {
        gamma_url: url.clone(),
        ws_url: url.replace("http", "ws"),
        series: Vec::new(),
        events: vec!["ev".to_owned()],
        ..PolymarketConfig::default()
    };
    let clock = Clock::at(Clock::utc().now(), 50.0);
    let catalog = SharedCatalog::default();
    let ctx = AgentContext::new(stopping);
    let agent = tokio::spawn(polymarket::run(ctx, cfg, catalog, clock, sender, rules()));
    let mut refused = Vec::new();
    let spec = loop {
        let next = tokio::time::timeout(Duration::from_secs(60), inbox.recv()).await;
        let Some(Input::Feed { events, .. }) = next.expect("the market is never listed") else {
            panic!("the watcher ended");
        };
        let mut listed = None;
        for event in events {
            match event {
                Event::Refused { reason, .. } => refused.push(reason),
                Event::MarketListed(spec) => listed = Some(spec),
                _ => {}
            }
        }
        if let Some(spec) = listed {
            break spec;
        }
    };
    assert_eq!(refused, [Reason::ContradictoryMarket]);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert_eq!(spec.tick, Some(Price(10_000)));
    assert_eq!(spec.fee_rule, "the market's feesEnabled = false");
    stop.send_replace(true);
    agent.await.unwrap().unwrap();
}

#[test]
fn a_contradictory_market_of_a_recording_is_told_by_its_run() {
    let dir = tempfile::tempdir().unwrap();
    let frame = r#"{"capturedAt":1776808414,"payload":{"market":"0x1","asset_id":"1","timestamp":"1776808414710","bids":[{"price":"0.48","size":"5"}],"asks":[],"event_type":"book"}}"#;
    written(dir.path(), "frames.jsonl", &format!("{frame}\n"));
    let mut twin = object(0.03);
    twin["conditionId"] = "0x2".into();
    let markets = serde_json::json!([object(0.01), twin]);
    let markets = serde_json::to_string_pretty(&markets).unwrap();
    written(dir.path(), "markets.json", &markets);
    let out = dir.path().join("run");
    let (to, from) = (out.to_str().unwrap(), dir.path().to_str().unwrap());
    let output = run(&["import", "--from", "polymarket-market", "--out", to, from]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("orderPriceMinTickSize = 0.03 does not divide a dollar"),
        "{said}"
    );
    assert_eq!(refusals(&out), [Reason::ContradictoryMarket]);
    let told = stdout(&run(&["replay", to]));
    assert!(told.contains("CONTRADICTORY_MARKET"), "{told}");
    // Its end lies in December 2027; the rules are those of the day of its first frame.
    let spec = specs(&out).remove(0);
    assert_eq!(spec.taker_delay, Some(Nanos(0)));
}

#[test]
fn a_recorder_that_contradicts_the_slug_is_told_by_its_run() {
    let dir = tempfile::tempdir().unwrap();
    let book = BOOK.replace("MS", "1777291200500");
    written(dir.path(), "btc-updown-5m-1777291200.jsonl", &book);
    let market = r#"{"market_id":"0x1","slug":"btc-updown-5m-1777291200","start_ts":1777291200000,"end_ts":1777291260000}"#;
    written(dir.path(), "markets.jsonl", market);
    let out = dir.path().join("run");
    let (to, from) = (out.to_str().unwrap(), dir.path().to_str().unwrap());
    stdout(&run(&[
        "import",
        "--from",
        "l2-snapshots",
        "--out",
        to,
        from,
    ]));
    assert_eq!(refusals(&out), [Reason::ContradictoryMarket]);
    assert_eq!(specs(&out).len(), 1);
}
