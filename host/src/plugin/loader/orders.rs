//! What operators have done to strategies of a running pilot: swap, roll back, pin, quarantine, release.
//!
//! An order is done whole and recorded, or refused with what to do instead; one that is refused changes
//! nothing. What takes time (reading, compiling, probing) was done before an order comes here: first
//! [`Loader::recipe`] says what is needed, then [`Loader::order`] brings it.

use super::super::port::{LoaderError, LoaderPort, Outcome};
use super::super::prepare::Candidate;
use super::super::sources::Params;
use super::slot::{ChangeKind, Slot, Status};
use super::{Loader, Why, record};
use crate::shadow::BeginError;
use pm_arb_core::event::{OperatorAction, StrategyChangeKind};
use std::path::PathBuf;

/// Names that an error proposes.
const NEAREST: usize = 3;

/// An operator's word about one strategy.
#[derive(Debug)]
pub struct Order {
    /// Whose.
    pub name: String,
    /// What.
    pub what: What,
    /// Who and why, for the record.
    pub note: String,
}

/// See [`Order`].
#[derive(Debug)]
pub enum What {
    /// Run these bytes.
    Swap {
        /// Ready.
        candidate: Box<Candidate>,
        /// Without the state of what runs.
        fresh: bool,
    },
    /// Run the bytes of before again.
    RollBack {
        /// Ready; what [`Loader::recipe`] named.
        candidate: Box<Candidate>,
        /// Without the state of what runs.
        fresh: bool,
    },
    /// Bytes for a swap or a rollback could not be made ready; to be recorded.
    Unfit {
        /// Where they came from.
        path: PathBuf,
        /// Their SHA-256, where they could be read.
        digest: Option<[u8; 32]>,
        /// In words.
        why: String,
    },
    /// Do not follow its file.
    Pin,
    /// Follow it again.
    Unpin,
    /// Stop it.
    Quarantine,
    /// Start it again.
    Release,
    /// Run these bytes beside it.
    Shadow {
        /// Ready.
        candidate: Box<Candidate>,
        /// Without the state of what runs.
        fresh: bool,
    },
    /// What runs in its shadow takes its place.
    Promote {
        /// Ready; what runs in the shadow.
        candidate: Box<Candidate>,
    },
    /// What runs in its shadow is let go.
    Dismiss {
        /// A reason of the shadow's own; none for an operator's word.
        why: Option<String>,
    },
}

/// What the bytes of a swap or a rollback are made ready with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Settings.
    pub params: Params,
    /// The bytes to find, for a rollback.
    pub digest: Option<[u8; 32]>,
}

/// An order that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Whose.
    pub name: String,
    /// Which load of it runs, or would.
    pub generation: u32,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// In a line.
    pub text: String,
}

/// An order that was refused. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// No such strategy.
    #[error("no strategy is called {name:?}{}", did_you_mean(.nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names that look like it, or all when none does.
        nearest: Vec<String>,
    },
    /// It was taken out.
    #[error(
        "{name} was taken out: no file of this start names it. Start the pilot with its file among \
         --strategies"
    )]
    Unloaded {
        /// Whose.
        name: String,
    },
    /// It is as the order wants it.
    #[error("{name} {state} already; nothing to do")]
    AlreadySo {
        /// Whose.
        name: String,
        /// "is pinned", "runs these bytes".
        state: &'static str,
    },
    /// An operator stopped it.
    #[error(
        "{name} is quarantined by an operator ({note}). Release it first: \
         `pm-arb strategy release {name}`"
    )]
    Held {
        /// Whose.
        name: String,
        /// What they said.
        note: String,
    },
    /// Nothing to go back to.
    #[error(
        "{name} has no earlier generation in this run that was not quarantined. Name the bytes: \
         `pm-arb strategy swap {name} FILE`"
    )]
    NoEarlier {
        /// Whose.
        name: String,
    },
    /// The file is another strategy.
    #[error(
        "the file is the strategy {found}, not {name}. Say `pm-arb strategy swap {found} FILE` if it \
         runs, or put the file in the strategies' folder"
    )]
    OtherName {
        /// Asked for.
        name: String,
        /// In the file.
        found: String,
    },
    /// The bytes can not take over.
    #[error("{name} goes on as it is: {why}")]
    Refused {
        /// Whose.
        name: String,
        /// In words, with the next step.
        why: String,
    },
    /// The engine's thread is busy or gone.
    #[error("the engine did not take the order; see the pilot's log")]
    NotTaken,
    /// Nothing runs in its shadow.
    #[error(
        "no candidate runs in the shadow of {name}. Begin one: `pm-arb strategy shadow {name} FILE`"
    )]
    NoShadow {
        /// Whose.
        name: String,
    },
    /// No shadow can begin now.
    #[error(transparent)]
    Shadow(#[from] BeginError),
    /// Something else happened in between.
    #[error("{name} changed while the order was made ready; look and order again")]
    Overtaken {
        /// Whose.
        name: String,
    },
}

impl OrderError {
    /// Stable, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            OrderError::Unknown { .. } => "unknown_strategy",
            OrderError::Unloaded { .. } => "unloaded",
            OrderError::AlreadySo { .. } => "already_so",
            OrderError::Held { .. } => "quarantined",
            OrderError::NoEarlier { .. } => "no_earlier_generation",
            OrderError::OtherName { .. } => "other_strategy",
            OrderError::Refused { .. } => "refused",
            OrderError::NotTaken => "not_taken",
            OrderError::Overtaken { .. } => "overtaken",
            OrderError::NoShadow { .. } => "no_shadow",
            OrderError::Shadow(_) => "no_room_in_the_shadow",
        }
    }
}

fn did_you_mean(names: &[String]) -> String {
    if names.is_empty() {
        "; none is loaded. Start the pilot with --strategies".to_owned()
    } else {
        format!("; did you mean {}?", names.join(", "))
    }
}

impl Loader {
    /// What the bytes of a swap, or with `back` of a rollback, are to be made ready with.
    pub fn recipe(&self, name: &str, back: bool) -> Result<Recipe, OrderError> {
        let slot = self.orderable(name)?;
        if let Some(note) = &slot.held {
            return Err(OrderError::Held {
                name: name.to_owned(),
                note: note.clone(),
            });
        }
        if !back {
            return Ok(Recipe {
                params: slot.params.clone(),
                digest: None,
            });
        }
        let past = slot.earlier().ok_or_else(|| OrderError::NoEarlier {
            name: name.to_owned(),
        })?;
        Ok(Recipe {
            params: past.params.clone(),
            digest: Some(past.digest),
        })
    }

    /// Does what an operator says, between two events. The outer error ends the run.
    pub fn order(
        &mut self,
        order: Order,
        port: &mut dyn LoaderPort,
    ) -> Result<Result<Done, OrderError>, LoaderError> {
        let Order { name, what, note } = order;
        let note = if note.is_empty() {
            "no note".to_owned()
        } else {
            note
        };
        match what {
            What::Swap { candidate, fresh } => {
                if let Err(error) = self.may_swap(&name, &candidate) {
                    return Ok(Err(error));
                }
                let outcome = self.take_over(*candidate, Why::Swapped(note), fresh, port)?;
                Ok(self.answer(&name, outcome))
            }
            What::RollBack { candidate, fresh } => {
                if let Err(error) = self.may_roll_back(&name, &candidate) {
                    return Ok(Err(error));
                }
                if !fresh && self.stands_by(&name, port) {
                    self.drop_elsewhere(Some(Box::new(candidate.strategy)));
                    return self.step_back(&name, &note, port).map(Ok);
                }
                let outcome = self.take_over(*candidate, Why::RolledBack(note), fresh, port)?;
                Ok(self.answer(&name, outcome))
            }
            What::Unfit { path, digest, why } => {
                if let Err(error) = self.orderable(&name) {
                    return Ok(Err(error));
                }
                let known = Some(name.clone());
                self.refuse(known, path, digest, why.clone(), port)?;
                Ok(Err(OrderError::Refused { name, why }))
            }
            What::Pin => self.say(&name, OperatorAction::Pin, &note, port),
            What::Unpin => self.unpin(&name, &note, port),
            What::Quarantine => self.say(&name, OperatorAction::Quarantine, &note, port),
            What::Release => self.release(&name, &note, port),
            What::Shadow { candidate, fresh } => self.shadow(&name, *candidate, fresh, &note, port),
            What::Promote { candidate } => self.promote(&name, *candidate, note, port),
            What::Dismiss { why } => self.dismiss(&name, why, &note, port),
        }
    }

    /// A strategy that orders may be about.
    pub(super) fn orderable(&self, name: &str) -> Result<&Slot, OrderError> {
        let Some(slot) = self.slots.get(name) else {
            return Err(OrderError::Unknown {
                name: name.to_owned(),
                nearest: nearest(name, self.slots.keys()),
            });
        };
        if slot.status == Status::Unloaded {
            return Err(OrderError::Unloaded {
                name: name.to_owned(),
            });
        }
        Ok(slot)
    }

    fn may_swap(&self, name: &str, candidate: &Candidate) -> Result<(), OrderError> {
        let recipe = self.recipe(name, false)?;
        let found = &candidate.compiled.described.manifest.name;
        if found != name {
            return Err(OrderError::OtherName {
                name: name.to_owned(),
                found: found.clone(),
            });
        }
        let slot = self.orderable(name)?;
        let runs = matches!(slot.status, Status::Running | Status::Restarting { .. });
        if runs && slot.digest == candidate.compiled.digest && recipe.params == candidate.params {
            return Err(OrderError::AlreadySo {
                name: name.to_owned(),
                state: "runs these bytes",
            });
        }
        Ok(())
    }

    fn may_roll_back(&self, name: &str, candidate: &Candidate) -> Result<(), OrderError> {
        let recipe = self.recipe(name, true)?;
        let same = recipe.digest == Some(candidate.compiled.digest);
        if same && recipe.params == candidate.params {
            return Ok(());
        }
        Err(OrderError::Overtaken {
            name: name.to_owned(),
        })
    }

    /// Whether where a rollback goes is what stands by: that is current and has its state.
    fn stands_by(&self, name: &str, port: &dyn LoaderPort) -> bool {
        self.slots.get(name).is_some_and(|slot| {
            let standby = slot.watch.as_ref().map(|watch| watch.standby());
            let earlier = slot.earlier().map(|past| past.generation);
            standby.is_some() && standby == earlier && port.engine().has_standby(slot.id)
        })
    }

    /// A rollback during a watch.
    fn step_back(
        &mut self,
        name: &str,
        note: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<Done, LoaderError> {
        let digest = self.slots.get(name).and_then(|slot| slot.earlier());
        let digest = digest.map_or([0; 32], |past| past.digest);
        self.command(name, OperatorAction::RollBack { digest }, note, port)?;
        self.revert(name, &format!("operator: rollback ({note})"), port)?;
        let text = self.slots.get(name).map(|slot| slot.introduced(true, None));
        Ok(self.done(name, text.unwrap_or_default()))
    }

    /// An order that is done by saying so.
    fn say(
        &mut self,
        name: &str,
        action: OperatorAction,
        note: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<Result<Done, OrderError>, LoaderError> {
        let slot = match self.orderable(name) {
            Ok(slot) => slot,
            Err(error) => return Ok(Err(error)),
        };
        let state = match action {
            OperatorAction::Pin if slot.pinned.is_some() => Some("is pinned"),
            OperatorAction::Unpin if slot.pinned.is_none() => Some("is followed"),
            OperatorAction::Quarantine if slot.held.is_some() => Some("is quarantined"),
            _ => None,
        };
        if let Some(state) = state {
            let name = name.to_owned();
            return Ok(Err(OrderError::AlreadySo { name, state }));
        }
        if action == OperatorAction::Quarantine {
            self.commit(name, "an operator stops it", port)?;
        }
        self.command(name, action, note, port)?;
        let text = match action {
            OperatorAction::Pin => {
                format!("{name} pinned: changes of its file are not followed until it is unpinned")
            }
            OperatorAction::Quarantine => format!(
                "{name} quarantined: it is not called, its resting orders are withdrawn, until it is \
                 released"
            ),
            _ => format!("{name} follows its file again"),
        };
        self.tell(port.now(), true, text.clone());
        Ok(Ok(self.done(name, text)))
    }

    fn unpin(
        &mut self,
        name: &str,
        note: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<Result<Done, OrderError>, LoaderError> {
        let done = self.say(name, OperatorAction::Unpin, note, port)?;
        let waiting = self.slots.get_mut(name).filter(|slot| slot.held.is_none());
        let waiting = waiting.and_then(|slot| slot.waiting.take());
        let (Ok(_), Some(candidate)) = (&done, waiting) else {
            return Ok(done);
        };
        let outcome = self.take_over(*candidate, Why::File, false, port)?;
        Ok(self.answer(name, outcome).or_else(|error| {
            let text = format!("{name} follows its file again, but {error}");
            Ok(self.done(name, text))
        }))
    }

    /// Forgets what was held against a strategy and starts it without state: it missed events.
    fn release(
        &mut self,
        name: &str,
        note: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<Result<Done, OrderError>, LoaderError> {
        let slot = match self.orderable(name) {
            Ok(slot) => slot,
            Err(error) => return Ok(Err(error)),
        };
        if slot.status == Status::Running {
            let name = name.to_owned();
            let state = "runs";
            return Ok(Err(OrderError::AlreadySo { name, state }));
        }
        let why = Why::Restarted("it was released".to_owned());
        let own = match self.again(slot, why, port.now()) {
            Ok(own) => own,
            Err(error) => {
                let (name, why) = (name.to_owned(), error.story());
                return Ok(Err(OrderError::Refused { name, why }));
            }
        };
        self.command(name, OperatorAction::Release, note, port)?;
        let waiting = self
            .slots
            .get_mut(name)
            .filter(|slot| slot.pinned.is_none());
        let outcome = match waiting.and_then(|slot| slot.waiting.take()) {
            Some(candidate) => self.take_over(*candidate, Why::File, true, port)?,
            None => self.install(own.0, own.1, port)?,
        };
        Ok(self.answer(name, outcome))
    }

    /// Does an operator's word to the slot, and records it.
    pub(super) fn command(
        &mut self,
        name: &str,
        action: OperatorAction,
        note: &str,
        port: &mut dyn LoaderPort,
    ) -> Result<(), LoaderError> {
        let at = port.now();
        let Some(slot) = self.slots.get_mut(name) else {
            return Ok(());
        };
        slot.obey(action, note, at);
        let id = slot.id;
        if matches!(action, OperatorAction::Promote { .. }) {
            self.promoted(id, note);
        }
        let note = note.to_owned();
        let kind = StrategyChangeKind::Operator { action, note };
        record(port, name, id, kind)
    }

    pub(super) fn answer(&self, name: &str, outcome: Outcome) -> Result<Done, OrderError> {
        match outcome {
            Outcome::Refused { why, .. } => Err(OrderError::Refused {
                name: name.to_owned(),
                why,
            }),
            _ => {
                let loaded = self.slots.get(name).map(|slot| match slot.changes.back() {
                    Some(super::Change {
                        kind:
                            ChangeKind::Loaded {
                                restored, pause, ..
                            },
                        ..
                    }) => slot.introduced(*restored, *pause),
                    _ => name.to_owned(),
                });
                Ok(self.done(name, loaded.unwrap_or_default()))
            }
        }
    }

    pub(super) fn done(&self, name: &str, text: String) -> Done {
        let slot = self.slots.get(name);
        Done {
            name: name.to_owned(),
            generation: slot.map_or(0, |slot| slot.generation),
            digest: slot.map_or([0; 32], |slot| slot.digest),
            text,
        }
    }
}

/// Names that differ in few letters, nearest first; all of them when none does.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut known: Vec<(usize, &String)> = known.map(|k| (distance(name, k), k)).collect();
    known.sort();
    let near = name.len() / 2 + 1;
    let any_near = known.iter().any(|(far, _)| *far <= near);
    known
        .into_iter()
        .filter(|(far, _)| !any_near || *far <= near)
        .take(NEAREST)
        .map(|(_, name)| name.clone())
        .collect()
}

/// Letters to add, drop or change to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (n, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], n + 1);
        let mut left = n + 1;
        for (above, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let change = diagonal + usize::from(x != y);
            diagonal = *above;
            left = change.min(left + 1).min(*above + 1);
            *above = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_proposed_or_all() {
        let known: Vec<String> = ["oracle-sniper", "mispricing-hunter", "late"]
            .map(str::to_owned)
            .into();
        let near = |name: &str| nearest(name, known.iter());
        assert_eq!(near("oracle-snipper"), ["oracle-sniper"]);
        assert_eq!(near("lat"), ["late"]);
        assert_eq!(near("zzzzzzzzzzzzzzzzzzzz").len(), 3);
        assert_eq!(nearest("x", [].iter()), [""; 0]);
        for (a, b, far) in [("", "abc", 3), ("kitten", "sitting", 3), ("abc", "abc", 0)] {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
    }
}
