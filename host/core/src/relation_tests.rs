//! Which market implies which, held against all outcomes there can be.

use super::*;
use crate::fixtures::{market, spot};

fn above(id: u32, strike: i64, strict: bool) -> MarketSpec {
    MarketSpec {
        settlement: SettlementRule::Above {
            oracle: OracleId(0),
            strike: spot(strike),
            strict,
            candle_secs: None,
        },
        ..market(id)
    }
}

fn implies(a: &MarketSpec, b: &MarketSpec) -> Option<Relation> {
    Rung::of(a, None)?.implies(a, &Rung::of(b, None)?, b)
}

#[test]
fn thresholds_imply_exactly_when_no_value_tells_them_apart() {
    let all = || (0..3_i64).flat_map(|k| [(k, true), (k, false)]);
    for (ka, strict_a) in all() {
        for (kb, strict_b) in all() {
            let (a, b) = (above(0, ka, strict_a), above(1, kb, strict_b));
            // Values in halves, from below the lowest to above the highest threshold.
            let comes_true = |v: i64, k: i64, strict| if strict { v > 2 * k } else { v >= 2 * k };
            let expected =
                (-1..7).all(|v| !comes_true(v, ka, strict_a) || comes_true(v, kb, strict_b));
            let found = implies(&a, &b) == Some(Relation::Threshold);
            assert_eq!(found, expected, "{ka} {strict_a} {kb} {strict_b}");
        }
    }
}

#[test]
fn barriers_imply_exactly_when_no_path_tells_them_apart() {
    // Paths of three seconds, each up or down a dollar from 2; windows are runs of those seconds.
    let windows = [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)];
    let paths: Vec<[i64; 3]> = (0..8)
        .map(|bits: i64| {
            let mut at = 2;
            [0, 1, 2].map(|n| {
                at += if bits >> n & 1 == 1 { 1 } else { -1 };
                at
            })
        })
        .collect();
    let touch = |id, barrier, (from, to): (u64, u64), rises| MarketSpec {
        opens_at: Timestamp::from_secs(from),
        closes_at: Timestamp::from_secs(to),
        settlement: SettlementRule::Touch {
            oracle: OracleId(0),
            barrier: spot(barrier),
            rises,
            interval_secs: 60,
        },
        ..market(id)
    };
    let touched = |path: &[i64; 3], barrier: i64, (from, to): (u64, u64), rises: bool| {
        (from..to).any(|s| {
            let value = path[s as usize - 1];
            if rises {
                value >= barrier
            } else {
                value <= barrier
            }
        })
    };
    let mut found = 0;
    for rises in [true, false] {
        for (wa, wb) in windows
            .iter()
            .flat_map(|a| windows.iter().map(move |b| (*a, *b)))
        {
            for (ka, kb) in (1..4).flat_map(|a| (1..4).map(move |b| (a, b))) {
                let (a, b) = (touch(0, ka, wa, rises), touch(1, kb, wb, rises));
                if implies(&a, &b).is_none() {
                    continue;
                }
                found += 1;
                for path in &paths {
                    let here = touched(path, ka, wa, rises);
                    assert!(
                        !here || touched(path, kb, wb, rises),
                        "{path:?} {ka} {wa:?} {kb} {wb:?}"
                    );
                }
            }
        }
    }
    // Six pairs of nine barriers point the right way, and 15 of 36 windows lie within the other.
    assert_eq!(found, 2 * 6 * 15);
}

#[test]
fn a_barrier_that_can_not_be_turned_has_no_place() {
    let mut spec = market(0);
    spec.settlement = SettlementRule::Touch {
        oracle: OracleId(0),
        barrier: SpotPrice(i128::MIN),
        rises: false,
        interval_secs: 60,
    };
    assert_eq!(Rung::of(&spec, None), None);
}
