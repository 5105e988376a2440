//! Fair values against outcomes, as far as this run knows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Calibration {
    /// Markets whose outcome is known and whose fair values were sampled.
    pub markets: u64,
}
