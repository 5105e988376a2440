//! What rows say: dates, amounts, fees, steps, settlements.

use super::rows::{one_of, read};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::rulebook::{Band, Grid, Settles, SettlesBy};
use pm_arb_core::units::{DECIMALS, ONE, Price, parse_fixed};
use serde::Deserialize;

/// Longest mean or candle: a day.
const SECS_MAX: u32 = 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fee {
    formula: String,
    rate: Option<String>,
    decimals: Option<u32>,
    rounding: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ticks {
    tick: String,
    #[serde(default)]
    bands: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    above: Option<String>,
    below: Option<String>,
    tick: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settlement {
    rule: String,
    oracle: String,
    lookback_secs: Option<u32>,
    interval_secs: Option<u32>,
    strict: Option<bool>,
}

/// A TOML date (midnight UTC) or a date-time with its offset.
pub(super) fn time(value: &toml::Value) -> Result<Timestamp, String> {
    let text = match value {
        toml::Value::Datetime(time) => time.to_string(),
        other => {
            return Err(format!(
                "from = {other} is no date; write 2026-05-11, without quotes"
            ));
        }
    };
    parse_time(&text).ok_or_else(|| {
        format!(
            "from = {text} is no date since 1970 and no time with its offset (2026-05-11T12:00:00Z)"
        )
    })
}

/// A date (midnight UTC) or an instant, as people write it.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let instant = match text.parse::<jiff::civil::Date>() {
        Ok(date) if !text.contains(':') => date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(),
        _ => text.parse::<jiff::Timestamp>().ok()?,
    };
    u64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}

/// An amount in millionths, from its decimal text.
pub(super) fn micros(key: &str, text: &str) -> Result<i64, String> {
    let units = parse_fixed(text, DECIMALS).ok();
    units
        .and_then(|units| i64::try_from(units).ok())
        .filter(|units| *units >= 0)
        .ok_or_else(|| format!("{key} = {text:?} is no amount of at most {DECIMALS} decimals"))
}

pub(super) fn fee(fields: toml::Table) -> Result<FeeSchedule, String> {
    let fee: Fee = read(fields)?;
    let rate_ppm = || {
        let text = fee.rate.as_deref().ok_or("rate is missing")?;
        let units = micros("rate", text)?;
        // More than a dollar a share is a slip of the decimal point.
        u32::try_from(units)
            .ok()
            .filter(|rate| i64::from(*rate) <= ONE)
            .ok_or_else(|| format!("rate = {text:?} is more than 1"))
    };
    let none = |given: Vec<(&str, bool)>| match given.into_iter().find(|(_, given)| *given) {
        Some((key, _)) => Err(format!(
            "{key} does not belong to formula = {:?}",
            fee.formula
        )),
        None => Ok(()),
    };
    let rounding_given = [
        ("decimals", fee.decimals.is_some()),
        ("rounding", fee.rounding.is_some()),
    ];
    match fee.formula.as_str() {
        "free" => {
            none([&[("rate", fee.rate.is_some())], &rounding_given[..]].concat())?;
            Ok(FeeSchedule::Free)
        }
        "quadratic" => {
            let decimals = fee.decimals.ok_or("decimals is missing")?;
            let step = DECIMALS
                .checked_sub(decimals)
                .and_then(|digits| 10_u32.checked_pow(digits))
                .ok_or_else(|| format!("decimals = {decimals} is more than {DECIMALS}"))?;
            let round_up = match fee.rounding.as_deref().ok_or("rounding is missing")? {
                "up" => true,
                "down" => false,
                other => return Err(one_of("rounding", other, &["up", "down"])),
            };
            Ok(FeeSchedule::Quadratic {
                rate_ppm: rate_ppm()?,
                step,
                round_up,
            })
        }
        "quadratic-squared" => {
            none(rounding_given.to_vec())?;
            Ok(FeeSchedule::QuadraticSquared {
                rate_ppm: rate_ppm()?,
            })
        }
        other => {
            let known = ["free", "quadratic", "quadratic-squared"];
            Err(one_of("formula", other, &known))
        }
    }
}

pub(super) fn grid(fields: toml::Table) -> Result<Grid, String> {
    let ticks: Ticks = read(fields)?;
    let bound = |key: &str, text: Option<&str>| -> Result<Option<Price>, String> {
        text.map(|text| micros(key, text).map(Price)).transpose()
    };
    let mut bands = Vec::with_capacity(ticks.bands.len());
    for part in &ticks.bands {
        let (above, below) = (
            bound("bands.above", part.above.as_deref())?,
            bound("bands.below", part.below.as_deref())?,
        );
        if above.is_none() && below.is_none() {
            return Err("bands: one has neither above nor below".to_owned());
        }
        bands.push(Band {
            above,
            below,
            tick: step("bands.tick", &part.tick)?,
        });
    }
    Ok(Grid {
        tick: step("tick", &ticks.tick)?,
        bands,
    })
}

/// A step divides the dollar.
fn step(key: &str, text: &str) -> Result<Price, String> {
    let step = Price(micros(key, text)?);
    if step.is_tradable() && Price::DOLLAR.is_on_tick(step) {
        Ok(step)
    } else {
        Err(format!("{key} = {text:?} does not divide a dollar"))
    }
}

pub(super) fn settles(fields: toml::Table) -> Result<Settles, String> {
    let read: Settlement = read(fields)?;
    let secs = |key: &'static str, value: Option<u32>| {
        let value = value.ok_or_else(|| format!("{key} is missing"))?;
        if (1..=SECS_MAX).contains(&value) {
            Ok(value)
        } else {
            Err(format!("{key} = {value} is not between 1 and {SECS_MAX}"))
        }
    };
    let by = match read.rule.as_str() {
        "instant" => SettlesBy::Value,
        "mean" => SettlesBy::Mean {
            lookback_secs: secs("lookback_secs", read.lookback_secs)?,
        },
        "candle" => SettlesBy::Candle {
            interval_secs: secs("interval_secs", read.interval_secs)?,
            strict: read.strict.ok_or("strict is missing")?,
        },
        "touch" => SettlesBy::Touch {
            interval_secs: secs("interval_secs", read.interval_secs)?,
        },
        other => {
            return Err(one_of(
                "rule",
                other,
                &["instant", "mean", "candle", "touch"],
            ));
        }
    };
    let is_candle = matches!(by, SettlesBy::Candle { .. });
    let is_touch = matches!(by, SettlesBy::Touch { .. });
    let is_mean = matches!(by, SettlesBy::Mean { .. });
    for (key, given, belongs) in [
        ("lookback_secs", read.lookback_secs.is_some(), is_mean),
        (
            "interval_secs",
            read.interval_secs.is_some(),
            is_candle || is_touch,
        ),
        ("strict", read.strict.is_some(), is_candle),
    ] {
        if given && !belongs {
            return Err(format!("{key} does not belong to rule = {:?}", read.rule));
        }
    }
    if read.oracle.is_empty() {
        return Err("oracle is empty".to_owned());
    }
    Ok(Settles {
        oracle: read.oracle,
        by,
    })
}
