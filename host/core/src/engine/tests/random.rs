//! Whatever happens, money is conserved, denials never fill, and the same records give the same effects.

use super::world::{World, bid_for, buy, cents, group, offer, sell, shares};
use crate::config::EngineConfig;
use crate::effect::{Effect, Message, TradeStatus};
use crate::event::{BookSide, Event, GapScope, StrategyChange, StrategyChangeKind};
use crate::ids::{InstrumentId, IntentId, MarketId, Nanos, StrategyId, Timestamp, TradeId};
use crate::market::FeeSchedule;
use crate::order::LegState;
use crate::strategy::{StrategyFault, TimeInForce};
use crate::units::{Bps, Price, Usd};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Action {
    Wait(u64),
    Level(u32, bool, i64, i64),
    Book(u32, i64, i64, i64),
    Gap(u32),
    Buy(u32, i64, i64, bool),
    Pair(i64, i64, i64),
    Sell(u32, i64, i64),
    Oracle(i128, u64),
    Resolve(u32, i64),
    Halt,
    Resume,
    Fail,
    Trading(u32, bool),
    Rest(usize, u32, i64, i64, Option<u64>),
    Offer(u32, i64, i64),
    Trade(u32, i64, i64, bool, u64),
    Cancel(u64),
    Tick(u32, bool),
    Quarantine,
    Unload,
    Relist(u32, u32, i64),
    Latency(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let instrument = 0..4_u32;
    let price = 1..100_i64;
    let qty = 0..60_i64;
    prop_oneof![
        4 => (1..1_500_u64).prop_map(Action::Wait),
        6 => (instrument.clone(), any::<bool>(), price.clone(), qty.clone())
            .prop_map(|(i, b, p, q)| Action::Level(i, b, p, q)),
        4 => (0..2_u32, 2..97_i64, 1..3_i64, 1..80_i64)
            .prop_map(|(m, bid, spread, q)| Action::Book(m, bid, bid + spread, q)),
        1 => instrument.clone().prop_map(Action::Gap),
        6 => (instrument.clone(), price.clone(), 5..60_i64, any::<bool>())
            .prop_map(|(i, p, q, k)| Action::Buy(i, p, q, k)),
        4 => (price.clone(), price.clone(), 5..60_i64).prop_map(|(a, b, q)| Action::Pair(a, b, q)),
        4 => (instrument, price, 5..40_i64).prop_map(|(i, p, q)| Action::Sell(i, p, q)),
        2 => (64_990..65_010_i128, 0..305_u64).prop_map(|(p, s)| Action::Oracle(p, s)),
        1 => (0..2_u32, prop_oneof![Just(0), Just(50), Just(100), Just(130)])
            .prop_map(|(m, p)| Action::Resolve(m, p)),
        1 => Just(Action::Halt),
        2 => Just(Action::Resume),
        1 => Just(Action::Fail),
        1 => (0..2_u32, any::<bool>()).prop_map(|(m, o)| Action::Trading(m, o)),
        8 => (0..2_usize, 0..4_u32, 1..100_i64, 5..60_i64, prop::option::of(0..3_000_u64))
            .prop_map(|(s, i, p, q, until)| Action::Rest(s, i, p, q, until)),
        4 => (0..4_u32, 1..100_i64, 5..40_i64).prop_map(|(i, p, q)| Action::Offer(i, p, q)),
        8 => (0..5_u32, 0..101_i64, 0..80_i64, any::<bool>(), 0..2_500_u64)
            .prop_map(|(i, p, q, b, late)| Action::Trade(i, p, q, b, late)),
        2 => (1..3_u64).prop_map(Action::Cancel),
        1 => (0..4_u32, any::<bool>()).prop_map(|(i, fine)| Action::Tick(i, fine)),
        1 => Just(Action::Quarantine),
        1 => Just(Action::Unload),
        2 => (0..2_u32, 0..5_u32, 0..600_i64).prop_map(|(m, rule, end)| Action::Relist(m, rule, end)),
        1 => (0..900_u64).prop_map(Action::Latency),
    ]
}

/// Wide limits, so that much is approved.
fn generous() -> EngineConfig {
    let mut config = EngineConfig {
        starting_cash: Usd(60_000_000),
        ..EngineConfig::default()
    };
    config.risk.position_per_market = Bps(10_000);
    config.risk.position_per_venue = Bps(10_000);
    config.risk.daily_loss = Bps(9_000);
    config.risk.drawdown = Bps(9_000);
    config.risk.collar = cents(90);
    config.risk.intents_per_second = 1_000;
    config
}

fn act(w: &mut World, ms: &mut u64, action: &Action) {
    match action.clone() {
        Action::Wait(by) => {
            *ms += by;
            w.at(*ms).tick();
        }
        Action::Level(i, bid, p, q) => {
            let side = if bid { BookSide::Bid } else { BookSide::Ask };
            w.level(i, side, p, q);
        }
        Action::Book(m, bid, ask, q) => w.book(m, &[(bid, q), (1, 500)], &[(ask, q)]),
        Action::Gap(i) => w.step(Event::Gap {
            scope: GapScope::Instrument(InstrumentId(i)),
            cause: "random".to_owned(),
        }),
        Action::Buy(i, p, q, kill) => {
            let mut intent = buy(i, p, q);
            if kill {
                intent.time_in_force = TimeInForce::Fok;
            }
            w.wish(intent);
        }
        Action::Pair(a, b, q) => w.wish_of(1, group(&[(0, a), (2, b)], q)),
        Action::Sell(i, p, q) => w.wish(sell(i, p, q)),
        Action::Oracle(p, s) => w.oracle(p, s),
        Action::Resolve(m, p) => w.resolve(m, &[p, 100 - p]),
        Action::Halt => w.halt("random"),
        Action::Resume => w.resume(),
        Action::Fail => {
            w.scripts[0].lock().unwrap().fail = true;
            w.print();
            w.scripts[0].lock().unwrap().fail = false;
            w.reinstall(0);
        }
        Action::Trading(m, open) => w.step(Event::Trading {
            market: MarketId(m),
            open,
        }),
        Action::Rest(s, i, p, q, until) => {
            let mut intent = bid_for(i, p, q);
            intent.tag = 1 + q.unsigned_abs() % 2;
            if let Some(after) = until {
                intent.time_in_force = TimeInForce::Gtd(w.now.plus(Nanos::from_ms(after)));
            }
            w.wish_of(s, intent);
        }
        Action::Offer(i, p, q) => w.wish(offer(i, p, q)),
        Action::Trade(i, p, q, bought, late) => {
            let stamp = w.now.0.saturating_sub(Nanos::from_ms(late).0);
            w.trade_of(i, p, q, bought, Timestamp(stamp));
        }
        Action::Cancel(tag) => w.cancel(tag),
        Action::Tick(i, fine) => w.step(Event::TickSize {
            instrument: InstrumentId(i),
            tick: if fine { Price(1_000) } else { Price(10_000) },
        }),
        Action::Quarantine => {
            w.step(Event::Strategy(Box::new(StrategyChange {
                id: StrategyId(0),
                kind: StrategyChangeKind::Quarantined {
                    fault: StrategyFault::OutOfFuel,
                },
            })));
            w.reinstall(0);
        }
        Action::Unload => {
            w.step(Event::Strategy(Box::new(StrategyChange {
                id: StrategyId(0),
                kind: StrategyChangeKind::Unloaded,
            })));
            w.reinstall(0);
        }
        // The venue states another fee, another end, or another grid.
        Action::Relist(m, rule, end) => {
            let Some(state) = w.engine.data.market(MarketId(m)) else {
                return;
            };
            let mut spec = state.spec.clone();
            match rule {
                0 => spec.maker_fee = FeeSchedule::kalshi(900_000),
                1 => spec.maker_fee = FeeSchedule::Unknown,
                2 => spec.fee = FeeSchedule::kalshi(900_000),
                3 => {
                    spec.closes_at = spec
                        .closes_at
                        .plus(Nanos(end.unsigned_abs() * 1_000_000_000))
                }
                _ => spec.tick = Some(Price(20_000)),
            }
            w.step(Event::MarketListed(Box::new(spec)));
        }
        Action::Latency(own) => w.step(Event::Latency {
            venue: crate::ids::Venue::Polymarket,
            own: Nanos::from_ms(own),
        }),
    }
}

fn run(actions: &[Action]) -> World {
    let mut w = World::bare(generous());
    w.strategy(1);
    w.market(0, |m| m.fee = FeeSchedule::polymarket(70_000));
    w.market(1, |m| {
        m.fee = FeeSchedule::kalshi(70_000);
        m.maker_fee = FeeSchedule::kalshi(17_500);
        m.taker_delay = Some(crate::ids::Nanos::from_ms(700));
    });
    w.book(0, &[(48, 30)], &[(50, 30)]);
    w.book(1, &[(40, 30)], &[(42, 30)]);
    let mut ms = 0;
    for action in actions {
        act(&mut w, &mut ms, action);
        conserved(&w);
    }
    // Everything comes to its end.
    w.at(ms + 2_000).tick();
    w.resolve(0, &[100, 0]);
    w.resolve(1, &[0, 100]);
    conserved(&w);
    w
}

fn conserved(w: &World) {
    let ledger = &w.engine.ledger;
    let sum = ledger.cash().0 + ledger.reserved().0 + ledger.locked().0 + ledger.fees().0
        - ledger.realised().0;
    assert_eq!(sum, 60_000_000, "cash + reserved + locked + fees - gains");
    assert_eq!(ledger.locked(), w.engine.positions.cost());
    assert!(ledger.cash() >= Usd(0));
    // Running sums are what counting gives, and every position is marked at the bid of its book.
    w.engine.audit().unwrap();
    // What is set aside is what orders in flight and at rest have set aside.
    let engine = &w.engine;
    let flying = engine.orders.values().flat_map(|order| {
        order.legs.iter().map(|leg| match leg {
            LegState::InFlight(Some(reservation)) => reservation.amount().0,
            _ => 0,
        })
    });
    let resting = engine.resting.iter().map(|order| {
        assert!(order.left.0 > 0, "what rests wants something");
        order.reservation.as_ref().map_or(0, |r| r.amount().0)
    });
    assert_eq!(ledger.reserved().0, flying.chain(resting).sum::<i64>());
}

/// Facts that must hold of any run, read from its effects alone.
fn sound(w: &World) {
    let mut approved = BTreeSet::new();
    let mut open: BTreeMap<TradeId, i64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let (mut wishes, mut counted) = (BTreeSet::new(), BTreeMap::new());
    let (mut born, mut told) = (BTreeSet::new(), BTreeSet::new());
    let mut fills: BTreeMap<(IntentId, u16), (u16, i64)> = BTreeMap::new();
    let mut rejected = BTreeSet::new();
    for effect in &w.effects {
        match effect {
            Effect::Publish(message) => {
                if let Message::Decision(decision) = &**message
                    && decision.verdict.is_ok()
                {
                    approved.insert(decision.intent);
                }
            }
            Effect::RecordTrade(row) => {
                assert!(seen.insert(row.id), "row {} twice", row.id);
                assert_eq!(row.risk_approved, approved.contains(&row.intent));
                if row.status == TradeStatus::Open {
                    assert!(row.risk_approved, "a denied wish filled");
                    assert!(row.rejection.is_none() && row.qty.0 > 0);
                    // The fills of a leg are numbered, never too many, and never follow a rejection.
                    let (nth, sum) = fills.entry((row.intent, row.leg)).or_default();
                    assert_eq!(row.fill, *nth);
                    assert!(!rejected.contains(&(row.intent, row.leg)));
                    *nth += 1;
                    *sum += row.qty.0;
                    assert!(*sum <= row.requested_qty.0);
                    assert!(row.arrived_at <= row.at);
                    if row.maker {
                        assert!(row.levels.len() == 1 && row.levels[0].price == row.price);
                    }
                    open.insert(row.id, row.qty.0);
                    born.insert(row.id);
                } else {
                    assert!(row.rejection.is_some() && row.qty.0 == 0);
                    assert!(rejected.insert((row.intent, row.leg)), "rejected twice");
                    assert!(!fills.contains_key(&(row.intent, row.leg)));
                }
            }
            Effect::UpdateTrade(update) => {
                let left = open.get_mut(&update.id).expect("only open rows change");
                assert!(update.remaining_qty.0 < *left && update.remaining_qty.0 >= 0);
                *left = update.remaining_qty.0;
                if update.status != TradeStatus::Open {
                    assert_eq!(*left, 0);
                    open.remove(&update.id);
                }
            }
            Effect::Abort(text) => panic!("{text}"),
            Effect::RecordIntent(wish) => {
                assert!(wishes.insert(wish.id), "wish {} twice", wish.id);
                for leg in &wish.legs {
                    assert_eq!(
                        leg.naive.is_some(),
                        wish.verdict.is_ok(),
                        "graded exactly when approved"
                    );
                    assert!(leg.naive.is_some() || leg.mid.is_none());
                }
            }
            Effect::CountDenials(count) => {
                counted.insert((count.strategy, count.reason, count.minute), count.wishes);
            }
            Effect::Corroborate(said) => {
                assert!(born.contains(&said.trade), "the tape speaks of fills only");
                assert!(told.insert(said.trade), "and once");
            }
            Effect::RecordMarket(_)
            | Effect::RecordEquity(_)
            | Effect::WakeAt(_)
            | Effect::StrategyFailed { .. } => {}
        }
    }
    let summary = w.engine.summary();
    assert_eq!(summary.open_trades as usize, open.len());
    let status = w.engine.status();
    assert_eq!(
        status.counts.intents,
        wishes.len() as u64 + counted.values().sum::<u64>(),
        "every wish is stored or counted"
    );
    assert_eq!((status.orders_in_flight, status.orders_resting), (0, 0));
    assert_eq!(w.engine.resting.next_errand(), Timestamp(u64::MAX));
    assert_eq!(status.reserved, Usd(0));
    if open.is_empty() {
        // With nothing open, the rows' profit is exactly what the cash gained.
        assert_eq!(status.cash.0 - 60_000_000, summary.realized_pnl.0);
    }
}

proptest! {
    #[test]
    fn money_is_conserved_and_runs_repeat(actions in prop::collection::vec(action(), 1..120)) {
        let first = run(&actions);
        sound(&first);
        let second = run(&actions);
        prop_assert_eq!(&first.effects, &second.effects);
    }
}

#[test]
fn random_runs_do_trade() {
    // The property above must not hold because nothing ever happens.
    let mut w = World::bare(generous());
    w.strategy(1);
    w.market(0, |_| {});
    w.market(1, |_| {});
    w.book(0, &[(48, 30)], &[(50, 30)]);
    w.book(1, &[(40, 30)], &[(42, 30)]);
    let mut ms = 0;
    for action in [
        Action::Buy(0, 50, 20, false),
        Action::Wait(400),
        Action::Pair(50, 42, 8),
        Action::Wait(1_000),
        Action::Sell(0, 40, 5),
        Action::Wait(400),
        Action::Rest(0, 0, 49, 10, Some(2_000)),
        Action::Wait(400),
        Action::Trade(0, 49, 4, false, 0),
        Action::Cancel(1),
        Action::Wait(400),
    ] {
        act(&mut w, &mut ms, &action);
    }
    w.check(&[
        "leg 0 open 20@0.50 fee 0.00",
        "leg 0 open 8@0.50 fee 0.00",
        "leg 1 open 8@0.42 fee 0.00",
        "now open left 15 exit 0.48 pnl -0.10",
        "leg 0 open 4@0.49 fee 0.00 maker",
    ]);
    assert_eq!(w.told().last().unwrap(), "refused CANCELLED");
    assert_eq!(
        w.engine
            .positions
            .held(crate::ids::StrategyId(1), InstrumentId(0)),
        shares(8)
    );
}
