//! What outcomes taught: tails, how far the book is to be believed, and how wrong the result still was.
//!
//! ```text
//! distance ─► tails ─► model ─┬─► blend, in log-odds ─► fair value,  less the haircut of its time left
//!                      book ──┘
//! ```
//!
//! One [`Calibration`] serves every market of one settlement source. It is told what was forecast at
//! given times before the close, once per market and time, and only when the outcome is known; so
//! nothing it says rests on anything that had not happened. Everything in it is a fixed number of
//! numbers, and forgets with every market settled.

use super::tails::{Opinion, Tails, log_likelihood, normalize};
use super::{Distance, rounded};
use crate::ids::Nanos;
use crate::units::{ONE, Price, Usd};

/// Seconds before the close at which forecasts are kept, longest first.
const TIMES_LEFT: [u64; 12] = [3_600, 1_800, 900, 600, 240, 180, 120, 60, 30, 15, 10, 5];
/// Forecasts of one market come true or not together: each counts for this share of an outcome.
const SHARE: f64 = 1.0 / 8.0;
/// What is left of an outcome's word after one more market: half after a hundred.
const KEEP: f64 = 0.993_092_495_437_035_9;
/// How much of the log-odds is the model's, the rest the book's.
const MODEL_SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Before any outcome: about half and half, and neither alone. On recorded days the book by itself
/// was the best single predictor, and the model the faster one.
const MODEL_SHARES_PRIOR: [f64; 5] = [0.1, 0.2, 0.4, 0.2, 0.1];
/// No forecast is believed to be better calibrated than this: half a cent.
const HAIRCUT_MIN: f64 = 0.005;

/// One of the times before a close at which forecasts are compared with outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeLeft(usize);

impl TimeLeft {
    /// The shortest of them that is not shorter; the longest for what is longer than all.
    #[must_use]
    pub fn of(left: Nanos) -> Self {
        let longer = TIMES_LEFT.partition_point(|secs| left <= Nanos::from_ms(secs * 1_000));
        Self(longer.saturating_sub(1))
    }

    /// Whether so much left is about this time: no more, and more than three quarters of it.
    #[must_use]
    pub fn fits(self, left: Nanos) -> bool {
        let Some(ns) = TIMES_LEFT.get(self.0).map(|s| Nanos::from_ms(s * 1_000).0) else {
            return false;
        };
        left.0 <= ns && left.0 > ns / 4 * 3
    }
}

/// What was forecast for outcome 0 of a market.
#[derive(Debug, Clone, Copy)]
pub struct Forecast {
    /// When.
    pub left: TimeLeft,
    /// From how far away.
    pub distance: Distance,
    /// By the model alone.
    pub model: Price,
    /// By the middle of a book with two sides, if there was one.
    pub book: Option<Price>,
    /// By both together: what was offered.
    pub fair: Price,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Calibration {
    tails: Tails,
    /// Log likelihoods of [`MODEL_SHARES`], forgetting.
    shares: [f64; MODEL_SHARES.len()],
    /// Their weighted mean.
    model_share: f64,
    errors: [Error; TIMES_LEFT.len()],
}

/// Forecasts of one time left against what came of them, in favour of whichever side was likelier.
#[derive(Debug, Clone, Copy, Default)]
struct Error {
    count: f64,
    /// Sum of probabilities less sum of hits.
    excess: f64,
    /// Variance of that sum if the probabilities are right.
    variance: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        let mut new = Self {
            tails: Tails::default(),
            shares: [0.0; MODEL_SHARES.len()],
            model_share: 0.0,
            errors: [Error::default(); TIMES_LEFT.len()],
        };
        new.renew();
        new
    }
}

impl Calibration {
    /// What the model makes of a distance.
    #[must_use]
    pub fn model(&self, distance: Distance) -> Option<Price> {
        rounded(self.tails.probability(distance))
    }

    /// What every law of the model makes of a distance, and how much its word counts by now; the model
    /// is their weighted mean. `None` when the distance is no number.
    #[must_use]
    pub fn opinions(&self, distance: Distance) -> Option<Vec<Opinion>> {
        self.tails.opinions(distance)
    }

    /// What the model and the middle of a book come to together. The result lies between them. What
    /// the model knows for certain stays certain.
    #[must_use]
    pub fn blend(&self, model: Price, book: Price) -> Price {
        let (Some(of_model), Some(of_book)) = (logit(model), logit(book)) else {
            return model;
        };
        let odds = self.model_share * of_model + (1.0 - self.model_share) * of_book;
        rounded(logistic(odds)).unwrap_or(model)
    }

    /// By how much a forecast with so much left is to be trusted less than it says, a share: as far as
    /// those before it were off on average, beyond what chance explains (one standard error).
    #[must_use]
    pub fn haircut(&self, left: TimeLeft) -> Usd {
        let measured = self.errors.get(left.0).map_or(0.0, |e| e.beyond_chance());
        let haircut = measured.clamp(HAIRCUT_MIN, 1.0);
        Usd(libm::ceil(haircut * ONE as f64) as i64)
    }

    /// A market's outcome 0 came true, or did not.
    pub fn learn(&mut self, forecasts: &[Forecast], true_: bool) {
        self.tails.forget(KEEP);
        for share in &mut self.shares {
            *share *= KEEP;
        }
        for forecast in forecasts {
            self.tails.learn(forecast.distance, true_, SHARE);
            self.learn_share(forecast, true_);
            if let Some(error) = self.errors.get_mut(forecast.left.0) {
                error.add(forecast.fair, true_);
            }
        }
        self.renew();
    }

    fn learn_share(&mut self, forecast: &Forecast, true_: bool) {
        let book = forecast.book.and_then(logit);
        let (Some(model), Some(book)) = (logit(forecast.model), book) else {
            return;
        };
        for (evidence, share) in self.shares.iter_mut().zip(MODEL_SHARES) {
            *evidence +=
                SHARE * log_likelihood(logistic(share * model + (1.0 - share) * book), true_);
        }
    }

    fn renew(&mut self) {
        let mut weights = self.shares;
        for (weight, prior) in weights.iter_mut().zip(MODEL_SHARES_PRIOR) {
            *weight += libm::log(prior);
        }
        normalize(&mut weights);
        let weighted = weights.iter().zip(MODEL_SHARES);
        self.model_share = weighted.map(|(weight, share)| weight * share).sum();
    }
}

impl Error {
    fn add(&mut self, fair: Price, true_: bool) {
        let p = fair.0 as f64 / ONE as f64;
        let (p, hit) = if p >= 0.5 {
            (p, true_)
        } else {
            (1.0 - p, !true_)
        };
        self.count = self.count * KEEP + 1.0;
        self.excess = self.excess * KEEP + p - if hit { 1.0 } else { 0.0 };
        self.variance = self.variance * KEEP * KEEP + p * (1.0 - p);
    }

    fn beyond_chance(self) -> f64 {
        if self.count > 0.0 {
            (libm::fabs(self.excess) - libm::sqrt(self.variance)) / self.count
        } else {
            0.0
        }
    }
}

/// `None` for what is certain.
fn logit(p: Price) -> Option<f64> {
    let p = p.0 as f64 / ONE as f64;
    (p > 0.0 && p < 1.0).then(|| libm::log(p / (1.0 - p)))
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}
