//! The life of one agent: run it, watch it, restart it, give it up.

use super::{
    AgentSpec, AgentState, BACKOFF_FIRST, BACKOFF_MAX, Criticality, FAILURES_MAX, HEALTHY_AFTER,
    HealthBoard, STALE_AFTER, STOP_GRACE,
};
use crate::agent::{AgentContext, AgentError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often readiness and staleness are looked at.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// How one run of an agent ended.
enum End {
    Asked,
    Failed { why: String, again: bool },
}

/// Keeps an agent alive until it is asked to stop or given up.
pub(super) async fn run(
    spec: AgentSpec,
    board: HealthBoard,
    stop: watch::Receiver<bool>,
    ready: watch::Sender<bool>,
    lost: watch::Sender<Option<String>>,
) {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let end = once(&spec, &board, &stop, &ready).await;
        let End::Failed { why, again } = end else {
            board.set_state(&spec.name, AgentState::Stopped);
            return;
        };
        (spec.on_down)();
        if began.elapsed() >= HEALTHY_AFTER {
            failures = 0;
        }
        failures += 1;
        board.failed(&spec.name, &why);
        if !again || failures >= FAILURES_MAX {
            board.set_state(&spec.name, AgentState::Failed);
            tracing::error!(agent = %spec.name, failures, "given up: {why}");
            // Whoever waits for readiness waits in vain.
            ready.send_replace(true);
            if spec.criticality == Criticality::Vital {
                lost.send_replace(Some(spec.name.clone()));
            }
            return;
        }
        board.set_state(&spec.name, AgentState::Backoff);
        let pause = backoff(failures);
        tracing::warn!(agent = %spec.name, failures, "failed: {why}; starting again in {:.1} s", pause.as_secs_f64());
        let mut stopping = stop.clone();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|s| *s) => {
                board.set_state(&spec.name, AgentState::Stopped);
                return;
            }
            () = tokio::time::sleep(pause) => {}
        }
        board.restarted(&spec.name);
    }
}

/// One second, doubling, at most a minute, less up to a fifth so that agents do not restart in step.
pub(super) fn backoff(failures: u32) -> Duration {
    let full = BACKOFF_FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(6))
        .min(BACKOFF_MAX);
    // Jitter needs no quality: the address of a fresh hasher's keys is random enough.
    let noise =
        std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), failures);
    full - full.mul_f64(0.2 * (noise % 1_000) as f64 / 1_000.0)
}

async fn once(
    spec: &AgentSpec,
    board: &HealthBoard,
    stop: &watch::Receiver<bool>,
    ready: &watch::Sender<bool>,
) -> End {
    // A second switch, so that a stale agent can be stopped alone.
    let (own_stop, own_stopping) = watch::channel(false);
    let context = AgentContext::new(own_stopping).on(board.feeds().clone());
    board.attach(&spec.name, context.clone());
    board.set_state(&spec.name, AgentState::Starting);
    let mut task = tokio::spawn((spec.start)(context.clone()));
    let mut stopping = stop.clone();
    let mut announced = false;
    let end = loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|s| *s) => break End::Asked,
            ended = &mut task => return match ended {
                Ok(Ok(())) => End::Failed { why: "ended without being asked".into(), again: true },
                Ok(Err(AgentError::Failed(why))) => End::Failed { why, again: true },
                Ok(Err(AgentError::Fatal(why))) => End::Failed { why, again: false },
                Err(panic) => End::Failed { why: format!("panicked: {panic}"), again: true },
            },
            () = tokio::time::sleep(WATCH_EVERY) => {
                if !announced && context.is_ready() {
                    announced = true;
                    board.set_state(&spec.name, AgentState::Running);
                    ready.send_replace(true);
                }
                if context.silence() > STALE_AFTER {
                    break End::Failed { why: format!("no progress for {} s", STALE_AFTER.as_secs()), again: true };
                }
            }
        }
    };
    own_stop.send_replace(true);
    if tokio::time::timeout(STOP_GRACE, &mut task).await.is_err() {
        task.abort();
    }
    end
}
