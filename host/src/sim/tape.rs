//! The tape of the simulated BTCUSDT market: best quotes, trades and candles around the path.
//!
//! Owns: the contiguous trade ids, the rising update ids and every one-minute candle since the
//! world began. Prices are cents, quantities hundred-thousandths of a bitcoin.
//! Never: keeps a full order book; the ladder behind the best quote is drawn when asked for.

use super::path::{PricePath, STEP_NS};
use super::rng::Rng;

/// Trades a step (100 ms) on average, and at most.
const TRADES_PER_STEP: f64 = 1.5;
const TRADES_PER_STEP_MAX: u32 = 12;
/// Levels of the ladder drawn behind the best quote.
pub const LADDER_LEVELS: u32 = 100;

/// Best bid and ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticker {
    /// Update id, rising.
    pub update_id: u64,
    /// Best bid in cents and its quantity.
    pub bid: (i64, i64),
    /// Best ask in cents and its quantity.
    pub ask: (i64, i64),
}

/// One fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// Contiguous trade id.
    pub id: u64,
    /// Price in cents.
    pub price: i64,
    /// Quantity.
    pub quantity: i64,
    /// The buyer's order was resting: a seller aggressed.
    pub buyer_is_maker: bool,
}

/// One candle, built from trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candle {
    /// Start of the interval, epoch ms.
    pub open_ms: u64,
    /// First, highest, lowest and last traded price, cents.
    pub open: i64,
    /// Highest.
    pub high: i64,
    /// Lowest.
    pub low: i64,
    /// Last.
    pub close: i64,
    /// Traded quantity, and the part bought by takers.
    pub volume: i64,
    /// Bought by takers.
    pub taker_volume: i64,
    /// Sum of price × quantity, and the takers' part.
    pub turnover: i128,
    /// Turnover bought by takers.
    pub taker_turnover: i128,
    /// First and last trade id, and how many.
    pub first_id: u64,
    /// Last trade id.
    pub last_id: u64,
    /// Number of trades.
    pub trades: u64,
}

impl Candle {
    fn opened_by(open_ms: u64, trade: &Trade) -> Self {
        Self {
            open_ms,
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume: 0,
            taker_volume: 0,
            turnover: 0,
            taker_turnover: 0,
            first_id: trade.id,
            last_id: trade.id,
            trades: 0,
        }
    }

    fn add(&mut self, trade: &Trade) {
        let turnover = i128::from(trade.price) * i128::from(trade.quantity);
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.volume += trade.quantity;
        self.turnover += turnover;
        if !trade.buyer_is_maker {
            self.taker_volume += trade.quantity;
            self.taker_turnover += turnover;
        }
        self.last_id = trade.id;
        self.trades += 1;
    }

    fn merge(&mut self, later: &Candle) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume += later.volume;
        self.taker_volume += later.taker_volume;
        self.turnover += later.turnover;
        self.taker_turnover += later.taker_turnover;
        self.last_id = later.last_id;
        self.trades += later.trades;
    }
}

/// What one step of the tape produced, with the ms inside the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapeEvent {
    /// The best quote moved.
    Ticker(Ticker),
    /// Somebody traded.
    Trade(Trade),
}

/// The tape.
#[derive(Debug, Clone)]
pub struct Tape {
    rng: Rng,
    update_id: u64,
    trade_id: u64,
    ticker: Option<Ticker>,
    minutes: Vec<Candle>,
}

impl Tape {
    /// The tape of this seed, before its first trade.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::named(seed, &[0x7461_7065]),
            update_id: 50_000_000_000,
            trade_id: 4_000_000_000,
            ticker: None,
            minutes: Vec::new(),
        }
    }

    /// Moves on to the step that ends at `now_ns`; reports each event with its time.
    pub fn step(&mut self, now_ns: u64, path: &PricePath, mut report: impl FnMut(u64, TapeEvent)) {
        let begin = now_ns - STEP_NS;
        let mid_cents = (path.quote() * 100.0) as i64;
        let tight = self.rng.chance(0.85);
        let bid = mid_cents
            - if tight {
                0
            } else {
                i64::from(self.rng.below(150))
            };
        self.update_id += 1 + u64::from(self.rng.below(200));
        let ticker = Ticker {
            update_id: self.update_id,
            bid: (bid, self.quantity(1.5)),
            ask: (
                mid_cents
                    + 1
                    + if tight {
                        0
                    } else {
                        i64::from(self.rng.below(150))
                    },
                self.quantity(1.5),
            ),
        };
        self.ticker = Some(ticker);
        let mut offset_ms = u64::from(self.rng.below(30));
        report(begin + offset_ms * 1_000_000, TapeEvent::Ticker(ticker));

        for _ in 0..self.rng.poisson(TRADES_PER_STEP, TRADES_PER_STEP_MAX) {
            self.trade_id += 1;
            let buyer_is_maker = self.rng.chance(0.5);
            let trade = Trade {
                id: self.trade_id,
                price: if buyer_is_maker {
                    ticker.bid.0
                } else {
                    ticker.ask.0
                },
                quantity: self.quantity(0.02),
                buyer_is_maker,
            };
            offset_ms = (offset_ms + u64::from(self.rng.below(8))).min(99);
            let at = begin + offset_ms * 1_000_000;
            self.record(at, &trade);
            report(at, TapeEvent::Trade(trade));
        }
    }

    fn quantity(&mut self, typical_btc: f64) -> i64 {
        let size = typical_btc * libm::exp(1.1 * self.rng.normal());
        ((size * 100_000.0) as i64).max(1)
    }

    fn record(&mut self, at_ns: u64, trade: &Trade) {
        let minute_ms = at_ns / 60_000_000_000 * 60_000;
        match self.minutes.last_mut() {
            Some(candle) if candle.open_ms == minute_ms => candle.add(trade),
            _ => {
                let mut candle = Candle::opened_by(minute_ms, trade);
                candle.add(trade);
                self.minutes.push(candle);
            }
        }
    }

    /// The best quote after the last step.
    pub fn ticker(&self) -> Option<Ticker> {
        self.ticker
    }

    /// Candles of `minutes` minutes that opened in `from_ms..=to_ms`, oldest first.
    pub fn candles(&self, minutes: u64, from_ms: u64, to_ms: u64) -> Vec<Candle> {
        let width = minutes.max(1) * 60_000;
        let first = from_ms.div_ceil(width) * width;
        let start = self.minutes.partition_point(|c| c.open_ms < first);
        let mut out: Vec<Candle> = Vec::new();
        for minute in self.minutes.get(start..).unwrap_or_default() {
            let open_ms = minute.open_ms / width * width;
            if open_ms > to_ms {
                break;
            }
            match out.last_mut() {
                Some(candle) if candle.open_ms == open_ms => candle.merge(minute),
                _ => out.push(Candle { open_ms, ..*minute }),
            }
        }
        out
    }
}
