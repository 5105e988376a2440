//! The binary: reads the command line, does what it says, prints a failure once, exits with its code.

use clap::Parser;
use pm_arb::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match pm_arb::commands::run(cli) {
        Ok(code) => code,
        Err(failure) => {
            pm_arb::terminal::say(format_args!("{failure}"));
            failure.code.into()
        }
    }
}
