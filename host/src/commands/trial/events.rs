//! What `strategy test` says, as text and as JSON.

use super::who;
use crate::author::check::Sheet;
use crate::author::trial::{Heard, Trial, Verdict};
use crate::author::words;
use crate::report::table::{Cell, Table};
use crate::report::text::instant;
use crate::report::{Style, tame};
use serde_json::{Value, json};

pub(super) fn text(sheet: &Sheet, trials: &[Trial]) -> String {
    let mut lines = vec![
        format!("{}: everything told twice", who(sheet)),
        String::new(),
    ];
    let mut table = Table::new(&[
        "batch",
        "told",
        "not asked for",
        "intents",
        "cancels",
        "wake-ups",
        "log",
        "fuel a call",
        "fuel at most",
        "memory KiB",
    ]);
    for heard in trials.iter().flat_map(|trial| &trial.batches) {
        let (sum, most) = heard.fuel;
        let mean = sum.checked_div(heard.told).unwrap_or_default();
        table.row(vec![
            Cell::from(tame(&heard.name)),
            Cell::from(heard.told),
            Cell::from(heard.not_asked_for),
            Cell::from(heard.intents),
            Cell::from(heard.cancels),
            Cell::from(heard.wakes),
            Cell::from(heard.written),
            Cell::from(words::grouped(mean)),
            Cell::from(words::grouped(most)),
            Cell::from(heard.memory >> 10),
        ]);
    }
    lines.extend(table.lines(Style::of_stdout()));
    for heard in trials.iter().flat_map(|trial| &trial.batches) {
        lines.extend(said(heard));
    }
    lines.push(String::new());
    let last = trials
        .iter()
        .find(|t| t.verdict != Verdict::Ok)
        .or(trials.last());
    let told: u64 = trials.iter().flat_map(|t| &t.batches).map(|b| b.told).sum();
    let restored: u64 = trials.iter().map(|t| t.restored).sum();
    lines.push(format!(
        "{} calls, {restored} successors from snapshots; fuel of a call: {}, memory: {}",
        words::grouped(told),
        words::grouped(sheet.limits.call_fuel),
        words::bytes(sheet.limits.memory_bytes as u64)
    ));
    let verdict = last.map_or_else(String::new, |trial| trial.verdict.text());
    lines.push(format!("verdict: {}", tame(&verdict)));
    lines.join("\n") + "\n"
}

/// What it answered and wrote in a batch.
fn said(heard: &Heard) -> Vec<String> {
    if heard.answers.is_empty() && heard.lines.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), tame(&heard.name)];
    for (at, answer) in &heard.answers {
        lines.push(format!("  {}  {answer}", instant(*at)));
    }
    let answers = heard.intents + heard.cancels + heard.wakes;
    let more = answers.saturating_sub(heard.answers.len() as u64);
    if more > 0 {
        lines.push(format!("  … and {more} more answers"));
    }
    for line in &heard.lines {
        lines.push(format!(
            "  {}  log {}: {}",
            instant(line.at),
            line.level,
            line.text
        ));
    }
    let more = heard.written.saturating_sub(heard.lines.len() as u64);
    if more > 0 {
        lines.push(format!("  … and {more} more lines of log"));
    }
    lines
}

pub(super) fn json(sheet: &Sheet, trials: &[Trial]) -> Value {
    let manifest = sheet.described.as_deref().map(|d| &d.manifest);
    let batch = |heard: &Heard| {
        let answers: Vec<Value> = heard
            .answers
            .iter()
            .map(|(at, answer)| json!({"at_ns": at.0, "answer": answer}))
            .collect();
        let lines: Vec<Value> = heard
            .lines
            .iter()
            .map(|l| json!({"at_ns": l.at.0, "level": l.level, "text": l.text}))
            .collect();
        json!({
            "name": heard.name,
            "told": heard.told,
            "not_asked_for": heard.not_asked_for,
            "intents": heard.intents,
            "cancels": heard.cancels,
            "wake_ups": heard.wakes,
            "answers": answers,
            "log_lines": heard.written,
            "log": lines,
            "fuel_sum": heard.fuel.0,
            "fuel_max": heard.fuel.1,
            "memory": heard.memory,
        })
    };
    let batches: Vec<Value> = trials.iter().flat_map(|t| &t.batches).map(batch).collect();
    let last = trials
        .iter()
        .find(|t| t.verdict != Verdict::Ok)
        .or(trials.last());
    json!({
        "strategy": manifest.map(|m| m.name.clone()),
        "version": manifest.map(|m| m.version.clone()),
        "batches": batches,
        "restored": trials.iter().map(|t| t.restored).sum::<u64>(),
        "fuel_limit": sheet.limits.call_fuel,
        "memory_limit": sheet.limits.memory_bytes,
        "verdict": last.map(|t| t.verdict.as_str()),
        "text": last.map(|t| t.verdict.text()),
    })
}
