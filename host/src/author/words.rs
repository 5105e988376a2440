//! The words for what a strategy asks for, may do and runs under: one place, whoever shows them.

use crate::plugin::Limits;
use crate::plugin::limits::{
    CANCELS_PER_CALL, INTENTS_PER_CALL, LOG_LINE_BYTES, LOG_LINES_PER_CALL, LOG_LINES_PER_SECOND,
};
use pm_arb_core::capabilities::{Capabilities, Scope};
use pm_arb_core::strategy::{Intent, MAX_LEGS, Topics};

/// A row of a list: what, and what of it.
pub type Row = (&'static str, String);

/// What it wants to hear, as the contract calls it.
#[must_use]
pub fn topics(topics: Topics) -> Vec<&'static str> {
    let all = [
        ("quotes", topics.quotes),
        ("markets", topics.markets),
        ("prints", topics.prints),
        ("oracle-ticks", topics.oracle_ticks),
        ("oracle-lag", topics.oracle_lag),
        ("mispricing", topics.mispricing),
        ("cross-platform", topics.cross_platform),
    ];
    let wanted = all.into_iter().filter(|(_, wanted)| *wanted);
    wanted.map(|(name, _)| name).collect()
}

/// An intent in a line.
#[must_use]
pub fn intent(intent: &Intent) -> String {
    let legs: Vec<String> = intent
        .legs
        .iter()
        .map(|leg| {
            let side = if leg.buy { "buy" } else { "sell" };
            format!("{side} instrument {} at {}", leg.instrument.0, leg.limit)
        })
        .collect();
    let on = intent.opportunity.map_or_else(
        || "its own idea".to_owned(),
        |id| format!("opportunity {}.{}", id.seq.0, id.n),
    );
    format!(
        "{} shares: {} · {} · tag {} · expects {} a share · {on}",
        intent.qty,
        legs.join(" and "),
        intent.time_in_force.as_str(),
        intent.tag,
        intent.expected_edge
    )
}

/// Capabilities, one row each; what is not narrowed is "all".
#[must_use]
pub fn capabilities(caps: &Capabilities) -> Vec<Row> {
    let number = |n: Option<u64>| n.map_or_else(|| "all".to_owned(), grouped);
    vec![
        ("venues", scope(&caps.venues)),
        ("market families", scope(&caps.families)),
        ("oracles", scope(&caps.oracles)),
        (
            "largest order",
            caps.order_max
                .map_or_else(|| "all".to_owned(), |max| format!("{max} dollars")),
        ),
        (
            "intents a second",
            number(caps.intents_per_second.map(u64::from)),
        ),
        (
            "memory",
            caps.memory_bytes.map_or_else(|| "all".to_owned(), bytes),
        ),
        ("fuel a call", number(caps.call_fuel)),
    ]
}

fn scope<T: Ord + ToString>(scope: &Scope<T>) -> String {
    match scope {
        Scope::All => "all".to_owned(),
        Scope::Only(some) if some.is_empty() => "none".to_owned(),
        Scope::Only(some) => {
            let names: Vec<String> = some.iter().map(ToString::to_string).collect();
            names.join(", ")
        }
    }
}

/// What it runs under, one row each.
#[must_use]
pub fn limits(limits: &Limits) -> Vec<Row> {
    let size = |n: usize| bytes(n as u64);
    vec![
        ("component file", size(limits.file_bytes)),
        ("fuel of an event", grouped(limits.call_fuel)),
        (
            "fuel of init, snapshot, restore",
            grouped(limits.setup_fuel),
        ),
        ("memory", size(limits.memory_bytes)),
        ("snapshot", size(limits.snapshot_bytes)),
        (
            "of one call",
            format!(
                "{INTENTS_PER_CALL} intents of {MAX_LEGS} legs, {CANCELS_PER_CALL} cancels, \
                 {LOG_LINES_PER_CALL} lines of log of {LOG_LINE_BYTES} bytes"
            ),
        ),
        (
            "of one second",
            format!("{LOG_LINES_PER_SECOND} lines of log"),
        ),
    ]
}

/// Bytes in the largest unit that divides them, or as they are.
#[must_use]
pub fn bytes(n: u64) -> String {
    match n {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 && n.is_multiple_of(1 << 10) => format!("{} KiB", n >> 10),
        n => format!("{} bytes", grouped(n)),
    }
}

/// A number with its thousands apart.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (20_000_000, "20,000,000"),
        ] {
            assert_eq!(grouped(n), text);
        }
        for (n, text) in [
            (8 << 20, "8 MiB"),
            (64 << 10, "64 KiB"),
            (1_025, "1,025 bytes"),
            (0, "0 bytes"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn what_is_not_narrowed_is_all() {
        let rows = capabilities(&Capabilities::default());
        assert!(rows.iter().all(|(_, what)| what == "all"), "{rows:?}");
        let some = Capabilities {
            families: Scope::Only(["candle".to_owned(), "touch".to_owned()].into()),
            venues: Scope::Only([].into()),
            memory_bytes: Some(4 << 20),
            ..Capabilities::default()
        };
        let rows = capabilities(&some);
        assert_eq!(rows[0], ("venues", "none".to_owned()));
        assert_eq!(rows[1], ("market families", "candle, touch".to_owned()));
        assert_eq!(rows[5], ("memory", "4 MiB".to_owned()));
    }
}
