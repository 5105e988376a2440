//! `pm-arb trade` of one stored trade, and what wrong words are answered with.

use super::*;

/// As the scanner's opportunity is stored.
const SEEN: &str = r#"{"id": {"seq": 4, "n": 0}, "kind": "OracleLag", "at": 1790000003500000000,
    "legs": [{"instrument": 14, "market": 8, "venue": "Polymarket", "price": 470000, "qty": 7000000,
              "fair": 520000, "fee": 17437, "book_age": 41000000}],
    "edge": 32563, "qty": 7000000, "closes_at": 1790000900000000000, "oracle_age": 180000000}"#;

pub(super) async fn one_trade_whole(place: &Place, store: Store) {
    world(place, &store).await;
    let id = trade_uuid(RUN, bought(1, 0).id).to_string();
    let ask = |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--database-url", &place.url]);
        run(&all)
    };
    let page = stdout(&ask(&["trade", &id[..8]]));
    for part in [
        &format!("TRADE {id}  RESOLVED") as &str,
        "Seen        by the strategy itself",
        "Risk        approved 6.5 of 6.5 shares a leg",
        "Book then   bid 0.46 for 30, ask 0.47 for 7",
        "300.0 ms later, at a book 7.0 ms old (epoch 2)",
        "Filled      5 of 6.5 shares at 0.48 on average, 2.40 paid",
        "Fee         0.08736 so far, as taker (rulebook: crypto from 2026-03-30)",
        "Tape        a real trade printed at these prices within a second",
        "Naive       6.5 at 0.47, 3.055 and a fee of 0.00, came to +$3.44",
        "Mid         6.5 at 0.465, 3.0225 and a fee of 0.113, came to +$3.36",
        "Honest      5 for 2.40 and a fee of 0.08736, came to +$2.51",
        "Because     chainlink says Up",
        "Evidence    chainlink btcusd 65048.07 >= 65012.44",
        "P&L         +$2.51 (exactly 2.51264)",
    ] {
        assert!(page.contains(part), "{part:?} is missing:\n{page}");
    }
    let level: Vec<&str> = vec!["1", "0.47", "2", "0.034874"];
    let is_level = |line: &str| line.split_whitespace().eq(level.iter().copied());
    assert!(page.lines().any(is_level), "{page}");
    let whole = json(&ask(&["trade", &id, "--json"]));
    assert_eq!(whole["trade"]["id"], id);
    assert_eq!(whole["levels"][1]["price"], "0.486667");
    assert_eq!(whole["market"]["outcomes"][0][2], 1_000_000);
    assert_eq!(whole["intent"]["approved_quantity"], "6.5");
    sql(
        place,
        &format!("UPDATE paper_intents SET opportunity = '{SEEN}' WHERE seq = 4"),
    )
    .await;
    let held = trade_uuid(RUN, bought(4, 0).id).to_string();
    let page = stdout(&ask(&["trade", &held]));
    for part in [
        "Edge        +$0.0325 a share after fees and haircut, 7 shares offered",
        "Oracle      180.0 ms old",
        "ask 0.47 for 7, fair 0.52, fee 0.017437",
        "Market      pending since 2026-09-21 14:28:21.000000 UTC",
        "Because     no tick at the closing second",
        "Held        5 shares",
        "P&L         not known yet",
    ] {
        assert!(page.contains(part), "{part:?} is missing:\n{page}");
    }
    let denied = trade_uuid(RUN, bought(5, 0).id).to_string();
    let page = stdout(&ask(&["trade", &denied]));
    assert!(
        page.contains("denied: CAPITAL, limit $100, observed $101"),
        "{page}"
    );
    assert!(page.contains("none: it never was a position"), "{page}");
}

pub(super) async fn wrong_words_are_answered_with_help(place: &Place, store: Store) {
    world(place, &store).await;
    // Beginnings of ids: with five rows and sixteen digits some digit may begin several.
    let none = "00000000-0000";
    for (args, code, word) in [
        (
            &["report", "--strategy", "nobody"] as &[&str],
            2,
            "oracle-sniper",
        ),
        (&["report", "--run", "ffff"], 2, "0123"),
        (&["report", "--run", ""], 2, "latest"),
        (&["report", "--since", "yesterday"], 2, "2026-11-01"),
        (&["report", "--since", "7d", "--days", "7"], 2, "--days"),
        (&["report", "--days", "0"], 2, "days"),
        (&["report", "--by", "mood"], 2, "time-left"),
        (&["report", "--format", "xml"], 2, "parquet"),
        (
            &["report", "--format", "csv", "--by", "hour"],
            2,
            "--by needs",
        ),
        (&["report", "--json", "--format", "csv"], 2, "--format"),
        (
            &["report", "--out", "/nonexistent/x", "--format", "csv"],
            69,
            "/nonexistent/x",
        ),
        (&["trades", "--limit", "0"], 2, "limit"),
        (&["trades", "--status", "happy"], 2, "resolved"),
        (&["trades", "--strategy", "nobody"], 2, "oracle-sniper"),
        (&["trade"], 2, "<ID>"),
        (&["trade", "'; DROP TABLE runs"], 2, "hex digits"),
        (&["trade", none], 1, "pm-arb trades"),
        (&["trade", "-"], 1, "pm-arb trades"),
    ] {
        let mut all = args.to_vec();
        all.extend(["--database-url", &place.url]);
        let output = run(&all);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{said}");
        assert!(said.contains(word), "{args:?} should name {word}:\n{said}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    // A database of an older version is told from a broken one.
    sql(place, "DROP TABLE paper_counts").await;
    let output = run(&["report", "--database-url", &place.url]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("brings it up to date"), "{said}");
    // An ambiguous beginning lists what it could be.
    let ids = ["1", "2", "4", "5", "6"].map(|seq| {
        let seq: u64 = seq.parse().unwrap();
        trade_uuid(RUN, bought(seq, 0).id).to_string()
    });
    let first = |id: &String| id[..1].to_owned();
    let shared = ids
        .iter()
        .find(|id| ids.iter().filter(|other| first(other) == first(id)).count() > 1);
    if let Some(id) = shared {
        let output = run(&["trade", &first(id), "--database-url", &place.url]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(id), "{said}");
    }
}
