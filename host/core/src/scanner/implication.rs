//! Implications: where A can not come true without B, B and not-A pay at least a dollar together.
//! If A comes true B pays; if not, not-A pays; if only B comes true, both do.
//!
//! Which market implies which is the ladder's business (`relation`): thresholds of one source at one
//! instant, barriers, windows within windows. A market is compared with its neighbours on the ladder,
//! not only with the next: fees can eat the edge between two rungs and leave one between three.

use super::mispricing::gross;
use super::{Edge, Found, Scanner, TwoLegs, View, leg};
use crate::market_data::MarketState;
use crate::opportunity::Opportunity;
use crate::reason::Reason;
use crate::relation::Relation;
use crate::units::{ONE, Usd};

impl Scanner {
    /// Compares a market with the ones it implies and the ones that imply it.
    pub(super) fn implications(
        &mut self,
        view: View<'_>,
        market: &MarketState,
        out: &mut Vec<Opportunity>,
    ) {
        let Some(own) = market.rung() else {
            return;
        };
        for (rung, other) in view.data.ladder(market) {
            if view.seen_from(other.spec.id, market.spec.id) {
                continue;
            }
            if let Some(relation) = own.implies(&market.spec, &rung, &other.spec) {
                self.implication(view, market, other, relation, out);
            }
            // Both ways where two markets ask the same.
            if let Some(relation) = rung.implies(&other.spec, &own, &market.spec) {
                self.implication(view, other, market, relation, out);
            }
        }
    }

    /// `a` can not come true without `b`.
    fn implication(
        &mut self,
        view: View<'_>,
        a: &MarketState,
        b: &MarketState,
        relation: Relation,
        out: &mut Vec<Opportunity>,
    ) {
        let ([_, a_no], [b_yes, _]) = (a.spec.outcomes.as_slice(), b.spec.outcomes.as_slice())
        else {
            return;
        };
        let legs = [(b, b_yes.instrument), (a, a_no.instrument)];
        let found = self.two_for_a_dollar(view, legs, relation);
        self.conclude(view, Edge::Implication(a.spec.id, b.spec.id), found, out);
    }

    /// Two legs in two markets that pay a dollar together, if they cost less.
    pub(super) fn two_for_a_dollar(
        &mut self,
        view: View<'_>,
        legs: TwoLegs<'_>,
        relation: Relation,
    ) -> Result<Found, Reason> {
        let ask = |i| Some(view.data.book(i)?.best_ask()?.0);
        let asks = legs.map(|(_, instrument)| ask(instrument));
        match gross(ONE, asks) {
            Some(left) if left > Usd::ZERO => {}
            left => return Ok(Found::Nothing(left)),
        }
        self.legs.clear();
        for (market, instrument) in legs {
            self.legs.push(leg(view, market, instrument, None)?);
        }
        self.same_time()?;
        let [(a, _), (b, _)] = legs;
        let closes_at = a.spec.closes_at.min(b.spec.closes_at);
        self.sum(view, Usd(ONE), closes_at, relation)
    }
}
