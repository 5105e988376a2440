//! `/api/v1/funnel` and `/api/v1/why`: where ideas end, in numbers and in a sentence.

use crate::snapshot::funnel::{Row, Stage};
use crate::snapshot::{Funnel, Instant};
use crate::web::answer::{self, Format, Refusal};
use crate::web::app::{App, View};
use crate::why::{self, Answer, AskError, Found};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(funnel))
        .routes(routes!(why))
}

/// The funnel, and how old it is.
#[derive(Debug, Serialize, ToSchema)]
struct FunnelAnswer {
    /// When it was counted, by the pilot's wall clock.
    as_of: Instant,
    /// Whether a running pilot says so; otherwise it is what the last one stored.
    live: bool,
    /// In order.
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize, IntoParams)]
struct Wished {
    /// `json` or `csv`.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

#[derive(Debug, Deserialize, IntoParams)]
struct Question {
    /// A market's name, a part of it, or the venue's id of it; an opportunity; a trade.
    q: String,
}

/// The funnel to show: the running pilot's, or the one that was stored last; when it was counted, and
/// whether it is the pilot's.
pub fn newest(view: &View) -> Option<(&Funnel, Instant, bool)> {
    if let Some(snapshot) = view.pilot.as_deref() {
        return Some((&snapshot.funnel, snapshot.taken, true));
    }
    let stored = view.history.as_ref()?.funnel.as_deref()?;
    Some((&stored.0, stored.1, false))
}

/// Where everything went, stage by stage; of every stage, entered = passed + refused + ended + waiting.
#[utoipa::path(get, path = "/funnel", params(Wished), responses(
    (status = 200, body = FunnelAnswer, description = "as CSV: stage, part, name, count"),
    (status = 503, body = Refusal, description = "no pilot runs and none has stored a funnel"),
))]
async fn funnel(State(app): State<App>, Query(wished): Query<Wished>) -> Response {
    let mut view = app.view();
    if view.pilot.is_none() && view.history.is_none() {
        view.history = app.records.first_history().await;
    }
    let Some((funnel, as_of, live)) = newest(&view) else {
        return Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-funnel",
            "no pilot runs with this data folder and none has stored a funnel",
            "start one: pm-arb pilot --strategies ./strategies",
        )
        .into_response();
    };
    match wished.format {
        Format::Csv => answer::rows::<Row>(&funnel.rows(), Format::Csv),
        Format::Json => Json(FunnelAnswer {
            as_of,
            live,
            stages: funnel.stages.clone(),
        })
        .into_response(),
    }
}

/// Asks as `pm-arb why` does.
pub async fn ask(app: &App, question: &str) -> Result<Answer, Refusal> {
    let store = app.records.store().await;
    let answer = why::ask(&app.data_dir, store, question).await;
    answer.map_err(|error| {
        let said = crate::causes::chain(&error);
        match error {
            AskError::Question => Refusal::new(
                StatusCode::BAD_REQUEST,
                "question",
                said,
                "write q=MARKET, for example a part of its name",
            ),
            AskError::NobodyToAsk { .. } | AskError::Pilot(_) => Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "nobody-to-ask",
                said,
                "start a pilot, or see that the database can be read",
            ),
        }
    })
}

/// Why a market or an opportunity is not traded: one sentence with the limit and what was observed, how it
/// stands now, and what was wished, refused and traded before.
#[utoipa::path(get, path = "/why", params(Question), responses(
    (status = 200, body = Answer),
    (status = 300, body = Answer, description = "it may be one of several"),
    (status = 404, body = Answer, description = "never seen; the nearest names"),
    (status = 400, body = Refusal),
    (status = 503, body = Refusal),
))]
async fn why(State(app): State<App>, Query(question): Query<Question>) -> Response {
    match ask(&app, &question.q).await {
        Err(refusal) => refusal.into_response(),
        Ok(answer) => {
            let status = match answer.found {
                Found::Answered => StatusCode::OK,
                Found::Ambiguous => StatusCode::MULTIPLE_CHOICES,
                Found::Unknown => StatusCode::NOT_FOUND,
            };
            (status, Json(answer)).into_response()
        }
    }
}
