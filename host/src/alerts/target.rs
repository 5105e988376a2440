//! One target's worker: takes what waits, sends it, tries again, gives up only what is refused.
//!
//! A dead or busy target delays nobody but itself. What waits meanwhile grows together in its inbox, so
//! that one message tells of all of it when the target is back. Owns its bucket of tokens: a flood
//! of alerts becomes a few messages.

use super::config::Resolved;
use super::inbox::{Inbox, Letter, Quiet};
use super::payload::{self, Envelope};
use crate::agent::AgentContext;
use crate::backoff::Backoff;
use crate::causes::chain;
use crate::net::http;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// Bytes of an answer that are read.
const ANSWER_MAX: usize = 4 << 10;
/// Characters of an answer that are shown.
const ANSWER_SHOWN: usize = 200;
/// The last attempt of a pilot that stops takes no longer.
const LAST_PATIENCE: Duration = Duration::from_millis(1_500);
/// The longest wait that a target may ask for.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// How fast, how often, how long.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long a code that was told of is not told of again.
    pub quiet: Quiet,
    /// After something came: what comes within this time goes with it.
    pub linger: Duration,
    /// Messages that may go at once.
    pub burst: u32,
    /// One more after so long.
    pub refill: Duration,
    /// First and longest wait after a failure.
    pub retry: (Duration, Duration),
    /// A request takes no longer.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quiet: Quiet::default(),
            linger: Duration::from_secs(1),
            burst: 5,
            refill: Duration::from_secs(20),
            retry: (Duration::from_secs(1), Duration::from_secs(300)),
            patience: Duration::from_secs(10),
        }
    }
}

/// A target, as reported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct TargetRow {
    /// Its name.
    pub name: String,
    /// Messages it took.
    pub sent: u64,
    /// Attempts that failed and were tried again.
    pub retries: u64,
    /// Alerts that wait.
    pub waiting: u64,
    /// Alerts that were refused or did not fit.
    pub lost: u64,
    /// Whether the last attempt failed.
    pub failing: bool,
    /// What it answered to the last failure, without any secret.
    pub last_error: Option<String>,
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Later, perhaps.
    #[error("{why}")]
    Later {
        /// In words.
        why: String,
        /// The target asked for this much time.
        after: Option<Duration>,
    },
    /// Never.
    #[error("{why}")]
    Refused {
        /// In words.
        why: String,
    },
}

/// A target at work.
#[derive(Debug, Clone)]
pub struct Target {
    resolved: Arc<Resolved>,
    link: Arc<str>,
    pace: Pace,
    client: reqwest::Client,
    /// What waits for it.
    pub inbox: Arc<Inbox>,
    row: Arc<Mutex<TargetRow>>,
}

impl Target {
    /// Nothing waits for it yet.
    pub fn new(resolved: Resolved, link: &str, pace: Pace) -> Result<Self, http::HttpError> {
        Ok(Self {
            client: http::client_for_posts(pace.patience)?,
            inbox: Arc::new(Inbox::new(resolved.level, pace.quiet)),
            row: Arc::new(Mutex::new(TargetRow {
                name: resolved.name.clone(),
                ..TargetRow::default()
            })),
            resolved: Arc::new(resolved),
            link: link.into(),
            pace,
        })
    }

    /// How it goes.
    #[must_use]
    pub fn row(&self) -> TargetRow {
        let (waiting, unsaid) = self.inbox.counts();
        let mut row = self
            .row
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        row.waiting = waiting;
        row.lost = row.lost.saturating_add(unsaid);
        row
    }

    /// Whether it gets the digest.
    #[must_use]
    pub fn wants_digest(&self) -> bool {
        self.resolved.digest
    }

    fn note(&self, change: impl FnOnce(&mut TargetRow)) {
        change(&mut self.row.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Sends one message and tells what was answered.
    pub async fn post(&self, letter: &Letter) -> Result<String, SendError> {
        let envelope = Envelope {
            letter,
            link: &self.link,
            chat: &self.resolved.chat,
            topic: &self.resolved.topic,
        };
        let body = payload::body(self.resolved.kind, envelope).to_string();
        let mut request = self
            .client
            .post(self.resolved.url.reveal())
            .header("content-type", "application/json")
            .body(body);
        let token = self.resolved.token.reveal();
        if !token.is_empty() && self.resolved.kind != payload::Kind::Telegram {
            request = request.bearer_auth(token);
        }
        let later = |error: reqwest::Error| SendError::Later {
            // The address may be the secret.
            why: self.resolved.strike(&chain(&error.without_url())),
            after: None,
        };
        let mut response = request.send().await.map_err(later)?;
        let status = response.status();
        let header = response.headers().get("retry-after");
        let asked = header.and_then(|v| v.to_str().ok()?.trim().parse::<f64>().ok());
        let mut answer = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = ANSWER_MAX.saturating_sub(answer.len());
            answer.extend(chunk.iter().take(room));
            if room == 0 {
                break;
            }
        }
        let answer = String::from_utf8_lossy(&answer);
        let shown = super::tame(&self.resolved.strike(&answer));
        let shown: String = shown.chars().take(ANSWER_SHOWN).collect();
        let said = format!("answered {} {shown}", status.as_u16())
            .trim_end()
            .to_owned();
        match status.as_u16() {
            200..=299 => Ok(said),
            408 | 425 | 429 | 500.. => Err(SendError::Later {
                why: said,
                after: asked.or_else(|| asked_in(&answer)).and_then(wait),
            }),
            _ => Err(SendError::Refused { why: said }),
        }
    }

    /// Works until told to stop; what waits then gets one last attempt.
    pub async fn run(self, ctx: AgentContext) {
        let mut bucket = Bucket::new(self.pace.burst, self.pace.refill);
        let mut backoff = Backoff::new(self.pace.retry.0, self.pace.retry.1);
        loop {
            let now = Instant::now();
            let nap = match self.inbox.next_due(now) {
                Some(due) => due.saturating_duration_since(now).max(self.pace.linger),
                None => Duration::from_secs(3_600),
            };
            let woken = async {
                tokio::select! {
                    () = self.inbox.arrived.notified() => tokio::time::sleep(self.pace.linger).await,
                    () = tokio::time::sleep(nap) => {}
                }
                tokio::time::sleep(bucket.wait(Instant::now())).await;
            };
            tokio::select! {
                biased;
                () = ctx.stopped() => break,
                () = woken => {}
            }
            let letter = self.inbox.take(Instant::now());
            if letter.is_empty() {
                continue;
            }
            bucket.spend(Instant::now());
            let Some(pause) = self.deliver(letter, &mut backoff).await else {
                continue;
            };
            tokio::select! {
                biased;
                () = ctx.stopped() => break,
                () = tokio::time::sleep(pause) => {}
            }
            // What came meanwhile goes with what is tried again.
            self.inbox.arrived.notify_one();
        }
        let rest = self
            .inbox
            .take(Instant::now() + Duration::from_secs(86_400));
        if rest.is_empty() {
            return;
        }
        let last = tokio::time::timeout(LAST_PATIENCE, self.post(&rest)).await;
        if !matches!(last, Ok(Ok(_))) {
            tracing::warn!(target = %self.resolved.name, alerts = rest.alerts(), "the last alerts were not delivered");
        }
    }

    /// Sends; on a failure that may pass, the letter is back in the inbox and the wait is told.
    async fn deliver(&self, letter: Letter, backoff: &mut Backoff) -> Option<Duration> {
        match self.post(&letter).await {
            Ok(_) => {
                backoff.reset();
                self.inbox.told(&letter, Instant::now());
                self.note(|row| {
                    row.sent += 1;
                    row.lost = row.lost.saturating_add(letter.lost);
                    row.failing = false;
                });
                None
            }
            Err(SendError::Later { why, after }) => {
                let first = !self.row().failing;
                self.note(|row| {
                    row.retries += 1;
                    (row.failing, row.last_error) = (true, Some(why.clone()));
                });
                if first {
                    tracing::warn!(target = %self.resolved.name, %why, "alerts wait: the target does not take them");
                }
                self.inbox.put_back(letter);
                Some(backoff.next_wait().max(after.unwrap_or_default()))
            }
            Err(SendError::Refused { why }) => {
                tracing::error!(target = %self.resolved.name, %why, alerts = letter.alerts(), "alerts are lost: the target refuses them");
                self.inbox.lose(&letter);
                // A refused code is not sent again and again.
                self.inbox.told(&letter, Instant::now());
                self.note(|row| (row.failing, row.last_error) = (true, Some(why)));
                None
            }
        }
    }
}

/// Discord and Telegram name the wait in their answers as well.
fn asked_in(answer: &str) -> Option<f64> {
    let value: serde_json::Value = serde_json::from_str(answer).ok()?;
    let plain = value.get("retry_after");
    plain
        .or_else(|| value.get("parameters")?.get("retry_after"))?
        .as_f64()
}

fn wait(secs: f64) -> Option<Duration> {
    let span = Duration::try_from_secs_f64(secs).ok()?;
    Some(span.min(WAIT_MAX))
}

/// Tokens: a message costs one.
#[derive(Debug)]
struct Bucket {
    burst: u32,
    refill: Duration,
    left: u32,
    since: Instant,
}

impl Bucket {
    fn new(burst: u32, refill: Duration) -> Self {
        Self {
            burst: burst.max(1),
            refill,
            left: burst.max(1),
            since: Instant::now(),
        }
    }

    fn fill(&mut self, now: Instant) {
        while self.left < self.burst && now.saturating_duration_since(self.since) >= self.refill {
            self.left += 1;
            self.since += self.refill;
        }
        if self.left == self.burst {
            self.since = now;
        }
    }

    fn wait(&mut self, now: Instant) -> Duration {
        self.fill(now);
        match self.left {
            0 => (self.since + self.refill).saturating_duration_since(now),
            _ => Duration::ZERO,
        }
    }

    fn spend(&mut self, now: Instant) {
        self.fill(now);
        self.left = self.left.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_one_at_a_time() {
        let refill = Duration::from_secs(20);
        let mut bucket = Bucket::new(3, refill);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(bucket.wait(start), Duration::ZERO);
            bucket.spend(start);
        }
        assert!(bucket.wait(start) > Duration::from_secs(19));
        let later = start + refill * 2;
        assert_eq!(bucket.wait(later), Duration::ZERO);
        bucket.spend(later);
        bucket.spend(later);
        assert!(bucket.wait(later) > Duration::ZERO);
    }

    #[test]
    fn the_wait_a_target_asks_for_is_found_wherever_it_stands() {
        assert_eq!(asked_in(r#"{"retry_after": 1.5}"#), Some(1.5));
        assert_eq!(
            asked_in(r#"{"ok": false, "parameters": {"retry_after": 7}}"#),
            Some(7.0)
        );
        assert_eq!(asked_in("slow down"), None);
        assert_eq!(wait(-1.0), None);
        assert_eq!(wait(1e12), Some(WAIT_MAX));
    }
}
