//! The System page's facts under a real pilot: a feed and the database die and come back.

use crate::support::{pm_arb, strategies};
use pm_arb::control::{Request, ask};
use serde_json::{Value, json};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it. Generous: machines are busy.
const PATIENCE: Duration = Duration::from_secs(120);

struct Pilot {
    child: Child,
    data: PathBuf,
}

impl Drop for Pilot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pilot {
    fn start(data: &Path) -> Self {
        let log = std::fs::File::create(data.with_extension("log")).unwrap();
        let files = format!("{}/*.wasm", strategies().display());
        let data_dir = data.to_str().unwrap();
        let mut command = pm_arb(&[
            "pilot",
            "--strategies",
            &files,
            "--data-dir",
            data_dir,
            "--seed",
            "7",
            "--dashboard",
            "127.0.0.1:0",
        ]);
        let child = command
            .stdout(log.try_clone().unwrap())
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        Self {
            child,
            data: data.to_owned(),
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }

    fn system(&self) -> Option<Value> {
        let answer = ask(&self.data, &Request::Snapshot).ok()?;
        answer.pointer("/snapshot/system").cloned()
    }

    fn wait_for<T>(&self, what: &str, look: impl Fn(&Value) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < until {
            if let Some(system) = self.system() {
                if let Some(found) = look(&system) {
                    return found;
                }
                last = system;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("waited in vain for {what}: {last:#}\n{}", self.said());
    }

    /// Where faults are posted, from the log.
    fn control(&self) -> String {
        let said = self.said();
        let plain: String = said.replace('\u{1b}', "");
        let at = plain
            .find("http://127.0.0.1")
            .map(|_| plain.as_str())
            .unwrap();
        let line = at
            .lines()
            .find(|line| line.contains("simulated venues"))
            .unwrap();
        let address = line.rsplit("http://").next().unwrap();
        let address: String = address
            .chars()
            .take_while(|c| !c.is_whitespace() && *c != '[')
            .collect();
        format!("http://{address}")
    }

    async fn misbehave(&self, fault: Value) {
        let client = pm_arb::net::http::client_for_posts(PATIENCE).unwrap();
        let url = self.control();
        let answer = client
            .post(&url)
            .header("content-type", "application/json")
            .body(fault.to_string())
            .send();
        let answer = answer.await.unwrap();
        assert!(answer.status().is_success(), "{url}: {answer:?}");
        let struck: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(struck["struck"].as_u64().unwrap() > 0, "{struck}");
    }
}

async fn get(url: &str) -> String {
    let client = pm_arb::net::http::client_for_posts(PATIENCE).unwrap();
    let answer = client.get(url).send().await.unwrap();
    assert!(answer.status().is_success(), "{url}: {answer:?}");
    answer.text().await.unwrap()
}

fn feed<'a>(system: &'a Value, name: &str) -> Option<&'a Value> {
    let feeds = system.pointer("/vitals/feeds")?.as_array()?;
    feeds.iter().find(|feed| feed["name"] == name)
}

fn has_problem(system: &Value, code: &str, about: &str) -> bool {
    let problems = system.pointer("/vitals/problems").and_then(Value::as_array);
    problems
        .into_iter()
        .flatten()
        .any(|p| p["code"] == code && p["about"] == about)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_and_the_database_that_fail_and_recover_are_seen_to() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let pilot = Pilot::start(&data);
    let live = |system: &Value| {
        ["binance", "chainlink", "kalshi", "polymarket-0"]
            .iter()
            .all(|name| feed(system, name).is_some_and(|feed| feed["state"] == "live"))
            .then(|| system.clone())
    };
    let well = pilot.wait_for("all feeds to be live", live);
    let binance = feed(&well, "binance").unwrap();
    assert!(binance["messages"].as_u64().unwrap() > 0 && binance["bytes"].as_u64().unwrap() > 0);
    // The simulated world lives 20 times as fast; its lag is told in our time and is short.
    let lag = binance["lag_median_ms"].as_f64().unwrap();
    assert!((-1_000.0..10_000.0).contains(&lag), "{binance}");
    assert_eq!(well["vitals"]["redis"], Value::Null);
    assert_eq!(well["vitals"]["database"]["kind"], "sqlite");
    assert!(
        well["vitals"]["process"]["resident_bytes"]
            .as_u64()
            .unwrap()
            > 0
    );

    // The same for programs and in the browser.
    let dashboard = pilot.wait_for("the dashboard", |system| {
        let agents = system.pointer("/health/agents")?.as_array()?;
        let dashboard = agents.iter().find(|agent| agent["name"] == "dashboard")?;
        Some(
            dashboard["detail"]
                .as_str()?
                .trim_end_matches('/')
                .to_owned(),
        )
    });
    for (path, parts) in [
        (
            "/api/v1/system",
            ["\"vitals\"", "\"open_files_max\"", "\"refused_inputs\""],
        ),
        (
            "/api/v1/feeds",
            ["\"polymarket-0\"", "\"lag_p99_ms\"", "\"live\""],
        ),
        (
            "/api/v1/feeds?format=csv",
            ["name,state,for_secs", "\nbinance,", "\nkalshi,live,"],
        ),
        (
            "/api/v1/agents?format=csv",
            [
                "name,state,restarts",
                "\nvitals,running,0,",
                "oracle-binance,",
            ],
        ),
        ("/api/v1/alerts", ["[", "]", ""]),
        (
            "/system",
            ["Lag median, ms", "not configured", "polymarket-0"],
        ),
    ] {
        let text = get(&format!("{dashboard}{path}")).await;
        let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
        assert!(
            missing.is_empty(),
            "{path}: {missing:?} are missing in {text}"
        );
    }

    // Frozen: connected, and silent.
    pilot
        .misbehave(json!({"venue": "binance", "kind": "freeze"}))
        .await;
    pilot.wait_for("binance to be stale", |system| {
        let is_stale = feed(system, "binance")?["state"] == "stale";
        (is_stale && has_problem(system, "FEED_DOWN", "binance")).then_some(())
    });
    let again = pilot.wait_for("binance to be replaced and live", |system| {
        let feed = feed(system, "binance")?;
        (feed["state"] == "live" && feed["reconnects"].as_u64()? >= 1).then(|| feed.clone())
    });
    assert!(
        again["gaps"].as_u64().unwrap() >= 1 && again["bad_secs"].as_f64().unwrap() > 0.0,
        "{again}"
    );
    assert!(
        again["last_error"].as_str().unwrap().contains("no data"),
        "{again}"
    );

    // Somebody else holds the database.
    let path = data.join("pm-arb.sqlite");
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    pilot.wait_for("the database to be away", |system| {
        let secs = system.pointer("/vitals/database/failing_secs")?.as_u64();
        (secs.is_some() && has_problem(system, "DATABASE_AWAY", "")).then_some(())
    });
    // It lasts, so it becomes an alert.
    let alert = |system: &Value, over: bool| {
        let alerts = system.pointer("/vitals/alerts")?.as_array()?;
        let is_it = |a: &&Value| a["code"] == "DATABASE_AWAY" && a["over"] == over;
        alerts.iter().find(is_it).cloned()
    };
    pilot.wait_for("the alert", |system| alert(system, false));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    pilot.wait_for("its end", |system| alert(system, true));
    let recovered = pilot.wait_for("everything to be stored", |system| {
        let database = system.pointer("/vitals/database")?;
        database["failing_secs"].is_null().then(|| database.clone())
    });
    assert!(recovered["last_error"].is_string() && recovered["failures"].as_u64().unwrap() > 0);
}
