//! Brier score, log loss and reliability of several predictors on the same questions.
//!
//! Owns sums only, so that a run of any length takes the same room; and adds in the order of the journal,
//! so that the same run gives the same bits.

use super::DECISION_SECS;
use pm_arb_core::scanner::Estimate;
use pm_arb_core::units::{ONE, Price};

/// Probabilities are brought this far from 0 and 1 before their logarithm is taken: the unit in which
/// they leave the core. One that was certain and wrong costs 13.8.
pub const LOG_LOSS_CLIP: f64 = 1e-6;
/// Bins of a reliability curve.
pub const BINS: usize = 10;
/// The plain digital is sure where it gives one side at least this: the place of fat tails.
pub const SURE: f64 = 0.95;

/// Brier score and log loss over some questions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pair {
    count: u64,
    squares: f64,
    logs: f64,
}

impl Pair {
    fn take(&mut self, p: f64, up: bool) {
        let y = if up { 1.0 } else { 0.0 };
        let clipped = p.clamp(LOG_LOSS_CLIP, 1.0 - LOG_LOSS_CLIP);
        self.count += 1;
        self.squares += (p - y) * (p - y);
        self.logs -= if up { clipped } else { 1.0 - clipped }.ln();
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.squares += other.squares;
        self.logs += other.logs;
    }

    /// How many questions.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean squared error; `None` without questions.
    #[must_use]
    pub fn brier(&self) -> Option<f64> {
        (self.count > 0).then(|| self.squares / self.count as f64)
    }

    /// Mean negative log likelihood, clipped at [`LOG_LOSS_CLIP`].
    #[must_use]
    pub fn log_loss(&self) -> Option<f64> {
        (self.count > 0).then(|| self.logs / self.count as f64)
    }
}

/// Forecasts of about the same probability.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub count: u64,
    sum: f64,
    hits: u64,
}

impl Bin {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.hits += other.hits;
    }

    /// Mean of what was forecast.
    #[must_use]
    pub fn predicted(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// Share that came true.
    #[must_use]
    pub fn observed(&self) -> Option<f64> {
        (self.count > 0).then(|| self.hits as f64 / self.count as f64)
    }
}

/// One predictor's scores on one set of questions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Over all.
    pub overall: Pair,
    /// In the order of [`DECISION_SECS`].
    pub by_time_left: [Pair; DECISION_SECS.len()],
    /// In tenths of probability.
    pub reliability: [Bin; BINS],
    /// Where the plain digital was sure ([`SURE`]).
    pub sure: Pair,
}

impl Table {
    fn take(&mut self, secs: u64, p: f64, up: bool, sure: bool) {
        self.overall.take(p, up);
        let of_time = DECISION_SECS.iter().position(|s| *s == secs);
        if let Some(pair) = of_time.and_then(|i| self.by_time_left.get_mut(i)) {
            pair.take(p, up);
        }
        if sure {
            self.sure.take(p, up);
        }
        // Certainty belongs to the last tenth.
        let bin = ((p * BINS as f64) as usize).min(BINS - 1);
        if let Some(bin) = self.reliability.get_mut(bin) {
            bin.count += 1;
            bin.sum += p;
            bin.hits += u64::from(up);
        }
    }

    fn add(&mut self, other: &Self) {
        self.overall.add(&other.overall);
        self.sure.add(&other.sure);
        for (mine, other) in self.by_time_left.iter_mut().zip(&other.by_time_left) {
            mine.add(other);
        }
        for (mine, other) in self.reliability.iter_mut().zip(&other.reliability) {
            mine.add(other);
        }
    }
}

/// Every predictor's, on the same questions within each of the two groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// A coin, the plain digital and the model, on every question.
    pub all: [Table; 3],
    /// The same, the book and the blend, where the book had a middle.
    pub with_book: [Table; 5],
}

impl Scores {
    /// The predictors, in order; the first three are asked everything.
    pub const NAMES: [&'static str; 5] = ["coin", "digital", "model", "book", "blend"];

    pub(super) fn take(&mut self, secs: u64, estimate: &Estimate, up: bool) {
        let digital = probability(estimate.digital);
        let sure = digital >= SURE || digital <= 1.0 - SURE;
        let three = [0.5, digital, probability(estimate.model)];
        for (table, p) in self.all.iter_mut().zip(three) {
            table.take(secs, p, up, sure);
        }
        if let Some(book) = estimate.book {
            let two = [probability(book), probability(estimate.fair)];
            for (table, p) in self.with_book.iter_mut().zip(three.into_iter().chain(two)) {
                table.take(secs, p, up, sure);
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let mine = self.all.iter_mut().chain(&mut self.with_book);
        for (mine, other) in mine.zip(other.all.iter().chain(&other.with_book)) {
            mine.add(other);
        }
    }
}

fn probability(price: Price) -> f64 {
    price.0 as f64 / ONE as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        let mut pair = Pair::default();
        assert_eq!((pair.brier(), pair.log_loss()), (None, None));
        pair.take(0.8, true);
        pair.take(0.4, true);
        // (.04 + .36) / 2, −(ln .8 + ln .4) / 2
        assert!((pair.brier().unwrap() - 0.2).abs() < 1e-12);
        assert!((pair.log_loss().unwrap() - 0.569_717_141_9).abs() < 1e-9);
        let mut wrong = Pair::default();
        wrong.take(1.0, false);
        assert!((wrong.log_loss().unwrap() - 13.815_510_6).abs() < 1e-6);
    }

    #[test]
    fn certainty_belongs_to_the_last_tenth() {
        let mut table = Table::default();
        for (p, up) in [(1.0, true), (0.95, false), (0.05, false), (0.0, false)] {
            table.take(60, p, up, false);
        }
        let [first, .., last] = table.reliability;
        assert_eq!((first.count, first.observed()), (2, Some(0.0)));
        assert_eq!((last.count, last.observed()), (2, Some(0.5)));
        assert_eq!(last.predicted(), Some(0.975));
        assert_eq!(table.by_time_left[3].count(), 4);
    }
}
