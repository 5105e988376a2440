//! Every reason code explained: where it is said, what is compared, what one can do about it.
//!
//! The one table behind the page, the command and `docs/reasons.md`; a code without a line here does not
//! compile. What a reason means is said where it is defined ([`Reason::meaning`]).

use pm_arb_core::reason::Reason;
use std::fmt::Write as _;

/// What stands in every document of reasons before the first.
const INTRODUCTION: &str = "\
# Reason codes

Whatever was not done has a reason, and every refusal is counted once, at the stage where it happened. The
codes are stable: stored rows, reports, messages and the API carry them. `pm-arb why MARKET` names the one
that applies to a market now, with the limit and what was observed; the dashboard's page *Why not?* counts
them stage by stage.

This text is made from the table in the program (`host/src/why/reasons.rs`); a test keeps the two equal.
";

/// What is to be known of a reason beside its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Who says it.
    pub said_by: &'static str,
    /// The limit that stands beside it, with its unit.
    pub limit: &'static str,
    /// What is observed against it, with its unit.
    pub observed: &'static str,
    /// What one can do.
    pub advice: &'static str,
}

const RISK: &str = "the risk guardian, of a wish";
const SCANNER: &str = "the scanner, of a look";
const BOTH: &str =
    "the scanner of a look, the risk guardian of a wish, the executor of an order that arrives";
const EXECUTOR: &str = "the executor, of an order that arrives or rests";
const INPUT: &str = "the engine or a watcher, of an input";

/// What is to be known of a reason.
#[must_use]
pub fn about(reason: Reason) -> About {
    let (said_by, limit, observed, advice) = match reason {
        Reason::Halted => (
            "the risk guardian of a wish, the executor of an order that arrives or rests",
            "not halted",
            "why it was halted",
            "Read why, put it right, then `pm-arb resume -m NOTE`.",
        ),
        Reason::InvalidOrder => (
            RISK,
            "what an order must be: 1 to 8 legs, shares above 0, listed instruments, a known opportunity",
            "what it was",
            "Correct the strategy; docs/strategies.md says what an intent may hold.",
        ),
        Reason::PriceOutOfRange => (
            RISK,
            "between 0 and 1 USD",
            "the price, USD",
            "Correct the strategy: a price is dollars a share.",
        ),
        Reason::OffTick => (
            "the risk guardian of a wish, the executor of an order whose market changed its grid",
            "the market's tick, USD",
            "the price, USD",
            "Round the limit to the market's tick, away from the trade.",
        ),
        Reason::OffLot => (
            RISK,
            "the market's lot, shares",
            "the size, shares",
            "Round the size down to the market's lot.",
        ),
        Reason::BelowMinimum => (
            "the scanner of a look, the risk guardian of a wish",
            "the market's smallest order, shares",
            "the size that was wished or is offered, shares",
            "Nothing, where the book offers less than the minimum; otherwise wish for more.",
        ),
        Reason::MaxOrderValue => (
            RISK,
            "risk.order_value_max, USD",
            "the order's value, USD",
            "Wish for less, or raise the limit in the settings.",
        ),
        Reason::Duplicate => (
            RISK,
            "one order for an opportunity, instrument and side",
            "the opportunity",
            "Nothing: an edge is traded once. A strategy that repeats itself can remember what it wished.",
        ),
        Reason::Capital => (
            RISK,
            "what is free of the strategy's share of equity, USD",
            "the order's worst cost with fees, USD",
            "Wait for trades to settle, wish for less, or change the shares under [allocation].",
        ),
        Reason::PositionLimitMarket => (
            RISK,
            "risk.position_per_market_bps of equity, USD",
            "tied up in the market with this order, USD",
            "Wish for less in one market, or raise the limit.",
        ),
        Reason::PositionLimitVenue => (
            RISK,
            "risk.position_per_venue_bps of equity, USD",
            "tied up on the venue with this order, USD",
            "Wait for trades to settle, or raise the limit.",
        ),
        Reason::NoPosition => (
            "the risk guardian of a wish, the executor of an order",
            "shares held and not already for sale",
            "shares to sell",
            "Sell only what is held: the strategy is told its fills.",
        ),
        Reason::DailyLoss => (
            RISK,
            "risk.daily_loss_bps of the equity at the start of the UTC day, USD",
            "lost since then, USD",
            "Nothing until midnight UTC: trading halts and `resume` does not lift it. Find out why it lost.",
        ),
        Reason::Drawdown => (
            RISK,
            "risk.drawdown_bps of the highest equity, USD",
            "lost since then, USD",
            "Find out why it lost; `pm-arb resume -m NOTE` accepts the loss and measures anew from there.",
        ),
        Reason::MinProfit => (
            RISK,
            "risk.profit_min, USD",
            "edge times size, USD",
            "Nothing: too little to be worth an order. Lower the limit only if fees are truly covered.",
        ),
        Reason::EdgeImplausible => (
            "the scanner of a look, the risk guardian of a wish",
            "risk.edge_max, USD a share",
            "the edge, USD a share",
            "Distrust the price first: a stale quote, a settled market, a wrong strike. Then the limit.",
        ),
        Reason::Slippage => (
            RISK,
            "risk.slippage_of_edge_bps of the edge, USD a share",
            "how far the price moved since the opportunity was seen, USD a share",
            "Nothing: it came too late. Often said, it asks for a faster strategy.",
        ),
        Reason::PriceCollar => (
            RISK,
            "risk.collar from the best opposite price, USD",
            "how far the limit is from it, USD",
            "Set the limit nearer to the book.",
        ),
        Reason::NoBook => (
            BOTH,
            "a live book",
            "none",
            "Wait for the venue's next snapshot; if it lasts, look at the feeds with `pm-arb health`.",
        ),
        Reason::StaleBook => (
            BOTH,
            "risk.book_age_max_ms",
            "the book's age, ms",
            "Nothing in a quiet market. In all markets at once: the venue's feed, or the machine's clock.",
        ),
        Reason::StaleOracle => (
            "the scanner of a look, the risk guardian of a wish",
            "risk.oracle_age_max_ms",
            "the age of the oracle's value, ms",
            "Look at the oracle's feed with `pm-arb health`; a clock that is wrong makes every value old.",
        ),
        Reason::CrossedBook => (
            BOTH,
            "a best bid below the best ask",
            "the book's age, ms",
            "Nothing: two messages of the venue overlap, or the market is about to be paused.",
        ),
        Reason::OneSidedBook => (
            BOTH,
            "a level to trade with",
            "none",
            "Nothing: nobody offers what would be bought, or bids for what would be sold.",
        ),
        Reason::PlaceholderBook => (
            BOTH,
            "a book that somebody quotes",
            "the venue's opening levels",
            "Nothing: wait until somebody quotes.",
        ),
        Reason::BookInterrupted => (
            EXECUTOR,
            "the book of the decision, without a gap until arrival",
            "a gap or another grid in between",
            "Look at the venue's feed when it is often; once is a reconnect.",
        ),
        Reason::NoLiquidity => (
            EXECUTOR,
            "shares within the limit at arrival",
            "none left",
            "Nothing: somebody was faster. Often said, the latency or the limit is the thing to look at.",
        ),
        Reason::FillOrKill => (
            EXECUTOR,
            "all shares within the limit",
            "fewer, shares",
            "Wish for less, or let a part be enough (fill and kill).",
        ),
        Reason::LegUnwound => (
            "the executor, of a group whose legs filled unequally",
            "the smallest fill of the group, shares",
            "what this leg had bought beyond it, shares",
            "Wish for sizes that every leg's book offers with room; the loss stands on that trade.",
        ),
        Reason::UnknownFee => (
            "the scanner of a look, the risk guardian of a wish, the executor of an order that rests",
            "a known fee schedule",
            "unknown",
            "Add the fee with its source to a rules file (docs/rules.md): fees are never guessed.",
        ),
        Reason::UnknownRule => (
            RISK,
            "a known tick, minimum or taker delay",
            "stated neither by the market nor by a rule for that day",
            "Add the rule with its source to a rules file (docs/rules.md).",
        ),
        Reason::MarketClosed => (
            BOTH,
            "an open market",
            "its state",
            "Nothing: it is over or paused.",
        ),
        Reason::NearExpiry => (
            RISK,
            "risk.expiry_min_ms before the close",
            "time left, ms",
            "Nothing: an order would arrive too late. Wish earlier.",
        ),
        Reason::RateLimit => (
            RISK,
            "risk.intents_per_second; orders in flight; answers to one record",
            "one more",
            "Let the strategy wish less often; a loop of wish and refusal ends here.",
        ),
        Reason::StrategyQuarantined => (
            "the risk guardian of a wish, the executor of an order that rests",
            "a healthy strategy",
            "stopped after a failure",
            "Read its failure in the log, replace its file by a corrected one, or release it.",
        ),
        Reason::RiskError => (
            "the scanner, the risk guardian or the executor",
            "a computation that fits, and every input of it",
            "an overflow or a missing input",
            "Report it with the run's folder: it is denied to be safe, and should not happen.",
        ),
        Reason::MalformedFrame => (
            INPUT,
            "the documented shape",
            "another one",
            "Often said, a venue has changed its messages: look for a newer version.",
        ),
        Reason::UnknownInstrument => (
            INPUT,
            "an instrument or market that is tracked",
            "another one",
            "Nothing: messages of markets that are over, or not yet listed.",
        ),
        Reason::UnknownEnum => (
            INPUT,
            "one of the documented values",
            "another one",
            "Often said, a venue has added a value: look for a newer version.",
        ),
        Reason::OutOfOrder => (
            INPUT,
            "not older than what was applied, by the venue's stamps",
            "older",
            "Nothing: the older message is dropped.",
        ),
        Reason::EmptyId => (
            INPUT,
            "an identifier",
            "an empty one",
            "Nothing: what has no name can not be traded.",
        ),
        Reason::PhantomSum => (
            SCANNER,
            "prices of one time: one message, or books at most scanner.leg_skew_max_ms apart",
            "prices of different times",
            "Nothing: the sum never existed. Naive backtests count these as profit.",
        ),
        Reason::IncompleteSet => (
            SCANNER,
            "every outcome of the set, listed and open",
            "some of them",
            "Nothing, or track the missing markets: a part of a set pays nothing for sure.",
        ),
        Reason::NoStrike => (
            SCANNER,
            "the price to beat",
            "unknown",
            "Start before the window opens, or add an oracle that was watched then.",
        ),
        Reason::SetTooLarge => (
            SCANNER,
            "8 legs",
            "the members of the set",
            "Nothing: one order can not hold the whole set.",
        ),
        Reason::ContradictoryMarket => (
            INPUT,
            "fields that agree",
            "fields that contradict each other",
            "Nothing: what a market is must be sure before it is traded.",
        ),
        Reason::MissingField => (
            INPUT,
            "every field a trade needs",
            "one is missing",
            "Add a rule where one may say it (docs/rules.md); otherwise nothing.",
        ),
        Reason::Cancelled => (
            EXECUTOR,
            "not cancelled",
            "shares left",
            "Nothing: the strategy, or the host for it, took the order back.",
        ),
        Reason::Expired => (
            EXECUTOR,
            "good till that second",
            "that time",
            "Nothing: its time was over.",
        ),
        Reason::DuplicatePrint => (
            INPUT,
            "a new trade",
            "the one before, told again",
            "Nothing: it is counted once.",
        ),
        Reason::LatePrint => (
            INPUT,
            "in order of the venue's stamps",
            "stamped long before an earlier one",
            "Nothing: it would fill orders with trades of the past.",
        ),
        Reason::NotGranted => (
            RISK,
            "what the strategy asks for and the operator grants",
            "the market's venue, family or oracle",
            "Have the strategy ask for it (`wants`), or grant it: [grants.for.NAME] in pm-arb.toml.",
        ),
    };
    About {
        said_by,
        limit,
        observed,
        advice,
    }
}

/// A reason by its code, in any case.
#[must_use]
pub fn by_code(code: &str) -> Option<Reason> {
    let all = Reason::ALL.iter().copied();
    all.into_iter()
        .find(|reason| reason.code().eq_ignore_ascii_case(code))
}

/// `docs/reasons.md`.
#[must_use]
pub fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for reason in Reason::ALL {
        let about = about(*reason);
        // Writing to a String can not fail.
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n- Said by {}.\n- Limit: {}. Observed: {}.\n- What to do: {}\n",
            reason.code(),
            reason.meaning().trim(),
            about.said_by,
            about.limit,
            about.observed,
            about.advice,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reasons.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == document(),
            "docs/reasons.md differs from the table; it should be:\n{}",
            document()
        );
        let sections: BTreeSet<&str> = written
            .lines()
            .filter_map(|l| l.strip_prefix("## "))
            .collect();
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(sections, codes);
    }

    #[test]
    fn every_explanation_is_a_sentence() {
        for reason in Reason::ALL {
            let about = about(*reason);
            assert!(reason.meaning().trim().ends_with('.'), "{reason}");
            assert!(about.advice.ends_with('.'), "{reason}");
            for text in [about.said_by, about.limit, about.observed] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{reason}: {text}");
            }
            assert_eq!(by_code(&reason.code().to_lowercase()), Some(*reason));
        }
    }
}
