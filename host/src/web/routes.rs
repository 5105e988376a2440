//! Every route, and what all of them go through: the guard, a time limit, and headers that keep browsers
//! from doing more than a page needs.

use super::answer::Refusal;
use super::api::metrics::Asked;
use super::app::App;
use super::guard::Guard;
use super::pages::{self, PAGES};
use super::{actions, api, assets, layout, live};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;

/// A whole request, from its head to the head of its answer.
pub const REQUEST_TIME: Duration = Duration::from_secs(15);
/// Longest body of a request, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// What a page may load and where it may send to: this dashboard, and nothing written into the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// On every answer.
const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    // Not `no-referrer`: browsers would call the origin of our own forms `null`, and the guard refuse them.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];

/// The whole dashboard.
pub fn router(app: App, guard: Arc<Guard>) -> Router {
    let mut router = Router::new();
    for page in &PAGES {
        if page.panels.is_some() && !pages::WITH_HANDLER.contains(&page.path) {
            router = router.route(
                page.path,
                get(move |State(app): State<App>| show(app, page)),
            );
        }
    }
    router
        .merge(pages::routes())
        .merge(assets::routes())
        .merge(actions::unlocking())
        .route(live::PATH, get(live::live))
        .merge(api::routes())
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(
            (guard, app.asked.clone()),
            pass,
        ))
        .with_state(app)
}

async fn show(app: App, page: &'static layout::Page) -> Response {
    let view = app.view();
    let panels = page.panels.map_or_else(Vec::new, |draw| draw(&view));
    layout::document(&view, page, &panels).into_response()
}

async fn nothing(request: Request) -> Response {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "not-found",
        format!("there is nothing at {}", request.uri().path()),
        "start at / or read /api/v1/openapi.json",
    )
    .into_response()
}

async fn wrong_method(request: Request) -> Response {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        format!(
            "{} is nothing {} answers to",
            request.method(),
            request.uri().path()
        ),
        "read /api/v1/openapi.json",
    )
    .into_response()
}

/// Every request and every answer goes through here.
async fn pass(
    State((guard, asked)): State<(Arc<Guard>, Asked)>,
    request: Request,
    next: Next,
) -> Response {
    let stream = request.uri().path() == live::PATH;
    let page = wants_page(&request);
    let answer = match admitted(&guard, &request) {
        Err(refusal) => Err(refusal),
        Ok(()) if stream => Ok(next.run(request).await),
        Ok(()) => tokio::time::timeout(REQUEST_TIME, next.run(request))
            .await
            .map_err(|_| {
                Refusal::new(
                    StatusCode::GATEWAY_TIMEOUT,
                    "too-slow",
                    format!("there was no answer within {} s", REQUEST_TIME.as_secs()),
                    "ask for less, or try again",
                )
            }),
    };
    let mut answer = answer.unwrap_or_else(|refusal| layout::refused(&refusal, page));
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    asked.count(answer.status());
    answer
}

fn admitted(guard: &Guard, request: &Request) -> Result<(), Refusal> {
    guard.admit(request)?;
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|l| l.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_MAX) {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-long",
            format!("a request may have {BODY_MAX} bytes"),
            "send less",
        ));
    }
    Ok(())
}

/// Whether a person with a browser asks: they are answered with a page, programs with JSON.
fn wants_page(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT);
    accepts.is_some_and(|kinds| {
        kinds
            .to_str()
            .is_ok_and(|kinds| kinds.contains("text/html"))
    }) && matches!(*request.method(), Method::GET | Method::HEAD | Method::POST)
}
