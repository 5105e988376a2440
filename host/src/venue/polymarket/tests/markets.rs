//! Market objects, recorded and bent by hand, as specifications and outcomes.

use crate::rulebook::{self, Rules};
use crate::venue::polymarket::gamma;
use crate::venue::recordings;
use pm_arb_core::ids::{MarketId, Nanos, OracleId};
use pm_arb_core::market::{FeeSchedule, MarketSpec, SettlementRule};
use pm_arb_core::reason::Reason;
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

/// A window of after the change to means, whose fields agree.
fn window() -> Value {
    serde_json::json!({
        "slug": "btc-updown-5m-1787414400", "conditionId": "0x2e",
        "outcomes": "[\"Up\", \"Down\"]", "clobTokenIds": "[\"11\", \"38\"]",
        "startDate": "2026-08-21T16:08:38.248161Z", "eventStartTime": "2026-08-22T16:00:00Z",
        "endDate": "2026-08-22T16:05:00Z", "orderPriceMinTickSize": 0.01, "orderMinSize": 5,
        "resolutionSource": "https://data.chain.link/streams/btc-usd-twap-60s-streams",
        "feesEnabled": true,
        "feeSchedule": {"exponent": 1, "rate": 0.07, "takerOnly": true, "rebateRate": 0.2},
        "cryptoMarketConfig": {"id": "btc-5m-twap-60", "asset": "btc", "duration": "5m",
            "twapEnabled": true, "twapLookbackSeconds": 60},
    })
}

#[test]
fn fields_that_contradict_each_other_or_are_missing_leave_the_market_out_by_name() {
    use Reason::{ContradictoryMarket as Contradicts, MalformedFrame, MissingField};
    assert!(listed(&window()).is_ok());
    let config = |key: &str, value: Value| {
        let mut config = window()["cryptoMarketConfig"].clone();
        config[key] = value;
        ("cryptoMarketConfig", config)
    };
    let metadata = |price: Value| {
        let events = serde_json::json!([{"eventMetadata": {"priceToBeat": price}}]);
        ("events", events)
    };
    for ((key, value), reason, field) in [
        // The end before, or at, the start; not the slug's window.
        (
            ("endDate", "2026-08-22T16:00:00Z".into()),
            Contradicts,
            "endDate",
        ),
        (
            ("endDate", "2026-08-22T15:00:00Z".into()),
            Contradicts,
            "endDate",
        ),
        (
            ("endDate", "2026-08-22T16:15:00Z".into()),
            Contradicts,
            "endDate",
        ),
        (
            ("startDate", "2026-08-23T00:00:00Z".into()),
            Contradicts,
            "endDate",
        ),
        (
            ("eventStartTime", "2026-08-22T16:01:00Z".into()),
            Contradicts,
            "eventStartTime",
        ),
        (
            ("slug", "btc-updown-15m-1787414400".into()),
            Contradicts,
            "endDate",
        ),
        (
            ("slug", "eth-updown-5m-1787414400".into()),
            Contradicts,
            "cryptoMarketConfig",
        ),
        // Outcomes and tokens.
        (("outcomes", "[\"Up\"]".into()), Contradicts, "outcomes"),
        (
            ("outcomes", "[\"Up\", \"up\"]".into()),
            Contradicts,
            "outcomes",
        ),
        (
            ("outcomes", "[\"A\", \"B\", \"C\"]".into()),
            Contradicts,
            "outcomes",
        ),
        (
            ("clobTokenIds", "[\"11\", \"11\"]".into()),
            Contradicts,
            "clobTokenIds",
        ),
        (
            ("clobTokenIds", "[\"\", \"\"]".into()),
            MissingField,
            "clobTokenIds",
        ),
        // Grid and sizes.
        (
            ("orderPriceMinTickSize", 0.03.into()),
            Contradicts,
            "orderPriceMinTickSize",
        ),
        (
            ("orderPriceMinTickSize", 0.into()),
            Contradicts,
            "orderPriceMinTickSize",
        ),
        (
            ("orderPriceMinTickSize", "a cent".into()),
            MalformedFrame,
            "orderPriceMinTickSize",
        ),
        (("orderMinSize", (-5).into()), Contradicts, "orderMinSize"),
        // Fees.
        (("feesEnabled", false.into()), Contradicts, "feesEnabled"),
        // What decides.
        (
            config("duration", "15m".into()),
            Contradicts,
            "cryptoMarketConfig",
        ),
        (
            config("asset", "eth".into()),
            Contradicts,
            "cryptoMarketConfig",
        ),
        (
            config("twapLookbackSeconds", 30.into()),
            Contradicts,
            "cryptoMarketConfig",
        ),
        (
            config("twapLookbackSeconds", 0.into()),
            Contradicts,
            "cryptoMarketConfig",
        ),
        (
            config("twapLookbackSeconds", 301.into()),
            Contradicts,
            "cryptoMarketConfig",
        ),
        (
            config("twapLookbackSeconds", Value::Null),
            MissingField,
            "cryptoMarketConfig",
        ),
        (
            config("twapEnabled", false.into()),
            Contradicts,
            "cryptoMarketConfig",
        ),
        (
            ("cryptoMarketConfig", "twap".into()),
            MalformedFrame,
            "cryptoMarketConfig",
        ),
        (metadata(0.into()), Contradicts, "priceToBeat"),
        (metadata((-65_000).into()), Contradicts, "priceToBeat"),
        (metadata("high".into()), MalformedFrame, "priceToBeat"),
        // Missing altogether.
        (("slug", Value::Null), MissingField, "slug"),
        (("conditionId", "".into()), MissingField, "conditionId"),
        (("outcomes", Value::Null), MissingField, "outcomes"),
        (("endDate", Value::Null), MissingField, "endDate"),
    ] {
        let mut object = window();
        object[key] = value;
        let error = listed(&object).unwrap_err();
        assert_eq!((error.reason, error.field), (reason, field), "{object}");
        let said = error.to_string();
        assert!(said.contains(field) && said.contains("left out"), "{said}");
    }
    assert!(listed(&window()).is_ok());
}

#[test]
fn what_a_market_leaves_open_is_the_rulebooks_or_unknown() {
    let without = |keys: &[&str]| {
        let mut object = window();
        for key in keys {
            object[*key] = Value::Null;
        }
        object
    };
    let spec = listed(&window()).unwrap();
    assert_eq!(
        spec.fee_rule,
        "the market's feeSchedule: rate 0.07, exponent 1"
    );
    assert_eq!(spec.maker_fee, FeeSchedule::Free);
    let spec = listed(&without(&["feeSchedule"])).unwrap();
    assert_eq!(spec.fee, FeeSchedule::polymarket(70_000));
    assert_eq!(
        spec.fee_rule,
        "rulebook: polymarket crypto taker fee from 2026-05-11"
    );
    let spec = listed(&without(&["orderMinSize", "orderPriceMinTickSize"])).unwrap();
    assert_eq!(spec.min_qty, Some(Qty(5_000_000)));
    assert_eq!(spec.tick, Some(Price(10_000)));
    // Of another family no row says it: unknown, and no default.
    let mut other = without(&["orderMinSize", "orderPriceMinTickSize", "feeSchedule"]);
    other["slug"] = "will-it".into();
    let spec = listed(&other).unwrap();
    assert_eq!((spec.tick, spec.min_qty), (None, None));
    assert_eq!(
        (spec.fee, spec.maker_fee),
        (FeeSchedule::Unknown, FeeSchedule::Free)
    );
    assert_eq!(
        spec.fee_rule,
        "rulebook: polymarket other taker fee unknown from 2026-01-01"
    );
    // The market's own word beats the rule of the day, in both directions.
    let mut own = without(&["cryptoMarketConfig", "resolutionSource"]);
    let mean = |spec: &MarketSpec| match spec.settlement {
        SettlementRule::UpDownTwap { lookback_secs, .. } => Some(lookback_secs),
        SettlementRule::UpDown { .. } => Some(0),
        _ => None,
    };
    assert_eq!(mean(&listed(&own).unwrap()), Some(60));
    own["cryptoMarketConfig"] = serde_json::json!({"twapEnabled": false});
    assert_eq!(mean(&listed(&own).unwrap()), Some(0));
    own["cryptoMarketConfig"] = serde_json::json!({"twapEnabled": true, "twapLookbackSeconds": 30});
    assert_eq!(mean(&listed(&own).unwrap()), Some(30));
}

#[test]
fn a_schedule_of_unknown_shape_is_unknown_and_says_what_was_read() {
    for (schedule, word) in [
        (
            serde_json::json!({"exponent": 3, "rate": 0.07}),
            "exponent 3",
        ),
        (
            serde_json::json!({"exponent": 1.5, "rate": 0.07}),
            "exponent 1.5",
        ),
        (serde_json::json!({"rate": 0.07}), "no exponent"),
        (serde_json::json!({"exponent": 1}), "no rate"),
        (
            serde_json::json!({"exponent": 1, "rate": "many"}),
            "rate \"many\"",
        ),
        (
            serde_json::json!({"exponent": 1, "rate": -0.07}),
            "rate -0.07",
        ),
        (serde_json::json!({"exponent": 1, "rate": 7}), "rate 7"),
        (serde_json::json!("seven percent"), "no object"),
    ] {
        let mut object = window();
        object["feeSchedule"] = schedule;
        let spec = listed(&object).unwrap();
        assert_eq!(spec.fee, FeeSchedule::Unknown, "{object}");
        let rule = spec.fee_rule;
        assert!(
            rule.starts_with("feeSchedule of unknown shape: ") && rule.contains(word),
            "{rule}"
        );
    }
    let mut object = window();
    object["feeSchedule"]["takerOnly"] = false.into();
    let spec = listed(&object).unwrap();
    assert_eq!(spec.fee, FeeSchedule::polymarket(70_000));
    assert_eq!(spec.maker_fee, FeeSchedule::Unknown);
}
