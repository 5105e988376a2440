//! What a breakdown goes by: the classes of trades, their names and their order.

use crate::store::analysis::Fill;

/// Nanoseconds of a day.
pub(super) const DAY_NS: u64 = 86_400_000_000_000;

/// What a breakdown goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// Name of the strategy.
    Strategy,
    /// Type of the opportunity.
    Type,
    /// Kind of question the market asks.
    Family,
    /// Hour of the day of the decision, UTC.
    Hour,
    /// From the decision to the close of the market.
    TimeLeft,
    /// The market.
    Market,
    /// Day of the decision, UTC.
    Day,
}

impl By {
    /// As in `--by`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            By::Strategy => "strategy",
            By::Type => "type",
            By::Family => "family",
            By::Hour => "hour",
            By::TimeLeft => "time-left",
            By::Market => "market",
            By::Day => "day",
        }
    }
}

/// Upper ends of the classes of time left, in seconds.
const TIME_LEFT: [(u64, &str); 9] = [
    (10, "under 10 s"),
    (30, "10 to 30 s"),
    (60, "30 to 60 s"),
    (120, "1 to 2 min"),
    (300, "2 to 5 min"),
    (900, "5 to 15 min"),
    (3_600, "15 to 60 min"),
    (21_600, "1 to 6 h"),
    (86_400, "6 to 24 h"),
];

/// Place in the order and name.
pub(super) fn label(by: By, fill: &Fill) -> (u64, String) {
    match by {
        By::Strategy => (0, fill.strategy.clone()),
        By::Type => (0, fill.kind.clone()),
        By::Family if fill.family.is_empty() => (1, "unknown".to_owned()),
        By::Family => (0, fill.family.clone()),
        By::Market => (0, format!("{} {}", fill.slug, fill.market)),
        By::Hour => {
            let hour = fill.decided.secs() % 86_400 / 3_600;
            (hour, format!("{hour:02}:00"))
        }
        By::Day => {
            let day = fill.decided.0 / DAY_NS;
            (day, super::text::day(fill.decided))
        }
        By::TimeLeft => {
            let places = TIME_LEFT.len() as u64;
            if fill.closes.0 == 0 {
                return (places + 2, "unknown".to_owned());
            }
            let Some(left) = fill.closes.0.checked_sub(fill.decided.0) else {
                return (places + 1, "after the close".to_owned());
            };
            let secs = left / 1_000_000_000;
            (0_u64..)
                .zip(TIME_LEFT)
                .find(|(_, (end, _))| secs < *end)
                .map_or((places, "a day and more".to_owned()), |(n, (_, name))| {
                    (n, name.to_owned())
                })
        }
    }
}
