//! `pm-arb compare`: two strategies on the same recorded markets, in pairs.

use crate::support::{json, recordings, run, stdout, strategies};
use pm_arb_core::units::Usd;
use serde_json::Value;

/// A compared market's amount.
fn usd(value: &Value) -> i64 {
    Usd::parse(value.as_str().unwrap()).unwrap().0
}

#[test]
fn the_same_strategy_twice_differs_in_nothing_and_another_setting_in_pairs() {
    let Some(data) = recordings("compare::the_same_strategy_twice_differs_in_nothing") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("ladder");
    let out = out.to_str().unwrap();
    let files = data.join("aligned/btc5m_202607_binance_ladder/ladder.jsonl.gz");
    let files = files.to_str().unwrap();
    stdout(&run(&[
        "import",
        "--from",
        "aligned-ladder",
        "--out",
        out,
        files,
    ]));
    let sniper = strategies().join("oracle-sniper.wasm");
    let sniper = sniper.to_str().unwrap();
    let careful = format!("{sniper}?haircut=0.08");

    let same = json(&run(&[
        "compare", out, "--a", sniper, "--b", sniper, "--json",
    ]));
    assert_eq!(same["a"]["realized_pnl"], same["b"]["realized_pnl"]);
    assert_eq!(
        (&same["difference"], &same["answer"]),
        (&"0.00".into(), &"undecided".into())
    );
    let interval = same["mean_difference_interval_95"].as_array().unwrap();
    assert!(interval.iter().all(|end| end.as_f64() == Some(0.0)));

    let other = json(&run(&[
        "compare", out, "--a", sniper, "--b", &careful, "--json",
    ]));
    assert_eq!(other["a"], same["a"], "B changes nothing for A");
    let fills = |side: &str| other[side]["fills"].as_u64().unwrap();
    assert!(0 < fills("b") && fills("b") < fills("a"), "{other}");
    let markets = other["markets"].as_array().unwrap();
    for (side, total) in [("a", &other["a"]), ("b", &other["b"])] {
        let sum: i64 = markets.iter().map(|market| usd(&market[side])).sum();
        assert_eq!(sum, usd(&total["realized_pnl"]), "{side}");
    }
    let sum: i64 = markets
        .iter()
        .map(|market| usd(&market["difference"]))
        .sum();
    assert_eq!(sum, usd(&other["difference"]));

    let text = stdout(&run(&["compare", out, "--a", sniper, "--b", &careful]));
    println!("{text}");
    assert!(text.contains("95 % interval"), "{text}");
}

#[test]
fn what_can_not_be_compared_is_refused_in_words() {
    let sniper = strategies().join("oracle-sniper.wasm");
    let sniper = sniper.to_str().unwrap();
    let code = |args: &[&str]| {
        let output = run(args);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (no_run, why) = code(&["compare", "/nowhere", "--a", sniper, "--b", sniper]);
    assert_eq!(no_run, Some(65), "{why}");
    assert!(why.contains("/nowhere"), "{why}");
    let (no_file, why) = code(&["compare", "/nowhere", "--a", "no.wasm", "--b", sniper]);
    assert_eq!(no_file, Some(78), "{why}");
    assert!(why.contains("no.wasm"), "{why}");
    let (no_side, why) = code(&["compare", "/nowhere", "--a", sniper]);
    assert_eq!(no_side, Some(2), "{why}");
    assert!(why.contains("--b"), "{why}");
}
