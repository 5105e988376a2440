//! `dashboard`: the pages over a database, with the pilot beside it when one runs.
//!
//! Asks the pilot through its control socket, like every other command; without one the pages show what
//! the database holds and say so.

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use crate::agent::AgentContext;
use crate::cli::DashboardArgs;
use crate::config::Config;
use crate::control::{self, ControlError, Request};
use crate::rulebook;
use crate::snapshot::{Latest, Snapshot};
use crate::web::app::App;
use crate::web::{Door, server};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The pilot is asked this often.
const ASK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(args: DashboardArgs) -> Result<ExitCode, Failure> {
    let config = Config::load(args.config.as_deref()).or_exit(Code::Config)?;
    let mut files = config.rules.files.clone();
    files.extend(args.rules);
    let rules = Arc::new(rulebook::load(&files).or_exit(Code::Config)?);
    let url = super::database_url(&args.places);
    let folder = args.places.data_dir;
    let code = |error: crate::web::DoorError| {
        let code = if error.is_config() {
            Code::Config
        } else {
            Code::Unavailable
        };
        Failure::new(code, error)
    };
    let door = Door::open(&config.dashboard, args.listen.as_deref(), &folder).map_err(code)?;
    let Some(door) = door else {
        let error = "dashboard.listen is off, and this command is the dashboard; give it --listen 127.0.0.1:8787";
        return Err(Failure::new(Code::Config, error));
    };
    out!("dashboard: {} · Ctrl-C ends it", door.url());
    let latest = follow(folder.clone()).or_exit(Code::Internal)?;
    let make: server::MakeApp =
        Arc::new(move |live| App::new(latest.clone(), &url, rules.clone(), folder.clone(), live));
    let runtime = super::runtime()?;
    let ended = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).or_exit(Code::Internal)?;
        let mut terminate = signal(SignalKind::terminate()).or_exit(Code::Internal)?;
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stop.send_replace(true);
        });
        let context = AgentContext::new(stopping);
        let served = server::run(context, Arc::new(door), make).await;
        served.or_exit(Code::Internal)
    });
    // The thread that asks the pilot may be in the middle of a question.
    runtime.shutdown_background();
    ended.map(|()| ExitCode::SUCCESS)
}

/// The pilot's picture, asked for on a thread of its own for as long as anybody wants it.
fn follow(folder: PathBuf) -> std::io::Result<Latest> {
    let (to, latest) = watch::channel(None);
    std::thread::Builder::new()
        .name("pilot-watch".into())
        .spawn(move || {
            while !to.is_closed() {
                match ask(&folder) {
                    Ok(snapshot) => to.send_replace(Some(Arc::new(snapshot))),
                    Err(ControlError::NotRunning(_)) => to.send_replace(None),
                    // It is there and does not answer: the last picture stays, and grows old.
                    Err(error) => {
                        tracing::debug!(%error, "the pilot did not show itself");
                        None
                    }
                };
                std::thread::sleep(ASK_EVERY);
            }
        })?;
    Ok(latest)
}

fn ask(folder: &std::path::Path) -> Result<Snapshot, ControlError> {
    let mut answer = control::ask(folder, &Request::Snapshot)?;
    let snapshot = answer["snapshot"].take();
    serde_json::from_value(snapshot)
        .map_err(|e| ControlError::Refused(format!("a snapshot this version does not know ({e})")))
}
