//! Every refusal is counted once, at its stage; looking changes nothing. (That the funnel conserves is
//! checked after every record of every scenario: `World::step`.)

use super::world::{World, bid_for, buy, cents, group, sell, shares};
use crate::event::{BookSide, Event, GapScope, LevelChange};
use crate::funnel::StageKey;
use crate::ids::{InstrumentId, MarketId, Nanos, Timestamp};
use crate::market::{ExclusiveSet, SettlementRule};
use crate::opportunity::OpportunityKind;
use crate::reason::Reason;
use crate::strategy::TimeInForce;
use std::collections::BTreeMap;

type Refused = BTreeMap<(StageKey, Reason), u64>;

/// Everything that was refused so far.
pub(super) fn refused(w: &World) -> Refused {
    let funnel = w.engine.funnel();
    funnel.check().unwrap();
    let stages = funnel.stages.iter();
    let all = stages.flat_map(|s| s.refused.iter().map(|(r, n)| ((s.key, *r), *n)));
    all.collect()
}

/// What was refused since.
#[track_caller]
pub(super) fn only(before: &Refused, w: &World, expected: &[(StageKey, Reason)]) {
    let mut after = refused(w);
    for (key, count) in before {
        *after.get_mut(key).unwrap() -= count;
    }
    after.retain(|_, count| *count > 0);
    let expected: Refused = expected.iter().map(|key| (*key, 1)).collect();
    assert_eq!(after, expected);
}

/// A market that nobody but the venue decides: its only look is at both outcomes.
fn quiet() -> World {
    let mut w = World::bare(crate::config::EngineConfig::default());
    w.market(0, |m| m.settlement = SettlementRule::VenueOnly);
    w.book(0, &[(48, 100)], &[(52, 100)]);
    w
}

#[test]
fn an_order_that_does_not_fill_is_one_refused_leg() {
    type Act = fn(&mut World);
    let cases: [(Act, Act, Reason); 7] = [
        (
            |w| w.wish(buy(0, 52, 10)),
            |w| {
                w.at(200).ask(0, 54, 100);
                w.ask(0, 52, 0);
            },
            Reason::NoLiquidity,
        ),
        (
            |w| {
                let mut whole = buy(0, 52, 400);
                whole.time_in_force = TimeInForce::Fok;
                w.wish(whole);
            },
            |_| {},
            Reason::FillOrKill,
        ),
        (
            |w| w.wish(buy(0, 52, 10)),
            |w| {
                let scope = GapScope::Instrument(InstrumentId(0));
                let cause = "test".to_owned();
                w.at(100).step(Event::Gap { scope, cause });
                w.book(0, &[(48, 100)], &[(52, 100)]);
            },
            Reason::BookInterrupted,
        ),
        (
            |w| w.wish(buy(0, 52, 10)),
            |w| {
                let (market, open) = (MarketId(0), false);
                w.at(100).step(Event::Trading { market, open });
            },
            Reason::MarketClosed,
        ),
        (
            |w| w.wish(buy(0, 52, 10)),
            |w| w.at(100).halt("test"),
            Reason::Halted,
        ),
        (
            |w| {
                w.wish(bid_for(0, 49, 10));
                w.at(400).tick();
            },
            |w| w.cancel(1),
            Reason::Cancelled,
        ),
        (
            |w| {
                let mut intent = bid_for(0, 49, 10);
                intent.time_in_force = TimeInForce::Gtd(w.now.plus(Nanos::from_ms(900)));
                w.wish(intent);
            },
            |_| {},
            Reason::Expired,
        ),
    ];
    for (prepare, act, reason) in cases {
        let mut w = quiet();
        prepare(&mut w);
        let before = refused(&w);
        act(&mut w);
        w.at(2_000).tick();
        only(&before, &w, &[(StageKey::Legs, reason)]);
    }
}

#[test]
fn an_unwound_leg_is_a_refused_trade() {
    let mut w = quiet();
    w.market(1, |m| m.settlement = SettlementRule::VenueOnly);
    w.book(1, &[(40, 100)], &[(42, 100)]);
    w.wish(group(&[(0, 52), (2, 42)], 10));
    let before = refused(&w);
    w.at(200).ask(2, 44, 100);
    w.ask(2, 42, 0);
    w.at(1_000).tick();
    only(
        &before,
        &w,
        &[
            (StageKey::Legs, Reason::NoLiquidity),
            (StageKey::Trades, Reason::LegUnwound),
        ],
    );
    let funnel = w.engine.funnel();
    assert_eq!(funnel.stage(StageKey::Fills).entered(), 2);
    assert_eq!(funnel.stage(StageKey::Trades).waiting(), 0);
}

#[test]
fn an_input_that_can_not_be_used_is_one_refused_record() {
    let level = |instrument: u32, price, at| LevelChange {
        instrument: InstrumentId(instrument),
        side: BookSide::Ask,
        more: false,
        price,
        qty: shares(1),
        venue_time: at,
    };
    let told = [
        Reason::ContradictoryMarket,
        Reason::MissingField,
        Reason::UnknownEnum,
    ];
    let told = told.map(|reason| {
        let venue = None;
        (Event::Refused { venue, reason }, reason)
    });
    let mut w = quiet();
    let now = w.at(1_000).now;
    w.book(0, &[(48, 100)], &[(52, 100)]);
    let mut unnamed = w.engine.data.market(MarketId(0)).unwrap().spec.clone();
    unnamed.native_id = String::new();
    let found = [
        (
            Event::Level(level(77, cents(50), now)),
            Reason::UnknownInstrument,
        ),
        (
            Event::Level(level(0, cents(50), Timestamp(1))),
            Reason::OutOfOrder,
        ),
        (Event::MarketListed(Box::new(unnamed)), Reason::EmptyId),
    ];
    for (event, reason) in told.into_iter().chain(found) {
        let before = refused(&w);
        w.step(event);
        only(&before, &w, &[(StageKey::Inputs, reason)]);
    }
}

#[test]
fn a_look_that_nothing_can_be_made_of_is_one_refused_look() {
    let mut w = quiet();
    let before = refused(&w);
    // 47 c and 52 c are a dollar less one, told in two messages.
    w.at(100).ask(0, 47, 10);
    only(&before, &w, &[(StageKey::Looks, Reason::PhantomSum)]);

    let mut w = World::bare(crate::config::EngineConfig::default());
    w.market(0, |m| {
        m.settlement = SettlementRule::VenueOnly;
        let event = "who".to_owned();
        m.exclusive_set = Some(ExclusiveSet {
            event,
            members: 3,
            augmented: false,
        });
    });
    let before = refused(&w);
    w.book(0, &[(48, 100)], &[(52, 100)]);
    only(&before, &w, &[(StageKey::Looks, Reason::IncompleteSet)]);
}

/// The oracle says that Up is worth more than is asked.
fn lagging() -> World {
    let mut w = World::bare(crate::config::EngineConfig::default());
    w.market(0, |_| {});
    w.oracle(65_000, 0);
    w.at(20_000).book(0, &[(40, 100)], &[(42, 100)]);
    w.oracle(65_030, 20);
    w
}

#[test]
fn an_opportunity_is_shown_then_wished_for_or_not_wanted() {
    let mut w = lagging();
    let stage = |w: &World| w.engine.funnel().stage(StageKey::Opportunities).clone();
    let shown = stage(&w);
    assert_eq!((shown.entered(), shown.passed, shown.waiting()), (1, 0, 1));
    let id = w.engine.scanner().shown().next().unwrap();
    let now = w.engine.opportunity(id).unwrap();
    assert!(now.shown && !now.wished);
    assert_eq!(now.seen.kind, OpportunityKind::OracleLag);
    // A first wish and another one of the same; neither loses the other.
    for _ in 0..2 {
        let mut wish = buy(0, 42, 10);
        wish.opportunity = Some(id);
        w.wish(wish);
    }
    let wished = stage(&w);
    assert_eq!((wished.passed, wished.waiting()), (1, 0));
    let wishes = w.engine.funnel().stage(StageKey::Wishes).clone();
    let entered: Vec<u64> = wishes.entered.iter().map(|(_, n)| *n).collect();
    assert_eq!(entered, [1, 1, 0, 0]);
    assert_eq!(wishes.refused, [(Reason::Duplicate, 1)]);
    assert!(w.engine.opportunity(id).unwrap().wished);

    let mut w = lagging();
    w.at(20_500).book(0, &[(58, 100)], &[(66, 100)]);
    let gone = stage(&w);
    assert_eq!((gone.entered(), gone.ended(), gone.waiting()), (1, 1, 0));
}

#[test]
fn asking_why_changes_nothing() {
    let mut w = lagging();
    let mut twin = lagging();
    let why = w.engine.why(MarketId(0)).unwrap();
    assert_eq!(why, w.engine.why(MarketId(0)).unwrap());
    // The look for a question sees what the scan saw.
    let best = why
        .looks
        .iter()
        .filter_map(|look| look.left)
        .map(|left| left.usd)
        .max();
    let seen = w.engine.scanner().shown().next().unwrap();
    let seen = w.engine.opportunity(seen).unwrap().seen;
    assert_eq!(best, Some(seen.edge));
    assert_eq!(why.mark.unwrap().best.unwrap().0.usd, seen.edge);
    assert!(why.oracle.unwrap().fresh && why.halted.is_none());
    assert_eq!(w.engine.funnel(), twin.engine.funnel());
    for w in [&mut w, &mut twin] {
        w.wish(buy(0, 42, 10));
        w.at(30_000).tick();
        w.wish(sell(0, 40, 5));
        w.at(40_000).tick();
    }
    assert_eq!(w.effects, twin.effects);
    assert_eq!(w.engine.why(MarketId(9)), None);
}

#[test]
fn why_names_what_is_missing() {
    let mut w = quiet();
    w.market(0, |m| {
        m.settlement = SettlementRule::VenueOnly;
        m.taker_delay = None;
    });
    w.at(6_000).tick();
    let why = w.engine.why(MarketId(0)).unwrap();
    assert_eq!(why.unknown, ["taker delay"]);
    let books: Vec<_> = why.books.iter().map(|b| (b.refused, b.age)).collect();
    let old = (Some(Reason::StaleBook), Some(Nanos::from_ms(6_000)));
    assert_eq!(books, [old, old]);
    assert!(why.oracle.is_none() && !why.held);
}
