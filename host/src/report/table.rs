//! Tables of answers: columns under headings, aligned, in whatever width there is.
//!
//! Where there is a terminal that is too narrow, names are shortened in the middle; where that is not
//! enough, a row takes several lines, the later ones indented. Only a cell that is wider than the window
//! alone stays so (a remark: whoever writes the answer folds it). Text for other programs and files is as
//! wide as it comes.

use super::text::{Style, cut_middle, per_share, signed};
use pm_arb_core::units::Usd;
use std::ops::Range;

/// Between two columns.
const GAP: usize = 2;
/// Before the first line of a row, and before the others.
const INDENT: [usize; 2] = [2, 4];
/// Names are shortened to no less than this to keep a row in one line,
const NAME_MIN: usize = 10;
/// and to no less than this where it takes several all the same.
const NAME_ROOMY: usize = 20;

/// A cell: its text and the amount that colours it.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Usd,
}

impl Cell {
    /// An amount of money with its sign, coloured by it.
    pub fn money(amount: Usd) -> Self {
        Self {
            text: signed(amount),
            tone: amount,
        }
    }

    /// An amount a share, coloured by its sign.
    pub fn share(amount: Usd) -> Self {
        Self {
            text: per_share(amount),
            tone: amount,
        }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(value: T) -> Self {
        Self {
            text: value.to_string(),
            tone: Usd::ZERO,
        }
    }
}

/// Columns under headings; the first column is aligned left, a heading that begins with `<` too, the
/// others right.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    names: &'static [usize],
    rows: Vec<Vec<Cell>>,
}

/// Columns that share a line, and how wide they are.
type Part = (Range<usize>, Vec<usize>);

impl Table {
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            names: &[0],
            rows: Vec::new(),
        }
    }

    /// Which columns may be shortened in the middle; without this the first.
    pub fn names(mut self, names: &'static [usize]) -> Self {
        self.names = names;
        self
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The headings and the rows, indented by two, without line breaks.
    pub fn lines(&self, style: Style) -> Vec<String> {
        let heads: Vec<Cell> = self
            .headings
            .iter()
            .map(|h| Cell::from(h.trim_start_matches('<')))
            .collect();
        let widest = |n: usize| {
            let column = self
                .rows
                .iter()
                .chain([&heads])
                .filter_map(|row| row.get(n));
            column.map(|cell| cell.text.chars().count()).max()
        };
        let wide: Vec<usize> = (0..self.headings.len())
            .map(|n| widest(n).unwrap_or_default())
            .collect();
        let parts = self.parts(wide, style.columns);
        let mut lines = Vec::new();
        for row in [&heads].into_iter().chain(&self.rows) {
            for (nth, part) in parts.iter().enumerate() {
                lines.push(self.line(row, part, indent(nth), style));
            }
        }
        lines
    }

    /// Shares the columns out to as few lines as fit.
    fn parts(&self, wide: Vec<usize>, columns: Option<usize>) -> Vec<Part> {
        let all = 0..wide.len();
        let Some(columns) = columns else {
            return vec![(all, wide)];
        };
        let tight = self.packed(&wide, columns, NAME_MIN);
        if tight.len() > 1 {
            let roomy = self.packed(&wide, columns, NAME_ROOMY);
            if roomy.len() == tight.len() {
                return roomy;
            }
        }
        tight
    }

    fn packed(&self, wide: &[usize], columns: usize, name_min: usize) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut free = 0;
        for (n, wide) in wide.iter().copied().enumerate() {
            let least = if self.names.contains(&n) {
                wide.min(name_min)
            } else {
                wide
            };
            match parts.last_mut() {
                Some((range, widths)) if free >= GAP + least => {
                    range.end = n + 1;
                    widths.push(least);
                    free -= GAP + least;
                }
                _ => {
                    let room = columns.saturating_sub(indent(parts.len()));
                    parts.push((n..n + 1, vec![least.min(room)]));
                    free = room.saturating_sub(least);
                }
            }
        }
        for (nth, (range, widths)) in parts.iter_mut().enumerate() {
            let used = indent(nth) + widths.iter().sum::<usize>() + GAP * (widths.len() - 1);
            widen(
                range.clone().zip(widths),
                wide,
                columns.saturating_sub(used),
            );
        }
        parts
    }

    fn line(&self, row: &[Cell], (range, widths): &Part, indent: usize, style: Style) -> String {
        let left = |n: usize| n == 0 || self.headings.get(n).is_some_and(|h| h.starts_with('<'));
        let mut line = " ".repeat(indent);
        for (n, width) in range.clone().zip(widths) {
            let Some(cell) = row.get(n) else { break };
            let text = if self.names.contains(&n) {
                cut_middle(&cell.text, *width)
            } else {
                cell.text.clone()
            };
            let text = if left(n) {
                format!("{text:<width$}")
            } else {
                format!("{text:>width$}")
            };
            if n > range.start {
                line.push_str(&" ".repeat(GAP));
            }
            line.push_str(&style.dress(cell.tone, text));
        }
        line.trim_end().to_owned()
    }
}

fn indent(nth: usize) -> usize {
    INDENT[usize::from(nth > 0)]
}

/// Gives what is free to the columns that lack it, the narrowest first.
fn widen<'a>(part: impl Iterator<Item = (usize, &'a mut usize)>, wish: &[usize], mut free: usize) {
    let mut part: Vec<(usize, &mut usize)> = part
        .map(|(n, width)| (wish.get(n).copied().unwrap_or_default(), width))
        .filter(|(wish, width)| wish > &**width)
        .collect();
    while free > 0 {
        let lacking = part.iter_mut().filter(|(wish, width)| *wish > **width);
        let Some((_, narrowest)) = lacking.min_by_key(|(_, width)| **width) else {
            return;
        };
        **narrowest += 1;
        free -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["Id", "<Market", "<Order", "P&L"]).names(&[1]);
        for (market, gain) in [("btc-updown-5m-1795400400-and-more", -1), ("short", 1)] {
            table.row(vec![
                Cell::from("48652"),
                Cell::from(market),
                Cell::from("buy 20 Down at 0.39"),
                Cell::money(Usd(gain * 4_600_000)),
            ]);
        }
        table
    }

    fn at(columns: usize) -> Vec<String> {
        table().lines(Style {
            columns: Some(columns),
            ..Style::PLAIN
        })
    }

    #[test]
    fn names_give_way_first() {
        let whole = table().lines(Style::PLAIN);
        assert_eq!(
            whole[1],
            "  48652  btc-updown-5m-1795400400-and-more  buy 20 Down at 0.39  -$4.60"
        );
        assert_eq!(at(71), whole);
        assert_eq!(
            at(60),
            [
                "  Id     Market                  Order                   P&L",
                "  48652  btc-updown…00-and-more  buy 20 Down at 0.39  -$4.60",
                "  48652  short                   buy 20 Down at 0.39  +$4.60",
            ]
        );
    }

    #[test]
    fn then_a_row_takes_more_lines() {
        assert_eq!(
            at(40),
            [
                "  Id     Market",
                "    Order                   P&L",
                "  48652  btc-updown-5m-1…400400-and-more",
                "    buy 20 Down at 0.39  -$4.60",
                "  48652  short",
                "    buy 20 Down at 0.39  +$4.60",
            ]
        );
        for columns in 1..90 {
            let lines = at(columns);
            let most = lines.iter().map(|line| line.chars().count()).max();
            assert!(
                // The widest cell that is no name, indented.
                most.unwrap_or_default() <= columns.max(23),
                "{columns}: {lines:#?}"
            );
        }
    }
}
