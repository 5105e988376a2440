//! `calibrate`: how good the fair values of recorded runs were.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use crate::calibrate::{self, Calibrated};
use crate::cli::CalibrateArgs;
use crate::journal;
use crate::meter::{Counts, Meter};
use crate::terminal::Progress;
use std::process::ExitCode;

pub(super) fn run(args: CalibrateArgs) -> Result<ExitCode, Failure> {
    let mut together = Calibrated::default();
    let mut runs = Vec::new();
    let meter = Meter::of(Counts::Bytes);
    meter.expect(args.runs.iter().map(|run| journal::size(run)).sum());
    let progress = Progress::of("calibrate", &meter);
    for run in &args.runs {
        let result = calibrate::calibrate_metered(run, &meter).or_exit(Code::Damaged)?;
        together.add(&result);
        runs.push((run.display().to_string(), result));
    }
    drop(progress);
    if args.json {
        let json = calibrate::json(&together, &runs);
        out!(
            "{}",
            serde_json::to_string_pretty(&json).or_exit(Code::Internal)?
        );
        return Ok(ExitCode::SUCCESS);
    }
    if runs.len() > 1 {
        for (run, result) in &runs {
            out!("RUN {run}");
            output::text(&calibrate::text(result));
            out!("");
        }
        out!("ALL {} RUNS", runs.len());
    }
    output::text(&calibrate::text(&together));
    Ok(ExitCode::SUCCESS)
}
