//! Probabilities: what an outcome is worth when the oracle's value is known, and how uncertain that is.
//!
//! The only folder of the core with floats. They stay inside: prices come in and go out as integers,
//! probabilities leave rounded to 1e-6, and the opaque types ([`Rate`], [`Variance`], [`Distance`],
//! [`Calibration`]) have no accessor. `ln`, `exp` and `erfc` come from `libm`, the rest is
//! IEEE-exact, so every machine gets the same bits. Nothing here knows of markets, fees or decisions.
//!
//! Every question comes down to a [`Distance`]: how far the spot is from the strike, in standard
//! deviations of what may still happen. What probability a distance is worth is another matter: under
//! the normal law ([`Distance::normal`]) it is the textbook's, and the tails that outcomes were found
//! to have are a [`Calibration`]'s.
//!
//! The distances (`S` spot, `K` strike, `τ` seconds from the spot's tick to the close, `σ²` variance a
//! second, `b²` variance of the basis when `S` is a stand-in's, or of its change since the opening
//! when `K` is the stand-in's too; no drift), with `F` = Φ under the normal law:
//!
//! | function       | probability of                      | formula                                        |
//! |----------------|-------------------------------------|------------------------------------------------|
//! | [`digital`]    | value at the close ≥ K              | F( ln(S/K) / √(σ²τ + b²) )                     |
//! | [`twap`], τ ≥ m| mean of the last m seconds ≥ K      | F( ln(S/K) / √(σ²(τ − 2m/3) + b²) )            |
//! | [`twap`], τ < m| the same, part of the mean is known | F( (A + Sτ/m − K) / (S√(σ²τ³/3m² + b²)) )      |
//! | [`one_touch`]  | K is touched before the close       | 2·(1 − F( abs ln(S/K) / √(σ²τ + b²) ))         |

mod calibration;
mod measured;
mod tails;

pub use calibration::{Calibration, Forecast, TimeLeft};
pub use measured::{Basis, Volatility};
pub use tails::Opinion;

use crate::ids::Nanos;
use crate::units::{Bps, ONE, Price, SpotPrice};

/// Seconds of a year: markets in these assets never close.
const YEAR_SECS: f64 = 365.0 * 86_400.0;

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

/// How far a value is from the strike, in standard deviations; infinite when nothing can happen any
/// more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    z: f64,
    /// Whether touching is enough: then `z` is not negative.
    touch: bool,
}

impl Distance {
    /// What it is worth if returns are normal: the plain digital.
    #[must_use]
    pub fn normal(self) -> Option<Price> {
        self.under(phi)
    }

    /// The probability under a law that is symmetric about zero.
    fn under(self, law: impl Fn(f64) -> f64) -> Option<Price> {
        rounded(self.probability(law))
    }

    fn probability(self, law: impl Fn(f64) -> f64) -> f64 {
        if self.touch {
            2.0 * (1.0 - law(self.z))
        } else {
            law(self.z)
        }
    }
}

/// How far the value at the close is from falling below the strike. `variance` is that of the log
/// price until then; without any, the answer is already known (equality counts as above). `None` when
/// a price is not positive.
#[must_use]
pub fn digital(spot: SpotPrice, strike: SpotPrice, variance: Variance) -> Option<Distance> {
    Some(ending(ln_ratio(spot, strike)?, variance.0))
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

/// How far the mean of the last `lookback` before the close is from falling below the strike. Inside
/// the window the accrued part must be known: `None` without it.
#[must_use]
pub fn twap(
    spot: SpotPrice,
    strike: SpotPrice,
    accrued: Option<Accrued>,
    terms: TwapTerms,
) -> Option<Distance> {
    let tau = secs(terms.tau);
    let m = secs(terms.lookback);
    if tau >= m {
        let variance = terms.rate.0 * (tau - 2.0 * m / 3.0) + terms.basis.0;
        return Some(ending(ln_ratio(spot, strike)?, variance));
    }
    let (s, k) = (positive(spot)?, positive(strike)?);
    let known = positive(accrued?.mean)? * (m - tau) / m;
    let expected = known + s * tau / m;
    let variance = terms.rate.0 * tau * tau * tau / (3.0 * m * m) + terms.basis.0;
    Some(ending((expected - k) / s, variance))
}

/// How far the barrier is from being touched before the close.
#[must_use]
pub fn one_touch(spot: SpotPrice, barrier: SpotPrice, variance: Variance) -> Option<Distance> {
    let away = libm::fabs(ln_ratio(spot, barrier)?);
    let z = if away == 0.0 {
        0.0
    } else {
        ending(away, variance.0).z
    };
    Some(Distance { z, touch: true })
}

/// The distance of what ends above when `x` and what still happens to it is not negative.
fn ending(x: f64, variance: f64) -> Distance {
    let z = if variance > 0.0 {
        x / libm::sqrt(variance)
    } else if x >= 0.0 {
        f64::INFINITY
    } else {
        f64::NEG_INFINITY
    };
    Distance { z, touch: false }
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

/// Φ: the normal law.
fn phi(z: f64) -> f64 {
    0.5 * libm::erfc(-z * core::f64::consts::FRAC_1_SQRT_2)
}

/// Onto the grid of 1e-6; `None` for what is no probability.
fn rounded(p: f64) -> Option<Price> {
    (0.0..=1.0)
        .contains(&p)
        .then(|| Price(libm::round(p * ONE as f64) as i64))
}

#[cfg(test)]
mod learning_tests;
#[cfg(test)]
mod tests;
