//! `strategy check`, `run`: one file is tried out, without a pilot.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use super::which;
use crate::author::backtest::{Backtest, BacktestError, backtest};
use crate::author::check::{self, Sheet};
use crate::author::words;
use crate::calibrate;
use crate::cli::{CheckArgs, RunArgs, Tried};
use crate::config::Config;
use crate::journal;
use crate::meter::{Counts, Meter};
use crate::plugin::{Candidate, Limits, PluginHost, Preparer, SPOKEN, hex};
use crate::report::{self, Style, tame};
use crate::terminal::Progress;
use pm_arb_core::config::EngineConfig;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Width of the first column of a sheet.
const LABEL: usize = 11;

/// What a file is tried with.
struct Bench {
    preparer: Preparer,
    engine: Option<EngineConfig>,
}

fn set_up(what: &Tried) -> Result<Bench, Failure> {
    let config = what.config.as_deref();
    let config = config.map(|path| Config::load(Some(path)));
    let config = config.transpose().or_exit(Code::Config)?;
    let engine = config.as_ref().map(Config::engine);
    let engine = engine.transpose().or_exit(Code::Config)?;
    let params = config.as_ref().map(Config::all_strategy_params);
    let host = PluginHost::new(Limits::default()).or_exit(Code::Internal)?;
    Ok(Bench {
        preparer: Preparer::new(host, params.unwrap_or_default()),
        engine,
    })
}

/// What is to run, or why it does not.
fn ready(what: &Tried, bench: &Bench) -> Result<(Sheet, Candidate), Failure> {
    match check::check(&what.file, &bench.preparer, &what.set) {
        (sheet, Some(candidate)) => Ok((sheet, candidate)),
        (sheet, None) => Err(Failure::new(Code::Negative, sheet.refusal())),
    }
}

pub(super) fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let bench = set_up(&args.what)?;
    let (sheet, _) = check::check(&args.what.file, &bench.preparer, &args.what.set);
    if args.json {
        print(&sheet_json(&sheet))?;
    } else {
        output::page(&sheet_text(&sheet));
    }
    Ok(if sheet.fits() && sheet.does_not_start.is_none() {
        ExitCode::SUCCESS
    } else {
        Code::Negative.into()
    })
}

fn print(json: &Value) -> Result<(), Failure> {
    out!(
        "{}",
        serde_json::to_string_pretty(json).or_exit(Code::Internal)?
    );
    Ok(())
}

/// Rows of a label and what belongs to it; further lines stand under the first.
fn sheet_text(sheet: &Sheet) -> String {
    let mut text = String::new();
    let mut row = |label: &str, lines: Vec<String>| {
        for (n, line) in lines.iter().enumerate() {
            let label = if n == 0 { label } else { "" };
            // Writing to a String can not fail.
            let _ = writeln!(text, "{label:<LABEL$}{line}");
        }
    };
    let verdict = match (sheet.fits(), &sheet.does_not_start) {
        (false, _) => "does not fit",
        (true, Some(_)) => "fits, and does not start with these settings",
        (true, None) => "fits",
    };
    row("file", vec![format!("{}: {verdict}", sheet.file.display())]);
    row(
        "",
        sheet.problems.iter().map(|p| format!("- {p}")).collect(),
    );
    row(
        "",
        sheet
            .does_not_start
            .iter()
            .map(|p| format!("- {p}"))
            .collect(),
    );
    if let Some(described) = &sheet.described {
        let manifest = &described.manifest;
        row(
            "strategy",
            vec![format!("{} {}", manifest.name, tame(&manifest.version))],
        );
    }
    if let Some((bytes, digest)) = &sheet.bytes {
        row("size", vec![format!("{} bytes", words::grouped(*bytes))]);
        row("digest", vec![format!("sha256 {}", hex(digest))]);
    }
    if !sheet.built_by.is_empty() {
        row("built by", vec![sheet.built_by.join(", ")]);
    }
    if let Some(shape) = &sheet.shape {
        let version = match &shape.version {
            Some(version) => format!("pm-arb:strategy {version}"),
            None => "none that it names".to_owned(),
        };
        let spoken = SPOKEN.join(" and ");
        row(
            "contract",
            vec![format!("{version}; the host speaks {spoken}")],
        );
        let import = |i: &crate::author::world::Import| match i.functions.as_slice() {
            [] => tame(&i.name),
            some => tame(&format!("{}: {}", i.name, some.join(", "))),
        };
        row("imports", shape.imports.iter().map(import).collect());
        row("exports", vec![tame(&shape.exports.join(", "))]);
        let batches = if shape.batches {
            "several in one call (`on-quotes`)"
        } else {
            "one a call: it has no `on-quotes`"
        };
        row("quotes", vec![batches.to_owned()]);
    }
    if let Some(described) = &sheet.described {
        let topics = words::topics(described.manifest.topics);
        let hears = if topics.is_empty() {
            "only of its own intents".to_owned()
        } else {
            topics.join(", ")
        };
        row("hears", vec![hears]);
        let asks = words::capabilities(&described.asks);
        row(
            "asks for",
            asks.iter()
                .map(|(what, of)| format!("{what}: {of}"))
                .collect(),
        );
        row("state", vec![state(described.state, &described.reads)]);
    }
    if sheet.fits() {
        let limits = words::limits(&sheet.limits);
        row(
            "limits",
            limits
                .iter()
                .map(|(what, of)| format!("{what}: {of}"))
                .collect(),
        );
    }
    text
}

fn state(form: Option<u32>, reads: &[u32]) -> String {
    let Some(form) = form else {
        return "its version of the contract names no form; the strategy itself is asked"
            .to_owned();
    };
    let others: Vec<String> = reads.iter().map(u32::to_string).collect();
    match others.as_slice() {
        [] => format!("form {form}; reads no other"),
        some => format!("form {form}; reads {} as well", some.join(", ")),
    }
}

fn sheet_json(sheet: &Sheet) -> Value {
    let rows = |rows: Vec<words::Row>| -> Value {
        let all = rows
            .into_iter()
            .map(|(what, of)| (what.to_owned(), json!(of)));
        Value::Object(all.collect())
    };
    let shape = sheet.shape.as_ref();
    let described = sheet.described.as_deref();
    let imports = shape.map(|shape| {
        let all = shape.imports.iter();
        let all =
            all.map(|i| json!({"name": i.name, "functions": i.functions, "granted": i.granted}));
        all.collect::<Vec<Value>>()
    });
    json!({
        "file": sheet.file.display().to_string(),
        "fits": sheet.fits(),
        "problems": sheet.problems,
        "does_not_start": sheet.does_not_start,
        "bytes": sheet.bytes.map(|(bytes, _)| bytes),
        "sha256": sheet.bytes.map(|(_, digest)| hex(&digest)),
        "built_by": sheet.built_by,
        "contract": shape.and_then(|shape| shape.version.clone()),
        "host_speaks": SPOKEN,
        "imports": imports,
        "exports": shape.map(|shape| shape.exports.clone()),
        "batches": shape.map(|shape| shape.batches),
        "name": described.map(|d| d.manifest.name.clone()),
        "version": described.map(|d| d.manifest.version.clone()),
        "topics": described.map(|d| words::topics(d.manifest.topics)),
        "asks": described.map(|d| rows(words::capabilities(&d.asks))),
        "state": described.and_then(|d| d.state),
        "reads": described.map(|d| d.reads.clone()),
        "limits": rows(words::limits(&sheet.limits)),
    })
}

pub(super) fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    let bench = set_up(&args.what)?;
    let (sheet, candidate) = ready(&args.what, &bench)?;
    let dir = which::folder(&args.places.data_dir, &args.on)?;
    let meter = Meter::of(Counts::Bytes);
    meter.expect(journal::size(&dir));
    let progress = Progress::of("run", &meter);
    let runtime = super::runtime()?;
    let host = bench.preparer.host().clone();
    let settings = candidate.params.clone();
    let found = backtest(
        &dir,
        host,
        bench.engine.as_ref(),
        candidate,
        (&runtime, &meter),
    );
    drop(progress);
    let found = found.map_err(|error| {
        let code = match &error {
            BacktestError::Replay(_) => Code::Damaged,
            BacktestError::Folder(_) | BacktestError::Store(_) => Code::Unavailable,
        };
        Failure::new(code, error)
    })?;
    if args.json {
        print(&run_json(&sheet, &settings, &found))?;
    } else {
        output::page(&run_text(&sheet, &settings, &found));
    }
    Ok(if found.quarantined {
        Code::Negative.into()
    } else {
        ExitCode::SUCCESS
    })
}

/// Name and version, as it says.
fn who(sheet: &Sheet) -> String {
    let manifest = sheet.described.as_deref().map(|d| &d.manifest);
    manifest.map_or_else(String::new, |m| format!("{} {}", m.name, tame(&m.version)))
}

fn run_text(sheet: &Sheet, settings: &[(String, String)], found: &Backtest) -> String {
    let mut lines = vec![format!(
        "{} on {} ({})",
        who(sheet),
        found.run.run_id,
        found.run.source
    )];
    if !settings.is_empty() {
        let all: Vec<String> = settings
            .iter()
            .map(|(key, value)| tame(&format!("{key}={value}")))
            .collect();
        lines.push(format!("settings: {}", all.join(" ")));
    }
    let c = &found.counts;
    lines.push(format!(
        "{} events · {} calls · {} intents, {} denied · {} fills, {} settled",
        words::grouped(c.events),
        words::grouped(found.costs.calls),
        c.intents,
        c.denied,
        c.fills,
        c.settled
    ));
    lines.push(String::new());
    lines.push(
        report::render(&found.report, Style::of_stdout())
            .trim_end()
            .to_owned(),
    );
    lines.push(String::new());
    lines.extend(fair_values(found));
    let costs = &found.costs;
    lines.push(format!(
        "Cost: fuel a call {} on average, {} at most, of {} · memory {} of {}",
        words::grouped(costs.fuel_mean),
        words::grouped(costs.fuel_max),
        words::grouped(found.limits.call_fuel),
        words::bytes(costs.memory),
        words::bytes(found.limits.memory_bytes as u64)
    ));
    let (failures, told) = &found.faults;
    if *failures > 0 {
        let end = if found.quarantined {
            ", and was stopped for good"
        } else {
            ""
        };
        lines.push(format!("Failed {failures} times{end}:"));
        lines.extend(told.iter().map(|fault| format!("  {}", tame(fault))));
    }
    if found.lines.is_empty() {
        lines.push("Log: nothing written".to_owned());
    } else {
        lines.push(format!("Log, the last {} lines:", found.lines.len()));
        let line = |l: &crate::plugin::usage::LogLine| {
            format!(
                "  {} {:<5} {}",
                report::text::instant(l.at),
                l.level,
                l.text
            )
        };
        lines.extend(found.lines.iter().map(line));
    }
    lines.push(format!("digest {}", found.digest));
    lines.join("\n") + "\n"
}

/// The Brier scores of what the host said of these markets, each predictor's.
fn brier(found: &Backtest) -> Vec<(&'static str, f64)> {
    let Some(fair) = &found.fair_values else {
        return Vec::new();
    };
    let tables = calibrate::Scores::NAMES.iter().zip(&fair.scores.all);
    let scored = tables.filter_map(|(name, table)| Some((*name, table.overall.brier()?)));
    scored.collect()
}

fn fair_values(found: &Backtest) -> Option<String> {
    let fair = found.fair_values.as_ref()?;
    let scores: Vec<String> = brier(found)
        .into_iter()
        .map(|(name, score)| format!("{name} {score:.4}"))
        .collect();
    Some(format!(
        "Fair values it was told, Brier over {} markets: {}",
        fair.markets,
        scores.join(" · ")
    ))
}

fn run_json(sheet: &Sheet, settings: &[(String, String)], found: &Backtest) -> Value {
    let (failures, told) = &found.faults;
    let manifest = sheet.described.as_deref().map(|d| &d.manifest);
    let brier: serde_json::Map<String, Value> = brier(found)
        .into_iter()
        .map(|(name, score)| (name.to_owned(), json!(score)))
        .collect();
    let lines: Vec<Value> = found
        .lines
        .iter()
        .map(|l| json!({"at_ns": l.at.0, "level": l.level, "text": l.text}))
        .collect();
    json!({
        "strategy": manifest.map(|m| m.name.clone()),
        "version": manifest.map(|m| m.version.clone()),
        "sha256": sheet.bytes.map(|(_, digest)| hex(&digest)),
        "settings": settings.iter().map(|(k, v)| (k.clone(), json!(v))).collect::<serde_json::Map<_, _>>(),
        "run": found.run.run_id.to_string(),
        "source": found.run.source,
        "counts": found.counts,
        "calls": found.costs.calls,
        "fuel_mean": found.costs.fuel_mean,
        "fuel_max": found.costs.fuel_max,
        "fuel_limit": found.limits.call_fuel,
        "memory": found.costs.memory,
        "memory_limit": found.limits.memory_bytes,
        "failures": failures,
        "faults": told,
        "quarantined": found.quarantined,
        "log": lines,
        "brier": brier,
        "report": report::json(&found.report),
        "digest": found.digest,
    })
}
