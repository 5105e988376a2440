//! The words of `report`, `trades` and `trade`.

use super::{Places, parse_duration};
use crate::report::By;
use clap::{Args, ValueEnum};
use pm_arb_core::ids::Timestamp;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

const REPORT_EXAMPLES: &str = "\
Examples:
  pm-arb report --days 7 --by strategy
  pm-arb report --since 2026-11-01 --strategy oracle-sniper --by time-left
  pm-arb report --run latest --format json
  pm-arb report --days 30 --format parquet --out trades.parquet

table and json hold the verdict and every figure; csv and parquet hold the rows behind them.";

/// `pm-arb report`
#[derive(Debug, Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub struct ReportArgs {
    /// Of the last N days (1, unless --since or --run says otherwise).
    #[arg(long, value_name = "N", conflicts_with = "since", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: Option<u32>,
    /// Which trades.
    #[command(flatten)]
    pub which: Which,
    /// Break the result down.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub by: Option<By>,
    /// How the answer is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Write there instead of to standard output; a file of that name is replaced.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
}

/// Which trades an answer is about.
#[derive(Debug, Args)]
pub struct Which {
    /// Made or stored since then: 2026-11-01, 2026-11-01T09:30:00Z, 7d, 12h.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Of one strategy, by name.
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// Of one run: its id or the beginning of it, its folder, or `latest`.
    #[arg(long, value_name = "ID|FOLDER|latest")]
    pub run: Option<String>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Text for people.
    Table,
    /// Figures for programs.
    Json,
    /// The rows, as text.
    Csv,
    /// The rows, typed and compressed.
    Parquet,
}

const TRADES_EXAMPLES: &str = "\
Examples:
  pm-arb trades
  pm-arb trades --status rejected --since 2h --limit 100
  pm-arb trades --strategy oracle-sniper --run latest --format csv";

/// `pm-arb trades`
#[derive(Debug, Args)]
#[command(after_help = TRADES_EXAMPLES)]
pub struct TradesArgs {
    /// At most so many, newest first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// In that state.
    #[arg(long, value_enum, value_name = "STATE")]
    pub status: Option<Status>,
    /// Which trades.
    #[command(flatten)]
    pub which: Which,
    /// How the answer is written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = TradesFormat::Table)]
    pub format: TradesFormat,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
}

/// State of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Status {
    /// Held.
    Open,
    /// Sold.
    Closed,
    /// Settled.
    Resolved,
    /// Refused by risk or by the market.
    Rejected,
}

impl Status {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Closed => "closed",
            Status::Resolved => "resolved",
            Status::Rejected => "rejected",
        }
    }
}

/// How trades are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TradesFormat {
    /// A line each.
    Table,
    /// Everything stored of each.
    Json,
    /// The same as text.
    Csv,
}

/// `pm-arb trade`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pm-arb trade 3ad67c5f\n  pm-arb trade 3ad67c5f --json")]
pub struct TradeArgs {
    /// Id of a row, or the beginning of it as `pm-arb trades` prints it.
    #[arg(value_name = "ID", value_parser = parse_id)]
    pub id: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
}

/// Hex digits and dashes, as in an id.
fn parse_id(text: &str) -> Result<String, String> {
    let is_id = |c: char| c.is_ascii_hexdigit() || c == '-';
    if text.is_empty() || text.len() > 36 || !text.chars().all(is_id) {
        return Err("an id has hex digits and dashes; `pm-arb trades` lists them".into());
    }
    Ok(text.to_ascii_lowercase())
}

/// The beginning of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long before now.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl Since {
    /// The instant.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Since::At(at) => at,
            Since::Ago(span) => {
                let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
                Timestamp(now.0.saturating_sub(span))
            }
        }
    }
}

impl FromStr for Since {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no time; write for example 2026-11-01, 2026-11-01T09:30:00Z, 7d or 12h"
            )
        };
        // A bare number could be seconds or a year: it must say which.
        let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
        if has_unit && let Ok(ago) = parse_duration(text) {
            return Ok(Since::Ago(ago));
        }
        let at = text.parse::<jiff::Timestamp>().or_else(|_| {
            let day: jiff::civil::Date = text.parse()?;
            day.to_zoned(jiff::tz::TimeZone::UTC).map(|z| z.timestamp())
        });
        let ns = at.map_err(|_| wrong())?.as_nanosecond();
        u64::try_from(ns)
            .map(|ns| Since::At(Timestamp(ns)))
            .map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_periods() {
        let now = Timestamp(1_790_000_000_000_000_000);
        for (text, at) in [
            ("7d", now.0 - 604_800_000_000_000),
            ("2h", now.0 - 7_200_000_000_000),
            ("99999d", 0),
            ("1970-01-02", 86_400_000_000_000),
            ("1970-01-01T00:00:01Z", 1_000_000_000),
            ("1970-01-01T02:00:01+02:00", 1_000_000_000),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.at(now).0, at, "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "1969-12-31",
            "7",
            "-7d",
            "7w",
            "2026",
            "d",
        ] {
            let error = text.parse::<Since>().unwrap_err();
            assert!(error.contains("2026-11-01"), "{text}: {error}");
        }
    }

    #[test]
    fn ids_of_rows() {
        assert_eq!(parse_id("0A1b-").unwrap(), "0a1b-");
        for text in ["", "xyz", "%", "0123456789012345678901234567890123456"] {
            assert!(parse_id(text).is_err(), "{text}");
        }
    }
}
