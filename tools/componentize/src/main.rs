//! Turns a core module with an embedded component type into a component: `componentize IN OUT`.
//!
//! Owns the last step of building a guest, so that nobody needs another tool installed for it.
//! The output is validated before it is written and appears under its name in one piece, because
//! a running pilot watches the folder it lands in. It never changes what the module does, and it
//! never leaves a half-written file behind.
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wit_component::ComponentEncoder;

#[cfg(test)]
mod tests;

const USAGE: &str = "usage: componentize IN.wasm OUT.wasm";

/// No Rust guest comes near this; what does is not the file that was meant.
const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The first eight bytes of a component (a core module has `01 00 00 00` in the second half).
const COMPONENT_PREAMBLE: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

/// What a library that reports through a boxed error hands over.
type Cause = Box<dyn Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("cannot read {}\n  help: build the strategy first (`make build` does both steps)", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is {bytes} bytes; the limit is {INPUT_BYTES_MAX}\n  help: build with `--release`, which strips and optimises", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("{} is not a WebAssembly module", path.display())]
    NotWasm { path: PathBuf, source: Cause },
    #[error(
        "{} carries no component type\n  help: the crate must call `wit_bindgen::generate!` and `export!`, and be built as a cdylib", path.display()
    )]
    NoComponentType { path: PathBuf },
    #[error(
        "{} does not make a component\n  help: an import the WIT world does not declare means a dependency needs an operating system; build for wasm32-unknown-unknown", path.display()
    )]
    Encode { path: PathBuf, source: Cause },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [input, output] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(Path::new(input), Path::new(output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            let mut cause = fault.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(input: &Path, output: &Path) -> Result<(), Fault> {
    let module = read(input)?;
    let component = componentize(&module, input)?;
    write_whole(output, &component)
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
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
fn componentize(wasm: &[u8], path: &Path) -> Result<Vec<u8>, Fault> {
    let encode = |source: Cause| Fault::Encode {
        path: path.to_owned(),
        source,
    };
    // `cargo component build` leaves a finished component where `cargo build` leaves the module.
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
    ComponentEncoder::default()
        .module(wasm)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| encode(error.into()))
}

/// Writes beside the destination under a name no `*.wasm` glob matches, then renames over it.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
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
