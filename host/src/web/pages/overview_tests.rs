//! Overview as it stands: with nothing, with a pilot, halted, frozen, with hostile names.
#![allow(clippy::unwrap_used)]

use super::super::samples;
use super::*;
use crate::snapshot::{EquityDot, Instant, Money};
use pm_arb_core::ids::Timestamp;
use std::sync::Arc;

fn drawn(view: &View) -> String {
    let panels = panels(view);
    panels
        .iter()
        .map(|p| layout::section(p).into_string())
        .collect()
}

#[test]
fn with_nothing_every_panel_says_why_it_is_empty() {
    let page = drawn(&View::default());
    assert_eq!(page.matches("<section").count(), 9);
    assert!(page.contains("no pilot") && page.contains("No equity yet"));
    assert!(page.contains("has not been summed up yet"));
    assert!(!page.contains("$0.00"), "unknown is never zero: {page}");
    assert!(page.matches("class=\"unknown\"").count() >= 3);
    // Every deeper page is one click away.
    for deeper in super::super::PAGES.iter().filter(|p| p.path != "/") {
        assert!(
            page.contains(&format!("href=\"{}\"", deeper.path)),
            "{}",
            deeper.path
        );
    }
}

#[test]
fn a_failing_database_is_named_with_its_reason() {
    let view = View {
        records_failed: Some("connection <refused>".into()),
        ..View::default()
    };
    let page = drawn(&view);
    assert!(page.contains("unreachable") && page.contains("connection &lt;refused&gt;"));
    assert!(!page.contains("every agent is at work"));
}

#[test]
fn a_running_pilot_shows_what_survives_first() {
    let page = drawn(&samples::view());
    for text in [
        "trading",
        "$1,234.56",
        "+$34.56",
        "since the start",
        "1.24 %",
        "$40.00",
    ] {
        let plain = text.replace(',', "");
        assert!(page.contains(&plain), "{plain}: {page}");
    }
    assert!(page.find("id=\"survival\"") < page.find("id=\"equity\""));
    assert!(
        page.contains("looked 1,234 times"),
        "no trades yet says how often was looked"
    );
    assert!(
        page.contains("datetime=\"2026-05-13T14:00:00"),
        "numbers say of when they are"
    );
}

#[test]
fn a_halt_and_a_frozen_pilot_are_said_in_words() {
    let mut view = samples::view();
    samples::change(&mut view, |s| {
        s.trading.halted = Some("daily_loss: <b>".into())
    });
    let page = drawn(&view);
    assert!(page.contains(">halted</span>") && page.contains("daily_loss: &lt;b&gt;"));
    let mut view = samples::view();
    view.now = Timestamp(view.now.0 + 60_000_000_000);
    let page = drawn(&view);
    assert!(
        page.contains("frozen") && page.contains("stale: 61 s old"),
        "{page}"
    );
}

#[test]
fn hostile_names_stay_text() {
    let mut view = samples::view();
    let evil = "</text><script>alert(1)</script>";
    samples::change(&mut view, |s| {
        s.strategies = samples::strategies(evil);
        s.trading.exposure.largest = vec![samples::position(evil)];
    });
    let page = drawn(&view);
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn the_curve_goes_on_where_the_database_ends() {
    let mut view = samples::view();
    let minute = |m: u64| Timestamp(samples::START + m * 60_000_000_000);
    let history = crate::web::records::History {
        equity: vec![
            samples::equity(minute(0), 100),
            samples::equity(minute(1), 90),
        ]
        .into(),
        ..Default::default()
    };
    view.history = Some(Arc::new(history));
    let dot = |m| EquityDot {
        at: Instant(minute(m)),
        equity: Money(Usd(80_000_000)),
        high_water: Money(Usd(100_000_000)),
    };
    samples::change(&mut view, |s| s.trading.hour = vec![dot(0), dot(1), dot(2)]);
    let values: Vec<f64> = curve(&view).iter().map(|p| p.value).collect();
    // The second minute fell by one more dollar before it ended at 90.
    assert_eq!(values, [100.0, 89.0, 90.0, 80.0]);
    assert!(drawn(&view).contains("drawdown 20.00 %"));
}

#[test]
fn sums_give_a_verdict_a_dial_and_a_waterfall_that_ends_at_honest() {
    let mut view = samples::view();
    view.history = Some(Arc::new(samples::history()));
    let page = drawn(&view);
    assert!(
        page.contains("too early") && page.contains("No verdict yet"),
        "{page}"
    );
    assert!(page.contains("Naive inflates by") && page.contains("¢ a share"));
    assert!(
        page.contains("title>Naive: 12.00 dollars") && page.contains("title>Honest: -3.00 dollars")
    );
    let gap = gap::Gap::of(&view).unwrap();
    assert_eq!(gap.waterfall().end(), Usd(-3_000_000));
}
