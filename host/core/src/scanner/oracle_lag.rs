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
//!
//! What is reported is the model and the middle of the outcome's own book, blended in log-odds: the book
//! knows things an oracle does not. That makes edges smaller, honestly. The edge is what is left after
//! the fee and the haircut for the model's own calibration error (see [`crate::fair_value`]). [`Scanner::offer`]
//! shows the same judgement of one ask to whoever wants to see it.

use super::{Edge, Found, ScanLimits, Scanner, Seen, View, leg};
use crate::book::OrderBook;
use crate::config::ScannerConfig;
use crate::fair_value::{
    self, Accrued, Calibration, Distance, Forecast, Opinion, Rate, TimeLeft, TwapTerms, Variance,
};
use crate::ids::{MarketId, Nanos, OracleId, Timestamp};
use crate::market::SettlementRule;
use crate::market_data::{MarketData, MarketState};
use crate::opportunity::{Opportunity, OpportunityLeg};
use crate::oracle::{OracleState, Reading};
use crate::reason::Reason;
use crate::units::{Price, SpotPrice, Usd};
use std::collections::BTreeMap;

/// A book whose sides are further apart has no middle worth knowing: ten cents.
const BOOK_WIDTH_MAX: i64 = 100_000;

/// Fair values of the trading markets.
#[derive(Debug, Default)]
pub(super) struct FairValues {
    by_market: BTreeMap<MarketId, Cached>,
}

/// A fair value and what it was computed from.
#[derive(Debug, Clone, Copy)]
struct Cached {
    from: Inputs,
    fair: Result<Fair, Reason>,
}

/// What the oracle says of outcome 0.
#[derive(Debug, Clone, Copy)]
struct Fair {
    distance: Distance,
    /// The probability the model gives it.
    model: Price,
    /// The value it rests on, and the instant of that.
    spot: SpotPrice,
    source_time: Timestamp,
}

/// What could be said of outcome 0 of a market at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// By the plain digital: normal returns, nothing learnt.
    pub digital: Price,
    /// By the model, with the tails that earlier outcomes taught.
    pub model: Price,
    /// By the middle of its book, when that had two sides.
    pub book: Option<Price>,
    /// By model and book together: what an opportunity would have named.
    pub fair: Price,
    /// Age of the oracle's value.
    pub oracle_age: Nanos,
}

/// What buying one share of an outcome at its ask is worth, by the oracle and the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// The probability by model and book together.
    pub fair: Price,
    /// The model's own probability less the price and the fee: what must be believable.
    pub unblended: Usd,
    /// What is taken off for the model's calibration error.
    pub haircut: Usd,
    /// What is left: the fair value less price, fee and haircut.
    pub edge: Usd,
}

impl Worth {
    fn of(
        calibration: &Calibration,
        left: TimeLeft,
        model: Price,
        middle: Option<Price>,
        leg: &OpportunityLeg,
    ) -> Option<Self> {
        let fair = middle.map_or(model, |book| calibration.blend(model, book));
        let after_fee = |p: Price| {
            let gross = Usd(p.0).checked_sub(Usd(leg.price.0))?;
            gross.checked_sub(leg.fee)
        };
        let haircut = calibration.haircut(left);
        Some(Self {
            fair,
            unblended: after_fee(model)?,
            haircut,
            edge: after_fee(fair)?.checked_sub(haircut)?,
        })
    }

    /// A quote too good to be true is not made believable by blending it in.
    fn believable(self, limits: ScanLimits) -> Result<(), Reason> {
        if self.unblended > limits.edge_max {
            return Err(Reason::EdgeImplausible);
        }
        Ok(())
    }
}

/// One ask as the scanner judges it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// By the plain digital: normal returns, nothing learnt.
    pub digital: Price,
    /// By the model.
    pub model: Price,
    /// The middle of the outcome's own book, when that had one.
    pub middle: Option<Price>,
    /// What could be bought, and for what fee.
    pub leg: OpportunityLeg,
    /// What one share of it is worth.
    pub worth: Worth,
    /// Whether it is an opportunity; when it is none for another reason than that too little is left,
    /// that reason.
    pub verdict: Result<bool, Reason>,
    /// What the laws of the model say, one by one.
    pub opinions: Vec<Opinion>,
    /// What the spot is compared with.
    pub strike: SpotPrice,
    /// The value that it rests on.
    pub spot: SpotPrice,
    /// Age of that value.
    pub oracle_age: Nanos,
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
    /// How many outcomes had taught something.
    lessons: u64,
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
        let own = match market.spec.settlement {
            SettlementRule::Touch { barrier, .. } => Some(barrier),
            SettlementRule::MeanAbove { strike, .. } => strike.or(market.strike),
            _ => market.strike,
        };
        own.map(Self::Source)
            .or(market.proxy_strike.map(Self::Proxy))
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
        let left = TimeLeft::of(market.spec.closes_at.since(view.now));
        for (i, outcome) in [yes, no].into_iter().enumerate() {
            let found = fair.and_then(|fair| {
                let model = if i == 0 {
                    fair.model
                } else {
                    fair.model.complement()
                };
                let book = view.data.book(outcome.instrument).ok_or(Reason::NoBook)?;
                // Nearly every look ends here: a blend lies between the model and the middle, which is
                // below the ask, and no fee is worth computing without a difference.
                if let Some((ask, _)) = book.best_ask()
                    && model.0.saturating_sub(ask.0) < self.config.edge_min.0
                {
                    let gross = Usd(model.0.saturating_sub(ask.0));
                    return Ok(Found::Nothing(Some(gross)));
                }
                let middle = middle(book, view.now, view.limits);
                let mut leg = leg(view, market, outcome.instrument, None)?;
                let calibration = self.learning.of(source);
                let worth = Worth::of(calibration, left, model, middle, &leg);
                let worth = worth.ok_or(Reason::RiskError)?;
                worth.believable(view.limits)?;
                leg.fair = Some(worth.fair);
                let edge = worth.edge;
                self.legs.clear();
                self.legs.push(leg);
                Ok(Found::Edge(Seen {
                    relation: None,
                    edge,
                    qty: leg.qty,
                    closes_at: market.spec.closes_at,
                    oracle_age: view.now.since(fair.source_time),
                }))
            });
            self.conclude(view, Edge::Lag(outcome.instrument), found, out);
        }
    }

    /// What the oracle says of outcome 0. Computed anew, it is a forecast to be remembered.
    fn fair(
        &mut self,
        view: View<'_>,
        market: &MarketState,
        source: OracleId,
    ) -> Result<Fair, Reason> {
        let from = self.inputs(view.data, view.now, view.limits, market, source)?;
        let known = self.fair.by_market.get(&market.spec.id);
        if let Some(cached) = known.filter(|c| c.from == from) {
            return cached.fair;
        }
        let calibration = self.learning.of(source);
        let fair = compute(&from, market, view.data, calibration, &self.config);
        let cached = Cached { from, fair };
        self.fair.by_market.insert(market.spec.id, cached);
        if let Ok(fair) = fair {
            self.remember(view, market, source, fair);
        }
        fair
    }

    fn remember(&mut self, view: View<'_>, market: &MarketState, source: OracleId, fair: Fair) {
        let time_left = market.spec.closes_at.since(view.now);
        let left = TimeLeft::of(time_left);
        if !left.fits(time_left) || !self.learning.wants(market.spec.id, left) {
            return;
        }
        let book = first_middle(market, view.data, view.now, view.limits);
        let calibration = self.learning.of(source);
        let forecast = Forecast {
            left,
            distance: fair.distance,
            model: fair.model,
            book,
            fair: book.map_or(fair.model, |book| calibration.blend(fair.model, book)),
        };
        self.learning.keep(market.spec.id, source, forecast);
    }

    /// What can be said of outcome 0 of a market now, from what was received by now; or why nothing.
    pub fn estimate(
        &self,
        data: &MarketData,
        market: MarketId,
        now: Timestamp,
        limits: ScanLimits,
    ) -> Result<Estimate, Reason> {
        let market = data.market(market).ok_or(Reason::UnknownInstrument)?;
        let source = market.spec.settlement.oracle().ok_or(Reason::NoStrike)?;
        let from = self.inputs(data, now, limits, market, source)?;
        let calibration = self.learning.of(source);
        let fair = compute(&from, market, data, calibration, &self.config)?;
        let book = first_middle(market, data, now, limits);
        Ok(Estimate {
            digital: fair.distance.normal().ok_or(Reason::RiskError)?,
            model: fair.model,
            book,
            fair: book.map_or(fair.model, |book| calibration.blend(fair.model, book)),
            oracle_age: now.since(fair.source_time),
        })
    }

    /// Whether the price to beat is known, the settlement source's or its stand-in's.
    pub(crate) fn strike_known(&self, market: &MarketState) -> bool {
        Strike::of(market).is_ok()
    }

    /// How the ask of a market's outcome 0 is judged now, step by step; or why it can not be. It is what a
    /// look comes to, and changes nothing.
    pub fn offer(
        &self,
        data: &MarketData,
        market: MarketId,
        now: Timestamp,
        limits: ScanLimits,
    ) -> Result<Offer, Reason> {
        let market = data.market(market).ok_or(Reason::UnknownInstrument)?;
        let source = market.spec.settlement.oracle().ok_or(Reason::NoStrike)?;
        let [first, _] = market.spec.outcomes.as_slice() else {
            return Err(Reason::UnknownInstrument);
        };
        let from = self.inputs(data, now, limits, market, source)?;
        let calibration = self.learning.of(source);
        let fair = compute(&from, market, data, calibration, &self.config)?;
        let view = View {
            now,
            seq: self.of_record,
            data,
            limits,
            due: &[],
        };
        let mut leg = leg(view, market, first.instrument, None)?;
        let book = data.book(first.instrument).ok_or(Reason::NoBook)?;
        let middle = middle(book, now, limits);
        let left = TimeLeft::of(market.spec.closes_at.since(now));
        let worth = Worth::of(calibration, left, fair.model, middle, &leg);
        let worth = worth.ok_or(Reason::RiskError)?;
        leg.fair = Some(worth.fair);
        let (Strike::Source(strike) | Strike::Proxy(strike)) = from.strike;
        let opinions = calibration.opinions(fair.distance);
        Ok(Offer {
            digital: fair.distance.normal().ok_or(Reason::RiskError)?,
            model: fair.model,
            middle,
            verdict: worth
                .believable(limits)
                .and_then(|()| self.config.is_worth_reporting(worth.edge, limits)),
            leg,
            worth,
            opinions: opinions.ok_or(Reason::RiskError)?,
            strike,
            spot: fair.spot,
            oracle_age: now.since(fair.source_time),
        })
    }

    /// What a fair value of now rests on.
    fn inputs(
        &self,
        data: &MarketData,
        now: Timestamp,
        limits: ScanLimits,
        market: &MarketState,
        source: OracleId,
    ) -> Result<Inputs, Reason> {
        if !market.is_open() {
            return Err(Reason::MarketClosed);
        }
        let strike = Strike::of(market)?;
        let source = data.oracle(source).ok_or(Reason::StaleOracle)?;
        let proxy = source.spec().proxy.and_then(|p| data.oracle(p));
        let fresh = |oracle: &OracleState| {
            let reading = oracle.reading(now, limits.oracle_age_max);
            matches!(reading, Reading::Fresh { .. })
        };
        Ok(Inputs {
            strike,
            closes_at: market.spec.closes_at,
            source: source.id(),
            source_ticks: source.ticks(),
            proxy_ticks: proxy.map_or(0, OracleState::ticks),
            source_fresh: fresh(source),
            proxy_fresh: proxy.is_some_and(fresh),
            lessons: self.learning.lessons(),
        })
    }
}

/// The middle of outcome 0's book.
fn first_middle(
    market: &MarketState,
    data: &MarketData,
    now: Timestamp,
    limits: ScanLimits,
) -> Option<Price> {
    let first = market.spec.outcomes.first()?;
    middle(data.book(first.instrument)?, now, limits)
}

/// The middle of a book that has one; half of a unit is cut off.
fn middle(book: &OrderBook, now: Timestamp, limits: ScanLimits) -> Option<Price> {
    book.usable(true, now, limits.book_age_max).ok()?;
    let ((bid, _), (ask, _)) = book.best_bid().zip(book.best_ask())?;
    let width = ask.0.checked_sub(bid.0)?;
    (width <= BOOK_WIDTH_MAX).then_some(Price(bid.0 + width / 2))
}

fn compute(
    from: &Inputs,
    market: &MarketState,
    data: &MarketData,
    calibration: &Calibration,
    config: &ScannerConfig,
) -> Result<Fair, Reason> {
    let source = data.oracle(from.source).ok_or(Reason::StaleOracle)?;
    let proxy = source.spec().proxy.and_then(|p| data.oracle(p));
    let volatility = proxy.map_or(&source.volatility, |p| {
        source.volatility.or_longer(&p.volatility)
    });
    let rate = volatility.rate(config.volatility_prior);
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
    // "The 12:00 candle" closes a minute after noon.
    let closes_at = match market.spec.settlement {
        SettlementRule::Above {
            candle_secs: Some(secs),
            ..
        } => {
            let length = Nanos::from_ms(u64::from(secs).saturating_mul(1_000));
            market.spec.closes_at.plus(length)
        }
        _ => market.spec.closes_at,
    };
    let tau = closes_at.since(live.source_time);
    let distance = match market.spec.settlement {
        SettlementRule::VenueOnly => None,
        SettlementRule::Touch {
            barrier,
            rises,
            interval_secs,
            ..
        } => {
            if !seen_whole(source, market, interval_secs, live.source_time) {
                return Err(Reason::StaleOracle);
            }
            let spot = extreme(source, market, interval_secs, rises, live.spot);
            let reached = if rises {
                spot >= barrier
            } else {
                spot <= barrier
            };
            let from = if reached { barrier } else { live.spot };
            fair_value::one_touch(from, barrier, rate.over(tau).plus(live.basis))
        }
        SettlementRule::UpDown { .. }
        | SettlementRule::Above { .. }
        | SettlementRule::Candle { .. } => {
            let variance = rate.over(tau).plus(live.basis);
            fair_value::digital(live.spot, strike, variance)
        }
        SettlementRule::UpDownTwap { lookback_secs, .. }
        | SettlementRule::MeanAbove { lookback_secs, .. } => {
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
    let distance = distance.ok_or(Reason::RiskError)?;
    Ok(Fair {
        distance,
        model: calibration.model(distance).ok_or(Reason::RiskError)?,
        spot: live.spot,
        source_time: live.source_time,
    })
}

/// Whether candles cover a touch market's window from its opening until now, but for the one that
/// still runs: a barrier may have been touched unseen otherwise, and then the model knows nothing.
fn seen_whole(source: &OracleState, market: &MarketState, secs: u32, until: Timestamp) -> bool {
    let opens_at = market.spec.opens_at;
    let begun = until.since(opens_at).0 / Nanos::from_ms(1_000).0 / u64::from(secs.max(1));
    let final_ones = source.candles_since(opens_at, secs).count() as u64;
    // The newest final candle may still be on its way.
    opens_at > Timestamp(0) && final_ones.saturating_add(1) >= begun
}

/// The furthest a touch market's source went towards the barrier, as far as final candles and the live
/// value tell.
fn extreme(
    source: &OracleState,
    market: &MarketState,
    secs: u32,
    rises: bool,
    live: SpotPrice,
) -> SpotPrice {
    let candles = source.candles_since(market.spec.opens_at, secs);
    candles.fold(live, |furthest, candle| {
        if rises {
            furthest.max(candle.high)
        } else {
            furthest.min(candle.low)
        }
    })
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
