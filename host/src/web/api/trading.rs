//! Overview, Pilot Monitor and equity over time as data: what their pages are drawn from.

use crate::orchestrator::health::Health;
use crate::snapshot::{FillRow, Instant, Money, Results, Run, Trading};
use crate::store::EquityPoint;
use crate::web::answer::{self, Format, Refusal};
use crate::web::app::{App, View};
use crate::web::pages::{gap::Gap, parts};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::Usd;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Its routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(overview))
        .routes(routes!(monitor))
        .routes(routes!(equity))
}

/// Is it healthy, does it earn money honestly, what is at stake.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OverviewAnswer {
    /// When it was asked.
    pub now: Instant,
    /// When the pilot's picture was taken; `null`: no pilot answers.
    pub taken: Option<Instant>,
    /// Which run.
    pub run: Option<Run>,
    /// Money and trades of the running pilot.
    pub trading: Option<Trading>,
    /// When the database was summed up; `null`: not yet.
    pub counted: Option<Instant>,
    /// Why the database could not be asked, when the last attempt failed.
    pub database_failed: Option<String>,
    /// Ended trades of all runs in the database.
    pub results: Option<Results>,
    /// Whether they show an edge.
    pub verdict: Option<VerdictAnswer>,
    /// The same wishes booked naively and honestly.
    pub ghost_gap: Option<GapAnswer>,
}

/// Whether trades show an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VerdictAnswer {
    /// `too early`, `edge`, `no edge` or `inconclusive`.
    pub ruling: String,
    /// Why, in words.
    pub why: String,
    /// Ended trades.
    pub trades: u64,
    /// Independent markets.
    pub markets: u64,
    /// Days with trades.
    pub days: u64,
    /// Gained or lost.
    pub pnl: Money,
    /// Lower end of its 95 % interval; `null` below two markets.
    pub low: Option<Money>,
    /// Upper end.
    pub high: Option<Money>,
}

/// The same wishes, booked three ways, once their markets have paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GapAnswer {
    /// How many.
    pub wishes: u64,
    /// At the price that was wished.
    pub naive: Money,
    /// At the middle of the book.
    pub mid: Money,
    /// As filled.
    pub honest: Money,
    /// Naive less honest.
    pub gap: Money,
    /// For every share the naive executor booked; `null` without any.
    pub per_share: Option<Money>,
    /// Where it comes from; adds up to `gap`.
    pub parts: Vec<GapPart>,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GapPart {
    /// Its name.
    pub name: &'static str,
    /// Above zero: what naive bookkeeping made up.
    pub amount: Money,
}

impl OverviewAnswer {
    fn of(view: &View) -> Self {
        let pilot = view.pilot.as_deref();
        let history = view.history.as_deref();
        let all = history.and_then(|h| h.all.as_deref());
        Self {
            now: Instant(view.now),
            taken: pilot.map(|p| p.taken),
            run: pilot.map(|p| p.run.clone()),
            trading: pilot.map(|p| p.trading.clone()),
            counted: history.and_then(|h| h.counted).map(|c| Instant(c.as_of)),
            database_failed: view.records_failed.clone(),
            results: all.map(|r| Results::of(&r.summary)),
            verdict: all.map(|r| {
                let v = &r.figures.all;
                let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
                VerdictAnswer {
                    ruling: v.ruling.as_str().to_owned(),
                    why: v.why.clone(),
                    trades: v.trades,
                    markets: count(v.markets),
                    days: count(v.days),
                    pnl: Money(v.pnl),
                    low: v.interval.map(|r| Money(r.low)),
                    high: v.interval.map(|r| Money(r.high)),
                }
            }),
            ghost_gap: Gap::of(view).map(|gap| GapAnswer::of(&gap)),
        }
    }
}

impl GapAnswer {
    fn of(gap: &Gap) -> Self {
        let [naive, mid, honest] = gap.made.map(|made| Money(made.pnl));
        Self {
            wishes: gap.wishes,
            naive,
            mid,
            honest,
            gap: Money(gap.dollars()),
            per_share: gap.per_share().map(Money),
            parts: gap
                .parts
                .named()
                .into_iter()
                .map(|(name, amount)| GapPart {
                    name,
                    amount: Money(amount),
                })
                .collect(),
        }
    }
}

/// Is it healthy, does it earn money honestly, what is at stake.
#[utoipa::path(get, path = "/overview", responses((status = 200, body = OverviewAnswer)))]
async fn overview(State(app): State<App>) -> Json<OverviewAnswer> {
    Json(OverviewAnswer::of(&app.view()))
}

/// The pilot right now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MonitorAnswer {
    /// When it was asked.
    pub now: Instant,
    /// When the pilot's picture was taken; `null`: no pilot answers.
    pub taken: Option<Instant>,
    /// Which run.
    pub run: Option<Run>,
    /// Money and trades.
    pub trading: Option<Trading>,
    /// The newest trades, of the pilot and of the database together.
    pub newest: Vec<FillRow>,
    /// Every agent.
    pub health: Option<Health>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// `json`, or `csv` for the newest trades alone.
    #[serde(default)]
    format: Format,
}

/// The pilot right now: results, today, newest trades, health.
#[utoipa::path(get, path = "/monitor", params(Wish), responses((status = 200, body = MonitorAnswer)))]
async fn monitor(State(app): State<App>, Query(wish): Query<Wish>) -> Response {
    let view = app.view();
    let newest = parts::newest(&view);
    if wish.format == Format::Csv {
        return answer::rows(&newest, Format::Csv);
    }
    let pilot = view.pilot.as_deref();
    Json(MonitorAnswer {
        now: Instant(view.now),
        taken: pilot.map(|p| p.taken),
        run: pilot.map(|p| p.run.clone()),
        trading: pilot.map(|p| p.trading.clone()),
        newest,
        health: pilot.map(|p| p.system.health.clone()),
    })
    .into_response()
}

/// What a run was worth at a moment; positions at the lower of cost and bid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EquityRow {
    /// Start of the minute, in the run's time.
    pub minute: Instant,
    /// Everything.
    pub equity: Money,
    /// The least it was since the row before.
    pub lowest: Money,
    /// The highest equity that the limit on drawdown knew.
    pub high_water: Money,
    /// Free.
    pub cash: Money,
    /// Set aside for orders.
    pub reserved: Money,
    /// Positions at cost, without fees.
    pub locked: Money,
    /// Fees paid.
    pub fees: Money,
    /// Gains of sales and settlements, before fees.
    pub realised: Money,
    /// The same after all fees, those of open trades included.
    pub net: Money,
}

impl EquityRow {
    fn of(p: &EquityPoint) -> Self {
        Self {
            minute: Instant(p.minute),
            equity: Money(p.equity),
            lowest: Money(p.lowest),
            high_water: Money(p.high_water),
            cash: Money(p.cash),
            reserved: Money(p.reserved),
            locked: Money(p.locked),
            fees: Money(p.fees),
            realised: Money(p.realised),
            net: Money(Usd(p.realised.0.saturating_sub(p.fees.0))),
        }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Curve {
    /// Which run; the one that began last when none is named.
    #[param(value_type = Option<String>)]
    run: Option<Uuid>,
    /// Minutes from then on, RFC 3339; all when none is named.
    #[param(value_type = Option<String>)]
    since: Option<Instant>,
    /// `json` or `csv`.
    #[serde(default)]
    format: Format,
}

/// Equity minute by minute, at most 500 rows; a longer time has fewer rows an hour.
#[utoipa::path(get, path = "/equity", params(Curve), responses(
    (status = 200, body = [EquityRow]),
    (status = 503, body = Refusal, description = "the database does not answer"),
))]
async fn equity(State(app): State<App>, Query(curve): Query<Curve>) -> Response {
    let since = curve.since.map_or(Timestamp(0), |at| at.0);
    let asked = async { app.records.store().await?.equity(curve.run, since).await };
    match asked.await {
        Ok(points) => {
            let rows: Vec<EquityRow> = points.iter().map(EquityRow::of).collect();
            answer::rows(&rows, curve.format)
        }
        Err(error) => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database",
            crate::causes::chain(&error),
            "see whether the database answers: pm-arb doctor",
        )
        .into_response(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::web::pages::samples;
    use std::sync::Arc;

    #[test]
    fn overview_tells_unknown_as_null_and_money_as_text() {
        let nothing = serde_json::to_value(OverviewAnswer::of(&View::default())).unwrap();
        for field in [
            "taken",
            "run",
            "trading",
            "counted",
            "results",
            "verdict",
            "ghost_gap",
        ] {
            assert!(nothing[field].is_null(), "{field}: {nothing}");
        }
        let mut view = samples::view();
        view.history = Some(Arc::new(samples::history()));
        let told = serde_json::to_value(OverviewAnswer::of(&view)).unwrap();
        assert_eq!(told["trading"]["equity"], "1234.56");
        assert_eq!(told["results"]["closed"], 4);
        assert_eq!(told["verdict"]["ruling"], "too early");
        assert_eq!(told["ghost_gap"]["gap"], "15.00");
        let gap = OverviewAnswer::of(&view).ghost_gap.unwrap();
        let parts: i64 = gap.parts.iter().map(|p| p.amount.0.0).sum();
        assert_eq!(parts, gap.gap.0.0);
        assert_eq!(gap.naive.0.0 - gap.honest.0.0, gap.gap.0.0);
    }

    #[test]
    fn rows_of_equity_are_flat_and_net_of_fees() {
        let mut point = samples::equity(Timestamp(samples::START), 90);
        point.fees = Usd(2_500_000);
        let row = EquityRow::of(&point);
        assert_eq!(row.net, Money(Usd(-12_500_000)));
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.serialize(&row).unwrap();
        let text = String::from_utf8(csv.into_inner().unwrap()).unwrap();
        assert!(
            text.starts_with("minute,equity,lowest,high_water,"),
            "{text}"
        );
        assert!(
            text.contains("2026-05-13T14:00:00.000000000Z,90.00,89.00,100.00,"),
            "{text}"
        );
    }
}
