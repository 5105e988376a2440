//! `compare`: two casts of strategies on the same recorded markets, each as if it were alone.
//!
//! Either side replays every run from its beginning: the same events, prices and liquidity, none of it
//! taken by the other. What is compared is the realised profit of each market, in pairs: what both sides
//! met alike (a wild day, a wide book) cancels in the difference. Money is summed in integers; floats
//! appear in the interval alone. Nothing is stored.

use crate::meter::Meter;
use crate::plugin::{Candidate, PluginHost};
use crate::replay::{Backtest, Counts, ReplayError};
use crate::stats::{Interval, bootstrap_mean};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::{Effect, TradeStatus};
use pm_arb_core::ids::{MarketId, TradeId};
use pm_arb_core::units::Usd;
use std::collections::BTreeMap;
use std::path::Path;

/// The interval is drawn with this seed: the same command, the same answer.
const SEED: u64 = 1;

/// What a side made of one market.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Outcome {
    slug: String,
    fills: u64,
    pnl: Usd,
}

/// What a side made of all runs.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// Counted over all runs.
    pub counts: Counts,
    /// Realised profit of everything sold or settled.
    pub pnl: Usd,
    /// Rows still open at the end of their run: in no profit.
    pub open: u64,
    markets: BTreeMap<(usize, MarketId), Outcome>,
}

/// One market in which either side traded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The market.
    pub slug: String,
    /// Realised by A.
    pub a: Usd,
    /// Realised by B.
    pub b: Usd,
    /// Fills of A and of B.
    pub fills: [u64; 2],
}

impl Pair {
    /// How much more B realised.
    #[must_use]
    pub fn difference(&self) -> Usd {
        Usd(self.b.0.saturating_sub(self.a.0))
    }
}

/// Both sides, market by market.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The first.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Every market in which either traded, in order of run and listing.
    pub pairs: Vec<Pair>,
    /// How much more B realised in all.
    pub difference: Usd,
    /// Where the mean difference of a market lies, in dollars; `None` with fewer than two markets.
    pub interval: Option<Interval>,
}

/// Two casts on their way through the same runs.
#[derive(Debug, Default)]
pub struct Match {
    sides: [Side; 2],
    meter: Meter,
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A earned more: the whole interval lies below zero.
    A,
    /// B earned more: the whole interval lies above zero.
    B,
    /// These markets do not tell them apart.
    Undecided,
}

impl Answer {
    /// The word for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::A => "a",
            Answer::B => "b",
            Answer::Undecided => "undecided",
        }
    }
}

impl Comparison {
    /// Which side these markets favour, if any.
    #[must_use]
    pub fn answer(&self) -> Answer {
        match &self.interval {
            Some(i) if i.high < 0.0 => Answer::A,
            Some(i) if i.low > 0.0 => Answer::B,
            _ => Answer::Undecided,
        }
    }
}

impl Match {
    /// Moves that meter by the bytes of the journals it replays.
    #[must_use]
    pub fn metered(meter: &Meter) -> Self {
        Self {
            meter: meter.clone(),
            ..Self::default()
        }
    }

    /// Replays run number `n` with the cast of side `which` (0 is A).
    pub fn play(
        &mut self,
        which: usize,
        (n, dir): (usize, &Path),
        host: &PluginHost,
        config: Option<&EngineConfig>,
        cast: Vec<Candidate>,
    ) -> Result<(), ReplayError> {
        match self.sides.get_mut(which) {
            Some(side) => side.play((n, dir), host, config, cast, &self.meter),
            None => Ok(()),
        }
    }

    /// Both sides, market by market.
    #[must_use]
    pub fn finish(self) -> Comparison {
        let [a, b] = self.sides;
        let pairs = paired(&a, &b);
        let dollars = |pair: &Pair| vec![pair.difference().0 as f64 / 1e6];
        let differences: Vec<Vec<f64>> = pairs.iter().map(dollars).collect();
        Comparison {
            interval: bootstrap_mean(&differences, SEED),
            difference: Usd(b.pnl.0.saturating_sub(a.pnl.0)),
            pairs,
            a,
            b,
        }
    }
}

impl Side {
    fn play(
        &mut self,
        (run, dir): (usize, &Path),
        host: &PluginHost,
        config: Option<&EngineConfig>,
        cast: Vec<Candidate>,
        meter: &Meter,
    ) -> Result<(), ReplayError> {
        let mut each = |seen: &mut Seen, _, effect: &Effect| seen.take(run, effect);
        let backtest = Backtest {
            dir,
            host,
            config,
            meter,
        };
        let (seen, replayed) = backtest.play(cast, &mut each)?;
        self.markets.extend(seen.markets);
        self.pnl = Usd(self.pnl.0.saturating_add(seen.pnl.0));
        self.open += seen.open.len() as u64;
        self.counts.events += replayed.counts.events;
        self.counts.intents += replayed.counts.intents;
        self.counts.denied += replayed.counts.denied;
        self.counts.fills += replayed.counts.fills;
        self.counts.settled += replayed.counts.settled;
        Ok(())
    }
}

/// What one side did in one run.
#[derive(Default)]
struct Seen {
    open: BTreeMap<TradeId, MarketId>,
    markets: BTreeMap<(usize, MarketId), Outcome>,
    pnl: Usd,
}

impl Seen {
    fn take(&mut self, run: usize, effect: &Effect) {
        match effect {
            Effect::RecordTrade(trade) if trade.status == TradeStatus::Open => {
                self.open.insert(trade.id, trade.market);
                let market = self.markets.entry((run, trade.market)).or_default();
                market.slug.clone_from(&trade.market_slug);
                market.fills += 1;
            }
            Effect::UpdateTrade(update) if update.status != TradeStatus::Open => {
                if let Some(id) = self.open.remove(&update.id) {
                    let market = self.markets.entry((run, id)).or_default();
                    market.pnl = Usd(market.pnl.0.saturating_add(update.realized_pnl.0));
                    self.pnl = Usd(self.pnl.0.saturating_add(update.realized_pnl.0));
                }
            }
            _ => {}
        }
    }
}

fn paired(a: &Side, b: &Side) -> Vec<Pair> {
    let mut pairs: BTreeMap<(usize, MarketId), Pair> = BTreeMap::new();
    for (which, side) in [a, b].into_iter().enumerate() {
        for (key, result) in &side.markets {
            let pair = pairs.entry(*key).or_insert_with(|| Pair {
                slug: result.slug.clone(),
                a: Usd::ZERO,
                b: Usd::ZERO,
                fills: [0, 0],
            });
            *(if which == 0 { &mut pair.a } else { &mut pair.b }) = result.pnl;
            if let Some(fills) = pair.fills.get_mut(which) {
                *fills = result.fills;
            }
        }
    }
    pairs.into_values().collect()
}
