//! Where settings come from: defaults, then a file, then the environment; and which of them said what.
//!
//! Owns the precedence, the names of variables, and the words for a key that does not exist. Values are
//! judged by `Config` itself.

use super::{Config, ConfigError, grants};
use crate::web::DoorError;
use serde::Deserialize as _;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value, de::DeTable, de::DeValue};

/// What begins the name of a variable that sets a key: `PM_ARB__RISK__ORDER_VALUE_MAX`.
pub const PREFIX: &str = "PM_ARB__";
/// Parts of such a name are joined by this.
const JOIN: &str = "__";
/// Names that are nearer to each other than this are taken for slips of the hand.
pub(super) const ALIKE: f64 = 0.75;
/// A larger file is no configuration.
const FILE_MAX: u64 = 1 << 20;

/// Keys with a meaning that have no default.
const OPTIONAL: [&str; 4] = [
    "dashboard.tls_cert",
    "dashboard.tls_key",
    "feeds.kalshi.key.id",
    "feeds.kalshi.key.private_key_file",
];

/// Who said what a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// A file, in that line.
    File(PathBuf, usize),
    /// A variable of the environment.
    Env(String),
    /// An option of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Env(name) => write!(f, "env {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Settings in force, and who said them; what nobody said is not listed.
#[derive(Debug, Clone, Default)]
pub struct Layered {
    /// The settings.
    pub config: Config,
    /// By dotted key.
    pub origins: BTreeMap<String, Origin>,
}

/// Reads the file, if one is named, and puts the variables on top of it.
pub fn read(
    path: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Layered, ConfigError> {
    let known = known();
    let mut origins = BTreeMap::new();
    let mut table = Table::new();
    if let Some(path) = path {
        let text = text(path)?;
        for (key, line) in lines_of(&text).unwrap_or_default() {
            if !is_known(&known, &key) {
                return Err(ConfigError::Unknown {
                    at: format!("{}:{line}", path.display()),
                    instead: instead(&known, &key),
                    key,
                });
            }
            origins.insert(key, Origin::File(path.to_owned(), line));
        }
        let parse = |source| ConfigError::Parse {
            path: path.into(),
            source: Box::new(source),
        };
        // Once for its errors, which name lines; once for its values.
        toml::from_str::<Config>(&text).map_err(parse)?;
        table = toml::from_str(&text).map_err(parse)?;
    }
    let mut variables: Vec<_> = env.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    for (name, text) in variables {
        let key = key_of(&name, &table, &known)?;
        let value = value_of(&key, &text, &known);
        let wrong = |why: String| ConfigError::Env {
            name: name.clone(),
            why,
        };
        if default_of(&known, &key).is_some_and(Value::is_array) && !value.is_array() {
            return Err(wrong(format!(
                "{text:?} is no list; write one as in [\"a\", \"b\"]"
            )));
        }
        set(&mut table, &key, value).map_err(wrong)?;
        Config::deserialize(Value::Table(table.clone())).map_err(|e| wrong(e.message().into()))?;
        origins.insert(key, Origin::Env(name));
    }
    let mut config = Config::deserialize(Value::Table(table)).map_err(|e| ConfigError::Env {
        name: PREFIX.into(),
        why: e.message().into(),
    })?;
    config.file = path.map(Path::to_owned);
    let layered = Layered { config, origins };
    let judged = layered.config.engine().map(drop);
    let judged = judged.and_then(|()| layered.config.swap().map(drop));
    judged
        .and_then(|()| layered.config.alerts.check())
        .and_then(|()| layered.config.grants.grants().map(drop))
        .and_then(|()| listens(&layered.config))
        .map_err(|error| layered.located(error))?;
    Ok(layered)
}

/// Whether it can be known where the dashboard is to be; whether it may be there is its door's to say.
fn listens(config: &Config) -> Result<(), ConfigError> {
    match config.dashboard.wished(None) {
        Err(DoorError::Address(address)) => Err(ConfigError::Value {
            key: "dashboard.listen".into(),
            why: format!("= {address:?} is neither ADDRESS:PORT nor off"),
        }),
        _ => Ok(()),
    }
}

impl Layered {
    /// Says where a value that was refused came from.
    fn located(&self, error: ConfigError) -> ConfigError {
        match error {
            ConfigError::Value { key, why } => match self.origins.get(&*key) {
                Some(origin) => ConfigError::At {
                    at: origin.to_string(),
                    key,
                    why,
                },
                None => ConfigError::Value { key, why },
            },
            other => other,
        }
    }
}

fn text(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.into(),
        source,
    };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > FILE_MAX {
        let why = format!("it has {size} bytes, at most {FILE_MAX} are read");
        return Err(failed(std::io::Error::other(why)));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// Every key that has a value, with its default; optional ones with an empty text.
fn known() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    if let Ok(table) = Table::try_from(Config::default()) {
        flatten("", &table, &mut all);
    }
    for key in OPTIONAL {
        all.insert(key.into(), Value::String(String::new()));
    }
    all
}

/// `capital.starting_cash` and so on, with their values. Tables of strategies are opened as well.
pub fn flatten(front: &str, table: &Table, all: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let path = join(front, key);
        match value {
            Value::Table(inner) => flatten(&path, inner, all),
            other => _ = all.insert(path, other.clone()),
        }
    }
}

fn join(front: &str, key: &str) -> String {
    match front {
        "" => key.to_owned(),
        _ => format!("{front}.{key}"),
    }
}

/// What strategies are handed is theirs to judge; sections may be named without a key in them.
fn is_known(known: &BTreeMap<String, Value>, key: &str) -> bool {
    known.contains_key(key)
        || key.starts_with("strategies.")
        || grants::common(key).is_some_and(|key| known.contains_key(&key))
}

/// The default of a key; of one in a strategy's own grants, that of the common one.
fn default_of<'a>(known: &'a BTreeMap<String, Value>, key: &str) -> Option<&'a Value> {
    let common = || known.get(&grants::common(key)?);
    known.get(key).or_else(common)
}

/// Every key of the file with its line, in order; `None` when the file does not parse.
fn lines_of(text: &str) -> Option<Vec<(String, usize)>> {
    fn walk(front: &str, table: &DeTable<'_>, text: &str, all: &mut Vec<(String, usize)>) {
        for (key, value) in table {
            let path = join(front, key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => walk(&path, inner, text, all),
                _ => {
                    let before = text.get(..key.span().start).unwrap_or_default();
                    all.push((path, before.matches('\n').count() + 1));
                }
            }
        }
    }
    let table = DeTable::parse(text).ok()?;
    let mut all = Vec::new();
    walk("", table.get_ref(), text, &mut all);
    all.sort_by_key(|(_, line)| *line);
    Some(all)
}

/// The known key that was most likely meant.
fn instead(known: &BTreeMap<String, Value>, key: &str) -> Option<String> {
    if let Some(common) = grants::common(key) {
        // A table of one strategy has the keys of the common one.
        let front = key.strip_suffix(last(&common))?;
        let own =
            |(name, _): (&String, _)| Some(format!("{front}{}", name.strip_prefix("grants.")?));
        let known = known.iter().filter_map(own);
        return nearest(known.collect::<Vec<_>>().iter(), key);
    }
    nearest(known.keys(), key)
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

fn nearest<'a>(known: impl Iterator<Item = &'a String>, key: &str) -> Option<String> {
    let alike = |candidate: &String| {
        let whole = strsim::jaro_winkler(candidate, key);
        // The right name in the wrong section is a slip as well.
        let name = strsim::jaro_winkler(last(candidate), last(key)) - 0.05;
        whole.max(name)
    };
    let best = known.max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(best) >= ALIKE).then(|| best.clone())
}

/// The key that a variable sets.
fn key_of(
    name: &str,
    file: &Table,
    known: &BTreeMap<String, Value>,
) -> Result<String, ConfigError> {
    let parts: Vec<String> = name
        .trim_start_matches(PREFIX)
        .split(JOIN)
        .map(str::to_ascii_lowercase)
        .collect();
    let key = match parts.as_slice() {
        [section, strategy, key] if section == "strategies" && !key.is_empty() => {
            // A name of a strategy has dashes, a name of a variable can not have them.
            let same = |n: &&String| n.replace('-', "_").eq_ignore_ascii_case(strategy);
            let strategies = file.get("strategies").and_then(Value::as_table);
            let found = strategies.and_then(|table| table.keys().find(same));
            let strategy = found.cloned().unwrap_or_else(|| strategy.replace('_', "-"));
            format!("strategies.{strategy}.{key}")
        }
        [section, of, strategy, key] if section == grants::SECTION && of == grants::FOR => {
            format!("{section}.{of}.{}.{key}", strategy.replace('_', "-"))
        }
        parts => parts.join("."),
    };
    if is_known(known, &key) && !key.ends_with('.') {
        return Ok(key);
    }
    let variable = |key: String| format!("{PREFIX}{}", key.replace('.', JOIN).to_uppercase());
    Err(ConfigError::Unknown {
        at: "environment".into(),
        key: name.to_owned(),
        instead: instead(known, &key).map(variable),
    })
}

/// A text where a text is expected, and otherwise what it says as TOML.
fn value_of(key: &str, text: &str, known: &BTreeMap<String, Value>) -> Value {
    let as_text = || Value::String(text.to_owned());
    match default_of(known, key) {
        None | Some(Value::String(_)) => as_text(),
        Some(_) => {
            let table = toml::from_str::<Table>(&format!("v = {text}"));
            let value = table.ok().and_then(|mut table| table.remove("v"));
            value.unwrap_or_else(as_text)
        }
    }
}

fn set(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let (front, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut at = table;
    for part in front.split('.').filter(|part| !part.is_empty()) {
        let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        at = next
            .as_table_mut()
            .ok_or_else(|| format!("{part} is no section in the file"))?;
    }
    at.insert(last.to_owned(), value);
    Ok(())
}

/// Every setting in force, by its dotted key.
#[must_use]
pub fn in_force(config: &Config) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    if let Ok(table) = Table::try_from(config) {
        flatten("", &table, &mut all);
    }
    all
}

/// The value as it may be shown: what grants access to something is not.
#[must_use]
pub fn shown(key: &str, value: &Value) -> String {
    const SECRET: [&str; 6] = ["key", "secret", "token", "password", "webhook", "auth"];
    let names = key.split(['.', '_', '-']).map(str::to_ascii_lowercase);
    let mut names: Vec<String> = names.collect();
    let is_file = names.last().is_some_and(|last| last == "file");
    // The section `key` of Kalshi holds an id and the name of a file.
    names.retain(|name| SECRET.contains(&name.as_str()));
    let empty = value.as_str().is_some_and(str::is_empty);
    if !names.is_empty() && !is_file && !empty {
        return "\"(hidden)\"".to_owned();
    }
    match value {
        Value::String(text) if text.contains("://") => {
            Value::String(crate::store::redact(text)).to_string()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
