//! Real services for tests: a database of its own for each test, and a proxy that can fail.
//!
//! `TEST_DATABASE_URL` and `TEST_REDIS_URL` come from `make test`. Without them a test that needs them
//! prints a SKIP line, or fails where services are required (`CI` or `PM_ARB_REQUIRE_SERVICES=1`).

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a database must carry as its comment before a test writes to it.
pub const MARK: &str = "pm-arb test database";

/// The value of the variable, or `None` after saying that the test is skipped.
pub fn service(variable: &str, test: &str) -> Option<String> {
    match std::env::var(variable) {
        Ok(url) if !url.is_empty() => Some(url),
        _ => {
            let required = std::env::var_os("CI").is_some()
                || std::env::var("PM_ARB_REQUIRE_SERVICES").is_ok_and(|v| v == "1");
            assert!(!required, "{test} needs {variable}: run it with make test");
            println!("SKIP {test}: {variable} is not set (make test sets it)");
            None
        }
    }
}

/// Why a database may not be written to by tests.
pub async fn refuse_unmarked(connection: &mut PgConnection) -> Result<(), String> {
    let (name, mark): (String, Option<String>) = sqlx::query_as(
        "SELECT datname::text, shobj_description(oid, 'pg_database')
         FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(connection)
    .await
    .map_err(|e| e.to_string())?;
    if !name.ends_with("_test") || mark.as_deref() != Some(MARK) {
        return Err(format!(
            "{name:?} is no test database: its name must end in _test and its comment must be {MARK:?}"
        ));
    }
    Ok(())
}

/// A database of one test's own.
pub struct Place {
    /// What the store is opened with.
    pub url: String,
    schema: Option<(String, String)>,
    /// Removed with everything in it when the test ends.
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    /// A file in a folder of its own.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite:{}", folder.path().join("pm-arb.db").display()),
            schema: None,
            _folder: Some(folder),
        }
    }

    /// A schema of its own; the test is skipped without a server.
    pub async fn postgres(test: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = service("TEST_DATABASE_URL", test)?;
        let mut connection = PgConnection::connect(&server).await.unwrap();
        refuse_unmarked(&mut connection).await.unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let schema = format!("t{}_{number}", std::process::id());
        sqlx::query(AssertSqlSafe(format!(
            "DROP SCHEMA IF EXISTS {schema} CASCADE"
        )))
        .execute(&mut connection)
        .await
        .unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}")))
            .execute(&mut connection)
            .await
            .unwrap();
        let join = if server.contains('?') { '&' } else { '?' };
        Some(Self {
            url: format!("{server}{join}options[search_path]={schema}"),
            schema: Some((server, schema)),
            _folder: None,
        })
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.schema.is_some()
    }

    /// Takes it down. A test that panics leaves its schema for inspection.
    pub async fn remove(self) {
        if let Some((server, schema)) = self.schema {
            let mut connection = PgConnection::connect(&server).await.unwrap();
            sqlx::query(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE")))
                .execute(&mut connection)
                .await
                .unwrap();
        }
    }
}

/// What a [`Proxy`] does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Passes them on.
    Up,
    /// Keeps connections open and passes nothing on.
    Stalled,
    /// Ends connections, and new ones at once.
    Cut,
}

/// A TCP proxy whose line can be cut.
pub struct Proxy {
    /// Where to connect instead.
    pub address: SocketAddr,
    line: watch::Sender<Line>,
}

impl Proxy {
    /// In front of `target` ("host:port").
    pub async fn before(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (line, watched) = watch::channel(Line::Up);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() == Line::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&target).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, watched.clone()));
                tokio::spawn(pass(from_server, to_client, watched.clone()));
            }
        });
        Self { address, line }
    }

    /// In front of the server of a PostgreSQL URL; also returns the URL to use.
    pub async fn before_postgres(url: &str) -> (Self, String) {
        let options = PgConnectOptions::from_str(url).unwrap();
        let target = format!("{}:{}", options.get_host(), options.get_port());
        let proxy = Self::before(target.clone()).await;
        let through = url.replacen(&target, &proxy.address.to_string(), 1);
        assert_ne!(through, url, "the URL must name host and port");
        (proxy, through)
    }

    /// Changes what happens to bytes from now on.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = line.wait_for(|l| *l == Line::Cut) => return,
        };
        let Ok(count @ 1..) = read else { return };
        match line.wait_for(|l| *l != Line::Stalled).await {
            Ok(now) if *now == Line::Up => {}
            _ => return,
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Runs each case on both databases, each time in a place of its own.
macro_rules! on_both {
    ($($case:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let place = crate::services::Place::sqlite();
                super::$case(&place, crate::store::opened(&place).await).await;
                place.remove().await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let test = concat!(module_path!(), "::", stringify!($case));
                let Some(place) = crate::services::Place::postgres(test).await else { return };
                super::$case(&place, crate::store::opened(&place).await).await;
                place.remove().await;
            })+
        }
    };
}
pub(crate) use on_both;
