//! What a market came to, and on what evidence.
//!
//! ```text
//! open ─(its time, or the venue's outcome)─► pending ─┬─► settled   one outcome pays, evidence agrees
//!                                                     ├─► void      every share pays 0.50
//!                                                     └─► disputed  evidence disagrees: capital stays locked
//! ```
//!
//! Two kinds of evidence exist: the venue's own outcome, and the settlement oracle's: for `UpDown` and
//! `Above` its first value of exactly the closing second against a known strike, for `Candle` the final
//! candle of exactly the market's window. Either alone settles at
//! once; both together must agree. What comes after a market is booked only confirms it, or is
//! reported as a contradiction: nothing is booked twice. Without evidence a market stays pending,
//! for ever if need be; no price and no position is ever evidence.
//!
//! Owns the list of markets that wait and the outcomes already booked; it moves no money.

use crate::event::Resolution;
use crate::ids::{MarketId, OracleId};
use crate::market::{MarketSpec, MarketStatus, SettlementRule};
use crate::market_data::{MarketData, MarketState};
use crate::reason::Reason;
use crate::units::{ONE, Price, SpotPrice};
use std::collections::{BTreeMap, BTreeSet};

/// What each outcome pays, in the order of the specification, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A share of each outcome pays this.
    pub payouts: Vec<Price>,
    /// In words, with the numbers.
    pub evidence: String,
}

impl Outcome {
    /// Settled, or void when every outcome pays the same.
    #[must_use]
    pub fn status(&self) -> MarketStatus {
        match self.payouts.as_slice() {
            [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|p| p == first) => {
                MarketStatus::Void
            }
            _ => MarketStatus::Settled,
        }
    }
}

/// What the evidence says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Pending,
    /// Book it.
    Final(Outcome),
    /// Two sources disagree.
    Disputed {
        /// What the venue says.
        venue: Outcome,
        /// What the oracle says.
        oracle: Outcome,
    },
    /// It was booked before, and this agrees.
    Confirmed,
    /// It was booked before, and this does not agree.
    Contradicted {
        /// What was booked.
        booked: Outcome,
        /// What is said now.
        said: Outcome,
    },
}

/// Markets between their end and the end of their money.
#[derive(Debug, Clone, Default)]
pub struct Settlement {
    /// Waiting markets with an oracle, by the second that decides them.
    waiting: BTreeMap<(OracleId, u64), BTreeSet<MarketId>>,
    /// The second each of them waits for, as it was when it began to wait.
    seconds: BTreeMap<MarketId, (OracleId, u64)>,
    /// What was booked, until the market is retired.
    booked: BTreeMap<MarketId, Outcome>,
}

impl Settlement {
    /// A market's trading ended: it waits for its oracle's closing second or candle, if it has such a rule.
    pub fn wait(&mut self, spec: &MarketSpec) {
        self.stop_waiting(spec.id);
        if let Some(key) = deciding_second(spec) {
            self.waiting.entry(key).or_default().insert(spec.id);
            self.seconds.insert(spec.id, key);
        }
    }

    /// A market trades again, was booked, is disputed, or is forgotten.
    pub fn stop_waiting(&mut self, market: MarketId) {
        if let Some(key) = self.seconds.remove(&market)
            && let Some(markets) = self.waiting.get_mut(&key)
        {
            markets.remove(&market);
            if markets.is_empty() {
                self.waiting.remove(&key);
            }
        }
    }

    /// The markets that a value of this oracle, valid for this second, or a candle that ends with its
    /// beginning, may decide.
    #[must_use]
    pub fn decided_by(&self, oracle: OracleId, second: u64) -> Vec<MarketId> {
        self.waiting
            .get(&(oracle, second))
            .map_or_else(Vec::new, |markets| markets.iter().copied().collect())
    }

    /// What all evidence together says of a market: the venue's outcome, when one was just published,
    /// and the oracle's.
    #[must_use]
    pub fn judge(
        &self,
        market: &MarketState,
        data: &MarketData,
        venue: Option<Outcome>,
    ) -> Verdict {
        if let Some(booked) = self.booked.get(&market.spec.id) {
            return match venue {
                Some(said) if said.payouts != booked.payouts => Verdict::Contradicted {
                    booked: booked.clone(),
                    said,
                },
                _ => Verdict::Confirmed,
            };
        }
        match (venue, oracle_outcome(market, data)) {
            (Some(venue), Some(oracle)) if venue.payouts != oracle.payouts => {
                Verdict::Disputed { venue, oracle }
            }
            (Some(venue), Some(oracle)) => Verdict::Final(Outcome {
                payouts: venue.payouts,
                evidence: format!("{}; {}", venue.evidence, oracle.evidence),
            }),
            (Some(outcome), None) | (None, Some(outcome)) => Verdict::Final(outcome),
            (None, None) => Verdict::Pending,
        }
    }

    /// The market was booked so.
    pub fn book(&mut self, market: MarketId, outcome: Outcome) {
        self.stop_waiting(market);
        self.booked.insert(market, outcome);
    }

    /// What a market was booked as, until it is retired.
    #[must_use]
    pub fn booked(&self, market: MarketId) -> Option<&Outcome> {
        self.booked.get(&market)
    }

    /// The market is retired.
    pub fn forget(&mut self, market: MarketId) {
        self.stop_waiting(market);
        self.booked.remove(&market);
    }
}

/// The venue's outcome, when it is one: a payout for each outcome, none negative, one dollar in all.
pub fn venue_outcome(spec: &MarketSpec, resolution: &Resolution) -> Result<Outcome, Reason> {
    let whole = resolution.payouts.len() == spec.outcomes.len()
        && resolution.payouts.iter().all(|p| p.0 >= 0)
        && resolution
            .payouts
            .iter()
            .try_fold(0_i64, |sum, p| sum.checked_add(p.0))
            == Some(ONE);
    if !whole {
        return Err(Reason::MalformedFrame);
    }
    let paid: Vec<String> = spec
        .outcomes
        .iter()
        .zip(&resolution.payouts)
        .map(|(outcome, pays)| format!("{} {pays}", outcome.name))
        .collect();
    Ok(Outcome {
        payouts: resolution.payouts.clone(),
        evidence: format!(
            "{} pays {} ({})",
            spec.venue,
            paid.join(", "),
            resolution.evidence
        ),
    })
}

/// The oracle's outcome, when the rule rests on single ticks or a candle and they are known.
fn oracle_outcome(market: &MarketState, data: &MarketData) -> Option<Outcome> {
    let spec = &market.spec;
    let [first, second] = spec.outcomes.as_slice() else {
        return None;
    };
    let state = data.oracle(spec.settlement.oracle()?)?;
    let at_close = || Some((state.value_at_second(spec.closes_at)?, market.strike?));
    let against = |close: SpotPrice, strike: SpotPrice| {
        let second = spec.closes_at.secs();
        format!("at second {second} was {close} against {strike}")
    };
    let (first_wins, said) = match spec.settlement {
        SettlementRule::UpDown { .. } => {
            let (close, strike) = at_close()?;
            (close >= strike, against(close, strike))
        }
        SettlementRule::Above { strict, .. } => {
            let (close, strike) = at_close()?;
            let above = close > strike || (close == strike && !strict);
            (above, against(close, strike))
        }
        SettlementRule::Candle { interval_secs, .. } => {
            let candle = state.candle(spec.opens_at, interval_secs)?;
            let said = format!(
                "candle of {interval_secs} s from second {} opened at {} and closed at {}",
                candle.open_time.secs(),
                candle.open,
                candle.close
            );
            (candle.close >= candle.open, said)
        }
        SettlementRule::UpDownTwap { .. }
        | SettlementRule::Touch { .. }
        | SettlementRule::MeanAbove { .. }
        | SettlementRule::VenueOnly => return None,
    };
    let (winner, payouts) = if first_wins {
        (first, vec![Price::DOLLAR, Price::ZERO])
    } else {
        (second, vec![Price::ZERO, Price::DOLLAR])
    };
    Some(Outcome {
        payouts,
        evidence: format!(
            "{} {} {said}: {} wins",
            state.spec().source,
            state.spec().symbol,
            winner.name
        ),
    })
}

fn deciding_second(spec: &MarketSpec) -> Option<(OracleId, u64)> {
    match spec.settlement {
        SettlementRule::UpDown { oracle, .. } | SettlementRule::Above { oracle, .. } => {
            Some((oracle, spec.closes_at.secs()))
        }
        SettlementRule::Candle {
            oracle,
            interval_secs,
        } => {
            let end = spec.opens_at.secs().checked_add(u64::from(interval_secs))?;
            Some((oracle, end))
        }
        SettlementRule::UpDownTwap { .. }
        | SettlementRule::Touch { .. }
        | SettlementRule::MeanAbove { .. }
        | SettlementRule::VenueOnly => None,
    }
}
