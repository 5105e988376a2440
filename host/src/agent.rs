//! What every supervised task is given: a way to say "ready", to show progress, and to hear "stop".
//!
//! Owns the handle only; starting, judging and restarting agents is the orchestrator's business.

use crate::feed_board::FeedBoard;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::watch;
use tokio::time::Instant;

/// Why an agent ended. Any end but a requested stop counts as a failure.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It can not go on; a restart may help.
    #[error("{0}")]
    Failed(String),
    /// A restart will not help (bad configuration, refused credentials).
    #[error("{0}")]
    Fatal(String),
}

#[derive(Debug)]
struct Vital {
    started: Instant,
    last_beat_ms: AtomicU64,
    ready: AtomicBool,
}

/// An agent's side of supervision.
#[derive(Debug, Clone)]
pub struct AgentContext {
    vital: Arc<Vital>,
    stop: watch::Receiver<bool>,
    feeds: FeedBoard,
}

impl AgentContext {
    /// A context whose agent stops when `stop` turns true (or its sender is gone).
    #[must_use]
    pub fn new(stop: watch::Receiver<bool>) -> Self {
        let vital = Vital {
            started: Instant::now(),
            last_beat_ms: AtomicU64::new(0),
            ready: AtomicBool::new(false),
        };
        Self {
            vital: Arc::new(vital),
            stop,
            feeds: FeedBoard::default(),
        }
    }

    /// The same, noting its streams on that board.
    #[must_use]
    pub fn on(mut self, feeds: FeedBoard) -> Self {
        self.feeds = feeds;
        self
    }

    /// Where its streams of market data are noted.
    #[must_use]
    pub fn feeds(&self) -> &FeedBoard {
        &self.feeds
    }

    /// Called when the agent does what it is there for. Starting goes on with the next agent.
    pub fn ready(&self) {
        self.vital.ready.store(true, Ordering::Release);
        self.beat();
    }

    /// Whether it has been ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.vital.ready.load(Ordering::Acquire)
    }

    /// Real progress: an input handled, a loop turned. Never called by a supervisor.
    pub fn beat(&self) {
        let ms = u64::try_from(self.vital.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.vital.last_beat_ms.store(ms, Ordering::Release);
    }

    /// Time since the last progress.
    #[must_use]
    pub fn silence(&self) -> std::time::Duration {
        let last =
            std::time::Duration::from_millis(self.vital.last_beat_ms.load(Ordering::Acquire));
        self.vital.started.elapsed().saturating_sub(last)
    }

    /// Whether it should end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Resolves when it should end.
    pub async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error means the supervisor is gone: that is a stop as well.
        let _ = stop.wait_for(|stopping| *stopping).await;
    }
}
