//! Candles that the stream did not tell: those from before it was followed, and those of an outage.
//!
//! A market on whether a price was touched is decided by every candle of its window, so a hole is asked
//! for by REST as soon as a candle behind it shows it. What is fetched is the same fact, received later.
//! What can not be fetched stays missing: the markets that need it stay pending and say so.

use super::binance::price;
use crate::backoff::Backoff;
use crate::causes::chain;
use crate::feed::Feed;
use crate::net::http::{Http, HttpError};
use pm_arb_core::event::{Candle, Event};
use pm_arb_core::ids::{OracleId, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// Holes that may wait to be filled; one more is left, with a warning.
pub(super) const HOLES_MAX: usize = 64;
/// Candles of one answer, the most there are.
const PAGE: usize = 1_000;
/// Answers asked for one hole: a month of minutes. What lies behind stays missing.
const PAGES_MAX: usize = 45;
/// Attempts at one answer.
const ATTEMPTS_MAX: u32 = 5;
/// Candles handed over at once.
const BATCH: usize = 100;

/// Candles that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hole {
    pub symbol: String,
    pub interval: String,
    pub oracle: OracleId,
    /// Where it starts; `None` for the latest ones, as many as one answer holds.
    pub from_ms: Option<u64>,
}

/// Notices holes between final candles.
#[derive(Debug, Default)]
pub(super) struct Succession {
    /// When the next candle of a feed and a length starts.
    next: BTreeMap<(OracleId, u64), u64>,
}

impl Succession {
    /// Takes a final candle. Returns where the candles before it are missing from.
    pub fn follows(&mut self, candle: &Candle) -> Option<u64> {
        let start = candle.open_time.secs();
        let next = self
            .next
            .insert((candle.oracle, candle.secs()), candle.end_second())?;
        (start > next).then(|| next.saturating_mul(1_000))
    }
}

/// "1m" in seconds.
pub(super) fn secs_of(interval: &str) -> Option<u64> {
    let unit = interval.chars().next_back()?;
    let number: u64 = interval.strip_suffix(unit)?.parse().ok()?;
    let secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    number.checked_mul(secs)
}

/// Fills holes as they are told, until nobody tells any.
pub(super) async fn fill(feed: &Feed, rest_url: &str, mut holes: mpsc::Receiver<Hole>) {
    let http = match Http::new() {
        Ok(http) => http,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "missing candles can not be asked for");
            return;
        }
    };
    let url = format!("{}/api/v3/klines", rest_url.trim_end_matches('/'));
    while let Some(hole) = holes.recv().await {
        let mut from_ms = hole.from_ms;
        for _ in 0..PAGES_MAX {
            let Some(rows) = page(&http, &url, &hole, from_ms).await else {
                break;
            };
            let now = feed.clock.now();
            let candles: Vec<Candle> = rows
                .iter()
                .filter_map(|row| candle(row, hole.oracle))
                .filter(|candle| candle.close_time < now)
                .collect();
            for batch in candles.chunks(BATCH) {
                let events = batch.iter().map(|c| Event::Candle(Box::new(*c)));
                if feed.send(events.collect()).await.is_err() {
                    return;
                }
            }
            tracing::info!(symbol = %hole.symbol, interval = %hole.interval, count = candles.len(), "candles fetched");
            match candles.last() {
                Some(last) if from_ms.is_some() && rows.len() >= PAGE => {
                    from_ms = last.end_second().checked_mul(1_000);
                }
                _ => break,
            }
        }
    }
}

/// One answer, after some attempts.
async fn page(http: &Http, url: &str, hole: &Hole, from_ms: Option<u64>) -> Option<Vec<Value>> {
    let symbol = hole.symbol.to_ascii_uppercase();
    let (limit, start) = (PAGE.to_string(), from_ms.map(|ms| ms.to_string()));
    let mut query = vec![
        ("symbol", symbol.as_str()),
        ("interval", hole.interval.as_str()),
        ("limit", limit.as_str()),
    ];
    query.extend(start.as_deref().map(|start| ("startTime", start)));
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    for attempt in 1..=ATTEMPTS_MAX {
        match http.json(url, &query).await {
            Ok(Value::Array(rows)) => return Some(rows),
            Ok(_) => {
                tracing::warn!(%url, "candles: the answer is no list; they stay missing");
                return None;
            }
            Err(error) => {
                let refused = matches!(
                    error,
                    HttpError::Status {
                        status: 400..=499,
                        ..
                    }
                );
                let left = if refused { 0 } else { ATTEMPTS_MAX - attempt };
                tracing::warn!(
                    symbol = %hole.symbol, interval = %hole.interval, ?from_ms, left,
                    error = %chain(&error), "candles could not be fetched"
                );
                if left == 0 {
                    return None;
                }
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
    None
}

/// A row: `[open time, "open", "high", "low", "close", volume, close time, …]`.
fn candle(row: &Value, oracle: OracleId) -> Option<Candle> {
    let time = |at: usize| row.get(at)?.as_u64().map(Timestamp::from_ms);
    let value = |at: usize| price(row.get(at)?.as_str()?);
    Some(Candle {
        oracle,
        open_time: time(0)?,
        close_time: time(6)?,
        open: value(1)?,
        high: value(2)?,
        low: value(3)?,
        close: value(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(minute: u64) -> Value {
        let open = minute * 60_000;
        serde_json::json!([open, "5.0", "7.5", "4.0", "6.0", "1", open + 59_999, "1", 3])
    }

    #[test]
    fn a_row_is_a_candle_and_a_broken_one_is_none() {
        let found = candle(&row(2), OracleId(4)).unwrap();
        assert!(found.spans(Timestamp::from_secs(120), 60));
        let of = |text: &str| price(text).unwrap();
        assert_eq!((found.open, found.high), (of("5"), of("7.5")));
        assert_eq!((found.low, found.close), (of("4"), of("6")));
        for (at, bad) in [(1, "0"), (4, "x"), (0, "120000")] {
            let mut broken = row(2);
            broken[at] = bad.into();
            assert_eq!(candle(&broken, OracleId(4)), None, "{broken}");
        }
        assert_eq!(candle(&Value::Null, OracleId(4)), None);
    }

    #[test]
    fn a_hole_shows_when_a_later_candle_comes() {
        let mut succession = Succession::default();
        let mut sees = |minute| succession.follows(&candle(&row(minute), OracleId(0)).unwrap());
        assert_eq!(sees(10), None, "nothing is known of what was before");
        assert_eq!(sees(11), None);
        assert_eq!(sees(11), None, "told twice");
        assert_eq!(sees(15), Some(12 * 60_000));
        assert_eq!(sees(16), None);
    }

    #[test]
    fn lengths_are_read() {
        for (text, secs) in [
            ("1s", Some(1)),
            ("15m", Some(900)),
            ("1h", Some(3_600)),
            ("1d", Some(86_400)),
            ("", None),
            ("m", None),
            ("1w", None),
        ] {
            assert_eq!(secs_of(text), secs, "{text}");
        }
    }
}
