//! A basket over two markets from end to end: seen, bought by the shipped strategy in equal shares or
//! not at all, and paid whatever happens.
#![allow(clippy::unwrap_used)]

use crate::support::strategies;
use pm_arb::journal::{JournalWriter, RunMeta};
use pm_arb::plugin::{Limits, LoaderInput, PluginHost, Preparer, Sources, Tracker};
use pm_arb::replay::{self, Cast};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::{Effect, Message, TradeRecord, TradeUpdate};
use pm_arb_core::event::{BookSnapshot, Event, Resolution};
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, OracleId, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, OracleSpec, Outcome, SettlementRule};
use pm_arb_core::relation::Relation;
use pm_arb_core::units::{Price, Qty, SpotPrice, Usd};
use std::collections::BTreeMap;
use std::path::Path;

const OPENS: Timestamp = Timestamp::from_secs(1_790_000_000);
const SHARE: i64 = 1_000_000;

/// "Above `dollars` at the close", on Kalshi.
fn above(id: u32, dollars: i128) -> MarketSpec {
    let outcome = |n: u32, name: &str| Outcome {
        instrument: InstrumentId(2 * id + n),
        name: name.into(),
        native_id: format!("T{dollars}:{name}"),
    };
    MarketSpec {
        id: MarketId(id),
        venue: Venue::Kalshi,
        native_id: format!("T{dollars}"),
        slug: format!("T{dollars}"),
        question: format!("Above {dollars}?"),
        outcomes: vec![outcome(0, "yes"), outcome(1, "no")],
        tick: Price(10_000),
        lot: Qty(SHARE),
        min_qty: Qty(SHARE),
        fee: FeeSchedule::kalshi(70_000),
        maker_fee: FeeSchedule::Free,
        fee_rule: "test".into(),
        taker_delay: Some(Nanos(0)),
        opens_at: OPENS,
        closes_at: OPENS.plus(Nanos::from_ms(300_000)),
        settlement: SettlementRule::Above {
            oracle: OracleId(0),
            strike: SpotPrice(dollars * 10_i128.pow(18)),
            strict: true,
            candle_secs: None,
        },
        exclusive_set: None,
        pair_key: None,
    }
}

/// Both sides of a market's one book, in cents, ten shares everywhere.
fn sides(market: u32, (bid, ask): (i64, i64)) -> [Event; 2] {
    let side = |n: u32, bid: i64, ask: i64| {
        Event::Snapshot(Box::new(BookSnapshot {
            instrument: InstrumentId(2 * market + n),
            more: n == 0,
            venue_time: OPENS,
            bids: vec![(Price(bid * 10_000), Qty(10 * SHARE))],
            asks: vec![(Price(ask * 10_000), Qty(10 * SHARE))],
        }))
    };
    [side(0, bid, ask), side(1, 100 - ask, 100 - bid)]
}

/// A run: 97,000 offered at 55 c while 98,000 is bid 60 c, until `later` replaces it 20 ms later.
fn write(dir: &Path, later: Option<[Event; 2]>, yes: [bool; 2]) {
    let meta = RunMeta::new(uuid::Uuid::nil(), "test", OPENS);
    let mut writer = JournalWriter::create(dir, &meta).unwrap();
    let mut append = |ms: u64, event: Event| {
        writer
            .append(OPENS.plus(Nanos::from_ms(ms)), &event)
            .unwrap();
    };
    append(0, Event::Configured(Box::<EngineConfig>::default()));
    let oracle = OracleSpec {
        id: OracleId(0),
        source: "test".into(),
        symbol: "btcusd".into(),
        proxy: None,
    };
    append(0, Event::OracleListed(Box::new(oracle)));
    for (id, dollars) in [(0, 97_000), (1, 98_000)] {
        append(0, Event::MarketListed(Box::new(above(id, dollars))));
    }
    for event in sides(0, (54, 55)).into_iter().chain(sides(1, (60, 61))) {
        append(1_000, event);
    }
    for event in later.into_iter().flatten() {
        append(1_020, event);
    }
    append(2_000, Event::Tick);
    for (id, yes) in [(0, yes[0]), (1, yes[1])] {
        let pays = |won: bool| if won { Price::DOLLAR } else { Price::ZERO };
        let resolution = Resolution {
            market: MarketId(id),
            payouts: vec![pays(yes), pays(!yes)],
            evidence: "test".into(),
        };
        append(300_001, Event::Resolved(Box::new(resolution)));
    }
    writer.commit().unwrap();
}

struct Seen {
    relations: Vec<Option<Relation>>,
    filled: Vec<TradeRecord>,
    updates: Vec<TradeUpdate>,
}

fn traded(dir: &Path) -> Seen {
    let host = PluginHost::new(Limits::default()).unwrap();
    let hunter = strategies().join("mispricing-hunter.wasm");
    let sources = Sources::parse(&[hunter.to_str().unwrap()]).unwrap();
    let preparer = Preparer::new(host.clone(), BTreeMap::new());
    let inputs = Tracker::new(sources, preparer).scan();
    let cast = inputs.into_iter().map(|input| match input {
        LoaderInput::Ready(candidate) => *candidate,
        other => panic!("{other:?}"),
    });
    let mut seen = Seen {
        relations: Vec::new(),
        filled: Vec::new(),
        updates: Vec::new(),
    };
    let mut each = |_, effect: &Effect| match effect {
        Effect::RecordTrade(trade) if trade.qty.0 > 0 => seen.filled.push(trade.as_ref().clone()),
        Effect::UpdateTrade(update) => seen.updates.push(update.clone()),
        Effect::Publish(message) => {
            if let Message::Opportunity(found) = message.as_ref() {
                seen.relations.push(found.relation);
            }
        }
        _ => {}
    };
    let cast = Cast::Given(cast.collect());
    replay::replay(dir, host, None, cast, &mut each).unwrap();
    seen
}

#[test]
fn an_implication_basket_pays_its_edge_whatever_happens() {
    // Below both, between them, above both. What is impossible does not happen.
    for (yes, pays) in [
        ([false, false], 10),
        ([true, false], 20),
        ([true, true], 10),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        write(&run, None, yes);
        let seen = traded(&run);
        assert_eq!(seen.relations, [Some(Relation::Threshold)]);
        let legs: Vec<_> = seen
            .filled
            .iter()
            .map(|t| (t.instrument.0, t.qty, t.price, t.fees))
            .collect();
        let ten = Qty(10 * SHARE);
        // 0.07·10·.55·.45 = .17325 and 0.07·10·.40·.60 = .168, each rounded up to a hundredth of a cent.
        let expected = [
            (0, ten, Price(550_000), Usd(173_300)),
            (3, ten, Price(400_000), Usd(168_000)),
        ];
        assert_eq!(legs, expected);
        let pnl: i64 = seen.updates.iter().map(|u| u.realized_pnl.0).sum();
        assert_eq!(pnl, pays * SHARE - 9_500_000 - 341_300, "{yes:?}");
        assert!(pnl >= 158_700);
    }
}

#[test]
fn a_basket_of_which_one_leg_is_gone_is_not_held() {
    // 20 ms after it was seen the lower threshold costs 58 c: the order is 50 ms under way.
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    write(&run, Some(sides(0, (57, 58))), [false, false]);
    let seen = traded(&run);
    assert_eq!(seen.relations[0], Some(Relation::Threshold));
    // The other leg, if it was matched at all, was sold again at once.
    for trade in &seen.filled {
        let end = seen.updates.iter().rfind(|u| u.id == trade.id).unwrap();
        assert_eq!(end.remaining_qty, Qty(0), "{end:?}");
        assert!(end.at < OPENS.plus(Nanos::from_ms(2_000)), "{end:?}");
    }
    let pnl: i64 = seen.updates.iter().map(|u| u.realized_pnl.0).sum();
    assert!(pnl <= 0, "no gain from half a basket: {pnl}");
}
