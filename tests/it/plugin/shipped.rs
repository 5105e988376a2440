//! Each shipped strategy at work in the whole engine, from its real component, on a small market made by
//! hand: what it wishes is judged, travels, fills or rests, and comes back to it.

use crate::pilot::Pilot;
use crate::support::strategies;
use pm_arb::journal::{JournalWriter, RunMeta};
use pm_arb::plugin::{Limits, LoaderInput, PluginHost, Preparer, Sources, Tracker};
use pm_arb::replay::{self, Cast};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::effect::{Effect, TradeRecord, TradeUpdate};
use pm_arb_core::event::{BookSnapshot, Event, OracleTick, Print};
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, OracleId, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, OracleSpec, Outcome, SettlementRule};
use pm_arb_core::units::{Price, Qty, SpotPrice};
use std::collections::{BTreeMap, BTreeSet};

const OPENS: Timestamp = Timestamp::from_secs(1_790_000_000);
const SHARE: i64 = 1_000_000;
const CENT: i64 = 10_000;

fn at(ms: u64) -> Timestamp {
    OPENS.plus(Nanos::from_ms(ms))
}

/// "Above 97,000 in ten minutes", in whole shares.
fn market(id: u32, venue: Venue) -> MarketSpec {
    let outcome = |n: u32, name: &str| Outcome {
        instrument: InstrumentId(2 * id + n),
        name: name.into(),
        native_id: format!("{id}:{name}"),
    };
    MarketSpec {
        id: MarketId(id),
        venue,
        native_id: format!("M{id}"),
        slug: format!("m{id}"),
        question: "Above 97,000?".into(),
        outcomes: vec![outcome(0, "yes"), outcome(1, "no")],
        tick: Some(Price(CENT)),
        lot: Qty(SHARE),
        min_qty: Some(Qty(SHARE)),
        fee: FeeSchedule::kalshi(70_000),
        maker_fee: FeeSchedule::Free,
        fee_rule: "test".into(),
        taker_delay: Some(Nanos(0)),
        opens_at: OPENS,
        closes_at: at(600_000),
        settlement: SettlementRule::Above {
            oracle: OracleId(0),
            strike: SpotPrice(97_000 * 10_i128.pow(18)),
            strict: true,
            candle_secs: None,
        },
        exclusive_set: None,
        pair_key: Some("same".into()),
    }
}

/// A run being written: what happened when.
struct Tape(Vec<(u64, Event)>);

impl Tape {
    fn new(markets: &[MarketSpec]) -> Self {
        let oracle = OracleSpec {
            id: OracleId(0),
            source: "test".into(),
            symbol: "btcusd".into(),
            proxy: None,
        };
        let mut tape = vec![
            (0, Event::Configured(Box::<EngineConfig>::default())),
            (0, Event::OracleListed(Box::new(oracle))),
        ];
        let listed = markets.iter().cloned().map(Box::new);
        tape.extend(listed.map(|spec| (0, Event::MarketListed(spec))));
        Self(tape)
    }

    /// Both sides of a market's one book, in cents; a hundred shares everywhere.
    fn book(&mut self, ms: u64, market: u32, bid: i64, ask: i64) {
        let side = |n: u32, bid: i64, ask: i64| {
            Event::Snapshot(Box::new(BookSnapshot {
                instrument: InstrumentId(2 * market + n),
                more: n == 0,
                venue_time: at(ms),
                bids: vec![(Price(bid * CENT), Qty(100 * SHARE))],
                asks: vec![(Price(ask * CENT), Qty(100 * SHARE))],
            }))
        };
        self.0.push((ms, side(0, bid, ask)));
        self.0.push((ms, side(1, 100 - ask, 100 - bid)));
    }

    fn oracle(&mut self, ms: u64, dollars: i128) {
        let tick = OracleTick {
            oracle: OracleId(0),
            price: SpotPrice(dollars * 10_i128.pow(18)),
            source_time: at(ms),
        };
        self.0.push((ms, Event::OracleTick(tick)));
    }

    /// Somebody sells into the bids.
    fn sold(&mut self, ms: u64, instrument: u32, cents: i64, shares: i64) {
        let print = Print {
            instrument: InstrumentId(instrument),
            price: Price(cents * CENT),
            qty: Qty(shares * SHARE),
            taker_bought: false,
            venue_time: at(ms),
        };
        self.0.push((ms, Event::Print(print)));
    }

    /// Nothing but time.
    fn pass(&mut self, ms: u64) {
        self.0.push((ms, Event::Tick));
    }

    /// The same with that strategy beside it, from its component.
    fn play(&self, strategy: &str) -> Played {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let meta = RunMeta::new(uuid::Uuid::nil(), "test", OPENS);
        let mut writer = JournalWriter::create(&run, &meta).unwrap();
        for (ms, event) in &self.0 {
            writer.append(at(*ms), event).unwrap();
        }
        writer.commit().unwrap();

        let host = PluginHost::new(Limits::default()).unwrap();
        let (name, settings) = strategy.split_once('?').unwrap_or((strategy, ""));
        let file = strategies().join(format!("{name}.wasm"));
        let source = format!("{}?{settings}", file.display());
        let source = source.trim_end_matches('?');
        let preparer = Preparer::new(host.clone(), BTreeMap::new());
        let inputs = Tracker::new(Sources::parse(&[source]).unwrap(), preparer).scan();
        let cast = inputs.into_iter().map(|input| match input {
            LoaderInput::Ready(candidate) => *candidate,
            other => panic!("{other:?}"),
        });
        let mut played = Played::default();
        let mut each = |_, effect: &Effect| match effect {
            Effect::RecordTrade(row) => played.rows.push((**row).clone()),
            Effect::UpdateTrade(update) => played.updates.push(update.clone()),
            Effect::StrategyFailed { fault, .. } => panic!("{name}: {fault}"),
            Effect::Abort(text) => panic!("{text}"),
            _ => {}
        };
        replay::replay(&run, host, None, Cast::Given(cast.collect()), &mut each).unwrap();
        played
    }
}

#[derive(Default)]
struct Played {
    rows: Vec<TradeRecord>,
    updates: Vec<TradeUpdate>,
}

impl Played {
    /// What was bought: instrument, cents, shares, whether it rested.
    fn bought(&self) -> Vec<(u32, i64, i64, bool)> {
        let filled = self.rows.iter().filter(|row| row.qty.0 > 0);
        let short = |r: &TradeRecord| (r.instrument.0, r.price.0 / CENT, r.qty.0 / SHARE, r.maker);
        filled.map(short).collect()
    }

    /// Why something was not done.
    fn refused(&self) -> Vec<String> {
        let rows = self.rows.iter().filter_map(|row| row.rejection.as_ref());
        rows.map(|why| why.reason.to_string()).collect()
    }

    /// Shares of every instrument that were bought and are still held.
    fn held(&self) -> BTreeMap<u32, i64> {
        let mut held = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.qty.0 > 0) {
            let left = self.updates.iter().rfind(|update| update.id == row.id);
            let left = left.map_or(row.qty, |update| update.remaining_qty);
            *held.entry(row.instrument.0).or_insert(0) += left.0 / SHARE;
        }
        held
    }
}

/// YES is offered at 55 c, and the oracle stands above the strike.
fn lagging() -> Tape {
    let mut tape = Tape::new(&[market(0, Venue::Kalshi)]);
    tape.oracle(900, 97_100);
    tape.book(1_000, 0, 53, 55);
    tape.oracle(1_010, 97_100);
    tape.pass(1_100);
    tape
}

#[test]
fn oracle_sniper_takes_what_lags() {
    let mut tape = lagging();
    tape.pass(1_200);
    let played = tape.play("oracle-sniper");
    let [(0, 55, shares, false)] = played.bought()[..] else {
        panic!("{:?} {:?}", played.bought(), played.refused());
    };
    assert!(shares > 0);
}

#[test]
fn oracle_patient_rests_is_hit_and_withdraws() {
    // It bids 54 c, behind nobody. Somebody sells ten shares there; then the oracle moves, and who sells
    // after that finds nobody.
    let mut tape = lagging();
    tape.sold(1_300, 0, 54, 10);
    tape.pass(1_310);
    tape.oracle(1_400, 97_020);
    tape.pass(1_500);
    tape.sold(1_600, 0, 54, 10);
    tape.pass(1_700);
    let played = tape.play("oracle-patient");
    assert_eq!(
        played.bought(),
        [(0, 54, 10, true)],
        "{:?}",
        played.refused()
    );

    // Untouched, it ends by itself.
    let mut tape = lagging();
    for ms in (2_000..30_000).step_by(1_000) {
        tape.book(ms, 0, 53, 55);
        tape.oracle(ms + 10, 97_100);
    }
    let played = tape.play("oracle-patient?rest=5");
    assert_eq!(played.bought(), []);
    assert!(
        played.refused().contains(&"EXPIRED".to_owned()),
        "{:?}",
        played.refused()
    );
}

/// YES has been at 50 and 51 c for two minutes and falls to 40 c.
fn fallen() -> Tape {
    let mut tape = Tape::new(&[market(0, Venue::Kalshi)]);
    for n in 0..120 {
        let bid = if n % 2 == 0 { 49 } else { 50 };
        tape.book(1_000 * n, 0, bid, bid + 1);
    }
    tape.book(120_000, 0, 39, 40);
    tape.pass(120_060);
    tape
}

#[test]
fn mean_reversion_buys_a_fall_and_sells_it_back() {
    let mut tape = fallen();
    tape.book(121_000, 0, 45, 46);
    tape.book(122_000, 0, 50, 51);
    tape.pass(122_060);
    let played = tape.play("mean-reversion");
    let [(0, 40, shares, false)] = played.bought()[..] else {
        panic!("{:?} {:?}", played.bought(), played.refused());
    };
    assert!(shares > 10);
    assert_eq!(played.held(), BTreeMap::from([(0, 0)]));
    let gain: i64 = played.updates.iter().map(|u| u.realized_pnl.0).sum();
    assert!(gain > 2 * SHARE, "ten cents less two fees: {gain}");

    // It never comes back: sold after a time, woken by its timer.
    let mut tape = fallen();
    for second in 121..212 {
        tape.book(1_000 * second, 0, 38, 39);
    }
    tape.pass(212_060);
    let played = tape.play("mean-reversion");
    assert_eq!(
        played.held(),
        BTreeMap::from([(0, 0)]),
        "{:?}",
        played.refused()
    );
    let sold_at = played.updates.last().unwrap().at;
    assert!((at(210_050)..at(211_100)).contains(&sold_at), "{sold_at:?}");
}

#[test]
fn leg_and_hedge_locks_a_set_or_gives_the_leg_up() {
    // Fees of both legs are 3.4 cents there: the rest is within reach only with more room. At 55 cents for
    // NO the whole costs 98.4.
    let strategy = "leg-and-hedge?reach=0.06&loss_max=0.5&hold=30";
    let mut tape = fallen();
    tape.book(121_000, 0, 45, 46);
    for second in 122..180 {
        tape.book(1_000 * second, 0, 52, 53);
    }
    let played = tape.play(strategy);
    let [(0, 40, yes, false), (1, 55, no, false)] = played.bought()[..] else {
        panic!("{:?} {:?}", played.bought(), played.refused());
    };
    assert!(yes == no && yes > 10);
    assert_eq!(
        played.held(),
        BTreeMap::from([(0, yes), (1, no)]),
        "until they settle"
    );

    let mut tape = fallen();
    for second in 121..152 {
        tape.book(1_000 * second, 0, 40, 41);
    }
    tape.pass(152_060);
    let played = tape.play(strategy);
    assert_eq!(played.bought().len(), 1, "{:?}", played.bought());
    assert_eq!(
        played.held(),
        BTreeMap::from([(0, 0)]),
        "{:?}",
        played.refused()
    );
}

#[test]
fn cross_platform_holds_both_legs_or_none() {
    let both = [market(0, Venue::Polymarket), market(1, Venue::Kalshi)];
    let seen = || {
        let mut tape = Tape::new(&both);
        tape.book(1_000, 0, 42, 43);
        tape.book(1_010, 1, 52, 53);
        tape
    };
    // 43 for YES here, 48 for NO there.
    let mut tape = seen();
    tape.pass(1_100);
    let played = tape.play("cross-platform");
    let [(0, 43, yes, false), (3, 48, no, false)] = played.bought()[..] else {
        panic!("{:?} {:?}", played.bought(), played.refused());
    };
    assert!(yes == no && yes > 0);
    assert_eq!(played.held(), BTreeMap::from([(0, yes), (3, no)]));
    let intents: BTreeSet<_> = played.rows.iter().map(|row| row.intent).collect();
    assert_eq!(intents.len(), 1, "one wish");

    // Either leg is gone before the order is there: what the other bought is sold again at once, and
    // nothing is held.
    for (market, bid, ask) in [(0, 46, 47), (1, 48, 49)] {
        let mut tape = seen();
        tape.book(1_030, market, bid, ask);
        tape.pass(1_100);
        let played = tape.play("cross-platform");
        assert!(
            played.held().values().all(|left| *left == 0),
            "{:?}",
            played.held()
        );
        assert!(!played.refused().is_empty());
    }
}

#[test]
fn mispricing_hunter_buys_both_outcomes() {
    let mut tape = Tape::new(&[market(0, Venue::Kalshi)]);
    let side = |n: u32, bid: i64, ask: i64| {
        Event::Snapshot(Box::new(BookSnapshot {
            instrument: InstrumentId(n),
            more: n == 0,
            venue_time: at(1_000),
            bids: vec![(Price(bid * CENT), Qty(100 * SHARE))],
            asks: vec![(Price(ask * CENT), Qty(100 * SHARE))],
        }))
    };
    tape.0.push((1_000, side(0, 44, 45)));
    tape.0.push((1_000, side(1, 46, 47)));
    tape.pass(1_100);
    let played = tape.play("mispricing-hunter");
    let [(0, 45, yes, false), (1, 47, no, false)] = played.bought()[..] else {
        panic!("{:?} {:?}", played.bought(), played.refused());
    };
    assert_eq!(yes, no);
}

/// Beside each other, on the simulated venues, under the default limits.
#[test]
fn all_of_them_trade_in_one_pilot_without_a_flood_of_denials() {
    let dir = tempfile::tempdir().unwrap();
    // Slow enough that an oracle's value is fresh on a busy machine too.
    let mut pilot = Pilot::start(&dir.path().join("data"), &["--speed", "6"]);
    let listed = pilot.wait_for("fills of every strategy", |pilot| {
        let output = pilot.ask(&["strategy", "list", "--json"]);
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let all = listed.as_array()?.clone();
        let filled = all.iter().all(|one| one["fills"].as_u64() > Some(0));
        (filled && all.len() == 6).then_some(all)
    });
    for one in listed {
        let count = |what: &str| one[what].as_u64().unwrap();
        assert_eq!(count("faults"), 0, "{one}");
        let (denied, intents) = (count("denied"), count("intents"));
        assert!(
            denied < 10 || denied * 4 < intents,
            "{denied} of {intents} denied: {one}"
        );
    }
    pilot.signal("-TERM");
    assert!(pilot.ended(), "{}", pilot.said());
}
