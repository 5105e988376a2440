//! When leg-and-hedge buys a leg, hedges it, gives it up, and what it remembers.
#![allow(clippy::unwrap_used)]

use super::*;
use pm_arb_sdk::hold::TRIES_MAX;
use pm_arb_sdk::testing::{SECOND, Stage, market, opportunity};
use pm_arb_sdk::{IntentLeg, Market, Outcome, TimeInForce};

/// A stage on which YES (0) and NO (1) have stood at 0.50 for two minutes, for 1.01 together.
fn warm(settings: &[(&str, &str)]) -> Stage<LegAndHedge> {
    let mut stage = Stage::new(settings);
    stage.list(market(0));
    for _ in 0..120 {
        assert_eq!(stage.quote(0, 490_000, 500_000), []);
        assert_eq!(stage.quote(1, 490_000, 510_000), []);
        stage.pass(SECOND);
    }
    stage
}

/// The same, holding YES bought at 0.44 when it fell.
fn legged(settings: &[(&str, &str)]) -> Stage<LegAndHedge> {
    let mut stage = warm(settings);
    stage.quote(1, 540_000, 560_000);
    let entry = stage.quote(0, 430_000, 440_000);
    assert_eq!(stage.fill(&entry[0], entry[0].qty, 440_000), []);
    stage
}

const QTY: i64 = 45_450_000;

fn phase(stage: &Stage<LegAndHedge>) -> Option<Phase> {
    stage.strategy.sets.get(0).map(|set| set.phase)
}

#[test]
fn buys_a_leg_that_fell_and_hedges_it_when_that_locks_a_gain() {
    let mut stage = warm(&[]);
    assert_eq!(stage.quote(0, 450_000, 460_000), [], "not a dip yet");
    stage.quote(1, 540_000, 560_000);
    let entry = stage.quote(0, 430_000, 440_000);
    let [intent] = &entry[..] else {
        panic!("one leg, not {entry:?}");
    };
    assert_eq!(
        intent.legs,
        [IntentLeg {
            instrument: 0,
            buy: true,
            limit: 440_000
        }]
    );
    assert_eq!(intent.qty, QTY, "20 dollars at 0.44");
    assert!(intent.time_in_force == TimeInForce::Fok && intent.opportunity.is_none());
    assert!(
        (50_000..=55_000).contains(&intent.expected_edge),
        "{}",
        intent.expected_edge
    );
    assert_eq!(stage.quote(0, 420_000, 430_000), [], "one at a time");

    assert_eq!(stage.fill(intent, QTY, 440_000), []);
    assert_eq!(
        stage.quote(1, 545_000, 560_000),
        [],
        "a dollar for a dollar"
    );
    stage.pass(SECOND);
    let hedge = stage.quote(1, 530_000, 540_000);
    assert_eq!(
        hedge[0].legs,
        [IntentLeg {
            instrument: 1,
            buy: true,
            limit: 540_000
        }]
    );
    assert_eq!((hedge[0].qty, hedge[0].expected_edge), (QTY, 20_000));
    assert!(hedge[0].time_in_force == TimeInForce::Fok);
    assert_eq!(stage.fill(&hedge[0], QTY, 540_000), []);
    assert_eq!(phase(&stage), Some(Phase::Locked));
    assert_eq!(stage.pass(300 * SECOND), [], "it waits for its settlement");
    assert_eq!(
        stage.quote(0, 300_000, 310_000),
        [],
        "and is not entered again"
    );
    stage.settle(0, 0, ONE);
    stage.tell(&Event::MarketClosed(0));
    stage.settle(0, 1, 0);
    assert_eq!(stage.strategy.exposure.total(), 0);
    assert_eq!(phase(&stage), None, "the set is over");
}

#[test]
fn tries_again_when_the_hedge_does_not_fill() {
    let mut stage = legged(&[]);
    let hedge = stage.quote(1, 530_000, 540_000);
    assert_eq!(stage.refuse(&hedge[0], "FOK_UNFILLED"), []);
    assert_eq!(stage.quote(1, 530_000, 540_000), [], "not at once");
    stage.pass(2 * SECOND);
    assert_eq!(stage.quote(1, 530_000, 540_000).len(), 1);
}

#[test]
fn gives_a_leg_up_after_a_time_a_loss_or_before_the_end() {
    let mut stage = legged(&[]);
    assert_eq!(stage.pass(59 * SECOND), []);
    let sale = stage.pass(SECOND);
    assert_eq!(
        sale[0].legs,
        [IntentLeg {
            instrument: 0,
            buy: false,
            limit: 410_000
        }]
    );
    assert_eq!(sale[0].qty, QTY);
    stage.fill(&sale[0], QTY, 430_000);
    assert!(matches!(phase(&stage), Some(Phase::Idle { .. })));
    stage.quote(1, 540_000, 560_000);
    assert_eq!(stage.quote(0, 390_000, 400_000), [], "a pause first");

    let mut stage = legged(&[]);
    assert_eq!(stage.quote(0, 385_000, 400_000), [], "a loss of 0.055");
    assert_eq!(stage.quote(0, 380_000, 400_000).len(), 1, "a loss of 0.06");

    // Ten minutes of market, two have passed.
    let mut stage = legged(&[("hold", "3600")]);
    assert_eq!(stage.pass(459 * SECOND), []);
    assert_eq!(stage.pass(SECOND).len(), 1);
}

#[test]
fn a_leg_nobody_buys_is_kept_in_the_end() {
    let mut stage = legged(&[]);
    let mut sale = stage.pass(60 * SECOND);
    for _ in 1..TRIES_MAX {
        assert_eq!(stage.refuse(&sale[0], "NO_LIQUIDITY"), []);
        sale = stage.pass(2 * SECOND);
        assert_eq!(sale.len(), 1);
    }
    stage.refuse(&sale[0], "NO_LIQUIDITY");
    assert_eq!(stage.pass(60 * SECOND), []);
    assert_eq!(phase(&stage), Some(Phase::Kept));
}

#[test]
fn leaves_what_is_no_dip_out_of_reach_or_too_late() {
    let dip = |stage: &mut Stage<LegAndHedge>| {
        stage.quote(1, 540_000, 560_000);
        stage.quote(0, 430_000, 440_000)
    };
    for settings in [
        ("dip", "0.07"),
        ("lock_min", "0.06"),
        ("profit_min", "3"),
        ("exposure_max", "2"),
    ] {
        assert_eq!(dip(&mut warm(&[settings])), [], "{settings:?}");
    }
    let mut news = warm(&[]);
    news.quote(1, 700_000, 720_000);
    assert_eq!(news.quote(0, 270_000, 280_000), [], "that is no noise");
    let mut far = warm(&[]);
    far.quote(1, 580_000, 600_000);
    assert_eq!(far.quote(0, 430_000, 440_000), [], "1.04 for a dollar");
    let mut late = warm(&[]);
    late.pass(361 * SECOND);
    assert_eq!(dip(&mut late), [], "too late");
    let mut blind = warm(&[]);
    blind.tell(&Event::Gap(1));
    assert_eq!(
        blind.quote(0, 430_000, 440_000),
        [],
        "the other leg has no price"
    );
}

/// Three markets of which exactly one pays.
fn exclusive(stage: &mut Stage<LegAndHedge>) -> Opportunity {
    for id in 0..3 {
        // One instrument each is enough here.
        let outcomes = vec![Outcome {
            instrument: id,
            name: "Yes".to_owned(),
        }];
        stage.list(Market {
            outcomes,
            ..market(id)
        });
    }
    let prices = [(300_000, None), (310_000, None), (320_000, None)];
    let mut seen = opportunity(1, OpportunityKind::Mispricing, &prices);
    seen.legs[1].qty = 30 * ONE;
    seen
}

#[test]
fn of_an_exclusive_set_it_takes_the_hard_leg_first_and_then_the_others_together() {
    let mut stage = Stage::<LegAndHedge>::new(&[]);
    let seen = exclusive(&mut stage);
    let entry = stage.see(seen.clone());
    assert_eq!(
        entry[0].legs,
        [IntentLeg {
            instrument: 1,
            buy: true,
            limit: 310_000
        }]
    );
    assert_eq!((entry[0].qty, entry[0].expected_edge), (30 * ONE, 70_000));
    assert!(entry[0].opportunity.is_some());
    assert_eq!(stage.see(seen), [], "once");
    stage.fill(&entry[0], 30 * ONE, 310_000);
    assert_eq!(
        stage.quote(0, 290_000, 300_000),
        [],
        "one price is not known"
    );
    let hedge = stage.quote(2, 310_000, 330_000);
    let legs: Vec<_> = hedge[0]
        .legs
        .iter()
        .map(|leg| (leg.instrument, leg.limit))
        .collect();
    assert_eq!(legs, [(0, 300_000), (2, 330_000)]);
    assert_eq!((hedge[0].qty, hedge[0].expected_edge), (30 * ONE, 60_000));
    // One leg fills, the other does not: the host sells the first again.
    stage.fill_leg(&hedge[0], 0, 30 * ONE, 300_000);
    stage.tell(&Event::Refused(pm_arb_sdk::testing::refusal(
        hedge[0].tag,
        2,
        "FOK_UNFILLED",
    )));
    let sold = Intent {
        legs: vec![IntentLeg {
            instrument: 0,
            buy: false,
            limit: 1,
        }],
        ..hedge[0].clone()
    };
    assert_eq!(stage.fill(&sold, 30 * ONE, 290_000), []);
    assert!(matches!(phase(&stage), Some(Phase::Legged(_))));
    stage.pass(2 * SECOND);
    let again = stage.quote(2, 310_000, 330_000);
    assert_eq!(again[0].legs.len(), 2);
    stage.fill_leg(&again[0], 0, 30 * ONE, 300_000);
    stage.fill_leg(&again[0], 1, 30 * ONE, 330_000);
    assert_eq!(phase(&stage), Some(Phase::Locked));
}

#[test]
fn the_number_of_open_legs_is_bounded() {
    let mut stage = legged(&[("sets_max", "1"), ("hold", "3600"), ("loss_max", "1")]);
    stage.list(market(1));
    for _ in 0..60 {
        stage.quote(2, 490_000, 500_000);
        stage.quote(3, 490_000, 510_000);
        stage.pass(SECOND);
    }
    stage.quote(3, 540_000, 560_000);
    assert_eq!(stage.quote(2, 430_000, 440_000), [], "one is open");
    let hedge = stage.quote(1, 530_000, 540_000);
    stage.fill(&hedge[0], QTY, 540_000);
    assert_eq!(
        stage.quote(2, 430_000, 440_000).len(),
        1,
        "a locked one is not"
    );
}

#[test]
fn state_survives_a_swap_in_every_phase() {
    let swap = |stage: &mut Stage<LegAndHedge>| {
        stage.swap();
        stage.list(market(0));
    };
    let mut stage = warm(&[]);
    swap(&mut stage);
    stage.quote(1, 540_000, 560_000);
    let entry = stage.quote(0, 430_000, 440_000);
    swap(&mut stage);
    stage.fill(&entry[0], QTY, 440_000);
    swap(&mut stage);
    let hedge = stage.quote(1, 530_000, 540_000);
    swap(&mut stage);
    stage.refuse(&hedge[0], "FOK_UNFILLED");
    swap(&mut stage);
    stage.quote(0, 430_000, 440_000);
    let sale = stage.pass(60 * SECOND);
    assert!(!sale[0].legs[0].buy);
    swap(&mut stage);
    stage.fill(&sale[0], QTY, 430_000);
    swap(&mut stage);
    assert_eq!(stage.strategy.exposure.total(), 0);

    let refused = |state: &[u8]| {
        Stage::<LegAndHedge>::new(&[])
            .strategy
            .restore(state)
            .unwrap_err()
    };
    assert!(refused(b"leg-and-hedge 2\n").contains("reads \"leg-and-hedge 1\""));
    assert!(refused(b"leg-and-hedge 1\nset 1000000 0,1 lent\n").contains("lent"));
    assert!(refused(b"leg-and-hedge 1\nset 1000000 0,x idle 0\n").contains("\"x\""));
}
