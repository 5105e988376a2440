//! What a viewer may do: stop trading, and start it again.
//!
//! Goes through the control socket like the command line, so that both leave the same record; while no
//! pilot runs, word is left for the next. Forms work without scripts and come back to their page.

use super::answer::Refusal;
use super::app::App;
use super::layout;
use crate::control::{self, ControlError, Request as Ask};
use crate::latch::{self, Note};
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest remark for the record, in characters; the rest is cut.
const REMARK_MAX: usize = 500;

/// What halting needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// Why.
    why: String,
    /// Page to return to.
    #[serde(default)]
    back: Option<String>,
}

/// What resuming needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Who.
    name: String,
    /// Why it is safe again.
    note: String,
    /// Page to return to.
    #[serde(default)]
    back: Option<String>,
}

/// What was done.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct Done {
    /// The journal record that holds it; `None` when word was left for the next pilot.
    pub record: Option<u64>,
}

/// The orders, below `/api/v1`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(halt))
        .routes(routes!(resume))
}

/// Where a browser is asked for the token.
pub fn unlocking() -> Router<App> {
    Router::new().route(super::UNLOCK, get(unlock))
}

/// Having come here, the token is known to the browser.
async fn unlock() -> Response {
    Redirect::to("/").into_response()
}

/// Stops all trading until somebody resumes; needs the token. JSON, or a form that returns to its page.
#[utoipa::path(post, path = "/halt", request_body = Halt, responses(
    (status = 200, body = Done), (status = 401, body = Refusal), (status = 403, body = Refusal),
    (status = 422, body = Refusal), (status = 502, body = Refusal),
))]
async fn halt(State(app): State<App>, request: Request) -> Response {
    let form = is_form(&request);
    let work = async {
        let asked: Halt = body(request).await?;
        let why = remark("why", &asked.why)?;
        let done = order(&app, Ask::Halt { why: why.clone() }, Note::Halt { why }).await?;
        Ok((done, asked.back))
    };
    answer(work.await, form)
}

/// Trades again after a halt; needs the token. JSON, or a form that returns to its page.
#[utoipa::path(post, path = "/resume", request_body = Resume, responses(
    (status = 200, body = Done), (status = 401, body = Refusal), (status = 403, body = Refusal),
    (status = 422, body = Refusal), (status = 502, body = Refusal),
))]
async fn resume(State(app): State<App>, request: Request) -> Response {
    let form = is_form(&request);
    let work = async {
        let asked: Resume = body(request).await?;
        let name = remark("name", &asked.name)?;
        let note = format!("{name}: {}", remark("note", &asked.note)?);
        let done = order(
            &app,
            Ask::Resume { note: note.clone() },
            Note::Resume { note },
        )
        .await?;
        Ok((done, asked.back))
    };
    answer(work.await, form)
}

/// Whether a form was sent.
#[must_use]
pub fn is_form(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| {
        kind.as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    })
}

/// The body of a request, as a form or as JSON.
pub async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    let wrong = |status: StatusCode, why: String| {
        Refusal::new(status, "body", why, "read /api/v1/openapi.json")
    };
    if is_form(&request) {
        let form = Form::<T>::from_request(request, &()).await;
        form.map(|Form(t)| t)
            .map_err(|e| wrong(e.status(), e.body_text()))
    } else {
        let json = Json::<T>::from_request(request, &()).await;
        json.map(|Json(t)| t)
            .map_err(|e| wrong(e.status(), e.body_text()))
    }
}

/// A remark for the record: said, on one line, and not too long.
fn remark(what: &str, text: &str) -> Result<String, Refusal> {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(REMARK_MAX)
        .collect();
    if plain.trim().is_empty() {
        return Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "remark-missing",
            format!("`{what}` is empty"),
            "say it: the record keeps who did what and why",
        ));
    }
    Ok(plain.trim().to_owned())
}

/// Tells the pilot, or the next one.
async fn order(app: &App, request: Ask, note: Note) -> Result<Done, Refusal> {
    match ask(app, request).await {
        Ok(answer) => Ok(Done {
            record: answer["done"].as_u64(),
        }),
        Err(ControlError::NotRunning(_)) => {
            latch::leave(&app.data_dir, &note).map_err(|e| {
                Refusal::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "latch",
                    format!("no pilot runs, and word for the next cannot be left: {e}"),
                    "make the data folder writable",
                )
            })?;
            Ok(Done { record: None })
        }
        Err(error) => Err(unanswered(&error)),
    }
}

/// Asks the pilot through its socket, off the dashboard's own thread: the socket's client waits.
pub async fn ask(app: &App, request: Ask) -> Result<serde_json::Value, ControlError> {
    let folder = app.data_dir.clone();
    tokio::task::spawn_blocking(move || control::ask(&folder, &request))
        .await
        .unwrap_or_else(|e| Err(ControlError::Refused(e.to_string())))
}

/// What a pilot that cannot be asked, or refuses, means for whoever wanted something of it.
#[must_use]
pub fn unanswered(error: &ControlError) -> Refusal {
    let cause = std::error::Error::source(error).map_or_else(String::new, |e| format!(": {e}"));
    let (status, code) = match error {
        ControlError::NotRunning(_) => (StatusCode::SERVICE_UNAVAILABLE, "no-pilot"),
        ControlError::Io { .. } => (StatusCode::BAD_GATEWAY, "pilot-unreachable"),
        ControlError::Order { code, .. } if code == "unknown_strategy" => {
            (StatusCode::NOT_FOUND, "unknown_strategy")
        }
        ControlError::Refused(_) | ControlError::Order { .. } => (StatusCode::CONFLICT, "refused"),
    };
    Refusal::new(
        status,
        code,
        format!("{error}{cause}"),
        "see /system, or the pilot's log",
    )
}

/// JSON for programs; for a form, the page it came from.
pub fn answer(outcome: Result<(Done, Option<String>), Refusal>, form: bool) -> Response {
    match outcome {
        Ok((_, back)) if form => Redirect::to(&own_path(back.as_deref())).into_response(),
        Ok((done, _)) => Json(done).into_response(),
        Err(refusal) => layout::refused(&refusal, form),
    }
}

/// A path of this dashboard and nothing else: `//elsewhere` would be another host.
fn own_path(path: Option<&str>) -> String {
    let plain = |p: &&str| {
        p.starts_with('/')
            && p.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/-_.~%".contains(&b))
            && !p.contains("//")
    };
    path.filter(plain).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_back_to_a_page_of_ours_only() {
        for path in ["/", "/risk", "/trades/0123-ab"] {
            assert_eq!(own_path(Some(path)), path);
        }
        for path in [
            "//evil.example",
            "https://evil.example",
            "/\\evil",
            "/a//b",
            "",
            "/a\r\nb: c",
        ] {
            assert_eq!(own_path(Some(path)), "/", "{path:?}");
        }
    }

    #[test]
    fn a_remark_is_one_line_of_bounded_length() {
        assert_eq!(remark("why", " a\r\nb\u{1b}[31m ").unwrap(), "a  b [31m");
        assert_eq!(remark("why", &"x".repeat(9_999)).unwrap().len(), REMARK_MAX);
        assert!(remark("why", " \n ").is_err());
    }
}
