//! Baskets over several markets, computed by hand: found to the millionth, or withheld for a reason.

use super::tests::{Bench, CRYPTO};
use super::*;
use crate::event::Event;
use crate::fixtures::*;
use crate::ids::{OracleId, Venue};
use crate::market::{ExclusiveSet, FeeSchedule, MarketSpec, SettlementRule};
use crate::strategy::MAX_LEGS;

/// "Above `strike` at the close", by oracle 0.
fn above(id: u32, strike: i64) -> MarketSpec {
    MarketSpec {
        settlement: SettlementRule::Above {
            oracle: OracleId(0),
            strike: spot(strike),
            strict: true,
            candle_secs: None,
        },
        ..market(id)
    }
}

/// "Touches `barrier` between these seconds", by oracle 0.
fn touch(id: u32, rises: bool, barrier: i64, window: (u64, u64)) -> MarketSpec {
    MarketSpec {
        opens_at: Timestamp::from_secs(window.0),
        closes_at: Timestamp::from_secs(window.1),
        settlement: SettlementRule::Touch {
            oracle: OracleId(0),
            barrier: spot(barrier),
            rises,
            interval_secs: 60,
        },
        ..market(id)
    }
}

/// Two markets, of which YES of market 0 asks 55 c and NO of market 1 asks 40 c, both for `qty`; the
/// other sides are their mirror images.
fn offered(bench: &mut Bench, ms: u64, qty: i64) -> Vec<Opportunity> {
    let mut seen = Vec::new();
    for (id, (bid, ask)) in [(0, (54, 55)), (1, (60, 61))] {
        let yes = book(2 * id, ms, (bid, qty), (ask, qty));
        let no = book(2 * id + 1, ms, (100 - ask, qty), (100 - bid, qty));
        seen.extend(bench.see(ms, more(yes)));
        seen.extend(bench.see(ms, no));
    }
    seen
}

/// What `offered` shows of two such markets.
fn of_two(first: MarketSpec, second: MarketSpec) -> (Vec<Opportunity>, Bench) {
    let mut bench = Bench::new([
        oracle(0, None),
        oracle(1, None),
        listed(first),
        listed(second),
    ]);
    let seen = offered(&mut bench, 901_000, 12);
    (seen, bench)
}

fn legs(seen: &Opportunity) -> Vec<(u32, Price)> {
    let legs = seen.legs.iter();
    legs.map(|l| (l.instrument.0, l.price)).collect()
}

#[test]
fn the_golden_implication_basket() {
    // "Above 98,000" is bid 60 c while "above 97,000" is offered at 55 c: YES of the lower and NO of
    // the higher threshold cost 95 c and pay a dollar at least.
    let fee = FeeSchedule::kalshi(70_000);
    let rung = |id, strike| MarketSpec {
        fee,
        ..above(id, strike)
    };
    let (seen, bench) = of_two(rung(0, 97_000), rung(1, 98_000));
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(seen.kind, OpportunityKind::Mispricing);
    assert_eq!(seen.relation, Some(Relation::Threshold));
    assert_eq!(legs(seen), [(0, cents(55)), (3, cents(40))]);
    // .07·.55·.45 = .017325 and .07·.40·.60 = .0168: of 5 c gross 1.5875 c a share are left.
    assert_eq!(
        (seen.legs[0].fee, seen.legs[1].fee),
        (Usd(17_325), Usd(16_800))
    );
    assert_eq!((seen.edge, seen.qty), (Usd(15_875), shares(12)));
    // One basket alone pays each fee rounded up to a hundredth of a cent: .0342, and nets .0158.
    let paid = seen
        .legs
        .iter()
        .map(|l| fee.fee(l.price, shares(1)).unwrap().0);
    assert_eq!(paid.sum::<i64>(), 34_200);
    assert_eq!(bench.scanner.counts().episodes, [0, 1, 0]);
}

#[test]
fn a_sum_of_yes_and_a_sum_of_no_with_fees() {
    let member = |id| MarketSpec {
        fee: CRYPTO,
        exclusive_set: Some(ExclusiveSet {
            event: "who".into(),
            members: 3,
            augmented: false,
        }),
        ..market(id)
    };
    // YES at 30 c three times; NO at 71 c: .07·.3·.7 = .0147 each, of 10 c gross 5.59 c are left.
    let all = || (0..3).map(|id| listed(member(id)));
    let mut b = Bench::new(all());
    let mut seen = Vec::new();
    for (id, qty) in [(0, 30), (1, 20), (2, 25)] {
        seen.extend(b.see(901_000, more(book(2 * id, 1, (29, 9), (30, qty)))));
        seen.extend(b.see(901_000, book(2 * id + 1, 1, (70, 9), (71, 9))));
    }
    let [yes] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(yes.relation, Some(Relation::ExclusiveSet));
    assert_eq!((yes.edge, yes.qty), (Usd(100_000 - 3 * 14_700), shares(20)));

    // NO at 66, 66 and 62 c are 1.94 for two dollars: .07·.66·.34 = .015708 twice, .07·.62·.38 =
    // .016492; of 6 c gross 1.2092 c are left.
    let mut b = Bench::new(all());
    let mut seen = Vec::new();
    for (id, no) in [(0, 66), (1, 66), (2, 62)] {
        seen.extend(b.see(901_000, more(book(2 * id, 1, (99 - no, 9), (101 - no, 9)))));
        seen.extend(b.see(901_000, book(2 * id + 1, 1, (no - 1, 9), (no, 8))));
    }
    let [no] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(no.edge, Usd(60_000 - 2 * 15_708 - 16_492));
    assert_eq!(legs(no), [(1, cents(66)), (3, cents(66)), (5, cents(62))]);
}

#[test]
fn a_set_with_more_members_than_legs_is_counted() {
    let members = MAX_LEGS as u16 + 1;
    let member = |id| MarketSpec {
        exclusive_set: Some(ExclusiveSet {
            event: "who".into(),
            members,
            augmented: false,
        }),
        ..market(id)
    };
    let mut b = Bench::new((0..u32::from(members)).map(|id| listed(member(id))));
    for id in 0..u32::from(members) {
        assert_eq!(b.see(901_000, book(2 * id, 1, (1, 9), (2, 9))), []);
    }
    assert_eq!(b.count(Reason::SetTooLarge), 1);
}

#[test]
fn barriers_and_windows() {
    // Reaching 110,000 takes reaching 100,000, dipping to 80,000 dipping to 90,000; and what happens
    // within a week happens within its month. YES of the easier 55 c, NO of the harder 40 c, fees
    // .07·.55·.45 = .017325 and .07·.40·.60 = .0168.
    let (week, month) = ((920, 1_500), (910, 2_000));
    let cases = [
        (
            "reach",
            true,
            (100_000, month),
            (110_000, month),
            Relation::Threshold,
        ),
        (
            "dip",
            false,
            (90_000, month),
            (80_000, month),
            Relation::Threshold,
        ),
        (
            "nested",
            true,
            (100_000, month),
            (100_000, week),
            Relation::NestedWindow,
        ),
        (
            "both",
            true,
            (100_000, month),
            (110_000, week),
            Relation::NestedWindow,
        ),
    ];
    for (name, rises, easy, hard, relation) in cases {
        let rung = |id, (barrier, window)| MarketSpec {
            fee: CRYPTO,
            ..touch(id, rises, barrier, window)
        };
        let (seen, _) = of_two(rung(0, easy), rung(1, hard));
        let [seen] = seen.as_slice() else {
            panic!("{name}: {seen:?}")
        };
        assert_eq!(seen.relation, Some(relation), "{name}");
        assert_eq!(legs(seen), [(0, cents(55)), (3, cents(40))], "{name}");
        assert_eq!((seen.edge, seen.qty), (Usd(15_875), shares(12)), "{name}");
        assert_eq!(seen.closes_at, Timestamp::from_secs(hard.1.1), "{name}");
    }
}

#[test]
fn windows_that_end_together_compare_by_what_they_opened_at() {
    let window = |id, opens: u64| MarketSpec {
        opens_at: Timestamp::from_secs(opens),
        closes_at: Timestamp::from_secs(1_900),
        ..up_down(id, 0)
    };
    // The quarter opened at 97,000, its last five minutes at 97,100: above that is above both.
    let mut b = Bench::new([
        oracle(0, None),
        listed(window(0, 1_000)),
        listed(window(1, 1_600)),
    ]);
    b.see(1_000_100, tick(0, 1_000_000, 97_000));
    // One strike is known, the other one not: nothing can be said.
    assert_eq!(offered(&mut b, 1_590_000, 12), []);
    b.see(1_600_100, tick(0, 1_600_000, 97_100));
    // The model has its own opinion of these prices; the sums are of interest here.
    let mut seen = offered(&mut b, 1_601_000, 13);
    seen.retain(|o| o.kind == OpportunityKind::Mispricing);
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(seen.relation, Some(Relation::NestedWindow));
    assert_eq!((seen.edge, seen.qty), (Usd(50_000), shares(13)));
    assert_eq!(legs(seen), [(0, cents(55)), (3, cents(40))]);
}

#[test]
fn two_that_ask_the_same_are_compared_both_ways() {
    // YES of one at 55 c and NO of the other at 40 c, whichever way round.
    for (a, b) in [(0, 1), (1, 0)] {
        let mut bench = Bench::new([
            oracle(0, None),
            listed(above(a, 97_000)),
            listed(above(b, 97_000)),
        ]);
        let seen = offered(&mut bench, 901_000, 12);
        assert_eq!(seen.len(), 1);
        assert_eq!(legs(&seen[0]), [(0, cents(55)), (3, cents(40))]);
    }
}

#[test]
fn rungs_that_are_not_next_to_each_other_are_compared() {
    // 97,000 at 55 c, 97,500 quoted 56 to 58, 98,000 at 60 bid: no two neighbours leave a cent.
    let mut b = Bench::new(
        [oracle(0, None)]
            .into_iter()
            .chain((0..3).map(|id| listed(above(id, 97_000 + 500 * i64::from(id))))),
    );
    let mut seen = Vec::new();
    for (id, (bid, ask)) in [(0, (50, 55)), (1, (55, 60)), (2, (60, 65))] {
        seen.extend(b.see(901_000, more(book(2 * id, 1, (bid, 9), (ask, 9)))));
        let no = book(2 * id + 1, 1, (100 - ask, 9), (100 - bid, 9));
        seen.extend(b.see(901_000, no));
    }
    let [seen] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(legs(seen), [(0, cents(55)), (5, cents(40))]);
}

#[test]
fn no_proof_no_relation() {
    type Change = fn(&mut MarketSpec);
    fn rule(spec: &mut MarketSpec, change: fn(&mut OracleId, &mut SpotPriceOf, &mut bool)) {
        if let SettlementRule::Above {
            oracle,
            strike,
            strict,
            ..
        } = &mut spec.settlement
        {
            change(oracle, strike, strict);
        }
    }
    type SpotPriceOf = crate::units::SpotPrice;
    // Each is done to the harder market of a pair that is a basket otherwise.
    let cases: [(&str, Change); 8] = [
        ("another source", |m| rule(m, |o, _, _| *o = OracleId(1))),
        ("another close", |m| {
            m.closes_at = Timestamp::from_secs(1_301)
        }),
        ("another venue", |m| m.venue = Venue::Kalshi),
        ("a lower threshold", |m| {
            rule(m, |_, k, _| *k = spot(96_999))
        }),
        ("or equal, where more is needed", |m| {
            rule(m, |_, k, strict| (*k, *strict) = (spot(97_000), false));
        }),
        ("another measure", |m| {
            m.settlement = SettlementRule::MeanAbove {
                oracle: OracleId(0),
                lookback_secs: 60,
                strike: Some(spot(98_000)),
                strict: true,
            };
        }),
        ("an unknown strike", |m| {
            m.settlement = SettlementRule::UpDown {
                oracle: OracleId(0),
                strike: None,
            };
        }),
        ("the venue's word only", |m| {
            m.settlement = SettlementRule::VenueOnly
        }),
    ];
    for (name, change) in cases {
        let mut harder = above(1, 98_000);
        assert_eq!(
            of_two(above(0, 97_000), harder.clone()).0.len(),
            1,
            "{name}"
        );
        change(&mut harder);
        let (seen, bench) = of_two(above(0, 97_000), harder);
        assert_eq!(seen, [], "{name}");
        assert_eq!(
            bench
                .scanner
                .counts()
                .refused(OpportunityKind::Mispricing)
                .count(),
            0
        );
    }
    // Windows that only overlap, or whose start nobody stated.
    for (outer, inner) in [
        ((910, 1_500), (920, 2_000)),
        ((910, 2_000), (905, 1_500)),
        ((0, 2_000), (920, 1_500)),
        ((910, 2_000), (0, 1_500)),
    ] {
        let easy = touch(0, true, 100_000, outer);
        let (seen, _) = of_two(easy, touch(1, true, 110_000, inner));
        assert_eq!(seen, [], "{outer:?} {inner:?}");
    }
    // A rise is no dip, a high of minutes no high of hours.
    let easy = touch(0, true, 100_000, (910, 2_000));
    let (seen, _) = of_two(easy.clone(), touch(1, false, 110_000, (910, 2_000)));
    assert_eq!(seen, []);
    let mut hourly = touch(1, true, 110_000, (910, 2_000));
    if let SettlementRule::Touch { interval_secs, .. } = &mut hourly.settlement {
        *interval_secs = 3_600;
    }
    assert_eq!(of_two(easy, hourly).0, []);
}

#[test]
fn what_keeps_a_basket_from_being_bought() {
    let pair = || {
        Bench::new([
            oracle(0, None),
            listed(above(0, 97_000)),
            listed(above(1, 98_000)),
        ])
    };
    // YES of 0 first; then NO of 1 tells the basket.
    let both = |first: (u64, Event), second: (u64, Event)| {
        let mut b = pair();
        assert_eq!(b.see(first.0, first.1), []);
        let seen = b.see(second.0, second.1);
        (
            seen.len(),
            b.scanner
                .counts()
                .refused(OpportunityKind::Mispricing)
                .collect::<Vec<_>>(),
        )
    };
    let yes = || book(0, 1, (54, 9), (55, 9));
    let no = || book(3, 1, (39, 9), (40, 9));
    assert_eq!(both((901_000, yes()), (901_750, no())), (1, vec![]));
    let cases = [
        ("skewed", (901_751, no()), Reason::PhantomSum),
        ("stale", (906_001, no()), Reason::StaleBook),
        (
            "crossed",
            (901_000, book(3, 1, (41, 9), (40, 9))),
            Reason::CrossedBook,
        ),
        (
            "small",
            (901_000, book(3, 1, (39, 9), (40, 4))),
            Reason::BelowMinimum,
        ),
        (
            "absurd",
            (901_000, book(3, 1, (9, 9), (10, 9))),
            Reason::EdgeImplausible,
        ),
    ];
    for (name, second, reason) in cases {
        assert_eq!(
            both((901_000, yes()), second),
            (0, vec![(reason, 1)]),
            "{name}"
        );
    }
    // A side without an ask offers nothing: no sum, no reason.
    let one_sided = book(3, 1, (39, 9), (0, 0));
    assert_eq!(both((901_000, yes()), (901_000, one_sided)), (0, vec![]));

    // A venue that paused one of them. (The model, asked about both outcomes, says so as well.)
    let mut b = pair();
    b.see(901_000, yes());
    let paused = Event::Trading {
        market: MarketId(1),
        open: false,
    };
    b.see(901_000, paused);
    assert_eq!(
        (b.see(901_000, no()).len(), b.count(Reason::MarketClosed)),
        (0, 1 + 2)
    );

    // Fees that eat it: at 70 and 29 c a cent is left gross, .0147 + .014413 are due.
    let costly = |id, strike| MarketSpec {
        fee: CRYPTO,
        ..above(id, strike)
    };
    let mut b = Bench::new([
        oracle(0, None),
        listed(costly(0, 97_000)),
        listed(costly(1, 98_000)),
    ]);
    b.see(901_000, book(0, 1, (69, 9), (70, 9)));
    assert_eq!(b.see(901_000, book(3, 1, (28, 9), (29, 9))), []);
    let refused = b.scanner.counts().refused(OpportunityKind::Mispricing);
    assert_eq!(
        refused.count(),
        0,
        "a price that leaves nothing is no phantom"
    );

    // A schedule nobody knows.
    let unknown = MarketSpec {
        fee: FeeSchedule::Unknown,
        ..above(1, 98_000)
    };
    let (seen, b) = of_two(above(0, 97_000), unknown);
    assert_eq!((seen.len(), b.count(Reason::UnknownFee)), (0, 1));
}

#[test]
fn a_basket_is_no_larger_than_every_market_takes() {
    // 12.345678 shares here; there whole ones, ten at least.
    let coarse = MarketSpec {
        lot: shares(1),
        min_qty: shares(10),
        ..above(1, 98_000)
    };
    for (qty, expected) in [(12_345_678, Some(shares(12))), (9_999_999, None)] {
        let mut b = Bench::new([
            oracle(0, None),
            listed(above(0, 97_000)),
            listed(coarse.clone()),
        ]);
        let Event::Snapshot(mut yes) = book(0, 1, (54, 9), (55, 9)) else {
            unreachable!()
        };
        yes.asks[0].1 = Qty(qty);
        b.see(901_000, Event::Snapshot(yes));
        let seen = b.see(901_000, book(3, 1, (39, 90), (40, 90)));
        assert_eq!(seen.first().map(|o| o.qty), expected);
        assert_eq!(b.count(Reason::BelowMinimum), u64::from(expected.is_none()));
    }
}

#[test]
fn a_contradiction_told_in_one_message_is_counted_once() {
    let mut b = Bench::new([
        oracle(0, None),
        listed(above(0, 97_000)),
        listed(above(1, 98_000)),
    ]);
    b.see(901_000, more(book(0, 1, (54, 9), (55, 4))));
    assert_eq!(b.see(901_000, book(3, 1, (39, 9), (40, 4))), []);
    assert_eq!(b.count(Reason::BelowMinimum), 1);
}
