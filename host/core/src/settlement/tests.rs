//! What is waited for, and how much of a window is told apart.

use super::*;
use crate::fixtures::{candle, market};
use crate::ids::Timestamp;
use crate::units::SpotPrice;

fn pending(awaits: &[u64]) -> Pending {
    Pending {
        why: String::new(),
        awaits: awaits.to_vec(),
    }
}

#[test]
fn a_market_waits_for_what_it_lacks_now_and_for_nothing_else() {
    let mut spec = market(7);
    spec.settlement = SettlementRule::UpDown {
        oracle: OracleId(0),
        strike: None,
    };
    let mut settlement = Settlement::default();
    let waits = |s: &Settlement, second| !s.decided_by(OracleId(0), second).is_empty();
    settlement.wait(&spec, pending(&[1_000, 1_300]));
    assert!(waits(&settlement, 1_000) && waits(&settlement, 1_300));
    settlement.wait(&spec, pending(&[1_300]));
    assert!(!waits(&settlement, 1_000) && waits(&settlement, 1_300));
    settlement.wait(&spec, pending(&[]));
    assert!(settlement.waiting.is_empty() && settlement.seconds.is_empty());
    settlement.wait(&spec, pending(&[1_300]));
    settlement.forget(spec.id);
    assert!(settlement.waiting.is_empty() && settlement.seconds.is_empty());
}

/// A window of 10,000 minutes from minute 1 on.
fn long_touch() -> MarketSpec {
    MarketSpec {
        opens_at: Timestamp::from_secs(60),
        closes_at: Timestamp::from_secs(600_060),
        settlement: SettlementRule::Touch {
            oracle: OracleId(0),
            barrier: SpotPrice(9 * 10_i128.pow(18)),
            rises: true,
            interval_secs: 60,
        },
        ..market(7)
    }
}

fn minute(n: u64, high: i64) -> Candle {
    candle(0, n * 60, 60, (5, high))
}

#[test]
fn a_window_is_complete_whatever_the_order_of_its_candles() {
    let mut watch = Watch::of(&long_touch()).unwrap();
    // Every second minute backwards in pieces small enough to be told apart, then the rest.
    for piece in (0..50_u64).rev() {
        for n in (0..200).step_by(2) {
            assert!(watch.see(&minute(1 + piece * 200 + n, 8)));
        }
        assert!(!watch.is_complete());
        for n in (0..100).rev().map(|n| 2 * n + 1) {
            assert!(watch.see(&minute(1 + piece * 200 + n, 8)));
            assert!(!watch.see(&minute(1 + piece * 200 + n, 9)), "seen before");
        }
    }
    assert!(watch.is_complete() && !watch.is_touched());
    // Outside of the window nothing counts.
    assert!(!watch.see(&minute(0, 9)) && !watch.see(&minute(10_001, 9)));
}

#[test]
fn a_window_of_too_many_holes_never_ends_untouched_and_can_still_be_touched() {
    let mut watch = Watch::of(&long_touch()).unwrap();
    for n in (2..10_001).step_by(2) {
        watch.see(&minute(n, 8));
    }
    for n in (1..10_001).step_by(2) {
        watch.see(&minute(n, 8));
    }
    assert!(!watch.is_complete());
    assert!(matches!(watch.finding(), Finding::Pending(_)));
    assert!(watch.see(&minute(9_990, 9)) && watch.is_touched());
}
