//! What a market *is*: outcomes, grid, fees, how it settles. Facts of the venue, never guesses.
//!
//! Owns the specification types and the fee formula. It holds no prices and no state.

use crate::ids::{InstrumentId, MarketId, Nanos, OracleId, Timestamp, Venue};
use crate::units::{ONE, Price, Qty, Rounding, SpotPrice, Usd, div_round};
use serde::{Deserialize, Serialize};

/// A question on a venue, with its tradable outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketSpec {
    /// Ours.
    pub id: MarketId,
    /// Where it trades.
    pub venue: Venue,
    /// The venue's identifier (condition id, ticker); never empty.
    pub native_id: String,
    /// The venue's short readable name.
    pub slug: String,
    /// The question as the venue words it. Untrusted text.
    pub question: String,
    /// YES (or Up) first. Two for every market we trade.
    pub outcomes: Vec<Outcome>,
    /// Price grid; `None` when neither the market nor a rule says: then no order is sent.
    pub tick: Option<Price>,
    /// Sizes are multiples of it.
    pub lot: Qty,
    /// Smallest order; `None` when neither the market nor a rule says: then no order is sent.
    pub min_qty: Option<Qty>,
    /// What a taker pays.
    pub fee: FeeSchedule,
    /// What the maker of a resting order pays when it is hit.
    pub maker_fee: FeeSchedule,
    /// Where the fees were read and from which day on they hold, for people: "the market's feeSchedule",
    /// "rulebook: polymarket crypto from 2026-05-11". Stored with every fill.
    pub fee_rule: String,
    /// How long the venue holds a taker order before matching it; `None` when no rule says: then no
    /// order is sent.
    pub taker_delay: Option<Nanos>,
    /// Start of the window the question is about (zero when it has none).
    pub opens_at: Timestamp,
    /// When trading ends and the question is decided.
    pub closes_at: Timestamp,
    /// What decides it.
    pub settlement: SettlementRule,
    /// Markets of which exactly one pays, as named by the venue. `None` when it stands alone.
    pub exclusive_set: Option<ExclusiveSet>,
    /// The same key on two venues means the same question decided by the same source.
    pub pair_key: Option<String>,
}

impl MarketSpec {
    /// The other outcome of a two-outcome market.
    #[must_use]
    pub fn complement_of(&self, instrument: InstrumentId) -> Option<InstrumentId> {
        match self.outcomes.as_slice() {
            [a, b] if a.instrument == instrument => Some(b.instrument),
            [a, b] if b.instrument == instrument => Some(a.instrument),
            _ => None,
        }
    }

    /// The grid on which its books are kept: every price, as long as the tick is not known.
    #[must_use]
    pub fn book_grid(&self) -> Price {
        self.tick.unwrap_or(Price(1))
    }

    /// What kind of question it is, for breakdowns: how it is decided and how long its window is
    /// ("up-down 5m", "above", "touch", "venue").
    #[must_use]
    pub fn family(&self) -> String {
        let what = match self.settlement {
            SettlementRule::VenueOnly => "venue",
            SettlementRule::UpDown { .. } => "up-down",
            SettlementRule::UpDownTwap { .. } => "up-down-twap",
            SettlementRule::Above { .. } => "above",
            SettlementRule::Candle { .. } => "candle",
            SettlementRule::Touch { .. } => "touch",
            SettlementRule::MeanAbove { .. } => "mean-above",
        };
        let secs = self.closes_at.secs().saturating_sub(self.opens_at.secs());
        match (self.opens_at.0, secs) {
            (0, _) | (_, 0) => what.to_owned(),
            (_, s) if s % 86_400 == 0 => format!("{what} {}d", s / 86_400),
            (_, s) if s % 3_600 == 0 => format!("{what} {}h", s / 3_600),
            (_, s) if s % 60 == 0 => format!("{what} {}m", s / 60),
            (_, s) => format!("{what} {s}s"),
        }
    }

    /// The named outcome and its position.
    #[must_use]
    pub fn outcome(&self, instrument: InstrumentId) -> Option<(usize, &Outcome)> {
        self.outcomes
            .iter()
            .enumerate()
            .find(|(_, o)| o.instrument == instrument)
    }
}

/// One tradable outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Ours.
    pub instrument: InstrumentId,
    /// "Up", "Yes", …
    pub name: String,
    /// The venue's identifier (token id, `TICKER:yes`); never empty.
    pub native_id: String,
}

/// A set of markets of which exactly one outcome 0 pays ("negative risk").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExclusiveSet {
    /// The venue's event.
    pub event: String,
    /// How many members it has in all. Sums mean nothing before every one is known.
    pub members: u16,
    /// Has unlisted outcomes: sums over the listed ones are no arbitrage.
    pub augmented: bool,
}

/// What decides a market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SettlementRule {
    /// Only the venue's own resolution.
    VenueOnly,
    /// Outcome 0 when the oracle's value of the closing second ≥ that of the opening second (tie = Up).
    UpDown {
        /// The settlement source.
        oracle: OracleId,
        /// Price to beat when the venue states it; otherwise the oracle's value of the opening second.
        strike: Option<SpotPrice>,
    },
    /// As `UpDown`, on the mean of the last `lookback_secs` seconds before each instant. Rebuilt from ticks
    /// only where the difference is beyond what rebuilding can err by.
    UpDownTwap {
        /// The source the mean is taken of.
        oracle: OracleId,
        /// Length of the mean.
        lookback_secs: u32,
        /// Price to beat, when the venue states it.
        strike: Option<SpotPrice>,
    },
    /// Outcome 0 when the oracle's value at the close is above the strike.
    Above {
        /// The settlement source.
        oracle: OracleId,
        /// The threshold.
        strike: SpotPrice,
        /// Whether equality is not enough.
        strict: bool,
        /// Length of the candle that starts at the close and whose own close is compared ("the 12:00
        /// candle" is the minute that begins at noon); `None` for the value of exactly the closing
        /// second.
        candle_secs: Option<u32>,
    },
    /// Outcome 0 when the source's candle that starts at the opening closes no lower than it opened
    /// (tie = Up). Only that final candle decides.
    Candle {
        /// The source of the candle.
        oracle: OracleId,
        /// Its length.
        interval_secs: u32,
    },
    /// Outcome 0 when any candle of the source within the window touches the barrier: a high at or
    /// above it when it must rise there, a low at or below it when it must fall.
    Touch {
        /// The source of the candles.
        oracle: OracleId,
        /// The price to touch.
        barrier: SpotPrice,
        /// Whether it lies above ("reach"); below otherwise ("dip to").
        rises: bool,
        /// Length of the candles that count.
        interval_secs: u32,
    },
    /// Outcome 0 when the mean of the source's one-second values of the last `lookback_secs` seconds is
    /// above the strike (Kalshi's crypto markets: 60 values of a CF Benchmarks index).
    MeanAbove {
        /// The settlement source.
        oracle: OracleId,
        /// Length of the mean.
        lookback_secs: u32,
        /// The threshold, when the venue states it; it may come after the opening.
        strike: Option<SpotPrice>,
        /// Whether equality is not enough.
        strict: bool,
    },
}

impl SettlementRule {
    /// The name of its kind, by which strategies ask for markets.
    #[must_use]
    pub fn family(&self) -> &'static str {
        match self {
            SettlementRule::VenueOnly => "venue",
            SettlementRule::UpDown { .. } => "up-down",
            SettlementRule::UpDownTwap { .. } => "up-down-mean",
            SettlementRule::Above { .. } => "above",
            SettlementRule::Candle { .. } => "candle",
            SettlementRule::Touch { .. } => "touch",
            SettlementRule::MeanAbove { .. } => "mean-above",
        }
    }

    /// Every name of [`family`](Self::family), in order.
    pub const FAMILIES: [&'static str; 7] = [
        "above",
        "candle",
        "mean-above",
        "touch",
        "up-down",
        "up-down-mean",
        "venue",
    ];

    /// The oracle it depends on.
    #[must_use]
    pub fn oracle(&self) -> Option<OracleId> {
        match self {
            SettlementRule::VenueOnly => None,
            SettlementRule::UpDown { oracle, .. }
            | SettlementRule::UpDownTwap { oracle, .. }
            | SettlementRule::Above { oracle, .. }
            | SettlementRule::Candle { oracle, .. }
            | SettlementRule::Touch { oracle, .. }
            | SettlementRule::MeanAbove { oracle, .. } => Some(*oracle),
        }
    }

    /// The oracle it depends on, to be numbered anew.
    pub fn oracle_mut(&mut self) -> Option<&mut OracleId> {
        match self {
            SettlementRule::VenueOnly => None,
            SettlementRule::UpDown { oracle, .. }
            | SettlementRule::UpDownTwap { oracle, .. }
            | SettlementRule::Above { oracle, .. }
            | SettlementRule::Candle { oracle, .. }
            | SettlementRule::Touch { oracle, .. }
            | SettlementRule::MeanAbove { oracle, .. } => Some(oracle),
        }
    }
}

/// A price feed. `source` and `symbol` name its channel: `oracle.<source>.<symbol>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleSpec {
    /// Ours.
    pub id: OracleId,
    /// "binance", "chainlink", …
    pub source: String,
    /// "btcusdt", "btcusd", …
    pub symbol: String,
    /// The feed that stands in for this one when a live value is needed and this one is slow or
    /// silent (Binance for Chainlink). Used for fair value only, never for settlement.
    pub proxy: Option<OracleId>,
}

/// What a taker pays per fill, as the market states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeeSchedule {
    /// The market states that there is none.
    Free,
    /// `shares × rate × p × (1 − p)`, rounded as named.
    /// Polymarket: 5 decimals toward zero (21 of 21 recorded on-chain fees reproduce);
    /// Kalshi: 4 decimals up (docs, fee_rounding).
    Quadratic {
        /// Rate in millionths (0.07 = 70,000).
        rate_ppm: u32,
        /// Rounding step in millionths of a dollar (10 = 5 decimals).
        step: u32,
        /// Whether the remainder is charged.
        round_up: bool,
    },
    /// `shares × p × rate × (p × (1 − p))²`, 4 decimals toward zero: Polymarket crypto, January to
    /// March 2026. Kept for recordings of that time.
    QuadraticSquared {
        /// Rate in millionths (0.25 = 250,000).
        rate_ppm: u32,
    },
    /// The market states one that we do not know: it can not be traded.
    Unknown,
}

impl FeeSchedule {
    /// Polymarket's formula in force since mid-2026.
    #[must_use]
    pub const fn polymarket(rate_ppm: u32) -> Self {
        FeeSchedule::Quadratic {
            rate_ppm,
            step: 10,
            round_up: false,
        }
    }

    /// Kalshi's taker formula (rate × multiplier already applied).
    #[must_use]
    pub const fn kalshi(rate_ppm: u32) -> Self {
        FeeSchedule::Quadratic {
            rate_ppm,
            step: 100,
            round_up: true,
        }
    }

    /// The fee of one fill; `None` when the schedule is unknown or the result does not fit.
    #[must_use]
    pub fn fee(self, price: Price, qty: Qty) -> Option<Usd> {
        let one = i128::from(ONE);
        let p = i128::from(price.0);
        let pq = p.checked_mul(one.checked_sub(p)?)?; // 1e-12
        let (exact, scale, step, rounding) = match self {
            FeeSchedule::Free => return Some(Usd::ZERO),
            FeeSchedule::Unknown => return None,
            FeeSchedule::Quadratic {
                rate_ppm,
                step,
                round_up,
            } => (
                i128::from(qty.0)
                    .checked_mul(i128::from(rate_ppm))?
                    .checked_mul(pq)?, // 1e-24
                10_i128.pow(18),
                i128::from(step),
                if round_up {
                    Rounding::Up
                } else {
                    Rounding::TowardZero
                },
            ),
            FeeSchedule::QuadraticSquared { rate_ppm } => {
                // shares 1e-6 × p 1e-6 × rate 1e-6 × pq² 1e-24, with pq² cut to 1e-12 first.
                let squared =
                    div_round(pq.checked_mul(pq)?, 10_i128.pow(12), Rounding::TowardZero)?;
                (
                    i128::from(qty.0)
                        .checked_mul(p)?
                        .checked_mul(i128::from(rate_ppm))?
                        .checked_mul(squared)?, // 1e-30
                    10_i128.pow(24),
                    100,
                    Rounding::TowardZero,
                )
            }
        };
        let steps = div_round(exact, scale.checked_mul(step)?, rounding)?;
        i64::try_from(steps.checked_mul(step)?).ok().map(Usd)
    }

    /// The fee that one share bears, rounded up: what an edge is judged by. Taken from a million
    /// shares, so that no schedule's cutting of single fills hides a part of it.
    #[must_use]
    pub fn per_share(self, price: Price) -> Option<Usd> {
        const MANY: i64 = 1_000_000;
        let many = self.fee(price, Qty(MANY.checked_mul(ONE)?))?;
        let each = div_round(i128::from(many.0), i128::from(MANY), Rounding::Up)?;
        i64::try_from(each).ok().map(Usd)
    }
}

/// Where a market is in its life. See `settlement` for the transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MarketStatus {
    /// Trading.
    Open,
    /// The venue paused it.
    Paused,
    /// Trading ended; the outcome is not known.
    Pending,
    /// The outcome is known and booked.
    Settled,
    /// Neither outcome won: every share pays 0.50.
    Void,
    /// Two sources of truth disagree; its capital stays locked.
    Disputed,
    /// It was booked, and its venue says otherwise since: nothing is booked again.
    Contradicted,
}

impl MarketStatus {
    /// The name used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MarketStatus::Open => "open",
            MarketStatus::Paused => "paused",
            MarketStatus::Pending => "pending",
            MarketStatus::Settled => "settled",
            MarketStatus::Void => "void",
            MarketStatus::Disputed => "disputed",
            MarketStatus::Contradicted => "contradicted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_of_the_golden_examples() {
        let crypto = FeeSchedule::polymarket(70_000);
        // BUY 1.219511 @ 0.82: 0.012599987… is cut to 0.01259 (venues/polymarket.md, Fees).
        assert_eq!(
            crypto.fee(Price(820_000), Qty(1_219_511)),
            Some(Usd(12_590))
        );
        // YES at 52 c: 0.01747 a share (honest-paper.md).
        assert_eq!(
            crypto.fee(Price(520_000), Qty(1_000_000)),
            Some(Usd(17_470))
        );
        // Exactly 0.017472; judged by no less than that.
        assert_eq!(crypto.per_share(Price(520_000)), Some(Usd(17_472)));
        assert_eq!(crypto.per_share(Price(10_001)), Some(Usd(694)));
        assert_eq!(FeeSchedule::Unknown.per_share(Price(520_000)), None);
        // Kalshi at 0.50: 100 contracts 1.75.
        assert_eq!(
            FeeSchedule::kalshi(70_000).fee(Price(500_000), Qty(100_000_000)),
            Some(Usd(1_750_000))
        );
        assert_eq!(
            FeeSchedule::Unknown.fee(Price(500_000), Qty(1_000_000)),
            None
        );
        // 100 shares at 0.50 under the spring 2026 formula: 100 × 0.5 × 0.25 × 0.0625 = 0.78125 → 0.7812.
        assert_eq!(
            FeeSchedule::QuadraticSquared { rate_ppm: 250_000 }
                .fee(Price(500_000), Qty(100_000_000)),
            Some(Usd(781_200))
        );
    }
}
