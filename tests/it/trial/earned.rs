//! `strategy run`: one strategy on a recorded run.

use super::{contents, recorded, said, shipped, strategy, written};
use crate::plugin::fixtures::Fixture;
use crate::support::{json, run, stdout};

#[test]
fn it_reports_what_the_replay_finds_and_leaves_the_run_alone() {
    let dir = tempfile::tempdir().unwrap();
    let Some(on) = recorded("trial::it_reports_what_the_replay_finds", dir.path()) else {
        return;
    };
    let before = contents(&on);
    let (file, on_text) = (shipped("oracle-sniper"), on.to_str().unwrap());
    let words = ["--on", on_text, "--set", "edge_min=0.02", "--json"];
    let first = json(&strategy("run", &file, &words));
    let again = json(&strategy("run", &file, &words));
    assert_eq!(first, again, "the same file, settings and run");
    let given = format!("{}?edge_min=0.02", file.display());
    let replayed = json(&run(&["replay", on_text, "--strategies", &given, "--json"]));
    assert_eq!(first["digest"], replayed["digest"]);
    assert_eq!(first["settings"]["edge_min"], "0.02");
    let fills = first["counts"]["fills"].as_u64().unwrap();
    assert!(fills > 0, "{first}");
    assert_eq!(first["counts"]["fills"], replayed["fills"]);
    assert!(first["fuel_max"].as_u64().unwrap() > 0);
    assert!(
        first["brier"]["model"]
            .as_f64()
            .is_some_and(|brier| brier > 0.0 && brier < 1.0)
    );
    // Another setting, another digest: the settings reach it.
    let other = json(&strategy(
        "run",
        &file,
        &["--on", on_text, "--set", "edge_min=0.3", "--json"],
    ));
    assert_ne!(first["digest"], other["digest"]);

    let text = stdout(&strategy("run", &file, &["--on", on_text]));
    println!("{text}");
    for words in [
        "Ghost gap",
        "Realized",
        "Brier over",
        "Cost: fuel a call",
        "digest ",
        "VERDICT",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(before, contents(&on), "nothing is written into the run");
}

#[test]
fn faults_are_told_with_the_record_and_end_with_a_no() {
    let dir = tempfile::tempdir().unwrap();
    let Some(on) = recorded("trial::faults_are_told_with_the_record", dir.path()) else {
        return;
    };
    let bad = written(dir.path(), &Fixture::on_quote("bad", "unreachable"));
    let output = strategy("run", &bad, &["--on", on.to_str().unwrap()]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("Failed 3 times, and was stopped for good"),
        "{text}"
    );
    assert!(
        text.contains("record ") && text.contains("trapped"),
        "{text}"
    );
}

#[test]
fn a_run_that_there_is_not_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let output = strategy(
        "run",
        &shipped("oracle-sniper"),
        &["--on", "yesterday", "--data-dir", data],
    );
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("yesterday") && text.contains(data), "{text}");
    // A setting that is none is a word wrong.
    let output = strategy(
        "run",
        &shipped("oracle-sniper"),
        &["--on", "x", "--set", "edge"],
    );
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn a_run_of_the_data_folder_is_found_by_its_id_and_as_the_latest() {
    let dir = tempfile::tempdir().unwrap();
    let Some(on) = recorded("trial::a_run_of_the_data_folder_is_found", dir.path()) else {
        return;
    };
    let runs = dir.path().join("data/runs");
    std::fs::create_dir_all(&runs).unwrap();
    std::fs::rename(&on, runs.join("20260727T000000Z-ladder")).unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let file = shipped("oracle-sniper");
    let latest = json(&strategy(
        "run",
        &file,
        &["--on", "latest", "--data-dir", data, "--json"],
    ));
    let id = latest["run"].as_str().unwrap();
    let by_id = json(&strategy(
        "run",
        &file,
        &["--on", &id[..8], "--data-dir", data, "--json"],
    ));
    assert_eq!(latest, by_id);
}
