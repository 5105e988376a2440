//! `/api/v1/strategies`: every strategy, and what may be done to one.
//!
//! Orders go through the control socket like the command line's, with the same refusals.

use super::snapshot::picture;
use crate::control::{Request as Ask, StrategyAction};
use crate::snapshot::{Money, State as Life, StrategyRow};
use crate::web::actions;
use crate::web::answer::{self, Format, Refusal};
use crate::web::app::App;
use crate::web::layout;
use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest note for the record, in characters; the rest is cut.
const NOTE_MAX: usize = 500;

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(act))
}

/// How a list is wanted.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// `json` or `csv`.
    #[serde(default)]
    pub format: Format,
}

/// What is to be known for an order.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderBody {
    /// Who and why, for the record.
    #[serde(default)]
    pub note: String,
    /// For `swap`: the component, an absolute path on the pilot's machine.
    #[serde(default)]
    pub file: Option<String>,
    /// For `swap` and `rollback`: without the state of what runs.
    #[serde(default)]
    pub fresh: bool,
}

/// An order that was done.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderDone {
    /// Whose.
    pub name: String,
    /// Which load of it runs, or would.
    pub generation: u32,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// In a line.
    pub text: String,
}

/// A strategy as one flat line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    version: &'a str,
    generation: u32,
    digest: &'a str,
    state: Life,
    pinned: bool,
    share_bps: i32,
    committed_usd: Money,
    net_usd: Money,
    settled: u32,
    calls: u64,
    intents: u64,
    denied: u64,
    fills: u64,
    faults: u64,
    strikes: u32,
    fuel_mean: u64,
    fuel_max: u64,
    fuel_limit: u64,
    time_mean_ns: Option<u64>,
    time_p99_ns: Option<u64>,
    memory: u64,
    memory_limit: u64,
}

impl<'a> From<&'a StrategyRow> for Line<'a> {
    fn from(row: &'a StrategyRow) -> Self {
        let costs = &row.costs;
        let timed = |ns: u64| (costs.timed > 0).then_some(ns);
        Self {
            name: &row.name,
            version: &row.version,
            generation: row.generation,
            digest: &row.digest,
            state: row.state,
            pinned: row.pinned.is_some(),
            share_bps: row.share_bps,
            committed_usd: row.committed,
            net_usd: row.net,
            settled: row.settled,
            calls: row.calls,
            intents: row.intents,
            denied: row.denied,
            fills: row.fills,
            faults: row.faults,
            strikes: row.strikes,
            fuel_mean: costs.fuel_mean,
            fuel_max: costs.fuel_max,
            fuel_limit: costs.fuel_limit,
            time_mean_ns: timed(costs.time_mean_ns),
            time_p99_ns: timed(costs.time_p99_ns),
            memory: costs.memory,
            memory_limit: costs.memory_limit,
        }
    }
}

/// Every strategy of the running pilot, by name.
#[utoipa::path(get, path = "/strategies", params(("format" = Option<String>, Query, description = "json or csv")), responses(
    (status = 200, body = [StrategyRow]),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn list(State(app): State<App>, Query(wanted): Query<Wanted>) -> Response {
    let pilot = match picture(&app) {
        Ok(pilot) => pilot,
        Err(refusal) => return refusal.into_response(),
    };
    let rows = &pilot.strategies.strategies;
    match wanted.format {
        Format::Json => Json(rows).into_response(),
        Format::Csv => {
            let lines: Vec<Line<'_>> = rows.iter().map(Line::from).collect();
            answer::rows(&lines, Format::Csv)
        }
    }
}

/// One strategy.
#[utoipa::path(get, path = "/strategies/{name}", params(("name" = String, Path)), responses(
    (status = 200, body = StrategyRow),
    (status = 404, body = Refusal, description = "no such strategy"),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn one(State(app): State<App>, Path(name): Path<String>) -> Response {
    let pilot = match picture(&app) {
        Ok(pilot) => pilot,
        Err(refusal) => return refusal.into_response(),
    };
    match pilot.strategies.named(&name) {
        Some(row) => Json(row).into_response(),
        None => Refusal::new(
            StatusCode::NOT_FOUND,
            "unknown_strategy",
            format!("no strategy is called {name:?}"),
            "read /api/v1/strategies for those that are loaded",
        )
        .into_response(),
    }
}

/// Does something to a strategy: `swap`, `rollback`, `pin`, `unpin`, `quarantine`, `release`,
/// `shadow`, `promote`, `dismiss`. It is in the
/// journal before it is answered.
#[utoipa::path(post, path = "/strategies/{name}/{action}", params(("name" = String, Path), ("action" = String, Path)),
    request_body = OrderBody, responses(
    (status = 200, body = OrderDone),
    (status = 404, body = Refusal, description = "no such strategy or action"),
    (status = 409, body = Refusal, description = "refused; nothing changed"),
    (status = 503, body = Refusal, description = "no pilot runs"),
))]
async fn act(
    State(app): State<App>,
    Path((name, action)): Path<(String, String)>,
    request: Request,
) -> Response {
    let form = actions::is_form(&request);
    let empty = !request.headers().contains_key(header::CONTENT_TYPE);
    let body = if empty {
        Ok(OrderBody::default())
    } else {
        actions::body(request).await
    };
    let body = match body {
        Ok(body) => body,
        Err(refusal) => return layout::refused(&refusal, form),
    };
    let back = format!("/strategies/{name}");
    match order(app, name, &action, body).await {
        // A form comes back to the strategy's page, and nowhere else.
        Ok(_) if form => Redirect::to(&back).into_response(),
        Ok(done) => Json(done).into_response(),
        Err(refusal) => layout::refused(&refusal, form),
    }
}

fn action_of(action: &str, body: &OrderBody) -> Result<StrategyAction, Refusal> {
    let fresh = body.fresh;
    Ok(match action {
        "swap" | "shadow" => {
            let file = body.file.clone().map(PathBuf::from);
            let file = file.filter(|file| file.is_absolute());
            let file = file.ok_or_else(|| {
                Refusal::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "file-missing",
                    format!("a {action} needs `file`"),
                    "give the absolute path of a component on the pilot's machine",
                )
            })?;
            if action == "swap" {
                StrategyAction::Swap { file, fresh }
            } else {
                let set = Vec::new();
                StrategyAction::Shadow { file, set, fresh }
            }
        }
        "rollback" => StrategyAction::Rollback { fresh },
        "pin" => StrategyAction::Pin,
        "unpin" => StrategyAction::Unpin,
        "quarantine" => StrategyAction::Quarantine,
        "release" => StrategyAction::Release,
        "promote" => StrategyAction::Promote,
        "dismiss" => StrategyAction::Dismiss,
        _ => {
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "unknown_action",
                format!("{action:?} is nothing that can be done to a strategy"),
                "say swap, rollback, pin, unpin, quarantine, release, shadow, promote or dismiss",
            ));
        }
    })
}

async fn order(
    app: App,
    name: String,
    action: &str,
    body: OrderBody,
) -> Result<OrderDone, Refusal> {
    let action = action_of(action, &body)?;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let note: String = body.note.chars().map(plain).take(NOTE_MAX).collect();
    let note = note.trim().to_owned();
    let request = Ask::Strategy { name, action, note };
    let asked = actions::ask(&app, request).await;
    let mut answer = asked.map_err(|error| actions::unanswered(&error))?;
    serde_json::from_value(answer["strategy"].take()).map_err(|e| {
        let what = format!("the pilot's answer can not be read: {e}");
        let help = "run the dashboard and the pilot from the same version";
        Refusal::new(StatusCode::BAD_GATEWAY, "pilot-unreadable", what, help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_one_of_nine_and_one_with_bytes_names_its_file() {
        let body = OrderBody {
            file: Some("/x.wasm".into()),
            fresh: true,
            ..OrderBody::default()
        };
        for action in [
            "swap",
            "rollback",
            "pin",
            "unpin",
            "quarantine",
            "release",
            "shadow",
            "promote",
            "dismiss",
        ] {
            assert!(action_of(action, &body).is_ok(), "{action}");
        }
        assert!(action_of("praise", &body).is_err());
        assert!(action_of("swap", &OrderBody::default()).is_err());
        assert!(action_of("shadow", &OrderBody::default()).is_err());
        let relative = OrderBody {
            file: Some("x.wasm".into()),
            ..OrderBody::default()
        };
        assert!(action_of("swap", &relative).is_err());
    }

    #[test]
    fn a_line_of_csv_says_nothing_of_times_that_nobody_took() {
        let mut row = crate::web::pages::fixtures::row("late");
        row.costs.timed = 0;
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.serialize(Line::from(&row)).unwrap();
        let text = String::from_utf8(csv.into_inner().unwrap()).unwrap();
        let (heads, line) = text.split_once('\n').unwrap();
        let at = heads.split(',').position(|h| h == "time_mean_ns").unwrap();
        assert_eq!(line.split(',').nth(at), Some(""));
        assert!(line.starts_with("late,1.0,2,"), "{line}");
    }
}
