//! Tells strategies several quotes in one call, in a replay, and gets the same as one by one.
//!
//! A component's call costs more than most strategies' thinking. Whoever replays knows the records to come,
//! so the engine foretells the quotes that a row of level changes will lead to, and a strategy that can
//! take several at once ([`Strategy::on_quotes`]) hears them before they happen. It ends after the first
//! that it acts on, so it never knows more than it would; what it answered is kept, and used when the
//! record that it answers to is stepped.
//!
//! Exactness does not rest on foretelling well. Every quote that is told is compared with the one that was
//! foretold, and anything else that would be told to a strategy that has heard further ahead counts as
//! wrong: [`Engine::foretold_wrong`] then says that the replay must be done again without this.

use super::dispatch::{Slot, Told};
use super::grants::Grant;
use super::{Engine, Turn};
use crate::book::BookAhead;
use crate::event::{Event, Record};
use crate::ids::{InstrumentId, Seq, StrategyId, Timestamp};
use crate::market_data::MarketData;
use crate::strategy::{Output, Quote, Strategy};
use std::collections::VecDeque;

/// Most quotes of one call.
pub const AHEAD_QUOTES: usize = 64;
/// Most records that are looked at for them.
pub const AHEAD_RECORDS: usize = 1_024;
/// While no strategy can be told ahead, it is looked again after so many records.
const AGAIN_AFTER: u64 = 16;

/// A quote that a record will lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Foretold {
    seq: Seq,
    quote: Quote,
}

/// What a strategy has heard ahead.
#[derive(Debug, Default)]
pub(super) struct Heard {
    quotes: VecDeque<Foretold>,
    /// What it answered to the last of them.
    answer: Output,
    /// The last record that it needs no further look at.
    until: Seq,
}

impl Heard {
    /// Whether it knows of something that has not happened yet.
    pub(super) fn is_ahead(&self) -> bool {
        !self.quotes.is_empty()
    }
}

/// The engine's part of it; buffers that are reused.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The books that the row changes.
    books: Vec<(InstrumentId, BookAhead)>,
    in_use: usize,
    /// Instruments of the present message whose best changed.
    changed: Vec<InstrumentId>,
    quotes: Vec<(Timestamp, Quote)>,
    seqs: Vec<Seq>,
    /// Of both, what one strategy may hear.
    own: Vec<(Timestamp, Quote)>,
    own_seqs: Vec<Seq>,
    /// The first record from which a look may find something.
    from: Seq,
    wrong: bool,
}

impl Engine {
    /// Whether something that was told ahead did not happen so. What was concluded since is worth nothing.
    #[must_use]
    pub fn foretold_wrong(&self) -> bool {
        self.ahead.wrong
            || self.slots.iter().any(|slot| {
                let next = slot.heard.quotes.front();
                next.is_some_and(|next| next.seq <= self.last_seq)
            })
    }

    /// Before the first of these records is stepped: tells strategies ahead what they will hear. Only for
    /// records that will follow without anything in between.
    pub fn look_ahead(&mut self, upcoming: &[Record]) {
        let Some(first) = upcoming.first() else {
            return;
        };
        if first.seq < self.ahead.from || !self.touched.whole || self.ahead.wrong {
            return;
        }
        self.ahead.from = Seq(first.seq.0.saturating_add(AGAIN_AFTER));
        if !(0..self.slots.len()).any(|at| self.can_hear_ahead(at, first.seq)) {
            return;
        }
        let until = self.foretell(upcoming);
        if until < first.seq {
            return;
        }
        for at in 0..self.slots.len() {
            if self.can_hear_ahead(at, first.seq) {
                self.tell_ahead(at, until);
            }
        }
        let next = self.slots.iter().map(|slot| slot.heard.until.0);
        let next = next.filter(|until| *until >= first.seq.0).min();
        if let Some(until) = next {
            self.ahead.from = Seq(until.saturating_add(1));
        }
    }

    /// Whether nothing but quotes can come to it out of a row of level changes.
    fn can_hear_ahead(&self, at: usize, first: Seq) -> bool {
        let Some(slot) = self.slots.get(at) else {
            return false;
        };
        let topics = slot.topics;
        let scanned = topics.oracle_lag || topics.mispricing || topics.cross_platform;
        let batches = |strategy: &dyn Strategy| strategy.batch_max() > 0;
        slot.alive
            && slot.standby.is_none()
            && topics.quotes
            && !scanned
            && first > slot.heard.until
            && !slot.heard.is_ahead()
            && slot.runtime.as_deref().is_some_and(batches)
    }

    /// The quotes that the row of level changes at the front leads to, and its last record. It ends where
    /// something else comes, something falls due, or the top of a book can not be told.
    fn foretell(&mut self, upcoming: &[Record]) -> Seq {
        let due = self.next_due.min(self.data.next_close());
        let Self { ahead, data, .. } = self;
        ahead.in_use = 0;
        ahead.quotes.clear();
        ahead.seqs.clear();
        ahead.changed.clear();
        let mut until = Seq(0);
        for record in upcoming.iter().take(AHEAD_RECORDS) {
            let Event::Level(level) = &record.event else {
                break;
            };
            if record.at >= due || ahead.quotes.len() >= AHEAD_QUOTES {
                break;
            }
            let used = ahead.books.get(..ahead.in_use).unwrap_or_default();
            let known = used.iter().position(|(one, _)| *one == level.instrument);
            let at = known.or_else(|| {
                let book = data.book(level.instrument)?;
                Some(ahead.begin(level.instrument, book))
            });
            if let Some((_, top)) = at.and_then(|at| ahead.books.get_mut(at)) {
                let Some(changed) = top.apply(level) else {
                    break;
                };
                if changed && !ahead.changed.contains(&level.instrument) {
                    ahead.changed.push(level.instrument);
                }
            }
            if level.more {
                continue;
            }
            until = record.seq;
            for instrument in ahead.changed.drain(..) {
                let used = ahead.books.iter().take(ahead.in_use);
                let top = used
                    .filter(|(one, _)| *one == instrument)
                    .map(|(_, top)| top);
                for top in top {
                    ahead.quotes.push((record.at, top.quote(instrument)));
                    ahead.seqs.push(record.seq);
                }
            }
        }
        until
    }

    fn tell_ahead(&mut self, at: usize, until: Seq) {
        let Self {
            ahead, slots, data, ..
        } = self;
        let Some(slot) = slots.get_mut(at) else {
            return;
        };
        let Slot {
            runtime,
            heard,
            grant,
            ..
        } = slot;
        let Some(strategy) = runtime.as_deref_mut() else {
            return;
        };
        heard.until = until;
        ahead.choose(grant, data);
        let mut told = 0;
        while told < ahead.own.len() {
            let most = strategy.batch_max().clamp(1, AHEAD_QUOTES);
            let batch = ahead.own.iter().skip(told).take(most);
            let batch: &[(Timestamp, Quote)] = {
                let end = told.saturating_add(batch.len());
                ahead.own.get(told..end).unwrap_or_default()
            };
            heard.answer.clear();
            let taken = strategy.on_quotes(batch, &mut heard.answer);
            let Some(taken) = taken.ok().filter(|n| (1..=batch.len()).contains(n)) else {
                ahead.wrong = true;
                return;
            };
            let end = told.saturating_add(taken);
            let seqs = ahead.own_seqs.get(told..end).unwrap_or_default();
            let quotes = ahead.own.get(told..end).unwrap_or_default();
            let foretold = seqs.iter().zip(quotes);
            heard
                .quotes
                .extend(foretold.map(|(seq, (_, quote))| Foretold {
                    seq: *seq,
                    quote: *quote,
                }));
            told = end;
            if !heard.answer.is_empty() {
                heard.until = seqs.last().copied().unwrap_or(until);
                return;
            }
            if taken < batch.len() {
                // It stopped for something that has no consequence: a wish that was not taken.
                continue;
            }
        }
    }

    /// Something is due to be told to a strategy that is ahead: it must be what it heard. The answer to it is
    /// used then.
    pub(super) fn was_heard(&mut self, at: usize, told: Told<'_>, turn: &mut Turn<'_>) {
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        let Some(next) = slot.heard.quotes.pop_front() else {
            return;
        };
        let is_it = |quote| {
            next == (Foretold {
                seq: turn.seq,
                quote,
            })
        };
        if !matches!(told, Told::Quote(quote) if is_it(*quote)) {
            self.ahead.wrong = true;
            return;
        }
        slot.calls = slot.calls.saturating_add(1);
        if slot.heard.quotes.is_empty() && !slot.heard.answer.is_empty() {
            self.output.clear();
            core::mem::swap(&mut self.output, &mut slot.heard.answer);
            self.take_output(at, 0, turn);
        }
    }

    /// It is replaced.
    pub(super) fn must_not_be_ahead(&mut self, id: StrategyId) {
        let ahead = |slot: &Slot| slot.id == id && slot.heard.is_ahead();
        self.ahead.wrong |= self.slots.iter().any(ahead);
    }
}

impl Ahead {
    /// What of the row one strategy may hear.
    fn choose(&mut self, grant: &mut Grant, data: &MarketData) {
        self.own.clear();
        self.own_seqs.clear();
        if grant.is_wide() {
            self.own.extend_from_slice(&self.quotes);
            self.own_seqs.extend_from_slice(&self.seqs);
            return;
        }
        for (quote, seq) in self.quotes.iter().zip(&self.seqs) {
            if grant.covers_instrument(quote.1.instrument, data) {
                self.own.push(*quote);
                self.own_seqs.push(*seq);
            }
        }
    }

    fn begin(&mut self, instrument: InstrumentId, book: &crate::book::OrderBook) -> usize {
        let at = self.in_use;
        if self.books.len() == at {
            self.books.push((instrument, BookAhead::default()));
        }
        if let Some((one, top)) = self.books.get_mut(at) {
            *one = instrument;
            top.begin(book);
        }
        self.in_use = at.saturating_add(1);
        at
    }
}
