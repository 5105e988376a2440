//! A pilot with its dashboard, as its user starts them: pages, orders, probes, figures, the end; and the
//! dashboard that stands alone.

use super::{PATIENCE, ask, connect, hostile};
use crate::support::{pm_arb, root, run, strategies};
use pm_arb::control::{self, Request};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

struct Running {
    child: Child,
    address: SocketAddr,
    data: PathBuf,
}

impl Running {
    fn start(args: &[&str], data: &Path) -> Self {
        let log = data.with_extension(format!("{}.log", args[0]));
        let file = std::fs::File::create(&log).unwrap();
        let child = pm_arb(args)
            .args(["--data-dir", data.to_str().unwrap()])
            .stdout(file.try_clone().unwrap())
            .stderr(Stdio::from(file))
            .spawn()
            .unwrap();
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let url = wait(|| {
            let said = said();
            let (_, rest) = said.split_once("dashboard: http://")?;
            rest.split_once('/').map(|(address, _)| address.to_owned())
        });
        let address = url.unwrap_or_else(|| panic!("no dashboard:\n{}", said()));
        Self {
            child,
            address: address.parse().unwrap(),
            data: data.to_owned(),
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = ask(
            self.address,
            "GET",
            path,
            &format!("Host: {}\r\n", self.address),
            "",
        );
        (answer.status, answer.body)
    }

    /// An order with the token; the answer's status and body.
    fn order(&self, path: &str, kind: &str, body: &str) -> (u16, String, String) {
        let token = std::fs::read_to_string(self.data.join("dashboard.token")).unwrap();
        let headers = format!(
            "Host: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        let answer = ask(self.address, "POST", path, &headers, body);
        let to = answer.header("location").unwrap_or_default().to_owned();
        (answer.status, to, answer.body)
    }

    fn interrupt(&mut self) -> bool {
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-INT", &id])
            .status();
        assert!(sent.unwrap().success());
        wait(|| self.child.try_wait().unwrap()).is_some_and(|status| status.success())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait<T>(mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = ready() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    None
}

/// Every name that a file asks Prometheus for.
fn queried(text: &str) -> BTreeSet<String> {
    let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    names
        .filter(|name| name.starts_with("pm_arb_"))
        .map(str::to_owned)
        .collect()
}

/// Every name that `/metrics` gives, also those that have no value yet.
fn given(text: &str) -> BTreeSet<String> {
    let declared = text.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        Some(match kind {
            "counter" => format!("{name}_total"),
            _ => name.to_owned(),
        })
    });
    let declared: BTreeSet<String> = declared.collect();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for name in lines.filter_map(|line| line.split(['{', ' ']).next()) {
        assert!(declared.contains(name), "{name} was not declared");
    }
    declared
}

#[test]
fn a_pilot_shows_itself_obeys_and_ends_with_viewers_attached() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let wasm = strategies().join("*.wasm");
    let args = [
        "pilot",
        "--strategies",
        wasm.to_str().unwrap(),
        "--seed",
        "7",
        "--dashboard",
        "127.0.0.1:0",
    ];
    let mut pilot = Running::start(&args, &data);
    assert!(
        wait(|| (pilot.get("/readyz").0 == 200).then_some(())).is_some(),
        "{:?}",
        pilot.get("/readyz")
    );

    for page in &pm_arb::web::pages::PAGES {
        let (status, body) = pilot.get(page.path);
        assert_eq!(status, 200, "{}", page.path);
        assert!(body.contains(&format!("<h1>{}</h1>", page.name)), "{body}");
        assert!(body.contains("trading"), "{body}");
    }

    // The stream tells of a halt by itself.
    let mut stream = connect(pilot.address);
    let head = format!(
        "GET /live?page=/risk HTTP/1.1\r\nHost: {}\r\n\r\n",
        pilot.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"pilot\":\"trading\"")));

    let (status, _, body) = pilot.order(
        "/api/v1/halt",
        "application/json",
        r#"{"why":"a <b>test</b>"}"#,
    );
    assert_eq!(status, 200, "{body}");
    assert!(
        serde_json::from_str::<Value>(&body).unwrap()["record"].is_u64(),
        "{body}"
    );
    assert!(lines.any(|line| line.contains("\"pilot\":\"halted\"")));
    let health = control::ask(&data, &Request::Health).unwrap();
    assert!(
        health["health"]["halted"]
            .as_str()
            .unwrap()
            .contains("test"),
        "{health}"
    );
    let page =
        wait(|| Some(pilot.get("/trades").1).filter(|page| page.contains("Trading is halted")));
    assert!(page.unwrap().contains("a &lt;b&gt;test&lt;/b&gt;"));

    // Forms come back to their page; a resume needs a name and a note.
    let form = "application/x-www-form-urlencoded";
    let nameless = pilot.order("/api/v1/resume", form, "name=&note=fine&back=%2Frisk");
    assert_eq!(nameless.0, 422, "{nameless:?}");
    let (status, to, _) = pilot.order("/api/v1/resume", form, "name=Ada&note=checked&back=%2Frisk");
    assert_eq!((status, to.as_str()), (303, "/risk"));
    assert!(lines.any(|line| line.contains("\"pilot\":\"trading\"")));

    let answer = control::ask(&data, &Request::Snapshot).unwrap();
    hostile::pictures_stay_text(answer["snapshot"].clone());
    // What is sampled comes a second after the rest.
    let metrics =
        wait(|| Some(pilot.get("/metrics").1).filter(|m| m.contains("pm_arb_feed_state{")));
    figures_are_documented_and_queried_ones_exist(&metrics.expect("feeds among the figures"));

    watches_and_grants_are_drawn(&pilot);

    assert!(
        pilot.interrupt(),
        "it ends, and well, although a viewer is attached"
    );
    assert_eq!(lines.last().map(|_| ()), Some(()), "the stream ended");
    stands_alone(&data);
}

/// The page of a strategy tells what it asks for and may, and after a swap the watch.
fn watches_and_grants_are_drawn(pilot: &Running) {
    let path = "/strategies/cross-platform";
    let (status, page) = pilot.get(path);
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("polymarket, kalshi"), "{page}");
    assert!(!page.contains("stands by"), "nothing is watched yet");
    // Other bytes of the same strategy: a custom section more, called "b".
    let mut bytes = std::fs::read(strategies().join("cross-platform.wasm")).unwrap();
    bytes.extend([0, 2, 1, b'b']);
    let file = pilot.data.with_extension("wasm");
    std::fs::write(&file, bytes).unwrap();
    let order = serde_json::json!({"file": file, "note": "ann: the same once more"});
    let kind = "application/json";
    let swap = format!("/api/v1{path}/swap");
    let (status, _, body) = pilot.order(&swap, kind, &order.to_string());
    assert_eq!(status, 200, "{body}");
    let page = wait(|| Some(pilot.get(path).1).filter(|page| page.contains("stands by")));
    let page = page.expect("the watch, for five minutes");
    assert!(page.contains("calls of generation 2 so far"), "{page}");
    assert!(page.contains("Generation 1 stands by"), "{page}");
}

fn figures_are_documented_and_queried_ones_exist(metrics: &str) {
    let given = given(metrics);
    assert!(given.len() >= 60, "{given:?}");
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    for path in ["deploy/grafana.json", "deploy/alerts.yml"] {
        let asked = queried(&read(path));
        let missing: Vec<_> = asked.difference(&given).collect();
        assert!(
            !asked.is_empty() && missing.is_empty(),
            "{path} asks for {missing:?}"
        );
    }
    serde_json::from_str::<Value>(&read("deploy/grafana.json")).unwrap();
    let documented = queried(&read("docs/operations.md"));
    let silent: Vec<_> = given
        .difference(&documented)
        .filter(|n| n.as_str() != "")
        .collect();
    assert!(
        silent.is_empty(),
        "docs/operations.md does not mention {silent:?}"
    );
}

/// The dashboard over the same folder, now without a pilot.
fn stands_alone(data: &Path) {
    let mut alone = Running::start(&["dashboard", "--listen", "127.0.0.1:0"], data);
    let (status, page) = alone.get("/");
    assert_eq!(status, 200);
    assert!(
        page.contains("No pilot answers") && !page.contains(">trading<"),
        "{page}"
    );
    let (status, reasons) = alone.get("/readyz");
    assert!(status == 503 && reasons.contains("no pilot"), "{reasons}");
    assert_eq!(alone.get("/api/v1/snapshot").0, 503);
    // A halt is left for the next pilot.
    let (status, _, body) =
        alone.order("/api/v1/halt", "application/json", r#"{"why":"not today"}"#);
    assert_eq!(status, 200, "{body}");
    let left = std::fs::read_to_string(data.join("latch.json")).unwrap();
    assert!(left.contains("not today"), "{left}");
    assert!(alone.interrupt());
}

#[test]
fn a_dashboard_that_cannot_open_stops_the_start_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let wasm = strategies().join("oracle-sniper.wasm");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (listen, code, word) in [
        ("0.0.0.0:0", 78, "dashboard.tls_cert"),
        ("here", 78, "ADDRESS:PORT"),
        (taken.as_str(), 69, taken.as_str()),
    ] {
        let base = [
            "pilot",
            "--strategies",
            wasm.to_str().unwrap(),
            "--for",
            "1s",
        ];
        let place = ["--data-dir", data.to_str().unwrap(), "--dashboard", listen];
        let output = run(&[&base[..], &place[..]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{listen}: {said}");
        assert!(said.contains(word), "{said}");
    }
}
