//! `[grants]`: what strategies may, of what they ask for.
//!
//! One table for all of them, and `[grants.for.NAME]` for one by its name: each key in it stands instead of
//! the common one. Owns how it is written and what names there are; what follows from it is the loader's.

use super::{ConfigError, usd};
use crate::plugin::{Grants, is_oracle_name};
use pm_arb_core::capabilities::{Capabilities, Scope};
use pm_arb_core::ids::Venue;
use pm_arb_core::market::SettlementRule;
use pm_arb_core::units::Usd;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The section, and the front of its keys.
pub(super) const SECTION: &str = "grants";
/// The table in it whose keys are names of strategies.
pub(super) const FOR: &str = "for";
/// Instead of names: whatever there is.
const ALL: &str = "all";
/// Strategies with grants of their own.
const OWN_MAX: usize = 256;
/// Names in one list.
const NAMES_MAX: usize = 256;

/// `[grants]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrantKeys {
    /// Whether components with an interpreter in them (Python, JavaScript) are accepted.
    pub interpreted: bool,
    /// Venues, by name; `["all"]` for every one.
    pub venues: Vec<String>,
    /// Families of markets, by what decides them.
    pub families: Vec<String>,
    /// Price feeds, as `source.symbol`.
    pub oracles: Vec<String>,
    /// Cost of an order in dollars, all its legs together; 0 for no limit besides `[risk]`.
    pub order_max: String,
    /// Intents of one second; 0 for no limit besides `[risk]`.
    pub intents_per_second: u32,
    /// Memory of an instance; 0 for the host's own limit.
    pub memory_mib: u32,
    /// Fuel of one call; 0 for the host's own limit.
    pub call_fuel: u64,
    /// By the strategy's name.
    #[serde(rename = "for")]
    pub own: BTreeMap<String, OwnGrantKeys>,
}

/// `[grants.for.NAME]`: what is not written is as in `[grants]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "each key is GrantKeys' field of the same name, which documents it"
)]
pub struct OwnGrantKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub venues: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub families: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oracles: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_max: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intents_per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_fuel: Option<u64>,
}

impl Default for GrantKeys {
    fn default() -> Self {
        let all = || vec![ALL.to_owned()];
        Self {
            interpreted: true,
            venues: all(),
            families: all(),
            oracles: all(),
            order_max: "0".to_owned(),
            intents_per_second: 0,
            memory_mib: 0,
            call_fuel: 0,
            own: BTreeMap::new(),
        }
    }
}

impl GrantKeys {
    /// What is granted, by strategy; what can not be is refused by name.
    pub fn grants(&self) -> Result<Grants, ConfigError> {
        if self.own.len() > OWN_MAX {
            let why = format!("names more than {OWN_MAX} strategies");
            return Err(wrong(&[SECTION, FOR], why));
        }
        let all = self.capabilities(&[SECTION])?;
        let own = self.own.iter().map(|(name, keys)| {
            let at = [SECTION, FOR, name.as_str()];
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(is_name) {
                let why = "is no name of a strategy: lower case letters, digits and hyphens";
                return Err(wrong(&at, why.to_owned()));
            }
            Ok((name.clone(), self.with(keys).capabilities(&at)?))
        });
        let own = own.collect::<Result<_, _>>()?;
        Ok(Grants {
            interpreted: self.interpreted,
            all,
            own,
        })
    }

    /// These keys, with those of one strategy in their place.
    fn with(&self, keys: &OwnGrantKeys) -> Self {
        fn or<T: Clone>(own: &Option<T>, common: &T) -> T {
            own.as_ref().unwrap_or(common).clone()
        }
        Self {
            interpreted: self.interpreted,
            venues: or(&keys.venues, &self.venues),
            families: or(&keys.families, &self.families),
            oracles: or(&keys.oracles, &self.oracles),
            order_max: or(&keys.order_max, &self.order_max),
            intents_per_second: or(&keys.intents_per_second, &self.intents_per_second),
            memory_mib: or(&keys.memory_mib, &self.memory_mib),
            call_fuel: or(&keys.call_fuel, &self.call_fuel),
            own: BTreeMap::new(),
        }
    }

    fn capabilities(&self, at: &[&str]) -> Result<Capabilities, ConfigError> {
        let venue = |name: &str| Venue::ALL.into_iter().find(|v| v.as_str() == name);
        let family = |name: &str| {
            let known = SettlementRule::FAMILIES.contains(&name);
            known.then(|| name.to_owned())
        };
        let oracle = |name: &str| is_oracle_name(name).then(|| name.to_owned());
        let key = |key| [at, &[key]].concat();
        let order_max = usd("grants.order_max", &self.order_max)
            .map_err(|error| error.with_key(key("order_max").join(".")))?;
        let limit = |n: u64| (n > 0).then_some(n);
        Ok(Capabilities {
            venues: scope(
                &key("venues"),
                &self.venues,
                venue,
                &Venue::ALL.map(Venue::as_str),
            )?,
            families: scope(
                &key("families"),
                &self.families,
                family,
                &SettlementRule::FAMILIES,
            )?,
            oracles: scope(&key("oracles"), &self.oracles, oracle, &[])?,
            order_max: (order_max > Usd::ZERO).then_some(order_max),
            intents_per_second: (self.intents_per_second > 0).then_some(self.intents_per_second),
            memory_bytes: limit(u64::from(self.memory_mib) << 20),
            call_fuel: limit(self.call_fuel),
        })
    }
}

/// `["all"]`, or names; what is no name is refused, with what was probably meant.
fn scope<T: Ord>(
    key: &[&str],
    names: &[String],
    read: impl Fn(&str) -> Option<T>,
    known: &[&str],
) -> Result<Scope<T>, ConfigError> {
    if names.iter().any(|name| name == ALL) {
        return match names {
            [_] => Ok(Scope::All),
            _ => Err(wrong(key, "is [\"all\"] alone, or names".to_owned())),
        };
    }
    if names.len() > NAMES_MAX {
        return Err(wrong(key, format!("has more than {NAMES_MAX} names")));
    }
    let some = names.iter().map(|name| {
        read(name).ok_or_else(|| {
            let near = known
                .iter()
                .map(|known| (strsim::jaro_winkler(known, name), *known))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(alike, _)| *alike >= super::layers::ALIKE);
            let advice = match (near, known) {
                (Some((_, near)), _) => format!("did you mean {near:?}?"),
                (None, []) => "an oracle is source.symbol, as in \"binance.btcusdt\"".to_owned(),
                (None, known) => format!("there are {}", known.join(", ")),
            };
            wrong(key, format!("names {name:?}, which there is not; {advice}"))
        })
    });
    some.collect::<Result<_, _>>().map(Scope::Only)
}

fn wrong(key: &[&str], why: String) -> ConfigError {
    ConfigError::Value {
        key: key.join(".").into(),
        why,
    }
}

/// The common key that one of a single strategy stands for: `grants.for.NAME.venues` for `grants.venues`.
pub(super) fn common(key: &str) -> Option<String> {
    let own = key.strip_prefix(SECTION)?.strip_prefix('.')?;
    let (_, key) = own.strip_prefix(FOR)?.strip_prefix('.')?.split_once('.')?;
    (key != FOR && key != "interpreted").then(|| format!("{SECTION}.{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn grants(text: &str) -> Result<Grants, String> {
        let config: Config = toml::from_str(text).map_err(|e| e.to_string())?;
        config.grants.grants().map_err(|e| e.to_string())
    }

    #[test]
    fn nothing_written_grants_everything() {
        assert_eq!(grants("").unwrap(), Grants::default());
    }

    #[test]
    fn the_table_of_a_strategy_stands_instead_key_by_key() {
        let grants = grants(
            "[grants]\nvenues = [\"polymarket\"]\norder_max = \"20\"\nmemory_mib = 2\n\
             [grants.for.late]\nvenues = [\"all\"]\nintents_per_second = 3\norder_max = \"0\"\n\
             [grants.for.none]\nfamilies = []\noracles = [\"binance.btcusdt\"]",
        )
        .unwrap();
        let only = Scope::Only([Venue::Polymarket].into());
        assert_eq!(
            grants.to("anyone"),
            &Capabilities {
                venues: only.clone(),
                order_max: Some(Usd(20_000_000)),
                memory_bytes: Some(2 << 20),
                ..Capabilities::default()
            }
        );
        assert_eq!(
            grants.to("late"),
            &Capabilities {
                intents_per_second: Some(3),
                memory_bytes: Some(2 << 20),
                ..Capabilities::default()
            }
        );
        assert_eq!(
            grants.to("none"),
            &Capabilities {
                venues: only,
                families: Scope::Only([].into()),
                oracles: Scope::Only(["binance.btcusdt".to_owned()].into()),
                order_max: Some(Usd(20_000_000)),
                memory_bytes: Some(2 << 20),
                ..Capabilities::default()
            }
        );
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_was_meant() {
        for (text, words) in [
            (
                "[grants]\nvenues = [\"polymarkt\"]",
                "grants.venues names \"polymarkt\", which there is not; did you mean \"polymarket\"?",
            ),
            (
                "[grants.for.late]\nfamilies = [\"up-dwn\"]",
                "grants.for.late.families names \"up-dwn\", which there is not; did you mean \"up-down\"?",
            ),
            (
                "[grants.for.late]\norder_max = \"-1\"",
                "grants.for.late.order_max must not be negative",
            ),
            (
                "[grants]\noracles = [\"btc\"]",
                "an oracle is source.symbol",
            ),
            (
                "[grants]\nvenues = [\"all\", \"kalshi\"]",
                "is [\"all\"] alone",
            ),
            (
                "[grants.for.Late]\norder_max = \"1\"",
                "is no name of a strategy",
            ),
            ("[grants.for.late]\ninterpreted = true", "unknown field"),
        ] {
            let error = grants(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
