//! `import`: recordings become a run.

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use crate::cli::ImportArgs;
use crate::import::{self, ImportRequest};
use crate::meter::Meter;
use crate::rulebook;
use crate::terminal::{Progress, say};
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn run(args: ImportArgs) -> Result<ExitCode, Failure> {
    let request = ImportRequest {
        from: args.from,
        out: args.out.clone(),
        files: args.files,
        rules: Arc::new(rulebook::load(&args.rules).or_exit(Code::Config)?),
    };
    let meter = Meter::default();
    let progress = Progress::of("import", &meter);
    let report = import::run_metered(&request, &meter);
    drop(progress);
    let report = report.or_exit(Code::Damaged)?;
    for refusal in &report.refused {
        say(format_args!("refused: {refusal}"));
    }
    let unnamed = report
        .refused_count
        .saturating_sub(report.refused.len() as u64);
    if unnamed > 0 {
        say(format_args!("refused: {unnamed} more lines, not named"));
    }
    for note in &report.notes {
        say(format_args!("note: {note}"));
    }
    out!(
        "{}: {} records of {} markets and {} price feeds, from {} lines in {} files; {} lines refused, {} not needed",
        args.out.display(),
        report.events,
        report.markets,
        report.oracles,
        report.lines,
        report.files,
        report.refused_count,
        report.unused,
    );
    Ok(ExitCode::SUCCESS)
}
