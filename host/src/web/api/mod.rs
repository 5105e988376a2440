//! The same data for programs: `/api/v1`, its OpenAPI document, and the probes of operators.
//!
//! Each slice has a file with its routes; this one puts them together.

mod health;
/// Figures for Prometheus.
pub mod metrics;
pub mod risk;
mod snapshot;
pub mod strategies;

use super::actions;
use super::app::App;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// Where it all is.
pub const PREFIX: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(info(
    title = "pm-arb",
    description = "What the dashboard shows, as JSON and CSV. Money is a decimal string in US dollars, \
                   times are RFC 3339 in UTC. Reading needs no token on loopback; everything that changes \
                   something does: `Authorization: Bearer` with the content of `dashboard.token` in the data folder."
))]
struct Document;

/// Everything below [`PREFIX`].
fn described() -> OpenApiRouter<App> {
    let v1 = OpenApiRouter::new()
        .merge(snapshot::routes())
        .merge(actions::routes())
        .merge(strategies::routes())
        .merge(risk::routes());
    OpenApiRouter::with_openapi(Document::openapi())
        .nest(PREFIX, v1)
        .merge(health::routes())
        .merge(metrics::routes())
}

/// All routes, with the document that describes them.
pub fn routes() -> Router<App> {
    let (router, document) = described().split_for_parts();
    router.route(
        "/api/v1/openapi.json",
        get(move || async move { Json(document) }),
    )
}

/// The document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    described().split_for_parts().1
}
