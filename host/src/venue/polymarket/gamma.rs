//! Market objects of the Gamma API, turned into specifications and outcomes.
//!
//! Pure. The market's own fields win; what they leave open the rulebook of its day says, or it is
//! `Unknown`, `None`, or an error that names the field: never a default. Lists come as JSON inside a
//! string; numbers as JSON numbers, read by their text.

use super::gamma_rules::{self, Asked};
use crate::rulebook::Rules;
use pm_arb_core::event::Resolution;
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, OracleId, Timestamp, Venue};
use pm_arb_core::market::{ExclusiveSet, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::rulebook::{Family, Question, SettlesBy};
use pm_arb_core::units::{ONE, Price, Qty, SpotPrice};
use serde_json::Value;
use std::ops::Range;

mod check;
mod fees;
mod fields;

pub use fields::GammaError;
use fields::{Object, number_text};

/// Length of the texts we keep: a question may not fill the journal.
const TEXT_MAX: usize = 300;
/// Length of the candles that markets on Bitcoin's price name.
const MINUTE_SECS: u32 = 60;
/// Half a dollar: what a share of a split market pays.
const HALF: Price = Price(ONE / 2);

/// The specification of a market object; its numbers are zero until the catalog fills them.
/// `oracle` gives the number of a price feed.
pub fn market(
    value: &Value,
    rules: Rules<'_>,
    oracle: impl FnMut(&str, &str) -> OracleId,
) -> Result<MarketSpec, GammaError> {
    let object = Object(value);
    read(&object, object.event(), rules, oracle)
}

/// As [`market`], of a market object within an event object: the event tells the set it belongs to.
pub fn market_in_event(
    value: &Value,
    event: &Value,
    rules: Rules<'_>,
    oracle: impl FnMut(&str, &str) -> OracleId,
) -> Result<MarketSpec, GammaError> {
    read(&Object(value), Some(event), rules, oracle)
}

/// The market objects of an event object.
pub fn markets_of(event: &Value) -> impl Iterator<Item = &Value> {
    let markets = event.get("markets").and_then(Value::as_array);
    markets.into_iter().flatten()
}

/// The market's slug, where it has one.
#[must_use]
pub fn slug(value: &Value) -> &str {
    Object(value).slug()
}

fn read(
    object: &Object<'_>,
    event: Option<&Value>,
    rules: Rules<'_>,
    mut oracle: impl FnMut(&str, &str) -> OracleId,
) -> Result<MarketSpec, GammaError> {
    let slug = object.required("slug")?;
    let outcomes = outcomes(object)?;
    let closes_at = object.time("endDate")?;
    let closes_at = closes_at.ok_or_else(|| object.missing("endDate"))?;
    let window = Window::of(slug);
    check::check(object, event, window.as_ref(), closes_at)?;
    let family = match is_crypto(object, slug) {
        true => Family::Crypto,
        false => Family::Other,
    };
    let opens_at = object
        .time("eventStartTime")?
        .or(window.as_ref().map(|window| window.start))
        .unwrap_or(Timestamp(0));
    let words = |field: &str| object.text(field).unwrap_or_default();
    let affirmative = outcomes.first().map_or("", |outcome| outcome.name.as_str());
    let asked = gamma_rules::asked(words("question"), words("description"), closes_at)
        .filter(|_| affirmative.eq_ignore_ascii_case("yes"));
    let opens_at = match asked {
        Some(Asked::Touch { opens_at, .. }) => opens_at,
        _ => opens_at,
    };
    let (venue, book) = (Venue::Polymarket, rules.book);
    let at = rules.day_of(opens_at, closes_at);
    let tick = match object.optional("orderPriceMinTickSize")? {
        Some(tick) => Some(Price(tick)),
        None => book.tick_on(venue, family, at).says.map(|grid| grid.tick),
    };
    if let Some(tick) = tick {
        check::grid(object, tick)?;
    }
    let min_qty = match object.optional("orderMinSize")? {
        Some(size) => Some(Qty(size)),
        None => book.min_qty_on(venue, family, at).says,
    };
    if min_qty.is_some_and(|size| size < Qty::ZERO) {
        return Err(object.contradicts("orderMinSize", "is negative"));
    }
    let lot = book.lot_on(venue, family, at).says;
    let lot = lot.ok_or_else(|| object.not_served("lot", "is known to no rule of that day"))?;
    let fees = fees::read(object, book, family, at)?;
    let rule = match asked {
        Some(asked) => worded(&asked, &mut oracle),
        None => settlement(object, event, opens_at..closes_at, rules, &mut oracle)?,
    };
    Ok(MarketSpec {
        id: MarketId(0),
        venue,
        native_id: object.required("conditionId")?.to_owned(),
        slug: cut(slug),
        question: cut(object.text("question").unwrap_or(slug)),
        outcomes,
        tick,
        lot,
        min_qty,
        fee: fees.taker,
        maker_fee: fees.maker,
        fee_rule: fees.rule,
        taker_delay: book.taker_delay_on(venue, family, at).says,
        opens_at,
        closes_at,
        settlement: rule,
        exclusive_set: exclusive_set(object, event),
        pair_key: window.map(|window| window.pair_key()),
    })
}

/// Names and tokens, the affirmative one first.
fn outcomes(object: &Object<'_>) -> Result<Vec<Outcome>, GammaError> {
    let mut names = object.pair("outcomes")?;
    let mut tokens = object.pair("clobTokenIds")?;
    if tokens.iter().any(String::is_empty) {
        let why = "has an empty token: the market is not served yet";
        return Err(object.not_served("clobTokenIds", why));
    }
    if tokens[0] == tokens[1] {
        return Err(object.contradicts("clobTokenIds", "names one token twice"));
    }
    if names[0].eq_ignore_ascii_case(&names[1]) {
        return Err(object.contradicts("outcomes", "names one outcome twice"));
    }
    if is_reversed(&names) {
        names.reverse();
        tokens.reverse();
    }
    let outcome = |(name, native_id): (String, String)| Outcome {
        instrument: InstrumentId(0),
        name: cut(&name),
        native_id,
    };
    Ok(names.into_iter().zip(tokens).map(outcome).collect())
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
        return Err(object.contradicts("outcomePrices", "is neither 1/0, 0/1 nor 0.5/0.5"));
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
    secs: u64,
    start: Timestamp,
}

impl<'a> Window<'a> {
    fn of(slug: &'a str) -> Option<Self> {
        let (asset, rest) = slug.split_once("-updown-")?;
        let (span, start) = rest.split_once('-')?;
        let secs = match span {
            "5m" => 300,
            "15m" => 900,
            "4h" => 14_400,
            _ => return None,
        };
        let digits = start.len() <= 11 && start.bytes().all(|b| b.is_ascii_digit());
        let start = Timestamp::from_secs(start.parse().ok().filter(|_| digits)?);
        let letters = asset.bytes().all(|b| b.is_ascii_lowercase());
        letters.then_some(Self {
            asset,
            span,
            secs,
            start,
        })
    }

    fn end(&self) -> Timestamp {
        Timestamp::from_secs(self.start.secs().saturating_add(self.secs))
    }

    fn pair_key(&self) -> String {
        format!("{}-updown-{}-{}", self.asset, self.span, self.start.secs())
    }
}

fn settlement(
    object: &Object<'_>,
    event: Option<&Value>,
    open: Range<Timestamp>,
    rules: Rules<'_>,
    oracle: &mut impl FnMut(&str, &str) -> OracleId,
) -> Result<SettlementRule, GammaError> {
    let (slug, strike) = (object.slug(), price_to_beat(event));
    // What decides a window is settled when it opens.
    let day = match open.start {
        Timestamp(0) => open.end,
        start => start,
    };
    let settles = |question| rules.book.settles_on(Venue::Polymarket, question, day).says;
    if let Some(window) = Window::of(slug) {
        let symbol = format!("{}usd", window.asset);
        let config = object.0.get("cryptoMarketConfig").filter(|c| !c.is_null());
        let twap = config.and_then(|c| c.get("twapEnabled")?.as_bool());
        let by = match twap {
            Some(true) => {
                let secs = config.and_then(|c| c.get("twapLookbackSeconds")?.as_u64());
                let lookback_secs = secs.and_then(|s| u32::try_from(s).ok()).ok_or_else(|| {
                    object.not_served("cryptoMarketConfig", "names a mean without its length")
                })?;
                Some(SettlesBy::Mean { lookback_secs })
            }
            Some(false) => Some(SettlesBy::Value),
            None => Question::window(window.secs)
                .and_then(settles)
                .map(|s| s.by),
        };
        return Ok(match by {
            Some(SettlesBy::Mean { lookback_secs }) => SettlementRule::UpDownTwap {
                oracle: oracle("chainlink", &symbol),
                lookback_secs,
                strike,
            },
            Some(SettlesBy::Value) => SettlementRule::UpDown {
                oracle: oracle("chainlink", &symbol),
                strike,
            },
            _ => SettlementRule::VenueOnly,
        });
    }
    // Which candle it is must be certain: otherwise only the venue can tell.
    let is_one = |secs: u32| {
        let length = Nanos::from_ms(u64::from(secs) * 1_000);
        open.start.plus(length) == open.end && open.start.0.is_multiple_of(length.0)
    };
    let told = settles(Question::UpDown1h).map(|s| (s.oracle, s.by));
    if let Some((source, SettlesBy::Candle { interval_secs, .. })) = told
        && is_hourly(slug)
        && is_one(interval_secs)
    {
        return Ok(SettlementRule::Candle {
            oracle: oracle(&source, "btcusdt"),
            interval_secs,
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

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
#[path = "gamma_tests.rs"]
mod tests;
