//! `top-of-book`: the best bid and ask of Up and Down with their sizes, once a second, as columns.
//!
//! One row a second: `Timestamp,TargetTime,Expiration,UpBid,UpAsk,UpMid,UpSpread,UpBidLiquidity,
//! UpAskLiquidity,Down…`. The recorder asked for each token's book by itself, and many requests at
//! once: the two sides of a row were *not* seen at one time (in 2,178 rows of one day their asks sum
//! below a dollar, which no book of this venue ever shows), and rows stand in the order in which they
//! were answered. Every side therefore becomes a message of its own, put at its row's stamp; nothing
//! in the run says that two of them belong together.
//!
//! A price of zero stands for no level. Stamps are texts without a time zone, and no column names the
//! asset: see [`ASSUMED`]. Outcomes are not recorded.

use super::draft::{Draft, Window};
use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, number};
use pm_arb_core::event::{BookSnapshot, Event};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{Price, Qty};

/// What the recording does not say. Both can be read off it together: with these two, the side that
/// ends at 99 c is the side to which Binance BTC moved in 31 of the 32 windows of 2025-12-26; with any
/// other offset from UTC in at most 22.
pub(super) const ASSUMED: &str = "the recording names neither its asset nor its time zone: taken as \
     BTC and UTC; Up and Down were polled one after the other: each is a message of its own";

const HEADER: &str = "Timestamp,TargetTime,Expiration,UpBid,UpAsk,UpMid,UpSpread,UpBidLiquidity,\
     UpAskLiquidity,DownBid,DownAsk,DownMid,DownSpread,DownBidLiquidity,DownAskLiquidity";

/// One side of a row: bid, ask, their middle and distance, and the sizes.
type Side<'a> = [&'a str; 6];

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    while let Some(text) = intake.next_line(lines) {
        if text == HEADER {
            continue;
        }
        match row(&text, intake) {
            Ok((at, books)) => {
                for book in books {
                    intake.message(at, &[Event::Snapshot(Box::new(book))])?;
                }
            }
            Err(why) => intake.refuse(lines.line(), why),
        }
    }
    Ok(())
}

/// All of a row or nothing of it.
fn row(text: &str, intake: &mut Intake) -> Result<(Timestamp, [BookSnapshot; 2]), String> {
    let columns: Vec<&str> = text.split(',').collect();
    let [at, opens, closes, sides @ ..] = columns.as_slice() else {
        return Err(format!(
            "{} columns are none of a top of book",
            columns.len()
        ));
    };
    let (sides, rest) = sides.as_chunks::<6>();
    let ([up, down], []) = (sides, rest) else {
        return Err(format!("{} columns instead of 15", columns.len()));
    };
    let at = instant(at)?;
    let window = window(instant(opens)?, instant(closes)?)?;
    if !(window.opens_at..window.closes_at).contains(&at) {
        return Err("\"Timestamp\" lies outside of the window".to_owned());
    }
    let up = levels(up).map_err(|e| format!("Up: {e}"))?;
    let down = levels(down).map_err(|e| format!("Down: {e}"))?;
    let draft = intake.market_or(&window.slug, |intake| {
        let oracle = intake.oracle("chainlink", &format!("{}usd", window.asset));
        Draft::of_window(&window, oracle)
    });
    if let Some(draft) = intake.draft(draft) {
        draft.touch(at);
    }
    let mut outcome = 0;
    let books = [up, down].map(|levels| {
        intake.sizes_cut += levels.cut;
        intake.empty_polls += u64::from(levels.bids.is_empty() && levels.asks.is_empty());
        let book = BookSnapshot {
            instrument: Intake::instrument(draft, outcome),
            more: false,
            venue_time: at,
            bids: levels.bids,
            asks: levels.asks,
        };
        outcome += 1;
        book
    });
    Ok((at, books))
}

fn instant(text: &str) -> Result<Timestamp, String> {
    number::utc(&format!("{text}Z")).ok_or_else(|| format!("{text:?} is no date and time"))
}

fn window(opens_at: Timestamp, closes_at: Timestamp) -> Result<Window, String> {
    let span = match closes_at.since(opens_at).0 / 1_000_000_000 {
        300 => "5m",
        900 => "15m",
        14_400 => "4h",
        other => return Err(format!("no market of this venue lasts {other} seconds")),
    };
    let slug = format!("btc-updown-{span}-{}", opens_at.secs());
    Window::find(&slug).ok_or_else(|| format!("{slug} is no up-or-down window"))
}

struct Levels {
    bids: Vec<(Price, Qty)>,
    asks: Vec<(Price, Qty)>,
    cut: u64,
}

fn levels(side: &Side<'_>) -> Result<Levels, String> {
    let [bid, ask, _, _, bid_size, ask_size] = side;
    let mut cut = 0;
    let mut level = |price: &str, size: &str| {
        if number::fixed(price, 0) == Some(0) && number::fixed(size, 0) == Some(0) {
            return Ok(Vec::new());
        }
        let read = number::price_of(price).ok_or_else(|| format!("{price:?} is no price"))?;
        let (qty, was_cut) = number::size_of(size).ok_or_else(|| format!("{size:?} is no size"))?;
        cut += u64::from(was_cut);
        Ok::<_, String>(vec![(read, qty)])
    };
    let (bids, asks) = (level(bid, bid_size)?, level(ask, ask_size)?);
    Ok(Levels { bids, asks, cut })
}
