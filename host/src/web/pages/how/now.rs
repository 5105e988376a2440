//! One market of now, as the running pilot judges it: live.

use super::panels::{cents, chance, cost};
use crate::snapshot::{Example, Judged};
use crate::web::app::View;
use crate::web::layout::Panel;
use crate::web::show;
use maud::{Markup, html};

/// Its panel, with or without a pilot.
pub(super) fn panel(view: &View) -> Panel {
    Panel {
        id: "now",
        title: "A real market, now",
        wide: true,
        body: match view
            .pilot
            .as_ref()
            .map(|pilot| (&pilot.example, &pilot.run))
        {
            None => html! {
                p.empty { "No pilot runs here. Start one with " code { "pm-arb pilot" } " and a market of the moment is judged here, live." }
            },
            Some((None, _)) => html! {
                p.empty { "No market with an oracle is open at this moment. One appears as soon as the venue lists it." }
            },
            Some((Some(example), run)) => html! {
                (shown(example))
                p.note { "As of record " (run.seq) " of the run." }
            },
        },
    }
}

pub(super) fn shown(example: &Example) -> Markup {
    let (left, rest) = (example.left_ms / 1_000, example.left_ms % 1_000 / 100);
    html! {
        p { strong { (example.market) } " on " (example.venue) ", " (example.outcome) ", decided by " (example.oracle) "."
            @if !example.question.is_empty() { " “" (example.question) "”" } }
        p { (verdict(example)) }
        dl.figures {
            div { dt { "Time left" } dd { (left) "." (rest) small { " s" } } }
            @if let Some(judged) = &example.judged { (figures(judged)) }
            div { dt { "Bid" } dd { @match example.bid { Some(bid) => { (cost(bid.0)) small { " c" } }, None => (show::unknown("nobody bids")) } } }
        }
        p.note { "Fee by " (example.fee_rule) "." }
    }
}

fn figures(judged: &Judged) -> Markup {
    html! {
        div { dt { "Spot" } dd { (judged.spot) small { " USD, " (judged.oracle_age_ms) " ms old" } } }
        div { dt { "Strike" } dd { (judged.strike) small { " USD" } } }
        div { dt { "Model" } dd { (chance(judged.model)) } }
        div { dt { "With the market" } dd { (chance(judged.fair)) } }
        div { dt { "Ask" } dd { (cost(judged.ask.0)) small { " c, " (judged.qty) " shares" } } }
        div { dt { "Fee" } dd { (cost(judged.fee.0)) small { " c a share" } } }
        div { dt { "Edge after fee and haircut" } dd { (cents(judged.edge.0)) small { " c a share" } } }
    }
}

/// Why it is or is not traded.
fn verdict(example: &Example) -> Markup {
    let reason = || {
        let all = pm_arb_core::reason::Reason::ALL.iter();
        let known = all.copied().find(|r| r.code() == example.verdict);
        known.map_or("", |r| r.meaning().trim())
    };
    match example.verdict.as_str() {
        "opportunity" => html! {
            span.state.ok { "opportunity" } " Enough is left: strategies are told, and what they wish the risk guardian judges."
        },
        "no_edge" => html! {
            span.state.off { "no edge" } " Not traded: after fee and haircut less than " (cost(example.edge_min.0)) " c a share is left."
        },
        code => html! { span.state.warn { (code) } " Not traded: " (reason()) },
    }
}
