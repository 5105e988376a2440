//! The local control socket: how `pm-arb health`, `halt`, `resume` and `strategy` reach a running pilot.
//!
//! A Unix socket in the data folder, readable by its owner only; one JSON object a line in, one
//! out. It never touches the engine: commands go through the input channel like everything else and
//! are answered when they are in the journal.

use crate::agent::{AgentContext, AgentError};
use crate::input::{Input, InputSender};
use crate::orchestrator::{Health, HealthBoard};
use crate::pilot::operator::{self, Operator};
use crate::plugin::hex;
use crate::snapshot::{Latest, Snapshot};
use crate::why::QUESTION_MAX;
use crate::why::live::Live;
use pm_arb_core::event::Command;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};

/// Longest request, in bytes.
const LINE_MAX: u64 = 64 * 1024;
/// Longest answer that is read, in bytes: a whole snapshot with its curves is far below.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;
/// Connections at a time; further ones wait.
const CONNECTIONS_MAX: usize = 16;
/// A connection that says nothing for this long is closed; an answer may take as long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The socket's place in a data folder.
#[must_use]
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How are you?
    Health,
    /// Everything you show of yourself.
    Snapshot,
    /// Stop trading.
    Halt {
        /// Why.
        why: String,
    },
    /// Trade again.
    Resume {
        /// Note for the record.
        note: String,
    },
    /// Do that with a strategy.
    Strategy {
        /// Which.
        name: String,
        /// What.
        action: StrategyAction,
        /// Who and why, for the record; may be empty.
        #[serde(default)]
        note: String,
    },
    /// Why is this not traded?
    Why {
        /// A market or an opportunity, or a part of its name.
        about: String,
    },
}

impl Request {
    /// How long whoever asks waits for the answer.
    fn patience(&self) -> Duration {
        match self {
            Request::Strategy { .. } => operator::PATIENCE,
            _ => PATIENCE * 2,
        }
    }
}

/// What can be done to a strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StrategyAction {
    /// Run the bytes of a file now.
    Swap {
        /// Which; the pilot reads it, so its path is absolute.
        file: PathBuf,
        /// Without the state of what runs.
        #[serde(default)]
        fresh: bool,
    },
    /// Run the generation of before again.
    Rollback {
        /// Without the state of what runs.
        #[serde(default)]
        fresh: bool,
    },
    /// Do not follow its file.
    Pin,
    /// Follow it again.
    Unpin,
    /// Stop it.
    Quarantine,
    /// Start it again.
    Release,
    /// Run the bytes of a file beside it.
    Shadow {
        /// Which; the pilot reads it, so its path is absolute.
        file: PathBuf,
        /// `key=value`, on top of its settings.
        #[serde(default)]
        set: Vec<(String, String)>,
        /// Without the state of what runs.
        #[serde(default)]
        fresh: bool,
    },
    /// What runs in its shadow takes its place.
    Promote,
    /// What runs in its shadow is let go.
    Dismiss,
}

/// What is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Health(Health),
    #[serde(serialize_with = "picture")]
    Snapshot(Arc<Snapshot>),
    /// Journalled under this number.
    Done(u64),
    /// Done; how it is now, in a line.
    Strategy {
        name: String,
        generation: u32,
        digest: String,
        text: String,
    },
    /// Refused; nothing changed.
    Refused {
        code: &'static str,
        what: String,
    },
    Why(Box<Live>),
    Error(String),
}

fn picture<S: serde::Serializer>(snapshot: &Arc<Snapshot>, to: S) -> Result<S::Ok, S::Error> {
    snapshot.as_ref().serialize(to)
}

/// Serves the socket until stopped.
pub async fn serve(
    context: AgentContext,
    path: PathBuf,
    board: HealthBoard,
    operator: Operator,
    latest: Latest,
) -> Result<(), AgentError> {
    let failed = |what: &str, e: io::Error| {
        AgentError::Failed(format!("control socket {}: {what}: {e}", path.display()))
    };
    // The data folder's lock is ours: a socket file here is a dead pilot's.
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(failed("cannot remove the old one", e));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(|e| failed("cannot listen", e))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .map_err(|e| failed("cannot protect it", e))?;
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    context.ready();
    loop {
        let slot = slots
            .clone()
            .acquire_owned()
            .await
            .map_err(|e| AgentError::Failed(e.to_string()))?;
        tokio::select! {
            biased;
            () = context.stopped() => break,
            // Nothing may ever be asked: being here is the progress.
            () = tokio::time::sleep(Duration::from_secs(5)) => context.beat(),
            connection = listener.accept() => {
                context.beat();
                let (stream, _) = connection.map_err(|e| failed("cannot accept", e))?;
                let (board, operator, latest) = (board.clone(), operator.clone(), latest.clone());
                tokio::spawn(async move {
                    let _slot = slot;
                    let _ = tokio::time::timeout(
                        operator::PATIENCE,
                        converse(stream, board, operator, latest),
                    )
                    .await;
                });
            }
        }
    }
    let _ = std::fs::remove_file(&path);
    Ok(())
}

async fn converse(
    mut stream: UnixStream,
    board: HealthBoard,
    operator: Operator,
    latest: Latest,
) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LINE_MAX));
    tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await??;
    let input = &operator.input;
    let answer = match serde_json::from_str::<Request>(&line) {
        Err(e) => Answer::Error(format!("not a request: {e}")),
        Ok(Request::Health) => Answer::Health(board.report()),
        Ok(Request::Snapshot) => match latest.borrow().clone() {
            Some(snapshot) => Answer::Snapshot(snapshot),
            None => Answer::Error("there is no snapshot yet; ask again in a second".into()),
        },
        Ok(Request::Halt { why }) => command(input, Command::Halt { why }).await,
        Ok(Request::Resume { note }) => command(input, Command::Resume { note }).await,
        Ok(Request::Strategy { name, action, note }) => {
            match operator.perform(name, action, note).await {
                Ok(done) => Answer::Strategy {
                    name: done.name,
                    generation: done.generation,
                    digest: hex(&done.digest),
                    text: done.text,
                },
                Err(error) => Answer::Refused {
                    code: error.code(),
                    what: error.to_string(),
                },
            }
        }
        Ok(Request::Why { about }) => why(input, about).await,
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    writer.write_all(&text).await
}

async fn command(input: &InputSender, command: Command) -> Answer {
    let (done, journalled) = oneshot::channel();
    let sent = input.send(Input::Operator { command, done }).await;
    match tokio::time::timeout(PATIENCE, journalled).await {
        Ok(Ok(seq)) if sent.is_ok() => Answer::Done(seq.0),
        _ => Answer::Error("the engine did not take the command; see the pilot's log".into()),
    }
}

async fn why(input: &InputSender, about: String) -> Answer {
    if about.len() > QUESTION_MAX {
        return Answer::Error(format!("a question has at most {QUESTION_MAX} bytes"));
    }
    let (answer, told) = oneshot::channel();
    let sent = input.send(Input::Why { about, answer }).await;
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(Ok(live)) if sent.is_ok() => Answer::Why(Box::new(live)),
        _ => Answer::Error("the engine did not answer; see the pilot's log".into()),
    }
}

/// Why the pilot could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error(
        "no pilot is running with data folder {0}; start one, or name its folder with --data-dir"
    )]
    NotRunning(PathBuf),
    /// The connection failed.
    #[error("cannot talk to the pilot through {path}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It answered something else.
    #[error("the pilot answered: {0}")]
    Refused(String),
    /// It refused an order; nothing changed.
    #[error("{what}")]
    Order {
        /// Stable, for programs.
        code: String,
        /// Why, and what to do instead.
        what: String,
    },
}

/// Asks the pilot of a data folder and waits for its answer.
pub fn ask(data_dir: &Path, request: &Request) -> Result<serde_json::Value, ControlError> {
    let path = socket_path(data_dir);
    let io_error = |source| ControlError::Io {
        path: path.clone(),
        source,
    };
    let mut stream = match std::os::unix::net::UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Err(ControlError::NotRunning(data_dir.to_owned()));
        }
        Err(e) => return Err(io_error(e)),
    };
    stream
        .set_read_timeout(Some(request.patience()))
        .map_err(io_error)?;
    let mut text = serde_json::to_vec(request).map_err(|e| io_error(e.into()))?;
    text.push(b'\n');
    stream.write_all(&text).map_err(io_error)?;
    let mut line = String::new();
    io::BufReader::new(stream.take(ANSWER_MAX))
        .read_line(&mut line)
        .map_err(io_error)?;
    let answer: serde_json::Value = serde_json::from_str(&line).map_err(|e| io_error(e.into()))?;
    if let Some(refused) = answer.get("refused") {
        let text = |key: &str| refused[key].as_str().unwrap_or_default().to_owned();
        return Err(ControlError::Order {
            code: text("code"),
            what: text("what"),
        });
    }
    match answer.get("error").and_then(|e| e.as_str()) {
        Some(why) => Err(ControlError::Refused(why.to_owned())),
        None => Ok(answer),
    }
}
