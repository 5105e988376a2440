//! The decoder on recorded windows, and the REST objects that go with them.

use super::decode::{Decoder, FrameCounts};
use super::rest;
use crate::catalog::Catalog;
use crate::rulebook::{self, Rules};
use crate::venue::recordings;
use pm_arb_core::event::{BookSide, Event};
use pm_arb_core::ids::{InstrumentId, MarketId, OracleId, Timestamp};
use pm_arb_core::market::{FeeSchedule, MarketSpec, SettlementRule};
use pm_arb_core::reason::Reason;
use pm_arb_core::rulebook::Rulebook;
use pm_arb_core::units::{Price, Qty, SpotPrice};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn oracle(source: &str, symbol: &str) -> OracleId {
    assert_eq!((source, symbol), ("chainlink", "btcusd"));
    OracleId(3)
}

fn rules() -> Arc<Rulebook> {
    Arc::new(rulebook::built_in().unwrap())
}

fn listed(market: &Value, series: &Value) -> Result<MarketSpec, rest::RestError> {
    rest::market(market, series, Rules::of_its_day(&rules()), oracle)
}

fn gold(ids: &mut Catalog, event: &str) -> Option<(MarketSpec, Value)> {
    let name = format!("kalshi/ws_gold15m_202608/metadata/{event}.json");
    let file = recordings::json("kalshi", &name)?;
    let market = file["response"]["markets"][0].clone();
    let series = json!({
        "ticker": "KXGOLD15M", "fee_type": "quadratic", "fee_multiplier": 1,
        "settlement_sources": file["response"]["event"]["settlement_sources"],
    });
    let spec = listed(&market, &series).unwrap();
    Some((ids.list_market(spec).unwrap(), market))
}

#[test]
fn a_recorded_window_folds_into_two_mirrored_books_that_never_cross() {
    let mut ids = Catalog::default();
    let Some((spec, _)) = gold(&mut ids, "KXGOLD15M-26AUG102130") else {
        return;
    };
    let name = "kalshi/ws_gold15m_202608/KXGOLD15M-26AUG102130-30__2026-08-11.ndjson.gz";
    let lines = recordings::lines("a_recorded_window", name).unwrap();
    let mut decoder = Decoder::new(rules());
    let mut total = FrameCounts::default();
    type Sides = [BTreeMap<Price, Qty>; 2];
    let mut books: BTreeMap<InstrumentId, Sides> = BTreeMap::new();
    for line in &lines {
        let (_, text) = line.split_once("\"event\":").unwrap();
        let text = text.strip_suffix('}').unwrap();
        let mut events = Vec::new();
        let counts = decoder.frame(text, &ids, &mut events).unwrap();
        total.snapshots += counts.snapshots;
        total.deltas += counts.deltas;
        total.negative += counts.negative;
        total.refused += counts.refused;
        total.untracked += counts.untracked;
        for event in &events {
            match event {
                Event::Snapshot(book) => {
                    let sides = [&book.bids, &book.asks].map(|s| s.iter().copied().collect());
                    books.insert(book.instrument, sides);
                }
                Event::Level(level) => {
                    let side = usize::from(level.side == BookSide::Ask);
                    let side = &mut books.get_mut(&level.instrument).unwrap()[side];
                    match level.qty {
                        Qty::ZERO => side.remove(&level.price),
                        qty => side.insert(level.price, qty),
                    };
                }
                _ => {}
            }
        }
        let whole = events.iter().rev().find_map(|event| match event {
            Event::Snapshot(book) => Some(book.more),
            Event::Level(level) => Some(level.more),
            _ => None,
        });
        assert_ne!(whole, Some(true), "{text}");
        if counts.deltas > 0 {
            let [yes, no] = [0, 1].map(|at: usize| &books[&spec.outcomes[at].instrument]);
            let bid = yes[0].last_key_value();
            let ask = yes[1].first_key_value();
            if let (Some((bid, _)), Some((ask, _))) = (bid, ask) {
                assert!(bid < ask, "{text}");
                assert_eq!(
                    no[1].first_key_value().map(|(p, _)| p.complement()),
                    Some(*bid)
                );
            }
        }
    }
    assert_eq!((total.refused, total.untracked), (0, 0));
    assert!(total.snapshots >= 1 && total.deltas > 100_000, "{total:?}");
    assert!(total.negative <= 4, "{total:?}");
}

#[test]
fn recorded_market_objects_become_specifications_and_outcomes() {
    let mut ids = Catalog::default();
    let Some((spec, market)) = gold(&mut ids, "KXGOLD15M-26AUG050000") else {
        return;
    };
    assert_eq!(spec.tick, Some(Price(10_000)));
    assert_eq!(spec.fee, FeeSchedule::kalshi(70_000));
    assert_eq!(spec.settlement, SettlementRule::VenueOnly);
    assert_eq!((spec.pair_key.as_deref(), spec.lot), (None, Qty(1_000_000)));
    assert_eq!(spec.closes_at.since(spec.opens_at).ms(), 900_000);
    assert_eq!(spec.outcomes[1].native_id, "KXGOLD15M-26AUG050000-00:no");
    let outcome = rest::resolution(&market, MarketId(4)).unwrap().unwrap();
    assert_eq!(outcome.payouts, [Price::ZERO, Price::DOLLAR]);

    let name = "kalshi/rest/dr_manhattan_markets_202606.json";
    let others = recordings::json("kalshi", name).unwrap();
    let others = others.get("markets").unwrap_or(&others);
    for market in others.as_array().unwrap() {
        let spec = listed(market, &Value::Null).unwrap();
        assert_eq!(
            (spec.tick, spec.fee),
            (Some(Price(1_000)), FeeSchedule::Unknown)
        );
        assert_eq!(rest::resolution(market, MarketId(0)), Ok(None));
    }
}

fn small_world() -> (Catalog, MarketSpec) {
    let market = json!({
        "ticker": "KXBTC5M-26NOV221900-00", "open_time": "2026-11-22T23:55:00Z",
        "close_time": "2026-11-23T00:00:00Z", "price_level_structure": "linear_cent",
        "strike_type": "greater_or_equal", "floor_strike": 65026.45, "title": "BTC up?",
    });
    let series = json!({
        "ticker": "KXBTC5M", "fee_type": "quadratic", "fee_multiplier": 0.5,
        "settlement_sources": [{"url": "https://data.chain.link/streams/btc-usd"}],
    });
    let mut ids = Catalog::default();
    let spec = listed(&market, &series).unwrap();
    let spec = ids.list_market(spec).unwrap();
    (ids, spec)
}

#[test]
fn a_market_of_the_same_source_shares_its_key_with_polymarket() {
    let (_, spec) = small_world();
    let start = Timestamp::from_secs(1_795_391_700);
    assert_eq!(spec.opens_at, start);
    assert_eq!(spec.pair_key.as_deref(), Some("btc-updown-5m-1795391700"));
    assert_eq!(spec.fee, FeeSchedule::kalshi(35_000));
    let rule = SettlementRule::UpDown {
        oracle: OracleId(3),
        strike: SpotPrice::parse("65026.45").ok(),
    };
    assert_eq!(spec.settlement, rule);
}

#[test]
fn the_crypto_quarter_hours_settle_on_the_mean_of_their_last_minute() {
    let market = |strike_type: &str, series: &Value| {
        json!({
            "ticker": format!("{}-26NOV221900-00", series["ticker"].as_str().unwrap()), "open_time": "2026-11-22T23:45:00Z",
            "close_time": "2026-11-23T00:00:00Z", "price_level_structure": "linear_cent",
            "strike_type": strike_type, "floor_strike": 65026.45, "title": "BTC up?",
        })
    };
    let series = |ticker: &str, name: &str| json!({"ticker": ticker, "settlement_sources": [{"name": name}]});
    let settles = |market: &Value, series: &Value| {
        let index = |source: &str, symbol: &str| {
            assert_eq!((source, symbol), ("cfbenchmarks", "btcusd"));
            OracleId(5)
        };
        rest::market(market, series, Rules::of_its_day(&rules()), index)
            .unwrap()
            .settlement
    };
    let mean = |strict| SettlementRule::MeanAbove {
        oracle: OracleId(5),
        lookback_secs: 60,
        strike: SpotPrice::parse("65026.45").ok(),
        strict,
    };
    let btc = series("KXBTC15M", "CF Benchmarks");
    assert_eq!(
        settles(&market("greater_or_equal", &btc), &btc),
        mean(false)
    );
    assert_eq!(settles(&market("greater", &btc), &btc), mean(true));
    // Another span, another source, another question: only the venue knows.
    for (kind, series) in [
        ("less", btc),
        ("greater", series("KXBTCD", "CF Benchmarks")),
        ("greater", series("KXBTC15M", "Pyth")),
    ] {
        assert_eq!(
            settles(&market(kind, &series), &series),
            SettlementRule::VenueOnly
        );
    }
}

#[test]
fn losses_make_books_unknown_until_a_snapshot() {
    let (ids, spec) = small_world();
    let ticker = &spec.native_id;
    let mut decoder = Decoder::sequenced(rules());
    let mut read = |kind: &str, seq: u64, msg: Value| {
        let mut events = Vec::new();
        let text = json!({"type": kind, "sid": 1, "seq": seq, "msg": msg}).to_string();
        let counts = decoder.frame(&text, &ids, &mut events).unwrap();
        (events, counts, decoder.take_untrusted())
    };
    let book = json!({"market_ticker": ticker, "yes_dollars_fp": [["0.4000", "10.00"]]});
    let delta = |by: &str| json!({"market_ticker": ticker, "price_dollars": "0.4000", "delta_fp": by, "side": "yes", "ts_ms": 7});
    assert_eq!(read("orderbook_delta", 1, delta("1")).1.before_snapshot, 1);
    assert_eq!(read("orderbook_snapshot", 2, book.clone()).1.snapshots, 1);
    let (events, _, _) = read("orderbook_delta", 3, delta("-4.00"));
    let [Event::Level(bid), Event::Level(ask)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        (bid.price, bid.qty, bid.side),
        (Price(400_000), Qty(6_000_000), BookSide::Bid)
    );
    assert_eq!(
        (ask.price, ask.qty, ask.side),
        (Price(600_000), Qty(6_000_000), BookSide::Ask)
    );
    let (events, counts, again) = read("orderbook_delta", 5, delta("1"));
    assert_eq!((counts.holes, counts.deltas, events.len()), (1, 0, 2));
    assert_eq!(again, std::slice::from_ref(ticker));
    read("orderbook_snapshot", 6, book);
    let (events, counts, again) = read("orderbook_delta", 7, delta("-11"));
    assert_eq!((counts.negative, events.len(), again.len()), (1, 2, 1));
    let odd =
        json!({"market_ticker": ticker, "price_dollars": "1.2", "delta_fp": "1", "side": "yes"});
    assert_eq!(read("orderbook_delta", 8, odd).1.refused, 1);
    let over = json!({"market_ticker": ticker, "event_type": "determined", "result": "yes"});
    let (events, _, _) = read("market_lifecycle_v2", 9, over);
    assert!(matches!(&events[..], [Event::Resolved(r)] if r.payouts[0] == Price::DOLLAR));
}

#[test]
fn market_objects_that_contradict_themselves_are_left_out_by_name() {
    use Reason::{ContradictoryMarket as Contradicts, MalformedFrame, MissingField, UnknownEnum};
    let good = json!({
        "ticker": "KXBTC5M-26NOV221900-00", "open_time": "2026-11-22T23:55:00Z",
        "close_time": "2026-11-23T00:00:00Z", "price_level_structure": "tapered_deci_cent",
        "price_ranges": [
            {"start": "0.0000", "end": "0.1000", "step": "0.0010"},
            {"start": "0.1000", "end": "0.9000", "step": "0.0100"},
            {"start": "0.9000", "end": "1.0000", "step": "0.0010"},
        ],
        "strike_type": "greater_or_equal", "floor_strike": 65026.45,
    });
    let series = json!({
        "ticker": "KXBTC5M", "fee_type": "quadratic_with_maker_fees", "fee_multiplier": 1,
        "settlement_sources": [{"url": "https://data.chain.link/streams/btc-usd"}],
    });
    let spec = listed(&good, &series).unwrap();
    assert_eq!(
        (spec.tick, spec.min_qty),
        (Some(Price(1_000)), Some(Qty(1_000_000)))
    );
    assert_eq!(spec.fee, FeeSchedule::kalshi(70_000));
    assert_eq!(spec.maker_fee, FeeSchedule::kalshi(17_500));
    assert_eq!(
        spec.fee_rule,
        "the series' fee_multiplier 1.00, rulebook: kalshi crypto \"quadratic_with_maker_fees\" taker fee from 2026-01-01"
    );
    let step = |step: &str| json!([{"start": "0.0000", "end": "1.0000", "step": step}]);
    for (key, value, reason, field) in [
        ("ticker", Value::Null, MissingField, "ticker"),
        (
            "ticker",
            "KXETH5M-26NOV221900-00".into(),
            Contradicts,
            "ticker",
        ),
        ("market_type", "scalar".into(), UnknownEnum, "market_type"),
        ("open_time", Value::Null, MissingField, "open_time"),
        ("close_time", "soon".into(), MalformedFrame, "close_time"),
        (
            "close_time",
            "2026-11-22T23:55:00Z".into(),
            Contradicts,
            "close_time",
        ),
        ("price_ranges", step("0.0300"), Contradicts, "price_ranges"),
        ("price_ranges", step("0.0100"), Contradicts, "price_ranges"),
        ("price_ranges", step("fine"), MalformedFrame, "price_ranges"),
        ("floor_strike", (-1).into(), Contradicts, "floor_strike"),
        (
            "floor_strike",
            "high".into(),
            MalformedFrame,
            "floor_strike",
        ),
    ] {
        let mut market = good.clone();
        market[key] = value;
        let error = listed(&market, &series).unwrap_err();
        assert_eq!((error.reason, error.field), (reason, field), "{market}");
    }
    // What nobody says is unknown, not a reason to leave the market out.
    let mut plain = good;
    plain["price_ranges"] = Value::Null;
    plain["price_level_structure"] = "hexadecimal".into();
    for (series, word) in [
        (
            json!({"fee_type": "flat", "fee_multiplier": 1}),
            "unknown from 2026-01-01",
        ),
        (
            json!({"fee_type": "cubic", "fee_multiplier": 1}),
            "no kalshi other \"cubic\"",
        ),
        (
            json!({"fee_type": "quadratic"}),
            "without a usable fee_multiplier",
        ),
        (
            json!({"fee_type": "quadratic", "fee_multiplier": -1}),
            "without a usable",
        ),
        (json!({}), "no kalshi other taker fee"),
    ] {
        let spec = listed(&plain, &series).unwrap();
        assert_eq!(
            (spec.fee, spec.tick),
            (FeeSchedule::Unknown, None),
            "{series}"
        );
        assert!(spec.fee_rule.contains(word), "{}", spec.fee_rule);
    }
}
