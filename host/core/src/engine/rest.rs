//! Orders that rest: they take what crosses when they arrive, wait, are hit, and end.
//!
//! Two things fill a waiting order: trades of others that reach it ([`crate::queue`]), and a book that
//! moves over it. Whoever shows an offer at or through our price would have met us first; to look
//! away would leave out exactly the fills that hurt. Either fills at our limit, with the maker's fee.

use super::advance::{Purchase, row_leg};
use super::decide::Provenance;
use super::funnel::FillOf;
use super::{Engine, Turn};
use crate::allocator::Reservation;
use crate::effect::{FillLevel, Rejection};
use crate::event::{BookSide, LevelChange, Print};
use crate::ids::{InstrumentId, IntentId, Nanos, StrategyId, Timestamp};
use crate::market::MarketSpec;
use crate::order::{LegPlan, Order, OrderPlan};
use crate::paper::{Fill, shown, whole_lots};
use crate::queue::{Place, Trade};
use crate::reason::Reason;
use crate::resting::{FILLS_MAX, RestingOrder, worst_cost_resting};
use crate::strategy::TimeInForce;
use crate::units::{Price, Qty, Rounding, Usd};

impl Engine {
    /// An order that may rest reaches its market.
    pub(super) fn post(
        &mut self,
        order: Order,
        leg: LegPlan,
        reservation: Option<Reservation>,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        let Order { plan, author, .. } = order;
        let wanted = self.wanted(&plan, &leg);
        let mut order = RestingOrder {
            place: Place::behind(side_of(&leg), leg.limit, Qty::ZERO, at),
            plan,
            author,
            leg,
            reservation,
            left: wanted,
            fills: 0,
            arrived_at: at,
        };
        if let TimeInForce::Gtd(until) = order.plan.time_in_force
            && until <= at
        {
            self.end(order, expired(until), at, turn);
            return;
        }
        match self.fill(&leg, wanted, false, at) {
            Ok(fill) => {
                if !self.book_part(&mut order, &fill, false, at, turn) {
                    return;
                }
            }
            // Nobody to trade with is what an order rests for.
            Err(refusal)
                if matches!(refusal.reason, Reason::NoLiquidity | Reason::OneSidedBook) => {}
            Err(refusal) => {
                self.end(order, refusal, at, turn);
                return;
            }
        }
        self.wait(order, at, turn);
    }

    /// What is left of an order that has just arrived comes to rest.
    fn wait(&mut self, mut order: RestingOrder, at: Timestamp, turn: &mut Turn<'_>) {
        let (id, leg) = (order.plan.intent, order.leg);
        if order.left <= Qty::ZERO {
            self.done(order, turn);
            return;
        }
        if let Some(why) = self.resting.cancelled(id, at) {
            let rejection = cancelled(why, order.left);
            self.end(order, rejection, at, turn);
            return;
        }
        let market = self.data.market(leg.holding.market);
        let (Some(market), Some(book)) = (market, self.data.book(leg.instrument)) else {
            self.abort("an order came to rest in a market that is not known", turn);
            return;
        };
        let side = side_of(&leg);
        order.place = Place::behind(
            side,
            leg.limit,
            shown(book, side, leg.limit),
            book.venue_time(),
        );
        let ends_at = match order.plan.time_in_force {
            TimeInForce::Gtd(until) => until.min(market.spec.closes_at),
            _ => market.spec.closes_at,
        };
        self.resting.insert(order, ends_at);
        turn.reschedule = true;
        if self.halted.is_some() {
            self.withdraw(id, Reason::Halted, turn);
        }
    }

    /// The trade that a print tells of; a print that tells of none is counted with its reason.
    pub(super) fn admit(&mut self, print: &Print) -> Option<Trade> {
        let market = self.data.market_of(print.instrument);
        let admitted = market
            .ok_or(Reason::UnknownInstrument)
            .and_then(|market| self.prints.admit(print, &market.spec));
        admitted.map_err(|reason| self.refuse_input(reason)).ok()
    }

    /// A trade printed: the queues it eats into, and the orders it reaches.
    pub(super) fn feed_queues(&mut self, print: &Print, trade: &Trade, turn: &mut Turn<'_>) {
        // A market that is paused or over takes no trades of ours.
        let market = self.data.market_of(print.instrument);
        let Some(market) = market.filter(|m| m.is_open() && !self.resting.is_empty()) else {
            return;
        };
        let reached = self
            .resting
            .reached(print.instrument, &market.spec, trade, turn.at);
        for (id, qty) in reached {
            self.hit(id, qty, turn);
        }
    }

    /// What a whole message did to resting orders, beside its trades.
    pub(super) fn review_resting(&mut self, turn: &mut Turn<'_>) {
        if self.resting.is_empty() {
            return;
        }
        for n in 0..self.touched.interrupted.len() {
            if let Some(&instrument) = self.touched.interrupted.get(n) {
                self.interrupted(instrument, turn);
            }
        }
        for n in 0..self.touched.closed.len() {
            if let Some(&market) = self.touched.closed.get(n) {
                let orders = self.resting.iter();
                let here = orders.filter(|order| order.leg.holding.market == market);
                let ids: Vec<IntentId> = here.map(|order| order.plan.intent).collect();
                for id in ids {
                    self.end_resting(id, closed(), turn.at, turn);
                }
            }
        }
        for n in 0..self.touched.quotes.len() {
            if let Some(&instrument) = self.touched.quotes.get(n) {
                self.run_over(instrument, turn);
            }
        }
    }

    /// A book is no longer known. The venue still has the order, so it waits on, at the back; on a
    /// grid that has no such price the venue drops it.
    fn interrupted(&mut self, instrument: InstrumentId, turn: &mut Turn<'_>) {
        let tick = self.data.book(instrument).map(|book| book.tick());
        for id in self.resting.of(instrument).to_vec() {
            let limit = self.resting.get(id).map(|order| order.leg.limit);
            if let (Some(limit), Some(tick)) = (limit, tick)
                && !limit.is_on_tick(tick)
            {
                let rejection = Rejection {
                    reason: Reason::OffTick,
                    limit: format!("multiples of {tick} USD"),
                    observed: format!("{limit} USD"),
                };
                self.end_resting(id, rejection, turn.at, turn);
            }
        }
        self.resting.lost(instrument);
    }

    /// Offers at or through our price that we have not taken yet meet our orders, best price first.
    fn run_over(&mut self, instrument: InstrumentId, turn: &mut Turn<'_>) {
        let mut ids = self.resting.of(instrument).to_vec();
        ids.sort_by_key(|id| {
            let leg = self.resting.get(*id).map(|order| order.leg);
            let rank = leg.map_or(0, |l| if l.buy { -l.limit.0 } else { l.limit.0 });
            (rank, *id)
        });
        for id in ids {
            let Some(order) = self.resting.get(id) else {
                continue;
            };
            let (leg, left) = (order.leg, order.left);
            let market = self.data.market(leg.holding.market);
            let (Some(market), Some(book)) = (
                market.filter(|m| m.is_open()),
                self.data.book(leg.instrument),
            ) else {
                continue;
            };
            let age_max = self.config.risk.book_age_max;
            if book.usable(leg.buy, turn.at, age_max).is_err() {
                continue;
            }
            let wanted = left.min(self.deliverable(order.plan.strategy, &leg));
            let met = self.paper.run_over(&leg, wanted, &market.spec, book);
            if met > Qty::ZERO {
                self.hit(id, met, turn);
            }
        }
    }

    /// Somebody trades with a resting order.
    fn hit(&mut self, id: IntentId, qty: Qty, turn: &mut Turn<'_>) {
        let Some(mut order) = self.resting.take(id) else {
            return;
        };
        let leg = order.leg;
        let held = self.deliverable(order.plan.strategy, &leg);
        if held <= Qty::ZERO {
            let rejection = Rejection {
                reason: Reason::NoPosition,
                limit: "shares held".to_owned(),
                observed: "none left".to_owned(),
            };
            self.end(order, rejection, turn.at, turn);
            return;
        }
        let Some(spec) = self.data.market(leg.holding.market).map(|m| &m.spec) else {
            self.resting.keep(order);
            return;
        };
        let qty = whole_lots(qty.min(order.left).min(held), spec.lot);
        if qty <= Qty::ZERO {
            self.resting.keep(order);
            return;
        }
        let made = made(&leg, spec, qty).and_then(|made| affordable(&order, made));
        let made = made.map(|(value, fee)| {
            let book = self.data.book(leg.instrument);
            Fill {
                qty,
                price: leg.limit,
                value,
                fee,
                book_age: book.map_or(Nanos(0), |book| book.age(turn.at)),
                book_epoch: book.map_or(0, |book| book.epoch()),
                levels: vec![FillLevel {
                    price: leg.limit,
                    qty,
                    fee,
                }],
            }
        });
        let fill = match made {
            Ok(fill) => fill,
            Err(rejection) => {
                self.end(order, rejection, turn.at, turn);
                return;
            }
        };
        // A sale that brings less than its fee is not made.
        if !leg.buy && fill.value < fill.fee {
            self.resting.keep(order);
            return;
        }
        if !self.book_part(&mut order, &fill, true, turn.at, turn) {
            return;
        }
        if order.left <= Qty::ZERO {
            self.done(order, turn);
        } else if order.fills >= FILLS_MAX {
            let rejection = Rejection {
                reason: Reason::Cancelled,
                limit: format!("{FILLS_MAX} fills of one order"),
                observed: format!("{} shares left", order.left),
            };
            self.end(order, rejection, turn.at, turn);
        } else {
            self.resting.keep(order);
            // The fill itself may have halted the pilot while the order was out of its place.
            if self.halted.is_some() {
                self.withdraw(id, Reason::Halted, turn);
            }
        }
    }

    /// Books one fill of an order. False when it could not be booked: then the order has ended.
    fn book_part(
        &mut self,
        order: &mut RestingOrder,
        fill: &Fill,
        maker: bool,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) -> bool {
        let (leg, plan) = (order.leg, &order.plan);
        let left = Qty(order.left.0.saturating_sub(fill.qty.0));
        match &mut order.reservation {
            Some(reservation) => {
                let spec = self.data.market(leg.holding.market).map(|m| &m.spec);
                let keep = spec.and_then(|spec| worst_cost_resting(spec, leg.limit, left));
                let keep = if left > Qty::ZERO {
                    keep
                } else {
                    Some(Usd::ZERO)
                };
                let purchase = Purchase {
                    source: Provenance::of(plan, &order.author),
                    n: 0,
                    leg: &leg,
                    fill,
                    nth: order.fills,
                    maker,
                    arrived_at: order.arrived_at,
                };
                // A fee that became unknown keeps everything: the next fill ends the order.
                let keep = keep.unwrap_or(reservation.amount());
                self.purchase(
                    &purchase,
                    |ledger| reservation.posted_in_part(ledger, fill.value, fill.fee, keep),
                    at,
                    turn,
                );
            }
            None => {
                let rows = self.positions.rows_of(plan.strategy, leg.instrument);
                let evidence = format!("sold by intent {}", plan.intent);
                let closed = self.exit(&rows, fill, at, &evidence, turn);
                self.flow.closed = self.flow.closed.saturating_add(closed);
            }
        }
        let which = if order.fills == 0 {
            FillOf::First
        } else {
            FillOf::Further
        };
        self.filled(plan, &leg, fill, (maker, which), turn);
        order.left = left;
        order.fills = order.fills.saturating_add(1);
        !self.broken
    }

    /// An order was filled whole.
    fn done(&mut self, order: RestingOrder, turn: &mut Turn<'_>) {
        self.resting.forget(order.plan.intent);
        if let Some(reservation) = order.reservation {
            let voided = reservation.voided(&mut self.ledger);
            self.booked(voided, turn);
        }
        turn.reschedule = true;
    }

    /// A resting order ends before it was filled whole.
    pub(super) fn end_resting(
        &mut self,
        id: IntentId,
        rejection: Rejection,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        if let Some(order) = self.resting.take(id) {
            self.end(order, rejection, at, turn);
        }
    }

    /// What is left of an order is given up. One that was never filled is a rejected row; of one that
    /// was, the rows are its fills. The strategy is told either way.
    fn end(
        &mut self,
        mut order: RestingOrder,
        rejection: Rejection,
        at: Timestamp,
        turn: &mut Turn<'_>,
    ) {
        let reservation = order.reservation.take();
        let source = Provenance::of(&order.plan, &order.author);
        if order.fills == 0 {
            let leg = row_leg(0, &order.leg);
            self.unfilled(&source, leg, &rejection, order.arrived_at, at, turn);
        }
        let (tag, instrument) = (order.plan.tag, order.leg.instrument);
        self.notify_refused(&source, tag, instrument, rejection.reason, 0, turn);
        order.reservation = reservation;
        self.done(order, turn);
    }

    /// What an order can still ask for: everything, or for a sale what is held.
    pub(super) fn wanted(&self, plan: &OrderPlan, leg: &LegPlan) -> Qty {
        plan.qty.min(self.deliverable(plan.strategy, leg))
    }

    /// How much of an instrument a leg may sell; a purchase has no such bound.
    fn deliverable(&self, strategy: StrategyId, leg: &LegPlan) -> Qty {
        if leg.buy {
            return Qty(i64::MAX);
        }
        self.positions.held(strategy, leg.instrument)
    }
}

/// What a fill at our limit is worth, and its fee.
fn made(leg: &LegPlan, spec: &MarketSpec, qty: Qty) -> Result<(Usd, Usd), Rejection> {
    let rounding = if leg.buy {
        Rounding::Up
    } else {
        Rounding::Down
    };
    let fee = spec
        .maker_fee
        .fee(leg.limit, qty)
        .ok_or_else(|| Rejection {
            reason: Reason::UnknownFee,
            limit: "a known fee schedule of makers".to_owned(),
            observed: "unknown".to_owned(),
        })?;
    let value = leg.limit.times(qty, rounding).ok_or_else(|| Rejection {
        reason: Reason::RiskError,
        limit: "a value that fits".to_owned(),
        observed: "an overflow".to_owned(),
    })?;
    Ok((value, fee))
}

/// A maker's fee can rise while an order rests: what is not set aside is not spent.
fn affordable(order: &RestingOrder, made: (Usd, Usd)) -> Result<(Usd, Usd), Rejection> {
    let (value, fee) = made;
    let Some(reservation) = &order.reservation else {
        return Ok(made);
    };
    let set_aside = reservation.amount();
    if value.checked_add(fee).is_some_and(|paid| paid <= set_aside) {
        return Ok(made);
    }
    Err(Rejection {
        reason: Reason::RiskError,
        limit: format!("{set_aside} USD reserved"),
        observed: format!("{value} USD and {fee} USD fees"),
    })
}

/// The side of the book an order rests on.
fn side_of(leg: &LegPlan) -> BookSide {
    if leg.buy {
        BookSide::Bid
    } else {
        BookSide::Ask
    }
}

/// Why an order whose market is over ends.
pub(super) fn closed() -> Rejection {
    Rejection {
        reason: Reason::MarketClosed,
        limit: "an open market".to_owned(),
        observed: "it closed while the order rested".to_owned(),
    }
}

/// Why an order whose time is over ends.
pub(super) fn expired(until: Timestamp) -> Rejection {
    Rejection {
        reason: Reason::Expired,
        limit: format!("good till second {}", until.secs()),
        observed: "that time".to_owned(),
    }
}

/// Why a cancelled order ends.
pub(super) fn cancelled(why: Reason, left: Qty) -> Rejection {
    Rejection {
        reason: why,
        limit: "not cancelled".to_owned(),
        observed: format!("{left} shares left"),
    }
}

/// A price of the book shown, for the queue of an order.
pub(super) fn level_of(level: &LevelChange) -> impl Fn(BookSide, Price) -> Option<Qty> + '_ {
    move |side, price| (side == level.side && price == level.price).then_some(level.qty)
}
