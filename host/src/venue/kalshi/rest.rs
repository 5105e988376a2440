//! Market objects of Kalshi's REST API, turned into specifications and outcomes.
//!
//! Pure. Fees come from the series, the grid from the market, the settlement source from the series:
//! only a market decided by Chainlink's value itself shares its question with Polymarket's windows.
//! (Kalshi's own crypto series are decided by another index and another mean.)

use super::decode::{resolution as paid, tick_of};
use pm_arb_core::event::Resolution;
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, OracleId, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::units::{DECIMALS, ONE, Price, Qty, Rounding, SpotPrice, div_round, parse_fixed};
use serde_json::Value;

/// The taker rate of the quadratic schedule, in millionths, before the series' multiplier.
const TAKER_RATE_PPM: i64 = 70_000;
/// One hundredth of a contract, where fractions are traded.
const FRACTION: Qty = Qty(10_000);
/// Length of the texts we keep.
const TEXT_MAX: usize = 300;
/// Where Chainlink publishes its streams.
const CHAINLINK_STREAMS: &str = "https://data.chain.link/streams/";
/// Whose one-second index values decide the crypto series, as their settlement source names it.
const CF_BENCHMARKS: &str = "cfbenchmarks";
/// Length of the mean that decides those of 15 minutes.
const MEAN_SECS: u32 = 60;

/// Why a market object is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Kalshi market {ticker:?}: {field} {why}; the market is left out")]
pub struct RestError {
    /// Which market.
    pub ticker: String,
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.is_empty())
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// The specification of a market object; its numbers are zero until the catalog fills them.
/// `series` is the series object it belongs to, `oracle` gives the number of a price feed.
pub fn market(
    value: &Value,
    series: &Value,
    oracle: impl FnMut(&str, &str) -> OracleId,
) -> Result<MarketSpec, RestError> {
    let ticker = text(value, "ticker").unwrap_or_default();
    let error = |field, why| RestError {
        ticker: cut(ticker),
        field,
        why,
    };
    if ticker.is_empty() {
        return Err(error("ticker", "is missing"));
    }
    if text(value, "market_type").is_some_and(|kind| kind != "binary") {
        return Err(error("market_type", "is not binary"));
    }
    let time = |field: &'static str| {
        let instant = text(value, field).and_then(|t| t.parse::<jiff::Timestamp>().ok());
        instant
            .and_then(|t| u64::try_from(t.as_nanosecond()).ok())
            .map(Timestamp)
            .ok_or_else(|| error(field, "is missing or no time"))
    };
    let (opens_at, closes_at) = (time("open_time")?, time("close_time")?);
    let tick = tick(value).ok_or_else(|| error("price_ranges", "is no grid"))?;
    let is_fractional = value
        .get("fractional_trading_enabled")
        .and_then(Value::as_bool)
        == Some(true);
    let lot = if is_fractional { FRACTION } else { Qty(ONE) };
    let outcome = |side: &str, name: &str| Outcome {
        instrument: InstrumentId(0),
        name: name.to_owned(),
        native_id: format!("{ticker}:{side}"),
    };
    let symbol = chainlink_symbol(series);
    let title = text(value, "title").unwrap_or(ticker);
    Ok(MarketSpec {
        id: MarketId(0),
        venue: Venue::Kalshi,
        native_id: ticker.to_owned(),
        slug: ticker.to_owned(),
        question: cut(title),
        outcomes: vec![outcome("yes", "Yes"), outcome("no", "No")],
        tick,
        lot,
        min_qty: lot,
        fee: fee(series),
        maker_fee: FeeSchedule::Free,
        fee_rule: "the series' fee_type and fee_multiplier".to_owned(),
        taker_delay: Some(Nanos(0)),
        opens_at,
        closes_at,
        settlement: settlement(value, series, symbol.as_deref(), oracle),
        exclusive_set: None,
        pair_key: symbol.and_then(|symbol| pair_key(series, &symbol, closes_at)),
    })
}

/// The outcome of a market object, if the venue has determined it.
pub fn resolution(value: &Value, market: MarketId) -> Result<Option<Resolution>, RestError> {
    let determined = matches!(text(value, "status"), Some("determined" | "finalized"));
    match text(value, "result") {
        Some("yes") if determined => Ok(Some(paid(market, 0, "kalshi result"))),
        Some("no") if determined => Ok(Some(paid(market, 1, "kalshi result"))),
        Some("scalar") if determined => Err(RestError {
            ticker: cut(text(value, "ticker").unwrap_or_default()),
            field: "result",
            why: "is scalar, which pays neither side in full",
        }),
        _ => Ok(None),
    }
}

/// The grid: the finest step where it changes along the price.
fn tick(value: &Value) -> Option<Price> {
    let ranges = value.get("price_ranges").and_then(Value::as_array);
    let steps = ranges.into_iter().flatten();
    let steps: Option<Vec<Price>> = steps
        .map(|range| Price::parse(text(range, "step")?).ok())
        .collect();
    match steps?.into_iter().min() {
        Some(step) => Some(step).filter(|step| step.is_tradable()),
        None => tick_of(text(value, "price_level_structure")?),
    }
}

fn fee(series: &Value) -> FeeSchedule {
    let quadratic = matches!(
        text(series, "fee_type"),
        Some("quadratic" | "quadratic_with_maker_fees" | "quadratic_with_combo_maker_fees")
    );
    let multiplier = series.get("fee_multiplier").map(|m| match m {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let rate = multiplier.and_then(|m| {
        let scaled = parse_fixed(&m, DECIMALS)
            .ok()?
            .checked_mul(TAKER_RATE_PPM.into())?;
        u32::try_from(div_round(scaled, ONE.into(), Rounding::Up)?).ok()
    });
    match rate {
        Some(0) if quadratic => FeeSchedule::Free,
        Some(rate) if quadratic => FeeSchedule::kalshi(rate),
        _ => FeeSchedule::Unknown,
    }
}

/// "btcusd", when the series is decided by that Chainlink stream and nothing else.
fn chainlink_symbol(series: &Value) -> Option<String> {
    let sources = series.get("settlement_sources")?.as_array()?;
    let [source] = sources.as_slice() else {
        return None;
    };
    let (base, quote) = text(source, "url")?
        .strip_prefix(CHAINLINK_STREAMS)?
        .split_once('-')?;
    (quote == "usd").then(|| format!("{base}{quote}"))
}

/// "btcusd", when the series is one of 15 minutes on that asset's CF Benchmarks index and nothing else.
fn cf_symbol(series: &Value) -> Option<String> {
    let sources = series.get("settlement_sources")?.as_array()?;
    let [source] = sources.as_slice() else {
        return None;
    };
    let named = ["name", "url"].into_iter().any(|field| {
        let words = text(source, field).unwrap_or_default().replace(' ', "");
        words.to_ascii_lowercase().contains(CF_BENCHMARKS)
    });
    let asset = text(series, "ticker")?
        .strip_prefix("KX")?
        .strip_suffix("15M")?;
    let letters = !asset.is_empty() && asset.bytes().all(|b| b.is_ascii_uppercase());
    (named && letters).then(|| format!("{}usd", asset.to_ascii_lowercase()))
}

fn settlement(
    value: &Value,
    series: &Value,
    symbol: Option<&str>,
    mut oracle: impl FnMut(&str, &str) -> OracleId,
) -> SettlementRule {
    let strict = match text(value, "strike_type") {
        Some("greater_or_equal") => false,
        Some("greater") => true,
        _ => return SettlementRule::VenueOnly,
    };
    let strike = value.get("floor_strike").filter(|strike| !strike.is_null());
    let strike = strike.and_then(|strike| SpotPrice::parse(&strike.to_string()).ok());
    if let Some(symbol) = cf_symbol(series) {
        return SettlementRule::MeanAbove {
            oracle: oracle(CF_BENCHMARKS, &symbol),
            lookback_secs: MEAN_SECS,
            strike,
            strict,
        };
    }
    match symbol.filter(|_| !strict) {
        Some(symbol) => SettlementRule::UpDown {
            oracle: oracle("chainlink", symbol),
            strike,
        },
        None => SettlementRule::VenueOnly,
    }
}

/// The key of an up-or-down window: `btc-updown-5m-1784850900`.
fn pair_key(series: &Value, symbol: &str, closes_at: Timestamp) -> Option<String> {
    let asset = symbol.strip_suffix("usd")?;
    let span = text(series, "ticker")?
        .strip_prefix("KX")?
        .strip_prefix(&asset.to_ascii_uppercase())?;
    let (span, secs) = match span {
        "5M" => ("5m", 300),
        "15M" => ("15m", 900),
        _ => return None,
    };
    let start = closes_at.secs().checked_sub(secs)?;
    Some(format!("{asset}-updown-{span}-{start}"))
}
