//! What the engine wants done. It does none of it itself.
//!
//! Every effect names the record that caused it; the shell makes it visible only after the journal
//! up to that record is durable. The sequence of effects of a run is its result: replays are
//! compared by its digest.

use crate::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, StrategyId, Timestamp, TradeId, Venue,
};
use crate::market::MarketStatus;
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
    /// Store a wish, how it was judged, and what less honest executors would have made of it
    /// (idempotent by its id).
    RecordIntent(Box<IntentRecord>),
    /// Store where a market with rows stands (idempotent: carries the whole new state).
    RecordMarket(Box<MarketRecord>),
    /// Store what the tape says of a fill (idempotent by its row).
    Corroborate(Corroboration),
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
    /// An invariant broke: at which record (number and kind), and how. Stop the process: the state can
    /// not be trusted.
    Abort(String),
    /// Store how many denials have no rows of their own (idempotent: carries the whole new count).
    CountDenials(Box<DenialCount>),
    /// Store what everything was worth when a minute began (idempotent by its minute).
    RecordEquity(EquitySample),
}

/// What everything was worth at the first record of a minute of the run. It repeats what the records
/// before it came to and causes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquitySample {
    /// Start of the minute.
    pub minute: Timestamp,
    /// Everything, positions at the lower of cost and bid.
    pub equity: Usd,
    /// The highest equity that the limit on drawdown knows, or this one.
    pub high_water: Usd,
    /// Free.
    pub cash: Usd,
    /// Set aside for orders in flight and at rest.
    pub reserved: Usd,
    /// Positions at cost, without fees.
    pub locked: Usd,
    /// Fees paid.
    pub fees: Usd,
    /// Gains of sales and settlements, before fees.
    pub realised: Usd,
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
    /// Which fill of the leg, from 0: an order that rests may be hit many times, a row each.
    pub fill: u16,
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
    /// What kind of question the market is ([`MarketSpec::family`](crate::market::MarketSpec::family)).
    pub market_family: String,
    /// When the market closes.
    pub closes_at: Timestamp,
    /// The rule the fee was taken from, for people.
    pub fee_rule: String,
    /// Whether the order rested and was hit; otherwise it took.
    pub maker: bool,
    /// The book as it was walked, best first; empty for a rejection.
    pub levels: Vec<FillLevel>,
}

/// What one price level gave to a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillLevel {
    /// The level.
    pub price: Price,
    /// Shares taken from it.
    pub qty: Qty,
    /// Fee of this part.
    pub fee: Usd,
}

/// A wish as it was judged. Only approved wishes are graded: a denied one reaches no executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentRecord {
    /// Its id.
    pub id: IntentId,
    /// When it was decided.
    pub at: Timestamp,
    /// Who.
    pub strategy: StrategyId,
    /// By name.
    pub strategy_name: String,
    /// Acted on.
    pub opportunity: OpportunityId,
    /// Its family.
    pub kind: OpportunityKind,
    /// The opportunity as the scanner saw it; `None` for an idea of the strategy's own.
    pub seen: Option<Opportunity>,
    /// Shares of every leg, as wished.
    pub qty: Qty,
    /// Claimed gain per share.
    pub expected_edge: Usd,
    /// "fak", "fok", "gtc" or "gtd".
    pub time_in_force: String,
    /// Approved, and for how many shares a leg; or why not.
    pub verdict: Result<Qty, Rejection>,
    /// In the order of the wish; legs of unknown instruments are left out.
    pub legs: Vec<IntentLegRecord>,
}

/// One leg of a judged wish, and its grades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentLegRecord {
    /// Which leg, from 0.
    pub leg: u16,
    /// Our number of the market.
    pub market: MarketId,
    /// The venue's name of the market.
    pub market_native_id: String,
    /// Our number of the outcome.
    pub instrument: InstrumentId,
    /// Name of the outcome.
    pub outcome: String,
    /// Buy or sell.
    pub buy: bool,
    /// Worst acceptable price.
    pub limit: Price,
    /// Best bid and its size when it was decided.
    pub bid: Option<(Price, Qty)>,
    /// Best ask and its size when it was decided.
    pub ask: Option<(Price, Qty)>,
    /// A fill at the requested price at once, whole and free, as the first pilot of this name booked it.
    pub naive: Option<Graded>,
    /// A fill at the middle of the book at once, whole, with the market's fee.
    pub mid: Option<Graded>,
}

/// What an executor that is not honest would have booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graded {
    /// Shares.
    pub qty: Qty,
    /// At.
    pub price: Price,
    /// Paid or received for the shares.
    pub value: Usd,
    /// Fee.
    pub fee: Usd,
}

/// Where a market stands in which something was traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketRecord {
    /// Our number of it.
    pub market: MarketId,
    /// Where.
    pub venue: Venue,
    /// The venue's name of it.
    pub native_id: String,
    /// Readable name.
    pub slug: String,
    /// [`MarketSpec::family`](crate::market::MarketSpec::family).
    pub family: String,
    /// When it closes.
    pub closes_at: Timestamp,
    /// Its state.
    pub status: MarketStatus,
    /// `(instrument, name, what a share pays once that is known)`.
    pub outcomes: Vec<(InstrumentId, String, Option<Price>)>,
    /// What the state rests on; for a dispute, what contradicts what.
    pub evidence: String,
    /// Since when.
    pub at: Timestamp,
}

/// What the tape says of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corroboration {
    /// Which row.
    pub trade: TradeId,
    /// Whether somebody really traded there.
    pub tape: Tape,
    /// When that was known.
    pub at: Timestamp,
}

/// Whether a real trade printed at the prices of a fill within a second of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tape {
    /// One did.
    Confirmed,
    /// None did.
    NotSeen,
    /// The feed carries no trades of this market.
    NoTape,
}

impl Tape {
    /// The name used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Tape::Confirmed => "confirmed",
            Tape::NotSeen => "not_seen",
            Tape::NoTape => "no_tape",
        }
    }
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

/// Denied wishes of one strategy, for one reason, in one minute, beyond those stored one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenialCount {
    /// Whose.
    pub strategy: StrategyId,
    /// By name.
    pub strategy_name: String,
    /// Why.
    pub reason: Reason,
    /// Start of the minute.
    pub minute: Timestamp,
    /// Wishes so far.
    pub wishes: u64,
    /// Their legs with a market, each of which would have been a row.
    pub legs: u64,
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
