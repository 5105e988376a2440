//! Orders fill against the book they meet, and only once.

use super::world::{World, buy, group, sell, shares};
use crate::config::EngineConfig;
use crate::event::{Event, GapScope};
use crate::ids::InstrumentId;
use crate::market::FeeSchedule;
use crate::strategy::TimeInForce;
use crate::units::{Price, Qty, Usd};

#[test]
fn an_order_meets_the_book_of_its_arrival() {
    let mut w = World::new();
    w.wish(buy(0, 55, 10));
    w.at(200).ask(0, 52, 0);
    w.ask(0, 54, 100);
    w.at(299).tick();
    w.check(&[]);
    // 50 ms of our own and 250 ms of the venue's.
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.54 fee 0.00"]);
    assert_eq!(w.told(), ["listed 0", "bought 10@0.54"]);
}

#[test]
fn a_change_after_the_arrival_comes_too_late() {
    let mut w = World::new();
    w.wish(buy(0, 55, 10));
    // The first record after the arrival changes the book: the order met the one before.
    w.at(1_000).ask(0, 52, 0);
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
}

#[test]
fn a_price_beyond_the_limit_is_not_paid() {
    let mut w = World::new();
    w.wish(buy(0, 53, 10));
    w.at(200).ask(0, 52, 0);
    w.ask(0, 54, 100);
    w.at(300).tick();
    w.check(&["leg 0 rejected NO_LIQUIDITY"]);
    assert_eq!(w.told(), ["listed 0", "refused NO_LIQUIDITY"]);
}

#[test]
fn depth_is_walked_and_the_rest_cancelled_or_the_whole_killed() {
    let depth: &[(i64, i64)] = &[(52, 6), (53, 2), (60, 100)];
    let mut w = World::new();
    w.book(0, &[(48, 100)], depth);
    w.wish(buy(0, 55, 10));
    w.at(300).tick();
    // 6 × 0.52 + 2 × 0.53 = 4.18.
    w.check(&["leg 0 open 8@0.5225 fee 0.00"]);

    let mut w = World::new();
    w.book(0, &[(48, 100)], depth);
    let mut whole = buy(0, 55, 10);
    whole.time_in_force = TimeInForce::Fok;
    w.wish(whole);
    w.at(300).tick();
    w.check(&["leg 0 rejected FILL_OR_KILL"]);
}

#[test]
fn what_was_taken_stays_taken() {
    let mut w = World::new();
    w.wish(buy(0, 52, 60));
    w.wish(buy(0, 52, 60));
    w.wish(buy(0, 52, 60));
    w.at(300).tick();
    w.check(&[
        "leg 0 open 60@0.52 fee 0.00",
        "leg 0 open 40@0.52 fee 0.00",
        "leg 0 rejected NO_LIQUIDITY",
    ]);
    // The same size shown again is the same size; 30 more are new.
    w.book(0, &[(48, 100)], &[(52, 100)]);
    w.wish(buy(0, 52, 10));
    w.at(600).ask(0, 52, 130);
    w.check(&["leg 0 rejected NO_LIQUIDITY"]);
    w.wish(buy(0, 52, 60));
    w.at(900).tick();
    w.check(&["leg 0 open 30@0.52 fee 0.00"]);
    // A decrease gives nothing back; what comes on top of it is new.
    w.ask(0, 52, 20);
    w.wish(buy(0, 52, 60));
    w.at(1_200).tick();
    w.check(&["leg 0 rejected NO_LIQUIDITY"]);
    w.ask(0, 52, 27);
    w.wish(buy(0, 52, 60));
    w.at(1_500).tick();
    w.check(&["leg 0 open 7@0.52 fee 0.00"]);
}

#[test]
fn two_outcomes_show_one_book() {
    let mut w = World::new();
    w.wish(buy(1, 52, 50));
    w.at(300).tick();
    w.check(&["leg 0 open 50@0.52 fee 0.00"]);
    // Those 100 offered at 0.52 for Up are the 100 bid at 0.48 for Down: after 70 are bought, 30 are left.
    w.wish(buy(0, 52, 70));
    w.at(600).tick();
    w.wish(sell(1, 48, 50));
    w.at(900).tick();
    w.check(&[
        "leg 0 open 70@0.52 fee 0.00",
        "now open left 20 exit 0.48 pnl -1.20",
    ]);
}

#[test]
fn fees_are_the_markets_own_level_by_level() {
    let mut config = EngineConfig::default();
    config.risk.profit_min = Usd(0);
    config.risk.collar = Price(500_000);
    let mut w = World::bare(config);
    w.market(0, |m| {
        m.fee = FeeSchedule::polymarket(70_000);
        m.lot = Qty(1);
        m.min_qty = Some(Qty(1_000_000));
    });
    w.book(0, &[(80, 100)], &[(82, 100)]);
    let mut golden = buy(0, 82, 1);
    golden.qty = Qty(1_219_511);
    w.wish(golden);
    w.at(300).tick();
    // A recorded fill on chain: 1.219511 at 0.82 paid 0.01259.
    w.check(&["leg 0 open 1.219511@0.82 fee 0.01259"]);
    let cost = Usd(1_000_000); // 1.219511 × 0.82 = 0.99999902, rounded up
    let status = w.engine.status();
    assert_eq!((status.locked, status.fees), (cost, Usd(12_590)));
}

#[test]
fn an_interrupted_book_fills_nothing() {
    let mut w = World::new();
    w.wish(buy(0, 55, 10));
    w.at(100).step(Event::Gap {
        scope: GapScope::Instrument(InstrumentId(0)),
        cause: "socket closed".to_owned(),
    });
    w.at(200).book(0, &[(48, 100)], &[(52, 100)]);
    w.at(300).tick();
    w.check(&["leg 0 rejected BOOK_INTERRUPTED"]);

    let mut w = World::new();
    w.wish(buy(0, 55, 10));
    w.at(100).step(Event::TickSize {
        instrument: InstrumentId(0),
        tick: Price(1_000),
    });
    w.at(300).tick();
    w.check(&["leg 0 rejected BOOK_INTERRUPTED"]);
}

#[test]
fn a_book_that_went_stale_crossed_or_one_sided_fills_nothing() {
    let mut config = EngineConfig::default();
    config.risk.book_age_max = crate::ids::Nanos::from_ms(200);
    let mut w = World::with(config);
    w.wish(buy(0, 55, 10));
    w.at(300).tick();
    w.check(&["leg 0 rejected STALE_BOOK"]);

    let mut w = World::new();
    w.wish(buy(0, 55, 10));
    w.at(100).bid(0, 53, 10);
    w.at(300).tick();
    w.check(&["leg 0 rejected CROSSED_BOOK"]);

    let mut w = World::new();
    w.wish(buy(0, 55, 10));
    w.at(100).ask(0, 52, 0);
    w.at(300).tick();
    w.check(&["leg 0 rejected ONE_SIDED_BOOK"]);
}

#[test]
fn an_order_does_not_arrive_after_the_close() {
    let mut config = EngineConfig::default();
    config.risk.expiry_min = crate::ids::Nanos::from_ms(10);
    let mut w = World::with(config);
    w.at(299_800).book(0, &[(48, 100)], &[(52, 100)]);
    w.wish(buy(0, 52, 10));
    w.at(300_100).tick();
    w.check(&["leg 0 rejected MARKET_CLOSED"]);
}

/// Two markets; the second is slower.
fn pair() -> World {
    let mut w = World::new();
    w.market(1, |m| m.taker_delay = Some(crate::ids::Nanos::from_ms(450)));
    w.book(1, &[(40, 100)], &[(44, 100)]);
    w.lines();
    w
}

#[test]
fn a_matched_group_is_left_alone() {
    let mut w = pair();
    w.wish(group(&[(0, 52), (2, 44)], 10));
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    w.at(500).tick();
    w.check(&["leg 1 open 10@0.44 fee 0.00"]);
}

#[test]
fn an_orphan_leg_is_unwound_at_the_bids_then() {
    let mut w = pair();
    w.wish(group(&[(0, 52), (2, 44)], 10));
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    w.at(400).bid(0, 48, 0);
    w.bid(0, 47, 100);
    w.ask(2, 44, 0);
    w.ask(2, 60, 100);
    w.at(500).tick();
    w.check(&[
        "leg 1 rejected NO_LIQUIDITY",
        "now closed left 0 exit 0.47 pnl -0.50",
    ]);
    assert_eq!(
        w.told()[2..],
        [
            "bought 10@0.52",
            "refused NO_LIQUIDITY",
            "sold 10@0.47",
            "refused LEG_UNWOUND"
        ]
    );
    assert_eq!(w.engine.status().locked, Usd(0));
}

#[test]
fn only_the_surplus_of_a_group_is_unwound() {
    let mut w = pair();
    w.wish(group(&[(0, 52), (2, 44)], 20));
    w.at(300).tick();
    w.at(400).ask(2, 44, 12);
    w.at(500).tick();
    w.check(&[
        "leg 0 open 20@0.52 fee 0.00",
        "leg 1 open 12@0.44 fee 0.00",
        "now open left 12 exit 0.48 pnl -0.32",
    ]);
}

#[test]
fn a_surplus_without_a_bid_stays_open_and_is_reported() {
    let mut w = pair();
    w.wish(group(&[(0, 52), (2, 44)], 10));
    w.at(300).tick();
    w.at(400).bid(0, 48, 0);
    w.ask(2, 44, 0);
    w.at(500).tick();
    w.check(&[
        "leg 0 open 10@0.52 fee 0.00",
        "leg 1 rejected ONE_SIDED_BOOK",
        "alert ORPHAN_LEG",
    ]);
    assert_eq!(w.engine.summary().open_trades, 1);
}

#[test]
fn a_group_of_which_nothing_was_bought_is_only_rejections() {
    let mut w = pair();
    w.wish(group(&[(0, 52), (2, 44)], 10));
    w.at(200).ask(0, 52, 0);
    w.ask(2, 44, 0);
    w.at(500).tick();
    w.check(&[
        "leg 0 rejected ONE_SIDED_BOOK",
        "leg 1 rejected ONE_SIDED_BOOK",
    ]);
    assert_eq!(w.engine.status().cash, Usd(10_000_000_000));
}

#[test]
fn sales_reduce_the_oldest_rows_first_and_never_go_short() {
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.ask(0, 52, 0);
    w.ask(0, 50, 10);
    w.wish(buy(0, 50, 10));
    w.at(600).tick();
    w.lines();
    w.wish(sell(0, 48, 15));
    // What is on its way to be sold cannot be sold again.
    w.wish(sell(0, 48, 6));
    w.check(&["leg 0 rejected NO_POSITION"]);
    w.at(900).tick();
    w.check(&[
        "now closed left 0 exit 0.48 pnl -0.40",
        "now open left 5 exit 0.48 pnl -0.10",
    ]);
    w.wish(sell(0, 48, 5));
    w.at(1_200).tick();
    w.check(&["now closed left 0 exit 0.48 pnl -0.20"]);
    w.wish(sell(0, 48, 5));
    w.check(&["leg 0 rejected NO_POSITION"]);
    let summary = w.engine.summary();
    assert_eq!(
        (summary.total_trades, summary.closed_trades, summary.losses),
        (2, 2, 2)
    );
    assert_eq!(summary.realized_pnl, Usd(-600_000));
    assert_eq!(w.engine.status().cash, Usd(10_000_000_000 - 600_000));
}

#[test]
fn another_strategys_shares_are_not_ours_to_sell() {
    let mut w = World::new();
    w.strategy(1);
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.lines();
    w.wish_of(1, sell(0, 48, 10));
    w.check(&["leg 0 rejected NO_POSITION"]);
    assert_eq!(
        w.engine
            .positions
            .held(crate::ids::StrategyId(0), InstrumentId(0)),
        shares(10)
    );
}
