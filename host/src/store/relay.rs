//! Carries the engine's effects to the store, however long the store is away.
//!
//! Owns the queue between the engine's thread and the database, the grouping and the retrying. It never
//! drops, reorders or changes what it carries: a full queue makes the sender wait, an unreachable
//! database is tried again for ever (visibly), and a contradiction ends it for good.
//!
//! Whatever is still queued when the process ends is in the journal, and is sent again at the next start.

use super::{Store, StoreError, StoreOp};
use crate::agent::{AgentContext, AgentError};
use crate::backoff::Backoff;
use crate::causes::chain;
use pm_arb_core::ids::Seq;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;
use uuid::Uuid;

/// Messages (one record's effects each) waiting for the database. When it is full the engine waits,
/// and through it the feeds.
pub const RELAY_QUEUE: usize = 16_384;
/// A group is written when it has this many effects.
pub const GROUP_OPS: usize = 500;
/// Or when its first effect has waited this long.
pub const GROUP_LINGER: Duration = Duration::from_millis(10);
/// How long a stop may spend on writing what is queued.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);
/// First and largest wait between two attempts.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// An idle relay turns its loop this often, to show that it lives.
const IDLE_TURN: Duration = Duration::from_secs(1);

/// Why something could not be handed over, or will never be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The queue is full (only from [`RelayHandle::try_send`]).
    #[error("{RELAY_QUEUE} messages already wait for the database")]
    Full,
    /// The relay ended; the text says why.
    #[error("trades are no longer being stored: {0}")]
    Ended(String),
}

/// What a person or the runner can know about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelayStatus {
    /// Everything handed over up to this record is stored.
    pub persisted: Seq,
    /// Rows written by this process.
    pub inserted: u64,
    /// Changes written by this process.
    pub updated: u64,
    /// Failed attempts.
    pub failures: u64,
    /// Since when nothing could be written; `None` while it works.
    pub failing_since: Option<Instant>,
    /// The last failure, in words; kept after recovery.
    pub last_error: Option<String>,
    /// Why it gave up for good.
    pub fatal: Option<String>,
}

struct Message {
    seq: Seq,
    ops: Vec<StoreOp>,
    sent: Instant,
}

/// Counters shared by both ends.
#[derive(Debug, Default)]
struct Gauge {
    /// Effects handed over and not stored.
    backlog: AtomicUsize,
    /// The newest record handed over.
    sent: AtomicU64,
}

/// The engine's end.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    queue: mpsc::Sender<Message>,
    gauge: Arc<Gauge>,
    status: watch::Receiver<RelayStatus>,
}

/// The store's end: an agent that may be started again after a failure without losing anything.
#[derive(Clone)]
pub struct Relay {
    store: Store,
    run_id: Uuid,
    gauge: Arc<Gauge>,
    status: Arc<watch::Sender<RelayStatus>>,
    inner: Arc<Mutex<Inner>>,
}

/// What survives a restart of the agent.
struct Inner {
    queue: mpsc::Receiver<Message>,
    group: Group,
}

/// Effects taken from the queue and not yet known to be stored.
#[derive(Default)]
struct Group {
    through: Seq,
    ops: Vec<StoreOp>,
    first: Option<Instant>,
}

impl Group {
    fn add(&mut self, message: Message) {
        self.through = self.through.max(message.seq);
        self.first.get_or_insert(message.sent);
        self.ops.extend(message.ops);
    }

    fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// A relay for one run. `persisted` is where the store already is (see [`Store::persisted_seq`]).
#[must_use]
pub fn relay(store: Store, run_id: Uuid, persisted: Seq) -> (RelayHandle, Relay) {
    let (sender, queue) = mpsc::channel(RELAY_QUEUE);
    let (status, watched) = watch::channel(RelayStatus {
        persisted,
        ..RelayStatus::default()
    });
    let gauge = Arc::new(Gauge {
        sent: AtomicU64::new(persisted.0),
        ..Gauge::default()
    });
    let handle = RelayHandle {
        queue: sender,
        gauge: Arc::clone(&gauge),
        status: watched,
    };
    let relay = Relay {
        store,
        run_id,
        gauge,
        status: Arc::new(status),
        inner: Arc::new(Mutex::new(Inner {
            queue,
            group: Group::default(),
        })),
    };
    (handle, relay)
}

impl RelayHandle {
    /// Hands over the effects of one record; waits when the queue is full.
    pub async fn send(&self, seq: Seq, ops: Vec<StoreOp>) -> Result<(), RelayError> {
        let message = self.announce(seq, ops)?;
        let count = message.ops.len();
        self.queue
            .send(message)
            .await
            .map_err(|_| self.take_back(count))
    }

    /// The same from a thread outside tokio.
    pub fn blocking_send(&self, seq: Seq, ops: Vec<StoreOp>) -> Result<(), RelayError> {
        let message = self.announce(seq, ops)?;
        let count = message.ops.len();
        self.queue
            .blocking_send(message)
            .map_err(|_| self.take_back(count))
    }

    /// The same without waiting.
    pub fn try_send(&self, seq: Seq, ops: Vec<StoreOp>) -> Result<(), RelayError> {
        let message = self.announce(seq, ops)?;
        self.queue.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(message) => {
                self.take_back(message.ops.len());
                RelayError::Full
            }
            mpsc::error::TrySendError::Closed(message) => self.take_back(message.ops.len()),
        })
    }

    fn announce(&self, seq: Seq, ops: Vec<StoreOp>) -> Result<Message, RelayError> {
        if let Some(why) = &self.status.borrow().fatal {
            return Err(RelayError::Ended(why.clone()));
        }
        self.gauge.backlog.fetch_add(ops.len(), Ordering::AcqRel);
        self.gauge.sent.fetch_max(seq.0, Ordering::AcqRel);
        Ok(Message {
            seq,
            ops,
            sent: Instant::now(),
        })
    }

    fn take_back(&self, count: usize) -> RelayError {
        self.gauge.backlog.fetch_sub(count, Ordering::AcqRel);
        let why = self.status.borrow().fatal.clone();
        RelayError::Ended(why.unwrap_or_else(|| "it was stopped".to_owned()))
    }

    /// Effects handed over and not yet stored.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.gauge.backlog.load(Ordering::Acquire)
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> RelayStatus {
        self.status.borrow().clone()
    }

    /// To be told of every change of the status.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<RelayStatus> {
        self.status.clone()
    }

    /// Waits until everything handed over so far, up to record `seq`, is stored.
    pub async fn flushed(&self, seq: Seq) -> Result<(), RelayError> {
        let goal = Seq(seq.0.min(self.gauge.sent.load(Ordering::Acquire)));
        let mut status = self.status.clone();
        let reached = status
            .wait_for(|s| s.persisted >= goal || s.fatal.is_some())
            .await
            .map(|s| s.clone());
        match reached {
            Ok(s) if s.persisted >= goal => Ok(()),
            Ok(s) => Err(RelayError::Ended(s.fatal.unwrap_or_default())),
            Err(_) => Err(RelayError::Ended("it was dropped".to_owned())),
        }
    }
}

impl Relay {
    /// Runs until told to stop (then writes what is queued, for at most [`DRAIN_MAX`]) or until a
    /// contradiction. A second call takes up what the first one left.
    pub async fn run(&self, ctx: AgentContext) -> Result<(), AgentError> {
        let mut inner = self.inner.lock().await;
        ctx.ready();
        loop {
            ctx.beat();
            if inner.group.is_empty() && !ctx.is_stopping() {
                self.collect(&mut inner, &ctx).await;
            }
            if ctx.is_stopping() {
                return self.drain(&mut inner).await;
            }
            if !inner.group.is_empty() {
                self.write(&mut inner.group, &ctx).await?;
            }
        }
    }

    /// Waits for a first message, then for company.
    async fn collect(&self, inner: &mut Inner, ctx: &AgentContext) {
        // Receiving is the only thing awaited here, and it loses nothing when it is abandoned.
        let first = tokio::select! {
            biased;
            message = inner.queue.recv() => message,
            () = ctx.stopped() => None,
            () = tokio::time::sleep(IDLE_TURN) => None,
        };
        let Some(first) = first else { return };
        let deadline = tokio::time::Instant::now() + GROUP_LINGER;
        inner.group.add(first);
        while inner.group.ops.len() < GROUP_OPS {
            match tokio::time::timeout_at(deadline, inner.queue.recv()).await {
                Ok(Some(message)) => inner.group.add(message),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Writes the group, trying for ever; returns early, with the group kept, when asked to stop.
    async fn write(&self, group: &mut Group, ctx: &AgentContext) -> Result<(), AgentError> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        loop {
            ctx.beat();
            let Err(error) = self.attempt(group).await else {
                return Ok(());
            };
            self.judge(error)?;
            let wait = backoff.next_wait();
            tokio::select! {
                biased;
                () = ctx.stopped() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn attempt(&self, group: &mut Group) -> Result<(), StoreError> {
        let applied = self
            .store
            .apply(self.run_id, group.through, &group.ops)
            .await?;
        self.gauge
            .backlog
            .fetch_sub(group.ops.len(), Ordering::AcqRel);
        let through = group.through;
        *group = Group::default();
        self.status.send_modify(|s| {
            s.persisted = s.persisted.max(through);
            s.inserted += applied.inserted as u64;
            s.updated += applied.updated as u64;
            if let Some(since) = s.failing_since.take() {
                tracing::info!(
                    seconds = since.elapsed().as_secs(),
                    "trades are being stored again"
                );
            }
        });
        Ok(())
    }

    /// Notes a failure; an error when trying again is pointless.
    fn judge(&self, error: StoreError) -> Result<(), AgentError> {
        let text = chain(&error);
        let transient = error.is_transient();
        self.status.send_modify(|s| {
            s.failures += 1;
            s.last_error = Some(text.clone());
            if !transient {
                s.fatal = Some(text.clone());
            } else if s.failing_since.is_none() {
                s.failing_since = Some(Instant::now());
                tracing::warn!(error = %text, "the database is away; trades wait and are in the journal");
            }
        });
        if transient {
            return Ok(());
        }
        tracing::error!(error = %text, "the database contradicts the journal; nothing more is stored");
        Err(AgentError::Fatal(text))
    }

    /// What is queued is written while there is time. The journal has the rest.
    async fn drain(&self, inner: &mut Inner) -> Result<(), AgentError> {
        inner.queue.close();
        let deadline = Instant::now() + DRAIN_MAX;
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        loop {
            while inner.group.ops.len() < GROUP_OPS {
                match inner.queue.try_recv() {
                    Ok(message) => inner.group.add(message),
                    Err(_) => break,
                }
            }
            if inner.group.is_empty() {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // Only the wait is cut short: the writer's task finishes what it began.
            match timeout(left, self.attempt(&mut inner.group)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    self.judge(error)?;
                    let left = deadline.saturating_duration_since(Instant::now());
                    tokio::time::sleep(backoff.next_wait().min(left)).await;
                }
                Err(_) => {
                    let effects = self.gauge.backlog.load(Ordering::Acquire);
                    tracing::warn!(
                        effects,
                        "stopped before everything was stored; the journal has it and the next start sends it again"
                    );
                    return Ok(());
                }
            }
        }
    }
}
