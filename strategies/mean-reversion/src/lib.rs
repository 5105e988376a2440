//! mean-reversion: buys an outcome that fell far below its own recent mean, and sells it back there.
//!
//! It looks at prices alone. Of every instrument it keeps a mean of the middle of its book and the mean
//! absolute deviation from it, both weighted by time. When the middle lies `deviations` of them below the
//! mean and the way back pays for the spread and both fees, it buys at the ask. It sells when the bid is
//! back at the mean, after a time, or before the market ends, whatever comes first. It never sells what
//! it does not hold.
//!
//! | setting          | default | meaning                                                          |
//! |------------------|---------|------------------------------------------------------------------|
//! | `window`         | 60      | seconds that mean and deviation look back                        |
//! | `deviations`     | 3       | how many deviations below the mean is cheap                      |
//! | `deviation_min`  | 0.004   | a book that moves less than this, in dollars, tells nothing      |
//! | `spread_max`     | 0.02    | widest book it looks at, in dollars                              |
//! | `edge_min`       | 0.01    | least gain a share from ask to mean after both fees, in dollars  |
//! | `edge_max`       | 0.2     | a gain larger than this is no noise but news: left alone         |
//! | `profit_min`     | 0.1     | least gain of a purchase, in dollars                             |
//! | `stake`          | 20      | dollars that one purchase may cost (at most 500)                 |
//! | `positions_max`  | 8       | instruments held or on their way at once (at most 64)            |
//! | `hold`           | 90      | seconds after which it sells whatever it gets                    |
//! | `slack`          | 0.02    | how far below the bid a sale may fill, in dollars                |
//! | `pause`          | 30      | seconds before it looks at the same instrument again             |
//! | `seconds_min`    | 120     | no purchase later than this before the close                     |
//! | `seconds_out`    | 20      | sells everything this long before the close                      |

mod phase;

use crate::phase::Phase;
use pm_arb_sdk::hold::Hold;
use pm_arb_sdk::keep::Exposure;
use pm_arb_sdk::markets::{Markets, Terms};
use pm_arb_sdk::mean::Mean;
use pm_arb_sdk::money::{ONE, middle, over_down, times_down};
use pm_arb_sdk::orders::Orders;
use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{
    Event, Host, Intent, IntentLeg, Quote, Settings, Strategy, TimeInForce, Timestamp, Topics,
    Wants,
};
use std::collections::BTreeMap;

/// Instruments followed at once; the prices of one more are not.
const INSTRUMENTS_MAX: usize = 4_096;
/// The largest order it may be set to, as it asks for it.
const ORDER_MAX: i64 = 500 * ONE;
/// Nanoseconds of a millionth of a second.
const MICRO: u64 = 1_000;

/// The settings of the table above: dollars, fractions and seconds in millionths.
struct Rules {
    window: i64,
    deviations: i64,
    deviation_min: i64,
    spread_max: i64,
    edge_min: i64,
    edge_max: i64,
    profit_min: i64,
    stake: i64,
    positions_max: u32,
    hold: i64,
    slack: i64,
    pause: i64,
    seconds_min: i64,
    seconds_out: i64,
}

/// What is known of one instrument.
struct Seen {
    mean: Mean,
    /// The best bid, while there is one.
    bid: Option<i64>,
    phase: Phase,
}

/// The strategy.
pub struct MeanReversion {
    rules: Rules,
    markets: Markets,
    exposure: Exposure,
    orders: Orders,
    seen: BTreeMap<u32, Seen>,
}

/// A time span of the settings in nanoseconds. Settings are never negative.
fn nanos(micros: i64) -> u64 {
    micros.unsigned_abs().saturating_mul(MICRO)
}

/// What to buy at this quote, if anything.
fn entry(
    rules: &Rules,
    terms: &Terms,
    mean: &Mean,
    quote: &Quote,
    now: Timestamp,
) -> Option<Intent> {
    let below = mean
        .mean()
        .checked_sub(middle(quote.bid_price, quote.ask_price)?)?;
    let deviation = mean.deviation();
    if mean.age(now) < nanos(rules.window)
        || deviation < rules.deviation_min
        || below < times_down(deviation, rules.deviations)?
        || terms.seconds_left(now) < rules.seconds_min
    {
        return None;
    }
    let cost = terms.taken_at(quote.ask_price)?;
    let edge = terms.sold_at(mean.mean())?.checked_sub(cost)?;
    let qty = terms.fit(over_down(rules.stake, cost)?.min(quote.ask_qty))?;
    if !(rules.edge_min..=rules.edge_max).contains(&edge)
        || times_down(edge, qty)? < rules.profit_min
    {
        return None;
    }
    Some(order(quote.instrument, true, quote.ask_price, qty, edge))
}

/// An idea of its own with one leg: what does not fill on arrival is cancelled.
fn order(instrument: u32, buy: bool, limit: i64, qty: i64, expected_edge: i64) -> Intent {
    Intent {
        opportunity: None,
        tag: 0,
        legs: vec![IntentLeg {
            instrument,
            buy,
            limit,
        }],
        qty,
        time_in_force: TimeInForce::Fak,
        expected_edge,
    }
}

impl MeanReversion {
    /// Instruments with a position or an order.
    fn positions(&self) -> usize {
        self.seen
            .values()
            .filter(|seen| seen.phase.is_engaged())
            .count()
    }

    /// Acts on what is known of one instrument now.
    fn act(&mut self, now: Timestamp, instrument: u32, quote: Option<&Quote>, host: &mut dyn Host) {
        let (Some(seen), Some(terms)) = (self.seen.get(&instrument), self.markets.of(instrument))
        else {
            return;
        };
        let phase = match seen.phase {
            Phase::Flat { not_before } => {
                let spread = |q: &Quote| q.ask_price.saturating_sub(q.bid_price);
                let wish = quote
                    .filter(|q| not_before <= now && spread(q) <= self.rules.spread_max)
                    .and_then(|q| entry(&self.rules, terms, &seen.mean, q, now));
                let room =
                    |strategy: &Self| strategy.positions() < strategy.rules.positions_max as usize;
                let Some(intent) = wish.filter(|_| room(self)) else {
                    return;
                };
                let sent = self.orders.submit(now, now, intent, host);
                sent.map(|tag| Phase::Entering { tag })
            }
            Phase::Long(hold) => {
                let over = now >= hold.since.saturating_add(nanos(self.rules.hold))
                    || terms.seconds_left(now) <= self.rules.seconds_out;
                let bid = seen.bid.filter(|bid| over || *bid >= seen.mean.mean());
                let Some(bid) = bid.filter(|_| hold.next_try <= now) else {
                    return;
                };
                match terms.fit(self.exposure.qty(instrument)) {
                    None => Some(Phase::Kept),
                    Some(qty) => {
                        let limit = terms.sale_limit(bid, self.rules.slack);
                        let sale = order(instrument, false, limit, qty, 0);
                        let sent = self.orders.submit(now, now, sale, host);
                        sent.map(|tag| Phase::Leaving { tag, hold })
                    }
                }
            }
            Phase::Entering { .. } | Phase::Leaving { .. } | Phase::Kept => None,
        };
        if let (Some(phase), Some(seen)) = (phase, self.seen.get_mut(&instrument)) {
            seen.phase = phase;
        }
    }

    /// Moves an instrument on whose order has been answered.
    fn resolve(&mut self, now: Timestamp, instrument: u32) {
        let Some(seen) = self.seen.get_mut(&instrument) else {
            return;
        };
        let held = self.exposure.qty(instrument);
        let pending = |tag| self.orders.iter().any(|(open, _)| open == tag);
        seen.phase = match seen.phase {
            Phase::Entering { tag } if !pending(tag) && held > 0 => Phase::Long(Hold::new(now)),
            Phase::Leaving { tag, hold } if !pending(tag) && held > 0 => {
                hold.failed(now).map_or(Phase::Kept, Phase::Long)
            }
            Phase::Entering { tag } | Phase::Leaving { tag, .. } if pending(tag) => seen.phase,
            phase @ (Phase::Flat { .. } | Phase::Long(_) | Phase::Kept) if held > 0 => phase,
            phase @ Phase::Flat { .. } => phase,
            _ => Phase::Flat {
                not_before: now.saturating_add(nanos(self.rules.pause)),
            },
        };
    }

    /// Asks to be called when the next position has to go, or its next try is due.
    fn wake(&self, now: Timestamp, host: &mut dyn Host) {
        let due = self.seen.iter().filter_map(|(instrument, seen)| {
            let Phase::Long(hold) = seen.phase else {
                return None;
            };
            let terms = self.markets.of(*instrument)?;
            let over = hold.since.saturating_add(nanos(self.rules.hold));
            let out = terms
                .closes_at
                .saturating_sub(nanos(self.rules.seconds_out));
            Some(over.min(out).max(hold.next_try))
        });
        if let Some(at) = due.filter(|at| *at > now).min() {
            host.wake_at(at);
        }
    }
}

impl Strategy for MeanReversion {
    const NAME: &'static str = "mean-reversion";
    const TOPICS: Topics = Topics::MARKETS.union(Topics::QUOTES);
    const WANTS: Wants = Wants {
        order_max: Some(ORDER_MAX),
        intents_per_second: Some(10),
        memory_kib: Some(8_192),
        ..Wants::ALL
    };

    fn new(settings: &mut Settings) -> Result<Self, String> {
        let day = 86_400 * ONE;
        Ok(Self {
            rules: Rules {
                window: settings.decimal("window", 60 * ONE, ONE..=day)?,
                deviations: settings.decimal("deviations", 3 * ONE, 0..=100 * ONE)?,
                deviation_min: settings.decimal("deviation_min", 4_000, 0..=ONE)?,
                spread_max: settings.decimal("spread_max", 20_000, 0..=ONE)?,
                edge_min: settings.decimal("edge_min", 10_000, 0..=ONE)?,
                edge_max: settings.decimal("edge_max", 200_000, 0..=ONE)?,
                profit_min: settings.decimal("profit_min", 100_000, 0..=1_000 * ONE)?,
                stake: settings.decimal("stake", 20 * ONE, ONE..=ORDER_MAX)?,
                positions_max: settings.whole("positions_max", 8, 1..=64)?,
                hold: settings.decimal("hold", 90 * ONE, 0..=day)?,
                slack: settings.decimal("slack", 20_000, 0..=ONE)?,
                pause: settings.decimal("pause", 30 * ONE, 0..=day)?,
                seconds_min: settings.decimal("seconds_min", 120 * ONE, 0..=day)?,
                seconds_out: settings.decimal("seconds_out", 20 * ONE, 0..=day)?,
            },
            markets: Markets::default(),
            exposure: Exposure::default(),
            orders: Orders::default(),
            seen: BTreeMap::new(),
        })
    }

    fn on_quote(&mut self, now: Timestamp, quote: &Quote, host: &mut dyn Host) {
        let followed = self.seen.contains_key(&quote.instrument);
        if self.markets.of(quote.instrument).is_none()
            || (!followed && self.seen.len() >= INSTRUMENTS_MAX)
        {
            return;
        }
        let whole = quote.bid_qty > 0 && quote.ask_qty > 0;
        let middle = middle(quote.bid_price, quote.ask_price).filter(|_| whole);
        if let Some(middle) = middle {
            let window = nanos(self.rules.window);
            self.seen
                .entry(quote.instrument)
                .and_modify(|seen| seen.mean.add(now, middle, window))
                .or_insert_with(|| Seen {
                    mean: Mean::new(now, middle),
                    bid: None,
                    phase: Phase::Flat { not_before: 0 },
                });
        }
        if let Some(seen) = self.seen.get_mut(&quote.instrument) {
            seen.bid = (quote.bid_qty > 0).then_some(quote.bid_price);
            if middle.is_none() {
                seen.mean.pause();
            }
        }
        self.act(now, quote.instrument, middle.map(|_| quote), host);
    }

    fn on_event(&mut self, now: Timestamp, event: &Event, host: &mut dyn Host) {
        self.markets.hear(event);
        self.exposure.hear(event);
        self.orders.hear(event);
        match event {
            Event::Filled(fill) => {
                // Whatever an order takes, it takes at once.
                self.orders.forget(fill.tag);
                self.resolve(now, fill.instrument);
            }
            Event::Refused(refusal) => self.resolve(now, refusal.instrument),
            Event::Settled(settlement) => {
                self.seen.remove(&settlement.instrument);
            }
            Event::Gap(instrument) => {
                if let Some(seen) = self.seen.get_mut(instrument) {
                    (seen.bid, _) = (None, seen.mean.pause());
                }
            }
            Event::MarketClosed(_) => {
                let markets = &self.markets;
                self.seen
                    .retain(|id, seen| markets.of(*id).is_some() || seen.phase.is_engaged());
            }
            Event::Timer => {
                self.orders.expire(now);
                let engaged = self.seen.iter().filter(|(_, seen)| seen.phase.is_engaged());
                for instrument in engaged.map(|(id, _)| *id).collect::<Vec<_>>() {
                    self.resolve(now, instrument);
                    self.act(now, instrument, None, host);
                }
            }
            _ => return,
        }
        self.wake(now, host);
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::new(Self::NAME, Self::STATE);
        self.exposure.write(&mut out);
        self.orders.write(&mut out);
        for (instrument, seen) in &self.seen {
            out.line(format_args!("mean {instrument} {}", seen.mean.words()));
            out.line(format_args!("phase {instrument} {}", seen.phase));
        }
        out.into_bytes()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        for words in state::read(Self::NAME, Self::STATE, bytes)? {
            match words.as_slice() {
                ["held", instrument, qty, cost] => self.exposure.read(instrument, qty, cost)?,
                ["order", rest @ ..] => self.orders.read(rest)?,
                ["mean", instrument, rest @ ..] => {
                    let seen = Seen {
                        mean: Mean::read(rest)?,
                        bid: None,
                        phase: Phase::Flat { not_before: 0 },
                    };
                    self.seen.insert(state::number(instrument)?, seen);
                }
                ["phase", instrument, rest @ ..] => {
                    let phase = Phase::read(rest)?;
                    match self.seen.get_mut(&state::number(instrument)?) {
                        Some(seen) => seen.phase = phase,
                        None => return Err(state::unknown(&words)),
                    }
                }
                other => return Err(state::unknown(other)),
            }
        }
        Ok(())
    }
}

pm_arb_sdk::export!(crate::MeanReversion);

#[cfg(test)]
mod tests;
