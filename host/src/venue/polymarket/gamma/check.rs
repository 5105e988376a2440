//! Fields of one market that can not be true together. Such a market is left out, with that reason:
//! which of them is wrong, nobody here can tell.

use super::Window;
use super::fields::{GammaError, Object, number_text};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{Price, SpotPrice};
use serde_json::Value;

/// The first contradiction, if there is one.
pub(super) fn check(
    object: &Object<'_>,
    event: Option<&Value>,
    window: Option<&Window<'_>>,
    closes_at: Timestamp,
) -> Result<(), GammaError> {
    times(object, window, closes_at)?;
    if let Some(window) = window {
        config(object, window)?;
    }
    strike(object, event)
}

/// A grid divides a dollar.
pub(super) fn grid(object: &Object<'_>, tick: Price) -> Result<(), GammaError> {
    match tick.is_tradable() && Price::DOLLAR.is_on_tick(tick) {
        true => Ok(()),
        false => Err(object.contradicts(
            "orderPriceMinTickSize",
            format!("= {tick} does not divide a dollar"),
        )),
    }
}

fn times(
    object: &Object<'_>,
    window: Option<&Window<'_>>,
    closes_at: Timestamp,
) -> Result<(), GammaError> {
    let end = object.text("endDate").unwrap_or_default();
    for field in ["eventStartTime", "startDate"] {
        if object.time(field)?.is_some_and(|start| start >= closes_at) {
            return Err(object.contradicts("endDate", format!("= {end} is not after {field}")));
        }
    }
    let Some(window) = window else {
        return Ok(());
    };
    if closes_at != window.end() {
        return Err(object.contradicts("endDate", format!("= {end} is not the end of the window")));
    }
    match object.time("eventStartTime")? {
        Some(start) if start != window.start => {
            Err(object.contradicts("eventStartTime", "is not the start of the window"))
        }
        _ => Ok(()),
    }
}

/// `cryptoMarketConfig` against the slug, the source's name, and itself.
fn config(object: &Object<'_>, window: &Window<'_>) -> Result<(), GammaError> {
    let field = "cryptoMarketConfig";
    let Some(config) = object.0.get(field).filter(|c| !c.is_null()) else {
        return Ok(());
    };
    if !config.is_object() {
        return Err(object.malformed(field, "is no object"));
    }
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    for (key, ours) in [("duration", window.span), ("asset", window.asset)] {
        if let Some(theirs) = text(key)
            && !theirs.eq_ignore_ascii_case(ours)
        {
            let theirs: String = theirs.chars().take(40).collect();
            let why = format!("has {key} {theirs:?}, the slug {ours:?}");
            return Err(object.contradicts(field, why));
        }
    }
    let flag = config.get("twapEnabled").and_then(Value::as_bool);
    let secs = config.get("twapLookbackSeconds").and_then(Value::as_u64);
    let source = object.text("resolutionSource").unwrap_or_default();
    let named = [text("id"), Some(source)];
    let named = named.into_iter().flatten().find_map(twap_secs);
    match (flag, secs) {
        (Some(true), Some(secs)) if secs == 0 || secs > window.secs => {
            Err(object.contradicts(field, format!("has a mean of {secs} s")))
        }
        (Some(true), Some(secs)) if named.is_some_and(|named| named != secs) => {
            let named = named.unwrap_or_default();
            let why = format!("has a mean of {secs} s, its source one of {named} s");
            Err(object.contradicts(field, why))
        }
        (Some(false), Some(secs)) if secs > 0 => {
            Err(object.contradicts(field, format!("has no mean, but one of {secs} s")))
        }
        (Some(false), _) if named.is_some() => {
            Err(object.contradicts(field, "has no mean, but its source does"))
        }
        _ => Ok(()),
    }
}

/// `btc-5m-twap-60` and `…/btc-usd-twap-60s-streams` name a mean of 60 seconds.
fn twap_secs(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("-twap-")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn strike(object: &Object<'_>, event: Option<&Value>) -> Result<(), GammaError> {
    let price = event
        .and_then(|event| event.get("eventMetadata")?.get("priceToBeat"))
        .filter(|price| !price.is_null());
    let Some(price) = price else {
        return Ok(());
    };
    let read = number_text(price).and_then(|text| SpotPrice::parse(&text).ok());
    match read {
        None => Err(object.malformed("priceToBeat", "is no price")),
        Some(price) if price <= SpotPrice::ZERO => {
            Err(object.contradicts("priceToBeat", format!("= {price} is no price")))
        }
        Some(_) => Ok(()),
    }
}
