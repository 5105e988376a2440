//! Charts as SVG, drawn by the host with `plotters`: a page needs no script to show one.
//!
//! Owns the canvas, the palette and what makes a drawing readable for those who do not see it. Colours are
//! roles: a drawing names [`Role`]s, `assets/app.css` says what they look like in light and dark, so that
//! one drawing serves both. Each kind of chart is a file of its own beside this one.

/// Equity with its drawdown.
pub mod area;
/// Scales, ticks and labels.
pub mod axes;
/// Bars beside their names.
pub mod bars;
/// How much naive paper trading flatters.
pub mod dial;
/// Lines over time.
pub mod lines;
/// What was said against what came true.
pub mod reliability;
/// A line as small as a word.
pub mod spark;
/// From one amount to another by its parts.
pub mod waterfall;

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea as _, RGBColor, SVGBackend};
use std::error::Error;

/// What is drawn on.
pub type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Why a drawing could not be made; shown in its place.
pub type DrawError = Box<dyn Error>;

/// Width and height of a figure in a column of a page. Narrow, so that its letters can be read on a phone.
pub const USUAL: (u32, u32) = (520, 220);

/// What a mark means. Its number becomes a colour in the stylesheet: `[stroke="#000001"]` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Axes and text.
    Ink = 1,
    /// Grid lines.
    Grid = 2,
    /// What is so: honest numbers, the model.
    Honest = 3,
    /// What others would claim: naive numbers, the market.
    Naive = 4,
    /// Gains.
    Gain = 5,
    /// Losses, drawdown, refusals.
    Loss = 6,
    /// An interval of uncertainty.
    Band = 7,
    /// A reference to compare with: a diagonal, a limit, zero.
    Mark = 8,
}

impl Role {
    /// The stand-in that the stylesheet replaces.
    #[must_use]
    pub const fn colour(self) -> RGBColor {
        RGBColor(0, 0, self as u8)
    }
}

/// Draws a figure. `title` names it, `describe` says in a sentence what it shows: both are read aloud.
/// A drawing that fails is a sentence that says so, never an empty picture.
pub fn figure(
    size: (u32, u32),
    title: &str,
    describe: &str,
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), DrawError>,
) -> Markup {
    figure_with(size, title, describe, Markup::default(), draw)
}

/// The same with `over` on top of the drawing: invisible shapes with a `title` each, for those who hover.
pub fn figure_with(
    size: (u32, u32),
    title: &str,
    describe: &str,
    over: Markup,
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), DrawError>,
) -> Markup {
    match drawn(size, draw) {
        Ok(inner) => html! {
            figure.chart {
                (picture(size, None, &format!("{title}. {describe}"), &inner, over))
                figcaption { (describe) }
            }
        },
        Err(why) => html! { p.note { (title) " cannot be drawn: " (why) } },
    }
}

/// A drawing within a line of text or a cell of a table.
pub fn svg(
    size: (u32, u32),
    label: &str,
    over: Markup,
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), DrawError>,
) -> Markup {
    match drawn(size, draw) {
        Ok(inner) => picture(size, Some(size), label, &inner, over),
        Err(why) => html! { span.note { (label) " cannot be drawn: " (why) } },
    }
}

/// In the place of a chart without a single point.
#[must_use]
pub fn nothing(title: &str) -> Markup {
    html! { p.empty { (title) ": nothing to draw yet." } }
}

fn drawn(
    size: (u32, u32),
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&canvas)?;
        canvas.present()?;
    }
    Ok(body(&svg).to_owned())
}

/// As large as `fixed`, or as there is room. No `title` of its own: browsers would show it over every
/// point that is hovered.
fn picture(
    (width, height): (u32, u32),
    fixed: Option<(u32, u32)>,
    label: &str,
    inner: &str,
    over: Markup,
) -> Markup {
    html! {
        svg.chart[fixed.is_some()] role="img" aria-label=(label) viewBox={ "0 0 " (width) " " (height) }
            width=[fixed.map(|f| f.0)] height=[fixed.map(|f| f.1)] xmlns="http://www.w3.org/2000/svg" {
            (PreEscaped(inner))
            (over)
        }
    }
}

/// A size as places are counted.
fn whole((width, height): (u32, u32)) -> (i32, i32) {
    let side = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    (side(width), side(height))
}

/// What stands between the outermost tags: the frame is ours, scalable and named.
fn body(svg: &str) -> &str {
    let inner = svg.find("<svg").and_then(|at| {
        let rest = svg.get(at..)?;
        rest.get(rest.find('>')? + 1..)
    });
    let inner = inner.unwrap_or_default();
    inner
        .rfind("</svg>")
        .and_then(|end| inner.get(..end))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::prelude::{ChartBuilder, LineSeries};

    #[test]
    fn a_drawing_scales_names_itself_and_has_no_colours_of_its_own() {
        let drawn = figure((300, 100), "Equity <b>", "Up & down.", |canvas| {
            let mut chart = ChartBuilder::on(canvas).build_cartesian_2d(0.0..2.0, 0.0..1.0)?;
            let points = [(0.0, 0.0), (1.0, 1.0), (2.0, 0.5)];
            chart.draw_series(LineSeries::new(points, Role::Honest.colour()))?;
            Ok(())
        })
        .into_string();
        assert!(drawn.contains("viewBox=\"0 0 300 100\"") && !drawn.contains("width=\"300\""));
        let label = "aria-label=\"Equity &lt;b&gt;. Up &amp; down.\"";
        assert!(drawn.contains(label), "{drawn}");
        assert!(drawn.contains("stroke=\"#000003\""), "{drawn}");
        assert!(
            !drawn.contains("style="),
            "a strict policy refuses inline styles: {drawn}"
        );
    }

    #[test]
    fn a_drawing_that_fails_says_so() {
        let drawn = figure((10, 10), "Curve", "", |_| Err("no points".into())).into_string();
        assert_eq!(
            drawn,
            "<p class=\"note\">Curve cannot be drawn: no points</p>"
        );
    }
}
