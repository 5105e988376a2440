//! The pictures of docs/ are drawn from the code as it is: which module of the shell uses which, how large each
//! is, and the parts an event passes, each of which must exist.
//!
//! `PM_ARB_BLESS=1` writes them anew; without it a picture that no longer tells the truth fails.

use crate::support::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const STYLE: &str = "<style>\
    text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#222}\
    .small{font-size:10px;fill:#555}.box{fill:#eef3fa;stroke:#5577aa}.core{fill:#e8f5ec;stroke:#3d8b5f}\
    .line{stroke:#5577aa;fill:none}.grid{stroke:#ccc}.cell{fill:#5577aa}\
    @media(prefers-color-scheme:dark){text{fill:#ddd}.small{fill:#aaa}.box{fill:#1d2a3d;stroke:#7799cc}\
    .core{fill:#1b3326;stroke:#5fb083}.line{stroke:#7799cc}.grid{stroke:#444}.cell{fill:#7799cc}}</style>";

fn same_or_blessed(name: &str, drawn: &str) {
    let path = root().join("docs/pictures").join(name);
    if std::env::var_os("PM_ARB_BLESS").is_some() {
        fs::write(&path, drawn).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == drawn,
        "docs/pictures/{name} no longer shows the code; draw it again: PM_ARB_BLESS=1 cargo test --test it pictures"
    );
}

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<PathBuf> = entries.flat_map(|p| sources(&p)).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == "rs"));
    all
}

/// The shell's modules: the others that each names by `crate::`, and whether it is large.
fn modules() -> BTreeMap<String, (BTreeSet<String>, usize)> {
    let shell = root().join("host/src");
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(shell).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "main" || name == "lib" {
            continue;
        }
        let mut uses = BTreeSet::new();
        let mut files = 0;
        for file in sources(&path) {
            // `cli.rs` beside `cli/` is one module.
            files += 1;
            let text = fs::read_to_string(file).unwrap();
            for part in text.split("crate::").skip(1) {
                let used: String = part
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                    .collect();
                uses.insert(used);
            }
        }
        let entry: &mut (BTreeSet<String>, usize) = all.entry(name).or_default();
        entry.0.extend(uses);
        entry.1 += files;
    }
    let names: BTreeSet<String> = all.keys().cloned().collect();
    for (name, (uses, _)) in &mut all {
        uses.retain(|used| names.contains(used) && used != name);
    }
    all
}

/// Who uses whom: a module a row, what it uses as marked columns. Modules that use little stand on top, so that
/// marks right of the diagonal are uses against the grain.
#[test]
fn layout() {
    const CELL: usize = 16;
    let modules = modules();
    // What a module leans on, directly or not.
    let depth = |name: &str| {
        let mut seen = BTreeSet::new();
        let mut left = vec![name.to_owned()];
        while let Some(next) = left.pop() {
            for used in &modules[&next].0 {
                if seen.insert(used.clone()) {
                    left.push(used.clone());
                }
            }
        }
        seen.len()
    };
    let mut order: Vec<&String> = modules.keys().collect();
    order.sort_by_key(|name| (depth(name), modules[*name].0.len(), (*name).clone()));
    let (left, top, n) = (150, 100, order.len());
    let (width, height) = (left + n * CELL + 70, top + n * CELL + 20);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"Which module of the shell uses which\">{STYLE}\n"
    );
    for (i, name) in order.iter().enumerate() {
        let (uses, files) = &modules[*name];
        let (y, x) = (top + i * CELL, left + i * CELL);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text><text class=\"small\" x=\"{}\" y=\"{}\" \
             text-anchor=\"end\">{}</text>",
            left - 30,
            y + 12,
            left - 6,
            y + 12,
            size(*files),
        );
        let _ = writeln!(
            svg,
            "<text transform=\"translate({},{}) rotate(-60)\">{name}</text>\
             <path class=\"grid\" d=\"M{left},{y}h{}M{x},{top}v{}\"/>",
            x + 12,
            top - 6,
            n * CELL,
            n * CELL,
        );
        let _ = writeln!(
            svg,
            "<rect class=\"core\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\"/>"
        );
        for (j, used) in order.iter().enumerate() {
            if uses.contains(*used) {
                let x = left + j * CELL + 4;
                let _ = writeln!(
                    svg,
                    "<rect class=\"cell\" x=\"{x}\" y=\"{}\" width=\"8\" height=\"8\"><title>{name} uses {used}</title></rect>",
                    y + 4
                );
            }
        }
    }
    svg.push_str("</svg>\n");
    same_or_blessed("layout.svg", &svg);
}

/// In dots, so that a new file does not change the picture.
fn size(files: usize) -> &'static str {
    match files {
        0..=2 => "·",
        3..=9 => "··",
        _ => "···",
    }
}

/// A part an event passes: name, where it lives, column, row, whether it is of the core.
type Part = (&'static str, &'static str, usize, usize, bool);

const PARTS: [Part; 15] = [
    ("venues", "host/src/venue", 0, 0, false),
    ("oracles", "host/src/oracle", 0, 1, false),
    ("control socket", "host/src/control.rs", 0, 2, false),
    ("strategy files", "host/src/plugin", 0, 3, false),
    ("runner: stamps", "host/src/pilot/runner.rs", 1, 0, false),
    ("journal: durable", "host/src/journal", 1, 2, false),
    ("books, oracles", "host/core/src/market_data", 2, 0, true),
    ("scanner", "host/core/src/scanner", 2, 1, true),
    ("strategies called", "host/core/src/strategy.rs", 2, 2, true),
    ("allocator, risk", "host/core/src/risk", 2, 3, true),
    ("paper executor", "host/core/src/paper.rs", 3, 3, true),
    ("ledger", "host/core/src/ledger.rs", 3, 2, true),
    ("settlement", "host/core/src/settlement", 3, 1, true),
    ("database", "host/src/store", 4, 1, false),
    ("bus, dashboard", "host/src/web", 4, 2, false),
];

const ARROWS: [(usize, usize); 16] = [
    (0, 4),
    (1, 4),
    (2, 4),
    (3, 4),
    (4, 5),
    (5, 6),
    (6, 7),
    (7, 8),
    (8, 9),
    (9, 10),
    (10, 11),
    (6, 12),
    (12, 11),
    (11, 13),
    (11, 14),
    (13, 14),
];

#[test]
fn data_flow() {
    const W: usize = 150;
    const H: usize = 40;
    let at = |column: usize, row: usize| (20 + column * 190, 20 + row * 70);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 300\" role=\"img\" \
         aria-label=\"The way of a fact: from venues through the journal and the core to the database\">{STYLE}\n\
         <defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"line\" d=\"M1,1 7,4 1,7\"/></marker></defs>\n"
    );
    for (from, to) in ARROWS {
        let ((x1, y1), (x2, y2)) = (
            at(PARTS[from].2, PARTS[from].3),
            at(PARTS[to].2, PARTS[to].3),
        );
        let (a, b) = match x1.cmp(&x2) {
            std::cmp::Ordering::Less => ((x1 + W, y1 + H / 2), (x2, y2 + H / 2)),
            std::cmp::Ordering::Greater => ((x1, y1 + H / 2), (x2 + W, y2 + H / 2)),
            std::cmp::Ordering::Equal if y1 < y2 => ((x1 + W / 2, y1 + H), (x2 + W / 2, y2)),
            std::cmp::Ordering::Equal => ((x1 + W / 2, y1), (x2 + W / 2, y2 + H)),
        };
        let _ = writeln!(
            svg,
            "<path class=\"line\" marker-end=\"url(#to)\" d=\"M{},{}L{},{}\"/>",
            a.0, a.1, b.0, b.1
        );
    }
    for (name, path, column, row, core) in PARTS {
        assert!(
            root().join(path).exists(),
            "{name}: {path} is no longer there"
        );
        let (x, y) = at(column, row);
        let class = if core { "core" } else { "box" };
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{W}\" height=\"{H}\" rx=\"6\"/>\
             <text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">{name}</text>\
             <text class=\"small\" x=\"{0}\" y=\"{2}\" text-anchor=\"middle\">{path}</text>",
            x + W / 2,
            y + 17,
            y + 32,
        );
    }
    svg.push_str("</svg>\n");
    same_or_blessed("data-flow.svg", &svg);
}
