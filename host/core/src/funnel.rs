//! The funnel: where everything went that entered a stage, from records to settled trades.
//!
//! Owns the shape and the law of conservation: of every stage, what entered has passed, was refused for a
//! reason, ended otherwise, or is waiting; and what passed is the first inflow of the next stage. Where the
//! unit changes (a market is looked at many times, a wish has many legs), the rest of the next stage's
//! inflow has a name of its own. The engine counts ([`crate::engine::Engine::funnel`]); nothing is counted here.

use crate::reason::Reason;

/// The stages, in the order things go through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StageKey {
    /// Every record, until it is taken as a fact.
    Inputs,
    /// Every market, until it was looked at.
    Markets,
    /// Every look of the scanner at one possible edge.
    Looks,
    /// Every sight of an edge after fees.
    Sights,
    /// Every opportunity, until somebody wishes for it.
    Opportunities,
    /// Every wish of a strategy, until risk has judged it.
    Wishes,
    /// Every leg of an approved wish, until it fills or does not.
    Legs,
    /// Every fill.
    Fills,
    /// Every row that a purchase opened, until it is over.
    Trades,
}

impl StageKey {
    /// All, in order.
    pub const ALL: [StageKey; 9] = [
        StageKey::Inputs,
        StageKey::Markets,
        StageKey::Looks,
        StageKey::Sights,
        StageKey::Opportunities,
        StageKey::Wishes,
        StageKey::Legs,
        StageKey::Fills,
        StageKey::Trades,
    ];

    /// The stable name used in tables and links.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StageKey::Inputs => "inputs",
            StageKey::Markets => "markets",
            StageKey::Looks => "looks",
            StageKey::Sights => "sights",
            StageKey::Opportunities => "opportunities",
            StageKey::Wishes => "wishes",
            StageKey::Legs => "legs",
            StageKey::Fills => "fills",
            StageKey::Trades => "trades",
        }
    }

    /// What passing it means, in a word or two.
    #[must_use]
    pub fn passed_as(self) -> &'static str {
        match self {
            StageKey::Inputs => "told of a new market",
            StageKey::Markets => "looked at",
            StageKey::Looks => "showed an edge after fees",
            StageKey::Sights => "became an opportunity",
            StageKey::Opportunities => "wished for",
            StageKey::Wishes => "approved by risk",
            StageKey::Legs => "filled, wholly or in part",
            StageKey::Fills => "bought: a trade is open",
            StageKey::Trades => "settled",
        }
    }
}

/// A part of a stage's inflow, of its ends or of what waits in it: a name and how many.
pub type Part = (&'static str, u64);

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Which.
    pub key: StageKey,
    /// What entered, by where it came from; the first is what passed the stage before.
    pub entered: Vec<Part>,
    /// What went on.
    pub passed: u64,
    /// What was refused, by reason; reasons that never occurred are left out.
    pub refused: Vec<(Reason, u64)>,
    /// What ended here without a refusal.
    pub ended: Vec<Part>,
    /// What is still in this stage.
    pub waiting: Vec<Part>,
}

impl Stage {
    /// Everything that entered.
    #[must_use]
    pub fn entered(&self) -> u64 {
        sum(&self.entered)
    }

    /// Everything that was refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        let counts = self.refused.iter().map(|(_, n)| *n);
        counts.fold(0, u64::saturating_add)
    }

    /// Everything that ended without a refusal.
    #[must_use]
    pub fn ended(&self) -> u64 {
        sum(&self.ended)
    }

    /// Everything that is still here.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        sum(&self.waiting)
    }
}

fn sum(parts: &[Part]) -> u64 {
    parts.iter().map(|(_, n)| *n).fold(0, u64::saturating_add)
}

/// All stages, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funnel {
    /// See [`StageKey::ALL`].
    pub stages: [Stage; StageKey::ALL.len()],
}

impl Funnel {
    /// A stage.
    #[must_use]
    pub fn stage(&self, key: StageKey) -> &Stage {
        #[expect(clippy::indexing_slicing, reason = "there is one stage a key")]
        &self.stages[key as usize]
    }

    /// Whether nothing is lost or counted twice; otherwise where, in words.
    pub fn check(&self) -> Result<(), String> {
        let mut before: Option<&Stage> = None;
        for stage in &self.stages {
            let name = stage.key.as_str();
            let entered = stage.entered();
            let (passed, refused) = (stage.passed, stage.refused());
            let (ended, waiting) = (stage.ended(), stage.waiting());
            let left = [passed, refused, ended, waiting];
            if left.into_iter().fold(0, u64::saturating_add) != entered {
                return Err(format!(
                    "{name}: {entered} entered, but {passed} passed, {refused} were refused, {ended} ended, \
                     {waiting} wait"
                ));
            }
            if let Some(before) = before {
                let first = stage.entered.first().map_or(0, |(_, n)| *n);
                if before.passed != first {
                    return Err(format!(
                        "{name}: {first} came from {}, but {} passed there",
                        before.key.as_str(),
                        before.passed
                    ));
                }
            }
            before = Some(stage);
        }
        Ok(())
    }
}

/// Counts by reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByReason([u64; Reason::ALL.len()]);

impl Default for ByReason {
    fn default() -> Self {
        Self([0; Reason::ALL.len()])
    }
}

impl ByReason {
    pub(crate) fn count(&mut self, reason: Reason) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Those that occurred.
    pub(crate) fn list(&self) -> Vec<(Reason, u64)> {
        let all = Reason::ALL.iter().copied().zip(self.0);
        all.filter(|(_, n)| *n > 0).collect()
    }
}
