//! What is measured on the ticks as they arrive: volatility, and how a stand-in differs from its source.
//!
//! Owns the last half hour of samples and nothing else; it judges no market.

use super::{Rate, Variance, ln_ratio, positive, secs};
use crate::ids::{Nanos, Timestamp};
use crate::units::{Bps, SpotPrice};

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
pub(super) const BASIS_PRIOR: f64 = 5e-4;
/// Measured, it is not believed to be below 0.5 bp.
pub(super) const BASIS_FLOOR: f64 = 5e-5;
/// Standard deviation of the change of the basis from a window's opening to its close, before it was
/// measured: 0.7 bp, the most likely value for the 12,288 5-minute windows of 2025-12-18 to
/// 2026-02-14, whose Chainlink outcome Binance's direction tells in 96.2 %, nearly always beyond 2 bp.
pub(super) const BASIS_CHANGE_PRIOR: f64 = 7e-5;
/// While there are fewer samples of the basis than this, the prior stands for the rest.
const BASIS_LEARNING: usize = 30;

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
