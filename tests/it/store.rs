//! The store, the same suite on SQLite and on a real PostgreSQL.

use crate::services::{Line, Place, Proxy, refuse_unmarked, service};
use crate::trades::{bought, refused, settled};
use pm_arb::agent::{AgentContext, AgentError};
use pm_arb::store::{
    Applied, RelayError, RunInfo, Store, StoreError, StoreOp, StoredTrade, TradeFilter,
    opportunity_key, relay, trade_uuid,
};
use pm_arb_core::effect::{Effect, TradeRecord, TradeStatus, TradeUpdate};
use pm_arb_core::ids::{Seq, Timestamp};
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::reason::Reason;
use pm_arb_core::report::Tally;
use pm_arb_core::units::{Price, Qty, Usd};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

const RUN: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

/// Runs each case on both databases, each time in a place of its own.
macro_rules! on_both {
    ($($case:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let place = super::Place::sqlite();
                super::$case(&place, super::opened(&place).await).await;
                place.remove().await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let test = concat!("store::postgres::", stringify!($case));
                let Some(place) = super::Place::postgres(test).await else { return };
                super::$case(&place, super::opened(&place).await).await;
                place.remove().await;
            })+
        }
    };
}

on_both! {
    a_trade_comes_back_as_it_was_written
    extreme_amounts_survive
    sending_again_changes_nothing
    another_payload_for_the_same_id_is_refused_and_nothing_of_the_group_kept
    both_legs_fit_and_a_rejection_takes_nobodys_place
    a_second_fill_of_one_opportunity_is_refused
    the_newest_state_wins_in_whatever_order_states_arrive
    states_of_unknown_or_rejected_rows_are_refused
    rows_that_contradict_themselves_are_refused
    the_position_of_a_run_only_advances
    a_run_is_registered_once
    open_trades_are_those_to_recover
    trades_come_newest_first_within_their_bounds
    the_summary_equals_the_engines_own
    a_reading_store_writes_nothing
    the_relay_stores_everything_it_was_given
    a_contradiction_ends_the_relay_for_good
}

async fn opened(place: &Place) -> Store {
    let store = Store::open(&place.url).await.unwrap();
    store.ensure_run(&run(RUN)).await.unwrap();
    store
}

fn run(run_id: Uuid) -> RunInfo {
    RunInfo {
        run_id,
        source: "test".into(),
        created: Timestamp(1_790_000_000_000_000_000),
        host_version: "0.1.0".into(),
        config: "{}".into(),
    }
}

fn insert(trade: TradeRecord) -> StoreOp {
    StoreOp::Insert(Box::new(trade))
}

fn update(cause: u64, update: TradeUpdate) -> StoreOp {
    StoreOp::Update {
        cause: Seq(cause),
        update: Box::new(update),
    }
}

async fn row(store: &Store, seq: u64, n: u16) -> StoredTrade {
    let id = trade_uuid(RUN, bought(seq, n).id);
    store.get(id).await.unwrap().unwrap()
}

async fn count(store: &Store) -> usize {
    let all = TradeFilter {
        since: Timestamp(0),
        run_id: None,
        limit: usize::MAX,
    };
    store.trades(&all).await.unwrap().len()
}

async fn a_trade_comes_back_as_it_was_written(place: &Place, store: Store) {
    let trade = bought(12, 1);
    let applied = store
        .apply(RUN, Seq(12), &[insert(trade.clone())])
        .await
        .unwrap();
    assert_eq!(applied.inserted, 1);
    let row = row(&store, 12, 1).await;
    assert_eq!(row.run_id, RUN);
    assert_eq!((row.seq, row.n, row.leg), (Seq(12), 1, 1));
    assert_eq!(row.created_ns, trade.at);
    assert_eq!(row.opportunity_id, "01234567-12.1");
    assert_eq!(row.opportunity_id, opportunity_key(RUN, trade.opportunity));
    assert_eq!(row.intent_id, "12.0");
    assert_eq!(row.market_id, trade.market_native_id);
    assert_eq!(row.side.as_str(), "buy");
    assert_eq!(
        (row.requested_quantity, row.quantity, row.remaining_quantity),
        (trade.requested_qty, trade.qty, trade.qty)
    );
    assert_eq!(
        (row.price, row.cost, row.fees, row.expected_edge),
        (trade.price, trade.cost, trade.fees, trade.expected_edge)
    );
    assert_eq!(row.strategy_digest, "ab".repeat(32));
    assert_eq!((row.status, row.risk_approved), (TradeStatus::Open, true));
    assert_eq!((row.exit_price, row.realized_pnl), (None, None));
    assert_eq!(
        (row.decided_ns, row.arrived_ns),
        (trade.decided_at, trade.arrived_at)
    );
    assert_eq!(row.decision_book_age_ns, trade.decision_book_age);
    assert_eq!(row.fill_book_age_ns, trade.fill_book_age);

    // As a person sees it, with the database's own tools.
    let shown: (String, String, String) = if place.is_postgres() {
        let mut c = PgConnection::connect(&place.url).await.unwrap();
        sqlx::query_as(
            "SELECT price::text, fees::text, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
             FROM paper_trades",
        )
        .fetch_one(&mut c)
        .await
        .unwrap()
    } else {
        let mut c = SqliteConnection::connect(&place.url).await.unwrap();
        sqlx::query_as(
            "SELECT price, fees, replace(substr(created_at, 1, 26), 'T', ' ') FROM trades",
        )
        .fetch_one(&mut c)
        .await
        .unwrap()
    };
    assert_eq!(
        shown,
        (
            "0.480000".into(),
            "0.087360".into(),
            "2026-09-21 14:13:32.123456".into()
        )
    );
}

async fn extreme_amounts_survive(_: &Place, store: Store) {
    let mut trade = bought(1, 0);
    trade.requested_qty = Qty(i64::MAX);
    trade.qty = Qty(i64::MAX);
    trade.price = Price(999_999);
    trade.cost = Usd(i64::MAX);
    trade.fees = Usd(1);
    trade.expected_edge = Usd(i64::MIN);
    let mut end = settled(1, 0, 1);
    end.realized_pnl = Usd(i64::MIN);
    store
        .apply(RUN, Seq(2), &[insert(trade), update(2, end)])
        .await
        .unwrap();
    let row = row(&store, 1, 0).await;
    assert_eq!(row.quantity, Qty(i64::MAX));
    assert_eq!(row.cost, Usd(i64::MAX));
    assert_eq!(row.fees, Usd(87_360));
    assert_eq!(row.expected_edge, Usd(i64::MIN));
    assert_eq!(row.realized_pnl, Some(Usd(i64::MIN)));
}

async fn sending_again_changes_nothing(_: &Place, store: Store) {
    let ops = [
        insert(bought(1, 0)),
        insert(refused(1, 1, Reason::StaleBook, true)),
        update(5, settled(1, 0, 2_512_640)),
    ];
    let first = store.apply(RUN, Seq(5), &ops).await.unwrap();
    assert_eq!(
        first,
        Applied {
            inserted: 2,
            updated: 1,
            ..Applied::default()
        }
    );
    let before = row(&store, 1, 0).await;
    let again = store.apply(RUN, Seq(5), &ops).await.unwrap();
    assert_eq!(
        again,
        Applied {
            duplicates: 2,
            updated: 1,
            ..Applied::default()
        }
    );
    // Within one group as well.
    let twice: Vec<StoreOp> = ops.iter().chain(&ops).cloned().collect();
    assert_eq!(store.apply(RUN, Seq(5), &twice).await.unwrap(), again);
    assert_eq!(row(&store, 1, 0).await, before);
    assert_eq!(count(&store).await, 2);
}

async fn another_payload_for_the_same_id_is_refused_and_nothing_of_the_group_kept(
    _: &Place,
    store: Store,
) {
    store
        .apply(RUN, Seq(1), &[insert(bought(1, 0))])
        .await
        .unwrap();
    let mut other = bought(1, 0);
    other.price = Price(490_000);
    let ops = [insert(bought(2, 0)), insert(other.clone())];
    let error = store.apply(RUN, Seq(2), &ops).await.unwrap_err();
    let id = trade_uuid(RUN, other.id);
    assert!(
        matches!(error, StoreError::DuplicateConflict { id: i } if i == id),
        "{error}"
    );
    assert!(!error.is_transient());
    assert_eq!(count(&store).await, 1);
    assert_eq!(store.persisted_seq(RUN).await.unwrap(), Some(Seq(1)));
    assert_eq!(row(&store, 1, 0).await.price, Price(480_000));
    // The writer goes on, on a new connection.
    store
        .apply(RUN, Seq(2), &[insert(bought(2, 0))])
        .await
        .unwrap();
    assert_eq!(count(&store).await, 2);
}

async fn both_legs_fit_and_a_rejection_takes_nobodys_place(_: &Place, store: Store) {
    let opportunity = bought(1, 0).opportunity;
    let leg = |seq, n, outcome: &str| TradeRecord {
        opportunity,
        outcome: outcome.into(),
        kind: OpportunityKind::Mispricing,
        ..bought(seq, n)
    };
    let no = |seq, n| TradeRecord {
        opportunity,
        ..refused(seq, n, Reason::NoLiquidity, false)
    };
    let ops = [
        insert(no(1, 0)),
        insert(no(2, 0)),
        insert(leg(3, 0, "Up")),
        insert(leg(3, 1, "Down")),
        insert(no(4, 0)),
    ];
    assert_eq!(store.apply(RUN, Seq(4), &ops).await.unwrap().inserted, 5);
    let open = store.open_trades(RUN).await.unwrap();
    let outcomes: Vec<&str> = open.iter().map(|t| t.outcome.as_str()).collect();
    assert_eq!(outcomes, ["Up", "Down"]);
    let refusal = row(&store, 4, 0).await;
    assert_eq!(
        refusal.risk_rejection_reason.as_deref(),
        Some("NO_LIQUIDITY")
    );
    assert_eq!(refusal.rejection_limit.as_deref(), Some("5000 ms"));
    assert_eq!(refusal.rejection_observed.as_deref(), Some("7310 ms"));
}

async fn a_second_fill_of_one_opportunity_is_refused(_: &Place, store: Store) {
    let again = TradeRecord {
        opportunity: bought(1, 0).opportunity,
        ..bought(2, 0)
    };
    store
        .apply(RUN, Seq(1), &[insert(bought(1, 0))])
        .await
        .unwrap();
    let error = store.apply(RUN, Seq(2), &[insert(again.clone())]).await;
    assert!(
        matches!(error, Err(StoreError::DuplicateConflict { .. })),
        "{error:?}"
    );
    // Another strategy, or the other side, is another matter.
    let other = TradeRecord {
        strategy_name: "mispricing-hunter".into(),
        ..again.clone()
    };
    let sale = TradeRecord {
        buy: false,
        ..TradeRecord {
            id: bought(3, 0).id,
            ..again
        }
    };
    let ops = [insert(other), insert(sale)];
    assert_eq!(store.apply(RUN, Seq(3), &ops).await.unwrap().inserted, 2);
}

async fn the_newest_state_wins_in_whatever_order_states_arrive(_: &Place, store: Store) {
    let partly = TradeUpdate {
        status: TradeStatus::Open,
        remaining_qty: Qty(2_000_000),
        exit_price: Price(600_000),
        evidence: String::new(),
        ..settled(1, 0, 300_000)
    };
    let end = settled(1, 0, 2_000_000);
    store
        .apply(RUN, Seq(1), &[insert(bought(1, 0))])
        .await
        .unwrap();
    store
        .apply(RUN, Seq(5), &[update(5, partly.clone())])
        .await
        .unwrap();
    let open = row(&store, 1, 0).await;
    assert_eq!((open.status, open.resolved_ns), (TradeStatus::Open, None));
    assert_eq!(open.remaining_quantity, Qty(2_000_000));
    assert_eq!(open.realized_pnl, Some(Usd(300_000)));
    // In one group the newest counts, wherever it stands.
    let ops = [update(9, end.clone()), update(7, partly.clone())];
    store.apply(RUN, Seq(9), &ops).await.unwrap();
    let ended = row(&store, 1, 0).await;
    assert_eq!(ended.status, TradeStatus::Resolved);
    assert_eq!(ended.resolved_ns, Some(end.at));
    assert_eq!(
        ended.settlement_evidence.as_deref(),
        Some(end.evidence.as_str())
    );
    // An old one sent again leaves the row alone.
    let stale = store
        .apply(RUN, Seq(9), &[update(5, partly)])
        .await
        .unwrap();
    assert_eq!((stale.updated, stale.stale), (0, 1));
    assert_eq!(row(&store, 1, 0).await, ended);
}

async fn states_of_unknown_or_rejected_rows_are_refused(_: &Place, store: Store) {
    let no = refused(1, 0, Reason::Capital, true);
    store.apply(RUN, Seq(1), &[insert(no)]).await.unwrap();
    let rejected = store
        .apply(RUN, Seq(2), &[update(2, settled(1, 0, 5))])
        .await;
    assert!(
        matches!(rejected, Err(StoreError::ChangedRejection { .. })),
        "{rejected:?}"
    );
    let unknown = store
        .apply(RUN, Seq(2), &[update(2, settled(9, 0, 5))])
        .await;
    assert!(
        matches!(unknown, Err(StoreError::UnknownTrade { .. })),
        "{unknown:?}"
    );
    assert_eq!(row(&store, 1, 0).await.status, TradeStatus::Rejected);
}

async fn rows_that_contradict_themselves_are_refused(_: &Place, store: Store) {
    let good = || bought(1, 0);
    let no = || refused(1, 0, Reason::Capital, true);
    let cases: Vec<(&str, TradeRecord)> = vec![
        (
            "empty market",
            TradeRecord {
                market_native_id: String::new(),
                ..good()
            },
        ),
        (
            "empty outcome",
            TradeRecord {
                outcome: String::new(),
                ..good()
            },
        ),
        (
            "empty strategy",
            TradeRecord {
                strategy_name: String::new(),
                ..good()
            },
        ),
        (
            "open without approval",
            TradeRecord {
                risk_approved: false,
                ..good()
            },
        ),
        (
            "open with a reason",
            TradeRecord {
                rejection: no().rejection,
                ..good()
            },
        ),
        (
            "open without shares",
            TradeRecord {
                qty: Qty(0),
                ..good()
            },
        ),
        (
            "bought for a dollar",
            TradeRecord {
                price: Price(1_000_000),
                ..good()
            },
        ),
        (
            "bought for nothing",
            TradeRecord {
                price: Price(0),
                ..good()
            },
        ),
        (
            "negative fees",
            TradeRecord {
                fees: Usd(-1),
                ..good()
            },
        ),
        (
            "born closed",
            TradeRecord {
                status: TradeStatus::Closed,
                ..good()
            },
        ),
        (
            "rejected with shares",
            TradeRecord {
                qty: Qty(1),
                ..no()
            },
        ),
        (
            "rejected with fees",
            TradeRecord {
                fees: Usd(1),
                ..no()
            },
        ),
        (
            "rejected without reason",
            TradeRecord {
                rejection: None,
                ..no()
            },
        ),
    ];
    for (name, trade) in cases {
        let refused = store.apply(RUN, Seq(1), &[insert(trade)]).await;
        let error = refused.expect_err(name);
        assert!(
            matches!(error, StoreError::Apply { .. }) && !error.is_transient(),
            "{name}: {error}"
        );
    }
    store.apply(RUN, Seq(1), &[insert(good())]).await.unwrap();
    let more = TradeUpdate {
        remaining_qty: Qty(5_000_001),
        ..settled(1, 0, 1)
    };
    let left = TradeUpdate {
        remaining_qty: Qty(1),
        ..settled(1, 0, 1)
    };
    for state in [more, left] {
        assert!(store.apply(RUN, Seq(2), &[update(2, state)]).await.is_err());
    }
    assert_eq!(row(&store, 1, 0).await.status, TradeStatus::Open);
}

async fn the_position_of_a_run_only_advances(_: &Place, store: Store) {
    assert_eq!(store.persisted_seq(RUN).await.unwrap(), Some(Seq(0)));
    for (through, expected) in [(40, 40), (17, 40), (41, 41)] {
        store.apply(RUN, Seq(through), &[]).await.unwrap();
        assert_eq!(store.persisted_seq(RUN).await.unwrap(), Some(Seq(expected)));
    }
    let stranger = Uuid::from_u128(1);
    assert_eq!(store.persisted_seq(stranger).await.unwrap(), None);
    let unknown = store.apply(stranger, Seq(1), &[]).await;
    assert!(
        matches!(unknown, Err(StoreError::UnknownRun { .. })),
        "{unknown:?}"
    );
}

async fn a_run_is_registered_once(_: &Place, store: Store) {
    store.apply(RUN, Seq(3), &[]).await.unwrap();
    let restarted = RunInfo {
        host_version: "0.2.0".into(),
        ..run(RUN)
    };
    store.ensure_run(&restarted).await.unwrap();
    assert_eq!(store.persisted_seq(RUN).await.unwrap(), Some(Seq(3)));
    let other = RunInfo {
        source: "sim".into(),
        ..run(RUN)
    };
    let refused = store.ensure_run(&other).await;
    assert!(
        matches!(refused, Err(StoreError::RunMismatch { .. })),
        "{refused:?}"
    );
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

#[tokio::test]
async fn a_database_that_is_not_marked_is_refused() {
    let test = "store::a_database_that_is_not_marked_is_refused";
    let Some(url) = service("TEST_DATABASE_URL", test) else {
        return;
    };
    let mut connection = PgConnection::connect(&url).await.unwrap();
    refuse_unmarked(&mut connection).await.unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let mut unmarked = PgConnection::connect(&url.replace(&format!("/{name}"), "/postgres"))
        .await
        .unwrap();
    let why = refuse_unmarked(&mut unmarked).await.unwrap_err();
    assert!(why.contains("no test database"), "{why}");
}

/// Tables, columns, constraints and indexes have the same names in both schemas.
#[tokio::test]
async fn the_two_schemas_agree() {
    let test = "store::the_two_schemas_agree";
    let Some(pg) = Place::postgres(test).await else {
        return;
    };
    let lite = Place::sqlite();
    let (a, b) = (opened(&pg).await, opened(&lite).await);
    let mut c = PgConnection::connect(&pg.url).await.unwrap();
    let of_pg = names(
        &mut c,
        "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name IN ('runs', 'paper_trades') AND is_generated = 'NEVER'
         UNION SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'paper_trades'
           AND indexname NOT LIKE '%pkey' AND indexname NOT LIKE '%one_row_per_effect'
         UNION SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'paper_trades'::regclass
           AND conname NOT LIKE '%_check'
         ORDER BY 1",
    )
    .await;
    let mut c = SqliteConnection::connect(&lite.url).await.unwrap();
    let columns = names(
        &mut c,
        "SELECT m.name || '.' || replace(p.name, '_micro', '') FROM sqlite_schema m, pragma_table_info(m.name) p
         WHERE m.name IN ('runs', 'paper_trades')
         UNION SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1",
    )
    .await;
    let sql: String =
        sqlx::query_scalar("SELECT sql FROM sqlite_schema WHERE name = 'paper_trades'")
            .fetch_one(&mut c)
            .await
            .unwrap();
    let constraints = sql
        .split("CONSTRAINT ")
        .skip(1)
        .filter_map(|c| c.split_whitespace().next())
        .filter(|c| !c.ends_with("one_row_per_effect"))
        .map(str::to_owned);
    let mut of_lite: Vec<String> = columns.into_iter().chain(constraints).collect();
    of_lite.sort();
    let mut of_pg = of_pg;
    of_pg.sort();
    assert!(of_pg.len() > 50);
    assert_eq!(of_pg, of_lite);
    a.close().await;
    b.close().await;
    pg.remove().await;
}

async fn names<'c, C>(connection: &'c mut C, sql: &'static str) -> Vec<String>
where
    &'c mut C: Executor<'c>,
    for<'r> String: sqlx::Decode<'r, <&'c mut C as Executor<'c>>::Database>
        + sqlx::Type<<&'c mut C as Executor<'c>>::Database>,
    usize: sqlx::ColumnIndex<<<&'c mut C as Executor<'c>>::Database as sqlx::Database>::Row>,
{
    connection
        .fetch_all(AssertSqlSafe(sql))
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test]
async fn a_url_that_is_no_database_is_refused_without_telling_its_password() {
    for url in [
        "",
        "sqlite:",
        "sqlite::memory:",
        "mysql://me:secret@host/db",
        "trades.db",
    ] {
        let error = Store::open(url).await.unwrap_err();
        assert!(matches!(error, StoreError::Url { .. }), "{url}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let nobody = "postgres://me:secret@127.0.0.1:1/db";
    let error = Store::open(nobody).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Open { .. }) && error.is_transient(),
        "{error:?}"
    );
    assert!(error.to_string().contains("me@127.0.0.1:1/db"), "{error}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
