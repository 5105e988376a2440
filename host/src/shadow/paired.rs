//! What the two versions earned in the same markets: one pair a market, once it is settled.
//!
//! Only what is earned after the candidate came counts, and only markets in which either traded since.
//! Markets that close at the same instant hang on the same move of the world, so the test takes their
//! differences as one observation; it waits until all of them that were traded are settled.
//!
//! Bounded by what is open: a market's figures go when it is settled, and the last [`PAIRS_KEPT`] stay.

use super::sequential::Sequential;
use pm_arb_core::effect::{Effect, TradeStatus};
use pm_arb_core::ids::{MarketId, StrategyId, Timestamp, TradeId};
use pm_arb_core::market::MarketStatus;
use pm_arb_core::units::Usd;
use std::collections::{BTreeMap, VecDeque};

/// Pairs that are kept to be shown; the oldest goes first.
pub const PAIRS_KEPT: usize = 200;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What runs.
    Incumbent,
    /// What might run instead.
    Candidate,
}

/// A market and what each earned in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Readable name of the market.
    pub market: String,
    /// When it was settled.
    pub at: Timestamp,
    /// After fees, by what runs.
    pub incumbent: Usd,
    /// After fees, by the candidate.
    pub candidate: Usd,
}

impl Pair {
    /// What the candidate earned more.
    #[must_use]
    pub fn difference(&self) -> Usd {
        Usd(self.candidate.0.saturating_sub(self.incumbent.0))
    }
}

/// What one side earned since the candidate came.
#[derive(Debug, Clone, Default)]
struct Earned {
    /// Rows that are open: where, and what they had realised when last heard of.
    rows: BTreeMap<TradeId, (MarketId, Usd)>,
    markets: BTreeMap<MarketId, InMarket>,
    bought: Usd,
    net: Usd,
    peak: Usd,
    drawdown: Usd,
}

#[derive(Debug, Clone, Copy, Default)]
struct InMarket {
    pnl: Usd,
    traded: bool,
}

/// A market that something was wished about.
#[derive(Debug, Clone)]
struct Known {
    slug: String,
    closes_at: Timestamp,
}

/// See the top of the file.
#[derive(Debug, Clone)]
pub struct Paired {
    whose: StrategyId,
    counting: bool,
    incumbent: Earned,
    candidate: Earned,
    known: BTreeMap<MarketId, Known>,
    /// Settled by the record that is being stepped.
    settled: BTreeMap<MarketId, Timestamp>,
    /// Differences of markets that close then, while others that do are not settled.
    together: BTreeMap<Timestamp, Usd>,
    test: Sequential,
    recent: VecDeque<Pair>,
    better: u64,
    worse: u64,
    equal: u64,
    difference: Usd,
}

impl Paired {
    /// Of that strategy.
    #[must_use]
    pub fn new(whose: StrategyId) -> Self {
        Self {
            whose,
            counting: false,
            incumbent: Earned::default(),
            candidate: Earned::default(),
            known: BTreeMap::new(),
            settled: BTreeMap::new(),
            together: BTreeMap::new(),
            test: Sequential::default(),
            recent: VecDeque::new(),
            better: 0,
            worse: 0,
            equal: 0,
            difference: Usd::ZERO,
        }
    }

    /// The candidate took its place: from here on it counts.
    pub fn begin(&mut self) {
        self.counting = true;
    }

    /// What a record led to on one side. After both sides, [`conclude`](Self::conclude).
    pub fn hear(&mut self, side: Side, effects: &[Effect]) {
        for effect in effects {
            match effect {
                // What was booked stays booked: a contradiction later is for people.
                Effect::RecordMarket(market) if market.status != MarketStatus::Contradicted => {
                    let known = Known {
                        slug: market.slug.clone(),
                        closes_at: market.closes_at,
                    };
                    self.known.insert(market.market, known);
                    if matches!(market.status, MarketStatus::Settled | MarketStatus::Void) {
                        self.settled.insert(market.market, market.at);
                    }
                }
                Effect::RecordTrade(trade) if trade.strategy == self.whose && trade.qty.0 > 0 => {
                    let counting = self.counting;
                    let earned = self.side(side);
                    earned.rows.insert(trade.id, (trade.market, Usd::ZERO));
                    if counting {
                        earned.bought = plus(earned.bought, trade.cost);
                        earned.markets.entry(trade.market).or_default().traded = true;
                    }
                }
                Effect::UpdateTrade(update) => {
                    let counting = self.counting;
                    let sold = update.status != TradeStatus::Resolved;
                    self.side(side).realised(
                        update.id,
                        update.realized_pnl,
                        update.status,
                        counting,
                        sold,
                    );
                }
                _ => {}
            }
        }
    }

    fn side(&mut self, side: Side) -> &mut Earned {
        match side {
            Side::Incumbent => &mut self.incumbent,
            Side::Candidate => &mut self.candidate,
        }
    }

    /// Both sides were heard: what is settled becomes a pair.
    pub fn conclude(&mut self) {
        for (market, at) in std::mem::take(&mut self.settled) {
            let incumbent = self.incumbent.markets.remove(&market).unwrap_or_default();
            let candidate = self.candidate.markets.remove(&market).unwrap_or_default();
            let Some(known) = self.known.remove(&market) else {
                continue;
            };
            if !incumbent.traded && !candidate.traded {
                continue;
            }
            let pair = Pair {
                market: known.slug,
                at,
                incumbent: incumbent.pnl,
                candidate: candidate.pnl,
            };
            let difference = pair.difference();
            match difference.0 {
                1.. => self.better += 1,
                0 => self.equal += 1,
                _ => self.worse += 1,
            }
            self.difference = plus(self.difference, difference);
            if self.recent.len() >= PAIRS_KEPT {
                self.recent.pop_front();
            }
            self.recent.push_back(pair);
            let sum = self.together.entry(known.closes_at).or_default();
            *sum = plus(*sum, difference);
            if !self.awaits(known.closes_at) {
                let sum = self.together.remove(&known.closes_at).unwrap_or_default();
                self.test.observe(sum);
            }
        }
    }

    /// Whether a traded market that closes then is not settled.
    fn awaits(&self, closes_at: Timestamp) -> bool {
        let sides = [&self.incumbent, &self.candidate];
        let mut traded = sides.into_iter().flat_map(|side| &side.markets);
        traded.any(|(market, in_it)| {
            let known = self.known.get(market);
            in_it.traded && known.is_some_and(|known| known.closes_at == closes_at)
        })
    }

    /// The test so far.
    #[must_use]
    pub fn test(&self) -> &Sequential {
        &self.test
    }

    /// Markets settled: in all, better for the candidate, worse, equal.
    #[must_use]
    pub fn markets(&self) -> [u64; 4] {
        let all = self.better + self.worse + self.equal;
        [all, self.better, self.worse, self.equal]
    }

    /// What the candidate earned more, in settled markets.
    #[must_use]
    pub fn difference(&self) -> Usd {
        self.difference
    }

    /// The last pairs, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &Pair> {
        self.recent.iter()
    }

    /// What a side realised, the most that fell from a peak of it, and what it paid for shares.
    #[must_use]
    pub fn earned(&self, side: Side) -> [Usd; 3] {
        let earned = match side {
            Side::Incumbent => &self.incumbent,
            Side::Candidate => &self.candidate,
        };
        [earned.net, earned.drawdown, earned.bought]
    }
}

impl Earned {
    fn realised(
        &mut self,
        row: TradeId,
        pnl: Usd,
        status: TradeStatus,
        counting: bool,
        sold: bool,
    ) {
        let Some((market, before)) = self.rows.get_mut(&row) else {
            return;
        };
        let market = *market;
        let more = Usd(pnl.0.saturating_sub(before.0));
        *before = pnl;
        if matches!(status, TradeStatus::Closed | TradeStatus::Resolved) {
            self.rows.remove(&row);
        }
        if !counting {
            return;
        }
        let in_it = self.markets.entry(market).or_default();
        in_it.pnl = plus(in_it.pnl, more);
        in_it.traded |= sold;
        self.net = plus(self.net, more);
        self.peak = self.peak.max(self.net);
        let fallen = Usd(self.peak.0.saturating_sub(self.net.0));
        self.drawdown = self.drawdown.max(fallen);
    }
}

fn plus(a: Usd, b: Usd) -> Usd {
    Usd(a.0.saturating_add(b.0))
}
