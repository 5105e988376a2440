//! A strategy that trades as often as it is told to, for the rows in which trading itself is measured.
//!
//! It counts quotes and wishes at every so-manieth one: in turn it buys five shares at the ask and sells
//! five at the bid, each a cent beyond so that the order is marketable, and, when it may rest, leaves a
//! bid at the best price for two seconds.

use crate::native::{EDGE, REACH, SHARES};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::strategy::{
    Intent, IntentLeg, Output, Quote, Strategy, StrategyEvent, StrategyFault, TimeInForce,
};
use pm_arb_core::units::{Price, Qty, Usd};

/// How long a bid rests, in nanoseconds.
const REST: u64 = 2_000_000_000;

/// The strategy.
#[derive(Debug, Clone, Default)]
pub struct Trader {
    /// Quotes from one wish to the next; it never wishes when this is zero.
    pub every: u64,
    /// Whether it leaves bids.
    pub rests: bool,
    quotes: u64,
    wishes: u64,
    mids: i64,
}

impl Trader {
    /// One that wishes at every so-manieth quote.
    pub fn new(every: u64, rests: bool) -> Self {
        Self {
            every,
            rests,
            ..Self::default()
        }
    }
}

impl Strategy for Trader {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let (Some((bid, _)), Some((ask, _))) = (quote.bid, quote.ask) else {
            return Ok(());
        };
        self.mids = self.mids.wrapping_add(bid.0).wrapping_add(ask.0);
        self.quotes += 1;
        if self.every == 0 || !self.quotes.is_multiple_of(self.every) {
            return Ok(());
        }
        self.wishes += 1;
        let kinds = if self.rests { 3 } else { 2 };
        let (buy, limit, time_in_force) = match self.wishes % kinds {
            0 => (false, bid.0.saturating_sub(REACH), TimeInForce::Fak),
            1 => (true, ask.0.saturating_add(REACH), TimeInForce::Fak),
            _ => (true, bid.0, TimeInForce::Gtd(Timestamp(now.0 + REST))),
        };
        out.intents.push(Intent {
            opportunity: None,
            tag: self.wishes,
            legs: vec![IntentLeg {
                instrument: quote.instrument,
                buy,
                limit: Price(limit),
            }],
            qty: Qty(SHARES),
            time_in_force,
            expected_edge: Usd(EDGE),
        });
        Ok(())
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        _: &StrategyEvent<'_>,
        _: &mut Output,
    ) -> Result<(), StrategyFault> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok([self.quotes.to_le_bytes(), self.mids.to_le_bytes()].concat())
    }
}
