//! The words of `pm-arb strategy new`, `build` and `watch`: from an idea to a component.

use super::{Places, parse_duration};
use crate::author::project::Language;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const NEW_HELP: &str = "\
Examples:
  pm-arb strategy new late-buyer --lang rust
  pm-arb strategy new late-buyer --lang python --dir ideas/late-buyer-py

The project builds, passes its own test and trades as it is; its README.md has the next three commands.
Exit codes: 0 written · 1 something is there already · 2 no such name";

/// `pm-arb strategy new`
#[derive(Debug, Args)]
#[command(after_help = NEW_HELP)]
pub struct NewArgs {
    /// What it is called: lower case letters, digits and hyphens.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it is written in.
    #[arg(long, value_enum)]
    pub lang: Lang,
    /// Where it goes; must not exist [default: ./NAME].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// What a strategy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Small and fast; with the SDK.
    Rust,
    /// Through componentize-py; the component holds the interpreter.
    Python,
    /// JavaScript through componentize-js; the component holds the engine.
    Js,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Rust => Self::Rust,
            Lang::Python => Self::Python,
            Lang::Js => Self::Js,
        }
    }
}

const BUILD_HELP: &str = "\
Examples:
  pm-arb strategy build
  pm-arb strategy build ideas/late-buyer --timeout 20m
  pm-arb -v strategy build            with all that the compiler says

It leaves NAME.wasm in the project, replaced in one piece and only by what this host takes.
Exit codes: 0 built · 1 it does not build, or this host would refuse it · 2 no project · 69 a tool is missing";

/// `pm-arb strategy build`
#[derive(Debug, Args)]
#[command(after_help = BUILD_HELP)]
pub struct BuildArgs {
    /// The project.
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Time for all of a build.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = parse_duration)]
    pub timeout: Duration,
}

const WATCH_HELP: &str = "\
Examples:
  pm-arb strategy watch
  pm-arb strategy watch ideas/late-buyer --into strategies

With a pilot that runs the folder (pm-arb pilot --strategies strategies), every save that builds is swapped
in, with its state; what the pilot made of it is told. What does not build changes nothing. Ctrl-C ends it.
Exit codes: 0 ended by you · 2 no project, or no such folder";

/// `pm-arb strategy watch`
#[derive(Debug, Args)]
#[command(after_help = WATCH_HELP)]
pub struct WatchArgs {
    /// The project.
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Copy every component there too, whole: the folder that a pilot runs.
    #[arg(long, value_name = "FOLDER")]
    pub into: Option<PathBuf>,
    /// Time for all of a build.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Where the pilot keeps things.
    #[command(flatten)]
    pub places: Places,
}
