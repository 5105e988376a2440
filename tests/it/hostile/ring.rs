//! Where they meet: a real session with its journal, its loader and its host, told what a test tells it.

use crate::plugin::market;
use pm_arb::journal::{JournalWriter, RunMeta};
use pm_arb::pilot::{LoaderView, Session};
use pm_arb::plugin::{Candidate, Limits, Loader, LoaderInput, Outcome, PluginHost, Preparer};
use pm_arb::replay::{self, Cast, Replayed};
use pm_arb_core::config::EngineConfig;
use pm_arb_core::event::{BookSnapshot, Event};
use pm_arb_core::ids::{InstrumentId, Timestamp};
use pm_arb_core::units::{Price, Qty};
use std::collections::BTreeMap;
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
        let input = LoaderInput::Ready(Box::new(candidate));
        let session = &mut self.session;
        self.loader
            .handle(input, &mut LoaderView { session, at })
            .unwrap()
    }

    /// A fact, and what is due then, as the pilot's own thread does it.
    pub fn record(&mut self, at: Timestamp, event: Event) {
        self.session.record(at, event).unwrap();
        for (strategy, fault) in self.session.take_failed() {
            self.loader.failed(strategy, &fault, self.session.last_at());
        }
        if self.loader.next_due().is_some_and(|due| due <= at) {
            let session = &mut self.session;
            self.loader
                .tick(at, &mut LoaderView { session, at })
                .unwrap();
        }
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

/// The digest of a run's effects when it is stepped again, by fuel alone.
pub fn replayed(dir: &Path, limits: Limits) -> String {
    let host = PluginHost::new(limits).unwrap();
    let (state, _) = replay::replay(dir, host, None, Cast::Own, &mut |_, _| {}).unwrap();
    state.digest.hex(&state.engine)
}
