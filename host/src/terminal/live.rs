//! The live view of a running pilot: a thread of its own that draws the latest picture, on a terminal
//! twice a second, elsewhere as one log line now and then.
//!
//! Owns the thread; what is shown is `view`'s. It never asks the engine for anything.

use super::view::Seen;
use super::{colour_wanted, is_live, is_quiet, one_line, show, size, view};
use crate::clock::Clock;
use crate::snapshot::Latest;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The view is drawn this often, and not more often.
const DRAW_EVERY: Duration = Duration::from_millis(500);
/// Where there is no terminal, a line is logged this often.
pub const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// The view, until it is dropped: then it is erased.
#[derive(Debug)]
pub struct Live {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Shows `latest` from now on, in the way that fits where standard error goes. `dashboard` is where
    /// the same can be seen in a browser.
    pub fn start(latest: Latest, dashboard: Option<String>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        if is_quiet() {
            return Ok(Self {
                stop: None,
                thread: None,
            });
        }
        let drawing = is_live();
        let watch = move || {
            if drawing {
                draw(&latest, dashboard.as_deref(), &stopped);
            } else {
                log(&latest, &stopped);
            }
        };
        let thread = std::thread::Builder::new().name("terminal".into());
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread.spawn(watch)?),
        })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Whether it is time for the next look, not for the end.
fn goes_on(stopped: &Receiver<()>, pause: Duration) -> bool {
    stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
}

fn draw(latest: &Latest, dashboard: Option<&str>, stopped: &Receiver<()>) {
    let wall = Clock::utc();
    let colour = colour_wanted(true);
    while goes_on(stopped, DRAW_EVERY) {
        let Some(snapshot) = latest.borrow().clone() else {
            continue;
        };
        let seen = Seen {
            snapshot: &snapshot,
            now: wall.now(),
            dashboard,
        };
        show(view(&seen, size(), colour));
    }
    show(Vec::new());
}

fn log(latest: &Latest, stopped: &Receiver<()>) {
    let wall = Clock::utc();
    while goes_on(stopped, PLAIN_EVERY) {
        let Some(snapshot) = latest.borrow().clone() else {
            continue;
        };
        let seen = Seen {
            snapshot: &snapshot,
            now: wall.now(),
            dashboard: None,
        };
        tracing::info!("{}", one_line(&seen));
    }
}
