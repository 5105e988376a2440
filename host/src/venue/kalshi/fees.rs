//! What a series' takers and makers pay: its `fee_type`, as the rulebook of the day reads it, times its
//! `fee_multiplier`.

use super::rest::text;
use pm_arb_core::ids::{Timestamp, Venue};
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::rulebook::{Family, Rulebook, Subject, Table, scaled};
use pm_arb_core::units::{DECIMALS, Usd, parse_fixed};
use serde_json::Value;

/// Fees, and where they were read.
#[derive(Debug)]
pub(super) struct Fees {
    pub taker: FeeSchedule,
    pub maker: FeeSchedule,
    pub rule: String,
}

pub(super) fn read(series: &Value, book: &Rulebook, family: Family, at: Timestamp) -> Fees {
    let unknown = |rule: String| Fees {
        taker: FeeSchedule::Unknown,
        maker: FeeSchedule::Unknown,
        rule,
    };
    let Some(kind) = text(series, "fee_type") else {
        let subject = Subject::of(Venue::Kalshi, family);
        let told = book.taker_fees.on(&subject, at);
        let maker = book.maker_fees.on(&subject, at).says;
        return Fees {
            taker: told.says.unwrap_or(FeeSchedule::Unknown),
            maker: maker.unwrap_or(FeeSchedule::Unknown),
            rule: told.rule,
        };
    };
    let multiplier = series.get("fee_multiplier").map(|m| match m {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let by = multiplier.and_then(|m| parse_fixed(&m, DECIMALS).ok());
    let Some(by) = by.filter(|by| *by >= 0) else {
        return unknown(format!(
            "the series' fee_type {kind:?} without a usable fee_multiplier"
        ));
    };
    let subject = Subject::kind(Venue::Kalshi, family, kind);
    let told = book.taker_fees.on(&subject, at);
    let fee = |table: &Table<Subject, FeeSchedule>| {
        let row = table.on(&subject, at).says;
        row.and_then(|fee| scaled(fee, by))
            .unwrap_or(FeeSchedule::Unknown)
    };
    let times = i64::try_from(by)
        .map(Usd)
        .map_or_else(|_| by.to_string(), |m| m.to_string());
    Fees {
        taker: fee(&book.taker_fees),
        maker: fee(&book.maker_fees),
        rule: format!("the series' fee_multiplier {times}, {}", told.rule),
    }
}
