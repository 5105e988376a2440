//! The documents hang together: every link leads somewhere, every page is in the book, every test that a page
//! names exists.

use crate::support::root;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn pages() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
    ]
    .iter()
    .map(|name| root().join(name))
    .collect();
    let docs = fs::read_dir(root().join("docs")).unwrap();
    all.extend(docs.map(|e| e.unwrap().path()));
    all.retain(|path| path.extension().is_some_and(|e| e == "md"));
    all.sort();
    all
}

/// Text outside of fenced blocks.
fn prose(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn links(prose: &str) -> Vec<&str> {
    let targets = prose.split("](").skip(1);
    targets.filter_map(|rest| rest.split(')').next()).collect()
}

/// What a heading is called in an address, as mdBook and forges have it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter_map(|c| match c {
            ' ' | '-' => Some('-'),
            '_' => Some('_'),
            c if c.is_alphanumeric() => Some(c),
            _ => None,
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    for page in pages() {
        for link in links(&prose(&page)) {
            if link.contains("://") {
                continue;
            }
            let (file, part) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(file)
            };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            if !part.is_empty() {
                let text = prose(&target);
                let mut headings = text.lines().filter(|l| l.starts_with('#')).map(anchor);
                assert!(
                    headings.any(|name| name == part),
                    "{}: {link}: {} has no such heading",
                    page.display(),
                    target.display()
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "only {followed} links were found");
}

#[test]
fn every_page_is_in_the_book() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let listed: BTreeSet<&str> = links(&summary).into_iter().collect();
    let kept: BTreeSet<String> = pages()
        .iter()
        .filter(|p| p.parent().unwrap().ends_with("docs"))
        .map(|p| p.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert_eq!(
        listed,
        kept.iter().map(String::as_str).collect::<BTreeSet<_>>()
    );
}

#[test]
fn every_test_that_is_named_exists() {
    let mut sources = String::new();
    for folder in ["tests", "host", "strategies", "tools"] {
        collect(&root().join(folder), &mut sources);
    }
    let page = prose(&root().join("docs/reliability.md"));
    let mut named = 0;
    for name in page.split('`').skip(1).step_by(2) {
        // A test's name has many words; other code does not.
        if name.matches('_').count() >= 3 {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "docs/reliability.md names {name}, which is no test"
            );
            named += 1;
        }
    }
    assert!(named >= 20, "only {named} tests are named");
}

fn collect(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}
