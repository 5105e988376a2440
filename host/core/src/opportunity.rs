//! What the scanner reports: an edge after costs, or nothing.

use crate::ids::{InstrumentId, MarketId, Nanos, OpportunityId, Timestamp, Venue};
use crate::relation::Relation;
use crate::units::{Price, Qty, Usd};
use core::fmt;
use serde::{Deserialize, Serialize};

/// The families of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OpportunityKind {
    /// The market has not followed its oracle yet.
    OracleLag,
    /// Prices of one venue contradict each other.
    Mispricing,
    /// Two venues price the same question differently.
    CrossPlatform,
    /// A strategy's own idea, not the scanner's.
    Signal,
}

impl OpportunityKind {
    /// The kinds that the scanner reports, in order.
    pub const SCANNED: [OpportunityKind; 3] = [
        OpportunityKind::OracleLag,
        OpportunityKind::Mispricing,
        OpportunityKind::CrossPlatform,
    ];

    /// The name used in tables and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OpportunityKind::OracleLag => "oracle_lag",
            OpportunityKind::Mispricing => "mispricing",
            OpportunityKind::CrossPlatform => "cross_platform",
            OpportunityKind::Signal => "signal",
        }
    }
}

impl fmt::Display for OpportunityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An edge, with everything needed to judge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opportunity {
    /// One episode keeps its id from the first sight of the edge until it is gone.
    pub id: OpportunityId,
    /// Family.
    pub kind: OpportunityKind,
    /// Why its legs surely pay together; `None` where a model says what they are worth.
    pub relation: Option<Relation>,
    /// When it was seen.
    pub at: Timestamp,
    /// Bought together, in equal shares.
    pub legs: Vec<OpportunityLeg>,
    /// Expected gain per share of every leg together, after fees, before any haircut.
    pub edge: Usd,
    /// Shares available on every leg at its price.
    pub qty: Qty,
    /// The earliest close of its markets.
    pub closes_at: Timestamp,
    /// Age of the oracle value it rests on; zero for kinds without one.
    pub oracle_age: Nanos,
}

/// One purchase of an opportunity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpportunityLeg {
    /// What.
    pub instrument: InstrumentId,
    /// In which market.
    pub market: MarketId,
    /// On which venue.
    pub venue: Venue,
    /// The ask it was seen at.
    pub price: Price,
    /// Shares offered there.
    pub qty: Qty,
    /// The model's probability, for oracle lag; `None` where no model is involved.
    pub fair: Option<Price>,
    /// Fee of one share at that price, rounded up.
    pub fee: Usd,
    /// Age of the book.
    pub book_age: Nanos,
}
