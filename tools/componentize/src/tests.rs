//! What `componentize` accepts, refuses and leaves behind.
#![allow(clippy::unwrap_used)]
use std::path::Path;

use wit_component::{DecodedWasm, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{COMPONENT_PREAMBLE, Fault, componentize, convert};

/// A module with one function `name: () -> i32` that returns 7.
fn module(name: &str) -> Vec<u8> {
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    wasm.extend([0x01, 5, 1, 0x60, 0, 1, 0x7f]); // type: () -> i32
    wasm.extend([0x03, 2, 1, 0]); // function 0 has type 0
    let length = u8::try_from(name.len()).unwrap();
    wasm.extend([0x07, length + 4, 1, length]); // export
    wasm.extend(name.bytes());
    wasm.extend([0x00, 0]);
    wasm.extend([0x0a, 6, 1, 4, 0, 0x41, 7, 0x0b]); // body: i32.const 7
    wasm
}

fn with_type(mut wasm: Vec<u8>) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str(
            "t.wit",
            "package t:t; world w { export run: func() -> u32; }",
        )
        .unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8).unwrap();
    wasm
}

fn check(wasm: &[u8]) -> Result<Vec<u8>, Fault> {
    componentize(wasm, Path::new("in.wasm"))
}

#[test]
fn a_module_with_a_type_becomes_a_component_with_that_export() {
    let component = check(&with_type(module("run"))).unwrap();
    assert!(component.starts_with(&COMPONENT_PREAMBLE));
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&component).unwrap() else {
        panic!("decoded as a WIT package");
    };
    let exports: Vec<String> = resolve.worlds[world]
        .exports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect();
    assert_eq!(exports, ["run"]);
    assert!(
        resolve.worlds[world].imports.is_empty(),
        "no adapter where no WASI is imported"
    );
    assert_eq!(
        check(&component).unwrap(),
        component,
        "a component passes through unchanged"
    );
}

#[test]
fn a_module_for_wasip1_becomes_a_component_that_imports_wasi() {
    // As `module`, with a start-up import of WASI preview 1: `random_get(i32, i32) -> i32`.
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    wasm.extend([0x01, 11, 2, 0x60, 0, 1, 0x7f, 0x60, 2, 0x7f, 0x7f, 1, 0x7f]);
    let (from, name) = ("wasi_snapshot_preview1", "random_get");
    let lengths = [from.len(), name.len()].map(|n| u8::try_from(n).unwrap());
    wasm.extend([0x02, lengths[0] + lengths[1] + 5, 1, lengths[0]]);
    wasm.extend(from.bytes());
    wasm.push(lengths[1]);
    wasm.extend(name.bytes());
    wasm.extend([0x00, 1]); // a function of type 1
    wasm.extend([0x03, 2, 1, 0]);
    wasm.extend([0x05, 3, 1, 0, 1]); // a memory of one page
    wasm.extend([0x07, 16, 2, 3]);
    wasm.extend(b"run\0\x01\x06memory\x02\0");
    wasm.extend([
        0x0a, 10, 1, 8, 0, 0x41, 0, 0x41, 8, 0x10, 0, 0x0b, // random_get(0, 8)
    ]);
    let component = check(&with_type(wasm)).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&component).unwrap() else {
        panic!("decoded as a WIT package");
    };
    let imports: Vec<String> = resolve.worlds[world]
        .imports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect();
    assert!(
        imports.iter().any(|name| name.starts_with("wasi:random/")),
        "{imports:?}"
    );
}

#[test]
fn what_is_no_guest_is_refused_by_name() {
    assert!(matches!(check(b"not wasm"), Err(Fault::NotWasm { .. })));
    assert!(matches!(
        check(&module("run")),
        Err(Fault::NoComponentType { .. })
    ));
    let mut cut = with_type(module("run"));
    cut.truncate(cut.len() - 3);
    assert!(matches!(check(&cut), Err(Fault::NotWasm { .. })));
    // The world promises `run`; the module has only `walk`.
    let fault = check(&with_type(module("walk"))).unwrap_err();
    assert!(matches!(fault, Fault::Encode { .. }), "{fault}");
    // A component's first bytes with nothing sound behind them.
    let mut hollow = COMPONENT_PREAMBLE.to_vec();
    hollow.extend([0xff; 8]);
    assert!(matches!(check(&hollow), Err(Fault::Encode { .. })));
}

#[test]
fn a_refused_input_leaves_the_old_output_and_no_partial_file() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (
        folder.path().join("in.wasm"),
        folder.path().join("out.wasm"),
    );
    std::fs::write(&input, with_type(module("run"))).unwrap();
    convert(&input, &output).unwrap();
    let first = std::fs::read(&output).unwrap();

    std::fs::write(&input, module("run")).unwrap();
    assert!(convert(&input, &output).is_err());
    assert_eq!(std::fs::read(&output).unwrap(), first);

    // A destination that cannot be renamed over: a folder of that name.
    let taken = folder.path().join("taken.wasm");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(&input, with_type(module("run"))).unwrap();
    assert!(matches!(convert(&input, &taken), Err(Fault::Write { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}
