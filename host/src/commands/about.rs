//! `init`, `config`, `info`, `man`, `help`: what the program says of itself.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use crate::cli::{Cli, ConfigArgs, ConfigWhat, HelpArgs, InfoArgs, InitArgs, ManArgs, topic};
use crate::config::layers::{self, Layered, Origin};
use crate::config::{TEMPLATE, environment};
use crate::{control, import, journal, plugin, store};
use clap::CommandFactory as _;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("can not write {}{hint}", path.display())]
struct WriteError {
    path: PathBuf,
    hint: &'static str,
    #[source]
    source: std::io::Error,
}

pub(super) fn init(args: &InitArgs) -> Result<ExitCode, Failure> {
    let path = &args.file;
    let mut how = std::fs::OpenOptions::new();
    how.write(true);
    if args.force {
        how.create(true).truncate(true);
    } else {
        how.create_new(true);
    }
    let written = how.open(path).and_then(|mut file| {
        file.write_all(TEMPLATE.as_bytes())
            .and_then(|()| file.sync_all())
    });
    if let Err(source) = written {
        let exists = source.kind() == std::io::ErrorKind::AlreadyExists;
        let error = WriteError {
            path: path.clone(),
            hint: if exists {
                ": it is there already; --force replaces it"
            } else {
                ""
            },
            source,
        };
        let code = if exists {
            Code::Negative
        } else {
            Code::Unavailable
        };
        return Err(Failure::new(code, error));
    }
    out!(
        "{} holds every setting with its default; use it with pm-arb pilot --config {}",
        path.display(),
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn config(args: ConfigArgs) -> Result<ExitCode, Failure> {
    match args.what {
        ConfigWhat::Check { file } => {
            // The file alone: the environment of whoever checks it is no part of it.
            let layered = layers::read(Some(&file), std::iter::empty()).or_exit(Code::Config)?;
            let n = layered.origins.len();
            out!("{}: good; it sets {n} keys", file.display());
        }
        ConfigWhat::Show {
            origin,
            config,
            rules,
            speed,
        } => {
            let read = layers::read(config.as_deref(), environment());
            let mut layered = read.or_exit(Code::Config)?;
            if let Some(speed) = speed {
                layered.config.sim.speed = speed;
                let flag = Origin::Flag("--speed");
                layered.origins.insert("sim.speed".into(), flag);
            }
            if !rules.is_empty() {
                layered.config.rules.files.extend(rules);
                let flag = Origin::Flag("--rules");
                layered.origins.insert("rules.files".into(), flag);
            }
            layered.config.engine().or_exit(Code::Config)?;
            output::text(&written(&layered, origin));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As a file that could be read again (but for what is hidden).
fn written(layered: &Layered, origin: bool) -> String {
    let mut text = String::new();
    let mut section = "";
    let settings = layers::in_force(&layered.config);
    for (key, value) in &settings {
        let (front, last) = key.rsplit_once('.').unwrap_or(("", key));
        if front != section {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}[{front}]\n"));
            section = front;
        }
        let line = format!("{last} = {}", layers::shown(key, value));
        if origin {
            let from = layered.origins.get(key).unwrap_or(&Origin::Default);
            text.push_str(&format!("{line:<40} # {from}\n"));
        } else {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

pub(super) fn info(args: &InfoArgs) -> Result<ExitCode, Failure> {
    let data = &args.places.data_dir;
    let whole = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        path.display().to_string()
    };
    let formats: Vec<_> = import::Format::ALL.iter().map(|f| f.as_str()).collect();
    let redis = args.redis_url.as_deref().map(store::redact);
    let program = std::env::current_exe().unwrap_or_default();
    let facts = [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("program", json!(whole(&program))),
        ("strategy_contract", json!(plugin::CONTRACT)),
        ("journal_format", json!(journal::FORMAT)),
        ("data_dir", json!(whole(data))),
        ("runs", json!(whole(&data.join("runs")))),
        (
            "database",
            json!(store::redact(&super::database_url(&args.places))),
        ),
        ("redis", json!(redis)),
        ("control_socket", json!(whole(&control::socket_path(data)))),
        ("lock", json!(whole(&data.join("pilot.lock")))),
        (
            "config",
            json!("none unless --config names one; pm-arb init writes one"),
        ),
        ("import_formats", json!(formats)),
    ];
    if args.json {
        let mut all = serde_json::Map::new();
        all.insert("schema".into(), json!("pm-arb.info/1"));
        all.extend(facts.map(|(name, value)| (name.to_owned(), value)));
        let text = serde_json::to_string_pretty(&all).or_exit(Code::Internal)?;
        out!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    for (name, value) in facts {
        let text = match &value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => "not used".to_owned(),
            serde_json::Value::Array(_) => formats.join(", "),
            other => other.to_string(),
        };
        out!("{:<18} {text}", name.replace('_', " "));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let command = Cli::command();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command).render(&mut page);
        rendered.or_exit(Code::Internal)?;
        output::text(&String::from_utf8_lossy(&page));
        return Ok(ExitCode::SUCCESS);
    };
    let failed = |source| {
        let (path, hint) = (dir.clone(), "; name another folder");
        Failure::new(Code::Unavailable, WriteError { path, hint, source })
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command, dir).map_err(failed)?;
    let pages = std::fs::read_dir(dir).map_err(failed)?.count();
    out!(
        "{pages} pages in {}; read one with man -l {}/pm-arb.1",
        dir.display(),
        dir.display()
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn help(args: &HelpArgs) -> Result<ExitCode, Failure> {
    if let [name] = args.words.as_slice()
        && let Some(text) = topic(name)
    {
        output::text(text);
        return Ok(ExitCode::SUCCESS);
    }
    let mut command = Cli::command();
    command.build();
    let mut at = &mut command;
    for word in &args.words {
        at = at.find_subcommand_mut(word).ok_or_else(|| {
            let text = format!(
                "{word:?} is neither a command nor a topic; topics are exit-codes and environment, \
                 and pm-arb --help lists the commands"
            );
            Failure::new(Code::Usage, text)
        })?;
    }
    // Written by clap itself, so that it is coloured as --help is.
    at.print_long_help().or_exit(Code::Unavailable)?;
    Ok(ExitCode::SUCCESS)
}
