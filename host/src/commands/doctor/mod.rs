//! `doctor`: looks at everything the pilot needs and says, for each thing that is wrong, the command that
//! mends it.
//!
//! Without `--fix` it changes nothing (the data folder is probed with a file that is removed again). With
//! it, it mends what can not do harm, says so, and looks again. Passwords never appear.

mod disk;
mod outside;
mod settings;

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use crate::cli::DoctorArgs;
use crate::store::Store;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long one thing may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// What can be mended without a person.
#[derive(Debug, Clone)]
enum Repair {
    Create(PathBuf),
    Remove(Vec<PathBuf>),
    Migrate(String),
}

#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    verdict: Verdict,
    found: String,
    /// The command that mends it; empty when nothing is wrong.
    #[serde(rename = "do")]
    advice: String,
    /// Whether `--fix` does.
    fixable: bool,
    #[serde(skip)]
    repair: Option<Repair>,
}

fn ok(what: &str, found: impl Into<String>) -> Finding {
    bad(Verdict::Ok, what, found, "")
}

fn bad(
    verdict: Verdict,
    what: &str,
    found: impl Into<String>,
    advice: impl Into<String>,
) -> Finding {
    Finding {
        what: what.into(),
        verdict,
        found: found.into(),
        advice: advice.into(),
        fixable: false,
        repair: None,
    }
}

impl Finding {
    fn mended_by(mut self, repair: Repair) -> Self {
        self.fixable = true;
        self.repair = Some(repair);
        self
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Out of the way, under another name.
fn aside(path: &Path) -> String {
    let mut to = path.as_os_str().to_owned();
    to.push(".aside");
    format!("mv {} {}", quoted(path), quoted(Path::new(&to)))
}

pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let runtime = super::runtime()?;
    let mut findings = look(args, &runtime);
    let mut mended = Vec::new();
    if args.fix {
        for finding in &findings {
            let Some(repair) = &finding.repair else {
                continue;
            };
            mended.push(match mend(repair, &runtime) {
                Ok(()) => format!("mended {}: {}", finding.what, finding.advice),
                Err(error) => format!("could not mend {}: {error}", finding.what),
            });
        }
        if !mended.is_empty() {
            findings = look(args, &runtime);
        }
    }
    if args.json {
        let text = serde_json::to_string_pretty(&findings).or_exit(Code::Internal)?;
        // What was done is no finding: standard output stays a list of those.
        for line in &mended {
            crate::terminal::say(format_args!("{line}"));
        }
        out!("{text}");
    } else {
        for line in &mended {
            out!("{line}");
        }
        print(&findings);
    }
    let failed = findings.iter().any(|f| f.verdict == Verdict::Fail);
    Ok(if failed {
        Code::Negative.into()
    } else {
        ExitCode::SUCCESS
    })
}

fn print(findings: &[Finding]) {
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        out!("{mark}  {:<14} {}", finding.what, finding.found);
        if !finding.advice.is_empty() {
            let also = if finding.fixable {
                "   (or: the same with --fix)"
            } else {
                ""
            };
            out!("      {:<14} → {}{also}", "", finding.advice);
        }
    }
}

/// Everything, in the order in which a pilot needs it.
fn look(args: &DoctorArgs, runtime: &tokio::runtime::Runtime) -> Vec<Finding> {
    let dir = &args.places.data_dir;
    let (mut findings, layered) = settings::look(args.config.as_deref());
    findings.push(disk::data_folder(dir));
    let (pilot, finding) = disk::pilot(dir);
    findings.push(finding);
    findings.push(disk::journal(dir));
    findings.extend(disk::leftovers(dir, pilot.held));
    findings.push(outside::dashboard(&layered, pilot.dashboard.as_deref()));
    let url = super::database_url(&args.places);
    let named = args.places.database_url.is_some();
    findings.push(runtime.block_on(outside::database(&url, named, dir)));
    findings.push(runtime.block_on(outside::redis(args.redis_url.as_deref())));
    findings.extend(settings::strategies(&args.strategies));
    findings.extend(settings::limits());
    findings.push(outside::roots());
    findings.push(settings::toolchain());
    if args.live {
        findings.extend(runtime.block_on(outside::venues(&layered.config)));
    }
    findings
}

fn mend(repair: &Repair, runtime: &tokio::runtime::Runtime) -> Result<(), String> {
    let said = |e: std::io::Error| e.to_string();
    match repair {
        Repair::Create(dir) => std::fs::create_dir_all(dir).map_err(said),
        Repair::Remove(paths) => {
            for path in paths {
                let meta = path.symlink_metadata().map_err(said)?;
                if meta.is_dir() {
                    std::fs::remove_dir_all(path).map_err(said)?;
                } else {
                    std::fs::remove_file(path).map_err(said)?;
                }
            }
            Ok(())
        }
        Repair::Migrate(url) => {
            let migrated = runtime.block_on(Store::migrate(url));
            migrated.map_err(|e| crate::causes::chain(&e))
        }
    }
}
