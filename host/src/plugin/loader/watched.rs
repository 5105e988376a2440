//! The watch over a generation that took over from one that ran: what ends it well, what ends it badly,
//! and the way back.
//!
//! While it lasts, the generation before stands by in the engine: told everything and not heard. A strike
//! of the new one, too many denials, too much fuel or too great a loss puts it back at once; otherwise it
//! is let go when the time is over. Every beginning and every end is a record.

use super::super::engine::Compiled;
use super::super::limits::Limits;
use super::super::policy::SwapPolicy;
use super::super::port::{LoaderError, LoaderPort, PortError};
use super::super::sources::Params;
use super::super::usage::{Costs, Usage};
use super::slot::{Change, ChangeKind, Slot, Status};
use super::{Loader, Successor, Why, port_error, record};
use pm_arb_core::capabilities::Capabilities;
use pm_arb_core::engine::Standing;
use pm_arb_core::event::StrategyChangeKind;
use pm_arb_core::ids::{StrategyId, Timestamp};
use pm_arb_core::strategy::StrategyFault;
use pm_arb_core::units::Usd;
use std::collections::VecDeque;
use std::sync::Arc;

/// Why a watch ends early. Strikes count as they always do from then on.
const STANDBY_FAILED: &str = "the generation that stood by failed, so nothing can be put back";
/// Parts of a whole in a basis-point share.
const BPS: u64 = 10_000;

/// A generation that can take over again, as it was when it was replaced.
#[derive(Debug, Clone)]
pub(super) struct Before {
    pub(super) generation: u32,
    pub(super) params: Params,
    pub(super) compiled: Compiled,
    pub(super) usage: Arc<Usage>,
    pub(super) strikes: VecDeque<Timestamp>,
    pub(super) fault: Option<StrategyFault>,
    pub(super) may: Capabilities,
    /// What it came to while it ran: intents, and denied ones.
    judged: (u64, u64),
    /// What its calls had cost.
    costs: Costs,
}

impl Before {
    /// Of a slot that is about to be succeeded.
    pub(super) fn of(slot: &Slot, now: Standing) -> Self {
        let since = slot.since;
        Self {
            generation: slot.generation,
            params: slot.params.clone(),
            compiled: slot.compiled.clone(),
            usage: slot.usage.clone(),
            strikes: slot.strikes.clone(),
            fault: slot.fault.clone(),
            may: slot.may.clone(),
            judged: (
                now.intents.saturating_sub(since.intents),
                now.denied.saturating_sub(since.denied),
            ),
            costs: slot.usage.costs(),
        }
    }
}

/// One watch.
#[derive(Debug)]
pub struct Watch {
    /// Since when, in the run's time.
    pub since: Timestamp,
    pub(super) before: Before,
    /// A call of the new generation failed.
    pub(super) struck: Option<StrategyFault>,
}

impl Watch {
    pub(super) fn new(since: Timestamp, before: Before) -> Self {
        Self {
            since,
            before,
            struck: None,
        }
    }

    /// Which generation stands by.
    #[must_use]
    pub fn standby(&self) -> u32 {
        self.before.generation
    }

    /// What ends it badly, with figures.
    fn verdict(
        &self,
        slot: &Slot,
        now: Standing,
        policy: &SwapPolicy,
        limits: &Limits,
    ) -> Option<String> {
        let struck = self.struck.as_ref().map(|fault| format!("it {fault}"));
        struck
            .or_else(|| self.denied(slot.since, now, policy))
            .or_else(|| self.burned(slot.usage.costs(), policy, limits))
            .or_else(|| lost(slot.since, now, policy))
    }

    fn denied(&self, from: Standing, now: Standing, policy: &SwapPolicy) -> Option<String> {
        let denied = now.denied.saturating_sub(from.denied);
        let intents = now.intents.saturating_sub(from.intents);
        if denied < policy.denied_min {
            return None;
        }
        let (before_all, before_denied) = self.before.judged;
        let share = |part: u64, whole: u64| part.saturating_mul(BPS).checked_div(whole);
        let (is, was) = (share(denied, intents)?, share(before_denied, before_all));
        let was = was.unwrap_or(0);
        let most = was.saturating_add(u64::try_from(policy.denied_above.0).unwrap_or(0));
        (is > most).then(|| {
            format!(
                "{denied} of its {intents} intents were denied, {} %; of generation {} it were {} %",
                is / 100,
                self.before.generation,
                was / 100
            )
        })
    }

    /// Both heard the same calls since it began.
    fn burned(&self, is: Costs, policy: &SwapPolicy, limits: &Limits) -> Option<String> {
        let (start, was) = (self.before.costs, self.before.usage.costs());
        let calls = was.calls.saturating_sub(start.calls);
        if is.calls < policy.fuel_calls_min {
            return None;
        }
        let near = |fuel: u64| {
            let limit = limits.call_fuel.saturating_mul(policy.fuel_limit_pct);
            fuel.saturating_mul(100) > limit
        };
        if near(is.fuel_max) && !near(was.fuel_max) {
            return Some(format!(
                "a call of it used {} fuel of {}, above {} %; none of generation {} did",
                is.fuel_max, limits.call_fuel, policy.fuel_limit_pct, self.before.generation
            ));
        }
        if calls < policy.fuel_calls_min {
            return None;
        }
        let mean = was.fuel_sum.saturating_sub(start.fuel_sum) / calls;
        let most = mean.saturating_mul(policy.fuel_mean_pct) / 100;
        (is.fuel_mean > most).then(|| {
            format!(
                "its calls use {} fuel on average, above {} % of the {mean} that generation {} uses for \
                 the same",
                is.fuel_mean, policy.fuel_mean_pct, self.before.generation
            )
        })
    }
}

fn lost(from: Standing, now: Standing, policy: &SwapPolicy) -> Option<String> {
    let change = Usd(now.net.0.saturating_sub(from.net.0));
    (change.0 < policy.loss_max.0.saturating_neg()).then(|| {
        format!(
            "it came to {change} USD since it took over; {} may be lost",
            policy.loss_max
        )
    })
}

impl Loader {
    /// Whether what is about to take over is to be watched: other bytes or settings, by their file, the
    /// configuration or a swap. A rollback is an operator's word against what ran.
    pub(super) fn is_to_be_watched(&self, new: &Successor) -> bool {
        let slot = self.slots.get(&new.compiled.described.manifest.name);
        let news = |slot: &Slot| {
            let same = slot.digest == new.compiled.digest && slot.params == new.params;
            slot.status == Status::Running && !same
        };
        let by_choice = !matches!(new.why, Why::RolledBack(_) | Why::Restarted(_));
        self.policy.watch.0 > 0 && by_choice && slot.is_some_and(news)
    }

    /// The load just recorded is watched.
    pub(super) fn watch(
        &mut self,
        name: &str,
        before: Before,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let at = port.now();
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(());
        };
        slot.watch = Some(Watch::new(at, before));
        record(port, name, slot.id, StrategyChangeKind::Watched)
    }

    /// Ends the watch of a strategy, if there is one, for good: what stands by is let go.
    pub(super) fn commit(
        &mut self,
        name: &str,
        why: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let at = port.now();
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(());
        };
        if slot.watch.take().is_none() {
            return Ok(());
        }
        let id = slot.id;
        let (version, generation) = (slot.manifest.version.clone(), slot.generation);
        slot.note(Change {
            at,
            kind: ChangeKind::Committed { generation },
            why: why.to_owned(),
        });
        tracing::info!(strategy = name, version, generation, "committed: {why}");
        let let_go = port.engine_mut().let_go(id);
        self.drop_elsewhere(let_go);
        record(port, name, id, StrategyChangeKind::Committed)
    }

    /// Judges every watch: after a failure at once, otherwise with every [`tick`](Self::tick). One over
    /// which nothing stands by is over; a replay, which knows no clock, learns of it by the same record.
    pub fn judge(&mut self, now: Timestamp, port: &mut dyn LoaderPort) -> Result<(), LoaderError> {
        let watched = self.slots.iter().filter(|(_, slot)| slot.watch.is_some());
        let watched: Vec<String> = watched.map(|(name, _)| name.clone()).collect();
        for name in watched {
            let Some((slot, watch)) = self
                .slots
                .get(&name)
                .and_then(|slot| Some((slot, slot.watch.as_ref()?)))
            else {
                continue;
            };
            let standing = port.engine().standing(slot.id);
            let limits = &slot.limits().within(&slot.may);
            if !port.engine().has_standby(slot.id) {
                let text = format!(
                    "{name} (gen {}) is watched no more: {STANDBY_FAILED}",
                    slot.generation
                );
                self.tell(now, false, text);
                self.commit(&name, STANDBY_FAILED, port)?;
                continue;
            }
            match watch.verdict(slot, standing, &self.policy, limits) {
                Some(why) => self.revert(&name, &why, port)?,
                None if watch.since.plus(self.policy.watch) <= now => {
                    let calls = slot.usage.costs().calls;
                    let why = format!("{calls} calls in its watch went well");
                    let text = format!("{name} (gen {}) committed: {why}", slot.generation);
                    self.tell(now, true, text);
                    self.commit(&name, &why, port)?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The generation before takes over again, with the state that it kept.
    pub(super) fn revert(
        &mut self,
        name: &str,
        why: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(());
        };
        let (Some(watch), bad) = (slot.watch.take(), slot.generation) else {
            return Ok(());
        };
        let (id, generation) = (slot.id, bad.saturating_add(1));
        let standby = watch.before.generation;
        let by_operator = slot.ordered.is_some();
        self.granted.insert(id, watch.before.may.clone());
        let replaced = port.engine_mut().revert(id);
        let (at, standing) = (port.now(), port.engine().standing(id));
        slot.put_back(generation, watch.before, why, at, standing);
        let kind = StrategyChangeKind::Reverted {
            manifest: slot.manifest.clone(),
            digest: slot.digest,
            generation,
            params: slot.params.clone(),
            why: why.to_owned(),
        };
        let text = format!(
            "{name}: gen {bad} was rolled back: {why}. {} runs again with its state (gen {standby}, now \
             gen {generation})",
            slot.manifest.version
        );
        if by_operator {
            tracing::info!(strategy = name, from = bad, generation, "{text}");
        } else {
            tracing::error!(strategy = name, from = bad, generation, "{text}");
        }
        self.drop_elsewhere(replaced);
        self.tell(at, by_operator, text);
        record(port, name, id, kind)
    }

    /// A recorded way back, once more.
    pub(super) fn revert_again(
        &mut self,
        id: StrategyId,
        generation: u32,
        why: &str,
        at: Timestamp,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let Some(slot) = self.slots.values_mut().find(|slot| slot.id == id) else {
            return Ok(());
        };
        let name = slot.manifest.name.clone();
        let (Some(watch), true) = (slot.watch.take(), port.engine().has_standby(id)) else {
            let source: PortError = "none stands by at that record".into();
            let doing = "putting the generation before back as the journal tells";
            return Err(port_error(&name, doing, source));
        };
        self.granted.insert(id, watch.before.may.clone());
        let replaced = port.engine_mut().revert(id);
        let standing = port.engine().standing(id);
        slot.put_back(generation, watch.before, why, at, standing);
        self.drop_elsewhere(replaced);
        Ok(())
    }
}
