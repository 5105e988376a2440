//! The page says what can be said and nothing more.

use super::*;
use crate::calibrate::Observer;
use crate::snapshot::{Bin, Verdict};

fn page(calibration: &Calibration) -> String {
    let parts = [
        reliability_of(calibration),
        by_time_left(calibration),
        times(calibration),
        bins(calibration),
        asked(calibration),
    ];
    parts.map(maud::PreEscaped::<String>::into_string).concat()
}

#[test]
fn without_a_pilot_the_page_says_where_the_numbers_come_from() {
    let panels = panels(&View::default());
    let body = panels[0].body.clone().into_string();
    assert!(
        body.contains("pm-arb calibrate RUN") && panels.len() == 1,
        "{body}"
    );
}

#[test]
fn before_the_first_outcome_nothing_is_a_zero() {
    let empty = Calibration::of(&Observer::default());
    assert_eq!(empty.verdict.says, Versus::Insufficient);
    let page = page(&empty);
    assert!(
        page.contains("No market with samples has an outcome yet"),
        "{page}"
    );
    assert!(!page.contains("<svg") && !page.contains("0.0000"), "{page}");
}

#[test]
fn samples_become_circles_and_rows() {
    let mut some = Calibration::of(&Observer::default());
    some.markets = 40;
    some.verdict = Verdict {
        says: Versus::Better,
        markets: 40,
        markets_min: MARKETS_MIN,
    };
    for score in &mut some.scores {
        score.n = 40;
        score.brier = Some(0.2);
    }
    for bin in &mut some.bins {
        *bin = Bin {
            n: 4,
            markets: 4,
            predicted: Some(bin.low + 0.05),
            observed: Some(0.5),
            observed_low: Some(0.15),
            observed_high: Some(0.85),
            ..bin.clone()
        };
    }
    let page = page(&some);
    assert!(
        page.contains("<circle") && page.contains("0.150 … 0.850"),
        "{page}"
    );
    for word in ["market", "model", "240 s", "format=csv"] {
        assert!(page.contains(word), "{word}");
    }
}
