//! What `strategy bench` says, as text and as JSON.

use super::who;
use crate::author::bench::{Figures, ROUNDS, beside, machine};
use crate::author::check::Sheet;
use crate::author::native::{NativeError, Round};
use crate::author::words;
use crate::causes::chain;
use crate::plugin::hex;
use crate::report::table::{Cell, Table};
use crate::report::{Style, tame};
use serde_json::{Value, json};

type Native = Result<Vec<Round>, NativeError>;

pub(super) fn text(sheet: &Sheet, found: &Figures, native: &Native) -> String {
    let mut lines = vec![
        format!(
            "{}: {} events, {} intents, {ROUNDS} rounds; times are medians over the rounds",
            who(sheet),
            words::grouped(found.events),
            words::grouped(found.intents)
        ),
        format!("on {}", machine()),
    ];
    if cfg!(debug_assertions) {
        lines.push(
            "This pm-arb is a debug build: its times say little. Use a release build.".to_owned(),
        );
    }
    lines.push(String::new());
    let mut table = Table::new(&[
        "event",
        "calls",
        "ns p50",
        "ns p99",
        "ns mean",
        "fuel p50",
        "fuel p99",
        "fuel mean",
    ]);
    for kind in &found.kinds {
        let mut row = vec![Cell::from(kind.name.to_owned()), Cell::from(kind.calls)];
        row.extend(kind.nanos.map(|ns| Cell::from(format!("{ns:.0}"))));
        row.extend(kind.fuel.map(|fuel| Cell::from(words::grouped(fuel))));
        table.row(row);
    }
    lines.extend(table.lines(Style::of_stdout()));
    let [idle, after] = found.memory;
    lines.extend([
        String::new(),
        format!(
            "an event of the list, all together   {:.0} ns",
            found.nanos_per_event
        ),
        format!(
            "compile                              {}",
            time(found.compile)
        ),
        format!(
            "instantiate and init                 {}",
            time(found.instantiate)
        ),
        format!(
            "snapshot, restore                    {}, {} ({} bytes of state)",
            time(found.snapshot),
            time(found.restore),
            words::grouped(found.state_bytes)
        ),
        format!(
            "linear memory, idle and after        {}, {}",
            words::bytes(idle),
            words::bytes(after)
        ),
    ]);
    lines.push(String::new());
    lines.extend(match native {
        Ok(rounds) => compared(found, rounds),
        Err(why) => vec![format!("no native comparison: {}", tame(&chain(why)))],
    });
    lines.join("\n") + "\n"
}

fn compared(found: &Figures, rounds: &[Round]) -> Vec<String> {
    let (nanos, times) = beside(found, rounds);
    let mut lines = vec![format!(
        "the same source natively, through the SDK's testing host: {nanos:.0} ns an event; the component \
         takes {times:.2} times as long"
    )];
    if let Some(other) = rounds.iter().find(|round| round.intents != found.intents) {
        lines.push(format!(
            "it answered {} intents and the component {}: another version of the source? The times are of \
             different work",
            other.intents, found.intents
        ));
    }
    lines
}

fn time(nanos: f64) -> String {
    match nanos {
        ns if ns < 10_000.0 => format!("{ns:.0} ns"),
        ns if ns < 10_000_000.0 => format!("{:.1} µs", ns / 1e3),
        ns => format!("{:.1} ms", ns / 1e6),
    }
}

pub(super) fn json(sheet: &Sheet, found: &Figures, native: &Native) -> Value {
    let manifest = sheet.described.as_deref().map(|d| &d.manifest);
    let kinds: Vec<Value> = found
        .kinds
        .iter()
        .map(|kind| {
            let ([p50, p99, mean], [f50, f99, f_mean]) = (kind.nanos, kind.fuel);
            json!({
                "event": kind.name, "calls": kind.calls,
                "ns_p50": p50, "ns_p99": p99, "ns_mean": mean,
                "fuel_p50": f50, "fuel_p99": f99, "fuel_mean": f_mean,
            })
        })
        .collect();
    let (native, why) = match native {
        Ok(rounds) => {
            let (nanos, times) = beside(found, rounds);
            let same = rounds.iter().all(|round| round.intents == found.intents);
            let native = json!({"ns_per_event": nanos, "component_times_as_long": times, "same_intents": same});
            (native, Value::Null)
        }
        Err(why) => (Value::Null, json!(chain(why))),
    };
    json!({
        "strategy": manifest.map(|m| m.name.clone()),
        "version": manifest.map(|m| m.version.clone()),
        "sha256": sheet.bytes.map(|(_, digest)| hex(&digest)),
        "machine": machine(),
        "debug_build": cfg!(debug_assertions),
        "rounds": ROUNDS,
        "events": found.events,
        "intents": found.intents,
        "kinds": kinds,
        "ns_per_event": found.nanos_per_event,
        "compile_ns": found.compile,
        "instantiate_ns": found.instantiate,
        "snapshot_ns": found.snapshot,
        "restore_ns": found.restore,
        "state_bytes": found.state_bytes,
        "memory_idle": found.memory[0],
        "memory_after": found.memory[1],
        "native": native,
        "no_native_because": why,
    })
}
