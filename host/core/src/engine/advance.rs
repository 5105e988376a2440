//! Time passes: orders arrive and fill or do not, groups of legs are evened out, old markets go.
//!
//! Legs of one order travel apart and may meet different books. When the last has arrived, what a leg
//! bought beyond the smallest fill of the group is sold at once at the bids of that moment, fees
//! included, and the loss stays on that leg's row. What finds no buyer stays open, with an alert.

use super::decide::{Provenance, RowLeg};
use super::dispatch::{Fate, Notice};
use super::funnel::FillOf;
use super::{Engine, HOUSEKEEPING, RETIRE_AFTER, Turn};
use crate::allocator::Reservation;
use crate::compat;
use crate::config::FillModel;
use crate::effect::{AlertLevel, Effect, Message, Rejection, TradeStatus};
use crate::ids::{IntentId, MarketId, Nanos, Timestamp, TradeId};
use crate::ledger::{Ledger, LedgerError};
use crate::market::MarketStatus;
use crate::order::{LegPlan, LegState, Order, OrderPlan};
use crate::paper::{Arrival, Fill, whole_lots};
use crate::position::{Exit, Position, Sale};
use crate::reason::Reason;
use crate::strategy::{Filled, TimeInForce};
use crate::units::{Price, Qty, Usd};
use std::collections::BTreeSet;

/// The limit of an unwinding sale: any bid at all.
const ANY_BID: Price = Price(1);

/// A purchase as it is booked.
pub(super) struct Purchase<'a> {
    pub(super) source: Provenance<'a>,
    pub(super) n: u16,
    pub(super) leg: &'a LegPlan,
    pub(super) fill: &'a Fill,
    /// Which fill of the leg, from 0.
    pub(super) nth: u16,
    pub(super) maker: bool,
    pub(super) arrived_at: Timestamp,
}

impl Engine {
    /// Does everything that was due at or before the record.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>) {
        while !self.broken {
            let arrival = self.due.first().copied();
            let due = arrival.map_or(Timestamp(u64::MAX), |(due, ..)| due);
            if due.min(self.next_errand()) > turn.at {
                break;
            }
            match arrival {
                Some((due, intent, leg)) if due <= self.next_errand() => {
                    self.due.pop_first();
                    self.arrive(intent, leg, due, turn);
                }
                _ => self.run_errand(turn),
            }
        }
        self.decide_tape(turn);
        if turn.at >= self.guardian.next_day() {
            let equity = self.equity();
            self.guardian.observe(turn.at, equity);
        }
        if turn.at >= self.next_housekeeping {
            self.next_housekeeping = turn.at.plus(HOUSEKEEPING);
            self.retire_markets(turn.at);
            self.audited(turn);
        }
        turn.reschedule = true;
    }

    /// Looks up when something is due next, and asks to be woken when that has changed.
    pub(super) fn schedule(&mut self, turn: &mut Turn<'_>) {
        let never = Timestamp(u64::MAX);
        let timers = self.slots.iter().flat_map(|slot| {
            let standby = slot.standby.as_ref().and_then(|standby| standby.timer);
            slot.timer.into_iter().chain(standby)
        });
        self.next_timer = timers.min().unwrap_or(never);
        let order = self.due.first().map_or(never, |(due, ..)| *due);
        let wake = order.min(self.next_timer).min(self.next_errand());
        self.next_due = wake
            .min(self.guardian.next_day())
            .min(self.next_housekeeping)
            .min(self.tape.next_due());
        let wake = (wake != never).then_some(wake);
        if wake != self.announced {
            self.announced = wake;
            if let Some(at) = wake {
                turn.effects.push(Effect::WakeAt(at));
            }
        }
    }

    /// One leg reaches its market.
    fn arrive(&mut self, id: IntentId, n: u16, due: Timestamp, turn: &mut Turn<'_>) {
        let index = usize::from(n);
        let Some(mut order) = self.orders.remove(&id) else {
            return;
        };
        let (Some(&leg), Some(state)) = (order.plan.legs.get(index), order.legs.get_mut(index))
        else {
            return;
        };
        // Whatever happens, the leg is no longer in flight; its true state is written below.
        let before = core::mem::replace(state, LegState::Refused(Reason::RiskError));
        let LegState::InFlight(reservation) = before else {
            return;
        };
        if order.plan.time_in_force.rests() {
            self.post(order, leg, reservation, due, turn);
            return;
        }
        let wanted = self.wanted(&order.plan, &leg);
        let filled = self.fill(
            &leg,
            wanted,
            order.plan.time_in_force == TimeInForce::Fok,
            due,
        );
        let after = match (filled, reservation) {
            (Ok(fill), Some(reservation)) => {
                self.bought(&order, n, &leg, &fill, reservation, due, turn)
            }
            (Ok(fill), None) => self.sold(&order, &leg, &fill, due, turn),
            (Err(rejection), reservation) => {
                if let Some(reservation) = reservation {
                    let voided = reservation.voided(&mut self.ledger);
                    self.booked(voided, turn);
                }
                let source = Provenance::of(&order.plan, &order.author);
                self.unfilled(&source, row_leg(n, &leg), &rejection, due, due, turn);
                let (tag, reason) = (order.plan.tag, rejection.reason);
                self.notify_refused(&source, tag, leg.instrument, reason, 0, turn);
                LegState::Refused(reason)
            }
        };
        if let Some(state) = order.legs.get_mut(index) {
            *state = after;
        }
        if order.is_complete() {
            self.even_out(&order, due, turn);
        } else {
            self.orders.insert(id, order);
        }
    }

    /// What the market gives a leg at this moment.
    pub(super) fn fill(
        &mut self,
        leg: &LegPlan,
        qty: Qty,
        fill_or_kill: bool,
        at: Timestamp,
    ) -> Result<Fill, Rejection> {
        let refuse = |reason, limit: &str, observed: String| {
            Err(Rejection {
                reason,
                limit: limit.to_owned(),
                observed,
            })
        };
        if let Some(why) = &self.halted {
            return refuse(Reason::Halted, "not halted at arrival", why.clone());
        }
        let market = self.data.market(leg.holding.market);
        let open = |m: &&crate::market_data::MarketState| {
            m.status == MarketStatus::Open && at < m.spec.closes_at
        };
        let Some(market) = market.filter(open) else {
            let observed = market.map_or("unknown".to_owned(), |m| {
                format!(
                    "{:?}, closing at second {}",
                    m.status,
                    m.spec.closes_at.secs()
                )
            });
            return refuse(Reason::MarketClosed, "an open market at arrival", observed);
        };
        if qty <= Qty::ZERO {
            return refuse(Reason::NoPosition, "shares held", "none left".to_owned());
        }
        let arrival = Arrival {
            leg,
            qty,
            fill_or_kill,
            spec: &market.spec,
            book: self.data.book(leg.instrument),
            at,
            book_age_max: self.config.risk.book_age_max,
        };
        match self.config.execution.fills {
            FillModel::Honest => self.paper.execute(&arrival),
            model => compat::execute(model, &arrival),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one leg's whole story, used once"
    )]
    fn bought(
        &mut self,
        order: &Order,
        n: u16,
        leg: &LegPlan,
        fill: &Fill,
        reservation: Reservation,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) -> LegState {
        let purchase = Purchase {
            source: Provenance::of(&order.plan, &order.author),
            n,
            leg,
            fill,
            nth: 0,
            maker: false,
            arrived_at: at,
        };
        let pay = |ledger: &mut Ledger| reservation.posted(ledger, fill.value, fill.fee);
        let Some(trade) = self.purchase(&purchase, pay, at, turn) else {
            return LegState::Refused(Reason::UnknownInstrument);
        };
        self.filled(&order.plan, leg, fill, (false, FillOf::First), turn);
        LegState::Bought {
            trade,
            qty: fill.qty,
        }
    }

    /// Opens the row of a purchase and pays for it; its number.
    pub(super) fn purchase(
        &mut self,
        purchase: &Purchase<'_>,
        pay: impl FnOnce(&mut Ledger) -> Result<(), LedgerError>,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) -> Option<TradeId> {
        let (leg, fill) = (purchase.leg, purchase.fill);
        let Some(mut row) = self.row(&purchase.source, row_leg(purchase.n, leg), at, turn) else {
            self.abort("a leg was filled in a market that is not known", turn);
            return None;
        };
        let trade = row.id;
        self.positions.open(
            trade,
            Position {
                holding: leg.holding,
                instrument: leg.instrument,
                remaining: fill.qty,
                cost: fill.value,
                fees: fill.fee,
                exited: Qty::ZERO,
                proceeds: Usd::ZERO,
                exit_weight: 0,
                exited_cost: Usd::ZERO,
            },
        );
        let posted = pay(&mut self.ledger);
        if self.booked(posted, turn) {
            row.status = TradeStatus::Open;
            row.risk_approved = true;
            row.fill = purchase.nth;
            row.maker = purchase.maker;
            row.arrived_at = purchase.arrived_at;
            row.qty = fill.qty;
            row.price = fill.price;
            row.cost = fill.value;
            row.fees = fill.fee;
            row.fill_book_age = fill.book_age;
            row.book_epoch = fill.book_epoch;
            row.levels.clone_from(&fill.levels);
            self.record_trade(row, turn);
            self.flow.opened = self.flow.opened.saturating_add(1);
            self.watch_losses(turn);
        }
        Some(trade)
    }

    fn sold(
        &mut self,
        order: &Order,
        leg: &LegPlan,
        fill: &Fill,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) -> LegState {
        let rows = self.positions.rows_of(order.plan.strategy, leg.instrument);
        let evidence = format!("sold by intent {}", order.plan.intent);
        let closed = self.exit(&rows, fill, at, &evidence, turn);
        self.flow.closed = self.flow.closed.saturating_add(closed);
        self.filled(&order.plan, leg, fill, (false, FillOf::First), turn);
        LegState::Sold
    }

    /// Records that a leg that was approved bought or sold nothing.
    pub(super) fn unfilled(
        &mut self,
        source: &Provenance<'_>,
        leg: RowLeg,
        rejection: &Rejection,
        arrived_at: Timestamp,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        self.counts.unfilled = self.counts.unfilled.saturating_add(1);
        self.flow.unfilled(rejection.reason);
        if let Some(mut row) = self.row(source, leg, at, turn) {
            row.risk_approved = true;
            row.arrived_at = arrived_at;
            row.fill_book_age = self
                .data
                .book(leg.instrument)
                .map_or(Nanos(0), |book| book.age(at));
            row.rejection = Some(rejection.clone());
            self.record_trade(row, turn);
        }
    }

    pub(super) fn filled(
        &mut self,
        plan: &OrderPlan,
        leg: &LegPlan,
        fill: &Fill,
        (maker, which): (bool, FillOf),
        turn: &mut Turn<'_>,
    ) {
        self.counts.fills = self.counts.fills.saturating_add(1);
        self.flow.filled(which, leg.buy);
        let slot = self.slot_mut(plan.strategy);
        slot.fills = slot.fills.saturating_add(1);
        let filled = Filled {
            intent: plan.intent,
            tag: plan.tag,
            instrument: leg.instrument,
            bought: leg.buy,
            qty: fill.qty,
            price: fill.price,
            fee: fill.fee,
            maker,
        };
        let notice = Notice {
            to: plan.strategy,
            round: 0,
            fate: Fate::Filled(filled),
        };
        self.notify(notice, turn);
    }

    /// Sells what a group's legs bought beyond their smallest fill.
    fn even_out(&mut self, order: &Order, at: Timestamp, turn: &mut Turn<'_>) {
        if order.legs.len() < 2 {
            return;
        }
        let matched = order.matched();
        for (leg, state) in order.plan.legs.iter().zip(&order.legs) {
            if let LegState::Bought { trade, qty } = state
                && *qty > matched
            {
                let surplus = Qty(qty.0.saturating_sub(matched.0));
                self.unwind(order, leg, *trade, surplus, at, turn);
            }
        }
    }

    fn unwind(
        &mut self,
        order: &Order,
        leg: &LegPlan,
        trade: TradeId,
        surplus: Qty,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        // Less is left when the strategy sold some of it while the other legs were on their way.
        let remaining = self.positions.get(trade).map_or(Qty::ZERO, |p| p.remaining);
        let surplus = surplus.min(remaining);
        if surplus <= Qty::ZERO {
            return;
        }
        let sale = LegPlan {
            buy: false,
            limit: ANY_BID,
            reserve: Usd::ZERO,
            book_epoch: self
                .data
                .book(leg.instrument)
                .map_or(0, |book| book.epoch()),
            due: at,
            ..*leg
        };
        let spec = self.data.market(leg.holding.market).map(|m| &m.spec);
        let lot = spec.map_or(Qty::ZERO, |s| s.lot);
        // Nothing is bought in a market whose minimum is unknown.
        let min_qty = spec.and_then(|s| s.min_qty).unwrap_or(Qty::ZERO);
        let qty = whole_lots(surplus, lot);
        let fill = if qty < min_qty {
            Err(Rejection {
                reason: Reason::BelowMinimum,
                limit: format!("{min_qty} shares"),
                observed: format!("{qty} shares"),
            })
        } else {
            self.fill(&sale, qty, false, at)
        };
        let stranded = match fill {
            Ok(fill) => {
                let evidence = format!(
                    "unwound: the group of intent {} matched {} shares",
                    order.plan.intent,
                    order.matched()
                );
                let closed = self.exit(&[trade], &fill, at, &evidence, turn);
                self.flow.unwound = self.flow.unwound.saturating_add(closed);
                self.filled(&order.plan, &sale, &fill, (false, FillOf::Evening), turn);
                let source = Provenance::of(&order.plan, &order.author);
                let (tag, reason) = (order.plan.tag, Reason::LegUnwound);
                self.notify_refused(&source, tag, leg.instrument, reason, 0, turn);
                let left = surplus.0.saturating_sub(fill.qty.0);
                (left > 0).then(|| format!("{} shares found no bid", Qty(left)))
            }
            Err(r) => Some(format!(
                "{surplus} shares: {} ({} against {})",
                r.reason, r.observed, r.limit
            )),
        };
        if let Some(why) = stranded {
            let text = format!(
                "row {trade} holds an unmatched leg of intent {}: {why}",
                order.plan.intent
            );
            self.alert(AlertLevel::Warning, "ORPHAN_LEG", text, turn);
        }
    }

    /// Takes sold shares out of rows; how many of these are empty now.
    pub(super) fn exit(
        &mut self,
        rows: &[TradeId],
        fill: &Fill,
        at: Timestamp,
        evidence: &str,
        turn: &mut Turn<'_>,
    ) -> u64 {
        let sale = Sale {
            qty: fill.qty,
            price: fill.price,
            proceeds: fill.value,
            fee: fill.fee,
        };
        match self.positions.sell(rows, sale, at, evidence) {
            Some(exits) => {
                let over = exits
                    .iter()
                    .filter(|e| e.update.status != TradeStatus::Open);
                let closed = u64::try_from(over.count()).unwrap_or(u64::MAX);
                self.book_exits(exits, turn);
                closed
            }
            None => {
                self.abort("a sale of more than is held, or too large to count", turn);
                0
            }
        }
    }

    /// Books what left positions, and says so row by row.
    pub(super) fn book_exits(&mut self, exits: Vec<Exit>, turn: &mut Turn<'_>) {
        // The positions have changed together, so they agree with the ledger only after the last entry.
        let mut result = Ok(());
        for exit in &exits {
            if result.is_ok() {
                result = self
                    .ledger
                    .dispose(exit.holding, exit.cost, exit.proceeds, exit.fee);
            }
        }
        if !self.booked(result, turn) {
            return;
        }
        for exit in exits {
            if exit.update.status != TradeStatus::Open {
                self.allocator.settled(
                    exit.holding.strategy,
                    exit.invested,
                    exit.update.realized_pnl,
                );
            }
            self.emit(Effect::UpdateTrade(exit.update.clone()), turn);
            self.publish(Message::Update(exit.update), turn);
        }
        self.watch_losses(turn);
    }

    /// Forgets markets that ended long ago and in which nothing is open. One that never settled is
    /// forgotten too: nobody has anything in it.
    fn retire_markets(&mut self, now: Timestamp) {
        let before = Timestamp(now.0.saturating_sub(RETIRE_AFTER.0));
        let old: Vec<MarketId> = self.data.closed_before(before).collect();
        let orders = self.orders.values();
        let in_flight: BTreeSet<MarketId> = orders
            .flat_map(|order| order.plan.legs.iter().map(|leg| leg.holding.market))
            .collect();
        for market in old {
            let resting = self.resting.iter().any(|o| o.leg.holding.market == market);
            if in_flight.contains(&market) || resting || self.positions.any_in(market) {
                continue;
            }
            if let Some(state) = self.data.market(market) {
                self.paper.forget(&state.spec);
                self.tape.forget(&state.spec);
            }
            self.prints.forget(market);
            self.guardian.forget(market);
            self.settlement.forget(market);
            self.market_rows.forget(market);
            if !self.scanner.retired(market) {
                self.flow.never_looked = self.flow.never_looked.saturating_add(1);
            }
            self.data.retire(market);
        }
    }
}

pub(super) fn row_leg(n: u16, leg: &LegPlan) -> RowLeg {
    RowLeg {
        n,
        instrument: leg.instrument,
        buy: leg.buy,
        limit: leg.limit,
        book_age: leg.book_age,
    }
}
