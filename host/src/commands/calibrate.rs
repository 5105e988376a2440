//! `calibrate`: how good the fair values of recorded runs were.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use crate::calibrate::{self, Calibrated};
use crate::cli::CalibrateArgs;
use std::process::ExitCode;

pub(super) fn run(args: CalibrateArgs) -> Result<ExitCode, Failure> {
    let mut together = Calibrated::default();
    let mut runs = Vec::new();
    for run in &args.runs {
        let result = calibrate::calibrate(run).or_exit(Code::Damaged)?;
        together.add(&result);
        runs.push((run.display().to_string(), result));
    }
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
