//! Mispricing: prices of one venue that contradict each other at one time.
//!
//! The two outcomes of a market are one book seen from two sides, so a complement below a dollar is
//! only believed when both sides carry the stamp of one message; otherwise it is a phantom. Sums over
//! a set need every member, known and trading, and books of nearly one age.

use super::{Edge, Found, Scanner, Seen, View, basket, leg};
use crate::ids::{MarketId, Nanos, Timestamp};
use crate::market_data::{MarketData, MarketState};
use crate::opportunity::{Opportunity, OpportunityKind};
use crate::reason::Reason;
use crate::strategy::MAX_LEGS;
use crate::units::{ONE, Usd};

impl Scanner {
    /// Both outcomes of a market for less than the dollar that one of them pays.
    pub(super) fn complement(
        &mut self,
        view: View<'_>,
        market: &MarketState,
        out: &mut Vec<Opportunity>,
    ) {
        let [yes, no] = market.spec.outcomes.as_slice() else {
            return;
        };
        let edge = Edge::Complement(market.spec.id);
        let ask = |i| Some(view.data.book(i)?.best_ask()?.0);
        let (Some(a), Some(b)) = (ask(yes.instrument), ask(no.instrument)) else {
            return self.conclude(view, edge, Ok(Found::Nothing), out);
        };
        let found = if a.0.saturating_add(b.0) >= ONE {
            Ok(Found::Nothing)
        } else {
            self.complement_of(view, market)
        };
        self.conclude(view, edge, found, out);
    }

    fn complement_of(&mut self, view: View<'_>, market: &MarketState) -> Result<Found, Reason> {
        let mut stamp = None;
        self.legs.clear();
        for outcome in &market.spec.outcomes {
            self.legs.push(leg(view, market, outcome.instrument, None)?);
            let book = view.data.book(outcome.instrument).ok_or(Reason::NoBook)?;
            if *stamp.get_or_insert(book.venue_time()) != book.venue_time() {
                return Err(Reason::PhantomSum);
            }
        }
        self.sum(Usd(ONE), market.spec.closes_at)
    }

    /// One outcome of every member of an exclusive set: all YES pay one dollar together, all NO one
    /// dollar less than their number.
    pub(super) fn exclusive_set(
        &mut self,
        view: View<'_>,
        market: &MarketState,
        out: &mut Vec<Opportunity>,
    ) {
        let members = view.data.exclusive_set(market);
        let Some(first) = members.first() else {
            return;
        };
        let dollars = i64::try_from(members.len()).unwrap_or(i64::MAX);
        let payoffs = [(0, 1), (1, dollars.saturating_sub(1))];
        for (outcome, dollars) in payoffs {
            let payoff = Usd(ONE.saturating_mul(dollars));
            let found = self.set_of(view, members, outcome, payoff);
            self.conclude(view, Edge::Set(*first, outcome), found, out);
        }
    }

    fn set_of(
        &mut self,
        view: View<'_>,
        members: &[MarketId],
        outcome: u8,
        payoff: Usd,
    ) -> Result<Found, Reason> {
        // An intent can not hold more legs; a part of a set is no arbitrage.
        if members.len() > MAX_LEGS {
            return Err(Reason::InvalidOrder);
        }
        if !asks_below(view.data, members, outcome, payoff) {
            return Ok(Found::Nothing);
        }
        self.legs.clear();
        let mut closes_at = Timestamp(u64::MAX);
        for id in members {
            let market = view.data.market(*id).ok_or(Reason::IncompleteSet)?;
            let set = market.spec.exclusive_set.as_ref();
            let complete = set.is_some_and(|s| {
                !s.augmented && usize::from(s.members) == members.len() && members.len() > 1
            });
            if !complete {
                return Err(Reason::IncompleteSet);
            }
            let side = market.spec.outcomes.get(usize::from(outcome));
            let instrument = side.ok_or(Reason::IncompleteSet)?.instrument;
            self.legs.push(leg(view, market, instrument, None)?);
            closes_at = closes_at.min(market.spec.closes_at);
        }
        self.same_time()?;
        self.sum(payoff, closes_at)
    }

    /// Whether the books of the legs at hand are of nearly one age.
    pub(super) fn same_time(&self) -> Result<(), Reason> {
        let ages = || self.legs.iter().map(|leg| leg.book_age.0);
        let (Some(oldest), Some(youngest)) = (ages().max(), ages().min()) else {
            return Ok(());
        };
        if Nanos(oldest.saturating_sub(youngest)) > self.config.leg_skew_max {
            return Err(Reason::PhantomSum);
        }
        Ok(())
    }

    /// What the legs at hand leave of `payoff`.
    fn sum(&self, payoff: Usd, closes_at: Timestamp) -> Result<Found, Reason> {
        let (edge, qty) = basket(&self.legs, payoff).ok_or(Reason::RiskError)?;
        Ok(Found::Edge(Seen {
            kind: OpportunityKind::Mispricing,
            edge,
            qty,
            closes_at,
            oracle_age: Nanos(0),
        }))
    }
}

/// Whether every member has an ask and their sum leaves something: a few look-ups that spare the rest.
fn asks_below(data: &MarketData, members: &[MarketId], outcome: u8, payoff: Usd) -> bool {
    let asks = members.iter().try_fold(0_i64, |sum, id| {
        let side = data.market(*id)?.spec.outcomes.get(usize::from(outcome))?;
        let (price, _) = data.book(side.instrument)?.best_ask()?;
        sum.checked_add(price.0)
    });
    asks.is_some_and(|sum| sum < payoff.0)
}
