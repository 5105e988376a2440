//! Names and headers of segments, and the frame of a record: the layouts that reader, writer and
//! scan share. No file is opened here.

use super::{FORMAT, MAX_PAYLOAD, MAX_SEGMENTS, SEGMENT_EXTENSION};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const MAGIC: [u8; 8] = *b"PMARBJNL";
/// Bytes of a segment's header.
pub(super) const HEADER: usize = 8 + 4 + 4 + 16 + 8 + 4;
/// Bytes of a record before its payload.
pub(super) const FRAME: usize = 4 + 4 + 8 + 8;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub number: u32,
    pub run_id: Uuid,
    pub first_seq: u64,
}

/// Why a header is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// Incomplete or damaged.
    Damaged,
    /// Intact, of another format.
    Version(u32),
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; HEADER] {
        let mut out = [0_u8; HEADER];
        let (body, crc) = out.split_at_mut(HEADER - 4);
        let fields = [
            &MAGIC[..],
            &FORMAT.to_le_bytes(),
            &self.number.to_le_bytes(),
            self.run_id.as_bytes(),
            &self.first_seq.to_le_bytes(),
        ];
        for (to, from) in body.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        crc.copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let damaged = HeaderFault::Damaged;
        let (head, _) = bytes.split_first_chunk::<HEADER>().ok_or(damaged)?;
        let (body, crc) = head.split_at(HEADER - 4);
        if crc != crc32c::crc32c(body).to_le_bytes() {
            return Err(damaged);
        }
        let (magic, rest) = body.split_first_chunk::<8>().ok_or(damaged)?;
        let (format, rest) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        let (number, rest) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        let (run_id, rest) = rest.split_first_chunk::<16>().ok_or(damaged)?;
        let (first_seq, _) = rest.split_first_chunk::<8>().ok_or(damaged)?;
        if *magic != MAGIC {
            return Err(damaged);
        }
        let format = u32::from_le_bytes(*format);
        if format != FORMAT {
            return Err(HeaderFault::Version(format));
        }
        Ok(Self {
            number: u32::from_le_bytes(*number),
            run_id: Uuid::from_bytes(*run_id),
            first_seq: u64::from_le_bytes(*first_seq),
        })
    }
}

/// The part of a record before its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub crc: u32,
    pub payload: usize,
    pub seq: u64,
    pub at: u64,
}

impl Frame {
    /// `None` when there are too few bytes or the length is impossible.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (crc, rest) = bytes.split_first_chunk::<4>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let (at, _) = rest.split_first_chunk::<8>()?;
        let payload = u32::from_le_bytes(*len) as usize;
        (payload <= MAX_PAYLOAD).then(|| Self {
            crc: u32::from_le_bytes(*crc),
            payload,
            seq: u64::from_le_bytes(*seq),
            at: u64::from_le_bytes(*at),
        })
    }

    /// Whether `record` (frame and payload) is what was written.
    #[inline]
    pub fn matches(&self, record: &[u8]) -> bool {
        record
            .get(4..FRAME + self.payload)
            .is_some_and(|covered| crc32c::crc32c(covered) == self.crc)
    }
}

/// Appends a whole record to `out`.
pub(super) fn write_record(seq: u64, at: u64, payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(payload);
    if let Some((crc, covered)) = out
        .get_mut(start..)
        .and_then(|r| r.split_first_chunk_mut::<4>())
    {
        *crc = crc32c::crc32c(covered).to_le_bytes();
    }
}

/// The path of segment `number`.
pub(super) fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("journal-{number:06}.{SEGMENT_EXTENSION}"))
}

/// The number in a segment's file name.
pub(super) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".pma")?;
    let number: u32 = (digits.len() == 6).then(|| digits.parse().ok())??;
    (1..=MAX_SEGMENTS).contains(&number).then_some(number)
}
