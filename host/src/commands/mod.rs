//! What each command does: reads what it needs, calls the part that does the work, prints.

mod ask;
mod calibrate;
mod compare;
mod dashboard;
mod doctor;
/// Exit codes and failures.
pub mod exit;
mod import;
mod output;
mod pilot;
mod replay;
mod report;
mod rules;
mod strategy;
mod trades;
mod which;

use crate::cli::{Cli, Command, LogFormat, Places};
use clap::CommandFactory;
use exit::{Code, Failure, OrExit};
use output::out;
use std::process::ExitCode;

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    start_log(cli.verbose, cli.log);
    match cli.command {
        Command::Pilot(args) => pilot::run(args),
        Command::Report(args) => report::run(args),
        Command::Trades(args) => trades::list(args),
        Command::Trade(args) => trades::one(args),
        Command::Import(args) => import::run(args),
        Command::Rules(args) => rules::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Health(args) => ask::health(args),
        Command::Halt(args) => ask::halt(args),
        Command::Resume(args) => ask::resume(args),
        Command::Strategy(args) => strategy::run(args),
        Command::Dashboard(args) => dashboard::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Version => {
            out!("pm-arb {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pm-arb", &mut script);
            output::text(&String::from_utf8_lossy(&script));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Log lines go to standard error, so that standard output stays what the command answers.
fn start_log(verbose: u8, format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 => "pm_arb=info,warn",
        1 => "pm_arb=debug,info",
        _ => "pm_arb=trace,debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    match format {
        LogFormat::Json => builder.json().with_writer(std::io::stderr).init(),
        LogFormat::Text => {
            use std::io::IsTerminal;
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            builder
                .with_ansi(colour)
                .with_writer(crate::status_line::writer)
                .init();
        }
    }
}

/// The database of a data folder: as told, or the file in it.
fn database_url(places: &Places) -> String {
    places.database_url.clone().unwrap_or_else(|| {
        format!(
            "sqlite://{}",
            places.data_dir.join("pm-arb.sqlite").display()
        )
    })
}

/// The runtime around the engine.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_exit(Code::Internal)
}
