//! What systemd is told, when it started the pilot (`deploy/pm-arb.service`): that it is ready, that the
//! engine's loop still turns, that it stops.
//!
//! The sign of life is the engine's own: a picture newer than the last (`snapshot`). A loop that froze
//! takes no pictures, so the watchdog runs out. Without `NOTIFY_SOCKET` nothing is said to anybody.

use crate::snapshot::Latest;
use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// A sign of life is given this often where no watchdog asks for one: its text is the unit's status.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// Tells of every picture until the engine is gone.
pub async fn tell(mut latest: Latest) {
    // Three signs of life within the watchdog's patience.
    let every = sd_notify::watchdog_enabled().map_or(STATUS_EVERY, |patience| patience / 3);
    let mut told: Option<Instant> = None;
    while latest.changed().await.is_ok() {
        if told.is_some_and(|at| at.elapsed() < every) {
            continue;
        }
        let Some(picture) = latest.borrow_and_update().clone() else {
            continue;
        };
        let trading = &picture.trading;
        let state = trading
            .halted
            .as_ref()
            .map_or_else(|| "trading".to_owned(), |why| format!("halted: {why}"));
        // One line: what stands in a reason must not become a message of its own.
        let state: String = state.chars().filter(|c| !c.is_control()).collect();
        let status = format!(
            "{state}, equity {} USD, {} open trades",
            trading.equity, trading.open_trades
        );
        let mut say = vec![NotifyState::Watchdog, NotifyState::Status(&status)];
        if told.is_none() {
            say.push(NotifyState::Ready);
        }
        notify(&say);
        told = Some(Instant::now());
    }
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(why) = sd_notify::notify(state) {
        tracing::warn!("systemd can not be told how the pilot is: {why}");
    }
}
