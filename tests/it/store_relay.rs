//! The relay: nothing is lost, doubled or hidden, whatever happens to the database or to callers.

use crate::services::on_both;
use crate::services::{Line, Place, Proxy};
use crate::store::{RUN, count, insert, opened, row, update};
use crate::trades::{bought, settled};
use pm_arb::agent::{AgentContext, AgentError};
use pm_arb::store::{RelayError, Store, relay};
use pm_arb_core::ids::{Seq, Timestamp};
use pm_arb_core::units::Usd;
use std::time::Duration;
use tokio::sync::watch;

on_both! {
    the_relay_stores_everything_it_was_given
    a_contradiction_ends_the_relay_for_good
}

/// A relay that runs, and how to stop it.
struct Running {
    handle: pm_arb::store::RelayHandle,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Result<(), AgentError>>,
}

fn start_relay(store: &Store) -> Running {
    let (handle, relay) = relay(store.clone(), RUN, Seq(0));
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(async move { relay.run(AgentContext::new(stopping)).await });
    Running { handle, stop, task }
}

async fn the_relay_stores_everything_it_was_given(_: &Place, store: Store) {
    let Running { handle, stop, task } = start_relay(&store);
    for seq in 1..=1_200 {
        handle
            .send(Seq(seq), vec![insert(bought(seq, 0))])
            .await
            .unwrap();
    }
    handle.flushed(Seq(u64::MAX)).await.unwrap();
    assert_eq!(store.persisted_seq(RUN).await.unwrap(), Some(Seq(1_200)));
    assert_eq!(handle.backlog(), 0);
    // What is queued when it is stopped is written as well.
    let from_the_engines_thread = handle.clone();
    std::thread::spawn(move || {
        for seq in 1_201..=1_300 {
            let ops = vec![insert(bought(seq, 0)), update(seq, settled(seq, 0, 1))];
            from_the_engines_thread
                .blocking_send(Seq(seq), ops)
                .unwrap();
        }
    })
    .join()
    .unwrap();
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(count(&store).await, 1_300);
    let status = handle.status();
    assert_eq!(
        (status.inserted, status.updated, status.failures),
        (1_300, 100, 0)
    );
    assert_eq!(status.persisted, Seq(1_300));
    let late = handle.send(Seq(1_301), vec![]).await;
    assert!(matches!(late, Err(RelayError::Ended(_))), "{late:?}");
}

async fn a_contradiction_ends_the_relay_for_good(_: &Place, store: Store) {
    let mut other = bought(1, 0);
    other.outcome = "Down".into();
    let Running {
        handle,
        stop: _stop,
        task,
    } = start_relay(&store);
    handle
        .send(Seq(1), vec![insert(bought(1, 0))])
        .await
        .unwrap();
    handle.flushed(Seq(1)).await.unwrap();
    handle.send(Seq(2), vec![insert(other)]).await.unwrap();
    let error = handle.flushed(Seq(2)).await.unwrap_err();
    assert!(error.to_string().contains("contradicts"), "{error}");
    assert!(matches!(task.await.unwrap(), Err(AgentError::Fatal(_))));
    assert!(handle.status().fatal.is_some());
    assert!(handle.try_send(Seq(3), vec![]).is_err());
    assert_eq!(handle.backlog(), 1);
    assert_eq!(store.persisted_seq(RUN).await.unwrap(), Some(Seq(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relay_outlives_a_lost_database() {
    let test = "store::the_relay_outlives_a_lost_database";
    let Some(place) = Place::postgres(test).await else {
        return;
    };
    let (proxy, through) = Proxy::before_postgres(&place.url).await;
    let direct = opened(&place).await;
    let store = Store::open(&through).await.unwrap();
    let Running { handle, stop, task } = start_relay(&store);
    let sender = handle.clone();
    let sending = tokio::spawn(async move {
        for seq in 1..=3_000 {
            let ops = vec![insert(bought(seq, 0)), update(seq, settled(seq, 0, 7))];
            sender.send(Seq(seq), ops).await.unwrap();
            if seq % 20 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    for _ in 0..6 {
        let before = handle.status();
        proxy.set(Line::Cut);
        // Away until it has noticed.
        let mut status = handle.watch();
        let noticed =
            status.wait_for(|s| s.failures > before.failures || s.persisted == Seq(3_000));
        noticed.await.unwrap();
        proxy.set(Line::Up);
        let mut status = handle.watch();
        let recovered =
            status.wait_for(|s| s.persisted > before.persisted || s.persisted == Seq(3_000));
        recovered.await.unwrap();
    }
    sending.await.unwrap();
    handle.flushed(Seq(3_000)).await.unwrap();
    let status = handle.status();
    assert!(status.failures > 0 && status.last_error.is_some());
    assert_eq!((status.failing_since, status.fatal), (None, None));
    assert_eq!(count(&direct).await, 3_000);
    let summary = direct.summary(Timestamp(0)).await.unwrap();
    assert_eq!(
        (summary.closed_trades, summary.realized_pnl),
        (3_000, Usd(21_000))
    );
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
    place.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_the_database_is_away_ends_and_a_restart_sends_the_rest() {
    let test = "store::a_stop_while_the_database_is_away";
    let Some(place) = Place::postgres(test).await else {
        return;
    };
    let (proxy, through) = Proxy::before_postgres(&place.url).await;
    let direct = opened(&place).await;
    let store = Store::open(&through).await.unwrap();
    let (handle, relay) = relay(store, RUN, Seq(0));
    proxy.set(Line::Cut);
    handle
        .send(Seq(1), vec![insert(bought(1, 0))])
        .await
        .unwrap();
    let (stop, stopping) = watch::channel(false);
    let first = tokio::spawn({
        let relay = relay.clone();
        async move { relay.run(AgentContext::new(stopping)).await }
    });
    handle.watch().wait_for(|s| s.failures > 0).await.unwrap();
    stop.send(true).unwrap();
    first.await.unwrap().unwrap();
    assert_eq!((handle.backlog(), count(&direct).await), (1, 0));
    // The agent is started again: nothing it had taken is gone.
    proxy.set(Line::Up);
    let (stop, stopping) = watch::channel(false);
    let second = tokio::spawn(async move { relay.run(AgentContext::new(stopping)).await });
    handle.flushed(Seq(1)).await.unwrap();
    assert_eq!(count(&direct).await, 1);
    stop.send(true).unwrap();
    second.await.unwrap().unwrap();
    place.remove().await;
}

/// A caller that gives up while BEGIN is on its way must not leave a transaction behind in which
/// later writes vanish (sqlx 0.9.0 does that to pooled connections).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_write_hides_no_later_one() {
    let test = "store::an_abandoned_write_hides_no_later_one";
    let Some(place) = Place::postgres(test).await else {
        return;
    };
    let (proxy, through) = Proxy::before_postgres(&place.url).await;
    let direct = opened(&place).await;
    let store = Store::open(&through).await.unwrap();
    for round in 0..10_u64 {
        let (a, b) = (round * 2 + 1, round * 2 + 2);
        proxy.set(Line::Stalled);
        let given_up = [insert(bought(a, 0))];
        let abandoned = tokio::time::timeout(
            Duration::from_millis(15),
            store.apply(RUN, Seq(a), &given_up),
        );
        assert!(abandoned.await.is_err(), "the line is stalled");
        proxy.set(Line::Up);
        store
            .apply(RUN, Seq(b), &[insert(bought(b, 0))])
            .await
            .unwrap();
        // Acknowledged means: visible to everybody else.
        assert_eq!(row(&direct, b, 0).await.seq, Seq(b));
        assert_eq!(direct.persisted_seq(RUN).await.unwrap(), Some(Seq(b)));
    }
    place.remove().await;
}
