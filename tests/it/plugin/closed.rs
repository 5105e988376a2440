//! The closed world: a real guest, built from source for WASI, tries everything and reaches nothing.

use super::{host, quote};
use pm_arb::plugin::{ComponentStrategy, PluginHost};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::strategy::{Output, Strategy, StrategyFault};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `tests/guests/curious`; `None`, said aloud, where the target is not installed.
fn curious() -> Option<Vec<u8>> {
    const TARGET: &str = "wasm32-wasip2";
    let libdir = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let installed = libdir.is_ok_and(|out| {
        let path = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        !path.is_empty() && Path::new(&path).is_dir()
    });
    if !installed {
        eprintln!(
            "SKIP closed world: the target {TARGET} is not installed (rustup target add {TARGET})"
        );
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("guests");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--target", TARGET])
        .current_dir(root.join("tests/guests/curious"))
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    Some(std::fs::read(target.join(TARGET).join("release/curious.wasm")).unwrap())
}

struct Room {
    host: PluginHost,
    compiled: pm_arb::plugin::Compiled,
}

impl Room {
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
    let Some(bytes) = curious() else { return };
    let host = host();
    let compiled = host.compile(&bytes).unwrap();
    for part in ["filesystem", "sockets", "cli", "clocks", "random", "io"] {
        let front = format!("wasi:{part}/");
        assert!(
            compiled.imports.iter().any(|name| name.starts_with(&front)),
            "it really asks for {part}: {:?}",
            compiled.imports
        );
    }
    let room = Room { host, compiled };
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
        assert_eq!(room.attempt(what, 1).as_deref(), Ok(answer), "{attempt}");
    }
}

#[test]
fn its_clocks_show_the_time_of_the_event_and_stand_still_within_it() {
    let Some(bytes) = curious() else { return };
    let host = host();
    let compiled = host.compile(&bytes).unwrap();
    let room = Room { host, compiled };
    for second in [1, 1_785_844_800] {
        let nanos = second * 1_000_000_000;
        assert_eq!(room.attempt(13, second), Ok(format!("wall {nanos}")));
    }
    let mut one = room.instance();
    assert_eq!(said(&mut one, 14, 10).as_deref(), Ok("monotonic 0 0"));
    assert_eq!(
        said(&mut one, 14, 13).as_deref(),
        Ok("monotonic 3000000000 0")
    );
}

#[test]
fn its_randomness_is_the_same_in_every_run() {
    let Some(bytes) = curious() else { return };
    let drawn = |second| {
        let host = host();
        let compiled = host.compile(&bytes).unwrap();
        Room { host, compiled }.attempt(15, second).unwrap()
    };
    let first = drawn(1);
    assert!(first.starts_with("random "), "{first}");
    assert_eq!(first, drawn(1));
    assert_eq!(first, drawn(2), "not even the time changes it");
}

#[test]
fn waiting_sleeping_and_leaving_end_the_instance_and_nothing_else() {
    let Some(bytes) = curious() else { return };
    let host = host();
    let compiled = host.compile(&bytes).unwrap();
    let room = Room { host, compiled };
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
            Ok(text) => panic!("{attempt}: {text}"),
        };
        assert!(
            matches!(fault, StrategyFault::Protocol(_) | StrategyFault::Trap(_)),
            "{attempt}: {fault:?}"
        );
        assert!(said(&mut strategy, 13, 2).is_err(), "{attempt}: it is dead");
        let answer = said(&mut bystander, 13, u64::from(what));
        assert_eq!(answer, Ok(format!("wall {what}000000000")));
    }
}
