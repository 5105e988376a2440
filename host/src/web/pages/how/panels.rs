//! The worked example, panel by panel: tables and figures of numbers that were computed elsewhere.

use super::draw;
use crate::snapshot::Money;
use crate::web::how::{Basket, DatedFee, Refused, Rule, Trade, Worked};
use crate::web::layout::Panel;
use crate::web::show;
use maud::{Markup, html};
use pm_arb_core::units::Usd;

/// The panel that says why when nothing can be worked through.
pub(super) const VERDICT: &str = "verdict";
/// Every panel here: id, title, whether it is wide. In the order of the page.
pub(super) const WORKED: [(&str, &str, bool); 7] = [
    (VERDICT, "What the program does", true),
    ("lag", "The picture", false),
    ("fair", "What YES is worth", false),
    ("payout", "What buying comes to", false),
    ("timeline", "The timeline", true),
    ("rules", "Rules of the day", true),
    ("baskets", "Baskets by the same fees", true),
];

/// The panel of that place in [`WORKED`].
fn panel(place: usize, body: Markup) -> Panel {
    let (id, title, wide) = WORKED.get(place).copied().unwrap_or_default();
    Panel {
        id,
        title,
        body,
        wide,
    }
}

/// A probability with four decimals.
pub(super) fn chance(p: Money) -> String {
    format!("{:.4}", p.0.0 as f64 / 1e6)
}

/// An amount a share in cents, two decimals, rounded down, with its sign.
pub(super) fn cents(amount: Usd) -> Markup {
    let class = match amount.0.signum() {
        1 => "gain",
        -1 => "loss",
        _ => "even",
    };
    let hundredths = amount.0.div_euclid(100);
    let sign = if hundredths < 0 { "−" } else { "+" };
    let (whole, rest) = (
        hundredths.unsigned_abs() / 100,
        hundredths.unsigned_abs() % 100,
    );
    html! { span class=(class) { (sign) (whole) "." (format!("{rest:02}")) } }
}

/// Cents without a sign, rounded up: a cost.
pub(super) fn cost(amount: Usd) -> String {
    let hundredths = amount.0.div_euclid(100) + i64::from(amount.0.rem_euclid(100) != 0);
    format!("{}.{:02}", hundredths / 100, hundredths.rem_euclid(100))
}

fn refused(refused: &Refused) -> Markup {
    html! { span.chip { (refused.code) } " " (refused.meaning) }
}

/// What the scanner does with the offer, step by step.
pub(super) fn verdict(worked: &Worked) -> Panel {
    let verdict = &worked.verdict;
    let state = match verdict.code {
        "opportunity" => "state ok",
        "no_edge" => "state off",
        _ => "state warn",
    };
    panel(
        0,
        html! {
            p { span class=(state) { (verdict.code) } " " (verdict.meaning) }
            @if verdict.code == "EDGE_IMPLAUSIBLE" {
                p.note {
                    "A market that is wrong by that much is nearly always a market that knows something: another strike, another closing time, "
                    "a stale book. Beyond " (cost(verdict.edge_max.0)) " c a share the program believes its own mistake sooner than the market's."
                }
            }
            @if let Some(judged) = &verdict.judged {
                div.scroll tabindex="0" {
                    table.rows {
                        caption.only-read { "From the model's probability to the edge, cents a share" }
                        thead { tr { th scope="col" { "Step" } th.num scope="col" { "c a share" } th scope="col" { "Where it comes from" } } }
                        tbody {
                            (step("Model's probability", cost(judged.model.0), "fair-value code: the laws below, weighted"))
                            @match judged.middle {
                                Some(middle) => (step("Middle of the book", cost(middle.0), "bid and offer of YES")),
                                None => (step("Middle of the book", "—".to_owned(), "no bid, or sides further apart than ten cents: the model stands alone")),
                            }
                            (step("Both together", cost(judged.fair.0), "blended in log-odds: the book knows things an oracle does not"))
                            (step("less the offer", format!("−{}", cost(judged.ask.0)), "what YES costs"))
                            (step("less the fee", format!("−{}", cost(judged.fee.0)), &worked.rules.fee.rule))
                            (step("less the haircut", format!("−{}", cost(judged.haircut.0)), "the model's own calibration error, half a cent at least"))
                            @if let Some(unblended) = verdict.unblended {
                                (step("The model alone would leave", cost(unblended.0), &format!("after price and fee; believed up to {} c", cost(verdict.edge_max.0))))
                            }
                            tr { th scope="row" { "Edge" } td.num { (cents(judged.edge.0)) } td { "reported from " (cost(verdict.edge_min.0)) " c on" } }
                        }
                    }
                }
            } @else {
                p { "Edge: " (show::unknown(verdict.meaning)) }
            }
        },
    )
}

fn step(what: &str, cents: String, from: &str) -> Markup {
    html! { tr { th scope="row" { (what) } td.num { (cents) } td { (from) } } }
}

/// The idea as a picture: the model moves, the market stands.
pub(super) fn lag(worked: &Worked) -> Panel {
    let arrival = &worked.arrival;
    panel(
        1,
        html! {
            (draw::lag(worked))
            @if let Some(spot) = &arrival.spot_of_price {
                p { "An offer of " (worked.asked.price) " is what the model says at a spot of " (spot) " USD. "
                    "The oracle is at " (worked.asked.spot) ": if it has just moved there, the market has not followed yet." }
            }
            p.note { "That the market follows within 2 to 5 seconds is the plan's claim, drawn as such. What the oracle does is computed." }
        },
    )
}

/// What YES is worth, by whom, and over the spot.
pub(super) fn fair(worked: &Worked) -> Panel {
    let fair = &worked.fair;
    panel(
        2,
        html! {
            dl.figures {
                div { dt { "Plain digital" } dd { (chance(fair.digital)) } }
                div { dt { "Model" } dd { (chance(fair.model)) } }
                div { dt { "With the market" } dd { (chance(fair.blend)) } }
            }
            (draw::fair(worked))
            div.scroll tabindex="0" {
                table.rows {
                    caption { "The model is five laws; the spread of their words is how unsure the tails are" }
                    thead { tr { th scope="col" { "Law of returns" } th.num scope="col" { "Weight" } th.num scope="col" { "Probability" } } }
                    tbody { @for law in &fair.laws {
                        tr { th scope="row" { (law.law) } td.num { (chance(law.weight)) } td.num { (chance(law.says)) } }
                    } }
                }
            }
            div.scroll tabindex="0" {
                table.rows {
                    caption { "The same spot and strike with other times left" }
                    thead { tr { th scope="col" { "Time left" } th.num scope="col" { "Digital" } th.num scope="col" { "Model" } } }
                    tbody { @for horizon in &worked.horizons {
                        tr { th scope="row" { (span(horizon.left_secs)) } td.num { (chance(horizon.digital)) } td.num { (chance(horizon.model)) } }
                    } }
                }
            }
        },
    )
}

fn span(secs: u64) -> String {
    match secs {
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// What buying comes to.
pub(super) fn payout(worked: &Worked) -> Panel {
    panel(
        3,
        match (&worked.trade, &worked.trade_refused) {
            (Some(trade), _) => bought(worked, trade),
            (None, Some(why)) => html! { p { "Not bought: " (refused(why)) } },
            (None, None) => html! { p { (show::unknown("nothing was bought")) } },
        },
    )
}

fn bought(worked: &Worked, trade: &Trade) -> Markup {
    let row = |name: &str, share: Markup, all: Markup| {
        html! { tr { th scope="row" { (name) } td.num { (share) } td.num { (all) } } }
    };
    let in_all = |m: Money| show::money(m.0);
    html! {
        p { (worked.asked.qty) " shares at " (worked.asked.price) " USD cost " (trade.value) " USD and " (trade.fee) " USD in fees, "
            "filled by the paper executor on the book as asked. If YES comes true each pays a dollar." }
        div.scroll tabindex="0" {
            table.rows {
                caption.only-read { "Payout and expected value" }
                thead { tr { th scope="col" { "" } th.num scope="col" { "c a share" } th.num scope="col" { "USD in all" } } }
                tbody {
                    (row("YES wins", cents(trade.win_per_share.0), in_all(trade.win)))
                    (row("YES loses", cents(trade.lose_per_share.0), in_all(trade.lose)))
                    (row("Expected before the fee", per(trade.expected_before_fee, worked), in_all(trade.expected_before_fee)))
                    (row("Expected after the fee", per(trade.expected, worked), in_all(trade.expected)))
                    @if let Some(judged) = &worked.verdict.judged {
                        (row("and after the haircut", cents(judged.edge.0), html! { (show::unknown("the haircut is a doubt, not a payment")) }))
                    }
                    (row("If the model alone were right", per(trade.expected_by_model, worked), in_all(trade.expected_by_model)))
                }
            }
        }
        p { "Break-even: YES must come true in more than " strong { (chance(trade.break_even)) } " of such cases." }
        (draw::payout(worked, trade))
    }
}

/// A sum in cents a share.
fn per(amount: Money, worked: &Worked) -> Markup {
    match amount
        .0
        .per(worked.asked.qty.0, pm_arb_core::units::Rounding::Down)
    {
        Some(share) => cents(Usd(share.0)),
        None => show::unknown("it does not fit"),
    }
}

/// From the move to the arrival, and what the plan thought instead.
pub(super) fn timeline(worked: &Worked) -> Panel {
    let arrival = &worked.arrival;
    let ms = |ms: Option<u64>| match ms {
        Some(ms) => html! { (ms) },
        None => show::unknown("no rule tells the venue's delay on that day"),
    };
    let row = |at: Markup, what: &str, from: &str| {
        html! { tr { td.num { (at) } th scope="row" { (what) } td { (from) } } }
    };
    panel(
        4,
        html! {
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "What happens when, in milliseconds from the move" }
                    thead { tr { th.num scope="col" { "ms" } th scope="col" { "What" } th scope="col" { "By" } } }
                    tbody {
                        (row(html!{ "0" }, "The asset moves, the oracle says so", "its feed's own delay comes on top: see System"))
                        (row(html!{ "0" }, "Decision", "one step of the engine, well below a millisecond"))
                        (row(html!{ (arrival.latency_ms) }, "At the venue's door", "our latency: a setting, or measured"))
                        (row(ms(arrival.arrival_ms), "The venue matches the order", &worked.rules.delay.rule))
                        (row(html!{ "2,000–5,000" }, "The market has followed", "the plan's claim, not measured here"))
                    }
                }
            }
            p { "The plan's timeline ends at 50 ms: “trade, then wait for the correction”. A taker order is not matched when it comes, though: "
                "the venue holds it " (ms(arrival.venue_delay_ms)) " ms, it cannot be taken back meanwhile, and those who quote may withdraw. "
                "The program fills against the book of the arrival, never of the decision." }
            @match (&arrival.oracle_still_there, &arrival.break_even_spot) {
                (Some(still), Some(spot)) => p {
                    "Is the edge still there? The oracle's part of the answer can be computed: with this volatility the spot is still beyond "
                    (spot) " USD on arrival, where nothing would be left after fee and haircut, with probability " strong { (chance(*still)) } ". "
                    "The other part, whether the offer still stands, no formula knows: the pilot counts it, order by order (NO_LIQUIDITY under Why not)."
                },
                _ => p { "Is the edge still there on arrival? "
                    (show::unknown("no spot leaves anything after fee and haircut, a rule is unknown, or the market closes first")) },
            }
        },
    )
}

/// The rules that were used, with their sources.
pub(super) fn rules(worked: &Worked) -> Panel {
    let rules = &worked.rules;
    panel(
        5,
        html! {
            @for broken in &rules.broken {
                p.note { "The risk guardian would refuse this order: " (refused(broken)) }
            }
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "Rules in force, with their sources" }
                    thead { tr { th scope="col" { "Rule" } th scope="col" { "Says" } th scope="col" { "Row" } th scope="col" { "Source" } } }
                    tbody {
                        (rule("Taker fee, a share", &rules.fee))
                        (rule("Taker delay", &rules.delay))
                        (rule("Smallest order", &rules.minimum))
                        (rule("Step of prices", &rules.tick))
                    }
                }
            }
            details.more {
                summary { "The fee through time" }
                div.scroll tabindex="0" {
                    table.rows {
                        caption { "What one share at " (worked.asked.price) " USD paid" }
                        thead { tr { th scope="col" { "From" } th scope="col" { "Formula" } th.num scope="col" { "c a share" } th scope="col" { "Source" } } }
                        tbody { @for fee in &rules.fees_by_date { (dated(fee)) } }
                    }
                }
            }
        },
    )
}

fn rule(name: &str, rule: &Rule) -> Markup {
    html! { tr {
        th scope="row" { (name) }
        td { @match &rule.says { Some(says) => (says), None => (show::unknown("orders that need it are refused")) } }
        td { (rule.rule) }
        td { @if let Some(source) = &rule.source { (source) } }
    } }
}

fn dated(fee: &DatedFee) -> Markup {
    html! { tr {
        th scope="row" { (fee.from) @if fee.in_force { " " span.chip { "in force" } } }
        td { @match &fee.says { Some(says) => (says), None => (show::unknown("nobody knows: orders are refused")) } }
        td.num { @match fee.per_share { Some(share) => (cost(share.0)), None => (show::unknown("the formula is not known")) } }
        td { (fee.source) }
    } }
}

/// Legs that pay a dollar together.
pub(super) fn baskets(worked: &Worked) -> Panel {
    panel(
        6,
        html! {
            p { "One share of each leg pays a dollar together. Prices are examples; fees are those of the day." }
            div.scroll tabindex="0" {
                table.rows {
                    caption.only-read { "Examples of baskets, one share of each leg" }
                    thead { tr { th scope="col" { "Basket" } th scope="col" { "Legs" } th.num scope="col" { "Gross, c" } th.num scope="col" { "After fees, c" } } }
                    tbody { @for basket in &worked.baskets { (one_basket(basket)) } }
                }
            }
        },
    )
}

fn one_basket(basket: &Basket) -> Markup {
    html! { tr {
        th scope="row" { (basket.name) }
        td { @for (i, leg) in basket.legs.iter().enumerate() {
            @if i > 0 { " + " }
            (leg.what) " at " (leg.price) " on " (leg.venue)
            " (fee " @match leg.fee { Some(fee) => { (cost(fee.0)) " c" }, None => (show::unknown("no rule tells the fee")) } ")"
        } }
        td.num { (cents(basket.gross.0)) }
        td.num { @match basket.net { Some(net) => (cents(net.0)), None => (show::unknown("a fee is not known")) } }
    } }
}
