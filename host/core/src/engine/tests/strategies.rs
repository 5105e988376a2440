//! What strategies are told, and what happens when they fail.

use super::world::{World, buy, cents, shares};
use crate::config::EngineConfig;
use crate::effect::{Effect, Message};
use crate::engine::MAX_ROUNDS;
use crate::event::{Event, LevelChange, OperatorAction, StrategyChange, StrategyChangeKind};
use crate::ids::{InstrumentId, Nanos, StrategyId, Timestamp};
use crate::strategy::{Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault, Topics};

#[test]
fn a_failed_call_ends_the_instance_and_drops_its_output() {
    let mut w = World::new();
    w.strategy(1);
    w.wish(buy(0, 52, 10));
    w.scripts[0].lock().unwrap().fail = true;
    w.wish(buy(0, 52, 20));
    w.check(&["failed 0: used more than its fuel for one call"]);
    // Its order in flight stands; it is not called any more, the other one is.
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    w.wish(buy(0, 52, 30));
    w.wish_of(1, buy(0, 52, 40));
    w.at(600).tick();
    w.check(&["leg 0 open 40@0.52 fee 0.00"]);
    assert_eq!(w.told(), ["listed 0"]);
    // A new instance goes on, under a new generation.
    w.scripts[0].lock().unwrap().fail = false;
    w.scripts[0].lock().unwrap().wishes.clear();
    w.reinstall(0);
    w.wish(buy(0, 52, 10));
    w.at(900).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    let row = w.effects.iter().rev().find_map(|e| match e {
        Effect::RecordTrade(row) => Some((row.strategy_name.clone(), row.generation)),
        _ => None,
    });
    assert_eq!(row, Some(("scripted-0".to_owned(), 2)));
}

#[test]
fn a_quarantined_or_unloaded_strategy_is_not_called() {
    for kind in [
        StrategyChangeKind::Quarantined {
            fault: StrategyFault::OutOfMemory,
        },
        StrategyChangeKind::Unloaded,
        StrategyChangeKind::Operator {
            action: OperatorAction::Quarantine,
            note: "looking into it".to_owned(),
        },
    ] {
        let mut w = World::new();
        w.step(Event::Strategy(Box::new(StrategyChange {
            id: StrategyId(0),
            kind,
        })));
        w.lines();
        w.wish(buy(0, 52, 10));
        w.at(300).tick();
        w.check(&[]);
    }
}

#[test]
fn what_an_operator_says_is_told_and_only_quarantine_stops() {
    for action in [
        OperatorAction::Pin,
        OperatorAction::Unpin,
        OperatorAction::Release,
        OperatorAction::Swap { digest: [1; 32] },
        OperatorAction::RollBack { digest: [2; 32] },
    ] {
        let mut w = World::new();
        w.step(Event::Strategy(Box::new(StrategyChange {
            id: StrategyId(0),
            kind: StrategyChangeKind::Operator {
                action,
                note: "ann".to_owned(),
            },
        })));
        w.check(&["alert STRATEGY_OPERATOR"]);
        w.wish(buy(0, 52, 10));
        w.at(300).tick();
        w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    }
}

#[test]
fn answering_refusals_for_ever_ends() {
    let mut w = World::new();
    w.scripts[0].lock().unwrap().stubborn = Some(buy(0, 99, 10));
    w.wish(buy(0, 99, 10));
    let lines = w.lines();
    assert_eq!(lines.len(), usize::from(MAX_ROUNDS) + 1);
    assert_eq!(lines[0], "leg 0 rejected PRICE_COLLAR");
    assert_eq!(lines.last().unwrap(), "leg 0 rejected RATE_LIMIT");
    let told = w.told();
    assert_eq!(told.len(), usize::from(MAX_ROUNDS) + 1, "{told:?}");
}

#[test]
fn too_many_wishes_of_one_call_are_a_fault() {
    let mut w = World::new();
    let limit = crate::strategy::MAX_INTENTS_PER_CALL;
    let many = vec![buy(0, 99, 10); limit + 1];
    w.scripts[0].lock().unwrap().wishes.extend(many);
    w.print();
    let lines = w.lines();
    assert_eq!(lines.len(), limit + 1);
    assert!(
        lines
            .last()
            .unwrap()
            .starts_with("failed 0: broke the contract")
    );
}

/// Wants quotes and timers, and counts its calls by what they were.
struct Watcher(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Strategy for Watcher {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        let ask = quote.ask.map_or(0, |(price, _)| price.0 / 10_000);
        self.0
            .lock()
            .unwrap()
            .push(format!("{}:{ask}", quote.instrument));
        out.wake_at = Some(now.plus(Nanos::from_ms(100)));
        Ok(())
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        event: &StrategyEvent<'_>,
        _: &mut Output,
    ) -> Result<(), StrategyFault> {
        self.0.lock().unwrap().push(
            match event {
                StrategyEvent::Timer => "timer",
                StrategyEvent::Gap(_) => "gap",
                _ => "other",
            }
            .to_owned(),
        );
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(b"state".to_vec())
    }
}

fn watched() -> (World, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let mut w = World::new();
    let calls = std::sync::Arc::default();
    w.engine.install(
        StrategyId(5),
        Box::new(Watcher(std::sync::Arc::clone(&calls))),
    );
    w.step(Event::Strategy(Box::new(StrategyChange {
        id: StrategyId(5),
        kind: StrategyChangeKind::Loaded {
            manifest: Manifest {
                name: "watcher".to_owned(),
                version: "1".to_owned(),
                topics: Topics {
                    quotes: true,
                    ..Topics::default()
                },
            },
            digest: [0; 32],
            generation: 1,
            params: Vec::new(),
            restored: false,
        },
    })));
    w.effects.clear();
    (w, calls)
}

#[test]
fn quotes_are_told_when_a_message_is_whole_and_the_best_changed() {
    let (mut w, calls) = watched();
    w.ask(0, 60, 10);
    assert!(calls.lock().unwrap().is_empty(), "below the top");
    let level = |more, price, qty| {
        Event::Level(LevelChange {
            instrument: InstrumentId(0),
            side: crate::event::BookSide::Ask,
            more,
            price: cents(price),
            qty: shares(qty),
            venue_time: Timestamp::from_secs(super::world::START),
        })
    };
    w.step(level(true, 52, 0));
    assert!(calls.lock().unwrap().is_empty(), "half a message");
    w.step(level(false, 53, 10));
    assert_eq!(*calls.lock().unwrap(), ["0:53"]);
}

#[test]
fn timers_fire_once_and_the_runner_is_told_when_to_step() {
    let (mut w, calls) = watched();
    w.ask(0, 52, 50);
    let wake = Timestamp(w.now.0 + 100_000_000);
    assert_eq!(w.effects, [Effect::WakeAt(wake)]);
    w.at(99).tick();
    w.at(100).tick();
    w.at(200).tick();
    assert_eq!(*calls.lock().unwrap(), ["0:52", "timer"]);
}

#[test]
fn a_snapshot_can_be_taken_of_an_installed_strategy() {
    let (mut w, _) = watched();
    let state = w.engine.strategy_mut(StrategyId(5)).unwrap().snapshot();
    assert_eq!(state, Ok(b"state".to_vec()));
    assert!(w.engine.strategy_mut(StrategyId(6)).is_none());
}

#[test]
fn every_wish_is_requested_decided_and_resulted_in_that_order() {
    let mut w = World::with(EngineConfig::default());
    let before = w.effects.len();
    w.wish(buy(0, 52, 10));
    w.at(300).tick();
    let kinds: Vec<&str> = w.effects[before..]
        .iter()
        .map(|effect| match effect {
            Effect::Publish(message) => match &**message {
                Message::Request(_) => "request",
                Message::Decision(_) => "decision",
                Message::Result(_) => "result",
                _ => "message",
            },
            Effect::RecordIntent(_) => "judged",
            Effect::RecordTrade(_) => "row",
            Effect::RecordMarket(_) => "market",
            Effect::WakeAt(_) => "wake",
            _ => "other",
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "request", "market", "decision", "judged", "wake", "row", "result"
        ]
    );
}

#[test]
fn an_opportunity_of_the_scanner_can_be_acted_on_under_its_id() {
    let mut w = World::new();
    let of_set = |m: &mut crate::market::MarketSpec| {
        m.exclusive_set = Some(crate::market::ExclusiveSet {
            event: "who wins".to_owned(),
            members: 2,
            augmented: false,
        });
    };
    w.market(1, of_set);
    w.market(2, of_set);
    w.book(1, &[(38, 100)], &[(40, 100)]);
    w.book(2, &[(48, 100)], &[(50, 100)]);
    let seen = w.effects.iter().rev().find_map(|effect| match effect {
        Effect::Publish(message) => match &**message {
            Message::Opportunity(seen) => Some(seen.clone()),
            _ => None,
        },
        _ => None,
    });
    let seen = seen.expect("0.40 + 0.50 leave ten cents");
    let mut wish = super::world::group(&[(2, 40), (4, 50)], 10);
    wish.opportunity = Some(seen.id);
    w.wish(wish);
    w.at(300).tick();
    w.check(&["leg 0 open 10@0.40 fee 0.00", "leg 1 open 10@0.50 fee 0.00"]);
    let named = w.effects.iter().any(|effect| {
        matches!(effect, Effect::RecordTrade(row)
            if row.opportunity == seen.id && row.kind == seen.kind)
    });
    assert!(named, "rows carry the scanner's id and kind");
    assert_eq!(w.engine.summary().by_type[0].0, "mispricing");
}
