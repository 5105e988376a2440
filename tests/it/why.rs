//! `pm-arb why` as its user meets it: with a pilot running, with its database alone, with neither.

use crate::support::{json, pm_arb, run, stdout, strategies};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before the test gives up on it. Generous: machines are busy.
const PATIENCE: Duration = Duration::from_secs(120);

fn why(data: &Path, about: &str) -> (Option<i32>, Value) {
    let output = run(&["why", about, "--json", "--data-dir", data.to_str().unwrap()]);
    let code = output.status.code();
    let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (code, said)
}

fn wait_for<T>(child: &mut Child, what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = ready() {
            return found;
        }
        assert!(child.try_wait().unwrap().is_none(), "ended before {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
    child.kill().unwrap();
    panic!("waited in vain for {what}");
}

fn trades(data: &Path) -> Vec<Value> {
    let output = run(&[
        "trades",
        "--format",
        "json",
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    let all: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    all["trades"].as_array().cloned().unwrap_or_default()
}

#[test]
fn why_asks_the_pilot_then_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Neither a pilot nor a database.
    assert_eq!(why(&data, "btc").0, Some(69));

    let glob = format!("{}/*.wasm", strategies().display());
    let place = data.to_str().unwrap();
    let mut child = pm_arb(&[
        "pilot",
        "--strategies",
        &glob,
        "--data-dir",
        place,
        "--seed",
        "7",
        "--speed",
        "20",
    ])
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .unwrap();

    // A part of the name of several is not answered, but says which there are.
    let names = wait_for(&mut child, "markets", || {
        let (code, said) = why(&data, "btc-updown");
        let names = said["names"].as_array().cloned().unwrap_or_default();
        (code == Some(1) && names.len() > 1).then_some(names)
    });
    let (slug, id) = (&names[0]["slug"], &names[0]["id"]);
    for about in [slug, id] {
        let (code, said) = why(&data, about.as_str().unwrap());
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(&said["subject"], slug);
        let now = &said["now"];
        assert!(!now["limit"].as_str().unwrap().is_empty(), "{now}");
        assert!(!now["observed"].as_str().unwrap().is_empty(), "{now}");
        let sentence = said["sentence"].as_str().unwrap();
        for part in [
            now["because"].as_str().unwrap(),
            now["limit"].as_str().unwrap(),
        ] {
            assert!(sentence.contains(part), "{sentence}");
        }
    }
    let (code, said) = why(&data, "btc-updown-5m-nothing-like-it");
    assert_eq!((code, said["found"].as_str()), (Some(1), Some("unknown")));
    assert!(
        !said["names"].as_array().unwrap().is_empty(),
        "near ones are named"
    );

    // A halt is the reason of everything.
    assert!(
        run(&["halt", "-m", "for a test", "--data-dir", place])
            .status
            .success()
    );
    let (_, said) = why(&data, slug.as_str().unwrap());
    assert_eq!(
        (&said["now"]["code"], &said["now"]["observed"]),
        (&"HALTED".into(), &"for a test".into())
    );
    assert!(
        run(&["resume", "-m", "go on", "--data-dir", place])
            .status
            .success()
    );

    let rows = wait_for(&mut child, "trades", || {
        let rows = trades(&data);
        (!rows.is_empty()).then_some(rows)
    });
    let status = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    assert!(child.wait().unwrap().success());

    // The database alone knows what was wished and traded, and the funnel as it was counted last.
    let row = &rows[0];
    let (code, said) = why(&data, row["market_slug"].as_str().unwrap());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said["now"], Value::Null);
    assert!(!said["before"].as_array().unwrap().is_empty(), "{said}");
    let (code, said) = why(&data, row["id"].as_str().unwrap());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said["before"][0]["trade"], row["id"]);
    let (code, said) = why(&data, row["opportunity_id"].as_str().unwrap());
    assert_eq!(code, Some(0), "{said}");
    let text = run(&["why", "no-such-market", "--data-dir", place]);
    assert!(stdout_of(&text).contains("was never seen here"));
    stored_funnel_conserves(&data);
    let report = run(&["report", "--json", "--data-dir", place]);
    assert!(json(&report).is_object(), "{}", stdout(&report));
}

fn stdout_of(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stored_funnel_conserves(data: &Path) {
    let url = format!("sqlite://{}", data.join("pm-arb.sqlite").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let counts = runtime.block_on(async {
        let store = pm_arb::store::Store::open_read_only(&url).await.unwrap();
        store.funnel().await.unwrap()
    });
    let (funnel, _) = pm_arb::snapshot::Funnel::of_counts(&counts).unwrap();
    let mut passed = None;
    for stage in &funnel.stages {
        let left = stage.passed + stage.refused() + stage.ended() + stage.waiting();
        assert_eq!(stage.entered(), left, "{stage:?}");
        assert!(
            passed.is_none_or(|n| stage.entered[0].count == n),
            "{stage:?}"
        );
        passed = Some(stage.passed);
    }
    assert!(funnel.stages[0].entered() > 0);
}
