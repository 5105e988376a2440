//! `/api/v1/trades`, `/api/v1/trades/{id}`, `/api/v1/report`: rows, stories and sums.
//!
//! Owns what a list may be asked for, in the words of its URL; the page of trades understands the same
//! words. CSV is streamed page by page, so that an answer of any length needs the memory of one page.

use crate::cli::Since;
use crate::clock::Clock;
use crate::report::{self, export, page, recheck};
use crate::store::list::{Place, Sort, TEXT_MAX, TradePageOf, TradeQuery};
use crate::store::{Store, StoreError};
use crate::web::answer::Refusal;
use crate::web::app::App;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use pm_arb_core::effect::{Tape, TradeStatus};
use pm_arb_core::ids::Venue;
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::units::Usd;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Rows of a page when nothing else is asked.
pub const PAGE_ROWS: usize = 50;
/// Most rows of one JSON answer.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// Rows that a CSV reads at a time.
const CSV_ROWS: usize = 1_000;
/// How long a report waits for the first sums.
const REPORT_WAIT: Duration = Duration::from_secs(2);

/// Types of opportunities.
pub const KINDS: [OpportunityKind; 4] = [
    OpportunityKind::OracleLag,
    OpportunityKind::Mispricing,
    OpportunityKind::CrossPlatform,
    OpportunityKind::Signal,
];

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(report_of))
}

/// What to list. Everything may be left out; an empty value counts as left out.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Of one run: its identity.
    pub run: String,
    /// Of one strategy: its name.
    pub strategy: String,
    /// The venue's name of a market, or a part of its readable name.
    pub market: String,
    /// `polymarket` or `kalshi`.
    pub venue: String,
    /// `oracle_lag`, `mispricing`, `cross_platform` or `signal`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `open`, `closed`, `resolved` or `rejected`.
    pub status: String,
    /// Code of a refusal, as in `STALE_BOOK`.
    pub reason: String,
    /// `buy` or `sell`.
    pub side: String,
    /// `confirmed`, `not_seen` or `no_tape`.
    pub tape: String,
    /// Not before: `2026-11-01`, `2026-11-01T09:30:00Z`, `7d`, `12h`.
    pub since: String,
    /// Before that; the same words.
    pub until: String,
    /// Gained at least so many dollars.
    pub min_pnl: String,
    /// Gained at most so many dollars.
    pub max_pnl: String,
    /// `time`, `pnl`, `edge` or `quantity`.
    pub sort: String,
    /// `desc` or `asc`.
    pub order: String,
    /// From where on: `next` or `previous` of an earlier answer.
    pub place: String,
    /// Rows of an answer.
    pub limit: String,
    /// `json` or `csv`. A CSV has every row from the place on unless `limit` is given.
    pub format: String,
}

/// A page of the list.
#[derive(Debug, Serialize, ToSchema)]
struct Listed {
    /// `pm-arb.trades/1`
    schema: &'static str,
    /// Rows with every column; amounts and times as strings.
    trades: Vec<Value>,
    /// `place` of the next page; none at the end.
    next: Option<String>,
    /// `place` of the page before; none at the beginning.
    previous: Option<String>,
}

impl Asked {
    /// Whether anything is left out of the list.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.filters().iter().any(|(_, value)| !value.is_empty())
    }

    fn filters(&self) -> [(&'static str, &str); 13] {
        [
            ("run", &self.run),
            ("strategy", &self.strategy),
            ("market", &self.market),
            ("venue", &self.venue),
            ("type", &self.kind),
            ("status", &self.status),
            ("reason", &self.reason),
            ("side", &self.side),
            ("tape", &self.tape),
            ("since", &self.since),
            ("until", &self.until),
            ("min_pnl", &self.min_pnl),
            ("max_pnl", &self.max_pnl),
        ]
    }

    /// `path` with these filters and this order, and `more` parameters.
    #[must_use]
    pub fn url(&self, path: &str, more: &[(&str, &str)]) -> String {
        let mut url = path.to_owned();
        let own = [("sort", self.sort.as_str()), ("order", &self.order)];
        let own = self.filters().into_iter().chain(own);
        let own = own.filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
        let mut join = '?';
        for (name, value) in own.chain(more.iter().copied()) {
            if !value.is_empty() {
                // Writing to a String can not fail.
                let _ = write!(url, "{join}{name}={}", encoded(value));
                join = '&';
            }
        }
        url
    }

    /// The question to the store.
    pub fn query(&self) -> Result<TradeQuery, Refusal> {
        let now = Clock::utc().now();
        let at = |name, text: &str| {
            let since: Since = text.parse().map_err(|why| wrong(name, why))?;
            Ok(since.at(now))
        };
        let usd = |name, text: &str| {
            Usd::parse(text).map_err(|e| wrong(name, format!("{text:?} is no amount: {e}")))
        };
        for (name, value) in self.filters() {
            if value.len() > TEXT_MAX {
                return Err(wrong(name, format!("it is longer than {TEXT_MAX} bytes")));
            }
        }
        let statuses = [
            TradeStatus::Open,
            TradeStatus::Closed,
            TradeStatus::Resolved,
            TradeStatus::Rejected,
        ];
        let kinds = KINDS.map(OpportunityKind::as_str);
        let tapes = [Tape::Confirmed, Tape::NotSeen, Tape::NoTape];
        let sorts = Sort::ALL.map(Sort::as_str);
        let sort = one_of("sort", &self.sort, &sorts)?;
        let sort = Sort::ALL
            .into_iter()
            .find(|s| Some(s.as_str()) == sort.as_deref());
        let run = some(&self.run).map(|text| {
            Uuid::try_parse(&text).map_err(|_| wrong("run", format!("{text:?} is no run's id")))
        });
        Ok(TradeQuery {
            run: run.transpose()?,
            strategy: some(&self.strategy),
            market: some(&self.market),
            venue: one_of("venue", &self.venue, &Venue::ALL.map(Venue::as_str))?,
            kind: one_of("type", &self.kind, &kinds)?,
            status: one_of("status", &self.status, &statuses.map(TradeStatus::as_str))?,
            reason: some(&self.reason),
            side: one_of("side", &self.side, &["buy", "sell"])?,
            tape: one_of("tape", &self.tape, &tapes.map(Tape::as_str))?,
            since: some(&self.since).map(|t| at("since", &t)).transpose()?,
            until: some(&self.until).map(|t| at("until", &t)).transpose()?,
            min_pnl: some(&self.min_pnl)
                .map(|t| usd("min_pnl", &t))
                .transpose()?,
            max_pnl: some(&self.max_pnl)
                .map(|t| usd("max_pnl", &t))
                .transpose()?,
            sort: sort.unwrap_or_default(),
            ascending: one_of("order", &self.order, &["asc", "desc"])?.as_deref() == Some("asc"),
        })
    }

    /// From where on.
    pub fn place(&self) -> Result<Option<Place>, Refusal> {
        let place = some(&self.place).map(|text| text.parse::<Place>());
        place.transpose().map_err(|e| wrong("place", e.to_string()))
    }

    fn limit(&self) -> Result<Option<usize>, Refusal> {
        let number = |text: String| match text.parse::<usize>() {
            Ok(rows @ 1..) => Ok(rows),
            _ => Err(wrong("limit", format!("{text:?} is no number of rows"))),
        };
        some(&self.limit).map(number).transpose()
    }
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn one_of(name: &'static str, text: &str, known: &[&str]) -> Result<Option<String>, Refusal> {
    match some(text) {
        Some(text) if !known.contains(&text.as_str()) => Err(wrong(
            name,
            format!("{text:?} is none of {}", known.join(", ")),
        )),
        known => Ok(known),
    }
}

fn wrong(name: &'static str, why: String) -> Refusal {
    let what = format!("the filter {name} can not be used: {why}");
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "filter",
        what,
        "change it or leave it out",
    )
}

/// Text in the query of a URL.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String can not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A failure of the database, for whoever asked.
#[must_use]
pub fn refusal(error: &StoreError) -> Refusal {
    let what = crate::causes::chain(error);
    match error {
        StoreError::TooSlow { .. } => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-slow",
            what,
            "narrow the list by time, market or strategy",
        ),
        StoreError::Outdated { .. } => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "outdated",
            what,
            "start pm-arb pilot on this database once",
        ),
        _ => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database",
            what,
            "the page comes back when the database does; pm-arb doctor says what is wrong",
        ),
    }
}

/// A page as it was asked for.
pub async fn page(app: &App, asked: &Asked) -> Result<(Store, TradeQuery, TradePageOf), Refusal> {
    let (query, place) = (asked.query()?, asked.place()?);
    let limit = asked.limit()?.unwrap_or(PAGE_ROWS).min(PAGE_ROWS_MAX);
    let store = app.records.store().await.map_err(|e| refusal(&e))?;
    let page = store.page_of(&query, place, limit).await;
    Ok((store, query, page.map_err(|e| refusal(&e))?))
}

/// Fills and refusals, in pages or as a CSV of all that match.
#[utoipa::path(get, path = "/trades", params(Asked), responses(
    (status = 200, body = Listed),
    (status = 400, body = Refusal, description = "a filter that can not be used"),
    (status = 503, body = Refusal, description = "the database does not answer, or not in time"),
))]
async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Response, Refusal> {
    match one_of("format", &asked.format, &["json", "csv"])?.as_deref() {
        Some("csv") => csv(&app, &asked).await,
        _ => {
            let (_, _, page) = page(&app, &asked).await?;
            let answer = Listed {
                schema: "pm-arb.trades/1",
                trades: page.rows.iter().map(export::json).collect(),
                next: page.next.map(|p| p.to_string()),
                previous: page.previous.map(|p| p.to_string()),
            };
            Ok(Json(answer).into_response())
        }
    }
}

/// Where a CSV has got to.
struct Rest {
    store: Store,
    query: TradeQuery,
    place: Option<Place>,
    left: usize,
    is_first: bool,
}

/// Every row from the place on. What fails later ends the answer short of its last chunk, so that nobody
/// takes a part for the whole.
async fn csv(app: &App, asked: &Asked) -> Result<Response, Refusal> {
    let rest = Rest {
        store: app.records.store().await.map_err(|e| refusal(&e))?,
        query: asked.query()?,
        place: asked.place()?,
        left: asked.limit()?.unwrap_or(usize::MAX),
        is_first: true,
    };
    // What can be refused is refused before the first byte.
    let (first, rest) = chunk(rest)
        .await
        .map_err(|e| match e.downcast::<StoreError>() {
            Ok(error) => refusal(&error),
            Err(other) => Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "csv",
                other.to_string(),
                "ask for format=json",
            ),
        })?;
    let more = stream::try_unfold(rest, |rest| async move {
        match rest {
            Some(rest) => chunk(rest).await.map(Some),
            None => Ok(None),
        }
    });
    let all = futures_util::StreamExt::chain(stream::iter([Ok(first)]), more);
    let head = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"trades.csv\"",
        ),
    ];
    Ok((head, Body::from_stream(all)).into_response())
}

type ChunkError = Box<dyn std::error::Error + Send + Sync>;

/// The next rows, and what is left of the answer.
async fn chunk(mut rest: Rest) -> Result<(Bytes, Option<Rest>), ChunkError> {
    let limit = rest.left.min(CSV_ROWS);
    let page = rest.store.page_of(&rest.query, rest.place, limit).await?;
    let mut text = Vec::new();
    let mut to = match rest.is_first {
        true => export::csv(&mut text)?,
        false => export::csv_rows(&mut text),
    };
    for row in &page.rows {
        to.row(row)?;
    }
    to.end()?;
    rest.left = rest.left.saturating_sub(page.rows.len());
    rest.is_first = false;
    rest.place = page.next;
    let goes_on = rest.place.is_some() && rest.left > 0;
    Ok((Bytes::from(text), goes_on.then_some(rest)))
}

/// A trade with its story: what was seen, decided, filled, charged, graded, settled, and whether the row
/// follows from what is stored with it.
#[utoipa::path(get, path = "/trades/{id}", params(("id" = String, Path, description = "its whole id")), responses(
    (status = 200, body = Value),
    (status = 404, body = Refusal, description = "no such trade"),
    (status = 503, body = Refusal, description = "the database does not answer, or not in time"),
))]
async fn one(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let unknown = || {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "no-trade",
            format!(
                "no trade has the id {:?}",
                id.chars().take(40).collect::<String>()
            ),
            "/api/v1/trades lists them; an id has 36 characters",
        )
    };
    let uuid = Uuid::try_parse(&id).map_err(|_| unknown())?;
    let store = app.records.store().await.map_err(|e| refusal(&e))?;
    let trade = store.trade_view(uuid).await.map_err(|e| refusal(&e))?;
    let story = store.trade_page(trade.ok_or_else(unknown)?).await;
    let story = story.map_err(|e| refusal(&e))?;
    let again = recheck::of(&story.trade, &app.rules);
    let checks: Vec<Value> = again
        .checks
        .iter()
        .map(|c| {
            let (finding, detail) = match &c.finding {
                recheck::Finding::Verifies => ("verifies", None),
                recheck::Finding::Differs(by) => ("differs", Some(by.clone())),
                recheck::Finding::Unknown(why) => ("unknown", Some((*why).to_owned())),
            };
            serde_json::json!({
                "what": c.what, "how": c.how, "stored": c.stored, "computed": c.computed,
                "finding": finding, "detail": detail,
            })
        })
        .collect();
    let mut answer = page::json(&story);
    if let Some(fields) = answer.as_object_mut() {
        let whole = serde_json::json!({"verifies": again.verdict(), "checks": checks});
        fields.insert("recheck".to_owned(), whole);
    }
    Ok(Json(answer).into_response())
}

/// Of which time a report is.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Span {
    /// `day` for the last 24 hours, `all` for everything (also when left out).
    #[serde(default)]
    period: String,
}

/// What the trades came to, as `pm-arb report --format json` says it, as of `made_at`.
#[utoipa::path(get, path = "/report", params(Span), responses(
    (status = 200, body = Value),
    (status = 503, body = Refusal, description = "not counted yet, or the database does not answer"),
))]
async fn report_of(State(app): State<App>, Query(span): Query<Span>) -> Result<Response, Refusal> {
    let is_day = one_of("period", &span.period, &["day", "all"])?.as_deref() == Some("day");
    let history = app.records.counted(REPORT_WAIT).await;
    let report = history.and_then(|h| if is_day { h.day.clone() } else { h.all.clone() });
    let report = report.ok_or_else(|| {
        let why = app.records.failed();
        let why = why.unwrap_or_else(|| "it is being counted for the first time".to_owned());
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-counted",
            format!("there is no report yet: {why}"),
            "ask again in some seconds",
        )
    })?;
    Ok(Json(report::json(&report)).into_response())
}
