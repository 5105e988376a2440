//! Where they meet: a real session with its journal, its loader and its host, told what a test tells it.

use crate::plugin::market;
use pm_arb::journal::{JournalWriter, RunMeta};
use pm_arb::pilot::{LoaderView, Session, attend};
use pm_arb::plugin::loader::Slot;
use pm_arb::plugin::rehearse::Contender;
use pm_arb::plugin::{Candidate, Limits, Loader, LoaderInput, Outcome, PluginHost, Preparer};
use pm_arb::replay::{self, Cast, Replayed};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::event::{BookSnapshot, Event};
use pm_arb_core::ids::{InstrumentId, Timestamp};
use pm_arb_core::units::{Price, Qty};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use uuid::Uuid;

pub struct Ring {
    folder: TempDir,
    pub session: Session,
    pub loader: Loader,
    preparer: Preparer,
}

impl Ring {
    /// A new run in a folder of its own.
    pub fn new(host: PluginHost) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let meta = RunMeta::new(Uuid::from_u128(7), "sim", Timestamp(0));
        let journal = JournalWriter::create(&dir, &meta).unwrap();
        Self {
            session: Session::new(dir, journal, Replayed::default()),
            loader: Loader::new(host.clone()),
            preparer: Preparer::new(host, BTreeMap::new()),
            folder,
        }
    }

    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Compiles and loads bytes at that time, as if a file of that name held them.
    pub fn load(&mut self, at: Timestamp, file: &str, bytes: &[u8]) -> Outcome {
        let path = Path::new(file);
        let candidate: Candidate = self
            .preparer
            .prepare(path, bytes.to_vec(), &Vec::new())
            .unwrap_or_else(|error| panic!("{file}: {}", error.story()));
        self.handle(at, LoaderInput::Ready(Box::new(candidate)))
    }

    /// What the watcher of files found, as the pilot's own thread takes it.
    pub fn handle(&mut self, at: Timestamp, input: LoaderInput) -> Outcome {
        let session = &mut self.session;
        let outcome = self
            .loader
            .handle(input, &mut LoaderView { session, at })
            .unwrap();
        attend(session, &mut self.loader, at).unwrap();
        outcome
    }

    /// What runs under that name is asked for its state, as before a rehearsal.
    pub fn ask(&mut self, at: Timestamp, name: &str) {
        let session = &mut self.session;
        let view = &mut LoaderView { session, at };
        let other = Contender::Ordered([9; 32], Vec::new());
        let asked = self.loader.incumbent(name, Some(&other), view).unwrap();
        assert!(asked.is_some(), "{name} runs");
        attend(session, &mut self.loader, at).unwrap();
    }

    /// A fact, and what is due then, as the pilot's own thread does it.
    pub fn record(&mut self, at: Timestamp, event: Event) {
        self.session.record(at, event).unwrap();
        attend(&mut self.session, &mut self.loader, at).unwrap();
        if self.loader.next_due().is_some_and(|due| due <= at) {
            let session = &mut self.session;
            self.loader
                .tick(at, &mut LoaderView { session, at })
                .unwrap();
        }
    }

    /// A replay of the journal so far, which knows no clock, is the same run in the same state.
    pub fn replays_alike(&mut self, limits: Limits) {
        drop(self.session.commit().unwrap());
        let host = PluginHost::new(limits).unwrap();
        let ignore = &mut |_, _: &_| {};
        let (state, loader) = replay::replay(&self.dir(), host, None, Cast::Own, ignore).unwrap();
        assert_eq!(state.digest.hex(&state.engine), self.session.digest());
        assert_eq!(state.engine.status(), self.session.engine.status());
        let again: Vec<_> = loader.slots().map(standing).collect();
        let live: Vec<_> = self.loader.slots().map(standing).collect();
        assert_eq!(again, live);
    }

    /// A market whose book changes now and then: a quote of instrument 1 at each of these seconds.
    pub fn quotes(&mut self, seconds: std::ops::Range<u64>) {
        if seconds.start == 1 {
            let config = Box::<EngineConfig>::default();
            self.record(Timestamp(0), Event::Configured(config));
            self.record(Timestamp(0), Event::MarketListed(Box::new(market(0))));
        }
        for second in seconds {
            let bid = 400_000 + 10_000 * i64::try_from(second % 8).unwrap();
            self.record(
                Timestamp::from_secs(second),
                Event::Snapshot(Box::new(BookSnapshot {
                    instrument: InstrumentId(1),
                    more: false,
                    venue_time: Timestamp::from_secs(second),
                    bids: vec![(Price(bid), Qty(100_000_000))],
                    asks: vec![(Price(bid + 20_000), Qty(100_000_000))],
                })),
            );
        }
    }
}

/// What a replay must find of a strategy as it is live.
fn standing(slot: &Slot) -> impl PartialEq + Debug {
    (
        (slot.id, slot.generation, slot.digest),
        (slot.status.clone(), slot.strikes(), slot.fault.clone()),
        slot.watch.as_ref().map(|w| (w.since, w.standby())),
        slot.earlier().cloned(),
    )
}

/// The digest of a run's effects when it is stepped again, by fuel alone.
pub fn replayed(dir: &Path, limits: Limits) -> String {
    let host = PluginHost::new(limits).unwrap();
    let (state, _) = replay::replay(dir, host, None, Cast::Own, &mut |_, _| {}).unwrap();
    state.digest.hex(&state.engine)
}
