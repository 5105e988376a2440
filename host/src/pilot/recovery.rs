//! From a run's folder to a session that can go on: the same path for a new run, a stopped one and a
//! killed one.
//!
//! The journal is replayed from its first record; what the database has not confirmed is sent to it
//! again; everything that may have changed meanwhile is marked untrusted.

use super::session::Session;
use super::{PilotError, RunChoice};
use crate::catalog::{Catalog, SharedCatalog};
use crate::config::Config;
use crate::journal::{JournalWriter, RunMeta};
use crate::plugin::PluginHost;
use crate::plugin::loader::{Component, Loader};
use crate::replay::{self, Replayed};
use crate::store::{RelayHandle, RunInfo, StoreOp};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::Effect;
use pm_arb_core::event::{Event, GapScope};
use pm_arb_core::ids::{Seq, Timestamp, Venue};
use std::path::Path;

/// What is needed to start.
pub struct Start<'a> {
    /// The run.
    pub choice: &'a RunChoice,
    /// Settings of the engine.
    pub config: EngineConfig,
    /// Compiles and instantiates.
    pub host: &'a PluginHost,
    /// Strategies that are to trade.
    pub components: Vec<Component>,
    /// Their settings.
    pub strategy_config: &'a Config,
    /// Where word may have been left.
    pub data_dir: &'a Path,
    /// The database's queue.
    pub relay: &'a RelayHandle,
    /// How far the database is.
    pub persisted: Seq,
}

/// A run that can go on.
pub struct Started {
    /// The run.
    pub session: Session,
    /// Its strategies.
    pub loader: Loader,
    /// Its numbers.
    pub catalog: SharedCatalog,
    /// Markets that may still need an outcome.
    pub unresolved: Vec<Unresolved>,
}

/// A market whose outcome is not known yet.
#[derive(Debug, Clone)]
pub struct Unresolved {
    /// Where.
    pub venue: Venue,
    /// The venue's id.
    pub native_id: String,
    /// The venue's readable name.
    pub slug: String,
}

/// The row of a run.
pub fn run_info(meta: &RunMeta, config: &Config) -> RunInfo {
    RunInfo {
        run_id: meta.run_id,
        source: meta.source.clone(),
        created: meta.created.parse::<jiff::Timestamp>().map_or(Timestamp(0), |t| Timestamp(u64::try_from(t.as_nanosecond()).unwrap_or(0))),
        host_version: meta.host_version.clone(),
        config: serde_json::to_string(config).unwrap_or_default(),
    }
}
