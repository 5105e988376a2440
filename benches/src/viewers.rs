//! Row `viewers`: what trading costs while a hundred people watch, beside nobody.
//!
//! One pilot process (`target/release/pm-arb`, or `PM_ARB_BIN`) trades the simulated venues with every
//! strategy of `strategies/`. Windows of [`WINDOW`] alternate in pairs, the order turning with every pair:
//! with [`VIEWERS`] connections that read `/live?page=/` and [`READERS`] that ask the API again and again,
//! and without. Of each window: the CPU time of the engine's thread per record, from
//! `/proc/PID/task/TID/schedstat`; how long that thread stood ready without a core, per record; and how
//! long a question that the engine's thread answers between two inputs takes, asked through the control
//! socket: it waits in the queue that a quote waits in. The viewers run on the same machine, in this
//! process.

use crate::Settings;
use crate::measure::{Goal, Outcome, Row, Times, nanos, quantile};
use crate::memory::pilot_program;
use pm_arb::control::{self, Request};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const VIEWERS: usize = 100;
const READERS: usize = 2;
const WINDOW: Duration = Duration::from_secs(10);
/// The pilot may take so long to begin.
const PATIENCE: Duration = Duration::from_secs(120);
/// Viewers connect, or go, before a window begins.
const SETTLING: Duration = Duration::from_secs(2);
/// A question to the engine's thread this often.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Trading with viewers may cost no more of the engine's thread, times.
const MOST: f64 = 1.05;

/// Ends with its measurement, however that ends.
struct Pilot {
    child: Child,
    data: PathBuf,
    address: SocketAddr,
    engine: PathBuf,
}

impl Drop for Pilot {
    fn drop(&mut self) {
        // A failure here means that it ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pilot {
    fn start(folder: &Path) -> Outcome<Self> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let binary = pilot_program();
        // Free now; nobody else asks for it in the moment until the pilot does.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let data = folder.join("data");
        let child = Command::new(&binary)
            .args(["pilot", "--feed", "sim", "--seed", "7", "--strategies"])
            .arg(format!("{root}/strategies/*.wasm"))
            .args(["--dashboard", &address.to_string(), "--data-dir"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}; `make build` makes it", binary.display()))?;
        let mut pilot = Self {
            child,
            data,
            address,
            engine: PathBuf::new(),
        };
        let until = Instant::now() + PATIENCE;
        while pilot.records().is_err() {
            if let Some(status) = pilot.child.try_wait()? {
                return Err(format!(
                    "the pilot ended by itself: {status}; `make strategies` first?"
                )
                .into());
            }
            if Instant::now() > until {
                return Err("the pilot shows nothing of itself".into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        for task in std::fs::read_dir(format!("/proc/{}/task", pilot.child.id()))? {
            let task = task?.path();
            if std::fs::read_to_string(task.join("comm"))?.trim() == "engine" {
                pilot.engine = task.join("schedstat");
                return Ok(pilot);
            }
        }
        Err("the pilot has no thread of the name engine".into())
    }

    /// Records in its journal, as its last picture says.
    fn records(&self) -> Outcome<f64> {
        let answer = control::ask(&self.data, &Request::Snapshot)?;
        let seq = answer
            .pointer("/snapshot/run/seq")
            .and_then(|seq| seq.as_f64());
        seq.ok_or_else(|| "a picture without records".into())
    }

    /// CPU time of the engine's thread and its wait for a core, in seconds.
    fn spent(&self) -> Outcome<(f64, f64)> {
        let text = std::fs::read_to_string(&self.engine)?;
        let mut numbers = text.split_whitespace().map(str::parse::<f64>);
        match (numbers.next(), numbers.next()) {
            (Some(ran), Some(stood)) => Ok((ran? / 1e9, stood? / 1e9)),
            _ => Err(format!("{}: {text}", self.engine.display()).into()),
        }
    }

    /// One window.
    fn window(&self) -> Outcome<Window> {
        let (records, (ran, stood)) = (self.records()?, self.spent()?);
        let until = Instant::now() + WINDOW;
        let mut answers = Vec::new();
        let question = Request::Why {
            about: "a market that is none".to_owned(),
        };
        while Instant::now() < until {
            let begun = Instant::now();
            // That there is none is an answer.
            let _ = control::ask(&self.data, &question);
            answers.push(begun.elapsed().as_secs_f64() * 1e3);
            std::thread::sleep(ASK_EVERY);
        }
        let (ran_after, stood_after) = self.spent()?;
        let records = self.records()? - records;
        if records < 1.0 {
            return Err("the pilot records nothing".into());
        }
        Ok(Window {
            records,
            cpu: (ran_after - ran) / records,
            stood: (stood_after - stood) / records,
            median: quantile(&mut answers, 0.5),
            p99: quantile(&mut answers, 0.99),
        })
    }
}

/// What a window said: per record in seconds, answers in milliseconds.
struct Window {
    records: f64,
    cpu: f64,
    stood: f64,
    median: f64,
    p99: f64,
}

/// Reads whatever comes, and counts it.
async fn watch(address: SocketAddr, bytes: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let ask = format!("GET /live?page=/ HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await?;
    let mut part = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut part).await? {
            0 => return Ok(()),
            n => bytes.fetch_add(n as u64, Ordering::Relaxed),
        };
    }
}

/// Asks the API, one question after the other, ten times a second.
async fn read(address: SocketAddr, answers: Arc<AtomicU64>) -> std::io::Result<()> {
    for path in ["/api/v1/trades?limit=50", "/api/v1/snapshot"]
        .iter()
        .cycle()
    {
        let mut stream = TcpStream::connect(address).await?;
        let ask = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        if answer.starts_with(b"HTTP/1.1 200") {
            answers.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Measures.
pub fn measure(settings: &Settings, notes: &mut Vec<String>) -> Outcome<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let pilot = Pilot::start(folder.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (bytes, answers) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (mut with, mut without): (Vec<Window>, Vec<Window>) = Default::default();
    let mut fewest = VIEWERS;
    // The first pair warms up.
    for round in 0..=settings.rounds {
        eprint!("\r{round}/{} ", settings.rounds);
        for turn in 0..2 {
            let watched = (turn + round) % 2 == 0;
            let mut people = JoinSet::new();
            if watched {
                for _ in 0..VIEWERS {
                    people.spawn_on(watch(pilot.address, bytes.clone()), runtime.handle());
                }
                for _ in 0..READERS {
                    people.spawn_on(read(pilot.address, answers.clone()), runtime.handle());
                }
            }
            std::thread::sleep(SETTLING);
            let window = pilot.window()?;
            if watched {
                // Whoever was sent away has ended.
                let mut gone = 0;
                while people.try_join_next().is_some() {
                    gone += 1;
                }
                fewest = fewest.min(VIEWERS.saturating_sub(gone));
            }
            drop(people);
            match (round, watched) {
                (0, _) => {}
                (_, true) => with.push(window),
                (_, false) => without.push(window),
            }
        }
    }
    eprint!("\r");
    let of = |windows: &[Window], read: fn(&Window) -> f64| {
        Times::new(windows.iter().map(read).collect())
    };
    let row = |what: &str, read: fn(&Window) -> f64, show: fn(f64) -> String, goal| {
        let (ours, theirs) = (of(&with, read), of(&without, read));
        let (best, median) = ours.over(&theirs);
        let both = |t: &Times| format!("{} ({})", show(t.best()), show(t.median()));
        Row {
            what: what.to_owned(),
            ours: both(&ours),
            theirs: both(&theirs),
            best,
            median,
            goal,
        }
    };
    let time: fn(f64) -> String = |seconds| nanos(seconds * 1e9);
    let ms: fn(f64) -> String = |ms| format!("{ms:.2} ms");
    notes.push(format!(
        "viewers: at least {fewest} of {VIEWERS} stayed through every window; {:.1} MB pushed, {} answers of the \
         API; {:.0} and {:.0} records a window with and without them",
        bytes.load(Ordering::Relaxed) as f64 / 1e6,
        answers.load(Ordering::Relaxed),
        of(&with, |w| w.records).median(),
        of(&without, |w| w.records).median(),
    ));
    Ok(vec![
        row(
            "engine's thread, CPU a record: 100 viewers and API reads beside nobody (times as long)",
            |w| w.cpu,
            time,
            Goal::AtMost(MOST),
        ),
        row(
            "the same, ready without a core, a record",
            |w| w.stood,
            time,
            Goal::None,
        ),
        row(
            "a question through the engine's queue, p50",
            |w| w.median,
            ms,
            Goal::None,
        ),
        row("the same, p99", |w| w.p99, ms, Goal::None),
    ])
}
