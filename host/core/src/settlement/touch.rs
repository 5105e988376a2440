//! Markets decided by whether a price was touched: what the candles of their window said so far.
//!
//! One candle that touches is proof, even long before the close. That none did is known only when every
//! candle of the window was seen. A window may last a year of minutes, so candles are not kept: only the
//! first that touched, the extreme one, and which stretches of the window were seen.

use super::Finding;
use crate::event::Candle;
use crate::ids::{OracleId, Timestamp};
use crate::market::{MarketSpec, SettlementRule};
use crate::oracle::OracleState;
use crate::units::SpotPrice;
use std::collections::BTreeMap;

/// Most separate stretches that are told apart. Further ones are not counted as seen, so a window of so
/// many holes can not end untouched; a touch in them still counts.
const STRETCHES_MAX: usize = 256;

/// What was seen of a window.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    oracle: OracleId,
    barrier: SpotPrice,
    rises: bool,
    interval_secs: u32,
    /// The window, in seconds; its end is not part of it.
    from: u64,
    to: u64,
    touched: Option<Candle>,
    /// The highest high, or the lowest low.
    extreme: Option<SpotPrice>,
    /// Seen stretches of seconds, from start to end, apart from each other.
    seen: BTreeMap<u64, u64>,
}

impl Watch {
    /// Of a market that a touch decides and whose window is known.
    pub(super) fn of(spec: &MarketSpec) -> Option<Self> {
        let SettlementRule::Touch {
            oracle,
            barrier,
            rises,
            interval_secs,
        } = spec.settlement
        else {
            return None;
        };
        let (from, to) = (spec.opens_at.secs(), spec.closes_at.secs());
        (from > 0 && from < to && interval_secs > 0).then_some(Self {
            oracle,
            barrier,
            rises,
            interval_secs,
            from,
            to,
            touched: None,
            extreme: None,
            seen: BTreeMap::new(),
        })
    }

    pub(super) fn oracle(&self) -> OracleId {
        self.oracle
    }

    /// Whether the other asks the same question.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let question = |w: &Self| (w.oracle, w.barrier, w.rises, w.interval_secs, w.from, w.to);
        question(self) == question(other)
    }

    pub(super) fn is_touched(&self) -> bool {
        self.touched.is_some()
    }

    /// Whether every second of the window was seen.
    pub(super) fn is_complete(&self) -> bool {
        self.first_unseen() >= self.to
    }

    /// Notes the candles that the source keeps.
    pub(super) fn see_all(&mut self, source: &OracleState) {
        let from = Timestamp::from_secs(self.from);
        for candle in source.candles_since(from, self.interval_secs) {
            self.see(candle);
        }
    }

    /// Notes a final candle; `false` when it is none of the window's or was seen before.
    pub(super) fn see(&mut self, candle: &Candle) -> bool {
        let (start, end) = (candle.open_time.secs(), candle.end_second());
        let whole = candle.spans(Timestamp::from_secs(start), self.interval_secs);
        let within = self.from <= start && end <= self.to;
        if !whole || !within || self.is_seen(start) {
            return false;
        }
        let reached = if self.rises { candle.high } else { candle.low };
        let beats = |a: SpotPrice, b: SpotPrice| if self.rises { a >= b } else { a <= b };
        if beats(reached, self.barrier) && self.touched.is_none() {
            self.touched = Some(*candle);
        }
        if self.extreme.is_none_or(|e| beats(reached, e)) {
            self.extreme = Some(reached);
        }
        self.join(start, end);
        true
    }

    /// The outcome, or what is missing.
    pub(super) fn finding(&self) -> Finding {
        let (word, verb) = if self.rises {
            ("high", "reach")
        } else {
            ("low", "fall to")
        };
        if let Some(candle) = &self.touched {
            let reached = if self.rises { candle.high } else { candle.low };
            return Finding::Known(
                true,
                format!(
                    "candle of {} s from second {} had a {word} of {reached} against {}",
                    self.interval_secs,
                    candle.open_time.secs(),
                    self.barrier
                ),
            );
        }
        let extreme = match self.extreme {
            Some(extreme) => format!("the most extreme {word} was {extreme}"),
            None => "none was seen".to_owned(),
        };
        if self.is_complete() {
            return Finding::Known(
                false,
                format!(
                    "did not {verb} {} in any candle from second {} to {}: {extreme}",
                    self.barrier, self.from, self.to
                ),
            );
        }
        Finding::lacks(
            format!(
                "did not {verb} {} in the candles seen ({extreme}), but the one from second {} is missing",
                self.barrier,
                self.first_unseen()
            ),
            Vec::new(),
        )
    }

    fn first_unseen(&self) -> u64 {
        self.seen.get(&self.from).copied().unwrap_or(self.from)
    }

    fn is_seen(&self, second: u64) -> bool {
        let before = self.seen.range(..=second).next_back();
        before.is_some_and(|(_, end)| *end > second)
    }

    /// Adds a stretch and joins it with those it meets.
    fn join(&mut self, mut start: u64, mut end: u64) {
        if let Some((&before, &until)) = self.seen.range(..=start).next_back()
            && until >= start
        {
            self.seen.remove(&before);
            (start, end) = (before, end.max(until));
        }
        while let Some((&next, &until)) = self.seen.range(start..=end).next() {
            self.seen.remove(&next);
            end = end.max(until);
        }
        if self.seen.len() < STRETCHES_MAX {
            self.seen.insert(start, end);
        }
    }
}
