//! Pilot Monitor as it stands: with nothing, with a pilot, with hostile names, without a pilot.
#![allow(clippy::unwrap_used)]

use super::super::samples;
use super::*;
use crate::snapshot::{FillRow, Latency, Money, Rate, TypeRow};
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
    assert_eq!(page.matches("<section").count(), 6);
    assert!(page.contains("not running") && page.contains("No trades yet"));
    assert!(!page.contains("$0.00") && !page.contains("NaN"), "{page}");
}

#[test]
fn it_shows_all_that_the_mission_lists() {
    let mut view = samples::view();
    samples::change(&mut view, |s| {
        let t = &mut s.trading;
        t.newest = (0..20).map(|n| samples::fill(n, "btc-updown-5m")).collect();
        t.results.total = 43;
        t.results.closed = 40;
        t.results.wins = 30;
        t.results.win_rate = Rate::of(30, 40);
        t.results.realized_pnl = Money(Usd(-1_500_000));
        t.today.trades = 7;
        t.by_type = vec![TypeRow {
            kind: "oracle_lag".into(),
            trades: 43,
            realized_pnl: Money(Usd(-1_500_000)),
        }];
        t.latencies = vec![Latency {
            venue: "polymarket".into(),
            millis: 12.34,
        }];
    });
    let page = drawn(&view);
    assert!(page.contains("state ok\">live<") && page.contains("href=\"/monitor\""));
    assert!(page.contains("-$1.50") && page.contains(">7<"));
    assert!(
        page.contains("75.0 %") && page.contains("30 of 40; 95 %: 60 to 86 %"),
        "{page}"
    );
    assert_eq!(page.matches("href=\"/trades/").count(), 20);
    for text in [
        "oracle lag",
        "12.3",
        "0.52",
        "0.031",
        "btc-updown-5m",
        "buy Up",
        ">open<",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[test]
fn no_trades_yet_says_how_often_was_looked() {
    let page = drawn(&samples::view());
    assert!(
        page.contains("No trades yet: the scanner has looked 1,234 times"),
        "{page}"
    );
    assert!(page.contains("href=\"/why\""));
}

#[test]
fn hostile_market_titles_stay_text() {
    let mut view = samples::view();
    let evil = "\"><img src=x onerror=alert(1)>";
    samples::change(&mut view, |s| {
        s.trading.newest = vec![samples::fill(1, evil)]
    });
    let page = drawn(&view);
    assert!(!page.contains("<img") && page.contains("&lt;img"), "{page}");
}

#[test]
fn the_newest_are_those_of_the_pilot_then_those_of_the_database_and_each_once() {
    let mut view = samples::view();
    let fills: Vec<FillRow> = (0..3).map(|n| samples::fill(n, "live")).collect();
    let mut history = samples::history();
    history.newest = (0..30u64)
        .map(|n| {
            let mut row = samples::record(n);
            row.status = if n % 3 == 0 { "rejected" } else { "open" }.into();
            row
        })
        .collect();
    // One that both know.
    history.newest[1].id = fills[2].id.parse().unwrap();
    view.history = Some(Arc::new(history));
    samples::change(&mut view, |s| s.trading.newest = fills.clone());
    let rows = parts::newest(&view);
    assert_eq!(rows.iter().filter(|r| r.id == fills[2].id).count(), 1);
    assert!(rows.iter().all(|r| r.status != "rejected"));
    assert!(rows.windows(2).all(|r| r[0].at >= r[1].at));
    assert_eq!(rows.len(), parts::NEWEST_MAX);
}

#[test]
fn without_a_pilot_the_database_speaks() {
    let view = View {
        now: Timestamp(samples::START),
        history: Some(Arc::new(samples::history())),
        ..View::default()
    };
    let page = drawn(&view);
    assert!(page.contains("not running") && page.contains("all runs, after fees"));
    assert!(page.contains("Summed up from the database at"));
}

#[test]
fn a_curve_is_drawn_honest_beside_naive() {
    let mut view = samples::view();
    let mut history = samples::history();
    let point = |n: u64| crate::web::records::CurvePoint {
        at: Timestamp(samples::START + n * 1_000_000_000),
        honest: Usd(-1_000_000),
        naive: Usd(2_000_000),
    };
    history.curve = (0..5).map(point).collect::<Vec<_>>().into();
    view.history = Some(Arc::new(history));
    let page = drawn(&view);
    assert!(
        page.contains("honest -$1.00") && page.contains("naive $2.00"),
        "{page}"
    );
}
