//! What follows when a strategy fails: a start after a while, and quarantine when it fails too often.

use super::super::error::PluginError;
use super::super::instance::ComponentStrategy;
use super::super::port::{LoaderError, LoaderPort};
use super::slot::{Change, ChangeKind, Slot, Status};
use super::{Loader, RESTART_AFTER, STRIKE_WINDOW, Successor, Why, record};
use pm_arb_core::event::StrategyChangeKind;
use pm_arb_core::ids::{StrategyId, Timestamp};
use pm_arb_core::strategy::StrategyFault;
use std::time::Instant;

impl Loader {
    /// The engine says that a strategy failed. Only noted here; [`tick`](Self::tick) acts on it.
    /// Called in replays too, so that a recovered run knows its strikes.
    pub fn failed(&mut self, id: StrategyId, fault: &StrategyFault, at: Timestamp) {
        let Some((name, slot)) = self.slots.iter_mut().find(|(_, slot)| slot.id == id) else {
            return;
        };
        tracing::error!(
            strategy = name,
            generation = slot.generation,
            "failed: it {fault}"
        );
        slot.fault = Some(fault.clone());
        if let Some(watch) = &mut slot.watch {
            watch.struck.get_or_insert_with(|| fault.clone());
        }
        slot.strikes.push_back(at);
        while slot
            .strikes
            .front()
            .is_some_and(|first| at.since(*first) > STRIKE_WINDOW)
        {
            slot.strikes.pop_front();
        }
        // One that an operator stopped in the meantime stays stopped.
        if slot.status == Status::Quarantined {
            return;
        }
        slot.status = match RESTART_AFTER.get(slot.strikes.len().saturating_sub(1)) {
            Some(pause) => Status::Restarting {
                at: at.plus(*pause),
            },
            None => Status::Condemned(fault.clone()),
        };
    }

    /// When [`tick`](Self::tick) has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.slots
            .values()
            .filter_map(|slot| match (&slot.watch, &slot.status) {
                // Looked at in every turn.
                (Some(watch), _) => Some(watch.since),
                (None, Status::Restarting { at }) => Some(*at),
                (None, Status::Condemned(_)) => Some(Timestamp(0)),
                _ => None,
            })
            .min()
    }

    /// Judges what is watched, restarts what is due and quarantines what failed too often.
    pub fn tick(&mut self, now: Timestamp, port: &mut dyn LoaderPort) -> Result<(), LoaderError> {
        self.judge(now, port)?;
        let due: Vec<String> = self
            .slots
            .iter()
            .filter(|(_, slot)| match slot.status {
                Status::Restarting { at } => at <= now,
                Status::Condemned(_) => true,
                _ => false,
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.restart_or_quarantine(&name, port)?;
        }
        Ok(())
    }

    fn restart_or_quarantine(
        &mut self,
        name: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let Some(slot) = self.slots.get(name) else {
            return Ok(());
        };
        let fault = match &slot.status {
            Status::Condemned(fault) => fault.clone(),
            _ => {
                let why = slot.why_again();
                match self.again(slot, why, port.now()) {
                    Ok((new, strategy)) => return self.install(new, strategy, port).map(|_| ()),
                    Err(PluginError::Failed { fault, .. }) => fault,
                    Err(error) => StrategyFault::Protocol(error.story()),
                }
            }
        };
        self.quarantine(name, fault, port)
    }

    /// A fresh instance of the bytes that it runs, without state.
    pub(super) fn again(
        &self,
        slot: &Slot,
        why: Why,
        at: Timestamp,
    ) -> Result<(Successor, ComponentStrategy), PluginError> {
        let began = Instant::now();
        let strategy = self.host.instantiate(&slot.compiled, &slot.params)?;
        let again = Successor {
            compiled: slot.compiled.clone(),
            params: slot.params.clone(),
            path: None,
            restored: false,
            why,
            at,
            began: Some(began),
            usage: strategy.usage(),
            may: strategy.may().clone(),
        };
        Ok((again, strategy))
    }

    fn quarantine(
        &mut self,
        name: &str,
        fault: StrategyFault,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(());
        };
        slot.status = Status::Quarantined;
        let why = format!("it {fault}");
        tracing::error!(strategy = name, "quarantined until its file changes: {why}");
        slot.note(Change {
            at: port.now(),
            kind: ChangeKind::Quarantined,
            why: why.clone(),
        });
        let (id, text) = (slot.id, format!("{name} quarantined: {why}"));
        self.tell(port.now(), false, text);
        record(port, name, id, StrategyChangeKind::Quarantined { fault })
    }
}
