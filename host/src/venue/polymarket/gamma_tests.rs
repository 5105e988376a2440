//! What decides a market.

use super::market;
use crate::venue::recordings;
use pm_arb_core::ids::{OracleId, Timestamp};
use pm_arb_core::market::SettlementRule;
use pm_arb_core::units::SpotPrice;

fn oracle(source: &str, symbol: &str) -> OracleId {
    assert_eq!((source, symbol), ("binance", "btcusdt"));
    OracleId(2)
}

#[test]
fn hourly_markets_settle_on_the_candle_of_their_hour_where_that_is_certain() {
    let spec = |slug: &str, start: Option<&str>, end: &str| {
        let object = serde_json::json!({
            "slug": slug, "conditionId": "0x1", "outcomes": "[\"Up\", \"Down\"]",
            "clobTokenIds": "[\"1\", \"2\"]", "orderPriceMinTickSize": 0.01, "orderMinSize": 5,
            "eventStartTime": start, "endDate": end, "feesEnabled": false
        });
        market(&object, oracle).unwrap()
    };
    let (slug, end) = (
        "bitcoin-up-or-down-july-24-2026-3pm-et",
        "2026-07-24T20:00:00Z",
    );
    let found = spec(slug, Some("2026-07-24T19:00:00Z"), end);
    let candle = SettlementRule::Candle {
        oracle: OracleId(2),
        interval_secs: 3_600,
    };
    assert_eq!(found.settlement, candle);
    assert_eq!(found.settlement.oracle(), Some(OracleId(2)));
    assert_eq!(found.opens_at, Timestamp::from_secs(1_784_919_600));
    // A window that is not told, not an hour or not on the hour; a day's market; another asset.
    for (slug, start, end) in [
        (slug, None, end),
        (slug, Some("2026-07-24T18:00:00Z"), end),
        (slug, Some("2026-07-24T19:30:00Z"), "2026-07-24T20:30:00Z"),
        (
            slug,
            Some("2026-07-24T19:00:00.5Z"),
            "2026-07-24T20:00:00.5Z",
        ),
        (
            "bitcoin-up-or-down-on-july-24",
            Some("2026-07-24T19:00:00Z"),
            end,
        ),
        (
            "ethereum-up-or-down-july-24-3pm-et",
            Some("2026-07-24T19:00:00Z"),
            end,
        ),
    ] {
        let found = spec(slug, start, end).settlement;
        assert_eq!(found, SettlementRule::VenueOnly, "{slug} {start:?}");
    }
}

#[test]
fn a_recorded_above_market_settles_on_the_minute_that_begins_at_noon() {
    let name = "polymarket/nautilus_fixtures/search_response.json";
    let Some(answer) = recordings::json("a_recorded_above_market", name) else {
        return;
    };
    let events = answer["events"].as_array().unwrap();
    let mut markets = events.iter().flat_map(super::markets_of);
    let slug = "bitcoin-above-64k-on-march-11";
    let object = markets.find(|m| m["slug"] == slug).unwrap();
    let found = market(object, oracle).unwrap();
    let rule = SettlementRule::Above {
        oracle: OracleId(2),
        strike: SpotPrice(64_000 * 10_i128.pow(18)),
        strict: true,
        candle_secs: Some(60),
    };
    assert_eq!(found.settlement, rule);
    assert_eq!(found.closes_at, Timestamp::from_secs(1_773_244_800));
    // Its outcomes must be what the words speak of.
    let mut other = object.clone();
    other["outcomes"] = "[\"Over\", \"Under\"]".into();
    let found = market(&other, oracle).unwrap();
    assert_eq!(found.settlement, SettlementRule::VenueOnly);
}

#[test]
fn a_touch_market_opens_with_the_window_of_its_question() {
    let object = serde_json::json!({
        "slug": "will-bitcoin-dip-to-67k-on-june-2", "question": "Will Bitcoin dip to $67,000 on June 2?",
        "description": "This market will immediately resolve to \"Yes\" if any Binance 1-minute candle for \
            Bitcoin (BTC/USDT) on the date specified in the title, between 12:00 AM ET and 11:59 PM ET has \
            a final \"Low\" price equal to or lower than the price specified in the title. Otherwise, this \
            market will resolve to \"No.\"",
        "conditionId": "0x1", "outcomes": "[\"Yes\", \"No\"]", "clobTokenIds": "[\"1\", \"2\"]",
        "orderPriceMinTickSize": 0.001, "orderMinSize": 5, "endDate": "2026-06-03T04:00:00Z",
    });
    let found = market(&object, oracle).unwrap();
    let rule = SettlementRule::Touch {
        oracle: OracleId(2),
        barrier: SpotPrice(67_000 * 10_i128.pow(18)),
        rises: false,
        interval_secs: 60,
    };
    assert_eq!(found.settlement, rule);
    assert_eq!(found.opens_at, Timestamp::from_secs(1_780_372_800));
    assert_eq!(found.family(), "touch 1d");
}
