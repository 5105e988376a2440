//! Recordings for tests: where they are, and what to do when they are not there.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

/// The lines of a recording (unpacked when its name ends in `.gz`); `None`, said aloud, without it.
pub fn lines(test: &str, name: &str) -> Option<Vec<String>> {
    let root = std::env::var_os("PM_ARB_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let file = match std::fs::File::open(root.join(name)) {
        Ok(file) => file,
        Err(error) => {
            println!("SKIP {test}: {name}: {error}");
            return None;
        }
    };
    let reader: Box<dyn Read> = match name.ends_with(".gz") {
        true => Box::new(flate2::read::MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    Some(BufReader::new(reader).lines().map(Result::unwrap).collect())
}

/// A whole recording as JSON.
pub fn json(test: &str, name: &str) -> Option<serde_json::Value> {
    lines(test, name).map(|lines| serde_json::from_str(&lines.join("\n")).unwrap())
}
