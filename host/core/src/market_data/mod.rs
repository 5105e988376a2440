//! What is known of the markets now: specifications, books, oracles, and who depends on whom.
//!
//! Owns every book and oracle of a run and the indices between them. It takes facts and says what
//! they touched; it draws no conclusion, and it forgets a market only when told to.

mod groups;
mod links;
mod listing;
mod table;

use crate::book::{BookChange, OrderBook};
use crate::event::{BookSnapshot, Event, GapScope, LevelChange, OracleTick, Record};
use crate::ids::{InstrumentId, MarketId, OracleId, Timestamp, Venue};
use crate::market::{MarketSpec, MarketStatus};
use crate::oracle::OracleState;
use crate::reason::Reason;
use crate::relation::Rung;
use crate::units::{Price, SpotPrice};
use groups::Groups;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};
pub(crate) use table::Table;

/// Most markets, and most instruments, of a run; numbers beyond are refused.
pub const MAX_MARKETS: usize = 1_000_000;
/// Most oracle feeds of a run.
pub const MAX_ORACLES: usize = 10_000;
/// Most outcomes of one market.
pub const MAX_OUTCOMES: usize = 256;
/// Most markets of a ladder, in each direction, that one market is compared with; thresholds
/// farther apart than that are not.
pub const MAX_RUNGS: usize = 64;

/// One market as it stands.
#[derive(Debug, Clone)]
pub struct MarketState {
    /// What it is. Its tick follows the venue's changes.
    pub spec: MarketSpec,
    /// Where it is in its life.
    pub status: MarketStatus,
    /// The price to beat: the venue's where it states one; otherwise the settlement source's value of
    /// exactly the opening second. For means and candles it is taken from that source's ticks, good for
    /// a fair value and for nothing else. `None` until it is known.
    pub strike: Option<SpotPrice>,
    /// What the strike would be if the stand-in of the settlement source were the source, while the
    /// strike itself is not known. Another feed's number: a fair value may compare that feed's values
    /// with it, nothing is ever settled on it.
    pub(crate) proxy_strike: Option<SpotPrice>,
    set: Option<u32>,
    pair: Option<u32>,
    rung: Option<Rung>,
}

impl MarketState {
    /// Whether orders can be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == MarketStatus::Open
    }

    /// Its place on a ladder, while it trades and its threshold is known.
    pub(crate) fn rung(&self) -> Option<Rung> {
        self.rung
    }

    fn is_trading(&self) -> bool {
        matches!(self.status, MarketStatus::Open | MarketStatus::Paused)
    }
}

/// What a message touched. Belongs to the caller and is reused: [`MarketData::apply`] clears it when
/// the message before was whole.
#[derive(Debug)]
pub struct Touched {
    /// Instruments whose best price or its size changed, each once, in order of first change.
    pub quotes: Vec<InstrumentId>,
    /// Instruments whose book became invalid.
    pub interrupted: Vec<InstrumentId>,
    /// The oracle that published.
    pub oracle: Option<OracleId>,
    /// The market that was listed or whose specification changed.
    pub listed: Option<MarketId>,
    /// Markets that stopped trading for good: their time came, or their outcome was published.
    pub closed: Vec<MarketId>,
    /// Whether the message is complete. While it is not, nothing may be concluded.
    pub whole: bool,
}

impl Default for Touched {
    fn default() -> Self {
        Self {
            quotes: Vec::new(),
            interrupted: Vec::new(),
            oracle: None,
            listed: None,
            closed: Vec::new(),
            whole: true,
        }
    }
}

impl Touched {
    /// Whether nothing happened that anybody could care about.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.quotes.is_empty()
            && self.interrupted.is_empty()
            && self.closed.is_empty()
            && self.oracle.is_none()
            && self.listed.is_none()
    }

    fn clear(&mut self) {
        self.quotes.clear();
        self.interrupted.clear();
        self.closed.clear();
        self.oracle = None;
        self.listed = None;
    }
}

/// One instrument: where it belongs, and its book.
#[derive(Debug)]
struct InstrumentState {
    market: MarketId,
    book: OrderBook,
    /// The message that last said something about it.
    told_in: u64,
    /// The message that last put it into [`Touched::quotes`].
    quoted_in: u64,
}

/// Who listens to an oracle.
#[derive(Debug, Default)]
struct Links {
    /// Trading markets it decides, by the instant from which it can move them.
    markets: BTreeSet<(Timestamp, MarketId)>,
    /// Of these, the ones without a strike.
    awaiting: BTreeSet<(Timestamp, MarketId)>,
    /// Oracles it stands in for.
    stands_in_for: Vec<OracleId>,
}

/// Everything that is known of the markets.
#[derive(Debug)]
pub struct MarketData {
    markets: Table<MarketState>,
    instruments: Table<InstrumentState>,
    oracles: Table<OracleState>,
    links: Table<Links>,
    sets: Groups<(Venue, String)>,
    pairs: Groups<String>,
    /// Trading markets with a threshold, each ladder together and in order.
    rungs: BTreeSet<Rung>,
    /// Trading markets by their end.
    closing: BTreeSet<(Timestamp, MarketId)>,
    /// The others that are still held, by their end.
    closed: BTreeSet<(Timestamp, MarketId)>,
    /// The first of `closing`, at hand for every record.
    next_close: Timestamp,
    /// Counts messages, so that an instrument is named once in each.
    message: u64,
}

impl Default for MarketData {
    fn default() -> Self {
        Self::new()
    }
}

impl MarketData {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            markets: Table::new(MAX_MARKETS),
            instruments: Table::new(MAX_MARKETS),
            oracles: Table::new(MAX_ORACLES),
            links: Table::new(MAX_ORACLES),
            sets: Groups::default(),
            pairs: Groups::default(),
            rungs: BTreeSet::new(),
            closing: BTreeSet::new(),
            closed: BTreeSet::new(),
            next_close: Timestamp(u64::MAX),
            message: 1,
        }
    }

    /// Takes a fact and tells what it touched. A refusal changes no book; the message it was part of
    /// still ends where it says. Facts that are no market data only let time pass.
    pub fn apply(&mut self, record: &Record, touched: &mut Touched) -> Result<(), Reason> {
        if touched.whole {
            touched.clear();
            self.message = self.message.wrapping_add(1);
        }
        touched.whole = true;
        if record.at >= self.next_close {
            self.close_due(record.at, touched);
        }
        match &record.event {
            Event::Level(level) => {
                touched.whole = !level.more;
                self.level(level, record.at, touched)
            }
            Event::Snapshot(snapshot) => {
                touched.whole = !snapshot.more;
                self.snapshot(snapshot, record.at, touched)
            }
            Event::OracleTick(tick) => self.oracle_tick(tick, record.at, touched),
            Event::Candle(candle) => {
                let state = self.oracles.get_mut(candle.oracle.index());
                let state = state.ok_or(Reason::UnknownInstrument)?;
                state.apply_candle(candle, record.at)
            }
            Event::OracleGap(oracle) => {
                let state = self.oracles.get_mut(oracle.index());
                state.ok_or(Reason::UnknownInstrument)?.interrupt();
                touched.oracle = Some(*oracle);
                Ok(())
            }
            Event::MarketListed(spec) => self.list_market(spec, record.at, touched),
            Event::OracleListed(spec) => self.list_oracle(spec),
            Event::TickSize { instrument, tick } => self.tick_size(*instrument, *tick, touched),
            Event::Gap { scope, .. } => self.gap(*scope, touched),
            Event::Trading { market, open } => self.trading(*market, *open),
            Event::Resolved(resolution) => {
                let state = self.markets.get(resolution.market.index());
                if state.ok_or(Reason::UnknownInstrument)?.is_trading() {
                    self.set_status(resolution.market, MarketStatus::Pending);
                    touched.closed.push(resolution.market);
                }
                Ok(())
            }
            Event::Configured(_)
            | Event::Print(_)
            | Event::Strategy(_)
            | Event::Command(_)
            | Event::Refused { .. }
            | Event::Latency { .. }
            | Event::Tick => Ok(()),
        }
    }

    /// When the next market ends.
    pub(crate) fn next_close(&self) -> Timestamp {
        self.next_close
    }

    /// The book of an instrument.
    #[must_use]
    pub fn book(&self, instrument: InstrumentId) -> Option<&OrderBook> {
        Some(&self.instruments.get(instrument.index())?.book)
    }

    /// A market that is known and not retired.
    #[must_use]
    pub fn market(&self, market: MarketId) -> Option<&MarketState> {
        self.markets.get(market.index())
    }

    /// The market an instrument is an outcome of.
    #[must_use]
    pub fn market_of(&self, instrument: InstrumentId) -> Option<&MarketState> {
        self.market(self.market_id_of(instrument)?)
    }

    /// Its number.
    #[must_use]
    pub fn market_id_of(&self, instrument: InstrumentId) -> Option<MarketId> {
        Some(self.instruments.get(instrument.index())?.market)
    }

    /// Every market that is known and not retired, in order of their numbers.
    pub fn markets(&self) -> impl Iterator<Item = &MarketState> {
        self.markets.iter().map(|(_, market)| market)
    }

    /// An oracle feed.
    #[must_use]
    pub fn oracle(&self, oracle: OracleId) -> Option<&OracleState> {
        self.oracles.get(oracle.index())
    }

    /// Every oracle feed, in order of their numbers.
    pub fn oracles(&self) -> impl Iterator<Item = &OracleState> {
        self.oracles.iter().map(|(_, oracle)| oracle)
    }

    /// Trading markets that a value of this oracle can move now, itself or as a stand-in; in order of
    /// their opening.
    pub fn moved_by(
        &self,
        oracle: OracleId,
        now: Timestamp,
    ) -> impl Iterator<Item = MarketId> + '_ {
        let links = self.links.get(oracle.index());
        let stands_in_for = links.map_or(&[][..], |l| l.stands_in_for.as_slice());
        core::iter::once(oracle)
            .chain(stands_in_for.iter().copied())
            .filter_map(|o| self.links.get(o.index()))
            .flat_map(move |l| l.markets.range(..=(now, MarketId(u32::MAX))))
            .map(|(_, market)| *market)
    }

    /// The trading members of a market's exclusive set that are known, ascending.
    #[must_use]
    pub fn exclusive_set(&self, market: &MarketState) -> &[MarketId] {
        market.set.map_or(&[], |number| self.sets.members(number))
    }

    /// Trading markets with the same pair key as this one, itself included, ascending.
    #[must_use]
    pub fn pair(&self, market: &MarketState) -> &[MarketId] {
        market.pair.map_or(&[], |number| self.pairs.members(number))
    }

    /// The nearest trading markets on this one's ladder, those below it or as high, and those above it
    /// or as high: every one that this implies, or that implies this, among at most
    /// [`MAX_RUNGS`] each way.
    pub(crate) fn ladder(
        &self,
        market: &MarketState,
    ) -> impl Iterator<Item = (Rung, &MarketState)> + '_ {
        let own = market.rung;
        let near = own.into_iter().flat_map(|own| {
            let (low, high) = own.ends();
            let below = self.rungs.range(low..own).rev().take(MAX_RUNGS);
            let above = self.rungs.range((Excluded(own), Included(high)));
            below.chain(above.take(MAX_RUNGS)).copied()
        });
        near.filter_map(|rung| Some((rung, self.market(rung.market)?)))
    }

    /// Whether both books were told by the last message about either: only then were they seen at one
    /// time.
    pub(crate) fn told_together(&self, a: InstrumentId, b: InstrumentId) -> bool {
        let of = |i: InstrumentId| self.instruments.get(i.index());
        let (Some(a), Some(b)) = (of(a), of(b)) else {
            return false;
        };
        a.told_in == b.told_in && a.book.venue_time() == b.book.venue_time()
    }

    /// Markets that are held although their end lies before `time`, oldest first: the caller retires
    /// those in which nothing is open any more.
    pub fn closed_before(&self, time: Timestamp) -> impl Iterator<Item = MarketId> + '_ {
        self.closed
            .range(..(time, MarketId(0)))
            .map(|(_, market)| *market)
    }

    /// Moves a market through its life. What no longer trades leaves the indices at once; its books
    /// stay until it is retired.
    pub fn set_status(&mut self, market: MarketId, status: MarketStatus) {
        self.unlink(market);
        if let Some(state) = self.markets.get_mut(market.index()) {
            state.status = status;
        }
        self.link(market);
    }

    /// Forgets a market and its books. What still comes for them is `UnknownInstrument`.
    pub fn retire(&mut self, market: MarketId) {
        self.unlink(market);
        if let Some(state) = self.markets.remove(market.index()) {
            for outcome in &state.spec.outcomes {
                self.instruments.remove(outcome.instrument.index());
            }
        }
    }

    fn level(
        &mut self,
        level: &LevelChange,
        at: Timestamp,
        touched: &mut Touched,
    ) -> Result<(), Reason> {
        let state = self.instruments.get_mut(level.instrument.index());
        let state = state.ok_or(Reason::UnknownInstrument)?;
        let change = state.book.apply_level(level, at)?;
        state.told_in = self.message;
        quoted(state, level.instrument, change, self.message, touched);
        Ok(())
    }

    fn snapshot(
        &mut self,
        snapshot: &BookSnapshot,
        at: Timestamp,
        touched: &mut Touched,
    ) -> Result<(), Reason> {
        let state = self.instruments.get_mut(snapshot.instrument.index());
        let state = state.ok_or(Reason::UnknownInstrument)?;
        let change = state.book.apply_snapshot(snapshot, at)?;
        state.told_in = self.message;
        quoted(state, snapshot.instrument, change, self.message, touched);
        Ok(())
    }

    fn tick_size(
        &mut self,
        instrument: InstrumentId,
        tick: Price,
        touched: &mut Touched,
    ) -> Result<(), Reason> {
        if !tick.is_tradable() {
            return Err(Reason::MalformedFrame);
        }
        let state = self.instruments.get_mut(instrument.index());
        let state = state.ok_or(Reason::UnknownInstrument)?;
        state.book.set_tick(tick);
        touched.interrupted.push(instrument);
        if let Some(market) = self.markets.get_mut(state.market.index()) {
            market.spec.tick = Some(tick);
        }
        Ok(())
    }

    fn gap(&mut self, scope: GapScope, touched: &mut Touched) -> Result<(), Reason> {
        match scope {
            GapScope::Instrument(instrument) => {
                let state = self.instruments.get_mut(instrument.index());
                state.ok_or(Reason::UnknownInstrument)?.book.interrupt();
                touched.interrupted.push(instrument);
            }
            GapScope::Venue(venue) => {
                for (_, market) in self.markets.iter().filter(|(_, m)| m.spec.venue == venue) {
                    for outcome in &market.spec.outcomes {
                        let state = self.instruments.get_mut(outcome.instrument.index());
                        if let Some(state) = state {
                            state.book.interrupt();
                            touched.interrupted.push(outcome.instrument);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn trading(&mut self, market: MarketId, open: bool) -> Result<(), Reason> {
        let state = self.markets.get_mut(market.index());
        let state = state.ok_or(Reason::UnknownInstrument)?;
        // What is over does not open again by a flag.
        if state.is_trading() {
            state.status = if open {
                MarketStatus::Open
            } else {
                MarketStatus::Paused
            };
        }
        Ok(())
    }

    fn oracle_tick(
        &mut self,
        tick: &OracleTick,
        at: Timestamp,
        touched: &mut Touched,
    ) -> Result<(), Reason> {
        let state = self.oracles.get_mut(tick.oracle.index());
        let state = state.ok_or(Reason::UnknownInstrument)?;
        let first_of_second = state.apply(tick, at)?;
        if let Some(proxy) = state.spec().proxy {
            let same_second = |p: &OracleState| p.value_at_second(tick.source_time);
            let other = self.oracles.get(proxy.index()).and_then(same_second);
            if let (Some(other), Some(state)) = (other, self.oracles.get_mut(tick.oracle.index())) {
                state.basis.observe(tick.source_time, tick.price, other);
            }
        }
        touched.oracle = Some(tick.oracle);
        if first_of_second {
            self.learn_strikes(tick.oracle);
        }
        Ok(())
    }
}

fn quoted(
    state: &mut InstrumentState,
    instrument: InstrumentId,
    change: BookChange,
    message: u64,
    touched: &mut Touched,
) {
    if change.best_changed && state.quoted_in != message {
        state.quoted_in = message;
        touched.quotes.push(instrument);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
