//! `/api/v1/risk` and `/api/v1/limits`: how much of each limit is used.

use super::snapshot::picture;
use super::strategies::Wanted;
use crate::snapshot::{LimitUse, Risk};
use crate::web::answer::{self, Refusal};
use crate::web::app::App;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(risk))
        .routes(routes!(limits))
}

/// Everything about risk: limits with their use, locked capital, groups, denials, halts.
#[utoipa::path(get, path = "/risk", responses(
    (status = 200, body = Risk),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn risk(State(app): State<App>) -> Response {
    match picture(&app) {
        Ok(pilot) => Json(&pilot.risk).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// The limits that fill up, the fullest first.
#[utoipa::path(get, path = "/limits", params(("format" = Option<String>, Query, description = "json or csv")), responses(
    (status = 200, body = [LimitUse]),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn limits(State(app): State<App>, Query(wanted): Query<Wanted>) -> Response {
    match picture(&app) {
        Ok(pilot) => answer::rows(&pilot.risk.in_use, wanted.format),
        Err(refusal) => refusal.into_response(),
    }
}
