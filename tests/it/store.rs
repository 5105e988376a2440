//! The store, the same suite on SQLite and on a real PostgreSQL.

use crate::services::Place;
use crate::services::on_both;
use crate::trades::{bought, refused, settled};
use pm_arb::store::{
    Applied, RunInfo, Store, StoreError, StoreOp, StoredTrade, TradeFilter, opportunity_key,
    trade_uuid,
};
use pm_arb_core::effect::{TradeRecord, TradeStatus, TradeUpdate};
use pm_arb_core::ids::{Seq, Timestamp};
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Price, Qty, Usd};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

/// The run of every test.
pub const RUN: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

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
}

pub async fn opened(place: &Place) -> Store {
    let store = Store::open(&place.url).await.unwrap();
    store.ensure_run(&run(RUN)).await.unwrap();
    store
}

/// A run.
pub fn run(run_id: Uuid) -> RunInfo {
    RunInfo {
        run_id,
        source: "test".into(),
        created: Timestamp(1_790_000_000_000_000_000),
        host_version: "0.1.0".into(),
        config: "{}".into(),
    }
}

pub fn insert(trade: TradeRecord) -> StoreOp {
    StoreOp::Insert(Box::new(trade))
}

pub fn update(cause: u64, update: TradeUpdate) -> StoreOp {
    StoreOp::Update {
        cause: Seq(cause),
        update: Box::new(update),
    }
}

pub async fn row(store: &Store, seq: u64, n: u16) -> StoredTrade {
    let id = trade_uuid(RUN, bought(seq, n).id);
    store.get(id).await.unwrap().unwrap()
}

pub async fn count(store: &Store) -> usize {
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
