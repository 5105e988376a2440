//! Markets and messages for the tests of this crate.

use crate::event::{BookSide, BookSnapshot, Candle, Event, LevelChange, OracleTick, Record};
use crate::ids::{InstrumentId, MarketId, Nanos, OracleId, Seq, Timestamp, Venue};
use crate::market::{FeeSchedule, MarketSpec, OracleSpec, Outcome, SettlementRule};
use crate::market_data::{MarketData, Touched};
use crate::reason::Reason;
use crate::units::{ONE, Price, Qty, SpotPrice};

/// Whole cents.
pub(crate) fn cents(c: i64) -> Price {
    Price(c * 10_000)
}

/// Whole shares.
pub(crate) fn shares(n: i64) -> Qty {
    Qty(n * ONE)
}

/// Whole dollars of an asset.
pub(crate) fn spot(dollars: i64) -> SpotPrice {
    SpotPrice(i128::from(dollars) * 10_i128.pow(18))
}

/// A free two-outcome market on Polymarket with instruments `2·id` (YES) and `2·id + 1` (NO), open
/// from second 1,000 to 1,300, resolved by its venue.
pub(crate) fn market(id: u32) -> MarketSpec {
    let outcome = |n: u32, name: &str| Outcome {
        instrument: InstrumentId(2 * id + n),
        name: name.into(),
        native_id: format!("{id}:{name}"),
    };
    MarketSpec {
        id: MarketId(id),
        venue: Venue::Polymarket,
        native_id: format!("m{id}"),
        slug: format!("market-{id}"),
        question: String::new(),
        outcomes: vec![outcome(0, "Yes"), outcome(1, "No")],
        tick: Some(cents(1)),
        lot: Qty(10_000),
        min_qty: Some(shares(5)),
        fee: FeeSchedule::Free,
        maker_fee: FeeSchedule::Free,
        fee_rule: String::new(),
        taker_delay: Some(Nanos(0)),
        opens_at: Timestamp::from_secs(1_000),
        closes_at: Timestamp::from_secs(1_300),
        settlement: SettlementRule::VenueOnly,
        exclusive_set: None,
        pair_key: None,
    }
}

/// The same, decided by an oracle's values of the opening and the closing second.
pub(crate) fn up_down(id: u32, oracle: u32) -> MarketSpec {
    MarketSpec {
        settlement: SettlementRule::UpDown {
            oracle: OracleId(oracle),
            strike: None,
        },
        ..market(id)
    }
}

/// The same, decided by an oracle's candle of these five minutes.
pub(crate) fn of_candle(id: u32, oracle: u32) -> MarketSpec {
    MarketSpec {
        settlement: SettlementRule::Candle {
            oracle: OracleId(oracle),
            interval_secs: 300,
        },
        ..market(id)
    }
}

/// A final candle, stamped as Binance does, from dollars to dollars.
pub(crate) fn candle(oracle: u32, from_secs: u64, secs: u64, prices: (i64, i64)) -> Candle {
    Candle {
        oracle: OracleId(oracle),
        open_time: Timestamp::from_secs(from_secs),
        close_time: Timestamp::from_ms((from_secs + secs) * 1_000 - 1),
        open: spot(prices.0),
        close: spot(prices.1),
        high: spot(prices.0.max(prices.1)),
        low: spot(prices.0.min(prices.1)),
    }
}

/// A feed, with its stand-in.
pub(crate) fn oracle(id: u32, proxy: Option<u32>) -> Event {
    Event::OracleListed(Box::new(OracleSpec {
        id: OracleId(id),
        source: format!("source{id}"),
        symbol: "btcusd".into(),
        proxy: proxy.map(OracleId),
    }))
}

pub(crate) fn listed(spec: MarketSpec) -> Event {
    Event::MarketListed(Box::new(spec))
}

/// An oracle's value, in whole dollars.
pub(crate) fn tick(oracle: u32, source_ms: u64, dollars: i64) -> Event {
    Event::OracleTick(OracleTick {
        oracle: OracleId(oracle),
        price: spot(dollars),
        source_time: Timestamp::from_ms(source_ms),
    })
}

/// A book of one bid and one ask, `(cents, shares)`; nothing for zero cents.
pub(crate) fn book(instrument: u32, ms: u64, bid: (i64, i64), ask: (i64, i64)) -> Event {
    let side = |(p, q): (i64, i64)| {
        let level = (p > 0).then(|| (cents(p), shares(q)));
        level.into_iter().collect()
    };
    Event::Snapshot(Box::new(BookSnapshot {
        instrument: InstrumentId(instrument),
        more: false,
        venue_time: Timestamp::from_ms(ms),
        bids: side(bid),
        asks: side(ask),
    }))
}

/// A level, `(cents, shares)`.
pub(crate) fn level(instrument: u32, ms: u64, side: BookSide, level: (i64, i64)) -> LevelChange {
    LevelChange {
        instrument: InstrumentId(instrument),
        side,
        more: false,
        price: cents(level.0),
        qty: shares(level.1),
        venue_time: Timestamp::from_ms(ms),
    }
}

/// The same as part of a message that goes on.
pub(crate) fn more(event: Event) -> Event {
    match event {
        Event::Level(level) => Event::Level(LevelChange {
            more: true,
            ..level
        }),
        Event::Snapshot(mut snapshot) => {
            snapshot.more = true;
            Event::Snapshot(snapshot)
        }
        other => other,
    }
}

/// Market data with the record counter and the buffer that an engine has.
#[derive(Default)]
pub(crate) struct Desk {
    pub data: MarketData,
    pub touched: Touched,
    pub seq: Seq,
    pub now: Timestamp,
}

impl Desk {
    /// Applies an event received at `ms`.
    pub(crate) fn apply(&mut self, ms: u64, event: Event) -> Result<(), Reason> {
        self.seq = Seq(self.seq.0 + 1);
        self.now = Timestamp::from_ms(ms);
        let record = Record {
            seq: self.seq,
            at: self.now,
            event,
        };
        self.data.apply(&record, &mut self.touched)
    }

    /// Applies events that must all be accepted.
    pub(crate) fn all(&mut self, ms: u64, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let shown = format!("{event:?}");
            assert_eq!(self.apply(ms, event), Ok(()), "{shown}");
        }
    }
}
