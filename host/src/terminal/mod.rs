//! The terminal: one owner of standard error for log lines, the live view of a pilot and the progress
//! of long jobs; one place that decides about colour.
//!
//! ```text
//! log lines ──────────────┐
//! live view (a thread) ───┼─► Screen ─► standard error
//! progress (a thread) ────┘
//! ```
//!
//! Where standard error is no terminal nothing is ever drawn. It never makes the engine wait for a
//! picture, and a terminal that has gone away is no reason to stop trading: what can not be written there
//! is dropped.

mod colour;
mod live;
mod progress;
mod screen;
mod view;

pub use colour::wanted as colour_wanted;
pub use live::{Live, PLAIN_EVERY};
pub use progress::Progress;
pub use view::{Seen, one_line, view};

use screen::Screen;
use std::fmt;
use std::io::{self, IsTerminal, Stderr, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Columns and rows of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

/// Where a terminal does not tell its size: the smallest that was ever common.
const UNKNOWN: Size = Size {
    columns: 80,
    rows: 24,
};

/// What the command line says about the terminal; set once, before anything is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Habits {
    /// Warnings, errors and results only.
    pub quiet: bool,
    /// Log lines are for machines.
    pub json: bool,
}

static HABITS: OnceLock<Habits> = OnceLock::new();
static SCREEN: Mutex<Option<Screen<Stderr>>> = Mutex::new(None);

/// Sets the habits of this process, and has a panic speak below a cleared view.
pub fn begin(habits: Habits) {
    if HABITS.set(habits).is_err() {
        return;
    }
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Not when the panic happened while drawing: the lock is ours then.
        if let Ok(mut screen) = SCREEN.try_lock()
            && let Some(screen) = screen.as_mut()
        {
            screen.show(Vec::new(), size());
        }
        tell(panic);
    }));
}

/// Whether something may be drawn: a terminal, for people, who have not asked for quiet.
#[must_use]
pub fn is_live() -> bool {
    let habits = HABITS.get().copied().unwrap_or_default();
    !habits.quiet && !habits.json && io::stderr().is_terminal()
}

/// Whether only warnings, errors and results are wanted.
#[must_use]
pub fn is_quiet() -> bool {
    HABITS.get().is_some_and(|habits| habits.quiet)
}

/// Size of the window that standard error is in, asked again each time: people resize.
fn size() -> Size {
    match terminal_size::terminal_size_of(io::stderr()) {
        Some((columns, rows)) if columns.0 > 0 && rows.0 > 0 => Size {
            columns: columns.0.into(),
            rows: rows.0.into(),
        },
        _ => UNKNOWN,
    }
}

/// Columns that an answer on standard output may use; `None` when it is no terminal.
#[must_use]
pub fn columns_of_stdout() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = terminal_size::terminal_size_of(stdout);
    Some(size.map_or(UNKNOWN.columns, |(columns, _)| columns.0.into())).filter(|c| *c > 0)
}

fn with_screen<T>(work: impl FnOnce(&mut Screen<Stderr>) -> T) -> T {
    let mut screen = SCREEN.lock().unwrap_or_else(PoisonError::into_inner);
    work(screen.get_or_insert_with(|| Screen::new(io::stderr())))
}

/// Puts these lines at the bottom of the window, in the place of those before; none removes them.
fn show(lines: Vec<String>) {
    with_screen(|screen| screen.show(lines, size()));
}

/// Writes one line to standard error, above what is drawn there.
pub fn say(line: fmt::Arguments<'_>) {
    with_screen(|screen| screen.log(format!("{line}\n").as_bytes(), size()));
}

/// Writes log lines above what is drawn.
#[derive(Debug, Clone, Copy)]
pub struct LogWriter;

/// For `tracing_subscriber`.
#[must_use]
pub fn log_writer() -> LogWriter {
    LogWriter
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        with_screen(|screen| screen.log(bytes, size()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
