//! Strategies that hear several quotes in one call do the same as those that hear them one by one.

use super::world::{World, buy, sell};
use crate::capabilities::{Capabilities, Scope};
use crate::effect::Effect;
use crate::engine::AHEAD_QUOTES;
use crate::event::{BookSide, Event, LevelChange, Record, StrategyChange, StrategyChangeKind};
use crate::ids::{InstrumentId, Seq, StrategyId, Timestamp, Venue};
use crate::strategy::{Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault, Topics};
use crate::units::{Price, Qty};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Acts on every quote whose digits say so; remembers all it heard in one number.
struct Fickle {
    batch: usize,
    heard: u64,
    /// It acts on four quotes of so many.
    of: u64,
    calls: Arc<AtomicUsize>,
}

impl Strategy for Fickle {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let ask = quote.ask.map_or(0, |(price, qty)| price.0 + qty.0);
        self.heard = self
            .heard
            .wrapping_mul(31)
            .wrapping_add(ask.unsigned_abs() ^ now.0);
        let cents = quote.ask.map_or(50, |(price, _)| price.0 / 10_000);
        match self.heard % self.of {
            0 => out.intents.push(buy(quote.instrument.0, cents, 10)),
            1 => out.intents.push(sell(quote.instrument.0, cents - 2, 5)),
            2 => out.cancels.push(1),
            3 => out.wake_at = Some(Timestamp(now.0 + 40_000_000)),
            _ => {}
        }
        Ok(())
    }

    fn on_event(
        &mut self,
        now: Timestamp,
        _: &StrategyEvent<'_>,
        _: &mut Output,
    ) -> Result<(), StrategyFault> {
        self.heard = self.heard.wrapping_mul(37).wrapping_add(now.0);
        Ok(())
    }

    fn batch_max(&self) -> usize {
        self.batch
    }

    fn on_quotes(
        &mut self,
        quotes: &[(Timestamp, Quote)],
        out: &mut Output,
    ) -> Result<usize, StrategyFault> {
        let calls = self.calls.load(Ordering::Relaxed);
        for (n, (now, quote)) in quotes.iter().enumerate() {
            self.on_quote(*now, quote, out)?;
            if !out.is_empty() {
                self.calls.store(calls + 1, Ordering::Relaxed);
                return Ok(n + 1);
            }
        }
        self.calls.store(calls + 1, Ordering::Relaxed);
        Ok(quotes.len())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(self.heard.to_le_bytes().to_vec())
    }
}

fn levels(seeds: &[(u8, bool, u8, u8, u8, bool)]) -> Vec<Event> {
    let level = |&(instrument, bid, cents, qty, late, more): &(u8, bool, u8, u8, u8, bool)| {
        Event::Level(LevelChange {
            instrument: InstrumentId(u32::from(instrument)),
            side: if bid { BookSide::Bid } else { BookSide::Ask },
            more,
            price: Price(i64::from(cents) * 10_000),
            qty: Qty(i64::from(qty) * 1_000_000),
            venue_time: Timestamp(u64::MAX / 2 + u64::from(late)),
        })
    };
    seeds.iter().map(level).collect()
}

fn enter(w: &mut World, fickle: Fickle, may: &Capabilities) {
    let id = StrategyId(5);
    w.step(Event::Strategy(Box::new(StrategyChange {
        id,
        kind: StrategyChangeKind::Granted(Box::new(may.clone())),
    })));
    w.engine.install(id, Box::new(fickle));
    w.step(Event::Strategy(Box::new(StrategyChange {
        id,
        kind: StrategyChangeKind::Loaded {
            manifest: Manifest {
                name: "fickle".to_owned(),
                version: "1".to_owned(),
                topics: Topics {
                    quotes: true,
                    ..Topics::default()
                },
            },
            digest: [0; 32],
            generation: 1,
            params: Vec::new(),
            restored: false,
        },
    })));
}

/// Effects, calls across the boundary, and whether anything was foretold wrong.
fn run(
    events: &[Event],
    gaps: &[u64],
    batch: usize,
    of: u64,
    may: &Capabilities,
) -> (Vec<(Seq, Effect)>, usize, bool) {
    let mut w = World::new();
    w.market(1, |spec| spec.venue = Venue::Kalshi);
    w.book(0, &[(48, 30), (47, 20)], &[(50, 30), (51, 20)]);
    w.book(1, &[(40, 30)], &[(42, 30), (45, 10)]);
    let calls = Arc::new(AtomicUsize::new(0));
    let fickle = Fickle {
        batch,
        heard: 1,
        of,
        calls: Arc::clone(&calls),
    };
    enter(&mut w, fickle, may);
    let mut at = w.now;
    let records: Vec<Record> = (w.seq() + 1..)
        .zip(events)
        .zip(gaps.iter().cycle())
        .map(|((seq, event), gap)| {
            at.0 += gap * 1_000_000;
            Record {
                seq: Seq(seq),
                at,
                event: event.clone(),
            }
        })
        .collect();
    let mut all = Vec::new();
    let mut effects = Vec::new();
    for n in 0..records.len() {
        if batch > 0 {
            w.engine.look_ahead(&records[n..]);
        }
        w.engine.step(&records[n], &mut effects);
        all.extend(effects.drain(..).map(|effect| (records[n].seq, effect)));
    }
    w.engine.audit().unwrap();
    let calls = calls.load(Ordering::Relaxed);
    (all, calls, w.engine.foretold_wrong())
}

proptest! {
    #[test]
    fn the_same_comes_of_it(
        seeds in prop::collection::vec(
            (0..5_u8, any::<bool>(), 38..56_u8, 0..4_u8, 0..3_u8, prop::bool::weighted(0.2)),
            1..400,
        ),
        gaps in prop::collection::vec(0..25_u64, 1..40),
        batch in 1..80_usize,
        of in 5..400_u64,
        venue in prop::option::of(0..2_usize),
    ) {
        let may = Capabilities {
            venues: venue.map_or(Scope::All, |n| Scope::Only([Venue::ALL[n]].into())),
            ..Capabilities::default()
        };
        let events = levels(&seeds);
        let (one_by_one, ..) = run(&events, &gaps, 0, of, &may);
        let (ahead, _, wrong) = run(&events, &gaps, batch, of, &may);
        prop_assert!(!wrong, "level changes alone are always foretold rightly");
        prop_assert_eq!(one_by_one, ahead);
    }
}

#[test]
fn a_calm_row_takes_few_calls() {
    let seeds: Vec<_> = (0..600_u32)
        .map(|n| (0, n % 2 == 0, 49, (n % 3) as u8, 0, false))
        .collect();
    let events = levels(&seeds);
    let (_, one_by_one, _) = run(&events, &[1], 0, 4_001, &Capabilities::default());
    let (_, ahead, wrong) = run(&events, &[1], AHEAD_QUOTES, 4_001, &Capabilities::default());
    assert!(!wrong);
    assert!(
        one_by_one > 300 && ahead * 4 < one_by_one,
        "{one_by_one} calls, {ahead} ahead"
    );
}

#[test]
fn what_was_not_foretold_is_noticed() {
    let mut w = World::new();
    w.book(0, &[(48, 30)], &[(50, 30)]);
    let fickle = Fickle {
        batch: 8,
        heard: 1,
        of: 61,
        calls: Arc::default(),
    };
    enter(&mut w, fickle, &Capabilities::default());
    let upcoming = Record {
        seq: Seq(w.seq() + 1),
        at: w.now,
        event: levels(&[(0, false, 49, 7, 0, false)]).remove(0),
    };
    w.engine.look_ahead(std::slice::from_ref(&upcoming));
    assert!(!w.engine.foretold_wrong());
    // Something else comes instead.
    w.book(0, &[(45, 30)], &[(52, 30)]);
    assert!(w.engine.foretold_wrong());
}
