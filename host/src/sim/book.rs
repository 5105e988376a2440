//! One order book of a binary market, seen from both of its outcomes.
//!
//! Owns: the levels, and the mirror between the outcomes (a bid for one at p is an ask for the
//! other at 1 - p, in the same shares). Prices are ten-thousandths of a dollar, sizes hundredths
//! of a share, so every number on a wire is an exact integer here.
//! Never: decides a price.

use std::collections::BTreeMap;

/// One dollar, in the unit of a level's price.
pub const ONE: u16 = 10_000;
/// The usual tick of one cent.
pub const CENT: u16 = 100;
/// The fine tick a market switches to near 0 or 1.
pub const TENTH_CENT: u16 = 10;

/// An outcome of a binary market. `Yes` also stands for Up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Yes or Up: the side the book is kept in.
    Yes,
    /// No or Down: the mirror image.
    No,
}

impl Outcome {
    /// Both, in the order in which the venues list them.
    pub const BOTH: [Outcome; 2] = [Outcome::Yes, Outcome::No];

    /// Position in the venues' lists.
    pub const fn index(self) -> usize {
        match self {
            Outcome::Yes => 0,
            Outcome::No => 1,
        }
    }
}

/// Which side of the Yes book a level stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Wants to buy Yes.
    Bid,
    /// Wants to sell Yes, which is: buy No at 1 - p.
    Ask,
}

impl Side {
    /// The same resting order seen from `outcome`.
    pub const fn seen_from(self, outcome: Outcome) -> Side {
        match (self, outcome) {
            (side, Outcome::Yes) => side,
            (Side::Bid, Outcome::No) => Side::Ask,
            (Side::Ask, Outcome::No) => Side::Bid,
        }
    }
}

/// The same price seen from `outcome`.
pub const fn price_from(outcome: Outcome, price: u16) -> u16 {
    match outcome {
        Outcome::Yes => price,
        Outcome::No => ONE.saturating_sub(price),
    }
}

/// The one book of a binary market.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TwinBook {
    bids: BTreeMap<u16, i64>,
    asks: BTreeMap<u16, i64>,
}

impl TwinBook {
    /// Sets a level to an absolute size; zero or less removes it. Returns the signed change.
    pub fn set(&mut self, side: Side, price: u16, size: i64) -> i64 {
        let levels = self.side_mut(side);
        let before = if size > 0 {
            levels.insert(price, size)
        } else {
            levels.remove(&price)
        };
        size.max(0) - before.unwrap_or(0)
    }

    /// Size standing at a level, zero when there is none.
    pub fn size_at(&self, side: Side, price: u16) -> i64 {
        self.side(side).get(&price).copied().unwrap_or(0)
    }

    /// Removes every level.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Levels of one side of the Yes book, ascending.
    pub fn side(&self, side: Side) -> &BTreeMap<u16, i64> {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<u16, i64> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Best level of one side of the Yes book.
    pub fn best(&self, side: Side) -> Option<(u16, i64)> {
        let level = match side {
            Side::Bid => self.bids.last_key_value(),
            Side::Ask => self.asks.first_key_value(),
        };
        level.map(|(price, size)| (*price, *size))
    }

    /// Best price an outcome's holder of cash or shares sees.
    pub fn best_from(&self, outcome: Outcome, side: Side) -> Option<u16> {
        self.best(side.seen_from(outcome))
            .map(|(price, _)| price_from(outcome, price))
    }

    /// Bids of an outcome, worst first: the venues' order.
    pub fn bids_ascending(&self, outcome: Outcome) -> Vec<(u16, i64)> {
        match outcome {
            Outcome::Yes => self.bids.iter().map(|(p, s)| (*p, *s)).collect(),
            Outcome::No => self.asks.iter().rev().map(|(p, s)| (ONE - p, *s)).collect(),
        }
    }

    /// Asks of an outcome, worst first: the venues' order.
    pub fn asks_descending(&self, outcome: Outcome) -> Vec<(u16, i64)> {
        match outcome {
            Outcome::Yes => self.asks.iter().rev().map(|(p, s)| (*p, *s)).collect(),
            Outcome::No => self.bids.iter().map(|(p, s)| (ONE - p, *s)).collect(),
        }
    }
}

/// A price as Polymarket writes it: no trailing zeros ("0.48").
pub fn trimmed_price(price: u16) -> String {
    trimmed(format!("{}.{:04}", price / ONE, price % ONE))
}

/// A size as Polymarket writes it: no trailing zeros ("932.3").
pub fn trimmed_size(size: i64) -> String {
    trimmed(format!("{}.{:02}", size / 100, size % 100))
}

fn trimmed(mut text: String) -> String {
    while text.ends_with('0') {
        text.pop();
    }
    if text.ends_with('.') {
        text.pop();
    }
    text
}

/// A price as Kalshi writes it: four decimals ("0.4800").
pub fn dollars(price: u16) -> String {
    format!("{}.{:04}", price / ONE, price % ONE)
}

/// A count as Kalshi writes it: two decimals, signed ("-40.00").
pub fn count_fp(size: i64) -> String {
    let sign = if size < 0 { "-" } else { "" };
    let size = size.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}
