//! The dashboard as browsers, programs and attackers meet it: here what its tests share.

mod door;
mod flood;
mod hostile;
mod pilot;
mod tls;

use pm_arb::agent::AgentContext;
use pm_arb::web::app::App;
use pm_arb::web::{DashboardConfig, Door, api, assets, guard, live, pages, server};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long anything may take before a test gives up on it. Generous: machines are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A dashboard without a pilot, in this process.
struct Dashboard {
    address: SocketAddr,
    token: String,
    stop: watch::Sender<bool>,
    served: Option<std::thread::JoinHandle<bool>>,
    _dir: tempfile::TempDir,
}

impl Dashboard {
    /// On loopback.
    fn start() -> Self {
        Self::with(&DashboardConfig::default(), "127.0.0.1:0")
    }

    fn with(config: &DashboardConfig, listen: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let door = Door::open(config, Some(listen), dir.path())
            .unwrap()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], door.address().port()));
        let token = std::fs::read_to_string(guard::token_path(dir.path())).unwrap();
        let url = format!("sqlite://{}", dir.path().join("none.sqlite").display());
        let (rules, folder) = (crate::support::rules(), dir.path().to_owned());
        let make: server::MakeApp = Arc::new(move |live| {
            let pilot = watch::channel(None).1;
            App::new(pilot, &url, rules.clone(), folder.clone(), live)
        });
        let (stop, stopping) = watch::channel(false);
        let context = AgentContext::new(stopping);
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime
                .block_on(server::run(context, Arc::new(door), make))
                .is_ok()
        });
        Self {
            address,
            token,
            stop,
            served: Some(served),
            _dir: dir,
        }
    }

    /// Stops it and says whether it ended well.
    fn end(&mut self) -> bool {
        let _ = self.stop.send(true);
        self.served
            .take()
            .is_some_and(|served| served.join().unwrap())
    }

    /// A request with our own name and nothing else but `headers`.
    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        let host = format!("Host: {}\r\n{headers}", self.address);
        ask(self.address, method, path, &host, "")
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.end();
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Exactly these headers, byte for byte; of a stream only the head is read.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = connect(address);
    let request = format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    let head_end = |bytes: &[u8]| bytes.windows(4).position(|w| w == b"\r\n\r\n");
    loop {
        let n = stream.read(&mut part).unwrap_or(0);
        bytes.extend_from_slice(&part[..n]);
        let streams = path.starts_with("/live") && head_end(&bytes).is_some();
        if n == 0 || streams {
            break;
        }
    }
    parse(&bytes, path)
}

/// The answer to what was asked of `path`.
fn parse(bytes: &[u8], path: &str) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("{path} got no answer: {text:?}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Every route there is, with the methods it answers to.
fn every_route() -> Vec<(&'static str, String)> {
    let mut routes: Vec<(&'static str, String)> = Vec::new();
    let document = serde_json::to_value(api::document()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = match method.as_str() {
                "get" => "GET",
                "post" => "POST",
                "put" => "PUT",
                "delete" => "DELETE",
                _ => continue,
            };
            let path: Vec<&str> = path
                .split('/')
                .map(|part| if part.starts_with('{') { "x" } else { part })
                .collect();
            routes.push((method, path.join("/")));
        }
    }
    routes.extend(
        pages::PAGES
            .iter()
            .map(|page| ("GET", page.path.to_owned())),
    );
    routes.extend(assets::all().map(|asset| ("GET", asset.url())));
    routes.push(("GET", format!("{}?page=/", live::PATH)));
    routes.push(("GET", pm_arb::web::UNLOCK.to_owned()));
    routes.push(("GET", "/api/v1/openapi.json".to_owned()));
    assert!(routes.len() >= 18, "{routes:?}");
    routes
}
