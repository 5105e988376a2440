//! Supervision with paused time: what fails is restarted, what keeps failing is given up.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

fn spec(
    name: &str,
    criticality: Criticality,
    start: impl Fn(AgentContext) -> AgentFuture + Send + Sync + 'static,
) -> AgentSpec {
    AgentSpec {
        name: name.into(),
        criticality,
        start: Arc::new(start),
        on_down: Arc::new(|| {}),
    }
}

fn find<'a>(health: &'a Health, name: &str) -> &'a AgentHealth {
    health.agents.iter().find(|a| a.name == name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_failing_agent_is_restarted_and_a_hopeless_one_given_up() {
    let board = HealthBoard::default();
    let mut all = Orchestrator::new(board.clone());
    let starts = Arc::new(AtomicU32::new(0));
    let counted = starts.clone();
    let flaky = move |context: AgentContext| -> AgentFuture {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            context.ready();
            if n < 2 {
                return Err(AgentError::Failed("boom".into()));
            }
            loop {
                context.beat();
                tokio::select! {
                    () = context.stopped() => return Ok(()),
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        })
    };
    all.start(
        spec("flaky", Criticality::Feed, flaky),
        Duration::from_secs(60),
    )
    .await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let health = board.report();
    assert_eq!(find(&health, "flaky").restarts, 2);
    assert!(find(&health, "flaky").running);

    let hopeless = |_: AgentContext| -> AgentFuture { Box::pin(async { Ok(()) }) };
    all.start(
        spec("hopeless", Criticality::Vital, hopeless),
        Duration::from_secs(1),
    )
    .await;
    assert_eq!(all.vital_lost().await, "hopeless");
    let health = board.report();
    assert_eq!(find(&health, "hopeless").state, AgentState::Failed);
    assert!(!health.healthy);
    assert_eq!(starts.load(Ordering::SeqCst), 3);
    all.stop(|_| true).await;
    assert_eq!(find(&board.report(), "flaky").state, AgentState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_progress_is_replaced_though_it_runs() {
    let board = HealthBoard::default();
    let mut all = Orchestrator::new(board.clone());
    let hung = |context: AgentContext| -> AgentFuture {
        Box::pin(async move {
            context.ready();
            std::future::pending().await
        })
    };
    all.start(
        spec("hung", Criticality::Feed, hung),
        Duration::from_secs(60),
    )
    .await;
    tokio::time::sleep(STALE_AFTER / 2).await;
    assert_eq!(find(&board.report(), "hung").restarts, 0);
    tokio::time::sleep(STALE_AFTER).await;
    let health = board.report();
    assert_eq!(find(&health, "hung").restarts, 1);
    assert!(
        find(&health, "hung")
            .last_error
            .as_deref()
            .unwrap()
            .contains("no progress")
    );
    all.stop(|_| true).await;
}

#[test]
fn backoff_doubles_to_a_minute() {
    for (failures, full) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (40, 60)] {
        let pause = supervise::backoff(failures);
        assert!(pause <= Duration::from_secs(full), "{failures}: {pause:?}");
        assert!(
            pause >= Duration::from_secs(full).mul_f64(0.8),
            "{failures}: {pause:?}"
        );
    }
}
