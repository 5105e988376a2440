//! Risk: every limit and how much of it is used, what was denied, when trading stopped.
//!
//! Numbers are those that the guardian's checks compare with. The kill switch is in the frame around
//! every page; this one says where.

use super::parts::dollars;
use super::strategies::time;
use crate::snapshot::{Denials, Halt, LimitUse, NEAR_BPS, Risk, Snapshot};
use crate::web::app::View;
use crate::web::layout::{Page, Panel};
use crate::web::show;
use maud::{Markup, html};
use pm_arb_core::units::Usd;

/// See the top of the file.
pub const PAGE: Page = Page {
    path: "/risk",
    name: "Risk",
    about: "Every limit and how much of it is used; what was denied; the kill switch.",
    panels: Some(panels),
};

fn panels(view: &View) -> Vec<Panel> {
    let panel = |id, title, body, wide| Panel {
        id,
        title,
        body,
        wide,
    };
    let Some(pilot) = view.pilot.as_deref() else {
        let body = html! {
            p.empty { "No pilot runs with this data folder: nothing is traded and no limit is in use. Start one: "
                code { "pm-arb pilot --strategies ./strategies" } ". What was denied before is on "
                a href="/trades" { "Trades" } "." }
        };
        return vec![panel("limits", "Limits in use", body, true)];
    };
    let risk = &pilot.risk;
    vec![
        panel("halted", "Trading", trading(pilot), false),
        panel("next", "What binds next", next(risk), false),
        panel("limits", "Limits in use", limits(pilot), true),
        panel("orders", "Limits on every order", per_order(risk), true),
        panel("locked", "Capital locked, until when", locked(risk), false),
        panel(
            "groups",
            "Together that moves together",
            groups(risk),
            false,
        ),
        panel("denials", "Denials by reason", denials(risk), false),
        panel("halts", "Halts and resumes", halts(&risk.halts), false),
    ]
}

fn trading(pilot: &Snapshot) -> Markup {
    html! {
        @match &pilot.risk.halted {
            Some(why) => {
                p { span.state.bad { "halted" } " " (why) }
                p { "Nothing new is decided and orders in flight are void, over restarts too. Resume it, with your name and a note, under "
                    a href="#resume-name" { "Kill switch" } " at the top of every page, or "
                    code { "pm-arb resume -m 'name: note'" } "." }
            },
            None => {
                p { span.state.ok { "trading" } }
                p { "Stop everything under " a href="#halt-why" { "Kill switch" }
                    " at the top of every page, or " code { "pm-arb halt -m 'why'" }
                    ". It holds until somebody resumes, over restarts too." }
            },
        }
        dl.figures {
            div { dt { "Equity" } dd { (dollars(pilot.risk.equity.0)) small { "what shares are shares of" } } }
            div { dt { "Cash" } dd { (dollars(pilot.risk.cash.0)) small { "free" } } }
            div { dt { "Denied intents" } dd { (pilot.risk.denied) small { "since the run began" } } }
        }
    }
}

/// A limit's name with what it is of.
fn name(limit: &LimitUse) -> Markup {
    html! { (limit.name) @if let Some(of) = &limit.of { " · " (of) } }
}

fn class(bps: i64) -> (&'static str, &'static str) {
    match bps {
        10_000.. => ("state bad", "used up"),
        NEAR_BPS.. => ("state warn", "near"),
        _ => ("state ok", "room"),
    }
}

fn percent(bps: i64) -> String {
    format!("{:.1} %", bps as f64 / 100.0)
}

fn meter(limit: &LimitUse) -> Markup {
    let of = limit.of.as_deref().unwrap_or("all");
    let text = format!("{} of {}: {}", limit.name, of, percent(limit.used_bps));
    html! {
        meter min="0" max="10000" high=(NEAR_BPS) value=(limit.used_bps.clamp(0, 10_000)) aria-label=(text) {
            (percent(limit.used_bps))
        }
    }
}

/// An amount in cents with its sign; any other unit stands behind the number.
fn amount(number: &str, unit: &str) -> String {
    match (unit, Usd::parse(number)) {
        ("USD", Ok(usd)) => dollars(usd),
        _ => format!("{number} {unit}"),
    }
}

/// The fullest of them.
fn next(risk: &Risk) -> Markup {
    let Some(first) = risk.in_use.iter().find(|limit| limit.used_bps > 0) else {
        return html! { p.empty { "Nothing is in use: no order is out, no position is open, nothing was lost." } };
    };
    let (class, word) = class(first.used_bps);
    html! {
        p { strong { (name(first)) } " " span class=(class) { (word) } }
        (meter(first))
        p { (amount(&first.used, &first.unit)) " of " (amount(&first.limit, &first.unit)) ", " (percent(first.used_bps)) ". " (first.rule) "." }
        p.note { "It denies with " span.chip { (first.code) } " when it is reached." }
    }
}

fn limits(pilot: &Snapshot) -> Markup {
    html! {
        p.note { "As of " (time(pilot.taken)) ". Orders in flight and at rest count as if they filled whole." }
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Limits that fill up, the fullest first" }
                thead { tr {
                    th scope="col" { "Limit" }
                    th.num scope="col" { "Used" }
                    th.num scope="col" { "of" }
                    th scope="col" { "That is" }
                    th scope="col" { "Denies with" }
                } }
                tbody {
                    @for limit in &pilot.risk.in_use {
                        @let (class, word) = class(limit.used_bps);
                        tr {
                            th scope="row" { (name(limit)) div.note { (limit.rule) } }
                            td.num { (amount(&limit.used, &limit.unit)) }
                            td.num { (amount(&limit.limit, &limit.unit)) }
                            td { (meter(limit)) " " span class=(class) { (percent(limit.used_bps)) ", " (word) } }
                            td { span.chip { (limit.code) } }
                        }
                    }
                }
            }
        }
        p.note { "A loss below zero is a gain. Also as " a href="/api/v1/limits" { "JSON" } " and "
            a href="/api/v1/limits?format=csv" { "CSV" } "." }
    }
}

fn per_order(risk: &Risk) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Limits that every order is held against" }
                thead { tr {
                    th scope="col" { "Limit" }
                    th.num scope="col" { "Value" }
                    th scope="col" { "Denies with" }
                    th.num scope="col" { "Intents denied" }
                } }
                tbody {
                    @for limit in &risk.per_order {
                        tr {
                            th scope="row" { (limit.name) div.note { (limit.rule) } }
                            td.num { (limit.limit) " " (limit.unit) }
                            td { span.chip { (limit.code) } }
                            td.num { (limit.denied) }
                        }
                    }
                }
            }
        }
        p.note { "Denials since this pilot started. Limits are set under [risk] in the configuration." }
    }
}

fn locked(risk: &Risk) -> Markup {
    if risk.locked.is_empty() {
        return html! { p.empty { "No capital is tied up: no order is out and no position is open." } };
    }
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Capital by market, most first" }
                thead { tr {
                    th scope="col" { "Market" }
                    th scope="col" { "Venue" }
                    th.num scope="col" { "Tied up" }
                    th scope="col" { "Decided at, UTC" }
                } }
                tbody {
                    @for place in &risk.locked {
                        tr {
                            th scope="row" { (place.market) }
                            td { (place.venue) }
                            td.num { (dollars(place.used.0)) }
                            td { @match place.until { Some(at) => (time(at)), None => (show::unknown("the market is not listed any more")) } }
                        }
                    }
                }
            }
        }
        @if risk.locked_more > 0 { p.note { "and " (risk.locked_more) " markets with less." } }
        p.note { "Money comes back when the outcome has evidence, which follows the decision." }
    }
}

fn groups(risk: &Risk) -> Markup {
    if risk.groups.is_empty() {
        return html! { p.empty { "Nothing is tied up, so nothing moves together." } };
    }
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Tied up by event or oracle, most first" }
                thead { tr {
                    th scope="col" { "Group" }
                    th scope="col" { "Because" }
                    th.num scope="col" { "Markets" }
                    th.num scope="col" { "Tied up" }
                } }
                tbody {
                    @for group in &risk.groups {
                        tr {
                            th scope="row" { (group.group) }
                            td { (group.because) }
                            td.num { (group.markets) }
                            td.num { (dollars(group.used.0)) }
                        }
                    }
                }
            }
        }
        p.note { "No limit is set on a group; one surprise may cost all of it." }
    }
}

fn denials(risk: &Risk) -> Markup {
    if risk.denials.is_empty() {
        return html! { p.empty { "No intent was denied since this pilot started." } };
    }
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Denied intents by reason, most first" }
                thead { tr { th scope="col" { "Reason" } th.num scope="col" { "Intents" } th scope="col" { "It means" } } }
                tbody {
                    @for Denials { code, meaning, intents } in &risk.denials {
                        tr { td { span.chip { (code) } } td.num { (intents) } td { (meaning) } }
                    }
                }
            }
        }
        p.note { "Since this pilot started; before that, see " a href="/trades" { "Trades" } "." }
    }
}

fn halts(halts: &[Halt]) -> Markup {
    if halts.is_empty() {
        return html! { p.empty { "Trading neither stopped nor resumed since this pilot started." } };
    }
    html! {
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Halts and resumes, newest first" }
                thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Why, and by whom" } } }
                tbody {
                    @for halt in halts.iter().rev() {
                        tr {
                            td { (time(halt.at)) }
                            td { @if halt.halted { span.state.bad { "halted" } } @else { span.state.ok { "resumed" } } }
                            td { (halt.why) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::view;
    use super::*;
    use crate::snapshot::Instant;
    use pm_arb_core::ids::Timestamp;
    use std::sync::Arc;

    fn drawn(view: &View) -> String {
        panels(view)
            .into_iter()
            .map(|p| p.body.into_string())
            .collect()
    }

    fn with(change: impl FnOnce(&mut Risk)) -> View {
        let mut view = view(Vec::new());
        if let Some(pilot) = view.pilot.as_mut() {
            change(&mut Arc::make_mut(pilot).risk);
        }
        view
    }

    fn limit(of: &str, used: &str, used_bps: i64) -> LimitUse {
        LimitUse {
            code: "POS_LIMIT_MARKET".to_owned(),
            name: "Position in a market".to_owned(),
            of: Some(of.to_owned()),
            used: used.to_owned(),
            limit: "100".to_owned(),
            unit: "USD".to_owned(),
            used_bps,
            rule: "10 % of equity".to_owned(),
        }
    }

    #[test]
    fn a_limit_is_a_meter_a_number_and_a_word() {
        let page = drawn(&with(|risk| {
            risk.in_use = vec![
                limit("full", "100", 10_000),
                limit("near", "81", 8_100),
                limit("free", "3", 300),
            ];
        }));
        for text in [
            "used up",
            "near",
            "room",
            "81.0 %",
            "value=\"8100\"",
            "POS_LIMIT_MARKET",
        ] {
            assert!(page.contains(text), "{text} in {page}");
        }
        let next = next(
            &with(|risk| risk.in_use = vec![limit("full", "100", 10_000)])
                .pilot
                .unwrap()
                .risk,
        );
        assert!(next.into_string().contains("full"));
    }

    #[test]
    fn a_gain_uses_nothing_and_nothing_in_use_is_said() {
        let page = drawn(&with(|risk| risk.in_use = vec![limit("day", "-5", 0)]));
        assert!(
            page.contains("Nothing is in use") && page.contains("-$5.00"),
            "{page}"
        );
        assert!(drawn(&View::default()).contains("no limit is in use"));
    }

    #[test]
    fn halts_say_why_as_text_and_the_newest_comes_first() {
        let page = drawn(&with(|risk| {
            risk.halted = Some("<b>ann</b>".to_owned());
            for (n, halted) in [(1, true), (2, false)] {
                risk.halts.push(Halt {
                    at: Instant(Timestamp::from_secs(n)),
                    halted,
                    why: format!("word {n}"),
                });
            }
        }));
        assert!(page.contains("&lt;b&gt;ann") && !page.contains("<b>ann"));
        assert!(page.find("word 2") < page.find("word 1"));
        assert!(page.contains("#resume-name"));
    }

    #[test]
    fn a_real_engines_limits_are_all_there() {
        let page = drawn(&view(Vec::new()));
        for text in [
            "Loss of the day",
            "Drawdown",
            "Positions on a venue",
            "Value of an order",
            "STALE_ORACLE",
        ] {
            assert!(page.contains(text), "{text}");
        }
    }
}
