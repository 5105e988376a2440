//! The agent that tells people: a worker a target, the digest's hour, the dead man's switch.
//!
//! Started again after a failure, it finds its inboxes as they were: they belong to the targets.

use super::AlertBoard;
use super::config::{AlertsConfig, DigestAt};
use super::dead_man::{DeadMan, DeadManRow};
use super::digest::{self, BadTimes};
use super::target::{Pace, Target, TargetRow};
use crate::agent::{AgentContext, AgentError};
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::report;
use crate::snapshot::VitalsWatch;
use crate::store::Store;
use crate::store::analysis::Filter;
use crate::vitals::Progress;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

/// Counting a day may take this long; a digest that has no figures says so.
const COUNT_PATIENCE: Duration = Duration::from_secs(60);
/// The agent shows that it lives this often.
const TURN: Duration = Duration::from_secs(5);
/// Waits longer than this are made of several, so that a changed clock is noticed.
const NAP_MAX: Duration = Duration::from_secs(300);

/// See the top of the file.
#[derive(Clone)]
pub struct Notifier {
    targets: Vec<Target>,
    dead_man: Option<DeadMan>,
    digest_at: Option<DigestAt>,
    database_url: String,
    vitals: VitalsWatch,
    bad: Arc<Mutex<BadTimes>>,
}

impl Notifier {
    /// As configured; `None` when nothing is to be sent.
    pub fn new(
        config: &AlertsConfig,
        pace: Pace,
        board: &AlertBoard,
        progress: Progress,
        database_url: &str,
        vitals: VitalsWatch,
    ) -> Result<Option<Self>, ConfigError> {
        if !config.is_on() {
            return Ok(None);
        }
        let client = |error| ConfigError::Value {
            key: "alerts".into(),
            why: chain(&error),
        };
        let mut targets = Vec::new();
        for resolved in config.resolve()? {
            let target = Target::new(resolved, &config.link, pace).map_err(client)?;
            board.subscribe(Arc::clone(&target.inbox));
            targets.push(target);
        }
        let dead_man = match config.ping_url()? {
            Some(url) => {
                Some(DeadMan::new(url, config.dead_man.every(), progress).map_err(client)?)
            }
            None => None,
        };
        Ok(Some(Self {
            targets,
            dead_man,
            digest_at: config.digest()?,
            database_url: database_url.to_owned(),
            vitals,
            bad: Arc::default(),
        }))
    }

    /// How the targets are.
    #[must_use]
    pub fn rows(&self) -> (Vec<TargetRow>, Option<DeadManRow>) {
        let targets = self.targets.iter().map(Target::row).collect();
        (targets, self.dead_man.as_ref().map(DeadMan::row))
    }

    /// Works until told to stop.
    pub async fn run(self, ctx: AgentContext) -> Result<(), AgentError> {
        let mut workers = JoinSet::new();
        for target in &self.targets {
            workers.spawn(target.clone().run(ctx.clone()));
        }
        if let Some(dead_man) = &self.dead_man {
            workers.spawn(dead_man.clone().run(ctx.clone()));
        }
        if let Some(at) = &self.digest_at {
            workers.spawn(self.clone().digests(at.clone(), ctx.clone()));
        }
        ctx.ready();
        loop {
            tokio::select! {
                biased;
                () = ctx.stopped() => break,
                Some(ended) = workers.join_next() => {
                    if let Err(error) = ended {
                        return Err(AgentError::Failed(format!("a worker ended: {error}")));
                    }
                }
                () = tokio::time::sleep(TURN) => ctx.beat(),
            }
        }
        // Each makes one last attempt; the supervisor's grace bounds them all.
        while workers.join_next().await.is_some() {}
        Ok(())
    }

    async fn digests(self, at: DigestAt, ctx: AgentContext) {
        loop {
            let left = digest::until_next(&at, jiff::Timestamp::now());
            let nap = left.min(NAP_MAX);
            tokio::select! {
                biased;
                () = ctx.stopped() => return,
                () = tokio::time::sleep(nap) => {}
            }
            if nap == left {
                let text = self.digest().await;
                for target in self.targets.iter().filter(|target| target.wants_digest()) {
                    target.inbox.digest(text.clone());
                }
            }
        }
    }

    /// The digest of the 24 hours before now.
    pub async fn digest(&self) -> String {
        let report = match tokio::time::timeout(COUNT_PATIENCE, self.report()).await {
            Ok(report) => report,
            Err(_) => Err(format!("counting took longer than {COUNT_PATIENCE:?}")),
        };
        let vitals = self.vitals.borrow().clone();
        let (feeds, problems) =
            vitals.map_or_else(Default::default, |v| (v.feeds.clone(), v.problems.clone()));
        let bad = {
            let mut bad = self
                .bad
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            bad.since_last(&feeds)
        };
        digest::text(&report, &bad, &problems)
    }

    async fn report(&self) -> Result<report::Report, String> {
        let period = digest::period(Clock::utc().now());
        let store = Store::open_read_only(&self.database_url)
            .await
            .map_err(|e| chain(&e))?;
        let filter = Filter {
            since: period.since,
            ..Filter::default()
        };
        let report = report::gather(&store, filter, period, None).await;
        store.close().await;
        report.map_err(|e| chain(&e))
    }
}
