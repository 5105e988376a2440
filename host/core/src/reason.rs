//! Every reason for which something did not happen, as one closed list of codes.
//!
//! Risk denials, refusals of the executor and refused inputs share it, so that a report can count
//! them and a reader can look them up. Codes are stable: stored rows carry them.

use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// Why an input, an intent or an order was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in order.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// The stable code.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Reason::$name => $code,)+ }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    /// The pilot is halted; nothing trades until an operator resumes it.
    Halted = "HALTED",
    /// The intent carries no leg, too many legs, an unknown instrument, or a size or price that is no order.
    InvalidOrder = "INVALID_ORDER",
    /// The price is not strictly between 0 and 1 dollar.
    PriceOutOfRange = "PRICE_OUT_OF_RANGE",
    /// The price is not on the market's tick.
    OffTick = "OFF_TICK",
    /// The size is not a multiple of the market's lot.
    OffLot = "OFF_LOT",
    /// The size is below the market's minimum.
    BelowMinimum = "BELOW_MINIMUM",
    /// The order is worth more than one order may be.
    MaxOrderValue = "MAX_ORDER_VALUE",
    /// The strategy already traded this opportunity on this instrument.
    Duplicate = "DUPLICATE",
    /// The strategy's uncommitted capital does not cover the order.
    Capital = "CAPITAL",
    /// The position in this market would exceed its share of the bankroll.
    PositionLimitMarket = "POS_LIMIT_MARKET",
    /// The positions on this venue would exceed their share of the bankroll.
    PositionLimitVenue = "POS_LIMIT_VENUE",
    /// There is no position to sell.
    NoPosition = "NO_POSITION",
    /// Today's loss has reached its limit.
    DailyLoss = "DAILY_LOSS",
    /// Equity has fallen from its high-water mark by the limit.
    Drawdown = "DRAWDOWN",
    /// The expected profit of the order is below the minimum.
    MinProfit = "MIN_PROFIT",
    /// The claimed edge is too good to be true.
    EdgeImplausible = "EDGE_IMPLAUSIBLE",
    /// The price had moved against the order by more than half of its expected edge.
    Slippage = "SLIPPAGE",
    /// The limit is too far from the present price of the instrument.
    PriceCollar = "PRICE_COLLAR",
    /// The book has never been seen, or was interrupted and not restored by a snapshot.
    NoBook = "NO_BOOK",
    /// The book is older than allowed.
    StaleBook = "STALE_BOOK",
    /// The oracle is older than allowed, or was never seen.
    StaleOracle = "STALE_ORACLE",
    /// The best bid is at or above the best ask.
    CrossedBook = "CROSSED_BOOK",
    /// The book has no level on the side the order needs.
    OneSidedBook = "ONE_SIDED_BOOK",
    /// The book is the venue's opening placeholder.
    PlaceholderBook = "PLACEHOLDER_BOOK",
    /// The stream or the tick grid of the book was interrupted while the order was in flight.
    BookInterrupted = "BOOK_INTERRUPTED",
    /// No level within the limit was left when the order arrived.
    NoLiquidity = "NO_LIQUIDITY",
    /// A fill-or-kill order could not be filled whole.
    FillOrKill = "FILL_OR_KILL",
    /// The legs of a group could not all be filled, and this one was unwound.
    LegUnwound = "LEG_UNWOUND",
    /// The market's fee schedule is unknown.
    UnknownFee = "UNKNOWN_FEE",
    /// No rule of the venue's is known for that market and day.
    UnknownRule = "UNKNOWN_RULE",
    /// The market is not open for trading.
    MarketClosed = "MARKET_CLOSED",
    /// The market closes too soon for an order to be sensible.
    NearExpiry = "NEAR_EXPIRY",
    /// Too many intents in a short time.
    RateLimit = "RATE_LIMIT",
    /// The strategy is stopped until new bytes or an operator release it.
    StrategyQuarantined = "STRATEGY_QUARANTINED",
    /// A computation overflowed or lacked an input; denied by default.
    RiskError = "RISK_ERROR",
    /// The venue's message did not have the documented shape.
    MalformedFrame = "MALFORMED_FRAME",
    /// The message names an instrument or market that is not tracked.
    UnknownInstrument = "UNKNOWN_INSTRUMENT",
    /// A value that is none of the documented ones.
    UnknownEnum = "UNKNOWN_ENUM",
    /// The message is older than one already applied.
    OutOfOrder = "OUT_OF_ORDER",
    /// An identifier is empty.
    EmptyId = "EMPTY_ID",
    /// The prices of an apparent arbitrage were not seen at one time: no such sum ever existed.
    PhantomSum = "PHANTOM_SUM",
    /// Not every outcome of the set is known, listed and open: its sum is no arbitrage.
    IncompleteSet = "INCOMPLETE_SET",
    /// The price to beat is not known yet.
    NoStrike = "NO_STRIKE",
    /// The exclusive set has more members than one intent may have legs.
    SetTooLarge = "SET_TOO_LARGE",
    /// The venue's fields of a market contradict each other: it is not listed.
    ContradictoryMarket = "CONTRADICTORY_MARKET",
    /// A field without which a market can not be traded is missing: it is not listed.
    MissingField = "MISSING_FIELD",
    /// The order rested and was cancelled before it was filled whole.
    Cancelled = "CANCELLED",
    /// The order rested until its time was over and was not filled whole.
    Expired = "EXPIRED",
    /// The print repeats the one before it: the same trade told twice.
    DuplicatePrint = "DUPLICATE_PRINT",
    /// The print is stamped long before one that came earlier: it feeds no queue.
    LatePrint = "LATE_PRINT",
    /// The strategy may not trade there: it did not ask for it, or the operator did not grant it.
    NotGranted = "NOT_GRANTED",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}
