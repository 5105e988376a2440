//! `/api/v1/snapshot`: the pilot's whole picture.

use crate::snapshot::Snapshot;
use crate::web::answer::Refusal;
use crate::web::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(snapshot))
}

/// The picture, or the refusal that says there is none.
pub fn picture(app: &App) -> Result<std::sync::Arc<Snapshot>, Refusal> {
    app.pilot.borrow().clone().ok_or_else(|| {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-pilot",
            "no pilot runs with this data folder",
            "start one: pm-arb pilot --strategies ./strategies",
        )
    })
}

/// The pilot at its last look, at most a quarter of a second old while it turns.
#[utoipa::path(get, path = "/snapshot", responses(
    (status = 200, body = Snapshot),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn snapshot(State(app): State<App>) -> Response {
    match picture(&app) {
        Ok(picture) => Json(&*picture).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
