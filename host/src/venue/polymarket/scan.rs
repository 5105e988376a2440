//! A scanner for the two frames that come thousands of times a second, `price_change` and `book`.
//!
//! It accepts only perfectly regular JSON of the documented shape, in any key order; at the first
//! surprise it gives up (`None`) and the frame goes through `serde_json` instead. So it may refuse
//! anything but must never accept what `serde_json` would not, or read it differently: a test
//! compares the two on every recorded frame and on mutated ones.

use pm_arb_core::event::BookSide;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{ONE, Price, Qty};

/// Most whole digits of a number on the fast path: 12 digits and 6 decimals fit an `i64`.
const WHOLE_DIGITS_MAX: usize = 12;
/// Most digits of a millisecond stamp on the fast path.
const STAMP_DIGITS_MAX: usize = 18;

/// One entry of a `price_change`.
pub(super) struct Change<'a> {
    pub asset: &'a str,
    pub side: BookSide,
    pub price: Price,
    pub qty: Qty,
}

/// One side of a `book`.
#[derive(Default)]
pub(super) struct Side<'a> {
    pub levels: Vec<(Price, Qty)>,
    /// The array as it was sent.
    pub json: &'a str,
    /// Whether `json` is compact with `price` before `size`: the form the book hash is made of.
    pub canonical: bool,
}

/// The fields of one object that are not entries.
#[derive(Default)]
pub(super) struct Head<'a> {
    pub event_type: Option<&'a str>,
    pub market: Option<&'a str>,
    pub asset_id: Option<&'a str>,
    pub timestamp: Option<&'a str>,
    pub hash: Option<&'a str>,
    pub tick_size: Option<&'a str>,
    pub last_trade_price: Option<&'a str>,
    pub bids: Option<Side<'a>>,
    pub asks: Option<Side<'a>>,
    pub changes: bool,
}

/// A position in a frame.
pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is no white space, without taking it.
    pub fn peek(&mut self) -> Option<u8> {
        self.space();
        self.bytes.get(self.at).copied()
    }

    /// Takes `byte` if it comes next.
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    /// A string without escapes and control characters, eight bytes a step.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let mut end = start;
        let mut words = rest.chunks_exact(8);
        for word in words.by_ref() {
            let stops = stops(u64::from_le_bytes(word.try_into().ok()?));
            if stops != 0 {
                end += (stops.trailing_zeros() / 8) as usize;
                return self.close(start, end);
            }
            end += 8;
        }
        for &b in words.remainder() {
            if b == b'"' || b == b'\\' || b < 0x20 {
                return self.close(start, end);
            }
            end += 1;
        }
        None
    }

    fn close(&mut self, start: usize, end: usize) -> Option<&'a str> {
        if self.bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    fn once(&mut self, field: &mut Option<&'a str>) -> Option<()> {
        if field.is_some() {
            return None;
        }
        *field = Some(self.string()?);
        Some(())
    }

    /// A value nobody reads. Only the kinds that occur; others are surprises.
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => None,
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.bytes.get(self.at..)?.strip_prefix(word.as_bytes())?;
        self.at += word.len();
        Some(())
    }

    /// After a value: whether the list goes on (`,`) or ends with `end`.
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        if self.take(b',') {
            return Some(true);
        }
        self.expect(end)?;
        Some(false)
    }

    /// One object. Each entry of `price_changes` goes to `change` as soon as it is read.
    pub fn object(&mut self, mut change: impl FnMut(Change<'a>)) -> Option<Head<'a>> {
        let mut head = Head::default();
        self.expect(b'{')?;
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            match key {
                "event_type" => self.once(&mut head.event_type)?,
                "market" => self.once(&mut head.market)?,
                "asset_id" => self.once(&mut head.asset_id)?,
                "timestamp" => self.once(&mut head.timestamp)?,
                "hash" => self.once(&mut head.hash)?,
                "tick_size" => self.once(&mut head.tick_size)?,
                "last_trade_price" => self.once(&mut head.last_trade_price)?,
                "bids" if head.bids.is_none() => head.bids = Some(self.side()?),
                "asks" if head.asks.is_none() => head.asks = Some(self.side()?),
                "price_changes" if !head.changes => {
                    head.changes = true;
                    self.changes(&mut change)?;
                }
                // A repeated key, or the format of before September 2025.
                "bids" | "asks" | "price_changes" | "changes" => return None,
                _ => self.skip()?,
            }
            if !self.goes_on(b'}')? {
                return Some(head);
            }
        }
    }

    fn changes(&mut self, change: &mut impl FnMut(Change<'a>)) -> Option<()> {
        self.expect(b'[')?;
        loop {
            let (mut asset, mut price, mut size, mut side) = (None, None, None, None);
            self.expect(b'{')?;
            loop {
                let key = self.string()?;
                self.expect(b':')?;
                match key {
                    "asset_id" => self.once(&mut asset)?,
                    "price" => self.once(&mut price)?,
                    "size" => self.once(&mut size)?,
                    "side" => self.once(&mut side)?,
                    _ => self.skip()?,
                }
                if !self.goes_on(b'}')? {
                    break;
                }
            }
            change(Change {
                asset: asset?,
                side: match side? {
                    "BUY" => BookSide::Bid,
                    "SELL" => BookSide::Ask,
                    _ => return None,
                },
                price: tradable(price?)?,
                qty: Qty(micros(size?.as_bytes())?),
            });
            if !self.goes_on(b']')? {
                return Some(());
            }
        }
    }

    fn side(&mut self) -> Option<Side<'a>> {
        self.expect(b'[')?;
        let start = self.at - 1;
        let mut levels = Vec::new();
        let mut strings = 0;
        let mut ordered = true;
        if !self.take(b']') {
            loop {
                let (mut price, mut size) = (None, None);
                self.expect(b'{')?;
                loop {
                    let key = self.string()?;
                    self.expect(b':')?;
                    match key {
                        "price" => {
                            ordered &= size.is_none();
                            self.once(&mut price)?;
                        }
                        "size" => self.once(&mut size)?,
                        _ => return None,
                    }
                    if !self.goes_on(b'}')? {
                        break;
                    }
                }
                let (price, size) = (price?, size?);
                strings += price.len() + size.len();
                levels.push((tradable(price)?, Qty(micros(size.as_bytes())?)));
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        let json = self.text.get(start..self.at)?;
        // `[{"price":"","size":""},…]`: 22 bytes and a comma a level. Longer means white space.
        let compact = strings + levels.len() * 23 + 2 - usize::from(!levels.is_empty());
        Some(Side {
            canonical: ordered && json.len() == compact,
            levels,
            json,
        })
    }

    /// Whether nothing but white space is left.
    pub fn is_done(&mut self) -> bool {
        self.peek().is_none()
    }
}

/// The high bit of every byte of `word` that ends a plain string: `"`, `\`, control characters.
/// Exact up to the first such byte, which is all that is asked of it.
fn stops(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = LOW << 7;
    let is_zero = |v: u64| v.wrapping_sub(LOW) & !v & HIGH;
    let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
    is_zero(word ^ (LOW * u64::from(b'"'))) | is_zero(word ^ (LOW * u64::from(b'\\'))) | control
}

/// A decimal in millionths: digits, a point, at most six decimals. Anything else is a surprise.
pub(super) fn micros(text: &[u8]) -> Option<i64> {
    let mut value: i64 = 0;
    let mut whole = 0;
    for &b in text {
        if !b.is_ascii_digit() {
            break;
        }
        value = value * 10 + i64::from(b - b'0');
        whole += 1;
        if whole > WHOLE_DIGITS_MAX {
            return None;
        }
    }
    let decimals = match text.get(whole..)? {
        [] if whole > 0 => return Some(value * ONE),
        [b'.', decimals @ ..] if decimals.len() <= 6 => decimals,
        _ => return None,
    };
    for &b in decimals {
        if !b.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(b - b'0');
    }
    let scale = match decimals.len() {
        1 => 100_000,
        2 => 10_000,
        3 => 1_000,
        4 => 100,
        5 => 10,
        6 => 1,
        _ => return None,
    };
    Some(value * scale)
}

fn tradable(text: &str) -> Option<Price> {
    micros(text.as_bytes())
        .map(Price)
        .filter(|price| price.is_tradable())
}

/// A stamp in milliseconds.
pub(super) fn stamp(text: &str) -> Option<Timestamp> {
    let digits = text.len() <= STAMP_DIGITS_MAX && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(Timestamp::from_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn empty_containers_are_left_to_serde() {
        assert!(Scanner::new("{}").object(|_| ()).is_none());
        assert!(
            Scanner::new(r#"{"price_changes":[]}"#)
                .object(|_| ())
                .is_none()
        );
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_units_reads_it(text in "[0-9]{0,14}\\.?[0-9]{0,8}") {
            if let Some(value) = micros(text.as_bytes()) {
                prop_assert_eq!(Ok(Qty(value)), Qty::parse(&text));
            }
        }

        #[test]
        fn a_string_ends_where_serde_ends_it(text in "[ -~\u{1}-\u{1f}é€]{0,40}") {
            let json = format!("\"{text}\" ");
            let ours = Scanner::new(&json).string();
            let mut theirs = serde_json::Deserializer::from_str(&json).into_iter::<&str>();
            if let Some(ours) = ours {
                prop_assert_eq!(ours, theirs.next().unwrap().unwrap());
            }
        }
    }
}
