//! Compiling in a process of its own first, which can be ended and can not take the pilot's memory.
//!
//! Compilers can be made to work for very long by a small file, and can not be interrupted. So a pilot
//! has bytes that are new to it compiled by another process of the same program, under a deadline and with
//! bounded memory. Only what came through that is compiled here, by the same compiler from the same bytes;
//! machine code is never taken from outside. It is one compilation more, off the engine's thread, for the
//! few times that a strategy's bytes change. That one has no deadline of its own: it repeats, on the same
//! processors, what was just done within one, so that a file takes its watcher about twice that time at most.

use super::error::PluginError;
use super::limits::Limits;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The word of the command line that makes of this program a compiler for once.
pub const COMMAND: &str = "compile-apart";
/// How often it is looked whether the process is done.
const LOOK: Duration = Duration::from_millis(2);
/// This very program, even when its file was replaced meanwhile.
const OURSELVES: &str = "/proc/self/exe";

/// The program that compiles apart: this one.
#[must_use]
pub fn ourselves() -> Option<PathBuf> {
    let same = PathBuf::from(OURSELVES);
    if same.exists() {
        return Some(same);
    }
    std::env::current_exe().ok()
}

/// Longest text in which the process says why bytes do not compile; less than a pipe holds.
const STORY_MAX: usize = 4 << 10;
/// How the process ends when they do not.
const NOT_VALID: i32 = 1;

/// Has `program` compile these bytes. An error says that they do not compile, or took too long or too much.
pub(super) fn try_out(program: &Path, bytes: &[u8], limits: &Limits) -> Result<(), PluginError> {
    let mut child = match spawn(program, limits) {
        Ok(child) => child,
        Err(error) => {
            tracing::warn!(
                "no process to compile in ({error}): the component is compiled without a deadline"
            );
            return Ok(());
        }
    };
    let deadline = Instant::now() + limits.compile_time;
    let stdin = child.stdin.take();
    let ended = std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // A process that ended early has not read everything.
                let _ = stdin.write_all(bytes);
            }
        });
        wait(&mut child, deadline)
    });
    match ended {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) if status.code() == Some(NOT_VALID) => Err(PluginError::invalid(
            bytes,
            wasmtime::Error::msg(story(&mut child)),
        )),
        Ok(Some(_)) => Err(PluginError::CompileTooLarge {
            max: limits.compile_bytes,
        }),
        Ok(None) => Err(PluginError::CompileTooLong {
            max: limits.compile_time,
        }),
        Err(source) => Err(PluginError::Compiler(source)),
    }
}

fn spawn(program: &Path, limits: &Limits) -> std::io::Result<Child> {
    Command::new(program)
        .arg(COMMAND)
        .arg(limits.compile_bytes.to_string())
        .arg(limits.compile_time.as_secs().saturating_add(1).to_string())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// How it ended; `None` when it was ended at the deadline.
fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// What it said before it ended.
fn story(child: &mut Child) -> String {
    let mut text = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        // What can not be read is not said.
        let _ = stdout.take(STORY_MAX as u64).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The process's side: bounds itself, then compiles what comes in. Returns why that did not work, if it did
/// not.
pub fn compile(memory: u64, seconds: u64) -> std::io::Result<Option<String>> {
    let hold = |max| Rlimit {
        current: Some(max),
        maximum: Some(max),
    };
    setrlimit(Resource::Data, hold(memory))?;
    setrlimit(Resource::Cpu, hold(seconds.saturating_mul(CORES_COUNTED)))?;
    setrlimit(Resource::Core, hold(0))?;
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    let compiled = wasmtime::Engine::new(&super::engine::live_config())
        .and_then(|engine| wasmtime::component::Component::new(&engine, &bytes));
    Ok(compiled.err().map(|error| {
        let mut story = format!("{error:#}");
        story.truncate(story.floor_char_boundary(STORY_MAX));
        story
    }))
}

/// Seconds of processors that a second can have: it compiles on all of them. The limit only ends what was
/// left behind by a pilot that was killed.
const CORES_COUNTED: u64 = 64;
