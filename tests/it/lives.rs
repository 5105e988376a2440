//! What becomes of strategies in a running pilot without an order: new settings, roll-back and quarantine by
//! themselves; and when what runs is asked for its state.

use crate::pilot::Pilot;
use crate::plugin::fixtures::Fixture;
use crate::rebuild::same_as_journal;
use crate::strategy::{idle, kinds, order, row, stop_and_compare};
use crate::support::{stdout, strategies};
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use std::path::{Path, PathBuf};

/// A folder of strategies and the configuration beside it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(config: &str) -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(place.folder()).unwrap();
        place.configure(config);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn folder(&self) -> PathBuf {
        self.path("strategies")
    }

    /// In one go: nobody finds half of it.
    fn write(&self, to: &Path, bytes: &[u8]) {
        let partial = self.path("partial");
        std::fs::write(&partial, bytes).unwrap();
        std::fs::rename(&partial, to).unwrap();
    }

    fn put(&self, file: &str, bytes: &[u8]) {
        self.write(&self.folder().join(file), bytes);
    }

    fn configure(&self, text: &str) {
        self.write(&self.path("pm-arb.toml"), text.as_bytes());
    }

    fn start(&self) -> Pilot {
        let config = self.path("pm-arb.toml");
        let options = ["--config", config.to_str().unwrap(), "--speed", "30"];
        Pilot::start_with(
            self.folder().to_str().unwrap(),
            &self.path("data"),
            &options,
        )
    }
}

fn count(row: &Value, what: &str) -> u64 {
    row[what].as_u64().unwrap()
}

fn settings(row: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = row["settings"].as_array().unwrap().iter();
    pairs
        .map(|pair| (text(&pair["key"]), text(&pair["value"])))
        .collect()
}

/// A busy machine makes prices old, and a strategy that wishes for nothing burns little fuel.
const PATIENT: &str = "[risk]\nbook_age_max_ms = 120000\noracle_age_max_ms = 120000\n\
     [swap]\nwatch_secs = 0\nfuel_mean_pct = 100000\nrehearse_intents_min = 100000\n";

#[test]
fn new_settings_of_a_running_strategy_take_over_with_its_state_and_refused_ones_do_not() {
    let with = |own: &str| format!("{PATIENT}[strategies.oracle-sniper]\n{own}\n");
    let place = Place::new(&with("edge_min = \"0.9\""));
    let sniper = std::fs::read(strategies().join("oracle-sniper.wasm")).unwrap();
    place.put("oracle-sniper.wasm", &sniper);
    place.put("a.wasm", &idle("a", "1"));
    let mut pilot = place.start();
    let first = pilot.wait_for("calls", |p| {
        row(p, "oracle-sniper").filter(|r| count(r, "calls") > 20)
    });
    assert_eq!(
        count(&first, "intents"),
        0,
        "nothing is worth that: {first}"
    );

    // Only what is eager enough wishes for something.
    place.configure(&with("edge_min = \"0.005\"\nhaircut = \"0\""));
    let eager = pilot.wait_for("intents with the new settings", |p| {
        row(p, "oracle-sniper").filter(|r| count(r, "intents") > 0)
    });
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let ours = [pair("edge_min", "0.005"), pair("haircut", "0")];
    assert_eq!(settings(&eager), ours);
    assert_eq!(eager["digest"], first["digest"], "the same bytes");
    let change = eager["changes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (
            &change["what"],
            &change["why"],
            &change["generation"],
            &change["state_kept"]
        ),
        (
            &"loaded".into(),
            &"its settings changed".into(),
            &2.into(),
            &true.into()
        )
    );

    // A key that it does not know, and a section that only a start applies.
    let refused = "egde_min = \"0.02\"\n[scanner]\nrearm_ms = 900";
    place.configure(&with(refused));
    let held = pilot.wait_for("the refusal", |p| {
        let now = row(p, "oracle-sniper")?;
        let last = now["changes"].as_array()?.last()?.clone();
        (last["what"] == "refused").then_some((now, last))
    });
    let why = held.1["why"].as_str().unwrap();
    assert!(
        why.contains("its new settings") && why.contains("egde_min"),
        "{why}"
    );
    assert_eq!(
        (count(&held.0, "generation"), settings(&held.0)),
        (2, ours.into())
    );
    // No file at all, in the end.
    place.configure("[strategies.oracle-sniper\nedge_min");
    pilot.wait_for("the word on the broken file", |p| {
        p.said()
            .contains("the settings stay as they are")
            .then_some(())
    });
    let intents = count(&held.0, "intents");
    let after = pilot.wait_for("more intents of the old settings", |p| {
        row(p, "oracle-sniper").filter(|r| count(r, "intents") > intents)
    });
    assert_eq!(count(&after, "generation"), 2);
    let said = pilot.said();
    let line = said.lines().find(|line| line.contains("egde_min")).unwrap();
    assert!(
        line.contains("oracle-sniper") && line.contains("refused"),
        "{line}"
    );
    assert!(
        said.contains("[scanner] changed; restart the pilot"),
        "{said}"
    );
    assert_eq!(
        count(&row(&pilot, "a").unwrap(), "generation"),
        1,
        "the other is not touched"
    );
    stop_and_compare(&mut pilot);
    let expected = [
        "loaded",
        "granted",
        "loaded",
        "asked for its state",
        "loaded with state",
        "refused",
    ];
    assert_eq!(kinds(&pilot.run_dir()), expected);
}

#[test]
fn what_an_operator_swapped_is_not_asked_for_its_state_by_the_file_it_left() {
    let place = Place::new("[swap]\nwatch_secs = 0\n");
    place.put("a.wasm", &idle("a", "1"));
    let mut pilot = place.start();
    pilot.wait_for("calls", |p| row(p, "a").filter(|r| count(r, "calls") > 0));
    // Before its files are looked at again, as far as we can.
    let other = place.path("a2.wasm");
    place.write(&other, &idle("a", "2"));
    stdout(&order(&pilot, &["swap", "a", other.to_str().unwrap()]));
    // When another file is loaded, all of them were looked at since.
    for name in ["b", "c"] {
        place.put(&format!("{name}.wasm"), &idle(name, "1"));
        pilot.wait_for("the next file", |p| row(p, name));
    }
    assert_eq!(row(&pilot, "a").unwrap()["version"], "2");
    stop_and_compare(&mut pilot);
    let expected = [
        "loaded",
        "asked for its state",
        "swap (no note)",
        "loaded with state",
        "loaded",
        "loaded",
    ];
    assert_eq!(kinds(&pilot.run_dir()), expected);
}

#[test]
fn without_rehearsals_nobody_is_asked_for_their_state_but_by_who_takes_it_over() {
    let place = Place::new("[swap]\nwatch_secs = 0\nrehearse = false\n");
    place.put("a.wasm", &idle("a", "1"));
    let mut pilot = place.start();
    pilot.wait_for("calls", |p| row(p, "a").filter(|r| count(r, "calls") > 0));
    let other = place.path("a2.wasm");
    place.write(&other, &idle("a", "2"));
    stdout(&order(&pilot, &["swap", "a", other.to_str().unwrap()]));
    place.put("a.wasm", &idle("a", "3"));
    pilot.wait_for("its file", |p| row(p, "a").filter(|r| r["version"] == "3"));
    place.configure("[swap]\nwatch_secs = 0\nrehearse = false\n[strategies.a]\nx = \"1\"\n");
    pilot.wait_for("its settings", |p| {
        row(p, "a").filter(|r| settings(r).len() == 1)
    });
    stop_and_compare(&mut pilot);
    let expected = [
        "loaded",
        "swap (no note)",
        "loaded with state",
        "loaded with state",
        "loaded with state",
    ];
    assert_eq!(kinds(&pilot.run_dir()), expected);
}

/// Traps at the so many-th quote it is told.
fn trapping(name: &'static str, version: &'static str, at: u32) -> Vec<u8> {
    let count = "(global.set $count (i32.add (global.get $count) (i32.const 1)))";
    let trap = format!("(if (i32.ge_u (global.get $count) (i32.const {at})) (then unreachable))");
    Fixture {
        version,
        ..Fixture::on_quote(name, &format!("{count} {trap}"))
    }
    .component()
}

#[test]
fn a_roll_back_and_a_quarantine_of_a_running_pilot_are_in_its_log_its_journal_and_its_database() {
    // A rehearsal would not let it come to that.
    let place = Place::new("[swap]\nwatch_secs = 86400\nrehearse = false\n");
    place.put("a.wasm", &idle("a", "1"));
    place.put("b.wasm", &trapping("b", "1", 1));
    let mut pilot = place.start();
    pilot.wait_for("calls", |p| row(p, "a").filter(|r| count(r, "calls") > 0));
    place.put("a.wasm", &trapping("a", "2", 5));
    let back = pilot.wait_for("the way back", |p| {
        row(p, "a").filter(|r| count(r, "generation") == 3)
    });
    let change = back["changes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (
            &back["version"],
            &change["what"],
            &change["from_generation"]
        ),
        (&"1".into(), &"reverted".into(), &2.into())
    );
    pilot.wait_for("quarantine", |p| {
        row(p, "b").filter(|r| r["state"] == "quarantined")
    });
    stop_and_compare(&mut pilot);
    let said = pilot.said();
    for words in [
        "a: gen 2 was rolled back: it trapped",
        "quarantined until its file changes",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let kinds = kinds(&pilot.run_dir());
    for kind in ["watched", "reverted", "quarantined"] {
        assert_eq!(
            kinds.iter().filter(|k| *k == kind).count(),
            1,
            "{kind}: {kinds:?}"
        );
    }
    let rows = alerts(&pilot.data.join("pm-arb.sqlite"));
    let of = |code: &str| {
        let mut rows = rows.iter().filter(|(found, ..)| found == code);
        let (Some((_, level, text)), None) = (rows.next(), rows.next()) else {
            panic!("one row of {code}: {rows:?}");
        };
        (level.as_str(), text.as_str())
    };
    let (level, text) = of("STRATEGY_REVERTED");
    assert_eq!(level, "warning");
    assert!(
        text.starts_with("a: generation 2 was rolled back (it trapped")
            && text.ends_with("; generation 3 runs version 1"),
        "{text}"
    );
    let (level, text) = of("STRATEGY_QUARANTINED");
    assert_eq!(level, "critical");
    assert!(text.starts_with("b: trapped"), "{text}");
    // Row by row what the journal says.
    same_as_journal(&pilot.run_dir(), &pilot.data.join("pm-arb.sqlite"));
}

/// Code, level and text of every alert that a database holds.
pub fn alerts(database: &Path) -> Vec<(String, String, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", database.display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query_as("SELECT code, level, text FROM paper_alerts ORDER BY run_id, seq, code")
            .fetch_all(&mut connection)
            .await
            .unwrap()
    })
}
