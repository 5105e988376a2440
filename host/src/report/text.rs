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
pub struct Style {
    /// Gains green, losses red.
    pub(super) colour: bool,
    /// Columns there are; `None` where the reader is no terminal.
    pub(super) columns: Option<usize>,
}

impl Style {
    /// Letters only, as wide as they come.
    pub const PLAIN: Self = Self {
        colour: false,
        columns: None,
    };
    /// Coloured, as wide as it comes.
    pub const COLOUR: Self = Self {
        colour: true,
        columns: None,
    };

    /// As fits standard output (see `terminal`).
    #[must_use]
    pub fn of_stdout() -> Self {
        Self {
            colour: crate::terminal::colour_wanted(std::io::stdout().is_terminal()),
            columns: crate::terminal::columns_of_stdout(),
        }
    }

    pub(super) fn dress(self, amount: Usd, text: String) -> String {
        match (self.colour, amount.cmp(&Usd::ZERO)) {
            (true, Ordering::Greater) => format!("\u{1b}[32m{text}\u{1b}[0m"),
            (true, Ordering::Less) => format!("\u{1b}[31m{text}\u{1b}[0m"),
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

/// Lines broken between words where they are longer than `columns`; the rest stands below the text after a
/// label, or two further in. Codes of colour take no room.
#[must_use]
pub fn folded(text: &str, columns: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if wide(line) <= columns {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        let (label, words) = labelled(line, columns / 2);
        let hang = match label.trim_start() {
            "" => wide(label) + 2,
            _ => wide(label),
        };
        out.push_str(label);
        let mut used = wide(label);
        let mut begun = false;
        for word in words.split_whitespace() {
            if begun && used + 1 + wide(word) > columns {
                out.push('\n');
                out.push_str(&" ".repeat(hang));
                used = hang;
            } else if begun {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += wide(word);
            begun = true;
        }
        out.push('\n');
    }
    out
}

/// The indentation of a line with its label, if one of at most `most` letters stands before two spaces,
/// and the rest.
fn labelled(line: &str, most: usize) -> (&str, &str) {
    let indent = line.len() - line.trim_start().len();
    let (front, words) = line.split_at(indent);
    let Some((label, _)) = words.split_once("  ") else {
        return (front, words);
    };
    let rest = words.get(label.len()..).unwrap_or_default().trim_start();
    let (front, words) = line.split_at(line.len() - rest.len());
    if wide(front) <= most {
        (front, words)
    } else {
        line.split_at(indent)
    }
}

/// Characters that are seen.
fn wide(text: &str) -> usize {
    let mut seen = 0;
    let mut code = false;
    for c in text.chars() {
        match (code, c) {
            (false, '\u{1b}') => code = true,
            (true, 'm') => code = false,
            (true, _) => {}
            (false, _) => seen += 1,
        }
    }
    seen
}

/// Text of a venue or a strategy, safe for a terminal: control characters become spaces.
#[must_use]
pub fn tame(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_words() {
        let text = "short\n  Tape: 12 % of 3 fills confirmed\n";
        assert_eq!(folded(text, 80), text);
        assert_eq!(
            folded(text, 20),
            "short\n  Tape: 12 % of 3\n    fills confirmed\n"
        );
        assert_eq!(
            folded("  Kind    one two three\n", 20),
            "  Kind    one two\n          three\n"
        );
        // A word that is too long stays whole, and colour takes no room.
        assert_eq!(folded("digest 0123456789", 8), "digest\n  0123456789\n");
        let coloured = "a \u{1b}[32mbb\u{1b}[0m cc\n";
        assert_eq!(folded(coloured, 7), coloured);
    }
}
