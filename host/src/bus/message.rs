//! What is published, as versioned JSON.
//!
//! Owns the channel names and the shape of every message. Money, prices and sizes are decimal strings,
//! times are RFC 3339 in UTC, ids are those of the journal. A change that breaks a reader gets a new
//! number in its `schema`.
//!
//! | channel                    | schema                                            |
//! |----------------------------|---------------------------------------------------|
//! | `venue.<platform>.prices`  | `pm-arb.price/1`                                  |
//! | `oracle.<type>.<symbol>`   | `pm-arb.oracle/1`                                 |
//! | `opportunities`            | `pm-arb.opportunity/1`                            |
//! | `trade.requests`           | `pm-arb.trade-request/1`                          |
//! | `trade.decisions`          | `pm-arb.trade-decision/1`                         |
//! | `trade.results`            | `pm-arb.trade-result/1`, `pm-arb.trade-update/1`  |
//! | `system.alerts`            | `pm-arb.alert/1`                                  |

use crate::store::trade_uuid;
use pm_arb_core::effect::{
    Alert, AlertLevel, Decision, Message, Rejection, Request, TradeRecord, TradeUpdate,
};
use pm_arb_core::ids::{InstrumentId, OracleId, Timestamp, Venue};
use pm_arb_core::market_data::MarketData;
use pm_arb_core::opportunity::Opportunity;
use pm_arb_core::relation::Relation;
use pm_arb_core::units::{Price, Qty, SpotPrice};
use serde_json::{Value, json};
use uuid::Uuid;

/// Where alerts are published.
pub const ALERTS: &str = "system.alerts";
/// Where commands are heard.
pub const COMMANDS: &str = "system.commands";

/// Something to tell the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusMessage {
    /// What the engine said.
    Effect(Box<Message>),
    /// The best prices of an instrument.
    Quote(Box<QuoteMessage>),
    /// An oracle's value.
    Oracle(Box<OracleMessage>),
}

/// The top of one book, with names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteMessage {
    /// Our number, by which messages are thinned out.
    pub instrument: InstrumentId,
    /// Where.
    pub venue: Venue,
    /// The venue's name of the market.
    pub market_id: String,
    /// Readable name of the market.
    pub market_slug: String,
    /// Name of the outcome.
    pub outcome: String,
    /// Best bid and its size.
    pub bid: Option<(Price, Qty)>,
    /// Best ask and its size.
    pub ask: Option<(Price, Qty)>,
    /// When the book last changed.
    pub at: Timestamp,
}

/// One value of an oracle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OracleMessage {
    /// Our number, by which messages are thinned out.
    pub oracle: OracleId,
    /// Its source, the `<type>` of the channel.
    pub source: String,
    /// What it prices.
    pub symbol: String,
    /// The value.
    pub price: SpotPrice,
    /// When the source says it was valid.
    pub source_time: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
}

/// Of several prices of the same thing only the newest is worth sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PriceKey {
    Instrument(InstrumentId),
    Oracle(OracleId),
}

impl BusMessage {
    /// The present top of an instrument's book; `None` when there is no book or no market.
    #[must_use]
    pub fn quote(data: &MarketData, instrument: InstrumentId) -> Option<Self> {
        let spec = &data.market_of(instrument)?.spec;
        let book = data.book(instrument)?;
        let quote = book.quote(instrument);
        let (_, outcome) = spec.outcome(instrument)?;
        Some(BusMessage::Quote(Box::new(QuoteMessage {
            instrument,
            venue: spec.venue,
            market_id: spec.native_id.clone(),
            market_slug: spec.slug.clone(),
            outcome: outcome.name.clone(),
            bid: quote.bid,
            ask: quote.ask,
            at: book.updated_at(),
        })))
    }

    /// An oracle's last value; `None` before the first.
    #[must_use]
    pub fn oracle(data: &MarketData, oracle: OracleId) -> Option<Self> {
        let state = data.oracle(oracle)?;
        let tick = state.last()?;
        Some(BusMessage::Oracle(Box::new(OracleMessage {
            oracle,
            source: state.spec().source.clone(),
            symbol: state.spec().symbol.clone(),
            price: tick.price,
            source_time: tick.source_time,
            received_at: state.received_at(),
        })))
    }

    /// Its key when it is a price.
    pub(super) fn price_key(&self) -> Option<PriceKey> {
        match self {
            BusMessage::Effect(_) => None,
            BusMessage::Quote(quote) => Some(PriceKey::Instrument(quote.instrument)),
            BusMessage::Oracle(value) => Some(PriceKey::Oracle(value.oracle)),
        }
    }

    /// The channel it belongs to.
    #[must_use]
    pub fn channel(&self) -> String {
        match self {
            BusMessage::Quote(quote) => format!("venue.{}.prices", quote.venue),
            BusMessage::Oracle(value) => format!("oracle.{}.{}", value.source, value.symbol),
            BusMessage::Effect(message) => match message.as_ref() {
                Message::Opportunity(_) => "opportunities",
                Message::Request(_) => "trade.requests",
                Message::Decision(_) => "trade.decisions",
                Message::Result(_) | Message::Update(_) => "trade.results",
                Message::Alert(_) => ALERTS,
            }
            .to_owned(),
        }
    }

    /// What is sent there. `run_id` tells runs apart: the ids in a message repeat in every run.
    #[must_use]
    pub fn json(&self, run_id: Uuid) -> Value {
        let mut body = match self {
            BusMessage::Quote(quote) => price(quote),
            BusMessage::Oracle(value) => oracle(value),
            BusMessage::Effect(message) => match message.as_ref() {
                Message::Opportunity(seen) => opportunity(seen),
                Message::Request(wish) => request(wish),
                Message::Decision(answer) => decision(answer),
                Message::Result(trade) => result(run_id, trade),
                Message::Update(change) => update(run_id, change),
                Message::Alert(warning) => alert(warning),
            },
        };
        if let Value::Object(fields) = &mut body {
            fields.insert("run_id".to_owned(), json!(run_id));
        }
        body
    }
}

/// RFC 3339 in UTC, to the nanosecond where there is one.
fn time(at: Timestamp) -> String {
    // Every u64 of nanoseconds lies in jiff's range (it ends in 2554).
    jiff::Timestamp::from_nanosecond(i128::from(at.0))
        .unwrap_or_default()
        .to_string()
}

fn level(side: Option<(Price, Qty)>) -> Value {
    side.map_or(
        Value::Null,
        |(p, q)| json!({"price": p.to_string(), "quantity": q.to_string()}),
    )
}

fn price(quote: &QuoteMessage) -> Value {
    json!({
        "schema": "pm-arb.price/1",
        "at": time(quote.at),
        "venue": quote.venue.as_str(),
        "market_id": quote.market_id,
        "market_slug": quote.market_slug,
        "instrument": quote.instrument.0,
        "outcome": quote.outcome,
        "bid": level(quote.bid),
        "ask": level(quote.ask),
    })
}

fn oracle(value: &OracleMessage) -> Value {
    json!({
        "schema": "pm-arb.oracle/1",
        "type": value.source,
        "symbol": value.symbol,
        "price": value.price.to_string(),
        "source_time": time(value.source_time),
        "received_at": time(value.received_at),
    })
}

fn opportunity(seen: &Opportunity) -> Value {
    let legs: Vec<Value> = seen
        .legs
        .iter()
        .map(|leg| {
            json!({
                "venue": leg.venue.as_str(),
                "market": leg.market.0,
                "instrument": leg.instrument.0,
                "price": leg.price.to_string(),
                "quantity": leg.qty.to_string(),
                "fair": leg.fair.map(|p| p.to_string()),
                "fee": leg.fee.to_string(),
                "book_age_ms": leg.book_age.ms(),
            })
        })
        .collect();
    json!({
        "schema": "pm-arb.opportunity/1",
        "opportunity_id": seen.id.to_string(),
        "opportunity_type": seen.kind.as_str(),
        "relation": seen.relation.map(Relation::as_str),
        "at": time(seen.at),
        "edge": seen.edge.to_string(),
        "quantity": seen.qty.to_string(),
        "closes_at": time(seen.closes_at),
        "oracle_age_ms": seen.oracle_age.ms(),
        "legs": legs,
    })
}

fn request(wish: &Request) -> Value {
    let legs: Vec<Value> = wish
        .legs
        .iter()
        .map(|(instrument, buy, limit)| {
            json!({"instrument": instrument.0, "side": side(*buy), "limit": limit.to_string()})
        })
        .collect();
    json!({
        "schema": "pm-arb.trade-request/1",
        "intent_id": wish.intent.to_string(),
        "opportunity_id": wish.opportunity.to_string(),
        "opportunity_type": wish.kind.as_str(),
        "strategy": wish.strategy,
        "at": time(wish.at),
        "quantity": wish.qty.to_string(),
        "expected_edge": wish.expected_edge.to_string(),
        "legs": legs,
    })
}

fn decision(answer: &Decision) -> Value {
    let (quantity, rejection) = match &answer.verdict {
        Ok(qty) => (Some(qty.to_string()), Value::Null),
        Err(why) => (None, refusal(why)),
    };
    json!({
        "schema": "pm-arb.trade-decision/1",
        "intent_id": answer.intent.to_string(),
        "strategy": answer.strategy,
        "at": time(answer.at),
        "approved": answer.verdict.is_ok(),
        "quantity": quantity,
        "rejection": rejection,
    })
}

fn result(run_id: Uuid, trade: &TradeRecord) -> Value {
    json!({
        "schema": "pm-arb.trade-result/1",
        "id": trade_uuid(run_id, trade.id),
        "at": time(trade.at),
        "opportunity_id": trade.opportunity.to_string(),
        "opportunity_type": trade.kind.as_str(),
        "intent_id": trade.intent.to_string(),
        "leg": trade.leg,
        "venue": trade.venue.as_str(),
        "market_id": trade.market_native_id,
        "market_slug": trade.market_slug,
        "instrument": trade.instrument.0,
        "outcome": trade.outcome,
        "side": side(trade.buy),
        "requested_quantity": trade.requested_qty.to_string(),
        "quantity": trade.qty.to_string(),
        "price": trade.price.to_string(),
        "cost": trade.cost.to_string(),
        "fees": trade.fees.to_string(),
        "expected_edge": trade.expected_edge.to_string(),
        "strategy": trade.strategy_name,
        "strategy_version": trade.strategy_version,
        "generation": trade.generation,
        "risk_approved": trade.risk_approved,
        "rejection": trade.rejection.as_ref().map(refusal),
        "status": trade.status.as_str(),
        "decided_at": time(trade.decided_at),
        "arrived_at": time(trade.arrived_at),
    })
}

fn update(run_id: Uuid, change: &TradeUpdate) -> Value {
    json!({
        "schema": "pm-arb.trade-update/1",
        "id": trade_uuid(run_id, change.id),
        "at": time(change.at),
        "status": change.status.as_str(),
        "remaining_quantity": change.remaining_qty.to_string(),
        "exit_price": change.exit_price.to_string(),
        "realized_pnl": change.realized_pnl.to_string(),
        "fees": change.fees.to_string(),
        "evidence": change.evidence,
    })
}

fn alert(warning: &Alert) -> Value {
    let level = match warning.level {
        AlertLevel::Info => "info",
        AlertLevel::Warning => "warning",
        AlertLevel::Critical => "critical",
    };
    json!({
        "schema": "pm-arb.alert/1",
        "level": level,
        "code": warning.code,
        "text": warning.text,
        "at": time(warning.at),
    })
}

fn refusal(why: &Rejection) -> Value {
    json!({"reason": why.reason.code(), "limit": why.limit, "observed": why.observed})
}

fn side(buy: bool) -> &'static str {
    if buy { "buy" } else { "sell" }
}
