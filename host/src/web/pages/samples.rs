//! Views to draw pages from, for tests.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::orchestrator::HealthBoard;
use crate::report::{Period, Report};
use crate::snapshot::{
    Activity, FillRow, Instant, Money, PositionRow, Run, Shares, Snapshot, Strategies, System,
    Trading,
};
use crate::store::EquityPoint;
use crate::store::analysis::Made;
use crate::store::view::TradeView;
use crate::web::app::View;
use crate::web::pages::fixtures;
use crate::web::records::{Counted, History};
use pm_arb_core::engine::Engine;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::report::Summary;
use pm_arb_core::units::{Price, Qty, Usd};
use std::sync::Arc;
use std::time::Duration;

/// 2026-05-13 14:00:00 UTC.
pub const START: u64 = 1_778_680_800_000_000_000;

/// A pilot that trades and has found nothing yet.
pub fn view() -> View {
    let snapshot = Snapshot {
        taken: Instant(Timestamp(START)),
        run: Run {
            id: "01234567-89ab-cdef-0123-456789abcdef".into(),
            source: "sim".into(),
            seq: 77,
            now: Instant(Timestamp(START)),
        },
        trading: Trading {
            capital: Money(Usd(1_200_000_000)),
            equity: Money(Usd(1_234_560_000)),
            high_water: Money(Usd(1_250_000_000)),
            locked: Money(Usd(30_000_000)),
            reserved: Money(Usd(10_000_000)),
            activity: Activity {
                looks: 1_234,
                ..Activity::default()
            },
            ..Trading::default()
        },
        strategies: Default::default(),
        risk: Default::default(),
        funnel: Default::default(),
        calibration: Default::default(),
        example: None,
        system: System::of(&HealthBoard::default(), &Engine::new().status(), None),
    };
    View {
        now: Timestamp(START + 1_000_000_000),
        pilot: Some(Arc::new(snapshot)),
        ..View::default()
    }
}

/// Changes the pilot's picture.
pub fn change(view: &mut View, change: impl FnOnce(&mut Snapshot)) {
    let mut snapshot = Snapshot::clone(view.pilot.as_ref().unwrap());
    change(&mut snapshot);
    view.pilot = Some(Arc::new(snapshot));
}

/// One strategy with a quarter of the capital.
pub fn strategies(name: &str) -> Strategies {
    let mut row = fixtures::row(name);
    (row.share_bps, row.net) = (2_500, Money(Usd(1_000_000)));
    Strategies {
        strategies: vec![row],
        ..Strategies::default()
    }
}

pub fn position(market: &str) -> PositionRow {
    PositionRow {
        venue: "polymarket".into(),
        market: market.into(),
        outcome: "Up".into(),
        quantity: Shares(Qty(10_000_000)),
        cost: Money(Usd(5_200_000)),
        worth: Money(Usd(4_800_000)),
        closes: Instant(Timestamp(START)),
    }
}

pub fn fill(n: u64, market: &str) -> FillRow {
    FillRow {
        id: uuid::Uuid::from_u128(u128::from(n) + 1).to_string(),
        at: Instant(Timestamp(START - n * 1_000_000_000)),
        venue: "polymarket".into(),
        market: market.into(),
        outcome: "Up".into(),
        side: "buy".into(),
        quantity: Shares(Qty(10_000_000)),
        price: Money(Usd(520_000)),
        expected_edge: Money(Usd(31_000)),
        strategy: "sniper".into(),
        kind: "oracle_lag".into(),
        status: "open".into(),
        realized_pnl: None,
    }
}

pub fn record(n: u64) -> TradeView {
    TradeView {
        id: uuid::Uuid::from_u128(u128::from(n) + 1_000),
        created: Timestamp(START - (n + 1) * 60_000_000_000),
        market_slug: "stored".into(),
        price: Price(520_000),
        status: "open".into(),
        ..TradeView::default()
    }
}

/// In dollars; it had been a dollar less when it fell.
pub fn equity(minute: Timestamp, dollars: i64) -> EquityPoint {
    let usd = |d: i64| Usd(d * 1_000_000);
    EquityPoint {
        minute,
        equity: usd(dollars),
        lowest: usd(if dollars < 100 { dollars - 1 } else { dollars }),
        high_water: usd(100),
        cash: usd(dollars),
        reserved: Usd::ZERO,
        locked: Usd::ZERO,
        fees: Usd::ZERO,
        realised: usd(dollars - 100),
    }
}

/// Sums of two strategies: naive made 12 dollars, honest lost 3.
pub fn history() -> History {
    let summary = Summary {
        total_trades: 5,
        closed_trades: 4,
        open_trades: 1,
        wins: 1,
        losses: 3,
        realized_pnl: Usd(-3_000_000),
        ..Summary::default()
    };
    let mut report = Report::brief(summary, Period::since(Timestamp(0), Timestamp(START)));
    for (name, naive, honest) in [("a", 10, 2), ("b", 2, -5)] {
        let made = |dollars: i64| Made {
            qty: Qty(100_000_000),
            pnl: Usd(dollars * 1_000_000),
        };
        let execution = crate::report::fold::Execution {
            wishes: 3,
            made: [made(naive), made(0), made(honest)],
            gap: crate::report::gap::GapParts {
                quote: Usd((naive - honest - 1) * 1_000_000),
                fees: Usd(1_000_000),
                ..Default::default()
            },
            ..Default::default()
        };
        report
            .figures
            .strategies
            .push(crate::report::fold::StrategyFigures {
                name: name.into(),
                verdict: report.figures.all.clone(),
                execution,
                forecast: None,
            });
    }
    History {
        as_of: Timestamp(START),
        counted: Some(Counted {
            as_of: Timestamp(START),
            took: Duration::from_millis(3),
        }),
        all: Some(Arc::new(report)),
        ..History::default()
    }
}
