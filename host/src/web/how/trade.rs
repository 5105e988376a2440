//! What buying comes to: the executor's own fill of the asked order, and what it pays either way.
//!
//! Owns sums over what the executor and the fee rule say. Amounts that do not fit a millionth are rounded
//! against us, as in the books.

use super::inputs::Inputs;
use super::{money, stage};
use crate::snapshot::{Money, Shares};
use pm_arb_core::book::OrderBook;
use pm_arb_core::event::BookSnapshot;
use pm_arb_core::ids::{InstrumentId, Nanos, StrategyId, Timestamp, Venue};
use pm_arb_core::ledger::Holding;
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::opportunity::OpportunityLeg;
use pm_arb_core::order::LegPlan;
use pm_arb_core::paper::{Arrival, PaperExecutor, worst_cost};
use pm_arb_core::reason::Reason;
use pm_arb_core::rulebook::Rulebook;
use pm_arb_core::scanner::margin;
use pm_arb_core::units::{ONE, Price, Qty, Rounding, Usd};
use serde::Serialize;
use utoipa::ToSchema;

/// Steps of the curve over probabilities.
const ODDS_STEPS: i64 = 50;

/// What buying the asked shares comes to, if everything offered is still there on arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Trade {
    /// Paid for the shares.
    pub value: Money,
    /// Paid in fees.
    pub fee: Money,
    /// Both.
    pub paid: Money,
    /// The fee of one share, as an edge bears it.
    pub fee_per_share: Money,
    /// Gain when YES wins, in all.
    pub win: Money,
    /// Loss when it does not, in all.
    pub lose: Money,
    /// Gain a share.
    pub win_per_share: Money,
    /// Loss a share.
    pub lose_per_share: Money,
    /// The probability at which nothing is left.
    pub break_even: Money,
    /// Expected in all by model and market together, before the fee.
    pub expected_before_fee: Money,
    /// And after it.
    pub expected: Money,
    /// Expected in all if the model alone were right, after the fee.
    pub expected_by_model: Money,
    /// Expected in all against the probability.
    pub by_odds: Vec<OddsPoint>,
}

/// What is to be expected at a probability, in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OddsPoint {
    /// The probability of YES.
    pub probability: Money,
    /// Without the fee.
    pub before_fee: Money,
    /// With it.
    pub after_fee: Money,
}

/// Buys the asked order on paper.
pub(super) fn buy(
    inputs: &Inputs,
    fee: FeeSchedule,
    delay: Option<Nanos>,
    fair: Price,
    model: Price,
) -> Result<Trade, Reason> {
    let delay = delay.ok_or(Reason::UnknownRule)?;
    let spec = stage::spec(inputs, fee, Some(delay));
    let now = stage::instant(inputs);
    let due = now.plus(inputs.latency).plus(delay);
    if due >= spec.closes_at {
        return Err(Reason::MarketClosed);
    }
    let book = offered(inputs, now)?;
    let reserve = worst_cost(fee, inputs.price, inputs.qty).ok_or(Reason::UnknownFee)?;
    let leg = LegPlan {
        holding: Holding {
            strategy: StrategyId(0),
            venue: inputs.venue,
            market: stage::MARKET,
        },
        instrument: stage::YES,
        buy: true,
        limit: inputs.price,
        reserve,
        book_epoch: book.epoch(),
        book_age: Nanos(0),
        due,
    };
    let fill = PaperExecutor::default().execute(&Arrival {
        leg: &leg,
        qty: inputs.qty,
        fill_or_kill: true,
        spec: &spec,
        book: Some(&book),
        at: due,
        // Nothing else happens in this market: the book of the decision is that of the arrival.
        book_age_max: Nanos(u64::MAX),
    });
    let fill = fill.map_err(|refused| refused.reason)?;
    let won = Price::DOLLAR.times(fill.qty, Rounding::Down);
    let (won, paid) = won
        .zip(fill.value.checked_add(fill.fee))
        .ok_or(Reason::RiskError)?;
    let all = |p: Price, cost: Usd| {
        let pays = p.times(fill.qty, Rounding::Down)?;
        pays.checked_sub(cost)
    };
    let sums = || -> Option<Trade> {
        let (win, lose) = (won.checked_sub(paid)?, Usd::ZERO.checked_sub(paid)?);
        let fee_per_share = fee.per_share(inputs.price)?;
        let break_even = Usd(fill.price.0).checked_add(fee_per_share)?;
        let points = (0..=ODDS_STEPS).map(|i| {
            let p = Price(ONE / ODDS_STEPS * i);
            Some(OddsPoint {
                probability: money(p),
                before_fee: Money(all(p, fill.value)?),
                after_fee: Money(all(p, paid)?),
            })
        });
        Some(Trade {
            value: Money(fill.value),
            fee: Money(fill.fee),
            paid: Money(paid),
            fee_per_share: Money(fee_per_share),
            win: Money(win),
            lose: Money(lose),
            win_per_share: money(win.per(fill.qty, Rounding::Down)?),
            lose_per_share: money(lose.per(fill.qty, Rounding::Down)?),
            break_even: Money(break_even),
            expected_before_fee: Money(all(fair, fill.value)?),
            expected: Money(all(fair, paid)?),
            expected_by_model: Money(all(model, paid)?),
            by_odds: points.collect::<Option<_>>()?,
        })
    };
    sums().ok_or(Reason::RiskError)
}

/// The book of YES: what was asked about.
fn offered(inputs: &Inputs, now: Timestamp) -> Result<OrderBook, Reason> {
    let level = |price: Price| (price, inputs.qty);
    let mut book = OrderBook::new(Price(1));
    let snapshot = BookSnapshot {
        instrument: stage::YES,
        more: false,
        venue_time: now,
        bids: inputs.bid.map(level).into_iter().collect(),
        asks: vec![level(inputs.price)],
    };
    book.apply_snapshot(&snapshot, now)?;
    Ok(book)
}

/// Legs that pay a dollar together whatever happens, one share of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Basket {
    /// What it is an example of.
    pub name: &'static str,
    /// What is bought.
    pub legs: Vec<BasketLeg>,
    /// A dollar less the prices.
    pub gross: Money,
    /// Less the fees too; absent when a fee is not known.
    pub net: Option<Money>,
}

/// One leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BasketLeg {
    /// What.
    pub what: &'static str,
    /// Where.
    pub venue: &'static str,
    /// Its price.
    pub price: Money,
    /// The fee of one share.
    pub fee: Option<Money>,
    /// How many.
    pub qty: Shares,
}

/// The examples: prices are given, fees are the day's.
pub(super) fn baskets(
    venue: Venue,
    fee: FeeSchedule,
    book: &Rulebook,
    at: Timestamp,
) -> Vec<Basket> {
    let fee_of = |v: Venue| {
        let told = book.taker_fees.on(&super::fee_subject(v), at).says;
        told.unwrap_or(FeeSchedule::Unknown)
    };
    let here = |what, cents: i64| (what, venue, fee, Price(cents * 10_000));
    let there =
        |what, venue: Venue, cents: i64| (what, venue, fee_of(venue), Price(cents * 10_000));
    let baskets = [
        basket(
            "Both sides of one market",
            [here("YES", 45), here("NO of the same market", 48)],
        ),
        basket(
            "One threshold implies the other",
            [
                here("YES of “above 97,000”", 55),
                here("NO of “above 98,000”", 40),
            ],
        ),
        basket(
            "The same question on two venues",
            [
                there("YES", Venue::Polymarket, 52),
                there("NO", Venue::Kalshi, 45),
            ],
        ),
    ];
    baskets.into_iter().flatten().collect()
}

fn basket(
    name: &'static str,
    legs: [(&'static str, Venue, FeeSchedule, Price); 2],
) -> Option<Basket> {
    let one = Qty(ONE);
    let bought = |with_fee: bool| -> Option<Usd> {
        let legs: Option<Vec<_>> = legs
            .iter()
            .map(|(_, venue, fee, price)| {
                Some(OpportunityLeg {
                    instrument: InstrumentId(0),
                    market: stage::MARKET,
                    venue: *venue,
                    price: *price,
                    qty: one,
                    fair: None,
                    fee: if with_fee {
                        fee.fee(*price, one)?
                    } else {
                        Usd::ZERO
                    },
                    book_age: Nanos(0),
                })
            })
            .collect();
        margin(&legs?, Usd(ONE))
    };
    Some(Basket {
        name,
        gross: Money(bought(false)?),
        net: bought(true).map(Money),
        legs: legs
            .iter()
            .map(|(what, venue, fee, price)| BasketLeg {
                what,
                venue: venue.as_str(),
                price: money(*price),
                fee: fee.fee(*price, one).map(Money),
                qty: Shares(one),
            })
            .collect(),
    })
}
