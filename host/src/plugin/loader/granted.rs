//! What each strategy may: recorded before the load that it holds for, said aloud where it is less than asked.

use super::super::port::{LoaderError, LoaderPort};
use super::{Loader, record};
use pm_arb_core::capabilities::Capabilities;
use pm_arb_core::event::StrategyChangeKind;
use pm_arb_core::ids::{StrategyId, Timestamp};

impl Loader {
    /// Records what a strategy may from its next load on, where that differs from what was recorded last.
    pub(super) fn grant(
        &mut self,
        name: &str,
        may: &Capabilities,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let id = self
            .slots
            .get(name)
            .map_or_else(|| self.next_id(), |slot| slot.id);
        if self.granted(id) == *may {
            return Ok(());
        }
        record(
            port,
            name,
            id,
            StrategyChangeKind::Granted(Box::new(may.clone())),
        )?;
        self.granted.insert(id, may.clone());
        Ok(())
    }

    /// What was recorded last.
    pub(super) fn granted(&self, id: StrategyId) -> Capabilities {
        self.granted.get(&id).cloned().unwrap_or_default()
    }

    /// Says what a strategy asked for and does not get.
    pub(super) fn tell_refused(&mut self, name: &str, refused: &[String], at: Timestamp) {
        if refused.is_empty() {
            return;
        }
        let refused = refused.join(", ");
        tracing::warn!(strategy = name, "not granted: {refused}");
        self.tell(at, false, format!("{name} is not granted: {refused}"));
    }
}
