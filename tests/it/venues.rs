//! The watchers against the simulated venues, over real sockets: what reaches the engine is what the
//! venues say, and every fault is noticed, declared and mended.
#![allow(clippy::unwrap_used)]

mod oracles;

use crate::support::rules;
use pm_arb::agent::{AgentContext, AgentError};
use pm_arb::catalog::SharedCatalog;
use pm_arb::clock::Clock;
use pm_arb::input::{self, Input, InputReceiver};
use pm_arb::net::http::Http;
use pm_arb::oracle::{self, binance, chainlink};
use pm_arb::rulebook::Rules;
use pm_arb::sim::{Fault, FaultKind, SimConfig, SimHandle, SimServer, SimVenue};
use pm_arb::venue::{kalshi, polymarket};
use pm_arb_core::event::{BookSide, Event, GapScope};
use pm_arb_core::ids::{InstrumentId, MarketId, Timestamp, Venue};
use pm_arb_core::market::{MarketSpec, SettlementRule};
use pm_arb_core::oracle::OracleState;
use pm_arb_core::units::{Price, Qty, SpotPrice};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A quarter-hour boundary in September 2026.
const ORIGIN_S: u64 = 1_790_000_100;
/// Far more than anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

type Levels = BTreeMap<Price, Qty>;

/// A simulated world, a watcher of it, and a plain mirror of what the watcher said.
struct World {
    sim: SimHandle,
    clock: Clock,
    catalog: SharedCatalog,
    inbox: InputReceiver,
    sender: input::InputSender,
    stop: watch::Sender<bool>,
    agents: Vec<JoinHandle<Result<(), AgentError>>>,
    markets: BTreeMap<MarketId, MarketSpec>,
    /// Bids and asks; absent while invalid.
    books: BTreeMap<InstrumentId, [Levels; 2]>,
}

impl World {
    async fn at(world_s: u64, speed: f64) -> Self {
        let config = SimConfig {
            origin_unix_ns: ORIGIN_S * 1_000_000_000,
            start_at_unix_ns: world_s * 1_000_000_000,
            speed,
            ..SimConfig::starting_now(7, world_s * 1_000_000_000)
        };
        let sim = SimServer::start(config).await.unwrap();
        let clock = Clock::at(Timestamp(sim.world_now_ns()), speed);
        let (sender, inbox) = input::channel();
        Self {
            sim,
            clock,
            catalog: SharedCatalog::default(),
            inbox,
            sender,
            stop: watch::channel(false).0,
            agents: Vec::new(),
            markets: BTreeMap::new(),
            books: BTreeMap::new(),
        }
    }

    fn ctx(&self) -> AgentContext {
        AgentContext::new(self.stop.subscribe())
    }

    fn polymarket_config(&self) -> polymarket::PolymarketConfig {
        polymarket::PolymarketConfig {
            ws_url: self.sim.endpoints().polymarket_ws.clone(),
            gamma_url: self.sim.endpoints().gamma.clone(),
            ..polymarket::PolymarketConfig::default()
        }
    }

    fn watch_polymarket(&mut self, cfg: polymarket::PolymarketConfig) {
        let (catalog, sender) = (self.catalog.clone(), self.sender.clone());
        let agent = polymarket::run(self.ctx(), cfg, catalog, self.clock, sender, rules());
        self.agents.push(tokio::spawn(agent));
    }

    fn watch_kalshi(&mut self) {
        let cfg = kalshi::KalshiConfig {
            rest_url: self.sim.endpoints().kalshi_rest.clone(),
            ws_url: self.sim.endpoints().kalshi_ws.clone(),
            series: vec!["KXBTC5M".to_owned()],
            ..kalshi::KalshiConfig::default()
        };
        let (catalog, sender) = (self.catalog.clone(), self.sender.clone());
        let agent = kalshi::run(self.ctx(), cfg, catalog, self.clock, sender, rules());
        self.agents.push(tokio::spawn(agent));
    }

    /// What the next message said, after the mirror took it in.
    async fn next(&mut self) -> Vec<Event> {
        let input = tokio::time::timeout(PATIENCE, self.inbox.recv()).await;
        let Some(Input::Feed { events, .. }) = input.expect("the watcher went silent") else {
            panic!("the watcher ended");
        };
        for event in &events {
            self.mirror(event);
        }
        events
    }

    fn mirror(&mut self, event: &Event) {
        match event {
            Event::MarketListed(spec) => {
                self.markets.insert(spec.id, MarketSpec::clone(spec));
            }
            Event::Snapshot(book) => {
                let sides = [&book.bids, &book.asks].map(|s| s.iter().copied().collect());
                self.books.insert(book.instrument, sides);
            }
            Event::Level(level) => {
                if let Some(sides) = self.books.get_mut(&level.instrument) {
                    let side = &mut sides[usize::from(level.side == BookSide::Ask)];
                    match level.qty {
                        Qty::ZERO => side.remove(&level.price),
                        qty => side.insert(level.price, qty),
                    };
                }
            }
            Event::TickSize { instrument, .. } => {
                self.books.remove(instrument);
            }
            Event::Gap { scope, .. } => match scope {
                GapScope::Instrument(instrument) => drop(self.books.remove(instrument)),
                GapScope::Venue(venue) => {
                    let of = self.markets.values().filter(|m| m.venue == *venue);
                    for outcome in of.flat_map(|m| &m.outcomes) {
                        self.books.remove(&outcome.instrument);
                    }
                }
            },
            _ => {}
        }
    }

    async fn until(&mut self, what: &str, mut is: impl FnMut(&World, &Event) -> bool) -> Event {
        let searching = async {
            loop {
                let events = self.next().await;
                if let Some(event) = events.into_iter().find(|event| is(self, event)) {
                    return event;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, searching).await;
        found.unwrap_or_else(|_| panic!("never came: {what}"))
    }

    async fn first_book(&mut self) -> InstrumentId {
        let event = self
            .until("a book", |_, e| matches!(e, Event::Snapshot(_)))
            .await;
        let Event::Snapshot(book) = event else {
            unreachable!()
        };
        book.instrument
    }

    /// The market whose window is open, once it is listed and has both books.
    async fn present(&mut self, venue: Venue) -> MarketSpec {
        loop {
            let now = self.clock.now();
            let present = self.markets.values().find(|m| {
                m.venue == venue
                    && m.opens_at <= now
                    && now < m.closes_at
                    && m.outcomes
                        .iter()
                        .all(|o| self.books.contains_key(&o.instrument))
            });
            if let Some(market) = present {
                return market.clone();
            }
            self.next().await;
        }
    }

    fn strike(&self, venue: SimVenue, kind: FaultKind) {
        assert_eq!(self.sim.misbehave(Fault::new(venue, kind)), 1, "{kind:?}");
    }

    /// Whether the mirror and the venue's own answer were the same at one moment.
    async fn agrees(&mut self, ask: impl AsyncFn() -> BTreeMap<InstrumentId, [Levels; 2]>) {
        for _ in 0..100 {
            let theirs = ask().await;
            for _ in 0..20 {
                let same = theirs
                    .iter()
                    .all(|(i, book)| self.books.get(i) == Some(book));
                if same {
                    return;
                }
                self.next().await;
            }
        }
        panic!("the mirror never agreed with the venue");
    }

    async fn end(self) {
        self.stop.send_replace(true);
        for agent in self.agents {
            let ended = tokio::time::timeout(PATIENCE, agent).await;
            ended.expect("the watcher does not stop").unwrap().unwrap();
        }
        self.sim.stop().await;
    }
}

fn levels(side: &Value) -> Levels {
    let level = |level: &Value| {
        let [price, size] = match level {
            Value::Array(pair) => [&pair[0], &pair[1]],
            level => [&level["price"], &level["size"]],
        };
        let price = Price::parse(price.as_str().unwrap()).unwrap();
        (price, Qty::parse(size.as_str().unwrap()).unwrap())
    };
    side.as_array().into_iter().flatten().map(level).collect()
}

fn mirrored(bids: &Levels) -> Levels {
    bids.iter().map(|(p, q)| (p.complement(), *q)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_polymarket_markets_are_found_and_books_equal_the_rest_books() {
    let mut world = World::at(ORIGIN_S + 330, 1.0).await;
    world.watch_polymarket(world.polymarket_config());
    let market = world.present(Venue::Polymarket).await;
    assert_eq!(market.slug, format!("btc-updown-5m-{}", ORIGIN_S + 300));
    assert_eq!(market.pair_key.as_deref(), Some(&*market.slug));
    assert!(
        matches!(market.settlement, SettlementRule::UpDown { .. }),
        "{market:?}"
    );
    let (http, clob) = (Http::new().unwrap(), world.sim.endpoints().clob.clone());
    let of = market.clone();
    world
        .agrees(async || {
            let mut books = BTreeMap::new();
            for outcome in &of.outcomes {
                let query = [("token_id", outcome.native_id.as_str())];
                let book = http.json(&format!("{clob}/book"), &query).await.unwrap();
                books.insert(
                    outcome.instrument,
                    [levels(&book["bids"]), levels(&book["asks"])],
                );
            }
            books
        })
        .await;
    // The next window is found as well, if not in the same moment.
    let next = format!("btc-updown-5m-{}", ORIGIN_S + 600);
    while !world.markets.values().any(|m| m.slug == next) {
        world.next().await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_polymarket_faults_are_declared_and_mended() {
    let mut world = World::at(ORIGIN_S + 330, 5.0).await;
    let cfg = polymarket::PolymarketConfig {
        silence_ms: 1_000,
        book_within_ms: 1_000,
        ..world.polymarket_config()
    };
    world.watch_polymarket(cfg);
    world.first_book().await;
    for kind in [
        FaultKind::Drop,
        FaultKind::Freeze,
        FaultKind::MalformedFrame,
    ] {
        let market = world.present(Venue::Polymarket).await;
        let up = market.outcomes[0].instrument;
        world.strike(SimVenue::Polymarket, kind);
        if kind == FaultKind::MalformedFrame {
            world
                .until("a refusal", |_, e| matches!(e, Event::Refused { .. }))
                .await;
        }
        let gap = |_: &World, e: &Event| matches!(e, Event::Gap { scope: GapScope::Instrument(i), .. } if *i == up);
        world.until("a gap", gap).await;
        assert!(!world.books.contains_key(&up), "{kind:?}");
        let book = |_: &World, e: &Event| matches!(e, Event::Snapshot(b) if b.instrument == up);
        world.until("a new book", book).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_polymarket_new_grid_and_crossed_book() {
    let mut world = World::at(ORIGIN_S + 330, 2.0).await;
    world.watch_polymarket(world.polymarket_config());
    let market = world.present(Venue::Polymarket).await;
    let up = market.outcomes[0].instrument;
    world.strike(SimVenue::Polymarket, FaultKind::CrossedBook);
    let crossed = |world: &World, _: &Event| {
        world.books.get(&up).is_some_and(|[bids, asks]| {
            let best = bids.last_key_value().zip(asks.first_key_value());
            best.is_some_and(|((bid, _), (ask, _))| bid >= ask)
        })
    };
    world.until("a crossed book", crossed).await;

    world.strike(SimVenue::Polymarket, FaultKind::TickSizeChange);
    let grid = |_: &World, e: &Event| matches!(e, Event::TickSize { instrument, tick } if *instrument == up && *tick == Price(1_000));
    world.until("a new grid", grid).await;
    let book = |_: &World, e: &Event| matches!(e, Event::Snapshot(b) if b.instrument == up);
    world.until("a new book", book).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_polymarket_outcomes_arrive_and_discovery_keeps_up_with_a_fast_world() {
    let mut world = World::at(ORIGIN_S + 230, 20.0).await;
    world.watch_polymarket(world.polymarket_config());
    let http = Http::new().unwrap();
    let gamma = world.sim.endpoints().gamma.clone();
    for window in 0..3 {
        let slug = format!("btc-updown-5m-{}", ORIGIN_S + window * 300);
        let named = |world: &World, id: MarketId| world.markets.get(&id).map(|m| m.slug.clone());
        let outcome = world
            .until("an outcome", |world, e| {
                matches!(e, Event::Resolved(r) if named(world, r.market).as_deref() == Some(&*slug))
            })
            .await;
        let Event::Resolved(outcome) = outcome else {
            unreachable!()
        };
        let answer = http
            .json(&format!("{gamma}/markets"), &[("slug", &slug)])
            .await;
        let prices = answer.unwrap()[0]["outcomePrices"]
            .as_str()
            .unwrap()
            .to_owned();
        let prices: Vec<String> = serde_json::from_str(&prices).unwrap();
        let paid: Vec<Price> = prices.iter().map(|p| Price::parse(p).unwrap()).collect();
        assert_eq!(outcome.payouts, paid, "{slug}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_polymarket_outcome_of_before_a_restart_is_asked_for() {
    let mut world = World::at(ORIGIN_S + 700, 1.0).await;
    let slug = format!("btc-updown-5m-{ORIGIN_S}");
    let gamma = world.sim.endpoints().gamma.clone();
    let url = format!("{gamma}/markets");
    let answer = Http::new()
        .unwrap()
        .json(&url, &[("slug", &slug)])
        .await
        .unwrap();
    let id = {
        let mut catalog = world.catalog.lock();
        let rules = rules();
        let number = |source: &str, symbol: &str| {
            oracle::announce(&mut catalog, source, symbol, &mut Vec::new())
        };
        let spec = polymarket::gamma::market(&answer[0], Rules::of_its_day(&rules), number);
        catalog.list_market(spec.unwrap()).unwrap().id
    };
    let cfg = polymarket::PolymarketConfig {
        unresolved: vec![slug],
        ..world.polymarket_config()
    };
    world.watch_polymarket(cfg);
    world
        .until(
            "the outcome",
            |_, e| matches!(e, Event::Resolved(r) if r.market == id),
        )
        .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_kalshi_bids_fold_into_two_books_and_outcomes_arrive() {
    let mut world = World::at(ORIGIN_S + 330, 2.0).await;
    world.watch_kalshi();
    let market = world.present(Venue::Kalshi).await;
    let key = format!("btc-updown-5m-{}", ORIGIN_S + 300);
    assert_eq!(market.pair_key.as_deref(), Some(&*key));
    let (http, rest) = (
        Http::new().unwrap(),
        world.sim.endpoints().kalshi_rest.clone(),
    );
    let of = market.clone();
    world
        .agrees(async || {
            let url = format!("{rest}/markets/{}/orderbook", of.native_id);
            let answer = http.json(&url, &[]).await.unwrap();
            let book = &answer["orderbook_fp"];
            let (yes, no) = (levels(&book["yes_dollars"]), levels(&book["no_dollars"]));
            assert!(!yes.is_empty() && !no.is_empty(), "{answer}");
            BTreeMap::from([
                (of.outcomes[0].instrument, [yes.clone(), mirrored(&no)]),
                (of.outcomes[1].instrument, [no, mirrored(&yes)]),
            ])
        })
        .await;
    world.strike(SimVenue::Kalshi, FaultKind::Drop);
    let gap = |_: &World, e: &Event| {
        matches!(
            e,
            Event::Gap {
                scope: GapScope::Venue(Venue::Kalshi),
                ..
            }
        )
    };
    world.until("a gap", gap).await;
    world.first_book().await;
    world.end().await;

    let mut world = World::at(ORIGIN_S + 200, 20.0).await;
    world.watch_kalshi();
    let outcome = |world: &World, e: &Event| matches!(e, Event::Resolved(r) if world.markets.contains_key(&r.market));
    world.until("an outcome", outcome).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn venues_the_way_to_each_of_them_is_measured() {
    let mut world = World::at(ORIGIN_S + 330, 1.0).await;
    world.watch_polymarket(world.polymarket_config());
    world.watch_kalshi();
    let started = std::time::Instant::now();
    let mut measured = BTreeMap::new();
    while measured.len() < Venue::ALL.len() {
        let told = world
            .until("a latency", |_, e| matches!(e, Event::Latency { .. }))
            .await;
        if let Event::Latency { venue, own } = told {
            // By the monotonic clock: something, and no longer than this test.
            assert!(own.0 > 0 && u128::from(own.0) < started.elapsed().as_nanos());
            measured.insert(venue, own);
        }
    }
    world.end().await;
}

#[tokio::test]
async fn venues_live_kalshi_without_a_key_is_refused_with_words() {
    let (_stop, stopping) = watch::channel(false);
    let (sender, _inbox) = input::channel();
    let ended = kalshi::run(
        AgentContext::new(stopping),
        kalshi::KalshiConfig::default(),
        SharedCatalog::default(),
        Clock::utc(),
        sender,
        rules(),
    )
    .await;
    assert!(matches!(ended, Err(AgentError::Fatal(why)) if why.contains("API key")));
}
