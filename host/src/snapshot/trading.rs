//! Money and trades as the engine holds them now.
//!
//! Counts and sums are the engine's own, so they are whole after a restart. The newest fills and the last
//! hour of equity are what this process saw: after a restart they begin anew, and pages take the rest from
//! the database.

use super::{Instant, Money, Shares};
use crate::stats;
use crate::store::{Side, trade_uuid};
use pm_arb_core::effect::{Effect, TradeRecord, TradeStatus, TradeUpdate};
use pm_arb_core::engine::Engine;
use pm_arb_core::ids::{Nanos, Timestamp};
use pm_arb_core::report::Summary;
use pm_arb_core::units::Usd;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use utoipa::ToSchema;
use uuid::Uuid;

/// Fills in [`Trading::newest`].
pub const NEWEST_MAX: usize = 20;
/// Positions in [`Exposure::largest`].
pub const LARGEST_MAX: usize = 10;
/// Points in [`Trading::hour`]: of an hour of the run's time, twice a minute.
pub const HOUR_MAX: usize = 120;
const HOUR_STEP: Nanos = Nanos::from_ms(30_000);

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Trading {
    /// Why nothing trades, when nothing trades.
    pub halted: Option<String>,
    /// What the run began with.
    pub capital: Money,
    /// Everything, marked at the lower of cost and bid.
    pub equity: Money,
    /// The highest equity since trading began or was last resumed.
    pub high_water: Money,
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
    /// How often each stage did something, of the whole run.
    pub activity: Activity,
    /// Of the whole run.
    pub results: Results,
    /// Of the present UTC day of the run's time.
    pub today: Today,
    /// By type of the opportunity, of the whole run.
    pub by_type: Vec<TypeRow>,
    /// The newest fills that this process saw, newest first.
    pub newest: Vec<FillRow>,
    /// What is at stake, and where.
    pub exposure: Exposure,
    /// Equity of the last hour that this process saw, oldest first.
    pub hour: Vec<EquityDot>,
    /// The way to each venue, as it was last measured.
    pub latencies: Vec<Latency>,
}

/// How often each stage did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// Looks of the scanner at prices that moved.
    pub looks: u64,
    /// Opportunities published, updates of the same one included.
    pub opportunities: u64,
    /// Wishes of strategies that were judged.
    pub intents: u64,
    /// Of them, those that risk denied.
    pub denied: u64,
    /// Legs that filled, wholly or in part.
    pub fills: u64,
    /// Rows that their market's outcome ended.
    pub settled: u64,
}

/// What ended trades came to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Results {
    /// Fills: open and ended.
    pub total: u64,
    /// Still held.
    pub open: u64,
    /// Sold or settled.
    pub closed: u64,
    /// Profit or loss of the closed ones, after fees.
    pub realized_pnl: Money,
    /// Closed ones that gained.
    pub wins: u64,
    /// Closed ones that did not.
    pub losses: u64,
    /// Share of wins; `None` before the first trade has ended.
    pub win_rate: Option<Rate>,
    /// Legs that never became a position.
    pub refused: u64,
}

/// A share in parts of a hundred with its 95 % interval, as if trades were independent of each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rate {
    /// As counted.
    pub percent: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Rate {
    /// Of so many wins in so many trades.
    #[must_use]
    pub fn of(wins: u64, trades: u64) -> Option<Self> {
        let interval = stats::share(wins, trades)?;
        Some(Self {
            percent: wins as f64 / trades as f64 * 100.0,
            low: interval.low * 100.0,
            high: interval.high * 100.0,
        })
    }
}

/// A day so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Today {
    /// Midnight UTC.
    pub start: Instant,
    /// Rows that were filled.
    pub trades: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// Rows that ended, whenever they began.
    pub closed: u64,
    /// Of them, those that gained.
    pub wins: u64,
    /// Profit or loss of those that ended, after fees.
    pub realized_pnl: Money,
}

/// Trades of one type of opportunity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TypeRow {
    /// `oracle_lag`, `mispricing`, `cross_platform` or `signal`.
    pub kind: String,
    /// Open and ended ones.
    pub trades: u64,
    /// Profit or loss of the ended ones, after fees.
    pub realized_pnl: Money,
}

/// A fill, in its newest state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FillRow {
    /// The row's id, as in the database and in `/trades/{id}`.
    pub id: String,
    /// When it was filled.
    pub at: Instant,
    /// Where.
    pub venue: String,
    /// Readable name of the market.
    pub market: String,
    /// Name of the outcome.
    pub outcome: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Shares.
    pub quantity: Shares,
    /// Dollars a share.
    pub price: Money,
    /// Claimed gain a share.
    pub expected_edge: Money,
    /// Whose.
    pub strategy: String,
    /// Type of the opportunity.
    pub kind: String,
    /// `open`, `closed` or `resolved`.
    pub status: String,
    /// Profit or loss, once it has ended.
    pub realized_pnl: Option<Money>,
}

/// What is at stake.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Exposure {
    /// By venue: orders at their limits and positions at cost.
    pub venues: Vec<VenueRow>,
    /// Instruments in which anything is held.
    pub instruments: u64,
    /// The largest by cost.
    pub largest: Vec<PositionRow>,
}

/// What is tied up on a venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VenueRow {
    /// Which.
    pub venue: String,
    /// How much.
    pub committed: Money,
}

/// All shares of one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PositionRow {
    /// Where.
    pub venue: String,
    /// Readable name of the market.
    pub market: String,
    /// Name of the outcome.
    pub outcome: String,
    /// How many.
    pub quantity: Shares,
    /// What they cost, without fees.
    pub cost: Money,
    /// At the lower of cost and bid, as last marked.
    pub worth: Money,
    /// When the market closes.
    pub closes: Instant,
}

/// Equity at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EquityDot {
    /// The run's time.
    pub at: Instant,
    /// Everything, marked at the lower of cost and bid.
    pub equity: Money,
    /// The highest equity since trading began or was last resumed.
    pub high_water: Money,
}

/// The way to a venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    /// Which.
    pub venue: String,
    /// Thousandths of a second, our own turn included.
    pub millis: f64,
}

/// What the watcher remembers for this section.
#[derive(Debug, Default)]
pub(super) struct Memory {
    run: Uuid,
    newest: VecDeque<FillRow>,
    hour: VecDeque<EquityDot>,
}

impl Memory {
    /// Of that run.
    pub fn new(run_id: &str) -> Self {
        Self {
            // A run whose id is none has no rows in the database either.
            run: Uuid::parse_str(run_id).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Takes note of fills and of what becomes of them.
    pub fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::RecordTrade(trade) if trade.status != TradeStatus::Rejected => {
                self.newest.truncate(NEWEST_MAX - 1);
                self.newest.push_front(FillRow::of(self.run, trade));
            }
            Effect::UpdateTrade(update) => {
                let id = trade_uuid(self.run, update.id).to_string();
                if let Some(row) = self.newest.iter_mut().find(|row| row.id == id) {
                    row.update(update);
                }
            }
            _ => {}
        }
    }

    fn look(&mut self, at: Timestamp, equity: Usd, high_water: Usd) {
        let due = |last: &EquityDot| at.0 >= last.at.0.0.saturating_add(HOUR_STEP.0);
        if self.hour.back().is_none_or(due) {
            if self.hour.len() >= HOUR_MAX {
                self.hour.pop_front();
            }
            self.hour.push_back(EquityDot {
                at: Instant(at),
                equity: Money(equity),
                high_water: Money(high_water),
            });
        }
    }

    /// The section as of now.
    pub fn picture(&mut self, engine: &Engine) -> Trading {
        let status = engine.status();
        let equity = engine.equity_now();
        let high_water = engine.high_water(equity);
        self.look(status.now, equity, high_water);
        let summary = engine.summary();
        let day = engine.today();
        Trading {
            halted: status.halted,
            capital: Money(engine.capital()),
            equity: Money(equity),
            high_water: Money(high_water),
            cash: Money(status.cash),
            reserved: Money(status.reserved),
            locked: Money(status.locked),
            fees: Money(status.fees),
            open_trades: count(status.open_trades),
            orders_in_flight: count(status.orders_in_flight),
            orders_resting: count(status.orders_resting),
            activity: Activity {
                looks: engine.scanner().counts().looks,
                opportunities: status.counts.opportunities,
                intents: status.counts.intents,
                denied: status.counts.denied,
                fills: status.counts.fills,
                settled: status.counts.settled,
            },
            results: Results::of(&summary),
            today: Today {
                start: Instant(day.start),
                trades: day.trades,
                refused: day.refused,
                closed: day.closed,
                wins: day.wins,
                realized_pnl: Money(day.realized_pnl),
            },
            by_type: summary
                .by_type
                .into_iter()
                .map(|(kind, trades, pnl)| TypeRow {
                    kind,
                    trades,
                    realized_pnl: Money(pnl),
                })
                .collect(),
            newest: self.newest.iter().cloned().collect(),
            exposure: Exposure::of(engine),
            hour: self.hour.iter().copied().collect(),
            latencies: status
                .latencies
                .into_iter()
                .map(|(venue, way)| Latency {
                    venue: venue.to_string(),
                    millis: way.0 as f64 / 1e6,
                })
                .collect(),
        }
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl Results {
    /// As a summary says.
    #[must_use]
    pub fn of(summary: &Summary) -> Self {
        Self {
            total: summary.total_trades,
            open: summary.open_trades,
            closed: summary.closed_trades,
            realized_pnl: Money(summary.realized_pnl),
            wins: summary.wins,
            losses: summary.losses,
            win_rate: Rate::of(summary.wins, summary.closed_trades),
            refused: summary.rejections,
        }
    }
}

impl FillRow {
    fn of(run: Uuid, trade: &TradeRecord) -> Self {
        Self {
            id: trade_uuid(run, trade.id).to_string(),
            at: Instant(trade.at),
            venue: trade.venue.to_string(),
            market: trade.market_slug.clone(),
            outcome: trade.outcome.clone(),
            side: if trade.buy { Side::Buy } else { Side::Sell }
                .as_str()
                .to_owned(),
            quantity: Shares(trade.qty),
            price: Money(Usd(trade.price.0)),
            expected_edge: Money(trade.expected_edge),
            strategy: trade.strategy_name.clone(),
            kind: trade.kind.as_str().to_owned(),
            status: trade.status.as_str().to_owned(),
            realized_pnl: None,
        }
    }

    fn update(&mut self, update: &TradeUpdate) {
        update.status.as_str().clone_into(&mut self.status);
        let ended = matches!(update.status, TradeStatus::Closed | TradeStatus::Resolved);
        self.realized_pnl = ended.then_some(Money(update.realized_pnl));
    }
}

impl Exposure {
    fn of(engine: &Engine) -> Self {
        let mut held: Vec<_> = engine.held().collect();
        let instruments = count(held.len());
        held.sort_unstable_by_key(|h| (std::cmp::Reverse(h.cost), h.instrument));
        held.truncate(LARGEST_MAX);
        let data = engine.market_data();
        let row = |held: &pm_arb_core::position::Held| {
            let spec = &data.market_of(held.instrument)?.spec;
            let outcome = spec
                .outcomes
                .iter()
                .find(|o| o.instrument == held.instrument)?;
            Some(PositionRow {
                venue: spec.venue.to_string(),
                market: spec.slug.clone(),
                outcome: outcome.name.clone(),
                quantity: Shares(held.qty),
                cost: Money(held.cost),
                worth: Money(held.worth),
                closes: Instant(spec.closes_at),
            })
        };
        Self {
            venues: engine
                .committed_on()
                .map(|(venue, committed)| VenueRow {
                    venue: venue.to_string(),
                    committed: Money(committed),
                })
                .collect(),
            instruments,
            largest: held.iter().filter_map(row).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_equity_is_bounded_and_evenly_spaced() {
        let mut memory = Memory::new("no id");
        for second in 0..10_000u64 {
            memory.look(Timestamp(second * 1_000_000_000), Usd(1), Usd(2));
        }
        assert_eq!(memory.hour.len(), HOUR_MAX);
        let times: Vec<u64> = memory.hour.iter().map(|d| d.at.0.0).collect();
        assert!(times.windows(2).all(|t| t[1] - t[0] == HOUR_STEP.0));
        assert_eq!(times.last(), Some(&9_990_000_000_000));
    }

    #[test]
    fn a_rate_needs_trades_and_holds_its_own_count() {
        assert_eq!(Rate::of(0, 0), None);
        let rate = Rate::of(3, 4).unwrap();
        assert!(rate.low < 75.0 && rate.percent == 75.0 && rate.high > 75.0);
        let all = Rate::of(5, 5).unwrap();
        assert!(all.low > 50.0 && all.high <= 100.0);
    }
}
