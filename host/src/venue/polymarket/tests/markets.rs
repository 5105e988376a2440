//! Market objects, recorded and bent by hand, as specifications and outcomes.

use crate::rulebook::{self, Rules};
use crate::venue::polymarket::gamma;
use crate::venue::recordings;
use pm_arb_core::ids::{MarketId, Nanos, OracleId};
use pm_arb_core::market::{FeeSchedule, MarketSpec, SettlementRule};
use pm_arb_core::units::{Price, Qty};
use serde_json::Value;

fn oracle(source: &str, symbol: &str) -> OracleId {
    match (source, symbol) {
        ("chainlink", "btcusd") => OracleId(1),
        ("binance", "btcusdt") => OracleId(2),
        other => panic!("{other:?}"),
    }
}

fn listed(market: &Value) -> Result<MarketSpec, gamma::GammaError> {
    let book = rulebook::built_in().unwrap();
    gamma::market(market, Rules::of_its_day(&book), oracle)
}

fn event_specs(event: &Value) -> Vec<Result<MarketSpec, gamma::GammaError>> {
    let book = rulebook::built_in().unwrap();
    gamma::markets_of(event)
        .map(|market| gamma::market_in_event(market, event, Rules::of_its_day(&book), oracle))
        .collect()
}

#[test]
fn recorded_market_objects_become_specifications_and_outcomes() {
    let Some(lines) = recordings::lines(
        "recorded_market_objects",
        "aligned/btc5m_20260724_chainlink/markets_h00-16.jsonl.gz",
    ) else {
        return;
    };
    for line in &lines {
        let row: Value = serde_json::from_str(line).unwrap();
        let spec = listed(&row["raw"]).unwrap();
        assert_eq!(spec.native_id, row["condition_id"].as_str().unwrap());
        assert_eq!(spec.outcomes[0].name, "Up");
        assert_eq!(
            spec.outcomes[0].native_id,
            row["token_ids"][0].as_str().unwrap()
        );
        assert_eq!(spec.opens_at.secs(), row["start_sec"].as_u64().unwrap());
        assert_eq!(spec.closes_at.secs(), row["end_sec"].as_u64().unwrap());
        assert_eq!(spec.fee, FeeSchedule::polymarket(70_000));
        assert_eq!(spec.taker_delay, Some(Nanos::from_ms(250)));
        assert_eq!(
            (spec.min_qty, spec.lot),
            (Some(Qty(5_000_000)), Qty(10_000))
        );
        assert_eq!(spec.pair_key.as_deref(), row["slug"].as_str());
        let rule = SettlementRule::UpDown {
            oracle: OracleId(1),
            strike: None,
        };
        assert_eq!(spec.settlement, rule);
        let outcome = gamma::resolution(&row["raw"], MarketId(7))
            .unwrap()
            .unwrap();
        let paid: Vec<Price> = row["outcome_prices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| Price::parse(p.as_str().unwrap()).unwrap())
            .collect();
        assert_eq!((outcome.payouts, outcome.market), (paid, MarketId(7)));
    }
    assert_eq!(lines.len(), 193);
}

#[test]
fn market_objects_of_other_kinds() {
    let name = "market_objects_of_other_kinds";
    let fixture =
        |file: &str| recordings::json(name, &format!("polymarket/nautilus_fixtures/{file}.json"));
    let Some(twap) = fixture("gamma_market_crypto_twap") else {
        return;
    };
    let spec = listed(&twap).unwrap();
    let rule = SettlementRule::UpDownTwap {
        oracle: OracleId(1),
        lookback_secs: 60,
        strike: None,
    };
    assert_eq!(
        (spec.settlement, spec.fee),
        (rule, FeeSchedule::polymarket(70_000))
    );
    assert_eq!(gamma::resolution(&twap, MarketId(0)), Ok(None));

    let legacy = fixture("gamma_market_closed_zero_zero_legacy").unwrap();
    assert!(!matches!(
        gamma::resolution(&legacy, MarketId(0)),
        Ok(Some(_))
    ));
    let scalar = fixture("gamma_market_closed_nonbinary_legacy").unwrap();
    assert!(!matches!(
        gamma::resolution(&scalar, MarketId(0)),
        Ok(Some(_))
    ));
    let binary = fixture("gamma_market_closed_binary_accepting_true").unwrap();
    let outcome = gamma::resolution(&binary, MarketId(0)).unwrap().unwrap();
    assert_eq!(outcome.payouts, [Price::DOLLAR, Price::ZERO]);

    let events = fixture("gamma_event").unwrap();
    let specs = event_specs(&events[0]);
    let sets: Vec<_> = specs
        .iter()
        .flatten()
        .filter_map(|s| s.exclusive_set.clone())
        .collect();
    assert!(!sets.is_empty());
    // It has unlisted outcomes: sums over the listed ones are no arbitrage, and the flag says so.
    let members = events[0]["markets"].as_array().unwrap().len();
    for set in &sets {
        assert_eq!((set.augmented, usize::from(set.members)), (true, members));
    }

    let recorded = recordings::json(name, "polymarket/gamma/event_btc5m_1783425300.json").unwrap();
    let event = if recorded.is_array() {
        &recorded[0]
    } else {
        &recorded
    };
    let specs = event_specs(event);
    let settlement = specs[0].as_ref().map(|s| s.settlement.clone());
    let Ok(SettlementRule::UpDown {
        strike: Some(strike),
        ..
    }) = settlement
    else {
        panic!("{settlement:?}");
    };
    let stated = event["eventMetadata"]["priceToBeat"].to_string();
    assert_eq!(
        strike,
        pm_arb_core::units::SpotPrice::parse(&stated).unwrap()
    );

    for (file, fee) in [
        ("dr_manhattan_markets.json", FeeSchedule::polymarket(50_000)),
        ("active_markets_a.json.gz", FeeSchedule::Free),
    ] {
        let list = recordings::json(name, &format!("polymarket/gamma/{file}")).unwrap();
        for market in list.as_array().unwrap() {
            let spec = listed(market).unwrap();
            assert_eq!(
                (spec.settlement, spec.fee),
                (SettlementRule::VenueOnly, fee)
            );
        }
    }
}

#[test]
fn market_objects_say_which_field_is_wrong() {
    let good = || {
        serde_json::json!({
            "slug": "will-it", "conditionId": "0x1", "outcomes": "[\"No\", \"Yes\"]",
            "clobTokenIds": "[\"1\", \"2\"]", "orderPriceMinTickSize": 0.01, "orderMinSize": 5,
            "endDate": "2026-12-01T00:00:00Z", "feesEnabled": true, "question": "Will it?"
        })
    };
    let spec = listed(&good()).unwrap();
    assert_eq!(spec.fee, FeeSchedule::Unknown);
    let names: Vec<_> = spec
        .outcomes
        .iter()
        .map(|o| (&*o.name, &*o.native_id))
        .collect();
    assert_eq!(names, [("Yes", "2"), ("No", "1")]);
    for (field, value) in [
        ("conditionId", Value::Null),
        ("clobTokenIds", "[]".into()),
        ("clobTokenIds", "[\"\", \"\"]".into()),
        ("clobTokenIds", "[\"1\", \"1\"]".into()),
        ("outcomes", "[\"A\", \"B\", \"C\"]".into()),
        ("orderPriceMinTickSize", 1.into()),
        ("orderMinSize", (-1).into()),
        ("endDate", "soon".into()),
        ("endDate", Value::Null),
    ] {
        let mut object = good();
        object[field] = value;
        let error = listed(&object).unwrap_err();
        assert_eq!(error.field, field, "{object}");
    }
    let closed = |prices: &str| {
        let mut object = good();
        object["closed"] = true.into();
        object["umaResolutionStatus"] = "resolved".into();
        object["outcomePrices"] = prices.into();
        gamma::resolution(&object, MarketId(1))
    };
    let payouts = |prices| closed(prices).unwrap().unwrap().payouts;
    assert_eq!(payouts("[\"0\", \"1\"]"), [Price::DOLLAR, Price::ZERO]);
    assert_eq!(
        payouts("[\"0.5\", \"0.5\"]"),
        [Price(500_000), Price(500_000)]
    );
    assert!(closed("[\"0.999\", \"0.001\"]").is_err());
}
