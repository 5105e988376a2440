//! The decoder on recordings, and on frames bent by hand.

/// Market objects.
mod markets;

use super::decode::{Decoder, FrameCounts, FrameError};
use crate::catalog::Catalog;
use crate::venue::recordings;
use pm_arb_core::event::{BookSide, Event, GapScope};
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Price, Qty};
use proptest::prelude::*;
use serde_json::Value;

const UP: &str = "11111111111111111111111111111111111111111111111111111111111111111111111111111";
const DOWN: &str = "22222222222222222222222222222222222222222222222222222222222222222222222222222";

fn spec(market: &str, slug: &str, tokens: [&str; 2]) -> MarketSpec {
    let outcome = |name: &str, token: &str| Outcome {
        instrument: InstrumentId(0),
        name: name.to_owned(),
        native_id: token.to_owned(),
    };
    MarketSpec {
        id: MarketId(0),
        venue: Venue::Polymarket,
        native_id: market.to_owned(),
        slug: slug.to_owned(),
        question: slug.to_owned(),
        outcomes: vec![outcome("Up", tokens[0]), outcome("Down", tokens[1])],
        tick: Some(Price(10_000)),
        lot: Qty(10_000),
        min_qty: Some(Qty(5_000_000)),
        fee: FeeSchedule::Free,
        maker_fee: FeeSchedule::Free,
        fee_rule: String::new(),
        taker_delay: Some(Nanos(0)),
        opens_at: Timestamp(0),
        closes_at: Timestamp(0),
        settlement: SettlementRule::VenueOnly,
        exclusive_set: None,
        pair_key: None,
    }
}

fn small_world() -> (Catalog, MarketSpec) {
    let mut ids = Catalog::default();
    let spec = ids.list_market(spec("0xabc", "test", [UP, DOWN])).unwrap();
    (ids, spec)
}

fn frame(decoder: &mut Decoder, ids: &Catalog, text: &str) -> (Vec<Event>, FrameCounts) {
    let mut out = Vec::new();
    let counts = decoder.frame(text, ids, &mut out).unwrap();
    (out, counts)
}

/// What the scanner's way and serde's way make of a frame.
fn both(ids: &Catalog, text: &str) -> [Option<(Vec<Event>, FrameCounts)>; 2] {
    [false, true].map(|thorough| {
        let mut out = Vec::new();
        let mut decoder = Decoder::new();
        let counts = match thorough {
            true => decoder.frame_thorough(text, ids, &mut out),
            false => decoder.frame(text, ids, &mut out),
        };
        counts.ok().map(|counts| (out, counts))
    })
}

fn recorded_frames(test: &str) -> Option<(Catalog, Vec<MarketSpec>, Vec<String>)> {
    let markets = recordings::json(test, "polymarket/ws_raw_btc5m_20260421/markets.json")?;
    let lines = recordings::lines(test, "polymarket/ws_raw_btc5m_20260421/market-ws.jsonl.gz")?;
    let mut ids = Catalog::default();
    let specs = ["current", "next"].map(|which| {
        let text = |key: &str| markets[which][key].as_str().unwrap();
        let tokens = [text("upTokenId"), text("downTokenId")];
        let spec = spec(text("conditionId"), text("slug"), tokens);
        ids.list_market(spec).unwrap()
    });
    // The recorder wrote frames out of order; their text must stay as it was sent.
    let mut frames: Vec<(u64, String)> = lines
        .iter()
        .map(|line| {
            let (_, payload) = line.split_once("\"payload\":").unwrap();
            let payload = payload.strip_suffix('}').unwrap();
            let value: Value = serde_json::from_str(payload).unwrap();
            let stamp = value["timestamp"].as_str().unwrap().parse().unwrap();
            (stamp, payload.to_owned())
        })
        .collect();
    frames.sort_by_key(|(stamp, _)| *stamp);
    let frames = frames.into_iter().map(|(_, text)| text).collect();
    Some((ids, specs.to_vec(), frames))
}

#[test]
fn every_recorded_frame_is_read_as_serde_reads_it() {
    let Some((ids, _, frames)) = recorded_frames("every_recorded_frame") else {
        return;
    };
    for text in &frames {
        let [ours, theirs] = both(&ids, text);
        assert_eq!(ours, theirs, "{text}");
        assert!(ours.is_some(), "{text}");
    }
}

#[test]
fn the_recording_holds_what_its_description_says() {
    let Some((ids, specs, frames)) = recorded_frames("the_recording_holds") else {
        return;
    };
    let mut decoder = Decoder::new();
    for spec in &specs {
        decoder.track(spec, false);
    }
    let mut total = FrameCounts::default();
    let mut last = Timestamp(0);
    for text in &frames {
        let (events, counts) = frame(&mut decoder, &ids, text);
        total.snapshots += counts.snapshots;
        total.levels += counts.levels;
        total.prints += counts.prints;
        total.repeated += counts.repeated;
        total.ignored += counts.ignored;
        total.verified += counts.verified;
        let data = events.iter().filter_map(|event| match event {
            Event::Level(level) => Some((level.more, level.venue_time)),
            Event::Snapshot(book) => Some((book.more, book.venue_time)),
            _ => None,
        });
        let data: Vec<_> = data.collect();
        for (at, (more, time)) in data.iter().enumerate() {
            assert_eq!(*more, at + 1 < data.len(), "{text}");
            assert!(*time >= last, "{text}");
            last = *time;
        }
    }
    let expected = FrameCounts {
        snapshots: 144,
        levels: 10_370,
        prints: total.prints,
        repeated: 71 - total.prints,
        ignored: 144,
        verified: 144,
        ..FrameCounts::default()
    };
    assert_eq!(total, expected);
    assert!(total.prints >= 69, "{}", total.prints);
    assert!(decoder.take_untrusted().is_empty());
}

#[test]
fn a_book_that_lost_a_level_fails_its_hash() {
    let Some((ids, specs, frames)) = recorded_frames("a_book_that_lost_a_level") else {
        return;
    };
    let mut wrong = 0;
    for text in frames
        .iter()
        .filter(|t| t.contains(r#""event_type":"book""#))
    {
        let mut decoder = Decoder::new();
        for spec in &specs {
            decoder.track(spec, false);
        }
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["bids"].as_array_mut().unwrap().pop();
        let (events, counts) = frame(&mut decoder, &ids, &value.to_string());
        assert_eq!((counts.hash_wrong, counts.snapshots), (1, 0));
        assert!(matches!(
            events.as_slice(),
            [
                ..,
                Event::Refused { .. },
                Event::Gap {
                    scope: GapScope::Instrument(_),
                    ..
                }
            ]
        ));
        assert_eq!(decoder.take_untrusted().len(), 1);
        wrong += 1;
    }
    assert_eq!(wrong, 144);
}

#[test]
fn books_of_april_are_intact() {
    for slug in ["btc-updown-5m-1776323400", "btc-updown-5m-1776324300"] {
        let name = format!("polymarket/ws_book_btc5m_20260416/{slug}.jsonl.gz");
        let Some(lines) = recordings::lines("books_of_april", &name) else {
            return;
        };
        let mut ids = Catalog::default();
        let mut decoder = Decoder::new();
        let mut verified = 0;
        for line in lines.iter().step_by(10) {
            let (_, text) = line.split_once("\"frame\":").unwrap();
            let text = text.strip_suffix('}').unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            let market = value["market"].as_str().unwrap();
            let token = value["asset_id"].as_str().unwrap();
            if ids.instrument(Venue::Polymarket, token).is_none() {
                let spec = ids.list_market(spec(market, slug, [token, UP])).unwrap();
                decoder.track(&spec, false);
            }
            let (_, counts) = frame(&mut decoder, &ids, text);
            assert_eq!(counts.hash_wrong, 0, "{text}");
            verified += counts.verified;
        }
        assert_eq!(verified as usize, lines.len().div_ceil(10));
    }
}

#[test]
fn both_eras_of_price_change() {
    let (ids, spec) = small_world();
    let old = format!(
        r#"{{"asset_id":"{UP}","market":"0xabc","hash":"x","timestamp":"1750209622594","changes":[{{"price":".48","side":"BUY","size":"10"}},{{"price":"0.5","side":"SELL","size":"0"}}],"event_type":"price_change"}}"#
    );
    let new = format!(
        r#"{{"market":"0xabc","price_changes":[{{"asset_id":"{UP}","price":"0.48","size":"10","side":"BUY","hash":"x"}},{{"asset_id":"{UP}","price":"0.50","size":"0","side":"SELL","hash":"x","best_bid":"0.48"}}],"timestamp":"1750209622594","event_type":"price_change"}}"#
    );
    let (from_old, _) = frame(&mut Decoder::new(), &ids, &old);
    let (from_new, counts) = frame(&mut Decoder::new(), &ids, &new);
    assert_eq!(from_old, from_new);
    assert_eq!(counts.levels, 2);
    let Event::Level(level) = &from_new[0] else {
        panic!("{from_new:?}");
    };
    assert_eq!(level.instrument, spec.outcomes[0].instrument);
    assert_eq!((level.price, level.qty), (Price(480_000), Qty(10_000_000)));
    assert_eq!((level.side, level.more), (BookSide::Bid, true));
}

#[test]
fn unusable_values_are_refused_and_their_book_is_void() {
    let (ids, spec) = small_world();
    let up = spec.outcomes[0].instrument;
    for (price, size, side, reason) in [
        ("1", "5", "BUY", Reason::PriceOutOfRange),
        ("0", "5", "BUY", Reason::PriceOutOfRange),
        ("-0.2", "5", "BUY", Reason::PriceOutOfRange),
        ("0.5", "-5", "BUY", Reason::MalformedFrame),
        ("0.5", "5", "HOLD", Reason::UnknownEnum),
        ("half", "5", "BUY", Reason::MalformedFrame),
        ("0.5", "", "SELL", Reason::MalformedFrame),
        ("0.5", "1e9", "SELL", Reason::MalformedFrame),
    ] {
        let text = format!(
            r#"{{"market":"0xabc","price_changes":[{{"asset_id":"{UP}","price":"{price}","size":"{size}","side":"{side}"}},{{"asset_id":"{DOWN}","price":"0.5","size":"1","side":"SELL"}}],"timestamp":"1","event_type":"price_change"}}"#
        );
        let mut decoder = Decoder::new();
        let (events, counts) = frame(&mut decoder, &ids, &text);
        assert_eq!((counts.refused, counts.levels), (1, 1), "{text}");
        let refused = Event::Refused {
            venue: Some(Venue::Polymarket),
            reason,
        };
        assert_eq!(events[0], refused, "{text}");
        assert!(
            matches!(&events[1], Event::Gap { scope, .. } if *scope == GapScope::Instrument(up))
        );
        assert_eq!(decoder.take_untrusted(), [up]);
    }
}

#[test]
fn frames_that_are_no_events() {
    let (ids, _) = small_world();
    let mut decoder = Decoder::new();
    let mut out = Vec::new();
    for text in ["{", "[{}", "nonsense", r#"{"a":1}x"#, "[1,]"] {
        let result = decoder.frame(text, &ids, &mut out);
        assert!(matches!(result, Err(FrameError::NotJson(_))), "{text}");
    }
    for text in ["1", "null", "true", r#""PONG""#] {
        let result = decoder.frame(text, &ids, &mut out);
        assert!(
            matches!(result, Err(FrameError::NotEvents { .. })),
            "{text}"
        );
    }
    assert!(out.is_empty());
    for text in ["", " \n", "[]"] {
        let (events, counts) = frame(&mut decoder, &ids, text);
        assert!(
            events.is_empty() && counts == FrameCounts::default(),
            "{text}"
        );
    }
    assert_eq!(frame(&mut decoder, &ids, "PONG\n").1.pongs, 1);
    let unknown = r#"{"event_type":"comet","asset_id":7}"#;
    assert_eq!(frame(&mut decoder, &ids, unknown).1.unknown, 1);
    let untracked = r#"{"event_type":"price_change","timestamp":"1","price_changes":[{"asset_id":"9","price":"0.1","size":"1","side":"BUY"}]}"#;
    assert_eq!(frame(&mut decoder, &ids, untracked).1.untracked, 1);
    for malformed in ["{}", "[3]", r#"{"event_type":"book"}"#] {
        assert_eq!(
            frame(&mut decoder, &ids, malformed).1.refused,
            1,
            "{malformed}"
        );
    }
}

#[test]
fn an_array_of_books_is_one_message_even_with_a_surprise_in_it() {
    let (ids, _) = small_world();
    let book = |token: &str, size: &str| {
        format!(
            r#"{{"market":"0xabc","asset_id":"{token}","timestamp":"5","bids":[{{"price":"0.4","size":"{size}"}}],"asks":[],"tick_size":"0.001","event_type":"book"}}"#
        )
    };
    let text = format!("[{},{}]", book(UP, "1"), book(DOWN, "\\u0032"));
    let (events, counts) = frame(&mut Decoder::new(), &ids, &text);
    assert_eq!((counts.snapshots, counts.tick_sizes), (2, 2));
    let more: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            Event::Snapshot(book) => Some(book.more),
            _ => None,
        })
        .collect();
    assert_eq!(more, [true, false]);
    let [ours, theirs] = both(&ids, &text);
    assert_eq!(ours, theirs);
}

#[test]
fn grids_trades_and_outcomes() {
    let (ids, spec) = small_world();
    let [up, down] = [0, 1].map(|at: usize| spec.outcomes[at].instrument);
    let mut decoder = Decoder::new();
    decoder.track(&spec, false);
    let grid = format!(
        r#"{{"event_type":"tick_size_change","asset_id":"{UP}","market":"0xabc","old_tick_size":"0.01","new_tick_size":"0.001","timestamp":"1"}}"#
    );
    let (events, _) = frame(&mut decoder, &ids, &grid);
    let tick = Price(1_000);
    assert_eq!(
        events,
        [Event::TickSize {
            instrument: up,
            tick
        }]
    );
    assert_eq!(decoder.take_untrusted(), [up]);

    let trade = format!(
        r#"{{"market":"0xabc","asset_id":"{DOWN}","price":"0.002","size":"5","fee_rate_bps":"0","side":"SELL","timestamp":"9","event_type":"last_trade_price","transaction_hash":"0x22"}}"#
    );
    let (events, _) = frame(&mut decoder, &ids, &trade);
    assert!(matches!(&events[..], [Event::Print(p)] if p.instrument == down && !p.taker_bought));
    let (events, counts) = frame(&mut decoder, &ids, &trade);
    assert_eq!(counts.repeated, 1);
    let told = Event::Refused {
        venue: Some(Venue::Polymarket),
        reason: Reason::DuplicatePrint,
    };
    assert_eq!(events, [told], "a trade told twice is counted by name");

    for assets in [
        format!(r#"["{DOWN}","{UP}"]"#),
        format!(r#""[\"{UP}\",\"{DOWN}\"]""#),
    ] {
        let resolved = format!(
            r#"{{"event_type":"market_resolved","id":"1","market":"0xabc","assets_ids":{assets},"winning_asset_id":"{DOWN}","winning_outcome":"Down","timestamp":"1","tags":["x"]}}"#
        );
        let (events, _) = frame(&mut decoder, &ids, &resolved);
        let Event::Resolved(resolution) = &events[0] else {
            panic!("{events:?}");
        };
        assert_eq!(resolution.payouts, [Price::ZERO, Price::DOLLAR]);
    }
}

#[test]
fn fixtures_of_others_decode() {
    let Some(burst) = recordings::json(
        "fixtures_of_others",
        "polymarket/nautilus_fixtures/ws_market_price_change_crossing_burst.json",
    ) else {
        return;
    };
    let mut ids = Catalog::default();
    let mut tokens: Vec<String> = Vec::new();
    for event in burst.as_array().unwrap() {
        let entries = event["price_changes"].as_array().into_iter().flatten();
        for asset in entries
            .chain([event])
            .filter_map(|e| e["asset_id"].as_str())
        {
            if !tokens.iter().any(|t| t == asset) {
                tokens.push(asset.to_owned());
            }
        }
    }
    let [a, b] = &tokens[..] else {
        panic!("{tokens:?}");
    };
    ids.list_market(spec("0x1", "burst", [a, b])).unwrap();
    let (events, counts) = frame(&mut Decoder::new(), &ids, &burst.to_string());
    assert_eq!(counts.refused + counts.unknown + counts.untracked, 0);
    assert!(counts.snapshots >= 1 && counts.levels >= 40, "{counts:?}");
    assert!(events.len() >= 41);
}

proptest! {
    /// Bend a good frame anywhere: the scanner must not accept what serde refuses, nor differ.
    #[test]
    fn a_bent_frame_is_read_alike(at in 0usize..700, with in "[\\[\\]{}\",:\\\\ 0-9a-z.\u{1}-]{0,3}", cut in 0usize..4, which in 0usize..3) {
        let (ids, _) = small_world();
        let frames = [
            format!(r#"{{"market":"0xabc","price_changes":[{{"asset_id":"{UP}","price":"0.86","size":"362.17","side":"BUY","hash":"425a","best_bid":"0.86"}},{{"asset_id":"{DOWN}","price":"0.14","size":"362.17","side":"SELL"}}],"timestamp":"1776808414710","event_type":"price_change"}}"#),
            format!(r#"[{{"market":"0xabc","asset_id":"{UP}","bids":[{{"price":"0.01","size":"20415.67"}},{{"price":"0.02","size":"1"}}],"asks":[{{"price":"0.99","size":"3"}}],"hash":"34e1","timestamp":"1776338101000","event_type":"book","tick_size":"0.01"}},{{"market":"0xabc","asset_id":"{DOWN}","bids":[],"asks":[],"timestamp":"1776338101000","event_type":"book"}}]"#),
            format!(r#"{{"event_type":"price_change","timestamp":"1","neg":true,"price_changes":[{{"price":"0.5","asset_id":"{UP}","side":"SELL","size":"0"}}]}}"#),
        ];
        let mut text = frames[which].clone();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.replace_range(at..end, &with);
        let [ours, theirs] = both(&ids, &text);
        prop_assert_eq!(ours, theirs, "{}", text);
    }
}
