//! The simulated venues, over real sockets: the world is the same for the same seed, the wire says
//! what the venues' wires say, and each fault does what its name promises.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use pm_arb::sim::book::{Outcome, Side};
use pm_arb::sim::spec::MarketKey;
use pm_arb::sim::world::{Stamped, World, WorldEvent};
use pm_arb::sim::{Fault, FaultKind, SimConfig, SimHandle, SimServer, SimVenue};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use tokio_tungstenite::tungstenite::Message;

/// A quarter-hour boundary in September 2026.
const ORIGIN_S: u64 = 1_790_000_100;
const LAG_MS: u64 = 2_000;
/// Far above anything a test waits for; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

// ---------------------------------------------------------------- the world

fn play(world: &mut World, steps: usize) -> Vec<Stamped> {
    let mut events = Vec::new();
    (0..steps).for_each(|_| world.step(&mut events));
    events
}

#[test]
fn sim_same_seed_same_world_and_another_seed_another() {
    let events = |seed| play(&mut World::new(seed, ORIGIN_S, LAG_MS).unwrap(), 3_000);
    let first = events(7);
    assert!(
        first.len() > 10_000,
        "five minutes with {} events",
        first.len()
    );
    assert_eq!(first, events(7));
    assert_ne!(first, events(8));
    assert!(
        first.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns),
        "events are in order of time"
    );
}

#[test]
fn sim_joining_later_finds_the_same_world() {
    let mut watched = World::new(3, ORIGIN_S, LAG_MS).unwrap();
    play(&mut watched, 31_234);
    let mut joined = World::joined_at(3, ORIGIN_S, LAG_MS, watched.now_ns()).unwrap();
    assert_eq!(joined.now_ns(), watched.now_ns());
    assert_eq!(play(&mut joined, 4_000), play(&mut watched, 4_000));
    for start_s in (ORIGIN_S..ORIGIN_S + 3_000).step_by(300) {
        let key = MarketKey::UpDown { start_s };
        assert!(watched.winner(key).is_some());
        assert_eq!(joined.winner(key), watched.winner(key));
    }
}

#[test]
fn sim_refuses_worlds_that_cannot_be() {
    assert!(World::new(1, ORIGIN_S + 300, LAG_MS).is_err());
    assert!(World::new(1, ORIGIN_S, 60_000).is_err());
    assert!(World::joined_at(1, ORIGIN_S, LAG_MS, (ORIGIN_S - 1) * 1_000_000_000).is_err());
    assert!(
        World::joined_at(
            1,
            ORIGIN_S,
            LAG_MS,
            (ORIGIN_S + 30 * 86_400) * 1_000_000_000
        )
        .is_err()
    );
}

/// Edge after fees of each kind now: oracle lag, bucket sum, cross venue.
fn edges(world: &World) -> [f64; 3] {
    let now_s = world.now_ns() / 1_000_000_000;
    let start_s = now_s / 300 * 300;
    let (up_down, kalshi) = (MarketKey::UpDown { start_s }, MarketKey::Kalshi { start_s });
    let cost = |key, outcome, rate: f64| {
        let (_, market) = world.markets().find(|(other, _)| *other == key)?;
        let ask = f64::from(market.book().best_from(outcome, Side::Ask)?) / 1e4;
        Some(ask + rate * ask * (1.0 - ask))
    };
    let left_s = (start_s + 300) as f64 - world.now_ns() as f64 / 1e9;
    let price = world.price_e8() as f64 / 1e8;
    let up = world
        .payoff(up_down)
        .unwrap()
        .probability(price, world.believed_sigma() * left_s.max(0.1).sqrt());
    let lag = [(Outcome::Yes, up), (Outcome::No, 1.0 - up)]
        .map(|(o, fair)| cost(up_down, o, 0.07).map_or(-1.0, |c| fair - c));
    let buckets = (0..3).map(|bucket| {
        cost(
            MarketKey::Range {
                start_s: now_s / 900 * 900,
                bucket,
            },
            Outcome::Yes,
            0.04,
        )
    });
    let sum = buckets.sum::<Option<f64>>().map_or(-1.0, |sum| 1.0 - sum);
    let cross = [(Outcome::Yes, Outcome::No), (Outcome::No, Outcome::Yes)].map(|(here, there)| {
        let both = cost(up_down, here, 0.07).zip(cost(kalshi, there, 0.07));
        both.map_or(-1.0, |(a, b)| 1.0 - a - b)
    });
    [lag[0].max(lag[1]), sum, cross[0].max(cross[1])]
}

#[test]
fn sim_offers_all_three_kinds_of_opportunity_within_minutes_and_no_free_lunch() {
    for seed in [1, 2, 3] {
        let mut world = World::new(seed, ORIGIN_S, LAG_MS).unwrap();
        let (mut first_s, mut hits, mut events) = ([None; 3], [0_u32; 3], Vec::new());
        let (mut open, mut wins, mut losses) = (Vec::new(), 0, 0);
        let steps = 10 * 60 * 60;
        for step in 0..steps {
            events.clear();
            world.step(&mut events);
            for (kind, edge) in edges(&world).into_iter().enumerate() {
                if edge > 0.003 {
                    hits[kind] += 1;
                    first_s[kind].get_or_insert(step / 10);
                }
            }
            // A naive taker: whichever side the lag makes look two cents cheap, every two seconds.
            let key = MarketKey::UpDown {
                start_s: world.now_ns() / 1_000_000_000 / 300 * 300,
            };
            if step % 20 == 0 && edges(&world)[0] > 0.02 {
                let price = world.price_e8();
                let side = if price >= world.settlement_at(key.start_s()).unwrap() {
                    Outcome::Yes
                } else {
                    Outcome::No
                };
                open.push((key, side));
            }
            for stamped in &events {
                if let WorldEvent::Resolved(resolved, winner) = stamped.event {
                    for (_, side) in open.extract_if(.., |(key, _)| *key == resolved) {
                        if side == winner {
                            wins += 1
                        } else {
                            losses += 1
                        }
                    }
                }
            }
        }
        for kind in 0..3 {
            let share = f64::from(hits[kind]) / steps as f64;
            assert!(
                first_s[kind].is_some_and(|s| s < 600),
                "seed {seed} kind {kind}: first after {:?} s",
                first_s[kind]
            );
            assert!(
                share < 0.35,
                "seed {seed} kind {kind}: there {share:.3} of the time is no opportunity but a gift"
            );
        }
        assert!(
            wins > 0 && losses > 0,
            "seed {seed}: naive taker wins {wins}, loses {losses}"
        );
    }
}

#[test]
fn sim_books_are_never_crossed_and_windows_settle_on_the_boundary_values() {
    let mut world = World::new(11, ORIGIN_S, LAG_MS).unwrap();
    let (mut events, mut ticks, mut resolved) = (Vec::new(), BTreeMap::new(), 0);
    for _ in 0..14_000 {
        events.clear();
        world.step(&mut events);
        for (key, market) in world.markets() {
            if let (Some((bid, _)), Some((ask, _))) =
                (market.book().best(Side::Bid), market.book().best(Side::Ask))
            {
                assert!(bid < ask, "{key:?} at {}", world.now_ns());
            }
        }
        for stamped in &events {
            match stamped.event {
                WorldEvent::Settlement { second, value_e8 } => _ = ticks.insert(second, value_e8),
                WorldEvent::Resolved(
                    key @ (MarketKey::UpDown { .. } | MarketKey::Kalshi { .. }),
                    winner,
                ) => {
                    let Some(start) = ticks.get(&key.start_s()) else {
                        continue;
                    };
                    let up = ticks[&key.close_s()] >= *start;
                    assert_eq!(
                        winner,
                        if up { Outcome::Yes } else { Outcome::No },
                        "{key:?}"
                    );
                    assert!(stamped.at_ns > key.close_s() * 1_000_000_000);
                    resolved += 1;
                }
                WorldEvent::Resolved(..) => resolved += 1,
                _ => {}
            }
        }
    }
    assert!(resolved >= 9, "{resolved} markets settled in 23 minutes");
    // Exactly one bucket of a range event wins.
    let winners = (0..3).filter(|bucket| {
        world.winner(MarketKey::Range {
            start_s: ORIGIN_S,
            bucket: *bucket,
        }) == Some(Outcome::Yes)
    });
    assert_eq!(winners.count(), 1);
}

// ---------------------------------------------------------------- helpers for the wire

async fn venues(seed: u64, start_s: u64, speed: f64) -> SimHandle {
    let config = SimConfig {
        origin_unix_ns: ORIGIN_S * 1_000_000_000,
        start_at_unix_ns: start_s * 1_000_000_000,
        speed,
        ..SimConfig::starting_now(seed, start_s * 1_000_000_000)
    };
    SimServer::start(config).await.unwrap()
}

fn http() -> reqwest::Client {
    // Plain HTTP on loopback, but the client wants a TLS provider to exist. A second install fails, harmlessly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn fetch(url: String) -> Value {
    http().get(url).send().await.unwrap().json().await.unwrap()
}

struct Socket {
    inner: tokio_tungstenite::WebSocketStream<
        tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>,
    >,
}

impl Socket {
    async fn open(url: &str) -> Self {
        Self {
            inner: tokio_tungstenite::connect_async(url).await.unwrap().0,
        }
    }

    async fn send(&mut self, message: impl ToString) {
        self.inner
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// The next text frame; `None` when the connection has ended.
    async fn text(&mut self) -> Option<String> {
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
    async fn events(&mut self) -> Vec<Value> {
        match serde_json::from_str(&self.text().await.expect("connection ended")).unwrap() {
            Value::Array(list) => list,
            one => vec![one],
        }
    }

    /// Reads until an event that fits.
    async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(event) = self.events().await.into_iter().find(&fits) {
                return event;
            }
        }
        panic!("no such event came");
    }

    /// Frames that are already on their way, until the wire is quiet for `quiet`.
    async fn drain(&mut self, quiet: Duration) -> Vec<String> {
        let mut frames = Vec::new();
        while let Ok(Some(text)) = tokio::time::timeout(quiet, self.text()).await {
            frames.push(text);
        }
        frames
    }
}

fn is(kind: &str) -> impl Fn(&Value) -> bool + '_ {
    move |event| event["event_type"] == kind
}

/// Condition id and tokens of an up/down window, as Gamma tells them.
async fn gamma_market(sim: &SimHandle, start_s: u64) -> Value {
    let event = fetch(format!(
        "{}/events?slug=btc-updown-5m-{start_s}",
        sim.endpoints().gamma
    ))
    .await;
    event[0]["markets"][0].clone()
}

fn tokens(market: &Value) -> Vec<String> {
    serde_json::from_str(market["clobTokenIds"].as_str().unwrap()).unwrap()
}

async fn subscribed(sim: &SimHandle, tokens: &[String]) -> (Socket, Vec<Value>) {
    let mut socket = Socket::open(&sim.endpoints().polymarket_ws).await;
    socket.send(json!({"assets_ids": tokens, "type": "market", "initial_dump": true, "custom_feature_enabled": true})).await;
    let dump = socket.events().await;
    (socket, dump)
}

fn levels(text: &Value) -> String {
    let rows = text
        .as_array()
        .unwrap()
        .iter()
        .map(|l| format!(r#"{{"price":{},"size":{}}}"#, l["price"], l["size"]));
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}

fn hash(book: &Value, tick: &str, last: &str) -> String {
    let text = format!(
        r#"{{"market":{},"asset_id":{},"timestamp":{},"hash":"","bids":{},"asks":{},"min_order_size":"5","tick_size":"{tick}","neg_risk":false,"last_trade_price":"{last}"}}"#,
        book["market"],
        book["asset_id"],
        book["timestamp"],
        levels(&book["bids"]),
        levels(&book["asks"])
    );
    Sha1::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Cents (times 100) of a price string.
fn ticks(text: &Value) -> i64 {
    (text.as_str().unwrap().parse::<f64>().unwrap() * 10_000.0).round() as i64
}

// ---------------------------------------------------------------- Polymarket

#[tokio::test(flavor = "multi_thread")]
async fn sim_polymarket_dumps_books_as_one_array_with_hashes_and_mirrors() {
    let sim = venues(1, ORIGIN_S + 400, 1.0).await;
    let market = gamma_market(&sim, ORIGIN_S + 300).await;
    assert_eq!(market["orderMinSize"], 5);
    assert_eq!(market["outcomes"], r#"["Up", "Down"]"#);
    assert!(
        market["conditionId"]
            .as_str()
            .is_some_and(|id| id.len() == 66 && id.starts_with("0x"))
    );
    let tokens = tokens(&market);
    assert!(
        tokens
            .iter()
            .all(|t| t.len() > 60 && t.len() <= 78 && t.bytes().all(|b| b.is_ascii_digit()))
    );

    let (_socket, dump) = subscribed(&sim, &tokens).await;
    assert_eq!(dump.len(), 2);
    for book in &dump {
        let last = book["last_trade_price"].as_str().unwrap();
        assert_eq!(
            book["hash"],
            hash(book, book["tick_size"].as_str().unwrap(), last)
        );
        let prices = |side: &str| {
            book[side]
                .as_array()
                .unwrap()
                .iter()
                .map(|l| ticks(&l["price"]))
                .collect::<Vec<_>>()
        };
        assert!(
            prices("bids").is_sorted()
                && prices("asks").iter().rev().is_sorted()
                && prices("bids").len() >= 10
        );
    }
    let mirrored: Vec<_> = dump[1]["bids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (10_000 - ticks(&l["price"]), l["size"].clone()))
        .collect();
    let asks: Vec<_> = dump[0]["asks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| (ticks(&l["price"]), l["size"].clone()))
        .collect();
    assert_eq!(mirrored, asks);
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_polymarket_changes_fold_to_the_books_that_follow() {
    let sim = venues(2, ORIGIN_S + 400, 5.0).await;
    let market = gamma_market(&sim, ORIGIN_S + 300).await;
    let (mut socket, dump) = subscribed(&sim, &tokens(&market)).await;
    let mut books: BTreeMap<String, [BTreeMap<i64, String>; 2]> = BTreeMap::new();
    let fold = |book: &Value| {
        ["bids", "asks"].map(|side| {
            let rows = book[side].as_array().unwrap().iter();
            rows.map(|l| (ticks(&l["price"]), l["size"].as_str().unwrap().to_owned()))
                .collect::<BTreeMap<_, _>>()
        })
    };
    for book in &dump {
        books.insert(book["asset_id"].as_str().unwrap().to_owned(), fold(book));
    }
    let (mut checked, mut changes, mut prints) = (0, 0, 0);
    while checked < 6 || prints < 3 {
        for event in socket.events().await {
            match event["event_type"].as_str().unwrap() {
                "price_change" => {
                    let entries = event["price_changes"].as_array().unwrap();
                    assert_eq!(
                        ticks(&entries[0]["price"]) + ticks(&entries[1]["price"]),
                        10_000
                    );
                    assert_eq!(entries[0]["size"], entries[1]["size"]);
                    for entry in entries {
                        let book = books.get_mut(entry["asset_id"].as_str().unwrap()).unwrap();
                        let side = &mut book[usize::from(entry["side"] == "SELL")];
                        let (price, size) =
                            (ticks(&entry["price"]), entry["size"].as_str().unwrap());
                        if size == "0" {
                            side.remove(&price);
                        } else {
                            side.insert(price, size.to_owned());
                        }
                        assert_eq!(
                            book[0].keys().last().copied().unwrap_or(0),
                            ticks(&entry["best_bid"])
                        );
                        assert_eq!(
                            book[1].keys().next().copied().unwrap_or(10_000),
                            ticks(&entry["best_ask"])
                        );
                    }
                    changes += 1;
                }
                "book" => {
                    assert_eq!(books[event["asset_id"].as_str().unwrap()], fold(&event));
                    checked += 1;
                }
                "last_trade_price" => prints += 1,
                _ => {}
            }
        }
    }
    assert!(changes > checked);
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_polymarket_frames_are_the_same_for_the_same_seed_whatever_the_speed() {
    let mut runs = Vec::new();
    for speed in [10.0, 40.0] {
        let sim = venues(5, ORIGIN_S + 310, speed).await;
        let (mut socket, _) =
            subscribed(&sim, &tokens(&gamma_market(&sim, ORIGIN_S + 300).await)).await;
        let (mut frames, mut last) = (Vec::new(), 0);
        while last < (ORIGIN_S + 350) * 1_000 {
            let text = socket.text().await.unwrap();
            let event: Value = serde_json::from_str(&text).unwrap();
            last = event["timestamp"].as_str().unwrap().parse().unwrap();
            frames.push((last, text));
        }
        runs.push(frames);
        sim.stop().await;
    }
    let from = runs.iter().map(|frames| frames[0].0).max().unwrap() + 1;
    let common = |frames: &[(u64, String)]| -> Vec<String> {
        let inside = frames
            .iter()
            .filter(|(at, _)| (from..(ORIGIN_S + 350) * 1_000).contains(at));
        // A last trade from before the subscription is in the hashes of neither or both.
        inside.map(|(_, text)| text.clone()).collect()
    };
    let (slow, fast) = (common(&runs[0]), common(&runs[1]));
    assert!(slow.len() > 50, "{} frames in common", slow.len());
    assert_eq!(slow, fast);
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_polymarket_heartbeat_and_bad_requests() {
    let sim = venues(1, ORIGIN_S + 400, 1.0).await;
    let market = gamma_market(&sim, ORIGIN_S + 300).await;
    let mut socket = Socket::open(&sim.endpoints().polymarket_ws).await;
    socket.send("PING").await;
    assert_eq!(socket.text().await.unwrap(), "INVALID OPERATION");
    socket.send("{not json").await;
    assert_eq!(socket.text().await.unwrap(), "INVALID OPERATION");
    socket
        .send(json!({"assets_ids": [tokens(&market)[0], "12345"], "type": "market"}))
        .await;
    assert_eq!(socket.events().await.len(), 1);
    socket.send("PING").await;
    while socket.text().await.unwrap() != "PONG" {}
    socket
        .send(json!({"operation": "subscribe", "assets_ids": [tokens(&market)[1]]}))
        .await;
    socket
        .until(|e| {
            e["event_type"] == "book"
                && e["asset_id"] == tokens(&market)[1].as_str()
                && e.get("tick_size").is_some()
        })
        .await;
    socket
        .send(json!({"operation": "unsubscribe", "assets_ids": tokens(&market)}))
        .await;
    socket.send("PING").await;
    while socket.text().await.unwrap() != "PONG" {}
    assert_eq!(
        socket.drain(Duration::from_millis(700)).await,
        Vec::<String>::new()
    );
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_windows_open_close_and_resolve_as_the_relay_says() {
    let (start_s, close_s) = (ORIGIN_S + 300, ORIGIN_S + 600);
    let sim = venues(9, ORIGIN_S + 290, 60.0).await;
    let mut relay = Socket::open(&sim.endpoints().rtds).await;
    relay.send(json!({"action": "subscribe", "subscriptions": [{"topic": "crypto_prices_chainlink", "type": "*", "filters": "{\"symbol\":\"btc/usd\"}"}]})).await;
    let market = gamma_market(&sim, start_s).await;
    assert_eq!(
        (&market["closed"], &market["umaResolutionStatus"]),
        (&json!(false), &Value::Null)
    );
    let (mut socket, _) = subscribed(&sim, &tokens(&market)).await;

    let mut values = BTreeMap::new();
    while !values.contains_key(&(close_s * 1_000)) {
        let tick = relay
            .until(|e| e["topic"] == "crypto_prices_chainlink")
            .await;
        let exact = tick["payload"]["full_accuracy_value"]
            .as_str()
            .unwrap()
            .parse::<i128>()
            .unwrap();
        let rounded = tick["payload"]["value"].as_f64().unwrap();
        assert!((exact as f64 / 1e18 - rounded).abs() < 1e-6);
        values.insert(
            tick["payload"]["timestamp"].as_u64().unwrap(),
            (exact, rounded),
        );
    }
    let up = values[&(close_s * 1_000)].0 >= values[&(start_s * 1_000)].0;
    let resolved = socket
        .until(|e| e["event_type"] == "market_resolved" && e["market"] == market["conditionId"])
        .await;
    assert_eq!(resolved["winning_outcome"], if up { "Up" } else { "Down" });
    assert!(
        resolved["timestamp"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= (close_s + 15) * 1_000
    );

    let after = fetch(format!(
        "{}/events/slug/btc-updown-5m-{start_s}",
        sim.endpoints().gamma
    ))
    .await;
    assert_eq!(
        after["markets"][0]["outcomePrices"],
        if up { r#"["1", "0"]"# } else { r#"["0", "1"]"# }
    );
    assert_eq!(after["markets"][0]["umaResolutionStatus"], "resolved");
    assert_eq!(
        after["eventMetadata"]["priceToBeat"].as_f64().unwrap(),
        values[&(start_s * 1_000)].1
    );
    assert_eq!(
        after["eventMetadata"]["finalPrice"].as_f64().unwrap(),
        values[&(close_s * 1_000)].1
    );
    sim.stop().await;

    // A later start of the same world remembers, by slug and by condition id.
    let later = venues(9, ORIGIN_S + 7_300, 1.0).await;
    let again = gamma_market(&later, start_s).await;
    for field in ["conditionId", "clobTokenIds", "outcomePrices", "closedTime"] {
        assert_eq!(again[field], after["markets"][0][field], "{field}");
    }
    let condition = market["conditionId"].as_str().unwrap();
    let by_condition = fetch(format!(
        "{}/markets?condition_ids={condition}",
        later.endpoints().gamma
    ))
    .await;
    assert_eq!(by_condition[0]["slug"], format!("btc-updown-5m-{start_s}"));
    let clob = fetch(format!("{}/markets/{condition}", later.endpoints().clob)).await;
    assert_eq!(clob["tokens"][usize::from(!up)]["winner"], true);
    later.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_rest_books_and_listings() {
    let sim = venues(4, ORIGIN_S + 1_000, 1.0).await;
    let endpoints = sim.endpoints();
    let range = fetch(format!(
        "{}/events?slug=btc-range-15m-{}",
        endpoints.gamma,
        ORIGIN_S + 900
    ))
    .await;
    let members = range[0]["markets"].as_array().unwrap();
    assert_eq!(
        (
            members.len(),
            &range[0]["negRisk"],
            &range[0]["negRiskAugmented"]
        ),
        (3, &json!(true), &json!(false))
    );
    assert!(
        members
            .iter()
            .all(|m| m["negRisk"] == true && m["negRiskMarketID"] == range[0]["negRiskMarketID"])
    );
    for start_s in [900, 1_200, 1_500] {
        assert_eq!(
            gamma_market(&sim, ORIGIN_S + start_s).await["closed"],
            false
        );
    }
    assert_eq!(
        fetch(format!(
            "{}/events?slug=btc-updown-5m-{}",
            endpoints.gamma,
            ORIGIN_S + 1_800
        ))
        .await,
        json!([])
    );

    let token = &tokens(&members[1])[0];
    let book = fetch(format!("{}/book?token_id={token}", endpoints.clob)).await;
    assert_eq!(
        (
            &book["neg_risk"],
            &book["min_order_size"],
            &book["asset_id"]
        ),
        (&json!(true), &json!("5"), &json!(token))
    );
    let asked = json!([{"token_id": token}, {"token_id": "1"}]);
    let books: Value = http()
        .post(format!("{}/books", endpoints.clob))
        .json(&asked)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(books.as_array().unwrap().len(), 1);
    assert_eq!(
        http()
            .get(format!("{}/book?token_id=1", endpoints.clob))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    sim.stop().await;
}

// ---------------------------------------------------------------- Kalshi and Binance

async fn kalshi_ticker(sim: &SimHandle) -> String {
    let list = fetch(format!(
        "{}/markets?series_ticker=KXBTC5M&status=open",
        sim.endpoints().kalshi_rest
    ))
    .await;
    list["markets"][0]["ticker"].as_str().unwrap().to_owned()
}

fn fold_kalshi(book: &mut [BTreeMap<i64, i64>; 2], frame: &Value) {
    let number = |text: &Value, unit: f64| {
        (text.as_str().unwrap().parse::<f64>().unwrap() * unit).round() as i64
    };
    let message = &frame["msg"];
    match frame["type"].as_str().unwrap() {
        "orderbook_snapshot" => {
            *book = ["yes_dollars_fp", "no_dollars_fp"].map(|side| {
                let rows = message
                    .get(side)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten();
                rows.map(|row| (number(&row[0], 1e4), number(&row[1], 1e2)))
                    .collect()
            });
        }
        "orderbook_delta" => {
            let side = &mut book[usize::from(message["side"] == "no")];
            let price = number(&message["price_dollars"], 1e4);
            let size = side.get(&price).copied().unwrap_or(0) + number(&message["delta_fp"], 1e2);
            assert!(size >= 0, "a level went negative: {frame}");
            if size == 0 {
                side.remove(&price);
            } else {
                side.insert(price, size);
            }
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_kalshi_deltas_fold_to_the_rest_book() {
    let sim = venues(6, ORIGIN_S + 400, 4.0).await;
    let ticker = kalshi_ticker(&sim).await;
    assert!(ticker.starts_with("KXBTC5M-26SEP"), "{ticker}");
    let mut socket = Socket::open(&sim.endpoints().kalshi_ws).await;
    socket.send(json!({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta", "trade"], "market_tickers": [ticker]}})).await;
    assert_eq!(
        socket.events().await[0],
        json!({"id": 1, "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 1}})
    );
    let (mut book, mut seq, mut deltas, mut trades) =
        (<[BTreeMap<i64, i64>; 2]>::default(), 0, 0, 0);
    let mut seen = Vec::new();
    while deltas < 150 || trades < 2 {
        let frame = socket.events().await.remove(0);
        if frame["sid"] == 1 {
            seq += 1;
            assert_eq!(frame["seq"], seq, "seq is contiguous within a sid");
            deltas += 1;
        }
        trades += usize::from(frame["type"] == "trade");
        fold_kalshi(&mut book, &frame);
        let best = |side: &BTreeMap<i64, i64>| side.keys().last().copied().unwrap_or(0);
        assert!(
            best(&book[0]) + best(&book[1]) < 10_000,
            "crossed or locked after {frame}"
        );
    }
    let rest = fetch(format!(
        "{}/markets/{ticker}/orderbook",
        sim.endpoints().kalshi_rest
    ))
    .await;
    seen.push(book.clone());
    for text in socket.drain(Duration::from_millis(20)).await {
        fold_kalshi(&mut book, &serde_json::from_str(&text).unwrap());
        seen.push(book.clone());
    }
    let mut snapshot = <[BTreeMap<i64, i64>; 2]>::default();
    let message = json!({"yes_dollars_fp": rest["orderbook_fp"]["yes_dollars"], "no_dollars_fp": rest["orderbook_fp"]["no_dollars"]});
    fold_kalshi(
        &mut snapshot,
        &json!({"type": "orderbook_snapshot", "msg": message}),
    );
    // The wire goes on while the answer travels: the answer is one of the states the deltas led through.
    assert!(
        seen.contains(&snapshot),
        "the REST book is none of {} folded states",
        seen.len()
    );

    socket.send(json!({"id": 2, "cmd": "update_subscription", "params": {"sids": [1], "action": "get_snapshot"}})).await;
    socket
        .until(|frame| frame["type"] == "orderbook_snapshot")
        .await;
    socket.send(json!({"id": 3, "cmd": "update_subscription", "params": {"sids": [99], "action": "get_snapshot"}})).await;
    assert_eq!(
        socket.until(|frame| frame["type"] == "error").await["msg"]["code"],
        7
    );
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_kalshi_settles_like_polymarket_and_empties_its_book() {
    let sim = venues(6, ORIGIN_S + 580, 30.0).await;
    let ticker = kalshi_ticker(&sim).await;
    let mut socket = Socket::open(&sim.endpoints().kalshi_ws).await;
    socket.send(json!({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta", "market_lifecycle_v2"], "market_tickers": [ticker]}})).await;
    let of_it = |frame: &Value| frame["msg"]["market_ticker"] == ticker.as_str();
    let empty = socket
        .until(|f| {
            of_it(f)
                && f["type"] == "orderbook_snapshot"
                && f["msg"].get("yes_dollars_fp").is_none()
        })
        .await;
    assert!(empty["msg"].get("no_dollars_fp").is_none());
    let determined = socket
        .until(|f| of_it(f) && f["msg"]["event_type"] == "determined")
        .await;
    let market =
        fetch(format!("{}/markets/{ticker}", sim.endpoints().kalshi_rest)).await["market"].clone();
    assert_eq!(market["result"], determined["msg"]["result"]);
    while gamma_market(&sim, ORIGIN_S + 300).await["closed"] == false {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let up = gamma_market(&sim, ORIGIN_S + 300).await["outcomePrices"] == r#"["1", "0"]"#;
    assert_eq!(market["result"], if up { "yes" } else { "no" });
    assert_eq!(
        market["settlement_value_dollars"],
        if up { "1.0000" } else { "0.0000" }
    );
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_binance_streams_and_candles() {
    let sim = venues(6, ORIGIN_S + 55, 10.0).await;
    let url = format!(
        "{}/stream?streams=btcusdt@trade/btcusdt@bookTicker",
        sim.endpoints().binance_ws
    );
    let mut socket = Socket::open(&url).await;
    socket
        .send(json!({"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 1}))
        .await;
    let (mut ids, mut updates, mut closes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut last_trade, mut last_candle) = (Value::Null, Value::Null);
    while closes.is_empty() || ids.len() < 50 {
        let frame = socket.events().await.remove(0);
        let data = &frame["data"];
        match frame["stream"].as_str() {
            Some("btcusdt@trade") => {
                ids.push(data["t"].as_u64().unwrap());
                last_trade = data.clone();
            }
            Some("btcusdt@bookTicker") => {
                updates.push(data["u"].as_u64().unwrap());
                assert!(
                    data.get("e").is_none()
                        && data["b"].as_str().unwrap() < data["a"].as_str().unwrap()
                );
            }
            Some("btcusdt@kline_1m") if data["k"]["x"] == true => {
                closes.push(data["k"].clone());
                last_candle = data["k"].clone();
            }
            Some(_) => {}
            None => assert_eq!(frame, json!({"result": null, "id": 1})),
        }
    }
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1) && updates.is_sorted());
    assert!(
        last_trade["p"]
            .as_str()
            .is_some_and(|p| p.split('.').nth(1).unwrap().len() == 8)
    );
    let rest = &sim.endpoints().binance_rest;
    let rows = fetch(format!(
        "{rest}/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={}&limit=1",
        last_candle["t"]
    ))
    .await;
    assert_eq!(
        (&rows[0][1], &rows[0][4], &rows[0][8]),
        (&last_candle["o"], &last_candle["c"], &last_candle["n"])
    );
    let hour = fetch(format!("{rest}/api/v3/klines?symbol=BTCUSDT&interval=1m")).await;
    assert!(hour.as_array().unwrap().len() >= 60, "the world has a past");
    let depth = fetch(format!("{rest}/api/v3/depth?symbol=BTCUSDT&limit=5")).await;
    assert_eq!(depth["bids"].as_array().unwrap().len(), 5);
    assert!(
        fetch(format!("{rest}/api/v3/time")).await["serverTime"]
            .as_u64()
            .unwrap()
            > ORIGIN_S * 1_000
    );
    sim.stop().await;
}

// ---------------------------------------------------------------- faults

fn fault(venue: SimVenue, kind: FaultKind) -> Fault {
    Fault::new(venue, kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_fault_drop_ends_every_socket_of_the_venue_only() {
    let sim = venues(1, ORIGIN_S + 400, 1.0).await;
    let (mut socket, _) =
        subscribed(&sim, &tokens(&gamma_market(&sim, ORIGIN_S + 300).await)).await;
    let mut other = Socket::open(&format!("{}/ws/btcusdt@trade", sim.endpoints().binance_ws)).await;
    assert_eq!(other.events().await[0]["e"], "trade");
    assert_eq!(
        sim.misbehave(fault(SimVenue::Polymarket, FaultKind::Drop)),
        1
    );
    while socket.text().await.is_some() {}
    assert_eq!(other.events().await[0]["e"], "trade");
    assert_eq!(
        sim.misbehave(fault(SimVenue::Polymarket, FaultKind::Drop)),
        0,
        "nobody is left to drop"
    );
    sim.stop().await;
    while other.text().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_fault_freeze_answers_pong_and_nothing_else_until_reconnect() {
    let sim = venues(1, ORIGIN_S + 400, 5.0).await;
    let tokens = tokens(&gamma_market(&sim, ORIGIN_S + 300).await);
    let (mut socket, _) = subscribed(&sim, &tokens).await;
    assert_eq!(
        sim.misbehave(fault(SimVenue::Polymarket, FaultKind::Freeze)),
        1
    );
    socket.drain(Duration::from_millis(50)).await;
    assert_eq!(
        socket.drain(Duration::from_millis(700)).await,
        Vec::<String>::new()
    );
    socket.send("PING").await;
    assert_eq!(socket.text().await.unwrap(), "PONG");
    let (mut again, dump) = subscribed(&sim, &tokens).await;
    assert_eq!(dump.len(), 2);
    again.until(is("price_change")).await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_fault_reorder_swaps_successive_deltas() {
    let sim = venues(6, ORIGIN_S + 400, 5.0).await;
    let ticker = kalshi_ticker(&sim).await;
    let mut socket = Socket::open(&sim.endpoints().kalshi_ws).await;
    socket.send(json!({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"], "market_tickers": [ticker]}})).await;
    socket.until(|f| f["type"] == "orderbook_snapshot").await;
    assert_eq!(
        sim.misbehave(Fault {
            count: Some(2),
            ..fault(SimVenue::Kalshi, FaultKind::Reorder)
        }),
        1
    );
    let mut seqs = Vec::new();
    while seqs.len() < 60 {
        seqs.push(socket.events().await[0]["seq"].as_u64().unwrap());
    }
    assert_eq!(
        seqs.windows(2).filter(|pair| pair[1] < pair[0]).count(),
        2,
        "{seqs:?}"
    );
    seqs.sort_unstable();
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "nothing is lost: {seqs:?}"
    );
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_fault_malformed_and_duplicate_frames_by_control() {
    let sim = venues(1, ORIGIN_S + 400, 5.0).await;
    let (mut socket, _) =
        subscribed(&sim, &tokens(&gamma_market(&sim, ORIGIN_S + 300).await)).await;
    let arm = json!({"venue": "polymarket", "kind": "malformed_frame", "count": 3});
    let struck: Value = http()
        .post(&sim.endpoints().control)
        .json(&arm)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(struck, json!({"struck": 1}));
    let mut bad = 0;
    while bad < 3 {
        bad += usize::from(serde_json::from_str::<Value>(&socket.text().await.unwrap()).is_err());
    }
    for _ in 0..30 {
        socket.events().await;
    }
    sim.misbehave(Fault {
        count: Some(4),
        ..fault(SimVenue::Polymarket, FaultKind::Duplicate)
    });
    let mut frames = Vec::new();
    while frames.len() < 60 {
        frames.push(socket.text().await.unwrap());
    }
    assert_eq!(
        frames.windows(2).filter(|pair| pair[0] == pair[1]).count(),
        4
    );
    let refused = http()
        .post(&sim.endpoints().control)
        .json(&json!({"venue": "polymarket", "kind": "explode"}))
        .send()
        .await
        .unwrap();
    assert!(refused.status().is_client_error());
    let state = fetch(sim.endpoints().control.clone()).await;
    assert_eq!(
        (&state["seed"], &state["clients"]["polymarket"]),
        (&json!(1), &json!(1))
    );
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_fault_crossed_book_stands_for_a_while() {
    let sim = venues(1, ORIGIN_S + 400, 2.0).await;
    let tokens = tokens(&gamma_market(&sim, ORIGIN_S + 300).await);
    let (mut socket, _) = subscribed(&sim, &tokens).await;
    assert_eq!(
        sim.misbehave(fault(SimVenue::Polymarket, FaultKind::CrossedBook)),
        1
    );
    let top = |e: &Value| {
        let entry = &e["price_changes"][0];
        (e["event_type"] == "price_change")
            .then(|| ticks(&entry["best_bid"]) - ticks(&entry["best_ask"]))
    };
    socket.until(|e| top(e).is_some_and(|gap| gap > 0)).await;
    socket.until(|e| top(e).is_some_and(|gap| gap < 0)).await;
    let mut quotes = Socket::open(&format!(
        "{}/ws/btcusdt@bookTicker",
        sim.endpoints().binance_ws
    ))
    .await;
    quotes.events().await;
    assert_eq!(
        sim.misbehave(fault(SimVenue::Binance, FaultKind::CrossedBook)),
        1
    );
    quotes
        .until(|e| e["b"].as_str().unwrap() > e["a"].as_str().unwrap())
        .await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_fault_tick_size_change_starts_a_new_epoch() {
    let sim = venues(1, ORIGIN_S + 320, 1.0).await;
    let market = gamma_market(&sim, ORIGIN_S + 300).await;
    let tokens = tokens(&market);
    let (mut socket, dump) = subscribed(&sim, &tokens).await;
    assert_eq!(dump[0]["tick_size"], "0.01");
    let named = Fault {
        instrument: Some(tokens[1].clone()),
        ..fault(SimVenue::Polymarket, FaultKind::TickSizeChange)
    };
    assert_eq!(sim.misbehave(named), 1);
    let mut epochs = BTreeSet::new();
    while epochs.len() < 2 {
        let change = socket.until(is("tick_size_change")).await;
        assert_eq!(
            (&change["old_tick_size"], &change["new_tick_size"]),
            (&json!("0.01"), &json!("0.001"))
        );
        let book = socket.events().await.remove(0);
        assert_eq!(
            (&book["event_type"], &book["tick_size"], &book["asset_id"]),
            (&json!("book"), &json!("0.001"), &change["asset_id"])
        );
        assert_eq!(
            book["hash"],
            hash(&book, "0.001", book["last_trade_price"].as_str().unwrap())
        );
        epochs.insert(change["asset_id"].to_string());
    }
    assert_eq!(
        gamma_market(&sim, ORIGIN_S + 300).await["orderPriceMinTickSize"],
        0.001
    );
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sim_fault_silence_hushes_one_instrument() {
    let sim = venues(6, ORIGIN_S + 400, 5.0).await;
    let here = tokens(&gamma_market(&sim, ORIGIN_S + 300).await);
    let range = fetch(format!(
        "{}/events?slug=btc-range-15m-{ORIGIN_S}",
        sim.endpoints().gamma
    ))
    .await;
    let there = tokens(&range[0]["markets"][1]);
    let (mut socket, _) = subscribed(&sim, &[here.clone(), there].concat()).await;
    let silence = Fault {
        instrument: Some(here[0].clone()),
        millis: Some(1_500),
        ..fault(SimVenue::Polymarket, FaultKind::Silence)
    };
    assert_eq!(sim.misbehave(silence), 1);
    socket.send("PING").await;
    while socket.text().await.unwrap() != "PONG" {}
    let condition = gamma_market(&sim, ORIGIN_S + 300).await["conditionId"].clone();
    let other = socket.until(is("price_change")).await;
    assert_ne!(other["market"], condition);
    let back = socket.until(|e| e["market"] == condition).await;
    assert_ne!(back["market"], other["market"]);
    sim.stop().await;
}
