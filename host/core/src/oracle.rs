//! One oracle feed: its last value, how fresh it is, and its values by source second.
//!
//! Owns the retained ticks, the final candles, the volatility measured on the ticks and the basis
//! against its stand-in. A missing second stays missing: nothing is interpolated, and only the exact
//! second settles, or the exact candle.

use crate::event::{Candle, OracleTick};
use crate::fair_value::{Basis, Volatility};
use crate::ids::{Nanos, OracleId, Timestamp};
use crate::market::OracleSpec;
use crate::reason::Reason;
use crate::units::SpotPrice;
use std::collections::{BTreeMap, VecDeque};

/// Source seconds kept (four and a half hours): the longest up-or-down window still finds its opening,
/// and the mean before it, when it closes.
pub const RETAINED_SECONDS: usize = 16_200;
/// Final candles kept of one length (a day of minutes); the earliest goes first.
pub const RETAINED_CANDLES: usize = 1_440;
/// Different lengths of candles kept; candles of one more are refused.
pub const CANDLE_LENGTHS_MAX: usize = 16;
/// A tick stamped further ahead of its receipt than this is refused: it would block all that follow.
pub const AHEAD_MAX: Nanos = Nanos::from_ms(60_000);
/// In a mean, a value stands for the seconds after it, but for no more of them than this.
pub const CARRY_SECS_MAX: u64 = 5;

/// How far an oracle can be believed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Young enough.
    Fresh {
        /// The value.
        price: SpotPrice,
        /// The instant it is valid for.
        source_time: Timestamp,
        /// Time since then.
        age: Nanos,
    },
    /// Too old, or its stream was interrupted.
    Stale {
        /// Time since the last value.
        age: Nanos,
    },
    /// Never seen.
    Missing,
}

/// The first value of a source second.
#[derive(Debug, Clone, Copy)]
struct Second {
    secs: u64,
    price: SpotPrice,
    /// Whether it followed the tick before it without an interruption: then nothing of its source
    /// lies between the two.
    joined: bool,
}

/// What is known of one oracle feed.
#[derive(Debug, Clone)]
pub struct OracleState {
    spec: OracleSpec,
    last: Option<OracleTick>,
    received_at: Timestamp,
    interrupted: bool,
    /// How many ticks advanced it: what was computed from one count is valid until the next.
    ticks: u64,
    /// By ascending second.
    seconds: VecDeque<Second>,
    /// By length in seconds, then by start.
    candles: BTreeMap<u64, BTreeMap<Timestamp, Candle>>,
    pub(crate) volatility: Volatility,
    pub(crate) basis: Basis,
}

impl OracleState {
    /// A feed that has not spoken yet.
    #[must_use]
    pub fn new(spec: OracleSpec) -> Self {
        Self {
            spec,
            last: None,
            received_at: Timestamp(0),
            interrupted: false,
            ticks: 0,
            seconds: VecDeque::new(),
            candles: BTreeMap::new(),
            volatility: Volatility::default(),
            basis: Basis::default(),
        }
    }

    /// Takes a tick. Returns whether it is the first of its source second. One that is older than
    /// the last may still fill a second that was missing; otherwise it is `OutOfOrder`.
    pub fn apply(&mut self, tick: &OracleTick, at: Timestamp) -> Result<bool, Reason> {
        if tick.price.0 <= 0 || tick.source_time > at.plus(AHEAD_MAX) {
            return Err(Reason::MalformedFrame);
        }
        let late = self.last.is_some_and(|l| tick.source_time < l.source_time);
        let first = self.retain(Second {
            secs: tick.source_time.secs(),
            price: tick.price,
            joined: !late && !self.interrupted && self.last.is_some(),
        });
        if late {
            return if first {
                Ok(true)
            } else {
                Err(Reason::OutOfOrder)
            };
        }
        self.last = Some(*tick);
        self.received_at = at;
        self.interrupted = false;
        self.ticks = self.ticks.saturating_add(1);
        self.volatility.observe(tick.source_time, tick.price);
        Ok(first)
    }

    /// Takes a final candle. The same again changes nothing; another one of the same interval is
    /// `OutOfOrder`: what was final stays. One earlier than all that are kept is accepted and not kept.
    pub fn apply_candle(&mut self, candle: &Candle, at: Timestamp) -> Result<(), Reason> {
        let within = |p: SpotPrice| candle.low <= p && p <= candle.high;
        let prices = candle.low.0 > 0 && within(candle.open) && within(candle.close);
        let times = candle.open_time < candle.close_time;
        if !prices || !times || candle.close_time > at.plus(AHEAD_MAX) {
            return Err(Reason::MalformedFrame);
        }
        let secs = candle.secs();
        if !self.candles.contains_key(&secs) && self.candles.len() >= CANDLE_LENGTHS_MAX {
            return Err(Reason::MalformedFrame);
        }
        let kept = self.candles.entry(secs).or_default();
        match kept.get(&candle.open_time) {
            Some(known) if known == candle => return Ok(()),
            Some(_) => return Err(Reason::OutOfOrder),
            None => {}
        }
        if kept.len() >= RETAINED_CANDLES {
            match kept.first_key_value() {
                Some((first, _)) if candle.open_time < *first => return Ok(()),
                _ => kept.pop_first(),
            };
        }
        kept.insert(candle.open_time, *candle);
        Ok(())
    }

    /// The final candle of the `secs` seconds from `opens_at` on, if it came and is still kept.
    #[must_use]
    pub fn candle(&self, opens_at: Timestamp, secs: u32) -> Option<&Candle> {
        let candle = self.candles.get(&u64::from(secs))?.get(&opens_at)?;
        candle.spans(opens_at, secs).then_some(candle)
    }

    /// The final candles of that length which start at or after `from`, as far as they are kept.
    pub fn candles_since(&self, from: Timestamp, secs: u32) -> impl Iterator<Item = &Candle> {
        let kept = self.candles.get(&u64::from(secs));
        kept.into_iter()
            .flat_map(move |kept| kept.range(from..))
            .map(|(_, candle)| candle)
    }

    /// Its stream was interrupted: the last value is stale at once.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Its description changed.
    pub fn respecify(&mut self, spec: OracleSpec) {
        self.spec = spec;
    }

    /// What it is.
    #[must_use]
    pub fn spec(&self) -> &OracleSpec {
        &self.spec
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> OracleId {
        self.spec.id
    }

    /// The last tick, however old.
    #[must_use]
    pub fn last(&self) -> Option<&OracleTick> {
        self.last.as_ref()
    }

    /// When the last tick was received.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// Counts the ticks that advanced it.
    #[must_use]
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Its value, if it may back a decision. The age is counted from the instant the value is valid
    /// for, so a relay that delivers promptly but late is late.
    #[must_use]
    pub fn reading(&self, now: Timestamp, max_age: Nanos) -> Reading {
        let Some(last) = &self.last else {
            return Reading::Missing;
        };
        let age = now.since(last.source_time);
        if self.interrupted || age > max_age {
            return Reading::Stale { age };
        }
        Reading::Fresh {
            price: last.price,
            source_time: last.source_time,
            age,
        }
    }

    /// The first value whose source time lies in exactly that second; `None` when none did (or it
    /// is no longer kept). Never the value of a neighbour.
    #[must_use]
    pub fn value_at_second(&self, at: Timestamp) -> Option<SpotPrice> {
        let secs = at.secs();
        let i = self.seconds.partition_point(|s| s.secs < secs);
        let second = self.seconds.get(i)?;
        (second.secs == secs).then_some(second.price)
    }

    /// The first value at or after that instant, which must be a whole second; `None` unless the
    /// stream ran through it uninterrupted, so that there can be no earlier one. It is what a candle
    /// that starts then opens at.
    #[must_use]
    pub fn first_since(&self, at: Timestamp) -> Option<SpotPrice> {
        let whole = Timestamp::from_secs(at.secs()) == at;
        let i = self.seconds.partition_point(|s| s.secs < at.secs());
        let first = self.seconds.get(i)?;
        (whole && i > 0 && first.joined).then_some(first.price)
    }

    /// Time-weighted mean over `[from, to)` in whole seconds, each value standing until the next
    /// (at most [`CARRY_SECS_MAX`]). `None` where that leaves a hole. An estimate for fair values;
    /// nothing is settled on it.
    #[must_use]
    pub fn mean(&self, from: Timestamp, to: Timestamp) -> Option<SpotPrice> {
        let (from, to) = (from.secs(), to.secs());
        let total = to.checked_sub(from).filter(|n| *n > 0)?;
        let mut sum: i128 = 0;
        let mut until = to;
        let after = self.seconds.partition_point(|s| s.secs < to);
        for second in self.seconds.range(..after).rev() {
            let start = second.secs.max(from);
            if until.saturating_sub(second.secs) > CARRY_SECS_MAX {
                return None;
            }
            let weight = i128::from(until.saturating_sub(start));
            sum = sum.checked_add(second.price.0.checked_mul(weight)?)?;
            until = start;
            if until == from {
                return sum.checked_div(i128::from(total)).map(SpotPrice);
            }
        }
        None
    }

    /// The one-second values of `[from, to)`, when every one was received: nothing stands in for a
    /// missing one. Otherwise the seconds that are missing.
    pub fn seconds(&self, from: u64, to: u64) -> Result<Vec<SpotPrice>, Vec<u64>> {
        let first = self.seconds.partition_point(|s| s.secs < from);
        let mut kept = self.seconds.range(first..).peekable();
        let (mut values, mut missing) = (Vec::new(), Vec::new());
        for secs in from..to {
            match kept.next_if(|s| s.secs == secs) {
                Some(second) => values.push(second.price),
                None => missing.push(secs),
            }
        }
        if missing.is_empty() {
            Ok(values)
        } else {
            Err(missing)
        }
    }

    /// Keeps the first value of a second. Returns whether it was that.
    fn retain(&mut self, second: Second) -> bool {
        let secs = second.secs;
        let at = match self.seconds.back() {
            Some(last) if last.secs == secs => return false,
            Some(last) if last.secs > secs => {
                let i = self.seconds.partition_point(|s| s.secs < secs);
                let known = self.seconds.get(i).is_some_and(|s| s.secs == secs);
                if known || (i == 0 && self.seconds.len() >= RETAINED_SECONDS) {
                    return false;
                }
                i
            }
            _ => self.seconds.len(),
        };
        self.seconds.insert(at, second);
        if self.seconds.len() > RETAINED_SECONDS {
            self.seconds.pop_front();
        }
        true
    }
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
