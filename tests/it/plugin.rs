//! Strategies as components: the real ones do their work, hostile ones are stopped alone.

mod closed;
pub mod fixtures;
mod granted;
mod hostile;
mod operator;
mod rehearsal;
mod reload;
mod shipped;
mod swap;

use pm_arb::plugin::{Limits, PluginHost, SPOKEN};
use pm_arb_core::ids::{InstrumentId, MarketId, Nanos, OpportunityId, Seq, Timestamp, Venue};
use pm_arb_core::market::{FeeSchedule, MarketSpec, Outcome, SettlementRule};
use pm_arb_core::opportunity::{Opportunity, OpportunityKind, OpportunityLeg};
use pm_arb_core::strategy::{Output, Quote, Strategy, StrategyEvent, TimeInForce};
use pm_arb_core::units::{Price, Qty, Usd};
use std::path::PathBuf;

/// The bytes of a strategy that `make strategies` built.
pub fn guest(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("PM_ARB_STRATEGIES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../strategies")),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}: run make strategies first", path.display()))
}

/// A component built against version 0.2 of the contract still runs, and says nothing it could not say.
#[test]
fn every_spoken_version_of_the_contract_loads() {
    let host = PluginHost::new(Limits::default()).unwrap();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for version in SPOKEN {
        let (wit, bytes, states) = match version {
            "0.2.0" => (
                format!("{root}/wit/0.2/strategy.wit"),
                std::fs::read(format!("{root}/tests/fixtures/strategy-0.2.wasm")).unwrap(),
                None,
            ),
            _ => (
                format!("{root}/wit/strategy.wit"),
                guest("oracle-sniper"),
                Some(1),
            ),
        };
        let wit = std::fs::read_to_string(wit).unwrap();
        assert!(
            wit.contains(&format!("package pm-arb:strategy@{version};")),
            "{version}"
        );
        let compiled = host.compile(&bytes).unwrap();
        assert_eq!(compiled.described.manifest.name, "oracle-sniper");
        assert_eq!(compiled.described.state, states, "{version}");
        assert!(
            compiled
                .imports
                .contains(&format!("pm-arb:strategy/host@{version}"))
        );
        let mut strategy = host.instantiate(&compiled, &[]).unwrap();
        let state = strategy.snapshot().unwrap();
        strategy.restore(&state).unwrap();
    }
}

pub fn market(id: u32) -> MarketSpec {
    let outcome = |n: u32, name: &str| Outcome {
        instrument: InstrumentId(2 * id + n),
        name: name.to_owned(),
        native_id: format!("token-{id}-{n}"),
    };
    MarketSpec {
        id: MarketId(id),
        venue: Venue::Polymarket,
        native_id: format!("0x{id}"),
        slug: format!("btc-updown-5m-{id}"),
        question: "Bitcoin Up or Down?".to_owned(),
        outcomes: vec![outcome(0, "Up"), outcome(1, "Down")],
        tick: Some(Price(10_000)),
        lot: Qty(10_000),
        min_qty: Some(Qty(5_000_000)),
        fee: FeeSchedule::polymarket(70_000),
        maker_fee: FeeSchedule::Free,
        fee_rule: String::new(),
        taker_delay: Some(Nanos(0)),
        opens_at: Timestamp(0),
        closes_at: Timestamp::from_secs(300),
        settlement: SettlementRule::VenueOnly,
        exclusive_set: None,
        pair_key: None,
    }
}

pub fn leg(instrument: u32, price: i64, fair: Option<i64>) -> OpportunityLeg {
    OpportunityLeg {
        instrument: InstrumentId(instrument),
        market: MarketId(instrument / 2),
        venue: Venue::Polymarket,
        price: Price(price),
        qty: Qty(100_000_000),
        fair: fair.map(Price),
        fee: Usd(10_000),
        book_age: Nanos::from_ms(20),
    }
}

pub fn opportunity(seq: u64, kind: OpportunityKind, legs: Vec<OpportunityLeg>) -> Opportunity {
    Opportunity {
        id: OpportunityId {
            seq: Seq(seq),
            n: 0,
        },
        kind,
        relation: None,
        at: Timestamp::from_secs(10),
        legs,
        edge: Usd(100_000),
        qty: Qty(100_000_000),
        closes_at: Timestamp::from_secs(300),
        oracle_age: Nanos::from_ms(30),
    }
}

fn quote(instrument: u32) -> Quote {
    Quote {
        instrument: InstrumentId(instrument),
        bid: Some((Price(480_000), Qty(10_000_000))),
        ask: Some((Price(490_000), Qty(10_000_000))),
    }
}

fn host() -> PluginHost {
    PluginHost::new(Limits::default()).unwrap()
}

#[test]
fn oracle_sniper_describes_itself_and_acts_on_an_oracle_lag() {
    let host = host();
    let compiled = host.compile(&guest("oracle-sniper")).unwrap();
    assert_eq!(compiled.described.manifest.name, "oracle-sniper");
    assert!(
        compiled.described.manifest.topics.oracle_lag && compiled.described.manifest.topics.markets
    );
    assert!(!compiled.described.manifest.topics.quotes);

    let mut strategy = host.instantiate(&compiled, &[]).unwrap();
    let mut out = Output::default();
    let now = Timestamp::from_secs(10);
    let listed = market(0);
    strategy
        .on_event(now, &StrategyEvent::MarketListed(&listed), &mut out)
        .unwrap();
    let quote = Quote {
        instrument: InstrumentId(0),
        bid: None,
        ask: Some((Price(500_000), Qty(1))),
    };
    strategy.on_quote(now, &quote, &mut out).unwrap();
    assert!(out.intents.is_empty());

    let seen = opportunity(
        7,
        OpportunityKind::OracleLag,
        vec![leg(0, 500_000, Some(700_000))],
    );
    let event = StrategyEvent::Opportunity {
        seen: &seen,
        free_capital: Usd(1_000_000_000),
    };
    strategy.on_event(now, &event, &mut out).unwrap();
    let [intent] = out.intents.as_slice() else {
        panic!("one intent, not {:?}", out.intents);
    };
    assert_eq!(intent.opportunity, Some(seen.id));
    assert_eq!(intent.legs[0].limit, Price(500_000));
    // 50 dollars at 0.51 a share, on the lot of 0.01.
    assert_eq!(intent.qty, Qty(98_030_000));
    assert_eq!(intent.expected_edge, Usd(180_000));

    let mut successor = host.instantiate(&compiled, &[]).unwrap();
    successor.restore(&strategy.snapshot().unwrap()).unwrap();
    successor
        .on_event(now, &StrategyEvent::MarketListed(&listed), &mut out)
        .unwrap();
    out.clear();
    successor.on_event(now, &event, &mut out).unwrap();
    assert!(out.intents.is_empty(), "the successor remembers the entry");
}

#[test]
fn the_other_strategies_act_on_their_families() {
    let host = host();
    let cases = [
        (
            "mispricing-hunter",
            OpportunityKind::Mispricing,
            vec![leg(0, 450_000, None), leg(1, 480_000, None)],
        ),
        (
            "cross-platform",
            OpportunityKind::CrossPlatform,
            vec![leg(0, 450_000, None), leg(3, 480_000, None)],
        ),
    ];
    for (name, kind, legs) in cases {
        let compiled = host.compile(&guest(name)).unwrap();
        assert_eq!(compiled.described.manifest.name, name);
        assert!(compiled.described.manifest.topics.wants(kind));
        let mut strategy = host.instantiate(&compiled, &[]).unwrap();
        let (now, mut out) = (Timestamp::from_secs(10), Output::default());
        for id in 0..2 {
            let listed = market(id);
            strategy
                .on_event(now, &StrategyEvent::MarketListed(&listed), &mut out)
                .unwrap();
        }
        let seen = opportunity(3, kind, legs);
        let event = StrategyEvent::Opportunity {
            seen: &seen,
            free_capital: Usd(1_000_000_000),
        };
        strategy.on_event(now, &event, &mut out).unwrap();
        assert_eq!(out.intents.len(), 1, "{name}");
        assert!(
            out.intents[0].time_in_force == TimeInForce::Fok && out.intents[0].legs.len() == 2,
            "{name}"
        );
    }
}

#[test]
fn settings_are_taken_or_refused_in_the_strategys_words() {
    let host = host();
    let compiled = host.compile(&guest("oracle-sniper")).unwrap();
    let with =
        |key: &str, value: &str| host.instantiate(&compiled, &[(key.to_owned(), value.to_owned())]);
    assert!(with("edge_min", "0.02").is_ok());
    for (key, value, word) in [
        ("edge_min", "two", "edge_min=two"),
        ("egde_min", "0.02", "egde_min"),
    ] {
        let error = with(key, value).expect_err("refused").to_string();
        assert!(
            error.contains(word) && error.contains("settings"),
            "{error}"
        );
    }
}

/// The same events give the same intents and the same state, instance by instance.
#[test]
fn the_same_events_give_the_same_intents_and_state() {
    let run = || {
        let host = host();
        let compiled = host.compile(&guest("oracle-sniper")).unwrap();
        let mut strategy = host.instantiate(&compiled, &[]).unwrap();
        let mut out = Output::default();
        let listed = market(0);
        strategy
            .on_event(
                Timestamp(0),
                &StrategyEvent::MarketListed(&listed),
                &mut out,
            )
            .unwrap();
        for seq in 0..500_u64 {
            let step = i64::try_from(seq % 40).unwrap() * 1_000;
            let legs = vec![leg(0, 480_000 + step, Some(530_000))];
            let seen = opportunity(seq / 2, OpportunityKind::OracleLag, legs);
            let free_capital = Usd(1_000_000_000 - step);
            let event = StrategyEvent::Opportunity {
                seen: &seen,
                free_capital,
            };
            strategy
                .on_event(Timestamp::from_ms(seq), &event, &mut out)
                .unwrap();
        }
        (out.intents, strategy.snapshot().unwrap())
    };
    let (intents, state) = run();
    assert!(intents.len() > 50, "it traded: {}", intents.len());
    assert_eq!((intents, state), run());
}
