//! What a strategy may, enforced: what it is told of, and where its orders may go.
//!
//! Owns the answer to "is that market, or that feed, within what it may?", worked out once for each and
//! kept by number, so that it costs a look into a list while quotes are told; a strategy that may
//! everything is not asked at all. What a wish costs and how many there are is the guardian's
//! business ([`crate::risk`]). Nothing here changes what other strategies are told.

use super::Engine;
use super::dispatch::{Slot, Told};
use crate::capabilities::{Capabilities, Scope};
use crate::event::Event;
use crate::ids::{InstrumentId, MarketId, OracleId};
use crate::market::{MarketSpec, OracleSpec};
use crate::market_data::{MAX_MARKETS, MAX_ORACLES, MarketData};
use crate::opportunity::Opportunity;
use crate::strategy::StrategyEvent;
use core::fmt;

/// What a slot may, and what is known of that.
#[derive(Debug, Clone, Default)]
pub(super) struct Grant {
    may: Capabilities,
    /// What was recorded last: it holds from the next load on.
    last: Option<Box<Capabilities>>,
    /// Whether any market or feed is out of bounds.
    narrow: bool,
    markets: Known,
    oracles: Known,
}

/// Whether a number is within; `None` while nobody asked.
#[derive(Debug, Clone, Default)]
struct Known(Vec<Option<bool>>);

impl Known {
    fn get(&self, index: usize) -> Option<bool> {
        self.0.get(index).copied().flatten()
    }

    fn set(&mut self, index: usize, max: usize, within: bool) {
        if index >= max {
            return;
        }
        if index >= self.0.len() {
            self.0.resize(index.saturating_add(1), None);
        }
        if let Some(known) = self.0.get_mut(index) {
            *known = Some(within);
        }
    }

    fn forget(&mut self, index: usize) {
        if let Some(known) = self.0.get_mut(index) {
            *known = None;
        }
    }
}

/// Why a market is out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside<'a> {
    /// Its venue is.
    Venue(&'static str),
    /// What decides it is.
    Family(&'static str),
    /// The feed that decides it is.
    Oracle(&'a OracleSpec),
    /// The feed that decides it is not listed, so nobody can say that it is within.
    UnlistedOracle(OracleId),
}

impl fmt::Display for Outside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Venue(venue) => write!(f, "venue {venue}"),
            Self::Family(family) => write!(f, "market family {family}"),
            Self::Oracle(spec) => write!(f, "oracle {}", channel(spec)),
            Self::UnlistedOracle(id) => write!(f, "oracle {id}, which is not listed"),
        }
    }
}

/// A feed as grants name it.
fn channel(spec: &OracleSpec) -> String {
    format!("{}.{}", spec.source, spec.symbol)
}

impl Grant {
    /// It may this from the next load on.
    pub(super) fn promise(&mut self, may: &Capabilities) {
        self.last = Some(Box::new(may.clone()));
    }

    /// A load: what was promised last holds.
    pub(super) fn take_effect(&mut self) {
        let Some(last) = self.last.as_deref().filter(|last| **last != self.may) else {
            return;
        };
        let all = [&last.families, &last.oracles].map(|scope| *scope == Scope::All);
        *self = Self {
            may: last.clone(),
            narrow: last.venues != Scope::All || all != [true; 2],
            last: self.last.take(),
            ..Self::default()
        };
    }

    /// The generation before takes over again, with what it may. The next load is another matter.
    pub(super) fn return_to(&mut self, before: Self) {
        let last = self.last.take();
        *self = Self { last, ..before };
    }

    /// What it may now.
    pub(super) fn may(&self) -> &Capabilities {
        &self.may
    }

    /// Whether every market and feed is within.
    pub(super) fn is_wide(&self) -> bool {
        !self.narrow
    }

    /// What of a market is out of bounds, first of all.
    pub(super) fn outside<'a>(
        &self,
        spec: &MarketSpec,
        data: &'a MarketData,
    ) -> Option<Outside<'a>> {
        if self.is_wide() {
            return None;
        }
        if !self.may.venues.allows(&spec.venue) {
            return Some(Outside::Venue(spec.venue.as_str()));
        }
        let family = spec.settlement.family();
        if !self.may.families.allows(family) {
            return Some(Outside::Family(family));
        }
        let oracle = spec.settlement.oracle()?;
        if self.may.oracles == Scope::All {
            return None;
        }
        match data.oracle(oracle).map(|state| state.spec()) {
            Some(spec) if self.may.oracles.allows(channel(spec).as_str()) => None,
            Some(spec) => Some(Outside::Oracle(spec)),
            None => Some(Outside::UnlistedOracle(oracle)),
        }
    }

    /// Whether it may hear of a market and trade in it.
    pub(super) fn covers(&mut self, market: MarketId, data: &MarketData) -> bool {
        if self.is_wide() {
            return true;
        }
        if let Some(within) = self.markets.get(market.index()) {
            return within;
        }
        let Some(state) = data.market(market) else {
            return false;
        };
        let within = self.outside(&state.spec, data).is_none();
        self.markets.set(market.index(), MAX_MARKETS, within);
        within
    }

    /// The same of an outcome's market.
    pub(super) fn covers_instrument(
        &mut self,
        instrument: InstrumentId,
        data: &MarketData,
    ) -> bool {
        self.is_wide()
            || data
                .market_id_of(instrument)
                .is_some_and(|market| self.covers(market, data))
    }

    /// Whether every leg of an opportunity is within. To a strategy for which one is not, it was never
    /// announced, and guessing its number does not help.
    pub(super) fn covers_all(&self, seen: &Opportunity, data: &MarketData) -> bool {
        let within = |market| {
            let state = data.market(market);
            state.is_some_and(|state| self.outside(&state.spec, data).is_none())
        };
        self.is_wide() || seen.legs.iter().all(|leg| within(leg.market))
    }

    fn covers_oracle(&mut self, oracle: OracleId, data: &MarketData) -> bool {
        if let Some(within) = self.oracles.get(oracle.index()) {
            return within;
        }
        let Some(state) = data.oracle(oracle) else {
            return false;
        };
        let within = self.may.oracles.allows(channel(state.spec()).as_str());
        self.oracles.set(oracle.index(), MAX_ORACLES, within);
        within
    }

    /// Whether it may be told that. What befell its own orders, and its own timer, always.
    pub(super) fn hears(&mut self, told: Told<'_>, data: &MarketData) -> bool {
        if self.is_wide() {
            return true;
        }
        let event = match told {
            Told::Quote(quote) => return self.covers_instrument(quote.instrument, data),
            Told::Event(event) => event,
        };
        match event {
            StrategyEvent::MarketListed(spec) => self.covers(spec.id, data),
            StrategyEvent::MarketClosed(market) => self.covers(*market, data),
            StrategyEvent::Print(print) => self.covers_instrument(print.instrument, data),
            StrategyEvent::Gap(instrument) => self.covers_instrument(*instrument, data),
            StrategyEvent::OracleTick(tick) => self.covers_oracle(tick.oracle, data),
            StrategyEvent::Opportunity { seen, .. } => {
                seen.legs.iter().all(|leg| self.covers(leg.market, data))
            }
            StrategyEvent::Filled(_)
            | StrategyEvent::Refused(_)
            | StrategyEvent::Settled(_)
            | StrategyEvent::Timer => true,
        }
    }
}

impl Engine {
    /// A listing may say something else of a market or a feed than the one before.
    pub(super) fn heard_of_listing(&mut self, event: &Event) {
        for Slot { grant, standby, .. } in &mut self.slots {
            let standby = standby.as_mut().map(|standby| &mut standby.grant);
            for grant in [Some(grant), standby].into_iter().flatten() {
                match event {
                    Event::MarketListed(spec) => grant.markets.forget(spec.id.index()),
                    Event::OracleListed(_) => {
                        grant.markets = Known::default();
                        grant.oracles = Known::default();
                    }
                    _ => {}
                }
            }
        }
    }
}
