//! Lines, files and places no import should meet: named, refused, and nothing half-written.

use super::{census, records, request};
use flate2::Compression;
use flate2::write::GzEncoder;
use pm_arb::import::{self, Format, ImportError};
use pm_arb_core::event::Event;
use pm_arb_core::units::{Price, Qty};
use std::fs;
use std::io::Write as _;
use std::slice::from_ref;

const L2_LINE: &str = r#"{"ts":1790585112649,"side":"UP","bid_px":[0.49],"bid_sz":[5.0],"ask_px":[0.5],"ask_sz":[205.0]}"#;

#[test]
fn lines_that_do_not_parse_are_named_and_the_rest_is_imported() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("btc-updown-15m-1790586000.jsonl");
    let bad = [
        "not json".to_owned(),
        L2_LINE.replace("0.49", "1.49"),
        L2_LINE.replace("0.49", "-0.49"),
        L2_LINE.replace("0.49", "null"),
        L2_LINE.replace("[0.49]", "[0.49,0.48]"),
        L2_LINE.replace("\"UP\"", "\"LEFT\""),
        L2_LINE.replace("1790585112649", "17905"),
        L2_LINE.replace("205.0", "0"),
        L2_LINE.replace("205.0", "1e400"),
        L2_LINE.replace("\"side\"", "\"sides\""),
    ];
    let mut text = format!("{L2_LINE}\n\n");
    for line in &bad {
        text.push_str(line);
        text.push('\n');
    }
    // No end of line at the end of the file.
    text.push_str(&L2_LINE.replace("5112649", "5113649"));
    fs::write(&file, text).unwrap();
    let out = dir.path().join("run");
    let report = import::run(&request(Format::L2Snapshots, &out, from_ref(&file))).unwrap();
    assert_eq!(report.refused_count, bad.len() as u64);
    let lines: Vec<u64> = report.refused.iter().map(|r| r.line).collect();
    assert_eq!(lines, (3..3 + bad.len() as u64).collect::<Vec<_>>());
    assert!(report.refused.iter().all(|r| r.file == file));
    assert_eq!(census(&out)["snapshot"], 2);
}

#[test]
fn nothing_usable_nothing_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("junk.jsonl");
    fs::write(&file, "one\ntwo\n").unwrap();
    for format in Format::ALL {
        let out = dir.path().join("run");
        let error = import::run(&request(format, &out, from_ref(&file))).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, ImportError::NothingUsable { lines: 2, .. }),
            "{text}"
        );
        assert!(text.contains("junk.jsonl:1"), "{text}");
        assert!(!out.exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
    let missing = dir.path().join("missing.jsonl");
    let out = dir.path().join("run");
    let error = import::run(&request(Format::L2Snapshots, &out, &[missing])).unwrap_err();
    assert!(error.to_string().contains("missing.jsonl"), "{error}");
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let error = import::run(&request(Format::L2Snapshots, &out, &[empty])).unwrap_err();
    assert!(matches!(error, ImportError::NoFiles));
}

#[test]
fn a_sample_without_an_answer_gives_the_other_book() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ladder.jsonl");
    let line = r#"{"window_ts":1785106200,"slug":"btc-updown-5m-1785106200","open_px":65477.0,"samples":[{"t":-9.8,"spot":null,"up":{"ask":0.01,"bid":null,"vwap5":0.01,"vwap20":0.01,"vwap50":0.02},"down":null}],"winner":null}"#;
    fs::write(&file, line).unwrap();
    let out = dir.path().join("run");
    let report = import::run(&request(Format::AlignedLadder, &out, from_ref(&file))).unwrap();
    assert_eq!(report.refused_count, 0, "{:?}", report.refused);
    let all = records(&out);
    let Event::Snapshot(book) = &all.last().unwrap().event else {
        panic!("{:?}", all.last());
    };
    assert_eq!(book.asks, [(Price(10_000), Qty(20_000_000))]);
    assert!(book.bids.is_empty());
    // Nothing is said about a winner, so nobody won.
    assert!(!all.iter().any(|r| matches!(r.event, Event::Resolved(_))));
}

#[test]
fn a_row_of_tops_is_used_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tops.csv");
    let header = "Timestamp,TargetTime,Expiration,UpBid,UpAsk,UpMid,UpSpread,UpBidLiquidity,UpAskLiquidity,DownBid,DownAsk,DownMid,DownSpread,DownBidLiquidity,DownAskLiquidity";
    let good = "2025-12-26 10:40:42,2025-12-26 10:30:00,2025-12-26 10:45:00,0.0,0.02,0.0,0.0,0.0,2965.75,0.99,0.0,0.0,0.0,2099.0,0.0";
    let bad = [
        (good.replace("0.99", "1.99"), "Down: \"1.99\" is no price"),
        (good.replace("2965.75", "0.0"), "Up: \"0.0\" is no size"),
        (good.replace("0.02", ""), "Up: \"\" is no price"),
        (
            good.replace("10:40:42", "10:45:00"),
            "outside of the window",
        ),
        (good.replace("10:40:42", "noon"), "is no date and time"),
        (good.replace("10:45:00", "10:44:00"), "lasts 840 seconds"),
        (good.replace("10:30:00", "10:46:00"), "lasts 0 seconds"),
        (format!("{good},7"), "16 columns instead of 15"),
        ("7".to_owned(), "1 columns are none"),
        (header.replace("UpBid", "Bid"), "is no date and time"),
    ];
    let mut text = format!("{header}\n{good}\n");
    for (line, _) in &bad {
        text.push_str(line);
        text.push('\n');
    }
    fs::write(&file, text).unwrap();
    let out = dir.path().join("run");
    let report = import::run(&request(Format::TopOfBook, &out, from_ref(&file))).unwrap();
    let refused: Vec<_> = report.refused.iter().map(|r| r.why.as_str()).collect();
    assert_eq!(refused.len(), bad.len(), "{refused:?}");
    for ((_, expected), why) in bad.iter().zip(refused) {
        assert!(why.contains(expected), "{why:?} for {expected:?}");
    }
    let books = records(&out);
    let books: Vec<_> = books
        .iter()
        .filter_map(|r| match &r.event {
            Event::Snapshot(book) => Some(book),
            _ => None,
        })
        .collect();
    let [up, down] = books.as_slice() else {
        panic!("{books:?}")
    };
    assert_eq!(
        (up.bids.len(), up.asks.as_slice()),
        (0, &[(Price(20_000), Qty(2_965_750_000))][..])
    );
    assert_eq!(
        (down.asks.len(), down.bids.as_slice()),
        (0, &[(Price(990_000), Qty(2_099_000_000))][..])
    );
}

#[test]
fn an_existing_run_is_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("btc-updown-15m-1790586000.jsonl");
    fs::write(&file, L2_LINE).unwrap();
    let out = dir.path().join("run");
    fs::create_dir(&out).unwrap();
    let error = import::run(&request(Format::L2Snapshots, &out, &[file])).unwrap_err();
    assert!(matches!(error, ImportError::OutExists { .. }));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn a_compressed_file_that_ends_early_is_used_up_to_there() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("btc-updown-15m-1790586000.jsonl.gz");
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    for i in 0..1_000 {
        let line = L2_LINE.replace("5112649", &format!("{}", 5_112_649 + i));
        packed.write_all(line.as_bytes()).unwrap();
        packed.write_all(b"\n").unwrap();
    }
    let packed = packed.finish().unwrap();
    fs::write(&file, &packed[..packed.len() / 2]).unwrap();
    let out = dir.path().join("run");
    let report = import::run(&request(Format::L2Snapshots, &out, &[file])).unwrap();
    assert_eq!(report.refused_count, 1);
    assert!(
        report.refused[0].why.contains("ends early"),
        "{:?}",
        report.refused
    );
    let snapshots = census(&out)["snapshot"];
    assert!((400..500).contains(&snapshots), "{snapshots}");
    assert_eq!(report.refused[0].line, snapshots + 1);
}

#[test]
fn files_are_merged_by_time_and_neighbours_of_one_instant_are_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let down = L2_LINE.replace("\"UP\"", "\"DOWN\"");
    let later = L2_LINE.replace("5112649", "5113649");
    let first = dir.path().join("btc-updown-15m-1790586000.jsonl");
    let second = dir.path().join("btc-updown-15m-1790586900.jsonl");
    fs::write(&first, format!("{later}\n{L2_LINE}\n{down}\n")).unwrap();
    fs::write(&second, L2_LINE.replace("5112649", "5112999")).unwrap();
    let out = dir.path().join("run");
    import::run(&request(
        Format::L2Snapshots,
        &out,
        &[dir.path().to_owned()],
    ))
    .unwrap();
    let seen: Vec<_> = records(&out)
        .into_iter()
        .filter_map(|r| match r.event {
            Event::Snapshot(b) => Some((r.at.0 / 1_000_000 % 10_000, b.instrument.0, b.more)),
            _ => None,
        })
        .collect();
    assert_eq!(
        seen,
        [
            (2_649, 0, true),
            (2_649, 1, false),
            (2_999, 2, false),
            (3_649, 0, false)
        ]
    );
}

#[test]
fn frames_of_a_market_that_nothing_describes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("frames.jsonl");
    let frame = r#"{"capturedAt":1776808414,"payload":{"market":"0x12","asset_id":"77","timestamp":"1776808414710","bids":[{"price":"0.48","size":"5"}],"asks":[],"event_type":"book"}}"#;
    fs::write(&file, format!("{frame}\n")).unwrap();
    let out = dir.path().join("run");
    let wanted = request(Format::PolymarketMarket, &out, &[dir.path().to_owned()]);
    let error = import::run(&wanted).unwrap_err();
    assert!(error.to_string().contains("described"), "{error}");

    let described = r#"{"slug":"btc-updown-5m-1776808200","conditionId":"0x12","upTokenId":"77","downTokenId":"78","tickSize":0.01,"minOrderSize":5}"#;
    fs::write(dir.path().join("markets.json"), described).unwrap();
    let report = import::run(&wanted).unwrap();
    assert_eq!((report.markets, report.refused_count), (1, 0));
    assert_eq!(census(&out)["snapshot"], 1);
}

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
