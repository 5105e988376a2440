//! A candidate plays what the running version was told lately, before it takes over.
//!
//! Both play: fresh instances of either, from the running one's state, are told the open markets and then
//! the tape. What traps, runs out of fuel, uses far more of it or wishes far more often than the running
//! version is refused, with the figures. Owns nothing that trades; runs anywhere but on the engine's thread.

use super::engine::{Compiled, PluginHost};
use super::error::PluginError;
use super::policy::SwapPolicy;
use super::prepare::Candidate;
use super::sources::Params;
use super::tape::Tape;
use crate::input::{Input, InputSender};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::market::MarketSpec;
use pm_arb_core::strategy::{Output, Strategy, StrategyEvent, StrategyFault};
use std::path::PathBuf;
use tokio::sync::oneshot;

/// Bytes and settings that are to take the place of what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contender {
    /// Its file and the configuration say so now.
    File([u8; 32], Params),
    /// An operator does.
    Ordered([u8; 32], Params),
}

/// What runs, as far as a rehearsal needs it.
#[derive(Debug)]
pub struct Incumbent {
    pub(super) compiled: Compiled,
    pub(super) params: Params,
    /// Its file, while there is one.
    pub(super) path: Option<PathBuf>,
    /// What it would hand over now; none where nothing is rehearsed.
    pub(super) state: Option<Vec<u8>>,
    pub(super) markets: Vec<MarketSpec>,
    /// What it was told lately; nothing where nothing is rehearsed.
    pub(super) tape: Tape,
    pub(super) policy: SwapPolicy,
}

/// Why a candidate does not take over.
#[derive(Debug, thiserror::Error)]
pub enum Unrehearsed {
    /// It can not even be set up with the state of what runs.
    #[error(transparent)]
    Setup(#[from] PluginError),
    /// It failed.
    #[error(
        "in a rehearsal on the last {calls} calls it {fault}, at call {at} of them: {told}. The running \
         version did not"
    )]
    Failed {
        /// How many there were.
        calls: usize,
        /// How.
        fault: StrategyFault,
        /// Which one it was, from 1; 0 before the first.
        at: usize,
        /// What it was told.
        told: String,
    },
    /// It uses too much fuel.
    #[error(
        "in a rehearsal on the last {calls} calls it used {is} fuel a call, above {pct} % of the {was} of \
         the running version ([swap] fuel_mean_pct)"
    )]
    Fuel {
        /// How many there were.
        calls: usize,
        /// Its own.
        is: u64,
        /// That of the running version.
        was: u64,
        /// The limit.
        pct: u64,
    },
    /// It wishes too often.
    #[error(
        "in a rehearsal on the last {calls} calls it made {is} intents, above {pct} % of the {was} of the \
         running version ([swap] rehearse_intents_pct), the last at {told}"
    )]
    Eager {
        /// How many there were.
        calls: usize,
        /// Its own.
        is: u64,
        /// Those of the running version.
        was: u64,
        /// The limit.
        pct: u64,
        /// What it was told then.
        told: String,
    },
}

/// What playing the tape came to.
#[derive(Debug, Clone, Copy, Default)]
struct Played {
    intents: u64,
    fuel_mean: u64,
    /// The call that the last intent answers.
    last: usize,
}

impl Incumbent {
    /// Lets both play.
    pub fn rehearse(
        &self,
        host: &PluginHost,
        compiled: &Compiled,
        params: &Params,
        fresh: bool,
    ) -> Result<(), Unrehearsed> {
        let form = self.compiled.described.state;
        let state = self.state.as_ref().filter(|_| !fresh);
        let state = match state {
            Some(state) if self.policy.state.carries(&compiled.described, form)? => Some(state),
            _ => None,
        };
        let calls = self.tape.len();
        if calls == 0 {
            return Ok(());
        }
        let was = self.play(host, &self.compiled, &self.params, self.state.as_ref());
        let is = self.play(host, compiled, params, state)?;
        // Where what runs can not play it either there is nothing to compare with: some strategies insist
        // on hearing everything once.
        let Ok(Ok(was)) = was else {
            return Ok(());
        };
        let is = match is {
            Ok(played) => played,
            Err((at, fault)) => {
                return Err(Unrehearsed::Failed {
                    calls,
                    fault,
                    at: at.map_or(0, |at| at + 1),
                    told: self.told(at),
                });
            }
        };
        let policy = &self.policy;
        let pct = policy.fuel_mean_pct;
        let enough = calls as u64 >= policy.fuel_calls_min;
        if enough && is.fuel_mean > was.fuel_mean.saturating_mul(pct) / 100 {
            let (is, was) = (is.fuel_mean, was.fuel_mean);
            return Err(Unrehearsed::Fuel {
                calls,
                is,
                was,
                pct,
            });
        }
        let pct = policy.rehearse_intents_pct;
        let most = was.intents.saturating_mul(pct) / 100;
        if is.intents > most.max(policy.rehearse_intents_min) {
            return Err(Unrehearsed::Eager {
                calls,
                is: is.intents,
                was: was.intents,
                pct,
                told: self.told(Some(is.last)),
            });
        }
        tracing::debug!(calls, ?is, ?was, "rehearsed");
        Ok(())
    }

    fn told(&self, call: Option<usize>) -> String {
        let told = call.and_then(|call| self.tape.calls().nth(call));
        told.map_or_else(|| "an open market".to_owned(), |(_, told)| told.text())
    }

    /// The inner error says which call failed.
    fn play(
        &self,
        host: &PluginHost,
        compiled: &Compiled,
        params: &Params,
        state: Option<&Vec<u8>>,
    ) -> Result<Result<Played, (Option<usize>, StrategyFault)>, PluginError> {
        let mut strategy = host.instantiate(compiled, params)?;
        if let Some(state) = state {
            strategy.restore(state)?;
        }
        let topics = compiled.described.manifest.topics;
        let mut out = Output::default();
        let begins = self.tape.calls().next().map_or(Timestamp(0), |(at, _)| *at);
        for market in self.markets.iter().filter(|_| topics.markets) {
            let event = StrategyEvent::MarketListed(market);
            if let Err(fault) = strategy.on_event(begins, &event, &mut out) {
                return Ok(Err((None, fault)));
            }
        }
        let mut played = Played::default();
        for (n, (at, told)) in self.tape.calls().enumerate() {
            if !told.is_heard(topics) {
                continue;
            }
            out.clear();
            if let Err(fault) = told.tell(&mut strategy, *at, &mut out) {
                return Ok(Err((Some(n), fault)));
            }
            if !out.intents.is_empty() {
                played.intents += out.intents.len() as u64;
                played.last = n;
            }
        }
        played.fuel_mean = strategy.usage().costs().fuel_mean;
        Ok(Ok(played))
    }
}

/// A candidate that does not take over.
#[derive(Debug)]
pub struct Unready {
    /// Its file.
    pub path: PathBuf,
    /// Of its bytes.
    pub digest: [u8; 32],
    /// In words.
    pub why: String,
}

/// What runs under that name now, if the engine's thread says so. Without a contender it is not asked for
/// its state.
pub async fn incumbent(
    name: &str,
    contender: Option<Contender>,
    input: &InputSender,
) -> Option<Incumbent> {
    let (answer, answered) = oneshot::channel();
    let name = name.to_owned();
    let asked = Input::Incumbent {
        name,
        contender,
        answer,
    };
    input.send(asked).await.ok()?;
    answered.await.ok()?.map(|incumbent| *incumbent)
}

/// Rehearses a candidate against what runs under its name, if something does. `of` says what it is: its
/// file's, or an operator's choice.
pub async fn rehearsed(
    candidate: Box<Candidate>,
    of: fn([u8; 32], Params) -> Contender,
    host: &PluginHost,
    input: &InputSender,
    fresh: bool,
) -> Result<Box<Candidate>, Unready> {
    let name = candidate.compiled.described.manifest.name.clone();
    let contender = of(candidate.compiled.digest, candidate.params.clone());
    let Some(incumbent) = incumbent(&name, Some(contender), input).await else {
        return Ok(candidate);
    };
    let (path, digest) = (candidate.path.clone(), candidate.compiled.digest);
    let host = host.clone();
    let work = tokio::task::spawn_blocking(move || {
        let (compiled, params) = (&candidate.compiled, &candidate.params);
        let played = incumbent.rehearse(&host, compiled, params, fresh);
        (candidate, played)
    });
    let unready = |why| Unready { path, digest, why };
    match work.await {
        Ok((candidate, Ok(()))) => Ok(candidate),
        Ok((_, Err(error))) => {
            let why = super::imports::printable(&crate::causes::chain(&error));
            Err(unready(why))
        }
        Err(error) => Err(unready(error.to_string())),
    }
}
