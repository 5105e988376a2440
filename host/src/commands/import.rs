//! `import`: recordings become a run.

use super::exit::{Code, Failure, OrExit};
use crate::cli::ImportArgs;
use crate::import::{self, ImportRequest};
use std::process::ExitCode;

pub(super) fn run(args: ImportArgs) -> Result<ExitCode, Failure> {
    let request = ImportRequest { from: args.from, out: args.out.clone(), files: args.files };
    let report = import::run(&request).or_exit(Code::Damaged)?;
    println!("{}: {report}", args.out.display());
    Ok(ExitCode::SUCCESS)
}
