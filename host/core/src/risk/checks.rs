//! The checks that need no memory: each looks at one wish and the facts around it.
//!
//! Their order is [`super`]'s business. Each answers with the reason, the limit and what was observed.

use super::{LegFacts, Scene, Wish};
use crate::book::OrderBook;
use crate::config::FillModel;
use crate::effect::Rejection;
use crate::ids::{MarketId, Nanos, Venue};
use crate::ledger::Holding;
use crate::market::{FeeSchedule, MarketStatus};
use crate::opportunity::OpportunityKind;
use crate::oracle::Reading;
use crate::order::LegPlan;
use crate::paper::worst_cost;
use crate::reason::Reason;
use crate::resting::worst_cost_resting;
use crate::strategy::{IntentLeg, MAX_LEGS};
use crate::units::{Bps, Price, Qty, Rounding, Usd};
use std::collections::BTreeSet;

/// A wished leg with its market's facts.
pub(super) type Leg<'a> = (IntentLeg, LegFacts<'a>);

pub(super) fn may_trade(scene: &Scene<'_>) -> Result<(), Rejection> {
    if let Some(why) = scene.halted {
        return deny(Reason::Halted, "not halted".to_owned(), why.to_owned());
    }
    if scene.quarantined {
        return deny(
            Reason::StrategyQuarantined,
            "a healthy strategy".to_owned(),
            "stopped after a failure".to_owned(),
        );
    }
    Ok(())
}

/// The legs with their facts, when the wish as a whole makes sense.
pub(super) fn known_legs<'a>(wish: &Wish<'a>) -> Result<Vec<Leg<'a>>, Rejection> {
    let invalid =
        |limit: &str, observed: String| deny(Reason::InvalidOrder, limit.to_owned(), observed);
    let intent = wish.intent;
    if intent.legs.is_empty() || intent.legs.len() > MAX_LEGS {
        return invalid("1 to 8 legs", format!("{} legs", intent.legs.len()));
    }
    if intent.qty <= Qty::ZERO {
        return invalid("more than 0 shares", format!("{} shares", intent.qty));
    }
    if intent.legs.len() > 1 && intent.legs.iter().any(|leg| !leg.buy) {
        // A group is unwound by selling what its other legs did not match; a sale has no such way back.
        return invalid(
            "a sale is an order of its own",
            "a sale among legs".to_owned(),
        );
    }
    if intent.legs.len() > 1 && intent.time_in_force.rests() {
        // Legs that wait would fill at times of others' choosing: no group is evened out that way.
        return invalid(
            "an order that may rest has one leg",
            format!(
                "{} legs, {}",
                intent.legs.len(),
                intent.time_in_force.as_str()
            ),
        );
    }
    if intent.opportunity.is_some() && wish.seen.is_none() {
        return invalid(
            "an opportunity that was announced and not long ago",
            format!("opportunity {}", wish.opportunity),
        );
    }
    let mut legs = Vec::with_capacity(intent.legs.len());
    for (n, leg) in intent.legs.iter().enumerate() {
        let Some(facts) = wish.legs.get(n).copied().flatten() else {
            return invalid(
                "a listed instrument",
                format!("instrument {}", leg.instrument),
            );
        };
        if legs
            .iter()
            .any(|(other, _): &Leg<'_>| other.instrument == leg.instrument)
        {
            return invalid(
                "one leg an instrument",
                format!("instrument {} twice", leg.instrument),
            );
        }
        if let Some(seen) = wish.seen
            && !seen.legs.iter().any(|l| l.market == facts.spec.id)
        {
            return invalid(
                "legs in the markets of the opportunity",
                format!("instrument {} in market {}", leg.instrument, facts.spec.id),
            );
        }
        legs.push((*leg, facts));
    }
    Ok(legs)
}

/// Whether the strategy may trade there, and that much at once: all legs together, at their limits.
pub(super) fn granted(
    wish: &Wish<'_>,
    legs: &[Leg<'_>],
    scene: &Scene<'_>,
) -> Result<(), Rejection> {
    for (leg, facts) in legs {
        if let Some(outside) = facts.outside {
            return deny(
                Reason::NotGranted,
                "what the strategy asks for and is granted".to_owned(),
                format!("{outside} (instrument {})", leg.instrument),
            );
        }
    }
    let Some(most) = scene.may.and_then(|may| may.order_max) else {
        return Ok(());
    };
    let mut value = Usd::ZERO;
    for (leg, _) in legs {
        let own = leg.limit.times(wish.intent.qty, Rounding::Up);
        let sum = own.and_then(|own| value.0.checked_add(own.0));
        value = Usd(sum.ok_or_else(overflow)?);
    }
    if value > most {
        return deny(
            Reason::MaxOrderValue,
            format!("{most} USD, the grant of this strategy"),
            format!("{value} USD"),
        );
    }
    Ok(())
}

/// The leg as an order the venue would take.
pub(super) fn order_of(
    wish: &Wish<'_>,
    leg: &IntentLeg,
    facts: &LegFacts<'_>,
    scene: &Scene<'_>,
) -> Result<LegPlan, Rejection> {
    let (spec, qty) = (facts.spec, wish.intent.qty);
    if !leg.limit.is_tradable() {
        return deny(
            Reason::PriceOutOfRange,
            "between 0 and 1 USD".to_owned(),
            format!("{} USD", leg.limit),
        );
    }
    // The book's grid is the newest: a venue changes it while the market trades.
    let Some(listed) = spec.tick else {
        return unknown_rule("tick");
    };
    let tick = facts.book.map_or(listed, OrderBook::tick);
    if !leg.limit.is_on_tick(tick) {
        return deny(
            Reason::OffTick,
            format!("multiples of {tick} USD"),
            format!("{} USD", leg.limit),
        );
    }
    if spec.lot > Qty::ZERO && qty.0.checked_rem(spec.lot.0) != Some(0) {
        return deny(
            Reason::OffLot,
            format!("multiples of {} shares", spec.lot),
            format!("{qty} shares"),
        );
    }
    let Some(min_qty) = spec.min_qty else {
        return unknown_rule("minimum");
    };
    if qty < min_qty {
        return deny(
            Reason::BelowMinimum,
            format!("{min_qty} shares"),
            format!("{qty} shares"),
        );
    }
    let known = |fee: FeeSchedule| fee.fee(leg.limit, Qty::ZERO).is_some();
    if !known(spec.fee) || (wish.intent.time_in_force.rests() && !known(spec.maker_fee)) {
        return deny(
            Reason::UnknownFee,
            "a known fee schedule".to_owned(),
            format!("unknown ({})", spec.fee_rule),
        );
    }
    let value = leg.limit.times(qty, Rounding::Up).ok_or_else(overflow)?;
    let value_max = scene.config.risk.order_value_max;
    if value > value_max {
        return deny(
            Reason::MaxOrderValue,
            format!("{value_max} USD"),
            format!("{value} USD"),
        );
    }
    let delay = match scene.config.execution.fills {
        FillModel::Honest => spec.taker_delay,
        // Others know no such delay.
        FillModel::DecisionBook | FillModel::Mid => Some(Nanos(0)),
    };
    let Some(delay) = delay else {
        return unknown_rule("taker delay");
    };
    let reserve = if !leg.buy {
        Usd::ZERO
    } else if wish.intent.time_in_force.rests() {
        worst_cost_resting(spec, leg.limit, qty).ok_or_else(overflow)?
    } else {
        worst_cost(spec.fee, leg.limit, qty).ok_or_else(overflow)?
    };
    let latency = &scene.config.execution.latency;
    let travel = scene.latencies.travel(latency, spec.venue, wish.id);
    let travel = travel.ok_or_else(|| Rejection {
        reason: Reason::RiskError,
        limit: "a latency for every order".to_owned(),
        observed: "quantiles that do not rise to 10000".to_owned(),
    })?;
    Ok(LegPlan {
        holding: Holding {
            strategy: wish.strategy,
            venue: spec.venue,
            market: spec.id,
        },
        instrument: leg.instrument,
        buy: leg.buy,
        limit: leg.limit,
        reserve,
        book_epoch: facts.book.map_or(0, OrderBook::epoch),
        book_age: facts.book.map_or(Nanos(0), |book| book.age(scene.now)),
        due: scene.now.plus(travel).plus(delay),
    })
}

/// Whether the market takes such an order now.
pub(super) fn market(
    wish: &Wish<'_>,
    leg: &IntentLeg,
    facts: &LegFacts<'_>,
    scene: &Scene<'_>,
) -> Result<(), Rejection> {
    let (spec, limits) = (facts.spec, &scene.config.risk);
    if facts.status != MarketStatus::Open || scene.now >= spec.closes_at {
        return deny(
            Reason::MarketClosed,
            "an open market".to_owned(),
            format!("{:?}", facts.status),
        );
    }
    let left = spec.closes_at.since(scene.now);
    if left < limits.expiry_min {
        return deny(
            Reason::NearExpiry,
            format!("{} ms before the close", limits.expiry_min.ms()),
            format!("{} ms before the close", left.ms()),
        );
    }
    let Some(book) = facts.book else {
        return deny(Reason::NoBook, "a live book".to_owned(), "none".to_owned());
    };
    book.usable(leg.buy, scene.now, limits.book_age_max)
        .or_else(|reason| {
            deny(
                reason,
                format!("a usable book of at most {} ms", limits.book_age_max.ms()),
                format!("{} ms old", book.age(scene.now).ms()),
            )
        })?;
    let Some(best) = best(book, leg.buy) else {
        return deny(
            Reason::OneSidedBook,
            "a level to trade with".to_owned(),
            "none".to_owned(),
        );
    };
    let away = Price(leg.limit.0.abs_diff(best.0).try_into().unwrap_or(i64::MAX));
    if away > limits.collar {
        return deny(
            Reason::PriceCollar,
            format!("{} USD from the best price {best}", limits.collar),
            format!("{away} USD at {}", leg.limit),
        );
    }
    if wish.kind() == OpportunityKind::OracleLag {
        let age = match facts.oracle {
            Some(Reading::Fresh { .. }) => return Ok(()),
            Some(Reading::Stale { .. }) => "older",
            Some(Reading::Missing) | None => "no value",
        };
        return deny(
            Reason::StaleOracle,
            format!("at most {} ms old", limits.oracle_age_max.ms()),
            age.to_owned(),
        );
    }
    Ok(())
}

/// Whether what the strategy claims is believable and still there.
pub(super) fn idea(wish: &Wish<'_>, legs: &[Leg<'_>], scene: &Scene<'_>) -> Result<(), Rejection> {
    let (limits, edge) = (&scene.config.risk, wish.intent.expected_edge);
    if edge > limits.edge_max {
        return deny(
            Reason::EdgeImplausible,
            format!("{} USD a share", limits.edge_max),
            format!("{edge} USD a share"),
        );
    }
    if legs.iter().any(|(leg, _)| !leg.buy) {
        return Ok(());
    }
    let profit = Price(edge.0)
        .times(wish.intent.qty, Rounding::Down)
        .ok_or_else(overflow)?;
    if profit < limits.profit_min {
        return deny(
            Reason::MinProfit,
            format!("{} USD", limits.profit_min),
            format!("{profit} USD expected"),
        );
    }
    let Some(seen) = wish.seen else { return Ok(()) };
    let mut moved = 0_i64;
    for (leg, facts) in legs {
        let then = seen.legs.iter().find(|l| l.instrument == leg.instrument);
        let now = facts.book.and_then(|book| best(book, leg.buy));
        if let (Some(then), Some(now)) = (then, now) {
            moved = now
                .0
                .checked_sub(then.price.0)
                .and_then(|by| moved.checked_add(by))
                .ok_or_else(overflow)?;
        }
    }
    let allowed = edge
        .share(limits.slippage_of_edge, Rounding::Down)
        .ok_or_else(overflow)?;
    if moved > allowed.0 {
        return deny(
            Reason::Slippage,
            format!(
                "{allowed} USD a share ({} of the edge)",
                percent(limits.slippage_of_edge)
            ),
            format!("{} USD a share since it was seen", Usd(moved)),
        );
    }
    Ok(())
}

/// Limits on what is tied up in each market and on each venue, this order included.
pub(super) fn positions(plan: &[LegPlan], scene: &Scene<'_>) -> Result<(), Rejection> {
    let limits = &scene.config.risk;
    let limit = |share| position_limit(scene.equity, share).ok_or_else(overflow);
    let markets: BTreeSet<MarketId> = plan.iter().map(|leg| leg.holding.market).collect();
    for market in markets {
        let legs = plan.iter().filter(|leg| leg.holding.market == market);
        over(
            Reason::PositionLimitMarket,
            limits.position_per_market,
            limit(limits.position_per_market)?,
            total(legs).and_then(|usd| usd.checked_add(scene.ledger.committed_in(market))),
        )?;
    }
    let venues: BTreeSet<Venue> = plan.iter().map(|leg| leg.holding.venue).collect();
    for venue in venues {
        let legs = plan.iter().filter(|leg| leg.holding.venue == venue);
        over(
            Reason::PositionLimitVenue,
            limits.position_per_venue,
            limit(limits.position_per_venue)?,
            total(legs).and_then(|usd| usd.checked_add(scene.ledger.committed_on(venue))),
        )?;
    }
    Ok(())
}

/// What may be tied up in one place: a share of the bankroll, which is equity and never below zero.
pub(super) fn position_limit(equity: Usd, share: Bps) -> Option<Usd> {
    equity.max(Usd::ZERO).share(share, Rounding::Down)
}

fn over(reason: Reason, share: Bps, limit: Usd, would_be: Option<Usd>) -> Result<(), Rejection> {
    let would_be = would_be.ok_or_else(overflow)?;
    if would_be > limit {
        return deny(
            reason,
            format!("{limit} USD ({} of equity)", percent(share)),
            format!("{would_be} USD with this order"),
        );
    }
    Ok(())
}

pub(super) fn total<'a>(legs: impl Iterator<Item = &'a LegPlan>) -> Option<Usd> {
    let mut sum = Usd::ZERO;
    for leg in legs {
        sum = sum.checked_add(leg.reserve)?;
    }
    Some(sum)
}

fn best(book: &OrderBook, buy: bool) -> Option<Price> {
    let best = if buy {
        book.best_ask()
    } else {
        book.best_bid()
    };
    best.map(|(price, _)| price)
}

pub(super) fn percent(share: Bps) -> String {
    let sign = if share.0 < 0 { "-" } else { "" };
    let bps = share.0.unsigned_abs();
    format!("{sign}{}.{:02} %", bps / 100, bps % 100)
}

/// What neither the market nor the rulebook says is not guessed.
fn unknown_rule<T>(what: &str) -> Result<T, Rejection> {
    deny(
        Reason::UnknownRule,
        format!("a known {what}"),
        "stated neither by the market nor by a rule for that day".to_owned(),
    )
}

pub(super) fn deny<T>(reason: Reason, limit: String, observed: String) -> Result<T, Rejection> {
    Err(Rejection {
        reason,
        limit,
        observed,
    })
}

pub(super) fn overflow() -> Rejection {
    Rejection {
        reason: Reason::RiskError,
        limit: "a computation that fits".to_owned(),
        observed: "an overflow".to_owned(),
    }
}
