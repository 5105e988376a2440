//! The summary as the database counts it: the same numbers as the engine's own tally.

use pm_arb_core::report::Summary;
use pm_arb_core::units::Usd;

/// One opportunity type of the trades, or one reason of the rejections: of those with rows, or of those
/// that are only counted.
#[derive(Debug)]
pub(super) struct Line {
    rejected: bool,
    name: String,
    rows: u64,
    open: u64,
    wins: u64,
    losses: u64,
    pnl: Usd,
}

impl Line {
    /// From a row of the counting query, with its P&L in millionths.
    pub fn of<R>(row: &R, pnl: i64) -> Result<Self, sqlx::Error>
    where
        R: sqlx::Row,
        for<'c> &'c str: sqlx::ColumnIndex<R>,
        for<'c> i64: sqlx::Decode<'c, R::Database> + sqlx::Type<R::Database>,
        for<'c> bool: sqlx::Decode<'c, R::Database> + sqlx::Type<R::Database>,
        for<'c> String: sqlx::Decode<'c, R::Database> + sqlx::Type<R::Database>,
    {
        let count = |name: &str| -> Result<u64, sqlx::Error> {
            u64::try_from(row.try_get::<i64, _>(name)?).map_err(|e| sqlx::Error::Decode(e.into()))
        };
        Ok(Self {
            rejected: row.try_get("rejected")?,
            name: row.try_get("name")?,
            rows: count("rows")?,
            open: count("open")?,
            wins: count("wins")?,
            losses: count("losses")?,
            pnl: Usd(pnl),
        })
    }
}

/// Adds the lines up.
pub(super) fn of(lines: Vec<Line>) -> Result<Summary, sqlx::Error> {
    let mut summary = Summary::default();
    for line in lines {
        if line.rejected {
            summary.rejections += line.rows;
            // Rows and counts of one reason are two lines.
            let reasons = &mut summary.rejections_by_reason;
            match reasons.iter_mut().find(|(name, _)| *name == line.name) {
                Some((_, rows)) => *rows += line.rows,
                None => reasons.push((line.name, line.rows)),
            }
            continue;
        }
        summary.total_trades += line.rows;
        summary.open_trades += line.open;
        summary.closed_trades += line.wins + line.losses;
        summary.wins += line.wins;
        summary.losses += line.losses;
        summary.realized_pnl = summary
            .realized_pnl
            .checked_add(line.pnl)
            .ok_or_else(|| sqlx::Error::Decode("the sum of all P&L overflows".into()))?;
        summary.by_type.push((line.name, line.rows, line.pnl));
    }
    // Databases sort text by their own collation; the order here is the engine's.
    summary.by_type.sort_by(|a, b| a.0.cmp(&b.0));
    summary
        .rejections_by_reason
        .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(summary)
}
