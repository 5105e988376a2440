//! Watches an engine: asks its scanner at fixed times before each close, scores when the outcome is booked.
//!
//! It is the scanner's own estimate and the engine's own settlement that are used, not copies of them;
//! only the limit on an oracle's age is lifted, because the model counts that age as time to go. An answer
//! rests on what had been received by then: it is asked when the record that is stepped next bears a
//! later time. Strategies, money and halts change nothing of it, so that a live run and `calibrate` over
//! its journal come to the same bits.
//!
//! Owns the questions that are due, the answers that wait and the sums. Everything is bounded: see the
//! limits below.

use super::{Calibrated, DECISION_SECS};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{MarketId, Nanos, Timestamp};
use pm_arb_core::market::{MarketSpec, SettlementRule};
use pm_arb_core::scanner::{Estimate, ScanLimits};
use pm_arb_core::units::Price;
use std::collections::{BTreeMap, BTreeSet};

/// Most markets whose answers wait for an outcome, as many as the scanner learns from. Beyond it the
/// market that was listed first counts as one without an outcome.
pub const WAITING_MAX: usize = 16_384;
/// Most questions that are due later. Beyond it a market that is listed is not asked about, and counted.
pub const DUE_MAX: usize = WAITING_MAX * DECISION_SECS.len();

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    limits: Option<ScanLimits>,
    /// When to ask about which market, and how many seconds before its close that is.
    due: BTreeSet<(Timestamp, MarketId, u64)>,
    /// The first of them.
    next: Option<Timestamp>,
    /// Answers about markets that are not settled yet.
    waiting: BTreeMap<MarketId, Vec<(u64, Estimate)>>,
    /// Markets booked when it was looked last.
    booked: u64,
    result: Calibrated,
}

impl Observer {
    /// A record is about to be stepped.
    pub fn before(&mut self, record: &Record, engine: &Engine) {
        if self.next.is_some_and(|next| next < record.at) {
            self.ask_before(record.at, engine);
        }
        match &record.event {
            Event::Configured(config) => {
                self.limits = Some(ScanLimits {
                    oracle_age_max: Nanos(u64::MAX),
                    ..ScanLimits::from(&config.risk)
                });
            }
            Event::MarketListed(spec) => self.list(spec, engine),
            _ => {}
        }
    }

    /// It was stepped.
    pub fn after(&mut self, engine: &Engine) {
        let booked = engine.outcomes_booked();
        if booked != self.booked {
            self.booked = booked;
            self.score(engine);
        }
    }

    /// Markets whose answers wait for an outcome.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// The sums so far, without what waits.
    #[must_use]
    pub fn so_far(&self) -> &Calibrated {
        &self.result
    }

    /// The sums when nothing more is to come: what waits has no outcome.
    #[must_use]
    pub fn result(mut self) -> Calibrated {
        self.result.without_outcome += self.waiting();
        self.result
    }

    /// Plans the questions about a market. One that is listed again is asked at its new times.
    fn list(&mut self, spec: &MarketSpec, engine: &Engine) {
        if spec.settlement == SettlementRule::VenueOnly || spec.outcomes.len() != 2 {
            return;
        }
        if engine.market_data().market(spec.id).is_some() {
            self.due.retain(|(_, market, _)| *market != spec.id);
        }
        if self.due.len() + DECISION_SECS.len() > DUE_MAX {
            self.result.not_asked += 1;
        } else {
            let at = |secs: u64| spec.closes_at.0.checked_sub(secs * 1_000_000_000);
            let times = DECISION_SECS
                .iter()
                .filter_map(|s| Some((at(*s).map(Timestamp)?, *s)));
            let within = times.filter(|(at, _)| *at >= spec.opens_at);
            self.due
                .extend(within.map(|(at, secs)| (at, spec.id, secs)));
        }
        self.plan();
    }

    /// Asks what is due strictly before `next`, the time of the record that is not stepped yet.
    fn ask_before(&mut self, next: Timestamp, engine: &Engine) {
        while let Some(&(at, market, secs)) = self.due.first() {
            if at >= next {
                break;
            }
            self.due.pop_first();
            let Some(limits) = self.limits else { continue };
            let data = engine.market_data();
            match engine.scanner().estimate(data, market, at, limits) {
                Ok(estimate) => self.keep(market, secs, estimate),
                Err(reason) => *self.result.no_estimate.entry(reason).or_default() += 1,
            }
        }
        self.plan();
    }

    fn plan(&mut self) {
        self.next = self.due.first().map(|(at, _, _)| *at);
    }

    fn keep(&mut self, market: MarketId, secs: u64, estimate: Estimate) {
        let answers = self.waiting.entry(market).or_default();
        answers.push((secs, estimate));
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_first();
            self.result.without_outcome += 1;
        }
    }

    fn score(&mut self, engine: &Engine) {
        let settled = self.waiting.keys().copied();
        let settled: Vec<_> = settled
            .filter_map(|market| Some((market, engine.outcome(market)?.payouts.clone())))
            .collect();
        for (market, payouts) in settled {
            let answers = self.waiting.remove(&market).unwrap_or_default();
            let up = match payouts.as_slice() {
                [Price::DOLLAR, Price::ZERO] => true,
                [Price::ZERO, Price::DOLLAR] => false,
                _ => {
                    self.result.without_outcome += 1;
                    continue;
                }
            };
            self.result.markets += 1;
            self.result.scores.take(&answers, up);
        }
    }
}
