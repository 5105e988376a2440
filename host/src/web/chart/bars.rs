//! Bars beside their names: amounts of a few things to compare.
//!
//! Bars below zero go left. Every bar has its value as text; a bar may be measured against a whole.

use super::axes::{self, FONT, Scale, Side};
use super::{Canvas, DrawError, Role, figure_with};
use maud::{Markup, html};
use plotters::prelude::Rectangle;
use plotters::style::Color as _;

/// Height of a row.
const ROW: i32 = 24;
/// The same, for counting up.
const ROW_STEP: usize = 24;
/// Most letters of a name; the middle of longer ones is left out, the whole is there to hover.
const NAME_MAX: usize = 24;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// How long it is; what is no number is no bar.
    pub value: f64,
    /// Its value as read.
    pub text: String,
    /// What it means.
    pub role: Role,
}

/// A drawing of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars<'a> {
    /// Its name.
    pub title: &'a str,
    /// What it shows, in a sentence.
    pub describe: &'a str,
    /// The bars, from the top.
    pub bars: Vec<Bar>,
    /// What a bar of full length is worth; the longest one when `None`.
    pub full: Option<f64>,
}

impl Bars<'_> {
    /// The figure; a sentence when there is no bar.
    #[must_use]
    pub fn draw(&self) -> Markup {
        if self.bars.is_empty() {
            return super::nothing(self.title);
        }
        let rows = i32::try_from(self.bars.len()).unwrap_or(i32::MAX / ROW);
        let size = (super::USUAL.0, (rows * ROW + 8).unsigned_abs());
        let hover = html! {
            @for (bar, top) in self.bars.iter().zip((4..).step_by(ROW_STEP)) {
                rect x="0" y=(top) width=(size.0) height=(ROW) fill-opacity="0" {
                    title { (bar.name) ": " (bar.text) }
                }
            }
        };
        figure_with(size, self.title, self.describe, hover, |canvas| {
            self.draw_on(canvas)
        })
    }

    fn draw_on(&self, canvas: &Canvas<'_>) -> Result<(), DrawError> {
        let names: Vec<String> = self
            .bars
            .iter()
            .map(|b| crate::report::cut_middle(&b.name, NAME_MAX))
            .collect();
        let widest = |texts: &mut dyn Iterator<Item = &str>| {
            texts.map(axes::width).max().unwrap_or_default()
        };
        let left = widest(&mut names.iter().map(String::as_str)) + 10;
        let values = widest(&mut self.bars.iter().map(|b| b.text.as_str())) + 10;
        let (width, _) = super::whole(super::USUAL);
        // However long the words are, a third of the width is for the bars.
        let right = (width - values).max(left + width / 3).min(width);
        let all = self.bars.iter().map(|b| b.value);
        let Some(x) = Scale::over(all.chain([0.0]).chain(self.full), left, right) else {
            return Ok(());
        };
        let zero = x.at(0.0);
        for ((bar, name), top) in self.bars.iter().zip(names).zip((4..).step_by(ROW_STEP)) {
            let middle = top + ROW / 2;
            axes::write(canvas, name, (left - 8, middle), Side::End, Role::Ink)?;
            if bar.value.is_finite() {
                let end = x.at(bar.value);
                let corners = [
                    (zero.min(end), middle - FONT / 2),
                    (zero.max(end).max(zero.min(end) + 1), middle + FONT / 2),
                ];
                canvas.draw(&Rectangle::new(corners, bar.role.colour().filled()))?;
            }
            axes::write(
                canvas,
                bar.text.as_str(),
                (right + 6, middle),
                Side::Start,
                Role::Ink,
            )?;
        }
        axes::stroke(
            canvas,
            vec![(zero, 2), (zero, self.bottom())],
            Role::Mark,
            1,
        )
    }

    fn bottom(&self) -> i32 {
        i32::try_from(self.bars.len()).unwrap_or_default() * ROW + 6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, value: f64) -> Bar {
        Bar {
            name: name.into(),
            value,
            text: format!("{value}"),
            role: Role::Honest,
        }
    }

    fn drawn(bars: Vec<Bar>, full: Option<f64>) -> String {
        Bars {
            title: "Capital",
            describe: "By strategy.",
            bars,
            full,
        }
        .draw()
        .into_string()
    }

    fn bars_of(svg: &str) -> Vec<(i32, i32)> {
        let attr = |tag: &str, name: &str| -> i32 {
            let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        svg.split("<rect")
            .filter(|tag| tag.contains("fill=\"#000003\""))
            .map(|tag| (attr(tag, "x"), attr(tag, "width")))
            .collect()
    }

    #[test]
    fn bars_are_as_long_as_their_values_and_go_left_below_zero() {
        let svg = drawn(
            vec![bar("a", 10.0), bar("b", 5.0), bar("c", -5.0), bar("d", 0.0)],
            None,
        );
        let [a, b, c, d] = bars_of(&svg).try_into().unwrap();
        assert_eq!((a.0, b.0), (d.0, d.0), "{svg}");
        assert!(
            (a.1 - 2 * b.1).abs() <= 2 && (c.0 + c.1 - a.0).abs() <= 1,
            "{svg}"
        );
        assert_eq!(d.1, 1, "nothing is a thin line");
        assert!(svg.contains("<title>c: -5</title>"));
    }

    #[test]
    fn hostile_names_are_text_and_nothing_is_no_number() {
        let svg = drawn(
            vec![
                bar("<script>alert(1)</script> & a very long name", 1.0),
                bar("x", f64::NAN),
            ],
            Some(4.0),
        );
        assert!(!svg.contains("<script") && svg.contains('…'), "{svg}");
        assert_eq!(bars_of(&svg).len(), 1);
        assert!(drawn(Vec::new(), None).contains("nothing to draw yet"));
    }
}
