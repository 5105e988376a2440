//! The two-million-update order book stream that replays are measured on. Generated, never stored.
//!
//! One instrument with a tick of 0.001, one update a millisecond, from a seeded generator. Each update
//! picks a side and, with fixed odds, one of six things: remove the best level (the side that lies
//! farther from the middle of the price range more often, so that prices come back), remove another
//! one, quote a better price inside the spread, add a level behind the best, resize the best, resize
//! another one. Additions and removals hold each other at about 79 levels a side. A better price is
//! only ever quoted strictly inside the spread, so the book never crosses. [`Stream::census`] counts
//! what came out: 18 % removals, 11.7 % moves of a best price, 28.5 % changes of a best price or
//! its size, 79 levels a side.

use pm_arb_core::event::BookSide;

/// Time of the snapshot before the first update, in nanoseconds: 2026-01-05 12:00 UTC.
pub const START: u64 = 1_767_614_400_000_000_000;
/// Between two updates.
pub const STEP: u64 = 1_000_000;
/// One tick in millionths of a dollar.
pub const TICK: i64 = 1_000;
/// Levels a side that the generator steers toward.
const LEVELS: usize = 82;
/// Draws of a free price before a level is resized instead.
const TRIES: usize = 8;
/// Ticks behind the best where levels are added.
const DEPTH: u64 = 158;

/// One level's new absolute size, in ticks and in hundredths of a share.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    /// Which side.
    pub side: BookSide,
    /// Price in ticks, 1 to 999.
    pub ticks: u16,
    /// Size in hundredths of a share; zero removes.
    pub size: u32,
}

/// The book before the first update, and the updates.
pub struct Stream {
    /// Levels of the first book.
    pub first: Vec<Update>,
    /// What follows, one a [`STEP`].
    pub updates: Vec<Update>,
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn size(&mut self) -> u32 {
        100 + self.below(100_000) as u32
    }
}

/// A side as the generator sees it: occupied ticks, best last.
struct Side {
    side: BookSide,
    ticks: Vec<u16>,
}

impl Side {
    /// Position by which better ticks come later.
    fn rank(&self, ticks: u16) -> i32 {
        match self.side {
            BookSide::Bid => i32::from(ticks),
            BookSide::Ask => -i32::from(ticks),
        }
    }

    fn best(&self) -> u16 {
        self.ticks.last().copied().unwrap_or(match self.side {
            BookSide::Bid => 1,
            BookSide::Ask => 999,
        })
    }

    fn insert(&mut self, ticks: u16) -> bool {
        let rank = self.rank(ticks);
        match self.ticks.binary_search_by_key(&rank, |t| self.rank(*t)) {
            Ok(_) => false,
            Err(at) => {
                self.ticks.insert(at, ticks);
                true
            }
        }
    }
}

impl Stream {
    /// The stream of `count` updates for a seed: the same one every time.
    pub fn generate(seed: u64, count: usize) -> Self {
        let mut random = Random(seed);
        let side = |side| Side {
            side,
            ticks: Vec::new(),
        };
        let mut sides = [side(BookSide::Bid), side(BookSide::Ask)];
        let mut first = Vec::new();
        for book_side in &mut sides {
            for n in 0..LEVELS as u16 {
                let ticks = match book_side.side {
                    BookSide::Bid => 498 - 2 * n,
                    BookSide::Ask => 502 + 2 * n,
                };
                book_side.insert(ticks);
                first.push(Update {
                    side: book_side.side,
                    ticks,
                    size: random.size(),
                });
            }
        }
        let updates = (0..count).map(|_| next(&mut random, &mut sides)).collect();
        Self { first, updates }
    }

    /// What came out: shares of removals, of moves of a best price, of changes of a best price or its
    /// size; levels a side on average; the narrowest spread in ticks.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        let mut books = [vec![0_u32; 1_000], vec![0_u32; 1_000]];
        let mut best = [0_u16, 999];
        let (mut levels, mut sum) = (0_i64, 0_i64);
        for (n, update) in self.first.iter().chain(&self.updates).enumerate() {
            let at = usize::from(update.side == BookSide::Ask);
            let counted = n >= self.first.len();
            let (Some(book), Some(top)) = (books.get_mut(at), best.get_mut(at)) else {
                continue;
            };
            let Some(slot) = book.get_mut(usize::from(update.ticks)) else {
                continue;
            };
            levels += i64::from(update.size > 0) - i64::from(*slot > 0);
            *slot = update.size;
            let occupied = |t: &u16| book.get(usize::from(*t)).is_some_and(|size| *size > 0);
            let now = match update.side {
                BookSide::Bid => (1..1_000_u16).rev().find(occupied),
                BookSide::Ask => (1..1_000_u16).find(occupied),
            };
            let now = now.unwrap_or(*top);
            if counted {
                census.removals += u64::from(update.size == 0);
                census.moves += u64::from(now != *top);
                census.tops += u64::from(now != *top || update.ticks == now);
                sum += levels;
            }
            *top = now;
            if counted {
                let [bid, ask] = best;
                census.spread_min = census.spread_min.min(i32::from(ask) - i32::from(bid));
            }
        }
        census.levels = sum as f64 / 2.0 / self.updates.len() as f64;
        census
    }
}

/// See [`Stream::census`].
#[derive(Debug)]
pub struct Census {
    /// Levels removed.
    pub removals: u64,
    /// A best price became another one.
    pub moves: u64,
    /// A best price or its size became another one.
    pub tops: u64,
    /// Levels a side, on average.
    pub levels: f64,
    /// Ticks between the best prices at their closest; zero or less would be crossed.
    pub spread_min: i32,
}

impl Default for Census {
    fn default() -> Self {
        Self {
            removals: 0,
            moves: 0,
            tops: 0,
            levels: 0.0,
            spread_min: i32::MAX,
        }
    }
}

fn next(random: &mut Random, sides: &mut [Side; 2]) -> Update {
    let [bids, asks] = sides;
    let (bid, ask) = (bids.best(), asks.best());
    let middle = (u64::from(bid) + u64::from(ask)) / 2;
    // Out of 10,000.
    let dice = random.below(10_000);
    let removes_best = dice < 660;
    let improves = (660..1_320).contains(&dice);
    let buy = match (removes_best, improves) {
        (true, _) => random.below(1_000) < middle,
        (_, true) => random.below(1_000) >= middle,
        _ => random.below(2) == 0,
    };
    let own = if buy { bids } else { asks };
    let side = own.side;
    let best = own.best();
    let set = |ticks, size| Update { side, ticks, size };
    let count = own.ticks.len() as u64;
    if removes_best && count > 20 {
        own.ticks.pop();
        return set(best, 0);
    }
    if improves && ask - bid > 1 {
        let step = 1 + random.below(u64::from(ask - bid) - 1) as u16;
        let ticks = if buy { best + step } else { best - step };
        own.insert(ticks);
        return set(ticks, random.size());
    }
    if dice < 3_620 {
        // Additions and removals behind the best, 24 % together; more of what is missing.
        let short = (LEVELS as i64 - count as i64).clamp(-30, 30);
        if random.below(100) < (50 + short) as u64 {
            for _ in 0..TRIES {
                let behind = 1 + random.below(DEPTH) as u16;
                let ticks = if buy {
                    best.saturating_sub(behind).max(1)
                } else {
                    (best + behind).min(999)
                };
                if own.insert(ticks) {
                    return set(ticks, random.size());
                }
            }
        } else if count > 20 {
            let at = random.below(count - 1) as usize;
            return set(own.ticks.remove(at), 0);
        }
    }
    if dice >= 8_320 {
        return set(best, random.size());
    }
    let at = random.below(count.saturating_sub(1)) as usize;
    let ticks = own.ticks.get(at).copied().unwrap_or(best);
    set(ticks, random.size())
}
