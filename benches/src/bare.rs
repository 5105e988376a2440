//! The floor of a replay: a book of two sorted vectors, a strategy behind a `dyn` call on every event,
//! a check of the cash and a fill that walks the book. No scanner, no allocator, no ledger, no latency,
//! no effects: what an engine that does all that is compared with.

use crate::native::{REACH, SHARES};
use crate::stream::{START, STEP, Stream, TICK, Update};
use pm_arb_core::event::BookSide;

/// What such a strategy can do.
trait Bare {
    /// A limit in millionths to buy at, now and then.
    fn on_book(&mut self, now: u64, bid: (i64, i64), ask: (i64, i64)) -> Option<i64>;
}

#[derive(Default)]
struct OnceASecond {
    second: u64,
    mids: i64,
}

impl Bare for OnceASecond {
    fn on_book(&mut self, now: u64, bid: (i64, i64), ask: (i64, i64)) -> Option<i64> {
        self.mids = self.mids.wrapping_add(bid.0).wrapping_add(ask.0);
        let second = now / 1_000_000_000;
        if second == self.second {
            return None;
        }
        self.second = second;
        Some(ask.0 + REACH)
    }
}

/// One side: `(key, size)`, best last; larger keys are better.
type Ladder = Vec<(i64, i64)>;

fn set(ladder: &mut Ladder, key: i64, size: i64) {
    match ladder.binary_search_by_key(&key, |level| level.0) {
        Ok(at) if size == 0 => {
            ladder.remove(at);
        }
        Ok(at) => {
            if let Some(level) = ladder.get_mut(at) {
                level.1 = size;
            }
        }
        Err(at) if size > 0 => ladder.insert(at, (key, size)),
        Err(_) => {}
    }
}

/// Replays the stream; returns shares bought and cash spent, both in millionths.
pub fn replay(stream: &Stream) -> (i64, i64) {
    let mut strategy: Box<dyn Bare> = std::hint::black_box(Box::new(OnceASecond::default()));
    let (mut bids, mut asks) = (Ladder::new(), Ladder::new());
    let apply = |update: &Update, bids: &mut Ladder, asks: &mut Ladder| {
        let price = i64::from(update.ticks) * TICK;
        let size = i64::from(update.size) * 10_000;
        match update.side {
            BookSide::Bid => set(bids, price, size),
            BookSide::Ask => set(asks, -price, size),
        }
    };
    for update in &stream.first {
        apply(update, &mut bids, &mut asks);
    }
    let mut cash = 1_000_000_000_000_i64;
    let mut bought = 0_i64;
    let start = cash;
    for (n, update) in stream.updates.iter().enumerate() {
        apply(update, &mut bids, &mut asks);
        let (Some(&bid), Some(&(key, size))) = (bids.last(), asks.last()) else {
            continue;
        };
        let now = START + STEP * (n as u64 + 1);
        let Some(limit) = strategy.on_book(now, bid, (-key, size)) else {
            continue;
        };
        let mut wanted = SHARES;
        for &(key, size) in asks.iter().rev() {
            let price = -key;
            let take = wanted.min(size);
            let cost = take * price / 1_000_000;
            if price > limit || take == 0 || cost > cash {
                break;
            }
            cash -= cost;
            wanted -= take;
            bought += take;
        }
    }
    (bought, start - cash)
}
