//! One strategy: everything known of it, and what may be done to it.
//!
//! The page stands still, so that no form is replaced under a typing hand. Every order is behind a fold
//! that says what it does, works without scripts, and is the same as the command line's.

use super::strategies::{as_of, changes, digest, micros, percent, state, time, used};
use crate::shadow::Phase;
use crate::snapshot::{ChangeRow, Snapshot, State as Life, StrategyRow};
use crate::web::answer::Refusal;
use crate::web::app::{App, View};
use crate::web::layout::{self, Page, Panel};
use crate::web::show;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};

/// One page a strategy.
pub fn routes() -> Router<App> {
    Router::new().route("/strategies/{name}", get(one))
}

async fn one(State(app): State<App>, Path(name): Path<String>) -> Response {
    let view = app.view();
    match page(&view, &name) {
        Ok(page) => page.into_response(),
        Err(refusal) => layout::refused(&refusal, true),
    }
}

/// The whole page, or why there is none.
fn page(view: &View, name: &str) -> Result<Markup, Refusal> {
    let found = view.pilot.as_deref();
    let found = found.and_then(|pilot| Some((pilot, pilot.strategies.named(name)?)));
    let Some((pilot, row)) = found else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "unknown_strategy",
            format!("no strategy called {name:?} is loaded in a running pilot"),
            "see /strategies for those that are",
        ));
    };
    let page = Page {
        path: super::strategies::PAGE.path,
        name: "Strategy",
        about: "Everything known of one strategy, and what may be done to it.",
        panels: None,
    };
    Ok(layout::document(view, &page, &panels(pilot, row)))
}

fn panels(pilot: &Snapshot, row: &StrategyRow) -> Vec<Panel> {
    let panel = |id, title, body, wide| Panel {
        id,
        title,
        body,
        wide,
    };
    vec![
        panel("now", "How it is", now(pilot, row), false),
        panel("orders", "What may be done", orders(row), false),
        panel(
            "shadow",
            "Shadow comparison",
            super::shadow::one(row.shadow.as_ref()),
            true,
        ),
        panel("asks", "What it asks for and was given", asks(row), false),
        panel("history", "What became of it", history(row), true),
        panel("log", "Its last words", log(row), true),
    ]
}

fn now(pilot: &Snapshot, row: &StrategyRow) -> Markup {
    let costs = &row.costs;
    html! {
        h3 { (row.name) " " (state(row)) }
        @if let Some(why) = &row.state_why { p { (why) } }
        @if let Some(at) = row.restarts_at { p.note { "started again at " (time(at)) } }
        @if let Some(note) = &row.pinned { p.note { "Pinned: " (note) } }
        (as_of(pilot))
        dl.figures {
            div { dt { "Version" } dd { (row.version) small { "generation " (row.generation) } } }
            div { dt { "Net P&L, $" } dd { (show::money(row.net.0)) small { (row.settled) " ended trades" } } }
            div { dt { "Tied up, $" } dd { (row.committed) small { "share of equity " (percent(row.share_bps)) } } }
            div { dt { "Intents" } dd { (row.intents) small { (row.denied) " denied, " (row.fills) " fills" } } }
            div { dt { "Calls" } dd { (row.calls) small { (row.faults) " failed; strikes " (row.strikes) " of " (row.strikes_max) } } }
            div { dt { "Fuel of a call" } dd { (costs.fuel_mean) small { "most " (costs.fuel_max) " of " (costs.fuel_limit) } } }
            div { dt { "Time of a call, µs" } dd {
                @if costs.timed > 0 { (micros(costs.time_mean_ns)) small { "p99 " (micros(costs.time_p99_ns)) ", slowest " (micros(costs.time_max_ns)) } }
                @else { (show::unknown("no call of this generation was timed yet")) }
            } }
            div { dt { "Memory, KiB" } dd { (costs.memory / 1024) small { "of " (costs.memory_limit / 1024) } } }
        }
        (watch(row))
        p { (used("memory", &row.name, costs.memory, costs.memory_limit)) }
        p { "Bytes: " code { (row.digest) } }
        p { "File: " @match &row.file { Some(file) => code { (file) }, None => (show::unknown("its file is gone, or no start named it")) } }
    }
}

/// The watch over what took over, while it lasts; then how the last one ended.
fn watch(row: &StrategyRow) -> Markup {
    let ended = row.changes.iter().rev();
    let mut ended = ended.filter(|change| matches!(change.what.as_str(), "committed" | "reverted"));
    html! {
        @if let Some(watch) = &row.watch {
            p {
                "Watched until " (time(watch.until)) " (run time), after " (row.costs.calls)
                " calls of generation " (row.generation) " so far. "
                @if watch.ready {
                    "Generation " (watch.standby) " stands by and takes over again should this one do badly."
                } @else {
                    "Nothing stands by: a call of generation " (watch.standby) " failed too."
                }
            }
        } @else if let Some(end) = ended.next() {
            p.note { "The last watch, " (time(end.at)) ": " (end.what) ", " (end.why) }
        }
    }
}

/// One order: what it does, then the form.
fn order(
    row: &StrategyRow,
    action: &str,
    title: &str,
    does: &str,
    more: &Markup,
    danger: bool,
) -> Markup {
    let id = format!("{action}-note");
    html! {
        details.more {
            summary { (title) }
            form.action method="post" action={ "/api/v1/strategies/" (row.name) "/" (action) } {
                p { (does) }
                (more)
                label for=(id) { "Who and why, for the record" }
                input id=(id) name="note" maxlength="500" autocomplete="off" required;
                button.danger[danger] { (title) " " (row.name) }
            }
        }
    }
}

fn file(action: &str) -> Markup {
    let id = format!("{action}-file");
    html! {
        label for=(id) { "Component file, as the pilot's machine names it" }
        input id=(id) name="file" required autocomplete="off" placeholder="/path/to/strategy.wasm";
        (fresh(action))
    }
}

fn fresh(action: &str) -> Markup {
    let id = format!("{action}-fresh");
    html! {
        div { input type="checkbox" id=(id) name="fresh" value="true"; " "
            label for=(id) { "start without the state of what runs" } }
    }
}

fn orders(row: &StrategyRow) -> Markup {
    let none = html! {};
    let stopped = matches!(row.state, Life::Quarantined | Life::Restarting);
    let (swap, shadow) = (file("swap"), file("shadow"));
    html! {
        @if row.state == Life::Unloaded {
            p.empty { "It was taken out: no file of this start names it. Start the pilot with its file among "
                code { "--strategies" } "." }
        } @else {
            @match &row.earlier {
                Some(earlier) => (order(row, "rollback", "Roll back", &format!(
                    "Runs version {} (generation {}) again, between two events and with the state of what runs. \
                     The bytes its file holds now are left until the file changes.",
                    earlier.version, earlier.generation), &fresh("rollback"), false)),
                None => p.note { "Nothing to roll back to: this run has no earlier generation that was not quarantined." },
            }
            @if row.shadow.as_ref().is_some_and(|shadow| shadow.phase != Phase::Ended) {
                (order(row, "promote", "Promote", "What runs in its shadow takes its place between two events, with the state of what runs.", &none, false))
                (order(row, "dismiss", "Dismiss", "What runs in its shadow is let go. What trades is not touched.", &none, false))
            } @else if row.state == Life::Running {
                (order(row, "shadow", "Shadow", "Runs the bytes of a file beside it, on the same events and books with a ledger of its own. It trades nothing.", &shadow, false))
            }
            (order(row, "swap", "Swap", "Runs the bytes of a file now, between two events. A component that does not fit is refused by name and nothing changes.", &swap, false))
            @if row.pinned.is_none() {
                (order(row, "pin", "Pin", "Changes of its file are not followed until it is unpinned, over restarts too.", &none, false))
            } @else {
                (order(row, "unpin", "Unpin", "Its file is followed again; what it holds meanwhile takes over at once.", &none, false))
            }
            @if stopped {
                (order(row, "release", "Release", "Its failures are forgotten and it starts again, without state: it missed events.", &none, false))
            }
            (order(row, "quarantine", "Quarantine", "It is not called any more and its resting orders are withdrawn, until it is released, over restarts too. Open positions stay until their markets settle.", &none, true))
        }
        p.note { "The same from a terminal: " code { "pm-arb strategy rollback " (row.name) }
            "." }
    }
}

fn asks(row: &StrategyRow) -> Markup {
    html! {
        p { "Hears of: " @if row.wants.is_empty() { "the fate of its own intents only" } @else { (row.wants.join(", ")) } "." }
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Interfaces it imports" }
                thead { tr { th scope="col" { "Asks for" } th scope="col" { "Was given" } } }
                tbody { @for import in &row.imports { tr { td { code { (import.name) } } td { (import.grants) } } } }
            }
        }
        p.note { "A component that asks for anything else is refused, by name, before anything of it runs." }
        @if !row.not_granted.is_empty() {
            p { strong { "Not granted: " } (row.not_granted.join(", ")) "." }
        }
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "What it asks for and what it may" }
                thead { tr { th scope="col" { "What" } th scope="col" { "It asks for" } th scope="col" { "It may" } } }
                tbody { @for one in &row.capabilities { tr { td { (one.what) } td { (one.asks) } td { (one.may) } } } }
            }
        }
        p.note { "It is told nothing of the rest, and orders there are denied with NOT_GRANTED. Grants are in "
            code { "[grants]" } " and " code { "[grants.for." (row.name) "]" } " of the pilot's configuration." }
        h3 { "Settings" }
        @if row.settings.is_empty() { p.note { "None were handed to it: it uses its own." } }
        @else {
            div.scroll tabindex="0" { table.rows {
                caption.only-read { "Settings" }
                thead { tr { th scope="col" { "Setting" } th scope="col" { "Value" } } }
                tbody { @for setting in &row.settings { tr { td { code { (setting.key) } } td { (setting.value) } } } }
            } }
        }
    }
}

fn history(row: &StrategyRow) -> Markup {
    let all: Vec<(&str, &ChangeRow)> = row
        .changes
        .iter()
        .rev()
        .map(|change| (row.name.as_str(), change))
        .collect();
    html! {
        (changes(&all, false))
        @if let Some(earlier) = &row.earlier {
            p.note { "One step back: " (earlier.version) ", generation " (earlier.generation) ", " (digest(&earlier.digest)) "." }
        }
    }
}

fn log(row: &StrategyRow) -> Markup {
    if row.log.is_empty() {
        return html! { p.empty { "It wrote nothing since this pilot started." } };
    }
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "The last lines of its log" }
                thead { tr { th scope="col" { "When" } th scope="col" { "Level" } th scope="col" { "Line" } } }
                tbody {
                    @for line in row.log.iter().rev() {
                        tr { td { (time(line.at)) } td { (line.level) } td { code { (line.text) } } }
                    }
                }
            }
        }
        p.note { "Newest first, at most twenty; all of them are in the pilot's log." }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::orchestrator::HealthBoard;
    use crate::plugin::{Limits, Loader, PluginHost};
    use crate::snapshot::{Costs, Import, Instant, LogRow, Money, WatchRow};
    use crate::snapshot::{Scene, Watcher};
    use pm_arb_core::engine::Engine;
    use pm_arb_core::ids::Seq;
    use pm_arb_core::ids::Timestamp;
    use std::sync::Arc;

    pub fn row(name: &str) -> StrategyRow {
        StrategyRow {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            generation: 2,
            digest: "9f3c".repeat(16),
            state: Life::Running,
            state_why: None,
            restarts_at: None,
            pinned: None,
            awaited: false,
            file: None,
            watch: None,
            earlier: None,
            share_bps: 2_500,
            committed: Money::default(),
            net: Money::default(),
            settled: 0,
            calls: 7,
            intents: 3,
            denied: 1,
            fills: 2,
            faults: 0,
            strikes: 0,
            strikes_max: 3,
            costs: Costs {
                timed: 1,
                fuel_limit: 20_000_000,
                memory_limit: 32 << 20,
                ..Costs::default()
            },
            wants: vec!["quotes".to_owned()],
            settings: Vec::new(),
            capabilities: Vec::new(),
            not_granted: Vec::new(),
            imports: vec![Import {
                name: "pm-arb:strategy/host@0.3.0".to_owned(),
                grants: "log".to_owned(),
            }],
            changes: Vec::new(),
            log: Vec::new(),
            shadow: None,
        }
    }

    /// A picture of a pilot to which nothing happened.
    pub fn snapshot() -> Snapshot {
        let (mut watcher, latest) = Watcher::new("run".to_owned(), "sim".to_owned());
        let (engine, board) = (Engine::new(), HealthBoard::default());
        let loader = Loader::new(PluginHost::new(Limits::default()).unwrap());
        let scene = Scene {
            engine: &engine,
            loader: &loader,
            board: &board,
            observer: &crate::calibrate::Observer::default(),
        };
        watcher.turn(scene, Seq(0));
        let picture = latest.borrow().clone();
        picture.unwrap().as_ref().clone()
    }

    pub fn view(rows: Vec<StrategyRow>) -> View {
        let mut snapshot = snapshot();
        snapshot.strategies.strategies = rows;
        View {
            pilot: Some(Arc::new(snapshot)),
            ..View::default()
        }
    }

    #[test]
    fn orders_fit_the_state_and_post_to_their_routes() {
        let drawn = |row: StrategyRow| page(&view(vec![row]), "late").unwrap().into_string();
        let running = drawn(row("late"));
        for action in ["swap", "pin", "quarantine"] {
            assert!(
                running.contains(&format!("action=\"/api/v1/strategies/late/{action}\"")),
                "{action}"
            );
        }
        for action in ["unpin", "release", "rollback"] {
            assert!(!running.contains(&format!("late/{action}\"")), "{action}");
        }
        let held = drawn(StrategyRow {
            state: Life::Quarantined,
            pinned: Some("ann".to_owned()),
            ..row("late")
        });
        assert!(
            held.contains("late/release\"")
                && held.contains("late/unpin\"")
                && !held.contains("late/pin\"")
        );
        let gone = drawn(StrategyRow {
            state: Life::Unloaded,
            ..row("late")
        });
        assert!(!gone.contains("/api/v1/strategies/late/"));
    }

    #[test]
    fn a_watch_and_how_it_ended_are_shown() {
        let drawn = |row: StrategyRow| page(&view(vec![row]), "late").unwrap().into_string();
        assert!(!drawn(row("late")).contains("watch"), "there was none");
        let watched = |ready| StrategyRow {
            watch: Some(WatchRow {
                standby: 1,
                ready,
                left_secs: 60,
                until: Instant(Timestamp::from_secs(60)),
            }),
            ..row("late")
        };
        let page = drawn(watched(true));
        assert!(page.contains("1970-01-01T00:01:00"), "{page}");
        assert!(page.contains("Generation 1 stands by"), "{page}");
        assert!(drawn(watched(false)).contains("Nothing stands by"));
        let mut over = row("late");
        over.changes.push(ChangeRow {
            at: Instant(Timestamp(0)),
            what: "reverted".to_owned(),
            from_generation: Some(2),
            from_digest: None,
            generation: Some(3),
            version: None,
            digest: None,
            state_kept: Some(true),
            pause_us: None,
            why: "it <trapped>".to_owned(),
        });
        let page = drawn(over);
        assert!(page.contains("reverted, it &lt;trapped&gt;"), "{page}");
    }

    #[test]
    fn lines_of_a_strategy_are_text() {
        let mut hostile = row("late");
        hostile.log.push(LogRow {
            at: Instant(Timestamp(0)),
            level: "error".to_owned(),
            text: "</code><script>alert(1)</script>".to_owned(),
        });
        let drawn = page(&view(vec![hostile]), "late").unwrap().into_string();
        assert!(drawn.contains("&lt;script&gt;alert(1)") && !drawn.contains("<script>alert"));
        assert!(page(&view(Vec::new()), "late").is_err(), "no such strategy");
    }
}
