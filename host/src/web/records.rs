//! What the database says, counted now and then off every request's path, with the time it was counted.
//!
//! Owns the dashboard's read-only connections and the task that refreshes [`History`]. A million rows take
//! seconds to sum up: pages show the last sum with its age and never wait for the next one.

use crate::report::Report;
use crate::store::view::TradeView;
use crate::store::{Store, StoreError};
use pm_arb_core::ids::Timestamp;
use std::sync::Arc;
use tokio::sync::watch;

/// Sums and newest rows.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// When it was counted, by the wall clock.
    pub as_of: Timestamp,
    /// The newest fills and refusals, newest first, at most [`NEWEST`].
    pub newest: Vec<TradeView>,
    /// Of the last 24 hours.
    pub day: Option<Arc<Report>>,
    /// Of everything there is.
    pub all: Option<Arc<Report>>,
}

/// Rows in [`History::newest`].
pub const NEWEST: usize = 20;

/// The dashboard's side of the database.
#[derive(Debug, Clone)]
pub struct Records {
    url: Arc<str>,
    history: watch::Receiver<Option<Arc<History>>>,
    failed: watch::Receiver<Option<String>>,
}

impl Records {
    /// Of that database; nothing is read until [`Self::store`] is called.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let (_, history) = watch::channel(None);
        let (_, failed) = watch::channel(None);
        Self {
            url: url.into(),
            history,
            failed,
        }
    }

    /// Connections for one question.
    pub async fn store(&self) -> Result<Store, StoreError> {
        Store::open_read_only(&self.url).await
    }

    /// The last count.
    #[must_use]
    pub fn history(&self) -> Option<Arc<History>> {
        self.history.borrow().clone()
    }

    /// Why the last attempt failed, when it did.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.failed.borrow().clone()
    }
}
