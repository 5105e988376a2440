//! `compare`: which of two strategies, or of two settings of one, earns more on the same markets.

use super::exit::{Code, Failure, OrExit};
use super::output::out;
use super::replay::given;
use crate::cli::CompareArgs;
use crate::compare::{Answer, Comparison, Match, Side};
use crate::config::Config;
use crate::journal;
use crate::meter::{Counts, Meter};
use crate::plugin::{Limits, PluginHost, Preparer};
use crate::report::signed;
use crate::terminal::Progress;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Markets shown unless all are asked for: those that differ most.
const PAIRS_SHOWN: usize = 20;

pub(super) fn run(args: CompareArgs) -> Result<ExitCode, Failure> {
    let config = args.config.as_deref();
    let config = config.map(|path| Config::load(Some(path)));
    let config = config.transpose().or_exit(Code::Config)?;
    let engine = config.as_ref().map(Config::engine);
    let engine = engine.transpose().or_exit(Code::Config)?;
    let params = config.as_ref().map(Config::all_strategy_params);
    let grants = config.as_ref().map(|config| config.grants.grants());
    let grants = grants
        .transpose()
        .or_exit(Code::Config)?
        .unwrap_or_default();
    let host = PluginHost::new(Limits::default())
        .or_exit(Code::Internal)?
        .granting(grants);
    let preparer = Preparer::new(host.clone(), params.unwrap_or_default());
    let meter = Meter::of(Counts::Bytes);
    // Either side replays every run.
    let size: u64 = args.runs.iter().map(|run| journal::size(run)).sum();
    meter.expect(size.saturating_mul(2));
    let progress = Progress::of("compare", &meter);
    let mut played = Match::metered(&meter);
    for (n, run) in args.runs.iter().enumerate() {
        for (which, spec) in [&args.a, &args.b].into_iter().enumerate() {
            let cast = given(std::slice::from_ref(spec), preparer.clone())?;
            played
                .play(which, (n, run), &host, engine.as_ref(), cast)
                .or_exit(Code::Damaged)?;
        }
    }
    let found = played.finish();
    drop(progress);
    if args.json {
        let json = to_json(&args, &found);
        out!(
            "{}",
            serde_json::to_string_pretty(&json).or_exit(Code::Internal)?
        );
    } else {
        show(&args, &found);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &CompareArgs, found: &Comparison) {
    for (name, spec, side) in [("A", &args.a, &found.a), ("B", &args.b, &found.b)] {
        out!("{name}  {spec}");
        out!(
            "   {} intents, {} denied · {} fills, {} settled, {} open at the end · realised {}",
            side.counts.intents,
            side.counts.denied,
            side.counts.fills,
            side.counts.settled,
            side.open,
            signed(side.pnl)
        );
    }
    let mut pairs: Vec<_> = found.pairs.iter().collect();
    if !args.all && pairs.len() > PAIRS_SHOWN {
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.difference().0.unsigned_abs()));
        pairs.truncate(PAIRS_SHOWN);
    }
    if !pairs.is_empty() {
        let wide = pairs.iter().map(|pair| pair.slug.chars().count()).max();
        let wide = wide.unwrap_or_default().max("Market".len());
        out!("");
        out!(
            "{:<wide$}  {:>12}  {:>12}  {:>12}",
            "Market",
            "A",
            "B",
            "B - A"
        );
        for pair in &pairs {
            out!(
                "{:<wide$}  {:>12}  {:>12}  {:>12}",
                pair.slug,
                signed(pair.a),
                signed(pair.b),
                signed(pair.difference())
            );
        }
        let hidden = found.pairs.len() - pairs.len();
        if hidden > 0 {
            out!("… and {hidden} markets that differ less (--all shows them)");
        }
    }
    out!("");
    out!("{}", conclusion(found));
}

fn conclusion(found: &Comparison) -> String {
    let markets = found.pairs.len();
    let total = format!("B - A: {} in {markets} markets", signed(found.difference));
    let Some(interval) = &found.interval else {
        return format!("{total}. Too few markets were traded to say more.");
    };
    let mean = found.difference.0 as f64 / 1e6 / markets as f64;
    let says = match found.answer() {
        Answer::A => "A earned more",
        Answer::B => "B earned more",
        Answer::Undecided => "these markets do not tell A and B apart",
    };
    format!(
        "{total}, {mean:+.4} a market, 95 % interval {:+.4} to {:+.4}: {says}.",
        interval.low, interval.high
    )
}

fn to_json(args: &CompareArgs, found: &Comparison) -> Value {
    let side = |spec: &str, side: &Side| {
        json!({
            "strategy": spec,
            "intents": side.counts.intents,
            "denied": side.counts.denied,
            "fills": side.counts.fills,
            "settled": side.counts.settled,
            "open": side.open,
            "realized_pnl": side.pnl.to_string(),
        })
    };
    let markets: Vec<Value> = found
        .pairs
        .iter()
        .map(|pair| {
            json!({
                "market": pair.slug,
                "a": pair.a.to_string(),
                "b": pair.b.to_string(),
                "difference": pair.difference().to_string(),
                "fills_a": pair.fills[0],
                "fills_b": pair.fills[1],
            })
        })
        .collect();
    json!({
        "a": side(&args.a, &found.a),
        "b": side(&args.b, &found.b),
        "markets": markets,
        "difference": found.difference.to_string(),
        "mean_difference_interval_95": found.interval.as_ref().map(|i| [i.low, i.high]),
        "answer": found.answer().as_str(),
    })
}
