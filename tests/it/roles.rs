//! The database's roles of `deploy/postgres-roles.sql`, and secrets: who may do what, and what never shows.

use crate::services::Place;
use crate::support::{json, pm_arb, root, run, stdout, strategies};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::path::Path;
use std::str::FromStr;

/// What PostgreSQL says to those who may not.
const DENIED: &str = "42501";
/// What it says to those who said themselves that they would only read.
const READ_ONLY: &str = "25006";

struct Roles {
    place: Place,
    app: String,
    reader: String,
    names: [String; 2],
}

/// A schema of its own with the two roles, called differently for every test: roles belong to the server.
async fn roles(test: &str, password: &str) -> Option<Roles> {
    let place = Place::postgres(test).await?;
    stdout(&run(&["migrate", "--database-url", &place.url]));
    let names = ["app", "ro"].map(|n| format!("pm_{n}_{}_{}", std::process::id(), password.len()));
    let script = std::fs::read_to_string(root().join("deploy/postgres-roles.sql")).unwrap();
    let script = script
        .replace("pm_app", &names[0])
        .replace("pm_ro", &names[1]);
    let mut owner = PgConnection::connect(&place.url).await.unwrap();
    // Twice: it may be run again.
    for _ in 0..2 {
        sqlx::raw_sql(AssertSqlSafe(script.as_str()))
            .execute(&mut owner)
            .await
            .unwrap();
    }
    for name in &names {
        let sql = format!("ALTER ROLE {name} PASSWORD '{password}'");
        owner.execute(AssertSqlSafe(sql.as_str())).await.unwrap();
    }
    let as_role = |name: &str| {
        let (scheme, rest) = place.url.split_once("://").unwrap();
        let (_, server) = rest.split_once('@').unwrap();
        format!("{scheme}://{name}:{password}@{server}")
    };
    Some(Roles {
        app: as_role(&names[0]),
        reader: as_role(&names[1]),
        place,
        names,
    })
}

impl Roles {
    async fn remove(self) {
        let mut owner = PgConnection::connect(&self.place.url).await.unwrap();
        for name in &self.names {
            let sql = format!("DROP OWNED BY {name}; DROP ROLE {name}");
            sqlx::raw_sql(AssertSqlSafe(sql.as_str()))
                .execute(&mut owner)
                .await
                .unwrap();
        }
        self.place.remove().await;
    }
}

fn pilot(url: &str, data: &Path, extra: &[&str]) -> std::process::Output {
    let strategies = format!("{}/*.wasm", strategies().display());
    let mut command = pm_arb(&["pilot", "--strategies", &strategies, "--seed", "7"]);
    command.args(["--data-dir", data.to_str().unwrap(), "--database-url", url]);
    command.args(extra).output().unwrap()
}

/// Runs the statements as that role; gives the code of the refusal.
async fn refused(url: &str, sql: &str) -> String {
    let options = PgConnectOptions::from_str(url).unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    for statement in sql.split("; ") {
        match connection.execute(AssertSqlSafe(statement)).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(why)) => return why.code().unwrap_or_default().into_owned(),
            Err(why) => return why.to_string(),
        }
    }
    "done".to_owned()
}

/// The pilot works with the rights it has, the reports with theirs, and neither can do more.
#[tokio::test]
async fn a_pilot_can_not_rewrite_history() {
    let Some(roles) = roles("roles::a_pilot_can_not_rewrite_history", "app-password").await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let ended = pilot(&roles.app, data.path(), &["--for", "15s"]);
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let told = json(&run(&["report", "--json", "--database-url", &roles.reader]));
    assert!(told["total_trades"].as_u64().unwrap() > 0, "{told}");
    assert!(
        told["closed_trades"].as_u64().unwrap() > 0,
        "rows were updated: {told}"
    );

    for (url, code) in [(&roles.app, DENIED), (&roles.reader, READ_ONLY)] {
        for sql in [
            "DELETE FROM paper_trades",
            "DELETE FROM paper_intents",
            "TRUNCATE paper_trades",
            "UPDATE paper_trades SET price = 0.5",
            "UPDATE paper_trades SET created_ns = 1",
            "UPDATE paper_intents SET rejection_reason = NULL",
            "UPDATE paper_grades SET naive_fee = 0",
            "UPDATE paper_equity SET equity = 0",
            "UPDATE paper_alerts SET text = ''",
            "UPDATE runs SET source = 'live'",
            "DROP TABLE paper_trades",
            "ALTER TABLE paper_trades DISABLE TRIGGER ALL",
            "CREATE TABLE mine (a int)",
            "CREATE INDEX mine ON paper_trades (price)",
        ] {
            let said = refused(url, sql).await;
            // Who reads only is refused for the one reason or the other.
            assert!(said == code || said == DENIED, "{sql}: {said}");
        }
    }
    // Even one that takes back its own promise to read only.
    for sql in [
        "INSERT INTO paper_counts SELECT * FROM paper_counts",
        "UPDATE paper_trades SET status = 'closed'",
        "UPDATE runs SET persisted_seq = 0",
    ] {
        let sql = format!("SET default_transaction_read_only = off; {sql}");
        assert_eq!(refused(&roles.reader, &sql).await, DENIED, "{sql}");
    }
    roles.remove().await;
}

/// What the dashboard answers, head and all, once it does.
async fn answer(door: &str, route: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let request = format!("GET {route} HTTP/1.1\r\nHost: {door}\r\nConnection: close\r\n\r\n");
    for _ in 0..300 {
        let mut said = Vec::new();
        if let Ok(mut socket) = tokio::net::TcpStream::connect(door).await
            && socket.write_all(request.as_bytes()).await.is_ok()
            && socket.read_to_end(&mut said).await.is_ok()
            && !said.is_empty()
        {
            return said;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("{door} does not answer");
}

/// A password in a URL is nowhere: not in the log at its most talkative, not in a file, not in an answer.
#[tokio::test]
async fn secrets_are_nowhere() {
    const CANARY: &str = "canary-9f3cb1d07e";
    let Some(roles) = roles("roles::secrets_are_nowhere", CANARY).await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let redis = format!("redis://user:{CANARY}@127.0.0.1:1/");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let door = format!("127.0.0.1:{port}");
    let (app, folder) = (roles.app.clone(), data.path().to_owned());
    let run_of_it = tokio::task::spawn_blocking({
        let door = door.clone();
        move || {
            let extra = ["-vv", "--for", "15s", "--redis-url", &redis];
            pilot(
                &app,
                &folder,
                &[&extra[..], &["--dashboard", &door]].concat(),
            )
        }
    });
    let mut answers = Vec::new();
    for route in [
        "/system",
        "/metrics",
        "/readyz",
        "/api/v1/snapshot",
        "/api/v1/openapi.json",
    ] {
        answers.push(answer(&door, route).await);
    }
    let ended = run_of_it.await.unwrap();
    assert!(ended.status.success());
    let away = format!("postgres://user:{CANARY}@127.0.0.1:1/away");
    let mut said = vec![ended.stdout, ended.stderr];
    assert!(answers.iter().all(|answer| answer.len() > 100));
    said.extend(answers);
    for args in [
        &["report", "--database-url", &away][..],
        &["trades", "--database-url", &away],
        &["migrate", "--database-url", &away],
        &["doctor", "--database-url", &away],
        &[
            "pilot",
            "--strategies",
            "none.wasm",
            "--database-url",
            &away,
        ],
        &["report", "--database-url", &roles.reader],
    ] {
        let output = run(args);
        said.extend([output.stdout, output.stderr]);
    }
    let mut looked = 0;
    let mut folders = vec![data.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                said.push(std::fs::read(path).unwrap());
                looked += 1;
            }
        }
    }
    assert!(looked > 3, "the run left its files");
    for text in &said {
        let found = text
            .windows(CANARY.len())
            .any(|bytes| bytes == CANARY.as_bytes());
        assert!(!found, "{}", String::from_utf8_lossy(text));
    }
    roles.remove().await;
}
