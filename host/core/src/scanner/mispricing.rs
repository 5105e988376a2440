//! Mispricing: prices of one venue that contradict each other at one time.
//!
//! The two outcomes of a market are one book seen from two sides, so a complement below a dollar is
//! only believed when one message told both sides under one stamp; otherwise it is a phantom, before
//! anything else is asked of it. Sums over a set need every member, known and trading, and books of
//! nearly one age.
//!
//! Every look follows a change at the top of a book, so a contradiction of the same prices is counted
//! once, not with every message that leaves it as it is.

use super::{Edge, Found, Scanner, Seen, View, basket_size, leg, margin};
use crate::ids::{InstrumentId, MarketId, Nanos, Timestamp};
use crate::market_data::{MarketData, MarketState};
use crate::opportunity::Opportunity;
use crate::reason::Reason;
use crate::relation::Relation;
use crate::strategy::MAX_LEGS;
use crate::units::{ONE, Price, Usd};

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
        let found = match (ask(yes.instrument), ask(no.instrument)) {
            (Some(a), Some(b)) if a.0.saturating_add(b.0) < ONE => {
                self.complement_of(view, market, [yes.instrument, no.instrument])
            }
            (a, b) => Ok(Found::Nothing(gross(ONE, [a, b]))),
        };
        self.conclude(view, edge, found, out);
    }

    fn complement_of(
        &mut self,
        view: View<'_>,
        market: &MarketState,
        sides: [InstrumentId; 2],
    ) -> Result<Found, Reason> {
        if !market.is_open() {
            return Err(Reason::MarketClosed);
        }
        // Whatever else is wrong with these books, this sum never existed.
        let [yes, no] = sides;
        if !view.data.told_together(yes, no) {
            return Err(Reason::PhantomSum);
        }
        self.legs.clear();
        for side in sides {
            self.legs.push(leg(view, market, side, None)?);
        }
        let closes_at = market.spec.closes_at;
        self.sum(view, Usd(ONE), closes_at, Relation::Complement)
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
        let again = |id: &MarketId| view.seen_from(*id, market.spec.id);
        if members.iter().take(MAX_LEGS).any(again) {
            return;
        }
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
        if !asks_below(view.data, members, outcome, payoff) {
            return Ok(Found::Nothing(None));
        }
        // An intent can not hold more legs; a part of a set is no arbitrage.
        if members.len() > MAX_LEGS {
            return Err(Reason::SetTooLarge);
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
        self.sum(view, payoff, closes_at, Relation::ExclusiveSet)
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
    pub(super) fn sum(
        &self,
        view: View<'_>,
        payoff: Usd,
        closes_at: Timestamp,
        relation: Relation,
    ) -> Result<Found, Reason> {
        Ok(Found::Edge(Seen {
            relation: Some(relation),
            edge: margin(&self.legs, payoff).ok_or(Reason::RiskError)?,
            qty: basket_size(view.data, &self.legs)?,
            closes_at,
            oracle_age: Nanos(0),
        }))
    }
}

/// What two asks leave of a payoff, where there are two.
pub(super) fn gross(payoff: i64, asks: [Option<Price>; 2]) -> Option<Usd> {
    let [Some(a), Some(b)] = asks else {
        return None;
    };
    Some(Usd(payoff.saturating_sub(a.0).saturating_sub(b.0)))
}

/// Whether every member has an ask and their sum leaves something: a few look-ups that spare the rest.
fn asks_below(data: &MarketData, members: &[MarketId], outcome: u8, payoff: Usd) -> bool {
    let asks = members.iter().try_fold(0_i64, |sum, id| {
        let side = data.market(*id)?.spec.outcomes.get(usize::from(outcome))?;
        let (price, _) = data.book(side.instrument)?.best_ask()?;
        sum.checked_add(price.0).filter(|sum| *sum < payoff.0)
    });
    asks.is_some()
}
