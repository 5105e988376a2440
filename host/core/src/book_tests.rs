//! Books against hand-made cases and against a map as the model.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const I: InstrumentId = InstrumentId(0);
const CENT: Price = Price(10_000);

fn cents(c: i64) -> Price {
    Price(c * 10_000)
}

fn shares(n: i64) -> Qty {
    Qty(n * ONE)
}

fn snapshot(ms: u64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> BookSnapshot {
    let side = |s: &[(i64, i64)]| s.iter().map(|&(p, q)| (cents(p), shares(q))).collect();
    BookSnapshot {
        instrument: I,
        more: false,
        venue_time: Timestamp::from_ms(ms),
        bids: side(bids),
        asks: side(asks),
    }
}

fn change(ms: u64, side: BookSide, price: Price, qty: Qty) -> LevelChange {
    LevelChange {
        instrument: I,
        side,
        more: false,
        price,
        qty,
        venue_time: Timestamp::from_ms(ms),
    }
}

fn live(bids: &[(i64, i64)], asks: &[(i64, i64)]) -> OrderBook {
    let mut book = OrderBook::new(CENT);
    book.apply_snapshot(&snapshot(1, bids, asks), Timestamp::from_ms(1))
        .unwrap();
    book
}

#[test]
fn levels_before_a_snapshot_mean_nothing() {
    let mut book = OrderBook::new(CENT);
    let set = change(1, BookSide::Bid, cents(48), shares(5));
    assert_eq!(book.apply_level(&set, Timestamp(1)), Err(Reason::NoBook));
    assert_eq!(
        book.usable(true, Timestamp(1), Nanos(9)),
        Err(Reason::NoBook)
    );
    assert_eq!(book.best_bid(), None);
}

#[test]
fn best_changes_are_told_apart() {
    let mut book = live(&[(47, 10), (48, 5)], &[(53, 7), (52, 3)]);
    assert_eq!(book.best_bid(), Some((cents(48), shares(5))));
    assert_eq!(book.best_ask(), Some((cents(52), shares(3))));
    // (side, price, size) → (best changed, best price changed)
    let cases = [
        (BookSide::Bid, 48, 6, true, false),
        (BookSide::Bid, 48, 6, false, false),
        (BookSide::Bid, 47, 1, false, false),
        (BookSide::Bid, 40, 1, false, false),
        (BookSide::Bid, 40, 0, false, false),
        (BookSide::Bid, 30, 0, false, false),
        (BookSide::Bid, 49, 2, true, true),
        (BookSide::Bid, 49, 0, true, true),
        (BookSide::Ask, 51, 2, true, true),
        (BookSide::Ask, 51, 0, true, true),
        (BookSide::Ask, 52, 0, true, true),
        (BookSide::Ask, 53, 0, true, true),
    ];
    for (n, (side, price, qty, best, best_price)) in cases.into_iter().enumerate() {
        let got = book.apply_level(&change(2, side, cents(price), shares(qty)), Timestamp(2));
        let want = BookChange {
            best_changed: best,
            best_price_changed: best_price,
        };
        assert_eq!(got, Ok(want), "case {n}");
    }
    assert_eq!(book.best_ask(), None);
    assert_eq!(book.best_bid(), Some((cents(48), shares(6))));
}

#[test]
fn what_can_not_be_true_is_refused_and_changes_nothing() {
    let mut book = live(&[(48, 5)], &[(52, 3)]);
    let before = format!("{book:?}");
    let levels = [
        (
            change(2, BookSide::Bid, Price(0), shares(1)),
            Reason::PriceOutOfRange,
        ),
        (
            change(2, BookSide::Ask, Price::DOLLAR, shares(1)),
            Reason::PriceOutOfRange,
        ),
        (
            change(2, BookSide::Ask, Price(-10_000), shares(1)),
            Reason::PriceOutOfRange,
        ),
        (
            change(2, BookSide::Ask, Price(i64::MAX), shares(1)),
            Reason::PriceOutOfRange,
        ),
        (
            change(2, BookSide::Bid, Price(485_000), shares(1)),
            Reason::OffTick,
        ),
        (
            change(2, BookSide::Bid, cents(48), Qty(-1)),
            Reason::MalformedFrame,
        ),
        (
            change(0, BookSide::Bid, cents(48), shares(1)),
            Reason::OutOfOrder,
        ),
    ];
    for (level, reason) in levels {
        assert_eq!(
            book.apply_level(&level, Timestamp(2)),
            Err(reason),
            "{level:?}"
        );
    }
    let snapshots = [
        (snapshot(0, &[(48, 5)], &[]), Reason::OutOfOrder),
        (
            snapshot(2, &[(48, 5)], &[(100, 1)]),
            Reason::PriceOutOfRange,
        ),
        (snapshot(2, &[(48, 5)], &[(52, -1)]), Reason::MalformedFrame),
        (
            snapshot(2, &[(47, 5), (48, 1), (47, 5)], &[]),
            Reason::MalformedFrame,
        ),
        (
            snapshot(2, &[(47, 5), (47, 5)], &[]),
            Reason::MalformedFrame,
        ),
    ];
    for (snapshot, reason) in snapshots {
        assert_eq!(
            book.apply_snapshot(&snapshot, Timestamp(2)),
            Err(reason),
            "{snapshot:?}"
        );
    }
    assert_eq!(format!("{book:?}"), before);
}

#[test]
fn usable_says_why_not() {
    type Side<'a> = &'a [(i64, i64)];
    type Verdict = Result<(), Reason>;
    let now = Timestamp::from_ms(2);
    let age = Nanos::from_ms(5);
    let cases: [(Side, Side, Verdict, Verdict); 6] = [
        (&[(48, 1)], &[(52, 1)], Ok(()), Ok(())),
        (&[(48, 1)], &[], Err(Reason::OneSidedBook), Ok(())),
        (&[], &[(52, 1)], Ok(()), Err(Reason::OneSidedBook)),
        (
            &[(52, 1)],
            &[(52, 1)],
            Err(Reason::CrossedBook),
            Err(Reason::CrossedBook),
        ),
        (
            &[(1, 9)],
            &[(99, 9)],
            Err(Reason::PlaceholderBook),
            Err(Reason::PlaceholderBook),
        ),
        (&[(1, 9)], &[(98, 9)], Ok(()), Ok(())),
    ];
    for (bids, asks, buy, sell) in cases {
        let book = live(bids, asks);
        assert_eq!(book.usable(true, now, age), buy, "{bids:?} {asks:?}");
        assert_eq!(book.usable(false, now, age), sell, "{bids:?} {asks:?}");
    }
    let book = live(&[(48, 1)], &[(52, 1)]);
    assert_eq!(book.usable(true, Timestamp::from_ms(6), age), Ok(()));
    assert_eq!(
        book.usable(true, Timestamp::from_ms(7), age),
        Err(Reason::StaleBook)
    );
}

#[test]
fn an_interruption_forgets_the_levels_and_counts() {
    let mut book = live(&[(48, 1)], &[(52, 1)]);
    book.interrupt();
    assert_eq!(
        (book.best_bid(), book.best_ask(), book.epoch()),
        (None, None, 1)
    );
    assert_eq!(
        book.usable(true, Timestamp::from_ms(1), Nanos(9)),
        Err(Reason::NoBook)
    );
    let level = change(9, BookSide::Bid, cents(40), shares(1));
    assert_eq!(book.apply_level(&level, Timestamp(9)), Err(Reason::NoBook));
    // The same levels again are news: nothing was known in between.
    let again = book.apply_snapshot(&snapshot(1, &[(48, 1)], &[(52, 1)]), Timestamp(9));
    assert!(again.unwrap().best_price_changed);

    book.set_tick(Price(1_000));
    assert_eq!(
        (book.is_live(), book.epoch(), book.tick()),
        (false, 2, Price(1_000))
    );
    let mut fine = snapshot(10, &[], &[]);
    fine.bids = vec![(Price(481_000), shares(2))];
    assert!(book.apply_snapshot(&fine, Timestamp(10)).is_ok());
    assert_eq!(book.best_bid(), Some((Price(481_000), shares(2))));
}

#[test]
fn available_stops_at_the_limit() {
    let book = live(&[(46, 1), (47, 2), (48, 4)], &[(54, 16), (53, 8), (52, 32)]);
    for (buy, limit, want) in [
        (true, 51, 0),
        (true, 52, 32),
        (true, 53, 40),
        (true, 60, 56),
        (false, 49, 0),
        (false, 47, 6),
        (false, 1, 7),
    ] {
        assert_eq!(
            book.available(buy, cents(limit)),
            shares(want),
            "{buy} {limit}"
        );
    }
    let asks: Vec<_> = book.asks().map(|(p, _)| p.0 / 10_000).collect();
    assert_eq!(asks, [52, 53, 54]);
    let bids: Vec<_> = book.bids().map(|(p, _)| p.0 / 10_000).collect();
    assert_eq!(bids, [48, 47, 46]);
}

#[test]
fn a_tick_that_is_no_grid_accepts_nothing() {
    for tick in [Price(0), Price(-10_000), Price::DOLLAR] {
        let mut book = OrderBook::new(tick);
        assert_eq!(
            book.apply_snapshot(&snapshot(1, &[(48, 1)], &[]), Timestamp(1)),
            Err(Reason::OffTick)
        );
    }
}

proptest! {
    /// Any sequence of levels, in any order, leaves what a map would hold, and every change of a
    /// best is told.
    #[test]
    fn a_book_is_a_map(changes in prop::collection::vec((any::<bool>(), 1_i64..100, 0_i64..4), 0..200)) {
        let mut book = live(&[], &[]);
        let mut bids = BTreeMap::new();
        let mut asks = BTreeMap::new();
        for (bid, price, qty) in changes {
            let (side, model) = if bid { (BookSide::Bid, &mut bids) } else { (BookSide::Ask, &mut asks) };
            let best = |m: &BTreeMap<i64, i64>| {
                let level = if bid { m.last_key_value() } else { m.first_key_value() };
                level.map(|(p, q)| (*p, *q))
            };
            let before = best(model);
            if qty == 0 { model.remove(&price); } else { model.insert(price, qty); }
            let after = best(model);
            let got = book.apply_level(&change(1, side, cents(price), shares(qty)), Timestamp(1)).unwrap();
            prop_assert_eq!(got.best_changed, before != after);
            prop_assert_eq!(got.best_price_changed, before.map(|l| l.0) != after.map(|l| l.0));
        }
        let whole = |m: &BTreeMap<i64, i64>| m.iter().map(|(p, q)| (cents(*p), shares(*q))).collect::<Vec<_>>();
        let mut want_bids = whole(&bids);
        want_bids.reverse();
        prop_assert_eq!(book.bids().collect::<Vec<_>>(), want_bids);
        prop_assert_eq!(book.asks().collect::<Vec<_>>(), whole(&asks));
    }

    /// A snapshot gives the same book in whatever order its levels come.
    #[test]
    fn snapshots_are_read_in_any_order(
        levels in prop::collection::btree_map(1_i64..100, 0_i64..4, 0..60)
            .prop_flat_map(|m| (Just(m.clone()), Just(m.into_iter().collect::<Vec<_>>()).prop_shuffle())),
    ) {
        let (model, shuffled) = levels;
        let book = live(&shuffled, &shuffled);
        let want: Vec<_> = model.iter().filter(|(_, q)| **q > 0).map(|(p, q)| (cents(*p), shares(*q))).collect();
        prop_assert_eq!(book.asks().collect::<Vec<_>>(), want.clone());
        prop_assert_eq!(book.bids().collect::<Vec<_>>(), want.into_iter().rev().collect::<Vec<_>>());
    }
}
