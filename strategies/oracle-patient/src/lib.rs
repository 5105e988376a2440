//! oracle-patient: rests bids below what an oracle says an outcome is worth, instead of taking.
//!
//! It acts on the host's oracle-lag opportunities. Its bid lies `margin` below the fair value and always
//! at least one tick below the ask it sees, so that it waits to be hit; what is hit is held until it
//! settles. A bid is replaced when the price it should have moves by `requote`, and withdrawn when the
//! oracle has moved away from where it stood when the bid was made. Every bid ends by itself, so one that
//! a failed instance left behind does not stand for long.
//!
//! | setting        | default | meaning                                                            |
//! |----------------|---------|--------------------------------------------------------------------|
//! | `margin`       | 0.02    | dollars below the fair value                                       |
//! | `edge_min`     | 0.02    | least gain a share after the maker's fee, in dollars               |
//! | `profit_min`   | 0.1     | least gain of a bid, in dollars                                    |
//! | `requote`      | 0.01    | a bid off by this much, in dollars, is replaced                    |
//! | `oracle_move`  | 0.0005  | a move of the oracle by this share of itself withdraws a bid       |
//! | `pause`        | 0.5     | seconds between two bids for the same outcome                      |
//! | `rest`         | 20      | seconds that a bid stands at most                                  |
//! | `stake`        | 20      | dollars that one bid may cost (at most 500)                        |
//! | `exposure_max` | 100     | dollars that one outcome may cost, held and bid for                |
//! | `orders_max`   | 8       | bids that stand or are on their way at once (at most 64)           |
//! | `seconds_min`  | 20      | no bid stands later than this before the close                     |

use pm_arb_sdk::keep::{Exposure, Taken};
use pm_arb_sdk::markets::{Markets, Terms};
use pm_arb_sdk::money::{ONE, over_down, tick_down, times_down};
use pm_arb_sdk::orders::Orders;
use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{
    Event, Host, Intent, IntentLeg, Opportunity, OpportunityKind, OpportunityLeg, OracleTick,
    Settings, Strategy, TimeInForce, Timestamp, Topics, Wants,
};
use std::collections::BTreeMap;

/// The largest order it may be set to, as it asks for it.
const ORDER_MAX: i64 = 500 * ONE;
/// Nanoseconds of a millionth of a second.
const MICRO: u64 = 1_000;

/// The settings of the table above: dollars, fractions and seconds in millionths.
struct Rules {
    margin: i64,
    edge_min: i64,
    profit_min: i64,
    requote: i64,
    oracle_move: i64,
    pause: i64,
    rest: i64,
    stake: i64,
    exposure_max: i64,
    orders_max: u32,
    seconds_min: i64,
}

/// The strategy.
pub struct OraclePatient {
    rules: Rules,
    markets: Markets,
    taken: Taken,
    exposure: Exposure,
    orders: Orders,
    /// The newest value of every oracle.
    oracles: BTreeMap<u32, i64>,
    /// Where its oracle stood when a bid was made, by its tag.
    anchors: BTreeMap<u64, i64>,
    /// When the last bid for an outcome was made, while that is less than a pause ago.
    recent: BTreeMap<u32, Timestamp>,
}

/// A bid that should stand.
struct Bid {
    limit: i64,
    edge: i64,
    until: Timestamp,
}

/// The price a bid should have now, if there should be one.
fn bid(rules: &Rules, now: Timestamp, terms: &Terms, leg: &OpportunityLeg) -> Option<Bid> {
    let fair = leg.fair?;
    let below_ask = leg.price.checked_sub(terms.tick)?;
    let limit = tick_down(fair.checked_sub(rules.margin)?.min(below_ask), terms.tick);
    let edge = fair.checked_sub(terms.made_at(limit)?)?;
    let seconds = terms.seconds_left(now).checked_sub(rules.seconds_min)?;
    if limit < terms.tick || edge < rules.edge_min || seconds <= 0 {
        return None;
    }
    let rests = seconds.min(rules.rest).unsigned_abs();
    Some(Bid {
        limit,
        edge,
        until: now.checked_add(rests.checked_mul(MICRO)?)?,
    })
}

impl OraclePatient {
    /// Places, keeps, replaces or withdraws the bid on the outcome of an opportunity.
    fn consider(&mut self, now: Timestamp, seen: &Opportunity, host: &mut dyn Host) -> Option<()> {
        let [leg] = seen.legs.as_slice() else {
            return None;
        };
        if seen.kind != OpportunityKind::OracleLag {
            return None;
        }
        self.orders.expire(now);
        let terms = self.markets.of(leg.instrument)?;
        let wanted = bid(&self.rules, now, terms, leg);
        let standing = self
            .orders
            .iter()
            .find(|(_, order)| order.instrument == leg.instrument && order.buy && !order.cancelled);
        if let Some((tag, order)) = standing {
            let moved = wanted
                .as_ref()
                .is_none_or(|bid| (bid.limit - order.limit).abs() >= self.rules.requote);
            if !moved {
                return None;
            }
            self.orders.cancel(tag, host);
        }
        let Bid { limit, edge, until } = wanted?;
        let pause = self.rules.pause.unsigned_abs().saturating_mul(MICRO);
        self.recent.retain(|_, at| at.saturating_add(pause) > now);
        if self.orders.len() >= self.rules.orders_max as usize
            || self.recent.contains_key(&leg.instrument)
        {
            return None;
        }
        // A bid whose cancel is on its way may still be hit: it counts.
        let room = self
            .rules
            .exposure_max
            .checked_sub(self.exposure.cost(leg.instrument))?
            .checked_sub(self.orders.pledged(leg.instrument))?;
        let stake = self.rules.stake.min(room).min(seen.free_capital);
        let qty = terms.fit(over_down(stake.max(0), terms.made_at(limit)?)?)?;
        if times_down(edge, qty)? < self.rules.profit_min {
            return None;
        }
        // The guardian lets one order act on an opportunity; a replacement is an idea of its own.
        let fresh = !self.taken.contains(seen.id);
        let intent = Intent {
            opportunity: fresh.then_some(seen.id),
            tag: 0,
            legs: vec![IntentLeg {
                instrument: leg.instrument,
                buy: true,
                limit,
            }],
            qty,
            time_in_force: TimeInForce::Gtd(until),
            expected_edge: edge,
        };
        let stands_at = terms.oracle.and_then(|oracle| self.oracles.get(&oracle));
        let stands_at = stands_at.copied();
        let tag = self.orders.submit(now, until, intent, host)?;
        self.taken.insert(seen.id);
        self.recent.insert(leg.instrument, now);
        if let Some(price) = stands_at {
            self.anchors.insert(tag, price);
        }
        Some(())
    }

    /// Withdraws bids whose oracle has moved too far since they were made.
    fn follow(&mut self, tick: &OracleTick, host: &mut dyn Host) {
        self.oracles.insert(tick.oracle, tick.price_e8);
        let mut moved = Vec::new();
        for (tag, order) in self.orders.iter().filter(|(_, order)| order.buy) {
            let terms = self.markets.of(order.instrument);
            if terms.and_then(|terms| terms.oracle) != Some(tick.oracle) {
                continue;
            }
            let from = *self.anchors.entry(tag).or_insert(tick.price_e8);
            let allowed = times_down(from, self.rules.oracle_move);
            let away = tick.price_e8.saturating_sub(from).saturating_abs();
            if allowed.is_none_or(|allowed| away > allowed) {
                moved.push(tag);
            }
        }
        for tag in moved {
            self.orders.cancel(tag, host);
        }
    }
}

impl Strategy for OraclePatient {
    const NAME: &'static str = "oracle-patient";
    const TOPICS: Topics = Topics::MARKETS
        .union(Topics::ORACLE_LAG)
        .union(Topics::ORACLE_TICKS);
    const WANTS: Wants = Wants {
        families: Wants::ORACLE_FAMILIES,
        order_max: Some(ORDER_MAX),
        intents_per_second: Some(10),
        memory_kib: Some(8_192),
        ..Wants::ALL
    };

    fn new(settings: &mut Settings) -> Result<Self, String> {
        let day = 86_400 * ONE;
        Ok(Self {
            rules: Rules {
                margin: settings.decimal("margin", 20_000, 0..=ONE)?,
                edge_min: settings.decimal("edge_min", 20_000, 0..=ONE)?,
                profit_min: settings.decimal("profit_min", 100_000, 0..=1_000 * ONE)?,
                requote: settings.decimal("requote", 10_000, 0..=ONE)?,
                oracle_move: settings.decimal("oracle_move", 500, 0..=ONE)?,
                pause: settings.decimal("pause", ONE / 2, 0..=day)?,
                rest: settings.decimal("rest", 20 * ONE, ONE..=day)?,
                stake: settings.decimal("stake", 20 * ONE, ONE..=ORDER_MAX)?,
                exposure_max: settings.decimal("exposure_max", 100 * ONE, 0..=1_000_000 * ONE)?,
                orders_max: settings.whole("orders_max", 8, 1..=64)?,
                seconds_min: settings.decimal("seconds_min", 20 * ONE, 0..=day)?,
            },
            markets: Markets::default(),
            taken: Taken::default(),
            exposure: Exposure::default(),
            orders: Orders::default(),
            oracles: BTreeMap::new(),
            anchors: BTreeMap::new(),
            recent: BTreeMap::new(),
        })
    }

    fn on_event(&mut self, now: Timestamp, event: &Event, host: &mut dyn Host) {
        self.markets.hear(event);
        self.exposure.hear(event);
        if self.orders.hear(event).is_some() {
            let open: Vec<u64> = self.orders.iter().map(|(tag, _)| tag).collect();
            self.anchors.retain(|tag, _| open.contains(tag));
        }
        match event {
            Event::Opportunity(seen) => {
                self.consider(now, seen, host);
            }
            Event::OracleTick(tick) => self.follow(tick, host),
            _ => {}
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::new(Self::NAME, Self::STATE);
        self.taken.write(&mut out);
        self.exposure.write(&mut out);
        self.orders.write(&mut out);
        for (tag, price) in &self.anchors {
            out.line(format_args!("anchor {tag} {price}"));
        }
        out.into_bytes()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        for words in state::read(Self::NAME, Self::STATE, bytes)? {
            match words.as_slice() {
                ["taken", seq, n] => self.taken.read(seq, n)?,
                ["held", instrument, qty, cost] => self.exposure.read(instrument, qty, cost)?,
                ["order", rest @ ..] => self.orders.read(rest)?,
                ["anchor", tag, price] => {
                    let (tag, price) = (state::number(tag)?, state::number(price)?);
                    self.anchors.insert(tag, price);
                }
                other => return Err(state::unknown(other)),
            }
        }
        Ok(())
    }
}

pm_arb_sdk::export!(crate::OraclePatient);

#[cfg(test)]
mod tests;
