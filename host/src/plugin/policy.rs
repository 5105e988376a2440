//! What a pilot asks of a generation that takes over: how long it is watched, what ends the watch badly,
//! and what becomes of state in another form.
//!
//! Owns the limits and their words; [`Loader`](super::Loader) measures and acts.

use super::describe::Described;
use super::error::PluginError;
use pm_arb_core::ids::Nanos;
use pm_arb_core::units::{Bps, Usd};
use serde::{Deserialize, Serialize};

/// See the top of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwapPolicy {
    /// How long the generation before stands by, in the run's time; zero: not at all.
    pub watch: Nanos,
    /// Fewer denials than this say nothing.
    pub denied_min: u64,
    /// The share of denied intents may lie above that of the generation before by so much.
    pub denied_above: Bps,
    /// Fewer calls than this say nothing of the fuel of a call.
    pub fuel_calls_min: u64,
    /// Fuel of a call on average, in hundredths of what the generation before uses for the same calls.
    pub fuel_mean_pct: u64,
    /// Fuel of the dearest call, in hundredths of the limit, where the one before stays below it.
    pub fuel_limit_pct: u64,
    /// What it may lose, net of fees.
    pub loss_max: Usd,
    /// What becomes of state in another form.
    pub state: StatePolicy,
    /// Whether it plays what the running version was told lately, before it takes over.
    pub rehearse: bool,
    /// Fewer intents than this in a rehearsal are never too many.
    pub rehearse_intents_min: u64,
    /// Intents in a rehearsal, in hundredths of those of the running version.
    pub rehearse_intents_pct: u64,
}

/// What becomes of a state whose form is not the new version's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatePolicy {
    /// Handed over where the new version says that it reads that form; otherwise it is refused.
    #[default]
    Migrate,
    /// The new version is refused.
    Refuse,
    /// Handed over where it says that it reads it; otherwise it starts without state.
    Fresh,
}

impl StatePolicy {
    /// Whether a version takes over a state of that form; an error says that it may not run at all. What
    /// does not say which forms it knows is asked to take it.
    pub(super) fn carries(self, new: &Described, found: Option<u32>) -> Result<bool, PluginError> {
        let (Some(own), Some(found)) = (new.state, found) else {
            return Ok(true);
        };
        if own == found {
            return Ok(true);
        }
        match (self, new.takes_over(Some(found))) {
            (Self::Migrate | Self::Fresh, true) => Ok(true),
            (Self::Fresh, false) => Ok(false),
            (policy, _) => Err(PluginError::StateForm {
                own,
                reads: new.reads.clone(),
                found,
                refused: policy == Self::Refuse,
            }),
        }
    }
}

impl Default for SwapPolicy {
    fn default() -> Self {
        Self {
            watch: Nanos::from_ms(60_000),
            denied_min: 20,
            denied_above: Bps(3_000),
            fuel_calls_min: 100,
            fuel_mean_pct: 400,
            fuel_limit_pct: 90,
            loss_max: Usd(50_000_000),
            state: StatePolicy::Migrate,
            rehearse: true,
            rehearse_intents_min: 100,
            rehearse_intents_pct: 1_000,
        }
    }
}

impl SwapPolicy {
    /// Nothing is watched: for those who repeat a journal or try a strategy out.
    #[must_use]
    pub fn unwatched() -> Self {
        Self {
            watch: Nanos(0),
            rehearse: false,
            ..Self::default()
        }
    }
}
