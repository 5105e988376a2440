//! What `pm-arb report` prints, word for word.

use pm_arb::report::{Period, Report, Style, json, render};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::report::Summary;
use pm_arb_core::units::Usd;

const NOW: Timestamp = Timestamp(1_790_000_000_123_456_789);

fn brief(summary: Summary, days: u32) -> Report {
    Report::brief(summary, Period::last_days(days, NOW))
}

fn busy() -> Summary {
    Summary {
        total_trades: 12,
        open_trades: 3,
        closed_trades: 9,
        realized_pnl: Usd(-3_214_567),
        wins: 6,
        losses: 3,
        rejections: 41,
        by_type: vec![
            ("mispricing".into(), 4, Usd(1_234_567_890)),
            ("oracle_lag".into(), 7, Usd(-1_237_782_457)),
            ("signal".into(), 1, Usd(0)),
        ],
        rejections_by_reason: vec![("STALE_BOOK".into(), 40), ("POS_LIMIT_MARKET".into(), 1)],
    }
}

#[test]
fn a_busy_week_as_text() {
    let text = render(&brief(busy(), 7), Style::PLAIN);
    let golden = "\
PAPER TRADING REPORT  2026-09-21 14:13 UTC
Period: last 7 days (since 2026-09-14 14:13 UTC)

TRADES
  Total             12
  Open               3
  Closed             9

P&L (closed and settled trades)
  Realized      -$3.22
  Win rate       66.6%  (6/9)

BY OPPORTUNITY TYPE
  Type          Trades           P&L
  mispricing         4     +$1234.56
  oracle_lag         7     -$1237.79
  signal             1        +$0.00

RISK EVENTS
  Reason               Count
  STALE_BOOK              40
  POS_LIMIT_MARKET         1
";
    assert_eq!(text, golden);
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let coloured = render(&brief(busy(), 7), Style::COLOUR);
    assert!(
        coloured.contains("\u{1b}[32m   +$1234.56\u{1b}[0m"),
        "{coloured}"
    );
    assert!(
        coloured.contains("\u{1b}[31m   -$1237.79\u{1b}[0m"),
        "{coloured}"
    );
    assert_eq!(
        coloured.matches("\u{1b}[0m").count(),
        3,
        "zero has no colour"
    );
    let mut bare = coloured;
    for code in ["\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m"] {
        bare = bare.replace(code, "");
    }
    assert_eq!(bare, render(&brief(busy(), 7), Style::PLAIN));
}

#[test]
fn a_day_without_trades_as_text() {
    let text = render(&brief(Summary::default(), 1), Style::COLOUR);
    let golden = "\
PAPER TRADING REPORT  2026-09-21 14:13 UTC
Period: last 1 day (since 2026-09-20 14:13 UTC)

TRADES
  Total              0
  Open               0
  Closed             0

P&L (closed and settled trades)
  Realized      +$0.00
  Win rate           -  (0/0)

BY OPPORTUNITY TYPE
  none

RISK EVENTS
  none

Nothing was traded in this period. A longer one: --days 30. To trade simulated venues:
  pm-arb pilot --strategies './strategies/*.wasm' --for 10m
";
    assert_eq!(text, golden);
}

#[test]
fn both_as_json() {
    let golden = r#"{
  "by_opportunity_type": [
    {
      "pnl": "1234.56789",
      "trades": 4,
      "type": "mispricing"
    },
    {
      "pnl": "-1237.782457",
      "trades": 7,
      "type": "oracle_lag"
    },
    {
      "pnl": "0.00",
      "trades": 1,
      "type": "signal"
    }
  ],
  "closed_trades": 9,
  "losses": 3,
  "open_trades": 3,
  "realized_pnl": "-3.214567",
  "rejections": 41,
  "risk_rejections": [
    {
      "count": 40,
      "reason": "STALE_BOOK"
    },
    {
      "count": 1,
      "reason": "POS_LIMIT_MARKET"
    }
  ],
  "total_trades": 12,
  "win_rate": "0.6666",
  "wins": 6
}"#;
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let json = |summary: Summary| json(&brief(summary, 1));
    let whole = json(busy());
    for (key, value) in golden.as_object().unwrap() {
        assert_eq!(whole[key], *value, "{key}");
    }
    let nothing = json(Summary::default());
    assert_eq!(nothing["win_rate"], serde_json::Value::Null);
    assert_eq!(nothing["realized_pnl"], "0.00");
    let all = Summary {
        closed_trades: 2,
        wins: 2,
        ..Summary::default()
    };
    assert_eq!(json(all)["win_rate"], "1.0000");
}
