//! Row `honest`: book events a second through the engine while a strategy trades under honest fills.
//!
//! The stream of `replay` with a trade print every [`PRINT_EVERY`] updates, alternately at the best bid
//! and at the best ask. The strategy wishes at every [`WISH_EVERY`]th quote (about seven times a second of
//! the stream): it buys, sells, and leaves bids that wait for prints. Every order travels 50 ms, walks the
//! book it arrives at, takes what it takes, pays its fees and ends in rows. Beside it: the same records
//! with no strategy at all.

use crate::Settings;
use crate::measure::{Case, Goal, Outcome, Row, interleave};
use crate::native;
use crate::replay::{self, Entrant, SEED};
use crate::stream::Stream;
use crate::trader::Trader;
use pm_arb_core::book::OrderBook;
use pm_arb_core::event::{Event, Print, Record};
use pm_arb_core::ids::Seq;
use pm_arb_core::units::{Price, Qty};

/// Updates from one print to the next.
const PRINT_EVERY: usize = 20;
/// Quotes from one wish to the next.
const WISH_EVERY: u64 = 40;
/// Size of a print: forty shares.
const PRINTED: Qty = Qty(40_000_000);

/// The records with prints among them, numbered anew.
fn with_prints(records: Vec<Record>) -> Outcome<Vec<Record>> {
    let mut book = OrderBook::new(Price(crate::stream::TICK));
    let mut all = Vec::with_capacity(records.len() + records.len() / PRINT_EVERY);
    for (n, record) in records.into_iter().enumerate() {
        let at = record.at;
        let mut print = None;
        match &record.event {
            Event::Snapshot(snapshot) => _ = book.apply_snapshot(snapshot, at),
            Event::Level(level) => {
                let taken = book.apply_level(level, at);
                taken.map_err(|reason| format!("update {n}: {reason}"))?;
                let buy = (n / PRINT_EVERY).is_multiple_of(2);
                let best = if buy {
                    book.best_ask()
                } else {
                    book.best_bid()
                };
                if n.is_multiple_of(PRINT_EVERY)
                    && let Some((price, _)) = best
                {
                    print = Some(Print {
                        instrument: level.instrument,
                        price,
                        qty: PRINTED,
                        taker_bought: buy,
                        venue_time: level.venue_time,
                    });
                }
            }
            _ => {}
        }
        let mut push = |event| {
            let seq = Seq(all.len() as u64 + 1);
            all.push(Record { seq, at, event });
        };
        push(record.event);
        if let Some(print) = print {
            push(Event::Print(print));
        }
    }
    Ok(all)
}

fn trader() -> Vec<Entrant> {
    vec![(Box::new(Trader::new(WISH_EVERY, true)), "trader".to_owned())]
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let stream = Stream::generate(SEED, settings.updates);
    let records = with_prints(native::records(&stream))?;
    let count = (records.len() - native::PREAMBLE) as f64;
    let (_, words) = replay::digest(&records, trader(), false)?;
    notes.push(format!("honest: {count} book events and prints; {words}"));
    let wishes = words
        .split(", ")
        .find_map(|part| part.strip_suffix(" intents")?.parse::<f64>().ok())
        .ok_or("the number of intents is not told")?;

    let mut cases = [
        Case::new("trading", |watch| {
            let mut engine = replay::engine(&records, trader(), &mut |_, _| {});
            watch.time(|| replay::run(&mut engine, &records));
            Ok(())
        }),
        Case::new("no strategy", |watch| {
            let mut engine = replay::engine(&records, Vec::new(), &mut |_, _| {});
            watch.time(|| replay::run(&mut engine, &records));
            Ok(())
        }),
    ];
    let times = interleave(settings.rounds, &mut cases)?;
    let [trading, none] = times.as_slice() else {
        return Err("a case is missing".into());
    };
    let rate = |seconds: f64| format!("{:.1} M/s", count / seconds / 1e6);
    let a_wish = (trading.best() - none.best()).max(0.0) * 1e9 / wishes;
    Ok(vec![
        Row::longer(
            "an event with honest fills on, beside the same events without a strategy (times as long)",
            (trading, none),
            count,
            Goal::None,
        ),
        Row::figure(
            "the same as book events a second",
            rate(trading.best()),
            &rate(none.best()),
            Goal::None,
        ),
        Row::figure(
            "what a wish costs in all, quotes that led to none included",
            crate::measure::nanos(a_wish),
            "-",
            Goal::None,
        ),
    ])
}
