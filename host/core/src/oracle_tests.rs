//! Freshness and exact seconds.

use super::*;

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
