//! A strategy that runs away fills no table, and nothing of what it did is lost from the sums.

use crate::services::{Place, on_both};
use crate::store::RUN;
use pm_arb::store::{Store, StoreOp, TradeFilter};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::engine::{DENIALS_STORED_PER_MINUTE, Engine};
use pm_arb_core::event::{BookSnapshot, Event, Print, Record, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, Seq, StrategyId, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::strategy::{
    Intent, IntentLeg, Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault,
    TimeInForce, Topics,
};
use pm_arb_core::units::{Price, Qty, Usd};

on_both! {
    a_runaway_strategy_is_counted_and_not_stored_wish_by_wish
}

/// A moment that begins a minute.
const START: u64 = 1_790_000_040;
/// Records, ten milliseconds apart: two minutes and a half.
const PRINTS: u64 = 15_000;
/// Wishes in answer to each.
const WISHES: u64 = 3;

/// Wishes the same two legs whenever anybody trades: far too often, and far too dear.
struct Runaway;

impl Strategy for Runaway {
    fn on_quote(&mut self, _: Timestamp, _: &Quote, _: &mut Output) -> Result<(), StrategyFault> {
        Ok(())
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let leg = |n| IntentLeg {
            instrument: InstrumentId(n),
            buy: true,
            limit: Price(990_000),
        };
        if matches!(event, StrategyEvent::Print(_)) {
            out.intents.extend((0..WISHES).map(|_| Intent {
                opportunity: None,
                tag: 1,
                legs: vec![leg(0), leg(1)],
                qty: Qty(10_000_000),
                time_in_force: TimeInForce::Fak,
                expected_edge: Usd(100_000),
            }));
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(Vec::new())
    }
}

fn market() -> MarketSpec {
    let outcome = |n: u32, name: &str| Outcome {
        instrument: InstrumentId(n),
        name: name.into(),
        native_id: format!("token-{n}"),
    };
    MarketSpec {
        id: MarketId(0),
        venue: Venue::Polymarket,
        native_id: "0xc0ffee".into(),
        slug: "market".into(),
        question: String::new(),
        outcomes: vec![outcome(0, "Up"), outcome(1, "Down")],
        tick: Price(10_000),
        lot: Qty(10_000),
        min_qty: Qty(5_000_000),
        fee: FeeSchedule::Free,
        maker_fee: FeeSchedule::Free,
        fee_rule: "free".into(),
        taker_delay: Some(Nanos(0)),
        opens_at: Timestamp::from_secs(START),
        closes_at: Timestamp::from_secs(START + 900),
        settlement: SettlementRule::VenueOnly,
        exclusive_set: None,
        pair_key: None,
    }
}

fn opening() -> Vec<Event> {
    let book = |n, bid, ask| {
        Event::Snapshot(Box::new(BookSnapshot {
            instrument: InstrumentId(n),
            more: n == 0,
            venue_time: Timestamp::from_secs(START),
            bids: vec![(Price(bid), Qty(100_000_000))],
            asks: vec![(Price(ask), Qty(100_000_000))],
        }))
    };
    vec![
        Event::Configured(Box::<EngineConfig>::default()),
        Event::MarketListed(Box::new(market())),
        book(0, 480_000, 520_000),
        book(1, 480_000, 520_000),
        Event::Strategy(Box::new(StrategyChange {
            id: StrategyId(0),
            kind: StrategyChangeKind::Loaded {
                manifest: Manifest {
                    name: "runaway".into(),
                    version: "1".into(),
                    topics: Topics {
                        prints: true,
                        ..Topics::default()
                    },
                },
                digest: [1; 32],
                generation: 1,
                params: Vec::new(),
                restored: false,
            },
        })),
    ]
}

async fn a_runaway_strategy_is_counted_and_not_stored_wish_by_wish(_: &Place, store: Store) {
    let mut engine = Engine::new();
    engine.install(StrategyId(0), Box::new(Runaway));
    let print = |n: u64| Print {
        instrument: InstrumentId(0),
        price: Price(500_000),
        qty: Qty(1_000_000),
        taker_bought: true,
        venue_time: Timestamp::from_ms(START * 1_000 + n * 10),
    };
    let prints = (0..PRINTS).map(|n| (n * 10, Event::Print(print(n))));
    let events = opening().into_iter().map(|event| (0, event)).chain(prints);
    let (mut ops, mut effects) = (Vec::new(), Vec::new());
    for (seq, (ms, event)) in (1..).zip(events) {
        let at = Timestamp::from_ms(START * 1_000 + ms);
        let seq = Seq(seq);
        effects.clear();
        engine.step(&Record { seq, at, event }, &mut effects);
        ops.extend(effects.iter().filter_map(|e| StoreOp::of(seq, e)));
        if ops.len() > 400 {
            store.apply(RUN, seq, &ops).await.unwrap();
            ops.clear();
        }
    }
    store.apply(RUN, Seq(PRINTS), &ops).await.unwrap();

    let own = engine.summary();
    assert_eq!(own.rejections, PRINTS * WISHES * 2, "a leg is a leg");
    assert_eq!(store.summary(Timestamp(0)).await.unwrap(), own);
    let reasons: Vec<&str> = own
        .rejections_by_reason
        .iter()
        .map(|(reason, _)| reason.as_str())
        .collect();
    // Twenty a second are looked at: the book is live for five seconds, then it is too old.
    assert_eq!(reasons, ["RATE_LIMIT", "STALE_BOOK", "PRICE_COLLAR"]);
    let all = TradeFilter {
        since: Timestamp(0),
        run_id: None,
        limit: usize::MAX,
    };
    let rows = store.trades(&all).await.unwrap().len();
    let bound = DENIALS_STORED_PER_MINUTE as usize * 2;
    // Three minutes were touched; the collar in the first of them only.
    assert_eq!(rows, bound * (3 + 3 + 1));
}
