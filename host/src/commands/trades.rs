//! `trades` and `trade`: rows in a list, and one of them whole.

use super::exit::{Code, Failure, OrExit};
use super::output::{self, out};
use super::which;
use crate::cli::{TradeArgs, TradesArgs, TradesFormat};
use crate::report::{Style, export, list, page};
use crate::store::Store;
use crate::store::view::TradeView;
use pm_arb_core::ids::Timestamp;
use serde_json::json;
use std::process::ExitCode;

/// Most trades that a message about an ambiguous id lists.
const CANDIDATES_MAX: usize = 10;

pub(super) fn list(args: TradesArgs) -> Result<ExitCode, Failure> {
    let url = super::database_url(&args.places);
    let now = crate::clock::Clock::utc().now();
    let since = args.which.since.map_or(Timestamp(0), |since| since.at(now));
    let trades = super::runtime()?.block_on(async {
        let store = Store::open_read_only(&url)
            .await
            .or_exit(Code::Unavailable)?;
        let filter = which::filter(&store, &args.which, since).await?;
        let status = args.status.map(|status| status.as_str());
        let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
        let trades = store.trade_views(&filter, status, limit).await;
        trades.or_exit(Code::Unavailable)
    })?;
    match args.format {
        TradesFormat::Table => output::page(&list::render(&trades, Style::of_stdout())),
        TradesFormat::Json => {
            let rows: Vec<_> = trades.iter().map(export::json).collect();
            let all = json!({"schema": "pm-arb.trades/1", "trades": rows});
            out!(
                "{}",
                serde_json::to_string_pretty(&all).or_exit(Code::Internal)?
            );
        }
        TradesFormat::Csv => {
            let mut text = Vec::new();
            let mut export = export::csv(&mut text).or_exit(Code::Internal)?;
            for trade in &trades {
                export.row(trade).or_exit(Code::Internal)?;
            }
            export.end().or_exit(Code::Internal)?;
            output::text(&String::from_utf8_lossy(&text));
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn one(args: TradeArgs) -> Result<ExitCode, Failure> {
    let url = super::database_url(&args.places);
    let page = super::runtime()?.block_on(async {
        let store = Store::open_read_only(&url)
            .await
            .or_exit(Code::Unavailable)?;
        let found = store.trades_like(&args.id, CANDIDATES_MAX + 1).await;
        let trade = only(&args.id, found.or_exit(Code::Unavailable)?)?;
        store.trade_page(trade).await.or_exit(Code::Unavailable)
    })?;
    if args.json {
        let json = serde_json::to_string_pretty(&page::json(&page));
        out!("{}", json.or_exit(Code::Internal)?);
    } else {
        output::page(&page::render(&page, Style::of_stdout()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The one trade that is meant.
fn only(id: &str, mut found: Vec<TradeView>) -> Result<TradeView, Failure> {
    if found.len() > 1 {
        let mut text = format!("{id:?} is the beginning of several trades; write more of it:");
        for trade in found.iter().take(CANDIDATES_MAX) {
            text.push_str(&format!(
                "\n  {}  {}  {} {} of {}",
                trade.id, trade.status, trade.side, trade.outcome, trade.market_slug
            ));
        }
        if found.len() > CANDIDATES_MAX {
            text.push_str("\n  and more");
        }
        return Err(Failure::new(Code::Usage, text));
    }
    found.pop().ok_or_else(|| {
        let text =
            format!("no trade has an id that begins with {id:?}; `pm-arb trades` lists them");
        Failure::new(Code::Negative, text)
    })
}
