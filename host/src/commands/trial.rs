//! `strategy check`, `test`, `run`, `bench`: one file is tried out, without a pilot.

mod backtest;
mod bench;
mod events;
mod sheet;

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use super::which;
use crate::author::backtest::BacktestError;
use crate::author::bench::{self as costs, BenchError};
use crate::author::check::{self, Sheet};
use crate::author::native::{Crate, NativeError};
use crate::author::trial::{self, RecordedError, Verdict};
use crate::cli::{BenchArgs, CheckArgs, Places, RunArgs, TestArgs, Tried};
use crate::config::Config;
use crate::journal;
use crate::meter::{Counts, Meter};
use crate::plugin::{Candidate, Limits, PluginHost, Preparer};
use crate::replay::ReplayError;
use crate::report::tame;
use crate::terminal::Progress;
use pm_arb_core::config::EngineConfig;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a file is tried with.
struct Set {
    preparer: Preparer,
    engine: Option<EngineConfig>,
}

fn set_up(what: &Tried) -> Result<Set, Failure> {
    let config = what.config.as_deref();
    let config = config.map(|path| Config::load(Some(path)));
    let config = config.transpose().or_exit(Code::Config)?;
    let engine = config.as_ref().map(Config::engine);
    let engine = engine.transpose().or_exit(Code::Config)?;
    let params = config.as_ref().map(Config::all_strategy_params);
    let host = PluginHost::new(Limits::default()).or_exit(Code::Internal)?;
    Ok(Set {
        preparer: Preparer::new(host, params.unwrap_or_default()),
        engine,
    })
}

/// What is to run, or why it does not.
fn ready(file: &Path, what: &Tried, set: &Set) -> Result<(Sheet, Candidate), Failure> {
    match check::check(file, &set.preparer, &what.set) {
        (sheet, Some(candidate)) => Ok((sheet, candidate)),
        (sheet, None) => Err(Failure::new(Code::Negative, sheet.refusal())),
    }
}

pub(super) fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let set = set_up(&args.what)?;
    let (sheet, _) = check::check(&args.what.file, &set.preparer, &args.what.set);
    if args.json {
        print(&sheet::json(&sheet))?;
    } else {
        output::page(&sheet::text(&sheet));
    }
    Ok(if sheet.fits() && sheet.does_not_start.is_none() {
        ExitCode::SUCCESS
    } else {
        Code::Negative.into()
    })
}

fn print(json: &Value) -> Result<(), Failure> {
    out!(
        "{}",
        serde_json::to_string_pretty(json).or_exit(Code::Internal)?
    );
    Ok(())
}

pub(super) fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    let set = set_up(&args.what)?;
    let (sheet, candidate) = ready(&args.what.file, &args.what, &set)?;
    let dir = which::folder(&args.places.data_dir, &args.on)?;
    let (meter, progress) = watched("run", journal::size(&dir));
    let runtime = super::runtime()?;
    let host = set.preparer.host().clone();
    let settings = candidate.params.clone();
    let found = crate::author::backtest::backtest(
        &dir,
        host,
        set.engine.as_ref(),
        candidate,
        (&runtime, &meter),
    );
    drop(progress);
    let found = found.map_err(|error| {
        let code = match &error {
            BacktestError::Replay(_) => Code::Damaged,
            BacktestError::Folder(_) | BacktestError::Store(_) => Code::Unavailable,
        };
        Failure::new(code, error)
    })?;
    if args.json {
        print(&backtest::json(&sheet, &settings, &found))?;
    } else {
        output::page(&backtest::text(&sheet, &settings, &found));
    }
    Ok(answer(!found.quarantined))
}

pub(super) fn test(args: &TestArgs) -> Result<ExitCode, Failure> {
    let set = set_up(&args.what)?;
    let (sheet, candidate) = ready(&args.what.file, &args.what, &set)?;
    let run = on(args.on.as_deref(), &args.places)?;
    let host = set.preparer.host();
    let mut trials = vec![trial::canned(host, &candidate).or_exit(Code::Negative)?];
    let went_well = trials.iter().all(|trial| trial.verdict == Verdict::Ok);
    if let Some(dir) = run
        && went_well
    {
        let (meter, progress) = watched("test", journal::size(&dir));
        let run = (dir.as_path(), set.engine.as_ref());
        let found = trial::recorded(host, &candidate, run, &meter);
        drop(progress);
        trials.push(found.map_err(|error| match error {
            RecordedError::Plugin(error) => Failure::new(Code::Negative, error),
            RecordedError::Replay(error) => damaged(error),
        })?);
    }
    let went_well = trials.iter().all(|trial| trial.verdict == Verdict::Ok);
    if args.json {
        print(&events::json(&sheet, &trials))?;
    } else {
        output::page(&events::text(&sheet, &trials));
    }
    Ok(answer(went_well))
}

pub(super) fn bench(args: &BenchArgs) -> Result<ExitCode, Failure> {
    let set = set_up(&args.what)?;
    let (file, native) = source(&args.what.file)?;
    let (sheet, candidate) = ready(&file, &args.what, &set)?;
    let host = set.preparer.host();
    let failed = |error| match error {
        BenchError::Replay(error) => damaged(error),
        other => Failure::new(Code::Negative, other),
    };
    let told = match on(args.on.as_deref(), &args.places)? {
        Some(dir) => {
            let (meter, progress) = watched("record", journal::size(&dir));
            let run = (dir.as_path(), set.engine.as_ref());
            let told = costs::recorded(host, &candidate, run, &meter);
            drop(progress);
            told.map_err(failed)?
        }
        None => costs::ordinary(&candidate),
    };
    let meter = Meter::of(Counts::Records);
    meter.expect(costs::work(told.len()));
    let progress = Progress::of("bench", &meter);
    let found = costs::measure(host, &candidate, &told, &meter);
    drop(progress);
    let found = found.map_err(failed)?;
    let native: Result<_, NativeError> = match native {
        Ok(source) => source.rounds(&told, &candidate.params, costs::ROUNDS + 1),
        Err(why) => Err(why),
    };
    if args.json {
        print(&bench::json(&sheet, &found, &native))?;
    } else {
        output::page(&bench::text(&sheet, &found, &native));
    }
    Ok(ExitCode::SUCCESS)
}

/// The component to measure, and the source beside it or why there is none.
fn source(path: &Path) -> Result<(PathBuf, Result<Crate, NativeError>), Failure> {
    if !path.is_dir() {
        return Ok((path.to_owned(), Err(NativeError::Alone)));
    }
    let source = Crate::of(path).or_exit(Code::Negative)?;
    match source.components().into_iter().next() {
        Some(component) => Ok((component, Ok(source))),
        None => {
            let text = format!(
                "{}: there is no {}.wasm in it or beside it. Build it first: `pm-arb strategy build`, or \
                 `make strategies` for those of this project",
                path.display(),
                source.name
            );
            Err(Failure::new(Code::Negative, text))
        }
    }
}

/// The run that was named, if one was.
fn on(words: Option<&str>, places: &Places) -> Result<Option<PathBuf>, Failure> {
    let folder = |words| which::folder(&places.data_dir, words);
    words.map(folder).transpose()
}

fn watched(what: &'static str, bytes: u64) -> (Meter, Progress) {
    let meter = Meter::of(Counts::Bytes);
    meter.expect(bytes);
    let progress = Progress::of(what, &meter);
    (meter, progress)
}

fn damaged(error: ReplayError) -> Failure {
    Failure::new(Code::Damaged, error)
}

fn answer(yes: bool) -> ExitCode {
    if yes {
        ExitCode::SUCCESS
    } else {
        Code::Negative.into()
    }
}

/// Name and version, as it says.
fn who(sheet: &Sheet) -> String {
    let manifest = sheet.described.as_deref().map(|d| &d.manifest);
    manifest.map_or_else(String::new, |m| format!("{} {}", m.name, tame(&m.version)))
}
