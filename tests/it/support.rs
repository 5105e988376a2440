//! What the integration tests share: where things are, and how to run the binary.

use pm_arb_core::rulebook::Rulebook;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

/// The workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The folder of recordings, or `None` after saying that `test` is skipped.
pub fn recordings(test: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("PM_ARB_DATA")
        .map_or_else(|| root().join("../shared/data"), PathBuf::from);
    if dir.is_dir() {
        return Some(dir);
    }
    println!(
        "SKIP {test}: no recordings at {}; set PM_ARB_DATA to their folder",
        dir.display()
    );
    None
}

/// The folder of built strategies. Without them nothing here can be tested: build them first.
pub fn strategies() -> PathBuf {
    let dir = std::env::var_os("PM_ARB_STRATEGIES")
        .map_or_else(|| root().join("strategies"), PathBuf::from);
    assert!(
        dir.join("oracle-sniper.wasm").is_file(),
        "no strategies in {}; run `make strategies` first",
        dir.display()
    );
    dir
}

/// The rules that come with the program.
pub fn rules() -> Arc<Rulebook> {
    Arc::new(pm_arb::rulebook::built_in().unwrap())
}

/// The binary, with an environment of its own.
pub fn pm_arb(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pm-arb"));
    command.args(args);
    for name in [
        "DATABASE_URL",
        "REDIS_URL",
        "PM_ARB_DATA_DIR",
        "RUST_LOG",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    pm_arb(args).output().unwrap()
}

/// What it printed on standard output; fails with all it said when it did not succeed.
pub fn stdout(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}\n{err}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Its standard output as JSON.
pub fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&stdout(output)).unwrap()
}
