//! How It Works as JSON: the same numbers as the page, from the same query.

use crate::web::answer::Refusal;
use crate::web::app::App;
use crate::web::how::inputs::{Field, Form};
use crate::web::how::{self, Worked};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(worked))
}

/// A situation worked through by the code that trades.
///
/// Every parameter may be left out: then it is the example's. `422` names each one that cannot be read.
#[utoipa::path(
    get,
    path = "/how",
    params(
        ("spot" = Option<String>, Query, description = "The oracle's price, USD"),
        ("strike" = Option<String>, Query, description = "The threshold, USD"),
        ("volatility" = Option<String>, Query, description = "Percent a year"),
        ("left" = Option<String>, Query, description = "Whole seconds until the close"),
        ("price" = Option<String>, Query, description = "Best ask of YES, USD a share"),
        ("bid" = Option<String>, Query, description = "Best bid of YES, USD a share; empty for none"),
        ("qty" = Option<String>, Query, description = "Shares"),
        ("venue" = Option<String>, Query, description = "polymarket or kalshi"),
        ("day" = Option<String>, Query, description = "By the rules of that day, 2026-09-01"),
        ("latency" = Option<String>, Query, description = "Whole ms from decision to the venue's door"),
        ("delay" = Option<String>, Query, description = "Whole ms instead of the venue's rule"),
    ),
    responses((status = 200, body = Worked), (status = 422, body = Refusal))
)]
async fn worked(
    State(app): State<App>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Worked>, Refusal> {
    let help = "GET /api/v1/how without parameters is the example; each is described in /api/v1/openapi.json";
    let refusal = |what: String| {
        Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_parameter",
            what,
            help,
        )
    };
    let Query(pairs) = pairs.map_err(|why| refusal(why.to_string()))?;
    let form = Form::of(&pairs, crate::clock::Clock::utc().now());
    let unknown = form
        .unknown
        .iter()
        .map(|name| format!("{name:?} is no parameter"));
    let problems = form.read.as_ref().err().into_iter().flatten();
    let problems = problems.map(|p| format!("{} {}", Field::name(p.field), p.why));
    let wrong: Vec<_> = unknown.chain(problems).collect();
    let Some(inputs) = form.read.as_ref().ok().filter(|_| wrong.is_empty()) else {
        return Err(refusal(wrong.join("; ")));
    };
    let worked = how::work(inputs, &app.rules);
    worked.map(Json).map_err(|refused| {
        let what = format!("{}: {}", refused.code, refused.meaning);
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "not_judged", what, help)
    })
}
