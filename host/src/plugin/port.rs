//! The edges of the loader: what it is told, what it answers, what it needs of the runner.

use super::error::PluginError;
use super::prepare::Candidate;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::Event;
use pm_arb_core::ids::Timestamp;
use std::path::PathBuf;

/// What the loader is told.
#[derive(Debug)]
pub enum LoaderInput {
    /// A strategy appeared or changed, and is ready to take over.
    Ready(Box<Candidate>),
    /// A file can not become a strategy.
    Refused {
        /// Which file.
        path: PathBuf,
        /// Of its bytes, where they could be read.
        digest: Option<[u8; 32]>,
        /// In words.
        why: String,
    },
    /// A file went away.
    Gone {
        /// Which file.
        path: PathBuf,
    },
}

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It runs.
    Loaded {
        /// Its name.
        name: String,
        /// Which load of it.
        generation: u32,
        /// Whether it took over its predecessor's state.
        restored: bool,
    },
    /// The same bytes and settings run already.
    Unchanged {
        /// Its name.
        name: String,
    },
    /// It does not run; what ran before goes on.
    Refused {
        /// The file.
        path: PathBuf,
        /// In words, with the next step.
        why: String,
    },
    /// Its file went away; it runs on.
    Orphaned {
        /// Its name.
        name: String,
    },
    /// Its file says other bytes than run, and an operator said that it is not to be followed now.
    NotFollowed {
        /// Its name.
        name: String,
        /// What the operator said.
        why: &'static str,
    },
    /// Nothing to do with a strategy that runs.
    Ignored,
}

/// What a port says when it fails.
pub type PortError = Box<dyn std::error::Error + Send + Sync>;

/// The loader's side of the runner: the engine's slots, the journal and the archive.
pub trait LoaderPort {
    /// Whose slots the strategies sit in.
    fn engine(&self) -> &Engine;
    /// The same, to put them there. It is stepped by [`record`](Self::record) alone.
    fn engine_mut(&mut self) -> &mut Engine;
    /// Keeps a component's bytes, durably, so that the run can be replayed.
    fn archive(&mut self, digest: &[u8; 32], bytes: &[u8]) -> Result<(), PortError>;
    /// Finds them again.
    fn retrieve(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, PortError>;
    /// The run's time.
    fn now(&self) -> Timestamp;
    /// Appends a fact to the journal and steps the engine with it.
    fn record(&mut self, event: Event) -> Result<(), PortError>;
}

/// The loader can not go on. Refused strategies are no errors; see [`Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// The runner's journal or archive failed.
    #[error("strategy {name}: {doing} failed")]
    Port {
        /// Which strategy.
        name: String,
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: PortError,
    },
    /// A recorded load does not work again.
    #[error(
        "strategy {name}: the load recorded in the journal can not be repeated; was the run copied without its strategies/ folder, or recorded by another version of the host?"
    )]
    Replay {
        /// Which strategy.
        name: String,
        /// Why.
        #[source]
        source: PluginError,
    },
}
