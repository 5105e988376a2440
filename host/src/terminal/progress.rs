//! The progress of a long job, on a terminal: share, rate and time left, from a [`Meter`] that the job moves.
//!
//! Owns a thread that looks at the meter; the job itself never draws. Jobs that are over before the first
//! look show nothing at all.

use super::{is_live, show, size};
use crate::meter::{Counts, Meter};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The line is drawn this often.
const DRAW_EVERY: Duration = Duration::from_millis(200);
/// Widest bar.
const BAR_MAX: usize = 30;
/// Narrower than this there is no room for a bar beside the numbers.
const BAR_MIN: usize = 8;

/// A progress line, until it is dropped: then it is erased.
#[derive(Debug)]
pub struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows how far `meter` has come with `what`.
    #[must_use]
    pub fn of(what: &'static str, meter: &Meter) -> Self {
        if !is_live() {
            return Self {
                stop: None,
                thread: None,
            };
        }
        let (stop, stopped) = channel();
        let meter = meter.clone();
        let watch = move || {
            let mut started = Instant::now();
            let mut before = 0;
            while stopped.recv_timeout(DRAW_EVERY) == Err(RecvTimeoutError::Timeout) {
                let (done, total) = meter.read();
                if done < before {
                    // The next part of the job has its own rate.
                    started = Instant::now();
                }
                before = done;
                let columns = size().columns.saturating_sub(1);
                let line = line(
                    what,
                    meter.counts(),
                    (done, total),
                    started.elapsed(),
                    columns,
                );
                show(vec![line]);
            }
            show(Vec::new());
        };
        // Without its thread the job does its work all the same, unseen.
        let thread = std::thread::Builder::new().name("progress".into());
        Self {
            stop: Some(stop),
            thread: thread.spawn(watch).ok(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn line(
    what: &str,
    counts: Counts,
    (done, total): (u64, u64),
    since: Duration,
    columns: usize,
) -> String {
    let secs = since.as_secs_f64().max(0.001);
    let rate = done as f64 / secs;
    let mut numbers = format!("{}/s", number(counts, rate));
    let share = (total > 0).then(|| (done as f64 / total as f64).min(1.0));
    match share {
        Some(share) => {
            let left = if rate > 0.0 {
                let left = total.saturating_sub(done) as f64 / rate;
                format!(", {} left", time(left))
            } else {
                String::new()
            };
            numbers = format!("{:>3.0} %, {numbers}{left}", share * 100.0);
        }
        None => numbers = format!("{}, {numbers}", number(counts, done as f64)),
    }
    let room = columns.saturating_sub(what.chars().count() + numbers.chars().count() + 4);
    let line = match share.filter(|_| room >= BAR_MIN) {
        Some(share) => {
            let wide = room.min(BAR_MAX);
            let full = ((share * wide as f64) as usize).min(wide);
            let bar = format!("{}{}", "█".repeat(full), "░".repeat(wide - full));
            format!("{what} {bar} {numbers}")
        }
        None => format!("{what} {numbers}"),
    };
    line.chars().take(columns).collect()
}

fn number(counts: Counts, n: f64) -> String {
    let units = match counts {
        Counts::Bytes => [" B", " kB", " MB", " GB"],
        Counts::Records => ["", " k", " M", " G"],
    };
    let (mut n, mut unit) = (n, 0);
    while n >= 1_000.0 && unit + 1 < units.len() {
        n /= 1_000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && n < 100.0);
    format!("{n:.digits$}{}", units.get(unit).unwrap_or(&""))
}

fn time(secs: f64) -> String {
    let secs = secs.min(1e9) as u64;
    match (secs / 3_600, secs / 60 % 60, secs % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_rate_and_time_left() {
        let ten = Duration::from_secs(10);
        let shown =
            |counts, done, total, columns| line("replay", counts, (done, total), ten, columns);
        assert_eq!(
            shown(Counts::Bytes, 25_000_000, 100_000_000, 79),
            format!(
                "replay {}{}  25 %, 2.5 MB/s, 30 s left",
                "█".repeat(7),
                "░".repeat(23)
            )
        );
        assert_eq!(
            shown(Counts::Records, 120_000, 0, 79),
            "replay 120 k, 12.0 k/s"
        );
        assert_eq!(shown(Counts::Records, 0, 50, 79), {
            let bar = "░".repeat(30);
            format!("replay {bar}   0 %, 0/s")
        });
        // No room for a bar, then none for all the numbers.
        assert_eq!(
            shown(Counts::Bytes, 50, 100, 35),
            "replay  50 %, 5 B/s, 10 s left"
        );
        assert_eq!(shown(Counts::Bytes, 50, 100, 12), "replay  50 %");
        for columns in 0..90 {
            let line = shown(Counts::Bytes, 1, 3, columns);
            assert!(line.chars().count() <= columns, "{line}");
        }
        assert_eq!(time(3_725.0), "1 h 02 min");
        assert_eq!(time(f64::INFINITY), time(1e9));
    }
}
