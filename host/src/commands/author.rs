//! `strategy new`, `build`, `watch`: a project and its component.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use crate::author::build::{self, BuildError, Built};
use crate::author::new::{self, NewError};
use crate::author::project::{Language, Project};
use crate::author::tool::{Bounds, Loud, Stop};
use crate::author::watch::{self, News, Options, Verdict};
use crate::cli::{BuildArgs, NewArgs, WatchArgs};
use crate::plugin::SPOKEN;
use crate::report::tame;
use crate::terminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn new(args: NewArgs) -> Result<ExitCode, Failure> {
    let language = Language::from(args.lang);
    let folder = args.dir.unwrap_or_else(|| PathBuf::from(&args.name));
    let count = new::create(&args.name, language, &folder).map_err(|error| {
        let code = match error {
            NewError::Name { .. } => Code::Usage,
            NewError::Exists { .. } => Code::Negative,
            NewError::Write { .. } => Code::Unavailable,
        };
        Failure::new(code, error)
    })?;
    out!(
        "{}: {count} files, a strategy in {} that builds and trades as it is\nnext: cd {} && pm-arb strategy build",
        folder.display(),
        language.as_str(),
        folder.display()
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn build(args: &BuildArgs, verbose: bool) -> Result<ExitCode, Failure> {
    let project = Project::find(&args.dir).or_exit(Code::Usage)?;
    let (stop, _signals) = ctrl_c()?;
    let bounds = Bounds::new(args.timeout, stop, loud(verbose));
    let built = build::build(&project, &bounds).map_err(failure)?;
    output::page(&summary(&built));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn watch(args: &WatchArgs, verbose: bool) -> Result<ExitCode, Failure> {
    let project = Project::find(&args.dir).or_exit(Code::Usage)?;
    let (stop, _signals) = ctrl_c()?;
    let options = Options {
        into: args.into.clone(),
        limit: args.timeout,
        data_dir: args.places.data_dir.clone(),
        loud: loud(verbose),
    };
    out!(
        "watching {} ({}); Ctrl-C ends it",
        shown(&project.dir).display(),
        project.language.as_str()
    );
    watch::watch(&project, &options, &stop, &mut |news| tell(&news)).or_exit(Code::Usage)?;
    out!("ended; what was built stays");
    Ok(ExitCode::SUCCESS)
}

/// Ctrl-C, and being asked to end, stop what runs in an orderly way. The runtime is to be kept meanwhile.
fn ctrl_c() -> Result<(Stop, tokio::runtime::Runtime), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = Stop::default();
    let on_signal = stop.clone();
    let runtime = super::runtime()?;
    runtime.spawn(async move {
        let Ok(mut ended) = signal(SignalKind::terminate()) else {
            return;
        };
        // Where no handler can be set, the signal ends the process as it always did.
        let heard = tokio::select! {
            heard = tokio::signal::ctrl_c() => heard.is_ok(),
            heard = ended.recv() => heard.is_some(),
        };
        if heard {
            on_signal.stop();
        }
    });
    Ok((stop, runtime))
}

/// One line for each thing that happened; a failed build has the lines of its compiler below.
fn tell(news: &News) {
    match news {
        News::Written { built, into, after } => {
            let manifest = &built.compiled.described.manifest;
            let after = after.map_or_else(String::new, |after| {
                format!(" · written {:.1} s after the save", after.as_secs_f64())
            });
            let file = into.join(format!("{}.wasm", manifest.name));
            out!(
                "{} {} · {} bytes · built in {:.1} s{after} · {}",
                manifest.name,
                manifest.version,
                built.bytes.len(),
                built.took.as_secs_f64(),
                shown(&file).display()
            );
        }
        News::Failed(error) => out!("not built: {}", story(error)),
        News::NotCopied(error) => out!("built, but not copied: {}", story(error)),
        News::Unreadable(error) => out!("not looked at: {}", story(error)),
        News::Pilot(verdict) => out!("  {}", said(verdict)),
    }
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Live {
            generation,
            pause_us,
            state_kept,
        } => {
            let pause = pause_us.map_or_else(String::new, |us| {
                format!(", {}.{:03} ms without events", us / 1_000, us % 1_000)
            });
            let state = if *state_kept { "kept" } else { "new" };
            format!("the pilot runs it: generation {generation}{pause}, state {state}")
        }
        Verdict::Same => "the pilot ran these bytes already".to_owned(),
        Verdict::Refused { why } => {
            format!(
                "the pilot refused it, and the version of before goes on: {}",
                tame(why)
            )
        }
        Verdict::Waits { why } => format!("the pilot keeps the version of before: {}", tame(why)),
        Verdict::Silent => {
            "a pilot runs, and has said nothing of it: does it run the folder of this file?"
                .to_owned()
        }
    }
}

fn story(error: &dyn std::error::Error) -> String {
    crate::causes::chain(error)
}

/// Shows what tools say while they run, where that is wanted.
fn loud(verbose: bool) -> Option<Loud> {
    verbose.then_some(|line| terminal::say(format_args!("{line}")))
}

fn failure(error: BuildError) -> Failure {
    let code = if error.is_missing_tool() {
        Code::Unavailable
    } else {
        match error {
            BuildError::Project(_) => Code::Usage,
            BuildError::Engine(_) => Code::Internal,
            _ => Code::Negative,
        }
    };
    Failure::new(code, error)
}

fn summary(built: &Built) -> String {
    let manifest = &built.compiled.described.manifest;
    format!(
        "{} {} · {} bytes · digest {} · built in {:.1} s\nimports {}\nthis host takes it (pm-arb:strategy {})\n\
         next: pm-arb pilot --strategies {}\n",
        manifest.name,
        manifest.version,
        built.bytes.len(),
        &built.digest().get(..8).unwrap_or_default(),
        built.took.as_secs_f64(),
        imports(&built.compiled.imports),
        SPOKEN.join(", "),
        shown(&built.file).display(),
    )
}

/// What a component imports; of WASI, the names of its parts alone.
fn imports(all: &[String]) -> String {
    let (wasi, ours): (Vec<&String>, Vec<&String>) =
        all.iter().partition(|name| name.starts_with("wasi:"));
    let mut words: Vec<String> = ours.into_iter().cloned().collect();
    let mut parts: Vec<&str> = wasi
        .iter()
        .filter_map(|name| {
            name.strip_prefix("wasi:")?
                .split_once('/')
                .map(|(part, _)| part)
        })
        .collect();
    parts.sort_unstable();
    parts.dedup();
    if !parts.is_empty() {
        words.push(format!("a WASI that is closed ({})", parts.join(", ")));
    }
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

/// A path as short as it can be typed from here.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(std::fs::canonicalize);
    match here
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned))
    {
        Some(inside) => Path::new(".").join(inside),
        None => path.to_owned(),
    }
}
