//! Why naive and honest differ, and how both went over time.
//!
//! Owns the parts of the ghost gap. They add up to it exactly: each part is an amount of its own, and what
//! is left belongs to shares that left before the market paid. Wishes that wait for a market are in
//! neither the gap nor its parts.

use crate::store::Side;
use crate::store::analysis::{Made, WishedLeg};
use crate::store::view::GradeView;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{Rounding, Usd};
use std::collections::BTreeMap;

/// Most points of a curve.
pub const CURVE_POINTS: usize = 500;

/// Naive minus honest, by cause. A part above zero is what naive bookkeeping made up; one below zero is
/// where the market was kinder than the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GapParts {
    /// The best price that the order met when it arrived, against the price that was wished.
    pub quote: Usd,
    /// Deeper levels of the book that had to be taken.
    pub depth: Usd,
    /// Fees.
    pub fees: Usd,
    /// What the naive executor gained or lost on shares that nobody got.
    pub unfilled: Usd,
    /// Shares sold before the market paid, and whatever rounding leaves.
    pub exits: Usd,
}

impl GapParts {
    /// Of a leg whose market has paid.
    #[must_use]
    pub fn of(leg: &WishedLeg, made: [Made; 3]) -> Self {
        let [naive, _, honest] = made;
        let gap = minus(naive.pnl, honest.pnl);
        let only_exits = Self {
            exits: gap,
            ..Self::default()
        };
        // What a sale makes is on the rows of the purchase.
        let (Side::Buy, Some(wished), Some((payout, _))) = (leg.side, leg.naive, leg.paid) else {
            return only_exits;
        };
        let Some(value) = wished.price.times(honest.qty, Rounding::Up) else {
            return only_exits;
        };
        // Had nobody had more than what was filled.
        let filled = GradeView {
            quantity: honest.qty,
            value,
            ..wished
        };
        let Some(naive_of_filled) = filled.against(Side::Buy, payout) else {
            return only_exits;
        };
        let mut parts = Self {
            quote: minus(leg.fills.at_first, value),
            depth: minus(leg.fills.value, leg.fills.at_first),
            fees: minus(leg.fills.fees, wished.fee),
            unfilled: minus(naive.pnl, naive_of_filled),
            exits: Usd::ZERO,
        };
        parts.exits = minus(gap, parts.sum());
        parts
    }

    /// One more leg, or one more wish.
    pub fn add(&mut self, more: Self) {
        for (sum, more) in [
            (&mut self.quote, more.quote),
            (&mut self.depth, more.depth),
            (&mut self.fees, more.fees),
            (&mut self.unfilled, more.unfilled),
            (&mut self.exits, more.exits),
        ] {
            *sum = Usd(sum.0.saturating_add(more.0));
        }
    }

    /// All parts together: the gap.
    #[must_use]
    pub fn sum(&self) -> Usd {
        let parts = [self.quote, self.depth, self.fees, self.unfilled, self.exits];
        Usd(parts.iter().fold(0, |sum, part| part.0.saturating_add(sum)))
    }

    /// The parts with their names, in the order of a waterfall from naive to honest.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Usd); 5] {
        [
            ("Price at arrival", self.quote),
            ("Depth", self.depth),
            ("Fees", self.fees),
            ("Unfilled", self.unfilled),
            ("Sold early", self.exits),
        ]
    }
}

fn minus(a: Usd, b: Usd) -> Usd {
    Usd(a.0.saturating_sub(b.0))
}

/// Profit up to a moment, of wishes whose markets have paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurvePoint {
    /// When the last of them paid, in the run's time.
    pub at: Timestamp,
    /// What was really gained or lost since the beginning.
    pub honest: Usd,
    /// What the naive executor says of the same wishes.
    pub naive: Usd,
}

/// Profit by the moment it was paid: an entry for every moment at which a market paid.
#[derive(Debug, Default)]
pub(super) struct Curve(BTreeMap<Timestamp, (i64, i64)>);

impl Curve {
    pub fn add(&mut self, at: Timestamp, honest: Usd, naive: Usd) {
        let sum = self.0.entry(at).or_default();
        sum.0 = sum.0.saturating_add(honest.0);
        sum.1 = sum.1.saturating_add(naive.0);
    }

    /// Added up over time, at most [`CURVE_POINTS`]: every so many moments, and the last.
    pub fn points(&self) -> Vec<CurvePoint> {
        let every = self.0.len().div_ceil(CURVE_POINTS).max(1);
        let last = self.0.len().saturating_sub(1);
        let mut sum = (0_i64, 0_i64);
        let mut points = Vec::new();
        for (n, (at, (honest, naive))) in self.0.iter().enumerate() {
            sum = (sum.0.saturating_add(*honest), sum.1.saturating_add(*naive));
            // Counted from the end, so that the last is always among them.
            if (last - n).is_multiple_of(every) {
                points.push(CurvePoint {
                    at: *at,
                    honest: Usd(sum.0),
                    naive: Usd(sum.1),
                });
            }
        }
        points
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::analysis::{Booked, HONEST, NAIVE};
    use pm_arb_core::units::{Price, Qty};
    use proptest::prelude::*;

    /// A purchase of up to `asked` shares, filled on up to three levels, held to the end.
    fn held(
        asked: i64,
        limit: i64,
        levels: &[(i64, i64)],
        paid: i64,
        fees: i64,
    ) -> (WishedLeg, [Made; 3]) {
        let value = |price: i64, qty: i64| Price(price).times(Qty(qty), Rounding::Up).unwrap().0;
        let naive = GradeView {
            quantity: Qty(asked),
            price: Price(limit),
            value: Usd(value(limit, asked)),
            fee: Usd(0),
        };
        let qty: i64 = levels.iter().map(|l| l.1).sum();
        let cost: i64 = levels.iter().map(|l| value(l.0, l.1)).sum();
        let first = levels.first().map_or(0, |l| l.0);
        let worth = Price(paid).times(Qty(qty), Rounding::Down).unwrap().0;
        let leg = WishedLeg {
            intent: ("run".into(), "1.0".into()),
            strategy: "s".into(),
            made: None,
            has_mid: false,
            paid: Some((Price(paid), Timestamp(1))),
            side: Side::Buy,
            naive: Some(naive),
            fills: Booked {
                value: Usd(cost),
                at_first: Usd(
                    i64::try_from(i128::from(first) * i128::from(qty) / 1_000_000).unwrap(),
                ),
                fees: Usd(fees),
            },
        };
        let naive = Made {
            qty: Qty(asked),
            pnl: naive.against(Side::Buy, Price(paid)).unwrap(),
        };
        let honest = Made {
            qty: Qty(qty),
            pnl: Usd(worth - cost - fees),
        };
        (leg, [naive, Made::default(), honest])
    }

    #[test]
    fn each_cause_has_its_part() {
        // 100 wished at 0.55; 60 filled, 40 at 0.52 and 20 at 0.54; fee 1; the market paid.
        let levels = [(520_000, 40_000_000), (540_000, 20_000_000)];
        let (leg, made) = held(100_000_000, 550_000, &levels, 1_000_000, 1_000_000);
        let parts = GapParts::of(&leg, made);
        assert_eq!(
            parts,
            GapParts {
                // 60 × (0.52 − 0.55)
                quote: Usd(-1_800_000),
                // 20 × 0.02
                depth: Usd(400_000),
                fees: Usd(1_000_000),
                // 40 × (1 − 0.55)
                unfilled: Usd(18_000_000),
                exits: Usd(0),
            }
        );
    }

    #[test]
    fn a_sale_is_an_exit_whole() {
        let (mut leg, made) = held(5_000_000, 500_000, &[], 0, 0);
        leg.side = Side::Sell;
        let parts = GapParts::of(&leg, made);
        assert_eq!(parts.exits, parts.sum());
        assert_eq!(parts.exits, minus(made[NAIVE].pnl, made[HONEST].pnl));
    }

    proptest! {
        /// Whatever was filled: the parts add up to the gap, and of shares held to the end nothing is
        /// left over but rounding.
        #[test]
        fn the_parts_add_up_to_the_gap(
            legs in prop::collection::vec(
                (1_i64..2_000_000_000, 10_000_i64..990_000,
                 prop::collection::vec((10_000_i64..990_000, 1_i64..700_000_000), 0..4),
                 0_i64..=2, 0_i64..5_000_000, -9_000_000_i64..9_000_000),
                1..40,
            ),
        ) {
            let mut sum = GapParts::default();
            let mut gap = 0;
            for (asked, limit, levels, paid, fees, sold) in legs {
                let (leg, mut made) = held(asked, limit, &levels, paid * 500_000, fees);
                let parts = GapParts::of(&leg, made);
                prop_assert!(parts.exits.0.abs() <= 2, "{parts:?}");
                prop_assert_eq!(parts.sum(), minus(made[NAIVE].pnl, made[HONEST].pnl));
                // Sold before the end for more or less than it would have been paid.
                made[HONEST].pnl.0 += sold;
                let parts = GapParts::of(&leg, made);
                prop_assert!((parts.exits.0 + sold).abs() <= 2);
                gap += made[NAIVE].pnl.0 - made[HONEST].pnl.0;
                sum.add(parts);
            }
            prop_assert_eq!(sum.sum().0, gap);
        }

        #[test]
        fn a_curve_ends_with_the_sum_and_is_never_long(
            results in prop::collection::vec((0_u64..3_000, -5_000_000_i64..5_000_000, 0_i64..9_000_000), 0..2_000),
        ) {
            let mut curve = Curve::default();
            for (at, honest, naive) in &results {
                curve.add(Timestamp(*at), Usd(*honest), Usd(*naive));
            }
            let points = curve.points();
            prop_assert!(points.len() <= CURVE_POINTS);
            prop_assert!(points.is_sorted_by_key(|p| p.at));
            let last = points.last().map(|p| (p.honest.0, p.naive.0));
            let sum = (results.iter().map(|r| r.1).sum(), results.iter().map(|r| r.2).sum());
            prop_assert_eq!(last, (!results.is_empty()).then_some(sum));
        }
    }
}
