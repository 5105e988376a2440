//! Rules of venues by date: what a market's own fields leave open.
//!
//! Owns the rows and their look-up. Every row is a fact with a source, in force from its date until
//! the next row of the same table and subject; what no row covers, and what a row calls unknown, is
//! unknown, and nothing stands in for it. A market's own fields always win; who reads them asks here
//! for the rest. Rows come from files, which the shell reads: nothing here parses or holds a value.

use crate::ids::{Nanos, Timestamp, Venue};
use crate::market::FeeSchedule;
use crate::units::{ONE, Price, Qty, Rounding, div_round};
use core::fmt;
use std::collections::BTreeMap;

/// What a market is about, as far as a venue's rules differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Prices of crypto assets.
    Crypto,
    /// Everything else.
    Other,
}

impl Family {
    /// Every family, in order.
    pub const ALL: [Family; 2] = [Family::Crypto, Family::Other];

    /// The name in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Crypto => "crypto",
            Family::Other => "other",
        }
    }
}

/// The question of a market, as far as it tells what decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Higher at the end of five minutes?
    UpDown5m,
    /// Of fifteen minutes?
    UpDown15m,
    /// Of four hours?
    UpDown4h,
    /// Of one hour?
    UpDown1h,
    /// Of one day, noon to noon?
    UpDown1d,
    /// Above a price at an instant?
    Above,
    /// Does it reach, or dip to, a price at any time of a period?
    Touch,
}

impl Question {
    /// Every question, in order.
    pub const ALL: [Question; 7] = [
        Question::UpDown5m,
        Question::UpDown15m,
        Question::UpDown4h,
        Question::UpDown1h,
        Question::UpDown1d,
        Question::Above,
        Question::Touch,
    ];

    /// The name in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Question::UpDown5m => "up-down-5m",
            Question::UpDown15m => "up-down-15m",
            Question::UpDown4h => "up-down-4h",
            Question::UpDown1h => "up-down-1h",
            Question::UpDown1d => "up-down-1d",
            Question::Above => "above",
            Question::Touch => "touch",
        }
    }

    /// An up-or-down window of that length.
    #[must_use]
    pub fn window(secs: u64) -> Option<Self> {
        match secs {
            300 => Some(Question::UpDown5m),
            900 => Some(Question::UpDown15m),
            3_600 => Some(Question::UpDown1h),
            14_400 => Some(Question::UpDown4h),
            86_400 => Some(Question::UpDown1d),
            _ => None,
        }
    }
}

/// How a question is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settles {
    /// The source: "chainlink", "binance".
    pub oracle: String,
    /// What of it counts.
    pub by: SettlesBy,
}

/// What of the source's values counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettlesBy {
    /// The value in force at the closing second.
    Value,
    /// The mean of the last seconds.
    Mean {
        /// How many.
        lookback_secs: u32,
    },
    /// The close of a candle against its open, or against a price.
    Candle {
        /// Its length.
        interval_secs: u32,
        /// Whether equality is not enough.
        strict: bool,
    },
    /// The high or low of any candle of the period.
    Touch {
        /// Length of the candles.
        interval_secs: u32,
    },
}

impl fmt::Display for Settles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let oracle = &self.oracle;
        match self.by {
            SettlesBy::Value => write!(f, "{oracle}, value of the closing second"),
            SettlesBy::Mean { lookback_secs } => {
                write!(f, "{oracle}, mean of the last {lookback_secs} s")
            }
            SettlesBy::Candle {
                interval_secs,
                strict,
            } => {
                let tie = if strict { ", strictly above" } else { "" };
                write!(f, "{oracle}, close of the {interval_secs} s candle{tie}")
            }
            SettlesBy::Touch { interval_secs } => {
                write!(f, "{oracle}, any high or low of {interval_secs} s candles")
            }
        }
    }
}

/// Steps of prices: one for a market that opens, finer ones in parts of the range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// The step at which a market opens, and of every price that no band covers.
    pub tick: Price,
    /// Steps of parts of the range.
    pub bands: Vec<Band>,
}

/// A part of the price range with a step of its own. Its bounds are not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// Prices above this one.
    pub above: Option<Price>,
    /// Prices below this one.
    pub below: Option<Price>,
    /// Their step.
    pub tick: Price,
}

impl Grid {
    /// The finest step of all.
    #[must_use]
    pub fn finest(&self) -> Price {
        let bands = self.bands.iter().map(|band| band.tick);
        bands.min().map_or(self.tick, |tick| tick.min(self.tick))
    }

    /// The step at a price.
    #[must_use]
    pub fn tick_at(&self, price: Price) -> Price {
        let covers = |band: &&Band| {
            band.above.is_none_or(|bound| price > bound)
                && band.below.is_none_or(|bound| price < bound)
        };
        self.bands.iter().find(covers).map_or(self.tick, |b| b.tick)
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tick)?;
        for band in &self.bands {
            write!(f, ", {}", band.tick)?;
            if let Some(price) = band.above {
                write!(f, " above {price}")?;
            }
            if let Some(price) = band.below {
                write!(f, " below {price}")?;
            }
        }
        Ok(())
    }
}

/// Of what a row speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Whose rule.
    pub venue: Venue,
    /// For which markets.
    pub family: Family,
    /// For those whose own field names this (a fee type, a price structure); `None` for the others.
    pub kind: Option<String>,
}

impl Subject {
    /// Markets whose own fields name no kind.
    #[must_use]
    pub fn of(venue: Venue, family: Family) -> Self {
        Self {
            venue,
            family,
            kind: None,
        }
    }

    /// Markets whose own field names that kind.
    #[must_use]
    pub fn kind(venue: Venue, family: Family, kind: &str) -> Self {
        Self {
            kind: Some(kind.to_owned()),
            ..Self::of(venue, family)
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.venue, self.family.as_str())?;
        match &self.kind {
            Some(kind) => write!(f, " {kind:?}"),
            None => Ok(()),
        }
    }
}

/// Markets that ask one question on one venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Whose rule.
    pub venue: Venue,
    /// For which question.
    pub question: Question,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.venue, self.question.as_str())
    }
}

/// What a table holds from a date on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<T> {
    /// What it says; `None` when it is known that nobody knows.
    pub says: Option<T>,
    /// Where that was read or measured.
    pub source: String,
    /// The file it stands in; `None` for the book that comes with the program.
    pub file: Option<String>,
}

/// What the book told, and which row did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<T> {
    /// `None` when it is not known.
    pub says: Option<T>,
    /// For people: "rulebook: polymarket crypto taker fee from 2026-05-11".
    pub rule: String,
}

/// One kind of rule: rows by subject and date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<K, T> {
    name: &'static str,
    rows: BTreeMap<K, BTreeMap<Timestamp, Row<T>>>,
}

impl<K: Ord + Clone + fmt::Display, T: Clone> Table<K, T> {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            rows: BTreeMap::new(),
        }
    }

    /// What kind of rule, in words: "taker fee".
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Adds a row. One of the same subject and date gives way to it; all others stand, so it is in
    /// force until the next date that any row of its subject names.
    pub fn put(&mut self, subject: K, from: Timestamp, row: Row<T>) {
        self.rows.entry(subject).or_default().insert(from, row);
    }

    /// The row in force, with the date from which it is.
    #[must_use]
    pub fn row_on(&self, subject: &K, at: Timestamp) -> Option<(Timestamp, &Row<T>)> {
        let (from, row) = self.rows.get(subject)?.range(..=at).next_back()?;
        Some((*from, row))
    }

    /// Every row of a subject with its date, in order.
    pub fn rows(&self, subject: &K) -> impl Iterator<Item = (Timestamp, &Row<T>)> {
        let rows = self.rows.get(subject).into_iter().flatten();
        rows.map(|(from, row)| (*from, row))
    }

    /// What is in force, in words as well.
    #[must_use]
    pub fn on(&self, subject: &K, at: Timestamp) -> Told<T> {
        let name = self.name;
        let Some((from, row)) = self.row_on(subject, at) else {
            return Told {
                says: None,
                rule: format!("rulebook: no {subject} {name} for {}", Day(at)),
            };
        };
        let book = match &row.file {
            Some(file) => format!("rulebook {file}"),
            None => "rulebook".to_owned(),
        };
        let unknown = if row.says.is_none() { " unknown" } else { "" };
        Told {
            says: row.says.clone(),
            rule: format!("{book}: {subject} {name}{unknown} from {}", Day(from)),
        }
    }

    /// Every subject.
    pub fn subjects(&self) -> impl Iterator<Item = &K> {
        self.rows.keys()
    }
}

/// All that is known of venues' rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rulebook {
    /// What takers pay.
    pub taker_fees: Table<Subject, FeeSchedule>,
    /// What makers pay.
    pub maker_fees: Table<Subject, FeeSchedule>,
    /// How long a venue holds a taker order before it matches it.
    pub taker_delays: Table<Subject, Nanos>,
    /// Smallest order.
    pub minimums: Table<Subject, Qty>,
    /// Sizes are multiples of it.
    pub lots: Table<Subject, Qty>,
    /// Steps of prices.
    pub ticks: Table<Subject, Grid>,
    /// What decides a question.
    pub settlements: Table<Asked, Settles>,
}

impl Default for Rulebook {
    /// A book without a row: it knows nothing.
    fn default() -> Self {
        Self {
            taker_fees: Table::new("taker fee"),
            maker_fees: Table::new("maker fee"),
            taker_delays: Table::new("taker delay"),
            minimums: Table::new("minimum"),
            lots: Table::new("lot"),
            ticks: Table::new("tick"),
            settlements: Table::new("settlement"),
        }
    }
}

impl Rulebook {
    /// The taker fee of a market that does not state its own.
    #[must_use]
    pub fn taker_fee_on(&self, venue: Venue, family: Family, at: Timestamp) -> Told<FeeSchedule> {
        self.taker_fees.on(&Subject::of(venue, family), at)
    }

    /// The maker fee of a market that does not state its own.
    #[must_use]
    pub fn maker_fee_on(&self, venue: Venue, family: Family, at: Timestamp) -> Told<FeeSchedule> {
        self.maker_fees.on(&Subject::of(venue, family), at)
    }

    /// The venue's delay of taker orders.
    #[must_use]
    pub fn taker_delay_on(&self, venue: Venue, family: Family, at: Timestamp) -> Told<Nanos> {
        self.taker_delays.on(&Subject::of(venue, family), at)
    }

    /// The smallest order of a market that does not state its own.
    #[must_use]
    pub fn min_qty_on(&self, venue: Venue, family: Family, at: Timestamp) -> Told<Qty> {
        self.minimums.on(&Subject::of(venue, family), at)
    }

    /// The step of sizes.
    #[must_use]
    pub fn lot_on(&self, venue: Venue, family: Family, at: Timestamp) -> Told<Qty> {
        self.lots.on(&Subject::of(venue, family), at)
    }

    /// The steps of prices of a market that does not state its own.
    #[must_use]
    pub fn tick_on(&self, venue: Venue, family: Family, at: Timestamp) -> Told<Grid> {
        self.ticks.on(&Subject::of(venue, family), at)
    }

    /// What decides a question.
    #[must_use]
    pub fn settles_on(&self, venue: Venue, question: Question, at: Timestamp) -> Told<Settles> {
        self.settlements.on(&Asked { venue, question }, at)
    }
}

/// The schedule with its rate multiplied by a number of the market's own, in millionths, rounded up.
#[must_use]
pub fn scaled(fee: FeeSchedule, by_ppm: i128) -> Option<FeeSchedule> {
    let scale = |rate_ppm: u32| {
        let product = i128::from(rate_ppm).checked_mul(by_ppm)?;
        u32::try_from(div_round(product, i128::from(ONE), Rounding::Up)?).ok()
    };
    Some(match fee {
        FeeSchedule::Free => FeeSchedule::Free,
        FeeSchedule::Unknown => return None,
        FeeSchedule::Quadratic {
            rate_ppm,
            step,
            round_up,
        } => match scale(rate_ppm)? {
            0 => FeeSchedule::Free,
            rate_ppm => FeeSchedule::Quadratic {
                rate_ppm,
                step,
                round_up,
            },
        },
        FeeSchedule::QuadraticSquared { rate_ppm } => match scale(rate_ppm)? {
            0 => FeeSchedule::Free,
            rate_ppm => FeeSchedule::QuadraticSquared { rate_ppm },
        },
    })
}

/// A time as people write dates: `2026-05-11`, or `2026-05-11T12:00:00Z` when it is no midnight (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(pub Timestamp);

impl fmt::Display for Day {
    /// The algorithm of civil from days, for years from 1970.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.secs();
        let (days, of_day) = (secs / 86_400, secs % 86_400);
        // 719,468 days lie between 0000-03-01 and 1970-01-01; an era has 146,097.
        let z = days + 719_468;
        let (era, of_era) = (z / 146_097, z % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        if of_day == 0 {
            return Ok(());
        }
        let (h, m, s) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(f, "T{h:02}:{m:02}:{s:02}Z")
    }
}

#[cfg(test)]
#[path = "rulebook_tests.rs"]
mod tests;
