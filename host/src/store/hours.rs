//! Refusals by hour: rows and counted denials together.
//!
//! Owns that one question. A denial beyond the number stored one by one has no row, only a count a minute.

use super::ask::{self, Bind};
use super::{Store, StoreError};
use pm_arb_core::ids::Timestamp;
use std::collections::BTreeMap;

/// Nanoseconds of an hour.
const HOUR_NS: i64 = 3_600_000_000_000;

/// Refusals of one reason in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenialBucket {
    /// Start of the hour, in the run's time.
    pub hour: Timestamp,
    /// The code.
    pub reason: String,
    /// Legs that were refused.
    pub legs: u64,
}

impl Store {
    /// Refused legs by hour and reason, of the `hours` that end with the newest refusal. Time is that of
    /// the runs: a recording of April is refused in April.
    pub async fn denials_by_hour(&self, hours: u32) -> Result<Vec<DenialBucket>, StoreError> {
        const WHAT: &str = "refusals by hour";
        let newest = "SELECT max(n) FROM (
             SELECT max(t.created_ns) AS n FROM paper_trades t WHERE t.status = 'rejected'
             UNION ALL SELECT max(d.minute_ns) FROM paper_denials d) AS ends";
        let newest = ask::all(&self.readers, WHAT, newest, &[], |c| c.maybe_int()).await?;
        let Some(newest) = newest.into_iter().flatten().next() else {
            return Ok(Vec::new());
        };
        let begin = (newest / HOUR_NS + 1).saturating_sub(i64::from(hours)) * HOUR_NS;
        let template = "SELECT t.created_ns / 3600000000000, t.risk_rejection_reason, count(*)
             FROM paper_trades t WHERE t.status = 'rejected' AND t.created_ns >= $1 GROUP BY 1, 2
             UNION ALL
             SELECT d.minute_ns / 3600000000000, d.reason, CAST(sum(d.legs) AS BIGINT)
             FROM paper_denials d WHERE d.minute_ns >= $1 GROUP BY 1, 2";
        let mut hours: BTreeMap<(i64, String), u64> = BTreeMap::new();
        let read = |c: &mut dyn ask::Columns| Ok(((c.int()?, c.text()?), c.int()?));
        let binds = [Bind::Int(begin)];
        ask::each(
            &self.readers,
            WHAT,
            template,
            &binds,
            read,
            |(key, legs)| {
                let sum = hours.entry(key).or_default();
                *sum = sum.saturating_add(u64::try_from(legs).unwrap_or_default());
                Ok(())
            },
        )
        .await?;
        let bucket = |((hour, reason), legs)| DenialBucket {
            hour: super::analysis::time(hour * HOUR_NS),
            reason,
            legs,
        };
        Ok(hours
            .into_iter()
            .filter(|(_, legs)| *legs > 0)
            .map(bucket)
            .collect())
    }
}
