//! When mean-reversion buys, when it sells again, and what it remembers.
#![allow(clippy::unwrap_used)]

use super::*;
use pm_arb_sdk::FeeSchedule;
use pm_arb_sdk::hold::TRIES_MAX;
use pm_arb_sdk::testing::{SECOND, Stage, market};

/// A stage on which instrument 0 has wandered around 0.50 for two minutes.
fn warm(settings: &[(&str, &str)]) -> Stage<MeanReversion> {
    let mut stage = Stage::new(settings);
    stage.list(market(0));
    for n in 0..120 {
        let at = if n % 2 == 0 { 490_000 } else { 510_000 };
        assert_eq!(stage.quote(0, at - 10_000, at), [], "nothing is cheap yet");
        stage.pass(SECOND);
    }
    stage
}

/// The same, holding what a fall to 0.40 made it buy.
fn held(settings: &[(&str, &str)]) -> Stage<MeanReversion> {
    let mut stage = warm(settings);
    let bought = stage.quote(0, 390_000, 400_000);
    assert_eq!(stage.fill(&bought[0], 50 * ONE, 400_000), []);
    stage
}

#[test]
fn buys_a_fall_and_sells_at_the_mean() {
    let mut stage = warm(&[]);
    assert_eq!(stage.quote(0, 480_000, 490_000), [], "within its deviation");
    let bought = stage.quote(0, 390_000, 400_000);
    let [intent] = &bought[..] else {
        panic!("one purchase, not {bought:?}");
    };
    assert_eq!(
        intent.legs,
        [IntentLeg {
            instrument: 0,
            buy: true,
            limit: 400_000
        }]
    );
    assert_eq!(
        (intent.qty, intent.opportunity),
        (50 * ONE, None),
        "20 dollars at 0.40"
    );
    assert!(
        (90_000..=100_000).contains(&intent.expected_edge),
        "{}",
        intent.expected_edge
    );
    assert!(intent.time_in_force == TimeInForce::Fak);
    assert_eq!(stage.quote(0, 390_000, 400_000), [], "one at a time");

    assert_eq!(stage.fill(intent, 50 * ONE, 400_000), []);
    stage.pass(5 * SECOND);
    assert_eq!(stage.quote(0, 450_000, 460_000), [], "not back yet");
    stage.pass(SECOND);
    let sold = stage.quote(0, 500_000, 510_000);
    assert_eq!(
        sold[0].legs,
        [IntentLeg {
            instrument: 0,
            buy: false,
            limit: 480_000
        }]
    );
    assert_eq!(sold[0].qty, 50 * ONE);
    stage.fill(&sold[0], 50 * ONE, 500_000);
    assert_eq!(stage.strategy.exposure.total(), 0);
    assert_eq!(stage.quote(0, 390_000, 400_000), [], "a pause first");
}

#[test]
fn leaves_what_does_not_pay_or_tells_nothing() {
    type Prepare = fn(&mut Stage<MeanReversion>);
    type Case = (
        &'static str,
        &'static [(&'static str, &'static str)],
        Prepare,
    );
    let cases: [Case; 6] = [
        (
            "the gain a share is too small",
            &[("edge_min", "0.11")],
            |_| {},
        ),
        (
            "the gain in all is too small",
            &[("profit_min", "6")],
            |_| {},
        ),
        ("fewer deviations", &[("deviations", "20")], |_| {}),
        (
            "a book that hardly moves",
            &[("deviation_min", "0.05")],
            |_| {},
        ),
        ("the fees take it", &[("edge_min", "0.07")], |stage| {
            let fee = FeeSchedule::Quadratic(70_000);
            stage.list(pm_arb_sdk::Market { fee, ..market(0) });
        }),
        ("too late", &[], |stage| {
            stage.pass(361 * SECOND);
        }),
    ];
    for (why, settings, prepare) in cases {
        let mut stage = warm(settings);
        prepare(&mut stage);
        assert_eq!(stage.quote(0, 390_000, 400_000), [], "{why}");
    }
    let mut news = warm(&[]);
    assert_eq!(news.quote(0, 270_000, 280_000), [], "that is no noise");
    let mut wide = warm(&[]);
    assert_eq!(wide.quote(0, 370_000, 400_000), [], "a wide book");
    let mut cold = Stage::<MeanReversion>::new(&[]);
    cold.list(market(0));
    cold.quote(0, 490_000, 500_000);
    cold.pass(59 * SECOND);
    cold.quote(0, 510_000, 520_000);
    assert_eq!(
        cold.quote(0, 390_000, 400_000),
        [],
        "known for less than its window"
    );
    let mut unlisted = Stage::<MeanReversion>::new(&[]);
    assert_eq!(unlisted.quote(0, 390_000, 400_000), []);
}

#[test]
fn sells_after_a_time_and_before_the_close() {
    let mut stage = held(&[]);
    assert_eq!(stage.pass(89 * SECOND), []);
    let sold = stage.pass(SECOND);
    assert_eq!(
        sold[0].legs,
        [IntentLeg {
            instrument: 0,
            buy: false,
            limit: 370_000
        }]
    );

    // Ten minutes of market, two have passed: out twenty seconds before its end.
    let mut stage = held(&[("hold", "3600")]);
    assert_eq!(stage.pass(459 * SECOND), []);
    assert_eq!(stage.pass(SECOND).len(), 1);
}

#[test]
fn a_sale_that_fails_is_tried_again_and_not_for_ever() {
    let mut stage = held(&[]);
    let mut sold = stage.pass(90 * SECOND);
    for _ in 1..TRIES_MAX {
        assert_eq!(stage.refuse(&sold[0], "NO_LIQUIDITY"), [], "not at once");
        sold = stage.pass(2 * SECOND);
        assert_eq!(sold.len(), 1);
    }
    stage.refuse(&sold[0], "NO_LIQUIDITY");
    assert_eq!(stage.pass(60 * SECOND), []);
    assert_eq!(stage.quote(0, 600_000, 610_000), [], "it settles");
    stage.settle(0, 0, ONE);
    assert_eq!(stage.strategy.exposure.total(), 0);
}

#[test]
fn a_part_that_was_sold_leaves_the_rest_to_sell() {
    let mut stage = held(&[]);
    let sold = stage.pass(90 * SECOND);
    assert_eq!(stage.fill(&sold[0], 20 * ONE, 390_000), []);
    let rest = stage.pass(2 * SECOND);
    assert_eq!(rest[0].qty, 30 * ONE);
    // What is left is below the smallest order: nobody can sell it.
    stage.fill(&rest[0], 29 * ONE, 390_000);
    assert_eq!(stage.pass(10 * SECOND), []);
    assert_eq!(stage.strategy.exposure.qty(0), ONE);
}

#[test]
fn the_number_of_positions_is_bounded_and_a_refusal_frees_one() {
    let mut stage = warm(&[("positions_max", "1"), ("window", "1")]);
    stage.list(market(1));
    for n in 0..60 {
        let at = if n % 2 == 0 { 490_000 } else { 510_000 };
        stage.quote(2, at - 10_000, at);
        stage.pass(SECOND);
    }
    let first = stage.quote(2, 390_000, 400_000);
    assert_eq!(first.len(), 1);
    assert_eq!(stage.quote(0, 390_000, 400_000), [], "one is on its way");
    stage.refuse(&first[0], "CAPITAL");
    assert_eq!(stage.quote(0, 380_000, 390_000).len(), 1);
}

#[test]
fn state_survives_a_swap_in_every_phase() {
    let mut stage = warm(&[]);
    stage.swap();
    stage.list(market(0));
    let bought = stage.quote(0, 390_000, 400_000);
    stage.swap();
    stage.list(market(0));
    assert_eq!(
        stage.quote(0, 390_000, 400_000),
        [],
        "its purchase is on its way"
    );
    stage.fill(&bought[0], 50 * ONE, 400_000);
    stage.swap();
    stage.list(market(0));
    let sold = stage.quote(0, 500_000, 510_000);
    assert_eq!(sold[0].qty, 50 * ONE);
    stage.swap();
    stage.list(market(0));
    stage.fill(&sold[0], 50 * ONE, 500_000);
    stage.swap();

    let refused = |state: &[u8]| {
        Stage::<MeanReversion>::new(&[])
            .strategy
            .restore(state)
            .unwrap_err()
    };
    assert!(refused(b"mean-reversion 2\n").contains("reads \"mean-reversion 1\""));
    assert!(refused(b"mean-reversion 1\nphase 7 kept\n").contains("phase 7 kept"));
    assert!(refused(b"mean-reversion 1\nmean 7 1 1 1 1 1\nphase 7 lost\n").contains("lost"));
}
