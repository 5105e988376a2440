//! Why a running pilot stops, and how it hears of it.

use super::PilotError;
use crate::orchestrator::Orchestrator;
use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Why a running pilot stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    Signal,
    TimeUp,
    RecordingEnded,
    EngineEnded,
    AgentLost(String),
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stopped::Signal => f.write_str("asked to"),
            Stopped::TimeUp => f.write_str("the time is up"),
            Stopped::RecordingEnded => f.write_str("the recording is over"),
            Stopped::EngineEnded => f.write_str("the engine ended"),
            Stopped::AgentLost(name) => write!(f, "{name} failed for good"),
        }
    }
}

/// Orders from outside to stop: signals, and the time that was set.
pub struct Orders {
    interrupt: Signal,
    terminate: Signal,
    until: Option<tokio::time::Instant>,
}

impl Orders {
    /// Listens from now on.
    pub fn new(duration: Option<Duration>) -> Result<Self, PilotError> {
        let listen = |kind| {
            signal(kind).map_err(|source| PilotError::System {
                what: "listen for signals",
                source,
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            until: duration.map(|span| tokio::time::Instant::now() + span),
        })
    }

    /// Resolves with the first one.
    pub async fn wait(&mut self) -> Stopped {
        let until = self.until;
        let time_up = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Stopped::Signal,
            _ = self.terminate.recv() => Stopped::Signal,
            () = time_up => Stopped::TimeUp,
        }
    }
}

/// Resolves with the first reason to stop.
pub async fn wait(
    orders: &mut Orders,
    agents: &Orchestrator,
    mut engine: watch::Receiver<bool>,
    recording: impl Future<Output = ()>,
) -> Stopped {
    tokio::select! {
        biased;
        // Only its end changes it.
        _ = engine.changed() => Stopped::EngineEnded,
        name = agents.vital_lost() => Stopped::AgentLost(name),
        why = orders.wait() => why,
        () = recording => Stopped::RecordingEnded,
    }
}
