//! The pilot as its user meets it: the binary, simulated venues, signals, kills.

use crate::rebuild::same_as_journal;
use crate::support::{json, pm_arb, recordings, run, stdout, strategies};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it. Generous: machines are busy.
const PATIENCE: Duration = Duration::from_secs(240);

pub struct Pilot {
    child: Child,
    pub data: PathBuf,
    log: PathBuf,
}

impl Pilot {
    pub fn start(data: &Path, extra: &[&str]) -> Self {
        Self::start_with(&format!("{}/*.wasm", strategies().display()), data, extra)
    }

    pub fn start_with(strategies: &str, data: &Path, extra: &[&str]) -> Self {
        let log = data.with_extension("log");
        let mut command = pm_arb(&[
            "pilot",
            "--strategies",
            strategies,
            "--data-dir",
            data.to_str().unwrap(),
            "--seed",
            "7",
        ]);
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = command
            .args(extra)
            .stdout(file.try_clone().unwrap())
            .stderr(Stdio::from(file))
            .spawn()
            .unwrap();
        Self {
            child,
            data: data.to_owned(),
            log,
        }
    }

    pub fn ask(&self, args: &[&str]) -> std::process::Output {
        let mut all = args.to_vec();
        all.extend(["--data-dir", self.data.to_str().unwrap()]);
        run(&all)
    }

    pub fn health(&self) -> Option<Value> {
        let output = self.ask(&["health", "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    fn report(&self) -> Option<Value> {
        serde_json::from_slice(&self.ask(&["report", "--json"]).stdout).ok()
    }

    pub fn wait_for<T>(&mut self, what: &str, mut ready: impl FnMut(&Self) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(found) = ready(self) {
                return found;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!(
                    "the pilot ended ({status}) while waiting for {what}:\n{}",
                    self.said()
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("waited in vain for {what}:\n{}", self.said());
    }

    fn wait_for_trades(&mut self) -> Value {
        self.wait_for("trades", |p| {
            p.report()
                .filter(|r| r["total_trades"].as_u64().unwrap_or(0) > 0)
        })
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for its end and says whether it was a success.
    pub fn ended(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the pilot did not end:\n{}", self.said());
    }

    pub fn run_dir(&self) -> PathBuf {
        let mut runs: Vec<_> = std::fs::read_dir(self.data.join("runs"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        runs.sort();
        runs.pop().unwrap()
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn digest_in(log: &str) -> String {
    log.lines()
        .rev()
        .find_map(|line| {
            line.split_once("digest ")
                .map(|(_, rest)| rest.split_whitespace().next().unwrap().to_owned())
        })
        .unwrap_or_else(|| panic!("no digest in:\n{log}"))
}

#[test]
fn a_pilot_trades_is_asked_halted_stopped_and_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let mut pilot = Pilot::start(&dir.path().join("data"), &[]);
    pilot.wait_for_trades();

    let health = pilot.health().unwrap();
    let agents = health["agents"].as_array().unwrap();
    assert!(agents.len() >= 5, "{health}");
    for name in [
        "opportunity-scanner",
        "risk-guardian",
        "paper-executor",
        "capital-allocator",
        "strategy-oracle-sniper",
    ] {
        let agent = agents
            .iter()
            .find(|a| a["name"] == name)
            .unwrap_or_else(|| panic!("no {name} in {health}"));
        assert_eq!(agent["running"], true, "{agent}");
        assert!(
            agent["last_heartbeat_secs"].as_f64().unwrap() < 30.0,
            "{agent}"
        );
    }

    stdout(&pilot.ask(&["halt", "-m", "test"]));
    assert!(
        pilot.health().unwrap()["halted"]
            .as_str()
            .unwrap()
            .contains("test")
    );
    // A halt survives a stop and a start.
    pilot.signal("-TERM");
    assert!(pilot.ended(), "{}", pilot.said());
    let mut pilot = Pilot::start(&pilot.data.clone(), &[]);
    pilot.wait_for("health", |p| p.health().filter(|h| h["halted"].is_string()));
    stdout(&pilot.ask(&["resume", "-m", "test over"]));
    pilot.wait_for("resume", |p| p.health().filter(|h| h["halted"].is_null()));
    pilot.signal("-INT");
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
    assert!(replayed["fills"].as_u64().unwrap() > 0);
}

#[test]
fn a_killed_pilot_goes_on_with_no_trade_lost_or_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for round in 0..3 {
        let mut pilot = Pilot::start(&data, &[]);
        if round == 0 {
            pilot.wait_for_trades();
        } else {
            pilot.wait_for("health", Pilot::health);
            std::thread::sleep(Duration::from_millis(1_500));
        }
        pilot.signal("-KILL");
        assert!(!pilot.ended());
    }
    let mut pilot = Pilot::start(&data, &["--for", "5s"]);
    pilot.wait_for("health", Pilot::health);
    assert!(pilot.ended(), "{}", pilot.said());
    let replayed = json(&run(&[
        "replay",
        pilot.run_dir().to_str().unwrap(),
        "--json",
    ]));
    let report = pilot.report().unwrap();
    assert_eq!(
        replayed["fills"], report["total_trades"],
        "the database holds what the journal says"
    );
    assert_eq!(
        digest_in(&pilot.said()),
        replayed["digest"].as_str().unwrap()
    );
    // Every table, row by row: trades, wishes and grades, what the tape said, counts.
    let same = same_as_journal(&pilot.run_dir(), &pilot.data.join("pm-arb.sqlite"));
    assert!(same.intents > 0 && same.graded > 0, "{same:?}");
    assert!(same.corroborated > 0 && same.counts > 0, "{same:?}");
}

#[test]
fn a_changed_strategy_is_swapped_and_a_broken_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("strategies");
    std::fs::create_dir(&folder).unwrap();
    let sniper = folder.join("oracle-sniper.wasm");
    let bytes = std::fs::read(strategies().join("oracle-sniper.wasm")).unwrap();
    std::fs::write(&sniper, &bytes).unwrap();
    let mut pilot = Pilot::start_with(folder.to_str().unwrap(), &dir.path().join("data"), &[]);
    let detail = |p: &Pilot| -> Option<String> {
        let health = p.health()?;
        let agents = health["agents"].as_array()?.clone();
        agents
            .iter()
            .find(|a| a["name"] == "strategy-oracle-sniper")?["detail"]
            .as_str()
            .map(str::to_owned)
    };
    pilot.wait_for("generation 1", |p| {
        detail(p).filter(|d| d.contains("generation 1"))
    });

    std::fs::write(&sniper, &bytes[..bytes.len() / 2]).unwrap();
    pilot.wait_for("the refusal", |p| {
        p.said().contains("refused").then_some(())
    });
    assert!(
        detail(&pilot).unwrap().contains("generation 1"),
        "the old one goes on"
    );

    // The same code with a custom section more: other bytes, same behaviour.
    let mut changed = bytes.clone();
    changed.extend_from_slice(&[0, 5, 4, b't', b'e', b's', b't']);
    std::fs::write(&sniper, &changed).unwrap();
    pilot.wait_for("generation 2", |p| {
        detail(p).filter(|d| d.contains("generation 2"))
    });
    pilot.signal("-INT");
    assert!(pilot.ended(), "{}", pilot.said());
    let replayed = json(&run(&[
        "replay",
        pilot.run_dir().to_str().unwrap(),
        "--json",
    ]));
    assert_eq!(
        digest_in(&pilot.said()),
        replayed["digest"].as_str().unwrap(),
        "swaps replay too"
    );
}

#[test]
fn a_recording_is_imported_replayed_and_traded() {
    let Some(data) = recordings("a_recording_is_imported_replayed_and_traded") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let files = data.join("aligned/btc5m_202607_binance_ladder/ladder.jsonl.gz");
    let import = run(&[
        "import",
        "--from",
        "aligned-ladder",
        "--out",
        out.to_str().unwrap(),
        files.to_str().unwrap(),
    ]);
    stdout(&import);
    let glob = strategies();
    let args = [
        "replay",
        out.to_str().unwrap(),
        "--strategies",
        glob.to_str().unwrap(),
        "--json",
    ];
    let (first, second) = (json(&run(&args)), json(&run(&args)));
    assert_eq!(first, second, "two processes, one run");
    assert!(first["fills"].as_u64().unwrap() > 0, "{first}");

    let place = dir.path().join("data");
    let place = place.to_str().unwrap();
    let pilot = [
        "pilot",
        "--strategies",
        glob.to_str().unwrap(),
        "--feed",
        out.to_str().unwrap(),
        "--speed",
        "max",
        "--data-dir",
        place,
    ];
    stdout(&run(&pilot));
    let report = json(&run(&[
        "report",
        "--days",
        "1",
        "--json",
        "--data-dir",
        place,
    ]));
    assert_eq!(report["total_trades"], first["fills"], "{report}");
    let runs = std::fs::read_dir(dir.path().join("data/runs")).unwrap();
    let traded = runs.map(|e| e.unwrap().path()).next().unwrap();
    let same = same_as_journal(&traded, &dir.path().join("data/pm-arb.sqlite"));
    assert!(same.graded > 0, "{same:?}");
}

#[test]
fn nonsense_is_answered_with_words() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("data");
    let place = place.to_str().unwrap();
    let nothing = dir.path().join("nothing");
    let nothing = nothing.to_str().unwrap();
    let garbage = dir.path().join("garbage.wasm");
    std::fs::write(&garbage, b"not a component").unwrap();
    let garbage = garbage.to_str().unwrap();
    let config = dir.path().join("bad.toml");
    std::fs::write(&config, "[risk]\nmax_drawdown = 3\n").unwrap();
    let config = config.to_str().unwrap();
    let sniper = strategies().join("oracle-sniper.wasm");
    let sniper = sniper.to_str().unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["pilot", "--strategies", nothing, "--data-dir", place],
            78,
            nothing,
        ),
        (
            &["pilot", "--strategies", garbage, "--data-dir", place],
            78,
            "garbage.wasm",
        ),
        (
            &[
                "pilot",
                "--strategies",
                sniper,
                "--config",
                config,
                "--data-dir",
                place,
            ],
            78,
            "max_drawdown",
        ),
        (
            &[
                "pilot",
                "--strategies",
                sniper,
                "--feed",
                nothing,
                "--data-dir",
                place,
            ],
            65,
            nothing,
        ),
        (
            &[
                "pilot",
                "--strategies",
                sniper,
                "--database-url",
                "mysql://x",
                "--data-dir",
                place,
            ],
            78,
            "mysql",
        ),
        (&["pilot"], 2, "--strategies"),
        (&["replay", nothing, "--strategies", sniper], 65, nothing),
        (
            &[
                "import",
                "--from",
                "l2-snapshots",
                "--out",
                nothing,
                garbage,
            ],
            65,
            "garbage.wasm",
        ),
        (
            &["import", "--from", "tape", "--out", nothing, garbage],
            2,
            "tape",
        ),
        (&["health", "--data-dir", place], 69, "no pilot is running"),
        (&["report", "--days", "0"], 2, "days"),
    ];
    for (args, code, word) in cases {
        let output = run(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{args:?}\n{said}");
        assert!(said.contains(word), "{args:?} should name {word}:\n{said}");
        assert!(!said.contains("panicked"), "{args:?}\n{said}");
    }
}
