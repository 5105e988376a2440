//! Watches Polymarket: finds the markets, has shards carry them, and learns how they ended.
//!
//! Owns the list of markets of this run and their HTTP questions. Windows and ends are told by the
//! run's clock (which may run faster than the wall); retries and timeouts by the wall. An outcome
//! that the market channel never brings is asked for until it is there.

use super::gamma::{self, GammaError};
use super::shard::{Order, Resolved, Shard};
use crate::agent::{AgentContext, AgentError};
use crate::backoff::jitter;
use crate::catalog::SharedCatalog;
use crate::causes::chain;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::feed_board::Stream;
use crate::input::InputSender;
use crate::net::http::{Http, HttpError};
use crate::net::round_trip::RoundTrips;
use crate::oracle;
use crate::rulebook::Rules;
use crate::venue::left_out::LeftOut;
use pm_arb_core::event::{Event, GapScope};
use pm_arb_core::ids::{MarketId, Timestamp, Venue};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::rulebook::Rulebook;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Most connections.
const SHARDS_MAX: usize = 16;
/// Orders waiting for a shard.
const ORDERS_MAX: usize = 256;
/// Most markets followed, and most asked for one by one; one more is not asked for again by itself.
const MARKETS_MAX: usize = 1_600;
/// Questions answered in one turn, so that none starves the rest.
const QUESTIONS_A_TURN: usize = 8;
/// A turn is never longer nor shorter, whatever the clock's speed.
const TURN: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_millis(1_000);
/// The longest wait between two questions about the same thing.
const ASK_AGAIN_MAX: Duration = Duration::from_secs(30);
/// The first wait, in the run's time.
const ASK_AGAIN_MS: u64 = 2_000;
/// The board's row for discovery is idle or down: it never has data to grow stale.
const DISCOVERY_STALE: Duration = ASK_AGAIN_MAX;

/// What to watch, and where.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolymarketConfig {
    /// The market channel.
    pub ws_url: String,
    /// The Gamma API.
    pub gamma_url: String,
    /// Families of windows, by the front of their slugs: "btc-updown-5m".
    pub series: Vec<String>,
    /// Windows watched ahead of the present one.
    pub windows_ahead: u64,
    /// Single markets, by slug.
    pub slugs: Vec<String>,
    /// Events with all their markets, by slug.
    pub events: Vec<String>,
    /// Markets of an earlier part of the run whose outcome is not known: slugs or condition ids.
    pub unresolved: Vec<String>,
    /// Assets carried by one connection.
    pub shard_assets: usize,
    /// A subscribed book must come within this time.
    pub book_within_ms: u64,
    /// A connection without data for so long is put to the test.
    pub silence_ms: u64,
    /// A book without change for so long is put to the test.
    pub quiet_ms: u64,
    /// A connection this old is replaced.
    pub replace_after_ms: u64,
}

impl Default for PolymarketConfig {
    fn default() -> Self {
        Self {
            ws_url: "wss://ws-subscriptions-clob.polymarket.com/ws/market".to_owned(),
            gamma_url: "https://gamma-api.polymarket.com".to_owned(),
            series: vec!["btc-updown-5m".to_owned()],
            windows_ahead: 1,
            slugs: Vec::new(),
            events: Vec::new(),
            unresolved: Vec::new(),
            shard_assets: 200,
            book_within_ms: 10_000,
            silence_ms: 10_000,
            quiet_ms: 60_000,
            replace_after_ms: 1_800_000,
        }
    }
}

/// A question to Gamma.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Event(String),
    Market(String),
    Condition(String),
}

/// When to ask (again).
#[derive(Debug)]
struct Due {
    at: Instant,
    wait: Duration,
}

impl Due {
    fn now(wait: Duration) -> Self {
        Self {
            at: Instant::now(),
            wait,
        }
    }

    fn postpone(&mut self) {
        self.at = Instant::now() + self.wait + jitter(self.wait / 4);
        self.wait = (self.wait * 2).min(ASK_AGAIN_MAX);
    }
}

/// A market whose outcome is to come.
struct Followed {
    question: Question,
    closes_at: Timestamp,
    /// Who carries its books; none for markets of before a restart.
    carried: Option<(usize, Arc<MarketSpec>)>,
    due: Due,
}

struct Carrier {
    orders: mpsc::Sender<Order>,
    assets: usize,
}

struct Watcher {
    feed: Feed,
    cfg: Arc<PolymarketConfig>,
    catalog: SharedCatalog,
    http: Http,
    resolved: Resolved,
    round_trips: RoundTrips,
    /// What is looked for and not yet found.
    wanted: BTreeMap<Question, Due>,
    followed: BTreeMap<MarketId, Followed>,
    carriers: Vec<Carrier>,
    shards: JoinSet<Result<(), AgentError>>,
    /// The last window of each series that was asked for.
    reached: BTreeMap<String, u64>,
    rules: Arc<Rulebook>,
    /// Why markets were left out, by slug.
    left_out: LeftOut<GammaError>,
    /// Whether markets can be looked for, once they could not be.
    discovery: Option<Stream>,
}

/// Watches the venue until told to stop.
pub async fn run(
    ctx: AgentContext,
    cfg: PolymarketConfig,
    catalog: SharedCatalog,
    clock: Clock,
    input: InputSender,
    rules: Arc<Rulebook>,
) -> Result<(), AgentError> {
    for series in &cfg.series {
        if window_secs(series).is_none() {
            return Err(AgentError::Fatal(format!(
                "polymarket: series {series:?} does not end in the length of its windows (-5m, -15m or -4h), as \"btc-updown-5m\" does"
            )));
        }
    }
    if cfg.shard_assets < 2 {
        return Err(AgentError::Fatal(
            "polymarket: shard_assets must be at least 2: a market has two".to_owned(),
        ));
    }
    let http = Http::new().map_err(|e| AgentError::Fatal(chain(&e)))?;
    let http = http.noting(ctx.feeds(), "polymarket");
    let feed = Feed::new(ctx, clock, input);
    // Whoever watched before may have died in the middle of anything.
    let gap = Event::Gap {
        scope: GapScope::Venue(Venue::Polymarket),
        cause: "the watcher started".to_owned(),
    };
    feed.send(vec![gap]).await?;
    let mut watcher = Watcher {
        feed,
        cfg: Arc::new(cfg),
        catalog,
        http,
        resolved: Resolved::default(),
        round_trips: RoundTrips::new(Venue::Polymarket),
        wanted: BTreeMap::new(),
        followed: BTreeMap::new(),
        carriers: Vec::new(),
        shards: JoinSet::new(),
        reached: BTreeMap::new(),
        rules,
        left_out: LeftOut::default(),
        discovery: None,
    };
    watcher.begin();
    let ended = watcher.turns().await;
    // Shards end by the same signal, or because nobody orders them any more.
    watcher.carriers.clear();
    if ended.is_err() {
        watcher.shards.shutdown().await;
    }
    while watcher.shards.join_next().await.is_some() {}
    ended
}

impl Watcher {
    /// One turn of the run's time, in wall time.
    fn pace(&self) -> Duration {
        self.wall(1_000).clamp(*TURN.start(), *TURN.end())
    }

    /// That many milliseconds of the run, in wall time.
    fn wall(&self, ms: u64) -> Duration {
        Duration::from_millis(ms).div_f64(self.feed.clock.speed().max(0.001))
    }

    fn due(&self) -> Due {
        Due::now(self.wall(ASK_AGAIN_MS).max(Duration::from_millis(100)))
    }

    fn want(&mut self, question: Question) {
        let due = self.due();
        self.wanted.entry(question).or_insert(due);
    }

    fn begin(&mut self) {
        let cfg = Arc::clone(&self.cfg);
        for slug in &cfg.slugs {
            self.want(Question::Market(slug.clone()));
        }
        for slug in &cfg.events {
            self.want(Question::Event(slug.clone()));
        }
        for name in &cfg.unresolved {
            self.want(match name.starts_with("0x") {
                true => Question::Condition(name.clone()),
                false => Question::Market(name.clone()),
            });
        }
    }

    async fn turns(&mut self) -> Result<(), AgentError> {
        let pace = self.pace();
        loop {
            tokio::select! {
                biased;
                () = self.feed.ctx.stopped() => return Ok(()),
                Some(ended) = self.shards.join_next() => {
                    return match ended {
                        Ok(result) if self.feed.ctx.is_stopping() => result,
                        Ok(Err(error)) => Err(error),
                        Ok(Ok(())) => Err(AgentError::Failed("polymarket: a shard ended".to_owned())),
                        Err(error) => Err(AgentError::Failed(format!("polymarket: a shard died: {error}"))),
                    };
                }
                () = tokio::time::sleep(pace) => {}
            }
            self.windows();
            self.discover().await?;
            self.outcomes().await?;
        }
    }

    /// Looks for the present and the next windows of every series.
    fn windows(&mut self) {
        let now = self.feed.clock.now().secs();
        let cfg = Arc::clone(&self.cfg);
        for series in &cfg.series {
            let Some(span) = window_secs(series) else {
                continue;
            };
            let present = now / span * span;
            let last = present + span * cfg.windows_ahead;
            let reached = self.reached.get(series).copied();
            let mut start = reached.map_or(present, |reached| present.max(reached + span));
            while start <= last {
                self.want(Question::Event(format!("{series}-{start}")));
                self.reached.insert(series.clone(), start);
                start += span;
            }
            // What was not found by its end is not looked for any more.
            self.wanted.retain(|question, _| match question {
                Question::Event(slug) => {
                    let start = slug.strip_prefix(series.as_str());
                    let start = start.and_then(|rest| rest.strip_prefix('-')?.parse::<u64>().ok());
                    start.is_none_or(|start| start + span > now)
                }
                _ => true,
            });
        }
    }

    async fn discover(&mut self) -> Result<(), AgentError> {
        let due = self
            .wanted
            .iter()
            .filter(|(_, due)| due.at <= Instant::now());
        let due: Vec<Question> = due.map(|(q, _)| q.clone()).take(QUESTIONS_A_TURN).collect();
        for question in due {
            let found = match self.ask(&question).await {
                Ok(answers) => {
                    if let Some(stream) = &self.discovery {
                        stream.carries("asked when a market is due", true);
                    }
                    self.list(&question, &answers).await?
                }
                Err(error) => {
                    let why = chain(&error);
                    tracing::warn!(venue = "polymarket", error = %why, "discovery");
                    self.undiscovered(&why);
                    false
                }
            };
            if found {
                self.wanted.remove(&question);
            } else if let Some(due) = self.wanted.get_mut(&question) {
                due.postpone();
            }
        }
        Ok(())
    }

    /// Without markets there is no stream that could be down: the board has to say why there are none.
    fn undiscovered(&mut self, why: &str) {
        let feeds = self.feed.ctx.feeds();
        let stream = self
            .discovery
            .get_or_insert_with(|| feeds.stream("polymarket-discovery", DISCOVERY_STALE));
        stream.carries("markets to come", false);
        stream.down(why);
    }

    /// The answer: market objects, each with its event where that was asked for.
    async fn ask(&self, question: &Question) -> Result<Vec<(Value, Option<Value>)>, HttpError> {
        let base = self.cfg.gamma_url.trim_end_matches('/');
        let (url, key, value) = match question {
            Question::Event(slug) => (format!("{base}/events"), "slug", slug),
            Question::Market(slug) => (format!("{base}/markets"), "slug", slug),
            Question::Condition(id) => (format!("{base}/markets"), "condition_ids", id),
        };
        let query = [(key, value.as_str())];
        let mut answer = self.http.json(&url, &query).await?;
        let is_event = matches!(question, Question::Event(_));
        if answer.as_array().is_some_and(Vec::is_empty) && !is_event {
            // Lists leave out closed markets unless they are asked for.
            let closed = [(key, value.as_str()), ("closed", "true")];
            answer = self.http.json(&url, &closed).await?;
        }
        let list = match answer {
            Value::Array(list) => list,
            _ => Vec::new(),
        };
        Ok(match question {
            Question::Event(_) => list
                .iter()
                .flat_map(|event| {
                    gamma::markets_of(event).map(|market| (market.clone(), Some(event.clone())))
                })
                .collect(),
            _ => list.into_iter().map(|market| (market, None)).collect(),
        })
    }

    /// Lists the markets of an answer and has them carried. Whether there were any of use.
    async fn list(
        &mut self,
        question: &Question,
        answers: &[(Value, Option<Value>)],
    ) -> Result<bool, AgentError> {
        let (mut found, mut unusable) = (false, Vec::new());
        for (market, event) in answers {
            if gamma::is_closed(market) {
                found |= self.follow_closed(question, market);
                continue;
            }
            let mut events = Vec::new();
            let listed = {
                let mut catalog = self.catalog.lock();
                let number = |source: &str, symbol: &str| {
                    oracle::announce(&mut catalog, source, symbol, &mut events)
                };
                let rules = Rules {
                    book: &self.rules,
                    since: self.feed.clock.now(),
                };
                let spec = match event {
                    Some(event) => gamma::market_in_event(market, event, rules, number),
                    None => gamma::market(market, rules, number),
                };
                spec.map(|spec| catalog.list_market(spec))
            };
            let spec = match listed {
                Ok(Ok(spec)) => Arc::new(spec),
                Ok(Err(error)) => return Err(AgentError::Fatal(chain(&error))),
                Err(error) => {
                    unusable.push(error.slug.clone());
                    self.leave_out(error).await?;
                    continue;
                }
            };
            found = true;
            self.left_out.forget(&spec.slug);
            if self.followed.contains_key(&spec.id) {
                continue;
            }
            let Some(carrier) = self.carrier() else {
                tracing::warn!(
                    venue = "polymarket",
                    slug = spec.slug,
                    "too many markets; left out"
                );
                continue;
            };
            events.push(Event::MarketListed(Box::new(MarketSpec::clone(&spec))));
            self.feed.send(events).await?;
            let order = Order::Track(Arc::clone(&spec), gamma::neg_risk(market));
            self.order(carrier, order).await?;
            let followed = Followed {
                question: Question::Market(spec.slug.clone()),
                closes_at: spec.closes_at,
                carried: Some((carrier, Arc::clone(&spec))),
                due: self.due(),
            };
            self.followed.insert(spec.id, followed);
        }
        // A later answer may be right. Without any of use, the same question is asked again.
        for slug in unusable
            .into_iter()
            .filter(|slug| found && !slug.is_empty())
        {
            if self.wanted.len() < MARKETS_MAX {
                self.want(Question::Market(slug));
            }
        }
        Ok(found)
    }

    /// Tells of a market that is not usable: to people, and to the journal.
    async fn leave_out(&mut self, error: GammaError) -> Result<(), AgentError> {
        let (name, reason) = (error.slug.clone(), error.reason);
        match self.left_out.tell(Venue::Polymarket, &name, reason, error) {
            Some(refused) => self.feed.send(vec![refused]).await,
            None => Ok(()),
        }
    }

    /// Follows a market that is already closed, if it is one of ours.
    fn follow_closed(&mut self, question: &Question, market: &Value) -> bool {
        let id = gamma::condition_id(market)
            .and_then(|native| self.catalog.lock().market(Venue::Polymarket, native));
        let Some(id) = id else {
            return true;
        };
        let due = self.due();
        self.followed.entry(id).or_insert_with(|| Followed {
            question: question.clone(),
            closes_at: Timestamp(0),
            carried: None,
            due,
        });
        true
    }

    /// A shard with room for one more market; a new one if need be.
    fn carrier(&mut self) -> Option<usize> {
        if self.followed.len() >= MARKETS_MAX {
            return None;
        }
        let room = |carrier: &Carrier| carrier.assets + 2 <= self.cfg.shard_assets;
        if let Some(at) = self.carriers.iter().position(room) {
            return Some(at);
        }
        if self.carriers.len() >= SHARDS_MAX {
            return None;
        }
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let name = format!("polymarket-{}", self.carriers.len());
        // A quiet book is asked for anew after this long, which brings data where there is a venue.
        let silence = Duration::from_millis(self.cfg.silence_ms + self.cfg.book_within_ms);
        let stream = self.feed.ctx.feeds().stream(&name, silence);
        let shard = Shard::new(
            self.feed.clone().over(stream.clone()),
            stream,
            Arc::clone(&self.cfg),
            self.catalog.clone(),
            inbox,
            Arc::clone(&self.resolved),
            self.round_trips.clone(),
        );
        self.shards.spawn(shard.run());
        self.carriers.push(Carrier { orders, assets: 0 });
        Some(self.carriers.len() - 1)
    }

    async fn order(&mut self, carrier: usize, order: Order) -> Result<(), AgentError> {
        let Some(carrier) = self.carriers.get_mut(carrier) else {
            return Ok(());
        };
        match &order {
            Order::Track(..) => carrier.assets += 2,
            Order::Drop(_) => carrier.assets = carrier.assets.saturating_sub(2),
        }
        match carrier.orders.send(order).await {
            // When everything ends, shards may end first.
            Err(_) if !self.feed.ctx.is_stopping() => Err(AgentError::Failed(
                "polymarket: a shard takes no more orders".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Asks for outcomes that are due, and lets go of markets that have one.
    async fn outcomes(&mut self) -> Result<(), AgentError> {
        let told =
            std::mem::take(&mut *self.resolved.lock().unwrap_or_else(PoisonError::into_inner));
        for market in told {
            self.let_go(market).await?;
        }
        let now = self.feed.clock.now();
        let due = self
            .followed
            .iter()
            .filter(|(_, followed)| now >= followed.closes_at && followed.due.at <= Instant::now());
        let due: Vec<(MarketId, Question)> = due
            .map(|(id, followed)| (*id, followed.question.clone()))
            .take(QUESTIONS_A_TURN)
            .collect();
        for (market, question) in due {
            let outcome = match self.ask(&question).await {
                Ok(answers) => self.outcome(market, &answers),
                Err(error) => {
                    tracing::warn!(venue = "polymarket", error = %chain(&error), "outcome");
                    None
                }
            };
            match outcome {
                Some(event) => {
                    self.feed.send(vec![event]).await?;
                    self.let_go(market).await?;
                }
                None => {
                    if let Some(followed) = self.followed.get_mut(&market) {
                        followed.due.postpone();
                    }
                }
            }
        }
        Ok(())
    }

    fn outcome(&self, market: MarketId, answers: &[(Value, Option<Value>)]) -> Option<Event> {
        let ours = |value: &Value| {
            let native = gamma::condition_id(value)?;
            let id = self.catalog.lock().market(Venue::Polymarket, native)?;
            (id == market).then_some(())
        };
        let (value, _) = answers.iter().find(|(value, _)| ours(value).is_some())?;
        match gamma::resolution(value, market) {
            Ok(resolution) => resolution.map(|r| Event::Resolved(Box::new(r))),
            Err(error) => {
                tracing::warn!(venue = "polymarket", error = %chain(&error), "outcome");
                None
            }
        }
    }

    async fn let_go(&mut self, market: MarketId) -> Result<(), AgentError> {
        let followed = self.followed.remove(&market);
        if let Some((carrier, _)) = followed.and_then(|followed| followed.carried) {
            self.order(carrier, Order::Drop(market)).await?;
        }
        Ok(())
    }
}

/// The length of a series' windows.
fn window_secs(series: &str) -> Option<u64> {
    match series.rsplit_once('-')?.1 {
        "5m" => Some(300),
        "15m" => Some(900),
        "4h" => Some(14_400),
        _ => None,
    }
}
