//! Whether trades show an edge: the rules, and nothing else.
//!
//! ```text
//! fewer than 30 ended trades, 7 days or 10 independent markets   ─► too early
//! the interval is above zero, and still is without the best day  ─► edge
//! the interval ends at or below zero                             ─► no edge
//! nothing was gained, and what was promised is ruled out         ─► no edge
//! anything else                                                  ─► inconclusive
//! ```
//!
//! The interval is of the sum of P&L, 95 %, by bootstrap over independent markets. docs/honest-paper.md
//! says why the rules are these.

use super::text::signed;
use crate::stats::{Interval, bootstrap_total};
use pm_arb_core::units::Usd;
use std::collections::{BTreeMap, BTreeSet};

/// Fewest ended trades that are judged.
pub const TRADES_MIN: u64 = 30;
/// Fewest days (UTC) with trades.
pub const DAYS_MIN: usize = 7;
/// Fewest independent markets. With fewer, that all of them gained is no surprise yet.
pub const MARKETS_MIN: usize = 10;
/// Seed of every interval of a report: the same rows give the same report.
pub const SEED: u64 = 0x706d_2d61_7262;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// Not enough was traded to say anything.
    TooEarly,
    /// It earns, and not by one lucky day.
    Edge,
    /// It does not earn.
    NoEdge,
    /// It may or may not.
    Inconclusive,
}

impl Ruling {
    /// As printed and exported.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Ruling::TooEarly => "too early",
            Ruling::Edge => "edge",
            Ruling::NoEdge => "no edge",
            Ruling::Inconclusive => "inconclusive",
        }
    }
}

/// What was gained on one day with one independent market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Days since 1970, UTC, by the decision.
    pub day: u64,
    /// The market, or the markets that were traded together.
    pub market: usize,
    /// Ended trades.
    pub trades: u64,
    /// Gained or lost.
    pub pnl: Usd,
}

/// What a strategy claimed a share, and the upper end of what it realised a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Claim {
    /// Claimed.
    pub claimed: Usd,
    /// Upper end of the interval of the realised.
    pub realised_high: Usd,
}

/// Money between two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Lower end, rounded down.
    pub low: Usd,
    /// Upper end, rounded up.
    pub high: Usd,
}

impl Range {
    /// From an interval in millionths, rounded outward.
    #[must_use]
    pub fn of(interval: Interval) -> Self {
        // `as` saturates, which is as far as money goes.
        Self {
            low: Usd(interval.low.floor() as i64),
            high: Usd(interval.high.ceil() as i64),
        }
    }

    pub(super) fn text(self) -> String {
        format!("{} to {}", signed(self.low), signed(self.high))
    }
}

/// The answer with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The answer.
    pub ruling: Ruling,
    /// Why, in words.
    pub why: String,
    /// Ended trades.
    pub trades: u64,
    /// Independent markets.
    pub markets: usize,
    /// Days with trades.
    pub days: usize,
    /// Gained or lost.
    pub pnl: Usd,
    /// Of `pnl`, 95 %; `None` below two markets.
    pub interval: Option<Range>,
    /// The best day, and what is left without it.
    pub best_day: Option<BestDay>,
    /// Trades that would decide it at this spread, when it is inconclusive and that can be said.
    pub decided_by: Option<u64>,
}

/// The day that gained most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BestDay {
    /// Days since 1970, UTC.
    pub day: u64,
    /// Its gain.
    pub pnl: Usd,
    /// P&L of all other days.
    pub rest: Usd,
    /// Of `rest`, 95 %.
    pub interval: Option<Range>,
}

/// Judges. `parts` in any order.
#[must_use]
pub fn judge(parts: &[Part], claim: Option<Claim>) -> Verdict {
    let mut days: BTreeMap<u64, Usd> = BTreeMap::new();
    for part in parts {
        let sum = days.entry(part.day).or_default();
        *sum = Usd(sum.0.saturating_add(part.pnl.0));
    }
    let markets: BTreeSet<usize> = parts.iter().map(|p| p.market).collect();
    let trades = parts.iter().map(|p| p.trades).sum();
    let interval = interval(parts.iter());
    // The earliest of equally good days.
    let best = days
        .iter()
        .max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)))
        .map(|(day, pnl)| (*day, *pnl));
    let best_day = best.map(|(day, pnl)| {
        let rest = || parts.iter().filter(move |p| p.day != day);
        BestDay {
            day,
            pnl,
            rest: total(rest()),
            interval: self::interval(rest()),
        }
    });
    let mut verdict = Verdict {
        ruling: Ruling::TooEarly,
        why: String::new(),
        trades,
        markets: markets.len(),
        days: days.len(),
        pnl: total(parts.iter()),
        interval,
        best_day,
        decided_by: None,
    };
    (verdict.ruling, verdict.why) = ruling(&verdict, claim);
    if verdict.ruling == Ruling::Inconclusive {
        verdict.decided_by = decided_by(&verdict);
    }
    verdict
}

fn ruling(v: &Verdict, claim: Option<Claim>) -> (Ruling, String) {
    let mut missing = Vec::new();
    if v.trades < TRADES_MIN {
        missing.push(format!("{} of {TRADES_MIN} ended trades", v.trades));
    }
    if v.days < DAYS_MIN {
        missing.push(format!("{} of {DAYS_MIN} days", v.days));
    }
    if v.markets < MARKETS_MIN {
        missing.push(format!(
            "{} of {MARKETS_MIN} independent markets",
            v.markets
        ));
    }
    let (Some(all), Some(best), true) = (v.interval, v.best_day, missing.is_empty()) else {
        let why = format!("no verdict yet: {}", missing.join(", "));
        return (Ruling::TooEarly, why);
    };
    if all.high <= Usd::ZERO {
        let why = "even the upper end of the interval is no gain".to_owned();
        return (Ruling::NoEdge, why);
    }
    if all.low > Usd::ZERO {
        return match best.interval {
            Some(rest) if rest.low > Usd::ZERO => (
                Ruling::Edge,
                "the whole interval is a gain, also without the best day".to_owned(),
            ),
            _ => (
                Ruling::Inconclusive,
                "the interval is a gain, but not without the best day".to_owned(),
            ),
        };
    }
    if let Some(claim) = claim
        && v.pnl <= Usd::ZERO
        && claim.realised_high < claim.claimed
    {
        let why = "nothing was gained, and the edge that was promised is ruled out".to_owned();
        return (Ruling::NoEdge, why);
    }
    let why = "the interval holds both gain and loss".to_owned();
    (Ruling::Inconclusive, why)
}

fn total<'a>(parts: impl Iterator<Item = &'a Part>) -> Usd {
    parts.fold(Usd::ZERO, |sum, p| Usd(sum.0.saturating_add(p.pnl.0)))
}

/// Of the sum, by markets.
fn interval<'a>(parts: impl Iterator<Item = &'a Part>) -> Option<Range> {
    let mut markets: BTreeMap<usize, f64> = BTreeMap::new();
    for part in parts {
        *markets.entry(part.market).or_default() += part.pnl.0 as f64;
    }
    let sums: Vec<f64> = markets.into_values().collect();
    bootstrap_total(&sums, SEED).map(Range::of)
}

/// The width of an interval of the mean shrinks with the root of the number of trades: where the
/// nearer end would be zero.
fn decided_by(v: &Verdict) -> Option<u64> {
    const MOST: f64 = 1e7;
    let range = v.interval?;
    let half = (range.high.0 as f64 - range.low.0 as f64) / 2.0;
    let ratio = half / (v.pnl.0 as f64).abs();
    let needed = v.trades as f64 * ratio * ratio;
    (ratio > 1.0 && needed < MOST).then_some(needed.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `per_day` markets a day, one trade of `pnl(i)` dollars each.
    fn parts(days: u64, per_day: u64, pnl: impl Fn(u64) -> i64) -> Vec<Part> {
        (0..days * per_day)
            .map(|i| Part {
                day: 20_000 + i / per_day,
                market: i as usize,
                trades: 1,
                pnl: Usd(pnl(i) * 1_000_000),
            })
            .collect()
    }

    #[test]
    fn a_verdict_needs_thirty_trades_on_seven_days_with_ten_markets() {
        let enough = parts(8, 5, |i| 1 + (i % 3) as i64);
        assert_eq!(judge(&enough, None).ruling, Ruling::Edge);
        let spread = |n: usize, days: u64| -> Vec<Part> {
            parts(n as u64, 1, |_| 1)
                .into_iter()
                .map(|p| Part {
                    day: 20_000 + p.day % days,
                    ..p
                })
                .collect()
        };
        let thirty = judge(&spread(30, 7), None);
        assert_eq!((thirty.trades, thirty.days), (30, 7));
        assert_eq!(thirty.ruling, Ruling::Edge);
        let few = judge(&spread(29, 7), None);
        assert_eq!(few.ruling, Ruling::TooEarly);
        assert_eq!(few.why, "no verdict yet: 29 of 30 ended trades");
        let short = judge(&spread(300, 6), None);
        assert_eq!(short.ruling, Ruling::TooEarly);
        assert_eq!(short.why, "no verdict yet: 6 of 7 days");
        let one = spread(300, 7)
            .into_iter()
            .map(|p| Part {
                market: p.market % 9,
                ..p
            })
            .collect::<Vec<_>>();
        let one = judge(&one, None);
        assert_eq!(one.why, "no verdict yet: 9 of 10 independent markets");
        let none = judge(&[], None);
        assert_eq!(
            (none.ruling, none.interval, none.best_day),
            (Ruling::TooEarly, None, None)
        );
        assert_eq!(
            none.why,
            "no verdict yet: 0 of 30 ended trades, 0 of 7 days, 0 of 10 independent markets"
        );
    }

    #[test]
    fn one_lucky_day_is_no_edge() {
        // 9 days of about nothing, one day that wins a hundred each.
        let lucky = parts(10, 5, |i| {
            if i / 5 == 3 {
                100
            } else {
                (i % 2) as i64 * 2 - 1
            }
        });
        let verdict = judge(&lucky, None);
        assert!(verdict.interval.unwrap().low > Usd::ZERO, "{verdict:?}");
        let best = verdict.best_day.unwrap();
        assert_eq!((best.day, best.pnl), (20_003, Usd(500_000_000)));
        assert_eq!(best.rest, Usd(verdict.pnl.0 - 500_000_000));
        assert_eq!(verdict.ruling, Ruling::Inconclusive);
        assert!(verdict.why.contains("best day"), "{}", verdict.why);
    }

    #[test]
    fn what_loses_has_no_edge() {
        let losing = parts(10, 5, |i| -((i % 4) as i64));
        let verdict = judge(&losing, None);
        assert_eq!(verdict.ruling, Ruling::NoEdge);
        // The interval of constants is a point; zero is no gain.
        let zero = judge(&parts(10, 5, |_| 0), None);
        assert_eq!(zero.ruling, Ruling::NoEdge);
    }

    #[test]
    fn a_refuted_promise_without_a_gain_is_no_edge() {
        let about_nothing = parts(10, 5, |i| if i % 2 == 0 { 10 } else { -11 });
        assert_eq!(judge(&about_nothing, None).ruling, Ruling::Inconclusive);
        let claim = |claimed| Claim {
            claimed: Usd(claimed),
            realised_high: Usd(20_000),
        };
        assert_eq!(
            judge(&about_nothing, Some(claim(20_001))).ruling,
            Ruling::NoEdge
        );
        assert_eq!(
            judge(&about_nothing, Some(claim(20_000))).ruling,
            Ruling::Inconclusive
        );
        // With a gain the claim alone refutes nothing.
        let gains = parts(10, 5, |i| if i % 2 == 0 { 11 } else { -10 });
        let verdict = judge(&gains, Some(claim(1_000_000)));
        assert_eq!(verdict.ruling, Ruling::Inconclusive);
        assert!(verdict.decided_by.unwrap() > 50, "{verdict:?}");
    }

    #[test]
    fn trades_of_one_market_count_as_one_draw() {
        // 60 equal trades: as 60 markets a certain gain, in 12 markets that swing no longer.
        let alone = parts(10, 6, |i| if i / 5 % 2 == 0 { 5 } else { -3 });
        let together: Vec<Part> = alone
            .iter()
            .map(|p| Part {
                market: p.market / 5,
                ..*p
            })
            .collect();
        let (a, b) = (judge(&alone, None), judge(&together, None));
        assert_eq!((a.pnl, a.trades), (b.pnl, b.trades));
        let width = |v: &Verdict| v.interval.map(|r| r.high.0 - r.low.0).unwrap();
        // √5 times as wide, a little less because twelve draws are few.
        assert!(3 * width(&b) > 5 * width(&a), "{a:?} {b:?}");
    }
}
