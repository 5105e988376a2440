//! Reads a run's journal from the first record to the last, with memory independent of its length.
//!
//! Verifies every checksum, the numbering without holes and that time never goes back. It never
//! writes; a torn tail is reported and left alone (the writer cuts it).

use super::scan::{self, TornTail, count_segments};
use super::segment::{FRAME, Frame, HEADER, HeaderFault, SegmentHeader, segment_path};
use super::{FORMAT, JournalError, RunMeta, codec, io_error};
use crate::meter::Meter;
use pm_arb_core::event::{Event, Record};
use pm_arb_core::ids::{Seq, Timestamp};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What is read at once. It grows, up to one record, only for a record that is larger.
const BUFFER: usize = 256 << 10;

/// A run's journal, read once from the front.
#[derive(Debug)]
pub struct JournalReader {
    dir: PathBuf,
    meta: RunMeta,
    segments: u32,
    number: u32,
    segment: Option<SegmentReader>,
    record: Record,
    torn: Option<TornTail>,
    /// Whether it is read while it is written.
    follows: bool,
    /// Whether the writer has left the present segment for the next.
    left: bool,
    meter: Meter,
}

impl JournalReader {
    /// Opens the run in `dir`. The segments that exist now are the ones that will be read.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let meta = RunMeta::read(dir)?;
        let segments = count_segments(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            meta,
            segments,
            number: 0,
            segment: None,
            record: Record {
                seq: Seq(0),
                at: Timestamp(0),
                event: Event::Tick,
            },
            torn: None,
            follows: false,
            left: false,
            meter: Meter::default(),
        })
    }

    /// Opens the run in `dir` while somebody writes it: [`next`](Self::next) answers `None` at what is
    /// there so far, and the record behind it when it is asked again later.
    pub fn follow(dir: &Path) -> Result<Self, JournalError> {
        let mut this = Self::open(dir)?;
        this.follows = true;
        Ok(this)
    }

    /// Moves that meter by what is read from now on.
    #[must_use]
    pub fn metered(mut self, meter: &Meter) -> Self {
        self.meter = meter.clone();
        self
    }

    /// What the run is.
    #[must_use]
    pub fn meta(&self) -> &RunMeta {
        &self.meta
    }

    /// What a crash left behind the last record; known once the end was reached.
    #[must_use]
    pub fn torn_tail(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// The next record, or `None` at the end. The record's memory is reused by the next call. After
    /// an error every call gives the same error: nothing behind damage is ever returned.
    #[allow(clippy::should_implement_trait)] // A lending iterator: the record is borrowed.
    #[inline]
    pub fn next(&mut self) -> Result<Option<&Record>, JournalError> {
        loop {
            let Some(segment) = &mut self.segment else {
                if self.follows {
                    self.segments = self.segments.max(count_segments(&self.dir)?);
                }
                if self.torn.is_some() || self.number == self.segments {
                    return Ok(None);
                }
                self.open_next()?;
                continue;
            };
            let expected = self.record.seq.0 + 1;
            match segment.peek()? {
                Step::Record(frame) => {
                    segment.check_order(&frame, expected, self.record.at)?;
                    codec::decode_into(segment.payload(&frame), &mut self.record.event).map_err(
                        |source| JournalError::Undecodable {
                            path: segment.path.clone(),
                            offset: segment.offset(),
                            seq: frame.seq,
                            source,
                        },
                    )?;
                    segment.advance(&frame);
                    self.meter.advance((FRAME + frame.payload) as u64);
                    self.record.seq = Seq(frame.seq);
                    self.record.at = Timestamp(frame.at);
                    return Ok(Some(&self.record));
                }
                Step::End | Step::Damaged if self.follows && !self.left => {
                    // A segment is whole before the next one exists; what came since is read first.
                    self.left = segment_path(&self.dir, self.number + 1).exists();
                    if !self.left {
                        return Ok(None);
                    }
                }
                Step::End => self.segment = None,
                Step::Damaged => {
                    let is_last = self.number == self.segments;
                    let torn = scan::judge(&segment.path, segment.offset(), expected, is_last)?;
                    self.torn = Some(torn);
                    self.segment = None;
                }
            }
        }
    }

    /// The same into the caller's memory, which is exchanged for the reader's own. False at the end.
    pub(super) fn next_into(&mut self, place: &mut Record) -> Result<bool, JournalError> {
        if self.next()?.is_none() {
            return Ok(false);
        }
        (place.seq, place.at) = (self.record.seq, self.record.at);
        std::mem::swap(&mut place.event, &mut self.record.event);
        Ok(true)
    }

    fn open_next(&mut self) -> Result<(), JournalError> {
        let number = self.number + 1;
        let expected = self.record.seq.0 + 1;
        let path = segment_path(&self.dir, number);
        match SegmentReader::open(&path, number, &self.meta)? {
            Opened::Segment(segment, header) => {
                if header.first_seq != expected {
                    return Err(JournalError::Corrupt {
                        path,
                        offset: 0,
                        why: format!(
                            "the segment begins with record {}, expected was {expected}",
                            header.first_seq
                        ),
                    });
                }
                self.segment = Some(segment);
            }
            Opened::Damaged => {
                self.torn = Some(scan::judge(&path, 0, expected, number == self.segments)?);
            }
        }
        self.number = number;
        self.left = false;
        Ok(())
    }
}

/// Bytes of all segments of the run in `dir`, for meters: what can not be read counts nothing.
#[must_use]
pub fn size(dir: &Path) -> u64 {
    let segments = 1..=count_segments(dir).unwrap_or_default();
    let size = |number| std::fs::metadata(segment_path(dir, number)).map_or(0, |meta| meta.len());
    segments.map(size).sum()
}

/// What lies at the reader's position.
pub(super) enum Step {
    /// A whole record with a good checksum.
    Record(Frame),
    /// The end of the segment.
    End,
    /// Something else.
    Damaged,
}

/// What opening a segment gave.
pub(super) enum Opened {
    /// Its header is good.
    Segment(SegmentReader, SegmentHeader),
    /// Its header is incomplete or damaged.
    Damaged,
}

/// One segment, streamed.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Unread bytes are `buffer[from..to]`.
    from: usize,
    to: usize,
    /// File offset of `buffer[0]`.
    base: u64,
}

impl SegmentReader {
    pub fn open(path: &Path, number: u32, meta: &RunMeta) -> Result<Opened, JournalError> {
        let file = File::open(path).map_err(|e| io_error("open", path, e))?;
        let mut this = Self {
            file,
            path: path.to_owned(),
            buffer: vec![0; BUFFER],
            from: 0,
            to: 0,
            base: 0,
        };
        this.fill(HEADER)?;
        let header = match SegmentHeader::decode(this.unread()) {
            Ok(header) => header,
            Err(HeaderFault::Damaged) => return Ok(Opened::Damaged),
            Err(HeaderFault::Version(found)) => {
                debug_assert_ne!(found, FORMAT);
                return Err(JournalError::Version {
                    path: path.to_owned(),
                    found,
                });
            }
        };
        if header.run_id != meta.run_id || header.number != number {
            return Err(JournalError::Corrupt {
                path: path.to_owned(),
                offset: 0,
                why: format!(
                    "this is segment {} of run {}, expected was segment {number} of run {}",
                    header.number, header.run_id, meta.run_id
                ),
            });
        }
        this.from = HEADER;
        Ok(Opened::Segment(this, header))
    }

    /// What comes next; the position does not move.
    #[inline]
    pub fn peek(&mut self) -> Result<Step, JournalError> {
        if self.to - self.from < FRAME {
            self.fill(FRAME)?;
            if self.to == self.from {
                return Ok(Step::End);
            }
        }
        let Some(frame) = Frame::decode(self.unread()) else {
            return Ok(Step::Damaged);
        };
        let size = FRAME + frame.payload;
        if self.to - self.from < size {
            self.fill(size)?;
        }
        Ok(if frame.matches(self.unread()) {
            Step::Record(frame)
        } else {
            Step::Damaged
        })
    }

    /// Refuses a valid record in the wrong place.
    #[inline]
    pub fn check_order(
        &self,
        frame: &Frame,
        expected: u64,
        last: Timestamp,
    ) -> Result<(), JournalError> {
        if frame.seq == expected && frame.at >= last.0 {
            return Ok(());
        }
        let why = if frame.seq == expected {
            format!(
                "the time of record {expected} ({}) lies before the one of its predecessor ({})",
                frame.at, last.0
            )
        } else {
            format!("record {} stands where {expected} belongs", frame.seq)
        };
        Err(JournalError::Corrupt {
            path: self.path.clone(),
            offset: self.offset(),
            why,
        })
    }

    /// The payload of the record that [`peek`](Self::peek) found.
    #[inline]
    pub fn payload(&self, frame: &Frame) -> &[u8] {
        self.unread()
            .get(FRAME..FRAME + frame.payload)
            .unwrap_or_default()
    }

    /// Moves behind the record that [`peek`](Self::peek) found.
    #[inline]
    pub fn advance(&mut self, frame: &Frame) {
        self.from += FRAME + frame.payload;
    }

    /// File offset of the position.
    pub fn offset(&self) -> u64 {
        self.base + self.from as u64
    }

    #[inline]
    fn unread(&self) -> &[u8] {
        self.buffer.get(self.from..self.to).unwrap_or_default()
    }

    /// Tries to have `need` unread bytes; fewer means that the file ends.
    fn fill(&mut self, need: usize) -> Result<(), JournalError> {
        self.buffer.copy_within(self.from..self.to, 0);
        self.base += self.from as u64;
        self.to -= self.from;
        self.from = 0;
        if self.buffer.len() < need {
            self.buffer.resize(need, 0);
        }
        while self.to < need {
            let room = self.buffer.get_mut(self.to..).unwrap_or_default();
            match self.file.read(room) {
                Ok(0) => break,
                Ok(n) => self.to += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(io_error("read", &self.path, e)),
            }
        }
        Ok(())
    }
}
