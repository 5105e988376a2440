//! The store on SQLite: one file, one writer, readers beside it.
//!
//! Owns SQLite's SQL and connection options. Writes are prepared statements in one transaction; readers
//! have read-only connections and single statements.
//!
//! Durability: WAL with `synchronous = FULL`, one fsync a commit. `NORMAL` could forget the last commits
//! when the power fails, and `persisted_seq` is a promise that others act upon (they may drop what led
//! to it). Groups of rows share a commit, so the fsync is paid once a group.

use super::batch::Batch;
use super::field::TableRow;
use super::row::{Change, StoredTrade};
use super::{Applied, RunInfo, StoreError, TradeFilter};
use pm_arb_core::effect::TradeStatus;
use pm_arb_core::ids::Seq;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection, Row};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use uuid::Uuid;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

/// How long a statement waits for another process's write to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

/// Versions of the migrations that this program has.
pub(super) fn migrations() -> Vec<i64> {
    MIGRATIONS.iter().map(|m| m.version).collect()
}

pub(super) async fn migrate(
    options: &SqliteConnectOptions,
) -> Result<(), sqlx::migrate::MigrateError> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// SQLite asks whether to go on after so many steps of its machine: about every tenth of a millisecond.
const STEPS: i32 = 10_000;

/// Readers; each statement ends after `limit`, when there is one.
pub(super) async fn pool(
    options: SqliteConnectOptions,
    limit: Option<Duration>,
) -> Result<SqlitePool, sqlx::Error> {
    let mut pool = SqlitePoolOptions::new()
        .min_connections(super::POOL_MIN)
        .max_connections(super::POOL_MAX);
    if let Some(limit) = limit {
        // A connection is taken for one statement, so the time of a statement begins here.
        pool = pool
            .acquire_timeout(super::PATIENCE)
            .after_connect(move |connection, _| Box::pin(end_after(connection, limit)))
            .before_acquire(move |connection, _| {
                Box::pin(async move { end_after(connection, limit).await.map(|()| true) })
            });
    }
    pool.connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
        .await
}

/// From now on, `limit` of time for whatever the connection does.
async fn end_after(connection: &mut SqliteConnection, limit: Duration) -> Result<(), sqlx::Error> {
    let begun = Instant::now();
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(STEPS, move || begun.elapsed() < limit);
    Ok(())
}

pub(super) async fn ensure_run(
    connection: &mut SqliteConnection,
    run: &RunInfo,
) -> Result<bool, sqlx::Error> {
    let created = i64::try_from(run.created.0).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
        "INSERT INTO runs (run_id, source, created_ns, host_version, config)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )
    .bind(run.run_id.to_string())
    .bind(&run.source)
    .bind(created)
    .bind(&run.host_version)
    .bind(&run.config)
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar("SELECT source = ?2 AND created_ns = ?3 FROM runs WHERE run_id = ?1")
        .bind(run.run_id.to_string())
        .bind(&run.source)
        .bind(created)
        .fetch_one(connection)
        .await
}

pub(super) async fn apply(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> Result<Applied, StoreError> {
    let failed = |source| batch.failed(source);
    // IMMEDIATE: a transaction that begins by reading could find itself unable to write.
    let mut tx = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    let known =
        sqlx::query("UPDATE runs SET persisted_seq = max(persisted_seq, ?2) WHERE run_id = ?1")
            .bind(batch.run_id.to_string())
            .bind(batch.through_i64().map_err(failed)?)
            .execute(&mut *tx)
            .await
            .map_err(failed)?
            .rows_affected();
    if known == 0 {
        return Err(StoreError::UnknownRun {
            run_id: batch.run_id,
        });
    }
    let mut applied = Applied::default();
    for trade in &batch.inserts {
        insert(&mut tx, batch, trade, &mut applied).await?;
    }
    for change in &batch.changes {
        update(&mut tx, batch, change, &mut applied).await?;
    }
    super::sqlite_grading::apply(&mut tx, batch, &mut applied).await?;
    tx.commit().await.map_err(failed)?;
    Ok(applied)
}

async fn insert(
    tx: &mut SqliteConnection,
    batch: &Batch,
    trade: &StoredTrade,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let failed = |source| batch.failed(source);
    let values = trade.lite_values().map_err(failed)?;
    let new = sqlx::query_with(AssertSqlSafe(Arc::clone(&INSERT)), values)
        .execute(&mut *tx)
        .await
        .map_err(failed)?
        .rows_affected();
    if new == 1 {
        applied.inserted += 1;
        return Ok(());
    }
    let stored: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT payload_hash FROM paper_trades WHERE id = ?1")
            .bind(trade.id.to_string())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
    if stored.as_deref() != Some(trade.payload_hash.as_slice()) {
        return Err(StoreError::DuplicateConflict { id: trade.id });
    }
    applied.duplicates += 1;
    Ok(())
}

async fn update(
    tx: &mut SqliteConnection,
    batch: &Batch,
    change: &Change,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let failed = |source| batch.failed(source);
    let values = change.lite_values().map_err(failed)?;
    let done = sqlx::query_with(AssertSqlSafe(Arc::clone(&CHANGE)), values)
        .execute(&mut *tx)
        .await
        .map_err(failed)?
        .rows_affected();
    if done == 1 {
        applied.updated += 1;
        return Ok(());
    }
    let status: Option<String> =
        sqlx::query_scalar("SELECT status FROM paper_trades WHERE id = ?1")
            .bind(change.id.to_string())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
    applied.stale += super::judge_unchanged(change.id, status.as_deref())?;
    Ok(())
}

static INSERT: LazyLock<Arc<str>> = LazyLock::new(|| {
    let names = names(StoredTrade::COLUMNS);
    let values: Vec<String> = (1..=names.len()).map(|i| format!("?{i}")).collect();
    format!(
        "INSERT INTO paper_trades ({}) VALUES ({}) ON CONFLICT DO NOTHING",
        names.join(", "),
        values.join(", ")
    )
    .into()
});

static CHANGE: LazyLock<Arc<str>> = LazyLock::new(|| {
    // `id` and `updated_seq` are the first two columns.
    let set: Vec<String> = names(Change::COLUMNS)
        .iter()
        .enumerate()
        .map(|(i, name)| format!("{name} = ?{}", i + 1))
        .collect();
    format!(
        "UPDATE paper_trades SET {} WHERE id = ?1 AND updated_seq <= ?2 AND status <> '{}'",
        set.join(", "),
        TradeStatus::Rejected.as_str()
    )
    .into()
});

static SELECT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM paper_trades",
        names(StoredTrade::COLUMNS).join(", ")
    )
});

pub(super) fn names(columns: &[super::field::Column]) -> Vec<String> {
    columns
        .iter()
        .map(super::field::Column::lite_name)
        .collect()
}

fn trades_of(rows: &[SqliteRow]) -> Result<Vec<StoredTrade>, sqlx::Error> {
    rows.iter().map(StoredTrade::of_lite).collect()
}

pub(super) async fn get(pool: &SqlitePool, id: Uuid) -> Result<Option<StoredTrade>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!("{} WHERE id = ?1", *SELECT)))
        .bind(id.to_string())
        .fetch_optional(pool)
        .await?
        .as_ref()
        .map(StoredTrade::of_lite)
        .transpose()
}

pub(super) async fn trades(
    pool: &SqlitePool,
    filter: &TradeFilter,
) -> Result<Vec<StoredTrade>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{} WHERE created_ns >= ?1 AND (?2 IS NULL OR run_id = ?2) \
         ORDER BY created_ns DESC, seq DESC, n DESC LIMIT ?3",
        *SELECT
    )))
    .bind(filter.since_i64()?)
    .bind(filter.run_id.map(|id| id.to_string()))
    .bind(filter.limit_i64())
    .fetch_all(pool)
    .await?;
    trades_of(&rows)
}

pub(super) async fn open_trades(
    pool: &SqlitePool,
    run_id: Uuid,
    limit: i64,
) -> Result<Vec<StoredTrade>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{} WHERE run_id = ?1 AND status = 'open' ORDER BY seq, n LIMIT ?2",
        *SELECT
    )))
    .bind(run_id.to_string())
    .bind(limit)
    .fetch_all(pool)
    .await?;
    trades_of(&rows)
}

pub(super) async fn persisted_seq(
    pool: &SqlitePool,
    run_id: Uuid,
) -> Result<Option<Seq>, sqlx::Error> {
    let seq: Option<i64> = sqlx::query_scalar("SELECT persisted_seq FROM runs WHERE run_id = ?1")
        .bind(run_id.to_string())
        .fetch_optional(pool)
        .await?;
    seq.map(super::seq_of).transpose()
}

pub(super) async fn tally(
    pool: &SqlitePool,
    [made, stored]: [i64; 2],
    run_id: Option<Uuid>,
    strategy: Option<&str>,
) -> Result<Vec<super::summary::Line>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT status = 'rejected' AS rejected,
                iif(status = 'rejected', risk_rejection_reason, opportunity_type) AS name,
                count(*) AS rows,
                count(*) FILTER (WHERE status = 'open') AS open,
                count(*) FILTER (WHERE status IN ('closed', 'resolved') AND realized_pnl_micro > 0) AS wins,
                count(*) FILTER (WHERE status IN ('closed', 'resolved') AND realized_pnl_micro <= 0) AS losses,
                coalesce(sum(realized_pnl_micro) FILTER (WHERE status IN ('closed', 'resolved')), 0) AS pnl
         FROM paper_trades
         WHERE (created_ns >= ?1 OR stored_ns >= ?3) AND (?2 IS NULL OR run_id = ?2)
           AND (?4 IS NULL OR strategy_id = ?4)
         GROUP BY 1, 2
         UNION ALL
         SELECT 1, reason, sum(legs), 0, 0, 0, 0
         FROM paper_denials
         WHERE (minute_ns >= ?1 OR stored_ns >= ?3) AND (?2 IS NULL OR run_id = ?2)
           AND (?4 IS NULL OR strategy_id = ?4)
         GROUP BY 2 HAVING sum(legs) > 0",
    )
    .bind(made)
    .bind(run_id.map(|id| id.to_string()))
    .bind(stored)
    .bind(strategy)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| super::summary::Line::of(row, row.try_get("pnl")?))
        .collect()
}
