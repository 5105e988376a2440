//! What each strategy may: recorded before the load that it holds for, said aloud where it is less than asked.

use super::super::port::{LoaderError, LoaderPort};
use super::slot::{Slot, Status};
use super::{Loader, Why, record};
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

    /// At the end of a start: what runs under other grants than the present ones starts again under these,
    /// with its state; and names that are granted something but not run are said.
    pub(super) fn apply_grants(&mut self, port: &mut dyn LoaderPort) -> Result<(), LoaderError> {
        let unknown = self.host.grants().own.keys();
        for name in unknown.filter(|name| !self.slots.contains_key(*name)) {
            tracing::warn!("[grants.for.{name}] names no strategy of this run");
        }
        let runs = |slot: &&Slot| slot.status == Status::Running;
        let other = |slot: &&Slot| self.host.grants().may(&slot.compiled.described) != slot.may;
        let named = |slot: &Slot| slot.manifest.name.clone();
        let names: Vec<String> = self
            .slots
            .values()
            .filter(runs)
            .filter(other)
            .map(named)
            .collect();
        for name in names {
            self.regrant(&name, port)?;
        }
        Ok(())
    }

    fn regrant(&mut self, name: &str, port: &mut dyn LoaderPort) -> Result<(), LoaderError> {
        let Some(slot) = self.slots.get(name) else {
            return Ok(());
        };
        let (path, digest) = (slot.path.clone().unwrap_or_default(), slot.digest);
        let why = Why::Restarted("its grants changed".to_owned());
        let made = self.again(slot, why, port.now());
        let refused = match made {
            Ok((mut new, mut strategy)) => {
                self.grant(name, &new.may, port)?;
                let (compiled, mut asked) = (new.compiled.clone(), None);
                let carried = self.carry_over(&compiled, &mut strategy, false, &mut asked, port);
                self.was_asked(name, asked, &carried, port)?;
                match carried {
                    Ok(restored) => {
                        new.restored = restored;
                        return self.install(new, strategy, port).map(|_| ());
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        // It can not run under the present grants, and must not go on under others.
        self.refuse(
            Some(name.to_owned()),
            path,
            Some(digest),
            refused.story(),
            port,
        )?;
        self.unload(name, port)
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
