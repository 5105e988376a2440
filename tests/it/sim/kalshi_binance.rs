//! Kalshi's WebSocket and REST, Binance's streams and REST.

use std::collections::BTreeMap;
use std::time::Duration;

use pm_arb::sim::SimHandle;
use serde_json::{Value, json};

use super::ORIGIN_S;
use super::wire::{Socket, fetch, gamma_market, venues};

pub async fn kalshi_ticker(sim: &SimHandle) -> String {
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
async fn kalshi_deltas_fold_to_the_rest_book() {
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
    let list = json!({"id": 7, "cmd": "list_subscriptions"});
    for text in socket.flushed(list, "\"id\":7").await {
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
async fn kalshi_settles_like_polymarket_and_empties_its_book() {
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
async fn binance_streams_and_candles() {
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

#[tokio::test(flavor = "multi_thread")]
async fn binance_cuts_a_client_that_talks_too_much() {
    let sim = venues(6, ORIGIN_S + 55, 1.0).await;
    let mut socket = Socket::open(&format!("{}/stream", sim.endpoints().binance_ws)).await;
    for id in 0..7 {
        socket
            .send(json!({"method": "LIST_SUBSCRIPTIONS", "id": id}))
            .await;
    }
    let mut heard = 0;
    while socket.text().await.is_some() {
        heard += 1;
    }
    assert_eq!(heard, 5, "five answers, then the end");
    sim.stop().await;
}
