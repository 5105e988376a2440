//! What a strategy may: what it is told of, what it is denied, and that nobody else notices.

use super::world::{START, World, buy, group};
use crate::capabilities::{Capabilities, Scope};
use crate::effect::Effect;
use crate::event::{BookSide, Event, GapScope, LevelChange, StrategyChange, StrategyChangeKind};
use crate::ids::{InstrumentId, MarketId, OracleId, StrategyId, Timestamp, Venue};
use crate::market::{OracleSpec, SettlementRule};
use crate::reason::Reason;
use crate::risk::StrategyUse;
use crate::strategy::{
    Intent, Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault, Topics,
};
use crate::units::{Price, Qty, Usd};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

/// Hears everything it may and wishes what it is told to, at the next chance.
#[derive(Default)]
struct Heard {
    told: Vec<String>,
    wishes: Vec<Intent>,
    /// Wished for with every quote.
    always: Option<Intent>,
}

struct Ear(Arc<Mutex<Heard>>);

impl Ear {
    fn hears(&self, what: String, out: &mut Output) -> Result<(), StrategyFault> {
        let mut heard = self.0.lock().unwrap();
        heard.told.push(what);
        out.intents.append(&mut heard.wishes);
        Ok(())
    }
}

impl Strategy for Ear {
    fn on_quote(
        &mut self,
        _: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        out.intents.extend(self.0.lock().unwrap().always.clone());
        self.hears(format!("quote {}", quote.instrument), out)
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let what = match event {
            StrategyEvent::MarketListed(spec) => format!("listed {}", spec.id),
            StrategyEvent::MarketClosed(market) => format!("closed {market}"),
            StrategyEvent::Print(print) => format!("print {}", print.instrument),
            StrategyEvent::Gap(instrument) => format!("gap {instrument}"),
            StrategyEvent::OracleTick(tick) => format!("tick {}", tick.oracle),
            StrategyEvent::Opportunity { seen, .. } => {
                let legs = seen.legs.iter().map(|leg| leg.market.to_string());
                format!("opportunity in {}", legs.collect::<Vec<_>>().join(" "))
            }
            StrategyEvent::Refused(refused) => format!("refused {}", refused.reason),
            StrategyEvent::Filled(_) => "filled".to_owned(),
            StrategyEvent::Settled(_) => "settled".to_owned(),
            StrategyEvent::Timer => "timer".to_owned(),
        };
        self.hears(what, out)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(Vec::new())
    }
}

const EAR: StrategyId = StrategyId(5);

fn change(w: &mut World, kind: StrategyChangeKind) {
    w.step(Event::Strategy(Box::new(StrategyChange { id: EAR, kind })));
}

fn load(w: &mut World) {
    let topics = Topics {
        quotes: true,
        markets: true,
        prints: true,
        oracle_ticks: true,
        oracle_lag: true,
        mispricing: true,
        cross_platform: true,
    };
    let manifest = Manifest {
        name: "ear".to_owned(),
        version: "1".to_owned(),
        topics,
    };
    let kind = StrategyChangeKind::Loaded {
        manifest,
        digest: [0; 32],
        generation: 1,
        params: Vec::new(),
        restored: false,
    };
    change(w, kind);
}

/// An ear in a world, with that grant.
fn enter(w: &mut World, may: &Capabilities) -> Arc<Mutex<Heard>> {
    let heard = Arc::<Mutex<Heard>>::default();
    change(w, StrategyChangeKind::Granted(Box::new(may.clone())));
    w.engine.install(EAR, Box::new(Ear(Arc::clone(&heard))));
    load(w);
    heard
}

/// Markets 0 (polymarket, up-down on chainlink), 1 (kalshi, above on binance) and 2 (polymarket, its own word).
fn markets(w: &mut World) {
    w.step(Event::OracleListed(Box::new(OracleSpec {
        id: OracleId(1),
        source: "binance".to_owned(),
        symbol: "btcusdt".to_owned(),
        proxy: None,
    })));
    w.market(0, |_| {});
    w.market(1, |spec| {
        spec.venue = Venue::Kalshi;
        spec.settlement = SettlementRule::Above {
            oracle: OracleId(1),
            strike: crate::units::SpotPrice(1),
            strict: false,
            candle_secs: None,
        };
    });
    w.market(2, |spec| spec.settlement = SettlementRule::VenueOnly);
}

/// Everything that can be told, once in every market and of every feed.
fn everything(w: &mut World) {
    for market in 0..3 {
        w.book(market, &[(48, 100)], &[(52, 100)]);
        w.trade(2 * market, 52, 5, true);
        let gap = GapScope::Instrument(InstrumentId(2 * market));
        w.step(Event::Gap {
            scope: gap,
            cause: "lost".to_owned(),
        });
    }
    w.oracle(50_000, 1);
    w.step(Event::OracleTick(crate::event::OracleTick {
        oracle: OracleId(1),
        price: crate::units::SpotPrice(7),
        source_time: Timestamp::from_secs(START + 1),
    }));
    w.at(300_000).tick();
}

fn venues(some: &[Venue]) -> Capabilities {
    Capabilities {
        venues: Scope::Only(some.iter().copied().collect()),
        ..Capabilities::default()
    }
}

fn families(some: &[&str]) -> Capabilities {
    Capabilities {
        families: Scope::Only(some.iter().map(|s| (*s).to_owned()).collect()),
        ..Capabilities::default()
    }
}

fn oracles(some: &[&str]) -> Capabilities {
    Capabilities {
        oracles: Scope::Only(some.iter().map(|s| (*s).to_owned()).collect()),
        ..Capabilities::default()
    }
}

#[test]
fn only_what_is_within_is_told() {
    let all_markets: &[u32] = &[0, 1, 2];
    let cases: [(Capabilities, &[u32], &[u32]); 8] = [
        (Capabilities::default(), all_markets, &[0, 1]),
        (venues(&[Venue::Kalshi]), &[1], &[0, 1]),
        (venues(&[Venue::Polymarket]), &[0, 2], &[0, 1]),
        (venues(&[]), &[], &[0, 1]),
        (families(&["up-down", "above"]), &[0, 1], &[0, 1]),
        (families(&["venue"]), &[2], &[0, 1]),
        (oracles(&["binance.btcusdt"]), &[1, 2], &[1]),
        (oracles(&[]), &[2], &[]),
    ];
    for (may, within, feeds) in cases {
        let mut w = World::bare(crate::config::EngineConfig::default());
        let heard = enter(&mut w, &may);
        markets(&mut w);
        everything(&mut w);
        let mut told = std::mem::take(&mut heard.lock().unwrap().told);
        told.sort();
        told.dedup();
        let mut expected: Vec<String> = within
            .iter()
            .flat_map(|m| {
                let (first, second) = (2 * m, 2 * m + 1);
                [
                    format!("listed {m}"),
                    format!("closed {m}"),
                    format!("print {first}"),
                    format!("gap {first}"),
                    format!("quote {first}"),
                    format!("quote {second}"),
                ]
            })
            .chain(feeds.iter().map(|feed| format!("tick {feed}")))
            .collect();
        expected.sort();
        told.retain(|what| !what.starts_with("opportunity"));
        assert_eq!(told, expected, "{may:?}");
    }
}

#[test]
fn one_that_enters_late_is_told_of_the_open_markets_within() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    markets(&mut w);
    let heard = enter(&mut w, &venues(&[Venue::Kalshi]));
    assert_eq!(heard.lock().unwrap().told, ["listed 1"]);
}

#[test]
fn an_opportunity_with_a_leg_outside_is_not_told_and_not_reached_by_its_number() {
    for (may, hears) in [
        (Capabilities::default(), true),
        (venues(&[Venue::Polymarket]), true),
        (venues(&[Venue::Kalshi]), false),
        (families(&["up-down"]), true),
    ] {
        let mut w = World::bare(crate::config::EngineConfig::default());
        let heard = enter(&mut w, &may);
        markets(&mut w);
        let of_set = |spec: &mut crate::market::MarketSpec| {
            spec.exclusive_set = Some(crate::market::ExclusiveSet {
                event: "who wins".to_owned(),
                members: 2,
                augmented: false,
            });
        };
        w.market(3, of_set);
        w.market(4, of_set);
        // One of each for 90 cents.
        w.book(3, &[(38, 100)], &[(40, 100)]);
        w.book(4, &[(48, 100)], &[(50, 100)]);
        let told = heard.lock().unwrap().told.clone();
        let opportunity = told.iter().any(|what| what.starts_with("opportunity"));
        assert_eq!(opportunity, hears, "{may:?}: {told:?}");
        let known = w.engine.opportunities.keys().next().copied();
        let mut guess = buy(2, 52, 10);
        guess.opportunity = Some(known.expect("the scanner saw it"));
        heard.lock().unwrap().wishes = vec![guess];
        w.book(1, &[(48, 100)], &[(52, 100)]);
        if !hears {
            let told = heard.lock().unwrap().told.clone();
            assert!(
                told.contains(&"refused INVALID_ORDER".to_owned()),
                "{told:?}"
            );
        }
    }
}

/// The rejection of the only wish, its limit and what was observed.
fn refusal(w: &World) -> Option<(Reason, String, String)> {
    w.effects.iter().rev().find_map(|effect| match effect {
        Effect::RecordIntent(record) => {
            let rejection = record.verdict.as_ref().err()?;
            let words = (rejection.limit.clone(), rejection.observed.clone());
            Some((rejection.reason, words.0, words.1))
        }
        _ => None,
    })
}

#[test]
fn a_wish_beyond_the_grant_is_denied_by_name() {
    let order_max = Capabilities {
        order_max: Some(Usd(5_000_000)),
        ..Capabilities::default()
    };
    let asked = "what the strategy asks for and is granted";
    let cases = [
        (
            venues(&[Venue::Kalshi]),
            group(&[(0, 52)], 10),
            Reason::NotGranted,
            asked,
            "venue polymarket (instrument 0)",
        ),
        // One leg is enough.
        (
            venues(&[Venue::Polymarket]),
            group(&[(0, 52), (2, 52)], 10),
            Reason::NotGranted,
            asked,
            "venue kalshi (instrument 2)",
        ),
        (
            families(&["above"]),
            buy(0, 52, 10),
            Reason::NotGranted,
            asked,
            "market family up-down (instrument 0)",
        ),
        (
            families(&["above"]),
            buy(4, 52, 10),
            Reason::NotGranted,
            asked,
            "market family venue (instrument 4)",
        ),
        (
            oracles(&["binance.btcusdt"]),
            buy(0, 52, 10),
            Reason::NotGranted,
            asked,
            "oracle chainlink.btcusd (instrument 0)",
        ),
        (
            order_max.clone(),
            buy(0, 52, 10),
            Reason::MaxOrderValue,
            "5.00 USD, the grant of this strategy",
            "5.20 USD",
        ),
        // Each leg is within, both together are not.
        (
            order_max,
            group(&[(0, 52), (4, 52)], 5),
            Reason::MaxOrderValue,
            "5.00 USD, the grant of this strategy",
            "5.20 USD",
        ),
    ];
    for (may, wish, reason, limit, observed) in cases {
        let mut w = World::bare(crate::config::EngineConfig::default());
        let heard = enter(&mut w, &may);
        markets(&mut w);
        for market in 0..3 {
            w.book(market, &[(48, 100)], &[(52, 100)]);
        }
        w.effects.clear();
        heard.lock().unwrap().wishes = vec![wish];
        for market in 0..3 {
            w.book(market, &[(47, 100)], &[(52, 100)]);
        }
        let expected = (reason, limit.to_owned(), observed.to_owned());
        assert_eq!(refusal(&w), Some(expected), "{may:?}");
    }
}

fn in_use(w: &World) -> StrategyUse {
    let all = w.engine.limits_in_use().strategies;
    *all.iter().find(|one| one.strategy == EAR).unwrap()
}

#[test]
fn the_rate_is_the_lower_of_both() {
    let may = Capabilities {
        intents_per_second: Some(2),
        ..Capabilities::default()
    };
    let mut w = World::bare(crate::config::EngineConfig::default());
    let heard = enter(&mut w, &may);
    markets(&mut w);
    w.book(0, &[(48, 100)], &[(52, 100)]);
    w.effects.clear();
    heard.lock().unwrap().wishes = vec![buy(0, 52, 5); 2];
    w.bid(0, 47, 0);
    w.bid(0, 49, 10);
    assert_eq!(refusal(&w), None);
    heard.lock().unwrap().wishes = vec![buy(0, 52, 5)];
    w.bid(0, 49, 11);
    let limit = "2 intents a second, the grant of this strategy".to_owned();
    let observed = "2 in the last second".to_owned();
    assert_eq!(refusal(&w), Some((Reason::RateLimit, limit, observed)));
    let shown = in_use(&w);
    assert_eq!(
        (shown.intents, shown.intents_limit, shown.intents_granted),
        (2, 2, true),
        "what is shown is what denied"
    );

    // A grant of more than everybody's limit is none.
    let may = Capabilities {
        intents_per_second: Some(1_000),
        ..Capabilities::default()
    };
    let mut w = World::bare(crate::config::EngineConfig::default());
    enter(&mut w, &may);
    let shown = in_use(&w);
    assert_eq!((shown.intents_limit, shown.intents_granted), (20, false));
}

#[test]
fn a_grant_holds_from_the_load_that_follows_and_until_the_next_one() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    let heard = enter(&mut w, &Capabilities::default());
    markets(&mut w);
    let quote = |w: &mut World, heard: &Arc<Mutex<Heard>>, bid| {
        heard.lock().unwrap().told.clear();
        w.book(0, &[(bid, 100)], &[(52, 100)]);
        !heard.lock().unwrap().told.is_empty()
    };
    let kalshi = StrategyChangeKind::Granted(Box::new(venues(&[Venue::Kalshi])));
    change(&mut w, kalshi);
    assert!(
        quote(&mut w, &heard, 40),
        "the running generation keeps what it has"
    );
    load(&mut w);
    assert!(!quote(&mut w, &heard, 41));
    load(&mut w);
    assert!(
        !quote(&mut w, &heard, 42),
        "a load without a grant changes nothing"
    );
    change(&mut w, StrategyChangeKind::Granted(Box::default()));
    load(&mut w);
    assert!(quote(&mut w, &heard, 43));
}

#[test]
fn after_a_reversion_the_last_grant_holds_from_the_next_load_on() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    let heard = enter(&mut w, &Capabilities::default());
    markets(&mut w);
    let told = |w: &mut World, bid| {
        heard.lock().unwrap().told.clear();
        w.book(0, &[(bid, 100)], &[(52, 100)]);
        !heard.lock().unwrap().told.is_empty()
    };
    let narrower = StrategyChangeKind::Granted(Box::new(venues(&[Venue::Kalshi])));
    change(&mut w, narrower);
    let before = w.engine.install(EAR, Box::new(Ear(Arc::default())));
    w.engine.stand_by(EAR, before.unwrap());
    load(&mut w);
    assert!(told(&mut w, 40), "the one that stands by hears as it did");
    w.engine.revert(EAR).unwrap();
    assert!(told(&mut w, 41), "and so when it runs again");
    load(&mut w);
    assert!(!told(&mut w, 42));
}

#[test]
fn a_market_that_becomes_another_is_judged_anew() {
    let mut w = World::bare(crate::config::EngineConfig::default());
    let heard = enter(&mut w, &families(&["venue"]));
    markets(&mut w);
    w.book(0, &[(48, 100)], &[(52, 100)]);
    assert_eq!(heard.lock().unwrap().told, ["listed 2"]);
    w.market(0, |spec| spec.settlement = SettlementRule::VenueOnly);
    w.book(0, &[(47, 100)], &[(52, 100)]);
    let told = heard.lock().unwrap().told.clone();
    assert_eq!(told, ["listed 2", "listed 0", "quote 0", "quote 1"]);
    assert!(w.engine.data.market(MarketId(0)).is_some());
}

/// The rows and intents of strategy 0 in a world where the ear guesses at what it may not, or is silent.
fn others(events: &[Event], guesses: bool) -> (Vec<Effect>, usize) {
    let mut w = World::bare(crate::config::EngineConfig::default());
    let heard = enter(&mut w, &venues(&[Venue::Kalshi]));
    heard.lock().unwrap().always = guesses.then(|| buy(0, 52, 10));
    markets(&mut w);
    for market in 0..3 {
        w.book(market, &[(48, 100)], &[(52, 100)]);
    }
    for (n, event) in events.iter().enumerate() {
        w.at(n as u64 * 40).step(event.clone());
        if n % 5 == 0 {
            w.wish(buy([0, 2, 4][n % 3], 52, 5));
        }
    }
    w.engine.audit().unwrap();
    let of_others = |effect: &Effect| match effect {
        Effect::RecordTrade(row) => row.strategy != EAR,
        Effect::RecordIntent(record) => record.strategy != EAR,
        Effect::UpdateTrade(_) => true,
        _ => false,
    };
    let denied = w.effects.iter().filter(|effect| match effect {
        Effect::RecordIntent(record) if record.strategy == EAR => {
            let reason = record.verdict.as_ref().unwrap_err().reason;
            assert!(matches!(reason, Reason::NotGranted | Reason::RateLimit));
            true
        }
        _ => false,
    });
    let denied = denied.count();
    (w.effects.into_iter().filter(of_others).collect(), denied)
}

proptest! {
    #[test]
    fn nobody_else_notices_what_one_is_not_granted(
        seeds in prop::collection::vec((0..6_u32, any::<bool>(), 44..56_i64, 0..90_i64), 20..120),
    ) {
        let level = |&(instrument, bid, cents, qty): &(u32, bool, i64, i64)| {
            Event::Level(LevelChange {
                instrument: InstrumentId(instrument),
                side: if bid { BookSide::Bid } else { BookSide::Ask },
                more: false,
                price: Price(cents * 10_000),
                qty: Qty(qty * 1_000_000),
                venue_time: Timestamp::from_secs(START),
            })
        };
        let events: Vec<Event> = seeds.iter().map(level).collect();
        let (silent, none) = others(&events, false);
        let (guessing, denied) = others(&events, true);
        prop_assert_eq!(none, 0);
        prop_assert!(denied > 0, "it guessed");
        prop_assert_eq!(silent, guessing);
    }
}
