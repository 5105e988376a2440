//! Binance spot: the last trade's price, as an oracle, and final candles.
//!
//! The decoder reads combined and raw frames; each trade is a tick at its own time, once. Trades are
//! numbered without holes, so a hole is an interruption and is told as one. The best quote carries no
//! time on spot and is only a sign of life. A candle is told once it is final; one that still runs
//! says nothing that its trades do not. Candles that the stream did not tell are fetched ([`candles`]).

use super::candles::{self, HOLES_MAX, Hole, Succession, secs_of};
use super::follow::{Heard, Plan, follow};
use crate::agent::{AgentContext, AgentError};
use crate::catalog::SharedCatalog;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::input::InputSender;
use pm_arb_core::event::{Candle, Event, OracleTick};
use pm_arb_core::ids::{OracleId, Timestamp};
use pm_arb_core::reason::Reason;
use pm_arb_core::units::SpotPrice;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::mpsc;

/// The name of this source in oracle channels.
pub const SOURCE: &str = "binance";
/// Most streams of one connection.
const STREAMS_MAX: usize = 1_024;
/// The lengths of candles that the streams offer within a day.
const INTERVALS: [&str; 13] = [
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d",
];
/// The server cuts after 24 hours.
const AGE_MAX: Duration = Duration::from_secs(23 * 3_600);

/// Where the data comes from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinanceConfig {
    /// The base address of the streams.
    pub ws_url: String,
    /// The base address of the REST API, for candles that the streams did not tell.
    pub rest_url: String,
    /// Lower case symbols.
    pub symbols: Vec<String>,
    /// Lengths of the candles to follow: markets of an hour are decided by "1h", those on a price at noon
    /// or touched by "1m".
    pub candles: Vec<String>,
    /// Silence after which the last value is stale.
    pub stale_after_ms: u64,
    /// Silence after which the connection is replaced.
    pub replace_after_ms: u64,
}

impl Default for BinanceConfig {
    fn default() -> Self {
        Self {
            ws_url: "wss://data-stream.binance.vision".to_owned(),
            rest_url: "https://data-api.binance.vision".to_owned(),
            symbols: vec!["btcusdt".to_owned()],
            candles: vec!["1h".to_owned(), "1m".to_owned()],
            stale_after_ms: 3_000,
            replace_after_ms: 10_000,
        }
    }
}

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Not a message of this source.
    #[error("the frame is not a message of this price stream")]
    NotAMessage(#[source] serde_json::Error),
}

/// What one frame held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Trades that became ticks.
    pub ticks: u32,
    /// Candles that are final.
    pub candles: u32,
    /// Candles that still run.
    pub running: u32,
    /// Holes in the numbers of the trades.
    pub holes: u32,
    /// Trades already seen.
    pub repeated: u32,
    /// Best quotes.
    pub quotes: u32,
    /// Messages for symbols nobody tracks.
    pub untracked: u32,
    /// Other messages.
    pub ignored: u32,
    /// Values that were refused.
    pub refused: u32,
    /// Announcements that the server goes down.
    pub goodbyes: u32,
}

#[derive(Debug)]
struct Symbol {
    name: String,
    oracle: OracleId,
    last_trade: Option<u64>,
}

/// Reads frames of the streams.
#[derive(Debug, Default)]
pub struct Decoder {
    symbols: Vec<Symbol>,
}

/// The fields of every message we read; most are absent in any one.
#[derive(Deserialize)]
struct Message<'a> {
    e: Option<&'a str>,
    s: Option<&'a str>,
    /// Of a trade: its number. Of other messages: other things.
    t: Option<u64>,
    p: Option<&'a str>,
    #[serde(rename = "T")]
    time: Option<u64>,
    u: Option<u64>,
    #[serde(borrow)]
    k: Option<Kline<'a>>,
}

/// The body of a candle's message.
#[derive(Deserialize)]
struct Kline<'a> {
    t: u64,
    #[serde(rename = "T")]
    end: u64,
    o: &'a str,
    c: &'a str,
    h: &'a str,
    l: &'a str,
    x: bool,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    data: Option<Message<'a>>,
}

impl Decoder {
    /// Tracks nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, trades of `symbol` are ticks of `oracle`.
    pub fn track(&mut self, symbol: &str, oracle: OracleId) {
        self.symbols.push(Symbol {
            name: symbol.to_ascii_uppercase(),
            oracle,
            last_trade: None,
        });
    }

    /// Appends what `text` says to `out`. On an error nothing was appended.
    pub fn frame(&mut self, text: &str, out: &mut Vec<Event>) -> Result<FrameCounts, FrameError> {
        let mut counts = FrameCounts::default();
        let combined: Frame<'_> = serde_json::from_str(text).map_err(FrameError::NotAMessage)?;
        let message = match combined.data {
            Some(message) => message,
            None => serde_json::from_str(text).map_err(FrameError::NotAMessage)?,
        };
        match (message.e, message.u) {
            (Some("trade"), _) => self.trade(&message, out, &mut counts),
            (Some("kline"), _) => self.kline(&message, out, &mut counts),
            (Some("serverShutdown"), _) => counts.goodbyes = 1,
            (Some("bookTicker"), _) | (None, Some(_)) => counts.quotes = 1,
            _ => counts.ignored = 1,
        }
        Ok(counts)
    }

    fn trade(&mut self, message: &Message<'_>, out: &mut Vec<Event>, counts: &mut FrameCounts) {
        let Some(symbol) = self.symbol(message) else {
            counts.untracked = 1;
            return;
        };
        let (Some(price), Some(time), Some(number)) =
            (message.p.and_then(price), message.time, message.t)
        else {
            refuse(out, counts);
            return;
        };
        if let Some(last) = symbol.last_trade {
            if number <= last {
                counts.repeated = 1;
                return;
            }
            if number > last.saturating_add(1) {
                counts.holes = 1;
                out.push(Event::OracleGap(symbol.oracle));
            }
        }
        symbol.last_trade = Some(number);
        counts.ticks = 1;
        out.push(Event::OracleTick(OracleTick {
            oracle: symbol.oracle,
            price,
            source_time: Timestamp::from_ms(time),
        }));
    }

    fn kline(&mut self, message: &Message<'_>, out: &mut Vec<Event>, counts: &mut FrameCounts) {
        let Some(symbol) = self.symbol(message) else {
            counts.untracked = 1;
            return;
        };
        let Some(kline) = &message.k else {
            refuse(out, counts);
            return;
        };
        if !kline.x {
            counts.running = 1;
            return;
        }
        let prices = [kline.o, kline.c, kline.h, kline.l].map(price);
        let [Some(open), Some(close), Some(high), Some(low)] = prices else {
            refuse(out, counts);
            return;
        };
        counts.candles = 1;
        out.push(Event::Candle(Box::new(Candle {
            oracle: symbol.oracle,
            open_time: Timestamp::from_ms(kline.t),
            close_time: Timestamp::from_ms(kline.end),
            open,
            close,
            high,
            low,
        })));
    }

    fn symbol(&mut self, message: &Message<'_>) -> Option<&mut Symbol> {
        let mut symbols = self.symbols.iter_mut();
        symbols.find(|symbol| message.s == Some(&symbol.name))
    }
}

/// A price of the source's own text.
pub(super) fn price(text: &str) -> Option<SpotPrice> {
    let price = SpotPrice::parse(text).ok();
    price.filter(|price| *price > SpotPrice::ZERO)
}

fn refuse(out: &mut Vec<Event>, counts: &mut FrameCounts) {
    counts.refused = 1;
    out.push(Event::Refused {
        venue: None,
        reason: Reason::MalformedFrame,
    });
}

/// Watches the configured symbols until told to stop.
pub async fn run(
    ctx: AgentContext,
    cfg: BinanceConfig,
    catalog: SharedCatalog,
    clock: Clock,
    input: InputSender,
) -> Result<(), AgentError> {
    let plain = |symbol: &String| {
        symbol
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if cfg.symbols.is_empty() || !cfg.symbols.iter().all(plain) {
        return Err(AgentError::Fatal(
            "binance: symbols must be lower-case names like \"btcusdt\", at least one".to_owned(),
        ));
    }
    let unknown = |length: &&String| !INTERVALS.contains(&length.as_str());
    if let Some(length) = cfg.candles.iter().find(unknown) {
        return Err(AgentError::Fatal(format!(
            "binance: {length:?} is no length of candles; there are {}",
            INTERVALS.join(", ")
        )));
    }
    let streams = streams(&cfg);
    if streams.len() > STREAMS_MAX {
        return Err(AgentError::Fatal(format!(
            "binance: {} streams are wanted, one connection carries {STREAMS_MAX}; name fewer symbols or candles",
            streams.len()
        )));
    }
    let feed = Feed::new(ctx, clock, input);
    let (mut decoder, mut oracles, mut events) = (Decoder::new(), Vec::new(), Vec::new());
    let (holes, told) = mpsc::channel(HOLES_MAX);
    let mut lengths: Vec<Hole> = Vec::new();
    for symbol in &cfg.symbols {
        let oracle = super::announce(&mut catalog.lock(), SOURCE, symbol, &mut events);
        decoder.track(symbol, oracle);
        oracles.push(oracle);
        lengths.extend(cfg.candles.iter().map(|interval| Hole {
            symbol: symbol.clone(),
            interval: interval.clone(),
            oracle,
            from_ms: None,
        }));
    }
    feed.send(events).await?;
    let plan = Plan {
        name: SOURCE,
        carries: cfg.symbols.join(", "),
        url: format!(
            "{}/stream?streams={}",
            cfg.ws_url.trim_end_matches('/'),
            streams.join("/")
        ),
        hello: None,
        ping: None,
        gap_after: Duration::from_millis(cfg.stale_after_ms),
        replace_after: Duration::from_millis(cfg.replace_after_ms),
        age_max: AGE_MAX,
    };
    for hole in &lengths {
        ask(&holes, hole.clone());
    }
    let mut succession = Succession::default();
    let following = follow(&feed, &plan, &oracles, |text, out| {
        let counts = decoder.frame(text, out)?;
        for event in out.iter() {
            if let Event::Candle(candle) = event
                && let Some(from_ms) = succession.follows(candle)
            {
                let is_it = |hole: &&Hole| {
                    hole.oracle == candle.oracle && secs_of(&hole.interval) == Some(candle.secs())
                };
                if let Some(hole) = lengths.iter().find(is_it).cloned() {
                    let from_ms = Some(from_ms);
                    ask(&holes, Hole { from_ms, ..hole });
                }
            }
        }
        Ok(match counts {
            FrameCounts { goodbyes: 1.., .. } => Heard::Goodbye,
            FrameCounts { ticks: 1.., .. } | FrameCounts { quotes: 1.., .. } => Heard::Data,
            _ => Heard::Nothing,
        })
    });
    let filling = candles::fill(&feed, &cfg.rest_url, told);
    tokio::pin!(following);
    tokio::select! {
        biased;
        ended = &mut following => ended,
        // It ends early only when it can not ask at all.
        () = filling => following.await,
    }
}

/// Asks for missing candles, unless too many holes wait already.
fn ask(holes: &mpsc::Sender<Hole>, hole: Hole) {
    if let Err(error) = holes.try_send(hole) {
        tracing::warn!(%error, "candles stay missing: {HOLES_MAX} holes wait already, or none is filled");
    }
}

/// What one connection listens to: trades, best quotes and candles of every symbol.
fn streams(cfg: &BinanceConfig) -> Vec<String> {
    let mut streams = Vec::new();
    for symbol in &cfg.symbols {
        streams.push(format!("{symbol}@trade"));
        streams.push(format!("{symbol}@bookTicker"));
        streams.extend(cfg.candles.iter().map(|c| format!("{symbol}@kline_{c}")));
    }
    streams
}
