//! One trade: its whole story, from what was seen to what came of it, and whether the row follows from
//! what is stored with it.
//!
//! Owns the page at `/trades/{id}`, the permanent link of a trade; the beginning of an id leads there. The
//! words are those of `pm-arb trade` (`report::page`).

use super::trades;
use crate::report::recheck::{self, Check, Finding, Recheck};
use crate::report::text::rfc3339;
use crate::report::{Style, list, page, tame};
use crate::store::StoreError;
use crate::store::view::{TradePage, TradeView};
use crate::web::answer::Refusal;
use crate::web::api::trades::refusal;
use crate::web::app::App;
use crate::web::layout::{Page, Panel, document};
use crate::web::show;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Price, Qty, Rounding, Usd, div_round};
use uuid::Uuid;

const PAGE: Page = Page {
    path: trades::PAGE.path,
    name: "Trade",
    about: "Its whole story: what was seen, decided, filled, charged and paid.",
    panels: None,
};

/// Most trades that are offered for an ambiguous beginning of an id.
const CANDIDATES_MAX: usize = 10;

/// Its routes.
pub fn routes() -> Router<App> {
    Router::new().route("/trades/{id}", get(one))
}

/// What there is of an id.
enum Found {
    Story(Box<TradePage>),
    /// The beginning of this one.
    Elsewhere(Uuid),
    Several(Vec<TradeView>),
    Nothing,
}

async fn one(State(app): State<App>, Path(id): Path<String>) -> Response {
    let (status, panels) = match find(&app, &id).await {
        Ok(Found::Story(story)) => (StatusCode::OK, tell(&story, &app)),
        Ok(Found::Elsewhere(id)) => {
            return Redirect::temporary(&format!("/trades/{id}")).into_response();
        }
        Ok(Found::Several(trades)) => (StatusCode::NOT_FOUND, vec![several(&trades)]),
        Ok(Found::Nothing) => (StatusCode::NOT_FOUND, vec![nothing(&id)]),
        Err(error) => {
            let refused = refusal(&error);
            let status = refused.clone().into_response().status();
            (
                status,
                vec![panel("refused", "No answer", why_not(&refused), true)],
            )
        }
    };
    (status, document(&app.view(), &PAGE, &panels)).into_response()
}

async fn find(app: &App, id: &str) -> Result<Found, StoreError> {
    let is_id = |c: char| c.is_ascii_hexdigit() || c == '-';
    if id.is_empty() || id.len() > 36 || !id.chars().all(is_id) {
        return Ok(Found::Nothing);
    }
    let store = app.records.store().await?;
    // The permanent link is the lower-case id with its dashes.
    if let Ok(uuid) = Uuid::try_parse(id)
        && uuid.to_string() == id
    {
        return Ok(match store.trade_view(uuid).await? {
            Some(trade) => Found::Story(Box::new(store.trade_page(trade).await?)),
            None => Found::Nothing,
        });
    }
    let found = store.trades_like(id, CANDIDATES_MAX).await?;
    Ok(match found.as_slice() {
        [] => Found::Nothing,
        [only] => Found::Elsewhere(only.id),
        _ => Found::Several(found),
    })
}

/// A refusal in the place of what was asked for.
#[must_use]
pub fn why_not(refused: &Refusal) -> Markup {
    html! { p.empty { (refused.what) ". " (refused.help) "." } }
}

fn panel(id: &'static str, title: &'static str, body: Markup, wide: bool) -> Panel {
    Panel {
        id,
        title,
        body,
        wide,
    }
}

fn nothing(id: &str) -> Panel {
    let id: String = id.chars().take(40).collect();
    let body = html! {
        p.empty {
            "No trade has an id that is or begins with " code { (tame(&id)) } ". An id has hex digits and dashes; "
            a href="/trades" { "the list of trades" } " has them all. A row of another database is found there only."
        }
    };
    panel("nothing", "No such trade", body, true)
}

fn several(trades: &[TradeView]) -> Panel {
    let body = html! {
        p { "Several trades have an id that begins so:" }
        ul { @for t in trades { li { (link(t)) } } }
    };
    panel("several", "Which one?", body, true)
}

fn link(t: &TradeView) -> Markup {
    html! {
        a href={ "/trades/" (t.id) } { code { (list::short_id(t)) } } " "
        (t.side) " " (trades::shares(t.quantity.max(t.requested_quantity))) " "
        (tame(&t.outcome)) " of " (tame(&t.market_slug)) " " (trades::came_to(t))
    }
}

fn tell(story: &TradePage, app: &App) -> Vec<Panel> {
    let t = &story.trade;
    let again = recheck::of(t, &app.rules);
    let [seen, decided, order, execution, grades, outcome] = page::parts(story, Style::PLAIN);
    let mut panels = vec![panel("summary", "In short", summary(t, &again), true)];
    panels.push(panel("opportunity", "Opportunity", lines(seen), false));
    panels.push(panel("decision", "Decision", lines(decided), false));
    panels.push(panel("order", "Order", lines(order), false));
    if t.quantity.0 > 0 {
        panels.push(panel(
            "book",
            "Book as walked",
            ladder(story, execution),
            false,
        ));
        panels.push(panel("recheck", "Re-check", checks(&again), false));
    }
    if !grades.1.is_empty() {
        panels.push(panel("grades", "Booked three ways", lines(grades), false));
    }
    panels.push(panel("outcome", "Outcome", lines(outcome), false));
    if !story.siblings.is_empty() {
        let others = html! { ul { @for t in &story.siblings { li { (link(t)) } } } };
        panels.push(panel(
            "siblings",
            "Other rows of the same wish",
            others,
            false,
        ));
    }
    panels.push(panel("origin", "Where it comes from", origin(t), false));
    panels
}

fn summary(t: &TradeView, again: &Recheck) -> Markup {
    let qty = if t.reason.is_some() {
        t.requested_quantity
    } else {
        t.quantity
    };
    let figure = |name: &str, value: Markup| html! { div { dt { (name) } dd { (value) } } };
    html! {
        p {
            (t.side) " " (trades::shares(qty)) " " (tame(&t.outcome)) " of "
            a href={ "/trades?market=" (t.market_id) } { (tame(&t.market_slug)) }
            " on " (t.venue) ", for " a href={ "/trades?strategy=" (t.strategy_id) } { (tame(&t.strategy_id)) }
        }
        @if let Some(code) = &t.reason { (refused(t, code)) }
        dl.figures {
            (figure("Came to", trades::came_to(t)))
            (figure("P&L, after fees", trades::gain(t)))
            @if t.quantity.0 > 0 {
                (figure(if t.side == "buy" { "Paid" } else { "Received" }, html! { "$" (t.cost) }))
                (figure("Fees", html! { "$" (t.fees) }))
                (figure("This row", verdict(again)))
            }
        }
    }
}

/// A refusal in a sentence, with what it ran into.
fn refused(t: &TradeView, code: &str) -> Markup {
    let known = Reason::ALL.iter().find(|reason| reason.code() == code);
    let by = if t.risk_approved {
        "the executor"
    } else {
        "risk"
    };
    let value = |value: &Option<String>| match value.as_deref().map(tame) {
        Some(text) if !text.is_empty() => html! { (text) },
        _ => show::unknown("this reason has none"),
    };
    html! {
        p { strong { "Refused by " (by) ": " } @if let Some(reason) = known { (reason.meaning().trim()) } @else { (code) } }
        dl.figures {
            div { dt { "Limit" } dd { (value(&t.limit)) } }
            div { dt { "Observed" } dd { (value(&t.observed)) } }
        }
    }
}

fn verdict(again: &Recheck) -> Markup {
    match again.verdict() {
        Some(true) => html! { span.state.ok { "verifies" } },
        Some(false) => html! { span.state.bad { "does not verify" } },
        None => html! { span.state.off { "can not be checked" } },
    }
}

fn lines(part: page::Part) -> Markup {
    html! {
        @if part.1.is_empty() {
            p.empty { "Nothing of this is stored with the row." }
        } @else {
            table.rows {
                caption.only-read { (part.0) }
                tbody { @for (name, value) in &part.1 { tr { th scope="row" { (name) } td { (value) } } } }
            }
        }
    }
}

/// The levels in the order they were taken, with what stood at the top when it was decided.
fn ladder(story: &TradePage, execution: page::Part) -> Markup {
    let t = &story.trade;
    let levels = page::levels(t);
    let top = story.leg.as_ref().and_then(|leg| match t.side.as_str() {
        "buy" => leg.ask,
        _ => leg.bid,
    });
    let wished = t.requested_quantity.0.max(1);
    html! {
        @if levels.is_empty() {
            p.empty { "An older version stored this row without its levels." }
        } @else {
            div.scroll tabindex="0" { table.rows {
                caption.only-read { "Levels of the book, as the order took them" }
                thead { tr {
                    th scope="col" { "Level" } th.num scope="col" { "Price ($)" } th.num scope="col" { "Shares taken" }
                    th scope="col" { "Of the order" } th.num scope="col" { "Average so far ($)" } th.num scope="col" { "Fee ($)" }
                } }
                tbody {
                    @if let Some((price, qty)) = top {
                        tr { th scope="row" { "top when decided" } td.num { (price) }
                            td.num { (trades::shares(qty)) " shown" } td { } td.num { } td.num { } }
                    }
                    @for (n, (price, qty, fee)) in levels.iter().enumerate() {
                        tr {
                            th scope="row" { span.chip { "taken " (n + 1) } }
                            td.num { (price) }
                            td.num { (trades::shares(*qty)) }
                            td { meter min="0" max=(wished) value=(qty.0) { (trades::shares(*qty)) " of " (trades::shares(Qty(wished))) } }
                            td.num { (average(levels.get(..=n).unwrap_or_default())) }
                            td.num { (fee) }
                        }
                    }
                }
            } }
        }
        // The levels are above; what they came to is said in the report's words.
        table.rows {
            caption.only-read { "What they came to" }
            tbody {
                @for (name, value) in execution.1.iter().filter(|(_, value)| !value.starts_with(' ')) {
                    tr { th scope="row" { (name) } td { (value) } }
                }
            }
        }
    }
}

/// Of the levels so far, weighted by shares, rounded up.
fn average(levels: &[(Price, Qty, Usd)]) -> String {
    let shares = levels.iter().map(|l| i128::from(l.1.0)).sum();
    let weighted = levels.iter().map(|l| i128::from(l.0.0) * i128::from(l.1.0));
    let exact = div_round(weighted.sum(), shares, Rounding::Up);
    let price = exact.and_then(|price| i64::try_from(price).ok());
    price.map_or_else(String::new, |price| Price(price).to_string())
}

fn checks(again: &Recheck) -> Markup {
    let finding = |check: &Check| match &check.finding {
        Finding::Verifies => html! { span.state.ok { "verifies" } },
        Finding::Differs(by) => html! { span.state.bad { "does not verify" } " by " (by) },
        Finding::Unknown(why) => html! { span.state.off { "unknown" } " " (why) },
    };
    html! {
        p { "This row, computed again with the code that trades: " (verdict(again)) }
        div.scroll tabindex="0" { table.rows {
            caption.only-read { "Stored beside computed" }
            thead { tr {
                th scope="col" { "What" } th scope="col" { "How" } th.num scope="col" { "Stored" }
                th.num scope="col" { "Computed" } th scope="col" { "Finding" }
            } }
            tbody { @for check in &again.checks {
                tr { th scope="row" { (check.what) } td { (check.how) } td.num { (check.stored) }
                    td.num { (check.computed) } td { (finding(check)) } }
            } }
        } }
    }
}

fn origin(t: &TradeView) -> Markup {
    let line =
        |name: &str, value: Markup| html! { tr { th scope="row" { (name) } td { (value) } } };
    html! {
        table.rows {
            caption.only-read { "Where the row comes from" }
            tbody {
                (line("Permanent link", html! { a href={ "/trades/" (t.id) } { code { (t.id) } } }))
                (line("Run", html! { a href={ "/trades?run=" (t.run_id) } { code { (t.run_id) } } }))
                (line("Journal record", html! { (t.seq) ", row " (t.n) " of it" }))
                (line("Strategy", html! { (tame(&t.strategy_id)) " " (tame(&t.strategy_version)) ", generation " (t.generation) }))
                (line("Its bytes (SHA-256)", html! { code { (t.strategy_digest) } }))
                (line("Recorded", html! { time datetime=(rfc3339(t.created)) { (rfc3339(t.created)) } }))
                (line("For programs", html! { a href={ "/api/v1/trades/" (t.id) } { "JSON" } }))
            }
        }
    }
}
