//! Bytes that are no strategy of ours, or hardly: each is refused in words and what runs goes on, or it
//! loads and lives in its own box.

use super::arena::{ATTACKER, Arena, shipped, undisturbed};
use crate::plugin::fixtures::{Fixture, LOG, SUBMIT, WIT};

/// A cut at every so many bytes.
const CUT_EVERY: usize = 4 << 10;
/// Components with one bit turned over.
const FLIPS: usize = 200;

#[test]
fn what_is_no_strategy_of_ours_is_refused_in_words() {
    let wrong_version = Fixture {
        wit: WIT.replace("@0.3.0;", "@0.9.0;"),
        ..Fixture::on_quote(ATTACKER, LOG)
    };
    let wrong_world = Fixture {
        wit: WIT.replace("    export snapshot: func() -> list<u8>;", ""),
        ..Fixture::on_quote(ATTACKER, LOG)
    };
    let curious = Fixture {
        wit: WIT.replace(
            "    import host;",
            "    import host;\n    import read-file: func() -> u32;",
        ),
        imports: r#"(import "$root" "read-file" (func $read_file (result i32)))"#.to_owned(),
        ..Fixture::on_quote(ATTACKER, "(drop (call $read_file))")
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "it is not WebAssembly"),
        (
            "a script",
            b"#!/bin/sh\nrm -rf /\n".to_vec(),
            "it is not WebAssembly",
        ),
        (
            "a core module",
            Fixture::new(ATTACKER).core_module(),
            "it is a core module",
        ),
        (
            "another version",
            wrong_version.component(),
            "this host speaks pm-arb:strategy",
        ),
        (
            "another world",
            wrong_world.component(),
            "it lacks snapshot",
        ),
        (
            "an import that nobody gets",
            curious.component(),
            "it imports read-file",
        ),
        (
            "a name that is none",
            Fixture::new("Loud!").component(),
            "can not be used",
        ),
        (
            "a neighbour's name",
            Fixture::new("oracle-sniper").component(),
            "two files can not be one",
        ),
    ];
    let mut arena = Arena::new();
    for (what, bytes, words) in cases {
        let before = arena.said.len();
        arena.put(&bytes);
        arena.play(20);
        let said = &arena.said[before..];
        assert!(
            said.len() == 1 && said[0].contains("a.wasm refused") && said[0].contains(words),
            "{what}: {said:?}"
        );
    }
    let (deeds, end) = arena.end();
    undisturbed("bytes that are no strategy", &deeds);
    assert!(end.ends_with("\nRunning "), "what ran goes on: {end}");
}

#[test]
fn what_is_cut_off_anywhere_is_refused() {
    let whole = shipped();
    let mut arena = Arena::new();
    let cuts: Vec<usize> = (1..whole.len().div_ceil(CUT_EVERY))
        .map(|n| n * CUT_EVERY)
        .collect();
    for cut in &cuts {
        arena.put(&whole[..*cut]);
        arena.play(10);
    }
    assert_eq!(arena.said.len(), cuts.len());
    for (cut, said) in cuts.iter().zip(&arena.said) {
        assert!(
            said.contains("a.wasm refused: it is cut off"),
            "at {cut}: {said}"
        );
    }
    let (deeds, _) = arena.end();
    undisturbed("components that are cut off", &deeds);
}

/// SplitMix64: the same flips every time.
fn dice(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 1).unwrap()
}

#[test]
fn what_has_one_bit_turned_over_is_refused_or_lives_in_its_box() {
    let whole = Fixture::on_quote(ATTACKER, &format!("{SUBMIT}{LOG}")).component();
    let mut arena = Arena::new();
    let mut state = 7;
    for _ in 0..FLIPS {
        let mut flipped = whole.clone();
        let bit = dice(&mut state);
        flipped[bit / 8 % whole.len()] ^= 1 << (bit % 8);
        arena.put(&flipped);
        arena.play(5);
    }
    let refused = arena
        .said
        .iter()
        .filter(|s| s.contains("refused: "))
        .count();
    let loaded = arena
        .said
        .iter()
        .filter(|s| s.starts_with("Loaded"))
        .count();
    println!("{FLIPS} flips: {refused} refused, {loaded} loaded");
    assert!(refused > 20 && loaded > 20, "{:#?}", arena.said);
    let (deeds, _) = arena.end();
    undisturbed("components with a bit turned over", &deeds);
}
