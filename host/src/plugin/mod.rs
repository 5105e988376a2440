//! Strategies as WebAssembly components: loading, limits, calls, replacement.
//!
//! ```text
//! file ─► watch (read, hash) ─► engine (check, compile) ─► instance (init, probe) ─► loader ─► Engine
//!         async task            off the engine's thread                              on it, between two events
//! ```
//!
//! A component gets nothing but the world of `wit/strategy.wit`, under the limits of [`limits`].

/// The contract that this host speaks (wit/strategy.wit).
pub const CONTRACT: &str = "pm-arb:strategy@0.3.0";
/// Every version of it that this host speaks, oldest first: each has a folder under wit/, the newest is
/// wit/strategy.wit.
pub const SPOKEN: [&str; 2] = ["0.2.0", "0.3.0"];

/// Compiling in a process of its own.
pub mod apart;
mod canned;
mod clock;
mod describe;
mod engine;
mod error;
mod grants;
mod imports;
mod instance;
/// What a strategy may use.
pub mod limits;
/// Which strategies run.
pub mod loader;
/// What a generation that takes over must do.
pub mod policy;
mod port;
/// From a file to a ready instance.
pub mod prepare;
mod prescan;
/// A candidate plays what the running version was told.
pub mod rehearse;
/// Which settings changed.
pub mod settings;
/// What `--strategies` names.
pub mod sources;
mod tape;
/// What a strategy is told, kept.
pub mod told;
/// What an instance used.
pub mod usage;
mod wasi;
/// Which files changed.
pub mod watch;
mod wire;

pub use describe::Described;
pub(crate) use describe::is_oracle_name;
pub(crate) use engine::is_granted;
pub use engine::{Compiled, PluginHost, digest, hex};
pub use error::PluginError;
pub use grants::Grants;
pub use instance::ComponentStrategy;
pub use limits::Limits;
pub use loader::{Done, Loader, Order, OrderError, Recipe, What};
pub use policy::{StatePolicy, SwapPolicy};
pub use port::{LoaderError, LoaderInput, LoaderPort, Outcome, PortError};
pub use prepare::{Candidate, Keep, Preparer};
pub use rehearse::{Contender, Incumbent};
pub use settings::Settings;
pub use sources::{SourceError, Sources};
pub use watch::Tracker;
