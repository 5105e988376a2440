//! `[shadow]`: when a shadow begins, and what ends it.
//!
//! Owns no state: figures in, a verdict out.

use super::report::{Figures, Phase, ShadowRow};
use super::sequential::{Sequential, needed};
use pm_arb_core::units::{Bps, Usd};
use serde::{Deserialize, Serialize};

/// Intents of the candidate before its share of denied ones is judged.
const INTENTS_MIN: u64 = 20;
/// Calls of either before fuel is judged.
const CALLS_MIN: u64 = 1_000;

/// What a changed strategy file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewBytes {
    /// It takes over.
    #[default]
    Swap,
    /// It runs in the shadow of what runs.
    Shadow,
}

/// What puts a candidate in the place of what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promote {
    /// An operator.
    #[default]
    ByHand,
    /// The test, once it says better.
    ByTest,
}

/// `[shadow]` as it is written.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShadowKeys {
    /// What a changed strategy file does.
    pub on_new_bytes: NewBytes,
    /// What promotes.
    pub promote: Promote,
    /// How often at most a candidate that is no better is called better.
    pub error_rate_bps: i32,
    /// Settled markets before it may be.
    pub markets_min: u64,
    /// Settled markets after which a shadow ends undecided.
    pub markets_max: u64,
    /// A candidate that lost so much since a peak ends, in dollars.
    pub drawdown_max: String,
    /// A candidate ends that has so much more of its intents denied than what runs.
    pub denied_more_max_bps: i32,
    /// A candidate ends whose calls use so many times the fuel of what runs.
    pub fuel_times_max: u64,
}

impl Default for ShadowKeys {
    fn default() -> Self {
        Self {
            on_new_bytes: NewBytes::default(),
            promote: Promote::default(),
            error_rate_bps: 500,
            markets_min: 30,
            markets_max: 2_000,
            drawdown_max: "250".to_owned(),
            denied_more_max_bps: 2_500,
            fuel_times_max: 10,
        }
    }
}

/// `[shadow]`, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// See [`ShadowKeys`].
    pub on_new_bytes: NewBytes,
    /// See [`ShadowKeys`].
    pub promote: Promote,
    /// See [`ShadowKeys::error_rate_bps`].
    pub error_rate: Bps,
    /// See [`ShadowKeys`].
    pub markets_min: u64,
    /// See [`ShadowKeys`].
    pub markets_max: u64,
    /// See [`ShadowKeys`].
    pub drawdown_max: Usd,
    /// See [`ShadowKeys::denied_more_max_bps`].
    pub denied_more_max: Bps,
    /// See [`ShadowKeys`].
    pub fuel_times_max: u64,
}

/// What a policy says to figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on; so far.
    GoOn(String),
    /// It is better.
    Better(String),
    /// It is to end.
    End(String),
}

impl Policy {
    /// What to do now, with the figures that led to it.
    #[must_use]
    pub fn judge(&self, row: &ShadowRow, test: &Sequential) -> Verdict {
        if row.phase != Phase::Comparing {
            return Verdict::GoOn("nothing is compared yet".to_owned());
        }
        if let Some(why) = self.unfit(&row.incumbent, &row.candidate) {
            return Verdict::End(why);
        }
        let figures = format!(
            "evidence {:.2} of {:.2} after {} markets, {} USD",
            test.evidence(),
            needed(self.error_rate),
            row.markets,
            crate::report::signed(row.difference.0),
        );
        if row.markets >= self.markets_min && test.is_passed(self.error_rate) {
            return Verdict::Better(figures);
        }
        if row.markets >= self.markets_max {
            return Verdict::End(format!("undecided: {figures}"));
        }
        Verdict::GoOn(figures)
    }

    /// Why the candidate can not go on, whatever it earns.
    fn unfit(&self, incumbent: &Figures, candidate: &Figures) -> Option<String> {
        if candidate.drawdown.0 > self.drawdown_max {
            let (lost, max) = (candidate.drawdown.0, self.drawdown_max);
            return Some(format!(
                "the candidate lost {lost} USD since its peak, more than shadow.drawdown_max = {max}"
            ));
        }
        let (ours, theirs) = (denied_bps(candidate), denied_bps(incumbent));
        let max = u64::try_from(self.denied_more_max.0).unwrap_or(0);
        if candidate.intents >= INTENTS_MIN && ours > theirs.saturating_add(max) {
            return Some(format!(
                "{ours} bps of the candidate's intents are denied and {theirs} of the running \
                 version's: more apart than shadow.denied_more_max_bps = {max}"
            ));
        }
        let judged = incumbent.calls >= CALLS_MIN && candidate.calls >= CALLS_MIN;
        let most = incumbent.fuel_mean.saturating_mul(self.fuel_times_max);
        if judged && candidate.fuel_mean > most {
            let (ours, theirs) = (candidate.fuel_mean, incumbent.fuel_mean);
            return Some(format!(
                "a call of the candidate uses {ours} fuel and one of the running version {theirs}: \
                 more than shadow.fuel_times_max = {} times",
                self.fuel_times_max
            ));
        }
        None
    }
}

fn denied_bps(figures: &Figures) -> u64 {
    let denied = figures.denied.saturating_mul(10_000);
    denied.checked_div(figures.intents).unwrap_or(0)
}
