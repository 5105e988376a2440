//! Faults on command: each does what its name says, and no more.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pm_arb::sim::{Fault, FaultKind, SimVenue};
use serde_json::{Value, json};

use super::ORIGIN_S;
use super::kalshi_binance::kalshi_ticker;
use super::polymarket::hash;
use super::wire::{
    PATIENCE, Socket, fetch, gamma_market, http, is, subscribed, ticks, tokens, venues,
};

fn fault(venue: SimVenue, kind: FaultKind) -> Fault {
    Fault::new(venue, kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_drop_ends_every_socket_of_the_venue_only() {
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
async fn fault_freeze_answers_pong_and_nothing_else_until_reconnect() {
    let sim = venues(1, ORIGIN_S + 400, 5.0).await;
    let tokens = tokens(&gamma_market(&sim, ORIGIN_S + 300).await);
    let (mut socket, _) = subscribed(&sim, &tokens).await;
    assert_eq!(
        sim.misbehave(fault(SimVenue::Polymarket, FaultKind::Freeze)),
        1
    );
    socket.flushed("PING", "PONG").await;
    let quiet = socket.drain(Duration::from_millis(700)).await;
    assert_eq!(quiet, Vec::<String>::new());
    socket.flushed("PING", "PONG").await;
    let (mut again, dump) = subscribed(&sim, &tokens).await;
    assert_eq!(dump.len(), 2);
    again.until(is("price_change")).await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_reorder_swaps_successive_deltas() {
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
async fn fault_malformed_and_duplicate_frames_by_control() {
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
async fn fault_crossed_book_stands_for_a_while() {
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
async fn fault_tick_size_change_starts_a_new_epoch() {
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
async fn fault_silence_hushes_one_instrument() {
    let sim = venues(6, ORIGIN_S + 400, 5.0).await;
    let here = tokens(&gamma_market(&sim, ORIGIN_S + 300).await);
    let range = fetch(format!(
        "{}/events?slug=btc-range-15m-{ORIGIN_S}",
        sim.endpoints().gamma
    ))
    .await;
    let there = tokens(&range[0]["markets"][1]);
    let (mut socket, _) = subscribed(&sim, &[here.clone(), there].concat()).await;
    let silence = |millis| Fault {
        instrument: Some(here[0].clone()),
        millis: Some(millis),
        ..fault(SimVenue::Polymarket, FaultKind::Silence)
    };
    assert_eq!(sim.misbehave(silence(600_000)), 1);
    socket.flushed("PING", "PONG").await;
    let condition = gamma_market(&sim, ORIGIN_S + 300).await["conditionId"].clone();
    let other = socket.until(is("price_change")).await;
    assert_ne!(other["market"], condition);
    assert_eq!(sim.misbehave(silence(0)), 1);
    let back = socket.until(|e| e["market"] == condition).await;
    assert_ne!(back["market"], other["market"]);
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_silence_hushes_binance_and_the_relay_until_it_ends() {
    let sim = venues(6, ORIGIN_S + 400, 5.0).await;
    let mut trades =
        Socket::open(&format!("{}/ws/btcusdt@trade", sim.endpoints().binance_ws)).await;
    let mut relay = Socket::open(&sim.endpoints().rtds).await;
    let topic = json!({"topic": "crypto_prices_chainlink", "type": "*", "filters": ""});
    relay
        .send(json!({"action": "subscribe", "subscriptions": [topic]}))
        .await;
    trades.events().await;
    relay.events().await;
    let silence = |millis| {
        for venue in [SimVenue::Binance, SimVenue::Rtds] {
            let silence = Fault {
                millis: Some(millis),
                ..fault(venue, FaultKind::Silence)
            };
            assert_eq!(sim.misbehave(silence), 1);
        }
    };
    silence(600_000);
    let list = json!({"method": "LIST_SUBSCRIPTIONS", "id": 9});
    trades.flushed(list, "\"id\":9").await;
    relay.flushed("PING", "PONG").await;
    for socket in [&mut trades, &mut relay] {
        let quiet = socket.drain(Duration::from_millis(500)).await;
        assert_eq!(quiet, Vec::<String>::new());
    }
    silence(0);
    assert_eq!(trades.events().await[0]["e"], "trade");
    assert_eq!(relay.events().await[0]["type"], "update");
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_dropped_and_the_others_go_on() {
    let sim = venues(1, ORIGIN_S + 400, 600.0).await;
    let streams = "btcusdt@trade/btcusdt@bookTicker";
    let url = format!("{}/stream?streams={streams}", sim.endpoints().binance_ws);
    let (_lazy, mut eager) = (Socket::open(&url).await, Socket::open(&url).await);
    let started = Instant::now();
    loop {
        for _ in 0..2_000 {
            eager.events().await;
        }
        let state = fetch(sim.endpoints().control.clone()).await;
        if state["cut_total"] == 1 {
            assert_eq!(state["clients"]["binance"], 1);
            break;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "a full queue was never noticed: {state}"
        );
    }
    eager.events().await;
    sim.stop().await;
}
