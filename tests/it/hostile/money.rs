//! What trading can cost: a generation that loses goes by itself, and an attacker that trades spends its own
//! share and no more.

use super::arena::{ATTACKER, Arena};
use super::ring::{Ring, replayed};
use crate::plugin::fixtures::Fixture;
use pm_arb::config::Config;
use pm_arb::journal::JournalReader;
use pm_arb::plugin::{Limits, Outcome, PluginHost, SwapPolicy};
use pm_arb_core::effect::{Effect, IntentRecord, Message};
use pm_arb_core::event::{Event, StrategyChangeKind};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Bps, Rounding, Usd};

/// Wishes for so many shares of what is quoted, at its best price.
pub fn wish(buy: bool, shares: u32) -> String {
    let (buy, best) = (i32::from(buy), if buy { 4 } else { 2 });
    format!(
        "(i32.store (i32.const 704) (local.get $instrument))
         (i32.store8 (i32.const 708) (i32.const {buy}))
         (i64.store (i32.const 712) (local.get {best}))
         (drop (call $submit (i32.const 0) (i64.const 0) (i32.const 0) (i64.const 9) (i32.const 704)
           (i32.const 1) (i64.const {shares}000000) (i32.const 0) (i64.const 0) (i64.const 20000)))"
    )
}

/// Does one thing on every `every`-th quote and the other on the rest.
pub fn every(every: u32, one: &str, other: &str) -> String {
    format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))
         (if (i32.eqz (i32.rem_u (global.get $count) (i32.const {every}))) (then {one}) (else {other}))"
    )
}

/// Buys at the ask, sells at the bid, and so on: the spread and the fees, each time.
fn losing(version: &'static str) -> Fixture {
    let body = every(2, &wish(false, 10), &wish(true, 10));
    Fixture {
        version,
        ..Fixture::on_quote("a", &body)
    }
}

fn idle(version: &'static str) -> Fixture {
    Fixture {
        version,
        ..Fixture::new("a")
    }
}

#[test]
fn a_generation_that_loses_too_much_in_its_watch_is_rolled_back_with_the_figures() {
    let dollars = |n: i64| Usd(n * 1_000_000);
    // Which version runs first, what takes over, what may be lost, whether it stays.
    let cases = [
        ("it loses more", idle("1"), losing("2"), dollars(2), false),
        (
            "it may lose that",
            idle("1"),
            losing("2"),
            dollars(500),
            true,
        ),
        (
            "what was lost before",
            losing("1"),
            idle("2"),
            dollars(2),
            true,
        ),
    ];
    for (what, first, second, loss_max, stays) in cases {
        let host = || PluginHost::new(Limits::default()).unwrap();
        let mut ring = Ring::new(host());
        ring.loader.govern(SwapPolicy {
            loss_max,
            rehearse: false,
            // Whoever trades needs more fuel than one that does nothing.
            fuel_calls_min: u64::MAX,
            ..SwapPolicy::default()
        });
        ring.quotes(1..2);
        ring.load(Timestamp::from_secs(1), "a.wasm", &first.component());
        ring.quotes(2..30);
        let outcome = ring.load(Timestamp::from_secs(29), "a.wasm", &second.component());
        assert!(
            matches!(outcome, Outcome::Loaded { generation: 2, .. }),
            "{outcome:?}"
        );
        let before = ring.session.engine.status().strategies[0].clone();
        ring.quotes(30..100);
        let after = ring.session.engine.status().strategies[0].clone();
        let effects: Vec<_> = ring.session.commit().unwrap().collect();
        let slot = ring.loader.slots().next().unwrap();
        let change = slot.changes().last().unwrap();
        assert!(
            before.fills + after.fills > 10,
            "{what}: it trades: {after:?}"
        );
        assert_eq!(after.faults, 0, "{what}");
        let reverted = effects.iter().find_map(|(_, effect)| match effect {
            Effect::Publish(message) => match message.as_ref() {
                Message::Alert(alert) if alert.code == "STRATEGY_REVERTED" => Some(&alert.text),
                _ => None,
            },
            _ => None,
        });
        if stays {
            assert_eq!((slot.generation, reverted), (2, None), "{what}: {change:?}");
            assert!(slot.watch.is_none(), "{what}: it was committed");
            assert!(
                before.net.0 < -2_000_000 || after.net.0 < -2_000_000,
                "{what}"
            );
        } else {
            let running = (slot.generation, slot.manifest.version.as_str());
            assert_eq!(running, (3, "1"), "{what}: {change:?}");
            let lost = "USD since it took over; 2.00 may be lost";
            assert!(
                change.why.starts_with("it came to -2.") && change.why.contains(lost),
                "{change:?}"
            );
            assert!(reverted.unwrap().contains(&change.why), "{reverted:?}");
            let news = ring.loader.news().last().unwrap();
            assert!(!news.good && news.text.contains(&change.why), "{news:?}");
        }
        let why = change.why.clone();
        let mut journal = JournalReader::open(&ring.dir()).unwrap();
        let mut told = Vec::new();
        while let Some(record) = journal.next().unwrap() {
            if let Event::Strategy(change) = &record.event
                && let StrategyChangeKind::Reverted {
                    generation, why, ..
                } = &change.kind
            {
                told.push((*generation, why.clone()));
            }
        }
        let expected = if stays { Vec::new() } else { vec![(3, why)] };
        assert_eq!(told, expected, "{what}");
        assert_eq!(
            replayed(&ring.dir(), Limits::default()),
            ring.session.digest(),
            "{what}"
        );
    }
}

/// Wishes of the attacker that were judged by more than their rate.
fn judged(wishes: &[IntentRecord]) -> impl Iterator<Item = &IntentRecord> {
    let by_rate = |wish: &&IntentRecord| !matches!(&wish.verdict, Err(why) if why.reason == Reason::RateLimit);
    wishes.iter().filter(by_rate)
}

#[test]
fn an_attacker_that_trades_spends_its_own_share_within_its_grant() {
    const ORDER_MAX: Usd = Usd(15_000_000);
    const RATE: usize = 8;
    let config: Config = toml::from_str(&format!(
        "[grants.for.{ATTACKER}]\norder_max = \"15.00\"\nintents_per_second = {RATE}\n"
    ))
    .unwrap();
    let mut arena = Arena::granting(config.grants.grants().unwrap());
    let spender = Fixture {
        version: "2",
        ..Fixture::on_quote(ATTACKER, &every(5, &wish(true, 200), &wish(true, 15)))
    };
    arena.put(&spender.component());
    let (mut most, mut cash_needed) = (Usd::ZERO, Usd::ZERO);
    let mut highest = Usd::ZERO;
    while arena.left() > 0 {
        arena.play(50);
        let status = arena.ring.session.engine.status();
        let mut kept = Usd::ZERO;
        for one in &status.strategies {
            assert_eq!(one.share, Bps(2_000), "{}", one.name);
            let own = status.equity.share(one.share, Rounding::Down).unwrap();
            if one.name == ATTACKER {
                // What is bought is within the share of the equity of that moment; equity falls later. Between
                // two looks it may have been a little higher.
                highest = highest.max(own);
                let room = highest.0 + highest.0 / 100;
                assert!(one.committed.0 <= room, "{} of {highest}", one.committed);
                most = most.max(one.committed);
            } else {
                kept = Usd(kept.0 + (own.0 - one.committed.0).max(0));
            }
        }
        assert!(status.halted.is_none(), "{:?}", status.halted);
        assert!(
            kept <= status.cash,
            "the others find their {kept} in {}",
            status.cash
        );
        cash_needed = cash_needed.max(kept);
    }
    let (wishes, fills) = arena.spent();
    let denied = |reason: Reason| {
        let by = |wish: &&IntentRecord| matches!(&wish.verdict, Err(why) if why.reason == reason);
        wishes.iter().filter(by).count()
    };
    let approved: Vec<_> = wishes.iter().filter(|wish| wish.verdict.is_ok()).collect();
    println!(
        "{} wishes, {} approved, {fills} filled, at most {most} tied up",
        wishes.len(),
        approved.len()
    );
    assert!(
        approved.len() > 100 && fills > 100,
        "it trades: {}, {fills}",
        approved.len()
    );
    for wish in &approved {
        let cost = wish.legs[0].limit.times(wish.qty, Rounding::Up).unwrap();
        assert!(cost <= ORDER_MAX, "{cost}: {wish:?}");
    }
    let times: Vec<Timestamp> = judged(&wishes).map(|wish| wish.at).collect();
    for window in times.windows(RATE + 1) {
        let apart = window[RATE].since(window[0]);
        assert!(
            apart.ms() >= 1_000,
            "{} wishes within {} ms",
            RATE + 1,
            apart.ms()
        );
    }
    // Each bound was reached, so that each was tried.
    for reason in [Reason::MaxOrderValue, Reason::RateLimit, Reason::Capital] {
        assert!(denied(reason) > 0, "{reason:?} of {}", wishes.len());
    }
    let (deeds, end) = arena.end();
    assert!(end.ends_with("Running "), "{end}");
    let neighbours = deeds.iter().filter(|deed| deed.starts_with("fill")).count();
    assert!(neighbours > 0, "the others trade beside it");
    assert!(
        !deeds
            .iter()
            .any(|deed| deed.contains("the grant of this strategy"))
    );
}
