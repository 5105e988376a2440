//! Polymarket's REST services, as the simulated venue answers them: Gamma and the order books.
//!
//! Owns: routes, filters and limits. Never: draws a market; `gamma` and `polymarket` do.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::Outcome;
use super::hub::{Hub, Phase, Shared};
use super::spec::{MarketKey, RANGE_BUCKETS, RANGE_WINDOW_S, WINDOW_S};
use super::{gamma, polymarket};

/// Events or markets in one answer, unless `limit` says less.
const PAGE_MAX: usize = 500;
/// Tokens in one `POST /books`.
const BOOKS_MAX: usize = 500;

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
    let first_range_s = origin_s.next_multiple_of(RANGE_WINDOW_S);
    let range = (first_range_s..=now_s)
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
    let found = keys.iter().filter_map(|keys| gamma::event(&hub, keys));
    let found = found.filter(|e| {
        series.is_empty()
            || e.get("seriesSlug")
                .and_then(Value::as_str)
                .is_some_and(|s| series.contains(&s))
    });
    page(found.collect(), &pairs)
}

async fn event_by_slug(State(shared): State<Arc<Shared>>, Path(slug): Path<String>) -> Response {
    let found = gamma::event(&shared.lock(), &MarketKey::of_event_slug(&slug));
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
            .filter_map(|key| gamma::market_with_event(&hub, key))
            .collect(),
        &pairs,
    )
}

async fn market_by_slug(State(shared): State<Arc<Shared>>, Path(slug): Path<String>) -> Response {
    let hub = shared.lock();
    let found =
        MarketKey::of_market_slug(&slug).and_then(|key| gamma::market_with_event(&hub, key));
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
        .filter(|key| gamma::is_listed(&hub, *key))
    else {
        return not_found("market not found");
    };
    let winner = gamma::announced(&hub, key);
    let view = hub.views.get(&key);
    let tokens = Outcome::BOTH.map(|outcome| {
        json!({
            "token_id": key.token_id(seed, outcome),
            "outcome": gamma::outcome_names(key)[outcome.index()],
            "winner": winner == Some(outcome),
        })
    });
    Json(json!({
        "condition_id": condition_id,
        "market_slug": key.name(),
        "question": gamma::title(&hub, key),
        "end_date_iso": gamma::iso(key.close_s()),
        "active": true,
        "closed": winner.is_some(),
        "accepting_orders": view.is_some_and(|view| matches!(view.phase, Phase::Listed | Phase::Open)),
        "enable_order_book": true,
        "minimum_order_size": gamma::ORDER_SIZE_MIN,
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
