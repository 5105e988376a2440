//! `polymarket-book` and `polymarket-market`: raw frames of Polymarket's market channel.
//!
//! `{"recv": seconds, "frame": …}` carries the receive time. `{"capturedAt": whole seconds,
//! "payload": …}` carries one too coarse to order frames, and its recorder did not keep their order
//! either: there the venue's own `timestamp` serves as the time of receipt, and frames of the same
//! millisecond keep the order of the file. Frames are decoded by the live decoder, after sorting.
//!
//! Markets are described by `markets.json` (the recorder's objects with `upTokenId` and
//! `downTokenId`, or Gamma's own), or by the name of the file: `<slug>.jsonl.gz` holds one market's
//! frames, but does not say which token is Up; such a market is listed without that knowledge.

use super::draft::{Draft, Window};
use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, number};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{DECIMALS, Price, Qty};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest description of markets.
const MAX_DOCUMENT: usize = 64 << 20;
/// How deep market objects may lie in it.
const MAX_DEPTH: usize = 4;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    recv: Option<&'a RawValue>,
    #[serde(borrow)]
    frame: Option<&'a RawValue>,
    #[serde(borrow, rename = "capturedAt")]
    captured_at: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// What must be known of an event before it can be sorted.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    market: Option<Cow<'a, str>>,
    #[serde(borrow)]
    asset_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    price_changes: Vec<Change<'a>>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    asset_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Market<'a> {
    slug: String,
    condition_id: String,
    up_token_id: String,
    down_token_id: String,
    #[serde(borrow)]
    tick_size: Option<&'a RawValue>,
    #[serde(borrow)]
    min_order_size: Option<&'a RawValue>,
    #[serde(borrow)]
    start_ts: Option<&'a RawValue>,
    #[serde(borrow)]
    end_ts: Option<&'a RawValue>,
}

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    let window = Window::find(&intake.file_name());
    let mut is_first = true;
    while let Some(text) = intake.next_line(lines) {
        let opens_document = is_first && matches!(text.as_str(), "{" | "[");
        is_first = false;
        if opens_document {
            if let Some(whole) = document(text, lines, intake)
                && let Err(why) = describe(&whole, intake)
            {
                intake.refuse(1, why);
            }
            return Ok(());
        }
        match line(&text, window.as_ref(), intake) {
            Ok(Some((at, frame))) => intake.frame(at, lines.line(), &frame)?,
            Ok(None) => {}
            Err(why) => intake.refuse(lines.line(), why),
        }
    }
    Ok(())
}

/// The text of a description of markets that fills the whole file; `None` when it was refused.
pub(super) fn document(mut text: String, lines: &mut Lines, intake: &mut Intake) -> Option<String> {
    while let Some(more) = lines.next() {
        let more = match more {
            Ok(more) if text.len() + more.len() <= MAX_DOCUMENT => more,
            Ok(_) => {
                intake.refuse(lines.line(), "the document is too long");
                return None;
            }
            Err(why) => {
                intake.refuse(lines.line(), why);
                return None;
            }
        };
        text.push('\n');
        text.push_str(more);
        intake.note_line(more);
    }
    Some(text)
}

fn line(
    text: &str,
    window: Option<&Window>,
    intake: &mut Intake,
) -> Result<Option<(Timestamp, String)>, String> {
    let line: Line = serde_json::from_str(text).map_err(|e| format!("is no frame: {e}"))?;
    let (frame, received) = match (line.frame, line.payload) {
        (Some(frame), None) => {
            let recv = line.recv.and_then(number::text).and_then(number::seconds);
            (frame, Some(recv.ok_or("\"recv\" is no time in seconds")?))
        }
        (None, Some(payload)) => {
            let captured = line.captured_at.and_then(number::text);
            captured
                .and_then(number::any_unit)
                .ok_or("\"capturedAt\" is no time")?;
            (payload, None)
        }
        (None, None) => return describe(text, intake).map(|()| None),
        (Some(_), Some(_)) => return Err("has both \"frame\" and \"payload\"".to_owned()),
    };
    let heads: Vec<Head> = if frame.get().starts_with('[') {
        serde_json::from_str(frame.get())
    } else {
        serde_json::from_str(frame.get()).map(|head| vec![head])
    }
    .map_err(|e| format!("is no event of the market channel: {e}"))?;
    let stamped = heads.iter().find_map(|h| h.timestamp.as_deref());
    let at = match received {
        Some(at) => at,
        None => stamped
            .and_then(number::millis)
            .ok_or("the event carries no \"timestamp\" to order it by")?,
    };
    for head in &heads {
        note(head, at, window, intake)?;
    }
    Ok(Some((at, frame.get().to_owned())))
}

/// Learns from a frame which market and tokens it is about.
fn note(
    head: &Head<'_>,
    at: Timestamp,
    window: Option<&Window>,
    intake: &mut Intake,
) -> Result<(), String> {
    let Some(condition) = head.market.as_deref().filter(|m| !m.is_empty()) else {
        return Err("the event names no market".to_owned());
    };
    let index = intake.market_or(condition, |_| Draft::of_condition(condition));
    if let Some(window) = window {
        let oracle = intake.oracle("chainlink", &format!("{}usd", window.asset));
        let rules = Arc::clone(&intake.rules);
        if let Some(draft) = intake.draft(index) {
            if draft.spec.slug.is_empty() {
                draft.tell_window(window, oracle, &rules);
            } else if draft.spec.slug != window.slug {
                let slug = &draft.spec.slug;
                return Err(format!(
                    "market {condition} belongs to {slug}, not to this file"
                ));
            }
        }
    }
    if let Some(draft) = intake.draft(index) {
        draft.touch(at);
        let changed = head
            .price_changes
            .iter()
            .filter_map(|c| c.asset_id.as_deref());
        for token in head.asset_id.as_deref().into_iter().chain(changed) {
            if !draft.see_token(token) {
                return Err(format!("token {token} would be the market's third"));
            }
        }
    }
    Ok(())
}

fn describe(text: &str, intake: &mut Intake) -> Result<(), String> {
    match describe_part(text, 0, intake)? {
        0 => Err("is neither a frame nor a description of markets".to_owned()),
        _ => Ok(()),
    }
}

/// Finds market objects in objects and lists; how many there were.
fn describe_part(text: &str, depth: usize, intake: &mut Intake) -> Result<usize, String> {
    if text.starts_with('[') {
        let list: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|e| format!("is no list: {e}"))?;
        return describe_all(list.into_iter(), depth, intake);
    }
    if !text.starts_with('{') {
        return Ok(0);
    }
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|e| format!("is no object: {e}"))?;
    if fields.contains_key("upTokenId") {
        described(text, intake)?;
        return Ok(1);
    }
    if fields.contains_key("clobTokenIds") {
        gamma_object(text, intake)?;
        return Ok(1);
    }
    describe_all(fields.into_values(), depth, intake)
}

fn describe_all<'a>(
    parts: impl Iterator<Item = &'a RawValue>,
    depth: usize,
    intake: &mut Intake,
) -> Result<usize, String> {
    if depth == MAX_DEPTH {
        return Ok(0);
    }
    let mut found = 0;
    for part in parts {
        found += describe_part(part.get(), depth + 1, intake)?;
    }
    Ok(found)
}

fn described(text: &str, intake: &mut Intake) -> Result<(), String> {
    let market: Market = serde_json::from_str(text).map_err(|e| format!("is no market: {e}"))?;
    let window = Window::find(&market.slug)
        .filter(|w| w.slug == market.slug)
        .ok_or_else(|| format!("{:?} is no up-or-down window", market.slug))?;
    let ids = [
        &market.condition_id,
        &market.up_token_id,
        &market.down_token_id,
    ];
    if ids.iter().any(|id| id.is_empty()) || market.up_token_id == market.down_token_id {
        let why = format!("an id of {} is empty or named twice", market.slug);
        return Err(intake.contradicts(why));
    }
    let is_at = |raw: Option<&RawValue>, at| {
        raw.is_none_or(|raw| number::text(raw).and_then(number::seconds) == Some(at))
    };
    if !is_at(market.start_ts, window.opens_at) || !is_at(market.end_ts, window.closes_at) {
        let why = format!("startTs and endTs are not the window of {}", market.slug);
        return Err(intake.contradicts(why));
    }
    let units = |raw: Option<&RawValue>, name: &str| match raw {
        None => Ok(None),
        Some(raw) => number::text(raw)
            .and_then(|t| number::fixed(t, DECIMALS))
            .and_then(|u| i64::try_from(u).ok())
            .filter(|u| *u > 0)
            .map(Some)
            .ok_or_else(|| format!("{name} of {} is no size", market.slug)),
    };
    let tick = units(market.tick_size, "tickSize")?.map(Price);
    if let Some(tick) = tick.filter(|t| !t.is_tradable() || !Price::DOLLAR.is_on_tick(*t)) {
        let why = format!("tickSize {tick} of {} is no grid", market.slug);
        return Err(intake.contradicts(why));
    }
    let min_qty = units(market.min_order_size, "minOrderSize")?;
    let oracle = intake.oracle("chainlink", &format!("{}usd", window.asset));
    let condition = market.condition_id;
    let rules = Arc::clone(&intake.rules);
    let index = intake.market_or(&condition, |_| Draft::of_condition(&condition));
    if let Some(draft) = intake.draft(index) {
        draft.tell_window(&window, oracle, &rules);
        // The market's own numbers win.
        draft.spec.tick = tick.or(draft.spec.tick);
        draft.spec.min_qty = min_qty.map(Qty).or(draft.spec.min_qty);
        draft.name_tokens(&market.up_token_id, &market.down_token_id);
    }
    Ok(())
}

fn gamma_object(text: &str, intake: &mut Intake) -> Result<(), String> {
    let value = serde_json::from_str(text).map_err(|e| format!("is no market: {e}"))?;
    let spec = intake.gamma(&value)?;
    let condition = spec.native_id.clone();
    let index = intake.market_or(&condition, |_| Draft::of_condition(&condition));
    if let Some(draft) = intake.draft(index) {
        draft.spec = spec;
        draft.object = Some(Box::new(value));
    }
    Ok(())
}
