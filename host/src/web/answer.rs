//! Answers as JSON or CSV, and refusals that say what to do.
//!
//! Every list under `/api/v1` answers as CSV with `?format=csv`. A refusal is one JSON object with a code
//! that programs may branch on.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One document.
    #[default]
    Json,
    /// A line a row, with a header line.
    Csv,
}

/// A refusal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Refusal {
    /// Stable, for programs.
    pub code: &'static str,
    /// What failed.
    pub what: String,
    /// What to do.
    pub help: String,
    #[serde(skip)]
    status: StatusCode,
}

impl Refusal {
    /// With that status.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        what: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            what: what.into(),
            help: help.into(),
            status,
        }
    }
}

impl Refusal {
    /// Gives an answer this refusal's status; a browser that lacks the token is asked for it.
    pub fn mark(&self, answer: &mut Response) {
        *answer.status_mut() = self.status;
        if self.status == StatusCode::UNAUTHORIZED {
            let ask =
                HeaderValue::from_static("Basic realm=\"pm-arb: any name, the token as password\"");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = Json(&self).into_response();
        self.mark(&mut answer);
        answer
    }
}

/// A list in the wished format; rows must be flat for CSV.
pub fn rows<T: Serialize>(rows: &[T], format: Format) -> Response {
    match format {
        Format::Json => Json(rows).into_response(),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(Vec::new());
            let written = rows.iter().try_for_each(|row| csv.serialize(row));
            match written
                .map_err(|e| e.to_string())
                .and_then(|()| csv.into_inner().map_err(|e| e.to_string()))
            {
                Ok(bytes) => {
                    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], bytes).into_response()
                }
                Err(why) => Refusal::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "csv",
                    format!("the rows can not be written as CSV: {why}"),
                    "ask for format=json",
                )
                .into_response(),
            }
        }
    }
}
