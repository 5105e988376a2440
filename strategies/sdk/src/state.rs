//! State that outlives a version, as lines of text: `NAME VERSION`, then one fact a line.
//!
//! Text, so that an operator can read a snapshot and a later version can migrate it. Owns the form
//! only; what the facts are is the strategy's business. A version that reads its predecessor's form:
//!
//! ```
//! use pm_arb_sdk::state;
//!
//! fn seen(bytes: &[u8]) -> Result<u64, String> {
//!     let facts = match state::read("my-idea", 2, bytes) {
//!         Ok(facts) => facts.collect::<Vec<_>>(),
//!         // Version 1 did not count; what it knew is still true.
//!         Err(_) => state::read("my-idea", 1, bytes)?.collect(),
//!     };
//!     match facts.as_slice() {
//!         [] => Ok(0),
//!         [words] if words.len() == 2 => state::number(words[1]),
//!         [words, ..] => Err(state::unknown(words)),
//!     }
//! }
//! assert_eq!(seen(b"my-idea 2\nseen 7\n"), Ok(7));
//! assert_eq!(seen(b"my-idea 1\n"), Ok(0));
//! assert!(seen(b"my-idea 3\n").unwrap_err().contains("this version reads"));
//! ```

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
            "the state says \"{head}\"; this version reads \"{name} {version}\""
        ));
    }
    Ok(lines.map(|line| line.split(' ').collect()))
}

/// Reads one word as a number.
pub fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("the state holds \"{word}\" where a number belongs"))
}

/// The error for a line nobody knows.
#[must_use]
pub fn unknown(words: &[&str]) -> String {
    format!(
        "the state holds a line this version does not know: \"{}\"",
        words.join(" ")
    )
}
