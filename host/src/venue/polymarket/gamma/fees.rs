//! What a market's takers and makers pay: its own `feeSchedule`, or the rulebook of its day.

use super::fields::{GammaError, Object, number_text};
use pm_arb_core::ids::{Timestamp, Venue};
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::rulebook::{Family, Rulebook, Subject, scaled};
use pm_arb_core::units::{DECIMALS, ONE, Usd, parse_fixed};

/// Fees, and where they were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fees {
    pub taker: FeeSchedule,
    pub maker: FeeSchedule,
    pub rule: String,
}

impl Fees {
    /// The market states a schedule that nobody here can compute: no order is sent.
    fn unknown(rule: String) -> Self {
        Self {
            taker: FeeSchedule::Unknown,
            maker: FeeSchedule::Unknown,
            rule,
        }
    }
}

/// A schedule of the market's own wins, then its word that there are no fees; the rest is the
/// rulebook's. A schedule whose shape is not known is no reason to take another one.
pub(super) fn read(
    object: &Object<'_>,
    book: &Rulebook,
    family: Family,
    at: Timestamp,
) -> Result<Fees, GammaError> {
    let enabled = object.flag("feesEnabled");
    let schedule = object.0.get("feeSchedule").filter(|s| !s.is_null());
    let maker = || {
        let told = book.maker_fee_on(Venue::Polymarket, family, at);
        told.says.unwrap_or(FeeSchedule::Unknown)
    };
    let Some(schedule) = schedule else {
        if enabled == Some(false) {
            return Ok(Fees {
                taker: FeeSchedule::Free,
                maker: FeeSchedule::Free,
                rule: "the market's feesEnabled = false".to_owned(),
            });
        }
        let told = book.taker_fee_on(Venue::Polymarket, family, at);
        return Ok(Fees {
            taker: told.says.unwrap_or(FeeSchedule::Unknown),
            maker: maker(),
            rule: told.rule,
        });
    };
    let shape = |what: String| Fees::unknown(format!("feeSchedule of unknown shape: {what}"));
    if !schedule.is_object() {
        return Ok(shape("no object".to_owned()));
    }
    let number = |key: &str| {
        let text = schedule.get(key).and_then(number_text);
        let text = text.ok_or_else(|| format!("no {key}"))?;
        let units = parse_fixed(&text, DECIMALS).ok();
        let units = units.and_then(|units| i64::try_from(units).ok());
        let cut: String = text.chars().take(40).collect();
        units.ok_or_else(|| format!("{key} {cut:?}"))
    };
    let (exponent, rate) = match (number("exponent"), number("rate")) {
        (Ok(exponent), Ok(rate)) => (exponent, rate),
        (Err(what), _) | (_, Err(what)) => return Ok(shape(what)),
    };
    if enabled == Some(false) && rate != 0 {
        return Err(object.contradicts(
            "feesEnabled",
            format!("is false, but feeSchedule has rate {}", Usd(rate)),
        ));
    }
    if !(0..=ONE).contains(&rate) {
        return Ok(shape(format!("rate {}", Usd(rate))));
    }
    if rate == 0 {
        return Ok(Fees {
            taker: FeeSchedule::Free,
            maker: FeeSchedule::Free,
            rule: "the market's feeSchedule: rate 0".to_owned(),
        });
    }
    let exponent = match exponent % ONE {
        0 => (exponent / ONE).to_string(),
        _ => Usd(exponent).to_string(),
    };
    let subject = Subject::kind(Venue::Polymarket, family, &format!("exponent {exponent}"));
    if !book.taker_fees.subjects().any(|known| *known == subject) {
        return Ok(shape(format!("exponent {exponent}")));
    }
    let told = book.taker_fees.on(&subject, at);
    let Some(taker) = told.says.and_then(|fee| scaled(fee, rate.into())) else {
        return Ok(Fees::unknown(format!("feeSchedule: {}", told.rule)));
    };
    let takers_only = match schedule.get("takerOnly") {
        None => true,
        Some(flag) => flag.as_bool() == Some(true),
    };
    Ok(Fees {
        taker,
        maker: match takers_only {
            true => maker(),
            // What makers pay then was never seen.
            false => FeeSchedule::Unknown,
        },
        rule: format!(
            "the market's feeSchedule: rate {}, exponent {exponent}",
            Usd(rate)
        ),
    })
}
