//! `report`: what trades came to, as text, as figures, or as rows.

use super::exit::{Code, Failure, OrExit};
use super::{output, which};
use crate::cli::{ReportArgs, ReportFormat};
use crate::meter::{Counts, Meter};
use crate::report::{self, Period, Style, export};
use crate::store::analysis::Filter;
use crate::store::{Store, StoreError};
use crate::terminal::Progress;
use pm_arb_core::ids::Timestamp;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn run(args: ReportArgs) -> Result<ExitCode, Failure> {
    let format = if args.json {
        ReportFormat::Json
    } else {
        args.format
    };
    if format == ReportFormat::Parquet && args.out.is_none() && std::io::stdout().is_terminal() {
        let text = "Parquet is no text for a terminal; add --out trades.parquet";
        return Err(Failure::new(Code::Usage, text));
    }
    let rows_only = matches!(format, ReportFormat::Csv | ReportFormat::Parquet);
    if rows_only && args.by.is_some() {
        let text = "csv and parquet hold the rows; --by needs --format table or json";
        return Err(Failure::new(Code::Usage, text));
    }
    let url = super::database_url(&args.places);
    let period = period(&args, crate::clock::Clock::utc().now());
    super::runtime()?.block_on(async {
        let store = Store::open_read_only(&url)
            .await
            .or_exit(Code::Unavailable)?;
        let filter = which::filter(&store, &args.which, period.since).await?;
        match format {
            ReportFormat::Csv | ReportFormat::Parquet => {
                rows(&store, &filter, format, args.out.as_deref()).await
            }
            ReportFormat::Table | ReportFormat::Json => {
                let gathered = report::gather(&store, filter, period, args.by).await;
                let report = gathered.or_exit(Code::Unavailable)?;
                let text = if format == ReportFormat::Json {
                    let json = serde_json::to_string_pretty(&report::json(&report));
                    json.or_exit(Code::Internal)? + "\n"
                } else if args.out.is_some() {
                    report::render(&report, Style::PLAIN)
                } else {
                    report::render(&report, Style::of_stdout())
                };
                match &args.out {
                    None if format == ReportFormat::Table => output::page(&text),
                    None => output::text(&text),
                    Some(path) => whole(path, |file| file.write_all(text.as_bytes()))?,
                }
                Ok(())
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// As asked; of a run everything, otherwise the last day.
fn period(args: &ReportArgs, now: Timestamp) -> Period {
    match (args.days, args.which.since) {
        (Some(days), _) => Period::last_days(days, now),
        (None, Some(since)) => Period::since(since.at(now), now),
        (None, None) if args.which.run.is_some() => Period::since(Timestamp(0), now),
        (None, None) => Period::last_days(1, now),
    }
}

/// The file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("can not write {}", path.display())]
struct WriteError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Writes beside the file and moves it there when it is whole: a failure leaves the old one.
fn whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let (mut file, part) = beside(path)?;
    let written = write(&mut file).and_then(|()| file.flush());
    finish(path, &part, written)
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |source| {
        let path = path.to_owned();
        Failure::new(Code::Unavailable, WriteError { path, source })
    }
}

fn beside(path: &Path) -> Result<(BufWriter<File>, PathBuf), Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let file = File::create(&part).map_err(failed(path))?;
    Ok((BufWriter::new(file), part))
}

fn finish(path: &Path, part: &Path, written: std::io::Result<()>) -> Result<(), Failure> {
    let moved = written.and_then(|()| std::fs::rename(part, path));
    if moved.is_err() {
        // What is left of it is of no use; that it can not be removed changes nothing.
        let _ = std::fs::remove_file(part);
    }
    moved.map_err(failed(path))
}

async fn rows(
    store: &Store,
    filter: &Filter,
    format: ReportFormat,
    out: Option<&Path>,
) -> Result<(), Failure> {
    let Some(path) = out else {
        return stream(store, filter, format, BufWriter::new(std::io::stdout()))
            .await
            .or_else(|e| {
                if e.is_closed_pipe() {
                    Ok(())
                } else {
                    Err(e.into())
                }
            });
    };
    let (file, part) = beside(path)?;
    match stream(store, filter, format, file).await {
        Ok(()) => finish(path, &part, Ok(())),
        Err(e) => {
            // As in `finish`.
            let _ = std::fs::remove_file(&part);
            Err(e.into())
        }
    }
}

/// Why rows did not arrive.
#[derive(Debug, thiserror::Error)]
enum RowsError {
    #[error(transparent)]
    Read(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] export::ExportError),
}

impl RowsError {
    /// Whether the reader of the pipe has seen enough.
    fn is_closed_pipe(&self) -> bool {
        matches!(self, RowsError::Write(error) if error.is_closed_pipe())
    }
}

impl From<RowsError> for Failure {
    fn from(error: RowsError) -> Self {
        Failure::new(Code::Unavailable, error)
    }
}

async fn stream(
    store: &Store,
    filter: &Filter,
    format: ReportFormat,
    to: impl Write + Send,
) -> Result<(), RowsError> {
    let mut export = match format {
        ReportFormat::Parquet => export::parquet(to)?,
        _ => export::csv(to)?,
    };
    let meter = Meter::of(Counts::Records);
    let progress = Progress::of("export", &meter);
    if crate::terminal::is_live() {
        // Only whoever looks needs to know how many there are.
        meter.expect(store.count_trades(filter).await?);
    }
    let mut broken = None;
    let read = store
        .each_trade(filter, |trade| {
            meter.advance(1);
            export.row(&trade).map_err(|e| {
                broken = Some(e);
                StoreError::Closed
            })
        })
        .await;
    drop(progress);
    if let Some(error) = broken {
        return Err(error.into());
    }
    read?;
    export.end()?;
    Ok(())
}
