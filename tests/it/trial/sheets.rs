//! `strategy check`: what a file is, and why it does not fit.

use super::{said, shipped, strategy, written};
use crate::plugin::fixtures::{Fixture, WIT};
use crate::support::json;
use pm_arb::author::check::check;
use pm_arb::plugin::{Limits, PluginHost, Preparer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

/// Exit code 1, and the words.
fn refused(output: &Output) -> String {
    let said = said(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_strategy_that_fits_is_described() {
    for (name, topic) in [
        ("oracle-sniper", "oracle-lag"),
        ("mispricing-hunter", "mispricing"),
        ("cross-platform", "cross-platform"),
    ] {
        let file = shipped(name);
        let sheet = json(&strategy("check", &file, &["--json"]));
        assert_eq!(sheet["fits"], true, "{sheet}");
        assert_eq!(sheet["name"], name);
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(sheet["bytes"], bytes.len());
        assert_eq!(
            sheet["sha256"],
            pm_arb::plugin::hex(&pm_arb::plugin::digest(&bytes))
        );
        let has = |key: &str, what: &str| {
            let all = sheet[key].as_array().unwrap();
            assert!(all.iter().any(|one| one == what), "{key} {what}: {sheet}");
        };
        has("topics", topic);
        has("exports", "on-event");
        let host = sheet["imports"].as_array().unwrap().iter();
        let host: Vec<&Value> = host
            .filter(|i| {
                i["name"]
                    .as_str()
                    .unwrap()
                    .starts_with("pm-arb:strategy/host@")
            })
            .collect();
        assert_eq!(host.len(), 1);
        assert!(
            host[0]["functions"]
                .as_array()
                .unwrap()
                .contains(&"submit".into())
        );
        let tools: Vec<&str> = sheet["built_by"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert!(
            tools.iter().any(|tool| tool.starts_with("wit-component ")),
            "{tools:?}"
        );
        let text = said(&strategy("check", &file, &[]));
        for words in [": fits", "asks for", "limits", "20,000,000", topic] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}

#[test]
fn settings_that_are_not_accepted_are_no_misfit() {
    let output = strategy(
        "check",
        &shipped("oracle-sniper"),
        &["--set", "edge_mni=0.1"],
    );
    let text = refused(&output);
    assert!(
        text.contains("fits, and does not start") && text.contains("edge_mni"),
        "{text}"
    );
    assert!(text.contains("oracle-sniper 0.1.0"), "{text}");
}

#[test]
fn what_is_no_component_says_what_it_is_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(shipped("oracle-sniper")).unwrap();
    let module = Fixture::new("bare").core_module();
    let cases: [(&str, &[u8], &str); 4] = [
        ("empty.wasm", b"", "it is empty"),
        ("text.wasm", b"strategy, please", "not WebAssembly"),
        ("module.wasm", &module, "it is a core module"),
        ("cut.wasm", &whole[..whole.len() / 2], "it is cut off"),
    ];
    for (name, bytes, expected) in cases {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        for word in ["check", "test", "bench"] {
            let text = refused(&strategy(word, &file, &[]));
            assert!(text.contains(expected), "{word} {name}: {text}");
            assert!(
                text.contains(file.to_str().unwrap()),
                "{word} {name}: {text}"
            );
        }
    }
    let text = refused(&strategy("check", &dir.path().join("none.wasm"), &[]));
    assert!(text.contains("there is no such file"), "{text}");
    let text = refused(&strategy("check", dir.path(), &[]));
    assert!(text.contains("it is a folder"), "{text}");
    let sheet = strategy("check", &dir.path().join("text.wasm"), &["--json"]);
    let sheet: Value = serde_json::from_slice(&sheet.stdout).unwrap();
    assert_eq!(
        (&sheet["fits"], &sheet["bytes"]),
        (&false.into(), &16.into())
    );
}

#[test]
fn another_version_of_the_contract_is_told_apart_part_by_part() {
    let dir = tempfile::tempdir().unwrap();
    let other = Fixture {
        wit: WIT
            .replace("0.3.0", "0.9.0")
            .replacen("taker-bought: bool }", "taker-bought: bool, run: u16 }", 1)
            .replacen("reads: list<u32>,", "", 1),
        ..Fixture::new("other")
    };
    let text = refused(&strategy("check", &written(dir.path(), &other), &[]));
    for words in [
        "the host speaks pm-arb:strategy 0.2.0 and 0.3.0; this component wants 0.9.0",
        "record `print` has `run`, which the host does not know",
        "record `manifest` lacks `reads`",
        "rebuild it against this host's wit/strategy.wit",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn another_world_and_what_nobody_grants_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let text = "package other:game@1.0.0; world player { export play: func(turn: u32) -> u32; }";
    let package = resolve.push_str("other.wit", text).unwrap();
    let world = resolve.select_world(&[package], Some("player")).unwrap();
    let module = r#"(module (func (export "play") (param i32) (result i32) (local.get 0)))"#;
    let mut module = wat::parse_str(module).unwrap();
    let utf8 = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, utf8).unwrap();
    let component = wit_component::ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .encode()
        .unwrap();
    let file = dir.path().join("game.wasm");
    std::fs::write(&file, component).unwrap();
    let text = refused(&strategy("check", &file, &[]));
    for words in [
        "`describe`",
        "`on-event`",
        "is it a strategy?",
        "exports    play",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }

    let door = "package some:door@1.0.0; interface sesame { open: func() -> u32; }";
    let greedy = Fixture {
        wit: WIT.replacen(
            "    import host;\n",
            "    import host;\n    import some:door/sesame@1.0.0;\n",
            1,
        ),
        dependencies: vec![door],
        imports: r#"(import "some:door/sesame@1.0.0" "open" (func (result i32)))"#.to_owned(),
        ..Fixture::new("greedy")
    };
    let text = refused(&strategy("check", &written(dir.path(), &greedy), &[]));
    let expected = "it imports `some:door/sesame@1.0.0` (open), which no strategy is given";
    assert!(text.contains(expected), "{text}");
}

/// Whatever a byte becomes, the answer is a sheet and never a panic.
#[test]
fn damaged_files_are_refused_or_described() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("damaged.wasm");
    let whole = Fixture::new("sound").component();
    let host = PluginHost::new(Limits::default()).unwrap();
    let preparer = Preparer::new(host, BTreeMap::new());
    let look = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let (sheet, candidate) = check(Path::new(&file), &preparer, &[]);
        assert!(
            candidate.is_some() || !sheet.problems.is_empty() || sheet.does_not_start.is_some(),
            "neither ready nor refused"
        );
        sheet.fits()
    };
    assert!(look(&whole));
    let mut refused = 0;
    for n in 0..150 {
        // Spread over the file; every bit of a byte has its turn.
        let at = (n * 97) % whole.len();
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (n % 8);
        refused += u32::from(!look(&bytes));
    }
    assert!(refused > 0, "no damage was noticed");
    for cut in (1..whole.len()).step_by(whole.len() / 20) {
        assert!(!look(&whole[..cut]), "cut at {cut}");
    }
}
