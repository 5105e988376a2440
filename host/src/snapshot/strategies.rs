//! Every strategy of the run: what it was given, what it did, how it is.

use super::Money;
use crate::plugin::Loader;
use pm_arb_core::engine::EngineStatus;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Strategies {
    /// In order of their names.
    pub strategies: Vec<StrategyRow>,
}

/// One strategy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct StrategyRow {
    /// Its name.
    pub name: String,
    /// What it says its version is.
    pub version: String,
    /// Which load of it runs.
    pub generation: u32,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Its share of equity in basis points.
    pub share_bps: i32,
    /// Gains of everything it sold or that settled, after all its fees.
    pub net: Money,
}

impl Strategies {
    /// As of now.
    #[must_use]
    pub fn of(status: &EngineStatus, loader: &Loader) -> Self {
        let row = |slot: &crate::plugin::loader::Slot| {
            let status = status.strategies.iter().find(|s| s.id == slot.id);
            StrategyRow {
                name: slot.manifest.name.clone(),
                version: slot.manifest.version.clone(),
                generation: slot.generation,
                digest: slot.digest.iter().map(|b| format!("{b:02x}")).collect(),
                share_bps: status.map_or(0, |s| s.share.0),
                net: Money(status.map_or_else(Default::default, |s| s.net)),
            }
        };
        Self {
            strategies: loader.slots().map(row).collect(),
        }
    }
}
