//! Why not?: Where ideas end on the way from a market to a settled trade, and why.
//!
//! The funnel lives; the question and its answer (`/why/ask?q=`) and the list of all reasons
//! (`/why/reasons`) are pages that stay as they are. The form stands in a panel that never changes, so it is
//! never replaced under a typing hand.

use crate::snapshot::Funnel;
use crate::snapshot::funnel::{Part, Stage, reason_of};
use crate::web::api::why::{ask, newest};
use crate::web::app::{App, View};
use crate::web::chart::Role;
use crate::web::chart::bars::{Bar, Bars};
use crate::web::layout::{self, Page, Panel};
use crate::web::show;
use crate::why::{Answer, Found, QUESTION_MAX, Verdict, reasons};
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use pm_arb_core::reason::Reason;
use serde::Deserialize;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/why",
    name: "Why not?",
    about: "Where ideas end on the way from a market to a settled trade, and why.",
    panels: Some(panels),
};

/// The pages beside the live one.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/why/ask", get(asked))
        .route("/why/reasons", get(all_reasons))
}

fn panels(view: &View) -> Vec<Panel> {
    let question = Panel {
        id: "why-ask",
        title: "Ask about a market or an opportunity",
        body: form(""),
        wide: true,
    };
    let Some((funnel, as_of, live)) = newest(view) else {
        let nothing = Panel {
            id: "why-funnel",
            title: "The funnel",
            body: html! {
                p.empty {
                    "No pilot answers and none has stored a funnel in this database. Start one with "
                    code { "pm-arb pilot --strategies ./strategies" } "; it counts from its first record."
                }
            },
            wide: true,
        };
        return vec![question, nothing];
    };
    let age = view.now.since(as_of.0).ms() / 1_000;
    let stamp = html! {
        p.note {
            "Since the run began, as of " time datetime=(as_of) { (as_of.to_string().get(11..19).unwrap_or_default()) " UTC" }
            @if live { "." } @else {
                " — " span.state.off { "stored" } " " (age) " s ago by a pilot that does not answer now."
            }
        }
    };
    vec![
        question,
        Panel {
            id: "why-funnel",
            title: "From records to settled trades",
            body: html! { (stamp) (drawing(funnel)) },
            wide: false,
        },
        Panel {
            id: "why-stages",
            title: "Stage by stage",
            body: table(funnel),
            wide: false,
        },
        Panel {
            id: "why-refused",
            title: "What ended, and why",
            body: html! { @for stage in &funnel.stages { (ends(stage)) } },
            wide: true,
        },
    ]
}

fn form(asked: &str) -> Markup {
    html! {
        form.filter method="get" action="/why/ask" role="search" {
            p {
                label for="why-q" { "Market, opportunity or trade: its name, a part of it, or its id" }
                input #why-q type="search" name="q" value=(asked) size="30" required maxlength=(QUESTION_MAX) autocomplete="off";
            }
            button { "Why not?" }
        }
        p.note { "The same on a terminal: " code { "pm-arb why MARKET" } ". All codes: " a href="/why/reasons" { "reasons" } "." }
    }
}

fn drawing(funnel: &Funnel) -> Markup {
    let bar = |stage: &Stage| Bar {
        name: stage.title.clone(),
        value: length(stage.entered()),
        text: format!(
            "{} in, {} on",
            commas(stage.entered()),
            commas(stage.passed)
        ),
        role: Role::Honest,
    };
    Bars {
        title: "The funnel",
        describe: "What entered each stage and what went on. Lengths are logarithmic: each step of equal length is ten times as many.",
        bars: funnel.stages.iter().map(bar).collect(),
        full: None,
    }
    .draw()
}

/// Length of a bar: the logarithm, because a record is no trade by a factor of a million.
fn length(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a length in a drawing")]
    let count = count as f64;
    (count + 1.0).log10()
}

fn table(funnel: &Funnel) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "The stages with what entered, passed, was refused, ended otherwise and waits" }
                thead { tr {
                    th scope="col" { "Stage" }
                    th.num scope="col" { "Entered" }
                    th.num scope="col" { "Went on" }
                    th.num scope="col" { "Refused" }
                    th.num scope="col" { "Ended" }
                    th.num scope="col" { "Waiting" }
                } }
                tbody {
                    @for stage in &funnel.stages {
                        tr {
                            th scope="row" { a href={ "#stage-" (stage.key) } { (stage.title) } }
                            td.num { (commas(stage.entered())) }
                            (share(stage.passed, stage.entered()))
                            (share(stage.refused(), stage.entered()))
                            (share(stage.ended(), stage.entered()))
                            (share(stage.waiting(), stage.entered()))
                        }
                    }
                }
            }
        }
        p.note { "Every line adds up: entered = went on + refused + ended + waiting, and what went on is the first that entered the next." }
    }
}

/// `1,234,567`.
fn commas(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its share of what entered.
fn share(count: u64, of: u64) -> Markup {
    html! {
        td.num {
            (commas(count))
            @if let Some(share) = percent(count, of) { " " small { (share) } }
        }
    }
}

/// Rounded down to a tenth; nothing of nothing, and little is not none.
fn percent(count: u64, of: u64) -> Option<String> {
    let tenths = (u128::from(count) * 1_000).checked_div(u128::from(of))?;
    Some(match (count, tenths) {
        (0, _) => return None,
        (_, 0) => "< 0.1 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    })
}

/// Where things came from, and every way in which they ended in this stage.
fn ends(stage: &Stage) -> Markup {
    let from = stage.entered.iter().filter(|part| part.count > 0);
    let from: Vec<String> = from
        .map(|p| format!("{} {}", commas(p.count), p.name))
        .collect();
    let shown = |parts: &[Part]| -> Vec<Part> {
        let parts = parts.iter().filter(|part| part.count > 0);
        parts.cloned().collect()
    };
    let (ended, waiting) = (shown(&stage.ended), shown(&stage.waiting));
    html! {
        h3 id={ "stage-" (stage.key) } { (stage.title) }
        @if from.is_empty() {
            p.empty { "Nothing has come this far yet." }
        } @else {
            p { (from.join(" + ")) ". " strong { (commas(stage.passed)) } " " (stage.passed_as) "." }
            @if stage.refused.is_empty() && ended.is_empty() && waiting.is_empty() {
                p.note { "Nothing ended here." }
            } @else {
                div.scroll tabindex="0" {
                    table.rows {
                        caption.only-read { "What did not pass: " (stage.title) }
                        thead { tr {
                            th scope="col" { "Reason" }
                            th.num scope="col" { "Count" }
                            th scope="col" { "Meaning" }
                        } }
                        tbody {
                            @for part in &stage.refused { (refusal(stage, part)) }
                            @for (part, word) in ended.iter().map(|p| (p, "ended")).chain(waiting.iter().map(|p| (p, "waiting"))) {
                                tr {
                                    td { span.state.off { (word) } }
                                    (share(part.count, stage.entered()))
                                    td { (part.name) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn refusal(stage: &Stage, part: &Part) -> Markup {
    let explained = format!("/why/reasons#{}", part.name);
    html! {
        tr {
            td { a.chip href=(explained) { (part.name) } }
            (share(part.count, stage.entered()))
            td {
                @match reason_of(part) {
                    Some(reason) => (reason.meaning().trim()),
                    None => (show::unknown("this version does not know the code")),
                }
                @if stage.has_rows() {
                    " " a href={ "/trades?status=rejected&reason=" (part.name) } { "rows" }
                }
            }
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

async fn asked(State(app): State<App>, Query(Asked { q }): Query<Asked>) -> Response {
    let view = app.view();
    let mut panels = vec![Panel {
        id: "why-ask",
        title: "Ask again",
        body: form(&q),
        wide: true,
    }];
    match ask(&app, &q).await {
        Err(refusal) => return layout::refused(&refusal, true),
        Ok(answer) => panels.insert(0, answered(&answer)),
    }
    layout::document(&view, &PAGE, &panels).into_response()
}

fn answered(answer: &Answer) -> Panel {
    let body = html! {
        p { strong { (answer.sentence) } }
        @if let Some(now) = &answer.now { (verdict(now)) }
        @if !answer.before.is_empty() {
            h3 { "Before" }
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "What was wished, refused and traded, newest first" }
                    thead { tr {
                        th scope="col" { "Time (UTC)" } th scope="col" { "What" } th scope="col" { "Limit" } th scope="col" { "Observed" }
                    } }
                    tbody {
                        @for past in &answer.before {
                            tr {
                                td { time datetime=(past.at) { (past.at.to_string().get(..19).unwrap_or_default().replace('T', " ")) } }
                                td {
                                    (past.what)
                                    @if let Some(code) = &past.code { " " a.chip href={ "/why/reasons#" (code) } { (code) } }
                                    @if let Some(trade) = &past.trade { " " a href={ "/trades/" (trade) } { "trade" } }
                                }
                                td { (past.limit.as_deref().unwrap_or_default()) }
                                td { (past.observed.as_deref().unwrap_or_default()) }
                            }
                        }
                    }
                }
            }
        }
        @if !answer.names.is_empty() {
            h3 { @if answer.found == Found::Ambiguous { "Which one?" } @else { "Nearest names" } }
            ul {
                @for name in &answer.names {
                    li { a href={ "/why/ask?q=" (query(&name.slug)) } { (name.slug) } " " small { (name.venue) ", " (name.status) } }
                }
            }
        }
    };
    Panel {
        id: "why-answer",
        title: "Answer",
        body,
        wide: true,
    }
}

fn verdict(now: &Verdict) -> Markup {
    html! {
        @if let Some(reason) = now.code.as_deref().and_then(reasons::by_code) {
            p { a.chip href={ "/why/reasons#" (reason.code()) } { (reason.code()) } " " (reasons::about(reason).advice) }
        }
        dl.figures {
            div { dt { "Limit" } dd { (now.limit) } }
            div { dt { "Observed" } dd { (now.observed) } }
        }
        details.more {
            summary { "Everything that was looked at" }
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "The market as it stands" }
                    tbody { @for fact in &now.facts { tr { th scope="row" { (fact.name) } td { (fact.value) } } } }
                }
            }
        }
    }
}

/// A text as part of a URL's query.
fn query(text: &str) -> String {
    let safe = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
    let bytes = text.bytes().map(|b| {
        if safe(&b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    });
    bytes.collect()
}

async fn all_reasons(State(app): State<App>) -> Response {
    let body = html! {
        p.note { "A code is stable: rows, reports and the API carry it. Each refusal is counted once, at the stage where it happened." }
        @for reason in Reason::ALL { (explained(*reason)) }
    };
    let panel = Panel {
        id: "why-reasons",
        title: "Every reason",
        body,
        wide: true,
    };
    layout::document(&app.view(), &PAGE, &[panel]).into_response()
}

fn explained(reason: Reason) -> Markup {
    let about = reasons::about(reason);
    html! {
        h3 id=(reason.code()) { span.chip { (reason.code()) } }
        p { (reason.meaning().trim()) }
        dl.figures {
            div { dt { "Said by" } dd { (about.said_by) } }
            div { dt { "Limit" } dd { (about.limit) } }
            div { dt { "Observed" } dd { (about.observed) } }
        }
        p { (about.advice) " " a href={ "/trades?status=rejected&reason=" (reason.code()) } { "Rows" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_never_flattered_to_none() {
        assert_eq!(percent(0, 10), None);
        assert_eq!(percent(1, 100_000).as_deref(), Some("< 0.1 %"));
        assert_eq!(percent(1, 3).as_deref(), Some("33.3 %"));
        assert_eq!(percent(5, 0), None);
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(commas),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn names_of_venues_are_text_everywhere() {
        assert_eq!(query("a b&c=<d>"), "a%20b%26c%3D%3Cd%3E");
        let answer = Answer {
            asked: "<x>".into(),
            found: Found::Unknown,
            sentence: "<script>alert(1)</script> was never seen here.".into(),
            subject: None,
            now: None,
            before: Vec::new(),
            names: Vec::new(),
        };
        let drawn = answered(&answer).body.into_string();
        assert!(
            !drawn.contains("<script>") && drawn.contains("&lt;script&gt;"),
            "{drawn}"
        );
    }

    #[test]
    fn without_anything_the_page_says_what_makes_it_appear() {
        let panels = panels(&View::default());
        let text: String = panels
            .iter()
            .map(|p| p.body.clone().into_string())
            .collect();
        assert!(text.contains("pm-arb pilot --strategies") && text.contains("role=\"search\""));
    }
}
