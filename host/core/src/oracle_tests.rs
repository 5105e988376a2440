//! Freshness and exact seconds.

use super::*;
use crate::fixtures::candle;

fn feed() -> OracleState {
    OracleState::new(OracleSpec {
        id: OracleId(0),
        source: "chainlink".into(),
        symbol: "btcusd".into(),
        proxy: None,
    })
}

fn tick(ms: u64, price: i128) -> OracleTick {
    OracleTick {
        oracle: OracleId(0),
        price: SpotPrice(price),
        source_time: Timestamp::from_ms(ms),
    }
}

/// A feed that heard these `(source ms, price)` at once.
fn heard(ticks: &[(u64, i128)]) -> OracleState {
    let mut oracle = feed();
    for &(ms, price) in ticks {
        oracle
            .apply(&tick(ms, price), Timestamp::from_ms(ms))
            .unwrap();
    }
    oracle
}

#[test]
fn a_reading_is_fresh_stale_or_missing() {
    let max = Nanos::from_ms(3_000);
    assert_eq!(feed().reading(Timestamp(1), max), Reading::Missing);
    let mut oracle = feed();
    // Stamped at 10.0 s, received at 11.2 s: the age is counted from the stamp.
    oracle
        .apply(&tick(10_000, 7), Timestamp::from_ms(11_200))
        .unwrap();
    assert_eq!(
        oracle.reading(Timestamp::from_ms(13_000), max),
        Reading::Fresh {
            price: SpotPrice(7),
            source_time: Timestamp::from_ms(10_000),
            age: max,
        }
    );
    let stale = |age| Reading::Stale { age };
    let late = Timestamp::from_ms(13_001);
    assert_eq!(oracle.reading(late, max), stale(Nanos::from_ms(3_001)));
    oracle.interrupt();
    let now = Timestamp::from_ms(11_200);
    assert_eq!(oracle.reading(now, max), stale(Nanos::from_ms(1_200)));
    oracle.apply(&tick(11_000, 8), now).unwrap();
    assert!(matches!(oracle.reading(now, max), Reading::Fresh { .. }));
}

#[test]
fn only_the_exact_second_answers() {
    let oracle = heard(&[(10_000, 1), (10_700, 2), (12_300, 3)]);
    for (ms, want) in [
        (9_999, None),
        (10_000, Some(1)),
        (10_999, Some(1)),
        (11_000, None),
        (12_000, Some(3)),
        (13_000, None),
    ] {
        let got = oracle.value_at_second(Timestamp::from_ms(ms));
        assert_eq!(got, want.map(SpotPrice), "{ms} ms");
    }
}

#[test]
fn a_late_tick_fills_a_hole_and_moves_nothing() {
    let mut oracle = heard(&[(10_000, 1), (12_000, 3)]);
    let now = Timestamp::from_ms(12_500);
    assert_eq!(oracle.apply(&tick(11_000, 2), now), Ok(true));
    assert_eq!(
        oracle.value_at_second(Timestamp::from_secs(11)),
        Some(SpotPrice(2))
    );
    assert_eq!(oracle.last().unwrap().price, SpotPrice(3));
    assert_eq!(oracle.ticks(), 2);
    assert_eq!(oracle.apply(&tick(11_500, 9), now), Err(Reason::OutOfOrder));
    assert_eq!(
        oracle.value_at_second(Timestamp::from_secs(11)),
        Some(SpotPrice(2))
    );
}

#[test]
fn absurd_ticks_are_refused() {
    let mut oracle = heard(&[(10_000, 1)]);
    let now = Timestamp::from_ms(10_000);
    for bad in [
        tick(10_001, 0),
        tick(10_001, -5),
        tick(70_001, 5),
        tick(u64::MAX, 5),
    ] {
        assert_eq!(
            oracle.apply(&bad, now),
            Err(Reason::MalformedFrame),
            "{bad:?}"
        );
    }
    assert_eq!(oracle.apply(&tick(70_000, 5), now), Ok(true));
}

#[test]
fn memory_is_bounded() {
    let mut oracle = feed();
    let n = RETAINED_SECONDS as u64 + 100;
    for s in 0..n {
        oracle
            .apply(&tick(s * 1_000, 1), Timestamp::from_secs(s))
            .unwrap();
    }
    assert_eq!(oracle.seconds.len(), RETAINED_SECONDS);
    assert_eq!(oracle.value_at_second(Timestamp::from_secs(99)), None);
    assert_eq!(
        oracle.value_at_second(Timestamp::from_secs(100)),
        Some(SpotPrice(1))
    );
    // What is older than all that is kept does not come back.
    let late = oracle.apply(&tick(5_000, 1), Timestamp::from_secs(n));
    assert_eq!(late, Err(Reason::OutOfOrder));
}

#[test]
fn a_mean_weighs_by_time_and_knows_its_holes() {
    let oracle = heard(&[(10_000, 100), (12_000, 200), (13_000, 400), (30_000, 1)]);
    let mean = |from, to| {
        let (from, to) = (Timestamp::from_secs(from), Timestamp::from_secs(to));
        oracle.mean(from, to).map(|p| p.0)
    };
    assert_eq!(mean(10, 14), Some((100 + 100 + 200 + 400) / 4));
    assert_eq!(mean(11, 13), Some((100 + 200) / 2));
    // The value of second 13 stands for five seconds and no longer.
    assert_eq!(mean(13, 18), Some(400));
    assert_eq!(mean(13, 19), None);
    // Nothing is known before the first.
    assert_eq!(mean(9, 12), None);
    assert_eq!(mean(12, 12), None);
    assert_eq!(mean(13, 12), None);
}

#[test]
fn the_first_value_since_an_instant_is_known_only_within_an_unbroken_stream() {
    let at = Timestamp::from_secs(10);
    // It may come in a later second: nothing traded before.
    for (ticks, expected) in [
        (&[(9_900, 1), (10_100, 2), (10_200, 3)][..], Some(2)),
        (&[(9_000, 1), (12_100, 2)], Some(2)),
        // The stream began too late, or has not got there.
        (&[(10_000, 2)], None),
        (&[(9_900, 1)], None),
    ] {
        let found = heard(ticks).first_since(at);
        assert_eq!(found, expected.map(SpotPrice), "{ticks:?}");
    }
    assert_eq!(
        heard(&[(9_900, 1), (10_100, 2)]).first_since(Timestamp::from_ms(10_050)),
        None
    );
    let mut oracle = heard(&[(9_900, 1)]);
    oracle.interrupt();
    for ms in [10_100, 11_100] {
        let now = Timestamp::from_ms(ms);
        oracle.apply(&tick(ms, 2), now).unwrap();
    }
    assert_eq!(
        oracle.first_since(at),
        None,
        "something may have been missed"
    );
    assert_eq!(
        oracle.first_since(Timestamp::from_secs(11)),
        Some(SpotPrice(2))
    );
    // One that comes late shows that the order was broken.
    let mut oracle = heard(&[(9_900, 1), (12_100, 2)]);
    oracle
        .apply(&tick(10_500, 3), Timestamp::from_ms(12_200))
        .unwrap();
    assert_eq!(oracle.first_since(at), None);
}

#[test]
fn a_final_candle_stays_as_it_was_and_the_oldest_go() {
    let mut oracle = feed();
    let now = Timestamp::from_secs(10_000_000);
    let hour = |n: u64, prices| candle(0, n * 3_600, 3_600, prices);
    oracle.apply_candle(&hour(0, (5, 6)), now).unwrap();
    oracle.apply_candle(&hour(0, (5, 6)), now).unwrap();
    assert_eq!(
        oracle.apply_candle(&hour(0, (5, 4)), now),
        Err(Reason::OutOfOrder)
    );
    let kept = |oracle: &OracleState, n: u64, secs| {
        oracle
            .candle(Timestamp::from_secs(n * 3_600), secs)
            .copied()
    };
    assert_eq!(kept(&oracle, 0, 3_600), Some(hour(0, (5, 6))));
    // Neither another length nor another start is it.
    assert_eq!(kept(&oracle, 0, 3_599), None);
    assert_eq!(kept(&oracle, 1, 3_600), None);
    for bad in [
        candle(0, 0, 60, (0, 5)),
        candle(0, 0, 60, (5, -1)),
        candle(0, 9_999_990, 100, (5, 5)),
        // A price outside of its own range.
        Candle {
            high: crate::fixtures::spot(4),
            ..hour(0, (5, 5))
        },
        Candle {
            close_time: Timestamp(0),
            ..hour(0, (5, 5))
        },
    ] {
        assert_eq!(
            oracle.apply_candle(&bad, now),
            Err(Reason::MalformedFrame),
            "{bad:?}"
        );
    }
    let last = RETAINED_CANDLES as u64;
    for n in 1..=last {
        oracle.apply_candle(&hour(n, (5, 6)), now).unwrap();
    }
    assert_eq!(kept(&oracle, 0, 3_600), None);
    assert!(kept(&oracle, 1, 3_600).is_some() && kept(&oracle, last, 3_600).is_some());
    // One earlier than all that are kept is a fact, and not kept.
    oracle.apply_candle(&hour(0, (5, 6)), now).unwrap();
    assert_eq!(kept(&oracle, 0, 3_600), None);
    // Minutes do not push hours out, and there is an end to lengths.
    for n in 0..2 * last {
        let minute = candle(0, n * 60, 60, (5, 6));
        oracle.apply_candle(&minute, now).unwrap();
    }
    assert!(kept(&oracle, 1, 3_600).is_some());
    for secs in 1..=CANDLE_LENGTHS_MAX as u64 - 2 {
        oracle
            .apply_candle(&candle(0, 0, secs, (5, 6)), now)
            .unwrap();
    }
    assert_eq!(
        oracle.apply_candle(&candle(0, 0, 59, (5, 6)), now),
        Err(Reason::MalformedFrame)
    );
}

#[test]
fn seconds_are_all_there_or_named() {
    let oracle = heard(&[(10_000, 1), (11_200, 2), (13_900, 4)]);
    assert_eq!(oracle.seconds(10, 12), Ok(vec![SpotPrice(1), SpotPrice(2)]));
    assert_eq!(oracle.seconds(9, 15), Err(vec![9, 12, 14]));
    assert_eq!(oracle.seconds(12, 12), Ok(Vec::new()));
}
