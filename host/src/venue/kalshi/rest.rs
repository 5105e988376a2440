//! Market objects of Kalshi's REST API, turned into specifications and outcomes.
//!
//! Pure. Fees come from the series, the grid from the market, the settlement source from the series:
//! only a market decided by Chainlink's value itself shares its question with Polymarket's windows.
//! (Kalshi's own crypto series are decided by another index and another mean.)

use super::decode::{resolution as paid, tick_of};
use super::fees;
use crate::rulebook::Rules;
use pm_arb_core::event::Resolution;
use pm_arb_core::ids::{InstrumentId, MarketId, OracleId, Timestamp, Venue};
use pm_arb_core::market::{MarketSpec, Outcome, SettlementRule};
use pm_arb_core::reason::Reason;
use pm_arb_core::rulebook::{Family, Rulebook, Subject};
use pm_arb_core::units::{Price, SpotPrice};
use serde_json::Value;

/// Where fractions of a contract are traded, rows of this kind hold.
const FRACTIONAL: &str = "fractional";
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
    pub why: String,
    /// As what it is counted.
    pub reason: Reason,
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
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
    rules: Rules<'_>,
    oracle: impl FnMut(&str, &str) -> OracleId,
) -> Result<MarketSpec, RestError> {
    let ticker = text(value, "ticker").unwrap_or_default();
    let error = |reason: Reason, field, why: &str| RestError {
        ticker: cut(ticker),
        field,
        why: why.to_owned(),
        reason,
    };
    if ticker.is_empty() {
        return Err(error(Reason::MissingField, "ticker", "is missing"));
    }
    if text(value, "market_type").is_some_and(|kind| kind != "binary") {
        return Err(error(Reason::UnknownEnum, "market_type", "is not binary"));
    }
    if let Some(series) = text(series, "ticker")
        && !ticker.starts_with(&format!("{series}-"))
    {
        let why = "is not of the series it was listed under";
        return Err(error(Reason::ContradictoryMarket, "ticker", why));
    }
    let time = |field: &'static str| {
        let stated =
            text(value, field).ok_or_else(|| error(Reason::MissingField, field, "is missing"))?;
        let instant = stated.parse::<jiff::Timestamp>().ok();
        instant
            .and_then(|t| u64::try_from(t.as_nanosecond()).ok())
            .map(Timestamp)
            .ok_or_else(|| error(Reason::MalformedFrame, field, "is no time"))
    };
    let (opens_at, closes_at) = (time("open_time")?, time("close_time")?);
    if opens_at >= closes_at {
        let why = "is not after open_time";
        return Err(error(Reason::ContradictoryMarket, "close_time", why));
    }
    let (venue, book) = (Venue::Kalshi, rules.book);
    let at = rules.day_of(opens_at, closes_at);
    let tick = tick(value, book, at).map_err(|(reason, why)| error(reason, "price_ranges", why))?;
    let symbol = chainlink_symbol(series);
    // Which markets are crypto, only the settlement source tells; no row differs by it.
    let family = match symbol {
        Some(_) => Family::Crypto,
        None => Family::Other,
    };
    let is_fractional = value
        .get("fractional_trading_enabled")
        .and_then(Value::as_bool)
        == Some(true);
    let subject = Subject {
        kind: is_fractional.then(|| FRACTIONAL.to_owned()),
        ..Subject::of(venue, family)
    };
    let lot = book.lots.on(&subject, at).says;
    let why = "is known to no rule of that day";
    let lot = lot.ok_or_else(|| error(Reason::MissingField, "lot", why))?;
    let outcome = |side: &str, name: &str| Outcome {
        instrument: InstrumentId(0),
        name: name.to_owned(),
        native_id: format!("{ticker}:{side}"),
    };
    let fees = fees::read(series, book, family, at);
    let title = text(value, "title").unwrap_or(ticker);
    let strike = match value.get("floor_strike").filter(|strike| !strike.is_null()) {
        None => None,
        Some(strike) => Some(
            SpotPrice::parse(&strike.to_string())
                .map_err(|_| error(Reason::MalformedFrame, "floor_strike", "is no number"))?,
        ),
    };
    if symbol.is_some() && strike.is_some_and(|strike| strike <= SpotPrice::ZERO) {
        let why = "is no price";
        return Err(error(Reason::ContradictoryMarket, "floor_strike", why));
    }
    Ok(MarketSpec {
        id: MarketId(0),
        venue,
        native_id: ticker.to_owned(),
        slug: ticker.to_owned(),
        question: cut(title),
        outcomes: vec![outcome("yes", "Yes"), outcome("no", "No")],
        tick,
        lot,
        min_qty: book.minimums.on(&subject, at).says,
        fee: fees.taker,
        maker_fee: fees.maker,
        fee_rule: fees.rule,
        taker_delay: book.taker_delay_on(venue, family, at).says,
        opens_at,
        closes_at,
        settlement: settlement(value, series, strike, symbol.as_deref(), oracle),
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
            why: "is scalar, which pays neither side in full".to_owned(),
            reason: Reason::UnknownEnum,
        }),
        _ => Ok(None),
    }
}

/// The grid: the finest step where it changes along the price; `None` where nothing is said of it.
/// Ranges of the market's own win over the name of a structure, but may not be coarser or finer.
fn tick(
    value: &Value,
    book: &Rulebook,
    at: Timestamp,
) -> Result<Option<Price>, (Reason, &'static str)> {
    let ranges = value.get("price_ranges").and_then(Value::as_array);
    let mut finest: Option<Price> = None;
    for range in ranges.into_iter().flatten() {
        let price = |field| Price::parse(text(range, field)?).ok();
        let step = price("step").ok_or((Reason::MalformedFrame, "have a step that is no price"))?;
        if !step.is_tradable() || !Price::DOLLAR.is_on_tick(step) {
            let why = "have a step that does not divide a dollar";
            return Err((Reason::ContradictoryMarket, why));
        }
        if let (Some(start), Some(end)) = (price("start"), price("end"))
            && start >= end
        {
            return Err((
                Reason::ContradictoryMarket,
                "have one that ends before it starts",
            ));
        }
        finest = Some(finest.map_or(step, |known| known.min(step)));
    }
    let named = text(value, "price_level_structure").and_then(|name| tick_of(book, name, at));
    match (finest, named) {
        (Some(step), Some(named)) if step != named => {
            let why = "and price_level_structure name different grids";
            Err((Reason::ContradictoryMarket, why))
        }
        (step, named) => Ok(step.or(named)),
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
    strike: Option<SpotPrice>,
    symbol: Option<&str>,
    mut oracle: impl FnMut(&str, &str) -> OracleId,
) -> SettlementRule {
    let strict = match text(value, "strike_type") {
        Some("greater_or_equal") => false,
        Some("greater") => true,
        _ => return SettlementRule::VenueOnly,
    };
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
