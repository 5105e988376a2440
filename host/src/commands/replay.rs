//! `replay`: the same run again, or the same markets with other strategies.

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use crate::cli::ReplayArgs;
use crate::config::Config;
use crate::pilot::by_reason;
use crate::plugin::{Candidate, Limits, LoaderInput, PluginHost, Preparer, Sources, Tracker};
use crate::replay::{self, Cast, Counts};
use serde::Serialize;
use std::process::ExitCode;

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    counts: Counts,
    digest: String,
}

pub(super) fn run(args: ReplayArgs) -> Result<ExitCode, Failure> {
    let config = args
        .config
        .as_deref()
        .map(|path| Config::load(Some(path)))
        .transpose()
        .or_exit(Code::Config)?;
    let engine_config = config
        .as_ref()
        .map(Config::engine)
        .transpose()
        .or_exit(Code::Config)?;
    let host = PluginHost::new(Limits::default()).or_exit(Code::Internal)?;
    let cast = if args.strategies.is_empty() {
        Cast::Own
    } else {
        let params = config
            .as_ref()
            .map(Config::all_strategy_params)
            .unwrap_or_default();
        Cast::Given(given(
            &args.strategies,
            Preparer::new(host.clone(), params),
        )?)
    };
    let (replayed, _) = replay::replay(
        &args.run,
        host,
        engine_config.as_ref(),
        cast,
        &mut |_, _| {},
    )
    .or_exit(Code::Damaged)?;
    let answer = Answer {
        counts: replayed.counts,
        digest: replayed.digest.hex(&replayed.engine),
    };
    if args.json {
        out!(
            "{}",
            serde_json::to_string_pretty(&answer).or_exit(Code::Internal)?
        );
    } else {
        let c = &answer.counts;
        out!(
            "{} events · {} intents, {} denied · {} fills, {} settled",
            c.events,
            c.intents,
            c.denied,
            c.fills,
            c.settled
        );
        let refused = replayed.engine.status().refused_inputs;
        if !refused.is_empty() {
            out!("inputs refused: {}", by_reason(&refused));
        }
        out!("digest {}", answer.digest);
    }
    Ok(ExitCode::SUCCESS)
}

/// The components that arguments name, compiled.
pub(super) fn given(args: &[String], preparer: Preparer) -> Result<Vec<Candidate>, Failure> {
    let sources = Sources::parse(args).or_exit(Code::Config)?;
    sources.check().or_exit(Code::Config)?;
    let mut candidates = Vec::new();
    for input in Tracker::new(sources, preparer).scan() {
        match input {
            LoaderInput::Ready(candidate) => candidates.push(*candidate),
            LoaderInput::Refused { path, why, .. } => {
                return Err(Failure::new(
                    Code::Config,
                    format!("{}: {why}", path.display()),
                ));
            }
            LoaderInput::Gone { .. } => {}
        }
    }
    Ok(candidates)
}
