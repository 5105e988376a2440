//! The measured strategy as native code, and the market, settings and records it trades on.
//!
//! It reads both best prices of every quote and buys five shares once in each second of the stream
//! (a thousand updates), one cent beyond the ask, so that the order is marketable. The component in
//! `guests/once-a-second` is the same strategy.

use crate::stream::{START, STEP, Stream, TICK, Update};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::event::{
    BookSide, BookSnapshot, Event, LevelChange, Record, StrategyChange, StrategyChangeKind,
};
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, Seq, StrategyId, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::strategy::{
    Intent, IntentLeg, Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault,
    TimeInForce, Topics,
};
use pm_arb_core::units::{Price, Qty, Usd};

/// Beyond the ask.
pub const REACH: i64 = 10_000;
/// Five shares.
pub const SHARES: i64 = 5_000_000;
/// Claimed gain a share: enough to pass the guardian.
pub const EDGE: i64 = 20_000;
/// What the strategy is called, here and as a component.
pub const NAME: &str = "once-a-second";

/// The strategy.
#[derive(Default)]
pub struct OnceASecond {
    second: u64,
    /// Keeps the reading of the prices from being optimised away, and makes the state comparable.
    mids: i64,
}

impl Strategy for OnceASecond {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let (Some((bid, _)), Some((ask, _))) = (quote.bid, quote.ask) else {
            return Ok(());
        };
        self.mids = self.mids.wrapping_add(bid.0).wrapping_add(ask.0);
        let second = now.secs();
        if second != self.second {
            self.second = second;
            out.intents.push(Intent {
                opportunity: None,
                tag: second,
                legs: vec![IntentLeg {
                    instrument: quote.instrument,
                    buy: true,
                    limit: Price(ask.0.saturating_add(REACH)),
                }],
                qty: Qty(SHARES),
                time_in_force: TimeInForce::Fak,
                expected_edge: Usd(EDGE),
            });
        }
        Ok(())
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        _: &StrategyEvent<'_>,
        _: &mut Output,
    ) -> Result<(), StrategyFault> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok([self.second.to_le_bytes(), self.mids.to_le_bytes()].concat())
    }
}

/// What it says of itself.
pub fn manifest(name: &str) -> Manifest {
    Manifest {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        topics: Topics {
            quotes: true,
            ..Topics::default()
        },
    }
}

/// The settings: enough money, otherwise the defaults.
pub fn settings() -> EngineConfig {
    EngineConfig {
        starting_cash: Usd(1_000_000_000_000),
        ..EngineConfig::default()
    }
}

/// The `n`-th moment of a stream.
pub fn at(n: usize) -> Timestamp {
    Timestamp(START + STEP * n as u64)
}

/// An update of an instrument's book.
pub fn level(instrument: InstrumentId, update: &Update, venue_time: Timestamp) -> LevelChange {
    LevelChange {
        instrument,
        side: update.side,
        more: false,
        price: price(update),
        qty: qty(update),
        venue_time,
    }
}

/// The stream as the engine's records: settings, one market, its book, the updates.
pub fn records(stream: &Stream) -> Vec<Record> {
    let mut events = vec![
        Event::Configured(Box::new(settings())),
        Event::MarketListed(Box::new(market(0))),
        Event::Snapshot(Box::new(book(InstrumentId(0), stream))),
    ];
    events.reserve_exact(stream.updates.len());
    let level =
        |(n, update): (usize, &Update)| Event::Level(level(InstrumentId(0), update, at(n + 1)));
    events.extend(stream.updates.iter().enumerate().map(level));
    let record = |(n, event)| Record {
        seq: Seq(n as u64 + 1),
        at: at(usize::saturating_sub(n, 2)),
        event,
    };
    events.into_iter().enumerate().map(record).collect()
}

/// How many records come before the strategies: the settings and the market.
pub const PREAMBLE: usize = 2;

/// The record by which a strategy enters, in the place of the last one before it.
pub fn loaded(id: u32, manifest: Manifest, digest: [u8; 32]) -> Record {
    Record {
        seq: Seq(PREAMBLE as u64),
        at: Timestamp(START),
        event: Event::Strategy(Box::new(StrategyChange {
            id: StrategyId(id),
            kind: StrategyChangeKind::Loaded {
                manifest,
                digest,
                generation: 1,
                params: Vec::new(),
                restored: false,
            },
        })),
    }
}

fn price(update: &Update) -> Price {
    Price(i64::from(update.ticks) * TICK)
}

fn qty(update: &Update) -> Qty {
    Qty(i64::from(update.size) * 10_000)
}

/// The book before the first update.
pub fn book(instrument: InstrumentId, stream: &Stream) -> BookSnapshot {
    let side = |side: BookSide| {
        let levels = stream.first.iter().filter(|u| u.side == side);
        levels.map(|u| (price(u), qty(u))).collect()
    };
    BookSnapshot {
        instrument,
        more: false,
        venue_time: Timestamp(START),
        bids: side(BookSide::Bid),
        asks: side(BookSide::Ask),
    }
}

/// The `n`-th market: it trades for the whole stream, with Polymarket's fees.
pub fn market(n: u32) -> MarketSpec {
    let outcome = |outcome: u32, name: &str| Outcome {
        instrument: InstrumentId(2 * n + outcome),
        name: name.to_owned(),
        native_id: format!("token-{n}-{outcome}"),
    };
    MarketSpec {
        id: MarketId(n),
        venue: Venue::Polymarket,
        native_id: format!("condition-{n}"),
        slug: format!("measured-market-{n}"),
        question: "Will it be fast?".to_owned(),
        outcomes: vec![outcome(0, "Yes"), outcome(1, "No")],
        tick: Price(TICK),
        lot: Qty(10_000),
        min_qty: Qty(1_000_000),
        fee: FeeSchedule::polymarket(70_000),
        maker_fee: FeeSchedule::Free,
        fee_rule: String::new(),
        taker_delay: Some(Nanos(0)),
        opens_at: Timestamp(START),
        closes_at: Timestamp(START + 86_400_000_000_000),
        settlement: SettlementRule::VenueOnly,
        exclusive_set: None,
        pair_key: None,
    }
}
