//! Frames of Kalshi's WebSocket, turned into events.
//!
//! Pure. Deltas are signed changes, so the decoder keeps the sizes; a size that would fall below
//! zero, or a hole in a subscription's sequence, makes the books concerned unknown until their next
//! snapshot. Snapshots carry no time of their own: they are given the market's last one.

use crate::catalog::Catalog;
use pm_arb_core::event::{BookSide, BookSnapshot, Event, GapScope, LevelChange, Print, Resolution};
use pm_arb_core::ids::{InstrumentId, MarketId, Timestamp, Venue};
use pm_arb_core::reason::Reason;
use pm_arb_core::rulebook::{Family, Rulebook, Subject};
use pm_arb_core::units::{Price, Qty};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most markets whose books are kept; one more forgets the one that moved least recently.
const MARKETS_MAX: usize = 1_024;
/// Most subscriptions of a connection.
const SIDS_MAX: usize = 1_024;

/// Why a frame could not be read. Nothing of it was used.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Not a message of Kalshi's.
    #[error("the frame is not a message of Kalshi's; its connection can no longer be trusted")]
    NotAMessage(#[source] serde_json::Error),
}

/// What one frame held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Whole books (of a market: two instruments).
    pub snapshots: u32,
    /// Level changes (of a market: two instruments).
    pub deltas: u32,
    /// Trades.
    pub prints: u32,
    /// Outcomes.
    pub resolutions: u32,
    /// Messages for markets nobody tracks.
    pub untracked: u32,
    /// Deltas of a market whose book is not known.
    pub before_snapshot: u32,
    /// Sizes that fell below zero.
    pub negative: u32,
    /// Holes in a sequence.
    pub holes: u32,
    /// Other messages.
    pub ignored: u32,
    /// Values that were refused.
    pub refused: u32,
    /// The venue's code, when the message is an error.
    pub error: Option<i64>,
}

#[derive(Debug)]
struct Book {
    yes: InstrumentId,
    no: InstrumentId,
    sid: u64,
    is_known: bool,
    venue_time: Timestamp,
    /// Bids for YES and for NO.
    bids: [BTreeMap<Price, Qty>; 2],
}

/// Reads frames of the WebSocket.
#[derive(Debug)]
pub struct Decoder {
    books: BTreeMap<String, Book>,
    /// The last number of each subscription; `None` when the sequence is not whole by nature.
    sequences: Option<BTreeMap<u64, u64>>,
    untrusted: Vec<String>,
    /// What the names of grids mean.
    rules: Arc<Rulebook>,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    sid: u64,
    seq: Option<u64>,
    #[serde(default)]
    msg: serde_json::Value,
}

#[derive(Deserialize)]
struct Snapshot {
    market_ticker: String,
    #[serde(default)]
    yes_dollars_fp: Vec<(String, String)>,
    #[serde(default)]
    no_dollars_fp: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Delta {
    market_ticker: String,
    price_dollars: String,
    delta_fp: String,
    side: String,
    ts_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Trade {
    market_ticker: String,
    yes_price_dollars: String,
    no_price_dollars: String,
    count_fp: String,
    taker_side: String,
    ts_ms: u64,
}

#[derive(Deserialize)]
struct Lifecycle {
    market_ticker: Option<String>,
    event_type: String,
    result: Option<String>,
    price_level_structure: Option<String>,
}

/// YES or NO, as a position.
fn side(text: &str) -> Result<usize, Reason> {
    match text {
        "yes" => Ok(0),
        "no" => Ok(1),
        _ => Err(Reason::UnknownEnum),
    }
}

fn price(text: &str) -> Result<Price, Reason> {
    let price = Price::parse(text).map_err(|_| Reason::MalformedFrame)?;
    price
        .is_tradable()
        .then_some(price)
        .ok_or(Reason::PriceOutOfRange)
}

fn qty(text: &str) -> Result<Qty, Reason> {
    Qty::parse(text).map_err(|_| Reason::MalformedFrame)
}

fn parse<T: serde::de::DeserializeOwned>(msg: serde_json::Value) -> Result<T, Reason> {
    serde_json::from_value(msg).map_err(|_| Reason::MalformedFrame)
}

/// The grid of a named structure on a day: the finest step where it changes along the price.
pub(super) fn tick_of(book: &Rulebook, structure: &str, at: Timestamp) -> Option<Price> {
    let subject = Subject::kind(Venue::Kalshi, Family::Other, structure);
    book.ticks.on(&subject, at).says.map(|grid| grid.finest())
}

impl Book {
    fn instruments(&self) -> [InstrumentId; 2] {
        [self.yes, self.no]
    }

    /// Both instruments' books, one message.
    fn snapshots(&self) -> [Event; 2] {
        [0, 1].map(|at| {
            let [own, other] = match at {
                0 => [&self.bids[0], &self.bids[1]],
                _ => [&self.bids[1], &self.bids[0]],
            };
            Event::Snapshot(Box::new(BookSnapshot {
                instrument: self.instruments()[at],
                more: at == 0,
                venue_time: self.venue_time,
                bids: own.iter().map(|(p, q)| (*p, *q)).collect(),
                asks: other.iter().map(|(p, q)| (p.complement(), *q)).collect(),
            }))
        })
    }

    fn forget(&mut self, cause: &str, out: &mut Vec<Event>) {
        self.is_known = false;
        for instrument in self.instruments() {
            out.push(Event::Gap {
                scope: GapScope::Instrument(instrument),
                cause: cause.to_owned(),
            });
        }
    }
}

impl Decoder {
    /// For recordings of single markets, where the numbers of a subscription have holes by nature.
    #[must_use]
    pub fn new(rules: Arc<Rulebook>) -> Self {
        Self {
            books: BTreeMap::new(),
            sequences: None,
            untrusted: Vec::new(),
            rules,
        }
    }

    /// For a whole connection: a hole in a subscription's numbers is a loss.
    #[must_use]
    pub fn sequenced(rules: Arc<Rulebook>) -> Self {
        Self {
            sequences: Some(BTreeMap::new()),
            ..Self::new(rules)
        }
    }

    /// Tickers whose books became unknown since the last call and need a snapshot.
    pub fn take_untrusted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.untrusted)
    }

    /// Forgets a market that is over.
    pub fn forget(&mut self, ticker: &str) {
        self.books.remove(ticker);
    }

    /// Appends what `text` says to `out`. On an error nothing was appended.
    pub fn frame(
        &mut self,
        text: &str,
        ids: &Catalog,
        out: &mut Vec<Event>,
    ) -> Result<FrameCounts, FrameError> {
        let frame: Frame = serde_json::from_str(text).map_err(FrameError::NotAMessage)?;
        let mut counts = FrameCounts::default();
        if let Some(seq) = frame.seq {
            self.sequence(frame.sid, seq, out, &mut counts);
        }
        let ticker = frame.msg.get("market_ticker").and_then(|t| t.as_str());
        let ticker = ticker.unwrap_or_default().to_owned();
        let read = match frame.kind.as_str() {
            "orderbook_snapshot" => parse(frame.msg)
                .and_then(|snapshot| self.snapshot(snapshot, frame.sid, ids, out, &mut counts)),
            "orderbook_delta" => {
                parse(frame.msg).and_then(|delta| self.delta(&delta, out, &mut counts))
            }
            "trade" => parse(frame.msg).and_then(|trade| print(&trade, ids, out, &mut counts)),
            "market_lifecycle_v2" => {
                parse(frame.msg).and_then(|life| self.lifecycle(&life, ids, out, &mut counts))
            }
            "error" => {
                counts.error = Some(frame.msg.get("code").and_then(|c| c.as_i64()).unwrap_or(0));
                Ok(())
            }
            _ => {
                counts.ignored = 1;
                Ok(())
            }
        };
        if let Err(reason) = read {
            counts.refused += 1;
            out.push(Event::Refused {
                venue: Some(Venue::Kalshi),
                reason,
            });
            if frame.kind.starts_with("orderbook")
                && let Some(book) = self.books.get_mut(&ticker)
            {
                book.forget("a message about this book was unusable", out);
                self.untrusted.push(ticker);
            }
        }
        Ok(counts)
    }

    fn sequence(&mut self, sid: u64, seq: u64, out: &mut Vec<Event>, counts: &mut FrameCounts) {
        let Some(sequences) = &mut self.sequences else {
            return;
        };
        if sequences.len() >= SIDS_MAX && !sequences.contains_key(&sid) {
            sequences.pop_first();
        }
        let whole = sequences
            .insert(sid, seq)
            .is_none_or(|last| seq == last.saturating_add(1));
        if whole {
            return;
        }
        counts.holes = 1;
        for (ticker, book) in &mut self.books {
            if book.sid == sid && book.is_known {
                book.forget("messages of this subscription were lost", out);
                self.untrusted.push(ticker.clone());
            }
        }
    }

    fn snapshot(
        &mut self,
        snapshot: Snapshot,
        sid: u64,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let levels = |side: &[(String, String)]| -> Result<BTreeMap<Price, Qty>, Reason> {
            let mut levels = BTreeMap::new();
            for (at, size) in side {
                let (at, size) = (price(at)?, qty(size)?);
                if size < Qty::ZERO {
                    return Err(Reason::MalformedFrame);
                }
                if size > Qty::ZERO {
                    levels.insert(at, size);
                }
            }
            Ok(levels)
        };
        let bids = [
            levels(&snapshot.yes_dollars_fp)?,
            levels(&snapshot.no_dollars_fp)?,
        ];
        let ticker = snapshot.market_ticker;
        let Some((_, [yes, no])) = numbers(&ticker, ids) else {
            counts.untracked = 1;
            return Ok(());
        };
        if self.books.len() >= MARKETS_MAX && !self.books.contains_key(&ticker) {
            let oldest = self.books.iter().min_by_key(|(_, book)| book.venue_time);
            if let Some(oldest) = oldest.map(|(ticker, _)| ticker.clone()) {
                self.books.remove(&oldest);
            }
        }
        let venue_time = self
            .books
            .get(&ticker)
            .map_or(Timestamp(0), |b| b.venue_time);
        let book = Book {
            yes,
            no,
            sid,
            is_known: true,
            venue_time,
            bids,
        };
        counts.snapshots = 1;
        out.extend(book.snapshots());
        self.books.insert(ticker, book);
        Ok(())
    }

    fn delta(
        &mut self,
        delta: &Delta,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let (at, change) = (price(&delta.price_dollars)?, qty(&delta.delta_fp)?);
        let of = side(&delta.side)?;
        let Some(book) = self
            .books
            .get_mut(&delta.market_ticker)
            .filter(|b| b.is_known)
        else {
            counts.before_snapshot = 1;
            return Ok(());
        };
        if let Some(ms) = delta.ts_ms {
            book.venue_time = book.venue_time.max(Timestamp::from_ms(ms));
        }
        let own = book.instruments()[of];
        let other = book.instruments()[1 - of];
        let size = book.bids[of].get(&at).copied().unwrap_or(Qty::ZERO);
        let size = size.checked_add(change).ok_or(Reason::MalformedFrame)?;
        if size < Qty::ZERO {
            counts.negative = 1;
            book.bids[of].remove(&at);
            book.forget("a level fell below zero: something was lost", out);
            self.untrusted.push(delta.market_ticker.clone());
            return Ok(());
        }
        match size {
            Qty::ZERO => book.bids[of].remove(&at),
            size => book.bids[of].insert(at, size),
        };
        counts.deltas = 1;
        for (instrument, side, price, more) in [
            (own, BookSide::Bid, at, true),
            (other, BookSide::Ask, at.complement(), false),
        ] {
            out.push(Event::Level(LevelChange {
                instrument,
                side,
                more,
                price,
                qty: size,
                venue_time: book.venue_time,
            }));
        }
        Ok(())
    }

    fn lifecycle(
        &mut self,
        life: &Lifecycle,
        ids: &Catalog,
        out: &mut Vec<Event>,
        counts: &mut FrameCounts,
    ) -> Result<(), Reason> {
        let ticker = life.market_ticker.as_deref().unwrap_or_default();
        let Some((market, instruments)) = numbers(ticker, ids) else {
            counts.untracked = 1;
            return Ok(());
        };
        match life.event_type.as_str() {
            "activated" => out.push(Event::Trading { market, open: true }),
            "deactivated" => out.push(Event::Trading {
                market,
                open: false,
            }),
            "determined" | "settled" => {
                // Without a result in the message, the REST API is asked.
                let Some(Ok(winner)) = life.result.as_deref().map(side) else {
                    counts.ignored = 1;
                    return Ok(());
                };
                counts.resolutions = 1;
                out.push(Event::Resolved(Box::new(resolution(
                    market,
                    winner,
                    "market_lifecycle_v2",
                ))));
            }
            "price_level_structure_updated" => {
                // Frames of this kind carry no time: the market's last one is the nearest.
                let at = self.books.get(ticker).map(|book| book.venue_time);
                let at = at
                    .filter(|at| *at > Timestamp(0))
                    .unwrap_or(Timestamp(u64::MAX));
                let structure = life.price_level_structure.as_deref();
                let tick = structure.and_then(|name| tick_of(&self.rules, name, at));
                let tick = tick.ok_or(Reason::UnknownEnum)?;
                for instrument in instruments {
                    out.push(Event::TickSize { instrument, tick });
                }
                if let Some(book) = self.books.get_mut(ticker) {
                    book.is_known = false;
                    self.untrusted.push(ticker.to_owned());
                }
            }
            _ => counts.ignored = 1,
        }
        Ok(())
    }
}

pub(super) fn resolution(market: MarketId, winner: usize, evidence: &str) -> Resolution {
    let pays = |at: usize| match at == winner {
        true => Price::DOLLAR,
        false => Price::ZERO,
    };
    Resolution {
        market,
        payouts: vec![pays(0), pays(1)],
        evidence: evidence.to_owned(),
    }
}

/// Our numbers of a market and its outcomes.
fn numbers(ticker: &str, ids: &Catalog) -> Option<(MarketId, [InstrumentId; 2])> {
    let instrument = |side: &str| ids.instrument(Venue::Kalshi, &format!("{ticker}:{side}"));
    let market = ids.market(Venue::Kalshi, ticker)?;
    Some((market, [instrument("yes")?, instrument("no")?]))
}

fn print(
    trade: &Trade,
    ids: &Catalog,
    out: &mut Vec<Event>,
    counts: &mut FrameCounts,
) -> Result<(), Reason> {
    let bought = side(&trade.taker_side)?;
    let prices = [&trade.yes_price_dollars, &trade.no_price_dollars];
    let (price, qty) = (price(prices[bought])?, qty(&trade.count_fp)?);
    let Some((_, instruments)) = numbers(&trade.market_ticker, ids) else {
        counts.untracked = 1;
        return Ok(());
    };
    counts.prints = 1;
    out.push(Event::Print(Print {
        instrument: instruments[bought],
        price,
        qty,
        taker_bought: true,
        venue_time: Timestamp::from_ms(trade.ts_ms),
    }));
    Ok(())
}
