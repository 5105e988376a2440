//! Books what markets came to, and ends the trading of those that a touch decided.

use super::dispatch::{Fate, Notice};
use super::{Engine, Turn};
use crate::effect::AlertLevel;
use crate::event::Event;
use crate::ids::{InstrumentId, MarketId, StrategyId};
use crate::market::MarketStatus;
use crate::settlement::{Outcome, Verdict, venue_outcome};
use crate::strategy::Settled;
use crate::units::{Price, Usd};
use std::collections::BTreeMap;

impl Engine {
    /// Looks for evidence wherever the record can have brought some.
    pub(super) fn settle(&mut self, event: &Event, applied: bool, turn: &mut Turn<'_>) {
        let decided = if applied {
            self.watch(event)
        } else {
            Vec::new()
        };
        // The venue's word first: where the oracle's is known too, the two are compared.
        if let Event::Resolved(resolution) = event
            && applied
            && let Some(state) = self.data.market(resolution.market)
        {
            match venue_outcome(&state.spec, resolution) {
                Ok(outcome) => self.try_settle(resolution.market, Some(outcome), turn),
                Err(reason) => self.refuse_input(reason),
            }
        }
        for n in 0..self.touched.closed.len() {
            if let Some(&market) = self.touched.closed.get(n) {
                self.try_settle(market, None, turn);
            }
        }
        if let Some(market) = self.touched.listed {
            self.relisted(market, turn);
        }
        let (oracle, second) = match event {
            Event::OracleTick(tick) => (tick.oracle, tick.source_time.secs()),
            Event::Candle(candle) => (candle.oracle, candle.end_second()),
            Event::Trading { market, .. } => return self.record_market(*market, turn),
            _ => return,
        };
        for market in self.settlement.decided_by(oracle, second) {
            self.try_settle(market, None, turn);
        }
        for market in decided {
            self.try_settle(market, None, turn);
        }
    }

    /// Notes what candles say of windows in which a price may be touched. Where one was touched, or the
    /// whole window is known, the question is decided: what still traded trades no more. Returns the
    /// markets that had closed before.
    fn watch(&mut self, event: &Event) -> Vec<MarketId> {
        let (mut decided, mut closed) = (Vec::new(), Vec::new());
        match event {
            Event::MarketListed(spec) if self.settlement.watch(spec, &self.data) => {
                decided.push((spec.id, true));
            }
            Event::Candle(candle) => decided = self.settlement.saw(candle),
            _ => {}
        }
        for (market, is_touched) in decided {
            let status = self.data.market(market).map(|state| state.status);
            match status {
                Some(MarketStatus::Open | MarketStatus::Paused) if is_touched => {
                    self.data.set_status(market, MarketStatus::Pending);
                    self.touched.closed.push(market);
                }
                Some(MarketStatus::Pending) => closed.push(market),
                _ => {}
            }
        }
        closed
    }

    /// A new specification can reopen a market that waits, or state the strike it lacks.
    fn relisted(&mut self, market: MarketId, turn: &mut Turn<'_>) {
        match self.data.market(market).map(|state| state.status) {
            Some(MarketStatus::Open | MarketStatus::Paused) => {
                self.settlement.stop_waiting(market);
                self.record_market(market, turn);
            }
            Some(MarketStatus::Pending) => self.try_settle(market, None, turn),
            _ => {}
        }
    }

    fn try_settle(&mut self, market: MarketId, venue: Option<Outcome>, turn: &mut Turn<'_>) {
        let Some(state) = self.data.market(market) else {
            return;
        };
        if matches!(state.status, MarketStatus::Open | MarketStatus::Paused) {
            return;
        }
        let slug = state.spec.slug.clone();
        match self.settlement.judge(state, &self.data, venue) {
            Verdict::Unchanged => return,
            Verdict::Pending(pending) => self.settlement.wait(&state.spec, pending),
            Verdict::Final(outcome) => self.book_outcome(market, outcome, turn),
            Verdict::Disputed(disagreement) => {
                let text = format!(
                    "{slug}: {}, but {}; its capital stays locked until the venue's word agrees",
                    disagreement.venue.evidence, disagreement.oracle.evidence
                );
                self.data.set_status(market, MarketStatus::Disputed);
                self.settlement.dispute(market, disagreement);
                self.alert(AlertLevel::Critical, "SETTLEMENT_DISPUTED", text, turn);
            }
            Verdict::Reconciled => {
                let booked = self.settlement.said_since(market, None);
                self.data
                    .set_status(market, booked.unwrap_or(MarketStatus::Settled));
                let text = format!("{slug}: the venue's word again agrees with what was booked");
                self.alert(AlertLevel::Warning, "SETTLEMENT_RECONCILED", text, turn);
            }
            Verdict::Contradicted { booked, said } => {
                let text = format!(
                    "{slug}: was booked because {}; now {}; nothing is booked again",
                    booked.evidence, said.evidence
                );
                self.data.set_status(market, MarketStatus::Contradicted);
                self.settlement.said_since(market, Some(said));
                self.alert(AlertLevel::Critical, "SETTLEMENT_CONTRADICTED", text, turn);
            }
        }
        self.record_market(market, turn);
    }

    /// Pays every row of a market.
    fn book_outcome(&mut self, market: MarketId, outcome: Outcome, turn: &mut Turn<'_>) {
        let Some(state) = self.data.market(market) else {
            return;
        };
        let instruments = state.spec.outcomes.iter().map(|o| o.instrument);
        let payouts: BTreeMap<InstrumentId, Price> =
            instruments.zip(outcome.payouts.iter().copied()).collect();
        let payout = |instrument| payouts.get(&instrument).copied();
        let Some(exits) = self
            .positions
            .settle(market, payout, turn.at, &outcome.evidence)
        else {
            self.abort(
                &format!("market {market}: a position without a payout, or one too large to count"),
                turn,
            );
            return;
        };
        let mut pnl: BTreeMap<(StrategyId, InstrumentId), Usd> = BTreeMap::new();
        for exit in &exits {
            let sum = pnl
                .entry((exit.holding.strategy, exit.instrument))
                .or_default();
            *sum = Usd(sum.0.saturating_add(exit.update.realized_pnl.0));
            self.counts.settled = self.counts.settled.saturating_add(1);
            self.flow.settled = self.flow.settled.saturating_add(1);
        }
        self.data.set_status(market, outcome.status());
        self.scanner.settled(market, &outcome.payouts);
        self.settlement.book(market, outcome);
        self.book_exits(exits, turn);
        for ((to, instrument), pnl) in pnl {
            let settled = Settled {
                market,
                instrument,
                payout: payout(instrument).unwrap_or(Price::ZERO),
                pnl,
            };
            let notice = Notice {
                to,
                round: 0,
                fate: Fate::Settled(settled),
            };
            self.notify(notice, turn);
        }
    }
}
