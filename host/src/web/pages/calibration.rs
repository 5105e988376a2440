//! Calibration: how good the fair values were, against the market and the outcomes.
//!
//! Everything is drawn from the picture of the running pilot, whose recovery replays the whole run: a
//! restart loses nothing. Without a pilot the page says where the same numbers come from.

use crate::calibrate::DECISION_SECS;
use crate::snapshot::{Calibration, MARKETS_MIN, Predictor, Questions, Score, Snapshot, Versus};
use crate::web::app::View;
use crate::web::chart::Role;
use crate::web::chart::axes::Unit;
use crate::web::chart::lines::{Line, Lines};
use crate::web::chart::reliability::{self, Curve, Point};
use crate::web::layout::{Page, Panel};
use crate::web::show;
use maud::{Markup, html};

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/calibration",
    name: "Calibration",
    about: "How good the fair values were, against the market and the outcomes.",
    panels: Some(panels),
};

fn panels(view: &View) -> Vec<Panel> {
    let panel = |id, title, wide, body| Panel {
        id,
        title,
        body,
        wide,
    };
    let Some(pilot) = view.pilot.as_ref() else {
        return vec![panel("verdict", "Model against market", true, no_pilot())];
    };
    let calibration = &pilot.calibration;
    vec![
        panel("verdict", "Model against market", true, verdict(pilot)),
        panel(
            "reliability",
            "Reliability",
            false,
            reliability_of(calibration),
        ),
        panel(
            "by-time-left",
            "Brier score by time left",
            false,
            by_time_left(calibration),
        ),
        panel(
            "times",
            "Brier score by time left, in numbers",
            true,
            times(calibration),
        ),
        panel("bins", "Tenths of probability", true, bins(calibration)),
        panel("asked", "What was asked", true, asked(calibration)),
    ]
}

fn no_pilot() -> Markup {
    html! {
        p.empty {
            "No pilot runs here, and fair values are scored by the one that made them. "
            "A recorded run is scored with " code { "pm-arb calibrate RUN" } "; a pilot's runs lie in "
            code { "DATA/runs" } ". Running, it shows the same numbers here."
        }
        p { "What is asked, and why, stands in " a href="/how-it-works" { "How It Works" } "." }
    }
}

/// One plain sentence, and what it rests on.
fn verdict(pilot: &Snapshot) -> Markup {
    let calibration = &pilot.calibration;
    let verdict = &calibration.verdict;
    let n = verdict.markets;
    let (state, sentence) = match verdict.says {
        Versus::Insufficient => (
            "state off",
            format!(
                "Insufficient: {n} of {MARKETS_MIN} markets with an outcome and a book to compare with."
            ),
        ),
        Versus::Better => (
            "state ok",
            format!("Over {n} markets the model was better than the market."),
        ),
        Versus::Worse => (
            "state bad",
            format!("Over {n} markets the model was worse than the market."),
        ),
        Versus::NotDistinguishable => (
            "state warn",
            format!("Over {n} markets model and market cannot be told apart."),
        ),
    };
    let word = match verdict.says {
        Versus::Insufficient => "insufficient",
        Versus::Better => "better",
        Versus::Worse => "worse",
        Versus::NotDistinguishable => "not distinguishable",
    };
    let score = |p, q| calibration.score(p, q, None).and_then(|s| s.brier);
    let with = Questions::WithMarket;
    html! {
        p { span class=(state) { (word) } " " (sentence) }
        @if let Some(model) = calibration.score(Predictor::Model, with, None) {
            @if let (Some(less), Some(low), Some(high)) = (model.less_market, model.less_market_low, model.less_market_high) {
                p { "Model less market, Brier score: " strong { (signed(less)) } ", in 95 of 100 such samples between "
                    (signed(low)) " and " (signed(high)) ". Below zero the model is nearer to what came true." }
            }
        }
        dl.figures {
            div { dt { "Markets with outcome" } dd { (calibration.markets) } }
            div { dt { "Market (book's middle)" } dd { (four(score(Predictor::Market, with), "no sample had a book")) small { " Brier" } } }
            div { dt { "Model, same samples" } dd { (four(score(Predictor::Model, with), "no sample had a book")) small { " Brier" } } }
            div { dt { "Both together" } dd { (four(score(Predictor::Blend, with), "no sample had a book")) small { " Brier" } } }
            div { dt { "Model, all samples" } dd { (four(score(Predictor::Model, Questions::All), "no market was settled yet")) small { " Brier; a coin has 0.25" } } }
        }
        p.note { "As of record " (pilot.run.seq) ", since the run began. Questions of one market come true or not together: intervals count markets." }
    }
}

fn signed(x: f64) -> String {
    if x < 0.0 {
        format!("−{:.4}", -x)
    } else {
        format!("+{x:.4}")
    }
}

fn four(x: Option<f64>, why: &str) -> Markup {
    match x {
        Some(x) => html! { (format!("{x:.4}")) },
        None => show::unknown(why),
    }
}

/// The samples that model and market share; all of them where no market had a book.
fn questions(calibration: &Calibration) -> Questions {
    let with = calibration.score(Predictor::Market, Questions::WithMarket, None);
    if with.is_some_and(|s| s.n > 0) {
        Questions::WithMarket
    } else {
        Questions::All
    }
}

fn reliability_of(calibration: &Calibration) -> Markup {
    if calibration.markets == 0 {
        return waiting(calibration);
    }
    let questions = questions(calibration);
    let curve = |predictor, name, role| {
        let bins = calibration.bins.iter();
        let bins = bins.filter(|b| b.predictor == predictor && b.questions == questions);
        let points = bins.filter_map(|b| {
            Some(Point {
                predicted: b.predicted?,
                observed: b.observed?,
                interval: b.observed_low.zip(b.observed_high),
                n: b.n,
            })
        });
        Curve {
            name,
            role,
            points: points.collect(),
        }
    };
    let mut curves = vec![curve(Predictor::Model, "model", Role::Honest)];
    if questions == Questions::WithMarket {
        curves.push(curve(Predictor::Market, "market", Role::Naive));
    }
    reliability::draw(
        "Reliability",
        "On the diagonal, what is called 70 % comes true in 70 of 100 cases. Circles grow with the number of samples; upright lines are 95 % intervals.",
        &curves,
    )
}

fn waiting(calibration: &Calibration) -> Markup {
    html! {
        p.empty {
            "No market with samples has an outcome yet; " (calibration.waiting) " wait for theirs. "
            "Samples are taken from 240 s before a close on, and count when the market is settled."
        }
    }
}

fn by_time_left(calibration: &Calibration) -> Markup {
    if calibration.markets == 0 {
        return waiting(calibration);
    }
    let questions = questions(calibration);
    let score = |predictor, secs| calibration.score(predictor, questions, Some(secs));
    let line = |predictor, name, role| {
        let points = DECISION_SECS
            .iter()
            .rev()
            .filter_map(|secs| Some((*secs as f64, score(predictor, *secs)?.brier?)));
        Line::new(name, role, points.collect())
    };
    let mut chart = Lines {
        units: (Unit::Plain, Unit::Plain),
        ..Lines::over_time(
            "Brier score by time left",
            "Mean squared error against seconds left before the close; less is better, and a coin has 0.25.",
            Unit::Plain,
        )
    }
    .line(line(Predictor::Model, "model", Role::Honest));
    if questions == Questions::WithMarket {
        chart = chart.line(line(Predictor::Market, "market", Role::Naive));
    }
    chart.draw()
}

fn times(calibration: &Calibration) -> Markup {
    if calibration.markets == 0 {
        return waiting(calibration);
    }
    let questions = questions(calibration);
    let rows = DECISION_SECS.iter().map(|secs| Some(*secs)).chain([None]);
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Brier score of model and market by time left, with intervals of 95 %" }
                thead { tr {
                    th scope="col" { "Left" } th.num scope="col" { "n" } th.num scope="col" { "Model" } th.num scope="col" { "Market" }
                    th.num scope="col" { "Both" } th.num scope="col" { "Model − market" } th.num scope="col" { "95 %" }
                } }
                tbody { @for secs in rows { (time_row(calibration, questions, secs)) } }
            }
        }
    }
}

fn time_row(calibration: &Calibration, questions: Questions, secs: Option<u64>) -> Markup {
    let score = |predictor| calibration.score(predictor, questions, secs);
    let model = score(Predictor::Model);
    let brier =
        |s: Option<&Score>| match s.and_then(|s| Some((s.brier?, s.brier_low, s.brier_high))) {
            Some((brier, Some(low), Some(high))) => html! {
                (format!("{brier:.4}")) " " small { "± " (format!("{:.3}", (high - low) / 2.0)) }
            },
            Some((brier, ..)) => html! { (format!("{brier:.4}")) },
            None => show::unknown("no sample"),
        };
    html! { tr {
        th scope="row" { @match secs { Some(secs) => { (secs) " s" }, None => "all" } }
        td.num { (model.map_or(0, |s| s.n)) }
        td.num { (brier(model)) }
        td.num { (brier(score(Predictor::Market))) }
        td.num { (brier(score(Predictor::Blend))) }
        td.num { @match model.and_then(|s| s.less_market) { Some(less) => (signed(less)), None => (show::unknown("no sample had a book")) } }
        td.num { @match model.and_then(|s| s.less_market_low.zip(s.less_market_high)) {
            Some((low, high)) => { (signed(low)) " … " (signed(high)) },
            None => (show::unknown("fewer than two markets")),
        } }
    } }
}

fn bins(calibration: &Calibration) -> Markup {
    let questions = questions(calibration);
    let bins = calibration.bins.iter();
    let shown = bins.filter(|b| {
        b.questions == questions
            && b.n > 0
            && matches!(b.predictor, Predictor::Model | Predictor::Market)
    });
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Reliability by tenths of probability" }
                thead { tr {
                    th scope="col" { "Predictor" } th scope="col" { "Probability" } th.num scope="col" { "n" } th.num scope="col" { "Markets" }
                    th.num scope="col" { "Said" } th.num scope="col" { "Came true" } th.num scope="col" { "95 %" }
                } }
                tbody {
                    @for bin in shown { tr {
                        th scope="row" { @if bin.predictor == Predictor::Model { "model" } @else { "market" } }
                        td { (format!("{:.1} to {:.1}", bin.low, bin.high)) }
                        td.num { (bin.n) }
                        td.num { (bin.markets) }
                        td.num { (four(bin.predicted, "no sample")) }
                        td.num { (four(bin.observed, "no sample")) }
                        td.num { @match bin.observed_low.zip(bin.observed_high) {
                            Some((low, high)) => (format!("{low:.3} … {high:.3}")),
                            None => (show::unknown("no sample")),
                        } }
                    } }
                }
            }
        }
        p { a href="/api/v1/calibration?format=csv" { "Tenths as CSV" } " · "
            a href="/api/v1/calibration?format=csv&table=scores" { "scores as CSV" } " · "
            a href="/api/v1/calibration" { "everything as JSON" } }
    }
}

fn asked(calibration: &Calibration) -> Markup {
    html! {
        p { "Each market with an oracle is asked about 240, 180, 120, 60, 30, 15, 10 and 5 seconds before its close, with what had been received by then. "
            "It is what " code { "pm-arb calibrate" } " does with the run afterwards, to the same bits." }
        dl.figures {
            div { dt { "Settled" } dd { (calibration.markets) small { " markets" } } }
            div { dt { "Wait for an outcome" } dd { (calibration.waiting) } }
            div { dt { "Ended without one winner" } dd { (calibration.without_outcome) } }
            @if calibration.not_asked > 0 { div { dt { "Not asked: too many at once" } dd { (calibration.not_asked) } } }
        }
        @if !calibration.no_estimate.is_empty() {
            p { "Nothing could be said: "
                @for unsaid in &calibration.no_estimate { span.chip { (unsaid.reason) } " " (unsaid.count) " " } }
        }
    }
}

#[cfg(test)]
mod tests;
