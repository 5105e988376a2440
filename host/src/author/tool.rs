//! Compilers and installers of others, run within bounds.
//!
//! Owns their processes: a time limit for all of a build together, the first and last lines of what they say
//! shown on failure only, and nothing left running when the build is stopped. It never runs a shell.

use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Lines of a tool that failed that are shown: the first, which often name the cause above a long trace …
const FIRST_MAX: usize = 10;
/// … and the last.
const LAST_MAX: usize = 30;
/// Longest line of them; the rest is cut.
const LINE_BYTES_MAX: usize = 500;
/// Bytes of an answer (messages of cargo, one an artifact); what comes after is dropped.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// How often a running tool is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A tool that did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not installed.
    #[error("{tool} is not installed, or not on the PATH. {get}")]
    Missing {
        /// Its command.
        tool: String,
        /// How to come by it.
        get: &'static str,
    },
    /// It does not start.
    #[error("{tool} does not start")]
    Start {
        /// Its command.
        tool: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It said no.
    #[error("{what} failed ({status}). It said:\n{said}{help}")]
    Failed {
        /// What it was to do.
        what: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its first and last lines.
        said: String,
        /// What to do next, on lines of its own; empty where it says so itself.
        help: String,
    },
    /// It took too long.
    #[error(
        "{what} was ended: the build has taken its {} s. Give it more with --timeout; the first build downloads \
         and compiles what later ones have", limit.as_secs()
    )]
    TooLong {
        /// What it was to do.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// Somebody stopped the build.
    #[error("stopped")]
    Stopped,
}

/// Stops a build from another thread. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops what runs and what would.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where what a tool says is shown while it runs.
pub type Loud = fn(&str);

/// The bounds of one build.
#[derive(Debug)]
pub struct Bounds {
    /// For all its tools together.
    pub limit: Duration,
    /// Stops it.
    pub stop: Stop,
    /// Shows every line at once, where wanted.
    pub loud: Option<Loud>,
    began: Instant,
}

/// What a tool complained of, without the middle of a long complaint.
#[derive(Debug, Default)]
struct Said {
    first: Vec<String>,
    left_out: usize,
    last: VecDeque<String>,
}

impl Said {
    fn push(&mut self, line: &str) {
        if self.first.len() < FIRST_MAX {
            self.first.push(line.to_owned());
            return;
        }
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line.to_owned());
    }

    fn text(&self) -> String {
        let gap = (self.left_out > 0).then(|| format!("… {} lines …", self.left_out));
        let all = self.first.iter().chain(&gap).chain(&self.last);
        let all: Vec<String> = all.map(|line| format!("    {line}")).collect();
        all.join("\n")
    }
}

impl Bounds {
    /// A build that begins now.
    #[must_use]
    pub fn new(limit: Duration, stop: Stop, loud: Option<Loud>) -> Self {
        Self {
            limit,
            stop,
            loud,
            began: Instant::now(),
        }
    }

    /// How long it has been going on.
    #[must_use]
    pub fn taken(&self) -> Duration {
        self.began.elapsed()
    }

    /// Runs a tool to its end; answers what it wrote to standard output. `what` says its job in errors,
    /// `get` how to install it.
    pub fn run(
        &self,
        what: &'static str,
        get: &'static str,
        command: &mut Command,
    ) -> Result<Vec<u8>, ToolError> {
        if self.stop.is_stopped() {
            return Err(ToolError::Stopped);
        }
        let tool = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: what it starts ends with it, and Ctrl-C is ours to pass on.
            .process_group(0)
            .spawn()
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => ToolError::Missing { tool, get },
                _ => ToolError::Start { tool, source },
            })?;
        let tail = Arc::new(Mutex::new(Said::default()));
        let answer = child.stdout.take().map(|pipe| self.keep(pipe));
        let errors = child.stderr.take().map(|pipe| self.follow(pipe, &tail));
        let ended = self.wait(what, &mut child);
        if ended.is_err() {
            end(&mut child);
        }
        // Both end with the processes that hold the other ends.
        let answer = answer
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        if let Some(thread) = errors {
            let _ = thread.join();
        }
        let status = ended?;
        if status.success() {
            return Ok(answer);
        }
        let mut said = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if said.first.is_empty() {
            let text = String::from_utf8_lossy(&answer);
            text.lines().for_each(|line| said.push(line));
        }
        Err(ToolError::Failed {
            what,
            status,
            said: said.text(),
            help: String::new(),
        })
    }

    fn wait(&self, what: &'static str, child: &mut Child) -> Result<ExitStatus, ToolError> {
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(source) => {
                    let tool = what.to_owned();
                    return Err(ToolError::Start { tool, source });
                }
            }
            if self.stop.is_stopped() {
                return Err(ToolError::Stopped);
            }
            if self.taken() >= self.limit {
                let limit = self.limit;
                return Err(ToolError::TooLong { what, limit });
            }
            thread::sleep(LOOK);
        }
    }

    /// Keeps all of it, to the limit; the rest is read and dropped, so that the tool never waits.
    fn keep(&self, pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut pipe = pipe.take(ANSWER_BYTES_MAX);
            // A pipe that breaks ends as one that closes: the exit status says what it means.
            let _ = pipe.read_to_end(&mut bytes);
            let _ = io::copy(&mut pipe.into_inner(), &mut io::sink());
            bytes
        })
    }

    /// Keeps its last lines, and shows each where wanted.
    fn follow(&self, pipe: impl Read + Send + 'static, tail: &Arc<Mutex<Said>>) -> JoinHandle<()> {
        let (tail, loud) = (Arc::clone(tail), self.loud);
        thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            loop {
                line.clear();
                let mut part = (&mut reader).take(LINE_BYTES_MAX as u64);
                match part.read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end();
                if let Some(show) = loud {
                    show(text);
                }
                tail.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(text);
            }
        })
    }
}

/// Ends it and all that it started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself a moment ago.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn bounds(limit: Duration) -> Bounds {
        Bounds::new(limit, Stop::default(), None)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_it_writes_is_the_answer_and_what_it_complains_of_the_error() {
        let bounds = bounds(LONG);
        let answer = bounds.run("it", "", &mut shell("echo yes; echo no >&2"));
        assert_eq!(answer.unwrap(), b"yes\n");
        let script = "seq 1 100 >&2; exit 3";
        let error = bounds.run("counting", "", &mut shell(script)).unwrap_err();
        let ToolError::Failed { said, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(said.lines().count(), FIRST_MAX + 1 + LAST_MAX);
        assert!(
            said.starts_with("    1\n") && said.ends_with("    100"),
            "{said}"
        );
        assert!(
            said.contains("\n    10\n    … 60 lines …\n    71\n"),
            "{said}"
        );
        let missing = bounds.run("it", "Install it.", &mut Command::new("no-such-tool-here"));
        let missing = missing.unwrap_err().to_string();
        assert!(
            missing.contains("no-such-tool-here is not installed")
                && missing.contains("Install it.")
        );
    }

    #[test]
    fn what_does_not_end_is_ended_with_all_it_started() {
        // Without the group's end, reading its output would wait for the inner sleep.
        let short = bounds(Duration::from_millis(50));
        let error = short
            .run("waiting", "", &mut shell("sleep 600 & sleep 600"))
            .unwrap_err();
        assert!(matches!(error, ToolError::TooLong { .. }), "{error}");

        let long = bounds(LONG);
        let stop = long.stop.clone();
        let other = thread::spawn(move || long.run("waiting", "", &mut shell("sleep 600")));
        stop.stop();
        assert!(matches!(other.join().unwrap(), Err(ToolError::Stopped)));
    }
}
