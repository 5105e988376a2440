//! How names are matched and times are said.

use super::NAMES_MAX;
use pm_arb_core::ids::{Nanos, Timestamp};

/// Fewest letters that are looked for within names.
const PART_MIN: usize = 3;

/// A sentence as a clause: without its full stop, begun small unless its first word is a name.
pub(super) fn clause(sentence: &str) -> String {
    let text = sentence.trim().trim_end_matches('.');
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// `14:03:07`, UTC; with the day, because it may be another one.
pub(super) fn clock(at: Timestamp) -> String {
    match jiff::Timestamp::from_second(i64::try_from(at.secs()).unwrap_or(i64::MAX)) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("second {}", at.secs()),
    }
}

pub(super) fn ms(span: Nanos) -> String {
    match span.ms() {
        ms if ms < 10_000 => format!("{ms} ms"),
        ms => seconds(ms),
    }
}

pub(super) fn seconds(ms: u64) -> String {
    match ms / 1_000 {
        s if s < 600 => format!("{s} s"),
        s if s < 36_000 => format!("{} min", s / 60),
        s => format!("{} h", s / 3_600),
    }
}

/// The things whose name contains a text or whose id begins with it, and true; when there is none, at
/// most [`NAMES_MAX`] whose names are the nearest, and false.
pub(super) fn names_like<'a, T: Copy>(
    text: &str,
    all: impl Iterator<Item = (&'a str, T)>,
    id: impl Fn(T) -> &'a str,
) -> (Vec<T>, bool) {
    let wanted = text.to_lowercase();
    let all: Vec<(&str, T)> = all.collect();
    if wanted.len() >= PART_MIN {
        let like = |(name, thing): &&(&'a str, T)| {
            name.to_lowercase().contains(&wanted) || id(*thing).to_lowercase().starts_with(&wanted)
        };
        let like: Vec<T> = all.iter().filter(like).map(|(_, thing)| *thing).collect();
        if !like.is_empty() {
            return (like, true);
        }
    }
    let mut near: Vec<(usize, T)> = all
        .iter()
        .map(|(name, thing)| (common(&wanted, &name.to_lowercase()), *thing))
        .filter(|(common, _)| *common >= PART_MIN)
        .collect();
    near.sort_by_key(|(common, _)| std::cmp::Reverse(*common));
    near.truncate(NAMES_MAX);
    (near.into_iter().map(|(_, thing)| thing).collect(), false)
}

/// Letters that two names have in common: at their beginning and, word by word, further on.
fn common(a: &str, b: &str) -> usize {
    let words = |text: &'_ str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words.filter(|w| w.len() > 1).map(str::to_owned).collect()
    };
    let (a, b) = (words(a), words(b));
    a.iter().filter(|w| b.contains(w)).map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_become_clauses() {
        assert_eq!(clause(" The book is old."), "the book is old");
        assert_eq!(clause("P&L is known."), "p&L is known");
        assert_eq!(clause("UTC is a name."), "UTC is a name");
        assert_eq!(clause(""), "");
    }

    #[test]
    fn names_by_a_part_and_near_ones() {
        let all = ["btc-updown-5m-1405", "btc-updown-5m-1410", "eth-above-3000"];
        let like = |text| names_like(text, all.iter().map(|n| (*n, *n)), |n| n);
        assert_eq!(like("1405"), (vec!["btc-updown-5m-1405"], true));
        assert_eq!(like("UPDOWN").0.len(), 2);
        assert_eq!(like("btc-updown-5m-9999"), (vec![all[0], all[1]], false));
        assert_eq!(like("doge"), (vec![], false));
        assert_eq!(like("e").0.len(), 0, "one letter is no name");
    }

    #[test]
    fn spans_are_said_in_the_unit_that_fits() {
        let said = |n| ms(Nanos::from_ms(n));
        assert_eq!(said(5_000), "5000 ms");
        assert_eq!(said(30_000), "30 s");
        assert_eq!(said(3_600_000), "60 min");
        assert_eq!(said(360_000_000), "100 h");
    }
}
