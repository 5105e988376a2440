//! What a strategy does with events: canned ones, and those of a recorded run.
//!
//! Everything is told twice, to two instances, and must be answered alike. A third is made from a snapshot of
//! the first now and then, as a swap would make it, and must go on as the first does. It ends with a
//! verdict, or with the event that a call failed on.

use super::canned::{self, Batch, Step};
use super::tape::{self, Listener};
use crate::meter::Meter;
use crate::plugin::told::Told;
use crate::plugin::usage::LogLine;
use crate::plugin::{Candidate, Compiled, ComponentStrategy, PluginError, PluginHost};
use crate::replay::ReplayError;
use pm_arb_core::config::EngineConfig;
use pm_arb_core::ids::{MarketId, Timestamp};
use pm_arb_core::market::MarketSpec;
use pm_arb_core::strategy::{Intent, Output, Quote, Strategy, StrategyEvent, StrategyFault};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::subscriber::NoSubscriber;

/// Answers and lines of log of a batch that are shown; the rest is counted.
pub const SHOWN: usize = 12;

/// What came of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Its name.
    pub name: String,
    /// Events it was told.
    pub told: u64,
    /// Events of topics it did not ask for: it is not told those.
    pub not_asked_for: u64,
    /// Its answers in words, the first [`SHOWN`].
    pub answers: Vec<(Timestamp, String)>,
    /// All of them.
    pub intents: u64,
    /// All of them.
    pub cancels: u64,
    /// All of them.
    pub wakes: u64,
    /// Lines of log, the first [`SHOWN`].
    pub lines: Vec<LogLine>,
    /// Lines it wrote.
    pub written: u64,
    /// Fuel of all calls, and of the dearest one.
    pub fuel: (u64, u64),
    /// All its linear memories after the batch.
    pub memory: u64,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was answered, twice alike, and alike after every snapshot.
    Ok,
    /// A call failed.
    Failed {
        /// What it was told, or asked.
        at: String,
        /// How.
        fault: String,
    },
    /// The same events were answered otherwise by a second instance.
    NotRepeatable {
        /// What both were told.
        at: String,
        /// What the first answered, and the second.
        answers: [String; 2],
    },
    /// One that was restored from a snapshot goes on otherwise than the one that was not.
    StateLost {
        /// What both were told.
        at: String,
        /// What the one that went on answered, and the restored one.
        answers: [String; 2],
    },
}

impl Verdict {
    /// The word for programs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Failed { .. } => "failed",
            Verdict::NotRepeatable { .. } => "not-repeatable",
            Verdict::StateLost { .. } => "state-lost",
        }
    }

    /// In a sentence or two, with what to change.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Verdict::Ok => {
                "ok: twice the same answers, and the same after every snapshot".to_owned()
            }
            Verdict::Failed { at, fault } => format!("failed at {at}: it {fault}"),
            Verdict::NotRepeatable {
                at,
                answers: [a, b],
            } => format!(
                "not repeatable: told {at}, one instance answers {a}, another that was told the same \
                 answers {b}. Keep nothing outside the strategy's own value, iterate over no HashMap, and \
                 let `snapshot` change nothing"
            ),
            Verdict::StateLost {
                at,
                answers: [a, b],
            } => format!(
                "state lost: told {at}, it answers {a}; restored from its own snapshot it answers {b}. Put \
                 what it decides by into `snapshot`"
            ),
        }
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Batch by batch.
    pub batches: Vec<Heard>,
    /// Snapshots that an instance went on from.
    pub restored: u64,
    /// How it ended.
    pub verdict: Verdict,
}

/// Tells the canned events.
pub fn canned(host: &PluginHost, candidate: &Candidate) -> Result<Trial, PluginError> {
    let mut trio = Trio::new(host, candidate)?;
    for step in canned::steps() {
        let batch = match step {
            Step::Batch(batch) => batch,
            Step::Fates => canned::fates(&trio.wishes),
        };
        trio.batch(&batch);
        if trio.ended.is_some() {
            break;
        }
    }
    Ok(trio.end())
}

/// Plays a recorded run to it.
pub fn recorded(
    host: &PluginHost,
    candidate: &Candidate,
    (dir, config): (&Path, Option<&EngineConfig>),
    meter: &Meter,
) -> Result<Trial, RecordedError> {
    let mut trio = Trio::new(host, candidate)?;
    trio.begin(&format!("recorded: {}", dir.display()));
    let trio = Arc::new(Mutex::new(trio));
    let listener = Listener {
        manifest: candidate.compiled.described.manifest.clone(),
        digest: candidate.compiled.digest,
        params: candidate.params.clone(),
        strategy: Box::new(Tap(Arc::clone(&trio))),
    };
    tape::play(
        dir,
        config,
        listener,
        &|| held(&trio).ended.is_some(),
        meter,
    )?;
    let mut trio = held(&trio);
    trio.finish_batch();
    Ok(trio.end())
}

/// Why a run can not be played to it.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// It does not start.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The run can not be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

fn held(trio: &Mutex<Trio>) -> MutexGuard<'_, Trio> {
    trio.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sits in the engine's slot and hands everything to the three.
struct Tap(Arc<Mutex<Trio>>);

impl Strategy for Tap {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        held(&self.0).live(now, &Told::Quote(*quote), out)
    }

    fn on_event(
        &mut self,
        now: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        held(&self.0).live(now, &Told::of(event), out)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(Vec::new())
    }
}

/// What a call came to, comparable.
type Answer = Result<Output, StrategyFault>;

/// The instance that is shown, its twin, and the one that was restored.
struct Trio {
    host: PluginHost,
    compiled: Compiled,
    params: Vec<(String, String)>,
    main: ComponentStrategy,
    twin: ComponentStrategy,
    heir: Option<ComponentStrategy>,
    /// A successor is told of these, as the host does.
    open: BTreeMap<MarketId, MarketSpec>,
    /// The first of its wishes, for their fates.
    wishes: Vec<(Timestamp, Intent)>,
    now: Timestamp,
    calls: u64,
    restored: u64,
    batches: Vec<Heard>,
    present: Heard,
    ended: Option<Verdict>,
}

impl Trio {
    fn new(host: &PluginHost, candidate: &Candidate) -> Result<Self, PluginError> {
        let make = || host.instantiate(&candidate.compiled, &candidate.params);
        Ok(Self {
            main: make()?,
            twin: make()?,
            heir: None,
            host: host.clone(),
            compiled: candidate.compiled.clone(),
            params: candidate.params.clone(),
            open: BTreeMap::new(),
            wishes: Vec::new(),
            now: Timestamp(0),
            calls: 0,
            restored: 0,
            batches: Vec::new(),
            present: Heard::default(),
            ended: None,
        })
    }

    fn begin(&mut self, name: &str) {
        self.present = Heard {
            name: name.to_owned(),
            ..Heard::default()
        };
    }

    fn finish_batch(&mut self) {
        self.present.memory = self.main.usage().costs().memory;
        self.batches.push(std::mem::take(&mut self.present));
    }

    fn batch(&mut self, batch: &Batch) {
        self.begin(batch.name);
        self.renew_heir();
        let topics = self.compiled.described.manifest.topics;
        for (at, told) in &batch.events {
            if self.ended.is_some() {
                break;
            }
            self.now = self.now.max(*at);
            if told.is_heard(topics) {
                // What it wishes here goes nowhere; its fate is made up later.
                let _ = self.tell(told);
            } else {
                self.present.not_asked_for += 1;
            }
        }
        self.finish_batch();
    }

    /// A call of the engine: the answer of the first is the strategy's.
    fn live(&mut self, now: Timestamp, told: &Told, out: &mut Output) -> Result<(), StrategyFault> {
        self.now = now;
        // After 1, 2, 4, 8, … calls: each restored one is compared until the next.
        if self.calls.is_power_of_two() {
            self.renew_heir();
        }
        if let Some(verdict) = &self.ended {
            return Err(StrategyFault::Protocol(verdict.as_str().to_owned()));
        }
        *out = self.tell(told)?;
        Ok(())
    }

    /// Tells all three, compares, and keeps what is shown.
    fn tell(&mut self, told: &Told) -> Answer {
        match told {
            Told::MarketListed(spec) => {
                self.open.insert(spec.id, spec.as_ref().clone());
            }
            Told::MarketClosed(id) => {
                self.open.remove(id);
            }
            _ => {}
        }
        self.calls += 1;
        self.present.told += 1;
        let now = self.now;
        let answer = call(&mut self.main, now, told);
        let twin = call(&mut self.twin, now, told);
        let heir = self.heir.as_mut().map(|heir| call(heir, now, told));
        let costs = self.main.usage();
        let fuel = costs.fuel_last();
        let (sum, most) = &mut self.present.fuel;
        (*sum, *most) = (sum.saturating_add(fuel), (*most).max(fuel));
        for line in costs.take_lines() {
            self.present.written += 1;
            if self.present.lines.len() < SHOWN {
                self.present.lines.push(line);
            }
        }
        let at = || {
            let when = crate::report::text::instant(now);
            format!("call {}, at {when}: {}", self.calls, told.text())
        };
        match (&answer, &twin, &heir) {
            (Err(fault), ..) => {
                self.ended = Some(Verdict::Failed {
                    at: at(),
                    fault: fault.to_string(),
                });
            }
            (a, b, _) if shown(a) != shown(b) => {
                self.ended = Some(Verdict::NotRepeatable {
                    at: at(),
                    answers: [shown(a), shown(b)],
                });
            }
            (a, _, Some(c)) if shown(a) != shown(c) => {
                self.ended = Some(Verdict::StateLost {
                    at: at(),
                    answers: [shown(a), shown(c)],
                });
            }
            (Ok(output), ..) => self.keep(now, output),
        }
        answer
    }

    fn keep(&mut self, now: Timestamp, output: &Output) {
        let present = &mut self.present;
        present.intents += output.intents.len() as u64;
        present.cancels += output.cancels.len() as u64;
        present.wakes += u64::from(output.wake_at.is_some());
        for line in answers(output) {
            if present.answers.len() < SHOWN {
                present.answers.push((now, line));
            }
        }
        for intent in &output.intents {
            if self.wishes.len() < canned::FATES_MAX {
                self.wishes.push((now, intent.clone()));
            }
        }
    }

    /// Makes a successor from the first's snapshot, as a swap does.
    fn renew_heir(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let failed = |at: &str, fault: String| Verdict::Failed {
            at: at.to_owned(),
            fault,
        };
        let state = match quietly(|| self.main.snapshot()) {
            Ok(state) => state,
            Err(fault) => {
                self.ended = Some(failed("`snapshot`", fault.to_string()));
                return;
            }
        };
        let made = quietly(|| {
            let mut heir = self.host.instantiate(&self.compiled, &self.params)?;
            heir.restore(&state).map(|()| heir)
        });
        let mut heir = match made {
            Ok(heir) => heir,
            Err(error) => {
                let at = "`restore` of its own snapshot";
                self.ended = Some(failed(at, format!("says: {}", error.story())));
                return;
            }
        };
        if self.compiled.described.manifest.topics.markets {
            for spec in self.open.values() {
                let listed = Told::MarketListed(Box::new(spec.clone()));
                if let Err(fault) = call(&mut heir, self.now, &listed) {
                    let at = format!("{} told again after `restore`", listed.text());
                    self.ended = Some(failed(&at, fault.to_string()));
                    return;
                }
            }
        }
        self.restored += 1;
        self.heir = Some(heir);
    }

    fn end(&mut self) -> Trial {
        self.renew_heir();
        if self.ended.is_none() {
            let states = [&mut self.main, &mut self.twin].map(|one| quietly(|| one.snapshot()));
            if let [Ok(a), Ok(b)] = &states
                && a != b
            {
                self.ended = Some(Verdict::NotRepeatable {
                    at: "all of this and asked for a snapshot".to_owned(),
                    answers: [a, b].map(|state| format!("{} bytes", state.len())),
                });
            }
        }
        Trial {
            batches: std::mem::take(&mut self.batches),
            restored: self.restored,
            verdict: self.ended.clone().unwrap_or(Verdict::Ok),
        }
    }
}

fn call(strategy: &mut ComponentStrategy, now: Timestamp, told: &Told) -> Answer {
    let mut out = Output::default();
    quietly(|| told.tell(strategy, now, &mut out)).map(|()| out)
}

/// Without the log of the process: lines are shown with the batch they belong to, once.
fn quietly<T>(f: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(NoSubscriber::default(), f)
}

fn answers(output: &Output) -> Vec<String> {
    let mut all: Vec<String> = output.intents.iter().map(super::words::intent).collect();
    all.extend(output.cancels.iter().map(|tag| format!("cancel tag {tag}")));
    let wake = output.wake_at.map(crate::report::text::instant);
    all.extend(wake.map(|at| format!("wake at {at}")));
    all
}

fn shown(answer: &Answer) -> String {
    match answer {
        Err(fault) => format!("by failing: it {fault}"),
        Ok(output) if output.is_empty() => "nothing".to_owned(),
        Ok(output) => answers(output).join(" / "),
    }
}
