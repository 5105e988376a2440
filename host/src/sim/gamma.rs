//! Polymarket's Gamma and CLOB REST services, as the simulated venue answers them.
//!
//! Owns: events and markets with the fields a client reads, for live markets and for every past
//! one since the world's origin. Outcomes appear only once the venue has announced them.
//! Never: tells what the world knows and the venue would not say yet.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{Outcome, Side, price_from, trimmed_price};
use super::hub::{Hub, Phase, Shared, View};
use super::polymarket;
use super::spec::{MarketKey, RANGE_BUCKETS, RANGE_WINDOW_S, WINDOW_S, eastern};

/// Smallest order, in shares.
pub const ORDER_SIZE_MIN: u32 = 5;
/// Events or markets in one answer, unless `limit` says less.
const PAGE_MAX: usize = 500;
/// Tokens in one `POST /books`.
const BOOKS_MAX: usize = 500;
/// Taker fee rate of the up/down markets, and of the range event.
const FEE_RATE_UP_DOWN: f64 = 0.07;
const FEE_RATE_RANGE: f64 = 0.04;

type Pairs = Query<Vec<(String, String)>>;

/// Gamma's routes.
pub fn gamma_routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/events", get(events))
        .route("/events/slug/{slug}", get(event_by_slug))
        .route("/markets", get(markets))
        .route("/markets/slug/{slug}", get(market_by_slug))
}

/// The order book service's routes.
pub fn clob_routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/book", get(book))
        .route("/books", post(books))
        .route("/time", get(time))
        .route("/markets/{condition_id}", get(clob_market))
}

/// The venue's number of a market; events use the same range.
pub fn numeric_id(key: MarketKey) -> u64 {
    match key {
        MarketKey::UpDown { start_s } | MarketKey::Kalshi { start_s } => start_s / WINDOW_S,
        MarketKey::Range { start_s, bucket } => {
            10_000_000 + start_s / RANGE_WINDOW_S * 10 + u64::from(bucket)
        }
    }
}

/// The outcomes' names, in the order of [`Outcome::BOTH`].
pub fn outcome_names(key: MarketKey) -> [&'static str; 2] {
    match key {
        MarketKey::Range { .. } => ["Yes", "No"],
        _ => ["Up", "Down"],
    }
}

fn fee_rate(key: MarketKey) -> f64 {
    if matches!(key, MarketKey::Range { .. }) {
        FEE_RATE_RANGE
    } else {
        FEE_RATE_UP_DOWN
    }
}

fn iso(unix_s: u64) -> String {
    jiff::Timestamp::from_second(unix_s as i64)
        .map(|t| t.to_string())
        .unwrap_or_default()
}

fn usd(value_e8: i64) -> f64 {
    value_e8 as f64 / 1e8
}

/// "Bitcoin Up or Down - July 7, 7:55AM-8:00AM ET".
fn title(hub: &Hub, key: MarketKey) -> String {
    let span = format!(
        "{}-{} ET",
        eastern(key.start_s(), "%B %-d, %-I:%M%p"),
        eastern(key.close_s(), "%-I:%M%p")
    );
    match (key, hub.world.payoff(key)) {
        (MarketKey::Range { .. }, Some(payoff)) => {
            use super::spec::Payoff::{AtLeast, Below, Between};
            let bucket = match payoff {
                Below(high) => format!("below ${:.0}", usd(high)),
                Between(low, high) => format!("from ${:.0} to below ${:.0}", usd(low), usd(high)),
                AtLeast(low) => format!("at or above ${:.0}", usd(low)),
            };
            format!("Will Bitcoin be {bucket} at the end of {span}?")
        }
        _ => format!("Bitcoin Up or Down - {span}"),
    }
}

fn event_title(hub: &Hub, key: MarketKey) -> String {
    match key {
        MarketKey::Range { .. } => {
            format!(
                "Bitcoin range - {}-{} ET",
                eastern(key.start_s(), "%B %-d, %-I:%M%p"),
                eastern(key.close_s(), "%-I:%M%p")
            )
        }
        _ => title(hub, key),
    }
}

const SOURCE: &str = "https://data.chain.link/streams/btc-usd";
const DESCRIPTION: &str = "This market will resolve to \"Up\" if the Bitcoin price at the end of the time range specified in the title is greater than or equal to the price at the beginning of that range. Otherwise, it will resolve to \"Down\".\nThe resolution source for this market is information from Chainlink, specifically the BTC/USD data stream available at https://data.chain.link/streams/btc-usd.";
const RANGE_DESCRIPTION: &str = "This market will resolve to \"Yes\" if the Bitcoin price at the end of the time range specified in the title lies in the named bucket (lower bound inclusive, upper bound exclusive). Otherwise, it will resolve to \"No\".\nThe resolution source for this market is information from Chainlink, specifically the BTC/USD data stream available at https://data.chain.link/streams/btc-usd.";

fn description(key: MarketKey) -> &'static str {
    if matches!(key, MarketKey::Range { .. }) {
        RANGE_DESCRIPTION
    } else {
        DESCRIPTION
    }
}

/// The announced winner, if it has been announced by now.
fn announced(hub: &Hub, key: MarketKey) -> Option<Outcome> {
    let at_ns = key.resolves_ns(hub.world.seed());
    hub.world.winner(key).filter(|_| at_ns <= hub.delivered_ns)
}

fn is_listed(hub: &Hub, key: MarketKey) -> bool {
    hub.world.has_listed(key)
        && key.listed_s(hub.world.origin_s()) * 1_000_000_000 <= hub.delivered_ns
}

/// A market as Gamma shows it; `None` when it was never listed.
fn market(hub: &Hub, key: MarketKey) -> Option<Value> {
    if key.is_kalshi() || !is_listed(hub, key) {
        return None;
    }
    let seed = hub.world.seed();
    let view = hub.views.get(&key);
    let winner = announced(hub, key);
    let names = outcome_names(key);
    let neg_risk = matches!(key, MarketKey::Range { .. });
    let best = |side| {
        view.and_then(|v| v.book.best(side))
            .map(|(price, _)| f64::from(price) / 10_000.0)
    };
    let (bid, ask) = (
        best(Side::Bid).unwrap_or(0.0),
        best(Side::Ask).unwrap_or(1.0),
    );
    let prices = match winner {
        Some(Outcome::Yes) => ["1".to_owned(), "0".to_owned()],
        Some(Outcome::No) => ["0".to_owned(), "1".to_owned()],
        None => {
            let mid = ((bid + ask) * 5_000.0) as u16;
            Outcome::BOTH.map(|outcome| trimmed_price(price_from(outcome, mid)))
        }
    };
    let tokens = Outcome::BOTH.map(|outcome| key.token_id(seed, outcome));
    let listed_s = key.listed_s(hub.world.origin_s());
    let resolved_s = key.resolves_ns(seed) / 1_000_000_000;
    let volume = view.map_or(0.0, |v| v.volume as f64 / 100.0);
    let mut market = json!({
        "id": numeric_id(key).to_string(),
        "question": title(hub, key),
        "conditionId": key.hex_id(seed, "condition"),
        "questionID": key.hex_id(seed, "question"),
        "slug": key.name(),
        "description": description(key),
        "resolutionSource": SOURCE,
        "startDate": iso(listed_s),
        "createdAt": iso(listed_s),
        "endDate": iso(key.close_s()),
        "eventStartTime": iso(key.start_s()),
        "endDateIso": iso(key.close_s()).get(..10),
        "outcomes": format!(r#"["{}", "{}"]"#, names[0], names[1]),
        "outcomePrices": format!(r#"["{}", "{}"]"#, prices[0], prices[1]),
        "clobTokenIds": format!(r#"["{}", "{}"]"#, tokens[0], tokens[1]),
        "volume": format!("{volume}"),
        "volumeNum": volume,
        "liquidity": "0",
        "active": true,
        "closed": winner.is_some(),
        "archived": false,
        "restricted": true,
        "enableOrderBook": true,
        "acceptingOrders": hub.delivered_ns < key.close_s() * 1_000_000_000,
        "orderPriceMinTickSize": view.map_or(0.01, |v| f64::from(v.tick) / 10_000.0),
        "orderMinSize": ORDER_SIZE_MIN,
        "bestBid": bid,
        "bestAsk": ask,
        "spread": libm::round((ask - bid) * 10_000.0) / 10_000.0,
        "makerBaseFee": 1000,
        "takerBaseFee": 1000,
        "feesEnabled": true,
        "feeType": "crypto_fees_v2",
        "feeSchedule": {"exponent": 1, "rate": fee_rate(key), "takerOnly": true, "rebateRate": 0.2},
        "negRisk": neg_risk,
        "negRiskOther": false,
        "automaticallyResolved": true,
        "automaticallyActive": true,
        "umaResolutionStatuses": "[]",
        "groupItemThreshold": "0",
    });
    if let (Some(object), Some(price)) = (market.as_object_mut(), view.and_then(|v| v.last_trade)) {
        object.insert("lastTradePrice".into(), json!(f64::from(price) / 10_000.0));
    }
    if let (Some(object), MarketKey::Range { start_s, bucket }) = (market.as_object_mut(), key) {
        object.insert("groupItemThreshold".into(), json!(bucket.to_string()));
        object.insert("negRiskMarketID".into(), json!(neg_risk_id(seed, start_s)));
    }
    if let (Some(object), Some(_)) = (market.as_object_mut(), winner) {
        let closed = iso(resolved_s).replace('T', " ").replace('Z', "+00");
        object.insert("closedTime".into(), json!(closed));
        object.insert("umaEndDate".into(), json!(iso(resolved_s)));
        object.insert("umaResolutionStatus".into(), json!("resolved"));
    }
    Some(market)
}

fn neg_risk_id(seed: u64, start_s: u64) -> String {
    MarketKey::Range { start_s, bucket: 0 }.hex_id(seed, "negrisk")
}

/// An event with its markets; `None` when it was never listed.
fn event(hub: &Hub, keys: &[MarketKey]) -> Option<Value> {
    let markets: Vec<Value> = keys.iter().filter_map(|key| market(hub, *key)).collect();
    let key = keys.first().copied().filter(|_| !markets.is_empty())?;
    let seed = hub.world.seed();
    let closed = keys.iter().all(|key| announced(hub, *key).is_some());
    let listed_s = key.listed_s(hub.world.origin_s());
    let range = matches!(key, MarketKey::Range { .. });
    let series = if range {
        "btc-range-15m"
    } else {
        "btc-up-or-down-5m"
    };
    let mut event = json!({
        "id": (20_000_000 + numeric_id(key)).to_string(),
        "ticker": key.event_name(),
        "slug": key.event_name(),
        "title": event_title(hub, key),
        "description": description(key),
        "resolutionSource": SOURCE,
        "startDate": iso(listed_s),
        "creationDate": iso(listed_s),
        "createdAt": iso(listed_s),
        "startTime": iso(key.start_s()),
        "endDate": iso(key.close_s()),
        "active": true,
        "closed": closed,
        "archived": false,
        "restricted": true,
        "enableOrderBook": true,
        "negRisk": range,
        "enableNegRisk": range,
        "negRiskAugmented": false,
        "automaticallyResolved": true,
        "seriesSlug": series,
        "series": [{"slug": series, "ticker": series, "seriesType": "single", "recurrence": if range { "15m" } else { "5m" }}],
        "tags": [{"label": "Crypto", "slug": "crypto"}, {"label": "Bitcoin", "slug": "bitcoin"}],
        "markets": markets,
    });
    if let Some(object) = event.as_object_mut() {
        if range {
            object.insert(
                "negRiskMarketID".into(),
                json!(neg_risk_id(seed, key.start_s())),
            );
        } else if closed
            && let (Some(start), Some(end)) = (
                hub.world.settlement_at(key.start_s()),
                hub.world.settlement_at(key.close_s()),
            )
        {
            object.insert(
                "eventMetadata".into(),
                json!({"priceToBeat": usd(start), "finalPrice": usd(end)}),
            );
        }
        if closed {
            let last = keys
                .iter()
                .map(|key| key.resolves_ns(seed))
                .max()
                .unwrap_or_default();
            object.insert("closedTime".into(), json!(iso(last / 1_000_000_000)));
        }
    }
    Some(event)
}

/// `new_market` of the market channel, which writes in snake case what Gamma writes in camel case.
pub fn new_market(view: &View, now_ms: u64) -> String {
    let (key, names) = (view.key, outcome_names(view.key));
    json!({
        "id": numeric_id(key).to_string(),
        "question": format!("Bitcoin {}", view.name),
        "market": view.id,
        "condition_id": view.id,
        "slug": view.name,
        "description": description(key),
        "assets_ids": view.tokens,
        "clob_token_ids": view.tokens,
        "outcomes": names,
        "event_message": {
            "id": (20_000_000 + numeric_id(key)).to_string(),
            "ticker": key.event_name(),
            "slug": key.event_name(),
            "title": format!("Bitcoin {}", key.event_name()),
            "description": description(key),
        },
        "tags": ["crypto", "bitcoin"],
        "active": true,
        "order_price_min_tick_size": trimmed_price(view.tick),
        "taker_base_fee": "1000",
        "fees_enabled": true,
        "fee_schedule": {"exponent": "1", "rate": fee_rate(key).to_string(), "taker_only": true, "rebate_rate": "0.2"},
        "timestamp": now_ms.to_string(),
        "event_type": "new_market",
    })
    .to_string()
}

/// Live Polymarket events, oldest window first.
fn live_events(hub: &Hub) -> Vec<Vec<MarketKey>> {
    let mut slugs: Vec<String> = Vec::new();
    for key in hub.views.keys().filter(|key| !key.is_kalshi()) {
        let slug = key.event_name();
        if !slugs.contains(&slug) {
            slugs.push(slug);
        }
    }
    slugs
        .iter()
        .map(|slug| MarketKey::of_event_slug(slug))
        .collect()
}

/// Every Polymarket market since the origin, the latest first.
fn history(hub: &Hub) -> impl Iterator<Item = MarketKey> {
    let (origin_s, now_s) = (hub.world.origin_s(), hub.delivered_ns / 1_000_000_000);
    let up_down = (origin_s..=now_s)
        .step_by(WINDOW_S as usize)
        .map(|start_s| MarketKey::UpDown { start_s });
    let range = (origin_s..=now_s)
        .step_by(RANGE_WINDOW_S as usize)
        .flat_map(|start_s| {
            (0..RANGE_BUCKETS).map(move |bucket| MarketKey::Range { start_s, bucket })
        });
    up_down.chain(range)
}

fn asked<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let values = pairs
        .iter()
        .filter(|(key, _)| key == name || key.strip_suffix("[]") == Some(name));
    values
        .flat_map(|(_, value)| value.split(','))
        .filter(|value| !value.is_empty())
        .collect()
}

/// Applies `closed`, `offset` and `limit` to a list.
fn page(values: Vec<Value>, pairs: &[(String, String)]) -> Json<Vec<Value>> {
    let number = |name| {
        asked(pairs, name)
            .first()
            .and_then(|text| text.parse::<usize>().ok())
    };
    let closed = asked(pairs, "closed")
        .first()
        .and_then(|text| text.parse::<bool>().ok());
    let kept = values
        .into_iter()
        .filter(|value| closed.is_none_or(|closed| value.get("closed") == Some(&json!(closed))));
    Json(
        kept.skip(number("offset").unwrap_or(0))
            .take(number("limit").unwrap_or(PAGE_MAX).min(PAGE_MAX))
            .collect(),
    )
}

async fn events(State(shared): State<Arc<Shared>>, Query(pairs): Pairs) -> Json<Vec<Value>> {
    let hub = shared.lock();
    let slugs = asked(&pairs, "slug");
    let keys: Vec<Vec<MarketKey>> = if slugs.is_empty() {
        live_events(&hub)
    } else {
        slugs
            .into_iter()
            .take(PAGE_MAX)
            .map(MarketKey::of_event_slug)
            .collect()
    };
    let series = asked(&pairs, "series_slug");
    let found = keys.iter().filter_map(|keys| event(&hub, keys));
    let found = found.filter(|e| {
        series.is_empty()
            || e.get("seriesSlug")
                .and_then(Value::as_str)
                .is_some_and(|s| series.contains(&s))
    });
    page(found.collect(), &pairs)
}

async fn event_by_slug(State(shared): State<Arc<Shared>>, Path(slug): Path<String>) -> Response {
    let found = event(&shared.lock(), &MarketKey::of_event_slug(&slug));
    found.map_or_else(
        || not_found("event not found"),
        |event| Json(event).into_response(),
    )
}

async fn markets(State(shared): State<Arc<Shared>>, Query(pairs): Pairs) -> Json<Vec<Value>> {
    let hub = shared.lock();
    let seed = hub.world.seed();
    let (slugs, conditions, tokens) = (
        asked(&pairs, "slug"),
        asked(&pairs, "condition_ids"),
        asked(&pairs, "clob_token_ids"),
    );
    let mut keys: Vec<MarketKey> = Vec::new();
    if slugs.is_empty() && conditions.is_empty() && tokens.is_empty() {
        keys.extend(hub.views.keys());
    }
    keys.extend(
        slugs
            .into_iter()
            .take(PAGE_MAX)
            .filter_map(MarketKey::of_market_slug),
    );
    if !conditions.is_empty() || !tokens.is_empty() {
        let is_asked = |key: &MarketKey| {
            conditions.contains(&key.hex_id(seed, "condition").as_str())
                || Outcome::BOTH.iter().any(|o| {
                    !tokens.is_empty() && tokens.contains(&key.token_id(seed, *o).as_str())
                })
        };
        let live = hub.views.keys().copied().filter(&is_asked);
        let mut found: Vec<MarketKey> = live.collect();
        if found.len() < conditions.len().max(tokens.len()) {
            found.extend(history(&hub).filter(&is_asked));
        }
        found.sort();
        found.dedup();
        keys.extend(found);
    }
    page(
        keys.into_iter()
            .filter_map(|key| market(&hub, key))
            .collect(),
        &pairs,
    )
}

async fn market_by_slug(State(shared): State<Arc<Shared>>, Path(slug): Path<String>) -> Response {
    let hub = shared.lock();
    let found = MarketKey::of_market_slug(&slug).and_then(|key| market(&hub, key));
    found.map_or_else(
        || not_found("market not found"),
        |market| Json(market).into_response(),
    )
}

async fn book(State(shared): State<Arc<Shared>>, Query(pairs): Pairs) -> Response {
    let hub = shared.lock();
    let token = asked(&pairs, "token_id")
        .first()
        .and_then(|token| hub.find_token(token));
    let view = token.and_then(|(key, outcome)| Some((hub.views.get(&key)?, outcome)));
    match view {
        Some((view, outcome)) => raw_json(polymarket::rest_book(view, outcome)),
        None => not_found("No orderbook exists for the requested token id"),
    }
}

#[derive(Deserialize)]
struct BookAsked {
    token_id: String,
}

async fn books(State(shared): State<Arc<Shared>>, Json(asked): Json<Vec<BookAsked>>) -> Response {
    if asked.len() > BOOKS_MAX {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({"error": "Payload exceeds the limit"})),
        )
            .into_response();
    }
    let hub = shared.lock();
    let found = asked.iter().filter_map(|asked| {
        let (key, outcome) = hub.find_token(&asked.token_id)?;
        Some(polymarket::rest_book(hub.views.get(&key)?, outcome))
    });
    raw_json(format!("[{}]", found.collect::<Vec<_>>().join(",")))
}

async fn time(State(shared): State<Arc<Shared>>) -> String {
    (shared.lock().delivered_ns / 1_000_000_000).to_string()
}

async fn clob_market(
    State(shared): State<Arc<Shared>>,
    Path(condition_id): Path<String>,
) -> Response {
    let hub = shared.lock();
    let seed = hub.world.seed();
    let is_it = |key: &MarketKey| key.hex_id(seed, "condition") == condition_id;
    let live = hub
        .views
        .keys()
        .copied()
        .filter(|key| !key.is_kalshi())
        .find(is_it);
    let Some(key) = live
        .or_else(|| history(&hub).find(is_it))
        .filter(|key| is_listed(&hub, *key))
    else {
        return not_found("market not found");
    };
    let winner = announced(&hub, key);
    let view = hub.views.get(&key);
    let tokens = Outcome::BOTH.map(|outcome| {
        json!({
            "token_id": key.token_id(seed, outcome),
            "outcome": outcome_names(key)[outcome.index()],
            "winner": winner == Some(outcome),
        })
    });
    Json(json!({
        "condition_id": condition_id,
        "market_slug": key.name(),
        "question": title(&hub, key),
        "end_date_iso": iso(key.close_s()),
        "active": true,
        "closed": winner.is_some(),
        "accepting_orders": view.is_some_and(|view| matches!(view.phase, Phase::Listed | Phase::Open)),
        "enable_order_book": true,
        "minimum_order_size": ORDER_SIZE_MIN,
        "minimum_tick_size": view.map_or(0.01, |view| f64::from(view.tick) / 10_000.0),
        "maker_base_fee": 1000,
        "taker_base_fee": 1000,
        "neg_risk": matches!(key, MarketKey::Range { .. }),
        "tokens": tokens,
    }))
    .into_response()
}

fn raw_json(body: String) -> Response {
    ([("content-type", "application/json")], body).into_response()
}

fn not_found(message: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"error": message}))).into_response()
}
