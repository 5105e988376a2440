//! Keeps every trade: one interface over SQLite (a file, the default) and PostgreSQL.
//!
//! ```text
//! engine ─► RelayHandle ─► Relay ─► Store::apply ─► writer task ─► its own connection
//!                                   Store::{get,trades,summary,…} ─► pool of readers
//! ```
//!
//! The journal is the authority; this is its readable image. Everything is idempotent: the same effects
//! may be sent again after any failure, and a contradiction is an error, never an overwrite.
//! Nothing here decides about trades.

mod alerts;
/// What a report needs to know of many rows.
pub mod analysis;
mod ask;
mod batch;
mod equity;
mod error;
mod field;
mod grading;
mod hours;
mod inspect;
/// Pages of a list of any length.
pub mod list;
mod postgres;
mod postgres_grading;
mod relay;
mod row;
mod sqlite;
mod sqlite_grading;
mod summary;
/// Rows as people read them.
pub mod view;
/// What was wished, refused and traded of one market or opportunity.
pub mod why;
mod writer;

pub use alerts::StoredAlert;
pub use equity::{EQUITY_POINTS_MAX, EquityPoint, StoredEquity};
pub use error::StoreError;
pub use field::{FieldError, Levels};
pub use grading::{CountKind, StoredCount, StoredDenials, StoredGrade, StoredIntent, StoredMarket};
pub use hours::DenialBucket;
pub use inspect::Inspection;
pub use relay::{Relay, RelayError, RelayHandle, RelayStatus, relay};
pub use row::{Side, StoreOp, StoredTrade, opportunity_key, trade_uuid};

use batch::Batch;
use pm_arb_core::effect::{Tape, TradeStatus};
use pm_arb_core::ids::{Seq, Timestamp};
use pm_arb_core::report::Summary;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use writer::{Job, Request, WRITER_QUEUE};

/// Fewest connections kept for readers.
pub const POOL_MIN: u32 = 2;
/// Most connections for readers; the writer has one of its own.
pub const POOL_MAX: u32 = 10;
/// How long those who can not wait do wait for a connection ([`Store::open_read_only_within`]).
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Most rows of one answer of [`Store::trades`]; a larger limit is cut to it.
pub const TRADES_MAX: usize = 10_000;
/// Most open trades of a run; beyond it [`Store::open_trades`] refuses to answer with a part.
pub const OPEN_TRADES_MAX: usize = 100_000;

/// A run, as registered before its first trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Its identity.
    pub run_id: Uuid,
    /// Where its inputs come from ("live", "sim", a recording's name).
    pub source: String,
    /// When it began.
    pub created: Timestamp,
    /// Version of the program that began it.
    pub host_version: String,
    /// The engine's settings as JSON text, for readers.
    pub config: String,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// New rows.
    pub inserted: usize,
    /// Rows that were there already, identical.
    pub duplicates: usize,
    /// Rows that got a newer state.
    pub updated: usize,
    /// States that were older than the stored one and left alone.
    pub stale: usize,
}

/// Which trades to read, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeFilter {
    /// Not older than that; zero for all.
    pub since: Timestamp,
    /// Of one run only.
    pub run_id: Option<Uuid>,
    /// At most so many (and at most [`TRADES_MAX`]).
    pub limit: usize,
}

impl TradeFilter {
    fn since_i64(&self) -> Result<i64, sqlx::Error> {
        i64::try_from(self.since.0).map_err(|e| sqlx::Error::Encode(e.into()))
    }

    fn limit_i64(&self) -> i64 {
        i64::try_from(self.limit.min(TRADES_MAX)).unwrap_or(i64::MAX)
    }
}

/// Which database, and how to connect to it.
#[derive(Debug, Clone)]
enum Target {
    Postgres(Box<PgConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

#[derive(Debug, Clone)]
enum Readers {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Readers,
    /// `None` when it was opened for reading.
    writer: Option<mpsc::Sender<Request>>,
}

impl Store {
    /// Opens `sqlite:PATH` (created when missing) or `postgres://…`, brings the schema up to date and
    /// starts the writer. Needs a tokio runtime.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let target = Target::parse(url)?;
        let migrated = match &target {
            Target::Postgres(options) => postgres::migrate(options).await,
            Target::Sqlite(options) => sqlite::migrate(options).await,
        };
        migrated.map_err(|source| migration_error(url, source))?;
        let readers = target.readers(url, None).await?;
        let (writer, requests) = mpsc::channel(WRITER_QUEUE);
        tokio::spawn(writer::serve(target, requests));
        Ok(Self {
            readers,
            writer: Some(writer),
        })
    }

    /// Opens an existing database for reports: nothing is created, migrated or written.
    pub async fn open_read_only(url: &str) -> Result<Self, StoreError> {
        Self::open_reader(url, None).await
    }

    /// The same for those who can not wait: a statement that takes longer than `limit` is refused as
    /// [`StoreError::TooSlow`], and so is a connection that can not be had within [`PATIENCE`].
    pub async fn open_read_only_within(url: &str, limit: Duration) -> Result<Self, StoreError> {
        Self::open_reader(url, Some(limit)).await
    }

    async fn open_reader(url: &str, limit: Option<Duration>) -> Result<Self, StoreError> {
        Ok(Self {
            readers: Target::parse(url)?.readers(url, limit).await?,
            writer: None,
        })
    }

    /// Registers a run. Again is fine; the same id with another source or start is not.
    pub async fn ensure_run(&self, run: &RunInfo) -> Result<(), StoreError> {
        self.write(Job::EnsureRun(Box::new(run.clone())))
            .await
            .map(|_| ())
    }

    /// Stores `ops` in one transaction, which also says that everything of the run up to record
    /// `through` is stored. All or nothing; sending the same again changes nothing.
    pub async fn apply(
        &self,
        run_id: Uuid,
        through: Seq,
        ops: &[StoreOp],
    ) -> Result<Applied, StoreError> {
        let batch = Batch::of(run_id, through, ops)?;
        self.write(Job::Apply(Box::new(batch))).await
    }

    /// Waits for the writes under way and closes every connection.
    pub async fn close(&self) {
        // An error means that the writer has ended already.
        let _ = self.write(Job::Close).await;
        match &self.readers {
            Readers::Postgres(pool) => pool.close().await,
            Readers::Sqlite(pool) => pool.close().await,
        }
    }

    async fn write(&self, job: Job) -> Result<Applied, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        let (answer, result) = oneshot::channel();
        let sent = writer.send((job, answer)).await;
        sent.map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)?
    }

    /// Up to which journal record the run is stored; `None` when the run is unknown.
    pub async fn persisted_seq(&self, run_id: Uuid) -> Result<Option<Seq>, StoreError> {
        match &self.readers {
            Readers::Postgres(pool) => postgres::persisted_seq(pool, run_id).await,
            Readers::Sqlite(pool) => sqlite::persisted_seq(pool, run_id).await,
        }
        .map_err(read_error("the position of the run"))
    }

    /// One trade.
    pub async fn get(&self, id: Uuid) -> Result<Option<StoredTrade>, StoreError> {
        match &self.readers {
            Readers::Postgres(pool) => postgres::get(pool, id).await,
            Readers::Sqlite(pool) => sqlite::get(pool, id).await,
        }
        .map_err(read_error("a trade"))
    }

    /// The newest trades and rejections, newest first.
    pub async fn trades(&self, filter: &TradeFilter) -> Result<Vec<StoredTrade>, StoreError> {
        match &self.readers {
            Readers::Postgres(pool) => postgres::trades(pool, filter).await,
            Readers::Sqlite(pool) => sqlite::trades(pool, filter).await,
        }
        .map_err(read_error("trades"))
    }

    /// Every open trade of a run, in the journal's order.
    pub async fn open_trades(&self, run_id: Uuid) -> Result<Vec<StoredTrade>, StoreError> {
        const WHAT: &str = "open trades";
        let one_more = i64::try_from(OPEN_TRADES_MAX + 1).unwrap_or(i64::MAX);
        let trades = match &self.readers {
            Readers::Postgres(pool) => postgres::open_trades(pool, run_id, one_more).await,
            Readers::Sqlite(pool) => sqlite::open_trades(pool, run_id, one_more).await,
        }
        .map_err(read_error(WHAT))?;
        if trades.len() > OPEN_TRADES_MAX {
            return Err(StoreError::TooMany {
                what: WHAT,
                limit: OPEN_TRADES_MAX,
            });
        }
        Ok(trades)
    }

    /// What came of the trades made since then (zero for all), of every run, by the runs' own time.
    pub async fn summary(&self, since: Timestamp) -> Result<Summary, StoreError> {
        self.tally(since, Timestamp(u64::MAX), None, None).await
    }

    /// The same of one run.
    pub async fn summary_of(&self, run_id: Uuid, since: Timestamp) -> Result<Summary, StoreError> {
        self.tally(since, Timestamp(u64::MAX), Some(run_id), None)
            .await
    }

    /// What came of the trades made *or stored* since then: what a report of the last days means when
    /// recordings of earlier days are traded.
    pub async fn summary_by(&self, filter: &analysis::Filter) -> Result<Summary, StoreError> {
        let strategy = filter.strategy.as_deref();
        self.tally(filter.since, filter.since, filter.run_id, strategy)
            .await
    }

    async fn tally(
        &self,
        made: Timestamp,
        stored: Timestamp,
        run_id: Option<Uuid>,
        strategy: Option<&str>,
    ) -> Result<Summary, StoreError> {
        let ns = |at: Timestamp| i64::try_from(at.0).unwrap_or(i64::MAX);
        let since = [ns(made), ns(stored)];
        match &self.readers {
            Readers::Postgres(pool) => postgres::tally(pool, since, run_id, strategy).await,
            Readers::Sqlite(pool) => sqlite::tally(pool, since, run_id, strategy).await,
        }
        .and_then(summary::of)
        .map_err(read_error("the summary"))
    }
}

impl Target {
    fn parse(url: &str) -> Result<Self, StoreError> {
        let refused = || StoreError::Url { url: redact(url) };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = postgres::options(url).map_err(|_| refused())?;
            return Ok(Target::Postgres(Box::new(options)));
        }
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
            .filter(|path| !path.is_empty() && *path != ":memory:")
            .ok_or_else(refused)?;
        Ok(Target::Sqlite(Box::new(sqlite::options(Path::new(path)))))
    }

    async fn readers(&self, url: &str, limit: Option<Duration>) -> Result<Readers, StoreError> {
        match self {
            Target::Postgres(options) => postgres::pool(options.as_ref().clone(), limit)
                .await
                .map(Readers::Postgres),
            Target::Sqlite(options) => sqlite::pool(options.as_ref().clone(), limit)
                .await
                .map(Readers::Sqlite),
        }
        .map_err(|source| StoreError::Open {
            url: redact(url),
            source,
        })
    }
}

/// An unreachable database is no fault of the schema.
fn migration_error(url: &str, source: sqlx::migrate::MigrateError) -> StoreError {
    let url = redact(url);
    match source {
        sqlx::migrate::MigrateError::Execute(source) => StoreError::Open { url, source },
        source => StoreError::Migrate { url, source },
    }
}

fn read_error(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| {
        if error::lacks_something(&source) {
            return StoreError::Outdated { what, source };
        }
        if error::was_ended(&source) {
            return StoreError::TooSlow { what, source };
        }
        StoreError::Read { what, source }
    }
}

/// The URL without its password, for messages.
#[must_use]
pub fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}@{host}{path}")
        }
        None => url.to_owned(),
    }
}

impl Batch {
    fn failed(&self, source: sqlx::Error) -> StoreError {
        StoreError::Apply {
            run_id: self.run_id,
            through: self.through,
            source,
        }
    }

    fn through_i64(&self) -> Result<i64, sqlx::Error> {
        i64::try_from(self.through.0).map_err(|e| sqlx::Error::Encode(e.into()))
    }
}

/// Why a change touched no row: the stored state is newer (one stale state), or something is wrong.
fn judge_unchanged(id: Uuid, status: Option<&str>) -> Result<usize, StoreError> {
    match status {
        None => Err(StoreError::UnknownTrade { id }),
        Some("rejected") => Err(StoreError::ChangedRejection { id }),
        Some(_) => Ok(1),
    }
}

/// Why the word of the tape changed no row: it is stored already, or something is wrong.
fn judge_tape(
    id: Uuid,
    tape: Tape,
    stored: Option<(String, Option<String>)>,
) -> Result<(), StoreError> {
    match stored {
        None => Err(StoreError::UnknownTrade { id }),
        Some((status, _)) if status == TradeStatus::Rejected.as_str() => {
            Err(StoreError::ChangedRejection { id })
        }
        Some((_, Some(known))) if known == tape.as_str() => Ok(()),
        Some(_) => Err(StoreError::TapeConflict { id }),
    }
}

fn seq_of(stored: i64) -> Result<Seq, sqlx::Error> {
    u64::try_from(stored)
        .map(Seq)
        .map_err(|e| sqlx::Error::Decode(e.into()))
}
