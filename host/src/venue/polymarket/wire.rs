//! The market channel's events as `serde_json` reads them: for the rare events, for the format of
//! before September 2025, and for everything that surprises the scanner.
//!
//! Owns the wire types only. Values are the strings as sent; what they mean is `decode`'s business.

use serde::Deserialize;
use serde_json::Value;

/// One price level.
#[derive(Debug, Deserialize)]
pub(super) struct Level {
    pub price: String,
    pub size: String,
}

/// `book`
#[derive(Debug, Deserialize)]
pub(super) struct Book {
    pub market: String,
    pub asset_id: String,
    pub timestamp: String,
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
    pub hash: Option<String>,
    pub tick_size: Option<String>,
    pub last_trade_price: Option<String>,
}

/// One entry of `price_change`.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    /// Absent before September 2025: then the message names it.
    pub asset_id: Option<String>,
    pub price: String,
    pub size: String,
    pub side: String,
}

/// `price_change`
#[derive(Debug, Deserialize)]
pub(super) struct PriceChange {
    pub timestamp: String,
    /// Only before September 2025.
    pub asset_id: Option<String>,
    #[serde(alias = "changes")]
    pub price_changes: Vec<Change>,
}

/// `last_trade_price`
#[derive(Debug, Deserialize)]
pub(super) struct LastTrade {
    pub market: Option<String>,
    pub asset_id: String,
    pub price: String,
    pub size: String,
    pub side: String,
    pub timestamp: String,
    pub transaction_hash: Option<String>,
}

/// `tick_size_change`
#[derive(Debug, Deserialize)]
pub(super) struct TickSizeChange {
    pub market: Option<String>,
    pub asset_id: String,
    pub new_tick_size: String,
}

/// `market_resolved`
#[derive(Debug, Deserialize)]
pub(super) struct MarketResolved {
    pub market: String,
    pub winning_asset_id: String,
    #[serde(alias = "asset_ids", deserialize_with = "list")]
    pub assets_ids: Vec<String>,
}

/// A list that arrives as an array or as JSON inside a string.
fn list<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let value = match Value::deserialize(from)? {
        Value::String(text) => serde_json::from_str(&text).map_err(serde::de::Error::custom)?,
        value => value,
    };
    serde_json::from_value(value).map_err(serde::de::Error::custom)
}

/// The levels as the book hash wants them: compact, sorted by price.
pub(super) fn canonical(levels: &[Level], ascending: bool) -> String {
    let price = |level: &Level| pm_arb_core::units::Price::parse(&level.price).unwrap_or_default();
    let mut sorted: Vec<&Level> = levels.iter().collect();
    sorted.sort_by_key(|level| price(level));
    if !ascending {
        sorted.reverse();
    }
    let mut json = String::from("[");
    for level in sorted {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(r#"{"price":""#);
        json.push_str(&level.price);
        json.push_str(r#"","size":""#);
        json.push_str(&level.size);
        json.push_str("\"}");
    }
    json.push(']');
    json
}
