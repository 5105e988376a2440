//! What a component is, and whether this host takes it.
//!
//! Reads a file as the pilot does, holds its types against the contract, and then has the plug-in host
//! compile, start and try it: what is said to fit here is what a pilot loads. A component whose types
//! differ is refused before anything of it is compiled.

use super::world::Shape;
use crate::plugin::prepare::{ReadError, read};
use crate::plugin::{Candidate, Described, Limits, PluginError, Preparer, digest};
use crate::report::tame;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmparser::{BinaryReader, Parser, Payload, ProducersSectionReader};

/// How a component begins; a core module has other bytes after the first four.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// Most tools that are named, and most bytes of a name or version.
const TOOLS_MAX: usize = 32;
const TOOL_BYTES: usize = 64;

/// What is known of a file.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Which file.
    pub file: PathBuf,
    /// Its size and SHA-256, once it could be read.
    pub bytes: Option<(u64, [u8; 32])>,
    /// What its producers section says: languages and tools with their versions.
    pub built_by: Vec<String>,
    /// Its types, where they can be read.
    pub shape: Option<Shape>,
    /// What it says of itself, once it was asked.
    pub described: Option<Arc<Described>>,
    /// Why it does not start with these settings; it fits all the same.
    pub does_not_start: Option<String>,
    /// What it runs under.
    pub limits: Limits,
    /// Why it does not fit, in words; nothing when it does.
    pub problems: Vec<String>,
}

impl Sheet {
    /// Whether a pilot would take it.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.problems.is_empty()
    }

    /// All that is wrong, in a line that names the file.
    #[must_use]
    pub fn refusal(&self) -> String {
        let why = match &self.does_not_start {
            Some(why) if self.fits() => why.clone(),
            _ => self.problems.join("; "),
        };
        format!("{}: {why}", self.file.display())
    }
}

/// Looks at a file; with settings, it is started with them. What is ready to run comes with the sheet.
#[must_use]
pub fn check(
    path: &Path,
    preparer: &Preparer,
    settings: &[(String, String)],
) -> (Sheet, Option<Candidate>) {
    let host = preparer.host();
    let mut sheet = Sheet {
        file: path.to_owned(),
        bytes: None,
        built_by: Vec::new(),
        shape: None,
        described: None,
        does_not_start: None,
        limits: *host.limits(),
        problems: Vec::new(),
    };
    let bytes = match read(path, host.file_bytes_max()) {
        Ok((_, bytes)) => bytes,
        Err(error) => {
            sheet.problems.push(unreadable(path, &error));
            return (sheet, None);
        }
    };
    sheet.bytes = Some((bytes.len() as u64, digest(&bytes)));
    sheet.limits = host.limits_for(bytes.len());
    if bytes.is_empty() {
        let why = "it is empty. Build it again, or copy it again";
        sheet.problems.push(why.to_owned());
        return (sheet, None);
    }
    if bytes.starts_with(COMPONENT) {
        sheet.built_by = built_by(&bytes);
        // Where the types can not be read, compiling says what is wrong.
        sheet.shape = Shape::of(&bytes).ok();
    }
    if let Some(shape) = &sheet.shape
        && !shape.differences.is_empty()
    {
        sheet.problems.clone_from(&shape.differences);
        sheet.problems.push(advice(shape));
        return (sheet, None);
    }
    let candidate = try_out(&mut sheet, preparer, bytes, settings);
    (sheet, candidate)
}

/// Has the host do with it what it does with every strategy.
fn try_out(
    sheet: &mut Sheet,
    preparer: &Preparer,
    bytes: Vec<u8>,
    settings: &[(String, String)],
) -> Option<Candidate> {
    // Only a component that says no to its settings is looked at once more.
    let again = bytes.clone();
    match preparer.prepare(&sheet.file, bytes, &settings.to_vec()) {
        Ok(candidate) => {
            sheet.described = Some(Arc::clone(&candidate.compiled.described));
            return Some(candidate);
        }
        Err(error @ PluginError::InitRefused(_)) => {
            sheet.does_not_start = Some(error.story());
            match preparer.host().compile(&again) {
                Ok(compiled) => sheet.described = Some(compiled.described),
                Err(error) => sheet.problems.push(error.story()),
            }
        }
        Err(error) => sheet.problems.push(error.story()),
    }
    None
}

fn unreadable(path: &Path, error: &ReadError) -> String {
    match error {
        ReadError::Gone => "there is no such file. Name the component that the build made, \
                            `make strategies` builds those of this project"
            .to_owned(),
        ReadError::NotRegular if path.is_dir() => {
            "it is a folder. Name the .wasm file in it".to_owned()
        }
        ReadError::NotRegular => "it is no regular file. Name the component itself".to_owned(),
        ReadError::Unsteady => {
            "it changed while it was read. Try again when it is written".to_owned()
        }
        ReadError::Io(_) => format!(
            "{}. Make it readable for this user",
            crate::causes::chain(error)
        ),
        ReadError::TooLarge(_) => error.to_string(),
    }
}

fn advice(shape: &Shape) -> String {
    let strange = shape.imports.iter().any(|import| !import.granted);
    let missing = shape.version.is_none();
    match (strange, missing) {
        (_, true) => "is it a strategy? Implement the SDK's trait and name it in `export!`",
        (true, _) if shape.differences.len() == 1 => {
            "remove the dependency that needs it: a strategy gets pm-arb:strategy/host and a WASI 0.2 \
             without files, network and real time"
        }
        _ => "rebuild it against this host's wit/strategy.wit",
    }
    .to_owned()
}

/// What the producers sections of a component and its modules name, each once.
fn built_by(component: &[u8]) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let Ok(Payload::CustomSection(section)) = payload else {
            if payload.is_err() {
                break;
            }
            continue;
        };
        if section.name() != "producers" {
            continue;
        }
        let data = BinaryReader::new(section.data(), section.data_offset());
        let Ok(fields) = ProducersSectionReader::new(data) else {
            continue;
        };
        for field in fields.into_iter().flatten() {
            for tool in field.values.into_iter().flatten() {
                let text = named_tool(tool.name, tool.version);
                if !named.contains(&text) && named.len() < TOOLS_MAX {
                    named.push(text);
                }
            }
        }
    }
    named
}

fn named_tool(name: &str, version: &str) -> String {
    let cut = |text: &str| {
        let end = text.floor_char_boundary(TOOL_BYTES);
        tame(text.get(..end).unwrap_or_default())
    };
    // "1.95.0 (59807616e 2026-04-14)": the number is enough.
    let version = version.split(" (").next().unwrap_or_default();
    format!("{} {}", cut(name), cut(version)).trim().to_owned()
}
