//! `strategy bench`: figures are there and belong together. No test looks at a time.

use super::{recorded, said, shipped, strategy, written};
use crate::plugin::fixtures::{Fixture, SUBMIT};
use crate::support::{json, root};
use serde_json::Value;
use std::path::Path;

/// The events of a round, by kind.
fn calls(answer: &Value) -> u64 {
    let kinds = answer["kinds"].as_array().unwrap();
    kinds
        .iter()
        .map(|kind| kind["calls"].as_u64().unwrap())
        .sum()
}

#[test]
fn fuel_calls_and_memory_are_told_and_the_same_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), &Fixture::on_quote("busy", SUBMIT));
    let [first, again] = [(); 2].map(|()| json(&strategy("bench", &file, &["--json"])));
    for answer in [&first, &again] {
        assert_eq!(answer["events"].as_u64().unwrap(), calls(answer));
        assert!(answer["intents"].as_u64().unwrap() > 0);
        for key in [
            "ns_per_event",
            "compile_ns",
            "instantiate_ns",
            "snapshot_ns",
            "restore_ns",
        ] {
            assert!(
                answer[key].as_f64().is_some_and(|ns| ns > 0.0),
                "{key}: {answer:#}"
            );
        }
        let why = answer["no_native_because"].as_str().unwrap();
        assert!(why.contains("name the folder"), "{why}");
    }
    let exact = |answer: &Value| {
        let fuel = |kind: &Value| {
            [
                &kind["event"],
                &kind["calls"],
                &kind["fuel_p50"],
                &kind["fuel_mean"],
            ]
            .map(Value::to_string)
        };
        let kinds: Vec<_> = answer["kinds"]
            .as_array()
            .unwrap()
            .iter()
            .map(fuel)
            .collect();
        (
            kinds,
            answer["intents"].clone(),
            answer["memory_idle"].clone(),
        )
    };
    assert_eq!(
        exact(&first),
        exact(&again),
        "what is no time does not differ"
    );
    assert_eq!(first["memory_idle"], 2 << 16, "the fixture's two pages");
}

#[test]
fn the_events_of_a_run_are_those_of_its_backtest() {
    let dir = tempfile::tempdir().unwrap();
    let Some(on) = recorded("trial::the_events_of_a_run", dir.path()) else {
        return;
    };
    let words = ["--on", on.to_str().unwrap(), "--json"];
    let file = shipped("oracle-sniper");
    let answer = json(&strategy("bench", &file, &words));
    let earned = json(&strategy("run", &file, &words));
    assert_eq!(answer["events"], earned["calls"]);
    assert_eq!(answer["intents"], earned["counts"]["intents"]);
}

#[test]
fn a_fault_or_nothing_to_hear_is_no_figure() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), &Fixture::on_quote("bad", "unreachable"));
    let output = strategy("bench", &file, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(
        text.contains("quote of instrument 1") && text.contains("trapped"),
        "{text}"
    );
    let output = strategy("bench", dir.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("Cargo.toml"), "{}", said(&output));
}

/// The crates of this project are there; whether they build natively offline depends on the machine.
#[test]
fn a_rust_project_is_measured_beside_its_native_self() {
    let project = root().join("strategies/oracle-sniper");
    let answer = json(&strategy("bench", Path::new(&project), &["--json"]));
    let native = &answer["native"];
    println!("{native}\n{}", answer["no_native_because"]);
    assert!(
        native["ns_per_event"].as_f64().is_some_and(|ns| ns > 0.0),
        "{answer:#}"
    );
    assert!(
        native["component_times_as_long"]
            .as_f64()
            .is_some_and(|times| times > 0.0)
    );
    assert_eq!(native["same_intents"], true, "{answer:#}");
}
