//! Fair values against outcomes, as far as this run knows them: the sums of `pm-arb calibrate`, live.
//!
//! Owns how the sums are shown. What is asked and scored is [`crate::calibrate`]'s, in the running pilot
//! and in its recovery alike, so that a restart loses nothing.

use crate::calibrate::{self, DECISION_SECS, Observer, PerMarket, Scores, Table};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// With fewer markets than this nothing is said of who is better.
pub const MARKETS_MIN: u64 = 30;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Calibration {
    /// Markets whose outcome is known and whose fair values were sampled.
    pub markets: u64,
    /// Sampled markets whose outcome is not known yet.
    pub waiting: u64,
    /// Sampled markets that ended without one winner.
    pub without_outcome: u64,
    /// Markets that were not sampled because too many others were.
    pub not_asked: u64,
    /// Moments at which nothing could be said, by reason.
    pub no_estimate: Vec<Unsaid>,
    /// The model against the market.
    pub verdict: Verdict,
    /// Every predictor's scores, over all and by time left.
    pub scores: Vec<Score>,
    /// Reliability: tenths of probability with what came true of them.
    pub bins: Vec<Bin>,
}

/// A reason why nothing could be said, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unsaid {
    /// Its code.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// Who says a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Predictor {
    /// One half, always.
    Coin,
    /// The plain digital: normal returns, nothing learnt.
    Digital,
    /// The model, with the tails that outcomes taught.
    Model,
    /// The middle of the market's own book.
    Market,
    /// Model and market together: what an opportunity names.
    Blend,
}

impl Predictor {
    /// In the order of [`Scores::NAMES`].
    pub const ALL: [Predictor; 5] = [
        Predictor::Coin,
        Predictor::Digital,
        Predictor::Model,
        Predictor::Market,
        Predictor::Blend,
    ];
}

/// Which samples are meant. Predictors compare only on the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Questions {
    /// Every sample.
    All,
    /// Those at which the book had a middle.
    WithMarket,
}

/// Scores of one predictor; less is better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Score {
    /// Whose.
    pub predictor: Predictor,
    /// On which samples.
    pub questions: Questions,
    /// Seconds before the close; all of them together when `null`.
    pub seconds_left: Option<u64>,
    /// Samples.
    pub n: u64,
    /// Markets they are of.
    pub markets: u64,
    /// Mean squared error.
    pub brier: Option<f64>,
    /// Lower end of its interval of 95 %.
    pub brier_low: Option<f64>,
    /// Upper end.
    pub brier_high: Option<f64>,
    /// Mean negative log likelihood.
    pub log_loss: Option<f64>,
    /// Its Brier score less the market's, sample by sample: below zero is better than the market.
    pub less_market: Option<f64>,
    /// Lower end of its interval of 95 %.
    pub less_market_low: Option<f64>,
    /// Upper end.
    pub less_market_high: Option<f64>,
}

/// One tenth of probability of one predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bin {
    /// Whose.
    pub predictor: Predictor,
    /// On which samples.
    pub questions: Questions,
    /// From this probability.
    pub low: f64,
    /// To this one.
    pub high: f64,
    /// Samples.
    pub n: u64,
    /// Markets they are of.
    pub markets: u64,
    /// Mean of what was said.
    pub predicted: Option<f64>,
    /// Share that came true.
    pub observed: Option<f64>,
    /// Lower end of its interval of 95 %, markets counted, not samples.
    pub observed_low: Option<f64>,
    /// Upper end.
    pub observed_high: Option<f64>,
}

/// The model against the market, on the same samples.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// What can be said.
    pub says: Versus,
    /// Over so many markets.
    pub markets: u64,
    /// With fewer nothing is said.
    pub markets_min: u64,
}

/// What can be said of the model against the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Versus {
    /// Nothing yet: too few markets.
    #[default]
    Insufficient,
    /// The interval of the difference lies below zero.
    Better,
    /// It lies above zero.
    Worse,
    /// Zero lies in it.
    NotDistinguishable,
}

impl Calibration {
    /// The sums of now.
    #[must_use]
    pub fn of(observer: &Observer) -> Self {
        let sums = observer.so_far();
        let reasons = sums.no_estimate.iter();
        let reasons = reasons.map(|(reason, count)| Unsaid {
            reason: reason.code().to_owned(),
            count: *count,
        });
        Self {
            markets: sums.markets,
            waiting: observer.waiting(),
            without_outcome: sums.without_outcome,
            not_asked: sums.not_asked,
            no_estimate: reasons.collect(),
            verdict: verdict(&sums.scores),
            scores: scores(&sums.scores),
            bins: bins(&sums.scores),
        }
    }

    /// A predictor's score.
    #[must_use]
    pub fn score(
        &self,
        predictor: Predictor,
        questions: Questions,
        seconds_left: Option<u64>,
    ) -> Option<&Score> {
        let this = |s: &&Score| {
            (s.predictor, s.questions, s.seconds_left) == (predictor, questions, seconds_left)
        };
        self.scores.iter().find(this)
    }
}

fn verdict(scores: &Scores) -> Verdict {
    let [model, _] = &scores.versus_book;
    let markets = model.overall.markets();
    let interval = model.overall.interval();
    let says = match interval.filter(|_| markets >= MARKETS_MIN) {
        None => Versus::Insufficient,
        Some(interval) if interval.high < 0.0 => Versus::Better,
        Some(interval) if interval.low > 0.0 => Versus::Worse,
        Some(_) => Versus::NotDistinguishable,
    };
    Verdict {
        says,
        markets,
        markets_min: MARKETS_MIN,
    }
}

/// Every table with whose it is and on which samples.
fn tables(scores: &Scores) -> impl Iterator<Item = (Predictor, Questions, &Table)> {
    let all = Predictor::ALL.into_iter().zip(&scores.all);
    let all = all.map(|(predictor, table)| (predictor, Questions::All, table));
    let with = Predictor::ALL.into_iter().zip(&scores.with_book);
    all.chain(with.map(|(predictor, table)| (predictor, Questions::WithMarket, table)))
}

fn scores(scores: &Scores) -> Vec<Score> {
    let [model, blend] = &scores.versus_book;
    let mut rows = Vec::new();
    for (predictor, questions, table) in tables(scores) {
        let versus = match (predictor, questions) {
            (Predictor::Model, Questions::WithMarket) => Some(model),
            (Predictor::Blend, Questions::WithMarket) => Some(blend),
            _ => None,
        };
        let mut row =
            |seconds_left, pair: &calibrate::Pair, brier: &PerMarket, less: Option<&PerMarket>| {
                let interval = brier.interval();
                let less_interval = less.and_then(PerMarket::interval);
                rows.push(Score {
                    predictor,
                    questions,
                    seconds_left,
                    n: pair.count(),
                    markets: brier.markets(),
                    brier: pair.brier(),
                    brier_low: interval.map(|i| i.low),
                    brier_high: interval.map(|i| i.high),
                    log_loss: pair.log_loss(),
                    less_market: less.and_then(PerMarket::mean),
                    less_market_low: less_interval.map(|i| i.low),
                    less_market_high: less_interval.map(|i| i.high),
                });
            };
        row(
            None,
            &table.overall,
            &table.brier,
            versus.map(|v| &v.overall),
        );
        let times = DECISION_SECS.iter().zip(&table.by_time_left);
        let times = times.zip(&table.brier_by_time_left).enumerate();
        for (i, ((secs, pair), brier)) in times {
            let less = versus.and_then(|v| v.by_time_left.get(i));
            row(Some(*secs), pair, brier, less);
        }
    }
    rows
}

fn bins(scores: &Scores) -> Vec<Bin> {
    let mut rows = Vec::new();
    for (predictor, questions, table) in tables(scores) {
        if predictor == Predictor::Coin {
            continue;
        }
        for (i, bin) in table.reliability.iter().enumerate() {
            let (low, high) = calibrate::Bin::bounds(i);
            let interval = bin.interval();
            rows.push(Bin {
                predictor,
                questions,
                low,
                high,
                n: bin.count,
                markets: bin.markets(),
                predicted: bin.predicted(),
                observed: bin.observed(),
                observed_low: interval.map(|i| i.low),
                observed_high: interval.map(|i| i.high),
            });
        }
    }
    rows
}
