//! From the words "which trades" to a filter: finds the run and checks the strategy's name, and says
//! what there is when they are not found.

use super::exit::{Code, Failure, OrExit};
use crate::cli::Which;
use crate::journal::RunMeta;
use crate::store::Store;
use crate::store::analysis::{Filter, KnownRun};
use pm_arb_core::ids::Timestamp;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Most names in a message.
const NAMES_MAX: usize = 10;

/// The filter; `since` is what holds when the words do not say.
pub(super) async fn filter(
    store: &Store,
    which: &Which,
    since: Timestamp,
) -> Result<Filter, Failure> {
    let run_id = match &which.run {
        Some(words) => Some(run(store, words).await?),
        None => None,
    };
    if let Some(name) = &which.strategy {
        let known = store.strategies().await.or_exit(Code::Unavailable)?;
        if !known.contains(name) {
            return Err(unknown_strategy(name, &known));
        }
    }
    Ok(Filter {
        since,
        run_id,
        strategy: which.strategy.clone(),
    })
}

fn unknown_strategy(name: &str, known: &[String]) -> Failure {
    let text = if known.is_empty() {
        format!("no strategy {name:?}: none has traded yet")
    } else {
        format!(
            "no strategy {name:?} has traded; known are {}",
            listed(known.iter())
        )
    };
    Failure::new(Code::Usage, text)
}

async fn run(store: &Store, words: &str) -> Result<Uuid, Failure> {
    let folder = Path::new(words);
    if folder.join(crate::journal::RUN_FILE).is_file() {
        return RunMeta::read(folder)
            .map(|meta| meta.run_id)
            .or_exit(Code::Damaged);
    }
    let runs = store.runs().await.or_exit(Code::Unavailable)?;
    let prefix = words.to_ascii_lowercase();
    let found: Vec<&KnownRun> = runs
        .iter()
        .filter(|run| !prefix.is_empty() && run.id.to_string().starts_with(&prefix))
        .collect();
    match (runs.first(), found.as_slice()) {
        (None, _) => Err(Failure::new(
            Code::Usage,
            format!("no run {words:?}: the database holds none yet"),
        )),
        (Some(latest), _) if words == "latest" => Ok(latest.id),
        (_, [one]) => Ok(one.id),
        (_, []) => Err(Failure::new(
            Code::Usage,
            format!(
                "no run {words:?}: neither an id, the beginning of one, a run's folder nor `latest`; the last are {}",
                listed(runs.iter().map(shown))
            ),
        )),
        (_, several) => Err(Failure::new(
            Code::Usage,
            format!(
                "{words:?} is the beginning of {} runs: {}",
                several.len(),
                listed(several.iter().map(|run| shown(run)))
            ),
        )),
    }
}

/// The folder of a run: the folder itself, or one of the data folder's by its id, the beginning of one,
/// its name, or `latest`.
pub(super) fn folder(data_dir: &Path, words: &str) -> Result<PathBuf, Failure> {
    let named = Path::new(words);
    if named.join(crate::journal::RUN_FILE).is_file() {
        return Ok(named.to_owned());
    }
    let runs = folders(&data_dir.join("runs"));
    let prefix = words.to_ascii_lowercase();
    let fits = |(path, id): &&(PathBuf, Uuid)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !prefix.is_empty() && (id.to_string().starts_with(&prefix) || name == words)
    };
    let found: Vec<&(PathBuf, Uuid)> = runs.iter().filter(fits).collect();
    match (runs.last(), found.as_slice()) {
        (Some((latest, _)), _) if words == "latest" => Ok(latest.clone()),
        (_, [(one, _)]) => Ok(one.clone()),
        (None, _) => Err(Failure::new(
            Code::Usage,
            format!(
                "no run {words:?}: it is no folder that `pilot` or `import` wrote, and {} holds no runs",
                data_dir.display()
            ),
        )),
        (_, []) => Err(Failure::new(
            Code::Usage,
            format!(
                "no run {words:?}: neither a run's folder, an id, the beginning of one nor `latest`; the \
                 last in {} are {}",
                data_dir.display(),
                listed(runs.iter().rev().map(|(_, id)| id))
            ),
        )),
        (_, several) => Err(Failure::new(
            Code::Usage,
            format!(
                "{words:?} is the beginning of {} runs: {}",
                several.len(),
                listed(several.iter().map(|(_, id)| id))
            ),
        )),
    }
}

/// The runs in a folder, oldest first; what is no run is left out.
fn folders(runs: &Path) -> Vec<(PathBuf, Uuid)> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let mut found: Vec<(PathBuf, Uuid)> = entries
        .map(|entry| entry.path())
        .filter_map(|path| RunMeta::read(&path).ok().map(|meta| (path, meta.run_id)))
        .collect();
    found.sort();
    found
}

fn shown(run: &KnownRun) -> String {
    format!("{} ({})", run.id, run.source)
}

/// At most [`NAMES_MAX`] of them, in a row.
fn listed(names: impl ExactSizeIterator<Item = impl ToString>) -> String {
    let all = names.len();
    let mut shown: Vec<String> = names.take(NAMES_MAX).map(|n| n.to_string()).collect();
    if all > NAMES_MAX {
        shown.push(format!("{} more", all - NAMES_MAX));
    }
    shown.join(", ")
}
