//! A market object of Gamma's, read field by field, and why one is not usable.

use super::TEXT_MAX;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{DECIMALS, parse_fixed};
use serde_json::Value;

/// Why a market object is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Gamma market {slug:?}: {field} {why}; the market is left out")]
pub struct GammaError {
    /// Which market.
    pub slug: String,
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
    /// As what it is counted.
    pub reason: Reason,
}

/// A market object, read field by field.
pub(super) struct Object<'a>(pub &'a Value);

impl<'a> Object<'a> {
    pub fn slug(&self) -> &'a str {
        self.text("slug").unwrap_or_default()
    }

    fn error(&self, reason: Reason, field: &'static str, why: impl Into<String>) -> GammaError {
        GammaError {
            slug: self.slug().chars().take(TEXT_MAX).collect(),
            field,
            why: why.into(),
            reason,
        }
    }

    pub fn missing(&self, field: &'static str) -> GammaError {
        self.error(Reason::MissingField, field, "is missing")
    }

    pub fn not_served(&self, field: &'static str, why: &str) -> GammaError {
        self.error(Reason::MissingField, field, why)
    }

    pub fn malformed(&self, field: &'static str, why: &str) -> GammaError {
        self.error(Reason::MalformedFrame, field, why)
    }

    pub fn contradicts(&self, field: &'static str, why: impl Into<String>) -> GammaError {
        self.error(Reason::ContradictoryMarket, field, why)
    }

    pub fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).and_then(Value::as_str)
    }

    pub fn flag(&self, field: &str) -> Option<bool> {
        self.0.get(field).and_then(Value::as_bool)
    }

    pub fn required(&self, field: &'static str) -> Result<&'a str, GammaError> {
        self.text(field)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.missing(field))
    }

    /// A number in millionths.
    pub fn micros(&self, field: &'static str) -> Result<i64, GammaError> {
        let value = self.0.get(field).and_then(number_text);
        let value = value.ok_or_else(|| self.missing(field))?;
        parse_fixed(&value, DECIMALS)
            .ok()
            .and_then(|units| i64::try_from(units).ok())
            .ok_or_else(|| self.malformed(field, "is no number of at most six decimals"))
    }

    /// The same, where it is given.
    pub fn optional(&self, field: &'static str) -> Result<Option<i64>, GammaError> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.micros(field).map(Some),
        }
    }

    /// Two texts: an array, or one inside a string.
    pub fn pair(&self, field: &'static str) -> Result<[String; 2], GammaError> {
        let list: Option<Vec<String>> = match self.0.get(field) {
            None | Some(Value::Null) => return Err(self.missing(field)),
            Some(Value::String(text)) => serde_json::from_str(text).ok(),
            Some(value) => serde_json::from_value(value.clone()).ok(),
        };
        list.and_then(|list| list.try_into().ok())
            .ok_or_else(|| self.contradicts(field, "is no list of two"))
    }

    pub fn time(&self, field: &'static str) -> Result<Option<Timestamp>, GammaError> {
        match self.text(field) {
            None | Some("") => Ok(None),
            Some(text) => timestamp(text)
                .map(Some)
                .ok_or_else(|| self.malformed(field, "is no time")),
        }
    }

    pub fn event(&self) -> Option<&'a Value> {
        self.0.get("events")?.as_array()?.first()
    }
}

/// The text of a number, whether it comes bare or as a string.
pub(super) fn number_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}
