//! How much of each limit is used: what the checks would compute now, for people to look at.
//!
//! The arithmetic is that of the checks, called and not copied; it changes nothing and decides nothing.

use super::checks::position_limit;
use super::{RiskGuardian, is_recent, rate_limit};
use crate::allocator::CapitalAllocator;
use crate::capabilities::Capabilities;
use crate::config::EngineConfig;
use crate::ids::{MarketId, StrategyId, Timestamp, Venue};
use crate::ledger::Ledger;
use crate::units::{Bps, Rounding, Usd};

/// A loss against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// What it is measured from.
    pub from: Usd,
    /// Lost since; below zero for a gain.
    pub lost: Usd,
    /// A loss of this much halts.
    pub limit: Usd,
    /// As a share of `from`.
    pub share: Bps,
}

impl Loss {
    /// At this equity; `None` when it does not fit.
    #[must_use]
    pub fn of(from: Usd, equity: Usd, share: Bps) -> Option<Self> {
        Some(Self {
            from,
            lost: from.checked_sub(equity)?,
            limit: from.max(Usd::ZERO).share(share, Rounding::Down)?,
            share,
        })
    }

    /// Whether trading stops.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.lost > Usd::ZERO && self.lost >= self.limit
    }
}

/// What is tied up in one place: orders in flight and at rest, and positions at cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceUse<K> {
    /// Where.
    pub place: K,
    /// How much.
    pub used: Usd,
}

/// What one strategy uses of what it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrategyUse {
    /// Whose.
    pub strategy: StrategyId,
    /// Its share of equity.
    pub share: Bps,
    /// What that is in money.
    pub capital: Usd,
    /// Tied up.
    pub committed: Usd,
    /// What it may still tie up: never more than the cash.
    pub free: Usd,
    /// Its intents within the last second.
    pub intents: u64,
    /// So many it may have: the common limit, or its grant where that is less.
    pub intents_limit: u32,
    /// Whether it is its grant.
    pub intents_granted: bool,
}

/// Every limit that fills up, with its present use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsInUse {
    /// As of then.
    pub now: Timestamp,
    /// What shares are shares of.
    pub equity: Usd,
    /// Free.
    pub cash: Usd,
    /// Since midnight UTC.
    pub day: Option<Loss>,
    /// Since equity was highest.
    pub drawdown: Option<Loss>,
    /// May be tied up in one market.
    pub market_limit: Option<Usd>,
    /// Where something is, most first.
    pub markets: Vec<PlaceUse<MarketId>>,
    /// May be tied up on one venue.
    pub venue_limit: Option<Usd>,
    /// Every venue.
    pub venues: Vec<PlaceUse<Venue>>,
    /// In the order asked for.
    pub strategies: Vec<StrategyUse>,
}

/// What a look rests on: that of a judgement, less the wish.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) now: Timestamp,
    pub(crate) equity: Usd,
    pub(crate) config: &'a EngineConfig,
    pub(crate) ledger: &'a Ledger,
    pub(crate) allocator: &'a CapitalAllocator,
}

impl RiskGuardian {
    /// Every limit with its use.
    pub(crate) fn in_use<'a>(
        &self,
        look: Look<'_>,
        strategies: impl Iterator<Item = (StrategyId, &'a Capabilities)>,
    ) -> LimitsInUse {
        let (limits, equity, ledger) = (&look.config.risk, look.equity, look.ledger);
        let mut markets: Vec<_> = ledger
            .committed_by_market()
            .map(|(place, used)| PlaceUse { place, used })
            .collect();
        markets.sort_by_key(|place| (core::cmp::Reverse(place.used), place.place));
        LimitsInUse {
            now: look.now,
            equity,
            cash: ledger.cash(),
            day: Loss::of(self.day_start, equity, limits.daily_loss),
            drawdown: Loss::of(self.high_water, equity, limits.drawdown),
            market_limit: position_limit(equity, limits.position_per_market),
            markets,
            venue_limit: position_limit(equity, limits.position_per_venue),
            venues: Venue::ALL
                .into_iter()
                .map(|place| PlaceUse {
                    place,
                    used: ledger.committed_on(place),
                })
                .collect(),
            strategies: strategies
                .map(|(id, may)| self.strategy(look, id, may))
                .collect(),
        }
    }

    fn strategy(&self, look: Look<'_>, strategy: StrategyId, may: &Capabilities) -> StrategyUse {
        let (intents_limit, intents_granted) = rate_limit(&look.config.risk, Some(may));
        let rules = &look.config.allocation;
        let (allocator, equity) = (look.allocator, look.equity);
        let recent = self.rates.get(&strategy).into_iter().flatten();
        let recent = recent.filter(|at| is_recent(**at, look.now)).count();
        StrategyUse {
            strategy,
            share: allocator.share(strategy, rules),
            // What does not fit denies every order: nothing is free.
            capital: allocator
                .capital(strategy, equity, rules)
                .unwrap_or_default(),
            committed: look.ledger.committed_by(strategy),
            free: allocator
                .free(strategy, equity, look.ledger, rules)
                .unwrap_or_default(),
            intents: u64::try_from(recent).unwrap_or(u64::MAX),
            intents_limit,
            intents_granted,
        }
    }
}
