//! Money with its unit in the type, counted as the host counts it.
//!
//! | type      | one unit is       | you get it from                                   |
//! |-----------|-------------------|---------------------------------------------------|
//! | [`Price`] | 1e-6 USD a share  | `leg.price()`, `Usd::per`, `"0.48".parse()`       |
//! | [`Qty`]   | 1e-6 shares       | `leg.qty()`, `Usd::buys`, `Qty::whole(5)`         |
//! | [`Usd`]   | 1e-6 USD, signed  | `seen.edge()`, `Price::times`, `Usd::whole(20)`   |
//!
//! `Price × Qty = Usd` is the only product; it and every quotient name their [`Rounding`]. Sums are checked
//! or saturate, by name: there is no operator that could wrap. What does not fit is `None`. A test of the
//! host holds each of these against its own, over many values. The contract carries plain integers: `.0`.

use std::fmt;
use std::str::FromStr;

/// Units in one dollar or one share.
const ONE: i64 = 1_000_000;
/// Decimals of all three.
const DECIMALS: usize = 6;

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
fn div_round(n: i128, d: i128, rounding: Rounding) -> Option<i64> {
    let (q, r) = match (i64::try_from(n), i64::try_from(d)) {
        (Ok(n), Ok(d)) if d > 0 => (i128::from(n / d), i128::from(n % d)),
        _ => (n.checked_div(d)?, n.checked_rem(d)?),
    };
    let negative = (r < 0) != (d < 0);
    let q = match rounding {
        Rounding::Down if r != 0 && negative => q.checked_sub(1)?,
        Rounding::Up if r != 0 && !negative => q.checked_add(1)?,
        _ => q,
    };
    i64::try_from(q).ok()
}

/// Why a text is no number of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseUnitError {
    /// No digits at all.
    Empty,
    /// A character that is no digit, sign or single point.
    NotDecimal,
    /// More decimals than the unit holds, and they are not zeros.
    TooPrecise,
    /// Larger than the type.
    OutOfRange,
}

impl fmt::Display for ParseUnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::NotDecimal => "is not a decimal number",
            Self::TooPrecise => "has more than six decimals",
            Self::OutOfRange => "is out of range",
        })
    }
}

impl std::error::Error for ParseUnitError {}

/// Reads a plain decimal (`-12.5`, `.48`, `7`), exactly. Zeros beyond the sixth decimal are accepted.
fn parse(text: &str) -> Result<i64, ParseUnitError> {
    let (negative, digits) = match text.as_bytes().split_first() {
        None => return Err(ParseUnitError::Empty),
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        Some(_) => (false, text.as_bytes()),
    };
    let (mut units, mut places, mut seen) = (0_i128, None, false);
    let mut shift = |digit: i128| {
        let more = units.checked_mul(10).and_then(|n| n.checked_add(digit));
        units = more.ok_or(ParseUnitError::OutOfRange)?;
        Ok(())
    };
    for byte in digits {
        match (byte, places) {
            (b'0'..=b'9', Some(DECIMALS)) if *byte != b'0' => {
                return Err(ParseUnitError::TooPrecise);
            }
            (b'0'..=b'9', Some(DECIMALS)) => {}
            (b'0'..=b'9', _) => {
                places = places.map(|n| n + 1);
                shift(i128::from(byte - b'0'))?;
            }
            (b'.', None) => places = Some(0),
            _ => return Err(ParseUnitError::NotDecimal),
        }
        seen |= byte.is_ascii_digit();
    }
    if !seen {
        return Err(ParseUnitError::NotDecimal);
    }
    for _ in places.unwrap_or(0)..DECIMALS {
        shift(0)?;
    }
    let units = if negative { -units } else { units };
    i64::try_from(units).map_err(|_| ParseUnitError::OutOfRange)
}

/// Writes units as a decimal, zeros at the end cut, at least so many places kept.
fn write(f: &mut fmt::Formatter<'_>, units: i64, places_min: usize) -> fmt::Result {
    let (size, one) = (units.unsigned_abs(), ONE.unsigned_abs());
    let mut places = format!("{:0DECIMALS$}", size % one);
    while places.len() > places_min && places.ends_with('0') {
        places.pop();
    }
    let sign = if units < 0 { "-" } else { "" };
    let point = if places.is_empty() { "" } else { "." };
    f.pad(&format!("{sign}{}{point}{places}", size / one))
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $places_min:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// So many whole ones; as many as there can be where that does not fit.
            #[must_use]
            pub const fn whole(n: i64) -> Self {
                Self(n.saturating_mul(ONE))
            }

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

            /// Sum, or the largest or smallest number there is.
            #[must_use]
            pub fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// Difference, or the largest or smallest number there is.
            #[must_use]
            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// Reads a plain decimal (`-12.5`, `.48`, `7`), exactly or not at all.
            pub fn parse(text: &str) -> Result<Self, ParseUnitError> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(f, self.0, $places_min)
            }
        }

        impl FromStr for $name {
            type Err = ParseUnitError;
            fn from_str(text: &str) -> Result<Self, ParseUnitError> {
                Self::parse(text)
            }
        }

        impl From<i64> for $name {
            fn from(units: i64) -> Self {
                Self(units)
            }
        }

        impl From<$name> for i64 {
            fn from(money: $name) -> Self {
                money.0
            }
        }
    };
}

unit!(
    /// Dollars a share. Also a probability: the price of one dollar.
    Price, 2
);
unit!(
    /// Shares.
    Qty, 0
);
unit!(
    /// Dollars.
    Usd, 2
);

impl Price {
    /// One dollar: what a share of the winning outcome pays.
    pub const DOLLAR: Self = Self(ONE);

    /// Whether an order may carry it: strictly between nothing and a dollar.
    #[must_use]
    pub fn is_tradable(self) -> bool {
        self.0 > 0 && self.0 < ONE
    }

    /// Whether it lies on the grid of `tick`.
    #[must_use]
    pub fn is_on_tick(self, tick: Self) -> bool {
        tick.0 > 0 && self.0 % tick.0 == 0
    }

    /// The price of the other outcome of two.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(ONE.saturating_sub(self.0))
    }

    /// What so many shares cost or bring.
    #[must_use]
    pub fn times(self, qty: Qty, rounding: Rounding) -> Option<Usd> {
        let product = i128::from(self.0) * i128::from(qty.0);
        div_round(product, i128::from(ONE), rounding).map(Usd)
    }
}

impl Usd {
    /// What a share costs where so many cost this much; `None` for no shares.
    #[must_use]
    pub fn per(self, qty: Qty, rounding: Rounding) -> Option<Price> {
        let n = i128::from(self.0) * i128::from(ONE);
        div_round(n, i128::from(qty.0), rounding).map(Price)
    }

    /// The shares that it buys at a price, rounded down; `None` where that is not above nothing.
    #[must_use]
    pub fn buys(self, price: Price) -> Option<Qty> {
        if price <= Price::ZERO {
            return None;
        }
        let n = i128::from(self.0) * i128::from(ONE);
        div_round(n, i128::from(price.0), Rounding::Down).map(Qty)
    }

    /// A part of it, in millionths: `250_000` is a quarter.
    #[must_use]
    pub fn part(self, millionths: i64, rounding: Rounding) -> Option<Self> {
        let n = i128::from(self.0) * i128::from(millionths);
        div_round(n, i128::from(ONE), rounding).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_quotients_round_as_named() {
        let third = Price(333_333);
        assert_eq!(
            third.times(Qty(1_000_001), Rounding::Up),
            Some(Usd(333_334))
        );
        assert_eq!(
            third.times(Qty(1_000_001), Rounding::Down),
            Some(Usd(333_333))
        );
        assert_eq!(
            Price(-1).times(Qty(1), Rounding::TowardZero),
            Some(Usd::ZERO)
        );
        assert_eq!(Price(i64::MAX).times(Qty(i64::MAX), Rounding::Up), None);
        assert_eq!(Usd::whole(10).buys(third), Some(Qty(30_000_030)));
        assert_eq!(Usd::whole(10).buys(Price::ZERO), None);
        assert_eq!(Usd(1).per(Qty(3), Rounding::Up), Some(Price(333_334)));
        assert_eq!(Usd(1).per(Qty::ZERO, Rounding::Up), None);
        assert_eq!(
            Usd::whole(40).part(250_000, Rounding::Down),
            Some(Usd::whole(10))
        );
        assert_eq!(Usd(i64::MAX).saturating_add(Usd(1)), Usd(i64::MAX));
        assert_eq!(Usd(i64::MAX).checked_add(Usd(1)), None);
    }

    #[test]
    fn they_are_written_and_read_as_decimals() {
        assert_eq!(Price(480_000).to_string(), "0.48");
        assert_eq!(Usd(-1_500_000).to_string(), "-1.50");
        assert_eq!(
            (Qty::whole(5).to_string(), format!("{:>4}", Qty(1))),
            ("5".to_owned(), "0.000001".to_owned())
        );
        assert_eq!(".48".parse(), Ok(Price(480_000)));
        assert_eq!("1.0000001".parse::<Usd>(), Err(ParseUnitError::TooPrecise));
        assert_eq!("".parse::<Qty>(), Err(ParseUnitError::Empty));
    }
}
