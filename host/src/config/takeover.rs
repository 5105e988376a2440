//! `[swap]` and `[shadow]`: what a new version of a strategy must do before it stays, and a candidate before
//! it takes over. The keys, their ranges, and the policies they become.

use super::{Config, ConfigError, share, usd, value};
use crate::plugin::{StatePolicy, SwapPolicy};
use crate::shadow::Policy;
use pm_arb_core::ids::Nanos;
use pm_arb_core::units::Bps;
use serde::{Deserialize, Serialize};

/// The longest watch over a new version.
const WATCH_SECS_MAX: u64 = 86_400;

/// `[swap]`: what a new version of a strategy, or new settings of one, must do (docs/swap.md).
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "each key is SwapPolicy's field of the same name, which documents it"
)]
pub struct Swap {
    pub watch_secs: u64,
    pub denied_min: u64,
    pub denied_above_bps: i32,
    pub fuel_calls_min: u64,
    pub fuel_mean_pct: u64,
    pub fuel_limit_pct: u64,
    pub loss_max: String,
    pub state: StatePolicy,
    pub rehearse: bool,
    pub rehearse_intents_min: u64,
    pub rehearse_intents_pct: u64,
}

impl Default for Swap {
    fn default() -> Self {
        let policy = SwapPolicy::default();
        Self {
            watch_secs: policy.watch.0 / Nanos::from_ms(1_000).0,
            denied_min: policy.denied_min,
            denied_above_bps: policy.denied_above.0,
            fuel_calls_min: policy.fuel_calls_min,
            fuel_mean_pct: policy.fuel_mean_pct,
            fuel_limit_pct: policy.fuel_limit_pct,
            loss_max: policy.loss_max.to_string(),
            state: policy.state,
            rehearse: policy.rehearse,
            rehearse_intents_min: policy.rehearse_intents_min,
            rehearse_intents_pct: policy.rehearse_intents_pct,
        }
    }
}

impl Config {
    /// What takes over must do so.
    pub fn swap(&self) -> Result<SwapPolicy, ConfigError> {
        let swap = &self.swap;
        if swap.watch_secs > WATCH_SECS_MAX {
            return Err(value("swap.watch_secs", "is at most 86400, a day"));
        }
        if !(0..=10_000).contains(&swap.denied_above_bps) {
            return Err(value("swap.denied_above_bps", "is from 0 to 10000"));
        }
        for (key, least) in [
            ("swap.denied_min", swap.denied_min),
            ("swap.fuel_calls_min", swap.fuel_calls_min),
            ("swap.fuel_limit_pct", swap.fuel_limit_pct),
        ] {
            if least == 0 {
                return Err(value(key, "must be positive"));
            }
        }
        if swap.rehearse_intents_pct < 100 {
            return Err(value("swap.rehearse_intents_pct", "is at least 100"));
        }
        if swap.fuel_mean_pct < 100 {
            return Err(value("swap.fuel_mean_pct", "is at least 100"));
        }
        let loss_max = usd("swap.loss_max", &swap.loss_max)?;
        Ok(SwapPolicy {
            watch: Nanos::from_ms(swap.watch_secs.saturating_mul(1_000)),
            denied_min: swap.denied_min,
            denied_above: Bps(swap.denied_above_bps),
            fuel_calls_min: swap.fuel_calls_min,
            fuel_mean_pct: swap.fuel_mean_pct,
            fuel_limit_pct: swap.fuel_limit_pct,
            loss_max,
            state: swap.state,
            rehearse: swap.rehearse,
            rehearse_intents_min: swap.rehearse_intents_min,
            rehearse_intents_pct: swap.rehearse_intents_pct,
        })
    }

    /// What candidates in the shadow are judged by.
    pub fn shadow_policy(&self) -> Result<Policy, ConfigError> {
        let s = &self.shadow;
        let error_rate = share("shadow.error_rate_bps", s.error_rate_bps)?;
        if !(1..=5_000).contains(&error_rate.0) {
            let key = "shadow.error_rate_bps";
            return Err(value(key, "must lie between 1 and 5000"));
        }
        if s.markets_min == 0 || s.markets_min > s.markets_max {
            let key = "shadow.markets_min";
            return Err(value(key, "must lie between 1 and shadow.markets_max"));
        }
        if s.fuel_times_max == 0 {
            return Err(value("shadow.fuel_times_max", "must be at least 1"));
        }
        Ok(Policy {
            on_new_bytes: s.on_new_bytes,
            promote: s.promote,
            error_rate,
            markets_min: s.markets_min,
            markets_max: s.markets_max,
            drawdown_max: usd("shadow.drawdown_max", &s.drawdown_max)?,
            denied_more_max: share("shadow.denied_more_max_bps", s.denied_more_max_bps)?,
            fuel_times_max: s.fuel_times_max,
        })
    }
}
