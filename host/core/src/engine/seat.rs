//! Who sits in a strategy's slot, and who is sent from it.

use super::{Engine, Turn};
use crate::ids::StrategyId;
use crate::order::{Author, OrderPlan};
use crate::reason::Reason;
use crate::strategy::Manifest;
use std::sync::Arc;

impl Engine {
    /// Who sits in a slot from here on.
    pub(super) fn introduce(
        &mut self,
        id: StrategyId,
        manifest: &Manifest,
        digest: [u8; 32],
        generation: u32,
    ) {
        let slot = self.slot_mut(id);
        slot.author = Some(Arc::new(Author {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest,
            generation,
        }));
        slot.topics = manifest.topics;
        slot.quarantined = false;
        self.allocator.set_active(id, true);
    }

    /// It is not called any more, has no share of the capital, and nothing of it goes on resting.
    pub(super) fn quarantine(&mut self, id: StrategyId, turn: &mut Turn<'_>) {
        let slot = self.slot_mut(id);
        slot.alive = false;
        slot.quarantined = true;
        slot.standby = None;
        slot.timer = None;
        self.allocator.set_active(id, false);
        let own = |plan: &OrderPlan| plan.strategy == id;
        self.withdraw_all(own, Reason::StrategyQuarantined, turn);
    }
}
