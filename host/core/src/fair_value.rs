//! Probabilities: what an outcome is worth when the oracle's value is known, and how uncertain that is.
//!
//! The only file of the core with floats. They stay inside: prices come in and go out as integers,
//! probabilities leave rounded to 1e-6, and the opaque [`Rate`] and [`Variance`] have no accessor.
//! `ln`, `exp` and `erfc` come from `libm`, the rest is IEEE-exact, so every machine gets the same
//! bits. Nothing here knows of markets, fees or decisions.
//!
//! The models (`S` spot, `K` strike, `τ` seconds from the spot's tick to the close, `σ²` variance a
//! second, `b²` variance of the basis when `S` is a stand-in's, or of its change since the opening
//! when `K` is the stand-in's too; no drift):
//!
//! | function       | probability of                      | formula                                        |
//! |----------------|-------------------------------------|------------------------------------------------|
//! | [`digital`]    | value at the close ≥ K              | Φ( ln(S/K) / √(σ²τ + b²) )                     |
//! | [`twap`], τ ≥ m| mean of the last m seconds ≥ K      | Φ( ln(S/K) / √(σ²(τ − 2m/3) + b²) )            |
//! | [`twap`], τ < m| the same, part of the mean is known | Φ( (A + Sτ/m − K) / (S√(σ²τ³/3m² + b²)) )      |
//! | [`one_touch`]  | K is touched before the close       | 2·(1 − Φ( abs ln(S/K) / √(σ²τ + b²) ))         |

use crate::ids::{Nanos, Timestamp};
use crate::units::{Bps, ONE, Price, SpotPrice};

/// Seconds of a year: markets in these assets never close.
const YEAR_SECS: f64 = 365.0 * 86_400.0;
/// Distance of two samples of a return. Every-second returns understate volatility.
const SAMPLE_SECS: u64 = 10;
/// A longer pause between two samples is a gap; its return is not used.
const GAP_SECS: u64 = 60;
/// Samples kept: half an hour.
const SAMPLES: usize = 180;
/// While the samples cover less time than this, the prior stands for the rest.
const LEARNING_SECS: f64 = 300.0;
/// The estimate never falls below this share of the prior's variance: a quiet half hour is no proof.
const FLOOR_OF_PRIOR: f64 = 1.0 / 16.0;
/// Standard deviation of the basis before it was measured: 5 bp.
const BASIS_PRIOR: f64 = 5e-4;
/// Measured, it is not believed to be below 0.5 bp.
const BASIS_FLOOR: f64 = 5e-5;
/// Standard deviation of the change of the basis from a window's opening to its close, before it was
/// measured: 0.7 bp, the most likely value for the 12,288 5-minute windows of 2025-12-18 to
/// 2026-02-14, whose Chainlink outcome Binance's direction tells in 96.2 %, nearly always beyond 2 bp.
const BASIS_CHANGE_PRIOR: f64 = 7e-5;
/// While there are fewer samples of the basis than this, the prior stands for the rest.
const BASIS_LEARNING: usize = 30;

/// Variance of the log price a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// From an annual volatility (5,000 bp = 50 %).
    #[must_use]
    pub fn annual(volatility: Bps) -> Self {
        let annual = f64::from(volatility.0) / 10_000.0;
        Self(annual * annual / YEAR_SECS)
    }

    /// Over a span.
    #[must_use]
    pub fn over(self, span: Nanos) -> Variance {
        Variance(self.0 * secs(span))
    }
}

/// Variance of a log price.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Variance(f64);

impl Variance {
    /// None: the value is the settlement source's own.
    pub const ZERO: Self = Self(0.0);

    /// Of two independent causes together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

/// The probability that the value at the close is at or above the strike. `variance` is that of the
/// log price until then; without any, the answer is already known (equality counts as above).
/// `None` when a price is not positive.
#[must_use]
pub fn digital(spot: SpotPrice, strike: SpotPrice, variance: Variance) -> Option<Price> {
    let moneyness = ln_ratio(spot, strike)?;
    rounded(phi_over(moneyness, variance.0))
}

/// The part of a mean that is already known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accrued {
    /// Mean of the values of the window until the spot's tick.
    pub mean: SpotPrice,
}

/// What a time-weighted mean is taken of, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwapTerms {
    /// From the spot's tick to the close.
    pub tau: Nanos,
    /// Length of the mean, which ends at the close.
    pub lookback: Nanos,
    /// Of the log price.
    pub rate: Rate,
    /// Of the stand-in's basis.
    pub basis: Variance,
}

/// The probability that the mean of the last `lookback` before the close is at or above the strike.
/// Inside the window the accrued part must be known: `None` without it.
#[must_use]
pub fn twap(
    spot: SpotPrice,
    strike: SpotPrice,
    accrued: Option<Accrued>,
    terms: TwapTerms,
) -> Option<Price> {
    let tau = secs(terms.tau);
    let m = secs(terms.lookback);
    if tau >= m {
        let variance = terms.rate.0 * (tau - 2.0 * m / 3.0) + terms.basis.0;
        return rounded(phi_over(ln_ratio(spot, strike)?, variance));
    }
    let (s, k) = (positive(spot)?, positive(strike)?);
    let known = positive(accrued?.mean)? * (m - tau) / m;
    let expected = known + s * tau / m;
    let variance = terms.rate.0 * tau * tau * tau / (3.0 * m * m) + terms.basis.0;
    rounded(phi_over((expected - k) / s, variance))
}

/// The probability that the barrier is touched before the close.
#[must_use]
pub fn one_touch(spot: SpotPrice, barrier: SpotPrice, variance: Variance) -> Option<Price> {
    let distance = libm::fabs(ln_ratio(spot, barrier)?);
    if distance == 0.0 {
        return Some(Price::DOLLAR);
    }
    rounded(2.0 * (1.0 - phi_over(distance, variance.0)))
}

/// Volatility from the last half hour of 10-second log returns.
#[derive(Debug, Clone, Default)]
pub struct Volatility {
    last: Option<(Timestamp, f64)>,
    /// `(squared return, seconds)`.
    returns: Ring<(f64, f64)>,
    /// Sums over the ring, renewed with every sample.
    squares: f64,
    covered: f64,
}

impl Volatility {
    /// Tells a value and the instant it is valid for. Older ones than the last are ignored.
    pub fn observe(&mut self, at: Timestamp, price: SpotPrice) {
        let sampled = self.last.map(|(t, _)| t);
        if sampled.is_some_and(|t| at.since(t) < Nanos::from_ms(SAMPLE_SECS * 1_000)) {
            return;
        }
        let Some(value) = positive(price) else { return };
        let log = libm::log(value);
        if let Some((then, before)) = self.last.replace((at, log)) {
            let elapsed = at.since(then);
            if elapsed <= Nanos::from_ms(GAP_SECS * 1_000) {
                let change = log - before;
                self.returns.push((change * change, secs(elapsed)));
                self.squares = self.returns.iter().map(|r| r.0).sum();
                self.covered = self.returns.iter().map(|r| r.1).sum();
            }
        }
    }

    /// This one, unless the other rests on a longer time.
    #[must_use]
    pub fn or_longer<'a>(&'a self, other: &'a Self) -> &'a Self {
        if other.covered > self.covered {
            other
        } else {
            self
        }
    }

    /// The estimate. The prior fills what the samples do not cover yet.
    #[must_use]
    pub fn rate(&self, prior: Bps) -> Rate {
        let prior = Rate::annual(prior).0;
        let missing = if self.covered < LEARNING_SECS {
            LEARNING_SECS - self.covered
        } else {
            0.0
        };
        let estimate = (self.squares + prior * missing) / (self.covered + missing);
        let floor = prior * FLOOR_OF_PRIOR;
        Rate(if estimate < floor { floor } else { estimate })
    }
}

/// How a settlement source and its stand-in differ: `ln(source / stand-in)`, mean and variance over
/// the last half hour.
#[derive(Debug, Clone, Default)]
pub struct Basis {
    last: Option<Timestamp>,
    samples: Ring<f64>,
    mean: f64,
    variance: f64,
}

impl Basis {
    /// Tells both values of one instant.
    pub fn observe(&mut self, at: Timestamp, source: SpotPrice, proxy: SpotPrice) {
        let sampled = |t| at.since(t) < Nanos::from_ms(SAMPLE_SECS * 1_000);
        if self.last.is_some_and(sampled) {
            return;
        }
        let Some(log) = ln_ratio(source, proxy) else {
            return;
        };
        self.last = Some(at);
        self.samples.push(log);
        let n = self.samples.len() as f64;
        self.mean = self.samples.iter().sum::<f64>() / n;
        let deviation = |x: &f64| (x - self.mean) * (x - self.mean);
        self.variance = self.samples.iter().map(deviation).sum::<f64>() / n;
    }

    /// The source's value as the stand-in has it.
    #[must_use]
    pub fn correct(&self, proxy: SpotPrice) -> Option<SpotPrice> {
        // Rounded to 1e-9 of itself: a float has no more digits to give than that anyway.
        let parts = libm::round(libm::exp(self.mean) * 1e9) as i128;
        proxy
            .0
            .checked_mul(parts)
            .map(|n| SpotPrice(n / 1_000_000_000))
    }

    /// How far the corrected value may be off.
    #[must_use]
    pub fn variance(&self) -> Variance {
        self.or_prior(self.variance, BASIS_PRIOR)
    }

    /// How far the basis may have moved between two instants: what remains uncertain when both the
    /// spot and the strike are the stand-in's, since its constant part cancels in their ratio. Two
    /// samples that know nothing of each other differ by twice the variance of one; real ones, by less.
    #[must_use]
    pub fn change_variance(&self) -> Variance {
        self.or_prior(2.0 * self.variance, BASIS_CHANGE_PRIOR)
    }

    /// A measured variance; the square of `prior` fills what the samples do not cover yet.
    fn or_prior(&self, measured: f64, prior: f64) -> Variance {
        let n = self.samples.len().min(BASIS_LEARNING) as f64;
        let all = BASIS_LEARNING as f64;
        let estimate = (measured * n + prior * prior * (all - n)) / all;
        let floor = BASIS_FLOOR * BASIS_FLOOR;
        Variance(if estimate < floor { floor } else { estimate })
    }
}

/// The newest [`SAMPLES`] of something.
#[derive(Debug, Clone)]
struct Ring<T> {
    items: Vec<T>,
    next: usize,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            next: 0,
        }
    }
}

impl<T> Ring<T> {
    fn push(&mut self, item: T) {
        match self.items.get_mut(self.next) {
            Some(oldest) => *oldest = item,
            None => self.items.push(item),
        }
        self.next = (self.next + 1) % SAMPLES;
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn iter(&self) -> core::slice::Iter<'_, T> {
        self.items.iter()
    }
}

fn secs(span: Nanos) -> f64 {
    span.0 as f64 / 1e9
}

/// A price as a float, if it is one that a logarithm exists of.
fn positive(price: SpotPrice) -> Option<f64> {
    (price.0 > 0).then_some(price.0 as f64)
}

fn ln_ratio(a: SpotPrice, b: SpotPrice) -> Option<f64> {
    Some(libm::log(positive(a)? / positive(b)?))
}

/// Φ(x / √variance), also where there is no variance left.
fn phi_over(x: f64, variance: f64) -> f64 {
    if variance > 0.0 {
        0.5 * libm::erfc(-x / libm::sqrt(variance) * core::f64::consts::FRAC_1_SQRT_2)
    } else if x >= 0.0 {
        1.0
    } else {
        0.0
    }
}

/// Onto the grid of 1e-6; `None` for what is no probability.
fn rounded(p: f64) -> Option<Price> {
    (0.0..=1.0)
        .contains(&p)
        .then(|| Price(libm::round(p * ONE as f64) as i64))
}

#[cfg(test)]
#[path = "fair_value_tests.rs"]
mod tests;
