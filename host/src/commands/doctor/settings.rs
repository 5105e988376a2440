//! What the pilot is told and what it runs: configuration, rules, strategies, limits of the process.

use super::{Finding, Verdict, bad, ok, quoted};
use crate::causes::chain;
use crate::config::layers::{self, Layered, Origin};
use crate::config::{ConfigError, environment};
use crate::plugin::{Limits, LoaderInput, PluginHost, Preparer, Sources, Tracker};
use crate::rulebook;
use std::path::Path;
use std::process::Command;

/// Files and sockets that a pilot with all its feeds, its stores and some viewers may have open.
const OPEN_FILES_MIN: u64 = 256;
/// Strategies reserve address space, not memory: a pool of theirs needs this much.
const ADDRESS_SPACE_MIN: u64 = 16 << 30;

/// The settings, as far as they can be read.
pub(super) fn look(path: Option<&Path>) -> (Vec<Finding>, Layered) {
    const WHAT: &str = "configuration";
    let layered = match layers::read(path, environment()) {
        Ok(layered) => layered,
        Err(e) => {
            let finding = bad(Verdict::Fail, WHAT, said(&e), mends(&e, path));
            return (vec![finding], Layered::default());
        }
    };
    let set = layered.origins.len();
    let found = match path {
        Some(path) => format!("{} reads well; {set} keys are set", path.display()),
        None if set > 0 => format!("the defaults, and {set} keys of the environment"),
        None => "the defaults".to_owned(),
    };
    let mut findings = vec![ok(WHAT, found)];
    if let Err(e) = rulebook::load(&layered.config.rules.files) {
        let advice = undone(layered.origins.get("rules.files"));
        findings.push(bad(Verdict::Fail, "rules", chain(&e), advice));
    }
    if let Some(key) = &layered.config.feeds.kalshi.key
        && let Err(e) = std::fs::File::open(&key.private_key_file)
    {
        let found = format!("{}: {e}", key.private_key_file);
        let advice = undone(layered.origins.get("feeds.kalshi.key.private_key_file"));
        findings.push(bad(Verdict::Fail, "kalshi key", found, advice));
    }
    (findings, layered)
}

/// An error and its causes; the text of a file is not repeated.
fn said(error: &ConfigError) -> String {
    match error {
        ConfigError::Parse { path, source } => {
            let line = line_of(path, source).unwrap_or_default();
            format!("{}:{line}: {}", path.display(), source.message())
        }
        other => chain(other),
    }
}

fn line_of(path: &Path, error: &toml::de::Error) -> Option<usize> {
    let text = std::fs::read_to_string(path).ok()?;
    let before = text.get(..error.span()?.start)?;
    Some(before.matches('\n').count() + 1)
}

fn mends(error: &ConfigError, path: Option<&Path>) -> String {
    let outcommented = |at: &str| match (path, at.rsplit(':').next()) {
        (Some(path), Some(line)) => format!("sed -i '{line}s/^/# /' {}", quoted(path)),
        _ => String::new(),
    };
    match error {
        ConfigError::Read { path, .. } => format!("pm-arb init {}", quoted(path)),
        ConfigError::Parse { path, source } => match line_of(path, source) {
            Some(line) => outcommented(&format!(":{line}")),
            None => format!("pm-arb init --force {}", quoted(path)),
        },
        ConfigError::Unknown { at, key, .. } if at == "environment" => format!("unset {key}"),
        ConfigError::Env { name, .. } => format!("unset {name}"),
        ConfigError::Unknown { at, .. } => outcommented(at),
        ConfigError::At { at, .. } => match at.strip_prefix("env ") {
            Some(name) => format!("unset {name}"),
            None => outcommented(at),
        },
        ConfigError::Value { key, .. } => format!("pm-arb config show --origin | grep {key}"),
    }
}

/// What takes a setting back.
pub(super) fn undone(origin: Option<&Origin>) -> String {
    match origin {
        Some(Origin::File(path, line)) => format!("sed -i '{line}s/^/# /' {}", quoted(path)),
        Some(Origin::Env(name)) => format!("unset {name}"),
        _ => "pm-arb config show --origin".to_owned(),
    }
}

pub(super) fn strategies(args: &[String]) -> Vec<Finding> {
    const WHAT: &str = "strategy";
    const BUILD: &str = "make strategies";
    let host = match PluginHost::new(Limits::default()) {
        Ok(host) => host,
        Err(e) => return vec![bad(Verdict::Fail, WHAT, e.story(), "ulimit -Sv unlimited")],
    };
    let sources = match Sources::parse(args).and_then(|sources| sources.check().map(|()| sources)) {
        Ok(sources) => sources,
        Err(e) => return vec![bad(Verdict::Fail, WHAT, e.to_string(), BUILD)],
    };
    let found = Tracker::new(sources, Preparer::new(host, Default::default())).scan();
    let finding = |input: &LoaderInput| match input {
        LoaderInput::Ready(c) => Some(ok(
            WHAT,
            format!(
                "{} {}",
                c.compiled.described.manifest.name, c.compiled.described.manifest.version
            ),
        )),
        LoaderInput::Refused { path, why, .. } => {
            let mut to = path.as_os_str().to_owned();
            to.push(".refused");
            let advice = format!("mv {} {}", quoted(path), quoted(Path::new(&to)));
            let found = format!("{}: {why}", path.display());
            Some(bad(Verdict::Fail, WHAT, found, advice))
        }
        LoaderInput::Gone { .. } => None,
    };
    found.iter().filter_map(finding).collect()
}

/// What the system lets one process have.
pub(super) fn limits() -> Vec<Finding> {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        // "unlimited" is no number, and no limit.
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let mut findings = Vec::new();
    match soft("Max open files") {
        Some(n) if n < OPEN_FILES_MIN => {
            let found = format!("{n} at a time; a pilot may need {OPEN_FILES_MIN}");
            findings.push(bad(Verdict::Fail, "open files", found, "ulimit -Sn 1024"));
        }
        Some(n) => findings.push(ok("open files", format!("{n} at a time"))),
        None => findings.push(ok("open files", "unlimited")),
    }
    match soft("Max address space") {
        Some(n) if n < ADDRESS_SPACE_MIN => {
            let found = format!(
                "{} MiB; strategies reserve up to {} GiB of addresses",
                n >> 20,
                ADDRESS_SPACE_MIN >> 30
            );
            let advice = "ulimit -Sv unlimited";
            findings.push(bad(Verdict::Fail, "address space", found, advice));
        }
        Some(n) => findings.push(ok("address space", format!("{} GiB", n >> 30))),
        None => findings.push(ok("address space", "unlimited")),
    }
    findings
}

/// Needed to write strategies, not to run them.
pub(super) fn toolchain() -> Finding {
    const WHAT: &str = "toolchain";
    match Command::new("rustc").arg("--version").output() {
        Ok(out) if out.status.success() => {
            ok(WHAT, String::from_utf8_lossy(&out.stdout).trim().to_owned())
        }
        _ => ok(
            WHAT,
            "no rustc; building strategies needs one, running them does not",
        ),
    }
}
