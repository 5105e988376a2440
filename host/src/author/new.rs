//! `pm-arb strategy new`: a small project that builds, passes its own test and trades.
//!
//! Owns the check of its name and the writing of its files, which the program carries (build.rs). The
//! strategy is the same in every language. It never overwrites: the folder must not exist.

use super::project::Language;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/projects.rs"));

/// The contract, which every project carries.
const WIT: (&str, &str) = (
    "wit/strategy.wit",
    include_str!("../../../wit/strategy.wit"),
);
/// What a template says where the name belongs.
const NAME: &str = "{{name}}";
/// Longest name; file names and manifests have room for more.
const NAME_MAX: usize = 40;
/// Names that a Rust package can not have, or that mean something else beside the SDK. Refused in every
/// language, so that an idea can change its language and keep its name.
const TAKEN: [&str; 60] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "pm-arb",
    "pm-arb-sdk",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "wit-bindgen",
    "yield",
];
/// Why there is no new project.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The name can not be one.
    #[error(
        "{name:?} can not be the name of a strategy: {why}. Write 1 to {NAME_MAX} lower case letters, digits \
         and hyphens, such as late-buyer"
    )]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something is there.
    #[error("{} exists, and nothing is ever overwritten. Take another name, or another folder with --dir", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// A file can not be written.
    #[error("cannot write {}. What was written of the project is removed again", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Whether a strategy, and a package in every language, can be called that.
pub fn check_name(name: &str) -> Result<(), NewError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let why = if name.is_empty() {
        "it is empty"
    } else if !name.chars().all(allowed) {
        "it holds other characters"
    } else if name.len() > NAME_MAX {
        "it is too long"
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "it begins with no letter"
    } else if name.ends_with('-') || name.contains("--") {
        "a hyphen stands between letters or digits"
    } else if TAKEN.contains(&name) {
        "the word is taken, by the language Rust or by this project"
    } else {
        return Ok(());
    };
    Err(NewError::Name {
        name: name.to_owned(),
        why,
    })
}

/// The files of a project: where each belongs, and what it says.
#[must_use]
pub fn files(name: &str, language: Language) -> Vec<(&'static str, String)> {
    let (template, sdk) = match language {
        Language::Rust => (RUST, SDK),
        Language::Python => (PYTHON, &[][..]),
        Language::Js => (JS, &[][..]),
    };
    let own = template
        .iter()
        .map(|(path, text)| (*path, text.replace(NAME, name)));
    let given = sdk.iter().chain([&WIT]);
    own.chain(given.map(|(path, text)| (*path, (*text).to_owned())))
        .collect()
}

/// Writes a project into a folder of its own, which must not exist; answers how many files it has.
pub fn create(name: &str, language: Language, folder: &Path) -> Result<usize, NewError> {
    check_name(name)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| NewError::Write { path, source }
    };
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(failed(parent))?;
    }
    fs::create_dir(folder).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => NewError::Exists {
            path: folder.to_owned(),
        },
        _ => failed(folder)(source),
    })?;
    let files = files(name, language);
    for (place, text) in &files {
        let path = folder.join(place);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text));
        if let Err(source) = written {
            // The folder was made a moment ago, by this very call. That it stays is not the news.
            let _ = fs::remove_dir_all(folder);
            return Err(failed(&path)(source));
        }
    }
    Ok(files.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_a_component_and_a_package_can_have() {
        for name in ["a", "late-buyer", "x2", "first-edge-3"] {
            check_name(name).unwrap();
        }
        for (name, why) in [
            ("", "empty"),
            ("Late", "other characters"),
            ("late_buyer", "other characters"),
            ("../late", "other characters"),
            ("2late", "begins with no letter"),
            ("-late", "begins with no letter"),
            ("late-", "hyphen"),
            ("la--te", "hyphen"),
            ("async", "taken"),
            ("while", "taken"),
            ("pm-arb-sdk", "taken"),
            (&"a".repeat(NAME_MAX + 1), "too long"),
        ] {
            let said = check_name(name).unwrap_err().to_string();
            assert!(said.contains(why) && said.contains("late-buyer"), "{said}");
        }
    }

    #[test]
    fn a_project_is_complete_and_names_itself() {
        for language in Language::ALL {
            let files = files("first-edge", language);
            let text = |place: &str| &files.iter().find(|(path, _)| *path == place).unwrap().1;
            assert!(text("README.md").starts_with("# first-edge\n"));
            assert_eq!(text("wit/strategy.wit"), WIT.1);
            assert!(text(".gitignore").contains(".wasm"));
            for (place, text) in &files {
                assert!(!text.contains("{{") || place.ends_with(".rs"), "{place}");
                assert!(!place.ends_with(".in") && !text.contains(NAME), "{place}");
            }
        }
        // What the SDK takes from the workspace around it is the same here and there.
        let ours = include_str!("../../../strategies/Cargo.toml");
        let files = files("first-edge", Language::Rust);
        let theirs = &files
            .iter()
            .find(|(path, _)| *path == "Cargo.toml")
            .unwrap()
            .1;
        for key in ["wit-bindgen = ", "edition = ", "rust-version = "] {
            let line = |text: &str| text.lines().find(|l| l.starts_with(key)).map(str::to_owned);
            assert_eq!(line(theirs), line(ours));
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("deep/first-edge");
        let count = create("first-edge", Language::Python, &folder).unwrap();
        assert_eq!(count, files("first-edge", Language::Python).len());
        fs::write(folder.join("src/app.py"), "mine").unwrap();
        let error = create("first-edge", Language::Js, &folder).unwrap_err();
        assert!(matches!(error, NewError::Exists { .. }), "{error}");
        assert_eq!(fs::read(folder.join("src/app.py")).unwrap(), b"mine");
        assert!(!folder.join("package.json").exists());

        let empty = root.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(create("first-edge", Language::Js, &empty).is_err());
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
        assert!(create("Wrong", Language::Js, &root.path().join("w")).is_err());
        assert!(!root.path().join("w").exists());
    }
}
