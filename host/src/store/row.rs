//! What is stored: a trade as a row, the change of a row, and what the engine's effects make to be stored.
//!
//! Owns the list of that row's columns and the derived identities (row id, opportunity id, payload hash). It talks
//! to no database.

use super::field::{Levels, row};
use super::grading::CountKind;
use super::{StoreError, alerts};
use pm_arb_core::effect::{
    Alert, Corroboration, DenialCount, Effect, EquitySample, IntentRecord, MarketRecord, Message,
    Tape, TradeRecord, TradeStatus, TradeUpdate,
};
use pm_arb_core::ids::{Nanos, OpportunityId, Seq, Timestamp, TradeId, Venue};
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::units::{Price, Qty, Usd};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use uuid::Uuid;

/// Bought or sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Bought.
    Buy,
    /// Sold.
    Sell,
}

impl Side {
    /// The name used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }
}

row! {
    /// A row of `paper_trades`, in the order of its columns.
    pub struct StoredTrade {
        /// Derived from run and trade: see [`trade_uuid`].
        id: Uuid,
        /// The run it belongs to.
        run_id: Uuid,
        /// The journal record that caused it.
        seq: Seq,
        /// Which row of that record.
        n: u16,
        /// When it was filled or refused.
        created_ns: Timestamp,
        /// Acted on; unique across runs.
        opportunity_id: String,
        /// Its family.
        opportunity_type: OpportunityKind,
        /// The intent it is a leg of.
        intent_id: String,
        /// Which leg.
        leg: u16,
        /// Where.
        venue: Venue,
        /// The venue's name of the market.
        market_id: String,
        /// Readable name of the market.
        market_slug: String,
        /// The run's number of the market.
        market_number: u32,
        /// The run's number of the outcome.
        instrument_number: u32,
        /// Name of the outcome.
        outcome: String,
        /// Bought or sold.
        side: Side,
        /// Wanted.
        requested_quantity: Qty,
        /// Filled; zero for a rejection.
        quantity: Qty,
        /// Size-weighted fill price; the limit for a rejection.
        price: Price,
        /// Paid for the shares, without fees.
        cost: Usd,
        /// Fees so far.
        fees: Usd,
        /// Expected gain per share, as claimed.
        expected_edge: Usd,
        /// The strategy's name.
        strategy_id: String,
        /// Its version.
        strategy_version: String,
        /// SHA-256 of its bytes, in hex.
        strategy_digest: String,
        /// Which load of it.
        generation: u32,
        /// Whether risk approved it.
        risk_approved: bool,
        /// Code of the reason why it is no position.
        risk_rejection_reason: Option<String>,
        /// The limit that applied.
        rejection_limit: Option<String>,
        /// What was observed against it.
        rejection_observed: Option<String>,
        /// When the strategy decided.
        decided_ns: Timestamp,
        /// When the order reached the market.
        arrived_ns: Timestamp,
        /// Age of the book it was decided on.
        decision_book_age_ns: Nanos,
        /// Age of the book it was filled against.
        fill_book_age_ns: Nanos,
        /// Epoch of that book.
        book_epoch: u32,
        /// Which fill of the leg.
        fill: u16,
        /// What kind of question the market is.
        market_family: String,
        /// When the market closes.
        closes_ns: Timestamp,
        /// The rule the fee was taken from.
        fee_rule: String,
        /// Whether the order rested and was hit.
        maker: bool,
        /// The book as it was walked.
        levels: Levels,
        /// SHA-256 of the effect that made the row.
        payload_hash: [u8; 32],
        /// What the tape says of it; `None` while that is not known.
        tape: Option<Tape>,
        /// State.
        status: TradeStatus,
        /// Shares still held.
        remaining_quantity: Qty,
        /// Size-weighted price of what was sold or paid out.
        exit_price: Option<Price>,
        /// Realised so far, after fees.
        realized_pnl: Option<Usd>,
        /// When it was closed or settled.
        resolved_ns: Option<Timestamp>,
        /// What the settlement rests on.
        settlement_evidence: Option<String>,
        /// The journal record of this state.
        updated_seq: Seq,
    }
}

row! {
    /// A newer state of a row.
    pub(super) struct Change {
        /// Which row.
        id: Uuid,
        updated_seq: Seq,
        status: TradeStatus,
        remaining_quantity: Qty,
        exit_price: Option<Price>,
        realized_pnl: Option<Usd>,
        fees: Usd,
        resolved_ns: Option<Timestamp>,
        settlement_evidence: Option<String>,
    }
}

/// One thing to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreOp {
    /// A new row.
    Insert(Box<TradeRecord>),
    /// The whole new state of an earlier row.
    Update {
        /// The journal record that caused it.
        cause: Seq,
        /// The state.
        update: Box<TradeUpdate>,
    },
    /// A wish as it was judged and graded.
    Intent(Box<IntentRecord>),
    /// The whole new state of a market.
    Market {
        /// The journal record that caused it.
        cause: Seq,
        /// The state.
        market: Box<MarketRecord>,
    },
    /// What the tape says of a row.
    Corroborate(Corroboration),
    /// The whole new count of a minute's denials that have no rows of their own.
    Denials {
        /// The journal record that caused it.
        cause: Seq,
        /// The count.
        count: Box<DenialCount>,
    },
    /// What everything was worth as a minute began.
    Equity {
        /// The first journal record of the minute.
        cause: Seq,
        /// The amounts.
        sample: EquitySample,
    },
    /// What people were told.
    Alert {
        /// The journal record that led to it.
        cause: Seq,
        /// What.
        alert: Box<Alert>,
    },
    /// How often what has no row of its own has happened in the run up to a record. Not an effect: the
    /// pilot looks at its engine now and then.
    Counts {
        /// The record up to which was counted. It must be durable, and so must be everything before it.
        cause: Seq,
        /// `(what, which, how often)`.
        counts: Vec<(CountKind, String, u64)>,
    },
}

impl StoreOp {
    /// What an effect of record `cause` makes to be stored; nothing for most.
    #[must_use]
    pub fn of(cause: Seq, effect: &Effect) -> Option<Self> {
        match effect {
            Effect::RecordTrade(trade) => Some(StoreOp::Insert(trade.clone())),
            Effect::UpdateTrade(update) => Some(StoreOp::Update {
                cause,
                update: Box::new(update.clone()),
            }),
            Effect::RecordIntent(intent) => Some(StoreOp::Intent(intent.clone())),
            Effect::RecordMarket(market) => Some(StoreOp::Market {
                cause,
                market: market.clone(),
            }),
            Effect::Corroborate(said) => Some(StoreOp::Corroborate(*said)),
            Effect::RecordEquity(sample) => Some(StoreOp::Equity {
                cause,
                sample: *sample,
            }),
            Effect::CountDenials(count) => Some(StoreOp::Denials {
                cause,
                count: count.clone(),
            }),
            Effect::Publish(message) => match message.as_ref() {
                Message::Alert(alert) if alerts::is_kept(alert) => Some(StoreOp::Alert {
                    cause,
                    alert: Box::new(alert.clone()),
                }),
                _ => None,
            },
            Effect::WakeAt(_) | Effect::StrategyFailed { .. } | Effect::Abort(_) => None,
        }
    }
}

/// The row id of a trade: the same whoever computes it, whenever.
#[must_use]
pub fn trade_uuid(run_id: Uuid, trade: TradeId) -> Uuid {
    Uuid::new_v5(&run_id, trade.to_string().as_bytes())
}

/// An opportunity's name outside its run: `<first 8 hex digits of the run>-<id in the run>`.
#[must_use]
pub fn opportunity_key(run_id: Uuid, opportunity: OpportunityId) -> String {
    format!("{:08x}-{opportunity}", run_id.as_fields().0)
}

/// A venue's time as databases can hold it: what lies beyond the year 2262 is cut to that.
pub(super) fn storable(at: Timestamp) -> Timestamp {
    Timestamp(at.0.min(i64::MAX.unsigned_abs()))
}

/// Bytes as lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl StoredTrade {
    pub(super) fn of(run_id: Uuid, trade: &TradeRecord) -> Result<Self, StoreError> {
        let id = trade_uuid(run_id, trade.id);
        let payload =
            postcard::to_stdvec(trade).map_err(|source| StoreError::Hash { id, source })?;
        let rejection = trade.rejection.as_ref();
        Ok(Self {
            id,
            run_id,
            seq: trade.id.seq,
            n: trade.id.n,
            created_ns: trade.at,
            opportunity_id: opportunity_key(run_id, trade.opportunity),
            opportunity_type: trade.kind,
            intent_id: trade.intent.to_string(),
            leg: trade.leg,
            venue: trade.venue,
            market_id: trade.market_native_id.clone(),
            market_slug: trade.market_slug.clone(),
            market_number: trade.market.0,
            instrument_number: trade.instrument.0,
            outcome: trade.outcome.clone(),
            side: if trade.buy { Side::Buy } else { Side::Sell },
            requested_quantity: trade.requested_qty,
            quantity: trade.qty,
            price: trade.price,
            cost: trade.cost,
            fees: trade.fees,
            expected_edge: trade.expected_edge,
            strategy_id: trade.strategy_name.clone(),
            strategy_version: trade.strategy_version.clone(),
            strategy_digest: hex(&trade.strategy_digest),
            generation: trade.generation,
            risk_approved: trade.risk_approved,
            risk_rejection_reason: rejection.map(|r| r.reason.code().to_owned()),
            rejection_limit: rejection.map(|r| r.limit.clone()),
            rejection_observed: rejection.map(|r| r.observed.clone()),
            decided_ns: trade.decided_at,
            arrived_ns: trade.arrived_at,
            decision_book_age_ns: trade.decision_book_age,
            fill_book_age_ns: trade.fill_book_age,
            book_epoch: trade.book_epoch,
            fill: trade.fill,
            market_family: trade.market_family.clone(),
            closes_ns: storable(trade.closes_at),
            fee_rule: trade.fee_rule.clone(),
            maker: trade.maker,
            levels: Levels(trade.levels.clone()),
            payload_hash: Sha256::digest(&payload).into(),
            tape: None,
            status: trade.status,
            remaining_quantity: trade.qty,
            exit_price: None,
            realized_pnl: None,
            resolved_ns: None,
            settlement_evidence: None,
            updated_seq: trade.id.seq,
        })
    }
}

impl Change {
    pub(super) fn of(run_id: Uuid, cause: Seq, update: &TradeUpdate) -> Self {
        let ended = matches!(update.status, TradeStatus::Closed | TradeStatus::Resolved);
        Self {
            id: trade_uuid(run_id, update.id),
            updated_seq: cause,
            status: update.status,
            remaining_quantity: update.remaining_qty,
            exit_price: Some(update.exit_price),
            realized_pnl: Some(update.realized_pnl),
            fees: update.fees,
            resolved_ns: ended.then_some(update.at),
            settlement_evidence: (!update.evidence.is_empty()).then(|| update.evidence.clone()),
        }
    }
}
