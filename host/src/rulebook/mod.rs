//! Rulebooks as files: the built-in one, and those a user adds.
//!
//! Reads TOML strictly into the core's [`Rulebook`]: an unknown key, a value that does not fit, a date
//! out of order or twice is an error that names the file, the line, the row and the key. Nothing of a
//! file with an error is used. Rows of a later file stand beside those of the earlier ones, and replace
//! those of the same table, subject and date (docs/rules.md).

mod rows;
mod value;

pub(crate) use value::parse_time;

use pm_arb_core::ids::Timestamp;
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::rulebook::Rulebook;
use pm_arb_core::units::Usd;
use std::path::{Path, PathBuf};

/// The rules that come with the program.
const BUILT_IN: &str = include_str!("../../../rules/venues.toml");
/// Its name in errors.
const BUILT_IN_NAME: &str = "rules/venues.toml (built in)";
/// Largest file.
const FILE_MAX: u64 = 4 << 20;
/// Most files.
const FILES_MAX: usize = 64;
/// Most rows of a file.
const ROWS_MAX: usize = 10_000;
/// The layout of files that this program reads.
const SCHEMA: i64 = 1;

/// Why rules were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file can not be read.
    #[error("cannot read the rules {}; check the path given to --rules or under [rules]", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is too large.
    #[error("the rules {} are larger than {} MiB; split them", path.display(), FILE_MAX >> 20)]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// There are too many files.
    #[error("{0} files of rules are too many; the most is {FILES_MAX}")]
    TooMany(usize),
    /// A file is no TOML, or has tables that no rules have.
    #[error("{file}: {source}")]
    Parse {
        /// Which.
        file: String,
        /// Where and why, with the line.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A file was written for another program.
    #[error("{file}: schema = {found} is not known; this pm-arb reads schema = {SCHEMA}")]
    Schema {
        /// Which.
        file: String,
        /// What it says.
        found: i64,
    },
    /// A file has too many rows.
    #[error("{file}: more than {ROWS_MAX} rows; split it or leave out what is over")]
    Long {
        /// Which.
        file: String,
    },
    /// A row is not usable.
    #[error("{file}:{line}: [[{table}]] row {row}: {why}")]
    Row {
        /// Which file.
        file: String,
        /// Where it begins.
        line: usize,
        /// In which table.
        table: &'static str,
        /// Which row of that table, from 1.
        row: usize,
        /// Which key, and what is wrong with it.
        why: String,
    },
}

/// A book, and the day on which markets are listed by it.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The book.
    pub book: &'a Rulebook,
    /// Nothing is listed earlier: now, for live markets; zero for recordings of unknown time.
    pub since: Timestamp,
}

impl<'a> Rules<'a> {
    /// Rules for recordings: those of each market's own day.
    #[must_use]
    pub fn of_its_day(book: &'a Rulebook) -> Self {
        Self {
            book,
            since: Timestamp(0),
        }
    }

    /// The day whose rules a market gets: that of its opening, or the present one when it is open
    /// already. A market without opening that is listed at an unknown time gets those of its end.
    #[must_use]
    pub fn day_of(&self, opens_at: Timestamp, closes_at: Timestamp) -> Timestamp {
        match opens_at.max(self.since) {
            Timestamp(0) => closes_at,
            day => day,
        }
    }
}

/// The built-in rules with those of `files` on top, in that order.
pub fn load(files: &[PathBuf]) -> Result<Rulebook, RulesError> {
    if files.len() > FILES_MAX {
        return Err(RulesError::TooMany(files.len()));
    }
    let mut book = built_in()?;
    for path in files {
        let text = read(path)?;
        rows::add(&mut book, &text, Some(&path.display().to_string()))?;
    }
    Ok(book)
}

/// The rules that come with the program.
pub fn built_in() -> Result<Rulebook, RulesError> {
    let mut book = Rulebook::default();
    rows::add(&mut book, BUILT_IN, None)?;
    Ok(book)
}

/// A fee as a formula: `p` is the price of a share.
#[must_use]
pub fn fee_in_words(fee: &FeeSchedule) -> String {
    let rate = |ppm: u32| Usd(ppm.into());
    match *fee {
        FeeSchedule::Free => "free".to_owned(),
        FeeSchedule::Unknown => "unknown".to_owned(),
        FeeSchedule::Quadratic {
            rate_ppm,
            step,
            round_up,
        } => {
            let way = if round_up { "up" } else { "down" };
            format!("{} × p × (1 − p), {way} to {}", rate(rate_ppm), rate(step))
        }
        FeeSchedule::QuadraticSquared { rate_ppm } => {
            format!("p × {} × (p × (1 − p))², down to 0.0001", rate(rate_ppm))
        }
    }
}

fn read(path: &Path) -> Result<String, RulesError> {
    let error = |source| RulesError::Read {
        path: path.into(),
        source,
    };
    if std::fs::metadata(path).map_err(error)?.len() > FILE_MAX {
        return Err(RulesError::TooLarge { path: path.into() });
    }
    std::fs::read_to_string(path).map_err(error)
}

#[cfg(test)]
mod tests;
