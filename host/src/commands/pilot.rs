//! `pilot`: runs until stopped, then says what it came to.

use super::exit::{Code, Failure, OrExit};
use super::output;
use crate::cli::PilotArgs;
use crate::config::Config;
use crate::pilot::{self, DataDirError, Options, PilotError};
use crate::report;
use crate::rulebook;
use crate::store::StoreError;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn run(args: PilotArgs) -> Result<ExitCode, Failure> {
    let config = Config::load(args.config.as_deref()).or_exit(Code::Config)?;
    let mut files = config.rules.files.clone();
    files.extend(args.rules);
    let options = Options {
        database_url: super::database_url(&args.places),
        rules: Arc::new(rulebook::load(&files).or_exit(Code::Config)?),
        config,
        strategies: args.strategies,
        feed: args.feed,
        duration: args.duration,
        speed: args.speed,
        seed: args.seed,
        data_dir: args.places.data_dir,
        redis_url: args.redis_url,
        new_run: args.new_run,
        dashboard: args.dashboard,
    };
    let runtime = super::runtime()?;
    let ended = pilot::run(&options, &runtime).map_err(failure)?;
    let period = report::Period::last_days(1, crate::clock::Clock::utc().now());
    let brief = report::Report::brief(ended.summary, period);
    let mut answer = report::render(&brief, report::Style::of_stdout());
    if !ended.refused_inputs.is_empty() {
        answer.push_str(&format!(
            "\ninputs refused: {}\n",
            pilot::by_reason(&ended.refused_inputs)
        ));
    }
    answer.push_str(&format!(
        "\nrun {} · {} records · digest {}\n",
        ended.run.display(),
        ended.last,
        ended.digest
    ));
    output::page(&answer);
    Ok(ExitCode::SUCCESS)
}

fn failure(error: PilotError) -> Failure {
    let code = match &error {
        PilotError::Config(_)
        | PilotError::Options(_)
        | PilotError::Sources(_)
        | PilotError::StrategyRefused { .. } => Code::Config,
        PilotError::Store(StoreError::Url { .. }) => Code::Config,
        PilotError::Dashboard(error) if error.is_config() => Code::Config,
        PilotError::DataDir(DataDirError::Held(_)) => Code::TryAgain,
        PilotError::DataDir(DataDirError::Io { .. })
        | PilotError::Dashboard(_)
        | PilotError::Store(_)
        | PilotError::Relay(_) => Code::Unavailable,
        PilotError::DataDir(DataDirError::Run(_))
        | PilotError::Journal(_)
        | PilotError::Recovery(_)
        | PilotError::Feed(_) => Code::Damaged,
        PilotError::Plugin(_)
        | PilotError::Loader(_)
        | PilotError::Session(_)
        | PilotError::Engine(_)
        | PilotError::AgentLost(_)
        | PilotError::System { .. } => Code::Internal,
    };
    Failure::new(code, error)
}
