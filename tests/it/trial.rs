//! `pm-arb strategy check`, `test`, `run` and `bench`: what they say of real components, of hand-written ones
//! and of files that are none, without a pilot.

mod costs;
mod earned;
mod heard;
mod sheets;

use crate::plugin::fixtures::Fixture;
use crate::support::{recordings, run, stdout, strategies};
use std::path::{Path, PathBuf};
use std::process::Output;

/// Runs `pm-arb strategy WORD FILE …`.
fn strategy(word: &str, file: &Path, more: &[&str]) -> Output {
    let mut args = vec!["strategy", word, file.to_str().unwrap()];
    args.extend(more);
    run(&args)
}

/// A shipped strategy.
fn shipped(name: &str) -> PathBuf {
    strategies().join(format!("{name}.wasm"))
}

/// A fixture as a file.
fn written(dir: &Path, fixture: &Fixture) -> PathBuf {
    let path = dir.join(format!("{}.wasm", fixture.name));
    std::fs::write(&path, fixture.component()).unwrap();
    path
}

/// What it printed, whatever it said with its exit code.
fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A run made of a real recording, or `None` after saying that `test` is skipped.
fn recorded(test: &str, dir: &Path) -> Option<PathBuf> {
    let data = recordings(test)?;
    let out = dir.join("ladder");
    let file = data.join("aligned/btc5m_202607_binance_ladder/ladder.jsonl.gz");
    stdout(&run(&[
        "import",
        "--from",
        "aligned-ladder",
        "--out",
        out.to_str().unwrap(),
        file.to_str().unwrap(),
    ]));
    Some(out)
}

/// Every file below a folder with its bytes.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            all.push((path, bytes));
        }
    }
    all.sort();
    all
}
