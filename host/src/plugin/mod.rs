//! Strategies as WebAssembly components: loading, limits, calls, replacement.
//!
//! ```text
//! file ─► watch (read, hash) ─► engine (check, compile) ─► instance (init, probe) ─► loader ─► Engine
//!         async task            off the engine's thread                              on it, between two events
//! ```
//!
//! A component gets nothing but the world of `wit/strategy.wit`, under the limits of [`limits`].

mod engine;
mod error;
mod imports;
mod instance;
/// What a strategy may use.
pub mod limits;
mod wasi;
mod wire;

pub use engine::{Compiled, PluginHost, digest};
pub use error::PluginError;
pub use instance::ComponentStrategy;
pub use limits::Limits;

use std::path::PathBuf;

/// What the loader on the engine's thread is told.
pub enum LoaderInput {
    /// A strategy file appeared, changed or went away; `component` is compiled off the engine's thread.
    File {
        /// Which file.
        path: PathBuf,
    },
}
