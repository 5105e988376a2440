//! `pm-arb strategy …` on a running pilot: what it changes, what is in the journal, and that a replay
//! with all of it is the same run.

use crate::pilot::{Pilot, digest_in};
use crate::plugin::fixtures::Fixture;
use crate::support::{json, run, stdout, strategies};
use pm_arb::journal::JournalReader;
use pm_arb_core::event::{Event, StrategyChangeKind};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

/// What the list says of a strategy.
pub fn row(pilot: &Pilot, name: &str) -> Option<Value> {
    let list: Value =
        serde_json::from_slice(&pilot.ask(&["strategy", "list", "--json"]).stdout).ok()?;
    list.as_array()?
        .iter()
        .find(|row| row["name"] == name)
        .cloned()
}

pub fn order(pilot: &Pilot, args: &[&str]) -> Output {
    let mut all = vec!["strategy"];
    all.extend(args);
    pilot.ask(&all)
}

/// What the journal says was done to strategies.
pub fn kinds(run_dir: &Path) -> Vec<String> {
    let mut reader = JournalReader::open(run_dir).unwrap();
    let mut kinds = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        if let Event::Strategy(change) = &record.event {
            kinds.push(match &change.kind {
                StrategyChangeKind::Loaded { restored, .. } if *restored => {
                    "loaded with state".to_owned()
                }
                StrategyChangeKind::Operator { action, note } => {
                    format!("{} ({note})", action.as_str())
                }
                kind => kind.as_str().to_owned(),
            });
        }
    }
    kinds
}

/// Options of a pilot that watches what takes over for so long.
fn watched_for(dir: &Path, secs: u32) -> Vec<&'static str> {
    let file = dir.join("watch.toml");
    std::fs::write(&file, format!("[swap]\nwatch_secs = {secs}\n")).unwrap();
    vec![
        "--config",
        Box::leak(file.display().to_string().into_boxed_str()),
    ]
}

pub fn stop_and_compare(pilot: &mut Pilot) {
    pilot.signal("-TERM");
    assert!(pilot.ended(), "{}", pilot.said());
    let live = digest_in(&pilot.said());
    let replayed = json(&run(&[
        "replay",
        pilot.run_dir().to_str().unwrap(),
        "--json",
    ]));
    assert_eq!(
        replayed["digest"],
        live.as_str(),
        "a replay is the same run"
    );
}

/// Listens to quotes and does nothing; the version tells the bytes apart.
pub fn idle(name: &'static str, version: &'static str) -> Vec<u8> {
    Fixture {
        version,
        ..Fixture::new(name)
    }
    .component()
}

#[test]
fn every_order_changes_what_runs_is_journalled_and_replays() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("strategies");
    std::fs::create_dir(&folder).unwrap();
    let sniper = strategies().join("oracle-sniper.wasm");
    std::fs::copy(sniper, folder.join("oracle-sniper.wasm")).unwrap();
    std::fs::write(folder.join("a.wasm"), idle("a", "1")).unwrap();
    let other = dir.path().join("a2.wasm");
    std::fs::write(&other, idle("a", "2")).unwrap();
    let data = dir.path().join("data");
    let unwatched = watched_for(dir.path(), 0);
    let mut pilot = Pilot::start_with(folder.to_str().unwrap(), &data, &unwatched);
    let first = pilot.wait_for("a's calls", |p| {
        row(p, "a").filter(|r| r["calls"].as_u64() > Some(0))
    });
    assert_eq!(
        (&first["generation"], &first["state"]),
        (&Value::from(1), &Value::from("running"))
    );
    assert!(
        first["costs"]["fuel_limit"].as_u64() > first["costs"]["fuel_max"].as_u64(),
        "{first}"
    );

    let said = stdout(&order(
        &pilot,
        &["swap", "a", other.to_str().unwrap(), "-m", "ann"],
    ));
    assert!(
        said.starts_with("a 2 (gen 2, ") && said.contains("state kept; 1 (gen 1) one step back"),
        "{said}"
    );
    pilot.wait_for("generation 2", |p| {
        row(p, "a").filter(|r| r["version"] == "2")
    });
    let said = json(&order(&pilot, &["rollback", "a", "--json", "-m", "bob"]));
    assert_eq!(
        (&said["generation"], &said["digest"]),
        (&Value::from(3), &first["digest"])
    );
    // What was told a call can be rehearsed against.
    pilot.wait_for("its calls", |p| {
        row(p, "a").filter(|r| r["generation"] == 3 && r["costs"]["calls"].as_u64() > Some(0))
    });
    stdout(&order(&pilot, &["pin", "a"]));
    std::fs::write(folder.join("a.wasm"), idle("a", "3")).unwrap();
    pilot.wait_for("the ignored file", |p| {
        row(p, "a").filter(|r| r["awaited"] == true)
    });
    assert_eq!(row(&pilot, "a").unwrap()["version"], "1");
    let said = stdout(&order(&pilot, &["unpin", "a"]));
    assert!(said.starts_with("a 3 (gen 4, "), "{said}");

    stdout(&order(
        &pilot,
        &["quarantine", "oracle-sniper", "-m", "ann: too eager"],
    ));
    let held = pilot.wait_for("quarantine", |p| {
        row(p, "oracle-sniper").filter(|r| r["state"] == "quarantined")
    });
    assert_eq!(held["state_why"], "by an operator: ann: too eager");
    // Quarantine outlives a kill.
    pilot.signal("-KILL");
    assert!(!pilot.ended());
    let mut pilot = Pilot::start_with(folder.to_str().unwrap(), &data, &unwatched);
    let held = pilot.wait_for("the list", |p| row(p, "oracle-sniper"));
    assert_eq!(held["state"], "quarantined");
    let calls = held["calls"].clone();
    pilot.wait_for("a's calls", |p| {
        row(p, "a").filter(|r| r["costs"]["calls"].as_u64() > Some(3))
    });
    assert_eq!(
        row(&pilot, "oracle-sniper").unwrap()["calls"],
        calls,
        "it is not called"
    );
    stdout(&order(&pilot, &["release", "oracle-sniper"]));
    pilot.wait_for("calls again", |p| {
        row(p, "oracle-sniper").filter(|r| r["calls"].as_u64() > calls.as_u64())
    });
    let text = stdout(&order(&pilot, &["list"]));
    assert!(
        text.lines().next().unwrap().contains("net P&L") && text.contains("oracle-sniper"),
        "{text}"
    );

    // What is refused changes nothing and says what to do.
    let before = row(&pilot, "a").unwrap()["generation"].clone();
    std::fs::write(&other, b"not wasm").unwrap();
    let file = other.to_str().unwrap();
    for (args, said) in [
        (&["swap", "a", file][..], "not WebAssembly"),
        (&["swap", "a", "/nowhere.wasm"], "the file is gone"),
        (
            &["swap", "oracle-snipper", file],
            "did you mean oracle-sniper?",
        ),
        (&["unpin", "a"], "is followed already"),
        (&["release", "a"], "runs already"),
    ] {
        let output = order(&pilot, args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(said), "{args:?}: {error}");
    }
    assert_eq!(row(&pilot, "a").unwrap()["generation"], before);

    stop_and_compare(&mut pilot);
    let output = order(&pilot, &["list"]);
    assert_eq!(output.status.code(), Some(69), "no pilot is running");
    let kinds = kinds(&pilot.run_dir());
    let expected = [
        "loaded",
        "granted",
        "loaded",
        "asked for its state",
        "swap (ann)",
        "loaded with state",
        "rollback (bob)",
        "loaded with state",
        "pin (no note)",
        "asked for its state",
        "unpin (no note)",
        "loaded with state",
        "quarantine (ann: too eager)",
        "release (no note)",
        "loaded",
        "refused",
        "refused",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn fifty_swaps_and_rollbacks_under_load_lose_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("strategies");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.wasm"), idle("a", "1")).unwrap();
    std::fs::write(folder.join("b.wasm"), idle("b", "1")).unwrap();
    let other = dir.path().join("a2.wasm");
    std::fs::write(&other, idle("a", "2")).unwrap();
    let data = dir.path().join("data");
    // Every rollback comes within the watch over the swap before it.
    let mut options = watched_for(dir.path(), 86_400);
    options.extend(["--speed", "20"]);
    let mut pilot = Pilot::start_with(folder.to_str().unwrap(), &data, &options);
    pilot.wait_for("calls", |p| {
        row(p, "a").filter(|r| r["calls"].as_u64() > Some(0))
    });
    for _ in 0..25 {
        stdout(&order(&pilot, &["swap", "a", other.to_str().unwrap()]));
        stdout(&order(&pilot, &["rollback", "a"]));
    }
    pilot.wait_for("generation 51", |p| {
        row(p, "a").filter(|r| r["generation"] == 51)
    });
    // The neighbour listens to the same quotes and was never touched.
    let list = json(&order(&pilot, &["list", "--json"]));
    let calls: Vec<u64> = [0, 1]
        .map(|n: usize| list[n]["calls"].as_u64().unwrap())
        .into();
    assert!(calls[0] > 100, "{calls:?}");
    assert_eq!(calls[0], calls[1], "no event was missed or told twice");
    assert_eq!(list[1]["generation"], 1);
    stop_and_compare(&mut pilot);
    let swap_and_back = [
        "asked for its state",
        "swap (no note)",
        "loaded with state",
        "watched",
        "rollback (no note)",
        "reverted",
    ];
    assert_eq!(kinds(&pilot.run_dir())[2..], swap_and_back.repeat(25));
}
