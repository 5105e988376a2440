//! Denials: recorded leg by leg, told to the strategy, and counted where one by one would be a flood.
//!
//! Owns the count of the present minute. A strategy that runs away wishes as often as it is called; of
//! each minute its first [`DENIALS_STORED_PER_MINUTE`] denials for one reason are stored whole, and the
//! rest as one number. Every one of them is published as a decision and told to the strategy all the same.

use super::decide::{Provenance, RowLeg};
use super::{Engine, MAX_ROUNDS, Turn};
use crate::effect::{DenialCount, Effect, Rejection};
use crate::ids::{Nanos, StrategyId, Timestamp};
use crate::reason::Reason;
use crate::strategy::{Intent, MAX_LEGS};
use std::collections::BTreeMap;

/// Denied wishes of one strategy, for one reason, that are stored one by one in one minute of the run.
pub const DENIALS_STORED_PER_MINUTE: u32 = 30;
/// A minute.
const MINUTE: u64 = 60 * 1_000_000_000;

/// How many denials the present minute has had.
#[derive(Debug, Default)]
pub(super) struct Denials(BTreeMap<(StrategyId, Reason), Minute>);

#[derive(Debug)]
struct Minute {
    start: Timestamp,
    stored: u32,
    wishes: u64,
    legs: u64,
}

impl Denials {
    /// Whether a denial is stored whole; otherwise it is to be [counted](Self::count).
    pub(super) fn admit(&mut self, strategy: StrategyId, reason: Reason, now: Timestamp) -> bool {
        let start = Timestamp((now.0 / MINUTE).saturating_mul(MINUTE));
        let new = || Minute {
            start,
            stored: 0,
            wishes: 0,
            legs: 0,
        };
        let minute = self.0.entry((strategy, reason)).or_insert_with(new);
        if minute.start != start {
            *minute = new();
        }
        let admitted = minute.stored < DENIALS_STORED_PER_MINUTE;
        if admitted {
            minute.stored = minute.stored.saturating_add(1);
        }
        admitted
    }

    /// Counts one that was not admitted, and says what the minute has come to.
    fn count(&mut self, source: &Provenance<'_>, reason: Reason, legs: u64) -> Option<DenialCount> {
        let minute = self.0.get_mut(&(source.strategy, reason))?;
        minute.wishes = minute.wishes.saturating_add(1);
        minute.legs = minute.legs.saturating_add(legs);
        Some(DenialCount {
            strategy: source.strategy,
            strategy_name: source.author.name.clone(),
            reason,
            minute: minute.start,
            wishes: minute.wishes,
            legs: minute.legs,
        })
    }
}

impl Engine {
    /// Records a denial, leg by leg, and tells the strategy. A leg that names no listed instrument has
    /// no market to file a row under: the wish itself is its record.
    pub(super) fn deny(
        &mut self,
        intent: &Intent,
        source: &Provenance<'_>,
        rejection: &Rejection,
        round: u8,
        stored: bool,
        turn: &mut Turn<'_>,
    ) {
        self.counts.denied = self.counts.denied.saturating_add(1);
        self.flow.denied(rejection.reason);
        let slot = self.slot_mut(source.strategy);
        slot.denied = slot.denied.saturating_add(1);
        if matches!(rejection.reason, Reason::DailyLoss | Reason::Drawdown) {
            self.halt(
                format!(
                    "{}: {} of {}",
                    rejection.reason, rejection.observed, rejection.limit
                ),
                turn,
            );
        }
        let mut uncounted = 0_u64;
        let legs = intent.legs.iter().take(MAX_LEGS);
        for (n, leg) in (0_u16..).zip(legs) {
            if stored {
                let book = self.data.book(leg.instrument);
                let row_leg = RowLeg {
                    n,
                    instrument: leg.instrument,
                    buy: leg.buy,
                    limit: leg.limit,
                    book_age: book.map_or(Nanos(0), |book| book.age(turn.at)),
                };
                if let Some(mut row) = self.row(source, row_leg, turn.at, turn) {
                    row.rejection = Some(rejection.clone());
                    self.record_trade(row, turn);
                }
            } else if self.data.market_of(leg.instrument).is_some() {
                uncounted = uncounted.saturating_add(1);
            }
            if round < MAX_ROUNDS {
                self.notify_refused(
                    source,
                    intent.tag,
                    leg.instrument,
                    rejection.reason,
                    round,
                    turn,
                );
            }
        }
        if !stored && let Some(count) = self.denials.count(source, rejection.reason, uncounted) {
            self.emit(Effect::CountDenials(Box::new(count)), turn);
        }
    }
}
