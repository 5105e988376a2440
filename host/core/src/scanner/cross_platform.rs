//! Cross-platform: the same question on two venues. One outcome here and the opposite one there pay a
//! dollar together, whatever happens.

use super::{Edge, Found, Scanner, Seen, View, basket, leg};
use crate::ids::Nanos;
use crate::market_data::MarketState;
use crate::opportunity::{Opportunity, OpportunityKind};
use crate::reason::Reason;
use crate::units::{ONE, Usd};

/// Most markets under one key that are compared with each other.
const MAX_PAIRED: usize = 8;

impl Scanner {
    /// Compares a market with its pairs on other venues, both ways round.
    pub(super) fn cross_platform(
        &mut self,
        view: View<'_>,
        market: &MarketState,
        out: &mut Vec<Opportunity>,
    ) {
        let paired = view.data.pair(market).iter().take(MAX_PAIRED);
        let others = paired.filter_map(|id| view.data.market(*id));
        for other in others.filter(|o| o.spec.venue != market.spec.venue) {
            // One order for a pair, whichever side was touched.
            let (a, b) = if market.spec.id < other.spec.id {
                (market, other)
            } else {
                (other, market)
            };
            let ([a_yes, a_no], [b_yes, b_no]) =
                (a.spec.outcomes.as_slice(), b.spec.outcomes.as_slice())
            else {
                continue;
            };
            for (in_a, in_b) in [(a_yes, b_no), (a_no, b_yes)] {
                let (in_a, in_b) = (in_a.instrument, in_b.instrument);
                let found = self.pair_of(view, (a, in_a), (b, in_b));
                self.conclude(view, Edge::Pair(in_a, in_b), found, out);
            }
        }
    }

    fn pair_of(
        &mut self,
        view: View<'_>,
        a: (&MarketState, crate::ids::InstrumentId),
        b: (&MarketState, crate::ids::InstrumentId),
    ) -> Result<Found, Reason> {
        let ask = |i| Some(view.data.book(i)?.best_ask()?.0);
        let (Some(ask_a), Some(ask_b)) = (ask(a.1), ask(b.1)) else {
            return Ok(Found::Nothing);
        };
        if ask_a.0.saturating_add(ask_b.0) >= ONE {
            return Ok(Found::Nothing);
        }
        self.legs.clear();
        for (market, instrument) in [a, b] {
            self.legs.push(leg(view, market, instrument, None)?);
        }
        self.same_time()?;
        let (edge, qty) = basket(&self.legs, Usd(ONE)).ok_or(Reason::RiskError)?;
        Ok(Found::Edge(Seen {
            kind: OpportunityKind::CrossPlatform,
            edge,
            qty,
            closes_at: a.0.spec.closes_at.min(b.0.spec.closes_at),
            oracle_age: Nanos(0),
        }))
    }
}
