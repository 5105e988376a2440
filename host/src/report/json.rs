//! The report for programs. Its keys are a promise.
//!
//! Money is a string in dollars; `win_rate` is a string between "0" and "1" with four decimals, rounded
//! down, or `null` while no trade has ended. An interval is `{"low": …, "high": …}` of 95 %, or `null`.

use super::Report;
use super::fold::{Execution, Forecast, Line, StrategyFigures};
use super::sections::{by_state, waiting, win_rate};
use super::text::{day, rfc3339};
use super::verdict::{Range, Verdict};
use crate::store::analysis::MarketState;
use pm_arb_core::ids::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The name of this shape.
const SCHEMA: &str = "pm-arb.report/1";

/// The report as JSON.
#[must_use]
pub fn json(report: &Report) -> Value {
    let summary = &report.summary;
    let by_type: Vec<Value> = summary
        .by_type
        .iter()
        .map(|(name, trades, pnl)| json!({"type": name, "trades": trades, "pnl": pnl.to_string()}))
        .collect();
    let rejections: Vec<Value> = summary
        .rejections_by_reason
        .iter()
        .map(|(reason, count)| json!({"reason": reason, "count": count}))
        .collect();
    let figures = &report.figures;
    let breakdown = figures.breakdown.as_ref().map(|(by, lines)| {
        let lines: Vec<Value> = lines.iter().map(line).collect();
        json!({"by": by.as_str(), "lines": lines})
    });
    json!({
        "schema": SCHEMA,
        "since": rfc3339(report.period.since),
        "made_at": rfc3339(report.period.now),
        "run_id": report.filter.run_id.map(|id| id.to_string()),
        "strategy": report.filter.strategy,
        "total_trades": summary.total_trades,
        "open_trades": summary.open_trades,
        "closed_trades": summary.closed_trades,
        "realized_pnl": summary.realized_pnl.to_string(),
        "wins": summary.wins,
        "losses": summary.losses,
        "win_rate": rate(summary.wins, summary.closed_trades),
        "rejections": summary.rejections,
        "by_opportunity_type": by_type,
        "risk_rejections": rejections,
        "verdict": verdict(&figures.all),
        "strategies": figures.strategies.iter().map(strategy).collect::<Vec<_>>(),
        "breakdown": breakdown,
        "markets": markets(&report.markets),
        "counts": counts(report),
    })
}

fn rate(wins: u64, of: u64) -> Option<String> {
    win_rate(wins, of).map(|parts| format!("{}.{:04}", parts / 10_000, parts % 10_000))
}

fn range(range: Option<Range>) -> Value {
    range.map_or(
        Value::Null,
        |r| json!({"low": r.low.to_string(), "high": r.high.to_string()}),
    )
}

fn verdict(v: &Verdict) -> Value {
    let best = v.best_day.map(|best| {
        let at = Timestamp(best.day.saturating_mul(86_400_000_000_000));
        json!({
            "day": day(at),
            "pnl": best.pnl.to_string(),
            "pnl_without": best.rest.to_string(),
            "interval_without": range(best.interval),
        })
    });
    json!({
        "ruling": v.ruling.as_str(),
        "why": v.why,
        "trades": v.trades,
        "markets": v.markets,
        "days": v.days,
        "pnl": v.pnl.to_string(),
        "interval": range(v.interval),
        "best_day": best,
        "decided_by_trades": v.decided_by,
    })
}

fn strategy(s: &StrategyFigures) -> Value {
    json!({
        "strategy": s.name,
        "verdict": verdict(&s.verdict),
        "execution": execution(&s.execution),
        "forecast": s.forecast.as_ref().map(forecast),
    })
}

fn execution(e: &Execution) -> Value {
    let [naive, mid, honest] = e
        .made
        .map(|made| json!({"shares": made.qty.to_string(), "pnl": made.pnl.to_string()}));
    json!({
        "wishes": e.wishes,
        "waiting": e.waiting,
        "legs_without_mid": e.without_mid,
        "naive": naive,
        "mid": mid,
        "honest": honest,
        "ghost_gap": e.ghost_gap().to_string(),
        "ghost_gap_parts": {
            "price_at_arrival": e.gap.quote.to_string(),
            "depth": e.gap.depth.to_string(),
            "fees": e.gap.fees.to_string(),
            "unfilled": e.gap.unfilled.to_string(),
            "exits": e.gap.exits.to_string(),
        },
        "ghost_gap_per_share": e.ghost_gap_per_share().map(|gap| gap.to_string()),
        "tape": {
            "confirmed": e.tape_confirmed,
            "not_seen": e.tape_not_seen,
            "unknown": e.tape_unknown,
        },
    })
}

fn forecast(f: &Forecast) -> Value {
    json!({
        "intents": f.intents,
        "shares": f.shares.to_string(),
        "claimed_per_share": f.claimed.to_string(),
        "realised_per_share": f.realised.to_string(),
        "interval": range(f.interval),
    })
}

fn line(line: &Line) -> Value {
    json!({
        "name": line.name,
        "trades": line.trades,
        "wins": line.wins,
        "win_rate": rate(line.wins, line.trades),
        "pnl": line.pnl.to_string(),
        "interval": range(line.interval),
    })
}

fn markets(all: &[MarketState]) -> Value {
    let states: Map<String, Value> = by_state(all)
        .into_iter()
        .map(|(name, (count, locked))| {
            let value = json!({"markets": count, "locked": locked.to_string()});
            (name.to_owned(), value)
        })
        .collect();
    let waiting: Vec<Value> = waiting(all)
        .into_iter()
        .map(|m| {
            json!({
                "venue": m.venue,
                "market_id": m.market_id,
                "slug": m.slug,
                "family": m.family,
                "status": m.status,
                "since": rfc3339(m.since),
                "closes_at": rfc3339(m.closes),
                "locked": m.locked.to_string(),
                "evidence": m.evidence,
            })
        })
        .collect();
    json!({"states": states, "waiting": waiting})
}

/// `{"input_refused": {"UNKNOWN_MARKET": 3}, …}`
fn counts(report: &Report) -> Value {
    let mut kinds: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for count in &report.counts {
        let of = kinds.entry(&count.kind).or_default();
        of.insert(count.name.clone(), count.count.into());
    }
    json!(kinds)
}
