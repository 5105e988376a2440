//! Numbers of recordings, from their text, exactly.
//!
//! JSON numbers are taken as the characters that stand in the file, so that none ever passes through
//! a float here. An exponent moves the point. What does not fit its unit is refused, except sizes
//! (see [`size`]).

use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{DECIMALS, Price, Qty, SPOT_DECIMALS, SpotPrice, parse_fixed};
use serde_json::value::RawValue;

/// A recording lies between 2010 and 2100; anything else is no time.
const EARLIEST: u64 = 1_262_304_000_000_000_000;
const LATEST: u64 = 4_102_444_800_000_000_000;
/// Largest exponent that is expanded.
const MAX_EXPONENT: i32 = 40;

/// The characters of a number, whether it stands bare or as a string; `None` for `null` and anything else.
pub(super) fn text(raw: &RawValue) -> Option<&str> {
    let raw = raw.get().trim();
    let bare = raw
        .strip_prefix('"')
        .and_then(|r| r.strip_suffix('"'))
        .unwrap_or(raw);
    bare.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'))
        .then_some(bare)
}

/// A decimal as an integer with `decimals` places, exactly; `None` when it is none or does not fit.
pub(super) fn fixed(text: &str, decimals: u32) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => return parse_fixed(text, decimals).ok(),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
    };
    if exponent.abs() > MAX_EXPONENT {
        return None;
    }
    let places = i32::try_from(decimals).ok()? + exponent;
    if let Ok(places) = u32::try_from(places) {
        return parse_fixed(mantissa, places).ok();
    }
    // Smaller than a unit unless the mantissa ends in zeros: exact or not at all.
    let whole = parse_fixed(mantissa, 0).ok()?;
    let divisor = 10_i128.checked_pow(places.unsigned_abs())?;
    (whole % divisor == 0).then_some(whole / divisor)
}

/// A price strictly between 0 and 1 dollar.
pub(super) fn price(raw: &RawValue) -> Option<Price> {
    price_of(text(raw)?)
}

/// The same, from a column.
pub(super) fn price_of(text: &str) -> Option<Price> {
    let units = fixed(text, DECIMALS)?;
    let price = Price(i64::try_from(units).ok()?);
    price.is_tradable().then_some(price)
}

/// A positive size. Recorders that keep sizes as floats leave noise behind the places of the venue
/// (`7.6899999999999995`): what lies below a millionth of a share is cut, never rounded up, so that a
/// book never shows more than was recorded. The flag says whether something was cut.
pub(super) fn size(raw: &RawValue) -> Option<(Qty, bool)> {
    size_of(text(raw)?)
}

/// The same, from a column.
pub(super) fn size_of(text: &str) -> Option<(Qty, bool)> {
    let (units, cut) = match fixed(text, DECIMALS) {
        Some(units) => (units, false),
        None => (fixed(text.get(..cut_at(text)?)?, DECIMALS)?, true),
    };
    let qty = Qty(i64::try_from(units).ok()?);
    (qty > Qty::ZERO).then_some((qty, cut))
}

/// Where a plain decimal has its sixth place.
fn cut_at(text: &str) -> Option<usize> {
    let point = text.find('.')?;
    let end = point + 1 + DECIMALS as usize;
    text.bytes()
        .all(|b| b.is_ascii_digit() || b == b'.')
        .then_some(end)
        .filter(|end| *end < text.len())
}

/// A positive value of an asset.
pub(super) fn spot(text: &str) -> Option<SpotPrice> {
    fixed(text, SPOT_DECIMALS)
        .map(SpotPrice)
        .filter(|p| *p > SpotPrice::ZERO)
}

/// Seconds since the epoch, with any decimals up to nanoseconds.
pub(super) fn seconds(text: &str) -> Option<Timestamp> {
    instant(fixed(text, 9)?)
}

/// Milliseconds since the epoch.
pub(super) fn millis(text: &str) -> Option<Timestamp> {
    instant(fixed(text, 6)?)
}

/// Seconds, milli-, micro- or nanoseconds since the epoch: in the years of [`EARLIEST`] to [`LATEST`]
/// the number of digits tells which.
pub(super) fn any_unit(text: &str) -> Option<Timestamp> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let decimals = match whole.len() {
        10 => 9,
        13 => 6,
        16 => 3,
        19 => 0,
        _ => return None,
    };
    instant(fixed(text, decimals)?)
}

/// A written time, as Gamma writes it: `2026-07-24T00:00:16Z` or `2026-07-24 00:00:16+00`.
pub(super) fn utc(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    instant(time.as_nanosecond())
}

fn instant(nanos: i128) -> Option<Timestamp> {
    let nanos = u64::try_from(nanos).ok()?;
    (EARLIEST..LATEST)
        .contains(&nanos)
        .then_some(Timestamp(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn numbers_are_exact_or_none() {
        for (text, expected) in [
            ("0.48", Some(480_000)),
            ("4.8e-1", Some(480_000)),
            ("1e-06", Some(1)),
            ("1e-07", None),
            ("10E-7", Some(1)),
            ("1.5e3", Some(1_500_000_000)),
            ("0.30000000000000004", None),
            ("1e99", None),
            ("e5", None),
            ("", None),
            ("nan", None),
        ] {
            assert_eq!(fixed(text, 6), expected, "{text}");
        }
    }

    #[test]
    fn sizes_are_cut_and_prices_are_not() {
        for (text, expected) in [
            ("205.0", Some((205_000_000, false))),
            ("7.6899999999999995", Some((7_689_999, true))),
            ("1.9300000000000002", Some((1_930_000, true))),
            ("0.0000001", None),
            ("0", None),
            ("-1", None),
            ("null", None),
            ("\"12.5\"", Some((12_500_000, false))),
        ] {
            let found = size(&raw(text)).map(|(qty, cut)| (qty.0, cut));
            assert_eq!(found, expected, "{text}");
        }
        for (text, expected) in [
            ("0.51", Some(510_000)),
            ("1", None),
            ("1.0", None),
            ("0", None),
            ("0.30000000000000004", None),
            ("null", None),
            ("true", None),
        ] {
            assert_eq!(price(&raw(text)).map(|p| p.0), expected, "{text}");
        }
    }

    #[test]
    fn times_are_recognised_by_their_length() {
        let expected = Some(Timestamp(1_723_161_253_000_000_000));
        for text in [
            "1723161253",
            "1723161253.0",
            "1723161253000",
            "1723161253000000",
            "1723161253000000000",
        ] {
            assert_eq!(any_unit(text), expected, "{text}");
        }
        for text in [
            "",
            "17",
            "172316125300",
            "99999999999999999999",
            "-1723161253",
        ] {
            assert_eq!(any_unit(text), None, "{text}");
        }
        assert_eq!(
            seconds("1776323404.776089").map(|t| t.0),
            Some(1_776_323_404_776_089_000)
        );
        assert_eq!(millis("5"), None);
        let close = Some(Timestamp::from_secs(1_784_851_216));
        assert_eq!(utc("2026-07-24 00:00:16+00"), close);
        assert_eq!(utc("2026-07-24T00:00:16Z"), close);
        assert_eq!(utc("yesterday"), None);
    }
}
