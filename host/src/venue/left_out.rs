//! Markets that a venue lists and that can not be used: told once to people and to the journal, and again
//! when the reason changes.

use crate::causes::chain;
use pm_arb_core::event::Event;
use pm_arb_core::ids::Venue;
use pm_arb_core::reason::Reason;
use std::collections::BTreeMap;
use std::error::Error;

/// Markets remembered; beyond it the first by name is forgotten, and told again when it is met again.
const MARKETS_MAX: usize = 1_600;

/// Why markets were left out, by their names.
#[derive(Debug)]
pub struct LeftOut<E>(BTreeMap<String, E>);

impl<E> Default for LeftOut<E> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<E: Error + PartialEq> LeftOut<E> {
    /// Takes note; gives what the journal is to be told, unless that is known already.
    pub fn tell(&mut self, venue: Venue, name: &str, reason: Reason, error: E) -> Option<Event> {
        if self.0.get(name) == Some(&error) {
            return None;
        }
        tracing::warn!(%venue, %reason, error = %chain(&error), "market left out");
        if self.0.len() >= MARKETS_MAX {
            self.0.pop_first();
        }
        self.0.insert(name.to_owned(), error);
        Some(Event::Refused {
            venue: Some(venue),
            reason,
        })
    }

    /// It is usable now.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }
}
