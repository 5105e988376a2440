//! An error with its causes on one line: for log lines, gaps and answers, where there is no room for
//! a list. The command line prints a list; see `commands/exit.rs`.

use std::error::Error;

/// What happened, and why, and why that: joined by colons.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no trade was kept")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn every_cause_is_told_once() {
        let error = Outer(std::io::Error::other("the disk is full"));
        assert_eq!(chain(&error), "no trade was kept: the disk is full");
    }
}
