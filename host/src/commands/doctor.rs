//! `doctor`: looks at everything the pilot needs and says, for each thing that is wrong, what to do.
//!
//! It changes nothing (the data folder is probed with a file that is removed again).

use super::exit::{Code, Failure, OrExit};
use crate::cli::DoctorArgs;
use crate::config::Config;
use crate::journal::RunMeta;
use crate::net::http;
use crate::net::socket::{Socket, chain};
use crate::plugin::{Limits, LoaderInput, PluginHost, Preparer, Sources, Tracker};
use crate::store::{Store, redact};
use serde::Serialize;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// How long one thing may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A probe reads no messages; its socket takes small ones.
const MESSAGE_MAX: usize = 64 << 10;
/// Less free space than this is worth a warning: about a week of busy journals.
const FREE_BYTES_WARN: u64 = 2 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    verdict: Verdict,
    found: String,
    /// What to do; empty when nothing is wrong.
    #[serde(rename = "do")]
    advice: String,
}

fn ok(what: &str, found: impl Into<String>) -> Finding {
    Finding {
        what: what.into(),
        verdict: Verdict::Ok,
        found: found.into(),
        advice: String::new(),
    }
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
    }
}

pub(super) fn run(args: DoctorArgs) -> Result<ExitCode, Failure> {
    let runtime = super::runtime()?;
    let mut findings = vec![configuration(&args), data_folder(&args.places.data_dir)];
    findings.extend(runs(&args.places.data_dir));
    findings.push(runtime.block_on(database(&super::database_url(&args.places))));
    findings.push(runtime.block_on(redis(args.redis_url.as_deref())));
    findings.extend(strategies(&args.strategies));
    findings.push(toolchain());
    if args.live {
        let config = Config::load(args.config.as_deref()).unwrap_or_default();
        findings.extend(runtime.block_on(venues(&config)));
    }
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&findings).or_exit(Code::Internal)?
        );
    } else {
        for finding in &findings {
            let mark = match finding.verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            println!("{mark}  {:<14} {}", finding.what, finding.found);
            if !finding.advice.is_empty() {
                println!("      {:<14} → {}", "", finding.advice);
            }
        }
    }
    let failed = findings.iter().any(|f| f.verdict == Verdict::Fail);
    Ok(if failed {
        Code::Negative.into()
    } else {
        ExitCode::SUCCESS
    })
}

fn configuration(args: &DoctorArgs) -> Finding {
    match Config::load(args.config.as_deref()) {
        Ok(_) if args.config.is_none() => ok("configuration", "the defaults"),
        Ok(_) => ok("configuration", "reads well"),
        Err(e) => bad(
            Verdict::Fail,
            "configuration",
            e.to_string(),
            "correct the named key; docs/configuration.md lists them all",
        ),
    }
}

fn data_folder(dir: &Path) -> Finding {
    const WHAT: &str = "data folder";
    let probe = dir.join(".doctor");
    let tried = std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, b"probe"))
        .and_then(|()| std::fs::File::open(&probe)?.sync_all())
        .and_then(|()| std::fs::remove_file(&probe));
    if let Err(e) = tried {
        return bad(
            Verdict::Fail,
            WHAT,
            format!("{}: {e}", dir.display()),
            "choose a writable folder with --data-dir",
        );
    }
    // The standard library does not tell free space; df does, on every system this runs on.
    let free = Command::new("df")
        .args(["-Pk", "--"])
        .arg(dir)
        .output()
        .ok()
        .and_then(|out| {
            let text = String::from_utf8(out.stdout).ok()?;
            text.lines()
                .nth(1)?
                .split_whitespace()
                .nth(3)?
                .parse::<u64>()
                .ok()?
                .checked_mul(1024)
        });
    match free {
        Some(bytes) if bytes < FREE_BYTES_WARN => bad(
            Verdict::Warn,
            WHAT,
            format!("{}: writable, {} MiB free", dir.display(), bytes >> 20),
            "free some space: a pilot that can not write its journal stops",
        ),
        Some(bytes) => ok(
            WHAT,
            format!("{}: writable, {} GiB free", dir.display(), bytes >> 30),
        ),
        None => ok(WHAT, format!("{}: writable", dir.display())),
    }
}

/// Every run's last word is readable.
fn runs(dir: &Path) -> Vec<Finding> {
    let Ok(entries) = std::fs::read_dir(dir.join("runs")) else {
        return vec![ok("runs", "none yet")];
    };
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    let broken: Vec<Finding> = paths
        .iter()
        .filter_map(|path| RunMeta::read(path).err())
        .map(|e| {
            bad(
                Verdict::Fail,
                "runs",
                e.to_string(),
                "restore it from a backup or move it away",
            )
        })
        .collect();
    if broken.is_empty() {
        vec![ok("runs", format!("{} found", paths.len()))]
    } else {
        broken
    }
}

async fn database(url: &str) -> Finding {
    const WHAT: &str = "database";
    let tried = tokio::time::timeout(PATIENCE, async {
        let store = Store::open(url).await?;
        store.close().await;
        Ok::<_, crate::store::StoreError>(())
    });
    match tried.await {
        Ok(Ok(())) => ok(WHAT, format!("{} answers and has our schema", redact(url))),
        Ok(Err(e)) => {
            let failure = Failure::new(Code::Unavailable, e);
            bad(
                Verdict::Fail,
                WHAT,
                failure.to_string(),
                "start the server, or correct --database-url / DATABASE_URL",
            )
        }
        Err(_) => bad(
            Verdict::Fail,
            WHAT,
            format!("{} does not answer", redact(url)),
            "start the server, or correct --database-url / DATABASE_URL",
        ),
    }
}

async fn redis(url: Option<&str>) -> Finding {
    const WHAT: &str = "redis";
    let Some(url) = url else {
        return ok(WHAT, "not used");
    };
    let tried = tokio::time::timeout(PATIENCE, async {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await
    });
    let advice =
        "start the server, or correct --redis-url / REDIS_URL; the pilot trades without it";
    match tried.await {
        Ok(Ok(_)) => ok(WHAT, format!("{} answers", redact(url))),
        Ok(Err(e)) => bad(Verdict::Fail, WHAT, format!("{}: {e}", redact(url)), advice),
        Err(_) => bad(
            Verdict::Fail,
            WHAT,
            format!("{} does not answer", redact(url)),
            advice,
        ),
    }
}

fn strategies(args: &[String]) -> Vec<Finding> {
    const WHAT: &str = "strategy";
    const ADVICE: &str = "run `make build`, or name other files with --strategies";
    let host = match PluginHost::new(Limits::default()) {
        Ok(host) => host,
        Err(e) => {
            return vec![bad(
                Verdict::Fail,
                WHAT,
                e.story(),
                "report this: the component engine does not start here",
            )];
        }
    };
    let sources = match Sources::parse(args).and_then(|sources| sources.check().map(|()| sources)) {
        Ok(sources) => sources,
        Err(e) => return vec![bad(Verdict::Fail, WHAT, e.to_string(), ADVICE)],
    };
    let found = Tracker::new(sources, Preparer::new(host, Default::default())).scan();
    let finding = |input: &LoaderInput| match input {
        LoaderInput::Ready(c) => Some(ok(
            WHAT,
            format!(
                "{} {}",
                c.compiled.manifest.name, c.compiled.manifest.version
            ),
        )),
        LoaderInput::Refused { path, why, .. } => Some(bad(
            Verdict::Fail,
            WHAT,
            format!("{}: {why}", path.display()),
            ADVICE,
        )),
        LoaderInput::Gone { .. } => None,
    };
    found.iter().filter_map(finding).collect()
}

/// Needed to write strategies, not to run them.
fn toolchain() -> Finding {
    const WHAT: &str = "toolchain";
    let version = Command::new("rustc").arg("--version").output();
    match version {
        Ok(out) if out.status.success() => {
            ok(WHAT, String::from_utf8_lossy(&out.stdout).trim().to_owned())
        }
        _ => bad(
            Verdict::Warn,
            WHAT,
            "no rustc found",
            "install Rust to build strategies; running them needs none",
        ),
    }
}

async fn venues(config: &Config) -> Vec<Finding> {
    const ADVICE: &str = "check the internet connection, a proxy, or a geo-block";
    let feeds = &config.feeds;
    let mut findings = Vec::new();
    for (what, url) in [
        ("polymarket", &feeds.polymarket.gamma_url),
        ("kalshi", &feeds.kalshi.rest_url),
    ] {
        findings.push(match http::probe(url).await {
            Ok(()) => ok(what, format!("{url} answers")),
            Err(e) => bad(Verdict::Fail, what, chain(&e), ADVICE),
        });
    }
    let sockets = [
        ("polymarket", &feeds.polymarket.ws_url),
        ("chainlink", &feeds.chainlink.ws_url),
        ("binance", &feeds.binance.ws_url),
    ];
    for (what, url) in sockets {
        // Binance's address is a base; its root takes a bare connection to `/ws`.
        let path = if what == "binance" {
            format!("{url}/ws")
        } else {
            url.clone()
        };
        findings.push(match Socket::connect(&path, &[], MESSAGE_MAX).await {
            Ok(socket) => {
                socket.close().await;
                ok(what, format!("{url} takes connections"))
            }
            Err(e) => bad(Verdict::Fail, what, chain(&e), ADVICE),
        });
    }
    findings
}
