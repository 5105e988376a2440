//! Counts what enters and leaves each stage of the engine, and draws up the funnel.
//!
//! A counter is raised where the thing happens, one or two for a record that leads to anything. What waits
//! is never counted up and down: it is looked up in the state itself, so that a wrong counter shows.

use super::Engine;
use crate::funnel::{ByReason, Funnel, Part, Stage, StageKey};
use crate::ids::OpportunityId;
use crate::market::MarketStatus;
use crate::order::LegState;
use crate::reason::Reason;
use std::collections::BTreeSet;

/// Running counts of the stages behind the scanner, and of what markets and records came to.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Records that were not refused.
    pub(super) taken: u64,
    /// Of these, first listings of a market.
    pub(super) listed: u64,
    /// Markets that were retired before anything of theirs was looked at.
    pub(super) never_looked: u64,
    opportunities: u64,
    /// Forgotten, and shown again.
    again: u64,
    wished: u64,
    /// Forgotten before anybody wished for them.
    unwanted: u64,
    /// Of those that can be named: nobody has wished for these.
    unwished: BTreeSet<OpportunityId>,
    further_wishes: u64,
    own_ideas: u64,
    /// Wishes that nobody read: there were too many at once.
    unread: u64,
    approved: u64,
    denied: ByReason,
    further_legs: u64,
    filled_legs: u64,
    unfilled: ByReason,
    further_fills: u64,
    evening_fills: u64,
    bought: u64,
    sold: u64,
    pub(super) opened: u64,
    pub(super) settled: u64,
    pub(super) closed: u64,
    /// Closed because the other legs of their group did not fill as much.
    pub(super) unwound: u64,
}

/// Which fill it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FillOf {
    /// The first of a leg.
    First,
    /// A further one of an order that rests.
    Further,
    /// A sale that evens out a group.
    Evening,
}

fn one_more(count: &mut u64) {
    *count = count.saturating_add(1);
}

impl Flow {
    /// An opportunity was told: a new one, or news of one that can be named or could not any more.
    pub(super) fn shown(&mut self, id: OpportunityId, begun: bool, known: bool) {
        if begun {
            one_more(&mut self.opportunities);
        } else if known {
            return;
        } else {
            one_more(&mut self.again);
        }
        self.unwished.insert(id);
    }

    /// It can not be named any more.
    pub(super) fn forgotten(&mut self, id: OpportunityId) {
        if self.unwished.remove(&id) {
            one_more(&mut self.unwanted);
        }
    }

    /// Whether it can be named and nobody has wished for it.
    pub(super) fn waits(&self, id: OpportunityId) -> bool {
        self.unwished.contains(&id)
    }

    /// A strategy wished.
    pub(super) fn wish(&mut self, of: Option<OpportunityId>) {
        match of {
            None => one_more(&mut self.own_ideas),
            Some(id) if self.unwished.remove(&id) => one_more(&mut self.wished),
            Some(_) => one_more(&mut self.further_wishes),
        }
    }

    /// Wishes that nobody read.
    pub(super) fn unread(&mut self, wishes: usize) {
        let wishes = u64::try_from(wishes).unwrap_or(u64::MAX);
        self.unread = self.unread.saturating_add(wishes);
    }

    pub(super) fn denied(&mut self, reason: Reason) {
        self.denied.count(reason);
    }

    /// An approved wish is on its way.
    pub(super) fn sent(&mut self, legs: usize) {
        one_more(&mut self.approved);
        let further = u64::try_from(legs.saturating_sub(1)).unwrap_or(u64::MAX);
        self.further_legs = self.further_legs.saturating_add(further);
    }

    pub(super) fn unfilled(&mut self, reason: Reason) {
        self.unfilled.count(reason);
    }

    pub(super) fn filled(&mut self, which: FillOf, buy: bool) {
        match which {
            FillOf::First => one_more(&mut self.filled_legs),
            FillOf::Further => one_more(&mut self.further_fills),
            FillOf::Evening => one_more(&mut self.evening_fills),
        }
        one_more(if buy {
            &mut self.bought
        } else {
            &mut self.sold
        });
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl Engine {
    /// Where everything went so far. Looks at every market, order and opportunity that is held.
    #[must_use]
    pub fn funnel(&self) -> Funnel {
        let shown: BTreeSet<OpportunityId> = self.scanner.shown().collect();
        let still = self.flow.unwished.intersection(&shown).count();
        Funnel {
            stages: StageKey::ALL.map(|key| self.stage(key, count(still))),
        }
    }

    /// Whether the funnel conserves and what waits in it is what is there.
    pub fn audit_funnel(&self) -> Result<(), String> {
        let known = |id: &OpportunityId| self.opportunities.contains_key(id);
        if let Some(id) = self.flow.unwished.iter().find(|id| !known(id)) {
            return Err(format!("opportunity {id} waits and can not be named"));
        }
        let funnel = Funnel {
            stages: StageKey::ALL.map(|key| self.stage(key, 0)),
        };
        funnel.check()
    }

    fn stage(&self, key: StageKey, still_shown: u64) -> Stage {
        let (flow, scan) = (&self.flow, self.scanner.counts());
        let none = Vec::<Part>::new;
        let (entered, passed, refused, ended, waiting) = match key {
            StageKey::Inputs => (
                vec![("records", self.counts.records)],
                flow.listed,
                self.refused_inputs.iter().map(|(r, n)| (*r, *n)).collect(),
                vec![(
                    "facts about what was known already",
                    flow.taken.saturating_sub(flow.listed),
                )],
                none(),
            ),
            StageKey::Markets => {
                let (trading, over) = self.unlooked();
                let over = flow.never_looked.saturating_add(over);
                (
                    vec![("listed for the first time", flow.listed)],
                    scan.first_looks,
                    Vec::new(),
                    vec![("over before a price of theirs moved", over)],
                    vec![("trading, not looked at yet", trading)],
                )
            }
            StageKey::Looks => (
                vec![
                    ("first looks from a market", scan.first_looks),
                    (
                        "further looks, each after a price or an oracle moved",
                        scan.looks.saturating_sub(scan.first_looks),
                    ),
                ],
                scan.edges,
                scan.by_reason().collect(),
                vec![("the prices left nothing worth having", scan.no_edge)],
                none(),
            ),
            StageKey::Sights => (
                vec![("sights of an edge", scan.edges)],
                scan.episodes.iter().copied().fold(0, u64::saturating_add),
                Vec::new(),
                vec![
                    ("an opportunity as it was told before", scan.same),
                    ("an opportunity that changed, told again", scan.changed),
                    ("more at once than are followed", scan.unfollowed),
                ],
                none(),
            ),
            StageKey::Opportunities => {
                let gone = count(flow.unwished.len()).saturating_sub(still_shown);
                (
                    vec![
                        ("opportunities begun", flow.opportunities),
                        ("shown again after they were forgotten", flow.again),
                    ],
                    flow.wished,
                    Vec::new(),
                    vec![(
                        "no strategy wanted them",
                        flow.unwanted.saturating_add(gone),
                    )],
                    vec![("still shown", still_shown)],
                )
            }
            StageKey::Wishes => (
                vec![
                    ("first wishes for an opportunity", flow.wished),
                    ("further wishes for one", flow.further_wishes),
                    ("strategies' own ideas", flow.own_ideas),
                    ("more at once than are read", flow.unread),
                ],
                flow.approved,
                flow.denied.list(),
                vec![("not read: too many at once", flow.unread)],
                none(),
            ),
            StageKey::Legs => (
                vec![
                    ("first legs of an approved wish", flow.approved),
                    ("further legs of it", flow.further_legs),
                ],
                flow.filled_legs,
                flow.unfilled.list(),
                none(),
                self.legs_under_way(),
            ),
            StageKey::Fills => (
                vec![
                    ("first fills of a leg", flow.filled_legs),
                    ("further fills of an order that rests", flow.further_fills),
                    ("sales that even out a group", flow.evening_fills),
                ],
                flow.bought,
                Vec::new(),
                vec![("sold what was held", flow.sold)],
                none(),
            ),
            StageKey::Trades => {
                let unwound = (flow.unwound > 0).then_some((Reason::LegUnwound, flow.unwound));
                (
                    vec![("opened", flow.opened)],
                    flow.settled,
                    unwound.into_iter().collect(),
                    vec![("sold before the outcome", flow.closed)],
                    vec![("open", count(self.positions.len()))],
                )
            }
        };
        Stage {
            key,
            entered,
            passed,
            refused,
            ended,
            waiting,
        }
    }

    /// Markets that nothing was looked at of yet: those that trade, and those that are over.
    fn unlooked(&self) -> (u64, u64) {
        let (mut trading, mut over) = (0_u64, 0_u64);
        for market in self.data.markets() {
            if self.scanner.mark(market.spec.id).is_none() {
                let is_trading = matches!(market.status, MarketStatus::Open | MarketStatus::Paused);
                one_more(if is_trading { &mut trading } else { &mut over });
            }
        }
        (trading, over)
    }

    /// Legs on their way, and orders at rest without a fill.
    fn legs_under_way(&self) -> Vec<Part> {
        let legs = self.orders.values().flat_map(|order| &order.legs);
        let flying = legs.filter(|leg| matches!(leg, LegState::InFlight(_)));
        let resting = self.resting.iter().filter(|order| order.fills == 0);
        vec![
            ("on their way", count(flying.count())),
            ("at rest without a fill", count(resting.count())),
        ]
    }
}
