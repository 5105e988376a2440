//! The generation before the running one, while that is watched: told everything, not heard.
//!
//! Owns what keeps it current: it hears by its own topics, has its own timer, and sees what befalls the
//! orders of its successor. What it answers is dropped; a call that fails ends it. It decides nothing:
//! the runner says when it takes over again, or is let go.

use super::Engine;
use super::dispatch::Told;
use super::grants::Grant;
use crate::ids::{StrategyId, Timestamp};
use crate::strategy::{Output, Strategy, Topics};

/// See the top of the file.
pub(super) struct Standby {
    runtime: Box<dyn Strategy>,
    pub(super) topics: Topics,
    pub(super) grant: Grant,
    pub(super) timer: Option<Timestamp>,
    unheard: Output,
}

impl Standby {
    /// One call. False: it failed, and is not to be called again.
    pub(super) fn tell(&mut self, now: Timestamp, told: Told<'_>) -> bool {
        self.unheard.clear();
        if told.to(&mut *self.runtime, now, &mut self.unheard).is_err() {
            return false;
        }
        if let Some(at) = self.unheard.wake_at {
            let at = super::dispatch::soonest(now, at);
            self.timer = Some(self.timer.map_or(at, |timer| timer.min(at)));
        }
        true
    }
}

impl Engine {
    /// Keeps the generation that [`install`](Self::install) gave back as the standby of the new one. To
    /// be called before the `Loaded` record: until then the slot's topics and timer are the old one's.
    pub fn stand_by(&mut self, id: StrategyId, before: Box<dyn Strategy>) {
        let slot = self.slot_mut(id);
        slot.standby = Some(Standby {
            runtime: before,
            topics: slot.topics,
            grant: slot.grant.clone(),
            timer: slot.timer,
            unheard: Output::default(),
        });
    }

    /// How many that stood by failed so far: whoever watches for one of them has reason to look.
    #[must_use]
    pub fn standbys_failed(&self) -> u64 {
        self.standbys_failed
    }

    /// Whether the generation before could take over again at this moment.
    #[must_use]
    pub fn has_standby(&self, id: StrategyId) -> bool {
        self.slot(id).is_some_and(|slot| slot.standby.is_some())
    }

    /// The standby takes over again; returns the one that was watched. A `Reverted` record must follow
    /// at once and says who it is. Nothing happens when there is none any more.
    pub fn revert(&mut self, id: StrategyId) -> Option<Box<dyn Strategy>> {
        let slot = self.slot_mut(id);
        let standby = slot.standby.take()?;
        slot.alive = true;
        slot.timer = standby.timer;
        slot.grant.return_to(standby.grant);
        slot.runtime.replace(standby.runtime)
    }

    /// Lets the standby go and returns it.
    pub fn let_go(&mut self, id: StrategyId) -> Option<Box<dyn Strategy>> {
        Some(self.slot_mut(id).standby.take()?.runtime)
    }
}
