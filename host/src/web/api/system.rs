//! `/api/v1/system`, `/feeds`, `/agents`, `/alerts`: how the pilot itself is.

use super::snapshot::picture;
use crate::alerts::Notice;
use crate::feed_board::FeedRow;
use crate::orchestrator::{AgentHealth, AgentState};
use crate::snapshot::System;
use crate::web::answer::{Format, Refusal, rows};
use crate::web::app::App;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(system))
        .routes(routes!(feeds))
        .routes(routes!(agents))
        .routes(routes!(alerts))
}

/// How a list is wished.
#[derive(Debug, Default, Deserialize, IntoParams)]
struct Wish {
    /// `json` or `csv`.
    #[serde(default)]
    format: Format,
}

/// One agent on one line: every column is always there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
struct AgentLine {
    /// Its name.
    name: String,
    /// Its state.
    state: AgentState,
    /// How often it was started again.
    restarts: u32,
    /// Seconds since it last made progress; empty when it never did.
    last_heartbeat_secs: Option<f64>,
    /// What it failed of last.
    last_error: Option<String>,
    /// What it has to say of itself.
    detail: Option<String>,
}

impl From<&AgentHealth> for AgentLine {
    fn from(agent: &AgentHealth) -> Self {
        Self {
            name: agent.name.clone(),
            state: agent.state,
            restarts: agent.restarts,
            last_heartbeat_secs: agent.last_heartbeat_secs,
            last_error: agent.last_error.clone(),
            detail: agent.detail.clone(),
        }
    }
}

/// Agents, feeds, database, bus, journal, clock, process, problems, alerts.
#[utoipa::path(get, path = "/system", responses(
    (status = 200, body = System),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn system(State(app): State<App>) -> Response {
    match picture(&app) {
        Ok(picture) => Json(&picture.system).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Every stream of market data; times and lags are of the wall.
#[utoipa::path(get, path = "/feeds", params(Wish), responses(
    (status = 200, body = Vec<FeedRow>),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn feeds(State(app): State<App>, Query(wish): Query<Wish>) -> Response {
    match picture(&app) {
        Ok(picture) => {
            let vitals = picture.system.vitals.as_deref();
            rows(vitals.map_or(&[], |vitals| &vitals.feeds), wish.format)
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Every agent with its last progress.
#[utoipa::path(get, path = "/agents", params(Wish), responses(
    (status = 200, body = Vec<AgentLine>),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn agents(State(app): State<App>, Query(wish): Query<Wish>) -> Response {
    match picture(&app) {
        Ok(picture) => {
            let agents = picture.system.health.agents.iter();
            rows(
                &agents.map(AgentLine::from).collect::<Vec<_>>(),
                wish.format,
            )
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// The last alerts since the pilot started, newest first.
#[utoipa::path(get, path = "/alerts", params(Wish), responses(
    (status = 200, body = Vec<Notice>),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn alerts(State(app): State<App>, Query(wish): Query<Wish>) -> Response {
    match picture(&app) {
        Ok(picture) => {
            let vitals = picture.system.vitals.as_deref();
            rows(vitals.map_or(&[], |vitals| &vitals.alerts), wish.format)
        }
        Err(refusal) => refusal.into_response(),
    }
}
