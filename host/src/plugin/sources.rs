//! What `--strategies` names: files, folders and patterns, each with settings if wanted.
//!
//! ```text
//! strategies/                               every *.wasm of a folder
//! 'strategies/*.wasm'                       a pattern (`*` and `?` within one path component)
//! oracle-sniper.wasm?edge_min=0.02&haircut=0.015   a file and its settings
//! ```
//!
//! Owns the syntax and the look at the folders. It never opens a strategy.

use super::limits::PARAMS_MAX;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Most strategy files of a run; the rest is refused.
pub const FILES_MAX: usize = 256;
/// What a strategy file is called.
const SUFFIX: &str = ".wasm";

/// Settings as they are handed to a strategy.
pub type Params = Vec<(String, String)>;

/// An argument that can not be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Settings without `key=value`.
    #[error("--strategies {arg}: write settings as FILE.wasm?key=value&key=value")]
    Settings {
        /// The argument.
        arg: String,
    },
    /// Nothing there.
    #[error(
        "--strategies {arg}: no such file or folder, and no file matches it. `make guests` builds \
         the strategies of this project into strategies/*.wasm"
    )]
    Missing {
        /// The argument.
        arg: String,
    },
    /// Too many files.
    #[error("--strategies names {found} files; at most {FILES_MAX} can run")]
    TooMany {
        /// How many.
        found: usize,
    },
}

/// One argument.
#[derive(Debug, Clone)]
struct Pattern {
    arg: String,
    path: PathBuf,
    params: Params,
}

/// The arguments, parsed.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    patterns: Vec<Pattern>,
}

impl Sources {
    /// Reads the arguments. Says nothing yet about what is there.
    pub fn parse<S: AsRef<str>>(args: &[S]) -> Result<Self, SourceError> {
        let patterns = args
            .iter()
            .map(|arg| pattern(arg.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self { patterns })
    }

    /// Whether every argument names at least one file now, and all together not too many.
    pub fn check(&self) -> Result<(), SourceError> {
        for pattern in &self.patterns {
            if expand(&pattern.path).is_empty() {
                return Err(SourceError::Missing {
                    arg: pattern.arg.clone(),
                });
            }
        }
        let found = self.all().len();
        if found > FILES_MAX {
            return Err(SourceError::TooMany { found });
        }
        Ok(())
    }

    /// The files named now, in order, each once, with their settings; no more than [`FILES_MAX`].
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, Params> {
        self.all().into_iter().take(FILES_MAX).collect()
    }

    fn all(&self) -> BTreeMap<PathBuf, Params> {
        let mut files = BTreeMap::new();
        for pattern in &self.patterns {
            for path in expand(&pattern.path) {
                let params: &mut Params = files.entry(path).or_default();
                params.extend(pattern.params.iter().cloned());
            }
        }
        files
    }

    /// The folders whose changes matter. A watch on a file would die when it is replaced.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self
            .patterns
            .iter()
            .map(|p| {
                if p.path.is_dir() {
                    p.path.clone()
                } else {
                    base(&p.path)
                }
            })
            .collect();
        folders.extend(self.files().into_keys().map(|file| base(&file)));
        folders.sort();
        folders.dedup();
        folders
    }
}

/// The folder above, before the first wildcard.
fn base(path: &Path) -> PathBuf {
    let mut folder = path.parent().unwrap_or(Path::new("")).to_owned();
    while folder.to_string_lossy().contains(['*', '?']) && folder.pop() {}
    if folder.as_os_str().is_empty() {
        folder.push(".");
    }
    folder
}

fn pattern(arg: &str) -> Result<Pattern, SourceError> {
    let separator = format!("{SUFFIX}?");
    let Some((stem, query)) = arg.split_once(&separator) else {
        return Ok(Pattern {
            arg: arg.to_owned(),
            path: arg.into(),
            params: Params::new(),
        });
    };
    let pair = |text: &str| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Some((key.to_owned(), value.to_owned())),
        _ => None,
    };
    let params: Option<Params> = query.split('&').map(pair).collect();
    match params {
        Some(params) if params.len() <= PARAMS_MAX => Ok(Pattern {
            arg: arg.to_owned(),
            path: format!("{stem}{SUFFIX}").into(),
            params,
        }),
        _ => Err(SourceError::Settings {
            arg: arg.to_owned(),
        }),
    }
}

/// The strategy files that a path, folder or pattern stands for now.
fn expand(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let wildcard = path.to_string_lossy().contains(['*', '?']);
    let whole_folder = path.is_dir();
    if !wildcard && !whole_folder {
        return Vec::new();
    }
    let pattern = if whole_folder {
        path.join("*.wasm")
    } else {
        path.to_owned()
    };
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let Component::Normal(name) = part else {
            found.iter_mut().for_each(|f| f.push(part));
            continue;
        };
        let name = name.to_string_lossy();
        // A folder that was named and happens to hold such a character is itself.
        found = found
            .iter()
            .flat_map(|folder| children(folder, &name))
            .collect();
        found.truncate(FILES_MAX * 4);
    }
    found.retain(|file| file.is_file() && file.to_string_lossy().ends_with(SUFFIX));
    found.sort();
    found
}

fn children(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let exact = folder.join(pattern);
    if !pattern.contains(['*', '?']) || exact.exists() {
        return vec![exact];
    }
    let listed = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(entries) = std::fs::read_dir(listed) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        // As in a shell, a pattern does not find hidden files: half-written ones hide.
        .filter(|name| !name.starts_with('.') && matches(pattern.as_bytes(), name.as_bytes()))
        .map(|name| folder.join(name))
        .collect()
}

/// Whether a name fits a pattern of `*` (any characters) and `?` (one). Linear in their product.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Which prefixes of the name the pattern so far fits.
    let mut fits = vec![false; name.len() + 1];
    fits[0] = true;
    for p in pattern {
        let mut next = vec![false; name.len() + 1];
        let mut any = false;
        for (i, fit) in fits.iter().enumerate() {
            any |= *fit;
            if *p == b'*' {
                next[i] = any;
            } else if *fit && name.get(i).is_some_and(|n| *p == b'?' || p == n) {
                next[i + 1] = true;
            }
        }
        fits = next;
    }
    fits.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_patterns_and_settings_are_understood() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("here");
        std::fs::create_dir(&folder).unwrap();
        let at = |name: &str| folder.join(name);
        for name in [
            "a.wasm", "b.wasm", "bb.wasm", "c.txt", ".d.wasm", "x?y.wasm",
        ] {
            std::fs::write(at(name), b"").unwrap();
        }
        let files = |arg: String| -> Vec<String> {
            Sources::parse(&[arg])
                .unwrap()
                .files()
                .into_keys()
                .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
                .collect()
        };
        let arg = |name: &str| at(name).display().to_string();
        assert_eq!(files(arg("")), ["a.wasm", "b.wasm", "bb.wasm", "x?y.wasm"]);
        assert_eq!(files(arg("b*.wasm")), ["b.wasm", "bb.wasm"]);
        assert_eq!(files(arg("?.wasm")), ["a.wasm", "b.wasm"]);
        assert_eq!(files(arg("x?y.wasm")), ["x?y.wasm"]);
        assert_eq!(files(arg("c*")), [""; 0], "no strategy file");
        assert_eq!(files(arg("../*/a.wasm")).len(), 1);

        let sources = Sources::parse(&[arg("a.wasm?edge_min=0.02&haircut=0"), arg("")]).unwrap();
        let settings = sources.files()[&at("a.wasm")].clone();
        assert_eq!(
            settings,
            [
                ("edge_min".into(), "0.02".into()),
                ("haircut".into(), "0".into())
            ]
        );
        assert_eq!(sources.folders(), [folder]);
    }

    #[test]
    fn what_names_nothing_is_an_error_in_words() {
        let check = |arg: &str| Sources::parse(&[arg]).and_then(|s| s.check()).unwrap_err();
        assert!(
            check("/nowhere/x.wasm")
                .to_string()
                .contains("/nowhere/x.wasm")
        );
        assert!(matches!(
            check("/nowhere/*.wasm"),
            SourceError::Missing { .. }
        ));
        assert!(matches!(check("x.wasm?edge"), SourceError::Settings { .. }));
    }

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("*.wasm", "a.wasm", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-c-", false),
            ("?", "", false),
            ("", "", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                fits,
                "{pattern} {name}"
            );
        }
    }
}
