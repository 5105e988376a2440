//! What messages touch, when strikes are known, and what is forgotten.

use super::*;
use crate::event::{BookSide, Resolution};
use crate::fixtures::*;
use crate::market::{ExclusiveSet, SettlementRule};
use crate::units::Qty;

fn desk(events: impl IntoIterator<Item = Event>) -> Desk {
    let mut desk = Desk::default();
    desk.all(900_000, events);
    desk
}

fn strike(desk: &Desk, market: u32) -> Option<SpotPrice> {
    desk.data.market(MarketId(market)).unwrap().strike
}

#[test]
fn a_message_is_told_whole_and_each_instrument_once() {
    let mut d = desk([listed(market(0))]);
    d.all(901_000, [more(book(0, 1, (48, 9), (52, 9)))]);
    assert!(!d.touched.whole);
    d.all(901_000, [book(1, 1, (48, 9), (52, 9))]);
    assert!(d.touched.whole);
    assert_eq!(d.touched.quotes, [InstrumentId(0), InstrumentId(1)]);

    // The last level of the message is refused: the message still ends, with what was accepted.
    let bid = |p, q| Event::Level(level(0, 2, BookSide::Bid, (p, q)));
    d.all(
        902_000,
        [more(bid(49, 1)), more(bid(49, 2)), more(bid(40, 1))],
    );
    assert_eq!(d.apply(902_000, bid(0, 1)), Err(Reason::PriceOutOfRange));
    assert!(d.touched.whole);
    assert_eq!(d.touched.quotes, [InstrumentId(0)]);

    // A change below the best touches nothing.
    d.all(903_000, [bid(41, 1)]);
    assert!(d.touched.is_empty());
    // A message that broke off ends with the next fact of another kind.
    d.all(904_000, [more(bid(50, 1)), Event::Tick]);
    assert!(d.touched.whole);
    assert_eq!(d.touched.quotes, [InstrumentId(0)]);
}

#[test]
fn the_opening_second_gives_the_strike() {
    let mut d = desk([oracle(0, None), listed(up_down(0, 0))]);
    d.all(999_500, [tick(0, 999_000, 100)]);
    assert_eq!(strike(&d, 0), None);
    d.all(
        1_001_000,
        [tick(0, 1_000_300, 200), tick(0, 1_000_900, 300)],
    );
    assert_eq!(strike(&d, 0), Some(spot(200)));
    // Listed after that second, from what is retained; listed again, it is kept.
    d.all(1_002_000, [listed(up_down(1, 0))]);
    assert_eq!(strike(&d, 1), Some(spot(200)));
    let mut renamed = up_down(1, 0);
    renamed.slug = "another".into();
    d.all(1_003_000, [listed(renamed)]);
    assert_eq!(strike(&d, 1), Some(spot(200)));
    assert_eq!(d.data.market(MarketId(1)).unwrap().spec.slug, "another");
}

#[test]
fn a_missing_opening_second_is_not_guessed() {
    let mut d = desk([oracle(0, None), listed(up_down(0, 0))]);
    d.all(1_002_000, [tick(0, 999_900, 1), tick(0, 1_001_000, 2)]);
    assert_eq!(strike(&d, 0), None);
    // It comes late, but it comes.
    d.all(1_009_000, [tick(0, 1_000_000, 3)]);
    assert_eq!(strike(&d, 0), Some(spot(3)));
}

#[test]
fn a_candle_opens_at_the_first_trade_since_its_start_or_at_nothing_known() {
    let listings = || [oracle(0, None), listed(of_candle(0, 0))];
    let mut d = desk(listings());
    d.all(1_001_000, [tick(0, 999_900, 1), tick(0, 1_001_000, 2)]);
    assert_eq!(strike(&d, 0), Some(spot(2)));
    let missed = Event::OracleGap(OracleId(0));
    let mut d = desk(listings());
    d.all(
        1_001_000,
        [tick(0, 999_900, 1), missed, tick(0, 1_000_001, 2)],
    );
    assert_eq!(strike(&d, 0), None);
    // The candle says it when nobody needs it any more: it settles, and is no price to beat.
    let final_one = Event::Candle(Box::new(candle(0, 1_000, 300, (2, 3))));
    d.all(1_300_500, [final_one.clone()]);
    assert_eq!(strike(&d, 0), None);
    let state = d.data.oracle(OracleId(0)).unwrap();
    let kept = state.candle(Timestamp::from_secs(1_000), 300);
    assert_eq!(kept.map(|c| (c.open, c.close)), Some((spot(2), spot(3))));
    let mut d = desk([]);
    assert_eq!(
        d.apply(1_300_500, final_one),
        Err(Reason::UnknownInstrument)
    );
}

#[test]
fn a_stand_ins_opening_is_kept_apart_until_the_strike_is_known() {
    let mut d = desk([oracle(0, Some(1)), oracle(1, None), listed(up_down(0, 0))]);
    let both = |d: &Desk| {
        let market = d.data.market(MarketId(0)).unwrap();
        (market.strike, market.proxy_strike)
    };
    d.all(1_000_100, [tick(1, 999_900, 1), tick(1, 1_000_050, 2)]);
    assert_eq!(both(&d), (None, Some(spot(2))));
    // Listed again it is kept, and no later value replaces it.
    d.all(1_001_000, [tick(1, 1_001_000, 3), listed(up_down(0, 0))]);
    assert_eq!(both(&d), (None, Some(spot(2))));
    // The source's own second arrives late and is the strike.
    d.all(1_009_000, [tick(0, 1_000_000, 4)]);
    assert_eq!(both(&d), (Some(spot(4)), None));
    // A stand-in that was seen before the market was listed.
    d.all(1_010_000, [tick(0, 1_010_000, 5)]);
    let mut late = up_down(1, 2);
    late.opens_at = Timestamp::from_secs(1_001);
    d.all(1_011_000, [oracle(2, Some(1)), listed(late)]);
    let late = d.data.market(MarketId(1)).unwrap();
    assert_eq!((late.strike, late.proxy_strike), (None, Some(spot(3))));
}

#[test]
fn stated_strikes_win_and_thresholds_are_known() {
    let mut stated = up_down(0, 0);
    stated.settlement = SettlementRule::UpDown {
        oracle: OracleId(0),
        strike: Some(spot(5)),
    };
    let mut above = market(1);
    above.settlement = SettlementRule::Above {
        oracle: OracleId(0),
        strike: spot(9),
        strict: true,
        candle_secs: None,
    };
    let mut d = desk([
        oracle(0, None),
        listed(stated),
        listed(above),
        listed(market(2)),
    ]);
    d.all(1_000_000, [tick(0, 1_000_000, 7)]);
    let strikes = [0, 1, 2].map(|m| strike(&d, m));
    assert_eq!(strikes, [Some(spot(5)), Some(spot(9)), None]);
}

#[test]
fn a_mean_opens_at_the_mean_before_it() {
    let mut spec = market(0);
    spec.settlement = SettlementRule::UpDownTwap {
        oracle: OracleId(0),
        lookback_secs: 4,
        strike: None,
    };
    let mut d = desk([oracle(0, None), listed(spec)]);
    for (s, price) in [(996, 100), (997, 200), (998, 300), (999, 400)] {
        d.all(s * 1_000, [tick(0, s * 1_000, price)]);
        assert_eq!(strike(&d, 0), None);
    }
    d.all(1_000_000, [tick(0, 1_000_000, 999)]);
    assert_eq!(strike(&d, 0), Some(spot(250)));
}

#[test]
fn oracles_move_their_own_markets_and_those_they_stand_in_for() {
    let mut d = desk([
        oracle(0, Some(1)),
        oracle(1, None),
        listed(up_down(0, 0)),
        listed(up_down(1, 1)),
        listed(market(2)),
    ]);
    let moved = |d: &Desk, oracle, secs| {
        let now = Timestamp::from_secs(secs);
        let ids = d.data.moved_by(OracleId(oracle), now);
        ids.map(|m| m.0).collect::<Vec<_>>()
    };
    assert_eq!(moved(&d, 0, 999), [0_u32; 0]);
    assert_eq!(moved(&d, 0, 1_000), [0]);
    assert_eq!(moved(&d, 1, 1_000), [1, 0]);
    d.all(1_300_000, [Event::Tick]);
    assert_eq!(moved(&d, 1, 1_300), [0_u32; 0]);
}

#[test]
fn trading_ends_with_time_or_with_the_outcome() {
    let mut d = desk([listed(market(0)), listed(market(1))]);
    let status = |d: &Desk, m| d.data.market(MarketId(m)).unwrap().status;
    let trading = |open| Event::Trading {
        market: MarketId(0),
        open,
    };
    d.all(1_000_000, [trading(false)]);
    assert_eq!(status(&d, 0), MarketStatus::Paused);
    d.all(1_000_000, [trading(true)]);
    assert_eq!(status(&d, 0), MarketStatus::Open);
    let resolved = Event::Resolved(Box::new(Resolution {
        market: MarketId(1),
        payouts: vec![Price::DOLLAR, Price::ZERO],
        evidence: String::new(),
    }));
    d.all(1_100_000, [resolved]);
    assert_eq!(d.touched.closed, [MarketId(1)]);
    assert_eq!(
        (status(&d, 0), status(&d, 1)),
        (MarketStatus::Open, MarketStatus::Pending)
    );
    d.all(1_299_999, [Event::Tick]);
    assert_eq!(status(&d, 0), MarketStatus::Open);
    d.all(1_300_000, [Event::Tick]);
    assert_eq!(d.touched.closed, [MarketId(0)]);
    assert_eq!(status(&d, 0), MarketStatus::Pending);
    // A flag does not open what is over.
    d.all(1_300_001, [trading(true)]);
    assert_eq!(status(&d, 0), MarketStatus::Pending);
    // A later end does.
    let mut longer = market(0);
    longer.closes_at = Timestamp::from_secs(2_000);
    d.all(1_300_002, [listed(longer)]);
    assert_eq!(status(&d, 0), MarketStatus::Open);
}

#[test]
fn a_retired_market_leaves_nothing() {
    let mut spec = up_down(0, 0);
    spec.pair_key = Some("k".into());
    spec.exclusive_set = Some(ExclusiveSet {
        event: "e".into(),
        members: 2,
        augmented: false,
    });
    let mut d = desk([oracle(0, None), listed(spec), book(0, 1, (48, 9), (52, 9))]);
    let held = |d: &Desk| {
        let before = d.data.closed_before(Timestamp::from_secs(9_999));
        before.collect::<Vec<_>>()
    };
    assert_eq!(held(&d), []);
    d.all(1_300_000, [Event::Tick]);
    assert_eq!(held(&d), [MarketId(0)]);
    assert!(d.data.book(InstrumentId(0)).unwrap().is_live());
    d.data.retire(MarketId(0));
    assert_eq!(held(&d), []);
    assert!(d.data.market(MarketId(0)).is_none());
    assert!(d.data.book(InstrumentId(0)).is_none());
    assert!(d.data.closing.is_empty() && d.data.closed.is_empty());
    let links = d.data.links.get(0).unwrap();
    assert!(links.markets.is_empty() && links.awaiting.is_empty());
    let late = d.apply(1_300_001, book(0, 2, (48, 9), (52, 9)));
    assert_eq!(late, Err(Reason::UnknownInstrument));
}

#[test]
fn groups_hold_what_trades() {
    let with_key = |id| MarketSpec {
        pair_key: Some("k".into()),
        ..market(id)
    };
    let mut d = desk([listed(with_key(0)), listed(with_key(2)), listed(market(1))]);
    let pair = |d: &Desk, id| {
        let market = d.data.market(MarketId(id)).unwrap();
        d.data.pair(market).iter().map(|m| m.0).collect::<Vec<_>>()
    };
    assert_eq!(pair(&d, 0), [0, 2]);
    assert_eq!(pair(&d, 1), [0_u32; 0]);
    d.data.set_status(MarketId(2), MarketStatus::Disputed);
    assert_eq!(pair(&d, 0), [0]);
    d.all(901_000, [listed(market(0))]);
    assert_eq!(pair(&d, 0), [0_u32; 0]);
}

fn on_ladder(d: &Desk, market: u32) -> Vec<u32> {
    let state = d.data.market(MarketId(market)).unwrap();
    d.data
        .ladder(state)
        .map(|(rung, _)| rung.market.0)
        .collect()
}

#[test]
fn a_ladder_holds_what_trades_and_has_a_threshold() {
    let above = |id: u32, dollars: i64| MarketSpec {
        settlement: SettlementRule::Above {
            oracle: OracleId(0),
            strike: spot(dollars),
            strict: true,
            candle_secs: None,
        },
        ..market(id)
    };
    let mut d = desk([
        oracle(0, None),
        listed(above(0, 300)),
        listed(above(1, 100)),
    ]);
    d.all(900_000, [listed(above(2, 200)), listed(market(3))]);
    // The nearest first, below and then above; a market without a threshold stands on none.
    assert_eq!(on_ladder(&d, 2), [1, 0]);
    assert_eq!(on_ladder(&d, 0), [2, 1]);
    assert_eq!(on_ladder(&d, 3), []);
    // Another threshold is another place; another end another ladder; what is paused keeps its own.
    d.all(901_000, [listed(above(1, 250))]);
    assert_eq!(on_ladder(&d, 2), [1, 0]);
    assert_eq!(on_ladder(&d, 0), [1, 2]);
    let mut later = above(1, 250);
    later.closes_at = Timestamp::from_secs(1_301);
    d.all(901_000, [listed(later)]);
    assert_eq!(on_ladder(&d, 0), [2]);
    let paused = Event::Trading {
        market: MarketId(2),
        open: false,
    };
    d.all(901_000, [paused]);
    assert_eq!(on_ladder(&d, 0), [2]);
    // The end of trading and an outcome take a market off.
    let resolved = Event::Resolved(Box::new(Resolution {
        market: MarketId(2),
        payouts: vec![Price::DOLLAR, Price::ZERO],
        evidence: String::new(),
    }));
    d.all(902_000, [resolved]);
    assert_eq!(on_ladder(&d, 0), []);
    d.all(1_300_000, [Event::Tick]);
    assert_eq!(on_ladder(&d, 0), []);
    d.data.retire(MarketId(0));
    assert!(d.data.market(MarketId(0)).is_none());
}

#[test]
fn a_window_takes_its_place_when_its_strike_is_known() {
    let mut d = desk([
        oracle(0, None),
        listed(up_down(0, 0)),
        listed(up_down(1, 0)),
    ]);
    let mut stated = up_down(2, 0);
    stated.settlement = SettlementRule::UpDown {
        oracle: OracleId(0),
        strike: Some(spot(300)),
    };
    d.all(900_000, [listed(stated)]);
    assert_eq!(on_ladder(&d, 0), []);
    assert_eq!(on_ladder(&d, 2), []);
    d.all(1_000_500, [tick(0, 1_000_000, 200)]);
    assert_eq!(on_ladder(&d, 2), [1, 0]);
    // Listed again it is there once.
    d.all(1_001_000, [listed(up_down(1, 0))]);
    assert_eq!(on_ladder(&d, 0), [1, 2]);
}

#[test]
fn a_market_is_compared_with_so_many_and_no_more() {
    let above = |id: u32| MarketSpec {
        settlement: SettlementRule::Above {
            oracle: OracleId(0),
            strike: spot(1_000 + i64::from(id)),
            strict: true,
            candle_secs: None,
        },
        ..market(id)
    };
    let most = u32::try_from(MAX_RUNGS).unwrap();
    let all = core::iter::once(oracle(0, None));
    let d = desk(all.chain((0..3 * most).map(|id| listed(above(id)))));
    let middle = most + most / 2;
    let found = on_ladder(&d, middle);
    let below = (middle - most..middle).rev();
    assert_eq!(
        found,
        below.chain(middle + 1..=middle + most).collect::<Vec<_>>()
    );
}

#[test]
fn interruptions_reach_the_books_they_name() {
    let mut kalshi = market(1);
    kalshi.venue = Venue::Kalshi;
    let mut d = desk([listed(market(0)), listed(kalshi)]);
    d.all(901_000, (0..4).map(|i| book(i, 1, (48, 9), (52, 9))));
    let gap = |scope| Event::Gap {
        scope,
        cause: String::new(),
    };
    let live = |d: &Desk| [0, 1, 2, 3].map(|i| d.data.book(InstrumentId(i)).unwrap().is_live());
    d.all(902_000, [gap(GapScope::Instrument(InstrumentId(1)))]);
    assert_eq!(d.touched.interrupted, [InstrumentId(1)]);
    assert_eq!(live(&d), [true, false, true, true]);
    d.all(902_000, [gap(GapScope::Venue(Venue::Kalshi))]);
    assert_eq!(d.touched.interrupted, [InstrumentId(2), InstrumentId(3)]);
    assert_eq!(live(&d), [true, false, false, false]);
    let finer = Event::TickSize {
        instrument: InstrumentId(0),
        tick: Price(1_000),
    };
    d.all(903_000, [finer]);
    assert_eq!(live(&d), [false; 4]);
    assert_eq!(d.data.market(MarketId(0)).unwrap().spec.tick, Price(1_000));
}

#[test]
fn what_can_not_be_is_refused() {
    type Spoil = fn(&mut MarketSpec);
    let spoilt: [(&str, Spoil, Reason); 10] = [
        ("no id", |m| m.native_id.clear(), Reason::EmptyId),
        (
            "no token",
            |m| m.outcomes[1].native_id.clear(),
            Reason::EmptyId,
        ),
        ("no outcome", |m| m.outcomes.clear(), Reason::MalformedFrame),
        (
            "twice",
            |m| m.outcomes[1].instrument = InstrumentId(0),
            Reason::MalformedFrame,
        ),
        (
            "another's",
            |m| m.outcomes[1].instrument = InstrumentId(7),
            Reason::MalformedFrame,
        ),
        ("tick", |m| m.tick = Price(0), Reason::MalformedFrame),
        ("lot", |m| m.lot = Qty(0), Reason::MalformedFrame),
        (
            "times",
            |m| m.closes_at = m.opens_at,
            Reason::MalformedFrame,
        ),
        (
            "number",
            |m| m.id = MarketId(u32::MAX),
            Reason::MalformedFrame,
        ),
        (
            "token number",
            |m| m.outcomes[0].instrument = InstrumentId(u32::MAX),
            Reason::MalformedFrame,
        ),
    ];
    let mut d = desk([listed(market(3))]);
    for (name, spoil, reason) in spoilt {
        let mut spec = market(0);
        spoil(&mut spec);
        assert_eq!(d.apply(900_001, listed(spec)), Err(reason), "{name}");
        assert!(d.data.market(MarketId(0)).is_none(), "{name}");
    }
    let unknown = [
        book(90, 1, (1, 1), (2, 1)),
        Event::Level(level(90, 1, BookSide::Ask, (1, 1))),
        tick(90, 1, 1),
        Event::OracleGap(OracleId(90)),
    ];
    for event in unknown {
        let shown = format!("{event:?}");
        assert_eq!(
            d.apply(900_002, event),
            Err(Reason::UnknownInstrument),
            "{shown}"
        );
    }
    assert_eq!(
        d.apply(900_003, oracle(0, Some(0))),
        Err(Reason::MalformedFrame)
    );
    // Holes are no problem.
    d.all(900_004, [listed(market(5_000))]);
    assert_eq!(d.data.markets().count(), 2);
}
