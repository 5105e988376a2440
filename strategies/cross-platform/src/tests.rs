//! Which pairs cross-platform buys, and how many.
#![allow(clippy::unwrap_used)]

use super::*;
use pm_arb_sdk::testing::{Recorder, fill, listed, opportunity};

fn crosser(settings: &[(&str, &str)]) -> CrossPlatform {
    let pairs = settings
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut crosser = CrossPlatform::new(&mut Settings::new(pairs.collect())).unwrap();
    for (id, lot) in [(0, 10_000), (1, ONE)] {
        let market = Event::MarketListed(listed(id, lot, ONE));
        crosser.on_event(0, &market, &mut Recorder::default());
    }
    crosser
}

fn seen(seq: u64, yes: i64, no: i64) -> Opportunity {
    opportunity(
        seq,
        OpportunityKind::CrossPlatform,
        &[(yes, None), (no, None)],
    )
}

fn tell(crosser: &mut CrossPlatform, now: Timestamp, seen: Opportunity) -> Vec<Intent> {
    let mut host = Recorder::default();
    crosser.on_event(now, &Event::Opportunity(seen), &mut host);
    host.intents
}

#[test]
fn buys_both_legs_on_the_coarser_lot() {
    // A tenth of 1,000 dollars at 0.93 a pair: 107.5 shares wanted, 100 offered.
    let [intent] = &tell(&mut crosser(&[]), 0, seen(1, 430_000, 500_000))[..] else {
        panic!("one intent");
    };
    assert_eq!((intent.qty, intent.expected_edge), (100 * ONE, 60_000));
    assert!(intent.time_in_force == TimeInForce::Fok && intent.legs.len() == 2);
    // 30 dollars at 0.93: 32.25 shares, cut to whole ones because Kalshi sells whole ones.
    let [intent] = &tell(
        &mut crosser(&[("stake_max", "0.03")]),
        0,
        seen(1, 430_000, 500_000),
    )[..] else {
        panic!("one intent");
    };
    assert_eq!(intent.qty, 32 * ONE);
}

#[test]
fn leaves_what_the_haircut_or_the_clock_takes() {
    let mut same = seen(1, 430_000, 500_000);
    same.legs[1].market = same.legs[0].market;
    let mut costly = seen(1, 430_000, 500_000);
    costly.legs[0].fee = 50_001;
    let cases = [
        (
            "less than haircut and minimum",
            0,
            seen(1, 480_000, 500_001),
        ),
        ("the fee takes it", 0, costly),
        ("one market is no pair", 0, same),
        (
            "too close to the end",
            50_000_000_001,
            seen(1, 430_000, 500_000),
        ),
        (
            "no capital",
            0,
            Opportunity {
                free_capital: 0,
                ..seen(1, 430_000, 500_000)
            },
        ),
    ];
    for (why, now, seen) in cases {
        assert_eq!(tell(&mut crosser(&[]), now, seen), [], "{why}");
    }
    assert_eq!(
        tell(&mut crosser(&[]), 0, seen(1, 480_000, 500_000)).len(),
        1,
        "exactly enough"
    );
}

#[test]
fn stops_at_its_exposure_and_remembers_it_over_a_swap() {
    let mut old = crosser(&[("exposure_max", "50")]);
    assert_eq!(
        tell(&mut old, 0, seen(1, 430_000, 500_000))[0].qty,
        100 * ONE
    );
    old.on_event(
        0,
        &Event::Filled(fill(1, true, 90 * ONE, 500_000, 0)),
        &mut Recorder::default(),
    );
    let mut new = crosser(&[("exposure_max", "50")]);
    new.restore(&old.snapshot()).unwrap();
    assert_eq!(
        tell(&mut new, 0, seen(1, 430_000, 500_000)),
        [],
        "taken before the swap"
    );
    assert_eq!(
        tell(&mut new, 0, seen(2, 430_000, 500_000))[0].qty,
        10 * ONE,
        "five of fifty dollars left"
    );
    assert!(new.restore(b"oracle-sniper 1\n").is_err());
}

#[test]
fn no_pair_of_orders_costs_more_than_it_asked_to_be_allowed() {
    let all = [("stake_max", "1"), ("exposure_max", "1000000")];
    let mut rich = seen(1, 400_000, 400_000);
    rich.free_capital = 1_000_000 * ONE;
    rich.qty = 1_000_000 * ONE;
    for leg in &mut rich.legs {
        leg.qty = rich.qty;
    }
    let [intent] = &tell(&mut crosser(&all), 0, rich)[..] else {
        panic!("one intent");
    };
    assert_eq!(intent.qty, 1_250 * ONE, "1000 dollars at 0.80");
    assert_eq!(CrossPlatform::WANTS.order_max, Some(1_000 * ONE));
}
