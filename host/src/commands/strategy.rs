//! `strategy …`: what the strategies of the running pilot are, and what is to be done with them.

use super::ask::failure;
use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use super::{author, trial};
use crate::cli::{StrategyAct, StrategyArgs, StrategyCommand};
use crate::control::{self, Request, StrategyAction};
use crate::report::table::{Cell, Table};
use crate::report::{Style, tame};
use crate::shadow::Phase;
use crate::snapshot::{Strategies, StrategyRow};
use std::process::ExitCode;

pub(super) fn run(args: StrategyArgs, verbose: bool) -> Result<ExitCode, Failure> {
    match args.command {
        StrategyCommand::New(args) => author::new(args),
        StrategyCommand::Build(args) => author::build(&args, verbose),
        StrategyCommand::Watch(args) => author::watch(&args, verbose),
        StrategyCommand::Check(args) => trial::check(&args),
        StrategyCommand::Test(args) => trial::test(&args),
        StrategyCommand::Run(args) => trial::run(&args),
        StrategyCommand::Bench(args) => trial::bench(&args),
        StrategyCommand::List { json, places } => list(&places.data_dir, json),
        StrategyCommand::Swap { file, fresh, act } => {
            // The pilot may have been started in another folder.
            let file = std::path::absolute(&file).or_exit(Code::Usage)?;
            order(act, StrategyAction::Swap { file, fresh })
        }
        StrategyCommand::Rollback { fresh, act } => order(act, StrategyAction::Rollback { fresh }),
        StrategyCommand::Pin { act } => order(act, StrategyAction::Pin),
        StrategyCommand::Unpin { act } => order(act, StrategyAction::Unpin),
        StrategyCommand::Quarantine { act } => order(act, StrategyAction::Quarantine),
        StrategyCommand::Release { act } => order(act, StrategyAction::Release),
        StrategyCommand::Shadow(args) => super::shadow::run(args),
        StrategyCommand::Promote { act } => order(act, StrategyAction::Promote),
        StrategyCommand::Dismiss { act } => order(act, StrategyAction::Dismiss),
    }
}

pub(super) fn order(act: StrategyAct, action: StrategyAction) -> Result<ExitCode, Failure> {
    let request = Request::Strategy {
        name: act.name,
        action,
        note: act.message.unwrap_or_default(),
    };
    let answer = control::ask(&act.places.data_dir, &request).map_err(failure)?;
    let done = &answer["strategy"];
    if act.json {
        out!(
            "{}",
            serde_json::to_string_pretty(done).or_exit(Code::Internal)?
        );
    } else {
        out!("{}", done["text"].as_str().unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}

fn list(data_dir: &std::path::Path, json: bool) -> Result<ExitCode, Failure> {
    let mut answer = control::ask(data_dir, &Request::Snapshot).map_err(failure)?;
    let answer = answer["snapshot"]["strategies"].take();
    if json {
        out!(
            "{}",
            serde_json::to_string_pretty(&answer["strategies"]).or_exit(Code::Internal)?
        );
        return Ok(ExitCode::SUCCESS);
    }
    let found: Strategies = serde_json::from_value(answer).or_exit(Code::Internal)?;
    if found.strategies.is_empty() {
        out!("no strategy is loaded");
    } else {
        let lines = table(&found.strategies).lines(Style::of_stdout());
        output::page(&format!("{}\n", lines.join("\n")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Words left, numbers right, units in the headings.
fn table(rows: &[StrategyRow]) -> Table {
    let mut table = Table::new(&[
        "strategy",
        "<version",
        "gen",
        "<digest",
        "<state",
        "share %",
        "committed $",
        "net P&L",
        "settled",
        "intents",
        "denied",
        "strikes",
        "fuel max %",
        "call p99 µs",
    ]);
    for row in rows {
        let share = f64::from(row.share_bps) / 100.0;
        let fuel = row.costs.fuel_max as f64 * 100.0 / (row.costs.fuel_limit.max(1)) as f64;
        let timed = row.costs.timed > 0;
        table.row(vec![
            Cell::from(tame(&row.name)),
            Cell::from(tame(&row.version)),
            Cell::from(row.generation),
            Cell::from(row.digest.chars().take(8).collect::<String>()),
            Cell::from(state(row)),
            Cell::from(format!("{share:.2}")),
            Cell::from(row.committed),
            Cell::money(row.net.0),
            Cell::from(row.settled),
            Cell::from(row.intents),
            Cell::from(row.denied),
            Cell::from(format!("{} of {}", row.strikes, row.strikes_max)),
            Cell::from(format!("{fuel:.2}")),
            Cell::from(if timed {
                format!("{:.1}", row.costs.time_p99_ns as f64 / 1e3)
            } else {
                "—".to_owned()
            }),
        ]);
    }
    table
}

fn state(row: &StrategyRow) -> String {
    let mut text = row.state.as_str().to_owned();
    if row.pinned.is_some() {
        text.push_str(", pinned");
    }
    if !row.not_granted.is_empty() {
        text.push_str(", not all granted");
    }
    if let Some(shadow) = row.shadow.as_ref().filter(|s| s.phase != Phase::Ended) {
        text.push_str(&format!(", shadow {}", shadow.phase.as_str()));
    }
    if let Some(watch) = &row.watch {
        let (left, standby) = (watch.left_secs, watch.standby);
        text.push_str(&if watch.ready {
            format!(", watched for {left} s (gen {standby} stands by)")
        } else {
            format!(", watched for {left} s (nothing stands by)")
        });
    }
    text
}
