//! How prices of different outcomes bind each other: which outcome can not happen without another.
//!
//! Owns what makes two markets comparable and the proof that one implies the other. It sees rules and
//! strikes only; prices are the scanner's. What can not be proven from the rules alone (another
//! source, another closing instant, a strike nobody has stated) is no relation.
//!
//! A market with a threshold is a *rung*; markets that differ only in their threshold or window stand
//! on one *ladder*. Higher rungs are harder to reach, whichever way the price must go.

use crate::ids::{MarketId, OracleId, Timestamp, Venue};
use crate::market::{MarketSpec, SettlementRule};
use crate::units::SpotPrice;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Why the legs of an opportunity surely pay what they pay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Relation {
    /// The two outcomes of one market: one of them pays.
    Complement,
    /// One outcome of every market of which exactly one comes true.
    ExclusiveSet,
    /// The higher threshold can not be passed without the lower one.
    Threshold,
    /// What happens within the inner window (or from the later opening) happens within the outer one.
    NestedWindow,
    /// The same question on two venues.
    SameQuestion,
}

impl Relation {
    /// The name used in messages and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Relation::Complement => "complement",
            Relation::ExclusiveSet => "exclusive_set",
            Relation::Threshold => "threshold",
            Relation::NestedWindow => "nested_window",
            Relation::SameQuestion => "same_question",
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What has to be equal before thresholds compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ladder {
    venue: Venue,
    oracle: OracleId,
    measure: Measure,
}

/// What is held against the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Measure {
    /// The value of one instant or the close of one candle, against a stated strike.
    Value {
        closes_at: Timestamp,
        candle_secs: Option<u32>,
    },
    /// The value of the closing second, against that of the opening second.
    Close { closes_at: Timestamp },
    /// The mean of the last seconds, against a stated strike.
    Mean {
        closes_at: Timestamp,
        lookback_secs: u32,
    },
    /// The same, as Up/Down markets have it.
    CloseMean {
        closes_at: Timestamp,
        lookback_secs: u32,
    },
    /// Highs or lows of candles within a window, which may differ from rung to rung.
    Extreme { rises: bool, interval_secs: u32 },
}

/// A market's place: on its ladder by height, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rung {
    pub ladder: Ladder,
    /// The threshold, turned so that more is harder, and whether equality is not enough.
    height: (i128, bool),
    pub market: MarketId,
}

impl Rung {
    /// The place of a market; `None` when nothing can be compared with it. `opening` is what the source
    /// said in the opening second, where that is the price to beat.
    pub(crate) fn of(spec: &MarketSpec, opening: Option<SpotPrice>) -> Option<Self> {
        let closes_at = spec.closes_at;
        let (oracle, measure, height) = match spec.settlement {
            // A candle's open and the mean of a window are known from ticks only roughly: good for a
            // fair value, no proof. The venue's own statement is one.
            SettlementRule::VenueOnly | SettlementRule::Candle { .. } => return None,
            SettlementRule::Above {
                oracle,
                strike,
                strict,
                candle_secs,
            } => {
                let measure = Measure::Value {
                    closes_at,
                    candle_secs,
                };
                (oracle, measure, (strike.0, strict))
            }
            SettlementRule::UpDown { oracle, .. } => {
                (oracle, Measure::Close { closes_at }, (opening?.0, false))
            }
            SettlementRule::MeanAbove {
                oracle,
                lookback_secs,
                strike,
                strict,
            } => {
                let measure = Measure::Mean {
                    closes_at,
                    lookback_secs,
                };
                (oracle, measure, (strike?.0, strict))
            }
            SettlementRule::UpDownTwap {
                oracle,
                lookback_secs,
                strike,
            } => {
                let measure = Measure::CloseMean {
                    closes_at,
                    lookback_secs,
                };
                (oracle, measure, (strike?.0, false))
            }
            SettlementRule::Touch {
                oracle,
                barrier,
                rises,
                interval_secs,
            } => {
                // A window without a stated start lies in no other one for sure.
                if spec.opens_at == Timestamp(0) {
                    return None;
                }
                let measure = Measure::Extreme {
                    rises,
                    interval_secs,
                };
                let height = if rises {
                    barrier.0
                } else {
                    barrier.0.checked_neg()?
                };
                (oracle, measure, (height, false))
            }
        };
        Some(Self {
            ladder: Ladder {
                venue: spec.venue,
                oracle,
                measure,
            },
            height,
            market: spec.id,
        })
    }

    /// The lowest and the highest place there can be on the ladder.
    pub(crate) fn ends(self) -> (Self, Self) {
        let low = Self {
            height: (i128::MIN, false),
            market: MarketId(0),
            ..self
        };
        let high = Self {
            height: (i128::MAX, true),
            market: MarketId(u32::MAX),
            ..self
        };
        (low, high)
    }

    /// Whether outcome 0 here can not come true without outcome 0 there, and by which relation.
    pub(crate) fn implies(
        &self,
        spec: &MarketSpec,
        other: &Rung,
        other_spec: &MarketSpec,
    ) -> Option<Relation> {
        if self.ladder != other.ladder || self.height < other.height {
            return None;
        }
        let same_window =
            (spec.opens_at, spec.closes_at) == (other_spec.opens_at, other_spec.closes_at);
        let within = spec.opens_at >= other_spec.opens_at && spec.closes_at <= other_spec.closes_at;
        match self.ladder.measure {
            Measure::Extreme { .. } if !within => None,
            // Where one instant decides, nothing depends on the window but the strike it gave.
            _ if same_window => Some(Relation::Threshold),
            Measure::Value { .. } | Measure::Mean { .. } => Some(Relation::Threshold),
            Measure::Close { .. } | Measure::CloseMean { .. } | Measure::Extreme { .. } => {
                Some(Relation::NestedWindow)
            }
        }
    }
}

#[cfg(test)]
#[path = "relation_tests.rs"]
mod tests;
