//! The engine itself, put into the situation that was asked about: one oracle, one market, one book.
//!
//! Owns nothing but the four records that make the situation. What is read off is the scanner's own
//! judgement; there is no second formula here.

use super::inputs::Inputs;
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::Effect;
#[cfg(test)]
use pm_arb_core::effect::Message;
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{BookSnapshot, Event, OracleTick, Record};
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, OracleId, Seq, Timestamp};
use pm_arb_core::market::{FeeSchedule, MarketSpec, OracleSpec, Outcome, SettlementRule};
use pm_arb_core::reason::Reason;
use pm_arb_core::scanner::{Estimate, Offer, ScanLimits};
use pm_arb_core::units::{Price, Qty};

/// The instrument that is looked at.
pub(super) const YES: InstrumentId = InstrumentId(0);
/// Its market.
pub(super) const MARKET: MarketId = MarketId(0);

/// The engine after the last record.
pub(super) struct Stage {
    engine: Engine,
    effects: Vec<Effect>,
    now: Timestamp,
    limits: ScanLimits,
    seq: u64,
}

/// When the situation is: noon of the asked day, so that no arithmetic of time comes near zero.
pub(super) fn instant(inputs: &Inputs) -> Timestamp {
    inputs.day.plus(Nanos::from_ms(12 * 3_600_000))
}

/// Settings as they come, but for the volatility that was asked: without a tick's history the prior is
/// the whole estimate.
pub(super) fn config(inputs: &Inputs) -> EngineConfig {
    let mut config = EngineConfig::default();
    config.scanner.volatility_prior = inputs.volatility;
    config
}

/// The market: YES when the oracle's value of the closing second is above the strike.
pub(super) fn spec(inputs: &Inputs, fee: FeeSchedule, delay: Option<Nanos>) -> MarketSpec {
    let now = instant(inputs);
    let outcome = |n: u32, name: &str| Outcome {
        instrument: InstrumentId(n),
        name: name.to_owned(),
        native_id: format!("example:{name}"),
    };
    MarketSpec {
        id: MARKET,
        venue: inputs.venue,
        native_id: "example".to_owned(),
        slug: "example".to_owned(),
        question: String::new(),
        outcomes: vec![outcome(0, "YES"), outcome(1, "NO")],
        // Any price may be asked about.
        tick: None,
        lot: Qty(1),
        min_qty: None,
        fee,
        maker_fee: FeeSchedule::Unknown,
        fee_rule: String::new(),
        taker_delay: delay,
        opens_at: Timestamp(now.0.saturating_sub(1)),
        closes_at: now.plus(inputs.left),
        settlement: SettlementRule::Above {
            oracle: OracleId(0),
            strike: inputs.strike,
            strict: true,
            candle_secs: None,
        },
        exclusive_set: None,
        pair_key: None,
    }
}

impl Stage {
    pub(super) fn set(inputs: &Inputs, fee: FeeSchedule) -> Self {
        let config = config(inputs);
        let now = instant(inputs);
        let mut stage = Self {
            engine: Engine::new(),
            effects: Vec::new(),
            now,
            limits: ScanLimits::from(&config.risk),
            seq: 0,
        };
        let level = |price: Price| (price, inputs.qty);
        let book = |instrument, bids: Vec<_>, asks: Vec<_>| BookSnapshot {
            instrument,
            more: false,
            venue_time: now,
            bids,
            asks,
        };
        let yes = book(
            YES,
            inputs.bid.map(level).into_iter().collect(),
            vec![level(inputs.price)],
        );
        for event in [
            Event::Configured(Box::new(config)),
            Event::OracleListed(Box::new(OracleSpec {
                id: OracleId(0),
                source: "binance".to_owned(),
                symbol: "btcusdt".to_owned(),
                proxy: None,
            })),
            Event::MarketListed(Box::new(spec(inputs, fee, None))),
            Event::OracleTick(OracleTick {
                oracle: OracleId(0),
                price: inputs.spot,
                source_time: now,
            }),
            Event::Snapshot(Box::new(yes)),
        ] {
            stage.step(event);
        }
        stage
    }

    fn step(&mut self, event: Event) {
        self.seq += 1;
        let record = Record {
            seq: Seq(self.seq),
            at: self.now,
            event,
        };
        self.engine.step(&record, &mut self.effects);
    }

    /// What the scanner says of YES.
    pub(super) fn estimate(&self) -> Result<Estimate, Reason> {
        let (data, scanner) = (self.engine.market_data(), self.engine.scanner());
        scanner.estimate(data, MARKET, self.now, self.limits)
    }

    /// What it makes of its ask.
    pub(super) fn offer(&self) -> Result<Offer, Reason> {
        let (data, scanner) = (self.engine.market_data(), self.engine.scanner());
        scanner.offer(data, MARKET, self.now, self.limits)
    }

    /// Whether the engine published YES as an opportunity.
    #[cfg(test)]
    pub(super) fn published(&self) -> Option<pm_arb_core::units::Usd> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Publish(message) => match message.as_ref() {
                Message::Opportunity(o) if o.legs.first()?.instrument == YES => Some(o.edge),
                _ => None,
            },
            _ => None,
        })
    }
}
