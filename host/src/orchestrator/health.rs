//! What is known of every agent, for `pm-arb health`.

use crate::agent::AgentContext;
use crate::feed_board::FeedBoard;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// Where an agent is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Started, not yet doing what it is there for.
    Starting,
    /// At work.
    Running,
    /// Failed; waiting to be started again.
    Backoff,
    /// Given up after too many failures.
    Failed,
    /// Ended on request.
    Stopped,
}

/// One agent, as reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentHealth {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AgentState,
    /// Whether it is at work.
    pub running: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// Seconds since it last made progress; `None` when it never did.
    pub last_heartbeat_secs: Option<f64>,
    /// What it failed of last.
    pub last_error: Option<String>,
    /// What it has to say of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The whole pilot, as reported.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Seconds since the start.
    pub uptime_secs: f64,
    /// Whether every agent is at work and nothing is halted.
    pub healthy: bool,
    /// Why trading is halted, when it is.
    pub halted: Option<String>,
    /// In order of start.
    pub agents: Vec<AgentHealth>,
}

#[derive(Debug)]
struct Entry {
    order: usize,
    state: AgentState,
    restarts: u32,
    error: Option<String>,
    detail: Option<String>,
    context: Option<AgentContext>,
    beat: Option<Instant>,
}

#[derive(Debug)]
struct Board {
    started: Instant,
    halted: Option<String>,
    entries: BTreeMap<String, Entry>,
}

/// Shared and cheap to ask.
#[derive(Debug, Clone)]
pub struct HealthBoard(Arc<Mutex<Board>>, FeedBoard);

impl Default for HealthBoard {
    fn default() -> Self {
        let board = Board {
            started: Instant::now(),
            halted: None,
            entries: BTreeMap::new(),
        };
        Self(Arc::new(Mutex::new(board)), FeedBoard::default())
    }
}

impl HealthBoard {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().entries.get_mut(name) {
            change(entry);
        }
    }

    /// The streams of market data that agents keep.
    #[must_use]
    pub fn feeds(&self) -> &FeedBoard {
        &self.1
    }

    /// Adds an agent at the end (a known one keeps its place).
    pub fn register(&self, name: &str) {
        let mut board = self.lock();
        let order = board.entries.len();
        board.entries.entry(name.to_owned()).or_insert(Entry {
            order,
            state: AgentState::Starting,
            restarts: 0,
            error: None,
            detail: None,
            context: None,
            beat: None,
        });
    }

    /// The context whose beats count from now on.
    pub fn attach(&self, name: &str, context: AgentContext) {
        self.with(name, |e| e.context = Some(context));
    }

    /// A stage of the engine's thread made progress; it has no context of its own.
    pub fn beat(&self, name: &str) {
        self.with(name, |e| {
            e.state = AgentState::Running;
            e.beat = Some(Instant::now());
        });
    }

    /// It is in this state now.
    pub fn set_state(&self, name: &str, state: AgentState) {
        self.with(name, |e| e.state = state);
    }

    /// It failed of this.
    pub fn failed(&self, name: &str, error: &str) {
        self.with(name, |e| e.error = Some(error.to_owned()));
    }

    /// It was started again.
    pub fn restarted(&self, name: &str) {
        self.with(name, |e| e.restarts += 1);
    }

    /// What it has to say of itself.
    pub fn detail(&self, name: &str, detail: String) {
        self.with(name, |e| e.detail = Some(detail));
    }

    /// Whether, and why, trading is halted.
    pub fn set_halted(&self, why: Option<&str>) {
        self.lock().halted = why.map(str::to_owned);
    }

    /// Everything, now.
    #[must_use]
    pub fn report(&self) -> Health {
        let board = self.lock();
        let mut entries: Vec<_> = board.entries.iter().collect();
        entries.sort_by_key(|(_, e)| e.order);
        let agents: Vec<AgentHealth> = entries
            .into_iter()
            .map(|(name, e)| describe(name, e))
            .collect();
        Health {
            uptime_secs: board.started.elapsed().as_secs_f64(),
            healthy: board.halted.is_none() && agents.iter().all(|a| a.running),
            halted: board.halted.clone(),
            agents,
        }
    }
}

fn describe(name: &str, entry: &Entry) -> AgentHealth {
    let silence: Option<Duration> = match (&entry.context, entry.beat) {
        (Some(context), _) if context.is_ready() => Some(context.silence()),
        (_, Some(beat)) => Some(beat.elapsed()),
        _ => None,
    };
    AgentHealth {
        name: name.to_owned(),
        state: entry.state,
        running: entry.state == AgentState::Running,
        restarts: entry.restarts,
        last_heartbeat_secs: silence.map(|s| s.as_secs_f64()),
        last_error: entry.error.clone(),
        detail: entry.detail.clone(),
    }
}
