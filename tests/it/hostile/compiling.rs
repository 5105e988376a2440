//! Bytes that are made to keep the compiler busy, or to take its memory.

use super::arena::{ATTACKER, Arena, shipped, undisturbed};
use crate::plugin::fixtures::Fixture;
use pm_arb::plugin::limits::{BLOCKS_DEEP_MAX, ITEMS_MAX, LOCALS_MAX};
use pm_arb::plugin::{Limits, PluginError, PluginHost};
use std::time::Duration;

/// The host of a pilot, that compiles in a process of its own.
fn live(limits: Limits) -> PluginHost {
    let compiler = env!("CARGO_BIN_EXE_pm-arb").into();
    let host = PluginHost::live(limits, Some(compiler)).unwrap();
    host.go_live().unwrap();
    host
}

/// With parts of its own beside what a strategy has.
fn with(parts: String) -> Vec<u8> {
    let fixture = Fixture {
        version: "2",
        imports: parts,
        ..Fixture::new(ATTACKER)
    };
    fixture.component()
}

#[test]
fn what_no_toolchain_makes_is_refused_before_it_is_compiled() {
    let limits = Limits::default();
    let many = |max: u64| usize::try_from(max + 1).unwrap();
    let table = format!("(block (br_table {} (i32.const 0)))", "0 ".repeat(40_000));
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "functions",
            "(func)".repeat(many(limits.functions)),
            "functions; a strategy may have",
        ),
        (
            "one function",
            format!(
                "(func {})",
                "(drop (i32.const 7))".repeat(many(limits.function_bytes) / 3)
            ),
            "bytes in one function",
        ),
        (
            "blocks",
            format!(
                "(func {} {})",
                "block ".repeat(many(BLOCKS_DEEP_MAX)),
                "end ".repeat(many(BLOCKS_DEEP_MAX))
            ),
            "blocks within one another",
        ),
        (
            "branches",
            format!("(func {table} {table})"),
            "branches in tables of one function",
        ),
        (
            "variables",
            format!("(func (local {}))", "i64 ".repeat(many(LOCALS_MAX))),
            "variables in one function",
        ),
        (
            "globals",
            "(global i32 (i32.const 0))".repeat(many(ITEMS_MAX)),
            "globals and segments",
        ),
    ];
    let mut arena = Arena::new();
    for (what, parts, words) in cases {
        let before = arena.said.len();
        arena.put(&with(parts));
        arena.play(20);
        let said = &arena.said[before..];
        assert!(
            said.len() == 1
                && said[0].contains("a.wasm refused: it has")
                && said[0].contains(words),
            "{what}: {said:?}"
        );
    }
    let (deeds, end) = arena.end();
    undisturbed("components that would compile for long", &deeds);
    assert!(end.ends_with("\nRunning "), "{end}");
}

#[test]
fn a_compiler_that_takes_too_long_or_too_much_is_ended() {
    let hurried = live(Limits {
        compile_time: Duration::from_millis(1),
        ..Limits::default()
    });
    let error = hurried
        .compile(&shipped())
        .expect_err("a process does not even begin in 1 ms");
    assert!(
        matches!(error, PluginError::CompileTooLong { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("compiling it took longer than 1ms"),
        "{error}"
    );
    let poor = live(Limits {
        compile_bytes: 1 << 20,
        ..Limits::default()
    });
    let error = poor
        .compile(&shipped())
        .expect_err("a compiler needs more than 1 MiB");
    assert!(
        matches!(error, PluginError::CompileTooLarge { .. }),
        "{error}"
    );
    // With what a pilot gives it compiles.
    let compiled = live(Limits::default()).compile(&shipped()).unwrap();
    assert_eq!(compiled.described.manifest.name, "cross-platform");
}
