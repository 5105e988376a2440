//! What `strategy run` says, as text and as JSON.

use super::who;
use crate::author::backtest::Backtest;
use crate::author::check::Sheet;
use crate::author::words;
use crate::calibrate;
use crate::plugin::hex;
use crate::plugin::usage::LogLine;
use crate::report::{self, Style, tame};
use serde_json::{Value, json};

pub(super) fn text(sheet: &Sheet, settings: &[(String, String)], found: &Backtest) -> String {
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
        let line = |l: &LogLine| {
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

pub(super) fn json(sheet: &Sheet, settings: &[(String, String)], found: &Backtest) -> Value {
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
