//! What decides an hourly market.

use super::market;
use crate::rulebook::Rules;
use pm_arb_core::ids::{OracleId, Timestamp};
use pm_arb_core::market::SettlementRule;

fn oracle(source: &str, symbol: &str) -> OracleId {
    assert_eq!((source, symbol), ("binance", "btcusdt"));
    OracleId(2)
}

#[test]
fn hourly_markets_settle_on_the_candle_of_their_hour_where_that_is_certain() {
    let book = crate::rulebook::built_in().unwrap();
    let spec = |slug: &str, start: Option<&str>, end: &str| {
        let object = serde_json::json!({
            "slug": slug, "conditionId": "0x1", "outcomes": "[\"Up\", \"Down\"]",
            "clobTokenIds": "[\"1\", \"2\"]", "orderPriceMinTickSize": 0.01, "orderMinSize": 5,
            "eventStartTime": start, "endDate": end, "feesEnabled": false
        });
        market(&object, Rules::of_its_day(&book), oracle).unwrap()
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
