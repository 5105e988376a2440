//! PostgreSQL's writing of what stands beside the trades: wishes, grades, markets, counts, alerts, the tape.
//!
//! Part of the transaction that [`super::postgres`] opens and commits; one statement a table.

use super::batch::Batch;
use super::grading::Table;
use super::postgres::names_and_arrays;
use super::{Applied, StoreError};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(super) async fn apply(
    tx: &mut PgConnection,
    batch: &Batch,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let failed = |source| batch.failed(source);
    let new = write(tx, &batch.intents).await.map_err(failed)?;
    applied.inserted += new;
    if new < batch.intents.len() {
        applied.duplicates += batch.intents.len() - new;
        same_intents(tx, batch).await?;
    }
    // Parts of their wishes: the same hash vouches for them.
    write(tx, &batch.grades).await.map_err(failed)?;
    for (rows, changed) in [
        (
            batch.markets.len(),
            write(tx, &batch.markets).await.map_err(failed)?,
        ),
        (
            batch.denials.len(),
            write(tx, &batch.denials).await.map_err(failed)?,
        ),
        (
            batch.counts.len(),
            write(tx, &batch.counts).await.map_err(failed)?,
        ),
    ] {
        applied.updated += changed;
        applied.stale += rows - changed;
    }
    let new = write(tx, &batch.equity).await.map_err(failed)?;
    applied.inserted += new;
    applied.duplicates += batch.equity.len() - new;
    let new = write(tx, &batch.alerts).await.map_err(failed)?;
    applied.inserted += new;
    applied.duplicates += batch.alerts.len() - new;
    if !batch.tapes.is_empty() {
        corroborate(tx, batch, applied).await?;
    }
    Ok(())
}

/// How many rows are new, or newer than what was stored.
async fn write<T: Table>(tx: &mut PgConnection, rows: &[T]) -> Result<usize, sqlx::Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    let (names, arrays) = names_and_arrays(T::COLUMNS);
    let conflict = if T::REPLACED {
        let set: Vec<String> = T::COLUMNS
            .iter()
            .filter(|column| !T::KEY.contains(&column.name))
            .map(|column| format!("{0} = EXCLUDED.{0}", column.name))
            .collect();
        format!(
            "({}) DO UPDATE SET {} WHERE old.updated_seq <= EXCLUDED.updated_seq",
            T::KEY.join(", "),
            set.join(", ")
        )
    } else {
        "DO NOTHING".to_owned()
    };
    let sql = format!(
        "INSERT INTO {} AS old ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT {conflict}",
        T::NAME
    );
    let done = sqlx::query_with(AssertSqlSafe(sql), T::pg_arrays(rows)?)
        .execute(tx)
        .await?;
    Ok(usize::try_from(done.rows_affected())
        .unwrap_or(usize::MAX)
        .min(rows.len()))
}

/// Every wish of the group is stored as it is here.
async fn same_intents(tx: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let ids: Vec<&str> = batch.intents.iter().map(|i| i.intent_id.as_str()).collect();
    let hashes: BTreeMap<String, Vec<u8>> = sqlx::query_as(
        "SELECT intent_id, payload_hash FROM paper_intents WHERE run_id = $1 AND intent_id = ANY($2)",
    )
    .bind(batch.run_id)
    .bind(ids)
    .fetch_all(tx)
    .await
    .map_err(|source| batch.failed(source))?
    .into_iter()
    .collect();
    for intent in &batch.intents {
        if hashes.get(&intent.intent_id).map(Vec::as_slice) != Some(&intent.payload_hash) {
            let intent = intent.intent_id.clone();
            return Err(StoreError::IntentConflict { intent });
        }
    }
    Ok(())
}

/// What the tape says is said once.
async fn corroborate(
    tx: &mut PgConnection,
    batch: &Batch,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let failed = |source| batch.failed(source);
    let (ids, tapes): (Vec<Uuid>, Vec<&str>) =
        batch.tapes.iter().map(|(id, t)| (*id, t.as_str())).unzip();
    let done = sqlx::query(
        "UPDATE paper_trades AS old SET tape = new.tape
         FROM unnest($1::uuid[], $2::text[]) AS new (id, tape)
         WHERE old.id = new.id AND old.tape IS NULL AND old.status <> 'rejected'",
    )
    .bind(&ids)
    .bind(&tapes)
    .execute(&mut *tx)
    .await
    .map_err(failed)?
    .rows_affected();
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    applied.updated += done;
    if done >= ids.len() {
        return Ok(());
    }
    applied.duplicates += ids.len() - done;
    let rows: Vec<(Uuid, String, Option<String>)> =
        sqlx::query_as("SELECT id, status, tape FROM paper_trades WHERE id = ANY($1)")
            .bind(&ids)
            .fetch_all(&mut *tx)
            .await
            .map_err(failed)?;
    let mut stored: BTreeMap<Uuid, (String, Option<String>)> = rows
        .into_iter()
        .map(|(id, status, tape)| (id, (status, tape)))
        .collect();
    for (id, tape) in &batch.tapes {
        super::judge_tape(*id, *tape, stored.remove(id))?;
    }
    Ok(())
}
