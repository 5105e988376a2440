//! The book hash: proof that a full `book` frame is the book the venue had.
//!
//! SHA-1 over a compact JSON text of the whole book, in a fixed key order. Two of its parts are not
//! in the frame: `min_order_size` and `neg_risk` belong to the market, and `last_trade_price` often
//! arrives only after the book that the trade changed. There are but a thousand prices of three
//! decimals, so the verifier finds the one that makes the hash true; if none does, the book is wrong.

use pm_arb_core::market::MarketSpec;
use pm_arb_core::units::Price;
use sha1::{Digest, Sha1};
use std::collections::HashMap;

/// Most markets whose facts are kept; more are not verified.
const MARKETS_MAX: usize = 65_536;
/// `last_trade_price` is padded to three decimals, so it is one of 0.000 … 1.000.
const TRADE_PRICES: u32 = 1_000;

/// What a hash said about a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the venue's book.
    Intact,
    /// It is not: something was lost or changed on the way.
    Wrong,
    /// The market was never announced to the verifier, or the frame carries no hash.
    Unknown,
}

/// The texts of a `book` frame that the hash covers, exactly as received.
pub struct BookText<'a> {
    /// Condition id.
    pub market: &'a str,
    /// Token id.
    pub asset_id: &'a str,
    /// Milliseconds.
    pub timestamp: &'a str,
    /// The claimed hash, 40 hex digits.
    pub hash: &'a str,
    /// Compact JSON array, ascending.
    pub bids: &'a str,
    /// Compact JSON array, descending.
    pub asks: &'a str,
    /// The grid, where the frame names it.
    pub tick_size: Option<&'a str>,
    /// The market's last trade, where the frame names it.
    pub last_trade_price: Option<&'a str>,
}

#[derive(Debug)]
struct Facts {
    /// `None` while they are not known: no hash of such a market can be checked.
    min_order_size: Option<String>,
    tick_size: Option<String>,
    neg_risk: bool,
    last_trade_price: String,
}

/// Verifies books of the markets it was told about.
#[derive(Debug, Default)]
pub struct Verifier {
    markets: HashMap<String, Facts>,
}

impl Verifier {
    /// Learns what a frame does not say.
    pub fn track(&mut self, spec: &MarketSpec, neg_risk: bool) {
        if self.markets.len() >= MARKETS_MAX && !self.markets.contains_key(&spec.native_id) {
            return;
        }
        let facts = Facts {
            min_order_size: spec.min_qty.map(|qty| qty.to_string()),
            tick_size: spec.tick.map(tick_text),
            neg_risk,
            last_trade_price: String::new(),
        };
        self.markets.insert(spec.native_id.clone(), facts);
    }

    /// Forgets a market that is over.
    pub fn forget(&mut self, condition_id: &str) {
        self.markets.remove(condition_id);
    }

    /// Notes a trade: its price is part of the hash of both books from now on.
    pub fn traded(&mut self, condition_id: &str, price: Price) {
        if let Some(facts) = self.markets.get_mut(condition_id) {
            facts.last_trade_price = trade_price(price.0.unsigned_abs() / 1_000);
        }
    }

    /// Notes a new grid.
    pub fn tick_changed(&mut self, condition_id: &str, tick: Price) {
        if let Some(facts) = self.markets.get_mut(condition_id) {
            facts.tick_size = Some(tick_text(tick));
        }
    }

    /// Whether `book` is the book the venue hashed.
    pub fn verify(&mut self, book: &BookText<'_>) -> Verdict {
        let Some(facts) = self.markets.get_mut(book.market) else {
            return Verdict::Unknown;
        };
        let Some(claimed) = digest_of(book.hash) else {
            return Verdict::Wrong;
        };
        if let Some(tick) = book.tick_size {
            facts.tick_size = Some(tick.to_owned());
        }
        let Some(prefix) = hash_prefix(book, facts) else {
            return Verdict::Unknown;
        };
        let is = |price: &str| {
            let mut sha = prefix.clone();
            sha.update(price);
            sha.update("\"}");
            <[u8; 20]>::from(sha.finalize()) == claimed
        };
        let told = book.last_trade_price.unwrap_or(&facts.last_trade_price);
        if is(told) {
            if let Some(told) = book.last_trade_price {
                told.clone_into(&mut facts.last_trade_price);
            }
            return Verdict::Intact;
        }
        let candidates = (0..=TRADE_PRICES).map(|t| trade_price(t.into()));
        let found = candidates
            .chain(std::iter::once(String::new()))
            .find(|price| is(price));
        match found {
            Some(price) => {
                facts.last_trade_price = price;
                Verdict::Intact
            }
            None => Verdict::Wrong,
        }
    }
}

/// The state of the hash just before the last trade's price, when all that it covers is known.
fn hash_prefix(book: &BookText<'_>, facts: &Facts) -> Option<Sha1> {
    let mut sha = Sha1::new();
    for part in [
        r#"{"market":""#,
        book.market,
        r#"","asset_id":""#,
        book.asset_id,
        r#"","timestamp":""#,
        book.timestamp,
        r#"","hash":"","bids":"#,
        book.bids,
        r#","asks":"#,
        book.asks,
        r#","min_order_size":""#,
        facts.min_order_size.as_deref()?,
        r#"","tick_size":""#,
        facts.tick_size.as_deref()?,
        r#"","neg_risk":"#,
        if facts.neg_risk { "true" } else { "false" },
        r#","last_trade_price":""#,
    ] {
        sha.update(part);
    }
    Some(sha)
}

/// A grid as the venue writes it: "0.1", "0.01", "0.001", "0.0001".
fn tick_text(tick: Price) -> String {
    let text = tick.to_string();
    match text.strip_suffix('0') {
        Some(short) if !short.ends_with('.') => short.to_owned(),
        _ => text,
    }
}

/// A price of thousandths as the venue writes it: "0.480".
fn trade_price(thousandths: u64) -> String {
    format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
}

fn digest_of(hex: &str) -> Option<[u8; 20]> {
    let mut digest = [0; 20];
    if hex.len() != 40 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}
