//! Binance spot market data, as the simulated venue speaks it: streams and public REST.
//!
//! Owns: stream subscriptions and the payloads of trade, bookTicker and kline, the REST candles,
//! ladder and clock. A running candle may be up to a step (100 ms) ahead of the trades delivered.
//! Never: serves another symbol than BTCUSDT.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, FrameClass, Session};
use super::hub::{Hub, Shared, Silence};
use super::misbehave::SimVenue;
use super::rng::Rng;
use super::tape::{Candle, LADDER_LEVELS, Ticker, Trade};

/// The server pings this often, and cuts who has not answered for so long.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// See [`PING_EVERY`].
pub const PONG_WITHIN: Duration = Duration::from_secs(60);
/// Messages a client may send in a second, and streams it may listen to.
const MESSAGES_PER_SECOND: u32 = 5;
const STREAMS_MAX: usize = 1_024;
/// Candles in one REST answer at most, and by default.
const CANDLES_MAX: usize = 1_000;
const CANDLES_DEFAULT: usize = 500;
/// Candles are pushed this often (world time).
const CANDLE_PUSH_MS: u64 = 2_000;
const SYMBOL: &str = "BTCUSDT";
const TRADE: &str = "btcusdt@trade";
const BOOK_TICKER: &str = "btcusdt@bookTicker";
/// Candle intervals served: name and minutes.
const INTERVALS: [(&str, u64); 4] = [("1m", 1), ("5m", 5), ("15m", 15), ("1h", 60)];

/// One connection's streams.
#[derive(Debug)]
pub struct BinanceSession {
    combined: bool,
    streams: BTreeSet<String>,
    second: Instant,
    messages: u32,
}

impl BinanceSession {
    /// A connection to `/stream` (combined) or `/ws/<stream>` with the streams of its address.
    pub fn new(combined: bool, streams: &str) -> Self {
        let streams = streams
            .split('/')
            .filter(|name| !name.is_empty())
            .take(STREAMS_MAX)
            .map(str::to_owned);
        Self {
            combined,
            streams: streams.collect(),
            second: Instant::now(),
            messages: 0,
        }
    }
}

#[derive(Deserialize)]
struct Request {
    method: String,
    #[serde(default)]
    params: Vec<String>,
    id: Value,
}

fn session(client: &mut Client) -> Option<&mut BinanceSession> {
    match &mut client.session {
        Session::Binance(session) => Some(session),
        _ => None,
    }
}

/// A text message from a client.
pub fn on_text(hub: &mut Hub, id: u64, text: &str) {
    let Some(client) = hub.clients.get_mut(id) else {
        return;
    };
    let Some(session) = session(client) else {
        return;
    };
    if session.second.elapsed() >= Duration::from_secs(1) {
        (session.second, session.messages) = (Instant::now(), 0);
    }
    session.messages += 1;
    if session.messages > MESSAGES_PER_SECOND {
        client.close(1008, "Too many requests");
        return;
    }
    let Ok(request) = serde_json::from_str::<Request>(text) else {
        client.text(
            FrameClass::Control,
            r#"{"error":{"code":3,"msg":"Invalid JSON"}}"#,
        );
        return;
    };
    let result = match request.method.as_str() {
        "SUBSCRIBE" => {
            let room = STREAMS_MAX.saturating_sub(session.streams.len());
            session
                .streams
                .extend(request.params.into_iter().take(room));
            Value::Null
        }
        "UNSUBSCRIBE" => {
            session
                .streams
                .retain(|stream| !request.params.contains(stream));
            Value::Null
        }
        "LIST_SUBSCRIPTIONS" => json!(session.streams),
        other => {
            let error = json!({"error": {"code": 2, "msg": format!("Invalid request: unknown variant `{other}`")}, "id": request.id});
            client.text(FrameClass::Control, error.to_string());
            return;
        }
    };
    client.text(
        FrameClass::Control,
        json!({"result": result, "id": request.id}).to_string(),
    );
}

fn publish(hub: &mut Hub, stream: &str, data: &str) -> usize {
    if hub.is_silent(Silence::Binance) {
        return 0;
    }
    let mut sent = 0;
    for client in hub
        .clients
        .iter_mut()
        .filter(|client| client.venue == SimVenue::Binance)
    {
        match session(client) {
            Some(session) if session.streams.contains(stream) => {
                sent += 1;
                if session.combined {
                    client.text(
                        FrameClass::Delta,
                        format!(r#"{{"stream":"{stream}","data":{data}}}"#),
                    );
                } else {
                    client.text(FrameClass::Delta, data);
                }
            }
            _ => {}
        }
    }
    sent
}

fn price(cents: i64) -> String {
    format!("{}.{:02}000000", cents / 100, cents % 100)
}

fn quantity(units: i64) -> String {
    format!("{}.{:05}000", units / 100_000, units % 100_000)
}

fn turnover(units: i128) -> String {
    format!("{}.{:07}0", units / 10_000_000, units % 10_000_000)
}

fn book_ticker(update_id: u64, bid: (i64, i64), ask: (i64, i64)) -> String {
    format!(
        r#"{{"u":{update_id},"s":"{SYMBOL}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
        price(bid.0),
        quantity(bid.1),
        price(ask.0),
        quantity(ask.1)
    )
}

/// The best quote has moved.
pub fn ticker(hub: &mut Hub, ticker: &Ticker) {
    publish(
        hub,
        BOOK_TICKER,
        &book_ticker(ticker.update_id, ticker.bid, ticker.ask),
    );
}

/// A quote whose bid is above its ask; tells how many connections it went to.
pub(super) fn send_crossed_ticker(hub: &mut Hub) -> usize {
    let Some(ticker) = hub.ticker else { return 0 };
    publish(
        hub,
        BOOK_TICKER,
        &book_ticker(
            ticker.update_id,
            (ticker.ask.0 + 100, ticker.bid.1),
            ticker.ask,
        ),
    )
}

/// Somebody traded.
pub fn trade(hub: &mut Hub, trade: &Trade) {
    let at_ms = hub.now_ms();
    let data = format!(
        r#"{{"e":"trade","E":{},"s":"{SYMBOL}","t":{},"p":"{}","q":"{}","T":{at_ms},"m":{},"M":true}}"#,
        at_ms + 1,
        trade.id,
        price(trade.price),
        quantity(trade.quantity),
        trade.buyer_is_maker
    );
    publish(hub, TRADE, &data);
}

/// Pushes running candles every two seconds, and final ones when their interval ends.
pub fn candles(hub: &mut Hub) {
    let now_ms = hub.now_ms();
    let last_ms = hub.candles_pushed_ms;
    let minute_over = now_ms / 60_000 != last_ms / 60_000;
    if now_ms < last_ms + CANDLE_PUSH_MS && !minute_over {
        return;
    }
    hub.candles_pushed_ms = now_ms;
    for (name, minutes) in INTERVALS {
        let width = minutes * 60_000;
        let (open_ms, was_ms) = (now_ms / width * width, last_ms / width * width);
        if open_ms != was_ms {
            push_candle(hub, name, width, was_ms, now_ms, true);
        }
        push_candle(hub, name, width, open_ms, now_ms, false);
    }
}

fn push_candle(hub: &mut Hub, name: &str, width: u64, open_ms: u64, now_ms: u64, is_final: bool) {
    let Some(candle) = hub
        .world
        .tape()
        .candles(width / 60_000, open_ms, open_ms)
        .first()
        .copied()
    else {
        return;
    };
    let data = format!(
        r#"{{"e":"kline","E":{now_ms},"s":"{SYMBOL}","k":{{"t":{open_ms},"T":{},"s":"{SYMBOL}","i":"{name}","f":{},"L":{},"o":"{}","c":"{}","h":"{}","l":"{}","v":"{}","n":{},"x":{is_final},"q":"{}","V":"{}","Q":"{}","B":"0"}}}}"#,
        open_ms + width - 1,
        candle.first_id,
        candle.last_id,
        price(candle.open),
        price(candle.close),
        price(candle.high),
        price(candle.low),
        quantity(candle.volume),
        candle.trades,
        turnover(candle.turnover),
        quantity(candle.taker_volume),
        turnover(candle.taker_turnover),
    );
    publish(hub, &format!("btcusdt@kline_{name}"), &data);
}

/// The REST routes.
pub fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/ping", get(async || Json(json!({}))))
        .route("/time", get(time))
        .route("/klines", get(klines))
        .route("/depth", get(depth))
        .route("/ticker/bookTicker", get(rest_book_ticker))
}

async fn time(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({"serverTime": shared.lock().now_ms()}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KlinesAsked {
    symbol: String,
    interval: String,
    start_time: Option<u64>,
    end_time: Option<u64>,
    limit: Option<usize>,
}

async fn klines(State(shared): State<Arc<Shared>>, Query(asked): Query<KlinesAsked>) -> Response {
    if asked.symbol != SYMBOL {
        return invalid_symbol();
    }
    let Some((_, minutes)) = INTERVALS.iter().find(|(name, _)| *name == asked.interval) else {
        return bad_request(-1120, "Invalid interval.");
    };
    let hub = shared.lock();
    let limit = asked.limit.unwrap_or(CANDLES_DEFAULT).clamp(1, CANDLES_MAX);
    let to_ms = asked.end_time.unwrap_or(u64::MAX).min(hub.now_ms());
    let candles = hub
        .world
        .tape()
        .candles(*minutes, asked.start_time.unwrap_or(0), to_ms);
    // From a start: the first ones. Without: the latest ones.
    let skip = if asked.start_time.is_some() {
        0
    } else {
        candles.len().saturating_sub(limit)
    };
    let rows: Vec<Value> = candles
        .iter()
        .skip(skip)
        .take(limit)
        .map(|candle| row(candle, *minutes))
        .collect();
    Json(rows).into_response()
}

fn row(candle: &Candle, minutes: u64) -> Value {
    json!([
        candle.open_ms,
        price(candle.open),
        price(candle.high),
        price(candle.low),
        price(candle.close),
        quantity(candle.volume),
        candle.open_ms + minutes * 60_000 - 1,
        turnover(candle.turnover),
        candle.trades,
        quantity(candle.taker_volume),
        turnover(candle.taker_turnover),
        "0"
    ])
}

#[derive(Deserialize)]
struct SymbolAsked {
    symbol: String,
    limit: Option<u32>,
}

async fn depth(State(shared): State<Arc<Shared>>, Query(asked): Query<SymbolAsked>) -> Response {
    let hub = shared.lock();
    let Some(ticker) = hub.ticker.filter(|_| asked.symbol == SYMBOL) else {
        return invalid_symbol();
    };
    // The ladder behind the best quote depends on the update id alone: asked twice, told the same.
    let mut chance = Rng::named(hub.world.seed(), &[0x6465_7074, ticker.update_id]);
    let mut ladder = |best: (i64, i64), step: i64| -> Vec<[String; 2]> {
        let (mut at, mut levels) = (best.0, vec![[price(best.0), quantity(best.1)]]);
        for _ in 1..asked.limit.unwrap_or(LADDER_LEVELS).min(LADDER_LEVELS) {
            at += step * (1 + i64::from(chance.below(120)));
            levels.push([price(at), quantity(1 + i64::from(chance.below(200_000)))]);
        }
        levels
    };
    let (bids, asks) = (ladder(ticker.bid, -1), ladder(ticker.ask, 1));
    Json(json!({"lastUpdateId": ticker.update_id, "bids": bids, "asks": asks})).into_response()
}

async fn rest_book_ticker(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<SymbolAsked>,
) -> Response {
    let hub = shared.lock();
    let Some(ticker) = hub.ticker.filter(|_| asked.symbol == SYMBOL) else {
        return invalid_symbol();
    };
    Json(json!({
        "symbol": SYMBOL,
        "bidPrice": price(ticker.bid.0),
        "bidQty": quantity(ticker.bid.1),
        "askPrice": price(ticker.ask.0),
        "askQty": quantity(ticker.ask.1),
    }))
    .into_response()
}

fn invalid_symbol() -> Response {
    bad_request(-1121, "Invalid symbol.")
}

fn bad_request(code: i32, message: &str) -> Response {
    (
        StatusCode::BAD_REQUEST,
        Json(json!({"code": code, "msg": message})),
    )
        .into_response()
}
