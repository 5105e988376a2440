//! The drawings of the page, from numbers alone.

use super::panels::chance;
use crate::snapshot::Money;
use crate::web::chart::Role;
use crate::web::chart::axes::Unit;
use crate::web::chart::lines::{Line, Lines};
use crate::web::how::{Trade, Worked};
use maud::Markup;

/// What the plan says of the market: it begins to follow, and has followed, ms after the move.
const NAIVE_CORRECTION_MS: (f64, f64) = (2_000.0, 5_000.0);
/// The picture begins and ends so many ms from the move.
const FROM_MS: f64 = -1_000.0;
const UNTIL_MS: f64 = 6_000.0;
const SIZE: (u32, u32) = (520, 240);

fn number(amount: Money) -> f64 {
    amount.0.0 as f64 / 1e6
}

/// A price as a coordinate; what is no number is left out by the drawing.
fn spot(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// Model and market over the seconds around a move.
pub(super) fn lag(worked: &Worked) -> Markup {
    let market = number(worked.asked.price);
    let model = number(worked.fair.model);
    let before = worked.arrival.fair_before.map_or(market, number);
    let (follows, followed) = NAIVE_CORRECTION_MS;
    let describe = format!(
        "The oracle moves at 0 ms and the model goes from {before:.4} to {model:.4} at once; the market stands at {market:.2} and follows, by the plan, \
         within 2 to 5 seconds. {}",
        match worked.arrival.arrival_ms {
            Some(ms) => format!("The upright line is where an order arrives: {ms} ms."),
            None =>
                "When an order arrives is not known: no rule tells the venue's delay.".to_owned(),
        }
    );
    let model_line = Line {
        steps: true,
        ..Line::new(
            "model",
            Role::Honest,
            vec![(FROM_MS, before), (0.0, model), (UNTIL_MS, model)],
        )
    };
    let follow = vec![
        (FROM_MS, market),
        (follows, market),
        (followed, model),
        (UNTIL_MS, model),
    ];
    let arrival = worked
        .arrival
        .arrival_ms
        .map(|ms| ms as f64)
        .filter(|ms| *ms <= UNTIL_MS);
    let (low, high) = (market.min(model).min(before), market.max(model).max(before));
    let arrives = arrival.map(|at| Line::new("arrival", Role::Mark, vec![(at, low), (at, high)]));
    let lines = [
        Some(model_line),
        Some(Line::new("market, by the plan", Role::Naive, follow)),
        arrives,
    ];
    Lines {
        size: SIZE,
        units: (Unit::Millis, Unit::Plain),
        lines: lines.into_iter().flatten().collect(),
        ..Lines::over_time("Model and market around a move", &describe, Unit::Plain)
    }
    .draw()
}

/// Fair value over the spot, with the offer.
pub(super) fn fair(worked: &Worked) -> Markup {
    let describe = format!(
        "With {} s left and a strike of {} USD: the model says {} at {} USD; the offer stands at {}.",
        worked.asked.left_secs,
        worked.asked.strike,
        chance(worked.fair.model),
        worked.asked.spot,
        worked.asked.price,
    );
    let over = |value: fn(&crate::web::how::SpotPoint) -> Money| {
        let points = worked
            .by_spot
            .iter()
            .map(|p| (spot(&p.spot), number(value(p))));
        points.collect::<Vec<_>>()
    };
    let now = spot(&worked.asked.spot);
    Lines {
        size: SIZE,
        units: (Unit::Plain, Unit::Plain),
        ..Lines::over_time("Fair value over the spot", &describe, Unit::Plain)
    }
    .line(Line::new("model", Role::Honest, over(|p| p.model)))
    .line(Line::new("digital", Role::Gain, over(|p| p.digital)))
    .line(Line::new(
        "spot now",
        Role::Ink,
        vec![(now, 0.0), (now, number(worked.fair.model))],
    ))
    .mark(number(worked.asked.price), "offer")
    .draw()
}

/// What is to be expected in all, over the probability.
pub(super) fn payout(worked: &Worked, trade: &Trade) -> Markup {
    let describe = format!(
        "From a loss of {} USD when YES never comes true to a gain of {} USD when it always does; nothing is left at {}. The fair value is {}.",
        trade.paid,
        trade.win,
        chance(trade.break_even),
        chance(worked.fair.blend),
    );
    let over = |value: fn(&crate::web::how::OddsPoint) -> Money| {
        let points = trade.by_odds.iter();
        points
            .map(|p| (number(p.probability), number(value(p))))
            .collect::<Vec<_>>()
    };
    let fair = number(worked.fair.blend);
    let expected = number(trade.expected);
    Lines {
        size: SIZE,
        units: (Unit::Plain, Unit::Dollars),
        ..Lines::over_time(
            "Expected value over the probability",
            &describe,
            Unit::Dollars,
        )
    }
    .line(Line::new(
        "after the fee",
        Role::Honest,
        over(|p| p.after_fee),
    ))
    .line(Line::new("before", Role::Naive, over(|p| p.before_fee)))
    .line(Line::new(
        "at fair value",
        Role::Ink,
        vec![(fair, 0.0), (fair, expected)],
    ))
    .mark(0.0, "nothing")
    .draw()
}
