//! Alerts, kept: a row each, so that what became of a strategy is found beside what it traded.
//!
//! Owns the table of migration 0006. What a flood can repeat with every event is not kept here; it is in the
//! log, and counted.

use super::field::row;
use super::grading::Table;
use pm_arb_core::effect::{Alert, AlertLevel};
use pm_arb_core::ids::{Seq, Timestamp};
use uuid::Uuid;

/// Codes that may come with every event.
const FLOODS: [&str; 2] = ["INTENTS_DROPPED", "NOTICE_DROPPED"];
/// Characters of a text that are kept.
const TEXT_MAX: usize = 2_000;

row! {
    /// A row of `paper_alerts`.
    pub struct StoredAlert {
        /// Derived from run, record, code and text.
        id: Uuid,
        /// The run it belongs to.
        run_id: Uuid,
        /// The journal record that led to it.
        seq: Seq,
        /// When, in the run's time.
        at_ns: Timestamp,
        /// "info", "warning" or "critical".
        level: String,
        /// Stable short code.
        code: String,
        /// In words.
        text: String,
    }
}

impl Table for StoredAlert {
    const NAME: &'static str = "paper_alerts";
    const KEY: &'static [&'static str] = &["id"];
    const REPLACED: bool = false;
}

impl StoredAlert {
    pub(super) fn of(run_id: Uuid, cause: Seq, alert: &Alert) -> Self {
        let whole = format!("{cause} {} {}", alert.code, alert.text);
        let level = match alert.level {
            AlertLevel::Info => "info",
            AlertLevel::Warning => "warning",
            AlertLevel::Critical => "critical",
        };
        Self {
            id: Uuid::new_v5(&run_id, whole.as_bytes()),
            run_id,
            seq: cause,
            at_ns: alert.at,
            level: level.to_owned(),
            code: alert.code.clone(),
            text: alert.text.chars().take(TEXT_MAX).collect(),
        }
    }
}

/// Whether it has a row.
pub(super) fn is_kept(alert: &Alert) -> bool {
    !FLOODS.contains(&alert.code.as_str())
}
