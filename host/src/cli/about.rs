//! The words of the commands about the program itself: `init`, `config`, `info`, `man`, `help`; and the
//! help topics that belong to no command.

use super::Places;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `pm-arb init`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pm-arb init\n  pm-arb init --force my-pilot.toml")]
pub struct InitArgs {
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// The file to write.
    #[arg(value_name = "FILE", default_value = "pm-arb.toml")]
    pub file: PathBuf,
}

/// `pm-arb config`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb config show --origin --config pm-arb.toml\n  pm-arb config check pm-arb.toml"
)]
pub struct ConfigArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub what: ConfigWhat,
}

/// See [`ConfigArgs`].
#[derive(Debug, Subcommand)]
pub enum ConfigWhat {
    /// Print the settings in force, as a configuration file; secrets are hidden.
    #[command(
        after_help = "Examples:\n  pm-arb config show\n  pm-arb config show --origin --config pm-arb.toml"
    )]
    Show {
        /// Say behind each setting where it comes from: default, file and line, environment, or option.
        #[arg(long)]
        origin: bool,
        /// Settings; see docs/configuration.md.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// As `pilot` takes it.
        #[arg(long, value_name = "FILE")]
        rules: Vec<PathBuf>,
        /// As `pilot` takes it, for simulated venues.
        #[arg(long, value_name = "N")]
        speed: Option<f64>,
    },
    /// Say whether a file is a good configuration, and what is wrong with it.
    #[command(after_help = "Examples:\n  pm-arb config check pm-arb.toml")]
    Check {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `pm-arb info`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pm-arb info\n  pm-arb info --json --data-dir data")]
pub struct InfoArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
    /// Publish every message there and take commands from there.
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
}

/// `pm-arb man`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pm-arb man\n  pm-arb man target/man")]
pub struct ManArgs {
    /// Folder for a page of every command.
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `pm-arb help`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb help report\n  pm-arb help exit-codes\n  pm-arb help environment"
)]
pub struct HelpArgs {
    /// A command (with its subcommand), or a topic.
    #[arg(value_name = "COMMAND|TOPIC")]
    pub words: Vec<String>,
}

const EXIT_CODES: &str = "\
Branch on these, not on the text:

  0   done
  1   checked, and the answer is no (doctor, health, trade)
  2   the words of the command are wrong
  65  data is damaged (a journal, a recording)
  69  something needed is not reachable (database, pilot, folder)
  70  internal failure: report it
  75  try again later (another pilot holds the folder)
  78  the configuration is wrong

Under systemd: RestartPreventExitStatus=65 78
";

const ENVIRONMENT: &str = "\
An option of the command line is stronger than the environment, that is stronger than the
configuration file, and that is stronger than the default.

  PM_ARB__SECTION__KEY  a setting: PM_ARB__RISK__ORDER_VALUE_MAX=250.00 stands for
                        order_value_max in [risk]; a name that sets nothing is an error
  PM_ARB_DATA_DIR       --data-dir
  DATABASE_URL          --database-url
  REDIS_URL             --redis-url
  RUST_LOG              what is logged, in place of -v (not of --quiet)
  NO_COLOR              set to anything: no colour anywhere
  CLICOLOR_FORCE        set to anything but 0: colour also where there is no terminal
  CLICOLOR=0, TERM=dumb no colour

Which setting comes from where: pm-arb config show --origin
";

/// What is to be read of a topic.
#[must_use]
pub fn topic(name: &str) -> Option<&'static str> {
    match name {
        "exit-codes" => Some(EXIT_CODES),
        "environment" => Some(ENVIRONMENT),
        _ => None,
    }
}
