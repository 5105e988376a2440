//! Supervision: agents are started in order, watched, restarted with backoff, stopped in reverse.
//!
//! Progress is what agents show by `beat`; nothing here refreshes it for them. A feed that keeps
//! failing is given up and its books stay stale; a vital agent that keeps failing ends the pilot.
//! The engine's thread is not an agent: without it there is no pilot (see `pilot`).

/// What is known of every agent.
pub mod health;
mod supervise;

pub use health::{AgentHealth, AgentState, Health, HealthBoard};

use crate::agent::{AgentContext, AgentError};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// First pause before a restart.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Longest pause before a restart.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Failures in a row after which an agent is given up.
pub const FAILURES_MAX: u32 = 5;
/// Running this long forgives earlier failures.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// Without progress for this long an agent is stopped and restarted.
pub const STALE_AFTER: Duration = Duration::from_secs(120);
/// How long an agent may take to end when asked.
pub const STOP_GRACE: Duration = Duration::from_secs(2);

/// A boxed agent.
pub type AgentFuture = Pin<Box<dyn Future<Output = Result<(), AgentError>> + Send>>;

/// What an agent's end means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criticality {
    /// Trading goes on without it: what it fed goes stale and backs no trade.
    Feed,
    /// The pilot ends when it can not be kept alive.
    Vital,
}

/// How to make, and keep, one agent.
pub struct AgentSpec {
    /// Its name in health reports.
    pub name: String,
    /// What its loss means.
    pub criticality: Criticality,
    /// Makes a fresh one; called again for every restart, so no state of a failed one survives.
    pub start: Arc<dyn Fn(AgentContext) -> AgentFuture + Send + Sync>,
    /// Called when it went down for whatever reason, before a restart.
    pub on_down: Arc<dyn Fn() + Send + Sync>,
}

struct Running {
    name: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The running agents.
pub struct Orchestrator {
    board: HealthBoard,
    running: Vec<Running>,
    lost: watch::Sender<Option<String>>,
}

impl Orchestrator {
    /// None yet.
    #[must_use]
    pub fn new(board: HealthBoard) -> Self {
        Self {
            board,
            running: Vec::new(),
            lost: watch::channel(None).0,
        }
    }

    /// Starts one and waits until it is ready, or until `patience` is over (it then goes on starting
    /// under supervision, and health says so).
    pub async fn start(&mut self, spec: AgentSpec, patience: Duration) {
        let (stop, stopping) = watch::channel(false);
        let name = spec.name.clone();
        self.board.register(&name);
        let (ready, mut is_ready) = watch::channel(false);
        let task = tokio::spawn(supervise::run(
            spec,
            self.board.clone(),
            stopping,
            ready,
            self.lost.clone(),
        ));
        let ready = tokio::time::timeout(patience, is_ready.wait_for(|r| *r)).await;
        if ready.is_err() && patience > Duration::ZERO {
            tracing::warn!(agent = %name, "not ready after {} s; going on without waiting", patience.as_secs());
        }
        self.running.push(Running { name, stop, task });
    }

    /// Resolves with the name of a vital agent that was given up.
    pub async fn vital_lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(Option::is_some).await {
            Ok(name) => name.clone().unwrap_or_default(),
            // The sender lives as long as `self`; without one, nothing can be lost any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops all whose name satisfies `which`, the newest first, each within [`STOP_GRACE`].
    pub async fn stop(&mut self, which: impl Fn(&str) -> bool) {
        let mut kept = Vec::new();
        for mut agent in std::mem::take(&mut self.running).into_iter().rev() {
            if !which(&agent.name) {
                kept.push(agent);
                continue;
            }
            let _ = agent.stop.send(true);
            if tokio::time::timeout(STOP_GRACE + Duration::from_millis(500), &mut agent.task)
                .await
                .is_err()
            {
                tracing::warn!(agent = %agent.name, "did not stop in time; dropped");
                agent.task.abort();
            }
            self.board.set_state(&agent.name, AgentState::Stopped);
        }
        kept.reverse();
        self.running = kept;
    }
}

#[cfg(test)]
mod tests;
