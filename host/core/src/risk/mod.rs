//! The risk guardian: nothing trades that it has not approved, and it denies by default.
//!
//! [`RiskGuardian::judge`] is a function of the facts handed to it; [`Approved`] can be made nowhere
//! else. Checks run in this order and the first that fails names the reason:
//!
//! 1. `HALTED`, `STRATEGY_QUARANTINED`, `RATE_LIMIT`
//! 2. the order itself: `INVALID_ORDER`, `NOT_GRANTED`, `MAX_ORDER_VALUE` of the grant, then leg by leg `PRICE_OUT_OF_RANGE`, `OFF_TICK`, `OFF_LOT`,
//!    `BELOW_MINIMUM`, `UNKNOWN_FEE`, `MAX_ORDER_VALUE`
//! 3. its markets: `MARKET_CLOSED`, `NEAR_EXPIRY`, the book's own reasons, `PRICE_COLLAR`, `STALE_ORACLE`
//! 4. the idea: `EDGE_IMPLAUSIBLE`, `MIN_PROFIT`, `SLIPPAGE`, `DUPLICATE`
//! 5. the money: `NO_POSITION`, `DAILY_LOSS`, `DRAWDOWN`, `CAPITAL`, `POS_LIMIT_MARKET`, `POS_LIMIT_VENUE`
//!
//! An overflow anywhere is `RISK_ERROR`. Selling what is held lowers risk, so a sale is asked for no
//! profit (`MIN_PROFIT`, `SLIPPAGE`) and no capital; everything else applies to it too.

mod checks;
mod usage;

pub(crate) use usage::Look;
pub use usage::{LimitsInUse, Loss, PlaceUse, StrategyUse};

use crate::allocator::CapitalAllocator;
use crate::book::OrderBook;
use crate::capabilities::Capabilities;
use crate::config::{EngineConfig, RiskLimits};
use crate::effect::Rejection;
use crate::engine::Outside;
use crate::ids::{InstrumentId, IntentId, MarketId, Nanos, OpportunityId, StrategyId, Timestamp};
use crate::latency::Latencies;
use crate::ledger::Ledger;
use crate::market::{MarketSpec, MarketStatus};
use crate::opportunity::{Opportunity, OpportunityKind};
use crate::oracle::Reading;
use crate::order::{LegPlan, OrderPlan};
use crate::reason::Reason;
use crate::strategy::Intent;
use crate::units::{Bps, Qty, Usd};
use checks::{Leg, deny, overflow, percent};
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
    /// What of it is beyond what the strategy may.
    pub outside: Option<Outside<'a>>,
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
    /// What the strategy may; a strategy that is not known may nothing, and is quarantined.
    pub may: Option<&'a Capabilities>,
    /// The limits.
    pub config: &'a EngineConfig,
    /// The money.
    pub ledger: &'a Ledger,
    /// The shares.
    pub allocator: &'a CapitalAllocator,
    /// Worth of everything, marked.
    pub equity: Usd,
    /// What was measured of the ways to the venues.
    pub latencies: &'a Latencies,
}

/// Whether an intent of then counts toward the rate now.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.since(at) < RATE_WINDOW
}

type Duplicate = (OpportunityId, InstrumentId, StrategyId, bool);

/// Intents a second of a strategy that may this, and whether its grant is what limits them.
fn rate_limit(limits: &RiskLimits, may: Option<&Capabilities>) -> (u32, bool) {
    let common = limits.intents_per_second;
    let own = may.and_then(|may| may.intents_per_second);
    own.filter(|own| *own < common)
        .map_or((common, false), |own| (own, true))
}

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

    /// The highest equity since trading began or was last resumed.
    #[must_use]
    pub fn high_water(&self) -> Usd {
        self.high_water
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
        let Some(loss) = Loss::of(from, equity, share) else {
            return Some(overflow());
        };
        loss.is_reached().then(|| Rejection {
            reason,
            limit: format!("{} USD ({} of {from} USD)", loss.limit, percent(share)),
            observed: format!("{} USD lost", loss.lost),
        })
    }

    /// Approves or denies. Approval counts toward rate and duplicates; the caller reserves the money
    /// in the same step.
    pub fn judge(
        &mut self,
        wish: &Wish<'_>,
        scene: &Scene<'_>,
    ) -> Result<Approved<OrderPlan>, Rejection> {
        checks::may_trade(scene)?;
        self.rate(wish.strategy, scene)?;
        let legs = checks::known_legs(wish)?;
        checks::granted(wish, &legs, scene)?;
        let mut plan = Vec::with_capacity(legs.len());
        for (leg, facts) in &legs {
            plan.push(checks::order_of(wish, leg, facts, scene)?);
        }
        for (leg, facts) in &legs {
            checks::market(wish, leg, facts, scene)?;
        }
        checks::idea(wish, &legs, scene)?;
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
            time_in_force: wish.intent.time_in_force,
            expected_edge: wish.intent.expected_edge,
            decided_at: scene.now,
            legs: plan,
        }))
    }

    fn rate(&mut self, strategy: StrategyId, scene: &Scene<'_>) -> Result<(), Rejection> {
        let (limit, granted) = rate_limit(&scene.config.risk, scene.may);
        let whose = if granted {
            ", the grant of this strategy"
        } else {
            ""
        };
        let times = self.rates.entry(strategy).or_default();
        while times.front().is_some_and(|at| !is_recent(*at, scene.now)) {
            times.pop_front();
        }
        if times.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return deny(
                Reason::RateLimit,
                format!("{limit} intents a second{whose}"),
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
        let wanted = checks::total(plan.iter()).ok_or_else(overflow)?;
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
        checks::positions(plan, scene)
    }
}
