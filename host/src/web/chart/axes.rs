//! From values to places on the canvas, and the labels beside them.
//!
//! Owns scales, where ticks stand, and how a value of each unit is written. Whatever is given, a scale has
//! a finite, non-empty range: equal values get room around them, what is no number is left out by those
//! who ask.

use super::{Canvas, DrawError, Role};
use plotters::prelude::{IntoFont as _, PathElement, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, ShapeStyle};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::Usd;

/// Font size of labels, in the figure's own units.
pub const FONT: i32 = 12;
/// Room a letter takes, about: labels are placed without measuring fonts.
const LETTER: f64 = 7.4;
/// Beyond this a value is drawn at the edge: no amount of money is larger.
const FARTHEST: f64 = 1e15;
/// `plotters` writes sizes that much smaller than they are asked for.
const ASKED: f64 = 1.24;

/// What an axis measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// US dollars.
    Dollars,
    /// Parts of a hundred, given as such: 12.5 is 12.5 %.
    Percent,
    /// How many.
    Count,
    /// Thousandths of a second.
    Millis,
    /// Instants, in seconds since 1970, UTC.
    Time,
    /// A number without a unit, such as a probability.
    Plain,
}

/// An amount as a coordinate. For drawing only.
#[must_use]
pub fn dollars(amount: Usd) -> f64 {
    amount.0 as f64 / 1e6
}

/// An instant as a coordinate. For drawing only.
#[must_use]
pub fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1e9
}

/// Values from `low` to `high` lie between two places of the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    from: i32,
    to: i32,
}

impl Scale {
    /// Over all `values` that are numbers; `None` when none is.
    #[must_use]
    pub fn over(values: impl IntoIterator<Item = f64>, from: i32, to: i32) -> Option<Self> {
        let ends = values
            .into_iter()
            .filter(|v| v.is_finite())
            .map(|v| v.clamp(-FARTHEST, FARTHEST))
            .fold(None, |ends: Option<(f64, f64)>, v| {
                Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
            });
        let (mut low, mut high) = ends?;
        // Equal values, or so nearly equal that a division would lose them.
        if high - low <= high.abs().max(low.abs()) * 1e-9 {
            let room = (high.abs() * 0.01).max(0.5);
            (low, high) = (low - room, high + room);
        }
        Some(Self {
            low,
            high,
            from,
            to,
        })
    }

    /// With a little room beyond both ends, so that no line lies on the frame.
    #[must_use]
    pub fn roomy(self) -> Self {
        let room = (self.high - self.low) * 0.06;
        Self {
            low: self.low - room,
            high: self.high + room,
            ..self
        }
    }

    /// The place of a value; values outside lie at the nearer end.
    #[must_use]
    pub fn at(&self, value: f64) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        let place = f64::from(self.from) + share * f64::from(self.to - self.from);
        if place.is_finite() {
            place.round() as i32
        } else {
            self.from
        }
    }

    /// Values at round distances within the range, at most about `most`, and their distance.
    #[must_use]
    pub fn ticks(&self, unit: Unit, most: usize) -> (Vec<f64>, f64) {
        let least = (self.high - self.low) / most.max(1) as f64;
        let step = match unit {
            Unit::Time => time_step(least),
            Unit::Count => round_step(least).max(1.0),
            _ => round_step(least),
        };
        let first = (self.low / step).ceil();
        let ticks = (0..=2 * most.max(1))
            .map(|n| (first + n as f64) * step)
            .take_while(|v| *v <= self.high + step * 1e-9)
            .collect();
        (ticks, step)
    }

    /// Whether a value lies within.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }

    fn span(&self) -> f64 {
        self.high - self.low
    }
}

/// One, two or five times a power of ten, not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= least)
        .unwrap_or(power * 10.0)
}

/// A distance that clocks and calendars know, not below `least` seconds.
fn time_step(least: f64) -> f64 {
    const DAY: f64 = 86_400.0;
    const STEPS: [f64; 20] = [
        1.0,
        2.0,
        5.0,
        10.0,
        30.0,
        60.0,
        120.0,
        300.0,
        600.0,
        1_800.0,
        3_600.0,
        7_200.0,
        10_800.0,
        21_600.0,
        43_200.0,
        DAY,
        2.0 * DAY,
        7.0 * DAY,
        14.0 * DAY,
        28.0 * DAY,
    ];
    let known = STEPS.into_iter().find(|step| *step >= least);
    known.unwrap_or_else(|| round_step(least / DAY) * DAY)
}

/// A value as a label. `step` says how far apart labels are, and by that how exact they must be.
#[must_use]
pub fn label(unit: Unit, value: f64, step: f64) -> String {
    // Minus zero is zero.
    let value = if value.abs() < step.abs() * 1e-6 {
        0.0
    } else {
        value
    };
    match unit {
        Unit::Time => time(value, step),
        Unit::Percent => format!("{} %", decimal(value, step)),
        Unit::Millis => format!("{} ms", short(value, step)),
        Unit::Count => short(value, step),
        Unit::Plain => decimal(value, step),
        Unit::Dollars => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}${}", short(value.abs(), step))
        }
    }
}

/// Thousands and millions by letter, where that takes no more than two digits after the point.
fn short(value: f64, step: f64) -> String {
    const LETTERS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let fits = |(by, _): &(f64, &str)| value.abs() >= by.max(1e4) && step >= by / 100.0;
    let (by, letter) = LETTERS.into_iter().find(fits).unwrap_or((1.0, ""));
    format!("{}{letter}", decimal(value / by, step / by))
}

fn decimal(value: f64, step: f64) -> String {
    const DIGITS_MAX: f64 = 6.0;
    let digits = (-step.abs().max(1e-9).log10() - 1e-9)
        .ceil()
        .clamp(0.0, DIGITS_MAX) as usize;
    format!("{value:.digits$}")
}

fn time(value: f64, step: f64) -> String {
    let format = match step {
        s if s < 60.0 => "%H:%M:%S",
        s if s < 86_400.0 => "%H:%M",
        s if s < 86_400.0 * 28.0 => "%m-%d",
        _ => "%Y-%m-%d",
    };
    match jiff::Timestamp::from_second(value.round() as i64) {
        Ok(at) => at.strftime(format).to_string(),
        Err(_) => String::new(),
    }
}

/// Where a text stands to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// Writes a text, its middle at that height.
pub fn write(
    canvas: &Canvas<'_>,
    text: impl Into<String>,
    place: (i32, i32),
    side: Side,
    role: Role,
) -> Result<(), DrawError> {
    let anchor = match side {
        Side::Start => HPos::Left,
        Side::Middle => HPos::Center,
        Side::End => HPos::Right,
    };
    let style = ("sans-serif", f64::from(FONT) * ASKED)
        .into_font()
        .color(&role.colour())
        .pos(Pos::new(anchor, VPos::Center));
    canvas.draw(&Text::new(text.into(), place, style))?;
    Ok(())
}

/// About how wide a text is.
#[must_use]
pub fn width(text: &str) -> i32 {
    (text.chars().count() as f64 * LETTER).ceil() as i32
}

/// A line through places of the canvas; a single place becomes a dot.
pub fn stroke(
    canvas: &Canvas<'_>,
    places: Vec<(i32, i32)>,
    role: Role,
    width: u32,
) -> Result<(), DrawError> {
    if let [only] = places.as_slice() {
        let dot = plotters::prelude::Circle::new(*only, 3, role.colour().filled());
        canvas.draw(&dot)?;
    } else if !places.is_empty() {
        let style = ShapeStyle::from(&role.colour()).stroke_width(width);
        canvas.draw(&PathElement::new(places, style))?;
    }
    Ok(())
}

/// Grid lines with their labels left of the plot; returns nothing, draws `unit` at every tick.
pub fn rows(
    canvas: &Canvas<'_>,
    y: &Scale,
    unit: Unit,
    (left, right): (i32, i32),
    most: usize,
) -> Result<(), DrawError> {
    let (ticks, step) = y.ticks(unit, most);
    for tick in ticks {
        let at = y.at(tick);
        stroke(canvas, vec![(left, at), (right, at)], Role::Grid, 1)?;
        write(
            canvas,
            label(unit, tick, step),
            (left - 6, at),
            Side::End,
            Role::Ink,
        )?;
    }
    Ok(())
}

/// Room that the labels of [`rows`] need.
#[must_use]
pub fn rows_width(y: &Scale, unit: Unit, most: usize) -> i32 {
    let (ticks, step) = y.ticks(unit, most);
    let widest = ticks.iter().map(|t| width(&label(unit, *t, step))).max();
    widest.unwrap_or_default() + 8
}

/// Ticks under the plot. Times say which zone, and which day when the labels do not.
pub fn columns(
    canvas: &Canvas<'_>,
    x: &Scale,
    unit: Unit,
    bottom: i32,
    most: usize,
) -> Result<(), DrawError> {
    let (ticks, step) = x.ticks(unit, most);
    for tick in &ticks {
        let at = x.at(*tick);
        stroke(canvas, vec![(at, bottom), (at, bottom + 4)], Role::Ink, 1)?;
        let text = label(unit, *tick, step);
        // The last label stays within the figure.
        let at = at.min(x.to + 8 - width(&text) / 2);
        write(canvas, text, (at, bottom + 12), Side::Middle, Role::Ink)?;
    }
    if unit == Unit::Time {
        let said = if step < 86_400.0 {
            let (from, to) = (time(x.low, 86_400.0), time(x.high, 86_400.0));
            if from == to {
                format!("{} UTC", time(x.low, 86_400.0 * 28.0))
            } else {
                format!("{from} to {to} UTC")
            }
        } else {
            "UTC".to_owned()
        };
        write(canvas, said, (x.to, bottom + 27), Side::End, Role::Ink)?;
    }
    Ok(())
}

/// A step that tells two values of this scale apart, for single labels such as the last value.
#[must_use]
pub fn exact(y: &Scale, unit: Unit) -> f64 {
    let fine = round_step(y.span() / 1_000.0);
    match unit {
        Unit::Dollars if y.span() < 0.1 => 0.000_1,
        Unit::Dollars => 0.01,
        Unit::Count => 1.0,
        _ => fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_places_and_few_ticks() {
        let ranges: [&[f64]; 8] = [
            &[0.0],
            &[-3.0],
            &[5.0, 5.0],
            &[1e-9, 2e-9],
            &[-1e300, 1e300],
            &[f64::NAN, 1.0, f64::INFINITY, 2.0],
            &[9_999.999_999, 10_000.0],
            &[-0.000_001, 1e12],
        ];
        for values in ranges {
            let y = Scale::over(values.iter().copied(), 200, 0).unwrap().roomy();
            for unit in [
                Unit::Dollars,
                Unit::Percent,
                Unit::Count,
                Unit::Millis,
                Unit::Plain,
            ] {
                let (ticks, step) = y.ticks(unit, 5);
                assert!(ticks.len() <= 11, "{values:?}: {ticks:?}");
                for tick in ticks {
                    assert!((0..=200).contains(&y.at(tick)), "{values:?}");
                    let label = label(unit, tick, step);
                    assert!(!label.contains("NaN") && !label.contains("inf"), "{label}");
                }
            }
            assert!((0..=200).contains(&y.at(f64::NAN)));
        }
        assert_eq!(Scale::over([], 0, 1), None);
        assert_eq!(Scale::over([f64::NAN], 0, 1), None);
    }

    #[test]
    fn labels_say_their_unit_and_no_more_digits_than_the_steps_need() {
        assert_eq!(label(Unit::Dollars, -1_250.0, 250.0), "-$1250");
        assert_eq!(label(Unit::Dollars, 12_500.0, 500.0), "$12.5k");
        assert_eq!(label(Unit::Dollars, 10_008.67, 0.01), "$10008.67");
        assert_eq!(label(Unit::Dollars, 0.05, 0.01), "$0.05");
        assert_eq!(label(Unit::Dollars, -0.000_000_01, 0.5), "$0.0");
        assert_eq!(label(Unit::Percent, 12.5, 0.5), "12.5 %");
        assert_eq!(label(Unit::Count, 3e6, 1e6), "3M");
        assert_eq!(label(Unit::Millis, 250.0, 50.0), "250 ms");
        assert_eq!(label(Unit::Time, 1_778_680_800.0, 600.0), "14:00");
        assert_eq!(label(Unit::Time, 1_778_680_800.0, 86_400.0), "05-13");
        assert_eq!(label(Unit::Time, 1_778_680_800.0, 1.0), "14:00:00");
        assert_eq!(label(Unit::Time, f64::MAX, 1.0), "");
    }

    #[test]
    fn ticks_of_time_stand_at_round_times() {
        let hour = Scale::over([1_778_680_801.0, 1_778_684_399.0], 0, 500).unwrap();
        let (ticks, step) = hour.ticks(Unit::Time, 6);
        let labels: Vec<String> = ticks.iter().map(|t| label(Unit::Time, *t, step)).collect();
        assert_eq!(labels, ["14:10", "14:20", "14:30", "14:40", "14:50"]);
    }
}
