//! Word left for the next pilot while none runs: a halt or a resume that must not be lost.
//!
//! A halt given to a running pilot needs no file: it is in its journal. This file is read, and
//! removed, only after the command it holds is in the journal.

use pm_arb_core::event::Command;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Note {
    /// Start halted.
    Halt {
        /// Why.
        why: String,
    },
    /// Start trading.
    Resume {
        /// For the record.
        note: String,
    },
}

impl From<Note> for Command {
    fn from(note: Note) -> Self {
        match note {
            Note::Halt { why } => Command::Halt { why },
            Note::Resume { note } => Command::Resume { note },
        }
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("latch.json")
}

/// Leaves word, replacing what was left before; whole or not at all.
pub fn leave(data_dir: &Path, note: &Note) -> io::Result<()> {
    std::fs::create_dir_all(data_dir)?;
    let temporary = data_dir.join("latch.json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(note)?)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path(data_dir))?;
    File::open(data_dir)?.sync_all()
}

/// What was left, if anything. A file that can not be understood is a halt: the safe reading.
pub fn find(data_dir: &Path) -> io::Result<Option<Note>> {
    match std::fs::read(path(data_dir)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(|e| {
            Note::Halt {
                why: format!("latch.json is damaged ({e})"),
            }
        }))),
    }
}

/// It is in the journal now.
pub fn clear(data_dir: &Path) -> io::Result<()> {
    match std::fs::remove_file(path(data_dir)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_is_kept_until_cleared_and_damage_halts() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find(dir.path()).unwrap(), None);
        let note = Note::Halt {
            why: "maintenance".into(),
        };
        leave(dir.path(), &note).unwrap();
        assert_eq!(find(dir.path()).unwrap(), Some(note));
        std::fs::write(path(dir.path()), b"{").unwrap();
        assert!(matches!(find(dir.path()).unwrap(), Some(Note::Halt { .. })));
        clear(dir.path()).unwrap();
        assert_eq!(find(dir.path()).unwrap(), None);
    }
}
