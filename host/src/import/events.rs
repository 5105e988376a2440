//! `polymarket-events`: books and price changes of Polymarket's market channel as columns, a row a level.
//!
//! A header names the columns, in any order: `market_slug`, `asset_id`, `event_type`, `price`, `side`,
//! `size`, `hash`, `timestamp`, and others that are not read. Neighbouring rows of one token, type, hash
//! and time are one message, a `book` (whole) or a `price_change` (new sizes, of one
//! token each, as the channel sent them before September 2025). The only time is the venue's own: it
//! serves as the time of receipt.
//!
//! Nothing says which outcome a token is, when the market ends or who won: see [`ASSUMED`].

use super::draft::Draft;
use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, number};
use pm_arb_core::event::{BookSide, BookSnapshot, Event, LevelChange};
use pm_arb_core::ids::{InstrumentId, Timestamp, Venue};
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::rulebook::Family;
use pm_arb_core::units::{Price, Qty};
use std::sync::Arc;

/// What the recording does not say.
pub(super) const ASSUMED: &str = "the recording says neither which outcome a token is, nor when its \
     markets end, nor who won: they are listed until two days after the date in their slug, and stay \
     open; the venue's time serves as the time of receipt";

/// The columns that are read.
const COLUMNS: [&str; 8] = [
    "market_slug",
    "asset_id",
    "event_type",
    "price",
    "side",
    "size",
    "hash",
    "timestamp",
];
/// Most levels of one message.
const LEVELS_MAX: usize = 20_000;
/// From midnight of a slug's date: the game is over everywhere.
const LISTED_SECS: u64 = 2 * 86_400;

/// Where the columns stand, and how many there are.
struct Columns([usize; 8], usize);

impl Columns {
    fn of(header: &str) -> Option<Self> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let mut places = [0; 8];
        for (place, wanted) in places.iter_mut().zip(COLUMNS) {
            *place = names.iter().position(|name| *name == wanted)?;
        }
        Some(Self(places, names.len()))
    }
}

/// A row.
struct Row<'a> {
    slug: &'a str,
    token: &'a str,
    is_book: bool,
    hash: &'a str,
    at: Timestamp,
    level: (BookSide, Price, Qty),
}

/// A message in the making.
struct Message {
    instrument: InstrumentId,
    is_book: bool,
    hash: String,
    at: Timestamp,
    levels: Vec<(BookSide, Price, Qty)>,
}

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    let mut open: Option<Message> = None;
    let mut columns: Option<Columns> = None;
    while let Some(text) = intake.next_line(lines) {
        if let Some(found) = Columns::of(&text) {
            columns = Some(found);
            continue;
        }
        let found = row(&text, columns.as_ref())
            .and_then(|row| instrument(&row, intake).map(|instrument| (row, instrument)));
        let (row, instrument) = match found {
            Ok(found) => found,
            Err(why) => {
                intake.refuse(lines.line(), why);
                continue;
            }
        };
        let is_same = |m: &Message| {
            (m.instrument, m.is_book, m.at) == (instrument, row.is_book, row.at)
                && m.hash == row.hash
        };
        if !open.as_ref().is_some_and(is_same)
            && let Some(done) = open.take()
        {
            send(done, intake)?;
        }
        let message = open.get_or_insert_with(|| Message {
            instrument,
            is_book: row.is_book,
            hash: row.hash.to_owned(),
            at: row.at,
            levels: Vec::new(),
        });
        let (side, price, _) = row.level;
        let is_known = |(s, p, _): &(BookSide, Price, Qty)| (*s, *p) == (side, price);
        if row.is_book && message.levels.iter().any(is_known) {
            intake.refuse(lines.line(), "repeats a level of its book");
        } else if message.levels.len() == LEVELS_MAX {
            intake.refuse(
                lines.line(),
                "is beyond the levels that one message may have",
            );
        } else {
            message.levels.push(row.level);
        }
    }
    match open {
        Some(last) => send(last, intake),
        None => Ok(()),
    }
}

fn send(message: Message, intake: &mut Intake) -> Result<(), ImportError> {
    let (at, instrument) = (message.at, message.instrument);
    if message.is_book {
        let side = |wanted| {
            let levels = message.levels.iter().filter(move |(s, _, _)| *s == wanted);
            levels.map(|(_, price, qty)| (*price, *qty)).collect()
        };
        let book = BookSnapshot {
            instrument,
            more: false,
            venue_time: at,
            bids: side(BookSide::Bid),
            asks: side(BookSide::Ask),
        };
        return intake.message(at, &[Event::Snapshot(Box::new(book))]);
    }
    let last = message.levels.len().saturating_sub(1);
    let changes: Vec<Event> = message
        .levels
        .iter()
        .enumerate()
        .map(|(i, (side, price, qty))| {
            Event::Level(LevelChange {
                instrument,
                side: *side,
                more: i < last,
                price: *price,
                qty: *qty,
                venue_time: at,
            })
        })
        .collect();
    intake.message(at, &changes)
}

fn row<'a>(text: &'a str, columns: Option<&Columns>) -> Result<Row<'a>, String> {
    let Columns(places, count) =
        columns.ok_or("stands below no header with asset_id, event_type, price, …")?;
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    if fields.len() != *count {
        let found = fields.len();
        return Err(format!("has {found} columns, the header {count}"));
    }
    let [slug, token, kind, price, side, size, hash, at] =
        places.map(|place| fields.get(place).copied().unwrap_or_default());
    let is_book = match kind {
        "book" => true,
        "price_change" => false,
        other => return Err(format!("event_type {other:?} is unknown")),
    };
    let side = match side {
        "bid" | "BUY" => BookSide::Bid,
        "ask" | "SELL" => BookSide::Ask,
        other => return Err(format!("side {other:?} is neither a bid nor an ask")),
    };
    if slug.is_empty() || token.is_empty() {
        return Err("names no market or no token".to_owned());
    }
    let price = number::price_of(price).ok_or_else(|| format!("{price:?} is no price"))?;
    let qty = match number::fixed(size, 0) {
        Some(0) if !is_book => Qty::ZERO,
        _ => number::size_of(size)
            .filter(|(_, was_cut)| !was_cut)
            .map(|(qty, _)| qty)
            .ok_or_else(|| format!("{size:?} is no size"))?,
    };
    let at = number::millis(at).ok_or_else(|| format!("{at:?} is no time in milliseconds"))?;
    Ok(Row {
        slug,
        token,
        is_book,
        hash,
        at,
        level: (side, price, qty),
    })
}

/// The provisional number of the row's token, in a market that is listed with its first row.
fn instrument(row: &Row<'_>, intake: &mut Intake) -> Result<InstrumentId, String> {
    let index = match intake.market(row.slug) {
        Some(index) => index,
        None => {
            let draft = draft(row, intake)?;
            intake.market_or(row.slug, |_| draft)
        }
    };
    let Some(draft) = intake.draft(index) else {
        return Err("its market is not known".to_owned());
    };
    if !draft.see_token(row.token) {
        return Err(format!("token {} would be the market's third", row.token));
    }
    draft.touch(row.at);
    let place = draft.tokens_seen.iter().position(|t| t == row.token);
    Ok(Intake::instrument(index, place.unwrap_or_default()))
}

fn draft(row: &Row<'_>, intake: &Intake) -> Result<Draft, String> {
    let date = row
        .slug
        .len()
        .checked_sub(10)
        .and_then(|at| row.slug.get(at..));
    let midnight = date.and_then(|date| number::utc(&format!("{date}T00:00:00Z")));
    let midnight =
        midnight.ok_or_else(|| format!("the slug {:?} does not end with a date", row.slug))?;
    let book = Arc::clone(&intake.rules);
    let (venue, family, at) = (Venue::Polymarket, Family::Other, row.at);
    let mut draft = Draft::of_condition("");
    let spec = &mut draft.spec;
    row.slug.clone_into(&mut spec.slug);
    row.slug.clone_into(&mut spec.question);
    spec.opens_at = row.at;
    spec.closes_at = Timestamp::from_secs(midnight.secs() + LISTED_SECS);
    if spec.closes_at <= spec.opens_at {
        return Err(format!("{} was over then", row.slug));
    }
    let fee = book.taker_fee_on(venue, family, at);
    spec.fee = fee.says.unwrap_or(FeeSchedule::Unknown);
    spec.fee_rule = fee.rule;
    let maker_fee = book.maker_fee_on(venue, family, at).says;
    spec.maker_fee = maker_fee.unwrap_or(FeeSchedule::Unknown);
    // Finer ones are shown by its books.
    spec.tick = book.tick_on(venue, family, at).says.map(|grid| grid.tick);
    spec.lot = book.lot_on(venue, family, at).says.unwrap_or(spec.lot);
    spec.min_qty = book.min_qty_on(venue, family, at).says;
    spec.taker_delay = book.taker_delay_on(venue, family, at).says;
    Ok(draft)
}
