//! `strategy shadow`: begins a candidate beside what runs, or shows what it came to.

use super::ask::failure;
use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use super::strategy::order;
use crate::cli::ShadowArgs;
use crate::control::{self, Request, StrategyAction};
use crate::report::table::{Cell, Table};
use crate::report::{Style, tame};
use crate::shadow::{Figures, ShadowRow};
use crate::snapshot::Strategies;
use std::process::ExitCode;

/// Markets shown; all that are kept are in `--json`.
const PAIRS_SHOWN: usize = 10;

pub(super) fn run(args: ShadowArgs) -> Result<ExitCode, Failure> {
    let (set, fresh) = (args.set, args.fresh);
    if let Some(file) = args.file {
        // The pilot may have been started in another folder.
        let file = std::path::absolute(&file).or_exit(Code::Usage)?;
        return order(args.act, StrategyAction::Shadow { file, set, fresh });
    }
    let name = args.act.name;
    let mut answer =
        control::ask(&args.act.places.data_dir, &Request::Snapshot).map_err(failure)?;
    let found: Strategies =
        serde_json::from_value(answer["snapshot"]["strategies"].take()).or_exit(Code::Internal)?;
    let Some(row) = found.named(&name) else {
        let known: Vec<&str> = found.strategies.iter().map(|r| r.name.as_str()).collect();
        let known = known.join(", ");
        let why = format!("no strategy is called {name:?}; loaded are: {known}");
        return Err(Failure::new(Code::Negative, why));
    };
    let Some(shadow) = &row.shadow else {
        let why = format!(
            "no candidate ran in the shadow of {name}. Begin one: `pm-arb strategy shadow {name} FILE`"
        );
        return Err(Failure::new(Code::Negative, why));
    };
    if args.act.json {
        out!(
            "{}",
            serde_json::to_string_pretty(shadow).or_exit(Code::Internal)?
        );
    } else {
        output::page(&shown(shadow, Style::of_stdout()));
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(row: &ShadowRow, style: Style) -> String {
    let mut text = format!(
        "candidate of {}: {} {} · {} · {} records behind, {} a second\n{}\n\n",
        row.strategy,
        if row.version.is_empty() {
            "not compiled yet"
        } else {
            &row.version
        },
        row.digest.chars().take(8).collect::<String>(),
        row.phase.as_str(),
        row.behind,
        row.records_per_second,
        tame(&row.verdict),
    );
    text.push_str(&format!(
        "{} markets settled since: better in {}, worse in {}, equal in {}; {} in all\n\
         evidence {} of {} needed, from {} closings\n\n",
        row.markets,
        row.better,
        row.worse,
        row.equal,
        crate::report::signed(row.difference.0),
        row.evidence,
        row.evidence_needed,
        row.pairs,
    ));
    for line in both(&row.incumbent, &row.candidate).lines(style) {
        text.push_str(&line);
        text.push('\n');
    }
    if !row.recent.is_empty() {
        text.push('\n');
        for line in pairs(row).lines(style) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn both(incumbent: &Figures, candidate: &Figures) -> Table {
    let mut table = Table::new(&[
        "<since it began",
        "net P&L",
        "drawdown $",
        "bought $",
        "intents",
        "denied",
        "fills",
        "faults",
        "fuel of a call",
    ]);
    for (name, figures) in [("runs", incumbent), ("candidate", candidate)] {
        table.row(vec![
            Cell::from(name.to_owned()),
            Cell::money(figures.net.0),
            Cell::from(figures.drawdown),
            Cell::from(figures.bought),
            Cell::from(figures.intents),
            Cell::from(figures.denied),
            Cell::from(figures.fills),
            Cell::from(figures.faults),
            Cell::from(figures.fuel_mean),
        ]);
    }
    table
}

fn pairs(row: &ShadowRow) -> Table {
    let mut table = Table::new(&["<market", "runs", "candidate", "difference"]);
    for pair in row.recent.iter().rev().take(PAIRS_SHOWN) {
        table.row(vec![
            Cell::from(tame(&pair.market)),
            Cell::money(pair.incumbent.0),
            Cell::money(pair.candidate.0),
            Cell::money(pair.difference.0),
        ]);
    }
    table
}
