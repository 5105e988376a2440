//! Markets decided by one final candle of the source: no tick and no other candle is evidence.

use super::Finding;
use super::instant::is_above;
use crate::event::Candle;
use crate::ids::Timestamp;
use crate::market::MarketSpec;
use crate::oracle::OracleState;
use crate::units::SpotPrice;

/// Up when the candle that starts at the opening closes no lower than it opened.
pub(super) fn up_down(spec: &MarketSpec, source: &OracleState, secs: u32) -> Finding {
    final_candle(source, spec.opens_at, secs, |candle| {
        let said = format!("opened at {} and closed at {}", candle.open, candle.close);
        (candle.close >= candle.open, said)
    })
}

/// The first outcome when the candle that starts at the close closes above a fixed threshold.
pub(super) fn above(
    spec: &MarketSpec,
    source: &OracleState,
    strike: SpotPrice,
    strict: bool,
    secs: u32,
) -> Finding {
    final_candle(source, spec.closes_at, secs, |candle| {
        let said = format!("closed at {} against {strike}", candle.close);
        (is_above(candle.close, strike, strict), said)
    })
}

fn final_candle(
    source: &OracleState,
    from: Timestamp,
    secs: u32,
    decide: impl FnOnce(&Candle) -> (bool, String),
) -> Finding {
    let which = format!("candle of {secs} s from second {}", from.secs());
    match source.candle(from, secs) {
        Some(candle) => {
            let (first_wins, said) = decide(candle);
            Finding::Known(first_wins, format!("{which} {said}"))
        }
        None => Finding::lacks(
            format!("has not told the {which}"),
            from.secs()
                .checked_add(u64::from(secs))
                .into_iter()
                .collect(),
        ),
    }
}
