//! The bare loops that row `store` is compared with: what a database takes when nobody asks anything.
//!
//! They write the very rows that ours wrote, read back once, into an empty copy of its table.

use crate::measure::Outcome;
use crate::store::{GROUP, ROWS};
use rust_decimal::Decimal;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _,
    TypeInfo as _, ValueRef as _,
};
use std::path::Path;
use std::time::Instant;
use uuid::Uuid;

/// The mark of a database that may be written to for tests.
const MARK: &str = "pm-arb test database";

/// One column of a group, as an array of its type.
enum Array {
    Uuid(Vec<Option<Uuid>>),
    Big(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Numeric(Vec<Option<Decimal>>),
    Bool(Vec<Option<bool>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// A schema of its own on a test server.
pub struct Postgres {
    /// Where ours is opened.
    pub url: String,
    connection: PgConnection,
    schema: String,
    insert: String,
    groups: Vec<Vec<Array>>,
}

impl Postgres {
    /// Makes the schema, unless the database is not marked as a test database.
    pub async fn connect(server: &str) -> Outcome<Self> {
        let mut connection = PgConnection::connect(server).await?;
        let (name, mark): (String, Option<String>) = sqlx::query_as(
            "SELECT datname::text, shobj_description(oid, 'pg_database')
             FROM pg_database WHERE datname = current_database()",
        )
        .fetch_one(&mut connection)
        .await?;
        if !name.ends_with("_test") || mark.as_deref() != Some(MARK) {
            return Err(format!("{name} is not marked as a test database ({MARK:?})").into());
        }
        let schema = format!("bench_{}", std::process::id());
        let statements = format!(
            "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; SET search_path = {schema}"
        );
        connection.execute(AssertSqlSafe(statements)).await?;
        let join = if server.contains('?') { '&' } else { '?' };
        Ok(Self {
            url: format!("{server}{join}options[search_path]={schema}"),
            connection,
            schema,
            insert: String::new(),
            groups: Vec::new(),
        })
    }

    /// Empties both tables.
    pub async fn empty(&mut self) -> Outcome<()> {
        self.connection
            .execute(
                "CREATE TABLE IF NOT EXISTS bare (LIKE paper_trades INCLUDING ALL);
                 TRUNCATE paper_trades; TRUNCATE bare",
            )
            .await?;
        Ok(())
    }

    /// Writes the rows into the copy; seconds.
    pub async fn round(&mut self) -> Outcome<f64> {
        if self.groups.is_empty() {
            self.read().await?;
        }
        let insert: std::sync::Arc<str> = self.insert.as_str().into();
        let mut arguments = Vec::new();
        for group in &self.groups {
            let mut list = PgArguments::default();
            for array in group {
                match array {
                    Array::Uuid(values) => list.add(values.clone()),
                    Array::Big(values) => list.add(values.clone()),
                    Array::Text(values) => list.add(values.clone()),
                    Array::Numeric(values) => list.add(values.clone()),
                    Array::Bool(values) => list.add(values.clone()),
                    Array::Bytes(values) => list.add(values.clone()),
                }
                .map_err(|error| error.to_string())?;
            }
            arguments.push(list);
        }
        let start = Instant::now();
        for list in arguments {
            sqlx::query_with(AssertSqlSafe(insert.clone()), list)
                .execute(&mut self.connection)
                .await?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// Reads what ours wrote, column by column, and foreign keys of the copy.
    async fn read(&mut self) -> Outcome<()> {
        self.connection
            .execute("ALTER TABLE bare ADD FOREIGN KEY (run_id) REFERENCES runs (run_id)")
            .await?;
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT column_name::text, data_type::text FROM information_schema.columns
             WHERE table_schema = $1 AND table_name = 'paper_trades' AND is_generated = 'NEVER'
             ORDER BY ordinal_position",
        )
        .bind(&self.schema)
        .fetch_all(&mut self.connection)
        .await?;
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        let arrays: Vec<String> = columns
            .iter()
            .zip(1..)
            .map(|((_, kind), n)| format!("${n}::{kind}[]"))
            .collect();
        self.insert = format!(
            "INSERT INTO bare ({names}) SELECT * FROM unnest({})",
            arrays.join(", ")
        );
        let select = format!("SELECT {names} FROM paper_trades ORDER BY seq LIMIT {ROWS}");
        let rows = sqlx::query(AssertSqlSafe(select))
            .fetch_all(&mut self.connection)
            .await?;
        for chunk in rows.chunks(GROUP) {
            let mut group = Vec::new();
            for (n, (name, kind)) in columns.iter().enumerate() {
                macro_rules! column {
                    ($variant:ident) => {
                        Array::$variant(
                            chunk
                                .iter()
                                .map(|row| row.try_get(n))
                                .collect::<Result<_, _>>()?,
                        )
                    };
                }
                group.push(match kind.as_str() {
                    "uuid" => column!(Uuid),
                    "bigint" => column!(Big),
                    "text" => column!(Text),
                    "numeric" => column!(Numeric),
                    "boolean" => column!(Bool),
                    "bytea" => column!(Bytes),
                    other => return Err(format!("column {name} has type {other}").into()),
                });
            }
            self.groups.push(group);
        }
        Ok(())
    }

    /// Takes the schema down.
    pub async fn remove(mut self) -> Outcome<()> {
        let statement = format!("DROP SCHEMA {} CASCADE", self.schema);
        self.connection.execute(AssertSqlSafe(statement)).await?;
        Ok(())
    }
}

/// A value as SQLite stores it.
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// A second connection to ours' file, set up as its writer is.
pub struct Lite {
    connection: SqliteConnection,
    insert: String,
    rows: Vec<Vec<Cell>>,
}

impl Lite {
    /// Connects, and copies the table with its indexes.
    pub async fn connect(path: &Path) -> Outcome<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let definitions: Vec<String> = sqlx::query_scalar(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'paper_trades' AND sql IS NOT NULL
             ORDER BY type DESC",
        )
        .fetch_all(&mut connection)
        .await?;
        for definition in definitions {
            // Table, indexes and constraints carry the table's name in theirs.
            let copy = definition.replace("paper_trades", "bare_trades");
            connection.execute(AssertSqlSafe(copy)).await?;
        }
        Ok(Self {
            connection,
            insert: String::new(),
            rows: Vec::new(),
        })
    }

    /// Empties both tables.
    pub async fn empty(&mut self) -> Outcome<()> {
        self.connection
            .execute("DELETE FROM paper_trades; DELETE FROM bare_trades; PRAGMA wal_checkpoint(TRUNCATE)")
            .await?;
        Ok(())
    }

    /// Writes the rows into the copy; seconds.
    pub async fn round(&mut self) -> Outcome<f64> {
        if self.rows.is_empty() {
            self.read().await?;
        }
        let insert: std::sync::Arc<str> = self.insert.as_str().into();
        let start = Instant::now();
        for group in self.rows.chunks(GROUP) {
            let mut transaction = self.connection.begin().await?;
            for row in group {
                let mut list = SqliteArguments::default();
                for cell in row {
                    match cell {
                        Cell::Null => list.add(None::<i64>),
                        Cell::Integer(value) => list.add(*value),
                        Cell::Real(value) => list.add(*value),
                        Cell::Text(value) => list.add(value.clone()),
                        Cell::Blob(value) => list.add(value.clone()),
                    }
                    .map_err(|error| error.to_string())?;
                }
                sqlx::query_with(AssertSqlSafe(insert.clone()), list)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    /// Reads what ours wrote.
    async fn read(&mut self) -> Outcome<()> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM pragma_table_xinfo('paper_trades') WHERE hidden = 0",
        )
        .fetch_all(&mut self.connection)
        .await?;
        let marks = vec!["?"; names.len()].join(", ");
        let names = names.join(", ");
        self.insert = format!("INSERT INTO bare_trades ({names}) VALUES ({marks})");
        let select = format!("SELECT {names} FROM paper_trades ORDER BY seq LIMIT {ROWS}");
        let rows = sqlx::query(AssertSqlSafe(select))
            .fetch_all(&mut self.connection)
            .await?;
        for row in &rows {
            let mut cells = Vec::new();
            for column in row.columns() {
                let n = column.ordinal();
                let value = row.try_get_raw(n)?;
                let kind = value.type_info().name().to_owned();
                cells.push(match kind.as_str() {
                    _ if value.is_null() => Cell::Null,
                    "INTEGER" => Cell::Integer(row.try_get_unchecked(n)?),
                    "REAL" => Cell::Real(row.try_get_unchecked(n)?),
                    "TEXT" => Cell::Text(row.try_get_unchecked(n)?),
                    "BLOB" => Cell::Blob(row.try_get_unchecked(n)?),
                    other => return Err(format!("column {} is {other}", column.name()).into()),
                });
            }
            self.rows.push(cells);
        }
        Ok(())
    }
}
