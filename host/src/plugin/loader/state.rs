//! The state of what runs: handed to a successor, or shown to a rehearsal.
//!
//! Asking an instance may change it, so that every time is a record: the load that takes the state, or one
//! of its own. Where the clock ended the call, that is what is recorded: a replay does not ask.

use super::super::engine::Compiled;
use super::super::error::PluginError;
use super::super::instance::ComponentStrategy;
use super::super::port::{LoaderError, LoaderPort};
use super::super::rehearse::{Contender, Incumbent};
use super::super::tape::Tape;
use super::slot::{Slot, Status};
use super::{Loader, record};
use pm_arb_core::event::StrategyChangeKind;
use pm_arb_core::strategy::{Strategy, StrategyFault};

impl Loader {
    /// Hands the state of the running version over, if its form is to be. An error means: keep the
    /// running version. `asked`: it was called for that, and what is to be recorded of it when no load
    /// with that state follows.
    pub(super) fn carry_over(
        &self,
        compiled: &Compiled,
        new: &mut ComponentStrategy,
        fresh: bool,
        asked: &mut Option<StrategyChangeKind>,
        port: &mut dyn LoaderPort,
    ) -> Result<bool, PluginError> {
        let name = &compiled.described.manifest.name;
        let running = |slot: &&Slot| slot.status == Status::Running && !fresh;
        let Some(slot) = self.slots.get(name).filter(running) else {
            return Ok(false);
        };
        let found = slot.compiled.described.state;
        if !self.policy.state.carries(&compiled.described, found)? {
            return Ok(false);
        }
        let Some(old) = port.engine_mut().strategy_mut(slot.id) else {
            return Ok(false);
        };
        let state = old.snapshot();
        *asked = Some(asking(&state));
        match state {
            Ok(state) => new.restore(&state).map(|()| true),
            Err(fault) => {
                // Asking killed it, so there is nothing to keep.
                tracing::warn!(strategy = name, "no state to hand over: it {fault}");
                Ok(false)
            }
        }
    }

    /// What runs under a name, for what is to take its place; none when that is what runs, or its file is not
    /// followed there. Where a contender is rehearsed it is asked for its state, which is recorded.
    pub fn incumbent(
        &self,
        name: &str,
        contender: Option<&Contender>,
        port: &mut dyn LoaderPort,
    ) -> Result<Option<Incumbent>, LoaderError> {
        let running = |slot: &&Slot| {
            slot.status == Status::Running && !contender.is_some_and(|it| slot.is_done_with(it))
        };
        let Some(slot) = self.slots.get(name).filter(running) else {
            return Ok(None);
        };
        let mut incumbent = Incumbent {
            compiled: slot.compiled.clone(),
            params: slot.params.clone(),
            path: slot.path.clone(),
            state: None,
            markets: Vec::new(),
            tape: Tape::default(),
            policy: self.policy,
        };
        let rehearsed = contender.is_some() && self.policy.rehearse;
        if let Some(strategy) = port
            .engine_mut()
            .strategy_mut(slot.id)
            .filter(|_| rehearsed)
            && let Some(tape) = component(strategy).and_then(|own| own.tape().cloned())
            && tape.len() > 0
        {
            let state = strategy.snapshot();
            record(port, name, slot.id, asking(&state))?;
            incumbent.tape = tape;
            incumbent.state = state.ok();
            let markets = port.engine().market_data().markets();
            let open = markets.filter(|market| market.is_open());
            incumbent.markets = open.map(|market| market.spec.clone()).collect();
        }
        Ok(Some(incumbent))
    }

    /// Records that a running strategy was asked for its state, when no load with that state follows.
    pub(super) fn was_asked(
        &self,
        name: &str,
        asked: Option<StrategyChangeKind>,
        carried: &Result<bool, PluginError>,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        match (self.slots.get(name), asked) {
            (Some(slot), Some(asked)) if !matches!(carried, Ok(true)) => {
                record(port, name, slot.id, asked)
            }
            _ => Ok(()),
        }
    }
}

/// What is to be recorded of a strategy's answer when it was asked for its state.
fn asking(answer: &Result<Vec<u8>, StrategyFault>) -> StrategyChangeKind {
    match answer {
        Err(StrategyFault::TooSlow) => StrategyChangeKind::Stopped { call: 0 },
        _ => StrategyChangeKind::Asked,
    }
}

/// The component that an instance is; native strategies are none.
pub(super) fn component<'a>(
    strategy: &'a mut (dyn Strategy + 'static),
) -> Option<&'a mut ComponentStrategy> {
    strategy.as_any_mut()?.downcast_mut()
}
