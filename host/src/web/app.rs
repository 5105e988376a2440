//! What every handler is given, and what pages are drawn from.

use super::api::metrics::Asked;
use super::live::Live;
use super::records::{History, Records};
use crate::snapshot::{Latest, Snapshot};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::rulebook::Rulebook;
use std::path::PathBuf;
use std::sync::Arc;

/// Shared by all handlers.
#[derive(Clone)]
pub struct App {
    /// The pilot's latest picture. In a dashboard of its own it is asked of the control socket.
    pub pilot: Latest,
    /// The database.
    pub records: Records,
    /// Rules of venues, for How It Works.
    pub rules: Arc<Rulebook>,
    /// Where the control socket is: actions go there.
    pub data_dir: PathBuf,
    /// Who watches which page.
    pub live: Live,
    /// What was asked of the dashboard so far.
    pub asked: Asked,
}

/// Everything that live pages are drawn from: no page waits for anything.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Now, by the wall clock.
    pub now: Timestamp,
    /// `None`: no pilot runs here, or it does not answer.
    pub pilot: Option<Arc<Snapshot>>,
    /// `None`: not counted yet.
    pub history: Option<Arc<History>>,
    /// Why the database could not be asked, when the last attempt failed.
    pub records_failed: Option<String>,
}

impl App {
    /// Made inside the dashboard's runtime, anew for each of its lives: what it keeps fresh is begun here.
    #[must_use]
    pub fn new(
        pilot: Latest,
        database_url: &str,
        rules: Arc<Rulebook>,
        data_dir: PathBuf,
        live: Live,
    ) -> Self {
        Self {
            pilot,
            records: Records::new(database_url),
            rules,
            data_dir,
            live,
            asked: Asked::default(),
        }
    }

    /// The view of this moment.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            now: crate::clock::Clock::utc().now(),
            pilot: self.pilot.borrow().clone(),
            history: self.records.history(),
            records_failed: self.records.failed(),
        }
    }
}
