//! `alerts test`: one message to every target, and what each answered.

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use crate::alerts::inbox::Letter;
use crate::alerts::target::{Pace, Target};
use crate::alerts::{Level, Notice};
use crate::cli::AlertsCommand;
use crate::config::Config;
use std::process::ExitCode;

pub(super) fn run(command: AlertsCommand) -> Result<ExitCode, Failure> {
    let AlertsCommand::Test { config } = command;
    let config = Config::load(Some(&config)).or_exit(Code::Config)?;
    let targets = config.alerts.resolve().or_exit(Code::Config)?;
    if targets.is_empty() {
        out!("no [[alerts.targets]] are configured; docs/operations.md shows how");
        return Ok(Code::Negative.into());
    }
    let text = "this is a test: `pm-arb alerts test` sent it, and nothing is wrong";
    let letter = Letter {
        notices: vec![Notice::new(Level::Info, "TEST", "", text)],
        ..Letter::default()
    };
    let runtime = super::runtime()?;
    let mut failed = false;
    for resolved in targets {
        let name = resolved.name.clone();
        let target =
            Target::new(resolved, &config.alerts.link, Pace::default()).or_exit(Code::Internal)?;
        let answer = match runtime.block_on(target.post(&letter)) {
            Ok(answer) => format!("ok: {answer}"),
            Err(error) => {
                failed = true;
                format!("FAILED: {error}")
            }
        };
        out!("{name}: {answer}");
    }
    Ok(if failed {
        Code::Negative.into()
    } else {
        ExitCode::SUCCESS
    })
}
