//! Frames of the market channel, turned into events.
//!
//! Pure: text in, events out, shared by the live watcher and the importers of recordings. Owns what
//! must be remembered between frames: which token is which instrument, the grid last told, trades
//! seen, and the facts the book hash needs. It holds no book. A frame is one atomic message: every
//! level and snapshot but the last carries `more`. A value that is none of the documented ones is
//! refused, and the book it belonged to is declared interrupted: it can no longer be known.

use super::hash::{BookText, Verdict, Verifier};
use super::{scan, wire};
use crate::catalog::Catalog;
use pm_arb_core::event::{BookSide, BookSnapshot, Event, GapScope, LevelChange, Print, Resolution};
use pm_arb_core::ids::{InstrumentId, Timestamp, Venue};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{ParseUnitError, Price, Qty};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// Most tokens whose instrument is remembered; then the memory starts anew (the catalog knows all).
const TOKENS_MAX: usize = 16_384;
/// Trades remembered to recognise one that is sent again.
const TRADES_KEPT: usize = 512;
/// Books awaiting a resubscription; more are not listed one by one.
const UNTRUSTED_MAX: usize = 4_096;

/// Why a frame could not be read at all. Nothing of it was used.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Not JSON.
    #[error("the frame is not JSON; the books of its connection can no longer be trusted")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but neither an event nor a list of events.
    #[error("the frame is neither an event nor a list of events, but {found}")]
    NotEvents {
        /// What it is.
        found: &'static str,
    },
}

/// What one frame held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Whole books.
    pub snapshots: u32,
    /// Level changes.
    pub levels: u32,
    /// Trades.
    pub prints: u32,
    /// Trades already seen.
    pub repeated: u32,
    /// New grids.
    pub tick_sizes: u32,
    /// Outcomes.
    pub resolutions: u32,
    /// Entries for tokens and markets nobody tracks.
    pub untracked: u32,
    /// Known events that carry nothing we need (`best_bid_ask`, `new_market`).
    pub ignored: u32,
    /// Events of an unknown type.
    pub unknown: u32,
    /// Values that were refused.
    pub refused: u32,
    /// Books whose hash was verified.
    pub verified: u32,
    /// Books whose hash was wrong.
    pub hash_wrong: u32,
    /// The answer to our `PING`.
    pub pongs: u32,
}

/// Reads frames of the market channel.
#[derive(Debug, Default)]
pub struct Decoder {
    tokens: TokenMap,
    verifier: Verifier,
    trades: VecDeque<u64>,
    untrusted: Vec<InstrumentId>,
}

#[derive(Debug, Clone, Copy)]
struct Tracked {
    instrument: InstrumentId,
    /// The grid the engine was last told, if any.
    tick: Option<Price>,
}

type TokenMap = HashMap<Box<[u8]>, Tracked, BuildHasherDefault<TailHasher>>;

/// Token ids are uniformly random decimals: their last eight digits tell them apart.
#[derive(Debug, Default)]
struct TailHasher(u64);

impl Hasher for TailHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(tail) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*tail).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        // The table uses the top bits as tags and the low ones as position: mix both.
        self.0 ^ (self.0 >> 32)
    }
}

/// A `book` frame, whichever way it was read.
struct Book<'a> {
    text: BookText<'a>,
    hashed: bool,
    venue_time: Timestamp,
    bids: Vec<(Price, Qty)>,
    asks: Vec<(Price, Qty)>,
}

impl Decoder {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces a market, so that its books are verified by their hash and its grid is known.
    pub fn track(&mut self, spec: &MarketSpec, neg_risk: bool) {
        self.verifier.track(spec, neg_risk);
        for outcome in &spec.outcomes {
            self.remember(
                &outcome.native_id,
                Tracked {
                    instrument: outcome.instrument,
                    tick: Some(spec.tick),
                },
            );
        }
    }

    /// Forgets a market that is over.
    pub fn forget(&mut self, spec: &MarketSpec) {
        self.verifier.forget(&spec.native_id);
        for outcome in &spec.outcomes {
            self.tokens.remove(outcome.native_id.as_bytes());
        }
    }

    /// The instruments whose books became unusable since the last call and need a new snapshot.
    pub fn take_untrusted(&mut self) -> Vec<InstrumentId> {
        std::mem::take(&mut self.untrusted)
    }

    /// Appends what `text` says to `out`. On an error nothing was appended.
    pub fn frame(
        &mut self,
        text: &str,
        ids: &Catalog,
        out: &mut Vec<Event>,
    ) -> Result<FrameCounts, FrameError> {
        let mut counts = FrameCounts::default();
        let start = out.len();
        match text.trim_ascii() {
            "" => return Ok(counts),
            "PONG" => {
                counts.pongs = 1;
                return Ok(counts);
            }
            _ => {}
        }
        let read = match self.fast(text, ids, out, &mut counts) {
            Ok(()) => Ok(()),
            Err(done) => self.thorough(text, done, ids, out, &mut counts),
        };
        self.finish(read, start, out)?;
        Ok(counts)
    }

    /// As [`Decoder::frame`], without the scanner: what the scanner is compared with.
    #[cfg(test)]
    pub(super) fn frame_thorough(
        &mut self,
        text: &str,
        ids: &Catalog,
        out: &mut Vec<Event>,
    ) -> Result<FrameCounts, FrameError> {
        let mut counts = FrameCounts::default();
        let start = out.len();
        let read = self.thorough(text, 0, ids, out, &mut counts);
        self.finish(read, start, out)?;
        Ok(counts)
    }

    fn finish(
        &mut self,
        read: Result<(), FrameError>,
        start: usize,
        out: &mut Vec<Event>,
    ) -> Result<(), FrameError> {
        if let Err(error) = read {
            out.truncate(start);
            // A grid told in this frame was not told after all.
            self.tokens.clear();
            return Err(error);
        }
        seal(out.get_mut(start..).unwrap_or_default());
        Ok(())
    }

    /// The scanner's way. On a surprise, how many objects of the frame are already done.
    fn fast(
        &mut self,
        text: &str,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), usize> {
        let mut scanner = scan::Scanner::new(text);
        let list = scanner.take(b'[');
        let mut done = 0;
        loop {
            let before = (out.len(), *counts);
            if self.fast_object(&mut scanner, ids, out, counts).is_none() {
                out.truncate(before.0);
                *counts = before.1;
                return Err(done);
            }
            done += 1;
            if !(list && scanner.take(b',')) {
                break;
            }
        }
        let closed = !list || scanner.take(b']');
        if closed && scanner.is_done() {
            Ok(())
        } else {
            Err(done)
        }
    }

    fn fast_object(
        &mut self,
        scanner: &mut scan::Scanner<'_>,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Option<()> {
        let start = out.len();
        let head = scanner.object(|change| match self.instrument(change.asset, ids) {
            Some(instrument) => {
                counts.levels += 1;
                out.push(Event::Level(LevelChange {
                    instrument,
                    side: change.side,
                    more: true,
                    price: change.price,
                    qty: change.qty,
                    venue_time: Timestamp(0),
                }));
            }
            None => counts.untracked += 1,
        })?;
        match head.event_type? {
            "price_change" if head.changes => {
                let stamp = scan::stamp(head.timestamp?)?;
                for event in out.get_mut(start..)? {
                    if let Event::Level(level) = event {
                        level.venue_time = stamp;
                    }
                }
                Some(())
            }
            "book" if !head.changes => {
                let (bids, asks) = (head.bids?, head.asks?);
                let sorted = bids.levels.is_sorted_by(|a, b| a.0 < b.0)
                    && asks.levels.is_sorted_by(|a, b| a.0 > b.0);
                if !(sorted && bids.canonical && asks.canonical) {
                    return None;
                }
                let book = Book {
                    text: BookText {
                        market: head.market?,
                        asset_id: head.asset_id?,
                        timestamp: head.timestamp?,
                        hash: head.hash.unwrap_or_default(),
                        bids: bids.json,
                        asks: asks.json,
                        tick_size: head.tick_size,
                        last_trade_price: head.last_trade_price,
                    },
                    hashed: head.hash.is_some(),
                    venue_time: scan::stamp(head.timestamp?)?,
                    bids: bids.levels,
                    asks: asks.levels,
                };
                self.book(book, ids, out, counts);
                Some(())
            }
            _ => None,
        }
    }

    /// The way through `serde_json`, from object `done` on.
    fn thorough(
        &mut self,
        text: &str,
        done: usize,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), FrameError> {
        match serde_json::from_str(text).map_err(FrameError::NotJson)? {
            Value::Array(list) => {
                for event in list.iter().skip(done) {
                    self.event(event, ids, out, counts);
                }
            }
            event @ Value::Object(_) => self.event(&event, ids, out, counts),
            Value::String(_) => return Err(FrameError::NotEvents { found: "a string" }),
            Value::Number(_) => return Err(FrameError::NotEvents { found: "a number" }),
            Value::Bool(_) => return Err(FrameError::NotEvents { found: "a boolean" }),
            Value::Null => return Err(FrameError::NotEvents { found: "null" }),
        }
        Ok(())
    }

    fn event(
        &mut self,
        event: &Value,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) {
        let known = match event.get("event_type").and_then(Value::as_str) {
            Some("book") => wire::Book::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|book| self.wire_book(&book, ids, out, counts)),
            Some("price_change") => wire::PriceChange::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|message| self.wire_changes(&message, ids, out, counts)),
            Some("last_trade_price") => wire::LastTrade::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|trade| self.trade(&trade, ids, out, counts)),
            Some("tick_size_change") => wire::TickSizeChange::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|change| self.tick_size(&change, ids, out, counts)),
            Some("market_resolved") => wire::MarketResolved::deserialize(event)
                .map_err(|_| Reason::MalformedFrame)
                .and_then(|resolved| resolution(&resolved, ids, out, counts)),
            Some("best_bid_ask" | "new_market") => {
                counts.ignored += 1;
                Ok(())
            }
            Some(_) => {
                counts.unknown += 1;
                Ok(())
            }
            None => Err(Reason::MalformedFrame),
        };
        if let Err(reason) = known {
            refuse(reason, out, counts);
            // Whatever it was about: if it names a token of ours, that book can not be known now.
            let named = event.get("asset_id").and_then(Value::as_str);
            let entries = event.get("price_changes").and_then(Value::as_array);
            let nested = entries.into_iter().flatten();
            let tokens = nested.filter_map(|entry| entry.get("asset_id")?.as_str());
            for token in named.into_iter().chain(tokens) {
                if let Some(instrument) = self.instrument(token, ids) {
                    self.distrust(instrument, "a message about this book was unusable", out);
                }
            }
        }
    }

    fn wire_changes(
        &mut self,
        message: &wire::PriceChange,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let venue_time = scan::stamp(&message.timestamp).ok_or(Reason::MalformedFrame)?;
        for change in &message.price_changes {
            let asset = change.asset_id.as_ref().or(message.asset_id.as_ref());
            let asset = asset.ok_or(Reason::MalformedFrame)?;
            let Some(instrument) = self.instrument(asset, ids) else {
                counts.untracked += 1;
                continue;
            };
            match level(&change.price, &change.size).and_then(|l| Ok((l, side(&change.side)?))) {
                Ok(((price, qty), side)) => {
                    counts.levels += 1;
                    out.push(Event::Level(LevelChange {
                        instrument,
                        side,
                        more: true,
                        price,
                        qty,
                        venue_time,
                    }));
                }
                Err(reason) => {
                    refuse(reason, out, counts);
                    self.distrust(instrument, "a level of this book was unusable", out);
                }
            }
        }
        Ok(())
    }

    fn wire_book(
        &mut self,
        frame: &wire::Book,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let levels = |side: &[wire::Level]| -> Result<Vec<_>, Reason> {
            side.iter().map(|l| level(&l.price, &l.size)).collect()
        };
        let (bids, asks) = (
            wire::canonical(&frame.bids, true),
            wire::canonical(&frame.asks, false),
        );
        let book = Book {
            text: BookText {
                market: &frame.market,
                asset_id: &frame.asset_id,
                timestamp: &frame.timestamp,
                hash: frame.hash.as_deref().unwrap_or_default(),
                bids: &bids,
                asks: &asks,
                tick_size: frame.tick_size.as_deref(),
                last_trade_price: frame.last_trade_price.as_deref(),
            },
            hashed: frame.hash.is_some(),
            venue_time: scan::stamp(&frame.timestamp).ok_or(Reason::MalformedFrame)?,
            bids: levels(&frame.bids)?,
            asks: levels(&frame.asks)?,
        };
        self.book(book, ids, out, counts);
        Ok(())
    }

    fn book(
        &mut self,
        mut book: Book<'_>,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) {
        let Some(instrument) = self.instrument(book.text.asset_id, ids) else {
            counts.untracked += 1;
            return;
        };
        if let Some(told) = book.text.tick_size {
            match Price::parse(told) {
                Ok(tick) if tick.is_tradable() => {
                    self.tell_tick(book.text.asset_id, instrument, tick, out, counts);
                }
                _ => {
                    refuse(Reason::MalformedFrame, out, counts);
                    self.distrust(instrument, "the grid of this book was unusable", out);
                    return;
                }
            }
        }
        if book.hashed {
            match self.verifier.verify(&book.text) {
                Verdict::Intact => counts.verified += 1,
                Verdict::Unknown => {}
                Verdict::Wrong => {
                    counts.hash_wrong += 1;
                    refuse(Reason::MalformedFrame, out, counts);
                    self.distrust(instrument, "the hash of this book is wrong", out);
                    return;
                }
            }
        }
        counts.snapshots += 1;
        // An empty level is no level.
        book.bids.retain(|(_, qty)| *qty > Qty::ZERO);
        book.asks.retain(|(_, qty)| *qty > Qty::ZERO);
        out.push(Event::Snapshot(Box::new(BookSnapshot {
            instrument,
            more: true,
            venue_time: book.venue_time,
            bids: book.bids,
            asks: book.asks,
        })));
    }

    fn trade(
        &mut self,
        trade: &wire::LastTrade,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let (price, qty) = level(&trade.price, &trade.size)?;
        let taker_bought = side(&trade.side)? == BookSide::Bid;
        let venue_time = scan::stamp(&trade.timestamp).ok_or(Reason::MalformedFrame)?;
        if let Some(market) = &trade.market {
            self.verifier.traded(market, price);
        }
        let Some(instrument) = self.instrument(&trade.asset_id, ids) else {
            counts.untracked += 1;
            return Ok(());
        };
        if let Some(hash) = &trade.transaction_hash {
            let mut key = DefaultHasher::new();
            (hash, instrument, price, qty, taker_bought).hash(&mut key);
            let key = key.finish();
            if self.trades.contains(&key) {
                counts.repeated += 1;
                return Ok(());
            }
            if self.trades.len() == TRADES_KEPT {
                self.trades.pop_front();
            }
            self.trades.push_back(key);
        }
        counts.prints += 1;
        out.push(Event::Print(Print {
            instrument,
            price,
            qty,
            taker_bought,
            venue_time,
        }));
        Ok(())
    }

    fn tick_size(
        &mut self,
        change: &wire::TickSizeChange,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let tick = Price::parse(&change.new_tick_size).map_err(unreadable)?;
        if !tick.is_tradable() {
            return Err(Reason::PriceOutOfRange);
        }
        if let Some(market) = &change.market {
            self.verifier.tick_changed(market, tick);
        }
        match self.instrument(&change.asset_id, ids) {
            Some(instrument) => {
                self.tell_tick(&change.asset_id, instrument, tick, out, counts);
                self.note_untrusted(instrument);
            }
            None => counts.untracked += 1,
        }
        Ok(())
    }

    /// Announces a grid that the engine was not told before. Its book is void until a snapshot.
    fn tell_tick(
        &mut self,
        token: &str,
        instrument: InstrumentId,
        tick: Price,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) {
        let told = Tracked {
            instrument,
            tick: Some(tick),
        };
        let before = self.remember(token, told);
        if before.is_none_or(|before| before.tick != Some(tick)) {
            counts.tick_sizes += 1;
            out.push(Event::TickSize { instrument, tick });
        }
    }

    fn distrust(&mut self, instrument: InstrumentId, cause: &str, out: &mut Vec<Event>) {
        self.note_untrusted(instrument);
        out.push(Event::Gap {
            scope: GapScope::Instrument(instrument),
            cause: cause.to_owned(),
        });
    }

    fn note_untrusted(&mut self, instrument: InstrumentId) {
        if self.untrusted.len() < UNTRUSTED_MAX {
            self.untrusted.push(instrument);
        }
    }

    /// The instrument of a token; the catalog is asked once.
    fn instrument(&mut self, token: &str, ids: &Catalog) -> Option<InstrumentId> {
        if let Some(tracked) = self.tokens.get(token.as_bytes()) {
            return Some(tracked.instrument);
        }
        let instrument = ids.instrument(Venue::Polymarket, token)?;
        self.remember(
            token,
            Tracked {
                instrument,
                tick: None,
            },
        );
        Some(instrument)
    }

    fn remember(&mut self, token: &str, tracked: Tracked) -> Option<Tracked> {
        if let Some(known) = self.tokens.get_mut(token.as_bytes()) {
            return Some(std::mem::replace(known, tracked));
        }
        if self.tokens.len() >= TOKENS_MAX {
            self.tokens.clear();
        }
        self.tokens.insert(token.as_bytes().into(), tracked)
    }
}

/// Marks the last level or snapshot of the frame as the end of its message.
fn seal(events: &mut [Event]) {
    for event in events.iter_mut().rev() {
        let more = match event {
            Event::Level(level) => &mut level.more,
            Event::Snapshot(book) => &mut book.more,
            _ => continue,
        };
        *more = false;
        return;
    }
}

fn refuse(reason: Reason, out: &mut Vec<Event>, counts: &mut FrameCounts) {
    counts.refused += 1;
    out.push(Event::Refused {
        venue: Some(Venue::Polymarket),
        reason,
    });
}

fn unreadable(_: ParseUnitError) -> Reason {
    Reason::MalformedFrame
}

fn level(price: &str, size: &str) -> Result<(Price, Qty), Reason> {
    let price = Price::parse(price).map_err(unreadable)?;
    let qty = Qty::parse(size).map_err(unreadable)?;
    if !price.is_tradable() {
        return Err(Reason::PriceOutOfRange);
    }
    if qty < Qty::ZERO {
        return Err(Reason::MalformedFrame);
    }
    Ok((price, qty))
}

fn side(text: &str) -> Result<BookSide, Reason> {
    match text {
        "BUY" => Ok(BookSide::Bid),
        "SELL" => Ok(BookSide::Ask),
        _ => Err(Reason::UnknownEnum),
    }
}

fn resolution(
    resolved: &wire::MarketResolved,
    ids: &Catalog,
    out: &mut Vec<Event>,
    counts: &mut FrameCounts,
) -> Result<(), Reason> {
    let Some(market) = ids.market(Venue::Polymarket, &resolved.market) else {
        counts.untracked += 1;
        return Ok(());
    };
    let instrument = |token: &String| ids.instrument(Venue::Polymarket, token);
    let outcomes: Option<Vec<InstrumentId>> = resolved.assets_ids.iter().map(instrument).collect();
    let mut outcomes = outcomes.ok_or(Reason::UnknownInstrument)?;
    // The catalog numbers the outcomes of a market in their order; the message need not keep it.
    outcomes.sort_unstable();
    let winner = instrument(&resolved.winning_asset_id).ok_or(Reason::UnknownInstrument)?;
    if outcomes.len() != 2 || !outcomes.contains(&winner) {
        return Err(Reason::MalformedFrame);
    }
    let pays = |outcome: InstrumentId| match outcome == winner {
        true => Price::DOLLAR,
        false => Price::ZERO,
    };
    counts.resolutions += 1;
    out.push(Event::Resolved(Box::new(Resolution {
        market,
        payouts: outcomes.into_iter().map(pays).collect(),
        evidence: "market_resolved".to_owned(),
    })));
    Ok(())
}
