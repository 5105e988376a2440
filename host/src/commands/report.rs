//! `report`: what the trades of the last days came to.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use crate::cli::ReportArgs;
use crate::report;
use crate::store::Store;
use std::process::ExitCode;

pub(super) fn run(args: ReportArgs) -> Result<ExitCode, Failure> {
    let url = super::database_url(&args.places);
    let period = report::Period::last_days(args.days, crate::clock::Clock::utc().now());
    let summary = super::runtime()?.block_on(async {
        let store = Store::open_read_only(&url).await?;
        store
            .summary_by(&crate::store::analysis::Filter {
                since: period.since,
                ..Default::default()
            })
            .await
    });
    let summary = summary.or_exit(Code::Unavailable)?;
    if args.json {
        let json = report::json(&summary, &period);
        out!(
            "{}",
            serde_json::to_string_pretty(&json).or_exit(Code::Internal)?
        );
    } else {
        output::text(&report::render(
            &summary,
            &period,
            report::Style::of_stdout(),
        ));
    }
    Ok(ExitCode::SUCCESS)
}
