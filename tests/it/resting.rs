//! Orders that rest, through the whole engine: a component's on a small book, and many on a recording,
//! compared with a queue counted with hindsight.

use crate::plugin::fixtures::{CANCEL, Fixture, SUBMIT_GTC};
use crate::support::{recordings, run, stdout};
use flate2::read::MultiGzDecoder;
use pm_arb::catalog::Catalog;
use pm_arb::plugin::{Limits, PluginHost};
use pm_arb::replay::{self, Cast};
use pm_arb::venue::kalshi::Decoder;
use pm_arb_core::config::{EngineConfig, Latency};
use pm_arb_core::effect::{Effect, TradeRecord};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{BookSnapshot, Event, Print, Record, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, Seq, StrategyId, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::reason::Reason;
use pm_arb_core::strategy::{
    Intent, IntentLeg, Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault,
    TimeInForce, Topics,
};
use pm_arb_core::units::{Bps, Price, Qty, Usd};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex};

/// An engine with one strategy, fed by hand.
struct Desk {
    engine: Engine,
    effects: Vec<Effect>,
    seq: u64,
}

impl Desk {
    fn new(spec: &MarketSpec, strategy: Box<dyn Strategy>) -> Self {
        let mut desk = Self {
            engine: Engine::new(),
            effects: Vec::new(),
            seq: 0,
        };
        let mut config = EngineConfig::default();
        config.risk.profit_min = Usd(0);
        config.risk.position_per_market = Bps(10_000);
        config.risk.position_per_venue = Bps(10_000);
        config.risk.collar = Price(990_000);
        config.risk.daily_loss = Bps(10_000);
        config.risk.drawdown = Bps(10_000);
        config.execution.latency = Latency::Constant(Nanos::from_ms(50));
        desk.step(0, Event::Configured(Box::new(config)));
        desk.step(0, Event::MarketListed(Box::new(spec.clone())));
        desk.engine.install(StrategyId(0), strategy);
        let kind = StrategyChangeKind::Loaded {
            manifest: Manifest {
                name: "maker".to_owned(),
                version: "1".to_owned(),
                topics: Topics {
                    quotes: true,
                    ..Topics::default()
                },
            },
            digest: [1; 32],
            generation: 1,
            params: Vec::new(),
            restored: false,
        };
        let id = StrategyId(0);
        desk.step(0, Event::Strategy(Box::new(StrategyChange { id, kind })));
        desk
    }

    fn step(&mut self, ms: u64, event: Event) {
        self.seq += 1;
        let record = Record {
            seq: Seq(self.seq),
            at: Timestamp::from_ms(ms),
            event,
        };
        self.engine.step(&record, &mut self.effects);
    }

    fn rows(&self) -> Vec<TradeRecord> {
        let rows = self.effects.iter().filter_map(|effect| match effect {
            Effect::RecordTrade(row) => Some((**row).clone()),
            Effect::Abort(text) => panic!("{text}"),
            _ => None,
        });
        rows.collect()
    }
}

fn spec(native_id: &str, closes_at: Timestamp) -> MarketSpec {
    let outcome = |instrument, name: &str| Outcome {
        instrument: InstrumentId(instrument),
        name: name.to_owned(),
        native_id: format!("{native_id}:{name}"),
    };
    MarketSpec {
        id: MarketId(0),
        venue: Venue::Kalshi,
        native_id: native_id.to_owned(),
        slug: native_id.to_owned(),
        question: "Up or down?".to_owned(),
        outcomes: vec![outcome(0, "yes"), outcome(1, "no")],
        tick: Some(Price(10_000)),
        lot: Qty(10_000),
        min_qty: Some(Qty(1_000_000)),
        fee: FeeSchedule::kalshi(70_000),
        maker_fee: FeeSchedule::Free,
        fee_rule: String::new(),
        taker_delay: Some(Nanos(0)),
        opens_at: Timestamp(0),
        closes_at,
        settlement: SettlementRule::VenueOnly,
        exclusive_set: None,
        pair_key: None,
    }
}

fn book(instrument: u32, ms: u64, bid: i64, ask: i64) -> Event {
    Event::Snapshot(Box::new(BookSnapshot {
        instrument: InstrumentId(instrument),
        more: false,
        venue_time: Timestamp::from_ms(ms),
        bids: vec![(Price(bid), Qty(100_000_000))],
        asks: vec![(Price(ask), Qty(100_000_000))],
    }))
}

#[test]
fn a_component_rests_is_hit_and_cancels() {
    // On its first quote it bids 0.50 for ten shares of instrument 1, on its third it cancels.
    let body = format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))
         (if (i32.eq (global.get $count) (i32.const 1)) (then {SUBMIT_GTC}))
         (if (i32.eq (global.get $count) (i32.const 3)) (then {CANCEL}))"
    );
    let host = PluginHost::new(Limits::default()).unwrap();
    let bytes = Fixture::on_quote("maker", &body).component();
    let compiled = host.compile(&bytes).unwrap();
    let strategy = host.instantiate(&compiled, &[]).unwrap();
    let mut desk = Desk::new(&spec("X", Timestamp::from_secs(300)), Box::new(strategy));
    desk.step(1_000, book(1, 1_000, 480_000, 520_000));
    desk.step(1_050, Event::Tick);
    let status = desk.engine.status();
    assert_eq!((status.orders_in_flight, status.orders_resting), (0, 1));
    let sold = |ms, qty| {
        Event::Print(Print {
            instrument: InstrumentId(1),
            price: Price(500_000),
            qty: Qty(qty),
            taker_bought: false,
            venue_time: Timestamp::from_ms(ms),
        })
    };
    desk.step(1_100, sold(1_100, 4_000_000));
    desk.step(1_200, book(1, 1_200, 470_000, 520_000));
    desk.step(1_300, book(1, 1_300, 460_000, 520_000));
    desk.step(1_340, sold(1_340, 1_000_000));
    desk.step(1_350, sold(1_350, 2_000_000));
    let rows = desk.rows();
    let fills: Vec<_> = rows.iter().map(|r| (r.fill, r.maker, r.qty)).collect();
    assert_eq!(
        fills,
        [(0, true, Qty(4_000_000)), (1, true, Qty(1_000_000))]
    );
    let status = desk.engine.status();
    assert_eq!((status.orders_resting, status.reserved), (0, Usd(0)));
}

/// A component that joins the best bid now and then, and cancels before it does so again.
fn joiner() -> Vec<u8> {
    let body = format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))
         (if (i32.eqz (i32.and (global.get $count) (i32.const 127))) (then {CANCEL}))
         (if (i32.eqz (i32.and (i32.add (global.get $count) (i32.const 64)) (i32.const 127)))
           (then (if (i64.gt_s (local.get 3) (i64.const 0)) (then
             (i32.store (i32.const 320) (local.get $instrument))
             (i64.store (i32.const 328) (local.get 2))
             {SUBMIT_GTC}))))"
    );
    Fixture::on_quote("joiner", &body).component()
}

#[test]
fn a_pilot_on_the_simulated_venues_is_hit_and_replays_alike() {
    let dir = tempfile::tempdir().unwrap();
    let strategy = dir.path().join("joiner.wasm");
    std::fs::write(&strategy, joiner()).unwrap();
    let data = dir.path().join("data");
    stdout(&run(&[
        "pilot",
        "--strategies",
        strategy.to_str().unwrap(),
        "--data-dir",
        data.to_str().unwrap(),
        "--seed",
        "7",
        "--for",
        "20s",
    ]));
    let runs = std::fs::read_dir(data.join("runs")).unwrap();
    let ran: Vec<_> = runs.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(ran.len(), 1);
    let replayed = || {
        let mut rows = Vec::new();
        let mut each = |_, effect: &Effect| {
            if let Effect::RecordTrade(row) = effect {
                rows.push((
                    row.maker,
                    row.fill,
                    row.qty,
                    row.rejection.as_ref().map(|r| r.reason),
                ));
            }
        };
        let host = PluginHost::new(Limits::default()).unwrap();
        let (state, _) = replay::replay(&ran[0], host, None, Cast::Own, &mut each).unwrap();
        (rows, state.digest.hex(&state.engine))
    };
    let (rows, digest) = replayed();
    let hit = rows.iter().filter(|(maker, ..)| *maker).count();
    let whys: BTreeMap<Reason, usize> =
        rows.iter()
            .filter_map(|row| row.3)
            .fold(BTreeMap::new(), |mut counts, why| {
                *counts.entry(why).or_default() += 1;
                counts
            });
    println!("{} rows, {hit} of them hit at rest; {whys:?}", rows.len());
    assert!(hit > 0, "{rows:?}");
    assert_eq!((rows, digest), replayed());
}

/// Bids ten shares at the best bid every so often, for a minute.
struct Maker(Arc<Mutex<Posted>>);

#[derive(Default)]
struct Posted {
    next: u64,
    orders: Vec<(Timestamp, Price)>,
    refused: Vec<Reason>,
}

const EVERY_MS: u64 = 70_000;
const STANDS_MS: u64 = 60_000;
const WANTED: i64 = 10_000_000;

impl Strategy for Maker {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let mut posted = self.0.lock().unwrap();
        if let (Some((bid, _)), InstrumentId(0)) = (quote.bid, quote.instrument)
            && now.0 >= posted.next
        {
            posted.next = now.plus(Nanos::from_ms(EVERY_MS)).0;
            posted.orders.push((now, bid));
            out.intents.push(Intent {
                opportunity: None,
                tag: 0,
                legs: vec![IntentLeg {
                    instrument: quote.instrument,
                    buy: true,
                    limit: bid,
                }],
                qty: Qty(WANTED),
                time_in_force: TimeInForce::Gtd(now.plus(Nanos::from_ms(STANDS_MS))),
                expected_edge: Usd(10_000),
            });
        }
        Ok(())
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        event: &StrategyEvent<'_>,
        _: &mut Output,
    ) -> Result<(), StrategyFault> {
        if let StrategyEvent::Refused(refused) = event {
            self.0.lock().unwrap().refused.push(refused.reason);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(Vec::new())
    }
}

/// One line of the recording, as the test reads it: prices of YES in cents, sizes in hundredths.
enum Seen {
    Whole(Vec<(i64, i64)>, Vec<(i64, i64)>),
    Delta(bool, i64, i64, u64),
    Trade(bool, i64, i64, u64),
}

fn seen(value: &serde_json::Value) -> Option<Seen> {
    let msg = &value["msg"];
    let hundredths = |v: &serde_json::Value| {
        let text = v.as_str()?;
        let (whole, part) = text.split_once('.')?;
        let number = format!("{whole}{}", &part[..2]);
        number.parse::<i64>().ok()
    };
    let levels = |key: &str| {
        let list = msg[key].as_array().cloned().unwrap_or_default();
        let each = list
            .iter()
            .map(|l| (hundredths(&l[0]).unwrap(), hundredths(&l[1]).unwrap()));
        each.collect::<Vec<_>>()
    };
    match value["type"].as_str()? {
        "orderbook_snapshot" => Some(Seen::Whole(
            levels("yes_dollars_fp"),
            levels("no_dollars_fp"),
        )),
        "orderbook_delta" => Some(Seen::Delta(
            msg["side"] == "yes",
            hundredths(&msg["price_dollars"])?,
            hundredths(&msg["delta_fp"])?,
            msg["ts_ms"].as_u64()?,
        )),
        "trade" => Some(Seen::Trade(
            msg["taker_side"] == "no",
            hundredths(&msg["yes_price_dollars"])?,
            hundredths(&msg["count_fp"])?,
            msg["ts_ms"].as_u64()?,
        )),
        _ => None,
    }
}

/// What the order should get, with hindsight: Kalshi stamps a trade and the change of the book it made
/// alike, so every shrinking of the level is known to be a trade or a cancellation. Trades eat the
/// queue; a cancellation shortens it only when less is shown than stood in front. `(ms, sum)`.
fn with_hindsight(lines: &[(u64, Seen)], posted_ms: u64, limit: i64) -> Vec<(u64, i64)> {
    let due = posted_ms + 50;
    let (mut yes, mut no) = (BTreeMap::new(), BTreeMap::new());
    let mut stamp = 0;
    let mut traded: BTreeMap<(u64, i64), i64> = BTreeMap::new();
    for (_, line) in lines {
        if let Seen::Trade(true, price, qty, ts) = line {
            *traded.entry((*ts, *price)).or_default() += qty;
        }
    }
    let (mut ahead, mut got, mut met, mut fills) = (None, 0_i64, 0_i64, Vec::new());
    let wanted = WANTED / 10_000;
    for (ms, line) in lines {
        if *ms >= posted_ms + STANDS_MS || got >= wanted {
            break;
        }
        if ahead.is_none() && *ms >= due {
            ahead = Some((yes.get(&limit).copied().unwrap_or(0), stamp));
        }
        let mut reached = 0;
        match line {
            Seen::Whole(a, b) => {
                yes = a.iter().copied().collect();
                no = b.iter().copied().collect();
            }
            Seen::Delta(is_yes, price, delta, ts) => {
                stamp = *ts;
                let side = if *is_yes { &mut yes } else { &mut no };
                let level = side.entry(*price).or_insert(0);
                *level = (*level + delta).max(0);
                let level = *level;
                side.retain(|_, qty| *qty > 0);
                if let Some((ahead, _)) = &mut ahead
                    && *is_yes
                    && *price == limit
                    && !traded.contains_key(&(*ts, *price))
                {
                    *ahead = (*ahead).min(level);
                }
            }
            Seen::Trade(true, price, qty, ts) => {
                if let Some((ahead, since)) = &mut ahead
                    && ts > since
                {
                    if *price < limit {
                        reached = *qty;
                    } else if *price == limit {
                        let eaten = (*ahead).min(*qty);
                        *ahead -= eaten;
                        reached = qty - eaten;
                    }
                }
            }
            Seen::Trade(..) => {}
        }
        if ahead.is_some() {
            // Offers at or through our price, each once.
            let over: i64 = no.range(100 - limit..).map(|(_, qty)| qty).sum();
            reached += (over - met).max(0);
            met = over;
        }
        let part = reached.min(wanted - got);
        if part > 0 {
            got += part;
            fills.push((*ms, got));
        }
    }
    fills
}

#[test]
fn recorded_queues_let_resting_orders_through_when_the_prints_say_so() {
    let test = "recorded_queues_let_resting_orders_through_when_the_prints_say_so";
    let Some(data) = recordings(test) else {
        return;
    };
    let windows = [
        ("KXGOLD15M-26AUG102130-30", "2026-08-11", 1_786_411_800),
        ("KXGOLD15M-26AUG051300-00", "2026-08-05", 1_785_949_200),
    ];
    let (mut orders, mut filled, mut alike, mut early) = (0, 0, 0, Vec::new());
    for (ticker, day, closes) in windows {
        let path = data.join(format!(
            "kalshi/ws_gold15m_202608/{ticker}__{day}.ndjson.gz"
        ));
        let file = BufReader::new(MultiGzDecoder::new(std::fs::File::open(path).unwrap()));
        let spec = spec(ticker, Timestamp::from_secs(closes));
        let mut ids = Catalog::default();
        let spec = ids.list_market(spec).unwrap();
        let posted = Arc::new(Mutex::new(Posted::default()));
        let mut desk = Desk::new(&spec, Box::new(Maker(posted.clone())));
        let (mut decoder, mut lines) = (Decoder::new(crate::support::rules()), Vec::new());
        for line in file.lines() {
            let line = line.unwrap();
            let whole: serde_json::Value = serde_json::from_str(&line).unwrap();
            let ms = whole["recv_ms"].as_u64().unwrap();
            let mut events = Vec::new();
            let text = whole["event"].to_string();
            decoder.frame(&text, &ids, &mut events).unwrap();
            for event in events {
                desk.step(ms, event);
            }
            lines.extend(seen(&whole["event"]).map(|seen| (ms, seen)));
        }
        desk.step(closes * 1_000, Event::Tick);
        let status = desk.engine.status();
        assert_eq!((status.orders_resting, status.reserved), (0, Usd(0)));
        let rows = desk.rows();
        for (at, limit) in &posted.lock().unwrap().orders {
            let expected = with_hindsight(&lines, at.0 / 1_000_000, limit.0 / 10_000);
            let mut sum = 0;
            let of_order = rows.iter().filter(|r| r.decided_at == *at && r.qty.0 > 0);
            let got: Vec<(u64, i64)> = of_order
                .map(|row| {
                    sum += row.qty.0 / 10_000;
                    (row.at.0 / 1_000_000, sum)
                })
                .collect();
            orders += 1;
            filled += usize::from(sum > 0);
            alike += usize::from(got == expected);
            for (ms, sum) in &got {
                let by_then = expected.iter().rfind(|(at, _)| at <= ms);
                if by_then.is_none_or(|(_, most)| sum > most) {
                    early.push(format!(
                        "{ticker} {at:?} {limit}: {got:?}, not {expected:?}"
                    ));
                }
            }
            if got != expected {
                println!("{ticker} {at:?} {limit}: {got:?}; with hindsight {expected:?}");
            }
        }
    }
    println!("{orders} orders, {filled} filled, {alike} exactly as with hindsight");
    assert!(early.is_empty(), "{early:#?}");
    assert!(
        filled > 5 && alike * 2 > orders,
        "{filled}, {alike} of {orders}"
    );
}
