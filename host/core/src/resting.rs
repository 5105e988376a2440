//! Orders that wait in their markets' queues, and the errands due for them.
//!
//! Owns the waiting orders, by number and by instrument, and the agenda of their ends and of cancels
//! on their way. It fills nothing: [`crate::queue`] says what reaches an order, the engine books it.

use crate::allocator::Reservation;
use crate::event::BookSide;
use crate::ids::{InstrumentId, IntentId, Nanos, StrategyId, Timestamp};
use crate::market::MarketSpec;
use crate::order::{Author, LegPlan, OrderPlan};
use crate::paper::{ROUNDINGS_MAX, worst_cost};
use crate::queue::{Place, Trade};
use crate::reason::Reason;
use crate::risk::Approved;
use crate::units::{Price, Qty, Usd};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most orders that rest or are on their way to; one more is denied with `RATE_LIMIT`.
pub const MAX_ORDERS_RESTING: usize = 1_024;
/// Most fills of one order; what is left after them is cancelled. Every fill is a row.
pub const FILLS_MAX: u16 = 1_000;

/// An order that waits. It has one leg.
#[derive(Debug)]
pub struct RestingOrder {
    /// What risk approved.
    pub plan: Approved<OrderPlan>,
    /// Which code decided.
    pub author: Arc<Author>,
    /// Its leg.
    pub leg: LegPlan,
    /// What is set aside for the shares still wanted; a sale has none.
    pub reservation: Option<Reservation>,
    /// Shares still wanted.
    pub left: Qty,
    /// How often it was filled, when it arrived included.
    pub fills: u16,
    /// When it reached the market.
    pub arrived_at: Timestamp,
    /// Where it stands.
    pub place: Place,
}

/// What is due for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// Its time is over.
    End,
    /// A cancel of it reaches the market.
    Cancel,
}

/// Every order that waits.
#[derive(Debug, Default)]
pub struct RestingOrders {
    orders: BTreeMap<IntentId, RestingOrder>,
    by_instrument: BTreeMap<InstrumentId, Vec<IntentId>>,
    agenda: BTreeSet<(Timestamp, IntentId, Errand)>,
    /// Cancels on their way, or there before their order: when they arrive, and why.
    cancels: BTreeMap<IntentId, (Timestamp, Reason)>,
}

impl RestingOrders {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// In order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &RestingOrder> {
        self.orders.values()
    }

    /// Puts an order in its place, until then at the latest.
    pub fn insert(&mut self, order: RestingOrder, ends_at: Timestamp) {
        let id = order.plan.intent;
        self.agenda.insert((ends_at, id, Errand::End));
        self.keep(order);
    }

    /// Puts back an order that was taken out for a moment.
    pub fn keep(&mut self, order: RestingOrder) {
        let id = order.plan.intent;
        let ids = self.by_instrument.entry(order.leg.instrument).or_default();
        if let Err(at) = ids.binary_search(&id) {
            ids.insert(at, id);
        }
        self.orders.insert(id, order);
    }

    /// An order that waits.
    #[must_use]
    pub fn get(&self, id: IntentId) -> Option<&RestingOrder> {
        self.orders.get(&id)
    }

    /// Takes an order out for a moment; [`Self::keep`] or [`Self::forget`] follows.
    pub fn take(&mut self, id: IntentId) -> Option<RestingOrder> {
        let order = self.orders.remove(&id)?;
        if let Some(ids) = self.by_instrument.get_mut(&order.leg.instrument) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_instrument.remove(&order.leg.instrument);
            }
        }
        Some(order)
    }

    /// An order has ended: nothing is due for it any more.
    pub fn forget(&mut self, id: IntentId) {
        self.cancels.remove(&id);
        self.agenda.retain(|(_, other, _)| *other != id);
    }

    /// The orders of an instrument, in order of their numbers.
    #[must_use]
    pub fn of(&self, instrument: InstrumentId) -> &[IntentId] {
        self.by_instrument
            .get(&instrument)
            .map_or(&[], Vec::as_slice)
    }

    /// A level shows a new size, or a whole book does: `shown` answers for a level.
    pub fn shown(
        &mut self,
        instrument: InstrumentId,
        at: Timestamp,
        shown: impl Fn(BookSide, Price) -> Option<Qty>,
    ) {
        let Some(ids) = self.by_instrument.get(&instrument) else {
            return;
        };
        for id in ids {
            if let Some(order) = self.orders.get_mut(id) {
                let (side, limit) = order.place.level();
                if let Some(qty) = shown(side, limit) {
                    order.place.shown(qty, at);
                }
            }
        }
    }

    /// The book of an instrument is no longer known.
    pub fn lost(&mut self, instrument: InstrumentId) {
        let ids = self.by_instrument.get(&instrument);
        for id in ids.into_iter().flatten() {
            if let Some(order) = self.orders.get_mut(id) {
                order.place.lost();
            }
        }
    }

    /// How a trade of `instrument` is shared among our orders: best price first, then the older one.
    /// What one of ours got, the next one does not get too.
    pub fn reached(
        &mut self,
        instrument: InstrumentId,
        spec: &MarketSpec,
        trade: &Trade,
        at: Timestamp,
    ) -> Vec<(IntentId, Qty)> {
        let seen = |mirrored: bool| if mirrored { trade.mirrored() } else { *trade };
        let mut queue: Vec<(Price, IntentId, bool)> = Vec::new();
        let complement = spec.complement_of(instrument);
        let books = [(Some(instrument), false), (complement, true)];
        for (book, mirrored) in books {
            let ids = book.map_or(&[][..], |book| self.of(book));
            for id in ids {
                let Some((side, limit)) = self.orders.get(id).map(|o| o.place.level()) else {
                    continue;
                };
                if side == seen(mirrored).hit {
                    let price = if mirrored { limit.complement() } else { limit };
                    queue.push((price, *id, mirrored));
                }
            }
        }
        queue.sort_by_key(|(price, id, _)| match trade.hit {
            BookSide::Bid => (price.0.saturating_neg(), *id),
            BookSide::Ask => (price.0, *id),
        });
        let (mut given, mut shares) = (0_i64, Vec::new());
        for (_, id, mirrored) in queue {
            let Some(order) = self.orders.get_mut(&id) else {
                continue;
            };
            let reached = order.place.reached(&seen(mirrored), at);
            let qty = Qty(reached.0.saturating_sub(given)).min(order.left);
            if qty > Qty::ZERO {
                given = given.saturating_add(qty.0);
                shares.push((id, qty));
            }
        }
        shares
    }

    /// Shares of an instrument that a strategy's waiting orders would sell.
    #[must_use]
    pub fn on_sale(&self, strategy: StrategyId, instrument: InstrumentId) -> Qty {
        let ids = self.of(instrument).iter();
        let orders = ids.filter_map(|id| self.orders.get(id));
        let sales = orders.filter(|o| !o.leg.buy && o.plan.strategy == strategy);
        Qty(sales.fold(0_i64, |sum, o| sum.saturating_add(o.left.0)))
    }

    /// A cancel sets out. An order is cancelled once; the first reason stands.
    pub fn cancel(&mut self, id: IntentId, arrives: Timestamp, why: Reason) {
        if let Entry::Vacant(none) = self.cancels.entry(id) {
            none.insert((arrives, why));
            self.agenda.insert((arrives, id, Errand::Cancel));
        }
    }

    /// Why an order is cancelled, when its cancel is there by then.
    #[must_use]
    pub fn cancelled(&self, id: IntentId, by: Timestamp) -> Option<Reason> {
        let (arrives, why) = self.cancels.get(&id)?;
        (*arrives <= by).then_some(*why)
    }

    /// When something is due next.
    #[must_use]
    pub fn next_errand(&self) -> Timestamp {
        let first = self.agenda.first();
        first.map_or(Timestamp(u64::MAX), |(at, ..)| *at)
    }

    /// The next errand, off the agenda.
    pub fn pop_errand(&mut self) -> Option<(Timestamp, IntentId, Errand)> {
        self.agenda.pop_first()
    }

    /// An order's end was put off.
    pub fn ends(&mut self, id: IntentId, at: Timestamp) {
        self.agenda.insert((at, id, Errand::End));
    }
}

/// How long a cancel of an order travels: as long as the order did, without the delay that the venue
/// lays on takers.
#[must_use]
pub fn cancel_travel(plan: &OrderPlan, leg: &LegPlan, spec: &MarketSpec) -> Nanos {
    let travelled = leg.due.since(plan.decided_at);
    let delay = spec.taker_delay.unwrap_or(Nanos(0));
    Nanos(travelled.0.saturating_sub(delay.0))
}

/// The most that an order to buy `qty` can cost that may take, rest and be hit piece by piece; `None`
/// when a fee is unknown or the sum does not fit.
#[must_use]
pub fn worst_cost_resting(spec: &MarketSpec, limit: Price, qty: Qty) -> Option<Usd> {
    let taken = worst_cost(spec.fee, limit, qty)?;
    let made = worst_cost(spec.maker_fee, limit, qty)?;
    let pieces = i64::from(FILLS_MAX).checked_mul(ROUNDINGS_MAX)?;
    taken.max(made).checked_add(Usd(pieces))
}
