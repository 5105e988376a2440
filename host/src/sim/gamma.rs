//! Gamma's view of the simulated markets: events and markets with the fields a client reads.
//!
//! Owns: the JSON of live markets and of every past one since the world's origin. Outcomes appear
//! only once the venue has announced them.
//! Never: tells what the world knows and the venue would not say yet.

use serde_json::{Value, json};

use super::book::{Outcome, Side, price_from, trimmed_price};
use super::hub::{Hub, View};
use super::spec::{MarketKey, RANGE_WINDOW_S, WINDOW_S, eastern};

/// Smallest order, in shares.
pub const ORDER_SIZE_MIN: u32 = 5;
/// Taker fee rate of the up/down markets, and of the range event.
const FEE_RATE_UP_DOWN: f64 = 0.07;
const FEE_RATE_RANGE: f64 = 0.04;

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

/// An instant as Gamma writes most of them.
pub fn iso(unix_s: u64) -> String {
    jiff::Timestamp::from_second(unix_s as i64)
        .map(|t| t.to_string())
        .unwrap_or_default()
}

fn usd(value_e8: i64) -> f64 {
    value_e8 as f64 / 1e8
}

/// "Bitcoin Up or Down - July 7, 7:55AM-8:00AM ET".
pub fn title(hub: &Hub, key: MarketKey) -> String {
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
pub fn announced(hub: &Hub, key: MarketKey) -> Option<Outcome> {
    let at_ns = key.resolves_ns(hub.world.seed());
    hub.world.winner(key).filter(|_| at_ns <= hub.delivered_ns)
}

/// Whether a market has been listed by the time that has been delivered.
pub fn is_listed(hub: &Hub, key: MarketKey) -> bool {
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
    if let (Some(object), MarketKey::UpDown { .. }) = (market.as_object_mut(), key) {
        // This world settles on the value at the second, as the venue did until August 2026; the
        // venue's windows since then say the opposite in the same field.
        let config =
            json!({"id": "btc-5m-spot", "asset": "btc", "duration": "5m", "twapEnabled": false});
        object.insert("cryptoMarketConfig".into(), config);
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
pub fn event(hub: &Hub, keys: &[MarketKey]) -> Option<Value> {
    let markets: Vec<Value> = keys.iter().filter_map(|key| market(hub, *key)).collect();
    let mut event = event_of(hub, keys.first().copied().filter(|_| !markets.is_empty())?);
    if let Some(object) = event.as_object_mut() {
        object.insert("markets".into(), json!(markets));
    }
    Some(event)
}

/// A market with the event it belongs to, as the list of markets shows it.
pub fn market_with_event(hub: &Hub, key: MarketKey) -> Option<Value> {
    let mut market = market(hub, key)?;
    if let Some(object) = market.as_object_mut() {
        object.insert("events".into(), json!([event_of(hub, key)]));
    }
    Some(market)
}

/// The event a market belongs to, without its markets. Its members resolve together.
fn event_of(hub: &Hub, key: MarketKey) -> Value {
    let seed = hub.world.seed();
    let closed = announced(hub, key).is_some();
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
            let resolved_s = key.resolves_ns(seed) / 1_000_000_000;
            object.insert("closedTime".into(), json!(iso(resolved_s)));
        }
    }
    event
}

/// `new_market` of the market channel, which writes in snake case what Gamma writes in camel case.
pub fn new_market(view: &View, title: &str, now_ms: u64) -> String {
    let (key, names) = (view.key, outcome_names(view.key));
    json!({
        "id": numeric_id(key).to_string(),
        "question": title,
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
            "title": title,
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
