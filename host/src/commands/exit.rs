//! Exit codes, and the one shape in which a failure reaches the terminal.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// What the process says with its exit code (documented in `pm-arb --help`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Checked, and the answer is no.
    Negative = 1,
    /// The words of the command are wrong.
    Usage = 2,
    /// Data is damaged.
    Damaged = 65,
    /// Something needed is not reachable.
    Unavailable = 69,
    /// Internal failure.
    Internal = 70,
    /// Try again later (another pilot holds the folder).
    TryAgain = 75,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

/// A failure on its way to the terminal.
#[derive(Debug)]
pub struct Failure {
    /// How the process exits.
    pub code: Code,
    /// What failed, with its causes.
    pub error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// A failure of that code.
    pub fn new(code: Code, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            code,
            error: error.into(),
        }
    }
}

/// Gives an error its exit code at the place that knows it.
pub trait OrExit<T> {
    /// On failure, exit with `code`.
    fn or_exit(self, code: Code) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: Code) -> Result<T, Failure> {
        self.map_err(|e| Failure::new(code, e))
    }
}

impl fmt::Display for Failure {
    /// `error: what` and one indented line a cause; a cause that only repeats what was said is skipped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.error.to_string();
        write!(f, "error: {said}")?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                write!(f, "\n  because: {text}")?;
            }
            said = text;
            cause = error.source();
        }
        Ok(())
    }
}
