//! Cross-platform: the same question on two venues. One outcome here and the opposite one there pay a
//! dollar together, whatever happens.

use super::{Edge, Scanner, View};
use crate::market_data::MarketState;
use crate::opportunity::Opportunity;
use crate::relation::Relation;

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
            if view.seen_from(other.spec.id, market.spec.id) {
                continue;
            }
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
                let legs = [(a, in_a), (b, in_b)];
                let found = self.two_for_a_dollar(view, legs, Relation::SameQuestion);
                self.conclude(view, Edge::Pair(in_a, in_b), found, out);
            }
        }
    }
}
