//! Keeps the wanted shadows running: a thread each, at the lowest priority, half a core at most.
//!
//! What a shadow comes to is ordered like an operator would; until the engine's thread has taken the
//! order it is tried again. A shadow's thread shares no lock with the engine's, which would have to wait for
//! one of the lowest priority: its figures go by the keeper.

use super::board::{Shadows, Wanted};
use super::follower::{Ending, Follower, ShadowError, Step};
use super::policy::Policy;
use super::report::ShadowRow;
use super::{BEHIND_MAX, SHADOWS_MAX};
use crate::agent::{AgentContext, AgentError};
use crate::causes::chain;
use crate::control::StrategyAction;
use crate::pilot::operator::Operator;
use crate::plugin::{OrderError, PluginHost};
use crate::snapshot::Latest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked what is wanted.
const EVERY: Duration = Duration::from_millis(250);
/// Records stepped between two pauses.
const BURST: u64 = 256;
/// How long a shadow that has read everything waits for more.
const IDLE: Duration = Duration::from_millis(200);
/// How often figures are brought up to date and judged.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// Nice value of a shadow's thread: it runs when nothing else wants to.
const NICE: i32 = 19;

/// What the keeper works with.
#[derive(Clone)]
pub struct Keeper {
    /// What is wanted.
    pub shadows: Shadows,
    /// `[shadow]`.
    pub policy: Policy,
    /// The run's folder.
    pub run: PathBuf,
    /// Compiles and instantiates.
    pub host: PluginHost,
    /// Orders what a shadow comes to.
    pub operator: Operator,
    /// How far the run is.
    pub latest: Latest,
}

/// What the keeper and the thread of a shadow tell each other.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// The last record of the run.
    reached: AtomicU64,
    /// The newest figures, until the keeper takes them.
    row: Mutex<Option<ShadowRow>>,
}

impl Shared {
    fn row(&self) -> MutexGuard<'_, Option<ShadowRow>> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One shadow.
struct Running {
    number: u32,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Option<Ending>>>,
    ending: Option<Ending>,
    deciding: Option<tokio::task::JoinHandle<bool>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
    }
}

/// The agent.
pub async fn run(context: AgentContext, keeper: Keeper) -> Result<(), AgentError> {
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    context.ready();
    loop {
        tokio::select! {
            biased;
            () = context.stopped() => return Ok(()),
            () = tokio::time::sleep(EVERY) => context.beat(),
        }
        let reached = keeper.latest.borrow().as_deref().map(|p| p.run.seq);
        let wanted = keeper.shadows.wanted();
        running.retain(|name, shadow| {
            let mut still = wanted.iter();
            still.any(|wanted| wanted.name == *name && wanted.number == shadow.number)
        });
        // More than this only when a journal of another configuration tells of more.
        for wanted in wanted.iter().take(SHADOWS_MAX) {
            let began = match running.get(&wanted.name) {
                Some(_) => Ok(()),
                None => begin(&keeper, wanted).map(|shadow| {
                    running.insert(wanted.name.clone(), shadow);
                }),
            };
            began.map_err(|error| {
                AgentError::Failed(format!("a shadow's thread can not be started: {error}"))
            })?;
        }
        for (name, shadow) in &mut running {
            if let Some(reached) = reached {
                shadow.shared.reached.store(reached, Relaxed);
            }
            if let Some(mut row) = shadow.shared.row().take() {
                row.behind = reached.unwrap_or(0).saturating_sub(row.seq);
                keeper.shadows.show(row);
            }
            tend(&keeper, name, shadow).await;
        }
    }
}

fn begin(keeper: &Keeper, wanted: &Wanted) -> std::io::Result<Running> {
    let shared = Arc::new(Shared::default());
    let (keeper, wanted, told) = (keeper.clone(), wanted.clone(), shared.clone());
    let number = wanted.number;
    let thread = std::thread::Builder::new()
        .name(format!("shadow-{}", wanted.name))
        .spawn(move || follow(&keeper, wanted, &told))?;
    Ok(Running {
        number,
        shared,
        thread: Some(thread),
        ending: None,
        deciding: None,
    })
}

/// Asks for what an ended shadow came to, until it is taken.
async fn tend(keeper: &Keeper, name: &str, shadow: &mut Running) {
    if shadow.thread.as_ref().is_some_and(JoinHandle::is_finished)
        && let Some(thread) = shadow.thread.take()
    {
        let lost = || Some(Ending::Over("its thread failed".to_owned()));
        shadow.ending = thread.join().unwrap_or_else(|_| lost());
    }
    if let Some(deciding) = shadow.deciding.take_if(|deciding| deciding.is_finished())
        && deciding.await.unwrap_or(false)
    {
        shadow.ending = None;
    }
    if shadow.deciding.is_none()
        && let Some(ending) = shadow.ending.clone()
    {
        let (operator, name) = (keeper.operator.clone(), name.to_owned());
        shadow.deciding = Some(tokio::spawn(decide(operator, name, ending)));
    }
}

/// Whether the engine's thread took it.
async fn decide(operator: Operator, name: String, ending: Ending) -> bool {
    let why = match ending {
        Ending::Over(why) => why,
        Ending::Better(why) => {
            let (action, note) = (StrategyAction::Promote, format!("by test: {why}"));
            match operator.perform(name.clone(), action, note).await {
                Ok(_) => return true,
                Err(OrderError::NotTaken) => return false,
                Err(error) => format!("better ({why}), but {error}"),
            }
        }
    };
    let over = operator.end_shadow(name, why).await;
    !matches!(over, Err(OrderError::NotTaken))
}

/// The thread of one shadow. `None` when it was stopped.
fn follow(keeper: &Keeper, wanted: Wanted, shared: &Shared) -> Option<Ending> {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "a shadow's thread keeps its priority");
    }
    let name = wanted.name.clone();
    let _span = tracing::info_span!("shadow", of = name).entered();
    match pursue(keeper, wanted, shared) {
        Ok(ending) => ending,
        Err(error) => Some(Ending::Over(chain(&error))),
    }
}

fn pursue(keeper: &Keeper, wanted: Wanted, shared: &Shared) -> Result<Option<Ending>, ShadowError> {
    let (run, host): (&Path, _) = (&keeper.run, &keeper.host);
    let mut follower = Follower::open(run, host, wanted, keeper.policy.clone())?;
    let (mut shown, mut shown_seq, mut caught_up) = (Instant::now(), 0, false);
    while !shared.stop.load(Relaxed) {
        let began = Instant::now();
        let step = follower.advance(BURST)?;
        let worked = began.elapsed();
        let over = matches!(step, Step::Ended(_));
        if over || shown.elapsed() >= SHOW_EVERY {
            let (mut row, ending) = follower.judge();
            let read = follower.seq().saturating_sub(shown_seq) as f64;
            row.records_per_second = (read / shown.elapsed().as_secs_f64().max(1e-3)) as u64;
            *shared.row() = Some(row);
            (shown, shown_seq) = (Instant::now(), follower.seq());
            if !over && ending.is_some() {
                return Ok(ending);
            }
        }
        match step {
            Step::Ended(ending) => return Ok(Some(ending)),
            Step::CaughtUp => {
                caught_up = true;
                std::thread::sleep(IDLE);
            }
            // As long as it worked: half of a core, however much there is to read.
            Step::More => std::thread::sleep(worked),
        }
        let reached = shared.reached.load(Relaxed);
        let behind = reached.saturating_sub(follower.seq());
        if caught_up && behind > BEHIND_MAX {
            let why = format!("it can not keep up: {behind} records behind, {BEHIND_MAX} may be");
            return Ok(Some(Ending::Over(why)));
        }
    }
    Ok(None)
}
