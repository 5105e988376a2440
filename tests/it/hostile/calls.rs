//! What an attacker does when it is called: it loops, traps, grows, floods, forges.

use super::arena::{ATTACKER, Arena, undisturbed};
use crate::plugin::fixtures::{Fixture, LOG, SUBMIT, times};
use pm_arb::plugin::{Limits, PluginHost};
use pm_arb_core::ids::{InstrumentId, Timestamp};
use pm_arb_core::strategy::{Output, Quote, Strategy};

/// It does that on every quote.
fn on_quote(body: &str) -> Fixture {
    Fixture {
        version: "2",
        ..Fixture::on_quote(ATTACKER, body)
    }
}

/// The same, with functions and tables of its own.
fn with(parts: &str, body: &str) -> Fixture {
    Fixture {
        imports: parts.to_owned(),
        ..on_quote(body)
    }
}

/// A body for the first so many quotes only: what is slow and no fault would last through all of them.
fn first(quotes: u32, body: &str) -> String {
    format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))
         (if (i32.le_u (global.get $count) (i32.const {quotes})) (then {body}))"
    )
}

/// Plays each attack beside the neighbours; one of the words must be in how it ended.
fn beside(attacks: Vec<(&str, Fixture, &[&str])>) {
    let mut arena = Arena::new();
    let parts = attacks.len();
    for (what, fixture, words) in attacks {
        let how = arena.attack(what, &fixture.component(), parts);
        assert!(
            words.iter().any(|word| how.contains(word)),
            "{what}: {words:?} in {how}"
        );
    }
    undisturbed("all of them", &arena.end().0);
}

/// Turns of a loop.
fn burn(turns: u64) -> String {
    format!(
        "(loop $burn (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $burn (i32.lt_u (local.get $i) (i32.const {turns}))))"
    )
}

/// What one of them costs.
fn fuel_of_a_turn() -> u64 {
    let host = PluginHost::new(Limits::default()).unwrap();
    let spent = |turns| {
        let compiled = host.compile(&on_quote(&burn(turns)).component()).unwrap();
        let mut one = host.instantiate(&compiled, &[]).unwrap();
        let quote = Quote {
            instrument: InstrumentId(1),
            bid: None,
            ask: None,
        };
        one.on_quote(Timestamp(0), &quote, &mut Output::default())
            .unwrap();
        one.usage().costs().fuel_last
    };
    (spent(2_000) - spent(1_000)) / 1_000
}

const ENDED_FOR_TIME: [&str; 2] = [
    "used more than its fuel for one call",
    "took longer than one call may",
];

#[test]
fn one_that_does_not_end_is_ended() {
    let spin = "(loop $spin (br $spin))";
    let burnt = Limits::default().call_fuel / fuel_of_a_turn() * 99 / 100;
    beside(vec![
        ("an endless loop", on_quote(spin), &ENDED_FOR_TIME),
        (
            "wishes, then an endless loop",
            on_quote(&format!("{SUBMIT}{spin}")),
            &ENDED_FOR_TIME,
        ),
        (
            "endless recursion",
            with(
                "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))",
                "(drop (call $deep (i32.const 0)))",
            ),
            &["trapped"],
        ),
        (
            "copying for ever",
            on_quote(&times(
                u32::MAX,
                "(memory.fill (i32.const 8192) (i32.const 0) (i32.const 100000))",
            )),
            &ENDED_FOR_TIME,
        ),
        (
            "nearly all its fuel, again and again",
            on_quote(&first(40, &burn(burnt))),
            &["Running "],
        ),
    ]);
}

#[test]
fn one_that_grows_is_stopped_at_its_limit() {
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";
    beside(vec![
        ("all the memory it gets", on_quote(grow), &["Running "]),
        (
            "more memory than it gets",
            on_quote(&format!("{grow} unreachable")),
            &["wanted more memory than it may have"],
        ),
        (
            "a memory that is too large to begin with",
            Fixture {
                version: "2",
                init: "(if (i32.eq (memory.grow (i32.const 60000)) (i32.const -1)) (then unreachable))",
                ..Fixture::new(ATTACKER)
            },
            &["refused: it failed in `init`: wanted more memory than it may have"],
        ),
        (
            "a table of a million places",
            with("(table $t 1000000 funcref)", ""),
            &["refused: it failed in `instantiate`: wanted more memory"],
        ),
    ]);
}

#[test]
fn one_that_breaks_the_contract_is_dead() {
    let log = |at: &str, len: &str| {
        on_quote(&format!(
            "(call $log (i32.const 3) (i32.const {at}) (i32.const {len}))"
        ))
    };
    let broke: &[&str] = &["broke the contract", "trapped"];
    beside(vec![
        ("a text of 4 GiB", log("0", "0xffffffff"), broke),
        ("a text outside of memory", log("0xfffffff0", "8"), broke),
        (
            "a text that is no text",
            on_quote(&format!(
                "(i32.store8 (i32.const 256) (i32.const 0xff)) {LOG}"
            )),
            broke,
        ),
        (
            "a list of 2^32 legs",
            on_quote(&SUBMIT.replace("(i32.const 1)\n", "(i32.const 0xffffffff)\n")),
            broke,
        ),
        (
            "legs outside of memory",
            on_quote(&SUBMIT.replace("(i32.const 320)", "(i32.const 0xfffffff0)")),
            broke,
        ),
        (
            "an order of no kind",
            on_quote(&SUBMIT.replace(
                "(i32.const 0) (i64.const 0) (i64.const 1000)",
                "(i32.const 77) (i64.const 0) (i64.const 1000)",
            )),
            broke,
        ),
        (
            "a trap in its handler",
            on_quote("unreachable"),
            &["trapped"],
        ),
        (
            "a trap in `init`",
            Fixture {
                version: "2",
                init: "unreachable",
                ..Fixture::new(ATTACKER)
            },
            &["refused: it failed in `init`: trapped"],
        ),
        (
            "a trap in `restore`",
            Fixture {
                version: "2",
                on_restore: "unreachable",
                ..Fixture::new(ATTACKER)
            },
            &["refused: it failed in `restore`: trapped"],
        ),
        (
            "a trap after its answer was read",
            Fixture {
                version: "2",
                exports: "(func (export \"cabi_post_snapshot\") (param i32) unreachable)",
                ..Fixture::new(ATTACKER)
            },
            &["refused: it failed in `snapshot`: trapped"],
        ),
        (
            "a snapshot outside of memory",
            Fixture {
                version: "2",
                snapshot: "(return (i32.const 0x7ffffff0))",
                ..Fixture::new(ATTACKER)
            },
            &["refused: it failed in `snapshot`: "],
        ),
        (
            "a snapshot of 2 GiB",
            Fixture {
                version: "2",
                snapshot: "(i32.store (i32.const 40) (i32.const 0)) (i32.store (i32.const 44) (i32.const 0x7fffffff)) (return (i32.const 40))",
                ..Fixture::new(ATTACKER)
            },
            &["refused: it failed in `snapshot`: "],
        ),
    ]);
}

/// One wish: of that opportunity, or of none, for those legs and so many shares.
fn wish(opportunity: &str, tag: &str, qty: &str, edge: &str) -> String {
    format!(
        "(drop (call $submit {opportunity} (i64.const {tag}) (i32.const 320) (i32.const 1)
           (i64.const {qty}) (i32.const 0) (i64.const 0) (i64.const {edge})))"
    )
}

#[test]
fn one_that_floods_or_forges_is_counted_and_denied() {
    // Each answer to a denial is as many wishes again.
    let storm = Fixture {
        on_event: first(2_000, &times(64, SUBMIT)),
        ..on_quote(&first(200, &times(64, SUBMIT)))
    };
    // Opportunities by guessed number, instruments it never heard of, the tags that others use.
    let guess =
        "(i32.const 1) (i64.extend_i32_u (local.get $i)) (i32.and (local.get $i) (i32.const 7))";
    let forged = format!(
        "(i32.store (i32.const 320) (i32.and (local.get $i) (i32.const 63))) {}
         (drop (call $cancel (i64.extend_i32_u (local.get $i))))",
        wish(guess, "0", "1000000000000", "250000")
    );
    let no_opportunity = "(i32.const 0) (i64.const 0) (i32.const 0)";
    let absurd: String = ["0x7fffffffffffffff", "0x8000000000000000", "0", "-1"]
        .into_iter()
        .flat_map(|n| {
            [
                wish(no_opportunity, n, n, "250000"),
                wish(no_opportunity, n, "5000000", n),
            ]
        })
        .collect();
    beside(vec![
        (
            "a flood of log lines",
            on_quote(&times(1_000_000, LOG)),
            &ENDED_FOR_TIME,
        ),
        (
            "steady talk",
            on_quote(&first(100, &times(1_000, LOG))),
            &["Running "],
        ),
        (
            "a million wishes",
            on_quote(&times(1_000_000, SUBMIT)),
            &ENDED_FOR_TIME,
        ),
        ("a storm of wishes about its denials", storm, &["Running "]),
        (
            "forged numbers",
            on_quote(&first(400, &times(64, &forged))),
            &["Running "],
        ),
        (
            "absurd numbers",
            on_quote(&first(400, &absurd)),
            &["Running "],
        ),
        (
            "being woken at once, for ever",
            Fixture {
                on_event: "(call $wake_at (i64.const 0))".to_owned(),
                ..on_quote("(call $wake_at (i64.const 0))")
            },
            &["Running "],
        ),
    ]);
}
