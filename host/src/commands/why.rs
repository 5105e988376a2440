//! `why`: one sentence on why a market or an opportunity is not traded.

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use crate::cli::WhyArgs;
use crate::store::Store;
use crate::why::{self, Answer, AskError, Found};
use std::process::ExitCode;

pub(super) fn run(args: WhyArgs) -> Result<ExitCode, Failure> {
    let url = super::database_url(&args.places);
    let answer = super::runtime()?.block_on(async {
        let store = Store::open_read_only(&url).await;
        let answer = why::ask(&args.places.data_dir, store, &args.about).await;
        answer.map_err(|error| {
            let code = match error {
                AskError::NobodyToAsk { .. } | AskError::Pilot(_) => Code::Unavailable,
                AskError::Question => Code::Usage,
            };
            Failure::new(code, error)
        })
    })?;
    if args.json {
        let json = serde_json::to_string_pretty(&answer);
        out!("{}", json.or_exit(Code::Internal)?);
    } else {
        print(&answer);
    }
    Ok(match answer.found {
        Found::Answered => ExitCode::SUCCESS,
        Found::Ambiguous | Found::Unknown => Code::Negative.into(),
    })
}

fn print(answer: &Answer) {
    out!("{}", tame(&answer.sentence));
    if let Some(code) = answer.now.as_ref().and_then(|now| now.code.as_deref()) {
        help(code);
    } else if let (None, Some(code)) = (
        &answer.now,
        answer.before.first().and_then(|past| past.code.as_deref()),
    ) {
        help(code);
    }
    for name in &answer.names {
        out!(
            "  {}  {}  {}",
            tame(&name.slug),
            tame(&name.id),
            name.status
        );
    }
}

fn help(code: &str) {
    if let Some(reason) = why::reasons::by_code(code) {
        out!("  {code}: {}", why::reasons::about(reason).advice);
    }
}

/// Names come from venues: nothing of theirs may steer a terminal.
fn tame(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
