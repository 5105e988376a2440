//! The last calls that an instance was told, so that a successor can be rehearsed on them.
//!
//! Owns a ring of at most [`CALLS_MAX`] calls: about 80 bytes each, and an opportunity with at most eight
//! legs where one was told, so less than a megabyte when full and nothing before the first call. Market
//! listings are not kept: who rehearses is told the open markets first.

use pm_arb_core::event::{OracleTick, Print};
use pm_arb_core::ids::{InstrumentId, MarketId, Timestamp};
use pm_arb_core::opportunity::Opportunity;
use pm_arb_core::strategy::{
    Filled, Output, Quote, Refused, Settled, Strategy, StrategyEvent, StrategyFault,
};
use pm_arb_core::units::Usd;
use std::fmt;

/// Calls that are kept; the oldest goes first.
pub const CALLS_MAX: usize = 1_024;

/// One call, without what it was answered.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Quote(Quote),
    MarketClosed(MarketId),
    OracleTick(OracleTick),
    Print(Print),
    Opportunity(Box<Opportunity>, Usd),
    Filled(Filled),
    Refused(Refused),
    Settled(Settled),
    Gap(InstrumentId),
    Timer,
}

impl Told {
    /// What is to be kept of an event.
    pub(super) fn of(event: &StrategyEvent<'_>) -> Option<Self> {
        Some(match *event {
            StrategyEvent::MarketListed(_) => return None,
            StrategyEvent::MarketClosed(market) => Self::MarketClosed(market),
            StrategyEvent::OracleTick(tick) => Self::OracleTick(*tick),
            StrategyEvent::Print(print) => Self::Print(*print),
            StrategyEvent::Opportunity { seen, free_capital } => {
                Self::Opportunity(Box::new(seen.clone()), free_capital)
            }
            StrategyEvent::Filled(filled) => Self::Filled(*filled),
            StrategyEvent::Refused(refused) => Self::Refused(*refused),
            StrategyEvent::Settled(settled) => Self::Settled(*settled),
            StrategyEvent::Gap(instrument) => Self::Gap(instrument),
            StrategyEvent::Timer => Self::Timer,
        })
    }

    /// Tells it to somebody.
    pub(super) fn tell(
        &self,
        now: Timestamp,
        to: &mut dyn Strategy,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let event = match self {
            Self::Quote(quote) => return to.on_quote(now, quote, out),
            Self::MarketClosed(market) => StrategyEvent::MarketClosed(*market),
            Self::OracleTick(tick) => StrategyEvent::OracleTick(tick),
            Self::Print(print) => StrategyEvent::Print(print),
            Self::Opportunity(seen, free_capital) => StrategyEvent::Opportunity {
                seen,
                free_capital: *free_capital,
            },
            Self::Filled(filled) => StrategyEvent::Filled(filled),
            Self::Refused(refused) => StrategyEvent::Refused(refused),
            Self::Settled(settled) => StrategyEvent::Settled(settled),
            Self::Gap(instrument) => StrategyEvent::Gap(*instrument),
            Self::Timer => StrategyEvent::Timer,
        };
        to.on_event(now, &event, out)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quote(quote) => write!(f, "a quote of instrument {}", quote.instrument.0),
            Self::MarketClosed(market) => write!(f, "the closing of market {}", market.0),
            Self::OracleTick(tick) => write!(f, "a value of oracle {}", tick.oracle.0),
            Self::Print(print) => write!(f, "a trade of instrument {}", print.instrument.0),
            Self::Opportunity(seen, _) => write!(f, "an opportunity of {} legs", seen.legs.len()),
            Self::Filled(filled) => write!(f, "a fill of instrument {}", filled.instrument.0),
            Self::Refused(refused) => write!(f, "a denial ({})", refused.reason),
            Self::Settled(settled) => write!(f, "the settlement of market {}", settled.market.0),
            Self::Gap(instrument) => write!(f, "a gap of instrument {}", instrument.0),
            Self::Timer => write!(f, "a timer"),
        }
    }
}

/// See the top of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    calls: Vec<(Timestamp, Told)>,
    /// Where the next one goes once it is full.
    next: usize,
}

impl Tape {
    pub(super) fn push(&mut self, now: Timestamp, told: Told) {
        if self.calls.len() < CALLS_MAX {
            self.calls.push((now, told));
        } else if let Some(place) = self.calls.get_mut(self.next) {
            *place = (now, told);
            self.next = (self.next + 1) % CALLS_MAX;
        }
    }

    /// Oldest first.
    pub(super) fn calls(&self) -> impl Iterator<Item = &(Timestamp, Told)> {
        let (newer, older) = self.calls.split_at(self.next.min(self.calls.len()));
        older.iter().chain(newer)
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_calls_are_kept_in_order() {
        let mut tape = Tape::default();
        let told = |n: u64| Timestamp(n);
        for n in 0..CALLS_MAX as u64 + 10 {
            tape.push(told(n), Told::Timer);
        }
        let times: Vec<u64> = tape.calls().map(|(at, _)| at.0).collect();
        assert_eq!(times.len(), CALLS_MAX);
        assert!(times.is_sorted() && times[0] == 10, "{:?}", &times[..2]);
        assert!(size_of::<(Timestamp, Told)>() <= 96);
    }
}
