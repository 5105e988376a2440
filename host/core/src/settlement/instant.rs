//! Markets decided by the source's value of exactly one second: never of a neighbouring one.

use super::Finding;
use crate::market::MarketSpec;
use crate::market_data::MarketState;
use crate::oracle::OracleState;
use crate::units::SpotPrice;

/// Up when the value of the closing second is no lower than the strike: the one the venue states, or the
/// value of the opening second. Where both are known and would decide differently, neither does.
pub(super) fn up_down(
    market: &MarketState,
    source: &OracleState,
    stated: Option<SpotPrice>,
) -> Finding {
    let spec = &market.spec;
    let (opening, closing) = (spec.opens_at, spec.closes_at);
    let measured = source.value_at_second(opening);
    let strike = stated.or(market.strike).or(measured);
    let close = source.value_at_second(closing);
    let (Some(strike), Some(close)) = (strike, close) else {
        let missing = [
            (strike.is_none(), opening, "opening"),
            (close.is_none(), closing, "closing"),
        ];
        let missing: Vec<_> = missing.into_iter().filter(|(lacks, ..)| *lacks).collect();
        let named: Vec<String> = missing
            .iter()
            .map(|(_, at, which)| format!("of the {which} second {}", at.secs()))
            .collect();
        return Finding::lacks(
            format!("has no value {}", named.join(" and ")),
            missing.iter().map(|(_, at, _)| at.secs()).collect(),
        );
    };
    if let Some(measured) = measured.filter(|m| (close >= *m) != (close >= strike)) {
        return Finding::lacks(
            format!(
                "at second {} was {close}: at or above one of the venue's price to beat {strike} and the \
                 value {measured} of the opening second {}, and not of both",
                closing.secs(),
                opening.secs()
            ),
            Vec::new(),
        );
    }
    Finding::Known(
        close >= strike,
        format!("at second {} was {close} against {strike}", closing.secs()),
    )
}

/// The first outcome when the value of the closing second is above a fixed threshold.
pub(super) fn above(
    spec: &MarketSpec,
    source: &OracleState,
    strike: SpotPrice,
    strict: bool,
) -> Finding {
    let second = spec.closes_at.secs();
    match source.value_at_second(spec.closes_at) {
        Some(close) => Finding::Known(
            is_above(close, strike, strict),
            format!("at second {second} was {close} against {strike}"),
        ),
        None => Finding::lacks(
            format!("has no value of the closing second {second}"),
            vec![second],
        ),
    }
}

/// Whether a value beats a threshold.
pub(super) fn is_above(value: SpotPrice, strike: SpotPrice, strict: bool) -> bool {
    value > strike || (value == strike && !strict)
}
