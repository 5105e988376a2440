//! `migrate`: the schema alone, for an owner who lets the pilot run as somebody with fewer rights.

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use crate::cli::MigrateArgs;
use crate::store::{self, Store};
use std::process::ExitCode;

pub(super) fn run(args: MigrateArgs) -> Result<ExitCode, Failure> {
    let url = super::database_url(&args.places);
    if args.places.database_url.is_none() {
        std::fs::create_dir_all(&args.places.data_dir).or_exit(Code::Unavailable)?;
    }
    let runtime = super::runtime()?;
    runtime
        .block_on(async {
            let store = Store::open(&url).await?;
            store.close().await;
            Ok::<(), store::StoreError>(())
        })
        .or_exit(Code::Unavailable)?;
    out!("{} is up to date", store::redact(&url));
    Ok(ExitCode::SUCCESS)
}
