//! `pm-arb report` as text and as JSON.
//!
//! Owns the wording and the layout; the numbers come from a [`Summary`], whose profit and loss holds
//! settled and closed trades only. It reads no database.
//!
//! JSON: money is a string in dollars; `win_rate` is a string between "0" and "1" with four decimals,
//! rounded down, or `null` while no trade has been closed.

use pm_arb_core::ids::{Nanos, Timestamp};
use pm_arb_core::report::Summary;
use pm_arb_core::units::Usd;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

/// Which days a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Trades made since then count.
    pub since: Timestamp,
    /// When the report was made.
    pub now: Timestamp,
    /// How many days of 24 hours that is.
    pub days: u32,
}

impl Period {
    /// The last `days` times 24 hours before `now`.
    #[must_use]
    pub fn last_days(days: u32, now: Timestamp) -> Self {
        const DAY: Nanos = Nanos::from_ms(86_400_000);
        let span = DAY.0.saturating_mul(u64::from(days));
        Self {
            since: Timestamp(now.0.saturating_sub(span)),
            now,
            days,
        }
    }
}

/// How text is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Letters only.
    Plain,
    /// Gains green, losses red.
    Colour,
}

impl Style {
    /// Colour on a terminal, unless `NO_COLOR` is set to something (see no-color.org).
    #[must_use]
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        if std::io::stdout().is_terminal() && !refused {
            Style::Colour
        } else {
            Style::Plain
        }
    }

    fn dress(self, amount: Usd, text: String) -> String {
        match (self, amount.cmp(&Usd::ZERO)) {
            (Style::Colour, Ordering::Greater) => format!("\u{1b}[32m{text}\u{1b}[0m"),
            (Style::Colour, Ordering::Less) => format!("\u{1b}[31m{text}\u{1b}[0m"),
            _ => text,
        }
    }
}

/// The report as text, ending in a line break.
#[must_use]
pub fn render(summary: &Summary, period: &Period, style: Style) -> String {
    let mut lines = vec![
        format!("PAPER TRADING REPORT  {}", minute(period.now)),
        format!(
            "Period: last {} {} (since {})",
            period.days,
            if period.days == 1 { "day" } else { "days" },
            minute(period.since)
        ),
        String::new(),
        "TRADES".to_owned(),
    ];
    for (name, count) in [
        ("Total", summary.total_trades),
        ("Open", summary.open_trades),
        ("Closed", summary.closed_trades),
    ] {
        lines.push(format!("  {name:<10}{count:>10}"));
    }
    let realized = signed(summary.realized_pnl);
    let rate = win_rate(summary).map_or("-".to_owned(), percent);
    lines.extend([
        String::new(),
        "P&L (closed and settled trades)".to_owned(),
        format!(
            "  {:<10}{}",
            "Realized",
            style.dress(summary.realized_pnl, format!("{realized:>10}"))
        ),
        format!(
            "  {:<10}{rate:>10}  ({}/{})",
            "Win rate", summary.wins, summary.closed_trades
        ),
        String::new(),
        "BY OPPORTUNITY TYPE".to_owned(),
    ]);
    lines.extend(by_type(summary, style));
    lines.extend([String::new(), "RISK EVENTS".to_owned()]);
    lines.extend(risk_events(summary));
    let mut text = String::new();
    for line in lines {
        // Writing to a String can not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn by_type(summary: &Summary, style: Style) -> Vec<String> {
    if summary.by_type.is_empty() {
        return vec!["  none".to_owned()];
    }
    let names = summary.by_type.iter().map(|(name, ..)| name.len());
    let wide = names.max().unwrap_or_default().max("Type".len());
    let mut lines = vec![format!(
        "  {:<wide$}  {:>8}  {:>12}",
        "Type", "Trades", "P&L"
    )];
    for (name, trades, pnl) in &summary.by_type {
        let amount = style.dress(*pnl, format!("{:>12}", signed(*pnl)));
        lines.push(format!("  {name:<wide$}  {trades:>8}  {amount}"));
    }
    lines
}

fn risk_events(summary: &Summary) -> Vec<String> {
    if summary.rejections_by_reason.is_empty() {
        return vec!["  none".to_owned()];
    }
    let names = summary
        .rejections_by_reason
        .iter()
        .map(|(code, _)| code.len());
    let wide = names.max().unwrap_or_default().max("Reason".len());
    let mut lines = vec![format!("  {:<wide$}  {:>8}", "Reason", "Count")];
    for (code, count) in &summary.rejections_by_reason {
        lines.push(format!("  {code:<wide$}  {count:>8}"));
    }
    lines
}

/// The report for programs. The keys are a promise; the period is what the caller asked for.
#[must_use]
pub fn json(summary: &Summary, _period: &Period) -> Value {
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
    json!({
        "total_trades": summary.total_trades,
        "open_trades": summary.open_trades,
        "closed_trades": summary.closed_trades,
        "realized_pnl": summary.realized_pnl.to_string(),
        "wins": summary.wins,
        "losses": summary.losses,
        "win_rate": win_rate(summary).map(|parts| format!("{}.{:04}", parts / 10_000, parts % 10_000)),
        "rejections": summary.rejections,
        "by_opportunity_type": by_type,
        "risk_rejections": rejections,
    })
}

/// Wins per ten thousand closed trades, rounded down; `None` without any.
fn win_rate(summary: &Summary) -> Option<u64> {
    let wins = u128::from(summary.wins) * 10_000;
    wins.checked_div(u128::from(summary.closed_trades))
        .and_then(|rate| u64::try_from(rate).ok())
}

fn percent(parts: u64) -> String {
    format!("{}.{}%", parts / 100, parts % 100 / 10)
}

/// In cents, with its sign always; rounded down, so that no report flatters.
pub(crate) fn signed(amount: Usd) -> String {
    let cents = amount.0.div_euclid(10_000);
    let sign = if cents < 0 { '-' } else { '+' };
    let cents = cents.unsigned_abs();
    format!("{sign}${}.{:02}", cents / 100, cents % 100)
}

/// `2026-11-22 19:10 UTC`
fn minute(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.0))
        .unwrap_or_default()
        .strftime("%Y-%m-%d %H:%M UTC")
        .to_string()
}
