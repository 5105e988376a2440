//! What a run came to: a summary counted from effects alone.
//!
//! Owns [`Summary`] and the [`Tally`] that folds effects into it. It never looks at the engine's
//! state, so the numbers a person reads are exactly those that were stored. Only closed and settled
//! trades count as profit or loss; a rejection is never a trade.

use crate::effect::{DenialCount, Effect, TradeRecord, TradeStatus, TradeUpdate};
use crate::ids::{StrategyId, Timestamp, TradeId};
use crate::opportunity::OpportunityKind;
use crate::reason::Reason;
use crate::units::Usd;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The result of a run or of some days of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Fills: open, closed and resolved rows. Rejections are not trades.
    pub total_trades: u64,
    /// Still held, settlement not known.
    pub open_trades: u64,
    /// Sold or settled.
    pub closed_trades: u64,
    /// Profit or loss of the closed ones, after fees.
    pub realized_pnl: Usd,
    /// Closed ones that gained.
    pub wins: u64,
    /// Closed ones that did not (zero is no win).
    pub losses: u64,
    /// Legs that never became a position, those included that have no row of their own.
    pub rejections: u64,
    /// `(type, trades, realised profit)` by name of the opportunity kind, in order of name.
    pub by_type: Vec<(String, u64, Usd)>,
    /// `(reason code, legs)`, most frequent first, then by code.
    pub rejections_by_reason: Vec<(String, u64)>,
}

/// What one UTC day came to, by the time of the effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// Midnight.
    pub start: Timestamp,
    /// Rows that were filled.
    pub trades: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// Rows that ended, whenever they began.
    pub closed: u64,
    /// Of them, those that gained.
    pub wins: u64,
    /// Profit or loss of those that ended, after fees.
    pub realized_pnl: Usd,
}

impl Day {
    /// An empty one that holds that instant.
    fn of(at: Timestamp) -> Self {
        const DAY: u64 = 86_400_000_000_000;
        Self {
            start: Timestamp(at.0 - at.0 % DAY),
            ..Self::default()
        }
    }
}

/// Counts effects into a [`Summary`]. Holds one small entry per *open* trade, and per strategy and reason,
/// and nothing else that grows.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    open: BTreeMap<TradeId, OpportunityKind>,
    closed: u64,
    pnl: Usd,
    wins: u64,
    losses: u64,
    by_type: BTreeMap<OpportunityKind, (u64, Usd)>,
    reasons: BTreeMap<Reason, u64>,
    day: Day,
    /// The last count of denials without rows of their own, and its minute.
    counted: BTreeMap<(StrategyId, Reason), (Timestamp, u64)>,
}

impl Tally {
    /// Takes note of one effect; those that are no trades change nothing.
    pub fn fold(&mut self, effect: &Effect) {
        match effect {
            Effect::RecordTrade(record) => self.record(record),
            Effect::UpdateTrade(update) => self.update(update),
            Effect::CountDenials(count) => self.count(count),
            _ => {}
        }
    }

    /// The day of that instant, which is not before any effect so far.
    #[must_use]
    pub fn day(&self, at: Timestamp) -> Day {
        let day = Day::of(at);
        if self.day.start == day.start {
            self.day
        } else {
            day
        }
    }

    fn record(&mut self, record: &TradeRecord) {
        self.day = self.day(record.at);
        match record.status {
            TradeStatus::Rejected => self.day.refused += 1,
            _ => self.day.trades += 1,
        }
        match (&record.rejection, record.status) {
            (Some(rejection), TradeStatus::Rejected) => {
                *self.reasons.entry(rejection.reason).or_default() += 1;
            }
            _ => {
                if self.open.insert(record.id, record.kind).is_none() {
                    self.by_type.entry(record.kind).or_default().0 += 1;
                }
            }
        }
    }

    /// A minute's count replaces the one before of the same minute.
    fn count(&mut self, count: &DenialCount) {
        let last = self
            .counted
            .entry((count.strategy, count.reason))
            .or_insert((count.minute, 0));
        if last.0 != count.minute {
            *last = (count.minute, 0);
        }
        let new = count.legs.saturating_sub(last.1);
        last.1 = count.legs;
        if new > 0 {
            let sum = self.reasons.entry(count.reason).or_default();
            *sum = sum.saturating_add(new);
        }
    }

    fn update(&mut self, update: &TradeUpdate) {
        if !matches!(update.status, TradeStatus::Closed | TradeStatus::Resolved) {
            return;
        }
        let Some(kind) = self.open.remove(&update.id) else {
            return;
        };
        self.closed += 1;
        self.day = self.day(update.at);
        self.day.closed += 1;
        self.day.wins += u64::from(update.realized_pnl > Usd::ZERO);
        self.day.realized_pnl = Usd(self
            .day
            .realized_pnl
            .0
            .saturating_add(update.realized_pnl.0));
        if update.realized_pnl > Usd::ZERO {
            self.wins += 1;
        } else {
            self.losses += 1;
        }
        self.pnl = Usd(self.pnl.0.saturating_add(update.realized_pnl.0));
        let line = self.by_type.entry(kind).or_default();
        line.1 = Usd(line.1.0.saturating_add(update.realized_pnl.0));
    }

    /// How many rows were told as open and not yet as closed.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The numbers so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let open_trades = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        let mut by_type: Vec<(String, u64, Usd)> = self
            .by_type
            .iter()
            .map(|(kind, (trades, pnl))| (kind.as_str().to_owned(), *trades, *pnl))
            .collect();
        by_type.sort_by(|a, b| a.0.cmp(&b.0));
        let mut rejections_by_reason: Vec<(String, u64)> = self
            .reasons
            .iter()
            .map(|(reason, count)| (reason.code().to_owned(), *count))
            .collect();
        rejections_by_reason.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Summary {
            total_trades: open_trades + self.closed,
            open_trades,
            closed_trades: self.closed,
            realized_pnl: self.pnl,
            wins: self.wins,
            losses: self.losses,
            rejections: self.reasons.values().sum(),
            by_type,
            rejections_by_reason,
        }
    }
}
