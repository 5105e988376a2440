//! Keeps the table of the markets in which something was wished: where each stands, and on what evidence.
//!
//! A market enters it with the first wish about it and stays until it is retired. Every change of its
//! state, or of what that rests on, is one whole row.

use super::{Engine, Turn};
use crate::effect::{Effect, MarketRecord};
use crate::ids::{MarketId, Timestamp};
use crate::market::MarketStatus;
use crate::strategy::{Intent, MAX_LEGS};
use std::collections::BTreeMap;

/// Markets with rows.
#[derive(Debug, Default)]
pub(super) struct MarketRows {
    /// What was told last.
    told: BTreeMap<MarketId, Told>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    status: MarketStatus,
    evidence: String,
    closes_at: Timestamp,
    since: Timestamp,
}

impl MarketRows {
    /// The market is retired.
    pub(super) fn forget(&mut self, market: MarketId) {
        self.told.remove(&market);
    }
}

impl Engine {
    /// Somebody wishes something in these markets.
    pub(super) fn use_markets(&mut self, intent: &Intent, turn: &mut Turn<'_>) {
        for leg in intent.legs.iter().take(MAX_LEGS) {
            if let Some(market) = self.data.market_id_of(leg.instrument)
                && !self.market_rows.told.contains_key(&market)
            {
                self.tell_market(market, None, turn);
            }
        }
    }

    /// Something may have changed about a market: tells it when it has rows and something has.
    pub(super) fn record_market(&mut self, market: MarketId, turn: &mut Turn<'_>) {
        if let Some(told) = self.market_rows.told.get(&market) {
            let told = told.clone();
            self.tell_market(market, Some(&told), turn);
        }
    }

    fn tell_market(&mut self, market: MarketId, told: Option<&Told>, turn: &mut Turn<'_>) {
        let Some(state) = self.data.market(market) else {
            return;
        };
        let spec = &state.spec;
        let now = Told {
            status: state.status,
            evidence: self.settlement.evidence(state, &self.data),
            closes_at: spec.closes_at,
            since: match told.filter(|told| told.status == state.status) {
                Some(told) => told.since,
                None => turn.at,
            },
        };
        if told == Some(&now) {
            return;
        }
        let booked = self.settlement.booked(market);
        let paid = booked.map_or(&[][..], |outcome| &outcome.payouts);
        let outcomes = spec.outcomes.iter().enumerate();
        let outcomes = outcomes.map(|(n, o)| (o.instrument, o.name.clone(), paid.get(n).copied()));
        let row = MarketRecord {
            market,
            venue: spec.venue,
            native_id: spec.native_id.clone(),
            slug: spec.slug.clone(),
            family: spec.family(),
            closes_at: spec.closes_at,
            status: now.status,
            outcomes: outcomes.collect(),
            evidence: now.evidence.clone(),
            at: now.since,
        };
        self.market_rows.told.insert(market, now);
        self.emit(Effect::RecordMarket(Box::new(row)), turn);
    }
}
