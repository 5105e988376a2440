//! `/metrics`: the pilot's picture as figures for Prometheus. The names are a contract: `docs/operations.md`
//! lists them, and `deploy/` queries them. Here: the route and how a figure is written; `metrics/` has which.
//!
//! Drawn from the last picture at every scrape; nothing is kept here but what was asked of the dashboard.
//! Amounts are US dollars as floating point, which is for reading; the API has them exactly.

mod pilot;
mod vitals;

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

    /// A figure of every row; rows that do not know it are left out.
    fn each<T>(
        &mut self,
        rows: &[T],
        label: impl Fn(&T) -> Labels,
        name: &str,
        help: &str,
        value: impl Fn(&T) -> Option<f64>,
    ) -> Result<(), fmt::Error> {
        let known = rows
            .iter()
            .filter_map(|row| Some((label(row), value(row)?)));
        self.gauges(name, help, known)
    }

    /// A count of every row.
    fn count_each<T>(
        &mut self,
        rows: &[T],
        label: impl Fn(&T) -> Labels,
        name: &str,
        help: &str,
        count: impl Fn(&T) -> u64,
    ) -> Result<(), fmt::Error> {
        let counts = rows.iter().map(|row| (label(row), count(row)));
        self.counters(name, help, counts)
    }

    /// A figure that may be unknown: then it has no value, rather than 0.
    fn known(&mut self, name: &str, help: &str, value: Option<f64>) -> Result<(), fmt::Error> {
        self.gauges(name, help, value.map(|value| (Labels::new(), value)))
    }
}

/// One label.
fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

fn dollars(amount: Usd) -> f64 {
    amount.0 as f64 / 1e6
}
