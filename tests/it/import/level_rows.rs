//! Recordings of Kalshi's frames, of level rows and of text: bad lines are named, the rest is whole.

use super::{census, records, request};
use pm_arb::import::{self, Format};
use pm_arb_core::event::Event;
use std::fs;

/// Numbers of a subscription jump inside one market's file; a number that comes twice is one message.
/// A level that falls below zero makes the book unknown until its next snapshot.
#[test]
fn frames_of_kalshi_may_jump_but_not_repeat() {
    let dir = tempfile::tempdir().unwrap();
    let frame = |ms: u64, seq: u64, kind: &str, msg: &str| {
        format!(
            r#"{{"recv_ms":{ms},"event":{{"type":"{kind}","sid":1,"seq":{seq},"msg":{{"market_ticker":"KXA-1-00",{msg}}}}}}}"#
        )
    };
    let book = r#""yes_dollars_fp":[["0.4000","5.00"]],"no_dollars_fp":[["0.5000","5.00"]]"#;
    let delta = |size: &str| {
        format!(
            r#""price_dollars":"0.4000","delta_fp":"{size}","side":"yes","ts_ms":1785901541000"#
        )
    };
    let text = [
        frame(1_785_901_540_000, 10, "orderbook_snapshot", book),
        frame(1_785_901_541_000, 17, "orderbook_delta", &delta("2.00")),
        frame(1_785_901_541_000, 17, "orderbook_delta", &delta("2.00")),
        frame(1_785_901_542_000, 20, "orderbook_delta", &delta("-8.00")),
        frame(1_785_901_543_000, 21, "orderbook_delta", &delta("1.00")),
        r#"{"recv_ms":1785901544000,"event":7}"#.to_owned(),
        frame(1_785_901_700_000, 30, "orderbook_snapshot", book),
    ];
    fs::write(dir.path().join("frames.ndjson"), text.join("\n")).unwrap();
    let out = dir.path().join("run");
    let wanted = request(Format::KalshiFrames, &out, &[dir.path().to_owned()]);
    let error = import::run(&wanted).unwrap_err();
    assert!(error.to_string().contains("repeats message 17"), "{error}");

    let markets = "window,open_time,close_time,strike_type,floor_strike,status,result,settlement_ts,price_level_structure\n\
         KXA-1-00,2026-08-05T03:45:00Z,2026-08-05T04:00:00Z,greater_or_equal,4128.56,finalized,no,2026-08-05T04:00:04Z,linear_cent\n\
         KXA-1-00,2026-08-05T03:45:00Z,2026-08-05T04:00:00Z,greater_or_equal,4128.56,finalized,yes,2026-08-05T04:00:04Z,linear_cent\n";
    fs::write(dir.path().join("MARKETS.csv"), markets).unwrap();
    let report = import::run(&wanted).unwrap();
    let why: Vec<_> = report.refused.iter().map(|r| (r.line, &r.why)).collect();
    assert_eq!(
        why.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [3, 3, 6, 4],
        "{why:?}"
    );
    assert!(why[0].1.contains("described before"), "{why:?}");
    assert!(why[3].1.contains("takes more"), "{why:?}");
    let found = census(&out);
    assert_eq!((found["snapshot"], found["level"], found["gap"]), (4, 2, 2));
    assert_eq!((found["resolved"], report.unused), (1, 1));
}

/// Rows of one token, type, hash and time are one message; a book holds a level once.
#[test]
fn rows_of_levels_become_messages() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.csv");
    let row = |token: &str, kind: &str, price: &str, side: &str, size: &str, ms: u64| {
        format!("mlb-a-b-2025-06-17,{token},1,{kind},{price},{side},{size},h{ms},{ms}")
    };
    let at = 1_750_209_622_594;
    let text = [
        "market_slug,asset_id,market_id,event_type,price,side,size,hash,timestamp".to_owned(),
        row("77", "book", "0.6", "ask", "5.0", at),
        row("77", "book", "0.4", "bid", "7.0", at),
        row("77", "book", "0.4", "bid", "7.0", at),
        row("78", "book", "0.4", "SELL", "5.0", at),
        row("77", "price_change", "0.4", "BUY", "0", at + 1),
        row("77", "price_change", "0.6", "ask", "nan", at + 2),
        row("79", "price_change", "0.6", "ask", "1", at + 2),
        row("77", "trade", "0.6", "ask", "1", at + 200_000),
        row("77", "price_change", "0.6", "ask", "1", at + 200_000),
        "mlb-a-b-2025-06-17,77".to_owned(),
    ];
    fs::write(&file, text.join("\n")).unwrap();
    let out = dir.path().join("run");
    let report = import::run(&request(Format::PolymarketEvents, &out, &[file])).unwrap();
    let lines: Vec<_> = report.refused.iter().map(|r| r.line).collect();
    assert_eq!(lines, [4, 7, 8, 9, 11], "{:?}", report.refused);
    let found = census(&out);
    assert_eq!(
        (found["snapshot"], found["level"], found["listed"]),
        (2, 2, 1)
    );
    let silent = &report.notes[1];
    assert!(
        silent.contains("1 times, the longest for 199 seconds"),
        "{silent}"
    );
}

/// A value belongs to the second its row names; what the recorder warns of stands with the outcome.
#[test]
fn text_of_a_market_gives_its_values_and_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("btc5m.txt");
    let text = "header:\n  market_start_ts: 1783376400 (2026-07-06)\n  market_end_ts: 1783376700 (x)\n\
        \x20 price_to_beat: 64325.99\n  outcome: Down\n  final_chainlink: 64241.62\n  warnings:\n\
        \x20   - outcome provisional\n\ndata:\nsec   time  quote\n-----\n\
        300   5:00  DOWN  51c    +5$  gain= 81.7%  btc=  64331.12\n\
        299   4:58  DOWN  51c    +5$  gain= 81.7%  btc=  64331.12\n\
        301   5:01  DOWN  51c    +5$  gain= 81.7%  btc=  64331.12\n\
        \x20 5   0:05  DOWN ---    -86$  gain=   ---  btc=\n\
        \x20 4   0:04  DOWN ---    -84$  gain=   ---  btc=  64241.75\n";
    fs::write(&file, text).unwrap();
    let out = dir.path().join("run");
    let report = import::run(&request(Format::ChainlinkText, &out, &[file])).unwrap();
    let lines: Vec<_> = report.refused.iter().map(|r| r.line).collect();
    assert_eq!(lines, [14, 15, 16], "{:?}", report.refused);
    let (mut ticks, mut told) = (Vec::new(), Vec::new());
    for record in records(&out) {
        match record.event {
            Event::OracleTick(tick) => ticks.push((record.at.secs(), tick.price.to_string())),
            Event::Resolved(resolution) => told.push(resolution.evidence),
            _ => {}
        }
    }
    let expected = [
        (1_783_376_400, "64331.12"),
        (1_783_376_696, "64241.75"),
        (1_783_376_700, "64241.62"),
    ];
    assert_eq!(ticks, expected.map(|(at, value)| (at, value.to_owned())));
    assert!(
        told.len() == 1 && told[0].ends_with("the recorder warns: outcome provisional"),
        "{told:?}"
    );
}
