//! `strategy new`, `build`: a project and its component.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use crate::author::build::{self, BuildError, Built};
use crate::author::new::{self, NewError};
use crate::author::project::{Language, Project};
use crate::author::tool::{Bounds, Loud, Stop};
use crate::cli::{BuildArgs, NewArgs};
use crate::plugin::SPOKEN;
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
    let stop = Stop::default();
    let runtime = super::runtime()?;
    let on_ctrl_c = stop.clone();
    runtime.spawn(async move {
        // Without the signal's handler the process ends by it, and so do its children soon.
        if tokio::signal::ctrl_c().await.is_ok() {
            on_ctrl_c.stop();
        }
    });
    let bounds = Bounds::new(args.timeout, stop, loud(verbose));
    let built = build::build(&project, &bounds).map_err(failure)?;
    output::page(&summary(&built));
    Ok(ExitCode::SUCCESS)
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
    let imports = if built.compiled.imports.is_empty() {
        "nothing".to_owned()
    } else {
        built.compiled.imports.join(", ")
    };
    format!(
        "{} {} · {} bytes · digest {} · built in {:.1} s\nimports {imports}\nthis host takes it (pm-arb:strategy {})\n\
         next: pm-arb pilot --strategies {}\n",
        manifest.name,
        manifest.version,
        built.bytes.len(),
        &built.digest().get(..8).unwrap_or_default(),
        built.took.as_secs_f64(),
        SPOKEN.join(", "),
        shown(&built.file).display(),
    )
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
