//! Pilot Monitor: The pilot right now: profit, trades, prices, what it waits for.

use super::parts::{self, figure, grouped, moment, panel, wide};
use crate::orchestrator::health::AgentState;
use crate::snapshot::Trading;
use crate::web::app::View;
use crate::web::chart::Role;
use crate::web::chart::axes::{self, Unit};
use crate::web::chart::lines::{Line, Lines};
use crate::web::layout::{self, Page, Panel, Pilot};
use crate::web::show;
use maud::{Markup, html};
use pm_arb_core::units::Usd;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/monitor",
    name: "Pilot Monitor",
    about: "The pilot right now: profit, trades, prices, what it waits for.",
    panels: Some(panels),
};

fn panels(view: &View) -> Vec<Panel> {
    vec![
        wide("status", "Live status", status(view)),
        panel("pnl", "Cumulative P&L", pnl(view)),
        panel("by-type", "By opportunity type", by_type(view)),
        panel("latency", "Latency to venues", latency(view)),
        wide("newest", "The 20 newest trades", newest(view)),
        wide("feeds", "Feeds", feeds(view)),
    ]
}

fn status(view: &View) -> Markup {
    let pilot = layout::pilot(view);
    let (class, word) = match pilot {
        Pilot::None => ("state off", "not running"),
        Pilot::Frozen { .. } => ("state bad", "stale"),
        Pilot::Halted { .. } => ("state bad", "live, halted"),
        Pilot::Trading(_) => ("state ok", "live"),
    };
    html! {
        p {
            span class=(class) { (word) } " "
            @if let Pilot::Halted { why, .. } = pilot { (why) " " }
            a href=(PAGE.path) { "Refresh" }
        }
        @match pilot.snapshot() {
            Some(snapshot) => {
                (numbers(&snapshot.trading))
                p.note { "Run " code { (snapshot.run.id) } " (" (snapshot.run.source) "), record " (grouped(snapshot.run.seq)) }
            },
            None => (stored(view)),
        }
        (parts::as_of(view))
    }
}

fn numbers(t: &Trading) -> Markup {
    let r = &t.results;
    let (rate, remark) = parts::win_rate(r.win_rate, r.wins, r.closed);
    html! {
        dl.figures {
            (figure("P&L, ended trades", show::money(r.realized_pnl.0),
                html! { (grouped(r.closed)) " ended, after fees" }))
            (figure("Trades today", html! { (grouped(t.today.trades)) },
                html! { (show::money(t.today.realized_pnl.0)) " of " (grouped(t.today.closed)) " ended today (UTC)" }))
            (figure("Win rate", rate, remark))
            (figure("Open trades", html! { (grouped(r.open)) },
                html! { (parts::dollars(t.locked.0)) " at cost" }))
            (figure("Orders", html! { (grouped(t.orders_in_flight)) },
                html! { "in flight; " (grouped(t.orders_resting)) " at rest" }))
            (figure("Refused legs", html! { (grouped(r.refused)) },
                html! { a href="/why" { "Why not?" } }))
        }
    }
}

/// What the database says when no pilot runs.
fn stored(view: &View) -> Markup {
    let Some(report) = view.history.as_ref().and_then(|h| h.all.as_ref()) else {
        return parts::no_sums(view);
    };
    let s = &report.summary;
    let rate = crate::snapshot::Rate::of(s.wins, s.closed_trades);
    let (rate, remark) = parts::win_rate(rate, s.wins, s.closed_trades);
    let day = view.history.as_ref().and_then(|h| h.day.as_ref());
    html! {
        dl.figures {
            (figure("P&L, ended trades", show::money(s.realized_pnl), html! { "all runs, after fees" }))
            (figure("Trades, last 24 h",
                day.map_or_else(|| show::unknown("not summed up yet"), |d| html! { (grouped(d.summary.total_trades)) }),
                html! { "in the database" }))
            (figure("Win rate", rate, remark))
            (figure("Open trades", html! { (grouped(s.open_trades)) }, html! { "in the database" }))
        }
        (parts::counted(view))
    }
}

fn pnl(view: &View) -> Markup {
    let curve = view
        .history
        .as_ref()
        .map(|h| &h.curve)
        .filter(|c| !c.is_empty());
    if let Some(curve) = curve {
        let line = |name, role, pick: fn(&crate::web::records::CurvePoint) -> Usd| Line {
            steps: true,
            ..Line::new(
                name,
                role,
                curve
                    .iter()
                    .map(|p| (axes::seconds(p.at), axes::dollars(pick(p))))
                    .collect(),
            )
        };
        let drawn = Lines::over_time(
            "Cumulative P&L",
            "Gained or lost as markets paid, after fees, beside what naive bookkeeping says of the same wishes.",
            Unit::Dollars,
        )
        .line(line("honest", Role::Honest, |p| p.honest))
        .line(line("naive", Role::Naive, |p| p.naive))
        .mark(0.0, "")
        .draw();
        return html! { (drawn) (parts::counted(view)) };
    }
    let stored = view.history.as_ref().and_then(|h| h.all.as_ref());
    if view.pilot.is_none() && stored.is_some_and(|all| all.summary.total_trades > 0) {
        return html! { p.empty { "No market of these trades has paid yet: the curve begins when one does." } };
    }
    let Some(pilot) = view.pilot.as_ref().filter(|p| p.trading.results.total > 0) else {
        return parts::no_trades(view.pilot.as_ref().map(|p| &p.trading));
    };
    let t = &pilot.trading;
    let start = axes::dollars(t.capital.0);
    let points = t.hour.iter();
    let points = points.map(|d| (axes::seconds(d.at.0), axes::dollars(d.equity.0) - start));
    let drawn = Lines::over_time(
        "Equity less the start",
        "The last hour of the run. No market has paid yet, so there is no realised P&L to draw.",
        Unit::Dollars,
    )
    .line(Line::new("open and ended", Role::Honest, points.collect()))
    .mark(0.0, "");
    drawn.draw()
}

fn by_type(view: &View) -> Markup {
    let live = view.pilot.as_ref().map(|pilot| {
        let rows = pilot.trading.by_type.iter();
        rows.map(|r| (r.kind.clone(), r.trades, r.realized_pnl.0))
            .collect::<Vec<_>>()
    });
    let stored = || {
        let report = view.history.as_ref()?.all.as_ref()?;
        Some(report.summary.by_type.clone())
    };
    let Some(rows) = live.or_else(stored) else {
        return parts::no_sums(view);
    };
    html! {
        @if rows.is_empty() {
            (parts::no_trades(view.pilot.as_ref().map(|p| &p.trading)))
        } @else {
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "Trades and profit by type of opportunity" }
                    thead { tr {
                        th scope="col" { "Type" } th.num scope="col" { "Trades" }
                        th.num scope="col" { "P&L of the ended, $" }
                    } }
                    tbody {
                        @for (kind, trades, pnl) in &rows {
                            tr {
                                th scope="row" { (parts::words(kind)) }
                                td.num { (grouped(*trades)) }
                                td.num { (show::money(*pnl)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn newest(view: &View) -> Markup {
    let rows = parts::newest(view);
    let shares = parts::places(rows.iter().map(|r| &r.quantity));
    let prices = parts::places(rows.iter().map(|r| &r.price));
    let edges = parts::places(rows.iter().map(|r| &r.expected_edge));
    html! {
        @if rows.is_empty() {
            (parts::no_trades(view.pilot.as_ref().map(|p| &p.trading)))
        } @else {
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "The newest trades, newest first" }
                    thead { tr {
                        th scope="col" { "Time, UTC" } th scope="col" { "Market" }
                        th scope="col" { "Side" } th.num scope="col" { "Shares" }
                        th.num scope="col" { "Price, $" } th.num scope="col" { "Expected edge, $ a share" }
                        th scope="col" { "Status" } th.num scope="col" { "P&L, $" }
                    } }
                    tbody {
                        @for row in &rows {
                            tr {
                                td { a href={ "/trades/" (row.id) } { (moment(row.at.0)) } }
                                th scope="row" title=(row.venue) { (row.market) }
                                td { (row.side) " " (row.outcome) }
                                td.num { (parts::aligned(row.quantity, shares)) }
                                td.num { (parts::aligned(row.price, prices)) }
                                td.num { (parts::aligned(row.expected_edge, edges)) }
                                td { (parts::status(row)) }
                                td.num {
                                    @match row.realized_pnl {
                                        Some(pnl) => (show::money(pnl.0)),
                                        None => (show::unknown("it has not ended")),
                                    }
                                }
                            }
                        }
                    }
                }
            }
            p.note { a href="/trades" { "All trades and refusals" } }
        }
    }
}

/// Watchers and oracles, by when they last made progress.
fn feeds(view: &View) -> Markup {
    let Some(pilot) = &view.pilot else {
        return parts::no_pilot("How old prices are");
    };
    let is_feed = |name: &str| name.starts_with("venue-watcher") || name.starts_with("oracle");
    let agents = &pilot.system.health.agents;
    let feeds: Vec<_> = agents.iter().filter(|a| is_feed(&a.name)).collect();
    html! {
        @if feeds.is_empty() {
            p.empty { "This pilot has no feeds: it trades a recording." }
        } @else {
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "Feeds with the time since they last made progress" }
                    thead { tr {
                        th scope="col" { "Feed" } th scope="col" { "State" }
                        th.num scope="col" { "Last sign of life, s ago" } th.num scope="col" { "Restarts" }
                    } }
                    tbody {
                        @for feed in &feeds {
                            tr {
                                th scope="row" { (feed.name) }
                                td {
                                    span class=(if feed.running { "state ok" } else { "state warn" }) { (state(feed.state)) }
                                }
                                td.num {
                                    @match feed.last_heartbeat_secs {
                                        Some(secs) => (format!("{secs:.1}")),
                                        None => (show::unknown("it has not made progress yet")),
                                    }
                                }
                                td.num { (feed.restarts) }
                            }
                        }
                    }
                }
            }
        }
        p.note { a href="/system" { "Every stream, with gaps and lag" } }
    }
}

fn state(state: AgentState) -> &'static str {
    match state {
        AgentState::Starting => "starting",
        AgentState::Running => "running",
        AgentState::Backoff => "waits to restart",
        AgentState::Failed => "failed",
        AgentState::Stopped => "stopped",
    }
}

fn latency(view: &View) -> Markup {
    let Some(pilot) = &view.pilot else {
        return parts::no_pilot("The way to the venues");
    };
    let ways = &pilot.trading.latencies;
    html! {
        @if ways.is_empty() {
            p.empty { "Not measured yet: a venue is asked for the time now and then. Until then orders travel as long as the settings say." }
        } @else {
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "How long an order takes to each venue" }
                    thead { tr { th scope="col" { "Venue" } th.num scope="col" { "Latency, ms" } } }
                    tbody {
                        @for way in ways {
                            tr { th scope="row" { (way.venue) } td.num { (format!("{:.1}", way.millis)) } }
                        }
                    }
                }
            }
            p.note { "As last measured, the slowest recent turn of the engine included; a venue's own delay of orders comes on top." }
        }
    }
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
