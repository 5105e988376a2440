//! Loading, swapping, restarting and replaying strategies, with an engine of slots and a journal of
//! events that the test can read.

use super::fixtures::{Fixture, SUBMIT};
use super::{host, quote};
use pm_arb::agent::AgentContext;
use pm_arb::input::{self, Input};
use pm_arb::plugin::loader::Status;
use pm_arb::plugin::{
    Loader, LoaderInput, LoaderPort, Outcome, PluginHost, PortError, Preparer, Sources, Tracker,
    digest, watch,
};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{Nanos, StrategyId, Timestamp};
use pm_arb_core::strategy::{Output, StrategyFault};
use std::collections::BTreeMap;
use std::path::Path;

/// The engine's slots, the journal and the archive.
#[derive(Default)]
pub struct Stage {
    engine: Engine,
    pub journal: Vec<StrategyChange>,
    pub archive: BTreeMap<[u8; 32], Vec<u8>>,
    now: Timestamp,
}

impl LoaderPort for Stage {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    fn archive(&mut self, digest: &[u8; 32], bytes: &[u8]) -> Result<(), PortError> {
        self.archive.insert(*digest, bytes.to_vec());
        Ok(())
    }

    fn retrieve(&mut self, digest: &[u8; 32]) -> Result<Vec<u8>, PortError> {
        self.archive
            .get(digest)
            .cloned()
            .ok_or_else(|| "not archived".into())
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn record(&mut self, event: Event) -> Result<(), PortError> {
        let Event::Strategy(change) = event else {
            return Err("only strategy changes".into());
        };
        self.journal.push(*change);
        Ok(())
    }
}

/// A folder of strategies, followed by a tracker and a loader.
pub struct Pilot {
    folder: tempfile::TempDir,
    tracker: Tracker,
    pub loader: Loader,
    pub stage: Stage,
}

impl Pilot {
    pub fn new() -> Self {
        Self::of(host())
    }

    /// With that host.
    pub fn of(host: PluginHost) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources::parse(&[folder.path().to_str().unwrap()]).unwrap();
        Self {
            folder,
            tracker: Tracker::new(sources, Preparer::new(host.clone(), BTreeMap::new())),
            loader: Loader::new(host),
            stage: Stage::default(),
        }
    }

    pub fn put(&self, file: &str, bytes: &[u8]) {
        let partial = self.folder.path().join(".partial");
        std::fs::write(&partial, bytes).unwrap();
        std::fs::rename(&partial, self.folder.path().join(file)).unwrap();
    }

    pub fn look(&mut self) -> Vec<Outcome> {
        let news = self.tracker.scan();
        news.into_iter()
            .map(|input| self.loader.handle(input, &mut self.stage).unwrap())
            .collect()
    }

    /// What strategy 0 does with a quote.
    pub fn tell(&mut self) -> Result<usize, StrategyFault> {
        let mut out = Output::default();
        let strategy = self.stage.engine.strategy_mut(StrategyId(0)).unwrap();
        strategy
            .on_quote(Timestamp::from_secs(1), &quote(1), &mut out)
            .map(|()| out.intents.len())
    }

    pub fn kinds(&self) -> Vec<&'static str> {
        self.stage
            .journal
            .iter()
            .map(|change| match &change.kind {
                StrategyChangeKind::Loaded { restored: true, .. } => "loaded with state",
                kind => kind.as_str(),
            })
            .collect()
    }
}

/// A version that submits so many intents on a quote.
pub fn version(version: &'static str, intents: usize) -> Fixture {
    Fixture {
        version,
        ..Fixture::on_quote("a", &SUBMIT.repeat(intents))
    }
}

pub fn loaded(generation: u32, restored: bool) -> Outcome {
    Outcome::Loaded {
        name: "a".to_owned(),
        generation,
        restored,
    }
}

/// A file that is written again within one step of the file system's clock, with as many bytes, has the same
/// stamp as before.
#[test]
fn what_is_written_within_a_moment_of_what_was_seen_is_seen() {
    let mut pilot = Pilot::new();
    let file = pilot.folder.path().join("a.wasm");
    for n in 0..50 {
        for text in [format!("first {n:02}"), format!("again {n:02}")] {
            std::fs::write(&file, text).unwrap();
            let told = pilot.look();
            assert!(
                matches!(told.as_slice(), [Outcome::Refused { .. }]),
                "{told:?}"
            );
        }
    }
}

#[test]
fn new_bytes_take_over_with_state_and_unchanged_ones_do_not() {
    let mut pilot = Pilot::new();
    pilot.put("a.wasm", &version("1", 1).component());
    assert_eq!(pilot.look(), [loaded(1, false)]);
    assert_eq!(pilot.look(), []);
    pilot.put("a.wasm", &version("1", 1).component());
    assert_eq!(pilot.look(), [], "the same bytes in a new file");
    assert_eq!(pilot.tell(), Ok(1));
    pilot.put("a.wasm", &version("2", 2).component());
    assert_eq!(pilot.look(), [loaded(2, true)]);
    assert_eq!(pilot.tell(), Ok(2));
    assert_eq!(pilot.kinds(), ["loaded", "loaded with state"]);

    std::fs::remove_file(pilot.folder.path().join("a.wasm")).unwrap();
    assert_eq!(
        pilot.look(),
        [Outcome::Orphaned {
            name: "a".to_owned()
        }]
    );
    assert_eq!(pilot.tell(), Ok(2), "it runs on");
}

#[test]
fn what_does_not_load_leaves_the_old_version_trading() {
    let mut pilot = Pilot::new();
    pilot.put("a.wasm", &version("1", 1).component());
    pilot.look();
    let good = version("2", 2).component();
    let refusing = Fixture {
        restore: "state of version 1 is too old",
        ..version("2", 2)
    };
    let failing = Fixture {
        on_quote: "unreachable".to_owned(),
        ..version("2", 2)
    };
    let cases: [(&[u8], &str); 5] = [
        (&good[..good.len() / 2], "cut off"),
        (b"not wasm", "not WebAssembly"),
        (&version("2", 2).core_module(), "core module"),
        (&refusing.component(), "too old"),
        (&failing.component(), "on-quote"),
    ];
    for (bytes, why) in cases {
        pilot.put("a.wasm", bytes);
        let outcomes = pilot.look();
        assert!(
            matches!(&outcomes[..], [Outcome::Refused { why: said, .. }] if said.contains(why)),
            "{why}: {outcomes:?}"
        );
        assert_eq!(pilot.look(), [], "{why}: told once");
        assert_eq!(pilot.tell(), Ok(1), "{why}: the old version trades on");
    }
    pilot.put("a.wasm", &good);
    assert_eq!(pilot.look(), [loaded(2, true)]);
    let refused = Some(&"refused");
    assert_eq!(
        pilot.kinds().iter().filter(|k| Some(*k) == refused).count(),
        5
    );
}

#[test]
fn two_files_can_not_be_one_strategy() {
    let mut pilot = Pilot::new();
    pilot.put("a.wasm", &version("1", 1).component());
    pilot.put("b.wasm", &version("2", 2).component());
    let outcomes = pilot.look();
    assert_eq!(outcomes[0], loaded(1, false));
    assert!(matches!(&outcomes[1], Outcome::Refused { why, .. } if why.contains("a.wasm")));
    assert_eq!(pilot.tell(), Ok(1));
}

#[test]
fn what_is_no_regular_file_is_refused_once() {
    let mut pilot = Pilot::new();
    let huge = std::fs::File::create(pilot.folder.path().join("huge.wasm")).unwrap();
    huge.set_len(33 << 20).unwrap();
    let outcomes = pilot.look();
    assert!(
        matches!(&outcomes[..], [Outcome::Refused { why, .. }] if why.contains("34603008 bytes"))
    );
    assert_eq!(pilot.look(), []);
    assert!(pilot.stage.journal.is_empty(), "it never was a strategy");
}

#[test]
fn a_strategy_that_fails_is_restarted_and_the_third_time_quarantined() {
    let mut pilot = Pilot::new();
    pilot.put("a.wasm", &Fixture::on_quote("a", "unreachable").component());
    pilot.look();
    let mut now = Timestamp::from_secs(100);
    for pause in [Some(0), Some(10_000), None] {
        let fault = pilot.tell().unwrap_err();
        pilot.loader.failed(StrategyId(0), &fault, now);
        let loads = pilot.stage.journal.len();
        if let Some(pause) = pause {
            now = now.plus(Nanos::from_ms(pause));
            assert_eq!(pilot.loader.next_due(), Some(now));
            let early = Timestamp(now.0 - 1);
            pilot.loader.tick(early, &mut pilot.stage).unwrap();
            assert_eq!(pilot.stage.journal.len(), loads, "not before its time");
        }
        pilot.loader.tick(now, &mut pilot.stage).unwrap();
        assert_eq!(pilot.stage.journal.len(), loads + 1);
    }
    assert_eq!(pilot.kinds(), ["loaded", "loaded", "loaded", "quarantined"]);
    assert_eq!(pilot.loader.next_due(), None);
    assert_eq!(pilot.look(), []);
    pilot.put("a.wasm", &version("2", 1).component());
    assert_eq!(
        pilot.look(),
        [loaded(4, false)],
        "new bytes, without the state of the dead"
    );
    assert_eq!(pilot.tell(), Ok(1));
}

#[test]
fn a_journal_brings_the_same_strategies_back() {
    let mut live = Pilot::new();
    live.put("a.wasm", &version("1", 1).component());
    live.look();
    live.put("a.wasm", &version("2", 3).component());
    live.look();

    let mut again = Pilot::new();
    again.stage.archive = std::mem::take(&mut live.stage.archive);
    for change in &live.stage.journal {
        again
            .loader
            .replay(Timestamp(0), change, &mut again.stage)
            .unwrap();
    }
    assert_eq!(again.tell(), Ok(3));
    let slot = again.loader.slots().next().unwrap();
    assert_eq!((slot.generation, &slot.status), (2, &Status::Running));
    assert_eq!(slot.digest, digest(&version("2", 3).component()));

    again.put("a.wasm", &version("2", 3).component());
    assert_eq!(
        again.look(),
        [Outcome::Unchanged {
            name: "a".to_owned()
        }]
    );
    again.loader.settle(&mut again.stage).unwrap();
    assert_eq!(again.kinds(), [""; 0]);

    std::fs::remove_file(again.folder.path().join("a.wasm")).unwrap();
    again.look();
    again.loader.settle(&mut again.stage).unwrap();
    assert_eq!(
        again.kinds(),
        ["unloaded"],
        "no file of this start names it"
    );
}

#[test]
fn a_run_without_its_archive_says_so() {
    let mut live = Pilot::new();
    live.put("a.wasm", &version("1", 1).component());
    live.look();
    let mut again = Pilot::new();
    let error = again
        .loader
        .replay(Timestamp(0), &live.stage.journal[0], &mut again.stage)
        .unwrap_err();
    assert!(error.to_string().contains("archive"), "{error}");
}

async fn next(inputs: &mut input::InputReceiver) -> LoaderInput {
    loop {
        match inputs.recv().await {
            Some(Input::Strategies(input)) => return input,
            // Nothing runs here that could be rehearsed against.
            Some(Input::Incumbent { answer, .. }) => assert!(answer.send(None).is_ok()),
            _ => panic!("only strategies are sent here"),
        }
    }
}

#[tokio::test]
async fn the_watcher_sees_a_replaced_a_rewritten_and_a_removed_file() {
    let Pilot {
        folder,
        mut tracker,
        ..
    } = Pilot::new();
    let file = folder.path().join("a.wasm");
    let write = |path: &Path, fixture: Fixture| std::fs::write(path, fixture.component()).unwrap();
    write(&file, version("1", 1));
    assert_eq!(tracker.scan().len(), 1);

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (sender, mut inputs) = input::channel();
    let agent = tokio::spawn(watch::run(AgentContext::new(stopped), tracker, sender));

    let partial = folder.path().join(".a");
    write(&partial, version("2", 1));
    std::fs::rename(&partial, &file).unwrap();
    let is_version = |input: &LoaderInput, v: &str| matches!(input, LoaderInput::Ready(c) if c.compiled.described.manifest.version == v && c.path == file);
    assert!(is_version(&next(&mut inputs).await, "2"));
    write(&file, version("3", 1));
    assert!(is_version(&next(&mut inputs).await, "3"));
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(next(&mut inputs).await, LoaderInput::Gone { path } if path == file));

    stop.send(true).unwrap();
    agent.await.unwrap().unwrap();
}
