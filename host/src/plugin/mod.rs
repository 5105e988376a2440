//! Strategies as WebAssembly components: loading, limits, calls, replacement.

use std::path::PathBuf;

/// What the loader on the engine's thread is told.
pub enum LoaderInput {
    /// A strategy file appeared, changed or went away; `component` is compiled off the engine's thread.
    File {
        /// Which file.
        path: PathBuf,
    },
}
