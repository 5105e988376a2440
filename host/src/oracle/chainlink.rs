//! Chainlink data streams as Polymarket relays them (RTDS, topic `crypto_prices_chainlink`).
//!
//! The value is taken from `full_accuracy_value`, which is exact: an integer of 1e-18 dollars on this
//! relay, a decimal on its successor. It must agree with the rounded `value` beside it. The relay
//! drops out now and then; nothing is filled in.

use super::binance::FrameError;
use super::follow::{Heard, Plan, follow};
use crate::agent::{AgentContext, AgentError};
use crate::catalog::SharedCatalog;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::input::InputSender;
use pm_arb_core::event::{Event, OracleTick};
use pm_arb_core::ids::{OracleId, Timestamp};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::SpotPrice;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// The name of this source in oracle channels.
pub const SOURCE: &str = "chainlink";
/// The relay's topic.
const TOPIC: &str = "crypto_prices_chainlink";
/// The server wants a text heartbeat.
const PING: (Duration, &str) = (Duration::from_secs(5), "PING");
/// A scheduled replacement: relays are known to freeze silently.
const AGE_MAX: Duration = Duration::from_secs(3_600);
/// Most values taken from one message (it may begin with the recent past).
const VALUES_MAX: usize = 1_000;

/// Where the data comes from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainlinkConfig {
    /// The relay.
    pub ws_url: String,
    /// Symbols as in `oracle.chainlink.<symbol>`: "btcusd".
    pub symbols: Vec<String>,
    /// Silence after which the last value is stale.
    pub stale_after_ms: u64,
    /// Silence after which the connection is replaced.
    pub replace_after_ms: u64,
}

impl Default for ChainlinkConfig {
    fn default() -> Self {
        Self {
            ws_url: "wss://ws-live-data.polymarket.com".to_owned(),
            symbols: vec!["btcusd".to_owned()],
            stale_after_ms: 5_000,
            replace_after_ms: 30_000,
        }
    }
}

/// What one frame held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Values that became ticks.
    pub ticks: u32,
    /// Values for symbols nobody tracks.
    pub untracked: u32,
    /// Other messages.
    pub ignored: u32,
    /// Values that were refused.
    pub refused: u32,
}

/// Reads frames of the relay.
#[derive(Debug, Default)]
pub struct Decoder {
    symbols: Vec<(String, OracleId)>,
}

impl Decoder {
    /// Tracks nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, values of `symbol` ("btcusd") are ticks of `oracle`.
    pub fn track(&mut self, symbol: &str, oracle: OracleId) {
        self.symbols.push((symbol.to_owned(), oracle));
    }

    /// Appends what `text` says to `out`. On an error nothing was appended.
    pub fn frame(&mut self, text: &str, out: &mut Vec<Event>) -> Result<FrameCounts, FrameError> {
        let mut counts = FrameCounts::default();
        if text.trim_ascii().is_empty() || text.trim_ascii().eq_ignore_ascii_case("pong") {
            counts.ignored = 1;
            return Ok(counts);
        }
        let frame: Value = serde_json::from_str(text).map_err(FrameError::NotAMessage)?;
        let payload = frame.get("payload").filter(|payload| payload.is_object());
        let is_ours = frame.get("topic").and_then(Value::as_str) == Some(TOPIC);
        let Some(payload) = payload.filter(|_| is_ours) else {
            counts.ignored = 1;
            return Ok(counts);
        };
        let symbol = payload.get("symbol").and_then(Value::as_str);
        let symbol = symbol.unwrap_or_default().replace('/', "");
        let known = self.symbols.iter().find(|(name, _)| *name == symbol);
        let Some((_, oracle)) = known else {
            counts.untracked = 1;
            return Ok(counts);
        };
        let past = payload.get("data").and_then(Value::as_array);
        let values = match past {
            Some(past) => past.iter().take(VALUES_MAX).collect(),
            None => vec![payload],
        };
        for value in values {
            out.push(match tick(value) {
                Some((price, source_time)) => {
                    counts.ticks += 1;
                    Event::OracleTick(OracleTick {
                        oracle: *oracle,
                        price,
                        source_time,
                    })
                }
                None => {
                    counts.refused += 1;
                    Event::Refused {
                        venue: None,
                        reason: Reason::MalformedFrame,
                    }
                }
            });
        }
        Ok(counts)
    }
}

fn tick(value: &Value) -> Option<(SpotPrice, Timestamp)> {
    let time = Timestamp::from_ms(value.get("timestamp")?.as_u64()?);
    let rounded = match value.get("value")? {
        Value::Number(number) => SpotPrice::parse(&number.to_string()).ok()?,
        Value::String(text) => SpotPrice::parse(text).ok()?,
        _ => return None,
    };
    let exact = match value.get("full_accuracy_value").and_then(Value::as_str) {
        None => rounded,
        Some(text) if text.contains('.') => SpotPrice::parse(text).ok()?,
        Some(text) => SpotPrice(text.parse().ok()?),
    };
    // The two must be the same number up to the rounding of the first: a millionth of it.
    let apart = exact.checked_sub(rounded)?.0.checked_abs()?;
    let agree = apart.checked_mul(1_000_000)? <= exact.0.checked_abs()?;
    (agree && exact > SpotPrice::ZERO).then_some((exact, time))
}

/// Watches the configured symbols until told to stop.
pub async fn run(
    ctx: AgentContext,
    cfg: ChainlinkConfig,
    catalog: SharedCatalog,
    clock: Clock,
    input: InputSender,
) -> Result<(), AgentError> {
    let feed = Feed::new(ctx, clock, input);
    let (mut decoder, mut oracles, mut events) = (Decoder::new(), Vec::new(), Vec::new());
    let mut subscriptions = Vec::new();
    for symbol in &cfg.symbols {
        let Some(asset) = symbol.strip_suffix("usd").filter(|asset| !asset.is_empty()) else {
            return Err(AgentError::Fatal(format!(
                "chainlink: symbol {symbol:?} is not of the form \"btcusd\""
            )));
        };
        let oracle = super::announce(&mut catalog.lock(), SOURCE, symbol, &mut events);
        decoder.track(symbol, oracle);
        oracles.push(oracle);
        let filters = json!({"symbol": format!("{asset}/usd")}).to_string();
        subscriptions.push(json!({"topic": TOPIC, "type": "*", "filters": filters}));
    }
    feed.send(events).await?;
    let hello = json!({"action": "subscribe", "subscriptions": subscriptions});
    let plan = Plan {
        name: SOURCE,
        carries: cfg.symbols.join(", "),
        url: cfg.ws_url,
        hello: Some(hello.to_string()),
        ping: Some(PING),
        gap_after: Duration::from_millis(cfg.stale_after_ms),
        replace_after: Duration::from_millis(cfg.replace_after_ms),
        age_max: AGE_MAX,
    };
    follow(&feed, &plan, &oracles, |text, out| {
        Ok(match decoder.frame(text, out)?.ticks {
            0 => Heard::Nothing,
            _ => Heard::Data,
        })
    })
    .await
}
