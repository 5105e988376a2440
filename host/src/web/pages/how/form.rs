//! The form: a number and a slider a field. It is not part of any panel that is replaced.
//!
//! Only the numbers are sent. A slider repeats its number for those who prefer to pull; it appears when a
//! script can keep the two together.

use crate::web::how::inputs::{Field, Form};
use crate::web::layout::Panel;
use maud::{Markup, html};
use pm_arb_core::ids::Venue;

/// Its panel.
pub(super) fn panel(form: &Form) -> Panel {
    let worked = super::panels::WORKED.map(|(id, ..)| id);
    Panel {
        id: "ask",
        title: "Your numbers",
        wide: true,
        body: html! {
            p { "A market pays a dollar a share of YES when the asset is above the strike at the close, and nothing otherwise. "
                "Change a number and everything below is worked through again, by the same code that trades." }
            form.filter method="get" action=(super::PAGE.path) data-live=(worked.join(" ")) {
                @for field in Field::ALL { (self::field(form, field)) }
                button type="submit" { "Work it through" }
                " " a href=(super::PAGE.path) { "Back to the example" }
            }
        },
    }
}

fn field(form: &Form, field: Field) -> Markup {
    let name = field.name();
    let problem = form.problem(field);
    let described = problem.map(|_| format!("{name}-problem"));
    html! {
        div.field {
            label for=(name) {
                (field.label())
                @if !field.unit().is_empty() { " " small { "(" (field.unit()) ")" } }
            }
            @match field {
                Field::Venue => {
                    select id=(name) name=(name) aria-describedby=[described.as_deref()] {
                        @for venue in Venue::ALL {
                            option value=(venue.as_str()) selected[venue.as_str() == form.text(field)] { (venue.as_str()) }
                        }
                    }
                }
                Field::Day => {
                    input id=(name) name=(name) type="text" inputmode="numeric" autocomplete="off" size="12"
                        value=(form.text(field)) aria-invalid=[problem.map(|_| "true")]
                        aria-describedby=[described.as_deref()];
                }
                _ => {
                    input id=(name) name=(name) type="text" inputmode="decimal" autocomplete="off" size="10"
                        value=(form.text(field)) aria-invalid=[problem.map(|_| "true")]
                        aria-describedby=[described.as_deref()];
                    @if let Some((low, high, step)) = pull(form, field) {
                        input type="range" hidden min=(low) max=(high) step=(step) value=(start(form, field))
                            data-for=(name) aria-label={ (field.label()) ", slider" };
                    }
                }
            }
            @if let Some(why) = problem {
                span.loss id={ (name) "-problem" } { (why) }
            }
        }
    }
}

/// Where a slider stands; an empty number stands at its least.
fn start(form: &Form, field: Field) -> &str {
    match form.text(field) {
        "" => "0",
        text => text,
    }
}

/// How far a slider reaches, and its step. Spot and strike move about each other.
fn pull(form: &Form, field: Field) -> Option<(String, String, &'static str)> {
    let given = |low: &str, high: &str, step| Some((low.to_owned(), high.to_owned(), step));
    match field {
        Field::Spot | Field::Strike => {
            let inputs = form.read.as_ref().ok()?;
            let centre = if field == Field::Spot {
                inputs.strike
            } else {
                inputs.spot
            };
            let tenth = centre.0 / 10;
            let whole = |units: i128| (units / 10_i128.pow(18)).to_string();
            // Below ten dollars whole dollars are too coarse to pull.
            (tenth >= 10_i128.pow(18))
                .then(|| (whole(centre.0 - tenth), whole(centre.0 + tenth), "1"))
        }
        Field::Volatility => given("5", "200", "1"),
        Field::Left => given("5", "86400", "5"),
        Field::Price => given("0.01", "0.99", "0.01"),
        Field::Qty => given("5", "1000", "5"),
        Field::Latency => given("0", "1000", "10"),
        Field::Delay => given("0", "3000", "50"),
        Field::Bid | Field::Venue | Field::Day => None,
    }
}
