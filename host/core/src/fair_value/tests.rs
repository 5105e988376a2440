//! Golden values, hand-computed, and what must hold for any input.

use super::measured::{BASIS_CHANGE_PRIOR, BASIS_FLOOR, BASIS_PRIOR};
use super::*;
use crate::ids::Timestamp;
use proptest::prelude::*;

// The formulas of the textbook are checked under the normal law.

fn digital(spot: SpotPrice, strike: SpotPrice, variance: Variance) -> Option<Price> {
    super::digital(spot, strike, variance)?.normal()
}

fn twap(
    spot: SpotPrice,
    strike: SpotPrice,
    accrued: Option<Accrued>,
    terms: TwapTerms,
) -> Option<Price> {
    super::twap(spot, strike, accrued, terms)?.normal()
}

fn one_touch(spot: SpotPrice, barrier: SpotPrice, variance: Variance) -> Option<Price> {
    super::one_touch(spot, barrier, variance)?.normal()
}

fn usd(whole: i64) -> SpotPrice {
    SpotPrice(i128::from(whole) * 10_i128.pow(18))
}

fn seconds(s: u64) -> Nanos {
    Nanos::from_ms(s * 1_000)
}

fn at(s: u64) -> Timestamp {
    Timestamp::from_secs(s)
}

/// Annual 45 %.
fn rate() -> Rate {
    Rate::annual(Bps(4_500))
}

#[test]
fn the_golden_digital() {
    // honest-paper: BTC 97,842 against 97,000 at 45 %: 1.000, .964, .850, .768, .643.
    let cases = [
        (900, 999_838),
        (3_600, 963_883),
        (3 * 3_600, 850_334),
        (6 * 3_600, 768_490),
        (86_400, 643_168),
    ];
    for (secs, want) in cases {
        let p = digital(usd(97_842), usd(97_000), rate().over(seconds(secs)));
        assert_eq!(p, Some(Price(want)), "{secs} s");
    }
}

#[test]
fn a_digital_without_time_is_the_answer() {
    let known = |s, k| digital(usd(s), usd(k), Variance::ZERO);
    assert_eq!(known(100, 100), Some(Price::DOLLAR));
    assert_eq!(known(101, 100), Some(Price::DOLLAR));
    assert_eq!(known(99, 100), Some(Price::ZERO));
    // With any time left, at the money is a coin.
    let coin = digital(usd(100), usd(100), rate().over(seconds(1)));
    assert_eq!(coin, Some(Price(500_000)));
    assert_eq!(digital(SpotPrice(0), usd(1), Variance::ZERO), None);
    assert_eq!(digital(usd(1), SpotPrice(-1), Variance::ZERO), None);
}

#[test]
fn the_basis_pulls_towards_the_coin() {
    // ln(1.001) = 0.0009995; σ² = 0 and b = 0.0009995: Φ(1) = .841345.
    let b = (1.001_f64).ln();
    let p = digital(usd(100_100), usd(100_000), Variance(b * b));
    assert_eq!(p, Some(Price(841_345)));
    // Of equal size twice: Φ(1/√2) = .760250.
    let p = digital(
        usd(100_100),
        usd(100_000),
        Variance(b * b).plus(Variance(b * b)),
    );
    assert_eq!(p, Some(Price(760_250)));
}

#[test]
fn a_mean_before_its_window() {
    // τ = 100 s, m = 60 s: 60 seconds of variance. σ² so that σ√60 = ln(1.001): Φ(1).
    let x = (1.001_f64).ln();
    let terms = TwapTerms {
        tau: seconds(100),
        lookback: seconds(60),
        rate: Rate(x * x / 60.0),
        basis: Variance::ZERO,
    };
    let p = twap(usd(100_100), usd(100_000), None, terms);
    assert_eq!(p, Some(Price(841_345)));
}

#[test]
fn a_mean_inside_its_window() {
    // m = 60, τ = 30: half is known at 99,950, the spot is 100,070.
    // E = 49,975 + 50,035 = 100,010. σ√(τ³/3m²) = σ√2.5; σ so that S·σ√2.5 = 10: Φ(10/10) = .841345.
    let sigma = 10.0 / 100_070.0 / (2.5_f64).sqrt();
    let terms = TwapTerms {
        tau: seconds(30),
        lookback: seconds(60),
        rate: Rate(sigma * sigma),
        basis: Variance::ZERO,
    };
    let known = Some(Accrued { mean: usd(99_950) });
    assert_eq!(
        twap(usd(100_070), usd(100_000), known, terms),
        Some(Price(841_345))
    );
    assert_eq!(twap(usd(100_070), usd(100_000), None, terms), None);
    // At its end only the known part counts, wherever the spot is.
    let end = TwapTerms {
        tau: seconds(0),
        ..terms
    };
    assert_eq!(twap(usd(200_000), usd(100_000), known, end), Some(Price(0)));
}

#[test]
fn a_mean_is_continuous_where_its_window_begins() {
    let terms = |ns| TwapTerms {
        tau: Nanos(ns),
        lookback: seconds(60),
        rate: rate(),
        basis: Variance(1e-8),
    };
    let known = Some(Accrued { mean: usd(100_030) });
    let before = twap(usd(100_030), usd(100_000), known, terms(60_000_000_000)).unwrap();
    let inside = twap(usd(100_030), usd(100_000), known, terms(59_999_999_999)).unwrap();
    assert!((before.0 - inside.0).abs() <= 100, "{before} {inside}");
}

#[test]
fn touching_is_twice_as_likely_as_ending_beyond() {
    // Φ(−1) = .158655, twice .317311.
    let x = (1.001_f64).ln();
    for (spot, barrier) in [(100_000, 100_100), (100_100, 100_000)] {
        let p = one_touch(usd(spot), usd(barrier), Variance(x * x));
        assert_eq!(p, Some(Price(317_311)));
    }
    assert_eq!(
        one_touch(usd(7), usd(7), Variance::ZERO),
        Some(Price::DOLLAR)
    );
    assert_eq!(one_touch(usd(7), usd(8), Variance::ZERO), Some(Price::ZERO));
}

#[test]
fn volatility_learns_from_ten_second_returns() {
    let prior = Bps(5_000);
    let mut v = Volatility::default();
    assert_eq!(v.rate(prior), Rate::annual(prior));
    // Every 10 s up or down by the same log step; values in between must not matter.
    let (low, high) = (usd(100_000), usd(100_050));
    let step = (100_050.0_f64 / 100_000.0).ln();
    for i in 0..=90_u64 {
        v.observe(at(10 * i), if i % 2 == 0 { low } else { high });
        v.observe(at(10 * i + 3), usd(1));
    }
    let want = step * step / 10.0;
    let Rate(got) = v.rate(prior);
    assert!((got / want - 1.0).abs() < 1e-9, "{got} {want}");
    // After half of the learning time, half is still the prior's.
    let mut half = Volatility::default();
    for i in 0..=15_u64 {
        half.observe(at(10 * i), if i % 2 == 0 { low } else { high });
    }
    let Rate(got) = half.rate(prior);
    let want = (want + Rate::annual(prior).0) / 2.0;
    assert!((got / want - 1.0).abs() < 1e-9, "{got} {want}");
}

#[test]
fn a_gap_is_no_return_and_silence_is_no_calm() {
    let prior = Bps(5_000);
    let mut v = Volatility::default();
    for i in 0..=60_u64 {
        v.observe(at(10 * i), usd(100_000));
    }
    // Ten minutes without any movement: the floor, a sixteenth of the prior's variance.
    assert_eq!(v.rate(prior), Rate(Rate::annual(prior).0 / 16.0));
    v.observe(at(661), usd(200_000));
    assert_eq!(v.rate(prior), Rate(Rate::annual(prior).0 / 16.0));
    // Values from the past change nothing.
    v.observe(at(5), usd(1));
    v.observe(at(671), usd(200_000));
    assert_eq!(v.rate(prior), Rate(Rate::annual(prior).0 / 16.0));
}

#[test]
fn the_window_forgets() {
    let mut v = Volatility::default();
    for i in 0..100_u64 {
        v.observe(at(10 * i), if i % 2 == 0 { usd(100) } else { usd(200) });
    }
    for i in 100..300_u64 {
        v.observe(at(10 * i), usd(100));
    }
    assert_eq!(v.rate(Bps(5_000)), Rate(Rate::annual(Bps(5_000)).0 / 16.0));
}

#[test]
fn the_basis_is_measured() {
    let mut b = Basis::default();
    assert_eq!(b.correct(usd(100_000)), Some(usd(100_000)));
    assert_eq!(b.variance(), Variance(BASIS_PRIOR * BASIS_PRIOR));
    let change = BASIS_CHANGE_PRIOR * BASIS_CHANGE_PRIOR;
    assert_eq!(b.change_variance(), Variance(change));
    // The source is 50 USD above its stand-in, always: 5 bp, without variance.
    for i in 0..40_u64 {
        b.observe(at(10 * i), usd(100_050), usd(100_000));
    }
    let corrected = b.correct(usd(200_000)).unwrap();
    assert!(
        (corrected.0 - usd(200_100).0).abs() < 10_i128.pow(15),
        "{corrected}"
    );
    assert_eq!(b.variance(), Variance(BASIS_FLOOR * BASIS_FLOOR));
    assert_eq!(b.change_variance(), Variance(BASIS_FLOOR * BASIS_FLOOR));
    // Too soon after the last sample: ignored.
    let before = b.correct(usd(1));
    b.observe(at(391), usd(500_000), usd(100_000));
    assert_eq!(b.correct(usd(1)), before);
}

#[test]
fn a_basis_that_jumps_may_have_jumped_since_the_opening() {
    let mut b = Basis::default();
    // 1 bp to either side of its mean: a variance of 1e-8, twice that for a difference.
    for i in 0..40_u64 {
        let source = if i % 2 == 0 { 1_000_100 } else { 999_900 };
        b.observe(at(10 * i), usd(source), usd(1_000_000));
    }
    let (level, change) = (b.variance().0, b.change_variance().0);
    assert!((level / 1e-8 - 1.0).abs() < 1e-6, "{level}");
    assert!((change / 2e-8 - 1.0).abs() < 1e-6, "{change}");
}

proptest! {
    /// Probabilities stay within the dollar, rise with the spot, and are half at the money.
    #[test]
    fn a_digital_is_a_probability(spot in 1_i64..1_000_000, strike in 1_i64..1_000_000, secs in 0_u64..100_000) {
        let variance = rate().over(seconds(secs));
        let p = digital(usd(spot), usd(strike), variance).unwrap();
        prop_assert!((Price::ZERO..=Price::DOLLAR).contains(&p));
        let higher = digital(usd(spot + 1), usd(strike), variance).unwrap();
        prop_assert!(higher >= p);
        let touch = one_touch(usd(spot), usd(strike), variance).unwrap();
        prop_assert!((Price::ZERO..=Price::DOLLAR).contains(&touch));
    }

    /// No input of any size panics or leaves the range.
    #[test]
    fn nothing_escapes(spot in any::<i128>(), strike in any::<i128>(), mean in any::<i128>(), tau in any::<u64>(), m in any::<u64>()) {
        let terms = TwapTerms { tau: Nanos(tau), lookback: Nanos(m), rate: rate(), basis: Variance::ZERO };
        let known = Some(Accrued { mean: SpotPrice(mean) });
        for p in [
            twap(SpotPrice(spot), SpotPrice(strike), known, terms),
            digital(SpotPrice(spot), SpotPrice(strike), rate().over(Nanos(tau))),
            one_touch(SpotPrice(spot), SpotPrice(strike), rate().over(Nanos(tau))),
        ].into_iter().flatten() {
            prop_assert!((Price::ZERO..=Price::DOLLAR).contains(&p));
        }
    }
}
