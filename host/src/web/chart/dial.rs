//! The ghost-gap dial: how much a share naive paper trading flatters.
//!
//! Straight up is no difference. To the right naive numbers flatter, to the left honest ones are better.

use super::axes::{self, Side, Unit, dollars};
use super::{Canvas, DrawError, Role, figure};
use maud::Markup;
use plotters::prelude::Circle;
use plotters::style::Color as _;
use pm_arb_core::units::Usd;
use std::f64::consts::PI;

const SIZE: (u32, u32) = (280, 168);
const CENTRE: (i32, i32) = (140, 128);
const RADIUS: f64 = 92.0;
/// What the ends of the dial may stand for, in dollars a share.
const ENDS: [f64; 7] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// The figure. `gap` is in dollars a share, naive less honest.
#[must_use]
pub fn dial(title: &str, describe: &str, gap: Usd) -> Markup {
    figure(SIZE, title, describe, |canvas| draw(canvas, gap))
}

/// What the ends stand for: the smallest that holds the gap.
fn end(gap: f64) -> f64 {
    let [.., largest] = ENDS;
    ENDS.into_iter()
        .find(|end| gap.abs() <= *end)
        .unwrap_or(largest)
}

/// A place at that share of the way from straight up to an end, -1 left to 1 right.
fn place(share: f64, radius: f64) -> (i32, i32) {
    let angle = share.clamp(-1.0, 1.0) * PI / 2.0;
    let across = f64::from(CENTRE.0) + radius * angle.sin();
    let up = f64::from(CENTRE.1) - radius * angle.cos();
    (across.round() as i32, up.round() as i32)
}

fn arc(from: f64, to: f64, radius: f64) -> Vec<(i32, i32)> {
    // Places are whole numbers: many short pieces would look ragged.
    const PARTS: f64 = 14.0;
    let parts = ((to - from).abs() / 2.0 * PARTS).ceil().max(1.0) as i32;
    (0..=parts)
        .map(|n| place(from + (to - from) * f64::from(n) / f64::from(parts), radius))
        .collect()
}

/// Cents with two digits, rounded up: no gap is made smaller than it is.
#[must_use]
pub fn cents(gap: Usd) -> String {
    let up = gap.0.div_euclid(100) + i64::from(gap.0.rem_euclid(100) > 0);
    let sign = match up.signum() {
        1 => "+",
        -1 => "-",
        _ => "",
    };
    let up = up.unsigned_abs();
    format!("{sign}{}.{:02} ¢", up / 100, up % 100)
}

fn draw(canvas: &Canvas<'_>, gap: Usd) -> Result<(), DrawError> {
    let said = format!("{} a share", cents(gap));
    let gap = dollars(gap);
    let end = end(gap);
    let share = (gap / end).clamp(-1.0, 1.0);
    axes::stroke(canvas, arc(-1.0, 1.0, RADIUS), Role::Grid, 10)?;
    let role = if gap > 0.0 { Role::Loss } else { Role::Gain };
    if gap != 0.0 {
        axes::stroke(canvas, arc(0.0, share, RADIUS), role, 10)?;
    }
    axes::stroke(
        canvas,
        vec![place(0.0, RADIUS - 9.0), place(0.0, RADIUS + 9.0)],
        Role::Mark,
        2,
    )?;
    axes::stroke(
        canvas,
        vec![CENTRE, place(share, RADIUS - 12.0)],
        Role::Ink,
        3,
    )?;
    canvas.draw(&Circle::new(CENTRE, 5, Role::Ink.colour().filled()))?;
    let whole = |dollars: f64| axes::label(Unit::Plain, dollars * 100.0, 1.0);
    for (side, text) in [
        (-1.0, format!("-{} ¢", whole(end))),
        (1.0, format!("+{} ¢", whole(end))),
    ] {
        let at = place(side, RADIUS);
        axes::write(canvas, text, (at.0, at.1 + 16), Side::Middle, Role::Ink)?;
    }
    let top = place(0.0, RADIUS + 20.0);
    axes::write(canvas, "0", top, Side::Middle, Role::Ink)?;
    axes::write(
        canvas,
        said,
        (CENTRE.0, CENTRE.1 + 28),
        Side::Middle,
        Role::Ink,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(micro: i64) -> String {
        dial("Ghost gap", "Naive less honest.", Usd(micro)).into_string()
    }

    #[test]
    fn the_needle_stands_where_the_gap_is() {
        // Half of ten cents: an eighth of a turn to the right.
        assert_eq!(end(0.071), 0.1);
        assert_eq!(place(0.5, 100.0), (CENTRE.0 + 71, CENTRE.1 - 71));
        assert_eq!(place(-1.0, 100.0), (CENTRE.0 - 100, CENTRE.1));
        let flattered = drawn(71_000);
        assert!(flattered.contains("+7.10 ¢ a share") && flattered.contains("+10 ¢"));
        // An arc beside that of the dial, in the colour of losses.
        assert_eq!(flattered.matches("#000006").count(), 1, "{flattered}");
        let modest = drawn(-2_500);
        assert!(modest.contains("-0.25 ¢ a share") && modest.contains("-1 ¢"));
        assert_eq!(modest.matches("#000005").count(), 1);
    }

    #[test]
    fn no_gap_and_absurd_gaps_are_drawn() {
        for micro in [0, i64::MAX, i64::MIN, 1] {
            let svg = drawn(micro);
            assert!(svg.contains("<svg") && !svg.contains("NaN") && !svg.contains("inf"));
        }
        assert!(!drawn(0).contains("#000006") && !drawn(0).contains("#000005"));
    }
}
