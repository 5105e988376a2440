//! What a record about a strategy changes in the engine: who sits in its slot, and whether it is called.
//!
//! The instance itself was put in place by whoever led here ([`Engine::install`]); this says who it is, gives
//! it its share of the capital or takes it away, and tells people.

use super::{Engine, Turn};
use crate::effect::AlertLevel;
use crate::event::{OperatorAction, StrategyChange, StrategyChangeKind};
use crate::ids::StrategyId;
use crate::order::{Author, OrderPlan};
use crate::reason::Reason;
use crate::strategy::Manifest;
use std::sync::Arc;

impl Engine {
    pub(super) fn strategy_changed(&mut self, change: &StrategyChange, turn: &mut Turn<'_>) {
        let id = change.id;
        match &change.kind {
            StrategyChangeKind::Loaded {
                manifest,
                digest,
                generation,
                ..
            } => {
                self.slot_mut(id).grant.take_effect();
                self.introduce(id, manifest, *digest, *generation);
                self.tell_open_markets(id, turn);
            }
            StrategyChangeKind::Reverted {
                manifest,
                digest,
                generation,
                why,
                ..
            } => {
                let bad = self.slot(id).and_then(|slot| slot.author.as_ref());
                let bad = bad.map_or(0, |author| author.generation);
                self.introduce(id, manifest, *digest, *generation);
                let text = format!(
                    "{}: generation {bad} was rolled back ({why}); generation {generation} runs version {}",
                    self.name_of(id),
                    manifest.version
                );
                self.alert(AlertLevel::Warning, "STRATEGY_REVERTED", text, turn);
            }
            StrategyChangeKind::Refused { why, .. } => {
                let text = format!("{}: new bytes refused: {why}", self.name_of(id));
                self.alert(AlertLevel::Warning, "STRATEGY_REFUSED", text, turn);
            }
            StrategyChangeKind::Quarantined { fault } => {
                self.quarantine(id, turn);
                let text = format!("{}: {fault}", self.name_of(id));
                self.alert(AlertLevel::Critical, "STRATEGY_QUARANTINED", text, turn);
            }
            StrategyChangeKind::Unloaded => {
                let slot = self.slot_mut(id);
                slot.alive = false;
                slot.runtime = None;
                slot.standby = None;
                slot.timer = None;
                self.allocator.set_active(id, false);
                self.withdraw_all(|plan| plan.strategy == id, Reason::Cancelled, turn);
            }
            StrategyChangeKind::Operator { action, note } => {
                if *action == OperatorAction::Quarantine {
                    self.quarantine(id, turn);
                }
                let text = format!("{}: {} ({note})", self.name_of(id), action.as_str());
                self.alert(AlertLevel::Info, "STRATEGY_OPERATOR", text, turn);
            }
            StrategyChangeKind::Granted(may) => self.slot_mut(id).grant.promise(may),
            StrategyChangeKind::Stopped { .. }
            | StrategyChangeKind::Asked
            | StrategyChangeKind::Watched
            | StrategyChangeKind::Committed => {}
            kind @ StrategyChangeKind::Shadowed { why, .. } => {
                let text = format!("{}: {} ({why})", self.name_of(id), kind.as_str());
                self.alert(AlertLevel::Info, "STRATEGY_SHADOW", text, turn);
            }
        }
        turn.reschedule = true;
    }

    /// Who sits in a slot from here on.
    fn introduce(
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
    fn quarantine(&mut self, id: StrategyId, turn: &mut Turn<'_>) {
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
