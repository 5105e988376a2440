//! What is to take over plays what the running version was told: who is asked for it, and what it finds.

use super::fixtures::{Fixture, SUBMIT};
use super::swap::{Desk, NOW_AND_THEN, counting};
use pm_arb::plugin::{Candidate, Contender, SwapPolicy, What};

/// As an operator orders it.
fn ordered(candidate: &Candidate) -> Contender {
    Contender::Ordered(candidate.compiled.digest, candidate.params.clone())
}

#[test]
fn a_file_that_was_left_for_other_bytes_asks_nobody_for_their_state() {
    let mut desk = Desk::new(SwapPolicy::default());
    let first = counting("1.00", "");
    desk.put(&first);
    desk.quotes(10);
    let candidate = desk.candidate(&counting("2.00", ""), &[]);
    let fresh = false;
    desk.order(What::Swap { candidate, fresh }).unwrap();
    desk.quotes(10);
    let left = desk.candidate(&first, &[]);
    let of_file = Contender::File(left.compiled.digest, left.params.clone());
    let runs = |desk: &mut Desk, contender: &Contender| desk.incumbent(contender).is_some();
    let mut expected = vec!["loaded 1", "swap", "loaded 2", "watched"];
    assert!(!runs(&mut desk, &of_file), "it is not followed there");
    assert_eq!(desk.kinds(), expected);
    assert!(runs(&mut desk, &ordered(&left)), "an operator may want it");
    expected.push("asked for its state");
    assert_eq!(desk.kinds(), expected);
    desk.loader.govern(SwapPolicy {
        rehearse: false,
        ..SwapPolicy::default()
    });
    assert!(runs(&mut desk, &ordered(&left)), "nobody rehearses");
    assert_eq!(desk.kinds(), expected);
    desk.quotes(10);
    desk.replayed();
}

#[test]
fn a_rehearsal_finds_what_would_fail_before_it_takes_over() {
    // Making five intents costs fuel too.
    let mut desk = Desk::new(SwapPolicy {
        fuel_mean_pct: 3_000,
        ..SwapPolicy::default()
    });
    // The tape is told again to what has counted beyond it: here nobody insists on order.
    let then = NOW_AND_THEN.replace("SUBMIT", SUBMIT);
    let count = "(global.set $count (i32.add (global.get $count) (i32.const 1)))";
    desk.put(&Fixture {
        on_quote: format!("(if (local.get $instrument) (then {count} {then}))"),
        ..counting("1.00", "")
    });
    desk.quotes(400);
    let spin = "(local.set $i (i32.const 0)) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 3000))))";
    let never_mind = |more: &str| Fixture {
        on_quote: format!("(if (local.get $instrument) (then {more}))"),
        ..counting("2.00", "")
    };
    let cases = [
        ("it trapped", never_mind("unreachable")),
        ("used", never_mind(spin)),
        ("intents, above 1000 %", never_mind(&SUBMIT.repeat(5))),
    ];
    let before = desk.calls();
    for (why, fixture) in cases {
        let candidate = desk.candidate(&fixture, &[]);
        let incumbent = desk.incumbent(&ordered(&candidate)).unwrap();
        let played = incumbent.rehearse(&desk.host, &candidate.compiled, &candidate.params, false);
        let said = played.unwrap_err().to_string();
        assert!(
            said.contains(why) && said.contains("calls"),
            "{why}: {said}"
        );
    }
    let good = desk.candidate(&never_mind(""), &[]);
    let incumbent = desk.incumbent(&ordered(&good)).unwrap();
    incumbent
        .rehearse(&desk.host, &good.compiled, &good.params, false)
        .unwrap();
    assert_eq!(desk.calls(), before, "what trades was not called");
    desk.quotes(10);
    desk.replayed();
}
