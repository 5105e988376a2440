//! Which shadows are wanted, and what they came to: shared by the loader, the keeper and whoever looks.
//!
//! The loader says what is wanted, from orders and from the journal; the keeper makes it so; figures come
//! back. Held for moments only, and never while anything slow is done.

use super::SHADOWS_MAX;
use super::policy::NewBytes;
use super::report::{Phase, ShadowRow};
use crate::plugin::hex;
use crate::snapshot::Instant;
use pm_arb_core::ids::{StrategyId, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A candidate that is to run in the shadow of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose candidate, by name.
    pub name: String,
    /// Whose candidate.
    pub id: StrategyId,
    /// Which shadow of it in this run, from 1: where in the journal it begins.
    pub number: u32,
    /// What runs.
    pub candidate: Begin,
    /// When it was ordered.
    pub at: Timestamp,
}

/// What a shadow runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// SHA-256 of the bytes, which the run's archive holds.
    pub digest: [u8; 32],
    /// Settings.
    pub params: Vec<(String, String)>,
    /// Without the state of what runs.
    pub fresh: bool,
}

/// Why a shadow does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// There is one.
    #[error(
        "a candidate of {name} ({digest}…) runs in its shadow already. Dismiss it first: \
         `pm-arb strategy dismiss {name}`"
    )]
    Occupied {
        /// Whose.
        name: String,
        /// The first letters of what runs.
        digest: String,
    },
    /// There are too many.
    #[error(
        "{SHADOWS_MAX} shadows run already ({of}), and no more may at a time. Dismiss one first: \
         `pm-arb strategy dismiss NAME`"
    )]
    TooMany {
        /// Of which strategies.
        of: String,
    },
}

/// See the top of the file.
#[derive(Debug, Clone, Default)]
pub struct Shadows(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    on_new_bytes: NewBytes,
    wanted: BTreeMap<String, Wanted>,
    /// Shadows that began so far, by strategy.
    begun: BTreeMap<StrategyId, u32>,
    /// What ended last, by strategy: its file telling the same again is no news.
    ended: BTreeMap<StrategyId, Begin>,
    /// The last figures, by strategy; they stay when a shadow ends.
    rows: BTreeMap<String, ShadowRow>,
}

impl Shadows {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below can leave it half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What changed bytes of a file do from now on.
    pub fn set_on_new_bytes(&self, what: NewBytes) {
        self.state().on_new_bytes = what;
    }

    /// What changed bytes of a file do.
    #[must_use]
    pub fn on_new_bytes(&self) -> NewBytes {
        self.state().on_new_bytes
    }

    /// Whether one more may begin.
    pub fn may_begin(&self, name: &str) -> Result<(), BeginError> {
        let state = self.state();
        if let Some(other) = state.wanted.get(name) {
            let digest = hex(&other.candidate.digest).chars().take(8).collect();
            let name = name.to_owned();
            return Err(BeginError::Occupied { name, digest });
        }
        if state.wanted.len() >= SHADOWS_MAX {
            let names: Vec<&str> = state.wanted.keys().map(String::as_str).collect();
            let of = names.join(", ");
            return Err(BeginError::TooMany { of });
        }
        Ok(())
    }

    /// The journal says that one begins. In a replay it did, whatever the present limits are.
    pub fn begin(&self, name: &str, id: StrategyId, candidate: Begin, at: Timestamp) {
        let mut state = self.state();
        let begun = state.begun.entry(id).or_default();
        *begun = begun.saturating_add(1);
        let wanted = Wanted {
            name: name.to_owned(),
            id,
            number: *begun,
            candidate,
            at,
        };
        state.rows.insert(name.to_owned(), first_row(&wanted));
        state.wanted.insert(name.to_owned(), wanted);
    }

    /// The journal says that it is over.
    pub fn end(&self, name: &str, why: &str) -> Option<Wanted> {
        let mut state = self.state();
        let wanted = state.wanted.remove(name)?;
        state.ended.insert(wanted.id, wanted.candidate.clone());
        if let Some(row) = state.rows.get_mut(name) {
            row.phase = Phase::Ended;
            row.verdict = why.to_owned();
        }
        Some(wanted)
    }

    /// The candidate in a strategy's shadow.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Wanted> {
        self.state().wanted.get(name).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn wanted(&self) -> Vec<Wanted> {
        self.state().wanted.values().cloned().collect()
    }

    /// Whether these bytes and settings ran in that strategy's shadow last, and no more do.
    #[must_use]
    pub fn was_last(&self, id: StrategyId, digest: &[u8; 32], params: &[(String, String)]) -> bool {
        let state = self.state();
        let last = state.ended.get(&id);
        last.is_some_and(|last| last.digest == *digest && last.params == params)
    }

    /// The last figures of a strategy's shadow.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<ShadowRow> {
        self.state().rows.get(name).cloned()
    }

    /// New figures of a shadow, unless it is over or another one began.
    pub fn show(&self, row: ShadowRow) {
        let mut state = self.state();
        let wanted = state.wanted.get(&row.strategy);
        if wanted.is_some_and(|wanted| wanted.number == row.number) {
            state.rows.insert(row.strategy.clone(), row);
        }
    }
}

fn first_row(wanted: &Wanted) -> ShadowRow {
    let settings = wanted.candidate.params.iter();
    ShadowRow {
        strategy: wanted.name.clone(),
        number: wanted.number,
        version: String::new(),
        digest: hex(&wanted.candidate.digest),
        settings: settings.map(|(k, v)| format!("{k}={v}")).collect(),
        since: Instant(wanted.at),
        phase: Phase::CatchingUp,
        verdict: "nothing is compared yet".to_owned(),
        ..ShadowRow::default()
    }
}
