//! `aligned-ladder`: a market's last two minutes in a few samples, with Binance spot and the winner.
//!
//! A sample names the best prices, the average price of buying 5, 20 and 50 shares, and the depth of
//! the whole side, but not the size at the best price. What can be proven becomes a book: where the
//! average of N shares equals the best ask, at least N shares stand there. A bid has the size proven
//! for the other token's ask when the two are the same order seen from both sides (their prices sum
//! to one). A best price without a proven size is left out, and a side the sample calls empty is
//! empty. Spot is the Binance price; `open_px` its value when the window opened, a kline's open that
//! the recorder asked for before its first sample.
//!
//! Windows and opening prices carry the venues' time, samples that of the recorder's clock, which ran
//! behind (see [`CLOCK_BEHIND`]). Samples are put where they belong; the last ones lie past the close.
//!
//! `windows` lines (one sample each, without a size) give tokens, spot and winner; `windows_hist`
//! lines hold only middle prices and are refused.

use super::draft::{Draft, Published, Window};
use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, number};
use pm_arb_core::event::{BookSnapshot, Event, OracleTick};
use pm_arb_core::ids::{Nanos, OracleId, Timestamp};
use pm_arb_core::units::{Price, Qty, SpotPrice};
use serde::Deserialize;
use serde_json::value::RawValue;

/// How far the recorder's clock ran behind the venues'. It can be read off the recording: its spot 19.7
/// seconds before the close, by its own clock, is the next window's opening price to the cent in 127
/// of 134 pairs of windows, and its spot 9.8 seconds before tells the winner less often (119 of 135)
/// than that one (132). Polymarket's books are empty on the winning side by then.
const CLOCK_BEHIND: Nanos = Nanos::from_ms(19_700);
/// Sizes whose average price a sample names.
const SHARES: [i64; 3] = [5_000_000, 20_000_000, 50_000_000];

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    window_ts: &'a RawValue,
    slug: &'a str,
    winner: Option<&'a str>,
    #[serde(borrow)]
    open_px: Option<&'a RawValue>,
    #[serde(borrow, default)]
    samples: Option<Vec<Sample<'a>>>,
    #[serde(borrow)]
    sampled_at: Option<&'a RawValue>,
    #[serde(borrow)]
    binance_open: Option<&'a RawValue>,
    #[serde(borrow)]
    binance_last: Option<&'a RawValue>,
    up_token: Option<&'a str>,
    down_token: Option<&'a str>,
}

#[derive(Deserialize)]
struct Sample<'a> {
    /// Seconds from the close, negative before it.
    #[serde(borrow)]
    t: &'a RawValue,
    #[serde(borrow)]
    spot: Option<&'a RawValue>,
    /// `null` where the recorder got no answer.
    #[serde(borrow)]
    up: Option<Top<'a>>,
    #[serde(borrow)]
    down: Option<Top<'a>>,
}

#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    ask: Option<&'a RawValue>,
    #[serde(borrow)]
    bid: Option<&'a RawValue>,
    #[serde(borrow)]
    vwap5: Option<&'a RawValue>,
    #[serde(borrow)]
    vwap20: Option<&'a RawValue>,
    #[serde(borrow)]
    vwap50: Option<&'a RawValue>,
}

/// A best ask and what is proven to stand there.
type Ask = Option<(Price, Option<Qty>)>;

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    while let Some(text) = intake.next_line(lines) {
        match line(&text, intake) {
            Ok(messages) => {
                for (at, events) in messages {
                    intake.message(at, &events)?;
                }
            }
            Err(why) => intake.refuse(lines.line(), why),
        }
    }
    Ok(())
}

type Messages = Vec<(Timestamp, Vec<Event>)>;

/// All of a line or nothing of it.
fn line(text: &str, intake: &mut Intake) -> Result<Messages, String> {
    let line: Line =
        serde_json::from_str(text).map_err(|e| format!("is no line of a ladder: {e}"))?;
    let window = Window::find(line.slug)
        .filter(|w| w.slug == line.slug)
        .ok_or_else(|| format!("{:?} is no up-or-down window", line.slug))?;
    if number::text(line.window_ts).and_then(number::seconds) != Some(window.opens_at) {
        return Err(intake.contradicts("\"window_ts\" is not the window of the slug"));
    }
    let published = match line.winner {
        None => None,
        Some(winner) => {
            let payouts = match winner {
                "UP" => [Price::DOLLAR, Price::ZERO],
                "DOWN" => [Price::ZERO, Price::DOLLAR],
                other => {
                    let why = format!("winner {other:?} is neither UP nor DOWN");
                    return Err(intake.contradicts(why));
                }
            };
            let evidence = "the recording's winner; it does not say when it was published";
            Some(Published::new(None, payouts, evidence)?)
        }
    };
    let spot = intake.oracle("binance", &format!("{}usdt", window.asset));
    let settled_by = intake.oracle("chainlink", &format!("{}usd", window.asset));
    let index = intake.market_or(&window.slug, |intake| {
        Draft::of_window(&window, settled_by, &intake.rules)
    });
    let mut messages = Messages::new();
    if let Some(price) = spot_price(line.open_px.or(line.binance_open))? {
        messages.push((
            window.opens_at,
            vec![oracle_tick(spot, price, window.opens_at)],
        ));
    }
    if let Some(raw) = line.sampled_at {
        let at = number::text(raw)
            .and_then(number::seconds)
            .ok_or("\"sampled_at\" is no time in seconds")?
            .plus(CLOCK_BEHIND);
        if let Some(price) = spot_price(line.binance_last)? {
            messages.push((at, vec![oracle_tick(spot, price, at)]));
        }
    }
    for sample in line.samples.iter().flatten() {
        messages.push(message(sample, &window, index, spot)?);
    }
    if messages.is_empty() {
        return Err("holds neither samples nor a spot price".to_owned());
    }
    if let Some(draft) = intake.draft(index) {
        for (at, _) in &messages {
            draft.touch(*at);
        }
        if let (Some(up), Some(down)) = (line.up_token, line.down_token)
            && !up.is_empty()
            && !down.is_empty()
        {
            draft.name_tokens(up, down);
        }
        if let Some(word) = published {
            draft.publish(word)?;
        }
    }
    Ok(messages)
}

fn message(
    sample: &Sample<'_>,
    window: &Window,
    market: usize,
    spot: OracleId,
) -> Result<(Timestamp, Vec<Event>), String> {
    let offset = number::text(sample.t)
        .and_then(|t| number::fixed(t, 9))
        .ok_or("\"t\" is no number of seconds")?;
    let at = i128::from(window.closes_at.0)
        .checked_add(offset)
        .and_then(|ns| u64::try_from(ns).ok())
        .map(Timestamp)
        .filter(|at| *at >= window.opens_at && at.since(window.closes_at).0 < 86_400_000_000_000)
        .ok_or("\"t\" lies outside of the window")?
        .plus(CLOCK_BEHIND);
    let mut events = Vec::new();
    if let Some(price) = spot_price(sample.spot)? {
        events.push(oracle_tick(spot, price, at));
    }
    let ask_of = |top: &Option<Top<'_>>| top.as_ref().map_or(Ok(None), best_ask);
    let (up, down) = (ask_of(&sample.up)?, ask_of(&sample.down)?);
    let tops = [(&sample.up, up, down), (&sample.down, down, up)];
    for (outcome, (top, ask, other)) in tops.into_iter().enumerate() {
        let Some(top) = top else {
            continue;
        };
        let bid = best_bid(top, other)?;
        let (Ok(asks), Ok(bids)) = (proven(ask), proven(bid)) else {
            // A price without a proven size: this side's book is not known.
            continue;
        };
        events.push(Event::Snapshot(Box::new(BookSnapshot {
            instrument: Intake::instrument(market, outcome),
            // The recorder asked for each book by itself: they are no atomic message.
            more: false,
            venue_time: at,
            bids,
            asks,
        })));
    }
    Ok((at, events))
}

/// The levels of a side; `Err` when it has a best price of unknown size.
fn proven(best: Ask) -> Result<Vec<(Price, Qty)>, ()> {
    match best {
        None => Ok(Vec::new()),
        Some((price, Some(qty))) => Ok(vec![(price, qty)]),
        Some((_, None)) => Err(()),
    }
}

fn best_ask(top: &Top<'_>) -> Result<Ask, String> {
    let Some(ask) = price(top.ask)? else {
        return Ok(None);
    };
    let mut qty = None;
    for (shares, vwap) in SHARES.into_iter().zip([top.vwap5, top.vwap20, top.vwap50]) {
        if price(vwap).ok().flatten() != Some(ask) {
            break;
        }
        qty = Some(Qty(shares));
    }
    Ok(Some((ask, qty)))
}

fn best_bid(top: &Top<'_>, other_ask: Ask) -> Result<Ask, String> {
    let Some(bid) = price(top.bid)? else {
        return Ok(None);
    };
    let qty = other_ask
        .filter(|(ask, _)| ask.complement() == bid)
        .and_then(|(_, qty)| qty);
    Ok(Some((bid, qty)))
}

fn price(raw: Option<&RawValue>) -> Result<Option<Price>, String> {
    match raw {
        None => Ok(None),
        Some(raw) => number::price(raw)
            .map(Some)
            .ok_or_else(|| format!("{raw} is no price")),
    }
}

fn spot_price(raw: Option<&RawValue>) -> Result<Option<SpotPrice>, String> {
    match raw {
        None => Ok(None),
        Some(raw) => number::text(raw)
            .and_then(number::spot)
            .map(Some)
            .ok_or_else(|| format!("{raw} is no price of an asset")),
    }
}

fn oracle_tick(oracle: OracleId, price: SpotPrice, at: Timestamp) -> Event {
    Event::OracleTick(OracleTick {
        oracle,
        price,
        source_time: at,
    })
}
