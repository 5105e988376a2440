//! Brings messages into time order with bounded memory: buffers, sorts, spills to files, merges.
//!
//! Stable: messages of the same time keep the order in which they came. Payloads are opaque.

use super::{ImportError, io_error};
use crate::meter::{Counts, Meter};
use pm_arb_core::ids::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Payload bytes held in memory before they are sorted and spilled.
const BUFFER: usize = 128 << 20;
/// Most spilled files; each is open during the merge.
const MAX_RUNS: usize = 512;
/// What an import can sort in all.
pub(super) const MAX_TOTAL: usize = BUFFER * MAX_RUNS;
/// Read-ahead of one spilled file.
const READ_AHEAD: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Timestamp,
    /// Order of arrival.
    nth: u64,
}

#[derive(Debug)]
struct Held {
    key: Key,
    from: usize,
    to: usize,
}

/// Takes messages in any order.
pub(super) struct Sorter {
    dir: PathBuf,
    limit: usize,
    bytes: Vec<u8>,
    held: Vec<Held>,
    runs: Vec<PathBuf>,
    taken: u64,
}

impl Sorter {
    /// Spills into `dir`.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            limit: BUFFER,
            bytes: Vec::new(),
            held: Vec::new(),
            runs: Vec::new(),
            taken: 0,
        }
    }

    /// Takes a message whose payload `write` appends.
    pub fn push(
        &mut self,
        at: Timestamp,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), ImportError> {
        let from = self.bytes.len();
        write(&mut self.bytes);
        let key = Key {
            at,
            nth: self.taken,
        };
        self.taken += 1;
        self.held.push(Held {
            key,
            from,
            to: self.bytes.len(),
        });
        let size = self.bytes.len() + self.held.len() * size_of::<Held>();
        if size >= self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), ImportError> {
        if self.runs.len() == MAX_RUNS {
            return Err(ImportError::TooLarge);
        }
        self.held.sort_unstable_by_key(|h| h.key);
        let path = self.dir.join(format!("sorted-{:04}", self.runs.len()));
        self.write_run(&path)
            .map_err(|e| io_error("write", &path, e))?;
        self.runs.push(path);
        self.bytes.clear();
        self.held.clear();
        Ok(())
    }

    fn write_run(&self, path: &Path) -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        for held in &self.held {
            let payload = self.bytes.get(held.from..held.to).unwrap_or_default();
            out.write_all(&held.key.at.0.to_le_bytes())?;
            out.write_all(&held.key.nth.to_le_bytes())?;
            out.write_all(&(payload.len() as u64).to_le_bytes())?;
            out.write_all(payload)?;
        }
        out.flush()
    }

    /// Gives everything back in order; every message moves the meter.
    pub fn finish(mut self, meter: &Meter) -> Result<Merge, ImportError> {
        let mut sources = Vec::new();
        if !self.runs.is_empty() && !self.held.is_empty() {
            self.spill()?;
        }
        for path in std::mem::take(&mut self.runs) {
            let file = File::open(&path).map_err(|e| io_error("open", &path, e))?;
            sources.push(Source::File {
                reader: BufReader::with_capacity(READ_AHEAD, file),
                path,
                payload: Vec::new(),
            });
        }
        if !self.held.is_empty() {
            self.held.sort_unstable_by_key(|h| Reverse(h.key));
            sources.push(Source::Memory {
                bytes: self.bytes,
                held: self.held,
                now: (0, 0),
            });
        }
        meter.restart(Counts::Records);
        meter.expect(self.taken);
        let mut merge = Merge {
            meter: meter.clone(),
            heap: BinaryHeap::new(),
            sources,
            current: None,
        };
        for index in 0..merge.sources.len() {
            merge.advance(index)?;
        }
        Ok(merge)
    }
}

enum Source {
    File {
        reader: BufReader<File>,
        path: PathBuf,
        payload: Vec<u8>,
    },
    /// Sorted backwards: taken from the end.
    Memory {
        bytes: Vec<u8>,
        held: Vec<Held>,
        now: (usize, usize),
    },
}

impl Source {
    fn advance(&mut self) -> Result<Option<Key>, ImportError> {
        match self {
            Source::Memory { held, now, .. } => Ok(held.pop().map(|h| {
                *now = (h.from, h.to);
                h.key
            })),
            Source::File {
                reader,
                path,
                payload,
            } => read_one(reader, payload).map_err(|e| io_error("read", path, e)),
        }
    }

    fn payload(&self) -> &[u8] {
        match self {
            Source::File { payload, .. } => payload,
            Source::Memory { bytes, now, .. } => bytes.get(now.0..now.1).unwrap_or_default(),
        }
    }
}

fn read_one(reader: &mut BufReader<File>, payload: &mut Vec<u8>) -> std::io::Result<Option<Key>> {
    use std::io::BufRead as _;
    if reader.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut number = || -> std::io::Result<u64> {
        let mut bytes = [0; 8];
        reader.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    };
    let (at, nth, length) = (number()?, number()?, number()?);
    payload.clear();
    reader.take(length).read_to_end(payload)?;
    Ok(Some(Key {
        at: Timestamp(at),
        nth,
    }))
}

/// Messages in order of time.
pub(super) struct Merge {
    heap: BinaryHeap<Reverse<(Key, usize)>>,
    sources: Vec<Source>,
    current: Option<usize>,
    meter: Meter,
}

impl Merge {
    fn advance(&mut self, index: usize) -> Result<(), ImportError> {
        if let Some(source) = self.sources.get_mut(index)
            && let Some(key) = source.advance()?
        {
            self.heap.push(Reverse((key, index)));
        }
        Ok(())
    }

    /// The time of the next message.
    pub fn peek(&mut self) -> Result<Option<Timestamp>, ImportError> {
        if let Some(index) = self.current.take() {
            self.advance(index)?;
        }
        Ok(self.heap.peek().map(|Reverse((key, _))| key.at))
    }

    /// The next message.
    pub fn next(&mut self) -> Result<Option<(Timestamp, &[u8])>, ImportError> {
        self.peek()?;
        let Some(Reverse((key, index))) = self.heap.pop() else {
            return Ok(None);
        };
        self.current = Some(index);
        self.meter.advance(1);
        Ok(self
            .sources
            .get(index)
            .map(|source| (key.at, source.payload())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_by_time_and_stable_whether_spilled_or_not() {
        for limit in [1, 200, BUFFER] {
            let dir = tempfile::tempdir().unwrap();
            let mut sorter = Sorter::new(dir.path());
            sorter.limit = limit;
            let mut expected = Vec::new();
            for i in 0..300_u64 {
                let at = Timestamp(i.wrapping_mul(7_919) % 13);
                expected.push((at, i.to_string().into_bytes()));
                sorter
                    .push(at, |out| out.extend_from_slice(i.to_string().as_bytes()))
                    .unwrap();
            }
            expected.sort_by_key(|(at, _)| *at);
            let mut merge = sorter.finish(&Meter::default()).unwrap();
            let mut found = Vec::new();
            while let Some((at, payload)) = merge.next().unwrap() {
                found.push((at, payload.to_vec()));
            }
            assert_eq!(found, expected);
        }
    }
}
