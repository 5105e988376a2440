//! Lines over time or over any other measure: several series, bands of uncertainty, references.
//!
//! Every series stands in the legend with its last value, so that colour is never the only sign. A few
//! points are dots with words for those who hover.

use super::axes::{self, Scale, Side, Unit};
use super::{Canvas, DrawError, Role, figure_with};
use maud::{Markup, html};
use plotters::prelude::Polygon;
use plotters::style::Color as _;

/// Most points of a series that can be hovered; of more, every so many.
const HOVER_MAX: usize = 60;
const TOP: i32 = 24;
const UNDER: i32 = 36;
const RIGHT: i32 = 10;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    /// As the legend calls it.
    pub name: &'a str,
    /// What it means.
    pub role: Role,
    /// In order of x. What is no number breaks the line.
    pub points: Vec<(f64, f64)>,
    /// Whether a value holds until the next one, instead of changing evenly.
    pub steps: bool,
}

impl<'a> Line<'a> {
    /// A line that changes evenly between its points.
    #[must_use]
    pub fn new(name: &'a str, role: Role, points: Vec<(f64, f64)>) -> Self {
        Self {
            name,
            role,
            points,
            steps: false,
        }
    }
}

/// A drawing of lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines<'a> {
    /// Its name.
    pub title: &'a str,
    /// What it shows, in a sentence.
    pub describe: &'a str,
    /// Width and height.
    pub size: (u32, u32),
    /// What x and y measure.
    pub units: (Unit, Unit),
    /// The series.
    pub lines: Vec<Line<'a>>,
    /// `(x, low, high)`, drawn under the lines.
    pub band: Vec<(f64, f64, f64)>,
    /// Values of y to compare with, and what they are called.
    pub marks: Vec<(f64, &'a str)>,
}

impl<'a> Lines<'a> {
    /// Over time, of the usual size.
    #[must_use]
    pub fn over_time(title: &'a str, describe: &'a str, y: Unit) -> Self {
        Self {
            title,
            describe,
            size: super::USUAL,
            units: (Unit::Time, y),
            lines: Vec::new(),
            band: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// With one more line.
    #[must_use]
    pub fn line(mut self, line: Line<'a>) -> Self {
        self.lines.push(line);
        self
    }

    /// With one more value to compare with.
    #[must_use]
    pub fn mark(mut self, y: f64, name: &'a str) -> Self {
        self.marks.push((y, name));
        self
    }

    /// The figure; a sentence when there is no point to draw.
    #[must_use]
    pub fn draw(&self) -> Markup {
        let Some((x, y)) = self.scales() else {
            return super::nothing(self.title);
        };
        figure_with(
            self.size,
            self.title,
            self.describe,
            self.hover(&x, &y),
            |canvas| self.draw_on(canvas, &x, &y),
        )
    }

    fn scales(&self) -> Option<(Scale, Scale)> {
        let points = || self.lines.iter().flat_map(|l| l.points.iter().copied());
        let band = || self.band.iter().copied();
        let (width, height) = super::whole(self.size);
        let y = Scale::over(
            points()
                .filter(|p| p.0.is_finite())
                .map(|p| p.1)
                .chain(band().flat_map(|b| [b.1, b.2]))
                .chain(self.marks.iter().map(|m| m.0)),
            height - UNDER,
            TOP,
        )?
        .roomy();
        let left = axes::rows_width(&y, self.units.1, 5);
        // One moment is not a range: time reaches back a minute at least.
        let latest = points().map(|p| p.0).fold(f64::NEG_INFINITY, f64::max);
        let minute = matches!(self.units.0, Unit::Time).then_some(latest - 60.0);
        let x = Scale::over(
            points()
                .filter(|p| p.1.is_finite())
                .map(|p| p.0)
                .chain(band().map(|b| b.0))
                .chain(minute),
            left,
            width - RIGHT,
        )?;
        Some((x, y))
    }

    fn draw_on(&self, canvas: &Canvas<'_>, x: &Scale, y: &Scale) -> Result<(), DrawError> {
        let (width, height) = super::whole(self.size);
        let bottom = height - UNDER;
        let left = axes::rows_width(y, self.units.1, 5);
        axes::rows(canvas, y, self.units.1, (left, width - RIGHT), 5)?;
        axes::columns(canvas, x, self.units.0, bottom, 6)?;
        let finite = |b: &&(f64, f64, f64)| b.0.is_finite() && b.1.is_finite() && b.2.is_finite();
        let band: Vec<_> = self.band.iter().filter(finite).collect();
        if band.len() > 1 {
            let upper = band.iter().map(|b| (x.at(b.0), y.at(b.2)));
            let lower = band.iter().rev().map(|b| (x.at(b.0), y.at(b.1)));
            let outline: Vec<_> = upper.chain(lower).collect();
            canvas.draw(&Polygon::new(outline, Role::Band.colour().filled()))?;
        }
        for (value, name) in &self.marks {
            let at = y.at(*value);
            axes::stroke(canvas, vec![(left, at), (width - RIGHT, at)], Role::Mark, 1)?;
            axes::write(
                canvas,
                *name,
                (width - RIGHT - 4, at - 8),
                Side::End,
                Role::Mark,
            )?;
        }
        let exact = axes::exact(y, self.units.1);
        let mut legend = left;
        for line in &self.lines {
            for part in line.points.split(|p| !p.0.is_finite() || !p.1.is_finite()) {
                axes::stroke(canvas, line.places(part, x, y), line.role, 2)?;
            }
            let last = line.points.iter().rev().find(|p| p.1.is_finite());
            let text = match last {
                Some((_, value)) => {
                    format!("{} {}", line.name, axes::label(self.units.1, *value, exact))
                }
                None => format!("{} –", line.name),
            };
            axes::stroke(canvas, vec![(legend, 10), (legend + 14, 10)], line.role, 3)?;
            legend += 18;
            let wide = axes::width(&text);
            axes::write(canvas, text, (legend, 10), Side::Start, Role::Ink)?;
            legend += wide + 12;
        }
        Ok(())
    }

    fn hover(&self, x: &Scale, y: &Scale) -> Markup {
        let exact = axes::exact(y, self.units.1);
        let time = match self.units.0 {
            Unit::Time => 1.0,
            unit => axes::exact(x, unit),
        };
        html! {
            @for line in &self.lines {
                @let every = line.points.len().div_ceil(HOVER_MAX).max(1);
                @for (at, value) in line.points.iter().rev().step_by(every) {
                    @if at.is_finite() && value.is_finite() {
                        circle cx=(x.at(*at)) cy=(y.at(*value)) r="6" fill-opacity="0" {
                            title {
                                (line.name) ": " (axes::label(self.units.1, *value, exact))
                                ", " (axes::label(self.units.0, *at, time))
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Line<'_> {
    fn places(&self, part: &[(f64, f64)], x: &Scale, y: &Scale) -> Vec<(i32, i32)> {
        let mut places: Vec<(i32, i32)> = Vec::with_capacity(part.len());
        for (at, value) in part {
            let place = (x.at(*at), y.at(*value));
            if let (true, Some(before)) = (self.steps, places.last().copied())
                && before.1 != place.1
            {
                places.push((place.0, before.1));
            }
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(points: &[(f64, f64)]) -> String {
        Lines::over_time("P&L", "Of all trades.", Unit::Dollars)
            .line(Line::new("honest", Role::Honest, points.to_vec()))
            .mark(0.0, "zero")
            .draw()
            .into_string()
    }

    #[test]
    fn every_series_is_a_line_with_its_name_its_last_value_and_words_to_hover() {
        let svg = drawn(&[(1_778_680_800.0, -1.0), (1_778_684_400.0, 2.5)]);
        assert_eq!(
            svg.matches("stroke=\"#000003\" stroke-width=\"2\"").count(),
            1,
            "{svg}"
        );
        assert!(svg.contains("honest $2.50"), "{svg}");
        assert!(
            svg.contains("<title>honest: -$1.00, 14:00:00</title>"),
            "{svg}"
        );
        assert!(
            svg.contains("2026-05-13 UTC") && svg.contains("zero"),
            "{svg}"
        );
    }

    #[test]
    fn few_points_huge_ranges_and_no_numbers_are_drawn_sensibly() {
        for points in [
            vec![(5.0, 1.0)],
            vec![(5.0, 0.0), (5.0, 0.0)],
            vec![(0.0, -1e12), (1.0, 1e12)],
            vec![
                (0.0, f64::NAN),
                (1.0, 2.0),
                (2.0, f64::INFINITY),
                (3.0, 4.0),
            ],
        ] {
            let svg = drawn(&points);
            assert!(
                svg.contains("<svg") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
        }
        // One point is a dot, a hole breaks the line into two.
        assert!(drawn(&[(5.0, 1.0)]).contains("r=\"3\""));
        assert_eq!(
            drawn(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 2.0)])
                .matches("r=\"3\"")
                .count(),
            2
        );
        let none = Lines::over_time("P&L", "", Unit::Dollars)
            .draw()
            .into_string();
        assert_eq!(none, "<p class=\"empty\">P&amp;L: nothing to draw yet.</p>");
    }

    #[test]
    fn a_value_that_holds_is_drawn_with_corners() {
        let line = Line {
            steps: true,
            ..Line::new("a", Role::Gain, vec![(0.0, 0.0), (10.0, 10.0)])
        };
        let x = Scale::over([0.0, 10.0], 0, 100).unwrap();
        let y = Scale::over([0.0, 10.0], 100, 0).unwrap();
        let places = line.places(&line.points, &x, &y);
        assert_eq!(places, [(0, 100), (100, 100), (100, 0)]);
    }

    #[test]
    fn many_points_are_hovered_now_and_then() {
        let points: Vec<(f64, f64)> = (0..500).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        let svg = drawn(&points);
        assert!(
            svg.matches("<circle").count() <= HOVER_MAX,
            "{}",
            svg.matches("<circle").count()
        );
        assert!(svg.len() < 20_000, "{}", svg.len());
    }
}
