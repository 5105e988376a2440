//! Calls that the clock ends: alone, recorded with their cause, and ended again in every replay.

use super::ring::{Ring, replayed};
use crate::pilot::{Pilot, digest_in};
use crate::plugin::fixtures::{Fixture, SUBMIT};
use crate::support::strategies;
use pm_arb::journal::JournalReader;
use pm_arb::plugin::loader::Status;
use pm_arb::plugin::{Limits, PluginHost};
use pm_arb_core::event::{Event, StrategyChangeKind};
use pm_arb_core::ids::Timestamp;
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
