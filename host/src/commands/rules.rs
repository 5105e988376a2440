//! `rules`: the rulebook in force on a day, row by row, with its sources. Reading it checks the files.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use crate::cli::RulesArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::rulebook;
use comfy_table::{ContentArrangement, Table as Drawing, presets};
use pm_arb_core::ids::{Timestamp, Venue};
use pm_arb_core::rulebook::{Day, Rulebook, Table};
use serde::Serialize;
use std::fmt;
use std::process::ExitCode;

/// A row in force.
#[derive(Serialize)]
struct Line {
    rule: &'static str,
    subject: String,
    from: String,
    /// `None` when it is unknown.
    says: Option<String>,
    source: String,
    /// `None` for the built-in rules.
    file: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    at: String,
    rules: Vec<Line>,
}

pub(super) fn run(args: RulesArgs) -> Result<ExitCode, Failure> {
    let config = Config::load(args.config.as_deref()).or_exit(Code::Config)?;
    let mut files = config.rules.files;
    files.extend(args.rules);
    let book = rulebook::load(&files).or_exit(Code::Config)?;
    let at = args.at.unwrap_or_else(|| Clock::utc().now());
    let rules = in_force(&book, at, args.venue);
    if args.json {
        let answer = Answer {
            at: Day(at).to_string(),
            rules,
        };
        let text = serde_json::to_string_pretty(&answer).or_exit(Code::Internal)?;
        out!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    out!("rules in force on {}", Day(at));
    output::text(&format!("{}\n", drawn(&rules)));
    Ok(ExitCode::SUCCESS)
}

fn in_force(book: &Rulebook, at: Timestamp, venue: Option<Venue>) -> Vec<Line> {
    let mut lines = Vec::new();
    add(&mut lines, &book.taker_fees, at, rulebook::fee_in_words);
    add(&mut lines, &book.maker_fees, at, rulebook::fee_in_words);
    add(&mut lines, &book.taker_delays, at, |delay| {
        format!("{} ms", delay.ms())
    });
    add(&mut lines, &book.minimums, at, |qty| {
        format!("{qty} shares")
    });
    add(&mut lines, &book.lots, at, |qty| format!("{qty} shares"));
    add(&mut lines, &book.ticks, at, ToString::to_string);
    add(&mut lines, &book.settlements, at, ToString::to_string);
    // Every subject begins with its venue.
    if let Some(venue) = venue {
        lines.retain(|line| line.subject.split(' ').next() == Some(venue.as_str()));
    }
    lines
}

fn add<K: Ord + Clone + fmt::Display, T: Clone>(
    lines: &mut Vec<Line>,
    table: &Table<K, T>,
    at: Timestamp,
    words: impl Fn(&T) -> String,
) {
    for subject in table.subjects() {
        let Some((from, row)) = table.row_on(subject, at) else {
            continue;
        };
        lines.push(Line {
            rule: table.name(),
            subject: subject.to_string(),
            from: Day(from).to_string(),
            says: row.says.as_ref().map(&words),
            source: row.source.clone(),
            file: row.file.clone(),
        });
    }
}

fn drawn(rules: &[Line]) -> Drawing {
    let mut table = Drawing::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["rule", "of", "from", "says", "source"]);
    for line in rules {
        let source = match &line.file {
            Some(file) => format!("{} ({file})", line.source),
            None => line.source.clone(),
        };
        table.add_row([
            line.rule,
            &line.subject,
            &line.from,
            line.says
                .as_deref()
                .unwrap_or("unknown: orders are refused"),
            &source,
        ]);
    }
    table
}
