//! `/metrics`: the pilot's picture as figures for Prometheus. The names are a contract: `docs/operations.md`
//! lists them, and `deploy/` queries them.
//!
//! Drawn from the last picture at every scrape; nothing is kept here but what was asked of the dashboard.
//! Amounts are US dollars as floating point, which is for reading; the API has them exactly.

use crate::snapshot::Snapshot;
use crate::web::app::{App, View};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pm_arb_core::units::Usd;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Its route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// What was asked of the dashboard, by how it was answered.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<Mutex<BTreeMap<u16, u64>>>);

impl Asked {
    /// One answer more.
    pub fn count(&self, status: StatusCode) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(status.as_u16()).or_default() += 1;
    }

    fn counts(&self) -> BTreeMap<u16, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Figures for Prometheus, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String)))]
async fn metrics(State(app): State<App>) -> Response {
    let scrape = Scrape {
        view: app.view(),
        asked: app.asked.counts(),
        viewers: app.live.viewers(),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Debug)]
struct Scrape {
    view: View,
    asked: BTreeMap<u16, u64>,
    viewers: usize,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut to = Figures(encoder);
        let labelled =
            |(status, count): (&u16, &u64)| (vec![("status", status.to_string())], *count);
        to.counters(
            "pm_arb_http_requests",
            "Requests the dashboard answered",
            self.asked.iter().map(labelled),
        )?;
        to.gauge(
            "pm_arb_viewers",
            "Pages that are being watched",
            self.viewers as f64,
        )?;
        to.gauge(
            "pm_arb_database_up",
            "Whether the dashboard's last question to the database was answered",
            f64::from(u8::from(self.view.records_failed.is_none())),
        )?;
        let up = f64::from(u8::from(self.view.pilot.is_some()));
        to.gauge("pm_arb_up", "Whether a pilot shows itself", up)?;
        match &self.view.pilot {
            Some(snapshot) => to.pilot(snapshot, self.view.now.0),
            None => Ok(()),
        }
    }
}

type Labels = Vec<(&'static str, String)>;

/// Where figures are written to.
struct Figures<'a>(DescriptorEncoder<'a>);

impl Figures<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> Result<(), fmt::Error> {
        let gauge = ConstGauge::new(value);
        gauge.encode(
            self.0
                .encode_descriptor(name, help, None, gauge.metric_type())?,
        )
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            let gauge = ConstGauge::new(value);
            gauge.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), fmt::Error> {
        let counter = ConstCounter::new(value);
        counter.encode(
            self.0
                .encode_descriptor(name, help, None, counter.metric_type())?,
        )
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            let counter = ConstCounter::new(value);
            counter.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn pilot(&mut self, pilot: &Snapshot, now_ns: u64) -> Result<(), fmt::Error> {
        let age = now_ns.saturating_sub(pilot.taken.0.0) as f64 / 1e9;
        self.gauge(
            "pm_arb_snapshot_age_seconds",
            "Age of the picture these figures are from",
            age,
        )?;
        self.counter(
            "pm_arb_records",
            "Records in the journal of this run",
            pilot.run.seq,
        )?;
        let trading = &pilot.trading;
        let halted = f64::from(u8::from(trading.halted.is_some()));
        self.gauge("pm_arb_halted", "1 while trading is halted", halted)?;
        for (name, help, amount) in [
            (
                "pm_arb_equity_dollars",
                "Everything, marked at the lower of cost and bid",
                trading.equity.0,
            ),
            ("pm_arb_cash_dollars", "Free money", trading.cash.0),
            (
                "pm_arb_reserved_dollars",
                "Set aside for orders in flight and at rest",
                trading.reserved.0,
            ),
            (
                "pm_arb_locked_dollars",
                "Positions at cost",
                trading.locked.0,
            ),
            (
                "pm_arb_fees_dollars",
                "Fees paid in this run",
                trading.fees.0,
            ),
        ] {
            self.gauge(name, help, dollars(amount))?;
        }
        for (name, help, count) in [
            (
                "pm_arb_open_trades",
                "Rows that are open",
                trading.open_trades,
            ),
            (
                "pm_arb_orders_in_flight",
                "Orders on their way",
                trading.orders_in_flight,
            ),
            (
                "pm_arb_orders_resting",
                "Orders that rest in a queue",
                trading.orders_resting,
            ),
        ] {
            self.gauge(name, help, count as f64)?;
        }
        self.strategies(pilot)?;
        self.agents(pilot)
    }

    fn strategies(&mut self, pilot: &Snapshot) -> Result<(), fmt::Error> {
        let strategies = &pilot.strategies.strategies;
        let label = |name: &str| vec![("strategy", name.to_owned())];
        self.gauges(
            "pm_arb_strategy_net_dollars",
            "Gains of what was sold or settled, after fees",
            strategies
                .iter()
                .map(|s| (label(&s.name), dollars(s.net.0))),
        )?;
        self.gauges(
            "pm_arb_strategy_share",
            "Share of equity, 0 to 1",
            strategies
                .iter()
                .map(|s| (label(&s.name), f64::from(s.share_bps) / 10_000.0)),
        )?;
        self.gauges(
            "pm_arb_strategy_generation",
            "Which load of it runs",
            strategies
                .iter()
                .map(|s| (label(&s.name), f64::from(s.generation))),
        )
    }

    fn agents(&mut self, pilot: &Snapshot) -> Result<(), fmt::Error> {
        let health = &pilot.system.health;
        let label = |name: &str| vec![("agent", name.to_owned())];
        self.gauge(
            "pm_arb_uptime_seconds",
            "Time since the pilot started",
            health.uptime_secs,
        )?;
        self.gauges(
            "pm_arb_agent_running",
            "1 while the agent is at work",
            health
                .agents
                .iter()
                .map(|a| (label(&a.name), f64::from(u8::from(a.running)))),
        )?;
        self.counters(
            "pm_arb_agent_restarts",
            "How often the agent was started again",
            health
                .agents
                .iter()
                .map(|a| (label(&a.name), u64::from(a.restarts))),
        )?;
        let beats = health
            .agents
            .iter()
            .filter_map(|a| Some((label(&a.name), a.last_heartbeat_secs?)));
        self.gauges(
            "pm_arb_agent_silence_seconds",
            "Time since the agent last made progress",
            beats,
        )
    }
}

fn dollars(amount: Usd) -> f64 {
    amount.0 as f64 / 1e6
}
