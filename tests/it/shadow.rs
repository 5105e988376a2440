//! Candidates beside what trades: the journal read while it is written, a real pilot with its shadows,
//! and how often the test is wrong.

mod promoted;
mod trials;

use crate::pilot::Pilot;
use crate::plugin::fixtures::Fixture;
use crate::strategy::{kinds, order, row, stop_and_compare};
use crate::support::{stdout, strategies};
use pm_arb::journal::{JournalReader, JournalWriter, RunMeta};
use pm_arb::shadow::{Begin, Shadows};
use pm_arb_core::event::Event;
use pm_arb_core::ids::{StrategyId, Timestamp};
use serde_json::Value;
use std::path::Path;
use uuid::Uuid;

/// A busy machine makes prices old, and what is bought at those loses: neither hurts what is compared here.
const PATIENT: &str = "[risk]\nbook_age_max_ms = 120000\noracle_age_max_ms = 120000\n\
     drawdown_bps = 10000\ndaily_loss_bps = 10000\n\
     [shadow]\ndrawdown_max = \"100000\"\ndenied_more_max_bps = 10000\n";

/// What is known of the shadow of a strategy.
fn shadow(pilot: &Pilot, name: &str) -> Option<Value> {
    let output = pilot.ask(&["strategy", "shadow", name, "--json"]);
    serde_json::from_slice(&output.stdout).ok()
}

/// Millionths of a dollar.
fn micros(amount: &Value) -> i64 {
    pm_arb_core::units::Usd::parse(amount.as_str().unwrap())
        .unwrap()
        .0
}

/// A folder with one strategy to trade.
fn folder_with(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let folder = dir.join("strategies");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.wasm")), bytes).unwrap();
    folder.to_str().unwrap().to_owned()
}

fn idle(version: &'static str) -> Vec<u8> {
    let idle = Fixture::new("a");
    Fixture { version, ..idle }.component()
}

#[test]
fn the_same_bytes_earn_the_same_and_others_what_they_decide() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let sniper = strategies().join("oracle-sniper.wasm");
    let folder = folder_with(
        dir.path(),
        "oracle-sniper",
        &std::fs::read(&sniper).unwrap(),
    );
    let sniper = sniper.to_str().unwrap();
    let config = dir.path().join("pm-arb.toml");
    std::fs::write(&config, PATIENT).unwrap();
    let fast = ["--speed", "30", "--config", config.to_str().unwrap()];
    // Eager, so that every market is traded.
    let eager = format!("{folder}/oracle-sniper.wasm?edge_min=0.005&haircut=0");
    let mut pilot = Pilot::start_with(&eager, &data, &fast);
    pilot.wait_for("intents", |p| {
        row(p, "oracle-sniper").filter(|r| r["intents"].as_u64() > Some(0))
    });

    // The very same version: not a cent apart, in whatever market.
    let said = stdout(&order(
        &pilot,
        &["shadow", "oracle-sniper", sniper, "-m", "ann"],
    ));
    assert!(said.contains("runs in the shadow of what runs"), "{said}");
    let twice = order(&pilot, &["shadow", "oracle-sniper", sniper]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("already. Dismiss it first"));
    let same = pilot.wait_for("settled markets", |p| {
        shadow(p, "oracle-sniper").filter(|s| s["markets"].as_u64() >= Some(4))
    });
    assert_eq!(same["markets"], same["equal"], "{same}");
    for pair in same["recent"].as_array().unwrap() {
        assert_eq!(pair["incumbent"], pair["candidate"], "{same}");
        assert_eq!(micros(&pair["difference"]), 0);
    }
    // Calls are not the same: a load tells the open markets once more.
    for key in ["net", "drawdown", "bought", "intents", "denied", "fills"] {
        assert_eq!(
            same["candidate"][key], same["incumbent"][key],
            "{key}: {same}"
        );
    }
    assert!(same["incumbent"]["fills"].as_u64() > Some(0), "{same}");
    assert_eq!(same["evidence"], "1.00");
    let text = stdout(&order(&pilot, &["shadow", "oracle-sniper"]));
    assert!(text.contains("candidate of oracle-sniper") && text.contains("evidence 1.00 of 20.00"));

    // By hand, whatever the test says.
    let before = row(&pilot, "oracle-sniper").unwrap()["generation"].clone();
    let said = stdout(&order(&pilot, &["promote", "oracle-sniper", "-m", "bob"]));
    assert!(said.contains("state kept"), "{said}");
    // A picture is a moment old.
    let last = pilot.wait_for("the picture of it", |p| {
        let now = row(p, "oracle-sniper")?;
        let next = before.as_u64().map(|n| n + 1);
        (now["generation"].as_u64() == next).then(|| now["shadow"].clone())
    });
    assert_eq!(
        (&last["phase"], &last["verdict"]),
        (&"ended".into(), &"promoted (bob)".into())
    );
    for word in ["promote", "dismiss"] {
        let none = order(&pilot, &[word, "oracle-sniper"]);
        assert!(String::from_utf8_lossy(&none.stderr).contains("no candidate runs in the shadow"));
    }

    // Half the size: half the money moves, the same way.
    let half = [
        "stake_max=0.025",
        "kelly_fraction=0.125",
        "exposure_max=100",
    ];
    let mut args = vec!["shadow", "oracle-sniper", sniper];
    half.iter().for_each(|set| args.extend(["--set", set]));
    stdout(&order(&pilot, &args));
    // The picture may still show the one before for a moment.
    let half = pilot.wait_for("settled markets", |p| {
        let second =
            |s: &Value| s["number"].as_u64() == Some(2) && s["markets"].as_u64() >= Some(4);
        shadow(p, "oracle-sniper").filter(second)
    });
    let [ours, theirs] = ["candidate", "incumbent"].map(|of| micros(&half[of]["bought"]));
    assert!(
        ours * 5 > theirs && ours * 5 < theirs * 4,
        "about half: {half}"
    );
    assert_ne!(half["markets"], half["equal"], "{half}");

    // The journal says that it runs: killed and started again, it does, with what it came to.
    pilot.signal("-KILL");
    assert!(!pilot.ended());
    let mut pilot = Pilot::start_with(&eager, &data, &fast);
    let again = pilot.wait_for("the shadow again", |p| {
        shadow(p, "oracle-sniper").filter(|s| s["markets"].as_u64() >= half["markets"].as_u64())
    });
    assert_eq!(
        (&again["phase"], &again["digest"]),
        (&"comparing".into(), &half["digest"])
    );
    let first = |of: &Value| of["recent"][0].clone();
    assert_eq!(first(&again), first(&half), "the same pairs");
    stdout(&order(&pilot, &["dismiss", "oracle-sniper", "-m", "ann"]));
    pilot.wait_for("the picture of it", |p| {
        shadow(p, "oracle-sniper").filter(|s| s["verdict"] == "operator: dismiss (ann)")
    });
    stop_and_compare(&mut pilot);
    let expected = [
        "granted",
        "loaded",
        "shadow begins",
        "promote (bob)",
        "loaded with state",
        "shadow begins",
        "shadow ends",
    ];
    assert_eq!(kinds(&pilot.run_dir()), expected);
}

#[test]
fn new_bytes_run_in_the_shadow_first_where_the_operator_says_so_and_a_fault_ends_them() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder_with(dir.path(), "a", &idle("1"));
    let config = dir.path().join("pm-arb.toml");
    // Without a rehearsal, which would not let it come to a shadow.
    let keys = "[shadow]\non_new_bytes = \"shadow\"\n[swap]\nrehearse = false\n";
    std::fs::write(&config, keys).unwrap();
    let options = ["--config", config.to_str().unwrap()];
    let mut pilot = Pilot::start_with(&folder, &dir.path().join("data"), &options);
    pilot.wait_for("calls", |p| {
        row(p, "a").filter(|r| r["calls"].as_u64() > Some(0))
    });
    folder_with(dir.path(), "a", &idle("2"));
    pilot.wait_for("the candidate", |p| {
        shadow(p, "a").filter(|s| s["version"] == "2" && s["candidate"]["calls"].as_u64() > Some(0))
    });
    assert_eq!(
        row(&pilot, "a").unwrap()["version"],
        "1",
        "what runs runs on"
    );
    // The newest wins; one that traps is let go, by name.
    let traps = Fixture {
        version: "3",
        ..Fixture::on_quote("a", "unreachable")
    };
    folder_with(dir.path(), "a", &traps.component());
    let ended = pilot.wait_for("its end", |p| {
        shadow(p, "a").filter(|s| s["version"] == "3" && s["phase"] == "ended")
    });
    let why = ended["verdict"].as_str().unwrap();
    assert!(why.contains("the candidate failed: it trapped"), "{why}");
    let now = row(&pilot, "a").unwrap();
    assert_eq!((&now["version"], &now["faults"]), (&"1".into(), &0.into()));
    stop_and_compare(&mut pilot);
    let expected = [
        "loaded",
        "shadow begins",
        "shadow ends",
        "shadow begins",
        "shadow ends",
    ];
    assert_eq!(kinds(&pilot.run_dir()), expected);
}

#[test]
fn a_journal_is_read_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    let meta = RunMeta::new(Uuid::from_u128(7), "sim", Timestamp(1));
    let mut writer = JournalWriter::create(&run_dir, &meta).unwrap();
    // Some records a segment.
    writer.set_segment_limit(200);
    let mut reader = JournalReader::follow(&run_dir).unwrap();
    assert!(reader.next().unwrap().is_none());
    let mut read = 0;
    for n in 1..=100_u64 {
        writer.append(Timestamp(n), &Event::Tick).unwrap();
        if n % 3 == 0 {
            writer.commit().unwrap();
            while let Some(record) = reader.next().unwrap() {
                read += 1;
                assert_eq!(record.seq.0, read);
            }
            assert_eq!(read, n, "everything that is written is read");
        }
    }
    assert!(run_dir.read_dir().unwrap().count() > 10, "many segments");
    // Half a record is no record yet, and no damage.
    let newest = || {
        let all = run_dir
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_string_lossy().contains("journal-"))
            .max()
            .unwrap()
    };
    writer.set_segment_limit(u64::MAX);
    writer.append(Timestamp(200), &Event::Tick).unwrap();
    writer.commit().unwrap();
    while reader.next().unwrap().is_some() {}
    let path = newest();
    let before = std::fs::read(&path).unwrap();
    writer.append(Timestamp(201), &Event::Tick).unwrap();
    writer.commit().unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..before.len() + 5]).unwrap();
    assert!(reader.next().unwrap().is_none());
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().at, Timestamp(201));
}

#[test]
fn shadows_are_few_and_known_by_their_numbers() {
    let shadows = Shadows::default();
    let candidate = |n| Begin {
        digest: [n; 32],
        params: Vec::new(),
        fresh: false,
    };
    for (n, name) in ["a", "b"].into_iter().enumerate() {
        shadows.may_begin(name).unwrap();
        let id = StrategyId(n as u32);
        shadows.begin(name, id, candidate(1), Timestamp(0));
    }
    let said = shadows.may_begin("c").unwrap_err().to_string();
    assert!(said.contains("2 shadows run already (a, b)"), "{said}");
    assert!(
        shadows
            .may_begin("a")
            .unwrap_err()
            .to_string()
            .contains("already")
    );
    assert_eq!(shadows.of("a").unwrap().number, 1);
    assert!(shadows.end("a", "enough").is_some() && shadows.end("a", "again").is_none());
    assert!(shadows.was_last(StrategyId(0), &[1; 32], &[]));
    assert!(!shadows.was_last(StrategyId(0), &[2; 32], &[]));
    assert_eq!(shadows.row("a").unwrap().verdict, "enough");
    shadows.begin("a", StrategyId(0), candidate(2), Timestamp(0));
    assert_eq!(shadows.of("a").unwrap().number, 2);
}
