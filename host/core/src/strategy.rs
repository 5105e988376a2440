//! The one port: what a strategy is told, what it may wish for, how it can fail.
//!
//! Implemented by compiled components in the shell and by native code in tests and measurements.
//! The WIT package `pm-arb:strategy` is this file for guests; the two change together.

use crate::event::{OracleTick, Print};
use crate::ids::{InstrumentId, IntentId, MarketId, OpportunityId, Timestamp};
use crate::market::MarketSpec;
use crate::opportunity::{Opportunity, OpportunityKind};
use crate::reason::Reason;
use crate::units::{Price, Qty, Usd};
use serde::{Deserialize, Serialize};

/// Most legs of one intent.
pub const MAX_LEGS: usize = 8;
/// Most intents that one call may return; the rest of the call's output is refused as a protocol fault.
pub const MAX_INTENTS_PER_CALL: usize = 64;
/// Most tags that one call may cancel; more are a protocol fault as well.
pub const MAX_CANCELS_PER_CALL: usize = 64;

/// A strategy: told what happens, answers with intents. One call at a time, no clock, no I/O.
pub trait Strategy: Send {
    /// The best price or size of an instrument changed. Only called when the manifest asks for quotes.
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault>;

    /// Anything else.
    fn on_event(
        &mut self,
        now: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault>;

    /// How many quotes it can be told in one call now; none, when it can not.
    fn batch_max(&self) -> usize {
        0
    }

    /// [`on_quote`](Self::on_quote) for each in order, ending after the first that it acted on. Answers how
    /// many it took in. Only called with one to [`batch_max`](Self::batch_max) quotes.
    fn on_quotes(
        &mut self,
        _quotes: &[(Timestamp, Quote)],
        _out: &mut Output,
    ) -> Result<usize, StrategyFault> {
        Ok(0)
    }

    /// Its logical state, for a successor.
    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault>;

    /// A replay knows that the clock ended the call of that number (counted from 1, events only): it
    /// ends there with [`StrategyFault::TooSlow`]. Zero is no call of an event but one for its state, and
    /// made already: it is dead from here on. What knows no clock has nothing to do.
    fn stop_at(&mut self, _call: u64) {}

    /// How many events it was told since it was made: the number of its last call. Only what the clock
    /// can end needs to count.
    fn calls(&self) -> u64 {
        0
    }

    /// Itself, for the shell that made it and wants to know more of it than the engine does.
    fn as_any_mut(&mut self) -> Option<&mut dyn core::any::Any> {
        None
    }
}

/// What a call produced.
#[derive(Debug, Default)]
pub struct Output {
    /// Wishes, in order.
    pub intents: Vec<Intent>,
    /// Tags of its own whose resting orders are to be cancelled. Orders of the same call are not meant.
    pub cancels: Vec<u64>,
    /// Wake me then (the earliest wins).
    pub wake_at: Option<Timestamp>,
}

impl Output {
    /// Whether the call wanted nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty() && self.cancels.is_empty() && self.wake_at.is_none()
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.intents.clear();
        self.cancels.clear();
        self.wake_at = None;
    }
}

/// What a strategy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Unique in a run; names its rows.
    pub name: String,
    /// Its own version, for people.
    pub version: String,
    /// What it wants to hear.
    pub topics: Topics,
}

/// What a strategy wants to hear besides the fate of its own intents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Topics {
    /// [`Strategy::on_quote`] for every change of a best price or its size.
    pub quotes: bool,
    /// Market listings and closings.
    pub markets: bool,
    /// Trades of others.
    pub prints: bool,
    /// Oracle values.
    pub oracle_ticks: bool,
    /// Opportunities of these kinds.
    pub oracle_lag: bool,
    /// Opportunities of these kinds.
    pub mispricing: bool,
    /// Opportunities of these kinds.
    pub cross_platform: bool,
}

impl Topics {
    /// Whether opportunities of that kind are wanted.
    #[must_use]
    pub fn wants(self, kind: OpportunityKind) -> bool {
        match kind {
            OpportunityKind::OracleLag => self.oracle_lag,
            OpportunityKind::Mispricing => self.mispricing,
            OpportunityKind::CrossPlatform => self.cross_platform,
            OpportunityKind::Signal => false,
        }
    }
}

/// Top of a book. A missing side is `None`, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Whose.
    pub instrument: InstrumentId,
    /// Best bid and its size.
    pub bid: Option<(Price, Qty)>,
    /// Best ask and its size.
    pub ask: Option<(Price, Qty)>,
}

/// Everything else a strategy is told.
#[derive(Debug, Clone, Copy)]
pub enum StrategyEvent<'a> {
    /// A market became known or changed. On load, every open market is told first.
    MarketListed(&'a MarketSpec),
    /// It no longer trades.
    MarketClosed(MarketId),
    /// An oracle published.
    OracleTick(&'a OracleTick),
    /// Others traded.
    Print(&'a Print),
    /// The scanner saw an edge.
    Opportunity {
        /// What it saw.
        seen: &'a Opportunity,
        /// Capital the strategy may still commit, so that it can size its wish.
        free_capital: Usd,
    },
    /// One of its legs was filled, wholly or in part.
    Filled(&'a Filled),
    /// One of its legs was denied by risk or refused in execution.
    Refused(&'a Refused),
    /// A position of its was settled.
    Settled(&'a Settled),
    /// A book it may have looked at is no longer valid.
    Gap(InstrumentId),
    /// The time it asked for has come.
    Timer,
}

impl StrategyEvent<'_> {
    /// Whether somebody with these topics wants to hear it. What befell its own orders, everybody does.
    #[must_use]
    pub fn is_wanted(&self, topics: Topics) -> bool {
        match self {
            Self::Gap(_) => topics.quotes,
            Self::MarketListed(_) | Self::MarketClosed(_) => topics.markets,
            Self::OracleTick(_) => topics.oracle_ticks,
            Self::Print(_) => topics.prints,
            Self::Opportunity { seen, .. } => topics.wants(seen.kind),
            Self::Filled(_) | Self::Refused(_) | Self::Settled(_) | Self::Timer => true,
        }
    }
}

/// A wish: all legs in equal shares, decided together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The opportunity it acts on; `None` for an idea of its own.
    pub opportunity: Option<OpportunityId>,
    /// The strategy's tag, given back with fills.
    pub tag: u64,
    /// One to [`MAX_LEGS`].
    pub legs: Vec<IntentLeg>,
    /// Shares of every leg.
    pub qty: Qty,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// What the strategy expects to gain per share after all costs (for grading, and for the guards).
    pub expected_edge: Usd,
}

/// How long an order stands at its venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Fill and kill: what does not fill on arrival is cancelled.
    Fak,
    /// Fill or kill: every leg whole on arrival, or not at all.
    Fok,
    /// Good till cancelled: what does not fill on arrival rests, until the market closes at the latest.
    Gtc,
    /// Good till that time: as `Gtc`.
    Gtd(Timestamp),
}

impl TimeInForce {
    /// Whether a part of an order may stay in the book.
    #[must_use]
    pub fn rests(self) -> bool {
        matches!(self, TimeInForce::Gtc | TimeInForce::Gtd(_))
    }

    /// The name used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TimeInForce::Fak => "fak",
            TimeInForce::Fok => "fok",
            TimeInForce::Gtc => "gtc",
            TimeInForce::Gtd(_) => "gtd",
        }
    }
}

/// One leg of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentLeg {
    /// What.
    pub instrument: InstrumentId,
    /// Buy, or sell what is held.
    pub buy: bool,
    /// Worst acceptable price.
    pub limit: Price,
}

/// A fill of one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Which intent.
    pub intent: IntentId,
    /// The strategy's tag.
    pub tag: u64,
    /// What.
    pub instrument: InstrumentId,
    /// Bought or sold.
    pub bought: bool,
    /// How much.
    pub qty: Qty,
    /// Size-weighted price.
    pub price: Price,
    /// Fees paid.
    pub fee: Usd,
    /// Whether the order rested and was hit; otherwise it took.
    pub maker: bool,
}

/// A refusal of one leg, or of what was left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Which intent.
    pub intent: IntentId,
    /// The strategy's tag.
    pub tag: u64,
    /// What.
    pub instrument: InstrumentId,
    /// Why.
    pub reason: Reason,
}

/// A settled position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Which market.
    pub market: MarketId,
    /// Which outcome was held.
    pub instrument: InstrumentId,
    /// What each share paid.
    pub payout: Price,
    /// Realised profit or loss after fees.
    pub pnl: Usd,
}

/// How a strategy failed. After any of these the instance is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum StrategyFault {
    /// It trapped (panic, out-of-bounds, unreachable).
    #[error("trapped: {0}")]
    Trap(String),
    /// It used more fuel than one call may.
    #[error("used more than its fuel for one call")]
    OutOfFuel,
    /// It wanted more memory than it may.
    #[error("wanted more memory than it may have")]
    OutOfMemory,
    /// What it returned breaks the contract.
    #[error("broke the contract: {0}")]
    Protocol(String),
    /// The wall clock ended a call. Journalled, so that a replay ends it as well.
    #[error("took longer than one call may")]
    TooSlow,
}
