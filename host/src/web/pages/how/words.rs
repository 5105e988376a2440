//! The words of the page: the idea, the truth about each type of opportunity, the glossary.
//!
//! Nothing here is computed; every figure named is from a recording or a paper that is named with it.

use crate::web::layout::Panel;
use maud::{Markup, html};

/// What it is about.
pub(super) fn idea() -> Panel {
    Panel {
        id: "idea",
        title: "The idea",
        wide: true,
        body: html! {
            p { "A prediction market sells promises: a share of YES pays one dollar if the question comes true. Its price is a probability. "
                "Some questions hang on a price that everybody can see, such as Bitcoin's on an exchange. When that price moves, the promise is worth "
                "something else at once, and its market follows a little later. " strong { "Market price lags reality" }
                ": whoever computes the new value first can buy at the old price." }
            p { "That is the plan. Whether anything of it is left after the venue's delay, its fee, the doubt about the model and the "
                "different source that settles the market is what this program finds out, and " strong { "“no edge” is a good answer" }
                ": it costs paper money instead of yours." }
        },
    }
}

/// The three types with the truth about each.
pub(super) fn types() -> Panel {
    Panel {
        id: "types",
        title: "Three types of opportunity, and the truth about each",
        wide: true,
        body: html! {
            h3 { "Oracle lag" }
            p { em { "The promise: " } "the oracle moved, the market has not followed, buy before it does." }
            ul {
                li { "The lag is real, and so are those who watch it. Polymarket holds a taker order (250 ms since 2026-06-05) and it cannot be cancelled; "
                    "on arrival it meets the book as it is then." }
                li { "The fee is largest where the doubt is largest: 1.75 c a share at 50 c in crypto markets. An edge below it is none." }
                li { "The book is the best single predictor. On recorded five-minute markets it told winners from losers better than oracles alone "
                    "(AUC .837 against .812), so the program blends model and book and its edges are smaller, honestly." }
                li { "The oracle that is watched is not always the one that settles: Binance is not Chainlink, an instant is not the mean of the last minute. "
                    "The difference is counted as uncertainty, and settlement uses the source itself." }
            }
            h3 { "Mispricing" }
            p { em { "The promise: " } "YES and NO, or all members of a set, cost less than the dollar that one of them pays." }
            ul {
                li { "YES and NO of one market are one book seen from two sides: in 12,176 of 12,176 recorded simultaneous snapshots ask and mirrored bid sum to one dollar. "
                    "A sum below comes from prices of two moments; it is counted as a phantom and never traded." }
                li { "Real ones bind several markets: every member of an exclusive set, a threshold that implies a lower one, a window within a window. "
                    "Each leg pays its own fee; sets with unlisted members sum below a dollar by construction." }
                li { "Of the 39.6 million dollars of arbitrage on Polymarket that were published (arXiv 2508.03474), 291,424 remain on the same window "
                    "when only what could be executed counts (arXiv 2608.00666)." }
            }
            h3 { "Cross-platform" }
            p { em { "The promise: " } "the same question is cheaper there: buy one outcome here and the opposite one there." }
            ul {
                li { "It is hardly ever the same question. Polymarket and Kalshi settle the “same” quarter of an hour on different sources, "
                    "one on Chainlink, the other on the mean of sixty values of a CF Benchmarks index. In between, both legs can lose." }
                li { "The program pairs two markets only under one key: the same question, the same closing instant, the same source. Without it they are two bets." }
                li { "Two venues, two fees, two ways: the legs do not arrive together. A leg that stays alone is sold at the book, and its cost is charged to the pair." }
            }
        },
    }
}

/// Terms with their meanings, in the order of the alphabet.
const TERMS: [(&str, &str); 32] = [
    (
        "Ask, bid",
        "The lowest price somebody sells at, the highest somebody buys at. We buy at the ask.",
    ),
    (
        "Blend",
        "Model and market taken together in log-odds; each counts as much as outcomes taught.",
    ),
    (
        "Book",
        "All standing offers of an outcome, by price. Its levels are what an order really meets.",
    ),
    (
        "Brier score",
        "Mean squared difference between probabilities and what came true. 0 is perfect, 0.25 is a coin; less is better.",
    ),
    (
        "Calibration",
        "Whether of all that was called 70 % about 70 in 100 come true.",
    ),
    (
        "Digital",
        "A promise that pays all or nothing by where a price ends. Under normal returns: Φ(ln(S/K) / σ√τ).",
    ),
    (
        "Drawdown",
        "How far equity has fallen from its highest point.",
    ),
    (
        "Edge",
        "What is left of a fair value after price, fee and haircut, a share. A claim, until it is settled.",
    ),
    (
        "Fair value",
        "The probability that we would neither buy nor sell at.",
    ),
    (
        "FAK, FOK",
        "Fill and kill: take what is there, cancel the rest. Fill or kill: all or nothing.",
    ),
    (
        "Ghost gap",
        "Naive P&L less honest P&L: what paper trading usually flatters itself with.",
    ),
    (
        "Haircut",
        "Taken off an edge for the model's own calibration error; half a cent at least.",
    ),
    ("Latency", "The time from a decision to the venue's door."),
    (
        "Log loss",
        "Mean of −ln(probability of what came true). It punishes being sure and wrong.",
    ),
    (
        "Maker, taker",
        "A maker's order rests in the book and waits; a taker's meets it and, in crypto markets, pays the fee.",
    ),
    (
        "Middle (mid)",
        "Halfway between bid and ask. Nobody sells there; only backtests fill at it.",
    ),
    (
        "Oracle",
        "A source of prices: Binance, Chainlink. The one that decides a market is its settlement source.",
    ),
    (
        "Outcome, share",
        "YES or NO; a share of the one that comes true pays a dollar.",
    ),
    (
        "Paper trade",
        "A trade with everything real but the money: book, delay, fee, settlement.",
    ),
    (
        "Phantom",
        "An arbitrage made of prices that never stood at one time.",
    ),
    (
        "Rulebook",
        "Rules of venues by date, each row with its source: what a market's own fields leave open.",
    ),
    (
        "Settlement",
        "A market pays on evidence: its venue's word, or the settlement source's own values. Until then its money is locked.",
    ),
    (
        "Slippage",
        "The price moved against an order between decision and fill.",
    ),
    (
        "Strike",
        "The price that the oracle's value is compared with.",
    ),
    (
        "Tick",
        "The step of a venue's prices. Also: one message of an oracle.",
    ),
    (
        "TWAP",
        "Time-weighted mean of a price over the last seconds: what some markets settle on.",
    ),
    ("Venue", "A place with markets: Polymarket, Kalshi."),
    (
        "Venue delay",
        "How long a venue holds a taker order before it matches it.",
    ),
    ("Void", "Neither outcome wins: every share pays 50 cents."),
    (
        "Volatility (σ)",
        "How much a price moves by chance, as a standard deviation of its logarithm over a year.",
    ),
    (
        "VWAP",
        "Volume-weighted average price: what an order paid a share over all levels it walked.",
    ),
    (
        "Win rate",
        "Share of trades that gained. It says nothing without how much was gained and lost.",
    ),
];

/// What the words mean.
pub(super) fn glossary() -> Panel {
    Panel {
        id: "glossary",
        title: "Glossary",
        wide: true,
        body: html! {
            dl.glossary { @for (term, meaning) in TERMS { (entry(term, meaning)) } }
        },
    }
}

fn entry(term: &str, meaning: &str) -> Markup {
    html! { div { dt { (term) } dd { (meaning) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_in_order_and_each_once() {
        assert!(
            TERMS
                .windows(2)
                .all(|w| w[0].0.to_lowercase() < w[1].0.to_lowercase())
        );
    }
}
