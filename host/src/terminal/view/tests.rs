//! The view fits every window, says the important things first, and is not fooled by names.

use super::*;
use crate::orchestrator::health::{AgentHealth, AgentState, Health};
use crate::snapshot::{
    FillRow, Instant, Results, Run, Shares, Strategies, StrategyRow, System, Trading,
};
use crate::web::pages::fixtures;
use pm_arb_core::units::Qty;

fn agent(name: &str, state: AgentState) -> AgentHealth {
    AgentHealth {
        name: name.into(),
        state,
        running: state == AgentState::Running,
        restarts: 0,
        last_heartbeat_secs: Some(0.25),
        last_error: (state == AgentState::Failed).then(|| "the venue hung up".into()),
        detail: None,
    }
}

fn snapshot() -> Snapshot {
    let strategy = |name: &str, net| StrategyRow {
        name: name.into(),
        version: "0.2.0".into(),
        generation: 1,
        share_bps: 3_333,
        net: Money(Usd(net)),
        ..fixtures::row(name)
    };
    let trade = |market: &str, realized| FillRow {
        id: "1".into(),
        at: Instant(Timestamp(69_005_000_000_000)),
        strategy: "oracle-sniper".into(),
        market: market.into(),
        outcome: "Up".into(),
        side: "buy".into(),
        quantity: Shares(Qty(10_000_000)),
        venue: "polymarket".into(),
        expected_edge: Money(Usd(20_000)),
        kind: "oracle_lag".into(),
        status: "open".into(),
        price: Money(Usd(540_000)),
        realized_pnl: realized,
    };
    Snapshot {
        taken: Instant(Timestamp(1_000_000_000_000)),
        run: Run {
            id: "3f2a1b2c-0000".into(),
            source: "sim".into(),
            ..Run::default()
        },
        trading: Trading {
            results: Results {
                total: 34,
                realized_pnl: Money(Usd(12_345_678)),
                ..Results::default()
            },
            newest: vec![
                trade("btc-updown-5m-1", Some(Money(Usd(-4_600_000)))),
                trade("evil\u{1b}[2J\r\n名名名名名", None),
            ],
            ..Trading::default()
        },
        strategies: Strategies {
            strategies: vec![strategy("oracle-sniper", 5_000_000), strategy("loser", -1)],
            ..Strategies::default()
        },
        system: System {
            health: Health {
                uptime_secs: 7_380.0,
                healthy: true,
                halted: None,
                agents: vec![
                    agent("trade-store", AgentState::Running),
                    agent("venue-watcher-polymarket", AgentState::Running),
                    agent("oracle-binance", AgentState::Failed),
                ],
            },
            ..System::default()
        },
        ..Snapshot::default()
    }
}

fn seen(snapshot: &Snapshot) -> Seen<'_> {
    Seen {
        snapshot,
        now: Timestamp(1_001_000_000_000),
        dashboard: Some("http://127.0.0.1:8787"),
    }
}

#[test]
fn everything_is_there_when_there_is_room() {
    let snapshot = snapshot();
    let size = Size {
        columns: 80,
        rows: 24,
    };
    let text = view(&seen(&snapshot), size, false).join("\n");
    for words in [
        "TRADING · sim · up 2 h 03 min · run 3f2a1b2c",
        "P&L +$12.34 · equity $0.00",
        "34 trades",
        "agents 2 of 3 at work · oracle-binance failed: the venue hung up",
        "feeds · polymarket 0.2 s ago · binance DOWN",
        "oracle-sniper 0.2.0 gen 1",
        "33.3 %     +$5.00",
        "19:10:05 bought 10 Up @ 0.54 btc-updown-5m-1",
        "-$4.60",
        "dashboard http://127.0.0.1:8787",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}') && !text.contains('\r'));
    let coloured = view(&seen(&snapshot), size, true).join("\n");
    assert!(
        coloured.contains("\u{1b}[32mTRADING\u{1b}[0m"),
        "{coloured}"
    );
}

#[test]
fn every_window_is_fitted() {
    let snapshot = snapshot();
    for columns in 1..=120 {
        for rows in 1..=40 {
            let size = Size { columns, rows };
            for colour in [false, true] {
                let lines = view(&seen(&snapshot), size, colour);
                assert!(lines.len() <= (rows * 2 / 3).max(1), "{size:?}: {lines:#?}");
                for line in &lines {
                    assert!(cells(line) < columns.max(2), "{size:?}: {line:?}");
                    assert!(!line.contains('\n'), "{line:?}");
                }
            }
        }
    }
}

#[test]
fn a_low_window_gets_one_line_and_the_bad_news_first() {
    let mut snapshot = snapshot();
    let low = Size {
        columns: 60,
        rows: 5,
    };
    let lines = view(&seen(&snapshot), low, false);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("TRADING · 1 agents not at work · P&L +$12.34"),
        "{lines:?}"
    );
    snapshot.trading.halted = Some("news at\n14:00".into());
    assert!(one_line(&seen(&snapshot)).starts_with("HALTED: news at 14:00"));
    let late = Seen {
        now: Timestamp(1_010_000_000_000),
        ..seen(&snapshot)
    };
    assert!(one_line(&late).starts_with("NO NEWS FOR 10 s"));
}

#[test]
fn what_ails_an_agent_is_cut_rather_than_left_out() {
    let snapshot = snapshot();
    let size = Size {
        columns: 45,
        rows: 24,
    };
    let text = view(&seen(&snapshot), size, false).join("\n");
    assert!(
        text.contains("agents 2 of 3 at work · oracle-binance fail…"),
        "{text}"
    );
}
