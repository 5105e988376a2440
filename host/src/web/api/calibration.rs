//! Calibration as JSON, and its tables as CSV.

use crate::snapshot::Calibration;
use crate::web::answer::{self, Format, Refusal};
use crate::web::app::App;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(calibration))
}

/// Which table is sent as CSV.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Table {
    /// Tenths of probability.
    #[default]
    Bins,
    /// Brier score and log loss by time left.
    Scores,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// `json` or `csv`.
    #[serde(default)]
    format: Format,
    /// Of CSV: `bins` or `scores`.
    #[serde(default)]
    table: Table,
}

/// Fair values of the running pilot against outcomes: model, market and both together.
#[utoipa::path(
    get,
    path = "/calibration",
    params(Wish),
    responses((status = 200, body = Calibration), (status = 503, body = Refusal))
)]
async fn calibration(State(app): State<App>, Query(wish): Query<Wish>) -> Response {
    let Some(pilot) = app.view().pilot else {
        return Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_pilot",
            "no pilot runs here, and fair values are scored by the one that made them",
            "start `pm-arb pilot`, or score a recorded run with `pm-arb calibrate RUN --json`",
        )
        .into_response();
    };
    let calibration = &pilot.calibration;
    match (wish.format, wish.table) {
        (Format::Json, _) => Json(calibration).into_response(),
        (Format::Csv, Table::Bins) => answer::rows(&calibration.bins, Format::Csv),
        (Format::Csv, Table::Scores) => answer::rows(&calibration.scores, Format::Csv),
    }
}
