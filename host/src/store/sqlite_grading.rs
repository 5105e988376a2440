//! SQLite's writing of what stands beside the trades: wishes, grades, markets, counts, alerts, the tape.
//!
//! Part of the transaction that [`super::sqlite`] opens and commits.

use super::batch::Batch;
use super::grading::{StoredIntent, Table};
use super::sqlite::names;
use super::{Applied, StoreError};
use pm_arb_core::effect::Tape;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use std::sync::Arc;
use uuid::Uuid;

pub(super) async fn apply(
    tx: &mut SqliteConnection,
    batch: &Batch,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let failed = |source| batch.failed(source);
    let new = write(tx, &batch.intents).await.map_err(failed)?;
    for (intent, new) in batch.intents.iter().zip(&new) {
        if *new {
            applied.inserted += 1;
            continue;
        }
        if stored_hash(tx, intent).await.map_err(failed)?.as_deref() != Some(&intent.payload_hash) {
            let intent = intent.intent_id.clone();
            return Err(StoreError::IntentConflict { intent });
        }
        applied.duplicates += 1;
    }
    // Parts of their wishes: the same hash vouches for them.
    write(tx, &batch.grades).await.map_err(failed)?;
    for changed in [
        write(tx, &batch.markets).await.map_err(failed)?,
        write(tx, &batch.denials).await.map_err(failed)?,
        write(tx, &batch.counts).await.map_err(failed)?,
    ] {
        let updated = changed.iter().filter(|new| **new).count();
        applied.updated += updated;
        applied.stale += changed.len() - updated;
    }
    for new in [
        write(tx, &batch.equity).await.map_err(failed)?,
        write(tx, &batch.alerts).await.map_err(failed)?,
    ] {
        let inserted = new.iter().filter(|new| **new).count();
        applied.inserted += inserted;
        applied.duplicates += new.len() - inserted;
    }
    for (id, tape) in &batch.tapes {
        corroborate(tx, batch, *id, *tape, applied).await?;
    }
    Ok(())
}

/// Whether each row is new, or newer than what was stored.
async fn write<T: Table>(tx: &mut SqliteConnection, rows: &[T]) -> Result<Vec<bool>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let names = names(T::COLUMNS);
    let values: Vec<String> = (1..=names.len()).map(|i| format!("?{i}")).collect();
    let conflict = if T::REPLACED {
        let set: Vec<String> = names
            .iter()
            .filter(|name| !T::KEY.contains(&name.as_str()))
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        format!(
            "({}) DO UPDATE SET {} WHERE updated_seq <= excluded.updated_seq",
            T::KEY.join(", "),
            set.join(", ")
        )
    } else {
        "DO NOTHING".to_owned()
    };
    let sql: Arc<str> = format!(
        "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT {conflict}",
        T::NAME,
        names.join(", "),
        values.join(", ")
    )
    .into();
    let mut changed = Vec::with_capacity(rows.len());
    for row in rows {
        let done = sqlx::query_with(AssertSqlSafe(Arc::clone(&sql)), row.lite_values()?)
            .execute(&mut *tx)
            .await?;
        changed.push(done.rows_affected() == 1);
    }
    Ok(changed)
}

async fn stored_hash(
    tx: &mut SqliteConnection,
    intent: &StoredIntent,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT payload_hash FROM paper_intents WHERE run_id = ?1 AND intent_id = ?2",
    )
    .bind(intent.run_id.to_string())
    .bind(&intent.intent_id)
    .fetch_optional(tx)
    .await
}

/// What the tape says is said once.
async fn corroborate(
    tx: &mut SqliteConnection,
    batch: &Batch,
    id: Uuid,
    tape: Tape,
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let failed = |source| batch.failed(source);
    let done = sqlx::query(
        "UPDATE paper_trades SET tape = ?2 WHERE id = ?1 AND tape IS NULL AND status <> 'rejected'",
    )
    .bind(id.to_string())
    .bind(tape.as_str())
    .execute(&mut *tx)
    .await
    .map_err(failed)?
    .rows_affected();
    if done == 1 {
        applied.updated += 1;
        return Ok(());
    }
    let stored: Option<(String, Option<String>)> =
        sqlx::query_as("SELECT status, tape FROM paper_trades WHERE id = ?1")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
    super::judge_tape(id, tape, stored)?;
    applied.duplicates += 1;
    Ok(())
}
