//! `l2-snapshots`: the top levels of both tokens, polled together once a second.
//!
//! One file per market, named by its slug, with lines `{"ts": ms, "side": "UP"|"DOWN", "bid_px": […],
//! "bid_sz": […], "ask_px": […], "ask_sz": […]}`; and lines of `markets.jsonl` with the market's id,
//! question, window and payouts. Two neighbouring lines of one instant are one poll and become one
//! atomic message. The recorder stamps only its own time: it serves as receive and venue time.

use super::draft::{Draft, Published, Window};
use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, number};
use pm_arb_core::event::{BookSnapshot, Event};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{Price, Qty};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(borrow)]
    ts: &'a RawValue,
    side: &'a str,
    #[serde(borrow)]
    bid_px: Vec<&'a RawValue>,
    #[serde(borrow)]
    bid_sz: Vec<&'a RawValue>,
    #[serde(borrow)]
    ask_px: Vec<&'a RawValue>,
    #[serde(borrow)]
    ask_sz: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Market<'a> {
    market_id: String,
    slug: String,
    question: Option<String>,
    #[serde(borrow)]
    start_ts: &'a RawValue,
    #[serde(borrow)]
    end_ts: &'a RawValue,
    outcome_up: Option<String>,
    outcome_down: Option<String>,
    #[serde(borrow)]
    payout_up: Option<&'a RawValue>,
    #[serde(borrow)]
    payout_down: Option<&'a RawValue>,
}

/// A side waiting for its twin of the same instant.
struct Waiting {
    at: Timestamp,
    book: BookSnapshot,
}

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    let window = Window::find(&intake.file_name());
    let mut waiting: Option<Waiting> = None;
    while let Some(text) = intake.next_line(lines) {
        let result = if text.contains("\"market_id\"") {
            market(&text, intake)
        } else {
            match book(&text, window.as_ref(), intake) {
                Ok((at, book)) => {
                    pair(at, book, &mut waiting, intake)?;
                    Ok(())
                }
                Err(why) => Err(why),
            }
        };
        if let Err(why) = result {
            intake.refuse(lines.line(), why);
        }
    }
    if let Some(alone) = waiting {
        send(alone.at, vec![alone.book], intake)?;
    }
    Ok(())
}

fn pair(
    at: Timestamp,
    book: BookSnapshot,
    waiting: &mut Option<Waiting>,
    intake: &mut Intake,
) -> Result<(), ImportError> {
    match waiting.take() {
        Some(first) if first.at == at && first.book.instrument != book.instrument => {
            send(at, vec![first.book, book], intake)
        }
        Some(first) => {
            *waiting = Some(Waiting { at, book });
            send(first.at, vec![first.book], intake)
        }
        None => {
            *waiting = Some(Waiting { at, book });
            Ok(())
        }
    }
}

fn send(at: Timestamp, books: Vec<BookSnapshot>, intake: &mut Intake) -> Result<(), ImportError> {
    let last = books.len().saturating_sub(1);
    let events: Vec<Event> = books
        .into_iter()
        .enumerate()
        .map(|(i, mut book)| {
            book.more = i < last;
            Event::Snapshot(Box::new(book))
        })
        .collect();
    intake.message(at, &events)
}

fn book(
    text: &str,
    window: Option<&Window>,
    intake: &mut Intake,
) -> Result<(Timestamp, BookSnapshot), String> {
    let window = window.ok_or("the file is not named by its market's slug")?;
    let line: Book = serde_json::from_str(text).map_err(|e| format!("is no book: {e}"))?;
    let at = number::text(line.ts)
        .and_then(number::millis)
        .ok_or("\"ts\" is no time in milliseconds")?;
    let outcome = match line.side {
        "UP" | "Up" | "up" => 0,
        "DOWN" | "Down" | "down" => 1,
        other => return Err(format!("side {other:?} is neither UP nor DOWN")),
    };
    let (bids, cut_bids) = levels(&line.bid_px, &line.bid_sz).map_err(|e| format!("bids: {e}"))?;
    let (asks, cut_asks) = levels(&line.ask_px, &line.ask_sz).map_err(|e| format!("asks: {e}"))?;
    intake.sizes_cut += cut_bids + cut_asks;
    let draft = draft(window, intake);
    if let Some(draft) = intake.draft(draft) {
        draft.touch(at);
    }
    let book = BookSnapshot {
        instrument: Intake::instrument(draft, outcome),
        more: false,
        venue_time: at,
        bids,
        asks,
    };
    Ok((at, book))
}

fn levels(prices: &[&RawValue], sizes: &[&RawValue]) -> Result<(Vec<(Price, Qty)>, u64), String> {
    if prices.len() != sizes.len() {
        return Err(format!("{} prices, {} sizes", prices.len(), sizes.len()));
    }
    let mut levels = Vec::with_capacity(prices.len());
    let mut cut = 0;
    for (price, size) in prices.iter().zip(sizes) {
        let read = number::price(price).ok_or_else(|| format!("{price} is no price"))?;
        let (qty, was_cut) = number::size(size).ok_or_else(|| format!("{size} is no size"))?;
        cut += u64::from(was_cut);
        levels.push((read, qty));
    }
    Ok((levels, cut))
}

fn draft(window: &Window, intake: &mut Intake) -> usize {
    intake.market_or(&window.slug, |intake| {
        let oracle = intake.oracle("chainlink", &format!("{}usd", window.asset));
        Draft::of_window(window, oracle, &intake.rules)
    })
}

fn market(text: &str, intake: &mut Intake) -> Result<(), String> {
    let line: Market = serde_json::from_str(text).map_err(|e| format!("is no market: {e}"))?;
    let window = Window::find(&line.slug)
        .filter(|w| w.slug == line.slug)
        .ok_or_else(|| format!("{:?} is no up-or-down window", line.slug))?;
    let time = |raw| number::text(raw).and_then(number::millis);
    let (start, end) = (time(line.start_ts), time(line.end_ts));
    if start != Some(window.opens_at) || end != Some(window.closes_at) {
        let why = "\"start_ts\" and \"end_ts\" are not the window of the slug";
        return Err(intake.contradicts(why));
    }
    if line.market_id.is_empty() {
        return Err("\"market_id\" is empty".to_owned());
    }
    let payout = |raw: Option<&RawValue>| {
        let units = number::fixed(number::text(raw?)?, pm_arb_core::units::DECIMALS)?;
        Some(Price(i64::try_from(units).ok()?))
    };
    let published = match (payout(line.payout_up), payout(line.payout_down)) {
        (None, None) => None,
        (Some(up), Some(down)) => {
            let evidence = "the recording's payouts; it does not say when they were published";
            let word = Published::new(None, [up, down], evidence);
            Some(word.map_err(|why| intake.contradicts(why))?)
        }
        _ => return Err(intake.contradicts("one payout is missing")),
    };
    let index = draft(&window, intake);
    if let Some(draft) = intake.draft(index) {
        draft.spec.native_id = line.market_id;
        if let Some(question) = line.question {
            draft.spec.question = question;
        }
        let names = [line.outcome_up, line.outcome_down];
        for (outcome, name) in draft.spec.outcomes.iter_mut().zip(names) {
            if let Some(name) = name {
                outcome.name = name;
            }
        }
        if let Some(word) = published {
            draft.publish(word)?;
        }
    }
    Ok(())
}
