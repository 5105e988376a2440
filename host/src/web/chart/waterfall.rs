//! From one amount to another by its parts, a row each; what is left at the end is their exact sum.

use super::axes::{self, FONT, Scale, Side, dollars};
use super::{Canvas, DrawError, Role, figure_with};
use maud::{Markup, html};
use plotters::prelude::Rectangle;
use plotters::style::Color as _;
use pm_arb_core::units::Usd;

/// Height of a row.
const ROW: i32 = 26;
/// The same, for counting up.
const ROW_STEP: usize = 26;

/// Amounts that lead from a first to a last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waterfall<'a> {
    /// The first amount.
    pub from: (&'a str, Usd),
    /// What is added, one after the other; below zero it is taken away.
    pub parts: Vec<(&'a str, Usd)>,
    /// What the last amount is called.
    pub to: &'a str,
}

/// A row: from where to where its bar reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row<'a> {
    name: &'a str,
    amount: Usd,
    from: Usd,
    to: Usd,
    role: Role,
}

impl Waterfall<'_> {
    /// The last amount: the first with all parts added.
    #[must_use]
    pub fn end(&self) -> Usd {
        let add = |sum: i64, part: &(&str, Usd)| sum.saturating_add(part.1.0);
        Usd(self.parts.iter().fold(self.from.1.0, add))
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let total = |name, amount, role| Row {
            name,
            amount,
            from: Usd::ZERO,
            to: amount,
            role,
        };
        let mut rows = vec![total(self.from.0, self.from.1, Role::Naive)];
        let mut at = self.from.1;
        for (name, amount) in &self.parts {
            let to = Usd(at.0.saturating_add(amount.0));
            rows.push(Row {
                name,
                amount: *amount,
                from: at,
                to,
                role: if amount.0 < 0 { Role::Loss } else { Role::Gain },
            });
            at = to;
        }
        rows.push(total(self.to, at, Role::Honest));
        rows
    }

    /// The figure.
    #[must_use]
    pub fn draw(&self, title: &str, describe: &str) -> Markup {
        let rows = self.rows();
        let count = i32::try_from(rows.len()).unwrap_or(i32::MAX / ROW);
        let size = (super::USUAL.0, (count * ROW + 8).unsigned_abs());
        let over = html! {
            @for (row, top) in rows.iter().zip((4..).step_by(ROW_STEP)) {
                rect x="0" y=(top) width=(size.0) height=(ROW) fill-opacity="0" {
                    title { (row.name) ": " (row.amount) " dollars" }
                }
            }
        };
        figure_with(size, title, describe, over, |canvas| draw_on(canvas, &rows))
    }
}

fn draw_on(canvas: &Canvas<'_>, rows: &[Row<'_>]) -> Result<(), DrawError> {
    let texts: Vec<String> = rows
        .iter()
        .map(|r| crate::report::signed(r.amount))
        .collect();
    let left = rows
        .iter()
        .map(|r| axes::width(r.name))
        .max()
        .unwrap_or_default()
        + 10;
    let values = texts
        .iter()
        .map(|t| axes::width(t))
        .max()
        .unwrap_or_default()
        + 10;
    let (width, _) = super::whole(super::USUAL);
    let right = (width - values).max(left + width / 4).min(width);
    let ends = rows.iter().flat_map(|r| [dollars(r.from), dollars(r.to)]);
    let Some(x) = Scale::over(ends.chain([0.0]), left, right) else {
        return Ok(());
    };
    let zero = x.at(0.0);
    let mut before: Option<(i32, i32)> = None;
    for ((row, text), top) in rows.iter().zip(texts).zip((4..).step_by(ROW_STEP)) {
        let middle = top + ROW / 2;
        let (a, b) = (x.at(dollars(row.from)), x.at(dollars(row.to)));
        if let Some((at, from)) = before {
            axes::stroke(canvas, vec![(at, from), (at, middle)], Role::Grid, 1)?;
        }
        axes::write(canvas, row.name, (left - 8, middle), Side::End, Role::Ink)?;
        let corners = [
            (a.min(b), middle - FONT / 2),
            (a.max(b).max(a.min(b) + 1), middle + FONT / 2),
        ];
        canvas.draw(&Rectangle::new(corners, row.role.colour().filled()))?;
        axes::write(canvas, text, (right + 6, middle), Side::Start, Role::Ink)?;
        before = Some((b, middle + FONT / 2));
    }
    let bottom = i32::try_from(rows.len()).unwrap_or_default() * ROW + 6;
    axes::stroke(canvas, vec![(zero, 2), (zero, bottom)], Role::Mark, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(from: i64, parts: &[i64]) -> Waterfall<'static> {
        Waterfall {
            from: ("naive", Usd(from)),
            parts: parts.iter().map(|p| ("part", Usd(*p))).collect(),
            to: "honest",
        }
    }

    #[test]
    fn it_leads_from_the_first_amount_to_the_last_by_its_parts() {
        let falls = of(150_000_000, &[-500_000_000, 20_000_000]);
        let svg = falls.draw("Ghost gap", "By its parts.").into_string();
        assert!(svg.contains("+$150.00") && svg.contains("-$500.00") && svg.contains("-$330.00"));
        assert!(
            svg.contains("<title>honest: -330.00 dollars</title>"),
            "{svg}"
        );
        // Naive, loss, gain, honest: a bar each.
        for role in ["#000004", "#000006", "#000005", "#000003"] {
            assert_eq!(
                svg.matches(&format!("fill=\"{role}\"")).count(),
                1,
                "{role}"
            );
        }
    }

    #[test]
    fn nothing_and_huge_amounts_are_drawn() {
        for falls in [
            of(0, &[]),
            of(0, &[0, 0]),
            of(i64::MAX, &[i64::MAX]),
            of(i64::MIN, &[-1]),
        ] {
            let svg = falls.draw("Ghost gap", "").into_string();
            assert!(svg.contains("<svg") && !svg.contains("NaN") && !svg.contains("inf"));
        }
    }

    proptest! {
        #[test]
        fn bars_meet_and_sum_exactly(from in -1_000_000_000_000i64..1_000_000_000_000, parts in prop::collection::vec(-1_000_000_000_000i64..1_000_000_000_000, 0..8)) {
            let falls = of(from, &parts);
            let rows = falls.rows();
            prop_assert_eq!(rows.len(), parts.len() + 2);
            prop_assert_eq!(rows[0].to, Usd(from));
            for pair in rows[..rows.len() - 1].windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
                prop_assert_eq!(pair[1].to.0 - pair[1].from.0, pair[1].amount.0);
            }
            let last = rows[rows.len() - 1];
            prop_assert_eq!(last.to, Usd(from + parts.iter().sum::<i64>()));
            prop_assert_eq!(last.to, falls.end());
            prop_assert_eq!(rows[rows.len() - 2].to, last.to);
        }
    }
}
