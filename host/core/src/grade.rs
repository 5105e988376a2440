//! What executors that are not honest would have made of a wish, at the moment it was decided.
//!
//! The honest result is the rows that come of the order; beside it stand two that anybody can compute
//! without waiting:
//!
//! - *naive*: every leg whole, at once, at the requested limit price, for no fee. The first pilot of
//!   this name booked its trades so.
//! - *mid*: every leg whole, at once, at the middle of the book it was decided on, with the fee the
//!   market asks of a taker. Nobody sells at the middle; many backtests do.
//!
//! Whatever does not fit a millionth is rounded against us. Owns nothing; the engine calls it for
//! wishes that risk approved, and for no other: a denied wish reaches no executor.

use crate::book::OrderBook;
use crate::effect::{Graded, IntentLegRecord};
use crate::market::{FeeSchedule, MarketSpec};
use crate::strategy::IntentLeg;
use crate::units::{Price, Qty, Rounding, Usd, div_round};

/// A leg as it was wished, with the top of its book and, when it was approved for `approved` shares,
/// its grades. `None` when the market does not list the instrument.
#[must_use]
pub fn leg(
    n: u16,
    wished: &IntentLeg,
    spec: &MarketSpec,
    book: Option<&OrderBook>,
    approved: Option<Qty>,
) -> Option<IntentLegRecord> {
    let (_, outcome) = spec.outcome(wished.instrument)?;
    let book = book.filter(|book| book.is_live());
    let bid = book.and_then(OrderBook::best_bid);
    let ask = book.and_then(OrderBook::best_ask);
    let middle = middle(wished.buy, bid.map(|b| b.0), ask.map(|a| a.0));
    Some(IntentLegRecord {
        leg: n,
        market: spec.id,
        market_native_id: spec.native_id.clone(),
        instrument: wished.instrument,
        outcome: outcome.name.clone(),
        buy: wished.buy,
        limit: wished.limit,
        bid,
        ask,
        naive: approved.and_then(|qty| at(wished.buy, wished.limit, qty, FeeSchedule::Free)),
        mid: approved
            .zip(middle)
            .and_then(|(qty, price)| at(wished.buy, price, qty, spec.fee)),
    })
}

/// The middle of a book, rounded up for a purchase and down for a sale. A book without both sides, or
/// one whose sides overlap, has none.
fn middle(buy: bool, bid: Option<Price>, ask: Option<Price>) -> Option<Price> {
    let (bid, ask) = bid.zip(ask).filter(|(bid, ask)| bid < ask)?;
    let sum = i128::from(bid.0).checked_add(i128::from(ask.0))?;
    let price = i64::try_from(div_round(sum, 2, against_us(buy))?).ok()?;
    Some(Price(price))
}

/// The whole quantity at one price; `None` when the fee is unknown or a product does not fit.
fn at(buy: bool, price: Price, qty: Qty, fee: FeeSchedule) -> Option<Graded> {
    let value: Usd = price.times(qty, against_us(buy))?;
    Some(Graded {
        qty,
        price,
        value,
        fee: fee.fee(price, qty)?,
    })
}

fn against_us(buy: bool) -> Rounding {
    if buy { Rounding::Up } else { Rounding::Down }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BookSnapshot;
    use crate::fixtures::{cents, market, shares};
    use crate::ids::{InstrumentId, Timestamp};

    fn book(bids: &[(Price, Qty)], asks: &[(Price, Qty)]) -> OrderBook {
        let mut book = OrderBook::new(Price(1_000));
        let snapshot = BookSnapshot {
            instrument: InstrumentId(0),
            more: false,
            venue_time: Timestamp::from_secs(1_000),
            bids: bids.to_vec(),
            asks: asks.to_vec(),
        };
        book.apply_snapshot(&snapshot, Timestamp::from_secs(1_000))
            .unwrap();
        book
    }

    fn crypto() -> MarketSpec {
        MarketSpec {
            fee: FeeSchedule::polymarket(70_000),
            ..market(0)
        }
    }

    fn wish(buy: bool, limit: Price) -> IntentLeg {
        IntentLeg {
            instrument: InstrumentId(0),
            buy,
            limit,
        }
    }

    #[test]
    fn a_purchase_is_graded_at_its_limit_for_free_and_at_the_middle_with_the_fee() {
        let book = book(&[(cents(48), shares(30))], &[(Price(523_000), shares(7))]);
        let leg = leg(
            0,
            &wish(true, cents(55)),
            &crypto(),
            Some(&book),
            Some(shares(100)),
        )
        .unwrap();
        assert_eq!(leg.bid, Some((cents(48), shares(30))));
        assert_eq!(leg.ask, Some((Price(523_000), shares(7))));
        // 100 × 0.55, although 7 shares were offered, at 0.523.
        assert_eq!(
            leg.naive,
            Some(Graded {
                qty: shares(100),
                price: cents(55),
                value: Usd(55_000_000),
                fee: Usd(0),
            })
        );
        // (0.48 + 0.523) / 2 = 0.5015; 100 × 0.07 × 0.5015 × 0.4985 = 1.74998425, cut to 1.74998.
        assert_eq!(
            leg.mid,
            Some(Graded {
                qty: shares(100),
                price: Price(501_500),
                value: Usd(50_150_000),
                fee: Usd(1_749_980),
            })
        );
    }

    #[test]
    fn what_does_not_fit_a_millionth_is_rounded_against_us() {
        for (buy, price, value, naive) in [
            // The middle of 0.481 and 0.482 fits; a third of a share at 0.4815 does not:
            // 0.333333 × 0.4815 = 0.1604998395, and at 0.485 it is 0.161666505.
            (true, 481_500, 160_500, 161_667),
            (false, 481_500, 160_499, 161_666),
        ] {
            let book = book(
                &[(Price(481_000), shares(5))],
                &[(Price(482_000), shares(5))],
            );
            let wished = wish(buy, Price(485_000));
            let leg = leg(1, &wished, &market(0), Some(&book), Some(Qty(333_333))).unwrap();
            let mid = leg.mid.unwrap();
            assert_eq!((mid.price, mid.value), (Price(price), Usd(value)));
            assert_eq!(leg.naive.unwrap().value, Usd(naive));
        }
        // A middle between two millionths.
        assert_eq!(middle(true, Some(Price(1)), Some(Price(4))), Some(Price(3)));
        assert_eq!(
            middle(false, Some(Price(1)), Some(Price(4))),
            Some(Price(2))
        );
    }

    #[test]
    fn without_two_sides_there_is_no_middle_and_without_approval_no_grade() {
        let bids = [(cents(48), shares(30))];
        let asks = [(cents(52), shares(30))];
        for book in [None, Some(book(&[], &asks)), Some(book(&bids, &[]))] {
            let wished = wish(true, cents(52));
            let leg = leg(0, &wished, &crypto(), book.as_ref(), Some(shares(5))).unwrap();
            assert!(leg.naive.is_some() && leg.mid.is_none(), "{leg:?}");
        }
        let both = book(&bids, &asks);
        let denied = leg(0, &wish(true, cents(52)), &crypto(), Some(&both), None).unwrap();
        assert_eq!((denied.naive, denied.mid), (None, None));
        assert!(denied.bid.is_some() && denied.ask.is_some());
        let unknown = MarketSpec {
            fee: FeeSchedule::Unknown,
            ..market(0)
        };
        let leg = leg(
            0,
            &wish(true, cents(52)),
            &unknown,
            Some(&both),
            Some(shares(5)),
        )
        .unwrap();
        assert_eq!(leg.mid, None);
    }
}
