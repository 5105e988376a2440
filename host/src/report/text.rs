//! How a report is written: amounts, times, colours, columns.
//!
//! Owns the layout and knows no number's meaning. Amounts are rounded down to cents, so that no report
//! flatters.

use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::Usd;
use std::cmp::Ordering;
use std::io::IsTerminal as _;

/// How text is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Letters only.
    Plain,
    /// Gains green, losses red.
    Colour,
}

impl Style {
    /// As fits standard output (see `terminal`).
    #[must_use]
    pub fn of_stdout() -> Self {
        if crate::terminal::colour_wanted(std::io::stdout().is_terminal()) {
            Style::Colour
        } else {
            Style::Plain
        }
    }

    pub(super) fn dress(self, amount: Usd, text: String) -> String {
        match (self, amount.cmp(&Usd::ZERO)) {
            (Style::Colour, Ordering::Greater) => format!("\u{1b}[32m{text}\u{1b}[0m"),
            (Style::Colour, Ordering::Less) => format!("\u{1b}[31m{text}\u{1b}[0m"),
            _ => text,
        }
    }
}

/// In cents, with its sign always; rounded down, so that no report flatters.
#[must_use]
pub fn signed(amount: Usd) -> String {
    let cents = amount.0.div_euclid(10_000);
    let sign = if cents < 0 { '-' } else { '+' };
    let cents = cents.unsigned_abs();
    format!("{sign}${}.{:02}", cents / 100, cents % 100)
}

/// An amount without a sign of its own, in cents, rounded up: what is paid or locked.
pub(super) fn paid(amount: Usd) -> String {
    let cents = amount.0.div_euclid(10_000) + i64::from(amount.0.rem_euclid(10_000) > 0);
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}${}.{:02}", cents / 100, cents % 100)
}

/// An amount a share, in hundredths of a cent, with its sign; rounded down.
pub(super) fn per_share(amount: Usd) -> String {
    let units = amount.0.div_euclid(100);
    let sign = if units < 0 { '-' } else { '+' };
    let units = units.unsigned_abs();
    format!("{sign}${}.{:04}", units / 10_000, units % 10_000)
}

/// `2026-11-22 19:10 UTC`
pub(crate) fn minute(at: Timestamp) -> String {
    shown(at, "%Y-%m-%d %H:%M UTC")
}

/// `11-22 19:10`, UTC, where space is short.
pub(crate) fn month_and_minute(at: Timestamp) -> String {
    shown(at, "%m-%d %H:%M")
}

/// `2026-11-22 19:10:05.123456 UTC`
pub(crate) fn instant(at: Timestamp) -> String {
    shown(at, "%Y-%m-%d %H:%M:%S%.6f UTC")
}

/// `2026-11-22T19:10:05.123456789Z`
pub(crate) fn rfc3339(at: Timestamp) -> String {
    shown(at, "%Y-%m-%dT%H:%M:%S%.9fZ")
}

/// `2026-11-22`
pub(super) fn day(at: Timestamp) -> String {
    shown(at, "%Y-%m-%d")
}

fn shown(at: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.0))
        .unwrap_or_default()
        .strftime(format)
        .to_string()
}

/// A cell: its text and the amount that colours it.
#[derive(Debug, Clone)]
pub(super) struct Cell {
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
pub(super) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// One line a row, indented by two, without line breaks.
    pub fn lines(&self, style: Style) -> Vec<String> {
        let left = |n: usize| n == 0 || self.headings.get(n).is_some_and(|h| h.starts_with('<'));
        let heads: Vec<Cell> = self
            .headings
            .iter()
            .map(|h| Cell::from(h.trim_start_matches('<')))
            .collect();
        let wide = |n: usize| {
            self.rows
                .iter()
                .chain([&heads])
                .filter_map(|row| row.get(n))
                .map(|cell| cell.text.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(wide).collect();
        [&heads]
            .into_iter()
            .chain(&self.rows)
            .map(|row| {
                let mut line = String::new();
                for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
                    let text = if left(n) {
                        format!("{:<width$}", cell.text)
                    } else {
                        format!("{:>width$}", cell.text)
                    };
                    line.push_str("  ");
                    line.push_str(&style.dress(cell.tone, text));
                }
                line.trim_end().to_owned()
            })
            .collect()
    }
}

/// At most so many characters, with `…` for the rest.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// At most so many characters, with `…` for what is left out of the middle: names of markets differ at
/// their ends.
pub(crate) fn cut_middle(text: &str, most: usize) -> String {
    let all = text.chars().count();
    if all <= most {
        return text.to_owned();
    }
    let tail = most / 2;
    let mut short = cut(text, most.saturating_sub(tail));
    short.extend(text.chars().skip(all.saturating_sub(tail)));
    short
}

/// Words, broken into lines of at most `width` characters where that is possible.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Text of a venue or a strategy, safe for a terminal: control characters become spaces.
#[must_use]
pub fn tame(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
