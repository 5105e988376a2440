//! One instrument's order book: levels as the venue published them, and whether they may be used.
//!
//! Owns the levels, their age and their epoch. It never repairs, guesses or mirrors a level: an
//! input that can not be true is refused and leaves the book as it was. It knows nothing of our own
//! orders; what the executor has taken is the executor's memory.

mod ahead;

pub(crate) use ahead::BookAhead;

use crate::event::{BookSide, BookSnapshot, LevelChange};
use crate::ids::{InstrumentId, Nanos, Timestamp};
use crate::reason::Reason;
use crate::strategy::Quote;
use crate::units::{ONE, Price, Qty};

/// Most levels of one side. The finest grid of a venue (0.0001) has 9,999; one more is refused.
pub const MAX_LEVELS: usize = 10_000;
/// A book this wide or wider is the venue's opening placeholder: bid ≤ 0.01 and ask ≥ 0.99.
const PLACEHOLDER_BID: Price = Price(10_000);
/// See [`PLACEHOLDER_BID`].
const PLACEHOLDER_ASK: Price = Price(990_000);
/// Changes this close to the best price are found by walking; the others by bisection.
const NEAR: usize = 8;

/// What an update did to the best prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BookChange {
    /// A best price or its size is another one than before.
    pub best_changed: bool,
    /// A best price is another one than before.
    pub best_price_changed: bool,
}

impl BookChange {
    fn between(before: Option<Level>, after: Option<Level>) -> Self {
        Self {
            best_changed: before != after,
            best_price_changed: before.map(|l| l.key) != after.map(|l| l.key),
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            best_changed: self.best_changed | other.best_changed,
            best_price_changed: self.best_price_changed | other.best_price_changed,
        }
    }
}

/// Whether the levels can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No snapshot yet.
    Missing,
    /// A snapshot and every change since.
    Live,
    /// The stream or the grid broke; the levels are gone until the next snapshot.
    Interrupted,
}

/// A level, keyed so that on both sides a larger key is a better price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Level {
    key: u32,
    qty: i64,
}

/// One side: levels by ascending key, so that the best is the last and most changes are near the end.
#[derive(Debug, Clone, Default)]
struct Ladder(Vec<Level>);

impl Ladder {
    fn best(&self) -> Option<Level> {
        self.0.last().copied()
    }

    /// Where `key` is (`Ok`) or belongs (`Err`).
    fn find(&self, key: u32) -> Result<usize, usize> {
        let levels = self.0.as_slice();
        let far = levels.len().saturating_sub(NEAR);
        for (i, level) in levels.iter().enumerate().skip(far).rev() {
            if level.key <= key {
                return if level.key == key { Ok(i) } else { Err(i + 1) };
            }
        }
        let (deep, _) = levels.split_at(far);
        deep.binary_search_by_key(&key, |l| l.key)
    }

    /// Sets a level's absolute size.
    fn set(&mut self, key: u32, qty: i64) -> Result<BookChange, Reason> {
        let len = self.0.len();
        let (position, price_changed) = match self.find(key) {
            Ok(i) if qty == 0 => {
                self.0.remove(i);
                (i + 1, true)
            }
            Ok(i) => {
                let Some(level) = self.0.get_mut(i) else {
                    return Ok(BookChange::default());
                };
                let same = level.qty == qty;
                level.qty = qty;
                if same {
                    return Ok(BookChange::default());
                }
                (i + 1, false)
            }
            Err(_) if qty == 0 => return Ok(BookChange::default()),
            Err(_) if len >= MAX_LEVELS => return Err(Reason::MalformedFrame),
            Err(i) => {
                self.0.insert(i, Level { key, qty });
                (i, true)
            }
        };
        let at_best = position == len;
        Ok(BookChange {
            best_changed: at_best,
            best_price_changed: at_best && price_changed,
        })
    }
}

/// The order book of one instrument.
#[derive(Debug, Clone)]
pub struct OrderBook {
    /// Bids, then asks.
    sides: [Ladder; 2],
    /// The grid, as [`Price`] units. Fits: a tick is below one dollar.
    tick: u32,
    state: State,
    epoch: u32,
    venue_time: Timestamp,
    updated_at: Timestamp,
}

/// Better prices get larger keys. Its own inverse on each side.
const fn key_of(side: BookSide, units: u32) -> u32 {
    match side {
        BookSide::Bid => units,
        BookSide::Ask => (ONE as u32).saturating_sub(units),
    }
}

/// The key of a level that can exist on a book of that grid.
fn read_level(tick: u32, side: BookSide, price: Price, qty: Qty) -> Result<u32, Reason> {
    if !price.is_tradable() {
        return Err(Reason::PriceOutOfRange);
    }
    // Tradable prices are below 1e6: 32-bit division is several times faster than 64-bit.
    let units = price.0 as u32;
    if !units.is_multiple_of(tick) {
        return Err(Reason::OffTick);
    }
    if qty.0 < 0 {
        return Err(Reason::MalformedFrame);
    }
    Ok(key_of(side, units))
}

impl OrderBook {
    /// A book that has not been seen yet. A tick that is no price grid accepts no level at all.
    #[must_use]
    pub fn new(tick: Price) -> Self {
        Self {
            sides: [Ladder::default(), Ladder::default()],
            tick: grid(tick),
            state: State::Missing,
            epoch: 0,
            venue_time: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    /// Replaces the whole book. Levels of size zero are none; a price twice is no book.
    pub fn apply_snapshot(
        &mut self,
        snapshot: &BookSnapshot,
        at: Timestamp,
    ) -> Result<BookChange, Reason> {
        if snapshot.venue_time < self.venue_time {
            return Err(Reason::OutOfOrder);
        }
        // Both sides are read before either is replaced: a refusal leaves the book as it was.
        let bids = self.read_side(BookSide::Bid, &snapshot.bids)?;
        let asks = self.read_side(BookSide::Ask, &snapshot.asks)?;
        let change = self
            .replace(BookSide::Bid, &snapshot.bids, bids)
            .or(self.replace(BookSide::Ask, &snapshot.asks, asks));
        self.state = State::Live;
        self.venue_time = snapshot.venue_time;
        self.updated_at = at;
        Ok(change)
    }

    /// Sets one level's absolute size. Without a snapshot before it, it means nothing: `NoBook`.
    pub fn apply_level(
        &mut self,
        level: &LevelChange,
        at: Timestamp,
    ) -> Result<BookChange, Reason> {
        if self.state != State::Live {
            return Err(Reason::NoBook);
        }
        if level.venue_time < self.venue_time {
            return Err(Reason::OutOfOrder);
        }
        let key = self.read_level(level.side, level.price, level.qty)?;
        let [bids, asks] = &mut self.sides;
        let ladder = match level.side {
            BookSide::Bid => bids,
            BookSide::Ask => asks,
        };
        let change = ladder.set(key, level.qty.0)?;
        self.venue_time = level.venue_time;
        self.updated_at = at;
        Ok(change)
    }

    /// The venue changed the grid: the levels of the old one are worth nothing.
    pub fn set_tick(&mut self, tick: Price) {
        self.tick = grid(tick);
        self.interrupt();
    }

    /// Drops the levels; nothing may be concluded before the next snapshot. The venue's clock starts
    /// anew too, so that one absurd stamp can not lock a book for good.
    pub fn interrupt(&mut self) {
        for side in &mut self.sides {
            side.0.clear();
        }
        self.state = State::Interrupted;
        self.epoch = self.epoch.saturating_add(1);
        self.venue_time = Timestamp(0);
    }

    /// The best bid and its size.
    #[must_use]
    pub fn best_bid(&self) -> Option<(Price, Qty)> {
        self.best(BookSide::Bid)
    }

    /// The best ask and its size.
    #[must_use]
    pub fn best_ask(&self) -> Option<(Price, Qty)> {
        self.best(BookSide::Ask)
    }

    /// Bids, best first.
    pub fn bids(&self) -> impl Iterator<Item = (Price, Qty)> + '_ {
        self.side(BookSide::Bid)
    }

    /// Asks, best first.
    pub fn asks(&self) -> impl Iterator<Item = (Price, Qty)> + '_ {
        self.side(BookSide::Ask)
    }

    /// Shares that a buyer (or seller) finds at `limit` or better; capped at the largest [`Qty`].
    #[must_use]
    pub fn available(&self, buy: bool, limit: Price) -> Qty {
        let side = if buy { BookSide::Ask } else { BookSide::Bid };
        let sum = self
            .side(side)
            .take_while(|(price, _)| {
                if buy {
                    *price <= limit
                } else {
                    *price >= limit
                }
            })
            .fold(0_i64, |sum, (_, qty)| sum.saturating_add(qty.0));
        Qty(sum)
    }

    /// The top, as strategies are told it.
    #[must_use]
    pub fn quote(&self, instrument: InstrumentId) -> Quote {
        Quote {
            instrument,
            bid: self.best_bid(),
            ask: self.best_ask(),
        }
    }

    /// Whether a decision to buy (or sell) may rest on this book now; if not, why.
    pub fn usable(&self, buy: bool, now: Timestamp, max_age: Nanos) -> Result<(), Reason> {
        if self.state != State::Live {
            return Err(Reason::NoBook);
        }
        if self.age(now) > max_age {
            return Err(Reason::StaleBook);
        }
        match (self.best_bid(), self.best_ask()) {
            (_, None) if buy => Err(Reason::OneSidedBook),
            (None, _) if !buy => Err(Reason::OneSidedBook),
            (Some((bid, _)), Some((ask, _))) if bid >= ask => Err(Reason::CrossedBook),
            (Some((bid, _)), Some((ask, _)))
                if bid <= PLACEHOLDER_BID && ask >= PLACEHOLDER_ASK =>
            {
                Err(Reason::PlaceholderBook)
            }
            _ => Ok(()),
        }
    }

    /// How long ago the last message about it was received.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Nanos {
        now.since(self.updated_at)
    }

    /// Counts interruptions: a decision and a fill on different epochs do not belong together.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// When the last message about it was received.
    #[must_use]
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// The venue's stamp of that message.
    #[must_use]
    pub fn venue_time(&self) -> Timestamp {
        self.venue_time
    }

    /// The price grid.
    #[must_use]
    pub fn tick(&self) -> Price {
        Price(i64::from(self.tick))
    }

    /// Whether a snapshot and every change since are in it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == State::Live
    }

    fn ladder(&self, side: BookSide) -> &Ladder {
        let [bids, asks] = &self.sides;
        match side {
            BookSide::Bid => bids,
            BookSide::Ask => asks,
        }
    }

    fn best(&self, side: BookSide) -> Option<(Price, Qty)> {
        self.ladder(side).best().map(|l| priced(side, l))
    }

    fn side(&self, side: BookSide) -> impl Iterator<Item = (Price, Qty)> + '_ {
        self.ladder(side)
            .0
            .iter()
            .rev()
            .map(move |l| priced(side, *l))
    }

    fn read_level(&self, side: BookSide, price: Price, qty: Qty) -> Result<u32, Reason> {
        read_level(self.tick, side, price, qty)
    }

    /// Checks a side of a snapshot. `None` when it is already in order and can be copied as it is.
    fn read_side(
        &self,
        side: BookSide,
        given: &[(Price, Qty)],
    ) -> Result<Option<Vec<Level>>, Reason> {
        if given.len() > MAX_LEVELS {
            return Err(Reason::MalformedFrame);
        }
        let mut last = 0;
        let mut in_order = true;
        for (price, qty) in given {
            let key = self.read_level(side, *price, *qty)?;
            in_order &= key > last;
            last = key;
        }
        if in_order {
            return Ok(None);
        }
        let mut levels = given
            .iter()
            .map(|&(price, qty)| level(side, price, qty))
            .collect::<Vec<_>>();
        levels.sort_unstable_by_key(|l| l.key);
        let twice = levels
            .iter()
            .zip(levels.iter().skip(1))
            .any(|(a, b)| a.key == b.key);
        if twice {
            return Err(Reason::MalformedFrame);
        }
        Ok(Some(levels))
    }

    fn replace(
        &mut self,
        side: BookSide,
        given: &[(Price, Qty)],
        sorted: Option<Vec<Level>>,
    ) -> BookChange {
        let [bids, asks] = &mut self.sides;
        let ladder = match side {
            BookSide::Bid => bids,
            BookSide::Ask => asks,
        };
        let before = ladder.best();
        ladder.0.clear();
        match sorted {
            Some(levels) => ladder.0.extend(levels),
            None => ladder
                .0
                .extend(given.iter().map(|&(p, q)| level(side, p, q))),
        }
        ladder.0.retain(|l| l.qty > 0);
        BookChange::between(before, ladder.best())
    }
}

/// A tick as grid units; zero (which accepts no level) when it is none.
fn grid(tick: Price) -> u32 {
    if tick.is_tradable() { tick.0 as u32 } else { 0 }
}

/// A level of a snapshot whose price was checked to be tradable.
fn level(side: BookSide, price: Price, qty: Qty) -> Level {
    Level {
        key: key_of(side, price.0 as u32),
        qty: qty.0,
    }
}

fn priced(side: BookSide, level: Level) -> (Price, Qty) {
    (Price(i64::from(key_of(side, level.key))), Qty(level.qty))
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
