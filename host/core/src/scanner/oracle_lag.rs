//! Oracle lag: an outcome is offered for less than its oracle says it is worth.
//!
//! The value is the settlement source's own or its stand-in's, whichever leaves less uncertainty at
//! the close: time since the tick counts as time to go, and a stand-in costs the variance of its
//! basis. Fair values change only with oracle ticks, so a quote finds them computed.
//!
//! Where the source's strike was never seen (its relay missed the opening second, or this program
//! came later), the stand-in answers alone: both its spot and its own value of the opening. A constant
//! basis cancels in their ratio, and what is left is its change within the window, whose variance is
//! added. The source's spot is never put against the stand-in's strike, and settlement never sees it.

use super::{Edge, Found, Scanner, Seen, View, leg};
use crate::fair_value::{self, Accrued, Rate, TwapTerms, Variance};
use crate::ids::{MarketId, Nanos, OracleId, Timestamp};
use crate::market::SettlementRule;
use crate::market_data::MarketState;
use crate::opportunity::Opportunity;
use crate::oracle::{OracleState, Reading};
use crate::reason::Reason;
use crate::units::{Bps, Price, SpotPrice, Usd};
use std::collections::BTreeMap;

/// Fair values of the trading markets.
#[derive(Debug, Default)]
pub(super) struct FairValues {
    by_market: BTreeMap<MarketId, Cached>,
}

/// A fair value and what it was computed from.
#[derive(Debug, Clone, Copy)]
struct Cached {
    from: Inputs,
    /// The probability of outcome 0, and the instant of the value it rests on.
    fair: Result<(Price, Timestamp), Reason>,
}

/// A fair value stays as it is while all of these do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inputs {
    strike: Strike,
    closes_at: Timestamp,
    source: OracleId,
    source_ticks: u64,
    proxy_ticks: u64,
    source_fresh: bool,
    proxy_fresh: bool,
}

/// The price to beat, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strike {
    /// The settlement source's.
    Source(SpotPrice),
    /// The stand-in's: only its own values compare with it.
    Proxy(SpotPrice),
}

impl Strike {
    fn of(market: &MarketState) -> Result<Self, Reason> {
        let own = market.strike.map(Self::Source);
        own.or(market.proxy_strike.map(Self::Proxy))
            .ok_or(Reason::NoStrike)
    }
}

impl FairValues {
    /// Forgets markets that have closed.
    pub(super) fn forget(&mut self, closed: &[MarketId]) {
        for market in closed {
            self.by_market.remove(market);
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.by_market.clear();
    }
}

/// A live value of a market's settlement source, its own or a stand-in's.
#[derive(Debug, Clone, Copy)]
struct Live<'a> {
    from: &'a OracleState,
    spot: SpotPrice,
    source_time: Timestamp,
    basis: Variance,
}

impl Scanner {
    /// Compares both outcomes of a market with its fair value.
    pub(super) fn oracle_lag(
        &mut self,
        view: View<'_>,
        market: &MarketState,
        out: &mut Vec<Opportunity>,
    ) {
        let Some(source) = market.spec.settlement.oracle() else {
            return;
        };
        let [yes, no] = market.spec.outcomes.as_slice() else {
            return;
        };
        let fair = self.fair(view, market, source);
        for (i, outcome) in [yes, no].into_iter().enumerate() {
            let found = fair.and_then(|(first, age)| {
                let fair = if i == 0 { first } else { first.complement() };
                let book = view.data.book(outcome.instrument).ok_or(Reason::NoBook)?;
                // Nearly every look ends here: no fee is worth computing without a difference.
                if let Some((ask, _)) = book.best_ask()
                    && fair.0.saturating_sub(ask.0) < self.config.edge_min.0
                {
                    return Ok(Found::Nothing);
                }
                let leg = leg(view, market, outcome.instrument, Some(fair))?;
                let gross = Usd(fair.0).checked_sub(Usd(leg.price.0));
                let edge = gross.and_then(|g| g.checked_sub(leg.fee));
                self.legs.clear();
                self.legs.push(leg);
                Ok(Found::Edge(Seen {
                    relation: None,
                    edge: edge.ok_or(Reason::RiskError)?,
                    qty: leg.qty,
                    closes_at: market.spec.closes_at,
                    oracle_age: age,
                }))
            });
            self.conclude(view, Edge::Lag(outcome.instrument), found, out);
        }
    }

    /// The probability of outcome 0, and the age of the value it rests on.
    fn fair(
        &mut self,
        view: View<'_>,
        market: &MarketState,
        source: OracleId,
    ) -> Result<(Price, Nanos), Reason> {
        if !market.is_open() {
            return Err(Reason::MarketClosed);
        }
        let strike = Strike::of(market)?;
        let source = view.data.oracle(source).ok_or(Reason::StaleOracle)?;
        let proxy = source.spec().proxy.and_then(|p| view.data.oracle(p));
        let fresh = |oracle: &OracleState| {
            let reading = oracle.reading(view.now, view.limits.oracle_age_max);
            matches!(reading, Reading::Fresh { .. })
        };
        let from = Inputs {
            strike,
            closes_at: market.spec.closes_at,
            source: source.id(),
            source_ticks: source.ticks(),
            proxy_ticks: proxy.map_or(0, OracleState::ticks),
            source_fresh: fresh(source),
            proxy_fresh: proxy.is_some_and(fresh),
        };
        let known = self.fair.by_market.get(&market.spec.id);
        let fair = match known.filter(|c| c.from == from) {
            Some(cached) => cached.fair,
            None => {
                let fair = compute(&from, market, source, proxy, self.config.volatility_prior);
                let cached = Cached { from, fair };
                self.fair.by_market.insert(market.spec.id, cached);
                fair
            }
        };
        fair.map(|(p, source_time)| (p, view.now.since(source_time)))
    }
}

fn compute(
    from: &Inputs,
    market: &MarketState,
    source: &OracleState,
    proxy: Option<&OracleState>,
    prior: Bps,
) -> Result<(Price, Timestamp), Reason> {
    let volatility = proxy.map_or(&source.volatility, |p| {
        source.volatility.or_longer(&p.volatility)
    });
    let rate = volatility.rate(prior);
    let own = source.last().filter(|_| from.source_fresh);
    let own = own.map(|tick| Live {
        from: source,
        spot: tick.price,
        source_time: tick.source_time,
        basis: Variance::ZERO,
    });
    let other = proxy.filter(|_| from.proxy_fresh);
    let other = other.and_then(|proxy| {
        let tick = proxy.last()?;
        let (spot, basis) = match from.strike {
            Strike::Source(_) => (source.basis.correct(tick.price)?, source.basis.variance()),
            Strike::Proxy(_) => (tick.price, source.basis.change_variance()),
        };
        Some(Live {
            from: proxy,
            spot,
            source_time: tick.source_time,
            basis,
        })
    });
    let (live, strike, means) = match from.strike {
        Strike::Source(strike) => (choose(own, other, rate), strike, Some(source)),
        Strike::Proxy(strike) => (other, strike, proxy),
    };
    let (live, means) = live.zip(means).ok_or(Reason::StaleOracle)?;
    let tau = market.spec.closes_at.since(live.source_time);
    let p = match market.spec.settlement {
        SettlementRule::VenueOnly
        | SettlementRule::Touch { .. }
        | SettlementRule::MeanAbove { .. } => None,
        SettlementRule::UpDown { .. }
        | SettlementRule::Above { .. }
        | SettlementRule::Candle { .. } => {
            let variance = rate.over(tau).plus(live.basis);
            fair_value::digital(live.spot, strike, variance)
        }
        SettlementRule::UpDownTwap { lookback_secs, .. } => {
            let lookback = Nanos::from_ms(u64::from(lookback_secs).saturating_mul(1_000));
            let terms = TwapTerms {
                tau,
                lookback,
                rate,
                basis: live.basis,
            };
            let accrued = accrued(market.spec.closes_at, lookback, means, &live);
            fair_value::twap(live.spot, strike, accrued, terms)
        }
    };
    Ok((p.ok_or(Reason::RiskError)?, live.source_time))
}

/// The value that leaves less uncertainty: a newer one of a stand-in is worth its basis only if the
/// settlement source may have moved more since its own.
fn choose<'a>(own: Option<Live<'a>>, other: Option<Live<'a>>, rate: Rate) -> Option<Live<'a>> {
    match (own, other) {
        (Some(own), Some(other)) => {
            let behind = other.source_time.since(own.source_time);
            let better = rate.over(behind) > other.basis;
            Some(if better { other } else { own })
        }
        (own, other) => own.or(other),
    }
}

/// The known part of a mean that ends at the close, from the source it is compared on where its ticks
/// leave no hole, otherwise from the stand-in.
fn accrued(
    closes_at: Timestamp,
    lookback: Nanos,
    source: &OracleState,
    live: &Live<'_>,
) -> Option<Accrued> {
    let start = Timestamp(closes_at.0.checked_sub(lookback.0)?);
    if live.source_time.secs() <= start.secs() {
        return Some(Accrued { mean: live.spot });
    }
    let own = source.mean(start, live.source_time);
    let mean = own.or_else(|| {
        let theirs = live.from.mean(start, live.source_time)?;
        if live.from.id() == source.id() {
            return Some(theirs);
        }
        source.basis.correct(theirs)
    });
    mean.map(|mean| Accrued { mean })
}
