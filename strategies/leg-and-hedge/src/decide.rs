//! What to buy and sell, from prices and what is held. It remembers nothing.

use crate::prices::Prices;
use crate::sets::{Held, Set};
use pm_arb_sdk::hold::Hold;
use pm_arb_sdk::keep::Exposure;
use pm_arb_sdk::markets::Markets;
use pm_arb_sdk::money::{ONE, over_down, times_down};
use pm_arb_sdk::{EventId, Intent, IntentLeg, Opportunity, Settings, TimeInForce, Timestamp};

/// The largest order it may be set to, as it asks for it.
pub const ORDER_MAX: i64 = 500 * ONE;

/// The settings of the table at the head of the crate: dollars and seconds in millionths.
pub struct Rules {
    pub window: u64,
    pub dip: i64,
    pub dip_max: i64,
    pub reach: i64,
    pub lock_min: i64,
    pub profit_min: i64,
    pub stake: i64,
    pub exposure_max: i64,
    pub sets_max: u32,
    pub hold: i64,
    pub loss_max: i64,
    pub slack: i64,
    pub pause: i64,
    pub seconds_min: i64,
    pub seconds_out: i64,
}

/// What a decision on a set rests on.
pub struct View<'a> {
    pub held: Held,
    pub exposure: &'a Exposure,
    pub prices: &'a Prices,
    pub markets: &'a Markets,
}

/// A time span of the settings in nanoseconds. Settings are never negative.
pub fn nanos(micros: i64) -> u64 {
    micros.unsigned_abs().saturating_mul(1_000)
}

/// The whole or nothing.
fn buy(opportunity: Option<EventId>, legs: Vec<(u32, i64)>, qty: i64, edge: i64) -> Intent {
    let leg = |(instrument, limit)| IntentLeg {
        instrument,
        buy: true,
        limit,
    };
    Intent {
        opportunity,
        tag: 0,
        legs: legs.into_iter().map(leg).collect(),
        qty,
        time_in_force: TimeInForce::Fok,
        expected_edge: edge,
    }
}

impl Rules {
    /// Reads them.
    pub fn new(settings: &mut Settings) -> Result<Self, String> {
        let day = 86_400 * ONE;
        Ok(Self {
            window: nanos(settings.decimal("window", 60 * ONE, ONE..=day)?),
            dip: settings.decimal("dip", 40_000, 0..=ONE)?,
            dip_max: settings.decimal("dip_max", 200_000, 0..=ONE)?,
            reach: settings.decimal("reach", 30_000, 0..=ONE)?,
            lock_min: settings.decimal("lock_min", 10_000, 0..=ONE)?,
            profit_min: settings.decimal("profit_min", 100_000, 0..=1_000 * ONE)?,
            stake: settings.decimal("stake", 20 * ONE, ONE..=ORDER_MAX)?,
            exposure_max: settings.decimal("exposure_max", 200 * ONE, 0..=1_000_000 * ONE)?,
            sets_max: settings.whole("sets_max", 4, 1..=64)?,
            hold: settings.decimal("hold", 60 * ONE, 0..=day)?,
            loss_max: settings.decimal("loss_max", 60_000, 0..=ONE)?,
            slack: settings.decimal("slack", 20_000, 0..=ONE)?,
            pause: settings.decimal("pause", 30 * ONE, 0..=day)?,
            seconds_min: settings.decimal("seconds_min", 120 * ONE, 0..=day)?,
            seconds_out: settings.decimal("seconds_out", 20 * ONE, 0..=day)?,
        })
    }

    /// The leg of a set whose ask fell, while the rest is within reach.
    pub fn first_leg(
        &self,
        now: Timestamp,
        set: &Set,
        leg: u32,
        stake: i64,
        prices: &Prices,
        markets: &Markets,
    ) -> Option<Intent> {
        let mean = prices.mean(leg, now, self.window)?;
        let (ask, offered) = prices.ask(leg)?;
        if !(self.dip..=self.dip_max).contains(&mean.checked_sub(ask)?) {
            return None;
        }
        let mut all = 0_i64;
        for other in &set.legs {
            let terms = markets.of(*other)?;
            if terms.seconds_left(now) < self.seconds_min {
                return None;
            }
            all = all.checked_add(terms.taken_at(prices.ask(*other)?.0)?)?;
        }
        if all > set.pays.checked_add(self.reach)? {
            return None;
        }
        let cost = markets.of(leg)?.taken_at(ask)?;
        // What it gains when the price comes back: then the others are as cheap as they were.
        let edge = mean.checked_sub(cost)?;
        let wanted = over_down(stake, cost)?.min(offered);
        let qty = markets.fit(&set.legs, wanted)?;
        self.is_worth_it(edge, qty)
            .then(|| buy(None, vec![(leg, ask)], qty, edge))
    }

    /// The leg with the fewest shares of a set that is offered below what it pays.
    pub fn hard_leg(
        &self,
        now: Timestamp,
        seen: &Opportunity,
        edge: i64,
        stake: i64,
        markets: &Markets,
    ) -> Option<Intent> {
        let hard = seen.legs.iter().min_by_key(|leg| leg.qty)?;
        let legs: Vec<u32> = seen.legs.iter().map(|leg| leg.instrument).collect();
        for leg in &legs {
            if markets.of(*leg)?.seconds_left(now) < self.seconds_min {
                return None;
            }
        }
        let cost = hard.price.checked_add(hard.fee)?;
        let wanted = over_down(stake.max(0), cost)?.min(hard.qty);
        let qty = markets.fit(&legs, wanted)?;
        self.is_worth_it(edge, qty).then(|| {
            buy(
                Some(seen.id),
                vec![(hard.instrument, hard.price)],
                qty,
                edge,
            )
        })
    }

    /// The missing legs, when the whole set then costs less than it pays.
    pub fn hedge(&self, set: &Set, view: &View<'_>) -> Option<Intent> {
        let (_, qty) = *view.held.missing.first()?;
        // After a group that could not be evened out whole there is no one size: that is given up.
        if view.held.missing.iter().any(|(_, missing)| *missing != qty) {
            return None;
        }
        let mut cost = 0_i64;
        for leg in &view.held.full {
            cost = cost.checked_add(view.exposure.cost_of_share(*leg)?)?;
        }
        let mut legs = Vec::with_capacity(view.held.missing.len());
        for (leg, _) in &view.held.missing {
            let (ask, offered) = view.prices.ask(*leg)?;
            if offered < qty || view.markets.of(*leg)?.fit(qty)? != qty {
                return None;
            }
            cost = cost.checked_add(view.markets.of(*leg)?.taken_at(ask)?)?;
            legs.push((*leg, ask));
        }
        let edge = set.pays.checked_sub(cost)?;
        self.is_worth_it(edge, qty)
            .then(|| buy(None, legs, qty, edge))
    }

    fn is_worth_it(&self, edge: i64, qty: i64) -> bool {
        edge >= self.lock_min && times_down(edge, qty).is_some_and(|gain| gain >= self.profit_min)
    }

    /// When a leg has waited for long enough, or its market is nearly over.
    pub fn ends_at(&self, hold: &Hold, set: &Set, markets: &Markets) -> Timestamp {
        let closes = set.legs.iter().filter_map(|leg| markets.of(*leg));
        let out = closes
            .map(|terms| terms.closes_at.saturating_sub(nanos(self.seconds_out)))
            .min();
        let waited = hold.since.saturating_add(nanos(self.hold));
        out.map_or(waited, |out| waited.min(out))
    }

    /// Whether the legs that are held without a counterpart are given up.
    pub fn gives_up(&self, now: Timestamp, hold: &Hold, set: &Set, view: &View<'_>) -> bool {
        now >= self.ends_at(hold, set, view.markets)
            || view.held.full.iter().any(|leg| {
                let loss = view
                    .prices
                    .bid(*leg)
                    .zip(view.exposure.cost_of_share(*leg))
                    .and_then(|(bid, cost)| cost.checked_sub(bid));
                loss.is_some_and(|loss| loss >= self.loss_max)
            })
    }

    /// Sells what one leg holds beyond what every leg holds.
    pub fn sale(&self, view: &View<'_>) -> Option<Intent> {
        view.held.full.iter().find_map(|leg| {
            let terms = view.markets.of(*leg)?;
            let qty = terms.fit(view.held.most.checked_sub(view.held.matched)?)?;
            let limit = terms.sale_limit(view.prices.bid(*leg)?, self.slack);
            Some(Intent {
                opportunity: None,
                tag: 0,
                legs: vec![IntentLeg {
                    instrument: *leg,
                    buy: false,
                    limit,
                }],
                qty,
                time_in_force: TimeInForce::Fak,
                expected_edge: 0,
            })
        })
    }
}
