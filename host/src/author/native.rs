//! The same strategy, compiled for this machine: what the sandbox costs.
//!
//! Where the source is a crate on the SDK, a small program is made beside it that links the crate natively and
//! tells it the same list of events through the SDK's `testing` module. The crate itself is not touched: its
//! sources are compiled where they lie, with the dependencies that its manifest names. Nothing here decides
//! what a figure means.

use crate::plugin::told::Told;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::units::{Rounding, div_round};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value as Toml};

/// The program, with `strategy` and `TYPE` in the place of the crate and its strategy.
const MAIN: &str = include_str!("harness/main.rs.in");
/// What the SDK's crate is called.
const SDK: &str = "pm-arb-sdk";
/// Largest source file that is looked into for the strategy's name.
const SOURCE_BYTES_MAX: u64 = 4 << 20;
/// Most text of a build that failed.
const SAID_MAX: usize = 2_000;

/// Why there is no native program to compare with.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// There is nothing but a component.
    #[error(
        "a component alone was named; name the folder of its Rust project, and the same source is measured \
         natively beside it"
    )]
    Alone,
    /// It is no Rust project.
    #[error("{} holds no Cargo.toml, so there is no Rust source to compile natively", .0.display())]
    NoCrate(PathBuf),
    /// Cargo does not start.
    #[error("cargo does not start; is Rust installed and on the PATH?")]
    Cargo(#[source] std::io::Error),
    /// The manifest is not understood.
    #[error("cargo does not read its manifest: {0}")]
    Manifest(String),
    /// It can not be linked natively.
    #[error("{0}, so it can not be linked natively here")]
    Unsuited(String),
    /// A file.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It does not build, or does not run.
    #[error("its native build does not work:\n{0}")]
    Build(String),
}

/// A crate that can be linked natively.
#[derive(Debug)]
pub struct Crate {
    /// Its package.
    pub name: String,
    /// Where its manifest lies.
    pub dir: PathBuf,
    package: Value,
    /// Where a lock file may lie, and where builds go.
    workspace: PathBuf,
    target: PathBuf,
}

/// What a round took and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// All events.
    pub nanos: u64,
    /// Wishes.
    pub intents: u64,
}

impl Crate {
    /// Reads a project's manifest, as cargo understands it.
    pub fn of(dir: &Path) -> Result<Self, NativeError> {
        let manifest = dir.join("Cargo.toml");
        if !manifest.is_file() {
            return Err(NativeError::NoCrate(dir.to_owned()));
        }
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .arg("--manifest-path")
            .arg(&manifest)
            .output()
            .map_err(NativeError::Cargo)?;
        if !output.status.success() {
            return Err(NativeError::Manifest(said(&output.stderr)));
        }
        let unread = |what: &str| NativeError::Manifest(format!("it names no {what}"));
        let mut answer: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| NativeError::Manifest(e.to_string()))?;
        let manifest = std::fs::canonicalize(&manifest).unwrap_or(manifest);
        let path = |value: &Value| value.as_str().map(PathBuf::from);
        let workspace = path(&answer["workspace_root"]).ok_or_else(|| unread("workspace"))?;
        let target = path(&answer["target_directory"]).ok_or_else(|| unread("target"))?;
        let packages = answer["packages"].as_array_mut().map(std::mem::take);
        let package = packages
            .unwrap_or_default()
            .into_iter()
            .find(|package| path(&package["manifest_path"]).as_ref() == Some(&manifest))
            .ok_or_else(|| unread("package of its own"))?;
        let name = package["name"].as_str().ok_or_else(|| unread("name"))?;
        Ok(Self {
            name: name.to_owned(),
            dir: dir.to_owned(),
            workspace,
            target,
            package,
        })
    }

    /// The components that a build leaves, those that exist: in its own folder, and beside it.
    #[must_use]
    pub fn components(&self) -> Vec<PathBuf> {
        let file = format!("{}.wasm", self.name);
        let here = std::fs::canonicalize(&self.dir).unwrap_or_else(|_| self.dir.clone());
        let beside = here.parent().map(|up| up.join(&file));
        let mut all: Vec<PathBuf> = [Some(here.join(&file)), beside]
            .into_iter()
            .flatten()
            .collect();
        all.retain(|path| path.is_file());
        all
    }

    /// Where its source begins, and what it is linked as.
    fn library(&self) -> Result<(PathBuf, String), NativeError> {
        let unsuited = |what: &str| NativeError::Unsuited(format!("{} {what}", self.name));
        let targets = self.package["targets"].as_array();
        let has = |target: &Value, kind: &str| {
            target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|k| k == kind))
        };
        let targets = targets.map(Vec::as_slice).unwrap_or_default();
        if targets.iter().any(|target| has(target, "custom-build")) {
            return Err(unsuited("has a build script"));
        }
        let library = targets
            .iter()
            .find(|target| {
                ["cdylib", "lib", "rlib"]
                    .iter()
                    .any(|kind| has(target, kind))
            })
            .ok_or_else(|| unsuited("is no library"))?;
        match (library["src_path"].as_str(), library["name"].as_str()) {
            (Some(path), Some(name)) => Ok((path.into(), name.replace('-', "_"))),
            _ => Err(unsuited("names no source")),
        }
    }

    /// The strategy's type: what `export!` names, seen from outside of the crate.
    fn strategy(&self, source: &Path, library: &str) -> Result<String, NativeError> {
        let bytes = std::fs::metadata(source).map_err(io("read", source))?.len();
        if bytes > SOURCE_BYTES_MAX {
            return Err(NativeError::Unsuited(format!(
                "{} has {bytes} bytes",
                source.display()
            )));
        }
        let text = std::fs::read_to_string(source).map_err(io("read", source))?;
        exported(&text)
            .map(|path| format!("{library}::{path}"))
            .ok_or_else(|| {
                NativeError::Unsuited(format!(
                    "{} has no `pm_arb_sdk::export!(crate::…)`",
                    source.display()
                ))
            })
    }

    /// Builds the program and has it tell the list, so many rounds.
    pub fn rounds(
        &self,
        events: &[(Timestamp, Told)],
        settings: &[(String, String)],
        rounds: usize,
    ) -> Result<Vec<Round>, NativeError> {
        let (source, library) = self.library()?;
        let ty = self.strategy(&source, &library)?;
        let dir = self.target.join("pm-arb-bench").join(&self.name);
        std::fs::create_dir_all(&dir).map_err(io("make", &dir))?;
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(io("write", &path))
        };
        write("main.rs", &MAIN.replace("strategy::TYPE", &ty))?;
        write("Cargo.toml", &self.manifest(&source, &library)?)?;
        let list = dir.join("events.txt");
        write("events.txt", &encode(events))?;
        let lock = self.workspace.join("Cargo.lock");
        if lock.is_file() {
            let to = dir.join("Cargo.lock");
            std::fs::copy(&lock, &to).map_err(io("write", &to))?;
        }
        let run = |offline: bool| {
            let mut cargo = Command::new("cargo");
            cargo.args(["run", "--release", "--quiet", "--target", "host-tuple"]);
            cargo.args(offline.then_some("--offline"));
            cargo
                .arg("--target-dir")
                .arg(self.target.join("pm-arb-bench"));
            cargo.arg("--").arg(&list).arg(rounds.to_string());
            cargo.args(settings.iter().map(|(key, value)| format!("{key}={value}")));
            cargo.current_dir(&dir).output().map_err(NativeError::Cargo)
        };
        // What it depends on was fetched for the component already, so the network is a second thought.
        let mut output = run(true)?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() && text.contains("--offline") {
            output = run(false)?;
        }
        if !output.status.success() {
            return Err(NativeError::Build(said(&output.stderr)));
        }
        let lines = String::from_utf8_lossy(&output.stdout);
        let found: Vec<Round> = lines.lines().filter_map(round).collect();
        if found.len() == rounds {
            Ok(found)
        } else {
            Err(NativeError::Build(said(&output.stdout)))
        }
    }

    fn manifest(&self, source: &Path, library: &str) -> Result<String, NativeError> {
        let text = |value: &str| Toml::String(value.to_owned());
        let get = |key: &str| self.package[key].as_str().unwrap_or_default();
        let mut package = Table::new();
        package.insert("name".to_owned(), text(&self.name));
        package.insert("version".to_owned(), text(get("version")));
        package.insert("edition".to_owned(), text(get("edition")));
        package.insert("publish".to_owned(), Toml::Boolean(false));
        let mut lib = Table::new();
        lib.insert("name".to_owned(), text(library));
        lib.insert("path".to_owned(), text(&source.display().to_string()));
        lib.insert("crate-type".to_owned(), Toml::Array(vec![text("rlib")]));
        lib.insert("test".to_owned(), Toml::Boolean(false));
        let mut bin = Table::new();
        bin.insert("name".to_owned(), text("native-round"));
        bin.insert("path".to_owned(), text("main.rs"));
        let mut release = Table::new();
        release.insert("opt-level".to_owned(), Toml::Integer(3));
        release.insert("overflow-checks".to_owned(), Toml::Boolean(true));
        let mut profile = Table::new();
        profile.insert("release".to_owned(), Toml::Table(release));
        let mut all = Table::new();
        all.insert("package".to_owned(), Toml::Table(package));
        all.insert("workspace".to_owned(), Toml::Table(Table::new()));
        all.insert("lib".to_owned(), Toml::Table(lib));
        all.insert("bin".to_owned(), Toml::Array(vec![Toml::Table(bin)]));
        all.insert("profile".to_owned(), Toml::Table(profile));
        all.insert("dependencies".to_owned(), Toml::Table(self.dependencies()?));
        if let Some(features) = self.package["features"].as_object() {
            let mut table = Table::new();
            for (name, of) in features {
                let of = of.as_array().map(Vec::as_slice).unwrap_or_default();
                let of = of.iter().filter_map(Value::as_str).map(text).collect();
                table.insert(name.clone(), Toml::Array(of));
            }
            all.insert("features".to_owned(), Toml::Table(table));
        }
        toml::to_string(&all).map_err(|e| NativeError::Manifest(e.to_string()))
    }

    /// As the manifest names them, with the workspace's words already in their place.
    fn dependencies(&self) -> Result<Table, NativeError> {
        let mut table = Table::new();
        let all = self.package["dependencies"].as_array();
        let normal = |one: &&Value| one["kind"].is_null();
        for one in all.into_iter().flatten().filter(normal) {
            let (Some(name), Some(req)) = (one["name"].as_str(), one["req"].as_str()) else {
                continue;
            };
            if one["source"]
                .as_str()
                .is_some_and(|s| s.starts_with("git+"))
            {
                return Err(NativeError::Unsuited(format!(
                    "{} depends on {name} by git",
                    self.name
                )));
            }
            let text = |value: &str| Toml::String(value.to_owned());
            let yes = |key: &str| Toml::Boolean(one[key].as_bool().unwrap_or_default());
            let features = one["features"].as_array().map(Vec::as_slice);
            let features = features
                .unwrap_or_default()
                .iter()
                .filter_map(Value::as_str);
            let mut dependency = Table::new();
            dependency.insert("package".to_owned(), text(name));
            if let Some(path) = one["path"].as_str() {
                dependency.insert("path".to_owned(), text(path));
            } else {
                dependency.insert("version".to_owned(), text(req));
            }
            dependency.insert(
                "features".to_owned(),
                Toml::Array(features.map(text).collect()),
            );
            dependency.insert("default-features".to_owned(), yes("uses_default_features"));
            dependency.insert("optional".to_owned(), yes("optional"));
            let key = one["rename"].as_str().unwrap_or(name);
            table.insert(key.to_owned(), Toml::Table(dependency));
        }
        if table.contains_key(SDK) {
            Ok(table)
        } else {
            Err(NativeError::Unsuited(format!(
                "{} is not written on {SDK}",
                self.name
            )))
        }
    }
}

fn io<'a>(what: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> NativeError + 'a {
    move |source| NativeError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

/// The end of what a command said.
fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let from = text.len().saturating_sub(SAID_MAX);
    let from = text.ceil_char_boundary(from);
    text.get(from..).unwrap_or_default().trim().to_owned()
}

/// What `export!(crate::A::B)` names, without `crate`.
fn exported(source: &str) -> Option<String> {
    let lines = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.collect::<Vec<_>>().join("\n");
    let (_, rest) = code.split_once("export!(")?;
    let (path, _) = rest.split_once(')')?;
    let path = path.trim().trim_start_matches("crate::");
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    (!path.is_empty() && path.chars().all(word)).then(|| path.to_owned())
}

fn round(line: &str) -> Option<Round> {
    let mut words = line.strip_prefix("round ")?.split(' ');
    Some(Round {
        nanos: words.next()?.parse().ok()?,
        intents: words.next()?.parse().ok()?,
    })
}

/// The list as the program reads it: the same values that cross into a component.
fn encode(events: &[(Timestamp, Told)]) -> String {
    let mut text = String::new();
    for (now, told) in events {
        let Some(words) = line(told) else { continue };
        // Writing to a String can not fail.
        let _ = writeln!(text, "{} {} {words}", now.0, told.name());
    }
    text
}

fn hex(text: &str) -> String {
    let mut word = "x".to_owned();
    for byte in text.bytes() {
        // As above.
        let _ = write!(word, "{byte:02x}");
    }
    word
}

fn maybe(n: Option<impl ToString>) -> String {
    n.map_or_else(|| "-".to_owned(), |n| n.to_string())
}

fn fee(schedule: FeeSchedule) -> String {
    match schedule {
        FeeSchedule::Free => "free".to_owned(),
        FeeSchedule::Quadratic { rate_ppm, .. } => rate_ppm.to_string(),
        FeeSchedule::QuadraticSquared { .. } | FeeSchedule::Unknown => "other".to_owned(),
    }
}

/// `None` for what no component is told either.
fn line(told: &Told) -> Option<String> {
    Some(match told {
        Told::Quote(q) => {
            let (bid, ask) = (q.bid.unwrap_or_default(), q.ask.unwrap_or_default());
            format!(
                "{} {} {} {} {}",
                q.instrument.0, bid.0.0, bid.1.0, ask.0.0, ask.1.0
            )
        }
        Told::MarketListed(spec) => {
            let outcomes: String = spec
                .outcomes
                .iter()
                .map(|o| format!(" {} {}", o.instrument.0, hex(&o.name)))
                .collect();
            format!(
                "{} {} {} {} {}{outcomes} {} {} {} {} {} {} {} {}",
                spec.id.0,
                hex(spec.venue.as_str()),
                hex(&spec.slug),
                hex(&spec.question),
                spec.outcomes.len(),
                spec.book_grid().0,
                spec.lot.0,
                spec.min_qty.map_or(0, |qty| qty.0),
                fee(spec.fee),
                fee(spec.maker_fee),
                spec.opens_at.0,
                spec.closes_at.0,
                maybe(spec.settlement.oracle().map(|id| id.0))
            )
        }
        Told::MarketClosed(id) => id.0.to_string(),
        Told::OracleTick(tick) => {
            let price = div_round(tick.price.0, 10_i128.pow(10), Rounding::Down)?;
            let price = i64::try_from(price).ok()?;
            format!("{} {price} {}", tick.oracle.0, tick.source_time.0)
        }
        Told::Print(p) => format!(
            "{} {} {} {}",
            p.instrument.0, p.price.0, p.qty.0, p.taker_bought
        ),
        Told::Opportunity(seen, capital) => {
            let age = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX);
            let legs: String = seen
                .legs
                .iter()
                .map(|leg| {
                    format!(
                        " {} {} {} {} {} {} {}",
                        leg.instrument.0,
                        leg.market.0,
                        leg.price.0,
                        leg.qty.0,
                        maybe(leg.fair.map(|p| p.0)),
                        leg.fee.0,
                        age(leg.book_age.ms())
                    )
                })
                .collect();
            format!(
                "{} {} {} {}{legs} {} {} {} {} {}",
                seen.id.seq.0,
                seen.id.n,
                seen.kind,
                seen.legs.len(),
                seen.edge.0,
                seen.qty.0,
                seen.closes_at.0,
                age(seen.oracle_age.ms()),
                capital.0
            )
        }
        Told::Filled(f) => format!(
            "{} {} {} {} {} {} {} {} {}",
            f.intent.seq.0,
            f.intent.n,
            f.tag,
            f.instrument.0,
            f.bought,
            f.qty.0,
            f.price.0,
            f.fee.0,
            f.maker
        ),
        Told::Refused(r) => format!(
            "{} {} {} {} {}",
            r.intent.seq.0,
            r.intent.n,
            r.tag,
            r.instrument.0,
            hex(r.reason.code())
        ),
        Told::Settled(s) => format!(
            "{} {} {} {}",
            s.market.0, s.instrument.0, s.payout.0, s.pnl.0
        ),
        Told::Gap(instrument) => instrument.0.to_string(),
        Told::Timer => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exported_type_is_found_and_a_mention_of_it_is_not() {
        for (source, found) in [
            ("pm_arb_sdk::export!(crate::Mine);", Some("Mine")),
            ("export!( crate::a::Mine );", Some("a::Mine")),
            ("export!(Mine);", Some("Mine")),
            (
                "/// as export!(crate::Other) says\nexport!(Mine);",
                Some("Mine"),
            ),
            ("fn f() {}", None),
            ("export!(Mine<u8>);", None),
        ] {
            assert_eq!(exported(source).as_deref(), found, "{source}");
        }
    }

    #[test]
    fn a_round_is_read_back() {
        let read = Round {
            nanos: 12,
            intents: 3,
        };
        assert_eq!(round("round 12 3"), Some(read));
        assert_eq!(round("round x 3"), None);
        assert_eq!(round("warning: 12 3"), None);
    }

    #[test]
    fn every_canned_event_is_a_line() {
        for step in crate::author::canned::steps() {
            let crate::author::canned::Step::Batch(batch) = step else {
                continue;
            };
            let kept = batch.events.iter().filter(|(_, told)| line(told).is_some());
            let kept = kept.count();
            let text = encode(&batch.events);
            assert_eq!(text.lines().count(), kept, "{}", batch.name);
            assert!(text.is_ascii(), "{}", batch.name);
        }
    }
}
