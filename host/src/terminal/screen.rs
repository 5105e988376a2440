//! Lines at the bottom of a terminal, and whole lines that scroll by above them.
//!
//! Owns what is drawn now and how much room it takes, also after the window was made narrower. It never
//! moves the cursor but from the end of what is drawn to its beginning, and never hides it: whatever ends
//! the process, the terminal is left usable.

use super::Size;
use std::io::Write;
use unicode_width::UnicodeWidthChar as _;

/// Carriage return, then everything from the cursor on is erased.
const ERASE: &str = "\r\x1b[J";

/// The bottom of a terminal.
#[derive(Debug)]
pub(super) struct Screen<W> {
    to: W,
    /// What is drawn, each line without its end.
    drawn: Vec<String>,
}

impl<W: Write> Screen<W> {
    pub fn new(to: W) -> Self {
        Self {
            to,
            drawn: Vec::new(),
        }
    }

    /// Writes whole lines above what is drawn.
    pub fn log(&mut self, bytes: &[u8], size: Size) {
        if self.drawn.is_empty() {
            self.send(bytes);
            return;
        }
        let mut out = self.erased(size);
        out.extend_from_slice(bytes);
        if !bytes.ends_with(b"\n") {
            out.push(b'\n');
        }
        out.extend_from_slice(self.drawn.join("\n").as_bytes());
        self.send(&out);
    }

    /// Draws these lines in the place of those before.
    pub fn show(&mut self, lines: Vec<String>, size: Size) {
        if self.drawn.is_empty() && lines.is_empty() {
            return;
        }
        let mut out = self.erased(size);
        out.extend_from_slice(lines.join("\n").as_bytes());
        self.drawn = lines;
        self.send(&out);
    }

    /// What erases everything drawn: up to its first row, then to the end of the window. Lines that have
    /// become longer than the window is wide take several rows: terminals break them anew.
    fn erased(&self, size: Size) -> Vec<u8> {
        let columns = size.columns.max(1);
        let rows = |line: &String| cells(line).div_ceil(columns).max(1);
        let rows: usize = self.drawn.iter().map(rows).sum();
        let up = rows.min(size.rows).saturating_sub(1);
        let mut out = String::new();
        if up > 0 {
            out.push_str(&format!("\x1b[{up}A"));
        }
        if rows > 0 {
            out.push_str(ERASE);
        }
        out.into_bytes()
    }

    /// In one piece, so that no half picture is seen. A terminal that has gone takes nothing more, and
    /// nobody misses it.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.to.write_all(bytes).and_then(|()| self.to.flush());
    }
}

/// Columns that a text takes; escape sequences of colours take none.
pub(super) fn cells(text: &str) -> usize {
    let mut cells = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            // A colour ends with its letter.
            let _ = chars.find(char::is_ascii_alphabetic);
        } else {
            cells += c.width().unwrap_or_default();
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Size = Size {
        columns: 20,
        rows: 10,
    };

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    fn said(screen: &mut Screen<Vec<u8>>) -> String {
        String::from_utf8(std::mem::take(&mut screen.to)).unwrap()
    }

    #[test]
    fn log_lines_scroll_by_above_what_is_drawn() {
        let mut screen = Screen::new(Vec::new());
        screen.log(b"one\n", WIDE);
        assert_eq!(said(&mut screen), "one\n");
        screen.show(lines(&["a", "b"]), WIDE);
        assert_eq!(said(&mut screen), "a\nb");
        screen.log(b"two\n", WIDE);
        assert_eq!(said(&mut screen), "\x1b[1A\r\x1b[Jtwo\na\nb");
        screen.log(b"torn", WIDE);
        assert_eq!(said(&mut screen), "\x1b[1A\r\x1b[Jtorn\na\nb");
        screen.show(Vec::new(), WIDE);
        assert_eq!(said(&mut screen), "\x1b[1A\r\x1b[J");
        screen.show(Vec::new(), WIDE);
        screen.log(b"three\n", WIDE);
        assert_eq!(said(&mut screen), "three\n");
    }

    #[test]
    fn a_narrower_window_is_erased_whole() {
        let mut screen = Screen::new(Vec::new());
        screen.show(lines(&["\x1b[32m0123456789\x1b[0m", "b"]), WIDE);
        said(&mut screen);
        let narrow = Size {
            columns: 4,
            rows: 10,
        };
        screen.show(lines(&["c"]), narrow);
        // Ten cells at four a row are three rows, and one more.
        assert_eq!(said(&mut screen), "\x1b[3A\r\x1b[Jc");
    }

    #[test]
    fn a_terminal_that_has_gone_is_no_failure() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("hung up"))
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut screen = Screen::new(Gone);
        screen.log(b"one\n", WIDE);
        screen.show(lines(&["a"]), WIDE);
        screen.log(b"two\n", WIDE);
    }
}
