//! Every way of building a strategy that is not `strategy build`'s own: each makes a component that the host
//! loads, and that wishes the same.

use super::{NAME, OFFLINE, SHAPE, canned, host, project, shape, workshop};
use pm_arb_core::strategy::Intent;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

/// One project for all routes; its sources are the same on each.
fn sources() -> &'static PathBuf {
    static SOURCES: OnceLock<PathBuf> = OnceLock::new();
    SOURCES.get_or_init(|| project("rust", "routes"))
}

fn cargo(args: &[&str]) -> Output {
    Command::new("cargo")
        .args(args)
        .current_dir(sources())
        .env("CARGO_TARGET_DIR", workshop().join("target"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap()
}

/// Whether Rust has the standard library of a target; says why a route is skipped.
fn has_target(target: &str, test: &str) -> bool {
    let answer = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(sources())
        .output()
        .unwrap();
    let folder = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let core = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let found = core.into_iter().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy().into_owned();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    });
    if !found {
        println!("SKIP {test}: Rust has no {target} here; rustup target add {target}");
    }
    found
}

/// Where cargo leaves what it built for a target.
fn artifact(target: &str) -> PathBuf {
    let name = format!("{}.wasm", NAME.replace('-', "_"));
    workshop()
        .join("target")
        .join(target)
        .join("release")
        .join(name)
}

/// One after the other: all routes write below the same names in one target folder.
fn built(target: &str) -> Vec<u8> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let output = cargo(&["build", "--release", "--target", target]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(artifact(target)).unwrap()
}

/// What a component of some route imports; it is loaded and does what it is to do.
fn accepted(bytes: &[u8]) -> (Vec<String>, Vec<Vec<Intent>>) {
    let compiled = host().compile(bytes).unwrap();
    let wished = canned(host(), &compiled);
    assert_eq!(shape(&wished), SHAPE);
    (compiled.imports.to_vec(), wished)
}

fn uses_wasi(imports: &[String]) -> bool {
    imports.iter().any(|name| name.starts_with("wasi:"))
}

#[test]
fn every_rust_route_makes_a_component_that_the_host_takes() {
    let test = "every_rust_route_makes_a_component_that_the_host_takes";
    let path = Path::new("module.wasm");

    let module = built("wasm32-unknown-unknown");
    assert!(
        host().compile(&module).is_err(),
        "a module is no component yet"
    );
    let component = componentize::componentize(&module, path).unwrap();
    let (imports, first) = accepted(&component);
    assert!(!uses_wasi(&imports), "{imports:?}");
    let mut routes = vec!["wasm32-unknown-unknown + componentize"];

    // What `cargo component build` does: the same module for wasip1, with the adapter.
    if has_target("wasm32-wasip1", test) {
        let module = built("wasm32-wasip1");
        let component = componentize::componentize(&module, path).unwrap();
        let (imports, wished) = accepted(&component);
        assert!(uses_wasi(&imports), "{imports:?}");
        assert_eq!(wished, first);
        routes.push("wasm32-wasip1 + adapter");
    }
    if has_target("wasm32-wasip2", test) {
        let component = built("wasm32-wasip2");
        let same = componentize::componentize(&component, path).unwrap();
        assert_eq!(same, component, "a component stays what it is");
        assert_eq!(accepted(&component).1, first);
        routes.push("wasm32-wasip2");
    }
    let version = cargo(&["component", "--version"]);
    if version.status.success() {
        let target = "wasm32-unknown-unknown";
        let output = cargo(&["component", "build", "--release", "--target", target]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(accepted(&std::fs::read(artifact(target)).unwrap()).1, first);
        routes.push("cargo component build");
    } else {
        println!(
            "SKIP {test}, its last route: cargo-component is not installed (cargo install cargo-component); \
             wasip1 and the adapter are what it does"
        );
    }
    println!("routes: {}", routes.join(" · "));
}

/// The version of `jco` whose `componentize` takes a world's folder on Node 20; later ones do not find it.
const JCO: &str = "@bytecodealliance/jco@1.24.6";

/// `jco componentize` takes one file: the two of a project in one.
#[test]
fn the_jco_command_makes_one_of_the_javascript_project() {
    let test = "the_jco_command_makes_one_of_the_javascript_project";
    let (dir, tools) = (project("js", "jco"), workshop().join("jco/tools"));
    std::fs::create_dir_all(&tools).unwrap();
    let run = |program: &Path, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(&tools).output()
    };
    let npm = ["install", "--no-audit", "--no-fund", "--prefix", ".", JCO];
    let Ok(installed) = run(Path::new("npm"), &npm) else {
        println!("SKIP {test}: there is no npm here");
        return;
    };
    let said = String::from_utf8_lossy(&installed.stderr);
    if !installed.status.success() {
        let offline = OFFLINE.iter().any(|word| said.contains(word));
        assert!(offline, "{said}");
        println!("SKIP {test}: {said}");
        return;
    }
    let read = |name: &str| std::fs::read_to_string(dir.join("src").join(name)).unwrap();
    let component = read("component.js");
    let lines = component
        .lines()
        .filter(|line| !line.contains("./strategy.js"));
    let one = format!(
        "{}{}",
        read("strategy.js"),
        lines.collect::<Vec<_>>().join("\n")
    );
    std::fs::write(tools.join("one.js"), one).unwrap();
    let wit = dir.join("wit");
    let args = [
        "componentize",
        "one.js",
        "--wit",
        wit.to_str().unwrap(),
        "--world-name",
        "strategy",
        "--disable",
        "all",
        "--out",
        "one.wasm",
    ];
    let made = run(&tools.join("node_modules/.bin/jco"), &args).unwrap();
    let said = [made.stdout, made.stderr].concat();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&said));
    let (imports, wished) = accepted(&std::fs::read(tools.join("one.wasm")).unwrap());
    assert!(!uses_wasi(&imports), "{imports:?}");
    let rust = built("wasm32-unknown-unknown");
    let rust = componentize::componentize(&rust, Path::new("module.wasm")).unwrap();
    assert_eq!(wished, accepted(&rust).1);
}
