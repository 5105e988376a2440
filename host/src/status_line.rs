//! One live line at the bottom of a terminal, and log lines that do not tear it.
//!
//! Owns standard error while a pilot runs on a terminal. Where standard error is no terminal there is
//! no line, only log.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

/// The line now on the screen; empty when there is none.
static LINE: Mutex<String> = Mutex::new(String::new());

/// Whether a live line makes sense.
#[must_use]
pub fn is_live() -> bool {
    io::stderr().is_terminal()
}

/// Shows `text` in place of the line before; an empty one removes it.
pub fn show(text: &str) {
    if !is_live() {
        return;
    }
    let Ok(mut line) = LINE.lock() else { return };
    let mut err = io::stderr().lock();
    // Return, clear to the end, write; no newline.
    let _ = write!(err, "\r\x1b[2K{text}");
    let _ = err.flush();
    text.clone_into(&mut line);
}

/// Writes log lines above the live one.
#[derive(Debug, Clone, Copy)]
pub struct Writer;

/// For `tracing_subscriber`.
#[must_use]
pub fn writer() -> Writer {
    Writer
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = LINE.lock().map_err(|_| io::Error::other("status line"))?;
        let mut err = io::stderr().lock();
        if line.is_empty() {
            err.write_all(bytes)?;
        } else {
            err.write_all(b"\r\x1b[2K")?;
            err.write_all(bytes)?;
            err.write_all(line.as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
