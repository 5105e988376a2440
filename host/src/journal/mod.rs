//! The journal: every fact of a run, in order, durable before anything is concluded from it.
//!
//! ```text
//! RUN/run.json                what the run is (RunMeta)
//! RUN/journal.lock            held by the one writer
//! RUN/journal-000001.pma      segments, numbered without holes
//! RUN/strategies/<sha256>.wasm
//!
//! segment  magic "PMARBJNL" | format u32 | number u32 | run id 16 bytes | first seq u64 | crc32c u32
//! record   crc32c u32 | payload length u32 | seq u64 | at u64 | payload    (little-endian)
//! ```
//!
//! A record's checksum covers everything after it, so also its length and its place in the order.
//! What a crash leaves at the very end (an incomplete or damaged record with nothing valid after
//! it) is a *torn tail*: the writer cuts it, the reader stops before it and says so. A damaged
//! record with valid ones after it is *corruption*: refused with file and offset, because a replay
//! of the rest would be a different run. This module never interprets events.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The strategies of a run.
pub mod archive;
/// The bytes of an event.
pub mod codec;
mod meta;
mod reader;
mod scan;
mod segment;
mod upcoming;
mod writer;

pub use meta::{RUN_FILE, RunMeta, SimMeta};
pub use reader::JournalReader;
pub use reader::size;
pub use scan::TornTail;
pub use upcoming::Upcoming;
pub use writer::{JournalWriter, Recovery};

/// Version of the segment, record and payload layouts.
pub const FORMAT: u32 = 2;
/// Ends the names of segments.
pub const SEGMENT_EXTENSION: &str = "pma";
/// A segment is closed and the next one begun before it grows beyond this.
pub const SEGMENT_LIMIT: u64 = 256 << 20;
/// Largest payload. A larger event is refused when it is appended; a larger length read is damage.
pub const MAX_PAYLOAD: usize = 16 << 20;
/// Most segments of a run (256 TiB with full segments).
pub const MAX_SEGMENTS: u32 = 999_999;

/// What went wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk refused.
    #[error("cannot {op} {}", path.display())]
    Io {
        /// What was tried.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no `run.json`.
    #[error("{} is not a run: it has no {RUN_FILE}; name a directory that `pilot` or `import` wrote", dir.display())]
    NotARun {
        /// Where.
        dir: PathBuf,
    },
    /// A run is there already.
    #[error("{} already holds a run; choose another directory or remove it", dir.display())]
    Exists {
        /// Where.
        dir: PathBuf,
    },
    /// Another process writes.
    #[error("{} is being written by another process; stop that one first, or choose another directory", dir.display())]
    Locked {
        /// Where.
        dir: PathBuf,
    },
    /// `run.json` is unusable.
    #[error("{} is unusable: {why}; restore it from a copy of the run", path.display())]
    Meta {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Another version's format.
    #[error("{} has journal format {found}, this program reads format {FORMAT}; use the version that wrote it", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Damage that is no torn tail.
    #[error("{}: byte {offset}: {why}; the journal is corrupt from there on: restore this file from a copy (what lies before byte {offset} is intact)", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What was found.
        why: String,
    },
    /// A segment is not there.
    #[error("{} is missing; restore it from a copy of the run", path.display())]
    MissingSegment {
        /// Which.
        path: PathBuf,
    },
    /// The checksum holds but the payload has no meaning here.
    #[error("{}: byte {offset}: record {seq} is intact but cannot be read; use the version that wrote it", path.display())]
    Undecodable {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// Which record.
        seq: u64,
        /// Why.
        #[source]
        source: codec::CodecError,
    },
    /// The event can not be written.
    #[error("an event cannot be written to the journal")]
    Encode(#[source] codec::CodecError),
    /// The event is too large.
    #[error("an event of {bytes} bytes is larger than a record may be ({MAX_PAYLOAD})")]
    TooLarge {
        /// Its payload.
        bytes: usize,
    },
    /// The caller's time went back.
    #[error("record time {at} lies before the last one, {last}; time in a journal never goes back")]
    TimeBackwards {
        /// Given.
        at: u64,
        /// The last one's.
        last: u64,
    },
    /// The run has too many segments.
    #[error("the run has {MAX_SEGMENTS} segments; start a new run")]
    Full,
    /// An earlier write failed.
    #[error(
        "the journal is closed after a failed write; restart, which verifies what reached the disk"
    )]
    Fenced,
    /// A strategy is larger than the archive keeps.
    #[error("{}: {bytes} bytes are more than a strategy may have ({})", path.display(), archive::MAX_STRATEGY_BYTES)]
    StrategyTooLarge {
        /// Which.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// An archived strategy is not what its name says.
    #[error("{} does not have the digest of its name; restore it from a copy of the run", path.display())]
    StrategyDamaged {
        /// Which.
        path: PathBuf,
    },
}

pub(crate) fn io_error(op: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io {
        op,
        path: path.to_owned(),
        source,
    }
}

/// Makes created and renamed entries of a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| io_error("sync", dir, e))
}
