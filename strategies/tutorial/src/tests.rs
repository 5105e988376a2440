//! What second-look buys, what it leaves, and what it remembers.
#![allow(clippy::unwrap_used)]

use super::*;
use pm_arb_sdk::OpportunityKind;
use pm_arb_sdk::testing::{SECOND, Stage, market, opportunity};

/// An ask of 0.50 for what is worth `fair`.
fn seen(seq: u64, fair: i64) -> Opportunity {
    opportunity(seq, OpportunityKind::OracleLag, &[(500_000, Some(fair))])
}

fn stage(settings: &[(&str, &str)]) -> Stage<SecondLook> {
    let mut stage = Stage::new(settings);
    stage.list(market(0));
    stage
}

#[test]
fn buys_what_is_still_there_at_the_second_look() {
    let mut stage = stage(&[]);
    assert_eq!(stage.see(seen(1, 530_000)), [], "only just seen");
    let bought = stage.pass(SECOND / 2);
    assert_eq!(bought[0].qty, 20 * ONE, "ten dollars at 0.50");
    assert_eq!(bought[0].expected_edge, 30_000);
    assert_eq!(stage.see(seen(1, 540_000)), []);
    assert_eq!(stage.pass(SECOND), [], "once an opportunity");
}

#[test]
fn leaves_what_has_shrunk_by_then() {
    let mut stage = stage(&[("wait", "2")]);
    stage.see(seen(1, 530_000));
    stage.pass(SECOND);
    stage.see(seen(1, 519_999));
    assert_eq!(stage.pass(SECOND), []);
}

#[test]
fn a_successor_knows_what_was_bought() {
    let mut stage = stage(&[("wait", "0")]);
    assert_eq!(stage.see(seen(1, 530_000)).len(), 1);
    stage.swap();
    stage.list(market(0));
    assert_eq!(stage.see(seen(1, 530_000)), []);
}

#[test]
fn a_setting_out_of_range_refuses_the_start() {
    let why = Stage::<SecondLook>::try_new(&[("stake", "500")]);
    assert!(why.err().unwrap().contains("between 1 and 100"));
}
