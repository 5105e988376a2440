//! The doctor against injected faults: each gives its row and no other, and the command it names mends it.

use crate::support::{pm_arb, strategies};
use serde_json::Value;
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

/// What must never be printed.
const CANARY: &str = "CANARY-4711";

/// A folder in which everything is well.
struct Ward {
    _dir: tempfile::TempDir,
    path: PathBuf,
    run: PathBuf,
    holder: RefCell<Option<Holder>>,
}

/// A process that a fault started: ended with its ward.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        // The advice under test may have ended it already; it has to be waited for either way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ward {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        fs::create_dir(path.join("strategies")).unwrap();
        fs::copy(
            strategies().join("oracle-sniper.wasm"),
            path.join("strategies/oracle-sniper.wasm"),
        )
        .unwrap();
        fs::write(path.join("pm-arb.toml"), "[risk]\ncollar = \"0.10\"\n").unwrap();
        let args = [
            "--quiet",
            "pilot",
            "--strategies",
            "strategies",
            "--for",
            "1s",
        ];
        let output = pm_arb(&args).current_dir(&path).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let run = fs::read_dir(path.join("data/runs"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        Self {
            _dir: dir,
            path,
            run,
            holder: RefCell::new(None),
        }
    }

    /// Runs `first`, then the doctor, in one shell: what `first` sets holds for the doctor too.
    fn doctor(&self, first: &str, options: &str) -> (Output, Vec<Value>) {
        let bin = Path::new(env!("CARGO_BIN_EXE_pm-arb")).parent().unwrap();
        let script = format!(
            "PATH='{}':$PATH; {first}\npm-arb doctor --config pm-arb.toml --json {options}",
            bin.display()
        );
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(&self.path);
        for name in ["DATABASE_URL", "REDIS_URL", "PM_ARB_DATA_DIR", "RUST_LOG"] {
            shell.env_remove(name);
        }
        let output = shell.output().unwrap();
        let text = [output.stdout.clone(), output.stderr.clone()].concat();
        assert!(
            !String::from_utf8_lossy(&text).contains(CANARY),
            "a secret was printed"
        );
        // What `first` prints comes before the list.
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let list = text.find("[\n").map(|at| &text[at..]).unwrap_or_default();
        let rows = serde_json::from_str(list)
            .unwrap_or_else(|e| panic!("{e}: {text}\n{}", String::from_utf8_lossy(&output.stderr)));
        (output, rows)
    }
}

fn failing(rows: &[Value]) -> Vec<&Value> {
    rows.iter().filter(|row| row["verdict"] == "fail").collect()
}

/// Damages a file in its middle.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 16] {
        *byte ^= 0x5a;
    }
    fs::write(path, bytes).unwrap();
}

/// A fault: its row, how it comes about in the folder, and what the shell sets for it.
type Fault = (&'static str, fn(&Ward), &'static str);

const FAULTS: [Fault; 18] = [
    (
        "data folder",
        |w| {
            fs::remove_dir_all(w.path.join("data")).unwrap();
            fs::write(w.path.join("data"), "").unwrap();
        },
        "",
    ),
    (
        "data folder",
        |w| {
            fs::remove_dir_all(w.path.join("data/runs")).unwrap();
            fs::write(w.path.join("data/runs"), "").unwrap();
        },
        "",
    ),
    (
        "newest run",
        |w| damage(&w.run.join("journal-000001.pma")),
        "",
    ),
    (
        "newest run",
        |w| fs::write(w.run.join("run.json"), "{").unwrap(),
        "",
    ),
    (
        "newest run",
        |w| {
            let text = fs::read_to_string(w.run.join("run.json")).unwrap();
            let text = text.replacen("\"format\": 2", "\"format\": 99", 1);
            fs::write(w.run.join("run.json"), text).unwrap();
        },
        "",
    ),
    (
        "database",
        |w| {
            for ending in ["-wal", "-shm"] {
                let _ = fs::remove_file(w.path.join(format!("data/pm-arb.sqlite{ending}")));
            }
            fs::write(
                w.path.join("data/pm-arb.sqlite"),
                "no database ".repeat(400),
            )
            .unwrap();
        },
        "",
    ),
    (
        "database",
        |w| {
            // As the program before the sixth migration left it.
            sql(
                w,
                "DELETE FROM _sqlx_migrations WHERE version = 6; DROP TABLE paper_alerts;",
            )
        },
        "",
    ),
    (
        "database",
        |w| {
            sql(
                w,
                "UPDATE _sqlx_migrations SET version = 9999 WHERE version = 2;",
            )
        },
        "",
    ),
    (
        "database",
        |_| {},
        "export DATABASE_URL=postgres://u:CANARY-4711@127.0.0.1:1/none",
    ),
    (
        "database",
        |_| {},
        "export DATABASE_URL=mysql://u:CANARY-4711@127.0.0.1:1/none",
    ),
    (
        "redis",
        |_| {},
        "export REDIS_URL=redis://:CANARY-4711@127.0.0.1:1/",
    ),
    (
        "configuration",
        |w| fs::write(w.path.join("pm-arb.toml"), "[risk]\ncolar = 1\n").unwrap(),
        "",
    ),
    (
        "configuration",
        |w| fs::write(w.path.join("pm-arb.toml"), "[risk]\ndrawdown_bps = 20000\n").unwrap(),
        "",
    ),
    (
        "configuration",
        |w| fs::write(w.path.join("pm-arb.toml"), "[risk]\ncollar = = 1\n").unwrap(),
        "",
    ),
    (
        "configuration",
        |w| fs::remove_file(w.path.join("pm-arb.toml")).unwrap(),
        "",
    ),
    (
        "configuration",
        |_| {},
        "export PM_ARB__RISK__COLAR=CANARY-4711",
    ),
    (
        "rules",
        |w| {
            fs::write(w.path.join("rules.toml"), "nonsense = 1").unwrap();
            fs::write(
                w.path.join("pm-arb.toml"),
                "[rules]\nfiles = [\"rules.toml\"]\n",
            )
            .unwrap();
        },
        "",
    ),
    (
        "kalshi key",
        |w| {
            let text =
                "[feeds.kalshi]\nkey = { id = \"CANARY-4711\", private_key_file = \"none.pem\" }\n";
            fs::write(w.path.join("pm-arb.toml"), text).unwrap();
        },
        "",
    ),
];

/// Faults of strategies, of the process, and of others.
const MORE: [Fault; 4] = [
    (
        "strategy",
        |w| fs::write(w.path.join("strategies/bad.wasm"), "\0asm").unwrap(),
        "",
    ),
    (
        "strategy",
        |w| {
            let whole = fs::read(w.path.join("strategies/oracle-sniper.wasm")).unwrap();
            fs::write(
                w.path.join("strategies/half.wasm"),
                &whole[..whole.len() / 2],
            )
            .unwrap();
        },
        "",
    ),
    ("open files", |_| {}, "ulimit -Sn 100"),
    (
        "pilot",
        |w| {
            // A process that holds the lock and answers nobody; it ends by itself if nobody ends it.
            let lock = w.path.join("data/pilot.lock");
            // Without a fork it is `sleep` itself that holds the lock, so ending the child frees it.
            let holder = Command::new("flock")
                .arg("--no-fork")
                .arg(lock)
                .args(["sleep", "60"])
                .spawn()
                .unwrap();
            w.holder.replace(Some(Holder(holder)));
            std::thread::sleep(std::time::Duration::from_millis(500));
        },
        "",
    ),
];

fn sql(ward: &Ward, statements: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let path = ward.path.join("data/pm-arb.sqlite");
    runtime.block_on(async {
        use sqlx::{Connection as _, Executor as _};
        let url = format!("sqlite://{}", path.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection
            .execute("PRAGMA foreign_keys = OFF")
            .await
            .unwrap();
        connection
            .execute(sqlx::AssertSqlSafe(statements.to_owned()))
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

fn treat(faults: &[Fault]) {
    for (nth, (what, inject, first)) in faults.iter().enumerate() {
        let ward = Ward::new();
        let (output, rows) = ward.doctor("", "");
        assert!(output.status.success(), "it must be well before: {rows:#?}");
        inject(&ward);
        let (output, rows) = ward.doctor(first, "");
        let rows = failing(&rows);
        assert_eq!(rows.len(), 1, "{nth} {what}: {rows:#?}");
        assert_eq!(rows[0]["what"], *what, "{nth}: {rows:#?}");
        assert_eq!(output.status.code(), Some(1), "{nth} {what}");
        let advice = rows[0]["do"].as_str().unwrap();
        assert!(!advice.is_empty(), "{nth} {what}");
        let (output, after) = ward.doctor(&format!("{first}\n{advice} >/dev/null\nsleep 0.2"), "");
        let after = failing(&after);
        assert!(
            after.is_empty(),
            "{nth} {what}: after {advice:?}: {after:#?}"
        );
        assert!(output.status.success());
    }
}

#[test]
fn every_fault_has_its_row_and_the_command_that_mends_it() {
    treat(&FAULTS);
}

#[test]
fn so_have_those_of_strategies_and_processes() {
    treat(&MORE);
}

#[test]
fn what_is_safe_is_mended_and_said() {
    let ward = Ward::new();
    let half = ward.run.join("strategies/0123.tmp");
    fs::write(&half, "half").unwrap();
    let gone = ward.path.join("data/runs/.x.importing-999999999");
    fs::create_dir(&gone).unwrap();
    let socket = ward.path.join("data/control.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let warned = |rows: &[Value]| -> Vec<String> {
        let rows = rows.iter().filter(|row| row["verdict"] == "warn");
        rows.map(|row| row["what"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, rows) = ward.doctor("", "");
    let before: Vec<String> = warned(&rows);
    for what in ["pilot", "leftovers"] {
        assert!(before.iter().any(|w| w == what), "{rows:#?}");
    }
    let (output, rows) = ward.doctor("", "--fix");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("mended pilot: rm ") && said.contains("mended leftovers: rm "),
        "{said}"
    );
    assert!(!half.exists() && !gone.exists() && !socket.exists());
    assert!(
        !warned(&rows)
            .iter()
            .any(|w| w == "pilot" || w == "leftovers"),
        "{rows:#?}"
    );
    // A folder that is not there yet is made; a database of an older program is brought up to date.
    fs::remove_dir_all(ward.path.join("data")).unwrap();
    let (output, _) = ward.doctor("", "--fix");
    assert!(output.status.success() && ward.path.join("data").is_dir());
}
