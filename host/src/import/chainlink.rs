//! `chainlink-markets`: Gamma market objects with their outcome, and the feed that decided them.
//!
//! Market lines hold the venue's object under `raw` beside the recorder's own fields; the feed is a
//! CSV with `feed_ts_ms, value, full_accuracy_value, server_ts_ms, recv_ms`, where
//! `full_accuracy_value` is exact, in 1e-18 dollars. Files are told apart by their first line.
//!
//! The strike is not part of the listing: nobody knew it then. Where the feed has a value of the
//! opening second the engine learns it from there; the recorded one stands in the evidence of the
//! outcome, which is told at the market's `closedTime`.

use super::draft::{Draft, Published};
use super::files::Lines;
use super::intake::Intake;
use super::{ImportError, number};
use pm_arb_core::event::{Event, OracleTick};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::market::SettlementRule;
use pm_arb_core::units::{Price, SpotPrice};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Market {
    slug: String,
    condition_id: String,
    token_ids: Vec<String>,
    start_sec: u64,
    end_sec: u64,
    resolved: Option<bool>,
    outcome_prices: Option<Vec<String>>,
    strike_value: Option<String>,
    raw: Value,
}

/// Where the feed's fields stand.
struct Columns {
    feed_ts_ms: usize,
    exact: usize,
    recv_ms: usize,
    count: usize,
}

impl Columns {
    fn of(header: &str) -> Option<Self> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let find = |name: &str| names.iter().position(|n| *n == name);
        Some(Self {
            feed_ts_ms: find("feed_ts_ms")?,
            exact: find("full_accuracy_value")?,
            recv_ms: find("recv_ms")?,
            count: names.len(),
        })
    }
}

pub(super) fn read(lines: &mut Lines, intake: &mut Intake) -> Result<(), ImportError> {
    let mut columns: Option<Columns> = None;
    let symbol = symbol(&intake.file_name());
    while let Some(text) = intake.next_line(lines) {
        if text.starts_with('{') {
            if let Err(why) = market(&text, intake) {
                intake.refuse(lines.line(), why);
            }
        } else if let Some(found) = Columns::of(&text) {
            columns = Some(found);
        } else {
            match tick(&text, columns.as_ref(), symbol.as_deref()) {
                Ok((at, price, source_time, symbol)) => {
                    let oracle = intake.oracle("chainlink", symbol);
                    let tick = OracleTick {
                        oracle,
                        price,
                        source_time,
                    };
                    intake.message(at, &[Event::OracleTick(tick)])?;
                }
                Err(why) => intake.refuse(lines.line(), why),
            }
        }
    }
    Ok(())
}

/// `chainlink_btcusd_h00-16.csv.gz` and `BTCUSD-prices-2026-07-24.csv.gz` are feeds of "btcusd".
fn symbol(file: &str) -> Option<String> {
    file.split(|c: char| !c.is_ascii_alphabetic())
        .map(str::to_ascii_lowercase)
        .find(|word| word.len() > 3 && word.ends_with("usd"))
}

fn tick<'a>(
    text: &str,
    columns: Option<&Columns>,
    symbol: Option<&'a str>,
) -> Result<(Timestamp, SpotPrice, Timestamp, &'a str), String> {
    let columns = columns.ok_or(
        "is neither a market nor a line below a header with feed_ts_ms, full_accuracy_value, recv_ms",
    )?;
    let symbol = symbol.ok_or("the file's name does not tell the feed (as \"btcusd\" would)")?;
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    if fields.len() != columns.count {
        return Err(format!(
            "has {} fields, the header {}",
            fields.len(),
            columns.count
        ));
    }
    let field = |index: usize| fields.get(index).copied().unwrap_or_default();
    let at = number::millis(field(columns.recv_ms)).ok_or("recv_ms is no time")?;
    let source_time = number::millis(field(columns.feed_ts_ms)).ok_or("feed_ts_ms is no time")?;
    // An integer already in the unit of a spot price.
    let exact = number::fixed(field(columns.exact), 0).map(SpotPrice);
    let price = exact
        .filter(|p| *p > SpotPrice::ZERO)
        .ok_or("full_accuracy_value is no positive integer")?;
    Ok((at, price, source_time, symbol))
}

fn market(text: &str, intake: &mut Intake) -> Result<(), String> {
    let line: Market = serde_json::from_str(text).map_err(|e| format!("is no market: {e}"))?;
    let mut spec = intake.gamma(&line.raw)?;
    let tokens: Vec<&str> = spec.outcomes.iter().map(|o| o.native_id.as_str()).collect();
    if spec.native_id != line.condition_id || spec.slug != line.slug || tokens != line.token_ids {
        let why = "the recorder's ids differ from those of the market object";
        return Err(intake.contradicts(why));
    }
    let (opens, closes) = (line.start_sec, line.end_sec);
    if spec.opens_at != Timestamp::from_secs(opens)
        || spec.closes_at != Timestamp::from_secs(closes)
    {
        let why = "the recorder's window differs from that of the market object";
        return Err(intake.contradicts(why));
    }
    if let SettlementRule::UpDown { strike, .. } = &mut spec.settlement {
        // Filled in after the close (see above).
        *strike = None;
    }
    let published = published(&line)?;
    let index = intake.market_or(&line.condition_id, |_| Draft::of_spec(spec.clone()));
    if let Some(draft) = intake.draft(index) {
        draft.spec = spec;
        draft.keep = true;
        if let Some(word) = published {
            draft.publish(word)?;
        }
    }
    Ok(())
}

fn published(line: &Market) -> Result<Option<Published>, String> {
    let prices = match (&line.outcome_prices, line.resolved) {
        (Some(prices), Some(true)) => prices,
        _ => return Ok(None),
    };
    let [up, down] = prices.as_slice() else {
        return Err("\"outcome_prices\" are not two".to_owned());
    };
    let price = |text: &str| Price::parse(text).map_err(|e| format!("payout {text:?} {e}"));
    let closed = line.raw.get("closedTime").and_then(Value::as_str);
    let at = closed
        .map(|text| number::utc(text).ok_or_else(|| format!("closedTime {text:?} is no time")))
        .transpose()?;
    let strike = match line.strike_value.as_deref() {
        None => "no strike recorded".to_owned(),
        Some(text) => {
            let units = number::fixed(text, 0).ok_or("\"strike_value\" is no integer")?;
            format!("recorded strike {}", SpotPrice(units))
        }
    };
    let time = if at.is_some() {
        "closedTime"
    } else {
        "time not recorded"
    };
    let evidence = format!("gamma outcomePrices at {time}; {strike}");
    Published::new(at, [price(up)?, price(down)?], evidence).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_is_named_by_its_file() {
        for (file, expected) in [
            ("chainlink_btcusd_h00-16.csv.gz", Some("btcusd")),
            ("BTCUSD-prices-2026-07-24.csv.gz", Some("btcusd")),
            ("usd.csv", None),
            ("prices.csv", None),
        ] {
            assert_eq!(symbol(file).as_deref(), expected, "{file}");
        }
    }
}
