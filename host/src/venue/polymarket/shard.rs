//! One connection of the market channel and the assets it carries.
//!
//! Owns the socket, the decoder and what is known of each asset's subscription. It makes sure that
//! every asset gets its first book, notices a connection that is open but frozen, and declares a gap
//! before anything is subscribed anew. A subscription dies with its connection.

use super::decode::{Decoder, FrameError};
use super::watcher::PolymarketConfig;
use crate::agent::AgentError;
use crate::backoff::Backoff;
use crate::catalog::SharedCatalog;
use crate::causes::chain;
use crate::feed::Feed;
use crate::feed_board::Stream;
use crate::net::round_trip::{ASK_EVERY, ASK_FIRST, RoundTrips};
use crate::net::socket::{Socket, SocketError};
use pm_arb_core::event::{Event, GapScope};
use pm_arb_core::ids::{InstrumentId, MarketId, Venue};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::reason::Reason;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// The first answer is one array with a book for every asset.
const MESSAGE_MAX: usize = 32 << 20;
/// Without any message for so long, not even the answer to `PING`, the connection is dead.
const DEAD_AFTER: Duration = Duration::from_secs(25);
/// How often subscriptions are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Unreadable frames after which the connection is replaced.
const UNREADABLE_MAX: u32 = 5;
/// A book that never came is asked for at most this many times less often.
const PATIENCE_MAX: u32 = 6;

/// Markets whose outcome came over the market channel and that the watcher has not yet noted.
pub(super) type Resolved = Arc<Mutex<BTreeSet<MarketId>>>;

/// What the watcher tells a shard.
#[derive(Debug)]
pub(super) enum Order {
    /// Carry this market (or learn its new specification).
    Track(Arc<MarketSpec>, bool),
    /// Carry it no more.
    Drop(MarketId),
}

#[derive(Debug)]
struct Asset {
    token: String,
    market: MarketId,
    /// Whether a book came since the last subscription.
    has_book: bool,
    /// Whether a book ever came.
    was_served: bool,
    asked: Instant,
    tries: u32,
    heard: Instant,
}

/// A connection and its assets.
pub(super) struct Shard {
    feed: Feed,
    stream: Stream,
    cfg: Arc<PolymarketConfig>,
    catalog: SharedCatalog,
    orders: mpsc::Receiver<Order>,
    resolved: Resolved,
    round_trips: RoundTrips,
    /// When the oldest `PING` without an answer was sent. Answers carry no number: one that is lost
    /// makes the next look longer than it was, never shorter.
    asked: Option<Instant>,
    decoder: Decoder,
    markets: BTreeMap<MarketId, Arc<MarketSpec>>,
    assets: BTreeMap<InstrumentId, Asset>,
}

/// Why a connection ended.
enum End {
    Stopping,
    Replace(String),
}

impl Shard {
    pub fn new(
        feed: Feed,
        stream: Stream,
        cfg: Arc<PolymarketConfig>,
        catalog: SharedCatalog,
        orders: mpsc::Receiver<Order>,
        resolved: Resolved,
        round_trips: RoundTrips,
    ) -> Self {
        Self {
            feed,
            stream,
            cfg,
            catalog,
            orders,
            resolved,
            round_trips,
            asked: None,
            decoder: Decoder::new(),
            markets: BTreeMap::new(),
            assets: BTreeMap::new(),
        }
    }

    /// Runs until told to stop.
    pub async fn run(mut self) -> Result<(), AgentError> {
        let mut backoff = Backoff::of_connections();
        loop {
            while self.assets.is_empty() {
                if self.wait(Duration::MAX).await {
                    return Ok(());
                }
            }
            let started = Instant::now();
            let cause = match self.session().await? {
                End::Stopping => return Ok(()),
                End::Replace(cause) => cause,
            };
            let wait = backoff.after(started.elapsed());
            tracing::warn!(venue = "polymarket", %cause, ?wait, "market channel interrupted");
            self.stream.down(&cause);
            self.gap_all(&cause).await?;
            let until = Instant::now() + wait;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                if self.wait(left).await {
                    return Ok(());
                }
            }
        }
    }

    /// Waits for an order, at most `span`. Whether to stop.
    async fn wait(&mut self, span: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.feed.ctx.stopped() => return true,
            order = self.orders.recv() => match order {
                Some(order) => drop(self.obey(order)),
                None => return true,
            },
            () = tokio::time::sleep(span) => {}
        }
        false
    }

    /// Applies an order to the books kept here; what to subscribe and unsubscribe follows from it.
    fn obey(&mut self, order: Order) -> (Vec<InstrumentId>, Vec<String>) {
        let follows = self.take_order(order);
        let assets = self.assets.len();
        self.stream.carries(format!("{assets} assets"), assets == 0);
        follows
    }

    fn take_order(&mut self, order: Order) -> (Vec<InstrumentId>, Vec<String>) {
        match order {
            Order::Track(spec, neg_risk) => {
                self.decoder.track(&spec, neg_risk);
                let mut fresh = Vec::new();
                for outcome in &spec.outcomes {
                    let now = Instant::now();
                    let asset = Asset {
                        token: outcome.native_id.clone(),
                        market: spec.id,
                        has_book: false,
                        was_served: false,
                        asked: now,
                        tries: 0,
                        heard: now,
                    };
                    if let std::collections::btree_map::Entry::Vacant(slot) =
                        self.assets.entry(outcome.instrument)
                    {
                        slot.insert(asset);
                        fresh.push(outcome.instrument);
                    }
                }
                self.markets.insert(spec.id, spec);
                (fresh, Vec::new())
            }
            Order::Drop(market) => {
                let Some(spec) = self.markets.remove(&market) else {
                    return Default::default();
                };
                self.decoder.forget(&spec);
                let gone = spec.outcomes.iter();
                let tokens = gone.filter_map(|o| self.assets.remove(&o.instrument));
                (Vec::new(), tokens.map(|asset| asset.token).collect())
            }
        }
    }

    async fn session(&mut self) -> Result<End, AgentError> {
        let mut socket = match self.connect().await {
            Ok(socket) => socket,
            Err(error) => return Ok(End::Replace(chain(&error))),
        };
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut alive, mut moved) = (Instant::now(), Instant::now());
        let mut ask = alive + ASK_FIRST;
        let mut unreadable = 0;
        loop {
            enum Turn {
                Order(Option<Order>),
                Look,
                Message(Result<Option<tokio_tungstenite::tungstenite::Utf8Bytes>, SocketError>),
            }
            let turn = tokio::select! {
                biased;
                () = self.feed.ctx.stopped() => {
                    socket.close().await;
                    return Ok(End::Stopping);
                }
                order = self.orders.recv() => Turn::Order(order),
                _ = look.tick() => Turn::Look,
                message = socket.next() => Turn::Message(message),
            };
            let done = match turn {
                Turn::Order(None) => return Ok(End::Stopping),
                Turn::Order(Some(order)) => {
                    let (fresh, gone) = self.obey(order);
                    match unsubscribe(&mut socket, gone).await {
                        Ok(()) => self.subscribe(&mut socket, &fresh, false).await,
                        Err(error) => Err(error),
                    }
                }
                Turn::Message(Err(error)) => Err(error),
                Turn::Message(Ok(None)) => Ok(()),
                Turn::Message(Ok(Some(text))) => {
                    alive = Instant::now();
                    self.stream.message(text.len());
                    let (renew, is_data) = self.frame(&text, &mut unreadable).await?;
                    if is_data {
                        moved = alive;
                    }
                    if unreadable > UNREADABLE_MAX {
                        return Ok(End::Replace("too many unreadable frames".to_owned()));
                    }
                    self.subscribe(&mut socket, &renew, true).await
                }
                Turn::Look => {
                    if alive.elapsed() >= DEAD_AFTER {
                        return Ok(End::Replace("no answer to PING".to_owned()));
                    }
                    let mut sent = Ok(());
                    // The server wants a text heartbeat, and its answer tells how far away it is.
                    let now = Instant::now();
                    if now >= ask {
                        ask = now + ASK_EVERY;
                        self.asked.get_or_insert(now);
                        sent = socket.send("PING").await;
                    }
                    let (renew, starved) = self.starving(moved.elapsed());
                    if starved {
                        return Ok(End::Replace("a book did not come".to_owned()));
                    }
                    if moved.elapsed() >= Duration::from_millis(self.cfg.silence_ms) {
                        // Asked once; the answer is a book, or the connection is replaced.
                        moved = Instant::now();
                    }
                    if socket.age() >= Duration::from_millis(self.cfg.replace_after_ms)
                        && let Ok(fresh) = self.connect().await
                    {
                        self.gap_all("scheduled replacement of the connection")
                            .await?;
                        std::mem::replace(&mut socket, fresh).close().await;
                        (alive, moved) = (Instant::now(), Instant::now());
                        ask = alive + ASK_FIRST;
                        continue;
                    }
                    match sent {
                        Ok(()) => self.subscribe(&mut socket, &renew, true).await,
                        Err(error) => Err(error),
                    }
                }
            };
            if let Err(error) = done {
                return Ok(End::Replace(chain(&error)));
            }
        }
    }

    /// Connects and subscribes to everything.
    async fn connect(&mut self) -> Result<Socket, SocketError> {
        let mut socket = Socket::connect(&self.cfg.ws_url, &[], MESSAGE_MAX).await?;
        let tokens: Vec<&str> = self.assets.values().map(|a| a.token.as_str()).collect();
        let hello = json!({
            "assets_ids": tokens, "type": "market",
            "initial_dump": true, "custom_feature_enabled": true,
        });
        socket.send(hello.to_string()).await?;
        self.stream.connected();
        self.asked = None;
        for asset in self.assets.values_mut() {
            (asset.has_book, asset.tries) = (false, 0);
            (asset.asked, asset.heard) = (Instant::now(), Instant::now());
        }
        Ok(socket)
    }

    /// Subscribes to these assets, `anew` if they were subscribed before: only that brings a book.
    async fn subscribe(
        &mut self,
        socket: &mut Socket,
        instruments: &[InstrumentId],
        anew: bool,
    ) -> Result<(), SocketError> {
        let mut tokens = Vec::new();
        for instrument in instruments {
            if let Some(asset) = self.assets.get_mut(instrument) {
                asset.has_book = false;
                asset.asked = Instant::now();
                tokens.push(asset.token.clone());
            }
        }
        if tokens.is_empty() {
            return Ok(());
        }
        if anew {
            unsubscribe(socket, tokens.clone()).await?;
        }
        let subscribe = json!({
            "operation": "subscribe", "assets_ids": tokens,
            "initial_dump": true, "custom_feature_enabled": true,
        });
        socket.send(subscribe.to_string()).await
    }

    /// Reads a frame and hands it on. Which assets need a new book, and whether a book moved.
    async fn frame(
        &mut self,
        text: &str,
        unreadable: &mut u32,
    ) -> Result<(Vec<InstrumentId>, bool), AgentError> {
        let mut events = Vec::new();
        let read = self.decoder.frame(text, &self.catalog.lock(), &mut events);
        let counts = match read {
            Ok(counts) => counts,
            Err(error) => return self.unreadable(&error, unreadable).await,
        };
        if counts.pongs > 0
            && let Some(asked) = self.asked.take()
        {
            events.extend(self.round_trips.took(asked.elapsed()));
        }
        let (mut is_data, mut is_book) = (false, false);
        let now = Instant::now();
        for event in &events {
            let (instrument, whole) = match event {
                Event::Level(level) => (level.instrument, false),
                Event::Snapshot(book) => (book.instrument, true),
                _ => continue,
            };
            is_data = true;
            is_book |= whole;
            if let Some(asset) = self.assets.get_mut(&instrument) {
                asset.heard = now;
                if whole {
                    (asset.has_book, asset.was_served, asset.tries) = (true, true, 0);
                }
            }
        }
        // Outcomes reach every connection: each shard passes on those of its own markets.
        events.retain(|event| match event {
            Event::Resolved(outcome) => {
                let ours = self.markets.contains_key(&outcome.market);
                let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
                ours && resolved.insert(outcome.market)
            }
            _ => true,
        });
        self.feed.send(events).await?;
        self.feed.ctx.beat();
        if is_book && !self.feed.ctx.is_ready() {
            self.feed.ctx.ready();
        }
        Ok((self.decoder.take_untrusted(), is_data))
    }

    /// A frame that says nothing may have been about any of our books.
    async fn unreadable(
        &self,
        error: &FrameError,
        unreadable: &mut u32,
    ) -> Result<(Vec<InstrumentId>, bool), AgentError> {
        *unreadable += 1;
        tracing::warn!(venue = "polymarket", error = %chain(error), "frame refused");
        let refused = Event::Refused {
            venue: Some(Venue::Polymarket),
            reason: Reason::MalformedFrame,
        };
        self.feed.send(vec![refused]).await?;
        self.gap_all("a frame was unreadable").await?;
        self.feed.ctx.beat();
        Ok((self.assets.keys().copied().collect(), false))
    }

    /// The assets to ask for again, and whether asking is of no use any more.
    fn starving(&mut self, still: Duration) -> (Vec<InstrumentId>, bool) {
        let book_within = Duration::from_millis(self.cfg.book_within_ms);
        let silence = Duration::from_millis(self.cfg.silence_ms);
        let quiet = Duration::from_millis(self.cfg.quiet_ms);
        let now = self.feed.clock.now();
        let nothing_came = self.assets.values().all(|asset| !asset.has_book);
        let (mut renew, mut starved) = (Vec::new(), false);
        for (instrument, asset) in &mut self.assets {
            let spec = self.markets.get(&asset.market);
            if spec.is_none_or(|spec| now >= spec.closes_at) {
                continue;
            }
            if asset.has_book {
                // A frozen connection answers PING but sends no data: ask, and see whether a book comes.
                if still >= silence || asset.heard.elapsed() >= quiet {
                    asset.tries = 1;
                    renew.push(*instrument);
                }
            } else if asset.asked.elapsed() >= book_within * asset.tries.clamp(1, PATIENCE_MAX) {
                // A market that was never served may not be on the channel yet.
                starved |= asset.tries > 0 && (asset.was_served || nothing_came);
                asset.tries += 1;
                renew.push(*instrument);
            }
        }
        (renew, starved)
    }

    async fn gap_all(&self, cause: &str) -> Result<(), AgentError> {
        let gap = |instrument: &InstrumentId| Event::Gap {
            scope: GapScope::Instrument(*instrument),
            cause: cause.to_owned(),
        };
        self.feed.send(self.assets.keys().map(gap).collect()).await
    }
}

async fn unsubscribe(socket: &mut Socket, tokens: Vec<String>) -> Result<(), SocketError> {
    if tokens.is_empty() {
        return Ok(());
    }
    let message = json!({"operation": "unsubscribe", "assets_ids": tokens});
    socket.send(message.to_string()).await
}
