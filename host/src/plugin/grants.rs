//! What the operator grants to strategies, and what that leaves each of them.
//!
//! A strategy may what it asks for *and* is granted. The loader records that before the load it holds for,
//! the engine enforces it; memory and fuel are limits of the instance. Owns no file: the configuration is
//! read elsewhere.

use super::describe::Described;
use super::error::PluginError;
use pm_arb_core::capabilities::{Capabilities, Scope};
use std::collections::BTreeMap;
use std::fmt::Display;

/// See the top of the file. The default grants everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// Whether components with an interpreter in them are accepted.
    pub interpreted: bool,
    /// To every strategy that is not named.
    pub all: Capabilities,
    /// To those named, instead.
    pub own: BTreeMap<String, Capabilities>,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            interpreted: true,
            all: Capabilities::default(),
            own: BTreeMap::new(),
        }
    }
}

impl Grants {
    /// What a strategy of that name is granted.
    #[must_use]
    pub fn to(&self, name: &str) -> &Capabilities {
        self.own.get(name).unwrap_or(&self.all)
    }

    /// What a strategy may that says this of itself.
    #[must_use]
    pub fn may(&self, described: &Described) -> Capabilities {
        described.asks.meet(self.to(&described.manifest.name))
    }
}

/// Refuses a strategy to which nothing is left: no venue, or no family of markets. It could only fail.
pub(super) fn something_left(described: &Described, may: &Capabilities) -> Result<(), PluginError> {
    let asks = &described.asks;
    none_left("venue", &asks.venues, &may.venues)
        .or_else(|| none_left("market family", &asks.families, &may.families))
        .map_or(Ok(()), |(what, asked)| {
            Err(PluginError::NothingGranted {
                name: described.manifest.name.clone(),
                what,
                asked,
            })
        })
}

fn none_left<T: Ord + Display>(
    what: &'static str,
    asked: &Scope<T>,
    may: &Scope<T>,
) -> Option<(&'static str, String)> {
    let Scope::Only(left) = may else { return None };
    if !left.is_empty() {
        return None;
    }
    let asked = match asked {
        Scope::All => "any".to_owned(),
        Scope::Only(some) => some.iter().map(T::to_string).collect::<Vec<_>>().join(", "),
    };
    Some((what, asked))
}
