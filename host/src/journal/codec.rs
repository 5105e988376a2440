//! The bytes of an event in the journal.
//!
//! A payload is one kind byte and a body. The events that come by the million (levels, books,
//! prints, oracle values, ticks) have fixed little-endian layouts that decode without allocating;
//! everything else is postcard. The layouts belong to [`FORMAT`](super::FORMAT): any change of them
//! (also a new field or a reordered variant in the core's types) is a new format version, and the
//! golden-bytes tests below fail until that is done.
//!
//! Decoding is strict: an unknown kind, an unknown flag, a missing or a spare byte is an error.

use pm_arb_core::event::{BookSide, BookSnapshot, Event, LevelChange, OracleTick, Print};
use pm_arb_core::ids::{InstrumentId, OracleId, Timestamp};
use pm_arb_core::units::{Price, Qty, SpotPrice};

const COLD: u8 = 0;
const LEVEL: u8 = 1;
const ORACLE_TICK: u8 = 2;
const PRINT: u8 = 3;
const TICK: u8 = 4;
const SNAPSHOT: u8 = 5;

const FLAG_ASK: u8 = 1;
const FLAG_MORE: u8 = 2;
const FLAG_TAKER_BOUGHT: u8 = 1;

/// Why bytes are no event, or an event has no bytes.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// No bytes at all, or fewer than the kind needs.
    #[error("the payload is too short for its kind")]
    Short,
    /// Bytes are left over.
    #[error("the payload has {0} bytes more than its kind needs")]
    Spare(usize),
    /// A kind byte of another version.
    #[error("payload kind {0} is unknown to this version")]
    Kind(u8),
    /// A flag of another version.
    #[error("payload flags {0:#04x} are unknown to this version")]
    Flags(u8),
    /// A number that is longer than its type.
    #[error("a number in the payload is out of range")]
    Number,
    /// The cold form does not decode.
    #[error("the payload is no event of this version")]
    Cold(#[source] postcard::Error),
}

/// Appends the payload of `event` to `out`.
pub fn encode(event: &Event, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match event {
        Event::Level(l) => {
            let side = if l.side == BookSide::Ask { FLAG_ASK } else { 0 };
            out.extend_from_slice(&[LEVEL, side | if l.more { FLAG_MORE } else { 0 }]);
            out.extend_from_slice(&l.instrument.0.to_le_bytes());
            out.extend_from_slice(&l.price.0.to_le_bytes());
            out.extend_from_slice(&l.qty.0.to_le_bytes());
            out.extend_from_slice(&l.venue_time.0.to_le_bytes());
        }
        Event::OracleTick(t) => {
            out.push(ORACLE_TICK);
            out.extend_from_slice(&t.oracle.0.to_le_bytes());
            out.extend_from_slice(&t.price.0.to_le_bytes());
            out.extend_from_slice(&t.source_time.0.to_le_bytes());
        }
        Event::Print(p) => {
            let flags = if p.taker_bought { FLAG_TAKER_BOUGHT } else { 0 };
            out.extend_from_slice(&[PRINT, flags]);
            out.extend_from_slice(&p.instrument.0.to_le_bytes());
            out.extend_from_slice(&p.price.0.to_le_bytes());
            out.extend_from_slice(&p.qty.0.to_le_bytes());
            out.extend_from_slice(&p.venue_time.0.to_le_bytes());
        }
        Event::Tick => out.push(TICK),
        Event::Snapshot(s) => encode_snapshot(s, out),
        cold => {
            out.push(COLD);
            let bytes = postcard::to_stdvec(cold).map_err(CodecError::Cold)?;
            out.extend_from_slice(&bytes);
        }
    }
    Ok(())
}

/// Reads the payload into `event`, reusing its memory where it can.
pub fn decode_into(payload: &[u8], event: &mut Event) -> Result<(), CodecError> {
    let (&kind, body) = payload.split_first().ok_or(CodecError::Short)?;
    let mut r = Bytes(body);
    match kind {
        LEVEL => {
            let flags = r.flags(FLAG_ASK | FLAG_MORE)?;
            let level = LevelChange {
                side: if flags & FLAG_ASK == 0 {
                    BookSide::Bid
                } else {
                    BookSide::Ask
                },
                more: flags & FLAG_MORE != 0,
                instrument: InstrumentId(r.u32()?),
                price: Price(r.i64()?),
                qty: Qty(r.i64()?),
                venue_time: Timestamp(r.u64()?),
            };
            *event = Event::Level(level);
        }
        ORACLE_TICK => {
            let tick = OracleTick {
                oracle: OracleId(r.u32()?),
                price: SpotPrice(i128::from_le_bytes(r.take()?)),
                source_time: Timestamp(r.u64()?),
            };
            *event = Event::OracleTick(tick);
        }
        PRINT => {
            let flags = r.flags(FLAG_TAKER_BOUGHT)?;
            let print = Print {
                taker_bought: flags & FLAG_TAKER_BOUGHT != 0,
                instrument: InstrumentId(r.u32()?),
                price: Price(r.i64()?),
                qty: Qty(r.i64()?),
                venue_time: Timestamp(r.u64()?),
            };
            *event = Event::Print(print);
        }
        TICK => *event = Event::Tick,
        SNAPSHOT => {
            if let Event::Snapshot(known) = event {
                decode_snapshot(&mut r, known)?;
            } else {
                let mut fresh = Box::new(BookSnapshot {
                    instrument: InstrumentId(0),
                    more: false,
                    venue_time: Timestamp(0),
                    bids: Vec::new(),
                    asks: Vec::new(),
                });
                decode_snapshot(&mut r, &mut fresh)?;
                *event = Event::Snapshot(fresh);
            }
        }
        COLD => {
            let (cold, rest) = postcard::take_from_bytes(body).map_err(CodecError::Cold)?;
            r.0 = rest;
            *event = cold;
        }
        other => return Err(CodecError::Kind(other)),
    }
    match r.0.len() {
        0 => Ok(()),
        spare => Err(CodecError::Spare(spare)),
    }
}

/// Levels are variable-length numbers: a hundred levels take about 800 bytes instead of 1,600.
fn encode_snapshot(s: &BookSnapshot, out: &mut Vec<u8>) {
    out.extend_from_slice(&[SNAPSHOT, if s.more { FLAG_MORE } else { 0 }]);
    out.extend_from_slice(&s.instrument.0.to_le_bytes());
    out.extend_from_slice(&s.venue_time.0.to_le_bytes());
    for side in [&s.bids, &s.asks] {
        write_varint(side.len() as u64, out);
        for (price, qty) in side {
            write_varint(zigzag(price.0), out);
            write_varint(zigzag(qty.0), out);
        }
    }
}

fn decode_snapshot(r: &mut Bytes<'_>, s: &mut BookSnapshot) -> Result<(), CodecError> {
    s.more = r.flags(FLAG_MORE)? & FLAG_MORE != 0;
    s.instrument = InstrumentId(r.u32()?);
    s.venue_time = Timestamp(r.u64()?);
    for side in [&mut s.bids, &mut s.asks] {
        side.clear();
        let count = usize::try_from(r.varint()?).map_err(|_| CodecError::Number)?;
        // A level takes at least two bytes: a lying count can not reserve more than the payload allows.
        if count > r.0.len() / 2 {
            return Err(CodecError::Short);
        }
        side.reserve(count);
        for _ in 0..count {
            let price = Price(unzigzag(r.varint()?));
            side.push((price, Qty(unzigzag(r.varint()?))));
        }
    }
    Ok(())
}

fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)) as u64
}

fn unzigzag(v: u64) -> i64 {
    ((v >> 1) as i64) ^ -((v & 1) as i64)
}

fn write_varint(mut v: u64, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// What is left of a payload.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(CodecError::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    #[inline]
    fn u32(&mut self) -> Result<u32, CodecError> {
        self.take().map(u32::from_le_bytes)
    }

    #[inline]
    fn u64(&mut self) -> Result<u64, CodecError> {
        self.take().map(u64::from_le_bytes)
    }

    #[inline]
    fn i64(&mut self) -> Result<i64, CodecError> {
        self.take().map(i64::from_le_bytes)
    }

    #[inline]
    fn flags(&mut self, known: u8) -> Result<u8, CodecError> {
        let [flags] = self.take()?;
        if flags & !known != 0 {
            return Err(CodecError::Flags(flags));
        }
        Ok(flags)
    }

    fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(CodecError::Number);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError::Number)
    }
}
