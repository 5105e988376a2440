//! Alerts outward, against a real server on this machine: busy, failing, hanging, dead, refusing.

use crate::support::{pm_arb, root};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use pm_arb::agent::AgentContext;
use pm_arb::alerts::config::AlertsConfig;
use pm_arb::alerts::inbox::Quiet;
use pm_arb::alerts::notifier::Notifier;
use pm_arb::alerts::target::Pace;
use pm_arb::alerts::{AlertBoard, Level, Notice};
use pm_arb::vitals::{Gauges, Progress};
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long anything may take before a test gives up on it. Generous: machines are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the server treats one request; when none is left it takes them.
#[derive(Clone)]
enum Answer {
    Status(u16, Option<&'static str>, String),
    Hang,
}

#[derive(Clone, Debug)]
struct Heard {
    at: Instant,
    path: String,
    token: Option<String>,
    body: Value,
    status: u16,
}

#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

async fn serve(
    State(server): State<Server>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let answer = server.answers.lock().unwrap().pop_front();
    let status = match &answer {
        None => 200,
        Some(Answer::Status(status, ..)) => *status,
        Some(Answer::Hang) => 0,
    };
    let token = headers
        .get("authorization")
        .map(|v| v.to_str().unwrap().to_owned());
    server.heard.lock().unwrap().push(Heard {
        at: Instant::now(),
        path: uri.path().to_owned(),
        token,
        body: serde_json::from_str(&body).unwrap_or_default(),
        status,
    });
    match answer {
        None => "ok".into_response(),
        Some(Answer::Hang) => {
            tokio::time::sleep(PATIENCE).await;
            "late".into_response()
        }
        Some(Answer::Status(status, after, text)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
            if let Some(after) = after {
                response
                    .headers_mut()
                    .insert("retry-after", after.parse().unwrap());
            }
            response
        }
    }
}

impl Server {
    async fn at(&self, address: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(serve).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        address
    }

    async fn start(answers: impl IntoIterator<Item = Answer>) -> (Self, SocketAddr) {
        let server = Self::default();
        server.answers.lock().unwrap().extend(answers);
        let address = server.at(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        (server, address)
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn taken(&self) -> Vec<Heard> {
        let mut heard = self.heard();
        heard.retain(|one| one.status == 200);
        heard
    }

    async fn wait_for<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(found) = look(self) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("waited in vain for {what}: {:#?}", self.heard());
    }
}

/// The real thing, with shorter waits.
fn quick() -> Pace {
    Pace {
        quiet: Quiet {
            other: Duration::from_secs(600),
            critical: Duration::from_secs(600),
        },
        linger: Duration::from_millis(50),
        burst: 20,
        refill: Duration::from_secs(600),
        retry: (Duration::from_millis(20), Duration::from_millis(100)),
        patience: Duration::from_millis(500),
    }
}

struct Running {
    board: AlertBoard,
    notifier: Notifier,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), pm_arb::agent::AgentError>>,
}

impl Running {
    fn start(config: &AlertsConfig, progress: Progress) -> Self {
        let gauges = Gauges::default();
        let notifier = Notifier::new(
            config,
            quick(),
            &gauges.alerts,
            progress,
            "sqlite:///nowhere/db",
            gauges.watch(),
        );
        let notifier = notifier.unwrap().unwrap();
        let (stop, stopping) = watch::channel(false);
        Self {
            board: gauges.alerts.clone(),
            task: tokio::spawn(notifier.clone().run(AgentContext::new(stopping))),
            notifier,
            stop,
        }
    }

    fn webhook(address: SocketAddr) -> Self {
        let text = format!("[[targets]]\nkind = \"webhook\"\nurl = \"http://{address}/hook\"");
        Self::start(&toml::from_str(&text).unwrap(), Progress::default())
    }

    fn raise(&self, code: &str, text: &str) {
        self.board
            .raise(Notice::new(Level::Warning, code, "", text));
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

fn codes(heard: &Heard) -> Vec<String> {
    let alerts = heard.body["alerts"].as_array().unwrap();
    alerts
        .iter()
        .map(|a| a["code"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_busy_target_is_given_the_time_it_asks_for_and_told_of_everything_at_once() {
    let busy = Answer::Status(429, Some("1"), String::new());
    let failing = Answer::Status(503, None, "try later".into());
    let (server, address) = Server::start([busy, failing, Answer::Hang]).await;
    let running = Running::webhook(address);
    running.raise("A", "first");
    server
        .wait_for("the first attempt", |s| {
            (!s.heard().is_empty()).then_some(())
        })
        .await;
    for _ in 0..4 {
        running.raise("B", "while it is busy");
    }
    let taken = server.wait_for("a delivery", |s| s.taken().pop()).await;
    assert_eq!(codes(&taken), ["A", "B"]);
    assert_eq!(taken.body["alerts"][1]["count"], 4);
    let heard = server.heard();
    let statuses: Vec<u16> = heard.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [429, 503, 0, 200]);
    assert!(
        heard[1].at - heard[0].at >= Duration::from_secs(1),
        "it asked for a second"
    );
    let (rows, _) = running.notifier.rows();
    assert_eq!((rows[0].retries, rows[0].lost, rows[0].waiting), (3, 0, 0));
    running.stop().await;
}

#[tokio::test]
async fn a_dead_server_loses_nothing_and_is_told_when_it_is_back() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let running = Running::webhook(address);
    running.raise("A", "while it is dead");
    let server = Server::default();
    server
        .wait_for("attempts", |_| {
            (running.notifier.rows().0[0].retries >= 3).then_some(())
        })
        .await;
    let row = running.notifier.rows().0.remove(0);
    assert!(row.failing && row.waiting == 1 && row.lost == 0, "{row:?}");
    server.at(address).await;
    let taken = server.wait_for("a delivery", |s| s.taken().pop()).await;
    assert_eq!(codes(&taken), ["A"]);
    running.stop().await;
}

#[tokio::test]
async fn what_is_refused_is_counted_and_the_next_message_says_so() {
    let (server, address) = Server::start([Answer::Status(401, None, "who are you?".into())]).await;
    let running = Running::webhook(address);
    running.raise("A", "refused");
    server
        .wait_for("the refusal", |_| {
            (running.notifier.rows().0[0].lost == 1).then_some(())
        })
        .await;
    let row = running.notifier.rows().0.remove(0);
    assert!(row.last_error.unwrap().contains("401 who are you?"));
    running.raise("B", "taken");
    let taken = server.wait_for("a delivery", |s| s.taken().pop()).await;
    assert_eq!(
        (codes(&taken), &taken.body["lost"]),
        (vec!["B".to_owned()], &Value::from(1))
    );
    running.stop().await;
}

#[tokio::test]
async fn ten_thousand_events_are_a_handful_of_messages_and_one_over() {
    let (server, address) = Server::start([]).await;
    let running = Running::webhook(address);
    for n in 0..10_000 {
        running.raise(["A", "B", "C"][n % 3], "again");
        if n % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    running
        .board
        .raise(Notice::new(Level::Warning, "A", "", "recovered").over());
    running
        .board
        .raise(Notice::new(Level::Info, "D", "", "below the level"));
    let overs = |s: &Server| {
        let taken = s.taken();
        let all = taken
            .iter()
            .flat_map(|one| one.body["alerts"].as_array().unwrap().clone());
        all.filter(|alert| alert["over"] == true).count()
    };
    server
        .wait_for("the end of A", |s| (overs(s) > 0).then_some(()))
        .await;
    running.stop().await;
    assert_eq!(overs(&server), 1);
    let taken = server.taken();
    assert!(taken.len() <= 5, "{} messages", taken.len());
    // Every single one was told of or was told of at the end: counted, none lost.
    let told: u64 = taken
        .iter()
        .flat_map(|one| one.body["alerts"].as_array().unwrap().clone())
        .filter(|alert| alert["over"] == false)
        .map(|alert| alert["count"].as_u64().unwrap())
        .sum();
    assert_eq!(told, 10_000);
}

#[tokio::test]
async fn a_frozen_engine_stops_the_ping() {
    let (server, address) = Server::start([]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ping");
    std::fs::write(&file, format!("http://{address}/ping/canary-5d0e\n")).unwrap();
    let text = format!("[dead_man]\nurl_file = {file:?}\nevery_secs = 1");
    let progress = Progress::default();
    let running = Running::start(&toml::from_str(&text).unwrap(), progress.clone());
    let pings = |s: &Server| {
        s.heard()
            .iter()
            .filter(|one| one.path == "/ping/canary-5d0e")
            .count()
    };
    let engine = {
        let progress = progress.clone();
        tokio::spawn(async move {
            loop {
                progress.turned(1);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    server
        .wait_for("pings", |s| (pings(s) >= 2).then_some(()))
        .await;
    engine.abort();
    let _ = engine.await;
    let withheld = || running.notifier.rows().1.unwrap().withheld;
    // The turns since the last ping earn one more at most.
    server
        .wait_for("a withheld ping", |_| (withheld() >= 1).then_some(()))
        .await;
    let at_freeze = pings(&server);
    server
        .wait_for("more of them", |_| (withheld() >= 3).then_some(()))
        .await;
    assert_eq!(pings(&server), at_freeze);
    progress.turned(2);
    server
        .wait_for("the ping again", |s| (pings(s) > at_freeze).then_some(()))
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_digest_without_its_database_says_so() {
    let (_server, address) = Server::start([]).await;
    let running = Running::webhook(address);
    let digest = running.notifier.digest().await;
    assert!(
        digest.contains("The database could not be read") && digest.contains("no bad minute"),
        "{digest}"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_shows_answers_and_no_secret() {
    const CANARY: &str = "canary-9f27";
    // It repeats what it was sent, as debugging endpoints do.
    let echo = format!("you sent {CANARY}");
    let (server, address) = Server::start([
        Answer::Status(200, None, echo),
        Answer::Status(403, None, "no".into()),
    ])
    .await;
    let dir = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = free.local_addr().unwrap();
    drop(free);
    let token = dir.path().join("token");
    std::fs::write(&token, CANARY).unwrap();
    let config = dir.path().join("pm-arb.toml");
    let text = format!(
        "[[alerts.targets]]\nkind = \"webhook\"\nname = \"good\"\nurl = \"http://{address}/hook\"\ntoken_file = {token:?}\n\
         [[alerts.targets]]\nkind = \"ntfy\"\nname = \"refuses\"\nurl = \"http://{address}/desk\"\n\
         [[alerts.targets]]\nkind = \"telegram\"\nname = \"dead\"\nurl = \"http://{dead}\"\nchat = \"1\"\ntoken_env = \"PM_ARB_TEST_TOKEN\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = pm_arb(&[
        "-vv",
        "alerts",
        "test",
        "--config",
        config.to_str().unwrap(),
    ]);
    command.env("PM_ARB_TEST_TOKEN", CANARY).current_dir(root());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let logged = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}{logged}");
    assert!(
        said.contains("good: ok: answered 200 you sent •••"),
        "{said}"
    );
    assert!(said.contains("refuses: FAILED: answered 403 no"), "{said}");
    assert!(said.contains("dead: FAILED: "), "{said}");
    assert!(
        !said.contains(CANARY) && !logged.contains(CANARY),
        "{said}\n{logged}"
    );
    let heard = server.heard();
    assert_eq!(
        heard[0].token.as_deref(),
        Some(format!("Bearer {CANARY}").as_str())
    );
    assert_eq!(
        (heard[1].path.as_str(), &heard[1].body["topic"]),
        ("/", &Value::from("desk"))
    );
    // A secret that is not there is a wrong configuration, told before anything is sent.
    let mut command = pm_arb(&["alerts", "test", "--config", config.to_str().unwrap()]);
    command.env_remove("PM_ARB_TEST_TOKEN");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("PM_ARB_TEST_TOKEN, which is not set")
    );
}
