//! Tells strategies what happened and takes their answers.
//!
//! Owns the slots strategies sit in and the queue of what befell their own intents. A call that fails
//! ends the instance: its output of that call is dropped and it is not called again before a new one
//! is installed; orders it has in flight stand.

use super::ahead::Heard;
use super::grants::Grant;
use super::standby::Standby;
use super::{Engine, MAX_NOTICES, Turn};
use crate::effect::{AlertLevel, Effect};
use crate::event::Event;
use crate::ids::{Nanos, Seq, StrategyId, Timestamp};
use crate::opportunity::Opportunity;
use crate::order::Author;
use crate::strategy::{
    Filled, MAX_CANCELS_PER_CALL, MAX_INTENTS_PER_CALL, Output, Quote, Refused, Settled, Strategy,
    StrategyEvent, StrategyFault, Topics,
};
use crate::units::Usd;
use std::sync::Arc;

/// Soonest a strategy is woken: one that asks for a time that has come must not spin the engine.
const WAKE_MIN: Nanos = Nanos::from_ms(1);

/// Where a strategy sits.
pub(super) struct Slot {
    pub(super) id: StrategyId,
    pub(super) runtime: Option<Box<dyn Strategy>>,
    /// The generation before, while this one is watched.
    pub(super) standby: Option<Standby>,
    /// Whether its instance may be called.
    pub(super) alive: bool,
    /// Whether it is stopped until new bytes or an operator release it.
    pub(super) quarantined: bool,
    /// Who it is, once a `Loaded` record said so.
    pub(super) author: Option<Arc<Author>>,
    pub(super) topics: Topics,
    /// What it may.
    pub(super) grant: Grant,
    pub(super) timer: Option<Timestamp>,
    pub(super) calls: u64,
    pub(super) intents: u64,
    pub(super) denied: u64,
    pub(super) fills: u64,
    pub(super) faults: u64,
    /// Its wishes of one step: of which, and how many.
    pub(super) wished: (Seq, u16),
    /// In a replay: what it has been told before it happens.
    pub(super) heard: Heard,
}

impl Slot {
    fn empty(id: StrategyId) -> Self {
        Self {
            id,
            runtime: None,
            standby: None,
            alive: false,
            quarantined: false,
            author: None,
            topics: Topics::default(),
            grant: Grant::default(),
            timer: None,
            calls: 0,
            intents: 0,
            denied: 0,
            fills: 0,
            faults: 0,
            wished: (Seq(0), 0),
            heard: Heard::default(),
        }
    }
}

/// One thing to tell.
#[derive(Clone, Copy)]
pub(super) enum Told<'a> {
    Quote(&'a Quote),
    Event(&'a StrategyEvent<'a>),
}

impl Told<'_> {
    pub(super) fn is_wanted(self, topics: Topics) -> bool {
        match self {
            Told::Quote(_) => topics.quotes,
            Told::Event(event) => event.is_wanted(topics),
        }
    }

    pub(super) fn to(
        self,
        strategy: &mut dyn Strategy,
        now: Timestamp,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        match self {
            Told::Quote(quote) => strategy.on_quote(now, quote, out),
            Told::Event(event) => strategy.on_event(now, event, out),
        }
    }
}

/// When a strategy that asks for a time is woken.
pub(super) fn soonest(now: Timestamp, asked: Timestamp) -> Timestamp {
    asked.max(now.plus(WAKE_MIN))
}

/// What befell an intent or a position of a strategy.
pub(super) enum Fate {
    Filled(Filled),
    Refused(Refused),
    Settled(Settled),
}

/// A fate on its way to its strategy.
pub(super) struct Notice {
    pub(super) to: StrategyId,
    /// How many answers within this step led to it.
    pub(super) round: u8,
    pub(super) fate: Fate,
}

impl Engine {
    pub(super) fn slot(&self, id: StrategyId) -> Option<&Slot> {
        let at = self.slots.binary_search_by_key(&id, |slot| slot.id).ok()?;
        self.slots.get(at)
    }

    /// The slot of a strategy, made when missing.
    pub(super) fn slot_mut(&mut self, id: StrategyId) -> &mut Slot {
        let at = match self.slots.binary_search_by_key(&id, |slot| slot.id) {
            Ok(at) => at,
            Err(at) => {
                self.slots.insert(at, Slot::empty(id));
                at
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted just above")]
        &mut self.slots[at]
    }

    /// Queues a fate. The queue is drained within the step it is filled in.
    pub(super) fn notify(&mut self, notice: Notice, turn: &mut Turn<'_>) {
        if self.notices.len() >= MAX_NOTICES {
            let text = format!(
                "{}: more than {MAX_NOTICES} notices",
                self.name_of(notice.to)
            );
            self.alert(AlertLevel::Warning, "NOTICE_DROPPED", text, turn);
            return;
        }
        self.notices.push_back(notice);
    }

    /// Tells strategies what befell their intents, and what befell the intents they answered with.
    pub(super) fn tell_notices(&mut self, turn: &mut Turn<'_>) {
        while let Some(Notice { to, round, fate }) = self.notices.pop_front() {
            let Ok(at) = self.slots.binary_search_by_key(&to, |slot| slot.id) else {
                continue;
            };
            let event = match &fate {
                Fate::Filled(filled) => StrategyEvent::Filled(filled),
                Fate::Refused(refused) => StrategyEvent::Refused(refused),
                Fate::Settled(settled) => StrategyEvent::Settled(settled),
            };
            self.call(at, round, turn, Told::Event(&event));
        }
    }

    /// Tells strategies the fact and what it changed.
    pub(super) fn tell_event(&mut self, event: &Event, applied: bool, turn: &mut Turn<'_>) {
        if !self.touched.quotes.is_empty() {
            self.tell_quotes(turn);
        }
        for n in 0..self.touched.interrupted.len() {
            if let Some(&instrument) = self.touched.interrupted.get(n) {
                self.tell(Told::Event(&StrategyEvent::Gap(instrument)), turn);
            }
        }
        match event {
            Event::MarketListed(spec) if self.touched.listed == Some(spec.id) => {
                self.tell(Told::Event(&StrategyEvent::MarketListed(spec)), turn);
            }
            Event::OracleTick(tick) if applied => {
                self.tell(Told::Event(&StrategyEvent::OracleTick(tick)), turn);
            }
            Event::Print(print) => self.tell(Told::Event(&StrategyEvent::Print(print)), turn),
            _ => {}
        }
        for n in 0..self.touched.closed.len() {
            if let Some(&market) = self.touched.closed.get(n) {
                self.tell(Told::Event(&StrategyEvent::MarketClosed(market)), turn);
            }
        }
    }

    fn tell_quotes(&mut self, turn: &mut Turn<'_>) {
        for n in 0..self.touched.quotes.len() {
            let Some(&instrument) = self.touched.quotes.get(n) else {
                break;
            };
            if let Some(quote) = self.data.book(instrument).map(|b| b.quote(instrument)) {
                self.tell(Told::Quote(&quote), turn);
            }
        }
    }

    fn tell(&mut self, told: Told<'_>, turn: &mut Turn<'_>) {
        for at in 0..self.slots.len() {
            self.call(at, 0, turn, told);
        }
    }

    /// A strategy was loaded: every open market is new to it. One that stands by knows them.
    pub(super) fn tell_open_markets(&mut self, id: StrategyId, turn: &mut Turn<'_>) {
        let Ok(at) = self.slots.binary_search_by_key(&id, |slot| slot.id) else {
            return;
        };
        if !self.slots.get(at).is_some_and(|slot| slot.topics.markets) {
            return;
        }
        let open = self.data.markets().filter(|market| market.is_open());
        let specs: Vec<_> = open.map(|market| market.spec.clone()).collect();
        for spec in &specs {
            let event = StrategyEvent::MarketListed(spec);
            self.call_running(at, 0, turn, Told::Event(&event));
        }
    }

    pub(super) fn tell_opportunity(&mut self, seen: &Opportunity, turn: &mut Turn<'_>) {
        let wanted = |topics: Topics| topics.wants(seen.kind);
        for at in 0..self.slots.len() {
            let Some(slot) = self.slots.get(at) else {
                continue;
            };
            if !wanted(slot.topics) && !slot.standby.as_ref().is_some_and(|s| wanted(s.topics)) {
                continue;
            }
            let id = slot.id;
            let equity = self.equity();
            let free_capital = self
                .allocator
                .free(id, equity, &self.ledger, &self.config.allocation)
                .unwrap_or(Usd::ZERO);
            let event = StrategyEvent::Opportunity { seen, free_capital };
            self.call(at, 0, turn, Told::Event(&event));
        }
    }

    /// Wakes strategies whose time has come.
    pub(super) fn tell_timers(&mut self, turn: &mut Turn<'_>) {
        if turn.at < self.next_timer {
            return;
        }
        let timer = Told::Event(&StrategyEvent::Timer);
        for at in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(at) else {
                continue;
            };
            if slot.timer.is_some_and(|due| due <= turn.at) {
                slot.timer = None;
                turn.reschedule = true;
                self.call_running(at, 0, turn, timer);
            }
            self.wake_standby(at, turn);
        }
    }

    /// The timer of a standby is its own.
    fn wake_standby(&mut self, at: usize, turn: &mut Turn<'_>) {
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        let Some(standby) = slot.standby.as_mut() else {
            return;
        };
        if standby.timer.is_some_and(|due| due <= turn.at) {
            standby.timer = None;
            turn.reschedule = true;
            if !standby.tell(turn.at, Told::Event(&StrategyEvent::Timer)) {
                slot.standby = None;
                self.standbys_failed = self.standbys_failed.saturating_add(1);
            }
        }
    }

    /// Tells a slot: whoever stands by in it, and who runs.
    fn call(&mut self, at: usize, round: u8, turn: &mut Turn<'_>, told: Told<'_>) {
        let Self {
            slots,
            data,
            standbys_failed,
            ..
        } = self;
        let Some(slot) = slots.get_mut(at) else {
            return;
        };
        if let Some(standby) = slot.standby.as_mut()
            && told.is_wanted(standby.topics)
            && standby.grant.hears(told, data)
        {
            let timer = standby.timer;
            let lives = standby.tell(turn.at, told);
            turn.reschedule |= standby.timer != timer;
            if !lives {
                slot.standby = None;
                *standbys_failed = standbys_failed.saturating_add(1);
            }
        }
        if told.is_wanted(slot.topics) {
            self.call_running(at, round, turn, told);
        }
    }

    /// One call, unless it may not hear that, and what it answers.
    fn call_running(&mut self, at: usize, round: u8, turn: &mut Turn<'_>, told: Told<'_>) {
        let Self { slots, data, .. } = self;
        let Some(slot) = slots.get_mut(at).filter(|slot| slot.alive) else {
            return;
        };
        if slot.runtime.is_none() || !slot.grant.hears(told, data) {
            return;
        }
        if slot.heard.is_ahead() {
            self.was_heard(at, told, turn);
            return;
        }
        let Some(strategy) = slot.runtime.as_deref_mut() else {
            return;
        };
        slot.calls = slot.calls.saturating_add(1);
        self.output.clear();
        match told.to(strategy, turn.at, &mut self.output) {
            Ok(()) if self.output.is_empty() => {}
            Ok(()) => self.take_output(at, round, turn),
            Err(fault) => {
                self.output.clear();
                self.failed(at, fault, turn);
            }
        }
    }

    pub(super) fn take_output(&mut self, at: usize, round: u8, turn: &mut Turn<'_>) {
        if let (Some(wake_at), Some(slot)) = (self.output.wake_at, self.slots.get_mut(at)) {
            let wake_at = soonest(turn.at, wake_at);
            slot.timer = Some(slot.timer.map_or(wake_at, |timer| timer.min(wake_at)));
            turn.reschedule = true;
        }
        // Cancels first: orders of the same call are not meant.
        let mut cancels = core::mem::take(&mut self.output.cancels);
        let mut too_many = cancels.len() > MAX_CANCELS_PER_CALL;
        cancels.truncate(MAX_CANCELS_PER_CALL);
        if let Some(strategy) = self.slots.get(at).map(|slot| slot.id) {
            for tag in cancels.drain(..) {
                self.withdraw_tag(strategy, tag, turn);
            }
        }
        self.output.cancels = cancels;
        let mut intents = core::mem::take(&mut self.output.intents);
        too_many |= intents.len() > MAX_INTENTS_PER_CALL;
        let beyond = intents.len().saturating_sub(MAX_INTENTS_PER_CALL);
        self.flow.unread(beyond);
        intents.truncate(MAX_INTENTS_PER_CALL);
        for intent in intents.drain(..) {
            self.decide(at, &intent, round, turn);
        }
        self.output.intents = intents;
        if too_many {
            let fault = format!(
                "more than {MAX_INTENTS_PER_CALL} intents or {MAX_CANCELS_PER_CALL} cancels from one call"
            );
            self.failed(at, StrategyFault::Protocol(fault), turn);
        }
    }

    fn failed(&mut self, at: usize, fault: StrategyFault, turn: &mut Turn<'_>) {
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        slot.alive = false;
        slot.timer = None;
        slot.faults = slot.faults.saturating_add(1);
        let strategy = slot.id;
        turn.reschedule = true;
        self.emit(Effect::StrategyFailed { strategy, fault }, turn);
    }
}
