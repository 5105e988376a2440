//! Everything that can happen to the engine, as one closed enum of facts.
//!
//! The runner stamps each fact with `seq` and receive time, appends it to the journal and only then
//! steps the engine with it; replay reads the same records. An event never carries an opinion
//! (a parsed frame is a fact, "this looks like an arbitrage" is not) and never a default.

use crate::capabilities::Capabilities;
use crate::config::EngineConfig;
use crate::ids::{InstrumentId, MarketId, Nanos, OracleId, Seq, StrategyId, Timestamp, Venue};
use crate::market::{MarketSpec, OracleSpec};
use crate::strategy::{Manifest, StrategyFault};
use crate::units::{Price, Qty, SpotPrice};
use serde::{Deserialize, Serialize};

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position, from 1, without holes.
    pub seq: Seq,
    /// When the pilot received it. Never decreases.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The run's settings, first of all and again whenever they change.
    Configured(Box<EngineConfig>),
    /// A market became known, or its specification changed (same id).
    MarketListed(Box<MarketSpec>),
    /// An oracle feed became known.
    OracleListed(Box<OracleSpec>),
    /// One price level changed.
    Level(LevelChange),
    /// A whole book replaces what was known.
    Snapshot(Box<BookSnapshot>),
    /// A trade printed.
    Print(Print),
    /// An instrument's grid changed: its book is invalid until the next snapshot.
    TickSize {
        /// Whose.
        instrument: InstrumentId,
        /// The new grid.
        tick: Price,
    },
    /// A stream was interrupted: the named books are invalid until their next snapshot.
    Gap {
        /// Which books.
        scope: GapScope,
        /// Why, for the log.
        cause: String,
    },
    /// An oracle published.
    OracleTick(OracleTick),
    /// An oracle's stream was interrupted: its last value is stale at once.
    OracleGap(OracleId),
    /// The venue stopped or resumed trading in a market.
    Trading {
        /// Which market.
        market: MarketId,
        /// Whether orders are accepted.
        open: bool,
    },
    /// The venue published the outcome.
    Resolved(Box<Resolution>),
    /// A strategy was loaded, swapped, restarted, unloaded.
    Strategy(Box<StrategyChange>),
    /// An operator spoke.
    Command(Command),
    /// An input could not be used. Counted, never guessed.
    Refused {
        /// Where it came from.
        venue: Option<Venue>,
        /// Why.
        reason: crate::reason::Reason,
    },
    /// Nothing but time passed.
    Tick,
    /// An oracle's candle is final.
    Candle(Box<Candle>),
    /// How long the way to a venue was just measured to take: from a decision to the venue's door.
    Latency {
        /// Whose door.
        venue: Venue,
        /// How long.
        own: Nanos,
    },
}

impl Event {
    /// The call that the clock ended in the record before this one, if this says so: whose, and which.
    #[must_use]
    pub fn stopped(&self) -> Option<(StrategyId, u64)> {
        match self {
            Event::Strategy(change) => match change.kind {
                StrategyChangeKind::Stopped { call } if call > 0 => Some((change.id, call)),
                _ => None,
            },
            _ => None,
        }
    }

    /// What kind of fact it is, in a word or two.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Configured(_) => "settings",
            Event::MarketListed(_) => "market listed",
            Event::OracleListed(_) => "oracle listed",
            Event::Level(_) => "book level",
            Event::Snapshot(_) => "book snapshot",
            Event::Print(_) => "trade print",
            Event::TickSize { .. } => "tick size",
            Event::Gap { .. } => "book gap",
            Event::OracleTick(_) => "oracle tick",
            Event::OracleGap(_) => "oracle gap",
            Event::Trading { .. } => "trading status",
            Event::Resolved(_) => "resolution",
            Event::Strategy(_) => "strategy change",
            Event::Command(_) => "command",
            Event::Refused { .. } => "refused input",
            Event::Tick => "tick",
            Event::Candle(_) => "candle",
            Event::Latency { .. } => "latency",
        }
    }
}

/// One side of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BookSide {
    /// Those who buy.
    Bid,
    /// Those who sell.
    Ask,
}

/// A level's new *absolute* size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChange {
    /// Whose book.
    pub instrument: InstrumentId,
    /// Which side.
    pub side: BookSide,
    /// The next record belongs to the same atomic message: nothing may be concluded before it.
    pub more: bool,
    /// The level.
    pub price: Price,
    /// Its new size; zero removes it.
    pub qty: Qty,
    /// The venue's stamp.
    pub venue_time: Timestamp,
}

/// A whole book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookSnapshot {
    /// Whose book.
    pub instrument: InstrumentId,
    /// The next record belongs to the same atomic message.
    pub more: bool,
    /// The venue's stamp.
    pub venue_time: Timestamp,
    /// `(price, size)` in any order.
    pub bids: Vec<(Price, Qty)>,
    /// `(price, size)` in any order.
    pub asks: Vec<(Price, Qty)>,
}

/// A trade between others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// What traded.
    pub instrument: InstrumentId,
    /// At.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Whether the taker bought.
    pub taker_bought: bool,
    /// The venue's stamp.
    pub venue_time: Timestamp,
}

/// Which books a gap invalidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GapScope {
    /// One instrument's.
    Instrument(InstrumentId),
    /// All of a venue.
    Venue(Venue),
}

/// An oracle's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleTick {
    /// Whose.
    pub oracle: OracleId,
    /// The value.
    pub price: SpotPrice,
    /// The instant it is valid for, as the source stamps it (the receive time where it stamps none).
    pub source_time: Timestamp,
}

/// A finished interval of an oracle, as its source draws it. One that still runs is no fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// Whose.
    pub oracle: OracleId,
    /// Start of the interval.
    pub open_time: Timestamp,
    /// The last instant of the interval, as the source stamps it (Binance: a millisecond before the end).
    pub close_time: Timestamp,
    /// Price of its first trade.
    pub open: SpotPrice,
    /// Price of its last trade.
    pub close: SpotPrice,
    /// Highest price.
    pub high: SpotPrice,
    /// Lowest price.
    pub low: SpotPrice,
}

impl Candle {
    /// Whether it is the candle of the `secs` seconds from `opens_at` on.
    #[must_use]
    pub fn spans(&self, opens_at: Timestamp, secs: u32) -> bool {
        let end = opens_at.secs().saturating_add(u64::from(secs));
        self.open_time == opens_at && self.end_second() == end
    }

    /// Its length in seconds.
    #[must_use]
    pub fn secs(&self) -> u64 {
        self.end_second().saturating_sub(self.open_time.secs())
    }

    /// The second that begins when the interval is over.
    #[must_use]
    pub fn end_second(&self) -> u64 {
        self.close_time.secs().saturating_add(1)
    }
}

/// A market's outcome as its venue published it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Which market.
    pub market: MarketId,
    /// What a share of each outcome pays, in the order of the specification; sums to one dollar.
    pub payouts: Vec<Price>,
    /// Where it was read ("gamma outcomePrices", "market_resolved").
    pub evidence: String,
}

/// Life of a strategy within a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyChange {
    /// Its identity in this run.
    pub id: StrategyId,
    /// What happened.
    pub kind: StrategyChangeKind,
}

/// See [`StrategyChange`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StrategyChangeKind {
    /// New code runs from here on. The runner installed it just before this record was stepped.
    Loaded {
        /// What it says of itself.
        manifest: Manifest,
        /// SHA-256 of its bytes.
        digest: [u8; 32],
        /// Counts the loads of this strategy in this run, from 1.
        generation: u32,
        /// Configuration handed to it, as `key=value` pairs in order.
        params: Vec<(String, String)>,
        /// Whether the state of the one before was carried over.
        restored: bool,
    },
    /// New bytes were not accepted; the old generation goes on.
    Refused {
        /// SHA-256 of the refused bytes.
        digest: [u8; 32],
        /// Why.
        why: String,
    },
    /// It failed too often and is stopped until new bytes or an operator release it.
    Quarantined {
        /// The last failure.
        fault: StrategyFault,
    },
    /// It was taken out.
    Unloaded,
    /// An operator spoke about it. A load that follows from it has a record of its own, right after.
    Operator {
        /// What is to be done.
        action: OperatorAction,
        /// Who and why, for the record.
        note: String,
    },
    /// What it may do from here on; stands just before the load that it holds for. Without one, everything.
    Granted(Box<Capabilities>),
    /// The wall clock ended a call of the running generation. Stands just after the record that it was
    /// told of, so that a replay can look ahead and end it there too.
    Stopped {
        /// Which call of that generation, counted from 1. Zero: it was asked for its state, and this
        /// stands in the place of [`Asked`](Self::Asked).
        call: u64,
    },
    /// The running generation was asked for its state, for a successor that does not follow with a load.
    Asked,
    /// Stands just after a load: the generation before stays ready, told of everything and not heard,
    /// until it is [`Committed`](Self::Committed) or [`Reverted`](Self::Reverted).
    Watched,
    /// The watch ended well, or what stood by failed: the generation before is let go.
    Committed,
    /// The generation before took over again by itself, with the state it kept. A generation of its own.
    Reverted {
        /// What it says of itself.
        manifest: Manifest,
        /// SHA-256 of its bytes.
        digest: [u8; 32],
        /// Counts the loads of this strategy in this run.
        generation: u32,
        /// Its configuration.
        params: Vec<(String, String)>,
        /// What the generation did that was watched.
        why: String,
    },
    /// A candidate runs beside it in a shadow, or does no more. For the record: it changes nothing here.
    Shadowed {
        /// SHA-256 of the candidate's bytes.
        digest: [u8; 32],
        /// Whether it begins.
        begins: bool,
        /// Configuration handed to the candidate.
        params: Vec<(String, String)>,
        /// Whether it begins without the state of what runs.
        fresh: bool,
        /// What led to it, with figures.
        why: String,
    },
}

impl StrategyChangeKind {
    /// The word for it, in lists.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Loaded { .. } => "loaded",
            Self::Refused { .. } => "refused",
            Self::Quarantined { .. } => "quarantined",
            Self::Unloaded => "unloaded",
            Self::Operator { action, .. } => action.as_str(),
            Self::Granted(_) => "granted",
            Self::Stopped { .. } => "stopped by the clock",
            Self::Asked => "asked for its state",
            Self::Watched => "watched",
            Self::Committed => "committed",
            Self::Reverted { .. } => "reverted",
            Self::Shadowed { begins: true, .. } => "shadow begins",
            Self::Shadowed { begins: false, .. } => "shadow ends",
        }
    }
}

/// What an operator can have done to a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperatorAction {
    /// Run these bytes, whatever its file holds.
    Swap {
        /// Their SHA-256.
        digest: [u8; 32],
    },
    /// Run the bytes of before again.
    RollBack {
        /// Their SHA-256.
        digest: [u8; 32],
    },
    /// Changes of its file are no longer followed.
    Pin,
    /// They are again.
    Unpin,
    /// It is not called any more and its resting orders are withdrawn, until it is released.
    Quarantine,
    /// Its failures are forgotten and it starts again.
    Release,
    /// A candidate that ran in its shadow takes its place.
    Promote {
        /// SHA-256 of the candidate's bytes.
        digest: [u8; 32],
    },
}

impl OperatorAction {
    /// The word for it, as in `pm-arb strategy WORD`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OperatorAction::Swap { .. } => "swap",
            OperatorAction::RollBack { .. } => "rollback",
            OperatorAction::Pin => "pin",
            OperatorAction::Unpin => "unpin",
            OperatorAction::Quarantine => "quarantine",
            OperatorAction::Release => "release",
            OperatorAction::Promote { .. } => "promote",
        }
    }
}

/// What an operator can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Stop trading. Latched: survives a restart.
    Halt {
        /// Who or what, and why.
        why: String,
    },
    /// Trade again.
    Resume {
        /// Note for the record.
        note: String,
    },
}
