//! A run as the pilot has it, without its feeds: session (engine, journal, digest, archive) and loader.
//!
//! Shared by the rows about strategies that come and go. What they time is the pilot's own code.

use crate::guest;
use crate::measure::Outcome;
use pm_arb::journal::{JournalWriter, RunMeta, archive};
use pm_arb::pilot::{LoaderView, Session, attend};
use pm_arb::plugin::{Candidate, Loader, LoaderInput, Outcome as Loaded, Preparer};
use pm_arb::replay::Replayed;
use pm_arb_core::event::Event;
use pm_arb_core::ids::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file whose bytes are said to change.
const FILE: &str = "once-a-second.wasm";

/// See above.
pub struct Stage {
    dir: PathBuf,
    pub session: Session,
    pub loader: Loader,
    preparer: Preparer,
}

impl Stage {
    /// A new run in that folder.
    pub fn new(dir: &Path) -> Outcome<Self> {
        let host = guest::host()?;
        let now = Timestamp(crate::stream::START);
        let meta = RunMeta::new(RunMeta::fresh_id(now, dir), "bench", now);
        let journal = JournalWriter::create(dir, &meta)?;
        Ok(Self {
            dir: dir.to_owned(),
            session: Session::new(dir.to_owned(), journal, Replayed::default()),
            loader: Loader::new(host.clone()),
            preparer: Preparer::new(host, BTreeMap::new()),
        })
    }

    /// What the watcher does with new bytes, away from the engine's thread: compiled, probed, and
    /// archived if they are to be.
    pub fn prepare(
        &self,
        bytes: Vec<u8>,
        params: &[(String, String)],
        archived: bool,
    ) -> Outcome<LoaderInput> {
        let params = params.to_vec();
        let candidate: Candidate = self.preparer.prepare(Path::new(FILE), bytes, &params)?;
        if archived {
            archive::save_strategy(&self.dir, &candidate.bytes)?;
        }
        Ok(LoaderInput::Ready(Box::new(candidate)))
    }

    /// It takes over, on the engine's thread. Returns whether it has its predecessor's state.
    pub fn load(&mut self, input: LoaderInput) -> Outcome<bool> {
        let at = self.session.last_at();
        let session = &mut self.session;
        match self.loader.handle(input, &mut LoaderView { session, at })? {
            Loaded::Loaded { restored, .. } => Ok(restored),
            other => Err(format!("it did not take over: {other:?}").into()),
        }
    }

    /// A fact, and what follows from it for strategies that fail, as the pilot does it.
    pub fn record(&mut self, at: Timestamp, event: Event) -> Outcome<()> {
        self.session.record(at, event)?;
        if self.session.has_failed() {
            attend(&mut self.session, &mut self.loader, at)?;
        }
        if self.loader.next_due().is_some_and(|due| due <= at) {
            let session = &mut self.session;
            self.loader.tick(at, &mut LoaderView { session, at })?;
        }
        Ok(())
    }

    /// Everything so far reaches the disk, and what waited for that is let go.
    pub fn commit(&mut self) -> Outcome<()> {
        self.session.commit()?;
        Ok(())
    }
}
