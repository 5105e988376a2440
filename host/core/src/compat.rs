//! Fills as other backtesters fill, so that their published results can be compared with ours.
//!
//! Two of their rules: walk the book as it stands at once, level by level, remembering nothing of what
//! was taken before; or fill the whole order at the middle of the book, however large it is. Neither
//! waits for the venue, looks at the age of the book or at an interruption. Both keep the fee, the
//! limit and the refusal of placeholder books. A pilot fills so only when its configuration says so.

use crate::book::OrderBook;
use crate::config::FillModel;
use crate::effect::Rejection;
use crate::ids::Nanos;
use crate::paper::{Arrival, Fill, LEVELS_PER_FILL_MAX, priced, refusal, whole_lots};
use crate::reason::Reason;
use crate::units::{Price, Qty, Rounding, div_round};

/// Fills an order by another's rules, or says why not.
pub fn execute(model: FillModel, arrival: &Arrival<'_>) -> Result<Fill, Rejection> {
    let leg = arrival.leg;
    let book = arrival.book;
    let book = book.ok_or_else(|| refusal(Reason::NoBook, "a live book", "none"))?;
    book.usable(leg.buy, arrival.at, Nanos(u64::MAX))
        .map_err(|reason| refusal(reason, "a usable book", "none"))?;
    let levels = match model {
        FillModel::Mid => middle(arrival, book)?,
        FillModel::DecisionBook | FillModel::Honest => within(arrival, book),
    };
    let offered = levels
        .iter()
        .fold(0_i64, |sum, l| sum.saturating_add(l.1.0));
    let got = whole_lots(arrival.qty.min(Qty(offered)), arrival.spec.lot);
    let whole = arrival.fill_or_kill;
    if got <= Qty::ZERO || (whole && got < arrival.qty) {
        let reason = if whole {
            Reason::FillOrKill
        } else {
            Reason::NoLiquidity
        };
        let limit = format!("{} shares within {} USD", arrival.qty, leg.limit);
        return Err(refusal(reason, &limit, &format!("{} there", Qty(offered))));
    }
    priced(arrival, book, &levels, got)
}

/// The levels within the limit, best first.
fn within(arrival: &Arrival<'_>, book: &OrderBook) -> Vec<(Price, Qty)> {
    let limit = arrival.leg.limit;
    if arrival.leg.buy {
        let asks = book.asks().take_while(|(price, _)| *price <= limit);
        asks.take(LEVELS_PER_FILL_MAX).collect()
    } else {
        let bids = book.bids().take_while(|(price, _)| *price >= limit);
        bids.take(LEVELS_PER_FILL_MAX).collect()
    }
}

/// The whole order at the middle, when that lies within the limit. A missing side counts as 0 or 1
/// dollar, as Polymarket shows it; the side the order needs must be there.
fn middle(arrival: &Arrival<'_>, book: &OrderBook) -> Result<Vec<(Price, Qty)>, Rejection> {
    let leg = arrival.leg;
    let bid = book.best_bid().map_or(Price(0), |(price, _)| price);
    let ask = book.best_ask().map_or(Price::DOLLAR, |(price, _)| price);
    let against_us = if leg.buy {
        Rounding::Up
    } else {
        Rounding::Down
    };
    let sum = i128::from(bid.0).saturating_add(i128::from(ask.0));
    let half = div_round(sum, 2, against_us).and_then(|half| i64::try_from(half).ok());
    let middle = half
        .map(Price)
        .ok_or_else(|| refusal(Reason::RiskError, "a price", "none"))?;
    let reached = if leg.buy {
        middle <= leg.limit
    } else {
        middle >= leg.limit
    };
    Ok(if reached {
        vec![(middle, arrival.qty)]
    } else {
        Vec::new()
    })
}
