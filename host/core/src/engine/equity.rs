//! What everything is worth now, and whether too much of it is lost.
//!
//! Positions are marked at the bids of their books, and only those whose book or market changed since
//! the last look are marked again.

use super::{Engine, Turn};
use crate::effect::{Effect, EquitySample};
use crate::event::Event;
use crate::ids::{InstrumentId, Nanos, Timestamp};
use crate::market_data::MarketData;
use crate::reason::Reason;
use crate::units::{Price, Usd};

/// How far apart samples are.
const MINUTE: u64 = Nanos::from_ms(60_000).0;

impl Engine {
    /// Takes note of whose positions a record may have made worth another sum.
    pub(super) fn touch(&mut self, event: &Event) {
        match event {
            // Below the top nothing changes. Within a message an instrument is named only once, so
            // that any name there may stand for this change too.
            Event::Level(level) if !self.touched.quotes.is_empty() => {
                self.positions.touch(level.instrument);
            }
            Event::Snapshot(snapshot) => self.positions.touch(snapshot.instrument),
            Event::TickSize { .. } | Event::Gap { .. } => {
                for instrument in &self.touched.interrupted {
                    self.positions.touch(*instrument);
                }
            }
            Event::Trading { market, .. } => {
                for outcome in self
                    .data
                    .market(*market)
                    .iter()
                    .flat_map(|m| &m.spec.outcomes)
                {
                    self.positions.touch(outcome.instrument);
                }
            }
            Event::MarketListed(spec) => {
                for outcome in &spec.outcomes {
                    self.positions.touch(outcome.instrument);
                }
            }
            _ => {}
        }
    }

    /// Marks positions at the bids of good books and tells [`Self::marked_equity`]. Only instruments
    /// that were touched since the last time are looked at.
    pub(super) fn equity(&mut self) -> Usd {
        let (data, now) = (&self.data, self.now);
        self.positions.mark(|instrument| bid(data, now, instrument));
        #[cfg(test)]
        self.audit().unwrap();
        self.marked_equity()
    }

    /// Everything there is: cash, money set aside, positions as they were last marked.
    pub(super) fn marked_equity(&self) -> Usd {
        Usd(self
            .ledger
            .cash()
            .0
            .saturating_add(self.ledger.reserved().0)
            .saturating_add(self.positions.worth().0))
    }

    /// What everything is worth at the bids of now. Nothing is marked: what is shown must not change what
    /// is decided.
    #[must_use]
    pub fn equity_now(&self) -> Usd {
        let (data, now) = (&self.data, self.now);
        let worth = self
            .positions
            .worth_at(|instrument| bid(data, now, instrument));
        let money = self
            .ledger
            .cash()
            .0
            .saturating_add(self.ledger.reserved().0);
        Usd(money.saturating_add(worth.0))
    }

    /// The highest equity that the limit on drawdown knows, or this one.
    #[must_use]
    pub fn high_water(&self, equity: Usd) -> Usd {
        self.guardian.high_water().max(equity)
    }

    /// Tells what everything is worth as a minute begins.
    pub(super) fn sample(&mut self, at: Timestamp, effects: &mut Vec<Effect>) {
        let minute = at.0 - at.0 % MINUTE;
        self.next_sample = Timestamp(minute.saturating_add(MINUTE));
        let ledger = &self.ledger;
        let equity = self.equity_now();
        effects.push(Effect::RecordEquity(EquitySample {
            minute: Timestamp(minute),
            equity,
            high_water: self.high_water(equity),
            cash: ledger.cash(),
            reserved: ledger.reserved(),
            locked: ledger.locked(),
            fees: ledger.fees(),
            realised: ledger.realised(),
        }));
    }

    /// Looks at the limits on losses after money moved; reaching one halts.
    pub(super) fn watch_losses(&mut self, turn: &mut Turn<'_>) {
        let equity = self.equity();
        self.guardian.observe(turn.at, equity);
        if let Some(broken) = self.guardian.loss_limit(equity, &self.config) {
            self.halt(
                format!("{}: {} of {}", broken.reason, broken.observed, broken.limit),
                turn,
            );
        }
    }
}

/// What a position is marked at now. A live book without a bid marks at zero; a book that says nothing
/// (interrupted, crossed, placeholder) and a market that no longer trades keep the last bid.
pub(super) fn bid(data: &MarketData, now: Timestamp, instrument: InstrumentId) -> Option<Price> {
    let market = data.market_of(instrument)?;
    let book = data.book(instrument).filter(|_| market.is_open())?;
    match book.usable(false, now, Nanos(u64::MAX)) {
        Ok(()) => book.best_bid().map(|(price, _)| price),
        Err(Reason::OneSidedBook) => Some(Price::ZERO),
        Err(_) => None,
    }
}
