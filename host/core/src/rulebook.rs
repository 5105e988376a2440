//! Rules of venues by date, as a table one can read: for recordings that lack a market's own fields.
//!
//! A market's own fields always win; live markets carry them. What no row covers is unknown, and an
//! unknown fee can not be traded. Rows are facts with a source, newest last; times are UTC.

use crate::ids::{Nanos, Timestamp, Venue};
use crate::market::FeeSchedule;

/// What a market is about, as far as rules differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Prices of crypto assets.
    Crypto,
    /// Everything else.
    Other,
}

/// From a date on, until the next row of the same venue and family.
#[derive(Debug, Clone, Copy)]
pub struct Rule<T> {
    /// Whose rule.
    pub venue: Venue,
    /// For which markets.
    pub family: Family,
    /// In force from then on.
    pub from: Timestamp,
    /// What it says.
    pub says: T,
    /// Where that was read or measured.
    pub source: &'static str,
}

/// What takers pay.
pub const FEES: &[Rule<FeeSchedule>] = &[
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: Timestamp(0),
        says: FeeSchedule::Free,
        source: "no taker fees before 2026",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2026, 1, 1),
        says: FeeSchedule::QuadraticSquared { rate_ppm: 250_000 },
        source: "trading/fees as of spring 2026; the day within January is not documented",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2026, 3, 30),
        says: FeeSchedule::Unknown,
        source: "the formula changed three times within these two days (press of 2026-04-01)",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2026, 4, 1),
        says: FeeSchedule::polymarket(72_000),
        source: "trading/fees of April 2026; feeSchedule of a 15-minute market of 2026-04-26, as \
                 quoted in public code",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2026, 4, 27),
        says: FeeSchedule::Unknown,
        source: "0.072 became 0.07 between 2026-04-27 and 2026-05-11; the day is not documented",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2026, 5, 11),
        says: FeeSchedule::polymarket(70_000),
        source: "trading/fees as read on 2026-05-11; feeSchedule of July and August; 21 of 21 \
                 on-chain fees of September",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Other,
        from: Timestamp(0),
        says: FeeSchedule::Free,
        source: "no taker fees before 2026",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Other,
        from: day(2026, 1, 1),
        says: FeeSchedule::Unknown,
        source: "differs by category and month: only the market's own field tells",
    },
    Rule {
        venue: Venue::Kalshi,
        family: Family::Crypto,
        from: day(2026, 1, 1),
        says: FeeSchedule::kalshi(70_000),
        source: "fee_type quadratic, multiplier 1; rounding of the fixed-point schema (fee_rounding)",
    },
    Rule {
        venue: Venue::Kalshi,
        family: Family::Other,
        from: day(2026, 1, 1),
        says: FeeSchedule::kalshi(70_000),
        source: "fee_type quadratic, multiplier 1; rounding of the fixed-point schema (fee_rounding)",
    },
];

/// How long a venue holds a taker order before it matches it.
pub const TAKER_DELAYS: &[Rule<Nanos>] = &[
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: Timestamp(0),
        says: Nanos(0),
        source: "no taker delay before 2025-11-14",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2025, 11, 14),
        says: Nanos::from_ms(500),
        source: "500 ms on crypto markets until 2026-02-18",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2026, 2, 18),
        says: Nanos(0),
        source: "the delay of 2025-11-14 was lifted",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2026, 6, 5),
        says: Nanos::from_ms(250),
        source: "250 ms, not cancellable",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Other,
        from: Timestamp(0),
        says: Nanos(0),
        source: "no taker delay documented before 2026-06-05",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Other,
        from: day(2026, 6, 5),
        says: Nanos::from_ms(250),
        source: "250 ms, not cancellable",
    },
    Rule {
        venue: Venue::Kalshi,
        family: Family::Crypto,
        from: Timestamp(0),
        says: Nanos(0),
        source: "no taker delay documented",
    },
    Rule {
        venue: Venue::Kalshi,
        family: Family::Other,
        from: Timestamp(0),
        says: Nanos(0),
        source: "no taker delay documented",
    },
];

/// How the 5- and 15-minute Up/Down markets settle: on the instant value, or on a mean of that many
/// seconds. Markets carry the length themselves since August 2026.
pub const UP_DOWN_MEANS: &[Rule<Option<u32>>] = &[
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: Timestamp(0),
        says: None,
        source: "the Chainlink value of the closing second (256 of 256 recorded outcomes)",
    },
    Rule {
        venue: Venue::Polymarket,
        family: Family::Crypto,
        from: day(2026, 8, 7),
        says: Some(60),
        source: "TWAP streams from 2026-08-07; 60 s in cryptoMarketConfig (some 5-minute markets began with 30 s)",
    },
];

/// The taker fee of a market that does not state its own. `Unknown` where no row says.
#[must_use]
pub fn fee_on(venue: Venue, family: Family, date: Timestamp) -> FeeSchedule {
    rule(FEES, venue, family, date).map_or(FeeSchedule::Unknown, |r| r.says)
}

/// The venue's delay of taker orders; `None` where no row says.
#[must_use]
pub fn taker_delay_on(venue: Venue, family: Family, date: Timestamp) -> Option<Nanos> {
    rule(TAKER_DELAYS, venue, family, date).map(|r| r.says)
}

/// The length of the mean that a market closing then settles on; `None` for the instant value.
#[must_use]
pub fn up_down_mean_on(venue: Venue, closes_at: Timestamp) -> Option<u32> {
    rule(UP_DOWN_MEANS, venue, Family::Crypto, closes_at).and_then(|r| r.says)
}

/// The rule in force: the last of its rows that has begun.
fn rule<T>(rows: &[Rule<T>], venue: Venue, family: Family, date: Timestamp) -> Option<&Rule<T>> {
    let applies = |r: &&Rule<T>| r.venue == venue && r.family == family && r.from <= date;
    rows.iter().filter(applies).max_by_key(|r| r.from)
}

/// Midnight UTC of a civil date (the algorithm of days from civil, for years from 1970).
#[must_use]
pub const fn day(year: u64, month: u64, day: u64) -> Timestamp {
    let y = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let days = y * 365 + y / 4 - y / 100 + y / 400 + day_of_year;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    Timestamp::from_secs((days - 719_468) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_right() {
        for (date, secs) in [
            (day(1970, 1, 1), 0),
            (day(2000, 2, 29), 951_782_400),
            (day(2024, 12, 31), 1_735_603_200),
            (day(2026, 7, 24), 1_784_851_200),
        ] {
            assert_eq!(date, Timestamp::from_secs(secs));
        }
    }

    #[test]
    fn the_rule_of_a_day_is_the_last_that_has_begun() {
        let fee = |y, m, d| fee_on(Venue::Polymarket, Family::Crypto, day(y, m, d));
        assert_eq!(fee(2025, 12, 31), FeeSchedule::Free);
        assert_eq!(
            fee(2026, 2, 1),
            FeeSchedule::QuadraticSquared { rate_ppm: 250_000 }
        );
        assert_eq!(
            fee(2026, 3, 29),
            FeeSchedule::QuadraticSquared { rate_ppm: 250_000 }
        );
        assert_eq!(fee(2026, 3, 31), FeeSchedule::Unknown);
        assert_eq!(fee(2026, 4, 1), FeeSchedule::polymarket(72_000));
        assert_eq!(fee(2026, 4, 26), FeeSchedule::polymarket(72_000));
        assert_eq!(fee(2026, 4, 27), FeeSchedule::Unknown);
        assert_eq!(fee(2026, 5, 11), FeeSchedule::polymarket(70_000));
        assert_eq!(fee(2026, 7, 24), FeeSchedule::polymarket(70_000));
        assert_eq!(
            fee_on(Venue::Kalshi, Family::Other, day(2025, 12, 31)),
            FeeSchedule::Unknown
        );

        let delay = |y, m, d| taker_delay_on(Venue::Polymarket, Family::Crypto, day(y, m, d));
        for (date, ms) in [
            ((2025, 11, 13), 0),
            ((2025, 11, 14), 500),
            ((2026, 2, 17), 500),
            ((2026, 2, 18), 0),
            ((2026, 6, 4), 0),
            ((2026, 6, 5), 250),
        ] {
            let got = delay(date.0, date.1, date.2);
            assert_eq!(got, Some(Nanos::from_ms(ms)), "{date:?}");
        }

        assert_eq!(up_down_mean_on(Venue::Polymarket, day(2026, 8, 6)), None);
        assert_eq!(
            up_down_mean_on(Venue::Polymarket, day(2026, 9, 28)),
            Some(60)
        );
        assert_eq!(up_down_mean_on(Venue::Kalshi, day(2026, 9, 28)), None);
    }

    #[test]
    fn rows_name_their_source_and_stand_in_order() {
        fn check<T>(rows: &[Rule<T>]) {
            assert!(rows.iter().all(|r| !r.source.is_empty()));
            for (i, a) in rows.iter().enumerate() {
                let twin = |b: &&Rule<T>| a.venue == b.venue && a.family == b.family;
                assert!(
                    rows.iter()
                        .skip(i + 1)
                        .filter(twin)
                        .all(|b| a.from < b.from)
                );
            }
        }
        check(FEES);
        check(TAKER_DELAYS);
        check(UP_DOWN_MEANS);
    }
}
