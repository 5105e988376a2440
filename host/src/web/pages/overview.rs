//! Overview: Is it healthy, does it earn money honestly, what is at stake.

use super::gap;
use super::parts::{self, dollars, figure, grouped, panel, wide};
use crate::report::verdict::Ruling;
use crate::snapshot::Snapshot;
use crate::web::app::View;
use crate::web::chart::Role;
use crate::web::chart::area::{self, Point};
use crate::web::chart::axes;
use crate::web::chart::bars::{Bar, Bars};
use crate::web::layout::{self, Page, Panel, Pilot};
use crate::web::show;
use maud::{Markup, html};
use pm_arb_core::units::Usd;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/",
    name: "Overview",
    about: "Is it healthy, does it earn money honestly, what is at stake.",
    panels: Some(panels),
};

fn panels(view: &View) -> Vec<Panel> {
    vec![
        wide("survival", "Now", survival(view)),
        panel("equity", "Equity and drawdown", equity(view)),
        panel("ghost-gap", "Honest beside naive", gap::dial_panel(view)),
        panel(
            "gap-parts",
            "Where the gap comes from",
            gap::waterfall_panel(view),
        ),
        panel("capital", "Capital by strategy", capital(view)),
        panel("funnel", "From looks to trades", funnel(view)),
        panel("attention", "What needs attention", attention(view)),
        wide("exposure", "Open exposure", exposure(view)),
        wide("pages", "Look deeper", pages()),
    ]
}

fn survival(view: &View) -> Markup {
    let pilot = layout::pilot(view);
    let state = match pilot {
        Pilot::None => html! { span.state.off { "no pilot" } },
        Pilot::Frozen { .. } => html! { span.state.bad { "frozen" } },
        Pilot::Halted { .. } => html! { span.state.bad { "halted" } },
        Pilot::Trading(_) => html! { span.state.ok { "trading" } },
    };
    let why = match pilot {
        Pilot::None => html! { "what is shown comes from the database" },
        Pilot::Frozen { age, .. } => html! { "its last word is " (age.as_secs()) " s old" },
        Pilot::Halted { why, .. } => html! { (why) },
        Pilot::Trading(s) => html! { (s.run.source) ", record " (grouped(s.run.seq)) },
    };
    html! {
        (verdict(view))
        dl.figures {
            (figure("State", state, why))
            @match pilot.snapshot() {
                Some(snapshot) => (money(snapshot)),
                None => (stored(view)),
            }
            (figure("Database", database(view), html! { a href="/system" { "see System" } }))
        }
        (parts::as_of(view))
    }
}

/// Of a running pilot.
fn money(snapshot: &Snapshot) -> Markup {
    let t = &snapshot.trading;
    let change = Usd(t.equity.0.0.saturating_sub(t.capital.0.0));
    let at_stake = Usd(t.reserved.0.0.saturating_add(t.locked.0.0));
    let health = &snapshot.system.health;
    let running = health.agents.iter().filter(|a| a.running).count();
    let all = health.agents.len();
    html! {
        (figure("Equity", html! { (dollars(t.equity.0)) },
            html! { (show::money(change)) " since the start with " (dollars(t.capital.0)) }))
        (figure("Honest P&L, this run", show::money(t.results.realized_pnl.0),
            html! { (grouped(t.results.closed)) " ended trades, after fees" }))
        (figure("Drawdown", html! { (drawdown(t.equity.0, t.high_water.0)) },
            html! { "below the highest, " (dollars(t.high_water.0)) }))
        (figure("Open exposure", html! { (dollars(at_stake)) },
            html! { (grouped(t.open_trades)) " open trades, "
                (grouped(t.orders_in_flight + t.orders_resting)) " orders" }))
        (figure("Agents", html! {
            span class=(if running == all { "state ok" } else { "state warn" }) { (running) " of " (all) " at work" }
        }, html! { a href="/system" { "feeds and health" } }))
    }
}

/// Of everything the database has, when no pilot runs.
fn stored(view: &View) -> Markup {
    let why = "no pilot runs, and the database has not been summed up";
    let summary = view
        .history
        .as_ref()
        .and_then(|h| h.all.as_ref())
        .map(|r| &r.summary);
    html! {
        (figure("Equity", show::unknown("no pilot runs"), html! { "known while a pilot runs" }))
        (figure("Honest P&L, all runs",
            summary.map_or_else(|| show::unknown(why), |s| show::money(s.realized_pnl)),
            html! { @if let Some(s) = summary { (grouped(s.closed_trades)) " ended trades, after fees" } }))
        (figure("Open trades",
            summary.map_or_else(|| show::unknown(why), |s| html! { (grouped(s.open_trades)) }),
            html! { "in the database" }))
    }
}

fn drawdown(equity: Usd, high: Usd) -> String {
    let point = Point {
        at: 0.0,
        value: axes::dollars(equity),
        high: axes::dollars(high),
    };
    format!("{:.2} %", point.drawdown())
}

fn database(view: &View) -> Markup {
    match (&view.records_failed, &view.history) {
        (Some(why), _) => html! { span.state.bad title=(why) { "unreachable" } },
        (None, Some(_)) => html! { span.state.ok { "answers" } },
        (None, None) => html! { span.state.off { "not asked yet" } },
    }
}

/// The answer in a sentence, with what it rests on.
fn verdict(view: &View) -> Markup {
    let Some(report) = view.history.as_ref().and_then(|h| h.all.as_ref()) else {
        return html! {};
    };
    let v = &report.figures.all;
    let class = match v.ruling {
        Ruling::Edge => "state ok",
        Ruling::NoEdge => "state bad",
        Ruling::TooEarly | Ruling::Inconclusive => "state off",
    };
    html! {
        p {
            span class=(class) { (v.ruling.as_str()) } " "
            "Does it earn money? " (capital_first(&v.why)) "."
            @if let Some(range) = v.interval {
                " P&L " (show::money(v.pnl)) ", 95 %: " (show::money(range.low)) " to " (show::money(range.high)) "."
            }
            @if let Some(trades) = v.decided_by {
                " At this spread about " (grouped(trades)) " trades would decide it."
            }
        }
    }
}

fn capital_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn equity(view: &View) -> Markup {
    let points = curve(view);
    html! {
        @if points.is_empty() {
            p.empty {
                "No equity yet: it is noted once a minute of the run from its start on, and kept for weeks."
            }
        } @else {
            (area::area("Equity", "Everything the newest run has, positions at the lower of cost and bid; below, how far it is under its highest.", &points))
            p.note { a href="/api/v1/equity?format=csv" { "As CSV" } }
        }
    }
}

/// What the database kept of the newest run, then what the pilot saw since.
fn curve(view: &View) -> Vec<Point> {
    let mut points = Vec::new();
    if let Some(history) = &view.history {
        for p in history.equity.iter() {
            let at = axes::seconds(p.minute);
            let high = axes::dollars(p.high_water);
            let mut add = |value| points.push(Point { at, value, high });
            if p.lowest < p.equity {
                add(axes::dollars(p.lowest));
            }
            add(axes::dollars(p.equity));
        }
    }
    let last = points.last().map_or(f64::NEG_INFINITY, |p: &Point| p.at);
    if let Some(pilot) = &view.pilot {
        let seen = pilot.trading.hour.iter().map(|dot| Point {
            at: axes::seconds(dot.at.0),
            value: axes::dollars(dot.equity.0),
            high: axes::dollars(dot.high_water.0),
        });
        points.extend(seen.filter(|p| p.at > last));
    }
    points
}

fn capital(view: &View) -> Markup {
    let Some(pilot) = &view.pilot else {
        return parts::no_pilot("Who may use how much");
    };
    let rows = &pilot.strategies.strategies;
    let bars = rows.iter().map(|row| Bar {
        name: row.name.clone(),
        value: f64::from(row.share_bps) / 100.0,
        text: format!(
            "{}.{:02} %",
            row.share_bps / 100,
            row.share_bps.unsigned_abs() % 100
        ),
        role: Role::Honest,
    });
    html! {
        @if rows.is_empty() {
            p.empty { "No strategy is loaded. Put a component where " code { "--strategies" } " looks." }
        } @else {
            (Bars {
                title: "Capital by strategy",
                describe: "The share of equity that each strategy may tie up.",
                bars: bars.collect(),
                full: Some(100.0),
            }.draw())
            ul {
                @for row in rows {
                    li { (row.name) " has made " (show::money(row.net.0)) ", after its fees" }
                }
            }
        }
        p.note { a href="/strategies" { "Strategies" } }
    }
}

fn exposure(view: &View) -> Markup {
    html! {
        @match &view.pilot {
            Some(pilot) => (parts::exposure(&pilot.trading.exposure)),
            None => (parts::no_pilot("What is at stake")),
        }
        p.note { a href="/risk" { "Limits and their use" } }
    }
}

fn funnel(view: &View) -> Markup {
    let Some(pilot) = &view.pilot else {
        return parts::no_pilot("What was looked at");
    };
    let t = &pilot.trading;
    let step = |name: &str, count: u64| (name.to_owned(), count);
    let steps = [
        step("Looks at prices", t.activity.looks),
        step("Opportunities told", t.activity.opportunities),
        step("Wishes", t.activity.intents),
        step("Denied by risk", t.activity.denied),
        step("Trades", t.results.total),
        step("Ended", t.results.closed),
    ];
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "How often each stage did something" }
                thead { tr { th scope="col" { "Stage" } th.num scope="col" { "This run" } } }
                tbody {
                    @for (name, count) in &steps {
                        tr { th scope="row" { (name) } td.num { (grouped(*count)) } }
                    }
                }
            }
        }
        p {
            "Today (UTC): " (grouped(t.today.trades)) " trades, " (grouped(t.today.refused))
            " legs refused, " (grouped(t.today.closed)) " ended with " (show::money(t.today.realized_pnl.0)) "."
        }
        @if t.results.total == 0 { (parts::no_trades(Some(t))) }
        p.note { a href="/why" { "Why not more? Every refusal by reason" } }
    }
}

/// Whatever is not as it should be, in words.
fn attention(view: &View) -> Markup {
    let mut all: Vec<Markup> = Vec::new();
    if let Some(why) = &view.records_failed {
        all.push(html! { span.state.bad { "database" } " " (why) });
    }
    match layout::pilot(view) {
        Pilot::None => all.push(html! { span.state.off { "pilot" } " none answers" }),
        Pilot::Frozen { age, .. } => all.push(html! {
            span.state.bad { "pilot" } " no word from it for " (age.as_secs()) " s"
        }),
        Pilot::Halted { why, .. } => all.push(html! { span.state.bad { "halted" } " " (why) }),
        Pilot::Trading(_) => {}
    }
    if let Some(pilot) = &view.pilot {
        for agent in &pilot.system.health.agents {
            if !agent.running {
                all.push(html! {
                    span.state.warn { (agent.name) } " is not at work"
                    @if let Some(error) = &agent.last_error { ": " (error) }
                });
            } else if agent.restarts > 0 {
                all.push(html! {
                    span.state.off { (agent.name) } " was restarted " (agent.restarts) " times"
                    @if let Some(error) = &agent.last_error { "; last: " (error) }
                });
            }
        }
    }
    html! {
        @if all.is_empty() {
            p.empty { "Nothing: every agent is at work and the database answers." }
        } @else {
            ul { @for one in &all { li { (one) } } }
        }
        p.note { a href="/system" { "Alerts, feeds and agents" } }
    }
}

fn pages() -> Markup {
    html! {
        ul {
            @for page in super::PAGES.iter().filter(|page| page.path != PAGE.path) {
                li { a href=(page.path) { (page.name) } ": " (page.about) }
            }
        }
    }
}

#[cfg(test)]
#[path = "overview_tests.rs"]
mod tests;
