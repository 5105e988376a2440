//! A strategy's project: which language it is in, and whether its sources changed.
//!
//! Owns the look at its folder. It never builds and never writes.

use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Most files of a project that are looked at; a larger one is refused.
pub const FILES_MAX: usize = 4_096;
/// Most bytes of them together.
pub const BYTES_MAX: u64 = 64 << 20;
/// What is made, not written: a change of it is no reason to build.
const MADE: [&str; 6] = [
    "target",
    "node_modules",
    "__pycache__",
    "dist",
    "Cargo.lock",
    "package-lock.json",
];

/// What a strategy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// With the SDK, or `wit_bindgen` alone.
    Rust,
    /// Made a component by componentize-py.
    Python,
    /// Made a component by componentize-js.
    Js,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rust, Self::Python, Self::Js];

    /// As people write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::Js => "JavaScript",
        }
    }

    /// The file by which a project of it is known.
    #[must_use]
    pub fn marker(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Python => "requirements.txt",
            Self::Js => "package.json",
        }
    }
}

/// A folder that is no project, or not one that can be handled.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Nothing to build.
    #[error(
        "{} holds no strategy's project: none of Cargo.toml, requirements.txt and package.json is there. \
         `pm-arb strategy new NAME --lang rust` writes one", dir.display()
    )]
    None {
        /// The folder.
        dir: PathBuf,
    },
    /// Several to choose from.
    #[error("{} holds {found}, which belong to different languages. Leave the one it is in", dir.display())]
    Several {
        /// The folder.
        dir: PathBuf,
        /// Which.
        found: String,
    },
    /// More than anybody writes.
    #[error(
        "{} holds more than {FILES_MAX} files or {BYTES_MAX} bytes besides what is built. Is it the folder \
         of one strategy?", dir.display()
    )]
    TooMuch {
        /// The folder.
        dir: PathBuf,
    },
    /// It can not be looked at.
    #[error("cannot read {}", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A folder and the language of what is in it.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its folder, absolute.
    pub dir: PathBuf,
    /// Its language.
    pub language: Language,
}

/// What is written in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// Folders with sources, the project's own first.
    pub folders: Vec<PathBuf>,
    /// SHA-256 of all names and contents.
    pub digest: [u8; 32],
}

impl Project {
    /// The project in a folder.
    pub fn find(dir: &Path) -> Result<Self, ProjectError> {
        let dir = fs::canonicalize(dir).map_err(|source| ProjectError::Read {
            path: dir.to_owned(),
            source,
        })?;
        let found: Vec<Language> = Language::ALL
            .into_iter()
            .filter(|language| dir.join(language.marker()).is_file())
            .collect();
        match found.as_slice() {
            [language] => Ok(Self {
                dir,
                language: *language,
            }),
            [] => Err(ProjectError::None { dir }),
            several => {
                let names: Vec<_> = several.iter().map(|language| language.marker()).collect();
                let found = names.join(" and ");
                Err(ProjectError::Several { dir, found })
            }
        }
    }

    /// Looks at everything that is written in it; what is built or hidden is left out.
    pub fn sources(&self) -> Result<Sources, ProjectError> {
        let mut folders = vec![self.dir.clone()];
        let mut digest = Sha256::new();
        let (mut next, mut files, mut bytes) = (0, 0, 0);
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            for path in entries(&folder)? {
                let read = |source| ProjectError::Read {
                    path: path.clone(),
                    source,
                };
                files += 1;
                // What went away since it was listed is a change that is told of again.
                let Ok(about) = fs::symlink_metadata(&path) else {
                    continue;
                };
                if about.is_file() {
                    bytes += about.len();
                }
                if files > FILES_MAX || bytes > BYTES_MAX {
                    return Err(ProjectError::TooMuch {
                        dir: self.dir.clone(),
                    });
                }
                if about.is_dir() {
                    folders.push(path);
                } else if about.is_file() {
                    let text = match fs::read(&path) {
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                        other => other.map_err(read)?,
                    };
                    digest.update(path.as_os_str().as_encoded_bytes());
                    digest.update((text.len() as u64).to_le_bytes());
                    digest.update(text);
                }
            }
        }
        Ok(Sources {
            folders,
            digest: digest.finalize().into(),
        })
    }
}

/// Whether it is called as what people write, not as what is built or hidden.
pub(super) fn is_written(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // cargo's own settings are hidden and written all the same.
    let hidden = name.starts_with('.') && name != ".cargo";
    !hidden && !MADE.contains(&&*name) && !name.ends_with(".wasm")
}

/// What is written in a folder, in order of names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| ProjectError::Read {
            path: folder.to_owned(),
            source,
        })?,
    };
    let mut found: Vec<PathBuf> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_written(path))
        .take(FILES_MAX + 1)
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::new;
    use super::*;

    #[test]
    fn a_project_is_known_by_its_file_and_changes_with_its_sources_alone() {
        let root = tempfile::tempdir().unwrap();
        for language in Language::ALL {
            let dir = root.path().join(language.as_str());
            new::create("first-edge", language, &dir).unwrap();
            let project = Project::find(&dir).unwrap();
            assert_eq!(project.language, language);
            let before = project.sources().unwrap();
            assert!(before.folders.contains(&project.dir.join("src")));

            for made in [
                "first-edge.wasm",
                ".pm-arb/x",
                "target/x",
                "src/__pycache__/x",
                "Cargo.lock",
            ] {
                let path = dir.join(made);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "made").unwrap();
            }
            assert_eq!(project.sources().unwrap(), before, "{}", language.as_str());
            fs::write(dir.join("src/more"), "").unwrap();
            let more = project.sources().unwrap();
            assert_ne!(more.digest, before.digest);
            fs::rename(dir.join("src/more"), dir.join("src/other")).unwrap();
            assert_ne!(project.sources().unwrap().digest, more.digest);
        }
    }

    #[test]
    fn other_folders_are_refused_in_words() {
        let root = tempfile::tempdir().unwrap();
        let said = |dir: &Path| Project::find(dir).unwrap_err().to_string();
        assert!(said(root.path()).contains("strategy new NAME"));
        assert!(said(&root.path().join("nowhere")).contains("nowhere"));
        for file in ["Cargo.toml", "package.json"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        assert!(said(root.path()).contains("Cargo.toml and package.json"));
        fs::remove_file(root.path().join("Cargo.toml")).unwrap();
        for n in 0..=FILES_MAX {
            fs::write(root.path().join(n.to_string()), "").unwrap();
        }
        let project = Project::find(root.path()).unwrap();
        assert!(matches!(
            project.sources(),
            Err(ProjectError::TooMuch { .. })
        ));
    }
}
