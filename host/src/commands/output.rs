//! Standard output, which may be a pipe that nobody reads to its end.
//!
//! The answer of a command goes there and nothing else. A reader that has seen enough is no error.

use std::fmt;
use std::io::Write;

/// Writes a text as it is.
pub(super) fn text(text: &str) {
    // A closed pipe is the reader's choice; a full disk under a redirection can not be helped here.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Writes an answer for people: on a terminal no line is wider than its window.
pub(super) fn page(answer: &str) {
    match crate::terminal::columns_of_stdout() {
        Some(columns) => text(&crate::report::folded(answer, columns)),
        None => text(answer),
    }
}

/// Writes one line.
pub(super) fn line(line: fmt::Arguments<'_>) {
    text(&format!("{line}\n"));
}

/// As `println!`, without a panic when nobody reads.
macro_rules! out {
    ($($arg:tt)*) => { $crate::commands::output::line(format_args!($($arg)*)) };
}
pub(super) use out;
