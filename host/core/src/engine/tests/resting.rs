//! Orders that wait: their queue, their fills, their ends. Every number is worked out by hand.

use super::world::{START, World, bid_for, buy, cents, group, offer, sell, shares};
use crate::config::EngineConfig;
use crate::effect::{Effect, TradeRecord};
use crate::event::{Event, GapScope, StrategyChange, StrategyChangeKind};
use crate::ids::{InstrumentId, MarketId, StrategyId, Timestamp};
use crate::market::FeeSchedule;
use crate::reason::Reason;
use crate::resting::MAX_ORDERS_RESTING;
use crate::strategy::{Intent, StrategyFault, TimeInForce};
use crate::units::{Price, Qty, Usd};

const START_CASH: Usd = Usd(10_000_000_000);

/// A world in which strategy 0 has just come to rest behind the 100 bid at 48: 10 shares.
fn resting() -> World {
    let mut w = World::new();
    w.wish(bid_for(0, 48, 10));
    w.at(300).tick();
    w.check(&[]);
    assert_eq!(w.engine.status().orders_resting, 1);
    w
}

fn at_end(w: &World) {
    let status = w.engine.status();
    assert_eq!((status.orders_resting, status.reserved), (0, Usd(0)));
}

fn rows(w: &World) -> Vec<&TradeRecord> {
    let rows = w.effects.iter().filter_map(|effect| match effect {
        Effect::RecordTrade(row) => Some(&**row),
        _ => None,
    });
    rows.collect()
}

fn gap(w: &mut World) {
    w.step(Event::Gap {
        scope: GapScope::Instrument(InstrumentId(0)),
        cause: "socket closed".to_owned(),
    });
}

#[test]
fn the_queue_is_eaten_by_trades_then_the_order_is_hit() {
    let mut w = resting();
    // Ten shares at 0.48 and the roundings of at most a thousand fills are set aside.
    assert!(w.engine.status().reserved >= Usd(4_800_000));
    w.at(400).trade(0, 48, 60, false);
    w.at(410).bid(0, 48, 40);
    // Those who buy hit the other side.
    w.at(420).trade(0, 48, 500, true);
    w.check(&[]);
    // 40 are in front: of 45 sold, 5 reach us.
    w.at(500).trade(0, 48, 45, false);
    w.check(&["leg 0 open 5@0.48 fee 0.00 maker"]);
    // Somebody sold below our price: we had the first right to it.
    w.at(600).trade(0, 47, 3, false);
    w.check(&["leg 0 open 3@0.48 fee 0.00 fill 1 maker"]);
    // Buying Down at 0.52 is selling Up at 0.48.
    w.at(700).trade(1, 52, 10, true);
    w.check(&["leg 0 open 2@0.48 fee 0.00 fill 2 maker"]);
    at_end(&w);
    assert_eq!(w.engine.status().locked, Usd(4_800_000));
    assert_eq!(w.told().last().unwrap(), "bought 2@0.48 maker");
    let row = rows(&w)[1];
    assert_eq!(row.arrived_at, Timestamp::from_ms(START * 1_000 + 300));
    assert_eq!(row.at, Timestamp::from_ms(START * 1_000 + 600));
    assert_eq!((row.levels.len(), row.levels[0].qty), (1, shares(3)));
}

#[test]
fn a_trade_that_the_book_shows_before_it_prints_counts_once() {
    let mut w = resting();
    // A trade of 95 shrinks the level, then prints: 5 are still in front.
    w.at(400).bid(0, 48, 5);
    w.at(410).trade(0, 48, 95, false);
    w.check(&[]);
    w.at(500).trade(0, 48, 6, false);
    w.check(&["leg 0 open 1@0.48 fee 0.00 maker"]);
}

#[test]
fn who_comes_later_stands_behind_and_who_leaves_is_assumed_to_stand_there() {
    let mut w = resting();
    w.at(400).bid(0, 48, 300);
    w.at(500).bid(0, 48, 120);
    // 180 left, and may all have stood behind us: still 100 in front.
    w.at(2_000).trade(0, 48, 100, false);
    w.check(&[]);
    w.trade(0, 48, 4, false);
    w.check(&["leg 0 open 4@0.48 fee 0.00 maker"]);
}

#[test]
fn prints_told_twice_or_late_feed_no_queue() {
    let mut w = resting();
    let stamp = |ms| Timestamp::from_ms(START * 1_000 + ms);
    w.at(1_500).trade_of(0, 48, 60, false, stamp(1_400));
    w.trade_of(0, 48, 60, false, stamp(1_400));
    // The same trade, told by the other outcome.
    w.trade_of(1, 52, 60, true, stamp(1_400));
    assert_eq!(w.refused(Reason::DuplicatePrint), 2);
    // A second and a bit before the newest one.
    w.trade_of(0, 48, 50, false, stamp(399));
    assert_eq!(w.refused(Reason::LatePrint), 1);
    // Within a second it counts; so does a trade that differs in anything.
    w.trade_of(0, 48, 30, false, stamp(400));
    w.check(&[]);
    w.trade_of(0, 48, 11, false, stamp(1_401));
    w.check(&["leg 0 open 1@0.48 fee 0.00 maker"]);
    // What is no trade, or of no market, is counted too.
    w.trade(0, 48, 0, false);
    w.trade(0, 100, 5, false);
    w.trade(9, 48, 5, false);
    assert_eq!(w.refused(Reason::MalformedFrame), 2);
    assert_eq!(w.refused(Reason::UnknownInstrument), 1);
}

#[test]
fn trades_of_the_time_before_it_rested_are_not_its() {
    let mut w = World::new();
    w.wish(bid_for(0, 50, 10));
    w.at(290).bid(0, 49, 10);
    w.at(300).tick();
    let stamp = |ms| Timestamp::from_ms(START * 1_000 + ms);
    w.at(310).trade_of(0, 50, 4, false, stamp(290));
    w.trade_of(0, 47, 4, false, stamp(280));
    w.check(&[]);
    w.trade_of(0, 50, 4, false, stamp(291));
    w.check(&["leg 0 open 4@0.50 fee 0.00 maker"]);
}

#[test]
fn what_crosses_is_taken_and_the_rest_waits() {
    let mut w = World::bare(EngineConfig::default());
    w.market(0, |m| {
        m.fee = FeeSchedule::polymarket(70_000);
        m.maker_fee = FeeSchedule::kalshi(17_500);
    });
    w.book(0, &[(48, 100)], &[(52, 6), (60, 100)]);
    w.lines();
    w.wish(bid_for(0, 52, 10));
    w.at(300).tick();
    // Taker: 6 × 0.07 × 0.52 × 0.48 = 0.104832, cut to 0.10483.
    w.check(&["leg 0 open 6@0.52 fee 0.10483"]);
    // Maker: 4 × 0.0175 × 0.2496 = 0.017472, up to 0.0175.
    w.at(400).trade(0, 52, 50, false);
    w.check(&["leg 0 open 4@0.52 fee 0.0175 fill 1 maker"]);
    at_end(&w);
    let paid = 10 * 520_000 + 104_830 + 17_500;
    assert_eq!(w.engine.status().cash, Usd(START_CASH.0 - paid));
    let fees: Vec<Usd> = rows(&w).iter().map(|row| row.levels[0].fee).collect();
    assert_eq!(fees, [Usd(104_830), Usd(17_500)]);
}

#[test]
fn an_order_without_anybody_opposite_waits_too() {
    let mut w = World::new();
    w.wish(bid_for(0, 50, 10));
    w.at(200).ask(0, 52, 0);
    w.at(300).tick();
    w.check(&[]);
    assert_eq!(w.engine.status().orders_resting, 1);
}

#[test]
fn an_order_to_a_book_that_is_not_known_is_refused() {
    let mut w = World::new();
    w.wish(bid_for(0, 50, 10));
    gap(w.at(200));
    w.at(300).tick();
    w.check(&["leg 0 rejected BOOK_INTERRUPTED"]);
    at_end(&w);
}

#[test]
fn a_cancel_travels_and_fills_until_then_stand() {
    let mut w = resting();
    w.at(400).cancel(1);
    w.at(449).trade(0, 47, 4, false);
    w.check(&["leg 0 open 4@0.48 fee 0.00 maker"]);
    // 50 ms of our own: it is there before this trade.
    w.at(450).trade(0, 46, 4, false);
    w.check(&[]);
    assert_eq!(w.told().last().unwrap(), "refused CANCELLED");
    at_end(&w);

    // Never filled: one rejected row. Another strategy's tag, or another tag, is not meant.
    let mut w = resting();
    w.at(400).cancel(2);
    w.at(500).tick();
    assert_eq!(w.engine.status().orders_resting, 1);
    w.cancel(1);
    w.at(600).tick();
    w.check(&["leg 0 rejected CANCELLED"]);
    at_end(&w);
    assert_eq!(w.engine.status().cash, START_CASH);
}

#[test]
fn what_is_on_its_way_takes_but_does_not_come_to_rest_after_a_cancel() {
    let mut w = World::new();
    w.book(0, &[(48, 100)], &[(52, 6)]);
    w.wish(bid_for(0, 52, 10));
    w.wish(buy(0, 52, 5));
    w.at(100).cancel(1);
    w.at(300).tick();
    // The second is a taker: the cancel does not concern it, the book does.
    w.check(&["leg 0 open 6@0.52 fee 0.00", "leg 0 rejected NO_LIQUIDITY"]);
    assert_eq!(
        w.told()[1..],
        ["bought 6@0.52", "refused CANCELLED", "refused NO_LIQUIDITY"]
    );
    at_end(&w);
}

#[test]
fn good_till_date_ends_then() {
    let until = |ms| Intent {
        time_in_force: TimeInForce::Gtd(Timestamp::from_ms(START * 1_000 + ms)),
        ..bid_for(0, 48, 10)
    };
    let mut w = World::new();
    w.wish(until(1_000));
    w.at(999).trade(0, 47, 4, false);
    w.check(&["leg 0 open 4@0.48 fee 0.00 maker"]);
    w.at(1_000).trade(0, 47, 5, false);
    w.check(&[]);
    assert_eq!(w.told().last().unwrap(), "refused EXPIRED");
    at_end(&w);

    // Never filled, and over before it arrived.
    let mut w = World::new();
    w.wish(until(1_000));
    w.wish(until(300));
    w.at(2_000).tick();
    w.check(&["leg 0 rejected EXPIRED", "leg 0 rejected EXPIRED"]);
    at_end(&w);
}

#[test]
fn a_gap_costs_the_place_in_the_queue() {
    let mut w = resting();
    w.at(400).trade(0, 48, 95, false);
    gap(w.at(500));
    // Nobody knows who stands where; a trade through our price is a fact all the same.
    w.at(600).trade(0, 48, 500, false);
    w.check(&[]);
    w.trade(0, 47, 1, false);
    w.check(&["leg 0 open 1@0.48 fee 0.00 maker"]);
    w.at(700).book(0, &[(48, 20)], &[(52, 100)]);
    w.at(800).trade(0, 48, 22, false);
    w.check(&["leg 0 open 2@0.48 fee 0.00 fill 1 maker"]);
}

#[test]
fn a_new_grid_keeps_the_order_where_it_has_its_price() {
    let regrid = |tick| Event::TickSize {
        instrument: InstrumentId(0),
        tick: Price(tick),
    };
    let mut w = resting();
    w.at(400).step(regrid(1_000));
    w.check(&[]);
    w.step(regrid(100_000));
    w.check(&["leg 0 rejected OFF_TICK"]);
    at_end(&w);
}

#[test]
fn the_end_of_its_market_ends_an_order() {
    let mut w = resting();
    w.at(300_000).trade(0, 47, 10, false);
    w.check(&["leg 0 rejected MARKET_CLOSED"]);
    at_end(&w);

    let mut w = resting();
    w.at(400).resolve(0, &[100, 0]);
    w.check(&["leg 0 rejected MARKET_CLOSED"]);
    at_end(&w);

    // Put off while it rested: it waits until the new end.
    let mut w = resting();
    w.at(400).market(0, |m| {
        m.closes_at = Timestamp::from_secs(START + 600);
    });
    w.at(300_000).trade(0, 47, 4, false);
    w.check(&["leg 0 open 4@0.48 fee 0.00 maker"]);
    w.at(600_000).tick();
    assert_eq!(
        w.told()
            .iter()
            .filter(|t| *t == "refused MARKET_CLOSED")
            .count(),
        1
    );
    at_end(&w);
}

#[test]
fn a_pause_fills_nothing_and_a_halt_cancels() {
    let mut w = resting();
    let pause = |open| Event::Trading {
        market: crate::ids::MarketId(0),
        open,
    };
    w.at(400).step(pause(false));
    w.trade(0, 47, 4, false);
    w.check(&[]);
    w.at(410).step(pause(true));
    w.trade(0, 47, 4, false);
    w.check(&["leg 0 open 4@0.48 fee 0.00 maker"]);
    w.at(500).halt("enough");
    // The cancel is on its way for 50 ms.
    w.at(520).trade(0, 46, 1, false);
    w.check(&["alert HALTED", "leg 0 open 1@0.48 fee 0.00 fill 1 maker"]);
    w.at(550).trade(0, 45, 1, false);
    w.check(&[]);
    assert_eq!(w.told().last().unwrap(), "refused HALTED");
    at_end(&w);
}

#[test]
fn a_strategy_that_is_stopped_leaves_nothing_at_the_venue() {
    let mut w = resting();
    w.at(400).step(Event::Strategy(Box::new(StrategyChange {
        id: StrategyId(0),
        kind: StrategyChangeKind::Quarantined {
            fault: StrategyFault::OutOfFuel,
        },
    })));
    w.at(450).tick();
    w.check(&[
        "alert STRATEGY_QUARANTINED",
        "leg 0 rejected STRATEGY_QUARANTINED",
    ]);
    at_end(&w);
}

#[test]
fn a_book_that_moves_over_the_order_fills_it_at_its_limit() {
    let mut w = resting();
    w.at(400).bid(0, 48, 0);
    w.bid(0, 45, 10);
    // Offered at 0.46: whoever offers it would have met our 0.48 first.
    w.at(500).ask(0, 46, 4);
    w.check(&["leg 0 open 4@0.48 fee 0.00 maker"]);
    // Shown again it is the same offer; of 9, 5 are new.
    w.at(600).ask(0, 46, 4);
    w.ask(0, 52, 101);
    w.check(&[]);
    w.ask(0, 46, 9);
    w.check(&["leg 0 open 5@0.48 fee 0.00 fill 1 maker"]);
    // Those 9 are gone for a taker too.
    w.wish(buy(0, 46, 5));
    w.at(900).tick();
    w.check(&["leg 0 rejected NO_LIQUIDITY"]);
    // A crossed book is none.
    w.ask(0, 44, 50);
    w.check(&[]);
}

#[test]
fn half_a_message_moves_nothing_over_an_order() {
    let mut w = resting();
    let level = |side, price, more| {
        Event::Level(crate::event::LevelChange {
            instrument: InstrumentId(0),
            side,
            more,
            price: cents(price),
            qty: shares(if price == 48 { 0 } else { 5 }),
            venue_time: Timestamp::from_ms(START * 1_000 + 400),
        })
    };
    use crate::event::BookSide::{Ask, Bid};
    w.at(400).step(level(Bid, 48, true));
    w.step(level(Ask, 47, true));
    w.check(&[]);
    w.step(level(Bid, 46, false));
    w.check(&["leg 0 open 5@0.48 fee 0.00 maker"]);
}

#[test]
fn a_sale_waits_and_its_shares_are_not_sold_twice() {
    let mut w = World::new();
    w.wish(buy(0, 52, 20));
    w.at(300).tick();
    w.lines();
    w.wish(offer(0, 53, 15));
    w.at(600).tick();
    w.wish(sell(0, 48, 6));
    w.check(&["leg 0 rejected NO_POSITION"]);
    // 53 is behind the 52 shown, nobody is in front at 53 itself.
    w.at(700).trade(0, 53, 5, true);
    w.check(&["now open left 15 exit 0.53 pnl 0.05"]);
    // Selling Down at 0.46 is buying Up at 0.54, through our price.
    w.at(800).trade(1, 46, 4, false);
    w.check(&["now open left 11 exit 0.53 pnl 0.09"]);
    // What is not for sale can be sold.
    w.wish(sell(0, 48, 5));
    w.at(1_100).tick();
    // (9 × 0.53… + 5 × 0.48) / 14, and 9 × 0.01 gained, 5 × 0.04 lost.
    w.check(&["now open left 6 exit 0.512142 pnl -0.11"]);
    w.cancel(1);
    w.at(1_200).tick();
    w.check(&[]);
    assert_eq!(w.told().last().unwrap(), "refused CANCELLED");
    at_end(&w);
}

#[test]
fn our_own_orders_share_a_trade() {
    let mut w = World::new();
    w.strategy(1);
    w.lines();
    w.wish(bid_for(0, 48, 10));
    w.wish_of(1, bid_for(0, 49, 10));
    w.at(300).tick();
    // The better price first: 10 of 12, and 2 are left for the other one, through its price too.
    w.at(400).trade(0, 47, 12, false);
    w.check(&[
        "leg 0 open 10@0.49 fee 0.00 maker",
        "leg 0 open 2@0.48 fee 0.00 maker",
    ]);
}

#[test]
fn groups_do_not_rest_and_makers_pay_a_known_fee() {
    let mut w = World::new();
    w.market(1, |m| m.maker_fee = FeeSchedule::Unknown);
    w.book(1, &[(40, 100)], &[(44, 100)]);
    let mut both = group(&[(0, 50), (2, 42)], 10);
    both.time_in_force = TimeInForce::Gtc;
    w.wish(both);
    w.wish(bid_for(2, 42, 10));
    w.check(&[
        "leg 0 rejected INVALID_ORDER",
        "leg 1 rejected INVALID_ORDER",
        "leg 0 rejected UNKNOWN_FEE",
    ]);
}

#[test]
fn fills_are_whole_lots_and_a_rest_may_be_below_the_minimum() {
    let mut w = resting();
    // 7 of the minimum's 5 and more: the minimum is for orders, not for fills.
    w.at(400).trade(0, 47, 7, false);
    let mut dust = 0;
    for n in 0..3 {
        w.at(500 + n).step(Event::Print(crate::event::Print {
            instrument: InstrumentId(0),
            price: cents(47),
            qty: Qty(15_000),
            taker_bought: false,
            venue_time: Timestamp::from_ms(START * 1_000 + 500 + n),
        }));
        dust += 10_000;
    }
    let filled: i64 = rows(&w).iter().map(|row| row.qty.0).sum();
    assert_eq!(filled, 7_000_000 + dust);
}

#[test]
fn so_many_rest_and_no_more() {
    let mut config = EngineConfig::default();
    config.risk.intents_per_second = u32::MAX;
    config.risk.profit_min = Usd(0);
    config.starting_cash = Usd(1_000_000_000_000);
    let mut w = World::with(config);
    for _ in 0..=MAX_ORDERS_RESTING {
        w.wish(bid_for(0, 45, 5));
    }
    w.check(&["leg 0 rejected RATE_LIMIT"]);
    w.at(300).tick();
    assert_eq!(w.engine.status().orders_resting, MAX_ORDERS_RESTING);
    w.wish(bid_for(0, 45, 5));
    w.check(&["leg 0 rejected RATE_LIMIT"]);
    w.at(400).resolve(0, &[100, 0]);
    assert_eq!(w.lines().len(), MAX_ORDERS_RESTING);
    at_end(&w);
}

#[test]
fn a_makers_fee_that_rose_beyond_what_is_set_aside_ends_the_order() {
    let mut w = resting();
    // 4.80 for the shares, 0.101 for roundings; ten shares now cost a maker 0.9 × 10 × 0.48 × 0.52 more.
    assert!(w.engine.status().reserved < Usd(4_800_000 + 2_246_400));
    let mut spec = w.engine.data.market(MarketId(0)).unwrap().spec.clone();
    spec.maker_fee = FeeSchedule::kalshi(900_000);
    w.at(400).step(Event::MarketListed(Box::new(spec)));
    w.at(500).trade(0, 47, 10, false);
    w.check(&["leg 0 rejected RISK_ERROR"]);
    at_end(&w);
    assert_eq!(w.engine.status().cash, START_CASH);
}

#[test]
fn after_a_restart_what_was_under_way_is_refused_and_what_rested_waits_at_the_back() {
    let mut w = resting();
    w.at(400).wish(buy(0, 50, 10));
    w.wish(bid_for(0, 47, 10));
    // What a pilot that comes back records in the instant of its last record.
    w.step(Event::Gap {
        scope: GapScope::Venue(crate::ids::Venue::Polymarket),
        cause: "the pilot was not running".to_owned(),
    });
    w.at(60_000).tick();
    w.check(&[
        "leg 0 rejected BOOK_INTERRUPTED",
        "leg 0 rejected BOOK_INTERRUPTED",
    ]);
    assert_eq!(w.engine.status().orders_resting, 1);
    // Its place is lost: behind all that is shown now.
    w.book(0, &[(48, 300)], &[(50, 100)]);
    w.at(61_000).trade(0, 48, 300, false);
    w.check(&[]);
    w.at(61_100).trade(0, 48, 10, false);
    w.check(&["leg 0 open 10@0.48 fee 0.00 maker"]);
    at_end(&w);
}
