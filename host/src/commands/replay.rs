//! `replay`: the same run again, or the same markets with other strategies.

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use crate::cli::ReplayArgs;
use crate::config::Config;
use crate::journal;
use crate::meter::{Counts, Meter};
use crate::pilot::by_reason;
use crate::plugin::{Candidate, Limits, LoaderInput, PluginHost, Preparer, Sources, Tracker};
use crate::replay::{self, Backtest, Cast, Counts as Counted};
use crate::terminal::Progress;
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::reason::Reason;
use pm_arb_core::scanner::ScanCounts;
use serde::Serialize;
use std::collections::BTreeMap;
use std::process::ExitCode;

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    counts: Counted,
    /// Opportunities by kind, each counted once however long it lasted.
    opportunities: BTreeMap<&'static str, u64>,
    /// Why looks at prices came to none, by kind and reason.
    no_opportunity: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    digest: String,
}

impl Answer {
    fn of(counts: Counted, scanned: &ScanCounts, digest: String) -> Self {
        let kinds = OpportunityKind::SCANNED;
        let found = kinds.iter().zip(scanned.episodes);
        let because = |kind| scanned.refused(kind).map(|(r, n)| (r.code(), n)).collect();
        Self {
            counts,
            opportunities: found.map(|(kind, n)| (kind.as_str(), n)).collect(),
            no_opportunity: kinds.map(|kind| (kind.as_str(), because(kind))).into(),
            digest,
        }
    }
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
    let meter = Meter::of(Counts::Bytes);
    meter.expect(journal::size(&args.run));
    let (dir, config_of_engine) = (&args.run, engine_config.as_ref());
    let replayed = if args.strategies.is_empty() {
        let progress = Progress::of("replay", &meter);
        let (own, each) = (Cast::Own, &mut |_, _: &_| {});
        let done = replay::replay_metered(dir, host, config_of_engine, own, each, &meter);
        drop(progress);
        done.or_exit(Code::Damaged)?.0
    } else {
        let params = config
            .as_ref()
            .map(Config::all_strategy_params)
            .unwrap_or_default();
        let cast = given(&args.strategies, Preparer::new(host.clone(), params))?;
        let progress = Progress::of("replay", &meter);
        let backtest = Backtest {
            dir,
            host: &host,
            config: config_of_engine,
            meter: &meter,
        };
        let done = backtest.play(cast, &mut |(): &mut (), _, _| {});
        drop(progress);
        done.or_exit(Code::Damaged)?.1
    };
    let scanned = replayed.engine.scanner().counts();
    let digest = replayed.digest.hex(&replayed.engine);
    let answer = Answer::of(replayed.counts, scanned, digest);
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
        for (kind, found) in OpportunityKind::SCANNED.into_iter().zip(scanned.episodes) {
            let mut because: Vec<_> = scanned.refused(kind).collect();
            because.sort_by_key(|(reason, n): &(Reason, u64)| (std::cmp::Reverse(*n), *reason));
            let because = match because.as_slice() {
                [] => String::new(),
                some => format!("; none because: {}", by_reason(some)),
            };
            out!("{kind} opportunities: {found}{because}");
        }
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
