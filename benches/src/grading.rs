//! Row `grading`: what a wish costs the engine, from the quote that led to it to its rows.
//!
//! Wishes that risk approves, one at every [`WISH_EVERY`]th quote, alternately buying and selling, beside
//! the same strategy that only looks. What lies between the two is the wish: judged, reserved, graded,
//! sent, filled, booked and told. Beside it, grading alone: what the naive and the mid executor would
//! have made of as many wishes, on a market and a book of the stream. The third executor, the honest one,
//! is the wish's own way through the engine.

use crate::Settings;
use crate::measure::{Case, Goal, Outcome, Row, interleave, nanos};
use crate::native;
use crate::replay::{self, Entrant, SEED};
use crate::stream::Stream;
use crate::trader::Trader;
use pm_arb_core::book::OrderBook;
use pm_arb_core::effect::{Effect, Message};
use pm_arb_core::event::{Event, Record};
use pm_arb_core::grade;
use pm_arb_core::ids::InstrumentId;
use pm_arb_core::strategy::IntentLeg;
use pm_arb_core::units::{Price, Qty};

/// Quotes from one wish to the next.
const WISH_EVERY: u64 = 8;
/// No limit that matters.
const WISHES_A_SECOND: u32 = 1_000;

fn entrant(every: u64) -> Vec<Entrant> {
    vec![(Box::new(Trader::new(every, false)), "trader".to_owned())]
}

/// What became of the wishes.
#[derive(Debug, Default)]
struct Wishes {
    approved: usize,
    denied: usize,
    recorded: usize,
    rows: usize,
}

impl Wishes {
    fn of(records: &[Record]) -> Self {
        let mut wishes = Self::default();
        let mut engine = replay::engine(records, entrant(WISH_EVERY), &mut |_, _| {});
        let mut effects = Vec::new();
        for record in records.iter().skip(native::PREAMBLE) {
            engine.step(record, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::RecordIntent(_) => wishes.recorded += 1,
                    Effect::RecordTrade(_) => wishes.rows += 1,
                    Effect::Publish(message) => match *message {
                        Message::Decision(said) if said.verdict.is_ok() => wishes.approved += 1,
                        Message::Decision(_) => wishes.denied += 1,
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
        wishes
    }
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let stream = Stream::generate(SEED, settings.updates / 4);
    let mut records = native::records(&stream);
    if let Some(Record {
        event: Event::Configured(config),
        ..
    }) = records.first_mut()
    {
        config.risk.intents_per_second = WISHES_A_SECOND;
    }
    let wishes = Wishes::of(&records);
    notes.push(format!("grading: {wishes:?}"));
    let run = |every| {
        let records = &records;
        move |watch: &mut crate::measure::Stopwatch| {
            let mut engine = replay::engine(records, entrant(every), &mut |_, _| {});
            watch.time(|| replay::run(&mut engine, records));
            Ok(())
        }
    };
    let (market, mut book) = (
        native::market(0),
        OrderBook::new(Price(crate::stream::TICK)),
    );
    let opening = native::book(InstrumentId(0), &stream);
    let taken = book.apply_snapshot(&opening, native::at(0));
    taken.map_err(|reason| format!("the first book: {reason}"))?;
    let (ask, _) = book.best_ask().ok_or("the first book has no ask")?;
    let leg = IntentLeg {
        instrument: InstrumentId(0),
        buy: true,
        limit: Price(ask.0 + native::REACH),
    };
    let mut cases = [
        Case::new("wishes", run(WISH_EVERY)),
        Case::new("looks", run(0)),
        Case::new("grades", |watch| {
            watch.time(|| {
                for _ in 0..wishes.approved {
                    let leg = std::hint::black_box(&leg);
                    let graded =
                        grade::leg(0, leg, &market, Some(&book), Some(Qty(native::SHARES)));
                    std::hint::black_box(graded);
                }
            });
            Ok(())
        }),
    ];
    let times = interleave(settings.rounds, &mut cases)?;
    let [with, without, grades] = times.as_slice() else {
        return Err("a case is missing".into());
    };
    let graded = grades.best() * 1e9 / wishes.approved.max(1) as f64;
    let whole = (with.best() - without.best()).max(0.0) * 1e9 / wishes.approved.max(1) as f64;
    Ok(vec![
        Row::figure(
            "an approved wish, from its quote to its rows",
            nanos(whole),
            "-",
            Goal::None,
        ),
        Row {
            what: "of it, its grades by the naive and the mid executor (part of the whole)"
                .to_owned(),
            ours: nanos(graded),
            theirs: nanos(whole),
            best: graded / whole,
            median: f64::NAN,
            goal: Goal::None,
        },
    ])
}
