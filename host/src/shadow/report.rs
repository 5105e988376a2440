//! A shadow as it is shown: on the dashboard, by the command line, through the API.

use crate::snapshot::{Instant, Money};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A candidate beside what runs, with what both came to since it began.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ShadowRow {
    /// Whose candidate.
    pub strategy: String,
    /// Which shadow of it in this run, from 1.
    pub number: u32,
    /// What the candidate says its version is; empty until it was compiled.
    pub version: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// Its settings, `key=value`.
    pub settings: Vec<String>,
    /// When it was ordered, in the run's time.
    pub since: Instant,
    /// How far it is.
    pub phase: Phase,
    /// Why it ended; what it says so far while it runs.
    pub verdict: String,
    /// The last record of the journal it has stepped.
    pub seq: u64,
    /// Records that it has not.
    pub behind: u64,
    /// How fast it reads, records a second.
    pub records_per_second: u64,
    /// What runs.
    pub incumbent: Figures,
    /// What might run instead.
    pub candidate: Figures,
    /// Markets settled since, in which either traded.
    pub markets: u64,
    /// Of them, where the candidate earned more.
    pub better: u64,
    /// Of them, where it earned less.
    pub worse: u64,
    /// Of them, where both earned the same to the cent and below.
    pub equal: u64,
    /// What the candidate earned more in them.
    pub difference: Money,
    /// Observations of the test: markets that close together are one.
    pub pairs: u64,
    /// The evidence that it is better: one to begin with.
    pub evidence: String,
    /// The evidence at which it is called better.
    pub evidence_needed: String,
    /// The last markets, oldest first; at most [`PAIRS_KEPT`](super::PAIRS_KEPT).
    pub recent: Vec<PairRow>,
}

/// How far a shadow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It reads what was before the candidate came.
    #[default]
    CatchingUp,
    /// The candidate runs.
    Comparing,
    /// It is over.
    Ended,
}

impl Phase {
    /// The words for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::CatchingUp => "catching up",
            Phase::Comparing => "comparing",
            Phase::Ended => "ended",
        }
    }
}

/// What one of the two came to since the candidate began.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    /// Realised, after fees.
    pub net: Money,
    /// The most that fell from a peak of it.
    pub drawdown: Money,
    /// Paid for shares, without fees.
    pub bought: Money,
    /// Calls.
    pub calls: u64,
    /// Intents.
    pub intents: u64,
    /// Of them denied.
    pub denied: u64,
    /// Legs filled.
    pub fills: u64,
    /// Calls that failed.
    pub faults: u64,
    /// Fuel of a call of the running generation on average.
    pub fuel_mean: u64,
    /// Fuel of its dearest call.
    pub fuel_max: u64,
}

/// A settled market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairRow {
    /// Its readable name.
    pub market: String,
    /// When it was settled.
    pub at: Instant,
    /// What was earned in it by what runs.
    pub incumbent: Money,
    /// What the candidate earned in it.
    pub candidate: Money,
    /// What it earned more.
    pub difference: Money,
}
