//! What Overview and Pilot Monitor have in common: times, key numbers, tables of money at work.
//!
//! Everything is drawn from a [`View`]. What is not known says so and why; nothing becomes zero.

use crate::snapshot::{Exposure, FillRow, Instant, Money, Rate, Shares, Trading};
use crate::store::view::TradeView;
use crate::web::app::View;
use crate::web::layout::{self, Panel, Pilot};
use crate::web::show;
use maud::{Markup, html};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::Usd;

/// Newest trades on a page.
pub const NEWEST_MAX: usize = 20;

/// A panel in a column.
pub fn panel(id: &'static str, title: &'static str, body: Markup) -> Panel {
    Panel {
        id,
        title,
        body,
        wide: false,
    }
}

/// The same over all columns.
pub fn wide(id: &'static str, title: &'static str, body: Markup) -> Panel {
    Panel {
        wide: true,
        ..panel(id, title, body)
    }
}

/// A key number with its name and a remark.
pub fn figure(name: &str, value: Markup, remark: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) small { (remark) } } } }
}

/// Amounts that are no gain or loss: without a sign of their own.
pub fn dollars(amount: Usd) -> String {
    let text = crate::report::signed(amount);
    text.strip_prefix('+').map(str::to_owned).unwrap_or(text)
}

/// Digits after the point, at most, of what stands in a column.
pub fn places<T: std::fmt::Display>(column: impl IntoIterator<Item = T>) -> usize {
    let places = |text: String| text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let all = column.into_iter().map(|value| places(value.to_string()));
    all.max().unwrap_or(0)
}

/// A number whose point stands below that of its column: blanks as wide as digits take the place of those
/// it has not, because zeros would claim more than is known.
pub fn aligned(value: impl std::fmt::Display, places: usize) -> String {
    let mut text = value.to_string();
    let digits = text.split_once('.').map(|(_, digits)| digits.len());
    if digits.is_none() && places > 0 {
        text.push('\u{2008}');
    }
    let missing = places.saturating_sub(digits.unwrap_or(0));
    text.extend(std::iter::repeat_n('\u{2007}', missing));
    text
}

/// `2026-05-13 14:00:05`, UTC.
pub fn moment(at: Timestamp) -> Markup {
    let exact = Instant(at).to_string();
    let read = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    html! { time datetime=(exact) { (read) } }
}

/// When the picture was taken, and what time it is in the run.
pub fn as_of(view: &View) -> Markup {
    html! {
        @if let Some(pilot) = &view.pilot {
            p.note {
                "As of " (moment(pilot.taken.0)) " UTC"
                @if pilot.run.now.0.0.abs_diff(pilot.taken.0.0) > RUN_TIME_DIFFERS {
                    "; in the run it is " (moment(pilot.run.now.0))
                }
                @if let Pilot::Frozen { age, .. } = layout::pilot(view) {
                    " " span.state.bad { "stale: " (age.as_secs()) " s old" }
                }
            }
        }
    }
}

/// A run whose clock is that far from ours tells its own time too.
const RUN_TIME_DIFFERS: u64 = 5_000_000_000;

/// When the sums of the database were made.
pub fn counted(view: &View) -> Markup {
    html! {
        @if let Some(counted) = view.history.as_ref().and_then(|h| h.counted) {
            p.note { "Summed up from the database at " (moment(counted.as_of)) " UTC." }
        }
    }
}

/// In the place of sums that are not there.
pub fn no_sums(view: &View) -> Markup {
    html! {
        p.empty {
            @match &view.records_failed {
                Some(why) => { "The database could not be asked: " (why) },
                None => { "The database has not been summed up yet; that takes a few seconds after the first look." },
            }
        }
    }
}

/// In the place of what only a pilot knows.
pub fn no_pilot(what: &str) -> Markup {
    html! {
        p.empty {
            (what) " is known while a pilot runs; none answers here. Start one: "
            code { "pm-arb pilot --strategies './strategies/*.wasm'" }
        }
    }
}

/// Why there is no trade yet.
pub fn no_trades(trading: Option<&Trading>) -> Markup {
    html! {
        p.empty {
            "No trades yet"
            @if let Some(trading) = trading {
                ": the scanner has looked " (grouped(trading.activity.looks)) " times and seen "
                (grouped(trading.activity.opportunities)) " opportunities; of "
                (grouped(trading.activity.intents)) " wishes risk denied "
                (grouped(trading.activity.denied)) "; see " a href="/why" { "Why not?" }
            } @else { "; see " a href="/why" { "Why not?" } }
        }
    }
}

/// A count in groups of three.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share with its count and interval.
pub fn win_rate(rate: Option<Rate>, wins: u64, of: u64) -> (Markup, Markup) {
    match rate {
        Some(rate) => (
            html! { (format!("{:.1} %", rate.percent)) },
            html! {
                (grouped(wins)) " of " (grouped(of)) "; 95 %: "
                (format!("{:.0} to {:.0} %", rate.low, rate.high))
            },
        ),
        None => (
            show::unknown("no trade has ended yet"),
            html! { "no trade has ended yet" },
        ),
    }
}

/// The newest fills that are known: what the pilot saw, then what the database has.
pub fn newest(view: &View) -> Vec<FillRow> {
    let mut rows: Vec<FillRow> = Vec::new();
    if let Some(pilot) = &view.pilot {
        rows.extend(pilot.trading.newest.iter().cloned());
    }
    if let Some(history) = &view.history {
        let fills = history.newest.iter().filter(|t| t.status != "rejected");
        for row in fills.map(of_record) {
            if rows.iter().all(|known| known.id != row.id) {
                rows.push(row);
            }
        }
    }
    // Stable: rows of one instant stay as they were told.
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    rows.truncate(NEWEST_MAX);
    rows
}

fn of_record(trade: &TradeView) -> FillRow {
    FillRow {
        id: trade.id.to_string(),
        at: Instant(trade.created),
        venue: trade.venue.clone(),
        market: trade.market_slug.clone(),
        outcome: trade.outcome.clone(),
        side: trade.side.clone(),
        quantity: Shares(trade.quantity),
        price: Money(Usd(trade.price.0)),
        expected_edge: Money(trade.expected_edge),
        strategy: trade.strategy_id.clone(),
        kind: trade.opportunity_type.clone(),
        status: trade.status.clone(),
        realized_pnl: trade
            .realized_pnl
            .filter(|_| trade.status != "open")
            .map(Money),
    }
}

/// What is at stake, by venue and by position.
pub fn exposure(exposure: &Exposure) -> Markup {
    html! {
        dl.figures {
            @for row in &exposure.venues {
                (figure(&row.venue, html! { (dollars(row.committed.0)) }, html! { "tied up" }))
            }
        }
        @if exposure.largest.is_empty() {
            p.empty { "Nothing is held now." }
        } @else {
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "The largest positions by cost" }
                    thead { tr {
                        th scope="col" { "Market" } th scope="col" { "Outcome" }
                        th.num scope="col" { "Shares" } th.num scope="col" { "Cost, $" }
                        th.num scope="col" { "Worth, $" }
                    } }
                    tbody {
                        @for row in &exposure.largest {
                            tr {
                                th scope="row" title=(row.venue) { (row.market) }
                                td { (row.outcome) }
                                td.num { (row.quantity) }
                                td.num { (bare(row.cost.0)) }
                                td.num { (bare(row.worth.0)) }
                            }
                        }
                    }
                }
            }
            p.note {
                (grouped(exposure.instruments)) " positions in all. Worth is the lower of cost and bid."
            }
        }
    }
}

/// An amount whose unit stands in the heading.
pub fn bare(amount: Usd) -> String {
    dollars(amount).replacen('$', "", 1)
}

/// How a row stands, as a word.
pub fn status(row: &FillRow) -> Markup {
    html! {
        @match row.status.as_str() {
            "open" => span.state.off { "open" },
            "resolved" => span.state.ok { "settled" },
            "closed" => span.state.ok { "closed" },
            other => span.state.warn { (other) },
        }
    }
}

/// A name of ours for people: `oracle_lag` is oracle lag.
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_amounts_have_one_sign() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(dollars(Usd(12_340_000)), "$12.34");
        assert_eq!(dollars(Usd(-12_340_000)), "-$12.34");
        assert_eq!(bare(Usd(-12_340_000)), "-12.34");
    }
}
