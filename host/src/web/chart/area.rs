//! An amount over time with how far it stands below its highest: equity above, drawdown beneath.

use super::axes::{self, Scale, Side, Unit};
use super::{Canvas, DrawError, Role, figure_with};
use maud::{Markup, html};
use plotters::prelude::Polygon;
use plotters::style::Color as _;

const SIZE: (u32, u32) = (520, 290);
const TOP: i32 = 24;
/// Where the upper plot ends and the lower one begins and ends.
const SPLIT: (i32, i32) = (170, 196);
const BOTTOM: i32 = 254;
const RIGHT: i32 = 10;
/// Most points that can be hovered.
const HOVER_MAX: usize = 60;

/// One instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Seconds since 1970, UTC.
    pub at: f64,
    /// Dollars.
    pub value: f64,
    /// The most it ever was.
    pub high: f64,
}

impl Point {
    /// How far below its highest, in parts of a hundred; zero when nothing can be said.
    #[must_use]
    pub fn drawdown(&self) -> f64 {
        let down = (self.high - self.value) / self.high * 100.0;
        if self.high > 0.0 && down.is_finite() {
            down.max(0.0)
        } else {
            0.0
        }
    }

    fn is_finite(&self) -> bool {
        self.at.is_finite() && self.value.is_finite() && self.high.is_finite()
    }
}

/// The figure; a sentence when there is no point.
#[must_use]
pub fn area(title: &str, describe: &str, points: &[Point]) -> Markup {
    let points: Vec<Point> = points.iter().copied().filter(Point::is_finite).collect();
    let Some(plot) = Plot::of(&points) else {
        return super::nothing(title);
    };
    figure_with(SIZE, title, describe, plot.hover(), |canvas| {
        plot.draw(canvas)
    })
}

struct Plot<'a> {
    points: &'a [Point],
    x: Scale,
    y: Scale,
    down: Scale,
    left: i32,
}

impl<'a> Plot<'a> {
    fn of(points: &'a [Point]) -> Option<Self> {
        let values = points.iter().flat_map(|p| [p.value, p.high]);
        let y = Scale::over(values, SPLIT.0, TOP)?.roomy();
        let deepest = points.iter().map(Point::drawdown).fold(1.0, f64::max);
        let down = Scale::over([0.0, deepest], SPLIT.1, BOTTOM)?;
        let left =
            axes::rows_width(&y, Unit::Dollars, 5).max(axes::rows_width(&down, Unit::Percent, 3));
        let (width, _) = super::whole(SIZE);
        let x = Scale::over(points.iter().map(|p| p.at), left, width - RIGHT)?;
        Some(Self {
            points,
            x,
            y,
            down,
            left,
        })
    }

    fn draw(&self, canvas: &Canvas<'_>) -> Result<(), DrawError> {
        let (width, _) = super::whole(SIZE);
        let across = (self.left, width - RIGHT);
        axes::rows(canvas, &self.y, Unit::Dollars, across, 5)?;
        axes::rows(canvas, &self.down, Unit::Percent, across, 3)?;
        axes::columns(canvas, &self.x, Unit::Time, BOTTOM, 6)?;
        self.beneath(canvas, &self.down, SPLIT.1, Role::Loss, Point::drawdown)?;
        let high = self.places(&self.y, |p| p.high);
        axes::stroke(canvas, high, Role::Mark, 1)?;
        let value = self.places(&self.y, |p| p.value);
        axes::stroke(canvas, value, Role::Honest, 2)?;
        self.legend(canvas)
    }

    fn legend(&self, canvas: &Canvas<'_>) -> Result<(), DrawError> {
        let Some(last) = self.points.last() else {
            return Ok(());
        };
        let exact = axes::exact(&self.y, Unit::Dollars);
        let mut at = self.left;
        for (role, text) in [
            (
                Role::Honest,
                format!("equity {}", axes::label(Unit::Dollars, last.value, exact)),
            ),
            (
                Role::Mark,
                format!("highest {}", axes::label(Unit::Dollars, last.high, exact)),
            ),
        ] {
            axes::stroke(canvas, vec![(at, 10), (at + 14, 10)], role, 3)?;
            let wide = axes::width(&text);
            axes::write(canvas, text, (at + 18, 10), Side::Start, Role::Ink)?;
            at += 18 + wide + 12;
        }
        let down = axes::label(Unit::Percent, last.drawdown(), 0.01);
        let text = format!("drawdown {down}");
        axes::write(
            canvas,
            text,
            (self.left, SPLIT.1 - 11),
            Side::Start,
            Role::Ink,
        )
    }

    fn places(&self, y: &Scale, of: impl Fn(&Point) -> f64) -> Vec<(i32, i32)> {
        let mut places: Vec<_> = self
            .points
            .iter()
            .map(|p| (self.x.at(p.at), y.at(of(p))))
            .collect();
        places.dedup();
        places
    }

    /// The area between a line and `from`.
    fn beneath(
        &self,
        canvas: &Canvas<'_>,
        y: &Scale,
        from: i32,
        role: Role,
        of: impl Fn(&Point) -> f64,
    ) -> Result<(), DrawError> {
        let mut outline = self.places(y, of);
        let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) else {
            return Ok(());
        };
        if first.0 == last.0 {
            return axes::stroke(canvas, vec![(first.0, from), last], role, 2);
        }
        outline.push((last.0, from));
        outline.push((first.0, from));
        canvas.draw(&Polygon::new(outline, role.colour().filled()))?;
        Ok(())
    }

    fn hover(&self) -> Markup {
        let every = self.points.len().div_ceil(HOVER_MAX).max(1);
        let exact = axes::exact(&self.y, Unit::Dollars);
        html! {
            @for p in self.points.iter().rev().step_by(every) {
                circle cx=(self.x.at(p.at)) cy=(self.y.at(p.value)) r="6" fill-opacity="0" {
                    title {
                        (axes::label(Unit::Dollars, p.value, exact))
                        ", " (axes::label(Unit::Percent, p.drawdown(), 0.01)) " below its highest, "
                        (axes::label(Unit::Time, p.at, 28.0 * 86_400.0)) " "
                        (axes::label(Unit::Time, p.at, 60.0)) " UTC"
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: f64, value: f64, high: f64) -> Point {
        Point { at, value, high }
    }

    fn drawn(points: &[Point]) -> String {
        area("Equity", "Marked at bids.", points).into_string()
    }

    #[test]
    fn equity_is_a_line_and_drawdown_an_area_below() {
        let svg = drawn(&[
            point(1_778_680_800.0, 1000.0, 1000.0),
            point(1_778_680_860.0, 900.0, 1000.0),
            point(1_778_680_920.0, 1100.0, 1100.0),
        ]);
        assert_eq!(svg.matches("<polygon").count(), 1, "{svg}");
        assert!(svg.contains("equity $1100.00") && svg.contains("highest $1100.00"));
        assert!(svg.contains("drawdown 0.00 %"), "{svg}");
        assert!(
            svg.contains("$900.00, 10.00 % below its highest, 2026-05-13 14:01 UTC"),
            "{svg}"
        );
    }

    #[test]
    fn whatever_is_given_is_drawn_without_a_number_that_is_none() {
        for points in [
            vec![point(0.0, 0.0, 0.0)],
            vec![point(0.0, -5.0, 0.0), point(1.0, -6.0, 0.0)],
            vec![point(0.0, 7.0, 7.0), point(1.0, 7.0, 7.0)],
            vec![point(0.0, -1e12, 1e12), point(f64::NAN, 1.0, 1.0)],
        ] {
            let svg = drawn(&points);
            assert!(svg.contains("<svg") && !svg.contains("NaN") && !svg.contains("inf"));
        }
        assert!(drawn(&[]).contains("nothing to draw yet"));
        assert!(drawn(&[point(f64::NAN, 1.0, 1.0)]).contains("nothing to draw yet"));
    }
}
