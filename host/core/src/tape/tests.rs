//! What the tape confirms, and when.

use super::*;
use crate::effect::{FillLevel, TradeStatus};
use crate::fixtures::{cents, market, shares};
use crate::ids::{IntentId, OpportunityId, Seq, StrategyId};
use crate::opportunity::OpportunityKind;
use crate::units::{Qty, Usd};

const FILL_MS: u64 = 1_100_000;

fn ms(ms: u64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// A purchase of instrument 0 at [`FILL_MS`] that walked these cents.
fn fill(n: u16, levels: &[i64]) -> TradeRecord {
    let spec = market(0);
    let seq = Seq(9);
    TradeRecord {
        id: TradeId { seq, n },
        at: ms(FILL_MS),
        opportunity: OpportunityId { seq, n },
        kind: OpportunityKind::Signal,
        intent: IntentId { seq, n },
        leg: 0,
        fill: 0,
        venue: spec.venue,
        market: spec.id,
        market_native_id: spec.native_id.clone(),
        market_slug: spec.slug.clone(),
        instrument: InstrumentId(0),
        outcome: "Yes".into(),
        buy: true,
        requested_qty: shares(5),
        qty: shares(5),
        price: cents(levels[0]),
        cost: Usd(1),
        fees: Usd(0),
        expected_edge: Usd(0),
        strategy: StrategyId(0),
        strategy_name: "s".into(),
        strategy_version: String::new(),
        strategy_digest: [0; 32],
        generation: 1,
        risk_approved: true,
        rejection: None,
        status: TradeStatus::Open,
        decided_at: ms(FILL_MS),
        arrived_at: ms(FILL_MS),
        decision_book_age: Nanos(0),
        fill_book_age: Nanos(0),
        book_epoch: 1,
        market_family: String::new(),
        closes_at: spec.closes_at,
        fee_rule: String::new(),
        maker: false,
        levels: levels
            .iter()
            .map(|price| FillLevel {
                price: cents(*price),
                qty: shares(1),
                fee: Usd(0),
            })
            .collect(),
    }
}

/// A print of that instrument at cents, at that time.
#[derive(Clone, Copy)]
struct Printed(u32, i64, Timestamp);

/// What the tape says of a fill with these prints before it and after it, in the end.
fn said(fill: &TradeRecord, before: &[Printed], after: &[Printed]) -> Vec<(Tape, Timestamp)> {
    let spec = market(0);
    let mut tape = TapeReader::default();
    let mut all = Vec::new();
    let mut see = |tape: &mut TapeReader, Printed(instrument, price, at): Printed| {
        while let Some(said) = tape.decide(at) {
            all.push(said);
        }
        let print = Print {
            instrument: InstrumentId(instrument),
            price: cents(price),
            qty: Qty(1),
            taker_bought: false,
            venue_time: at,
        };
        tape.printed(&print, &spec, at, &mut all);
    };
    for print in before {
        see(&mut tape, *print);
    }
    let at_once = tape.filled(fill, &spec);
    for print in after {
        see(&mut tape, *print);
    }
    all.extend(at_once);
    while let Some(said) = tape.decide(Timestamp(u64::MAX)) {
        all.push(said);
    }
    assert!(all.iter().all(|said| said.trade == fill.id));
    all.iter().map(|said| (said.tape, said.at)).collect()
}

#[test]
fn a_print_at_a_walked_price_confirms_whichever_outcome_it_names() {
    let near = ms(FILL_MS + 300);
    let two = fill(0, &[50, 52]);
    for (instrument, price, tape) in [
        (0, 50, Tape::Confirmed),
        (0, 51, Tape::Confirmed),
        (0, 52, Tape::Confirmed),
        (0, 49, Tape::NotSeen),
        (0, 53, Tape::NotSeen),
        // The other outcome at 1 − p is the same trade.
        (1, 50, Tape::Confirmed),
        (1, 48, Tape::Confirmed),
        (1, 47, Tape::NotSeen),
        (1, 51, Tape::NotSeen),
    ] {
        let said = said(&two, &[], &[Printed(instrument, price, near)]);
        let at = if tape == Tape::Confirmed {
            near
        } else {
            ms(FILL_MS + 1_000)
        };
        assert_eq!(said, [(tape, at)], "{instrument} at {price}");
    }
    // A fill of the second outcome, confirmed from both sides.
    let second = TradeRecord {
        instrument: InstrumentId(1),
        ..fill(0, &[30])
    };
    for (instrument, price) in [(1, 30), (0, 70)] {
        let print = Printed(instrument, price, near);
        assert_eq!(said(&second, &[], &[print]), [(Tape::Confirmed, near)]);
    }
    assert_eq!(
        said(&second, &[], &[Printed(0, 30, near)])[0].0,
        Tape::NotSeen
    );
}

#[test]
fn exactly_a_second_counts_and_a_nanosecond_more_does_not() {
    let one = fill(0, &[50]);
    let second = Timestamp(FILL_MS * 1_000_000 + 1_000_000_000);
    let before = Timestamp(FILL_MS * 1_000_000 - 1_000_000_000);
    let print = |at| Printed(0, 50, at);
    assert_eq!(
        said(&one, &[], &[print(second)]),
        [(Tape::Confirmed, second)]
    );
    let elsewhere = Printed(0, 20, one.at);
    assert_eq!(
        said(&one, &[elsewhere], &[print(Timestamp(second.0 + 1))]),
        [(Tape::NotSeen, second)]
    );
    assert_eq!(
        said(&one, &[print(before)], &[]),
        [(Tape::Confirmed, one.at)]
    );
    assert_eq!(
        said(&one, &[print(Timestamp(before.0 - 1))], &[]),
        [(Tape::NotSeen, second)]
    );
    // An old print of that price is no reason to overlook a new one.
    let old = print(Timestamp(before.0 - 1));
    assert_eq!(
        said(&one, &[old, print(one.at)], &[]),
        [(Tape::Confirmed, one.at)]
    );
}

#[test]
fn a_market_without_any_print_has_no_tape() {
    let one = fill(0, &[50]);
    let end = ms(FILL_MS + 1_000);
    assert_eq!(said(&one, &[], &[]), [(Tape::NoTape, end)]);
    // A print of long ago, at another price: the market has a tape.
    let print = Printed(1, 20, ms(FILL_MS - 90_000));
    assert_eq!(said(&one, &[print], &[]), [(Tape::NotSeen, end)]);
    // One that comes after the second was over says nothing of the fill.
    let late = Printed(0, 50, ms(FILL_MS + 5_000));
    assert_eq!(said(&one, &[], &[late]), [(Tape::NoTape, end)]);
}

#[test]
fn a_resting_order_is_confirmed_by_prints_beyond_its_price() {
    let near = ms(FILL_MS + 1);
    for (buy, price, tape) in [
        (true, 49, Tape::Confirmed),
        (true, 51, Tape::NotSeen),
        (false, 51, Tape::Confirmed),
        (false, 49, Tape::NotSeen),
    ] {
        let rested = TradeRecord {
            maker: true,
            buy,
            ..fill(0, &[50])
        };
        let said = said(&rested, &[], &[Printed(0, price, near)]);
        assert_eq!(said[0].0, tape, "{buy} {price}");
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let spec = market(0);
    let mut tape = TapeReader::default();
    let mut confirmed = Vec::new();
    for n in 0..3_000 {
        let print = Print {
            instrument: InstrumentId(0),
            price: Price(100_000 + n),
            qty: Qty(1),
            taker_bought: true,
            venue_time: ms(FILL_MS),
        };
        tape.printed(&print, &spec, ms(FILL_MS), &mut confirmed);
    }
    assert_eq!(tape.printed[&InstrumentId(0)].len(), TAPE_PRICES_MAX);
    let newest = tape.printed[&InstrumentId(0)].last().unwrap().0;
    assert_eq!(newest, Price(102_999));
    for n in 0..5_000 {
        assert_eq!(tape.filled(&fill(n, &[50]), &spec), None);
    }
    assert_eq!(tape.waiting.len(), TAPE_FILLS_MAX);
    let later = ms(FILL_MS + 1_500);
    let mut decided = 0;
    while tape.decide(later).is_some() {
        decided += 1;
    }
    assert_eq!(decided, TAPE_FILLS_MAX);
    tape.forget(&spec);
    assert!(tape.printed.is_empty());
}
