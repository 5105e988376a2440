//! One question, asked of either database: the SQL is written once and its rows are read once.
//!
//! A template is SQL that both understand, with two marks: `#name` is a money column, which comes back
//! in millionths; `@name` is a uuid column, which comes back as text. `%name` is the quantity of the trade
//! of that name at the price of its first level, in millionths, cut; NULL when no level is stored.
//! Parameters are `$1`, `$2`, …; `~1` is the first one as a uuid column holds it.
//! Rows are streamed, never collected here, so an answer of any length needs the memory of one row.

use super::{Readers, StoreError};
use futures_util::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};

/// A parameter.
#[derive(Debug, Clone)]
pub(super) enum Bind {
    Int(i64),
    Text(Option<String>),
}

/// The columns of a row, read from left to right.
pub(super) trait Columns {
    fn int(&mut self) -> Result<i64, sqlx::Error>;
    fn maybe_int(&mut self) -> Result<Option<i64>, sqlx::Error>;
    fn text(&mut self) -> Result<String, sqlx::Error>;
    fn maybe_text(&mut self) -> Result<Option<String>, sqlx::Error>;
    fn flag(&mut self) -> Result<bool, sqlx::Error>;
}

struct Reading<'r, R> {
    row: &'r R,
    next: usize,
}

macro_rules! columns {
    ($row:ty) => {
        impl Reading<'_, $row> {
            fn position(&mut self) -> usize {
                self.next += 1;
                self.next - 1
            }
        }

        impl Columns for Reading<'_, $row> {
            fn int(&mut self) -> Result<i64, sqlx::Error> {
                let at = self.position();
                self.row.try_get(at)
            }
            fn maybe_int(&mut self) -> Result<Option<i64>, sqlx::Error> {
                let at = self.position();
                self.row.try_get(at)
            }
            fn text(&mut self) -> Result<String, sqlx::Error> {
                let at = self.position();
                self.row.try_get(at)
            }
            fn maybe_text(&mut self) -> Result<Option<String>, sqlx::Error> {
                let at = self.position();
                self.row.try_get(at)
            }
            fn flag(&mut self) -> Result<bool, sqlx::Error> {
                let at = self.position();
                self.row.try_get(at)
            }
        }
    };
}

columns!(PgRow);
columns!(SqliteRow);

/// Asks, reads every row with `read` and hands it to `take`; the first failure ends it.
pub(super) async fn each<T>(
    readers: &Readers,
    what: &'static str,
    template: &str,
    binds: &[Bind],
    read: impl Fn(&mut dyn Columns) -> Result<T, sqlx::Error>,
    mut take: impl FnMut(T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = super::read_error(what);
    macro_rules! ask {
        ($pool:expr, $postgres:literal) => {{
            let mut query = sqlx::query(AssertSqlSafe(dialect(template, $postgres)));
            for bind in binds {
                query = match bind {
                    Bind::Int(value) => query.bind(*value),
                    Bind::Text(value) => query.bind(value.clone()),
                };
            }
            let mut rows = query.fetch($pool);
            while let Some(row) = rows.try_next().await.map_err(&failed)? {
                let value = read(&mut Reading { row: &row, next: 0 }).map_err(&failed)?;
                take(value)?;
            }
        }};
    }
    match readers {
        Readers::Postgres(pool) => ask!(pool, true),
        Readers::Sqlite(pool) => ask!(pool, false),
    }
    Ok(())
}

/// The same, collected: for answers that a `LIMIT` bounds.
pub(super) async fn all<T>(
    readers: &Readers,
    what: &'static str,
    template: &str,
    binds: &[Bind],
    read: impl Fn(&mut dyn Columns) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    each(readers, what, template, binds, read, |value| {
        found.push(value);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// The template in the words of one database.
fn dialect(template: &str, postgres: bool) -> String {
    let mut sql = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some(at) = rest.find(['#', '@', '%', '~']) {
        let (before, marked) = rest.split_at(at);
        let (mark, after) = marked.split_at(1);
        let end = after
            .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.'))
            .unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        sql.push_str(before);
        sql.push_str(&match (mark, postgres) {
            ("#", true) => format!("({name} * 1000000)::bigint"),
            ("#", false) => format!("{name}_micro"),
            ("%", true) => {
                format!("trunc(({name}.levels::json->0->>0)::numeric * {name}.quantity)::bigint")
            }
            ("%", false) => {
                format!(
                    "(json_extract({name}.levels, '$[0][0]') * {name}.quantity_micro / 1000000)"
                )
            }
            ("~", true) => format!("CAST(${name} AS UUID)"),
            ("~", false) => format!("${name}"),
            (_, true) => format!("{name}::text"),
            (_, false) => name.to_owned(),
        });
        rest = tail;
    }
    sql.push_str(rest);
    sql
}

#[cfg(test)]
mod tests {
    use super::dialect;

    #[test]
    fn each_database_gets_its_own_words() {
        let template = "SELECT @t.id, sum(#t.realized_pnl), n FROM t WHERE $1 <= n";
        assert_eq!(
            dialect(template, true),
            "SELECT t.id::text, sum((t.realized_pnl * 1000000)::bigint), n FROM t WHERE $1 <= n"
        );
        assert_eq!(
            dialect(template, false),
            "SELECT t.id, sum(t.realized_pnl_micro), n FROM t WHERE $1 <= n"
        );
    }
}
