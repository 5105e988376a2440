//! The table of limits in the documents says what the program does.

use crate::support::root;
use pm_arb::plugin::Limits;
use pm_arb::plugin::limits::{
    BLOCKS_DEEP_MAX, BRANCHES_MAX, CANCELS_PER_CALL, CROSSING_BYTES_MAX, HANDLES_MAX,
    HOST_CALL_FUEL, INTENTS_PER_CALL, ITEMS_MAX, LOCALS_MAX, LOG_LINE_BYTES, LOG_LINES_PER_CALL,
    LOG_LINES_PER_SECOND, MODULES_MAX, NESTING_MAX, PARTS_MAX, TABLE_ELEMENTS_MAX,
};
use pm_arb::plugin::loader::{RESTART_AFTER, STRIKE_WINDOW, STRIKES};
use pm_arb_core::engine::MAX_INTENTS_PER_STRATEGY_STEP;
use pm_arb_core::strategy::MAX_LEGS;

#[test]
fn the_table_of_limits_is_the_code() {
    let limits = Limits::default();
    let kib = |bytes: usize| format!("{} KiB", bytes >> 10);
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let secs = |nanos: u64| format!("{} s", nanos / 1_000_000_000);
    let [first, second] = RESTART_AFTER;
    let expected = [
        ("file", mib(limits.file_bytes as u64)),
        ("functions of all modules", limits.functions.to_string()),
        (
            "code of one function",
            kib(usize::try_from(limits.function_bytes).unwrap()),
        ),
        ("variables of one function", LOCALS_MAX.to_string()),
        ("blocks within one another", BLOCKS_DEEP_MAX.to_string()),
        (
            "places in branch tables of one function",
            BRANCHES_MAX.to_string(),
        ),
        ("modules within the component", MODULES_MAX.to_string()),
        ("levels of modules within modules", NESTING_MAX.to_string()),
        (
            "types, imports, exports, globals, segments",
            ITEMS_MAX.to_string(),
        ),
        (
            "time to compile",
            format!("{} s", limits.compile_time.as_secs()),
        ),
        ("memory to compile", mib(limits.compile_bytes)),
        ("fuel of one event", limits.call_fuel.to_string()),
        (
            "fuel of start, describe, init, snapshot, restore",
            limits.setup_fuel.to_string(),
        ),
        (
            "time of one event",
            format!("{} ms", limits.call_time.as_millis()),
        ),
        (
            "time of start, describe, init, snapshot, restore",
            format!("{} ms", limits.setup_time.as_millis()),
        ),
        ("all memories together", mib(limits.memory_bytes as u64)),
        ("elements of all tables", TABLE_ELEMENTS_MAX.to_string()),
        (
            "core instances, memories, tables, each",
            PARTS_MAX.to_string(),
        ),
        ("handles", HANDLES_MAX.to_string()),
        (
            "bytes over the border in one call of the host",
            kib(limits.snapshot_bytes + CROSSING_BYTES_MAX),
        ),
        ("fuel of a call of the host", HOST_CALL_FUEL.to_string()),
        ("intents of one call", INTENTS_PER_CALL.to_string()),
        (
            "intents of one strategy in one step",
            MAX_INTENTS_PER_STRATEGY_STEP.to_string(),
        ),
        ("cancels of one call", CANCELS_PER_CALL.to_string()),
        ("legs of one intent", MAX_LEGS.to_string()),
        ("log lines of one call", LOG_LINES_PER_CALL.to_string()),
        ("log lines of one second", LOG_LINES_PER_SECOND.to_string()),
        ("bytes of a log line", LOG_LINE_BYTES.to_string()),
        ("snapshot", kib(limits.snapshot_bytes)),
        (
            "strikes until quarantine",
            format!("{STRIKES} within {}", secs(STRIKE_WINDOW.0)),
        ),
        ("pause after the first strike", secs(first.0)),
        ("pause after the second strike", secs(second.0)),
    ];
    let page = std::fs::read_to_string(root().join("docs/sandbox.md")).unwrap();
    // The page has other tables: this one ends where its lines do.
    let table = page
        .lines()
        .skip_while(|line| !line.starts_with("| Limit |"));
    let rows: Vec<(String, String)> = table
        .map_while(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
        })
        .skip(2)
        .collect();
    assert_eq!(rows.len(), expected.len());
    for ((what, limit), (name, value)) in rows.iter().zip(&expected) {
        assert_eq!((what.as_str(), limit), (*name, value));
    }
}
