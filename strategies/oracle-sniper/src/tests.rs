//! What oracle-sniper buys, what it leaves, and what it remembers.
#![allow(clippy::unwrap_used)]

use super::*;
use pm_arb_sdk::testing::{Recorder, fill, listed, opportunity};

fn sniper(settings: &[(&str, &str)]) -> OracleSniper {
    let pairs = settings
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut sniper = OracleSniper::new(&mut Settings::new(pairs.collect())).unwrap();
    let market = Event::MarketListed(listed(0, 10_000, 5 * ONE));
    sniper.on_event(0, &market, &mut Recorder::default());
    sniper
}

fn seen(seq: u64, ask: i64, fair: i64) -> Opportunity {
    opportunity(seq, OpportunityKind::OracleLag, &[(ask, Some(fair))])
}

fn tell(sniper: &mut OracleSniper, now: Timestamp, seen: Opportunity) -> Vec<Intent> {
    let mut host = Recorder::default();
    sniper.on_event(now, &Event::Opportunity(seen), &mut host);
    host.intents
}

#[test]
fn buys_at_the_ask_with_a_capped_kelly_stake() {
    // Fair 0.70 less 0.01 against 0.50: edge 0.19, Kelly 0.38, a quarter 0.095, capped at 0.05:
    // 50 dollars of 1,000, 100 shares at 0.50.
    let [intent] = &tell(&mut sniper(&[]), 0, seen(9, 500_000, 700_000))[..] else {
        panic!("one intent");
    };
    assert_eq!(intent.qty, 100 * ONE);
    assert_eq!(intent.expected_edge, 190_000);
    assert_eq!(
        intent.legs,
        [IntentLeg {
            instrument: 0,
            buy: true,
            limit: 500_000
        }]
    );
    // Edge 0.02: Kelly 0.04, a quarter 0.01: 10 dollars, 20 shares.
    let [intent] = &tell(&mut sniper(&[]), 0, seen(9, 500_000, 530_000))[..] else {
        panic!("one intent");
    };
    assert_eq!(intent.qty, 20 * ONE);
}

#[test]
fn leaves_what_does_not_pay_is_late_or_too_small() {
    let cases = [
        ("edge below the minimum", 0, seen(1, 500_000, 519_999)),
        (
            "too close to the end",
            55_000_000_001,
            seen(1, 500_000, 700_000),
        ),
        (
            "no capital",
            0,
            Opportunity {
                free_capital: 0,
                ..seen(1, 500_000, 700_000)
            },
        ),
        (
            "negative capital",
            0,
            Opportunity {
                free_capital: -ONE,
                ..seen(1, 500_000, 700_000)
            },
        ),
        (
            "fewer shares than the minimum",
            0,
            Opportunity {
                qty: 4_990_000,
                ..seen(1, 500_000, 700_000)
            },
        ),
        (
            "another family",
            0,
            opportunity(1, OpportunityKind::Mispricing, &[(500_000, Some(700_000))]),
        ),
        (
            "no model",
            0,
            opportunity(1, OpportunityKind::OracleLag, &[(500_000, None)]),
        ),
    ];
    for (why, now, seen) in cases {
        assert_eq!(tell(&mut sniper(&[]), now, seen), [], "{why}");
    }
    let mut fee = seen(1, 500_000, 525_000);
    fee.legs[0].fee = 10_000;
    assert_eq!(tell(&mut sniper(&[]), 0, fee), [], "the fee takes the edge");
    assert_eq!(
        tell(
            &mut sniper(&[("edge_min", "0.2")]),
            0,
            seen(1, 500_000, 700_000)
        ),
        []
    );
}

#[test]
fn enters_each_opportunity_once_and_stops_at_its_exposure() {
    let mut sniper = sniper(&[("exposure_max", "60")]);
    assert_eq!(tell(&mut sniper, 0, seen(1, 500_000, 700_000)).len(), 1);
    assert_eq!(
        tell(&mut sniper, 0, seen(1, 490_000, 700_000)).len(),
        0,
        "same episode"
    );
    sniper.on_event(
        0,
        &Event::Filled(fill(0, true, 100 * ONE, 500_000, 0)),
        &mut Recorder::default(),
    );
    let next = tell(&mut sniper, 0, seen(2, 500_000, 700_000));
    assert_eq!(next[0].qty, 20 * ONE, "ten of sixty dollars are left");
}

#[test]
fn state_survives_a_swap_and_foreign_state_is_refused() {
    let mut old = sniper(&[]);
    tell(&mut old, 0, seen(1, 500_000, 700_000));
    old.on_event(
        0,
        &Event::Filled(fill(0, true, ONE, 500_000, 0)),
        &mut Recorder::default(),
    );
    let mut new = sniper(&[]);
    new.restore(&old.snapshot()).unwrap();
    assert_eq!((new.taken, new.exposure), (old.taken, old.exposure));

    let refused = |state: &[u8]| sniper(&[]).restore(state).unwrap_err();
    assert!(refused(b"oracle-sniper 99\n").contains("reads \"oracle-sniper 1\""));
    assert!(refused(b"oracle-sniper 1\nheld 1 x 2\n").contains("\"x\""));
    assert!(refused(b"oracle-sniper 1\nmood good\n").contains("mood good"));
    assert!(refused(b"\xff\xfe").contains("not text"));
}

#[test]
fn no_order_costs_more_than_it_asked_to_be_allowed() {
    let all = [
        ("stake_max", "1"),
        ("kelly_fraction", "1"),
        ("exposure_max", "1000000"),
    ];
    let mut rich = seen(1, 500_000, 990_000);
    rich.free_capital = 1_000_000 * ONE;
    rich.qty = 1_000_000 * ONE;
    rich.legs[0].qty = rich.qty;
    let [intent] = &tell(&mut sniper(&all), 0, rich)[..] else {
        panic!("one intent");
    };
    assert_eq!(intent.qty, 1_000 * ONE, "500 dollars at 0.50");
    assert_eq!(OracleSniper::WANTS.order_max, Some(500 * ONE));
}
