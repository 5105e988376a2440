//! How long an order travels to its venue's door: always the same, as last measured, or drawn.
//!
//! Owns what was last measured and the arithmetic of a draw. A draw is a hash of the seed, the order's
//! number and the venue, looked up in the table of quantiles: orders differ, replays do not. Legs of one
//! order to one venue leave together and arrive together; legs to two venues draw by themselves.
//! The venue's own delay is not here: it is a rule of the market and comes on top.

use crate::config::Latency;
use crate::ids::{IntentId, Nanos, Venue};
use crate::units::Bps;
use std::collections::BTreeMap;

/// Everything, in basis points.
const WHOLE: u64 = 10_000;
/// Most quantiles of a table.
pub const QUANTILES_MAX: usize = 100;

/// Why a table of quantiles says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Nothing in it, or too much.
    #[error("must have 1 to {QUANTILES_MAX} pairs")]
    Size,
    /// A share that is not above the one before it, or a time below the one before it.
    #[error("must rise: every share above the one before it, no time below the one before it")]
    NotRising,
    /// Some orders have no time.
    #[error("must end at a share of 10000, which is every order")]
    NotWhole,
}

/// Whether a table gives every order a time.
pub fn check(quantiles: &[(Bps, Nanos)]) -> Result<(), TableError> {
    if quantiles.is_empty() || quantiles.len() > QUANTILES_MAX {
        return Err(TableError::Size);
    }
    let mut before = (Bps(0), Nanos(0));
    for &(share, time) in quantiles {
        if share <= before.0 || time < before.1 {
            return Err(TableError::NotRising);
        }
        before = (share, time);
    }
    if i64::from(before.0.0) != WHOLE as i64 {
        return Err(TableError::NotWhole);
    }
    Ok(())
}

/// What was last measured, by venue.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    measured: BTreeMap<Venue, Nanos>,
}

impl Latencies {
    /// The way to a venue was just measured.
    pub fn measured(&mut self, venue: Venue, own: Nanos) {
        self.measured.insert(venue, own);
    }

    /// The last measurement of every venue that was measured.
    pub fn last(&self) -> impl Iterator<Item = (Venue, Nanos)> + '_ {
        self.measured.iter().map(|(venue, own)| (*venue, *own))
    }

    /// How long an order is on its way to a venue; `None` when the settings do not say.
    #[must_use]
    pub fn travel(&self, latency: &Latency, venue: Venue, order: IntentId) -> Option<Nanos> {
        match latency {
            Latency::Constant(own) => Some(*own),
            Latency::Measured { otherwise } => {
                Some(self.measured.get(&venue).copied().unwrap_or(*otherwise))
            }
            Latency::Drawn { seed, quantiles } => {
                check(quantiles).ok()?;
                let venue = match venue {
                    Venue::Polymarket => 1,
                    Venue::Kalshi => 2,
                };
                let mut hash = mix(*seed);
                for part in [order.seq.0, u64::from(order.n), venue] {
                    hash = mix(hash ^ part);
                }
                drawn(quantiles, hash)
            }
        }
    }
}

/// The quantile at `hash` of all hashes, linear between the table's, rounded up: a draw never flatters.
fn drawn(quantiles: &[(Bps, Nanos)], hash: u64) -> Option<Nanos> {
    // In 1/2^32 of a basis point.
    let at = (hash >> 32) * WHOLE;
    let mut low = (0_u64, 0_u64);
    for (share, time) in quantiles {
        let high = (u64::try_from(share.0).ok()? << 32, time.0);
        if at < high.0 {
            let (along, whole) = (u128::from(at - low.0), u128::from(high.0 - low.0));
            let rise = u128::from(high.1.checked_sub(low.1)?);
            let more = (rise * along).div_ceil(whole);
            return low.1.checked_add(u64::try_from(more).ok()?).map(Nanos);
        }
        low = high;
    }
    None
}

/// SplitMix64's output function: every bit of the input reaches every bit of the output.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Seq;

    const MS: u64 = 1_000_000;

    fn table(pairs: &[(i32, u64)]) -> Vec<(Bps, Nanos)> {
        let pair = |(share, ms): &(i32, u64)| (Bps(*share), Nanos::from_ms(*ms));
        pairs.iter().map(pair).collect()
    }

    fn order(seq: u64, n: u16) -> IntentId {
        IntentId { seq: Seq(seq), n }
    }

    #[test]
    fn a_table_must_give_every_order_a_time() {
        type Case = (&'static [(i32, u64)], Result<(), TableError>);
        let cases: [Case; 8] = [
            (&[(10_000, 0)], Ok(())),
            (&[(5_000, 40), (9_500, 120), (10_000, 900)], Ok(())),
            (&[(5_000, 40), (10_000, 40)], Ok(())),
            (&[], Err(TableError::Size)),
            (&[(5_000, 40)], Err(TableError::NotWhole)),
            (
                &[(5_000, 40), (5_000, 50), (10_000, 60)],
                Err(TableError::NotRising),
            ),
            (&[(5_000, 40), (10_000, 30)], Err(TableError::NotRising)),
            (&[(0, 40), (10_000, 50)], Err(TableError::NotRising)),
        ];
        for (pairs, expected) in cases {
            assert_eq!(check(&table(pairs)), expected, "{pairs:?}");
        }
        let fine: Vec<(i32, u64)> = (1..=100).map(|n| (n * 100, 1)).collect();
        assert_eq!(check(&table(&fine)), Ok(()));
        let mut many = table(&fine);
        many.insert(0, (Bps(1), Nanos(0)));
        assert_eq!(check(&many), Err(TableError::Size));
    }

    #[test]
    fn draws_lie_between_the_quantiles_by_hand() {
        let quantiles = table(&[(5_000, 40), (9_500, 120), (10_000, 900)]);
        // A hash is a place among all hashes: half of 2^64 is the median.
        let hash = |share: u64| u64::try_from((u128::from(share) << 64) / 10_000).unwrap();
        for (share, expected) in [
            (0, 0),
            (2_500, 20 * MS),
            (5_000, 40 * MS),
            (7_250, 80 * MS),
            (9_500, 120 * MS),
            (9_750, 510 * MS),
        ] {
            let drawn = drawn(&quantiles, hash(share)).unwrap().0;
            assert!(drawn.abs_diff(expected) <= 1_000, "{share}: {drawn} ns");
        }
        assert!(drawn(&quantiles, u64::MAX).unwrap() <= Nanos::from_ms(900));
        assert_eq!(drawn(&table(&[(5_000, 1)]), u64::MAX), None);
    }

    #[test]
    fn draws_follow_the_table_and_repeat() {
        let latency = Latency::Drawn {
            seed: 7,
            quantiles: table(&[(5_000, 40), (9_500, 120), (10_000, 900)]),
        };
        let paths = Latencies::default();
        let all = |latency: &Latency| -> Vec<u64> {
            (0..20_000)
                .map(|n| paths.travel(latency, Venue::Polymarket, order(n / 4, (n % 4) as u16)))
                .map(|drawn| drawn.unwrap().0)
                .collect()
        };
        let drawn = all(&latency);
        assert_eq!(drawn, all(&latency));
        let share = |most: u64| drawn.iter().filter(|d| **d <= most * MS).count();
        // Three standard deviations of a count of 20,000 are at most 212.
        for (most, expected) in [(40, 10_000), (120, 19_000), (900, 20_000)] {
            let found = share(most);
            assert!(found.abs_diff(expected) < 212, "{found} within {most} ms");
        }
        let Latency::Drawn { quantiles, .. } = &latency else {
            unreachable!()
        };
        let other = Latency::Drawn {
            seed: 8,
            quantiles: quantiles.clone(),
        };
        assert_ne!(drawn, all(&other), "another seed, other draws");
        assert_ne!(
            paths.travel(&latency, Venue::Polymarket, order(1, 0)),
            paths.travel(&latency, Venue::Kalshi, order(1, 0)),
            "venues draw by themselves"
        );
    }

    #[test]
    fn the_last_measurement_of_the_venue_counts() {
        let mut paths = Latencies::default();
        let latency = Latency::Measured {
            otherwise: Nanos(50),
        };
        paths.measured(Venue::Kalshi, Nanos(30));
        paths.measured(Venue::Kalshi, Nanos(20));
        let travel = |venue| paths.travel(&latency, venue, order(1, 0));
        assert_eq!(travel(Venue::Kalshi), Some(Nanos(20)));
        assert_eq!(travel(Venue::Polymarket), Some(Nanos(50)));
    }
}
