//! The frame around every page: head, navigation, survival strip, kill switch, panels.
//!
//! A page is a list of panels. Live pages are a function of the [`View`] alone, so that their panels can
//! be drawn again and pushed to every viewer when the view changes; pages with questions of their own
//! (trades, one trade, sliders) have handlers and use the same frame. What changes by itself is in
//! [`moving`]; forms stay out of it, so that nothing is replaced under a typing hand.

use super::answer::Refusal;
use super::app::View;
use super::pages::{PAGES, WITH_HANDLER};
use super::{UNLOCK, assets, show};
use crate::orchestrator::Health;
use crate::snapshot::Snapshot;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use pm_arb_core::units::Usd;
use std::time::Duration;

/// A pilot whose last picture is older than this is frozen: it takes one every quarter of a second.
pub const FROZEN_AFTER: Duration = Duration::from_secs(3);

/// A region of a page that is replaced as a whole when it changes. Forms stay out of live panels.
pub struct Panel {
    /// Unique in its page; stable.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it shows.
    pub body: Markup,
    /// As wide as the page, not one column of it.
    pub wide: bool,
}

/// A page of the navigation.
pub struct Page {
    /// Its stable URL.
    pub path: &'static str,
    /// Its name in the navigation and its heading.
    pub name: &'static str,
    /// One sentence under the heading: what is to be seen here.
    pub about: &'static str,
    /// Its live panels; `None` for a page with a handler of its own.
    pub panels: Option<fn(&View) -> Vec<Panel>>,
}

/// How the pilot is, as far as its last picture tells.
#[derive(Debug, Clone, Copy)]
pub enum Pilot<'a> {
    /// None runs here, or none answers.
    None,
    /// It takes no pictures any more.
    Frozen {
        /// The last one.
        snapshot: &'a Snapshot,
        /// How old it is.
        age: Duration,
    },
    /// It watches and does not trade.
    Halted {
        /// The last picture.
        snapshot: &'a Snapshot,
        /// Why.
        why: &'a str,
    },
    /// It trades.
    Trading(&'a Snapshot),
}

/// See [`Pilot`].
#[must_use]
pub fn pilot(view: &View) -> Pilot<'_> {
    let Some(snapshot) = view.pilot.as_deref() else {
        return Pilot::None;
    };
    let age = Duration::from_nanos(view.now.0.saturating_sub(snapshot.taken.0.0));
    match &snapshot.trading.halted {
        _ if age > FROZEN_AFTER => Pilot::Frozen { snapshot, age },
        Some(why) => Pilot::Halted { snapshot, why },
        None => Pilot::Trading(snapshot),
    }
}

impl<'a> Pilot<'a> {
    /// Its last picture.
    #[must_use]
    pub fn snapshot(self) -> Option<&'a Snapshot> {
        match self {
            Pilot::None => None,
            Pilot::Frozen { snapshot, .. } | Pilot::Halted { snapshot, .. } => Some(snapshot),
            Pilot::Trading(snapshot) => Some(snapshot),
        }
    }

    /// One word for programs and stylesheets.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Pilot::None => "none",
            Pilot::Frozen { .. } => "frozen",
            Pilot::Halted { .. } => "halted",
            Pilot::Trading(_) => "trading",
        }
    }
}

/// A whole document.
#[must_use]
pub fn document(view: &View, page: &Page, panels: &[Panel]) -> Markup {
    let word = pilot(view).word();
    let body = html! {
        body data-page=(page.path) data-pilot=(word) {
            a.skip href="#main" { "Skip to content" }
            header.top {
                a.brand href="/" { "pm-arb" span.paper { "paper money" } }
                (navigation(page.path))
                (kill_switch(page.path))
            }
            @for (_, markup) in moving(view) { (markup) }
            p #lost role="alert" hidden {}
            noscript {
                p.notice { "Scripts are off: this is the moment the page was loaded. Reload it for the next." }
            }
            main #main tabindex="-1" {
                h1 { (page.name) }
                p.about { (page.about) }
                div.panels data-whole[is_whole(page)] { @for panel in panels { (section(panel)) } }
            }
            (footer())
            (help())
            div #toasts role="status" aria-live="polite" {}
        }
    };
    html! {
        (DOCTYPE)
        html lang="en" { (head(page.name)) (body) }
    }
}

/// Whether all panels of the page are live, so that one may appear or go.
fn is_whole(page: &Page) -> bool {
    page.panels.is_some() && !WITH_HANDLER.contains(&page.path)
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · pm-arb" }
            link rel="icon" href=(assets::ICON.url()) type="image/svg+xml";
            link rel="stylesheet" href=(assets::STYLE.url());
            script defer src=(assets::SCRIPT.url()) {}
        }
    }
}

fn navigation(path: &str) -> Markup {
    html! {
        nav.pages aria-label="Pages" {
            ul {
                @for (number, page) in (1..).zip(&PAGES) {
                    li {
                        a href=(page.path) aria-current=[(page.path == path).then_some("page")]
                            aria-keyshortcuts=(number) data-key=(number) { (page.name) }
                    }
                }
            }
        }
    }
}

/// Both orders stand here; the stylesheet shows the one that makes sense now, and without it both do.
fn kill_switch(path: &str) -> Markup {
    html! {
        details.kill {
            summary aria-keyshortcuts="k" { "Kill switch" }
            div.sheet {
                form.action.halt method="post" action="/api/v1/halt" {
                    input type="hidden" name="back" value=(path);
                    label for="halt-why" { "Why stop all trading? It is kept in the journal." }
                    input #halt-why name="why" required maxlength="500" autocomplete="off";
                    button.danger { "Halt trading" }
                    p.note { "Or hold the key K for a second. Positions stay; nothing new is decided until somebody resumes, not even after a restart." }
                }
                form.action.resume method="post" action="/api/v1/resume" {
                    input type="hidden" name="back" value=(path);
                    label for="resume-name" { "Your name" }
                    input #resume-name name="name" required maxlength="100" autocomplete="name";
                    label for="resume-note" { "Why it is safe to trade again" }
                    input #resume-note name="note" required maxlength="500" autocomplete="off";
                    button { "Resume trading" }
                }
                p.note { "The browser asks once for the token in " code { "dashboard.token" } " of the data folder, as a password. "
                    a href=(UNLOCK) { "Give it now" } ", and the key works at once when it is needed." }
            }
        }
        span #holding role="status" {}
    }
}

/// What changes by itself around every page, by id.
#[must_use]
pub fn moving(view: &View) -> Vec<(&'static str, Markup)> {
    vec![("strip", strip(view)), ("banner", banner(view))]
}

/// Survival at a glance: does it trade, is what is shown of now, what is it worth, is anything down.
fn strip(view: &View) -> Markup {
    let now = pilot(view);
    let (class, word) = match now {
        Pilot::None => ("state off", "no pilot"),
        Pilot::Frozen { .. } => ("state bad", "frozen"),
        Pilot::Halted { .. } => ("state bad", "HALTED"),
        Pilot::Trading(_) => ("state ok", "trading"),
    };
    html! {
        div #strip.strip role="group" aria-label="Survival strip" {
            div { span.what { "pilot" } " " span class=(class) { (word) } }
            @if let Some(snapshot) = now.snapshot() {
                div { span.what { "run" } " " (snapshot.run.source) }
                div { span.what { "equity" } " " (dollars(snapshot.trading.equity.0)) }
                div { span.what { "P&L, realised" } " " (show::money(snapshot.trading.results.realized_pnl.0)) }
                (agents(&snapshot.system.health))
            }
            div {
                span.what { "database" } " "
                @match (&view.records_failed, &view.history) {
                    (Some(why), _) => span.state.bad title=(why) { "unreachable" },
                    (None, Some(_)) => span.state.ok { "answers" },
                    (None, None) => span.state.off { "not asked yet" },
                }
            }
            div.freshness {
                span.what { "as of" } " "
                @match now.snapshot() {
                    Some(snapshot) => (clock(snapshot)),
                    None => (show::unknown("no pilot answers")),
                }
            }
        }
    }
}

fn agents(health: &Health) -> Markup {
    let feed = |name: &str| name.starts_with("venue-watcher") || name.starts_with("oracle");
    let counts = |feeds: bool| {
        let of = health
            .agents
            .iter()
            .filter(|agent| feed(&agent.name) == feeds);
        (of.clone().filter(|agent| agent.running).count(), of.count())
    };
    html! {
        @for (what, (running, all)) in [("feeds", counts(true)), ("agents", counts(false))] {
            @if all > 0 {
                div {
                    span.what { (what) } " "
                    span class=(if running == all { "state ok" } else { "state warn" }) {
                        (running) " of " (all) " at work"
                    }
                }
            }
        }
    }
}

fn dollars(amount: Usd) -> Markup {
    let text = crate::report::signed(amount);
    html! { span.amount { (text.trim_start_matches('+')) } }
}

/// The picture's time of day, UTC.
fn clock(snapshot: &Snapshot) -> Markup {
    let at = snapshot.taken.to_string();
    html! { time datetime=(at) { (at.get(11..19).unwrap_or(&at)) " UTC" } }
}

/// In red on every page: nothing trades, or nothing is known.
fn banner(view: &View) -> Markup {
    let now = pilot(view);
    let halted = now.snapshot().and_then(|s| s.trading.halted.as_deref());
    html! {
        div #banner {
            @if let Some(why) = halted {
                p.banner.bad role="alert" {
                    strong { "Trading is halted" } ": " (why) ". Resume it under “Kill switch”."
                }
            }
            @match now {
                Pilot::None => p.banner.warn {
                    strong { "No pilot answers" } " with this data folder: what is shown comes from the database. Start one with "
                    code { "pm-arb pilot --strategies ./strategies" } "."
                },
                Pilot::Frozen { age, .. } => p.banner.bad role="alert" {
                    strong { "The pilot is frozen" } ": its last picture is " (age.as_secs())
                    " s old. Nothing below is of now. See its log; " code { "pm-arb health" } " asks it directly."
                },
                Pilot::Halted { .. } | Pilot::Trading(_) => {}
            }
            @if let Some(why) = &view.records_failed {
                p.banner.warn {
                    strong { "The database is unreachable" } ": " (why)
                    ". Trades and sums are of the time shown beside them."
                }
            }
        }
    }
}

/// The sign of life that every viewer gets once a second, as JSON.
#[must_use]
pub fn state(view: &View) -> String {
    let now = pilot(view);
    let taken = now.snapshot().map(|s| s.taken.to_string());
    serde_json::json!({ "pilot": now.word(), "as_of": taken }).to_string()
}

fn footer() -> Markup {
    html! {
        footer {
            p { "pm-arb " (env!("CARGO_PKG_VERSION")) " · paper money, honest prices · "
                a href="/api/v1/openapi.json" { "API" } " · "
                a href="/metrics" { "metrics" } " · "
                button #keys type="button" hidden { "Keys: ?" }
            }
        }
    }
}

fn help() -> Markup {
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            dl {
                @for (number, page) in (1..).zip(&PAGES) {
                    div { dt { kbd { (number) } } dd { (page.name) } }
                }
                div { dt { kbd { "K" } } dd { "hold for a second: halt all trading" } }
                div { dt { kbd { "?" } } dd { "this list" } }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// A refusal: a page for people, JSON for programs.
#[must_use]
pub fn refused(refusal: &Refusal, page: bool) -> Response {
    if !page {
        return refusal.clone().into_response();
    }
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            (head("Refused"))
            body {
                main #main.alone {
                    h1 { "Refused" }
                    p { (refusal.what) "." }
                    p.note { (refusal.help) "." }
                    p { a href="/" { "Back to the dashboard" } " · " span.chip { (refusal.code) } }
                }
            }
        }
    };
    let mut answer = body.into_response();
    refusal.mark(&mut answer);
    answer
}

/// One panel, as it stands in a page and as it is pushed.
#[must_use]
pub fn section(panel: &Panel) -> Markup {
    html! {
        section.panel.wide[panel.wide] id=(panel.id) aria-labelledby={ (panel.id) "-title" } {
            h2 id={ (panel.id) "-title" } { (panel.title) }
            (panel.body)
        }
    }
}
