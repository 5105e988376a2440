//! What every test on the wire needs: running venues, a socket that never waits for ever, Gamma.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use pm_arb::sim::{SimConfig, SimHandle, SimServer};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::ORIGIN_S;

/// Far above anything a test waits for; reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn venues(seed: u64, start_s: u64, speed: f64) -> SimHandle {
    let config = SimConfig {
        origin_unix_ns: ORIGIN_S * 1_000_000_000,
        start_at_unix_ns: start_s * 1_000_000_000,
        speed,
        ..SimConfig::starting_now(seed, start_s * 1_000_000_000)
    };
    SimServer::start(config).await.unwrap()
}

pub fn http() -> reqwest::Client {
    // Plain HTTP on loopback, but the client wants a TLS provider to exist. A second install fails, harmlessly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub async fn fetch(url: String) -> Value {
    http().get(url).send().await.unwrap().json().await.unwrap()
}

pub struct Socket {
    inner: tokio_tungstenite::WebSocketStream<
        tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>,
    >,
}

impl Socket {
    pub async fn open(url: &str) -> Self {
        Self {
            inner: tokio_tungstenite::connect_async(url).await.unwrap().0,
        }
    }

    pub async fn send(&mut self, message: impl ToString) {
        self.inner
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// The next text frame; `None` when the connection has ended.
    pub async fn text(&mut self) -> Option<String> {
        loop {
            match tokio::time::timeout(PATIENCE, self.inner.next())
                .await
                .expect("no frame came")
            {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame that is JSON, as a list of events.
    pub async fn events(&mut self) -> Vec<Value> {
        match serde_json::from_str(&self.text().await.expect("connection ended")).unwrap() {
            Value::Array(list) => list,
            one => vec![one],
        }
    }

    /// Reads until an event that fits.
    pub async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(event) = self.events().await.into_iter().find(&fits) {
                return event;
            }
        }
        panic!("no such event came");
    }

    /// Asks something and reads up to the answer: whatever was sent before has then been read.
    pub async fn flushed(&mut self, question: impl ToString, answer: &str) -> Vec<String> {
        self.send(question).await;
        let mut before = Vec::new();
        loop {
            let text = self.text().await.expect("connection ended");
            if text.contains(answer) {
                return before;
            }
            before.push(text);
        }
    }

    /// Frames that are already on their way, until the wire is quiet for `quiet`.
    pub async fn drain(&mut self, quiet: Duration) -> Vec<String> {
        let mut frames = Vec::new();
        while let Ok(Some(text)) = tokio::time::timeout(quiet, self.text()).await {
            frames.push(text);
        }
        frames
    }
}

pub fn is(kind: &str) -> impl Fn(&Value) -> bool + '_ {
    move |event| event["event_type"] == kind
}

/// Condition id and tokens of an up/down window, as Gamma tells them.
pub async fn gamma_market(sim: &SimHandle, start_s: u64) -> Value {
    let event = fetch(format!(
        "{}/events?slug=btc-updown-5m-{start_s}",
        sim.endpoints().gamma
    ))
    .await;
    event[0]["markets"][0].clone()
}

pub fn tokens(market: &Value) -> Vec<String> {
    serde_json::from_str(market["clobTokenIds"].as_str().unwrap()).unwrap()
}

pub async fn subscribed(sim: &SimHandle, tokens: &[String]) -> (Socket, Vec<Value>) {
    let mut socket = Socket::open(&sim.endpoints().polymarket_ws).await;
    socket.send(json!({"assets_ids": tokens, "type": "market", "initial_dump": true, "custom_feature_enabled": true})).await;
    let dump = socket.events().await;
    (socket, dump)
}

/// Cents (times 100) of a price string.
pub fn ticks(text: &Value) -> i64 {
    (text.as_str().unwrap().parse::<f64>().unwrap() * 10_000.0).round() as i64
}
