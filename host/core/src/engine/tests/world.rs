//! A tiny language for scenarios: records in, lines of text out.
//!
//! Times are milliseconds after the start, prices are cents, sizes are shares. The strategies wish
//! what the scenario queues for them, when a trade prints.

use crate::config::EngineConfig;
use crate::effect::{Effect, Message, TradeStatus};
use crate::engine::Engine;
use crate::event::{
    BookSide, BookSnapshot, Command, Event, LevelChange, OracleTick, Print, Record, Resolution,
    StrategyChange, StrategyChangeKind,
};
use crate::ids::{InstrumentId, MarketId, Nanos, OracleId, Seq, StrategyId, Timestamp, Venue};
use crate::market::{FeeSchedule, MarketSpec, OracleSpec, Outcome, SettlementRule};
use crate::reason::Reason;
use crate::strategy::{
    Intent, IntentLeg, Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault,
    TimeInForce, Topics,
};
use crate::units::{Price, Qty, SpotPrice, Usd};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// A Tuesday, 12:00:00 UTC.
pub(super) const START: u64 = 1_785_844_800;

/// What a scripted strategy is about to do, and what it was told.
#[derive(Default)]
pub(super) struct Script {
    pub(super) wishes: VecDeque<Intent>,
    /// Tags to cancel with the next print.
    pub(super) cancels: Vec<u64>,
    pub(super) told: Vec<String>,
    pub(super) fail: bool,
    /// Wishes to answer every refusal with.
    pub(super) stubborn: Option<Intent>,
}

struct Scripted(Arc<Mutex<Script>>);

impl Strategy for Scripted {
    fn on_quote(
        &mut self,
        _: Timestamp,
        quote: &Quote,
        _: &mut Output,
    ) -> Result<(), StrategyFault> {
        let mut script = self.0.lock().unwrap();
        script.told.push(format!("quote {}", quote.instrument));
        Ok(())
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let mut script = self.0.lock().unwrap();
        let told = match event {
            StrategyEvent::Print(_) => {
                out.intents.extend(script.wishes.drain(..));
                out.cancels.append(&mut script.cancels);
                if script.fail {
                    return Err(StrategyFault::OutOfFuel);
                }
                return Ok(());
            }
            StrategyEvent::Filled(f) => {
                let verb = if f.bought { "bought" } else { "sold" };
                let maker = if f.maker { " maker" } else { "" };
                format!("{verb} {}@{}{maker}", f.qty, f.price)
            }
            StrategyEvent::Refused(r) => {
                out.intents.extend(script.stubborn.clone());
                format!("refused {}", r.reason)
            }
            StrategyEvent::Settled(s) => format!("settled {} pnl {}", s.payout, s.pnl),
            StrategyEvent::MarketListed(m) => format!("listed {}", m.id),
            StrategyEvent::MarketClosed(m) => format!("closed {m}"),
            StrategyEvent::OracleTick(_) => "oracle".to_owned(),
            StrategyEvent::Opportunity { seen, .. } => {
                format!("opportunity {} {}", seen.kind, seen.id)
            }
            StrategyEvent::Gap(i) => format!("gap {i}"),
            StrategyEvent::Timer => "timer".to_owned(),
        };
        script.told.push(told);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(Vec::new())
    }
}

/// An engine with a past.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) effects: Vec<Effect>,
    pub(super) scripts: Vec<Arc<Mutex<Script>>>,
    seq: u64,
    pub(super) now: Timestamp,
    shown: usize,
}

impl World {
    /// One strategy, one oracle, and market 0 (instruments 0 and 1) with a book of 0.48 to 0.52.
    pub(super) fn new() -> Self {
        Self::with(EngineConfig::default())
    }

    pub(super) fn with(config: EngineConfig) -> Self {
        let mut world = Self::bare(config);
        world.market(0, |_| {});
        world.book(0, &[(48, 100)], &[(52, 100)]);
        world.lines();
        world
    }

    pub(super) fn bare(config: EngineConfig) -> Self {
        let mut world = Self {
            engine: Engine::new(),
            effects: Vec::new(),
            scripts: Vec::new(),
            seq: 0,
            now: Timestamp::from_secs(START),
            shown: 0,
        };
        world.step(Event::Configured(Box::new(config)));
        world.step(Event::OracleListed(Box::new(OracleSpec {
            id: OracleId(0),
            source: "chainlink".to_owned(),
            symbol: "btcusd".to_owned(),
            proxy: None,
        })));
        world.strategy(0);
        world
    }

    pub(super) fn strategy(&mut self, id: u32) {
        let script = Arc::new(Mutex::new(Script::default()));
        self.scripts.push(script.clone());
        self.engine
            .install(StrategyId(id), Box::new(Scripted(script)));
        self.load(id, 1);
    }

    pub(super) fn load(&mut self, id: u32, generation: u32) {
        self.step(Event::Strategy(Box::new(StrategyChange {
            id: StrategyId(id),
            kind: StrategyChangeKind::Loaded {
                manifest: Manifest {
                    name: format!("scripted-{id}"),
                    version: "1".to_owned(),
                    topics: Topics {
                        prints: true,
                        markets: true,
                        ..Topics::default()
                    },
                },
                digest: [7; 32],
                generation,
                params: Vec::new(),
                restored: false,
            },
        })));
    }

    pub(super) fn reinstall(&mut self, id: u32) {
        let script = self.scripts[id as usize].clone();
        self.engine
            .install(StrategyId(id), Box::new(Scripted(script)));
        self.load(id, 2);
    }

    pub(super) fn step(&mut self, event: Event) {
        self.seq += 1;
        let record = Record {
            seq: Seq(self.seq),
            at: self.now,
            event,
        };
        self.engine.step(&record, &mut self.effects);
        if !self.engine.broken {
            self.engine.audit_funnel().unwrap();
        }
    }

    /// The last record.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    /// Moves time to that many milliseconds after the start.
    pub(super) fn at(&mut self, ms: u64) -> &mut Self {
        let at = Timestamp(START * 1_000_000_000 + ms * 1_000_000);
        assert!(at >= self.now, "time does not go back");
        self.now = at;
        self
    }

    pub(super) fn tick(&mut self) {
        self.step(Event::Tick);
    }

    pub(super) fn market(&mut self, id: u32, change: impl FnOnce(&mut MarketSpec)) {
        let outcome = |n: u32, name: &str| Outcome {
            instrument: InstrumentId(2 * id + n),
            name: name.to_owned(),
            native_id: format!("token-{id}-{n}"),
        };
        let mut spec = MarketSpec {
            id: MarketId(id),
            venue: Venue::Polymarket,
            native_id: format!("0x{id}"),
            slug: format!("market-{id}"),
            question: "Up or down?".to_owned(),
            outcomes: vec![outcome(0, "Up"), outcome(1, "Down")],
            tick: Some(Price(10_000)),
            lot: Qty(10_000),
            min_qty: Some(Qty(5_000_000)),
            fee: FeeSchedule::Free,
            maker_fee: FeeSchedule::Free,
            fee_rule: String::new(),
            taker_delay: Some(Nanos::from_ms(250)),
            opens_at: Timestamp::from_secs(START),
            closes_at: Timestamp::from_secs(START + 300),
            settlement: SettlementRule::UpDown {
                oracle: OracleId(0),
                strike: None,
            },
            exclusive_set: None,
            pair_key: None,
        };
        change(&mut spec);
        self.step(Event::MarketListed(Box::new(spec)));
    }

    /// Both books of a market in one message: the second outcome's mirrors the first's.
    pub(super) fn book(&mut self, market: u32, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        let level = |(p, q): &(i64, i64)| (cents(*p), shares(*q));
        let mirror = |(p, q): &(i64, i64)| (cents(100 - *p), shares(*q));
        let venue_time = self.now;
        let first = BookSnapshot {
            instrument: InstrumentId(2 * market),
            more: true,
            venue_time,
            bids: bids.iter().map(level).collect(),
            asks: asks.iter().map(level).collect(),
        };
        let second = BookSnapshot {
            instrument: InstrumentId(2 * market + 1),
            more: false,
            venue_time,
            bids: asks.iter().map(mirror).collect(),
            asks: bids.iter().map(mirror).collect(),
        };
        self.step(Event::Snapshot(Box::new(first)));
        self.step(Event::Snapshot(Box::new(second)));
    }

    pub(super) fn ask(&mut self, instrument: u32, price: i64, qty: i64) {
        self.level(instrument, BookSide::Ask, price, qty);
    }

    pub(super) fn bid(&mut self, instrument: u32, price: i64, qty: i64) {
        self.level(instrument, BookSide::Bid, price, qty);
    }

    pub(super) fn level(&mut self, instrument: u32, side: BookSide, price: i64, qty: i64) {
        self.step(Event::Level(LevelChange {
            instrument: InstrumentId(instrument),
            side,
            more: false,
            price: cents(price),
            qty: shares(qty),
            venue_time: self.now,
        }));
    }

    pub(super) fn oracle(&mut self, dollars: i128, second: u64) {
        self.step(Event::OracleTick(OracleTick {
            oracle: OracleId(0),
            price: SpotPrice(dollars * 1_000_000_000_000_000_000),
            source_time: Timestamp::from_secs(START + second),
        }));
    }

    /// A final candle that starts `second` seconds into the window, from dollars to dollars.
    pub(super) fn candle(&mut self, second: u64, secs: u64, prices: (i64, i64)) {
        let candle = crate::fixtures::candle(0, START + second, secs, prices);
        self.step(Event::Candle(Box::new(candle)));
    }

    pub(super) fn resolve(&mut self, market: u32, payouts: &[i64]) {
        self.step(Event::Resolved(Box::new(Resolution {
            market: MarketId(market),
            payouts: payouts.iter().map(|p| cents(*p)).collect(),
            evidence: "gamma".to_owned(),
        })));
    }

    pub(super) fn halt(&mut self, why: &str) {
        self.step(Event::Command(Command::Halt {
            why: why.to_owned(),
        }));
    }

    pub(super) fn resume(&mut self) {
        self.step(Event::Command(Command::Resume {
            note: "go on".to_owned(),
        }));
    }

    /// Strategy 0 wishes.
    pub(super) fn wish(&mut self, intent: Intent) {
        self.wish_of(0, intent);
    }

    pub(super) fn wish_of(&mut self, strategy: usize, intent: Intent) {
        self.scripts[strategy]
            .lock()
            .unwrap()
            .wishes
            .push_back(intent);
        self.print();
    }

    /// A trade that only wakes the strategies: a buyer at 99 cents, stamped like no other.
    pub(super) fn print(&mut self) {
        self.step(Event::Print(Print {
            instrument: InstrumentId(0),
            price: cents(99),
            qty: Qty(i64::try_from(self.seq).unwrap() + 1),
            taker_bought: true,
            venue_time: self.now,
        }));
    }

    /// A trade between others: whose book, cents, shares, and whether the taker bought.
    pub(super) fn trade(&mut self, instrument: u32, price: i64, qty: i64, taker_bought: bool) {
        self.trade_of(instrument, price, qty, taker_bought, self.now);
    }

    pub(super) fn trade_of(
        &mut self,
        instrument: u32,
        price: i64,
        qty: i64,
        taker_bought: bool,
        venue_time: Timestamp,
    ) {
        self.step(Event::Print(Print {
            instrument: InstrumentId(instrument),
            price: cents(price),
            qty: shares(qty),
            taker_bought,
            venue_time,
        }));
    }

    /// Strategy 0 cancels.
    pub(super) fn cancel(&mut self, tag: u64) {
        self.scripts[0].lock().unwrap().cancels.push(tag);
        self.print();
    }

    /// How often an input was refused for that reason.
    pub(super) fn refused(&self, reason: Reason) -> u64 {
        let counts = self.engine.status().refused_inputs;
        counts
            .iter()
            .find(|(r, _)| *r == reason)
            .map_or(0, |(_, n)| *n)
    }

    pub(super) fn told(&self) -> Vec<String> {
        self.scripts[0].lock().unwrap().told.clone()
    }

    /// What happened since the last look, in short: rows, changes of rows, denials without a row,
    /// alerts, faults.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let new = self.effects.iter().skip(self.shown);
        let lines = new.filter_map(line).collect();
        self.shown = self.effects.len();
        lines
    }

    /// The one helper of these tests: what happened since the last look is exactly this.
    #[track_caller]
    pub(super) fn check(&mut self, expected: &[&str]) {
        assert_eq!(self.lines(), expected);
    }
}

fn line(effect: &Effect) -> Option<String> {
    match effect {
        Effect::RecordTrade(row) => {
            let what = format!("leg {} {}", row.leg, row.status.as_str());
            Some(match (&row.rejection, row.status) {
                (Some(r), TradeStatus::Rejected) => format!("{what} {}", r.reason),
                _ => {
                    let nth = match row.fill {
                        0 => String::new(),
                        n => format!(" fill {n}"),
                    };
                    let maker = if row.maker { " maker" } else { "" };
                    format!(
                        "{what} {}@{} fee {}{nth}{maker}",
                        row.qty, row.price, row.fees
                    )
                }
            })
        }
        Effect::UpdateTrade(update) => Some(format!(
            "now {} left {} exit {} pnl {}",
            update.status.as_str(),
            update.remaining_qty,
            update.exit_price,
            update.realized_pnl
        )),
        Effect::Publish(message) => match &**message {
            Message::Alert(alert) => Some(format!("alert {}", alert.code)),
            _ => None,
        },
        Effect::StrategyFailed { strategy, fault } => Some(format!("failed {strategy}: {fault}")),
        Effect::Abort(text) => Some(format!("ABORT {text}")),
        Effect::CountDenials(count) => Some(format!("counted {} {}", count.reason, count.legs)),
        Effect::RecordIntent(_)
        | Effect::RecordMarket(_)
        | Effect::Corroborate(_)
        | Effect::RecordEquity(_)
        | Effect::WakeAt(_) => None,
    }
}

pub(super) fn cents(n: i64) -> Price {
    Price(n * 10_000)
}

pub(super) fn shares(n: i64) -> Qty {
    Qty(n * 1_000_000)
}

/// A purchase of one instrument, expecting ten cents a share.
pub(super) fn buy(instrument: u32, limit: i64, qty: i64) -> Intent {
    group(&[(instrument, limit)], qty)
}

/// Purchases in equal shares.
pub(super) fn group(legs: &[(u32, i64)], qty: i64) -> Intent {
    Intent {
        opportunity: None,
        tag: 1,
        legs: legs
            .iter()
            .map(|(instrument, limit)| IntentLeg {
                instrument: InstrumentId(*instrument),
                buy: true,
                limit: cents(*limit),
            })
            .collect(),
        qty: shares(qty),
        time_in_force: TimeInForce::Fak,
        expected_edge: Usd(100_000),
    }
}

/// A purchase that rests until it is cancelled.
pub(super) fn bid_for(instrument: u32, limit: i64, qty: i64) -> Intent {
    Intent {
        time_in_force: TimeInForce::Gtc,
        ..buy(instrument, limit, qty)
    }
}

/// A sale that rests until it is cancelled.
pub(super) fn offer(instrument: u32, limit: i64, qty: i64) -> Intent {
    Intent {
        time_in_force: TimeInForce::Gtc,
        ..sell(instrument, limit, qty)
    }
}

pub(super) fn sell(instrument: u32, limit: i64, qty: i64) -> Intent {
    let mut intent = buy(instrument, limit, qty);
    intent.legs[0].buy = false;
    intent
}
