//! What the engine wants done. It does none of it itself.
//!
//! Every effect names the record that caused it; the shell makes it visible only after the journal
//! up to that record is durable. The sequence of effects of a run is its result: replays are
//! compared by its digest.

use crate::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, StrategyId, Timestamp, TradeId, Venue,
};
use crate::opportunity::{Opportunity, OpportunityKind};
use crate::reason::Reason;
use crate::strategy::StrategyFault;
use crate::units::{Price, Qty, Usd};
use serde::{Deserialize, Serialize};

/// A wish of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Store a new trade row (idempotent by its id).
    RecordTrade(Box<TradeRecord>),
    /// Store a change of an earlier row (idempotent: carries the whole new state).
    UpdateTrade(TradeUpdate),
    /// Tell the world; nothing depends on anybody hearing it.
    Publish(Box<Message>),
    /// Step me with a `Tick` no later than then.
    WakeAt(Timestamp),
    /// This strategy's instance is dead: replace or quarantine it.
    StrategyFailed {
        /// Which.
        strategy: StrategyId,
        /// How.
        fault: StrategyFault,
    },
    /// An invariant broke. Stop the process: the state can not be trusted.
    Abort(String),
}

/// State of a trade row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TradeStatus {
    /// Bought and held.
    Open,
    /// Sold before the end.
    Closed,
    /// Settled by the market's outcome.
    Resolved,
    /// Never was a position.
    Rejected,
}

impl TradeStatus {
    /// The name used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TradeStatus::Open => "open",
            TradeStatus::Closed => "closed",
            TradeStatus::Resolved => "resolved",
            TradeStatus::Rejected => "rejected",
        }
    }
}

/// One leg's outcome, with its provenance. Self-contained: no look-up is needed to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeRecord {
    /// Derived from the record that produced it.
    pub id: TradeId,
    /// When it was filled or refused.
    pub at: Timestamp,
    /// Acted on.
    pub opportunity: OpportunityId,
    /// Its family.
    pub kind: OpportunityKind,
    /// The intent it is a leg of.
    pub intent: IntentId,
    /// Which leg, from 0.
    pub leg: u16,
    /// Where.
    pub venue: Venue,
    /// Our number of the market.
    pub market: MarketId,
    /// The venue's name of the market.
    pub market_native_id: String,
    /// Readable name of the market.
    pub market_slug: String,
    /// Our number of the outcome.
    pub instrument: InstrumentId,
    /// Name of the outcome.
    pub outcome: String,
    /// Buy or sell.
    pub buy: bool,
    /// Wanted.
    pub requested_qty: Qty,
    /// Filled; zero for a rejection.
    pub qty: Qty,
    /// Size-weighted fill price; the limit for a rejection.
    pub price: Price,
    /// Paid for the shares, without fees.
    pub cost: Usd,
    /// Fees paid.
    pub fees: Usd,
    /// Expected gain per share, as claimed.
    pub expected_edge: Usd,
    /// Who wished it.
    pub strategy: StrategyId,
    /// By name.
    pub strategy_name: String,
    /// Its version.
    pub strategy_version: String,
    /// SHA-256 of its bytes.
    pub strategy_digest: [u8; 32],
    /// Which load of it.
    pub generation: u32,
    /// Whether risk approved it.
    pub risk_approved: bool,
    /// Why it is no position (risk's reason, or the executor's).
    pub rejection: Option<Rejection>,
    /// Open, or Rejected; Closed or Resolved come by update.
    pub status: TradeStatus,
    /// When the strategy decided.
    pub decided_at: Timestamp,
    /// When the order reached the market.
    pub arrived_at: Timestamp,
    /// Age of the book it was decided on.
    pub decision_book_age: Nanos,
    /// Age of the book it was filled against.
    pub fill_book_age: Nanos,
    /// Epoch of the book at the fill (counts interruptions).
    pub book_epoch: u32,
}

/// Why a leg is no position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The code.
    pub reason: Reason,
    /// The limit that applied, in words with its unit; empty where there is none.
    pub limit: String,
    /// What was observed against it.
    pub observed: String,
}

/// The new state of an earlier row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeUpdate {
    /// Which row.
    pub id: TradeId,
    /// When.
    pub at: Timestamp,
    /// Open (partly sold), Closed or Resolved.
    pub status: TradeStatus,
    /// Shares still held.
    pub remaining_qty: Qty,
    /// Size-weighted price of what was sold or paid out.
    pub exit_price: Price,
    /// Realised so far, after all fees of the row.
    pub realized_pnl: Usd,
    /// Fees of the row so far.
    pub fees: Usd,
    /// What the settlement rests on; empty for a sale.
    pub evidence: String,
}

/// Messages for the bus, one kind a channel.
#[allow(
    clippy::large_enum_variant,
    reason = "a message is moved once, from an effect to the bus"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// `opportunities`
    Opportunity(Opportunity),
    /// `trade.requests`
    Request(Request),
    /// `trade.decisions`
    Decision(Decision),
    /// `trade.results`
    Result(TradeRecord),
    /// `trade.results`
    Update(TradeUpdate),
    /// `system.alerts`
    Alert(Alert),
}

/// A strategy's wish, as published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub intent: IntentId,
    /// Acted on.
    pub opportunity: OpportunityId,
    /// Its family.
    pub kind: OpportunityKind,
    /// Who.
    pub strategy: String,
    /// When.
    pub at: Timestamp,
    /// Shares of every leg.
    pub qty: Qty,
    /// `(instrument, buy, limit)`.
    pub legs: Vec<(InstrumentId, bool, Price)>,
    /// Claimed gain per share.
    pub expected_edge: Usd,
}

/// Risk's answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which request.
    pub intent: IntentId,
    /// Who asked.
    pub strategy: String,
    /// Approved, and for how many shares a leg; or why not.
    pub verdict: Result<Qty, Rejection>,
    /// When.
    pub at: Timestamp,
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AlertLevel {
    /// Good to know.
    Info,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Critical,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Urgency.
    pub level: AlertLevel,
    /// Stable short code.
    pub code: String,
    /// In words.
    pub text: String,
    /// When.
    pub at: Timestamp,
}
