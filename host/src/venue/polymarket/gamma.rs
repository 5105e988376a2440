//! Market objects of the Gamma API, turned into specifications and outcomes.
//!
//! Pure. Reads the market's own fields and nothing else: what a field does not say is `Unknown`,
//! `None` or an error that names the field, never a default. Lists come as JSON inside a string;
//! numbers as JSON numbers, read by their text.

use super::gamma_rules::{self, Asked};
use pm_arb_core::event::Resolution;
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, OracleId, Timestamp, Venue};
use pm_arb_core::market::{ExclusiveSet, FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::rulebook::{Family, day, fee_on, taker_delay_on};
use pm_arb_core::units::{DECIMALS, ONE, Price, Qty, SpotPrice, parse_fixed};
use serde_json::Value;
use std::ops::Range;

/// Orders are made of hundredths of a share.
const LOT: Qty = Qty(10_000);
/// Length of the texts we keep: a question may not fill the journal.
const TEXT_MAX: usize = 300;
/// From here on the Chainlink windows settle on a mean, whose length the market states.
const TWAP_SINCE: Timestamp = day(2026, 8, 7);
/// Length of the candle that decides an hourly market.
const HOUR_SECS: u32 = 3_600;
/// Length of the candles that markets on Bitcoin's price name.
const MINUTE_SECS: u32 = 60;
/// Half a dollar: what a share of a split market pays.
const HALF: Price = Price(ONE / 2);

/// Why a market object is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Gamma market {slug:?}: {field} {why}; the market is left out")]
pub struct GammaError {
    /// Which market.
    pub slug: String,
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A market object, read field by field.
struct Object<'a>(&'a Value);

impl<'a> Object<'a> {
    fn slug(&self) -> &'a str {
        self.text("slug").unwrap_or_default()
    }

    fn error(&self, field: &'static str, why: &'static str) -> GammaError {
        GammaError {
            slug: self.slug().chars().take(TEXT_MAX).collect(),
            field,
            why,
        }
    }

    fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).and_then(Value::as_str)
    }

    fn flag(&self, field: &str) -> Option<bool> {
        self.0.get(field).and_then(Value::as_bool)
    }

    fn required(&self, field: &'static str) -> Result<&'a str, GammaError> {
        self.text(field)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.error(field, "is missing"))
    }

    /// A number in millionths.
    fn micros(&self, field: &'static str) -> Result<i64, GammaError> {
        let value = self.0.get(field).and_then(number_text);
        let value = value.ok_or_else(|| self.error(field, "is missing"))?;
        parse_fixed(&value, DECIMALS)
            .ok()
            .and_then(|units| i64::try_from(units).ok())
            .ok_or_else(|| self.error(field, "is no number of at most six decimals"))
    }

    /// Two texts: an array, or one inside a string.
    fn pair(&self, field: &'static str) -> Result<[String; 2], GammaError> {
        let list: Option<Vec<String>> = match self.0.get(field) {
            Some(Value::String(text)) => serde_json::from_str(text).ok(),
            Some(value) => serde_json::from_value(value.clone()).ok(),
            None => return Err(self.error(field, "is missing")),
        };
        list.and_then(|list| list.try_into().ok())
            .ok_or_else(|| self.error(field, "is no list of two"))
    }

    fn time(&self, field: &'static str) -> Result<Option<Timestamp>, GammaError> {
        match self.text(field) {
            None | Some("") => Ok(None),
            Some(text) => timestamp(text)
                .map(Some)
                .ok_or_else(|| self.error(field, "is no time")),
        }
    }

    fn event(&self) -> Option<&'a Value> {
        self.0.get("events")?.as_array()?.first()
    }
}

/// The specification of a market object; its numbers are zero until the catalog fills them.
/// `oracle` gives the number of a price feed.
pub fn market(
    value: &Value,
    oracle: impl FnMut(&str, &str) -> OracleId,
) -> Result<MarketSpec, GammaError> {
    let object = Object(value);
    read(&object, object.event(), oracle)
}

/// As [`market`], of a market object within an event object: the event tells the set it belongs to.
pub fn market_in_event(
    value: &Value,
    event: &Value,
    oracle: impl FnMut(&str, &str) -> OracleId,
) -> Result<MarketSpec, GammaError> {
    read(&Object(value), Some(event), oracle)
}

/// The market objects of an event object.
pub fn markets_of(event: &Value) -> impl Iterator<Item = &Value> {
    let markets = event.get("markets").and_then(Value::as_array);
    markets.into_iter().flatten()
}

fn read(
    object: &Object<'_>,
    event: Option<&Value>,
    mut oracle: impl FnMut(&str, &str) -> OracleId,
) -> Result<MarketSpec, GammaError> {
    let slug = object.required("slug")?;
    let mut names = object.pair("outcomes")?;
    let mut tokens = object.pair("clobTokenIds")?;
    if tokens.iter().any(String::is_empty) {
        return Err(object.error(
            "clobTokenIds",
            "has an empty token; the market is not served yet",
        ));
    }
    if tokens[0] == tokens[1] {
        return Err(object.error("clobTokenIds", "names one token twice"));
    }
    if is_reversed(&names) {
        names.reverse();
        tokens.reverse();
    }
    let tick = Price(object.micros("orderPriceMinTickSize")?);
    if !tick.is_tradable() {
        return Err(object.error("orderPriceMinTickSize", "is not between 0 and 1"));
    }
    let min_qty = Qty(object.micros("orderMinSize")?);
    if min_qty < Qty::ZERO {
        return Err(object.error("orderMinSize", "is negative"));
    }
    let closes_at = object.time("endDate")?;
    let closes_at = closes_at.ok_or_else(|| object.error("endDate", "is missing"))?;
    let window = Window::of(slug);
    let family = match is_crypto(object, slug) {
        true => Family::Crypto,
        false => Family::Other,
    };
    let opens_at = object
        .time("eventStartTime")?
        .or(window.as_ref().map(|window| window.start))
        .unwrap_or(Timestamp(0));
    let words = |field: &str| object.text(field).unwrap_or_default();
    let asked = gamma_rules::asked(words("question"), words("description"), closes_at)
        .filter(|_| names[0].eq_ignore_ascii_case("yes"));
    let opens_at = match asked {
        Some(Asked::Touch { opens_at, .. }) => opens_at,
        _ => opens_at,
    };
    let rule = match asked {
        Some(asked) => worded(&asked, &mut oracle),
        None => settlement(object, event, opens_at..closes_at, &mut oracle)?,
    };
    let [name_0, name_1] = names;
    let [token_0, token_1] = tokens;
    let outcome = |name: String, native_id: String| Outcome {
        instrument: InstrumentId(0),
        name: cut(&name),
        native_id,
    };
    Ok(MarketSpec {
        id: MarketId(0),
        venue: Venue::Polymarket,
        native_id: object.required("conditionId")?.to_owned(),
        slug: cut(slug),
        question: cut(object.text("question").unwrap_or(slug)),
        outcomes: vec![outcome(name_0, token_0), outcome(name_1, token_1)],
        tick,
        lot: LOT,
        min_qty,
        fee: fee(object, family, closes_at)?,
        maker_fee: FeeSchedule::Free,
        fee_rule: "the market's feeSchedule".to_owned(),
        taker_delay: taker_delay_on(Venue::Polymarket, family, closes_at),
        opens_at,
        closes_at,
        settlement: rule,
        exclusive_set: exclusive_set(object, event),
        pair_key: window.map(|window| window.pair_key()),
    })
}

/// The outcome of a closed market object, if the venue has published it.
///
/// Only an exact 1/0, 0/1 or 0.5/0.5 counts, and only once the venue calls it resolved (or, without
/// a word about that, states when it closed): prices drift to 0.99 long before.
pub fn resolution(value: &Value, market: MarketId) -> Result<Option<Resolution>, GammaError> {
    let object = Object(value);
    let resolved = match object.text("umaResolutionStatus") {
        Some(status) => status == "resolved",
        None => {
            object.flag("automaticallyResolved") == Some(true)
                || object.text("closedTime").is_some()
        }
    };
    if object.flag("closed") != Some(true) || !resolved {
        return Ok(None);
    }
    let prices = object.pair("outcomePrices")?;
    let price = |text: &String| Price::parse(text).unwrap_or(Price(-1));
    let mut payouts: Vec<Price> = prices.iter().map(price).collect();
    if is_reversed(&object.pair("outcomes")?) {
        payouts.reverse();
    }
    let known = [
        [Price::DOLLAR, Price::ZERO],
        [Price::ZERO, Price::DOLLAR],
        [HALF, HALF],
    ];
    if !known.iter().any(|known| known == payouts.as_slice()) {
        return Err(object.error("outcomePrices", "is neither 1/0, 0/1 nor 0.5/0.5"));
    }
    Ok(Some(Resolution {
        market,
        payouts,
        evidence: "gamma outcomePrices".to_owned(),
    }))
}

/// Whether the market trades on the negative-risk exchange; part of its books' hash.
#[must_use]
pub fn neg_risk(value: &Value) -> bool {
    Object(value).flag("negRisk") == Some(true)
}

/// Whether the market has ended.
#[must_use]
pub fn is_closed(value: &Value) -> bool {
    Object(value).flag("closed") == Some(true)
}

/// The condition id, if there is one.
#[must_use]
pub fn condition_id(value: &Value) -> Option<&str> {
    Object(value).text("conditionId")
}

/// An up-or-down window, named by its slug: `btc-updown-5m-1784850900`.
struct Window<'a> {
    asset: &'a str,
    span: &'a str,
    start: Timestamp,
}

impl<'a> Window<'a> {
    fn of(slug: &'a str) -> Option<Self> {
        let (asset, rest) = slug.split_once("-updown-")?;
        let (span, start) = rest.split_once('-')?;
        let known = matches!(span, "5m" | "15m" | "4h");
        let digits = start.len() <= 11 && start.bytes().all(|b| b.is_ascii_digit());
        let start = Timestamp::from_secs(start.parse().ok().filter(|_| digits)?);
        (known && asset.bytes().all(|b| b.is_ascii_lowercase())).then_some(Self {
            asset,
            span,
            start,
        })
    }

    fn pair_key(&self) -> String {
        format!("{}-updown-{}-{}", self.asset, self.span, self.start.secs())
    }
}

fn settlement(
    object: &Object<'_>,
    event: Option<&Value>,
    open: Range<Timestamp>,
    oracle: &mut impl FnMut(&str, &str) -> OracleId,
) -> Result<SettlementRule, GammaError> {
    let (slug, strike) = (object.slug(), price_to_beat(event));
    if let Some(window) = Window::of(slug) {
        let symbol = format!("{}usd", window.asset);
        let config = object.0.get("cryptoMarketConfig").filter(|c| !c.is_null());
        let twap = config.and_then(|c| c.get("twapEnabled")?.as_bool());
        return match twap {
            Some(true) => {
                let secs = config.and_then(|c| c.get("twapLookbackSeconds")?.as_u64());
                let lookback_secs = secs.and_then(|s| u32::try_from(s).ok()).ok_or_else(|| {
                    object.error("cryptoMarketConfig", "names a mean without its length")
                })?;
                Ok(SettlementRule::UpDownTwap {
                    oracle: oracle("chainlink", &symbol),
                    lookback_secs,
                    strike,
                })
            }
            None if open.start >= TWAP_SINCE => Ok(SettlementRule::VenueOnly),
            Some(false) | None => Ok(SettlementRule::UpDown {
                oracle: oracle("chainlink", &symbol),
                strike,
            }),
        };
    }
    // Which candle it is must be certain: otherwise only the venue can tell.
    let hour = Nanos::from_ms(u64::from(HOUR_SECS) * 1_000);
    let is_one = open.start.plus(hour) == open.end && open.start.0.is_multiple_of(hour.0);
    if is_hourly(slug) && is_one {
        return Ok(SettlementRule::Candle {
            oracle: oracle("binance", "btcusdt"),
            interval_secs: HOUR_SECS,
        });
    }
    Ok(SettlementRule::VenueOnly)
}

/// The rule of a market that asks this of Binance's minute candles.
fn worded(asked: &Asked, oracle: &mut impl FnMut(&str, &str) -> OracleId) -> SettlementRule {
    let oracle = oracle("binance", "btcusdt");
    match *asked {
        Asked::Above(strike) => SettlementRule::Above {
            oracle,
            strike,
            strict: true,
            candle_secs: Some(MINUTE_SECS),
        },
        Asked::Touch { barrier, rises, .. } => SettlementRule::Touch {
            oracle,
            barrier,
            rises,
            interval_secs: MINUTE_SECS,
        },
    }
}

/// `bitcoin-up-or-down-july-24-2026-3pm-et`: a candle of one hour on Binance.
fn is_hourly(slug: &str) -> bool {
    let hour = slug
        .strip_prefix("bitcoin-up-or-down-")
        .and_then(|rest| rest.strip_suffix("-et"))
        .and_then(|rest| rest.rsplit('-').next());
    let digits = hour.and_then(|h| h.strip_suffix("am").or_else(|| h.strip_suffix("pm")));
    digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
}

fn price_to_beat(event: Option<&Value>) -> Option<SpotPrice> {
    let price = event?.get("eventMetadata")?.get("priceToBeat")?;
    SpotPrice::parse(&number_text(price)?)
        .ok()
        .filter(|price| *price > SpotPrice::ZERO)
}

/// The market's own schedule. Fees without a schedule are those of the rulebook, for crypto, whose
/// formula is known by date; silence about fees is not.
fn fee(object: &Object<'_>, family: Family, at: Timestamp) -> Result<FeeSchedule, GammaError> {
    if object.flag("feesEnabled") == Some(false) {
        return Ok(FeeSchedule::Free);
    }
    let schedule = match object.0.get("feeSchedule") {
        Some(schedule) if schedule.is_object() => Object(schedule),
        _ if object.flag("feesEnabled") == Some(true) => {
            return Ok(fee_on(Venue::Polymarket, family, at));
        }
        _ => return Ok(FeeSchedule::Unknown),
    };
    let bad = |_| object.error("feeSchedule", "has no usable rate");
    if schedule.micros("exponent").map_err(bad)? != ONE {
        return Ok(FeeSchedule::Unknown);
    }
    match u32::try_from(schedule.micros("rate").map_err(bad)?) {
        Ok(0) => Ok(FeeSchedule::Free),
        Ok(rate_ppm) => Ok(FeeSchedule::polymarket(rate_ppm)),
        Err(_) => Err(object.error("feeSchedule", "has no usable rate")),
    }
}

fn is_crypto(object: &Object<'_>, slug: &str) -> bool {
    let fee_type = object.text("feeType").unwrap_or_default();
    fee_type.starts_with("crypto") || Window::of(slug).is_some() || is_hourly(slug)
}

fn exclusive_set(object: &Object<'_>, event: Option<&Value>) -> Option<ExclusiveSet> {
    let event = event?;
    let flag = |field: &str| event.get(field).and_then(Value::as_bool) == Some(true);
    if !(flag("negRisk") && object.flag("negRisk") == Some(true)) {
        return None;
    }
    // A closed member paid nothing, or the event would be over: the rest still holds the one winner.
    let members = event.get("markets")?.as_array()?;
    let open = members
        .iter()
        .filter(|m| m.get("closed").and_then(Value::as_bool) != Some(true));
    Some(ExclusiveSet {
        event: cut(event.get("slug")?.as_str()?),
        members: u16::try_from(open.count()).ok()?,
        augmented: flag("negRiskAugmented"),
    })
}

/// Whether the affirmative outcome comes second.
fn is_reversed(names: &[String; 2]) -> bool {
    let affirmative = |name: &str| ["up", "yes"].contains(&name.to_ascii_lowercase().as_str());
    let [first, second] = names;
    affirmative(second) && !affirmative(first)
}

/// The text of a number, whether it comes bare or as a string.
fn number_text(value: &Value) -> Option<String> {
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

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
#[path = "gamma_tests.rs"]
mod tests;
