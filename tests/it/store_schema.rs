//! The schemas of both databases agree, and what is no database of ours is refused.

use crate::services::{Place, refuse_unmarked, service};
use crate::store::opened;
use pm_arb::store::{Store, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

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
    // The user may have the database's name.
    let server = url.rsplit_once(&format!("/{name}")).unwrap().0;
    let unmarked = format!("{server}/postgres");
    let mut unmarked = PgConnection::connect(&unmarked).await.unwrap();
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
         WHERE table_schema = current_schema() AND table_name IN ('runs', 'paper_trades', 'paper_intents', 'paper_grades', 'paper_denials', 'paper_markets', 'paper_counts', 'paper_equity', 'paper_alerts') AND is_generated = 'NEVER'
         UNION SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename LIKE 'paper_%'
           AND indexname NOT LIKE '%pkey' AND indexname NOT LIKE '%one_row_per_effect'
         UNION SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text LIKE 'paper_%'
           AND conname NOT LIKE '%_check'
         ORDER BY 1",
    )
    .await;
    let mut c = SqliteConnection::connect(&lite.url).await.unwrap();
    let columns = names(
        &mut c,
        "SELECT m.name || '.' || replace(p.name, '_micro', '') FROM sqlite_schema m, pragma_table_info(m.name) p
         WHERE m.name IN ('runs', 'paper_trades', 'paper_intents', 'paper_grades', 'paper_denials', 'paper_markets', 'paper_counts', 'paper_equity', 'paper_alerts')
         UNION SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1",
    )
    .await;
    let sql = names(
        &mut c,
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name LIKE 'paper_%'",
    )
    .await;
    let constraints = sql
        .iter()
        .flat_map(|table| table.split("CONSTRAINT ").skip(1))
        .filter_map(|c| c.split_whitespace().next())
        .filter(|c| !c.ends_with("one_row_per_effect"))
        .map(str::to_owned);
    let mut of_lite: Vec<String> = columns.into_iter().chain(constraints).collect();
    of_lite.sort();
    let mut of_pg = of_pg;
    of_pg.sort();
    assert!(of_pg.len() > 120);
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
