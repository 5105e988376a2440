//! The words of `pm-arb strategy shadow`.

use super::StrategyAct;
use clap::Args;
use std::path::PathBuf;

/// Examples, and what comes of it.
pub const SHADOW_HELP: &str = "Examples:\n  pm-arb strategy shadow oracle-sniper build/oracle-sniper.wasm -m 'new haircut'\n  pm-arb strategy shadow oracle-sniper strategies/oracle-sniper.wasm --set haircut=0.03\n  pm-arb strategy shadow oracle-sniper             its figures so far\n  pm-arb strategy shadow oracle-sniper --json\n\nWhat it would take to be promoted is in [shadow] of the configuration: docs/shadow.md.\nThen: pm-arb strategy promote NAME, or dismiss NAME.";

/// `pm-arb strategy shadow`
#[derive(Debug, Args)]
pub struct ShadowArgs {
    /// Which strategy, and what to say with it.
    #[command(flatten)]
    pub act: StrategyAct,
    /// The candidate's component; without it, the figures of the one there are shown.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A setting of the candidate, on top of those of what runs; may be said often.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting, requires = "file")]
    pub set: Vec<(String, String)>,
    /// Begin without the state of what runs; a promotion then does so, too.
    #[arg(long, requires = "file")]
    pub fresh: bool,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no setting; write key=value")),
    }
}
