//! From a wish to an order on its way, or to a denial; and the record of the judgement.
//!
//! Check and use are one: the money is reserved in the same step in which risk approved, before
//! anything else can look at it.

use super::dispatch::{Fate, Notice};
use super::{
    Engine, MAX_INTENTS_PER_STEP, MAX_INTENTS_PER_STRATEGY_STEP, MAX_ORDERS_IN_FLIGHT, MAX_ROUNDS,
    Turn,
};
use crate::allocator::Reservation;
use crate::effect::{
    AlertLevel, Decision, Effect, IntentLegRecord, IntentRecord, Message, Rejection, Request,
    TradeRecord, TradeStatus,
};
use crate::grade;
use crate::ids::{InstrumentId, IntentId, Nanos, OpportunityId, StrategyId, Timestamp};
use crate::market::MarketSpec;
use crate::opportunity::OpportunityKind;
use crate::oracle::Reading;
use crate::order::{Author, LegState, Order, OrderPlan};
use crate::reason::Reason;
use crate::resting::MAX_ORDERS_RESTING;
use crate::risk::{Approved, LegFacts, Scene, Wish};
use crate::scanner::MAX_PER_RECORD;
use crate::strategy::{Intent, MAX_LEGS, Refused};
use crate::units::{Price, Qty, Usd};
use std::sync::Arc;

/// What every row of an intent has in common.
pub(super) struct Provenance<'a> {
    pub(super) intent: IntentId,
    pub(super) opportunity: OpportunityId,
    pub(super) kind: OpportunityKind,
    pub(super) strategy: StrategyId,
    pub(super) author: &'a Author,
    pub(super) qty: Qty,
    pub(super) expected_edge: Usd,
    pub(super) decided_at: Timestamp,
}

impl<'a> Provenance<'a> {
    pub(super) fn of(plan: &OrderPlan, author: &'a Author) -> Self {
        Self {
            intent: plan.intent,
            opportunity: plan.opportunity,
            kind: plan.kind,
            strategy: plan.strategy,
            author,
            qty: plan.qty,
            expected_edge: plan.expected_edge,
            decided_at: plan.decided_at,
        }
    }
}

/// One leg as its row names it.
#[derive(Clone, Copy)]
pub(super) struct RowLeg {
    pub(super) n: u16,
    pub(super) instrument: InstrumentId,
    pub(super) buy: bool,
    pub(super) limit: Price,
    pub(super) book_age: Nanos,
}

impl Engine {
    /// Judges one wish and does what the judgement says.
    pub(super) fn decide(&mut self, at: usize, intent: &Intent, round: u8, turn: &mut Turn<'_>) {
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        let strategy = slot.id;
        slot.intents = slot.intents.saturating_add(1);
        let before = if slot.wished.0 == turn.seq {
            slot.wished.1
        } else {
            0
        };
        slot.wished = (turn.seq, before.saturating_add(1));
        if before >= MAX_INTENTS_PER_STRATEGY_STEP {
            self.flow.unread(1);
            if before == MAX_INTENTS_PER_STRATEGY_STEP {
                let text = format!(
                    "{}: more than {MAX_INTENTS_PER_STRATEGY_STEP} intents in one step",
                    self.name_of(strategy)
                );
                self.alert(AlertLevel::Warning, "INTENTS_DROPPED", text, turn);
            }
            return;
        }
        if turn.intents >= MAX_INTENTS_PER_STEP {
            self.flow.unread(1);
            if turn.intents == MAX_INTENTS_PER_STEP {
                turn.intents = turn.intents.saturating_add(1);
                let text = format!("more than {MAX_INTENTS_PER_STEP} intents in one step");
                self.alert(AlertLevel::Warning, "INTENTS_DROPPED", text, turn);
            }
            return;
        }
        let id = IntentId {
            seq: turn.seq,
            n: turn.intents,
        };
        turn.intents = turn.intents.saturating_add(1);
        self.counts.intents = self.counts.intents.saturating_add(1);
        self.flow.wish(intent.opportunity);
        // The scanner's own ids of a record end at MAX_PER_RECORD; those of strategies' ideas begin there.
        let opportunity = intent.opportunity.unwrap_or(OpportunityId {
            seq: id.seq,
            n: MAX_PER_RECORD.saturating_add(id.n),
        });
        let author = self.author_of(strategy);
        let seen = intent.opportunity.and_then(|o| self.opportunities.get(&o));
        let kind = seen.map_or(OpportunityKind::Signal, |seen| seen.kind);
        let request = Request {
            intent: id,
            opportunity,
            kind,
            strategy: author.name.clone(),
            at: turn.at,
            qty: intent.qty,
            legs: intent
                .legs
                .iter()
                .map(|leg| (leg.instrument, leg.buy, leg.limit))
                .collect(),
            expected_edge: intent.expected_edge,
        };
        self.publish(Message::Request(request), turn);
        self.use_markets(intent, turn);
        let verdict = self.judge(id, strategy, opportunity, intent, round, turn.at);
        let decision = Decision {
            intent: id,
            strategy: author.name.clone(),
            verdict: match &verdict {
                Ok(plan) => Ok(plan.qty),
                Err(rejection) => Err(rejection.clone()),
            },
            at: turn.at,
        };
        self.publish(Message::Decision(decision), turn);
        let stored = match &verdict {
            Ok(_) => true,
            Err(rejection) => self.denials.admit(strategy, rejection.reason, turn.at),
        };
        if stored {
            let judged = match &verdict {
                Ok(plan) => Ok(plan.qty),
                Err(rejection) => Err(rejection.clone()),
            };
            let record = IntentRecord {
                id,
                at: turn.at,
                strategy,
                strategy_name: author.name.clone(),
                opportunity,
                kind,
                seen: intent
                    .opportunity
                    .and_then(|o| self.opportunities.get(&o))
                    .cloned(),
                qty: intent.qty,
                expected_edge: intent.expected_edge,
                time_in_force: intent.time_in_force.as_str().to_owned(),
                legs: self.grade(intent, judged.as_ref().ok().copied()),
                verdict: judged,
            };
            self.emit(Effect::RecordIntent(Box::new(record)), turn);
        }
        match verdict {
            Ok(plan) => {
                self.ward.approved(id);
                self.send(plan, author, turn);
            }
            Err(rejection) => {
                let source = Provenance {
                    intent: id,
                    opportunity,
                    kind,
                    strategy,
                    author: &author,
                    qty: intent.qty,
                    expected_edge: intent.expected_edge,
                    decided_at: turn.at,
                };
                self.deny(intent, &source, &rejection, round, stored, turn);
            }
        }
    }

    /// The wish's legs as they stand at its decision; graded when it was approved.
    fn grade(&self, intent: &Intent, approved: Option<Qty>) -> Vec<IntentLegRecord> {
        let legs = (0_u16..).zip(intent.legs.iter().take(MAX_LEGS));
        legs.filter_map(|(n, leg)| {
            let spec = &self.data.market_of(leg.instrument)?.spec;
            grade::leg(n, leg, spec, self.data.book(leg.instrument), approved)
        })
        .collect()
    }

    /// Gathers the facts and asks the guardian.
    fn judge(
        &mut self,
        id: IntentId,
        strategy: StrategyId,
        opportunity: OpportunityId,
        intent: &Intent,
        round: u8,
        now: Timestamp,
    ) -> Result<Approved<OrderPlan>, Rejection> {
        let too_many = |limit: String, observed: String| {
            Err(Rejection {
                reason: Reason::RateLimit,
                limit,
                observed,
            })
        };
        if round >= MAX_ROUNDS {
            return too_many(
                format!("{MAX_ROUNDS} answers to one record"),
                "one more".to_owned(),
            );
        }
        if self.orders.len() >= MAX_ORDERS_IN_FLIGHT {
            return too_many(
                format!("{MAX_ORDERS_IN_FLIGHT} orders in flight"),
                "one more".to_owned(),
            );
        }
        if intent.time_in_force.rests() && self.orders_resting() >= MAX_ORDERS_RESTING {
            return too_many(
                format!("{MAX_ORDERS_RESTING} orders that rest or are on their way to"),
                "one more".to_owned(),
            );
        }
        let equity = self.equity();
        // The guardian is taken out for the call: it changes while it looks at everything else.
        let mut guardian = core::mem::take(&mut self.guardian);
        guardian.observe(now, equity);
        let legs: Vec<Option<LegFacts<'_>>> = intent
            .legs
            .iter()
            .take(MAX_LEGS)
            .map(|leg| self.facts(strategy, leg.instrument, now))
            .collect();
        let slot = self.slot(strategy);
        let wish = Wish {
            id,
            strategy,
            intent,
            opportunity,
            seen: intent
                .opportunity
                .and_then(|o| self.opportunities.get(&o))
                .filter(|seen| slot.is_none_or(|slot| slot.grant.covers_all(seen, &self.data))),
            legs: &legs,
        };
        let scene = Scene {
            now,
            halted: self.halted.as_deref(),
            quarantined: slot.is_none_or(|slot| slot.quarantined),
            may: slot.map(|slot| slot.grant.may()),
            config: &self.config,
            ledger: &self.ledger,
            allocator: &self.allocator,
            equity,
            latencies: &self.latencies,
        };
        let verdict = guardian.judge(&wish, &scene);
        self.guardian = guardian;
        verdict
    }

    fn facts(
        &self,
        strategy: StrategyId,
        instrument: InstrumentId,
        now: Timestamp,
    ) -> Option<LegFacts<'_>> {
        let market = self.data.market_of(instrument)?;
        let grant = self.slot(strategy).map(|slot| &slot.grant);
        Some(LegFacts {
            spec: &market.spec,
            outside: grant.and_then(|grant| grant.outside(&market.spec, &self.data)),
            status: market.status,
            book: self.data.book(instrument),
            oracle: self.reading(&market.spec, now),
            sellable: self.sellable(strategy, instrument),
        })
    }

    /// How fresh the oracle of a market is, or the one that stands in for it.
    pub(super) fn reading(&self, spec: &MarketSpec, now: Timestamp) -> Option<Reading> {
        let max_age = self.config.risk.oracle_age_max;
        let oracle = self.data.oracle(spec.settlement.oracle()?)?;
        let own = oracle.reading(now, max_age);
        if matches!(own, Reading::Fresh { .. }) {
            return Some(own);
        }
        let proxy = oracle
            .spec()
            .proxy
            .and_then(|proxy| self.data.oracle(proxy));
        Some(proxy.map_or(own, |proxy| proxy.reading(now, max_age)))
    }

    /// Shares held less those on their way to be sold or waiting for it.
    fn sellable(&self, strategy: StrategyId, instrument: InstrumentId) -> Qty {
        let held = self.positions.held(strategy, instrument);
        if held == Qty::ZERO {
            return held;
        }
        let on_sale = self
            .orders
            .values()
            .filter(|order| order.plan.strategy == strategy)
            .flat_map(|order| order.plan.legs.iter().map(|leg| (leg, order.plan.qty)))
            .filter(|(leg, _)| !leg.buy && leg.instrument == instrument)
            .fold(0_i64, |sum, (_, qty)| sum.saturating_add(qty.0));
        let waiting = self.resting.on_sale(strategy, instrument);
        Qty(held
            .0
            .saturating_sub(on_sale)
            .saturating_sub(waiting.0)
            .max(0))
    }

    /// Orders that rest or will.
    fn orders_resting(&self) -> usize {
        let flying = self.orders.values();
        let will = flying.filter(|order| order.plan.time_in_force.rests());
        self.resting.len().saturating_add(will.count())
    }

    /// Reserves the money and puts the order on its way.
    fn send(&mut self, plan: Approved<OrderPlan>, author: Arc<Author>, turn: &mut Turn<'_>) {
        let mut legs = Vec::with_capacity(plan.legs.len());
        for leg in &plan.legs {
            if !leg.buy {
                legs.push(LegState::InFlight(None));
                continue;
            }
            match Reservation::pending(&mut self.ledger, leg.holding, leg.reserve) {
                Ok(reservation) => legs.push(LegState::InFlight(Some(reservation))),
                Err(error) => {
                    self.booked(Err(error), turn);
                    return;
                }
            }
        }
        self.flow.sent(plan.legs.len());
        for (n, leg) in (0_u16..).zip(&plan.legs) {
            self.due.insert((leg.due, plan.intent, n));
        }
        turn.reschedule = true;
        self.orders
            .insert(plan.intent, Order { plan, author, legs });
    }

    pub(super) fn notify_refused(
        &mut self,
        source: &Provenance<'_>,
        tag: u64,
        instrument: InstrumentId,
        reason: Reason,
        round: u8,
        turn: &mut Turn<'_>,
    ) {
        let refused = Refused {
            intent: source.intent,
            tag,
            instrument,
            reason,
        };
        let notice = Notice {
            to: source.strategy,
            round: round.saturating_add(1),
            fate: Fate::Refused(refused),
        };
        self.notify(notice, turn);
    }

    /// A row that says "nothing was filled": whoever filled something changes it. `None` when the
    /// instrument is not listed.
    pub(super) fn row(
        &self,
        source: &Provenance<'_>,
        leg: RowLeg,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) -> Option<TradeRecord> {
        let spec = &self.data.market_of(leg.instrument)?.spec;
        let (_, outcome) = spec.outcome(leg.instrument)?;
        Some(TradeRecord {
            id: turn.next_row(),
            at,
            opportunity: source.opportunity,
            kind: source.kind,
            intent: source.intent,
            leg: leg.n,
            fill: 0,
            venue: spec.venue,
            market: spec.id,
            market_native_id: spec.native_id.clone(),
            market_slug: spec.slug.clone(),
            instrument: leg.instrument,
            outcome: outcome.name.clone(),
            buy: leg.buy,
            requested_qty: source.qty,
            qty: Qty::ZERO,
            price: leg.limit,
            cost: Usd::ZERO,
            fees: Usd::ZERO,
            expected_edge: source.expected_edge,
            strategy: source.strategy,
            strategy_name: source.author.name.clone(),
            strategy_version: source.author.version.clone(),
            strategy_digest: source.author.digest,
            generation: source.author.generation,
            risk_approved: false,
            rejection: None,
            status: TradeStatus::Rejected,
            decided_at: source.decided_at,
            arrived_at: at,
            decision_book_age: leg.book_age,
            fill_book_age: Nanos(0),
            book_epoch: self
                .data
                .book(leg.instrument)
                .map_or(0, crate::book::OrderBook::epoch),
            market_family: spec.family(),
            closes_at: spec.closes_at,
            fee_rule: spec.fee_rule.clone(),
            maker: false,
            levels: Vec::new(),
        })
    }

    pub(super) fn record_trade(&mut self, row: TradeRecord, turn: &mut Turn<'_>) {
        self.emit(Effect::RecordTrade(Box::new(row.clone())), turn);
        if row.status == TradeStatus::Open {
            self.watch_tape(&row, turn);
        }
        self.publish(Message::Result(row), turn);
    }

    /// Who a strategy says it is; a strategy that was installed without a `Loaded` record is named by
    /// its number.
    fn author_of(&self, id: StrategyId) -> Arc<Author> {
        let author = self.slot(id).and_then(|slot| slot.author.clone());
        author.unwrap_or_else(|| {
            Arc::new(Author {
                name: self.name_of(id),
                version: String::new(),
                digest: [0; 32],
                generation: 0,
            })
        })
    }
}
