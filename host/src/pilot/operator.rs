//! Orders about strategies, from whoever speaks through the control socket to the engine's thread.
//!
//! Owns what takes time: reading the bytes of a swap, finding those of a rollback in the run's archive,
//! compiling and probing them. It changes nothing itself; the loader does, between two events.

use crate::causes::chain;
use crate::control::StrategyAction;
use crate::input::{Input, InputSender};
use crate::journal::archive;
use crate::plugin::sources::Params;
use crate::plugin::{
    Candidate, Contender, Done, Order, OrderError, Preparer, Recipe, What, digest,
};
use crate::plugin::{prepare, rehearse};
use crate::shadow::Shadows;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the engine's thread may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// How long reading, compiling and probing may take.
const PREPARE_PATIENCE: Duration = Duration::from_secs(30);
/// How long an order may take in all.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// See the top of the file.
#[derive(Clone)]
pub struct Operator {
    /// The run's folder.
    pub run: PathBuf,
    /// Makes bytes ready.
    pub preparer: Preparer,
    /// To the engine's thread.
    pub input: InputSender,
    /// Candidates beside what runs.
    pub shadows: Shadows,
}

impl Operator {
    /// Has it done, or says why not.
    pub async fn perform(
        &self,
        name: String,
        action: StrategyAction,
        note: String,
    ) -> Result<Done, OrderError> {
        let what = match action {
            StrategyAction::Swap { file, fresh } => {
                let recipe = self.recipe(&name, false).await?;
                let made = self.prepare(recipe, file).await;
                let made = self.rehearse(made, &name, fresh).await;
                ready(made, |candidate| What::Swap { candidate, fresh })
            }
            StrategyAction::Rollback { fresh } => {
                let recipe = self.recipe(&name, true).await?;
                let made = self
                    .prepare(recipe, PathBuf::from("the run's archive"))
                    .await;
                ready(made, |candidate| What::RollBack { candidate, fresh })
            }
            StrategyAction::Pin => What::Pin,
            StrategyAction::Unpin => What::Unpin,
            StrategyAction::Quarantine => What::Quarantine,
            StrategyAction::Release => What::Release,
            StrategyAction::Shadow { file, set, fresh } => {
                let mut recipe = self.recipe(&name, false).await?;
                recipe.params = with(recipe.params, set);
                let made = self.prepare(recipe, file).await;
                ready(made, |candidate| What::Shadow { candidate, fresh })
            }
            StrategyAction::Promote => {
                self.recipe(&name, false).await?;
                let Some(wanted) = self.shadows.of(&name) else {
                    return Err(OrderError::NoShadow { name });
                };
                let recipe = Recipe {
                    params: wanted.candidate.params,
                    digest: Some(wanted.candidate.digest),
                };
                let made = self
                    .prepare(recipe, PathBuf::from("the run's archive"))
                    .await;
                ready(made, |candidate| What::Promote { candidate })
            }
            StrategyAction::Dismiss => What::Dismiss { why: None },
        };
        self.order(Order { name, what, note }).await
    }

    /// A shadow is over by itself.
    pub async fn end_shadow(&self, name: String, why: String) -> Result<Done, OrderError> {
        let what = What::Dismiss { why: Some(why) };
        let note = String::new();
        self.order(Order { name, what, note }).await
    }

    async fn order(&self, order: Order) -> Result<Done, OrderError> {
        let (done, answered) = oneshot::channel();
        self.tell(Input::Order { order, done }, answered).await
    }

    /// Against what runs, unless it is another strategy: that is refused where it is ordered.
    async fn rehearse(
        &self,
        made: Result<Box<Candidate>, Unfit>,
        name: &str,
        fresh: bool,
    ) -> Result<Box<Candidate>, Unfit> {
        let candidate = made?;
        if candidate.compiled.described.manifest.name != name {
            return Ok(candidate);
        }
        let (host, of) = (self.preparer.host(), Contender::Ordered);
        let rehearsed = rehearse::rehearsed(candidate, of, host, &self.input, fresh).await;
        rehearsed.map_err(|unready| Unfit::of(unready.path, Some(unready.digest), unready.why))
    }

    async fn recipe(&self, name: &str, back: bool) -> Result<Recipe, OrderError> {
        let (answer, answered) = oneshot::channel();
        let name = name.to_owned();
        self.tell(Input::Recipe { name, back, answer }, answered)
            .await
    }

    async fn tell<T>(
        &self,
        input: Input,
        answered: oneshot::Receiver<Result<T, OrderError>>,
    ) -> Result<T, OrderError> {
        let asked = async {
            self.input.send(input).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(ANSWER_PATIENCE, asked).await {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => Err(OrderError::NotTaken),
        }
    }

    async fn prepare(&self, recipe: Recipe, file: PathBuf) -> Result<Box<Candidate>, Unfit> {
        let (run, preparer, path) = (self.run.clone(), self.preparer.clone(), file.clone());
        let work = tokio::task::spawn_blocking(move || make(&run, &preparer, recipe, &path));
        match tokio::time::timeout(PREPARE_PATIENCE, work).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => Err(Unfit::of(file, None, error.to_string())),
            // It goes on and is thrown away when it ends; compiling can not be stopped half-way.
            Err(_) => {
                let why = format!("it was not ready after {} s", PREPARE_PATIENCE.as_secs());
                Err(Unfit::of(file, None, why))
            }
        }
    }
}

/// Settings with others on top, in order.
fn with(params: Params, set: Params) -> Params {
    let all: BTreeMap<String, String> = params.into_iter().chain(set).collect();
    all.into_iter().collect()
}

/// Bytes that can not be made ready.
struct Unfit {
    path: PathBuf,
    digest: Option<[u8; 32]>,
    why: String,
}

impl Unfit {
    fn of(path: PathBuf, digest: Option<[u8; 32]>, why: String) -> Self {
        Self { path, digest, why }
    }
}

fn ready(made: Result<Box<Candidate>, Unfit>, what: impl FnOnce(Box<Candidate>) -> What) -> What {
    match made {
        Ok(candidate) => what(candidate),
        Err(Unfit { path, digest, why }) => What::Unfit { path, digest, why },
    }
}

fn make(
    run: &Path,
    preparer: &Preparer,
    recipe: Recipe,
    path: &Path,
) -> Result<Box<Candidate>, Unfit> {
    let unfit = |digest, why| Unfit::of(path.to_owned(), digest, why);
    let bytes = match &recipe.digest {
        Some(digest) => archive::load_strategy(run, digest)
            .map_err(|error| unfit(Some(*digest), chain(&error)))?,
        None => {
            let max = preparer.host().file_bytes_max();
            let read = prepare::read(path, max);
            let (_, bytes) =
                read.map_err(|e| unfit(None, format!("{}: {}", path.display(), chain(&e))))?;
            bytes
        }
    };
    let digest = digest(&bytes);
    preparer
        .prepare_with(path, bytes, recipe.params)
        .map(Box::new)
        .map_err(|error| unfit(Some(digest), error.story()))
}
