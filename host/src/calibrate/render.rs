//! `pm-arb calibrate` as text and as JSON.
//!
//! Owns the wording and the keys of the JSON, which scripts rely on.

use super::score::{BINS, LOG_LOSS_CLIP, SURE};
use super::{Bin, Calibrated, DECISION_SECS, Pair, Scores, Table};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// What was there, when nothing could be scored.
pub(super) fn nothing(result: &Calibrated) -> String {
    let mut said = vec![format!(
        "{} markets with forecasts and no winner",
        result.without_outcome
    )];
    said.extend(no_estimate(result));
    said.join(", ")
}

fn no_estimate(result: &Calibrated) -> Option<String> {
    let reasons = result.no_estimate.iter();
    let reasons: Vec<_> = reasons.map(|(r, n)| format!("{r} {n}")).collect();
    (!reasons.is_empty()).then(|| {
        format!(
            "decision points without an estimate: {}",
            reasons.join(", ")
        )
    })
}

/// As text, ending in a line break.
#[must_use]
pub fn text(result: &Calibrated) -> String {
    let scores = &result.scores;
    let mut text = String::new();
    let asked = scores.all[0].overall.count();
    let mut lines = vec![format!(
        "CALIBRATION  {} markets, {asked} decisions, data received by then only",
        result.markets
    )];
    if result.without_outcome > 0 {
        lines.push(format!(
            "{} more markets have no winner within the run",
            result.without_outcome
        ));
    }
    if result.not_asked > 0 {
        lines.push(format!(
            "{} more markets were not asked about: too many at once",
            result.not_asked
        ));
    }
    lines.extend(no_estimate(result));
    lines.push(String::new());
    lines.extend(by_time_left(&scores.all));
    if scores.with_book[0].overall.count() > 0 {
        lines.extend([String::new(), "WHERE THE BOOK HAD A MIDDLE".to_owned()]);
        lines.extend(by_time_left(&scores.with_book));
    }
    lines.extend([String::new(), "RELIABILITY".to_owned()]);
    lines.extend(reliability(scores));
    lines.extend([
        String::new(),
        format!("Log loss clips probabilities at {LOG_LOSS_CLIP:e} from 0 and 1."),
    ]);
    for line in lines {
        // Writing to a String can not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn by_time_left(tables: &[Table]) -> Vec<String> {
    let names = || Scores::NAMES.iter().zip(tables);
    let heads: String = names().map(|(name, _)| format!("{name:>9}")).collect();
    let wide = heads.len();
    let mut lines = vec![
        format!(
            "{:<12}{:>7}  {:<wide$}  {:<wide$}",
            "", "", "    Brier", "    log loss"
        ),
        format!("{:<12}{:>7}  {heads}  {heads}", "time left", "n"),
    ];
    let mut row = |name: String, of: &dyn Fn(&Table) -> Pair| {
        let pairs: Vec<Pair> = tables.iter().map(of).collect();
        let count = pairs.first().map_or(0, Pair::count);
        if count == 0 {
            return;
        }
        let each = |score: fn(&Pair) -> Option<f64>| -> String {
            pairs.iter().map(|p| number(score(p))).collect()
        };
        let (brier, log_loss) = (each(Pair::brier), each(Pair::log_loss));
        lines.push(format!("{name:<12}{count:>7}  {brier}  {log_loss}"));
    };
    for (i, secs) in DECISION_SECS.iter().enumerate() {
        row(format!("{secs} s"), &|t| {
            t.by_time_left.get(i).copied().unwrap_or_default()
        });
    }
    row("all".to_owned(), &|t| t.overall);
    row("tails *".to_owned(), &|t| t.sure);
    lines.push(format!(
        "* where the plain digital gives one side {:.0} % or more",
        SURE * 100.0
    ));
    lines
}

fn number(value: Option<f64>) -> String {
    value.map_or(format!("{:>9}", "-"), |v| format!("{v:>9.4}"))
}

fn reliability(scores: &Scores) -> Vec<String> {
    let [_, digital, model] = &scores.all;
    let mut of = vec![("digital", digital), ("model", model)];
    let [.., blend] = &scores.with_book;
    if blend.overall.count() > 0 {
        of.push(("blend", blend));
    }
    let heads: String = of.iter().map(|(name, _)| format!("  {name:<25}")).collect();
    let columns = format!("  {:>7}{:>9}{:>9}", "n", "forecast", "observed").repeat(of.len());
    let mut lines = vec![
        format!("{:<12}{heads}", ""),
        format!("{:<12}{columns}", "probability"),
    ];
    for i in 0..BINS {
        let (low, high) = Bin::bounds(i);
        let bins = of.iter().filter_map(|(_, table)| table.reliability.get(i));
        let cells: String = bins
            .map(|b| {
                format!(
                    "  {:>7}{}{}",
                    b.count,
                    number(b.predicted()),
                    number(b.observed())
                )
            })
            .collect();
        lines.push(format!("{:<12}{cells}", format!("{low:.1} to {high:.1}")));
    }
    lines
}

/// As JSON: all runs together, and each when there are several.
#[must_use]
pub fn json(together: &Calibrated, runs: &[(String, Calibrated)]) -> Value {
    let mut value = object(together);
    value.insert("log_loss_clip".to_owned(), json!(LOG_LOSS_CLIP));
    let each = runs.iter().map(|(run, result)| {
        let mut value = object(result);
        value.insert("run".to_owned(), json!(run));
        Value::Object(value)
    });
    value.insert("runs".to_owned(), Value::Array(each.collect()));
    Value::Object(value)
}

fn object(result: &Calibrated) -> Map<String, Value> {
    let scores = &result.scores;
    let reasons = result.no_estimate.iter();
    let reasons: Map<_, _> = reasons
        .map(|(r, n)| (r.code().to_owned(), json!(n)))
        .collect();
    let with_book = (scores.with_book[0].overall.count() > 0).then(|| group(&scores.with_book));
    let mut value = group(&scores.all);
    value.insert("markets".to_owned(), json!(result.markets));
    value.insert("points".to_owned(), json!(scores.all[0].overall.count()));
    value.insert("without_outcome".to_owned(), json!(result.without_outcome));
    value.insert("not_asked".to_owned(), json!(result.not_asked));
    value.insert("no_estimate".to_owned(), Value::Object(reasons));
    value.insert("with_book".to_owned(), json!(with_book));
    value
}

fn group(tables: &[Table]) -> Map<String, Value> {
    let named = || Scores::NAMES.iter().zip(tables);
    let pairs = |of: &dyn Fn(&Table) -> Pair| -> Map<String, Value> {
        let each = named().map(|(name, table)| ((*name).to_owned(), pair(&of(table))));
        each.collect()
    };
    let times = DECISION_SECS.iter().enumerate().map(|(i, secs)| {
        let mut row = pairs(&|t| t.by_time_left.get(i).copied().unwrap_or_default());
        row.insert("seconds".to_owned(), json!(secs));
        Value::Object(row)
    });
    let curves = named().map(|(name, table)| {
        let bins = table.reliability.iter().enumerate().map(|(i, bin)| {
            let (low, high) = Bin::bounds(i);
            json!({"low": low, "high": high, "n": bin.count,
                   "predicted": bin.predicted(), "observed": bin.observed()})
        });
        ((*name).to_owned(), Value::Array(bins.collect()))
    });
    let curves: Map<_, _> = curves.collect();
    Map::from_iter([
        ("overall".to_owned(), Value::Object(pairs(&|t| t.overall))),
        ("by_time_left".to_owned(), Value::Array(times.collect())),
        ("tails".to_owned(), Value::Object(pairs(&|t| t.sure))),
        ("reliability".to_owned(), Value::Object(curves)),
    ])
}

fn pair(pair: &Pair) -> Value {
    json!({"n": pair.count(), "brier": pair.brier(), "log_loss": pair.log_loss()})
}
