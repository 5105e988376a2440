//! Which sets mispricing-hunter buys, and how many.
#![allow(clippy::unwrap_used)]

use super::*;
use pm_arb_sdk::testing::{Recorder, listed, opportunity};

fn hunter(settings: &[(&str, &str)]) -> MispricingHunter {
    let pairs = settings
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut hunter = MispricingHunter::new(&mut Settings::new(pairs.collect())).unwrap();
    for id in 0..3 {
        let market = Event::MarketListed(listed(id, 10_000, 5 * ONE));
        hunter.on_event(0, &market, &mut Recorder::default());
    }
    hunter
}

fn seen(seq: u64, asks: &[i64]) -> Opportunity {
    let legs: Vec<_> = asks.iter().map(|ask| (*ask, None)).collect();
    opportunity(seq, OpportunityKind::Mispricing, &legs)
}

fn tell(hunter: &mut MispricingHunter, seen: Opportunity) -> Vec<Intent> {
    let mut host = Recorder::default();
    hunter.on_event(0, &Event::Opportunity(seen), &mut host);
    host.intents
}

#[test]
fn buys_every_leg_in_equal_shares_or_none() {
    let [intent] = &tell(
        &mut hunter(&[("cost_max", "48")]),
        seen(1, &[470_000, 490_000]),
    )[..] else {
        panic!("one intent");
    };
    assert_eq!((intent.qty, intent.expected_edge), (50 * ONE, 40_000));
    assert!(intent.time_in_force == TimeInForce::Fok);
    let limits: Vec<_> = intent
        .legs
        .iter()
        .map(|leg| (leg.instrument, leg.buy, leg.limit))
        .collect();
    assert_eq!(limits, [(0, true, 470_000), (1, true, 490_000)]);

    let [intent] = &tell(&mut hunter(&[]), seen(1, &[300_000, 300_000, 300_000]))[..] else {
        panic!("an outcome sum of three legs");
    };
    assert_eq!(
        (intent.legs.len(), intent.qty),
        (3, 100 * ONE),
        "all that is offered"
    );
}

#[test]
fn buys_no_of_every_member_of_a_set() {
    // 1.94 for the two dollars that three exclusive NO pay; two legs never pay more than one.
    let mut set = seen(1, &[660_000, 660_000, 620_000]);
    set.edge = 60_000;
    let [intent] = &tell(&mut hunter(&[]), set)[..] else {
        panic!("one intent");
    };
    assert_eq!((intent.qty, intent.expected_edge), (100 * ONE, 60_000));
    let mut two = seen(1, &[960_000, 980_000]);
    two.edge = 60_000;
    assert_eq!(tell(&mut hunter(&[]), two), []);
}

#[test]
fn leaves_what_is_no_sure_gain() {
    let mut costly = seen(1, &[470_000, 490_000]);
    costly.legs[1].fee = 35_001;
    let mut stale = seen(1, &[470_000, 490_000]);
    stale.legs[0].book_age_ms = 1_001;
    let mut thin = seen(1, &[470_000, 490_000]);
    thin.legs[1].qty = 4_990_000;
    let mut modest = seen(1, &[470_000, 490_000]);
    modest.edge = 4_999;
    let cases = [
        ("the fees take the edge", costly),
        ("an old book", stale),
        ("fewer shares than the minimum on one leg", thin),
        ("the host sees less edge than we do", modest),
        ("one leg", seen(1, &[470_000])),
        ("a dollar for a dollar", seen(1, &[500_000, 500_000])),
        (
            "no capital",
            Opportunity {
                free_capital: 0,
                ..seen(1, &[470_000, 490_000])
            },
        ),
        (
            "another family",
            Opportunity {
                kind: OpportunityKind::CrossPlatform,
                ..seen(1, &[470_000, 490_000])
            },
        ),
    ];
    for (why, seen) in cases {
        assert_eq!(tell(&mut hunter(&[]), seen), [], "{why}");
    }
}

#[test]
fn a_swap_does_not_make_it_enter_twice() {
    let mut old = hunter(&[]);
    assert_eq!(tell(&mut old, seen(1, &[470_000, 490_000])).len(), 1);
    let mut new = hunter(&[]);
    new.restore(&old.snapshot()).unwrap();
    assert_eq!(tell(&mut new, seen(1, &[470_000, 490_000])), []);
    assert!(
        new.restore(b"mispricing-hunter 2\n")
            .unwrap_err()
            .contains("mispricing-hunter 1")
    );
}
