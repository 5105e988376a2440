//! Money and trades as the engine holds them now.

use super::Money;
use pm_arb_core::engine::EngineStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Trading {
    /// Why nothing trades, when nothing trades.
    pub halted: Option<String>,
    /// Everything, marked at the lower of cost and bid.
    pub equity: Money,
    /// Free.
    pub cash: Money,
    /// Set aside for orders in flight and at rest.
    pub reserved: Money,
    /// Positions at cost.
    pub locked: Money,
    /// Fees paid.
    pub fees: Money,
    /// Rows that are open.
    pub open_trades: u64,
    /// Orders in flight.
    pub orders_in_flight: u64,
    /// Orders that rest.
    pub orders_resting: u64,
}

impl Trading {
    /// As of now.
    #[must_use]
    pub fn of(status: &EngineStatus) -> Self {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Self {
            halted: status.halted.clone(),
            equity: Money(status.equity),
            cash: Money(status.cash),
            reserved: Money(status.reserved),
            locked: Money(status.locked),
            fees: Money(status.fees),
            open_trades: count(status.open_trades),
            orders_in_flight: count(status.orders_in_flight),
            orders_resting: count(status.orders_resting),
        }
    }
}
