//! Calls that the clock ends: alone, recorded with their cause, and ended again in every replay.

use super::ring::{Ring, replayed};
use crate::pilot::{Pilot, digest_in};
use crate::plugin::fixtures::{Fixture, SUBMIT};
use crate::support::strategies;
use pm_arb::journal::JournalReader;
use pm_arb::plugin::loader::Status;
use pm_arb::plugin::{Limits, Outcome, PluginHost, SwapPolicy};
use pm_arb_core::event::{Event, StrategyChangeKind};
use pm_arb_core::ids::Timestamp;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Fuel that no loop uses up while a test waits: only the clock can end it.
fn endless() -> Limits {
    Limits {
        call_fuel: u64::MAX / 4,
        call_time: Duration::from_millis(10),
        ..Limits::default()
    }
}

/// Submits, and from its third quote on loops for ever.
fn slow(name: &'static str) -> Vec<u8> {
    let body = format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1))) {SUBMIT}
         (if (i32.ge_u (global.get $count) (i32.const 3)) (then (loop $spin (br $spin))))"
    );
    Fixture::on_quote(name, &body).component()
}

/// The kinds of a run's records, in order; of calls that were ended, which.
fn story(dir: &Path) -> Vec<String> {
    let mut journal = JournalReader::open(dir).unwrap();
    let mut story = Vec::new();
    while let Some(record) = journal.next().unwrap() {
        story.push(match &record.event {
            Event::Strategy(change) => match &change.kind {
                StrategyChangeKind::Stopped { call } => {
                    format!("stopped {} {call}", change.id.0)
                }
                kind => format!("{} {}", kind.as_str(), change.id.0),
            },
            Event::Snapshot(_) => "quote".to_owned(),
            _ => "other".to_owned(),
        });
    }
    story
}

#[test]
fn a_call_ended_by_the_clock_is_recorded_next_and_replays_alike() {
    let host = PluginHost::live(endless(), None).unwrap();
    host.go_live().unwrap();
    let mut ring = Ring::new(host);
    let now = Timestamp(0);
    for name in ["slow-a", "slow-b"] {
        ring.load(now, name, &slow(name));
    }
    let honest = Fixture::on_quote("honest", SUBMIT).component();
    ring.load(now, "honest", &honest);
    ring.quotes(1..40);
    drop(ring.session.commit().unwrap());
    let (dir, digest) = (ring.dir(), ring.session.digest());

    let story = story(&dir);
    let of = |id: u32| story.iter().filter(move |s| s.ends_with(&format!(" {id}")));
    for id in [0, 1] {
        assert_eq!(
            of(id).map(String::as_str).collect::<Vec<_>>(),
            ["loaded", "loaded", "loaded", "quarantined"].map(|kind| format!("{kind} {id}")),
        );
    }
    assert_eq!(of(2).count(), 1, "{story:?}");
    // Both are ended in one step; what ended is said before anything else is. Its calls are three quotes
    // and the refusals of its first two wishes.
    let third = story
        .iter()
        .enumerate()
        .filter(|(_, s)| *s == "quote")
        .nth(2)
        .map(|(at, _)| at)
        .unwrap();
    assert_eq!(story[third + 1..third + 3], ["stopped 0 5", "stopped 1 5"]);
    assert_eq!(story.iter().filter(|s| s.starts_with("stopped")).count(), 6);
    let statuses: Vec<_> = ring.loader.slots().map(|s| s.status.clone()).collect();
    assert_eq!(
        statuses,
        [Status::Running, Status::Quarantined, Status::Quarantined]
    );

    // A replay has no clock: were the calls not ended by their numbers, it would loop for ever.
    assert_eq!(replayed(&dir, endless()), digest);
}

/// Memory is asked for so often, in vain: far longer than a call may take here, and then over. `$i` is free.
fn long(times: u32) -> String {
    format!(
        "(local.set $i (i32.const 0)) (loop $long (drop (memory.grow (i32.const 0)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $long (i32.lt_u (local.get $i) (i32.const {times}))))"
    )
}

/// Takes far longer than [`short`] gives a call.
const LONG: u32 = 3_000_000;

/// Little time, and fuel that nothing here uses up: a replay makes calls that the clock ended live, unless
/// it is told.
fn short() -> Limits {
    Limits {
        setup_fuel: u64::MAX / 4,
        setup_time: Duration::from_millis(10),
        ..endless()
    }
}

/// A live ring in which what takes over is watched.
fn watching() -> Ring {
    let host = PluginHost::live(short(), None).unwrap();
    host.go_live().unwrap();
    let mut ring = Ring::new(host);
    ring.loader.govern(SwapPolicy::default());
    ring.quotes(1..2);
    ring
}

/// Counts its quotes and submits at each; at the third of them, and from then on when asked for its state,
/// it does that.
fn third(version: &'static str, on_quote: &str, on_snapshot: &'static str) -> Fixture {
    let body = format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1))) {SUBMIT}
         (if (i32.eq (global.get $count) (i32.const 3)) (then {on_quote}))"
    );
    Fixture {
        version,
        snapshot: on_snapshot,
        ..Fixture::on_quote("a", &body)
    }
}

/// Its second generation, which does nothing special.
fn next() -> Vec<u8> {
    third("2", "", "").component()
}

fn second(second: u64) -> Timestamp {
    Timestamp::from_secs(second)
}

#[test]
fn what_stands_by_and_is_ended_by_the_clock_ends_the_watch() {
    let mut ring = watching();
    let first = third("1", &long(LONG), "").component();
    ring.load(second(1), "a", &first);
    ring.quotes(2..4);
    ring.load(second(3), "a", &next());
    assert!(ring.session.engine.status().strategies[0].standby);
    ring.replays_alike(short());
    ring.quotes(4..5);
    assert!(!ring.session.engine.status().strategies[0].standby);
    let news = ring.loader.news().last().unwrap();
    assert!(
        !news.good && news.text.contains("watched no more"),
        "{news:?}"
    );
    ring.replays_alike(short());
    ring.quotes(5..20);
    ring.replays_alike(short());
    let story = story(&ring.dir());
    let watched = story.iter().position(|s| s == "watched 0").unwrap();
    assert_eq!(
        story[watched..watched + 3],
        ["watched 0", "quote", "committed 0"],
        "the record of it is the next"
    );
    assert!(!story.iter().any(|s| s.starts_with("stopped")), "{story:?}");
}

/// Asked for its state from its third quote on, it takes far too long.
fn secretive() -> Vec<u8> {
    let body = format!(
        "(local $i i32) (if (i32.ge_u (global.get $count) (i32.const 3)) (then {}))",
        long(LONG)
    );
    third("1", "", body.leak()).component()
}

#[test]
fn a_call_for_the_state_that_the_clock_ends_is_recorded_and_not_made_again() {
    for rehearsed in [false, true] {
        let mut ring = watching();
        ring.load(second(1), "a", &secretive());
        ring.quotes(2..6);
        if rehearsed {
            ring.ask(second(5), "a");
        } else {
            let outcome = ring.load(second(5), "a", &next());
            assert!(
                matches!(
                    outcome,
                    Outcome::Loaded {
                        restored: false,
                        ..
                    }
                ),
                "{outcome:?}"
            );
        }
        ring.replays_alike(short());
        // It is dead: what it is told next is a strike, or ends the watch over its successor.
        ring.quotes(6..7);
        ring.replays_alike(short());
        ring.quotes(7..20);
        ring.replays_alike(short());
        let expected: &[&str] = if rehearsed {
            &["loaded 0", "stopped 0 0", "loaded 0"]
        } else {
            &[
                "loaded 0",
                "stopped 0 0",
                "loaded 0",
                "watched 0",
                "committed 0",
            ]
        };
        let mut story = story(&ring.dir());
        story.retain(|s| s != "quote" && s != "other");
        assert_eq!(story, expected);
    }
}

#[test]
fn a_candidate_that_takes_over_the_state_too_slowly_is_refused() {
    let mut ring = watching();
    ring.load(second(1), "a", &third("1", "", "").component());
    ring.quotes(2..6);
    // Its own state begins with a 2.
    let body = format!(
        "(local $i i32) (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 49)) (then {}))",
        long(LONG)
    );
    let slow = Fixture {
        on_restore: body.leak(),
        ..third("2", "", "")
    };
    let outcome = ring.load(second(5), "a", &slow.component());
    assert!(
        matches!(&outcome, Outcome::Refused { why, .. } if why.contains("longer than one call may")),
        "{outcome:?}"
    );
    ring.quotes(6..20);
    ring.replays_alike(short());
    let mut story = story(&ring.dir());
    story.retain(|s| s != "quote" && s != "other");
    assert_eq!(story, ["loaded 0", "asked for its state 0", "refused 0"]);
}

#[test]
fn a_new_generation_that_the_clock_ends_in_its_very_load_is_rolled_back_in_a_replay_too() {
    let mut ring = watching();
    ring.load(second(1), "a", &third("1", "", "").component());
    ring.quotes(2..6);
    // With the state of another generation it never ends at the first market that it is told of.
    let stuck = Fixture {
        topics: 3,
        on_restore: "(global.set $count (i32.eq (i32.load8_u (local.get 0)) (i32.const 49)))",
        on_event: "(if (global.get $count) (then (loop $spin (br $spin))))".to_owned(),
        version: "2",
        ..Fixture::new("a")
    };
    ring.load(second(5), "a", &stuck.component());
    ring.replays_alike(short());
    ring.quotes(6..20);
    ring.replays_alike(short());
    let mut story = story(&ring.dir());
    story.retain(|s| s != "quote" && s != "other");
    let expected = [
        "loaded 0",
        "loaded 0",
        "stopped 0 1",
        "watched 0",
        "reverted 0",
    ];
    assert_eq!(story, expected);
}

/// Cheap in fuel and slow all the same: it asks for no memory, again and again.
const CRAWL: &str =
    "(loop $on (drop (memory.grow (i32.const 0))) (drop (memory.grow (i32.const 0)))
    (drop (memory.grow (i32.const 0))) (drop (memory.grow (i32.const 0))) (br $on))";

/// The real pilot with its own limits: the clock ends a call, the pilot is killed, and what goes on is one
/// run that replays to what the pilot said of it.
#[test]
fn a_pilot_killed_after_the_clock_ended_a_call_goes_on_and_replays_alike() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("strategies");
    std::fs::create_dir(&folder).unwrap();
    let body = format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1))) {SUBMIT}
         (if (i32.ge_u (global.get $count) (i32.const 20)) (then {CRAWL}))"
    );
    let crawls = Fixture::on_quote("crawls", &body).component();
    std::fs::write(folder.join("crawls.wasm"), crawls).unwrap();
    let sniper = strategies().join("oracle-sniper.wasm");
    std::fs::copy(sniper, folder.join("oracle-sniper.wasm")).unwrap();
    let data = dir.path().join("data");
    let folder = folder.to_str().unwrap();
    let mut pilot = Pilot::start_with(folder, &data, &[]);
    pilot.wait_for("a call that the clock ended", |p| {
        p.said()
            .contains("took longer than one call may")
            .then_some(())
    });
    pilot.signal("-KILL");
    assert!(!pilot.ended());

    let mut pilot = Pilot::start_with(folder, &data, &["--for", "2s"]);
    assert!(pilot.ended(), "{}", pilot.said());
    assert!(
        story(&pilot.run_dir())
            .iter()
            .any(|s| s.starts_with("stopped 0"))
    );
    assert_eq!(
        digest_in(&pilot.said()),
        replayed(&pilot.run_dir(), Limits::default())
    );
}

/// The same for a call for its state, which new bytes in its file lead to: far more than that may take, and
/// less than its fuel.
#[test]
fn a_pilot_killed_after_the_clock_ended_a_call_for_the_state_replays_alike() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("strategies");
    std::fs::create_dir(&folder).unwrap();
    let put = |bytes: &[u8]| {
        let beside = dir.path().join("a.wasm");
        std::fs::write(&beside, bytes).unwrap();
        std::fs::rename(beside, folder.join("a.wasm")).unwrap();
    };
    let body = format!(
        "(local $i i32) (if (i32.ge_u (global.get $count) (i32.const 3)) (then {}))",
        long(40_000_000)
    );
    put(&third("1", "", body.leak()).component());
    let data = dir.path().join("data");
    let strategies = folder.to_str().unwrap();
    let mut pilot = Pilot::start_with(strategies, &data, &[]);
    pilot.wait_for("wishes", |p| {
        let list = p.ask(&["strategy", "list", "--json"]).stdout;
        let list: Value = serde_json::from_slice(&list).ok()?;
        (list[0]["intents"].as_u64()? >= 3).then_some(())
    });
    put(&next());
    pilot.wait_for("a call that came after the one for its state", |p| {
        p.said()
            .contains("called after it had failed")
            .then_some(())
    });
    pilot.signal("-KILL");
    assert!(!pilot.ended());

    let mut pilot = Pilot::start_with(strategies, &data, &["--for", "2s"]);
    assert!(pilot.ended(), "{}", pilot.said());
    let story = story(&pilot.run_dir());
    assert!(story.iter().any(|s| s == "stopped 0 0"), "{story:?}");
    assert_eq!(
        digest_in(&pilot.said()),
        replayed(&pilot.run_dir(), Limits::default())
    );
}
