//! What was said against what came true: circles about a diagonal, with the intervals they allow.
//!
//! A circle's area grows with the square root of the samples in it, so that a bin of many does not hide its
//! neighbours. Every predictor stands in the legend and has its own place beside the middle of a bin, so
//! that colour is not the only sign.

use super::axes::{self, Scale, Side, Unit};
use super::{Canvas, DrawError, Role, figure_with};
use maud::{Markup, html};
use plotters::prelude::Circle;
use plotters::style::{Color as _, ShapeStyle};

/// Square: both axes are probabilities.
const SIZE: (u32, u32) = (460, 460);
const LEFT: i32 = 40;
const RIGHT: i32 = 12;
const TOP: i32 = 26;
const UNDER: i32 = 40;
/// Radius of a circle for a single sample.
const RADIUS: f64 = 2.6;
const RADIUS_MAX: f64 = 18.0;

/// One predictor.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve<'a> {
    /// As the legend calls it.
    pub name: &'a str,
    /// What it means.
    pub role: Role,
    /// Its bins.
    pub points: Vec<Point>,
}

/// One bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Mean of what was said.
    pub predicted: f64,
    /// Share that came true.
    pub observed: f64,
    /// Where the true share lies.
    pub interval: Option<(f64, f64)>,
    /// Samples.
    pub n: u64,
}

/// The figure; a sentence when there is no point to draw.
#[must_use]
pub fn draw(title: &str, describe: &str, curves: &[Curve<'_>]) -> Markup {
    if curves.iter().all(|curve| curve.points.is_empty()) {
        return super::nothing(title);
    }
    let (width, height) = super::whole(SIZE);
    let unit = |from, to| Scale::over([0.0, 1.0], from, to);
    let (Some(x), Some(y)) = (unit(LEFT, width - RIGHT), unit(height - UNDER, TOP)) else {
        return super::nothing(title);
    };
    let hover = html! {
        @for curve in curves { @for point in &curve.points {
            circle cx=(x.at(point.predicted)) cy=(y.at(point.observed)) r="9" fill-opacity="0" {
                title {
                    (curve.name) ": said " (format!("{:.3}", point.predicted)) ", came true " (format!("{:.3}", point.observed))
                    ", " (point.n) " samples"
                }
            }
        } }
    };
    figure_with(SIZE, title, describe, hover, |canvas| {
        draw_on(canvas, &x, &y, curves)
    })
}

fn draw_on(
    canvas: &Canvas<'_>,
    x: &Scale,
    y: &Scale,
    curves: &[Curve<'_>],
) -> Result<(), DrawError> {
    let (width, height) = super::whole(SIZE);
    axes::rows(canvas, y, Unit::Plain, (LEFT, width - RIGHT), 5)?;
    axes::columns(canvas, x, Unit::Plain, height - UNDER, 5)?;
    let middle = ((LEFT + width - RIGHT) / 2, height - 8);
    axes::write(canvas, "said", middle, Side::Middle, Role::Ink)?;
    let ends = vec![(x.at(0.0), y.at(0.0)), (x.at(1.0), y.at(1.0))];
    axes::stroke(canvas, ends, Role::Mark, 1)?;
    let mut legend = LEFT;
    for curve in curves {
        let colour = curve.role.colour();
        for point in &curve.points {
            let at = x.at(point.predicted);
            if let Some((low, high)) = point.interval {
                let line = vec![(at, y.at(low)), (at, y.at(high))];
                axes::stroke(canvas, line, curve.role, 1)?;
            }
            let radius = (RADIUS * (point.n as f64).powf(0.25))
                .min(RADIUS_MAX)
                .round() as i32;
            let style = ShapeStyle {
                filled: false,
                ..colour.stroke_width(2)
            };
            canvas.draw(&Circle::new((at, y.at(point.observed)), radius, style))?;
        }
        let path: Vec<_> = curve
            .points
            .iter()
            .map(|p| (x.at(p.predicted), y.at(p.observed)))
            .collect();
        if path.len() > 1 {
            axes::stroke(canvas, path, curve.role, 1)?;
        }
        axes::stroke(canvas, vec![(legend, 10), (legend + 14, 10)], curve.role, 3)?;
        legend += 18;
        axes::write(canvas, curve.name, (legend, 10), Side::Start, Role::Ink)?;
        legend += axes::width(curve.name) + 16;
    }
    axes::write(
        canvas,
        "came true",
        (width - RIGHT, 10),
        Side::End,
        Role::Ink,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bin_is_a_circle_with_its_interval_and_words() {
        let point = |n| Point {
            predicted: 0.25,
            observed: 0.5,
            interval: Some((0.3, 0.7)),
            n,
        };
        let curve = |points| Curve {
            name: "model",
            role: Role::Honest,
            points,
        };
        let svg = draw(
            "Reliability",
            "Said and true.",
            &[curve(vec![point(1), point(16)])],
        );
        let svg = svg.into_string();
        // A sixteenfold bin has twice the radius: four times the area.
        assert!(svg.contains("r=\"3\"") && svg.contains("r=\"5\""), "{svg}");
        assert!(
            svg.contains("said 0.250, came true 0.500, 16 samples"),
            "{svg}"
        );
        let none = draw("Reliability", "", &[curve(Vec::new())]).into_string();
        assert!(none.contains("nothing to draw yet"), "{none}");
    }
}
