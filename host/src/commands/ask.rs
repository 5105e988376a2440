//! `health`, `halt`, `resume`: talk to the running pilot, or leave word for the next one.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use crate::cli::{HealthArgs, NoteArgs};
use crate::control::{self, ControlError, Request};
use crate::latch::{self, Note};
use crate::report::table::{Cell, Table};
use crate::report::{Style, tame};
use std::process::ExitCode;

pub(super) fn health(args: HealthArgs) -> Result<ExitCode, Failure> {
    let answer = control::ask(&args.places.data_dir, &Request::Health).map_err(failure)?;
    let health = &answer["health"];
    if args.json {
        out!(
            "{}",
            serde_json::to_string_pretty(health).or_exit(Code::Internal)?
        );
    } else {
        output::page(&table(health, Style::of_stdout()));
    }
    let healthy = health["healthy"].as_bool() == Some(true);
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        Code::Negative.into()
    })
}

fn table(health: &serde_json::Value, style: Style) -> String {
    let mut out = format!(
        "uptime {:.0} s · {}\n",
        health["uptime_secs"].as_f64().unwrap_or_default(),
        match health["halted"].as_str() {
            Some(why) => format!("HALTED: {why}"),
            None => "trading".into(),
        }
    );
    let mut rows = Table::new(&["agent", "<state", "restarts", "last heartbeat", "<remark"]);
    for agent in health["agents"].as_array().into_iter().flatten() {
        let text = |key: &str| agent[key].as_str().unwrap_or_default().to_owned();
        let beat = agent["last_heartbeat_secs"]
            .as_f64()
            .map_or("never".into(), |s| format!("{s:.1} s ago"));
        let remark = if text("last_error").is_empty() {
            text("detail")
        } else {
            text("last_error")
        };
        rows.row(vec![
            Cell::from(tame(&text("name"))),
            Cell::from(text("state")),
            Cell::from(&agent["restarts"]),
            Cell::from(beat),
            Cell::from(tame(&remark)),
        ]);
    }
    for line in rows.lines(style) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

pub(super) fn halt(args: NoteArgs) -> Result<ExitCode, Failure> {
    let why = args.message;
    match control::ask(&args.places.data_dir, &Request::Halt { why: why.clone() }) {
        Ok(answer) => out!("halted (record {})", answer["done"]),
        // Nobody to tell: the next pilot finds the note before it does anything.
        Err(ControlError::NotRunning(_)) => {
            latch::leave(&args.places.data_dir, &Note::Halt { why }).or_exit(Code::Unavailable)?;
            out!("no pilot is running; the next one with this data folder starts halted");
        }
        Err(error) => return Err(failure(error)),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn resume(args: NoteArgs) -> Result<ExitCode, Failure> {
    let note = args.message;
    match control::ask(
        &args.places.data_dir,
        &Request::Resume { note: note.clone() },
    ) {
        Ok(answer) => out!("trading again (record {})", answer["done"]),
        Err(ControlError::NotRunning(_)) => {
            latch::leave(&args.places.data_dir, &Note::Resume { note })
                .or_exit(Code::Unavailable)?;
            out!("no pilot is running; the next one with this data folder starts trading");
        }
        Err(error) => return Err(failure(error)),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn failure(error: ControlError) -> Failure {
    let code = match error {
        ControlError::NotRunning(_) | ControlError::Io { .. } => Code::Unavailable,
        ControlError::Refused(_) | ControlError::Order { .. } => Code::Negative,
    };
    Failure::new(code, error)
}
