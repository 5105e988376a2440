//! The closed world: a real guest, built from source for WASI by both of its targets, tries everything and
//! reaches nothing; and so does one by hand, where no standard library is between it and the functions.

use super::fixtures::Fixture;
use super::{host, quote};
use pm_arb::plugin::{ComponentStrategy, PluginHost};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::strategy::{Output, Strategy, StrategyFault};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where WASI 0.2 is the target's own, and where the adapter makes it of preview 1.
const TARGETS: [&str; 2] = ["wasm32-wasip2", "wasm32-wasip1"];

/// Builds `tests/guests/curious` for every target that is installed; one that is not is said aloud.
fn rooms() -> impl Iterator<Item = (&'static str, Room)> {
    let built = TARGETS.into_iter();
    built.filter_map(|target| Some((target, Room::of(&curious(target)?))))
}

fn curious(target: &str) -> Option<Vec<u8>> {
    let libdir = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output();
    let installed = libdir.is_ok_and(|out| {
        let path = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        !path.is_empty() && Path::new(&path).is_dir()
    });
    if !installed {
        eprintln!(
            "SKIP closed world: the target {target} is not installed (rustup target add {target})"
        );
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = folder.join("guests");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--target", target])
        .current_dir(root.join("tests/guests/curious"))
        .env("CARGO_TARGET_DIR", &folder)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let file = folder.join(target).join("release/curious.wasm");
    let wasm = std::fs::read(&file).unwrap();
    Some(componentize::componentize(&wasm, &file).unwrap())
}

struct Room {
    host: PluginHost,
    compiled: pm_arb::plugin::Compiled,
}

impl Room {
    fn of(bytes: &[u8]) -> Self {
        let host = host();
        let compiled = host.compile(bytes).unwrap();
        Self { host, compiled }
    }

    fn instance(&self) -> ComponentStrategy {
        self.host.instantiate(&self.compiled, &[]).unwrap()
    }

    /// What it says of one attempt, at that second.
    fn attempt(&self, what: u32, second: u64) -> Result<String, StrategyFault> {
        said(&mut self.instance(), what, second)
    }
}

fn said(strategy: &mut ComponentStrategy, what: u32, second: u64) -> Result<String, StrategyFault> {
    let mut out = Output::default();
    strategy.on_quote(Timestamp::from_secs(second), &quote(what), &mut out)?;
    assert!(out.intents.is_empty());
    let line = strategy.usage().lines().pop().expect("it says what it got");
    Ok(line.text)
}

#[test]
fn a_guest_of_wasi_reaches_nothing() {
    for (target, room) in rooms() {
        for part in ["filesystem", "sockets", "cli", "clocks", "random", "io"] {
            let front = format!("wasi:{part}/");
            let imports = &room.compiled.imports;
            assert!(
                imports.iter().any(|name| name.starts_with(&front)),
                "it really asks for {part}: {imports:?}"
            );
        }
        for (what, attempt, answer) in [
            (1, "a file", "refused"),
            (2, "a file where the host runs", "refused"),
            (3, "to write", "refused"),
            (4, "a folder", "refused"),
            (5, "folders handed over", "preopens 0"),
            (6, "a connection", "refused"),
            (7, "a door of its own", "refused"),
            (8, "a datagram", "refused"),
            (9, "a name", "refused"),
            (10, "the environment", "environment 0"),
            (11, "arguments", "arguments 0"),
            (12, "standard input", "input 0 true"),
            (16, "standard output", "printed"),
            (17, "a program", "refused"),
            (18, "a thread", "refused"),
        ] {
            let answered = room.attempt(what, 1);
            assert_eq!(answered.as_deref(), Ok(answer), "{target}: {attempt}");
        }
    }
}

#[test]
fn its_clocks_show_the_time_of_the_event_and_stand_still_within_it() {
    for (target, room) in rooms() {
        for second in [1, 1_785_844_800] {
            let shown = format!("wall {}", second * 1_000_000_000);
            assert_eq!(room.attempt(13, second), Ok(shown), "{target}");
        }
        let mut one = room.instance();
        for (second, shown) in [(10, "monotonic 0 0"), (13, "monotonic 3000000000 0")] {
            assert_eq!(said(&mut one, 14, second).as_deref(), Ok(shown), "{target}");
        }
    }
}

#[test]
fn its_randomness_is_the_same_in_every_run() {
    for (target, bytes) in TARGETS.into_iter().filter_map(|t| Some((t, curious(t)?))) {
        let drawn = |second| Room::of(&bytes).attempt(15, second).unwrap();
        let first = drawn(1);
        assert!(first.starts_with("random "), "{target}: {first}");
        assert_eq!(first, drawn(1), "{target}");
        assert_eq!(first, drawn(2), "{target}: not even the time changes it");
    }
}

#[test]
fn waiting_sleeping_and_leaving_end_the_instance_and_nothing_else() {
    for (target, room) in rooms() {
        let mut bystander = room.instance();
        for (what, attempt) in [
            (20, "sleeps"),
            (21, "exits"),
            (22, "aborts"),
            (23, "waits for a time"),
            (24, "waits for a socket"),
            (25, "waits for nothing"),
        ] {
            let mut strategy = room.instance();
            let fault = match said(&mut strategy, what, 1) {
                Err(fault) => fault,
                // No socket to wait for is as good.
                Ok(text) if text.starts_with("no socket") => continue,
                Ok(text) => panic!("{target}: {attempt}: {text}"),
            };
            assert!(
                matches!(fault, StrategyFault::Protocol(_) | StrategyFault::Trap(_)),
                "{target}: {attempt}: {fault:?}"
            );
            assert!(said(&mut strategy, 13, 2).is_err(), "{attempt}: it is dead");
            let answer = said(&mut bystander, 13, u64::from(what));
            assert_eq!(answer, Ok(format!("wall {what}000000000")));
        }
    }
}

/// The functions of preview 1 by hand; needs no target. What each answers is the tag of a cancel.
const PREVIEW_1: &str = r#"
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send"
    (func $send (param i32 i32 i32 i32 i32) (result i32)))"#;
/// A path, and one buffer of 16 bytes at 1300.
const DATA: &str =
    r#"(data (i32.const 1024) "/etc/passwd") (data (i32.const 1200) "\14\05\00\00\10\00\00\00")"#;
const OPEN: &str = "(call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 11)
    (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 1100))";

/// Its answer to that attempt at that second: results of the functions, and what they left.
fn by_hand(body: &str, seconds: &[u64]) -> Vec<Result<Vec<u64>, StrategyFault>> {
    let fixture = Fixture {
        imports: PREVIEW_1.to_owned(),
        exports: DATA,
        // The adapter has a stack and a state of its own in it.
        pages: 8,
        ..Fixture::on_quote("by-hand", body)
    };
    let path = Path::new("by-hand.wasm");
    let room = Room::of(&componentize::componentize(&fixture.core_module(), path).unwrap());
    let wasi = |name: &String| name.starts_with("wasi:");
    assert!(room.compiled.imports.iter().any(wasi));
    let mut strategy = room.instance();
    let mut ask = |second: &u64| {
        let mut out = Output::default();
        strategy.on_quote(Timestamp::from_secs(*second), &quote(1), &mut out)?;
        Ok(out.cancels)
    };
    seconds.iter().map(&mut ask).collect()
}

/// Tells a number of 32 bits, or one of 64 that a function left at 1104.
fn tell(number: &str) -> String {
    format!("(drop (call $cancel (i64.extend_i32_u {number})))")
}
const LEFT: &str = "(drop (call $cancel (i64.load (i32.const 1104))))";

#[test]
fn through_the_adapter_of_preview_1_nothing_is_reached_either() {
    /// The number of a file that there is not, as preview 1 says it.
    const BADF: u64 = 8;
    let count = tell("(i32.load (i32.const 1100))");
    let cases = [
        ("a file", tell(OPEN), vec![BADF]),
        (
            "a folder handed over",
            tell("(call $prestat (i32.const 3) (i32.const 1100))"),
            vec![BADF],
        ),
        (
            "the environment",
            tell("(call $environ (i32.const 1100) (i32.const 1104))") + &count + LEFT,
            vec![0, 0, 0],
        ),
        (
            "arguments",
            tell("(call $args (i32.const 1100) (i32.const 1104))") + &count + LEFT,
            vec![0, 0, 0],
        ),
        (
            "standard input",
            tell("(call $read (i32.const 0) (i32.const 1200) (i32.const 1) (i32.const 1100))")
                + &count,
            vec![0, 0],
        ),
        (
            "standard output",
            tell("(call $write (i32.const 1) (i32.const 1200) (i32.const 1) (i32.const 1100))")
                + &count,
            vec![0, 16],
        ),
        (
            "the wall clock",
            tell("(call $clock (i32.const 0) (i64.const 1) (i32.const 1104))") + LEFT,
            vec![0, 7_000_000_000],
        ),
    ];
    for (attempt, body, answer) in cases {
        assert_eq!(by_hand(&body, &[7]), [Ok(answer)], "{attempt}");
    }
    let twice = tell("(call $clock (i32.const 1) (i64.const 1) (i32.const 1104))") + LEFT;
    let seen = by_hand(&format!("{twice} {twice}"), &[10, 13]);
    let [Ok(first), Ok(later)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!(first[1], first[3], "it stands still within a call");
    assert_eq!(later[1] - first[1], 3_000_000_000);
    let random = tell("(call $random (i32.const 1104) (i32.const 8))") + LEFT;
    let drawn = by_hand(&random, &[1]);
    assert!(matches!(&drawn[0], Ok(told) if told[0] == 0 && told[1] != 0));
    assert_eq!(drawn, by_hand(&random, &[2]), "the same in every run");
}

#[test]
fn through_the_adapter_of_preview_1_waiting_and_leaving_end_the_instance() {
    // A subscription to the wall clock, a millisecond from now.
    let wait = "(i64.store (i32.const 1524) (i64.const 1000000))".to_owned()
        + &tell("(call $poll (i32.const 1500) (i32.const 1600) (i32.const 1) (i32.const 1100))");
    let cases = [
        ("waits", wait, "it tried to wait"),
        ("leaves", "(call $exit (i32.const 0))".to_owned(), "exit"),
        (
            "takes a connection",
            tell("(call $accept (i32.const 3) (i32.const 0) (i32.const 1100))"),
            "unreachable",
        ),
        (
            "sends",
            tell(
                "(call $send (i32.const 3) (i32.const 1200) (i32.const 1) (i32.const 0) (i32.const 1100))",
            ),
            "unreachable",
        ),
    ];
    for (attempt, body, said) in cases {
        let answers = by_hand(&body, &[1, 2]);
        for (answer, said) in answers.iter().zip([said, "called after it had failed"]) {
            assert!(
                matches!(
                    answer,
                    Err(StrategyFault::Protocol(why) | StrategyFault::Trap(why)) if why.contains(said)
                ),
                "{attempt}: {answer:?}"
            );
        }
    }
}
