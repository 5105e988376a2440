//! `kalshi-frames`: raw frames of Kalshi's WebSocket, and the venue's own market objects.
//!
//! `{"recv_ms": …, "event": …}` carries the time of receipt; frames are decoded by the live decoder,
//! after sorting. Numbers of a subscription count the messages of all its markets, so that those of
//! one market's file have holes by nature: a hole proves nothing here, a number that comes twice in a
//! row is a frame recorded twice.
//!
//! Markets are described by REST answers (`{"response": {"event": …, "markets": […]}}`, or any object
//! with `event` and `markets`) and by `MARKETS.csv`, which repeats some of their fields; what is
//! described twice must agree. The outcome is told at `settlement_ts`. Neither names the series' fees:
//! they stay unknown unless `--rules` tell them.

use super::draft::{Draft, Published};
use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, frames, number};
use crate::rulebook::Rules;
use crate::venue::kalshi::rest;
use pm_arb_core::ids::{MarketId, Timestamp, Venue};
use pm_arb_core::units::Price;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most subscriptions of one file whose numbers are kept.
const SIDS_MAX: usize = 1_024;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    recv_ms: &'a RawValue,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// What must be known of a frame before it can be sorted.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default)]
    sid: u64,
    seq: Option<u64>,
    #[serde(borrow)]
    msg: Option<Named<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    market_ticker: Option<Cow<'a, str>>,
}

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    let mut columns: Option<Vec<String>> = None;
    let mut sequences = BTreeMap::new();
    let mut is_first = true;
    while let Some(text) = intake.next_line(lines) {
        let opens_document = is_first && matches!(text.as_str(), "{" | "[");
        let is_header = is_first && text.starts_with("window,");
        is_first = false;
        if opens_document {
            if let Some(whole) = frames::document(text, lines, intake)
                && let Err(why) = answer(&whole, intake)
            {
                intake.refuse(1, why);
            }
            return Ok(());
        }
        if is_header {
            columns = Some(text.split(',').map(str::to_owned).collect());
            continue;
        }
        let read = match &columns {
            Some(columns) => row(&text, columns, intake).map(|()| None),
            None => frame(&text, &mut sequences, intake).map(Some),
        };
        match read {
            Ok(Some((at, frame))) => intake.kalshi_frame(at, lines.line(), frame)?,
            Ok(None) => {}
            Err(why) => intake.refuse(lines.line(), why),
        }
    }
    Ok(())
}

fn frame<'a>(
    text: &'a str,
    sequences: &mut BTreeMap<u64, u64>,
    intake: &mut Intake,
) -> Result<(Timestamp, &'a str), String> {
    let line: Line = serde_json::from_str(text).map_err(|e| format!("is no frame: {e}"))?;
    let at = number::text(line.recv_ms)
        .and_then(number::millis)
        .ok_or("\"recv_ms\" is no time in milliseconds")?;
    let head: Head = serde_json::from_str(line.event.get())
        .map_err(|e| format!("\"event\" is no message of Kalshi's: {e}"))?;
    if let Some(seq) = head.seq {
        if sequences.len() >= SIDS_MAX && !sequences.contains_key(&head.sid) {
            sequences.pop_first();
        }
        if sequences.insert(head.sid, seq) == Some(seq) {
            return Err(format!("repeats message {seq} of its subscription"));
        }
    }
    if let Some(ticker) = head.msg.and_then(|msg| msg.market_ticker) {
        let index = draft(&ticker, intake);
        if let Some(draft) = intake.draft(index) {
            draft.touch(at);
        }
    }
    Ok((at, line.event.get()))
}

/// A market of which only the ticker is known; it is listed when something describes it.
fn draft(ticker: &str, intake: &mut Intake) -> usize {
    intake.market_or(ticker, |_| {
        let mut draft = Draft::of_condition(ticker);
        draft.spec.venue = Venue::Kalshi;
        draft
    })
}

/// A REST answer: an event and its markets.
fn answer(text: &str, intake: &mut Intake) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("is no answer: {e}"))?;
    let body = value.get("response").unwrap_or(&value);
    let (Some(event), Some(Value::Array(markets))) = (body.get("event"), body.get("markets"))
    else {
        return Err("has no \"event\" with \"markets\"".to_owned());
    };
    let mut series = Map::new();
    for (from, to) in [
        ("series_ticker", "ticker"),
        ("settlement_sources", "settlement_sources"),
    ] {
        if let Some(value) = event.get(from) {
            series.insert(to.to_owned(), value.clone());
        }
    }
    let series = Value::Object(series);
    markets
        .iter()
        .try_for_each(|market| described(market, &series, intake))
}

/// A line of `MARKETS.csv`: fields of the market object under their own names.
fn row(text: &str, columns: &[String], intake: &mut Intake) -> Result<(), String> {
    let fields: Vec<&str> = text.split(',').collect();
    if fields.len() != columns.len() {
        let (found, expected) = (fields.len(), columns.len());
        return Err(format!("has {found} fields, the header {expected}"));
    }
    let mut object = Map::new();
    for (name, field) in columns.iter().zip(fields) {
        let value = match name.as_str() {
            _ if field.is_empty() => continue,
            "floor_strike" => serde_json::from_str(field)
                .map_err(|_| format!("floor_strike {field:?} is no number"))?,
            _ => Value::from(field),
        };
        let name = match name.as_str() {
            "window" => "ticker",
            name => name,
        };
        object.insert(name.to_owned(), value);
    }
    described(&Value::Object(object), &Value::Null, intake)
}

fn described(market: &Value, series: &Value, intake: &mut Intake) -> Result<(), String> {
    let rules = Arc::clone(&intake.rules);
    let rules = Rules::of_its_day(&rules);
    let spec = rest::market(market, series, rules, |source, symbol| {
        intake.oracle(source, symbol)
    });
    let spec = match spec {
        Ok(spec) => spec,
        Err(error) => {
            *intake.left_out.entry(error.reason).or_default() += 1;
            return Err(error.to_string());
        }
    };
    let published = published(market)?;
    let index = draft(&spec.native_id, intake);
    let Some(draft) = intake.draft(index) else {
        return Ok(());
    };
    let known = &draft.spec;
    if known.closes_at == Timestamp(0) {
        draft.spec = spec;
        draft.published = published.into_iter().collect();
        return Ok(());
    }
    let paid = |p: Option<&Published>| p.map(|p| (p.at, p.payouts.clone()));
    let agrees = (known.opens_at, known.closes_at, known.tick)
        == (spec.opens_at, spec.closes_at, spec.tick)
        && paid(draft.published.last()) == paid(published.as_ref());
    if !agrees {
        let ticker = &spec.native_id;
        let why = format!("{ticker} was described before, with another window, grid or outcome");
        return Err(intake.contradicts(why));
    }
    // A market object tells more than a line of the table.
    if !series.is_null() {
        draft.spec = spec;
        draft.published = published.into_iter().collect();
    }
    Ok(())
}

/// The venue's result, and what it says of how it came about.
fn published(market: &Value) -> Result<Option<Published>, String> {
    let told = rest::resolution(market, MarketId(0)).map_err(|e| e.to_string())?;
    let Some(told) = told else {
        return Ok(None);
    };
    let field = |name: &str| {
        market
            .get(name)
            .map(|v| v.as_str().map_or(v.to_string(), str::to_owned))
    };
    let at = match field("settlement_ts") {
        None => None,
        Some(text) => {
            Some(number::utc(&text).ok_or_else(|| format!("settlement_ts {text:?} is no time"))?)
        }
    };
    let [yes, no] = told.payouts.as_slice() else {
        return Ok(None);
    };
    let settled = field("settlement_value_dollars");
    if let Some(settled) = &settled
        && Price::parse(settled).ok() != Some(*yes)
    {
        return Err(format!(
            "settlement_value_dollars {settled:?} is not what \"result\" pays"
        ));
    }
    let mut evidence = told.evidence;
    for (words, value) in [
        ("settlement value", settled),
        ("strike", field("floor_strike")),
        ("expiration value", field("expiration_value")),
        ("at settlement_ts", field("settlement_ts")),
    ] {
        if let Some(value) = value {
            evidence.push_str(&format!("; {words} {value}"));
        }
    }
    Published::new(at, [*yes, *no], evidence).map(Some)
}
