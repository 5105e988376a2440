//! What each command does: reads what it needs, calls the part that does the work, prints.

mod about;
mod alerts;
mod ask;
mod author;
mod calibrate;
mod compare;
mod dashboard;
mod doctor;
/// Exit codes and failures.
pub mod exit;
mod import;
mod migrate;
mod output;
mod pilot;
mod replay;
mod report;
mod rules;
mod shadow;
mod strategy;
mod trades;
mod trial;
mod which;
mod why;

use crate::cli::{Cli, Command, LogFormat, Places};
use crate::plugin::apart;
use crate::terminal;
use clap::CommandFactory;
use exit::{Code, Failure, OrExit};
use output::out;
use std::process::ExitCode;

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    start_log(&cli);
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
        Command::Strategy(args) => strategy::run(args, cli.verbose > 0),
        Command::Why(args) => why::run(args),
        Command::Dashboard(args) => dashboard::run(args),
        Command::Migrate(args) => migrate::run(args),
        Command::Alerts(command) => alerts::run(command),
        Command::Doctor(args) => doctor::run(&args),
        Command::Init(args) => about::init(&args),
        Command::Config(args) => about::config(args),
        Command::Info(args) => about::info(&args),
        Command::Man(args) => about::man(&args),
        Command::Help(args) => about::help(&args),
        Command::Version => {
            out!("pm-arb {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Command::CompileApart { memory, seconds } => {
            let why = apart::compile(memory, seconds).or_exit(Code::Internal)?;
            out!("{}", why.as_deref().unwrap_or_default());
            Ok(match why {
                None => ExitCode::SUCCESS,
                Some(_) => Code::Negative.into(),
            })
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
fn start_log(cli: &Cli) {
    use std::io::IsTerminal as _;
    use tracing_subscriber::EnvFilter;
    terminal::begin(terminal::Habits {
        quiet: cli.quiet,
        json: cli.log == LogFormat::Json,
    });
    let default = match cli.verbose {
        _ if cli.quiet => "warn",
        0 => "pm_arb=info,warn",
        1 => "pm_arb=debug,info",
        _ => "pm_arb=trace,debug",
    };
    let filter = match EnvFilter::try_from_default_env() {
        Ok(asked) if !cli.quiet => asked,
        _ => EnvFilter::new(default),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(terminal::log_writer);
    match cli.log {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => {
            let colour = terminal::colour_wanted(std::io::stderr().is_terminal());
            builder.with_ansi(colour).init();
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
