//! What the engine's thread shows of itself in passing: three numbers, no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[derive(Debug)]
struct Marks {
    started: Instant,
    turns: AtomicU64,
    records: AtomicU64,
    /// Milliseconds since the start, plus one; zero before the first.
    flushed: AtomicU64,
}

/// How often the engine's loop turned, how far it came, when its journal was last made durable.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Marks>);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Marks {
            started: Instant::now(),
            turns: AtomicU64::new(0),
            records: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
        }))
    }
}

impl Progress {
    /// The loop turned; that many records are stepped.
    pub fn turned(&self, records: u64) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
        self.0.records.store(records, Ordering::Relaxed);
    }

    /// The journal was made durable.
    pub fn flushed_now(&self) {
        let ms = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0
            .flushed
            .store(ms.saturating_add(1), Ordering::Relaxed);
    }

    /// Turns so far: the only proof that the loop is alive.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.0.turns.load(Ordering::Relaxed)
    }

    /// Records so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// When the journal was last made durable; `None` before the first time.
    #[must_use]
    pub fn flushed(&self) -> Option<Instant> {
        let ms = self.0.flushed.load(Ordering::Relaxed).checked_sub(1)?;
        self.0.started.checked_add(Duration::from_millis(ms))
    }
}
