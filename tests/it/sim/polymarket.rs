//! Polymarket's market channel, relay and REST services.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::ORIGIN_S;
use super::wire::{Socket, fetch, gamma_market, http, subscribed, ticks, tokens, venues};

fn levels(text: &Value) -> String {
    let rows = text
        .as_array()
        .unwrap()
        .iter()
        .map(|l| format!(r#"{{"price":{},"size":{}}}"#, l["price"], l["size"]));
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}

pub fn hash(book: &Value, tick: &str, last: &str) -> String {
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

#[tokio::test(flavor = "multi_thread")]
async fn polymarket_dumps_books_as_one_array_with_hashes_and_mirrors() {
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
async fn polymarket_changes_fold_to_the_books_that_follow() {
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
async fn polymarket_frames_are_the_same_for_the_same_seed_whatever_the_speed() {
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
async fn polymarket_heartbeat_and_bad_requests() {
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
async fn windows_open_close_and_resolve_as_the_relay_says() {
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

    // The boundary lists the window after next, to everybody who asked for custom events.
    let listed = socket
        .until(|e| {
            e["event_type"] == "new_market"
                && e["slug"] == format!("btc-updown-5m-{}", start_s + 600)
        })
        .await;
    assert_eq!(listed["assets_ids"].as_array().unwrap().len(), 2);

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
    assert_eq!(again["cryptoMarketConfig"]["twapEnabled"], false);
    let condition = market["conditionId"].as_str().unwrap();
    let by_condition = fetch(format!(
        "{}/markets?condition_ids={condition}",
        later.endpoints().gamma
    ))
    .await;
    assert_eq!(by_condition[0]["events"][0]["closed"], true);
    assert_eq!(by_condition[0]["slug"], format!("btc-updown-5m-{start_s}"));
    let clob = fetch(format!("{}/markets/{condition}", later.endpoints().clob)).await;
    assert_eq!(clob["tokens"][usize::from(!up)]["winner"], true);
    later.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_books_and_listings() {
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
