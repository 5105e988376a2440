//! Lists the files that `pm-arb strategy new` writes, so that the program carries them: a template a
//! language, the SDK's sources and the contract.
//!
//! Owns the generated `projects.rs`. A template's place is its place in the project, less `.in`.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the list, folder of the files, folder they get in a project.
const LISTS: [(&str, &str, &str); 4] = [
    ("RUST", "src/author/templates/rust", ""),
    ("PYTHON", "src/author/templates/python", ""),
    ("JS", "src/author/templates/js", ""),
    ("SDK", "../strategies/sdk", "pm-arb/sdk"),
];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut text = String::new();
    for (name, from, to) in LISTS {
        let root = here.join(from);
        println!("cargo::rerun-if-changed={}", root.display());
        let mut files = Vec::new();
        walk(&root, &mut files)?;
        files.sort();
        text.push_str(&format!("const {name}: &[(&str, &str)] = &[\n"));
        for file in files {
            let inside = file.strip_prefix(&root).unwrap_or(&file);
            let place = Path::new(to).join(inside).display().to_string();
            let place = place.strip_suffix(".in").unwrap_or(&place);
            text.push_str(&format!("    ({place:?}, include_str!({file:?})),\n"));
        }
        text.push_str("];\n");
    }
    fs::write(out.join("projects.rs"), text)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                walk(&path, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}
