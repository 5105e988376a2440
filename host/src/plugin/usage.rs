//! What an instance used: fuel, time, memory, and its last words.
//!
//! Written by the engine's thread around each call, read by whoever takes a picture of the pilot. It
//! decides nothing: a replay runs under the same limits whatever is counted here. Counting a call costs
//! a few stores to memory; the clock is read around one call in [`TIMED_EVERY`] only.

use pm_arb_core::ids::Timestamp;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// One call in so many is timed.
pub const TIMED_EVERY: u64 = 16;
/// Lines of a strategy's log that are kept to be shown; the oldest goes first.
pub const LINES_KEPT: usize = 20;
/// Steps of the histogram of times to each doubling: a quantile is told to a quarter of itself.
const STEPS: u32 = 4;
/// Doublings from 64 ns on; what takes longer than 17 s is counted with it.
const DOUBLINGS: u32 = 28;
/// The first doubling's power of two.
const FIRST: u32 = 6;
/// Steps in all.
const BUCKETS: usize = (STEPS * DOUBLINGS) as usize;

/// A line of a strategy's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The time of the event it was written at.
    pub at: Timestamp,
    /// `debug`, `info`, `warn`, `error`.
    pub level: &'static str,
    /// Without control characters.
    pub text: String,
}

/// See the top of the file. One writer; numbers of one look may be a call apart.
#[derive(Debug)]
pub struct Usage {
    calls: AtomicU64,
    fuel_last: AtomicU64,
    fuel_max: AtomicU64,
    fuel_sum: AtomicU64,
    timed: AtomicU64,
    time_sum: AtomicU64,
    time_max: AtomicU64,
    times: [AtomicU32; BUCKETS],
    memory: AtomicU64,
    lines: Mutex<VecDeque<LogLine>>,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            calls: AtomicU64::new(0),
            fuel_last: AtomicU64::new(0),
            fuel_max: AtomicU64::new(0),
            fuel_sum: AtomicU64::new(0),
            timed: AtomicU64::new(0),
            time_sum: AtomicU64::new(0),
            time_max: AtomicU64::new(0),
            times: [const { AtomicU32::new(0) }; BUCKETS],
            memory: AtomicU64::new(0),
            lines: Mutex::default(),
        }
    }
}

/// What the calls of an instance cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Costs {
    /// Events it was told.
    pub calls: u64,
    /// Fuel of the last call.
    pub fuel_last: u64,
    /// Fuel of a call on average.
    pub fuel_mean: u64,
    /// Fuel of all calls.
    pub fuel_sum: u64,
    /// Fuel of the dearest call.
    pub fuel_max: u64,
    /// Calls that were timed.
    pub timed: u64,
    /// Time of a timed call on average.
    pub time_mean: Duration,
    /// 99 of 100 timed calls took no longer, to a quarter.
    pub time_p99: Duration,
    /// Time of the slowest timed call.
    pub time_max: Duration,
    /// All its linear memories.
    pub memory: u64,
}

/// There is one writer, so that no read-modify-write of the processor's is needed.
fn add(to: &AtomicU64, n: u64) {
    to.store(to.load(Relaxed).wrapping_add(n), Relaxed);
}

fn raise(to: &AtomicU64, n: u64) {
    if n > to.load(Relaxed) {
        to.store(n, Relaxed);
    }
}

impl Usage {
    /// Whether the next call is to be timed.
    pub(super) fn is_timed(&self) -> bool {
        self.calls.load(Relaxed).is_multiple_of(TIMED_EVERY)
    }

    /// Fuel of the dearest call so far.
    pub(super) fn fuel_max(&self) -> u64 {
        self.fuel_max.load(Relaxed)
    }

    /// An event was told.
    pub(super) fn called(&self, fuel: u64, memory: usize, took: Option<Duration>) {
        add(&self.calls, 1);
        self.fuel_last.store(fuel, Relaxed);
        add(&self.fuel_sum, fuel);
        raise(&self.fuel_max, fuel);
        self.memory.store(memory as u64, Relaxed);
        if let Some(took) = took {
            let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            add(&self.timed, 1);
            add(&self.time_sum, ns);
            raise(&self.time_max, ns);
            if let Some(bucket) = self.times.get(bucket_of(ns)) {
                bucket.store(bucket.load(Relaxed).saturating_add(1), Relaxed);
            }
        }
    }

    /// What it holds after it was set up.
    pub(super) fn holds(&self, memory: usize) {
        self.memory.store(memory as u64, Relaxed);
    }

    pub(super) fn wrote(&self, line: LogLine) {
        let Ok(mut lines) = self.lines.lock() else {
            return;
        };
        if lines.len() >= LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The last lines of the one before stand before its own.
    pub(super) fn follows(&self, before: &Usage) {
        let old = before.lines();
        let Ok(mut lines) = self.lines.lock() else {
            return;
        };
        for line in old.into_iter().rev() {
            if lines.len() >= LINES_KEPT {
                break;
            }
            lines.push_front(line);
        }
    }

    /// The last lines it wrote, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines
            .lock()
            .map(|lines| lines.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// The same, and they are not kept any longer.
    pub(crate) fn take_lines(&self) -> Vec<LogLine> {
        let lines = self.lines.lock();
        lines.map_or_else(|_| Vec::new(), |mut lines| lines.drain(..).collect())
    }

    /// Fuel of the last call.
    pub(crate) fn fuel_last(&self) -> u64 {
        self.fuel_last.load(Relaxed)
    }

    /// What its calls cost so far.
    #[must_use]
    pub fn costs(&self) -> Costs {
        let (calls, timed) = (self.calls.load(Relaxed), self.timed.load(Relaxed));
        let mean = |sum: &AtomicU64, n: u64| sum.load(Relaxed).checked_div(n).unwrap_or(0);
        let slowest = self.time_max.load(Relaxed);
        Costs {
            calls,
            fuel_last: self.fuel_last.load(Relaxed),
            fuel_mean: mean(&self.fuel_sum, calls),
            fuel_sum: self.fuel_sum.load(Relaxed),
            fuel_max: self.fuel_max.load(Relaxed),
            timed,
            time_mean: Duration::from_nanos(mean(&self.time_sum, timed)),
            time_p99: Duration::from_nanos(self.p99().min(slowest)),
            time_max: Duration::from_nanos(slowest),
            memory: self.memory.load(Relaxed),
        }
    }

    /// The upper end of the step that the 99th of 100 lies in.
    fn p99(&self) -> u64 {
        let counts: Vec<u64> = self
            .times
            .iter()
            .map(|n| u64::from(n.load(Relaxed)))
            .collect();
        let beyond = counts.iter().sum::<u64>() / 100;
        let mut above = 0;
        for (bucket, count) in counts.iter().enumerate().rev() {
            above += count;
            if above > beyond {
                return end_of(bucket);
            }
        }
        0
    }
}

fn bucket_of(ns: u64) -> usize {
    let Some(doubling) = ns.max(1).ilog2().checked_sub(FIRST) else {
        return 0;
    };
    // The two bits below the highest one: which quarter of the doubling.
    let step = (ns >> (doubling + FIRST - 2)) & 3;
    let bucket = u64::from(doubling * STEPS) + step;
    usize::try_from(bucket)
        .unwrap_or(usize::MAX)
        .min(BUCKETS - 1)
}

/// The first time that is too long for a bucket.
fn end_of(bucket: usize) -> u64 {
    let bucket = u32::try_from(bucket).unwrap_or(u32::MAX);
    let start = 1_u64 << (FIRST + bucket / STEPS).min(62);
    start + (start / u64::from(STEPS)) * u64::from(bucket % STEPS + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_quarter_and_never_beyond_the_slowest() {
        let usage = Usage::default();
        for us in 1..=1_000_u64 {
            usage.called(us, 65_536, Some(Duration::from_micros(us)));
        }
        let costs = usage.costs();
        assert_eq!((costs.calls, costs.timed), (1_000, 1_000));
        assert_eq!(
            (costs.fuel_last, costs.fuel_max, costs.fuel_mean),
            (1_000, 1_000, 500)
        );
        assert_eq!(costs.time_mean, Duration::from_nanos(500_500));
        assert!(
            costs.time_p99 >= Duration::from_micros(990) && costs.time_p99 <= costs.time_max,
            "{costs:?}"
        );
        usage.called(5, 65_536, None);
        assert_eq!(usage.costs().timed, 1_000, "not every call is timed");
    }

    #[test]
    fn every_time_lies_in_its_bucket() {
        for ns in [0, 1, 63, 64, 79, 80, 127, 128, 1_000, 123_456_789, u64::MAX] {
            let bucket = bucket_of(ns);
            assert!(bucket < BUCKETS);
            if (64..1 << 33).contains(&ns) {
                assert!(
                    ns < end_of(bucket) && ns >= end_of(bucket.saturating_sub(1)) || bucket == 0,
                    "{ns}"
                );
            }
        }
        assert_eq!(Usage::default().costs(), Costs::default());
    }

    #[test]
    fn the_last_lines_are_kept_over_generations() {
        let line = |n: usize| LogLine {
            at: Timestamp(0),
            level: "info",
            text: n.to_string(),
        };
        let (old, new) = (Usage::default(), Usage::default());
        (0..LINES_KEPT + 3).for_each(|n| old.wrote(line(n)));
        new.wrote(line(99));
        new.follows(&old);
        let texts: Vec<String> = new.lines().into_iter().map(|l| l.text).collect();
        assert_eq!(texts.len(), LINES_KEPT);
        assert_eq!(
            (texts[0].as_str(), texts[LINES_KEPT - 1].as_str()),
            ("4", "99")
        );
    }
}
