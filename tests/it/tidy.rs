//! The rules of the house that no compiler checks, as tests over the project's own files.
//!
//! Each rule takes one file and returns its complaints. A rule is shown here to complain about a
//! bad example before the tree is trusted to be free of one. It reads files only: what needs
//! compiling is clippy's (see `host/core/clippy.toml`), what needs the dependency tree is deny.toml's.
#![allow(clippy::unwrap_used)]
use std::fs;
use std::path::{Path, PathBuf};

/// Files are split by reason long before this.
const FILE_LINES_MAX: usize = 600;

/// Folders that hold what was built, fetched or recorded, not what was written.
const SKIPPED: [&str; 4] = ["target", "data", "node_modules", ".git"];

/// Rust sources live here.
const SOURCE_FOLDERS: [&str; 5] = ["host", "strategies", "tools", "tests", "benches"];

/// What makes two runs of the core differ, or makes it wait for the world.
const IMPURE: [&str; 14] = [
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
    "RandomState",
    "rand",
    "thread",
    "tokio",
    "async",
    "await",
    "Mutex",
    "mpsc",
    "println",
    "eprintln",
];

/// Crates that do I/O, draw randomness, read a clock or schedule: none may be within the core's reach.
const IMPURE_CRATES: [&str; 16] = [
    "tokio",
    "sqlx",
    "redis",
    "wasmtime",
    "wasmtime-wasi",
    "reqwest",
    "axum",
    "notify",
    "rand",
    "getrandom",
    "futures-util",
    "tokio-tungstenite",
    "rustls",
    "tracing-subscriber",
    "jiff",
    "chrono",
];

struct File {
    path: String,
    text: String,
}

type Rule = fn(&File) -> Vec<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file below `folder` that `wanted` accepts by its path from the root, in a stable order.
fn files(folder: &str, wanted: fn(&str) -> bool) -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let path = entry
                .path()
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if entry.file_type().unwrap().is_dir() {
                if !SKIPPED.contains(&entry.file_name().to_str().unwrap()) {
                    folders.push(entry.path());
                }
            } else if wanted(&path) {
                found.push(File {
                    text: fs::read_to_string(entry.path()).unwrap(),
                    path,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn rust_files() -> Vec<File> {
    SOURCE_FOLDERS
        .iter()
        .flat_map(|folder| files(folder, |path| path.ends_with(".rs")))
        .collect()
}

fn is_written_text(path: &str) -> bool {
    const ENDINGS: [&str; 13] = [
        ".rs", ".toml", ".md", ".sh", ".sql", ".wit", ".js", ".css", ".html", ".yml", ".yaml",
        "Makefile", ".ci/run",
    ];
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

fn check(files: &[File], rule: Rule) {
    assert!(!files.is_empty(), "the rule looked at no file");
    let complaints: Vec<String> = files.iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The rule complains about exactly the lines of `text` that end in `// BAD`.
fn shown(path: &str, text: &str, rule: Rule) {
    let file = File {
        path: path.to_owned(),
        text: text.replace("// BAD", ""),
    };
    let bad = text.lines().filter(|line| line.ends_with("// BAD")).count();
    let complaints = rule(&file);
    assert_eq!(complaints.len(), bad, "{complaints:#?}");
}

fn complaint(file: &File, line: usize, what: &str) -> String {
    format!("{}:{}: {what}", file.path, line + 1)
}

/// The lines before a closing block of tests, without comments, with their numbers from zero.
fn code(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    let code = &lines[..tests.unwrap_or(lines.len())];
    code.iter()
        .map(|line| line.split("//").next().unwrap_or_default())
        .enumerate()
        .collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

// --- every Rust file -----------------------------------------------------------------------------

fn opens_with_its_purpose(file: &File) -> Vec<String> {
    if file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![complaint(
        file,
        0,
        "does not open with `//!`: what it is, what it owns, what it never does",
    )]
}

fn is_short(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![complaint(
        file,
        FILE_LINES_MAX,
        &format!("{lines} lines, at most {FILE_LINES_MAX}: split it by reason"),
    )]
}

/// Written in two halves, so that this file does not hold what it looks for.
fn is_finished(file: &File) -> Vec<String> {
    let marks = [
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[ig", "nore"),
    ];
    let lines = file.text.lines().enumerate();
    lines
        .filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)))
        .map(|(number, line)| complaint(file, number, &format!("unfinished: {}", line.trim())))
        .collect()
}

#[test]
fn every_rust_file_says_what_it_is_and_is_short_and_finished() {
    shown("a.rs", "//! Says it.\nfn f() {}", opens_with_its_purpose);
    shown("a.rs", "fn f() {} // BAD", opens_with_its_purpose);
    let lines = "\n".repeat(FILE_LINES_MAX);
    shown("a.rs", &lines, is_short);
    shown("a.rs", &format!("{lines}fn f() {{}} // BAD"), is_short);
    let unfinished = format!(
        "fn f() {{ {}) }} // BAD\n{}] // BAD",
        concat!("to", "do!("),
        concat!("#[ig", "nore")
    );
    shown("a.rs", &unfinished, is_finished);

    let files = rust_files();
    check(&files, opens_with_its_purpose);
    check(&files, is_short);
    check(&files, is_finished);
}

// --- the core ------------------------------------------------------------------------------------

fn is_pure(file: &File) -> Vec<String> {
    let floats_allowed = file.path.contains("fair_value");
    let forbidden = |word: &str| {
        IMPURE.contains(&word) || (!floats_allowed && (word == "f64" || word == "f32"))
    };
    let mut complaints = Vec::new();
    for (number, line) in code(&file.text) {
        for word in words(line).filter(|word| forbidden(word)) {
            complaints.push(complaint(
                file,
                number,
                &format!("`{word}` has no place in the core"),
            ));
        }
        for module in ["std::fs", "std::net", "std::env", "std::process", "std::io"] {
            if line.contains(module) {
                complaints.push(complaint(
                    file,
                    number,
                    &format!("`{module}` has no place in the core"),
                ));
            }
        }
    }
    complaints
}

fn depends_on_nothing_impure(manifest: &File) -> Vec<String> {
    let mut section = "";
    let mut complaints = Vec::new();
    for (number, line) in manifest.text.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim();
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if section == "[dependencies]" && IMPURE_CRATES.contains(&name) {
            complaints.push(complaint(
                manifest,
                number,
                &format!("the core must not depend on {name}"),
            ));
        }
    }
    complaints
}

#[test]
fn the_core_is_pure() {
    let example = "//! HashMap in prose is fine.
use std::collections::HashMap; // BAD
fn now() -> std::time::Instant { loop {} } // BAD
let ratio: f64 = 0.5; // BAD
let bytes = std::fs::read(path); // BAD
let operand = random_free + f640;
#[cfg(test)]
mod tests {
    use std::collections::HashSet;
}";
    shown("host/core/src/book.rs", example, is_pure);
    shown(
        "host/core/src/fair_value.rs",
        "fn cdf(x: f64) -> f64 { x }",
        is_pure,
    );
    // A `#[cfg(test)]` before a declaration hides nothing that follows.
    shown(
        "host/core/src/book.rs",
        "#[cfg(test)]\nmod tests;\nuse tokio::time; // BAD",
        is_pure,
    );
    let manifest = "[dependencies]\ntokio.workspace = true // BAD\nserde = \"1\"\n[dev-dependencies]\nrand = \"1\"";
    shown("host/core/Cargo.toml", manifest, depends_on_nothing_impure);

    let sources = files("host/core/src", |path| {
        path.ends_with(".rs") && !path.ends_with("tests.rs") && !path.contains("/tests/")
    });
    check(&sources, is_pure);
    check(
        &files("host/core", |path| path == "host/core/Cargo.toml"),
        depends_on_nothing_impure,
    );
}

// --- every text ----------------------------------------------------------------------------------

/// Paths of the machine something was written on mean nothing on the next one.
fn names_no_machine(file: &File) -> Vec<String> {
    let paths = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/tmp/", "brief"),
    ];
    let lines = file.text.lines().enumerate();
    lines
        .filter(|(_, line)| paths.iter().any(|path| line.contains(path)))
        .map(|(number, line)| {
            complaint(
                file,
                number,
                &format!("a path of one machine: {}", line.trim()),
            )
        })
        .collect()
}

#[test]
fn no_text_names_a_path_of_one_machine() {
    shown(
        "a.md",
        &format!("see {}shared // BAD\nsee ../shared", concat!("/wo", "rk/")),
        names_no_machine,
    );
    check(&files("", is_written_text), names_no_machine);
}

// --- the documents -------------------------------------------------------------------------------

/// The targets of `make` that a document tells its reader to run exist.
fn names_real_targets(document: &File) -> Vec<String> {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let exists = |target: &str| {
        makefile
            .lines()
            .any(|line| line.starts_with(&format!("{target}:")))
    };
    let mut complaints = Vec::new();
    let mut in_block = false;
    for (number, line) in document.text.lines().enumerate() {
        in_block ^= line.trim_start().starts_with("```");
        let quoted = line.split('`').skip(1).step_by(2);
        let command = in_block.then(|| line.trim_start().trim_start_matches("$ "));
        let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let targets = quoted
            .chain(command)
            .filter_map(|command| command.strip_prefix("make "))
            .flat_map(|rest| rest.split_whitespace().take_while(plain));
        for target in targets.filter(|target| !exists(target)) {
            complaints.push(complaint(
                document,
                number,
                &format!("the Makefile has no target `{target}`"),
            ));
        }
    }
    complaints
}

/// What a document links to, or names as a path of the project, exists.
fn names_real_paths(document: &File) -> Vec<String> {
    let root = root();
    let here = root.join(&document.path).parent().unwrap().to_owned();
    let mut complaints = Vec::new();
    for (number, line) in document.text.lines().enumerate() {
        let links = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#', ' ']).next());
        for link in links.filter(|link| !link.is_empty() && !link.contains(':')) {
            if !here.join(link).exists() {
                complaints.push(complaint(
                    document,
                    number,
                    &format!("the link `{link}` leads nowhere"),
                ));
            }
        }
        for path in line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|quoted| is_project_path(quoted))
        {
            if !root.join(path.trim_end_matches('/')).exists() {
                complaints.push(complaint(
                    document,
                    number,
                    &format!("`{path}` does not exist"),
                ));
            }
        }
    }
    complaints
}

/// A path below a folder that holds sources, written out in full: no pattern, nothing that a build leaves.
fn is_project_path(quoted: &str) -> bool {
    const FOLDERS: [&str; 9] = [
        "host/",
        "strategies/",
        "tools/",
        "tests/",
        "benches/",
        "scripts/",
        "wit/",
        "migrations/",
        ".ci/",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    FOLDERS.iter().any(|folder| quoted.starts_with(folder))
        && quoted.chars().all(plain)
        && !quoted.ends_with(".wasm")
        && !quoted.split('/').any(|part| SKIPPED.contains(&part))
}

#[test]
fn documents_name_only_what_exists() {
    let targets = "Run `make test`, then `make build ARGS=x`, and
make sure of it. `make frobnicate` // BAD
```
make pilot
make nothing-such // BAD
```";
    shown("README.md", targets, names_real_targets);
    let paths = "[core](host/core) [web](https://example.org) `host/*/src` `strategies/a.wasm`
[gone](host/gone.rs) // BAD
`scripts/lib.sh` and `tests/it/nowhere.rs` // BAD";
    shown("README.md", paths, names_real_paths);

    let documents = files("", |path| path.ends_with(".md"));
    check(&documents, names_real_targets);
    check(&documents, names_real_paths);
}
