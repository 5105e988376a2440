//! Real recordings become journals.
//!
//! ```text
//! files ─► lines ─► a format's reader ─► Intake (sorter, market drafts, refusals) ─► emit ─► journal
//! ```
//!
//! Pass one reads every line once: what it says goes into a sorter on disk, keyed by receive time,
//! and what it tells about markets into drafts. Pass two lists the markets, merges everything in
//! receive-time order and writes the journal, in a directory of its own that gets its name only when
//! it is whole. A line that does not parse is counted and named, never guessed; the rest goes on.
//! Memory is bounded by the sorter's buffer and the number of markets, not by the recording.

use crate::catalog::CatalogError;
use crate::journal::JournalError;
use crate::meter::{Counts, Meter};
use crate::rulebook;
use pm_arb_core::rulebook::Rulebook;
use sha2::Digest as _;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod binance;
mod chainlink;
mod draft;
mod emit;
mod events;
mod files;
mod frames;
mod intake;
mod kalshi;
mod l2;
mod ladder;
mod listing;
mod number;
mod silence;
mod sort;
mod text;
mod top;

use intake::Intake;

/// Refused lines that are kept by name; further ones are only counted.
pub const REFUSED_NAMED: usize = 1_000;

/// A kind of recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Raw Polymarket `book` frames: `{"recv": seconds, "frame": …}`, one file per market.
    PolymarketBook,
    /// Raw market-channel frames: `{"capturedAt": seconds, "payload": …}` and `markets.json`.
    PolymarketMarket,
    /// Top-20 snapshots of both tokens, one file per market, and `markets.jsonl` with payouts.
    L2Snapshots,
    /// Gamma market objects with their outcome, and the Chainlink feed that decided them.
    ChainlinkMarkets,
    /// Raw Binance streams: `receive-time json`.
    BinanceStream,
    /// Sampled tops of both books with Binance spot and the winner.
    AlignedLadder,
    /// Best bid and ask of Up and Down once a second, asked for one by one, as columns.
    TopOfBook,
    /// Raw Kalshi frames: `{"recv_ms": milliseconds, "event": …}`, REST answers and `MARKETS.csv`.
    KalshiFrames,
    /// One market a file as text: its strike, outcome, and Chainlink once a second.
    ChainlinkText,
    /// Polymarket's books and price changes as columns, a row a level.
    PolymarketEvents,
}

impl Format {
    /// Every format, in order.
    pub const ALL: [Format; 10] = [
        Format::PolymarketBook,
        Format::PolymarketMarket,
        Format::L2Snapshots,
        Format::ChainlinkMarkets,
        Format::BinanceStream,
        Format::AlignedLadder,
        Format::TopOfBook,
        Format::KalshiFrames,
        Format::ChainlinkText,
        Format::PolymarketEvents,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::PolymarketBook => "polymarket-book",
            Format::PolymarketMarket => "polymarket-market",
            Format::L2Snapshots => "l2-snapshots",
            Format::ChainlinkMarkets => "chainlink-markets",
            Format::BinanceStream => "binance-stream",
            Format::AlignedLadder => "aligned-ladder",
            Format::TopOfBook => "top-of-book",
            Format::KalshiFrames => "kalshi-frames",
            Format::ChainlinkText => "chainlink-text",
            Format::PolymarketEvents => "polymarket-events",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|f| f.as_str() == text)
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|f| f.as_str()).collect();
                format!("{text:?} is no format; known are {}", known.join(", "))
            })
    }
}

/// What to import.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// What the files are.
    pub from: Format,
    /// The run to create; nothing may be there.
    pub out: PathBuf,
    /// Files and folders.
    pub files: Vec<PathBuf>,
    /// Rules for what the recording does not say.
    pub rules: Arc<Rulebook>,
}

/// A line that was not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In which file.
    pub file: PathBuf,
    /// Which line, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.why)
    }
}

/// What an import did.
#[derive(Debug, Clone, Default)]
pub struct ImportReport {
    /// Files read.
    pub files: usize,
    /// Files of the named folders that are no recordings and were left out.
    pub left_out: Vec<PathBuf>,
    /// Lines read.
    pub lines: u64,
    /// Good lines of the recording that carry nothing a run uses (klines, depth of a spot exchange).
    pub unused: u64,
    /// Records in the journal, listings and settings included.
    pub events: u64,
    /// Markets listed.
    pub markets: usize,
    /// Price feeds listed.
    pub oracles: usize,
    /// The first refused lines, at most [`REFUSED_NAMED`], in the order they were met.
    pub refused: Vec<Refusal>,
    /// How many lines were refused in all.
    pub refused_count: u64,
    /// Things to know about the journal (a file that ends early, sizes that were cut).
    pub notes: Vec<String>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The destination exists.
    #[error("{} exists; an import never overwrites: name another --out or remove it", path.display())]
    OutExists {
        /// Where.
        path: PathBuf,
    },
    /// The destination has no name.
    #[error("{} cannot become a run; name a new directory with --out", path.display())]
    OutUnusable {
        /// Where.
        path: PathBuf,
    },
    /// No files were found.
    #[error("there is no recording in the named files and folders; name at least one data file")]
    NoFiles,
    /// A file or folder cannot be read.
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
    /// Not one line was usable.
    #[error("none of {lines} lines is usable as {format}{}; is --from right?", first.as_ref().map(|r| format!(" (first: {r})")).unwrap_or_default())]
    NothingUsable {
        /// What was expected.
        format: Format,
        /// How many lines were read.
        lines: u64,
        /// The first refusal.
        first: Option<Box<Refusal>>,
    },
    /// The input is larger than an import takes.
    #[error("the recording is larger than one import takes ({} GiB once decoded); import it in parts", sort::MAX_TOTAL >> 30)]
    TooLarge,
    /// A market could not be numbered.
    #[error("the markets of the recording cannot be listed")]
    Catalog(#[from] CatalogError),
    /// The journal could not be written.
    #[error("the journal cannot be written")]
    Journal(#[from] JournalError),
}

pub(crate) fn io_error(op: &'static str, path: &Path, source: io::Error) -> ImportError {
    ImportError::Io {
        op,
        path: path.to_owned(),
        source,
    }
}

/// Turns recordings into a run. On an error nothing is left at `request.out`.
pub fn run(request: &ImportRequest) -> Result<ImportReport, ImportError> {
    run_metered(request, &Meter::default())
}

/// The same, moving a meter: by the bytes of the files that are read, then by the messages that are
/// written.
pub fn run_metered(request: &ImportRequest, meter: &Meter) -> Result<ImportReport, ImportError> {
    let out = &request.out;
    if out.symlink_metadata().is_ok() {
        return Err(ImportError::OutExists { path: out.clone() });
    }
    let Some(name) = out.file_name() else {
        return Err(ImportError::OutUnusable { path: out.clone() });
    };
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let listing = files::expand(&request.files)?;
    std::fs::create_dir_all(parent).map_err(|e| io_error("create", parent, e))?;
    let mut temp_name = std::ffi::OsString::from(".");
    temp_name.push(name);
    temp_name.push(format!(".importing-{}", std::process::id()));
    let temp = Scratch::create(parent.join(temp_name))?;
    let report = import_into(request, listing, &temp.0, meter)?;
    // An empty directory that appeared meanwhile would be replaced, anything else is refused.
    std::fs::rename(temp.0.join("run"), out).map_err(|e| io_error("name", out, e))?;
    crate::journal::sync_dir(parent)?;
    Ok(report)
}

fn import_into(
    request: &ImportRequest,
    listing: files::Listing,
    temp: &Path,
    meter: &Meter,
) -> Result<ImportReport, ImportError> {
    let format = request.from;
    let rules = Arc::clone(&request.rules);
    let mut intake = Intake::new(format, temp, listing.files.clone(), rules);
    if rulebook::built_in().ok().as_ref() != Some(&*request.rules) {
        // With other rules it is another run.
        intake.digest.update(format!("{:?}", request.rules));
    }
    meter.restart(Counts::Bytes);
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
    meter.expect(listing.files.iter().map(size).sum());
    for (index, path) in listing.files.iter().enumerate() {
        let mut lines = files::Lines::open(path, meter)?;
        intake.begin_file(index, path);
        match format {
            Format::PolymarketBook | Format::PolymarketMarket => {
                frames::read(&mut lines, &mut intake)?;
            }
            Format::L2Snapshots => l2::read(&mut lines, &mut intake)?,
            Format::ChainlinkMarkets => chainlink::read(&mut lines, &mut intake)?,
            Format::BinanceStream => binance::read(&mut lines, &mut intake)?,
            Format::AlignedLadder => ladder::read(&mut lines, &mut intake)?,
            Format::TopOfBook => top::read(&mut lines, &mut intake)?,
            Format::KalshiFrames => kalshi::read(&mut lines, &mut intake)?,
            Format::ChainlinkText => text::read(&mut lines, &mut intake)?,
            Format::PolymarketEvents => events::read(&mut lines, &mut intake)?,
        }
        intake.lines += lines.line();
    }
    let mut report = emit::emit(intake, &temp.join("run"), meter)?;
    report.files = listing.files.len();
    report.left_out = listing.left_out;
    Ok(report)
}

/// A directory that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn create(path: PathBuf) -> Result<Self, ImportError> {
        std::fs::create_dir(&path).map_err(|e| io_error("create", &path, e))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: what stays is hidden, named after the run, and harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
