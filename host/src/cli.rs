//! The command line: a contract that scripts rely on.
//!
//! Owns the words and their help, nothing else; `commands` does the work.

mod about;
mod author;
mod report;
mod shadow;
mod strategy;
mod trial;

pub use about::{ConfigArgs, ConfigWhat, HelpArgs, InfoArgs, InitArgs, ManArgs, topic};
pub use author::{BuildArgs, Lang, NewArgs, WatchArgs};
pub use report::{
    ReportArgs, ReportFormat, Since, Status, TradeArgs, TradesArgs, TradesFormat, Which,
};

pub use shadow::ShadowArgs;
pub use strategy::{StrategyAct, StrategyArgs, StrategyCommand};
pub use trial::{BenchArgs, CheckArgs, RunArgs, TestArgs, Tried};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Paper-trades prediction-market strategies, honestly.
#[derive(Debug, Parser)]
#[command(
    name = "pm-arb",
    version,
    propagate_version = true,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = AFTER_HELP
)]
pub struct Cli {
    /// Say more (-v) or much more (-vv). `RUST_LOG` overrides.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say less: warnings, errors and results only; no live view, no progress.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// How log lines are written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  pm-arb pilot --strategies './strategies/*.wasm'            simulated venues, until Ctrl-C
  pm-arb pilot --strategies ./strategies --for 90s --seed 7  for 90 seconds, another world
  pm-arb report --days 7                                     what came of it, and the verdict
  pm-arb trades --limit 5                                    the last ones; pm-arb trade ID: one whole
  pm-arb import --from polymarket-book --out run recording.jsonl.gz
  pm-arb replay run --strategies ./strategies/oracle-sniper.wasm --json
  pm-arb calibrate run                                       Brier, log loss, reliability

Exit codes: 0 done · 1 checked, and the answer is no · 2 wrong usage · 65 damaged data ·
69 something needed is not reachable · 70 internal failure · 75 try again later · 78 wrong configuration
More: pm-arb help exit-codes · pm-arb help environment";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch markets, let strategies decide, paper-trade, keep every trade.
    Pilot(PilotArgs),
    /// Say what the trades of the last days came to, and whether that shows an edge.
    Report(ReportArgs),
    /// List trades and refusals, newest first.
    Trades(TradesArgs),
    /// Show one trade whole: opportunity, decision, book, fee, grades, settlement.
    Trade(TradeArgs),
    /// Make a run out of recorded market data.
    Import(ImportArgs),
    /// Print the rules of venues in force on a day, with their sources.
    Rules(RulesArgs),
    /// Step a run through the engine again and print the digest of its effects.
    Replay(ReplayArgs),
    /// Say which of two strategies earns more on the same recorded markets.
    Compare(CompareArgs),
    /// Say how good the fair values of runs were, against their outcomes.
    Calibrate(CalibrateArgs),
    /// Ask the running pilot how it is.
    Health(HealthArgs),
    /// Stop all trading until `resume`. Survives a restart.
    Halt(NoteArgs),
    /// Trade again after a halt.
    Resume(NoteArgs),
    /// List the running pilot's strategies; swap, roll back, pin, quarantine, release one; try one beside it.
    Strategy(StrategyArgs),
    /// Say why a market or an opportunity is not traded, with the limit and what was observed.
    Why(WhyArgs),
    /// Show a database, and the pilot that writes it when one runs, in the browser.
    Dashboard(DashboardArgs),
    /// Check what the pilot needs, and say what to do where it is missing.
    Doctor(DoctorArgs),
    /// Bring the database's schema up to date, as its owner; a pilot does so by itself where it may.
    Migrate(MigrateArgs),
    /// Tell people: try out where alerts go.
    #[command(
        subcommand,
        after_help = "Examples:\n  pm-arb alerts test --config pm-arb.toml"
    )]
    Alerts(AlertsCommand),
    /// Write a commented configuration with every key and its default.
    Init(InitArgs),
    /// Show the settings in force and where they come from, or check a file.
    Config(ConfigArgs),
    /// Print every path and version that matters to this program.
    Info(InfoArgs),
    /// Compile a component from standard input and throw the result away, within these bounds.
    #[command(
        name = crate::plugin::apart::COMMAND,
        hide = true,
        after_help = "Examples:\n  pm-arb compile-apart 1073741824 5    the component on standard input"
    )]
    CompileApart {
        /// Bytes of memory.
        memory: u64,
        /// Seconds.
        seconds: u64,
    },
    /// Print the version.
    #[command(after_help = "Examples:\n  pm-arb version")]
    Version,
    /// Write manual pages: one into each file of a folder, or the first to standard output.
    Man(ManArgs),
    /// Explain a command, or one of the topics `exit-codes` and `environment`.
    Help(HelpArgs),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Examples:\n  pm-arb completions bash\n  pm-arb completions zsh\n  pm-arb completions fish"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `pm-arb alerts`
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Send one message to every target of the configuration and print what each answered.
    #[command(after_help = "Examples:\n  pm-arb alerts test --config pm-arb.toml")]
    Test {
        /// Settings; see docs/configuration.md.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Where things are kept.
#[derive(Debug, Clone, Args)]
pub struct Places {
    /// Folder of runs, database, lock and control socket.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "data",
        env = "PM_ARB_DATA_DIR"
    )]
    pub data_dir: PathBuf,
    /// `sqlite://FILE` or `postgres://…`; default: pm-arb.sqlite in the data folder.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// `pm-arb migrate`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb migrate\n  pm-arb migrate --database-url postgres://owner@db.example/desk"
)]
pub struct MigrateArgs {
    /// Which database.
    #[command(flatten)]
    pub places: Places,
}

/// `pm-arb pilot`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb pilot --strategies './strategies/*.wasm'\n  pm-arb pilot --strategies ./strategies --feed live --config pm-arb.toml\n  pm-arb --quiet pilot --strategies ./strategies --for 90s"
)]
pub struct PilotArgs {
    /// Components: files, folders, or globs (quoted or not). `FILE?key=value` hands a setting over.
    #[arg(long, value_name = "GLOB|DIR|FILE", num_args = 1.., required = true)]
    pub strategies: Vec<String>,
    /// `live`, `sim`, or the folder of a run to trade again as it was recorded.
    #[arg(long, value_name = "live|sim|PATH", default_value = "sim")]
    pub feed: Feed,
    /// Stop after this long by the wall clock (`90s`, `10m`, `2h`, `7d`).
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// World seconds a second, or `max` for a recording.
    #[arg(long, value_name = "N|max")]
    pub speed: Option<Speed>,
    /// Which simulated world.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
    /// Publish every message there and take commands from there.
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Settings; see docs/configuration.md.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Rules of venues on top of the built-in ones; later files win. See docs/rules.md.
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Begin a new run even if the last one has open trades.
    #[arg(long)]
    pub new_run: bool,
    /// Where the dashboard listens [default: 127.0.0.1:8787, or a free port when that is taken].
    #[arg(long, value_name = "ADDRESS:PORT|off")]
    pub dashboard: Option<String>,
}

/// `pm-arb dashboard`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb dashboard\n  pm-arb dashboard --listen 127.0.0.1:9000 --database-url sqlite://old.sqlite"
)]
pub struct DashboardArgs {
    /// Where it listens [default: 127.0.0.1:8787, or a free port when that is taken].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
    /// Settings; see docs/configuration.md.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Rules of venues on top of the built-in ones; later files win. See docs/rules.md.
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,
}

/// `pm-arb import`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb import --from l2-snapshots --out runs/september recordings/*.jsonl.gz recordings/markets.jsonl\n  pm-arb import --from chainlink-markets --out runs/july recordings/july"
)]
pub struct ImportArgs {
    /// What the files are (docs/backtesting.md says more): polymarket-book, polymarket-market,
    /// l2-snapshots, chainlink-markets, binance-stream, aligned-ladder, top-of-book, kalshi-frames,
    /// chainlink-text, polymarket-events.
    #[arg(long, value_name = "FORMAT")]
    pub from: crate::import::Format,
    /// Folder of the run to make.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Rules of venues on top of the built-in ones; later files win. See docs/rules.md.
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Recordings, plain or gzip, or folders of them.
    #[arg(value_name = "FILES", required = true)]
    pub files: Vec<PathBuf>,
}

/// `pm-arb rules`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb rules --at 2026-04-21 --venue polymarket\n  pm-arb rules --rules my-rules.toml --json"
)]
pub struct RulesArgs {
    /// In force then: a day (`2026-07-24`, UTC) or an instant (`2026-07-24T12:00:00Z`); default: now.
    #[arg(long, value_name = "DATE", value_parser = parse_day)]
    pub at: Option<pm_arb_core::ids::Timestamp>,
    /// Of that venue only.
    #[arg(long, value_name = "VENUE", value_parser = parse_venue)]
    pub venue: Option<pm_arb_core::ids::Venue>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Rules of venues on top of the built-in ones; later files win. See docs/rules.md.
    #[arg(long, value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Settings; the files under [rules] count as well.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `pm-arb replay`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb replay runs/september --strategies ./strategies --json\n  pm-arb replay data/runs/20261101T093000Z-1a2b3c4d"
)]
pub struct ReplayArgs {
    /// Folder of a run.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Trade with these instead of the run's own strategies.
    #[arg(long, value_name = "GLOB|DIR|FILE", num_args = 1..)]
    pub strategies: Vec<String>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Settings instead of the run's own.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `pm-arb compare`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb compare runs/september --a oracle-sniper.wasm --b 'oracle-sniper.wasm?haircut=0.08'"
)]
pub struct CompareArgs {
    /// Folders of runs.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// One side: `FILE`, or `FILE?key=value` with a setting.
    #[arg(long, value_name = "STRATEGY")]
    pub a: String,
    /// The other side.
    #[arg(long, value_name = "STRATEGY")]
    pub b: String,
    /// Show every market, not only those that differ most.
    #[arg(long)]
    pub all: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Settings instead of the runs' own.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `pm-arb calibrate`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pm-arb calibrate runs/july runs/august --json")]
pub struct CalibrateArgs {
    /// Folders of runs.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// `pm-arb health`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pm-arb health\n  pm-arb health --json --data-dir data")]
pub struct HealthArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the pilot keeps things.
    #[command(flatten)]
    pub places: Places,
}

/// `pm-arb halt`, `pm-arb resume`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb halt -m \"news at 14:00, Ann\"\n  pm-arb resume -m \"it is over, Ann\""
)]
pub struct NoteArgs {
    /// For the record: who and why.
    #[arg(short, long, value_name = "TEXT")]
    pub message: String,
    /// Where the pilot keeps things.
    #[command(flatten)]
    pub places: Places,
}

/// `pm-arb why`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb why btc-updown-5m-1405\n  pm-arb why 1405                 a part of the name is enough where it is the only one\n  pm-arb why 118734.0 --json      an opportunity\n\nAsks the running pilot, then the database. Exit codes: 0 answered, 1 unknown or several, 69 nobody to ask.\ndocs/reasons.md explains every reason."
)]
pub struct WhyArgs {
    /// A market's name, a part of it, or the venue's id of it; an opportunity; a trade.
    #[arg(value_name = "MARKET|OPPORTUNITY")]
    pub about: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
}

/// `pm-arb doctor`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pm-arb doctor\n  pm-arb doctor --fix\n  pm-arb doctor --live --config pm-arb.toml --json"
)]
pub struct DoctorArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Mend what can be mended safely, and say what was done.
    #[arg(long)]
    pub fix: bool,
    /// Strategies to check.
    #[arg(long, value_name = "GLOB|DIR|FILE", num_args = 1.., default_value = "strategies")]
    pub strategies: Vec<String>,
    /// Also look whether the live venues answer.
    #[arg(long)]
    pub live: bool,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
    /// A Redis to check.
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Settings to check.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Where market data comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// The venues themselves.
    Live,
    /// The simulated venues.
    Sim,
    /// A recorded run.
    Recorded(PathBuf),
}

impl FromStr for Feed {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "live" => Feed::Live,
            "sim" => Feed::Sim,
            path => Feed::Recorded(path.into()),
        })
    }
}

/// How fast a world or a recording runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// World seconds a second.
    Times(f64),
    /// As fast as possible (recordings only).
    Max,
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        match text.parse::<f64>() {
            Ok(n) if n.is_finite() && n > 0.0 && n <= 1_000.0 => Ok(Speed::Times(n)),
            _ => Err("give a number above 0 and up to 1000, or `max`".into()),
        }
    }
}

fn parse_day(text: &str) -> Result<pm_arb_core::ids::Timestamp, String> {
    crate::rulebook::parse_time(text)
        .ok_or_else(|| format!("{text:?} is no date; write 2026-07-24 or 2026-07-24T12:00:00Z"))
}

fn parse_venue(text: &str) -> Result<pm_arb_core::ids::Venue, String> {
    let all = pm_arb_core::ids::Venue::ALL;
    all.into_iter()
        .find(|venue| venue.as_str() == text)
        .ok_or_else(|| format!("known are {}", all.map(|venue| venue.as_str()).join(", ")))
}

/// `90s`, `10m`, `2h`, `7d`, `1500ms`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("{text:?} is no time; write for example 90s, 10m, 2h or 7d");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let ms: u64 = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(ms)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_words_are_consistent() {
        Cli::command().debug_assert();
    }

    /// Every command has examples, and every example is a command.
    #[test]
    fn every_command_shows_how_it_is_used() {
        fn look(command: &clap::Command, found: &mut usize) {
            for sub in command.get_subcommands() {
                look(sub, found);
            }
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples: Vec<&str> = help
                .lines()
                .filter_map(|line| line.strip_prefix("  pm-arb "))
                .collect();
            assert!(
                !examples.is_empty(),
                "{} has no example",
                command.get_name()
            );
            for example in examples {
                let example = example
                    .split("  ")
                    .next()
                    .unwrap()
                    .split(';')
                    .next()
                    .unwrap();
                let mut words = vec!["pm-arb".to_owned()];
                let mut quoted = false;
                let mut word = String::new();
                for c in example.chars().chain([' ']) {
                    match c {
                        '\'' | '"' => quoted = !quoted,
                        ' ' if !quoted => words.push(std::mem::take(&mut word)),
                        c => word.push(c),
                    }
                }
                words.retain(|word| !word.is_empty());
                let read = Cli::try_parse_from(&words);
                assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
                *found += 1;
            }
        }
        let mut found = 0;
        look(&Cli::command(), &mut found);
        assert!(found > 30, "only {found} examples were found");
    }

    #[test]
    fn times_and_speeds() {
        for (text, ms) in [
            ("90s", 90_000),
            ("10m", 600_000),
            ("1500ms", 1_500),
            ("7d", 604_800_000),
            ("5", 5_000),
        ] {
            assert_eq!(parse_duration(text).unwrap(), Duration::from_millis(ms));
        }
        for text in ["", "s", "-1s", "1.5h", "1w", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!("max".parse::<Speed>().unwrap(), Speed::Max);
        for text in ["0", "-1", "NaN", "inf", "fast"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }
}
