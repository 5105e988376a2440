//! Trades: Every fill and every refusal; each opens to its whole story.
//!
//! Owns the list: filters and order stand in the URL, so that a list can be kept and sent to others, and
//! paging needs no script.

use super::parts::{aligned, places};
use super::trade;
use crate::report::tame;
use crate::report::text::{month_and_minute, rfc3339};
use crate::store::list::{COUNT_MAX, MARKETS_MEANT, Offered, Sort, TradePageOf};
use crate::store::view::TradeView;
use crate::web::answer::Refusal;
use crate::web::api::trades::{Asked, KINDS, page, refusal};
use crate::web::app::App;
use crate::web::layout::{Page, Panel, document};
use crate::web::show;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use pm_arb_core::ids::Venue;
use pm_arb_core::units::{Qty, Usd};

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/trades",
    name: "Trades",
    about: "Every fill and every refusal; each opens to its whole story.",
    panels: None,
};

/// Its routes, and those of single trades.
pub fn routes() -> Router<App> {
    Router::new()
        .route(PAGE.path, get(list))
        .merge(trade::routes())
}

async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Response {
    let mut status = StatusCode::OK;
    let (offered, body) = match found(&app, &asked).await {
        Ok((offered, rows)) => (offered, rows),
        Err(refused) => {
            status = refused.clone().into_response().status();
            (Offered::default(), trade::why_not(&refused))
        }
    };
    let panels = [
        Panel {
            id: "filter",
            title: "Filter",
            body: filter(&asked, &offered),
            wide: true,
        },
        Panel {
            id: "list",
            title: "List",
            body,
            wide: true,
        },
    ];
    (status, document(&app.view(), &PAGE, &panels)).into_response()
}

async fn found(app: &App, asked: &Asked) -> Result<(Offered, Markup), Refusal> {
    let (store, query, page) = page(app, asked).await?;
    let offered = store.offered().await.map_err(|e| refusal(&e))?;
    // Counting is worth a page only where it begins, and no page waits for a count that takes long.
    let count = match page.previous {
        None => store.count_of(&query).await.ok(),
        Some(_) => None,
    };
    Ok((offered, rows(asked, &page, count)))
}

fn filter(asked: &Asked, offered: &Offered) -> Markup {
    let kinds = KINDS.map(|k| k.as_str());
    let venues = Venue::ALL.map(Venue::as_str);
    let statuses = ["open", "closed", "resolved", "rejected"];
    let tapes = ["confirmed", "not_seen", "no_tape"];
    let strategies: Vec<&str> = offered.strategies.iter().map(String::as_str).collect();
    let reasons: Vec<&str> = offered.reasons.iter().map(String::as_str).collect();
    html! {
        form.filter method="get" action=(PAGE.path) role="search" {
            (text("market", "Market (part of its name)", &asked.market))
            (choice("strategy", "Strategy", &asked.strategy, &strategies))
            (choice("status", "Status", &asked.status, &statuses))
            (choice("reason", "Reason of refusal", &asked.reason, &reasons))
            (choice("type", "Type", &asked.kind, &kinds))
            (choice("venue", "Venue", &asked.venue, &venues))
            (choice("side", "Side", &asked.side, &["buy", "sell"]))
            (choice("tape", "Tape", &asked.tape, &tapes))
            (text("since", "Since (2026-11-01, 12h)", &asked.since))
            (text("until", "Until", &asked.until))
            (text("min_pnl", "P&L at least ($)", &asked.min_pnl))
            (text("max_pnl", "P&L at most ($)", &asked.max_pnl))
            (text("run", "Run", &asked.run))
            input type="hidden" name="sort" value=(asked.sort);
            input type="hidden" name="order" value=(asked.order);
            button { "Show" }
            @if asked.is_filtered() { " " a href=(PAGE.path) { "Everything" } }
        }
    }
}

fn text(name: &str, label: &str, value: &str) -> Markup {
    html! {
        label { (label) " " input name=(name) value=(value) maxlength="200" autocomplete="off"; }
    }
}

fn choice(name: &str, label: &str, value: &str, known: &[&str]) -> Markup {
    // What was asked for stays to be seen, whether it occurs or not.
    let foreign = (!value.is_empty() && !known.contains(&value)).then_some(value);
    html! {
        label { (label) " "
            select name=(name) {
                option value="" selected[value.is_empty()] { "any" }
                @for known in known.iter().copied().chain(foreign) {
                    option value=(known) selected[known == value] { (known) }
                }
            }
        }
    }
}

fn rows(asked: &Asked, page: &TradePageOf, count: Option<u64>) -> Markup {
    if page.rows.is_empty() {
        return empty(asked);
    }
    let columns = Columns::of(&page.rows);
    html! {
        p.note {
            @match count {
                Some(count) if count > COUNT_MAX => { "More than " (grouped(COUNT_MAX)) " rows. " },
                Some(1) => "One row. ",
                Some(count) => { (grouped(count)) " rows. " },
                None => {},
            }
            @if page.markets_cut {
                "More than " (MARKETS_MEANT) " markets have this in their name: these are the rows of those that close last. "
            }
            @if asked.sort == "pnl" { "Rows that have gained or lost nothing yet are left out. " }
            "Times are UTC, amounts US dollars. "
            a href=(asked.url("/api/v1/trades", &[("format", "csv")])) download { "CSV of all" } " · "
            a href=(asked.url("/api/v1/trades", &[])) { "JSON" }
        }
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Trades and refusals" }
                thead { tr {
                    (heading(asked, Sort::Time, "Time", false))
                    th scope="col" { "Strategy" }
                    th scope="col" { "Market" }
                    th scope="col" { "Order" }
                    (heading(asked, Sort::Quantity, "Shares", true))
                    th.num scope="col" { "Price" }
                    th.num scope="col" { "Fee" }
                    (heading(asked, Sort::Edge, "Promised a share", true))
                    th scope="col" { "Came to" }
                    (heading(asked, Sort::Pnl, "P&L", true))
                } }
                tbody { @for t in &page.rows { (row(t, columns)) } }
            }
        }
        nav.pages aria-label="Parts of the list" {
            @if let Some(place) = page.previous {
                a rel="prev" href=(asked.url(PAGE.path, &[("place", &place.to_string())])) { "← Before" } " "
                a href=(asked.url(PAGE.path, &[])) { "Beginning" } " "
            }
            @if let Some(place) = page.next {
                a rel="next" href=(asked.url(PAGE.path, &[("place", &place.to_string())])) { "After →" }
            }
        }
    }
}

fn empty(asked: &Asked) -> Markup {
    html! {
        p.empty {
            @if asked.is_filtered() || !asked.place.is_empty() {
                "No trade matches. " a href=(PAGE.path) { "Show everything" } " or leave out a part of the filter."
            } @else {
                "No trade and no refusal is stored yet. Rows appear here when a strategy wishes something; "
                a href="/why" { "Why not?" } " tells where ideas end before that."
            }
        }
    }
}

/// A heading that orders the list; the same again turns it around.
fn heading(asked: &Asked, sort: Sort, name: &str, number: bool) -> Markup {
    let known = if asked.sort.is_empty() {
        "time"
    } else {
        &asked.sort
    };
    let is_sorted = known == sort.as_str();
    let is_ascending = is_sorted && asked.order == "asc";
    let order = if is_sorted && !is_ascending {
        "asc"
    } else {
        ""
    };
    let aria = match (is_sorted, is_ascending) {
        (true, true) => Some("ascending"),
        (true, false) => Some("descending"),
        (false, _) => None,
    };
    let url = asked.url(PAGE.path, &[("sort", sort.as_str()), ("order", order)]);
    html! {
        th.num[number] scope="col" aria-sort=[aria] {
            a href=(url) { (name) @if is_sorted { @if is_ascending { " ▲" } @else { " ▼" } } }
        }
    }
}

/// Digits after the point of each column, so that points stand below each other.
#[derive(Clone, Copy)]
struct Columns {
    shares: usize,
    price: usize,
    fee: usize,
    edge: usize,
}

impl Columns {
    fn of(rows: &[TradeView]) -> Self {
        Self {
            shares: places(rows.iter().map(|t| shares(meant(t)))),
            price: places(rows.iter().map(|t| &t.price)),
            fee: places(rows.iter().filter(|t| t.reason.is_none()).map(|t| &t.fees)),
            edge: places(rows.iter().map(|t| &t.expected_edge)),
        }
    }
}

/// What was bought or sold, or should have been.
fn meant(t: &TradeView) -> Qty {
    if t.reason.is_some() {
        t.requested_quantity
    } else {
        t.quantity
    }
}

fn row(t: &TradeView, columns: Columns) -> Markup {
    html! {
        tr {
            td { a href={ "/trades/" (t.id) } {
                time datetime=(rfc3339(t.created)) { (month_and_minute(t.created)) }
                span.only-read { " " (t.side) " " (tame(&t.outcome)) }
            } }
            td { (tame(&t.strategy_id)) }
            td { (tame(&t.market_slug)) }
            td { (t.side) " " (tame(&t.outcome)) }
            td.num { (aligned(shares(meant(t)), columns.shares)) }
            td.num { (aligned(t.price, columns.price)) }
            td.num { @if t.reason.is_some() { (show::unknown("refused: nothing was charged")) } @else { (aligned(t.fees, columns.fee)) } }
            td.num { (aligned(t.expected_edge, columns.edge)) }
            td { (came_to(t)) }
            td.num { (gain(t)) }
        }
    }
}

/// Its state, or the reason why it came to nothing.
#[must_use]
pub fn came_to(t: &TradeView) -> Markup {
    html! {
        @match &t.reason {
            Some(reason) => a.chip href={ (PAGE.path) "?reason=" (reason) } { (reason) },
            None => span.state.ok[t.status != "open"].off[t.status == "open"] { (t.status) },
        }
    }
}

/// What it gained or lost.
#[must_use]
pub fn gain(t: &TradeView) -> Markup {
    match (&t.reason, t.realized_pnl) {
        (Some(_), _) => show::unknown("refused: it never was a position"),
        (None, Some(pnl)) if t.status != "open" => show::money(pnl),
        _ => show::unknown("its market has not paid yet"),
    }
}

/// Shares without zeros that say nothing.
#[must_use]
pub fn shares(qty: Qty) -> String {
    let text = Usd(qty.0).to_string();
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `10,000`
fn grouped(number: u64) -> String {
    match (number / 1_000, number % 1_000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}
