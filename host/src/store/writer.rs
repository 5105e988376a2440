//! The one task that writes, and the one connection it owns.
//!
//! Every write of the process goes through here in order. A caller that stops waiting abandons its
//! answer, never the work. Each job *owns* the connection while it runs: when a job fails or takes too
//! long, the connection ends with it and the next job makes a new one, so no half-done transaction can
//! ever be inherited.

use super::batch::Batch;
use super::{Applied, RunInfo, StoreError, Target, postgres, sqlite};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Jobs waiting for the writer; more callers wait.
pub(super) const WRITER_QUEUE: usize = 16;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one job may take. Longer than what the database itself allows a statement or a lock.
const JOB_TIMEOUT: Duration = Duration::from_secs(15);

/// What the writer can be asked.
#[derive(Debug)]
pub(super) enum Job {
    /// Register a run.
    EnsureRun(Box<RunInfo>),
    /// Store a group.
    Apply(Box<Batch>),
    /// Say goodbye to the database and end.
    Close,
}

/// A job and where its answer goes.
pub(super) type Request = (Job, oneshot::Sender<Result<Applied, StoreError>>);

/// The connection for writing.
enum Session {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Session {
    async fn connect(target: &Target) -> Result<Self, sqlx::Error> {
        match target {
            Target::Postgres(options) => PgConnection::connect_with(options)
                .await
                .map(Session::Postgres),
            Target::Sqlite(options) => SqliteConnection::connect_with(options)
                .await
                .map(Session::Sqlite),
        }
    }

    async fn perform(&mut self, job: &Job) -> Result<Applied, StoreError> {
        match job {
            Job::Apply(batch) => match self {
                Session::Postgres(c) => postgres::apply(c, batch).await,
                Session::Sqlite(c) => sqlite::apply(c, batch).await,
            },
            Job::EnsureRun(run) => {
                let same = match self {
                    Session::Postgres(c) => postgres::ensure_run(c, run).await,
                    Session::Sqlite(c) => sqlite::ensure_run(c, run).await,
                };
                let run_id = run.run_id;
                match same.map_err(|source| StoreError::EnsureRun { run_id, source })? {
                    true => Ok(Applied::default()),
                    false => Err(StoreError::RunMismatch { run_id }),
                }
            }
            Job::Close => Ok(Applied::default()),
        }
    }

    async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Session::Postgres(c) => c.close().await,
            Session::Sqlite(c) => c.close().await,
        }
    }
}

/// Serves jobs until told to close or every sender is gone.
pub(super) async fn serve(target: Target, mut requests: mpsc::Receiver<Request>) {
    let mut session = None;
    while let Some((job, answer)) = requests.recv().await {
        let closing = matches!(job, Job::Close);
        let result = if closing {
            Ok(Applied::default())
        } else {
            run(&target, &mut session, job).await
        };
        if closing {
            break_off(session.take()).await;
        }
        // The caller may have stopped waiting; what was done is done.
        let _ = answer.send(result);
        if closing {
            return;
        }
    }
    break_off(session).await;
}

async fn break_off(session: Option<Session>) {
    if let Some(session) = session {
        let polite = tokio::time::timeout(CONNECT_TIMEOUT, session.close()).await;
        if !matches!(polite, Ok(Ok(()))) {
            tracing::debug!("the writing connection ended without a goodbye");
        }
    }
}

async fn run(
    target: &Target,
    session: &mut Option<Session>,
    job: Job,
) -> Result<Applied, StoreError> {
    let mut owned = match session.take() {
        Some(session) => session,
        None => tokio::time::timeout(CONNECT_TIMEOUT, Session::connect(target))
            .await
            .map_err(|_| StoreError::Timeout(CONNECT_TIMEOUT))?
            .map_err(StoreError::Connect)?,
    };
    // The future owns the connection: whatever drops the one drops the other.
    let work = async move {
        let result = owned.perform(&job).await;
        (owned, result)
    };
    let (owned, result) = tokio::time::timeout(JOB_TIMEOUT, work)
        .await
        .map_err(|_| StoreError::Timeout(JOB_TIMEOUT))?;
    if result.is_ok() {
        *session = Some(owned);
    }
    result
}
