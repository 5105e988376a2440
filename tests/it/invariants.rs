//! The invariants hold over every recording, with a strategy that trades without sense but a lot.
//!
//! The engine checks itself after every record. This counts the money a second way, from the effects
//! alone, and lets the engine count anew what it keeps as running sums.
#![allow(clippy::unwrap_used)]

use crate::recordings::{RECORDINGS, imported_by};
use crate::support::recordings;
use pm_arb::digest::EffectDigest;
use pm_arb::journal::JournalReader;
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::{Effect, Message, TradeStatus};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{InstrumentId, IntentId, StrategyId, Timestamp, TradeId};
use pm_arb_core::strategy::{
    Intent, IntentLeg, Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault,
    TimeInForce, Topics,
};
use pm_arb_core::units::{Bps, Price, Qty, Usd};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

/// Counts calls and decides by a hash of the count: buys at the ask or beyond, sells at the bid, pairs
/// both outcomes of a market, asks for what it does not hold.
#[derive(Default)]
struct Gambler {
    calls: u64,
    /// Both outcomes of a market, by either.
    pairs: BTreeMap<InstrumentId, InstrumentId>,
    asks: BTreeMap<InstrumentId, Price>,
}

impl Gambler {
    fn dice(&self) -> u64 {
        let mut z = self.calls.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^ (z >> 31)
    }
}

fn leg(instrument: InstrumentId, buy: bool, limit: Price) -> IntentLeg {
    IntentLeg {
        instrument,
        buy,
        limit,
    }
}

impl Strategy for Gambler {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        self.calls += 1;
        let dice = self.dice();
        let this = quote.instrument;
        let ask = quote.ask.map(|(price, _)| price);
        if let Some(ask) = ask {
            self.asks.insert(this, ask);
        }
        let other = self.pairs.get(&this).copied();
        let other_ask = other.and_then(|o| Some((o, *self.asks.get(&o)?)));
        let legs = match (dice % 8, ask, quote.bid, other_ask) {
            (0 | 1, Some(ask), _, _) => vec![leg(this, true, ask)],
            (2, Some(ask), _, _) => vec![leg(this, true, Price(ask.0 + 20_000))],
            (3 | 4, _, Some((bid, _)), _) => vec![leg(this, false, bid)],
            (5, Some(ask), _, Some((other, other_ask))) => {
                vec![leg(this, true, ask), leg(other, true, other_ask)]
            }
            _ => return Ok(()),
        };
        let time_in_force = match dice / 8 % 6 {
            0 => TimeInForce::Fok,
            1 => TimeInForce::Gtc,
            2 => TimeInForce::Gtd(Timestamp(now.0 + 3_000_000_000)),
            _ => TimeInForce::Fak,
        };
        out.intents.push(Intent {
            opportunity: None,
            tag: self.calls,
            legs,
            qty: Qty((5 + (dice / 64 % 40) as i64) * 1_000_000),
            time_in_force,
            expected_edge: Usd(100_000),
        });
        Ok(())
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        event: &StrategyEvent<'_>,
        _: &mut Output,
    ) -> Result<(), StrategyFault> {
        if let StrategyEvent::MarketListed(spec) = event
            && let [first, second] = spec.outcomes.as_slice()
        {
            self.pairs.insert(first.instrument, second.instrument);
            self.pairs.insert(second.instrument, first.instrument);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(Vec::new())
    }
}

fn loaded(at: &Record) -> Record {
    let manifest = Manifest {
        name: "gambler".to_owned(),
        version: "1".to_owned(),
        topics: Topics {
            quotes: true,
            markets: true,
            ..Topics::default()
        },
    };
    Record {
        event: Event::Strategy(Box::new(StrategyChange {
            id: StrategyId(0),
            kind: StrategyChangeKind::Loaded {
                manifest,
                digest: [1; 32],
                generation: 1,
                params: Vec::new(),
                restored: false,
            },
        })),
        ..*at
    }
}

/// Limits that let much through and still bite, so that denials tell what equity was.
fn settings() -> EngineConfig {
    let mut config = EngineConfig {
        starting_cash: Usd(100_000_000_000),
        ..EngineConfig::default()
    };
    config.risk.position_per_market = Bps(200);
    config.risk.daily_loss = Bps(9_900);
    config.risk.drawdown = Bps(9_900);
    config.risk.collar = Price(500_000);
    config
}

/// The run as its effects tell it.
#[derive(Default)]
struct Told {
    approved: BTreeSet<IntentId>,
    /// Shares left in every open row.
    open: BTreeMap<TradeId, i64>,
    /// What every row has realised so far, fees included.
    realised: BTreeMap<TradeId, i64>,
    sum: i64,
    fills: usize,
    rejected: usize,
}

impl Told {
    fn realise(&mut self, row: TradeId, pnl: Usd) {
        let before = self.realised.insert(row, pnl.0).unwrap_or(0);
        self.sum += pnl.0 - before;
    }

    fn hear(&mut self, effect: &Effect) {
        match effect {
            Effect::Publish(message) => {
                if let Message::Decision(decision) = &**message
                    && decision.verdict.is_ok()
                {
                    self.approved.insert(decision.intent);
                }
            }
            Effect::RecordTrade(row) if row.status == TradeStatus::Rejected => {
                assert!(row.rejection.is_some() && row.qty == Qty::ZERO, "{row:?}");
                assert!(!self.open.contains_key(&row.id), "{row:?}");
                self.rejected += 1;
            }
            Effect::RecordTrade(row) => {
                assert!(self.approved.contains(&row.intent), "not approved: {row:?}");
                assert!(row.risk_approved && row.rejection.is_none(), "{row:?}");
                assert!(row.qty.0 > 0 && row.qty <= row.requested_qty, "{row:?}");
                assert!(self.open.insert(row.id, row.qty.0).is_none(), "{row:?}");
                self.realise(row.id, Usd(-row.fees.0));
                self.fills += 1;
            }
            Effect::UpdateTrade(update) => {
                let left = self.open.get_mut(&update.id).expect("an open row");
                assert!(update.remaining_qty.0 < *left, "{update:?}");
                *left = update.remaining_qty.0;
                if update.status != TradeStatus::Open {
                    assert_eq!(*left, 0, "{update:?}");
                    self.open.remove(&update.id);
                }
                self.realise(update.id, update.realized_pnl);
            }
            Effect::Abort(why) => panic!("{why}"),
            _ => {}
        }
    }
}

/// Trades a run and checks it throughout; what happened, in words.
fn gambled(run: &Path) -> String {
    const AUDIT_EVERY: u64 = 997;
    const RECOUNT_EVERY: u64 = 101;
    let mut concluded = 0_u64;
    let config = settings();
    let mut journal = JournalReader::open(run).unwrap();
    let mut engine = Engine::new();
    let (mut told, mut digest) = (Told::default(), EffectDigest::default());
    let (mut effects, mut records, mut entered) = (Vec::new(), 0_u64, false);
    while let Some(record) = journal.next().unwrap() {
        let replaced = match &record.event {
            Event::Configured(_) => Some(Event::Configured(Box::new(config.clone()))),
            Event::Strategy(_) => continue,
            _ => None,
        };
        let replaced = replaced.map(|event| Record { event, ..*record });
        let record = replaced.as_ref().unwrap_or(record);
        effects.clear();
        engine.step(record, &mut effects);
        if !entered {
            entered = true;
            engine.install(StrategyId(0), Box::new(Gambler::default()));
            engine.step(&loaded(record), &mut effects);
        }
        digest.update(record.seq, &effects).unwrap();
        records += 1;
        if records.is_multiple_of(AUDIT_EVERY) {
            engine.audit().unwrap();
            engine.audit_funnel().unwrap();
        }
        if effects.is_empty() {
            continue;
        }
        concluded += 1;
        // The recount is not cheap, and what it would find stays wrong: a part of the records is enough here.
        // The engine's own tests recount after every one.
        if concluded.is_multiple_of(RECOUNT_EVERY) {
            engine.audit_funnel().unwrap();
        }
        for effect in &effects {
            told.hear(effect);
        }
        let now = engine.status();
        assert_eq!(
            now.cash.0 + now.reserved.0 + now.locked.0,
            config.starting_cash.0 + told.sum,
            "record {} ({})",
            record.seq,
            record.event.kind()
        );
        assert_eq!(now.open_trades, told.open.len());
    }
    engine.audit().unwrap();
    let status = engine.status();
    format!(
        "{records} records, {} intents, {} fills, {} rows open, {} rejected, equity {}, digest {}",
        status.counts.intents,
        told.fills,
        told.open.len(),
        told.rejected,
        status.equity,
        digest.hex(&engine)
    )
}

/// What two recordings leave open and the rulebook does not know: without it nothing would trade there.
/// Whether these are the right numbers does not matter to whether the books balance.
const RULES: &str = r#"schema = 1

[[taker_fee]]
venue = "kalshi"
family = "any"
from = 2026-01-01
formula = "quadratic"
rate = "0.07"
decimals = 4
rounding = "up"
source = "made for this test"

[[maker_fee]]
venue = "kalshi"
family = "any"
from = 2026-01-01
formula = "free"
source = "made for this test"

[[minimum]]
venue = "polymarket"
family = "other"
from = 2025-01-01
shares = "5"
source = "made for this test"

[[tick]]
venue = "polymarket"
family = "other"
from = 2025-01-01
tick = "0.001"
source = "made for this test"
"#;

#[test]
fn every_recording_keeps_the_books_balanced() {
    let Some(data) = recordings("every_recording_keeps_the_books_balanced") else {
        return;
    };
    let mut fills = 0;
    for (format, names) in RECORDINGS {
        // Here the whole of them, of which elsewhere a part is enough.
        let names = match format {
            "polymarket-book" => &["polymarket/ws_book_btc5m_20260416"],
            "kalshi-frames" => &["kalshi/ws_gold15m_202608"],
            _ => names,
        };
        let files: Vec<_> = names.iter().map(|name| data.join(name)).collect();
        let (_dir, run) = imported_by(format, &files, RULES);
        let started = Instant::now();
        let said = gambled(&run);
        println!("{format}: {said}; {:?}", started.elapsed());
        fills += usize::from(!said.contains(" 0 fills"));
    }
    // The rest would hold because nothing happens: most recordings must be traded.
    assert!(fills >= 7, "only {fills} recordings had fills");
}
