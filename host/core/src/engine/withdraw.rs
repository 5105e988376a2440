//! Cancels: a strategy's own, and the host's when nobody else would send them.
//!
//! A cancel travels as its order did; until it is there, fills stand. What is on its way as a taker
//! can not be called back (a venue that delays takers does not let them go), but what would be left of
//! it does not rest.

use super::rest::{cancelled, closed, expired};
use super::{Engine, Turn};
use crate::ids::{IntentId, StrategyId, Timestamp};
use crate::order::OrderPlan;
use crate::reason::Reason;
use crate::resting::{Errand, cancel_travel};
use crate::strategy::TimeInForce;

impl Engine {
    /// A strategy cancels its orders with that tag.
    pub(super) fn withdraw_tag(&mut self, strategy: StrategyId, tag: u64, turn: &mut Turn<'_>) {
        let chosen = |plan: &OrderPlan| plan.strategy == strategy && plan.tag == tag;
        self.withdraw_all(chosen, Reason::Cancelled, turn);
    }

    /// Cancels every order that rests or is on its way to, where the plan is one of those chosen.
    pub(super) fn withdraw_all(
        &mut self,
        chosen: impl Fn(&OrderPlan) -> bool,
        why: Reason,
        turn: &mut Turn<'_>,
    ) {
        let resting = self.resting.iter().map(|order| &*order.plan);
        let flying = self.orders.values().map(|order| &*order.plan);
        let ids: Vec<IntentId> = resting
            .chain(flying.filter(|plan| plan.time_in_force.rests()))
            .filter(|plan| chosen(plan))
            .map(|plan| plan.intent)
            .collect();
        for id in ids {
            self.withdraw(id, why, turn);
        }
    }

    /// Sends a cancel.
    pub(super) fn withdraw(&mut self, id: IntentId, why: Reason, turn: &mut Turn<'_>) {
        let resting = self.resting.get(id).map(|order| &*order.plan);
        let plan = resting.or_else(|| self.orders.get(&id).map(|order| &*order.plan));
        let Some((plan, leg)) = plan.and_then(|plan| Some((plan, plan.legs.first()?))) else {
            return;
        };
        let Some(market) = self.data.market(leg.holding.market) else {
            return;
        };
        let arrives = turn.at.plus(cancel_travel(plan, leg, &market.spec));
        self.resting.cancel(id, arrives, why);
        turn.reschedule = true;
    }

    /// Does what is due for a resting order.
    pub(super) fn run_errand(&mut self, turn: &mut Turn<'_>) {
        let Some((at, id, errand)) = self.resting.pop_errand() else {
            return;
        };
        let Some(order) = self.resting.get(id) else {
            return;
        };
        let rejection = match errand {
            Errand::Cancel => {
                let why = self.resting.cancelled(id, at).unwrap_or(Reason::Cancelled);
                cancelled(why, order.left)
            }
            Errand::End => {
                let market = self.data.market(order.leg.holding.market);
                let closes = market.map_or(at, |m| m.spec.closes_at);
                match order.plan.time_in_force {
                    TimeInForce::Gtd(until) if until <= at => expired(until),
                    // The venue put the market's end off.
                    time if closes > at => {
                        let ends = match time {
                            TimeInForce::Gtd(until) => until.min(closes),
                            _ => closes,
                        };
                        self.resting.ends(id, ends);
                        return;
                    }
                    _ => closed(),
                }
            }
        };
        self.end_resting(id, rejection, at, turn);
    }

    /// When something is due for resting orders next.
    pub(super) fn next_errand(&self) -> Timestamp {
        self.resting.next_errand()
    }
}
