//! Turns what a Rust toolchain leaves into a component, as a library.
//!
//! ```text
//! core module for wasm32-unknown-unknown   + its component type          ─► component
//! core module for wasm32-wasip1            + its component type, adapter ─► component that imports WASI 0.2
//! component (wasm32-wasip2, cargo component)                             ─► itself
//! ```
//!
//! Owns the last step of building a guest, so that nobody needs another tool installed for it.
//! The output is validated before it is written and appears under its name in one piece, because
//! a running pilot watches the folder it lands in. It never changes what the module does, and it
//! never leaves a half-written file behind.
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use wasi_preview1_component_adapter_provider as adapter;
use wit_component::ComponentEncoder;

#[cfg(test)]
mod tests;

/// No Rust guest comes near this; what does is not the file that was meant.
const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The first eight bytes of a component (a core module has `01 00 00 00` in the second half).
const COMPONENT_PREAMBLE: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

/// What a library that reports through a boxed error hands over.
type Cause = Box<dyn Error + Send + Sync>;

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The input can not be read.
    #[error("cannot read {}\n  help: build the strategy first (`make build` does both steps)", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no guest.
    #[error("{} is {bytes} bytes; the limit is {INPUT_BYTES_MAX}\n  help: build with `--release`, which strips and optimises", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It does not decode.
    #[error("{} is not a WebAssembly module", path.display())]
    NotWasm {
        /// Which file.
        path: PathBuf,
        /// Where it stops making sense.
        source: Cause,
    },
    /// Nothing in it says which world it was built for.
    #[error(
        "{} carries no component type\n  help: the crate must call `wit_bindgen::generate!` and `export!`, and be built as a cdylib", path.display()
    )]
    NoComponentType {
        /// Which file.
        path: PathBuf,
    },
    /// It lacks what its world exports, or imports what its world does not have.
    #[error(
        "{} does not make a component\n  help: an import the WIT world does not declare means a dependency needs an operating system; build for wasm32-unknown-unknown", path.display()
    )]
    Encode {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        source: Cause,
    },
    /// The output can not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Reads a module (or component), and writes the component under its name in one piece.
pub fn convert(input: &Path, output: &Path) -> Result<(), Fault> {
    let module = read(input)?;
    let component = componentize(&module, input)?;
    write_whole(output, &component)
}

/// Reads a file that can be a guest.
pub fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let failed = |source| Fault::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > INPUT_BYTES_MAX {
        return Err(Fault::TooLarge {
            path: path.to_owned(),
            bytes,
        });
    }
    fs::read(path).map_err(failed)
}

/// The component's bytes. `path` only names the input in errors.
pub fn componentize(wasm: &[u8], path: &Path) -> Result<Vec<u8>, Fault> {
    let encode = |source: Cause| Fault::Encode {
        path: path.to_owned(),
        source,
    };
    // `cargo component build` and the target wasm32-wasip2 leave a finished component where others
    // leave the module.
    if wasm.starts_with(&COMPONENT_PREAMBLE) {
        wit_component::decode(wasm).map_err(|error| encode(error.into()))?;
        return Ok(wasm.to_vec());
    }
    let (module, _) = wit_component::metadata::decode(wasm).map_err(|error| Fault::NotWasm {
        path: path.to_owned(),
        source: error.into(),
    })?;
    if module.is_none() {
        return Err(Fault::NoComponentType {
            path: path.to_owned(),
        });
    }
    // A module that imports nothing of WASI gets nothing of the adapter.
    ComponentEncoder::default()
        .module(wasm)
        .and_then(|encoder| {
            encoder.adapter(
                adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )
        })
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| encode(error.into()))
}

/// Writes beside the destination under a name no `*.wasm` glob matches, then renames over it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let partial = path.with_file_name(name);
    fs::write(&partial, bytes)
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|source| {
            // The rename's failure is the news; a partial file that cannot be removed adds nothing.
            let _ = fs::remove_file(&partial);
            Fault::Write {
                path: path.to_owned(),
                source,
            }
        })
}
