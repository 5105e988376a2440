//! Kalshi's WebSocket, as the simulated venue speaks it.
//!
//! Owns: commands, subscriptions with their `sid` and `seq`, and the frames of order book, trade,
//! ticker and life cycle. The handshake's API key is not asked for: there is nothing to protect.
//! Never: keeps a book of its own; frames are drawn from the hub's.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{ONE, Outcome, Side, count_fp, dollars, price_from};
use super::client::{Client, FrameClass, Session};
use super::hub::{Hub, Silence, View};
use super::kalshi_rest;
use super::spec::MarketKey;

/// The server pings this often, and cuts who has not answered for so long.
pub const PING_EVERY: Duration = Duration::from_secs(10);
/// See [`PING_EVERY`].
pub const PONG_WITHIN: Duration = Duration::from_secs(60);
/// Subscriptions of one connection at most; one more is error 27.
const SUBSCRIPTIONS_MAX: usize = 64;

/// One connection's subscriptions.
#[derive(Debug, Default)]
pub struct KalshiSession {
    subscriptions: Vec<Subscription>,
    next_sid: u64,
}

#[derive(Debug)]
struct Subscription {
    sid: u64,
    channel: Channel,
    /// `None`: all markets.
    markets: Option<BTreeSet<MarketKey>>,
    seq: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Channel {
    #[serde(rename = "orderbook_delta")]
    OrderBook,
    Trade,
    Ticker,
    #[serde(rename = "market_lifecycle_v2")]
    Lifecycle,
}

impl Channel {
    const fn name(self) -> &'static str {
        match self {
            Self::OrderBook => "orderbook_delta",
            Self::Trade => "trade",
            Self::Ticker => "ticker",
            Self::Lifecycle => "market_lifecycle_v2",
        }
    }
}

#[derive(Deserialize)]
struct Command {
    #[serde(default)]
    id: u64,
    cmd: String,
    #[serde(default)]
    params: Params,
}

#[derive(Default, Deserialize)]
struct Params {
    #[serde(default)]
    channels: Vec<String>,
    market_ticker: Option<String>,
    #[serde(default)]
    market_tickers: Vec<String>,
    sid: Option<u64>,
    #[serde(default)]
    sids: Vec<u64>,
    action: Option<String>,
}

fn session(client: &mut Client) -> Option<&mut KalshiSession> {
    match &mut client.session {
        Session::Kalshi(session) => Some(session),
        _ => None,
    }
}

/// A text message from a client.
pub fn on_text(hub: &mut Hub, id: u64, text: &str) {
    let Ok(command) = serde_json::from_str::<Command>(text) else {
        return refuse(hub, id, 0, 1, "Unable to process message");
    };
    let params = &command.params;
    let tickers: Vec<&str> = params
        .market_ticker
        .iter()
        .chain(&params.market_tickers)
        .map(String::as_str)
        .collect();
    let found: Vec<_> = tickers
        .iter()
        .map(|name| kalshi_rest::find(hub, name))
        .collect();
    let Some(keys) = found.into_iter().collect::<Option<BTreeSet<MarketKey>>>() else {
        return refuse(hub, id, command.id, 16, "Market not found");
    };
    let sids: Vec<u64> = params.sid.iter().chain(&params.sids).copied().collect();
    match command.cmd.as_str() {
        "subscribe" => subscribe(hub, id, command.id, &params.channels, &keys),
        "unsubscribe" => unsubscribe(hub, id, command.id, &sids),
        "update_subscription" => {
            update(hub, id, command.id, &sids, params.action.as_deref(), &keys)
        }
        "list_subscriptions" => list(hub, id, command.id),
        _ => refuse(hub, id, command.id, 5, "Unknown command"),
    }
}

fn answer(hub: &mut Hub, id: u64, answer: &Value) {
    if let Some(client) = hub.clients.get_mut(id) {
        client.text(FrameClass::Control, answer.to_string());
    }
}

fn refuse(hub: &mut Hub, id: u64, command: u64, code: u32, message: &str) {
    answer(
        hub,
        id,
        &json!({"id": command, "type": "error", "msg": {"code": code, "msg": message}}),
    );
}

fn subscribe(
    hub: &mut Hub,
    id: u64,
    command: u64,
    channels: &[String],
    keys: &BTreeSet<MarketKey>,
) {
    if channels.is_empty() {
        return refuse(hub, id, command, 3, "Channels required");
    }
    for name in channels {
        let Ok(channel) = serde_json::from_value::<Channel>(json!(name)) else {
            refuse(hub, id, command, 8, "Unknown channel name");
            continue;
        };
        if channel == Channel::OrderBook && keys.is_empty() {
            refuse(hub, id, command, 14, "Market Ticker required");
            continue;
        }
        let Some(session) = hub.clients.get_mut(id).and_then(session) else {
            return;
        };
        if session.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return refuse(hub, id, command, 27, "Too many subscriptions");
        }
        if session
            .subscriptions
            .iter()
            .any(|s| s.channel == channel && channel != Channel::OrderBook)
        {
            refuse(hub, id, command, 6, "Already subscribed");
            continue;
        }
        session.next_sid += 1;
        let sid = session.next_sid;
        let all = keys.is_empty() || channel == Channel::Lifecycle;
        let markets = (!all).then(|| keys.clone());
        session.subscriptions.push(Subscription {
            sid,
            channel,
            markets,
            seq: 0,
        });
        answer(
            hub,
            id,
            &json!({"id": command, "type": "subscribed", "msg": {"channel": channel.name(), "sid": sid}}),
        );
        if channel == Channel::OrderBook {
            send_snapshots(hub, id, sid, keys);
        }
    }
}

fn unsubscribe(hub: &mut Hub, id: u64, command: u64, sids: &[u64]) {
    for sid in sids {
        let Some(session) = hub.clients.get_mut(id).and_then(session) else {
            return;
        };
        match session.subscriptions.iter().position(|s| s.sid == *sid) {
            Some(at) => {
                let gone = session.subscriptions.remove(at);
                answer(
                    hub,
                    id,
                    &json!({"id": command, "sid": sid, "seq": gone.seq + 1, "type": "unsubscribed"}),
                );
            }
            None => refuse(hub, id, command, 7, "Unknown subscription ID"),
        }
    }
}

fn update(
    hub: &mut Hub,
    id: u64,
    command: u64,
    sids: &[u64],
    action: Option<&str>,
    keys: &BTreeSet<MarketKey>,
) {
    let [sid] = sids else {
        return refuse(
            hub,
            id,
            command,
            12,
            "Exactly one subscription ID is required",
        );
    };
    let Some(session) = hub.clients.get_mut(id).and_then(session) else {
        return;
    };
    let Some(subscription) = session.subscriptions.iter_mut().find(|s| s.sid == *sid) else {
        return refuse(hub, id, command, 7, "Unknown subscription ID");
    };
    let markets = subscription.markets.get_or_insert_default();
    let snapshots = match action {
        Some("add_markets") => keys
            .iter()
            .copied()
            .filter(|key| markets.insert(*key))
            .collect(),
        Some("delete_markets") => {
            markets.retain(|key| !keys.contains(key));
            BTreeSet::new()
        }
        Some("get_snapshot") => markets
            .iter()
            .copied()
            .filter(|key| keys.is_empty() || keys.contains(key))
            .collect(),
        Some(_) => return refuse(hub, id, command, 13, "Unsupported action"),
        None => return refuse(hub, id, command, 15, "Action required"),
    };
    subscription.seq += 1;
    let names: Vec<String> = markets.iter().map(|key| key.name()).collect();
    let (seq, is_book) = (subscription.seq, subscription.channel == Channel::OrderBook);
    answer(
        hub,
        id,
        &json!({"id": command, "sid": sid, "seq": seq, "type": "ok", "msg": {"market_tickers": names}}),
    );
    if is_book {
        send_snapshots(hub, id, *sid, &snapshots);
    }
}

fn list(hub: &mut Hub, id: u64, command: u64) {
    let Some(session) = hub.clients.get_mut(id).and_then(session) else {
        return;
    };
    let list: Vec<Value> = session
        .subscriptions
        .iter()
        .map(|s| json!({"channel": s.channel.name(), "sid": s.sid}))
        .collect();
    answer(hub, id, &json!({"id": command, "type": "ok", "msg": list}));
}

fn send_snapshots(hub: &mut Hub, id: u64, sid: u64, keys: &BTreeSet<MarketKey>) {
    for key in keys {
        let (Some(view), Some(client)) = (hub.views.get(key), hub.clients.get_mut(id)) else {
            continue;
        };
        let body = snapshot_body(view);
        let found = session(client)
            .and_then(|session| session.subscriptions.iter_mut().find(|s| s.sid == sid));
        let Some(subscription) = found else { return };
        subscription.seq += 1;
        let frame = envelope("orderbook_snapshot", subscription, &body);
        client.text(FrameClass::Data, frame);
    }
}

fn envelope(kind: &str, subscription: &Subscription, body: &str) -> String {
    let (sid, seq) = (subscription.sid, subscription.seq);
    format!(r#"{{"type":"{kind}","sid":{sid},"seq":{seq},"msg":{body}}}"#)
}

/// Sends to every subscription of the channel that covers the market. `seq` counts what was sent,
/// so what silence swallows is missed as it would be on the wire.
fn publish(
    hub: &mut Hub,
    key: MarketKey,
    channel: Channel,
    class: FrameClass,
    kind: &str,
    body: &str,
) {
    let silent = hub.is_silent(Silence::Market(key));
    for client in hub.clients.iter_mut() {
        let Some(session) = session(client) else {
            continue;
        };
        let covering = session
            .subscriptions
            .iter_mut()
            .filter(|s| s.channel == channel);
        let covering = covering.filter(|s| {
            s.markets
                .as_ref()
                .is_none_or(|markets| markets.contains(&key))
        });
        let mut frames = Vec::new();
        for subscription in covering {
            subscription.seq += 1;
            frames.push(envelope(kind, subscription, body));
        }
        for frame in frames.into_iter().filter(|_| !silent) {
            client.text(class, frame);
        }
    }
}

/// Bids of both outcomes; a side that is empty is left out.
fn snapshot_body(view: &View) -> String {
    let mut body = format!(
        r#"{{"market_ticker":"{}","market_id":"{}""#,
        view.name, view.id
    );
    for (name, outcome) in [("yes", Outcome::Yes), ("no", Outcome::No)] {
        let levels = kalshi_rest::levels(view, outcome);
        if !levels.is_empty() {
            let _ = write!(body, r#","{name}_dollars_fp":{}"#, json!(levels));
        }
    }
    body.push('}');
    body
}

/// A full book to everybody who follows the market: it replaces theirs.
pub fn snapshot_all(hub: &mut Hub, key: MarketKey) {
    let Some(body) = hub.views.get(&key).map(snapshot_body) else {
        return;
    };
    publish(
        hub,
        key,
        Channel::OrderBook,
        FrameClass::Data,
        "orderbook_snapshot",
        &body,
    );
}

/// A level has changed by this much.
pub fn delta(hub: &mut Hub, key: MarketKey, side: Side, price: u16, change: i64, best_moved: bool) {
    let now_ms = hub.now_ms();
    let Some(view) = hub.views.get(&key) else {
        return;
    };
    let outcome = bidder(side);
    let body = format!(
        r#"{{"market_ticker":"{}","market_id":"{}","price_dollars":"{}","delta_fp":"{}","side":"{}","ts":"{}","ts_ms":{now_ms}}}"#,
        view.name,
        view.id,
        dollars(price_from(outcome, price)),
        count_fp(change),
        word(outcome),
        kalshi_rest::instant_ms(now_ms),
    );
    publish(
        hub,
        key,
        Channel::OrderBook,
        FrameClass::Delta,
        "orderbook_delta",
        &body,
    );
    if best_moved {
        ticker(hub, key);
    }
}

/// The outcome that a resting order of the Yes book is a bid for.
const fn bidder(side: Side) -> Outcome {
    match side {
        Side::Bid => Outcome::Yes,
        Side::Ask => Outcome::No,
    }
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Yes => "yes",
        Outcome::No => "no",
    }
}

/// A taker has traded.
pub fn trade(hub: &mut Hub, key: MarketKey, resting: Side, price: u16, size: i64, id: u64) {
    let now_ms = hub.now_ms();
    let seed = hub.world.seed();
    let Some(view) = hub.views.get(&key) else {
        return;
    };
    let (taker, book_side) = match resting {
        Side::Ask => ("yes", "bid"),
        Side::Bid => ("no", "ask"),
    };
    let body = format!(
        r#"{{"trade_id":"{}","market_ticker":"{}","yes_price_dollars":"{}","no_price_dollars":"{}","count_fp":"{}","taker_side":"{taker}","taker_outcome_side":"{taker}","taker_book_side":"{book_side}","ts":{},"ts_ms":{now_ms}}}"#,
        key.uuid(seed, &format!("trade {id}")),
        view.name,
        dollars(price),
        dollars(ONE - price),
        count_fp(size),
        now_ms / 1_000,
    );
    publish(hub, key, Channel::Trade, FrameClass::Data, "trade", &body);
    ticker(hub, key);
}

fn ticker(hub: &mut Hub, key: MarketKey) {
    let now_ms = hub.now_ms();
    let Some(view) = hub.views.get(&key) else {
        return;
    };
    let [(bid, bid_size), (ask, ask_size)] = kalshi_rest::quote(Some(view));
    let body = json!({
        "market_ticker": view.name,
        "price_dollars": dollars(view.last_trade.unwrap_or(0)),
        "yes_bid_dollars": dollars(bid),
        "yes_ask_dollars": dollars(ask),
        "yes_bid_size_fp": count_fp(bid_size),
        "yes_ask_size_fp": count_fp(ask_size),
        "volume_fp": count_fp(view.volume),
        "open_interest_fp": count_fp(view.volume),
        "ts": now_ms / 1_000,
        "ts_ms": now_ms,
    });
    publish(
        hub,
        key,
        Channel::Ticker,
        FrameClass::Data,
        "ticker",
        &body.to_string(),
    );
}

/// A step in a market's life.
pub fn lifecycle(hub: &mut Hub, key: MarketKey, event: &str) {
    if !key.is_kalshi() {
        return;
    }
    let Some(view) = hub.views.get(&key) else {
        return;
    };
    let mut body = json!({
        "event_type": event,
        "market_ticker": view.name,
        "open_ts": key.start_s(),
        "close_ts": key.close_s(),
    });
    if let (Some(object), super::hub::Phase::Resolved(winner)) = (body.as_object_mut(), view.phase)
    {
        object.insert("result".into(), json!(word(winner)));
        object.insert(
            "determination_ts".into(),
            json!(key.resolves_ns(hub.world.seed()) / 1_000_000_000),
        );
    }
    publish(
        hub,
        key,
        Channel::Lifecycle,
        FrameClass::Data,
        "market_lifecycle_v2",
        &body.to_string(),
    );
}

/// The order book service has forgotten the market: so do the subscriptions.
pub fn delisted(hub: &mut Hub, key: MarketKey) {
    lifecycle(hub, key, "settled");
    for session in hub.clients.iter_mut().filter_map(session) {
        for markets in session
            .subscriptions
            .iter_mut()
            .filter_map(|s| s.markets.as_mut())
        {
            markets.remove(&key);
        }
    }
}

/// The price grid of a market has changed.
pub fn tick_changed(hub: &mut Hub, key: MarketKey) {
    let Some(view) = hub.views.get(&key) else {
        return;
    };
    let body = json!({
        "event_type": "price_level_structure_updated",
        "market_ticker": view.name,
        "price_level_structure": kalshi_rest::price_level_structure(view.tick),
    });
    publish(
        hub,
        key,
        Channel::Lifecycle,
        FrameClass::Data,
        "market_lifecycle_v2",
        &body.to_string(),
    );
}
