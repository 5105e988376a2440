//! The words of `pm-arb strategy`.

use super::{BenchArgs, BuildArgs, CheckArgs, NewArgs, Places, RunArgs, TestArgs, WatchArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `pm-arb strategy`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb strategy list\n  pm-arb strategy swap oracle-sniper build/oracle-sniper.wasm -m 'new haircut'\n  pm-arb strategy rollback oracle-sniper\n  pm-arb strategy quarantine oracle-sniper -m 'looking into it'\n  pm-arb strategy release oracle-sniper\n\nEvery order is in the journal: a replay of the run repeats it. Exit codes: 0 done · 1 refused, \
                  nothing changed · 69 no pilot is running"
)]
pub struct StrategyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StrategyCommand,
}

/// What to do with strategies.
#[derive(Debug, Subcommand)]
pub enum StrategyCommand {
    /// Write a small project that builds, passes its own test and trades.
    New(NewArgs),
    /// Make a component of a project, and check that this host takes it.
    Build(BuildArgs),
    /// Build a project on every save, for a running pilot to swap in.
    Watch(WatchArgs),
    /// Say what a component is, what it asks for, and whether this host takes it.
    Check(CheckArgs),
    /// Tell a strategy canned and recorded events, twice, and show what it answers.
    Test(TestArgs),
    /// Have one strategy trade a recorded run, and report what came of it.
    Run(RunArgs),
    /// Measure what its calls cost: time, fuel, memory, beside native code.
    Bench(BenchArgs),
    /// Show every strategy of the running pilot.
    #[command(after_help = "Examples:\n  pm-arb strategy list\n  pm-arb strategy list --json")]
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Where the pilot keeps things.
        #[command(flatten)]
        places: Places,
    },
    /// Run the bytes of a file now, between two events, with the state of what runs.
    #[command(
        after_help = "Examples:\n  pm-arb strategy swap oracle-sniper build/oracle-sniper.wasm -m 'new haircut'"
    )]
    Swap {
        /// Which strategy, and what to say with it.
        #[command(flatten)]
        act: StrategyAct,
        /// The component.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Without the state of what runs.
        #[arg(long)]
        fresh: bool,
    },
    /// Run the generation of before again; once more goes one further back.
    #[command(after_help = "Examples:\n  pm-arb strategy rollback oracle-sniper")]
    Rollback {
        /// Which strategy, and what to say with it.
        #[command(flatten)]
        act: StrategyAct,
        /// Without the state of what runs.
        #[arg(long)]
        fresh: bool,
    },
    /// Do not follow changes of its file, over restarts too.
    #[command(after_help = "Examples:\n  pm-arb strategy pin oracle-sniper")]
    Pin {
        /// Which strategy, and what to say with it.
        #[command(flatten)]
        act: StrategyAct,
    },
    /// Follow its file again; what it holds meanwhile takes over.
    #[command(after_help = "Examples:\n  pm-arb strategy unpin oracle-sniper")]
    Unpin {
        /// Which strategy, and what to say with it.
        #[command(flatten)]
        act: StrategyAct,
    },
    /// Stop calling it and withdraw its resting orders, until it is released, over restarts too.
    #[command(
        after_help = "Examples:\n  pm-arb strategy quarantine oracle-sniper -m 'looking into it'"
    )]
    Quarantine {
        /// Which strategy, and what to say with it.
        #[command(flatten)]
        act: StrategyAct,
    },
    /// Run a file beside it, on the same events with a ledger of its own; without FILE: show the figures.
    #[command(after_help = super::shadow::SHADOW_HELP)]
    Shadow(super::ShadowArgs),
    /// Have what runs in its shadow take its place, between two events, with the state of what runs.
    #[command(
        after_help = "Examples:\n  pm-arb strategy promote oracle-sniper -m '40 markets, +12 USD'"
    )]
    Promote {
        /// Which strategy, and what to say with it.
        #[command(flatten)]
        act: StrategyAct,
    },
    /// Let what runs in its shadow go; what trades is not touched.
    #[command(after_help = "Examples:\n  pm-arb strategy dismiss oracle-sniper -m 'no better'")]
    Dismiss {
        /// Which strategy, and what to say with it.
        #[command(flatten)]
        act: StrategyAct,
    },
    /// Forget its failures and start it again, without state.
    #[command(after_help = "Examples:\n  pm-arb strategy release oracle-sniper")]
    Release {
        /// Which strategy, and what to say with it.
        #[command(flatten)]
        act: StrategyAct,
    },
}

/// Which strategy, and what to say with it.
#[derive(Debug, Args)]
pub struct StrategyAct {
    /// Its name, as `pm-arb strategy list` shows it.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// For the record: who and why.
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the pilot keeps things.
    #[command(flatten)]
    pub places: Places,
}
