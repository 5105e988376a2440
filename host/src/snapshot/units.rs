//! Amounts and times as the API writes them: decimal strings and RFC 3339, read back exactly.

use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{Qty, Usd};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use utoipa::ToSchema;

macro_rules! as_text {
    ($(#[$doc:meta])* $name:ident($inner:ty), $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, ToSchema)]
        #[schema(value_type = String, example = $example)]
        pub struct $name(pub $inner);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

as_text!(
    /// US dollars with six decimals.
    Money(Usd),
    "-12.500000"
);
as_text!(
    /// A number of shares with six decimals.
    Shares(Qty),
    "100.000000"
);
as_text!(
    /// An instant, RFC 3339 with nanoseconds, UTC.
    Instant(Timestamp),
    "2026-05-13T14:00:00.123456789Z"
);

impl Money {
    fn parse(text: &str) -> Result<Self, impl fmt::Display> {
        Usd::parse(text).map(Money)
    }
}
impl Shares {
    fn parse(text: &str) -> Result<Self, impl fmt::Display> {
        Qty::parse(text).map(Shares)
    }
}
impl Instant {
    fn parse(text: &str) -> Result<Self, String> {
        let at: jiff::Timestamp = text.parse().map_err(|e: jiff::Error| e.to_string())?;
        let ns = u64::try_from(at.as_nanosecond()).map_err(|e| e.to_string())?;
        Ok(Instant(Timestamp(ns)))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0.0)) {
            Ok(at) => write!(f, "{at:.9}"),
            Err(_) => write!(f, "{} ns", self.0.0),
        }
    }
}
