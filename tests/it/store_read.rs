//! What is read back: trades, those to recover, the summary.

use crate::services::Place;
use crate::services::on_both;
use crate::store::{RUN, count, insert, run, update};
use crate::trades::{bought, refused, settled};
use pm_arb::store::{Store, StoreError, StoreOp, TradeFilter};
use pm_arb_core::effect::{Effect, TradeRecord, TradeStatus, TradeUpdate};
use pm_arb_core::ids::{Seq, Timestamp};
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::reason::Reason;
use pm_arb_core::report::Tally;
use pm_arb_core::units::Qty;
use uuid::Uuid;

on_both! {
    open_trades_are_those_to_recover
    trades_come_newest_first_within_their_bounds
    the_summary_equals_the_engines_own
    a_reading_store_writes_nothing
}

async fn open_trades_are_those_to_recover(place: &Place, store: Store) {
    let other_run = Uuid::from_u128(0xffff_0000_0000_0000_0000_0000_0000_0001);
    store.ensure_run(&run(other_run)).await.unwrap();
    let ops = [
        insert(bought(3, 0)),
        insert(bought(1, 0)),
        insert(bought(2, 0)),
        insert(refused(2, 1, Reason::Halted, true)),
        update(4, settled(2, 0, -2_487_360)),
    ];
    store.apply(RUN, Seq(4), &ops).await.unwrap();
    store
        .apply(other_run, Seq(1), &[insert(bought(1, 0))])
        .await
        .unwrap();
    store.close().await;
    assert!(matches!(
        store.apply(RUN, Seq(5), &[]).await,
        Err(StoreError::Closed)
    ));
    // As after a restart.
    let store = Store::open(&place.url).await.unwrap();
    let open = store.open_trades(RUN).await.unwrap();
    assert_eq!(
        open.iter().map(|t| t.seq).collect::<Vec<_>>(),
        [Seq(1), Seq(3)]
    );
    assert!(
        open.iter()
            .all(|t| t.status == TradeStatus::Open && t.run_id == RUN)
    );
}

async fn trades_come_newest_first_within_their_bounds(_: &Place, store: Store) {
    let ops: Vec<StoreOp> = (1..=5).map(|seq| insert(bought(seq, 0))).collect();
    store.apply(RUN, Seq(5), &ops).await.unwrap();
    for (since, run_id, limit, expected) in [
        (Timestamp(0), None, 100, vec![5, 4, 3, 2, 1]),
        (bought(3, 0).at, None, 100, vec![5, 4, 3]),
        (Timestamp(bought(3, 0).at.0 + 1), Some(RUN), 100, vec![5, 4]),
        (Timestamp(0), Some(RUN), 2, vec![5, 4]),
        (Timestamp(0), Some(Uuid::from_u128(1)), 100, vec![]),
    ] {
        let trades = store
            .trades(&TradeFilter {
                since,
                run_id,
                limit,
            })
            .await
            .unwrap();
        let seqs: Vec<u64> = trades.iter().map(|t| t.seq.0).collect();
        assert_eq!(seqs, expected, "{since:?} {run_id:?} {limit}");
    }
}

async fn the_summary_equals_the_engines_own(_: &Place, store: Store) {
    use OpportunityKind::{CrossPlatform, Mispricing, OracleLag, Signal};
    let kinds = [Signal, OracleLag, Mispricing, CrossPlatform];
    let reasons = [Reason::StaleBook, Reason::Capital, Reason::StaleBook];
    let mut tally = Tally::default();
    let mut ops = Vec::new();
    for seq in 1..=60_u64 {
        let i = seq as usize;
        let kind = kinds[i % 4];
        if seq % 5 == 0 {
            let no = TradeRecord {
                kind,
                ..refused(seq, 0, reasons[i % 3], seq % 2 == 0)
            };
            tally.fold(&Effect::RecordTrade(Box::new(no.clone())));
            ops.push(insert(no));
            continue;
        }
        let trade = TradeRecord {
            kind,
            ..bought(seq, 0)
        };
        tally.fold(&Effect::RecordTrade(Box::new(trade.clone())));
        ops.push(insert(trade));
        let end = match seq % 7 {
            0 => continue,
            // Partly sold: its profit does not count yet.
            1 => TradeUpdate {
                status: TradeStatus::Open,
                remaining_qty: Qty(1),
                ..settled(seq, 0, 999_999_999)
            },
            2 => TradeUpdate {
                status: TradeStatus::Closed,
                ..settled(seq, 0, 0)
            },
            3 | 4 => settled(seq, 0, -2_487_361 - seq as i64),
            _ => settled(seq, 0, 2_512_639 + seq as i64),
        };
        tally.fold(&Effect::UpdateTrade(end.clone()));
        ops.push(update(seq + 100, end));
    }
    store.apply(RUN, Seq(160), &ops).await.unwrap();
    let expected = tally.summary();
    assert!(expected.wins > 0 && expected.losses > 0 && expected.open_trades > 0);
    assert_eq!(expected.rejections_by_reason.len(), 2);
    assert_eq!(store.summary(Timestamp(0)).await.unwrap(), expected);
    assert_eq!(store.summary_of(RUN, Timestamp(0)).await.unwrap(), expected);
    let later = store.summary(bought(58, 0).at).await.unwrap();
    assert_eq!((later.total_trades, later.rejections), (2, 1));
    let none = store.summary_of(Uuid::nil(), Timestamp(0)).await.unwrap();
    assert_eq!(none, pm_arb_core::report::Summary::default());
}

async fn a_reading_store_writes_nothing(place: &Place, store: Store) {
    store
        .apply(RUN, Seq(1), &[insert(bought(1, 0))])
        .await
        .unwrap();
    let reader = Store::open_read_only(&place.url).await.unwrap();
    assert_eq!(count(&reader).await, 1);
    let refused = reader.apply(RUN, Seq(2), &[]).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
}
