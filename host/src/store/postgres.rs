//! The store on PostgreSQL: one transaction a group, one statement a step.
//!
//! Owns PostgreSQL's SQL and connection options. Transactions exist on the writer's own connection
//! only; readers get single statements on read-only connections.

use super::batch::Batch;
use super::field::TableRow;
use super::row::{Change, StoredTrade};
use super::{Applied, RunInfo, StoreError, TradeFilter};
use pm_arb_core::effect::TradeStatus;
use pm_arb_core::ids::Seq;
use rust_decimal::Decimal;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use uuid::Uuid;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// The server ends a statement that takes longer. Shorter than the writer's own patience.
const STATEMENT_TIMEOUT: &str = "10s";
/// How long a reader waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name("pm-arb")
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT),
            ("timezone", "UTC"),
        ]))
}

/// Versions of the migrations that this program has.
pub(super) fn migrations() -> Vec<i64> {
    MIGRATIONS.iter().map(|m| m.version).collect()
}

pub(super) async fn migrate(options: &PgConnectOptions) -> Result<(), sqlx::migrate::MigrateError> {
    let mut connection = PgConnection::connect_with(options).await?;
    // Another process may be migrating at the same time: wait for it instead of failing.
    connection.execute("SET statement_timeout = 0").await?;
    // A role that may not change the schema can work with one that needs no change.
    if !is_up_to_date(&mut connection).await {
        MIGRATIONS.run(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Whether exactly our migrations were applied, unchanged. No answer (there is no such table) means no.
async fn is_up_to_date(connection: &mut PgConnection) -> bool {
    let applied: Result<Vec<(i64, Vec<u8>)>, sqlx::Error> = sqlx::query_as(
        "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version",
    )
    .fetch_all(connection)
    .await;
    let ours = MIGRATIONS.iter().map(|m| (m.version, m.checksum.to_vec()));
    applied.is_ok_and(|applied| applied.into_iter().eq(ours))
}

/// Readers. Nothing here begins a transaction; the hooks make sure that none can be inherited even if
/// something one day does (sqlx 0.9.0 can leave one open in a pooled connection when `begin()` is
/// cancelled).
///
/// Each statement ends after `limit`; without one, after the time that everything here has.
pub(super) async fn pool(
    options: PgConnectOptions,
    limit: Option<Duration>,
) -> Result<PgPool, sqlx::Error> {
    let (options, patience) = match limit {
        Some(limit) => {
            let ms = limit.as_millis().to_string();
            (
                options.options([("statement_timeout", ms)]),
                super::PATIENCE,
            )
        }
        None => (options, ACQUIRE_TIMEOUT),
    };
    PgPoolOptions::new()
        .min_connections(super::POOL_MIN)
        .max_connections(super::POOL_MAX)
        .acquire_timeout(patience)
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.execute("ROLLBACK").await?;
                Ok(true)
            })
        })
        // A ROLLBACK without a transaction is answered with a warning: not worth a log line each.
        .connect_with(options.options([
            ("default_transaction_read_only", "on"),
            ("client_min_messages", "error"),
        ]))
        .await
}

pub(super) async fn ensure_run(
    connection: &mut PgConnection,
    run: &RunInfo,
) -> Result<bool, sqlx::Error> {
    let created = i64::try_from(run.created.0).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
        "INSERT INTO runs (run_id, source, created_ns, host_version, config)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(run.run_id)
    .bind(&run.source)
    .bind(created)
    .bind(&run.host_version)
    .bind(&run.config)
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar("SELECT source = $2 AND created_ns = $3 FROM runs WHERE run_id = $1")
        .bind(run.run_id)
        .bind(&run.source)
        .bind(created)
        .fetch_one(connection)
        .await
}

pub(super) async fn apply(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<Applied, StoreError> {
    let failed = |source| batch.failed(source);
    let mut tx = connection.begin().await.map_err(failed)?;
    // Also takes the run's row lock: two writers of one run follow each other.
    let known = sqlx::query(
        "UPDATE runs SET persisted_seq = GREATEST(persisted_seq, $2) WHERE run_id = $1",
    )
    .bind(batch.run_id)
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
    if !batch.inserts.is_empty() {
        insert(&mut tx, batch, &mut applied).await?;
    }
    if !batch.changes.is_empty() {
        change(&mut tx, batch, &mut applied).await?;
    }
    super::postgres_grading::apply(&mut tx, batch, &mut applied).await?;
    tx.commit().await.map_err(failed)?;
    Ok(applied)
}

async fn insert(
    tx: &mut PgConnection,
    batch: &Batch,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let failed = |source| batch.failed(source);
    let arguments = StoredTrade::pg_arrays(&batch.inserts).map_err(failed)?;
    let new: BTreeSet<Uuid> = sqlx::query_with(AssertSqlSafe(Arc::clone(&INSERT)), arguments)
        .fetch_all(&mut *tx)
        .await
        .and_then(|rows| rows.iter().map(|r| r.try_get(0)).collect())
        .map_err(failed)?;
    applied.inserted += new.len();
    let old: Vec<&StoredTrade> = batch
        .inserts
        .iter()
        .filter(|t| !new.contains(&t.id))
        .collect();
    if old.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = old.iter().map(|t| t.id).collect();
    let hashes: BTreeMap<Uuid, Vec<u8>> =
        sqlx::query_as("SELECT id, payload_hash FROM paper_trades WHERE id = ANY($1)")
            .bind(ids)
            .fetch_all(&mut *tx)
            .await
            .map_err(failed)?
            .into_iter()
            .collect();
    for trade in old {
        if hashes.get(&trade.id).map(Vec::as_slice) != Some(trade.payload_hash.as_slice()) {
            return Err(StoreError::DuplicateConflict { id: trade.id });
        }
        applied.duplicates += 1;
    }
    Ok(())
}

async fn change(
    tx: &mut PgConnection,
    batch: &Batch,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let failed = |source| batch.failed(source);
    let arguments = Change::pg_arrays(&batch.changes).map_err(failed)?;
    let done: BTreeSet<Uuid> = sqlx::query_with(AssertSqlSafe(Arc::clone(&CHANGE)), arguments)
        .fetch_all(&mut *tx)
        .await
        .and_then(|rows| rows.iter().map(|r| r.try_get(0)).collect())
        .map_err(failed)?;
    applied.updated += done.len();
    let left: Vec<Uuid> = batch
        .changes
        .iter()
        .map(|c| c.id)
        .filter(|id| !done.contains(id))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let states: BTreeMap<Uuid, String> =
        sqlx::query_as("SELECT id, status FROM paper_trades WHERE id = ANY($1)")
            .bind(&left)
            .fetch_all(&mut *tx)
            .await
            .map_err(failed)?
            .into_iter()
            .collect();
    for id in left {
        applied.stale += super::judge_unchanged(id, states.get(&id).map(String::as_str))?;
    }
    Ok(())
}

/// `INSERT … SELECT FROM unnest(one array a column)`: one statement for any number of rows.
static INSERT: LazyLock<Arc<str>> = LazyLock::new(|| {
    let (names, arrays) = names_and_arrays(StoredTrade::COLUMNS);
    format!(
        "INSERT INTO paper_trades ({names}) SELECT * FROM unnest({arrays}) \
         ON CONFLICT DO NOTHING RETURNING id"
    )
    .into()
});

static CHANGE: LazyLock<Arc<str>> = LazyLock::new(|| {
    let (names, arrays) = names_and_arrays(Change::COLUMNS);
    let mut set = String::new();
    for column in Change::COLUMNS.iter().filter(|c| c.name != "id") {
        let comma = if set.is_empty() { "" } else { ", " };
        // Writing to a String can not fail.
        let _ = write!(set, "{comma}{0} = new.{0}", column.name);
    }
    format!(
        "UPDATE paper_trades AS old SET {set} FROM unnest({arrays}) AS new ({names}) \
         WHERE old.id = new.id AND old.updated_seq <= new.updated_seq AND old.status <> '{}' \
         RETURNING old.id",
        TradeStatus::Rejected.as_str()
    )
    .into()
});

static SELECT: LazyLock<String> = LazyLock::new(|| {
    let (names, _) = names_and_arrays(StoredTrade::COLUMNS);
    format!("SELECT {names} FROM paper_trades")
});

pub(super) fn names_and_arrays(columns: &[super::field::Column]) -> (String, String) {
    let names: Vec<&str> = columns.iter().map(|c| c.name).collect();
    let arrays: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| format!("${}::{}[]", i + 1, c.pg_type))
        .collect();
    (names.join(", "), arrays.join(", "))
}

fn trades_of(rows: &[PgRow]) -> Result<Vec<StoredTrade>, sqlx::Error> {
    rows.iter().map(StoredTrade::of_pg).collect()
}

pub(super) async fn get(pool: &PgPool, id: Uuid) -> Result<Option<StoredTrade>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!("{} WHERE id = $1", *SELECT)))
        .bind(id)
        .fetch_optional(pool)
        .await?
        .as_ref()
        .map(StoredTrade::of_pg)
        .transpose()
}

pub(super) async fn trades(
    pool: &PgPool,
    filter: &TradeFilter,
) -> Result<Vec<StoredTrade>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{} WHERE created_ns >= $1 AND ($2::uuid IS NULL OR run_id = $2) \
         ORDER BY created_ns DESC, seq DESC, n DESC LIMIT $3",
        *SELECT
    )))
    .bind(filter.since_i64()?)
    .bind(filter.run_id)
    .bind(filter.limit_i64())
    .fetch_all(pool)
    .await?;
    trades_of(&rows)
}

pub(super) async fn open_trades(
    pool: &PgPool,
    run_id: Uuid,
    limit: i64,
) -> Result<Vec<StoredTrade>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{} WHERE run_id = $1 AND status = 'open' ORDER BY seq, n LIMIT $2",
        *SELECT
    )))
    .bind(run_id)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    trades_of(&rows)
}

pub(super) async fn persisted_seq(pool: &PgPool, run_id: Uuid) -> Result<Option<Seq>, sqlx::Error> {
    let seq: Option<i64> = sqlx::query_scalar("SELECT persisted_seq FROM runs WHERE run_id = $1")
        .bind(run_id)
        .fetch_optional(pool)
        .await?;
    seq.map(super::seq_of).transpose()
}

pub(super) async fn tally(
    pool: &PgPool,
    [made, stored]: [i64; 2],
    run_id: Option<Uuid>,
    strategy: Option<&str>,
) -> Result<Vec<super::summary::Line>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT status = 'rejected' AS rejected,
                CASE WHEN status = 'rejected' THEN risk_rejection_reason ELSE opportunity_type END AS name,
                count(*) AS rows,
                count(*) FILTER (WHERE status = 'open') AS open,
                count(*) FILTER (WHERE status IN ('closed', 'resolved') AND realized_pnl > 0) AS wins,
                count(*) FILTER (WHERE status IN ('closed', 'resolved') AND realized_pnl <= 0) AS losses,
                coalesce(sum(realized_pnl) FILTER (WHERE status IN ('closed', 'resolved')), 0) AS pnl
         FROM paper_trades
         WHERE (created_ns >= $1 OR stored_ns >= $3) AND ($2::uuid IS NULL OR run_id = $2)
           AND ($4::text IS NULL OR strategy_id = $4)
         GROUP BY 1, 2
         UNION ALL
         SELECT TRUE, reason, sum(legs)::bigint, 0, 0, 0, 0
         FROM paper_denials
         WHERE (minute_ns >= $1 OR stored_ns >= $3) AND ($2::uuid IS NULL OR run_id = $2)
           AND ($4::text IS NULL OR strategy_id = $4)
         GROUP BY 2 HAVING sum(legs) > 0",
    )
    .bind(made)
    .bind(run_id)
    .bind(stored)
    .bind(strategy)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let pnl: Decimal = row.try_get("pnl")?;
            let pnl = super::field::micro(pnl).map_err(|e| sqlx::Error::Decode(e.into()))?;
            super::summary::Line::of(row, pnl)
        })
        .collect()
}
