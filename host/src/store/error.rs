//! Everything that can go wrong with the store, and which of it goes away by trying again.

use pm_arb_core::ids::Seq;
use std::time::Duration;
use uuid::Uuid;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database of ours.
    #[error("{url:?} is no database: write sqlite:PATH or postgres://USER@HOST/NAME")]
    Url {
        /// Without its password.
        url: String,
    },
    /// The database could not be opened.
    #[error("can not open the database {url}; check that it exists and that this user may use it")]
    Open {
        /// Without its password.
        url: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("can not bring the schema of {url} up to date; nothing was changed")]
    Migrate {
        /// Without its password.
        url: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// The writing connection could not be made.
    #[error("can not connect to the database for writing")]
    Connect(#[source] sqlx::Error),
    /// The run could not be registered.
    #[error("can not register run {run_id}")]
    EnsureRun {
        /// Which.
        run_id: Uuid,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The run is known, from another source or time.
    #[error(
        "run {run_id} is in the database with another source or start; the journal and the database do not belong together"
    )]
    RunMismatch {
        /// Which.
        run_id: Uuid,
    },
    /// The run was never registered.
    #[error("run {run_id} is not in the database; register it first")]
    UnknownRun {
        /// Which.
        run_id: Uuid,
    },
    /// The trades could not be written; nothing of the group is in the database.
    #[error(
        "can not write the trades of run {run_id} up to record {through}; nothing of them was kept"
    )]
    Apply {
        /// Which run.
        run_id: Uuid,
        /// Up to where.
        through: Seq,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// No answer in time. Whether it was written is unknown; sending it again is harmless.
    #[error("the database gave no answer within {0:?}; the connection was dropped")]
    Timeout(Duration),
    /// The same trade with different contents, or a second fill of the same opportunity.
    #[error(
        "trade {id} contradicts what is stored (same id or same opportunity, strategy, outcome and side, other contents); stop and compare journal and database"
    )]
    DuplicateConflict {
        /// Which row.
        id: Uuid,
    },
    /// A change of a row that does not exist.
    #[error("trade {id} was changed but never stored; journal and database do not belong together")]
    UnknownTrade {
        /// Which row.
        id: Uuid,
    },
    /// A change of a row that never was a position.
    #[error("trade {id} is a rejection and can not become a position")]
    ChangedRejection {
        /// Which row.
        id: Uuid,
    },
    /// The payload hash could not be computed.
    #[error("can not encode trade {id} for its hash")]
    Hash {
        /// Which row.
        id: Uuid,
        /// Why.
        #[source]
        source: postcard::Error,
    },
    /// The same wish with different contents.
    #[error(
        "wish {intent} contradicts what is stored (same number, other contents); stop and compare journal and database"
    )]
    IntentConflict {
        /// Its number in the run.
        intent: String,
    },
    /// The tape was said to say something else of the same row.
    #[error(
        "the tape of trade {id} contradicts what is stored; stop and compare journal and database"
    )]
    TapeConflict {
        /// Which row.
        id: Uuid,
    },
    /// The payload hash of a wish could not be computed.
    #[error("can not encode wish {intent} for its hash")]
    HashIntent {
        /// Its number in the run.
        intent: String,
        /// Why.
        #[source]
        source: postcard::Error,
    },
    /// The opportunity of a wish could not be written as text.
    #[error("can not write the opportunity of wish {intent} as JSON")]
    Json {
        /// The wish's number in the run.
        intent: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A query failed.
    #[error("can not read {what} from the database")]
    Read {
        /// What was wanted.
        what: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A table or column is missing: the schema is that of an older version.
    #[error(
        "can not read {what}: the database lacks a part that this version needs; start `pm-arb pilot` on it once, which brings it up to date"
    )]
    Outdated {
        /// What was wanted.
        what: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The question took longer than its asker can wait, and was ended.
    #[error(
        "{what} took too long to find and the search was ended; narrow it by time, market or strategy"
    )]
    TooSlow {
        /// What was wanted.
        what: &'static str,
        /// How the database says it.
        #[source]
        source: sqlx::Error,
    },
    /// More rows than one answer may have.
    #[error("more than {limit} rows in {what}; ask for fewer")]
    TooMany {
        /// What was wanted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The store was opened for reading.
    #[error("the database was opened for reading only")]
    ReadOnly,
    /// The writer has ended.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same call may succeed later: the database is away, busy or full, and nothing is
    /// wrong with what was asked.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            StoreError::Timeout(_) => true,
            StoreError::Open { source, .. }
            | StoreError::Connect(source)
            | StoreError::EnsureRun { source, .. }
            | StoreError::Apply { source, .. }
            | StoreError::Read { source, .. } => is_transient(source),
            _ => false,
        }
    }
}

/// SQLSTATE classes that pass: connection, resources, operator intervention, system, rollback.
const TRANSIENT_CLASSES: [&str; 5] = ["08", "53", "57", "58", "40"];
/// SQLSTATE codes that pass: read-only (a fail-over is under way), lock not available.
const TRANSIENT_CODES: [&str; 2] = ["25006", "55P03"];
/// SQLite's primary result codes that pass: busy, locked, I/O error, full, can not open.
const TRANSIENT_SQLITE: [i32; 5] = [5, 6, 10, 13, 14];

/// Whether a statement named a table or column that is not there.
pub(super) fn lacks_something(error: &sqlx::Error) -> bool {
    /// SQLSTATE: undefined table, undefined column.
    const UNDEFINED: [&str; 2] = ["42P01", "42703"];
    let sqlx::Error::Database(e) = error else {
        return false;
    };
    // SQLite has one code for every fault of a statement.
    let lite = e.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
    (lite && e.message().starts_with("no such "))
        || e.code()
            .is_some_and(|code| UNDEFINED.contains(&code.as_ref()))
}

/// Whether a statement was ended for taking too long.
pub(super) fn was_ended(error: &sqlx::Error) -> bool {
    /// SQLSTATE: query cancelled.
    const CANCELLED: &str = "57014";
    /// SQLite's own: interrupted.
    const INTERRUPTED: &str = "9";
    let sqlx::Error::Database(e) = error else {
        return false;
    };
    let lite = e.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
    let code = if lite { INTERRUPTED } else { CANCELLED };
    e.code().is_some_and(|c| c == code)
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(e) => {
            let Some(code) = e.code() else { return false };
            if e.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                // The low byte of an extended result code is the primary one.
                code.parse::<i32>()
                    .is_ok_and(|c| TRANSIENT_SQLITE.contains(&(c & 0xff)))
            } else {
                TRANSIENT_CLASSES
                    .iter()
                    .any(|class| code.starts_with(class))
                    || TRANSIENT_CODES.contains(&code.as_ref())
            }
        }
        _ => false,
    }
}
