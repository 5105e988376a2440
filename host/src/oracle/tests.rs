//! The decoders on recordings.

use super::{binance, chainlink};
use crate::catalog::Catalog;
use crate::venue::recordings;
use pm_arb_core::event::{Candle, Event};
use pm_arb_core::ids::{OracleId, Timestamp};
use pm_arb_core::units::SpotPrice;

#[test]
fn every_recorded_trade_is_one_tick() {
    let name = "binance/ws_raw_spot/btcusdt_20240808.gz";
    let Some(lines) = recordings::lines("every_recorded_trade", name) else {
        return;
    };
    let mut decoder = binance::Decoder::new();
    decoder.track("btcusdt", OracleId(0));
    let (mut ticks, mut quotes, mut last) = (0, 0, Timestamp(0));
    for line in &lines {
        let (_, text) = line.split_once(' ').unwrap();
        let mut events = Vec::new();
        let counts = decoder.frame(text, &mut events).unwrap();
        assert_eq!(
            (counts.refused, counts.untracked, counts.repeated),
            (0, 0, 0),
            "{text}"
        );
        ticks += counts.ticks;
        quotes += counts.quotes;
        if let [Event::OracleTick(tick)] = &events[..] {
            assert!(tick.source_time >= last, "{text}");
            last = tick.source_time;
        }
        if counts.ticks == 1 {
            let again = decoder.frame(text, &mut events).unwrap();
            assert_eq!((again.repeated, events.len()), (1, 1));
        }
    }
    assert_eq!(ticks, 9_757);
    assert!(quotes > 20_000, "{quotes}");
}

#[test]
fn recorded_candles_are_told_once_they_are_final() {
    let (mut finals, mut running) = (0, 0);
    for name in ["BINANCE.ws.1.0.gz", "BINANCE_FUTURES.ws.1.0.gz"] {
        let name = format!("binance/cryptofeed/{name}");
        let Some(lines) = recordings::lines("recorded_candles", &name) else {
            return;
        };
        let mut decoder = binance::Decoder::new();
        for (line, symbol) in lines
            .iter()
            .flat_map(|l| l.split('"').nth(3).map(|s| (l, s)))
        {
            let Some((symbol, "kline_1m")) = symbol.split_once('@') else {
                continue;
            };
            decoder.track(symbol, OracleId(7));
            let (_, text) = line.split_once(' ').unwrap();
            let frame: serde_json::Value = serde_json::from_str(text).unwrap();
            let kline = &frame["data"]["k"];
            let mut events = Vec::new();
            let counts = decoder.frame(text, &mut events).unwrap();
            if kline["x"] == false {
                assert_eq!((counts.running, counts.candles, events.len()), (1, 0, 0));
                running += 1;
                continue;
            }
            let price = |field: &str| SpotPrice::parse(kline[field].as_str().unwrap()).unwrap();
            let time = |field: &str| Timestamp::from_ms(kline[field].as_u64().unwrap());
            let expected = Candle {
                oracle: OracleId(7),
                open_time: time("t"),
                close_time: time("T"),
                open: price("o"),
                close: price("c"),
                high: price("h"),
                low: price("l"),
            };
            assert!(expected.spans(expected.open_time, 60), "{text}");
            assert_eq!(events, [Event::Candle(Box::new(expected))]);
            finals += counts.candles;
        }
    }
    assert_eq!((finals, running), (4, 65));
}

#[test]
fn a_hole_in_the_numbers_of_trades_is_an_interruption() {
    let mut decoder = binance::Decoder::new();
    decoder.track("btcusdt", OracleId(3));
    let mut read = |number: u64| {
        let text = format!(r#"{{"e":"trade","s":"BTCUSDT","t":{number},"p":"1","T":{number}}}"#);
        let mut events = Vec::new();
        let counts = decoder.frame(&text, &mut events).unwrap();
        let gap = events.first() == Some(&Event::OracleGap(OracleId(3)));
        (counts.ticks, counts.holes, gap, events.len())
    };
    assert_eq!(read(5), (1, 0, false, 1));
    assert_eq!(read(6), (1, 0, false, 1));
    assert_eq!(read(8), (1, 1, true, 2));
    assert_eq!(read(9), (1, 0, false, 1));
}

#[test]
fn announced_goodbyes_and_bad_values() {
    let mut decoder = binance::Decoder::new();
    decoder.track("btcusdt", OracleId(0));
    let mut events = Vec::new();
    for text in [
        r#"{"e":"serverShutdown","E":1}"#,
        r#"{"stream":"x","data":{"e":"serverShutdown","E":1}}"#,
    ] {
        assert_eq!(decoder.frame(text, &mut events).unwrap().goodbyes, 1);
    }
    assert!(events.is_empty());
    let bad = r#"{"e":"trade","s":"BTCUSDT","t":1,"p":"-1","T":1}"#;
    assert_eq!(decoder.frame(bad, &mut events).unwrap().refused, 1);
    for kline in [
        r#","k":{"t":0,"T":59999,"i":"1m","o":"0","c":"1","h":"1","l":"1","x":true}"#,
        r#","k":{"t":0,"T":59999,"i":"1m","o":"1","c":"x","h":"1","l":"1","x":true}"#,
        "",
    ] {
        let bad = format!(r#"{{"e":"kline","E":1,"s":"BTCUSDT"{kline}}}"#);
        assert_eq!(
            decoder.frame(&bad, &mut events).unwrap().refused,
            1,
            "{bad}"
        );
    }
    let other = r#"{"e":"trade","s":"ETHUSDT","t":1,"p":"1","T":1}"#;
    assert_eq!(decoder.frame(other, &mut events).unwrap().untracked, 1);
    assert!(decoder.frame("{", &mut events).is_err());
}

#[test]
fn exact_values_must_agree_with_their_rounded_ones() {
    let mut decoder = chainlink::Decoder::new();
    decoder.track("btcusd", OracleId(1));
    let mut read = |payload: &str| {
        let text = format!(
            r#"{{"topic":"crypto_prices_chainlink","type":"update","timestamp":9,"payload":{payload}}}"#
        );
        let mut events = Vec::new();
        decoder.frame(&text, &mut events).unwrap();
        events
    };
    let exact = SpotPrice::parse("65026.457815").unwrap();
    for payload in [
        r#"{"symbol":"btc/usd","timestamp":1000,"value":65026.457815,"full_accuracy_value":"65026457815000000000000"}"#,
        r#"{"symbol":"btc/usd","timestamp":1000,"value":65026.457815}"#,
        r#"{"symbol":"btc/usd","data":[{"timestamp":1000,"value":65026.457815,"full_accuracy_value":"65026.457815"}]}"#,
    ] {
        let events = read(payload);
        let [Event::OracleTick(tick)] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(
            (tick.price, tick.source_time),
            (exact, Timestamp::from_secs(1))
        );
    }
    let wrong = r#"{"symbol":"btc/usd","timestamp":1000,"value":65026.45,"full_accuracy_value":"65026457815"}"#;
    assert!(matches!(&read(wrong)[..], [Event::Refused { .. }]));
}

#[test]
fn a_stand_in_is_announced_before_the_feed_it_stands_in_for() {
    let mut catalog = Catalog::default();
    let mut events = Vec::new();
    let id = super::announce(&mut catalog, "chainlink", "btcusd", &mut events);
    let [Event::OracleListed(first), Event::OracleListed(second)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((&*first.source, &*first.symbol), ("binance", "btcusdt"));
    assert_eq!((second.id, second.proxy), (id, Some(first.id)));
    let before = events.len();
    super::announce(&mut catalog, "binance", "btcusdt", &mut events);
    assert_eq!(events.len(), before);
}
