//! What waits for one target: bounded, equal codes together, the newest words of each.
//!
//! A code that was told of not long ago waits until its quiet time is over and is then told of once,
//! with the number of times. What does not fit is counted, and the next message says how many.

use super::{Level, Notice};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Codes (with what they are about) that may wait; one more is counted as lost.
pub const CODES_MAX: usize = 32;
/// Codes whose last telling is remembered; one more forgets the oldest.
const TOLD_MAX: usize = 256;

/// How long a code that was told of is not told of again.
#[derive(Debug, Clone, Copy)]
pub struct Quiet {
    /// Of what is not critical.
    pub other: Duration,
    /// Of what is.
    pub critical: Duration,
}

impl Default for Quiet {
    fn default() -> Self {
        Self {
            other: Duration::from_secs(600),
            critical: Duration::from_secs(60),
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    /// In order of arrival.
    notices: Vec<Notice>,
    digest: Option<String>,
    told: BTreeMap<(String, String, bool), Instant>,
    lost: u64,
}

impl Waiting {
    /// With those of its kind, or at the end, or counted as lost.
    fn add(&mut self, notice: Notice) {
        if let Some(same) = self.notices.iter_mut().find(|n| n.is_same_as(&notice)) {
            let count = same.count.saturating_add(notice.count);
            *same = Notice { count, ..notice };
        } else if self.notices.len() < CODES_MAX {
            self.notices.push(notice);
        } else {
            self.lost = self.lost.saturating_add(notice.count);
        }
    }
}

/// What one message is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Letter {
    /// Alerts, in order of arrival.
    pub notices: Vec<Notice>,
    /// The day's digest.
    pub digest: Option<String>,
    /// Alerts that will never be told of.
    pub lost: u64,
}

impl Letter {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.notices.is_empty() && self.digest.is_none()
    }

    /// Alerts in it, repeats counted.
    #[must_use]
    pub fn alerts(&self) -> u64 {
        self.notices.iter().map(|notice| notice.count).sum()
    }
}

/// See the top of the file.
#[derive(Debug)]
pub struct Inbox {
    level: Level,
    quiet: Quiet,
    waiting: Mutex<Waiting>,
    /// Something came.
    pub arrived: Notify,
}

impl Inbox {
    /// For alerts of at least that level.
    #[must_use]
    pub fn new(level: Level, quiet: Quiet) -> Self {
        Self {
            level,
            quiet,
            waiting: Mutex::default(),
            arrived: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it in; never waits.
    pub fn offer(&self, notice: &Notice) {
        if notice.level < self.level {
            return;
        }
        self.lock().add(notice.clone());
        self.arrived.notify_one();
    }

    /// The digest goes out whatever the level and the quiet times; a newer one replaces an older one.
    pub fn digest(&self, text: String) {
        self.lock().digest = Some(text);
        self.arrived.notify_one();
    }

    fn due(&self, waiting: &Waiting, notice: &Notice) -> Option<Instant> {
        let quiet = match notice.level {
            Level::Critical => self.quiet.critical,
            _ => self.quiet.other,
        };
        waiting.told.get(&key(notice)).map(|at| *at + quiet)
    }

    /// What may be told of now.
    pub fn take(&self, now: Instant) -> Letter {
        let mut waiting = self.lock();
        let all = std::mem::take(&mut waiting.notices);
        let (notices, later): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|notice| self.due(&waiting, notice).is_none_or(|due| due <= now));
        waiting.notices = later;
        let mut letter = Letter {
            notices,
            digest: waiting.digest.take(),
            lost: 0,
        };
        if !letter.is_empty() {
            letter.lost = std::mem::take(&mut waiting.lost);
        }
        letter
    }

    /// It was told of: its codes are quiet for a while.
    pub fn told(&self, letter: &Letter, now: Instant) {
        let mut waiting = self.lock();
        for notice in &letter.notices {
            waiting.told.insert(key(notice), now);
        }
        while waiting.told.len() > TOLD_MAX {
            let oldest = waiting.told.iter().min_by_key(|(_, at)| **at);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            waiting.told.remove(&oldest);
        }
    }

    /// Puts back what could not be told of, before what came since.
    pub fn put_back(&self, letter: Letter) {
        let mut waiting = self.lock();
        waiting.lost = waiting.lost.saturating_add(letter.lost);
        if waiting.digest.is_none() {
            waiting.digest = letter.digest;
        }
        let since = std::mem::replace(&mut waiting.notices, letter.notices);
        for notice in since {
            waiting.add(notice);
        }
    }

    /// It will never be told of; the next message says so.
    pub fn lose(&self, letter: &Letter) {
        let mut waiting = self.lock();
        let lost = letter.alerts() + u64::from(letter.digest.is_some()) + letter.lost;
        waiting.lost = waiting.lost.saturating_add(lost);
    }

    /// Alerts that wait, repeats counted, and those lost that no message has told of.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let waiting = self.lock();
        let alerts = waiting.notices.iter().map(|notice| notice.count).sum();
        (alerts, waiting.lost)
    }

    /// When the next of those that wait may be told of.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let waiting = self.lock();
        let dues = waiting.notices.iter();
        let soonest = dues.map(|n| self.due(&waiting, n).unwrap_or(now)).min();
        if waiting.digest.is_some() {
            Some(now)
        } else {
            soonest
        }
    }
}

fn key(notice: &Notice) -> (String, String, bool) {
    (notice.code.clone(), notice.about.clone(), notice.over)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn notice(code: &str) -> Notice {
        Notice::new(Level::Warning, code, "", "text")
    }

    fn inbox() -> Inbox {
        Inbox::new(Level::Warning, Quiet::default())
    }

    #[test]
    fn equal_codes_wait_as_one_and_are_quiet_after_being_told() {
        let (inbox, now) = (inbox(), Instant::now());
        for _ in 0..10_000 {
            inbox.offer(&notice("A"));
        }
        inbox.offer(&notice("B"));
        inbox.offer(&Notice::new(Level::Info, "LOW", "", "below the level"));
        let letter = inbox.take(now);
        assert_eq!((letter.notices.len(), letter.alerts()), (2, 10_001));
        inbox.told(&letter, now);
        inbox.offer(&notice("A"));
        inbox.offer(&notice("A").over());
        // That it is over is news; that it is so again is not yet.
        let soon = inbox.take(now + Duration::from_secs(1));
        assert_eq!(soon.notices.len(), 1);
        assert!(soon.notices[0].over);
        let due = inbox.next_due(now).unwrap();
        assert_eq!(due, now + Quiet::default().other);
        assert_eq!(inbox.take(due).alerts(), 1);
        assert_eq!(inbox.next_due(due), None);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_said() {
        let (inbox, now) = (inbox(), Instant::now());
        for n in 0..CODES_MAX + 7 {
            inbox.offer(&notice(&n.to_string()));
        }
        assert_eq!(inbox.counts(), (CODES_MAX as u64, 7));
        let letter = inbox.take(now);
        assert_eq!((letter.notices.len(), letter.lost), (CODES_MAX, 7));
        // Nothing is lost by failing once.
        inbox.offer(&notice("0"));
        inbox.put_back(letter);
        let again = inbox.take(now);
        assert_eq!((again.alerts(), again.lost), (CODES_MAX as u64 + 1, 7));
        // A refused one is.
        inbox.lose(&again);
        assert_eq!(inbox.counts(), (0, CODES_MAX as u64 + 8));
    }

    #[test]
    fn a_digest_waits_for_nobody() {
        let (inbox, now) = (inbox(), Instant::now());
        inbox.digest("yesterday".into());
        inbox.digest("today".into());
        assert_eq!(inbox.next_due(now), Some(now));
        assert_eq!(inbox.take(now).digest.as_deref(), Some("today"));
        assert!(inbox.take(now).is_empty());
    }
}
