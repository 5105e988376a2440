//! The risk guardian: nothing trades that it has not approved, and it denies by default.
//!
//! [`RiskGuardian::judge`] is a function of the facts handed to it; [`Approved`] can be made nowhere
//! else. Checks run in this order and the first that fails names the reason:
//!
//! 1. `HALTED`, `STRATEGY_QUARANTINED`, `RATE_LIMIT`
//! 2. the order itself: `INVALID_ORDER`, then leg by leg `PRICE_OUT_OF_RANGE`, `OFF_TICK`, `OFF_LOT`,
//!    `BELOW_MINIMUM`, `UNKNOWN_FEE`, `MAX_ORDER_VALUE`
//! 3. its markets: `MARKET_CLOSED`, `NEAR_EXPIRY`, the book's own reasons, `PRICE_COLLAR`, `STALE_ORACLE`
//! 4. the idea: `EDGE_IMPLAUSIBLE`, `MIN_PROFIT`, `SLIPPAGE`, `DUPLICATE`
//! 5. the money: `NO_POSITION`, `DAILY_LOSS`, `DRAWDOWN`, `CAPITAL`, `POS_LIMIT_MARKET`, `POS_LIMIT_VENUE`
//!
//! An overflow anywhere is `RISK_ERROR`. Selling what is held lowers risk, so a sale is asked for no
//! profit (`MIN_PROFIT`, `SLIPPAGE`) and no capital; everything else applies to it too.

use crate::allocator::CapitalAllocator;
use crate::book::OrderBook;
use crate::config::EngineConfig;
use crate::effect::Rejection;
use crate::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, StrategyId, Timestamp, Venue,
};
use crate::ledger::{Holding, Ledger};
use crate::market::{MarketSpec, MarketStatus};
use crate::opportunity::{Opportunity, OpportunityKind};
use crate::oracle::Reading;
use crate::order::{LegPlan, OrderPlan};
use crate::paper::worst_cost;
use crate::reason::Reason;
use crate::strategy::{Intent, IntentLeg, MAX_LEGS};
use crate::units::{Bps, Price, Qty, Rounding, Usd};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The window of the rate limit.
const RATE_WINDOW: Nanos = Nanos::from_ms(1_000);
/// Nanoseconds of a UTC day.
const DAY: u64 = 86_400 * 1_000_000_000;

/// Proof that risk approved: only [`RiskGuardian::judge`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> core::ops::Deref for Approved<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What is known of the market of one leg.
#[derive(Debug, Clone, Copy)]
pub struct LegFacts<'a> {
    /// Its specification.
    pub spec: &'a MarketSpec,
    /// Whether it trades.
    pub status: MarketStatus,
    /// Its book.
    pub book: Option<&'a OrderBook>,
    /// The oracle that moves it, or the one that stands in for it; `None` when nothing does.
    pub oracle: Option<Reading>,
    /// Shares the strategy holds and has not already sent to market.
    pub sellable: Qty,
}

/// A strategy's wish with its number.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Its number.
    pub id: IntentId,
    /// Who.
    pub strategy: StrategyId,
    /// What.
    pub intent: &'a Intent,
    /// Acted on; derived for an idea of the strategy's own.
    pub opportunity: OpportunityId,
    /// The opportunity as last seen, when the intent names one that is known.
    pub seen: Option<&'a Opportunity>,
    /// Facts of each leg, in the intent's order; `None` for an instrument that nobody listed.
    pub legs: &'a [Option<LegFacts<'a>>],
}

impl Wish<'_> {
    /// Its family.
    #[must_use]
    pub fn kind(&self) -> OpportunityKind {
        self.seen.map_or(OpportunityKind::Signal, |seen| seen.kind)
    }
}

/// Everything else a judgement rests on.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// Now.
    pub now: Timestamp,
    /// Why the pilot is halted, when it is.
    pub halted: Option<&'a str>,
    /// Whether the strategy is stopped.
    pub quarantined: bool,
    /// The limits.
    pub config: &'a EngineConfig,
    /// The money.
    pub ledger: &'a Ledger,
    /// The shares.
    pub allocator: &'a CapitalAllocator,
    /// Worth of everything, marked.
    pub equity: Usd,
}

type Duplicate = (OpportunityId, InstrumentId, StrategyId, bool);

/// Remembers what limits over time need: rates, duplicates, the day's start, the high-water mark.
#[derive(Debug, Clone, Default)]
pub struct RiskGuardian {
    /// Times of each strategy's intents within the last second: at most the limit of them.
    rates: BTreeMap<StrategyId, VecDeque<Timestamp>>,
    /// Approved legs, until their market is over.
    approved: BTreeMap<MarketId, BTreeSet<Duplicate>>,
    day: Option<u64>,
    day_start: Usd,
    high_water: Usd,
}

impl RiskGuardian {
    /// Takes note of equity: the first look of a UTC day is that day's start, the highest ever the mark.
    pub fn observe(&mut self, now: Timestamp, equity: Usd) {
        let day = Some(now.0 / DAY);
        if self.day != day {
            self.day = day;
            self.day_start = equity;
        }
        self.high_water = self.high_water.max(equity);
    }

    /// The next moment at which [`Self::observe`] starts a new day; never, before the first.
    #[must_use]
    pub fn next_day(&self) -> Timestamp {
        self.day.map_or(Timestamp(u64::MAX), |day| {
            Timestamp(day.saturating_add(1).saturating_mul(DAY))
        })
    }

    /// An operator resumed trading: the drawdown so far is accepted and measured anew from here.
    /// The day's loss is not: its limit holds until midnight UTC.
    pub fn accept_drawdown(&mut self, equity: Usd) {
        self.high_water = equity;
    }

    /// A market is over: nothing of it can be traded twice any more.
    pub fn forget(&mut self, market: MarketId) {
        self.approved.remove(&market);
    }

    /// A limit on losses that is reached at this equity. Reaching one halts the pilot.
    #[must_use]
    pub fn loss_limit(&self, equity: Usd, config: &EngineConfig) -> Option<Rejection> {
        let limits = &config.risk;
        self.loss(Reason::DailyLoss, self.day_start, equity, limits.daily_loss)
            .or_else(|| self.loss(Reason::Drawdown, self.high_water, equity, limits.drawdown))
    }

    fn loss(&self, reason: Reason, from: Usd, equity: Usd, share: Bps) -> Option<Rejection> {
        let (Some(loss), Some(limit)) = (
            from.checked_sub(equity),
            from.max(Usd::ZERO).share(share, Rounding::Down),
        ) else {
            return Some(overflow());
        };
        (loss > Usd::ZERO && loss >= limit).then(|| Rejection {
            reason,
            limit: format!("{limit} USD ({} of {from} USD)", percent(share)),
            observed: format!("{loss} USD lost"),
        })
    }

    /// Approves or denies. Approval counts toward rate and duplicates; the caller reserves the money
    /// in the same step.
    pub fn judge(
        &mut self,
        wish: &Wish<'_>,
        scene: &Scene<'_>,
    ) -> Result<Approved<OrderPlan>, Rejection> {
        may_trade(scene)?;
        self.rate(wish.strategy, scene)?;
        let legs = known_legs(wish)?;
        let mut plan = Vec::with_capacity(legs.len());
        for (leg, facts) in &legs {
            plan.push(order_of(wish, leg, facts, scene)?);
        }
        for (leg, facts) in &legs {
            market(wish, leg, facts, scene)?;
        }
        idea(wish, &legs, scene)?;
        self.duplicate(wish, &legs)?;
        self.money(wish, &legs, &plan, scene)?;
        if wish.seen.is_some() {
            for (leg, facts) in &legs {
                let keys = self.approved.entry(facts.spec.id).or_default();
                keys.insert((wish.opportunity, leg.instrument, wish.strategy, leg.buy));
            }
        }
        Ok(Approved(OrderPlan {
            intent: wish.id,
            strategy: wish.strategy,
            opportunity: wish.opportunity,
            kind: wish.kind(),
            tag: wish.intent.tag,
            qty: wish.intent.qty,
            fill_or_kill: wish.intent.fill_or_kill,
            expected_edge: wish.intent.expected_edge,
            decided_at: scene.now,
            legs: plan,
        }))
    }

    fn rate(&mut self, strategy: StrategyId, scene: &Scene<'_>) -> Result<(), Rejection> {
        let limit = scene.config.risk.intents_per_second;
        let times = self.rates.entry(strategy).or_default();
        while times
            .front()
            .is_some_and(|at| scene.now.since(*at) >= RATE_WINDOW)
        {
            times.pop_front();
        }
        if times.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return deny(
                Reason::RateLimit,
                format!("{limit} intents a second"),
                format!("{} in the last second", times.len()),
            );
        }
        times.push_back(scene.now);
        Ok(())
    }

    fn duplicate(&self, wish: &Wish<'_>, legs: &[Leg<'_>]) -> Result<(), Rejection> {
        for (leg, facts) in legs {
            let key = (wish.opportunity, leg.instrument, wish.strategy, leg.buy);
            if self
                .approved
                .get(&facts.spec.id)
                .is_some_and(|keys| keys.contains(&key))
            {
                return deny(
                    Reason::Duplicate,
                    "one order for an opportunity, instrument and side".to_owned(),
                    format!("opportunity {} was traded before", wish.opportunity),
                );
            }
        }
        Ok(())
    }

    fn money(
        &self,
        wish: &Wish<'_>,
        legs: &[Leg<'_>],
        plan: &[LegPlan],
        scene: &Scene<'_>,
    ) -> Result<(), Rejection> {
        for (leg, facts) in legs {
            if !leg.buy && facts.sellable < wish.intent.qty {
                return deny(
                    Reason::NoPosition,
                    format!("{} shares held and not already for sale", facts.sellable),
                    format!("{} shares to sell", wish.intent.qty),
                );
            }
        }
        if let Some(rejection) = self.loss_limit(scene.equity, scene.config) {
            return Err(rejection);
        }
        if !plan.iter().any(|leg| leg.buy) {
            return Ok(());
        }
        let wanted = total(plan.iter()).ok_or_else(overflow)?;
        let free = scene
            .allocator
            .free(
                wish.strategy,
                scene.equity,
                scene.ledger,
                &scene.config.allocation,
            )
            .ok_or_else(overflow)?;
        if wanted > free {
            let share = scene
                .allocator
                .share(wish.strategy, &scene.config.allocation);
            return deny(
                Reason::Capital,
                format!("{free} USD free of a share of {}", percent(share)),
                format!("{wanted} USD with fees"),
            );
        }
        positions(plan, scene)
    }
}

/// A wished leg with its market's facts.
type Leg<'a> = (IntentLeg, LegFacts<'a>);

fn may_trade(scene: &Scene<'_>) -> Result<(), Rejection> {
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
fn known_legs<'a>(wish: &Wish<'a>) -> Result<Vec<Leg<'a>>, Rejection> {
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

/// The leg as an order the venue would take.
fn order_of(
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
    let tick = facts.book.map_or(spec.tick, OrderBook::tick);
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
    if qty < spec.min_qty {
        return deny(
            Reason::BelowMinimum,
            format!("{} shares", spec.min_qty),
            format!("{qty} shares"),
        );
    }
    if spec.fee.fee(leg.limit, Qty::ZERO).is_none() {
        return deny(
            Reason::UnknownFee,
            "a known fee schedule".to_owned(),
            "unknown".to_owned(),
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
    let reserve = if leg.buy {
        worst_cost(spec.fee, leg.limit, qty).ok_or_else(overflow)?
    } else {
        Usd::ZERO
    };
    let travel = scene.config.execution.own_latency;
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
        due: scene.now.plus(travel).plus(spec.taker_delay),
    })
}

/// Whether the market takes such an order now.
fn market(
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
fn idea(wish: &Wish<'_>, legs: &[Leg<'_>], scene: &Scene<'_>) -> Result<(), Rejection> {
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
fn positions(plan: &[LegPlan], scene: &Scene<'_>) -> Result<(), Rejection> {
    let limits = &scene.config.risk;
    let bankroll = scene.equity.max(Usd::ZERO);
    let limit = |share| bankroll.share(share, Rounding::Down).ok_or_else(overflow);
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

fn total<'a>(legs: impl Iterator<Item = &'a LegPlan>) -> Option<Usd> {
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

fn percent(share: Bps) -> String {
    let sign = if share.0 < 0 { "-" } else { "" };
    let bps = share.0.unsigned_abs();
    format!("{sign}{}.{:02} %", bps / 100, bps % 100)
}

fn deny<T>(reason: Reason, limit: String, observed: String) -> Result<T, Rejection> {
    Err(Rejection {
        reason,
        limit,
        observed,
    })
}

fn overflow() -> Rejection {
    Rejection {
        reason: Reason::RiskError,
        limit: "a computation that fits".to_owned(),
        observed: "an overflow".to_owned(),
    }
}
