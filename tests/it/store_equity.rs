//! Equity over time, the same suite on SQLite and on a real PostgreSQL.

use crate::services::{Place, on_both};
use crate::store::RUN;
use pm_arb::store::{EQUITY_POINTS_MAX, Store, StoreOp};
use pm_arb_core::effect::{Effect, EquitySample};
use pm_arb_core::ids::{Seq, Timestamp};
use pm_arb_core::units::Usd;

const MINUTE: u64 = 60_000_000_000;

on_both! {
    a_curve_comes_back_as_it_was_told
    sending_again_changes_nothing
    days_come_back_as_few_points_with_their_lows_and_their_end
    a_run_without_equity_has_an_empty_curve
}

fn sample(minute: u64, equity: i64) -> StoreOp {
    let effect = Effect::RecordEquity(EquitySample {
        minute: Timestamp(minute * MINUTE),
        equity: Usd(equity),
        high_water: Usd(equity.max(1_000_000_000)),
        cash: Usd(equity - 3_000_001),
        reserved: Usd(1_000_000),
        locked: Usd(2_000_001),
        fees: Usd(17),
        realised: Usd(equity - 1_000_000_000 + 17),
    });
    StoreOp::of(Seq(minute + 1), &effect).unwrap()
}

async fn a_curve_comes_back_as_it_was_told(_: &Place, store: Store) {
    let ops = [
        sample(100, 1_000_000_000),
        sample(101, -7),
        sample(105, 1_234_567_890),
    ];
    store.apply(RUN, Seq(200), &ops).await.unwrap();
    let curve = store.equity(Some(RUN), Timestamp(0)).await.unwrap();
    let read: Vec<(u64, i64, i64)> = curve
        .iter()
        .map(|p| (p.minute.0 / MINUTE, p.equity.0, p.lowest.0))
        .collect();
    assert_eq!(
        read,
        [
            (100, 1_000_000_000, 1_000_000_000),
            (101, -7, -7),
            (105, 1_234_567_890, 1_234_567_890)
        ]
    );
    let p = curve[2];
    assert_eq!(p.high_water, Usd(1_234_567_890));
    assert_eq!((p.cash, p.reserved), (Usd(1_231_567_889), Usd(1_000_000)));
    assert_eq!((p.locked, p.fees), (Usd(2_000_001), Usd(17)));
    assert_eq!(p.realised, Usd(234_567_907));
    // The newest run is meant when none is named.
    assert_eq!(store.equity(None, Timestamp(0)).await.unwrap(), curve);
    let since = store.equity(Some(RUN), Timestamp(101 * MINUTE + 1)).await;
    assert_eq!(since.unwrap(), curve[2..]);
    store.close().await;
}

async fn sending_again_changes_nothing(_: &Place, store: Store) {
    let ops = [sample(1, 5_000_000), sample(2, 6_000_000)];
    let first = store.apply(RUN, Seq(10), &ops).await.unwrap();
    assert_eq!((first.inserted, first.duplicates), (2, 0));
    let curve = store.equity(Some(RUN), Timestamp(0)).await.unwrap();
    let again = store.apply(RUN, Seq(10), &ops).await.unwrap();
    assert_eq!((again.inserted, again.duplicates), (0, 2));
    assert_eq!(store.equity(Some(RUN), Timestamp(0)).await.unwrap(), curve);
    store.close().await;
}

async fn days_come_back_as_few_points_with_their_lows_and_their_end(_: &Place, store: Store) {
    // Two days; one bad minute in the middle, and an end that is no multiple of anything.
    let minutes = 2_881;
    let ops: Vec<StoreOp> = (0..minutes)
        .map(|m| sample(m, if m == 1_234 { 1 } else { 1_000_000 + m as i64 }))
        .collect();
    for group in ops.chunks(1_000) {
        store.apply(RUN, Seq(minutes), group).await.unwrap();
    }
    let curve = store.equity(Some(RUN), Timestamp(0)).await.unwrap();
    assert!(curve.len() as u64 <= EQUITY_POINTS_MAX, "{}", curve.len());
    assert!(curve.len() > 400, "{}", curve.len());
    assert!(curve.windows(2).all(|p| p[0].minute < p[1].minute));
    assert_eq!(
        curve.last().unwrap().minute,
        Timestamp((minutes - 1) * MINUTE)
    );
    assert_eq!(curve.iter().map(|p| p.lowest).min(), Some(Usd(1)));
    store.close().await;
}

async fn a_run_without_equity_has_an_empty_curve(_: &Place, store: Store) {
    assert_eq!(store.equity(None, Timestamp(0)).await.unwrap(), []);
    let unknown = uuid::Uuid::from_u128(1);
    assert_eq!(store.equity(Some(unknown), Timestamp(0)).await.unwrap(), []);
    store.close().await;
}
