//! The engine: the only place that knows the order of the stages.
//!
//! One step takes one record and does, in this order:
//!
//! 1. *Time passes* ([`advance`]): orders that were due at or before it arrive, in due order, each
//!    against the book as it stood then; cancels arrive and resting orders expire ([`withdraw`]).
//! 2. *The fact is applied*: market data, configuration, commands, strategies coming and going; a
//!    trade fills resting orders ([`rest`]). While a message of several records is not whole, the
//!    step ends here; after it, the book may have moved over a resting order.
//! 3. *Money moves on outcomes* ([`settle`]): markets that ended wait, and those with evidence are booked.
//! 4. *The scanner looks* at what the message touched.
//! 5. *Strategies are told* ([`dispatch`]): first their own fills, then the fact, then opportunities.
//! 6. *Their wishes are decided* ([`decide`]) at once, one by one, and what comes of them is told too.
//! 7. *The invariants are checked* ([`ward`]), after every record, wherever its step ended.
//!
//! It owns the state of a run and performs nothing: everything it wants done is an [`Effect`].
//! Strategies are called with the record's time, whatever moment an order of theirs arrived at.

mod advance;
mod ahead;
mod corroborate;
mod decide;
mod deny;
mod dispatch;
mod equity;
mod funnel;
mod grants;
mod lives;
mod markets;
mod rest;
mod settle;
mod silence;
mod standby;
mod status;
mod ward;
mod why;
mod withdraw;

pub use ahead::{AHEAD_QUOTES, AHEAD_RECORDS};
pub use deny::DENIALS_STORED_PER_MINUTE;
pub use grants::Outside;
pub use status::{Counts, EngineStatus, Standing, StrategyStatus};
pub use why::{BookNow, MarketNow, OpportunityNow, OracleNow};

use crate::allocator::CapitalAllocator;
use crate::config::EngineConfig;
use crate::effect::{Alert, AlertLevel, Effect, Message};
use crate::event::{Command, Event, Record};
use crate::ids::{IntentId, MarketId, Nanos, OpportunityId, Seq, StrategyId, Timestamp, TradeId};
use crate::latency::Latencies;
use crate::ledger::{Ledger, LedgerError};
use crate::market_data::{MarketData, Touched};
use crate::opportunity::Opportunity;
use crate::order::Order;
use crate::paper::{self, PaperExecutor};
use crate::position::Positions;
use crate::queue::PrintGate;
use crate::reason::Reason;
use crate::report::{Summary, Tally};
use crate::resting::RestingOrders;
use crate::risk::RiskGuardian;
use crate::scanner::{ScanLimits, Scanner};
use crate::settlement::{Outcome, Settlement};
use crate::strategy::{Output, Strategy};
use crate::tape::TapeReader;
use deny::Denials;
use dispatch::{Notice, Slot};
use funnel::Flow;
use markets::MarketRows;
use silence::Silences;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use ward::Ward;

/// Most orders in flight; one more is denied with `RATE_LIMIT`.
pub const MAX_ORDERS_IN_FLIGHT: usize = 4_096;
/// Most intents of one step. One more is dropped, with an alert: it has no number to be filed under.
/// With [`MAX_ORDERS_IN_FLIGHT`] it keeps the rows of one step within the numbers of a [`TradeId`].
pub const MAX_INTENTS_PER_STEP: u16 = 2_048;
/// Most of them of one strategy, so that none takes the others' places. One more is dropped, with an alert.
pub const MAX_INTENTS_PER_STRATEGY_STEP: u16 = 256;
/// How often strategies may answer to the fate of their own intents within one step. Intents of a
/// later round are denied with `RATE_LIMIT`, and that is not told any more.
pub const MAX_ROUNDS: u8 = 4;
/// Most notices to strategies that wait within one step; one more is dropped, with an alert.
pub const MAX_NOTICES: usize = 65_536;
/// Opportunities that an intent may still name; the oldest is forgotten first.
pub const MAX_OPPORTUNITIES: usize = 4_096;
/// How long after its end a market without anything open is kept, for a late word of its venue.
const RETIRE_AFTER: Nanos = Nanos(24 * 3_600 * 1_000_000_000);
/// How often markets are retired.
const HOUSEKEEPING: Nanos = Nanos(600 * 1_000_000_000);

/// The state of a run.
pub struct Engine {
    config: EngineConfig,
    /// Whether the run's money has arrived.
    funded: bool,
    /// Why nothing trades, when nothing trades.
    halted: Option<String>,
    /// An invariant broke: nothing is done any more.
    broken: bool,

    data: MarketData,
    touched: Touched,
    scanner: Scanner,
    /// Opportunities of the present step, reused.
    found: Vec<Opportunity>,
    /// What intents may name.
    opportunities: BTreeMap<OpportunityId, Opportunity>,

    /// In order of their ids.
    slots: Vec<Slot>,
    /// How many stood by and failed.
    standbys_failed: u64,
    output: Output,
    ahead: ahead::Ahead,
    notices: VecDeque<Notice>,

    allocator: CapitalAllocator,
    guardian: RiskGuardian,
    orders: BTreeMap<IntentId, Order>,
    due: BTreeSet<(Timestamp, IntentId, u16)>,
    resting: RestingOrders,
    prints: PrintGate,
    paper: PaperExecutor,
    positions: Positions,
    ledger: Ledger,
    settlement: Settlement,
    latencies: Latencies,
    tape: TapeReader,
    denials: Denials,
    market_rows: MarketRows,

    tally: Tally,
    ward: Ward,
    counts: Counts,
    flow: Flow,
    refused_inputs: BTreeMap<Reason, u64>,
    silences: Silences,

    now: Timestamp,
    /// The record of the present step, or the last one.
    last_seq: Seq,
    /// Nothing is due before then.
    next_due: Timestamp,
    /// No strategy wants to be woken before then.
    next_timer: Timestamp,
    /// Next time to retire markets.
    next_housekeeping: Timestamp,
    /// Start of the next minute whose equity is told.
    next_sample: Timestamp,
    /// What [`Effect::WakeAt`] said last.
    announced: Option<Timestamp>,
}

/// One step on its way: the record's place, and the effects it has caused.
struct Turn<'a> {
    seq: Seq,
    /// What kind of record it is.
    kind: &'static str,
    at: Timestamp,
    rows: u16,
    intents: u16,
    /// Whether the next due time must be looked up again.
    reschedule: bool,
    effects: &'a mut Vec<Effect>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine to which nothing has happened. Its money arrives with the first `Configured`.
    #[must_use]
    pub fn new() -> Self {
        let config = EngineConfig::default();
        Self {
            scanner: Scanner::new(config.scanner.clone()),
            config,
            funded: false,
            halted: None,
            broken: false,
            data: MarketData::new(),
            touched: Touched::default(),
            found: Vec::new(),
            opportunities: BTreeMap::new(),
            slots: Vec::new(),
            standbys_failed: 0,
            output: Output::default(),
            ahead: ahead::Ahead::default(),
            notices: VecDeque::new(),
            allocator: CapitalAllocator::default(),
            guardian: RiskGuardian::default(),
            orders: BTreeMap::new(),
            due: BTreeSet::new(),
            resting: RestingOrders::default(),
            prints: PrintGate::default(),
            paper: PaperExecutor::default(),
            positions: Positions::default(),
            ledger: Ledger::default(),
            settlement: Settlement::default(),
            latencies: Latencies::default(),
            tape: TapeReader::default(),
            denials: Denials::default(),
            market_rows: MarketRows::default(),
            tally: Tally::default(),
            ward: Ward::default(),
            counts: Counts::default(),
            flow: Flow::default(),
            refused_inputs: BTreeMap::new(),
            silences: Silences::default(),
            now: Timestamp(0),
            last_seq: Seq(0),
            next_due: Timestamp(0),
            next_timer: Timestamp(u64::MAX),
            next_housekeeping: Timestamp(0),
            next_sample: Timestamp(0),
            announced: None,
        }
    }

    /// Puts a strategy's instance in place and returns the one before. It is called from the next
    /// record on; a `Loaded` record must follow at once and says who it is.
    pub fn install(
        &mut self,
        id: StrategyId,
        strategy: Box<dyn Strategy>,
    ) -> Option<Box<dyn Strategy>> {
        self.must_not_be_ahead(id);
        let slot = self.slot_mut(id);
        slot.alive = true;
        slot.runtime.replace(strategy)
    }

    /// A strategy's instance, for its snapshot.
    pub fn strategy_mut(&mut self, id: StrategyId) -> Option<&mut (dyn Strategy + 'static)> {
        let at = self.slots.binary_search_by_key(&id, |slot| slot.id).ok()?;
        self.slots.get_mut(at)?.runtime.as_deref_mut()
    }

    /// Why the pilot is halted, when it is.
    #[must_use]
    pub fn is_halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// The result so far, counted from the effects.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.tally.summary()
    }

    /// What is known of the markets.
    #[must_use]
    pub fn market_data(&self) -> &MarketData {
        &self.data
    }

    /// What a market came to, from the moment it is booked until it is retired.
    #[must_use]
    pub fn outcome(&self, market: MarketId) -> Option<&Outcome> {
        self.settlement.booked(market)
    }

    /// How many markets were booked so far: while it stays, there is no new [`Self::outcome`].
    #[must_use]
    pub fn outcomes_booked(&self) -> u64 {
        self.settlement.bookings()
    }

    /// The scanner, for its counts, estimates and judgements.
    #[must_use]
    pub fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// Takes one record and appends to `effects` what it makes the engine want. After an
    /// [`Effect::Abort`] every further step does nothing.
    pub fn step(&mut self, record: &Record, effects: &mut Vec<Effect>) {
        if self.broken {
            return;
        }
        let refused = self.counts.refused;
        self.take(record, effects);
        if self.counts.refused == refused {
            self.flow.taken = self.flow.taken.saturating_add(1);
        }
        if !self.broken {
            self.check(record, effects);
        }
        if record.at >= self.next_sample && self.funded && !self.broken {
            self.sample(record.at, effects);
        }
    }

    fn take(&mut self, record: &Record, effects: &mut Vec<Effect>) {
        let mut turn = Turn {
            seq: record.seq,
            kind: record.event.kind(),
            at: record.at,
            rows: 0,
            intents: 0,
            reschedule: false,
            effects,
        };
        self.now = record.at;
        self.last_seq = record.seq;
        self.counts.records = self.counts.records.saturating_add(1);
        if record.at >= self.next_due {
            self.advance(&mut turn);
        }
        self.silences.hear(record.at, &record.event);
        let is_new =
            matches!(&record.event, Event::MarketListed(m) if self.data.market(m.id).is_none());
        let applied = self.data.apply(record, &mut self.touched);
        if is_new && applied.is_ok() {
            self.flow.listed = self.flow.listed.saturating_add(1);
        }
        if let Err(reason) = applied {
            self.refuse_input(reason);
        }
        self.touch(&record.event);
        match &record.event {
            Event::Latency { venue, own } => self.latencies.measured(*venue, *own),
            Event::Level(level) => {
                if applied.is_ok() {
                    self.paper.level_shown(level);
                    let at = record.at;
                    let shown = rest::level_of(level);
                    self.resting.shown(level.instrument, at, shown);
                }
                // Most records end here: a change below the top of a book concerns nobody.
                if self.touched.is_empty() && self.notices.is_empty() && !turn.reschedule {
                    return;
                }
            }
            Event::Snapshot(snapshot) => {
                if let (Ok(()), Some(book)) = (applied, self.data.book(snapshot.instrument)) {
                    self.paper.book_shown(snapshot.instrument, book);
                    let shown = |side, price| Some(paper::shown(book, side, price));
                    self.resting.shown(snapshot.instrument, record.at, shown);
                }
            }
            Event::Configured(config) => self.configure(config, &mut turn),
            Event::Command(command) => self.command(command, &mut turn),
            Event::Strategy(change) => self.strategy_changed(change, &mut turn),
            Event::Print(print) => {
                // What is no trade, or no news, neither confirms a fill nor feeds a queue.
                if applied.is_ok()
                    && let Some(trade) = self.admit(print)
                {
                    self.printed(print, &mut turn);
                    self.feed_queues(print, &trade, &mut turn);
                }
            }
            Event::Refused { reason, .. } => self.refuse_input(*reason),
            Event::MarketListed(_) | Event::OracleListed(_) => {
                self.heard_of_listing(&record.event);
            }
            Event::TickSize { .. }
            | Event::Gap { .. }
            | Event::OracleTick(_)
            | Event::Candle(_)
            | Event::OracleGap(_)
            | Event::Trading { .. }
            | Event::Resolved(_)
            | Event::Tick => {}
        }
        if self.touched.whole {
            self.conclude(record, applied.is_ok(), &mut turn);
        }
        if turn.reschedule {
            self.schedule(&mut turn);
        }
    }

    /// What follows from a whole message.
    fn conclude(&mut self, record: &Record, applied: bool, turn: &mut Turn<'_>) {
        self.review_resting(turn);
        self.settle(&record.event, applied, turn);
        self.tell_notices(turn);
        self.tell_event(&record.event, applied, turn);
        self.scan(turn);
        self.tell_notices(turn);
        self.tell_timers(turn);
        self.tell_notices(turn);
    }

    fn scan(&mut self, turn: &mut Turn<'_>) {
        let mut found = core::mem::take(&mut self.found);
        found.clear();
        let limits = ScanLimits::from(&self.config.risk);
        self.scanner.scan(
            turn.at,
            &self.data,
            &self.touched,
            limits,
            &mut found,
            turn.seq,
        );
        for opportunity in &found {
            self.counts.opportunities = self.counts.opportunities.saturating_add(1);
            let (id, begun) = (opportunity.id, opportunity.id.seq == turn.seq);
            let known = self.opportunities.insert(id, opportunity.clone()).is_some();
            self.flow.shown(id, begun, known);
            if self.opportunities.len() > MAX_OPPORTUNITIES
                && let Some((oldest, _)) = self.opportunities.pop_first()
            {
                self.flow.forgotten(oldest);
            }
            self.publish(Message::Opportunity(opportunity.clone()), turn);
        }
        for opportunity in &found {
            self.tell_opportunity(opportunity, turn);
        }
        self.found = found;
    }

    fn configure(&mut self, config: &EngineConfig, turn: &mut Turn<'_>) {
        self.config = config.clone();
        self.scanner.configure(config.scanner.clone());
        if !self.funded {
            self.funded = true;
            let opened = self.ledger.open(config.starting_cash);
            self.booked(opened, turn);
        }
        let equity = self.equity();
        self.guardian.observe(turn.at, equity);
    }

    fn command(&mut self, command: &Command, turn: &mut Turn<'_>) {
        match command {
            Command::Halt { why } => self.halt(why.clone(), turn),
            Command::Resume { note } => {
                if self.halted.take().is_some() {
                    let equity = self.equity();
                    self.guardian.accept_drawdown(equity);
                    self.alert(AlertLevel::Info, "RESUMED", note.clone(), turn);
                }
            }
        }
    }

    /// Latches. The first reason stands until somebody resumes.
    fn halt(&mut self, why: String, turn: &mut Turn<'_>) {
        if self.halted.is_none() {
            self.alert(AlertLevel::Critical, "HALTED", why.clone(), turn);
            self.halted = Some(why);
            self.withdraw_all(|_| true, Reason::Halted, turn);
        }
    }

    /// The answer of the ledger: an entry that could not be booked stops the process, and so does a
    /// difference between what positions cost and what the ledger has locked.
    fn booked(&mut self, result: Result<(), LedgerError>, turn: &mut Turn<'_>) -> bool {
        let broken = match result {
            Err(error) => error.to_string(),
            Ok(()) if self.ledger.locked() == self.positions.cost() => return true,
            Ok(()) => format!(
                "the ledger has {} USD locked and positions cost {} USD",
                self.ledger.locked(),
                self.positions.cost()
            ),
        };
        self.abort(&broken, turn);
        false
    }

    fn abort(&mut self, text: &str, turn: &mut Turn<'_>) {
        self.broken = true;
        let text = ward::violated(turn.seq, turn.kind, text);
        turn.effects.push(Effect::Abort(text));
    }

    fn refuse_input(&mut self, reason: Reason) {
        self.counts.refused = self.counts.refused.saturating_add(1);
        let count = self.refused_inputs.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    fn emit(&mut self, effect: Effect, turn: &mut Turn<'_>) {
        self.ward.hears(&effect, &self.positions);
        self.tally.fold(&effect);
        turn.effects.push(effect);
    }

    fn publish(&mut self, message: Message, turn: &mut Turn<'_>) {
        turn.effects.push(Effect::Publish(Box::new(message)));
    }

    fn alert(&mut self, level: AlertLevel, code: &str, text: String, turn: &mut Turn<'_>) {
        let alert = Alert {
            level,
            code: code.to_owned(),
            text,
            at: turn.at,
        };
        self.publish(Message::Alert(alert), turn);
    }
}

impl Turn<'_> {
    /// The number of the next row. Cannot run out: orders in flight and intents of a step are bounded.
    fn next_row(&mut self) -> TradeId {
        let id = TradeId {
            seq: self.seq,
            n: self.rows,
        };
        self.rows = self.rows.saturating_add(1);
        id
    }
}

#[cfg(test)]
mod tests;
