//! How It Works: the idea, computed here and now by the code that trades.
//!
//! Owns the handler and the order of the panels. The numbers are [`crate::web::how`]'s, the words are
//! `words`', the drawings `draw`'s; nothing is computed here. The form works without scripts by its button;
//! with them its panels follow the sliders.

mod draw;
mod form;
mod now;
mod panels;
mod words;

use crate::web::app::{App, View};
use crate::web::how::inputs::Form;
use crate::web::how::{self, Refused, Worked};
use crate::web::layout::{self, Page, Panel};
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/how-it-works",
    name: "How It Works",
    about: "The idea, computed here and now by the code that trades.",
    panels: Some(live),
};

/// The page's own handler: it has a form.
pub fn routes() -> Router<App> {
    Router::new().route(PAGE.path, get(show))
}

/// What follows the running pilot.
fn live(view: &View) -> Vec<Panel> {
    vec![now::panel(view)]
}

/// The pairs of a query; one that can not be read asks nothing.
pub(in crate::web) type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

async fn show(State(app): State<App>, pairs: Pairs) -> Response {
    let view = app.view();
    let pairs = pairs.map(|Query(pairs)| pairs).unwrap_or_default();
    let form = Form::of(&pairs, view.now);
    let mut all = vec![words::idea(), form::panel(&form)];
    let worked = form
        .read
        .as_ref()
        .map(|inputs| how::work(inputs, &app.rules));
    all.extend(match worked {
        Ok(Ok(worked)) => answered(&worked),
        Ok(Err(refused)) => not_judged(&refused),
        Err(_) => not_read(&form),
    });
    all.extend(live(&view));
    all.extend([words::types(), words::glossary()]);
    layout::document(&view, &PAGE, &all).into_response()
}

fn answered(worked: &Worked) -> Vec<Panel> {
    vec![
        panels::verdict(worked),
        panels::lag(worked),
        panels::fair(worked),
        panels::payout(worked),
        panels::timeline(worked),
        panels::rules(worked),
        panels::baskets(worked),
    ]
}

/// The situation is none that can be judged: with the program's own reason.
fn not_judged(refused: &Refused) -> Vec<Panel> {
    let why = html! { p { span.chip { (refused.code) } " " (refused.meaning) } };
    without_numbers(&why)
}

/// Nothing is computed from a wrong number.
fn not_read(form: &Form) -> Vec<Panel> {
    let problems = form.read.as_ref().err().into_iter().flatten();
    let why = html! {
        p role="alert" { "Nothing is computed from a number that cannot be read:" }
        ul {
            @for problem in problems {
                li { strong { (problem.field.label()) } " " (problem.why) "." }
            }
        }
    };
    without_numbers(&why)
}

/// Every worked panel without its numbers; the first says why.
fn without_numbers(why: &Markup) -> Vec<Panel> {
    let panel = |(id, title, wide): (&'static str, &'static str, bool)| Panel {
        id,
        title,
        wide,
        body: if id == panels::VERDICT {
            why.clone()
        } else {
            html! { p.empty { "Not computed: see “What the program does”." } }
        },
    };
    panels::WORKED.into_iter().map(panel).collect()
}

#[cfg(test)]
mod tests;
