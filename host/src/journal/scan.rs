//! Telling a torn tail from corruption: looks for valid records after a damaged one.

use super::segment::{FRAME, Frame, segment_number, segment_path};
use super::{JournalError, io_error};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Window of the search; the rest of a segment is searched whole, a window at a time.
const WINDOW: usize = 1 << 20;
/// Places that look like a record and are then verified. More than this in one tail is taken for
/// corruption: refusing is safe, cutting is not.
const MAX_CANDIDATES: usize = 4_096;

/// What a crash left at the end of the last segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub path: PathBuf,
    /// Where the last whole record ends.
    pub offset: u64,
    /// How many bytes lie behind it.
    pub bytes: u64,
}

impl std::fmt::Display for TornTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: the last {} bytes (from byte {}) are an incomplete record, as a crash leaves them",
            self.path.display(),
            self.bytes,
            self.offset
        )
    }
}

/// Judges the damage at `offset` of the segment at `path`, where record `seq` was expected.
pub(super) fn judge(
    path: &Path,
    offset: u64,
    seq: u64,
    is_last: bool,
) -> Result<TornTail, JournalError> {
    let corrupt = |why: String| JournalError::Corrupt {
        path: path.to_owned(),
        offset,
        why,
    };
    if !is_last {
        return Err(corrupt(format!(
            "record {seq} is damaged and later segments exist"
        )));
    }
    let file = File::open(path).map_err(|e| io_error("open", path, e))?;
    let end = file
        .metadata()
        .map_err(|e| io_error("read", path, e))?
        .len();
    let read = |at: u64, buffer: &mut [u8]| {
        file.read_exact_at(buffer, at)
            .map_err(|e| io_error("read", path, e))
    };
    let mut window = vec![0_u8; WINDOW];
    let mut record = Vec::new();
    let mut candidates = 0;
    let mut from = offset;
    while end.saturating_sub(from) >= FRAME as u64 {
        let length = usize::try_from(end - from).unwrap_or(WINDOW).min(WINDOW);
        let bytes = window.get_mut(..length).unwrap_or_default();
        read(from, bytes)?;
        for (i, head) in bytes.windows(FRAME).enumerate() {
            let at = from + i as u64;
            let Some(frame) = Frame::decode(head) else {
                continue;
            };
            let size = FRAME + frame.payload;
            // Records are at least a frame long, so the rest can not hold more than this many. Behind
            // a damaged header the expected number is only a lower bound.
            let most = match offset {
                0 => u64::MAX,
                _ => seq.saturating_add((end - offset) / FRAME as u64),
            };
            if frame.seq < seq || frame.seq > most || size as u64 > end - at {
                continue;
            }
            candidates += 1;
            if candidates > MAX_CANDIDATES {
                return Err(corrupt(format!(
                    "record {seq} is damaged and what follows looks like records but is not"
                )));
            }
            record.resize(size, 0);
            read(at, &mut record)?;
            if frame.matches(&record) {
                return Err(corrupt(format!(
                    "record {seq} is damaged, yet record {} at byte {at} is valid",
                    frame.seq
                )));
            }
        }
        from += (length - FRAME + 1) as u64;
    }
    Ok(TornTail {
        path: path.to_owned(),
        offset,
        bytes: end.saturating_sub(offset),
    })
}

/// How many segments the run has; holes in the numbering are refused.
pub(super) fn count_segments(dir: &Path) -> Result<u32, JournalError> {
    let entries = fs::read_dir(dir).map_err(|e| io_error("read", dir, e))?;
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| io_error("read", dir, e))?;
        if let Some(number) = entry.file_name().to_str().and_then(segment_number) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    for (expected, found) in (1..).zip(&numbers) {
        if expected != *found {
            return Err(JournalError::MissingSegment {
                path: segment_path(dir, expected),
            });
        }
    }
    Ok(numbers.last().copied().unwrap_or(0))
}
