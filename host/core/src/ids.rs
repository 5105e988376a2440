//! Names of things: small, ordered, derived. None is random; all are given out by the journal's
//! order or by a venue, so a replay gives the same ones.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A place with markets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Venue {
    /// polymarket.com
    Polymarket,
    /// kalshi.com
    Kalshi,
}

impl Venue {
    /// Every venue, in order.
    pub const ALL: [Venue; 2] = [Venue::Polymarket, Venue::Kalshi];

    /// The name used in channels, tables and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Venue::Polymarket => "polymarket",
            Venue::Kalshi => "kalshi",
        }
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in a dense table.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

dense_id!(
    /// A question on one venue. Given out in order of first listing, from 0, without holes.
    MarketId
);
dense_id!(
    /// One tradable outcome of a market. Given out in order of first listing, from 0, without holes.
    InstrumentId
);
dense_id!(
    /// One price feed of one source. Given out in order of first listing, from 0, without holes.
    OracleId
);
dense_id!(
    /// One strategy of a run, by name; its generations share it.
    StrategyId
);

/// Position of a record in the journal, from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Nanoseconds since the Unix epoch, UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// From whole milliseconds, as venues stamp.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Whole seconds, cut.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// How far this lies after `earlier`; zero when it does not.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// That much later.
    #[must_use]
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// A span of time in nanoseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Nanos(pub u64);

impl Nanos {
    /// From milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// Whole milliseconds, cut.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0 / 1_000_000
    }
}

macro_rules! derived_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name {
            /// The record that caused it.
            pub seq: Seq,
            /// Which one of that record, from 0.
            pub n: u16,
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}.{}", self.seq, self.n)
            }
        }
    };
}

derived_id!(
    /// One episode of an edge that the scanner saw (or a strategy's own idea).
    OpportunityId
);
derived_id!(
    /// One wish of a strategy, with all its legs.
    IntentId
);
derived_id!(
    /// One row of the trades table: one leg's outcome, filled or refused.
    TradeId
);
