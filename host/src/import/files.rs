//! The files of an import, line by line.
//!
//! Compression is recognised by the first bytes, not by the name. Lines are bounded. This module
//! knows nothing about what lines mean.

use super::{ImportError, io_error};
use crate::meter::Meter;
use flate2::bufread::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// Longest line that is read (a market channel's first frame may have 32 MiB).
const MAX_LINE: usize = 64 << 20;
/// Most files of an import, and how deep folders are searched.
const MAX_FILES: usize = 100_000;
const MAX_DEPTH: usize = 8;
const BUFFER: usize = 128 << 10;
/// Ends of names that are recordings when a folder is named. A file that is named itself is always read.
const DATA: [&str; 8] = [
    "jsonl",
    "ndjson",
    "json",
    "csv",
    "txt",
    "log",
    "gz",
    "jsonlines",
];
/// Descriptions of recordings that lie in their folders.
const DESCRIPTIONS: [&str; 2] = ["manifest.json", "package.json"];

/// What the named files and folders hold.
pub(super) struct Listing {
    /// Data files, in the order named, each folder's sorted by name.
    pub files: Vec<PathBuf>,
    /// Files of folders that are no data.
    pub left_out: Vec<PathBuf>,
}

/// Resolves files and folders.
pub(super) fn expand(named: &[PathBuf]) -> Result<Listing, ImportError> {
    let mut listing = Listing {
        files: Vec::new(),
        left_out: Vec::new(),
    };
    for path in named {
        let meta = fs::metadata(path).map_err(|e| io_error("read", path, e))?;
        if meta.is_dir() {
            expand_dir(path, &mut listing, 0)?;
        } else {
            listing.files.push(path.clone());
        }
    }
    // A file that is named twice (a folder and a file of it) is read once.
    let mut seen = std::collections::HashSet::new();
    listing
        .files
        .retain(|p| seen.insert(fs::canonicalize(p).unwrap_or_else(|_| p.clone())));
    if listing.files.is_empty() {
        return Err(ImportError::NoFiles);
    }
    if listing.files.len() > MAX_FILES {
        return Err(ImportError::TooLarge);
    }
    Ok(listing)
}

fn expand_dir(dir: &Path, listing: &mut Listing, depth: usize) -> Result<(), ImportError> {
    let entries = fs::read_dir(dir).map_err(|e| io_error("read", dir, e))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|e| io_error("read", dir, e))?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let extension = name.rsplit('.').next().unwrap_or_default();
        if path.is_dir() && depth < MAX_DEPTH {
            expand_dir(&path, listing, depth + 1)?;
        } else if path.is_file()
            && DATA.contains(&extension)
            && !DESCRIPTIONS.contains(&name.as_ref())
        {
            listing.files.push(path);
        } else {
            listing.left_out.push(path);
        }
    }
    Ok(())
}

/// A file whose reading is seen.
struct Metered {
    file: File,
    meter: Meter,
}

impl io::Read for Metered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.meter.advance(read as u64);
        Ok(read)
    }
}

/// One file's lines.
pub(super) struct Lines {
    input: Box<dyn BufRead>,
    buffer: Vec<u8>,
    line: u64,
    ended: bool,
}

impl Lines {
    /// Every byte read from the file moves the meter.
    pub fn open(path: &Path, meter: &Meter) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|e| io_error("open", path, e))?;
        let meter = meter.clone();
        let mut raw = BufReader::with_capacity(BUFFER, Metered { file, meter });
        let start = raw.fill_buf().map_err(|e| io_error("read", path, e))?;
        let input: Box<dyn BufRead> = if start.starts_with(&[0x1f, 0x8b]) {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(raw)))
        } else {
            Box::new(raw)
        };
        Ok(Self {
            input,
            buffer: Vec::new(),
            line: 0,
            ended: false,
        })
    }

    /// How many lines were read: the number of the last one.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next line that is not blank, without its end; `Err` says why it is unusable (the lines
    /// behind it can still be read, if there are any).
    pub fn next(&mut self) -> Option<Result<&str, String>> {
        loop {
            if self.ended {
                return None;
            }
            self.buffer.clear();
            let mut limited = (&mut self.input).take(MAX_LINE as u64);
            match limited.read_until(b'\n', &mut self.buffer) {
                Ok(0) => {
                    self.ended = true;
                    return None;
                }
                Ok(_) => {}
                Err(e) => {
                    self.ended = true;
                    self.line += 1;
                    return Some(Err(read_failure(&e)));
                }
            }
            self.line += 1;
            if self.buffer.len() == MAX_LINE && self.buffer.last() != Some(&b'\n') {
                self.skip_line();
                return Some(Err(format!("is longer than {MAX_LINE} bytes")));
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Some(Ok(text.trim_start_matches('\u{feff}').trim())),
            Err(_) => Some(Err("is no UTF-8 text".to_owned())),
        }
    }

    fn skip_line(&mut self) {
        loop {
            let (used, found) = match self.input.fill_buf() {
                Ok([]) | Err(_) => {
                    self.ended = true;
                    return;
                }
                Ok(bytes) => match bytes.iter().position(|b| *b == b'\n') {
                    Some(i) => (i + 1, true),
                    None => (bytes.len(), false),
                },
            };
            self.input.consume(used);
            if found {
                return;
            }
        }
    }
}

fn read_failure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the compressed file ends early; it is read up to here".to_owned()
        }
        _ => format!("the file cannot be read beyond this line: {error}"),
    }
}
