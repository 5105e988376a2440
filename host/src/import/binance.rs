//! `binance-stream`: raw combined streams, each line a receive time and a JSON frame.
//!
//! `1723161254087896568 {"stream":"btcusdt@trade","data":{…}}` (any unit from seconds to nanoseconds)
//! or cryptofeed's `1633998512.0633569: {…}`. Trades become oracle values: their price is what the
//! exchange's own last price and candles are made of. Where a symbol has no trade in the whole
//! recording, the middle of its best bid and ask stands in. Final candles become facts of their feed;
//! running ones, depth and REST answers are counted as unused. Spot feeds are called "binance", those
//! of USD-M futures "binance-usdm" (their trades lack the spot field `M`, their book tickers carry
//! `E`). Candles look the same on both: they belong to whichever the lines before them in their file
//! showed, and are unused before any did.

use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, number};
use pm_arb_core::event::{Candle, Event, OracleTick};
use pm_arb_core::ids::{OracleId, Timestamp};
use pm_arb_core::units::SpotPrice;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

const SPOT: &str = "binance";
const FUTURES: &str = "binance-usdm";

#[derive(Deserialize)]
struct Frame<'a> {
    stream: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Trade<'a> {
    s: &'a str,
    p: &'a str,
    #[serde(rename = "T", borrow)]
    traded_ms: &'a RawValue,
    #[serde(rename = "M")]
    spot: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct BookTicker<'a> {
    s: &'a str,
    b: &'a str,
    a: &'a str,
    #[serde(rename = "E", borrow)]
    stamped_ms: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct KlineFrame<'a> {
    s: &'a str,
    #[serde(borrow)]
    k: Kline<'a>,
}

#[derive(Deserialize)]
struct Kline<'a> {
    #[serde(rename = "t", borrow)]
    open_ms: &'a RawValue,
    #[serde(rename = "T", borrow)]
    close_ms: &'a RawValue,
    o: &'a str,
    c: &'a str,
    h: &'a str,
    l: &'a str,
    x: bool,
}

/// What a line says.
enum Said {
    Trade(Value),
    Middle(Value),
    Candle(FinalCandle),
    Nothing,
}

/// A final candle; its feed is known by the file.
struct FinalCandle {
    at: Timestamp,
    symbol: String,
    /// Without its oracle yet.
    candle: Candle,
}

struct Value {
    at: Timestamp,
    source: &'static str,
    symbol: String,
    price: SpotPrice,
    source_time: Timestamp,
}

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    let mut kind = None;
    while let Some(text) = lines.next() {
        let said = match text {
            Ok(text) => {
                intake.note_line(text);
                say(text)
            }
            Err(why) => Err(why),
        };
        let (value, is_trade) = match said {
            Ok(Said::Trade(value)) => (value, true),
            Ok(Said::Middle(value)) => (value, false),
            Ok(Said::Candle(said)) if let Some(source) = kind => {
                let oracle = intake.oracle(source, &said.symbol);
                let candle = Candle {
                    oracle,
                    ..said.candle
                };
                intake.message(said.at, &[Event::Candle(Box::new(candle))])?;
                continue;
            }
            Ok(Said::Nothing | Said::Candle(_)) => {
                intake.unused += 1;
                continue;
            }
            Err(why) => {
                intake.refuse(lines.line(), why);
                continue;
            }
        };
        kind = Some(value.source);
        let trades = intake.oracle(value.source, &value.symbol);
        let oracle = if is_trade {
            trades
        } else {
            intake.stand_in(value.source, &value.symbol, trades)
        };
        let tick = OracleTick {
            oracle,
            price: value.price,
            source_time: value.source_time,
        };
        intake.message(value.at, &[Event::OracleTick(tick)])?;
    }
    Ok(())
}

fn say(text: &str) -> Result<Said, String> {
    // cryptofeed's first line names the connection.
    if text.starts_with("wss://") || text.starts_with("https://") {
        return Ok(Said::Nothing);
    }
    let (stamp, json) = text
        .split_once(' ')
        .ok_or("is not a receive time followed by a frame")?;
    let at = number::any_unit(stamp.trim_end_matches(':')).ok_or_else(|| {
        format!(
            "{:?} is no receive time",
            stamp.chars().take(32).collect::<String>()
        )
    })?;
    let frame: Frame = serde_json::from_str(json).map_err(|e| format!("is no frame: {e}"))?;
    let (Some(stream), Some(data)) = (frame.stream, frame.data) else {
        // An answer of the REST interface, kept among the frames.
        return Ok(Said::Nothing);
    };
    let kind = stream.split_once('@').map_or(stream, |(_, kind)| kind);
    match kind {
        "trade" | "aggTrade" => trade(at, data).map(Said::Trade),
        "bookTicker" => middle(at, data).map(Said::Middle),
        _ if kind.starts_with("kline_") => candle(at, data),
        _ => Ok(Said::Nothing),
    }
}

fn trade(at: Timestamp, data: &RawValue) -> Result<Value, String> {
    let trade: Trade = serde_json::from_str(data.get()).map_err(|e| format!("is no trade: {e}"))?;
    let source_time = number::text(trade.traded_ms)
        .and_then(number::any_unit)
        .ok_or("the trade's time \"T\" is no time")?;
    let price = number::spot(trade.p).ok_or_else(|| format!("{:?} is no price", trade.p))?;
    Ok(Value {
        at,
        source: if trade.spot.is_some() { SPOT } else { FUTURES },
        symbol: symbol(trade.s)?,
        price,
        source_time,
    })
}

fn candle(at: Timestamp, data: &RawValue) -> Result<Said, String> {
    let frame: KlineFrame =
        serde_json::from_str(data.get()).map_err(|e| format!("is no candle: {e}"))?;
    let kline = &frame.k;
    if !kline.x {
        return Ok(Said::Nothing);
    }
    let time = |raw| {
        let time = number::text(raw).and_then(number::any_unit);
        time.ok_or("the candle's times \"t\" and \"T\" are no times")
    };
    let price = |text: &str| number::spot(text).ok_or_else(|| format!("{text:?} is no price"));
    Ok(Said::Candle(FinalCandle {
        at,
        symbol: symbol(frame.s)?,
        candle: Candle {
            oracle: OracleId(0),
            open_time: time(kline.open_ms)?,
            close_time: time(kline.close_ms)?,
            open: price(kline.o)?,
            close: price(kline.c)?,
            high: price(kline.h)?,
            low: price(kline.l)?,
        },
    }))
}

fn middle(at: Timestamp, data: &RawValue) -> Result<Value, String> {
    let ticker: BookTicker =
        serde_json::from_str(data.get()).map_err(|e| format!("is no book ticker: {e}"))?;
    let price = |text: &str| number::spot(text).ok_or_else(|| format!("{text:?} is no price"));
    let (bid, ask) = (price(ticker.b)?, price(ticker.a)?);
    if bid >= ask {
        return Err(format!("best bid {bid} is not below best ask {ask}"));
    }
    // Spot tickers carry no stamp: the receive time is the only one there is.
    let source_time = match ticker.stamped_ms {
        None => at,
        Some(raw) => number::text(raw)
            .and_then(number::any_unit)
            .ok_or("the ticker's time \"E\" is no time")?,
    };
    // Prices have at most eight decimals of the eighteen: half the sum is exact.
    let sum = bid.checked_add(ask).ok_or("the prices are too large")?;
    Ok(Value {
        at,
        source: if ticker.stamped_ms.is_some() {
            FUTURES
        } else {
            SPOT
        },
        symbol: symbol(ticker.s)?,
        price: SpotPrice(sum.0 / 2),
        source_time,
    })
}

fn symbol(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 32 {
        return Err(format!("{text:?} is no symbol"));
    }
    Ok(text.to_lowercase())
}
