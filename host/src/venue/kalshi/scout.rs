//! Kalshi's scout: finds markets and outcomes over REST, and tells the line which books to carry.
//!
//! Owns the list of followed markets and of those left out. It opens no socket.

use super::rest::{self, RestError};
use super::watcher::{KalshiConfig, Order};
use crate::agent::AgentError;
use crate::catalog::SharedCatalog;
use crate::causes::chain;
use crate::feed::Feed;
use crate::net::http::{Http, HttpError};
use crate::oracle;
use crate::rulebook::Rules;
use crate::venue::left_out::LeftOut;
use pm_arb_core::event::Event;
use pm_arb_core::ids::{MarketId, Nanos, Timestamp, Venue};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::rulebook::Rulebook;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Most markets followed at a time.
const MARKETS_MAX: usize = 200;
/// A turn of the scout is never shorter, whatever the clock's speed.
const SCOUT_MIN: Duration = Duration::from_millis(250);

/// Finds markets and outcomes.
pub(super) struct Scout {
    pub(super) feed: Feed,
    pub(super) cfg: KalshiConfig,
    pub(super) catalog: SharedCatalog,
    pub(super) http: Http,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) series: BTreeMap<String, Value>,
    /// By ticker; without a specification those of before a restart.
    pub(super) followed: BTreeMap<String, (MarketId, Option<MarketSpec>)>,
    pub(super) rules: Arc<Rulebook>,
    /// Why markets were left out, by ticker.
    pub(super) left_out: LeftOut<RestError>,
}

impl Scout {
    /// Looks again and again, until told to stop.
    pub(super) async fn run(mut self) -> Result<(), AgentError> {
        for ticker in &self.cfg.unresolved {
            if let Some(id) = self.catalog.lock().market(Venue::Kalshi, ticker) {
                self.followed.insert(ticker.clone(), (id, None));
            }
        }
        let speed = self.feed.clock.speed().max(0.001);
        let turn = Duration::from_millis(self.cfg.refresh_ms).div_f64(speed);
        loop {
            if let Err(error) = self.markets().await? {
                tracing::warn!(venue = "kalshi", error = %chain(&error), "discovery");
            }
            if let Err(error) = self.outcomes().await? {
                tracing::warn!(venue = "kalshi", error = %chain(&error), "outcome");
            }
            tokio::select! {
                biased;
                () = self.feed.ctx.stopped() => return Ok(()),
                () = tokio::time::sleep(turn.max(SCOUT_MIN)) => {}
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.cfg.rest_url.trim_end_matches('/'))
    }

    async fn order(&self, order: Order) -> Result<(), AgentError> {
        let sent = self.orders.send(order).await;
        // The line ends first when everything stops.
        sent.or_else(|_| match self.feed.ctx.is_stopping() {
            true => Ok(()),
            false => Err(AgentError::Failed("kalshi: the line has ended".to_owned())),
        })
    }

    /// Lists what is new or changed. The inner error is one of the network.
    async fn markets(&mut self) -> Result<Result<(), HttpError>, AgentError> {
        for name in self.cfg.series.clone() {
            if !self.series.contains_key(&name) {
                match self
                    .http
                    .json(&self.url(&format!("series/{name}")), &[])
                    .await
                {
                    Ok(answer) => {
                        let series = answer.get("series").cloned().unwrap_or_default();
                        self.series.insert(name.clone(), series);
                    }
                    Err(error) => return Ok(Err(error)),
                }
            }
            for status in ["open", "unopened"] {
                let query = [
                    ("series_ticker", name.as_str()),
                    ("status", status),
                    ("limit", "200"),
                ];
                let answer = match self.http.json(&self.url("markets"), &query).await {
                    Ok(answer) => answer,
                    Err(error) => return Ok(Err(error)),
                };
                let markets = answer.get("markets").and_then(Value::as_array);
                for market in markets.into_iter().flatten() {
                    self.list(&name, market).await?;
                }
            }
        }
        Ok(Ok(()))
    }

    async fn list(&mut self, series: &str, market: &Value) -> Result<(), AgentError> {
        let Some(series) = self.series.get(series) else {
            return Ok(());
        };
        let mut events = Vec::new();
        let listed = {
            let mut catalog = self.catalog.lock();
            let number = |source: &str, symbol: &str| {
                oracle::announce(&mut catalog, source, symbol, &mut events)
            };
            let rules = Rules {
                book: &self.rules,
                since: self.feed.clock.now(),
            };
            rest::market(market, series, rules, number).map(|spec| catalog.list_market(spec))
        };
        let spec = match listed {
            Ok(Ok(spec)) => spec,
            Ok(Err(error)) => return Err(AgentError::Fatal(chain(&error))),
            Err(error) => return self.leave_out(error).await,
        };
        self.left_out.forget(&spec.native_id);
        let now = self.feed.clock.now();
        let known = self.followed.get(&spec.native_id);
        let is_new = known.is_none_or(|(_, spec)| spec.is_none());
        let is_same = known.is_some_and(|(_, known)| known.as_ref() == Some(&spec));
        let is_far = spec.opens_at > now.plus(Nanos::from_ms(self.cfg.ahead_ms));
        if is_same || spec.closes_at <= now || (is_new && is_far) {
            return self.feed.send(oracles(events)).await;
        }
        if is_new && self.followed.len() >= MARKETS_MAX {
            tracing::warn!(
                venue = "kalshi",
                ticker = spec.native_id,
                "too many markets; left out"
            );
            return self.feed.send(oracles(events)).await;
        }
        events.push(Event::MarketListed(Box::new(spec.clone())));
        self.feed.send(events).await?;
        if is_new {
            self.order(Order::Track(spec.native_id.clone())).await?;
        }
        let ticker = spec.native_id.clone();
        self.followed.insert(ticker, (spec.id, Some(spec)));
        Ok(())
    }

    /// Tells of a market that is not usable: to people, and to the journal. The next look at the list
    /// may find it right.
    async fn leave_out(&mut self, error: RestError) -> Result<(), AgentError> {
        let (name, reason) = (error.ticker.clone(), error.reason);
        match self.left_out.tell(Venue::Kalshi, &name, reason, error) {
            Some(refused) => self.feed.send(vec![refused]).await,
            None => Ok(()),
        }
    }

    /// Asks for the outcomes of markets that have closed.
    async fn outcomes(&mut self) -> Result<Result<(), HttpError>, AgentError> {
        let now = self.feed.clock.now();
        let closes =
            |spec: &Option<MarketSpec>| spec.as_ref().map_or(Timestamp(0), |s| s.closes_at);
        let due = self
            .followed
            .iter()
            .filter(|(_, (_, spec))| closes(spec) <= now);
        let due: Vec<(String, MarketId)> = due.map(|(t, (id, _))| (t.clone(), *id)).collect();
        for (ticker, id) in due {
            let answer = match self
                .http
                .json(&self.url(&format!("markets/{ticker}")), &[])
                .await
            {
                Ok(answer) => answer,
                Err(error) => return Ok(Err(error)),
            };
            let market = answer.get("market").unwrap_or(&Value::Null);
            match rest::resolution(market, id) {
                Ok(Some(outcome)) => {
                    self.feed
                        .send(vec![Event::Resolved(Box::new(outcome))])
                        .await?;
                    self.followed.remove(&ticker);
                    self.order(Order::Drop(ticker)).await?;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(venue = "kalshi", error = %chain(&error), "outcome");
                }
            }
        }
        Ok(Ok(()))
    }
}

/// An oracle that was announced stays announced, whatever becomes of the market.
fn oracles(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| matches!(event, Event::OracleListed(_)));
    events
}
