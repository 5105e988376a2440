//! What the scanner learns from outcomes: forecasts are kept until their market is settled.
//!
//! Owns one [`Calibration`] a settlement source and the forecasts that wait. A forecast is kept once for
//! every market and time left, as it was computed then; an outcome counts from the moment it is booked.

use crate::fair_value::{Calibration, Forecast, TimeLeft};
use crate::ids::{MarketId, OracleId};
use crate::units::Price;
use std::collections::BTreeMap;

/// Most markets whose forecasts wait for an outcome. Beyond it the oldest market teaches nothing.
const MAX_WAITING: usize = 16_384;

#[derive(Debug)]
struct Waiting {
    source: OracleId,
    /// One for every time left, in that order.
    forecasts: Vec<Forecast>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Learning {
    by_source: BTreeMap<OracleId, Calibration>,
    /// What is believed of a source before any of its markets was settled.
    unlearnt: Calibration,
    waiting: BTreeMap<MarketId, Waiting>,
    /// Counts lessons: what was computed before one is to be computed again.
    lessons: u64,
}

impl Learning {
    /// What the outcomes of a source's markets taught.
    pub(super) fn of(&self, source: OracleId) -> &Calibration {
        self.by_source.get(&source).unwrap_or(&self.unlearnt)
    }

    /// The same beliefs, with nothing that waits.
    pub(super) fn beliefs(&self) -> Self {
        Self {
            by_source: self.by_source.clone(),
            unlearnt: self.unlearnt.clone(),
            waiting: BTreeMap::new(),
            lessons: self.lessons,
        }
    }

    pub(super) fn lessons(&self) -> u64 {
        self.lessons
    }

    /// Whether a forecast for that time left is still wanted.
    pub(super) fn wants(&self, market: MarketId, left: TimeLeft) -> bool {
        let last = self.waiting.get(&market).and_then(|w| w.forecasts.last());
        last.is_none_or(|last| last.left < left)
    }

    /// Keeps one that is wanted.
    pub(super) fn keep(&mut self, market: MarketId, source: OracleId, forecast: Forecast) {
        let waiting = self.waiting.entry(market).or_insert_with(|| Waiting {
            source,
            forecasts: Vec::new(),
        });
        waiting.forecasts.push(forecast);
        if self.waiting.len() > MAX_WAITING {
            self.waiting.pop_first();
        }
    }

    /// A market was settled. A void one teaches nothing.
    pub(super) fn settled(&mut self, market: MarketId, payouts: &[Price]) {
        let Some(waiting) = self.waiting.remove(&market) else {
            return;
        };
        let true_ = match payouts {
            [Price::DOLLAR, Price::ZERO] => true,
            [Price::ZERO, Price::DOLLAR] => false,
            _ => return,
        };
        let calibration = self.by_source.entry(waiting.source).or_default();
        calibration.learn(&waiting.forecasts, true_);
        self.lessons = self.lessons.saturating_add(1);
    }
}
