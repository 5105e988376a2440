//! A candidate that earns more takes over by itself, in a running pilot.

use super::{folder_with, micros, shadow};
use crate::hostile::money::{every, wish};
use crate::lives::alerts;
use crate::pilot::Pilot;
use crate::plugin::fixtures::Fixture;
use crate::strategy::{kinds, order, row, stop_and_compare};
use crate::support::stdout;
use serde_json::Value;

/// Quick to conclude: evidence of two after two markets; and patient with a busy machine.
const CONFIG: &str = "[risk]\nbook_age_max_ms = 120000\noracle_age_max_ms = 120000\n\
     drawdown_bps = 10000\ndaily_loss_bps = 10000\n\
     [swap]\nloss_max = \"100000\"\nfuel_mean_pct = 100000\ndenied_above_bps = 10000\n\
     [shadow]\npromote = \"by_test\"\nerror_rate_bps = 5000\nmarkets_min = 2\n\
     drawdown_max = \"100000\"\ndenied_more_max_bps = 10000\n";

/// Buys at the ask and sells at the bid, over and over: it loses the spread and the fees of so many shares.
fn losing(version: &'static str, shares: u32) -> Vec<u8> {
    let body = every(2, &wish(false, shares), &wish(true, shares));
    Fixture {
        version,
        ..Fixture::on_quote("a", &body)
    }
    .component()
}

#[test]
fn a_candidate_that_loses_less_is_promoted_by_the_test_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder_with(dir.path(), "a", &losing("1", 50));
    let config = dir.path().join("pm-arb.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let better = dir.path().join("better.wasm");
    std::fs::write(&better, losing("2", 10)).unwrap();
    let options = ["--speed", "30", "--config", config.to_str().unwrap()];
    let mut pilot = Pilot::start_with(&folder, &dir.path().join("data"), &options);
    pilot.wait_for("fills", |p| {
        row(p, "a").filter(|r| r["fills"].as_u64() > Some(0))
    });
    let better = better.to_str().unwrap();
    stdout(&order(&pilot, &["shadow", "a", better, "-m", "ann"]));
    let now = pilot.wait_for("generation 2", |p| {
        row(p, "a").filter(|r| r["generation"].as_u64() == Some(2))
    });
    assert_eq!(
        (&now["version"], &now["state"]),
        (&"2".into(), &"running".into())
    );
    let changes = now["changes"].as_array().unwrap();
    let loaded = changes.iter().find(|c| c["generation"] == 2).unwrap();
    let why = loaded["why"].as_str().unwrap();
    assert!(
        why.starts_with("promoted from its shadow (by test: evidence "),
        "{why}"
    );
    assert_eq!(
        (&loaded["from_generation"], &loaded["state_kept"]),
        (&Value::from(1), &true.into())
    );
    let last = pilot.wait_for("the end of its shadow", |p| {
        shadow(p, "a").filter(|s| s["phase"] == "ended")
    });
    assert!(
        last["verdict"]
            .as_str()
            .unwrap()
            .starts_with("promoted (by test: "),
        "{last}"
    );
    assert!(
        last["markets"].as_u64() >= Some(2) && micros(&last["difference"]) > 0,
        "{last}"
    );
    assert!(
        last["candidate"]["fills"].as_u64() > Some(0),
        "it traded: {last}"
    );
    // It is watched like everything that takes over, and trades.
    pilot.wait_for("the end of its watch", |p| {
        let changes = row(p, "a")?["changes"].as_array()?.clone();
        changes
            .iter()
            .any(|c| c["what"] == "committed")
            .then_some(())
    });
    let fills = now["fills"].as_u64();
    pilot.wait_for("fills of it", |p| {
        row(p, "a").filter(|r| r["fills"].as_u64() > fills)
    });
    stop_and_compare(&mut pilot);
    let said = pilot.said();
    assert!(said.contains("by test: evidence"), "{said}");
    let told = alerts(&pilot.data.join("pm-arb.sqlite"));
    let told: Vec<&str> = told.iter().map(|(code, ..)| code.as_str()).collect();
    assert!(
        told.starts_with(&["STRATEGY_SHADOW", "STRATEGY_OPERATOR"]),
        "{told:?}"
    );
    let mut kinds = kinds(&pilot.run_dir());
    assert!(
        kinds[2].starts_with("promote (by test: evidence "),
        "{kinds:?}"
    );
    kinds.remove(2);
    let expected = [
        "loaded",
        "shadow begins",
        "loaded with state",
        "watched",
        "committed",
    ];
    assert_eq!(kinds, expected);
}
