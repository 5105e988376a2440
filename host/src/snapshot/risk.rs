//! Every limit of the risk guardian with its present use.

use pm_arb_core::engine::{Engine, EngineStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Risk {
    /// Intents that were denied since the run began.
    pub denied: u64,
}

impl Risk {
    /// As of now.
    #[must_use]
    pub fn of(status: &EngineStatus, _engine: &Engine) -> Self {
        Self {
            denied: status.counts.denied,
        }
    }
}
