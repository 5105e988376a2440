//! Fills orders on paper, against the book as it stands when they *arrive*.
//!
//! An order walks the levels within its limit and pays the market's fee level by level. What it takes
//! stays taken: the venue does not know of our fills and goes on showing the size, so a note of
//! `taken` shares is kept a level. When the shown size shrinks the note shrinks with it at most (a
//! decrease never gives anything back); when it grows, only the growth is new to us. The two outcomes
//! of a market show one book from two sides, so a note is made on both.
//!
//! It owns those notes, moves no money and approves nothing: it fills only what risk approved.

use crate::book::OrderBook;
use crate::effect::{FillLevel, Rejection};
use crate::event::{BookSide, LevelChange};
use crate::ids::{InstrumentId, Nanos, Timestamp};
use crate::market::{FeeSchedule, MarketSpec};
use crate::order::LegPlan;
use crate::reason::Reason;
use crate::units::{ONE, Price, Qty, Rounding, Usd, div_round};

/// Most price levels one order may walk; what lies behind them is not filled.
pub const LEVELS_PER_FILL_MAX: usize = 64;
/// Largest rounding step of any fee schedule (Kalshi's and spring 2026's four decimals).
const FEE_STEP_MAX: i64 = 100;
/// The most that one level's roundings of value and fee can add up to, in millionths of a dollar.
pub(crate) const ROUNDINGS_MAX: i64 = FEE_STEP_MAX + 1;
/// Where the fee formulas peak: p(1 − p) at one half, p³(1 − p)² at three fifths.
const FEE_PEAKS: [Price; 2] = [Price(ONE / 2), Price(ONE * 3 / 5)];

/// What one order got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// How much.
    pub qty: Qty,
    /// Size-weighted price; what does not fit is rounded against us.
    pub price: Price,
    /// Paid or received for the shares: purchases rounded up, sales down, a level at a time.
    pub value: Usd,
    /// Fees, a level at a time.
    pub fee: Usd,
    /// How old the book was.
    pub book_age: Nanos,
    /// Its epoch.
    pub book_epoch: u32,
    /// The levels as they were walked.
    pub levels: Vec<FillLevel>,
}

/// An order at the venue's door.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The leg that arrives.
    pub leg: &'a LegPlan,
    /// Shares wanted; for a sale, what is still held at most.
    pub qty: Qty,
    /// Whether a part is worth nothing.
    pub fill_or_kill: bool,
    /// Its market.
    pub spec: &'a MarketSpec,
    /// Its book, when there is one.
    pub book: Option<&'a OrderBook>,
    /// When it arrives.
    pub at: Timestamp,
    /// How old the book may be.
    pub book_age_max: Nanos,
}

/// Shares of one level that we have taken and the venue still shows.
#[derive(Debug, Clone, Copy)]
struct Taken {
    side: BookSide,
    price: Price,
    qty: Qty,
}

/// The executor.
#[derive(Debug, Clone, Default)]
pub struct PaperExecutor {
    /// By instrument number. A handful of levels at most, and none for almost every instrument.
    taken: Vec<Vec<Taken>>,
}

impl PaperExecutor {
    /// A level shows a new size.
    pub fn level_shown(&mut self, level: &LevelChange) {
        if let Some(notes) = self.taken.get_mut(level.instrument.index())
            && !notes.is_empty()
        {
            notes.retain_mut(|note| {
                if note.side == level.side && note.price == level.price {
                    note.qty = note.qty.min(level.qty);
                }
                note.qty > Qty::ZERO
            });
        }
    }

    /// A whole book was shown anew.
    pub fn book_shown(&mut self, instrument: InstrumentId, book: &OrderBook) {
        if let Some(notes) = self.taken.get_mut(instrument.index())
            && !notes.is_empty()
        {
            notes.retain_mut(|note| {
                note.qty = note.qty.min(shown(book, note.side, note.price));
                note.qty > Qty::ZERO
            });
        }
    }

    /// A market is over.
    pub fn forget(&mut self, spec: &MarketSpec) {
        for outcome in &spec.outcomes {
            if let Some(notes) = self.taken.get_mut(outcome.instrument.index()) {
                *notes = Vec::new();
            }
        }
    }

    /// Fills an order, or says why not. A fill takes its liquidity; a refusal takes nothing.
    pub fn execute(&mut self, arrival: &Arrival<'_>) -> Result<Fill, Rejection> {
        let Arrival {
            leg,
            spec,
            at,
            book,
            ..
        } = *arrival;
        let book = book.ok_or_else(|| refusal(Reason::NoBook, "a live book", "none"))?;
        // An interruption while in flight is named as such, whatever the book looks like now.
        if book.epoch() != leg.book_epoch {
            return Err(refusal(
                Reason::BookInterrupted,
                &format!("epoch {} of the decision", leg.book_epoch),
                &format!("epoch {}", book.epoch()),
            ));
        }
        book.usable(leg.buy, at, arrival.book_age_max)
            .map_err(|reason| {
                refusal(
                    reason,
                    &format!("a usable book of at most {} ms", arrival.book_age_max.ms()),
                    &format!("{} ms old", book.age(at).ms()),
                )
            })?;
        let levels = self.reachable(leg, spec, book);
        let offered = levels.iter().fold(0_i64, |s, l| s.saturating_add(l.1.0));
        let got = whole_lots(arrival.qty.min(Qty(offered)), spec.lot);
        if got <= Qty::ZERO {
            return Err(refusal(
                Reason::NoLiquidity,
                &format!("within {} USD a share", leg.limit),
                &format!("{} shares left there", Qty(offered)),
            ));
        }
        if arrival.fill_or_kill && got < arrival.qty {
            return Err(refusal(
                Reason::FillOrKill,
                &format!("{} shares within {}", arrival.qty, leg.limit),
                &format!("{got} shares left there"),
            ));
        }
        let fill = priced(arrival, book, &levels, got)?;
        self.take(leg, spec, &fill.levels);
        Ok(fill)
    }

    /// The book has moved over an order of ours that rests: whoever shows these levels would have met
    /// it first. Takes up to `qty` of them; how much that is.
    pub fn run_over(
        &mut self,
        leg: &LegPlan,
        qty: Qty,
        spec: &MarketSpec,
        book: &OrderBook,
    ) -> Qty {
        let levels = self.reachable(leg, spec, book);
        let offered = levels.iter().fold(0_i64, |s, l| s.saturating_add(l.1.0));
        let got = whole_lots(qty.min(Qty(offered)), spec.lot);
        let mut left = got;
        let mut parts = Vec::new();
        for (price, shown) in levels {
            let part = left.min(shown);
            if part <= Qty::ZERO {
                break;
            }
            left = Qty(left.0.saturating_sub(part.0));
            parts.push(FillLevel {
                price,
                qty: part,
                fee: Usd::ZERO,
            });
        }
        self.take(leg, spec, &parts);
        got
    }

    /// The levels within the limit, best first, less what we took of them before. A sale passes over a
    /// level that would bring less than its fee.
    fn reachable(&self, leg: &LegPlan, spec: &MarketSpec, book: &OrderBook) -> Vec<(Price, Qty)> {
        let side = opposite(leg.buy);
        let left = |(price, qty): (Price, Qty)| {
            let taken = self.taken_at(leg.instrument, side, price);
            (price, Qty(qty.0.saturating_sub(taken.0).max(0)))
        };
        let mut levels: Vec<(Price, Qty)> = if leg.buy {
            let within = book.asks().take_while(|(price, _)| *price <= leg.limit);
            within.take(LEVELS_PER_FILL_MAX).map(left).collect()
        } else {
            let within = book.bids().take_while(|(price, _)| *price >= leg.limit);
            within.take(LEVELS_PER_FILL_MAX).map(left).collect()
        };
        levels.retain(|(price, qty)| {
            *qty > Qty::ZERO
                && (leg.buy
                    || price
                        .times(*qty, Rounding::Down)
                        .zip(spec.fee.fee(*price, *qty))
                        .is_some_and(|(brings, fee)| brings >= fee))
        });
        levels
    }

    fn taken_at(&self, instrument: InstrumentId, side: BookSide, price: Price) -> Qty {
        self.taken
            .get(instrument.index())
            .and_then(|notes| notes.iter().find(|n| n.side == side && n.price == price))
            .map_or(Qty::ZERO, |note| note.qty)
    }

    fn take(&mut self, leg: &LegPlan, spec: &MarketSpec, levels: &[FillLevel]) {
        let (side, mirrored) = if leg.buy {
            (BookSide::Ask, BookSide::Bid)
        } else {
            (BookSide::Bid, BookSide::Ask)
        };
        for level in levels {
            self.note(leg.instrument, side, level.price, level.qty);
            if let Some(other) = spec.complement_of(leg.instrument) {
                self.note(other, mirrored, level.price.complement(), level.qty);
            }
        }
    }

    fn note(&mut self, instrument: InstrumentId, side: BookSide, price: Price, qty: Qty) {
        let index = instrument.index();
        if self.taken.len() <= index {
            self.taken.resize_with(index + 1, Vec::new);
        }
        if let Some(notes) = self.taken.get_mut(index) {
            match notes
                .iter_mut()
                .find(|n| n.side == side && n.price == price)
            {
                Some(note) => note.qty = Qty(note.qty.0.saturating_add(qty.0)),
                None => notes.push(Taken { side, price, qty }),
            }
        }
    }
}

/// The most that buying `qty` at no worse than `limit` can cost, fees and all roundings included;
/// `None` when the fee is unknown or the sum does not fit.
#[must_use]
pub fn worst_cost(fee: FeeSchedule, limit: Price, qty: Qty) -> Option<Usd> {
    let mut fee_max = fee.fee(limit, qty)?;
    for peak in FEE_PEAKS {
        if peak < limit {
            fee_max = fee_max.max(fee.fee(peak, qty)?);
        }
    }
    let levels = i64::try_from(LEVELS_PER_FILL_MAX).ok()?;
    let roundings = match fee {
        FeeSchedule::Free => levels,
        _ => levels.checked_add(1)?.checked_mul(ROUNDINGS_MAX)?,
    };
    limit
        .times(qty, Rounding::Up)?
        .checked_add(fee_max)?
        .checked_add(Usd(roundings))
}

/// `qty` cut to whole lots; a lot of zero has no grid.
#[must_use]
pub fn whole_lots(qty: Qty, lot: Qty) -> Qty {
    match qty.0.checked_rem(lot.0) {
        Some(rest) => Qty(qty.0.saturating_sub(rest)),
        None => qty,
    }
}

/// What taking `got` from `levels` amounts to, fees included.
pub(crate) fn priced(
    arrival: &Arrival<'_>,
    book: &OrderBook,
    levels: &[(Price, Qty)],
    got: Qty,
) -> Result<Fill, Rejection> {
    let (leg, fee) = (arrival.leg, arrival.spec.fee);
    if fee == FeeSchedule::Unknown {
        return Err(refusal(
            Reason::UnknownFee,
            "a known fee schedule",
            "unknown",
        ));
    }
    let Walked {
        parts,
        price,
        value,
        fee,
    } = walk(leg.buy, fee, levels, got)
        .ok_or_else(|| refusal(Reason::RiskError, "a value that fits", "an overflow"))?;
    // Can only happen when the market's fee rose while the order was in flight.
    if leg.buy && value.checked_add(fee).is_none_or(|paid| paid > leg.reserve) {
        return Err(refusal(
            Reason::RiskError,
            &format!("{} USD reserved", leg.reserve),
            &format!("{value} USD and {fee} USD fees"),
        ));
    }
    Ok(Fill {
        qty: got,
        price,
        value,
        fee,
        book_age: book.age(arrival.at),
        book_epoch: book.epoch(),
        levels: parts,
    })
}

/// What an order takes.
struct Walked {
    parts: Vec<FillLevel>,
    price: Price,
    value: Usd,
    fee: Usd,
}

/// What taking `qty` from `levels`, best first, amounts to; `None` when it does not fit.
fn walk(buy: bool, schedule: FeeSchedule, levels: &[(Price, Qty)], qty: Qty) -> Option<Walked> {
    let rounding = if buy { Rounding::Up } else { Rounding::Down };
    let (mut left, mut value, mut fee) = (qty, Usd::ZERO, Usd::ZERO);
    let mut parts = Vec::with_capacity(levels.len());
    let mut weighted = 0_i128;
    for (price, shown) in levels {
        let part = left.min(*shown);
        if part <= Qty::ZERO {
            break;
        }
        let part_fee = schedule.fee(*price, part)?;
        parts.push(FillLevel {
            price: *price,
            qty: part,
            fee: part_fee,
        });
        value = value.checked_add(price.times(part, rounding)?)?;
        fee = fee.checked_add(part_fee)?;
        weighted = weighted.checked_add(i128::from(price.0).checked_mul(i128::from(part.0))?)?;
        left = left.checked_sub(part)?;
    }
    let price = i64::try_from(div_round(weighted, i128::from(qty.0), rounding)?).ok()?;
    Some(Walked {
        parts,
        price: Price(price),
        value,
        fee,
    })
}

fn opposite(buy: bool) -> BookSide {
    if buy { BookSide::Ask } else { BookSide::Bid }
}

/// The size a book shows at a price.
pub(crate) fn shown(book: &OrderBook, side: BookSide, price: Price) -> Qty {
    let at = |(p, qty): (Price, Qty)| (p == price).then_some(qty);
    let found = match side {
        BookSide::Bid => book.bids().find_map(at),
        BookSide::Ask => book.asks().find_map(at),
    };
    found.unwrap_or(Qty::ZERO)
}

pub(crate) fn refusal(reason: Reason, limit: &str, observed: &str) -> Rejection {
    Rejection {
        reason,
        limit: limit.to_owned(),
        observed: observed.to_owned(),
    }
}
