//! A look at a database that changes nothing: is it there, whose schema is it, does it hold a forgotten
//! transaction?

use super::{Store, StoreError, Target, migration_error, postgres, redact, sqlite};
use sqlx::{Connection as _, Row as _};
use std::collections::BTreeSet;

/// A transaction that waits longer than this was forgotten: ours last milliseconds.
const FORGOTTEN_SECS: i32 = 30;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspection {
    /// There is no file yet.
    Absent,
    /// It answers.
    Present {
        /// Migrations that this program has and the database has not.
        pending: Vec<i64>,
        /// Migrations that the database has and this program does not know.
        unknown: Vec<i64>,
        /// Forgotten transactions of ours.
        forgotten: u64,
    },
}

impl Store {
    /// Looks at the database.
    pub async fn inspect(url: &str) -> Result<Inspection, StoreError> {
        let failed = |source| StoreError::Open {
            url: redact(url),
            source,
        };
        let (applied, forgotten, ours): (Vec<i64>, u64, Vec<i64>) = match Target::parse(url)? {
            Target::Sqlite(options) => {
                if !options.get_filename().exists() {
                    return Ok(Inspection::Absent);
                }
                let options = options.create_if_missing(false).pragma("query_only", "ON");
                let mut connection = sqlx::SqliteConnection::connect_with(&options)
                    .await
                    .map_err(failed)?;
                let known: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
                )
                .fetch_one(&mut connection)
                .await
                .map_err(failed)?;
                let applied = if known == 0 {
                    Vec::new()
                } else {
                    sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                        .fetch_all(&mut connection)
                        .await
                        .map_err(failed)?
                };
                (applied, 0, sqlite::migrations())
            }
            Target::Postgres(options) => {
                let mut connection = sqlx::PgConnection::connect_with(&options)
                    .await
                    .map_err(failed)?;
                let known: bool =
                    sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
                        .fetch_one(&mut connection)
                        .await
                        .map_err(failed)?;
                let applied = if known {
                    sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                        .fetch_all(&mut connection)
                        .await
                        .map_err(failed)?
                } else {
                    Vec::new()
                };
                let row = sqlx::query(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                     AND application_name = 'pm-arb' AND state LIKE 'idle in transaction%'
                     AND state_change < now() - make_interval(secs => $1)",
                )
                .bind(f64::from(FORGOTTEN_SECS))
                .fetch_one(&mut connection)
                .await
                .map_err(failed)?;
                let forgotten: i64 = row.try_get(0).map_err(failed)?;
                (applied, forgotten.unsigned_abs(), postgres::migrations())
            }
        };
        let (applied, ours): (BTreeSet<i64>, BTreeSet<i64>) =
            (applied.into_iter().collect(), ours.into_iter().collect());
        Ok(Inspection::Present {
            pending: ours.difference(&applied).copied().collect(),
            unknown: applied.difference(&ours).copied().collect(),
            forgotten,
        })
    }

    /// Brings the schema up to date and does nothing else.
    pub async fn migrate(url: &str) -> Result<(), StoreError> {
        let migrated = match Target::parse(url)? {
            Target::Postgres(options) => postgres::migrate(&options).await,
            Target::Sqlite(options) => sqlite::migrate(&options).await,
        };
        migrated.map_err(|source| migration_error(url, source))
    }
}
