//! What a market came to, and on what evidence.
//!
//! ```text
//! open ─(its time, its touch, or the venue's outcome)─► pending ─┬─► settled   one outcome pays
//!                                                                ├─► void      every share pays 0.50
//!                                                                └─► disputed  evidence disagrees: capital stays locked
//! settled, void ─(the venue changes its word)─► contradicted      nothing is booked again
//! ```
//!
//! Two kinds of evidence exist: the venue's own outcome, and what its rule gives on facts of the
//! settlement source that were received ([`resolve`]; a file a family). Either alone settles at once;
//! both together must agree. What comes after a market is booked only confirms it, or is reported as a
//! contradiction: nothing is booked twice. The same word again changes nothing. Without evidence a
//! market stays pending, for ever if need be, and says what it lacks; no price and no position is ever
//! evidence.
//!
//! Owns the list of markets that wait, the windows that are watched for a touch, and the outcomes
//! already booked or in dispute; it moves no money.

mod candle;
mod instant;
mod mean;
mod touch;

use crate::event::{Candle, Resolution};
use crate::ids::{MarketId, OracleId};
use crate::market::{MarketSpec, MarketStatus, SettlementRule};
use crate::market_data::{MarketData, MarketState};
use crate::oracle::OracleState;
use crate::reason::Reason;
use crate::units::{ONE, Price};
use std::collections::{BTreeMap, BTreeSet};
use touch::Watch;

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

/// What the facts of the settlement source give.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    /// Whether outcome 0 won, and the numbers that say so.
    Known(bool, String),
    /// Not decided.
    Pending(Pending),
}

/// Why nothing can be booked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// What is missing, in words.
    pub why: String,
    /// The source seconds whose values, or the ends of the candles that, may change that.
    pub awaits: Vec<u64>,
}

/// What the evidence says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Pending(Pending),
    /// Book it.
    Final(Outcome),
    /// Two sources disagree.
    Disputed(Disagreement),
    /// Nothing that was not known.
    Unchanged,
    /// It was contradicted, and now the venue agrees with what was booked.
    Reconciled,
    /// It was booked before, and this does not agree.
    Contradicted {
        /// What was booked.
        booked: Outcome,
        /// What is said now.
        said: Outcome,
    },
}

/// Two sources, two outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// What the venue says.
    pub venue: Outcome,
    /// What the settlement source says.
    pub oracle: Outcome,
}

/// An outcome that was paid out.
#[derive(Debug, Clone)]
struct Booked {
    outcome: Outcome,
    /// The venue's last word since, where it is another.
    contradicted_by: Option<Outcome>,
}

/// Markets between their end and the end of their money.
#[derive(Debug, Clone, Default)]
pub struct Settlement {
    /// Waiting markets by the source second that may decide them.
    waiting: BTreeMap<(OracleId, u64), BTreeSet<MarketId>>,
    /// The seconds each of them waits for.
    seconds: BTreeMap<MarketId, (OracleId, Vec<u64>)>,
    /// Windows in which a price may be touched, from their listing on.
    watches: BTreeMap<MarketId, Watch>,
    /// The watching markets of a source.
    watching: BTreeMap<OracleId, BTreeSet<MarketId>>,
    /// Until the market is booked or retired.
    disputes: BTreeMap<MarketId, Disagreement>,
    /// Until the market is retired.
    booked: BTreeMap<MarketId, Booked>,
    /// Markets booked so far, retired ones too.
    bookings: u64,
}

impl Settlement {
    /// A market without an outcome: it waits for what it lacks, and for nothing that it waited for
    /// before.
    pub fn wait(&mut self, spec: &MarketSpec, pending: Pending) {
        self.stop_waiting(spec.id);
        if let Some(oracle) = spec
            .settlement
            .oracle()
            .filter(|_| !pending.awaits.is_empty())
        {
            for second in &pending.awaits {
                let waiting = self.waiting.entry((oracle, *second)).or_default();
                waiting.insert(spec.id);
            }
            self.seconds.insert(spec.id, (oracle, pending.awaits));
        }
    }

    /// A market trades again, was booked, is disputed, or is forgotten.
    pub fn stop_waiting(&mut self, market: MarketId) {
        let Some((oracle, seconds)) = self.seconds.remove(&market) else {
            return;
        };
        for second in seconds {
            if let Some(markets) = self.waiting.get_mut(&(oracle, second)) {
                markets.remove(&market);
                if markets.is_empty() {
                    self.waiting.remove(&(oracle, second));
                }
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

    /// A market was listed, or listed anew: from now on every candle within its window is noted, if a
    /// touch decides it. Returns whether one is known already.
    pub fn watch(&mut self, spec: &MarketSpec, data: &MarketData) -> bool {
        let Some(fresh) = Watch::of(spec).filter(|_| !self.booked.contains_key(&spec.id)) else {
            self.stop_watching(spec.id);
            return false;
        };
        if !self
            .watches
            .get(&spec.id)
            .is_some_and(|w| w.is_same(&fresh))
        {
            self.stop_watching(spec.id);
            let mut watch = fresh;
            if let Some(oracle) = data.oracle(watch.oracle()) {
                watch.see_all(oracle);
            }
            let watching = self.watching.entry(watch.oracle()).or_default();
            watching.insert(spec.id);
            self.watches.insert(spec.id, watch);
        }
        self.watches.get(&spec.id).is_some_and(Watch::is_touched)
    }

    /// Notes a final candle. Returns the markets whose outcome it may decide, and whether by a touch.
    pub fn saw(&mut self, candle: &Candle) -> Vec<(MarketId, bool)> {
        let mut decided = Vec::new();
        let watching = self.watching.get(&candle.oracle);
        for market in watching.into_iter().flatten() {
            if let Some(watch) = self.watches.get_mut(market)
                && watch.see(candle)
                && (watch.is_touched() || watch.is_complete())
            {
                decided.push((*market, watch.is_touched()));
            }
        }
        decided
    }

    fn stop_watching(&mut self, market: MarketId) {
        if let Some(watch) = self.watches.remove(&market)
            && let Some(watching) = self.watching.get_mut(&watch.oracle())
        {
            watching.remove(&market);
            if watching.is_empty() {
                self.watching.remove(&watch.oracle());
            }
        }
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
        let id = market.spec.id;
        if let Some(booked) = self.booked.get(&id) {
            return against_booked(booked, venue);
        }
        // What the oracle said when the dispute began stands, whether its values are still kept or not.
        let known = self.disputes.get(&id);
        let found = match known {
            Some(dispute) => Ok(dispute.oracle.clone()),
            None => self.recompute(market, data),
        };
        match (venue, found) {
            (None, _) if known.is_some() => Verdict::Unchanged,
            (Some(venue), Ok(oracle)) if venue.payouts == oracle.payouts => {
                Verdict::Final(Outcome {
                    payouts: venue.payouts,
                    evidence: format!("{}; {}", venue.evidence, oracle.evidence),
                })
            }
            (Some(venue), Ok(_)) if known.is_some_and(|d| d.venue.payouts == venue.payouts) => {
                Verdict::Unchanged
            }
            (Some(venue), Ok(oracle)) => Verdict::Disputed(Disagreement { venue, oracle }),
            (Some(venue), Err(pending)) => Verdict::Final(Outcome {
                payouts: venue.payouts,
                evidence: format!("{}; not recomputed: {}", venue.evidence, pending.why),
            }),
            (None, Ok(oracle)) => Verdict::Final(oracle),
            (None, Err(pending)) => Verdict::Pending(pending),
        }
    }

    /// What the market's state rests on, for people: the evidence booked, both sides of a disagreement,
    /// or what is missing.
    #[must_use]
    pub fn evidence(&self, market: &MarketState, data: &MarketData) -> String {
        let id = market.spec.id;
        if let Some(booked) = self.booked.get(&id) {
            return match &booked.contradicted_by {
                None => booked.outcome.evidence.clone(),
                Some(said) => format!(
                    "booked because {}; since then {}",
                    booked.outcome.evidence, said.evidence
                ),
            };
        }
        if let Some(dispute) = self.disputes.get(&id) {
            return format!(
                "{}, but {}",
                dispute.venue.evidence, dispute.oracle.evidence
            );
        }
        match market.status {
            MarketStatus::Pending => match self.recompute(market, data) {
                Ok(outcome) => outcome.evidence,
                Err(pending) => pending.why,
            },
            _ => String::new(),
        }
    }

    /// What a market was booked as, until it is retired.
    #[must_use]
    pub fn booked(&self, market: MarketId) -> Option<&Outcome> {
        Some(&self.booked.get(&market)?.outcome)
    }

    /// How many markets were booked so far.
    #[must_use]
    pub fn bookings(&self) -> u64 {
        self.bookings
    }

    /// The market was booked so.
    pub fn book(&mut self, market: MarketId, outcome: Outcome) {
        self.bookings = self.bookings.saturating_add(1);
        self.stop_waiting(market);
        self.stop_watching(market);
        self.disputes.remove(&market);
        let contradicted_by = None;
        self.booked.insert(
            market,
            Booked {
                outcome,
                contradicted_by,
            },
        );
    }

    /// Two sources disagree about a market that is not booked.
    pub fn dispute(&mut self, market: MarketId, disagreement: Disagreement) {
        self.stop_waiting(market);
        self.disputes.insert(market, disagreement);
    }

    /// The venue's word about a booked market: another one, or again the one that was booked. Returns the
    /// status of the market as it was booked.
    pub fn said_since(&mut self, market: MarketId, other: Option<Outcome>) -> Option<MarketStatus> {
        let booked = self.booked.get_mut(&market)?;
        booked.contradicted_by = other;
        Some(booked.outcome.status())
    }

    /// The market is retired.
    pub fn forget(&mut self, market: MarketId) {
        self.stop_waiting(market);
        self.stop_watching(market);
        self.disputes.remove(&market);
        self.booked.remove(&market);
    }

    /// The outcome by the market's rule and the facts of its source, or what they lack.
    fn recompute(&self, market: &MarketState, data: &MarketData) -> Result<Outcome, Pending> {
        let spec = &market.spec;
        let lacks = |why: &str| {
            Err(Pending {
                why: why.to_owned(),
                awaits: Vec::new(),
            })
        };
        let [first, second] = spec.outcomes.as_slice() else {
            return lacks("only its venue decides a market of other than two outcomes");
        };
        let Some(oracle) = spec.settlement.oracle() else {
            return lacks("nobody but its venue decides it");
        };
        let Some(source) = data.oracle(oracle) else {
            return lacks("its settlement source is not followed");
        };
        match resolve(market, source, self.watches.get(&spec.id)) {
            Finding::Known(first_wins, said) => {
                let (winner, payouts) = if first_wins {
                    (first, vec![Price::DOLLAR, Price::ZERO])
                } else {
                    (second, vec![Price::ZERO, Price::DOLLAR])
                };
                Ok(Outcome {
                    payouts,
                    evidence: format!("{} {said}: {} wins", name_of(source), winner.name),
                })
            }
            Finding::Pending(pending) => Err(Pending {
                why: format!("{} {}", name_of(source), pending.why),
                ..pending
            }),
        }
    }
}

/// Asks the resolver of the market's family.
fn resolve(market: &MarketState, source: &OracleState, watch: Option<&Watch>) -> Finding {
    let spec = &market.spec;
    match spec.settlement {
        SettlementRule::VenueOnly => Finding::lacks("decides nothing here", Vec::new()),
        SettlementRule::UpDown { strike, .. } => instant::up_down(market, source, strike),
        SettlementRule::Above {
            strike,
            strict,
            candle_secs,
            ..
        } => match candle_secs {
            None => instant::above(spec, source, strike, strict),
            Some(secs) => candle::above(spec, source, strike, strict, secs),
        },
        SettlementRule::Candle { interval_secs, .. } => {
            candle::up_down(spec, source, interval_secs)
        }
        SettlementRule::UpDownTwap {
            lookback_secs,
            strike,
            ..
        } => mean::up_down(spec, source, lookback_secs, strike),
        SettlementRule::MeanAbove {
            lookback_secs,
            strike,
            ..
        } => mean::above(spec, source, lookback_secs, strike),
        SettlementRule::Touch { .. } => match watch {
            Some(watch) => watch.finding(),
            None => Finding::lacks("was not watched in this window", Vec::new()),
        },
    }
}

impl Finding {
    fn lacks(why: impl Into<String>, awaits: Vec<u64>) -> Self {
        Finding::Pending(Pending {
            why: why.into(),
            awaits,
        })
    }
}

fn name_of(source: &OracleState) -> String {
    format!("{} {}", source.spec().source, source.spec().symbol)
}

fn against_booked(booked: &Booked, venue: Option<Outcome>) -> Verdict {
    let Some(said) = venue else {
        return Verdict::Unchanged;
    };
    let before = booked.contradicted_by.as_ref();
    if said.payouts == booked.outcome.payouts {
        return match before {
            Some(_) => Verdict::Reconciled,
            None => Verdict::Unchanged,
        };
    }
    if before.is_some_and(|b| b.payouts == said.payouts) {
        return Verdict::Unchanged;
    }
    Verdict::Contradicted {
        booked: booked.outcome.clone(),
        said,
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

#[cfg(test)]
mod tests;
