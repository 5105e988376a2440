//! The same stream through barter 0.14 `backtest()`, set up as in its own benchmark.
//!
//! Market data in memory, one L2 update an event, its own `OrderBook` kept in the instrument's state,
//! mock execution without latency (it would sleep), default risk manager. Its strategy is asked after
//! every event, reads both best levels and sends one market order a second of the stream. Its engine
//! and its market stream run on two threads joined by a channel; the CPU time of both counts. Building
//! its arguments is not timed.

use crate::measure::{Outcome, Stopwatch};
use crate::native::SHARES;
use crate::stream::{START, STEP, Stream, Update};
use barter::backtest::market_data::MarketDataInMemory;
use barter::backtest::{BacktestArgsConstant, BacktestArgsDynamic, backtest};
use barter::engine::clock::HistoricalClock;
use barter::engine::execution_tx::MultiExchangeTxMap;
use barter::engine::state::EngineState;
use barter::engine::state::builder::EngineStateBuilder;
use barter::engine::state::global::DefaultGlobalData;
use barter::engine::state::instrument::data::InstrumentDataState;
use barter::engine::state::instrument::filter::InstrumentFilter;
use barter::engine::state::order::in_flight_recorder::InFlightRequestRecorder;
use barter::engine::state::trading::TradingState;
use barter::engine::{Engine, Processor};
use barter::risk::DefaultRiskManager;
use barter::statistic::time::Daily;
use barter::strategy::algo::AlgoStrategy;
use barter::strategy::close_positions::{
    ClosePositionsStrategy, close_open_positions_with_market_orders,
};
use barter::strategy::on_disconnect::OnDisconnectStrategy;
use barter::strategy::on_trading_disabled::OnTradingDisabled;
use barter::system::config::SystemConfig;
use barter_data::books::OrderBook;
use barter_data::event::{DataKind, MarketEvent};
use barter_data::streams::consumer::MarketStreamEvent;
use barter_data::subscription::book::OrderBookEvent;
use barter_execution::AccountEvent;
use barter_execution::order::id::{ClientOrderId, StrategyId};
use barter_execution::order::request::{OrderRequestCancel, OrderRequestOpen, RequestOpen};
use barter_execution::order::{OrderKey, OrderKind, TimeInForce};
use barter_instrument::Side;
use barter_instrument::asset::AssetIndex;
use barter_instrument::exchange::{ExchangeId, ExchangeIndex};
use barter_instrument::index::IndexedInstruments;
use barter_instrument::instrument::InstrumentIndex;
use chrono::{DateTime, Utc};
use pm_arb_core::event::BookSide;
use rust_decimal::Decimal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const CONFIG: &str = r#"{
  "executions": [{
    "mocked_exchange": "binance_spot", "latency_ms": 0, "fees_percent": 0.0,
    "initial_state": {
      "exchange": "binance_spot",
      "balances": [
        {"asset": "usdt", "balance": {"total": 99999999999999, "free": 99999999999999}, "time_exchange": "2026-01-05T12:00:00Z"},
        {"asset": "btc", "balance": {"total": 99999999999999, "free": 99999999999999}, "time_exchange": "2026-01-05T12:00:00Z"}
      ],
      "instruments": [{"instrument": "BTCUSDT", "orders": []}]
    }
  }],
  "instruments": [{
    "exchange": "binance_spot", "name_exchange": "BTCUSDT",
    "underlying": {"base": "btc", "quote": "usdt"}, "quote": "underlying_quote", "kind": "spot"
  }]
}"#;

type State = EngineState<DefaultGlobalData, Book>;
type Risk = DefaultRiskManager<State>;
type Constant = BacktestArgsConstant<MarketDataInMemory<DataKind>, Daily, State>;

/// The instrument's state: its book, and when that last changed.
#[derive(Debug, Clone, Default)]
pub struct Book {
    book: OrderBook,
    at: Option<DateTime<Utc>>,
}

impl InstrumentDataState for Book {
    type MarketEventKind = DataKind;

    fn price(&self) -> Option<Decimal> {
        self.book.mid_price()
    }
}

impl Processor<&MarketEvent<InstrumentIndex>> for Book {
    type Audit = ();

    fn process(&mut self, event: &MarketEvent<InstrumentIndex>) {
        if let DataKind::OrderBook(update) = &event.kind {
            self.book.update(update);
            self.at = Some(event.time_exchange);
        }
    }
}

impl Processor<&AccountEvent> for Book {
    type Audit = ();

    fn process(&mut self, _: &AccountEvent) {}
}

impl InFlightRequestRecorder for Book {
    fn record_in_flight_cancel(&mut self, _: &OrderRequestCancel<ExchangeIndex, InstrumentIndex>) {}

    fn record_in_flight_open(&mut self, _: &OrderRequestOpen<ExchangeIndex, InstrumentIndex>) {}
}

/// What it counted; shared, because barter's strategies are asked through `&self`.
#[derive(Debug, Default)]
struct Counters {
    second: AtomicU64,
    calls: AtomicU64,
    orders: AtomicU64,
    mids: AtomicU64,
}

#[derive(Debug, Clone)]
struct OnceASecond {
    id: StrategyId,
    counters: Arc<Counters>,
}

impl AlgoStrategy for OnceASecond {
    type State = State;

    fn generate_algo_orders(
        &self,
        state: &State,
    ) -> (
        impl IntoIterator<Item = OrderRequestCancel<ExchangeIndex, InstrumentIndex>>,
        impl IntoIterator<Item = OrderRequestOpen<ExchangeIndex, InstrumentIndex>>,
    ) {
        let counters = &self.counters;
        let bump = |counter: &AtomicU64, by| {
            counter.store(
                counter.load(Ordering::Relaxed).wrapping_add(by),
                Ordering::Relaxed,
            );
        };
        bump(&counters.calls, 1);
        let opens = state
            .instruments
            .instruments(&InstrumentFilter::None)
            .filter_map(move |instrument| {
                let (bid, ask) = (
                    instrument.data.book.bids().best()?,
                    instrument.data.book.asks().best()?,
                );
                bump(
                    &counters.mids,
                    (bid.price.mantissa() + ask.price.mantissa()) as u64,
                );
                let second = instrument.data.at?.timestamp() as u64;
                if second == counters.second.load(Ordering::Relaxed) {
                    return None;
                }
                counters.second.store(second, Ordering::Relaxed);
                bump(&counters.orders, 1);
                Some(OrderRequestOpen {
                    key: OrderKey {
                        exchange: instrument.instrument.exchange,
                        instrument: instrument.key,
                        strategy: self.id.clone(),
                        cid: ClientOrderId::random(),
                    },
                    state: RequestOpen {
                        side: Side::Buy,
                        price: ask.price,
                        quantity: Decimal::new(SHARES, 6),
                        kind: OrderKind::Market,
                        time_in_force: TimeInForce::ImmediateOrCancel,
                    },
                })
            });
        (std::iter::empty(), opens)
    }
}

impl ClosePositionsStrategy for OnceASecond {
    type State = State;

    fn close_positions_requests<'a>(
        &'a self,
        state: &'a State,
        filter: &'a InstrumentFilter,
    ) -> (
        impl IntoIterator<Item = OrderRequestCancel<ExchangeIndex, InstrumentIndex>> + 'a,
        impl IntoIterator<Item = OrderRequestOpen<ExchangeIndex, InstrumentIndex>> + 'a,
    )
    where
        ExchangeIndex: 'a,
        AssetIndex: 'a,
        InstrumentIndex: 'a,
    {
        close_open_positions_with_market_orders(&self.id, state, filter, |_| {
            ClientOrderId::random()
        })
    }
}

impl OnDisconnectStrategy<HistoricalClock, State, MultiExchangeTxMap, Risk> for OnceASecond {
    type OnDisconnect = ();

    fn on_disconnect(
        _: &mut Engine<HistoricalClock, State, MultiExchangeTxMap, Self, Risk>,
        _: ExchangeId,
    ) {
    }
}

impl OnTradingDisabled<HistoricalClock, State, MultiExchangeTxMap, Risk> for OnceASecond {
    type OnTradingDisabled = ();

    fn on_trading_disabled(_: &mut Engine<HistoricalClock, State, MultiExchangeTxMap, Self, Risk>) {
    }
}

/// Everything that is made once.
pub struct Prepared {
    constant: Arc<Constant>,
    runtime: tokio::runtime::Runtime,
}

impl Prepared {
    /// The stream in its own form, and the rest of its arguments.
    pub fn new(stream: &Stream) -> Outcome<Self> {
        let SystemConfig {
            instruments,
            executions,
        } = serde_json::from_str(CONFIG)?;
        let instruments = IndexedInstruments::new(instruments);
        let engine_state =
            EngineStateBuilder::new(&instruments, DefaultGlobalData, |_| Book::default())
                .time_engine_start(time(START))
                .trading_state(TradingState::Enabled)
                .build();
        Ok(Self {
            constant: Arc::new(BacktestArgsConstant {
                instruments,
                executions,
                market_data: MarketDataInMemory::new(Arc::new(events(stream))),
                summary_interval: Daily,
                engine_state,
            }),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
        })
    }

    fn go(&self, watch: &mut Stopwatch) -> Outcome<Arc<Counters>> {
        let counters = Arc::new(Counters::default());
        let dynamic = BacktestArgsDynamic {
            id: "bench".into(),
            risk_free_return: Decimal::ZERO,
            strategy: OnceASecond {
                id: StrategyId::new("once-a-second"),
                counters: Arc::clone(&counters),
            },
            risk: Risk::default(),
        };
        let constant = Arc::clone(&self.constant);
        watch.time(|| self.runtime.block_on(backtest(constant, dynamic)))?;
        Ok(counters)
    }

    /// One backtest.
    pub fn run(&self, watch: &mut Stopwatch) -> Outcome<()> {
        self.go(watch).map(drop)
    }

    /// One backtest, for what it counts.
    pub fn describe(&self) -> Outcome<String> {
        Ok(format!("{:?}", self.go(&mut Stopwatch::default())?))
    }
}

fn time(ns: u64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(ns as i64)
}

fn events(stream: &Stream) -> Vec<MarketStreamEvent<InstrumentIndex, DataKind>> {
    let event = |ns: u64, kind: OrderBookEvent| {
        MarketStreamEvent::Item(MarketEvent {
            time_exchange: time(ns),
            time_received: time(ns),
            exchange: ExchangeId::BinanceSpot,
            instrument: InstrumentIndex::new(0),
            kind: DataKind::OrderBook(kind),
        })
    };
    let book = |ns: u64, levels: &[Update]| {
        let side = |side: BookSide| {
            let levels = levels.iter().filter(move |u| u.side == side);
            levels.map(|u| {
                (
                    Decimal::new(i64::from(u.ticks), 3),
                    Decimal::new(i64::from(u.size), 2),
                )
            })
        };
        OrderBook::new(0, Some(time(ns)), side(BookSide::Bid), side(BookSide::Ask))
    };
    let first = event(START, OrderBookEvent::Snapshot(book(START, &stream.first)));
    let later = stream.updates.iter().enumerate().map(|(n, update)| {
        let ns = START + STEP * (n as u64 + 1);
        event(
            ns,
            OrderBookEvent::Update(book(ns, std::slice::from_ref(update))),
        )
    });
    std::iter::once(first).chain(later).collect()
}
