//! Many rows become the figures of a report.
//!
//! Takes fills and wishes one by one, in the store's order, and keeps one small entry per market and day,
//! never one per row. Markets whose legs were traded by one intent hang together and count as one
//! independent market. Sums are exact integers; only intervals are floating point.

use super::by::{By, DAY_NS, label};
use super::gap::{Curve, CurvePoint, GapParts};
use super::verdict::{Claim, Part, Range, SEED, Verdict, judge};
use crate::stats::{bootstrap_ratio, bootstrap_total};
use crate::store::StoreError;
use crate::store::analysis::{Fill, MARKETS_MAX, Made, WishedLeg};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{ONE, Qty, Rounding, Usd, div_round};
use std::collections::BTreeMap;

/// One line of a breakdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Ended trades.
    pub trades: u64,
    /// Those that gained.
    pub wins: u64,
    /// Gained or lost.
    pub pnl: Usd,
    /// Of `pnl`, 95 %; `None` below two independent markets.
    pub interval: Option<Range>,
}

/// The three executors beside each other, for one strategy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Execution {
    /// Wishes whose markets have paid.
    pub wishes: u64,
    /// Wishes that wait for a market to pay.
    pub waiting: u64,
    /// Legs of the compared wishes whose book had no middle: nothing was booked there.
    pub without_mid: u64,
    /// Naive, mid, honest.
    pub made: [Made; 3],
    /// Where the difference between naive and honest comes from; adds up to [`Self::ghost_gap`].
    pub gap: GapParts,
    /// Fills at whose price somebody traded within a second.
    pub tape_confirmed: u64,
    /// Fills where nobody did.
    pub tape_not_seen: u64,
    /// Fills of which the tape says nothing.
    pub tape_unknown: u64,
}

impl Execution {
    /// Naive minus honest.
    #[must_use]
    pub fn ghost_gap(&self) -> Usd {
        let [naive, _, honest] = self.made;
        Usd(naive.pnl.0.saturating_sub(honest.pnl.0))
    }

    /// The gap for every share that the naive executor booked, rounded up; `None` without any.
    #[must_use]
    pub fn ghost_gap_per_share(&self) -> Option<Usd> {
        let [naive, ..] = self.made;
        per(self.ghost_gap(), naive.qty, Rounding::Up)
    }
}

/// What a strategy claimed to gain, and what it gained, of intents that have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Ended intents.
    pub intents: u64,
    /// Their shares (of a leg, where there are several).
    pub shares: Qty,
    /// Claimed a share, rounded down.
    pub claimed: Usd,
    /// Gained a share, rounded down.
    pub realised: Usd,
    /// Of `realised`, 95 %.
    pub interval: Option<Range>,
}

/// The figures of one strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyFigures {
    /// Its name.
    pub name: String,
    /// Whether it shows an edge.
    pub verdict: Verdict,
    /// Against dishonest executors.
    pub execution: Execution,
    /// Against its own promise; `None` while no intent has ended.
    pub forecast: Option<Forecast>,
}

/// All figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// By name.
    pub strategies: Vec<StrategyFigures>,
    /// Everything together.
    pub all: Verdict,
    /// Profit over time, honest beside naive, as markets paid; at most [`super::gap::CURVE_POINTS`].
    pub curve: Vec<CurvePoint>,
    /// What `--by` asked for, in order.
    pub breakdown: Option<(By, Vec<Line>)>,
}

#[derive(Debug, Default)]
struct Sum {
    trades: u64,
    wins: u64,
    pnl: i64,
}

impl Sum {
    fn add(&mut self, pnl: Usd) {
        self.trades += 1;
        self.wins += u64::from(pnl > Usd::ZERO);
        self.pnl = self.pnl.saturating_add(pnl.0);
    }
}

/// Shares, claim and gain of ended intents.
#[derive(Debug, Default, Clone, Copy)]
struct Promise {
    intents: u64,
    shares: i64,
    claimed: i64,
    realised: i64,
}

/// An intent whose legs are coming in.
#[derive(Debug)]
struct Coming {
    id: (String, String),
    strategy: String,
    market: usize,
    edge: Usd,
    legs: BTreeMap<i64, i64>,
    pnl: i64,
    ended: bool,
}

#[derive(Debug)]
struct Wish {
    id: (String, String),
    strategy: String,
    made: [Made; 3],
    without_mid: u64,
    gap: GapParts,
    /// When the last of its markets paid.
    paid_at: Timestamp,
    paid: bool,
}

/// Takes rows, gives figures.
#[derive(Debug, Default)]
pub struct Fold {
    by: Option<By>,
    markets: BTreeMap<String, usize>,
    /// Which other market a market hangs together with; itself when none.
    joined: Vec<usize>,
    parts: BTreeMap<(String, u64, usize), Sum>,
    lines: BTreeMap<(u64, String), BTreeMap<usize, Sum>>,
    promises: BTreeMap<String, BTreeMap<usize, Promise>>,
    executions: BTreeMap<String, Execution>,
    curve: Curve,
    coming: Option<Coming>,
    wish: Option<Wish>,
}

impl Fold {
    /// Nothing yet.
    #[must_use]
    pub fn new(by: Option<By>) -> Self {
        Self {
            by,
            ..Self::default()
        }
    }

    /// One more fill.
    pub fn fill(&mut self, fill: Fill) -> Result<(), StoreError> {
        let market = self.number(&fill.market)?;
        self.tape(&fill);
        match &self.coming {
            Some(coming) if coming.id == fill.intent => {
                let first = coming.market;
                self.join(first, market);
            }
            _ => {
                self.intent_ended();
                self.coming = Some(Coming {
                    id: fill.intent.clone(),
                    strategy: fill.strategy.clone(),
                    market,
                    edge: fill.expected_edge,
                    legs: BTreeMap::new(),
                    pnl: 0,
                    ended: true,
                });
            }
        }
        if let Some(coming) = &mut self.coming {
            let leg = coming.legs.entry(fill.leg).or_default();
            *leg = leg.saturating_add(fill.qty.0);
            coming.pnl = coming.pnl.saturating_add(fill.pnl.unwrap_or_default().0);
            coming.ended &= fill.pnl.is_some();
        }
        let Some(pnl) = fill.pnl else { return Ok(()) };
        if let Some(by) = self.by {
            let line = self.lines.entry(label(by, &fill)).or_default();
            line.entry(market).or_default().add(pnl);
        }
        let day = fill.decided.0 / DAY_NS;
        let part = self.parts.entry((fill.strategy, day, market)).or_default();
        part.add(pnl);
        if self.parts.len() > MARKETS_MAX {
            return Err(StoreError::TooMany {
                what: "markets with trades",
                limit: MARKETS_MAX,
            });
        }
        Ok(())
    }

    /// One more leg of a wish.
    pub fn wish(&mut self, leg: WishedLeg) {
        if self.wish.as_ref().is_none_or(|w| w.id != leg.intent) {
            self.wish_ended();
            self.wish = Some(Wish {
                id: leg.intent.clone(),
                strategy: leg.strategy.clone(),
                made: [Made::default(); 3],
                without_mid: 0,
                gap: GapParts::default(),
                paid_at: Timestamp(0),
                paid: true,
            });
        }
        let Some(wish) = &mut self.wish else { return };
        wish.without_mid += u64::from(!leg.has_mid);
        match leg.made {
            Some(made) => {
                wish.gap.add(GapParts::of(&leg, made));
                wish.paid_at = wish.paid_at.max(leg.paid.map_or(Timestamp(0), |p| p.1));
                add_made(&mut wish.made, made);
            }
            None => wish.paid = false,
        }
    }

    /// What it all came to.
    #[must_use]
    pub fn figures(mut self) -> Figures {
        self.intent_ended();
        self.wish_ended();
        let roots: Vec<usize> = (0..self.joined.len()).map(|m| self.root(m)).collect();
        let root = |market: usize| roots.get(market).copied().unwrap_or(market);
        let mut parts: BTreeMap<&str, Vec<Part>> = BTreeMap::new();
        for ((strategy, day, market), sum) in &self.parts {
            parts.entry(strategy).or_default().push(Part {
                day: *day,
                market: root(*market),
                trades: sum.trades,
                pnl: Usd(sum.pnl),
            });
        }
        let forecasts: BTreeMap<&str, Forecast> = self
            .promises
            .iter()
            .filter_map(|(name, promises)| Some((name.as_str(), forecast(promises, root)?)))
            .collect();
        let everything: Vec<Part> = parts.values().flatten().copied().collect();
        let mut names: Vec<&str> = parts.keys().copied().collect();
        names.extend(self.executions.keys().map(String::as_str));
        names.sort_unstable();
        names.dedup();
        let strategies = names
            .into_iter()
            .map(|name| {
                let forecast = forecasts.get(name).cloned();
                let own = parts.get(name).map(Vec::as_slice).unwrap_or_default();
                StrategyFigures {
                    name: name.to_owned(),
                    verdict: judge(own, forecast.as_ref().and_then(claim)),
                    execution: self.executions.get(name).cloned().unwrap_or_default(),
                    forecast,
                }
            })
            .collect();
        let breakdown = self.by.map(|by| {
            let lines = self.lines.iter();
            (
                by,
                lines.map(|((_, name), of)| line(name, of, root)).collect(),
            )
        });
        Figures {
            strategies,
            all: judge(&everything, None),
            curve: self.curve.points(),
            breakdown,
        }
    }

    fn number(&mut self, market: &str) -> Result<usize, StoreError> {
        if let Some(known) = self.markets.get(market) {
            return Ok(*known);
        }
        let next = self.joined.len();
        if next >= MARKETS_MAX {
            return Err(StoreError::TooMany {
                what: "markets with trades",
                limit: MARKETS_MAX,
            });
        }
        self.markets.insert(market.to_owned(), next);
        self.joined.push(next);
        Ok(next)
    }

    fn root(&self, market: usize) -> usize {
        let mut at = market;
        // A market points at one with a smaller number, so this ends.
        while let Some(&next) = self.joined.get(at)
            && next < at
        {
            at = next;
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(joined) = self.joined.get_mut(a.max(b)) {
            *joined = a.min(b);
        }
    }

    fn tape(&mut self, fill: &Fill) {
        let execution = self.executions.entry(fill.strategy.clone()).or_default();
        match fill.tape.as_deref() {
            Some("confirmed") => execution.tape_confirmed += 1,
            Some("not_seen") => execution.tape_not_seen += 1,
            _ => execution.tape_unknown += 1,
        }
    }

    fn intent_ended(&mut self) {
        let Some(coming) = self.coming.take().filter(|c| c.ended) else {
            return;
        };
        let shares = coming.legs.values().copied().max().unwrap_or_default();
        let exact = i128::from(coming.edge.0) * i128::from(shares);
        let claimed = div_round(exact, i128::from(ONE), Rounding::Down)
            .and_then(|c| i64::try_from(c).ok())
            .unwrap_or_default();
        let of = self.promises.entry(coming.strategy).or_default();
        let promise = of.entry(coming.market).or_default();
        promise.intents += 1;
        promise.shares = promise.shares.saturating_add(shares);
        promise.claimed = promise.claimed.saturating_add(claimed);
        promise.realised = promise.realised.saturating_add(coming.pnl);
    }

    fn wish_ended(&mut self) {
        let Some(wish) = self.wish.take() else { return };
        let execution = self.executions.entry(wish.strategy).or_default();
        if wish.paid {
            execution.wishes += 1;
            execution.without_mid += wish.without_mid;
            execution.gap.add(wish.gap);
            let [naive, _, honest] = wish.made;
            self.curve.add(wish.paid_at, honest.pnl, naive.pnl);
            add_made(&mut execution.made, wish.made);
        } else {
            execution.waiting += 1;
        }
    }
}

fn add_made(to: &mut [Made; 3], more: [Made; 3]) {
    for (sum, more) in to.iter_mut().zip(more) {
        sum.qty = Qty(sum.qty.0.saturating_add(more.qty.0));
        sum.pnl = Usd(sum.pnl.0.saturating_add(more.pnl.0));
    }
}

fn forecast(
    promises: &BTreeMap<usize, Promise>,
    root: impl Fn(usize) -> usize,
) -> Option<Forecast> {
    let mut sum = Promise::default();
    let mut clusters: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (market, p) in promises {
        sum.intents += p.intents;
        sum.shares = sum.shares.saturating_add(p.shares);
        sum.claimed = sum.claimed.saturating_add(p.claimed);
        sum.realised = sum.realised.saturating_add(p.realised);
        let cluster = clusters.entry(root(*market)).or_default();
        cluster.0 += p.realised as f64;
        cluster.1 += p.shares as f64 / ONE as f64;
    }
    let clusters: Vec<(f64, f64)> = clusters.into_values().collect();
    let shares = Qty(sum.shares);
    Some(Forecast {
        intents: sum.intents,
        shares,
        claimed: per(Usd(sum.claimed), shares, Rounding::Down)?,
        realised: per(Usd(sum.realised), shares, Rounding::Down)?,
        interval: bootstrap_ratio(&clusters, SEED).map(Range::of),
    })
}

fn claim(forecast: &Forecast) -> Option<Claim> {
    Some(Claim {
        claimed: forecast.claimed,
        realised_high: forecast.interval?.high,
    })
}

fn line(name: &str, of: &BTreeMap<usize, Sum>, root: impl Fn(usize) -> usize) -> Line {
    let mut clusters: BTreeMap<usize, f64> = BTreeMap::new();
    let mut all = Sum::default();
    for (market, sum) in of {
        *clusters.entry(root(*market)).or_default() += sum.pnl as f64;
        all.trades += sum.trades;
        all.wins += sum.wins;
        all.pnl = all.pnl.saturating_add(sum.pnl);
    }
    let sums: Vec<f64> = clusters.into_values().collect();
    Line {
        name: name.to_owned(),
        trades: all.trades,
        wins: all.wins,
        pnl: Usd(all.pnl),
        interval: bootstrap_total(&sums, SEED).map(Range::of),
    }
}

/// Dollars a share; `None` without shares.
fn per(amount: Usd, shares: Qty, rounding: Rounding) -> Option<Usd> {
    amount.per(shares, rounding).map(|price| Usd(price.0))
}
