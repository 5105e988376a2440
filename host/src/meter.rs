//! How far a long job has come: two numbers that the job moves and anybody may read.
//!
//! It knows of no terminal and costs the job one store; a job that nobody watches moves a meter that
//! nobody reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a meter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Bytes.
    Bytes,
    /// Records, rows, messages.
    Records,
}

#[derive(Debug, Default)]
struct Numbers {
    done: AtomicU64,
    total: AtomicU64,
    bytes: AtomicBool,
}

/// A shared meter.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Numbers>);

impl Meter {
    /// So much more is to be done.
    pub fn expect(&self, more: u64) {
        self.0.total.fetch_add(more, Ordering::Relaxed);
    }

    /// So much more is done.
    pub fn advance(&self, more: u64) {
        self.0.done.fetch_add(more, Ordering::Relaxed);
    }

    /// One that counts that.
    #[must_use]
    pub fn of(counts: Counts) -> Self {
        let meter = Self::default();
        meter.restart(counts);
        meter
    }

    /// Begins anew: nothing done, nothing known of how much is to be done.
    pub fn restart(&self, counts: Counts) {
        self.0
            .bytes
            .store(counts == Counts::Bytes, Ordering::Relaxed);
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(0, Ordering::Relaxed);
    }

    /// What is counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        if self.0.bytes.load(Ordering::Relaxed) {
            Counts::Bytes
        } else {
            Counts::Records
        }
    }

    /// What is done, and of how much: zero while that is unknown.
    #[must_use]
    pub fn read(&self) -> (u64, u64) {
        let done = self.0.done.load(Ordering::Relaxed);
        (done, self.0.total.load(Ordering::Relaxed))
    }
}
