//! What the documents say is true: their commands run, their snippets are parts of the sources, their
//! settings are the defaults.

use crate::support::{pm_arb, root, strategies};
use std::path::PathBuf;

/// Documents with commands or settings.
fn documents() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    all.extend(
        std::fs::read_dir(root().join("docs"))
            .unwrap()
            .map(|e| e.unwrap().path()),
    );
    all.retain(|path| path.extension().is_some_and(|e| e == "md"));
    all.sort();
    all
}

/// The fenced blocks of that language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == fence {
            found.push(
                lines
                    .by_ref()
                    .take_while(|l| l.trim() != "```")
                    .collect::<Vec<_>>()
                    .join("\n"),
            );
        }
    }
    found
}

/// Splits a command into words as a shell does with the quotes that the documents use.
fn words(command: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    all.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

#[test]
fn every_console_command_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(strategies(), dir.path().join("strategies")).unwrap();
    let mut ran = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for block in blocks(&text, "console") {
            for line in block.lines().filter_map(|l| l.strip_prefix("$ ")) {
                let words = words(line);
                assert_eq!(words[0], "pm-arb", "{}: {line}", path.display());
                let args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
                let output = pm_arb(&args).current_dir(dir.path()).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(
                    output.status.success(),
                    "{}: {line}\n{said}",
                    path.display()
                );
                ran += 1;
            }
        }
    }
    assert!(
        ran >= 4,
        "only {ran} commands were found: do the documents still mark them as `console`?"
    );
}

/// A line without its indentation, and without the mark of a documentation comment.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let marked = line
        .strip_prefix("//!")
        .or_else(|| line.strip_prefix("///"));
    marked.unwrap_or(line).trim()
}

#[test]
fn every_rust_snippet_stands_in_the_file_it_names() {
    let mut found = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for path in text.lines().filter_map(|l| l.strip_prefix("```rust")) {
            let source = std::fs::read_to_string(root().join(path.trim()))
                .unwrap_or_else(|e| panic!("{}: {path:?}: {e}", document.display()));
            let source: Vec<&str> = source.lines().map(bare).collect();
            for snippet in blocks(&text, &format!("rust{path}")) {
                let snippet: Vec<&str> = snippet.lines().map(bare).collect();
                assert!(
                    source.windows(snippet.len()).any(|part| part == snippet),
                    "{}:{path} has no such lines: {snippet:#?}",
                    document.display()
                );
                found += 1;
            }
        }
    }
    assert!(found >= 4, "only {found} snippets were found");
}

#[test]
fn the_documented_settings_are_the_defaults() {
    let text = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let block = blocks(&text, "toml").remove(0);
    // The template is tested to be the defaults where it lies.
    assert_eq!(block.trim(), pm_arb::config::TEMPLATE.trim());
}
