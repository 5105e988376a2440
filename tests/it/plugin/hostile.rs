//! What a component may not do: refused before it runs, or stopped alone when it does.

use super::fixtures::{Fixture, LOG, SUBMIT, WIT, times};
use super::{guest, host, quote};
use pm_arb::plugin::{ComponentStrategy, Limits, PluginError, PluginHost};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::strategy::{MAX_INTENTS_PER_CALL, Output, Strategy, StrategyFault};

fn instance(host: &PluginHost, fixture: &Fixture) -> ComponentStrategy {
    let compiled = host.compile(&fixture.component()).unwrap();
    host.instantiate(&compiled, &[]).unwrap()
}

/// Whether a fault is the one a case is about.
type Expected = fn(&StrategyFault) -> bool;

/// Tells it one quote and returns what came of it.
fn tell(strategy: &mut ComponentStrategy) -> (Result<(), StrategyFault>, Output) {
    let mut out = Output::default();
    let answer = strategy.on_quote(Timestamp::from_secs(1), &quote(1), &mut out);
    (answer, out)
}

#[test]
fn each_fault_ends_its_instance_alone() {
    let host = host();
    let mut bystander = instance(&host, &Fixture::on_quote("bystander", SUBMIT));
    let spin = "(loop $spin (br $spin))".to_owned();
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let cases: [(&str, String, Expected); 8] = [
        ("loops", spin.clone(), |f| *f == StrategyFault::OutOfFuel),
        ("grows", grow.to_owned(), |f| {
            *f == StrategyFault::OutOfMemory
        }),
        (
            "traps",
            "unreachable".to_owned(),
            |f| matches!(f, StrategyFault::Trap(t) if t.contains("unreachable")),
        ),
        ("submits, then loops", format!("{SUBMIT}{spin}"), |f| {
            *f == StrategyFault::OutOfFuel
        }),
        (
            "says why, then traps",
            format!("{LOG} unreachable"),
            |f| matches!(f, StrategyFault::Trap(t) if t.contains("hello") && !t.contains('\u{1b}')),
        ),
        ("submits a million", times(1_000_000, SUBMIT), |f| {
            *f == StrategyFault::OutOfFuel
        }),
        ("writes a million lines", times(1_000_000, LOG), |f| {
            *f == StrategyFault::OutOfFuel
        }),
        (
            "copies all its memory for ever",
            times(
                u32::MAX,
                "(memory.fill (i32.const 8192) (i32.const 0) (i32.const 100000))",
            ),
            |f| *f == StrategyFault::OutOfFuel,
        ),
    ];
    for (what, body, expected) in cases {
        let mut hostile = instance(&host, &Fixture::on_quote("hostile", &body));
        let (answer, out) = tell(&mut hostile);
        let fault = answer.expect_err(what);
        assert!(expected(&fault), "{what}: {fault:?}");
        assert!(
            out.intents.is_empty(),
            "{what}: what it submitted in that call is void"
        );
        assert!(tell(&mut hostile).0.is_err(), "{what}: it is dead");
        assert!(hostile.snapshot().is_err(), "{what}: it is dead");

        let (answer, out) = tell(&mut bystander);
        assert_eq!(
            (answer, out.intents.len()),
            (Ok(()), 1),
            "after one that {what}"
        );
    }
}

#[test]
fn too_much_output_is_cut_not_punished() {
    let host = host();
    let mut many = instance(&host, &Fixture::on_quote("many", &times(1_000, SUBMIT)));
    let (answer, out) = tell(&mut many);
    assert_eq!((answer, out.intents.len()), (Ok(()), MAX_INTENTS_PER_CALL));
    let mut chatty = instance(&host, &Fixture::on_quote("chatty", &times(10_000, LOG)));
    assert_eq!(tell(&mut chatty).0, Ok(()));
}

#[test]
fn an_intent_without_legs_or_with_too_many_is_not_taken() {
    let host = host();
    for legs in [0_u32, 9, u32::MAX / 16] {
        let submit = SUBMIT.replace("(i32.const 1)\n", &format!("(i32.const {legs})\n"));
        assert_ne!(submit, SUBMIT);
        // Answers are counted: a trap would follow if one was taken.
        let body = format!("{submit} (if (local.get $taken) (then unreachable))");
        let (answer, out) = tell(&mut instance(&host, &Fixture::on_quote("legless", &body)));
        match answer {
            Ok(()) => assert!(out.intents.is_empty()),
            Err(fault) => assert!(
                matches!(fault, StrategyFault::Protocol(_)),
                "{legs}: {fault:?}"
            ),
        }
    }
}

#[test]
fn a_snapshot_that_traps_or_is_too_large_is_a_fault() {
    let limits = Limits {
        snapshot_bytes: 3,
        ..Limits::default()
    };
    let host = PluginHost::new(limits).unwrap();
    let long = Fixture {
        version: "1.2.3",
        ..Fixture::new("long")
    };
    assert!(matches!(
        instance(&host, &long).snapshot(),
        Err(StrategyFault::Protocol(_))
    ));
    let trap = Fixture {
        snapshot: "unreachable",
        ..Fixture::new("trap")
    };
    assert!(matches!(
        instance(&host, &trap).snapshot(),
        Err(StrategyFault::Trap(_))
    ));
}

#[test]
fn what_is_no_strategy_of_ours_is_refused_with_the_next_step() {
    let host = host();
    let refused = |bytes: &[u8]| {
        let error = host.compile(bytes).expect_err("refused");
        let story = error.story();
        (error, story)
    };
    let component = guest("oracle-sniper");

    let (error, story) = refused(&component[..component.len() / 2]);
    assert!(matches!(error, PluginError::Truncated(_)), "{story}");
    let (error, story) = refused(b"#!/bin/sh\n");
    assert!(matches!(error, PluginError::NotWasm { .. }), "{story}");
    assert!(matches!(refused(b"").0, PluginError::NotWasm { .. }));
    let (error, story) = refused(&Fixture::new("core").core_module());
    assert!(
        matches!(error, PluginError::CoreModule) && story.contains("make build"),
        "{story}"
    );

    let mut damaged = component.clone();
    damaged[component.len() / 2..component.len() / 2 + 64].fill(0xff);
    let (error, story) = refused(&damaged);
    assert!(
        matches!(error, PluginError::Invalid(_) | PluginError::Truncated(_)),
        "{story}"
    );

    let small = PluginHost::new(Limits {
        file_bytes: 1_000,
        ..Limits::default()
    })
    .unwrap();
    assert!(matches!(
        small.compile(&component),
        Err(PluginError::TooLarge { max: 1_000, .. })
    ));
}

#[test]
fn other_worlds_and_versions_are_refused_by_name() {
    let host = host();
    let refused = |fixture: &Fixture| host.compile(&fixture.component()).expect_err("refused");

    let future = Fixture {
        wit: WIT.replace("@0.3.0;", "@0.9.0;"),
        ..Fixture::on_quote("future", LOG)
    };
    let error = refused(&future);
    assert!(matches!(error, PluginError::WrongVersion { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("speaks pm-arb:strategy 0.2.0 and 0.3.0"),
        "{error}"
    );

    let curious = Fixture {
        wit: WIT.replace(
            "    import host;",
            "    import host;\n    import read-file: func() -> u32;",
        ),
        imports: r#"(import "$root" "read-file" (func $read_file (result i32)))"#.to_owned(),
        ..Fixture::on_quote("curious", "(drop (call $read_file))")
    };
    let error = refused(&curious);
    assert!(
        matches!(&error, PluginError::UnknownImport { names } if names == &["read-file"]),
        "{error}"
    );

    let mute = Fixture {
        wit: WIT.replace("    export snapshot: func() -> list<u8>;", ""),
        ..Fixture::on_quote("mute", LOG)
    };
    let error = refused(&mute);
    assert!(
        matches!(&error, PluginError::MissingExport { names } if names == &["snapshot"]),
        "{error}"
    );

    let other = Fixture {
        wit: WIT.replace("export on-quote: func(now: timestamp, quote: quote);", "export on-quote: func(now: timestamp, instrument: u32, a: s64, b: s64, c: s64, d: s64);"),
        ..Fixture::on_quote("other", LOG)
    };
    let compiled = host.compile(&other.component());
    let error = match compiled {
        Err(error) => error,
        Ok(compiled) => host.instantiate(&compiled, &[]).expect_err("refused"),
    };
    assert!(
        matches!(&error, PluginError::WrongType { name, .. } if name == "on-quote"),
        "{error}"
    );

    let loud = Fixture::new("Loud!");
    assert!(matches!(
        refused(&loud),
        PluginError::BadManifest { what: "name", .. }
    ));
}

const WASI_CLOCK: &str = "package wasi:clocks@0.2.0;
interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }";

#[test]
fn a_guest_that_imports_wasi_sees_event_time() {
    let host = host();
    let wasi = Fixture {
        wit: WIT.replace(
            "    import host;",
            "    import host;\n    import wasi:clocks/wall-clock@0.2.0;",
        ),
        dependencies: vec![WASI_CLOCK],
        imports: r#"(import "wasi:clocks/wall-clock@0.2.0" "now" (func $clock (param i32)))"#
            .to_owned(),
        ..Fixture::on_quote(
            "wasi",
            "(call $clock (i32.const 512))
             (call $wake_at (i64.add (i64.mul (i64.load (i32.const 512)) (i64.const 1000000000))
                                     (i64.load32_u (i32.const 520))))",
        )
    };
    let mut strategy = instance(&host, &wasi);
    let mut out = Output::default();
    for now in [Timestamp(1_234_567_890_123_456_789), Timestamp(7)] {
        out.clear();
        strategy.on_quote(now, &quote(1), &mut out).unwrap();
        assert_eq!(out.wake_at, Some(now));
    }
}
