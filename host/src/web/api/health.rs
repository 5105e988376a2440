//! Probes: whether the process lives (`/healthz`) and whether it can trade (`/readyz`).

use crate::orchestrator::Health;
use crate::web::app::{App, View};
use crate::web::layout::{self, Pilot};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Their routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

/// Whether it can trade.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    /// Nothing is in its way.
    ready: bool,
    /// What is.
    reasons: Vec<String>,
}

/// The process lives. The one route that never needs a token.
#[utoipa::path(get, path = "/healthz", responses((status = 200, body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Feeds, ledger and database are at work; else why not.
#[utoipa::path(get, path = "/readyz", responses((status = 200, body = Ready), (status = 503, body = Ready)))]
async fn readyz(State(app): State<App>) -> Response {
    let reasons = unready(&app.view());
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let ready = reasons.is_empty();
    (status, Json(Ready { ready, reasons })).into_response()
}

/// Why it could not trade honestly now: no fresh picture, a feed or a store that is not at work.
#[must_use]
pub fn unready(view: &View) -> Vec<String> {
    let mut reasons = Vec::new();
    match layout::pilot(view) {
        Pilot::None => reasons.push("no pilot answers".to_owned()),
        Pilot::Frozen { age, .. } => {
            reasons.push(format!(
                "the pilot's last picture is {} s old",
                age.as_secs()
            ));
        }
        Pilot::Trading(snapshot) | Pilot::Halted { snapshot, .. } => {
            reasons.extend(down(&snapshot.system.health));
        }
    }
    if let Some(why) = &view.records_failed {
        reasons.push(format!("the database does not answer: {why}"));
    }
    reasons
}

fn down(health: &Health) -> impl Iterator<Item = String> {
    let needed = |name: &str| {
        name == "trade-store" || name.starts_with("venue-watcher") || name.starts_with("oracle")
    };
    health
        .agents
        .iter()
        .filter(move |agent| needed(&agent.name) && !agent.running)
        .map(|agent| {
            let why = agent.last_error.as_deref().unwrap_or("it is not at work");
            format!("{}: {why}", agent.name)
        })
}
