//! Where oracle-patient bids, when it moves a bid, and what it remembers.
#![allow(clippy::unwrap_used)]

use super::*;
use pm_arb_sdk::testing::{SECOND, START, Stage, market, opportunity};

fn stage(settings: &[(&str, &str)]) -> Stage<OraclePatient> {
    let mut stage = Stage::new(settings);
    stage.list(market(0));
    stage.oracle(0, 100_000);
    stage
}

fn seen(seq: u64, ask: i64, fair: i64) -> Opportunity {
    opportunity(seq, OpportunityKind::OracleLag, &[(ask, Some(fair))])
}

#[test]
fn rests_below_the_ask_and_below_the_fair_value() {
    // Fair 0.70 less 0.02 is above the ask of 0.50: a tick below that, 20 dollars at 0.49.
    let mut stage = stage(&[]);
    let bids = stage.see(seen(1, 500_000, 700_000));
    let [bid] = &bids[..] else {
        panic!("one bid, not {bids:?}");
    };
    assert_eq!(
        bid.legs,
        [IntentLeg {
            instrument: 0,
            buy: true,
            limit: 490_000
        }]
    );
    assert_eq!((bid.qty, bid.expected_edge), (40_810_000, 210_000));
    assert!(bid.time_in_force == TimeInForce::Gtd(START + 20 * SECOND));
    assert!(bid.opportunity.is_some());
    stage.pass(SECOND);
    // Now the fair value is what bounds it, cut to the grid: 0.505 less 0.02.
    let bids = stage.see(seen(2, 500_000, 505_000));
    assert_eq!(stage.said.cancels, [bid.tag]);
    assert_eq!(
        (bids[0].legs[0].limit, bids[0].expected_edge),
        (480_000, 25_000)
    );
}

#[test]
fn replaces_a_bid_that_is_off_and_keeps_one_that_is_not() {
    let mut stage = stage(&[]);
    let first = stage.see(seen(1, 500_000, 700_000)).remove(0);
    stage.pass(SECOND);
    assert_eq!(
        stage.see(seen(1, 500_000, 690_000)),
        [],
        "its price is the same"
    );
    assert_eq!(stage.said.cancels, [] as [u64; 0]);
    let second = stage.see(seen(1, 480_000, 690_000)).remove(0);
    assert_eq!(stage.said.cancels, [first.tag]);
    assert_eq!((second.legs[0].limit, second.opportunity), (470_000, None));
    assert_ne!(second.tag, first.tag);
    // The first is hit before its cancel is there; the second is refused.
    stage.fill(&first, first.qty, 490_000);
    stage.refuse(&second, "EXPIRED");
    assert!(stage.strategy.orders.is_empty() && stage.strategy.anchors.is_empty());
    assert_eq!(stage.strategy.exposure.qty(0), first.qty);
}

#[test]
fn withdraws_when_the_oracle_moves_either_way() {
    for dollars in [99_949, 100_051] {
        let mut stage = stage(&[]);
        let bid = stage.see(seen(1, 500_000, 700_000)).remove(0);
        stage.oracle(0, 100_050);
        stage.oracle(0, 99_950);
        assert_eq!(stage.said.cancels, [] as [u64; 0], "0.05 % is allowed");
        stage.oracle(1, 5);
        assert_eq!(stage.said.cancels, [] as [u64; 0], "another oracle");
        stage.oracle(0, dollars);
        assert_eq!(stage.said.cancels, [bid.tag]);
        stage.oracle(0, 90_000);
        assert_eq!(stage.said.cancels, [] as [u64; 0], "once");
    }
}

#[test]
fn what_it_ties_up_is_bounded() {
    let mut stage = stage(&[("exposure_max", "30")]);
    let first = stage.see(seen(1, 500_000, 700_000)).remove(0);
    assert_eq!(stage.see(seen(2, 480_000, 700_000)), [], "a pause first");
    assert_eq!(
        stage.said.cancels,
        [first.tag],
        "which withdraws nothing late"
    );
    stage.pass(SECOND / 2);
    let second = stage.see(seen(2, 480_000, 700_000)).remove(0);
    stage.pass(SECOND);
    // 30 dollars less 20 for the bid that is still being cancelled: 10.0031 at 0.47.
    assert_eq!(second.qty, 21_280_000);
    assert_eq!(stage.see(seen(3, 460_000, 700_000)), [], "nothing is left");
    stage.refuse(&first, "CANCELLED");
    stage.refuse(&second, "CANCELLED");
    stage.pass(SECOND);
    assert_eq!(stage.see(seen(4, 460_000, 700_000)).len(), 1);

    let mut one = self::stage(&[("orders_max", "1")]);
    one.list(market(1));
    assert_eq!(one.see(seen(1, 500_000, 700_000)).len(), 1);
    let mut other = seen(2, 500_000, 700_000);
    (other.legs[0].instrument, other.legs[0].market) = (2, 1);
    assert_eq!(one.see(other), [], "one bid at a time");
}

#[test]
fn leaves_what_it_can_not_bid_for() {
    let poor = Opportunity {
        free_capital: -ONE,
        ..seen(1, 500_000, 700_000)
    };
    let cases = [
        ("no capital", poor),
        ("nothing below one tick", seen(1, 10_000, 60_000)),
        (
            "another family",
            opportunity(1, OpportunityKind::Mispricing, &[(500_000, Some(700_000))]),
        ),
        (
            "no model",
            opportunity(1, OpportunityKind::OracleLag, &[(500_000, None)]),
        ),
    ];
    for (why, seen) in cases {
        assert_eq!(stage(&[]).see(seen), [], "{why}");
    }
    let mut strict = stage(&[("edge_min", "0.025001")]);
    assert_eq!(
        strict.see(seen(1, 500_000, 505_000)),
        [],
        "too little is left"
    );
    let mut small = stage(&[("profit_min", "1.05")]);
    assert_eq!(
        small.see(seen(1, 500_000, 505_000)),
        [],
        "1.0415 dollars in all"
    );
    let mut late = stage(&[]);
    late.pass(580 * SECOND);
    assert_eq!(late.see(seen(1, 500_000, 700_000)), [], "too late");
    let mut nearly = stage(&[]);
    nearly.pass(575 * SECOND);
    let bid = nearly.see(seen(1, 500_000, 700_000)).remove(0);
    assert!(bid.time_in_force == TimeInForce::Gtd(START + 580 * SECOND));
}

#[test]
fn bids_and_anchors_survive_a_swap() {
    let mut stage = stage(&[]);
    let bid = stage.see(seen(1, 500_000, 700_000)).remove(0);
    stage.fill(&bid, 10 * ONE, 490_000);
    stage.swap();
    stage.list(market(0));
    assert_eq!(stage.see(seen(1, 500_000, 700_000)), [], "it stands");
    stage.oracle(0, 100_051);
    assert_eq!(stage.said.cancels, [bid.tag]);
    let refused = |state: &[u8]| {
        Stage::<OraclePatient>::new(&[])
            .strategy
            .restore(state)
            .unwrap_err()
    };
    assert!(refused(b"oracle-patient 1\norder 1 2 buy\n").contains("does not know"));
    assert!(refused(b"oracle-sniper 1\n").contains("reads \"oracle-patient 1\""));
}
