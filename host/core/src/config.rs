//! The engine's settings: a fact of the run, journalled first of all, so that a replay uses the
//! same ones. How people write them down is the shell's business (`config.rs` there).

use crate::ids::Nanos;
use crate::units::{Bps, Price, Usd};
use serde::{Deserialize, Serialize};

/// Everything that changes what the engine decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineConfig {
    /// Paper money at the start of the run. Only the first configuration of a run sets it.
    pub starting_cash: Usd,
    /// The guardian's limits.
    pub risk: RiskLimits,
    /// How capital is shared among strategies.
    pub allocation: Allocation,
    /// How orders travel.
    pub execution: Execution,
    /// What the scanner looks for.
    pub scanner: ScannerConfig,
}

/// Limits of the risk guardian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskLimits {
    /// Cost of positions in one market, of the bankroll.
    pub position_per_market: Bps,
    /// Cost of positions on one venue, of the bankroll.
    pub position_per_venue: Bps,
    /// Loss of one UTC day, of the equity at its start.
    pub daily_loss: Bps,
    /// Fall of equity from its high-water mark; a ratchet: reaching it halts.
    pub drawdown: Bps,
    /// Cost of one order.
    pub order_value_max: Usd,
    /// Expected profit of one intent.
    pub profit_min: Usd,
    /// Largest believable edge a share.
    pub edge_max: Usd,
    /// Share of the expected edge that the price may have moved against the order before it is decided.
    pub slippage_of_edge: Bps,
    /// Distance of a limit from the opposite best price.
    pub collar: Price,
    /// Age of a book that may back a decision or a fill.
    pub book_age_max: Nanos,
    /// Age of an oracle value that may back a decision.
    pub oracle_age_max: Nanos,
    /// No order in the last moments before the close.
    pub expiry_min: Nanos,
    /// Intents of one strategy within one second.
    pub intents_per_second: u32,
}

/// Shares of the capital allocator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Least share of a strategy.
    pub share_min: Bps,
    /// Largest share of a strategy.
    pub share_max: Bps,
    /// Settled trades of a strategy after which its result moves its share.
    pub trades_min: u32,
}

/// How an order travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// From decision to the venue's door; the venue's own delay (market field) comes on top.
    pub latency: Latency,
    /// By whose rules orders fill.
    pub fills: FillModel,
}

/// How long an order takes to its venue's door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Latency {
    /// Always so long.
    Constant(Nanos),
    /// As last measured for the venue ([`Event::Latency`](crate::event::Event::Latency)); this long
    /// before anything was measured.
    Measured {
        /// Before the first measurement.
        otherwise: Nanos,
    },
    /// Drawn for every order and venue from a distribution given by its quantiles, by a hash of the
    /// order's number and the seed: a replay draws the same.
    Drawn {
        /// Another seed, other draws.
        seed: u64,
        /// `(share of orders, at most so long)`, both rising, the last at 10,000 bp; linear in between,
        /// from zero.
        quantiles: Vec<(Bps, Nanos)>,
    },
}

/// By whose rules orders fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FillModel {
    /// Ours: the arrival book, nothing twice.
    Honest,
    /// As other backtesters fill, to compare with their published results: the book of the decision,
    /// walked level by level, at once, and nothing remembered.
    DecisionBook,
    /// As they do at their most generous: the whole order at the middle of the book.
    Mid,
}

/// What the scanner looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannerConfig {
    /// Least edge a share, after fees.
    pub edge_min: Usd,
    /// An edge must be gone this long before it is a new opportunity.
    pub rearm: Nanos,
    /// Books of different markets in one opportunity may differ this much in age.
    pub leg_skew_max: Nanos,
    /// Annual volatility assumed until enough ticks were seen, in basis points.
    pub volatility_prior: Bps,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            starting_cash: Usd(10_000_000_000),
            risk: RiskLimits {
                position_per_market: Bps(1_000),
                position_per_venue: Bps(5_000),
                daily_loss: Bps(1_000),
                drawdown: Bps(2_000),
                order_value_max: Usd(500_000_000),
                profit_min: Usd(50_000),
                edge_max: Usd(300_000),
                slippage_of_edge: Bps(5_000),
                collar: Price(100_000),
                book_age_max: Nanos::from_ms(5_000),
                oracle_age_max: Nanos::from_ms(3_000),
                expiry_min: Nanos::from_ms(2_000),
                intents_per_second: 20,
            },
            allocation: Allocation {
                share_min: Bps(500),
                share_max: Bps(5_000),
                trades_min: 10,
            },
            execution: Execution {
                latency: Latency::Constant(Nanos::from_ms(50)),
                fills: FillModel::Honest,
            },
            scanner: ScannerConfig {
                edge_min: Usd(5_000),
                rearm: Nanos::from_ms(1_000),
                leg_skew_max: Nanos::from_ms(750),
                volatility_prior: Bps(5_000),
            },
        }
    }
}
