//! From markets seen to trades settled, and what was refused on the way.

use pm_arb_core::engine::Engine;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Funnel {
    /// Looks of the scanner at prices that moved.
    pub looks: u64,
}

impl Funnel {
    /// As of now.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        Self {
            looks: engine.scanner().counts().looks,
        }
    }
}
