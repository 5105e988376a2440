//! Brier score, log loss and reliability of several predictors on the same questions.
//!
//! Owns sums only, so that a run of any length takes the same room; and adds in the order of the journal,
//! so that the same run gives the same bits. Intervals count markets, not questions: what is asked of one
//! market comes true or not together.

use super::DECISION_SECS;
use crate::stats::Interval;
use pm_arb_core::scanner::Estimate;
use pm_arb_core::units::{ONE, Price};

/// Probabilities are brought this far from 0 and 1 before their logarithm is taken: the unit in which
/// they leave the core. One that was certain and wrong costs 13.8.
pub const LOG_LOSS_CLIP: f64 = 1e-6;
/// Bins of a reliability curve.
pub const BINS: usize = 10;
/// Ends of 95 % of the normal law, in standard deviations.
const Z_95: f64 = 1.959_964;
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
        let clipped = p.clamp(LOG_LOSS_CLIP, 1.0 - LOG_LOSS_CLIP);
        self.count += 1;
        self.squares += squared_error(p, up);
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

/// A mean over questions that hang together within a market: a market is one observation of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PerMarket {
    markets: u64,
    /// Questions, and the sum of what is averaged over them.
    count: f64,
    sum: f64,
    /// Sums over markets of the products of their two numbers.
    count_count: f64,
    count_sum: f64,
    sum_sum: f64,
}

impl PerMarket {
    /// One market's questions, of which `sum` is the sum.
    fn take(&mut self, count: f64, sum: f64) {
        if count > 0.0 {
            self.markets += 1;
            self.count += count;
            self.sum += sum;
            self.count_count += count * count;
            self.count_sum += count * sum;
            self.sum_sum += sum * sum;
        }
    }

    fn add(&mut self, other: &Self) {
        self.markets += other.markets;
        self.count += other.count;
        self.sum += other.sum;
        self.count_count += other.count_count;
        self.count_sum += other.count_sum;
        self.sum_sum += other.sum_sum;
    }

    /// How many markets.
    #[must_use]
    pub fn markets(&self) -> u64 {
        self.markets
    }

    /// Over all questions; `None` without any.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }

    /// Where the true mean lies in 95 of 100 such samples: the linearised variance of a ratio of two
    /// sums, markets drawn independently. `None` with fewer than two.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        let mean = self.mean()?;
        let markets = self.markets as f64;
        if self.markets < 2 {
            return None;
        }
        let squares = self.sum_sum - 2.0 * mean * self.count_sum + mean * mean * self.count_count;
        let variance = squares.max(0.0) * markets / (markets - 1.0) / (self.count * self.count);
        let half = Z_95 * variance.sqrt();
        Some(Interval {
            low: mean - half,
            high: mean + half,
        })
    }

    /// As many markets asked one question each would say as much (Kish).
    fn effective(&self) -> f64 {
        if self.count_count > 0.0 {
            self.count * self.count / self.count_count
        } else {
            0.0
        }
    }
}

/// Forecasts of about the same probability.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub count: u64,
    sum: f64,
    hits: u64,
    per_market: PerMarket,
}

impl Bin {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.hits += other.hits;
        self.per_market.add(&other.per_market);
    }

    /// From which probability to which the bin of that number reaches.
    #[must_use]
    pub fn bounds(bin: usize) -> (f64, f64) {
        let of = |i: usize| i as f64 / BINS as f64;
        (of(bin), of(bin + 1))
    }

    /// How many markets.
    #[must_use]
    pub fn markets(&self) -> u64 {
        self.per_market.markets
    }

    /// Where the true share lies in 95 of 100 such samples: Wilson's interval, with as many observations
    /// as the markets are worth.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        let (p, n) = (self.observed()?, self.per_market.effective());
        let z2 = Z_95 * Z_95;
        let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
        Some(Interval {
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
        })
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
    /// The Brier score over all, market by market.
    pub brier: PerMarket,
    /// The same, in the order of [`DECISION_SECS`].
    pub brier_by_time_left: [PerMarket; DECISION_SECS.len()],
}

/// One answer of a predictor: seconds left, probability, whether the plain digital was sure.
type Answer = (u64, f64, bool);

impl Table {
    /// All that was asked of one market.
    fn take(&mut self, answers: &[Answer], up: bool) {
        let mut bins = [(0.0, 0.0); BINS];
        let mut squares = 0.0;
        for &(secs, p, sure) in answers {
            self.overall.take(p, up);
            let square = squared_error(p, up);
            squares += square;
            if let Some(i) = DECISION_SECS.iter().position(|s| *s == secs) {
                if let Some(pair) = self.by_time_left.get_mut(i) {
                    pair.take(p, up);
                }
                if let Some(brier) = self.brier_by_time_left.get_mut(i) {
                    brier.take(1.0, square);
                }
            }
            if sure {
                self.sure.take(p, up);
            }
            // Certainty belongs to the last tenth.
            let bin = ((p * BINS as f64) as usize).min(BINS - 1);
            let of_market = bins.get_mut(bin);
            if let Some((bin, (count, hits))) = self.reliability.get_mut(bin).zip(of_market) {
                bin.count += 1;
                bin.sum += p;
                bin.hits += u64::from(up);
                *count += 1.0;
                *hits += f64::from(u8::from(up));
            }
        }
        self.brier.take(answers.len() as f64, squares);
        for (bin, (count, hits)) in self.reliability.iter_mut().zip(bins) {
            bin.per_market.take(count, hits);
        }
    }

    fn add(&mut self, other: &Self) {
        self.overall.add(&other.overall);
        self.sure.add(&other.sure);
        self.brier.add(&other.brier);
        for (mine, other) in self.by_time_left.iter_mut().zip(&other.by_time_left) {
            mine.add(other);
        }
        for (mine, other) in self.reliability.iter_mut().zip(&other.reliability) {
            mine.add(other);
        }
        let others = &other.brier_by_time_left;
        for (mine, other) in self.brier_by_time_left.iter_mut().zip(others) {
            mine.add(other);
        }
    }
}

/// How much larger the Brier score of one predictor is than that of another on the same questions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Versus {
    /// Over all.
    pub overall: PerMarket,
    /// In the order of [`DECISION_SECS`].
    pub by_time_left: [PerMarket; DECISION_SECS.len()],
}

impl Versus {
    fn take(&mut self, ours: &[Answer], theirs: &[Answer], up: bool) {
        let mut sum = 0.0;
        for (&(secs, our, _), &(_, their, _)) in ours.iter().zip(theirs) {
            let more = squared_error(our, up) - squared_error(their, up);
            sum += more;
            let of_time = DECISION_SECS.iter().position(|s| *s == secs);
            if let Some(of_time) = of_time.and_then(|i| self.by_time_left.get_mut(i)) {
                of_time.take(1.0, more);
            }
        }
        self.overall.take(ours.len() as f64, sum);
    }

    fn add(&mut self, other: &Self) {
        self.overall.add(&other.overall);
        for (mine, other) in self.by_time_left.iter_mut().zip(&other.by_time_left) {
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
    /// The model and the blend against the book.
    pub versus_book: [Versus; 2],
}

impl Scores {
    /// The predictors, in order; the first three are asked everything.
    pub const NAMES: [&'static str; 5] = ["coin", "digital", "model", "book", "blend"];

    /// All that was asked of one market.
    pub(super) fn take(&mut self, estimates: &[(u64, Estimate)], up: bool) {
        let said = |p: fn(&Estimate) -> Option<f64>, needs_book: bool| -> Vec<Answer> {
            let asked = estimates
                .iter()
                .filter(|(_, e)| !needs_book || e.book.is_some());
            let answers = asked.filter_map(|(secs, e)| {
                let digital = probability(e.digital);
                let sure = digital >= SURE || digital <= 1.0 - SURE;
                Some((*secs, p(e)?, sure))
            });
            answers.collect()
        };
        let predictors: [fn(&Estimate) -> Option<f64>; 5] = [
            |_| Some(0.5),
            |e| Some(probability(e.digital)),
            |e| Some(probability(e.model)),
            |e| e.book.map(probability),
            |e| Some(probability(e.fair)),
        ];
        for (table, p) in self.all.iter_mut().zip(predictors) {
            table.take(&said(p, false), up);
        }
        let with_book = predictors.map(|p| said(p, true));
        for (table, answers) in self.with_book.iter_mut().zip(&with_book) {
            table.take(answers, up);
        }
        let [_, _, model, book, blend] = &with_book;
        for (versus, ours) in self.versus_book.iter_mut().zip([model, blend]) {
            versus.take(ours, book, up);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let mine = self.all.iter_mut().chain(&mut self.with_book);
        for (mine, other) in mine.zip(other.all.iter().chain(&other.with_book)) {
            mine.add(other);
        }
        for (mine, other) in self.versus_book.iter_mut().zip(&other.versus_book) {
            mine.add(other);
        }
    }
}

fn squared_error(p: f64, up: bool) -> f64 {
    let y = if up { 1.0 } else { 0.0 };
    (p - y) * (p - y)
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
            table.take(&[(60, p, false)], up);
        }
        let [first, .., last] = table.reliability;
        assert_eq!((first.count, first.observed()), (2, Some(0.0)));
        assert_eq!((last.count, last.observed()), (2, Some(0.5)));
        assert_eq!(last.predicted(), Some(0.975));
        assert_eq!(table.by_time_left[3].count(), 4);
    }

    #[test]
    fn a_market_is_one_observation() {
        // Ten markets asked once each, and the same ten asked four times each: no surer for it.
        let (mut once, mut often) = (PerMarket::default(), PerMarket::default());
        for i in 0..10 {
            let x = f64::from(i) / 10.0;
            once.take(1.0, x);
            often.take(4.0, 4.0 * x);
        }
        // The mean is .45; variance .091667 a market (n − 1), standard error .095743.
        let interval = once.interval().unwrap();
        assert!(
            (interval.low - (0.45 - 1.959_964 * 0.095_743)).abs() < 1e-5,
            "{interval:?}"
        );
        let wide = often.interval().unwrap();
        assert!(
            (interval.low - wide.low).abs() < 1e-12 && (interval.high - wide.high).abs() < 1e-12
        );
        assert_eq!((often.markets(), often.mean()), (10, once.mean()));
        let mut one = PerMarket::default();
        one.take(8.0, 1.0);
        assert_eq!(one.interval(), None);
    }

    #[test]
    fn a_share_of_few_markets_is_wide_even_when_all_came_true() {
        let mut table = Table::default();
        for _ in 0..5 {
            table.take(&[(60, 0.95, true), (30, 0.96, true)], true);
        }
        let [.., bin] = table.reliability;
        assert_eq!(
            (bin.count, bin.markets(), bin.observed()),
            (10, 5, Some(1.0))
        );
        // Wilson's for 5 of 5: from n / (n + z²).
        let interval = bin.interval().unwrap();
        assert!(
            (interval.low - 5.0 / (5.0 + 1.959_964_f64.powi(2))).abs() < 1e-9,
            "{interval:?}"
        );
        assert!((interval.high - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_difference_is_taken_question_by_question() {
        let mut versus = Versus::default();
        // Ours is nearer by .09 of squared error in the first market, further by .09 in the second.
        versus.take(&[(60, 0.9, false)], &[(60, 0.684, false)], true);
        let gain = versus.overall.mean().unwrap();
        assert!((gain - (0.01 - 0.316_f64.powi(2))).abs() < 1e-12);
        assert_eq!(versus.by_time_left[3].markets(), 1);
    }
}
