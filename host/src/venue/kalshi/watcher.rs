//! Watches Kalshi: the scout (`scout`) finds markets and outcomes, the line carries their books.
//!
//! Owns one WebSocket with one subscription a channel, to which markets are added. The handshake of
//! the live venue needs an API key; a host that asks for none (the simulator) gets none.

use super::decode::Decoder;
use super::scout::Scout;
use super::sign::Signer;
use crate::agent::{AgentContext, AgentError};
use crate::backoff::Backoff;
use crate::catalog::SharedCatalog;
use crate::causes::chain;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::feed_board::Stream;
use crate::input::InputSender;
use crate::net::http::Http;
use crate::net::round_trip::{ASK_EVERY, ASK_FIRST, RoundTrips};
use crate::net::socket::{Socket, SocketError};
use crate::venue::left_out::LeftOut;
use pm_arb_core::event::{Event, GapScope};
use pm_arb_core::ids::Venue;
use pm_arb_core::reason::Reason;
use pm_arb_core::rulebook::Rulebook;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Largest message.
const MESSAGE_MAX: usize = 1 << 20;
/// Tickers waiting for the line.
const ORDERS_MAX: usize = 256;
/// The server pings every 10 s: without any sign of life for so long the connection is dead.
const DEAD_AFTER: Duration = Duration::from_secs(25);
/// How often silence is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Hosts whose handshake needs a key.
const KEYED_HOSTS: [&str; 2] = ["kalshi.com", "kalshi.co"];
/// Errors after which a subscription is over: channel error, buffer overflow.
const TERMINAL: [i64; 2] = [10, 25];

/// An API key.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// The file with the private key, PEM.
    pub private_key_file: String,
}

/// What to watch, and where.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KalshiConfig {
    /// The REST API, with its version.
    pub rest_url: String,
    /// The WebSocket.
    pub ws_url: String,
    /// Series, by ticker.
    pub series: Vec<String>,
    /// Needed for the live venue.
    pub key: Option<ApiKey>,
    /// Markets of an earlier part of the run whose outcome is not known, by ticker.
    pub unresolved: Vec<String>,
    /// Time of the run between two looks at the list of markets.
    pub refresh_ms: u64,
    /// Markets are followed from so long before they open.
    pub ahead_ms: u64,
    /// A connection without data for so long is replaced.
    pub silence_ms: u64,
}

impl Default for KalshiConfig {
    fn default() -> Self {
        Self {
            rest_url: "https://external-api.kalshi.com/trade-api/v2".to_owned(),
            ws_url: "wss://external-api-ws.kalshi.com/trade-api/ws/v2".to_owned(),
            series: vec!["KXBTC15M".to_owned()],
            key: None,
            unresolved: Vec::new(),
            refresh_ms: 10_000,
            ahead_ms: 600_000,
            silence_ms: 30_000,
        }
    }
}

/// What the scout tells the line.
pub(super) enum Order {
    Track(String),
    Drop(String),
}

/// Watches the venue until told to stop.
pub async fn run(
    ctx: AgentContext,
    cfg: KalshiConfig,
    catalog: SharedCatalog,
    clock: Clock,
    input: InputSender,
    rules: Arc<Rulebook>,
) -> Result<(), AgentError> {
    let signer = signer(&cfg)?;
    let http = Http::new().map_err(|e| AgentError::Fatal(chain(&e)))?;
    let http = http.noting(ctx.feeds(), "kalshi");
    let feed = Feed::new(ctx, clock, input);
    let gap = Event::Gap {
        scope: GapScope::Venue(Venue::Kalshi),
        cause: "the watcher started".to_owned(),
    };
    feed.send(vec![gap]).await?;
    let (orders, inbox) = mpsc::channel(ORDERS_MAX);
    let scout = Scout {
        feed: feed.clone(),
        cfg: cfg.clone(),
        catalog: catalog.clone(),
        http,
        orders,
        series: BTreeMap::new(),
        followed: BTreeMap::new(),
        rules: Arc::clone(&rules),
        left_out: LeftOut::default(),
    };
    let silence = Duration::from_millis(cfg.silence_ms);
    let stream = feed.ctx.feeds().stream("kalshi", silence);
    stream.carries("no markets", true);
    let line = Line {
        feed: feed.over(stream.clone()),
        stream,
        cfg,
        catalog,
        signer,
        orders: inbox,
        tickers: BTreeSet::new(),
        round_trips: RoundTrips::new(Venue::Kalshi),
        decoder: Decoder::sequenced(Arc::clone(&rules)),
        rules,
    };
    tokio::try_join!(scout.run(), line.run()).map(|_| ())
}

fn signer(cfg: &KalshiConfig) -> Result<Option<(String, Signer)>, AgentError> {
    let Some(key) = &cfg.key else {
        let authority = cfg.ws_url.split('/').nth(2).unwrap_or_default();
        let host = authority.split(':').next().unwrap_or_default();
        let needs_key = KEYED_HOSTS
            .iter()
            .any(|keyed| host == *keyed || host.ends_with(&format!(".{keyed}")));
        if needs_key {
            return Err(AgentError::Fatal(format!(
                "kalshi: {host} asks for an API key even for public data; create one in the account's \
                 settings and name its id and private key file in the configuration, or leave Kalshi out"
            )));
        }
        return Ok(None);
    };
    let pem = std::fs::read_to_string(&key.private_key_file).map_err(|e| {
        AgentError::Fatal(format!(
            "kalshi: cannot read the private key {}: {e}",
            key.private_key_file
        ))
    })?;
    let signer = Signer::from_pem(&pem).map_err(|e| AgentError::Fatal(chain(&e)))?;
    Ok(Some((key.id.clone(), signer)))
}

/// Carries the books.
struct Line {
    feed: Feed,
    stream: Stream,
    cfg: KalshiConfig,
    catalog: SharedCatalog,
    signer: Option<(String, Signer)>,
    orders: mpsc::Receiver<Order>,
    tickers: BTreeSet<String>,
    round_trips: RoundTrips,
    decoder: Decoder,
    rules: Arc<Rulebook>,
}

/// Why a connection ended.
enum End {
    Stopping,
    Replace(String),
}

/// The subscriptions of a connection.
#[derive(Default)]
struct Session {
    command: u64,
    asked: bool,
    /// By channel.
    sids: BTreeMap<String, u64>,
    /// Tickers to add once the subscriptions are known.
    later: BTreeSet<String>,
}

impl Line {
    async fn run(mut self) -> Result<(), AgentError> {
        let mut backoff = Backoff::of_connections();
        loop {
            let started = Instant::now();
            let cause = match self.session().await? {
                End::Stopping => return Ok(()),
                End::Replace(cause) => cause,
            };
            let wait = backoff.after(started.elapsed());
            tracing::warn!(venue = "kalshi", %cause, ?wait, "connection interrupted");
            self.stream.down(&cause);
            self.decoder = Decoder::sequenced(Arc::clone(&self.rules));
            let gap = Event::Gap {
                scope: GapScope::Venue(Venue::Kalshi),
                cause,
            };
            self.feed.send(vec![gap]).await?;
            tokio::select! {
                biased;
                () = self.feed.ctx.stopped() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn connect(&self) -> Result<Socket, String> {
        let mut headers = Vec::new();
        if let Some((id, signer)) = &self.signer {
            let ms = self.feed.clock.now().0 / 1_000_000;
            let path: String = self.cfg.ws_url.splitn(4, '/').skip(3).collect();
            headers = signer
                .headers(id, ms, &format!("/{path}"))
                .map_err(|e| chain(&e))?;
        }
        let socket = Socket::connect(&self.cfg.ws_url, &headers, MESSAGE_MAX).await;
        socket.map_err(|e| chain(&e))
    }

    async fn session(&mut self) -> Result<End, AgentError> {
        let mut socket = match self.connect().await {
            Ok(socket) => socket,
            Err(cause) => return Ok(End::Replace(cause)),
        };
        self.stream.connected();
        let mut session = Session {
            later: self.tickers.clone(),
            ..Session::default()
        };
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut alive, mut moved) = (Instant::now(), Instant::now());
        let mut ask = alive + ASK_FIRST;
        loop {
            let message = tokio::select! {
                biased;
                () = self.feed.ctx.stopped() => {
                    socket.close().await;
                    return Ok(End::Stopping);
                }
                order = self.orders.recv() => {
                    match order {
                        None => return Ok(End::Stopping),
                        Some(Order::Track(ticker)) => {
                            session.later.insert(ticker.clone());
                            self.tickers.insert(ticker);
                        }
                        Some(Order::Drop(ticker)) => {
                            self.decoder.forget(&ticker);
                            self.tickers.remove(&ticker);
                            session.later.remove(&ticker);
                        }
                    }
                    let markets = self.tickers.len();
                    self.stream.carries(format!("{markets} markets"), markets == 0);
                    None
                }
                _ = look.tick() => None,
                message = socket.next() => Some(message),
            };
            match message {
                Some(Err(error)) => return Ok(End::Replace(chain(&error))),
                Some(Ok(None)) => {
                    alive = Instant::now();
                    self.stream.message(0);
                    let measured = socket.take_round_trip();
                    let told = measured.and_then(|took| self.round_trips.took(took));
                    self.feed.send(told.into_iter().collect()).await?;
                }
                Some(Ok(Some(text))) => {
                    alive = Instant::now();
                    self.stream.message(text.len());
                    session.note(&text);
                    let mut events = Vec::new();
                    let read = self.decoder.frame(&text, &self.catalog.lock(), &mut events);
                    match read {
                        Ok(counts) if counts.error.is_some_and(|code| TERMINAL.contains(&code)) => {
                            return Ok(End::Replace(format!("the venue ended it: {text}")));
                        }
                        Ok(counts) => {
                            if counts.error.is_some() {
                                tracing::warn!(venue = "kalshi", answer = %text, "refused by the venue");
                            }
                            if counts.snapshots + counts.deltas > 0 {
                                moved = alive;
                            }
                            let is_book = counts.snapshots > 0;
                            self.feed.send(events).await?;
                            self.feed.ctx.beat();
                            if is_book && !self.feed.ctx.is_ready() {
                                self.feed.ctx.ready();
                            }
                        }
                        Err(error) => {
                            let refused = Event::Refused {
                                venue: Some(Venue::Kalshi),
                                reason: Reason::MalformedFrame,
                            };
                            self.feed.send(vec![refused]).await?;
                            return Ok(End::Replace(chain(&error)));
                        }
                    }
                }
                None => {
                    if alive.elapsed() >= DEAD_AFTER {
                        return Ok(End::Replace("no sign of life".to_owned()));
                    }
                    let silence = Duration::from_millis(self.cfg.silence_ms);
                    if !self.tickers.is_empty() && moved.elapsed() >= silence {
                        return Ok(End::Replace(format!("no data for {silence:?}")));
                    }
                    let now = Instant::now();
                    if now >= ask {
                        ask = now + ASK_EVERY;
                        if let Err(error) = socket.ping().await {
                            return Ok(End::Replace(chain(&error)));
                        }
                    }
                }
            }
            let untrusted = self.decoder.take_untrusted();
            if let Err(error) = session.ask(&mut socket, untrusted).await {
                return Ok(End::Replace(chain(&error)));
            }
        }
    }
}

impl Session {
    /// Notes the number of a subscription.
    fn note(&mut self, text: &str) {
        // Only a handful of messages a connection: worth a second look, not a second parse of all.
        if !text.contains("\"subscribed\"") {
            return;
        }
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let msg = value.get("msg");
        let channel = msg.and_then(|msg| msg.get("channel")?.as_str());
        let sid = msg.and_then(|msg| msg.get("sid")?.as_u64());
        if let (Some(channel), Some(sid)) = (channel, sid) {
            self.sids.insert(channel.to_owned(), sid);
        }
    }

    /// Sends what is to be asked: the first subscriptions, new tickers, snapshots.
    async fn ask(
        &mut self,
        socket: &mut Socket,
        untrusted: Vec<String>,
    ) -> Result<(), SocketError> {
        if !self.asked && !self.later.is_empty() {
            self.asked = true;
            let tickers = std::mem::take(&mut self.later);
            for channel in ["orderbook_delta", "trade"] {
                let params = json!({"channels": [channel], "market_tickers": tickers});
                self.send(socket, "subscribe", params).await?;
            }
            let params = json!({"channels": ["market_lifecycle_v2"]});
            self.send(socket, "subscribe", params).await?;
        }
        let books = self.sids.get("orderbook_delta").copied();
        let trades = self.sids.get("trade").copied();
        if let (false, Some(books), Some(trades)) = (self.later.is_empty(), books, trades) {
            let tickers = std::mem::take(&mut self.later);
            for sid in [books, trades] {
                let params =
                    json!({"sids": [sid], "market_tickers": tickers, "action": "add_markets"});
                self.send(socket, "update_subscription", params).await?;
            }
        }
        if let (false, Some(books)) = (untrusted.is_empty(), books) {
            let params =
                json!({"sids": [books], "market_tickers": untrusted, "action": "get_snapshot"});
            self.send(socket, "update_subscription", params).await?;
        }
        Ok(())
    }

    async fn send(
        &mut self,
        socket: &mut Socket,
        cmd: &str,
        params: Value,
    ) -> Result<(), SocketError> {
        self.command += 1;
        let message = json!({"id": self.command, "cmd": cmd, "params": params});
        socket.send(message.to_string()).await
    }
}
