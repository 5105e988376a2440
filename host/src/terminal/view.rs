//! What a running pilot looks like on a terminal of any size: a function of its latest picture.
//!
//! Owns the layout: which facts, in which order, and which are left out first when room is short. It
//! writes nowhere and asks nobody. Names come from venues and strategies: control characters are taken
//! out of them, and no line is ever wider than the window.

use super::Size;
use super::screen::cells;
use crate::orchestrator::health::{AgentHealth, AgentState};
use crate::pilot::is_feed;
use crate::report::{signed, tame};
use crate::snapshot::{FillRow, Money, Snapshot, StrategyRow};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::Usd;
use std::cmp::Ordering;
use unicode_width::UnicodeWidthChar as _;

/// A window lower or narrower than this gets one line.
const ROWS_MIN: usize = 8;
const COLUMNS_MIN: usize = 30;
/// Most rows of the view, however high the window.
const ROWS_MAX: usize = 20;
/// Most strategies and trades that are listed.
const STRATEGIES_MAX: usize = 6;
const TRADES_MAX: usize = 5;
/// A picture older than this is said to be old.
const STALE_SECS: u64 = 3;

/// What is looked at, and when.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The latest picture.
    pub snapshot: &'a Snapshot,
    /// Now, by the wall clock.
    pub now: Timestamp,
    /// Where the dashboard is.
    pub dashboard: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Faint,
    Good,
    Bad,
    Head,
}

impl Tone {
    fn of(amount: Usd) -> Self {
        match amount.cmp(&Usd::ZERO) {
            Ordering::Greater => Tone::Good,
            Ordering::Less => Tone::Bad,
            Ordering::Equal => Tone::Plain,
        }
    }

    fn code(self) -> Option<&'static str> {
        match self {
            Tone::Plain => None,
            Tone::Faint => Some("2"),
            Tone::Good => Some("32"),
            Tone::Bad => Some("31"),
            Tone::Head => Some("1"),
        }
    }
}

/// A piece of a line.
#[derive(Debug, Clone)]
struct Piece(String, Tone);

fn piece(text: impl AsRef<str>, tone: Tone) -> Piece {
    Piece(tame(text.as_ref()), tone)
}

fn plain(text: impl AsRef<str>) -> Piece {
    piece(text, Tone::Plain)
}

/// Between two facts.
const BETWEEN: &str = " · ";

/// Facts in a row, the most important first: those that do not fit are left out, whole.
fn facts(facts: Vec<Piece>, columns: usize) -> Vec<Piece> {
    let mut line: Vec<Piece> = Vec::new();
    let mut used = 0;
    for fact in facts {
        let wide = cells(&fact.0) + if line.is_empty() { 0 } else { cells(BETWEEN) };
        if !line.is_empty() {
            if used + wide > columns {
                continue;
            }
            line.push(piece(BETWEEN, Tone::Faint));
        }
        used += wide;
        line.push(fact);
    }
    line
}

/// The line as it is written: cut to the window, coloured if wanted.
fn dressed(line: &[Piece], columns: usize, colour: bool) -> String {
    let mut out = String::new();
    let mut room = columns;
    for Piece(text, tone) in line {
        let cut = cut(text, room);
        room = room.saturating_sub(cells(&cut));
        match tone.code().filter(|_| colour) {
            Some(code) => out.push_str(&format!("\x1b[{code}m{cut}\x1b[0m")),
            None => out.push_str(&cut),
        }
    }
    out
}

/// At most so many columns, with `…` for the rest.
fn cut(text: &str, columns: usize) -> String {
    if cells(text) <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let mut short = String::new();
    for c in text.chars() {
        let Some(left) = room.checked_sub(c.width().unwrap_or_default()) else {
            break;
        };
        room = left;
        short.push(c);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// Exactly so many columns.
fn column(text: &str, columns: usize) -> String {
    let text = cut(&tame(text), columns);
    let missing = columns.saturating_sub(cells(&text));
    format!("{text}{}", " ".repeat(missing))
}

/// An amount that is no gain or loss: in cents, rounded down.
fn amount(money: Money) -> String {
    signed(money.0).trim_start_matches('+').to_owned()
}

fn state(seen: &Seen<'_>) -> Piece {
    let age = seen.now.since(seen.snapshot.taken.0).ms() / 1_000;
    match &seen.snapshot.trading.halted {
        _ if age >= STALE_SECS => piece(format!("NO NEWS FOR {age} s"), Tone::Bad),
        Some(why) => piece(format!("HALTED: {why}"), Tone::Bad),
        None => piece("TRADING", Tone::Good),
    }
}

fn profit(snapshot: &Snapshot) -> Piece {
    let realized = snapshot.trading.results.realized_pnl.0;
    piece(format!("P&L {}", signed(realized)), Tone::of(realized))
}

fn counts(snapshot: &Snapshot) -> Vec<Piece> {
    let trading = &snapshot.trading;
    vec![
        plain(format!("{} trades", snapshot.trading.results.total)),
        plain(format!("{} open", trading.open_trades)),
        plain(format!("{} in flight", trading.orders_in_flight)),
        plain(format!("{} denied", snapshot.risk.denied)),
        plain(format!("{} at rest", trading.orders_resting)),
    ]
}

/// Agents that are no feeds and no strategies: how many are at work, and what ails the others.
fn agents(snapshot: &Snapshot, columns: usize) -> Vec<Piece> {
    let all = &snapshot.system.health.agents;
    let working = all.iter().filter(|agent| agent.running).count();
    let head = format!("agents {working} of {} at work", all.len());
    // What ails one is told in part rather than not at all.
    let room = columns.saturating_sub(cells(&head) + cells(BETWEEN));
    let mut line = vec![plain(head)];
    let ailing = all.iter().filter(|agent| !agent.running);
    line.extend(ailing.map(|agent| piece(cut(&tame(&ailment(agent)), room), Tone::Bad)));
    line
}

fn ailment(agent: &AgentHealth) -> String {
    let state = match agent.state {
        AgentState::Starting => "starting",
        AgentState::Running => "running",
        AgentState::Backoff => "waits to restart",
        AgentState::Failed => "failed",
        AgentState::Stopped => "stopped",
    };
    match &agent.last_error {
        Some(error) => format!("{} {state}: {error}", agent.name),
        None => format!("{} {state}", agent.name),
    }
}

fn feeds(snapshot: &Snapshot) -> Vec<Piece> {
    let all = &snapshot.system.health.agents;
    let feeds = all
        .iter()
        .filter(|agent| is_feed(&agent.name) && agent.name != "strategy-watcher");
    let one = |agent: &AgentHealth| {
        let name = agent.name.trim_start_matches("venue-watcher-");
        let name = name.trim_start_matches("oracle-");
        match agent.last_heartbeat_secs {
            _ if !agent.running => piece(format!("{name} DOWN"), Tone::Bad),
            Some(age) => plain(format!("{name} {age:.1} s ago")),
            None => piece(format!("{name} nothing yet"), Tone::Faint),
        }
    };
    let mut line = vec![plain("feeds")];
    line.extend(feeds.map(one));
    if line.len() == 1 {
        line.push(piece("none yet", Tone::Faint));
    }
    line
}

fn strategy(row: &StrategyRow, columns: usize) -> Vec<Piece> {
    let share = format!("{:>5.1} %", f64::from(row.share_bps) / 100.0);
    let net = format!("{:>11}", signed(row.net.0));
    let name = format!("{} {} gen {}", row.name, row.version, row.generation);
    let wide = columns
        .saturating_sub(cells(&share) + cells(&net) + 4)
        .min(40);
    vec![
        plain(format!("  {}", column(&name, wide))),
        plain(share),
        piece(net, Tone::of(row.net.0)),
    ]
}

fn trade(trade: &FillRow, columns: usize) -> Vec<Piece> {
    let (came_to, tone) = match trade.realized_pnl {
        Some(pnl) => (signed(pnl.0), Tone::of(pnl.0)),
        None => ("open".to_owned(), Tone::Faint),
    };
    let what = format!(
        "{} {} {} {} @ {} {}",
        clock(trade.at.0),
        if trade.side == "buy" {
            "bought"
        } else {
            "sold"
        },
        trade.quantity,
        trade.outcome,
        trade.price,
        trade.market
    );
    let came_to = format!("{came_to:>11}");
    let wide = columns.saturating_sub(cells(&came_to) + 2).min(70);
    vec![
        plain(format!("  {}", column(&what, wide))),
        piece(came_to, tone),
    ]
}

/// `19:10:05`, UTC, of the run's own time.
fn clock(at: Timestamp) -> String {
    let seconds = at.0 / 1_000_000_000 % 86_400;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn span(secs: f64) -> String {
    let minutes = secs / 60.0;
    if minutes < 1.0 {
        format!("{secs:.0} s")
    } else if minutes < 60.0 {
        format!("{minutes:.0} min")
    } else {
        let minutes = minutes as u64;
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// Everything in one line without colour, for logs and windows that are too small for more.
#[must_use]
pub fn one_line(seen: &Seen<'_>) -> String {
    let line = essence(seen, usize::MAX);
    dressed(&line, usize::MAX, false)
}

fn essence(seen: &Seen<'_>, columns: usize) -> Vec<Piece> {
    let snapshot = seen.snapshot;
    let mut all = vec![
        state(seen),
        profit(snapshot),
        plain(format!("equity {}", amount(snapshot.trading.equity))),
    ];
    all.extend(counts(snapshot));
    let agents = &snapshot.system.health.agents;
    let down = agents.iter().filter(|agent| !agent.running).count();
    if down > 0 {
        all.insert(1, piece(format!("{down} agents not at work"), Tone::Bad));
    }
    facts(all, columns)
}

/// The lines to draw, none wider than the window, leaving room for the log above them.
#[must_use]
pub fn view(seen: &Seen<'_>, size: Size, colour: bool) -> Vec<String> {
    // The last column stays free: a cursor behind it would wait on the next row.
    let columns = size.columns.saturating_sub(1);
    let dress = |lines: Vec<Vec<Piece>>| -> Vec<String> {
        let dress = |line: &Vec<Piece>| dressed(line, columns, colour);
        lines.iter().map(dress).collect()
    };
    if size.rows < ROWS_MIN || size.columns < COLUMNS_MIN {
        return dress(vec![essence(seen, columns)]);
    }
    let snapshot = seen.snapshot;
    let run: String = snapshot.run.id.chars().take(8).collect();
    let up = span(snapshot.system.health.uptime_secs);
    let mut lines = vec![
        facts(
            vec![
                state(seen),
                plain(&snapshot.run.source),
                plain(format!("up {up}")),
                piece(format!("run {run}"), Tone::Faint),
            ],
            columns,
        ),
        facts(
            vec![
                profit(snapshot),
                plain(format!("equity {}", amount(snapshot.trading.equity))),
                plain(format!("cash {}", amount(snapshot.trading.cash))),
                plain(format!("locked {}", amount(snapshot.trading.locked))),
                plain(format!("fees {}", amount(snapshot.trading.fees))),
            ],
            columns,
        ),
        facts(counts(snapshot), columns),
        facts(agents(snapshot, columns), columns),
        facts(feeds(snapshot), columns),
    ];
    // A third of the window stays with the log.
    let mut room = (size.rows * 2 / 3).min(ROWS_MAX);
    let tail = seen
        .dashboard
        .map(|url| vec![piece(format!("dashboard {url}"), Tone::Faint)]);
    lines.truncate(room.saturating_sub(usize::from(tail.is_some())));
    room = room.saturating_sub(lines.len() + usize::from(tail.is_some()));
    let strategies = &snapshot.strategies.strategies;
    let trades = &snapshot.trading.newest;
    // A heading with nothing under it says nothing.
    if room >= 2 && !strategies.is_empty() {
        let most = if trades.is_empty() {
            room
        } else {
            room.div_ceil(2)
        };
        let shown = strategies.len().min(STRATEGIES_MAX).min(most.max(2) - 1);
        lines.push(heading("strategies", strategies.len(), shown));
        lines.extend(strategies.iter().take(shown).map(|s| strategy(s, columns)));
        room -= shown + 1;
    }
    if room >= 2 && !trades.is_empty() {
        let shown = trades.len().min(TRADES_MAX).min(room - 1);
        lines.push(vec![piece("last trades", Tone::Head)]);
        lines.extend(trades.iter().take(shown).map(|t| trade(t, columns)));
    }
    lines.extend(tail);
    dress(lines)
}

fn heading(of: &str, all: usize, shown: usize) -> Vec<Piece> {
    let more = all - shown;
    let more = match more {
        0 => String::new(),
        _ => format!(" (and {more} more)"),
    };
    vec![piece(of, Tone::Head), piece(more, Tone::Faint)]
}

#[cfg(test)]
mod tests;
