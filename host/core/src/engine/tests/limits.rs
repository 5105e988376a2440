//! Every rule of the guardian, on both sides of its limit.

use super::funnel::{only, refused};
use super::world::{World, buy, cents, group, sell, shares};
use crate::config::EngineConfig;
use crate::effect::{Effect, Message, TradeStatus};
use crate::event::{BookSnapshot, Event, OracleTick};
use crate::funnel::StageKey;
use crate::ids::{InstrumentId, Nanos, OpportunityId, OracleId, Seq, Timestamp};
use crate::market::FeeSchedule;
use crate::opportunity::{Opportunity, OpportunityKind, OpportunityLeg};
use crate::strategy::Intent;
use crate::units::{Bps, Price, Qty, SpotPrice, Usd};

/// What comes of one wish in a world that is set up first: approved, or the reason of the denial.
fn verdict(config: EngineConfig, prepare: impl FnOnce(&mut World), wish: Intent) -> String {
    let mut w = World::with(config);
    prepare(&mut w);
    judged(&mut w, wish)
}

fn judged(w: &mut World, wish: Intent) -> String {
    let (before, counted) = (w.effects.len(), refused(w));
    w.wish(wish);
    let reasons = w.effects[before..]
        .iter()
        .filter_map(|effect| match effect {
            Effect::RecordIntent(wish) => wish.verdict.as_ref().err().map(|r| r.reason),
            _ => None,
        });
    let denied: Vec<_> = reasons.map(|reason| (StageKey::Wishes, reason)).collect();
    only(&counted, w, &denied);
    let decisions: Vec<String> = w.effects[before..]
        .iter()
        .filter_map(|effect| match effect {
            Effect::Publish(message) => match &**message {
                Message::Decision(d) => Some(match &d.verdict {
                    Ok(_) => "approved".to_owned(),
                    Err(r) => {
                        assert!(
                            !r.limit.is_empty() && !r.observed.is_empty(),
                            "{r:?} says what was compared"
                        );
                        r.reason.code().to_owned()
                    }
                }),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    decisions[0].clone()
}

fn with(change: impl FnOnce(&mut EngineConfig)) -> EngineConfig {
    let mut config = EngineConfig::default();
    change(&mut config);
    config
}

fn plain(wish: Intent) -> String {
    verdict(EngineConfig::default(), |_| {}, wish)
}

fn edited(change: impl FnOnce(&mut Intent)) -> Intent {
    let mut intent = buy(0, 52, 10);
    change(&mut intent);
    intent
}

#[test]
fn an_order_must_be_one() {
    let cases = [
        (buy(0, 52, 10), "approved"),
        (edited(|i| i.legs.clear()), "INVALID_ORDER"),
        (edited(|i| i.legs = vec![i.legs[0]; 9]), "INVALID_ORDER"),
        (edited(|i| i.legs = vec![i.legs[0]; 2]), "INVALID_ORDER"),
        (edited(|i| i.qty = Qty(0)), "INVALID_ORDER"),
        (edited(|i| i.qty = Qty(-5_000_000)), "INVALID_ORDER"),
        (buy(77, 52, 10), "INVALID_ORDER"),
        (
            edited(|i| {
                i.opportunity = Some(OpportunityId { seq: Seq(1), n: 0 });
            }),
            "INVALID_ORDER",
        ),
        (edited(|i| i.legs[0].limit = Price(0)), "PRICE_OUT_OF_RANGE"),
        (
            edited(|i| i.legs[0].limit = Price::DOLLAR),
            "PRICE_OUT_OF_RANGE",
        ),
        (edited(|i| i.legs[0].limit = Price(515_000)), "OFF_TICK"),
        (edited(|i| i.qty = Qty(10_000_001)), "OFF_LOT"),
        (edited(|i| i.qty = Qty(4_990_000)), "BELOW_MINIMUM"),
        (edited(|i| i.qty = Qty(5_000_000)), "approved"),
        (
            edited(|i| i.qty = Qty(i64::MAX - 775_807)),
            "MAX_ORDER_VALUE",
        ),
    ];
    for (wish, expected) in cases {
        assert_eq!(plain(wish.clone()), expected, "{wish:?}");
    }
    let mut mixed = group(&[(0, 52), (1, 52)], 10);
    mixed.legs[1].buy = false;
    assert_eq!(plain(mixed), "INVALID_ORDER");
}

#[test]
fn one_order_is_worth_so_much_at_most() {
    let config = || with(|c| c.risk.order_value_max = Usd(5_200_000));
    assert_eq!(verdict(config(), |_| {}, buy(0, 52, 10)), "approved");
    let more = edited(|i| i.qty = Qty(10_010_000));
    assert_eq!(verdict(config(), |_| {}, more), "MAX_ORDER_VALUE");
}

#[test]
fn the_market_must_be_open_and_not_about_to_close() {
    let at = |ms: u64, wish| {
        let prepare = move |w: &mut World| {
            w.at(ms).book(0, &[(48, 100)], &[(52, 100)]);
        };
        verdict(EngineConfig::default(), prepare, wish)
    };
    assert_eq!(at(298_000, buy(0, 52, 10)), "approved");
    assert_eq!(at(298_001, buy(0, 52, 10)), "NEAR_EXPIRY");
    assert_eq!(at(300_000, buy(0, 52, 10)), "MARKET_CLOSED");
    let paused = |w: &mut World| {
        w.step(Event::Trading {
            market: crate::ids::MarketId(0),
            open: false,
        });
    };
    assert_eq!(
        verdict(EngineConfig::default(), paused, buy(0, 52, 10)),
        "MARKET_CLOSED"
    );
}

#[test]
fn a_rule_that_nobody_knows_is_not_replaced_by_a_guess() {
    let under = |change: fn(&mut crate::market::MarketSpec)| {
        let prepare = move |w: &mut World| {
            w.market(0, change);
            w.at(250).book(0, &[(48, 100)], &[(52, 100)]);
        };
        verdict(EngineConfig::default(), prepare, buy(0, 52, 10))
    };
    assert_eq!(under(|_| {}), "approved");
    assert_eq!(under(|m| m.taker_delay = None), "UNKNOWN_RULE");
    assert_eq!(under(|m| m.min_qty = None), "UNKNOWN_RULE");
    assert_eq!(under(|m| m.tick = None), "UNKNOWN_RULE");
    // The venue may tell the grid later; the snapshot after that trades.
    let told = |w: &mut World| {
        w.market(0, |m| m.tick = None);
        let tick = Price(10_000);
        let instrument = InstrumentId(0);
        w.step(Event::TickSize { instrument, tick });
        w.at(250).book(0, &[(48, 100)], &[(52, 100)]);
    };
    assert_eq!(
        verdict(EngineConfig::default(), told, buy(0, 52, 10)),
        "approved"
    );
}

#[test]
fn an_unknown_fee_is_not_traded() {
    let prepare = |w: &mut World| w.market(0, |m| m.fee = FeeSchedule::Unknown);
    assert_eq!(
        verdict(EngineConfig::default(), prepare, buy(0, 52, 10)),
        "UNKNOWN_FEE"
    );
}

#[test]
fn the_book_must_be_good() {
    type Prepare = fn(&mut World);
    let cases: [(Prepare, &str); 7] = [
        (|w| w.at(5_000).tick(), "approved"),
        (|w| w.at(5_001).tick(), "STALE_BOOK"),
        (|w| w.ask(0, 52, 0), "ONE_SIDED_BOOK"),
        (|w| w.bid(0, 52, 1), "CROSSED_BOOK"),
        (|w| w.book(0, &[(1, 100)], &[(99, 100)]), "PLACEHOLDER_BOOK"),
        (
            |w| {
                w.step(Event::Gap {
                    scope: crate::event::GapScope::Venue(crate::ids::Venue::Polymarket),
                    cause: "test".to_owned(),
                });
            },
            "NO_BOOK",
        ),
        (
            |w| {
                // A message that is not whole yet and one that is.
                let half = |more| BookSnapshot {
                    instrument: InstrumentId(0),
                    more,
                    venue_time: w.now,
                    bids: vec![(cents(48), shares(1))],
                    asks: vec![(cents(52), shares(1))],
                };
                let (first, last) = (half(true), half(false));
                w.step(Event::Snapshot(Box::new(first)));
                w.step(Event::Snapshot(Box::new(last)));
            },
            "approved",
        ),
    ];
    for (n, (prepare, expected)) in cases.into_iter().enumerate() {
        let got = verdict(EngineConfig::default(), prepare, buy(0, 52, 10));
        assert_eq!(got, expected, "case {n}");
    }
}

#[test]
fn a_limit_stays_near_the_present_price() {
    // Best ask 0.52, best bid 0.48, collar 0.10.
    for (wish, expected) in [
        (buy(0, 62, 10), "approved"),
        (buy(0, 63, 10), "PRICE_COLLAR"),
        (buy(0, 42, 10), "approved"),
        (buy(0, 41, 10), "PRICE_COLLAR"),
        (sell(0, 37, 10), "PRICE_COLLAR"),
        (sell(0, 38, 10), "NO_POSITION"),
    ] {
        assert_eq!(plain(wish.clone()), expected, "{wish:?}");
    }
}

#[test]
fn claims_must_be_worth_it_and_believable() {
    // 10 shares; at least 0.05 dollars expected, at most 0.30 a share.
    for (edge, expected) in [
        (4_999, "MIN_PROFIT"),
        (5_000, "approved"),
        (-1, "MIN_PROFIT"),
        (300_000, "approved"),
        (300_001, "EDGE_IMPLAUSIBLE"),
        (i64::MAX, "EDGE_IMPLAUSIBLE"),
        (i64::MIN, "RISK_ERROR"),
    ] {
        let wish = edited(|i| i.expected_edge = Usd(edge));
        assert_eq!(plain(wish), expected, "{edge}");
    }
}

/// A world that knows opportunity 1.0: buy Up at 0.52.
fn knows(w: &mut World, kind: OpportunityKind) -> OpportunityId {
    let id = OpportunityId { seq: Seq(1), n: 0 };
    let opportunity = Opportunity {
        id,
        kind,
        relation: None,
        at: w.now,
        legs: vec![OpportunityLeg {
            instrument: InstrumentId(0),
            market: crate::ids::MarketId(0),
            venue: crate::ids::Venue::Polymarket,
            price: cents(52),
            qty: shares(100),
            fair: None,
            fee: Usd(0),
            book_age: Nanos(0),
        }],
        edge: Usd(100_000),
        qty: shares(100),
        closes_at: Timestamp(0),
        oracle_age: Nanos(0),
    };
    w.engine.opportunities.insert(id, opportunity);
    id
}

#[test]
fn half_the_edge_may_be_gone_and_no_more() {
    for (ask, expected) in [(57, "approved"), (58, "SLIPPAGE"), (50, "approved")] {
        let mut w = World::new();
        let id = knows(&mut w, OpportunityKind::Mispricing);
        w.book(0, &[(48, 100)], &[(ask, 100)]);
        let mut wish = buy(0, 58, 10);
        wish.opportunity = Some(id);
        assert_eq!(judged(&mut w, wish), expected, "ask {ask}");
    }
}

#[test]
fn an_opportunity_is_traded_once() {
    let mut w = World::new();
    let id = knows(&mut w, OpportunityKind::Mispricing);
    let mut wish = buy(0, 52, 10);
    wish.opportunity = Some(id);
    assert_eq!(judged(&mut w, wish.clone()), "approved");
    assert_eq!(judged(&mut w, wish.clone()), "DUPLICATE");
    // The other outcome of the same market is another order.
    let mut other = buy(1, 52, 10);
    other.opportunity = Some(id);
    assert_eq!(judged(&mut w, other), "approved");
    // A market that the opportunity does not name is none of its business.
    w.market(1, |_| {});
    w.book(1, &[(48, 100)], &[(52, 100)]);
    let mut elsewhere = buy(2, 52, 10);
    elsewhere.opportunity = Some(id);
    assert_eq!(judged(&mut w, elsewhere), "INVALID_ORDER");
    // Ideas of one's own have no such limit.
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
}

#[test]
fn oracle_lag_needs_a_fresh_oracle() {
    for (age_ms, expected) in [
        (None, "STALE_ORACLE"),
        (Some(3_000), "approved"),
        (Some(4_000), "STALE_ORACLE"),
    ] {
        let mut w = World::new();
        let id = knows(&mut w, OpportunityKind::OracleLag);
        w.at(10_000);
        if let Some(age) = age_ms {
            let source_time = Timestamp(w.now.0 - age * 1_000_000);
            w.step(Event::OracleTick(OracleTick {
                oracle: OracleId(0),
                price: SpotPrice(1_000_000_000_000_000_000),
                source_time,
            }));
        }
        w.book(0, &[(48, 100)], &[(52, 100)]);
        let mut wish = buy(0, 52, 10);
        wish.opportunity = Some(id);
        assert_eq!(judged(&mut w, wish), expected, "{age_ms:?}");
    }
}

#[test]
fn too_many_wishes_a_second_are_too_many() {
    let mut w = World::with(with(|c| c.risk.intents_per_second = 2));
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
    w.at(400);
    // A denied wish counts as well.
    assert_eq!(judged(&mut w, buy(0, 63, 10)), "PRICE_COLLAR");
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "RATE_LIMIT");
    w.at(999);
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "RATE_LIMIT");
    w.at(1_000);
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
}

/// The most that 10 shares at 0.52 can cost, with every rounding: 5.20 and one micro-dollar a level.
const TEN_SHARES: i64 = 5_200_064;

#[test]
fn capital_is_shared_and_reserved() {
    // 20.80 dollars, half of them for a strategy alone: two orders of ten shares.
    let config = with(|c| {
        c.starting_cash = Usd(4 * TEN_SHARES);
        c.risk.position_per_market = Bps(10_000);
        c.risk.position_per_venue = Bps(10_000);
    });
    let mut w = World::with(config);
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
    assert_eq!(judged(&mut w, buy(0, 52, 5)), "CAPITAL");
    assert_eq!(w.engine.status().reserved, Usd(2 * TEN_SHARES));
    // The rounding reserve comes back, the cost does not.
    w.at(300).tick();
    assert_eq!(w.engine.status().reserved, Usd(0));
    assert_eq!(judged(&mut w, buy(0, 52, 5)), "CAPITAL");
}

#[test]
fn positions_and_orders_in_flight_count_toward_limits() {
    let market = with(|c| {
        c.starting_cash = Usd(20 * TEN_SHARES);
        c.risk.position_per_market = Bps(1_000);
    });
    let mut w = World::with(market);
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
    assert_eq!(judged(&mut w, buy(1, 52, 5)), "POS_LIMIT_MARKET");
    w.market(1, |_| {});
    w.book(1, &[(48, 100)], &[(52, 100)]);
    assert_eq!(judged(&mut w, buy(2, 52, 10)), "approved");

    let venue = with(|c| {
        c.starting_cash = Usd(20 * TEN_SHARES);
        c.risk.position_per_venue = Bps(1_000);
    });
    let mut w = World::with(venue);
    w.market(1, |_| {});
    w.book(1, &[(48, 100)], &[(52, 100)]);
    w.market(2, |m| m.venue = crate::ids::Venue::Kalshi);
    w.book(2, &[(48, 100)], &[(52, 100)]);
    assert_eq!(judged(&mut w, group(&[(0, 52), (2, 52)], 10)), "approved");
    assert_eq!(judged(&mut w, buy(2, 52, 5)), "POS_LIMIT_VENUE");
    assert_eq!(judged(&mut w, buy(4, 52, 10)), "approved");
}

#[test]
fn a_days_loss_halts_until_an_operator_and_the_next_day() {
    // Ten shares bought at 0.52 and marked at the bid of 0.48 are a loss of 0.40; the limit is 0.40.
    let config = with(|c| {
        c.starting_cash = Usd(40_000_000);
        c.risk.daily_loss = Bps(100);
        c.risk.position_per_market = Bps(10_000);
    });
    let mut w = World::with(config);
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00", "alert HALTED"]);
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "HALTED");
    w.resume();
    w.lines();
    // The operator's word does not make the loss undone.
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "DAILY_LOSS");
    assert!(w.engine.is_halted().unwrap().starts_with("DAILY_LOSS"));
    w.resume();
    // 12 hours later it is another day.
    w.at(12 * 3_600_000);
    w.market(1, |m| m.closes_at = Timestamp(w_end()));
    w.book(1, &[(48, 100)], &[(52, 100)]);
    assert_eq!(judged(&mut w, buy(2, 52, 10)), "approved");
}

fn w_end() -> u64 {
    (super::world::START + 14 * 3_600) * 1_000_000_000
}

#[test]
fn a_fall_from_the_high_water_mark_halts() {
    let config = with(|c| {
        c.starting_cash = Usd(40_000_000);
        c.risk.drawdown = Bps(100);
        c.risk.position_per_market = Bps(10_000);
    });
    let mut w = World::with(config);
    w.wish(buy(0, 52, 9));
    w.at(300).tick();
    w.check(&["leg 0 open 9@0.52 fee 0.00"]);
    // The bid falls by one cent: 9 × 0.05 = 0.45 of 40.
    w.bid(0, 48, 0);
    w.bid(0, 47, 100);
    assert_eq!(judged(&mut w, buy(0, 52, 9)), "DRAWDOWN");
    assert_eq!(judged(&mut w, buy(0, 52, 9)), "HALTED");
    // Resuming accepts that loss and measures from there.
    w.resume();
    assert_eq!(judged(&mut w, buy(0, 52, 9)), "approved");
}

#[test]
fn a_book_that_says_nothing_marks_nothing_and_one_without_bids_marks_zero() {
    let worth = |prepare: fn(&mut World)| {
        let mut w = World::new();
        w.wish(buy(0, 52, 10));
        w.at(300).tick();
        prepare(&mut w);
        // Any wish has the positions marked.
        w.wish(buy(0, 99, 10));
        w.engine.status().equity.0 - 10_000_000_000
    };
    assert_eq!(worth(|_| {}), -400_000);
    assert_eq!(worth(|w| w.book(0, &[(60, 1)], &[(61, 1)])), 0, "at cost");
    assert_eq!(worth(|w| w.bid(0, 48, 0)), -5_200_000);
    assert_eq!(worth(|w| w.book(0, &[(1, 9)], &[(99, 9)])), -400_000);
    assert_eq!(worth(|w| w.bid(0, 53, 9)), -400_000, "crossed");
    assert_eq!(worth(|w| w.at(300_000).tick()), -400_000, "over");
}

#[test]
fn a_halt_denies_wishes_and_voids_orders_in_flight() {
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(100).halt("operator: looks wrong");
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    w.check(&[
        "alert HALTED",
        "leg 0 rejected HALTED",
        "leg 0 rejected HALTED",
    ]);
    let status = w.engine.status();
    assert_eq!((status.reserved, status.locked), (Usd(0), Usd(0)));
    assert_eq!(w.engine.is_halted(), Some("operator: looks wrong"));
    w.halt("again");
    w.check(&[]);
    w.resume();
    assert_eq!(w.engine.is_halted(), None);
    assert_eq!(judged(&mut w, buy(0, 52, 10)), "approved");
}

#[test]
fn a_denied_wish_is_recorded_leg_by_leg_and_never_fills() {
    let mut w = World::new();
    let mut wish = group(&[(0, 52), (1, 52)], 10);
    wish.expected_edge = Usd(0);
    w.wish(wish);
    w.at(10_000).tick();
    w.check(&["leg 0 rejected MIN_PROFIT", "leg 1 rejected MIN_PROFIT"]);
    for effect in &w.effects {
        if let Effect::RecordTrade(row) = effect {
            assert!(!row.risk_approved && row.qty == Qty(0));
            assert_eq!(row.status, TradeStatus::Rejected);
            assert_eq!(row.requested_qty, shares(10));
        }
    }
    let summary = w.engine.summary();
    assert_eq!((summary.total_trades, summary.rejections), (0, 2));
    assert_eq!(summary.rejections_by_reason, [("MIN_PROFIT".to_owned(), 2)]);
    assert_eq!(w.engine.status().cash, Usd(10_000_000_000));
}

#[test]
fn without_money_nothing_is_approved() {
    let config = with(|c| c.starting_cash = Usd(0));
    assert_eq!(verdict(config, |_| {}, buy(0, 52, 10)), "CAPITAL");
}
