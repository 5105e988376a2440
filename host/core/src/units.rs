//! Money and quantities as fixed-point integers with the unit in the type.
//!
//! | type          | one unit is            | range that is valid in practice     |
//! |---------------|------------------------|-------------------------------------|
//! | [`Price`]     | 1e-6 USD a share       | 0 < p < 1 for an order              |
//! | [`Qty`]       | 1e-6 shares            | > 0 for an order                    |
//! | [`Usd`]       | 1e-6 USD               | any, signed                         |
//! | [`SpotPrice`] | 1e-18 USD              | what oracles publish, exactly       |
//! | [`Bps`]       | 1/10,000               | shares of a limit                   |
//!
//! `Price × Qty = Usd` is the only product; it and every division name their [`Rounding`].
//! Numbers of venues are parsed from their *strings*; there is no way from a float to money here.
//! Arithmetic is checked: an overflow is `None`, never a wrapped number.

use core::fmt;
use serde::{Deserialize, Serialize};

/// Fixed-point units in one whole (1 USD, 1 share): 1e6.
pub const ONE: i64 = 1_000_000;
/// Decimals of [`Price`], [`Qty`] and [`Usd`].
pub const DECIMALS: u32 = 6;
/// Decimals of [`SpotPrice`].
pub const SPOT_DECIMALS: u32 = 18;

/// How a result that does not fit the unit is brought onto it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Toward negative infinity: what we receive.
    Down,
    /// Toward positive infinity: what we pay.
    Up,
    /// Toward zero: how Polymarket cuts its fees.
    TowardZero,
}

/// `n / d` with the named rounding; `None` when `d` is zero or the result does not fit.
#[must_use]
pub fn div_round(n: i128, d: i128, rounding: Rounding) -> Option<i128> {
    // Money almost always fits 64 bits, which the machine divides by itself.
    let (q, r) = match (i64::try_from(n), i64::try_from(d)) {
        (Ok(n), Ok(d)) if d > 0 => (i128::from(n / d), i128::from(n % d)),
        _ => (n.checked_div(d)?, n.checked_rem(d)?),
    };
    if r == 0 {
        return Some(q);
    }
    let negative = (r < 0) != (d < 0);
    match rounding {
        Rounding::TowardZero => Some(q),
        Rounding::Down if negative => q.checked_sub(1),
        Rounding::Up if !negative => q.checked_add(1),
        Rounding::Down | Rounding::Up => Some(q),
    }
}

/// Why a decimal string is not a number of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseUnitError {
    /// No digits at all.
    #[error("is empty")]
    Empty,
    /// A character that is no digit, sign or single point.
    #[error("is not a decimal number")]
    NotDecimal,
    /// More decimals than the unit holds, and they are not zeros.
    #[error("has more decimals than the unit holds")]
    TooPrecise,
    /// Larger than the type.
    #[error("is out of range")]
    OutOfRange,
}

/// Reads a plain decimal (`-12.5`, `.48`, `7`) into an integer with `decimals` places, exactly.
/// No exponent, no spaces, no separators. Trailing zeros beyond `decimals` are accepted.
pub fn parse_fixed(text: &str, decimals: u32) -> Result<i128, ParseUnitError> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes.split_first() {
        None => return Err(ParseUnitError::Empty),
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        Some(_) => (false, bytes),
    };
    let mut value: i128 = 0;
    let mut places: Option<u32> = None;
    let mut seen = false;
    for &b in digits {
        match b {
            b'0'..=b'9' => {
                seen = true;
                if let Some(p) = places {
                    if p == decimals {
                        if b != b'0' {
                            return Err(ParseUnitError::TooPrecise);
                        }
                        continue;
                    }
                    places = Some(p + 1);
                }
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(i128::from(b - b'0')))
                    .ok_or(ParseUnitError::OutOfRange)?;
            }
            b'.' if places.is_none() => places = Some(0),
            _ => return Err(ParseUnitError::NotDecimal),
        }
    }
    if !seen {
        return Err(ParseUnitError::NotDecimal);
    }
    for _ in places.unwrap_or(0)..decimals {
        value = value.checked_mul(10).ok_or(ParseUnitError::OutOfRange)?;
    }
    Ok(if negative { -value } else { value })
}

/// Writes `units` with `decimals` places, trailing zeros cut, at least `min_places` kept.
fn write_fixed(
    f: &mut fmt::Formatter<'_>,
    units: i128,
    decimals: u32,
    min_places: usize,
) -> fmt::Result {
    let scale = 10_i128.pow(decimals);
    let whole = units.unsigned_abs() / scale.unsigned_abs();
    let frac = units.unsigned_abs() % scale.unsigned_abs();
    let mut places = format!("{frac:0width$}", width = decimals as usize);
    while places.len() > min_places && places.ends_with('0') {
        places.pop();
    }
    let sign = if units < 0 { "-" } else { "" };
    let text = if places.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{places}")
    };
    f.pad(&text)
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($int:ty), $decimals:expr, $min_places:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub $int);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// Sum, or `None` on overflow.
            #[must_use]
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// Difference, or `None` on overflow.
            #[must_use]
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }

            /// Reads a plain decimal string exactly (see [`parse_fixed`]).
            pub fn parse(text: &str) -> Result<Self, ParseUnitError> {
                let units = parse_fixed(text, $decimals)?;
                <$int>::try_from(units).map(Self).map_err(|_| ParseUnitError::OutOfRange)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_fixed(f, i128::from(self.0), $decimals, $min_places)
            }
        }

        impl core::str::FromStr for $name {
            type Err = ParseUnitError;
            fn from_str(text: &str) -> Result<Self, ParseUnitError> {
                Self::parse(text)
            }
        }
    };
}

unit!(
    /// USD a share, in 1e-6. Also used for probabilities, which are prices of one dollar.
    Price(i64), DECIMALS, 2
);
unit!(
    /// Shares, in 1e-6.
    Qty(i64), DECIMALS, 0
);
unit!(
    /// US dollars, in 1e-6.
    Usd(i64), DECIMALS, 2
);
unit!(
    /// An asset's price in USD as oracles publish it, in 1e-18: exact for every source we read.
    SpotPrice(i128), SPOT_DECIMALS, 2
);

/// Hundredths of a percent.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Bps(pub i32);

impl Price {
    /// One dollar: what a share of the winning outcome pays.
    pub const DOLLAR: Self = Self(ONE);

    /// Whether an order may carry it: strictly inside (0, 1).
    #[must_use]
    pub fn is_tradable(self) -> bool {
        self.0 > 0 && self.0 < ONE
    }

    /// Whether it lies on the grid of `tick` (a tick of zero has no grid).
    #[must_use]
    pub fn is_on_tick(self, tick: Price) -> bool {
        tick.0 > 0 && self.0 % tick.0 == 0
    }

    /// The price of the other outcome of a two-outcome market: `1 − p`.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(ONE.saturating_sub(self.0))
    }

    /// `price × qty` in dollars.
    #[must_use]
    pub fn times(self, qty: Qty, rounding: Rounding) -> Option<Usd> {
        let product = i128::from(self.0).checked_mul(i128::from(qty.0))?;
        i64::try_from(div_round(product, i128::from(ONE), rounding)?)
            .ok()
            .map(Usd)
    }
}

impl Usd {
    /// The average price of `qty` shares that cost this much; `None` for no shares.
    #[must_use]
    pub fn per(self, qty: Qty, rounding: Rounding) -> Option<Price> {
        let n = i128::from(self.0).checked_mul(i128::from(ONE))?;
        i64::try_from(div_round(n, i128::from(qty.0), rounding)?)
            .ok()
            .map(Price)
    }

    /// That share of it.
    #[must_use]
    pub fn share(self, bps: Bps, rounding: Rounding) -> Option<Usd> {
        let n = i128::from(self.0).checked_mul(i128::from(bps.0))?;
        i64::try_from(div_round(n, 10_000, rounding)?).ok().map(Usd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        let ok = [
            ("0.48", 480_000),
            (".48", 480_000),
            ("20415.67", 20_415_670_000),
            ("-1.5", -1_500_000),
            ("0.5000000", 500_000),
            ("7", 7_000_000),
        ];
        for (text, units) in ok {
            assert_eq!(Usd::parse(text), Ok(Usd(units)), "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "1e3",
            "0,5",
            "1.2.3",
            " 1",
            "NaN",
            "0.0000001",
            "9223372036855",
        ] {
            assert!(Usd::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            SpotPrice::parse("65048.078902260626"),
            Ok(SpotPrice(65_048_078_902_260_626_000_000))
        );
    }

    #[test]
    fn every_division_rounds_as_named() {
        for (n, d, down, up, zero) in [
            (7, 2, 3, 4, 3),
            (-7, 2, -4, -3, -3),
            (7, -2, -4, -3, -3),
            (8, 2, 4, 4, 4),
        ] {
            assert_eq!(div_round(n, d, Rounding::Down), Some(down));
            assert_eq!(div_round(n, d, Rounding::Up), Some(up));
            assert_eq!(div_round(n, d, Rounding::TowardZero), Some(zero));
        }
        assert_eq!(div_round(1, 0, Rounding::Down), None);
    }

    #[test]
    fn printing_and_reading_are_inverse() {
        for units in [0, 1, -1, 480_000, 20_415_670_000, i64::MAX, i64::MIN + 1] {
            assert_eq!(Usd::parse(&Usd(units).to_string()), Ok(Usd(units)));
        }
        assert_eq!(Usd(1_500_000).to_string(), "1.50");
        assert_eq!(Qty(5_000_000).to_string(), "5");
    }
}
