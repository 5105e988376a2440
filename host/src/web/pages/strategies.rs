//! Strategies: who earns what with which capital, which version runs, what became of it.
//!
//! Nobody is ranked on luck: a place takes [`TRADES_MIN`] ended trades, and the interval of its P&L stands
//! beside it. What may be done to a strategy is on a page of its own ([`super::strategy`]).

use super::parts::dollars;
use crate::report::signed;
use crate::report::verdict::{Range, TRADES_MIN, Verdict};
use crate::snapshot::{ChangeRow, Instant, Snapshot, State, StrategyRow};
use crate::web::app::View;
use crate::web::layout::{Page, Panel};
use crate::web::show;
use maud::{Markup, html};
use pm_arb_core::units::Usd;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/strategies",
    name: "Strategies",
    about: "Who earns what with which capital, which version runs, what may be done to it.",
    panels: Some(panels),
};

/// Changes shown, of all strategies together.
const CHANGES_SHOWN: usize = 20;

fn panels(view: &View) -> Vec<Panel> {
    let Some(pilot) = view.pilot.as_deref() else {
        return vec![Panel {
            id: "leaderboard",
            title: "Leaderboard",
            body: html! {
                p.empty { "No pilot runs with this data folder, so nothing is loaded. Start one: "
                    code { "pm-arb pilot --strategies ./strategies" } ". What strategies earned before is on "
                    a href="/trades" { "Trades" } "." }
            },
            wide: true,
        }];
    };
    let rows = &pilot.strategies.strategies;
    let panel = |id, title, body, wide| Panel {
        id,
        title,
        body,
        wide,
    };
    vec![
        panel("leaderboard", "Leaderboard", leaderboard(view, pilot), true),
        panel(
            "allocation",
            "Capital by strategy",
            allocation(pilot),
            false,
        ),
        panel(
            "shadow",
            "Shadow comparison",
            super::shadow::all(rows),
            true,
        ),
        panel("running", "What runs", running(rows), true),
        panel("costs", "What calls cost", costs(rows), true),
        panel("reloads", "What became of them", reloads(rows), true),
    ]
}

/// Says of when the numbers are.
pub(super) fn as_of(pilot: &Snapshot) -> Markup {
    html! { p.note { "As of " (time(pilot.taken)) ", this run." } }
}

/// A time of day, whole in its attribute.
pub(super) fn time(at: Instant) -> Markup {
    let text = at.to_string();
    let day = text.get(5..10).unwrap_or_default();
    let clock = text.get(11..19).unwrap_or(&text);
    html! { time datetime=(text) title=(text) { (day) " " (clock) } }
}

/// The first bytes of a digest, the rest for those who hover.
pub(super) fn digest(hex: &str) -> Markup {
    html! { code title=(hex) { (hex.get(..8).unwrap_or(hex)) "…" } }
}

pub(super) fn state(row: &StrategyRow) -> Markup {
    let class = match row.state {
        State::Running => "state ok",
        State::Restarting => "state warn",
        State::Quarantined => "state bad",
        State::Unloaded => "state off",
    };
    html! {
        span class=(class) { (row.state.as_str()) }
        @if row.pinned.is_some() { " " span.chip { "pinned" } }
        @if row.watch.is_some() { " " span.chip { "watched" } }
    }
}

/// One who has ended trades enough, by gain; then the others, by how many they lack.
fn ranked(rows: &[StrategyRow]) -> Vec<(Option<usize>, &StrategyRow)> {
    let (mut known, mut early): (Vec<_>, Vec<_>) = rows
        .iter()
        .partition(|row| u64::from(row.settled) >= TRADES_MIN);
    known.sort_by_key(|row| std::cmp::Reverse(row.net.0));
    early.sort_by_key(|row| std::cmp::Reverse(row.settled));
    let known = (1..).zip(known).map(|(rank, row)| (Some(rank), row));
    known
        .chain(early.into_iter().map(|row| (None, row)))
        .collect()
}

/// The verdict on a strategy, over every run in the database.
fn verdict<'a>(view: &'a View, name: &str) -> Option<&'a Verdict> {
    let report = view.history.as_ref()?.all.as_ref()?;
    let figures = &report.figures.strategies;
    figures.iter().find(|s| s.name == name).map(|s| &s.verdict)
}

fn interval(range: Option<Range>) -> Markup {
    match range {
        Some(Range { low, high }) => html! { (signed(low)) " to " (signed(high)) },
        None => show::unknown("needs ended trades in two independent markets"),
    }
}

fn leaderboard(view: &View, pilot: &Snapshot) -> Markup {
    let rows = &pilot.strategies.strategies;
    if rows.is_empty() {
        return html! {
            p.empty { "No strategy is loaded. Name components with " code { "--strategies" }
                "; the folder is watched, and what is put there is loaded." }
        };
    }
    html! {
        (as_of(pilot))
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Strategies by realised profit" }
                thead { tr {
                    th scope="col" { "Place" }
                    th scope="col" { "Strategy" }
                    th scope="col" { "State" }
                    th.num scope="col" { "Net P&L, $" }
                    th.num scope="col" { "Ended trades" }
                    th.num scope="col" { "All runs, 95 % interval, $" }
                    th scope="col" { "Shows an edge?" }
                    th.num scope="col" { "Intents" }
                    th.num scope="col" { "Denied" }
                    th.num scope="col" { "Fills" }
                    th scope="col" { "Version" }
                } }
                tbody {
                    @for (rank, row) in ranked(rows) {
                        @let verdict = verdict(view, &row.name);
                        tr {
                            td {
                                @match rank {
                                    Some(rank) => (rank),
                                    None => span.note { "insufficient: " (row.settled) " of " (TRADES_MIN) },
                                }
                            }
                            th scope="row" { a href={ "/strategies/" (row.name) } { (row.name) } }
                            td { (state(row)) }
                            td.num { (show::money(row.net.0)) }
                            td.num { (row.settled) }
                            td.num {
                                @match verdict {
                                    Some(verdict) => (interval(verdict.interval)),
                                    None => (show::unknown("the database has not been counted yet, or has no trade of it")),
                                }
                            }
                            td {
                                @match verdict {
                                    Some(verdict) => span title=(verdict.why) { (verdict.ruling.as_str()) },
                                    None => (show::unknown("no trade of it is in the database yet")),
                                }
                            }
                            td.num { (row.intents) }
                            td.num { (row.denied) }
                            td.num { (row.fills) }
                            td { (row.version) " · gen " (row.generation) " · " (digest(&row.digest)) }
                        }
                    }
                }
            }
        }
        p.note { "Fewer than " (TRADES_MIN) " ended trades say nothing about skill, so they give no place. Also as "
            a href="/api/v1/strategies" { "JSON" } " and " a href="/api/v1/strategies?format=csv" { "CSV" } "." }
    }
}

fn allocation(pilot: &Snapshot) -> Markup {
    let rows = &pilot.strategies.strategies;
    if rows.is_empty() {
        return html! { p.empty { "Nobody shares the capital yet." } };
    }
    html! {
        (as_of(pilot))
        @for row in rows {
            @let capital = capital(pilot, row);
            h3 { (row.name) }
            @match capital {
                Some((used, of)) => {
                    meter min="0" max=(of.max(1)) value=(used.clamp(0, of.max(1)))
                        aria-label={ (row.name) ": capital in use" } { (used) " of " (of) }
                    p.note { (dollars(row.committed.0)) " tied up of " (dollars(Usd(of))) ", its share of "
                        (percent(row.share_bps)) " of equity" }
                },
                None => p.note { (dollars(row.committed.0)) " tied up; it has no share of equity (" (row.state.as_str()) ")" },
            }
        }
    }
}

/// What it has tied up and what it may, in micro-dollars.
fn capital(pilot: &Snapshot, row: &StrategyRow) -> Option<(i64, i64)> {
    let of = i128::from(pilot.risk.equity.0.0) * i128::from(row.share_bps) / 10_000;
    let of = i64::try_from(of).ok().filter(|of| *of > 0)?;
    Some((row.committed.0.0, of))
}

pub(super) fn percent(bps: i32) -> String {
    format!("{:.2} %", f64::from(bps) / 100.0)
}

fn running(rows: &[StrategyRow]) -> Markup {
    html! {
        @for row in rows {
            h3 { a href={ "/strategies/" (row.name) } { (row.name) } " " (state(row)) }
            @if let Some(why) = &row.state_why { p { (why) } }
            @if let Some(at) = row.restarts_at { p.note { "started again at " (time(at)) } }
            @if row.awaited { p.note { "Its file holds other bytes, which wait until it is followed again." } }
            dl.figures {
                div { dt { "Version" } dd { (row.version) small { "generation " (row.generation) ", " (digest(&row.digest)) } } }
                div { dt { "One step back" } dd {
                    @match &row.earlier {
                        Some(earlier) => { (earlier.version) small { "generation " (earlier.generation) ", " (digest(&earlier.digest)) } },
                        None => (show::unknown("this run has no earlier generation that was not quarantined")),
                    }
                } }
                div { dt { "Strikes" } dd { (row.strikes) " of " (row.strikes_max) small { (row.faults) " failed calls in all" } } }
                div { dt { "Asks for" } dd { (row.imports.len()) " interfaces" small { "all granted; no other exists for it" } } }
            }
        }
        @if rows.is_empty() { p.empty { "Nothing is loaded." } }
    }
}

/// Nanoseconds as microseconds.
pub(super) fn micros(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1e3)
}

fn costs(rows: &[StrategyRow]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Fuel, time and memory by strategy" }
                thead { tr {
                    th scope="col" { "Strategy" }
                    th.num scope="col" { "Calls" }
                    th.num scope="col" { "Fuel, last" }
                    th.num scope="col" { "mean" }
                    th.num scope="col" { "most" }
                    th scope="col" { "of its limit" }
                    th.num scope="col" { "Time, mean, µs" }
                    th.num scope="col" { "p99, µs" }
                    th.num scope="col" { "slowest, µs" }
                    th.num scope="col" { "Memory, KiB" }
                    th scope="col" { "of its limit" }
                } }
                tbody {
                    @for row in rows {
                        @let costs = &row.costs;
                        tr {
                            th scope="row" { (row.name) }
                            td.num { (row.calls) }
                            td.num { (costs.fuel_last) }
                            td.num { (costs.fuel_mean) }
                            td.num { (costs.fuel_max) }
                            td { (used("fuel", &row.name, costs.fuel_max, costs.fuel_limit)) }
                            @if costs.timed > 0 {
                                td.num { (micros(costs.time_mean_ns)) }
                                td.num { (micros(costs.time_p99_ns)) }
                                td.num { (micros(costs.time_max_ns)) }
                            } @else {
                                @for _ in 0..3 { td.num { (show::unknown("no call of this generation was timed yet")) } }
                            }
                            td.num { (costs.memory / 1024) }
                            td { (used("memory", &row.name, costs.memory, costs.memory_limit)) }
                        }
                    }
                }
            }
        }
        p.note { "Fuel is about one for an instruction and decides the same in every replay; time is measured around one call in sixteen and decides nothing. Both of the generation that runs." }
    }
}

/// A part of a limit: drawn, and in words.
pub(super) fn used(what: &str, of: &str, used: u64, limit: u64) -> Markup {
    let percent = used as f64 * 100.0 / limit.max(1) as f64;
    html! {
        meter min="0" max=(limit.max(1)) value=(used.min(limit)) aria-label={ (of) ": " (what) " used" } {}
        " " span.note { (format!("{percent:.2} %")) }
    }
}

fn reloads(rows: &[StrategyRow]) -> Markup {
    let mut all: Vec<(&str, &ChangeRow)> = rows
        .iter()
        .flat_map(|row| row.changes.iter().map(|change| (row.name.as_str(), change)))
        .collect();
    all.sort_by_key(|(_, change)| std::cmp::Reverse(change.at));
    all.truncate(CHANGES_SHOWN);
    html! {
        (changes(&all, true))
        p.note { "Times are the run's own. Every change is in the journal: a replay repeats it." }
    }
}

/// Loads, refusals and operators' words, newest first.
pub(super) fn changes(all: &[(&str, &ChangeRow)], named: bool) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Loads, refusals and operators' orders, newest first" }
                thead { tr {
                    th scope="col" { "When" }
                    @if named { th scope="col" { "Strategy" } }
                    th scope="col" { "What" }
                    th scope="col" { "From" }
                    th scope="col" { "To" }
                    th.num scope="col" { "Pause, ms" }
                    th scope="col" { "State" }
                    th scope="col" { "Why" }
                } }
                tbody {
                    @for (name, change) in all {
                        tr {
                            td { (time(change.at)) }
                            @if named { td { a href={ "/strategies/" (name) } { (name) } } }
                            td { @if change.what == "refused" { span.state.bad { "refused" } } @else { (change.what) } }
                            td {
                                @if let (Some(from), Some(hex)) = (change.from_generation, &change.from_digest) {
                                    "gen " (from) " " (digest(hex))
                                }
                            }
                            td {
                                @if let Some(generation) = change.generation { "gen " (generation) " " }
                                @if let Some(hex) = &change.digest { (digest(hex)) }
                                @if let Some(version) = &change.version { " " (version) }
                            }
                            td.num {
                                @match (change.pause_us, change.generation) {
                                    (Some(us), _) => (format!("{:.2}", us as f64 / 1e3)),
                                    (None, Some(_)) => (show::unknown("the journal does not tell")),
                                    (None, None) => "",
                                }
                            }
                            td { @match change.state_kept { Some(true) => "kept", Some(false) => "fresh", None => "" } }
                            td { (change.why) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::strategy::tests::{row, view};
    use super::*;
    use crate::snapshot::{Money, NewsRow};
    use pm_arb_core::units::Usd;

    fn drawn(view: &View) -> String {
        panels(view)
            .into_iter()
            .map(|p| p.body.into_string())
            .collect()
    }

    #[test]
    fn places_take_thirty_ended_trades() {
        let with = |name: &str, settled, net| StrategyRow {
            settled,
            net: Money(Usd(net)),
            ..row(name)
        };
        let rows = [
            with("lucky", 29, 900),
            with("good", 30, 50),
            with("better", 90, 70),
        ];
        let order: Vec<_> = ranked(&rows)
            .iter()
            .map(|(rank, r)| (*rank, r.name.as_str()))
            .collect();
        assert_eq!(
            order,
            [(Some(1), "better"), (Some(2), "good"), (None, "lucky")]
        );
        let page = drawn(&view(rows.to_vec()));
        assert!(page.contains("insufficient: 29 of 30"), "{page}");
    }

    #[test]
    fn hostile_words_stay_words() {
        let mut hostile = row("late");
        hostile.version = "<script>alert(1)</script>".to_owned();
        hostile.state_why = Some("\"><img src=x onerror=alert(1)>".to_owned());
        let mut view = view(vec![hostile]);
        if let Some(pilot) = view.pilot.as_mut() {
            std::sync::Arc::make_mut(pilot)
                .strategies
                .news
                .push(NewsRow {
                    number: 1,
                    at: pilot_time(),
                    good: false,
                    text: "<b>".to_owned(),
                });
        }
        let page = drawn(&view);
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;"));
    }

    fn pilot_time() -> Instant {
        Instant(pm_arb_core::ids::Timestamp(0))
    }

    #[test]
    fn without_a_pilot_or_strategies_the_page_says_what_to_do() {
        assert!(drawn(&View::default()).contains("pm-arb pilot --strategies"));
        assert!(drawn(&view(Vec::new())).contains("No strategy is loaded"));
    }

    #[test]
    fn what_is_not_measured_is_unknown_and_never_zero() {
        let mut fresh = row("late");
        fresh.costs.timed = 0;
        let page = costs(&[fresh]).into_string();
        assert!(
            page.contains("no call of this generation was timed yet"),
            "{page}"
        );
        assert!(!page.contains(">0.0<"), "{page}");
    }
}
