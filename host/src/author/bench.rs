//! What the calls of a strategy cost: time and fuel of an event, snapshot and restore, its start, its memory.
//!
//! Every figure of time is the middle one of several rounds over the same events, each with an instance of its
//! own; fuel and memory do not differ between rounds. Nothing here judges, and no test asserts a time.

use super::canned::{self, Step};
use super::native::Round;
use super::tape::{self, Listener};
use crate::meter::Meter;
use crate::plugin::told::{KINDS, Told};
use crate::plugin::{Candidate, ComponentStrategy, PluginError, PluginHost};
use crate::replay::ReplayError;
use pm_arb_core::config::EngineConfig;
use pm_arb_core::ids::{Nanos, Timestamp};
use pm_arb_core::strategy::{Output, Quote, Strategy, StrategyEvent, StrategyFault};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::subscriber::NoSubscriber;

/// Rounds that count; one before them only warms up.
pub const ROUNDS: usize = 7;
/// Events of a list; what a run has more is not told.
pub const EVENTS_MAX: usize = 50_000;
/// Events that a list without a run has at least.
const EVENTS_MIN: usize = 10_000;
/// Times that rare calls are timed.
const RARE: usize = 25;
/// Batches of the canned events that are an ordinary day.
const ORDINARY: usize = 6;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// It does not start.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The run can not be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A call failed.
    #[error("it failed at {at}: it {fault}. `pm-arb strategy test` shows more")]
    Failed {
        /// What it was told, or asked.
        at: String,
        /// How.
        fault: StrategyFault,
    },
    /// There is nothing to tell it.
    #[error(
        "it hears nothing of these events: it asks for topics that do not occur. Name a run with --on that \
         has them"
    )]
    Nothing,
}

/// Events of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kind {
    /// As the contract calls it.
    pub name: &'static str,
    /// In a round.
    pub calls: u64,
    /// Nanoseconds of a call: the middle one, 99 of 100 take no longer, on average.
    pub nanos: [f64; 3],
    /// Fuel of a call, likewise.
    pub fuel: [u64; 3],
}

/// All figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Events of a round.
    pub events: u64,
    /// Wishes of a round.
    pub intents: u64,
    /// By kind, those that occur.
    pub kinds: Vec<Kind>,
    /// Nanoseconds of an event, when a round is timed as a whole.
    pub nanos_per_event: f64,
    /// Nanoseconds of reading and compiling the file again, and of making and starting an instance.
    pub compile: f64,
    /// See above.
    pub instantiate: f64,
    /// Nanoseconds of `snapshot` and of `restore` after a round, and the bytes between them.
    pub snapshot: f64,
    /// See above.
    pub restore: f64,
    /// See above.
    pub state_bytes: u64,
    /// Linear memory of an instance that was told nothing, and after a round.
    pub memory: [u64; 2],
}

/// The events of a list that is no run: an ordinary day, over and over.
#[must_use]
pub fn ordinary(candidate: &Candidate) -> Vec<(Timestamp, Told)> {
    let topics = candidate.compiled.described.manifest.topics;
    let day: Vec<(Timestamp, Told)> = canned::steps()
        .into_iter()
        .filter_map(|step| match step {
            Step::Batch(batch) => Some(batch.events),
            Step::Fates => None,
        })
        .take(ORDINARY)
        .flatten()
        .filter(|(_, told)| told.is_heard(topics))
        .collect();
    let mut all = Vec::new();
    for n in 0_u64.. {
        // Of listings alone there is one day.
        if all.len() >= EVENTS_MIN || (n > 1 && all.len() == day.len()) || day.is_empty() {
            break;
        }
        let later = Nanos::from_ms(n * 60_000);
        // Markets are listed once.
        let anew = |told: &Told| n == 0 || !matches!(told, Told::MarketListed(_));
        let today = day.iter().filter(|(_, told)| anew(told)).cloned();
        all.extend(today.map(|(at, told)| {
            let told = match told {
                // Episodes of their own: the same one again would be passed over.
                Told::Opportunity(mut seen, capital) => {
                    seen.id.seq.0 += n * 1_000;
                    seen.closes_at = seen.closes_at.plus(later);
                    Told::Opportunity(seen, capital)
                }
                other => other,
            };
            (at.plus(later), told)
        }));
    }
    all
}

/// What a run tells it, the first [`EVENTS_MAX`] events.
pub fn recorded(
    host: &PluginHost,
    candidate: &Candidate,
    (dir, config): (&Path, Option<&EngineConfig>),
    meter: &Meter,
) -> Result<Vec<(Timestamp, Told)>, BenchError> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let listener = Listener {
        manifest: candidate.compiled.described.manifest.clone(),
        digest: candidate.compiled.digest,
        params: candidate.params.clone(),
        strategy: Box::new(Keeping {
            strategy: host.instantiate(&candidate.compiled, &candidate.params)?,
            kept: Arc::clone(&kept),
        }),
    };
    let count = || kept.lock().unwrap_or_else(PoisonError::into_inner).len();
    quietly(|| tape::play(dir, config, listener, &|| count() >= EVENTS_MAX, meter))?;
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.truncate(EVENTS_MAX);
    Ok(std::mem::take(&mut kept))
}

/// Keeps what a strategy is told.
struct Keeping {
    strategy: ComponentStrategy,
    kept: Arc<Mutex<Vec<(Timestamp, Told)>>>,
}

impl Keeping {
    fn keep(&self, now: Timestamp, told: Told) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((now, told));
    }
}

impl Strategy for Keeping {
    fn on_quote(
        &mut self,
        now: Timestamp,
        quote: &Quote,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        self.keep(now, Told::Quote(*quote));
        self.strategy.on_quote(now, quote, out)
    }

    fn on_event(
        &mut self,
        now: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        self.keep(now, Told::of(event));
        self.strategy.on_event(now, event, out)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        self.strategy.snapshot()
    }
}

/// Measures; the meter moves by the events told.
pub fn measure(
    host: &PluginHost,
    candidate: &Candidate,
    events: &[(Timestamp, Told)],
    meter: &Meter,
) -> Result<Figures, BenchError> {
    if events.is_empty() {
        return Err(BenchError::Nothing);
    }
    quietly(|| figures(host, candidate, events, meter))
}

/// Events that [`measure`] tells for a list of that length.
#[must_use]
pub fn work(events: usize) -> u64 {
    (events * (2 * ROUNDS + 2)) as u64
}

fn figures(
    host: &PluginHost,
    candidate: &Candidate,
    events: &[(Timestamp, Told)],
    meter: &Meter,
) -> Result<Figures, BenchError> {
    let make = || host.instantiate(&candidate.compiled, &candidate.params);
    let compile = timed(3, || host.compile(&candidate.bytes).map(drop))?;
    let instantiate = timed(RARE, || make().map(drop))?;
    let mut instance = make()?;
    let idle = instance.usage().costs().memory;
    // Fuel first: it is the same in every round, and this one warms up as well.
    let mut fuel: Vec<Vec<u64>> = vec![Vec::new(); KINDS.len()];
    let mut intents = 0;
    let usage = instance.usage();
    let mut out = Output::default();
    for (now, told) in events {
        out.clear();
        tell(&mut instance, *now, told, &mut out)?;
        intents += out.intents.len() as u64;
        if let Some(of) = fuel.get_mut(told.kind()) {
            of.push(usage.fuel_last());
        }
    }
    meter.advance(events.len() as u64);
    let mut rounds: Vec<Vec<[f64; 3]>> = vec![Vec::new(); KINDS.len()];
    let mut whole = Vec::new();
    for round in 0..=ROUNDS {
        let (each, all) = (one_by_one(make()?, events)?, as_a_whole(make()?, events)?);
        meter.advance(2 * events.len() as u64);
        if round == 0 {
            continue;
        }
        for (kind, times) in each.into_iter().enumerate() {
            if let (Some(of), false) = (rounds.get_mut(kind), times.is_empty()) {
                of.push(summary(times));
            }
        }
        whole.push(all / events.len() as f64);
    }
    let kinds = KINDS
        .iter()
        .zip(fuel.iter_mut().zip(&rounds))
        .filter(|(_, (fuel, _))| !fuel.is_empty())
        .map(|(name, (fuel, rounds))| Kind {
            name,
            calls: fuel.len() as u64,
            nanos: [0, 1, 2].map(|n| {
                let of = rounds.iter().filter_map(|round| round.get(n).copied());
                median(of.collect())
            }),
            fuel: whole_numbers(fuel),
        })
        .collect();
    let asked = |fault| BenchError::Failed {
        at: "`snapshot`".to_owned(),
        fault,
    };
    let state = instance.snapshot().map_err(asked)?;
    let snapshot = timed(RARE, || instance.snapshot().map(drop).map_err(asked))?;
    let memory = [idle, instance.usage().costs().memory];
    let mut successors: Vec<ComponentStrategy> = Vec::new();
    for _ in 0..RARE {
        successors.push(make()?);
    }
    let mut successors = successors.iter_mut();
    let restore = timed(RARE, || match successors.next() {
        Some(one) => one.restore(&state),
        None => Ok(()),
    })?;
    Ok(Figures {
        events: events.len() as u64,
        intents,
        kinds,
        nanos_per_event: median(whole),
        compile,
        instantiate,
        snapshot,
        restore,
        state_bytes: state.len() as u64,
        memory,
    })
}

fn quietly<T>(f: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(NoSubscriber::default(), f)
}

fn tell(
    instance: &mut ComponentStrategy,
    now: Timestamp,
    told: &Told,
    out: &mut Output,
) -> Result<(), BenchError> {
    told.tell(instance, now, out)
        .map_err(|fault| BenchError::Failed {
            at: told.text(),
            fault,
        })
}

/// Nanoseconds of each call, by kind.
fn one_by_one(
    mut instance: ComponentStrategy,
    events: &[(Timestamp, Told)],
) -> Result<Vec<Vec<f64>>, BenchError> {
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); KINDS.len()];
    let mut out = Output::default();
    for (now, told) in events {
        out.clear();
        let began = Instant::now();
        let answer = tell(&mut instance, *now, told, &mut out);
        let took = began.elapsed();
        answer?;
        if let Some(of) = times.get_mut(told.kind()) {
            of.push(took.as_nanos() as f64);
        }
    }
    Ok(times)
}

/// Nanoseconds of all calls together.
fn as_a_whole(
    mut instance: ComponentStrategy,
    events: &[(Timestamp, Told)],
) -> Result<f64, BenchError> {
    let mut out = Output::default();
    let began = Instant::now();
    for (now, told) in events {
        out.clear();
        tell(&mut instance, *now, told, &mut out)?;
    }
    Ok(began.elapsed().as_nanos() as f64)
}

/// The middle one of several times.
fn timed<E>(times: usize, mut f: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let mut all = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        f()?;
        all.push(began.elapsed().as_nanos() as f64);
    }
    Ok(median(all))
}

/// By rank: the middle one, 99 of 100, and the mean.
fn summary(mut times: Vec<f64>) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / times.len().max(1) as f64;
    [rank(&times, 50), rank(&times, 99), mean]
}

fn whole_numbers(all: &mut [u64]) -> [u64; 3] {
    all.sort_unstable();
    let mean = all.iter().sum::<u64>() / (all.len() as u64).max(1);
    [rank(all, 50), rank(all, 99), mean]
}

/// The smallest value that so many of a hundred do not exceed.
fn rank<T: Copy + Default>(sorted: &[T], of_hundred: usize) -> T {
    let at = (sorted.len() * of_hundred).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    rank(&all, 50)
}

/// How the native rounds compare: nanoseconds of an event there, and how many times as long a component takes.
#[must_use]
pub fn beside(figures: &Figures, native: &[Round]) -> (f64, f64) {
    // The first only warms up.
    let each = native.iter().skip(1).map(|round| round.nanos as f64);
    let nanos = median(each.collect()) / figures.events.max(1) as f64;
    (
        nanos,
        figures.nanos_per_event / nanos.max(f64::MIN_POSITIVE),
    )
}

/// The machine, as it names itself.
#[must_use]
pub fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = model.unwrap_or_else(|| "processor unknown".to_owned());
    format!(
        "{model}, {cores} cores, {} {}",
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_of_values_that_occur() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(summary(hundred), [50.0, 99.0, 50.5]);
        assert_eq!(summary(vec![7.0]), [7.0, 7.0, 7.0]);
        assert_eq!(whole_numbers(&mut [3, 1, 2]), [2, 3, 2]);
        assert_eq!(median(Vec::new()), 0.0);
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
    }

    #[test]
    fn the_first_native_round_does_not_count() {
        let figures = Figures {
            events: 10,
            intents: 0,
            kinds: Vec::new(),
            nanos_per_event: 30.0,
            compile: 0.0,
            instantiate: 0.0,
            snapshot: 0.0,
            restore: 0.0,
            state_bytes: 0,
            memory: [0, 0],
        };
        let round = |nanos| Round { nanos, intents: 0 };
        let native = [round(9_000), round(100), round(200), round(150)];
        assert_eq!(beside(&figures, &native), (15.0, 2.0));
    }
}
