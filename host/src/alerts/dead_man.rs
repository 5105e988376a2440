//! The ping of the dead man's switch: somebody else notices when it stops.
//!
//! It goes out only while the engine's loop turns. A frozen loop, a dead process, a machine without power
//! or network all look the same from outside: no ping.

use super::config::Secret;
use crate::agent::AgentContext;
use crate::causes::chain;
use crate::net::http;
use crate::vitals::Progress;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use utoipa::ToSchema;

/// A ping takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How it goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DeadManRow {
    /// Pings that were answered.
    pub sent: u64,
    /// Pings left out because the engine made no progress.
    pub withheld: u64,
    /// Pings that were not answered.
    pub failed: u64,
    /// Whether the last one failed.
    pub failing: bool,
}

/// The pinger.
#[derive(Debug, Clone)]
pub struct DeadMan {
    url: Secret,
    every: Duration,
    progress: Progress,
    client: reqwest::Client,
    row: Arc<Mutex<DeadManRow>>,
}

impl DeadMan {
    /// Pings that address.
    pub fn new(url: Secret, every: Duration, progress: Progress) -> Result<Self, http::HttpError> {
        Ok(Self {
            client: http::client_for_posts(PATIENCE)?,
            url,
            every,
            progress,
            row: Arc::default(),
        })
    }

    /// How it goes.
    #[must_use]
    pub fn row(&self) -> DeadManRow {
        self.row
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, change: impl FnOnce(&mut DeadManRow)) {
        change(&mut self.row.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Pings until told to stop.
    pub async fn run(self, ctx: AgentContext) {
        let mut seen = self.progress.turns();
        loop {
            tokio::select! {
                biased;
                () = ctx.stopped() => return,
                () = tokio::time::sleep(self.every) => {}
            }
            let turns = self.progress.turns();
            if turns == seen {
                self.note(|row| row.withheld += 1);
                continue;
            }
            seen = turns;
            let sent = self.client.get(self.url.reveal()).send().await;
            let sent = sent.and_then(reqwest::Response::error_for_status);
            match sent {
                Ok(_) => self.note(|row| (row.sent, row.failing) = (row.sent + 1, false)),
                Err(error) => {
                    if !self.row().failing {
                        let why = self.url.strike_from(&chain(&error.without_url()));
                        tracing::warn!(%why, "the dead man's switch was not reached");
                    }
                    self.note(|row| (row.failed, row.failing) = (row.failed + 1, true));
                }
            }
        }
    }
}
