//! Notices that the configuration file changed, and what of it concerns strategies.
//!
//! Owns the comparison of two configurations. It applies nothing: new settings of a strategy go the way
//! of new bytes, and what else changed is only named.

use super::prepare::{self, Stamp};
use super::sources::Params;
use crate::causes::chain;
use crate::config::{Config, environment, layers};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A larger file is no configuration; see the reader.
const BYTES_MAX: usize = 1 << 20;

/// See the top of the file.
#[derive(Debug, Clone)]
pub struct Settings {
    file: PathBuf,
    stamp: Option<Stamp>,
    config: Config,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Names of strategies whose settings are others now.
    pub strategies: Vec<String>,
    /// Other sections with new values: they hold from the next start on.
    pub sections: Vec<String>,
    /// The settings of all strategies now.
    pub params: BTreeMap<String, Params>,
}

impl Settings {
    /// Of a configuration that was read from a file; without one there is nothing to notice.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let file = config.file.clone()?;
        Some(Self {
            stamp: prepare::stamp(&file).ok(),
            file,
            config: config.clone(),
        })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// What changed since the last look. An error is told once and leaves everything as it is.
    pub fn look(&mut self) -> Option<Result<Changed, String>> {
        let stamp = match prepare::stamp(&self.file) {
            Ok(stamp) if self.stamp == Some(stamp) => return None,
            Ok(stamp) => Some(stamp),
            Err(_) if self.stamp.is_none() => return None,
            Err(error) => {
                self.stamp = None;
                return Some(Err(format!("{}: {}", self.file.display(), chain(&error))));
            }
        };
        // Read once to know that nobody is writing it.
        let read = prepare::read(&self.file, BYTES_MAX);
        if let Err(prepare::ReadError::Unsteady) = read {
            return None;
        }
        self.stamp = stamp;
        match layers::read(Some(&self.file), environment()) {
            Ok(layered) => {
                self.stamp = stamp.and_then(Stamp::settled);
                let changed = changed(&self.config, &layered.config);
                self.config = layered.config;
                Some(Ok(changed))
            }
            Err(error) => Some(Err(chain(&error))),
        }
    }
}

fn changed(before: &Config, now: &Config) -> Changed {
    let names: BTreeSet<&String> = before
        .strategies
        .keys()
        .chain(now.strategies.keys())
        .collect();
    let differs = |name: &&&String| {
        let of = |config: &Config| config.strategies.get(**name).cloned().unwrap_or_default();
        of(before) != of(now)
    };
    let strategies = names.iter().filter(differs).map(|n| (*n).clone()).collect();
    let sections = match (serde_json::to_value(before), serde_json::to_value(now)) {
        (Ok(serde_json::Value::Object(before)), Ok(serde_json::Value::Object(now))) => now
            .iter()
            .filter(|(key, value)| *key != "strategies" && before.get(*key) != Some(*value))
            .map(|(key, _)| key.clone())
            .collect(),
        _ => Vec::new(),
    };
    Changed {
        strategies,
        sections,
        params: now.all_strategy_params(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pm-arb.toml");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("[strategies.a]\nx = \"1\"\n[strategies.b]\ny = \"1\"\n");
        let config = layers::read(Some(&file), std::iter::empty())
            .unwrap()
            .config;
        let mut settings = Settings::of(&config).unwrap();
        assert!(settings.look().is_none());
        write("[strategies.a]\nx = \"20\"\n[strategies.b]\ny = \"1\"\n[sim]\nspeed = 2.0\n");
        let told = settings.look().unwrap().unwrap();
        assert_eq!(
            (told.strategies, told.sections),
            (vec!["a".to_owned()], vec!["sim".to_owned()])
        );
        assert_eq!(told.params["a"], [("x".to_owned(), "20".to_owned())]);
        write("[strategies.a]\nx = \n");
        assert!(settings.look().unwrap().is_err());
        assert!(settings.look().is_none(), "told once");
        write("[strategies.b]\ny = \"1\"\n[sim]\nspeed = 2.0\n");
        let told = settings.look().unwrap().unwrap();
        assert_eq!(
            (told.strategies, told.sections),
            (vec!["a".to_owned()], vec![])
        );
        // What strategies are granted needs a restart, and says so by its name, for one of them too.
        for grants in ["venues = [\"kalshi\"]", "for.a = { order_max = \"5\" }"] {
            write(&format!(
                "[strategies.b]\ny = \"1\"\n[sim]\nspeed = 2.0\n[grants]\n{grants}\n"
            ));
            let told = settings.look().unwrap().unwrap();
            assert_eq!(
                (told.strategies, told.sections),
                (vec![], vec!["grants".to_owned()]),
                "{grants}"
            );
        }
    }
}
