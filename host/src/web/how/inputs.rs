//! What a visitor asks How It Works: numbers as text, each read exactly or refused in words.
//!
//! Owns the fields with their labels, units, defaults and bounds. Text that is no number of its field is
//! kept as it was typed and named; nothing is computed from it, and nothing stands in for it.

use crate::rulebook::parse_time;
use pm_arb_core::ids::{Nanos, Timestamp, Venue};
use pm_arb_core::rulebook::Day;
use pm_arb_core::units::{Bps, ParseUnitError, Price, Qty, SpotPrice, parse_fixed};

/// Longest text of a field that is looked at.
const TEXT_MAX: usize = 64;
/// Dearest asset, in dollars.
const SPOT_MAX: i128 = 1_000_000_000;
/// Most shares.
const QTY_MAX: i64 = 1_000_000;
/// Volatility, percent a year.
const VOLATILITY: std::ops::RangeInclusive<i128> = 100..=50_000;
/// Longest time left: 31 days.
const LEFT_MAX: i128 = 31 * 86_400;
/// Longest way and longest delay: a minute.
const MS_MAX: i128 = 60_000;

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The oracle's price.
    Spot,
    /// The market's threshold.
    Strike,
    /// Of the asset.
    Volatility,
    /// Until the close.
    Left,
    /// What YES is offered at.
    Price,
    /// What YES is bid.
    Bid,
    /// Shares.
    Qty,
    /// Where.
    Venue,
    /// By the rules of which day.
    Day,
    /// Our own way to the venue.
    Latency,
    /// The venue's delay.
    Delay,
}

impl Field {
    /// In the order of the form.
    pub const ALL: [Field; 11] = [
        Field::Spot,
        Field::Strike,
        Field::Volatility,
        Field::Left,
        Field::Price,
        Field::Bid,
        Field::Qty,
        Field::Venue,
        Field::Day,
        Field::Latency,
        Field::Delay,
    ];

    /// Its name in queries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Field::Spot => "spot",
            Field::Strike => "strike",
            Field::Volatility => "volatility",
            Field::Left => "left",
            Field::Price => "price",
            Field::Bid => "bid",
            Field::Qty => "qty",
            Field::Venue => "venue",
            Field::Day => "day",
            Field::Latency => "latency",
            Field::Delay => "delay",
        }
    }

    /// Its label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Field::Spot => "Spot: the oracle's price",
            Field::Strike => "Strike: the market's threshold",
            Field::Volatility => "Volatility",
            Field::Left => "Time left",
            Field::Price => "YES is offered at",
            Field::Bid => "YES is bid (may be empty)",
            Field::Qty => "Quantity",
            Field::Venue => "Venue",
            Field::Day => "Rules of the day",
            Field::Latency => "Our way to the venue",
            Field::Delay => "Venue's delay (empty: by its rule)",
        }
    }

    /// The unit it is given in.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Field::Spot | Field::Strike => "USD",
            Field::Volatility => "% a year",
            Field::Left => "s",
            Field::Price | Field::Bid => "USD a share",
            Field::Qty => "shares",
            Field::Venue => "",
            Field::Day => "UTC",
            Field::Latency | Field::Delay => "ms",
        }
    }

    /// What stands in it before anything is asked.
    #[must_use]
    pub fn default_text(self, today: Timestamp) -> String {
        match self {
            Field::Spot => "97842".to_owned(),
            Field::Strike => "97000".to_owned(),
            Field::Volatility => "45".to_owned(),
            Field::Left => "3600".to_owned(),
            Field::Price => "0.52".to_owned(),
            Field::Bid => "0.50".to_owned(),
            Field::Qty => "100".to_owned(),
            Field::Venue => Venue::Polymarket.as_str().to_owned(),
            Field::Day => Day(Timestamp(today.0 - today.0 % DAY_NS)).to_string(),
            Field::Latency => "50".to_owned(),
            Field::Delay => String::new(),
        }
    }
}

const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// What was asked, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inputs {
    /// The oracle's price.
    pub spot: SpotPrice,
    /// The threshold.
    pub strike: SpotPrice,
    /// A year.
    pub volatility: Bps,
    /// Until the close.
    pub left: Nanos,
    /// Best ask of YES.
    pub price: Price,
    /// Best bid of YES.
    pub bid: Option<Price>,
    /// Shares.
    pub qty: Qty,
    /// Where.
    pub venue: Venue,
    /// Whose rules count.
    pub day: Timestamp,
    /// From decision to the venue's door.
    pub latency: Nanos,
    /// Instead of the venue's rule.
    pub delay: Option<Nanos>,
}

/// A field that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub field: Field,
    /// In words.
    pub why: String,
}

/// The form as it was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    texts: Vec<(Field, String)>,
    /// Names that no field has.
    pub unknown: Vec<String>,
    /// What it says, or everything that is wrong with it.
    pub read: Result<Inputs, Vec<Problem>>,
}

impl Form {
    /// From the pairs of a query; of one given twice the last counts. `today` is the default day.
    #[must_use]
    pub fn of(pairs: &[(String, String)], today: Timestamp) -> Self {
        let known = |name: &str| Field::ALL.iter().any(|f| f.name() == name);
        let given = |field: Field| {
            let mut pairs = pairs.iter().rev();
            pairs
                .find(|(name, _)| name == field.name())
                .map(|(_, text)| text.trim())
        };
        let texts: Vec<_> = Field::ALL
            .iter()
            .map(|field| {
                let text = given(*field).map_or_else(|| field.default_text(today), str::to_owned);
                (*field, text)
            })
            .collect();
        let unknown = pairs.iter().filter(|(name, _)| !known(name));
        let unknown = unknown.map(|(name, _)| name.chars().take(TEXT_MAX).collect());
        let mut form = Self {
            texts,
            unknown: unknown.collect(),
            read: Err(Vec::new()),
        };
        form.read = form.inputs();
        form
    }

    /// What was typed, or the default.
    #[must_use]
    pub fn text(&self, field: Field) -> &str {
        let found = self.texts.iter().find(|(f, _)| *f == field);
        found.map_or("", |(_, text)| text)
    }

    /// What is wrong with a field.
    #[must_use]
    pub fn problem(&self, field: Field) -> Option<&str> {
        let problems = self.read.as_ref().err()?;
        let problem = problems.iter().find(|p| p.field == field)?;
        Some(&problem.why)
    }

    fn inputs(&self) -> Result<Inputs, Vec<Problem>> {
        let mut problems = Vec::new();
        let inputs = self.parts(&mut problems);
        inputs.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// `None` only with a problem.
    fn parts(&self, problems: &mut Vec<Problem>) -> Option<Inputs> {
        let one = 10_i128.pow(18);
        let micro = 10_i128.pow(6);
        let asset = (1..=SPOT_MAX * one, 18);
        let share = (1..=micro - 1, 6);
        let spot = self.number(Field::Spot, asset.clone(), problems);
        let strike = self.number(Field::Strike, asset, problems);
        let volatility = self.number(Field::Volatility, (VOLATILITY, 2), problems);
        let left = self.number(Field::Left, (1..=LEFT_MAX, 0), problems);
        let price = self.number(Field::Price, share.clone(), problems);
        let qty = (1..=i128::from(QTY_MAX) * micro, 6);
        let qty = self.number(Field::Qty, qty, problems);
        let latency = self.number(Field::Latency, (0..=MS_MAX, 0), problems);
        let mut optional = |field, range| {
            let empty = self.text(field).is_empty();
            (!empty).then(|| self.number(field, range, problems))
        };
        let bid = optional(Field::Bid, share);
        let delay = optional(Field::Delay, (0..=MS_MAX, 0));
        if let (Some(Some(bid)), Some(price)) = (bid, price)
            && bid >= price
        {
            problems.push(Problem {
                field: Field::Bid,
                why: "must lie below the offer: a crossed book is no market".to_owned(),
            });
        }
        let venue = Venue::ALL
            .into_iter()
            .find(|v| v.as_str() == self.text(Field::Venue));
        if venue.is_none() {
            let names = Venue::ALL.map(Venue::as_str).join(" or ");
            problems.push(Problem {
                field: Field::Venue,
                why: format!("must be {names}"),
            });
        }
        let day = self.text(Field::Day);
        let day = (day.len() <= TEXT_MAX).then(|| parse_time(day)).flatten();
        if day.is_none() {
            problems.push(Problem {
                field: Field::Day,
                why: "must be a date since 1970, such as 2026-09-01".to_owned(),
            });
        }
        let ms = |n: i128| Some(Nanos::from_ms(u64::try_from(n).ok()?));
        let price_of = |n: i128| Some(Price(i64::try_from(n).ok()?));
        Some(Inputs {
            spot: SpotPrice(spot?),
            strike: SpotPrice(strike?),
            volatility: Bps(i32::try_from(volatility?).ok()?),
            left: ms(left?.checked_mul(1_000)?)?,
            price: price_of(price?)?,
            bid: match bid {
                Some(bid) => Some(price_of(bid?)?),
                None => None,
            },
            qty: Qty(i64::try_from(qty?).ok()?),
            venue: venue?,
            day: day?,
            latency: ms(latency?)?,
            delay: match delay {
                Some(delay) => Some(ms(delay?)?),
                None => None,
            },
        })
    }

    /// A number with at most so many decimals within a range, in units of its last decimal.
    fn number(
        &self,
        field: Field,
        (range, decimals): (std::ops::RangeInclusive<i128>, u32),
        problems: &mut Vec<Problem>,
    ) -> Option<i128> {
        let text = self.text(field);
        let read = if text.len() > TEXT_MAX {
            Err(ParseUnitError::OutOfRange)
        } else {
            parse_fixed(text, decimals)
        };
        let why = match read {
            Ok(n) if range.contains(&n) => return Some(n),
            Ok(_) | Err(ParseUnitError::OutOfRange) => {
                let (low, high) = (
                    plain(*range.start(), decimals),
                    plain(*range.end(), decimals),
                );
                format!("must be from {low} to {high} {}", field.unit())
            }
            Err(ParseUnitError::TooPrecise) => format!("has more than {decimals} decimals"),
            Err(ParseUnitError::Empty) => "is empty".to_owned(),
            Err(ParseUnitError::NotDecimal) => "must be a plain number, such as 1234.5".to_owned(),
        };
        problems.push(Problem { field, why });
        None
    }
}

/// A bound as people write it.
fn plain(units: i128, decimals: u32) -> String {
    let scale = 10_i128.pow(decimals);
    let (whole, rest) = (units / scale, units % scale);
    if rest == 0 {
        return whole.to_string();
    }
    let places = format!("{rest:0width$}", width = decimals as usize);
    format!("{whole}.{}", places.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        Form::of(&pairs, Timestamp::from_secs(1_788_220_800 + 5_000))
    }

    #[test]
    fn nothing_asked_is_the_example() {
        let form = form(&[]);
        let inputs = form.read.clone().unwrap();
        assert_eq!(inputs.spot, SpotPrice::parse("97842").unwrap());
        assert_eq!(
            (inputs.price, inputs.volatility),
            (Price(520_000), Bps(4_500))
        );
        assert_eq!((inputs.delay, form.text(Field::Day)), (None, "2026-09-01"));
    }

    #[test]
    fn what_is_no_number_of_its_field_is_kept_and_named() {
        for (name, text, why) in [
            ("spot", "NaN", "plain number"),
            ("spot", "-5", "from 0.000000000000000001 to 1000000000 USD"),
            ("spot", "", "is empty"),
            ("spot", "1e5", "plain number"),
            ("spot", "97,842", "plain number"),
            (
                "strike",
                "99999999999999999999999999999999999999999",
                "from",
            ),
            ("volatility", "0.5", "from 1 to 500 % a year"),
            ("volatility", "45.125", "more than 2 decimals"),
            ("left", "0", "from 1 to 2678400 s"),
            ("left", "1.5", "more than 0 decimals"),
            ("price", "1", "from 0.000001 to 0.999999"),
            ("price", "<script>", "plain number"),
            ("bid", "0.52", "below the offer"),
            ("qty", "0", "from"),
            ("venue", "nyse", "polymarket or kalshi"),
            ("day", "2026-13-01", "must be a date"),
            ("latency", "60001", "from 0 to 60000 ms"),
            ("delay", "soon", "plain number"),
        ] {
            let form = form(&[("qty", "7"), (name, text)]);
            let problems = form.read.clone().unwrap_err();
            assert_eq!(problems.len(), 1, "{name}={text}: {problems:?}");
            assert_eq!(problems[0].field.name(), name);
            assert!(problems[0].why.contains(why), "{problems:?}");
            assert_eq!(form.text(problems[0].field), text);
        }
        let form = form(&[("spot", "x"), ("price", "y"), ("sopt", "1"), ("bid", "")]);
        assert_eq!(form.read.clone().unwrap_err().len(), 2);
        assert_eq!(form.unknown, ["sopt"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(name in 0_usize..11, text in any::<String>()) {
            let field = Field::ALL[name];
            let form = form(&[(field.name(), &text)]);
            prop_assert_eq!(form.text(field), text.trim());
        }
    }
}
