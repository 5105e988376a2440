//! One shadow: two worlds led by one journal, as far as it was written.
//!
//! Owns where they part and what makes the comparison void. It reads, and writes nothing; what runs
//! never waits for it.

use super::board::Wanted;
use super::paired::{Paired, Side};
use super::policy::{Policy, Promote, Verdict};
use super::report::{Figures, PairRow, Phase, ShadowRow};
use super::sequential::needed;
use super::world::{Bytes, World};
use crate::causes::chain;
use crate::journal::{JournalError, JournalReader, archive};
use crate::plugin::{LoaderError, PluginError, PluginHost, hex};
use crate::snapshot::{Instant, Money};
use pm_arb_core::engine::StrategyStatus;
use pm_arb_core::event::{Event, OperatorAction, Record, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::StrategyId;
use pm_arb_core::strategy::{Manifest, StrategyFault};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Why a shadow can not be run. What runs is not concerned.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The journal can not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A strategy of the run, or the candidate, does not load.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// The candidate does not compile.
    #[error("the candidate can not be compiled")]
    Candidate(#[from] PluginError),
    /// The state of one of the two is wrong.
    #[error("an invariant broke at {0}")]
    Invariant(String),
}

/// How a shadow ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The candidate is to take the place of what runs; the figures that say so.
    Better(String),
    /// It is over; why.
    Over(String),
}

/// How far one look at the journal came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// As many records as were asked for; there are more.
    More,
    /// All that is written so far.
    CaughtUp,
    /// It is over.
    Ended(Ending),
}

/// See the top of the file.
pub struct Follower {
    wanted: Wanted,
    policy: Policy,
    dir: PathBuf,
    host: PluginHost,
    journal: JournalReader,
    /// The last records read: one, and what may stand behind it of calls in it that the clock ended.
    held: VecDeque<Record>,
    twin: World,
    shadow: World,
    paired: Paired,
    /// Shadows of the strategy that the journal told of so far.
    begun: u32,
    fork: Option<Fork>,
    seq: u64,
}

/// Where they parted.
struct Fork {
    manifest: Manifest,
    incumbent: Option<StrategyStatus>,
    candidate: Option<StrategyStatus>,
    /// What runs: its bytes and settings.
    bytes: Option<Bytes>,
}

impl Follower {
    /// Reads the run in `dir` from its first record.
    pub fn open(
        dir: &Path,
        host: &PluginHost,
        wanted: Wanted,
        policy: Policy,
    ) -> Result<Self, ShadowError> {
        Ok(Self {
            journal: JournalReader::follow(dir)?,
            held: VecDeque::new(),
            twin: World::new(dir, host.clone()),
            shadow: World::new(dir, host.clone()),
            paired: Paired::new(wanted.id),
            dir: dir.to_owned(),
            host: host.clone(),
            wanted,
            policy,
            begun: 0,
            fork: None,
            seq: 0,
        })
    }

    /// Steps at most so many records.
    pub fn advance(&mut self, most: u64) -> Result<Step, ShadowError> {
        for _ in 0..most {
            let Some(next) = self.journal.next()? else {
                return Ok(Step::CaughtUp);
            };
            let next = next.clone();
            let more = next.event.stopped().is_some();
            self.held.push_back(next);
            // What the clock ended in a record stands right behind it, one record a call.
            while !more && self.held.len() > 1 {
                if let Some(ending) = self.take_held()? {
                    return Ok(Step::Ended(ending));
                }
            }
        }
        Ok(Step::More)
    }

    fn take_held(&mut self) -> Result<Option<Ending>, ShadowError> {
        let Some(record) = self.held.pop_front() else {
            return Ok(None);
        };
        let stops: Vec<_> = self.held.iter().map_while(|r| r.event.stopped()).collect();
        for (id, call) in stops {
            self.twin.stop_at(id, call);
            // The clock says nothing of a candidate that it did not end.
            if self.fork.is_none() || id != self.wanted.id {
                self.shadow.stop_at(id, call);
            }
        }
        self.take(&record)
    }

    /// Steps the last record as well: the run is over and none comes behind it.
    pub fn finish(&mut self) -> Result<Step, ShadowError> {
        while !self.held.is_empty() {
            if let Some(ending) = self.take_held()? {
                return Ok(Step::Ended(ending));
            }
        }
        Ok(Step::CaughtUp)
    }

    fn take(&mut self, record: &Record) -> Result<Option<Ending>, ShadowError> {
        self.seq = record.seq.0;
        let own = match &record.event {
            Event::Strategy(change) if change.id == self.wanted.id => Some(change),
            _ => None,
        };
        self.twin.take(record)?;
        let mut ending = None;
        match (own, self.fork.is_some()) {
            (Some(change), false) if self.is_ours(change) => {
                if let Err(error) = self.part(record) {
                    let why = format!("the candidate can not begin: {}", chain(&error));
                    return Ok(Some(Ending::Over(why)));
                }
            }
            (Some(change), true) => {
                ending = self.changed(change);
                // Time passes for the candidate as well.
                self.shadow.take(&Record {
                    event: Event::Tick,
                    ..*record
                })?;
            }
            _ => self.shadow.take(record)?,
        }
        self.paired.hear(Side::Incumbent, &self.twin.effects);
        self.paired.hear(Side::Candidate, &self.shadow.effects);
        self.paired.conclude();
        Ok(ending.or_else(|| self.void()))
    }

    fn is_ours(&mut self, change: &StrategyChange) -> bool {
        let StrategyChangeKind::Shadowed { begins: true, .. } = change.kind else {
            return false;
        };
        self.begun = self.begun.saturating_add(1);
        self.begun == self.wanted.number
    }

    /// The candidate takes the place of the shadow's copy of what runs, as a recorded load would.
    fn part(&mut self, record: &Record) -> Result<(), ShadowError> {
        let (id, candidate) = (self.wanted.id, &self.wanted.candidate);
        let bytes = archive::load_strategy(&self.dir, &candidate.digest)?;
        let compiled = self.host.compile(&bytes)?;
        let manifest = compiled.described.manifest.clone();
        let running = self.shadow.generation(id);
        let generation = running.map_or(1, |(_, generation)| generation.saturating_add(1));
        let change = StrategyChange {
            id,
            kind: StrategyChangeKind::Loaded {
                manifest: manifest.clone(),
                digest: candidate.digest,
                generation,
                params: candidate.params.clone(),
                restored: !candidate.fresh,
            },
        };
        self.fork = Some(Fork {
            incumbent: self.twin.status(id),
            candidate: self.shadow.status(id),
            bytes: self.twin.bytes(id),
            manifest,
        });
        self.paired.begin();
        self.shadow.take(&Record {
            event: Event::Strategy(Box::new(change)),
            ..*record
        })
    }

    /// The run says something of what runs: another version of it is another comparison.
    fn changed(&self, change: &StrategyChange) -> Option<Ending> {
        let over = |why: &str| Some(Ending::Over(why.to_owned()));
        let compared = self.fork.as_ref().and_then(|fork| fork.bytes.as_ref());
        match &change.kind {
            StrategyChangeKind::Loaded { digest, params, .. } => {
                let same = compared.is_some_and(|(d, p)| d == digest && p == params);
                if same {
                    return None;
                }
                over("another version runs now; what it was compared with does not")
            }
            StrategyChangeKind::Reverted { .. } => {
                over("another version runs now; what it was compared with does not")
            }
            StrategyChangeKind::Quarantined { .. }
            | StrategyChangeKind::Unloaded
            | StrategyChangeKind::Operator {
                action: OperatorAction::Quarantine,
                ..
            } => over("what it was compared with runs no more"),
            _ => None,
        }
    }

    /// What makes the comparison void: the candidate failed, or the two worlds no longer differ by it alone.
    fn void(&self) -> Option<Ending> {
        self.fork.as_ref()?;
        let mut failed = self.shadow.failed();
        let theirs = |id| self.twin.failed().any(|(other, _)| other == id);
        let over = failed.find_map(|(id, fault): (StrategyId, &StrategyFault)| {
            if id == self.wanted.id {
                return Some(format!("the candidate failed: it {fault}"));
            }
            let name = self.shadow.generation(id).map_or(String::new(), |(n, _)| n);
            (!theirs(id)).then(|| format!("{name} failed beside the candidate: it {fault}"))
        });
        if over.is_some() {
            return over.map(Ending::Over);
        }
        match (self.shadow.is_halted(), self.twin.is_halted()) {
            (Some(why), None) => Some(Ending::Over(format!(
                "beside the candidate the pilot would have halted: {why}"
            ))),
            _ => None,
        }
    }

    /// The last record that was stepped.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether the candidate runs.
    #[must_use]
    pub fn is_comparing(&self) -> bool {
        self.fork.is_some()
    }

    /// What the policy says now.
    #[must_use]
    pub fn judge(&self) -> (ShadowRow, Option<Ending>) {
        let mut row = self.row();
        let verdict = self.policy.judge(&row, self.paired.test());
        let by_test = self.policy.promote == Promote::ByTest;
        let (text, ending) = match verdict {
            Verdict::GoOn(text) => (text, None),
            Verdict::Better(text) if by_test => (text.clone(), Some(Ending::Better(text))),
            Verdict::Better(text) => {
                let name = &self.wanted.name;
                (
                    format!("better: {text}; `pm-arb strategy promote {name}`"),
                    None,
                )
            }
            Verdict::End(why) => (why.clone(), Some(Ending::Over(why))),
        };
        row.verdict = text;
        (row, ending)
    }

    fn row(&self) -> ShadowRow {
        let (test, candidate) = (self.paired.test(), &self.wanted.candidate);
        let [markets, better, worse, equal] = self.paired.markets();
        let fork = self.fork.as_ref();
        let figures = |world: &World, side, before: fn(&Fork) -> &Option<StrategyStatus>| {
            fork.map_or_else(Figures::default, |fork| {
                self.figures(world, side, before(fork).as_ref())
            })
        };
        ShadowRow {
            strategy: self.wanted.name.clone(),
            number: self.wanted.number,
            version: fork.map_or(String::new(), |fork| fork.manifest.version.clone()),
            digest: hex(&candidate.digest),
            settings: (candidate.params.iter())
                .map(|(k, v)| format!("{k}={v}"))
                .collect(),
            since: Instant(self.wanted.at),
            phase: if fork.is_some() {
                Phase::Comparing
            } else {
                Phase::CatchingUp
            },
            verdict: String::new(),
            seq: self.seq,
            behind: 0,
            records_per_second: 0,
            incumbent: figures(&self.twin, Side::Incumbent, |fork| &fork.incumbent),
            candidate: figures(&self.shadow, Side::Candidate, |fork| &fork.candidate),
            markets,
            better,
            worse,
            equal,
            difference: Money(self.paired.difference()),
            pairs: test.pairs(),
            evidence: format!("{:.2}", test.evidence()),
            evidence_needed: format!("{:.2}", needed(self.policy.error_rate)),
            recent: self.paired.recent().map(pair_row).collect(),
        }
    }

    fn figures(&self, world: &World, side: Side, before: Option<&StrategyStatus>) -> Figures {
        let now = world.status(self.wanted.id);
        let since = |count: fn(&StrategyStatus) -> u64| {
            let before = before.map_or(0, count);
            now.as_ref().map_or(0, count).saturating_sub(before)
        };
        let [net, drawdown, bought] = self.paired.earned(side);
        let (fuel_mean, fuel_max) = world.fuel(self.wanted.id);
        Figures {
            net: Money(net),
            drawdown: Money(drawdown),
            bought: Money(bought),
            calls: since(|status| status.calls),
            intents: since(|status| status.intents),
            denied: since(|status| status.denied),
            fills: since(|status| status.fills),
            faults: since(|status| status.faults),
            fuel_mean,
            fuel_max,
        }
    }
}

fn pair_row(pair: &super::paired::Pair) -> PairRow {
    PairRow {
        market: pair.market.clone(),
        at: Instant(pair.at),
        incumbent: Money(pair.incumbent),
        candidate: Money(pair.candidate),
        difference: Money(pair.difference()),
    }
}
