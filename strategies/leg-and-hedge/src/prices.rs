//! The newest prices of every leg, and what they were like lately.

use pm_arb_sdk::mean::Mean;
use pm_arb_sdk::money::middle;
use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{Quote, Timestamp};
use std::collections::BTreeMap;

/// Instruments followed at once.
const INSTRUMENTS_MAX: usize = 8_192;

/// One instrument's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    mean: Mean,
    bid: Option<i64>,
    ask: Option<(i64, i64)>,
}

/// See the top of the file.
#[derive(Debug, Default)]
pub struct Prices(BTreeMap<u32, Seen>);

impl Prices {
    /// Learns a quote. A book with one side tells nothing of the mean.
    pub fn hear(&mut self, window: u64, now: Timestamp, quote: &Quote) {
        let bid = (quote.bid_qty > 0).then_some(quote.bid_price);
        let ask = (quote.ask_qty > 0).then_some((quote.ask_price, quote.ask_qty));
        let middle = bid.zip(ask).and_then(|(bid, (ask, _))| middle(bid, ask));
        let full = self.0.len() >= INSTRUMENTS_MAX;
        match (self.0.get_mut(&quote.instrument), middle) {
            (Some(seen), middle) => {
                match middle {
                    Some(middle) => seen.mean.add(now, middle, window),
                    None => seen.mean.pause(),
                }
                (seen.bid, seen.ask) = (bid, ask);
            }
            (None, Some(middle)) if !full => {
                let mean = Mean::new(now, middle);
                self.0.insert(quote.instrument, Seen { mean, bid, ask });
            }
            (None, _) => {}
        }
    }

    /// A book is no longer valid.
    pub fn lost(&mut self, instrument: u32) {
        if let Some(seen) = self.0.get_mut(&instrument) {
            (seen.bid, seen.ask) = (None, None);
            seen.mean.pause();
        }
    }

    /// Forgets the others.
    pub fn retain(&mut self, is_wanted: impl Fn(u32) -> bool) {
        self.0.retain(|instrument, _| is_wanted(*instrument));
    }

    /// The best bid.
    pub fn bid(&self, instrument: u32) -> Option<i64> {
        self.0.get(&instrument)?.bid
    }

    /// The best ask, and the shares there.
    pub fn ask(&self, instrument: u32) -> Option<(i64, i64)> {
        self.0.get(&instrument)?.ask
    }

    /// The mean, once it is known for that long.
    pub fn mean(&self, instrument: u32, now: Timestamp, window: u64) -> Option<i64> {
        let mean = self.0.get(&instrument)?.mean;
        (mean.age(now) >= window).then(|| mean.mean())
    }

    /// Writes `mean INSTRUMENT …` lines. The prices themselves are told again.
    pub fn write(&self, out: &mut Writer) {
        for (instrument, seen) in &self.0 {
            out.line(format_args!("mean {instrument} {}", seen.mean.words()));
        }
    }

    /// Reads the words after `mean`.
    pub fn read(&mut self, instrument: &str, words: &[&str]) -> Result<(), String> {
        let seen = Seen {
            mean: Mean::read(words)?,
            bid: None,
            ask: None,
        };
        self.0.insert(state::number(instrument)?, seen);
        Ok(())
    }
}
