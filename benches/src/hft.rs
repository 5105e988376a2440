//! The same stream through hftbacktest 0.9.4, as its examples set it up.
//!
//! One L2 asset, exchange without partial fills, constant order latency of 50 ms (as ours), queue model
//! of its examples. The strategy is woken by every feed event, reads best prices and sizes and buys
//! once a second with an IOC limit order. It keeps two books (exchange and local), we keep one; it has
//! no risk limits, allocation, scanner or ledger, we have. Building it is not timed; its data is made
//! once and shared by all rounds.

use crate::measure::Outcome;
use crate::native::{REACH, SHARES};
use crate::stream::{START, STEP, Stream, Update};
use hftbacktest::backtest::assettype::LinearAsset;
use hftbacktest::backtest::data::{Data, DataSource};
use hftbacktest::backtest::models::{
    CommonFees, ConstantLatency, PowerProbQueueFunc3, ProbQueueModel, TradingValueFeeModel,
};
use hftbacktest::backtest::{Backtest, ExchangeKind, L2AssetBuilder};
use hftbacktest::prelude::{
    Bot, ElapseResult, Event, HashMapMarketDepth, L2MarketDepth, MarketDepth, OrdType,
    ROIVectorMarketDepth, TimeInForce,
};
use hftbacktest::types::{
    EXCH_ASK_DEPTH_EVENT, EXCH_BID_DEPTH_EVENT, LOCAL_ASK_DEPTH_EVENT, LOCAL_BID_DEPTH_EVENT,
};
use pm_arb_core::event::BookSide;

const TICK: f64 = 0.001;
const LOT: f64 = 0.01;
const LATENCY: i64 = 50_000_000;
/// Longest wait for a feed event: longer than any pause of the stream.
const PATIENCE: i64 = 10_000_000_000;

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Done {
    /// How often the strategy was woken.
    pub wakes: u64,
    /// Orders sent.
    pub orders: u64,
    /// Shares held at the end.
    pub position: f64,
}

/// The stream in its own form.
pub fn data(stream: &Stream) -> Data<Event> {
    let event = |at: u64, update: &Update| Event {
        ev: match update.side {
            BookSide::Bid => EXCH_BID_DEPTH_EVENT | LOCAL_BID_DEPTH_EVENT,
            BookSide::Ask => EXCH_ASK_DEPTH_EVENT | LOCAL_ASK_DEPTH_EVENT,
        },
        exch_ts: at as i64,
        local_ts: at as i64,
        px: f64::from(update.ticks) * TICK,
        qty: f64::from(update.size) * LOT,
        order_id: 0,
        ival: 0,
        fval: 0.0,
    };
    let first = stream.first.iter().map(|update| event(START, update));
    let later = stream.updates.iter().enumerate();
    let later = later.map(|(n, update)| event(START + STEP * (n as u64 + 1), update));
    Data::from_data(&first.chain(later).collect::<Vec<_>>())
}

/// With its book of hash maps.
pub fn hash_map(data: &Data<Event>) -> Outcome<Backtest<HashMapMarketDepth>> {
    backtest(data, || HashMapMarketDepth::new(TICK, LOT))
}

/// With its fastest book, which must know the range of prices beforehand.
pub fn roi_vector(data: &Data<Event>) -> Outcome<Backtest<ROIVectorMarketDepth>> {
    backtest(data, || ROIVectorMarketDepth::new(TICK, LOT, 0.0, 1.0))
}

fn backtest<MD>(data: &Data<Event>, depth: fn() -> MD) -> Outcome<Backtest<MD>>
where
    MD: MarketDepth + L2MarketDepth + 'static,
{
    let asset = L2AssetBuilder::new()
        .data(vec![DataSource::Data(data.clone())])
        .latency_model(ConstantLatency::new(LATENCY, 0))
        .asset_type(LinearAsset::new(1.0))
        .fee_model(TradingValueFeeModel::new(CommonFees::new(0.0, 0.0)))
        .exchange(ExchangeKind::NoPartialFillExchange)
        .queue_model(ProbQueueModel::new(PowerProbQueueFunc3::new(3.0)))
        .depth(depth)
        .build()
        .map_err(|error| format!("{error:?}"))?;
    let built = Backtest::builder().add_asset(asset).build();
    Ok(built.map_err(|error| format!("{error:?}"))?)
}

/// Runs it to the end of its data.
pub fn run<MD>(mut backtest: Backtest<MD>) -> Outcome<Done>
where
    MD: MarketDepth + L2MarketDepth,
{
    let (mut wakes, mut orders, mut second) = (0, 0, 0);
    let mut mids = 0.0;
    loop {
        let elapsed = backtest.wait_next_feed(false, PATIENCE);
        if elapsed.map_err(|error| format!("{error:?}"))? == ElapseResult::EndOfData {
            break;
        }
        wakes += 1;
        let depth = backtest.depth(0);
        let (bid, ask) = (depth.best_bid(), depth.best_ask());
        mids += bid + ask + depth.best_bid_qty() * 0.0 + depth.best_ask_qty() * 0.0;
        let now = backtest.current_timestamp() / 1_000_000_000;
        if now != second && ask.is_finite() {
            second = now;
            orders += 1;
            backtest.clear_inactive_orders(None);
            let limit = ask + REACH as f64 / 1e6;
            let shares = SHARES as f64 / 1e6;
            backtest
                .submit_buy_order(
                    0,
                    orders,
                    limit,
                    shares,
                    TimeInForce::IOC,
                    OrdType::Limit,
                    false,
                )
                .map_err(|error| format!("{error:?}"))?;
        }
    }
    std::hint::black_box(mids);
    Ok(Done {
        wakes,
        orders,
        position: backtest.position(0),
    })
}
