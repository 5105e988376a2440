//! The one writer of a run's journal.
//!
//! `append` orders and buffers, `commit` makes durable; nothing may be concluded from a record that
//! is not committed. After a failed write or sync nothing is retried: what reached the disk is then
//! unknown, so the writer is fenced and the next opening verifies.

use super::reader::{Opened, SegmentReader, Step};
use super::scan::{self, TornTail, count_segments};
use super::segment::{FRAME, HEADER, SegmentHeader, segment_path, write_record};
use super::{
    JournalError, MAX_PAYLOAD, MAX_SEGMENTS, RUN_FILE, RunMeta, SEGMENT_LIMIT, codec, io_error,
    sync_dir,
};
use pm_arb_core::event::Event;
use pm_arb_core::ids::{Seq, Timestamp};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Buffered bytes that are handed to the system without waiting for a commit.
const BUFFER: usize = 256 << 10;

/// What opening an existing journal found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The last record (zero when there is none).
    pub last_seq: Seq,
    /// Its time.
    pub last_at: Timestamp,
    /// What was cut off, if a crash had left something.
    pub cut: Option<TornTail>,
}

/// The writer. Dropping it without a commit loses what was not committed, as a crash would.
#[derive(Debug)]
pub struct JournalWriter {
    dir: PathBuf,
    meta: RunMeta,
    /// Held, never read: the lock ends with the process.
    _lock: File,
    file: File,
    path: PathBuf,
    number: u32,
    /// Bytes of the segment, with those still in `pending`.
    size: u64,
    limit: u64,
    pending: Vec<u8>,
    payload: Vec<u8>,
    last_seq: Seq,
    last_at: Timestamp,
    fenced: bool,
}

impl JournalWriter {
    /// Begins a run in `dir`, which is created when missing and must not hold one.
    pub fn create(dir: &Path, meta: &RunMeta) -> Result<Self, JournalError> {
        fs::create_dir_all(dir).map_err(|e| io_error("create", dir, e))?;
        let lock = lock(dir)?;
        if dir.join(RUN_FILE).exists() || count_segments(dir)? > 0 {
            return Err(JournalError::Exists { dir: dir.into() });
        }
        meta.write(dir)?;
        if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
        Self::begin(dir, meta.clone(), lock)
    }

    /// Continues the run in `dir`. Only the last segment is verified here; a replay verifies all.
    pub fn open(dir: &Path) -> Result<(Self, Recovery), JournalError> {
        let meta = RunMeta::read(dir)?;
        let lock = lock(dir)?;
        let mut cut = None;
        loop {
            let number = count_segments(dir)?;
            if number == 0 {
                let writer = Self::begin(dir, meta, lock)?;
                let recovery = Recovery {
                    last_seq: Seq(0),
                    last_at: Timestamp(0),
                    cut,
                };
                return Ok((writer, recovery));
            }
            let path = segment_path(dir, number);
            let Opened::Segment(mut segment, header) = SegmentReader::open(&path, number, &meta)?
            else {
                // A header is written before its segment gets its name; one that is damaged and
                // followed by nothing valid holds no record.
                cut = Some(scan::judge(&path, 0, 1, true)?);
                fs::remove_file(&path).map_err(|e| io_error("remove", &path, e))?;
                sync_dir(dir)?;
                continue;
            };
            let mut last_seq = Seq(header.first_seq.saturating_sub(1));
            let mut last_at = Timestamp(0);
            let torn = loop {
                match segment.peek()? {
                    Step::Record(frame) => {
                        segment.check_order(&frame, last_seq.0 + 1, last_at)?;
                        (last_seq, last_at) = (Seq(frame.seq), Timestamp(frame.at));
                        segment.advance(&frame);
                    }
                    Step::End => break None,
                    Step::Damaged => {
                        let seq = last_seq.0 + 1;
                        break Some(scan::judge(&path, segment.offset(), seq, true)?);
                    }
                }
            };
            if last_seq.0 + 1 == header.first_seq && number > 1 {
                last_at = last_time(dir, number - 1, &meta)?;
            }
            let size = segment.offset();
            let file = OpenOptions::new()
                .append(true)
                .open(&path)
                .map_err(|e| io_error("open", &path, e))?;
            if torn.is_some() {
                file.set_len(size)
                    .and_then(|()| file.sync_all())
                    .map_err(|e| io_error("cut", &path, e))?;
            }
            let recovery = Recovery {
                last_seq,
                last_at,
                cut: torn.or(cut),
            };
            let writer = Self {
                dir: dir.into(),
                meta,
                _lock: lock,
                file,
                path,
                number,
                size,
                limit: SEGMENT_LIMIT,
                pending: Vec::with_capacity(BUFFER),
                payload: Vec::new(),
                last_seq,
                last_at,
                fenced: false,
            };
            return Ok((writer, recovery));
        }
    }

    fn begin(dir: &Path, meta: RunMeta, lock: File) -> Result<Self, JournalError> {
        let (file, path) = create_segment(dir, 1, &meta, 1)?;
        Ok(Self {
            dir: dir.into(),
            meta,
            _lock: lock,
            file,
            path,
            number: 1,
            size: HEADER as u64,
            limit: SEGMENT_LIMIT,
            pending: Vec::with_capacity(BUFFER),
            payload: Vec::new(),
            last_seq: Seq(0),
            last_at: Timestamp(0),
            fenced: false,
        })
    }

    /// Begins a new segment before one grows beyond `bytes` (a larger record gets its own).
    pub fn set_segment_limit(&mut self, bytes: u64) {
        self.limit = bytes.clamp(HEADER as u64, SEGMENT_LIMIT);
    }

    /// What the run is.
    #[must_use]
    pub fn meta(&self) -> &RunMeta {
        &self.meta
    }

    /// The last record's number.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// The last record's time: the earliest one that [`append`](Self::append) takes.
    #[must_use]
    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// Puts `event` in its place in the order. It is durable after the next [`commit`](Self::commit).
    pub fn append(&mut self, at: Timestamp, event: &Event) -> Result<Seq, JournalError> {
        if self.fenced {
            return Err(JournalError::Fenced);
        }
        if at < self.last_at {
            return Err(JournalError::TimeBackwards {
                at: at.0,
                last: self.last_at.0,
            });
        }
        self.payload.clear();
        codec::encode(event, &mut self.payload).map_err(JournalError::Encode)?;
        if self.payload.len() > MAX_PAYLOAD {
            return Err(JournalError::TooLarge {
                bytes: self.payload.len(),
            });
        }
        let bytes = (FRAME + self.payload.len()) as u64;
        if self.size + bytes > self.limit && self.size > HEADER as u64 {
            self.roll()?;
        }
        let seq = Seq(self.last_seq.0 + 1);
        write_record(seq.0, at.0, &self.payload, &mut self.pending);
        self.size += bytes;
        self.last_seq = seq;
        self.last_at = at;
        if self.pending.len() >= BUFFER {
            self.flush()?;
        }
        Ok(seq)
    }

    /// Makes everything appended so far durable.
    pub fn commit(&mut self) -> Result<(), JournalError> {
        self.flush()?;
        let synced = self.file.sync_data();
        synced.map_err(|e| self.fence("sync", e))
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        if self.fenced {
            return Err(JournalError::Fenced);
        }
        let written = self.file.write_all(&self.pending);
        written.map_err(|e| self.fence("write", e))?;
        self.pending.clear();
        Ok(())
    }

    fn roll(&mut self) -> Result<(), JournalError> {
        // The old segment is durable before the new one exists: only the last can have a torn tail.
        self.commit()?;
        if self.number >= MAX_SEGMENTS {
            return Err(JournalError::Full);
        }
        let number = self.number + 1;
        let created = create_segment(&self.dir, number, &self.meta, self.last_seq.0 + 1);
        let (file, path) = created.inspect_err(|_| self.fenced = true)?;
        (self.file, self.path, self.number) = (file, path, number);
        self.size = HEADER as u64;
        Ok(())
    }

    fn fence(&mut self, op: &'static str, source: std::io::Error) -> JournalError {
        self.fenced = true;
        io_error(op, &self.path, source)
    }
}

/// The time of the last record of an earlier segment (an earlier one must hold records).
fn last_time(dir: &Path, number: u32, meta: &RunMeta) -> Result<Timestamp, JournalError> {
    let path = segment_path(dir, number);
    let mut last = Timestamp(0);
    let Opened::Segment(mut segment, header) = SegmentReader::open(&path, number, meta)? else {
        return Err(scan_error(&path, 0, "its header is damaged"));
    };
    let mut seq = header.first_seq;
    loop {
        match segment.peek()? {
            Step::Record(frame) => {
                segment.check_order(&frame, seq, last)?;
                (seq, last) = (frame.seq + 1, Timestamp(frame.at));
                segment.advance(&frame);
            }
            Step::End => return Ok(last),
            Step::Damaged => return Err(scan_error(&path, segment.offset(), "a damaged record")),
        }
    }
}

fn scan_error(path: &Path, offset: u64, why: &str) -> JournalError {
    JournalError::Corrupt {
        path: path.into(),
        offset,
        why: why.into(),
    }
}

/// A segment appears under its name only when its header is durable.
fn create_segment(
    dir: &Path,
    number: u32,
    meta: &RunMeta,
    first_seq: u64,
) -> Result<(File, PathBuf), JournalError> {
    let path = segment_path(dir, number);
    let temp = path.with_extension("tmp");
    let header = SegmentHeader {
        number,
        run_id: meta.run_id,
        first_seq,
    };
    let mut file = File::create(&temp).map_err(|e| io_error("create", &temp, e))?;
    file.write_all(&header.encode())
        .and_then(|()| file.sync_all())
        .map_err(|e| io_error("write", &temp, e))?;
    fs::rename(&temp, &path).map_err(|e| io_error("rename", &temp, e))?;
    sync_dir(dir)?;
    Ok((file, path))
}

fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("journal.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| io_error("open", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { dir: dir.into() }),
        Err(TryLockError::Error(e)) => Err(io_error("lock", &path, e)),
    }
}
