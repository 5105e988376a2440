//! Trades in a list, a line each.

use super::table::{Cell, Table};
use super::text::{Style, cut, cut_middle, month_and_minute, tame};
use crate::store::view::TradeView;

/// Letters of an id in a list: enough to name a trade, and `pm-arb trade` says when they are not.
const SHORT_ID: usize = 8;

/// The first letters of a row's id.
#[must_use]
pub fn short_id(trade: &TradeView) -> String {
    let mut id = trade.id.to_string();
    id.truncate(SHORT_ID);
    id
}

/// Trades, a line each.
#[must_use]
pub fn render(trades: &[TradeView], style: Style) -> String {
    if trades.is_empty() {
        return "No trades match. `pm-arb trades` without a filter lists the last of all.\n"
            .to_owned();
    }
    let mut table = Table::new(&[
        "Id",
        "<Decided",
        "<Strategy",
        "<Market",
        "<Order",
        "<Result",
    ])
    .names(&[2, 3]);
    for t in trades {
        let qty = match t.reason {
            Some(_) => t.requested_quantity,
            None => t.quantity,
        };
        let order = format!(
            "{} {qty} {} @ {}",
            t.side,
            cut(&tame(&t.outcome), 8),
            t.price
        );
        table.row(vec![
            Cell::from(short_id(t)),
            Cell::from(month_and_minute(t.decided)),
            Cell::from(cut(&tame(&t.strategy_id), 13)),
            Cell::from(cut_middle(&tame(&t.market_slug), 24)),
            Cell::from(order),
            result(t),
        ]);
    }
    let mut text = table.lines(style).join("\n");
    text.push_str("\n\npm-arb trade ID shows one whole.\n");
    text
}

/// What it came to, or why it came to nothing, or that it is held.
fn result(t: &TradeView) -> Cell {
    match (&t.reason, t.realized_pnl) {
        (Some(reason), _) => Cell::from(cut(reason, 20)),
        (None, Some(pnl)) if t.status != "open" => Cell::money(pnl),
        _ => Cell::from(&t.status),
    }
}

/// The rows of one intent, a line each.
pub(super) fn siblings(rows: &[TradeView], style: Style) -> Vec<String> {
    let mut table = Table::new(&["Id", "Leg", "Fill", "<Market", "<Order", "<Result"]).names(&[3]);
    for t in rows {
        let outcome = cut(&tame(&t.outcome), 8);
        table.row(vec![
            Cell::from(short_id(t)),
            Cell::from(t.leg),
            Cell::from(t.fill),
            Cell::from(cut_middle(&tame(&t.market_slug), 28)),
            Cell::from(format!("{} {} {outcome} @ {}", t.side, t.quantity, t.price)),
            result(t),
        ]);
    }
    table.lines(style)
}
