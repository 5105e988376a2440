//! `chainlink-text`: one market a file as text, with Chainlink's value once a second.
//!
//! A header of `name: value` lines (window, price to beat, final price, outcome) and `- warning` lines,
//! which stand in the evidence of the outcome; the line `data:`; and below it rows of
//! `seconds left, clock, favourite, delta, gain, btc= value`.
//!
//! The favourite's price has neither a size nor another side: it backs no book, and is left out. What is
//! used is the value of every second, at the second it names; the price to beat, which the recorder
//! compared with from the first row on; the final value, at the close; and the outcome. Such a run can be
//! calibrated, and holds nothing that could be traded.

use super::draft::{Draft, Published, Window};
use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, number};
use pm_arb_core::event::{Event, OracleTick};
use pm_arb_core::ids::{OracleId, Timestamp};
use pm_arb_core::market::SettlementRule;
use pm_arb_core::units::{Price, SpotPrice};
use std::collections::BTreeMap;

/// Most lines of a header.
const HEADER_MAX: usize = 64;
/// The price to beat, by the recorder's names for Chainlink's.
const STRIKES: [&str; 2] = ["price_to_beat", "ptb_chainlink"];

/// The market of a file.
struct Market {
    window: Window,
    oracle: OracleId,
}

impl Market {
    fn tick(&self, price: SpotPrice, at: Timestamp) -> Event {
        Event::OracleTick(OracleTick {
            oracle: self.oracle,
            price,
            source_time: at,
        })
    }
}

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    let mut header = BTreeMap::new();
    let mut warnings = Vec::new();
    let mut market: Option<Market> = None;
    while let Some(text) = intake.next_line(lines) {
        if let Some(market) = &market {
            let is_caption = text.starts_with("sec ") || text.bytes().all(|b| b == b'-');
            if is_caption {
                continue;
            }
            match row(&text, &market.window) {
                Ok((at, price)) => intake.message(at, &[market.tick(price, at)])?,
                Err(why) => intake.refuse(lines.line(), why),
            }
        } else if text == "data:" {
            match begin(&header, &warnings, intake) {
                Ok((found, end)) => {
                    if let Some(price) = end {
                        let at = found.window.closes_at;
                        intake.message(at, &[found.tick(price, at)])?;
                    }
                    market = Some(found);
                }
                Err(why) => {
                    intake.refuse(lines.line(), why);
                    return Ok(());
                }
            }
        } else if let Some(warning) = text.strip_prefix("- ") {
            if warnings.len() < HEADER_MAX {
                warnings.push(warning.to_owned());
            }
        } else if text != "header:" {
            match text.split_once(':') {
                Some((name, value)) if header.len() < HEADER_MAX => {
                    header.insert(name.trim().to_owned(), value.trim().to_owned());
                }
                _ => intake.refuse(lines.line(), "is no line of a header"),
            }
        }
    }
    Ok(())
}

/// The market that a header tells of, and its final value.
fn begin(
    header: &BTreeMap<String, String>,
    warnings: &[String],
    intake: &mut Intake,
) -> Result<(Market, Option<SpotPrice>), String> {
    let instant = |name: &str| {
        let text = header.get(name).and_then(|v| v.split_whitespace().next());
        text.and_then(number::seconds)
            .ok_or_else(|| format!("the header's {name} is no time in seconds"))
    };
    let (opens, closes) = (instant("market_start_ts")?, instant("market_end_ts")?);
    let span = match closes.since(opens).0 / 1_000_000_000 {
        300 => "5m",
        900 => "15m",
        other => return Err(format!("no market of this kind lasts {other} seconds")),
    };
    let slug = format!("btc-updown-{span}-{}", opens.secs());
    let window = Window::find(&slug).ok_or_else(|| format!("{slug} is no up-or-down window"))?;
    let value = |name: &str| {
        let text = header.get(name);
        text.map(|text| {
            number::spot(text).ok_or_else(|| format!("the header's {name} is no price"))
        })
        .transpose()
    };
    let mut to_beat = None;
    for name in STRIKES {
        to_beat = to_beat.or(value(name)?);
    }
    let end = value("final_chainlink")?;
    let published = match header.get("outcome").map(String::as_str) {
        None => None,
        Some(winner) => {
            let payouts = match winner {
                "Up" => [Price::DOLLAR, Price::ZERO],
                "Down" => [Price::ZERO, Price::DOLLAR],
                other => return Err(format!("outcome {other:?} is neither Up nor Down")),
            };
            let told = "the recording's outcome; it does not say when it was published";
            let mut evidence = told.to_owned();
            for warning in warnings {
                evidence.push_str("; the recorder warns: ");
                evidence.push_str(warning);
            }
            Some(Published::new(None, payouts, evidence)?)
        }
    };
    let oracle = intake.oracle("chainlink", "btcusd");
    let index = intake.market_or(&window.slug, |intake| {
        Draft::of_window(&window, oracle, &intake.rules)
    });
    if let Some(draft) = intake.draft(index) {
        draft.keep = true;
        if let Some(word) = published {
            draft.publish(word)?;
        }
        if let SettlementRule::UpDown { strike, .. } = &mut draft.spec.settlement {
            *strike = to_beat;
        }
    }
    Ok((Market { window, oracle }, end))
}

/// The instant of a row and Chainlink's value then.
fn row(text: &str, window: &Window) -> Result<(Timestamp, SpotPrice), String> {
    let mut words = text.split_whitespace();
    let left: u64 = words
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or("does not begin with the seconds left")?;
    let clock = words.next().unwrap_or_default();
    if clock != format!("{}:{:02}", left / 60, left % 60) {
        return Err(format!("{left} seconds left are not {clock:?}"));
    }
    let at = window.closes_at.secs().checked_sub(left);
    let at = at
        .map(Timestamp::from_secs)
        .filter(|at| *at >= window.opens_at)
        .ok_or_else(|| format!("{left} seconds left lie outside of the window"))?;
    let value = text.rsplit_once("btc=").map(|(_, value)| value.trim());
    let price = value
        .and_then(number::spot)
        .ok_or("has no value behind \"btc=\"")?;
    Ok((at, price))
}
