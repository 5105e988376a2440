//! The words of `pm-arb strategy check`, `test`, `run` and `bench`: a file is tried out, no pilot needed.

use super::Places;
use clap::Args;
use std::path::PathBuf;

const CHECK_HELP: &str = "\
Examples:
  pm-arb strategy check strategies/oracle-sniper.wasm
  pm-arb strategy check my-idea.wasm --set edge_min=0.02 --json

Exit codes: 0 it fits · 1 it does not, and why";

/// `pm-arb strategy check`
#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub struct CheckArgs {
    /// Which file, with which settings.
    #[command(flatten)]
    pub what: Tried,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

const RUN_HELP: &str = "\
Examples:
  pm-arb strategy run strategies/oracle-sniper.wasm --on runs/september
  pm-arb strategy run my-idea.wasm --on latest --set edge_min=0.02 --json

Nothing is written into the run. The same file, settings and run give the same digest.
Exit codes: 0 it ran to the end · 1 the file is refused, or it failed too often · 2 no such run ·
65 the run is damaged · 78 wrong configuration";

/// `pm-arb strategy run`
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub struct RunArgs {
    /// Which file, with which settings.
    #[command(flatten)]
    pub what: Tried,
    /// The recorded run: its folder, or in the data folder its id, the beginning of one, or `latest`.
    #[arg(long, value_name = "RUN")]
    pub on: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where runs are kept.
    #[command(flatten)]
    pub places: Places,
}

const TEST_HELP: &str = "\
Examples:
  pm-arb strategy test strategies/oracle-sniper.wasm
  pm-arb strategy test my-idea.wasm --on runs/september --set edge_min=0.02

Everything is told twice and must be answered alike; one that is restored from a snapshot must go on as the
one it was taken of.
Exit codes: 0 ok · 1 refused, failed, not repeatable or its state lost · 2 no such run · 65 the run is damaged";

/// `pm-arb strategy test`
#[derive(Debug, Args)]
#[command(after_help = TEST_HELP)]
pub struct TestArgs {
    /// Which file, with which settings.
    #[command(flatten)]
    pub what: Tried,
    /// A recorded run to play to it as well: its folder, or in the data folder its id or `latest`.
    #[arg(long, value_name = "RUN")]
    pub on: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where runs are kept.
    #[command(flatten)]
    pub places: Places,
}

const BENCH_HELP: &str = "\
Examples:
  pm-arb strategy bench strategies/oracle-sniper.wasm
  pm-arb strategy bench strategies/oracle-sniper --on runs/september

Of a Rust project's folder the component that its build left is measured, beside the same source compiled for
this machine. Use a release build of pm-arb.
Exit codes: 0 measured · 1 the file is refused, or a call failed · 2 no such run · 65 the run is damaged";

/// `pm-arb strategy bench`
#[derive(Debug, Args)]
#[command(after_help = BENCH_HELP)]
pub struct BenchArgs {
    /// The component, or the folder of a Rust project; and its settings.
    #[command(flatten)]
    pub what: Tried,
    /// The events of a recorded run: its folder, or in the data folder its id or `latest`.
    #[arg(long, value_name = "RUN")]
    pub on: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where runs are kept.
    #[command(flatten)]
    pub places: Places,
}

/// A file and how it is set.
#[derive(Debug, Args)]
pub struct Tried {
    /// The component.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A setting; may be given many times, and wins over the configuration.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    /// Settings of strategies and of the engine.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a setting is KEY=VALUE".to_owned()),
    }
}
