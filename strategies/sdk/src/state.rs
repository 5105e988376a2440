//! State that outlives a version, as lines of text: `NAME VERSION`, then one fact a line.
//!
//! Text, so that an operator can read a snapshot and a later version can migrate it. Owns the form
//! only; what the facts are is the strategy's business.

use std::fmt::{Display, Write};
use std::str::FromStr;

/// A snapshot being written.
pub struct Writer(String);

impl Writer {
    /// Opens one of the named strategy, in that version of its form.
    #[must_use]
    pub fn new(name: &str, version: u32) -> Self {
        Self(format!("{name} {version}\n"))
    }

    /// Adds a fact.
    pub fn line(&mut self, fact: impl Display) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{fact}");
    }

    /// The snapshot.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// The facts of a snapshot, word by word, if it is one of that strategy in that version.
pub fn read<'a>(
    name: &str,
    version: u32,
    state: &'a [u8],
) -> Result<impl Iterator<Item = Vec<&'a str>>, String> {
    let text =
        std::str::from_utf8(state).map_err(|_| format!("the state is not text of {name}"))?;
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    if head != format!("{name} {version}") {
        return Err(format!(
            "the state says {head:?}; this version reads \"{name} {version}\""
        ));
    }
    Ok(lines.map(|line| line.split(' ').collect()))
}

/// Reads one word as a number.
pub fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("the state holds {word:?} where a number belongs"))
}

/// The error for a line nobody knows.
#[must_use]
pub fn unknown(words: &[&str]) -> String {
    format!(
        "the state holds a line this version does not know: {:?}",
        words.join(" ")
    )
}
