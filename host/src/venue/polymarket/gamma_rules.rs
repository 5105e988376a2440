//! Markets on Bitcoin's price whose rule is told in words: which question a description asks.
//!
//! Pure. A description counts only when it is, word for word, one of the venue's own (spaces, quotes and
//! case aside), the question has the form that goes with it, and the date in the question is
//! the one the market ends on. Anything else is `None`: then only the venue decides.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::SpotPrice;

/// New York since 2007, and until its law changes: then these markets end on another hour than the words
/// say, and none of them is recognised.
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
/// The words of the "above" markets.
const ABOVE: &str = "this market will resolve to yes if the binance 1 minute candle for btc/usdt 12:00 in \
                     the et timezone (noon) on the date specified in the title has a final close price \
                     higher than the price specified in the title. otherwise, this market will resolve to no.";
/// The words before the window of a market on a touch, without "immediately", which some have.
const TOUCH: &str = "this market will resolve to yes if any binance 1 minute candle for btc/usdt ";
/// The windows: of a day, of a range of days, of a month.
const WINDOWS: [(&str, Span); 4] = [
    (
        "on the date specified in the title, between 12:00 am et and 11:59 pm et has a final ",
        Span::Day,
    ),
    (
        "during the date range specified in the title (from 12:00 am et on the first date to 11:59 pm et \
         on the last) has a final ",
        Span::Days,
    ),
    (
        "during the month specified in the title (from 00:00 am et on the first day to 11:59 pm et on the \
         last) has a final ",
        Span::Month,
    ),
    (
        "during the month specified in the title (from 12:00 am et on the first day to 11:59 pm et on the \
         last) has a final ",
        Span::Month,
    ),
];
const HIGH: &str = "high price equal to or greater than the price specified in the title. otherwise, this \
                    market will resolve to no.";
const LOW: &str = "low price equal to or lower than the price specified in the title. otherwise, this \
                   market will resolve to no.";
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A question about Binance's minute candles of BTC/USDT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// Whether the candle that starts at the end closes above the strike.
    Above(SpotPrice),
    /// Whether a candle from this start on reaches the barrier, from below (`rises`) or from above.
    Touch {
        /// Where the window starts; it ends with the market.
        opens_at: Timestamp,
        /// The price.
        barrier: SpotPrice,
        /// From below.
        rises: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Day,
    Days,
    Month,
}

/// What a market asks, if that is beyond doubt.
pub(super) fn asked(question: &str, description: &str, closes_at: Timestamp) -> Option<Asked> {
    let (question, words) = (plain(question), plain(description));
    if words.starts_with(ABOVE) {
        let rest = question.strip_prefix("will the price of bitcoin be above ")?;
        let (price, on) = rest.strip_suffix('?')?.split_once(" on ")?;
        let day = day(on, ended(closes_at)?)?;
        let noon = instant(day.at(12, 0, 0, 0))?;
        return (noon == closes_at).then_some(Asked::Above(dollars(price)?));
    }
    let words = words.replacen("will immediately resolve", "will resolve", 1);
    let words = words.replacen("bitcoin (btc/usdt)", "btc/usdt", 1);
    let rest = words.strip_prefix(TOUCH)?;
    let (rest, span) = WINDOWS
        .iter()
        .find_map(|(words, span)| Some((rest.strip_prefix(words)?, *span)))?;
    let rises = rest.starts_with(HIGH);
    if !rises && !rest.starts_with(LOW) {
        return None;
    }
    let verb = if rises { "reach" } else { "dip to" };
    let rest = question.strip_prefix(&format!("will bitcoin {verb} "))?;
    let (price, when) = rest.strip_suffix('?')?.split_once(' ')?;
    // The last minute of the window is the last before the end.
    let last = ended(Timestamp(closes_at.0.checked_sub(1)?))?;
    let (first, last) = match span {
        Span::Day => {
            let day = day(when.strip_prefix("on ")?, last)?;
            (day, day)
        }
        Span::Days => days(when, last)?,
        Span::Month => {
            let named = when.strip_prefix("in ")?;
            let named = named
                .strip_suffix(&format!(" {}", last.year()))
                .unwrap_or(named);
            (last.month() == month(named)?)
                .then(|| (last.first_of_month(), last.last_of_month()))?
        }
    };
    let end = instant(last.tomorrow().ok()?.at(0, 0, 0, 0))?;
    (end == closes_at).then_some(Asked::Touch {
        opens_at: instant(first.at(0, 0, 0, 0))?,
        barrier: dollars(price)?,
        rises,
    })
}

/// Lower case, single spaces, no quotes, and one spelling of a minute.
fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| !matches!(c, '"' | '“' | '”'));
    let spaced: String = kept
        .map(|c| {
            if c == '\u{a0}' {
                ' '
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.join(" ").replace("1-minute", "1 minute")
}

/// "$76,000" or "$76k" in full.
fn dollars(text: &str) -> Option<SpotPrice> {
    let text = text.strip_prefix('$')?;
    let (digits, zeros) = match text.strip_suffix('k') {
        Some(digits) => (digits, "000"),
        None => (text, ""),
    };
    let whole = digits.replace(',', "");
    let plain = !whole.is_empty() && whole.len() <= 9 && whole.bytes().all(|b| b.is_ascii_digit());
    let price = plain.then(|| SpotPrice::parse(&format!("{whole}{zeros}")).ok())??;
    (price > SpotPrice::ZERO).then_some(price)
}

fn month(name: &str) -> Option<i8> {
    let n = MONTHS.iter().position(|m| *m == name)?;
    i8::try_from(n.checked_add(1)?).ok()
}

/// "march 11", with or without that year: the day itself, when it is the one given.
fn day(text: &str, given: Date) -> Option<Date> {
    let year = format!(" {}", given.year());
    let text = text
        .strip_suffix(&format!(",{year}"))
        .or_else(|| text.strip_suffix(&year))
        .unwrap_or(text);
    let (name, number) = text.split_once(' ')?;
    let same = given.month() == month(name)? && given.day() == number.parse::<i8>().ok()?;
    same.then_some(given)
}

/// "september 21-27" or "march 30-april 5", of which the last is the day given.
fn days(text: &str, last: Date) -> Option<(Date, Date)> {
    let year = format!(" {}", last.year());
    let text = text
        .strip_suffix(&format!(",{year}"))
        .or_else(|| text.strip_suffix(&year))
        .unwrap_or(text);
    let (from, to) = text.split_once('-')?;
    let (name, number) = from.trim().split_once(' ')?;
    let to = to.trim();
    let last = match to.contains(' ') {
        true => day(to, last)?,
        false => day(&format!("{name} {to}"), last)?,
    };
    let first = month(name)?;
    let year = if first > last.month() {
        last.year().checked_sub(1)?
    } else {
        last.year()
    };
    let first = Date::new(year, first, number.parse().ok()?).ok()?;
    (first < last).then_some((first, last))
}

/// The day in New York of an instant.
fn ended(at: Timestamp) -> Option<Date> {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).ok()?;
    Some(new_york()?.to_datetime(at).date())
}

/// An instant by the clocks of New York.
fn instant(at: DateTime) -> Option<Timestamp> {
    let at = new_york()?.to_ambiguous_timestamp(at).unambiguous().ok()?;
    u64::try_from(at.as_nanosecond()).ok().map(Timestamp)
}

fn new_york() -> Option<TimeZone> {
    TimeZone::posix(NEW_YORK).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "\n\nThe resolution source for this market is Binance";

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp(u64::try_from(at.as_nanosecond()).unwrap())
    }

    fn price(dollars: i128) -> SpotPrice {
        SpotPrice(dollars * 10_i128.pow(18))
    }

    #[test]
    fn above_at_noon_of_the_day_in_the_question() {
        let words = "This market will resolve to \"Yes\" if the Binance 1 minute candle for BTC/USDT 12:00 \
             in the ET timezone (noon) on the date specified in the title has a final \"Close\" price \
             higher than the price specified in the title. Otherwise, this market will resolve to \
             \"No\".";
        let words = format!("{words}{TAIL}");
        let question = "Will the price of Bitcoin be above $64,000 on March 11?";
        // Summer time since March 8; in winter noon is an hour later.
        let noon = at("2026-03-11T16:00:00Z");
        assert_eq!(
            asked(question, &words, noon),
            Some(Asked::Above(price(64_000)))
        );
        let winter = "Will the price of Bitcoin be above $98k on January 9, 2027?";
        let noon_in_winter = at("2027-01-09T17:00:00Z");
        assert_eq!(
            asked(winter, &words, noon_in_winter),
            Some(Asked::Above(price(98_000)))
        );
        for (question, words, end) in [
            // Another day, another hour, another question, another candle, another asset.
            (question, words.clone(), "2026-03-12T16:00:00Z"),
            (question, words.clone(), "2026-03-11T17:00:00Z"),
            (
                "Will Bitcoin be above $64,000?",
                words.clone(),
                "2026-03-11T16:00:00Z",
            ),
            (
                question,
                words.replace(
                    "candle for BTC/USDT 12:00",
                    "candle for BTC/USDT closing at 12:00",
                ),
                "2026-03-11T16:00:00Z",
            ),
            (
                question,
                words.replace("BTC", "ETH"),
                "2026-03-11T16:00:00Z",
            ),
            (
                question,
                words.replace("higher than", "higher than or equal to"),
                "2026-03-11T16:00:00Z",
            ),
            (
                "Will the price of Bitcoin be above $0 on March 11?",
                words.clone(),
                "2026-03-11T16:00:00Z",
            ),
            (
                "Will the price of Bitcoin be above $6e4 on March 11?",
                words.clone(),
                "2026-03-11T16:00:00Z",
            ),
            (question, String::new(), "2026-03-11T16:00:00Z"),
        ] {
            assert_eq!(asked(question, &words, at(end)), None, "{question} {words}");
        }
    }

    /// The words of a touch market.
    fn touch(window: &str, side: &str) -> String {
        format!(
            "This market will immediately resolve to \"Yes\" if any Binance 1-minute candle for Bitcoin \
             (BTC/USDT) {window} has a final {side} than the price specified in the title. Otherwise, \
             this market will resolve to \"No.\"{TAIL}"
        )
    }

    const HIGHER: &str = "\"High\" price equal to or greater";
    const LOWER: &str = "\"Low\" price equal to or lower";
    const ON_THE_DAY: &str =
        "on the date specified in the title, between 12:00 AM ET and 11:59 PM ET";
    const IN_DAYS: &str = "during the date range specified in the title (from 12:00 AM ET on the first \
                           date to 11:59 PM ET on the last)";
    const IN_MONTH: &str = "during the month specified in the title (from 00:00 AM ET on the first day \
                            to 11:59 PM ET on the last)";

    #[test]
    fn a_touch_within_a_day_a_week_or_a_month() {
        for (question, window, side, opens, closes, barrier) in [
            (
                "Will Bitcoin reach $71,000 on June 2?",
                ON_THE_DAY,
                HIGHER,
                "2026-06-02T04:00:00Z",
                "2026-06-03T04:00:00Z",
                71_000,
            ),
            (
                "Will Bitcoin dip to $67k on June 2?",
                ON_THE_DAY,
                LOWER,
                "2026-06-02T04:00:00Z",
                "2026-06-03T04:00:00Z",
                67_000,
            ),
            (
                "Will Bitcoin dip to $76,000 September 21-27?",
                IN_DAYS,
                LOWER,
                "2026-09-21T04:00:00Z",
                "2026-09-28T04:00:00Z",
                76_000,
            ),
            (
                "Will Bitcoin reach $58,000 March 30-April 5?",
                IN_DAYS,
                HIGHER,
                "2026-03-30T04:00:00Z",
                "2026-04-06T04:00:00Z",
                58_000,
            ),
            // Over New Year, and over the change of the clocks.
            (
                "Will Bitcoin reach $99,000 December 28-January 3?",
                IN_DAYS,
                HIGHER,
                "2026-12-28T05:00:00Z",
                "2027-01-04T05:00:00Z",
                99_000,
            ),
            (
                "Will Bitcoin reach $130,000 in November 2026?",
                IN_MONTH,
                HIGHER,
                "2026-11-01T04:00:00Z",
                "2026-12-01T05:00:00Z",
                130_000,
            ),
            (
                "Will Bitcoin reach $130,000 in November?",
                IN_MONTH,
                HIGHER,
                "2026-11-01T04:00:00Z",
                "2026-12-01T05:00:00Z",
                130_000,
            ),
        ] {
            let expected = Asked::Touch {
                opens_at: at(opens),
                barrier: price(barrier),
                rises: side == HIGHER,
            };
            let words = touch(window, side);
            assert_eq!(
                asked(question, &words, at(closes)),
                Some(expected),
                "{question}"
            );
        }
    }

    #[test]
    fn a_touch_of_which_anything_is_unclear_is_none() {
        let (june_2, end) = (
            "Will Bitcoin reach $71,000 on June 2?",
            "2026-06-03T04:00:00Z",
        );
        let words = touch(ON_THE_DAY, HIGHER);
        assert!(asked(june_2, &words, at(end)).is_some());
        for (question, words, end) in [
            // "Hit" says neither from where nor on which side the words are; the end is not the day's.
            ("Will Bitcoin hit $71,000 on June 2?", words.clone(), end),
            ("Will Bitcoin dip to $71,000 on June 2?", words.clone(), end),
            (june_2, words.clone(), "2026-06-04T04:00:00Z"),
            (june_2, words.clone(), "2026-06-03T03:59:00Z"),
            (
                june_2,
                touch(
                    "from the creation of this market through 11:59 PM ET",
                    HIGHER,
                ),
                end,
            ),
            (june_2, touch(IN_DAYS, HIGHER), end),
            (
                "Will Bitcoin reach $71,000 in May?",
                touch(IN_MONTH, HIGHER),
                "2026-07-01T04:00:00Z",
            ),
            (
                "Will Bitcoin reach $71,000 May 27-20?",
                touch(IN_DAYS, HIGHER),
                "2026-05-21T04:00:00Z",
            ),
            ("Will Ethereum reach $71,000 on June 2?", words.clone(), end),
        ] {
            assert_eq!(asked(question, &words, at(end)), None, "{question} {words}");
        }
    }
}
