//! What a component says of itself, in every version of the contract that this host speaks.
//!
//! Owns what a manifest may hold. It trusts nothing that a guest says: what can not be used is refused,
//! by name.

use super::error::PluginError;
use super::imports::printable;
use super::limits::{NAME_BYTES, WANTS_MAX};
use super::wire;
use pm_arb_core::capabilities::{Capabilities, Scope};
use pm_arb_core::ids::Venue;
use pm_arb_core::market::SettlementRule;
use pm_arb_core::strategy::Manifest;
use pm_arb_core::units::Usd;

/// See the top of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Who it is and what it wants to hear.
    pub manifest: Manifest,
    /// What it asks to be allowed.
    pub asks: Capabilities,
    /// The form of its snapshot; unknown of versions that do not say.
    pub state: Option<u32>,
    /// Other forms that it can take over.
    pub reads: Vec<u32>,
}

impl Described {
    /// Whether it says that it can take over a state of that form; what does not say is asked.
    #[must_use]
    pub fn takes_over(&self, form: Option<u32>) -> bool {
        match (self.state, form) {
            (Some(own), Some(form)) => own == form || self.reads.contains(&form),
            _ => true,
        }
    }
}

impl TryFrom<wire::ManifestV02> for Described {
    type Error = PluginError;

    fn try_from(wire: wire::ManifestV02) -> Result<Self, PluginError> {
        Ok(Self {
            manifest: manifest(wire.name, wire.version, wire.topics)?,
            asks: Capabilities::default(),
            state: None,
            reads: Vec::new(),
        })
    }
}

impl TryFrom<wire::Manifest> for Described {
    type Error = PluginError;

    fn try_from(wire: wire::Manifest) -> Result<Self, PluginError> {
        if wire.reads.len() > WANTS_MAX {
            return Err(bad(
                "list of forms of state",
                &format!("{}", wire.reads.len()),
            ));
        }
        Ok(Self {
            manifest: manifest(wire.name, wire.version, wire.topics)?,
            asks: asks(wire.wants)?,
            state: Some(wire.state),
            reads: wire.reads,
        })
    }
}

fn manifest(
    name: String,
    version: String,
    topics: wire::TopicSet,
) -> Result<Manifest, PluginError> {
    let fits = |text: &str| !text.is_empty() && text.len() <= NAME_BYTES;
    let name_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !fits(&name) || !name.chars().all(name_char) {
        return Err(bad("name", &name));
    }
    if !fits(&version) || version.chars().any(char::is_control) {
        return Err(bad("version", &version));
    }
    Ok(Manifest {
        name,
        version,
        topics: topics.into(),
    })
}

fn asks(wants: wire::Wants) -> Result<Capabilities, PluginError> {
    let venue = |name: &str| {
        let known = Venue::ALL.into_iter().find(|venue| venue.as_str() == name);
        known.ok_or_else(|| unknown("venue", name, &Venue::ALL.map(Venue::as_str)))
    };
    let family = |name: &str| {
        let known = SettlementRule::FAMILIES.contains(&name);
        known
            .then(|| name.to_owned())
            .ok_or_else(|| unknown("market family", name, &SettlementRule::FAMILIES))
    };
    let oracle = |name: &str| {
        is_oracle_name(name)
            .then(|| name.to_owned())
            .ok_or_else(|| bad("oracle", name))
    };
    let at_least_one = |what, number: Option<u64>| match number {
        Some(0) => Err(bad(what, "0")),
        number => Ok(number),
    };
    let order_max = match wants.order_max {
        Some(most) if most <= 0 => return Err(bad("order-max", &most.to_string())),
        most => most.map(Usd),
    };
    at_least_one(
        "intents-per-second",
        wants.intents_per_second.map(u64::from),
    )?;
    Ok(Capabilities {
        venues: scope(&wants.venues, venue)?,
        families: scope(&wants.families, family)?,
        oracles: scope(&wants.oracles, oracle)?,
        order_max,
        intents_per_second: wants.intents_per_second,
        memory_bytes: at_least_one("memory-kib", wants.memory_kib.map(u64::from))?
            .map(|kib| kib << 10),
        call_fuel: at_least_one("call-fuel", wants.call_fuel)?,
    })
}

/// Whether it could name a price feed: `source.symbol`.
pub(crate) fn is_oracle_name(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    name.len() <= NAME_BYTES
        && name
            .split_once('.')
            .is_some_and(|(source, symbol)| part(source) && part(symbol))
}

fn scope<T: Ord>(
    names: &[String],
    read: impl Fn(&str) -> Result<T, PluginError>,
) -> Result<Scope<T>, PluginError> {
    if names.is_empty() {
        return Ok(Scope::All);
    }
    if names.len() > WANTS_MAX {
        return Err(bad("list of wants", &names.len().to_string()));
    }
    let some: Result<_, _> = names.iter().map(|name| read(name)).collect();
    some.map(Scope::Only)
}

fn bad(what: &'static str, value: &str) -> PluginError {
    PluginError::BadManifest {
        what,
        value: printable(value),
    }
}

fn unknown(what: &'static str, value: &str, known: &[&str]) -> PluginError {
    PluginError::UnknownWant {
        what,
        value: printable(value),
        known: known.join(", "),
    }
}
