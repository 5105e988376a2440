//! The sections of the report's text, one function each. A section that has nothing to say is left out,
//! except those that every report has.

use super::Report;
use super::by::By;
use super::fold::{Execution, Line};
use super::table::{Cell, Table};
use super::text::{Style, cut, day, minute, paid, per_share, signed, tame, wrapped};
use super::verdict::{Range, Verdict};
use crate::store::analysis::MarketState;
use pm_arb_core::ids::{Nanos, Timestamp};
use pm_arb_core::report::Summary;
use pm_arb_core::units::Usd;
use std::collections::BTreeMap;

/// Most lines of a breakdown, and most waiting markets, in the text; JSON has them all.
const LINES_MAX: usize = 50;
/// Most waiting markets in the text; JSON has them all.
const WAITING_MAX: usize = 10;
/// Most reasons of a kind in the text.
const REASONS_MAX: usize = 12;
/// Where running text ends.
const WIDTH: usize = 92;

pub(super) fn all(report: &Report, style: Style) -> Vec<String> {
    let summary = &report.summary;
    let mut lines = Vec::new();
    for section in [
        trades(summary),
        pnl(summary, style),
        verdicts(report, style),
        by_type(summary, style),
        breakdown(report, style),
        execution(report, style),
        forecast(report, style),
        markets(report, style),
        risk_events(summary),
        inputs(report),
        nothing(summary),
    ] {
        if !section.is_empty() {
            lines.push(String::new());
            lines.extend(section);
        }
    }
    lines
}

fn trades(summary: &Summary) -> Vec<String> {
    let mut lines = vec!["TRADES".to_owned()];
    for (name, count) in [
        ("Total", summary.total_trades),
        ("Open", summary.open_trades),
        ("Closed", summary.closed_trades),
    ] {
        lines.push(format!("  {name:<10}{count:>10}"));
    }
    lines
}

fn pnl(summary: &Summary, style: Style) -> Vec<String> {
    let realized = signed(summary.realized_pnl);
    let rate = win_rate(summary.wins, summary.closed_trades).map_or("-".to_owned(), percent);
    vec![
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
    ]
}

fn verdicts(report: &Report, style: Style) -> Vec<String> {
    let strategies = &report.figures.strategies;
    if strategies.is_empty() || report.summary.closed_trades == 0 {
        return Vec::new();
    }
    let mut lines = vec!["VERDICT (95 % intervals, bootstrap by market)".to_owned()];
    for one in strategies {
        lines.extend(verdict(&one.name, &one.verdict, style));
    }
    if strategies.len() > 1 {
        lines.extend(verdict("all together", &report.figures.all, style));
    }
    lines
}

fn verdict(name: &str, v: &Verdict, style: Style) -> Vec<String> {
    let mut lines = vec![format!(
        "  {}: {}",
        tame(name),
        v.ruling.as_str().to_uppercase()
    )];
    lines.push(format!("    {}", v.why));
    let pnl = style.dress(v.pnl, signed(v.pnl));
    lines.push(format!(
        "    P&L {pnl}{} in {} on {}",
        of_interval(v.interval),
        counted(v.trades, "trade"),
        counted(v.days as u64, "day"),
    ));
    if let Some(best) = v.best_day.filter(|_| v.days > 1) {
        let rest = style.dress(best.rest, signed(best.rest));
        lines.push(format!(
            "    without its best day, {} with {}: {rest}{}",
            day_of(best.day),
            signed(best.pnl),
            of_interval(best.interval)
        ));
    }
    lines.extend(
        v.decided_by
            .map(|trades| format!("    at this spread about {trades} trades would decide it")),
    );
    lines
}

fn of_interval(range: Option<Range>) -> String {
    range.map_or(String::new(), |r| format!(" ({})", r.text()))
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

fn day_of(days: u64) -> String {
    const DAY: Nanos = Nanos::from_ms(86_400_000);
    day(Timestamp(days.saturating_mul(DAY.0)))
}

fn by_type(summary: &Summary, style: Style) -> Vec<String> {
    let mut lines = vec!["BY OPPORTUNITY TYPE".to_owned()];
    if summary.by_type.is_empty() {
        lines.push("  none".to_owned());
        return lines;
    }
    let names = summary.by_type.iter().map(|(name, ..)| name.len());
    let wide = names.max().unwrap_or_default().max("Type".len());
    lines.push(format!(
        "  {:<wide$}  {:>8}  {:>12}",
        "Type", "Trades", "P&L"
    ));
    for (name, trades, pnl) in &summary.by_type {
        let amount = style.dress(*pnl, format!("{:>12}", signed(*pnl)));
        lines.push(format!("  {name:<wide$}  {trades:>8}  {amount}"));
    }
    lines
}

fn breakdown(report: &Report, style: Style) -> Vec<String> {
    let Some((by, all)) = &report.figures.breakdown else {
        return Vec::new();
    };
    let head = match by {
        By::Hour => "BY HOUR OF THE DECISION, UTC".to_owned(),
        By::Day => "BY DAY OF THE DECISION, UTC".to_owned(),
        By::TimeLeft => "BY TIME LEFT AT THE DECISION".to_owned(),
        other => format!("BY {}", other.as_str().to_uppercase()),
    };
    let mut lines = vec![format!("{head} (ended trades)")];
    if all.is_empty() {
        lines.push("  none".to_owned());
        return lines;
    }
    let mut table = Table::new(&["Name", "Trades", "Win rate", "P&L", "95 % from", "to"])
        // Names of markets are told apart by all of their letters.
        .names(&[]);
    let ends = |line: &Line, pick: fn(Range) -> Usd| match line.interval {
        Some(range) => Cell::money(pick(range)),
        None => Cell::from("-"),
    };
    for line in all.iter().take(LINES_MAX) {
        table.row(vec![
            Cell::from(cut(&tame(&line.name), 40)),
            Cell::from(line.trades),
            Cell::from(win_rate(line.wins, line.trades).map_or("-".to_owned(), percent)),
            Cell::money(line.pnl),
            ends(line, |r| r.low),
            ends(line, |r| r.high),
        ]);
    }
    lines.extend(table.lines(style));
    lines.extend(more(all.len(), LINES_MAX, "lines"));
    lines
}

fn more(all: usize, shown: usize, what: &str) -> Option<String> {
    let left = all.checked_sub(shown).filter(|left| *left > 0)?;
    Some(format!(
        "  and {left} more {what}: --format json has them all"
    ))
}

fn execution(report: &Report, style: Style) -> Vec<String> {
    let of: Vec<(&str, &Execution)> = report
        .figures
        .strategies
        .iter()
        .map(|s| (s.name.as_str(), &s.execution))
        .filter(|(_, e)| e.wishes + e.waiting > 0)
        .collect();
    let mut lines = Vec::new();
    if !of.is_empty() {
        lines.push(
            "EXECUTION (the same wishes, booked three ways, once their markets paid)".to_owned(),
        );
        let heads = [
            "Strategy",
            "Wishes",
            "Waiting",
            "Naive",
            "Mid",
            "Honest",
            "Ghost gap",
            "a share",
        ];
        let mut table = Table::new(&heads);
        for (name, e) in &of {
            let [naive, mid, honest] = e.made;
            table.row(vec![
                Cell::from(cut(&tame(name), 17)),
                Cell::from(e.wishes),
                Cell::from(e.waiting),
                Cell::money(naive.pnl),
                Cell::money(mid.pnl),
                Cell::money(honest.pnl),
                Cell::from(signed(e.ghost_gap())),
                Cell::from(e.ghost_gap_per_share().map_or("-".to_owned(), per_share)),
            ]);
        }
        lines.extend(table.lines(style));
    }
    let asked = report.figures.strategies.iter().map(|s| &s.execution);
    let (confirmed, seen, unknown) = asked.fold((0, 0, 0), |sum, e| {
        let asked = e.tape_confirmed + e.tape_not_seen;
        (
            sum.0 + e.tape_confirmed,
            sum.1 + asked,
            sum.2 + e.tape_unknown,
        )
    });
    if seen > 0 {
        if lines.is_empty() {
            lines.push("EXECUTION".to_owned());
        }
        let share = win_rate(confirmed, seen).map_or("-".to_owned(), percent);
        lines.push(format!(
            "  Tape: {share} of {} confirmed by a real trade within a second ({confirmed}/{seen}), {unknown} not known",
            counted(seen, "fill")
        ));
    }
    lines
}

fn forecast(report: &Report, style: Style) -> Vec<String> {
    let mut table = Table::new(&[
        "Strategy",
        "Intents",
        "Shares",
        "Claimed",
        "Realised",
        "95 % from",
        "to",
    ]);
    let mut any = false;
    for one in &report.figures.strategies {
        let Some(f) = &one.forecast else { continue };
        any = true;
        let ends = f
            .interval
            .map(|r| (Cell::share(r.low), Cell::share(r.high)));
        let (low, high) = ends.unwrap_or((Cell::from("-"), Cell::from("-")));
        table.row(vec![
            Cell::from(cut(&tame(&one.name), 17)),
            Cell::from(f.intents),
            Cell::from(f.shares),
            Cell::from(per_share(f.claimed)),
            Cell::share(f.realised),
            low,
            high,
        ]);
    }
    if !any {
        return Vec::new();
    }
    let mut lines = vec!["FORECAST (gain a share, as claimed and as realised)".to_owned()];
    lines.extend(table.lines(style));
    lines
}

/// The order in which states of markets are told.
const STATES: [&str; 7] = [
    "open",
    "paused",
    "pending",
    "disputed",
    "contradicted",
    "settled",
    "void",
];

fn markets(report: &Report, style: Style) -> Vec<String> {
    if report.markets.is_empty() {
        return Vec::new();
    }
    let states = by_state(&report.markets);
    let mut lines =
        vec!["MARKETS (with trades of the period, or with shares still held)".to_owned()];
    let mut table = Table::new(&["State", "Markets", "Locked"]);
    for state in STATES {
        if let Some((count, locked)) = states.get(state) {
            table.row(vec![
                Cell::from(state),
                Cell::from(*count),
                Cell::from(paid(*locked)),
            ]);
        }
    }
    lines.extend(table.lines(style));
    let waiting = waiting(&report.markets);
    for market in waiting.iter().take(WAITING_MAX) {
        lines.push(format!(
            "  {}: {} since {}, {} locked",
            market.status,
            tame(&market.slug),
            minute(market.since),
            paid(market.locked)
        ));
        let why = tame(&market.evidence);
        lines.extend(
            wrapped(&why, WIDTH - 4)
                .into_iter()
                .map(|l| format!("    {l}")),
        );
    }
    lines.extend(more(waiting.len(), WAITING_MAX, "markets"));
    lines
}

/// How many markets are in each state, and what is locked in them.
pub(super) fn by_state(markets: &[MarketState]) -> BTreeMap<&str, (u64, Usd)> {
    let mut states: BTreeMap<&str, (u64, Usd)> = BTreeMap::new();
    for market in markets {
        let (count, locked) = states.entry(&market.status).or_default();
        *count += 1;
        *locked = Usd(locked.0.saturating_add(market.locked.0));
    }
    states
}

/// Markets that somebody should look at: money waits for a word, or one contradicts what was booked.
/// Contradicted and disputed ones first, then by money.
pub(super) fn waiting(markets: &[MarketState]) -> Vec<&MarketState> {
    let mut waiting: Vec<&MarketState> = markets
        .iter()
        .filter(|m| ["pending", "disputed", "contradicted"].contains(&m.status.as_str()))
        .collect();
    waiting.sort_by(|a, b| {
        (a.status.cmp(&b.status))
            .then(b.locked.cmp(&a.locked))
            .then(a.since.cmp(&b.since))
    });
    waiting
}

fn risk_events(summary: &Summary) -> Vec<String> {
    let mut lines = vec!["RISK EVENTS".to_owned()];
    if summary.rejections_by_reason.is_empty() {
        lines.push("  none".to_owned());
        return lines;
    }
    let names = summary
        .rejections_by_reason
        .iter()
        .map(|(code, _)| code.len());
    let wide = names.max().unwrap_or_default().max("Reason".len());
    lines.push(format!("  {:<wide$}  {:>8}", "Reason", "Count"));
    for (code, count) in &summary.rejections_by_reason {
        lines.push(format!("  {code:<wide$}  {count:>8}"));
    }
    lines
}

/// Kinds of counts, and what they are called.
const COUNTS: [(&str, &str); 5] = [
    ("opportunities", "Opportunities seen"),
    ("no_opportunity", "Looks that led to none"),
    ("input_refused", "Inputs refused"),
    ("silence", "Silences of a minute and more"),
    ("latency", "Latency"),
];

fn inputs(report: &Report) -> Vec<String> {
    if report.counts.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["INPUTS (whole runs)".to_owned()];
    for (kind, title) in COUNTS {
        let of = || report.counts.iter().filter(|c| c.kind == kind);
        let sum: u64 = of().map(|c| c.count).fold(0, u64::saturating_add);
        if of().count() == 0 {
            continue;
        }
        lines.push(format!("  {title}: {sum}"));
        let wide = of().map(|c| c.name.len()).max().unwrap_or_default();
        for count in of().take(REASONS_MAX) {
            lines.push(format!(
                "    {:<wide$}  {:>10}",
                tame(&count.name),
                count.count
            ));
        }
        lines.extend(more(of().count(), REASONS_MAX, "reasons"));
    }
    lines
}

fn nothing(summary: &Summary) -> Vec<String> {
    if summary.total_trades + summary.rejections > 0 {
        return Vec::new();
    }
    vec![
        "Nothing was traded in this period. A longer one: --days 30. To trade simulated venues:"
            .into(),
        "  pm-arb pilot --strategies './strategies/*.wasm' --for 10m".into(),
    ]
}

/// Parts of ten thousand, rounded down; `None` of nothing.
pub(super) fn win_rate(wins: u64, of: u64) -> Option<u64> {
    let wins = u128::from(wins) * 10_000;
    wins.checked_div(u128::from(of))
        .and_then(|rate| u64::try_from(rate).ok())
}

fn percent(parts: u64) -> String {
    format!("{}.{}%", parts / 100, parts % 100 / 10)
}
