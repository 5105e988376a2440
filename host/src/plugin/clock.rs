//! The wall clock as a backstop: a call that outlasts its time is ended, where fuel did not end it.
//!
//! Fuel bounds a decision, and a replay meets the same bound at the same instruction. The clock ends
//! what is cheap in fuel and slow all the same. It is not repeatable, so each time it ends a call that
//! is journalled, and a replay ends that call by its number (`Strategy::stop_at`). One thread ticks for
//! the whole engine, steadily: it is never hurried to end one guest.
//!
//! What counts is time the thread had a processor for. When a call's time is up by the wall clock, the
//! processor's time is read for the first time, and the call has its time once more by that measure: a
//! machine that is busy elsewhere, or asleep, ends nobody. An idle machine ends a loop after twice the
//! limit.
//!
//! A guest is looked at where it loops or calls. It can not be ended inside of a host function or a bulk
//! operation; those are bounded by fuel and by size.

use super::error::PluginError;
use super::limits::TICK;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use wasmtime::{Engine, UpdateDeadline};

/// Counts the ticks of an engine while somebody holds it. Before it is started no time passes.
#[derive(Default)]
pub(super) struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ticker {
    /// Time passes from now on. Once is enough.
    pub(super) fn start(&self, engine: &Engine) -> Result<(), PluginError> {
        let mut thread = match self.thread.lock() {
            Ok(thread) => thread,
            Err(poisoned) => poisoned.into_inner(),
        };
        if thread.is_some() {
            return Ok(());
        }
        let (stop, engine) = (self.stop.clone(), engine.weak());
        let ticking = move || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::park_timeout(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => break,
                }
            }
        };
        let started = std::thread::Builder::new()
            .name("strategy-clock".to_owned())
            .spawn(ticking)
            .map_err(PluginError::Clock)?;
        *thread = Some(started);
        Ok(())
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().ok().and_then(|mut t| t.take());
        if let Some(thread) = thread {
            thread.thread().unpark();
            // It ends within a tick; how is of no interest.
            let _ = thread.join();
        }
    }
}

/// How long a call may take. Its ticks are counted once, not before every call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    time: Duration,
    /// After so many the call is looked at.
    pub(super) ticks: u64,
}

impl From<Duration> for Allowance {
    fn from(time: Duration) -> Self {
        let ticks = ticks(time);
        Self { time, ticks }
    }
}

/// The time of one call.
#[derive(Debug, Default)]
pub(super) struct Watch {
    limit: Duration,
    /// The thread's time of the processor when the call's time was first up.
    noticed: Option<Duration>,
}

impl Watch {
    /// A call begins.
    pub(super) fn begin(&mut self, may: Allowance) {
        self.limit = may.time;
        self.noticed = None;
    }

    /// Its time is up by the wall clock.
    pub(super) fn look(&mut self) -> UpdateDeadline {
        let now = processor_time();
        let Some(noticed) = self.noticed else {
            self.noticed = Some(now);
            return UpdateDeadline::Continue(ticks(self.limit));
        };
        let left = self.limit.saturating_sub(now.saturating_sub(noticed));
        if left.is_zero() {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(ticks(left))
        }
    }
}

/// At least two: the first may be over at once.
fn ticks(time: Duration) -> u64 {
    let whole = time.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(whole)
        .unwrap_or(u64::MAX / 2)
        .saturating_add(1)
}

/// What this thread used of the processor so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let secs = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    Duration::from_secs(secs).saturating_add(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_slept_has_its_time_once_more_and_again() {
        let mut watch = Watch::default();
        let limit = Duration::from_secs(3_600);
        assert_eq!(Allowance::from(limit).ticks, 3_600_001);
        watch.begin(limit.into());
        for _ in 0..3 {
            // The wall clock says that it is over; the processor's time says that it hardly ran.
            assert!(matches!(watch.look(), UpdateDeadline::Continue(n) if n > 3_500_000));
        }
    }

    #[test]
    fn a_call_that_ran_for_its_time_is_over() {
        let mut watch = Watch::default();
        watch.begin(Duration::ZERO.into());
        assert!(matches!(watch.look(), UpdateDeadline::Continue(1)));
        assert!(matches!(watch.look(), UpdateDeadline::Interrupt));
        watch.begin(Duration::ZERO.into());
        assert!(matches!(watch.look(), UpdateDeadline::Continue(_)));
    }
}
