//! `strategy test`: canned and recorded events, told twice.

use super::{recorded, said, shipped, strategy, written};
use crate::plugin::fixtures::{CANCEL, Fixture, LOG, SUBMIT, SUBMIT_GTC, times};
use crate::support::json;
use serde_json::Value;
use std::process::Output;

/// Its verdict, after a no.
fn verdict(output: &Output) -> String {
    let text = said(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let line = text.lines().find(|line| line.starts_with("verdict: "));
    line.unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// The batch of that name.
fn batch<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let all = answer["batches"].as_array().unwrap();
    all.iter()
        .find(|b| b["name"] == name)
        .unwrap_or_else(|| panic!("{answer:#}"))
}

#[test]
fn the_shipped_strategies_live_through_everything() {
    for name in ["oracle-sniper", "mispricing-hunter", "cross-platform"] {
        let answer = json(&strategy("test", &shipped(name), &["--json"]));
        assert_eq!(answer["verdict"], "ok", "{answer:#}");
        assert!(answer["restored"].as_u64().unwrap() > 5);
        let all = answer["batches"].as_array().unwrap();
        let intents: u64 = all.iter().map(|b| b["intents"].as_u64().unwrap()).sum();
        assert!(intents > 0, "{name} never acts: {answer:#}");
        let fates = batch(&answer, "what became of its own intents");
        assert!(fates["told"].as_u64().unwrap() > 0, "{name}");
    }
}

#[test]
fn a_recorded_run_is_played_twice_too() {
    let dir = tempfile::tempdir().unwrap();
    let Some(on) = recorded("trial::a_recorded_run_is_played_twice", dir.path()) else {
        return;
    };
    let on = on.to_str().unwrap();
    let file = shipped("oracle-sniper");
    let answer = json(&strategy("test", &file, &["--on", on, "--json"]));
    assert_eq!(answer["verdict"], "ok", "{answer:#}");
    let played = answer["batches"].as_array().unwrap().last().unwrap();
    assert!(played["name"].as_str().unwrap().starts_with("recorded: "));
    let earned = json(&strategy("run", &file, &["--on", on, "--json"]));
    assert_eq!(played["intents"], earned["counts"]["intents"]);
    assert_eq!(
        played["told"], earned["calls"],
        "it was told what a backtest tells it"
    );
}

#[test]
fn answers_and_logs_are_shown_and_the_rest_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let body = format!("{SUBMIT} {SUBMIT_GTC} {CANCEL} {LOG} (call $wake_at (i64.const 5))");
    let busy = written(dir.path(), &Fixture::on_quote("busy", &body));
    let answer = json(&strategy("test", &busy, &["--json"]));
    assert_eq!(answer["verdict"], "ok", "{answer:#}");
    let quotes = batch(&answer, "quotes, some with an empty side");
    let count = |key: &str| quotes[key].as_u64().unwrap();
    // The fixture answers every quote but those of instrument 0.
    assert!(count("intents") > 20 && count("intents") == 2 * count("cancels"));
    assert_eq!(count("wake_ups"), count("cancels"));
    assert!(count("log_lines") > 0 && count("fuel_max") > 0);
    let shown = quotes["answers"].as_array().unwrap();
    assert_eq!(shown.len(), pm_arb::author::trial::SHOWN);
    let text = said(&strategy("test", &busy, &[]));
    for words in [
        "10 shares: buy instrument 1 at 0.50 · fak · tag 9",
        "cancel tag 9",
        "more answers",
        "log error:",
        "verdict: ok",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(
        !text.contains('\u{1b}'),
        "control characters of a strategy do not reach the terminal"
    );
}

#[test]
fn a_fault_is_told_with_the_event_that_caused_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, body, how) in [
        ("trapping", "unreachable".to_owned(), "trapped"),
        (
            "looping",
            "(loop $again (br $again))".to_owned(),
            "used more than its fuel",
        ),
        (
            "growing",
            times(2_000, "(drop (memory.grow (i32.const 16)))") + "unreachable",
            "more memory",
        ),
    ] {
        let file = written(dir.path(), &Fixture::on_quote(name, &body));
        let verdict = verdict(&strategy("test", &file, &[]));
        assert!(
            verdict.contains("quote of instrument 1") && verdict.contains(how),
            "{name}: {verdict}"
        );
    }
}

#[test]
fn a_state_that_is_not_in_the_snapshot_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    // Counts its quotes and acts on every third: its snapshot does not hold the count.
    let counting = "(global.set $count (i32.add (global.get $count) (i32.const 1)))";
    let body = format!(
        "{counting} (if (i32.eqz (i32.rem_u (global.get $count) (i32.const 3))) (then {SUBMIT}))"
    );
    let file = written(dir.path(), &Fixture::on_quote("forgetful", &body));
    // Before the third quote nobody was made its successor; the batches after that tell.
    let text = verdict(&strategy("test", &file, &[]));
    assert!(
        text.contains("state lost") && text.contains("`snapshot`"),
        "{text}"
    );

    // One whose snapshot changes what it does next is not repeatable: its twin is not asked for one.
    let touchy = Fixture {
        snapshot: "(global.set $count (i32.const 1))",
        ..Fixture::on_quote(
            "touchy",
            &format!("(if (global.get $count) (then {SUBMIT}))"),
        )
    };
    let text = verdict(&strategy("test", &written(dir.path(), &touchy), &[]));
    assert!(text.contains("not repeatable"), "{text}");

    let stubborn = Fixture {
        restore: "not mine",
        ..Fixture::new("stubborn")
    };
    let output = strategy("test", &written(dir.path(), &stubborn), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("not mine"), "{}", said(&output));
}
