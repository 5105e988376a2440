//! What the operator grants: recorded before the load it holds for, enforced, and the same in a replay.

use super::fixtures::{Fixture, SUBMIT, times};
use super::host;
use super::reload::{Pilot, loaded, version};
use crate::pilot::{Pilot as Process, digest_in};
use pm_arb::journal::JournalReader;
use pm_arb::plugin::{Grants, Limits, Order, Outcome, PluginHost, What};
use pm_arb::replay::{Cast, replay};
use pm_arb_core::capabilities::{Capabilities, Scope};
use pm_arb_core::effect::{Effect, Message};
use pm_arb_core::event::{Event, StrategyChangeKind};
use pm_arb_core::ids::{InstrumentId, Seq, Timestamp, Venue};
use pm_arb_core::reason::Reason;
use pm_arb_core::strategy::StrategyFault;
use std::path::Path;

fn granting(own: Capabilities) -> PluginHost {
    host().granting(Grants {
        own: [("a".to_owned(), own)].into(),
        ..Grants::default()
    })
}

fn kalshi() -> Capabilities {
    Capabilities {
        venues: Scope::Only([Venue::Kalshi].into()),
        ..Capabilities::default()
    }
}

/// Another process with other grants, from the journal of the first.
fn restarted(pilot: &Pilot, own: Capabilities) -> Pilot {
    let mut again = Pilot::of(granting(own));
    again.stage.archive = pilot.stage.archive.clone();
    for change in &pilot.stage.journal {
        let at = Timestamp(0);
        again.loader.replay(at, change, &mut again.stage).unwrap();
    }
    again
}

#[test]
fn a_grant_is_recorded_before_the_load_it_holds_for_and_only_where_it_changes() {
    let mut pilot = Pilot::of(granting(kalshi()));
    pilot.put("a.wasm", &version("1", 1).component());
    assert_eq!(pilot.look(), [loaded(1, false)]);
    pilot.put("a.wasm", &version("2", 1).component());
    assert_eq!(pilot.look(), [loaded(2, true)]);
    assert_eq!(pilot.kinds(), ["granted", "loaded", "loaded with state"]);
    let first = &pilot.stage.journal[0].kind;
    assert_eq!(*first, StrategyChangeKind::Granted(Box::new(kalshi())));
    assert_eq!(pilot.loader.slots().next().unwrap().may, kalshi());

    let mut free = Pilot::new();
    free.put("a.wasm", &version("1", 1).component());
    free.look();
    assert_eq!(free.kinds(), ["loaded"], "everything needs no record");
}

#[test]
fn other_grants_at_the_next_start_hold_from_a_new_generation_on() {
    let mut pilot = Pilot::of(granting(kalshi()));
    let bytes = version("1", 1).component();
    pilot.put("a.wasm", &bytes);
    pilot.look();

    let mut same = restarted(&pilot, kalshi());
    same.put("a.wasm", &bytes);
    assert!(matches!(&same.look()[..], [Outcome::Unchanged { .. }]));
    same.loader.settle(&mut same.stage).unwrap();
    assert!(same.kinds().is_empty());

    let mut wider = restarted(&pilot, Capabilities::default());
    assert_eq!(
        wider.loader.slots().next().unwrap().may,
        kalshi(),
        "a replay uses what was recorded"
    );
    wider.put("a.wasm", &bytes);
    assert_eq!(wider.look(), [loaded(2, true)]);
    assert_eq!(wider.kinds(), ["granted", "loaded with state"]);

    // One that no file moves, because it is pinned, does not escape them either.
    let pin = Order {
        name: "a".to_owned(),
        what: What::Pin,
        note: "ann".to_owned(),
    };
    pilot.loader.order(pin, &mut pilot.stage).unwrap().unwrap();
    let mut pinned = restarted(&pilot, Capabilities::default());
    pinned.put("a.wasm", &version("2", 2).component());
    assert!(matches!(&pinned.look()[..], [Outcome::NotFollowed { .. }]));
    pinned.loader.settle(&mut pinned.stage).unwrap();
    assert_eq!(pinned.kinds(), ["granted", "loaded with state"]);
    let slot = pinned.loader.slots().next().unwrap();
    assert_eq!(
        (&slot.may, slot.manifest.version.as_str()),
        (&Capabilities::default(), "1")
    );
}

#[test]
fn one_to_which_nothing_is_left_is_refused_in_words() {
    let nothing = Capabilities {
        venues: Scope::Only([].into()),
        ..Capabilities::default()
    };
    let mut pilot = Pilot::of(granting(nothing));
    pilot.put("a.wasm", &version("1", 1).component());
    let outcomes = pilot.look();
    let [Outcome::Refused { why, .. }] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert!(
        why.contains("granted no venue (it asks for any)") && why.contains("[grants.for.a]"),
        "{why}"
    );
    assert!(pilot.kinds().is_empty());
}

#[test]
fn memory_and_fuel_are_the_lower_of_the_grant_and_the_host() {
    let memory = Capabilities {
        memory_bytes: Some(64 << 10),
        ..Capabilities::default()
    };
    let mut pilot = Pilot::of(granting(memory));
    pilot.put("a.wasm", &version("1", 1).component());
    let outcomes = pilot.look();
    assert!(
        matches!(&outcomes[..], [Outcome::Refused { why, .. }] if why.contains("memory")),
        "two pages are 128 KiB: {outcomes:?}"
    );

    let fuel = Capabilities {
        call_fuel: Some(10_000),
        ..Capabilities::default()
    };
    let busy = Fixture::on_quote("a", &times(5_000, "(nop)")).component();
    for (own, answer) in [
        (fuel, Err(StrategyFault::OutOfFuel)),
        (Capabilities::default(), Ok(0)),
    ] {
        let mut pilot = Pilot::of(granting(own));
        pilot.put("a.wasm", &busy);
        assert_eq!(pilot.look(), [loaded(1, false)]);
        assert_eq!(pilot.tell(), answer);
    }
}

/// Where every generation of a run's strategy was loaded, what each may when that is not everything, and
/// the venue of an instrument.
fn journalled(run: &Path, instrument: InstrumentId) -> (Vec<Seq>, Vec<Capabilities>, Venue) {
    let mut reader = JournalReader::open(run).unwrap();
    let (mut loads, mut granted, mut venue) = (Vec::new(), Vec::new(), None);
    while let Some(record) = reader.next().unwrap() {
        match &record.event {
            Event::Strategy(change) => match &change.kind {
                StrategyChangeKind::Loaded { .. } => loads.push(record.seq),
                StrategyChangeKind::Granted(may) => granted.push((**may).clone()),
                _ => {}
            },
            Event::MarketListed(spec)
                if spec.outcomes.iter().any(|o| o.instrument == instrument) =>
            {
                venue = Some(spec.venue);
            }
            _ => {}
        }
    }
    (loads, granted, venue.unwrap())
}

/// The whole way: the file changes under a running pilot, which says that it needs a restart; killed and
/// started again, its run goes on under the new grants, which a replay finds in the journal.
#[test]
fn grants_that_change_under_a_pilot_are_told_and_hold_after_its_restart() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("strategies");
    std::fs::create_dir(&folder).unwrap();
    let asks = Fixture::on_quote("a", SUBMIT).component();
    std::fs::write(folder.join("a.wasm"), asks).unwrap();
    let file = dir.path().join("pm-arb.toml");
    std::fs::write(&file, "[grants]\n").unwrap();
    let data = dir.path().join("data");
    let mut options = vec!["--config", file.to_str().unwrap()];
    let strategies = folder.to_str().unwrap();
    let row = |p: &Process| {
        let list = p.ask(&["strategy", "list", "--json"]).stdout;
        let list: serde_json::Value = serde_json::from_slice(&list).ok()?;
        Some(list[0].clone()).filter(|row| row["intents"].as_u64() > Some(3))
    };
    let mut pilot = Process::start_with(strategies, &data, &options);
    pilot.wait_for("wishes", row);
    let beside = dir.path().join("new.toml");
    std::fs::write(&beside, "[grants.for.a]\nvenues = [\"kalshi\"]\n").unwrap();
    std::fs::rename(&beside, &file).unwrap();
    pilot.wait_for("the word that it needs a restart", |p| {
        p.said()
            .contains("[grants] changed; restart the pilot to apply it")
            .then_some(())
    });
    let before = row(&pilot).unwrap();
    assert_eq!(
        (&before["generation"], &before["not_granted"]),
        (&1.into(), &serde_json::json!([]))
    );
    pilot.signal("-KILL");
    assert!(!pilot.ended());

    options.extend(["--for", "4s"]);
    let mut pilot = Process::start_with(strategies, &data, &options);
    assert!(pilot.ended(), "{}", pilot.said());
    let run = pilot.run_dir();
    let (loads, granted, venue) = journalled(&run, InstrumentId(1));
    assert_eq!(venue, Venue::Polymarket, "what it asks for is outside now");
    assert_eq!((loads.len(), granted), (2, vec![kalshi()]));
    let (mut free, mut outside, mut other) = (0, 0, 0);
    let each = &mut |seq: Seq, effect: &Effect| {
        let Effect::Publish(message) = effect else {
            return;
        };
        let Message::Decision(decision) = message.as_ref() else {
            return;
        };
        let refused = decision.verdict.as_ref().err().map(|why| why.reason);
        match (seq < loads[1], refused) {
            (true, Some(Reason::NotGranted)) => other += 1,
            (true, _) => free += 1,
            (false, Some(Reason::NotGranted)) => outside += 1,
            // It asks at every quote: too often is said first.
            (false, Some(Reason::RateLimit)) => {}
            (false, _) => other += 1,
        }
    };
    let host = PluginHost::new(Limits::default()).unwrap();
    let (state, loader) = replay(&run, host, None, Cast::Own, each).unwrap();
    assert_eq!(state.digest.hex(&state.engine), digest_in(&pilot.said()));
    assert_eq!(loader.slots().next().unwrap().may, kalshi());
    assert!(free > 3 && outside > 0, "{free} {outside}");
    assert_eq!(other, 0, "from the new generation on, and not before");
}
