//! From nothing to a strategy that trades: the project of every language is generated, built by its own
//! toolchain, tested by its own test, loaded, and wishes the same as the others.

mod routes;
mod watching;

use crate::plugin::{leg, market, opportunity};
use crate::recordings::imported;
use crate::support::{pm_arb, recordings, root};
use pm_arb::plugin::{Candidate, Compiled, ComponentStrategy, Limits, PluginHost};
use pm_arb::replay::{self, Cast};
use pm_arb_core::effect::{Effect, Message};
use pm_arb_core::ids::{MarketId, Timestamp};
use pm_arb_core::opportunity::{Opportunity, OpportunityKind};
use pm_arb_core::strategy::{Intent, Output, Strategy, StrategyEvent};
use pm_arb_core::units::{Qty, Usd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What every project here is called.
pub const NAME: &str = "first-edge";
/// What installers leave and the next run of the tests takes over, at the same path: both kinds of package
/// folders name their own place.
const KEPT: [&str; 2] = [".pm-arb/venv", "node_modules"];
/// How the installers say that there is no way to their registry.
const OFFLINE: [&str; 9] = [
    "NewConnectionError",
    "ConnectTimeout",
    "Temporary failure in name resolution",
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "No matching distribution found",
];

/// Where the tests of authoring work and keep what is expensive: beside the binary that is tested.
pub fn workshop() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_pm-arb"));
    binary.ancestors().nth(2).unwrap().join("author")
}

/// `strategy new` into a folder of that name in the workshop; nothing of an earlier run is left but packages.
pub fn project(lang: &str, folder: &str) -> PathBuf {
    let place = workshop().join(folder);
    let dir = place.join(NAME);
    for kept in KEPT {
        let (from, to) = (dir.join(kept), place.join("kept").join(kept));
        if from.exists() {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::rename(from, to).unwrap();
        }
    }
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    let made = pm_arb(&["strategy", "new", NAME, "--lang", lang, "--dir"])
        .arg(&dir)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    for kept in KEPT {
        let (from, to) = (place.join("kept").join(kept), dir.join(kept));
        if from.exists() {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::rename(from, to).unwrap();
        }
    }
    dir
}

/// The binary, with one target folder for every crate that is built here.
pub fn builder(args: &[&str]) -> Command {
    let mut command = pm_arb(args);
    command.env("CARGO_TARGET_DIR", workshop().join("target"));
    command
}

/// What `strategy build` said, or why it can not be shown on this machine.
fn build(dir: &Path) -> Result<String, String> {
    let output = builder(&["strategy", "build"]).arg(dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(String::from_utf8(output.stdout).unwrap()),
        Some(69) => Err(said),
        _ if OFFLINE.iter().any(|word| said.contains(word)) => Err(said),
        _ => panic!("{said}"),
    }
}

/// A built project and its component, ready to trade.
struct Built {
    dir: PathBuf,
    said: String,
    file: PathBuf,
    bytes: Vec<u8>,
    compiled: Compiled,
}

/// One engine for all of them.
fn host() -> &'static PluginHost {
    static HOST: OnceLock<PluginHost> = OnceLock::new();
    HOST.get_or_init(|| PluginHost::new(Limits::default()).unwrap())
}

/// Each language is built once for all tests; what this machine can not build is said aloud.
fn built(lang: &'static str, test: &str) -> Option<&'static Built> {
    static RUST: OnceLock<Result<Built, String>> = OnceLock::new();
    static PYTHON: OnceLock<Result<Built, String>> = OnceLock::new();
    static JS: OnceLock<Result<Built, String>> = OnceLock::new();
    let once = match lang {
        "rust" => &RUST,
        "python" => &PYTHON,
        _ => &JS,
    };
    let made = once.get_or_init(|| {
        let dir = project(lang, lang);
        let said = build(&dir)?;
        let file = dir.join(format!("{NAME}.wasm"));
        let bytes = std::fs::read(&file).unwrap();
        let compiled = host().compile(&bytes).unwrap();
        Ok(Built {
            dir,
            said,
            file,
            bytes,
            compiled,
        })
    });
    match made {
        Ok(built) => Some(built),
        Err(why) => {
            assert_ne!(
                lang, "rust",
                "what builds the host builds its guests: {why}"
            );
            println!("SKIP {test} in {lang}: {why}");
            None
        }
    }
}

/// The project's own test, as its README names it.
fn own_test(dir: &Path, command: &[&str]) {
    let program = match command[0].strip_prefix("./") {
        Some(inside) => dir.join(inside),
        None => command[0].into(),
    };
    let output = Command::new(program)
        .args(&command[1..])
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", workshop().join("target"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}

fn is_complete(lang: &'static str, test: &str, command: &[&str]) {
    let Some(built) = built(lang, test) else {
        return;
    };
    let bytes = built.bytes.len();
    assert!(
        built
            .said
            .starts_with(&format!("{NAME} 0.1.0 · {bytes} bytes")),
        "{}",
        built.said
    );
    assert!(
        built.said.contains("imports pm-arb:strategy/"),
        "{}",
        built.said
    );
    assert!(
        built.said.contains("next: pm-arb pilot --strategies "),
        "{}",
        built.said
    );
    own_test(&built.dir, command);
}

#[test]
fn the_rust_project_builds_and_passes_its_own_test() {
    let test = "the_rust_project_builds_and_passes_its_own_test";
    is_complete("rust", test, &["cargo", "test", "--quiet"]);
}

#[test]
fn the_python_project_builds_and_passes_its_own_test() {
    let test = "the_python_project_builds_and_passes_its_own_test";
    let command = [
        "./.pm-arb/venv/bin/python",
        "-m",
        "unittest",
        "discover",
        "tests",
    ];
    is_complete("python", test, &command);
}

#[test]
fn the_javascript_project_builds_and_passes_its_own_test() {
    let test = "the_javascript_project_builds_and_passes_its_own_test";
    is_complete("js", test, &["npm", "test"]);
}

/// What it wishes for when it is told these things, one list a call; swapped for its successor in between.
pub fn canned(host: &PluginHost, compiled: &Compiled) -> Vec<Vec<Intent>> {
    let settings = [("edge_min", "0.02"), ("shares", "7.5")];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let fresh = || host.instantiate(compiled, &settings).unwrap();
    let mut strategy = fresh();
    let (now, free) = (Timestamp::from_secs(10), Usd(1_000_000_000));
    let (up, down) = (market(0), market(1));
    let seen = |seq, edge, price| Opportunity {
        edge: Usd(edge),
        ..opportunity(
            seq,
            OpportunityKind::OracleLag,
            vec![leg(0, price, Some(900_000))],
        )
    };
    let told = |strategy: &mut ComponentStrategy, seen: &Opportunity, free_capital| {
        let mut out = Output::default();
        let event = StrategyEvent::Opportunity { seen, free_capital };
        strategy.on_event(now, &event, &mut out).unwrap();
        out.intents
    };
    let listed = |strategy: &mut ComponentStrategy| {
        for market in [&up, &down] {
            let event = StrategyEvent::MarketListed(market);
            strategy
                .on_event(now, &event, &mut Output::default())
                .unwrap();
        }
    };
    let mut wished = vec![told(&mut strategy, &seen(1, 50_000, 400_000), free)];
    listed(&mut strategy);
    let small = Opportunity {
        qty: Qty(6_239_999),
        ..seen(5, 50_000, 400_000)
    };
    let other = Opportunity {
        kind: OpportunityKind::Mispricing,
        ..seen(6, 50_000, 400_000)
    };
    let two = Opportunity {
        legs: vec![leg(0, 400_000, None), leg(2, 500_000, None)],
        ..seen(7, 50_000, 400_000)
    };
    for (seen, free) in [
        (seen(1, 50_000, 400_000), free),
        (seen(1, 60_000, 390_000), free),
        (seen(2, 19_999, 400_000), free),
        (seen(3, 20_000, 410_000), Usd(3_000_000)),
        (seen(4, 20_000, 410_000), Usd(-1)),
        (small, free),
        (other, free),
        (two, free),
    ] {
        wished.push(told(&mut strategy, &seen, free));
    }
    // The successor knows what was taken, but no market before it is told.
    let state = strategy.snapshot().unwrap();
    let text = String::from_utf8(state.clone()).unwrap();
    let remembered = format!("{NAME} 1\ntaken 1 0\ntaken 3 0\ntaken 5 0\n");
    assert_eq!(text, remembered, "after {:?}", shape(&wished));
    let mut next = fresh();
    next.restore(&state).unwrap();
    listed(&mut next);
    wished.push(told(&mut next, &seen(3, 50_000, 400_000), free));
    wished.push(told(&mut next, &seen(8, 50_000, 400_000), free));
    let closed = StrategyEvent::MarketClosed(MarketId(0));
    next.on_event(now, &closed, &mut Output::default()).unwrap();
    wished.push(told(&mut next, &seen(9, 50_000, 400_000), free));

    assert!(fresh().restore(b"another 1\n").is_err());
    for (key, value) in [
        ("edge_min", "two"),
        ("edge_min", "1.5"),
        ("egde_min", "0.1"),
    ] {
        let wrong = [(key.to_owned(), value.to_owned())];
        let said = host.instantiate(compiled, &wrong).unwrap_err();
        assert!(said.story().contains(key), "{}", said.story());
    }
    wished
}

/// So many wishes in each of its calls, and how large they are.
pub fn shape(wished: &[Vec<Intent>]) -> Vec<Option<i64>> {
    wished
        .iter()
        .map(|call| call.first().map(|intent| intent.qty.0))
        .collect()
}

/// 3 dollars at 0.41 and a cent of fee are 7.142857 shares: 7.14 in lots.
pub const SHAPE: [Option<i64>; 12] = [
    None,
    Some(7_500_000),
    None,
    None,
    Some(7_140_000),
    None,
    Some(6_230_000),
    None,
    None,
    None,
    Some(7_500_000),
    None,
];

#[test]
fn the_same_idea_wishes_the_same_in_every_language() {
    let test = "the_same_idea_wishes_the_same_in_every_language";
    let rust = canned(host(), &built("rust", test).unwrap().compiled);
    assert_eq!(shape(&rust), SHAPE);
    for lang in ["python", "js"] {
        if let Some(built) = built(lang, test) {
            assert_eq!(canned(host(), &built.compiled), rust, "{lang}");
        }
    }
}

/// All it wished for on a run, through the engine.
fn wished_on(run: &Path, built: &Built) -> (Vec<String>, String, usize) {
    let cast = Cast::Given(vec![Candidate {
        path: built.file.clone(),
        bytes: built.bytes.clone(),
        compiled: built.compiled.clone(),
        params: Vec::new(),
        strategy: host().instantiate(&built.compiled, &[]).unwrap(),
    }]);
    let (mut wished, mut fills) = (Vec::new(), 0);
    let mut each = |_, effect: &Effect| match effect {
        Effect::Publish(message) => {
            if let Message::Request(request) = message.as_ref() {
                wished.push(format!("{request:?}"));
            }
        }
        Effect::RecordTrade(trade) if trade.qty.0 > 0 => fills += 1,
        _ => {}
    };
    let (state, _) = replay::replay(run, host().clone(), None, cast, &mut each).unwrap();
    (wished, state.digest.hex(&state.engine), fills)
}

#[test]
fn the_same_idea_trades_the_same_on_a_recording() {
    let test = "the_same_idea_trades_the_same_on_a_recording";
    let Some(data) = recordings(test) else {
        return;
    };
    let file = data.join("aligned/btc5m_202607_binance_ladder/ladder.jsonl.gz");
    let (_dir, run) = imported("aligned-ladder", &[file]);
    let rust = wished_on(&run, built("rust", test).unwrap());
    println!("{} wishes, {} fills", rust.0.len(), rust.2);
    assert!(!rust.0.is_empty() && rust.2 > 0, "it trades");
    for lang in ["python", "js"] {
        if let Some(built) = built(lang, test) {
            let (wished, _, fills) = wished_on(&run, built);
            assert_eq!(wished, rust.0, "{lang}");
            assert_eq!(fills, rust.2, "{lang}");
        }
    }
}

#[test]
fn what_can_not_be_made_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |args: &[&str], code: i32, words: &[&str]| {
        let output = builder(args).current_dir(dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?} {said}");
        for word in words {
            assert!(said.contains(word), "{args:?} {said}");
        }
    };
    fails(
        &["strategy", "new", "Late", "--lang", "rust"],
        2,
        &["\"Late\"", "late-buyer"],
    );
    fails(
        &["strategy", "new", "late", "--lang", "cobol"],
        2,
        &["cobol", "python"],
    );
    std::fs::create_dir(dir.path().join("late")).unwrap();
    fails(
        &["strategy", "new", "late", "--lang", "js"],
        1,
        &["late exists", "--dir"],
    );
    fails(&["strategy", "build"], 2, &["Cargo.toml", "strategy new"]);
    fails(&["strategy", "watch", "nowhere"], 2, &["nowhere"]);

    // Without a tool, and with one that says no or does not end.
    fails(&["strategy", "new", "young", "--lang", "js"], 0, &[]);
    let tools = dir.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    let build = |script: Option<&str>, args: &[&str]| {
        if let Some(script) = script {
            use std::os::unix::fs::PermissionsExt;
            let npm = tools.join("npm");
            std::fs::write(&npm, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&npm, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let output = builder(&["strategy", "build", "young"])
            .args(args)
            .current_dir(dir.path())
            .env("PATH", tools.as_os_str())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, said) = build(None, &[]);
    assert_eq!(code, Some(69), "{said}");
    assert!(
        said.contains("npm is not installed") && said.contains("Node 20"),
        "{said}"
    );
    let (code, said) = build(Some("echo the disk is full >&2; exit 3"), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("npm install failed") && said.contains("    the disk is full"),
        "{said}"
    );
    let (code, said) = build(Some("while :; do :; done"), &["--timeout", "300ms"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("npm install was ended") && said.contains("--timeout"),
        "{said}"
    );
    assert!(!dir.path().join("young/young.wasm").exists());
}

/// A project that lies in this one builds as one that does not: neither workspace sees the other.
#[test]
fn the_templates_are_no_part_of_this_workspace() {
    let manifest = root().join("host/src/author/templates/rust/Cargo.toml");
    assert!(
        !manifest.exists(),
        "cargo would take it for a package of its own"
    );
}
