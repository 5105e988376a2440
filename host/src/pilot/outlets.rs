//! Where the effects of a run go once they are durable: database, bus, log, health.
//!
//! Owns no truth: everything here can be rebuilt from the journal. When the database's queue is full
//! the engine waits for it (trades are never dropped); the bus is never waited for.

use super::counts;
use super::session::Session;
use crate::bus::{BusHandle, BusMessage};
use crate::orchestrator::{AgentState, HealthBoard};
use crate::plugin::Loader;
use crate::plugin::loader::Status;
use crate::snapshot::{Scene, Watcher};
use crate::store::{RelayError, RelayHandle, StoreOp};
use pm_arb_core::effect::{AlertLevel, Effect, Message, TradeRecord, TradeStatus, TradeUpdate};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::Event;
use pm_arb_core::ids::{InstrumentId, Nanos, OracleId, Seq, Venue};
use pm_arb_core::reason::Reason;
use pm_arb_core::scanner::ScanCounts;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Health is brought up to date this often.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// What has no row of its own is counted into the database this often, and at the end.
const COUNTS_EVERY: Duration = Duration::from_secs(10);
/// Reasons named in health.
const REASONS_SHOWN: usize = 3;
/// Stages of the engine's thread, by the names that health reports use.
pub const STAGES: [&str; 4] = [
    "opportunity-scanner",
    "risk-guardian",
    "paper-executor",
    "capital-allocator",
];

/// Why effects could not be handed on.
#[derive(Debug, thiserror::Error)]
pub enum OutletError {
    /// Trades can not be stored any more.
    #[error("trades can not be stored; stopped rather than trade unrecorded")]
    Store(#[from] RelayError),
}

/// Where effects go.
pub struct Outlets {
    relay: RelayHandle,
    bus: Option<BusHandle>,
    board: HealthBoard,
    shown: Option<Instant>,
    counted: Instant,
    /// Touched since the last release, for price messages.
    quotes: BTreeSet<InstrumentId>,
    oracles: BTreeSet<OracleId>,
    watcher: Watcher,
}

impl Outlets {
    /// Into that relay, that bus (when there is one), that board, and pictures for whoever looks.
    #[must_use]
    pub fn new(
        relay: RelayHandle,
        bus: Option<BusHandle>,
        board: HealthBoard,
        watcher: Watcher,
    ) -> Self {
        for stage in STAGES {
            board.register(stage);
        }
        Self {
            relay,
            bus,
            board,
            shown: None,
            counted: Instant::now(),
            quotes: BTreeSet::new(),
            oracles: BTreeSet::new(),
            watcher,
        }
    }

    /// Notes whose prices an input may have moved.
    pub fn observe(&mut self, event: &Event) {
        self.watcher.observe(event);
        if self.bus.is_none() {
            return;
        }
        match event {
            Event::Level(change) => _ = self.quotes.insert(change.instrument),
            Event::Snapshot(book) => _ = self.quotes.insert(book.instrument),
            Event::OracleTick(tick) => _ = self.oracles.insert(tick.oracle),
            _ => {}
        }
    }

    /// Hands on what is durable now, in order.
    pub fn release(
        &mut self,
        effects: impl Iterator<Item = (Seq, Effect)>,
    ) -> Result<(), OutletError> {
        self.watcher.flushed();
        let mut batch: (Seq, Vec<StoreOp>) = (Seq(0), Vec::new());
        for (seq, effect) in effects {
            if seq != batch.0 && !batch.1.is_empty() {
                self.relay
                    .blocking_send(batch.0, std::mem::take(&mut batch.1))?;
            }
            batch.0 = seq;
            batch.1.extend(StoreOp::of(seq, &effect));
            self.watcher.effect(seq, &effect);
            match effect {
                Effect::RecordTrade(trade) => log_trade(&trade),
                Effect::UpdateTrade(update) => log_update(&update),
                Effect::Publish(message) => {
                    log_message(&message);
                    if let Some(bus) = &self.bus {
                        bus.publish(BusMessage::Effect(message));
                    }
                }
                Effect::RecordIntent(_)
                | Effect::RecordMarket(_)
                | Effect::Corroborate(_)
                | Effect::CountDenials(_)
                | Effect::RecordEquity(_)
                | Effect::WakeAt(_)
                | Effect::StrategyFailed { .. }
                | Effect::Abort(_) => {}
            }
        }
        if !batch.1.is_empty() {
            self.relay.blocking_send(batch.0, batch.1)?;
        }
        Ok(())
    }

    /// Counts into the database what has no row of its own, when it is time to. Everything up to record
    /// `through` must be durable and have been handed on.
    pub fn count(
        &mut self,
        engine: &Engine,
        through: Seq,
        at_the_end: bool,
    ) -> Result<(), OutletError> {
        if at_the_end || self.counted.elapsed() >= COUNTS_EVERY {
            self.counted = Instant::now();
            self.relay
                .blocking_send(through, vec![counts::of(engine, through)])?;
        }
        Ok(())
    }

    /// Shows at once whether trading is halted: whoever ordered it looks next.
    pub fn show_halt(&self, engine: &Engine) {
        self.board.set_halted(engine.is_halted());
    }

    /// One turn of the engine's loop is done: shows progress, publishes prices.
    pub fn turn(&mut self, session: &Session, loader: &Loader) {
        let (engine, seq) = (&session.engine, session.last_seq());
        self.publish_prices(engine);
        let scene = Scene {
            engine,
            observer: session.observer(),
            loader,
            board: &self.board,
        };
        self.watcher.turn(scene, seq);
        if self.shown.is_some_and(|at| at.elapsed() < SHOW_EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        for stage in STAGES {
            self.board.beat(stage);
        }
        let status = engine.status();
        self.show_halt(engine);
        self.show_strategies(loader);
        self.board.detail(
            "opportunity-scanner",
            scanned(engine.scanner().counts(), &status.refused_inputs),
        );
        self.board
            .detail("risk-guardian", format!("{} denied", status.counts.denied));
        self.board.detail(
            "paper-executor",
            format!(
                "{} filled, {} open{}",
                status.counts.fills,
                status.open_trades,
                away(&status.latencies)
            ),
        );
        self.board
            .detail("capital-allocator", format!("equity {} USD", status.equity));
        self.show_stores();
    }

    fn show_stores(&self) {
        let relay = self.relay.status();
        let state = match (&relay.failing_since, &relay.last_error) {
            (Some(since), Some(error)) => {
                format!("away for {} s: {error}", since.elapsed().as_secs())
            }
            _ => "stored".to_owned(),
        };
        let rows = relay.inserted + relay.updated;
        self.board.detail(
            "trade-store",
            format!("{rows} changes {state}, {} wait", self.relay.backlog()),
        );
        if let Some(bus) = self.bus.as_ref().map(BusHandle::status) {
            let state = if bus.connected {
                "connected"
            } else {
                "not connected; trading goes on without it"
            };
            self.board.detail(
                "bus",
                format!(
                    "{state}, {} published, {} given up",
                    bus.published, bus.dropped
                ),
            );
        }
    }

    fn show_strategies(&self, loader: &Loader) {
        for slot in loader.slots() {
            let name = format!("strategy-{}", slot.manifest.name);
            self.board.register(&name);
            let state = match &slot.status {
                Status::Running => {
                    // It is called by the loop that is turning now.
                    self.board.beat(&name);
                    "running"
                }
                Status::Restarting { .. } => {
                    self.board.set_state(&name, AgentState::Backoff);
                    "restarting"
                }
                Status::Quarantined if slot.held.is_some() => {
                    self.board.set_state(&name, AgentState::Stopped);
                    "quarantined by an operator until it is released"
                }
                Status::Condemned(_) | Status::Quarantined => {
                    self.board.set_state(&name, AgentState::Failed);
                    "quarantined until its file changes"
                }
                Status::Unloaded => {
                    self.board.set_state(&name, AgentState::Stopped);
                    "unloaded"
                }
            };
            let digest: String = slot
                .digest
                .iter()
                .take(4)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let (version, generation) = (&slot.manifest.version, slot.generation);
            self.board.detail(
                &name,
                format!("{version}, generation {generation}, {digest}…, {state}"),
            );
        }
    }

    fn publish_prices(&mut self, engine: &Engine) {
        let Some(bus) = &self.bus else { return };
        let data = engine.market_data();
        for instrument in std::mem::take(&mut self.quotes) {
            if let Some(message) = BusMessage::quote(data, instrument) {
                bus.publish(message);
            }
        }
        for oracle in std::mem::take(&mut self.oracles) {
            if let Some(message) = BusMessage::oracle(data, oracle) {
                bus.publish(message);
            }
        }
    }
}

/// `CODE count`, one after the other.
pub fn by_reason(counts: &[(Reason, u64)]) -> String {
    let all: Vec<String> = counts
        .iter()
        .map(|(reason, n)| format!("{reason} {n}"))
        .collect();
    all.join(", ")
}

/// How far away each venue was found to be.
fn away(latencies: &[(Venue, Nanos)]) -> String {
    let venue = |(venue, own): &(Venue, Nanos)| {
        let tenths = own.0 / 100_000;
        format!("; {venue} {}.{} ms away", tenths / 10, tenths % 10)
    };
    latencies.iter().map(venue).collect()
}

/// Episodes by kind, and the commonest reasons why a look at prices led to none.
fn scanned(counts: &ScanCounts, refused: &[(Reason, u64)]) -> String {
    let [oracle_lag, mispricing, cross_platform] = counts.episodes;
    let mut reasons: Vec<_> = counts.by_reason().collect();
    reasons.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let why: Vec<String> = reasons
        .iter()
        .take(REASONS_SHOWN)
        .map(|(reason, n)| format!("{reason} {n}"))
        .collect();
    let why = if why.is_empty() {
        String::new()
    } else {
        format!("; not usable: {}", why.join(", "))
    };
    let refused = if refused.is_empty() {
        String::new()
    } else {
        format!("; inputs refused: {}", by_reason(refused))
    };
    format!(
        "{oracle_lag} oracle-lag, {mispricing} mispricing, {cross_platform} cross-platform{why}{refused}"
    )
}

fn signed(usd: pm_arb_core::units::Usd) -> String {
    if usd.0 >= 0 {
        format!("+{usd}")
    } else {
        usd.to_string()
    }
}

fn log_trade(trade: &TradeRecord) {
    let side = if trade.buy { "bought" } else { "sold" };
    match &trade.rejection {
        None => tracing::info!(
            strategy = %trade.strategy_name, market = %trade.market_slug, edge = %trade.expected_edge, fee = %trade.fees,
            "{side} {} {} at {}", trade.qty, trade.outcome, trade.price,
        ),
        Some(why) => tracing::debug!(
            strategy = %trade.strategy_name, market = %trade.market_slug, limit = %why.limit, observed = %why.observed,
            "refused: {}", why.reason,
        ),
    }
}

fn log_update(update: &TradeUpdate) {
    match update.status {
        TradeStatus::Resolved => {
            tracing::info!(trade = %update.id, "settled at {}: {} USD", update.exit_price, signed(update.realized_pnl))
        }
        TradeStatus::Closed => {
            tracing::info!(trade = %update.id, "closed at {}: {} USD", update.exit_price, signed(update.realized_pnl))
        }
        TradeStatus::Open | TradeStatus::Rejected => {}
    }
}

fn log_message(message: &Message) {
    if let Message::Alert(alert) = message {
        match alert.level {
            AlertLevel::Info => tracing::info!(code = %alert.code, "{}", alert.text),
            AlertLevel::Warning => tracing::warn!(code = %alert.code, "{}", alert.text),
            AlertLevel::Critical => tracing::error!(code = %alert.code, "{}", alert.text),
        }
    }
}
