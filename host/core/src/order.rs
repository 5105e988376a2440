//! An order's life: planned → approved → in flight, leg by leg → filled, refused or unwound.
//!
//! Owns the types only. [`crate::risk`] approves plans, [`crate::paper`] fills legs, and the engine
//! moves an order from one state to the next. Data of a state lives only in that state.

use crate::allocator::Reservation;
use crate::ids::{InstrumentId, IntentId, Nanos, OpportunityId, StrategyId, Timestamp, TradeId};
use crate::ledger::Holding;
use crate::opportunity::OpportunityKind;
use crate::reason::Reason;
use crate::risk::Approved;
use crate::strategy::TimeInForce;
use crate::units::{Price, Qty, Usd};
use std::sync::Arc;

/// Which code decided: copied into every row, because a strategy's name outlives its generations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The strategy's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// Which load of it.
    pub generation: u32,
}

/// A wish with its number and all that the engine knows around it; not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPlan {
    /// Its number.
    pub intent: IntentId,
    /// Who wished it.
    pub strategy: StrategyId,
    /// Acted on; derived from the intent's number for an idea of the strategy's own.
    pub opportunity: OpportunityId,
    /// Its family.
    pub kind: OpportunityKind,
    /// The strategy's tag.
    pub tag: u64,
    /// Shares of every leg.
    pub qty: Qty,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// Claimed gain per share.
    pub expected_edge: Usd,
    /// When.
    pub decided_at: Timestamp,
    /// One to eight, of distinct instruments.
    pub legs: Vec<LegPlan>,
}

/// One leg of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegPlan {
    /// Whose money, and where.
    pub holding: Holding,
    /// What.
    pub instrument: InstrumentId,
    /// Buy, or sell what is held.
    pub buy: bool,
    /// Worst acceptable price.
    pub limit: Price,
    /// The most it can cost, fees included; zero for a sale.
    pub reserve: Usd,
    /// Epoch of the book it was decided on.
    pub book_epoch: u32,
    /// Age of that book.
    pub book_age: Nanos,
    /// When it reaches the market.
    pub due: Timestamp,
}

/// An approved order until its last leg has arrived.
#[derive(Debug)]
pub struct Order {
    /// What risk approved.
    pub plan: Approved<OrderPlan>,
    /// Which code decided.
    pub author: Arc<Author>,
    /// In the order of the plan's legs.
    pub legs: Vec<LegState>,
}

/// Where one leg is.
#[derive(Debug)]
pub enum LegState {
    /// On its way; a sale reserves no money.
    InFlight(Option<Reservation>),
    /// It bought something.
    Bought {
        /// The row it opened.
        trade: TradeId,
        /// How much.
        qty: Qty,
    },
    /// It sold something.
    Sold,
    /// It did nothing.
    Refused(Reason),
}

impl Order {
    /// Whether every leg has arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self
            .legs
            .iter()
            .any(|leg| matches!(leg, LegState::InFlight(_)))
    }

    /// Shares that every leg has bought: the part of the group that is matched.
    #[must_use]
    pub fn matched(&self) -> Qty {
        self.legs
            .iter()
            .map(|leg| match leg {
                LegState::Bought { qty, .. } => *qty,
                LegState::InFlight(_) | LegState::Sold | LegState::Refused(_) => Qty::ZERO,
            })
            .min()
            .unwrap_or(Qty::ZERO)
    }
}
