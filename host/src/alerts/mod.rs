//! What a person should know, kept for the dashboard and, where configured, sent outward.
//!
//! ```text
//! engine's alerts ─► AlertBoard ─► the last ones, for pages and API
//! vitals' judge  ──►     └──────► an Inbox a target ─► its worker ─► webhook, Telegram, Discord, Slack, ntfy
//! ```
//!
//! Owns the board, the targets and everything that goes out: alerts, one digest a day, the ping of the
//! dead man's switch. Raising an alert never waits for anybody. Secrets come from the environment or
//! from files, and stand in no log, error, page or answer.

/// `[alerts]`
pub mod config;
/// The ping of the dead man's switch.
pub mod dead_man;
/// One message a day.
pub mod digest;
/// What waits for a target.
pub mod inbox;
/// The agent.
pub mod notifier;
/// What each kind of target is sent.
pub mod payload;
/// One target's worker.
pub mod target;

use crate::clock::Clock;
use crate::snapshot::Instant;
use inbox::Inbox;
use pm_arb_core::effect::{Alert, AlertLevel};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use utoipa::ToSchema;

/// Alerts kept for pages.
pub const RECENT: usize = 50;
/// Longest text of an alert, in characters.
const TEXT_MAX: usize = 500;

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Critical,
}

impl Level {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something that happened, or that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// Urgency; of something that is over, the urgency it had.
    pub level: Level,
    /// Stable short code.
    pub code: String,
    /// Which of several things of that code; empty when there is only one.
    pub about: String,
    /// In words.
    pub text: String,
    /// When, by the wall clock; of several, the last time.
    pub at: Instant,
    /// Whether it says that something is over.
    pub over: bool,
    /// How often it was said since it was first kept.
    pub count: u64,
}

impl Notice {
    /// Of now, once. The text is tamed: titles and logs of others stand in it.
    #[must_use]
    pub fn new(level: Level, code: &str, about: &str, text: &str) -> Self {
        Self {
            level,
            code: code.to_owned(),
            about: tame(about),
            text: tame(text),
            at: Instant(Clock::utc().now()),
            over: false,
            count: 1,
        }
    }

    /// The same as the end of what was told under its code.
    #[must_use]
    pub fn over(mut self) -> Self {
        self.over = true;
        self
    }

    /// What the engine says. Its time may run faster; people live by the wall.
    #[must_use]
    pub fn of_engine(alert: &Alert) -> Self {
        let level = match alert.level {
            AlertLevel::Info => Level::Info,
            AlertLevel::Warning => Level::Warning,
            AlertLevel::Critical => Level::Critical,
        };
        match alert.code.as_str() {
            // Whoever was told of the halt is told of its end.
            "RESUMED" => Self::new(
                Level::Critical,
                "HALTED",
                "",
                &format!("resumed: {}", alert.text),
            )
            .over(),
            code => Self::new(level, code, "", &alert.text),
        }
    }

    fn is_same_as(&self, other: &Notice) -> bool {
        self.code == other.code && self.about == other.about && self.over == other.over
    }
}

/// On one line, without characters that control anything, and not longer than it may be.
#[must_use]
pub fn tame(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let line: String = text
        .chars()
        .map(|c| if hidden(c) { ' ' } else { c })
        .take(TEXT_MAX)
        .collect();
    line.trim().to_owned()
}

#[derive(Debug, Default)]
struct Kept {
    recent: VecDeque<Notice>,
    inboxes: Vec<Arc<Inbox>>,
}

/// Where alerts are raised: shared, never waited for.
#[derive(Debug, Clone, Default)]
pub struct AlertBoard(Arc<Mutex<Kept>>);

impl AlertBoard {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps it and puts it into every inbox. One that only repeats the last one raises its count.
    pub fn raise(&self, notice: Notice) {
        let mut kept = self.lock();
        for inbox in &kept.inboxes {
            inbox.offer(&notice);
        }
        if let Some(last) = kept
            .recent
            .back_mut()
            .filter(|last| last.is_same_as(&notice))
        {
            let count = last.count.saturating_add(notice.count);
            *last = Notice { count, ..notice };
            return;
        }
        if kept.recent.len() >= RECENT {
            kept.recent.pop_front();
        }
        kept.recent.push_back(notice);
    }

    /// The last ones, newest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Notice> {
        self.lock().recent.iter().rev().cloned().collect()
    }

    /// From now on, what is raised is put there as well.
    pub fn subscribe(&self, inbox: Arc<Inbox>) {
        self.lock().inboxes.push(inbox);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_and_the_oldest_are_forgotten() {
        let board = AlertBoard::default();
        for n in 0..RECENT + 10 {
            for _ in 0..3 {
                board.raise(Notice::new(Level::Info, "CODE", &n.to_string(), "text"));
            }
        }
        let recent = board.recent();
        assert_eq!(recent.len(), RECENT);
        assert_eq!((recent[0].about.as_str(), recent[0].count), ("59", 3));
        assert_eq!(recent[RECENT - 1].about, "10");
    }

    #[test]
    fn text_of_others_can_not_control_anything() {
        let hostile = "a\nb\u{1b}[31m\u{202e}c\r\u{200b}d";
        assert_eq!(tame(hostile), "a b [31m c  d");
        assert_eq!(tame(&"x".repeat(10_000)).len(), TEXT_MAX);
    }

    #[test]
    fn the_end_of_a_halt_is_as_urgent_as_the_halt() {
        let alert = Alert {
            level: AlertLevel::Info,
            code: "RESUMED".into(),
            text: "looked at it".into(),
            at: pm_arb_core::ids::Timestamp(0),
        };
        let notice = Notice::of_engine(&alert);
        assert!(notice.over && notice.level == Level::Critical && notice.code == "HALTED");
    }
}
