//! What is recorded of wishes: judged, graded, counted, corroborated.

use super::world::{World, buy, cents, group, sell, shares};
use crate::config::EngineConfig;
use crate::effect::{DenialCount, Effect, Graded, IntentRecord, Tape};
use crate::engine::DENIALS_STORED_PER_MINUTE;
use crate::event::{Event, Print};
use crate::ids::{InstrumentId, Timestamp, TradeId};
use crate::market::FeeSchedule;
use crate::reason::Reason;
use crate::units::Usd;

fn wishes(w: &World) -> Vec<IntentRecord> {
    w.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::RecordIntent(wish) => Some((**wish).clone()),
            _ => None,
        })
        .collect()
}

fn counts(w: &World) -> Vec<DenialCount> {
    w.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::CountDenials(count) => Some((**count).clone()),
            _ => None,
        })
        .collect()
}

fn tape(w: &World) -> Vec<(TradeId, Tape)> {
    w.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Corroborate(said) => Some((said.trade, said.tape)),
            _ => None,
        })
        .collect()
}

fn printed(w: &mut World, instrument: u32, price: i64) {
    w.step(Event::Print(Print {
        instrument: InstrumentId(instrument),
        price: cents(price),
        qty: shares(3),
        taker_bought: false,
        venue_time: w.now,
    }));
}

#[test]
fn an_approved_wish_is_graded_on_every_leg_by_the_book_of_its_decision() {
    let mut w = World::bare(EngineConfig::default());
    w.market(0, |m| m.fee = FeeSchedule::polymarket(70_000));
    w.book(0, &[(48, 30)], &[(52, 7)]);
    w.wish(group(&[(0, 55), (1, 53)], 10));
    // What the book does afterwards is no business of these two.
    w.at(100).ask(0, 52, 0);
    let wish = wishes(&w).pop().unwrap();
    assert_eq!(wish.verdict, Ok(shares(10)));
    assert_eq!(
        (wish.strategy_name.as_str(), &wish.seen),
        ("scripted-0", &None)
    );
    let graded = |price: i64, value: i64, fee: i64| {
        Some(Graded {
            qty: shares(10),
            price: cents(price),
            value: Usd(value),
            fee: Usd(fee),
        })
    };
    let [up, down] = wish.legs.as_slice() else {
        panic!("{wish:?}")
    };
    assert_eq!(
        (up.bid, up.ask),
        (Some((cents(48), shares(30))), Some((cents(52), shares(7))))
    );
    assert_eq!(up.naive, graded(55, 5_500_000, 0));
    // 10 × 0.07 × 0.5 × 0.5 = 0.175.
    assert_eq!(up.mid, graded(50, 5_000_000, 175_000));
    assert_eq!(
        (down.bid, down.ask),
        (Some((cents(48), shares(7))), Some((cents(52), shares(30))))
    );
    assert_eq!(down.naive, graded(53, 5_300_000, 0));
    assert_eq!(down.mid, graded(50, 5_000_000, 175_000));
}

#[test]
fn a_sale_is_graded_at_its_limit_and_at_the_middle() {
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.wish(sell(0, 45, 10));
    let leg = wishes(&w).pop().unwrap().legs.remove(0);
    assert!(!leg.buy);
    assert_eq!(leg.naive.unwrap().value, Usd(4_500_000));
    assert_eq!(leg.mid.unwrap().value, Usd(5_000_000));
}

#[test]
fn a_denied_wish_is_recorded_without_grades() {
    let mut w = World::new();
    // The second leg names nothing that is listed.
    w.wish(group(&[(0, 52), (77, 52)], 10));
    let wish = wishes(&w).pop().unwrap();
    assert_eq!(wish.verdict.unwrap_err().reason, Reason::InvalidOrder);
    let [leg] = wish.legs.as_slice() else {
        panic!("legs of unknown instruments are left out")
    };
    assert_eq!((leg.leg, leg.naive, leg.mid), (0, None, None));
    assert_eq!(leg.ask, Some((cents(52), shares(100))));
}

#[test]
fn a_flood_of_denials_is_counted_and_the_summary_stays_exact() {
    let mut w = World::new();
    let stored = u64::from(DENIALS_STORED_PER_MINUTE);
    // 300 wishes in three seconds: 60 of them pass the limit of 20 a second and are too dear.
    for n in 0..300_u64 {
        w.at(n * 10);
        w.wish(group(&[(0, 99), (1, 52)], 10));
    }
    let summary = w.engine.summary();
    assert_eq!(
        summary.rejections_by_reason,
        [
            ("RATE_LIMIT".to_owned(), 480),
            ("PRICE_COLLAR".to_owned(), 120)
        ],
        "two legs a wish"
    );
    assert_eq!(w.engine.status().counts.denied, 300);
    let rows = w
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::RecordTrade(_)));
    assert_eq!(
        rows.count() as u64,
        2 * 2 * stored,
        "a bound for each reason"
    );
    assert_eq!(wishes(&w).len() as u64, 2 * stored);
    let last = |reason| {
        counts(&w)
            .into_iter()
            .rfind(|c| c.reason == reason)
            .unwrap()
    };
    let limited = last(Reason::RateLimit);
    assert_eq!(
        (limited.wishes, limited.legs),
        (240 - stored, 480 - 2 * stored)
    );
    assert_eq!(limited.minute, Timestamp::from_secs(super::world::START));
    assert_eq!(last(Reason::PriceCollar).wishes, 60 - stored);
    // The strategy is told of every one all the same.
    assert_eq!(
        w.told().iter().filter(|t| t.starts_with("refused")).count(),
        600
    );

    // A new minute begins anew.
    let before = wishes(&w).len();
    w.at(60_000).wish(buy(0, 99, 10));
    assert_eq!(wishes(&w).len(), before + 1);
    assert_eq!(w.engine.summary().rejections, 601);
}

#[test]
fn the_tape_says_within_a_second_whether_a_fill_was_real() {
    // Confirmed by the other outcome's print, 600 ms after the fill.
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.at(900);
    printed(&mut w, 1, 48);
    assert_eq!(tape(&w).len(), 1);
    assert_eq!(tape(&w)[0].1, Tape::Confirmed);
    w.at(5_000).tick();
    assert_eq!(tape(&w).len(), 1, "said once");

    // By one before it, which is said with the fill.
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(200);
    printed(&mut w, 0, 52);
    w.at(300).tick();
    assert_eq!(tape(&w)[0].1, Tape::Confirmed);

    // Not seen: the only prints are elsewhere, or too late.
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.at(1_300).tick();
    assert_eq!(tape(&w), [], "exactly a second later it may still come");
    w.at(1_301);
    printed(&mut w, 0, 52);
    assert_eq!(tape(&w)[0].1, Tape::NotSeen);

    // A print of no shares is no trade, and one told long after is none of this second.
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.at(600).trade(0, 52, 0, true);
    w.trade_of(0, 52, 5, true, Timestamp(1));
    w.at(1_400).tick();
    assert_eq!(tape(&w)[0].1, Tape::NotSeen);

    // A denied wish and an unfilled order are no fills.
    let mut w = World::new();
    w.wish(buy(0, 99, 10));
    w.wish(buy(0, 51, 10));
    w.at(9_000).tick();
    assert_eq!(tape(&w), []);
}

#[test]
fn a_market_whose_feed_prints_nothing_has_no_tape() {
    let mut w = World::new();
    w.market(1, |_| {});
    w.book(1, &[(48, 100)], &[(52, 100)]);
    // The scenario's wishes are made on prints of market 0.
    w.wish(buy(2, 52, 10));
    w.at(300).tick();
    w.at(1_400).tick();
    assert_eq!(tape(&w)[0].1, Tape::NoTape);
}
