//! What `strategy check` says, as text and as JSON.

use crate::author::check::Sheet;
use crate::author::words;
use crate::author::world::Import;
use crate::plugin::{SPOKEN, hex};
use crate::report::tame;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Width of the first column of a sheet.
const LABEL: usize = 11;

/// Rows of a label and what belongs to it; further lines stand under the first.
pub(super) fn text(sheet: &Sheet) -> String {
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
        let import = |i: &Import| match i.functions.as_slice() {
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

pub(super) fn json(sheet: &Sheet) -> Value {
    let rows = |rows: Vec<words::Row>| -> Value {
        let key = |what: &str| what.replace(',', "").replace(' ', "_");
        let all = rows.into_iter().map(|(what, of)| (key(what), json!(of)));
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
