//! Kalshi's REST market data, as the simulated venue answers it.
//!
//! Owns: series, events, markets and order books, for live markets and every past one since the
//! world's origin. Results appear only once the venue has determined them.
//! Never: tells what the world knows and the venue would not say yet.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::book::{CENT, ONE, Outcome, Side, count_fp, dollars};
use super::hub::{Hub, Shared, View};
use super::misbehave::SimVenue;
use super::spec::{KALSHI_SERIES, MarketKey, WINDOW_S, eastern};

/// Markets or events in one answer, unless `limit` says less.
const PAGE_MAX: usize = 1_000;
const PAGE_DEFAULT: usize = 100;
/// From determination to final settlement.
const SETTLEMENT_TIMER_S: u64 = 5;

type Pairs = Query<Vec<(String, String)>>;

/// The REST routes.
pub fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route(
            "/exchange/status",
            get(async || Json(json!({"exchange_active": true, "trading_active": true}))),
        )
        .route("/series/{ticker}", get(series))
        .route("/events", get(events))
        .route("/events/{ticker}", get(event_by_ticker))
        .route("/markets", get(markets))
        .route("/markets/orderbooks", get(order_books))
        .route("/markets/{ticker}", get(market_by_ticker))
        .route("/markets/{ticker}/orderbook", get(order_book))
}

/// Bids of an outcome, ascending: `["0.4800","41.26"]`.
pub fn levels(view: &View, outcome: Outcome) -> Vec<[String; 2]> {
    let bids = view.book.bids_ascending(outcome);
    bids.into_iter()
        .map(|(price, size)| [dollars(price), count_fp(size)])
        .collect()
}

/// Best bid and best offer of Yes with their sizes; an empty side reads 0 or 1.
pub fn quote(view: Option<&View>) -> [(u16, i64); 2] {
    let best = |side| view.and_then(|view| view.book.best(side));
    [
        best(Side::Bid).unwrap_or((0, 0)),
        best(Side::Ask).unwrap_or((ONE, 0)),
    ]
}

/// The name of a price grid.
pub const fn price_level_structure(tick: u16) -> &'static str {
    if tick == CENT {
        "linear_cent"
    } else {
        "deci_cent"
    }
}

/// An instant in microseconds, as Kalshi writes it.
pub fn instant_ms(at_ms: u64) -> String {
    jiff::Timestamp::from_millisecond(at_ms as i64)
        .map(|t| format!("{t:.6}"))
        .unwrap_or_default()
}

fn instant(unix_s: u64) -> String {
    jiff::Timestamp::from_second(unix_s as i64)
        .map(|t| t.to_string())
        .unwrap_or_default()
}

fn is_listed(hub: &Hub, key: MarketKey) -> bool {
    hub.world.has_listed(key)
        && key.listed_s(hub.world.origin_s()) * 1_000_000_000 <= hub.delivered_ns
}

fn status(hub: &Hub, key: MarketKey) -> &'static str {
    let (now_s, seed) = (hub.delivered_ns / 1_000_000_000, hub.world.seed());
    let determined_ns = key.resolves_ns(seed);
    if now_s < key.start_s() {
        "initialized"
    } else if now_s < key.close_s() {
        "active"
    } else if hub.delivered_ns < determined_ns {
        "closed"
    } else if hub.delivered_ns < determined_ns + SETTLEMENT_TIMER_S * 1_000_000_000 {
        "determined"
    } else {
        "finalized"
    }
}

fn market(hub: &Hub, key: MarketKey) -> Option<Value> {
    if !key.is_kalshi() || !is_listed(hub, key) {
        return None;
    }
    let seed = hub.world.seed();
    let status = status(hub, key);
    let known = matches!(status, "determined" | "finalized");
    let winner = hub.world.winner(key).filter(|_| known);
    let view = hub.views.get(&key);
    let [(bid, bid_size), (ask, ask_size)] = quote(view);
    let strike = hub
        .world
        .settlement_at(key.start_s())
        .filter(|_| status != "initialized")
        .map(|v| v as f64 / 1e8);
    let target = strike.map_or("TBD".to_owned(), |strike| format!("${strike:.2}"));
    let tick = view.map_or(CENT, |v| v.tick);
    let mut market = json!({
        "ticker": key.name(),
        "event_ticker": key.event_name(),
        "market_type": "binary",
        "title": "BTC price up in next 5 mins?",
        "yes_sub_title": format!("Target Price: {target}"),
        "no_sub_title": format!("Target Price: {target}"),
        "created_time": instant(key.listed_s(hub.world.origin_s())),
        "open_time": instant(key.start_s()),
        "close_time": instant(key.close_s()),
        "expected_expiration_time": instant(key.close_s() + WINDOW_S),
        "expiration_time": instant(key.close_s() + 7 * 86_400),
        "latest_expiration_time": instant(key.close_s() + 7 * 86_400),
        "settlement_timer_seconds": SETTLEMENT_TIMER_S,
        "status": status,
        "result": winner.map_or("", |winner| if winner == Outcome::Yes { "yes" } else { "no" }),
        "strike_type": "greater_or_equal",
        "can_close_early": true,
        "notional_value_dollars": "1.0000",
        "price_level_structure": price_level_structure(tick),
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": dollars(tick)}],
        "yes_bid_dollars": dollars(bid),
        "yes_ask_dollars": dollars(ask),
        "yes_bid_size_fp": count_fp(bid_size),
        "yes_ask_size_fp": count_fp(ask_size),
        "no_bid_dollars": dollars(ONE - ask),
        "no_ask_dollars": dollars(ONE - bid),
        "last_price_dollars": dollars(view.and_then(|v| v.last_trade).unwrap_or(0)),
        "volume_fp": count_fp(view.map_or(0, |v| v.volume)),
        "open_interest_fp": count_fp(view.map_or(0, |v| v.volume)),
        "rules_primary": "If the price of Bitcoin in U.S. dollars at the close time is at least the price at the open time, then the market resolves to Yes.",
    });
    if let Some(object) = market.as_object_mut() {
        if let Some(strike) = strike {
            object.insert("floor_strike".into(), json!(strike));
        }
        if let (Some(winner), Some(end)) = (winner, hub.world.settlement_at(key.close_s())) {
            let value = if winner == Outcome::Yes {
                "1.0000"
            } else {
                "0.0000"
            };
            object.insert(
                "expiration_value".into(),
                json!(format!("{:.2}", end as f64 / 1e8)),
            );
            object.insert("settlement_value_dollars".into(), json!(value));
            object.insert(
                "settlement_ts".into(),
                json!(instant_ms(key.resolves_ns(seed) / 1_000_000)),
            );
        }
    }
    Some(market)
}

fn event(hub: &Hub, key: MarketKey, nested: bool) -> Option<Value> {
    let market = market(hub, key)?;
    let span = format!(
        "{} to {}",
        eastern(key.start_s(), "%b %-d - %-I:%M%p"),
        eastern(key.close_s(), "%-I:%M%p ET")
    );
    let mut event = json!({
        "event_ticker": key.event_name(),
        "series_ticker": KALSHI_SERIES,
        "title": "BTC 5 min",
        "sub_title": span,
        "category": "Crypto",
        "mutually_exclusive": false,
        "strike_date": instant(key.close_s()),
        "strike_period": "",
        "settlement_sources": [{"name": "Chainlink BTC/USD", "url": "https://data.chain.link/streams/btc-usd"}],
    });
    if let Some(object) = event.as_object_mut().filter(|_| nested) {
        object.insert("markets".into(), json!([market]));
    }
    Some(event)
}

/// A market by ticker: a live one first (a ticker names an hour twice when clocks go back).
pub fn find(hub: &Hub, ticker: &str) -> Option<MarketKey> {
    let past = || {
        MarketKey::of_kalshi_event(ticker.rsplit_once('-')?.0).filter(|key| key.name() == ticker)
    };
    hub.find_market(SimVenue::Kalshi, Some(ticker))
        .or_else(past)
        .filter(|key| is_listed(hub, *key))
}

fn find_event(hub: &Hub, ticker: &str) -> Option<MarketKey> {
    let live = hub
        .views
        .keys()
        .copied()
        .find(|key| key.is_kalshi() && key.event_name() == ticker);
    live.or_else(|| MarketKey::of_kalshi_event(ticker))
}

fn asked<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let values = pairs.iter().filter(|(key, _)| key == name);
    values
        .flat_map(|(_, value)| value.split(','))
        .filter(|value| !value.is_empty())
        .collect()
}

/// Every market since the origin, the latest first, as the filters want them.
fn selected(hub: &Hub, pairs: &[(String, String)]) -> Vec<MarketKey> {
    let (tickers, events) = (asked(pairs, "tickers"), asked(pairs, "event_ticker"));
    let series = asked(pairs, "series_ticker");
    let wanted: Vec<&[&str]> = asked(pairs, "status").into_iter().map(statuses).collect();
    if !series.is_empty() && !series.contains(&KALSHI_SERIES) {
        return Vec::new();
    }
    let keys: Vec<MarketKey> = if !tickers.is_empty() {
        tickers
            .iter()
            .filter_map(|ticker| find(hub, ticker))
            .collect()
    } else if !events.is_empty() {
        events
            .iter()
            .filter_map(|ticker| find_event(hub, ticker))
            .collect()
    } else {
        let last_s = hub.delivered_ns / 1_000_000_000 + super::spec::LISTED_AHEAD_S;
        let starts = (hub.world.origin_s()..=last_s).step_by(WINDOW_S as usize);
        let mut keys: Vec<MarketKey> = starts
            .map(|start_s| MarketKey::Kalshi { start_s })
            .collect();
        keys.reverse();
        keys
    };
    let fits = |key: &MarketKey| {
        is_listed(hub, *key)
            && (wanted.is_empty()
                || wanted
                    .iter()
                    .any(|words| words.contains(&status(hub, *key))))
    };
    keys.into_iter().filter(fits).collect()
}

/// The list filters use other words than the field does.
fn statuses(filter: &str) -> &'static [&'static str] {
    match filter {
        "unopened" => &["initialized"],
        "open" => &["active"],
        "closed" => &["closed", "determined"],
        "settled" => &["finalized"],
        _ => &[],
    }
}

/// One page of a list, and the cursor of the next: the number of rows before it.
fn page(
    pairs: &[(String, String)],
    keys: &[MarketKey],
    draw: impl Fn(MarketKey) -> Option<Value>,
) -> (Vec<Value>, String) {
    let number = |name| {
        asked(pairs, name)
            .first()
            .and_then(|text| text.parse::<usize>().ok())
    };
    let skip = number("cursor").unwrap_or(0);
    let limit = number("limit").unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let rows = keys
        .iter()
        .skip(skip)
        .take(limit)
        .filter_map(|key| draw(*key))
        .collect();
    let next = skip.saturating_add(limit);
    (
        rows,
        if next < keys.len() {
            next.to_string()
        } else {
            String::new()
        },
    )
}

async fn series(Path(ticker): Path<String>) -> Response {
    if ticker != KALSHI_SERIES {
        return not_found();
    }
    Json(json!({"series": {
        "ticker": KALSHI_SERIES,
        "title": "BTC up or down 5 min",
        "category": "Crypto",
        "frequency": "five_min",
        "fee_type": "quadratic",
        "fee_multiplier": 1,
        "settlement_sources": [{"name": "Chainlink BTC/USD", "url": "https://data.chain.link/streams/btc-usd"}],
    }}))
    .into_response()
}

async fn events(State(shared): State<Arc<Shared>>, Query(pairs): Pairs) -> Json<Value> {
    let hub = shared.lock();
    let nested = asked(&pairs, "with_nested_markets").contains(&"true");
    let (events, cursor) = page(&pairs, &selected(&hub, &pairs), |key| {
        event(&hub, key, nested)
    });
    Json(json!({"events": events, "cursor": cursor}))
}

async fn event_by_ticker(
    State(shared): State<Arc<Shared>>,
    Path(ticker): Path<String>,
    Query(pairs): Pairs,
) -> Response {
    let hub = shared.lock();
    let nested = asked(&pairs, "with_nested_markets").contains(&"true");
    let Some(key) = find_event(&hub, &ticker) else {
        return not_found();
    };
    match (event(&hub, key, nested), market(&hub, key)) {
        (Some(event), Some(market)) => {
            Json(json!({"event": event, "markets": [market]})).into_response()
        }
        _ => not_found(),
    }
}

async fn markets(State(shared): State<Arc<Shared>>, Query(pairs): Pairs) -> Json<Value> {
    let hub = shared.lock();
    let (markets, cursor) = page(&pairs, &selected(&hub, &pairs), |key| market(&hub, key));
    Json(json!({"markets": markets, "cursor": cursor}))
}

async fn market_by_ticker(
    State(shared): State<Arc<Shared>>,
    Path(ticker): Path<String>,
) -> Response {
    let hub = shared.lock();
    let found = find(&hub, &ticker).and_then(|key| market(&hub, key));
    found.map_or_else(not_found, |market| {
        Json(json!({"market": market})).into_response()
    })
}

fn order_book_value(view: &View, depth: usize) -> Value {
    // The best levels are the last ones.
    let side = |outcome| {
        let levels = levels(view, outcome);
        let skip = if depth == 0 {
            0
        } else {
            levels.len().saturating_sub(depth)
        };
        levels.into_iter().skip(skip).collect::<Vec<_>>()
    };
    json!({"yes_dollars": side(Outcome::Yes), "no_dollars": side(Outcome::No)})
}

async fn order_book(
    State(shared): State<Arc<Shared>>,
    Path(ticker): Path<String>,
    Query(pairs): Pairs,
) -> Response {
    let hub = shared.lock();
    let depth = asked(&pairs, "depth")
        .first()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let view = hub
        .find_market(SimVenue::Kalshi, Some(&ticker))
        .and_then(|key| hub.views.get(&key));
    view.map_or_else(not_found, |view| {
        Json(json!({"orderbook_fp": order_book_value(view, depth)})).into_response()
    })
}

async fn order_books(State(shared): State<Arc<Shared>>, Query(pairs): Pairs) -> Json<Value> {
    let hub = shared.lock();
    let views = asked(&pairs, "tickers")
        .into_iter()
        .filter_map(|t| hub.views.get(&hub.find_market(SimVenue::Kalshi, Some(t))?));
    let books: Vec<Value> = views
        .map(|v| json!({"ticker": v.name, "orderbook_fp": order_book_value(v, 0)}))
        .collect();
    Json(json!({"orderbooks": books}))
}

fn not_found() -> Response {
    (
        StatusCode::NOT_FOUND,
        Json(json!({"error": {"code": "not_found", "message": "not found"}})),
    )
        .into_response()
}
