//! What the database says, counted now and then off every request's path, with the time it was counted.
//!
//! Owns the dashboard's read-only connections and the task that refreshes [`History`]. A million rows take
//! seconds to sum up: pages show the last sum with its age and never wait for the next one. The sums have
//! a thread of their own, take at most a twentieth of the time, and stop when nobody looks.

mod sums;

pub use crate::report::gap::CurvePoint;
pub use crate::store::DenialBucket;
pub use sums::{Counted, DENIAL_HOURS};

use crate::causes::chain;
use crate::clock::Clock;
use crate::report::Report;
use crate::snapshot::Funnel;
use crate::store::view::TradeView;
use crate::store::{EquityPoint, Store, StoreError};
use pm_arb_core::ids::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use sums::Sums;
use tokio::sync::{oneshot, watch};

/// Rows in [`History::newest`].
pub const NEWEST: usize = 20;
/// A question of a page that takes longer is refused.
pub const STATEMENT_LIMIT: Duration = Duration::from_secs(3);
/// The newest rows are read this often, and not more often.
const EVERY: Duration = Duration::from_secs(1);
/// Nobody has asked for so long: nobody looks, and nothing is read until somebody does.
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// After sums that took `t`, the next begin `SUMS_REST × t` later: they take a twentieth of the time.
const SUMS_REST: u32 = 19;
/// Sums that take no time are made this often.
const SUMS_EVERY: Duration = Duration::from_secs(2);

/// Sums and newest rows.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// When the newest rows were read, by the wall clock.
    pub as_of: Timestamp,
    /// The newest fills and refusals, newest first, at most [`NEWEST`].
    pub newest: Vec<TradeView>,
    /// When the sums below were made, and how long that took; `None` before the first.
    pub counted: Option<Counted>,
    /// Of the last 24 hours.
    pub day: Option<Arc<Report>>,
    /// Of everything there is.
    pub all: Option<Arc<Report>>,
    /// Profit over time, honest beside naive, as markets paid.
    pub curve: Arc<[CurvePoint]>,
    /// Equity of the newest run, minute by minute or coarser.
    pub equity: Arc<[EquityPoint]>,
    /// Refusals by reason and hour, of the last [`DENIAL_HOURS`].
    pub denials: Arc<[DenialBucket]>,
    /// The funnel of the run that was counted last, and when that was.
    pub funnel: Option<Arc<(Funnel, crate::snapshot::Instant)>>,
}

/// The dashboard's side of the database. Clones share everything.
#[derive(Debug, Clone)]
pub struct Records {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    /// Opened by the first question, and again by the first after it failed to open.
    store: tokio::sync::Mutex<Option<Store>>,
    history: watch::Sender<Option<Arc<History>>>,
    failed: watch::Sender<Option<String>>,
    interest: Mutex<Interest>,
}

/// Whether somebody looks.
#[derive(Debug, Default)]
struct Interest {
    asked: Option<Instant>,
    /// Whether a task refreshes.
    running: bool,
}

impl Records {
    /// Of that database; nothing is read before somebody asks.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            shared: Arc::new(Shared {
                url: url.to_owned(),
                store: tokio::sync::Mutex::default(),
                history: watch::Sender::new(None),
                failed: watch::Sender::new(None),
                interest: Mutex::default(),
            }),
        }
    }

    /// The connections, for questions that take at most [`STATEMENT_LIMIT`]. They come back by themselves
    /// when the database does.
    pub async fn store(&self) -> Result<Store, StoreError> {
        let mut open = self.shared.store.lock().await;
        if let Some(store) = &*open {
            return Ok(store.clone());
        }
        let store = Store::open_read_only_within(&self.shared.url, STATEMENT_LIMIT).await?;
        *open = Some(store.clone());
        Ok(store)
    }

    /// What is known now. Asking is what keeps it fresh: the first call begins to read, and when nobody
    /// has called for ten seconds the reading ends. Call it within a tokio runtime.
    #[must_use]
    pub fn history(&self) -> Option<Arc<History>> {
        self.wake();
        self.shared.history.borrow().clone()
    }

    /// Waits for the first history, for a database that has to be asked now.
    pub async fn first_history(&self) -> Option<Arc<History>> {
        let mut history = self.shared.history.subscribe();
        let mut failed = self.shared.failed.subscribe();
        self.wake();
        tokio::select! {
            found = history.wait_for(Option::is_some) => found.ok().and_then(|h| h.clone()),
            _ = failed.wait_for(Option::is_some) => None,
        }
    }

    /// The sums, as soon as there are any: those who ask first wait for them, at most that long.
    pub async fn counted(&self, within: Duration) -> Option<Arc<History>> {
        let is_counted = |h: &Option<Arc<History>>| h.as_ref().is_some_and(|h| h.counted.is_some());
        let mut history = self.shared.history.subscribe();
        self.wake();
        let found = tokio::time::timeout(within, history.wait_for(is_counted)).await;
        found.ok()?.ok()?.clone()
    }

    /// Why the last attempt failed, when it did.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.shared.failed.borrow().clone()
    }

    /// Somebody looks.
    fn wake(&self) {
        let mut interest = lock(&self.shared.interest);
        interest.asked = Some(Instant::now());
        if !interest.running
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            interest.running = true;
            runtime.spawn(self.clone().refresh());
        }
    }

    /// Until nobody looks.
    async fn refresh(self) {
        let mut sums = SumsUnderWay::default();
        while self.is_wanted() {
            let round = tokio::time::Instant::now() + EVERY;
            match self.read_newest().await {
                Ok(()) => {
                    let done = sums.turn(&self.shared.url, round).await;
                    self.take_sums(done);
                }
                Err(error) => {
                    self.shared.failed.send_replace(Some(chain(&error)));
                }
            }
            tokio::time::sleep_until(round).await;
        }
    }

    /// Whether to go on; when not, the next who asks begins anew.
    fn is_wanted(&self) -> bool {
        let mut interest = lock(&self.shared.interest);
        interest.running = interest.asked.is_some_and(|at| at.elapsed() < IDLE_AFTER);
        interest.running
    }

    async fn read_newest(&self) -> Result<(), StoreError> {
        let store = self.store().await?;
        let newest = store.newest(NEWEST).await?;
        let funnel = Funnel::of_counts(&store.funnel().await?);
        let before = self.shared.history.borrow().clone();
        let mut history = before.map_or_else(History::default, |h| (*h).clone());
        history.as_of = Clock::utc().now();
        history.newest = newest;
        history.funnel = funnel.map(Arc::new);
        self.shared.history.send_replace(Some(Arc::new(history)));
        // The sums may still say what is wrong with them.
        self.shared
            .failed
            .send_if_modified(|failed| failed.take().is_some());
        Ok(())
    }

    fn take_sums(&self, done: Option<Result<Sums, String>>) {
        match done {
            None => {}
            Some(Err(why)) => {
                self.shared.failed.send_replace(Some(why));
            }
            Some(Ok(sums)) => {
                let before = self.shared.history.borrow().clone();
                let mut history = before.map_or_else(History::default, |h| (*h).clone());
                history.counted = Some(sums.counted);
                history.day = Some(sums.day);
                history.all = Some(sums.all);
                history.curve = sums.curve;
                history.equity = sums.equity;
                history.denials = sums.denials;
                self.shared.history.send_replace(Some(Arc::new(history)));
            }
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self {
            as_of: Timestamp(0),
            newest: Vec::new(),
            counted: None,
            day: None,
            all: None,
            curve: Arc::default(),
            equity: Arc::default(),
            denials: Arc::default(),
            funnel: None,
        }
    }
}

/// The sums being made, or when to make them again.
#[derive(Debug, Default)]
struct SumsUnderWay {
    answer: Option<oneshot::Receiver<Result<Sums, String>>>,
    begun: Option<Instant>,
    next: Option<Instant>,
}

impl SumsUnderWay {
    /// Begins sums when they are due and waits for them until `round` ends.
    async fn turn(
        &mut self,
        url: &str,
        round: tokio::time::Instant,
    ) -> Option<Result<Sums, String>> {
        if self.answer.is_none() && self.next.is_none_or(|at| at <= Instant::now()) {
            self.begun = Some(Instant::now());
            self.answer = Some(sums::begin(url.to_owned()));
        }
        let answer = self.answer.as_mut()?;
        let done = tokio::time::timeout_at(round, answer).await.ok()?;
        self.answer = None;
        let took = self.begun.take().map_or(Duration::ZERO, |at| at.elapsed());
        let rest = took.saturating_mul(SUMS_REST).max(SUMS_EVERY);
        self.next = Instant::now().checked_add(rest);
        Some(done.unwrap_or_else(|_| Err("the thread that makes the sums ended".to_owned())))
    }
}

fn lock(interest: &Mutex<Interest>) -> std::sync::MutexGuard<'_, Interest> {
    interest.lock().unwrap_or_else(PoisonError::into_inner)
}
