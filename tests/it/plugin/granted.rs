//! What the operator grants: recorded before the load it holds for, enforced, and the same in a replay.

use super::fixtures::{Fixture, times};
use super::host;
use super::reload::{Pilot, loaded, version};
use pm_arb::plugin::{Grants, Order, Outcome, PluginHost, What};
use pm_arb_core::capabilities::{Capabilities, Scope};
use pm_arb_core::event::StrategyChangeKind;
use pm_arb_core::ids::{Timestamp, Venue};
use pm_arb_core::strategy::StrategyFault;

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
