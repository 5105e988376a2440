//! Each language's way from a project to a component's bytes.
//!
//! Owns the commands and what to do when one is missing. What a tool leaves for the next build (its packages,
//! its bindings) lies in the project, in folders its `.gitignore` names.

use super::project::{Language, Project};
use super::tool::{Bounds, ToolError};
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the host takes from a build; hidden, out of every glob's way.
const WORK: &str = ".pm-arb";
const COMPONENT: &str = "component.wasm";
/// The world of the contract that every language implements.
const WORLD: &str = "strategy";
const TARGET: &str = "wasm32-unknown-unknown";
/// In a folder of installed packages: what they were installed for.
const STAMP: &str = ".pm-arb-installed";

const GET_RUST: &str = "Install Rust with rustup (https://rustup.rs)";
const GET_PYTHON: &str =
    "Install Python 3.10 or later (Debian: apt-get install python3 python3-venv)";
const GET_NODE: &str = "Install Node 20 or later, which brings npm (https://nodejs.org)";
const HELP_TARGET: &str = "\n  help: rustup target add wasm32-unknown-unknown\n  help: where rustup cannot \
     download, `make guest-target` in the sources of pm-arb builds it; docs/building.md says how to use it";
const HELP_NET: &str = "\n  help: the compiler is downloaded from the language's package registry at the first build only";

/// A build that left no component.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// A tool did not do its work.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The crate builds something else.
    #[error(
        "{} builds no WebAssembly module of its own. Its Cargo.toml needs:\n    [lib]\n    crate-type = [\"cdylib\"]",
        dir.display()
    )]
    NoModule {
        /// The project.
        dir: PathBuf,
    },
    /// The module can not become a component.
    #[error("the module that cargo built does not become a component")]
    Component(#[from] componentize::Fault),
    /// Something in the project can not be read or written.
    #[error("cannot {what} {}", path.display())]
    Files {
        /// What was to happen to it.
        what: &'static str,
        /// To which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Runs the language's tools; answers the component's bytes.
pub(super) fn make(project: &Project, bounds: &Bounds) -> Result<Vec<u8>, MakeError> {
    match project.language {
        Language::Rust => rust(&project.dir, bounds),
        Language::Python => python(&project.dir, bounds),
        Language::Js => js(&project.dir, bounds),
    }
}

fn rust(dir: &Path, bounds: &Bounds) -> Result<Vec<u8>, MakeError> {
    let manifest = dir.join("Cargo.toml");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--target", TARGET])
        .args([
            "--message-format",
            "json-render-diagnostics",
            "--manifest-path",
        ])
        .arg(&manifest)
        .current_dir(dir)
        // Flags meant for the host would replace those of .cargo/config.toml.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let said = bounds.run("cargo build", GET_RUST, &mut cargo);
    let said = said.map_err(|error| helped(error, "target may not be installed", HELP_TARGET))?;
    let module = module_of(&said, &manifest).ok_or_else(|| MakeError::NoModule {
        dir: dir.to_owned(),
    })?;
    let bytes = componentize::read(&module)?;
    Ok(componentize::componentize(&bytes, &module)?)
}

/// The module that cargo says it built of that very package.
fn module_of(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let text = String::from_utf8_lossy(messages);
    let messages = text.lines().rev();
    let mut parsed =
        messages.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let artifact = parsed.find(|message| {
        message["reason"] == "compiler-artifact"
            && message["manifest_path"]
                .as_str()
                .is_some_and(|path| Path::new(path) == manifest)
            && message["filenames"].to_string().contains(".wasm\"")
    })?;
    let names = artifact["filenames"].as_array()?.iter();
    let mut names = names.filter_map(serde_json::Value::as_str);
    names
        .find(|name| name.ends_with(".wasm"))
        .map(PathBuf::from)
}

fn python(dir: &Path, bounds: &Bounds) -> Result<Vec<u8>, MakeError> {
    let venv = dir.join(WORK).join("venv");
    let requirements = dir.join("requirements.txt");
    install(&venv, &requirements, || {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&venv).current_dir(dir);
        bounds.run("python3 -m venv", GET_PYTHON, &mut make)?;
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--no-input", "-r"])
        .arg(&requirements)
        .current_dir(dir);
        let done = bounds.run("pip install", GET_PYTHON, &mut pip);
        done.map_err(|error| helped(error, "", HELP_NET))?;
        Ok(())
    })?;
    let tool = || {
        let mut tool = Command::new(venv.join("bin/componentize-py"));
        tool.args(["-d", "wit", "-w", WORLD]).current_dir(dir);
        tool
    };
    let get = "Name componentize-py in requirements.txt";
    // For editors and tests; the compiler writes into no folder that is there.
    let bindings = dir.join(WORK).join("bindings");
    if let Err(source) = fs::remove_dir_all(&bindings)
        && source.kind() != io::ErrorKind::NotFound
    {
        return Err(files("remove", &bindings)(source));
    }
    bounds.run(
        "componentize-py bindings",
        get,
        tool().arg("bindings").arg(&bindings),
    )?;
    let out = fresh(dir)?;
    let mut make = tool();
    make.args(["componentize", "app", "-p", "src", "-o"])
        .arg(&out);
    bounds.run("componentize-py componentize", get, &mut make)?;
    Ok(componentize::read(&out)?)
}

fn js(dir: &Path, bounds: &Bounds) -> Result<Vec<u8>, MakeError> {
    let package = dir.join("package.json");
    install(&dir.join("node_modules"), &package, || {
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-progress",
            "--loglevel=error",
        ])
        .current_dir(dir);
        let done = bounds.run("npm install", GET_NODE, &mut npm);
        done.map_err(|error| helped(error, "", HELP_NET))?;
        Ok(())
    })?;
    let out = fresh(dir)?;
    let mut npm = Command::new("npm");
    npm.args(["run", "--silent", "build", "--"])
        .arg(&out)
        .current_dir(dir);
    bounds.run("npm run build", GET_NODE, &mut npm)?;
    Ok(componentize::read(&out)?)
}

/// Installs packages once, and again when the file that names them changes.
fn install(
    folder: &Path,
    wanted: &Path,
    install: impl FnOnce() -> Result<(), MakeError>,
) -> Result<(), MakeError> {
    let text = fs::read(wanted).map_err(files("read", wanted))?;
    let stamp: Vec<u8> = Sha256::digest(text).to_vec();
    let kept = folder.join(STAMP);
    if fs::read(&kept).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    install()?;
    fs::write(&kept, stamp).map_err(files("write", &kept))
}

/// Where the component is to be, with nothing of an earlier build there.
fn fresh(dir: &Path) -> Result<PathBuf, MakeError> {
    let work = dir.join(WORK);
    fs::create_dir_all(&work).map_err(files("make", &work))?;
    let out = work.join(COMPONENT);
    match fs::remove_file(&out) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(files("remove", &out)(source))
        }
        _ => Ok(out),
    }
}

/// Adds the next step to a failure whose words hold that.
fn helped(mut error: ToolError, holding: &str, what: &str) -> ToolError {
    if let ToolError::Failed { said, help, .. } = &mut error
        && said.contains(holding)
    {
        what.clone_into(help);
    }
    error
}

fn files(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MakeError {
    let path = path.to_owned();
    move |source| MakeError::Files { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_one_of_the_project_itself() {
        let line = |manifest: &str, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"{manifest}","filenames":["{file}"]}}"#
            )
        };
        let said = [
            line("/p/sdk/Cargo.toml", "/t/libsdk.rlib"),
            "not a message".to_owned(),
            line("/p/Cargo.toml", "/t/own.wasm"),
            line("/p/tool/Cargo.toml", "/t/tool.wasm"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ]
        .join("\n");
        let found = |manifest: &str| module_of(said.as_bytes(), Path::new(manifest));
        assert_eq!(found("/p/Cargo.toml"), Some(PathBuf::from("/t/own.wasm")));
        assert_eq!(found("/p/sdk/Cargo.toml"), None);
    }

    #[test]
    fn packages_are_installed_once_for_what_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, wanted) = (dir.path().join("packages"), dir.path().join("wanted"));
        let mut count = 0;
        let mut go = |text: &str, works: bool| {
            fs::write(&wanted, text).unwrap();
            let done = install(&folder, &wanted, || {
                count += 1;
                fs::create_dir_all(&folder).unwrap();
                if works {
                    Ok(())
                } else {
                    Err(ToolError::Stopped.into())
                }
            });
            assert_eq!(done.is_ok(), works);
            count
        };
        assert_eq!(go("a", false), 1);
        assert_eq!(go("a", true), 2);
        assert_eq!(go("a", true), 2);
        assert_eq!(go("b", true), 3);
    }
}
