//! `pm-arb report`: what the trades came to, as text and as JSON.
//!
//! ```text
//! store ─► Fold ─► Figures ─┐
//! store ─► Summary, markets ┴─► Report ─► render (text) | json
//! store ─► each row ──────────► export (csv, parquet)
//! ```
//!
//! Owns the questions a report answers, their figures, their wording and layout. Profit and loss holds
//! settled and closed trades only. Nothing here writes to a database.

mod by;
/// Rows for other programs.
pub mod export;
/// Rows become figures.
pub mod fold;
/// Why naive and honest differ.
pub mod gap;
mod json;
/// Trades in a list.
pub mod list;
/// One trade whole.
pub mod page;
/// Whether a row follows from what is stored with it.
pub mod recheck;
mod sections;
/// Columns under headings.
pub(crate) mod table;
pub(crate) mod text;
/// Whether there is an edge.
pub mod verdict;

pub use by::By;
pub use json::json;
pub(crate) use text::cut_middle;
pub use text::{Style, folded, signed, tame};

use crate::store::analysis::{Count, Filter, MarketState};
use crate::store::{Store, StoreError};
use fold::{Figures, Fold};
use pm_arb_core::ids::{Nanos, Timestamp};
use pm_arb_core::report::Summary;
use std::fmt::Write as _;
use text::minute;

/// Which time a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Trades made or stored since then count; zero for all.
    pub since: Timestamp,
    /// When the report was made.
    pub now: Timestamp,
    /// How many days of 24 hours that is, when it was asked so.
    pub days: Option<u32>,
}

impl Period {
    /// The last `days` times 24 hours before `now`.
    #[must_use]
    pub fn last_days(days: u32, now: Timestamp) -> Self {
        const DAY: Nanos = Nanos::from_ms(86_400_000);
        let span = DAY.0.saturating_mul(u64::from(days));
        Self {
            since: Timestamp(now.0.saturating_sub(span)),
            now,
            days: Some(days),
        }
    }

    /// From an instant on; zero for everything there is.
    #[must_use]
    pub fn since(since: Timestamp, now: Timestamp) -> Self {
        Self {
            since,
            now,
            days: None,
        }
    }

    fn text(&self) -> String {
        let since = minute(self.since);
        match self.days {
            Some(1) => format!("Period: last 1 day (since {since})"),
            Some(days) => format!("Period: last {days} days (since {since})"),
            None if self.since.0 == 0 => "Period: everything".to_owned(),
            None => format!("Period: since {since}"),
        }
    }
}

/// Everything a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Of which time.
    pub period: Period,
    /// Of which run and strategy.
    pub filter: Filter,
    /// Counts and sums.
    pub summary: Summary,
    /// What follows from them.
    pub figures: Figures,
    /// Every market with trades.
    pub markets: Vec<MarketState>,
    /// What happened that has no row.
    pub counts: Vec<Count>,
}

impl Report {
    /// The counts and sums alone, as a pilot knows them when it ends.
    #[must_use]
    pub fn brief(summary: Summary, period: Period) -> Self {
        Self {
            period,
            filter: Filter::default(),
            summary,
            figures: Fold::new(None).figures(),
            markets: Vec::new(),
            counts: Vec::new(),
        }
    }
}

/// Reads what a report needs. Its memory grows with the markets that were traded, not with the trades.
pub async fn gather(
    store: &Store,
    filter: Filter,
    period: Period,
    by: Option<By>,
) -> Result<Report, StoreError> {
    let summary = store.summary_by(&filter).await?;
    let mut fold = Fold::new(by);
    store.fills(&filter, |fill| fold.fill(fill)).await?;
    store
        .wishes(&filter, |leg| {
            fold.wish(leg);
            Ok(())
        })
        .await?;
    Ok(Report {
        markets: store.market_states(&filter).await?,
        counts: store.counts(&filter).await?,
        period,
        filter,
        summary,
        figures: fold.figures(),
    })
}

/// The report as text, ending in a line break.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut lines = vec![
        format!("PAPER TRADING REPORT  {}", minute(report.period.now)),
        report.period.text(),
    ];
    lines.extend(report.filter.run_id.map(|id| format!("Run: {id}")));
    let strategy = report.filter.strategy.as_deref();
    lines.extend(strategy.map(|name| format!("Strategy: {}", text::tame(name))));
    lines.extend(sections::all(report, style));
    let mut text = String::new();
    for line in lines {
        // Writing to a String can not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
