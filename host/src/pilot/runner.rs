//! The engine's thread: takes inputs in order, records them, releases effects when they are durable.
//!
//! An input without effects costs no disk flush. Nothing here waits for a database or a bus longer
//! than their bounded queues say; what happens at those bounds is `outlets`' answer.

use super::outlets::{OutletError, Outlets};
use super::session::{LoaderView, Session, SessionError, attend};
use crate::clock::Clock;
use crate::input::{Input, InputReceiver};
use crate::plugin::{Loader, LoaderError};
use pm_arb_core::event::Event;
use pm_arb_core::ids::Timestamp;
use std::time::{Duration, Instant};

/// Messages handled between two looks at the disk and the clock.
const BATCH: usize = 64;
/// Without effects, the journal is flushed this often.
const COMMIT_IDLE: Duration = Duration::from_secs(1);
/// Turns longer ago than two of these say nothing of how long one takes now.
const TURNS_WINDOW: Duration = Duration::from_secs(10);
/// The loop turns at least this often.
const TURN: Duration = Duration::from_millis(500);

/// Why the engine's thread ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The run can not go on.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The strategies' loader can not go on.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// What was concluded can not be stored.
    #[error(transparent)]
    Outlet(#[from] OutletError),
}

/// How time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// By the run's clock; what the engine waits for happens by itself.
    Clock,
    /// By the recording that is fed in; nothing happens between its records.
    Recording,
}

/// The engine's thread.
pub struct Runner {
    /// The run.
    pub session: Session,
    /// Its strategies.
    pub loader: Loader,
    /// Where effects go.
    pub outlets: Outlets,
    /// The run's clock.
    pub clock: Clock,
    /// Whether it is asked.
    pub time: TimeSource,
    /// How long its own turns take.
    pub turns: Turns,
}

/// The longest turn that led to effects within this window of time and the one before: from taking a
/// message to its effects being free to go.
#[derive(Debug)]
pub struct Turns {
    since: Instant,
    before: Duration,
    now: Duration,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            before: Duration::ZERO,
            now: Duration::ZERO,
        }
    }
}

impl Turns {
    fn took(&mut self, turn: Duration) {
        if self.since.elapsed() >= TURNS_WINDOW {
            self.since = Instant::now();
            self.before = std::mem::take(&mut self.now);
        }
        self.now = self.now.max(turn);
    }

    fn longest(&self) -> Duration {
        self.now.max(self.before)
    }
}

impl Runner {
    /// Runs until told to stop or every sender is gone, and gives the run back. Blocks; call it on a
    /// thread of its own, outside of any asynchronous context.
    pub fn run(
        mut self,
        mut input: InputReceiver,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Session, RunnerError> {
        let mut flushed = Instant::now();
        let mut going = true;
        while going {
            let patience = self.patience();
            // Strategies are called below, outside of this block: a component must not be called
            // from within an asynchronous context.
            let got =
                runtime.block_on(async { tokio::time::timeout(patience, input.recv()).await });
            let turn = Instant::now();
            match got {
                Err(_) => {}
                Ok(None) => going = false,
                Ok(Some(first)) => {
                    going = self.handle(first)?;
                    let mut handled = 1;
                    while going && handled < BATCH {
                        let Ok(next) = input.try_recv() else { break };
                        going = self.handle(next)?;
                        handled += 1;
                    }
                }
            }
            self.tend()?;
            let concluded = self.session.has_waiting();
            if concluded || !going || flushed.elapsed() >= COMMIT_IDLE {
                self.release()?;
                flushed = Instant::now();
            }
            if concluded {
                self.turns.took(turn.elapsed());
            }
            self.outlets.turn(&self.session, &self.loader);
        }
        let through = self.session.last_seq();
        self.outlets.count(&self.session.engine, through, true)?;
        Ok(self.session)
    }

    fn patience(&self) -> Duration {
        match (self.time, self.session.wake_at()) {
            (TimeSource::Clock, Some(at)) => self.clock.until(at).min(TURN),
            _ => TURN,
        }
    }

    /// Handles one message; false when it was the last.
    fn handle(&mut self, message: Input) -> Result<bool, RunnerError> {
        match message {
            Input::Feed { received, events } => {
                let at = self.now(received);
                for mut event in events {
                    self.complete(&mut event);
                    self.outlets.observe(&event);
                    self.session.record(at, event)?;
                    self.attend()?;
                }
            }
            Input::Command(command) => {
                let at = self.now(self.session.last_at());
                self.session.record(at, Event::Command(command))?;
            }
            Input::Operator { command, done } => {
                let at = self.now(self.session.last_at());
                let seq = self.session.record(at, Event::Command(command))?;
                self.release()?;
                self.outlets.show_halt(&self.session.engine);
                // Whoever asked may have gone; the command stands.
                let _ = done.send(seq);
            }
            Input::Why { about, answer } => {
                // Whoever asked may have gone.
                let _ = answer.send(crate::why::live::of(&self.session.engine, &about));
            }
            Input::Strategies(message) => {
                let at = self.be_current()?;
                let port = &mut LoaderView {
                    session: &mut self.session,
                    at,
                };
                self.loader.handle(message, port)?;
                self.attend()?;
            }
            Input::Recipe { name, back, answer } => {
                // Whoever asked may have gone.
                let _ = answer.send(self.loader.recipe(&name, back));
            }
            Input::Incumbent {
                name,
                contender,
                answer,
            } => {
                let at = self.be_current()?;
                let port = &mut LoaderView {
                    session: &mut self.session,
                    at,
                };
                let incumbent = self.loader.incumbent(&name, contender.as_ref(), port)?;
                self.attend()?;
                // Whoever asked may have gone.
                let _ = answer.send(incumbent.map(Box::new));
            }
            Input::Order { order, done } => {
                let at = self.be_current()?;
                let port = &mut LoaderView {
                    session: &mut self.session,
                    at,
                };
                let answer = self.loader.order(order, port)?;
                self.attend()?;
                self.release()?;
                let _ = done.send(answer);
            }
            Input::Stop => return Ok(false),
        }
        Ok(true)
    }

    /// What is due without an input: timers, failed strategies.
    fn tend(&mut self) -> Result<(), RunnerError> {
        let at = self.now(self.session.last_at());
        self.attend()?;
        if self.loader.next_due().is_some_and(|due| due <= at) {
            self.loader.tick(
                at,
                &mut LoaderView {
                    session: &mut self.session,
                    at,
                },
            )?;
        }
        if self.time == TimeSource::Clock && self.session.wake_at().is_some_and(|wake| wake <= at) {
            self.session.record(at, Event::Tick)?;
            self.attend()?;
        }
        Ok(())
    }

    /// Brings the engine to the present before strategies change: what is due is the old one's, and
    /// between asking for its state and the records that follow nothing is told.
    fn be_current(&mut self) -> Result<Timestamp, RunnerError> {
        let at = self.now(self.session.last_at());
        if self.time == TimeSource::Clock && self.session.wake_at().is_some_and(|wake| wake <= at) {
            self.session.record(at, Event::Tick)?;
        }
        self.attend()?;
        Ok(at)
    }

    /// A failure is the generation's that failed: the loader hears of it before anything else changes.
    fn attend(&mut self) -> Result<(), RunnerError> {
        if !self.session.has_failed() {
            return Ok(());
        }
        let at = self.now(self.session.last_at());
        Ok(attend(&mut self.session, &mut self.loader, at)?)
    }

    /// The way to a venue begins with our own turn, which only we know. A recording tells its own.
    fn complete(&mut self, event: &mut Event) {
        if self.time == TimeSource::Clock
            && let Event::Latency { own, .. } = event
        {
            let turn = self.turns.longest().as_nanos();
            own.0 = own
                .0
                .saturating_add(u64::try_from(turn).unwrap_or(u64::MAX));
        }
    }

    fn release(&mut self) -> Result<(), RunnerError> {
        let effects = self.session.commit()?;
        self.outlets.release(effects)?;
        let through = self.session.last_seq();
        self.outlets.count(&self.session.engine, through, false)?;
        Ok(())
    }

    fn now(&self, received: Timestamp) -> Timestamp {
        match self.time {
            TimeSource::Clock => self.clock.now(),
            TimeSource::Recording => received,
        }
    }
}
