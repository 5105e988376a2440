//! Equity over time: a row a minute, read back as a curve of few points.
//!
//! Owns the table of migration 0004. A row is what the engine told at the first record of a minute, so a
//! database built anew from the journal has the same rows.

use super::analysis::{time, uuid};
use super::ask::{self, Bind, Columns};
use super::field::row;
use super::grading::Table;
use super::{Store, StoreError};
use pm_arb_core::effect::EquitySample;
use pm_arb_core::ids::{Nanos, Seq, Timestamp};
use pm_arb_core::units::Usd;
use uuid::Uuid;

/// Most points of a curve; a longer time has fewer points an hour.
pub const EQUITY_POINTS_MAX: u64 = 500;

const MINUTE: u64 = Nanos::from_ms(60_000).0;

row! {
    /// A row of `paper_equity`.
    pub struct StoredEquity {
        /// The run it belongs to.
        run_id: Uuid,
        /// Start of the minute.
        minute_ns: Timestamp,
        /// The first journal record of the minute.
        seq: Seq,
        /// Everything, positions at the lower of cost and bid.
        equity: Usd,
        /// The highest equity that the limit on drawdown knew.
        high_water: Usd,
        /// Free.
        cash: Usd,
        /// Set aside for orders.
        reserved: Usd,
        /// Positions at cost, without fees.
        locked: Usd,
        /// Fees paid.
        fees: Usd,
        /// Gains of sales and settlements, before fees.
        realised: Usd,
    }
}

impl Table for StoredEquity {
    const NAME: &'static str = "paper_equity";
    const KEY: &'static [&'static str] = &["run_id", "minute_ns"];
    const REPLACED: bool = false;
}

impl StoredEquity {
    pub(super) fn of(run_id: Uuid, cause: Seq, sample: &EquitySample) -> Self {
        Self {
            run_id,
            minute_ns: sample.minute,
            seq: cause,
            equity: sample.equity,
            high_water: sample.high_water,
            cash: sample.cash,
            reserved: sample.reserved,
            locked: sample.locked,
            fees: sample.fees,
            realised: sample.realised,
        }
    }
}

/// A point of a curve: the last minute of a span, and the lowest equity within the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EquityPoint {
    /// Start of the minute.
    pub minute: Timestamp,
    /// Everything, positions at the lower of cost and bid.
    pub equity: Usd,
    /// The least it was since the point before.
    pub lowest: Usd,
    /// The highest equity that the limit on drawdown knew.
    pub high_water: Usd,
    /// Free.
    pub cash: Usd,
    /// Set aside for orders.
    pub reserved: Usd,
    /// Positions at cost, without fees.
    pub locked: Usd,
    /// Fees paid.
    pub fees: Usd,
    /// Gains of sales and settlements, before fees.
    pub realised: Usd,
}

impl Store {
    /// The curve of a run from `since` on (zero for all of it), oldest first, at most
    /// [`EQUITY_POINTS_MAX`] points; of the run that began last when none is named.
    pub async fn equity(
        &self,
        run_id: Option<Uuid>,
        since: Timestamp,
    ) -> Result<Vec<EquityPoint>, StoreError> {
        const WHAT: &str = "equity over time";
        let r = &self.readers;
        let run_id = match run_id {
            Some(id) => id,
            None => {
                let newest = "SELECT @run_id FROM runs ORDER BY created_ns DESC, run_id LIMIT 1";
                let found = ask::all(r, WHAT, newest, &[], |c| uuid(&c.text()?)).await?;
                let Some(newest) = found.into_iter().next() else {
                    return Ok(Vec::new());
                };
                newest
            }
        };
        let of_run = [
            Bind::Text(Some(run_id.to_string())),
            Bind::Int(i64::try_from(since.0).unwrap_or(i64::MAX)),
        ];
        let ends = ask::all(r, WHAT, ENDS, &of_run, |c| {
            Ok(c.maybe_int()?.zip(c.maybe_int()?))
        });
        let Some((first, last)) = ends.await?.into_iter().flatten().next() else {
            return Ok(Vec::new());
        };
        let width = i64::try_from(width(time(first), time(last))).unwrap_or(i64::MAX);
        let binds = [of_run.to_vec(), vec![Bind::Int(width)]].concat();
        ask::all(r, WHAT, CURVE, &binds, point).await
    }
}

/// How long a span is of which one point is kept: whole minutes, so many that the points are few enough.
fn width(first: Timestamp, last: Timestamp) -> u64 {
    // Spans begin at multiples of their width, so that the ends may need one span more.
    let minutes = last.0.saturating_sub(first.0) / MINUTE + 1;
    MINUTE.saturating_mul(minutes.div_ceil(EQUITY_POINTS_MAX - 1).max(1))
}

const ENDS: &str = "SELECT MIN(minute_ns), MAX(minute_ns) FROM paper_equity
    WHERE @run_id = $1 AND minute_ns >= $2";

const CURVE: &str = "SELECT e.minute_ns, #e.equity, s.lowest, #e.high_water, #e.cash, #e.reserved,
      #e.locked, #e.fees, #e.realised
    FROM (SELECT MAX(minute_ns) AS last_ns, MIN(#equity) AS lowest FROM paper_equity
          WHERE @run_id = $1 AND minute_ns >= $2 GROUP BY minute_ns / $3) s
    JOIN paper_equity e ON @e.run_id = $1 AND e.minute_ns = s.last_ns
    ORDER BY e.minute_ns";

fn point(c: &mut dyn Columns) -> Result<EquityPoint, sqlx::Error> {
    Ok(EquityPoint {
        minute: time(c.int()?),
        equity: Usd(c.int()?),
        lowest: Usd(c.int()?),
        high_water: Usd(c.int()?),
        cash: Usd(c.int()?),
        reserved: Usd(c.int()?),
        locked: Usd(c.int()?),
        fees: Usd(c.int()?),
        realised: Usd(c.int()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_of_any_length_has_few_points() {
        for minutes in [1u64, 2, 499, 500, 501, 1_440, 60 * 24 * 365] {
            for first in [0, 1, 498, 777_777] {
                let at = |minute: u64| Timestamp((first + minute) * MINUTE);
                let width = width(at(0), at(minutes - 1));
                assert_eq!(width % MINUTE, 0);
                let spans = at(minutes - 1).0 / width - at(0).0 / width + 1;
                assert!(spans <= EQUITY_POINTS_MAX, "{minutes} {first}: {spans}");
                assert!(minutes > EQUITY_POINTS_MAX - 1 || width == MINUTE);
            }
        }
    }
}
