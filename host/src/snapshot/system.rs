//! Agents, feeds, database, bus, journal, clock, memory.

use crate::orchestrator::{HealthBoard, health::Health};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct System {
    /// Every agent.
    pub health: Health,
}

impl System {
    /// As of now.
    #[must_use]
    pub fn of(board: &HealthBoard) -> Self {
        Self {
            health: board.report(),
        }
    }
}
