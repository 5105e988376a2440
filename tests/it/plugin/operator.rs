//! Operators' orders on strategies, between two events: what they change, and what comes of them again.

use super::fixtures::Fixture;
use super::host;
use super::reload::{Pilot, loaded, version};
use pm_arb::plugin::loader::Status;
use pm_arb::plugin::{Done, LoaderPort as _, Order, OrderError, Preparer, What};
use pm_arb_core::ids::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// An order as the control socket brings it: made ready first.
fn order(pilot: &mut Pilot, what: What) -> Result<Done, OrderError> {
    let order = Order {
        name: "a".to_owned(),
        what,
        note: "ann".to_owned(),
    };
    pilot.loader.order(order, &mut pilot.stage).unwrap()
}

fn swap(pilot: &mut Pilot, fixture: &Fixture) -> Result<Done, OrderError> {
    let recipe = pilot.loader.recipe("a", false)?;
    let (path, bytes) = (Path::new("x.wasm"), fixture.component());
    let made = Preparer::new(host(), BTreeMap::new()).prepare_with(path, bytes, recipe.params);
    let what = match made {
        Ok(candidate) => What::Swap {
            candidate: Box::new(candidate),
            fresh: false,
        },
        Err(error) => What::Unfit {
            path: path.to_owned(),
            digest: None,
            why: error.story(),
        },
    };
    order(pilot, what)
}

fn roll_back(pilot: &mut Pilot, fresh: bool) -> Result<Done, OrderError> {
    let recipe = pilot.loader.recipe("a", true)?;
    let bytes = pilot.stage.retrieve(&recipe.digest.unwrap()).unwrap();
    let candidate = Preparer::new(host(), BTreeMap::new())
        .prepare_with(Path::new("archive"), bytes, recipe.params)
        .unwrap();
    let candidate = Box::new(candidate);
    order(pilot, What::RollBack { candidate, fresh })
}

fn with_one(intents: usize) -> Pilot {
    let mut pilot = Pilot::new();
    pilot.put("a.wasm", &version("1", intents).component());
    pilot.look();
    pilot
}

/// The same loader from its journal, as after a restart.
fn restarted(pilot: &mut Pilot) -> Pilot {
    let mut again = Pilot::new();
    again.stage.archive = pilot.stage.archive.clone();
    for change in &pilot.stage.journal {
        let at = Timestamp(0);
        again.loader.replay(at, change, &mut again.stage).unwrap();
    }
    again
}

#[test]
fn a_swap_runs_other_bytes_and_a_rollback_those_of_before() {
    let mut pilot = with_one(1);
    let done = swap(&mut pilot, &version("2", 2)).unwrap();
    assert!(
        done.generation == 2 && done.text.contains("state kept"),
        "{done:?}"
    );
    assert!(done.text.contains("1 (gen 1) one step back"), "{done:?}");
    assert_eq!(pilot.tell(), Ok(2));
    swap(&mut pilot, &version("3", 3)).unwrap();
    roll_back(&mut pilot, false).unwrap();
    assert_eq!(pilot.tell(), Ok(2));
    let done = roll_back(&mut pilot, true).unwrap();
    assert!(done.text.contains("fresh state"), "{done:?}");
    assert_eq!(pilot.tell(), Ok(1));
    let error = roll_back(&mut pilot, false).unwrap_err();
    assert_eq!(error.code(), "no_earlier_generation");
    let expected = [
        "loaded",
        "swap",
        "loaded with state",
        "swap",
        "loaded with state",
        "rollback",
        "loaded with state",
        "rollback",
        "loaded",
    ];
    assert_eq!(pilot.kinds(), expected);

    // The file still holds what it held when it was loaded: after a restart that is no news.
    let mut again = restarted(&mut pilot);
    assert_eq!(again.tell(), Ok(1));
    assert_eq!(again.loader.slots().next().unwrap().generation, 5);
}

#[test]
fn bytes_an_operator_left_stay_left_until_the_file_changes() {
    let mut pilot = with_one(1);
    pilot.put("a.wasm", &version("2", 2).component());
    assert_eq!(pilot.look(), [loaded(2, true)]);
    roll_back(&mut pilot, false).unwrap();
    let mut again = restarted(&mut pilot);
    again.put("a.wasm", &version("2", 2).component());
    let said = format!("{:?}", again.look());
    assert!(
        said.contains("NotFollowed") && said.contains("chose other bytes"),
        "{said}"
    );
    again.loader.settle(&mut again.stage).unwrap();
    assert_eq!(
        (again.tell(), again.kinds().len()),
        (Ok(1), 0),
        "nothing changed"
    );
    again.put("a.wasm", &version("3", 3).component());
    assert_eq!(again.look(), [loaded(4, true)], "other bytes are news");
}

#[test]
fn a_pinned_strategy_stays_until_it_is_unpinned_then_follows_its_file() {
    let mut pilot = with_one(1);
    order(&mut pilot, What::Pin).unwrap();
    assert_eq!(
        order(&mut pilot, What::Pin).unwrap_err().code(),
        "already_so"
    );
    pilot.put("a.wasm", &version("2", 2).component());
    assert!(format!("{:?}", pilot.look()).contains("pinned"));
    assert_eq!(pilot.look(), [], "said once");
    assert_eq!(pilot.tell(), Ok(1));
    // It stays pinned over a restart, whatever its file holds then.
    let mut again = restarted(&mut pilot);
    again.put("a.wasm", &version("2", 2).component());
    again.look();
    again.loader.settle(&mut again.stage).unwrap();
    assert_eq!(again.tell(), Ok(1));
    assert_eq!(
        again.loader.slots().next().unwrap().pinned.as_deref(),
        Some("ann")
    );
    for mut pilot in [pilot, again] {
        let done = order(&mut pilot, What::Unpin).unwrap();
        assert!(
            done.text.contains("a 2 (gen 2"),
            "what waited takes over: {done:?}"
        );
        assert_eq!(pilot.tell(), Ok(2));
    }
}

#[test]
fn a_quarantined_strategy_stays_stopped_until_it_is_released() {
    let mut pilot = with_one(1);
    assert_eq!(
        order(&mut pilot, What::Release).unwrap_err().code(),
        "already_so"
    );
    order(&mut pilot, What::Quarantine).unwrap();
    pilot.put("a.wasm", &version("2", 2).component());
    assert!(format!("{:?}", pilot.look()).contains("quarantined by an operator"));
    assert_eq!(
        swap(&mut pilot, &version("3", 3)).unwrap_err().code(),
        "quarantined"
    );
    assert_eq!(pilot.loader.next_due(), None);
    let mut again = restarted(&mut pilot);
    again.put("a.wasm", &version("2", 2).component());
    again.look();
    again.loader.settle(&mut again.stage).unwrap();
    for mut pilot in [pilot, again] {
        let slot = pilot.loader.slots().next().unwrap();
        assert_eq!(
            (&slot.status, slot.held.as_deref()),
            (&Status::Quarantined, Some("ann"))
        );
        let done = order(&mut pilot, What::Release).unwrap();
        assert!(
            done.text.contains("a 2 (gen 2") && done.text.contains("fresh"),
            "{done:?}"
        );
        assert_eq!(pilot.tell(), Ok(2));
        assert_eq!(pilot.loader.slots().next().unwrap().strikes(), 0);
    }
}

#[test]
fn what_failed_too_often_is_released_and_no_rollback_goes_to_it() {
    let mut pilot = Pilot::new();
    pilot.put("a.wasm", &Fixture::on_quote("a", "unreachable").component());
    pilot.look();
    let mut now = Timestamp::from_secs(100);
    while pilot.loader.slots().next().unwrap().status != Status::Quarantined {
        if let Err(fault) = pilot.tell() {
            let id = pilot.loader.slots().next().unwrap().id;
            pilot.loader.failed(id, &fault, now);
        }
        now = pilot.loader.next_due().unwrap().max(now);
        pilot.loader.tick(now, &mut pilot.stage).unwrap();
    }
    let done = order(&mut pilot, What::Release).unwrap();
    assert_eq!(done.generation, 4);
    assert!(pilot.tell().is_err(), "it runs, and fails again");
    let slot = pilot.loader.slots().next().unwrap();
    assert_eq!(slot.strikes(), 0, "until the engine says so");
    let (id, fault) = (slot.id, pilot.tell().unwrap_err());
    for _ in 0..3 {
        pilot.loader.failed(id, &fault, now);
    }
    pilot.loader.tick(now, &mut pilot.stage).unwrap();
    swap(&mut pilot, &version("2", 1)).unwrap();
    assert_eq!(
        pilot.tell(),
        Ok(1),
        "new bytes end a quarantine that no operator ordered"
    );
    assert_eq!(
        roll_back(&mut pilot, false).unwrap_err().code(),
        "no_earlier_generation"
    );
}

#[test]
fn a_refused_order_changes_nothing() {
    let mut pilot = with_one(1);
    let refusing = Fixture {
        restore: "too old",
        ..version("2", 2)
    };
    let error = swap(&mut pilot, &refusing).unwrap_err();
    assert!(
        error.code() == "refused" && error.to_string().contains("too old"),
        "{error}"
    );
    assert_eq!(
        swap(&mut pilot, &version("1", 1)).unwrap_err().code(),
        "already_so"
    );
    let other = Fixture {
        name: "b",
        ..version("2", 2)
    };
    assert_eq!(
        swap(&mut pilot, &other).unwrap_err().code(),
        "other_strategy"
    );
    let unfit = What::Unfit {
        path: "y.wasm".into(),
        digest: None,
        why: "cut off".to_owned(),
    };
    assert_eq!(order(&mut pilot, unfit).unwrap_err().code(), "refused");
    assert_eq!(
        order(&mut pilot, What::Unpin).unwrap_err().code(),
        "already_so"
    );
    let unknown = Order {
        name: "aa".to_owned(),
        what: What::Pin,
        note: String::new(),
    };
    let error = pilot
        .loader
        .order(unknown, &mut pilot.stage)
        .unwrap()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no strategy is called \"aa\"; did you mean a?"
    );
    assert_eq!(pilot.tell(), Ok(1));
    assert_eq!(pilot.kinds(), ["loaded", "refused", "refused"]);
    let news: Vec<bool> = pilot.loader.news().map(|news| news.good).collect();
    assert_eq!(news, [true, false, false]);
    let numbers: Vec<u64> = pilot.loader.news().map(|news| news.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn what_calls_cost_is_counted_and_lines_are_kept() {
    let mut pilot = Pilot::new();
    let body = super::fixtures::LOG;
    pilot.put("a.wasm", &Fixture::on_quote("a", body).component());
    pilot.look();
    for _ in 0..3 {
        pilot.tell().unwrap();
    }
    let slot = pilot.loader.slots().next().unwrap();
    let costs = slot.usage.costs();
    assert_eq!((costs.calls, costs.timed, costs.memory), (3, 1, 2 * 65_536));
    assert!(
        costs.fuel_last > 0 && costs.fuel_max >= costs.fuel_mean && costs.time_max.as_nanos() > 0
    );
    let lines = slot.usage.lines();
    assert_eq!((lines.len(), lines[0].level), (3, "error"));
    assert!(
        lines[0].text.contains("hello") && !lines[0].text.contains('\u{1b}'),
        "{lines:?}"
    );
    assert!(
        slot.imports()
            .iter()
            .any(|name| name.starts_with("pm-arb:strategy/host@"))
    );
}
