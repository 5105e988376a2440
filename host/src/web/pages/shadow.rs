//! Candidates beside what trades: what both earned in the same markets, and what the test says of it.

use super::strategies::{digest, time};
use crate::shadow::{Figures, PairRow, Phase, ShadowRow};
use crate::snapshot::StrategyRow;
use crate::web::show;
use maud::{Markup, html};

/// Settled markets shown; all that are kept are in the API.
const PAIRS_SHOWN: usize = 20;

/// All of them, for the page of all strategies.
pub(super) fn all(rows: &[StrategyRow]) -> Markup {
    let shadows: Vec<&ShadowRow> = rows.iter().filter_map(|row| row.shadow.as_ref()).collect();
    if shadows.is_empty() {
        return html! {
            p.empty { "No candidate ran beside a strategy since this pilot started. Begin one: "
                code { "pm-arb strategy shadow NAME FILE" } ", or on the strategy's own page." }
        };
    }
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Candidates beside what trades" }
                thead { tr {
                    th scope="col" { "Of" } th scope="col" { "Candidate" } th scope="col" { "How far" }
                    th.num scope="col" { "Markets" } th.num scope="col" { "Earned more, $" }
                    th.num scope="col" { "Evidence" } th scope="col" { "What it says" }
                } }
                tbody { @for row in shadows { tr {
                    td { a href={ "/strategies/" (row.strategy) "#shadow" } { (row.strategy) } }
                    td { (digest(&row.digest)) " " (row.version) }
                    td { (row.phase.as_str()) }
                    td.num { (row.markets) }
                    td.num { (show::money(row.difference.0)) }
                    td.num { (row.evidence) " of " (row.evidence_needed) }
                    td { (row.verdict) }
                } } }
            }
        }
    }
}

/// One of them, for the page of its strategy.
pub(super) fn one(row: Option<&ShadowRow>) -> Markup {
    let Some(row) = row else {
        return html! {
            p.empty { "No candidate ran beside it since this pilot started. One gets the same events and books, \
                a ledger of its own, and trades nothing." }
        };
    };
    html! {
        h3 { (digest(&row.digest)) " " (row.version) " " span.state { (row.phase.as_str()) } }
        p { (row.verdict) }
        p.note {
            "Since " (time(row.since))
            @if !row.settings.is_empty() { " with " code { (row.settings.join(" ")) } }
            @if row.phase != Phase::Ended { "; " (row.behind) " records behind, " (row.records_per_second) " a second" }
            "."
        }
        dl.figures {
            div { dt { "Settled markets" } dd { (row.markets) small { "better in " (row.better) ", worse in " (row.worse) ", equal in " (row.equal) } } }
            div { dt { "Earned more, $" } dd { (show::money(row.difference.0)) small { "by the candidate, in them" } } }
            div { dt { "Evidence" } dd { (row.evidence) small { "of " (row.evidence_needed) " needed, from " (row.pairs) " closings" } } }
        }
        (both(&row.incumbent, &row.candidate))
        @if !row.recent.is_empty() { (pairs(&row.recent)) }
    }
}

fn both(incumbent: &Figures, candidate: &Figures) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "What runs and the candidate, since it began" }
                thead { tr {
                    th scope="col" { "Since then" } th.num scope="col" { "Net P&L, $" } th.num scope="col" { "Drawdown, $" } th.num scope="col" { "Bought, $" }
                    th.num scope="col" { "Intents" } th.num scope="col" { "Denied" } th.num scope="col" { "Fills" }
                    th.num scope="col" { "Faults" } th.num scope="col" { "Fuel of a call" }
                } }
                tbody { @for (name, figures) in [("what runs", incumbent), ("candidate", candidate)] { tr {
                    td { (name) }
                    td.num { (show::money(figures.net.0)) }
                    td.num { (super::parts::dollars(figures.drawdown.0)) } td.num { (super::parts::dollars(figures.bought.0)) }
                    td.num { (figures.intents) } td.num { (figures.denied) } td.num { (figures.fills) }
                    td.num { (figures.faults) } td.num { (figures.fuel_mean) }
                } } }
            }
        }
    }
}

fn pairs(pairs: &[PairRow]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption { "The last settled markets, newest first" }
                thead { tr {
                    th scope="col" { "Market" } th scope="col" { "Settled" }
                    th.num scope="col" { "What runs, $" } th.num scope="col" { "Candidate, $" } th.num scope="col" { "More, $" }
                } }
                tbody { @for pair in pairs.iter().rev().take(PAIRS_SHOWN) { tr {
                    td { (pair.market) } td { (time(pair.at)) }
                    td.num { (show::money(pair.incumbent.0)) } td.num { (show::money(pair.candidate.0)) }
                    td.num { (show::money(pair.difference.0)) }
                } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::strategy::tests::row as strategy;
    use super::*;
    use crate::snapshot::{Instant, Money};
    use pm_arb_core::ids::Timestamp;
    use pm_arb_core::units::Usd;

    #[test]
    fn figures_of_both_and_words_as_text() {
        let shadow = ShadowRow {
            strategy: "late".to_owned(),
            digest: "9f3c".repeat(16),
            phase: Phase::Comparing,
            verdict: "<b>evidence</b>".to_owned(),
            evidence: "1.40".to_owned(),
            evidence_needed: "20.00".to_owned(),
            recent: vec![PairRow {
                market: "<script>".to_owned(),
                at: Instant(Timestamp(0)),
                incumbent: Money(Usd(1_000_000)),
                candidate: Money(Usd(3_000_000)),
                difference: Money(Usd(2_000_000)),
            }],
            ..ShadowRow::default()
        };
        let drawn = one(Some(&shadow)).into_string();
        assert!(drawn.contains("&lt;b&gt;evidence") && drawn.contains("&lt;script&gt;"));
        assert!(drawn.contains("+$2.00") && drawn.contains("1.40") && drawn.contains("20.00"));
        let rows = [StrategyRow {
            shadow: Some(shadow),
            ..strategy("late")
        }];
        assert!(all(&rows).into_string().contains("/strategies/late#shadow"));
        assert!(
            all(&[strategy("late")])
                .into_string()
                .contains("No candidate")
        );
    }
}
