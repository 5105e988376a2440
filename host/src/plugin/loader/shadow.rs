//! Candidates in the shadow of what runs: when one begins, takes its place, or is let go.
//!
//! Recorded like every change of a strategy. What runs is not touched until one is promoted; the shadow
//! itself runs elsewhere ([`crate::shadow`]).

use super::super::port::{LoaderError, LoaderPort, Outcome};
use super::super::prepare::Candidate;
use super::orders::{Done, OrderError};
use super::slot::{Change, ChangeKind, Short, Status};
use super::{Loader, Why, port_error, record};
use crate::shadow::{Begin, NewBytes, Shadows};
use pm_arb_core::event::StrategyChangeKind;
use pm_arb_core::ids::{StrategyId, Timestamp};

impl Loader {
    /// The shadows of the run.
    #[must_use]
    pub fn shadows(&self) -> &Shadows {
        &self.shadows
    }

    /// An operator wants a candidate beside what runs.
    pub(super) fn shadow(
        &mut self,
        name: &str,
        candidate: Candidate,
        fresh: bool,
        note: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<Result<Done, OrderError>, LoaderError> {
        if let Err(error) = self.may_shadow(name, &candidate) {
            return Ok(Err(error));
        }
        let why = format!("operator: shadow ({note})");
        let text = self.begin_shadow(name, candidate, fresh, why, port)?;
        Ok(Ok(self.done(name, text)))
    }

    fn may_shadow(&self, name: &str, candidate: &Candidate) -> Result<(), OrderError> {
        self.recipe(name, false)?;
        let found = &candidate.compiled.described.manifest.name;
        if found != name {
            return Err(OrderError::OtherName {
                name: name.to_owned(),
                found: found.clone(),
            });
        }
        if self.orderable(name)?.status != Status::Running {
            return Err(OrderError::Refused {
                name: name.to_owned(),
                why: "it does not run now, so there is nothing to compare a candidate with"
                    .to_owned(),
            });
        }
        Ok(self.shadows.may_begin(name)?)
    }

    /// Records that a candidate runs beside a strategy from here on.
    fn begin_shadow(
        &mut self,
        name: &str,
        candidate: Candidate,
        fresh: bool,
        why: String,
        port: &mut dyn LoaderPort,
    ) -> Result<String, LoaderError> {
        let digest = candidate.compiled.digest;
        port.archive(&digest, &candidate.bytes)
            .map_err(|source| port_error(name, "keeping its bytes", source))?;
        let version = candidate.compiled.described.manifest.version.clone();
        let begin = Begin {
            digest,
            params: candidate.params,
            fresh,
        };
        self.tell_shadow(name, Some(&begin), &why, port)?;
        let text = format!(
            "{name} {version} ({}) runs in the shadow of what runs; figures: \
             pm-arb strategy shadow {name}",
            Short(&digest)
        );
        self.tell(port.now(), true, text.clone());
        Ok(text)
    }

    /// A candidate begins, or the one there ends: into the slot's history and the journal.
    fn tell_shadow(
        &mut self,
        name: &str,
        begins: Option<&Begin>,
        why: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let at = port.now();
        let Some(id) = self.slots.get(name).map(|slot| slot.id) else {
            return Ok(());
        };
        let of = self.shadows.of(name).map(|wanted| wanted.candidate);
        let Some(candidate) = begins.cloned().or(of) else {
            return Ok(());
        };
        self.shadowed(id, begins.is_some(), &candidate, why, at);
        let kind = StrategyChangeKind::Shadowed {
            digest: candidate.digest,
            begins: begins.is_some(),
            params: candidate.params,
            fresh: candidate.fresh,
            why: why.to_owned(),
        };
        record(port, name, id, kind)
    }

    /// What a record about a shadow does here, the first time and in every replay.
    pub(super) fn shadowed(
        &mut self,
        id: StrategyId,
        begins: bool,
        candidate: &Begin,
        why: &str,
        at: Timestamp,
    ) {
        let Some(slot) = self.slots.values_mut().find(|slot| slot.id == id) else {
            return;
        };
        let digest = candidate.digest;
        slot.note(Change {
            at,
            kind: ChangeKind::Shadowed { begins, digest },
            why: why.to_owned(),
        });
        let name = &slot.manifest.name;
        if begins {
            self.shadows.begin(name, id, candidate.clone(), at);
        } else {
            self.shadows.end(name, why);
        }
    }

    /// The candidate takes the place of what runs, by the way of every swap.
    pub(super) fn promote(
        &mut self,
        name: &str,
        candidate: Candidate,
        note: String,
        port: &mut dyn LoaderPort,
    ) -> Result<Result<Done, OrderError>, LoaderError> {
        if let Err(error) = self.recipe(name, false) {
            return Ok(Err(error));
        }
        let wanted = match self.promotable(name) {
            Ok(wanted) => wanted,
            Err(error) => return Ok(Err(error)),
        };
        if wanted.digest != candidate.compiled.digest || wanted.params != candidate.params {
            let name = name.to_owned();
            return Ok(Err(OrderError::Overtaken { name }));
        }
        let outcome = self.take_over(candidate, Why::Promoted(note), wanted.fresh, port)?;
        Ok(self.answer(name, outcome))
    }

    /// What runs in the shadow of a strategy.
    fn promotable(&self, name: &str) -> Result<Begin, OrderError> {
        let wanted = self.shadows.of(name).ok_or_else(|| OrderError::NoShadow {
            name: name.to_owned(),
        })?;
        Ok(wanted.candidate)
    }

    /// A shadow ends: for a reason of its own, or by an operator's word.
    pub(super) fn dismiss(
        &mut self,
        name: &str,
        why: Option<String>,
        note: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<Result<Done, OrderError>, LoaderError> {
        if !self.slots.contains_key(name)
            && let Err(error) = self.orderable(name)
        {
            return Ok(Err(error));
        }
        if let Err(error) = self.promotable(name) {
            return Ok(Err(error));
        }
        let by_hand = why.is_none();
        let why = why.unwrap_or_else(|| format!("operator: dismiss ({note})"));
        self.tell_shadow(name, None, &why, port)?;
        let text = format!("the candidate of {name} is let go: {why}");
        self.tell(port.now(), by_hand, text.clone());
        Ok(Ok(self.done(name, text)))
    }

    /// A promotion is on its way: what ran in the shadow no longer does.
    pub(super) fn promoted(&mut self, id: StrategyId, note: &str) {
        if let Some(slot) = self.slots.values().find(|slot| slot.id == id) {
            let why = format!("promoted ({note})");
            self.shadows.end(&slot.manifest.name, &why);
        }
    }

    /// Whether new bytes of a strategy's file run beside it first.
    pub(super) fn is_for_shadow(&self, name: &str, candidate: &Candidate) -> bool {
        self.shadows.on_new_bytes() == NewBytes::Shadow
            && self.slots.get(name).is_some_and(|slot| {
                slot.status == Status::Running && slot.digest != candidate.compiled.digest
            })
    }

    /// The file of a strategy that runs holds other bytes: they run beside it. The newest win.
    pub(super) fn follow_in_shadow(
        &mut self,
        name: String,
        candidate: Candidate,
        port: &mut dyn LoaderPort,
    ) -> Result<Outcome, LoaderError> {
        let digest = candidate.compiled.digest;
        let Some(slot) = self.slots.get_mut(&name) else {
            return Ok(Outcome::Ignored);
        };
        slot.path = Some(candidate.path.clone());
        if self.shadows.was_last(slot.id, &digest, &candidate.params) {
            let why = "they ran in its shadow and were not promoted";
            return Ok(Outcome::NotFollowed { name, why });
        }
        if let Some(other) = self.shadows.of(&name).map(|wanted| wanted.candidate) {
            if other.digest == digest && other.params == candidate.params {
                return Ok(Outcome::Unchanged { name });
            }
            self.tell_shadow(&name, None, "its file changed again", port)?;
        }
        if let Err(error) = self.shadows.may_begin(&name) {
            let text = format!(
                "new bytes of {name} wait in their file until it is written again: {error}"
            );
            self.tell(port.now(), false, text);
            let why = "no shadow is free for them";
            return Ok(Outcome::NotFollowed { name, why });
        }
        let why = "its file changed".to_owned();
        self.begin_shadow(&name, candidate, false, why, port)?;
        let why = "they run in its shadow first";
        Ok(Outcome::NotFollowed { name, why })
    }
}
