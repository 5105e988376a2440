//! How markets and oracle feeds become known, and what is refused at the door.

use super::{InstrumentState, Links, MAX_ORACLES, MAX_OUTCOMES, MarketData, MarketState, Touched};
use crate::book::OrderBook;
use crate::ids::{OracleId, Timestamp};
use crate::market::{MarketSpec, MarketStatus, OracleSpec};
use crate::oracle::OracleState;
use crate::reason::Reason;
use crate::units::{Price, Qty};

impl MarketData {
    pub(super) fn list_oracle(&mut self, spec: &OracleSpec) -> Result<(), Reason> {
        let known = |id: OracleId| id.index() < MAX_ORACLES && id != spec.id;
        if spec.id.index() >= MAX_ORACLES || !spec.proxy.is_none_or(known) {
            return Err(Reason::MalformedFrame);
        }
        for (_, links) in self.links.iter_mut() {
            links.stands_in_for.retain(|o| *o != spec.id);
        }
        if let Some(proxy) = spec.proxy
            && let Some(links) = self.links.entry(proxy.index(), Links::default)
        {
            links.stands_in_for.push(spec.id);
            links.stands_in_for.sort_unstable();
        }
        let make = || OracleState::new(spec.clone());
        if let Some(state) = self.oracles.entry(spec.id.index(), make) {
            state.respecify(spec.clone());
        }
        Ok(())
    }

    pub(super) fn list_market(
        &mut self,
        spec: &MarketSpec,
        at: Timestamp,
        touched: &mut Touched,
    ) -> Result<(), Reason> {
        self.check_spec(spec)?;
        self.unlink(spec.id);
        let before = self.markets.remove(spec.id.index());
        for outcome in &spec.outcomes {
            let make = || InstrumentState {
                market: spec.id,
                book: OrderBook::new(spec.book_grid()),
                told_in: 0,
                quoted_in: 0,
            };
            let state = self.instruments.entry(outcome.instrument.index(), make);
            if let Some(state) = state.filter(|s| s.book.tick() != spec.book_grid()) {
                state.book.set_tick(spec.book_grid());
                touched.interrupted.push(outcome.instrument);
            }
        }
        let ended = spec.closes_at <= at;
        let status = match &before {
            // A new end reopens what only time had closed.
            Some(b) if b.status == MarketStatus::Pending && b.spec.closes_at == spec.closes_at => {
                MarketStatus::Pending
            }
            Some(b) if !b.is_trading() && b.status != MarketStatus::Pending => b.status,
            Some(b) if b.status == MarketStatus::Paused && !ended => MarketStatus::Paused,
            _ if ended => MarketStatus::Pending,
            _ => MarketStatus::Open,
        };
        // A strike outlives the ticks it was learnt from.
        let same_window = |b: &&MarketState| {
            b.spec.settlement == spec.settlement && b.spec.opens_at == spec.opens_at
        };
        let same = before.as_ref().filter(same_window);
        let strike = same.and_then(|b| b.strike);
        let proxy_strike = same.and_then(|b| b.proxy_strike);
        if before.is_some_and(|b| b.is_trading()) && status == MarketStatus::Pending {
            touched.closed.push(spec.id);
        }
        self.markets.entry(spec.id.index(), || MarketState {
            spec: spec.clone(),
            status,
            strike,
            proxy_strike,
            set: None,
            pair: None,
            rung: None,
        });
        if strike.is_none() {
            self.learn_strike(spec.id);
        }
        self.link(spec.id);
        touched.listed = Some(spec.id);
        Ok(())
    }

    /// Whether a specification can be what it says.
    fn check_spec(&self, spec: &MarketSpec) -> Result<(), Reason> {
        if spec.native_id.is_empty() || spec.outcomes.iter().any(|o| o.native_id.is_empty()) {
            return Err(Reason::EmptyId);
        }
        let numbers = self.markets.admits(spec.id.index())
            && spec
                .settlement
                .oracle()
                .is_none_or(|o| o.index() < MAX_ORACLES)
            && spec
                .outcomes
                .iter()
                .all(|o| self.instruments.admits(o.instrument.index()));
        let own = spec.outcomes.iter().enumerate().all(|(i, o)| {
            let elsewhere = self
                .market_id_of(o.instrument)
                .is_some_and(|m| m != spec.id);
            let twice = spec
                .outcomes
                .iter()
                .skip(i + 1)
                .any(|p| p.instrument == o.instrument);
            !elsewhere && !twice
        });
        // Somebody may hold what a market once had.
        let kept = self.market(spec.id).is_none_or(|before| {
            let mut had = before.spec.outcomes.iter();
            had.all(|o| spec.outcome(o.instrument).is_some())
        });
        let sizes = spec.lot.0 > 0
            && spec.min_qty.is_none_or(|qty| qty >= Qty::ZERO)
            && spec.tick.is_none_or(Price::is_tradable);
        let count = (1..=MAX_OUTCOMES).contains(&spec.outcomes.len());
        if numbers && own && kept && sizes && count && spec.closes_at > spec.opens_at {
            Ok(())
        } else {
            Err(Reason::MalformedFrame)
        }
    }
}
