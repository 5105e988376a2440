//! Events that every strategy should live through, in batches: ordinary days first, then strange ones.
//!
//! They are the same in every version of this program that has them, and no opinion about trading: prices
//! and edges are made up. What belongs to a strategy's own intents is made from what it wished.

use crate::plugin::told::Told;
use pm_arb_core::event::{OracleTick, Print};
use pm_arb_core::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, OracleId, Seq, Timestamp, Venue,
};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::opportunity::{Opportunity, OpportunityKind, OpportunityLeg};
use pm_arb_core::reason::Reason;
use pm_arb_core::strategy::{Filled, Intent, Quote, Refused, Settled};
use pm_arb_core::units::{ONE, Price, Qty, SpotPrice, Usd};

/// When they begin, in seconds: a minute after the markets open.
const START_SECS: u64 = 1_767_225_660;
/// When the markets close.
const CLOSE_SECS: u64 = START_SECS + 840;
/// An instrument, market and oracle that nobody listed.
const UNKNOWN: u32 = 4_000_000;
/// Entries of the long lists.
const MANY: u32 = 512;
/// Length of the long texts.
const LONG: usize = 4_096;
/// Wishes of a strategy whose fate is told.
pub const FATES_MAX: usize = 64;

/// Events that belong together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What they are.
    pub name: &'static str,
    /// In order.
    pub events: Vec<(Timestamp, Told)>,
}

/// A step of the list.
#[derive(Debug, Clone)]
pub enum Step {
    /// These events.
    Batch(Batch),
    /// What became of the wishes so far: see [`fates`].
    Fates,
}

/// Everything, in order.
#[must_use]
pub fn steps() -> Vec<Step> {
    let mut clock = Clock(0);
    let mut all = vec![
        batch("markets are listed", markets(&mut clock)),
        batch("quotes, some with an empty side", quotes(&mut clock)),
        batch("oracle values and trades of others", others(&mut clock)),
    ];
    for (kind, name) in [
        (OpportunityKind::OracleLag, "a market lags its oracle"),
        (
            OpportunityKind::Mispricing,
            "prices of one venue contradict each other",
        ),
        (
            OpportunityKind::CrossPlatform,
            "two venues price one question differently",
        ),
    ] {
        all.push(batch(name, seen(&mut clock, kind)));
    }
    all.push(Step::Fates);
    all.push(batch(
        "what became of orders that it never sent",
        strange_fates(&mut clock),
    ));
    all.push(batch("a gap, and a timer", gaps(&mut clock)));
    all.push(batch(
        "instruments and markets nobody listed",
        unknown(&mut clock),
    ));
    all.push(batch("long lists and texts", long(&mut clock)));
    all.push(batch("the markets close", closing(&mut clock)));
    // Time never goes back, so the end of time comes last.
    all.push(batch("the largest numbers there are", extreme(&mut clock)));
    all
}

fn batch(name: &'static str, events: Vec<(Timestamp, Told)>) -> Step {
    Step::Batch(Batch { name, events })
}

/// Counts the events: each is 50 ms after the one before.
struct Clock(u64);

impl Clock {
    fn at(&mut self, told: Told) -> (Timestamp, Told) {
        self.0 += 1;
        let at = Timestamp::from_secs(START_SECS).plus(Nanos::from_ms(50 * self.0));
        (at, told)
    }

    fn all(&mut self, told: impl IntoIterator<Item = Told>) -> Vec<(Timestamp, Told)> {
        told.into_iter().map(|one| self.at(one)).collect()
    }
}

fn cents(c: i64) -> Price {
    Price(c * ONE / 100)
}

fn shares(n: i64) -> Qty {
    Qty(n * ONE)
}

fn market(id: u32, venue: Venue, outcomes: u32) -> MarketSpec {
    let names = ["Up", "Down"];
    MarketSpec {
        id: MarketId(id),
        venue,
        native_id: format!("canned-{id}"),
        slug: format!("canned-up-or-down-{id}"),
        question: "Up or down?".to_owned(),
        outcomes: (0..outcomes)
            .map(|n| Outcome {
                instrument: InstrumentId(2 * id + n),
                name: names
                    .get(n as usize)
                    .map_or_else(|| format!("Outcome {n}"), |name| (*name).to_owned()),
                native_id: format!("canned-{id}-{n}"),
            })
            .collect(),
        tick: Some(cents(1)),
        lot: Qty(ONE / 100),
        min_qty: Some(shares(5)),
        fee: FeeSchedule::polymarket(70_000),
        maker_fee: FeeSchedule::Free,
        fee_rule: "canned".to_owned(),
        taker_delay: Some(Nanos(0)),
        opens_at: Timestamp::from_secs(START_SECS - 60),
        closes_at: Timestamp::from_secs(CLOSE_SECS),
        settlement: SettlementRule::UpDown {
            oracle: OracleId(0),
            strike: None,
        },
        exclusive_set: None,
        pair_key: Some("canned".to_owned()),
    }
}

fn markets(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    let list = |spec| Told::MarketListed(Box::new(spec));
    let venue_only = MarketSpec {
        settlement: SettlementRule::VenueOnly,
        fee: FeeSchedule::Unknown,
        tick: None,
        min_qty: None,
        pair_key: None,
        ..market(2, Venue::Polymarket, 2)
    };
    // The same again with another grid: a specification may change.
    let changed = MarketSpec {
        min_qty: Some(shares(1)),
        ..market(1, Venue::Kalshi, 2)
    };
    clock.all([
        list(market(0, Venue::Polymarket, 2)),
        list(market(1, Venue::Kalshi, 2)),
        list(venue_only),
        list(changed),
    ])
}

fn quote(instrument: u32, bid: Option<(i64, i64)>, ask: Option<(i64, i64)>) -> Told {
    let side = |side: Option<(i64, i64)>| side.map(|(c, n)| (cents(c), shares(n)));
    Told::Quote(Quote {
        instrument: InstrumentId(instrument),
        bid: side(bid),
        ask: side(ask),
    })
}

fn quotes(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    let mut all = vec![
        quote(0, Some((44, 100)), Some((46, 120))),
        quote(1, Some((54, 120)), Some((56, 100))),
        quote(2, Some((49, 30)), Some((52, 30))),
        quote(0, None, Some((46, 120))),
        quote(0, Some((44, 100)), None),
        quote(0, None, None),
        quote(0, Some((44, 100)), Some((46, 120))),
        // The same again, and crossed for a moment.
        quote(0, Some((44, 100)), Some((46, 120))),
        quote(1, Some((57, 10)), Some((56, 10))),
    ];
    // A price that falls, rests and comes back.
    for step in (0..20).chain((0..20).rev()) {
        let price = 45 - step;
        all.push(quote(0, Some((price - 1, 50)), Some((price + 1, 50))));
        all.push(quote(1, Some((99 - price, 50)), Some((101 - price, 50))));
    }
    clock.all(all)
}

fn others(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    let mut all = Vec::new();
    for n in 0..5_u64 {
        all.push(Told::OracleTick(OracleTick {
            oracle: OracleId(0),
            price: SpotPrice((64_000 + i128::from(n)) * 10_i128.pow(18)),
            source_time: Timestamp::from_secs(START_SECS + n),
        }));
        all.push(Told::Print(Print {
            instrument: InstrumentId(u32::from(n % 2 == 1)),
            price: cents(45),
            qty: shares(7),
            taker_bought: n % 2 == 0,
            venue_time: Timestamp::from_secs(START_SECS + n),
        }));
    }
    clock.all(all)
}

fn opportunity(seq: u64, kind: OpportunityKind, legs: u32, edge: i64) -> Opportunity {
    let pays = ONE - edge;
    let price = pays / i64::from(legs.max(2));
    Opportunity {
        id: OpportunityId {
            seq: Seq(seq),
            n: 0,
        },
        kind,
        relation: None,
        at: Timestamp::from_secs(START_SECS),
        legs: (0..legs)
            .map(|n| match kind {
                // The other side of the question, on the other venue.
                OpportunityKind::CrossPlatform => 3 * n,
                _ => n,
            })
            .map(|instrument| OpportunityLeg {
                instrument: InstrumentId(instrument),
                market: MarketId(instrument / 2),
                venue: if instrument / 2 == 0 {
                    Venue::Polymarket
                } else {
                    Venue::Kalshi
                },
                // On the grid of the canned markets.
                price: Price(price / 10_000 * 10_000),
                qty: shares(100),
                fair: (kind == OpportunityKind::OracleLag)
                    .then(|| Price(price / 10_000 * 10_000 + edge)),
                fee: Usd(0),
                book_age: Nanos::from_ms(20),
            })
            .collect(),
        edge: Usd(edge),
        qty: shares(100),
        closes_at: Timestamp::from_secs(CLOSE_SECS),
        oracle_age: Nanos::from_ms(40),
    }
}

fn seen(clock: &mut Clock, kind: OpportunityKind) -> Vec<(Timestamp, Told)> {
    let first = 100 * (kind as u64 + 1);
    let legs = match kind {
        OpportunityKind::OracleLag => 1,
        _ => 2,
    };
    let rich = Usd(1_000 * ONE);
    let told = |seen: Opportunity, capital| Told::Opportunity(Box::new(seen), capital);
    let edge = |seq, edge| opportunity(seq, kind, legs, edge);
    let old = Opportunity {
        legs: edge(first + 4, 60_000)
            .legs
            .into_iter()
            .map(|leg| OpportunityLeg {
                book_age: Nanos::from_ms(3_600_000),
                ..leg
            })
            .collect(),
        oracle_age: Nanos::from_ms(3_600_000),
        ..edge(first + 4, 60_000)
    };
    let over = Opportunity {
        closes_at: Timestamp::from_secs(START_SECS),
        ..edge(first + 5, 60_000)
    };
    clock.all([
        told(edge(first, 60_000), rich),
        // The same episode once more: it was taken, or not.
        told(edge(first, 60_000), rich),
        told(edge(first + 1, 60_000), Usd::ZERO),
        told(edge(first + 2, 1), rich),
        told(edge(first + 3, -60_000), rich),
        told(old, rich),
        told(over, rich),
        told(
            Opportunity {
                qty: Qty(1),
                ..edge(first + 6, 60_000)
            },
            rich,
        ),
        told(edge(first + 7, 60_000), rich),
    ])
}

fn intent_id(seq: u64) -> IntentId {
    IntentId {
        seq: Seq(seq),
        n: 0,
    }
}

fn filled(intent: IntentId, tag: u64, instrument: u32, price: Price, qty: Qty) -> Filled {
    Filled {
        intent,
        tag,
        instrument: InstrumentId(instrument),
        bought: true,
        qty,
        price,
        fee: Usd(1_000),
        maker: false,
    }
}

/// What becomes of wishes: the first is filled, the next half and half, then one is refused, and so on; in
/// the end the markets of what is held pay.
#[must_use]
pub fn fates(wishes: &[(Timestamp, Intent)]) -> Batch {
    let last = wishes.last().map_or(Timestamp(0), |(at, _)| *at);
    let mut events = Vec::new();
    let mut pays = Vec::new();
    let mut after = 0_u64;
    let mut tell = |told: Told| {
        after += 1;
        events.push((last.plus(Nanos::from_ms(after)), told));
    };
    for (n, (_, wish)) in wishes.iter().take(FATES_MAX).enumerate() {
        let id = intent_id(10_000 + n as u64);
        for leg in &wish.legs {
            let fill = |qty: Qty| {
                Told::Filled(Filled {
                    bought: leg.buy,
                    maker: wish.time_in_force.rests(),
                    ..filled(id, wish.tag, leg.instrument.0, leg.limit, qty)
                })
            };
            let refused = |reason| {
                Told::Refused(Refused {
                    intent: id,
                    tag: wish.tag,
                    instrument: leg.instrument,
                    reason,
                })
            };
            match n % 3 {
                0 => tell(fill(wish.qty)),
                1 => {
                    let half = Qty(wish.qty.0 / 2);
                    tell(fill(half));
                    tell(refused(Reason::Slippage));
                }
                _ => tell(refused(Reason::StaleBook)),
            }
            if n % 3 != 2 {
                pays.push(leg.instrument);
            }
        }
    }
    pays.sort_unstable();
    pays.dedup();
    for instrument in pays {
        tell(Told::Settled(Settled {
            market: MarketId(instrument.0 / 2),
            instrument,
            payout: if instrument.0 % 2 == 0 {
                Price::DOLLAR
            } else {
                Price(0)
            },
            pnl: Usd(if instrument.0 % 2 == 0 { ONE } else { -ONE }),
        }));
    }
    Batch {
        name: "what became of its own intents",
        events,
    }
}

fn strange_fates(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    let id = intent_id(9_999);
    clock.all([
        Told::Filled(filled(id, u64::MAX, 1, cents(50), shares(10))),
        Told::Refused(Refused {
            intent: id,
            tag: u64::MAX,
            instrument: InstrumentId(1),
            reason: Reason::Halted,
        }),
        Told::Settled(Settled {
            market: MarketId(0),
            instrument: InstrumentId(1),
            payout: Price(0),
            pnl: Usd(-5 * ONE),
        }),
    ])
}

fn gaps(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    clock.all([
        Told::Gap(InstrumentId(0)),
        Told::Gap(InstrumentId(0)),
        quote(0, Some((44, 100)), Some((46, 120))),
        Told::Timer,
        Told::Timer,
    ])
}

fn unknown(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    clock.all([
        quote(UNKNOWN, Some((10, 1)), Some((90, 1))),
        Told::Gap(InstrumentId(UNKNOWN + 1)),
        Told::MarketClosed(MarketId(UNKNOWN)),
        Told::OracleTick(OracleTick {
            oracle: OracleId(UNKNOWN),
            price: SpotPrice(1),
            source_time: Timestamp(0),
        }),
        Told::Print(Print {
            instrument: InstrumentId(UNKNOWN),
            price: cents(1),
            qty: Qty(1),
            taker_bought: false,
            venue_time: Timestamp(0),
        }),
        Told::Settled(Settled {
            market: MarketId(UNKNOWN),
            instrument: InstrumentId(UNKNOWN),
            payout: Price::DOLLAR,
            pnl: Usd(ONE),
        }),
    ])
}

fn long(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    let spec = MarketSpec {
        slug: "long-".repeat(LONG / 5),
        question: "Será? ✓ ".repeat(LONG / 12),
        ..market(1_000, Venue::Polymarket, MANY)
    };
    let mut all = vec![Told::MarketListed(Box::new(spec))];
    for kind in OpportunityKind::SCANNED {
        let mut seen = opportunity(900 + kind as u64, kind, MANY, 60_000);
        for leg in &mut seen.legs {
            leg.price = Price(1_000);
        }
        all.push(Told::Opportunity(Box::new(seen), Usd(1_000 * ONE)));
        let none = opportunity(950 + kind as u64, kind, 0, 60_000);
        all.push(Told::Opportunity(Box::new(none), Usd(1_000 * ONE)));
    }
    clock.all(all)
}

fn closing(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    clock.all([0, 1, 2, 0, 1_000].map(|id| Told::MarketClosed(MarketId(id))))
}

fn extreme(clock: &mut Clock) -> Vec<(Timestamp, Told)> {
    let mut all = Vec::new();
    for n in [i64::MAX, i64::MIN, 0, 1, -1] {
        all.push(Told::Quote(Quote {
            instrument: InstrumentId(u32::MAX),
            bid: Some((Price(n), Qty(n))),
            ask: Some((Price(n), Qty(n))),
        }));
        all.push(Told::Print(Print {
            instrument: InstrumentId(u32::MAX),
            price: Price(n),
            qty: Qty(n),
            taker_bought: true,
            venue_time: Timestamp(u64::MAX),
        }));
        all.push(Told::OracleTick(OracleTick {
            oracle: OracleId(u32::MAX),
            price: SpotPrice(i128::from(n) * 10_i128.pow(10)),
            source_time: Timestamp(u64::MAX),
        }));
        for kind in OpportunityKind::SCANNED {
            let mut seen = opportunity(u64::MAX, kind, 2, 60_000);
            seen.edge = Usd(n);
            seen.qty = Qty(n);
            seen.closes_at = Timestamp(u64::MAX);
            for leg in &mut seen.legs {
                (leg.price, leg.qty, leg.fee) = (Price(n), Qty(n), Usd(n));
                leg.fair = leg.fair.map(|_| Price(n));
            }
            all.push(Told::Opportunity(Box::new(seen), Usd(n)));
        }
        let mut fill = filled(intent_id(u64::MAX), u64::MAX, u32::MAX, Price(n), Qty(n));
        fill.fee = Usd(n);
        all.push(Told::Filled(fill));
        all.push(Told::Settled(Settled {
            market: MarketId(u32::MAX),
            instrument: InstrumentId(u32::MAX),
            payout: Price(n),
            pnl: Usd(n),
        }));
    }
    all.push(Told::MarketListed(Box::new(MarketSpec {
        lot: Qty(i64::MAX),
        min_qty: Some(Qty(i64::MAX)),
        tick: Some(Price(i64::MAX)),
        closes_at: Timestamp(u64::MAX),
        ..market(0, Venue::Kalshi, 2)
    })));
    all.push(Told::Opportunity(
        Box::new(opportunity(
            u64::MAX - 1,
            OpportunityKind::Mispricing,
            2,
            60_000,
        )),
        Usd(i64::MAX),
    ));
    let mut events = clock.all(all);
    events.push((Timestamp(u64::MAX), Told::Timer));
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_is_told_and_time_never_goes_back() {
        let mut kinds = BTreeSet::new();
        let mut last = Timestamp(0);
        for step in steps() {
            let Step::Batch(batch) = step else { continue };
            assert!(!batch.events.is_empty(), "{}", batch.name);
            for (at, told) in batch.events {
                assert!(at >= last, "{}: {}", batch.name, told.text());
                last = at;
                kinds.insert(told.name());
            }
        }
        assert_eq!(kinds.len(), crate::plugin::told::KINDS.len(), "{kinds:?}");
    }

    #[test]
    fn every_wish_has_a_fate() {
        use pm_arb_core::strategy::{IntentLeg, TimeInForce};
        let wish = |tag| Intent {
            opportunity: None,
            tag,
            legs: vec![IntentLeg {
                instrument: InstrumentId(3),
                buy: true,
                limit: cents(40),
            }],
            qty: shares(10),
            time_in_force: TimeInForce::Fak,
            expected_edge: Usd(1),
        };
        let wishes: Vec<_> = (0..3).map(|tag| (Timestamp(5), wish(tag))).collect();
        let names: Vec<&str> = fates(&wishes).events.iter().map(|e| e.1.name()).collect();
        assert_eq!(names, ["filled", "filled", "refused", "refused", "settled"]);
        assert!(fates(&[]).events.is_empty());
    }
}
