//! What was traded last, and what all trades came to so far, as the summary counts it.

use super::{Instant, Money, Shares};
use pm_arb_core::effect::{Effect, TradeRecord, TradeStatus, TradeUpdate};
use pm_arb_core::ids::TradeId;
use pm_arb_core::report::Summary;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use utoipa::ToSchema;

/// Fills kept.
const KEPT: usize = 8;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Lately {
    /// Fills of this run: open, sold or settled.
    pub trades: u64,
    /// What those sold or settled came to, after fees.
    pub realized: Money,
    /// The last fills, oldest first.
    pub fills: Vec<LateTrade>,
}

/// One fill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LateTrade {
    /// Its row.
    pub id: String,
    /// When it was filled, by the run's own time.
    pub at: Instant,
    /// Who wished it.
    pub strategy: String,
    /// Readable name of the market.
    pub market: String,
    /// Name of the outcome.
    pub outcome: String,
    /// Bought, not sold.
    pub bought: bool,
    /// Shares.
    pub qty: Shares,
    /// Size-weighted price of a share.
    pub price: Money,
    /// What it came to; nothing while it is held.
    pub realized: Option<Money>,
}

/// Remembers the last fills between two pictures.
#[derive(Debug, Default)]
pub(super) struct Memory {
    fills: VecDeque<(TradeId, LateTrade)>,
}

impl Memory {
    pub fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::RecordTrade(trade) if trade.rejection.is_none() => self.filled(trade),
            Effect::UpdateTrade(update) => self.changed(update),
            _ => {}
        }
    }

    fn filled(&mut self, trade: &TradeRecord) {
        if self.fills.len() == KEPT {
            self.fills.pop_front();
        }
        let fill = LateTrade {
            id: trade.id.to_string(),
            at: Instant(trade.at),
            strategy: trade.strategy_name.clone(),
            market: trade.market_slug.clone(),
            outcome: trade.outcome.clone(),
            bought: trade.buy,
            qty: Shares(trade.qty),
            price: Money(pm_arb_core::units::Usd(trade.price.0)),
            realized: None,
        };
        self.fills.push_back((trade.id, fill));
    }

    fn changed(&mut self, update: &TradeUpdate) {
        if update.status == TradeStatus::Open {
            return;
        }
        if let Some((_, fill)) = self.fills.iter_mut().find(|(id, _)| *id == update.id) {
            fill.realized = Some(Money(update.realized_pnl));
        }
    }

    /// As of now.
    pub fn picture(&self, summary: &Summary) -> Lately {
        Lately {
            trades: summary.total_trades,
            realized: Money(summary.realized_pnl),
            fills: self.fills.iter().map(|(_, fill)| fill.clone()).collect(),
        }
    }
}
