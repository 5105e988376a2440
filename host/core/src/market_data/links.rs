//! Who depends on whom: the indices of trading markets, their ends, and the strikes they wait for.

use super::{Links, MarketData, Touched};
use crate::ids::{MarketId, OracleId, Timestamp};
use crate::market::{MarketSpec, MarketStatus, SettlementRule};
use crate::oracle::OracleState;
use crate::relation::Rung;
use crate::units::SpotPrice;

impl MarketData {
    /// Puts a market into the indices of its present status.
    pub(super) fn link(&mut self, market: MarketId) {
        let Some(state) = self.markets.get_mut(market.index()) else {
            return;
        };
        let end = (state.spec.closes_at, market);
        if !state.is_trading() {
            self.closed.insert(end);
            return;
        }
        self.closing.insert(end);
        if let Some(set) = &state.spec.exclusive_set {
            let name = (state.spec.venue, set.event.clone());
            state.set = Some(self.sets.join(name, market));
        }
        if let Some(key) = &state.spec.pair_key {
            state.pair = Some(self.pairs.join(key.clone(), market));
        }
        if let Some(oracle) = state.spec.settlement.oracle()
            && let Some(links) = self.links.entry(oracle.index(), Links::default)
        {
            let from = moved_from(&state.spec);
            links.markets.insert((from, market));
            if state.strike.is_none() {
                links.awaiting.insert((from, market));
            }
        }
        self.place(market);
        self.renew_next_close();
    }

    /// Puts a trading market on its ladder as soon as its threshold is known.
    fn place(&mut self, market: MarketId) {
        let Some(state) = self.markets.get_mut(market.index()) else {
            return;
        };
        if let Some(rung) = Rung::of(&state.spec, state.strike) {
            state.rung = Some(rung);
            self.rungs.insert(rung);
        }
    }

    /// Takes a market out of every index.
    pub(super) fn unlink(&mut self, market: MarketId) {
        let Some(state) = self.markets.get_mut(market.index()) else {
            return;
        };
        let end = (state.spec.closes_at, market);
        self.closed.remove(&end);
        self.closing.remove(&end);
        if let Some(set) = state.set.take() {
            self.sets.leave(set, market);
        }
        if let Some(pair) = state.pair.take() {
            self.pairs.leave(pair, market);
        }
        if let Some(rung) = state.rung.take() {
            self.rungs.remove(&rung);
        }
        let oracle = state.spec.settlement.oracle();
        if let Some(links) = oracle.and_then(|o| self.links.get_mut(o.index())) {
            let from = moved_from(&state.spec);
            links.markets.remove(&(from, market));
            links.awaiting.remove(&(from, market));
        }
        self.renew_next_close();
    }

    fn renew_next_close(&mut self) {
        let first = self.closing.first();
        self.next_close = first.map_or(Timestamp(u64::MAX), |(end, _)| *end);
    }

    /// Ends the trading of markets whose time has come.
    pub(super) fn close_due(&mut self, now: Timestamp, touched: &mut Touched) {
        while let Some(&(end, market)) = self.closing.first() {
            if end > now {
                break;
            }
            self.set_status(market, MarketStatus::Pending);
            touched.closed.push(market);
        }
    }

    /// Looks up the strikes that are still awaited from this oracle, or from one it stands in for.
    pub(super) fn learn_strikes(&mut self, oracle: OracleId) {
        let Some(last) = self.oracle(oracle).and_then(OracleState::last) else {
            return;
        };
        let until = (last.source_time, MarketId(u32::MAX));
        let Some(links) = self.links.get(oracle.index()) else {
            return;
        };
        let sources = core::iter::once(&oracle).chain(&links.stands_in_for);
        let awaiting = sources.filter_map(|o| self.links.get(o.index()));
        let mut due = awaiting
            .flat_map(|l| l.awaiting.range(..=until).copied())
            .peekable();
        if due.peek().is_none() {
            return;
        }
        let due: Vec<_> = due.collect();
        for (from, market) in due {
            self.learn_strike(market);
            let Some(state) = self.market(market).filter(|m| m.strike.is_some()) else {
                continue;
            };
            let source = state.spec.settlement.oracle();
            if let Some(links) = source.and_then(|o| self.links.get_mut(o.index())) {
                links.awaiting.remove(&(from, market));
            }
            self.place(market);
        }
    }

    /// Sets a market's strike if it is known by now; if not, its stand-in's.
    pub(super) fn learn_strike(&mut self, market: MarketId) {
        let Some(state) = self.markets.get_mut(market.index()) else {
            return;
        };
        let source = state.spec.settlement.oracle();
        let source = source.and_then(|o| self.oracles.get(o.index()));
        state.strike = strike(&state.spec, source);
        let proxy = source.and_then(|s| s.spec().proxy);
        let proxy = proxy.and_then(|o| self.oracles.get(o.index()));
        state.proxy_strike = match state.strike {
            Some(_) => None,
            // A value once seen outlives its retention.
            None => strike(&state.spec, proxy).or(state.proxy_strike),
        };
    }
}

/// The strike of a market: stated, or by its rule from the ticks of that oracle.
fn strike(spec: &MarketSpec, oracle: Option<&OracleState>) -> Option<SpotPrice> {
    match spec.settlement {
        SettlementRule::VenueOnly => None,
        SettlementRule::Above { strike, .. } => Some(strike),
        SettlementRule::Touch { barrier, .. } => Some(barrier),
        SettlementRule::MeanAbove { strike, .. } => strike,
        SettlementRule::UpDown { strike, .. } => {
            strike.or_else(|| oracle?.value_at_second(spec.opens_at))
        }
        SettlementRule::UpDownTwap {
            lookback_secs,
            strike,
            ..
        } => strike.or_else(|| {
            let oracle = oracle?;
            // Only once the window is over: the second of the opening has been seen, or a later.
            let over = oracle.last()?.source_time.secs() >= spec.opens_at.secs();
            let start = spec.opens_at.secs().checked_sub(u64::from(lookback_secs))?;
            let mean = || oracle.mean(Timestamp::from_secs(start), spec.opens_at);
            over.then(mean).flatten()
        }),
        SettlementRule::Candle { .. } => oracle?.first_since(spec.opens_at),
    }
}

/// The instant from which an oracle's values can move a market: the opening of a window that starts
/// from its opening value, always for a fixed threshold.
fn moved_from(spec: &MarketSpec) -> Timestamp {
    match spec.settlement {
        SettlementRule::UpDown { .. }
        | SettlementRule::UpDownTwap { .. }
        | SettlementRule::Candle { .. } => spec.opens_at,
        SettlementRule::Above { .. }
        | SettlementRule::Touch { .. }
        | SettlementRule::MeanAbove { .. }
        | SettlementRule::VenueOnly => Timestamp(0),
    }
}
