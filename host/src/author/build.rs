//! `pm-arb strategy build`: a project becomes a component that this host takes.
//!
//! ```text
//! project ─► toolchain (bounded) ─► bytes ─► compiled and asked who it is ─► NAME.wasm, in one piece
//! ```
//!
//! Owns the order of these steps. What the host would refuse is refused here, and the file of before stays.

use super::project::{Project, ProjectError};
use super::tool::{Bounds, ToolError};
use super::toolchain::{self, MakeError};
use crate::plugin::{Compiled, Limits, PluginError, PluginHost, hex};
use std::path::PathBuf;
use std::time::Duration;

/// No component, and why.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The language's tools.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// The engine that checks it.
    #[error("cannot check what was built")]
    Engine(#[source] PluginError),
    /// The host would not take it.
    #[error("it was built, but this host would refuse it: {}", .0.story())]
    Refused(PluginError),
    /// The result can not be written.
    #[error(transparent)]
    Write(componentize::Fault),
}

impl BuildError {
    /// Whether somebody wanted it to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Make(MakeError::Tool(ToolError::Stopped)))
    }

    /// Whether a tool is missing, so that no change of the sources helps.
    #[must_use]
    pub fn is_missing_tool(&self) -> bool {
        matches!(self, Self::Make(MakeError::Tool(ToolError::Missing { .. })))
    }
}

/// A component on disk.
#[derive(Debug)]
pub struct Built {
    /// What it says of itself and needs.
    pub compiled: Compiled,
    /// Where it is.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How long all of it took.
    pub took: Duration,
}

impl Built {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.compiled.described.manifest.name
    }

    /// Its digest, as it is written.
    #[must_use]
    pub fn digest(&self) -> String {
        hex(&self.compiled.digest)
    }
}

/// Builds a project whose bounds begin now.
pub fn build(project: &Project, bounds: &Bounds) -> Result<Built, BuildError> {
    let bytes = toolchain::make(project, bounds)?;
    let host = PluginHost::new(Limits::default()).map_err(BuildError::Engine)?;
    let compiled = host.compile(&bytes).map_err(BuildError::Refused)?;
    // A name is letters, digits and hyphens, or it would have been refused.
    let name = format!("{}.wasm", compiled.described.manifest.name);
    let file = project.dir.join(name);
    componentize::write_whole(&file, &bytes).map_err(BuildError::Write)?;
    Ok(Built {
        compiled,
        file,
        bytes,
        took: bounds.taken(),
    })
}
